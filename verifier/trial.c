/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying a policy before it decides anything. A wrong policy fails nearly all hosts alike, so a trial that
 * runs out of time has still seen it; what it has not seen is the fuse's (holds.c).
 *
 * Long lists are judged on the threads that judge them when they are received (appraise_away.c), one piece at
 * a time: a policy that is pushed must not hold up the hosts that attest meanwhile.
 */
#include "verifier/trial.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/workers.h"
#include "policy/appraise.h"
#include "verifier/appraise_away.h"
#include "verifier/endorsed.h"
#include "verifier/policy_test.h"

struct trial {
        struct verifier *v;
        struct policy_effective *effective;
        struct strv names;
        size_t at, enough, last;
        size_t n_of_host; /* pieces tried of the host that it is at */
        int64_t before_n; /* the number of the last of them */
        int64_t until_ms; /* monotonic; 0: for ever */
        struct trial_sum sum;
        trial_each_fn each;
        trial_done_fn done;
        void *ctx;
};

static void trial_free(struct trial *t)
{
        if (!t)
                return;
        policy_effective_free(t->effective);
        strv_done(&t->names);
        free(t);
}
DEFINE_AUTO(struct trial, trial_free)

static void finish(struct trial *t, const struct err *err)
{
        t->done(t->ctx, &t->sum, err);
        trial_free(t);
}

static void count(struct trial *t, const struct host *host, const struct verdict *verdict)
{
        struct trial_sum *sum = &t->sum;

        sum->n_tried++;
        if (!host->s.judged || host->s.verdict != VERDICT_PASS || !verdict->enforced ||
            verdict->state != VERDICT_FAIL)
                return;
        if (sum->n_newly_failing < ARRAY_LEN(sum->first))
                (void)snprintf(sum->first[sum->n_newly_failing], sizeof(sum->first[0]), "%s", host->e.name);
        sum->n_newly_failing++;
}

/* A kept piece of evidence and all that its judging needs: nothing of it is the loop's. */
struct piece {
        struct trial *t;
        int64_t n;
        struct bundle *bundle;
        struct policy_effective *policy;
        struct continuation *memory;
        struct endorsed *endorsed;
        struct digest ek_bytes;
        const struct digest *ek; /* these, or NULL */
        struct verdict *verdict;
        int r;
        struct err err;
};

static void piece_free(struct piece *p)
{
        if (!p)
                return;
        bundle_free(p->bundle);
        policy_effective_free(p->policy);
        continuation_free(p->memory);
        endorsed_free(p->endorsed);
        verdict_free(p->verdict);
        free(p);
}
DEFINE_AUTO(struct piece, piece_free)

static void piece_judge(void *ctx)
{
        struct piece *p = ctx;

        p->r = appraise_bundle(p->bundle, p->policy, p->memory, endorsed_trust(p->endorsed), p->ek,
                               &p->verdict, &p->err);
}

static void next_evidence(struct trial *t);

/* Goes on with the next host. */
static void next_host(struct trial *t)
{
        t->at++;
        t->n_of_host = 0;
        t->before_n = INT64_MAX;
        next_evidence(t);
}

/* The kept pieces are tried from the newest on. The host may be gone meanwhile. */
static int take_result(struct piece *p, const struct host *host, struct err *err)
{
        struct trial *t = p->t;
        struct trial_result result = {.verdict = p->verdict,
                                      .was = p->bundle->verdict->state,
                                      .received_at_ms = p->bundle->received_at_ms,
                                      .n = p->n,
                                      .newest = t->n_of_host == 0};

        if (p->r < 0) {
                *err = p->err;
                return p->r;
        }
        if (!host)
                return 0;
        if (result.newest)
                count(t, host, p->verdict);
        t->n_of_host++;
        t->before_n = p->n;
        return t->each && t->each(t->ctx, host, &result) < 0 ? err_nomem(err) : 0;
}

static void on_judged(void *ctx, bool ran)
{
        AUTO(piece_free_p) struct piece *p = ctx;
        struct trial *t = p->t;
        const struct host *host = hosts_find(t->v->hosts, t->names.items[t->at]);
        struct err err = ERR_INIT;

        if (!ran)
                p->r = err_set(&p->err, ERR_IO, 0, "the verifier stops");
        if (take_result(p, host, &err) < 0)
                finish(t, &err);
        else if (host && t->n_of_host < t->last)
                next_evidence(t);
        else
                next_host(t);
}

