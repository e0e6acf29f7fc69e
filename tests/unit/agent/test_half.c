/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM half, asked as the network half would, by a stranger who took that over too; against a real TPM. */
#include "support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/half.h"
#include "agent/inventory.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/pubkey.h"
#include "evidence/cel.h"
#include "evidence/qualify.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_signature.h"
#include "tpm/pcrs.h"
#include "unit/tpm/swtpm.h"

#define VERIFIER "0b5a1e0c-7a2b-4c8d-9e1f-123456789abc"

static struct swtpm emulator;
static char dir[TMPDIR_BYTES], config_file[64], runtime[64], added[64];

static void write_config(const char *extra)
{
        char text[768];
        struct err err = ERR_INIT;

        (void)snprintf(text, sizeof(text),
                       "host: {id: web-1}\nstate: {dir: %s/state}\ntpm: {tcti: \"%s\"}\n%s\nruntimes:\n"
                       "- {name: rt, path: %s, files: [%s]}\n",
                       dir, emulator.tcti, extra, runtime, added);
        assert_ok(file_write(config_file, view_str(text), 0600, &err), &err);
}

static int setup(void **state)
{
        struct err err = ERR_INIT;

        (void)state;
        swtpm_start(&emulator);
        tmpdir_make(dir);
        (void)snprintf(config_file, sizeof(config_file), "%s/agent.yaml", dir);
        (void)snprintf(runtime, sizeof(runtime), "%s/rt", dir);
        (void)snprintf(added, sizeof(added), "%s/added", dir);
        assert_ok(file_write(runtime, view_str("runtime 1"), 0755, &err), &err);
        assert_ok(file_write(added, view_str("added 1"), 0644, &err), &err);
        write_config("");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmpdir_remove(dir);
        swtpm_stop(&emulator);
        return 0;
}

static struct agent_config *load_config(void)
{
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;

        assert_ok(agent_config_load(config_file, &config, &err), &err);
        return config;
}

static struct half *start(void)
{
        struct half *h = NULL;
        struct err err = ERR_INIT;

        assert_ok(half_new(load_config(), NULL, &h, &err), &err);
        assert_int_equal(half_state(h), PRIVSEP_STATE_STARTING);
        assert_ok(half_start(h, &err), &err);
        assert_int_equal(half_state(h), PRIVSEP_STATE_READY);
        return h;
}

/* Asks; the answer's body is borrowed from OUT. */
static enum privsep_result ask(struct half *h, enum privsep_type type, struct view body, struct buf *out,
                               struct view *ret)
{
        struct privsep_frame request = {.type = type, .id = 77, .body = body}, reply;
        struct err err = ERR_INIT;

        buf_reset(out);
        half_answer(h, &request, out);
        assert_int_equal(privsep_frame_take(VIEW_BUF(out), PRIVSEP_FRAME_MAX, &reply, &err), (int)out->len);
        assert_int_equal(reply.id, 77);
        assert_int_equal(reply.type, type);
        *ret = reply.body;
        return reply.result;
}

static void assert_refused(struct half *h, enum privsep_type type, struct view body,
                           enum privsep_result result, const char *part)
{
        AUTO(buf_free) struct buf out = {0};
        struct view text;
        char s[512];

        assert_int_equal(ask(h, type, body, &out, &text), result);
        (void)snprintf(s, sizeof(s), "%.*s", (int)text.len, (const char *)text.p);
        if (!strstr(s, part))
                fail_msg("'%s' does not say '%s'", s, part);
}

static const uint8_t challenge[32] = {0xc4, 1, 2, 3};

static struct privsep_collect collect_of(uint32_t offset)
{
        return (struct privsep_collect){.verifier_id = view_str(VERIFIER),
                                        .challenge = VIEW_ARRAY(challenge),
                                        .bank = DIGEST_SHA256,
                                        .mask = 1u << 15,
                                        .log_offset = offset,
                                        .log_max = 20000};
}

static enum privsep_result collect(struct half *h, const struct privsep_collect *m, struct buf *out,
                                   struct privsep_evidence *ret)
{
        AUTO(buf_free) struct buf body = {0};
        struct err err = ERR_INIT;
        enum privsep_result result;
        struct view answer;

        privsep_collect_put(&body, m);
        result = ask(h, PRIVSEP_COLLECT, VIEW_BUF(&body), out, &answer);
        if (result == PRIVSEP_OK)
                assert_ok(privsep_evidence_get(answer, ret, &err), &err);
        return result;
}

