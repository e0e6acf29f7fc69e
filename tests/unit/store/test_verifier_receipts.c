/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts in the verifier's database: what a verdict makes of those that wait, and of those that come late.
 */
#include "store/verifier_receipts.h"

#include <stdlib.h>

#include "evidence/receipt_countersign.h"
#include "evidence/verdict.h"
#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        int64_t n_evidence;
        char seen[512]; /* "a:final/continues", in the order told */
};

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct fixture *f = ctx;

        assert_null(err);
        f->s.outcome = outcome;
        f->s.told++;
}

static void on_receipts(void *ctx, enum store_outcome outcome, struct stored_receipt *rows, size_t n,
                        const struct err *err)
{
        struct fixture *f = ctx;
        struct buf b = {0};

        for (size_t i = 0; i < n; i++) {
                buf_fmt(&b, "%s%s:%s/%s%s", i ? " " : "", rows[i].digest,
                        rows[i].decided ? receipt_status_name((enum receipt_status)rows[i].status) : "waits",
                        receipt_link_name((enum receipt_link)rows[i].link), rows[i].reason ? "/" : "");
                if (rows[i].reason)
                        buf_fmt(&b, "%s", rows[i].reason);
                assert_view(VIEW_BUF(&rows[i].file), "file");
        }
        (void)snprintf(f->seen, sizeof(f->seen), "%.*s", (int)b.len, b.p ? (const char *)b.p : "");
        buf_free(&b);
        on_done(ctx, outcome, err);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct enrolment e = {.name = (char *)(uintptr_t) "h",
                              .ak = {(uint8_t *)(uintptr_t) "AK", 2, 2, false},
                              .labels = (char *)(uintptr_t) "{}",
                              .enrolled_at_ms = 7};

        verifier_store_begin(&f->s);
        ASK(&f->s, verifier_db_add(f->s.db, &e, NULL, on_done, f, err));
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        verifier_store_end(&f->s);
        free(f);
        return 0;
}

/* One receipt: its digest, chain, number, and the digest before; of boot RESET, when it ran and came. */
static const char *add(struct fixture *f, const char *digest, const char *chain, int64_t sequence,
                       const char *previous, uint32_t reset, int64_t started_ms, int64_t received_ms)
{
        struct stored_receipt r = {.digest = (char *)(uintptr_t)digest,
                                   .file = {(uint8_t *)(uintptr_t) "file", 4, 4, false},
                                   .chain = (char *)(uintptr_t)chain,
                                   .sequence = sequence,
                                   .previous = (char *)(uintptr_t)previous,
                                   .reset = reset,
                                   .started_at_ms = started_ms,
                                   .received_at_ms = received_ms};

        ASK(&f->s, verifier_db_receipts_add(f->s.db, NULL, "h", &r, 1, on_receipts, f, err));
        return f->seen;
}

static const char *all(struct fixture *f)
{
        ASK(&f->s, verifier_db_receipts(f->s.db, NULL, "h", 0, 10, on_receipts, f, err));
        return f->seen;
}

static void judge(struct fixture *f, enum verdict_state verdict, enum receipts_what what,
                  int64_t challenge_ms, int64_t at_ms)
{
        struct evidence_record r = {
                .tenant = NULL,
                .name = "h",
                .state = {.index = ++f->n_evidence,
                          .n_evidence = f->n_evidence,
                          .judged = true,
                          .verdict = (int)verdict,
                          .verdict_n = f->n_evidence,
                          .policy = (char *)(uintptr_t) "p",
                          .policy_version = 3},
                .durable = true,
                .at_ms = at_ms,
                .limits = {.n_bundles = 3, .bytes = 1000, .total_bytes = 1000},
                .receipts = {.challenge_at_ms = challenge_ms, .reset = 5, .reason = "drift"}};

        r.receipts.what = what;
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static void a_pass_makes_final_what_was_there(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(add(f, "a", "c", 1, NULL, 5, 100, 200), "a:waits/begins");
        assert_string_equal(add(f, "b", "c", 2, "a", 4, 100, 210), "b:waits/continues");
        assert_string_equal(add(f, "d", "c", 3, "b", 5, 100, 400), "d:waits/continues");
        judge(f, VERDICT_PASS, RECEIPTS_WAIT, 300, 310);
        assert_string_equal(all(f), "d:waits/continues b:waits/continues a:waits/begins");
        judge(f, VERDICT_PASS, RECEIPTS_PASS, 300,
              320); /* d came after the challenge, b is of another boot */
        assert_string_equal(all(f), "d:waits/continues b:provisional/continues/rebooted a:final/begins");
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        judge(f, VERDICT_FAIL, RECEIPTS_TAINT, 500, 510);
        assert_string_equal(all(f),
                            "d:tainted/continues/drift b:provisional/continues/rebooted a:final/begins");
        judge(f, VERDICT_PASS, RECEIPTS_PASS, 600, 610); /* nothing is decided twice */
        assert_string_equal(add(f, "d", "c", 3, "b", 5, 100, 700), "d:tainted/continues/drift");
        ASK(&f->s, verifier_db_receipt(f->s.db, NULL, "h", "a", on_receipts, f, err));
        assert_string_equal(f->seen, "a:final/begins");
        ASK(&f->s, verifier_db_receipt(f->s.db, NULL, "h", "x", on_receipts, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        ASK(&f->s, verifier_db_receipts(f->s.db, NULL, "h", 2, 1, on_receipts, f, err));
        assert_string_equal(f->seen, "a:final/begins");
        ASK(&f->s, verifier_db_receipts(f->s.db, "other", "h", 0, 9, on_receipts, f, err));
        assert_string_equal(f->seen, "");
}

static void one_that_is_held_back_is_tainted(void **state)
{
        struct fixture *f = *state;

        judge(f, VERDICT_FAIL, RECEIPTS_TAINT, 90, 100);
        judge(f, VERDICT_PASS, RECEIPTS_PASS, 110, 120);
        assert_string_equal(add(f, "a", "c", 1, NULL, 5, 99, 200), "a:tainted/begins/failed-meanwhile");
        assert_string_equal(add(f, "b", "c", 2, "a", 5, 101, 210), "b:waits/continues");
}

static void holes_are_seen(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(add(f, "b", "c", 2, "a", 5, 1, 10), "b:waits/broken"); /* where is the first? */
        assert_string_equal(add(f, "e", "c", 3, "b", 5, 1, 10), "e:waits/continues");
        assert_string_equal(add(f, "g", "c", 5, "f", 5, 1, 10), "g:waits/broken");
        assert_string_equal(add(f, "g2", "c", 5, "f", 5, 1, 10),
                            "g2:waits/broken"); /* twice, in other words */
        assert_string_equal(add(f, "h", "c", 6, "g", 5, 1, 10), "h:waits/broken");
        assert_string_equal(add(f, "i", "d", 1, NULL, 5, 1, 10), "i:waits/broken"); /* anew */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_pass_makes_final_what_was_there, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_is_held_back_is_tainted, setup, teardown),
                cmocka_unit_test_setup_teardown(holes_are_seen, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
