/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endorsement keys by TCG template. The TPM derives the key from its endorsement seed and the template, so
 * the three public areas below are the identity: a changed bit is another key, which no certificate covers.
 *
 * L-1 and L-2 are used with PolicySecret(endorsement) (policy A of the profile). H-3 has policy B, an OR of
 * policy A and policy C (PolicyAuthorizeNV, for owners who replace the policy); we satisfy A and present
 * both. Spec: TCG EK Credential Profile for TPM 2.0, 2.5: B.3, B.4, B.6 (templates and policies), 2.2.1 (NV
 * indices).
 */
#include "tpm/ek.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "tpm/private.h"

#define EK_LOW                                                                                               \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |                  \
         TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define EK_HIGH (EK_LOW | TPMA_OBJECT_USERWITHAUTH)

static const uint8_t policy_a_sha256[32] = {
        0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
        0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};
static const uint8_t policy_a_sha384[48] = {
        0x8b, 0xbf, 0x22, 0x66, 0x53, 0x7c, 0x17, 0x1c, 0xb5, 0x6e, 0x40, 0x3c, 0x4d, 0xc1, 0xd4, 0xb6,
        0x4f, 0x43, 0x26, 0x11, 0xdc, 0x38, 0x6e, 0x6f, 0x53, 0x20, 0x50, 0xc3, 0x27, 0x8c, 0x93, 0x0e,
        0x14, 0x3e, 0x8b, 0xb1, 0x13, 0x38, 0x24, 0xcc, 0xb4, 0x31, 0x05, 0x38, 0x71, 0xc6, 0xdb, 0x53,
};
static const uint8_t policy_c_sha384[48] = {
        0xd6, 0x03, 0x2c, 0xe6, 0x1f, 0x2f, 0xb3, 0xc2, 0x40, 0xeb, 0x3c, 0xf6, 0xa3, 0x32, 0x37, 0xef,
        0x2b, 0x6a, 0x16, 0xf4, 0x29, 0x3c, 0x22, 0xb4, 0x55, 0xe2, 0x61, 0xcf, 0xfd, 0x21, 0x7a, 0xd5,
        0xb4, 0x94, 0x7c, 0x2d, 0x73, 0xe6, 0x30, 0x05, 0xee, 0xd2, 0xdc, 0x2b, 0x35, 0x93, 0xd1, 0x65,
};
static const uint8_t policy_b_sha384[48] = {
        0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a,
        0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca,
        0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
};

static const struct template
{
        const char *name;
        TPMI_ALG_PUBLIC type;
        TPMI_ALG_HASH name_alg;
        TPMA_OBJECT attributes;
        const uint8_t *policy;
        uint16_t policy_len;
        uint16_t aes_bits, key_bits;
        TPMI_ECC_CURVE curve;
        uint16_t unique_len; /* zero bytes in `unique` (in each coordinate) */
}
templates[] = {
        [TPM_EK_RSA2048] = {"rsa2048", TPM2_ALG_RSA, TPM2_ALG_SHA256, EK_LOW, policy_a_sha256, 32, 128, 2048,
                            0, 256},
        [TPM_EK_P256] = {"p256", TPM2_ALG_ECC, TPM2_ALG_SHA256, EK_LOW, policy_a_sha256, 32, 128, 0,
                         TPM2_ECC_NIST_P256, 32},
        [TPM_EK_P384] = {"p384", TPM2_ALG_ECC, TPM2_ALG_SHA384, EK_HIGH, policy_b_sha384, 48, 256, 0,
                         TPM2_ECC_NIST_P384, 0},
};

bool tpm_ek_type_by_name(const char *name, enum tpm_ek_type *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(templates); i++)
                if (str_equal(templates[i].name, name)) {
                        *ret = (enum tpm_ek_type)i;
                        return true;
                }
        return false;
}

const char *tpm_ek_type_name(enum tpm_ek_type type)
{
        return templates[type].name;
}

static void public_of(const struct template *t, TPM2B_PUBLIC *ret)
{
        TPMT_PUBLIC *p = &ret->publicArea;
        TPMT_SYM_DEF_OBJECT aes = {
                .algorithm = TPM2_ALG_AES, .keyBits.aes = t->aes_bits, .mode.aes = TPM2_ALG_CFB};

        *ret = (TPM2B_PUBLIC){0};
        p->type = t->type;
        p->nameAlg = t->name_alg;
        p->objectAttributes = t->attributes;
        p->authPolicy.size = t->policy_len;
        memcpy(p->authPolicy.buffer, t->policy, t->policy_len);
        if (t->type == TPM2_ALG_RSA) {
                p->parameters.rsaDetail.symmetric = aes;
                p->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
                p->parameters.rsaDetail.keyBits = t->key_bits;
                p->unique.rsa.size = t->unique_len;
        } else {
                p->parameters.eccDetail.symmetric = aes;
                p->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
                p->parameters.eccDetail.curveID = t->curve;
                p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
                p->unique.ecc.x.size = p->unique.ecc.y.size = t->unique_len;
        }
}

