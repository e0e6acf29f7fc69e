/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow host add`: first the name is bound to a TPM at the registrar, then the host is enrolled at the
 * verifier, which fetches the AK from the registrar itself; this command carries no keys. Binding before
 * anything is trusted to a name is the point (SR-9): whoever wants trust on first use has to say so.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

#define MANIFEST_BYTES_MAX (64u << 20)
#define POLL_MS            500

struct add_values {
        const char *ek_sha256, *ek_serial, *manifest, *policy, *peer, *interval, *wait;
        struct option_list labels;
        bool tofu, dry_run, bind_only;
};

#define AT(member) offsetof(struct add_values, member)

static const struct option_row add_options[] = {
        {"ek-sha256", "HEX", "the TPM: SHA-256 of its EK's public key (SPKI, DER)", OPTION_TEXT,
         AT(ek_sha256)},
        {"ek-serial", "HEX", "the TPM: serial number of its EK certificate", OPTION_TEXT, AT(ek_serial)},
        {"manifest", "FILE", "the TPM: as a list says, lines of NAME ek-sha256:HEX or ek-serial:HEX",
         OPTION_TEXT, AT(manifest)},
        {"tofu", NULL, "trust whichever TPM comes first under this name; stays visible", OPTION_FLAG,
         AT(tofu)},
        {"policy", "NAME", "the policy that its evidence has to meet", OPTION_TEXT, AT(policy)},
        {"peer", "avow|keylime", "which protocol its agent speaks (avow)", OPTION_TEXT, AT(peer)},
        {"interval", "DURATION", "how often it proves itself (the verifier's default)", OPTION_TEXT,
         AT(interval)},
        {"label", "KEY=VALUE", "a label; may be repeated", OPTION_LIST, AT(labels)},
        {"wait", "DURATION", "wait so long for its agent to register (0s)", OPTION_TEXT, AT(wait)},
        {"bind-only", NULL, "bind the name, do not enrol yet", OPTION_FLAG, AT(bind_only)},
        {"dry-run", NULL, "check everything, change nothing", OPTION_FLAG, AT(dry_run)},
        {0},
};

/* One line of a manifest. Return: 1 if it is NAME's and *ret is filled, 0 if not, < 0 malformed. */
static int manifest_line(char *line, const char *name, json_t **ret, struct err *err)
{
        char *what, *value;
        size_t n;

        line[strcspn(line, "#\r")] = '\0';
        line += strspn(line, " \t");
        if (!*line)
                return 0;
        n = strcspn(line, " \t");
        what = line + n + strspn(line + n, " \t");
        line[n] = '\0';
        what[strcspn(what, " \t")] = '\0';
        value = strchr(what, ':');
        if (!value || !str_valid_host_id(line))
                return err_set(err, ERR_CONFIG, 0, "expected NAME ek-sha256:HEX or NAME ek-serial:HEX");
        *value++ = '\0';
        if (strcmp(what, "ek-sha256") != 0 && strcmp(what, "ek-serial") != 0)
                return err_set(err, ERR_CONFIG, 0, "%s is neither ek-sha256 nor ek-serial", SHOW(what));
        if (strcmp(line, name) != 0)
                return 0;
        *ret = json_pack("{s:s, s:b}", strcmp(what, "ek-sha256") == 0 ? "ek_sha256" : "ek_cert_serial", value,
                         "manifest", 1);
        return *ret ? 1 : err_nomem(err);
}

static int read_manifest(const char *file, const char *name, json_t **ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        char *at, *line;
        int r = file_read(file, MANIFEST_BYTES_MAX, &text, err);

        buf_u8(&text, '\0');
        if (r < 0)
                return r;
        if (!buf_ok(&text))
                return err_nomem(err);
        at = (char *)text.p;
        for (int n = 1; (line = strsep(&at, "\n")) != NULL; n++) {
                r = manifest_line(line, name, ret, err);
                if (r < 0)
                        return err_wrap(err, "%s:%d", file, n);
                if (r > 0)
                        return 0;
        }
        return err_set(err, ERR_CONFIG, 0, "%s: has no line for host '%s'", file, name);
}

/* What to say to the registrar. Return: 1 with *ret, 0 when no option says which TPM, < 0. */
static int binding_of(const struct add_values *v, const char *name, json_t **ret, struct err *err)
{
        int n = !!v->ek_sha256 + !!v->ek_serial + !!v->manifest + v->tofu;

        if (n > 1)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "--ek-sha256, --ek-serial, --manifest and --tofu each say which TPM: choose one");
        if (n == 0)
                return 0;
        if (v->manifest) {
                int r = read_manifest(v->manifest, name, ret, err);

                return r < 0 ? r : 1;
        }
        if (v->tofu)
                *ret = json_pack("{s:b}", "tofu", 1);
        else
                *ret = json_pack("{s:s}", v->ek_sha256 ? "ek_sha256" : "ek_cert_serial",
                                 v->ek_sha256 ? v->ek_sha256 : v->ek_serial);
        return *ret ? 1 : err_nomem(err);
}

/* KEY=VALUE … as an object. */
static int labels_of(const struct option_list *labels, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *object = json_object();

        for (size_t i = 0; i < labels->n; i++) {
                AUTO(mem_free_p) char *key = NULL;
                const char *equals = strchr(labels->v[i], '=');

                if (!equals || equals == labels->v[i])
                        return err_set(err, ERR_CONFIG, 0, "--label %s: expected KEY=VALUE",
                                       SHOW(labels->v[i]));
                key = str_ndup(labels->v[i], (size_t)(equals - labels->v[i]));
                if (!key || json_object_set_new(object, key, json_string(equals + 1)) < 0)
                        return err_set(err, ERR_CONFIG, 0, "--label %s: not UTF-8", SHOW(labels->v[i]));
        }
        if (!object)
                return err_nomem(err);
        *ret = TAKE(object);
        return 0;
}

static int enrolment_of(const struct add_values *v, const char *name, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *body = NULL, *labels = NULL;
        int r = labels_of(&v->labels, &labels, err);

        if (r < 0)
                return r;
        if (v->peer && strcmp(v->peer, "avow") != 0 && strcmp(v->peer, "keylime") != 0)
                return err_set(err, ERR_CONFIG, 0, "--peer %s: choose avow or keylime", SHOW(v->peer));
        body = json_pack("{s:s, s:s?, s:s*, s:s*}", "name", name, "policy", v->policy, "peer", v->peer,
                         "interval", v->interval);
        if (!body || (json_object_size(labels) > 0 && json_object_set(body, "labels", labels) < 0))
                return err_nomem(err);
        *ret = TAKE(body);
        return 0;
}

static void pause_ms(int64_t ms)
{
        const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        (void)nanosleep(&ts, NULL);
}

static bool is_active(const json_t *host)
{
        return json_is_true(json_object_get(host, "registered"));
}

/* Asks until a TPM has proven itself under the name, or WAIT_MS are over. */
static int await_registration(struct api *registrar, const char *name, int64_t wait_ms, json_t **host,
                              struct err *err)
{
        int64_t end = clock_mono_ms() + wait_ms;

        while (!is_active(*host) && clock_mono_ms() < end) {
                json_t *again = NULL;
                int r;

                pause_ms(POLL_MS);
                r = host_get(registrar, name, &again, err);
                if (r < 0)
                        return r;
                json_decref(*host);
                *host = again;
        }
        return 0;
}

/* The registrar's half. *RET_HOST is the host as the registrar has it then; NULL in a dry run of a new one.
 */
static int bind_name(const struct session *s, const struct add_values *v, const char *name, int64_t wait_ms,
                     json_t **ret_host, struct err *err)
{
        AUTO(api_close_p) struct api *registrar = NULL;
        AUTO(json_free_p) json_t *body = NULL, *host = NULL;
        AUTO(mem_free_p) char *path = NULL;
        const char *by;
        int r = binding_of(v, name, &body, err);

        if (r >= 0 && host_path(name, v->dry_run ? "?dry_run=true" : "", &path, err) < 0)
                r = -(int)err->kind;
        if (r >= 0 && api_open(s, API_REGISTRAR, &registrar, err) < 0)
                r = -(int)err->kind;
        if (r < 0)
                return r;
        r = body ? api_json(registrar, "PUT", path, body, &host, err) : host_get(registrar, name, &host, err);
        if (r < 0)
                return r;
        by = host_text(host, "bound_by");
        if (!body && (!by || strcmp(by, "none") == 0))
                return err_set(
                        err, ERR_CONFIG, 0,
                        "which TPM is host '%s'? Say --ek-sha256, --ek-serial or --manifest; --tofu trusts "
                        "whichever comes first%s%s",
                        name, host_text(host, "ek_sha256") ? ". Registered is the TPM with --ek-sha256 " : "",
                        host_text(host, "ek_sha256") ? host_text(host, "ek_sha256") : "");
        r = v->dry_run ? 0 : await_registration(registrar, name, wait_ms, &host, err);
        *ret_host = TAKE(host);
        return r;
}

static const struct column added_lines[] = {
        {"Host", "name"},    {"State", "state"},          {"Policy", "policy_current.name"},
        {"EK", "ek.sha256"}, {"Bound by", "ek.bound_by"}, {"Registered", "registered"},
        {"Peer", "peer"},    {"Interval", "interval"},
};

static int print_added(const struct session *s, const json_t *verifier, const json_t *registrar,
                       struct err *err)
{
        AUTO(json_free_p) json_t *host = hosts_merge(verifier, registrar);

        if (!host || json_object_set_new(host, "schema", json_string("avow.host/1")) < 0)
                return err_nomem(err);
        return output_record(s, host, added_lines, ARRAY_LEN(added_lines), err);
}

static int enrol(const struct session *s, const struct add_values *v, const char *name, json_t **ret,
                 struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(json_free_p) json_t *body = NULL;
        int r = enrolment_of(v, name, &body, err);

        if (r == 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        if (r == 0)
                r = api_json(verifier, "POST", v->dry_run ? "/avow/v1/hosts?dry_run=true" : "/avow/v1/hosts",
                             body, ret, err);
        return r;
}

/* A conflict is an answer: the name is another TPM's, or enrolled already. */
static int refused(int r, const struct err *err)
{
        if (err->code != 409)
                return r;
        (void)fprintf(stderr, "avow: %s\n", err->text);
        return ANSWER_NO;
}

static int run_add(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct add_values *v = values;
        AUTO(json_free_p) json_t *registered = NULL, *enrolled = NULL;
        int64_t wait_ms = 0;
        int r;

        (void)n_args;
        if (v->wait && clock_parse_duration(view_str(v->wait), &wait_ms, err) < 0)
                return err_wrap(err, "--wait");
        if (!v->policy && !v->bind_only)
                return err_set(err, ERR_CONFIG, 0, "--policy NAME is missing; 'avow policy list' shows them");
        r = bind_name(s, v, args[0], wait_ms, &registered, err);
        if (r < 0)
                return refused(r, err);
        if (v->bind_only || (!is_active(registered) && !v->dry_run)) {
                r = print_added(s, NULL, registered, err);
                if (r < 0 || v->bind_only)
                        return r < 0 ? r : ANSWER_DONE;
                (void)fprintf(stderr,
                              "avow: '%s' is bound, but no TPM has registered under it yet: start its agent, "
                              "then run "
                              "this again (--wait 60s waits for it)\n",
                              args[0]);
                return ANSWER_UNDECIDED;
        }
        r = enrol(s, v, args[0], &enrolled, err);
        if (r == 0)
                r = print_added(s, enrolled, registered, err);
        return r < 0 ? refused(r, err) : ANSWER_DONE;
}

const struct command host_add_commands[] = {
        {"host", "add", "HOST", "Bind a name to a TPM and enrol the host", add_options,
         sizeof(struct add_values), 1, 1, run_add},
        {0},
};
