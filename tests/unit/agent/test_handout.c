/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in the TPM half, against a real TPM: who gets them, when not, and what is left behind. */
#include "support/support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/str.h"
#include "evidence/qualify.h"
#include "evidence/tpm_attest.h"
#include "unit/agent/owner_kit.h"
#include "unit/tpm/swtpm.h"
#include "wire/release.h"

static struct swtpm emulator;
static char dir[TMPDIR_BYTES], config_file[64], runtime[64];

struct world {
        struct half *half;
        struct kit kit;
        struct buf out, set;
};

/* Who asked, and what came. */
struct asker {
        bool answered;
        enum handout_result result;
        char secret[4096], text[512];
        size_t len;
        uint32_t lease_s;
};

static struct half *half_up(void)
{
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;
        struct half *h = NULL;

        assert_ok(agent_config_load(config_file, &config, &err), &err);
        assert_ok(half_new(config, NULL, &h, &err), &err);
        assert_ok(half_start(h, &err), &err);
        assert_true(h->counters.usable);
        return h;
}

static void write_config(const char *extra)
{
        struct err err = ERR_INIT;
        char text[1024];

        (void)snprintf(
                text, sizeof(text),
                "host: {id: web-1}\nstate: {dir: %s/state}\ntpm: {tcti: \"%s\"}\nrun: {dir: %s/run}\n%s\n"
                "runtimes:\n- {name: rt, path: %s}\n",
                dir, emulator.tcti, dir, extra, runtime);
        assert_ok(file_write(config_file, view_str(text), 0600, &err), &err);
}

static int setup(void **state)
{
        struct world *w = mem_zalloc(1, sizeof(*w));
        struct err err = ERR_INIT;

        swtpm_start(&emulator);
        tmpdir_make(dir);
        (void)snprintf(config_file, sizeof(config_file), "%s/agent.yaml", dir);
        (void)snprintf(runtime, sizeof(runtime), "%s/rt", dir);
        assert_ok(file_write(runtime, view_str("runtime 1"), 0755, &err), &err);
        write_config("");
        w->half = half_up();
        kit_make(&w->kit, w->half);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;

        kit_done(&w->kit);
        half_free(w->half);
        buf_free(&w->out);
        buf_free(&w->set);
        free(w);
        tmpdir_remove(dir);
        swtpm_stop(&emulator);
        return 0;
}

static enum privsep_result tell(struct world *w, enum privsep_type type, struct view body, struct view *ret)
{
        struct privsep_frame request = {.type = type, .id = 7, .body = body}, reply;
        struct err err = ERR_INIT;

        buf_reset(&w->out);
        half_answer(w->half, &request, &w->out);
        assert_true(privsep_frame_take(VIEW_BUF(&w->out), PRIVSEP_FRAME_MAX, &reply, &err) > 0);
        *ret = reply.body;
        return reply.result;
}

static void give_set(struct world *w, struct buf *secrets, size_t n, struct buf *approvals, size_t m,
                     uint64_t floor)
{
        struct view text;

        kit_set(secrets, n, approvals, m, floor, &w->set);
        if (tell(w, PRIVSEP_SECRETS, VIEW_BUF(&w->set), &text) != PRIVSEP_OK)
                fail_msg("%.*s", (int)text.len, (const char *)text.p);
        for (size_t i = 0; i < n; i++)
                buf_free(&secrets[i]);
        for (size_t i = 0; i < m; i++)
                buf_free(&approvals[i]);
}

/* One secret with one approval for now. */
static void give_one(struct world *w, const char *name, const char *plain, bool local)
{
        struct buf secret = {0}, approval = {0};

        kit_secret(&w->kit, name, view_str(plain), local, &secret);
        kit_approval(&w->kit, 5, local, false, &approval);
        give_set(w, &secret, 1, &approval, 1, 0);
}

static void on_answer(void *ctx, const struct handout_answer *answer)
{
        struct asker *a = ctx;

        assert_false(a->answered);
        a->answered = true;
        a->result = answer->result;
        a->lease_s = answer->lease_s;
        a->len = answer->secret.len;
        (void)snprintf(a->text, sizeof(a->text), "%s", answer->text ? answer->text : "");
        assert_true(a->len < sizeof(a->secret));
        if (a->len)
                memcpy(a->secret, answer->secret.p, a->len);
        a->secret[a->len] = '\0';
}

static void ask(struct world *w, struct asker *a, const char *name, const char *unit)
{
        struct err err = ERR_INIT;

        *a = (struct asker){0};
        assert_ok(handout_ask(half_handout(w->half), name, unit, 33, clock_mono_ms(), on_answer, a, &err),
                  &err);
        assert_false(a->answered);
}

