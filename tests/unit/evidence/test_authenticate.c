/* SPDX-License-Identifier: Apache-2.0 */
/* Whose evidence is it, what was it made for, does it move forward: SR-4, SR-13, SR-14. */
#include "support/support.h"

#include "evidence/authenticate.h"
#include "support/play_tpm.h"
#include "vectors.h"

#define T0        1770000000000
#define ASKED     ((struct pcr_selection){DIGEST_SHA256, 1u << 15 | 1u << 7})
#define CHALLENGE VIEW("the qualifying data, 32 bytes ok", 32)

/* One host, one challenge, one answer. */
struct scene {
        struct play_tpm tpm;
        struct buf message, signature, time_message, time_signature;
        struct pcr_values values;
        struct pcr_selection quoted;
        struct evidence e;
        struct expectation x;
        struct verdict *v;
        struct authenticated out;
        struct previous previous;
        bool authentic;
};

static void scene_init(struct scene *s, enum play_ak kind)
{
        memset(s, 0, sizeof(*s));
        play_tpm_init(&s->tpm, kind, DIGEST_SHA256);
        play_tpm_extend(&s->tpm, 15, view_str("runtime"));
        s->quoted = ASKED;
        s->x = (struct expectation){
                .qualifying = CHALLENGE,
                .asked = ASKED,
                .want_time = true,
                .issued_at_ms = T0,
                .received_at_ms = T0 + 200,
                .tolerance = CLOCK_TOLERANCE_DEFAULT,
        };
}

static void scene_done(struct scene *s)
{
        play_tpm_done(&s->tpm);
        buf_free(&s->message);
        buf_free(&s->signature);
        buf_free(&s->time_message);
        buf_free(&s->time_signature);
        verdict_free(s->v);
}

static void answer(struct scene *s)
{
        play_tpm_quote(&s->tpm, &s->quoted, CHALLENGE, &s->message, &s->signature);
        play_tpm_time(&s->tpm, CHALLENGE, &s->time_message, &s->time_signature);
        s->values = play_tpm_values(&s->tpm, &s->quoted);
        s->e = (struct evidence){
                .ak = &s->tpm.ak,
                .message = VIEW_BUF(&s->message),
                .signature = VIEW_BUF(&s->signature),
                .pcrs = &s->values,
                .time_message = VIEW_BUF(&s->time_message),
                .time_signature = VIEW_BUF(&s->time_signature),
        };
}

static void judge(struct scene *s)
{
        struct err err = ERR_INIT;

        verdict_free(s->v);
        s->v = verdict_new();
        s->v->state = VERDICT_PASS; /* so that every change of it is seen */
        POISON(s->out);
        s->authentic = false;
        assert_ok(evidence_authenticate(&s->e, &s->x, s->v, &s->authentic, &s->out, &err), &err);
}

static void assert_refused(struct scene *s, const char *code)
{
        judge(s);
        assert_false(s->authentic);
        assert_int_equal(s->v->state, VERDICT_REFUSED);
        if (!verdict_find(s->v, code))
                fail_msg("%s, not %s", s->v->n_findings ? s->v->findings[0].code : "nothing", code);
        assert_int_equal(verdict_severity(s->v), SEVERITY_CRITICAL);
        assert_int_equal(s->out.next.clock.clock_ms, 0);
}

/* The next round, WALL_MS later by our clock and TPM_MS by the TPM's. */
static void next_round(struct scene *s, int64_t wall_ms, uint64_t tpm_ms)
{
        s->previous = s->out.next;
        s->x.previous = &s->previous;
        s->x.issued_at_ms = s->x.received_at_ms;
        s->x.received_at_ms += wall_ms;
        play_tpm_pass_time(&s->tpm, tpm_ms);
        answer(s);
}

static void first_round(struct scene *s, enum play_ak kind)
{
        scene_init(s, kind);
        answer(s);
        judge(s);
        assert_true(s->authentic);
}

/* ---- authentic ---- */

