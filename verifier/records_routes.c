/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a host: its history, and the evidence of each line as a bundle. docs/verifier-api.md. */
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "verifier/policy_test.h"
#include "verifier/reply.h"
#include "verifier/view.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX     1000

/* A request that waits for the store. */
struct waiting {
        struct http_request *req;
        char *name;
        int64_t limit;
};

static void waiting_free(struct waiting *w)
{
        if (!w)
                return;
        free(w->name);
        free(w);
}
DEFINE_AUTO(struct waiting, waiting_free)

static struct waiting *waiting_new(struct http_request *req)
{
        struct waiting *w = mem_zalloc(1, sizeof(*w));

        if (w) {
                w->req = req;
                w->name = str_dup(http_request_param(req, "id"));
        }
        if (w && w->name)
                return w;
        waiting_free(w);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

/* ---- history ---- */

/* The codes of a verdict's findings. */
static json_t *codes_of(const char *verdict_json)
{
        AUTO(json_free_p) json_t *j = NULL;
        json_t *codes = json_array();
        struct err err = ERR_INIT;
        const json_t *findings;

        if (!verdict_json || json_parse(view_str(verdict_json), VERDICT_JSON_BYTES_MAX, &j, &err) < 0)
                return codes;
        findings = json_object_get(j, "findings");
        for (size_t i = 0; i < json_array_size(findings); i++)
                if (json_array_append(codes, json_object_get(json_array_get(findings, i), "code")) < 0)
                        break;
        return codes;
}

static json_t *view_row(const struct history_row *row)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_int(j, "n", row->n);
        r |= json_set_int(j, "index", row->index);
        r |= json_set_time(j, "at", row->at_ms);
        r |= json_set_str(j, "verdict", verdict_state_name((enum verdict_state)row->verdict));
        r |= json_set_bool(j, "enforced", row->enforced);
        r |= json_set_bool(j, "changed", row->changed);
        r |= json_object_set_new(j, "policy",
                                 json_pack("{s:s, s:I}", "name", row->policy ? row->policy : "tpm_policy",
                                           "version", (json_int_t)row->policy_version));
        r |= json_set_bool(j, "evidence", row->bundle_bytes > 0);
        r |= json_object_set_new(j, "codes", codes_of(row->verdict_json));
        return r ? NULL : TAKE(j);
}

static json_t *view_history(const struct waiting *w, const struct history_row *rows, size_t n)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *entries = json_array();
        bool more = n > (size_t)w->limit;
        size_t shown = more ? (size_t)w->limit : n;
        int r = 0;

        r |= json_set_str(j, "schema", "avow.history/1");
        r |= json_set_str(j, "host", w->name);
        r |= json_object_set_new(j, "entries", entries);
        for (size_t i = 0; i < shown && r == 0; i++)
                r |= json_array_append_new(entries, view_row(&rows[i]));
        r |= more ? json_set_int(j, "next", rows[shown - 1].n) : json_set_str(j, "next", NULL);
        return r ? NULL : TAKE(j);
}

static void on_rows(void *ctx, enum store_outcome outcome, const struct history_row *rows, size_t n,
                    const struct err *err)
{
        AUTO(waiting_free_p) struct waiting *w = ctx;

        if (outcome == STORE_FAILED)
                reply_failure(w->req, err, "reading a history");
        else
                reply_json(w->req, 200, view_history(w, rows, n));
}

static void on_history(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(waiting_free_p) struct waiting *w = NULL;
        struct err err = ERR_INIT;
        int64_t limit, before;

        if (!reply_query_int(req, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit) ||
            !reply_query_int(req, "before", 1, INT64_MAX, 0, &before))
                return;
        if (!v->loading && !hosts_find(v->hosts, http_request_param(req, "id"))) {
                http_answer_problem(req, 404, NULL, "No host of this name is enrolled.");
                return;
        }
        w = waiting_new(req);
        if (!w)
                return;
        w->limit = limit;
        if (verifier_db_history(v->db, NULL, w->name, before, (size_t)limit + 1, on_rows, w, &err) < 0)
                reply_failure(req, &err, "reading a history");
        else
                (void)TAKE(w);
}

/* ---- evidence ---- */

int bundle_with_logs(struct view text, const struct view logs[static KEPT_N_LOGS], struct bundle **ret,
                     struct err *err)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        int r = bundle_decode(text, &b, err);

        if (r < 0)
                return err_wrap(err, "a recorded bundle");
        const struct {
                bool *has;
                struct buf *to;
                enum kept kind;
        } places[] = {{&b->has_cel, &b->cel, KEPT_CEL},
                      {&b->has_ima, &b->ima, KEPT_IMA},
                      {&b->has_uefi, &b->uefi, KEPT_UEFI}};

        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                if (!*places[i].has)
                        continue;
                buf_reset(places[i].to);
                buf_put_view(places[i].to, logs[places[i].kind]);
                if (!buf_ok(places[i].to))
                        return err_nomem(err);
        }
        *ret = TAKE(b);
        return 0;
}

static void on_bundle(void *ctx, enum store_outcome outcome, struct view text,
                      const struct view logs[static KEPT_N_LOGS], int64_t n, const struct err *store_err)
{
        AUTO(waiting_free_p) struct waiting *w = ctx;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        struct err err = ERR_INIT;
        struct buf body = {0};

        if (outcome == STORE_FAILED) {
                reply_failure(w->req, store_err, "reading evidence");
                return;
        }
        if (outcome == STORE_NOT_FOUND) {
                http_answer_problem(w->req, 404, NULL, "No evidence of this number is kept.");
                return;
        }
        if (bundle_with_logs(text, logs, &b, &err) < 0 || bundle_encode(b, &body, &err) < 0) {
                buf_free(&body);
                reply_failure(w->req, &err, "writing a bundle");
                return;
        }
        http_answer_header(w->req, "Avow-Evidence", "%lld", (long long)n);
        reply_encoded(w->req, 0, 200, WIRE_TYPE_JSON, &body);
}

static void on_evidence(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(waiting_free_p) struct waiting *w = NULL;
        const char *text = http_request_param(req, "n");
        struct err err = ERR_INIT;
        int64_t n = 0;

        if (!str_equal(text, "latest") && str_parse_int(view_str(text), 1, INT64_MAX, &n, &err) < 0) {
                http_answer_problem(req, 404, NULL, "Expected a number from the host's history, or latest.");
                return;
        }
        w = waiting_new(req);
        if (!w)
                return;
        if (verifier_db_evidence(v->db, NULL, w->name, n, on_bundle, w, &err) < 0)
                reply_failure(req, &err, "reading evidence");
        else
                (void)TAKE(w);
}

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hosts/:id/history", READERS, on_history, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id/evidence/:n", READERS, on_evidence, 0, HTTP_NATIVE, NULL},
};

int routes_records(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
