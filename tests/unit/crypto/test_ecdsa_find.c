/* SPDX-License-Identifier: Apache-2.0 */
/* Over which of many digests is this signature? Each answer is compared with a verification of every digest.
 */
#include "crypto/ecdsa_find.h"

#include "crypto/key.h"
#include "support/support.h"

static const struct {
        enum pubkey_curve curve;
        enum digest_alg alg;
} kinds[] = {{CURVE_P256, DIGEST_SHA256}, {CURVE_P384, DIGEST_SHA384}};

struct signer {
        struct key *key;
        struct pubkey *pub;
        enum digest_alg alg;
};

static void signer_init(struct signer *s, size_t kind)
{
        struct err err = ERR_INIT;

        s->alg = kinds[kind].alg;
        assert_ok(key_generate_ec(kinds[kind].curve, &s->key, &err), &err);
        assert_ok(key_public(s->key, &s->pub, &err), &err);
}

static void signer_done(struct signer *s)
{
        key_free(s->key);
        pubkey_free(s->pub);
}

/* The signature over the digest of the text of N. */
static void sign(const struct signer *s, unsigned n, struct buf *ret)
{
        struct signature sig = {.scheme = SIG_ECDSA, .hash = s->alg};
        struct buf raw = {0};
        struct err err = ERR_INIT;
        char text[16];

        (void)snprintf(text, sizeof(text), "module %u", n);
        assert_ok(key_sign(s->key, s->alg, view_str(text), &raw, &err), &err);
        sig.r = VIEW(raw.p, raw.len / 2);
        sig.s = VIEW(raw.p + raw.len / 2, raw.len / 2);
        buf_reset(ret);
        assert_ok(signature_der(s->pub, &sig, ret, &err), &err);
        buf_free(&raw);
}

static void digest_of(enum digest_alg alg, unsigned n, struct digest *ret)
{
        struct err err = ERR_INIT;
        char text[16];

        (void)snprintf(text, sizeof(text), "module %u", n);
        assert_ok(digest_bytes(alg, view_str(text), ret, &err), &err);
}

/* The digests of 0 … N-1. */
static struct ecdsa_index *index_of(enum digest_alg alg, unsigned n, struct buf *digests)
{
        struct ecdsa_index *index = NULL;
        struct err err = ERR_INIT;
        struct digest d;

        for (unsigned i = 0; i < n; i++) {
                digest_of(alg, i, &d);
                buf_put_view(digests, digest_view(&d));
        }
        assert_ok(ecdsa_index_new(alg, VIEW_BUF(digests), NULL, &index, &err), &err);
        assert_int_equal(ecdsa_index_count(index), n);
        return index;
}

static int find(const struct ecdsa_index *index, const struct pubkey *pub, struct view sig,
                struct digest *ret)
{
        AUTO(ecdsa_key_free_p) struct ecdsa_key *key = NULL;
        struct ecdsa_hint hint;
        struct err err = ERR_INIT;
        int r;

        assert_ok(ecdsa_key_new(pub, &key, &err), &err);
        r = ecdsa_hint(key, sig, &hint, &err);
        if (r > 0)
                r = ecdsa_index_find(index, key, sig, &hint, ret, &err);
        assert_int_equal(err.kind, ERR_NONE);
        return r;
}

static void finds_each_and_no_other(void **state)
{
        static const unsigned sizes[] = {0, 1, 2, 40, 300}; /* 300: by the table of multiples */

        (void)state;
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
                for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
                        struct buf digests = {0}, sig = {0};
                        struct ecdsa_index *index = index_of(kinds[k].alg, sizes[i], &digests);
                        unsigned step = sizes[i] > 40 ? 37 : sizes[i] > 2 ? 7 : 1;
                        struct digest want, got;
                        struct signer s;

                        signer_init(&s, k);
                        for (unsigned n = 0; n < sizes[i]; n += step) {
                                sign(&s, n, &sig);
                                digest_of(s.alg, n, &want);
                                assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 1);
                                assert_true(digest_equal(&got, &want));
                        }
                        sign(&s, sizes[i] + 1, &sig);
                        POISON(got);
                        assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 0);
                        assert_poisoned(got);
                        signer_done(&s);
                        ecdsa_index_free(index);
                        buf_free(&digests);
                        buf_free(&sig);
                }
}

