/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a policy session. Keys that a step checks a signature with are loaded for that step alone
 * (public half, endorsement hierarchy: the NULL hierarchy's tickets count for nothing), and gone before the
 * next: a TPM has room for three objects.
 *
 * PolicyAuthorize takes no signature itself but a ticket, by which the TPM tells that it has checked one.
 *
 * Spec: TPM 2.0 Library Part 1 rev 1.59 §19.7; Part 3 §11.1 (StartAuthSession), §20.1 (VerifySignature), §23.
 */
#include "tpm/policy.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "base/mem.h"
#include "crypto/tpm_key.h"

#define COUNTER_BYTES 8

static int start(struct tpm *tpm, ESYS_TR salt, TPM2_SE type, const TPMT_SYM_DEF *cipher,
                 struct tpm_handle *ret, struct err *err)
{
        TSS2_RC rc;

        *ret = (struct tpm_handle)TPM_HANDLE_NONE(tpm);
        TPM_CALL(rc, Esys_StartAuthSession(tpm->esys, salt, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, NULL, type, cipher, TPM2_ALG_SHA256, &ret->handle));
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        ret->handle = ESYS_TR_NONE;
        return tpm_err(err, rc, "TPM2_StartAuthSession for a policy");
}

static const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};

int tpm_policy_start(struct tpm *tpm, struct tpm_handle *ret, struct err *err)
{
        return start(tpm, ESYS_TR_NONE, TPM2_SE_POLICY, &no_cipher, ret, err);
}

int tpm_policy_trial(struct tpm *tpm, struct tpm_handle *ret, struct err *err)
{
        return start(tpm, ESYS_TR_NONE, TPM2_SE_TRIAL, &no_cipher, ret, err);
}

int tpm_policy_start_salted(struct tpm_ek *ek, struct tpm_handle *ret, struct err *err)
{
        static const TPMT_SYM_DEF aes = {
                .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
        TSS2_RC rc;
        int r = start(ek->tpm, ek->handle, TPM2_SE_POLICY, &aes, ret, err);

        if (r < 0)
                return r;
        rc = Esys_TRSess_SetAttributes(ek->tpm->esys, ret->handle, TPMA_SESSION_ENCRYPT, 0xff);
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        tpm_handle_done(ret);
        return tpm_err(err, rc, "attributes of a policy session");
}

int tpm_policy_digest(struct tpm *tpm, ESYS_TR session, struct digest *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_DIGEST *d = NULL;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_PolicyGetDigest(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &d));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_PolicyGetDigest");
        return digest_set(DIGEST_SHA256, VIEW(d->buffer, d->size), ret, err);
}

int tpm_policy_nonce(struct tpm *tpm, ESYS_TR session, uint8_t ret[TPM_NONCE_BYTES], struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_NONCE *nonce = NULL;
        TSS2_RC rc = Esys_TRSess_GetNonceTPM(tpm->esys, session, &nonce);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "nonce of a policy session");
        if (nonce->size != TPM_NONCE_BYTES)
                return err_set(err, ERR_TPM, 0, "a session's nonce of %u bytes", nonce->size);
        memcpy(ret, nonce->buffer, TPM_NONCE_BYTES);
        return 0;
}

int tpm_policy_pcr(struct tpm *tpm, ESYS_TR session, enum digest_alg bank, uint32_t mask,
                   struct view pcr_digest, struct err *err)
{
        TPML_PCR_SELECTION sel = {.count = 1};
        TPM2B_DIGEST want = {.size = (UINT16)pcr_digest.len};
        TSS2_RC rc;

        if (pcr_digest.len > sizeof(want.buffer))
                return err_set(err, ERR_BUG, 0, "a PCR digest of %zu bytes", pcr_digest.len);
        if (pcr_digest.len)
                memcpy(want.buffer, pcr_digest.p, pcr_digest.len);
        sel.pcrSelections[0] = (TPMS_PCR_SELECTION){.hash = (TPMI_ALG_HASH)bank, .sizeofSelect = 3};
        for (unsigned i = 0; i < 3; i++)
                sel.pcrSelections[0].pcrSelect[i] = (BYTE)(mask >> (8 * i));
        TPM_CALL(rc,
                 Esys_PolicyPCR(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want, &sel));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicyPCR");
}

int tpm_policy_counter(struct tpm *tpm, ESYS_TR session, uint32_t index, uint64_t operand, TPM2_EO operation,
                       struct err *err)
{
        TPM2B_OPERAND be = {.size = COUNTER_BYTES};
        ESYS_TR nv;
        TSS2_RC rc;
        int r = tpm_nv_open(tpm, index, &nv, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < COUNTER_BYTES; i++)
                be.buffer[i] = (BYTE)(operand >> (56 - 8 * i));
        TPM_CALL(rc, Esys_PolicyNV(tpm->esys, nv, nv, session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &be, 0, operation));
        (void)Esys_TR_Close(tpm->esys, &nv);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicyNV of 0x%08x", index);
}

