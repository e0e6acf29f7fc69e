/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts: what hosts say that they ran, judged, kept, and countersigned once a verdict has come.
 *
 *   POST /avow/v1/agents/:id/receipts      a host shows some: 200 if each is decided, else 201 with a
 * challenge GET  /avow/v1/hosts/:id/receipts       what is kept of a host GET
 * /avow/v1/hosts/:id/receipts/:digest   one, as the file that a client checks
 *
 * What comes is judged with the enrolled key: nothing is kept that this host's TPM did not sign, and what is
 * refused is said once. The verdict is written with the evidence (verifier/record.c); the countersignature is
 * made of it when somebody asks, so it needs no place of its own. Spec: SR-14, SR-24; docs/protocol.md,
 * "Receipts".
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "evidence/receipt_countersign.h"
#include "store/verifier_receipts.h"
#include "verifier/attest.h"
#include "verifier/challenges.h"
#include "verifier/reply.h"
#include "verifier/view.h"
#include "wire/receipts.h"

#define READERS      (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)
#define ASK_GAP_MS   250 /* between two questions of one host */
#define SLACK_MS     5000
#define PAGE_DEFAULT 50
#define PAGE_MAX     1000

/* Some receipts on their way through the store. */
struct showing {
        struct verifier *v;
        struct http_request *req;
        char name[WIRE_HOST_MAX + 1];
        uint64_t serial;
        struct wire_receipts_answer answer; /* digests, and why some are refused */
        int64_t limit;                      /* of a list */
};

static void showing_free(struct showing *s)
{
        if (!s)
                return;
        wire_receipts_answer_done(&s->answer);
        free(s);
}
DEFINE_AUTO(struct showing, showing_free)

static struct showing *showing_new(struct verifier *v, struct http_request *req, const struct host *host)
{
        struct showing *s = mem_zalloc(1, sizeof(*s));

        if (!s) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return NULL;
        }
        s->v = v;
        s->req = req;
        (void)snprintf(s->name, sizeof(s->name), "%s", host->e.name); /* a host's name: it fits */
        s->serial = host->serial;
        return s;
}

static struct host *host_of(const struct showing *s)
{
        struct host *host = hosts_find(s->v->hosts, s->name);

        if (host && host->serial == s->serial)
                return host;
        reply_v3_error(s->req, 404, "not_found", "This host is not enrolled any more.");
        return NULL;
}

/* ---- the countersignature ---- */

static int sign(const struct verifier *v, const struct host *host, const struct stored_receipt *row,
                char **ret, struct err *err)
{
        struct receipt_countersign c = {.host = host->e.name,
                                        .verifier = (char *)(uintptr_t)verifier_db_id(v->db),
                                        .status = (enum receipt_status)row->status,
                                        .reason = row->reason,
                                        .link = (enum receipt_link)row->link,
                                        .evidence = row->evidence,
                                        .verdict = row->verdict,
                                        .enforced = row->enforced,
                                        .policy = row->policy,
                                        .policy_version = row->policy_version,
                                        .received_at_ms = row->received_at_ms,
                                        .challenge_at_ms = row->challenge_at_ms,
                                        .evidence_at_ms = row->evidence_at_ms,
                                        .issued_at_ms = clock_now_ms(),
                                        .ek_sha256 = host->e.ek_sha256,
                                        .ek_class = host->e.ek_class,
                                        .ek_bound_by = host->e.bound_by}; /* all lent */
        int r;

        digest_zero(DIGEST_SHA256, &c.policy_sha256);
        digest_zero(DIGEST_SHA256, &c.receipt);
        r = hex_decode_exact(view_str(row->digest), c.receipt.b, c.receipt.len, err);
        if (r >= 0 && row->policy_sha256)
                r = hex_decode_exact(view_str(row->policy_sha256), c.policy_sha256.b, c.policy_sha256.len,
                                     err);
        return r < 0 ? r : receipt_countersign_sign(&c, v->keys.ear, ret, err);
}

/* ---- a host shows some ---- */

/* When the module was started, by our clock: the TPM's, if it was in this boot, else what the host says. */
static int64_t started_at(const struct host *host, const struct receipt *r)
{
        const struct previous *last = host->cont ? &host->cont->last : NULL;

        if (!last || last->clock.reset_count != r->reset)
                return r->started_at_ms;
        return last->received_at_ms - ((int64_t)last->clock.clock_ms - (int64_t)r->clock_ms) - SLACK_MS;
}

/* Why it is none of HOST's, or NULL. */
static const char *refusal_of(const struct host *host, const struct receipt_verdict *v)
{
        if (v->why)
                return v->why;
        return str_equal(v->r.launch.host, host->e.name) ? NULL : "it is of another host";
}

