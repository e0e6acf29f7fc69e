/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's outbox: nothing is given out before its turn, nothing is forgotten, a wipe is proven once.
 */
#include "store/verifier_outbox.h"

#include <stdlib.h>

#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        size_t n;
        char ids[512]; /* "a/1 b/1" */
        char nonce[64], proof[64];
        int wipe;
        struct host_trust trust;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        verifier_store_begin(&f->s);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        host_trust_free(&f->trust);
        verifier_store_end(&f->s);
        free(f);
        return 0;
}

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct fixture *f = ctx;

        f->s.told++;
        f->s.outcome = outcome;
        assert_null(err);
}

static void on_sent(void *ctx, enum store_outcome outcome, const struct sent_revocation *list, size_t n,
                    const struct err *err)
{
        struct fixture *f = ctx;
        char *at = f->ids, *end = f->ids + sizeof(f->ids);

        on_done(ctx, outcome, err);
        f->n = n;
        *at = f->nonce[0] = f->proof[0] = '\0';
        for (size_t i = 0; i < n; i++) {
                at += snprintf(at, (size_t)(end - at), "%s%s", i ? " " : "", list[i].id);
                assert_string_equal(list[i].jws, "a.b.c");
                (void)snprintf(f->nonce, sizeof(f->nonce), "%s", list[i].nonce ? list[i].nonce : "-");
                (void)snprintf(f->proof, sizeof(f->proof), "%s", list[i].proof ? list[i].proof : "-");
                f->wipe = list[i].wipe;
        }
}

static void on_hosts(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                     const struct err *err)
{
        struct fixture *f = ctx;

        on_done(ctx, outcome, err);
        host_trust_free(&f->trust);
        if (n) {
                f->trust = hosts[0].state.trust;
                hosts[0].state.trust = (struct host_trust){.trust = 0};
        }
}

