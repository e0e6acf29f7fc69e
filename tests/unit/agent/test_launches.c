/* SPDX-License-Identifier: Apache-2.0 */
/* Launches in the TPM half, against a real TPM: who gets a permit, what is recorded, what a revocation ends.
 */
#include "support/support.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "evidence/qualify.h"
#include "evidence/receipt.h"
#include "evidence/tpm_attest.h"
#include "unit/agent/launch_kit.h"
#include "unit/agent/owner_kit.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define LINE  ZEROS "  /usr/bin/rt\n"
#define OTHER ZEROS "  /tmp/libevil.so\n"

/* A TPM that is away for a moment ends nothing that is as it was. */
static void mapped_without_tpm(struct half *h, const char *lines, enum launch_link_type answer)
{
        const struct launches_host host = {.host_id = HOST};
        AUTO(buf_free) struct buf body = {0};
        struct frame f = {.type = LAUNCH_LINK_MAPPED, .id = 1};
        struct err err = ERR_INIT;

        launch_link_mapped_put(&body, &(struct launch_link_mapped){view_str(lines), VIEW_NONE});
        f.body = VIEW_BUF(&body);
        assert_int_equal(launches_take(half_launches(h), &host, &f, clock_mono_ms(), &err),
                         answer == LAUNCH_LINK_RECORDED ? 0 : -ERR_TPM);
        (void)launch_kit_hear(h, answer, 1);
}

static size_t records(struct half *h)
{
        return pcr_log_count(h->launch_log);
}

static void drop_log(struct half *h)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/launch.log", wipe_host.state);

        half_free(h);
        (void)unlink(path);
        swtpm_restart(&wipe_host.emulator); /* the register begins anew */
}

/* The evidence for NUMBER is made for this request and covers the launch register. */
static void expect_evidence(struct half *h, uint32_t number, struct view request)
{
        uint8_t challenge[QUALIFY_CHALLENGE_BYTES] = {1, 2, 3};
        struct privsep_show m = {.number = number,
                                 .collect = {.verifier_id = view_str(VERIFIER),
                                             .challenge = VIEW_ARRAY(challenge),
                                             .bank = DIGEST_SHA256,
                                             .mask = 1u << 15 | 1u << 13,
                                             .launch_max = 100}};
        struct privsep_frame frame = {.type = PRIVSEP_SHOW, .id = 1}, reply;
        AUTO(buf_free) struct buf body = {0}, out = {0};
        struct digest hash, qualifying;
        struct privsep_evidence e;
        struct tpm_attest attest;
        struct err err = ERR_INIT;

        privsep_show_put(&body, &m);
        frame.body = VIEW_BUF(&body);
        half_answer(h, &frame, &out);
        assert_true(privsep_frame_take(VIEW_BUF(&out), PRIVSEP_FRAME_MAX, &reply, &err) > 0);
        assert_int_equal(reply.result, PRIVSEP_OK);
        assert_ok(privsep_evidence_get(reply.body, &e, &err), &err);
        assert_ok(tpm_attest_parse(e.quote.message, &attest, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, request, &hash, &err), &err);
        assert_ok(
                qualify_permit(VERIFIER, HOST, VIEW_ARRAY(challenge), digest_view(&hash), &qualifying, &err),
                &err);
        assert_true(view_equal(attest.extra_data, digest_view(&qualifying)));
        assert_int_equal(e.launch_total, records(h));
        assert_int_equal(e.launch_count, records(h));
        assert_true(e.mask >> 13 & 1);
}

/* TEXT is the receipt of the launch of P, its first record, which ended with 3. */
static void expect_receipt(struct view text, const struct permit *p)
{
        AUTO(receipt_file_done) struct receipt_file file = {.ak_certificate = NULL};
        AUTO(receipt_done) struct receipt said = {.tenant = NULL};
        struct err err = ERR_INIT;

        assert_ok(receipt_file_decode(text, &file, &err), &err);
        assert_ok(receipt_payload_decode(VIEW_BUF(&file.payload), &said, &err), &err);
        assert_string_equal(said.launch.id, p->launch.id);
        assert_string_equal(said.permit, p->id);
        assert_int_equal(said.log_pcr, 13);
        assert_int_equal(said.log_entry, 0);
        assert_int_equal(said.exit, RECEIPT_EXITED);
        assert_int_equal(said.code, 3);
}

