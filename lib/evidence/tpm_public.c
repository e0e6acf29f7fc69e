/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM public areas. A host sends them (EK, AK) and may send anything, so:
 *
 *   - the name of a key is computed here, over the very bytes that were read;
 *   - what a key may be used for follows from its attributes, which the TPM enforces: an unrestricted signing
 *     key passes ActivateCredential, but would also sign a TPMS_ATTEST that software made up (SR-10);
 *   - reserved attribute bits, unknown algorithms and left-over bytes are refused, not skipped.
 *
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §12.2.4 (TPMT_PUBLIC), §12.2.3.5 (RSA), §12.2.3.6 (ECC), §8.3.
 */
#include "evidence/tpm_public.h"

#include <string.h>

#include "base/hex.h"

#define OBJ_KNOWN                                                                                            \
        (OBJ_FIXED_TPM | OBJ_ST_CLEAR | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH |  \
         OBJ_ADMIN_WITH_POLICY | OBJ_NO_DA | OBJ_ENCRYPTED_DUPLICATION | OBJ_RESTRICTED | OBJ_DECRYPT |      \
         OBJ_SIGN | OBJ_X509_SIGN)
#define OBJ_ROOTED (OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN)

static int cut_short(struct err *err)
{
        return err_set(err, ERR_FORMAT, 0, "it is cut short");
}

/* TPMT_SYM_DEF_OBJECT, §11.1.7 */
static int read_symmetric(struct cursor *c, struct tpm_public *pub, struct err *err)
{
        if (!cursor_be16(c, &pub->sym_alg))
                return cut_short(err);
        if (pub->sym_alg == ALG_NULL)
                return 0;
        if (pub->sym_alg != ALG_AES)
                return err_set(err, ERR_FORMAT, 0, "symmetric algorithm 0x%04x is not known", pub->sym_alg);
        if (!cursor_be16(c, &pub->sym_bits) || !cursor_be16(c, &pub->sym_mode))
                return cut_short(err);
        return 0;
}

/* TPMT_RSA_SCHEME, TPMT_ECC_SCHEME, §11.2.4.2, §11.2.5.6: the schemes that sign with a hash, or none. */
static int read_scheme(struct cursor *c, struct tpm_public *pub, struct err *err)
{
        bool fits;

        if (!cursor_be16(c, &pub->scheme))
                return cut_short(err);
        if (pub->scheme == ALG_NULL)
                return 0;
        fits = pub->type == ALG_RSA ? pub->scheme == ALG_RSASSA || pub->scheme == ALG_RSAPSS
                                    : pub->scheme == ALG_ECDSA;
        if (!fits)
                return err_set(err, ERR_FORMAT, 0, "signature scheme 0x%04x is not known", pub->scheme);
        if (!cursor_be16(c, &pub->scheme_hash))
                return cut_short(err);
        if (!digest_size((enum digest_alg)pub->scheme_hash))
                return err_set(err, ERR_FORMAT, 0, "signature hash 0x%04x is not known", pub->scheme_hash);
        return 0;
}

static int read_rsa(struct cursor *c, struct tpm_public *pub, struct err *err)
{
        if (!cursor_be16(c, &pub->rsa_bits) || !cursor_be32(c, &pub->rsa_exponent) ||
            !cursor_be16_bytes(c, &pub->n))
                return cut_short(err);
        if (pub->rsa_bits < 1024 || pub->rsa_bits > 4096 || pub->rsa_bits % 8)
                return err_set(err, ERR_FORMAT, 0, "an RSA key of %u bits", pub->rsa_bits);
        if (pub->n.len != pub->rsa_bits / 8u || !(pub->n.p[0] & 0x80))
                return err_set(err, ERR_FORMAT, 0, "the RSA modulus has not the %u bits stated",
                               pub->rsa_bits);
        return 0;
}

static int read_ecc(struct cursor *c, struct tpm_public *pub, struct err *err)
{
        uint16_t kdf;
        size_t size;

        if (!cursor_be16(c, &pub->curve) || !cursor_be16(c, &kdf) || !cursor_be16_bytes(c, &pub->x) ||
            !cursor_be16_bytes(c, &pub->y))
                return cut_short(err);
        size = pubkey_curve_bytes((enum pubkey_curve)pub->curve);
        if (!size)
                return err_set(err, ERR_FORMAT, 0, "curve 0x%04x is not known", pub->curve);
        if (kdf != ALG_NULL)
                return err_set(err, ERR_FORMAT, 0, "key derivation scheme 0x%04x is not known", kdf);
        /* Some TPMs leave leading zeros of a coordinate out. */
        if (pub->x.len > size || pub->y.len > size || !pub->x.len || !pub->y.len)
                return err_set(err, ERR_FORMAT, 0, "coordinates of %zu and %zu bytes on a curve of %zu",
                               pub->x.len, pub->y.len, size);
        return 0;
}

