/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents. Our own objects are the EK's children: an object of the same form can then be made without the TPM
 * and imported (SR-10), and it dies with the identity. Adopted files keep theirs: a persistent key, or the
 * owner's storage primary, which key files call 0x40000001 and mean a P-256 key of one fixed template by.
 *
 * Spec: TCG EK Credential Profile 2.5 §B.6; draft-bottomley-tpm2-keys §3.1.8 (parent).
 */
#include "tpm/parent.h"

#define PERSISTENT_FIRST 0x81000000u
#define PERSISTENT_LAST  0x81ffffffu
#define OWNER            0x40000001u

#define SRK_ATTRIBUTES                                                                                       \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |                  \
         TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

static void nothing(struct tpm *tpm, struct tpm_parent *p)
{
        *p = (struct tpm_parent){.handle = ESYS_TR_NONE,
                                 .auth = ESYS_TR_PASSWORD,
                                 .owned = TPM_HANDLE_NONE(tpm),
                                 .session = TPM_HANDLE_NONE(tpm)};
}

int tpm_parent_ek(struct tpm_ek *ek, struct tpm_parent *ret, struct err *err)
{
        int r;

        nothing(ek->tpm, ret);
        r = tpm_ek_policy(ek, &ret->session, err);
        ret->handle = ek->handle;
        ret->auth = ret->session.handle;
        return r;
}

static int owner_primary(struct tpm *tpm, ESYS_TR *ret, struct err *err)
{
        static const TPM2B_SENSITIVE_CREATE no_secret = {0};
        static const TPML_PCR_SELECTION no_pcrs = {0};
        static const TPM2B_DATA no_info = {0};
        static const TPM2B_PUBLIC wanted = {
                .publicArea = {.type = TPM2_ALG_ECC,
                               .nameAlg = TPM2_ALG_SHA256,
                               .objectAttributes = SRK_ATTRIBUTES,
                               .parameters.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                                      .keyBits.aes = 128,
                                                                      .mode.aes = TPM2_ALG_CFB},
                                                        .scheme.scheme = TPM2_ALG_NULL,
                                                        .curveID = TPM2_ECC_NIST_P256,
                                                        .kdf.scheme = TPM2_ALG_NULL}}};
        TSS2_RC rc;

        TPM_CALL(rc,
                 Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                    &no_secret, &wanted, &no_info, &no_pcrs, ret, NULL, NULL, NULL, NULL));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_CreatePrimary of the owner's storage key");
}

int tpm_parent_open(struct tpm *tpm, uint32_t handle, struct tpm_parent *ret, struct err *err)
{
        TSS2_RC rc;
        int r = 0;

        nothing(tpm, ret);
        if (handle >= PERSISTENT_FIRST && handle <= PERSISTENT_LAST) {
                ret->persistent = true;
                TPM_CALL(rc, Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                                   ESYS_TR_NONE, &ret->owned.handle));
                if (rc != TSS2_RC_SUCCESS)
                        r = tpm_err(err, rc, "persistent key 0x%08x", handle);
        } else if (handle == OWNER) {
                r = owner_primary(tpm, &ret->owned.handle, err);
        } else {
                r = err_set(err, ERR_FORMAT, 0,
                            "parent 0x%08x: neither a persistent key nor the owner's storage key", handle);
        }
        if (r < 0)
                ret->owned.handle = ESYS_TR_NONE;
        ret->handle = ret->owned.handle;
        return r;
}

void tpm_parent_done(struct tpm_parent *parent)
{
        tpm_handle_done(&parent->session);
        if (parent->persistent && parent->owned.handle != ESYS_TR_NONE)
                (void)Esys_TR_Close(parent->owned.tpm->esys, &parent->owned.handle);
        else
                tpm_handle_done(&parent->owned);
        parent->owned.handle = ESYS_TR_NONE;
}
