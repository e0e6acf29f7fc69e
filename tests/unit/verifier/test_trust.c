/* SPDX-License-Identifier: Apache-2.0 */
/* Graded reactions, the fuse, and the text of revocations: SR-2, SR-3, SR-4, SR-8. */
#include <stdlib.h>

#include "base/json.h"
#include "crypto/jws.h"
#include "evidence/revocation_order.h"
#include "support/support.h"
#include "verifier/fuse.h"
#include "verifier/react.h"
#include "verifier/revocation.h"

#define NOW  1000000
#define LONG 60000

static struct react_result evidence(struct host_trust *t, struct react_input in)
{
        struct host_trust was = *t;

        in.was = &was;
        if (!in.now_ms)
                in.now_ms = NOW;
        return react_to_evidence(&in, t);
}

static struct react_result passing_time(struct host_trust *t, struct react_input in)
{
        struct host_trust was = *t;

        in.was = &was;
        return react_to_time(&in, t);
}

/* An enforced failure or pass; the caller says the rest. */
#define FAIL(...) ((struct react_input){.verdict = VERDICT_FAIL, __VA_ARGS__, .enforced = true})
#define PASS(...) ((struct react_input){__VA_ARGS__ __VA_OPT__(, ).verdict = VERDICT_PASS, .enforced = true})

#define assert_reaction(r, x)                                                                                \
        do {                                                                                                 \
                struct react_result r_ = (r);                                                                \
                assert_int_equal(r_.outcome, REACT_REVOKE);                                                  \
                assert_int_equal(r_.reaction, (x));                                                          \
        } while (0)
#define assert_outcome(r, x) assert_int_equal((r).outcome, (x))

static const struct policy_on_fail suspends = {.destroy = false};
static const struct policy_on_fail destroys = {.destroy = true, .destroy_after_ms = LONG};
static const struct policy_on_fail at_once = {.destroy = true, .destroy_after_ms = 0};
static const struct policy_on_fail if_critical = {.destroy_now = 1u << SEVERITY_CRITICAL};

static void suspend_and_back(void **state)
{
        struct host_trust t = {.trust = TRUST_TRUSTED};

        (void)state;
        assert_outcome(evidence(&t, PASS()), REACT_NOTHING);
        assert_reaction(evidence(&t, FAIL(.on_fail = suspends)), REACTION_SUSPEND);
        assert_int_equal(t.trust, TRUST_SUSPENDED);
        assert_int_equal(t.since_ms, NOW);
        assert_int_equal(t.failed_at_ms, NOW);
        assert_int_equal(t.destroy_at_ms, 0);
        assert_outcome(evidence(&t, FAIL(.on_fail = suspends, .now_ms = NOW + 5)), REACT_NOTHING);
        assert_outcome(passing_time(&t, (struct react_input){.now_ms = NOW + 100 * LONG}), REACT_NOTHING);
        assert_reaction(evidence(&t, PASS(.now_ms = NOW + 9)), REACTION_REINSTATE);
        assert_int_equal(t.trust, TRUST_TRUSTED);
        assert_int_equal(t.failed_at_ms, 0);
        assert_int_equal(t.since_ms, NOW + 9);
}

