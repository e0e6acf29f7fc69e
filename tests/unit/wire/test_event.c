/* SPDX-License-Identifier: Apache-2.0 */
/* Revocations as payloads and as events, and the signatures of webhooks. */
#include "support/support.h"

#include <stdlib.h>

#include "base/json.h"
#include "wire/event.h"

#define PAYLOAD(id, more)                                                                                    \
        "{\"schema\":\"avow.revocation/1\",\"id\":\"" id "\",\"host\":\"web-1\",\"reaction\":\"destroy\","   \
        "\"issued_at\":\"2026-11-21T19:30:48.123Z\"" more "}"
#define FULL                                                                                                 \
        PAYLOAD("web-1/12",                                                                                  \
                ",\"tenant\":\"acme\",\"severity\":\"critical\",\"policy\":\"workers\",\"reason\":\"x\","    \
                "\"nv_index\":25231616,\"epoch\":4,\"labels\":{\"zone\":\"a\",\"tier\":\"1\"}")

static void test_payload(void **state)
{
        struct err err = ERR_INIT;
        struct revocation r;

        (void)state;
        POISON(r);
        assert_ok(revocation_parse(view_str(FULL), &r, &err), &err);
        assert_string_equal(r.id, "web-1/12");
        assert_string_equal(r.host, "web-1");
        assert_string_equal(r.tenant, "acme");
        assert_string_equal(r.severity, "critical");
        assert_string_equal(r.policy, "workers");
        assert_string_equal(r.reason, "x");
        assert_int_equal(r.seq, 12);
        assert_int_equal(r.reaction, REACTION_DESTROY);
        assert_int_equal(r.issued_at_ms % 1000, 123);
        assert_int_equal(json_object_size(r.labels), 2);
        revocation_done(&r);
        assert_null(r.doc);
        assert_ok(revocation_parse(view_str(PAYLOAD("web-1/0", "")), &r, &err), &err);
        assert_string_equal(r.tenant, "default");
        assert_null(r.severity);
        assert_null(r.policy);
        assert_null(r.reason);
        assert_null(r.labels);
        revocation_done(&r);
}

static void test_wrong(void **state)
{
        static const struct {
                const char *text, *part;
        } rows[] = {
                {"", "revocation"},
                {"[]", "object"},
                {"{}", "schema"},
                {"{\"schema\":\"avow.revocation/2\"}", "expected avow.revocation/1"},
                {PAYLOAD("web-1", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/-1", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/x", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/9223372036854775808", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-2/1", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-11/1", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/1/1", ""), "expected HOST/NUMBER"},
                {PAYLOAD("web-1/1", ",\"host\":\"web-1\""), "duplicate"},
                {PAYLOAD("web-1/1", ",\"labels\":[]"), "labels"},
                {PAYLOAD("web-1/1", ",\"labels\":{\"a\":1}"), "is no text"},
                {PAYLOAD("web-1/1", ",\"severity\":7"), "severity"},
                {PAYLOAD("web-1/1", ",\"tenant\":\"a b\""), "no tenant's name"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"../1\",\"host\":\"..\",\"reaction\":\"destroy\","
                 "\"issued_at\":\"2026-11-21T19:30:48.123Z\"}",
                 "no host's name"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"a\",\"reaction\":\"explode\","
                 "\"issued_at\":\"2026-11-21T19:30:48.123Z\"}",
                 "expected suspend, destroy or reinstate"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"a\",\"reaction\":\"destroy\","
                 "\"issued_at\":\"yesterday\"}",
                 "issued_at"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err err = ERR_INIT;
                struct revocation r;

                POISON(r);
                assert_err(revocation_parse(view_str(rows[i].text), &r, &err), ERR_FORMAT, &err,
                           rows[i].part);
                assert_poisoned(r);
        }
}

/* What is too long or too many. */
static void test_limits(void **state)
{
        char text[4096], labels[2048] = "";
        struct err err = ERR_INIT;
        struct revocation r;

        (void)state;
        (void)snprintf(text, sizeof(text), PAYLOAD("web-1/1", ",\"reason\":\"%01024d\""), 0);
        assert_ok(revocation_parse(view_str(text), &r, &err), &err);
        revocation_done(&r);
        (void)snprintf(text, sizeof(text), PAYLOAD("web-1/1", ",\"reason\":\"%01025d\""), 0);
        assert_err(revocation_parse(view_str(text), &r, &err), ERR_LIMIT, &err, "longer than 1024");
        for (int i = 0; i < 65; i++) {
                char one[24];

                (void)snprintf(one, sizeof(one), "%s\"l%d\":\"\"", i ? "," : "", i);
                (void)snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), "%s", one);
                (void)snprintf(text, sizeof(text), PAYLOAD("web-1/1", ",\"labels\":{%s}"), labels);
                err = (struct err)ERR_INIT;
                if (i < 64) {
                        assert_ok(revocation_parse(view_str(text), &r, &err), &err);
                        revocation_done(&r);
                }
        }
        assert_err(revocation_parse(view_str(text), &r, &err), ERR_LIMIT, &err, "more than 64");
}