static void turn(struct world *w)
{
        (void)half_turn(w->half, clock_mono_ms());
}

static struct asker ask_now(struct world *w, const char *name)
{
        struct asker a;

        ask(w, &a, name, "web.service");
        turn(w);
        assert_true(a.answered);
        return a;
}

static void expect(const struct asker *a, enum handout_result result, const char *part)
{
        if (!a->answered || a->result != result || !strstr(a->text, part))
                fail_msg("%s: %s", a->answered ? handout_result_name(a->result) : "no answer", a->text);
        assert_int_equal(a->len, 0);
}

static void expect_secret(const struct asker *a, const char *plain)
{
        if (!a->answered || a->result != HANDOUT_OK)
                fail_msg("%s: %s", a->answered ? handout_result_name(a->result) : "no answer", a->text);
        assert_string_equal(a->secret, plain);
}

/* ---- local */

static void a_local_secret_is_handed_out_and_noted(void **state)
{
        struct world *w = *state;
        const struct secrets_copy *copies;
        struct asker a;

        give_one(w, "db", "open sesame", true);
        a = ask_now(w, "db");
        expect_secret(&a, "open sesame");
        assert_int_equal(a.lease_s, 0);
        a = ask_now(w, "db"); /* nothing is kept: it opens once more */
        expect_secret(&a, "open sesame");
        assert_int_equal(secrets_copies(w->half->secrets, &copies), 1);
        assert_string_equal(copies[0].unit, "web.service");
        assert_string_equal(copies[0].secret, "db");
        assert_int_equal(copies[0].uid, 33);
        assert_true(copies[0].revocable);
        a = ask_now(w, "other");
        expect(&a, HANDOUT_UNKNOWN, "no secret of that name");

        /* After a restart blobs and copies are still known. */
        half_free(w->half);
        w->half = w->kit.half = half_up();
        assert_int_equal(secrets_copies(w->half->secrets, &copies), 1);
        a = ask_now(w, "db");
        expect_secret(&a, "open sesame");
}

static void large_ones_and_plain_ones(void **state)
{
        struct world *w = *state;
        struct buf secrets[2] = {{0}}, approval = {0};
        AUTO(strv_done) struct strv lasting = {0};
        struct err err = ERR_INIT;
        struct tpm *tpm = NULL;
        char large[3001];
        struct asker a;

        memset(large, 'x', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        half_free(w->half);
        assert_ok(tpm_open(emulator.tcti, &tpm, &err), &err);
        kit_plain(&w->kit, tpm, "plain", view_str("an old blob"), &secrets[1]);
        tpm_free(tpm);
        w->half = w->kit.half = half_up();
        kit_secret(&w->kit, "large", view_str(large), true, &secrets[0]);
        kit_approval(&w->kit, 1, true, false, &approval);
        give_set(w, secrets, 2, &approval, 1, 0);
        a = ask_now(w, "large");
        expect_secret(&a, large);
        a = ask_now(w, "plain");
        expect_secret(&a, "an old blob");
        assert_ok(secrets_not_revocable(w->half->secrets, &lasting, &err), &err);
        assert_int_equal(lasting.n, 1);
        assert_string_equal(lasting.items[0], "plain");
}

static void what_is_not_approved_stays_closed(void **state)
{
        struct world *w = *state;
        struct buf secrets[2] = {{0}}, approvals[2] = {{0}};
        struct asker a;

        kit_secret(&w->kit, "db", view_str("s"), true, &secrets[0]);
        give_set(w, secrets, 1, NULL, 0, 0);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_FAILED, "approved nothing");

        kit_secret(&w->kit, "db", view_str("s"), true, &secrets[0]);
        kit_approval(&w->kit, 5, true, true, &approvals[0]);
        give_set(w, secrets, 1, approvals, 1, 0);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_FAILED, "no approval is for what the PCRs");

        /* The owner wants the verifier's word: an approval that does without does not count. */
        kit_secret(&w->kit, "db", view_str("s"), false, &secrets[0]);
        kit_approval(&w->kit, 5, true, false, &approvals[0]);
        give_set(w, secrets, 1, approvals, 1, 0);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_FAILED, "approved nothing");

        /* Withdrawn: the floor is raised by the set, and the TPM says no. */
        kit_secret(&w->kit, "db", view_str("s"), true, &secrets[0]);
        kit_approval(&w->kit, w->half->counters.floor.value + 1, true, false, &approvals[0]);
        give_set(w, secrets, 1, approvals, 1, 0);
        a = ask_now(w, "db");
        expect_secret(&a, "s");
        kit_secret(&w->kit, "db", view_str("s"), true, &secrets[0]);
        kit_approval(&w->kit, w->half->counters.floor.value + 1, true, false, &approvals[0]);
        give_set(w, secrets, 1, approvals, 1, w->half->counters.floor.value + 2);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_FAILED, "the approval was withdrawn");
}