/* The launcher is gone, and a receipt says so. */
static void what_a_launcher_took_with_it_is_said(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1);

        (void)state;
        launch_kit_run(h, 1, &l);
        half_launcher_detach(h);
        assert_int_equal(launches_running(half_launches(h)), 0);
        assert_int_equal(half_receipts(h), 2); /* and the one of the test before */
        drop_log(h);
}

static void a_launch_is_recorded_before_it_may_run(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1), asked;
        AUTO(buf_free) struct buf text = {0};
        struct launches_wanted wanted;
        struct cel_log *log;
        struct permit p = launch_kit_permit(&l);
        uint32_t number;

        (void)state;
        assert_int_equal(half_wanted(h), 0);
        launch_kit_begin(h, 1, &l);
        launch_kit_silent(h);
        number = launch_kit_wanted(h, &asked);
        assert_int_equal(half_wanted(h), number);
        assert_string_equal(asked.id, l.id);
        assert_true(half_launch_wanted(h, &wanted));
        expect_evidence(h, number, wanted.body);
        launch_kit_answer(h, number, &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 1);
        assert_int_equal(records(h), 0);
        assert_int_equal(half_wanted(h), 0);
        launch_kit_say(h, LAUNCH_LINK_RECORD, 1, VIEW_NONE);
        assert_int_equal(records(h), 1); /* with the answer, not after it */
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 1);
        assert_int_equal(launches_running(half_launches(h)), 1);
        /* Mappings: recorded once, and when they change. */
        launch_kit_mapped(h, 1, LINE, "");
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 1);
        launch_kit_mapped(h, 1, LINE, "");
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 1);
        mapped_without_tpm(h, LINE, LAUNCH_LINK_RECORDED);
        mapped_without_tpm(h, OTHER LINE, LAUNCH_LINK_REFUSED);
        assert_int_equal(records(h), 2);
        launch_kit_mapped(h, 1, OTHER LINE, OTHER);
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 1);
        log = launch_kit_log(h, &text);
        assert_int_equal(log->n, 3);
        assert_string_equal(log->records[0].permit, p.id);
        assert_true(digest_equal(&log->records[0].module, &l.sha256));
        assert_true(digest_equal(&log->records[0].launch, &p.launch_digest));
        assert_false(log->records[0].cached);
        assert_int_equal(log->records[1].n_foreign, 0);
        assert_int_equal(log->records[2].n_foreign, 1);
        assert_string_equal(log->records[2].foreign[0].path, "/tmp/libevil.so");
        cel_log_free(log);
        {
                AUTO(buf_free) struct buf end = {0};

                launch_link_ended_put(&end, &(struct launch_link_ended){.status = 3 << 8,
                                                                        .started_ms = clock_now_ms(),
                                                                        .ended_ms = clock_now_ms(),
                                                                        .receipt = true});
                launch_kit_say(h, LAUNCH_LINK_ENDED, 1, VIEW_BUF(&end));
        }
        expect_receipt(launch_kit_hear(h, LAUNCH_LINK_ENDED, 1), &p);
        assert_int_equal(launches_running(half_launches(h)), 0);
        launch_kit_silent(h);
        drop_log(h);
}

static void a_runtime_with_foreign_files_gets_no_start(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1);

        (void)state;
        launch_kit_run(h, 1, &l);
        launch_kit_mapped(h, 1, OTHER LINE, OTHER);
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "closure lacks");
        assert_int_equal(records(h), 2); /* and the verifier learns of it */
        launch_kit_say(h, LAUNCH_LINK_SECRET, 1, view_str("db"));
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "not looked at");
        drop_log(h);
}

/* Every permit but the right one is refused, and nothing is recorded. */
static void a_permit_is_for_one_launch_of_one_host(void **state)
{
        struct half *h = launch_kit_start("1h");
        uint32_t id = 1;

        (void)state;
        for (int i = 0; i < 6; i++, id++) {
                static const char *const why[] = {"not signed by",       "not for this launch",
                                                  "not for this launch", "not for this launch",
                                                  "not for this launch", NULL};
                struct launch l = launch_kit_launch(1), other, asked;
                const struct key *key = i == 0 ? wipe_host.stranger : wipe_host.verifier;
                struct permit p;

                other = l;
                if (i == 1) /* the same module, launched another time */
                        other = launch_kit_launch(1);
                if (i == 2)
                        memcpy(other.host, "web-2", 6);
                if (i == 3)
                        other.arguments.b[0] ^= 1;
                p = launch_kit_permit(&other);
                if (i == 4) {
                        p.issued_at_s -= 120;
                        p.expires_at_s -= 120;
                }
                launch_kit_begin(h, id, &l);
                launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, key);
                if (why[i])
                        launch_kit_refused(h, id, LAUNCH_WHY_FAILED, why[i]);
                else
                        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, id);
                assert_int_equal(half_wanted(h), 0);
        }
        assert_int_equal(records(h), 0);
        launch_kit_say(h, LAUNCH_LINK_RECORD, 1, VIEW_NONE); /* refused above */
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "over");
        assert_int_equal(records(h), 0);
        half_free(h);
}

