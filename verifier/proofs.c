/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of wipes. A host that was told to destroy its secrets shows with its TPM's word that they open no
 * more. The word is judged here against what we know and the host cannot choose: the revocation as we signed
 * it, the nonce as the registrar drew it, the attestation key as it was enrolled. What does not prove it is
 * refused and changes nothing; the proof may still come. What does not come in time is an alarm: somebody has
 * to rotate what the host held.
 *
 * Late is better than never: a proof after the deadline makes `wiped` of `wipe-unproven`. Spec: SR-2, SR-5.
 */
#include "verifier/proofs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/wipe_proof.h"
#include "store/verifier_outbox.h"
#include "store/verifier_secrets.h"
#include "verifier/outbox.h"
#include "verifier/reply.h"
#include "verifier/sessions.h"
#include "verifier/verifier.h"

#define LOOK_MS   1000
#define LOOK_AT   64 /* overdue ones at a time */
#define PCR_USUAL 15

struct proofs {
        struct verifier *v;
        struct loop_timer *timer;
        bool looking, stopped;
        struct metric_series *proven, *refused, *overdue;
};

/* A proof on its way, or a wipe that is overdue (without request). */
struct judged {
        struct proofs *proofs;
        struct http_request *req;
        char *tenant, *host, *id;
        int64_t seq;
        struct wipe_proof *proof;
        char *rotate; /* overdue: JSON array of names */
};

static void judged_free(struct judged *j)
{
        if (!j)
                return;
        wipe_proof_free(j->proof);
        free(j->tenant);
        free(j->host);
        free(j->id);
        free(j->rotate);
        free(j);
}
DEFINE_AUTO(struct judged, judged_free)

/* The host's trust in memory, as body_wipe() writes it: before the database has it, so that a change of trust
 * that is written after it says the same. */
static void note(struct verifier *v, const struct judged *j, enum wipe wipe)
{
        struct host *host = hosts_find(v->hosts, j->host);

        if (host && host->s.trust.seq == j->seq && host->s.trust.wipe != WIPE_NONE)
                host->s.trust.wipe = wipe;
}

static void tell(struct verifier *v, const struct judged *j, const char *type, const char *summary)
{
        const struct host *host = hosts_find(v->hosts, j->host);

        events_emit(v->events, type, j->host, host ? host_shown_name(host->shown) : NULL, NULL, summary);
}

/* ---- a proof came ---- */

static void answer_kept(struct http_request *req, const char *id)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = json_set_str(j, "schema", "avow.proof-received/1") | json_set_str(j, "id", id);

        reply_json(req, 200, r ? NULL : TAKE(j));
}

static void on_kept(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(judged_free_p) struct judged *j = ctx;
        struct verifier *v = j->proofs->v;

        if (err) {
                note(v, j, WIPE_PENDING);
                reply_failure(j->req, err, "keeping a proof");
                return;
        }
        if (outcome == STORE_OK && !j->proofs->stopped) {
                metric_inc(j->proofs->proven);
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", j->host}, {"AVOW_REVOCATION", j->id}),
                         "host %s has proven that its secrets are destroyed (%s)", SHOW(j->host),
                         SHOW(j->id));
                tell(v, j, "host.wiped", "its TPM has proven that its secrets are destroyed");
                outbox_wake(v->outbox);
        }
        answer_kept(j->req, j->id);
}

