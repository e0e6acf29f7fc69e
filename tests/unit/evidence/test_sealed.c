/* SPDX-License-Identifier: Apache-2.0 */
/* What a sealed object's public area says about it (SR-6), and the inputs that no policy is made from. */
#include "support/support.h"

#include "crypto/import_blob.h"
#include "crypto/key.h"
#include "evidence/sealed.h"
#include "evidence/tpm_types.h"

#define GOOD (OBJ_ADMIN_WITH_POLICY | OBJ_NO_DA)

static void put_public(struct buf *out, uint32_t attributes, const struct digest *policy)
{
        uint8_t unique[32] = {1};
        struct buf area = {0};

        buf_be16(&area, 8); /* keyedHash */
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, attributes);
        buf_be16_bytes(&area, policy ? digest_view(policy) : VIEW_NONE);
        buf_be16(&area, ALG_NULL);
        buf_be16_bytes(&area, VIEW_ARRAY(unique));
        buf_be16_bytes(out, VIEW_BUF(&area));
        buf_free(&area);
}

static struct sealed_verdict judge(uint32_t attributes, const struct digest *policy,
                                   const struct sealed_candidates *c)
{
        struct err err = ERR_INIT;
        struct sealed_public sealed;
        struct sealed_verdict v;
        struct buf b = {0};

        put_public(&b, attributes, policy);
        assert_ok(sealed_public_parse(VIEW_BUF(&b), &sealed, &err), &err);
        assert_ok(sealed_judge(&sealed, c, &v, &err), &err);
        buf_free(&b);
        return v;
}

static void only_the_chain_is_revocable(void **state)
{
        static const uint8_t name[34] = {0, 11, 7};
        struct err err = ERR_INIT;
        struct key *key = NULL;
        struct pubkey *public = NULL;
        struct digest ref, chain, pcr;
        struct sealed_candidates c = {.epoch_name = VIEW_ARRAY(name),
                                      .epoch = 5,
                                      .pcrs = {DIGEST_SHA256, 1u << 15},
                                      .pcr_digest = {.alg = DIGEST_SHA256, .len = 32}};
        struct sealed_verdict v;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(seal_policy_ref("acme", "db", "web-1", &ref, &err), &err);
        c.authority = public;
        c.policy_ref = digest_view(&ref);
        assert_ok(seal_policy(public, c.policy_ref, c.epoch_name, 5, &chain, &err), &err);
        v = judge(GOOD, &chain, &c);
        assert_int_equal(v.kind, SEALED_CHAIN);
        assert_true(v.revocable);
        assert_null(v.refusal);

        digest_zero(DIGEST_SHA256, &pcr);
        assert_ok(authpolicy_pcr(&pcr, DIGEST_SHA256, 1u << 15, digest_view(&c.pcr_digest), &err), &err);
        v = judge(GOOD, &pcr, &c);
        assert_int_equal(v.kind, SEALED_PCR);
        assert_false(v.revocable);
        assert_null(v.refusal);

        /* the right policy does not help an object that need not follow it */
        v = judge(GOOD | OBJ_USER_WITH_AUTH, &chain, &c);
        assert_non_null(strstr(v.refusal, "userWithAuth"));
        assert_false(v.revocable);
        v = judge(OBJ_NO_DA, &chain, &c);
        assert_non_null(strstr(v.refusal, "adminWithPolicy"));
        v = judge(GOOD, NULL, &c);
        assert_non_null(strstr(v.refusal, "policy"));
        c.epoch = 6; /* sealed in another epoch */
        v = judge(GOOD, &chain, &c);
        assert_int_equal(v.kind, SEALED_UNKNOWN);
        assert_non_null(strstr(v.refusal, "rebuilt"));
        pubkey_free(public);
        key_free(key);
}

static void refs_tell_their_parts_apart(void **state)
{
        static const char *const parts[][3] = {
                {"ab", "c", NULL}, {"a", "bc", NULL}, {"a", "b", "c"}, {"a", "b", NULL}, {"abc", "d", NULL}};
        struct err err = ERR_INIT;
        struct digest refs[ARRAY_LEN(parts)];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
                assert_ok(seal_policy_ref(parts[i][0], parts[i][1], parts[i][2], &refs[i], &err), &err);
                for (size_t j = 0; j < i; j++)
                        assert_false(digest_equal(&refs[i], &refs[j]));
        }
        assert_err(seal_policy_ref("", "x", NULL, &refs[0], &err), ERR_FORMAT, &err, "nameless");
        assert_err(seal_policy_ref("x", "", NULL, &refs[0], &err), ERR_FORMAT, &err, "nameless");
        assert_err(seal_policy_ref("x", "y", "", &refs[0], &err), ERR_FORMAT, &err, "nameless");
}