static void enrol(struct fixture *f, const char *host)
{
        struct enrolment e = {.name = (char *)(uintptr_t)host,
                              .ak = {(uint8_t *)(uintptr_t) "AK", 2, 2, false},
                              .labels = (char *)(uintptr_t) "{}"};

        ASK(&f->s, verifier_db_add(f->s.db, &e, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static void revoke(struct fixture *f, const char *host, int64_t seq, const char *reaction, enum wipe wipe)
{
        struct trust_change x = {.trust = {.trust = TRUST_REVOKED,
                                           .wipe = wipe,
                                           .seq = seq,
                                           .wipe_by_ms = wipe ? 1000 * seq : 0,
                                           .jws = (char *)(uintptr_t) "a.b.c"},
                                 .payload = "{}",
                                 .reaction = reaction,
                                 .issued_at_ms = 5};
        ASK(&f->s, verifier_db_trust(f->s.db, NULL, host, &x, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static void unposted(struct fixture *f, const char *want)
{
        ASK(&f->s, verifier_db_unposted(f->s.db, 100, on_sent, f, err));
        assert_string_equal(f->ids, want);
}

static void each_host_in_its_order(void **state)
{
        struct fixture *f = *state;

        revoke(f, "a", 1, "suspend", WIPE_NONE);
        revoke(f, "b", 1, "suspend", WIPE_NONE);
        revoke(f, "a", 2, "destroy", WIPE_PENDING);
        unposted(f, "a/1 b/1");
        ASK(&f->s, verifier_db_unposted(f->s.db, 1, on_sent, f, err));
        assert_string_equal(f->ids, "a/1");
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", 1, "11", 7, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        unposted(f, "b/1 a/2");
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", 2, "22", 7, on_done, f, err));
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "b", 1, "33", 7, on_done, f, err));
        unposted(f, "");
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "b", 9, "33", 7, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        ASK(&f->s, verifier_db_sent(f->s.db, NULL, "a", 2, on_sent, f, err));
        assert_string_equal(f->nonce, "22");
        ASK(&f->s, verifier_db_sent(f->s.db, NULL, "a", 3, on_sent, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
}

static void wipe(struct fixture *f, int64_t seq, enum wipe to, const char *proof, enum store_outcome want)
{
        ASK(&f->s, verifier_db_wipe(f->s.db, NULL, "a", seq, to, proof, 77, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, want);
}

/* What was told long ago goes, but not a wipe that is awaited, nor a proof that is on its way. */
static void old_ones_go(void **state)
{
        struct fixture *f = *state;

        enrol(f, "a");
        revoke(f, "a", 1, "destroy", WIPE_PENDING);
        revoke(f, "a", 2, "destroy", WIPE_PENDING);
        wipe(f, 2, WIPE_WIPED, "{}", STORE_OK);
        for (int64_t seq = 3; seq <= 120; seq++)
                revoke(f, "a", seq, "suspend", WIPE_NONE);
        revoke(f, "b", 1, "suspend", WIPE_NONE);
        for (int64_t seq = 1; seq <= 120; seq++)
                ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", seq, "11", 7, on_done, f, err));
        for (int64_t seq = 1; seq <= 120; seq++) {
                ASK(&f->s, verifier_db_sent(f->s.db, NULL, "a", seq, on_sent, f, err));
                assert_int_equal(f->s.outcome, seq <= 2 || seq > 20 ? STORE_OK : STORE_NOT_FOUND);
        }
        unposted(f, "b/1");
}

/* A database that was put back from a backup counts from a number that the registrar has: all move up,
 * together and in order, and the host's trust with them. */
static void numbers_move_up(void **state)
{
        struct fixture *f = *state;
        struct sent_revocation to[2] = {{.n = 2}, {.n = 3}};

        enrol(f, "a");
        revoke(f, "a", 1, "suspend", WIPE_NONE);
        revoke(f, "a", 2, "destroy", WIPE_PENDING);
        revoke(f, "a", 3, "reinstate", WIPE_NONE);
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", 1, "11", 7, on_done, f, err));
        ASK(&f->s, verifier_db_unposted_of(f->s.db, NULL, "a", on_sent, f, err));
        assert_string_equal(f->ids, "a/2 a/3");
        for (int i = 0; i < 2; i++) {
                to[i].seq = i + 3; /* over the other one's number */
                to[i].id = (char *)(uintptr_t)(i ? "a/4" : "a/3");
                to[i].payload = (char *)(uintptr_t) "{}";
                to[i].jws = (char *)(uintptr_t) "a.b.c";
        }
        ASK(&f->s, verifier_db_renumber(f->s.db, NULL, "a", to, 2, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        ASK(&f->s, verifier_db_unposted_of(f->s.db, NULL, "a", on_sent, f, err));
        assert_string_equal(f->ids, "a/3 a/4");
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_int_equal(f->trust.seq, 4);
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", 3, "33", 7, on_done, f, err));
        to[0].seq = 7;
        to[1].seq = 8;
        ASK(&f->s, verifier_db_renumber(f->s.db, NULL, "a", to, 2, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_CONFLICT); /* the registrar has one of them as it is */
        ASK(&f->s, verifier_db_unposted_of(f->s.db, NULL, "a", on_sent, f, err));
        assert_string_equal(f->ids, "a/4");
}

/* What the registrar was not told survives the end of the program. */
static void a_restart_forgets_nothing(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;

        revoke(f, "a", 1, "suspend", WIPE_NONE);
        verifier_db_close(f->s.db);
        assert_ok(verifier_db_open(f->s.url, pump_post, &f->s.pump, NULL, &f->s.db, &err), &err);
        unposted(f, "a/1");
}

static int trust_wipe(struct fixture *f)
{
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        return f->trust.wipe;
}

static void a_wipe_is_proven_once(void **state)
{
        struct fixture *f = *state;

        enrol(f, "a");
        revoke(f, "a", 1, "destroy", WIPE_PENDING);
        assert_int_equal(trust_wipe(f), WIPE_PENDING);
        ASK(&f->s, verifier_db_overdue(f->s.db, 999, 10, on_sent, f, err));
        assert_int_equal(f->n, 0);
        ASK(&f->s, verifier_db_overdue(f->s.db, 1000, 10, on_sent, f, err));
        assert_string_equal(f->ids, "a/1");
        wipe(f, 1, WIPE_UNPROVEN, NULL, STORE_OK);
        assert_int_equal(trust_wipe(f), WIPE_UNPROVEN);
        wipe(f, 1, WIPE_UNPROVEN, NULL, STORE_CONFLICT); /* one alarm */
        ASK(&f->s, verifier_db_overdue(f->s.db, 1000, 10, on_sent, f, err));
        assert_int_equal(f->n, 0);
        ASK(&f->s, verifier_db_proofs_unposted(f->s.db, 10, on_sent, f, err));
        assert_int_equal(f->n, 0);
        wipe(f, 1, WIPE_WIPED, "{\"late\":1}", STORE_OK); /* late is better than never */
        assert_int_equal(trust_wipe(f), WIPE_WIPED);
        wipe(f, 1, WIPE_UNPROVEN, NULL, STORE_CONFLICT);
        wipe(f, 1, WIPE_WIPED, "{\"other\":1}", STORE_CONFLICT);
        ASK(&f->s, verifier_db_proofs_unposted(f->s.db, 10, on_sent, f, err));
        assert_int_equal(f->n, 0); /* the registrar does not know the revocation yet */
        ASK(&f->s, verifier_db_posted(f->s.db, NULL, "a", 1, "11", 7, on_done, f, err));
        ASK(&f->s, verifier_db_proofs_unposted(f->s.db, 10, on_sent, f, err));
        assert_string_equal(f->ids, "a/1");
        assert_string_equal(f->proof, "{\"late\":1}");
        assert_int_equal(f->wipe, WIPE_WIPED);
        ASK(&f->s, verifier_db_proof_posted(f->s.db, NULL, "a", 1, 8, on_done, f, err));
        ASK(&f->s, verifier_db_proofs_unposted(f->s.db, 10, on_sent, f, err));
        assert_int_equal(f->n, 0);
}

/* The proof of an earlier wipe says nothing about a later one. */
static void an_old_proof_proves_no_new_wipe(void **state)
{
        struct fixture *f = *state;

        enrol(f, "a");
        revoke(f, "a", 1, "destroy", WIPE_PENDING);
        revoke(f, "a", 2, "reinstate", WIPE_NONE);
        revoke(f, "a", 3, "destroy", WIPE_PENDING);
        wipe(f, 1, WIPE_WIPED, "{}", STORE_OK);
        assert_int_equal(trust_wipe(f), WIPE_PENDING);
        ASK(&f->s, verifier_db_sent(f->s.db, NULL, "a", 1, on_sent, f, err));
        assert_int_equal(f->wipe, WIPE_WIPED);
        wipe(f, 3, WIPE_WIPED, "{}", STORE_OK);
        assert_int_equal(trust_wipe(f), WIPE_WIPED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(each_host_in_its_order, setup, teardown),
                cmocka_unit_test_setup_teardown(old_ones_go, setup, teardown),
                cmocka_unit_test_setup_teardown(numbers_move_up, setup, teardown),
                cmocka_unit_test_setup_teardown(a_restart_forgets_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_wipe_is_proven_once, setup, teardown),
                cmocka_unit_test_setup_teardown(an_old_proof_proves_no_new_wipe, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