static void launches_wait_in_the_order_they_came(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l[3], asked;
        uint32_t number, before = 0;
        struct permit p;

        (void)state;
        for (uint32_t i = 0; i < 3; i++) {
                l[i] = launch_kit_launch(i);
                launch_kit_begin(h, 10 + i, &l[i]);
        }
        for (uint32_t i = 0; i < 3; i++) {
                number = launch_kit_wanted(h, &asked);
                assert_string_equal(asked.id, l[i].id);
                assert_int_not_equal(number, before);
                p = launch_kit_permit(&l[i]);
                if (i == 1) { /* whoever asked has gone: its answer is nobody's, and no other's */
                        launch_kit_say(h, LAUNCH_LINK_CANCEL, 11, VIEW_NONE);
                        launch_kit_answer(h, number, &p, wipe_host.verifier);
                        launch_kit_silent(h);
                } else {
                        launch_kit_answer(h, number, &p, wipe_host.verifier);
                        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 10 + i);
                }
                before = number;
        }
        assert_int_equal(launch_kit_wanted(h, &asked), 0);
        half_free(h);
}

static void the_queue_and_the_wait_are_bounded(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launches_host host = {.tpm = NULL, .host_id = HOST};
        struct launch l = launch_kit_launch(1), asked;
        AUTO(buf_free) struct buf text = {0}, body = {0};
        struct frame again = {.type = LAUNCH_LINK_BEGIN, .id = 200};
        struct err err = ERR_INIT;

        (void)state;
        for (uint32_t i = 1; i <= LAUNCHES_WAITING_MAX; i++) {
                l = launch_kit_launch(i);
                launch_kit_begin(h, i, &l);
        }
        launch_kit_silent(h);
        /* An id that waits already would have one permit for two. */
        assert_ok(launch_encode(&l, &text, &err), &err);
        launch_link_begin_put(&body, &(struct launch_link_begin){.launch = VIEW_BUF(&text)});
        again.body = VIEW_BUF(&body);
        assert_err(half_launcher_take(h, &again, &err), ERR_FORMAT, &err, "taken");
        err_clear(&err);
        l = launch_kit_launch(0);
        launch_kit_begin(h, 300, &l);
        launch_kit_refused(h, 300, LAUNCH_WHY_UNAVAILABLE, "queues");
        /* Nobody answers: each hears so in its time, and the next one is not asked for them. */
        assert_true(launches_turn(half_launches(h), &host, clock_mono_ms()) <= LAUNCHES_WAIT_MS);
        (void)launches_turn(half_launches(h), &host, clock_mono_ms() + LAUNCHES_WAIT_MS + 1);
        for (uint32_t i = 1; i <= LAUNCHES_WAITING_MAX; i++)
                launch_kit_refused(h, i, LAUNCH_WHY_UNAVAILABLE, "in time");
        assert_int_equal(launch_kit_wanted(h, &asked), 0);
        half_free(h);
}