static int parse(struct view in, struct tpm_public *pub, struct err *err)
{
        struct cursor c = cursor_of(in);
        int r;

        pub->raw = in;
        if (!cursor_be16(&c, &pub->type) || !cursor_be16(&c, &pub->name_alg) ||
            !cursor_be32(&c, &pub->attributes) || !cursor_be16_bytes(&c, &pub->auth_policy))
                return cut_short(err);
        if (pub->type != ALG_RSA && pub->type != ALG_ECC)
                return err_set(err, ERR_FORMAT, 0, "key type 0x%04x (RSA or ECC is wanted)", pub->type);
        if (!digest_size((enum digest_alg)pub->name_alg))
                return err_set(err, ERR_FORMAT, 0, "name algorithm 0x%04x is not known", pub->name_alg);
        if (pub->attributes & ~(uint32_t)OBJ_KNOWN)
                return err_set(err, ERR_FORMAT, 0, "attributes 0x%08x have reserved bits", pub->attributes);
        if (pub->auth_policy.len && pub->auth_policy.len != digest_size((enum digest_alg)pub->name_alg))
                return err_set(err, ERR_FORMAT, 0, "a policy of %zu bytes", pub->auth_policy.len);
        r = read_symmetric(&c, pub, err);
        if (r == 0)
                r = read_scheme(&c, pub, err);
        if (r == 0)
                r = pub->type == ALG_RSA ? read_rsa(&c, pub, err) : read_ecc(&c, pub, err);
        if (r < 0)
                return r;
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "%zu bytes too many", c.left);
        return 0;
}

int tpmt_public_parse(struct view in, struct tpm_public *ret, struct err *err)
{
        struct tpm_public pub = {0};
        int r;

        if (in.len > TPM_PUBLIC_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "TPM public area of %zu bytes (at most %d)", in.len,
                               TPM_PUBLIC_BYTES_MAX);
        r = parse(in, &pub, err);
        if (r < 0)
                return err_wrap(err, "TPM public area");
        *ret = pub;
        return 0;
}

int tpm2b_public_parse(struct view in, struct tpm_public *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct view body;

        if (!cursor_be16_bytes(&c, &body) || c.left)
                return err_set(err, ERR_FORMAT, 0,
                               "TPM public area: the size in front of it is not that of what follows");
        return tpmt_public_parse(body, ret, err);
}

int tpm_public_name(const struct tpm_public *pub, struct tpm_name *ret, struct err *err)
{
        struct digest d;
        int r = digest_bytes((enum digest_alg)pub->name_alg, pub->raw, &d, err);

        if (r < 0)
                return r;
        ret->len = (uint8_t)(2 + d.len);
        ret->b[0] = (uint8_t)(pub->name_alg >> 8);
        ret->b[1] = (uint8_t)pub->name_alg;
        memcpy(ret->b + 2, d.b, d.len);
        return 0;
}

struct view tpm_name_view(const struct tpm_name *name)
{
        return VIEW(name->b, name->len);
}

int tpm_public_key(const struct tpm_public *pub, struct pubkey **ret, struct err *err)
{
        if (pub->type == ALG_RSA)
                return pubkey_from_rsa(pub->n, pub->rsa_exponent, ret, err);
        return pubkey_from_ec((enum pubkey_curve)pub->curve, pub->x, pub->y, ret, err);
}

const char *tpm_public_ak_refusal(const struct tpm_public *pub)
{
        uint32_t a = pub->attributes;

        if (!(a & OBJ_FIXED_TPM))
                return "it could be duplicated to another TPM (fixedTPM is not set)";
        if (!(a & OBJ_FIXED_PARENT))
                return "it could be given another parent (fixedParent is not set)";
        if (!(a & OBJ_SENSITIVE_DATA_ORIGIN))
                return "it was not made by the TPM (sensitiveDataOrigin is not set)";
        if (!(a & OBJ_RESTRICTED))
                return "it signs anything, also a forged quote (restricted is not set)";
        if (!(a & OBJ_SIGN))
                return "it does not sign (sign is not set)";
        if (a & OBJ_DECRYPT)
                return "it also decrypts (decrypt is set)";
        if (a & OBJ_X509_SIGN)
                return "it also signs certificates (x509sign is set)";
        if (pub->sym_alg != ALG_NULL)
                return "it has a symmetric algorithm, as storage keys have";
        if (pub->scheme == ALG_NULL)
                return "its signature scheme is not fixed";
        if (pub->scheme_hash == DIGEST_SHA1 || pub->name_alg == DIGEST_SHA1)
                return "it uses SHA-1";
        if (pub->type == ALG_RSA && pub->rsa_bits < 2048)
                return "it is an RSA key of less than 2048 bits";
        return NULL;
}