static int hex_of(struct view v, char **ret, struct err *err)
{
        *ret = hex_encode(v);
        return *ret ? 0 : err_nomem(err);
}

/* Judges one, and fills what is to be kept of it. Return: 1; 0: refused, *ret_why says why (static); < 0. */
static int take_one(const struct host *host, struct receipt_file *f, struct wire_receipts_item *item,
                    struct stored_receipt *ret, const char **ret_why, struct err *err)
{
        AUTO(receipt_verdict_done) struct receipt_verdict v = {.why = NULL};
        int r = receipt_judge(f, &host->ak, &v, err);

        if (r < 0)
                return r;
        item->digest = v.digest;
        *ret_why = refusal_of(host, &v);
        if (*ret_why)
                return 0;
        free(TAKE(f->countersignature)); /* ours to say */
        free(TAKE(f->ak_certificate));
        *ret = (struct stored_receipt){.sequence = (int64_t)v.r.sequence,
                                       .reset = v.r.reset,
                                       .restart = v.r.restart,
                                       .started_at_ms = started_at(host, &v.r),
                                       .received_at_ms = clock_now_ms()};
        r = hex_of(digest_view(&v.digest), &ret->digest, err);
        if (r >= 0)
                r = hex_of(VIEW_ARRAY(v.r.chain), &ret->chain, err);
        if (r >= 0 && v.r.has_previous)
                r = hex_of(digest_view(&v.r.previous), &ret->previous, err);
        if (r >= 0)
                r = receipt_file_encode(f, &ret->file, err);
        return r < 0 ? r : 1;
}

static int take_all(struct showing *s, const struct host *host, struct wire_receipts_request *m,
                    struct stored_receipt rows[static WIRE_RECEIPTS_MAX], size_t *ret_n, struct err *err)
{
        int r = 0;

        for (size_t i = 0; i < m->n && r >= 0; i++) {
                struct wire_receipts_item *item = &s->answer.item[s->answer.n++];
                const char *why = NULL;

                r = take_one(host, &m->file[i], item, &rows[*ret_n], &why, err);
                if (r == 1)
                        (*ret_n)++;
                else if (r < 0)
                        stored_receipt_done(&rows[*ret_n]);
                if (r != 0)
                        continue;
                item->refused = str_dup(why);
                if (!item->refused)
                        return err_nomem(err);
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", host->e.name}),
                         "a receipt in the name of host %s is refused: %s", SHOW(host->e.name), why);
        }
        return r < 0 ? r : 0;
}

static void send_answer(struct showing *s, struct host *host, bool waits)
{
        struct challenge_wish wish = {.immediate = true, .boot_time_ms = host->challenge.boot_time_ms};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = 0;

        host->receipts_wait = waits;
        if (waits && (host->busy || host->e.paused)) {
                http_answer_retry_after(s->req, 1000);
                http_answer_problem(s->req, 409, NULL,
                                    "Evidence of this host is being judged, or it is paused.");
                return;
        }
        if (waits)
                r = challenge_new(host, &wish, clock_now_ms(), loop_now_ms(), &err);
        if (r < 0) {
                reply_failure(s->req, &err, "making a challenge");
                return;
        }
        if (waits) {
                s->answer.has_next = true;
                s->answer.next = (struct wire_next){.index = (uint64_t)host->challenge.index,
                                                    .expires_at_ms = host->challenge.expires_at_ms,
                                                    .deadline_ms = HOST_DEADLINE_MS};
                challenge_asks(&host->challenge, &s->answer.next.asks);
        }
        s->answer.ak_certificate = host->e.ak_certificate ? str_dup(host->e.ak_certificate) : NULL;
        r = wire_receipts_answer_encode(&s->answer, &body, &err);
        reply_encoded(s->req, r, waits ? 201 : 200, WIRE_TYPE_JSON, &body);
}

/* The countersignatures of those that are decided; how many wait. */
static int fill_answer(struct showing *s, const struct host *host, const struct stored_receipt *rows,
                       size_t n, size_t *ret_waiting, struct err *err)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        int r = 0;

        for (size_t i = 0; i < s->answer.n && r >= 0; i++) {
                struct wire_receipts_item *item = &s->answer.item[i];

                (void)hex_write(hex, digest_view(&item->digest));
                for (size_t k = 0; k < n && !item->refused && !item->countersignature && r >= 0; k++) {
                        if (!str_equal(rows[k].digest, hex))
                                continue;
                        if (rows[k].decided)
                                r = sign(s->v, host, &rows[k], &item->countersignature, err);
                        else
                                (*ret_waiting)++;
                        break;
                }
        }
        return r;
}

