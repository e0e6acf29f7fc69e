/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's outbox. The registrar is told of every revocation, of each host in their order, until it has
 * answered that it is on its disk; the mark comes after the answer, so whatever dies in between, it is told
 * once more, and knows the revocation by its id. Its answer brings the nonce that the host's proof needs.
 *
 * A registrar that is away stops everything, for a time that grows; one that refuses a single revocation
 * delays that one and those of its host alone. Either is said once. Nothing is ever given up.
 * Spec: SR-8 (sent until acknowledged, in order), SR-5 (nonce).
 */
#include "verifier/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/random.h"
#include "store/verifier_outbox.h"
#include "verifier/outbox_renumber.h"
#include "verifier/verifier.h"
#include "verifier/wait.h"
#include "wire/event.h"
#include "wire/problem.h"

#define POSTS_MAX     256 /* known at a time; more wait in the database */
#define FLIGHTS_MAX   8
#define AWAY_FIRST_MS 500
#define AWAY_MAX_MS   10000
#define SHUN_FIRST_MS 5000
#define SHUN_MAX_MS   600000
#define REREAD_MS     5000 /* after the database failed */
#define ANSWER_MAX    65536

/* One thing to be told. */
struct post {
        struct outbox *outbox;
        bool proof; /* of the wipe; else the revocation itself */
        int64_t n, seq;
        char *tenant, *host, *id;
        char *text; /* JWS, or the proof */
        char nonce[2 * WIRE_NONCE_BYTES + 1];
        struct http_call_handle *call;
        bool marking;    /* the registrar has it; the mark is being written */
        int64_t next_ms; /* monotonic: not before; the registrar refused it */
        unsigned refused;
};

struct outbox {
        struct verifier *v;
        struct loop_timer *timer;
        struct post *posts[POSTS_MAX];
        size_t n;
        bool reading[2], stale[2]; /* [proof]: the database is being asked; is to be asked again */
        bool stopped, away;
        unsigned failures;
        int64_t away_until_ms;
        struct renumber *renumber; /* one at a time */
        struct post *renumbered;   /* whose number was taken */
        struct metric_series *posted[2], *refused, *waiting;
};

static void post_free(struct post *p)
{
        if (!p)
                return;
        if (p->call)
                http_client_cancel(p->call);
        free(p->tenant);
        free(p->host);
        free(p->id);
        free(p->text);
        free(p);
}
DEFINE_AUTO(struct post, post_free)

static void forget(struct outbox *o, struct post *p)
{
        for (size_t i = 0; i < o->n; i++)
                if (o->posts[i] == p) {
                        memmove(&o->posts[i], &o->posts[i + 1], (--o->n - i) * sizeof(o->posts[0]));
                        break;
                }
        post_free(p);
}

/* FIRST, twice that, … at most MAX, less up to a quarter. */
static int64_t backoff_ms(unsigned failures, int64_t first_ms, int64_t max_ms)
{
        int64_t ms = first_ms;
        struct err ignored = ERR_INIT;
        uint32_t less = 0;

        for (unsigned i = 1; i < failures && ms < max_ms; i++)
                ms *= 2;
        if (ms > max_ms)
                ms = max_ms;
        if (random_below((uint32_t)(ms / 4), &less, &ignored) < 0)
                less = 0; /* the jitter is not worth a failure */
        return ms - less;
}

static void step(struct outbox *o);

/* ---- reading ---- */

static bool known(const struct outbox *o, bool proof, int64_t n)
{
        for (size_t i = 0; i < o->n; i++)
                if (o->posts[i]->proof == proof && o->posts[i]->n == n)
                        return true;
        return false;
}

static int take(struct outbox *o, bool proof, const struct sent_revocation *r, struct err *err)
{
        AUTO(post_free_p) struct post *p = NULL;
        const char *text = proof ? r->proof : r->jws;

        if (o->n == POSTS_MAX || known(o, proof, r->n))
                return 0;
        p = mem_zalloc(1, sizeof(*p));
        if (!p)
                return err_nomem(err);
        p->outbox = o;
        p->proof = proof;
        p->n = r->n;
        p->seq = r->seq;
        p->tenant = str_dup(r->tenant);
        p->host = str_dup(r->host);
        p->id = str_dup(r->id);
        p->text = text ? str_dup(text) : NULL;
        if (!p->tenant || !p->host || !p->id || !p->text)
                return err_nomem(err);
        o->posts[o->n++] = TAKE(p);
        return 0;
}