static void destroy_after_its_delay(void **state)
{
        struct host_trust t = {.trust = TRUST_TRUSTED};

        (void)state;
        assert_reaction(evidence(&t, FAIL(.on_fail = destroys)), REACTION_SUSPEND);
        assert_int_equal(t.destroy_at_ms, NOW + LONG);
        assert_outcome(evidence(&t, FAIL(.on_fail = destroys, .now_ms = NOW + LONG - 1)), REACT_NOTHING);
        assert_outcome(passing_time(&t, (struct react_input){.on_fail = destroys, .now_ms = NOW + LONG - 1}),
                       REACT_NOTHING);
        assert_reaction(passing_time(&t, (struct react_input){.on_fail = destroys,
                                                              .now_ms = NOW + LONG,
                                                              .has_counters = true,
                                                              .epoch = 7}),
                        REACTION_DESTROY);
        assert_int_equal(t.trust, TRUST_REVOKED);
        assert_int_equal(t.wipe, WIPE_PENDING);
        assert_int_equal(t.epoch, 7);
        assert_int_equal(t.destroy_at_ms, 0);
        /* a pass before it is due spares the host */
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_reaction(evidence(&t, FAIL(.on_fail = destroys)), REACTION_SUSPEND);
        assert_reaction(evidence(&t, PASS(.now_ms = NOW + LONG - 1)), REACTION_REINSTATE);
        assert_outcome(passing_time(&t, (struct react_input){.on_fail = destroys, .now_ms = NOW + 2 * LONG}),
                       REACT_NOTHING);
        /* a policy that begins to ask for it finds a host that failed long ago: the delay begins then */
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_reaction(evidence(&t, FAIL(.on_fail = suspends)), REACTION_SUSPEND);
        assert_outcome(evidence(&t, FAIL(.on_fail = destroys, .now_ms = NOW + 9 * LONG)), REACT_NOTE);
        assert_int_equal(t.destroy_at_ms, NOW + 10 * LONG);
        assert_reaction(evidence(&t, PASS(.now_ms = NOW + 10 * LONG - 1)), REACTION_REINSTATE);
        /* and so does another policy that was pushed meanwhile */
        assert_reaction(evidence(&t, FAIL(.on_fail = destroys)), REACTION_SUSPEND);
        assert_outcome(passing_time(&t, (struct react_input){.on_fail = suspends, .now_ms = NOW + LONG}),
                       REACT_NOTE);
        assert_int_equal(t.trust, TRUST_SUSPENDED);
        assert_int_equal(t.destroy_at_ms, 0);
}

static void destroy_at_once(void **state)
{
        struct host_trust t = {.trust = TRUST_TRUSTED};

        (void)state;
        assert_reaction(evidence(&t, FAIL(.on_fail = at_once)), REACTION_DESTROY);
        assert_int_equal(t.trust, TRUST_REVOKED);
        assert_int_equal(t.wipe, WIPE_NONE); /* no counter: nothing that could be ended */
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_reaction(evidence(&t, FAIL(.on_fail = if_critical)), REACTION_SUSPEND);
        assert_int_equal(t.destroy_at_ms, 0);
        assert_reaction(evidence(&t, FAIL(.on_fail = if_critical, .worst = SEVERITY_CRITICAL)),
                        REACTION_DESTROY);
        /* a milder finding does not move an earlier date */
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_reaction(evidence(&t, FAIL(.on_fail = if_critical, .worst = SEVERITY_CRITICAL, .held = true)),
                        REACTION_SUSPEND);
        assert_true(t.held);
        assert_outcome(evidence(&t, FAIL(.on_fail = destroys, .held = true, .now_ms = NOW + 1)),
                       REACT_NOTHING);
        assert_int_equal(t.destroy_at_ms, NOW);
}

static void held_by_the_fuse(void **state)
{
        struct host_trust t = {.trust = TRUST_TRUSTED};
        struct react_input later = {.on_fail = at_once, .held = true, .now_ms = NOW + LONG};

        (void)state;
        assert_reaction(evidence(&t, FAIL(.on_fail = at_once, .held = true)), REACTION_SUSPEND);
        assert_int_equal(t.trust, TRUST_SUSPENDED);
        assert_true(t.held);
        assert_outcome(passing_time(&t, later), REACT_NOTHING);
        later.held = false; /* confirmed */
        assert_reaction(passing_time(&t, later), REACTION_DESTROY);
        assert_false(t.held);
        /* the next good policy brings it back */
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_reaction(evidence(&t, FAIL(.on_fail = at_once, .held = true)), REACTION_SUSPEND);
        assert_reaction(evidence(&t, PASS()), REACTION_REINSTATE);
        assert_false(t.held);
}