static void on_added(void *ctx, enum store_outcome outcome, struct stored_receipt *rows, size_t n,
                     const struct err *failure)
{
        AUTO(showing_free_p) struct showing *s = ctx;
        struct host *host;
        struct err err = ERR_INIT;
        size_t waiting = 0;

        if (outcome == STORE_FAILED) {
                reply_failure(s->req, failure, "keeping receipts");
                return;
        }
        host = host_of(s);
        if (!host)
                return;
        if (fill_answer(s, host, rows, n, &waiting, &err) < 0)
                reply_failure(s->req, &err, "countersigning receipts");
        else
                send_answer(s, host, waiting > 0);
}

static bool may_show(struct verifier *v, struct http_request *req, struct host *host)
{
        int64_t gap_ms = host->receipts_ms ? loop_now_ms() - host->receipts_ms : ASK_GAP_MS;

        if (host->e.keylime) {
                http_answer_problem(req, 404, NULL, "Receipts are of avow agents only.");
        } else if (!v->keys.ear) {
                http_answer_retry_after(req, 600000);
                http_answer_problem(req, 503, NULL, "This verifier has no ear.key: it countersigns nothing.");
        } else if (host->busy || host->e.paused || !host->challenge.index) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 409, NULL,
                                    host->challenge.index
                                            ? "Evidence of this host is being judged, or it is paused."
                                            : "The host has not attested since this verifier started.");
        } else if (gap_ms < ASK_GAP_MS) {
                http_answer_retry_after(req, ASK_GAP_MS - gap_ms);
                http_answer_problem(req, 429, NULL, "Too early.");
        } else {
                host->receipts_ms = loop_now_ms();
                return true;
        }
        return false;
}

static void on_show(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(wire_receipts_request_done) struct wire_receipts_request m = {.n = 0};
        AUTO(showing_free_p) struct showing *s = NULL;
        struct stored_receipt rows[WIRE_RECEIPTS_MAX] = {{.digest = NULL}};
        struct session *session = NULL;
        struct err err = ERR_INIT;
        struct host *host = reply_agent(v, req, &session);
        size_t n = 0;
        int r;

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON) || !may_show(v, req, host))
                return;
        if (wire_receipts_request_decode(http_request_body(req), &m, &err) < 0) {
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
                return;
        }
        s = showing_new(v, req, host);
        if (!s)
                return;
        r = take_all(s, host, &m, rows, &n, &err);
        if (r >= 0 && n == 0)
                send_answer(s, host, false); /* all were refused */
        else if (r >= 0)
                r = verifier_db_receipts_add(v->db, host->e.tenant, host->e.name, rows, n, on_added, s, &err);
        if (r < 0)
                reply_failure(req, &err, "judging receipts");
        else if (n > 0)
                (void)TAKE(s);
        for (size_t i = 0; i < n; i++)
                stored_receipt_done(&rows[i]);
}

/* ---- what a verdict means for them ---- */

void receipts_decide(const struct round *r, const struct host *host, struct receipts_decision *ret)
{
        const struct verdict *v = r->result.verdict;
        const struct host_trust *after = r->trust_changed ? &r->trust.trust : &host->s.trust;

        *ret = (struct receipts_decision){.what = RECEIPTS_WAIT,
                                          .challenge_at_ms = r->challenge.issued_at_ms};
        if (v->state == VERDICT_FAIL) {
                ret->what = RECEIPTS_TAINT;
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                               v->n_findings ? verdict_worst(v)->code : "fail"); /* cut if too long */
        } else if (v->state == VERDICT_PASS && host->receipts_wait && r->immediate && r->result.next &&
                   after->trust == TRUST_TRUSTED) {
                ret->what = RECEIPTS_PASS;
                ret->reset = r->result.next->last.clock.reset_count;
                ret->restart = r->result.next->last.clock.restart_count;
        }
}

/* ---- who asks later ---- */

static int set_payload(json_t *j, const struct receipt *r)
{
        int n = json_set_str(j, "launch", r->launch.id) | json_set_str(j, "runtime", r->launch.runtime) |
                json_set_hex(j, "module", digest_view(&r->launch.sha256)) |
                json_set_hex(j, "nonce", VIEW(r->launch.nonce, r->launch.nonce_len)) |
                json_set_str(j, "permit", r->permit) | json_set_int(j, "sequence", (int64_t)r->sequence) |
                json_set_time(j, "started_at", r->started_at_ms) |
                json_set_time(j, "ended_at", r->ended_at_ms);

        if (r->exit == RECEIPT_LOST)
                return n | json_set_str(j, "lost", r->why);
        return n | json_set_int(j, r->exit == RECEIPT_EXITED ? "code" : "signal", r->code);
}

