/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, envelopes, errors, waits, names. */
#include "samples.h"
#include "support/support.h"
#include "wire/envelope.h"
#include "wire/problem.h"
#include "wire/retry.h"
#include "wire/version.h"

static void versions(void **state)
{
        struct err err = ERR_INIT;
        struct wire_versions theirs, back;
        struct wire_version v = {9, 9};
        const struct wire_versions ours = {.v = {{2, 1}, {2, 6}, {2, 5}, {3, 0}}, .n = 4};
        const struct wire_versions older = {.v = {{1, 0}, {2, 0}}, .n = 2};
        struct buf out = {0};
        (void)state;
        assert_ok(wire_versions_decode(view_str(KL_VERSIONS), &theirs, &err), &err);
        assert_int_equal(theirs.n, 5);
        assert_int_equal(theirs.current.minor, 6);
        assert_true(wire_versions_choose(&ours, &theirs, 2, &v));
        assert_int_equal(v.major, 2);
        assert_int_equal(v.minor, 6);
        v = (struct wire_version){9, 9};
        assert_false(wire_versions_choose(&ours, &older, 2, &v));
        assert_int_equal(v.major, 9);
        assert_ok(wire_versions_encode(&theirs, &out, &err), &err);
        assert_ok(wire_versions_decode(VIEW_BUF(&out), &back, &err), &err);
        assert_memory_equal(&theirs, &back, sizeof(back));
        buf_free(&out);
}

static void version_texts(void **state)
{
        static const char *const bad[] = {"",      ".",  "2.",      ".6",      "2.x", "v2",
                                          "2.6.1", "-1", "70000.1", "2.70000", " 2"};
        struct wire_version v;
        (void)state;
        assert_true(wire_version_parse("2.10", &v));
        assert_true(wire_version_compare(v, (struct wire_version){2, 9}) > 0);
        assert_true(wire_version_parse("3", &v));
        assert_int_equal(v.minor, 0);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (wire_version_parse(bad[i], &v))
                        fail_msg("'%s' was read as a version", bad[i]);
}

static void envelopes(void **state)
{
        struct err err = ERR_INIT;
        struct wire_envelope e;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_envelope_encode(200, NULL, NULL, &out, &err), &err);
        assert_ok(wire_envelope_decode(VIEW_BUF(&out), &e, &err), &err);
        assert_int_equal(e.code, 200);
        assert_string_equal(e.status, "Success");
        assert_non_null(e.results);
        wire_envelope_done(&e);
        buf_free(&out);
        assert_ok(
                wire_envelope_decode(view_str("{\"code\":200,\"status\":\"ok\",\"results\":null}"), &e, &err),
                &err);
        assert_null(e.results);
        wire_envelope_done(&e);
        POISON(e);
        assert_err(wire_envelope_open(view_str("{\"code\":200,\"results\":null}"), &e, &err), ERR_FORMAT,
                   &err, "results");
        assert_err(wire_envelope_open(view_str("{\"code\":403,\"results\":{}}"), &e, &err), ERR_PEER, &err,
                   "403");
        assert_int_equal(err.code, 403);
        assert_poisoned(e);
}

static void problems(void **state)
{
        struct err err = ERR_INIT;
        struct wire_problem p;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_problem_encode(413, "limit", "Too much", "at most 8 MiB", "body", &out, &err), &err);
        assert_ok(wire_problem_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p.status, 413);
        assert_string_equal(p.type, "limit");
        assert_string_equal(p.detail, "at most 8 MiB");
        assert_string_equal(p.where, "body");
        wire_problem_done(&p);
        buf_reset(&out);
        assert_ok(wire_jsonapi_error_encode(429, "premature_attestation", "wait", &out, &err), &err);
        assert_ok(wire_problem_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p.status, 429);
        assert_string_equal(p.type, "premature_attestation");
        wire_problem_done(&p);
        buf_reset(&out);
        assert_ok(wire_unauthorized_encode(&out, &err), &err);
        assert_ok(wire_problem_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p.status, 401);
        assert_string_equal(p.title, "Unauthorized");
        wire_problem_done(&p);
        buf_reset(&out);
        assert_ok(wire_forbidden_encode("read_agent", "admin", &out, &err), &err);
        assert_ok(wire_problem_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_string_equal(p.detail, "Action read_agent requires admin");
        wire_problem_done(&p);
        assert_ok(wire_problem_decode(view_str("{\"code\":403,\"status\":\"no\",\"results\":{}}"), &p, &err),
                  &err);
        assert_int_equal(p.status, 403);
        assert_string_equal(p.title, "no");
        wire_problem_done(&p);
        buf_free(&out);
        POISON(p);
        assert_err(wire_problem_decode(view_str("{}"), &p, &err), ERR_FORMAT, &err, "neither");
        assert_poisoned(p);
}

