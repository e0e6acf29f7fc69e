/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts in the TPM half, against a real TPM: one for each launch, in one chain, whatever ends the agent.
 * The file with the points at which it dies is compiled for this test alone (module.mk). */
#include "support/support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/receipts.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"
#include "evidence/receipt_countersign.h"
#include "unit/agent/wipe_host.h"
#include "wire/receipts.h"

#define PCR 13

static struct receipts_tpm tpm_of(const struct half *h)
{
        return (struct receipts_tpm){
                .tpm = h->tpm, .ak = h->id.ak, .bank = DIGEST_SHA256, .mask = 1u << 7 | 1u << 15};
}

static struct receipts *open_receipts(void)
{
        struct receipts *r = NULL;
        struct err err = ERR_INIT;

        assert_ok(receipts_new(wipe_host.state, &r, &err), &err);
        return r;
}

static void fill(struct digest *d, enum digest_alg alg, uint8_t with)
{
        digest_zero(alg, d);
        memset(d->b, with, d->len);
}

/* Begins a launch; its id is put into ID. */
static void launch(struct receipts *r, const struct half *h, char id[UUID_TEXT_BYTES])
{
        const struct receipts_tpm t = tpm_of(h);
        struct launch l = {.host = HOST, .runtime = "node"};
        const struct permit permit = {.id = "permit-1",
                                      .tenant = "default",
                                      .has_claims = true,
                                      .claims = {.issuer = "ACCOUNT", .revision = 3},
                                      .policy = {"modules", 4, {.alg = DIGEST_SHA256, .len = 32}}};
        const struct receipt_secret secret = {(char *)(uintptr_t) "db", false};
        const struct receipts_start what = {.launch = &l,
                                            .permit = &permit,
                                            .log_pcr = PCR,
                                            .secrets = &secret,
                                            .n_secrets = 1,
                                            .started_at_ms = clock_now_ms()};
        struct err err = ERR_INIT;

        assert_ok(uuid_random(id, &err), &err);
        memcpy(l.id, id, sizeof(l.id));
        fill(&l.sha256, DIGEST_SHA256, 2);
        fill(&l.sha384, DIGEST_SHA384, 3);
        fill(&l.closure, DIGEST_SHA256, 4);
        fill(&l.arguments, DIGEST_SHA256, 5);
        assert_ok(receipts_begin(r, &t, &what, &err), &err);
}

static int finish(struct receipts *r, const struct half *h, const char *id, struct buf *ret, struct err *err)
{
        const struct receipts_tpm t = tpm_of(h);
        struct receipts_end end = {
                .exit = RECEIPT_EXITED, .code = 7, .has_output = true, .ended_at_ms = clock_now_ms()};

        fill(&end.output, DIGEST_SHA256, 6);
        return receipts_end(r, &t, id, &end, ret, err);
}

static void lose(struct receipts *r, const struct half *h)
{
        const struct receipts_tpm t = tpm_of(h);
        struct err err = ERR_INIT;

        assert_ok(receipts_lost(r, &t, NULL, 0, "the agent was ended", &err), &err);
        assert_false(receipts_unfinished(r));
}

/* All that wait, judged: each good, by this host's key. Return: how many. */
static size_t judge_all(struct receipts *r, const struct half *h, struct receipt_verdict *ret, size_t max)
{
        AUTO(buf_free) struct buf body = {0};
        struct wire_receipts_request m;
        struct tpm_public ak;
        struct err err = ERR_INIT;
        int n = receipts_ask(r, &body, &err);
        size_t count;

        assert_ok(n, &err);
        if (n == 0)
                return 0;
        assert_ok(tpm2b_public_parse(tpm_ak_public(h->id.ak), &ak, &err), &err);
        assert_ok(wire_receipts_request_decode(VIEW_BUF(&body), &m, &err), &err);
        assert_int_equal(m.n, n);
        assert_in_range(m.n, 1, max);
        for (size_t i = 0; i < m.n; i++) {
                assert_ok(receipt_judge(&m.file[i], &ak, &ret[i], &err), &err);
                if (ret[i].why)
                        fail_msg("receipt %zu: %s", i, ret[i].why);
                assert_string_equal(ret[i].r.launch.host, HOST);
                assert_int_equal(m.file[i].pcrs.mask, 1u << 7 | 1u << PCR | 1u << 15);
        }
        count = m.n;
        wire_receipts_request_done(&m);
        return count;
}

static void done_all(struct receipt_verdict *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                receipt_verdict_done(&v[i]);
}