const char *tpm_public_ek_refusal(const struct tpm_public *pub)
{
        uint32_t a = pub->attributes;

        if ((a & OBJ_ROOTED) != OBJ_ROOTED)
                return "it is not fixed to its TPM (fixedTPM, fixedParent and sensitiveDataOrigin)";
        if (!(a & OBJ_RESTRICTED) || !(a & OBJ_DECRYPT) || a & OBJ_SIGN)
                return "it is no storage key (restricted and decrypt without sign)";
        if (pub->sym_alg != ALG_AES || pub->sym_mode != ALG_CFB ||
            (pub->sym_bits != 128 && pub->sym_bits != 192 && pub->sym_bits != 256))
                return "it does not use AES in CFB mode";
        if (pub->scheme != ALG_NULL)
                return "it has a signature scheme";
        if (pub->name_alg == DIGEST_SHA1)
                return "it uses SHA-1";
        if (pub->type == ALG_RSA && pub->rsa_bits < 2048)
                return "it is an RSA key of less than 2048 bits";
        return NULL;
}

/* The templates of the EK Credential Profile 2.5: §B.3 (low range, PolicyA) and §B.4 (high range, PolicyB).
 */
struct ek_template {
        const char *name;
        uint16_t type, size; /* bits of RSA, or the curve */
        uint16_t name_alg, sym_bits;
        uint32_t attributes;
        const char *policy; /* hex */
};

#define EK_LOW          (OBJ_ROOTED | OBJ_ADMIN_WITH_POLICY | OBJ_RESTRICTED | OBJ_DECRYPT)
#define EK_HIGH         (EK_LOW | OBJ_USER_WITH_AUTH)
#define POLICY_A_SHA256 "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
#define POLICY_B_SHA256 "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"
#define POLICY_B_SHA384                                                                                      \
        "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12"
#define POLICY_B_SHA512                                                                                      \
        "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"                                   \
        "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea"

static const struct ek_template ek_templates[] = {
        {"L-1", ALG_RSA, 2048, DIGEST_SHA256, 128, EK_LOW, POLICY_A_SHA256},
        {"L-2", ALG_ECC, CURVE_P256, DIGEST_SHA256, 128, EK_LOW, POLICY_A_SHA256},
        {"H-1", ALG_RSA, 2048, DIGEST_SHA256, 128, EK_HIGH, POLICY_B_SHA256},
        {"H-2", ALG_ECC, CURVE_P256, DIGEST_SHA256, 128, EK_HIGH, POLICY_B_SHA256},
        {"H-3", ALG_ECC, CURVE_P384, DIGEST_SHA384, 256, EK_HIGH, POLICY_B_SHA384},
        {"H-4", ALG_ECC, CURVE_P521, DIGEST_SHA512, 256, EK_HIGH, POLICY_B_SHA512},
        {"H-6", ALG_RSA, 3072, DIGEST_SHA384, 256, EK_HIGH, POLICY_B_SHA384},
        {"H-7", ALG_RSA, 4096, DIGEST_SHA384, 256, EK_HIGH, POLICY_B_SHA384},
};

static bool policy_is(struct view policy, const char *hex)
{
        char text[2 * DIGEST_BYTES_MAX + 1];

        return policy.len <= DIGEST_BYTES_MAX && view_equal(view_str(hex_write(text, policy)), view_str(hex));
}

const char *tpm_public_ek_template(const struct tpm_public *pub)
{
        for (size_t i = 0; i < ARRAY_LEN(ek_templates); i++) {
                const struct ek_template *t = &ek_templates[i];

                if (t->type == pub->type && t->size == (pub->type == ALG_RSA ? pub->rsa_bits : pub->curve) &&
                    t->name_alg == pub->name_alg && t->sym_bits == pub->sym_bits &&
                    t->attributes == pub->attributes && policy_is(pub->auth_policy, t->policy))
                        return t->name;
        }
        return NULL;
}

const char *tpm_public_describe(const struct tpm_public *pub)
{
        static const struct {
                uint16_t type, size;
                const char *name;
        } names[] = {
                {ALG_RSA, 2048, "RSA-2048"},        {ALG_RSA, 3072, "RSA-3072"},
                {ALG_RSA, 4096, "RSA-4096"},        {ALG_ECC, CURVE_P256, "ECC P-256"},
                {ALG_ECC, CURVE_P384, "ECC P-384"}, {ALG_ECC, CURVE_P521, "ECC P-521"},
        };

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (names[i].type == pub->type &&
                    names[i].size == (pub->type == ALG_RSA ? pub->rsa_bits : pub->curve))
                        return names[i].name;
        return pub->type == ALG_RSA ? "RSA" : "ECC";
}