static int encode_problems(void *ctx, struct err *err)
{
        struct buf out = {0};
        (void)ctx;
        int r = wire_problem_encode(413, "limit", "Too much", "at most 8 MiB", "body", &out, err);
        if (r == 0)
                r = wire_jsonapi_error_encode(429, "premature_attestation", "wait", &out, err);
        if (r == 0)
                r = wire_forbidden_encode("read_agent", "admin", &out, err);
        buf_free(&out);
        return r;
}

static void problems_out_of_memory(void **state)
{
        (void)state;
        oom_each(encode_problems, NULL);
}

/* Spec: RFC 9110, 10.2.3. */
static void waits(void **state)
{
        static const struct {
                const char *value;
                int64_t wait_ms; /* -1: not readable */
        } rows[] = {
                {"0", 0},
                {"120", 120000},
                {"86400", 86400000},
                {"9999999999", 86400000},
                {"Sat, 21 Nov 2026 17:42:11 GMT", 60000},
                {"Sat, 21 Nov 2026 17:40:11 GMT", 0},
                {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
                {"", -1},
                {"-1", -1},
                {"1.5", -1},
                {"soon", -1},
                {"99999999999999999999", -1},
                {"Sat, 21 Nov 2026 17:42:11 CET", -1},
                {"Sat, 00 Nov 2026 17:42:11 GMT", -1},
                {"Sat, 21 Non 2026 17:42:11 GMT", -1},
                {"Sat, 21 Nov 2026 24:42:11 GMT", -1},
                {"Sat, 2x Nov 2026 17:42:11 GMT", -1},
        };
        char text[24];
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                int64_t wait_ms = -7;
                bool good = wire_retry_after_decode(rows[i].value, INT64_C(1795282871000), &wait_ms);
                if (good != (rows[i].wait_ms >= 0) || wait_ms != (good ? rows[i].wait_ms : -7))
                        fail_msg("'%s' gives %d, %lld", rows[i].value, good, (long long)wait_ms);
        }
        wire_retry_after_encode(0, text);
        assert_string_equal(text, "1");
        wire_retry_after_encode(1001, text);
        assert_string_equal(text, "2");
        wire_retry_after_encode(60000, text);
        assert_string_equal(text, "60");
}

static void names(void **state)
{
        enum wire_evidence_type type;
        (void)state;
        assert_int_equal(wire_hash_by_name("sha384"), 0x000c);
        assert_string_equal(wire_hash_name(0x000c), "sha384");
        assert_null(wire_hash_name(0));
        assert_int_equal(wire_hash_by_name("SHA384"), 0);
        assert_int_equal(wire_scheme_by_name("ecdsa"), WIRE_ECDSA);
        assert_string_equal(wire_scheme_name(WIRE_RSAPSS), "rsapss");
        for (size_t i = 0; i < WIRE_N_EVIDENCE_TYPES; i++) {
                assert_true(wire_evidence_by_name(wire_evidence_name((enum wire_evidence_type)i), &type));
                assert_int_equal(type, i);
        }
        assert_false(wire_evidence_by_name("tee_nitro", &type));
        assert_string_equal(wire_evidence_class(WIRE_TPM_QUOTE), "certification");
        assert_string_equal(wire_evaluation_name(WIRE_INCONCLUSIVE), "inconclusive");
        assert_string_equal(wire_stage_name(WIRE_COMPLETE), "verification_complete");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(versions),
                cmocka_unit_test(version_texts),
                cmocka_unit_test(envelopes),
                cmocka_unit_test(problems),
                cmocka_unit_test(problems_out_of_memory),
                cmocka_unit_test(waits),
                cmocka_unit_test(names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
