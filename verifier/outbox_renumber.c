/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other numbers for revocations that the registrar does not have. After a restore the database counts from
 * where it was then, the registrar and the host from where they are: the registrar answers 409, and the host
 * would take the order for an old one. So the registrar is asked for the newest that it has of this host, and
 * what waits here moves up behind it, together and in order, signed anew.
 *
 * The host's number in memory moves first: what is decided while we are at it already gets a higher one.
 * Spec: SR-8, SR-17.
 */
#include "verifier/outbox_renumber.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/jws.h"
#include "store/verifier_outbox.h"
#include "verifier/verifier.h"
#include "verifier/wait.h"
#include "wire/event.h"

#define ANSWER_MAX (256 * 1024)

struct renumber {
        struct verifier *v;
        char *tenant, *host;
        renumber_fn done; /* NULL: cancelled */
        void *ctx;
        struct http_call_handle *call;
        bool in_store;  /* a request is with the database */
        int64_t newest; /* that the registrar has */
        int64_t last;   /* the highest number here, before */
        int64_t top;    /* what the last of them becomes; 0: the host is not here, and anything will do */
        struct sent_revocation *list;
        size_t n;
};

static void renumber_free(struct renumber *x)
{
        if (!x)
                return;
        for (size_t i = 0; i < x->n; i++)
                sent_revocation_free(&x->list[i]);
        free(x->list);
        free(x->tenant);
        free(x->host);
        free(x);
}
DEFINE_AUTO(struct renumber, renumber_free)

static void end(struct renumber *x, const struct err *err)
{
        if (x->done)
                x->done(x->ctx, err);
        renumber_free(x);
}

/* ---- the numbers are others now ---- */

static void on_written(void *ctx, enum store_outcome outcome, const struct err *store_err)
{
        struct renumber *x = ctx;
        struct err err = ERR_INIT;
        struct host *host;

        x->in_store = false;
        if (store_err) {
                end(x, store_err);
                return;
        }
        if (outcome != STORE_OK || !x->done) {
                (void)err_set(&err, ERR_PEER, 0, "the registrar took one of them meanwhile");
                end(x, &err);
                return;
        }
        host = hosts_find(x->v->hosts, x->host);
        if (host && host->s.trust.jws && x->n) {
                const struct sent_revocation *newest = &x->list[x->n - 1];
                char *jws = str_dup(newest->jws);

                /* a newer one, decided meanwhile, has a higher number already */
                if (jws && host->s.trust.seq == newest->seq) {
                        free(host->s.trust.jws);
                        host->s.trust.jws = TAKE(jws);
                        wait_notify(x->v, x->host);
                }
                free(jws);
        }
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", x->host}),
                 "host %s: the registrar has revocations that this database does not know (it was put back "
                 "from "
                 "a backup?); %zu that wait for it have numbers above %lld now",
                 SHOW(x->host), x->n, (long long)x->newest);
        end(x, NULL);
}

static int sign_anew(const struct renumber *x, struct sent_revocation *r, int64_t seq, struct err *err)
{
        AUTO(json_free_p) json_t *payload = NULL;
        int n = json_parse(view_str(r->payload), REVOCATION_BYTES_MAX, &payload, err);

        if (n < 0)
                return n;
        free(r->id);
        free(r->jws);
        free(r->payload);
        r->seq = seq;
        r->jws = NULL;
        r->payload = NULL;
        r->id = str_fmt("%s/%lld", x->host, (long long)seq);
        if (!r->id || json_set_str(payload, "id", r->id) < 0 || !(r->payload = json_print(payload)))
                return err_nomem(err);
        return jws_sign(x->v->keys.revocation, REVOCATION_TYP, view_str(r->payload), &r->jws, err);
}