static void another_owner_is_nobody_here(void **state)
{
        struct world *w = *state;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        AUTO(mem_free_p) char *pem = NULL;
        struct agent_config *config = NULL;
        struct kit stranger;
        struct err err = ERR_INIT;
        char path[64], extra[128];
        struct asker a;

        (void)snprintf(path, sizeof(path), "%s/owner.pem", dir);
        (void)snprintf(extra, sizeof(extra), "secrets: {owners: [%s]}", path);
        assert_ok(key_public(w->kit.owner, &public, &err), &err);
        assert_ok(pubkey_pem(public, &pem, &err), &err);
        assert_ok(file_write(path, view_str(pem), 0644, &err), &err);
        write_config(extra);
        assert_ok(agent_config_load(config_file, &config, &err), &err);
        assert_ok(half_reload(w->half, config, &err), &err);
        give_one(w, "db", "ours", true);
        a = ask_now(w, "db");
        expect_secret(&a, "ours");

        kit_make(&stranger, w->half);
        {
                struct kit mine = w->kit;

                w->kit = stranger;
                give_one(w, "db", "theirs", true);
                w->kit = mine;
        }
        kit_done(&stranger);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_FAILED, "secrets.owners");
        write_config("");
}

/* A reload that is refused leaves files as they were: those of the old rows, none of the new ones. */
static void a_refused_reload_moves_no_file(void **state)
{
        struct world *w = *state;
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;
        char extra[256], shm[64], file[96], other[96];
        struct stat st;

        (void)snprintf(shm, sizeof(shm), "/dev/shm/%s", dir + strlen("/tmp/"));
        (void)snprintf(file, sizeof(file), "%s/db", shm);
        (void)snprintf(other, sizeof(other), "%s/key", shm);
        half_free(w->half);
        (void)snprintf(extra, sizeof(extra),
                       "secrets: {dir: %s, acl: [{secret: db, uid: %u, uid_only: true, file: true}]}", shm,
                       (unsigned)getuid());
        write_config(extra);
        w->half = w->kit.half = half_up();
        give_one(w, "db", "in memory", true);
        turn(w);
        turn(w);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0400);
        (void)snprintf(extra, sizeof(extra),
                       "secrets: {dir: %s, acl: [{secret: key, uid: %u, uid_only: true, file: true}]}\n"
                       "verifier: {peer: keylime}",
                       shm, (unsigned)getuid());
        write_config(extra);
        assert_ok(agent_config_load(config_file, &config, &err), &err);
        assert_err(half_reload(w->half, config, &err), ERR_CONFIG, &err, "verifier.peer");
        turn(w);
        turn(w);
        assert_int_equal(stat(file, &st), 0);
        assert_false(file_exists(other));
        secrets_refuse(w->half->secrets, "this host is suspended");
        assert_false(file_exists(file));
        secrets_admit(w->half->secrets);
        turn(w);
        turn(w);
        assert_true(file_exists(file));
        half_free(w->half);
        assert_false(file_exists(file));
        assert_int_equal(rmdir(shm), 0);
        write_config("");
        w->half = w->kit.half = half_up();
}

/* ---- with a release */

static struct privsep_wanted wanted(struct world *w, struct wire_release_request *ret)
{
        struct privsep_wanted m;
        struct err err = ERR_INIT;
        struct view body;

        assert_int_equal(tell(w, PRIVSEP_WANTED, VIEW_NONE, &body), PRIVSEP_OK);
        assert_ok(privsep_wanted_get(body, &m, &err), &err);
        assert_int_equal(m.number, half_wanted(w->half));
        if (m.number)
                assert_ok(wire_release_request_decode(m.body, ret, &err), &err);
        return m;
}

static void release(struct world *w, uint32_t number, const struct key *key, const char *host,
                    const struct wire_release_request *request, uint32_t lease_s)
{
        struct buf signature = {0}, body = {0};
        struct view ignored;

        kit_release(key, host, VIEW_ARRAY(request->item[0].nonce), lease_s, &signature);
        privsep_release_put(&body, &(struct privsep_release){.number = number,
                                                             .granted = true,
                                                             .lease_s = lease_s,
                                                             .signature = VIEW_BUF(&signature)});
        assert_int_equal(tell(w, PRIVSEP_RELEASE, VIEW_BUF(&body), &ignored), PRIVSEP_OK);
        buf_free(&signature);
        buf_free(&body);
        turn(w);
}

