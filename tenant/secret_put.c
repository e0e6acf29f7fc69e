/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow secret put|seal|rotate|target|delegate`: sealing to hosts. The plain secret is read, sealed and
 * forgotten here; servers get documents that only the host's TPM opens (SR-10).
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/secrets.h"

/* ---- put ---- */

struct put_values {
        struct secret_options o;
        const char *file, *release;
        struct option_list sealed;
        bool dry_run;
};

#define AT(member) offsetof(struct put_values, member)
static const struct option_row put_options[] = {
        {"file", "FILE", "the secret, 1 byte to 48 KiB; - is standard input", OPTION_TEXT, AT(file)},
        SECRET_OWNER_OPTIONS(struct put_values, o),
        SECRET_EK_OPTIONS(struct put_values, o),
        {"class", "CLASS", "what it is approved as (default: its name)", OPTION_TEXT, AT(o.class)},
        {"host-only", NULL, "approvals of its class have to name the host", OPTION_FLAG, AT(o.host_only)},
        {"release", "verifier|local", "who lets it open (verifier); local: not protected against root",
         OPTION_TEXT, AT(release)},
        {"sealed", "FILE", "send what 'avow secret seal' made (may be repeated)", OPTION_LIST, AT(sealed)},
        {"dry-run", NULL, "seal and check everything, send nothing", OPTION_FLAG, AT(dry_run)},
        {0},
};
#undef AT

int secret_release_local(const char *text, bool *ret, struct err *err)
{
        *ret = text && strcmp(text, "local") == 0;
        if (text && !*ret && strcmp(text, "verifier") != 0)
                return err_set(err, ERR_CONFIG, 0, "--release: expected verifier or local");
        return 0;
}

static int send(struct api *api, const struct secret_file *f, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(mem_free_p) char *path = NULL;
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        struct api_request req = {.method = "PUT"};
        int r = secret_path(f->scope.host, f->name, &path, err);

        if (r >= 0)
                r = secret_file_encode(f, &text, err);
        if (r < 0)
                return r;
        req.path = path;
        req.body = VIEW_BUF(&text);
        return api_send(api, &req, &answer, err);
}

/* Every document that a command makes, before anything is sent. */
struct made {
        struct secret_file *v;
        size_t n;
};

static void made_done(struct made *made)
{
        for (size_t i = 0; i < made->n; i++)
                secret_file_done(&made->v[i]);
        free(made->v);
}

static int made_room(struct made *made, size_t n, struct err *err)
{
        made->v = mem_zalloc(n + 1, sizeof(*made->v));
        return made->v ? 0 : err_nomem(err);
}

static int send_all(struct api *api, const struct made *made, bool dry_run, json_t *doc, struct err *err)
{
        json_t *list = json_array();

        if (json_object_set_new(doc, "secrets", list) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < made->n; i++) {
                if (!dry_run && send(api, &made->v[i], err) < 0)
                        return err_wrap(err, "host %s (of %zu, %zu are done)", made->v[i].scope.host, made->n,
                                        i);
                if (json_array_append_new(list, secret_summary(&made->v[i], -1)) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int put_new(const struct session *s, const struct put_values *v, const char *name, int n_hosts,
                   char **hosts, struct api *api, struct made *made, struct err *err)
{
        AUTO(secret_owner_done) struct secret_owner owner = {0};
        AUTO(secret_free) struct secret plain = {0};
        struct sealing what = {.name = name,
                               .class = v->o.class,
                               .version = 1,
                               .host_only = v->o.host_only,
                               .now_ms = clock_now_ms()};

        if (!v->file)
                return err_set(err, ERR_CONFIG, 0, "which secret? Name its --file (- is standard input)");
        if (secret_release_local(v->release, &what.local, err) < 0 ||
            made_room(made, (size_t)n_hosts, err) < 0 || secret_owner_open(&v->o, &owner, err) < 0 ||
            sealing_read_plain(v->file, &plain, err) < 0)
                return -(int)err->kind;
        what.delegation = owner.delegation_or_null;
        for (int i = 0; i < n_hosts; i++, made->n++) {
                AUTO(secret_file_done) struct secret_file old = {0};
                int r = secret_held(api, hosts[i], name, &old, err);

                if (r > 0)
                        return err_set(
                                err, ERR_CONFIG, 0,
                                "host %s has a secret %s (version %llu): 'avow secret rotate' replaces "
                                "it",
                                hosts[i], name, (unsigned long long)old.version);
                if (r < 0 || secret_seal_to(s, hosts[i], &owner, &v->o, &what, VIEW(plain.p, plain.len),
                                            &made->v[made->n], err) < 0)
                        return -(int)err->kind;
        }
        return 0;
}

static int load_sealed(const struct option_list *files, struct made *made, struct err *err)
{
        if (made_room(made, files->n, err) < 0)
                return -(int)err->kind;
        for (; made->n < files->n; made->n++)
                if (secret_load(files->v[made->n], &made->v[made->n], err) < 0)
                        return -(int)err->kind;
        return 0;
}

static int run_put(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct put_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = output_document("secrets");
        AUTO(made_done) struct made made = {0};
        int r;

        if (!doc)
                return err_nomem(err);
        if (v->sealed.n ? n_args > 0 : n_args < 2)
                return err_set(err, ERR_CONFIG, 0, "expected NAME HOST…, or --sealed FILE");
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = v->sealed.n ? load_sealed(&v->sealed, &made, err)
                                : put_new(s, v, args[0], n_args - 1, args + 1, api, &made, err);
        if (r >= 0)
                r = send_all(api, &made, v->dry_run, doc, err);
        if (r >= 0)
                r = secret_print_list(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- rotate ---- */

struct rotate_values {
        struct secret_options o;
        const char *file;
        bool dry_run;
};

#define AT(member) offsetof(struct rotate_values, member)
static const struct option_row rotate_options[] = {
        {"file", "FILE", "the new secret; - is standard input", OPTION_TEXT, AT(file)},
        SECRET_OWNER_OPTIONS(struct rotate_values, o),
        SECRET_EK_OPTIONS(struct rotate_values, o),
        {"dry-run", NULL, "seal and check everything, send nothing", OPTION_FLAG, AT(dry_run)},
        {0},
};
#undef AT

struct rotation {
        const struct session *s;
        const struct rotate_values *v;
        const char *name;
        char **hosts; /* NULL: all that have it */
        int n_hosts;
        struct secret_owner owner;
        struct secret plain;
        struct made made;
        json_t *reissue;
};

static bool is_named(const struct rotation *r, const char *host)
{
        if (!r->hosts)
                return true;
        for (int i = 0; i < r->n_hosts; i++)
                if (strcmp(r->hosts[i], host) == 0)
                        return true;
        return false;
}

/* What is known of the old value, and where it stays. */
static int note_old(struct rotation *r, const struct secret_file *old, bool replaced, struct err *err)
{
        json_t *j = json_object();
        int bad = json_set_str(j, "host", old->scope.host) |
                  json_set_int(j, "version", (int64_t)old->version) | json_set_bool(j, "replaced", replaced) |
                  json_set_bool(j, "revocable", old->revocable);

        return json_array_append_new(r->reissue, j) | bad ? err_nomem(err) : 0;
}

static int rotate_one(void *ctx, const struct secret_file *old, int64_t epoch, struct err *err)
{
        struct rotation *r = ctx;
        struct sealing what = {.name = r->name,
                               .class = old->scope.class,
                               .version = old->version + 1,
                               .host_only = old->scope.host_only,
                               .local = old->kind == SEALED_CHAIN && old->release_local,
                               .delegation = r->owner.delegation_or_null,
                               .now_ms = clock_now_ms()};
        struct secret_file *grown;
        bool named = strcmp(old->name, r->name) == 0 && is_named(r, old->scope.host);

        (void)epoch;
        if (strcmp(old->name, r->name) != 0)
                return 0;
        if (note_old(r, old, named, err) < 0)
                return -(int)err->kind;
        if (!named)
                return 0;
        grown = mem_resize(r->made.v, r->made.n + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        r->made.v = grown;
        if (secret_seal_to(r->s, old->scope.host, &r->owner, &r->v->o, &what, VIEW(r->plain.p, r->plain.len),
                           &grown[r->made.n], err) < 0)
                return -(int)err->kind;
        r->made.n++;
        return 0;
}

static void print_reissue(const struct rotation *r)
{
        size_t i;
        json_t *j;

        (void)printf("\nTo be done by you, because sealing ends no copy of the old value:\n"
                     "  - withdraw the old value of %s where it is accepted, and issue what was made from it "
                     "again\n",
                     r->name);
        json_array_foreach (r->reissue, i, j) {
                const char *host = json_string_value(json_object_get(j, "host"));
                long long version = (long long)json_integer_value(json_object_get(j, "version"));

                if (!json_is_true(json_object_get(j, "replaced")))
                        (void)printf("  - host %s still has version %lld: rotate it there, too\n", host,
                                     version);
                else if (!json_is_true(json_object_get(j, "revocable")))
                        (void)printf("  - copies of version %lld of host %s are not revocable: they open "
                                     "for ever\n",
                                     version, host);
        }
}

static int rotate(struct rotation *r, struct api *api, json_t *doc, struct err *err)
{
        int x = secret_owner_open(&r->v->o, &r->owner, err);

        if (x >= 0)
                x = sealing_read_plain(r->v->file, &r->plain, err);
        if (x >= 0)
                x = secret_each(api, NULL, rotate_one, r, err);
        if (x < 0)
                return x;
        if (r->made.n == 0 || (r->hosts && r->made.n < (size_t)r->n_hosts))
                return err_set(err, ERR_CONFIG, 0, "%s secret %s: 'avow secret put' makes one",
                               r->hosts ? "one of these hosts has no" : "no host has a", r->name);
        x = send_all(api, &r->made, r->v->dry_run, doc, err);
        if (x >= 0 && json_object_set(doc, "reissue", r->reissue) < 0)
                x = err_nomem(err);
        if (x >= 0)
                x = secret_print_list(r->s, doc, err);
        if (x >= 0 && r->s->output == OUTPUT_TABLE)
                print_reissue(r);
        return x;
}

static int run_rotate(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct rotate_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = output_document("secrets");
        struct rotation r = {.s = s,
                             .v = v,
                             .name = args[0],
                             .hosts = n_args > 1 ? args + 1 : NULL,
                             .n_hosts = n_args - 1,
                             .reissue = json_array()};
        int x;

        if (!v->file)
                x = err_set(err, ERR_CONFIG, 0, "which secret? Name its --file (- is standard input)");
        else
                x = doc && r.reissue ? api_open(s, API_VERIFIER, &api, err) : err_nomem(err);
        if (x >= 0)
                x = rotate(&r, api, doc, err);
        made_done(&r.made);
        secret_free(&r.plain);
        secret_owner_done(&r.owner);
        json_decref(r.reissue);
        return x < 0 ? x : ANSWER_DONE;
}

/* ---- seal, target, delegate: no server ---- */

struct seal_values {
        struct secret_options o;
        const char *file, *release, *target, *out, *pem, *version;
};

#define AT(member) offsetof(struct seal_values, member)
static const struct option_row seal_options[] = {
        {"target", "FILE", "the host, as 'avow secret target' wrote it", OPTION_TEXT, AT(target)},
        {"file", "FILE", "the secret, 1 byte to 48 KiB; - is standard input", OPTION_TEXT, AT(file)},
        SECRET_OWNER_OPTIONS(struct seal_values, o),
        SECRET_EK_OPTIONS(struct seal_values, o),
        {"class", "CLASS", "what it is approved as (default: its name)", OPTION_TEXT, AT(o.class)},
        {"host-only", NULL, "approvals of its class have to name the host", OPTION_FLAG, AT(o.host_only)},
        {"release", "verifier|local", "who lets it open (verifier); local: not protected against root",
         OPTION_TEXT, AT(release)},
        {"secret-version", "N", "its version (1)", OPTION_TEXT, AT(version)},
        {"out", "FILE", "where it goes (default: standard output)", OPTION_TEXT, AT(out)},
        {"pem", "FILE", "the sealed object alone too, as other TPM tools read it", OPTION_TEXT, AT(pem)},
        {0},
};
#undef AT

static int run_seal(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct seal_values *v = values;
        AUTO(secret_owner_done) struct secret_owner owner = {0};
        AUTO(secret_free) struct secret plain = {0};
        AUTO(secret_file_done) struct secret_file f = {0};
        AUTO(target_done) struct target t = {0};
        AUTO(buf_free) struct buf text = {0};
        const struct target_trust trust = {&v->o.ek_roots, v->o.ek_sha256};
        struct sealing what = {.name = args[0],
                               .class = v->o.class,
                               .version = 1,
                               .host_only = v->o.host_only,
                               .now_ms = clock_now_ms()};

        (void)s, (void)n_args;
        if (!v->target || !v->file)
                return err_set(err, ERR_CONFIG, 0, "name the host with --target and the secret with --file");
        if (v->version && str_parse_uint(view_str(v->version), INT64_MAX, &what.version, err) < 0)
                return err_wrap(err, "--secret-version");
        if (secret_release_local(v->release, &what.local, err) < 0 || target_load(v->target, &t, err) < 0 ||
            target_check_ek(&t, &trust, what.now_ms, err) < 0 || secret_owner_open(&v->o, &owner, err) < 0 ||
            sealing_read_plain(v->file, &plain, err) < 0)
                return -(int)err->kind;
        what.delegation = owner.delegation_or_null;
        if (sealing_make(&t, &what, owner.signer, VIEW(plain.p, plain.len), &f, err) < 0 ||
            secret_file_encode(&f, &text, err) < 0 || secret_write(v->out, &text, err) < 0 ||
            (v->pem && file_write(v->pem, view_str(f.object), 0644, err) < 0))
                return -(int)err->kind;
        return ANSWER_DONE;
}

struct target_values {
        const char *out;
};

static const struct option_row target_options[] = {
        {"out", "FILE", "where it goes (default: standard output)", OPTION_TEXT,
         offsetof(struct target_values, out)},
        {0},
};

static int run_target(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct target_values *v = values;
        AUTO(target_done) struct target t = {0};
        AUTO(buf_free) struct buf text = {0};

        (void)n_args;
        if (target_fetch(s, args[0], &t, err) < 0 || target_encode(&t, &text, err) < 0 ||
            secret_write(v->out, &text, err) < 0)
                return -(int)err->kind;
        return ANSWER_DONE;
}

struct delegate_values {
        const char *root, *key, *tenant, *host, *out;
};

#define AT(member) offsetof(struct delegate_values, member)
static const struct option_row delegate_options[] = {
        {"root", "KEY", "the root's private key: a file or a pkcs11: URI", OPTION_TEXT, AT(root)},
        {"key", "FILE", "the approval key's public half (PEM)", OPTION_TEXT, AT(key)},
        {"tenant", "TENANT", "whose secrets (default)", OPTION_TEXT, AT(tenant)},
        {"host", "HOST", "for secrets of this host alone (sealed with --host-only)", OPTION_TEXT, AT(host)},
        {"out", "FILE", "where it goes (default: standard output)", OPTION_TEXT, AT(out)},
        {0},
};
#undef AT

static int delegate_scope(const struct delegate_values *v, const char *class, struct secret_scope *ret,
                          struct err *err)
{
        const char *tenant = v->tenant ? v->tenant : "default";

        if (!str_valid_name(class) || !str_valid_name(tenant) || (v->host && !str_valid_host_id(v->host)))
                return err_set(err, ERR_CONFIG, 0, "class, tenant and host are names of A-Z a-z 0-9 _ . -");
        memcpy(ret->tenant, tenant, strlen(tenant) + 1);
        memcpy(ret->class, class, strlen(class) + 1);
        ret->host_only = v->host != NULL;
        if (v->host)
                memcpy(ret->host, v->host, strlen(v->host) + 1);
        return 0;
}

static int run_delegate(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct delegate_values *v = values;
        AUTO(signer_free_p) struct signer *root = NULL;
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        AUTO(delegation_done) struct delegation d = {0};
        AUTO(buf_free) struct buf pem = {0};
        AUTO(buf_free) struct buf text = {0};
        struct secret_scope scope = {.host = ""};

        (void)s, (void)n_args;
        if (!v->root || !v->key)
                return err_set(err, ERR_CONFIG, 0, "name the --root key and the approval --key");
        if (delegate_scope(v, args[0], &scope, err) < 0 || load_bytes(v->key, 65536, &pem, err) < 0 ||
            pubkey_from_pem(VIEW_BUF(&pem), &key, err) < 0 || signer_open(v->root, &root, err) < 0 ||
            signer_delegate(root, &scope, key, &d, err) < 0 || delegation_encode(&d, &text, err) < 0 ||
            secret_write(v->out, &text, err) < 0)
                return -(int)err->kind;
        return ANSWER_DONE;
}

const struct command secret_put_commands[] = {
        {"secret", "put", "[NAME HOST…]", "Seal a secret to hosts and send it there", put_options,
         sizeof(struct put_values), 0, 64, run_put},
        {"secret", "rotate", "NAME [HOST…]", "Replace a secret, on all hosts that have it or on these",
         rotate_options, sizeof(struct rotate_values), 1, 64, run_rotate},
        {"secret", "seal", "NAME", "Seal a secret to a host, without a network", seal_options,
         sizeof(struct seal_values), 1, 1, run_seal},
        {"secret", "target", "HOST", "Write down what 'seal' and 'approve' have to know of a host",
         target_options, sizeof(struct target_values), 1, 1, run_target},
        {"secret", "delegate", "CLASS", "Let a root vouch for an approval key", delegate_options,
         sizeof(struct delegate_values), 1, 1, run_delegate},
        {0},
};
