/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts, continuations and qualifying data: small values and their JSON forms. */
#include "support/support.h"

#include "base/hex.h"
#include "base/json.h"
#include "evidence/continuation.h"
#include "evidence/qualify.h"
#include "evidence/verdict.h"

static const struct finding full = {
        .code = "digest-not-allowed",
        .severity = SEVERITY_ERROR,
        .what = "the runtime 'wasmtime' is not an approved version",
        .log = "cel",
        .entry = 4,
        .expected = "one of 3 digests",
        .found = "ab12",
        .remedy = "Install an approved version, or approve this one: avow policy make",
        .policy_ref = "worker.yaml:14",
};
static const struct finding bare = {
        .code = "rebooted", .what = "the host was rebooted", .entry = FINDING_NO_ENTRY};

static struct verdict *two_findings(void)
{
        struct verdict *v = verdict_new();
        struct err err = ERR_INIT;

        assert_non_null(v);
        v->state = VERDICT_FAIL;
        assert_ok(verdict_add(v, &bare, &err), &err);
        assert_ok(verdict_add(v, &full, &err), &err);
        return v;
}

/* ---- verdicts ---- */

static void undecided_is_no_pass(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = verdict_new();

        (void)state;
        assert_int_equal(v->state, VERDICT_INCONCLUSIVE);
        assert_true(v->enforced);
        assert_int_equal(verdict_worse(VERDICT_PASS, VERDICT_INCONCLUSIVE), VERDICT_INCONCLUSIVE);
        assert_int_equal(verdict_worse(VERDICT_FAIL, VERDICT_INCONCLUSIVE), VERDICT_FAIL);
        assert_int_equal(verdict_worse(VERDICT_FAIL, VERDICT_REFUSED), VERDICT_REFUSED);
        assert_int_equal(verdict_worse(VERDICT_PASS, VERDICT_PASS), VERDICT_PASS);
}

static void json_both_ways(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = two_findings();
        AUTO(verdict_free_p)
        struct verdict *back = NULL;
        AUTO(json_free_p)
        json_t *j = verdict_to_json(v);
        AUTO(json_free_p)
        json_t *again = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(verdict_from_json(j, &back, &err), &err);
        assert_int_equal(back->state, VERDICT_FAIL);
        assert_int_equal(back->n_findings, 2);
        assert_int_equal(back->findings[0].entry, FINDING_NO_ENTRY);
        assert_int_equal(back->findings[1].entry, 4);
        assert_string_equal(back->findings[1].remedy, full.remedy);
        assert_null(back->findings[0].remedy);
        assert_int_equal(verdict_severity(back), SEVERITY_ERROR);
        assert_ptr_equal(verdict_worst(back), &back->findings[1]);
        assert_string_equal(verdict_find(back, "rebooted")->what, bare.what);
        assert_null(verdict_find(back, "nothing"));
        again = verdict_to_json(back);
        assert_true(json_equal(j, again));
}

static void json_refused(void **state)
{
        static const char *const rows[] = {
                "{}",
                "[]",
                "{\"state\":\"PASS\",\"enforced\":true,\"findings\":[],\"dropped\":0}",
                "{\"state\":\"pass\",\"enforced\":1,\"findings\":[],\"dropped\":0}",
                "{\"state\":\"pass\",\"enforced\":true,\"findings\":[{}],\"dropped\":0}",
                "{\"state\":\"pass\",\"enforced\":true,\"findings\":[{\"code\":\"a\",\"what\":\"b\","
                "\"severity\":\"bad\"}],\"dropped\":0}",
                "{\"state\":\"pass\",\"enforced\":true,\"findings\":[{\"code\":\"a\",\"what\":\"b\","
                "\"severity\":\"info\",\"x\":1}],\"dropped\":0}",
                "{\"state\":\"pass\",\"enforced\":true,\"findings\":[],\"dropped\":0,\"x\":1}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(json_free_p)
                json_t *j = NULL;
                struct verdict *v;
                struct err err = ERR_INIT;

                POISON(v);
                assert_ok(json_parse(view_str(rows[i]), 65536, &j, &err), &err);
                assert_err(verdict_from_json(j, &v, &err), ERR_FORMAT, &err, NULL);
                assert_poisoned(v);
        }
}