static void a_release_opens_for_all_who_wait(void **state)
{
        struct world *w = *state;
        struct wire_release_request request;
        struct privsep_wanted m;
        struct asker a, b, c;

        give_one(w, "db", "released", false);
        assert_int_equal(half_wanted(w->half), 0);
        ask(w, &a, "db", "web.service");
        ask(w, &b, "db", "worker@1.service");
        turn(w);
        m = wanted(w, &request);
        assert_int_equal(request.n, 1);
        assert_string_equal(request.item[0].name, "db");
        assert_false(a.answered);
        release(w, m.number + 1, w->kit.release, "web-1", &request, 60); /* of another number: not ours */
        assert_false(a.answered);
        ask(w, &c, "db", "late.service"); /* joins */
        release(w, m.number, w->kit.release, "web-1", &request, 60);
        expect_secret(&a, "released");
        expect_secret(&b, "released");
        expect_secret(&c, "released");
        assert_int_equal(a.lease_s, 60);
        assert_int_equal(half_wanted(w->half), 0);
        assert_int_equal(wanted(w, &request).number, 0);
}

static void releases_of_others_open_nothing(void **state)
{
        struct world *w = *state;
        struct wire_release_request request;
        struct asker a;

        give_one(w, "db", "released", false);
        for (int i = 0; i < 2; i++) { /* another key; another host's */
                ask(w, &a, "db", "web.service");
                turn(w);
                release(w, wanted(w, &request).number, i ? w->kit.release : w->kit.owner,
                        i ? "web-2" : "web-1", &request, 60);
                expect(&a, HANDOUT_FAILED, "release");
        }
        /* One for a session that is gone: what was earned for it opens no other. */
        ask(w, &a, "db", "web.service");
        turn(w);
        (void)wanted(w, &request);
        handout_cancel(half_handout(w->half), &a);
        turn(w);
        assert_int_equal(half_wanted(w->half), 0); /* nobody waits: nothing stays in the TPM */
        ask(w, &a, "db", "web.service");
        turn(w);
        release(w, half_wanted(w->half), w->kit.release, "web-1", &request, 60);
        expect(&a, HANDOUT_FAILED, "release");
}

static void a_refusal_reaches_who_asked(void **state)
{
        struct world *w = *state;
        struct wire_release_request request;
        struct privsep_wanted m;
        struct buf body = {0};
        struct view ignored;
        struct asker a;

        give_one(w, "db", "released", false);
        ask(w, &a, "db", "web.service");
        turn(w);
        m = wanted(w, &request);
        privsep_release_put(&body, &(struct privsep_release){.number = m.number,
                                                             .final = true,
                                                             .text = view_str("not-pass: PCR 15")});
        assert_int_equal(tell(w, PRIVSEP_RELEASE, VIEW_BUF(&body), &ignored), PRIVSEP_OK);
        buf_free(&body);
        expect(&a, HANDOUT_REFUSED, "not-pass");
        assert_int_equal(half_wanted(w->half), 0);

        /* Nobody answers: told in time, and nothing stays open. */
        ask(w, &a, "db", "web.service");
        turn(w);
        assert_true(half_wanted(w->half) > 0);
        (void)half_turn(w->half, clock_mono_ms() + 21000);
        expect(&a, HANDOUT_UNAVAILABLE, "in time");
        assert_int_equal(half_wanted(w->half), 0);
}

