/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_COMMAND_H
#define AVOW_TENANT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * The command line `avow [-c FILE] [-o table|json|yaml] [--server URL] NOUN VERB [OPTION…] [ARG…]` is a
 * table: a command is a row that names its noun and verb, its options and the function that runs it. Help,
 * usage errors and completion come from the rows. Each file of this folder exports its rows as an array that
 * ends with an empty row; main.c lists them.
 */

/* Exit codes mean something to scripts. */
enum answer {
        ANSWER_DONE = 0,      /* done; or the answer is yes, pass */
        ANSWER_NO = 1,        /* the answer is no: fail, revoked, differs */
        ANSWER_MISUSE = 2,    /* wrong use, or malformed input */
        ANSWER_UNDECIDED = 3, /* could not decide: a server cannot be reached, evidence is inconclusive */
};

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

/* What every command gets: the global options. Strings are borrowed from argv or the environment. */
struct session {
        const char *config_file; /* -c or AVOW_CONFIG, or NULL: the default files */
        const char *server;      /* --server, or NULL: what the configuration says */
        enum output_format output;
};

enum option_kind {
        OPTION_FLAG, /* bool */
        OPTION_TEXT, /* const char *, borrowed from argv; the last one wins */
        OPTION_LIST, /* struct option_list; may be repeated */
};

#define OPTION_LIST_MAX 64

struct option_list {
        const char *v[OPTION_LIST_MAX];
        size_t n;
};

/* One option of a command; tables end with an empty row. */
struct option_row {
        const char *name;    /* long name without the dashes */
        const char *metavar; /* NULL for a flag */
        const char *help;
        enum option_kind kind;
        size_t offset; /* of the member in the command's value struct */
};

struct command {
        const char *noun;
        const char *verb;     /* NULL: the noun alone is the command ("status") */
        const char *synopsis; /* the arguments after the options: "HOST" */
        const char *help;     /* one line */
        const struct option_row *options;
        size_t values_size; /* size of the value struct that options fill; zeroed before */
        int min_args, max_args;
        /*
         * Runs the command. VALUES is the filled value struct, ARGS the N_ARGS arguments.
         * Return: an enum answer, or < 0 with err set: main prints it and answers 2 for CONFIG and FORMAT, 1
         * for what a server says it does not have (PEER with 404), else 3.
         */
        int (*run)(const struct session *s, const void *values, int n_args, char **args, struct err *err);
};

/* Asks on a terminal ("Remove host 'web-1'? [y/N]"); without a terminal or with YES set the answer is YES's.
 * Return: 1 go on, 0 the person said no, < 0 no terminal and no --yes (err says to add --yes). */
int command_confirm(bool yes, const char *question, struct err *err) MUST_USE;

#endif
