/* SPDX-License-Identifier: Apache-2.0 */
/* Launches and permits: what is read is what was signed, and what a permit lets run is what it was for. */
#include "samples.h"
#include "support/support.h"

#include "base/hex.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "wire/launch.h"
#include "wire/permit.h"

#define NOW_S 1795300871

static void messages(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        struct wire_launch_request q;
        struct wire_launch_answer a;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(wire_launch_request_decode(view_str(AV_LAUNCH_REQUEST), &q, &err), &err);
        assert_string_equal(q.launch.runtime, "node");
        assert_string_equal(q.claims, "a.b.c");
        assert_int_equal(q.signature.len, 6);
        assert_ok(wire_launch_request_encode(&q, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_LAUNCH_REQUEST);
        wire_launch_request_done(&q);
        buf_reset(&out);
        assert_ok(wire_launch_answer_decode(view_str(AV_LAUNCH_GRANTED), &a, &err), &err);
        assert_string_equal(a.permit, "a.b.c");
        assert_true(a.outcome.has_next);
        assert_ok(wire_launch_answer_encode(&a, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_LAUNCH_GRANTED);
        wire_launch_answer_done(&a);
        buf_reset(&out);
        assert_ok(wire_launch_answer_decode(view_str(AV_LAUNCH_REFUSED), &a, &err), &err);
        assert_null(a.permit);
        assert_string_equal(a.type, "module-not-allowed");
        assert_string_equal(a.next, "avow module allow x");
        assert_ok(wire_launch_answer_encode(&a, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_LAUNCH_REFUSED);
        wire_launch_answer_done(&a);
        /* what somebody between says no with is a refusal too */
        assert_ok(wire_launch_answer_decode(view_str("{\"title\":\"Gone\"}"), &a, &err), &err);
        assert_null(a.permit);
        assert_string_equal(a.detail, "Gone");
        wire_launch_answer_done(&a);
}

static void refused_messages(void **state)
{
        static const char *const bad[] = {
                "{}",
                "{\"launch\":{},\"schema\":\"avow.launch-request/1\"}",
                "{\"launch\":" AV_LAUNCH ",\"schema\":\"avow.launch-request/2\"}",
                "{\"launch\":" AV_LAUNCH ",\"schema\":\"avow.launch-request/1\",\"x\":1}",
                "{\"claims\":1,\"launch\":" AV_LAUNCH ",\"schema\":\"avow.launch-request/1\"}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct wire_launch_request q;
                struct err err = ERR_INIT;

                POISON(q);
                assert_err(wire_launch_request_decode(view_str(bad[i]), &q, &err), ERR_FORMAT, &err, NULL);
                assert_poisoned(q);
        }
}

/* ---- permits ---- */

struct world {
        struct key *key, *other;
        struct pubkey *public[2];
};

static void world_make(struct world *w)
{
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &w->key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &w->other, &err), &err);
        assert_ok(key_public(w->other, &w->public[0], &err), &err);
        assert_ok(key_public(w->key, &w->public[1], &err), &err);
}

static void world_done(struct world *w)
{
        key_free(w->key);
        key_free(w->other);
        pubkey_free(w->public[0]);
        pubkey_free(w->public[1]);
}

static struct permit sample(void)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        struct permit p = {.id = UUID_A,
                           .verifier = UUID_A,
                           .tenant = "default",
                           .issued_at_s = NOW_S,
                           .expires_at_s = NOW_S + 30,
                           .cache_s = 600,
                           .on_revocation = PERMIT_FINISH,
                           .policy = {.name = "web", .version = 3},
                           .host_policy = {.name = "fleet", .version = 12},
                           .has_host_policy = true,
                           .line = 14,
                           .has_claims = true,
                           .claims = {.issuer = "AAAA", .subject = "MMMM", .name = "echo", .revision = 7}};

        digest_zero(DIGEST_SHA256, &p.policy.sha256);
        digest_zero(DIGEST_SHA256, &p.host_policy.sha256);
        assert_ok(json_parse(view_str(AV_LAUNCH), LAUNCH_TEXT_MAX, &j, &err), &err);
        assert_ok(launch_from_json(j, &p.launch, &err), &err);
        p.launch.n_secrets = 0;
        assert_ok(launch_digest(&p.launch, &p.launch_digest, &err), &err);
        return p;
}

static void permits(void **state)
{
        AUTO(mem_free_p) char *jws = NULL;
        struct permit p = sample(), read;
        struct err err = ERR_INIT;
        struct world w;
        bool good = false;

        (void)state;
        world_make(&w);
        assert_ok(permit_sign(&p, w.key, &jws, &err), &err);
        assert_ok(permit_open(view_str(jws), w.public, 2, &read, &good, &err), &err);
        assert_true(good);
        assert_string_equal(read.id, UUID_A);
        assert_string_equal(read.launch.host, "web-1");
        assert_true(digest_equal(&read.launch_digest, &p.launch_digest));
        assert_int_equal(read.expires_at_s, NOW_S + 30);
        assert_int_equal(read.on_revocation, PERMIT_FINISH);
        assert_int_equal(read.line, 14);
        assert_string_equal(read.policy.name, "web");
        assert_int_equal(read.host_policy.version, 12);
        assert_string_equal(read.claims.name, "echo");
        assert_int_equal(read.claims.revision, 7);
        POISON(read);
        assert_ok(permit_open(view_str(jws), w.public, 1, &read, &good, &err), &err);
        assert_false(good);
        assert_poisoned(read);
        world_done(&w);
}

