/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long measurement list, or evidence of a processor, is judged beside the loop, so that the hosts that only
 * say "nothing new" are not held up. The thread works on what belongs to this round alone: the evidence, a
 * copy of the key and of what is remembered, and the rules in force, which nobody changes. The host may be
 * gone when it ends.
 */
#include "verifier/appraise_away.h"

#include <stdlib.h>

#include "evidence/tpm_public.h"
#include "http/workers.h"
#include "verifier/endorsed.h"

struct away {
        struct round *r;
        away_done_fn done;
        struct buf ak_bytes;
        struct tpm_public ak;
        struct counters_record counters;
        struct continuation *before;
        struct policy_effective *policy;
        struct endorsed *endorsed; /* what in.tee_trust is of */
        struct evidence evidence;
        struct expectation expectation;
        struct appraisal in;
        int n;
        struct err err;
};

static void away_free(struct away *a)
{
        if (!a)
                return;
        buf_free(&a->ak_bytes);
        continuation_free(a->before);
        policy_effective_free(a->policy);
        endorsed_free(a->endorsed);
        free(a);
}
DEFINE_AUTO(struct away, away_free)

static void run(void *ctx)
{
        struct away *a = ctx;
        size_t slot;

        a->in.tee_warm = endorsed_take_warm(a->endorsed, &slot);
        a->n = appraise(&a->in, &a->r->result, &a->err);
        endorsed_give_warm(a->endorsed, slot);
}

static void on_done(void *ctx, bool ran)
{
        AUTO(away_free_p) struct away *a = ctx;

        if (!ran)
                a->n = err_set(&a->err, ERR_IO, 0, "the verifier stops");
        a->done(a->r, a->n, &a->err);
}

int appraise_away(struct round *r, const struct host *host, const struct appraisal *in,
                  const struct policy_effective *policy, away_done_fn done, struct err *err)
{
        AUTO(away_free_p) struct away *a = mem_zalloc(1, sizeof(*a));
        int n;

        if (!a)
                return err_nomem(err);
        a->r = r;
        a->done = done;
        buf_put_view(&a->ak_bytes, VIEW_BUF(&host->e.ak));
        if (!buf_ok(&a->ak_bytes))
                return err_nomem(err);
        n = tpm2b_public_parse(VIEW_BUF(&a->ak_bytes), &a->ak, err);
        if (n < 0)
                return n;
        if (in->before && !(a->before = continuation_dup(in->before)))
                return err_nomem(err);
        a->counters = host->counters;
        a->policy = policy_effective_ref(policy);
        a->endorsed = endorsed_ref(r->v->endorsed);
        a->evidence = *in->evidence;
        a->evidence.ak = &a->ak;
        a->evidence.ak_key = NULL; /* the table's own, for its thread */
        a->expectation = *in->expectation;
        a->expectation.counters = &a->counters;
        a->in = *in;
        a->in.evidence = &a->evidence;
        a->in.expectation = &a->expectation;
        a->in.policy = a->policy;
        a->in.before = a->before;
        n = workers_do(r->v->workers, in->ima.len + in->tee.evidence.len + in->tee.table.len, run, on_done, a,
                       err);
        if (n < 0)
                return n;
        (void)TAKE(a);
        return 0;
}
