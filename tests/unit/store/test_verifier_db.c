/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's data: enrolments, policies with overlap, evidence bounded by number and bytes, logs put
 * together. */
#include <stdlib.h>

#include "evidence/verdict.h"
#include "store/verifier_permits.h"
#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        enum err_kind kind;
        size_t n;
        struct verifier_host host;
        int64_t ns[64], versions[8], untils[8];
        struct ledger_permit permits[8];
        char text[4096], log[4096];
        enum kept log_kind; /* of the log that is looked at */
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

        verifier_host_free(&f->host);
        verifier_store_end(&f->s);
        free(f);
        return 0;
}

static void tell(struct fixture *f, enum store_outcome outcome, const struct err *err)
{
        f->s.told++;
        f->s.outcome = outcome;
        f->kind = err ? err->kind : ERR_NONE;
}

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        tell(ctx, outcome, err);
}

static void on_hosts(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                     const struct err *err)
{
        struct fixture *f = ctx;

        verifier_host_free(&f->host);
        f->n = n;
        if (n) {
                f->host = hosts[n - 1];
                hosts[n - 1] = (struct verifier_host){.enrolment = {.keylime = false}};
        }
        tell(f, outcome, err);
}

static void on_policies(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                        const struct err *err)
{
        struct fixture *f = ctx;

        f->n = n;
        for (size_t i = 0; i < n && i < 8; i++) {
                f->versions[i] = policies[i].version;
                f->untils[i] = policies[i].until_ms;
        }
        tell(f, outcome, err);
}

static void on_history(void *ctx, enum store_outcome outcome, const struct history_row *rows, size_t n,
                       const struct err *err)
{
        struct fixture *f = ctx;

        f->n = n;
        for (size_t i = 0; i < n && i < 64; i++)
                f->ns[i] = rows[i].n;
        tell(f, outcome, err);
}

static void on_evidence(void *ctx, enum store_outcome outcome, struct view bundle,
                        const struct view logs[static KEPT_N_LOGS], int64_t n, const struct err *err)
{
        struct fixture *f = ctx;
        struct view cel = logs[f->log_kind];

        f->n = (size_t)n;
        (void)snprintf(f->text, sizeof(f->text), "%.*s", (int)bundle.len,
                       bundle.p ? (const char *)bundle.p : "");
        (void)snprintf(f->log, sizeof(f->log), "%.*s", (int)cel.len, cel.p ? (const char *)cel.p : "");
        tell(f, outcome, err);
}

static enum store_outcome push(struct fixture *f, const char *name, const char *sha256, int64_t now,
                               int64_t overlap)
{
        struct stored_policy p = {.name = (char *)name,
                                  .sha256 = (char *)sha256,
                                  .text = {(uint8_t *)"text", 4, 4, false},
                                  .created_at_ms = now};

        ASK(&f->s, verifier_db_policy_push(f->s.db, STORED_POLICY, &p, overlap, NULL, on_policies, f, err));
        return f->s.outcome;
}

static enum store_outcome add(struct fixture *f, const char *name, const char *policy)
{
        struct enrolment e = {.name = (char *)name,
                              .policy = (char *)policy,
                              .ak = {(uint8_t *)"AK", 2, 2, false},
                              .labels = (char *)"{}",
                              .enrolled_at_ms = 7};

        ASK(&f->s, verifier_db_add(f->s.db, &e, NULL, on_done, f, err));
        return f->s.outcome;
}