/* Return: 0, and on_judged() is called, now or later; -kind, and it is not. */
static int try_one(struct trial *t, const struct host *host, struct view text,
                   const struct view logs[static KEPT_N_LOGS], int64_t n, struct err *err)
{
        AUTO(piece_free_p) struct piece *p = mem_zalloc(1, sizeof(*p));
        size_t size = text.len;
        int r;

        if (!p)
                return err_nomem(err);
        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                size += logs[i].len;
        p->t = t;
        p->n = n;
        p->policy = policy_effective_ref(t->effective);
        p->endorsed = endorsed_ref(t->v->endorsed);
        p->ek = host_ek(host, &p->ek_bytes);
        if (host->cont && !(p->memory = continuation_dup(host->cont)))
                return err_nomem(err);
        r = bundle_with_logs(text, logs, &p->bundle, err);
        if (r < 0)
                return r;
        if (size > AWAY_BYTES && workers_do(t->v->workers, size, piece_judge, on_judged, p, &p->err) == 0) {
                (void)TAKE(p);
                return 0;
        }
        p->err = (struct err)ERR_INIT; /* short, or the threads have all that they may hold: here and now */
        piece_judge(p);
        on_judged(TAKE(p), true);
        return 0;
}

static void on_evidence(void *ctx, enum store_outcome outcome, struct view text,
                        const struct view logs[static KEPT_N_LOGS], int64_t n, const struct err *store_err)
{
        struct trial *t = ctx;
        const struct host *host = hosts_find(t->v->hosts, t->names.items[t->at]);
        const struct trial_result none = {.verdict = NULL};
        struct err err = ERR_INIT;
        int r = 0;

        if (outcome == STORE_FAILED) {
                finish(t, store_err);
                return;
        }
        if (outcome == STORE_OK && host) {
                if (try_one(t, host, text, logs, n, &err) < 0)
                        finish(t, &err);
                return;
        }
        if (host && t->n_of_host == 0 && t->each && t->each(t->ctx, host, &none) < 0)
                r = err_nomem(&err);
        if (r < 0)
                finish(t, &err);
        else
                next_host(t);
}

static void next_evidence(struct trial *t)
{
        struct err err = ERR_INIT;

        if (t->at == t->names.n || (t->enough && t->sum.n_newly_failing >= t->enough) ||
            (t->until_ms && loop_now_ms() > t->until_ms))
                finish(t, NULL);
        else if (verifier_db_evidence_before(t->v->db, NULL, t->names.items[t->at], t->before_n, on_evidence,
                                             t, &err) < 0)
                finish(t, &err);
}

static int find_names(struct trial *t, const struct trial_options *o, struct err *err)
{
        struct host *host;
        size_t pos = 0;

        while ((host = hosts_next(t->v->hosts, &pos)) != NULL) {
                if (o->only ? !str_equal(host->e.name, o->only) : !str_equal(host->e.policy, o->policy))
                        continue;
                if (o->passing && (!host->s.judged || host->s.verdict != VERDICT_PASS))
                        continue;
                if (strv_add(&t->names, host->e.name) < 0)
                        return err_nomem(err);
        }
        if (!o->budget_ms) /* else the table's order, which is none: whoever is left out is left out by chance
                            */
                strv_sort(&t->names);
        t->sum.n_hosts = t->names.n;
        return 0;
}

int trial_start(struct verifier *v, const struct trial_options *options, trial_each_fn each,
                trial_done_fn done, void *ctx, struct err *err)
{
        AUTO(trial_free_p) struct trial *t = mem_zalloc(1, sizeof(*t));
        int r;

        if (!t) {
                policy_effective_free(options->effective);
                return err_nomem(err);
        }
        t->v = v;
        t->effective = options->effective;
        t->enough = options->enough;
        t->last = options->last ? options->last : 1;
        t->before_n = INT64_MAX;
        t->until_ms = options->budget_ms ? loop_now_ms() + options->budget_ms : 0;
        t->each = each;
        t->done = done;
        t->ctx = ctx;
        r = find_names(t, options, err);
        if (r < 0)
                return r;
        next_evidence(TAKE(t));
        return 0;
}
