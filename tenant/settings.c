/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's own configuration. The first file that exists is the one; there is no merging of a
 * person's file with the system's, so that nobody has to guess which key came from where.
 */
#include "tenant/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

static const struct conf_key keys[] = {
        {.path = "registrar.url", .type = CONF_STR, .def = "https://127.0.0.1:8891", .help = "the registrar"},
        {.path = "registrar.ca", .type = CONF_PATH, .help = "who issued its certificate"},
        {.path = "registrar.cert", .type = CONF_PATH, .help = "our certificate"},
        {.path = "registrar.key", .type = CONF_PATH, .help = "its key"},
        {.path = "verifier.url", .type = CONF_STR, .def = "https://127.0.0.1:8881", .help = "the verifier"},
        {.path = "verifier.ca", .type = CONF_PATH, .help = "who issued its certificate"},
        {.path = "verifier.cert", .type = CONF_PATH, .help = "our certificate"},
        {.path = "verifier.key", .type = CONF_PATH, .help = "its key"},
        {.path = "log.level",
         .type = CONF_STR,
         .def = "warning",
         .choices = log_level_names,
         .help = "how much is said"},
};

static const struct conf_schema schema = {"tenant", keys, ARRAY_LEN(keys)};

/* The file to read. NULL: out of memory. */
static char *find_file(const struct session *s)
{
        const char *home = getenv("HOME"), *config_home = getenv("XDG_CONFIG_HOME");
        char *own = NULL;

        if (s->config_file)
                return str_dup(s->config_file);
        if (config_home && *config_home)
                own = str_fmt("%s/avow/config.yaml", config_home);
        else if (home && *home)
                own = str_fmt("%s/.config/avow/config.yaml", home);
        if (own && file_exists(own))
                return own;
        free(own);
        return str_dup(AVOW_SYSCONFDIR "/avow.yaml");
}

int settings_load(const struct session *s, struct settings *ret, struct err *err)
{
        AUTO(mem_free_p)
        char *file = find_file(s);
        AUTO(conf_free_p)
        struct conf *conf = NULL;
        extern char **environ;
        enum log_level level;

        if (!file)
                return err_nomem(err);
        if (!file_exists(file))
                return err_set(
                        err, ERR_CONFIG, 0,
                        "no configuration at '%s': name one with -c FILE or AVOW_CONFIG, or make one with "
                        "'avow init DIR'",
                        file);
        if (conf_load(&schema, file, false, environ, &conf, err) < 0 ||
            log_level_by_name(conf_str(conf, "log.level"), &level, err) < 0)
                return -(int)err->kind;
        log_set_level(level);
        ret->registrar = (struct server_settings){
                .url = conf_str(conf, "registrar.url"),
                .ca = conf_str(conf, "registrar.ca"),
                .cert = conf_str(conf, "registrar.cert"),
                .key = conf_str(conf, "registrar.key"),
        };
        ret->verifier = (struct server_settings){
                .url = conf_str(conf, "verifier.url"),
                .ca = conf_str(conf, "verifier.ca"),
                .cert = conf_str(conf, "verifier.cert"),
                .key = conf_str(conf, "verifier.key"),
        };
        if (s->server)
                ret->registrar.url = ret->verifier.url = s->server;
        ret->conf = TAKE(conf);
        return 0;
}

void settings_done(struct settings *s)
{
        conf_free(s->conf);
        *s = (struct settings){0};
}
