/* SPDX-License-Identifier: Apache-2.0 */
/* The network half's course: what follows what, what an answer means, how long it waits. */
#include "agent/net_backoff.h"
#include "agent/net_flow.h"
#include "support/support.h"

/* The good way: from the start to the first evidence, and from one challenge to the next. */
static void the_good_way(void **state)
{
        static const enum net_state way[] = {
                NET_IDENTITY, NET_VERSION, NET_REGISTER, NET_CREDENTIAL, NET_ACTIVATE,
                NET_SESSION,  NET_PROOF,   NET_LOGIN,    NET_REFRESH,    NET_OFFER,
                NET_COLLECT,  NET_SEND,    NET_IDLE,     NET_COLLECT,
        };
        (void)state;
        for (size_t i = 0; i + 1 < ARRAY_LEN(way); i++) {
                struct net_step step = net_flow_next(way[i], NET_DONE);
                assert_int_equal(step.next, way[i + 1]);
                assert_int_equal(step.wait, NET_NOW);
        }
        assert_int_equal(net_flow_next(NET_IDENTITY, NET_SKIP).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_IDLE, NET_SKIP).next, NET_REFRESH);
        assert_int_equal(net_flow_next(NET_COLLECT, NET_SKIP).next, NET_REFRESH);
}

/* A release: asked for while idle, shown for, earned, handed over, idle again. A refusal is handed over too.
 */
static void a_release_on_the_way(void **state)
{
        static const enum net_state way[] = {NET_WANTED, NET_CLAIM,   NET_SHOW,
                                             NET_EARN,   NET_RELEASE, NET_IDLE};
        (void)state;
        assert_int_equal(net_flow_next(NET_IDLE, NET_WANT).next, NET_WANTED);
        for (size_t i = 0; i + 1 < ARRAY_LEN(way); i++)
                assert_int_equal(net_flow_next(way[i], NET_DONE).next, way[i + 1]);
        assert_int_equal(net_flow_next(NET_WANTED, NET_SKIP).next, NET_IDLE);
        assert_int_equal(net_flow_next(NET_CLAIM, NET_UNKNOWN).next, NET_RELEASE);
        assert_int_equal(net_flow_next(NET_CLAIM, NET_DENIED).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_EARN, NET_STALE).next, NET_WANTED);
        assert_int_equal(net_flow_next(NET_IDLE, NET_NEWS).next, NET_SECRETS);
        assert_int_equal(net_flow_next(NET_SECRETS, NET_DONE).next, NET_KEEP);
        assert_int_equal(net_flow_next(NET_KEEP, NET_REFUSED).next, NET_IDLE);
}

/* Receipts: read, shown, and what was decided handed over. */
static void receipts_on_the_way(void **state)
{
        static const enum net_state way[] = {NET_RECEIPTS, NET_COUNTERSIGN, NET_SETTLE, NET_IDLE};
        (void)state;
        assert_int_equal(net_flow_next(NET_IDLE, NET_OWED).next, NET_RECEIPTS);
        for (size_t i = 0; i + 1 < ARRAY_LEN(way); i++)
                assert_int_equal(net_flow_next(way[i], NET_DONE).next, way[i + 1]);
        assert_int_equal(net_flow_next(NET_RECEIPTS, NET_SKIP).next, NET_IDLE);
        assert_int_equal(net_flow_next(NET_COUNTERSIGN, NET_DENIED).next, NET_SESSION);
        assert_int_equal(net_flow_status(NET_COUNTERSIGN, 201, ""), NET_DONE);
        assert_int_equal(net_flow_status(NET_COUNTERSIGN, 404, ""), NET_UNKNOWN); /* an older verifier */
        assert_int_equal(net_flow_next(NET_COUNTERSIGN, NET_UNKNOWN).next, NET_IDLE);
}

/* No failure leads on without a wait, or an answer could make the agent spin; and none leads nowhere. */
static void failures_wait(void **state)
{
        static const enum net_result failures[] = {NET_AWAY, NET_DENIED, NET_UNKNOWN, NET_STALE, NET_REFUSED};
        (void)state;
        for (int s = 0; s < NET_N_STATES; s++)
                for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
                        struct net_step step = net_flow_next((enum net_state)s, failures[i]);
                        assert_int_equal(step.wait, NET_BACKOFF);
                        assert_true(step.next < NET_N_STATES);
                }
}

