/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of the verifier in the TPM half, against a real TPM: what is carried out, what never, what is
 * proven; crashes, full disks and counters that somebody took away. The walk over every step is an
 * integration test (power-loss-walk). */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/half_private.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "evidence/sealed.h"
#include "evidence/wipe_proof.h"
#include "unit/tpm/swtpm.h"

#define VERIFIER "0b5a1e0c-7a2b-4c8d-9e1f-123456789abc"
#define HOST     "web-1"

static struct swtpm emulator;
static struct key *verifier_key, *stranger_key;
static struct pubkey *verifier_public;
static char dir[TMPDIR_BYTES], config_file[64], state_dir[64], hooks_dir[64];
static const uint8_t nonce[16] = {0x4e, 1, 2, 3};

static void write_config(const char *extra)
{
        char text[768];
        struct err err = ERR_INIT;

        (void)snprintf(text, sizeof(text),
                       "host: {id: " HOST "}\nstate: {dir: %s}\ntpm: {tcti: \"%s\"}\n"
                       "verifier: {url: \"https://127.0.0.1:1\", keys: %s/keys.json}\n"
                       "on_revocation: {dir: %s, timeout: 500ms}\nrun: {dir: %s/run}\n"
                       "secrets: {dir: %s/secrets}\n%s\n",
                       state_dir, emulator.tcti, dir, hooks_dir, dir, dir, extra);
        assert_ok(file_write(config_file, view_str(text), 0600, &err), &err);
}

static void write_keys(void)
{
        const struct pubkey *list[] = {verifier_public};
        AUTO(mem_free_p) char *path = str_fmt("%s/keys.json", dir), *text = NULL;
        AUTO(json_free_p) json_t *set = NULL;
        AUTO(mem_free_p) char *out = NULL;
        struct err err = ERR_INIT;

        assert_ok(jwks_make(list, 1, &text, &err), &err);
        assert_ok(json_parse(view_str(text), 65536, &set, &err), &err);
        assert_int_equal(json_set_str(json_array_get(json_object_get(set, "keys"), 0), "use", "revocation"),
                         0);
        out = json_print(set);
        assert_ok(file_write(path, view_str(out), 0600, &err), &err);
}

static int setup(void **state)
{
        struct err err = ERR_INIT;

        (void)state;
        swtpm_start(&emulator);
        tmpdir_make(dir);
        (void)snprintf(config_file, sizeof(config_file), "%s/agent.yaml", dir);
        (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
        (void)snprintf(hooks_dir, sizeof(hooks_dir), "%s/hooks", dir);
        assert_ok(key_generate_ec(CURVE_P256, &verifier_key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &stranger_key, &err), &err);
        assert_ok(key_public(verifier_key, &verifier_public, &err), &err);
        write_keys();
        write_config("");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        pubkey_free(TAKE(verifier_public));
        key_free(TAKE(verifier_key));
        key_free(TAKE(stranger_key));
        tmpdir_remove(dir);
        swtpm_stop(&emulator);
        return 0;
}

static struct half *start(void)
{
        struct agent_config *config = NULL;
        struct half *h = NULL;
        struct err err = ERR_INIT;

        assert_ok(agent_config_load(config_file, &config, &err), &err);
        assert_ok(half_new(config, NULL, &h, &err), &err);
        assert_ok(half_start(h, &err), &err);
        assert_true(h->counters.usable);
        return h;
}

static struct half *restart(struct half *h)
{
        half_free(h);
        return start();
}

static uint64_t epoch(struct half *h)
{
        struct tpm_counter now;
        struct err err = ERR_INIT;

        assert_ok(tpm_counter_read(h->tpm, SEAL_NV_EPOCH, h->counters.public, &now, &err), &err);
        assert_true(now.fit);
        return now.value;
}

/* An order as the verifier (or KEY) signs it. */
struct words {
        const char *host, *reaction;
        int64_t seq;
        uint64_t epoch;
        const struct key *key;
};

static char *sign(struct half *h, const struct words *w)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *text = NULL, *id = str_fmt("%s/%lld", w->host, (long long)w->seq);
        struct err err = ERR_INIT;
        char *jws = NULL;

        assert_int_equal(json_set_str(j, "schema", "avow.revocation/1") | json_set_str(j, "id", id) |
                                 json_set_str(j, "host", w->host) | json_set_str(j, "verifier", VERIFIER) |
                                 json_set_str(j, "reaction", w->reaction) |
                                 json_set_time(j, "issued_at", 1796126400000) |
                                 json_set_int(j, "nv_index", SEAL_NV_EPOCH) |
                                 json_set_int(j, "epoch", (int64_t)w->epoch) |
                                 json_set_base64(j, "counter_key", VIEW_BUF(&h->counters.spki)),
                         0);
        text = json_print(j);
        assert_ok(jws_sign(w->key, REVOCATION_TYP, view_str(text), &jws, &err), &err);
        return jws;
}