static void good_evidence(void **state)
{
        static const enum play_ak kinds[] = {PLAY_AK_P256, PLAY_AK_RSA};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct scene s;

                first_round(&s, kinds[i]);
                assert_int_equal(s.v->state, VERDICT_PASS);
                assert_int_equal(s.v->n_findings, 0);
                assert_false(s.out.rebooted || s.out.rolled_back || s.out.ask_again);
                assert_int_equal(s.out.next.clock.clock_ms, s.tpm.clock.clock_ms);
                assert_int_equal(s.out.next.received_at_ms, T0 + 200);
                assert_true(s.out.next.has_time_offset);
                assert_int_equal(s.out.next.time_offset_ms, 60000);
                assert_int_equal(s.out.pcrs.mask, ASKED.mask);
                assert_int_equal(s.out.firmware_version, s.tpm.firmware_version);
                next_round(&s, 30000, 30000);
                judge(&s);
                assert_true(s.authentic);
                assert_int_equal(s.v->n_findings, 0);
                scene_done(&s);
        }
}

/* Keylime's agents: no time statement, and PCR 16 beside what was asked for. */
static void keylime_evidence(void **state)
{
        struct scene s;

        (void)state;
        scene_init(&s, PLAY_AK_RSA);
        s.quoted.mask |= 1u << 16;
        s.x.want_time = false;
        answer(&s);
        s.e.time_message = s.e.time_signature = VIEW_NONE;
        judge(&s);
        assert_true(s.authentic);
        assert_false(s.out.next.has_time_offset);
        assert_int_equal(s.out.pcrs.mask, ASKED.mask | 1u << 16);
        s.x.want_time = true;
        assert_refused(&s, "time-missing");
        scene_done(&s);
}

static void real_evidence(void **state)
{
        AUTO(buf_free)
        struct buf pub = {0};
        AUTO(buf_free)
        struct buf msg = {0};
        AUTO(buf_free)
        struct buf sig = {0};
        struct scene s;
        struct tpm_public ak;
        struct err err = ERR_INIT;

        (void)state;
        scene_init(&s, PLAY_AK_P256);
        assert_ok(tpm2b_public_parse(vector_read(&pub, boot_sets[0], "ak_rsa.pub"), &ak, &err), &err);
        s.e = (struct evidence){
                .ak = &ak,
                .message = vector_quote(&msg, boot_sets[0], 1, "rsa_sha256", "msg"),
                .signature = vector_quote(&sig, boot_sets[0], 1, "rsa_sha256", "sig"),
                .pcrs = &s.values,
        };
        s.x.want_time = false;
        s.x.qualifying = vector_nonce();
        s.x.asked.mask = 0x47ff;
        assert_refused(&s, "pcr-values");
        s.x.asked.mask = 0x7ff;
        assert_refused(&s, "quote-selection");
        s.x.qualifying = CHALLENGE;
        assert_refused(&s, "quote-challenge");
        scene_done(&s);
}

/* ---- not authentic ---- */

static void foreign_ak(void **state)
{
        struct scene s;
        struct play_tpm other;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        s.e.ak = &other.ak;
        assert_refused(&s, "quote-signature");
        s.e.ak = &s.tpm.ak;
        /* The quote is ours and the time statement somebody else's. */
        play_tpm_sign(&other, VIEW_BUF(&s.time_message), &s.time_signature);
        s.e.time_signature = VIEW_BUF(&s.time_signature);
        assert_refused(&s, "time-signature");
        play_tpm_done(&other);
        scene_done(&s);
}

static void unrestricted_ak(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        s.tpm.ak.attributes &= ~(uint32_t)OBJ_RESTRICTED;
        assert_refused(&s, "ak-not-acceptable");
        scene_done(&s);
}

static void other_challenge(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        play_tpm_quote(&s.tpm, &s.quoted, VIEW("an old challenge", 16), &s.message, &s.signature);
        s.e.message = VIEW_BUF(&s.message);
        s.e.signature = VIEW_BUF(&s.signature);
        assert_refused(&s, "quote-challenge");
        answer(&s);
        play_tpm_time(&s.tpm, VIEW("an old challenge", 16), &s.time_message, &s.time_signature);
        s.e.time_message = VIEW_BUF(&s.time_message);
        s.e.time_signature = VIEW_BUF(&s.time_signature);
        assert_refused(&s, "time-challenge");
        scene_done(&s);
}