static void malformed(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct revocation r;

        (void)ctx;
        (void)what;
        if (revocation_parse(bytes, &r, &err) < 0)
                return; /* many flips leave good JSON: what counts is that none is read past its end */
        revocation_done(&r);
}

static void never_whole(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct revocation r;

        (void)ctx;
        if (revocation_parse(bytes, &r, &err) == 0)
                fail_msg("accepted: %s", what);
}

static void test_malformed(void **state)
{
        (void)state;
        each_truncation(view_str(FULL), never_whole, NULL);
        each_bit_flip(view_str(FULL), malformed, NULL);
}

static json_t *parse(const char *text)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        assert_ok(json_parse(view_str(text), 1 << 16, &j, &err), &err);
        return j;
}

static void assert_member(const json_t *j, const char *name, const char *value)
{
        assert_non_null(json_object_get(j, name));
        assert_string_equal(json_string_value(json_object_get(j, name)), value);
}

/* CloudEvents 1.0.2 §3.1: the required attributes; data is the payload, member by member, and two more. */
static void test_event(void **state)
{
        static const struct {
                enum reaction reaction;
                const char *name, *type;
        } rows[] = {{REACTION_SUSPEND, "suspend", "org.avow.host.suspended"},
                    {REACTION_DESTROY, "destroy", "org.avow.host.revoked"},
                    {REACTION_REINSTATE, "reinstate", "org.avow.host.reinstated"}};
        struct err err = ERR_INIT;
        struct revocation r;
        json_t *event, *data, *payload = parse(FULL);
        enum reaction reaction;
        char *text = NULL;

        (void)state;
        assert_int_equal(ARRAY_LEN(rows), REACTION_N);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                assert_string_equal(reaction_name(rows[i].reaction), rows[i].name);
                assert_string_equal(reaction_event_type(rows[i].reaction), rows[i].type);
                assert_true(reaction_by_name(rows[i].name, &reaction));
                assert_int_equal(reaction, rows[i].reaction);
        }
        assert_false(reaction_by_name("Destroy", &reaction));
        assert_false(reaction_by_name(NULL, &reaction));
        assert_ok(revocation_parse(view_str(FULL), &r, &err), &err);
        assert_ok(event_make(&r, "a.b.c", "00112233445566778899aabbccddeeff", &text, &err), &err);
        assert_null(json_object_get(r.doc, "jws")); /* the payload stays what was signed */
        revocation_done(&r);
        event = parse(text);
        free(text);
        assert_member(event, "specversion", "1.0");
        assert_member(event, "id", "web-1/12");
        assert_member(event, "type", "org.avow.host.revoked");
        assert_member(event, "source", "urn:avow:tenant:acme");
        assert_member(event, "subject", "web-1");
        assert_member(event, "time", "2026-11-21T19:30:48.123Z");
        assert_member(event, "datacontenttype", "application/json");
        assert_int_equal(json_object_size(event), 8);
        data = json_object_get(event, "data");
        assert_member(data, "jws", "a.b.c");
        assert_member(data, "nonce", "00112233445566778899aabbccddeeff");
        assert_int_equal(json_object_del(data, "jws"), 0);
        assert_int_equal(json_object_del(data, "nonce"), 0);
        assert_true(json_equal(data, payload));
        json_decref(event);
        json_decref(payload);
        assert_ok(event_make_test("test-1", "pager", "acme", 0, &text, &err), &err);
        event = parse(text);
        free(text);
        assert_member(event, "type", "org.avow.hook.test");
        assert_member(event, "subject", "pager");
        assert_member(event, "time", "1970-01-01T00:00:00.000Z");
        json_decref(event);
}