/* A permit that policy lets be kept is used while no verifier answers, for the same program and no secret. */
static void an_outage_opens_nothing_new(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1), asked;
        struct permit p = launch_kit_permit(&l);
        AUTO(buf_free) struct buf text = {0};
        struct launch_link_granted yes;
        struct err err = ERR_INIT;
        struct cel_log *log;

        (void)state;
        launch_kit_run(h, 1, &l); /* its policy keeps none */
        launch_kit_reach(h, "connection refused");
        l = launch_kit_launch(1);
        launch_kit_begin(h, 2, &l);
        launch_kit_refused(h, 2, LAUNCH_WHY_UNAVAILABLE, "connection refused");
        launch_kit_reach(h, NULL);
        l = launch_kit_launch(1);
        p = launch_kit_permit(&l);
        p.cache_s = 600;
        launch_kit_begin(h, 3, &l);
        launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 3);
        l = launch_kit_launch(1);
        launch_kit_begin(h, 4, &l); /* waits when the verifier goes */
        launch_kit_reach(h, "connection refused");
        assert_ok(launch_link_granted_get(launch_kit_hear(h, LAUNCH_LINK_GRANTED, 4), &yes, &err), &err);
        assert_true(yes.cached);
        launch_kit_say(h, LAUNCH_LINK_RECORD, 4, VIEW_NONE);
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 4);
        log = launch_kit_log(h, &text);
        assert_true(log->records[log->n - 1].cached);
        assert_string_equal(log->records[log->n - 1].permit, p.id);
        cel_log_free(log);
        l = launch_kit_launch(2);
        launch_kit_begin(h, 5, &l);
        launch_kit_refused(h, 5, LAUNCH_WHY_UNAVAILABLE, "is kept");
        l = launch_kit_launch(1);
        assert_ok(launch_add_secret(&l, "db", &err), &err);
        launch_kit_begin(h, 6, &l);
        launch_kit_refused(h, 6, LAUNCH_WHY_UNAVAILABLE, "opens no secret");
        /* What was kept does not outlive a suspension. */
        launches_refuse_all(half_launches(h), "suspended");
        l = launch_kit_launch(1);
        launch_kit_begin(h, 7, &l);
        launch_kit_refused(h, 7, LAUNCH_WHY_UNAVAILABLE, "is kept");
        drop_log(h);
        /* Nor is any kept where the configuration says so. */
        h = launch_kit_start("0s");
        launch_kit_begin(h, 1, &l);
        p = launch_kit_permit(&l);
        p.cache_s = 600;
        launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 1);
        launch_kit_reach(h, "gone");
        l = launch_kit_launch(1);
        launch_kit_begin(h, 2, &l);
        launch_kit_refused(h, 2, LAUNCH_WHY_UNAVAILABLE, "gone");
        half_free(h);
}

static void expect_explained(struct half *h, const struct launch *l, const char *part)
{
        AUTO(buf_free) struct buf text = {0}, body = {0};
        struct err err = ERR_INIT;
        struct view said;
        char s[512];

        assert_ok(launch_encode(l, &text, &err), &err);
        launch_link_begin_put(&body, &(struct launch_link_begin){.launch = VIEW_BUF(&text)});
        launch_kit_say(h, LAUNCH_LINK_EXPLAIN, 90, VIEW_BUF(&body));
        said = launch_kit_hear(h, LAUNCH_LINK_EXPLAINED, 90);
        (void)snprintf(s, sizeof(s), "%.*s", (int)said.len, (const char *)said.p);
        if (!strstr(s, part))
                fail_msg("'%s' does not say '%s'", s, part);
}

static void what_would_happen_is_said(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1), asked;
        struct permit p;

        (void)state;
        expect_explained(h, &l, "the verifier would be asked");
        launch_kit_begin(h, 1, &l);
        p = launch_kit_permit(&l);
        p.cache_s = 90;
        launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 1);
        launch_kit_reach(h, "timed out");
        l = launch_kit_launch(1);
        expect_explained(h, &l, p.id);
        l = launch_kit_launch(2);
        expect_explained(h, &l, "refused: no verifier answers ('timed out')");
        assert_int_equal(records(h), 0);
        half_free(h);
}

/* A log that cannot be written is a launch that does not happen: the register stays. */
static void a_disk_that_takes_no_record_starts_nothing(void **state)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/launch.log", wipe_host.state);
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1);
        AUTO(buf_free) struct buf text = {0};
        struct cel_log *log;

        (void)state;
        launch_kit_grant(h, 1, &l);
        assert_int_equal(mkdir(path, 0700), 0); /* where the file would be */
        launch_kit_say(h, LAUNCH_LINK_RECORD, 1, VIEW_NONE);
        launch_kit_refused(h, 1, LAUNCH_WHY_FAILED, "recording the launch");
        assert_int_equal(launches_running(half_launches(h)), 0);
        assert_int_equal(rmdir(path), 0);
        log = launch_kit_log(h, &text); /* replays: nothing was extended */
        assert_int_equal(log->n, 0);
        cel_log_free(log);
        launch_kit_say(h, LAUNCH_LINK_RECORD, 1, VIEW_NONE);
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "over");
        half_free(h);
}

/* Secrets: those that the permit names, after the mappings were looked at; the log of copies names the
 * module.
 */
