/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that end things: the epoch (a wipe) and the floor (an approval).
 *
 * A TPM never lets a counter go back: one that is defined anew starts above every value that any counter of
 * the TPM had, when it is incremented the first time. Nor does it forget one at a power cut, as long as it is
 * not ORDERLY. WRITTEN is an attribute, so it is part of the name; an index is incremented once before its
 * name is recorded.
 *
 * Reading needs nothing (AUTHREAD, empty auth), because policy sessions read it without a secret.
 * Incrementing needs the agent's counter key, which signs the session's nonce, or the owner: a lost state
 * directory must not stop a wipe. The counter key is a key in software; who steals it can end this host's
 * secrets, no more.
 *
 * Spec: SR-11; TPM 2.0 Library Part 1 rev 1.59 §37.2.4, Part 3 §31 (NV), §23.3, §23.4, §23.6.
 */
#include "tpm/nv_counter.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/authpolicy.h"
#include "crypto/tpm_key.h"
#include "tpm/ak_private.h"
#include "tpm/policy.h"

#define COUNTER_BYTES 8
/* The stack's own constants shift into the sign bit or are not typed; these are TPMA_NV, Part 2 §13.4. */
#define NV_KIND                                                                                              \
        ((UINT32)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD |         \
         TPMA_NV_OWNERREAD | TPMA_NV_NO_DA)

int tpm_nv_open(struct tpm *tpm, uint32_t index, ESYS_TR *ret, struct err *err)
{
        TSS2_RC rc;

        *ret = ESYS_TR_NONE;
        TPM_CALL(rc, Esys_TR_FromTPMPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_NV_ReadPublic of 0x%08x", index);
}

bool tpm_nv_is_missing(const struct err *err)
{
        return err->kind == ERR_TPM && ((TSS2_RC)err->code & ~TPM2_RC_N_MASK & 0xffff) == TPM2_RC_HANDLE;
}

static uint64_t be64(const uint8_t *p)
{
        uint64_t x = 0;

        for (size_t i = 0; i < COUNTER_BYTES; i++)
                x = x << 8 | p[i];
        return x;
}

static int read_value(struct tpm *tpm, ESYS_TR nv, uint64_t *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_MAX_NV_BUFFER *data = NULL;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_NV_Read(tpm->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                  COUNTER_BYTES, 0, &data));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_NV_Read of a counter");
        if (data->size != COUNTER_BYTES)
                return err_set(err, ERR_TPM, 0, "TPM2_NV_Read gave %u bytes of a counter", data->size);
        *ret = be64(data->buffer);
        return 0;
}

/* Is the write policy the one that names AGENT? */
static int is_fit(const TPMS_NV_PUBLIC *p, const struct pubkey *agent, bool *ret, struct err *err)
{
        struct digest policy;
        int r;

        *ret = (p->attributes & ~(UINT32)TPMA_NV_WRITTEN) == NV_KIND && p->dataSize == COUNTER_BYTES &&
               p->nameAlg == TPM2_ALG_SHA256;
        if (!*ret || !agent)
                return 0;
        r = authpolicy_of_counter(agent, NULL, &policy, err);
        if (r >= 0)
                *ret = equal_ct(policy.b, policy.len, p->authPolicy.buffer, p->authPolicy.size);
        return r;
}

static int read_open(struct tpm *tpm, ESYS_TR nv, const struct pubkey *agent, struct tpm_counter *ret,
                     struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_NV_PUBLIC *public = NULL;
        AUTO(tpm_esys_free_p)
        TPM2B_NAME *name = NULL;
        TSS2_RC rc;
        int r;

        TPM_CALL(rc,
                 Esys_NV_ReadPublic(tpm->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, &name));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_NV_ReadPublic");
        ret->defined = true;
        ret->written = public->nvPublic.attributes & TPMA_NV_WRITTEN;
        if (name->size == sizeof(ret->name))
                memcpy(ret->name, name->name, sizeof(ret->name));
        r = is_fit(&public->nvPublic, agent, &ret->fit, err);
        if (r >= 0 && ret->fit && ret->written)
                r = read_value(tpm, nv, &ret->value, err);
        return r;
}

int tpm_counter_read(struct tpm *tpm, uint32_t index, const struct pubkey *agent, struct tpm_counter *ret,
                     struct err *err)
{
        struct tpm_counter c = {0};
        ESYS_TR nv;
        int r = tpm_nv_open(tpm, index, &nv, err);

        if (r < 0 && tpm_nv_is_missing(err)) {
                err_clear(err);
                *ret = c;
                return 0;
        }
        if (r >= 0) {
                r = read_open(tpm, nv, agent, &c, err);
                (void)Esys_TR_Close(tpm->esys, &nv);
        }
        if (r < 0)
                return err_wrap(err, "counter 0x%08x", index);
        *ret = c;
        return 0;
}