static void other_selection(void **state)
{
        struct scene s;

        (void)state;
        scene_init(&s, PLAY_AK_P256);
        s.quoted.mask = 1u << 7; /* without PCR 15 */
        answer(&s);
        assert_refused(&s, "quote-selection");
        s.quoted.mask = ASKED.mask | 1u << 8; /* more than was asked for, and not 16 */
        answer(&s);
        assert_refused(&s, "quote-selection");
        scene_done(&s);
}

/* The values of PCR 7 and 15 exchanged, or another one labelled 15: the numbers come from the quote. */
static void relabelled_pcrs(void **state)
{
        struct scene s;
        struct digest d;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        d = s.values.v[7];
        s.values.v[7] = s.values.v[15];
        s.values.v[15] = d;
        assert_refused(&s, "pcr-values");
        answer(&s);
        s.values.mask = 1u << 15 | 1u << 8;
        assert_refused(&s, "pcr-values");
        answer(&s);
        s.values.bank = DIGEST_SHA1;
        assert_refused(&s, "pcr-values");
        scene_done(&s);
}

/* Properly signed, but not what was wanted. */
static void other_statement(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        s.e.message = VIEW_BUF(&s.time_message);
        s.e.signature = VIEW_BUF(&s.time_signature);
        assert_refused(&s, "quote-malformed");
        answer(&s);
        s.e.time_message = s.e.message;
        s.e.time_signature = s.e.signature;
        assert_refused(&s, "time-malformed");
        answer(&s);
        play_tpm_sign(&s.tpm, VIEW("not from a TPM", 14), &s.signature);
        s.e.message = VIEW("not from a TPM", 14);
        s.e.signature = VIEW_BUF(&s.signature);
        assert_refused(&s, "quote-malformed");
        answer(&s);
        s.tpm.ak.name_alg = DIGEST_SHA384; /* not what the signer's name is in */
        assert_refused(&s, "quote-malformed");
        s.tpm.ak.name_alg = DIGEST_SHA256;
        s.tpm.clock.reset_count++;
        play_tpm_time(&s.tpm, CHALLENGE, &s.time_message, &s.time_signature);
        s.e.time_message = VIEW_BUF(&s.time_message);
        s.e.time_signature = VIEW_BUF(&s.time_signature);
        assert_refused(&s, "time-other-boot");
        scene_done(&s);
}

static void flipped(struct view bytes, const char *what, void *ctx)
{
        struct scene *s = ctx;

        s->e.message = bytes;
        judge(s);
        if (s->authentic || s->v->state != VERDICT_REFUSED)
                fail_msg("quote: %s", what);
}

static void time_flipped(struct view bytes, const char *what, void *ctx)
{
        struct scene *s = ctx;

        s->e.time_message = bytes;
        judge(s);
        if (s->authentic || s->v->state != VERDICT_REFUSED)
                fail_msg("time: %s", what);
}

static void every_bit(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        each_bit_flip(VIEW_BUF(&s.message), flipped, &s);
        each_truncation(VIEW_BUF(&s.message), flipped, &s);
        answer(&s);
        each_bit_flip(VIEW_BUF(&s.time_message), time_flipped, &s);
        each_truncation(VIEW(s.time_message.p, s.time_message.len), time_flipped, &s);
        scene_done(&s);
}

/* ---- clock and counters (SR-14) ---- */

static void assert_asked_again(struct scene *s, const char *code)
{
        judge(s);
        assert_true(s->authentic && s->out.ask_again && !s->out.rolled_back);
        assert_int_equal(s->v->state, VERDICT_INCONCLUSIVE);
        assert_non_null(verdict_find(s->v, code));
}