static void another_key_another_kind(void **state)
{
        struct buf digests = {0}, sig = {0};
        struct signer s, other, wide;
        struct ecdsa_index *index;
        struct digest got;

        (void)state;
        signer_init(&s, 0);
        signer_init(&other, 0);
        signer_init(&wide, 1);
        index = index_of(DIGEST_SHA256, 5, &digests);
        sign(&s, 3, &sig);
        assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 1);
        assert_int_equal(find(index, other.pub, VIEW_BUF(&sig), &got), 0);
        assert_int_equal(find(index, wide.pub, VIEW_BUF(&sig), &got), 0);
        sign(&wide, 3, &sig);
        assert_int_equal(find(index, wide.pub, VIEW_BUF(&sig), &got), 0);
        assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 0);
        ecdsa_index_free(index);
        signer_done(&s);
        signer_done(&other);
        signer_done(&wide);
        buf_free(&digests);
        buf_free(&sig);
}

struct tried {
        const struct ecdsa_index *index;
        const struct pubkey *key;
        struct digest want;
};

static void try_bad(struct view bytes, const char *what, void *ctx)
{
        const struct tried *t = ctx;
        struct digest got;

        if (find(t->index, t->key, bytes, &got) != 0)
                fail_msg("%s is found", what);
}

static void a_changed_signature_is_not_found(void **state)
{
        struct buf digests = {0}, sig = {0};
        struct signer s;
        struct ecdsa_index *index;

        (void)state;
        signer_init(&s, 0);
        index = index_of(DIGEST_SHA256, 3, &digests);
        sign(&s, 1, &sig);
        struct tried t = {.index = index, .key = s.pub};
        each_truncation(VIEW_BUF(&sig), try_bad, &t);
        each_bit_flip(VIEW_BUF(&sig), try_bad, &t);
        ecdsa_index_free(index);
        signer_done(&s);
        buf_free(&digests);
        buf_free(&sig);
}

/* What is no signature by its form, and numbers that are out of range. */
static void malformed(void **state)
{
        static const struct {
                const char *what;
                const char *bytes;
                size_t len;
        } bad[] = {
                {"nothing", "", 0},
                {"a sequence of nothing", "\x30\x00", 2},
                {"one number", "\x30\x03\x02\x01\x01", 5},
                {"three numbers", "\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01", 11},
                {"r is zero", "\x30\x06\x02\x01\x00\x02\x01\x01", 8},
                {"s is zero", "\x30\x06\x02\x01\x01\x02\x01\x00", 8},
                {"r is negative", "\x30\x06\x02\x01\x81\x02\x01\x01", 8},
                {"a zero in front", "\x30\x07\x02\x02\x00\x01\x02\x01\x01", 9},
                {"another tag", "\x30\x06\x04\x01\x01\x02\x01\x01", 8},
                {"bytes behind it", "\x30\x06\x02\x01\x01\x02\x01\x01\x00", 9},
                {"a long length", "\x30\x81\x06\x02\x01\x01\x02\x01\x01", 9},
        };
        struct view r, s;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (ecdsa_numbers(VIEW(bad[i].bytes, bad[i].len), &r, &s))
                        fail_msg("%s is taken", bad[i].what);
        assert_true(ecdsa_numbers(VIEW("\x30\x07\x02\x02\x00\x81\x02\x01\x01", 9), &r, &s));
        assert_int_equal(r.len, 1);
        assert_int_equal(r.p[0], 0x81);
}

