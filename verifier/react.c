/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graded reactions. Suspending is cheap and undone by the next pass, so it is never waited with. Destroying
 * cannot be undone, so it needs a failure that evidence showed (silence and logs that do not replay suspend
 * only), a policy that asks for it, its delay, and a fuse that is whole. Being revoked ends only when
 * somebody asked for it and the host then passed over a challenge of seconds.
 */
#include "verifier/react.h"

#include <stdlib.h>

#define NEVER INT64_MAX

static const struct react_result nothing = {.outcome = REACT_NOTHING};
static const struct react_result noted = {.outcome = REACT_NOTE};

static struct react_result revoke(enum reaction reaction)
{
        return (struct react_result){.outcome = REACT_REVOKE, .reaction = reaction};
}

static void set_trust(struct host_trust *t, enum trust trust, int64_t now_ms)
{
        if (t->trust != (int)trust)
                t->since_ms = now_ms;
        t->trust = (int)trust;
}

void react_forget_reinstatement(struct host_trust *t)
{
        free(t->reinstate_actor);
        free(t->reinstate_reason);
        t->reinstate_actor = t->reinstate_reason = NULL;
        t->reinstate_until_ms = 0;
        t->reinstate_unwiped = false;
}

bool react_wiped_enough(const struct host_trust *t, bool has_counters, uint64_t epoch)
{
        return t->wipe == WIPE_NONE || t->wipe == WIPE_WIPED || (has_counters && epoch > t->epoch) ||
               t->reinstate_unwiped;
}

int64_t react_destroy_at_ms(const struct react_input *in)
{
        const struct host_trust *was = in->was;
        int64_t at_ms = NEVER;

        if (in->verdict != VERDICT_FAIL || !in->enforced || was->trust == TRUST_REVOKED)
                return NEVER;
        /* from when it is first asked for: a policy that begins to ask finds hosts that failed long ago, and
         * the fuse needs the delay to count them */
        if (in->on_fail.destroy)
                at_ms = in->now_ms + in->on_fail.destroy_after_ms;
        if (in->on_fail.destroy_now & (1u << in->worst))
                at_ms = in->now_ms < at_ms ? in->now_ms : at_ms;
        /* what was to be destroyed earlier does not gain time by another finding */
        if (at_ms != NEVER && was->destroy_at_ms && was->destroy_at_ms < at_ms)
                at_ms = was->destroy_at_ms;
        return at_ms;
}

static struct react_result destroy(const struct react_input *in, struct host_trust *next)
{
        set_trust(next, TRUST_REVOKED, in->now_ms);
        next->wipe = in->has_counters ? WIPE_PENDING : WIPE_NONE;
        next->epoch = in->epoch;
        next->destroy_at_ms = 0;
        next->held = false;
        react_forget_reinstatement(next);
        return revoke(REACTION_DESTROY);
}

static struct react_result to_pass(const struct react_input *in, struct host_trust *next)
{
        const struct host_trust *was = in->was;
        bool clean = !was->failed_at_ms && !was->destroy_at_ms && !was->held && !was->reinstate_actor;

        if (was->trust == TRUST_REVOKED &&
            (!was->reinstate_actor || in->now_ms > was->reinstate_until_ms || !in->immediate ||
             !in->enforced || !react_wiped_enough(was, in->has_counters, in->epoch)))
                return nothing;
        next->failed_at_ms = next->destroy_at_ms = 0;
        next->held = false;
        react_forget_reinstatement(next);
        if (was->trust == TRUST_TRUSTED)
                return clean ? nothing : noted;
        set_trust(next, TRUST_TRUSTED, in->now_ms);
        next->wipe = WIPE_NONE;
        next->wipe_by_ms = 0;
        return revoke(REACTION_REINSTATE);
}

static struct react_result to_fail(const struct react_input *in, struct host_trust *next)
{
        const struct host_trust *was = in->was;
        int64_t at_ms = react_destroy_at_ms(in);

        if (was->trust == TRUST_REVOKED)
                return nothing;
        if (!next->failed_at_ms)
                next->failed_at_ms = in->now_ms;
        next->destroy_at_ms = at_ms == NEVER ? 0 : at_ms;
        if (at_ms <= in->now_ms && !in->held)
                return destroy(in, next);
        next->held = at_ms <= in->now_ms;
        if (was->trust == TRUST_TRUSTED) {
                set_trust(next, TRUST_SUSPENDED, in->now_ms);
                return revoke(REACTION_SUSPEND);
        }
        return next->failed_at_ms != was->failed_at_ms || next->destroy_at_ms != was->destroy_at_ms ||
                               next->held != was->held
                       ? noted
                       : nothing;
}

struct react_result react_to_evidence(const struct react_input *in, struct host_trust *next)
{
        if (in->verdict == VERDICT_PASS)
                return to_pass(in, next);
        if (!in->enforced || in->verdict == VERDICT_REFUSED)
                return nothing;
        if (in->verdict == VERDICT_FAIL)
                return to_fail(in, next);
        if (in->unreplayed && in->was->trust == TRUST_TRUSTED) { /* SR-4: suspend, and never more */
                set_trust(next, TRUST_SUSPENDED, in->now_ms);
                return revoke(REACTION_SUSPEND);
        }
        return nothing;
}

struct react_result react_to_time(const struct react_input *in, struct host_trust *next)
{
        const struct host_trust *was = in->was;
        struct react_result r = nothing;

        if (was->reinstate_actor && in->now_ms > was->reinstate_until_ms) {
                react_forget_reinstatement(next);
                r = noted;
        }
        if (was->trust == TRUST_TRUSTED && in->lapsed) {
                set_trust(next, TRUST_SUSPENDED, in->now_ms);
                return revoke(REACTION_SUSPEND);
        }
        if (was->trust != TRUST_SUSPENDED || !was->destroy_at_ms)
                return r;
        if (!in->on_fail.destroy && !in->on_fail.destroy_now) { /* another policy was pushed meanwhile */
                next->destroy_at_ms = 0;
                next->held = false;
                return noted;
        }
        if (in->now_ms < was->destroy_at_ms)
                return r;
        if (!in->held)
                return destroy(in, next);
        next->held = true;
        return was->held ? r : noted;
}