/* The log in E replays to the quoted PCR 15. */
static void assert_replays(const struct privsep_evidence *e, size_t n)
{
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        struct cel_start from = {.entry = 0};
        struct cel_replay replay;
        struct err err = ERR_INIT;

        assert_ok(cel_parse(e->log, 100, &log, &err), &err);
        assert_int_equal(log->n, n);
        assert_int_equal(e->log_count, n);
        digest_zero(DIGEST_SHA256, &from.value);
        assert_ok(cel_replay(log, &from, 15, &e->pcrs[15], &replay, &err), &err);
        assert_true(replay.matched);
        assert_int_equal(replay.n_covered, n);
        assert_int_equal(replay.stale_before, -1);
}

static void save(const char *name, struct view v)
{
        char path[80];
        struct err err = ERR_INIT;

        (void)snprintf(path, sizeof(path), "%s/%s", emulator.dir, name);
        assert_ok(file_write(path, v, 0600, &err), &err);
}

/* tpm2_checkquote as the witness: it takes what we quote, and nothing else. */
static void assert_checkquote(struct half *h, const struct privsep_evidence *e)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *pem = NULL;
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct privsep_identity id;
        struct tpm_public ak;
        struct digest q;
        struct err err = ERR_INIT;
        struct view body;
        char line[256] = "tpm2_checkquote -u ak.pem -m msg -s sig -g sha256 -q ";

        assert_int_equal(ask(h, PRIVSEP_IDENTITY, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_identity_get(body, &id, &err), &err);
        assert_ok(tpm2b_public_parse(id.ak_public, &ak, &err), &err);
        assert_ok(tpm_public_key(&ak, &key, &err), &err);
        assert_ok(pubkey_pem(key, &pem, &err), &err);
        save("ak.pem", view_str(pem));
        save("msg", e->quote.message);
        save("sig", e->quote.signature);
        assert_ok(qualify_heartbeat(VERIFIER, "web-1", VIEW_ARRAY(challenge), &q, &err), &err);
        for (size_t i = 0; i < q.len; i++)
                (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), "%02x", q.b[i]);
        assert_int_equal(swtpm_tool(&emulator, line), 0);
        line[strlen(line) - 1] ^= 1; /* another nonce */
        assert_int_not_equal(swtpm_tool(&emulator, line), 0);
}

static void attests(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf out = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_evidence e;

        (void)state;
        POISON(e);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.mask, 1u << 15);
        assert_true(e.time.message.len > 0);
        assert_replays(&e, 2);
        assert_int_equal(e.log_total, 2);
        assert_checkquote(h, &e);
        m = collect_of(1);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.log_offset, 1);
        assert_int_equal(e.log_count, 1);
        m = collect_of(9); /* of a longer log: it began anew */
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.log_offset, 0);
        m.log_max = 0;
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.log_count, 0);
        m.mask = 0xffffff;
        m.bank = DIGEST_SHA384;
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.mask, 0xffffff);
}

/* Somebody undefines a counter while we run: the next evidence shows it made anew, the one after too. */
static void a_counter_that_goes_is_made_anew(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf out = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_evidence e;
        struct tpm_attest was, is;
        AUTO(buf_free) struct buf kept = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.epoch.index, 0x01810100);
        assert_int_equal(e.floor.index, 0x01810101);
        buf_put_view(&kept, e.epoch.signed_value.message);
        assert_ok(tpm_attest_parse(VIEW_BUF(&kept), &was, &err), &err);
        assert_int_equal(was.type, ATTEST_NV);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_nvundefine -C o 0x01810100"), 0);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_ok(tpm_attest_parse(e.epoch.signed_value.message, &is, &err), &err);
        assert_true(view_equal(is.nv.index_name, was.nv.index_name));
        assert_int_equal(is.nv.contents.p[7], was.nv.contents.p[7] + 1);
        /* one that cannot be made: the evidence goes without them */
        assert_int_equal(swtpm_tool(&emulator,
                                    "tpm2_nvundefine -C o 0x01810100; "
                                    "tpm2_nvdefine -C o -s 8 -a 'ownerread|ownerwrite' 0x01810100"),
                         0);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.counter_key.len, 0);
        assert_int_equal(half_state(h), PRIVSEP_STATE_READY);
}