static void clock_in_tolerance(void **state)
{
        static const struct {
                int64_t wall;
                uint64_t tpm;
                bool fine;
        } rows[] = {
                {30000, 30000, true},
                {30000, 30000 - 15500, true},
                {30000, 30000 - 15501, false},
                {30000, 30000 + 15500, true},
                {30000, 30000 + 15501, false},
                {0, 5000, true},
                {0, 5001, false},
                {100, 0, true},
                {-1, 0, false},
                {86400000, 86400000ull * 86 / 100, true},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct scene s;

                first_round(&s, PLAY_AK_P256);
                next_round(&s, rows[i].wall, rows[i].tpm);
                judge(&s);
                assert_true(s.authentic);
                if (s.out.ask_again == rows[i].fine)
                        fail_msg("row %zu", i);
                assert_int_equal(s.v->state, rows[i].fine ? VERDICT_PASS : VERDICT_INCONCLUSIVE);
                scene_done(&s);
        }
}

/* Quoted at once, sent 25 s later. */
static void quote_held_back(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        next_round(&s, 30000, 5000);
        assert_asked_again(&s, "clock-disagrees");
        /* The immediate challenge proves freshness by itself, and the clock starts anew from there. */
        s.x.immediate = true;
        assert_asked_again(&s, "clock-disagrees"); /* called immediate, but 30 s old */
        s.x.issued_at_ms = s.x.received_at_ms - 5000;
        judge(&s);
        assert_true(s.authentic && !s.out.ask_again);
        assert_int_equal(s.v->state, VERDICT_PASS);
        assert_int_equal(verdict_severity(s.v), SEVERITY_WARNING);
        s.x.immediate = false;
        next_round(&s, 30000, 30000);
        judge(&s);
        assert_int_equal(s.v->n_findings, 0);
        scene_done(&s);
}

/* Held back, and the clock moved forward with TPM2_ClockSet to hide it. */
static void clock_set(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        s.tpm.clock.clock_ms += 25000;
        next_round(&s, 30000, 5000);
        assert_asked_again(&s, "clock-set");
        s.x.immediate = true;
        s.x.issued_at_ms = s.x.received_at_ms - 100;
        judge(&s);
        assert_true(!s.out.ask_again && s.out.next.time_offset_ms == 85000);
        scene_done(&s);
        /* In steps too small to be seen each, which add up. */
        first_round(&s, PLAY_AK_P256);
        for (int i = 0; i < 3; i++) {
                s.tpm.clock.clock_ms += 450;
                next_round(&s, 30000, 29550);
                judge(&s);
                assert_int_equal(s.out.ask_again, i == 2);
        }
        scene_done(&s);
}

/* A quote of long ago beside a time statement of now. */
static void quote_and_time_apart(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        play_tpm_pass_time(&s.tpm, 6000);
        play_tpm_time(&s.tpm, CHALLENGE, &s.time_message, &s.time_signature);
        s.e.time_message = VIEW_BUF(&s.time_message);
        s.e.time_signature = VIEW_BUF(&s.time_signature);
        assert_asked_again(&s, "clock-disagrees");
        scene_done(&s);
}

static void reboot(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        play_tpm_reboot(&s.tpm);
        s.tpm.clock.clock_ms -= 50000; /* after a power cut the clock goes back, and is not safe */
        s.tpm.clock.safe = false;
        next_round(&s, 60000, 20);
        judge(&s);
        assert_true(s.authentic && s.out.rebooted && !s.out.rolled_back && !s.out.ask_again);
        assert_int_equal(s.v->state, VERDICT_PASS);
        assert_non_null(verdict_find(s.v, "rebooted"));
        assert_non_null(verdict_find(s.v, "clock-not-safe"));
        assert_int_equal(verdict_severity(s.v), SEVERITY_INFO);
        scene_done(&s);
        first_round(&s, PLAY_AK_P256);
        s.tpm.clock.restart_count++;
        next_round(&s, 60000, 20);
        judge(&s);
        assert_true(s.out.rebooted && !s.out.ask_again);
        scene_done(&s);
}