static int take_name(struct tpm_ek *ek, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_NAME *name = NULL;
        TSS2_RC rc = Esys_TR_GetName(ek->tpm->esys, ek->handle, &name);

        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "name of the EK");
        buf_put(&ek->name, name->name, name->size);
        return buf_ok(&ek->name) ? 0 : err_nomem(err);
}

int tpm_ek_load(struct tpm *tpm, enum tpm_ek_type type, struct tpm_ek **ret, struct err *err)
{
        static const TPM2B_SENSITIVE_CREATE no_secret = {0};
        static const TPML_PCR_SELECTION no_pcrs = {0};
        static const TPM2B_DATA no_info = {0};
        AUTO(tpm_esys_free_p)
        TPM2B_PUBLIC *public = NULL;
        AUTO(tpm_ek_free_p)
        struct tpm_ek *ek = mem_zalloc(1, sizeof(*ek));
        TPM2B_PUBLIC wanted;
        TSS2_RC rc;
        int r;

        if (!ek)
                return err_nomem(err);
        *ek = (struct tpm_ek){.tpm = tpm, .type = type, .handle = ESYS_TR_NONE};
        public_of(&templates[type], &wanted);
        TPM_CALL(rc, Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &no_secret, &wanted, &no_info, &no_pcrs, &ek->handle,
                                        &public, NULL, NULL, NULL));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_CreatePrimary of the %s endorsement key", templates[type].name);
        r = tpm_put_public(&ek->public_area, public, err);
        if (r >= 0)
                r = take_name(ek, err);
        if (r < 0)
                return r;
        *ret = TAKE(ek);
        return 0;
}

void tpm_ek_free(struct tpm_ek *ek)
{
        if (!ek)
                return;
        tpm_flush(ek->tpm, &ek->handle);
        buf_free(&ek->public_area);
        buf_free(&ek->name);
        free(ek);
}

enum tpm_ek_type tpm_ek_type(const struct tpm_ek *ek)
{
        return ek->type;
}

struct view tpm_ek_public(const struct tpm_ek *ek)
{
        return VIEW_BUF(&ek->public_area);
}

struct view tpm_ek_name(const struct tpm_ek *ek)
{
        return VIEW_BUF(&ek->name);
}

static int policy_b(struct tpm *tpm, ESYS_TR session, struct err *err)
{
        TPML_DIGEST branches = {.count = 2};
        TSS2_RC rc;

        branches.digests[0].size = sizeof(policy_a_sha384);
        memcpy(branches.digests[0].buffer, policy_a_sha384, sizeof(policy_a_sha384));
        branches.digests[1].size = sizeof(policy_c_sha384);
        memcpy(branches.digests[1].buffer, policy_c_sha384, sizeof(policy_c_sha384));
        TPM_CALL(rc, Esys_PolicyOR(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &branches));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicyOR for the EK");
}

int tpm_ek_policy(struct tpm_ek *ek, struct tpm_handle *ret, struct err *err)
{
        static const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(ek->tpm);
        const struct template *t = &templates[ek->type];
        ESYS_CONTEXT *esys = ek->tpm->esys;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_StartAuthSession(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &no_cipher, t->name_alg,
                                           &session.handle));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_StartAuthSession for the EK's policy");
        TPM_CALL(rc, Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, session.handle, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_PolicySecret(endorsement)");
        if (t->policy == policy_b_sha384 && policy_b(ek->tpm, session.handle, err) < 0)
                return -ERR_TPM;
        *ret = session;
        session.handle = ESYS_TR_NONE;
        return 0;
}

int tpm_salted_session(struct tpm_ek *ek, TPMA_SESSION attributes, struct tpm_handle *ret, struct err *err)
{
        static const TPMT_SYM_DEF aes = {
                .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(ek->tpm);
        ESYS_CONTEXT *esys = ek->tpm->esys;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_StartAuthSession(esys, ek->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256,
                                           &session.handle));
        if (rc == TSS2_RC_SUCCESS)
                rc = Esys_TRSess_SetAttributes(esys, session.handle, attributes, 0xff);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_StartAuthSession salted to the EK");
        *ret = session;
        session.handle = ESYS_TR_NONE;
        return 0;
}
