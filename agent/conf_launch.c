/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of runtimes that need no command line of the operator's, and the reading of `launch`. Each row
 * turns off what its runtime would read or keep beside its arguments: caches of compiled code (their content
 * is executed, and nobody measured it), plug-ins, configuration of the user's.
 *
 * Facts about the runtimes are from their own help texts: wasmtime run --help, iwasm --help, wasmedge --help,
 * wasmer run --help, wasmi --help, Node's documentation of `wasi` and of --preserve-symlinks-main (without
 * it, node would look for its script under the name behind the descriptor's link, where there is none).
 */
#include "agent/conf_launch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define WORDS_MAX 10

static const char node_shim[] = LAUNCH_FILE AVOW_DATADIR "/node-wasi.js}";

static const struct {
        const char *name;
        const char *argv[WORDS_MAX];
        const char *env[2];
        bool named;
} templates[] = {
        {.name = "wasmtime",
         .argv = {"run", "-C", "cache=n", "--dir={secrets}::/secrets", "{module}", "{args}"}},
        {.name = "wasmedge",
         .argv = {"--dir=/secrets:{secrets}", "{module}", "{args}"},
         .env = {"WASMEDGE_PLUGIN_PATH="},
         .named = true},
        {.name = "iwasm", .argv = {"--map-dir=/secrets::{secrets}", "{module}", "{args}"}},
        {.name = "wasmer",
         .argv = {"run", "--disable-cache", "--mapdir=/secrets:{secrets}", "{module}", "--", "{args}"},
         .named = true},
        {.name = "wasmi", .argv = {"run", "--dir={secrets}", "{module}", "{args}"}},
        {.name = "node",
         .argv = {"--no-warnings", "--no-addons", "--preserve-symlinks-main", node_shim, "{module}",
                  "{secrets}", "{args}"}},
};

int launch_file_of(const char *text, char **ret, struct err *err)
{
        const char *at = strstr(text, LAUNCH_FILE);

        *ret = NULL;
        if (!at)
                return 0;
        at += strlen(LAUNCH_FILE);
        *ret = str_ndup(at, strcspn(at, "}"));
        return *ret ? 0 : err_nomem(err);
}

static int add(char ***list, size_t *n, const char *s, struct err *err)
{
        char **more = mem_resize(*list, *n + 1, sizeof(*more));

        if (!more)
                return err_nomem(err);
        *list = more;
        more[*n] = str_dup(s);
        if (!more[*n])
                return err_nomem(err);
        (*n)++;
        return 0;
}

static int use_template(const struct conf *c, const char *name, struct launch_runtime *rt, struct err *err)
{
        size_t i = 0;
        int r = 0;

        while (i < ARRAY_LEN(templates) && !str_equal(templates[i].name, name))
                i++;
        if (i == ARRAY_LEN(templates))
                return conf_err(c, conf_is_set(c, "template") ? "template" : "name", err,
                                "there is no template %s (wasmtime, wasmedge, iwasm, wasmer, wasmi, node): "
                                "name one with template:, or say argv:",
                                SHOW(name));
        for (size_t k = 0; r >= 0 && k < WORDS_MAX && templates[i].argv[k]; k++)
                r = add(&rt->argv, &rt->n_argv, templates[i].argv[k], err);
        for (size_t k = 0; r >= 0 && k < 2 && templates[i].env[k]; k++)
                r = add(&rt->env, &rt->n_env, templates[i].env[k], err);
        rt->named = templates[i].named;
        return r;
}

static int check_argv(const struct conf *c, const struct launch_runtime *rt, struct err *err)
{
        size_t modules = 0;

        for (size_t i = 0; i < rt->n_argv; i++) {
                const char *word = rt->argv[i], *file = strstr(word, LAUNCH_FILE);

                modules += strstr(word, LAUNCH_MODULE) != NULL;
                if (strstr(word, LAUNCH_ARGS) && !str_equal(word, LAUNCH_ARGS))
                        return conf_err(c, "argv", err, "%s stands alone: it becomes any number of words",
                                        LAUNCH_ARGS);
                if (file && (file[strlen(LAUNCH_FILE)] != '/' || !strchr(file, '}')))
                        return conf_err(c, "argv", err, "%s: {file:/absolute/path} is expected", SHOW(word));
        }
        if (modules != 1)
                return conf_err(c, "argv", err, "%s is wanted once, and is there %zu times", LAUNCH_MODULE,
                                modules);
        return 0;
}