/* Silence and rubbish suspend; neither ever destroys. */
static void silence(void **state)
{
        struct host_trust t = {.trust = TRUST_TRUSTED};

        (void)state;
        assert_reaction(
                passing_time(&t, (struct react_input){.lapsed = true, .on_fail = at_once, .now_ms = NOW}),
                REACTION_SUSPEND);
        assert_int_equal(t.failed_at_ms, 0);
        assert_outcome(passing_time(&t, (struct react_input){.on_fail = at_once, .now_ms = NOW + 100 * LONG}),
                       REACT_NOTHING);
        assert_int_equal(t.trust, TRUST_SUSPENDED);
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_outcome(evidence(&t, (struct react_input){.enforced = true, .on_fail = at_once}),
                       REACT_NOTHING);
        assert_reaction(evidence(&t, (struct react_input){.enforced = true,
                                                          .on_fail = at_once,
                                                          .worst = SEVERITY_CRITICAL,
                                                          .unreplayed = true}),
                        REACTION_SUSPEND);
        assert_int_equal(t.destroy_at_ms, 0);
        t = (struct host_trust){.trust = TRUST_TRUSTED};
        assert_outcome(evidence(&t, (struct react_input){.verdict = VERDICT_REFUSED,
                                                         .enforced = true,
                                                         .worst = SEVERITY_CRITICAL,
                                                         .on_fail = at_once}),
                       REACT_NOTHING);
        /* an observing policy suspends nobody */
        assert_outcome(evidence(&t, (struct react_input){.verdict = VERDICT_FAIL, .on_fail = at_once}),
                       REACT_NOTHING);
}

static void ask(struct host_trust *t, bool unwiped)
{
        react_forget_reinstatement(t);
        t->reinstate_actor = strdup("CN=ann (recovery)");
        t->reinstate_reason = strdup("disk replaced");
        t->reinstate_until_ms = NOW + LONG;
        t->reinstate_unwiped = unwiped;
}

static void revoked_until_reinstated(void **state)
{
        struct host_trust t = {.trust = TRUST_REVOKED, .wipe = WIPE_PENDING, .epoch = 4};

        (void)state;
        assert_outcome(evidence(&t, PASS(.immediate = true)), REACT_NOTHING);
        assert_outcome(evidence(&t, FAIL(.on_fail = at_once)), REACT_NOTHING);
        ask(&t, false);
        assert_outcome(evidence(&t, PASS(.immediate = true)), REACT_NOTHING); /* not wiped */
        assert_outcome(evidence(&t, PASS(.immediate = true, .has_counters = true, .epoch = 4)),
                       REACT_NOTHING);
        t.wipe = WIPE_WIPED;
        assert_outcome(evidence(&t, PASS()), REACT_NOTHING); /* not over a challenge of seconds */
        assert_outcome(evidence(&t, (struct react_input){.verdict = VERDICT_PASS, .immediate = true}),
                       REACT_NOTHING);
        assert_outcome(evidence(&t, PASS(.immediate = true, .now_ms = NOW + LONG + 1)), REACT_NOTHING);
        assert_int_equal(t.trust, TRUST_REVOKED);
        assert_reaction(evidence(&t, PASS(.immediate = true)), REACTION_REINSTATE);
        assert_int_equal(t.trust, TRUST_TRUSTED);
        assert_int_equal(t.wipe, WIPE_NONE);
        assert_null(t.reinstate_actor);
        /* an epoch beyond the one that was ended says as much as a proof */
        t = (struct host_trust){.trust = TRUST_REVOKED, .wipe = WIPE_UNPROVEN, .epoch = 4};
        ask(&t, false);
        assert_reaction(evidence(&t, PASS(.immediate = true, .has_counters = true, .epoch = 5)),
                        REACTION_REINSTATE);
        t = (struct host_trust){.trust = TRUST_REVOKED, .wipe = WIPE_UNPROVEN, .epoch = 4};
        ask(&t, true);
        assert_reaction(evidence(&t, PASS(.immediate = true)), REACTION_REINSTATE);
        /* what nobody used ends by itself */
        t = (struct host_trust){.trust = TRUST_REVOKED, .wipe = WIPE_WIPED};
        ask(&t, false);
        assert_outcome(passing_time(&t, (struct react_input){.now_ms = NOW + LONG}), REACT_NOTHING);
        assert_outcome(passing_time(&t, (struct react_input){.now_ms = NOW + LONG + 1}), REACT_NOTE);
        assert_null(t.reinstate_actor);
}

