/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow: the command line of tenants and auditors. Only wiring: global options, the table of commands, help,
 * and the rule that turns an error into an exit code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config.h"
#include "tenant/command.h"
#include "tenant/commands.h"
#include "tenant/options.h"

static const struct {
        const char *name;
        enum output_format format;
} formats[] = {{"table", OUTPUT_TABLE}, {"json", OUTPUT_JSON}, {"yaml", OUTPUT_YAML}};

static void print_usage(FILE *f)
{
        (void)fprintf(f, "Usage: avow [-c FILE] [-o table|json|yaml] [--server URL] NOUN VERB [OPTION...] "
                         "[ARG...]\n\n");
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++) {
                        AUTO(mem_free_p)
                        char *name = str_fmt("%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");

                        (void)fprintf(f, "  %-19s %s\n", name ? name : "", c->help);
                }
        (void)fprintf(f, "\n'avow NOUN VERB --help' tells more; the manual is avow(1).\n"
                         "Exit status: 0 done or yes, 1 the answer is no, 2 wrong use or malformed input, 3 "
                         "undecided.\n");
}

static void print_help(const struct command *c)
{
        (void)printf("Usage: avow %s%s%s%s %s\n%s.\n", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                     c->options ? " [OPTION...]" : "", c->synopsis, c->help);
        if (c->options)
                (void)printf("\n");
        for (const struct option_row *o = c->options; o && o->name; o++) {
                AUTO(mem_free_p)
                char *left =
                        str_fmt("--%s%s%s", o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");

                (void)printf("  %-26s %s\n", left ? left : "", o->help);
        }
}

static int misuse(const struct err *err)
{
        (void)fprintf(stderr, "avow: %s\n", err->text);
        return ANSWER_MISUSE;
}

/* Options before the noun. Return: the index of the noun, or < 0. */
static int read_globals(int argc, char **argv, struct session *s, bool *ret_help, struct err *err)
{
        int i;

        for (i = 1; i < argc && argv[i][0] == '-'; i++) {
                const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

                if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
                        *ret_help = true;
                        continue;
                }
                if (!value)
                        return err_set(err, ERR_CONFIG, 0, "option '%s' is unknown or needs a value", option);
                i++;
                if (strcmp(option, "-c") == 0 || strcmp(option, "--config") == 0) {
                        s->config_file = value;
                } else if (strcmp(option, "--server") == 0) {
                        s->server = value;
                } else if (strcmp(option, "-o") == 0 || strcmp(option, "--output") == 0) {
                        size_t f = 0;

                        while (f < ARRAY_LEN(formats) && strcmp(formats[f].name, value) != 0)
                                f++;
                        if (f == ARRAY_LEN(formats))
                                return err_set(err, ERR_CONFIG, 0,
                                               "output format '%s': choose table, json or yaml", value);
                        s->output = formats[f].format;
                } else {
                        return err_set(err, ERR_CONFIG, 0,
                                       "unknown option '%s'; avow --help lists the options", option);
                }
        }
        return i;
}

#define WORDS_MAX 128

/* The nouns (NOUN NULL) or the verbs of NOUN. Return: how many. */
static size_t list_words(const char *noun, const char *ret[WORDS_MAX])
{
        size_t n = 0;

        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun && n < WORDS_MAX; c++)
                        if (!noun)
                                ret[n++] = c->noun;
                        else if (c->verb && strcmp(c->noun, noun) == 0)
                                ret[n++] = c->verb;
        return n;
}

static const struct command *find_row(const char *noun, const char *verb)
{
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        if (strcmp(c->noun, noun) == 0 && (!c->verb || (verb && strcmp(c->verb, verb) == 0)))
                                return c;
        return NULL;
}