static void evidence_is_for_the_release_that_is_wanted(void **state)
{
        struct world *w = *state;
        uint8_t challenge[QUALIFY_CHALLENGE_BYTES] = {1, 2, 3};
        struct privsep_show m = {.collect = {.verifier_id = view_str(KIT_VERIFIER),
                                             .challenge = VIEW_ARRAY(challenge),
                                             .bank = DIGEST_SHA256,
                                             .mask = 0x8000}};
        struct wire_release_request request;
        struct privsep_evidence evidence;
        struct digest hash, qualifying;
        struct buf posted = {0}, body = {0};
        struct tpm_attest attest;
        struct err err = ERR_INIT;
        struct view answer;
        struct asker a;

        privsep_show_put(&body, &m); /* nothing is wanted yet */
        assert_int_equal(tell(w, PRIVSEP_SHOW, VIEW_BUF(&body), &answer), PRIVSEP_REFUSED);
        give_one(w, "db", "released", false);
        ask(w, &a, "db", "web.service");
        turn(w);
        {
                struct privsep_wanted wants = wanted(w, &request);

                m.number = wants.number;
                buf_put_view(&posted, wants.body);
        }
        buf_reset(&body);
        privsep_show_put(&body, &m);
        assert_int_equal(tell(w, PRIVSEP_SHOW, VIEW_BUF(&body), &answer), PRIVSEP_OK);
        assert_ok(privsep_evidence_get(answer, &evidence, &err), &err);
        assert_ok(tpm_attest_parse(evidence.quote.message, &attest, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&posted), &hash, &err), &err);
        assert_ok(qualify_release(KIT_VERIFIER, "web-1", VIEW_ARRAY(challenge), digest_view(&hash),
                                  &qualifying, &err),
                  &err);
        assert_true(view_equal(attest.extra_data, digest_view(&qualifying)));
        /* Evidence was collected with the object and its session in the TPM, and the release still opens. */
        release(w, m.number, w->kit.release, "web-1", &request, 30);
        expect_secret(&a, "released");
        m.number++;
        buf_reset(&body);
        privsep_show_put(&body, &m);
        assert_int_equal(tell(w, PRIVSEP_SHOW, VIEW_BUF(&body), &answer), PRIVSEP_REFUSED);
        buf_free(&posted);
        buf_free(&body);
}

/* ---- refusing, forgetting, the TPM going away */

static void a_refusal_of_the_host_comes_first(void **state)
{
        struct world *w = *state;
        struct wire_release_request request;
        struct err err = ERR_INIT;
        struct asker a;
        struct view text;
        uint32_t number;
        char path[64];

        give_one(w, "db", "released", false);
        ask(w, &a, "db", "web.service");
        turn(w);
        number = wanted(w, &request).number;
        secrets_refuse(w->half->secrets, "this host is revoked");
        expect(&a, HANDOUT_REFUSED, "revoked"); /* at once, before any turn */
        assert_int_equal(half_wanted(w->half), 0);
        release(w, number, w->kit.release, "web-1", &request, 60); /* too late */
        a = ask_now(w, "db");
        expect(&a, HANDOUT_REFUSED, "revoked");

        /* While it lasts no set is taken, and forgetting leaves no file. */
        assert_int_equal(tell(w, PRIVSEP_SECRETS, VIEW_BUF(&w->set), &text), PRIVSEP_REFUSED);
        (void)snprintf(path, sizeof(path), "%s/state/secrets/db.json", dir);
        assert_true(file_exists(path));
        assert_ok(secrets_forget(w->half->secrets, &err), &err);
        assert_ok(secrets_forget(w->half->secrets, &err), &err);
        assert_false(file_exists(path));
        secrets_admit(w->half->secrets);
        a = ask_now(w, "db");
        expect(&a, HANDOUT_UNKNOWN, "no secret");
}

static void a_tpm_that_restarts_ends_nothing_but_the_session(void **state)
{
        struct world *w = *state;
        struct wire_release_request request;
        struct asker a;
        uint32_t first;

        give_one(w, "db", "released", false);
        ask(w, &a, "db", "web.service");
        turn(w);
        first = wanted(w, &request).number;
        handout_lose_tpm(half_handout(w->half)); /* what half.c does when the TPM is gone */
        assert_int_equal(half_wanted(w->half), 0);
        turn(w);
        assert_true(wanted(w, &request).number != first);
        release(w, wanted(w, &request).number, w->kit.release, "web-1", &request, 60);
        expect_secret(&a, "released");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_local_secret_is_handed_out_and_noted, setup, teardown),
                cmocka_unit_test_setup_teardown(large_ones_and_plain_ones, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_not_approved_stays_closed, setup, teardown),
                cmocka_unit_test_setup_teardown(another_owner_is_nobody_here, setup, teardown),
                cmocka_unit_test_setup_teardown(a_refused_reload_moves_no_file, setup, teardown),
                cmocka_unit_test_setup_teardown(a_release_opens_for_all_who_wait, setup, teardown),
                cmocka_unit_test_setup_teardown(releases_of_others_open_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_refusal_reaches_who_asked, setup, teardown),
                cmocka_unit_test_setup_teardown(evidence_is_for_the_release_that_is_wanted, setup, teardown),
                cmocka_unit_test_setup_teardown(a_refusal_of_the_host_comes_first, setup, teardown),
                cmocka_unit_test_setup_teardown(a_tpm_that_restarts_ends_nothing_but_the_session, setup,
                                                teardown),
        };

        return cmocka_run_group_tests_name("agent handout", tests, NULL, NULL);
}