static void a_stranger_gets_nothing_else(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf b = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_session s = {.verifier_id = VIEW_NONE, .challenge = VIEW(challenge, 16)};

        (void)state;
        assert_refused(h, PRIVSEP_EVENT, VIEW_NONE, PRIVSEP_REFUSED, "");
        assert_refused(h, PRIVSEP_COLLECT, VIEW_NONE, PRIVSEP_REFUSED, "malformed");
        assert_refused(h, PRIVSEP_STATUS, view_str("x"), PRIVSEP_REFUSED, "no arguments");
        assert_refused(h, PRIVSEP_IDENTITY, view_str("x"), PRIVSEP_REFUSED, "no arguments");
        privsep_session_put(&b, &s); /* a raw challenge, while the verifier is of ours */
        assert_refused(h, PRIVSEP_SESSION, VIEW_BUF(&b), PRIVSEP_REFUSED, "36 characters");
        buf_reset(&b);
        s.verifier_id = view_str(VERIFIER);
        s.spki_sha256 = VIEW(challenge, 31);
        privsep_session_put(&b, &s);
        assert_refused(h, PRIVSEP_SESSION, VIEW_BUF(&b), PRIVSEP_REFUSED, "");
        buf_reset(&b);
        m.challenge = VIEW(challenge, 31);
        privsep_collect_put(&b, &m);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_REFUSED, "");
        buf_reset(&b);
        m = collect_of(0);
        m.mask = 0;
        privsep_collect_put(&b, &m);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_REFUSED, "PCRs 0x0");
        buf_reset(&b);
        m.mask = 1;
        m.bank = DIGEST_SHA512; /* not in this TPM */
        privsep_collect_put(&b, &m);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_FAILED, "");
        buf_reset(&b);
        privsep_activate_put(&b, &(struct privsep_activate){VIEW(challenge, 32), VIEW(challenge, 32)});
        assert_refused(h, PRIVSEP_ACTIVATE, VIEW_BUF(&b), PRIVSEP_FAILED, "TPM2_ActivateCredential");
        assert_int_equal(half_state(h), PRIVSEP_STATE_READY); /* none of it harms */
}

static void a_keylime_peer_gets_raw_challenges(void **state)
{
        struct half *h;
        AUTO(buf_free) struct buf b = {0}, out = {0};
        struct privsep_session s = {.challenge = VIEW(challenge, 16)};
        struct privsep_collect m = collect_of(0);
        struct privsep_evidence e;
        struct privsep_signed proof;
        struct err err = ERR_INIT;
        struct view body;

        (void)state;
        write_config("verifier: {peer: keylime}");
        h = start();
        privsep_session_put(&b, &s);
        assert_int_equal(ask(h, PRIVSEP_SESSION, VIEW_BUF(&b), &out, &body), PRIVSEP_OK);
        assert_ok(privsep_signed_get(body, &proof, &err), &err);
        assert_non_null(memmem(proof.message.p, proof.message.len, challenge, 16));
        assert_refused(h, PRIVSEP_COLLECT, VIEW_NONE, PRIVSEP_REFUSED, "malformed");
        m.verifier_id = VIEW_NONE;
        m.challenge = VIEW(challenge, 16);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.time.message.len, 0);
        half_free(h);
}

static void turn_until(struct half *h, uint32_t entries)
{
        for (int i = 0; i < 200 && half_log_entries(h) != entries; i++) {
                (void)half_turn(h, clock_mono_ms());
                (void)usleep(20000);
        }
        assert_int_equal(half_log_entries(h), entries);
}

static void changes_are_measured(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf out = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_evidence e;
        struct err err = ERR_INIT;
        struct stat st;
        struct timespec times[2];

        (void)state;
        (void)half_turn(h, clock_mono_ms());
        assert_ok(file_write(runtime, view_str("runtime 2"), 0755, &err), &err); /* replaced */
        turn_until(h, 3);
        assert_ok(file_append(added, view_str("more"), 0644, &err), &err); /* in place */
        turn_until(h, 4);
        assert_int_equal(stat(runtime, &st), 0);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        times[1].tv_sec -= 10;
        assert_int_equal(utimensat(AT_FDCWD, runtime, times, 0), 0); /* touched, not changed */
        for (int i = 0; i < 20; i++) {
                (void)half_turn(h, clock_mono_ms());
                (void)usleep(20000);
        }
        assert_int_equal(half_log_entries(h), 4);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_replays(&e, 4);
}

static void restarts_measure_nothing_twice(void **state)
{
        struct half *h = start();
        struct err err = ERR_INIT;

        (void)state;
        half_free(h);
        h = start();
        assert_int_equal(half_log_entries(h), 2);
        half_free(h);
        assert_ok(file_write(runtime, view_str("runtime 2"), 0755, &err), &err); /* while nobody looked */
        h = start();
        assert_int_equal(half_log_entries(h), 3);
        half_free(h);
        swtpm_restart(&emulator); /* a boot */
        h = start();
        assert_int_equal(half_log_entries(h), 2);
        half_free(h);
}

