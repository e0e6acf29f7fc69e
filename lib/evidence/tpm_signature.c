/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM signatures. The algorithm in a signature is the peer's word; the one that counts is fixed in the key's
 * public area, so both have to be the same before anything is computed.
 *
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §11.3.4 (TPMT_SIGNATURE), §11.3.1 (RSA), §11.3.2 (ECC).
 */
#include "evidence/tpm_signature.h"

#include <string.h>

static int parse(struct view in, struct signature *sig, struct err *err)
{
        struct cursor c = cursor_of(in);
        uint16_t scheme, hash;
        bool ok;

        if (!cursor_be16(&c, &scheme) || !cursor_be16(&c, &hash))
                return err_set(err, ERR_FORMAT, 0, "it is cut short");
        if (scheme != ALG_RSASSA && scheme != ALG_RSAPSS && scheme != ALG_ECDSA)
                return err_set(err, ERR_FORMAT, 0, "scheme 0x%04x is not known", scheme);
        if (!digest_by_tpm_alg(hash, &sig->hash))
                return err_set(err, ERR_FORMAT, 0, "hash 0x%04x is not known", hash);
        sig->scheme = (enum sig_scheme)scheme;
        if (scheme == ALG_ECDSA)
                ok = cursor_be16_bytes(&c, &sig->r) && cursor_be16_bytes(&c, &sig->s);
        else
                ok = cursor_be16_bytes(&c, &sig->rsa);
        if (!ok)
                return err_set(err, ERR_FORMAT, 0, "it is cut short");
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "%zu bytes too many", c.left);
        return 0;
}

int tpm_signature_parse(struct view in, struct signature *ret, struct err *err)
{
        struct signature sig = {0};
        int r;

        if (in.len > TPM_SIGNATURE_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "TPM signature of %zu bytes (at most %d)", in.len,
                               TPM_SIGNATURE_BYTES_MAX);
        r = parse(in, &sig, err);
        if (r < 0)
                return err_wrap(err, "TPM signature");
        *ret = sig;
        return 0;
}

int tpm_signature_check(const struct tpm_public *ak, const struct pubkey *key, struct view signature,
                        struct view message, bool *ret_good, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *made = NULL;
        struct signature sig;
        int r;

        if (tpm_signature_parse(signature, &sig, err) < 0 || sig.scheme != ak->scheme ||
            (uint16_t)sig.hash != ak->scheme_hash) {
                err_clear(err);
                *ret_good = false;
                return 0;
        }
        if (!key) {
                r = tpm_public_key(ak, &made, err);
                if (r < 0)
                        return err_wrap(err, "attestation key");
                key = made;
        }
        return pubkey_verify(key, &sig, message, ret_good, err);
}