/* Do they follow each other? */
static void in_one_chain(const struct receipt_verdict *v, size_t n)
{
        for (size_t i = 1; i < n; i++) {
                assert_memory_equal(v[i].r.chain, v[0].r.chain, RECEIPT_CHAIN_BYTES);
                assert_int_equal(v[i].r.sequence, v[i - 1].r.sequence + 1);
                assert_true(digest_equal(&v[i].r.previous, &v[i - 1].digest));
        }
}

/* The verifier has decided about the first N: all of them, or it refuses them. */
static int decide(struct receipts *r, const struct receipt_verdict *v, size_t n, const char *refused)
{
        AUTO(wire_receipts_answer_done) struct wire_receipts_answer m = {.n = n};
        AUTO(buf_free) struct buf body = {0};
        struct err err = ERR_INIT;
        int settled;

        m.ak_certificate = str_dup("PEM");
        for (size_t i = 0; i < n; i++) {
                m.item[i].digest = v[i].digest;
                if (refused)
                        m.item[i].refused = str_dup(refused);
                else
                        m.item[i].countersignature = str_dup("e30.e30.x");
        }
        assert_ok(wire_receipts_answer_encode(&m, &body, &err), &err);
        settled = receipts_take(r, VIEW_BUF(&body), &err);
        assert_ok(settled, &err);
        return settled;
}

/* ---- tests ---- */

static void the_chain_goes_on(void **state)
{
        AUTO(buf_free) struct buf file = {0};
        struct half *h = wipe_host_start();
        struct receipts *r = open_receipts();
        struct receipt_verdict v[8];
        struct receipt_file f;
        char id[5][UUID_TEXT_BYTES];
        struct err err = ERR_INIT;
        size_t n;

        (void)state;
        launch(r, h, id[0]);
        launch(r, h, id[1]);
        assert_int_equal(receipts_waiting(r), 0);
        assert_ok(finish(r, h, id[1], &file, &err), &err);
        assert_ok(receipt_file_decode(VIEW_BUF(&file), &f, &err), &err);
        receipt_file_done(&f);
        assert_err(finish(r, h, id[1], NULL, &err), ERR_CONFIG, &err, "has ended");
        assert_ok(finish(r, h, id[0], NULL, &err), &err);
        launch(r, h, id[2]);

        receipts_free(r); /* the agent restarts, the module with it */
        h = wipe_host_restart(h);
        r = open_receipts();
        assert_int_equal(receipts_waiting(r), 2);
        lose(r, h);
        launch(r, h, id[3]);
        receipts_free(r);
        half_free(h);
        swtpm_restart(&wipe_host.emulator); /* and now the host */
        h = wipe_host_start();
        r = open_receipts();
        lose(r, h);
        launch(r, h, id[4]);
        assert_ok(finish(r, h, id[4], NULL, &err), &err);

        n = judge_all(r, h, v, 8);
        assert_int_equal(n, 5);
        in_one_chain(v, n);
        assert_int_equal(v[0].r.sequence, 1);
        assert_false(v[0].r.has_previous);
        assert_null(v[0].r.broken);
        assert_string_equal(v[0].r.launch.id, id[1]);
        assert_int_equal(v[0].r.exit, RECEIPT_EXITED);
        assert_int_equal(v[0].r.code, 7);
        assert_true(v[0].r.has_output);
        assert_string_equal(v[0].r.policies[0].name, "modules");
        assert_int_equal(v[0].r.n_policies, 1);
        assert_string_equal(v[0].r.claims.issuer, "ACCOUNT");
        assert_null(v[0].r.claims.name);
        assert_string_equal(v[0].r.secrets[0].name, "db");
        assert_int_equal(v[2].r.exit, RECEIPT_LOST);
        assert_string_equal(v[2].r.why, "the agent was ended");
        assert_false(v[2].r.has_output);
        assert_int_equal(v[3].r.exit, RECEIPT_LOST);
        assert_true(v[3].clock.reset_count > v[3].r.reset);
        assert_int_equal(v[4].clock.reset_count, v[4].r.reset);

        /* what was decided is gone, the chain goes on all the same */
        assert_int_equal(decide(r, v, n, NULL), 5);
        assert_int_equal(decide(r, v, n, NULL), 0);
        receipts_free(r);
        r = open_receipts();
        assert_int_equal(receipts_waiting(r), 0);
        launch(r, h, id[0]);
        assert_ok(finish(r, h, id[0], NULL, &err), &err);
        assert_int_equal(judge_all(r, h, v + 5, 1), 1);
        in_one_chain(v + 4, 2);
        assert_int_equal(decide(r, v + 5, 1, "no such permit"), 1);
        assert_int_equal(receipts_waiting(r), 0);
        receipts_free(r);
        half_free(h);
        done_all(v, 6);
}