static void for_people(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = two_findings();
        AUTO(buf_free)
        struct buf b = {0};

        (void)state;
        v->n_dropped = 2;
        verdict_render(v, &b);
        assert_view(VIEW_BUF(&b),
                    "error: the runtime 'wasmtime' is not an approved version [digest-not-allowed]\n"
                    "    where     cel, entry 4\n"
                    "    found     ab12\n"
                    "    expected  one of 3 digests\n"
                    "    policy    worker.yaml:14\n"
                    "    do        Install an approved version, or approve this one: avow policy make\n"
                    "info: the host was rebooted [rebooted]\n"
                    "and 2 more findings, not kept\n");
}

/* A host decides how many and how long its findings are, and what is in them. */
static void bounded(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = verdict_new();
        AUTO(json_free_p)
        json_t *j = NULL;
        struct finding f = bare;
        struct err err = ERR_INIT;
        char *text = malloc(8192);

        (void)state;
        memset(text, 'a', 8191);
        text[8191] = '\0';
        memcpy(text + FINDING_TEXT_BYTES_MAX - 1, "\xc3\xa9", 2); /* across the cut */
        f.found = text;
        for (size_t i = 0; i < FINDINGS_MAX + 5; i++)
                assert_ok(verdict_add(v, &f, &err), &err);
        assert_int_equal(v->n_findings, FINDINGS_MAX);
        assert_int_equal(v->n_dropped, 5);
        assert_int_equal(strlen(v->findings[0].found), FINDING_TEXT_BYTES_MAX - 1);
        j = verdict_to_json(v);
        assert_non_null(j);
        free(text);
}

static void fit_to_print(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = verdict_new();
        struct finding f = bare;
        struct err err = ERR_INIT;

        (void)state;
        /* Escape sequences, also the eight-bit form, and what turns the direction of text around. */
        f.found = "\x1b[31mred\n\xff\xc2\x9b\xe2\x80\xae";
        assert_ok(verdict_addf(v, &f, &err, "entry %d", 7), &err);
        assert_string_equal(v->findings[0].what, "entry 7");
        for (const char *p = v->findings[0].found; *p; p++)
                assert_true(*p >= 0x20 && *p < 0x7f);
}

/* ---- continuations ---- */

static void digest_of(const char *text, struct digest *ret)
{
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, view_str(text), ret, &err), &err);
}

static struct continuation *some_continuation(void)
{
        struct continuation *c = continuation_new();
        struct measured ours = {.runtime = (char *)"w", .path = (char *)"/w", .entry = 0, .newest = true};
        struct measured foreign = {
                .path = (char *)"machine-id:1", .entry = 1, .foreign = true, .refused = true};
        struct pcr_values pcrs = {.bank = DIGEST_SHA256, .mask = 1u << 15 | 1u << 0};
        struct err err = ERR_INIT;

        assert_non_null(c);
        digest_of("a", &ours.digest);
        digest_of("b", &foreign.digest);
        digest_of("policy", &c->effective_policy);
        digest_of("pcr", &c->pcr_value);
        c->pcr = 15;
        c->cel_entries = 2;
        c->last = (struct previous){
                .clock = {.clock_ms = 0xfffffffffffffffe, .reset_count = 4, .restart_count = 1, .safe = true},
                .received_at_ms = 1770000000123,
                .has_time_offset = true,
                .time_offset_ms = -5,
                .cel_entries = 2,
        };
        pcrs.v[0] = c->effective_policy;
        pcrs.v[15] = c->pcr_value;
        assert_ok(pcr_values_pack(&pcrs, &c->last_pcrs, &err), &err);
        for (int i = 0; i < 3; i++) {
                assert_ok(continuation_add(c, &ours, &err), &err);
                assert_ok(continuation_add(c, &foreign, &err), &err);
        }
        return c;
}

