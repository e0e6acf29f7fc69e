/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /avow/v1/hosts/:id/secrets for owners, /avow/v1/agents/:id/secrets for hosts. docs/verifier-api.md has the
 * shapes.
 *
 * A document is taken if it is whole, signed by the key that it names, of this tenant and host, and if it can
 * open there: sealed under the counter and epoch that the host's TPM certified. Whether that owner's key is
 * one to be trusted, the host decides, not we: a server that could decide it could give hosts secrets of its
 * own (SR-12).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/reply.h"
#include "verifier/secrets.h"
#include "verifier/verifier.h"
#include "wire/secret_file.h"

/* A request that waits for the store. */
struct keeping {
        struct verifier *v;
        struct http_request *req;
        char host[WIRE_HOST_MAX + 1];
        char *name; /* of the secret */
        char *text; /* the document */
        char *actor, *object, *detail;
        struct audit_entry entry; /* borrows from them */
        int64_t version;
        bool revocable, is_new;
};

static void keeping_free(struct keeping *k)
{
        if (!k)
                return;
        free(k->name);
        free(k->text);
        free(k->actor);
        free(k->object);
        free(k->detail);
        free(k);
}
DEFINE_AUTO(struct keeping, keeping_free)

/* Return: NULL, answered. */
static struct keeping *keeping_new(struct verifier *v, struct http_request *req, const char *host,
                                   const char *name)
{
        AUTO(keeping_free_p) struct keeping *k = mem_zalloc(1, sizeof(*k));
        struct buf actor = {0};

        if (k) {
                *k = (struct keeping){.v = v, .req = req, .name = str_dup(name)};
                (void)snprintf(k->host, sizeof(k->host), "%s", host); /* a host id has at most 80 */
                reply_actor(req, &actor);
                k->actor = buf_take_str(&actor);
        }
        if (k && k->name && k->actor)
                return TAKE(k);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

/* The audit record, which goes into the transaction of the change. DETAIL is taken; NULL is no memory. */
static int describe(struct keeping *k, const char *action, json_t *detail, struct err *err)
{
        k->object = str_fmt("%s/%s", k->host, k->name);
        k->detail = detail ? json_print(detail) : NULL;
        json_decref(detail);
        if (!k->object || !k->detail)
                return err_nomem(err);
        k->entry = (struct audit_entry){.time_ms = clock_now_ms(),
                                        .actor = k->actor,
                                        .action = action,
                                        .object = k->object,
                                        .detail = k->detail};
        return 0;
}

static void malformed(struct http_request *req, const struct err *err)
{
        if (err->kind == ERR_NOMEM || err->kind == ERR_CRYPTO)
                reply_failure(req, err, "reading a secret");
        else
                http_answer_problem(req, err->kind == ERR_LIMIT ? 413 : 400, NULL, "%s", err->text);
}

static bool conflict(struct http_request *req, const char *where, const char *why)
{
        http_answer_problem(req, 409, where, "%s", why);
        return false;
}

/* ---- coming in ---- */

/* Can it open on this host? Else answered. */
static bool can_open(struct http_request *req, const struct secret_file *f, struct host *host)
{
        const struct counter_record *epoch = &host->counters.epoch;
        struct err err = ERR_INIT;

        if (host_counters(host, &err) < 0) {
                reply_failure(req, &err, "the counters of a host");
                return false;
        }
        if (f->kind != SEALED_CHAIN || !host->counters.known)
                return true;
        if (f->epoch_index != epoch->index ||
            !equal_ct(f->epoch_name.b, f->epoch_name.len, epoch->name.b, epoch->name.len))
                return conflict(req, "epoch",
                                "It is sealed under another epoch counter than this host's: it would not "
                                "open. Look at the host's counters and seal it again.");
        if (f->epoch != epoch->value)
                return conflict(req, "epoch",
                                "It is sealed under an epoch that is not this host's (any more): it would "
                                "not open. Look at the host's counters and seal it again.");
        return true;
}

/* Is it for this name and host? Else answered. */
static bool fits_host(struct http_request *req, const struct secret_file *f, struct host *host)
{
        if (!str_equal(f->name, http_request_param(req, "name")))
                return conflict(req, "name", "The document is of a secret of another name.");
        if (!str_equal(f->scope.host, host->e.name))
                return conflict(req, "host", "The document is for another host.");
        if (!str_equal(f->scope.tenant, host->e.tenant))
                return conflict(req, "tenant", "The host belongs to another tenant than the secret.");
        return can_open(req, f, host);
}

static bool is_signed(struct http_request *req, const struct secret_file *f)
{
        struct err err = ERR_INIT;
        bool good = false;
        int r = secret_file_check(f, &good, &err);

        if (r < 0)
                malformed(req, &err);
        else if (!good)
                http_answer_problem(req, 400, "signature",
                                    "The signatures are not those of the keys that the document names.");
        return r >= 0 && good;
}

static void on_put_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(k->req, err, "keeping a secret");
        } else if (outcome == STORE_NOT_FOUND) {
                http_answer_problem(k->req, 404, NULL, "No such host.");
        } else if (outcome == STORE_CONFLICT) {
                (void)conflict(k->req, "version",
                               "A secret of that name is there with this version or a newer one.");
        } else {
                log_info("secret %s of host %s has version %lld", SHOW(k->name), SHOW(k->host),
                         (long long)k->version);
                secrets_changed(k->v, k->host);
                reply_json(k->req, k->is_new ? 201 : 200,
                           json_pack("{s:s, s:s, s:s, s:I, s:b}", "schema", "avow.secret-kept/1", "host",
                                     k->host, "name", k->name, "version", (json_int_t)k->version, "revocable",
                                     k->revocable));
        }
}

