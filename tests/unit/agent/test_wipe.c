/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of the verifier in the TPM half, against a real TPM: what is carried out, what never, what is
 * proven; crashes, full disks and counters that somebody took away. The walk over every step is an
 * integration test (test_power_loss.c). */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "evidence/sealed.h"
#include "evidence/wipe_proof.h"
#include "unit/agent/wipe_host.h"

static void refused(struct half *h, const char *jws, const char *part)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *text = NULL;

        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_REFUSED);
        text = buf_take_str(&out);
        if (!strstr(text, part))
                fail_msg("'%s' does not say '%s'", text, part);
}

static void destroys_and_proves(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *jws = NULL;
        struct half *h = wipe_host_start();
        uint64_t before = wipe_host_epoch(h);
        uint32_t entries = half_log_entries(h);

        (void)state;
        wipe_host_put_blobs();
        assert_null(secrets_refused(h->secrets));
        jws = wipe_host_order(h, "destroy", 3);
        assert_int_equal(wipe_host_tell(h, jws, false, &out), PRIVSEP_OK);
        assert_int_equal(out.len, 0); /* no nonce, no proof: but everything is done */
        assert_int_equal(wipe_host_epoch(h), before + 1);
        assert_false(wipe_host_has_blobs());
        assert_non_null(strstr(secrets_refused(h->secrets), "revoked"));
        assert_int_equal(half_log_entries(h), entries + 1);
        assert_true(pcr_log_explains(h->log));
        wipe_host_proves(h, jws, HOST "/3");

        /* the same again, also after a restart and a reboot: nothing is done twice, and it is proven anew */
        wipe_host_proves(h, jws, HOST "/3");
        h = wipe_host_restart(h);
        assert_non_null(secrets_refused(h->secrets));
        wipe_host_proves(h, jws, HOST "/3");
        assert_int_equal(wipe_host_epoch(h), before + 1);
        assert_int_equal(half_log_entries(h), entries + 1);
        half_free(h);
        swtpm_restart(&wipe_host.emulator);
        h = wipe_host_start();
        wipe_host_proves(h, jws, HOST "/3");
        assert_int_equal(wipe_host_epoch(h), before + 1);
        half_free(h);
}

/* An order that names its boot is proven in a later one without touching the register: what is approved for
 * it opens there, once the host is trusted again. */
static void a_later_boot_is_left_as_it_is(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *jws = NULL;
        struct half *h = wipe_host_start();
        uint32_t entries = half_log_entries(h);

        (void)state;
        jws = wipe_host_sign(h, &(struct words){.host = HOST,
                                                .reaction = "destroy",
                                                .seq = 3,
                                                .epoch = wipe_host_epoch(h),
                                                .key = wipe_host.verifier,
                                                .names_boot = true});
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_true(wipe_host_judge(h, VIEW_BUF(&out), HOST "/3"));
        assert_int_equal(half_log_entries(h), entries + 1);
        half_free(h);
        swtpm_restart(&wipe_host.emulator);
        h = wipe_host_start();
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_false(wipe_host_judge(h, VIEW_BUF(&out), HOST "/3"));
        assert_int_equal(half_log_entries(h), entries);
        half_free(h);
}

static void other_words_do_nothing(void **state)
{
        struct half *h = wipe_host_start();
        uint64_t before = wipe_host_epoch(h);
        const struct {
                struct words w;
                const char *why;
        } rows[] = {
                {{HOST, "destroy", 9, before, wipe_host.stranger, false}, "not signed by"},
                {{"web-2", "destroy", 9, before, wipe_host.verifier, false}, "another host"},
                {{HOST, "destroy", 9, before - 1, wipe_host.verifier, false}, "gone on"},
                {{HOST, "suspend", 9, before, wipe_host.stranger, false}, "not signed by"},
        };

        (void)state;
        wipe_host_put_blobs();
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(mem_free_p) char *jws = wipe_host_sign(h, &rows[i].w);

                refused(h, jws, rows[i].why);
        }
        refused(h, "rubbish", "not signed by");
        assert_null(secrets_refused(h->secrets));
        assert_int_equal(wipe_host_epoch(h), before);
        assert_true(wipe_host_has_blobs());
        half_free(h);
}