/* The owner's auth value goes with an HMAC session that is salted to the EK; ESYS keeps it until told anew.
 */
static int owner_session(struct tpm_ek *ek, struct view auth, struct tpm_handle *ret, struct err *err)
{
        TPM2B_AUTH value = {.size = (UINT16)auth.len};
        TSS2_RC rc;

        if (auth.len > sizeof(value.buffer))
                return err_set(err, ERR_LIMIT, 0, "an owner auth value of %zu bytes", auth.len);
        if (auth.len)
                memcpy(value.buffer, auth.p, auth.len);
        rc = Esys_TR_SetAuth(ek->tpm->esys, ESYS_TR_RH_OWNER, &value);
        mem_wipe(&value, sizeof(value));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "owner auth value");
        return tpm_salted_session(ek, 0, ret, err);
}

static void forget_owner(struct tpm_ek *ek)
{
        static const TPM2B_AUTH none = {0};

        (void)Esys_TR_SetAuth(ek->tpm->esys, ESYS_TR_RH_OWNER, &none); /* nothing to free: it cannot fail */
}

static int define(struct tpm_ek *ek, uint32_t index, const struct digest *policy, struct view owner_auth,
                  struct err *err)
{
        static const TPM2B_AUTH empty = {0};
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(ek->tpm);
        TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = index,
                                               .nameAlg = TPM2_ALG_SHA256,
                                               .attributes = NV_KIND,
                                               .dataSize = COUNTER_BYTES}};
        ESYS_TR nv = ESYS_TR_NONE;
        TSS2_RC rc;
        int r = owner_session(ek, owner_auth, &session, err);

        if (r < 0)
                return r;
        public.nvPublic.authPolicy.size = policy->len;
        memcpy(public.nvPublic.authPolicy.buffer, policy->b, policy->len);
        TPM_CALL(rc, Esys_NV_DefineSpace(ek->tpm->esys, ESYS_TR_RH_OWNER, session.handle, ESYS_TR_NONE,
                                         ESYS_TR_NONE, &empty, &public, &nv));
        forget_owner(ek);
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_NV_DefineSpace of counter 0x%08x", index);
        (void)Esys_TR_Close(ek->tpm->esys, &nv);
        return 0;
}

int tpm_counter_define(struct tpm *tpm, struct tpm_ek *ek, uint32_t index,
                       const struct tpm_counter_auth *auth, struct tpm_counter *ret, struct err *err)
{
        struct digest policy;
        uint64_t value;
        int r = authpolicy_of_counter(auth->agent_public, NULL, &policy, err);

        if (r >= 0)
                r = define(ek, index, &policy, auth->owner_auth, err);
        if (r >= 0)
                r = tpm_counter_increment(tpm, ek, index, auth, &value, err);
        return r < 0 ? r : tpm_counter_read(tpm, index, auth->agent_public, ret, err);
}

/* PolicySigned by the agent's key over this session's nonce. */
static int by_agent(struct tpm *tpm, ESYS_TR session, const struct tpm_counter_auth *auth, struct err *err)
{
        AUTO(buf_free)
        struct buf message = {0};
        AUTO(buf_free)
        struct buf signature = {0};
        uint8_t nonce[TPM_NONCE_BYTES];
        int r = tpm_policy_nonce(tpm, session, nonce, err);

        if (r < 0)
                return r;
        buf_put(&message, nonce, sizeof(nonce));
        buf_be32(&message, 0); /* expiration: none */
        r = buf_ok(&message) ? tpm_key_sign(auth->agent, VIEW_BUF(&message), &signature, err)
                             : err_nomem(err);
        if (r >= 0)
                r = tpm_policy_signed(tpm, session, auth->agent_public, VIEW_ARRAY(nonce), 0, VIEW_NONE,
                                      VIEW_BUF(&signature), err);
        return r;
}

static int by_owner(struct tpm_ek *ek, ESYS_TR session, struct view owner_auth, struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle hmac = TPM_HANDLE_NONE(ek->tpm);
        TSS2_RC rc;
        int r = owner_session(ek, owner_auth, &hmac, err);

        if (r < 0)
                return r;
        TPM_CALL(rc, Esys_PolicySecret(ek->tpm->esys, ESYS_TR_RH_OWNER, session, hmac.handle, ESYS_TR_NONE,
                                       ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL));
        forget_owner(ek);
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicySecret(owner)");
}