/* The state folder is root's to change: what cannot go on says so. */
static void a_broken_chain_says_so(void **state)
{
        AUTO(mem_free_p) char *chain = str_fmt("%s/receipts/chain.json", wipe_host.state);
        struct half *h = wipe_host_start();
        struct receipt_verdict v[4];
        char id[UUID_TEXT_BYTES];
        struct receipts *r = open_receipts();
        struct err err = ERR_INIT;

        (void)state;
        launch(r, h, id);
        assert_ok(finish(r, h, id, NULL, &err), &err);
        receipts_free(r);
        assert_ok(file_write(chain, view_str("{}"), 0600, &err), &err);
        r = open_receipts();
        launch(r, h, id);
        assert_ok(finish(r, h, id, NULL, &err), &err);
        launch(r, h, id);
        assert_ok(finish(r, h, id, NULL, &err), &err);
        assert_int_equal(judge_all(r, h, v, 4), 3);
        assert_memory_not_equal(v[0].r.chain, v[1].r.chain, RECEIPT_CHAIN_BYTES);
        assert_int_equal(v[1].r.sequence, 1);
        assert_non_null(strstr(v[1].r.broken, "could not be read"));
        in_one_chain(v + 1, 2);
        done_all(v, 3);
        receipts_free(r);

        assert_ok(file_remove(chain, &err), &err);
        r = open_receipts();
        launch(r, h, id);
        assert_ok(finish(r, h, id, NULL, &err), &err);
        assert_int_equal(judge_all(r, h, v, 4), 4);
        assert_int_equal(v[3].r.sequence, 1);
        assert_non_null(strstr(v[3].r.broken, "is gone"));
        done_all(v, 4);
        receipts_free(r);
        half_free(h);
}

static void what_is_not_ours_is_put_aside(void **state)
{
        AUTO(mem_free_p) char *folder = str_fmt("%s/receipts", wipe_host.state);
        static const char *const names[] = {"open-x", "ended-x", "00000000000000000009.receipt"};
        AUTO(strv_done) struct strv left = {0};
        struct receipts *r = open_receipts();
        struct err err = ERR_INIT;
        size_t before = receipts_waiting(r);

        (void)state;
        receipts_free(r);
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                AUTO(mem_free_p) char *path = str_fmt("%s/%s", folder, names[i]);

                assert_ok(file_write(path, view_str("{\"schema\":1}"), 0600, &err), &err);
        }
        r = open_receipts();
        assert_int_equal(receipts_waiting(r), before);
        assert_false(receipts_unfinished(r));
        assert_err(receipts_take(r, view_str("{}"), &err), ERR_FORMAT, &err, "schema");
        receipts_free(r);
        assert_ok(file_list(folder, ".bad", &left, &err), &err);
        assert_int_equal(left.n, ARRAY_LEN(names));
}

/* ---- the walk */

static void die_at(const char *point)
{
        pid_t pid = fork();
        int status = 0;

        assert_true(pid >= 0);
        if (pid == 0) {
                char id[UUID_TEXT_BYTES];
                struct half *h = wipe_host_start();
                struct receipts *r = open_receipts();
                struct err err = ERR_INIT;

                (void)setenv("AVOW_FAULT", point, 1);
                launch(r, h, id);
                (void)finish(r, h, id, NULL, &err);
                _exit(3); /* it lives: the point is nowhere */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("%s: the agent did not die there (status %x)", point, (unsigned)status);
}

static void killed_anywhere_there_is_one_receipt(void **state)
{
        static const struct {
                const char *point;
                enum receipt_exit exit;
        } points[] = {{"receipt-begun", RECEIPT_LOST},
                      {"receipt-ended", RECEIPT_EXITED},
                      {"receipt-quoted", RECEIPT_EXITED},
                      {"receipt-written", RECEIPT_EXITED},
                      {"receipt-head", RECEIPT_EXITED}};
        struct receipt_verdict v[ARRAY_LEN(points)];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(points); i++) {
                struct half *h;
                struct receipts *r;

                die_at(points[i].point);
                h = wipe_host_start();
                r = open_receipts();
                lose(r, h);
                assert_int_equal(judge_all(r, h, v, ARRAY_LEN(points)), i + 1);
                in_one_chain(v, i + 1);
                assert_int_equal(v[i].r.exit, points[i].exit);
                receipts_free(r);
                half_free(h);
                done_all(v, i + 1);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_chain_goes_on, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(a_broken_chain_says_so, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(what_is_not_ours_is_put_aside, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(killed_anywhere_there_is_one_receipt, wipe_host_setup,
                                                wipe_host_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
