/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the fuse meets the fleet. A blown fuse is written to the database, so that a restart does not mend
 * it; what it counted is told anew from the hosts' rows. A hold ends when a second person confirms it (then
 * what waits is destroyed, and for one window no new hold is made), or by itself when nothing waits any more
 * and its window is over: the next good policy brought all back.
 */
#include "verifier/holds.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/fuse.h"
#include "verifier/trust.h"

#define FLEET ""

static const char *policy_of(const struct host *host)
{
        return host->rules ? ruleset_name(host->rules) : NULL;
}

static bool applies(const char *policy, const struct host *host)
{
        return policy[0] == '\0' || str_equal(policy_of(host), policy);
}

size_t holds_waiting(struct verifier *v, const char *policy)
{
        struct host *host;
        size_t n = 0, pos = 0;

        while ((host = hosts_next(v->hosts, &pos)) != NULL)
                n += host->s.trust.trust == TRUST_SUSPENDED && host->s.trust.destroy_at_ms &&
                     applies(policy, host);
        return n;
}

static void on_written(void *ctx, enum store_outcome outcome, const struct err *err)
{
        (void)ctx;
        if (outcome == STORE_FAILED)
                log_err(err, "a hold on destroys is not on the disk: it holds until the next restart only");
}

static int write_hold(struct verifier *v, const struct hold *hold, const char *action, const char *actor,
                      verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = json_pack("{s:s?, s:s?, s:s?}", "reason", hold->reason, "pushed_by", hold->pushed_by,
                              "confirmed_by", hold->confirmed_by);
        AUTO(mem_free_p) char *detail = j ? json_print(j) : NULL;
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .actor = actor,
                                    .action = action,
                                    .object = hold->policy[0] ? hold->policy : "fleet",
                                    .detail = detail};

        return detail ? verifier_db_hold_set(v->db, hold, &entry, done, ctx, err) : err_nomem(err);
}

/* Without memory the hold is not made, and the destroy at hand is held all the same. */
static void blow(struct verifier *v, const char *policy, const char *pushed_by, char *reason, int64_t now_ms)
{
        struct hold hold = {.policy = str_dup(policy),
                            .since_ms = now_ms,
                            .reason = reason,
                            .pushed_by = pushed_by ? str_dup(pushed_by) : NULL};
        struct err err = ERR_INIT;

        if (!hold.policy || !hold.reason || (pushed_by && !hold.pushed_by)) {
                hold_free(&hold);
                return;
        }
        log_with(LOG_LEVEL_ERROR, LOG_FIELDS({"AVOW_POLICY", policy}),
                 "the fuse of %s%s is blown: %s. Nothing more is destroyed until a second person confirms "
                 "('avow revocation confirm')",
                 policy[0] ? "policy " : "the fleet", policy, hold.reason);
        events_emit(v->events, "fuse.blown", NULL, policy[0] ? policy : "fleet", NULL, hold.reason);
        if (write_hold(v, &hold, "fuse.blow", "verifier", on_written, NULL, &err) < 0)
                log_err(&err, "a hold on destroys is not on the disk");
        if (fuse_put_hold(v->fuse, &hold, &err) < 0)
                log_err(&err, "a hold on destroys");
        hold_free(&hold);
}

static void check(struct verifier *v, const char *policy, const char *pushed_by, size_t n_hosts,
                  int64_t now_ms)
{
        const struct fuse_limits *limits = &v->settings.fuse;
        const struct hold *hold = fuse_hold(v->fuse, policy);
        size_t count = fuse_count(v->fuse, policy);
        char within[CLOCK_TEXT_BYTES];

        if ((hold && !hold->confirmed_by) || fuse_confirmed(v->fuse, policy, now_ms) ||
            !fuse_too_many(limits, count, n_hosts))
                return;
        blow(v, policy, pushed_by,
             str_fmt("%zu of %zu hosts were to be destroyed within %s", count, n_hosts,
                     clock_format_duration(limits->within_ms, within)),
             now_ms);
}

bool holds_destroy(struct verifier *v, const struct host *host, int64_t at_ms, int64_t now_ms)
{
        const char *policy = policy_of(host), *pushed_by;
        /* it counts when that is first asked for: many that fail one by one, with a long delay, blow no fuse
         */
        bool first = host->s.trust.destroy_at_ms == 0;
        struct err err = ERR_INIT;

        if (at_ms == INT64_MAX || !policy)
                return false;
        pushed_by = ruleset_pushed_by(host->rules);
        if (first && (fuse_note(v->fuse, policy, host->e.name, now_ms, &err) < 0 ||
                      fuse_note(v->fuse, FLEET, host->e.name, now_ms, &err) < 0))
                return true;
        check(v, policy, pushed_by, ruleset_hosts(host->rules), now_ms);
        check(v, FLEET, pushed_by, hosts_count(v->hosts), now_ms);
        return v->holds_unknown || fuse_holds(v->fuse, policy);
}

void trust_loaded(struct verifier *v, const struct host *host)
{
        const struct host_trust *t = &host->s.trust;
        const char *policy = policy_of(host);
        struct err err = ERR_INIT;

        if (!policy || !t->failed_at_ms || (t->trust != TRUST_REVOKED && !t->destroy_at_ms))
                return;
        if (fuse_note(v->fuse, policy, host->e.name, t->failed_at_ms, &err) < 0 ||
            fuse_note(v->fuse, FLEET, host->e.name, t->failed_at_ms, &err) < 0)
                log_err(&err, "host %s does not count for the fuse", SHOW(host->e.name));
}