/* Is there room for one more document of LEN bytes? */
static bool has_room(const struct verifier_set *set, const char *name, size_t len, bool *ret_new)
{
        AUTO(buf_free) struct buf text = {0};
        size_t replaced = 0;

        *ret_new = true;
        secrets_compose(set, &text);
        for (size_t i = 0; i < set->n_secrets; i++)
                if (str_equal(set->secrets[i].name, name)) {
                        *ret_new = false;
                        replaced = strlen(set->secrets[i].text);
                }
        return (!*ret_new || set->n_secrets < SECRETS_PER_HOST) && buf_ok(&text) &&
               text.len - replaced + len + 1 <= SECRETS_BYTES_TOTAL;
}

static void on_put_room(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                        const struct err *e)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED)
                reply_failure(k->req, e, "keeping a secret");
        else if (!has_room(set, k->name, strlen(k->text), &k->is_new))
                http_answer_problem(k->req, 409, NULL,
                                    "The host has as many secrets as it can (%d, %u KiB with its approvals): "
                                    "remove some first.",
                                    SECRETS_PER_HOST, SECRETS_BYTES_TOTAL >> 10);
        else if (verifier_db_secret_put(k->v->db, NULL, k->host, k->name, k->version, k->text, &k->entry,
                                        on_put_done, k, &err) < 0)
                reply_failure(k->req, &err, "keeping a secret");
        else
                (void)TAKE(k);
}

static json_t *detail_of(const struct secret_file *f)
{
        return json_pack("{s:s, s:I, s:b, s:b}", "class", f->scope.class, "version", (json_int_t)f->version,
                         "revocable", f->revocable, "release_local", f->release_local);
}

/* The checked document F goes on to the store. */
static void keep(struct keeping *taken, const struct secret_file *f)
{
        AUTO(keeping_free_p) struct keeping *k = taken;
        struct view body = http_request_body(k->req);
        struct err err = ERR_INIT;

        k->version = (int64_t)f->version;
        k->revocable = f->revocable;
        k->text = str_ndup((const char *)body.p, body.len);
        if (!k->text || describe(k, "secret.put", detail_of(f), &err) < 0 ||
            verifier_db_secrets_of(k->v->db, NULL, k->host, on_put_room, k, &err) < 0) {
                (void)err_nomem(&err);
                reply_failure(k->req, &err, "keeping a secret");
                return;
        }
        (void)TAKE(k);
}

static void on_put(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        struct secret_file f = {.version = 0};
        struct keeping *k;
        struct err err = ERR_INIT;

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON) || !reply_no_dry_run(req))
                return;
        if (secret_file_decode(http_request_body(req), &f, &err) < 0) {
                malformed(req, &err);
                return;
        }
        if (fits_host(req, &f, host) && is_signed(req, &f)) {
                k = keeping_new(v, req, host->e.name, f.name);
                if (k)
                        keep(k, &f);
        }
        secret_file_done(&f);
}

/* ---- going out ---- */

/* An array of the documents' JSON. NULL: no memory, or one that cannot be read. */
static json_t *documents(const struct verifier_set *set)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < set->n_secrets; i++) {
                struct err err = ERR_INIT;
                json_t *one = NULL;

                if (json_parse(view_str(set->secrets[i].text), SECRET_FILE_BYTES_MAX, &one, &err) < 0 ||
                    json_array_append_new(list, one) < 0)
                        return NULL;
        }
        return TAKE(list);
}