static void continuation_both_ways(void **state)
{
        AUTO(continuation_free_p)
        struct continuation *c = some_continuation();
        AUTO(continuation_free_p)
        struct continuation *copy = continuation_dup(c);
        AUTO(continuation_free_p)
        struct continuation *back = NULL;
        AUTO(json_free_p)
        json_t *j = continuation_to_json(copy);
        AUTO(json_free_p)
        json_t *again = NULL;
        struct pcr_values pcrs;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(continuation_from_json(j, &back, &err), &err);
        assert_int_equal(back->n_measured, 6);
        assert_true(back->last.clock.clock_ms == 0xfffffffffffffffe);
        assert_int_equal(back->last.received_at_ms, 1770000000123);
        assert_true(back->last.has_time_offset && back->last.time_offset_ms == -5);
        memset(&pcrs, 0xaa, sizeof(pcrs));
        pcr_values_unpack(&back->last_pcrs, &pcrs);
        assert_int_equal(pcrs.mask, 1u << 15 | 1u << 0);
        assert_true(digest_equal(&pcrs.v[15], &c->pcr_value));
        assert_true(digest_equal(&pcrs.v[0], &c->effective_policy));
        assert_true(digest_equal(&back->effective_policy, &c->effective_policy));
        assert_null(back->measured[1].runtime);
        assert_true(back->measured[1].foreign && back->measured[1].refused && !back->measured[1].newest);
        again = continuation_to_json(back);
        assert_true(json_equal(j, again));
}

/* Every member is needed (but two that may be missing), and of its type; none is unknown. */
static void continuation_refused(void **state)
{
        AUTO(continuation_free_p)
        struct continuation *c = some_continuation();
        AUTO(json_free_p)
        json_t *j = continuation_to_json(c);
        const char *name;
        json_t *value;

        (void)state;
        json_object_foreach (j, name, value) {
                AUTO(json_free_p)
                json_t *without = json_deep_copy(j);
                AUTO(json_free_p)
                json_t *wrong = json_deep_copy(j);
                struct continuation *back;
                struct err err = ERR_INIT;

                POISON(back);
                assert_int_equal(json_object_del(without, name), 0);
                assert_err(continuation_from_json(without, &back, &err), ERR_FORMAT, &err, name);
                assert_int_equal(json_object_set_new(wrong, name, json_real(0.5)), 0);
                assert_err(continuation_from_json(wrong, &back, &err), ERR_FORMAT, &err, name);
                assert_int_equal(json_object_set_new(wrong, name, json_incref(value)), 0);
                assert_int_equal(json_object_set_new(wrong, "more", json_true()), 0);
                assert_err(continuation_from_json(wrong, &back, &err), ERR_FORMAT, &err, "more");
                assert_poisoned(back);
        }
}

static void too_many_measured(void **state)
{
        AUTO(continuation_free_p)
        struct continuation *c = continuation_new();
        struct measured m = {.path = NULL};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < CONTINUATION_MEASURED_MAX; i++)
                assert_ok(continuation_add(c, &m, &err), &err);
        assert_err(continuation_add(c, &m, &err), ERR_LIMIT, &err, "8192");
}

/* ---- qualifying data ---- */

#define VERIFIER "6b0ad2c8-5a5c-4d5f-9d0e-3f1c2b7a9e10"

/* Recomputed with: printf 'avow/heartbeat/v1%s%s' VERIFIER web-1 | cat - challenge | sha256sum */
static void qualifying(void **state)
{
        static const uint8_t challenge[32] = {1}, spki[32] = {2};
        struct digest d, by_hand, other;
        struct view parts[] = {view_str("avow/heartbeat/v1" VERIFIER "web-1"), VIEW_ARRAY(challenge)};
        struct view session[] = {view_str("avow/session/v1" VERIFIER "web-1"), VIEW(challenge, 16),
                                 VIEW_ARRAY(spki)};
        struct view release[] = {view_str("avow/release/v1" VERIFIER "web-1"), VIEW_ARRAY(challenge),
                                 VIEW_ARRAY(spki)};
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(qualify_heartbeat(VERIFIER, "web-1", VIEW_ARRAY(challenge), &d, &err), &err);
        assert_ok(digest_parts(DIGEST_SHA256, parts, 2, &by_hand, &err), &err);
        assert_true(digest_equal(&d, &by_hand));
        assert_ok(qualify_heartbeat(VERIFIER, "web-2", VIEW_ARRAY(challenge), &other, &err), &err);
        assert_false(digest_equal(&d, &other));
        assert_ok(qualify_session(VERIFIER, "web-1", VIEW(challenge, 16), VIEW_ARRAY(spki), &d, &err), &err);
        assert_ok(digest_parts(DIGEST_SHA256, session, 3, &by_hand, &err), &err);
        assert_true(digest_equal(&d, &by_hand));
        assert_ok(qualify_release(VERIFIER, "web-1", VIEW_ARRAY(challenge), VIEW_ARRAY(spki), &d, &err),
                  &err);
        assert_ok(digest_parts(DIGEST_SHA256, release, 3, &by_hand, &err), &err);
        assert_true(digest_equal(&d, &by_hand));
}

