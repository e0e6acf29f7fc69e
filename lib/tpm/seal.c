/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making sealed objects. The policy is the only key (userWithAuth clear, SR-6), wrong tries lock nobody out
 * (noDA, SR-11), and the secret goes to the TPM encrypted in a session that is salted to the EK, so that who
 * listens on the bus does not read it.
 *
 * Spec: SR-1, SR-6, SR-10; TPM 2.0 Library Part 3 rev 1.59 §12.1 (Create), §13.3 (Import).
 */
#include "tpm/seal.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "tpm/parent.h"
#include "tpm/policy.h"

#define SEALED_ATTRIBUTES                                                                                    \
        (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_NODA)

void tpm_sealed_done(struct tpm_sealed *sealed)
{
        buf_free(&sealed->public_area);
        buf_free(&sealed->private_area);
}

static void public_of(const struct digest *policy, TPM2B_PUBLIC *ret)
{
        TPMT_PUBLIC *p = &ret->publicArea;

        *ret = (TPM2B_PUBLIC){0};
        p->type = TPM2_ALG_KEYEDHASH;
        p->nameAlg = TPM2_ALG_SHA256;
        p->objectAttributes = SEALED_ATTRIBUTES;
        p->authPolicy.size = policy->len;
        memcpy(p->authPolicy.buffer, policy->b, policy->len);
        p->parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
}

static int give(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct tpm_sealed *ret,
                struct err *err)
{
        struct tpm_sealed s = {0};
        int r = tpm_put_public(&s.public_area, public, err);

        if (r >= 0)
                r = tpm_put_private(&s.private_area, private, err);
        if (r < 0)
                tpm_sealed_done(&s);
        else
                *ret = s;
        return r;
}

static int create(struct tpm_ek *ek, const struct tpm_parent *parent, struct view secret,
                  const struct digest *policy, struct tpm_sealed *ret, struct err *err)
{
        static const TPML_PCR_SELECTION no_pcrs = {0};
        static const TPM2B_DATA no_info = {0};
        AUTO(tpm_handle_done)
        struct tpm_handle cipher = TPM_HANDLE_NONE(ek->tpm);
        AUTO(tpm_esys_free_p)
        TPM2B_PRIVATE *private = NULL;
        AUTO(tpm_esys_free_p)
        TPM2B_PUBLIC *public = NULL;
        TPM2B_SENSITIVE_CREATE sensitive = {0};
        TPM2B_PUBLIC wanted;
        TSS2_RC rc;
        int r = tpm_salted_session(ek, TPMA_SESSION_DECRYPT, &cipher, err);

        if (r < 0)
                return r;
        public_of(policy, &wanted);
        sensitive.sensitive.data.size = (UINT16)secret.len;
        memcpy(sensitive.sensitive.data.buffer, secret.p, secret.len);
        TPM_CALL(rc,
                 Esys_Create(ek->tpm->esys, parent->handle, parent->auth, cipher.handle, ESYS_TR_NONE,
                             &sensitive, &wanted, &no_info, &no_pcrs, &private, &public, NULL, NULL, NULL));
        mem_wipe(&sensitive, sizeof(sensitive));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Create of a sealed object");
        return give(public, private, ret, err);
}

static int check(struct view secret, const struct digest *policy, struct err *err)
{
        if (secret.len == 0 || secret.len > TPM_SEAL_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a secret of %zu bytes (1 to %d are sealed directly)",
                               secret.len, TPM_SEAL_BYTES_MAX);
        if (policy->alg != DIGEST_SHA256)
                return err_set(err, ERR_BUG, 0, "a policy that is not SHA-256");
        return 0;
}

int tpm_seal(struct tpm *tpm, struct tpm_ek *ek, struct view secret, const struct digest *policy,
             struct tpm_sealed *ret, struct err *err)
{
        AUTO(tpm_parent_done)
        struct tpm_parent parent = {.owned = TPM_HANDLE_NONE(tpm), .session = TPM_HANDLE_NONE(tpm)};
        int r = check(secret, policy, err);

        if (r >= 0)
                r = tpm_parent_ek(ek, &parent, err);
        return r < 0 ? r : create(ek, &parent, secret, policy, ret, err);
}

/* A real session takes the PCRs as they are now; a trial one takes whatever it is told. */
static int policy_of_now(struct tpm *tpm, enum digest_alg bank, uint32_t mask, struct digest *ret,
                         struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(tpm);
        int r = tpm_policy_start(tpm, &session, err);

        if (r >= 0)
                r = tpm_policy_pcr(tpm, session.handle, bank, mask, VIEW_NONE, err);
        return r < 0 ? r : tpm_policy_digest(tpm, session.handle, ret, err);
}

int tpm_seal_pcr(struct tpm *tpm, struct tpm_ek *ek, uint32_t parent_handle, struct view secret,
                 enum digest_alg bank, uint32_t mask, struct tpm_sealed *ret, struct err *err)
{
        AUTO(tpm_parent_done)
        struct tpm_parent parent = {.owned = TPM_HANDLE_NONE(tpm), .session = TPM_HANDLE_NONE(tpm)};
        struct digest policy;
        int r = policy_of_now(tpm, bank, mask, &policy, err);

        if (r >= 0)
                r = check(secret, &policy, err);
        if (r >= 0)
                r = tpm_parent_open(tpm, parent_handle, &parent, err);
        return r < 0 ? r : create(ek, &parent, secret, &policy, ret, err);
}

static int import(struct tpm_ek *ek, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *duplicate,
                  const TPM2B_ENCRYPTED_SECRET *seed, struct buf *ret, struct err *err)
{
        static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM2_ALG_NULL};
        AUTO(tpm_handle_done)
        struct tpm_handle policy = TPM_HANDLE_NONE(ek->tpm);
        AUTO(tpm_esys_free_p)
        TPM2B_PRIVATE *private = NULL;
        TSS2_RC rc;
        int r = tpm_ek_policy(ek, &policy, err);

        if (r < 0)
                return r;
        TPM_CALL(rc, Esys_Import(ek->tpm->esys, ek->handle, policy.handle, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                 public, duplicate, seed, &no_inner, &private));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_Import (an object made for another TPM's EK gives this)");
        return tpm_put_private(ret, private, err);
}

int tpm_seal_import(struct tpm *tpm, struct tpm_ek *ek, struct view public_area, struct view duplicate,
                    struct view seed, struct buf *ret_private, struct err *err)
{
        TPM2B_PUBLIC public = {0};
        TPM2B_PRIVATE private = {0};
        TPM2B_ENCRYPTED_SECRET secret = {0};
        size_t a = 0, b = 0, c = 0;

        (void)tpm;
        if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(public_area.p, public_area.len, &a, &public) ||
            a != public_area.len ||
            Tss2_MU_TPM2B_PRIVATE_Unmarshal(duplicate.p, duplicate.len, &b, &private) || b != duplicate.len ||
            Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(seed.p, seed.len, &c, &secret) || c != seed.len)
                return err_set(err, ERR_FORMAT, 0, "object to import: malformed");
        return import(ek, &public, &private, &secret, ret_private, err);
}