/* ---- fuse ---- */

static void note(struct fuse *f, const char *policy, int host, int64_t at_ms)
{
        struct err err = ERR_INIT;
        char name[16];

        (void)snprintf(name, sizeof(name), "h%d", host);
        assert_ok(fuse_note(f, policy, name, at_ms, &err), &err);
}

static void fuse_counts_hosts(void **state)
{
        const struct fuse_limits limits = {.hosts = 5, .percent = 2, .within_ms = 600};
        struct err err = ERR_INIT;
        AUTO(fuse_free_p) struct fuse *f = NULL;

        (void)state;
        assert_ok(fuse_new(&f, &err), &err);
        for (int i = 0; i < 100; i++) /* one host, however often */
                note(f, "p", 1, NOW + i);
        assert_int_equal(fuse_count(f, "p"), 1);
        for (int i = 0; i < 6; i++)
                note(f, "p", i, NOW + 100);
        assert_int_equal(fuse_count(f, "p"), 6);
        assert_int_equal(fuse_count(f, "q"), 0);
        assert_true(fuse_too_many(&limits, 6, 200));
        assert_false(fuse_too_many(&limits, 5, 5));   /* not more than five */
        assert_false(fuse_too_many(&limits, 6, 300)); /* not more than 2 % */
        assert_true(fuse_too_many(&limits, 7, 300));
        fuse_expire(f, &limits, NOW + 700);
        assert_int_equal(fuse_count(f, "p"), 6);
        note(f, "p", 3, NOW + 600); /* again: counts from then */
        fuse_expire(f, &limits, NOW + 701);
        assert_int_equal(fuse_count(f, "p"), 1);
        fuse_expire(f, &limits, NOW + 2000);
        assert_int_equal(fuse_count(f, "p"), 0);
}

static void put_hold(struct fuse *f, const char *policy, const char *by, int64_t until_ms)
{
        struct hold h = {
                .policy = strdup(policy), .confirmed_by = by ? strdup(by) : NULL, .until_ms = until_ms};
        struct err err = ERR_INIT;

        assert_ok(fuse_put_hold(f, &h, &err), &err);
        assert_null(h.policy);
}

static void fuse_holds_until_confirmed(void **state)
{
        struct err err = ERR_INIT;
        AUTO(fuse_free_p) struct fuse *f = NULL;

        (void)state;
        assert_ok(fuse_new(&f, &err), &err);
        put_hold(f, "p", NULL, 0);
        assert_true(fuse_holds(f, "p"));
        assert_false(fuse_holds(f, "q"));
        put_hold(f, "", NULL, 0); /* the fleet's holds all */
        assert_true(fuse_holds(f, "q"));
        put_hold(f, "p", "CN=bob", NOW);
        assert_true(fuse_holds(f, "p"));
        fuse_remove_hold(f, "");
        assert_false(fuse_holds(f, "p"));
        assert_true(fuse_confirmed(f, "p", NOW - 1));
        assert_false(fuse_confirmed(f, "p", NOW));
        assert_int_equal(fuse_n_holds(f), 1);
}

static int fuse_once(void *ctx, struct err *err)
{
        AUTO(fuse_free_p) struct fuse *f = NULL;
        struct hold h = {.policy = NULL};
        int r = fuse_new(&f, err);

        (void)ctx;
        if (r >= 0)
                r = fuse_note(f, "p", "h", 1, err);
        if (r >= 0)
                r = fuse_note(f, "p", "i", 1, err);
        if (r >= 0 && !(h.policy = str_dup("p")))
                r = err_nomem(err);
        if (r >= 0)
                r = fuse_put_hold(f, &h, err);
        hold_free(&h);
        return r;
}