/* From every state and result there is a way to sending evidence. */
static void nothing_is_final(void **state)
{
        (void)state;
        for (int from = 0; from < NET_N_STATES; from++)
                for (int r = 0; r < NET_N_RESULTS; r++) {
                        enum net_state s = net_flow_next((enum net_state)from, (enum net_result)r).next;
                        int steps = 0;
                        while (s != NET_SEND && steps++ < NET_N_STATES)
                                s = net_flow_next(s, NET_DONE).next;
                        assert_int_equal(s, NET_SEND);
                }
}

static void denied_and_unknown(void **state)
{
        (void)state;
        assert_int_equal(net_flow_next(NET_SEND, NET_DENIED).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_OFFER, NET_DENIED).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_OFFER, NET_UNKNOWN).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_SEND, NET_STALE).next, NET_REFRESH);
        assert_int_equal(net_flow_next(NET_LOGIN, NET_STALE).next, NET_SESSION);
        assert_int_equal(net_flow_next(NET_REGISTER, NET_REFUSED).next, NET_VERSION);
}

static void statuses(void **state)
{
        static const struct {
                enum net_state state;
                int status;
                const char *code;
                enum net_result result;
        } rows[] = {
                {NET_VERSION, 200, "", NET_DONE},
                {NET_OFFER, 201, "", NET_DONE},
                {NET_CLAIM, 201, "", NET_DONE},
                {NET_CLAIM, 403, "", NET_DONE}, /* so, too */
                {NET_CLAIM, 404, "", NET_UNKNOWN},
                {NET_CLAIM, 409, "", NET_AWAY},
                {NET_EARN, 403, "", NET_DONE}, /* with the reason in its body */
                {NET_EARN, 404, "", NET_STALE},
                {NET_EARN, 401, "", NET_DENIED},
                {NET_SECRETS, 404, "", NET_UNKNOWN},
                {NET_SEND, 202, "", NET_DONE},
                {NET_SEND, 204, "", NET_REFUSED},
                {NET_SEND, 301, "", NET_REFUSED},
                {NET_SEND, 400, "", NET_REFUSED},
                {NET_SEND, 401, "", NET_DENIED},
                {NET_SEND, 403, "", NET_DENIED},
                {NET_SEND, 403, "challenges_expired", NET_STALE},
                {NET_SEND, 403, "evidence_immutable", NET_STALE},
                {NET_SEND, 403, "old_attestation", NET_STALE},
                {NET_OFFER, 403, "challenges_expired", NET_DENIED},
                {NET_REGISTER, 403, "", NET_DENIED},
                {NET_OFFER, 404, "", NET_UNKNOWN},
                {NET_SEND, 404, "", NET_UNKNOWN},
                {NET_LOGIN, 404, "", NET_STALE},
                {NET_VERSION, 404, "", NET_REFUSED},
                {NET_SEND, 409, "", NET_STALE},
                {NET_SEND, 422, "", NET_REFUSED},
                {NET_OFFER, 429, "premature_attestation", NET_AWAY},
                {NET_OFFER, 503, "", NET_AWAY},
                {NET_OFFER, 500, "", NET_AWAY},
                {NET_OFFER, 0, "", NET_REFUSED},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (net_flow_status(rows[i].state, rows[i].status, rows[i].code) != rows[i].result)
                        fail_msg("row %zu: %d", i,
                                 net_flow_status(rows[i].state, rows[i].status, rows[i].code));
}

static void backoff(void **state)
{
        struct net_backoff b = {0};
        (void)state;
        assert_int_equal(net_backoff_next(&b, 0), 1000);
        assert_int_equal(net_backoff_next(&b, 0), 2000);
        assert_int_equal(net_backoff_next(&b, 0), 4000);
        for (int i = 0; i < 100000; i++) {
                int64_t wait_ms = net_backoff_next(&b, (uint32_t)i * 2654435761u);
                assert_in_range(wait_ms, 4000, NET_BACKOFF_MAX_MS);
        }
        assert_int_equal(net_backoff_next(&b, 0), NET_BACKOFF_MAX_MS);
        assert_int_equal(net_backoff_next(&b, NET_BACKOFF_MAX_MS / 2), NET_BACKOFF_MAX_MS / 2);
        b.failures = 0;
        assert_int_equal(net_backoff_next(&b, 500), 500);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_good_way),
                cmocka_unit_test(a_release_on_the_way),
                cmocka_unit_test(receipts_on_the_way),
                cmocka_unit_test(failures_wait),
                cmocka_unit_test(nothing_is_final),
                cmocka_unit_test(denied_and_unknown),
                cmocka_unit_test(statuses),
                cmocka_unit_test(backoff),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
