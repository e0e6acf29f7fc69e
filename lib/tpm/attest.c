/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the AK signs: quotes, time, and its own certification (proof of possession).
 *
 * A quote and the values beside it are two commands; another process can extend in between. The digest inside
 * the quote decides: the pair is made again until the values hash to it.
 * Spec: TPM 2.0 Part 3, TPM2_Quote, TPM2_GetTime, TPM2_Certify; Part 2, TPMS_ATTEST.
 */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "tpm/ak_private.h"

#define QUOTE_TRIES 16

static const TPMT_SIG_SCHEME key_scheme = {.scheme = TPM2_ALG_NULL}; /* the one in the key's public area */

void tpm_signed_done(struct tpm_signed *s)
{
        buf_free(&s->message);
        buf_free(&s->signature);
}

int tpm_ak_qualifying(struct view in, TPM2B_DATA *ret, struct err *err)
{
        if (in.len > sizeof(ret->buffer))
                return err_set(err, ERR_LIMIT, 0, "qualifying data of %zu bytes: at most %zu", in.len,
                               sizeof(ret->buffer));
        *ret = (TPM2B_DATA){.size = (UINT16)in.len};
        if (in.len)
                memcpy(ret->buffer, in.p, in.len);
        return 0;
}

int tpm_ak_give(const TPM2B_ATTEST *message, const TPMT_SIGNATURE *signature, struct tpm_signed *ret,
                struct err *err)
{
        struct tpm_signed s = {0};
        int r;

        buf_put(&s.message, message->attestationData, message->size);
        r = buf_ok(&s.message) ? tpm_put_signature(&s.signature, signature, err) : err_nomem(err);
        if (r < 0)
                tpm_signed_done(&s);
        else
                *ret = s;
        return r;
}

int tpm_ak_certify_self(struct tpm_ak *ak, struct view qualifying, struct tpm_signed *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_ATTEST *message = NULL;
        AUTO(tpm_esys_free_p)
        TPMT_SIGNATURE *signature = NULL;
        TPM2B_DATA data;
        TSS2_RC rc;
        int r = tpm_ak_qualifying(qualifying, &data, err);

        if (r < 0)
                return r;
        /* A session can authorise one handle of a command, so object and signer have one each. */
        TPM_CALL(rc, Esys_Certify(ak->tpm->esys, ak->key.handle, ak->key.handle, ak->session.handle,
                                  ak->second.handle, ESYS_TR_NONE, &data, &key_scheme, &message, &signature));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Certify of the attestation key by itself");
        return tpm_ak_give(message, signature, ret, err);
}

int tpm_ak_time(struct tpm_ak *ak, struct view qualifying, struct tpm_signed *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_ATTEST *message = NULL;
        AUTO(tpm_esys_free_p)
        TPMT_SIGNATURE *signature = NULL;
        TPM2B_DATA data;
        TSS2_RC rc;
        int r = tpm_ak_qualifying(qualifying, &data, err);

        if (r < 0)
                return r;
        TPM_CALL(rc,
                 Esys_GetTime(ak->tpm->esys, ESYS_TR_RH_ENDORSEMENT, ak->key.handle, ESYS_TR_PASSWORD,
                              ak->session.handle, ESYS_TR_NONE, &data, &key_scheme, &message, &signature));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_GetTime");
        return tpm_ak_give(message, signature, ret, err);
}

/* Do VALUES hash to what MESSAGE quotes? Return: 1, 0, < 0. */
static int quote_covers(const TPM2B_ATTEST *message, const struct tpm_pcr_values *values, struct err *err)
{
        struct view parts[TPM_N_PCRS];
        TPMS_ATTEST attest;
        struct digest d;
        size_t at = 0, n = 0;
        int r;

        if (Tss2_MU_TPMS_ATTEST_Unmarshal(message->attestationData, message->size, &at, &attest) ||
            attest.type != TPM2_ST_ATTEST_QUOTE)
                return err_set(err, ERR_TPM, 0, "TPM2_Quote gave no quote");
        for (unsigned i = 0; i < TPM_N_PCRS; i++)
                if (values->mask >> i & 1)
                        parts[n++] = digest_view(&values->value[i]);
        /* Hashed with the key's scheme, which is SHA-256 for both kinds of AK. */
        r = digest_parts(DIGEST_SHA256, parts, n, &d, err);
        if (r < 0)
                return r;
        return equal_ct(d.b, d.len, attest.attested.quote.pcrDigest.buffer,
                        attest.attested.quote.pcrDigest.size);
}

static int quote_once(struct tpm_ak *ak, enum digest_alg bank, uint32_t mask, const TPM2B_DATA *data,
                      struct tpm_signed *ret, struct tpm_pcr_values *ret_values, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_ATTEST *message = NULL;
        AUTO(tpm_esys_free_p)
        TPMT_SIGNATURE *signature = NULL;
        TPML_PCR_SELECTION sel = {.count = 1};
        struct tpm_pcr_values values;
        TSS2_RC rc;
        int r;

        sel.pcrSelections[0] = (TPMS_PCR_SELECTION){.hash = (TPMI_ALG_HASH)bank, .sizeofSelect = 3};
        for (unsigned i = 0; i < 3; i++)
                sel.pcrSelections[0].pcrSelect[i] = (BYTE)(mask >> (8 * i));
        r = tpm_pcrs_read(ak->tpm, bank, mask, &values, err);
        if (r < 0)
                return r;
        TPM_CALL(rc, Esys_Quote(ak->tpm->esys, ak->key.handle, ak->session.handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                data, &key_scheme, &sel, &message, &signature));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Quote");
        r = quote_covers(message, &values, err);
        if (r <= 0)
                return r;
        r = tpm_ak_give(message, signature, ret, err);
        if (r < 0)
                return r;
        *ret_values = values;
        return 1;
}

int tpm_ak_quote(struct tpm_ak *ak, enum digest_alg bank, uint32_t mask, struct view qualifying,
                 struct tpm_signed *ret, struct tpm_pcr_values *ret_values, struct err *err)
{
        TPM2B_DATA data;
        int r = tpm_ak_qualifying(qualifying, &data, err);

        if (r < 0)
                return r;
        if (mask == 0 || mask >> TPM_N_PCRS)
                return err_set(err, ERR_FORMAT, 0, "quote of PCRs 0x%x: PCRs are 0 to 23, at least one",
                               mask);
        for (int i = 0; i < QUOTE_TRIES; i++) {
                r = quote_once(ak, bank, mask, &data, ret, ret_values, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return err_set(err, ERR_TPM, TPM2_RC_PCR_CHANGED,
                       "PCRs changed during each of %d quotes: something extends them all the time",
                       QUOTE_TRIES);
}
