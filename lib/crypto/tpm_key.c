/* SPDX-License-Identifier: Apache-2.0 */
/*
 * External keys as a TPM sees them. The TPM only ever gets the public half, to check signatures; what its
 * attributes would allow does not matter, but every bit of them goes into the name, and so into each policy
 * that trusts the key. The form is fixed to the one that tpm2-tools makes from a PEM file, exponent written
 * out, so that anyone can compute the name with other people's tools.
 *
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §12.2.4 (TPMT_PUBLIC), §11.3.4 (TPMT_SIGNATURE); Part 1 §16 (names).
 */
#include "crypto/tpm_key.h"

#include <string.h>

#include "crypto/digest.h"

#define ATTRIBUTES 0x00060040u /* userWithAuth, decrypt, sign */
#define ALG_NULL   0x0010u
#define RSA_MIN    2048u
#define RSA_MAX    4096u

static int put_rsa(const struct pubkey *key, struct buf *out, struct err *err)
{
        AUTO(buf_free)
        struct buf n = {0};
        uint32_t e;
        int r = pubkey_rsa_numbers(key, &n, &e, err);

        if (r < 0)
                return r;
        buf_be16(out, ALG_NULL); /* symmetric */
        buf_be16(out, ALG_NULL); /* scheme */
        buf_be16(out, (uint16_t)pubkey_bits(key));
        buf_be32(out, e);
        buf_be16_bytes(out, VIEW_BUF(&n));
        return 0;
}

static int put_ec(const struct pubkey *key, struct buf *out, struct err *err)
{
        AUTO(buf_free)
        struct buf x = {0};
        AUTO(buf_free)
        struct buf y = {0};
        int r = pubkey_ec_point(key, &x, &y, err);

        if (r < 0)
                return r;
        buf_be16(out, ALG_NULL); /* symmetric */
        buf_be16(out, ALG_NULL); /* scheme */
        buf_be16(out, (uint16_t)pubkey_curve(key));
        buf_be16(out, ALG_NULL); /* kdf */
        buf_be16_bytes(out, VIEW_BUF(&x));
        buf_be16_bytes(out, VIEW_BUF(&y));
        return 0;
}

/* The TPMT_PUBLIC. */
static int put_area(const struct pubkey *key, struct buf *out, struct err *err)
{
        bool rsa = pubkey_type(key) == PUBKEY_RSA;
        int r;

        if (rsa && (pubkey_bits(key) < RSA_MIN || pubkey_bits(key) > RSA_MAX))
                return err_set(err, ERR_FORMAT, 0, "an RSA key of %u bits (2048 to 4096)", pubkey_bits(key));
        buf_be16(out, (uint16_t)pubkey_type(key));
        buf_be16(out, DIGEST_SHA256);
        buf_be32(out, ATTRIBUTES);
        buf_be16(out, 0); /* authPolicy */
        r = rsa ? put_rsa(key, out, err) : put_ec(key, out, err);
        if (r < 0)
                return r;
        return buf_ok(out) ? 0 : err_nomem(err);
}

int tpm_key_public(const struct pubkey *key, struct buf *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf area = {0};
        int r = put_area(key, &area, err);

        if (r < 0)
                return r;
        buf_be16_bytes(ret, VIEW_BUF(&area));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int tpm_key_name(const struct pubkey *key, uint8_t ret[TPM_KEY_NAME_BYTES], struct err *err)
{
        AUTO(buf_free)
        struct buf area = {0};
        struct digest d;
        int r = put_area(key, &area, err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&area), &d, err);
        if (r < 0)
                return r;
        ret[0] = DIGEST_SHA256 >> 8;
        ret[1] = DIGEST_SHA256;
        memcpy(ret + 2, d.b, d.len);
        return 0;
}

int tpm_key_signature(const struct pubkey *key, struct view raw, struct buf *ret, struct err *err)
{
        bool rsa = pubkey_type(key) == PUBKEY_RSA;
        size_t want = rsa ? pubkey_bits(key) / 8 : 2 * pubkey_curve_bytes(pubkey_curve(key));

        if (raw.len != want)
                return err_set(err, ERR_FORMAT, 0, "a signature of %zu bytes (this key makes %zu)", raw.len,
                               want);
        buf_be16(ret, rsa ? SIG_RSASSA : SIG_ECDSA);
        buf_be16(ret, DIGEST_SHA256);
        if (rsa) {
                buf_be16_bytes(ret, raw);
        } else {
                buf_be16_bytes(ret, VIEW(raw.p, want / 2));
                buf_be16_bytes(ret, VIEW(raw.p + want / 2, want / 2));
        }
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int tpm_key_sign(const struct key *key, struct view message, struct buf *ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *public = NULL;
        AUTO(buf_free)
        struct buf raw = {0};
        int r = key_public(key, &public, err);

        if (r >= 0)
                r = key_sign(key, DIGEST_SHA256, message, &raw, err);
        return r < 0 ? r : tpm_key_signature(public, VIEW_BUF(&raw), ret, err);
}
