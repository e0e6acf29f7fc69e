/* SPDX-License-Identifier: Apache-2.0 */
/* Counters in evidence: whose they are, that they never fall, and that they cannot be left out (SR-17). */
#include "support/support.h"

#include "base/json.h"
#include "crypto/pubkey.h"
#include "evidence/authenticate.h"
#include "support/play_tpm.h"

#define T0        1770000000000
#define ASKED     ((struct pcr_selection){DIGEST_SHA256, 1u << 15})
#define CHALLENGE VIEW("the qualifying data, 32 bytes ok", 32)
#define OTHER     VIEW("another challenge, of 32 bytes..", 32)
#define EPOCH     0x01810100u
#define FLOOR     0x01810101u

/* A host with counters, one round of its evidence, and what is remembered of it. */
struct scene {
        struct play_tpm tpm;
        struct key *key;
        struct buf spki;
        struct counters_record built; /* names; the values are the TPM's */
        struct buf message, signature, time_message, time_signature, bytes[4];
        struct pcr_values values;
        struct evidence e;
        struct expectation x;
        struct counters_record known;
        struct verdict *v;
        struct authenticated out;
        bool authentic;
};

static void new_key(struct scene *s)
{
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        uint64_t epoch = s->built.epoch.value, floor = s->built.floor.value;
        struct err err = ERR_INIT;

        key_free(TAKE(s->key));
        buf_reset(&s->spki);
        assert_ok(key_generate_ec(CURVE_P256, &s->key, &err), &err);
        assert_ok(key_public(s->key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &s->spki, &err), &err);
        assert_ok(counters_set(&s->built, VIEW_BUF(&s->spki), EPOCH, FLOOR, &err), &err);
        s->built.epoch.value = epoch;
        s->built.floor.value = floor;
}

static void certify(struct scene *s, struct view qualifying)
{
        play_tpm_certify_counter(&s->tpm, &s->built.epoch.name, s->built.epoch.value, qualifying,
                                 &s->bytes[0], &s->bytes[1]);
        play_tpm_certify_counter(&s->tpm, &s->built.floor.name, s->built.floor.value, qualifying,
                                 &s->bytes[2], &s->bytes[3]);
        s->e.counters = (struct counters_claim){
                .key = VIEW_BUF(&s->spki),
                .epoch = {EPOCH, VIEW_BUF(&s->bytes[0]), VIEW_BUF(&s->bytes[1])},
                .floor = {FLOOR, VIEW_BUF(&s->bytes[2]), VIEW_BUF(&s->bytes[3])},
        };
}

static void answer(struct scene *s)
{
        const struct pcr_selection asked = ASKED;

        play_tpm_quote(&s->tpm, &asked, CHALLENGE, &s->message, &s->signature);
        play_tpm_time(&s->tpm, CHALLENGE, &s->time_message, &s->time_signature);
        s->values = play_tpm_values(&s->tpm, &asked);
        s->e = (struct evidence){
                .ak = &s->tpm.ak,
                .message = VIEW_BUF(&s->message),
                .signature = VIEW_BUF(&s->signature),
                .pcrs = &s->values,
                .time_message = VIEW_BUF(&s->time_message),
                .time_signature = VIEW_BUF(&s->time_signature),
        };
        certify(s, CHALLENGE);
}

static void judge(struct scene *s)
{
        struct err err = ERR_INIT;

        verdict_free(s->v);
        s->v = verdict_new();
        s->v->state = VERDICT_PASS;
        POISON(s->out);
        assert_ok(evidence_authenticate(&s->e, &s->x, s->v, &s->authentic, &s->out, &err), &err);
}

static void scene_init(struct scene *s)
{
        memset(s, 0, sizeof(*s));
        play_tpm_init(&s->tpm, PLAY_AK_P256, DIGEST_SHA256);
        s->built.epoch.value = 7;
        s->built.floor.value = 9;
        new_key(s);
        s->x = (struct expectation){
                .qualifying = CHALLENGE,
                .asked = ASKED,
                .want_time = true,
                .want_counters = true,
                .counters = &s->known,
                .issued_at_ms = T0,
                .received_at_ms = T0 + 200,
                .tolerance = CLOCK_TOLERANCE_DEFAULT,
        };
        answer(s);
}

static void scene_done(struct scene *s)
{
        play_tpm_done(&s->tpm);
        key_free(s->key);
        buf_free(&s->spki);
        buf_free(&s->message);
        buf_free(&s->signature);
        buf_free(&s->time_message);
        buf_free(&s->time_signature);
        for (size_t i = 0; i < ARRAY_LEN(s->bytes); i++)
                buf_free(&s->bytes[i]);
        verdict_free(s->v);
}

