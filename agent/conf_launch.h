/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_CONF_LAUNCH_H
#define AVOW_AGENT_CONF_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/closure.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * The part `launch` of agent.yaml: how modules are started (avow-agent.yaml(5), "LAUNCHING"). A runtime of
 * launch.runtimes is one of `runtimes`, whose files it is made of, and a row of a table that knows its
 * command line, or a command line of the operator's.
 */
struct launch_runtime {
        const struct agent_runtime *measured; /* its name, its executable, its files */
        char **argv;                          /* behind its own name; with placeholders, see below */
        size_t n_argv;
        char **env; /* NAME=VALUE: all of its environment */
        size_t n_env;
        bool named; /* it wants a file name that ends in .wasm, not a descriptor's */
};

/*
 * In argv, `{module}` stands for the module's name, `{secrets}` for the folder of its secrets (relative to
 * the runtime's working folder), an element `{args}` for what the asker wrote behind --, and `{file:/path}`
 * for a private copy of that file, which then belongs to the closure.
 */
#define LAUNCH_MODULE  "{module}"
#define LAUNCH_SECRETS "{secrets}"
#define LAUNCH_ARGS    "{args}"
#define LAUNCH_FILE    "{file:"

/* The path of TEXT's `{file:/path}`, which ends with the element; NULL: it has none. The caller's to free.
 * Return: 0; -ERR_NOMEM. */
int launch_file_of(const char *text, char **ret, struct err *err) MUST_USE;

struct launch_config {
        bool enabled;
        char *socket;
        char *group; /* whose id the runtimes run with, and nobody else */
        unsigned pcr;
        uint64_t module_max;
        int64_t start_ms; /* from the ask to the start, at most */
        int64_t cache_ms; /* how long a permit is kept for the time without a verifier, if it allows that */
        struct launch_runtime *runtimes;
        size_t n_runtimes;
};

/* Reads it from C; RUNTIMES are those of the agent, borrowed. SEALED_PCR is the measurements' register, which
 * launches must not use. Return: 0; -ERR_CONFIG with the place; -ERR_NOMEM. */
int launch_config_read(const struct conf *c, const struct agent_runtime *runtimes, size_t n_runtimes,
                       const char *run_dir, unsigned sealed_pcr, struct launch_config *ret,
                       struct err *err) MUST_USE;
void launch_config_done(struct launch_config *c);

/* By name; with an empty NAME the only one there is. NULL: none. */
const struct launch_runtime *launch_config_runtime(const struct launch_config *c, struct view name);

#endif