static json_t *names_of(const struct wipe_notes *notes)
{
        json_t *list = json_array();

        for (size_t i = 0; i < notes->n; i++)
                if (json_array_append_new(list, json_string(notes->v[i].secret)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

/* What the audit log says of it. */
static char *proof_detail(const struct judged *j, const struct wipe_verdict *verdict)
{
        AUTO(json_free_p) json_t *d = json_object();
        int r = json_set_str(d, "revocation", j->id) | json_set_int(d, "epoch", (int64_t)verdict->epoch) |
                json_object_set_new(d, "copied_out", names_of(&j->proof->copied_out)) |
                json_object_set_new(d, "not_destroyed", names_of(&j->proof->not_destroyed));

        return r ? NULL : json_print(d);
}

static int keep(struct judged *j, const struct host *host, const struct wipe_verdict *verdict,
                struct err *err)
{
        struct verifier *v = j->proofs->v;
        AUTO(mem_free_p) char *detail = proof_detail(j, verdict), *text = NULL;
        AUTO(buf_free) struct buf out = {0};
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = j->tenant,
                                    .actor = "verifier",
                                    .action = "revocation.wiped",
                                    .object = j->host,
                                    .detail = detail};
        int r;

        if (!detail)
                return err_nomem(err);
        /* the host has no AK certificate, and whoever reads the proof needs it */
        free(j->proof->ak_certificate);
        j->proof->ak_certificate = host->e.ak_certificate ? str_dup(host->e.ak_certificate) : NULL;
        r = wipe_proof_encode(j->proof, &out, err);
        if (r < 0)
                return r;
        text = buf_take_str(&out);
        if (!text)
                return err_nomem(err);
        note(v, j, WIPE_WIPED);
        return verifier_db_wipe(v->db, j->tenant, j->host, j->seq, WIPE_WIPED, text, clock_now_ms(), &entry,
                                on_kept, j, err);
}

static unsigned register_of(struct verifier *v, const struct host *host)
{
        const struct policy_effective *e = NULL;
        struct err ignored = ERR_INIT;

        (void)v;
        if (!host->rules || ruleset_effective(host->rules, host->e.name, clock_now_ms(), &e, &ignored) < 0)
                return PCR_USUAL;
        return policy_effective_policy(e)->pcr;
}

/* Return: NULL, the answer is given; or why it proves nothing. */
static const char *judge(struct judged **jp, struct host *host, const struct sent_revocation *row,
                         struct wipe_verdict *verdict, struct err *err)
{
        struct judged *j = *jp;
        struct verifier *v = j->proofs->v;
        uint8_t nonce[QUALIFY_NONCE_BYTES];
        struct wipe_expected x = {.keys = &v->keys.revocation_public,
                                  .n_keys = 1,
                                  .pcr = register_of(v, host),
                                  .ak = &host->ak,
                                  .host = host->e.name,
                                  .id = row->id,
                                  .nonce = VIEW_ARRAY(nonce)};

        if (!row->nonce || hex_decode_exact(view_str(row->nonce), nonce, sizeof(nonce), err) < 0)
                return "the registrar has not drawn the nonce of this revocation yet";
        if (!str_equal(row->jws, j->proof->revocation))
                return "it is about another revocation";
        if (wipe_proof_judge(j->proof, &x, verdict, err) < 0)
                return "it could not be judged";
        if (!verdict->proven)
                return verdict->why;
        if (keep(j, host, verdict, err) < 0) {
                note(v, j, WIPE_PENDING);
                return "it could not be kept";
        }
        *jp = NULL; /* the store's until on_kept() */
        return NULL;
}

static void refuse(struct judged *j, const char *why)
{
        metric_inc(j->proofs->refused);
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", j->host}, {"AVOW_REVOCATION", j->id}),
                 "what host %s sent as proof that its secrets are destroyed proves nothing: %s",
                 SHOW(j->host), why);
        reply_v3_error(j->req, 422, "proof_refused", why);
}

static void on_row(void *ctx, enum store_outcome outcome, const struct sent_revocation *list, size_t n,
                   const struct err *read_err)
{
        AUTO(judged_free_p) struct judged *j = ctx;
        struct wipe_verdict verdict = {.proven = false};
        struct err err = ERR_INIT;
        struct host *host;
        const char *why;

        (void)n;
        host = j->proofs->stopped ? NULL : hosts_find(j->proofs->v->hosts, j->host);
        if (read_err) {
                reply_failure(j->req, read_err, "reading a revocation");
        } else if (!host || outcome != STORE_OK) {
                reply_v3_error(j->req, 404, "not_found", "There is no such revocation of this host.");
        } else if (list->wipe == WIPE_WIPED) {
                answer_kept(j->req, j->id);
        } else if (list->wipe == WIPE_NONE) {
                refuse(j, "this revocation destroys nothing");
        } else {
                why = judge(&j, host, list, &verdict, &err);
                if (why && err.kind && err.kind != ERR_FORMAT)
                        reply_failure(j->req, &err, why);
                else if (why)
                        refuse(j, why);
        }
        wipe_verdict_done(&verdict);
}

static struct judged *judged_new(struct proofs *p, const char *tenant, const char *host, const char *id,
                                 int64_t seq)
{
        AUTO(judged_free_p) struct judged *j = mem_zalloc(1, sizeof(*j));

        if (!j)
                return NULL;
        j->proofs = p;
        j->seq = seq;
        j->tenant = str_dup(tenant);
        j->host = str_dup(host);
        j->id = str_dup(id);
        return j->tenant && j->host && j->id ? TAKE(j) : NULL;
}

/* Looks the revocation up that PROOF is about. Takes PROOF. */
static void look_up(struct proofs *p, struct http_request *req, const struct host *host,
                    const struct revocation_order *order, struct wipe_proof **proof)
{
        AUTO(judged_free_p)
        struct judged *j = judged_new(p, host->e.tenant, host->e.name, order->id, order->seq);
        struct err err = ERR_INIT;

        if (!j) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        j->req = req;
        j->proof = TAKE(*proof);
        if (!str_equal(order->host, host->e.name))
                refuse(j, "it is about another host");
        else if (verifier_db_sent(p->v->db, j->tenant, j->host, j->seq, on_row, j, &err) < 0)
                reply_failure(req, &err, "reading a revocation");
        else
                j = NULL; /* the store's until on_row() */
}

static void on_post(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(wipe_proof_free_p) struct wipe_proof *proof = NULL;
        struct revocation_order order = {.seq = 0};
        struct session *session = NULL;
        struct host *host = reply_agent(v, req, &session);
        struct err err = ERR_INIT;
        bool good = false;

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON))
                return;
        if (wipe_proof_decode(http_request_body(req), &proof, &err) < 0 ||
            (v->keys.revocation_public &&
             revocation_order_open(view_str(proof->revocation), &v->keys.revocation_public, 1, &order, &good,
                                   &err) < 0)) {
                metric_inc(v->proofs->refused);
                reply_v3_error(req, err.kind == ERR_NOMEM ? 503 : 422, "malformed", err.text);
        } else if (!good) {
                metric_inc(v->proofs->refused);
                log_warning("host %s sent a proof about a revocation that was not signed here",
                            SHOW(host->e.name));
                reply_v3_error(req, 422, "proof_refused", "The revocation in it was not signed here.");
        } else {
                look_up(v->proofs, req, host, &order, &proof);
        }
        revocation_order_done(&order);
}

