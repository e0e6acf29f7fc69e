/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation key.
 *
 * Attributes as SR-10 wants them, and noDA (SR-11): three wrong passwords from any user of the TPM must not
 * stop a host from proving itself. The auth value keeps other users of the TPM from signing with the AK; it
 * goes into the TPM once, encrypted, when the key is made, and after that only as the key of HMACs, in
 * sessions that are salted to the EK and live as long as the loaded key. When TPM or resource manager lose
 * key or session, tpm_err_is_stale() says so and the caller loads again.
 *
 * Spec: TPM 2.0 Part 1, 19.6 (sessions), Part 3: TPM2_Create, _Load, _ActivateCredential.
 */
#include "tpm/ak.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "base/str.h"
#include "crypto/random.h"
#include "tpm/ak_private.h"

#define AUTH_BYTES 32

#define AK_ATTRIBUTES                                                                                        \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |                  \
         TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT)

static const char *const type_names[] = {[TPM_AK_P256] = "p256", [TPM_AK_RSA2048] = "rsa2048"};

bool tpm_ak_type_by_name(const char *name, enum tpm_ak_type *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
                if (str_equal(type_names[i], name)) {
                        *ret = (enum tpm_ak_type)i;
                        return true;
                }
        return false;
}

const char *tpm_ak_type_name(enum tpm_ak_type type)
{
        return type_names[type];
}

static void public_of(enum tpm_ak_type type, TPM2B_PUBLIC *ret)
{
        TPMT_PUBLIC *p = &ret->publicArea;

        *ret = (TPM2B_PUBLIC){0};
        p->nameAlg = TPM2_ALG_SHA256;
        p->objectAttributes = AK_ATTRIBUTES;
        if (type == TPM_AK_RSA2048) {
                p->type = TPM2_ALG_RSA;
                p->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
                p->parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
                p->parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
                p->parameters.rsaDetail.keyBits = 2048;
        } else {
                p->type = TPM2_ALG_ECC;
                p->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
                p->parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
                p->parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
                p->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
                p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
        }
}

void tpm_ak_blob_done(struct tpm_ak_blob *blob)
{
        buf_free(&blob->public_area);
        buf_free(&blob->private_area);
        buf_free(&blob->ek_name);
        secret_free(&blob->auth);
}

static int fill_blob(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct view ek_name,
                     struct tpm_ak_blob *blob, struct err *err)
{
        int r = tpm_put_public(&blob->public_area, public, err);

        if (r >= 0)
                r = tpm_put_private(&blob->private_area, private, err);
        buf_put_view(&blob->ek_name, ek_name);
        if (r >= 0 && !buf_ok(&blob->ek_name))
                r = err_nomem(err);
        return r;
}

static int create(struct tpm *tpm, struct tpm_ek *ek, struct tpm_ak_blob *blob, struct err *err)
{
        static const TPML_PCR_SELECTION no_pcrs = {0};
        static const TPM2B_DATA no_info = {0};
        AUTO(tpm_handle_done)
        struct tpm_handle policy = TPM_HANDLE_NONE(tpm);
        AUTO(tpm_handle_done)
        struct tpm_handle cipher = TPM_HANDLE_NONE(tpm);
        AUTO(tpm_esys_free_p)
        TPM2B_PRIVATE *private = NULL;
        AUTO(tpm_esys_free_p)
        TPM2B_PUBLIC *public = NULL;
        TPM2B_SENSITIVE_CREATE sensitive = {.sensitive.userAuth.size = AUTH_BYTES};
        TPM2B_PUBLIC wanted;
        TSS2_RC rc;
        int r;

        r = tpm_ek_policy(ek, &policy, err);
        if (r >= 0)
                r = tpm_salted_session(ek, TPMA_SESSION_DECRYPT, &cipher, err);
        if (r < 0)
                return r;
        public_of(blob->type, &wanted);
        memcpy(sensitive.sensitive.userAuth.buffer, blob->auth.p, AUTH_BYTES);
        TPM_CALL(rc,
                 Esys_Create(tpm->esys, ek->handle, policy.handle, cipher.handle, ESYS_TR_NONE, &sensitive,
                             &wanted, &no_info, &no_pcrs, &private, &public, NULL, NULL, NULL));
        mem_wipe(&sensitive, sizeof(sensitive));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Create of the %s attestation key", type_names[blob->type]);
        return fill_blob(public, private, tpm_ek_name(ek), blob, err);
}

int tpm_ak_create(struct tpm *tpm, struct tpm_ek *ek, enum tpm_ak_type type, struct tpm_ak_blob *ret,
                  struct err *err)
{
        struct tpm_ak_blob blob = {.type = type};
        int r = 0;

        if (secret_alloc(&blob.auth, AUTH_BYTES) < 0)
                return err_nomem(err);
        r = random_bytes(blob.auth.p, blob.auth.len, err);
        if (r >= 0)
                r = create(tpm, ek, &blob, err);
        if (r < 0) {
                tpm_ak_blob_done(&blob);
                return r;
        }
        *ret = blob;
        return 0;
}

static int unmarshal(const struct tpm_ak_blob *blob, TPM2B_PUBLIC *public, TPM2B_PRIVATE *private,
                     struct err *err)
{
        size_t a = 0, b = 0;

        if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob->public_area.p, blob->public_area.len, &a, public) ||
            a != blob->public_area.len ||
            Tss2_MU_TPM2B_PRIVATE_Unmarshal(blob->private_area.p, blob->private_area.len, &b, private) ||
            b != blob->private_area.len || blob->auth.len == 0 || blob->auth.len > AUTH_BYTES)
                return err_set(err, ERR_FORMAT, 0, "stored attestation key: malformed");
        return 0;
}

