/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys over EVP_PKEY. The kind and the curve are found out once, when the key is made; a key of
 * another kind (Ed25519, secp256k1, DSA) is not one of ours and is refused at the door, so that everything
 * behind it knows what it holds. Points off the curve and silly moduli are kept out.
 */
#include "crypto/pubkey.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/ossl.h"

#define RSA_BITS_MIN  1024
#define RSA_BITS_MAX  4096
#define RSA_E_DEFAULT 65537u

struct pubkey {
        EVP_PKEY *pkey;
        enum pubkey_type type;
        enum pubkey_curve curve;
        unsigned bits;
};

static const struct {
        enum pubkey_curve curve;
        size_t bytes;
        const char *group; /* OpenSSL's name */
        const char *name;
} curves[] = {
        {CURVE_P256, 32, "prime256v1", "P-256"},
        {CURVE_P384, 48, "secp384r1", "P-384"},
        {CURVE_P521, 66, "secp521r1", "P-521"},
};

DEFINE_AUTO(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
DEFINE_AUTO(OSSL_PARAM, OSSL_PARAM_free)

static enum pubkey_curve curve_of(const EVP_PKEY *pkey)
{
        char group[32] = "";

        if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
                return CURVE_NONE;
        for (size_t i = 0; i < ARRAY_LEN(curves); i++)
                if (strcmp(curves[i].group, group) == 0)
                        return curves[i].curve;
        return CURVE_NONE;
}

static int classify(struct pubkey *key, struct err *err)
{
        int bits = EVP_PKEY_get_bits(key->pkey);

        key->bits = bits > 0 ? (unsigned)bits : 0;
        switch (EVP_PKEY_get_base_id(key->pkey)) {
        case EVP_PKEY_RSA:
                key->type = PUBKEY_RSA;
                if (key->bits < RSA_BITS_MIN || key->bits > RSA_BITS_MAX)
                        return err_set(err, ERR_FORMAT, 0, "an RSA key of %u bits; %d to %d are read",
                                       key->bits, RSA_BITS_MIN, RSA_BITS_MAX);
                return 0;
        case EVP_PKEY_EC:
                key->type = PUBKEY_ECC;
                key->curve = curve_of(key->pkey);
                if (key->curve == CURVE_NONE)
                        return err_set(err, ERR_FORMAT, 0,
                                       "an elliptic curve key on a curve that is not used "
                                       "here; P-256, P-384 and P-521 are");
                return 0;
        default:
                return err_set(err, ERR_FORMAT, 0, "the key is neither RSA nor ECC");
        }
}

/*
 * An odd modulus and an odd exponent above one. OpenSSL's own check also runs Miller-Rabin on the modulus,
 * 3.8 ms for 2048 bits, a hundred times what the signature costs that the key is made for; it would only show
 * a modulus whose owner gave his own key away.
 */
static int check_rsa(const EVP_PKEY *pkey, struct err *err)
{
        AUTO(BN_free_p)
        BIGNUM *n = NULL;
        AUTO(BN_free_p)
        BIGNUM *e = NULL;

        if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
            EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
                return ossl_err(err, ERR_CRYPTO, "RSA key");
        if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e))
                return err_set(err, ERR_FORMAT, 0,
                               "the public key is not valid: modulus or exponent is even");
        return 0;
}

/*
 * A point on the curve and not at infinity: on curves of prime order that is all (SP 800-56A, 5.6.2.3.4).
 * Written uncompressed: the compressed and the hybrid form would be other spellings of the same key.
 */