static void fuse_out_of_memory(void **state)
{
        (void)state;
        oom_each(fuse_once, NULL);
}

/* ---- revocations ---- */

static void make(const struct revocation_facts *facts, const struct key *key, char **payload, char **jws)
{
        struct err err = ERR_INIT;

        assert_ok(revocation_make(facts, key, payload, jws, &err), &err);
}

static void revocation_says_it_all(void **state)
{
        struct err err = ERR_INIT;
        AUTO(key_free_p) struct key *key = NULL, *counter = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL, *counter_public = NULL;
        AUTO(mem_free_p) char *payload = NULL, *jws = NULL, *bare = NULL, *none = NULL;
        AUTO(revocation_done) struct revocation rev = {0};
        struct revocation_order order = {.seq = 0};
        struct host_counters counters = {.known = true, .epoch_index = 0x01810100, .epoch = 12};
        char reason[2000];
        bool good = false;
        struct revocation_facts facts = {.verifier = "0b5c3c2e-9d0a-4f0e-8f4e-5b8f6d1e2a3b",
                                         .host = "web-1",
                                         .tenant = "default",
                                         .seq = 3,
                                         .reaction = REACTION_DESTROY,
                                         .issued_at_ms = 1796126400000,
                                         .verdict = "fail",
                                         .severity = "critical",
                                         .policy = "edge",
                                         .reason = reason,
                                         .labels = "{\"rack\":\"7\"}",
                                         .counters = &counters,
                                         .reset_count = 9};

        (void)state;
        memset(reason, 'x', sizeof(reason));
        memcpy(reason + REVOCATION_REASON_MAX - 1, "\xc3\xa4", 2); /* the cut falls into a letter */
        reason[sizeof(reason) - 1] = '\0';
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &counter, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(key_public(counter, &counter_public, &err), &err);
        assert_ok(pubkey_spki(counter_public, &counters.key, &err), &err);
        make(&facts, key, &payload, &jws);
        assert_ok(revocation_order_open(view_str(jws), &public, 1, &order, &good, &err), &err);
        assert_true(good);
        assert_string_equal(order.id, "web-1/3");
        assert_string_equal(order.verifier, facts.verifier);
        assert_int_equal(order.seq, 3);
        assert_int_equal(order.reaction, REACTION_DESTROY);
        assert_true(order.has_epoch);
        assert_int_equal(order.nv_index, 0x01810100);
        assert_int_equal(order.epoch, 12);
        assert_int_equal(order.reset_count, 9);
        revocation_order_done(&order);
        assert_ok(revocation_parse(view_str(payload), &rev, &err), &err); /* as the registrar reads it */
        assert_string_equal(rev.severity, "critical");
        assert_string_equal(rev.policy, "edge");
        assert_int_equal(strlen(rev.reason), REVOCATION_REASON_MAX - 1);
        assert_string_equal(json_string_value(json_object_get(rev.labels, "rack")), "7");
        /* another key's signature is none, and without a key there is none */
        assert_ok(revocation_order_open(view_str(jws), &counter_public, 1, &order, &good, &err), &err);
        assert_false(good);
        counters.known = false;
        facts.labels = NULL;
        make(&facts, NULL, &bare, &none);
        assert_null(none);
        assert_null(strstr(bare, "epoch"));
        assert_null(strstr(bare, "labels"));
        buf_free(&counters.key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(suspend_and_back),
                cmocka_unit_test(destroy_after_its_delay),
                cmocka_unit_test(destroy_at_once),
                cmocka_unit_test(held_by_the_fuse),
                cmocka_unit_test(silence),
                cmocka_unit_test(revoked_until_reinstated),
                cmocka_unit_test(fuse_counts_hosts),
                cmocka_unit_test(fuse_holds_until_confirmed),
                cmocka_unit_test(fuse_out_of_memory),
                cmocka_unit_test(revocation_says_it_all),
        };

        return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