static void secrets_come_last(void **state)
{
        struct half *h = launch_kit_start("1h");
        struct buf secret = {0}, approval = {0}, set = {0};
        struct launch l = launch_kit_launch(1);
        const struct secrets_copy *copies;
        struct launch_link_opened opened;
        struct err err = ERR_INIT;
        uint64_t floor;
        struct kit kit;

        (void)state;
        kit_make(&kit, h);
        kit_secret(&kit, "db", view_str("geheim"), true, &secret);
        kit_approval(&kit, 5, true, false, &approval);
        kit_set(&secret, 1, &approval, 1, 0, &set);
        assert_ok(secrets_take(h->secrets, HOST, VIEW_BUF(&set), &floor, &err), &err);
        assert_ok(launch_add_secret(&l, "db", &err), &err);
        launch_kit_run(h, 1, &l);
        launch_kit_say(h, LAUNCH_LINK_SECRET, 1, view_str("db"));
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "not looked at");
        launch_kit_mapped(h, 1, LINE, "");
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 1);
        launch_kit_say(h, LAUNCH_LINK_SECRET, 1, view_str("other"));
        launch_kit_refused(h, 1, LAUNCH_WHY_REFUSED, "does not name");
        launch_kit_say(h, LAUNCH_LINK_SECRET, 1, view_str("db"));
        assert_ok(launch_link_opened_get(launch_kit_hear(h, LAUNCH_LINK_OPENED, 1), &opened, &err), &err);
        assert_view(opened.secret, "geheim");
        assert_int_equal(secrets_copies(h->secrets, &copies), 1);
        assert_true(str_starts(copies[0].unit, SECRETS_HOLDER_MODULE));
        kit_done(&kit);
        buf_free(&secret);
        buf_free(&approval);
        buf_free(&set);
        drop_log(h);
}

static uint64_t epoch_at_stop;
static void on_stop(void *ctx)
{
        epoch_at_stop = wipe_host_epoch(ctx);
}

/* The epoch is gone before a module hears of it; what may finish finishes; nothing new begins. */
static void a_revocation_stops_what_runs(void **state)
{
        struct half *h = launch_kit_start("1h");
        uint64_t epoch = wipe_host_epoch(h);
        AUTO(mem_free_p) char *order = wipe_host_order(h, "destroy", 7);
        AUTO(buf_free) struct buf proof = {0};
        struct launch l[4], asked;
        struct permit p;

        (void)state;
        for (uint32_t i = 0; i < 4; i++)
                l[i] = launch_kit_launch(i);
        launch_kit_run(h, 1, &l[0]);
        launch_kit_begin(h, 2, &l[1]);
        p = launch_kit_permit(&l[1]);
        p.on_revocation = PERMIT_FINISH;
        launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, 2);
        launch_kit_say(h, LAUNCH_LINK_RECORD, 2, VIEW_NONE);
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, 2);
        launch_kit_grant(h, 3, &l[2]);
        launch_kit_begin(h, 4, &l[3]);
        epoch_at_stop = 0;
        launches_on_stop(half_launches(h), on_stop, h);
        assert_int_equal(wipe_host_tell(h, order, true, &proof), PRIVSEP_OK);
        assert_int_equal(epoch_at_stop, epoch + 1);
        launch_kit_refused(h, 4, LAUNCH_WHY_REFUSED, "destroy");
        (void)launch_kit_hear(h, LAUNCH_LINK_STOP, 1);
        launch_kit_silent(h); /* 2 may finish */
        launch_kit_say(h, LAUNCH_LINK_RECORD, 3, VIEW_NONE);
        launch_kit_refused(h, 3, LAUNCH_WHY_REFUSED, "over");
        l[0] = launch_kit_launch(0);
        launch_kit_begin(h, 5, &l[0]);
        launch_kit_refused(h, 5, LAUNCH_WHY_REFUSED, "revoked");
        assert_int_equal(launches_running(half_launches(h)), 2); /* until the launcher says that they ended */
        half_free(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_launch_is_recorded_before_it_may_run),
                cmocka_unit_test(what_a_launcher_took_with_it_is_said),
                cmocka_unit_test(a_runtime_with_foreign_files_gets_no_start),
                cmocka_unit_test(a_permit_is_for_one_launch_of_one_host),
                cmocka_unit_test(launches_wait_in_the_order_they_came),
                cmocka_unit_test(the_queue_and_the_wait_are_bounded),
                cmocka_unit_test(an_outage_opens_nothing_new),
                cmocka_unit_test(what_would_happen_is_said),
                cmocka_unit_test(a_disk_that_takes_no_record_starts_nothing),
                cmocka_unit_test(secrets_come_last),
                cmocka_unit_test(a_revocation_stops_what_runs), /* the last: it ends the host */
        };

        return cmocka_run_group_tests_name("agent launches", tests, wipe_host_setup, wipe_host_teardown);
}