void trust_forced(struct verifier *v, const char *policy, size_t n, const char *actor)
{
        struct ruleset *rules = rules_find(v->rules, policy);
        int64_t now_ms = clock_now_ms();

        if (!fuse_too_many(&v->settings.fuse, n, rules ? ruleset_hosts(rules) : 0) ||
            fuse_holds(v->fuse, policy))
                return;
        blow(v, policy, actor, str_fmt("%zu passing hosts would fail under the version that was forced", n),
             now_ms);
}

/* ---- how they end ---- */

static void end_hold(struct verifier *v, const struct hold *hold)
{
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .actor = "verifier",
                                    .action = "fuse.mend",
                                    .object = hold->policy[0] ? hold->policy : "fleet"};
        struct err err = ERR_INIT;

        if (verifier_db_hold_remove(v->db, hold->policy, &entry, on_written, NULL, &err) < 0) {
                log_err(&err, "ending a hold on destroys");
                return;
        }
        log_info("the fuse of %s%s is whole again", hold->policy[0] ? "policy " : "the fleet", hold->policy);
        events_emit(v->events, "fuse.mended", NULL, entry.object, NULL, NULL);
        fuse_remove_hold(v->fuse, hold->policy); /* HOLD is gone */
}

void holds_sweep(struct verifier *v, int64_t now_ms)
{
        const struct hold *hold;
        size_t pos = 0;

        fuse_expire(v->fuse, &v->settings.fuse, now_ms);
        while ((hold = fuse_next_hold(v->fuse, &pos)) != NULL) {
                bool over = hold->confirmed_by ? now_ms >= hold->until_ms
                                               : now_ms - hold->since_ms > v->settings.fuse.within_ms &&
                                                         holds_waiting(v, hold->policy) == 0;

                if (over)
                        end_hold(v, hold);
        }
}

/* "CN=ann (admin) from 127.0.0.1": who it is comes before the roles. */
static bool same_person(const char *a, const char *b)
{
        const char *end = a ? strstr(a, " (") : NULL;
        size_t n = end ? (size_t)(end - a) : 0;

        return n > 0 && b && strncmp(a, b, n) == 0 && strncmp(b + n, " (", 2) == 0;
}

bool holds_second_person(struct verifier *v, const char *policy, const char *actor)
{
        const struct hold *hold = fuse_hold(v->fuse, policy);
        struct host *host;
        size_t pos = 0;

        if (hold && same_person(hold->pushed_by, actor))
                return false;
        while ((host = hosts_next(v->hosts, &pos)) != NULL)
                if (host->s.trust.trust == TRUST_SUSPENDED && host->s.trust.destroy_at_ms && host->rules &&
                    applies(policy, host) && same_person(ruleset_pushed_by(host->rules), actor))
                        return false;
        return true;
}

/* ---- the second person ---- */

struct confirming {
        struct verifier *v;
        struct hold hold;
        verifier_done_fn done;
        void *ctx;
};

static void confirming_free(struct confirming *c)
{
        if (c)
                hold_free(&c->hold);
        free(c);
}
DEFINE_AUTO(struct confirming, confirming_free)

/* In memory last: what may not be on the disk is not confirmed. */
static void on_confirmed(void *ctx, enum store_outcome outcome, const struct err *store_err)
{
        AUTO(confirming_free_p) struct confirming *c = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_OK && fuse_put_hold(c->v->fuse, &c->hold, &err) < 0) {
                outcome = STORE_FAILED;
                store_err = &err;
        }
        c->done(c->ctx, outcome, store_err);
}

int trust_confirm(struct verifier *v, const char *policy, const char *actor, verifier_done_fn done, void *ctx,
                  struct err *err)
{
        const struct hold *was = fuse_hold(v->fuse, policy);
        AUTO(confirming_free_p) struct confirming *c = mem_zalloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_nomem(err);
        c->v = v;
        c->done = done;
        c->ctx = ctx;
        c->hold = (struct hold){.policy = str_dup(policy),
                                .since_ms = was->since_ms,
                                .reason = str_dup(was->reason ? was->reason : ""),
                                .pushed_by = was->pushed_by ? str_dup(was->pushed_by) : NULL,
                                .confirmed_by = str_dup(actor),
                                .until_ms = clock_now_ms() + v->settings.fuse.within_ms};
        if (!c->hold.policy || !c->hold.reason || !c->hold.confirmed_by ||
            (was->pushed_by && !c->hold.pushed_by))
                return err_nomem(err);
        r = write_hold(v, &c->hold, "fuse.confirm", actor, on_confirmed, c, err);
        if (r >= 0)
                (void)TAKE(c);
        return r;
}

/* ---- at start ---- */

static void on_holds(void *ctx, enum store_outcome outcome, struct hold *holds, size_t n,
                     const struct err *store_err)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED) {
                log_err(store_err, "reading the holds on destroys: nothing is destroyed until a restart");
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (fuse_put_hold(v->fuse, &holds[i], &err) < 0) {
                        log_err(&err, "reading the holds on destroys: nothing is destroyed until a restart");
                        return;
                }
        v->holds_unknown = false;
}

int trust_start(struct verifier *v, struct err *err)
{
        v->holds_unknown = true;
        return verifier_db_holds(v->db, on_holds, v, err);
}