/* The row of NOUN VERB. Return: 0, or < 0 with the nearest word named. */
static int find_command(int n, char **words, const struct command **ret, struct err *err)
{
        const char *known[WORDS_MAX], *near, *wrong = words[0];
        size_t n_verbs = list_words(words[0], known);

        *ret = find_row(words[0], n > 1 ? words[1] : NULL);
        if (*ret)
                return 0;
        if (n_verbs && n < 2)
                return err_set(err, ERR_CONFIG, 0, "'%s' needs a verb; avow --help lists them", words[0]);
        if (n_verbs)
                wrong = words[1];
        near = str_nearest(wrong, known, n_verbs ? n_verbs : list_words(NULL, known));
        if (near)
                return err_set(err, ERR_CONFIG, 0, "unknown command %s: did you mean '%s'?", SHOW(wrong),
                               near);
        return err_set(err, ERR_CONFIG, 0, "unknown command %s; avow --help lists them all", SHOW(wrong));
}

/* Did the user name a file that is not there, or not to be had? That is wrong use; a disk that fails is not.
 */
static bool named_wrongly(const struct err *err)
{
        static const int codes[] = {ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EEXIST, EACCES};

        for (size_t i = 0; err->kind == ERR_IO && i < ARRAY_LEN(codes); i++)
                if (err->code == codes[i])
                        return true;
        return false;
}

static int exit_status(const struct err *err)
{
        if (err->kind == ERR_PEER && err->code == 404)
                return ANSWER_NO; /* the server was there, and there is no such thing */
        if (err->kind == ERR_CONFIG || err->kind == ERR_FORMAT || err->kind == ERR_LIMIT ||
            named_wrongly(err))
                return ANSWER_MISUSE;
        return ANSWER_UNDECIDED;
}

static int run_command(const struct session *s, const struct command *c, int argc, char **argv)
{
        AUTO(mem_free_p)
        void *values = mem_zalloc(1, c->values_size ? c->values_size : 1);
        struct err err = ERR_INIT;
        int n, answer;

        for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--help") == 0) {
                        print_help(c);
                        return ANSWER_DONE;
                }
        n = values ? options_read(c->options, argc, argv, values, &err) : err_nomem(&err);
        if (n >= 0 && (n < c->min_args || n > c->max_args))
                n = err_set(&err, ERR_CONFIG, 0, "usage: avow %s %s%s%s", c->noun, c->verb ? c->verb : "",
                            c->verb ? " " : "", c->synopsis);
        if (n < 0)
                return misuse(&err);
        answer = c->run(s, values, n, argv, &err);
        if (answer >= 0)
                return answer;
        (void)fflush(stdout);
        (void)fprintf(stderr, "avow: %s\n", err.text);
        return exit_status(&err);
}

int command_confirm(bool yes, const char *question, struct err *err)
{
        char answer[8] = "";

        if (yes)
                return 1;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
                return err_set(err, ERR_CONFIG, 0, "%s Say so with --yes: there is no terminal to ask on",
                               question);
        (void)fprintf(stderr, "%s [y/N] ", question);
        if (!fgets(answer, sizeof(answer), stdin))
                return 0;
        return answer[0] == 'y' || answer[0] == 'Y';
}

int main(int argc, char **argv)
{
        struct session s = {.config_file = getenv("AVOW_CONFIG"), .output = OUTPUT_TABLE};
        const struct command *c = NULL;
        struct err err = ERR_INIT;
        bool help = false;
        int at, used = 0;

        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                (void)printf("avow %s\n", PACKAGE_VERSION);
                return ANSWER_DONE;
        }
        at = read_globals(argc, argv, &s, &help, &err);
        if (at < 0)
                return misuse(&err);
        if (help || at == argc) {
                print_usage(help ? stdout : stderr);
                return help ? ANSWER_DONE : ANSWER_MISUSE;
        }
        if (find_command(argc - at, argv + at, &c, &err) < 0)
                return misuse(&err);
        used = c->verb ? 2 : 1;
        return run_command(&s, c, argc - at - used, argv + at + used);
}