static int read_env(const struct conf *c, struct launch_runtime *rt, struct err *err)
{
        const struct strv *env = conf_list(c, "env");
        int r = 0;

        for (size_t i = 0; r >= 0 && i < env->n; i++) {
                const char *equals = strchr(env->items[i], '=');

                if (!equals || equals == env->items[i])
                        return conf_err(c, "env", err, "%s: NAME=VALUE is expected", SHOW(env->items[i]));
                if (str_starts(env->items[i], "LD_"))
                        return conf_err(c, "env", err,
                                        "%s changes what the loader loads, which the closure does not see",
                                        SHOW(env->items[i]));
                r = add(&rt->env, &rt->n_env, env->items[i], err);
        }
        return r;
}

static int read_runtime(const struct conf *c, const struct agent_runtime *runtimes, size_t n_runtimes,
                        struct launch_runtime *rt, struct err *err)
{
        const char *name = conf_str(c, "name"), *template = conf_str(c, "template");
        const struct strv *argv = conf_list(c, "argv");
        int r = 0;

        for (size_t i = 0; i < n_runtimes && !rt->measured; i++)
                if (str_equal(runtimes[i].name, name))
                        rt->measured = &runtimes[i];
        if (!rt->measured)
                return conf_err(c, "name", err, "%s is none of runtimes: only what is measured is launched",
                                SHOW(name));
        if (argv->n && template)
                return conf_err(c, "template", err, "a runtime has a template, or argv, not both");
        for (size_t i = 0; r >= 0 && i < argv->n; i++)
                r = add(&rt->argv, &rt->n_argv, argv->items[i], err);
        if (!argv->n)
                r = use_template(c, template ? template : name, rt, err);
        if (r >= 0)
                r = check_argv(c, rt, err);
        if (r >= 0)
                r = read_env(c, rt, err);
        if (r >= 0 && conf_is_set(c, "module"))
                rt->named = str_equal(conf_str(c, "module"), "name");
        return r;
}

static int read_runtimes(const struct conf *c, const struct agent_runtime *runtimes, size_t n_runtimes,
                         struct launch_config *config, struct err *err)
{
        size_t n = conf_n_items(c, "launch.runtimes");
        int r = 0;

        config->runtimes = mem_zalloc(n, sizeof(*config->runtimes));
        if (!config->runtimes)
                return err_nomem(err);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const struct conf *item = conf_item(c, "launch.runtimes", i);

                r = read_runtime(item, runtimes, n_runtimes, &config->runtimes[config->n_runtimes++], err);
                for (size_t k = 0; r >= 0 && k < i; k++)
                        if (config->runtimes[k].measured == config->runtimes[i].measured)
                                r = conf_err(item, "name", err, "runtime %s is there twice",
                                             SHOW(config->runtimes[i].measured->name));
        }
        return r;
}

int launch_config_read(const struct conf *c, const struct agent_runtime *runtimes, size_t n_runtimes,
                       const char *run_dir, unsigned sealed_pcr, struct launch_config *ret, struct err *err)
{
        const char *socket = conf_str(c, "launch.socket");

        ret->enabled = conf_bool(c, "launch.enabled");
        ret->pcr = (unsigned)conf_int(c, "launch.pcr");
        ret->module_max = (uint64_t)conf_int(c, "launch.module_max");
        ret->start_ms = conf_int(c, "launch.start_timeout");
        ret->cache_ms = conf_int(c, "launch.permits.cache");
        ret->socket = socket ? str_dup(socket) : str_fmt("%s/launch.sock", run_dir);
        ret->group = str_dup(conf_str(c, "launch.group"));
        if (!ret->socket || !ret->group)
                return err_nomem(err);
        if (ret->enabled && ret->pcr == sealed_pcr)
                return conf_err(c, "launch.pcr", err,
                                "%u is tpm.pcr: a secret that is sealed to it would not open after a launch",
                                ret->pcr);
        if (ret->enabled && conf_n_items(c, "launch.runtimes") == 0)
                return conf_err(c, "launch.enabled", err, "launch.runtimes names no runtime to start");
        return read_runtimes(c, runtimes, n_runtimes, ret, err);
}

static void free_list(char **list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i]);
        free(list);
}

void launch_config_done(struct launch_config *c)
{
        for (size_t i = 0; i < c->n_runtimes; i++) {
                free_list(c->runtimes[i].argv, c->runtimes[i].n_argv);
                free_list(c->runtimes[i].env, c->runtimes[i].n_env);
        }
        free(c->runtimes);
        free(c->socket);
        free(c->group);
        *c = (struct launch_config){0};
}

const struct launch_runtime *launch_config_runtime(const struct launch_config *c, struct view name)
{
        if (name.len == 0)
                return c->n_runtimes == 1 ? &c->runtimes[0] : NULL;
        for (size_t i = 0; i < c->n_runtimes; i++)
                if (view_equal(view_str(c->runtimes[i].measured->name), name))
                        return &c->runtimes[i];
        return NULL;
}
