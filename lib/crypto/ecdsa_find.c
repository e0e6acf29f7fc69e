/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking a signature up among digests. A signature (r, s) over e by Q = d·G holds if R = (e·G + r·Q) / s has
 * the x-coordinate r. So e·G = s·R − r·Q, where R is one of the two points ±R with that coordinate; as an
 * x-coordinate does not tell a point from its opposite, it is enough to look for those of s·R − r·Q and
 * s·R + r·Q. (R's coordinate may also have been r + n: for one signature in 2^128; that one is not found.)
 *
 * Everything here is public: digests, signatures, keys. Nothing needs constant time.
 *
 * P-256 has fast code for multiples of G in OpenSSL. P-384 has not (0.9 ms each), so a table of the multiples
 * j·256^i·G makes a multiple 47 additions; it lives while an index is made.
 *
 * Spec: FIPS 186-4 §6.4; SEC 1 §4.1.4, §4.1.6.
 */
#include "crypto/ecdsa_find.h"

#include <openssl/obj_mac.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/der.h"
#include "crypto/ossl.h"

#define FIELD_BYTES_MAX 48
#define COMB_DIGITS     48  /* bytes of a scalar of P-384 */
#define COMB_MIN        256 /* digests from which the table is worth its time */
#define STOP_EVERY      256

struct slot {
        uint64_t at;     /* a part of the x-coordinate */
        uint32_t number; /* of the digest, from 1; 0: free */
};

struct ecdsa_index {
        enum digest_alg alg;
        struct view digests;
        size_t n, n_slots; /* a power of two */
        struct slot *slots;
};

enum pubkey_curve ecdsa_curve_of(enum digest_alg alg)
{
        return alg == DIGEST_SHA256 ? CURVE_P256 : alg == DIGEST_SHA384 ? CURVE_P384 : CURVE_NONE;
}

static EC_GROUP *group_of(enum pubkey_curve curve)
{
        return EC_GROUP_new_by_curve_name(curve == CURVE_P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
}

/* What is kept of a point: 64 bits in the middle of its x-coordinate. Return: 1; 0 for the point at infinity;
 * -kind. */
static int mark_of(const EC_GROUP *group, const EC_POINT *point, size_t field, BIGNUM *x, BN_CTX *ctx,
                   uint64_t *ret, struct err *err)
{
        uint8_t bytes[FIELD_BYTES_MAX];
        uint64_t mark = 0;

        if (EC_POINT_is_at_infinity(group, point))
                return 0;
        if (EC_POINT_get_affine_coordinates(group, point, x, NULL, ctx) != 1 ||
            BN_bn2binpad(x, bytes, (int)field) < 0)
                return ossl_err(err, ERR_CRYPTO, "a point's coordinate");
        for (size_t i = 0; i < 8; i++)
                mark = mark << 8 | bytes[8 + i];
        *ret = mark;
        return 1;
}

/* ---- making an index ---- */

struct maker {
        EC_GROUP *group;
        BN_CTX *ctx;
        BIGNUM *e, *x;
        EC_POINT *point;
        EC_POINT **comb; /* [COMB_DIGITS][256], the 0th of each unused; or NULL */
        size_t field;
};

static void maker_done(struct maker *m)
{
        for (size_t i = 0; m->comb && i < COMB_DIGITS * 256; i++)
                EC_POINT_free(m->comb[i]);
        free(m->comb);
        EC_POINT_free(m->point);
        BN_free(m->e);
        BN_free(m->x);
        BN_CTX_free(m->ctx);
        EC_GROUP_free(m->group);
}

/* comb[i][j] = j·256^i·G */
static int make_comb(struct maker *m, struct err *err)
{
        const EC_POINT *base = EC_GROUP_get0_generator(m->group);

        m->comb = mem_zalloc(COMB_DIGITS * 256, sizeof(*m->comb));
        if (!m->comb)
                return err_nomem(err);
        for (size_t i = 0; i < COMB_DIGITS; i++) {
                EC_POINT **row = &m->comb[i * 256];

                for (size_t j = 1; j < 256; j++) {
                        row[j] = EC_POINT_new(m->group);
                        if (!row[j] ||
                            (j == 1 ? EC_POINT_copy(row[j], base)
                                    : EC_POINT_add(m->group, row[j], row[j - 1], row[1], m->ctx)) != 1)
                                return ossl_err(err, ERR_CRYPTO, "multiples of a point");
                }
                row[0] = EC_POINT_new(m->group); /* the next row's first: 256 times this one's */
                if (!row[0] || EC_POINT_add(m->group, row[0], row[255], row[1], m->ctx) != 1)
                        return ossl_err(err, ERR_CRYPTO, "multiples of a point");
                base = row[0];
        }
        return 0;
}

static int maker_init(struct maker *m, enum digest_alg alg, size_t n, struct err *err)
{
        m->field = digest_size(alg);
        m->group = group_of(ecdsa_curve_of(alg));
        m->ctx = BN_CTX_new();
        m->e = BN_new();
        m->x = BN_new();
        m->point = m->group ? EC_POINT_new(m->group) : NULL;
        if (!m->ctx || !m->e || !m->x || !m->point)
                return ossl_err(err, ERR_CRYPTO, "a curve");
        return alg == DIGEST_SHA384 && n >= COMB_MIN ? make_comb(m, err) : 0;
}

/* m->point = digest·G. Digests above the order need no reduction: G's multiples repeat. */
static int multiply(struct maker *m, const uint8_t *digest, struct err *err)
{
        int ok = 1;

        if (!m->comb) {
                ok = BN_bin2bn(digest, (int)m->field, m->e) &&
                     BN_nnmod(m->e, m->e, EC_GROUP_get0_order(m->group), m->ctx) == 1 &&
                     EC_POINT_mul(m->group, m->point, m->e, NULL, NULL, m->ctx) == 1;
        } else {
                ok = EC_POINT_set_to_infinity(m->group, m->point);
                for (size_t i = 0; ok == 1 && i < COMB_DIGITS; i++)
                        if (digest[COMB_DIGITS - 1 - i])
                                ok = EC_POINT_add(m->group, m->point, m->point,
                                                  m->comb[i * 256 + digest[COMB_DIGITS - 1 - i]], m->ctx);
        }
        return ok == 1 ? 0 : ossl_err(err, ERR_CRYPTO, "a multiple of a point");
}

static void put(struct ecdsa_index *index, uint64_t at, uint32_t number)
{
        size_t i = at & (index->n_slots - 1);

        while (index->slots[i].number)
                i = (i + 1) & (index->n_slots - 1);
        index->slots[i] = (struct slot){.at = at, .number = number};
}

static int fill(struct ecdsa_index *index, struct maker *m, const bool *stop, struct err *err)
{
        for (size_t i = 0; i < index->n; i++) {
                uint64_t at;
                int r;

                if (stop && i % STOP_EVERY == 0 && __atomic_load_n(stop, __ATOMIC_RELAXED))
                        return err_set(err, ERR_LIMIT, 0, "stopped");
                r = multiply(m, index->digests.p + i * m->field, err);
                if (r >= 0)
                        r = mark_of(m->group, m->point, m->field, m->x, m->ctx, &at, err);
                if (r < 0)
                        return r;
                if (r == 0)
                        return err_set(err, ERR_FORMAT, 0, "digest %zu is zero, which is nothing's digest",
                                       i + 1);
                put(index, at, (uint32_t)(i + 1));
        }
        return 0;
}

int ecdsa_index_new(enum digest_alg alg, struct view digests, const bool *stop, struct ecdsa_index **ret,
                    struct err *err)
{
        AUTO(ecdsa_index_free_p) struct ecdsa_index *index = mem_zalloc(1, sizeof(*index));
        struct maker m = {.group = NULL};
        size_t size = digest_size(alg);
        int r;

        if (!index)
                return err_nomem(err);
        if (ecdsa_curve_of(alg) == CURVE_NONE || digests.len % size != 0)
                return err_set(err, ERR_FORMAT, 0, "no whole number of digests of a known kind");
        index->alg = alg;
        index->digests = digests;
        index->n = digests.len / size;
        if (index->n > ECDSA_INDEX_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu digests, at most %u are taken", index->n,
                               ECDSA_INDEX_MAX);
        for (index->n_slots = 8; index->n_slots < 2 * index->n;)
                index->n_slots *= 2;
        index->slots = mem_zalloc(index->n_slots, sizeof(*index->slots));
        if (!index->slots)
                return err_nomem(err);
        r = maker_init(&m, alg, index->n, err);
        if (r >= 0)
                r = fill(index, &m, stop, err);
        maker_done(&m);
        if (r < 0)
                return r;
        *ret = TAKE(index);
        return 0;
}

void ecdsa_index_free(struct ecdsa_index *index)
{
        if (!index)
                return;
        free(index->slots);
        free(index);
}

size_t ecdsa_index_count(const struct ecdsa_index *index)
{
        return index->n;
}

/* ---- looking up ---- */

/* A positive INTEGER in its shortest form, without the zero that says it is not negative. */
static bool take_number(struct cursor *c, struct view *ret)
{
        struct view v;
        uint8_t tag;

        if (!der_take(c, &tag, &v) || tag != 0x02 || v.len == 0 || (v.p[0] & 0x80) != 0)
                return false;
        if (v.p[0] == 0) {
                if (v.len == 1 || (v.p[1] & 0x80) == 0)
                        return false; /* zero, or not the shortest form */
                v = VIEW(v.p + 1, v.len - 1);
        }
        *ret = v;
        return true;
}

bool ecdsa_numbers(struct view signature, struct view *ret_r, struct view *ret_s)
{
        struct cursor all = cursor_of(signature), in;
        struct view seq, r, s;
        uint8_t tag;

        if (!der_take(&all, &tag, &seq) || tag != 0x30 || all.left != 0)
                return false;
        in = cursor_of(seq);
        if (!take_number(&in, &r) || !take_number(&in, &s) || in.left != 0)
                return false;
        *ret_r = r;
        *ret_s = s;
        return true;
}

struct ecdsa_key {
        const struct pubkey *pub;
        struct digest id;
        size_t field;
        EC_GROUP *group;
        EC_POINT *point;
        /* for one signature after another */
        BN_CTX *ctx;
        BIGNUM *r, *s, *x;
        EC_POINT *big_r, *scaled, *sum;
};

void ecdsa_key_free(struct ecdsa_key *k)
{
        if (!k)
                return;
        EC_POINT_free(k->point);
        EC_POINT_free(k->big_r);
        EC_POINT_free(k->scaled);
        EC_POINT_free(k->sum);
        BN_free(k->r);
        BN_free(k->s);
        BN_free(k->x);
        BN_CTX_free(k->ctx);
        EC_GROUP_free(k->group);
        free(k);
}

static int set_point(struct ecdsa_key *k, struct err *err)
{
        static const uint8_t uncompressed = POINT_CONVERSION_UNCOMPRESSED;
        AUTO(buf_free) struct buf x = {0};
        AUTO(buf_free) struct buf y = {0};
        AUTO(buf_free) struct buf all = {0};

        if (pubkey_ec_point(k->pub, &x, &y, err) < 0)
                return -(int)err->kind;
        buf_put(&all, &uncompressed, 1);
        buf_put_view(&all, VIEW_BUF(&x));
        buf_put_view(&all, VIEW_BUF(&y));
        if (!buf_ok(&all))
                return err_nomem(err);
        if (EC_POINT_oct2point(k->group, k->point, all.p, all.len, k->ctx) != 1)
                return ossl_err(err, ERR_CRYPTO, "a key's point");
        return digest_bytes(DIGEST_SHA256, VIEW_BUF(&all), &k->id, err);
}

int ecdsa_key_new(const struct pubkey *key, struct ecdsa_key **ret, struct err *err)
{
        AUTO(ecdsa_key_free_p) struct ecdsa_key *k = mem_zalloc(1, sizeof(*k));
        enum pubkey_curve curve = pubkey_curve(key);
        int r;

        if (!k)
                return err_nomem(err);
        if (curve != CURVE_P256 && curve != CURVE_P384)
                return err_set(err, ERR_FORMAT, 0, "a key on neither P-256 nor P-384");
        k->pub = key;
        k->field = pubkey_curve_bytes(curve);
        k->group = group_of(curve);
        k->ctx = BN_CTX_new();
        k->r = BN_new();
        k->s = BN_new();
        k->x = BN_new();
        if (!k->group || !k->ctx || !k->r || !k->s || !k->x)
                return ossl_err(err, ERR_CRYPTO, "a curve");
        k->point = EC_POINT_new(k->group);
        k->big_r = EC_POINT_new(k->group);
        k->scaled = EC_POINT_new(k->group);
        k->sum = EC_POINT_new(k->group);
        if (!k->point || !k->big_r || !k->scaled || !k->sum)
                return ossl_err(err, ERR_CRYPTO, "a curve");
        r = set_point(k, err);
        if (r < 0)
                return r;
        *ret = TAKE(k);
        return 0;
}

const struct digest *ecdsa_key_id(const struct ecdsa_key *key)
{
        return &key->id;
}

/* Return: 1; 0 if no point has r for its coordinate. */
static int lift(struct ecdsa_key *k, struct ecdsa_hint *ret, struct err *err)
{
        struct err unused = ERR_INIT;
        int n;

        if (EC_POINT_set_compressed_coordinates(k->group, k->big_r, k->r, 0, k->ctx) != 1) {
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: not on the curve is an answer");
                return 0;
        }
        if (EC_POINT_mul(k->group, k->big_r, NULL, k->big_r, k->s, k->ctx) != 1 ||
            EC_POINT_mul(k->group, k->scaled, NULL, k->point, k->r, k->ctx) != 1)
                return ossl_err(err, ERR_CRYPTO, "a multiple of a point");
        for (size_t i = 0; i < ARRAY_LEN(ret->at); i++) {
                if (EC_POINT_invert(k->group, k->scaled, k->ctx) != 1 ||
                    EC_POINT_add(k->group, k->sum, k->big_r, k->scaled, k->ctx) != 1)
                        return ossl_err(err, ERR_CRYPTO, "a sum of points");
                n = mark_of(k->group, k->sum, k->field, k->x, k->ctx, &ret->at[i], err);
                if (n < 0)
                        return n;
                if (n == 0)
                        ret->at[i] = 0; /* no digest's; what is found there is checked, as everything */
        }
        return 1;
}

int ecdsa_hint(struct ecdsa_key *key, struct view signature, struct ecdsa_hint *ret, struct err *err)
{
        const BIGNUM *order = EC_GROUP_get0_order(key->group);
        struct view r, s;

        if (!ecdsa_numbers(signature, &r, &s) || r.len > key->field || s.len > key->field)
                return 0;
        if (!BN_bin2bn(r.p, (int)r.len, key->r) || !BN_bin2bn(s.p, (int)s.len, key->s))
                return ossl_err(err, ERR_CRYPTO, "a number");
        return BN_cmp(key->r, order) >= 0 || BN_cmp(key->s, order) >= 0 ? 0 : lift(key, ret, err);
}

int ecdsa_index_find(const struct ecdsa_index *index, const struct ecdsa_key *key, struct view signature,
                     const struct ecdsa_hint *hint, struct digest *ret, struct err *err)
{
        size_t size = digest_size(index->alg);

        if (pubkey_curve(key->pub) != ecdsa_curve_of(index->alg))
                return 0;
        for (size_t h = 0; h < ARRAY_LEN(hint->at); h++)
                for (size_t i = hint->at[h] & (index->n_slots - 1); index->slots[i].number;
                     i = (i + 1) & (index->n_slots - 1)) {
                        struct digest d;
                        bool good = false;

                        if (index->slots[i].at != hint->at[h])
                                continue;
                        if (digest_set(index->alg,
                                       VIEW(index->digests.p + (index->slots[i].number - 1) * size, size), &d,
                                       err) < 0 ||
                            pubkey_verify_digest(key->pub, SIG_ECDSA, &d, signature, &good, err) < 0)
                                return -(int)err->kind;
                        if (good) {
                                *ret = d;
                                return 1;
                        }
                }
        return 0;
}