static char *order(struct half *h, const char *reaction, int64_t seq)
{
        return sign(h, &(struct words){HOST, reaction, seq, epoch(h), verifier_key});
}

/* Asks; what was answered as text. */
static enum privsep_result tell(struct half *h, const char *jws, bool with_nonce, struct buf *ret)
{
        AUTO(buf_free) struct buf body = {0}, out = {0};
        struct privsep_frame request = {.type = PRIVSEP_REVOKE, .id = 5}, reply;
        struct err err = ERR_INIT;

        privsep_revoke_put(
                &body, &(struct privsep_revoke){view_str(jws), with_nonce ? VIEW_ARRAY(nonce) : VIEW_NONE});
        request.body = VIEW_BUF(&body);
        half_answer(h, &request, &out);
        assert_true(privsep_frame_take(VIEW_BUF(&out), PRIVSEP_FRAME_MAX, &reply, &err) > 0);
        buf_reset(ret);
        buf_put_view(ret, reply.body);
        return reply.result;
}

static void refused(struct half *h, const char *jws, const char *part)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *text = NULL;

        assert_int_equal(tell(h, jws, true, &out), PRIVSEP_REFUSED);
        text = buf_take_str(&out);
        if (!strstr(text, part))
                fail_msg("'%s' does not say '%s'", text, part);
}

/* Judges a proof as a verifier would. */
static void judge(struct half *h, struct view text, const char *id, bool wanted)
{
        struct wipe_proof *p = NULL;
        struct tpm_public ak;
        struct wipe_verdict v;
        struct err err = ERR_INIT;
        struct pubkey *keys[] = {verifier_public};
        struct wipe_expected x = {.keys = keys,
                                  .n_keys = 1,
                                  .pcr = 15,
                                  .ak = &ak,
                                  .host = HOST,
                                  .id = id,
                                  .nonce = VIEW_ARRAY(nonce)};

        assert_ok(tpm2b_public_parse(tpm_ak_public(h->id.ak), &ak, &err), &err);
        assert_ok(wipe_proof_decode(text, &p, &err), &err);
        assert_ok(wipe_proof_judge(p, &x, &v, &err), &err);
        if (v.proven != wanted)
                fail_msg("proven: %d, %s", v.proven, v.why ? v.why : "");
        if (wanted) {
                assert_true(v.recorded);
                assert_true(v.epoch > v.order.epoch);
        }
        wipe_verdict_done(&v);
        wipe_proof_free(p);
}

static void proves(struct half *h, const char *jws, const char *id)
{
        AUTO(buf_free) struct buf out = {0};

        assert_int_equal(tell(h, jws, true, &out), PRIVSEP_OK);
        assert_true(out.len > 0);
        judge(h, VIEW_BUF(&out), id, true);
}

/* A blob and an approval on the disk, as if they had been sent. */
static bool blobs_left(void)
{
        AUTO(mem_free_p)
        char *a = str_fmt("%s/secrets/db.json", state_dir), *b = str_fmt("%s/approvals/x.json", state_dir);

        return file_exists(a) || file_exists(b);
}