static void two_agents_do_not_share_a_state(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        struct half *second = (void *)0xaa;
        struct err err = ERR_INIT;

        (void)state;
        assert_non_null(h);
        assert_err(half_new(load_config(), NULL, &second, &err), ERR_CONFIG, &err, "another avow-agent");
}

static void a_runtime_that_cannot_be_measured_stops_attestation(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf b = {0};
        struct privsep_collect m = collect_of(0);
        struct err err = ERR_INIT;

        (void)state;
        privsep_collect_put(&b, &m);
        assert_int_equal(unlink(added), 0);
        assert_int_equal(mkdir(added, 0755), 0); /* what is there is no file to measure */
        (void)half_turn(h, clock_mono_ms());
        (void)usleep(150000);
        for (int i = 0; i < 5; i++, (void)usleep(60000))
                (void)half_turn(h, clock_mono_ms());
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_FAILED, "no regular file");
        assert_int_equal(rmdir(added), 0);
        assert_ok(file_write(added, view_str("added 1"), 0644, &err), &err);
        (void)half_turn(h, clock_mono_ms());
        (void)usleep(150000);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_OK, "");
}

static void a_missing_runtime_leaves_the_register_alone(void **state)
{
        struct half *h = NULL;
        struct err err = ERR_INIT;
        struct tpm *tpm = NULL;
        struct tpm_pcr_values v;
        struct digest zero;

        (void)state;
        assert_int_equal(unlink(added), 0);
        assert_ok(half_new(load_config(), NULL, &h, &err), &err);
        assert_err(half_start(h, &err), ERR_IO, &err, "runtime 'rt'");
        assert_int_equal(half_state(h), PRIVSEP_STATE_STARTING);
        assert_refused(h, PRIVSEP_IDENTITY, VIEW_NONE, PRIVSEP_NOT_NOW, "starting");
        half_free(h);
        assert_ok(tpm_open(emulator.tcti, &tpm, &err), &err);
        assert_ok(tpm_pcrs_read(tpm, DIGEST_SHA256, 1u << 15, &v, &err), &err);
        digest_zero(DIGEST_SHA256, &zero);
        assert_true(digest_equal(&v.value[15], &zero));
        tpm_free(tpm);
}

static void a_lost_tpm_comes_back(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf b = {0}, out = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_status status;
        struct err err = ERR_INIT;
        struct view body;

        (void)state;
        privsep_collect_put(&b, &m);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_flushcontext -t && tpm2_flushcontext -l"), 0);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_NOT_NOW, ""); /* our keys are gone */
        (void)half_turn(h, clock_mono_ms());
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_OK, "");
        swtpm_kill(&emulator);
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_NOT_NOW, "");
        assert_int_equal(ask(h, PRIVSEP_STATUS, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_status_get(body, &status, &err), &err);
        assert_int_equal(status.state, PRIVSEP_STATE_STARTING);
        swtpm_restart(&emulator);
        for (int i = 0; i < 100 && half_state(h) != PRIVSEP_STATE_READY; i++) {
                (void)half_turn(h, clock_mono_ms());
                (void)usleep(50000);
        }
        assert_refused(h, PRIVSEP_COLLECT, VIEW_BUF(&b), PRIVSEP_OK, "");
        assert_int_equal(half_log_entries(h), 2);
}