/* ---- none came ---- */

static void on_given_up(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(judged_free_p) struct judged *j = ctx;
        AUTO(mem_free_p) char *summary = NULL;

        if (j->proofs->stopped)
                return;
        if (err) {
                note(j->proofs->v, j, WIPE_PENDING); /* it is overdue at the next look as well */
                log_err(err, "noting that a proof is overdue");
                return;
        }
        if (outcome != STORE_OK)
                return; /* proven meanwhile */
        metric_inc(j->proofs->overdue);
        summary = str_fmt("it has not proven in time that its secrets are destroyed; rotate what it held: %s",
                          j->rotate);
        log_with(LOG_LEVEL_ERROR, LOG_FIELDS({"AVOW_HOST", j->host}, {"AVOW_REVOCATION", j->id}),
                 "host %s, revocation %s: %s", SHOW(j->host), SHOW(j->id), summary ? summary : "");
        tell(j->proofs->v, j, "host.wipe-unproven", summary);
}

static int give_up(struct judged **jp, struct err *err)
{
        struct judged *j = *jp;
        struct verifier *v = j->proofs->v;
        AUTO(mem_free_p) char *detail = str_fmt("{\"revocation\":\"%s\",\"rotate\":%s}", j->id, j->rotate);
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = j->tenant,
                                    .actor = "verifier",
                                    .action = "revocation.wipe-unproven",
                                    .object = j->host,
                                    .detail = detail};
        int r;

        if (!detail)
                return err_nomem(err);
        note(v, j, WIPE_UNPROVEN);
        r = verifier_db_wipe(v->db, j->tenant, j->host, j->seq, WIPE_UNPROVEN, NULL, clock_now_ms(), &entry,
                             on_given_up, j, err);
        if (r < 0)
                note(v, j, WIPE_PENDING);
        else
                *jp = NULL; /* the store's until on_given_up() */
        return r;
}