static void put_blobs(void)
{
        AUTO(mem_free_p)
        char *a = str_fmt("%s/secrets/db.json", state_dir), *b = str_fmt("%s/approvals/x.json", state_dir);
        struct err err = ERR_INIT;

        assert_ok(file_write(a, view_str("{}"), 0600, &err), &err);
        assert_ok(file_write(b, view_str("{}"), 0600, &err), &err);
}

static void destroys_and_proves(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *jws = NULL;
        struct half *h = start();
        uint64_t before = epoch(h);
        uint32_t entries = half_log_entries(h);

        (void)state;
        put_blobs();
        assert_null(secrets_refused(h->secrets));
        jws = order(h, "destroy", 3);
        assert_int_equal(tell(h, jws, false, &out), PRIVSEP_OK);
        assert_int_equal(out.len, 0); /* no nonce, no proof: but everything is done */
        assert_int_equal(epoch(h), before + 1);
        assert_false(blobs_left());
        assert_non_null(strstr(secrets_refused(h->secrets), "revoked"));
        assert_int_equal(half_log_entries(h), entries + 1);
        assert_true(pcr_log_explains(h->log));
        proves(h, jws, HOST "/3");

        /* the same again, also after a restart and a reboot: nothing is done twice, and it is proven anew */
        proves(h, jws, HOST "/3");
        h = restart(h);
        assert_non_null(secrets_refused(h->secrets));
        proves(h, jws, HOST "/3");
        assert_int_equal(epoch(h), before + 1);
        assert_int_equal(half_log_entries(h), entries + 1);
        half_free(h);
        swtpm_restart(&emulator);
        h = start();
        proves(h, jws, HOST "/3");
        assert_int_equal(epoch(h), before + 1);
        half_free(h);
}

static void other_words_do_nothing(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        struct half *h = start();
        uint64_t before = epoch(h);
        const struct {
                struct words w;
                const char *why;
        } rows[] = {
                {{HOST, "destroy", 9, before, stranger_key}, "not signed by"},
                {{"web-2", "destroy", 9, before, verifier_key}, "another host"},
                {{HOST, "destroy", 9, before - 1, verifier_key}, "gone on"},
                {{HOST, "suspend", 9, before, stranger_key}, "not signed by"},
        };

        (void)state;
        put_blobs();
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(mem_free_p) char *jws = sign(h, &rows[i].w);

                refused(h, jws, rows[i].why);
        }
        refused(h, "rubbish", "not signed by");
        assert_null(secrets_refused(h->secrets));
        assert_int_equal(epoch(h), before);
        assert_true(blobs_left());
        half_free(h);
}

static void suspends_and_reinstates(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *suspend = NULL, *reinstate = NULL, *destroy = NULL;
        struct half *h = start();
        uint64_t before = epoch(h);

        (void)state;
        put_blobs();
        suspend = order(h, "suspend", 4);
        reinstate = order(h, "reinstate", 5);
        destroy = order(h, "destroy", 3);
        assert_int_equal(tell(h, suspend, true, &out), PRIVSEP_OK);
        assert_int_equal(out.len, 0);
        assert_non_null(strstr(secrets_refused(h->secrets), "suspended"));
        refused(h, destroy, "older");
        h = restart(h);
        assert_non_null(strstr(secrets_refused(h->secrets), "suspended"));
        assert_true(blobs_left());
        assert_int_equal(epoch(h), before);
        assert_int_equal(tell(h, reinstate, true, &out), PRIVSEP_OK);
        assert_null(secrets_refused(h->secrets));
        refused(h, suspend, "older");
        assert_null(secrets_refused(h->secrets));
        h = restart(h);
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* SR-8: an old message after a reinstatement does nothing, also when the journal is gone. */
static void an_old_order_after_a_reinstatement(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *destroy = NULL, *reinstate = NULL, *journal = NULL;
        struct half *h = start();
        struct err err = ERR_INIT;
        uint64_t after;

        (void)state;
        destroy = order(h, "destroy", 3);
        assert_int_equal(tell(h, destroy, true, &out), PRIVSEP_OK);
        after = epoch(h);
        reinstate = order(h, "reinstate", 4);
        assert_int_equal(tell(h, reinstate, true, &out), PRIVSEP_OK);
        put_blobs();
        refused(h, destroy, "older");
        half_free(h);
        swtpm_restart(&emulator); /* a new boot: the log of the old one is gone */
        journal = str_fmt("%s/revocation.json", state_dir);
        assert_ok(file_remove(journal, &err), &err);
        h = start();
        refused(h, destroy, "gone on");
        assert_int_equal(epoch(h), after);
        assert_true(blobs_left());
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* Root takes the counter away from a running agent, or puts one there that he may increment: the wipe makes
 * it what it was, and higher, and proves it. */
static void take_counter(struct half *h, bool put_another)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        AUTO(pubkey_free_p) struct pubkey *stranger = NULL;
        struct tpm_counter_auth auth = {.agent = stranger_key};
        struct tpm_counter made;
        struct err err = ERR_INIT;

        assert_ok(key_public(stranger_key, &stranger, &err), &err);
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
                struct half *h = start();
                uint64_t before = epoch(h);

                jws = order(h, "destroy", 3 + i);
                take_counter(h, i == 1);
                proves(h, jws, i ? HOST "/4" : HOST "/3");
                assert_true(epoch(h) > before);
                half_free(h);
        }
}