static void a_strangers_extend_is_reported(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        AUTO(buf_free) struct buf out = {0};
        struct privsep_collect m = collect_of(0);
        struct privsep_evidence e;
        struct privsep_status status;
        struct err err = ERR_INIT;
        struct view body;

        (void)state;
        assert_int_equal(swtpm_tool(&emulator, "tpm2_pcrevent 15 ak.pem || tpm2_pcrevent 15 tpm2-00.permall"),
                         0);
        assert_int_equal(collect(h, &m, &out, &e), PRIVSEP_OK);
        assert_int_equal(e.log_total, 2); /* shipped as it is */
        assert_int_equal(ask(h, PRIVSEP_STATUS, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_status_get(body, &status, &err), &err);
        assert_false(status.log_explains);
        assert_true(status.problem.len > 0);
}

static void a_reload_measures_what_is_new(void **state)
{
        AUTO(half_free_p) struct half *h = start();
        struct err err = ERR_INIT;
        char text[512];

        (void)state;
        (void)snprintf(text, sizeof(text),
                       "host: {id: web-1}\nstate: {dir: %s/state}\ntpm: {tcti: \"%s\"}\nruntimes:\n"
                       "- {name: rt, path: %s}\n- {name: other, path: /bin/true, libs: none}\n",
                       dir, emulator.tcti, runtime);
        assert_ok(file_write(config_file, view_str(text), 0600, &err), &err);
        assert_ok(half_reload(h, load_config(), &err), &err);
        assert_int_equal(half_log_entries(h), 3);
        write_config("interval: 9s");
        assert_ok(half_reload(h, load_config(), &err), &err);
        assert_int_equal(half_config(h)->interval_ms, 9000);
        assert_int_equal(half_log_entries(h), 3);
        write_config("verifier: {peer: keylime}");
        assert_err(half_reload(h, load_config(), &err), ERR_CONFIG, &err, "verifier.peer");
        assert_int_equal(unlink(added), 0);
        write_config("interval: 8s");
        assert_err(half_reload(h, load_config(), &err), ERR_IO, &err, "runtime 'rt'");
        assert_int_equal(half_config(h)->interval_ms, 9000); /* the old one holds */
}

static void a_foreign_ak_file_is_not_used(void **state)
{
        struct half *h = start();
        AUTO(buf_free) struct buf out = {0};
        struct privsep_identity id;
        struct err err = ERR_INIT;
        struct view body;
        uint8_t first[80];
        char path[80];

        (void)state;
        assert_int_equal(ask(h, PRIVSEP_IDENTITY, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_identity_get(body, &id, &err), &err);
        assert_view(id.host_id, "web-1");
        assert_int_equal(id.n_banks, 3);
        memcpy(first, id.ak_name.p, id.ak_name.len);
        half_free(h);
        h = start(); /* the same key */
        assert_int_equal(ask(h, PRIVSEP_IDENTITY, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_identity_get(body, &id, &err), &err);
        assert_memory_equal(first, id.ak_name.p, id.ak_name.len);
        half_free(h);
        (void)snprintf(path, sizeof(path), "%s/state/ak.auth", dir);
        assert_ok(file_write(path, VIEW(challenge, 32), 0600, &err),
                  &err); /* a crash between the two files */
        h = start();
        assert_int_equal(ask(h, PRIVSEP_IDENTITY, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_identity_get(body, &id, &err), &err);
        assert_memory_not_equal(first, id.ak_name.p, id.ak_name.len);
        half_free(h);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_clear"), 0); /* another EK */
        h = start();
        half_free(h);
}

static int start_once(struct err *err)
{
        AUTO(half_free_p) struct half *h = NULL;
        struct agent_config *config = NULL;
        int r = agent_config_load(config_file, &config, err);

        if (r >= 0)
                r = half_new(config, NULL, &h, err);
        if (r >= 0)
                r = half_start(h, err);
        return r;
}

static void memory_runs_out(void **state)
{
        (void)state;
        /* Some of it can be done without (watching, the time of the boot): then it starts all the same. */
        for (size_t n = 1, reached = true; reached; n += 1 + n / 48) { /* a TPM is slow: not every one */
                struct err err = ERR_INIT;
                int r;

                oom_at(n);
                r = start_once(&err);
                reached = oom_off();
                if (r != 0 && r != -ERR_NOMEM)
                        fail_msg("allocation %zu failed, and start says: %s", n, err.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
                cmocka_unit_test_setup_teardown(attests, setup, teardown),
                cmocka_unit_test_setup_teardown(a_counter_that_goes_is_made_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(a_stranger_gets_nothing_else, setup, teardown),
                cmocka_unit_test_setup_teardown(a_keylime_peer_gets_raw_challenges, setup, teardown),
                cmocka_unit_test_setup_teardown(changes_are_measured, setup, teardown),
                cmocka_unit_test_setup_teardown(restarts_measure_nothing_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(two_agents_do_not_share_a_state, setup, teardown),
                cmocka_unit_test_setup_teardown(a_runtime_that_cannot_be_measured_stops_attestation, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_missing_runtime_leaves_the_register_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(a_lost_tpm_comes_back, setup, teardown),
                cmocka_unit_test_setup_teardown(a_strangers_extend_is_reported, setup, teardown),
                cmocka_unit_test_setup_teardown(a_reload_measures_what_is_new, setup, teardown),
                cmocka_unit_test_setup_teardown(a_foreign_ak_file_is_not_used, setup, teardown),
        };

        log_init("test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests_name("agent/half", tests, NULL, NULL);
}