static void taken(struct outbox *o, bool proof, const struct sent_revocation *list, size_t n,
                  const struct err *read_err)
{
        struct err err = ERR_INIT;

        o->reading[proof] = false;
        if (o->stopped)
                return;
        if (read_err) {
                log_err(read_err, "reading what the registrar is to be told");
                o->stale[proof] = true;
                loop_timer_start(o->timer, REREAD_MS);
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (take(o, proof, &list[i], &err) < 0) {
                        log_err(&err, "telling the registrar");
                        o->stale[proof] = true;
                        loop_timer_start(o->timer, REREAD_MS);
                        return;
                }
        step(o);
}

static void on_revocations(void *ctx, enum store_outcome outcome, const struct sent_revocation *list,
                           size_t n, const struct err *err)
{
        (void)outcome;
        taken(ctx, false, list, n, err);
}

static void on_proofs(void *ctx, enum store_outcome outcome, const struct sent_revocation *list, size_t n,
                      const struct err *err)
{
        (void)outcome;
        taken(ctx, true, list, n, err);
}

static void read_more(struct outbox *o, bool proof)
{
        struct err err = ERR_INIT;
        int r;

        if (!o->stale[proof] || o->reading[proof])
                return;
        o->stale[proof] = false;
        o->reading[proof] = true;
        r = proof ? verifier_db_proofs_unposted(o->v->db, POSTS_MAX / 8, on_proofs, o, &err)
                  : verifier_db_unposted(o->v->db, POSTS_MAX, on_revocations, o, &err);
        if (r < 0)
                taken(o, proof, NULL, 0, &err);
}

/* ---- after the answer ---- */

static void on_marked(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct post *p = ctx;
        struct outbox *o = p->outbox;
        struct host *host;

        p->marking = false;
        if (o->stopped)
                return;
        if (err) { /* it is told again; the registrar knows it */
                log_err(err, "noting that the registrar has revocation %s", SHOW(p->id));
                p->next_ms = loop_now_ms() + REREAD_MS;
                step(o);
                return;
        }
        metric_inc(o->posted[p->proof]);
        host = p->proof || outcome != STORE_OK ? NULL : hosts_find(o->v->hosts, p->host);
        if (host && host->s.trust.seq == p->seq) {
                free(host->s.trust.nonce);
                host->s.trust.nonce = str_dup(p->nonce); /* without memory: with the next start */
                wait_notify(o->v, p->host);
        }
        o->stale[false] = o->stale[true] = true; /* the host's next one, and its proof, may go now */
        forget(o, p);
        step(o);
}

static int mark(struct post *p, struct err *err)
{
        struct verifier_db *db = p->outbox->v->db;

        return p->proof ? verifier_db_proof_posted(db, p->tenant, p->host, p->seq, clock_now_ms(), on_marked,
                                                   p, err)
                        : verifier_db_posted(db, p->tenant, p->host, p->seq, p->nonce, clock_now_ms(),
                                             on_marked, p, err);
}

/* {"id", "nonce"} as the registrar says it. */
static int read_receipt(struct post *p, struct view body, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        uint8_t raw[WIRE_NONCE_BYTES];
        const char *id, *nonce;

        if (json_parse(body, ANSWER_MAX, &doc, err) < 0 || json_get_str(doc, "id", &id, err) < 0)
                return -(int)err->kind;
        if (!str_equal(id, p->id))
                return err_set(err, ERR_FORMAT, 0, "it answers for another revocation");
        if (p->proof)
                return 0;
        if (json_get_str(doc, "nonce", &nonce, err) < 0 ||
            hex_decode_exact(view_str(nonce), raw, sizeof(raw), err) < 0)
                return -(int)err->kind;
        (void)hex_write(p->nonce, VIEW_ARRAY(raw));
        return 0;
}

static void shun(struct post *p, const char *why)
{
        if (p->refused++ == 0)
                log_error("the registrar refuses %s %s: %s; it is told again and again%s",
                          p->proof ? "the proof of" : "revocation", SHOW(p->id), why,
                          p->proof ? "" : ", and what comes after it of this host waits");
        metric_inc(p->outbox->refused);
        p->next_ms = loop_now_ms() + backoff_ms(p->refused, SHUN_FIRST_MS, SHUN_MAX_MS);
}

static void is_away(struct outbox *o, const char *why, int64_t retry_after_ms)
{
        int64_t now_ms = loop_now_ms(), ms;

        if (!o->away)
                log_warning("revocations wait for the registrar: %s", why);
        else if (now_ms < o->away_until_ms)
                return; /* several were under way: that is one failure */
        o->away = true;
        ms = backoff_ms(++o->failures, AWAY_FIRST_MS, AWAY_MAX_MS);
        o->away_until_ms = now_ms + (retry_after_ms > ms ? retry_after_ms : ms);
}

static void is_back(struct outbox *o)
{
        if (o->away)
                log_info("the registrar takes revocations again");
        o->away = false;
        o->failures = 0;
        o->away_until_ms = 0;
}

/* Its row has another number now, and is read again; or not, and it is told again as it is. */
static void on_renumbered(void *ctx, const struct err *err)
{
        struct outbox *o = ctx;
        struct post *p = o->renumbered;

        o->renumber = NULL;
        o->renumbered = NULL;
        p->marking = false;
        if (err) {
                shun(p, err->text);
        } else {
                o->stale[false] = true;
                forget(o, p);
        }
        step(o);
}

/* 409: the registrar has this number with another content. */
static void taken_number(struct post *p, const char *why)
{
        struct outbox *o = p->outbox;
        struct err err = ERR_INIT;

        if (o->renumber) { /* one after the other */
                p->next_ms = loop_now_ms() + AWAY_FIRST_MS;
                return;
        }
        if (renumber_start(o->v, p->tenant, p->host, on_renumbered, o, &o->renumber, &err) < 0) {
                log_err(&err, "revocation %s: %s", SHOW(p->id), why);
                shun(p, why);
                return;
        }
        o->renumbered = p;
        p->marking = true;
}

static void refused(struct post *p, const struct http_response *res)
{
        struct wire_problem problem = {.status = 0};
        struct err err = ERR_INIT;
        bool told = res->body.len && wire_problem_decode(res->body, &problem, &err) == 0;
        AUTO(mem_free_p)
        char *why = str_fmt("answered %d %s", res->status,
                            SHOW(told ? (problem.detail ? problem.detail : problem.title) : ""));

        if (res->status >= 500 || res->status == 429 || res->status == 408) {
                is_away(p->outbox, why ? why : "no memory", res->retry_after_ms);
        } else {
                is_back(p->outbox);
                if (res->status == 409 && !p->proof)
                        taken_number(p, why ? why : "no memory");
                else
                        shun(p, why ? why : "no memory");
        }
        if (told)
                wire_problem_done(&problem);
}

static void on_answer(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct post *p = ctx;
        struct outbox *o = p->outbox;
        struct err err = ERR_INIT;

        p->call = NULL;
        if (!res) {
                is_away(o, call_err->text, 0);
        } else if (res->status != 200 && res->status != 201) {
                refused(p, res);
        } else {
                is_back(o);
                p->marking = true;
                if (read_receipt(p, res->body, &err) < 0 || mark(p, &err) < 0) {
                        p->marking = false;
                        shun(p, err.text);
                }
        }
        step(o);
}

/* ---- sending ---- */

static int start(struct post *p, struct err *err)
{
        struct verifier *v = p->outbox->v;
        const char *base = conf_str(v->settings.conf, "registrar.url");
        size_t n = strlen(base);
        AUTO(mem_free_p) char *url = NULL;
        struct http_call call = {.method = p->proof ? "PUT" : "POST",
                                 .content_type = p->proof ? "application/json" : "application/jose",
                                 .body = view_str(p->text),
                                 .max_response_bytes = ANSWER_MAX};

        while (n > 0 && base[n - 1] == '/')
                n--;
        /* a host id is made of characters that a path may hold, and so is the id */
        url = p->proof ? str_fmt("%.*s/avow/v1/revocations/%s/proof", (int)n, base, p->id)
                       : str_fmt("%.*s/avow/v1/revocations", (int)n, base);
        if (!url)
                return err_nomem(err);
        call.url = url;
        return http_client_send(v->registrar, &call, on_answer, p, &p->call, err);
}

/* Reads what is new, sends what is due, and sets the timer for the rest. */
static void step(struct outbox *o)
{
        int64_t now_ms = loop_now_ms(), wake_ms = 0;
        size_t flights = 0;

        read_more(o, false);
        read_more(o, true);
        metric_set(o->waiting, (int64_t)o->n);
        for (size_t i = 0; i < o->n; i++)
                flights += o->posts[i]->call != NULL;
        for (size_t i = 0; i < o->n; i++) {
                struct post *p = o->posts[i];
                int64_t at_ms = p->next_ms > o->away_until_ms ? p->next_ms : o->away_until_ms;
                struct err err = ERR_INIT;

                if (p->call || p->marking)
                        continue;
                if (at_ms <= now_ms && flights < (o->away ? 1 : FLIGHTS_MAX)) {
                        if (start(p, &err) >= 0) {
                                flights++;
                                continue;
                        }
                        shun(p, err.text);
                        at_ms = p->next_ms;
                }
                if (at_ms > now_ms && (wake_ms == 0 || at_ms < wake_ms))
                        wake_ms = at_ms;
        }
        if (wake_ms)
                loop_timer_start(o->timer, wake_ms - now_ms);
}

static void on_timer(void *ctx)
{
        step(ctx);
}

/* ---- start and end ---- */

static int add_metrics(struct outbox *o, struct err *err)
{
        static const char told[] = "Revocations and proofs that the registrar has taken.";
        static const struct metric_label kinds[2] = {{"kind", "revocation"}, {"kind", "proof"}};
        struct metrics *m = ops_metrics(o->v->ops);

        for (size_t i = 0; i < 2; i++)
                if (metrics_add(m, METRIC_COUNTER, "avow_registrar_told", told, &kinds[i], 1, &o->posted[i],
                                err) < 0)
                        return -(int)err->kind;
        if (metrics_add(m, METRIC_COUNTER, "avow_registrar_refusals",
                        "Revocations and proofs that the registrar refused, each attempt.", NULL, 0,
                        &o->refused, err) < 0)
                return -(int)err->kind;
        return metrics_add(m, METRIC_GAUGE, "avow_registrar_waiting",
                           "Revocations and proofs on their way to the registrar.", NULL, 0, &o->waiting,
                           err);
}

int outbox_start(struct verifier *v, struct err *err)
{
        struct outbox *o;
        int r;

        if (!v->registrar)
                return 0;
        o = mem_zalloc(1, sizeof(*o));
        if (!o)
                return err_nomem(err);
        o->v = v;
        r = add_metrics(o, err);
        if (r >= 0)
                r = loop_timer_new(v->loop, on_timer, o, &o->timer, err);
        if (r < 0) {
                outbox_stop(o);
                outbox_free(o);
                return r;
        }
        v->outbox = o;
        outbox_wake(o);
        return 0;
}

void outbox_wake(struct outbox *o)
{
        if (!o || o->stopped)
                return;
        o->stale[false] = o->stale[true] = true;
        step(o);
}

void outbox_stop(struct outbox *o)
{
        if (!o)
                return;
        o->stopped = true;
        renumber_cancel(o->renumber);
        o->renumber = NULL;
        for (size_t i = 0; i < o->n; i++) {
                if (o->posts[i]->call)
                        http_client_cancel(o->posts[i]->call);
                o->posts[i]->call = NULL;
        }
        loop_timer_free(o->timer);
        o->timer = NULL;
}

void outbox_free(struct outbox *o)
{
        if (!o)
                return;
        for (size_t i = 0; i < o->n; i++)
                post_free(o->posts[i]);
        free(o);
}
