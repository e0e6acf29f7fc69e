/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow init DIR`: everything that a registrar, a verifier and an agent need to trust each other, in one
 * folder. It never overwrites: if one of its files is there, nothing is written at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "tenant/init.h"
#include "tenant/output.h"

static int bad_option(struct err *err, const char *name, const char *value, const char *expected)
{
        return err_set(err, ERR_CONFIG, 0, "--%s %s: expected %s", name, SHOW(value), expected);
}

/* An option that is a whole number of MIN to MAX; DEF if it was not given. */
static int read_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t def,
                       uint64_t *ret, struct err *err)
{
        *ret = def;
        if (!text)
                return 0;
        if (str_parse_uint(view_str(text), max, ret, err) < 0 || *ret < min)
                return err_set(err, ERR_CONFIG, 0, "--%s %s: expected a number of %" PRIu64 " to %" PRIu64,
                               name, SHOW(text), min, max);
        return 0;
}

/* What goes into a YAML file, a URL or a certificate is plain text in one line. */
static int check_plain(const char *name, const char *text, struct err *err)
{
        for (const char *at = text; at && *at; at++) {
                if ((unsigned char)*at < 0x20 || *at == 0x7f)
                        return bad_option(err, name, text, "no control characters");
        }
        return text && !str_valid_utf8(view_str(text)) ? bad_option(err, name, text, "UTF-8") : 0;
}

/* A name or an address that can stand in a URL and in a certificate. */
static int check_host(const char *name, const char *text, struct err *err)
{
        if (!*text ||
            text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_")])
                return bad_option(err, name, text, "a host name or an IP address, without a port");
        return 0;
}

static int check_runtimes(const struct init_options *o, struct err *err)
{
        for (size_t i = 0; i < o->runtimes.n; i++) {
                const char *item = o->runtimes.v[i], *equals = strchr(item, '=');
                AUTO(mem_free_p) char *name = NULL;
                int r = check_plain("runtime", item, err);

                if (r < 0)
                        return r;
                if (!equals || equals[1] != '/')
                        return bad_option(err, "runtime", item, "NAME=/PATH");
                name = str_ndup(item, (size_t)(equals - item));
                if (!name)
                        return err_nomem(err);
                if (!str_valid_name(name))
                        return bad_option(err, "runtime", item,
                                          "a name of letters, digits, '.', '_' and '-' before '='");
        }
        return 0;
}

static int check_options(const struct init_options *o, struct err *err)
{
        int64_t ms;
        int r = 0;

        if (o->peer && !str_equal(o->peer, "avow") && !str_equal(o->peer, "keylime"))
                return bad_option(err, "peer", o->peer, "avow or keylime");
        if (o->host_id && !str_valid_host_id(o->host_id))
                return bad_option(err, "host-id", o->host_id,
                                  "uuid, hash_ek, or 1 to 80 letters, digits, '.', '_', '-'");
        if (o->interval && (clock_parse_duration(view_str(o->interval), &ms, err) < 0 || ms < 500))
                return bad_option(err, "interval", o->interval, "a duration like 30s, at least 500ms");
        if (o->listen)
                r = check_host("listen", o->listen, err);
        for (size_t i = 0; r == 0 && i < o->names.n; i++)
                r = check_host("name", o->names.v[i], err);
        for (size_t i = 0; r == 0 && i < o->ek_roots.n; i++)
                r = check_plain("ek-roots", o->ek_roots.v[i], err);
        if (r == 0)
                r = check_plain("tcti", o->tcti, err);
        if (r == 0)
                r = check_plain("state", o->state, err);
        return r < 0 ? r : check_runtimes(o, err);
}

/* PATH from the root, also if it does not exist yet. */
static char *absolute(const char *path, struct err *err)
{
        char cwd[PATH_MAX];
        char *whole = NULL;
        size_t len;

        if (*path == '/')
                whole = str_dup(path);
        else if (getcwd(cwd, sizeof(cwd)))
                whole = str_fmt("%s/%s", str_equal(cwd, "/") ? "" : cwd, path);
        else {
                (void)err_errno(err, errno, "current folder"); /* NULL says the rest */
                return NULL;
        }
        if (!whole) {
                (void)err_nomem(err); /* as above */
                return NULL;
        }
        for (len = strlen(whole); len > 1 && whole[len - 1] == '/'; len--)
                whole[len - 1] = '\0';
        return whole;
}

/* How others reach the servers. */
static int find_host(const struct init_options *o, const char *listen, char **ret, struct err *err)
{
        bool any = str_equal(listen, "0.0.0.0") || str_equal(listen, "::");
        char name[HOST_NAME_MAX + 1] = "";

        if (o->names.n)
                *ret = str_dup(o->names.v[0]);
        else if (!any)
                *ret = str_dup(listen);
        else if (gethostname(name, sizeof(name) - 1) == 0 && *name)
                *ret = str_dup(name);
        else
                return err_set(err, ERR_CONFIG, 0, "this machine has no name: say one with --name");
        return *ret ? 0 : err_nomem(err);
}

static void plan_done(struct init_plan *p)
{
        free(p->dir);
        free(p->state);
        free(p->host);
}

static int make_plan(const struct init_options *o, const char *dir, struct init_plan *p, struct err *err)
{
        bool keylime = str_equal(o->peer, "keylime");
        uint64_t registrar, http, verifier, days;
        int r = check_options(o, err);

        if (r == 0)
                r = check_plain("init", dir, err);
        if (r == 0)
                r = read_number("registrar-port", o->registrar_port, 1, 65535, 8891, &registrar, err);
        if (r == 0)
                r = read_number("registrar-http-port", o->registrar_http_port, 1, 65535, keylime ? 8890 : 0,
                                &http, err);
        if (r == 0)
                r = read_number("verifier-port", o->verifier_port, 1, 65535, 8881, &verifier, err);
        if (r == 0)
                r = read_number("days", o->days, 1, 36500, 825, &days, err);
        if (r < 0)
                return r;
        p->o = o;
        p->listen = o->listen ? o->listen : "127.0.0.1";
        p->registrar_port = (unsigned)registrar;
        p->registrar_http_port = (unsigned)http;
        p->verifier_port = (unsigned)verifier;
        p->days = (int64_t)days;
        p->keylime = keylime;
        p->now_ms = clock_now_ms();
        p->dir = absolute(dir, err);
        if (!p->dir)
                return -(int)err->kind;
        if (o->state)
                p->state = absolute(o->state, err);
        else /* on a server the system's place for state, else all in one folder */
                p->state = str_equal(p->dir, AVOW_SYSCONFDIR) ? str_dup(AVOW_STATEDIR)
                                                              : str_fmt("%s/state", p->dir);
        if (!p->state)
                return err->kind ? -(int)err->kind : err_nomem(err);
        return find_host(o, p->listen, &p->host, err);
}

static int fill_document(json_t *doc, const struct init_plan *p, const struct init_items *items)
{
        json_t *files = json_array();
        int r = json_set_str(doc, "dir", p->dir) | json_set_bool(doc, "dry_run", p->o->dry_run) |
                json_object_set_new(doc, "files", files);

        for (size_t i = 0; r == 0 && i < items->n; i++) {
                json_t *file = json_object();
                char mode[8];

                (void)snprintf(mode, sizeof(mode), "%04o", (unsigned)items->v[i].mode & 07777);
                r = json_array_append_new(files, file);
                if (r == 0)
                        r = json_set_str(file, "path", items->v[i].path) | json_set_str(file, "mode", mode) |
                            json_set_str(file, "what", items->v[i].what);
        }
        return r;
}

static int report(const struct session *s, const struct init_plan *p, const struct init_items *items,
                  struct err *err)
{
        static const struct column columns[] = {{"FILE", "path"}, {"MODE", "mode"}, {"WHAT", "what"}};
        AUTO(json_free_p) json_t *doc = output_document("init");
        int r;

        if (!doc || fill_document(doc, p, items) != 0)
                return err_nomem(err);
        r = output_list(s, doc, "files", columns, ARRAY_LEN(columns), err);
        if (r < 0 || s->output != OUTPUT_TABLE)
                return r;
        if (p->o->dry_run) {
                (void)printf("\nNothing was written (--dry-run).\n");
                return 0;
        }
        (void)printf("\nAll of this is in %s. Next:\n"
                     "  avow-registrar -c %s/registrar.yaml\n"
                     "  avow-verifier -c %s/verifier.yaml\n"
                     "  avow-agent -c %s/agent.yaml\n"
                     "  avow -c %s/avow.yaml status\n",
                     p->dir, p->dir, p->dir, p->dir, p->dir);
        if (p->o->ek_roots.n == 0)
                (void)printf("Put the CA certificates of your TPMs' makers into %s/ek-roots first: without "
                             "them no "
                             "host can register.\n",
                             p->dir);
        return 0;
}

static int run_init(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(init_items_done) struct init_items items = {0};
        AUTO(plan_done) struct init_plan plan = {0};
        int r = make_plan(values, args[0], &plan, err);

        (void)n_args; /* the table says one */
        if (r == 0)
                r = init_add_configs(&plan, &items, err);
        if (r == 0)
                r = init_add_pki(&plan, &items, err);
        if (r == 0)
                r = init_check(&plan, &items, err);
        if (r == 0 && !plan.o->dry_run)
                r = init_write(&plan, &items, err);
        if (r == 0)
                r = report(s, &plan, &items, err);
        return r < 0 ? r : ANSWER_DONE;
}

#define OPTION(member) offsetof(struct init_options, member)

static const struct option_row init_rows[] = {
        {"listen", "ADDR", "address that the servers listen on (127.0.0.1)", OPTION_TEXT, OPTION(listen)},
        {"name", "NAME",
         "name or address of this machine for others, in URLs and certificates; may be repeated", OPTION_LIST,
         OPTION(names)},
        {"registrar-port", "PORT", "HTTPS port of the registrar (8891)", OPTION_TEXT, OPTION(registrar_port)},
        {"registrar-http-port", "PORT", "its plain HTTP port (off; 8890 with --peer keylime)", OPTION_TEXT,
         OPTION(registrar_http_port)},
        {"verifier-port", "PORT", "HTTPS port of the verifier (8881)", OPTION_TEXT, OPTION(verifier_port)},
        {"peer", "WHO", "avow, or keylime to work with Keylime's programs (avow)", OPTION_TEXT, OPTION(peer)},
        {"ek-roots", "PATH", "CA certificates of TPM makers, a file or a folder; may be repeated",
         OPTION_LIST, OPTION(ek_roots)},
        {"state", "DIR", "folder for databases and the agent's state (DIR/state)", OPTION_TEXT,
         OPTION(state)},
        {"host-id", "ID", "the agent's name: uuid, hash_ek, or a name (uuid)", OPTION_TEXT, OPTION(host_id)},
        {"tcti", "TCTI", "how the agent reaches its TPM (device:/dev/tpmrm0)", OPTION_TEXT, OPTION(tcti)},
        {"runtime", "NAME=PATH", "a runtime that the agent measures; may be repeated", OPTION_LIST,
         OPTION(runtimes)},
        {"interval", "DURATION", "time between two attestations (30s)", OPTION_TEXT, OPTION(interval)},
        {"days", "N", "how long certificates are good (825; the CAs ten years)", OPTION_TEXT, OPTION(days)},
        {"dry-run", NULL, "say what would be written, and write nothing", OPTION_FLAG, OPTION(dry_run)},
        {0},
};

const struct command init_commands[] = {
        {"init", NULL, "DIR", "Makes keys, certificates and configurations that trust each other", init_rows,
         sizeof(struct init_options), 1, 1, run_init},
        {0},
};