static void hosts(void **state)
{
        struct fixture *f = *state;
        char id[VERIFIER_ID_CHARS + 1];
        struct enrolment change = {.name = (char *)"b", .interval_ms = 9, .paused = true};

        memcpy(id, verifier_db_id(f->s.db), sizeof(id));
        assert_int_equal(add(f, "a", "p"), STORE_NOT_FOUND); /* no such policy */
        assert_int_equal(push(f, "p", "s1", 1, 1), STORE_OK);
        assert_int_equal(add(f, "a", "p"), STORE_OK);
        assert_int_equal(add(f, "a", "p"), STORE_CONFLICT);
        assert_int_equal(add(f, "b", NULL), STORE_OK);
        ASK(&f->s, verifier_db_change(f->s.db, &change, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        change.policy = (char *)"none";
        ASK(&f->s, verifier_db_change(f->s.db, &change, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);

        verifier_db_close(f->s.db); /* all of it survives, the id too */
        verifier_store_open(&f->s);
        assert_string_equal(verifier_db_id(f->s.db), id);
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "b", on_hosts, f, err));
        assert_true(f->host.enrolment.paused);
        assert_int_equal(f->host.enrolment.interval_ms, 9);
        assert_view(VIEW_BUF(&f->host.enrolment.ak), "AK");
        assert_false(f->host.state.judged);
        ASK(&f->s, verifier_db_page(f->s.db, NULL, NULL, 1, on_hosts, f, err));
        assert_int_equal(f->n, 1);
        assert_string_equal(f->host.enrolment.name, "a");
        ASK(&f->s, verifier_db_page(f->s.db, "default", "a", 10, on_hosts, f, err));
        assert_int_equal(f->n, 1);
        ASK(&f->s, verifier_db_policy_remove(f->s.db, STORED_POLICY, NULL, "p", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_CONFLICT);
        ASK(&f->s, verifier_db_remove(f->s.db, NULL, "a", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        ASK(&f->s, verifier_db_remove(f->s.db, NULL, "a", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        ASK(&f->s, verifier_db_policy_remove(f->s.db, STORED_POLICY, NULL, "p", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static void overlaps(void **state)
{
        struct fixture *f = *state;

        push(f, "p", "s1", 100, 100);
        assert_int_equal(f->versions[0], 1);
        assert_true(f->untils[0] == INT64_MAX);
        push(f, "p", "s1", 150, 150); /* the same: no new version */
        assert_int_equal(f->versions[0], 1);
        push(f, "p", "s2", 200, 1000);
        push(f, "p", "s3", 300, 500); /* comes nearer for the first, too */
        assert_int_equal(f->versions[0], 3);
        ASK(&f->s,
            verifier_db_policies_in_force(f->s.db, STORED_POLICY, NULL, "p", 499, on_policies, f, err));
        assert_int_equal(f->n, 3);
        assert_int_equal(f->versions[0], 3);
        assert_int_equal(f->untils[1], 500);
        assert_int_equal(f->untils[2], 500);
        ASK(&f->s,
            verifier_db_policies_in_force(f->s.db, STORED_POLICY, NULL, NULL, 500, on_policies, f, err));
        assert_int_equal(f->n, 1);
        push(f, "p", "s4", 600, 9000); /* what has ended does not come back */
        ASK(&f->s,
            verifier_db_policies_in_force(f->s.db, STORED_POLICY, NULL, "p", 700, on_policies, f, err));
        assert_int_equal(f->n, 2);
        ASK(&f->s, verifier_db_policy_versions(f->s.db, STORED_POLICY, NULL, "p", on_policies, f, err));
        assert_int_equal(f->n, 4);
        ASK(&f->s, verifier_db_policy_get(f->s.db, STORED_POLICY, NULL, "p", 0, on_policies, f, err));
        assert_int_equal(f->versions[0], 4);
        ASK(&f->s, verifier_db_policy_get(f->s.db, STORED_POLICY, NULL, "p", 9, on_policies, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        push(f, "o", "s1", 100, 100);
        ASK(&f->s, verifier_db_policy_versions(f->s.db, STORED_POLICY, NULL, NULL, on_policies, f, err));
        assert_int_equal(f->n, 2);
}

/* One piece of evidence: N-th, verdict, new log bytes. */
static enum store_outcome record(struct fixture *f, int64_t n, int verdict, bool changed, const char *cel,
                                 int64_t boot, int64_t cel_bytes, struct history_limits limits)
{
        struct evidence_record r = {
                .name = "a",
                .state = {.index = n,
                          .n_evidence = n,
                          .judged = true,
                          .verdict = verdict,
                          .logs = {[KEPT_CEL] = {boot, cel_bytes}},
                          .verdict_json = (char *)"{}",
                          .continuation = (char *)"{}"},
                .durable = changed,
                .at_ms = n,
                .logs = {[KEPT_CEL] = view_str(cel)},
                .limits = limits,
        };

        buf_fmt(&r.bundle, "bundle %lld", (long long)n);
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_null(r.bundle.p); /* taken over */
        return f->s.outcome;
}

static const struct history_limits roomy = {.n_bundles = 3, .bytes = 1 << 20, .total_bytes = 1 << 30};

static void evidence(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(record(f, 1, VERDICT_PASS, true, "one,", 1, 4, roomy), STORE_NOT_FOUND);
        add(f, "a", NULL);
        assert_int_equal(record(f, 1, VERDICT_PASS, true, "one,", 1, 4, roomy), STORE_OK);
        record(f, 2, VERDICT_PASS, false, "", 1, 4, roomy);
        record(f, 3, VERDICT_PASS, false, "two,", 1, 8, roomy);
        record(f, 4, VERDICT_FAIL, true, "bad", 1, 11, roomy);
        for (int64_t n = 5; n <= 9; n++)
                record(f, n, VERDICT_FAIL, false, "", 1, 11, roomy);
        ASK(&f->s, verifier_db_history(f->s.db, NULL, "a", 0, 50, on_history, f, err));
        assert_int_equal(f->n, 5); /* 9 8 7, and the changes 4 and 1 */
        assert_int_equal(f->ns[0], 9);
        assert_int_equal(f->ns[3], 4);
        assert_int_equal(f->ns[4], 1);
        ASK(&f->s, verifier_db_history(f->s.db, NULL, "a", 7, 1, on_history, f, err));
        assert_int_equal(f->n, 1);
        assert_int_equal(f->ns[0], 4);
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 1, on_evidence, f, err));
        assert_string_equal(f->text, "bundle 1");
        assert_string_equal(f->log, "one,"); /* the log as it was then */
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 0, on_evidence, f, err));
        assert_string_equal(f->text, "bundle 9");
        assert_string_equal(f->log, "one,two,bad");
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 2, on_evidence, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        record(f, 10, VERDICT_PASS, true, "fresh", 2, 5, roomy); /* another boot */
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 10, on_evidence, f, err));
        assert_string_equal(f->log, "fresh");
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 4, on_evidence, f, err));
        assert_string_equal(f->log, "one,two,bad"); /* still there, for the change */
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_int_equal(f->host.state.n_evidence, 10);
        assert_int_equal(f->host.state.logs[KEPT_CEL].boot, 2);
        assert_string_equal(f->host.state.continuation, "{}");
}

/* ---- trust ---- */

static int count_row(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

struct counting {
        const char *sql;
        int64_t n;
};

static int run_count(struct store_conn *c, void *arg, struct err *err)
{
        struct counting *a = arg;
        int n = store_query(c, a->sql, STORE_NO_ARGS, count_row, &a->n, err);

        return n < 0 ? n : 0;
}

static int64_t count(struct fixture *f, const char *sql)
{
        struct counting a = {.sql = sql, .n = -1};
        struct err err = ERR_INIT;

        assert_ok(store_call(verifier_db_store(f->s.db), STORE_READ, run_count, &a, &err), &err);
        return a.n;
}

/* Evidence N with a list: it came whole or as a part, and is LENGTH bytes long now. */
static void record_list(struct fixture *f, int64_t n, const char *bytes, int64_t boot, int64_t length)
{
        struct evidence_record r = {
                .name = "a",
                .state = {.n_evidence = n,
                          .judged = true,
                          .logs = {[KEPT_CEL] = {1, 4}, [KEPT_IMA] = {boot, length}},
                          .verdict_json = (char *)"{}"},
                .durable = true,
                .at_ms = n,
                .logs = {[KEPT_CEL] = view_str(n == 1 ? "one," : ""), [KEPT_IMA] = view_str(bytes)},
                .limits = roomy,
        };

        buf_fmt(&r.bundle, "bundle %lld", (long long)n);
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static void shows_list(struct fixture *f, int64_t n, const char *bytes)
{
        f->log_kind = KEPT_IMA;
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", n, on_evidence, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        assert_string_equal(f->log, bytes);
        f->log_kind = KEPT_CEL;
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", n, on_evidence, f, err));
        assert_string_equal(f->log, "one,");
}

/* Each log grows by itself; one that comes whole again is kept once as long as it begins as before. */
static void lists(void **state)
{
        static const char ima_bytes[] = "SELECT coalesce(sum(length), 0) FROM segments WHERE kind = 1";
        static const char ima_boots[] = "SELECT count(DISTINCT boot) FROM segments WHERE kind = 1";
        struct fixture *f = *state;

        add(f, "a", NULL);
        record_list(f, 1, "aaa", 1, 3);
        record_list(f, 2, "bb", 1, 5);
        record_list(f, 3, "aaabbc", 2, 6); /* whole again, and longer */
        shows_list(f, 1, "aaa");
        shows_list(f, 2, "aaabb");
        shows_list(f, 3, "aaabbc");
        assert_int_equal(count(f, ima_bytes), 6);
        assert_int_equal(count(f, ima_boots), 1);
        record_list(f, 4, "aaabbc", 3, 6); /* and nothing new */
        assert_int_equal(count(f, ima_bytes), 6);
        record_list(f, 5, "d", 3, 7);
        record_list(f, 6, "aaabb", 4, 5);  /* shorter than what was kept: another one */
        record_list(f, 7, "aaaxx!", 5, 6); /* other bytes: another one */
        assert_int_equal(count(f, ima_boots), 3);
        shows_list(f, 2, "aaabb");
        shows_list(f, 5, "aaabbcd");
        shows_list(f, 6, "aaabb");
        shows_list(f, 7, "aaaxx!");
        record_list(f, 8, "", 6, -1); /* longer than may be kept */
        shows_list(f, 8, "");
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_int_equal(f->host.state.logs[KEPT_IMA].boot, 6);
        assert_int_equal(f->host.state.logs[KEPT_IMA].bytes, -1);
        assert_int_equal(f->host.state.logs[KEPT_CEL].bytes, 4);
        assert_int_equal(f->host.state.logs[KEPT_UEFI].bytes, 0);
}

static int count_revocations(struct store_conn *c, void *arg, struct err *err)
{
        int n = store_query(
                c, "SELECT count(*) FROM revocations WHERE id = host || '/' || seq AND posted_at_ms = 0",
                STORE_NO_ARGS, count_row, arg, err);

        return n < 0 ? n : 0;
}

static int64_t revocations(struct fixture *f)
{
        struct err err = ERR_INIT;
        int64_t n = -1;

        assert_ok(store_call(verifier_db_store(f->s.db), STORE_READ, count_revocations, &n, &err), &err);
        return n;
}

static struct trust_change change_to(int trust, int64_t seq)
{
        return (struct trust_change){.trust = {.trust = trust,
                                               .seq = seq,
                                               .since_ms = 5,
                                               .epoch = 9,
                                               .reason = (char *)"why",
                                               .jws = (char *)"a.b.c"},
                                     .payload = "{}",
                                     .reaction = "suspend",
                                     .issued_at_ms = 5};
}

static enum store_outcome change_trust(struct fixture *f, int trust, int64_t seq)
{
        struct trust_change c = change_to(trust, seq);

        ASK(&f->s, verifier_db_trust(f->s.db, NULL, "a", &c, on_done, f, err));
        return f->s.outcome;
}

/* SR-8: the verdict and its revocation are one transaction, and a heartbeat does not bring trust back. */
static void trust(void **state)
{
        struct fixture *f = *state;
        struct trust_change c = change_to(TRUST_SUSPENDED, 1);
        struct evidence_record r = {.name = "a",
                                    .state = {.n_evidence = 1, .judged = true, .verdict_json = (char *)"{}"},
                                    .durable = true,
                                    .trust = &c,
                                    .limits = roomy};

        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND); /* not enrolled: nothing of it was written */
        assert_int_equal(revocations(f), 0);
        add(f, "a", NULL);
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        assert_int_equal(revocations(f), 1);
        record(f, 2, VERDICT_PASS, false, "", 1, 0, roomy);
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_int_equal(f->host.state.n_evidence, 2);
        assert_int_equal(f->host.state.trust.trust, TRUST_SUSPENDED);
        assert_int_equal(f->host.state.trust.seq, 1);
        assert_int_equal(f->host.state.trust.epoch, 9);
        assert_string_equal(f->host.state.trust.reason, "why");
        assert_string_equal(f->host.state.trust.jws, "a.b.c");
        assert_null(f->host.state.trust.nonce);
        /* the same number twice is refused, and takes its verdict with it */
        r.state.n_evidence = 3;
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_FAILED);
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_int_equal(f->host.state.n_evidence, 2);
        assert_int_equal(change_trust(f, TRUST_REVOKED, 2), STORE_OK);
        assert_int_equal(change_trust(f, TRUST_TRUSTED, 1), STORE_CONFLICT);
        assert_int_equal(revocations(f), 2);
        /* a name that was revoked stays so, and its numbers go on */
        ASK(&f->s, verifier_db_remove(f->s.db, NULL, "a", NULL, on_done, f, err));
        add(f, "a", NULL);
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        ASK(&f->s, verifier_db_get(f->s.db, NULL, "a", on_hosts, f, err));
        assert_false(f->host.state.judged);
        assert_int_equal(f->host.state.trust.trust, TRUST_REVOKED);
        assert_int_equal(f->host.state.trust.seq, 2);
        assert_int_equal(revocations(f), 2);
}

static void on_holds(void *ctx, enum store_outcome outcome, struct hold *found, size_t n,
                     const struct err *err)
{
        struct fixture *f = ctx;

        f->n = n;
        (void)snprintf(f->text, sizeof(f->text), "%s:%s", n ? found[0].policy : "",
                       n && found[0].confirmed_by ? found[0].confirmed_by : "");
        tell(f, outcome, err);
}

static void holds(void **state)
{
        struct fixture *f = *state;
        struct hold h = {.policy = (char *)"p", .since_ms = 3, .pushed_by = (char *)"ann"};

        ASK(&f->s, verifier_db_holds(f->s.db, on_holds, f, err));
        assert_int_equal(f->n, 0);
        ASK(&f->s, verifier_db_hold_set(f->s.db, &h, NULL, on_done, f, err));
        h.confirmed_by = (char *)"bob";
        ASK(&f->s, verifier_db_hold_set(f->s.db, &h, NULL, on_done, f, err));
        verifier_db_close(f->s.db); /* a restart mends no fuse */
        verifier_store_open(&f->s);
        ASK(&f->s, verifier_db_holds(f->s.db, on_holds, f, err));
        assert_int_equal(f->n, 1);
        assert_string_equal(f->text, "p:bob");
        ASK(&f->s, verifier_db_hold_remove(f->s.db, "p", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        ASK(&f->s, verifier_db_hold_remove(f->s.db, "p", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
}

static int trust_once(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct trust_change c = change_to(TRUST_SUSPENDED, 1);
        int n;

        f->s.told = 0;
        n = verifier_db_trust(f->s.db, NULL, "oom", &c, on_done, f, err);
        if (n < 0)
                return n;
        pump_until(&f->s.pump, &f->s.told, 1);
        return -(int)f->kind;
}

static void trust_oom(void **state)
{
        oom_each(trust_once, *state);
}

static void bounded_by_bytes(void **state)
{
        struct fixture *f = *state;
        const struct history_limits tight = {.n_bundles = 3, .bytes = 60, .total_bytes = 1 << 30};

        add(f, "a", NULL);
        for (int64_t n = 1; n <= 20; n++)
                record(f, n, n % 2 ? VERDICT_PASS : VERDICT_FAIL, true, n == 1 ? "log" : "", 1, 3, tight);
        ASK(&f->s, verifier_db_history(f->s.db, NULL, "a", 0, 50, on_history, f, err));
        assert_true(f->n < 8);
        assert_int_equal(f->ns[0], 20);
        for (size_t i = 1; i < f->n; i++)
                assert_int_equal(f->ns[i] % 2, 0); /* what passed went first */
}

static void bounded_in_all(void **state)
{
        struct fixture *f = *state;
        const struct history_limits tight = {.n_bundles = 100, .bytes = 1 << 20, .total_bytes = 100};

        add(f, "a", NULL);
        for (int64_t n = 1; n <= 30; n++)
                record(f, n, VERDICT_PASS, false, "", 1, 0, tight);
        ASK(&f->s, verifier_db_history(f->s.db, NULL, "a", 0, 50, on_history, f, err));
        assert_true(f->n < 20);
        assert_int_equal(f->ns[0], 30);
}

static int record_once(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct evidence_record r = {.name = "a",
                                    .state = {.n_evidence = 1,
                                              .judged = true,
                                              .logs = {[KEPT_CEL] = {1, 3}},
                                              .verdict_json = (char *)"{}"},
                                    .durable = true,
                                    .logs = {[KEPT_CEL] = view_str("log")},
                                    .limits = roomy};
        int n;

        buf_str(&r.bundle, "bundle");
        if (!buf_ok(&r.bundle)) {
                buf_free(&r.bundle);
                return -ERR_NOMEM;
        }
        f->s.told = 0;
        n = verifier_db_record(f->s.db, &r, on_done, f, err);
        if (n == 0)
                pump_until(&f->s.pump, &f->s.told, 1);
        buf_free(&r.bundle);
        return n < 0 ? n : -(int)f->kind;
}

static void oom(void **state)
{
        struct fixture *f = *state;

        add(f, "a", NULL);
        oom_each(record_once, f);
        ASK(&f->s, verifier_db_evidence(f->s.db, NULL, "a", 0, on_evidence, f, err));
        assert_string_equal(f->log, "log");
}

/* ---- permits ---- */

static void on_permits(void *ctx, enum store_outcome outcome, const struct stored_permit *permits, size_t n,
                       const struct err *err)
{
        struct fixture *f = ctx;

        f->n = n;
        for (size_t i = 0; i < n && i < 8; i++)
                f->permits[i] = permits[i].permit;
        (void)snprintf(f->text, sizeof(f->text), "%s", n ? permits[0].host : "");
        tell(f, outcome, err);
}

static enum store_outcome give(struct fixture *f, const char *host, unsigned n, int64_t cache_until_ms)
{
        struct ledger_permit p = {.runtime = "node",
                                  .issued_at_ms = n,
                                  .expires_at_ms = n + 10,
                                  .cache_until_ms = cache_until_ms};

        (void)snprintf(p.id, sizeof(p.id), "00000000-0000-4000-8000-00000000000%u", n);
        digest_zero(DIGEST_SHA256, &p.launch);
        digest_zero(DIGEST_SHA256, &p.module);
        digest_zero(DIGEST_SHA256, &p.closure);
        p.launch.b[0] = (uint8_t)n;
        p.module.b[31] = 7;
        ASK(&f->s, verifier_db_permit_add(f->s.db, NULL, host, &p, "web", 3, 500, NULL, on_done, f, err));
        return f->s.outcome;
}

/* Evidence at AT_MS did this to the permits. */
static void marked(struct fixture *f, int64_t at_ms, struct ledger_mark *marks, size_t n)
{
        struct evidence_record r = {.tenant = "default",
                                    .name = "a",
                                    .state = {.n_evidence = at_ms, .judged = true, .verdict = VERDICT_PASS},
                                    .at_ms = at_ms,
                                    .limits = roomy,
                                    .marks = marks,
                                    .n_marks = n};

        buf_str(&r.bundle, "bundle");
        ASK(&f->s, verifier_db_record(f->s.db, &r, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

/* A permit is open until evidence closes it, in the transaction of that evidence. */
static void permits(void **state)
{
        struct ledger_mark marks[] = {{"00000000-0000-4000-8000-000000000001", true, true},
                                      {"00000000-0000-4000-8000-000000000002", true, false}};
        struct fixture *f = *state;

        assert_int_equal(give(f, "a", 1, 0), STORE_NOT_FOUND);
        add(f, "a", NULL);
        for (unsigned n = 1; n <= 3; n++)
                assert_int_equal(give(f, "a", n, n == 2 ? 900 : 0), STORE_OK);
        ASK(&f->s, verifier_db_permits_open(f->s.db, on_permits, f, err));
        assert_int_equal(f->n, 3);
        assert_string_equal(f->text, "a");
        assert_string_equal(f->permits[1].runtime, "node");
        assert_true(f->permits[1].cache_until_ms == 900 && f->permits[1].expires_at_ms == 12);
        assert_true(f->permits[1].launch.b[0] == 2 && f->permits[1].module.b[31] == 7);
        marked(f, 400, marks, ARRAY_LEN(marks));
        ASK(&f->s, verifier_db_permits_open(f->s.db, on_permits, f, err));
        assert_int_equal(f->n, 2);
        assert_true(f->permits[0].recorded && !f->permits[1].recorded);
        marks[1].closed = true;
        marked(f, 600, marks + 1, 1);
        /* what was closed before 500 is forgotten with the next, what was closed later is not */
        assert_int_equal(give(f, "a", 1, 0), STORE_OK);
        ASK(&f->s, verifier_db_permits_open(f->s.db, on_permits, f, err));
        assert_int_equal(f->n, 2);
        ASK(&f->s, verifier_db_remove(f->s.db, NULL, "a", NULL, on_done, f, err));
        ASK(&f->s, verifier_db_permits_open(f->s.db, on_permits, f, err));
        assert_int_equal(f->n, 0);
}

/* Module policies are kept beside those of hosts, under names of their own. */
static void modules_beside(void **state)
{
        struct stored_policy p = {.name = (char *)"p",
                                  .sha256 = (char *)"m1",
                                  .text = {(uint8_t *)"text", 4, 4, false},
                                  .created_at_ms = 100};
        struct fixture *f = *state;

        push(f, "p", "s1", 100, 100);
        push(f, "p", "s2", 200, 200);
        ASK(&f->s, verifier_db_policy_push(f->s.db, STORED_MODULES, &p, 100, NULL, on_policies, f, err));
        assert_int_equal(f->versions[0], 1);
        ASK(&f->s,
            verifier_db_policies_in_force(f->s.db, STORED_MODULES, NULL, NULL, 300, on_policies, f, err));
        assert_int_equal(f->n, 1);
        ASK(&f->s, verifier_db_policy_versions(f->s.db, STORED_MODULES, NULL, "p", on_policies, f, err));
        assert_int_equal(f->n, 1);
        ASK(&f->s, verifier_db_policy_remove(f->s.db, STORED_MODULES, NULL, "p", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        ASK(&f->s, verifier_db_policy_get(f->s.db, STORED_MODULES, NULL, "p", 0, on_policies, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        ASK(&f->s, verifier_db_policy_versions(f->s.db, STORED_POLICY, NULL, "p", on_policies, f, err));
        assert_int_equal(f->n, 2);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(hosts), T(overlaps), T(evidence), T(lists),     T(bounded_by_bytes), T(bounded_in_all),
                T(oom),   T(trust),    T(holds),    T(trust_oom), T(permits),          T(modules_beside),
        };

        return cmocka_run_group_tests_name("verifier_db", tests, NULL, NULL);
}