/*
 * What is to be rotated: everything that the host was given. Which of it a lease opened since the last pass
 * is known of releases alone, and a host that does not answer may have kept what it opened before.
 */
static char *names_to_rotate(const struct verifier_set *set)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; set && i < set->n_secrets; i++)
                if (json_array_append_new(list, json_string(set->secrets[i].name)) < 0)
                        return NULL;
        return list ? json_print_ascii(list) : NULL; /* it is shown as it is */
}

static void on_secrets(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                       const struct err *read_err)
{
        AUTO(judged_free_p) struct judged *j = ctx;
        struct err err = ERR_INIT;

        (void)outcome; /* a host that was removed has none */
        if (j->proofs->stopped)
                return;
        if (read_err) {
                log_err(read_err, "reading which secrets a host held"); /* it is overdue still */
                return;
        }
        j->rotate = names_to_rotate(set);
        if (!j->rotate)
                (void)err_nomem(&err);
        if (!j->rotate || give_up(&j, &err) < 0)
                log_err(&err, "noting that a proof is overdue");
}

static int look_at(struct proofs *p, const struct sent_revocation *row, struct err *err)
{
        AUTO(judged_free_p) struct judged *j = judged_new(p, row->tenant, row->host, row->id, row->seq);
        int r = j ? verifier_db_secrets_of(p->v->db, j->tenant, j->host, on_secrets, j, err) : err_nomem(err);

        if (r >= 0)
                j = NULL; /* the store's until on_secrets() */
        return r;
}

static void on_overdue(void *ctx, enum store_outcome outcome, const struct sent_revocation *list, size_t n,
                       const struct err *read_err)
{
        struct proofs *p = ctx;
        struct err err = ERR_INIT;

        (void)outcome;
        p->looking = false;
        if (p->stopped)
                return;
        if (read_err)
                log_err(read_err, "looking for overdue proofs");
        for (size_t i = 0; i < n; i++)
                if (look_at(p, &list[i], &err) < 0) {
                        log_err(&err, "noting that a proof is overdue");
                        return;
                }
}

static void on_look(void *ctx)
{
        struct proofs *p = ctx;
        struct err err = ERR_INIT;

        loop_timer_start(p->timer, LOOK_MS);
        if (p->looking)
                return;
        p->looking = true;
        if (verifier_db_overdue(p->v->db, clock_now_ms(), LOOK_AT, on_overdue, p, &err) < 0)
                on_overdue(p, STORE_FAILED, NULL, 0, &err);
}

/* ---- start and end ---- */

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/agents/:id/proofs", ROLE_PUBLIC, on_post, WIPE_PROOF_BYTES_MAX, HTTP_KEYLIME,
         "prove_wipe"},
};

static int add_metrics(struct proofs *p, struct err *err)
{
        static const struct {
                const char *outcome;
                size_t at;
        } rows[] = {{"proven", offsetof(struct proofs, proven)},
                    {"refused", offsetof(struct proofs, refused)},
                    {"overdue", offsetof(struct proofs, overdue)}};
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(rows) && r >= 0; i++) {
                const struct metric_label label = {"outcome", rows[i].outcome};

                r = metrics_add(ops_metrics(p->v->ops), METRIC_COUNTER, "avow_wipe_proofs",
                                "Proofs of wipes, by what they came to.", &label, 1,
                                (struct metric_series **)((char *)p + rows[i].at), err);
        }
        return r;
}

int routes_proofs(struct verifier *v, struct err *err)
{
        struct proofs *p = mem_zalloc(1, sizeof(*p));
        int r;

        if (!p)
                return err_nomem(err);
        v->proofs = p;
        p->v = v;
        r = add_metrics(p, err);
        if (r >= 0)
                r = loop_timer_new(v->loop, on_look, p, &p->timer, err);
        if (r < 0)
                return r;
        loop_timer_start(p->timer, LOOK_MS);
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}

void proofs_stop(struct proofs *p)
{
        if (!p)
                return;
        p->stopped = true;
        loop_timer_free(p->timer);
        p->timer = NULL;
}

void proofs_free(struct proofs *p)
{
        free(p);
}