/* The first round, which is remembered. */
static void first_round(struct scene *s)
{
        scene_init(s);
        judge(s);
        assert_true(s->authentic && !s->out.rolled_back && s->out.counters.known);
        assert_int_equal(s->v->n_findings, 0);
        s->known = s->out.counters;
}

static void assert_refused(struct scene *s, const char *part)
{
        const struct finding *f;

        judge(s);
        assert_false(s->authentic);
        assert_int_equal(s->v->state, VERDICT_REFUSED);
        f = verdict_find(s->v, "counter-statement");
        assert_non_null(f);
        if (part && !strstr(f->found, part))
                fail_msg("%s, not %s", f->found, part);
        assert_false(s->out.counters.known);
}

/* Undecided, and what was remembered stays. */
static void assert_undecided(struct scene *s, const char *code)
{
        judge(s);
        assert_true(s->authentic && s->out.rolled_back);
        assert_int_equal(s->v->state, VERDICT_INCONCLUSIVE);
        if (!verdict_find(s->v, code))
                fail_msg("%s, not %s", s->v->n_findings ? s->v->findings[0].code : "nothing", code);
        assert_int_equal(verdict_severity(s->v), SEVERITY_CRITICAL);
        assert_memory_equal(&s->out.counters, &s->known, sizeof(s->known));
}

/* ---- good ones ---- */

static void recorded_and_raised(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s);
        assert_int_equal(s.known.epoch.value, 7);
        assert_int_equal(s.known.floor.value, 9);
        assert_int_equal(s.known.epoch.index, EPOCH);
        assert_int_equal(s.known.key_len, s.spki.len);
        assert_memory_equal(&s.known.floor.name, &s.built.floor.name, sizeof(s.built.floor.name));
        s.built.epoch.value = 8;
        s.built.floor.value = 300;
        answer(&s);
        judge(&s);
        assert_true(s.authentic && !s.out.rolled_back);
        assert_int_equal(s.out.counters.epoch.value, 8);
        assert_int_equal(s.out.counters.floor.value, 300);
        scene_done(&s);
}

static void none_was_ever_shown(void **state)
{
        struct scene s;

        (void)state;
        scene_init(&s);
        s.e.counters = (struct counters_claim){.key = VIEW_NONE};
        judge(&s);
        assert_true(s.authentic && !s.out.rolled_back && !s.out.counters.known);
        assert_int_equal(s.v->state, VERDICT_PASS);
        assert_int_equal(verdict_severity(s.v), SEVERITY_WARNING);
        assert_non_null(verdict_find(s.v, "counters-missing"));
        s.x.want_counters = false; /* a Keylime peer */
        judge(&s);
        assert_int_equal(s.v->n_findings, 0);
        scene_done(&s);
}

/* ---- going back ---- */

static void a_value_falls(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s);
        s.built.epoch.value = 6;
        s.built.floor.value = 10;
        answer(&s);
        assert_undecided(&s, "tpm-rolled-back");
        assert_string_equal(verdict_find(s.v, "tpm-rolled-back")->found, "6");
        s.built.epoch.value = 8;
        s.built.floor.value = 8;
        answer(&s);
        assert_undecided(&s, "tpm-rolled-back");
        play_tpm_reboot(&s.tpm); /* a restored state is often one of a boot before: no excuse */
        answer(&s);
        assert_undecided(&s, "tpm-rolled-back");
        scene_done(&s);
}

static void left_out(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s);
        s.e.counters = (struct counters_claim){.key = VIEW_NONE};
        assert_undecided(&s, "counters-missing");
        scene_done(&s);
}

static void other_counters(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s);
        new_key(&s);
        answer(&s);
        assert_undecided(&s, "counters-changed");
        scene_done(&s);
}

/* ---- whose they are ---- */

static void statements_of_others(void **state)
{
        struct play_tpm other;
        struct scene s;

        (void)state;
        first_round(&s);
        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        play_tpm_sign(&other, VIEW_BUF(&s.bytes[0]), &s.bytes[1]);
        s.e.counters.epoch.signature = VIEW_BUF(&s.bytes[1]);
        assert_refused(&s, "not signed");
        play_tpm_done(&other);
        answer(&s);
        certify(&s, OTHER); /* a heartbeat's statement in a release, or an old one */
        assert_refused(&s, "challenge");
        answer(&s);
        s.e.counters.floor.message = s.e.counters.epoch.message; /* the higher one twice */
        s.e.counters.floor.signature = s.e.counters.epoch.signature;
        assert_refused(&s, "another counter");
        answer(&s);
        s.e.counters.epoch.message = VIEW_BUF(&s.message);
        s.e.counters.epoch.signature = VIEW_BUF(&s.signature);
        assert_refused(&s, "not TPM2_NV_Certify");
        scene_done(&s);
}