static void a_journal_that_cannot_be_read_closes(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *journal = str_fmt("%s/revocation.json", state_dir), *jws = NULL;
        struct err err = ERR_INIT;
        struct half *h = start();

        (void)state;
        half_free(h);
        assert_ok(file_write(journal, view_str("{\"schema\":"), 0600, &err), &err);
        h = start();
        assert_non_null(strstr(secrets_refused(h->secrets), "cannot be read"));
        jws = order(h, "reinstate", 1);
        assert_int_equal(tell(h, jws, true, &out), PRIVSEP_OK);
        assert_null(secrets_refused(h->secrets));
        h = restart(h);
        assert_null(secrets_refused(h->secrets));
        half_free(h);
}

/* Neither journal nor log can be written: the wipe goes on, and is proven. */
static void a_full_disk_stops_no_wipe(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p)
        char *journal = str_fmt("%s/revocation.json", state_dir), *log = str_fmt("%s/pcr15.log", state_dir),
             *jws = NULL;
        struct half *h = start();
        uint64_t before = epoch(h);

        (void)state;
        put_blobs();
        (void)unlink(log);
        assert_int_equal(mkdir(log, 0700), 0);
        assert_int_equal(mkdir(journal, 0700), 0);
        jws = order(h, "destroy", 3);
        assert_int_equal(tell(h, jws, true, &out), PRIVSEP_OK);
        assert_int_equal(epoch(h), before + 1);
        assert_false(blobs_left());
        judge(h, VIEW_BUF(&out), HOST "/3", true);
        assert_true(wipe_unfinished(h->wipe));

        /* and what was not written is written when there is room */
        assert_int_equal(rmdir(log), 0);
        assert_int_equal(rmdir(journal), 0);
        for (int i = 0; wipe_unfinished(h->wipe) && i < 100; i++) {
                (void)half_turn(h, clock_mono_ms() + 60000);
                usleep(20000);
        }
        assert_false(wipe_unfinished(h->wipe));
        proves(h, jws, HOST "/3");
        h = restart(h);
        assert_non_null(secrets_refused(h->secrets));
        proves(h, jws, HOST "/3");
        assert_int_equal(epoch(h), before + 1);
        half_free(h);
}

static void tool_hook(const char *name, const char *body, mode_t mode)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", hooks_dir, name);
        struct err err = ERR_INIT;

        assert_ok(file_mkdirs(hooks_dir, 0755, &err), &err);
        assert_ok(file_write(path, view_str(body), mode, &err), &err);
        assert_int_equal(chmod(path, mode), 0);
}

static void turn_until_hooks_end(struct half *h)
{
        for (int i = 0; local_hooks_busy(h->hooks) && i < 600; i++) {
                (void)half_turn(h, clock_mono_ms());
                usleep(20000);
        }
        assert_false(local_hooks_busy(h->hooks));
        (void)half_turn(h, clock_mono_ms());
}