static int load_key(struct tpm *tpm, const struct pubkey *key, struct tpm_handle *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf area = {0};
        TPM2B_PUBLIC public = {0};
        size_t at = 0;
        TSS2_RC rc;
        int r = tpm_key_public(key, &area, err);

        if (r < 0)
                return r;
        *ret = (struct tpm_handle)TPM_HANDLE_NONE(tpm);
        rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(area.p, area.len, &at, &public);
        if (rc == TSS2_RC_SUCCESS)
                TPM_CALL(rc, Esys_LoadExternal(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                               &public, ESYS_TR_RH_ENDORSEMENT, &ret->handle));
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        ret->handle = ESYS_TR_NONE;
        return tpm_err(err, rc, "TPM2_LoadExternal");
}

static int read_signature(struct view in, TPMT_SIGNATURE *ret, struct err *err)
{
        size_t at = 0;

        memset(ret, 0, sizeof(*ret));
        if (!in.len || Tss2_MU_TPMT_SIGNATURE_Unmarshal(in.p, in.len, &at, ret) || at != in.len)
                return err_set(err, ERR_TPM, TPM2_RC_SIGNATURE, "a malformed signature");
        return 0;
}

int tpm_policy_signed(struct tpm *tpm, ESYS_TR session, const struct pubkey *key, struct view nonce,
                      uint32_t lease_s, struct view policy_ref, struct view signature, struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle loaded = TPM_HANDLE_NONE(tpm);
        TPM2B_NONCE nonce_tpm = {.size = (UINT16)nonce.len}, ref = {.size = (UINT16)policy_ref.len};
        TPMT_SIGNATURE sig;
        TSS2_RC rc;
        int r = read_signature(signature, &sig, err);

        if (r >= 0 && (nonce.len > sizeof(nonce_tpm.buffer) || lease_s > INT32_MAX))
                r = err_set(err, ERR_LIMIT, 0, "a lease of %u s", lease_s);
        if (r >= 0 && policy_ref.len > sizeof(ref.buffer))
                r = err_set(err, ERR_FORMAT, 0, "a policyRef of %zu bytes", policy_ref.len);
        if (r >= 0)
                r = load_key(tpm, key, &loaded, err);
        if (r < 0)
                return r;
        if (nonce.len)
                memcpy(nonce_tpm.buffer, nonce.p, nonce.len);
        if (policy_ref.len)
                memcpy(ref.buffer, policy_ref.p, policy_ref.len);
        TPM_CALL(rc,
                 Esys_PolicySigned(tpm->esys, loaded.handle, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, &nonce_tpm, NULL, &ref, (INT32)lease_s, &sig, NULL, NULL));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicySigned");
}

/* The TPM's word that KEY signed SHA-256(APPROVED ‖ POLICY_REF). */
static int verify(struct tpm *tpm, ESYS_TR key, const struct digest *approved, struct view policy_ref,
                  struct view signature, TPMT_TK_VERIFIED **ret, struct err *err)
{
        const struct view parts[] = {digest_view(approved), policy_ref};
        TPM2B_DIGEST digest = {0};
        TPMT_SIGNATURE sig;
        struct digest d;
        TSS2_RC rc;
        int r = read_signature(signature, &sig, err);

        if (r >= 0)
                r = digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), &d, err);
        if (r < 0)
                return r;
        digest.size = d.len;
        memcpy(digest.buffer, d.b, d.len);
        TPM_CALL(rc, Esys_VerifySignature(tpm->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                                          &sig, ret));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_VerifySignature of an approval");
}

int tpm_policy_authorize(struct tpm *tpm, ESYS_TR session, const struct pubkey *key, struct view policy_ref,
                         struct view signature, struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle loaded = TPM_HANDLE_NONE(tpm);
        AUTO(tpm_esys_free_p)
        TPMT_TK_VERIFIED *ticket = NULL;
        TPM2B_NONCE ref = {.size = (UINT16)policy_ref.len};
        TPM2B_DIGEST approved = {0};
        TPM2B_NAME name = {.size = TPM_KEY_NAME_BYTES};
        struct digest now;
        TSS2_RC rc;
        int r = tpm_policy_digest(tpm, session, &now, err);

        if (r >= 0 && (policy_ref.len == 0 || policy_ref.len > sizeof(now.b)))
                r = err_set(err, ERR_FORMAT, 0, "a policyRef of %zu bytes", policy_ref.len);
        if (r >= 0)
                r = tpm_key_name(key, name.name, err);
        if (r >= 0)
                r = load_key(tpm, key, &loaded, err);
        if (r >= 0)
                r = verify(tpm, loaded.handle, &now, policy_ref, signature, &ticket, err);
        if (r < 0)
                return r;
        memcpy(ref.buffer, policy_ref.p, policy_ref.len);
        approved.size = now.len;
        memcpy(approved.buffer, now.b, now.len);
        TPM_CALL(rc, Esys_PolicyAuthorize(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                          &approved, &ref, &name, ticket));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicyAuthorize");
}