static void numbers_out_of_range(void **state)
{
        struct buf digests = {0}, sig = {0};
        struct ecdsa_index *index = index_of(DIGEST_SHA256, 3, &digests);
        struct signer s, wide;
        struct digest got;

        (void)state;
        signer_init(&s, 0);
        signer_init(&wide, 1);
        sign(&wide, 1, &sig); /* two numbers of 48 bytes */
        assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 0);
        buf_reset(&sig); /* r = 2^256 - 1, above the order */
        buf_put(&sig, "\x30\x26\x02\x21\x00", 5);
        for (size_t i = 0; i < 32; i++)
                buf_u8(&sig, 0xff);
        buf_put(&sig, "\x02\x01\x01", 3);
        assert_int_equal(find(index, s.pub, VIEW_BUF(&sig), &got), 0);
        assert_int_equal(find(index, s.pub, VIEW("\x30\x06\x02\x01\x04\x02\x01\x01", 8), &got), 0);
        ecdsa_index_free(index);
        signer_done(&s);
        signer_done(&wide);
        buf_free(&digests);
        buf_free(&sig);
}

static void keys_are_known_by_their_point(void **state)
{
        struct ecdsa_key *a = NULL, *b = NULL, *none = NULL;
        struct signer s, other;
        struct key *rsa = NULL;
        struct pubkey *rsa_pub = NULL;
        struct err err = ERR_INIT;

        (void)state;
        signer_init(&s, 0);
        signer_init(&other, 0);
        assert_ok(ecdsa_key_new(s.pub, &a, &err), &err);
        assert_ok(ecdsa_key_new(s.pub, &b, &err), &err);
        assert_true(digest_equal(ecdsa_key_id(a), ecdsa_key_id(b)));
        ecdsa_key_free(b);
        assert_ok(ecdsa_key_new(other.pub, &b, &err), &err);
        assert_false(digest_equal(ecdsa_key_id(a), ecdsa_key_id(b)));
        assert_ok(key_generate_rsa(2048, &rsa, &err), &err);
        assert_ok(key_public(rsa, &rsa_pub, &err), &err);
        assert_err(ecdsa_key_new(rsa_pub, &none, &err), ERR_FORMAT, &err, "P-256");
        ecdsa_key_free(a);
        ecdsa_key_free(b);
        key_free(rsa);
        pubkey_free(rsa_pub);
        signer_done(&s);
        signer_done(&other);
}

static void indexes_that_are_none(void **state)
{
        struct ecdsa_index *index = NULL;
        struct err err = ERR_INIT;
        uint8_t zeros[64] = {0};
        bool stop = true;

        (void)state;
        assert_err(ecdsa_index_new(DIGEST_SHA256, VIEW(zeros, 33), NULL, &index, &err), ERR_FORMAT, &err,
                   "whole number");
        assert_err(ecdsa_index_new(DIGEST_SHA1, VIEW(zeros, 20), NULL, &index, &err), ERR_FORMAT, &err,
                   "known kind");
        zeros[0] = 1;
        assert_err(ecdsa_index_new(DIGEST_SHA256, VIEW_ARRAY(zeros), NULL, &index, &err), ERR_FORMAT, &err,
                   "digest 2");
        assert_err(ecdsa_index_new(DIGEST_SHA256, VIEW(zeros, 32), &stop, &index, &err), ERR_LIMIT, &err,
                   "stopped");
        assert_null(index);
}

static int make(void *ctx, struct err *err)
{
        struct ecdsa_index *index = NULL;
        int r = ecdsa_index_new(DIGEST_SHA384, *(struct view *)ctx, NULL, &index, err);

        ecdsa_index_free(index);
        return r;
}

static void out_of_memory(void **state)
{
        uint8_t digests[48] = {1};
        struct view v = VIEW_ARRAY(digests);

        (void)state;
        oom_each(make, &v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(finds_each_and_no_other),
                cmocka_unit_test(another_key_another_kind),
                cmocka_unit_test(a_changed_signature_is_not_found),
                cmocka_unit_test(malformed),
                cmocka_unit_test(numbers_out_of_range),
                cmocka_unit_test(keys_are_known_by_their_point),
                cmocka_unit_test(indexes_that_are_none),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