static void suspends_and_reinstates(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *suspend = NULL, *reinstate = NULL, *destroy = NULL;
        struct half *h = wipe_host_start();
        uint64_t before = wipe_host_epoch(h);

        (void)state;
        wipe_host_put_blobs();
        suspend = wipe_host_order(h, "suspend", 4);
        reinstate = wipe_host_order(h, "reinstate", 5);
        destroy = wipe_host_order(h, "destroy", 3);
        assert_int_equal(wipe_host_tell(h, suspend, true, &out), PRIVSEP_OK);
        assert_int_equal(out.len, 0);
        assert_non_null(strstr(secrets_refused(h->secrets), "suspended"));
        refused(h, destroy, "older");
        h = wipe_host_restart(h);
        assert_non_null(strstr(secrets_refused(h->secrets), "suspended"));
        assert_true(wipe_host_has_blobs());
        assert_int_equal(wipe_host_epoch(h), before);
        assert_int_equal(wipe_host_tell(h, reinstate, true, &out), PRIVSEP_OK);
        assert_null(secrets_refused(h->secrets));
        refused(h, suspend, "older");
        assert_null(secrets_refused(h->secrets));
        h = wipe_host_restart(h);
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* SR-8: an old message after a reinstatement does nothing, also when the journal is gone. */
static void an_old_order_after_a_reinstatement(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *destroy = NULL, *reinstate = NULL, *journal = NULL;
        struct half *h = wipe_host_start();
        struct err err = ERR_INIT;
        uint64_t after;

        (void)state;
        destroy = wipe_host_order(h, "destroy", 3);
        assert_int_equal(wipe_host_tell(h, destroy, true, &out), PRIVSEP_OK);
        after = wipe_host_epoch(h);
        reinstate = wipe_host_order(h, "reinstate", 4);
        assert_int_equal(wipe_host_tell(h, reinstate, true, &out), PRIVSEP_OK);
        wipe_host_put_blobs();
        refused(h, destroy, "older");
        half_free(h);
        swtpm_restart(&wipe_host.emulator); /* a new boot: the log of the old one is gone */
        journal = str_fmt("%s/revocation.json", wipe_host.state);
        assert_ok(file_remove(journal, &err), &err);
        h = wipe_host_start();
        refused(h, destroy, "gone on");
        assert_int_equal(wipe_host_epoch(h), after);
        assert_true(wipe_host_has_blobs());
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* Root takes the counter away from a running agent, or puts one there that he may increment: the wipe makes
 * it what it was, and higher, and proves it. */
static void take_counter(struct half *h, bool put_another)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        AUTO(pubkey_free_p) struct pubkey *stranger = NULL;
        struct tpm_counter_auth auth = {.agent = wipe_host.stranger};
        struct tpm_counter made;
        struct err err = ERR_INIT;

        assert_ok(key_public(wipe_host.stranger, &stranger, &err), &err);
        auth.agent_public = stranger;
        assert_ok(tpm_ek_load(h->tpm, h->id.ek_type, &ek, &err), &err);
        assert_ok(tpm_counter_undefine(h->tpm, ek, SEAL_NV_EPOCH, VIEW_NONE, &err), &err);
        if (put_another)
                assert_ok(tpm_counter_define(h->tpm, ek, SEAL_NV_EPOCH, &auth, &made, &err), &err);
}

static void a_counter_that_was_taken_away(void **state)
{
        (void)state;
        for (int i = 0; i < 2; i++) {
                AUTO(mem_free_p) char *jws = NULL;
                struct half *h = wipe_host_start();
                uint64_t before = wipe_host_epoch(h);

                jws = wipe_host_order(h, "destroy", 3 + i);
                take_counter(h, i == 1);
                wipe_host_proves(h, jws, i ? HOST "/4" : HOST "/3");
                assert_true(wipe_host_epoch(h) > before);
                half_free(h);
        }
}

static void a_journal_that_cannot_be_read_closes(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *journal = str_fmt("%s/revocation.json", wipe_host.state), *jws = NULL;
        struct err err = ERR_INIT;
        struct half *h = wipe_host_start();

        (void)state;
        half_free(h);
        assert_ok(file_write(journal, view_str("{\"schema\":"), 0600, &err), &err);
        h = wipe_host_start();
        assert_non_null(strstr(secrets_refused(h->secrets), "cannot be read"));
        jws = wipe_host_order(h, "reinstate", 1);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_null(secrets_refused(h->secrets));
        h = wipe_host_restart(h);
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* Neither journal nor log can be written: the wipe goes on, and is proven. */
static void a_full_disk_stops_no_wipe(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p)
        char *journal = str_fmt("%s/revocation.json", wipe_host.state),
             *log = str_fmt("%s/pcr15.log", wipe_host.state), *jws = NULL;
        struct half *h = wipe_host_start();
        uint64_t before = wipe_host_epoch(h);

        (void)state;
        wipe_host_put_blobs();
        (void)unlink(log);
        assert_int_equal(mkdir(log, 0700), 0);
        assert_int_equal(mkdir(journal, 0700), 0);
        jws = wipe_host_order(h, "destroy", 3);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_int_equal(wipe_host_epoch(h), before + 1);
        assert_false(wipe_host_has_blobs());
        assert_true(wipe_host_judge(h, VIEW_BUF(&out), HOST "/3"));
        assert_true(wipe_unfinished(h->wipe));

        /* and what was not written is written when there is room */
        assert_int_equal(rmdir(log), 0);
        assert_int_equal(rmdir(journal), 0);
        for (int i = 0; wipe_unfinished(h->wipe) && i < 100; i++) {
                (void)half_turn(h, clock_mono_ms() + 60000);
                usleep(20000);
        }
        assert_false(wipe_unfinished(h->wipe));
        wipe_host_proves(h, jws, HOST "/3");
        h = wipe_host_restart(h);
        assert_non_null(secrets_refused(h->secrets));
        wipe_host_proves(h, jws, HOST "/3");
        assert_int_equal(wipe_host_epoch(h), before + 1);
        half_free(h);
}

static void local_hooks_are_told_afterwards(void **state)
{
        AUTO(buf_free) struct buf out = {0}, told = {0};
        AUTO(mem_free_p)
        char *jws = NULL, *body = NULL, *result = str_fmt("%s/told", wipe_host.dir),
             *open = str_fmt("%s/hooks/50-open", wipe_host.dir), *was = str_fmt("%s/open", wipe_host.dir);
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        struct half *h = wipe_host_start();
        const char *text;
        struct stat st;

        (void)state;
        body = str_fmt("#!/bin/sh\nsleep 600\n");
        wipe_host_hook("10-stuck", body, 0755);
        free(body);
        body = str_fmt("#!/bin/sh\ncat >%s\n", result);
        wipe_host_hook("20-told", body, 0755);
        wipe_host_hook("30-plain", body, 0644);
        free(body);
        body = str_fmt("#!/bin/sh\necho >%s\n", was);
        wipe_host_hook("50-open", body, 0757); /* anybody may write it: passed over */
        assert_int_equal(stat(open, &st), 0);
        jws = wipe_host_order(h, "destroy", 3);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_true(wipe_host_judge(h, VIEW_BUF(&out), HOST "/3")); /* it waited for no hook */
        assert_false(file_exists(result));
        wipe_host_end_hooks(h);
        assert_ok(file_read(result, 65536, &told, &err), &err);
        assert_ok(json_parse(VIEW_BUF(&told), 65536, &j, &err), &err);
        assert_ok(json_get_str(j, "id", &text, &err), &err);
        assert_string_equal(text, HOST "/3");
        assert_ok(json_get_str(j, "reaction", &text, &err), &err);
        assert_string_equal(text, "destroy");
        assert_ok(json_get_str(j, "revocation", &text, &err), &err);
        assert_string_equal(text, jws);
        assert_int_equal(json_array_size(json_object_get(j, "done")), 4);
        assert_false(file_exists(was));

        /* told once, also after a restart */
        assert_int_equal(unlink(result), 0);
        h = wipe_host_restart(h);
        wipe_host_end_hooks(h);
        assert_false(file_exists(result));
        half_free(h);
}

static void silence_closes(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        struct privsep_frame alive = {.type = PRIVSEP_ALIVE, .id = 6};
        struct half *h;

        (void)state;
        wipe_host_configure("fail_closed_after: 2s");
        h = wipe_host_start();
        assert_null(secrets_refused(h->secrets));
        for (int i = 0; !secrets_refused(h->secrets) && i < 1000; i++) {
                (void)half_turn(h, clock_mono_ms());
                usleep(10000);
        }
        assert_non_null(strstr(secrets_refused(h->secrets), "not been heard"));
        h = wipe_host_restart(h); /* a restart is no sign of life */
        for (int i = 0; !secrets_refused(h->secrets) && i < 40; i++) {
                (void)half_turn(h, clock_mono_ms() + 1000 * i);
                usleep(10000);
        }
        assert_non_null(secrets_refused(h->secrets));
        half_answer(h, &alive, &out);
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

static void keys_are_pinned_once(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *jws = NULL, *other = NULL, *first = NULL, *jwk = NULL, *jwk2 = NULL;
        const struct pubkey *list[1];
        struct privsep_frame keys = {.type = PRIVSEP_KEYS, .id = 6};
        struct pubkey *stranger = NULL;
        struct err err = ERR_INIT;
        char text[512];
        struct half *h;

        (void)state;
        (void)snprintf(text, sizeof(text),
                       "host: {id: " HOST "}\nstate: {dir: %s}\ntpm: {tcti: \"%s\"}\n"
                       "verifier: {url: \"https://127.0.0.1:1\"}\nrun: {dir: %s/run}\n"
                       "secrets: {dir: %s/secrets}\n",
                       wipe_host.state, wipe_host.emulator.tcti, wipe_host.dir, wipe_host.dir);
        assert_ok(file_write(wipe_host.config, view_str(text), 0600, &err), &err);
        h = wipe_host_start();
        jws = wipe_host_order(h, "suspend", 1);
        refused(h, jws, "not signed by");
        list[0] = wipe_host.public;
        assert_ok(jwks_make(list, 1, &jwk, &err), &err);
        assert_ok(key_public(wipe_host.stranger, &stranger, &err), &err);
        list[0] = stranger;
        assert_ok(jwks_make(list, 1, &jwk2, &err), &err);
        pubkey_free(stranger);
        first = str_fmt("{\"revocation\":%.*s,\"release\":[]}", (int)strlen(jwk) - 9, jwk + 8);
        other = str_fmt("{\"revocation\":%.*s,\"release\":[]}", (int)strlen(jwk2) - 9, jwk2 + 8);
        keys.body = view_str(first);
        half_answer(h, &keys, &out);
        keys.body = view_str(other); /* too late */
        half_answer(h, &keys, &out);
        assert_int_equal(wipe_host_tell(h, jws, false, &out), PRIVSEP_OK);
        h = wipe_host_restart(h);
        keys.body = view_str(other);
        half_answer(h, &keys, &out);
        free(jws);
        jws = wipe_host_sign(
                h, &(struct words){HOST, "reinstate", 2, wipe_host_epoch(h), wipe_host.stranger, false});
        refused(h, jws, "not signed by");
        half_free(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(destroys_and_proves, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(a_later_boot_is_left_as_it_is, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(other_words_do_nothing, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(suspends_and_reinstates, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(an_old_order_after_a_reinstatement, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(a_counter_that_was_taken_away, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_read_closes, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_stops_no_wipe, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(local_hooks_are_told_afterwards, wipe_host_setup,
                                                wipe_host_teardown),
                cmocka_unit_test_setup_teardown(silence_closes, wipe_host_setup, wipe_host_teardown),
                cmocka_unit_test_setup_teardown(keys_are_pinned_once, wipe_host_setup, wipe_host_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