static json_t *view_receipt(const struct stored_receipt *row)
{
        AUTO(receipt_file_done) struct receipt_file f = {.ak_certificate = NULL};
        AUTO(receipt_done) struct receipt r = {.sequence = 0};
        AUTO(json_free_p) json_t *j = json_object();
        struct err err = ERR_INIT;
        int n = json_set_str(j, "digest", row->digest) | json_set_int(j, "n", row->n) |
                json_set_str(j, "status", receipt_status_name((enum receipt_status)row->status)) |
                json_set_bool(j, "decided", row->decided) | json_set_str(j, "reason", row->reason) |
                json_set_str(j, "chain", receipt_link_name((enum receipt_link)row->link)) |
                json_set_time(j, "received_at", row->received_at_ms) |
                json_set_int(j, "evidence", row->evidence);

        if (receipt_file_decode(VIEW_BUF(&row->file), &f, &err) >= 0 &&
            receipt_payload_decode(VIEW_BUF(&f.payload), &r, &err) >= 0)
                n |= set_payload(j, &r);
        return n ? NULL : TAKE(j);
}

static json_t *view_list(const struct showing *s, const struct stored_receipt *rows, size_t n)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *list = json_array();
        bool more = n > (size_t)s->limit;
        size_t shown = more ? (size_t)s->limit : n;
        int r = json_object_set_new(j, "receipts", list);

        if (r < 0)
                return NULL; /* LIST is gone */
        r |= json_set_str(j, "schema", "avow.receipt-list/1") | json_set_str(j, "host", s->name);
        for (size_t i = 0; i < shown && r == 0; i++)
                r |= json_array_append_new(list, view_receipt(&rows[i]));
        r |= more ? json_set_int(j, "next", rows[shown - 1].n) : json_set_str(j, "next", NULL);
        return r ? NULL : TAKE(j);
}

static void on_list_read(void *ctx, enum store_outcome outcome, struct stored_receipt *rows, size_t n,
                         const struct err *failure)
{
        AUTO(showing_free_p) struct showing *s = ctx;

        if (outcome == STORE_FAILED)
                reply_failure(s->req, failure, "reading receipts");
        else
                reply_json(s->req, 200, view_list(s, rows, n));
}

static void on_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(showing_free_p) struct showing *s = NULL;
        int64_t before = 0, limit = PAGE_DEFAULT;
        struct err err = ERR_INIT;

        if (!host || !reply_query_int(req, "before", 1, INT64_MAX, 0, &before) ||
            !reply_query_int(req, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit))
                return;
        s = showing_new(v, req, host);
        if (!s)
                return;
        s->limit = limit;
        if (verifier_db_receipts(v->db, host->e.tenant, host->e.name, before, (size_t)limit + 1, on_list_read,
                                 s, &err) < 0)
                reply_failure(req, &err, "reading receipts");
        else
                (void)TAKE(s);
}

/* The file with what stands for it: the key's certificate, and the verdict. */
static int complete(const struct showing *s, const struct host *host, const struct stored_receipt *row,
                    struct buf *ret, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file f = {.ak_certificate = NULL};
        int r = receipt_file_decode(VIEW_BUF(&row->file), &f, err);

        if (r >= 0 && host->e.ak_certificate && !(f.ak_certificate = str_dup(host->e.ak_certificate)))
                r = err_nomem(err);
        if (r >= 0 && row->decided && s->v->keys.ear)
                r = sign(s->v, host, row, &f.countersignature, err);
        return r < 0 ? r : receipt_file_encode(&f, ret, err);
}

static void on_one_read(void *ctx, enum store_outcome outcome, struct stored_receipt *rows, size_t n,
                        const struct err *failure)
{
        AUTO(showing_free_p) struct showing *s = ctx;
        struct err err = ERR_INIT;
        struct buf body = {0};
        struct host *host;

        if (outcome == STORE_FAILED) {
                reply_failure(s->req, failure, "reading a receipt");
        } else if (n == 0) {
                http_answer_problem(s->req, 404, "digest", "No such receipt of this host.");
        } else if ((host = host_of(s)) != NULL) {
                int r = complete(s, host, &rows[0], &body, &err);

                reply_encoded(s->req, r, 200, RECEIPT_MEDIA_TYPE, &body);
        }
}

static void on_one(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(showing_free_p) struct showing *s = host ? showing_new(v, req, host) : NULL;
        struct err err = ERR_INIT;

        if (!s)
                return;
        if (verifier_db_receipt(v->db, host->e.tenant, host->e.name, http_request_param(req, "digest"),
                                on_one_read, s, &err) < 0)
                reply_failure(req, &err, "reading a receipt");
        else
                (void)TAKE(s);
}

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/agents/:id/receipts", ROLE_BEARER, on_show, WIRE_RECEIPTS_BODY_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_GET, "/avow/v1/hosts/:id/receipts", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id/receipts/:digest", READERS, on_one, 0, HTTP_NATIVE, NULL},
};

int routes_receipts(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