/* Load, auth value, name. */
static int load(struct tpm_ak *ak, struct tpm_ek *ek, const struct tpm_ak_blob *blob, struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle policy = TPM_HANDLE_NONE(ak->tpm);
        AUTO(tpm_esys_free_p)
        TPM2B_NAME *name = NULL;
        TPM2B_AUTH auth = {.size = (UINT16)blob->auth.len};
        TPM2B_PRIVATE private = {0};
        TPM2B_PUBLIC public = {0};
        TSS2_RC rc;
        int r;

        r = unmarshal(blob, &public, &private, err);
        if (r >= 0)
                r = tpm_ek_policy(ek, &policy, err);
        if (r < 0)
                return r;
        TPM_CALL(rc, Esys_Load(ak->tpm->esys, ek->handle, policy.handle, ESYS_TR_NONE, ESYS_TR_NONE, &private,
                               &public, &ak->key.handle));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Load of the attestation key");
        memcpy(auth.buffer, blob->auth.p, blob->auth.len);
        rc = Esys_TR_SetAuth(ak->tpm->esys, ak->key.handle, &auth);
        mem_wipe(&auth, sizeof(auth));
        if (rc == TSS2_RC_SUCCESS)
                rc = Esys_TR_GetName(ak->tpm->esys, ak->key.handle, &name);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "attestation key");
        buf_put_view(&ak->public_area, VIEW_BUF(&blob->public_area));
        buf_put(&ak->name, name->name, name->size);
        return buf_ok(&ak->public_area) && buf_ok(&ak->name) ? 0 : err_nomem(err);
}

int tpm_ak_load(struct tpm *tpm, struct tpm_ek *ek, const struct tpm_ak_blob *blob, struct tpm_ak **ret,
                struct err *err)
{
        AUTO(tpm_ak_free_p)
        struct tpm_ak *ak = mem_zalloc(1, sizeof(*ak));
        int r;

        if (!ak)
                return err_nomem(err);
        ak->tpm = tpm;
        ak->key = (struct tpm_handle)TPM_HANDLE_NONE(tpm);
        ak->session = ak->second = (struct tpm_handle)TPM_HANDLE_NONE(tpm);
        r = load(ak, ek, blob, err);
        if (r >= 0)
                r = tpm_salted_session(ek, TPMA_SESSION_CONTINUESESSION, &ak->session, err);
        if (r >= 0)
                r = tpm_salted_session(ek, TPMA_SESSION_CONTINUESESSION, &ak->second, err);
        if (r < 0)
                return r;
        *ret = TAKE(ak);
        return 0;
}

void tpm_ak_free(struct tpm_ak *ak)
{
        if (!ak)
                return;
        tpm_handle_done(&ak->second);
        tpm_handle_done(&ak->session);
        tpm_handle_done(&ak->key);
        buf_free(&ak->public_area);
        buf_free(&ak->name);
        free(ak);
}

struct view tpm_ak_public(const struct tpm_ak *ak)
{
        return VIEW_BUF(&ak->public_area);
}

struct view tpm_ak_name(const struct tpm_ak *ak)
{
        return VIEW_BUF(&ak->name);
}

static int activate(struct tpm_ak *ak, struct tpm_ek *ek, const TPM2B_ID_OBJECT *blob,
                    const TPM2B_ENCRYPTED_SECRET *seed, struct secret *ret, struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle policy = TPM_HANDLE_NONE(ak->tpm);
        ESYS_CONTEXT *esys = ak->tpm->esys;
        TPM2B_DIGEST *info = NULL;
        TSS2_RC rc;
        int r = tpm_ek_policy(ek, &policy, err);

        if (r < 0)
                return r;
        /* The answer is a secret: encrypted on its way (SR-11). */
        (void)Esys_TRSess_SetAttributes(esys, ak->session.handle, TPMA_SESSION_ENCRYPT, TPMA_SESSION_ENCRYPT);
        TPM_CALL(rc, Esys_ActivateCredential(esys, ak->key.handle, ek->handle, ak->session.handle,
                                             policy.handle, ESYS_TR_NONE, blob, seed, &info));
        (void)Esys_TRSess_SetAttributes(esys, ak->session.handle, 0, TPMA_SESSION_ENCRYPT);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_ActivateCredential");
        if (info->size == 0)
                r = err_set(err, ERR_TPM, 0, "TPM2_ActivateCredential: an empty credential");
        else if (secret_alloc(ret, info->size) < 0)
                r = err_nomem(err);
        else
                memcpy(ret->p, info->buffer, info->size);
        mem_wipe(info, sizeof(*info));
        Esys_Free(info);
        return r;
}

int tpm_ak_activate(struct tpm_ak *ak, struct tpm_ek *ek, struct view id_object, struct view secret,
                    struct secret *ret, struct err *err)
{
        TPM2B_ID_OBJECT blob = {0};
        TPM2B_ENCRYPTED_SECRET seed = {0};

        if (id_object.len == 0 || id_object.len > sizeof(blob.credential) || secret.len == 0 ||
            secret.len > sizeof(seed.secret))
                return err_set(err, ERR_FORMAT, 0, "credential of %zu and %zu bytes: no TPM can open that",
                               id_object.len, secret.len);
        blob.size = (UINT16)id_object.len;
        memcpy(blob.credential, id_object.p, id_object.len);
        seed.size = (UINT16)secret.len;
        memcpy(seed.secret, secret.p, secret.len);
        return activate(ak, ek, &blob, &seed, ret, err);
}