static void qualifying_refused(void **state)
{
        static const uint8_t challenge[33];
        struct digest d;
        struct err err = ERR_INIT;

        (void)state;
        POISON(d);
        assert_err(qualify_heartbeat("short", "web-1", VIEW(challenge, 32), &d, &err), ERR_FORMAT, &err,
                   "UUID");
        assert_err(qualify_heartbeat(VERIFIER, "we b", VIEW(challenge, 32), &d, &err), ERR_FORMAT, &err,
                   "host");
        assert_err(qualify_heartbeat(VERIFIER, "web-1", VIEW(challenge, 31), &d, &err), ERR_FORMAT, &err,
                   "31");
        assert_err(qualify_heartbeat(VERIFIER, "web-1", VIEW(challenge, 33), &d, &err), ERR_FORMAT, &err,
                   "33");
        assert_err(qualify_session(VERIFIER, "web-1", VIEW(challenge, 32), VIEW(challenge, 32), &d, &err),
                   ERR_FORMAT, &err, "32");
        assert_err(qualify_session(VERIFIER, "web-1", VIEW(challenge, 16), VIEW(challenge, 31), &d, &err),
                   ERR_FORMAT, &err, "31");
        assert_err(qualify_release(VERIFIER, "web-1", VIEW(challenge, 16), VIEW(challenge, 32), &d, &err),
                   ERR_FORMAT, &err, "16");
        assert_err(qualify_release(VERIFIER, "web-1", VIEW(challenge, 32), VIEW_NONE, &d, &err), ERR_FORMAT,
                   &err, "request");
        assert_poisoned(d);
}

/* ---- out of memory ---- */

static int once(void *ctx, struct err *err)
{
        json_t *const *j = ctx;
        AUTO(verdict_free_p)
        struct verdict *v = NULL;
        AUTO(continuation_free_p)
        struct continuation *c = NULL;
        AUTO(continuation_free_p)
        struct continuation *copy = NULL;
        AUTO(json_free_p)
        json_t *v_json = NULL;
        AUTO(json_free_p)
        json_t *c_json = NULL;
        int r = verdict_from_json(j[0], &v, err);

        if (r < 0)
                return r;
        v_json = verdict_to_json(v);
        if (!v_json)
                return err_nomem(err);
        r = continuation_from_json(j[1], &c, err);
        if (r < 0)
                return r;
        copy = continuation_dup(c);
        c_json = copy ? continuation_to_json(copy) : NULL;
        return c_json ? 0 : err_nomem(err);
}

static void out_of_memory(void **state)
{
        AUTO(verdict_free_p)
        struct verdict *v = two_findings();
        AUTO(continuation_free_p)
        struct continuation *c = some_continuation();
        AUTO(json_free_p)
        json_t *v_json = verdict_to_json(v);
        AUTO(json_free_p)
        json_t *c_json = continuation_to_json(c);
        json_t *both[] = {v_json, c_json};

        (void)state;
        oom_each(once, both);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(undecided_is_no_pass),
                cmocka_unit_test(json_both_ways),
                cmocka_unit_test(json_refused),
                cmocka_unit_test(for_people),
                cmocka_unit_test(bounded),
                cmocka_unit_test(fit_to_print),
                cmocka_unit_test(continuation_both_ways),
                cmocka_unit_test(continuation_refused),
                cmocka_unit_test(too_many_measured),
                cmocka_unit_test(qualifying),
                cmocka_unit_test(qualifying_refused),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
