/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow secret list|show|remove`, and what all commands about secrets share. Documents come from servers that
 * keep them and make none: each is read as the host will read it, signatures included, before it is shown as
 * something.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/secrets.h"

#define SECRETS_MAX 1024

/* ---- shared ---- */

int secret_owner_open(const struct secret_options *o, struct secret_owner *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (!o->key)
                return err_set(err, ERR_CONFIG, 0,
                               "whose secret is it? Name the owner's key with --key (a file, or pkcs11:…); "
                               "'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256' makes one");
        r = signer_open(o->key, &ret->signer, err);
        if (r < 0 || !o->delegation)
                return r;
        r = load_bytes(o->delegation, DELEGATION_BYTES_MAX, &text, err);
        if (r >= 0)
                r = delegation_decode(VIEW_BUF(&text), &ret->delegation, err);
        if (r < 0)
                return err_wrap(err, "%s", o->delegation);
        ret->delegation_or_null = &ret->delegation;
        return 0;
}

void secret_owner_done(struct secret_owner *owner)
{
        signer_free(owner->signer);
        delegation_done(&owner->delegation);
}

static int check(struct secret_file *f, struct err *err)
{
        bool good = false;
        int r = secret_file_check(f, &good, err);

        if (r >= 0 && !good)
                r = err_set(err, ERR_CRYPTO, 0, "secret %s of host %s: its owner's signature is not good",
                            f->name, f->scope.host);
        if (r < 0)
                secret_file_done(f);
        return r;
}

int secret_from_json(const json_t *doc, struct secret_file *ret, struct err *err)
{
        AUTO(mem_free_p) char *text = json_print(doc);
        int r;

        if (!text)
                return err_nomem(err);
        r = secret_file_decode(view_str(text), ret, err);
        return r < 0 ? r : check(ret, err);
}

int secret_load(const char *path, struct secret_file *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = load_bytes(path, SECRET_FILE_BYTES_MAX + 1, &text, err);

        if (r >= 0)
                r = secret_file_decode(VIEW_BUF(&text), ret, err);
        if (r >= 0)
                r = check(ret, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

int secret_path(const char *host, const char *name, char **ret, struct err *err)
{
        AUTO(mem_free_p) char *suffix = name ? str_fmt("/secrets/%s", name) : str_dup("/secrets");

        if (name && !str_valid_name(name))
                return err_set(err, ERR_CONFIG, 0, "secret %s: expected 1 to 64 of A-Z a-z 0-9 _ . -",
                               SHOW(name));
        return suffix ? host_path(host, suffix, ret, err) : err_nomem(err);
}

static int each_of(struct api *api, const char *host, secret_fn *fn, void *ctx, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        const json_t *list;
        int64_t epoch = -1;
        int r = secret_path(host, NULL, &path, err);

        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        if (r >= 0)
                r = json_get_array(doc, "secrets", SECRETS_MAX, &list, err);
        if (r >= 0)
                r = json_opt_int(doc, "epoch", 0, INT64_MAX, &epoch, err);
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                AUTO(secret_file_done) struct secret_file f = {0};

                r = secret_from_json(json_array_get(list, i), &f, err);
                if (r >= 0)
                        r = fn(ctx, &f, epoch, err);
        }
        return r < 0 ? err_wrap(err, "host %s", host) : 0;
}

struct each {
        struct api *api;
        secret_fn *fn;
        void *ctx;
};

static int each_host(void *arg, const json_t *host, struct err *err)
{
        const struct each *e = arg;
        const char *name;
        int r = json_get_str(host, "name", &name, err);

        return r < 0 ? r : each_of(e->api, name, e->fn, e->ctx, err);
}

int secret_each(struct api *api, const char *host, secret_fn *fn, void *ctx, struct err *err)
{
        struct each e = {api, fn, ctx};

        return host ? each_of(api, host, fn, ctx, err) : hosts_each(api, each_host, &e, err);
}

static int set_owner(json_t *j, const struct secret_file *f)
{
        struct err err = ERR_INIT;
        struct digest d;

        if (pubkey_spki_sha256(owner_authority(&f->owner), &d, &err) < 0)
                return -1;
        return json_set_hex(j, "owner", digest_view(&d));
}

/* What a person has to know of it. */
static const char *note_of(const struct secret_file *f, int64_t epoch)
{
        if (!f->revocable)
                return "not revocable: a copy opens for ever";
        if (epoch > 0 && f->epoch < (uint64_t)epoch)
                return "over: its epoch has ended, seal it again ('avow secret rotate')";
        return f->release_local ? "not protected against root" : NULL;
}

json_t *secret_summary(const struct secret_file *f, int64_t epoch)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = json_set_str(j, "host", f->scope.host) | json_set_str(j, "name", f->name) |
                json_set_int(j, "version", (int64_t)f->version) | json_set_str(j, "class", f->scope.class) |
                json_set_str(j, "tenant", f->scope.tenant) |
                json_set_bool(j, "host_only", f->scope.host_only) |
                json_set_str(j, "revocable", f->revocable ? "yes" : "no") |
                json_set_str(j, "release", f->release_local ? "local" : "verifier") |
                json_set_time(j, "created_at", f->created_at_ms) | set_owner(j, f);

        if (f->kind == SEALED_CHAIN)
                r |= json_set_int(j, "epoch", (int64_t)f->epoch);
        else
                r |= json_object_set_new(j, "pcrs", pcr_selection_to_json(&f->pcrs));
        r |= json_set_int(j, "bytes_of_payload", (int64_t)f->payload.len);
        r |= json_set_str(j, "note", note_of(f, epoch));
        return r ? NULL : TAKE(j);
}

int secret_print_list(const struct session *s, const json_t *doc, struct err *err)
{
        static const struct column columns[] = {
                {"HOST", "host"},   {"SECRET", "name"},         {"VERSION", "version"},
                {"CLASS", "class"}, {"REVOCABLE", "revocable"}, {"RELEASE", "release"},
                {"EPOCH", "epoch"}, {"NOTE", "note"},
        };

        return output_list(s, doc, "secrets", columns, ARRAY_LEN(columns), err);
}

int secret_write(const char *path, struct buf *text, struct err *err)
{
        buf_u8(text, '\n');
        if (!buf_ok(text))
                return err_nomem(err);
        if (path && strcmp(path, "-") != 0)
                return file_write(path, VIEW_BUF(text), 0644, err);
        if (fwrite(text->p, 1, text->len, stdout) != text->len || fflush(stdout))
                return err_set(err, ERR_IO, 0, "standard output cannot be written");
        return 0;
}

int secret_held(struct api *api, const char *host, const char *name, struct secret_file *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        int r = secret_path(host, name, &path, err);

        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        if (r < 0 && err->code == 404) {
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                r = secret_from_json(doc, ret, err);
        return r < 0 ? err_wrap(err, "secret %s of host %s", name, host) : 1;
}

int secret_seal_to(const struct session *s, const char *host, const struct secret_owner *owner,
                   const struct secret_options *o, const struct sealing *what, struct view plain,
                   struct secret_file *ret, struct err *err)
{
        AUTO(target_done) struct target t = {0};
        const struct target_trust trust = {&o->ek_roots, o->ek_sha256};

        if (target_fetch(s, host, &t, err) < 0 || target_check_ek(&t, &trust, what->now_ms, err) < 0)
                return -(int)err->kind;
        return sealing_make(&t, what, owner->signer, plain, ret, err);
}

/* ---- list ---- */

static int add_summary(void *ctx, const struct secret_file *f, int64_t epoch, struct err *err)
{
        return json_array_append_new(ctx, secret_summary(f, epoch)) < 0 ? err_nomem(err) : 0;
}

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = output_document("secrets");
        json_t *list = json_array();
        int r = json_object_set_new(doc, "secrets", list) < 0 ? err_nomem(err)
                                                              : api_open(s, API_VERIFIER, &api, err);

        (void)values;
        if (r >= 0 && n_args == 0)
                r = secret_each(api, NULL, add_summary, list, err);
        if (r >= 0 && n_args == 0)
                r = secret_mark_local(api, NULL, list, err);
        for (int i = 0; r >= 0 && i < n_args; i++) {
                r = secret_each(api, args[i], add_summary, list, err);
                if (r >= 0)
                        r = secret_mark_local(api, args[i], list, err);
        }
        if (r >= 0)
                r = secret_print_list(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- show ---- */

struct show_values {
        bool pem, document;
};

static const struct option_row show_options[] = {
        {"pem", NULL, "the sealed object alone, as other TPM tools read it", OPTION_FLAG,
         offsetof(struct show_values, pem)},
        {"document", NULL, "the document as its owner signed it", OPTION_FLAG,
         offsetof(struct show_values, document)},
        {0},
};

static const struct column show_lines[] = {
        {"Secret", "name"}, {"Host", "host"},           {"Tenant", "tenant"},     {"Version", "version"},
        {"Class", "class"}, {"Revocable", "revocable"}, {"Release", "release"},   {"Epoch", "epoch"},
        {"PCRs", "pcrs"},   {"Owner", "owner"},         {"Sealed", "created_at"}, {"Note", "note"},
};

static int show(const struct session *s, const struct show_values *v, const struct secret_file *f,
                struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL, *summary = NULL;
        AUTO(buf_free) struct buf text = {0};

        if (v->pem) {
                (void)fputs(f->object, stdout);
                return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : 0;
        }
        if (v->document)
                return secret_file_encode(f, &text, err) < 0 ? -(int)err->kind
                                                             : secret_write(NULL, &text, err);
        doc = output_document("secret");
        summary = secret_summary(f, -1);
        if (!doc || !summary || json_object_update(doc, summary) < 0)
                return err_nomem(err);
        return output_record(s, doc, show_lines, ARRAY_LEN(show_lines), err);
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        AUTO(secret_file_done) struct secret_file f = {0};
        int r = secret_path(args[0], args[1], &path, err);

        (void)n_args;
        if (r >= 0)
                r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        if (r >= 0)
                r = secret_from_json(doc, &f, err);
        if (r >= 0)
                r = show(s, values, &f, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- remove ---- */

struct remove_values {
        bool yes;
};

static const struct option_row remove_options[] = {
        {"yes", NULL, "do not ask", OPTION_FLAG, offsetof(struct remove_values, yes)},
        {0},
};

static int run_remove(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct remove_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(mem_free_p) char *path = NULL, *question = NULL;
        int r = secret_path(args[0], args[1], &path, err);

        (void)n_args;
        if (r < 0)
                return r;
        question = str_fmt(
                "Remove secret '%s' of host '%s'? Copies of it open while it is approved and the host is "
                "trusted.",
                args[1], args[0]);
        if (!question)
                return err_nomem(err);
        r = command_confirm(v->yes, question, err);
        if (r <= 0)
                return r < 0 ? r : ANSWER_NO;
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_json(api, "DELETE", path, NULL, NULL, err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command secret_commands[] = {
        {"secret", "list", "[HOST…]", "List the secrets of hosts, or of all", NULL, 0, 0, 64, run_list},
        {"secret", "show", "HOST NAME", "Show one", show_options, sizeof(struct show_values), 2, 2, run_show},
        {"secret", "remove", "HOST NAME", "Take a secret away from a host", remove_options,
         sizeof(struct remove_values), 2, 2, run_remove},
        {0},
};