static int check_ec(EVP_PKEY *pkey, struct err *err)
{
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
        char form[32] = "";
        size_t len = 0;

        if (!ctx || EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form,
                                                   sizeof(form), &len) != 1)
                return ossl_err(err, ERR_CRYPTO, "public key");
        if (!str_equal(form, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
                return err_set(err, ERR_FORMAT, 0, "the public key's point is written %s", SHOW(form));
        if (EVP_PKEY_public_check_quick(ctx) != 1)
                return ossl_err(err, ERR_FORMAT, "the public key is not valid");
        return 0;
}

int pubkey_from_evp(EVP_PKEY *pkey, struct pubkey **ret, struct err *err)
{
        AUTO(EVP_PKEY_free_p)
        EVP_PKEY *taken = pkey;
        AUTO(pubkey_free_p)
        struct pubkey *key = mem_zalloc(1, sizeof(*key));
        int r;

        if (!key)
                return err_nomem(err);
        key->pkey = TAKE(taken);
        r = classify(key, err);
        if (r < 0)
                return r;
        r = key->type == PUBKEY_RSA ? check_rsa(key->pkey, err) : check_ec(key->pkey, err);
        if (r < 0)
                return r;
        *ret = TAKE(key);
        return 0;
}

EVP_PKEY *pubkey_evp(const struct pubkey *key)
{
        return key->pkey;
}

/* Builds the key of kind NAME from the parameters gathered in BLD. */
static int from_params(const char *name, OSSL_PARAM_BLD *bld, struct pubkey **ret, struct err *err)
{
        AUTO(OSSL_PARAM_free_p)
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
        EVP_PKEY *pkey = NULL;

        if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
                return ossl_err(err, ERR_CRYPTO, "public key");
        if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
                return ossl_err(err, ERR_FORMAT, "the numbers are no %s key", name);
        return pubkey_from_evp(pkey, ret, err);
}

int pubkey_from_rsa(struct view n, uint32_t e, struct pubkey **ret, struct err *err)
{
        AUTO(OSSL_PARAM_BLD_free_p)
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        AUTO(BN_free_p)
        BIGNUM *bn_n = NULL;
        AUTO(BN_free_p)
        BIGNUM *bn_e = BN_new();

        if (n.len > RSA_BITS_MAX / 8)
                return err_set(err, ERR_FORMAT, 0, "an RSA modulus of %zu bytes; at most %d are read", n.len,
                               RSA_BITS_MAX / 8);
        bn_n = BN_bin2bn(n.p, (int)n.len, NULL);
        if (!bld || !bn_n || !bn_e || BN_set_word(bn_e, e ? e : RSA_E_DEFAULT) != 1 ||
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1 ||
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1)
                return ossl_err(err, ERR_CRYPTO, "RSA key");
        return from_params("RSA", bld, ret, err);
}

int pubkey_from_ec(enum pubkey_curve curve, struct view x, struct view y, struct pubkey **ret,
                   struct err *err)
{
        AUTO(OSSL_PARAM_BLD_free_p)
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        uint8_t point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
        size_t size = pubkey_curve_bytes(curve);
        const char *group = NULL;

        for (size_t i = 0; i < ARRAY_LEN(curves); i++)
                if (curves[i].curve == curve)
                        group = curves[i].group;
        if (!group)
                return err_set(err, ERR_FORMAT, 0, "curve 0x%04x is not used here", (unsigned)curve);
        if (x.len > size || y.len > size || x.len == 0 || y.len == 0)
                return err_set(err, ERR_FORMAT, 0, "coordinates of %zu and %zu bytes on a curve of %zu",
                               x.len, y.len, size);
        memcpy(point + 1 + size - x.len, x.p, x.len);
        memcpy(point + 1 + 2 * size - y.len, y.p, y.len);
        if (!bld || OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
            OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) != 1)
                return ossl_err(err, ERR_CRYPTO, "ECC key");
        return from_params("EC", bld, ret, err);
}

int pubkey_from_spki(struct view der, struct pubkey **ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        const uint8_t *p = der.p;
        struct buf anew = {0};
        EVP_PKEY *pkey;
        int r;

        if (der.len == 0 || der.len > 65536)
                return err_set(err, ERR_FORMAT, 0, "a public key of %zu bytes", der.len);
        pkey = d2i_PUBKEY(NULL, &p, (long)der.len);
        if (!pkey)
                return ossl_err(err, ERR_FORMAT, "the bytes are no public key");
        r = pubkey_from_evp(pkey, &key, err);
        if (r >= 0)
                r = pubkey_spki(key, &anew, err);
        /* One key, one spelling: tokens are bound to the hash of these bytes. */
        if (r >= 0 && !view_equal(VIEW_BUF(&anew), der))
                r = err_set(err, ERR_FORMAT, 0, "the bytes are not the DER form of the public key in them");
        buf_free(&anew);
        if (r >= 0)
                *ret = TAKE(key);
        return r;
}

int pubkey_from_pem(struct view pem, struct pubkey **ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = ossl_bio(pem);
        EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

        if (!pkey)
                return ossl_err(err, ERR_FORMAT, "the text holds no public key in PEM form");
        return pubkey_from_evp(pkey, ret, err);
}

void pubkey_free(struct pubkey *key)
{
        if (!key)
                return;
        EVP_PKEY_free(key->pkey);
        free(key);
}