/* The example of the specification's reference libraries (standard-webhooks, their tests). */
#define EXAMPLE_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define EXAMPLE_HMAC   "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
/* Key: RFC 8032 §7.1 TEST 1; the signature over the same message was made with Python's cryptography. */
#define EXAMPLE_SEED   "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define EXAMPLE_PUBLIC "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define EXAMPLE_ED25519                                                                                      \
        "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="

static void assert_signed(const char *const *secrets, size_t n, const char *expected)
{
        struct err err = ERR_INIT;
        char *text = NULL;

        assert_ok(webhook_sign(secrets, n, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                               view_str("{\"test\": 2432232314}"), &text, &err),
                  &err);
        assert_string_equal(text, expected);
        free(text);
}

static void test_signatures(void **state)
{
        static const char *const secrets[] = {EXAMPLE_SECRET, EXAMPLE_SEED};
        struct err err = ERR_INIT;
        char *text = NULL;

        (void)state;
        assert_signed(secrets, 1, EXAMPLE_HMAC);
        assert_signed(secrets + 1, 1, EXAMPLE_ED25519);
        assert_signed(secrets, 2, EXAMPLE_HMAC " " EXAMPLE_ED25519); /* during a rotation */
        assert_ok(webhook_secret_public(EXAMPLE_SEED, &text, &err), &err);
        assert_string_equal(text, EXAMPLE_PUBLIC);
        free(text);
        assert_ok(webhook_secret_public(EXAMPLE_SECRET, &text, &err), &err);
        assert_null(text);
}

static void test_secrets(void **state)
{
        static const char *const wrong[] = {"",
                                            "whsec_",
                                            "whsec",
                                            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",  /* cut off */
                                            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* 23 bytes */
                                            "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  /* 24 bytes: no seed */
                                            "whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 33 */
                                            "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
                                            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                const char *const one[] = {EXAMPLE_SECRET, wrong[i]};
                char *text = (char *)0x1;
                struct err err = ERR_INIT;

                assert_err(webhook_secret_check(wrong[i], &err), ERR_FORMAT, &err, "webhook secret");
                err = (struct err)ERR_INIT;
                assert_err(webhook_sign(one, 2, "i", 1, view_str(""), &text, &err), ERR_FORMAT, &err, NULL);
                assert_ptr_equal(text, (char *)0x1);
        }
        for (int scheme = WEBHOOK_HMAC; scheme <= WEBHOOK_ED25519; scheme++) {
                struct err err = ERR_INIT;
                char *a = NULL, *b = NULL;

                assert_ok(webhook_secret_new((enum webhook_scheme)scheme, &a, &err), &err);
                assert_ok(webhook_secret_new((enum webhook_scheme)scheme, &b, &err), &err);
                assert_ok(webhook_secret_check(a, &err), &err);
                assert_string_not_equal(a, b);
                free(a);
                free(b);
        }
}

static int run_parse(void *ctx, struct err *err)
{
        struct revocation r;
        int x = revocation_parse(view_str(FULL), &r, err);

        (void)ctx;
        if (x >= 0)
                revocation_done(&r);
        return x;
}

static int run_event(void *ctx, struct err *err)
{
        AUTO(mem_free_p) char *text = NULL;

        return event_make(ctx, "a.b.c", "00", &text, err);
}

static int run_sign(void *ctx, struct err *err)
{
        static const char *const secrets[] = {EXAMPLE_SECRET, EXAMPLE_SEED};
        AUTO(mem_free_p) char *text = NULL;

        (void)ctx;
        return webhook_sign(secrets, 2, "i", 1, view_str("x"), &text, err);
}

static void test_oom(void **state)
{
        struct err err = ERR_INIT;
        struct revocation r;

        (void)state;
        oom_any(run_parse, NULL);
        assert_ok(revocation_parse(view_str(FULL), &r, &err), &err);
        oom_each(run_event, &r);
        revocation_done(&r);
        oom_each(run_sign, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_payload), cmocka_unit_test(test_wrong),
                cmocka_unit_test(test_limits),  cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_event),   cmocka_unit_test(test_signatures),
                cmocka_unit_test(test_secrets), cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