static void local_hooks_are_told_afterwards(void **state)
{
        AUTO(buf_free) struct buf out = {0}, told = {0};
        AUTO(mem_free_p)
        char *jws = NULL, *body = NULL, *result = str_fmt("%s/told", dir),
             *open = str_fmt("%s/hooks/50-open", dir), *was = str_fmt("%s/open", dir);
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        struct half *h = start();
        const char *text;
        struct stat st;

        (void)state;
        body = str_fmt("#!/bin/sh\nsleep 600\n");
        tool_hook("10-stuck", body, 0755);
        free(body);
        body = str_fmt("#!/bin/sh\ncat >%s\n", result);
        tool_hook("20-told", body, 0755);
        tool_hook("30-plain", body, 0644);
        free(body);
        body = str_fmt("#!/bin/sh\necho >%s\n", was);
        tool_hook("50-open", body, 0757); /* anybody may write it: passed over */
        assert_int_equal(stat(open, &st), 0);
        jws = order(h, "destroy", 3);
        assert_int_equal(tell(h, jws, true, &out), PRIVSEP_OK);
        judge(h, VIEW_BUF(&out), HOST "/3", true); /* it waited for no hook */
        assert_false(file_exists(result));
        turn_until_hooks_end(h);
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
        h = restart(h);
        turn_until_hooks_end(h);
        assert_false(file_exists(result));
        half_free(h);
}

static void silence_closes(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        struct privsep_frame alive = {.type = PRIVSEP_ALIVE, .id = 6};
        struct half *h;

        (void)state;
        write_config("fail_closed_after: 2s");
        h = start();
        assert_null(secrets_refused(h->secrets));
        for (int i = 0; !secrets_refused(h->secrets) && i < 1000; i++) {
                (void)half_turn(h, clock_mono_ms());
                usleep(10000);
        }
        assert_non_null(strstr(secrets_refused(h->secrets), "not been heard"));
        h = restart(h); /* a restart is no sign of life */
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
                       state_dir, emulator.tcti, dir, dir);
        assert_ok(file_write(config_file, view_str(text), 0600, &err), &err);
        h = start();
        jws = order(h, "suspend", 1);
        refused(h, jws, "not signed by");
        list[0] = verifier_public;
        assert_ok(jwks_make(list, 1, &jwk, &err), &err);
        assert_ok(key_public(stranger_key, &stranger, &err), &err);
        list[0] = stranger;
        assert_ok(jwks_make(list, 1, &jwk2, &err), &err);
        pubkey_free(stranger);
        first = str_fmt("{\"revocation\":%.*s,\"release\":[]}", (int)strlen(jwk) - 9, jwk + 8);
        other = str_fmt("{\"revocation\":%.*s,\"release\":[]}", (int)strlen(jwk2) - 9, jwk2 + 8);
        keys.body = view_str(first);
        half_answer(h, &keys, &out);
        keys.body = view_str(other); /* too late */
        half_answer(h, &keys, &out);
        assert_int_equal(tell(h, jws, false, &out), PRIVSEP_OK);
        h = restart(h);
        keys.body = view_str(other);
        half_answer(h, &keys, &out);
        free(jws);
        jws = sign(h, &(struct words){HOST, "reinstate", 2, epoch(h), stranger_key});
        refused(h, jws, "not signed by");
        half_free(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(destroys_and_proves, setup, teardown),
                cmocka_unit_test_setup_teardown(other_words_do_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(suspends_and_reinstates, setup, teardown),
                cmocka_unit_test_setup_teardown(an_old_order_after_a_reinstatement, setup, teardown),
                cmocka_unit_test_setup_teardown(a_counter_that_was_taken_away, setup, teardown),
                cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_read_closes, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_stops_no_wipe, setup, teardown),
                cmocka_unit_test_setup_teardown(local_hooks_are_told_afterwards, setup, teardown),
                cmocka_unit_test_setup_teardown(silence_closes, setup, teardown),
                cmocka_unit_test_setup_teardown(keys_are_pinned_once, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