static int copy_waiting(struct renumber *x, const struct sent_revocation *list, size_t n, struct err *err)
{
        int64_t first;

        x->list = mem_zalloc(n ? n : 1, sizeof(*x->list));
        if (!x->list)
                return err_nomem(err);
        for (size_t i = 0; i < n && list[i].seq <= x->last; i++) {
                struct sent_revocation *r = &x->list[x->n++];

                r->n = list[i].n;
                r->payload = str_dup(list[i].payload);
                if (!r->payload)
                        return err_nomem(err);
        }
        first = x->top ? x->top - (int64_t)x->n + 1 : x->newest + 1;
        for (size_t i = 0; i < x->n; i++) {
                int r = sign_anew(x, &x->list[i], first + (int64_t)i, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void on_waiting(void *ctx, enum store_outcome outcome, const struct sent_revocation *list, size_t n,
                       const struct err *store_err)
{
        struct renumber *x = ctx;
        struct err err = ERR_INIT;
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = x->tenant,
                                    .actor = "verifier",
                                    .action = "revocation.renumber",
                                    .object = x->host};

        (void)outcome;
        x->in_store = false;
        if (store_err || !x->done) {
                end(x, store_err);
                return;
        }
        if (copy_waiting(x, list, n, &err) < 0 ||
            verifier_db_renumber(x->v->db, x->tenant, x->host, x->list, x->n, &entry, on_written, x, &err) <
                    0) {
                end(x, &err);
                return;
        }
        x->in_store = true;
}

/* ---- what the registrar has ---- */

/* The highest number in {"revocations": [{"id": "HOST/N"}]}. */
static int read_newest(struct renumber *x, struct view body, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *list;
        json_t *one;
        size_t i;
        int r = json_parse(body, ANSWER_MAX, &doc, err);

        if (r >= 0)
                r = json_get_array(doc, "revocations", 1000, &list, err);
        if (r < 0)
                return r;
        json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
                const char *id = json_string_value(json_object_get(one, "id"));
                const char *slash = id ? strrchr(id, '/') : NULL;
                int64_t seq;

                if (!slash || str_parse_int(view_str(slash + 1), 1, INT64_MAX / 2, &seq, err) < 0)
                        return err_set(err, ERR_FORMAT, 0, "the registrar's list holds no revocation's id");
                if (seq > x->newest)
                        x->newest = seq;
        }
        return x->newest > 0 ? 0
                             : err_set(err, ERR_PEER, 0, "the registrar knows of no revocation of the host");
}

static void on_listed(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct renumber *x = ctx;
        struct err err = ERR_INIT;
        struct host *host;
        int r = 0;

        x->call = NULL;
        if (!res) {
                end(x, call_err);
                return;
        }
        r = res->status == 200 ? read_newest(x, res->body, &err)
                               : err_set(&err, ERR_PEER, 0, "the registrar answered %d", res->status);
        if (r >= 0 && (host = hosts_find(x->v->hosts, x->host)) != NULL) {
                /* high enough for all that wait, which are at most LAST */
                x->last = host->s.trust.seq;
                x->top = host->s.trust.seq = x->newest + x->last;
        }
        if (r >= 0)
                r = verifier_db_unposted_of(x->v->db, x->tenant, x->host, on_waiting, x, &err);
        if (r < 0)
                end(x, &err);
        else
                x->in_store = true;
}

int renumber_start(struct verifier *v, const char *tenant, const char *host, renumber_fn done, void *ctx,
                   struct renumber **ret, struct err *err)
{
        AUTO(renumber_free_p) struct renumber *x = mem_zalloc(1, sizeof(*x));
        const char *base = conf_str(v->settings.conf, "registrar.url");
        AUTO(mem_free_p) char *url = NULL;
        struct http_call call = {.method = "GET", .max_response_bytes = ANSWER_MAX};
        size_t n = strlen(base);
        int r;

        if (!v->keys.revocation)
                return err_set(err, ERR_CONFIG, 0, "revocation.key is not set: it cannot be signed anew");
        if (!x)
                return err_nomem(err);
        while (n > 0 && base[n - 1] == '/')
                n--;
        *x = (struct renumber){.v = v, .done = done, .ctx = ctx, .last = INT64_MAX};
        x->tenant = str_dup(tenant);
        x->host = str_dup(host);
        url = str_fmt("%.*s/avow/v1/revocations?limit=100&host=%s", (int)n, base, host);
        if (!x->tenant || !x->host || !url)
                return err_nomem(err);
        call.url = url;
        r = http_client_send(v->registrar, &call, on_listed, x, &x->call, err);
        if (r < 0)
                return r;
        *ret = TAKE(x);
        return 0;
}

void renumber_cancel(struct renumber *x)
{
        if (!x)
                return;
        x->done = NULL;
        if (x->call)
                http_client_cancel(x->call);
        x->call = NULL;
        if (!x->in_store)
                renumber_free(x);
}