enum pubkey_type pubkey_type(const struct pubkey *key)
{
        return key->type;
}

enum pubkey_curve pubkey_curve(const struct pubkey *key)
{
        return key->curve;
}

unsigned pubkey_bits(const struct pubkey *key)
{
        return key->bits;
}

void pubkey_describe(const struct pubkey *key, char *text, size_t size)
{
        const char *curve = "";

        for (size_t i = 0; i < ARRAY_LEN(curves); i++)
                if (curves[i].curve == key->curve)
                        curve = curves[i].name;
        if (key->type == PUBKEY_RSA)
                (void)snprintf(text, size, "RSA-%u", key->bits); /* cut if the caller's array is short */
        else
                (void)snprintf(text, size, "ECC %s", curve);
}

int pubkey_spki(const struct pubkey *key, struct buf *ret, struct err *err)
{
        uint8_t *der = NULL;
        int len = i2d_PUBKEY(key->pkey, &der);

        if (len <= 0)
                return ossl_err(err, ERR_CRYPTO, "encoding a public key");
        buf_put(ret, der, (size_t)len);
        OPENSSL_free(der);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int pubkey_bare(const struct pubkey *key, struct buf *ret, struct err *err)
{
        uint8_t *der = NULL;
        int len = i2d_PublicKey(key->pkey, &der);

        if (len <= 0)
                return ossl_err(err, ERR_CRYPTO, "encoding a public key");
        buf_put(ret, der, (size_t)len);
        OPENSSL_free(der);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int pubkey_spki_sha256(const struct pubkey *key, struct digest *ret, struct err *err)
{
        struct buf der = {0};
        int r = pubkey_spki(key, &der, err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&der), ret, err);
        buf_free(&der);
        return r;
}

int pubkey_pem(const struct pubkey *key, char **ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = BIO_new(BIO_s_mem());
        struct buf text = {0};
        char *s;

        if (!bio || PEM_write_bio_PUBKEY(bio, key->pkey) != 1)
                return ossl_err(err, ERR_CRYPTO, "encoding a public key");
        ossl_bio_take(bio, &text);
        s = buf_take_str(&text);
        if (!s)
                return err_nomem(err);
        *ret = s;
        return 0;
}

static int put_number(const struct pubkey *key, const char *param, size_t size, struct buf *ret,
                      struct err *err)
{
        AUTO(BN_free_p)
        BIGNUM *bn = NULL;
        uint8_t bytes[RSA_BITS_MAX / 8];

        if (EVP_PKEY_get_bn_param(key->pkey, param, &bn) != 1)
                return ossl_err(err, ERR_CRYPTO, "reading a number of a public key");
        if (size == 0)
                size = (size_t)BN_num_bytes(bn);
        if (size > sizeof(bytes) || BN_bn2binpad(bn, bytes, (int)size) < 0)
                return ossl_err(err, ERR_CRYPTO, "reading a number of a public key");
        buf_put(ret, bytes, size);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int pubkey_ec_point(const struct pubkey *key, struct buf *ret_x, struct buf *ret_y, struct err *err)
{
        size_t size = pubkey_curve_bytes(key->curve);
        int r;

        if (key->type != PUBKEY_ECC)
                return err_set(err, ERR_BUG, 0, "an RSA key has no point");
        r = put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, size, ret_x, err);
        return r < 0 ? r : put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, ret_y, err);
}

size_t pubkey_curve_bytes(enum pubkey_curve curve)
{
        for (size_t i = 0; i < ARRAY_LEN(curves); i++)
                if (curves[i].curve == curve)
                        return curves[i].bytes;
        return 0;
}

int pubkey_rsa_numbers(const struct pubkey *key, struct buf *ret_n, uint32_t *ret_e, struct err *err)
{
        AUTO(BN_free_p)
        BIGNUM *e = NULL;

        if (key->type != PUBKEY_RSA)
                return err_set(err, ERR_BUG, 0, "an ECC key has no modulus");
        if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
                return ossl_err(err, ERR_CRYPTO, "reading a public exponent");
        if (BN_num_bits(e) > 32)
                return err_set(err, ERR_LIMIT, 0, "a public exponent of %d bits; 32 are read",
                               BN_num_bits(e));
        *ret_e = (uint32_t)BN_get_word(e);
        return put_number(key, OSSL_PKEY_PARAM_RSA_N, 0, ret_n, err);
}

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
        return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}