/* Spec: docs/protocol.md §9, by hand: SHA-256("avow-release-v1" 00 verifier 00 host 00). */
static void a_release_is_one_verifiers_for_one_host(void **state)
{
        static const char id[] = "11111111-2222-4333-8444-555555555555";
        static const char parts[] = "avow-release-v1\0"
                                    "11111111-2222-4333-8444-555555555555\0"
                                    "web-1"; /* and the zero that ends it */
        struct err err = ERR_INIT;
        struct digest ref, want, other;
        struct key *key = NULL;
        struct pubkey *public = NULL;
        const uint8_t floor[34] = {0, 0x0b, 1};
        struct seal_bracket b = {.pcrs = {DIGEST_SHA256, 1u << 15}, .floor_name = VIEW_ARRAY(floor)};
        AUTO(buf_free)
        struct buf message = {0};

        (void)state;
        assert_ok(seal_release_ref(id, "web-1", &ref, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW(parts, sizeof(parts)), &want, &err), &err);
        assert_true(digest_equal(&ref, &want));
        assert_ok(seal_release_ref(id, "web-2", &other, &err), &err);
        assert_false(digest_equal(&ref, &other));
        assert_err(seal_release_ref("verifier", "web-1", &other, &err), ERR_FORMAT, &err, "UUID");
        assert_err(seal_release_ref(id, "", &other, &err), ERR_FORMAT, &err, "host id");

        seal_release_message(view_str("nonce"), 0x01020304, digest_view(&ref), &message);
        assert_int_equal(message.len, 5 + 4 + 32);
        assert_memory_equal(message.p, "nonce\1\2\3\4", 9);
        assert_memory_equal(message.p + 9, ref.b, 32);

        /* with a release key, a bracket names the host that it is for */
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        digest_zero(DIGEST_SHA256, &b.pcr_digest);
        b.release_key = public;
        assert_err(seal_bracket_digest(&b, &other, &err), ERR_FORMAT, &err, "no host");
        b.release_ref = digest_view(&ref);
        assert_ok(seal_bracket_digest(&b, &want, &err), &err);
        assert_ok(seal_release_ref(id, "web-2", &ref, &err), &err);
        assert_ok(seal_bracket_digest(&b, &other, &err), &err);
        assert_false(digest_equal(&want, &other));
        pubkey_free(public);
        key_free(key);
}

static void try_public(struct view v, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct sealed_public p;

        (void)ctx;
        POISON(p);
        if (sealed_public_parse(v, &p, &err) == 0)
                fail_msg("%s was read", what);
        assert_poisoned(p);
}

static void cut_public_areas_are_refused(void **state)
{
        struct digest policy;
        struct buf b = {0};

        (void)state;
        digest_zero(DIGEST_SHA256, &policy);
        put_public(&b, GOOD, &policy);
        each_truncation(VIEW_BUF(&b), try_public, NULL);
        buf_u8(&b, 0);
        try_public(VIEW_BUF(&b), "a longer one", NULL);
        buf_free(&b);
}

static void nothing_is_imported_too_large(void **state)
{
        static const uint8_t large[SEALED_BYTES_MAX + 1] = {0};
        struct err err = ERR_INIT;
        struct key *key = NULL;
        struct pubkey *public = NULL;
        struct credential_ek ek = {.name_alg = DIGEST_SHA256, .aes_bits = 128};
        struct import_blob blob;
        struct digest policy;

        (void)state;
        POISON(blob);
        digest_zero(DIGEST_SHA256, &policy);
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        ek.key = public;
        assert_err(import_blob_make(&ek, VIEW_ARRAY(large), &policy, &blob, &err), ERR_LIMIT, &err, "129");
        assert_err(import_blob_make(&ek, VIEW_NONE, &policy, &blob, &err), ERR_LIMIT, &err, "0 bytes");
        ek.aes_bits = 127;
        assert_err(import_blob_make(&ek, view_str("x"), &policy, &blob, &err), ERR_FORMAT, &err, "AES-127");
        assert_poisoned(blob);
        pubkey_free(public);
        key_free(key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_chain_is_revocable),
                cmocka_unit_test(refs_tell_their_parts_apart),
                cmocka_unit_test(a_release_is_one_verifiers_for_one_host),
                cmocka_unit_test(cut_public_areas_are_refused),
                cmocka_unit_test(nothing_is_imported_too_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