static void on_list_done(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *err)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;
        const struct host *host = hosts_find(k->v->hosts, k->host);
        bool known = host && host->s.counters.known;
        json_int_t certified = known ? (json_int_t)host->s.counters.floor : 0;
        json_t *epoch = known ? json_integer((json_int_t)host->s.counters.epoch) : json_null();

        if (outcome == STORE_FAILED) {
                json_decref(epoch);
                reply_failure(k->req, err, "reading secrets");
                return;
        }
        reply_json(k->req, 200,
                   json_pack("{s:s, s:s, s:o, s:o, s:{s:I, s:I}}", "schema", "avow.secrets/1", "host",
                             k->host, "secrets", documents(set), "epoch", epoch, "floor", "value", certified,
                             "target", (json_int_t)set->floor));
}

static void on_get_done(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                        const struct err *err)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(k->req, err, "reading a secret");
                return;
        }
        for (size_t i = 0; i < set->n_secrets; i++)
                if (str_equal(set->secrets[i].name, k->name)) {
                        http_answer(k->req, 200, WIRE_TYPE_JSON, view_str(set->secrets[i].text));
                        return;
                }
        http_answer_problem(k->req, 404, "name", "The host has no secret of that name.");
}

/* The whole set, for the host itself. */
static void on_set_done(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                        const struct err *err)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;
        struct buf text = {0};

        if (outcome == STORE_FAILED) {
                reply_failure(k->req, err, "reading the secrets of a host");
                return;
        }
        secrets_compose(set, &text);
        reply_encoded(k->req, 0, 200, WIRE_TYPE_JSON, &text);
}

static void read_set(struct verifier *v, struct http_request *req, const struct host *host, const char *name,
                     verifier_set_fn done)
{
        AUTO(keeping_free_p) struct keeping *k = host ? keeping_new(v, req, host->e.name, name) : NULL;
        struct err err = ERR_INIT;

        if (!k)
                return;
        if (verifier_db_secrets_of(v->db, NULL, k->host, done, k, &err) < 0)
                reply_failure(req, &err, "reading secrets");
        else
                (void)TAKE(k);
}

static void on_list(struct http_request *req, void *ctx)
{
        read_set(ctx, req, reply_host(ctx, req), "", on_list_done);
}

static void on_get(struct http_request *req, void *ctx)
{
        read_set(ctx, req, reply_host(ctx, req), http_request_param(req, "name"), on_get_done);
}

static void on_set(struct http_request *req, void *ctx)
{
        struct session *session = NULL;

        read_set(ctx, req, reply_agent(ctx, req, &session), "", on_set_done);
}

/* ---- removing ---- */

static void on_removed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(keeping_free_p) struct keeping *k = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(k->req, err, "removing a secret");
        } else if (outcome != STORE_OK) {
                http_answer_problem(k->req, 404, "name", "The host has no secret of that name.");
        } else {
                log_info("secret %s of host %s was removed", SHOW(k->name), SHOW(k->host));
                secrets_changed(k->v, k->host);
                reply_json(k->req, 200,
                           json_pack("{s:s, s:s, s:s}", "schema", "avow.removed/1", "host", k->host, "name",
                                     k->name));
        }
}

static void on_remove(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(keeping_free_p) struct keeping *k = NULL;
        struct err err = ERR_INIT;

        if (!host || !reply_no_dry_run(req))
                return;
        k = keeping_new(v, req, host->e.name, http_request_param(req, "name"));
        if (!k)
                return;
        if (describe(k, "secret.remove", json_object(), &err) < 0 ||
            verifier_db_secret_remove(v->db, NULL, k->host, k->name, &k->entry, on_removed, k, &err) < 0)
                reply_failure(req, &err, "removing a secret");
        else
                (void)TAKE(k);
}

#define OWNERS  (ROLE_ADMIN | ROLE_TENANT)
#define READERS (OWNERS | ROLE_AUDITOR)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hosts/:id/secrets", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id/secrets/:name", READERS, on_get, 0, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/avow/v1/hosts/:id/secrets/:name", OWNERS, on_put, SECRET_FILE_BYTES_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_DELETE, "/avow/v1/hosts/:id/secrets/:name", OWNERS, on_remove, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/agents/:id/secrets", ROLE_PUBLIC, on_set, 0, HTTP_KEYLIME, NULL},
};

int routes_secrets(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