/* What the agent would refuse is not signed, and what somebody signed all the same is refused. */
static void refused_permits(void **state)
{
        static const struct {
                const char *member, *value, *part;
        } bad[] = {
                {"exp", "1795300871", "exp"},
                {"exp", "1795301472", "exp"},
                {"cache", "-1", "cache"},
                {"sub", "\"web-2\"", "sub"},
                {"launch_digest", "\"" LAUNCH_D64 "\"", "launch_digest"},
                {"launch", "{}", "launch"},
                {"on_revocation", "\"never\"", "on_revocation"},
                {"policies", "[]", "policies"},
                {"jti", "\"1\"", "jti"},
                {"tenant", "\"\"", "tenant"},
                {"claims", "{}", "claims"},
                {"more", "1", "more"},
        };
        struct permit p = sample();
        struct err err = ERR_INIT;
        struct world w;
        char *jws = NULL;
        struct buf payload = {0};
        bool good;

        (void)state;
        world_make(&w);
        assert_ok(permit_sign(&p, w.key, &jws, &err), &err);
        assert_ok(jws_verify(w.public[1], PERMIT_TYP, view_str(jws), &payload, &good, &err), &err);
        free(jws);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO(json_free_p) json_t *j = NULL;
                AUTO(mem_free_p) char *text = NULL;
                AUTO(mem_free_p) char *forged = NULL;
                struct permit read;

                err_clear(&err);
                assert_ok(json_parse(VIEW_BUF(&payload), WIRE_PERMIT_MAX, &j, &err), &err);
                json_object_set_new(j, bad[i].member, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
                text = json_print(j);
                assert_ok(jws_sign(w.key, PERMIT_TYP, view_str(text), &forged, &err), &err);
                POISON(read);
                assert_err(permit_open(view_str(forged), w.public, 2, &read, &good, &err), ERR_FORMAT, &err,
                           bad[i].part);
                assert_poisoned(read);
        }
        p.expires_at_s = p.issued_at_s;
        jws = NULL;
        err_clear(&err);
        assert_err(permit_sign(&p, w.key, &jws, &err), ERR_FORMAT, &err, "exp");
        assert_null(jws);
        buf_free(&payload);
        world_done(&w);
}

static void assert_answer(const struct permit *p, const struct launch *l, int64_t now_s,
                          enum permit_answer want, const char *part)
{
        const char *why = "unset";

        assert_int_equal(permit_allows(p, l, now_s * 1000, &why), want);
        if (part)
                assert_non_null(strstr(why, part));
        else
                assert_null(why);
}

static void what_a_permit_allows(void **state)
{
        struct permit p = sample();
        struct launch l = p.launch;
        struct err err = ERR_INIT;

        (void)state;
        assert_answer(&p, &l, NOW_S, PERMIT_ITS_LAUNCH, NULL);
        assert_answer(&p, &l, NOW_S - 30, PERMIT_ITS_LAUNCH, NULL);
        assert_answer(&p, &l, NOW_S - 31, PERMIT_NO, "clock");
        assert_answer(&p, &l, NOW_S + 29, PERMIT_ITS_LAUNCH, NULL);
        assert_answer(&p, &l, NOW_S + 30, PERMIT_FROM_CACHE, NULL);
        l.nonce[0] ^= 1; /* another launch */
        assert_answer(&p, &l, NOW_S, PERMIT_FROM_CACHE, NULL);
        assert_answer(&p, &l, NOW_S + 599, PERMIT_FROM_CACHE, NULL);
        assert_answer(&p, &l, NOW_S + 600, PERMIT_NO, "cache");
        assert_ok(launch_add_secret(&l, "db", &err), &err);
        assert_answer(&p, &l, NOW_S, PERMIT_NO, "secrets");
        l = p.launch;
        l.sha256.b[0] ^= 1;
        assert_answer(&p, &l, NOW_S, PERMIT_NO, "module");
        l = p.launch;
        l.closure.b[0] ^= 1;
        assert_answer(&p, &l, NOW_S, PERMIT_NO, "runtime");
        l = p.launch;
        (void)snprintf(l.host, sizeof(l.host), "web-2");
        assert_answer(&p, &l, NOW_S, PERMIT_NO, "host");
        p.cache_s = 0;
        assert_answer(&p, &p.launch, NOW_S, PERMIT_ITS_LAUNCH, NULL);
        assert_answer(&p, &p.launch, NOW_S + 30, PERMIT_NO, "over");
        l = p.launch;
        l.id[0] = l.id[0] == '0' ? '1' : '0';
        assert_answer(&p, &l, NOW_S, PERMIT_NO, "one launch");
}

static int sign_and_open(void *ctx, struct err *err)
{
        AUTO(mem_free_p) char *jws = NULL;
        struct world *w = ctx;
        struct permit p = sample(), read;
        bool good;
        int r = permit_sign(&p, w->key, &jws, err);

        return r < 0 ? r : permit_open(view_str(jws), w->public, 2, &read, &good, err);
}

static void out_of_memory(void **state)
{
        struct err err = ERR_INIT;
        struct world w;

        (void)state;
        world_make(&w);
        assert_ok(sign_and_open(&w, &err), &err);
        for (size_t n = 1; n < 400; n += 7) { /* whatever is told, nothing crashes or leaks */
                AUTO(mem_free_p) char *jws = NULL;
                struct permit p = sample();

                oom_at(n);
                (void)!permit_sign(&p, w.key, &jws, &err);
                (void)oom_off();
                err_clear(&err);
        }
        world_done(&w);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages),
                cmocka_unit_test(refused_messages),
                cmocka_unit_test(permits),
                cmocka_unit_test(refused_permits),
                cmocka_unit_test(what_a_permit_allows),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