static void went_back(void **state)
{
        (void)state;
        for (int i = 0; i < 3; i++) {
                struct scene s;

                scene_init(&s, PLAY_AK_P256);
                s.tpm.clock.restart_count = 2;
                answer(&s);
                judge(&s);
                if (i == 0)
                        s.tpm.clock.reset_count--;
                if (i == 1)
                        s.tpm.clock.restart_count--;
                if (i == 2)
                        s.tpm.clock.clock_ms -= 40000;
                next_round(&s, 30000, 30000);
                judge(&s);
                assert_true(s.authentic && s.out.rolled_back);
                assert_int_equal(s.v->state, VERDICT_INCONCLUSIVE);
                assert_non_null(verdict_find(s.v, "tpm-went-back"));
                /* Asked at once or not, it does not pass. */
                s.x.immediate = true;
                judge(&s);
                assert_true(s.out.rolled_back && s.v->state == VERDICT_INCONCLUSIVE);
                scene_done(&s);
        }
}

/* The clock at its ends: no overflow decides anything. */
static void extreme_clocks(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        s.tpm.clock.clock_ms = UINT64_MAX - 10;
        next_round(&s, 30000, 0);
        assert_asked_again(&s, "clock-set");
        s.x.received_at_ms = INT64_MAX / 2;
        assert_asked_again(&s, "clock-disagrees");
        scene_done(&s);
}

/* ---- proof of possession ---- */

static void possession(void **state)
{
        AUTO(buf_free)
        struct buf msg = {0};
        AUTO(buf_free)
        struct buf sig = {0};
        struct play_tpm t, other;
        struct err err = ERR_INIT;
        const char *why = NULL;
        bool good = false;

        (void)state;
        play_tpm_init(&t, PLAY_AK_P256, DIGEST_SHA256);
        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        play_tpm_certify(&t, &t.ak, CHALLENGE, &msg, &sig);
        assert_ok(possession_check(&t.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err),
                  &err);
        assert_true(good && !why);
        assert_ok(possession_check(&t.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), VIEW("x", 1), &good, &why, &err),
                  &err);
        assert_false(good);
        assert_string_equal(why, "it answers another challenge");
        assert_ok(possession_check(&other.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err),
                  &err);
        assert_false(good);
        play_tpm_certify(&t, &other.ak, CHALLENGE, &msg, &sig);
        assert_ok(possession_check(&t.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err),
                  &err);
        assert_false(good);
        assert_string_equal(why, "it certifies another key");
        play_tpm_time(&t, CHALLENGE, &msg, &sig);
        assert_ok(possession_check(&t.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err),
                  &err);
        assert_false(good);
        play_tpm_sign(&t, VIEW("x", 1), &sig);
        assert_ok(possession_check(&t.ak, VIEW("x", 1), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err), &err);
        assert_false(good);
        t.ak.attributes &= ~(uint32_t)OBJ_RESTRICTED;
        assert_ok(possession_check(&t.ak, VIEW_BUF(&msg), VIEW_BUF(&sig), CHALLENGE, &good, &why, &err),
                  &err);
        assert_false(good);
        play_tpm_done(&t);
        play_tpm_done(&other);
}

/* ---- out of memory ---- */

static int once(void *ctx, struct err *err)
{
        struct scene *s = ctx;
        AUTO(verdict_free_p)
        struct verdict *v = verdict_new();

        if (!v)
                return err_nomem(err);
        return evidence_authenticate(&s->e, &s->x, v, &s->authentic, &s->out, err);
}

static void out_of_memory(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s, PLAY_AK_P256);
        next_round(&s, 30000, 5000);
        oom_each(once, &s);
        s.x.asked.mask = 1;
        oom_each(once, &s);
        s.x.qualifying = VIEW("x", 1);
        oom_each(once, &s);
        scene_done(&s);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_evidence),
                cmocka_unit_test(keylime_evidence),
                cmocka_unit_test(real_evidence),
                cmocka_unit_test(foreign_ak),
                cmocka_unit_test(unrestricted_ak),
                cmocka_unit_test(other_challenge),
                cmocka_unit_test(other_selection),
                cmocka_unit_test(relabelled_pcrs),
                cmocka_unit_test(other_statement),
                cmocka_unit_test(every_bit),
                cmocka_unit_test(clock_in_tolerance),
                cmocka_unit_test(quote_held_back),
                cmocka_unit_test(clock_set),
                cmocka_unit_test(quote_and_time_apart),
                cmocka_unit_test(reboot),
                cmocka_unit_test(went_back),
                cmocka_unit_test(extreme_clocks),
                cmocka_unit_test(possession),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