static void of_another_boot(void **state)
{
        const struct pcr_selection asked = ASKED;
        struct scene s;

        (void)state;
        first_round(&s);
        play_tpm_reboot(&s.tpm);
        play_tpm_quote(&s.tpm, &asked, CHALLENGE, &s.message, &s.signature);
        play_tpm_time(&s.tpm, CHALLENGE, &s.time_message, &s.time_signature);
        s.values = play_tpm_values(&s.tpm, &asked);
        s.e.message = VIEW_BUF(&s.message);
        s.e.signature = VIEW_BUF(&s.signature);
        s.e.time_message = VIEW_BUF(&s.time_message);
        s.e.time_signature = VIEW_BUF(&s.time_signature);
        assert_refused(&s, "different boots");
        scene_done(&s);
}

/* Numbers and keys that are none, and a value that would not fit where it is kept. */
static void wrong_claims(void **state)
{
        struct scene s;
        struct counters_record r;
        AUTO(buf_free) struct buf spki = {0};
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct err err = ERR_INIT;

        (void)state;
        first_round(&s);
        s.e.counters.key = VIEW("no key", 6);
        assert_refused(&s, "P-256");
        answer(&s);
        s.e.counters.floor.index = EPOCH;
        assert_refused(&s, "two indices");
        answer(&s);
        s.e.counters.epoch.index = EPOCH + 2; /* the name covers it */
        assert_refused(&s, "another counter");
        s.built.epoch.value = UINT64_MAX;
        answer(&s);
        assert_refused(&s, "no counter can reach");
        assert_ok(key_generate_ec(CURVE_P384, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &spki, &err), &err);
        assert_err(counters_set(&r, VIEW_BUF(&spki), EPOCH, FLOOR, &err), ERR_FORMAT, &err, "P-256");
        scene_done(&s);
}

static void flipped(struct view bytes, const char *what, void *ctx)
{
        struct scene *s = ctx;

        (void)what;
        s->e.counters.epoch.message = bytes;
        assert_refused(s, NULL);
}

static void every_bit(void **state)
{
        struct scene s;
        struct view whole;

        (void)state;
        first_round(&s);
        whole = VIEW_BUF(&s.bytes[0]);
        each_bit_flip(whole, flipped, &s);
        each_truncation(whole, flipped, &s);
        scene_done(&s);
}

/* ---- as JSON ---- */

static char *text_of(const struct counters_record *c)
{
        struct buf text = {0};
        struct json_out o = json_out_to(&text, false);

        counters_put(&o, NULL, c);
        assert_true(buf_ok(&text));
        return buf_take_str(&text);
}

static int parse(const char *text, struct counters_record *ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        int r = json_parse(view_str(text), 4096, &j, err);

        return r < 0 ? r : counters_from_json(j, ret, err);
}

static void both_ways(void **state)
{
        AUTO(mem_free_p) char *text = NULL;
        AUTO(mem_free_p) char *again = NULL;
        struct counters_record back;
        struct err err = ERR_INIT;
        struct scene s;
        char *at;

        (void)state;
        first_round(&s);
        text = text_of(&s.known);
        assert_ok(parse(text, &back, &err), &err);
        again = text_of(&back);
        assert_string_equal(text, again);
        assert_true(back.known);
        assert_int_equal(back.epoch.value, 7);
        at = strstr(text, "\"name\":\"000b") + 12;
        *at = *at == '0' ? '1' : '0'; /* a name that index and key do not make */
        assert_err(parse(text, &back, &err), ERR_FORMAT, &err, "name");
        scene_done(&s);
}

static int run_out(void *ctx, struct err *err)
{
        struct scene *s = ctx;
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        struct authenticated out;
        bool authentic;

        return v ? evidence_authenticate(&s->e, &s->x, v, &authentic, &out, err) : err_nomem(err);
}

static void out_of_memory(void **state)
{
        struct scene s;

        (void)state;
        first_round(&s);
        oom_each(run_out, &s);
        s.known.known = false;
        oom_each(run_out, &s);
        s.known.known = true;
        s.known.epoch.value = 1000;
        oom_each(run_out, &s);
        scene_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(recorded_and_raised), cmocka_unit_test(none_was_ever_shown),
                cmocka_unit_test(a_value_falls),       cmocka_unit_test(left_out),
                cmocka_unit_test(other_counters),      cmocka_unit_test(statements_of_others),
                cmocka_unit_test(of_another_boot),     cmocka_unit_test(wrong_claims),
                cmocka_unit_test(every_bit),           cmocka_unit_test(both_ways),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