/* The OR of the two ways, and the command. */
static int either_way(struct tpm *tpm, ESYS_TR session, const struct pubkey *agent, struct err *err)
{
        TPML_DIGEST list = {.count = 2};
        struct digest branches[2], policy;
        TSS2_RC rc;
        int r = authpolicy_of_counter(agent, branches, &policy, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_LEN(branches); i++) {
                list.digests[i].size = branches[i].len;
                memcpy(list.digests[i].buffer, branches[i].b, branches[i].len);
        }
        TPM_CALL(rc, Esys_PolicyOR(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &list));
        if (rc == TSS2_RC_SUCCESS)
                TPM_CALL(rc, Esys_PolicyCommandCode(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                    ESYS_TR_NONE, TPM2_CC_NV_Increment));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "the counter's write policy");
}

static int increment(struct tpm *tpm, struct tpm_ek *ek, ESYS_TR nv, const struct tpm_counter_auth *auth,
                     struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(tpm);
        TSS2_RC rc;
        int r = tpm_policy_start(tpm, &session, err);

        if (r >= 0)
                r = auth->agent ? by_agent(tpm, session.handle, auth, err)
                                : by_owner(ek, session.handle, auth->owner_auth, err);
        if (r >= 0)
                r = either_way(tpm, session.handle, auth->agent_public, err);
        if (r < 0)
                return r;
        TPM_CALL(rc, Esys_NV_Increment(tpm->esys, nv, nv, session.handle, ESYS_TR_NONE, ESYS_TR_NONE));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_NV_Increment");
}

int tpm_counter_increment(struct tpm *tpm, struct tpm_ek *ek, uint32_t index,
                          const struct tpm_counter_auth *auth, uint64_t *ret_value, struct err *err)
{
        ESYS_TR nv;
        int r = tpm_nv_open(tpm, index, &nv, err);

        if (r >= 0) {
                r = increment(tpm, ek, nv, auth, err);
                if (r >= 0)
                        r = read_value(tpm, nv, ret_value, err);
                (void)Esys_TR_Close(tpm->esys, &nv);
        }
        return r < 0 ? err_wrap(err, "increment counter 0x%08x", index) : 0;
}

int tpm_counter_undefine(struct tpm *tpm, struct tpm_ek *ek, uint32_t index, struct view owner_auth,
                         struct err *err)
{
        AUTO(tpm_handle_done)
        struct tpm_handle session = TPM_HANDLE_NONE(tpm);
        ESYS_TR nv;
        TSS2_RC rc;
        int r = tpm_nv_open(tpm, index, &nv, err);

        if (r < 0)
                return r;
        r = owner_session(ek, owner_auth, &session, err);
        if (r < 0) {
                (void)Esys_TR_Close(tpm->esys, &nv);
                return r;
        }
        TPM_CALL(rc, Esys_NV_UndefineSpace(tpm->esys, ESYS_TR_RH_OWNER, nv, session.handle, ESYS_TR_NONE,
                                           ESYS_TR_NONE));
        forget_owner(ek);
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        (void)Esys_TR_Close(tpm->esys, &nv);
        return tpm_err(err, rc, "TPM2_NV_UndefineSpace of counter 0x%08x", index);
}

enum tpm_counter_change tpm_counter_compare(const struct tpm_counter *now, struct view recorded_name,
                                            uint64_t highest)
{
        if (!now->defined || !now->written)
                return TPM_COUNTER_GONE;
        if (!now->fit || !equal_ct(now->name, sizeof(now->name), recorded_name.p, recorded_name.len))
                return TPM_COUNTER_FOREIGN;
        return now->value < highest ? TPM_COUNTER_BELOW : TPM_COUNTER_SAME;
}

static int certify(struct tpm_ak *ak, ESYS_TR nv, const TPM2B_DATA *data, struct tpm_signed *ret,
                   struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_ATTEST *message = NULL;
        AUTO(tpm_esys_free_p)
        TPMT_SIGNATURE *signature = NULL;
        static const TPMT_SIG_SCHEME key_scheme = {.scheme = TPM2_ALG_NULL};
        TSS2_RC rc;

        TPM_CALL(rc,
                 Esys_NV_Certify(ak->tpm->esys, ak->key.handle, nv, nv, ak->session.handle, ESYS_TR_PASSWORD,
                                 ESYS_TR_NONE, data, &key_scheme, COUNTER_BYTES, 0, &message, &signature));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_NV_Certify");
        return tpm_ak_give(message, signature, ret, err);
}

int tpm_ak_certify_counter(struct tpm_ak *ak, uint32_t index, struct view qualifying, struct tpm_signed *ret,
                           struct err *err)
{
        TPM2B_DATA data;
        ESYS_TR nv;
        int r = tpm_ak_qualifying(qualifying, &data, err);

        if (r < 0)
                return r;
        r = tpm_nv_open(ak->tpm, index, &nv, err);
        if (r >= 0) {
                r = certify(ak, nv, &data, ret, err);
                (void)Esys_TR_Close(ak->tpm->esys, &nv);
        }
        return r < 0 ? err_wrap(err, "certify counter 0x%08x", index) : 0;
}
