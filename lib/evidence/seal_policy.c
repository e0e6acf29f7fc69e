/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of SR-1. What each link is for:
 *
 *   PolicyPCR        the machine booted and runs what was approved. Alone it is worth little: root can extend
 *                    PCR 15 by hand with public values.
 *   PolicyNV(floor)  the approval itself is still wanted: raising the counter ends all older ones (SR-7).
 *   PolicySigned     the verifier has just seen a whole pass of this host, and says so for this session, for
 *                    one lease.
 *   PolicyAuthorize  the owner approved these three together. It replaces the digest by the owner's key and
 *                    policyRef, so that another bracket can be approved later without sealing again.
 *   PolicyNV(epoch)  not revoked. Behind PolicyAuthorize, so that no approval can leave it out.
 *
 * The digests are rebuilt here from their parts, never taken from a file: an approval is good for the bracket
 * that its parts make, and a bracket made so holds no TPM2_PolicyCommandCode(Duplicate) (SR-7).
 *
 * Spec: SR-1, SR-6, SR-7, SR-12; TPM 2.0 Library Part 3 rev 1.59 §23.3, §23.16.
 */
#include "evidence/seal_policy.h"

#include <string.h>

#include "base/str.h"
#include "evidence/qualify.h"
#include "evidence/tpm_signature.h"

#define REF_LABEL     "avow-approval-v1"
#define RELEASE_LABEL "avow-release-v1"

static void put_part(struct buf *b, const char *s)
{
        buf_str(b, s);
        buf_u8(b, 0);
}

int seal_policy_ref(const char *tenant, const char *class, const char *host, struct digest *ret,
                    struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};

        if (!*tenant || !*class || (host && !*host))
                return err_set(err, ERR_FORMAT, 0, "an approval for a nameless tenant, secret or host");
        put_part(&b, REF_LABEL);
        put_part(&b, tenant);
        put_part(&b, class);
        if (host)
                put_part(&b, host);
        return buf_ok(&b) ? digest_bytes(DIGEST_SHA256, VIEW_BUF(&b), ret, err) : err_nomem(err);
}

int seal_release_ref(const char *verifier_id, const char *host, struct digest *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};

        if (strlen(verifier_id) != QUALIFY_VERIFIER_ID_CHARS)
                return err_set(err, ERR_FORMAT, 0, "verifier id %s is no UUID", SHOW(verifier_id));
        if (!str_valid_host_id(host))
                return err_set(err, ERR_FORMAT, 0, "host id %s is none", SHOW(host));
        put_part(&b, RELEASE_LABEL);
        put_part(&b, verifier_id);
        put_part(&b, host);
        return buf_ok(&b) ? digest_bytes(DIGEST_SHA256, VIEW_BUF(&b), ret, err) : err_nomem(err);
}

int seal_bracket_digest(const struct seal_bracket *bracket, struct digest *ret, struct err *err)
{
        uint8_t name[TPM_KEY_NAME_BYTES];
        struct digest policy;
        int r;

        if (!bracket->pcrs.mask || bracket->pcrs.mask >> PCR_COUNT ||
            bracket->pcr_digest.alg != DIGEST_SHA256 || !bracket->floor_name.len)
                return err_set(err, ERR_FORMAT, 0, "an approval without PCRs or without a floor");
        if (bracket->release_key && bracket->release_ref.len != digest_size(DIGEST_SHA256))
                return err_set(err, ERR_FORMAT, 0, "an approval with a release for no host");
        digest_zero(DIGEST_SHA256, &policy);
        r = authpolicy_pcr(&policy, bracket->pcrs.bank, bracket->pcrs.mask, digest_view(&bracket->pcr_digest),
                           err);
        if (r >= 0)
                r = authpolicy_counter(&policy, bracket->floor_name, bracket->version, EO_UNSIGNED_LE, err);
        if (r >= 0 && bracket->release_key) {
                r = tpm_key_name(bracket->release_key, name, err);
                if (r >= 0)
                        r = authpolicy_signed(&policy, VIEW_ARRAY(name), bracket->release_ref, err);
        }
        if (r < 0)
                return r;
        *ret = policy;
        return 0;
}

int seal_authorized_digest(const struct pubkey *key, struct view policy_ref, struct digest *ret,
                           struct err *err)
{
        uint8_t name[TPM_KEY_NAME_BYTES];
        struct digest policy;
        int r;

        if (!policy_ref.len) /* SR-7: never empty */
                return err_set(err, ERR_FORMAT, 0, "an approval without a policyRef");
        digest_zero(DIGEST_SHA256, &policy);
        r = tpm_key_name(key, name, err);
        if (r >= 0)
                r = authpolicy_authorize(&policy, VIEW_ARRAY(name), policy_ref, err);
        if (r < 0)
                return r;
        *ret = policy;
        return 0;
}

int seal_policy(const struct pubkey *authority, struct view policy_ref, struct view epoch_name,
                uint64_t epoch, struct digest *ret, struct err *err)
{
        struct digest policy;
        int r;

        if (!epoch_name.len)
                return err_set(err, ERR_FORMAT, 0, "a sealing policy without an epoch");
        r = seal_authorized_digest(authority, policy_ref, &policy, err);
        if (r >= 0)
                r = authpolicy_counter(&policy, epoch_name, epoch, EO_EQ, err);
        if (r < 0)
                return r;
        *ret = policy;
        return 0;
}

void seal_approval_message(const struct digest *approved, struct view policy_ref, struct buf *ret)
{
        buf_put_view(ret, digest_view(approved));
        buf_put_view(ret, policy_ref);
}

void seal_release_message(struct view nonce_tpm, uint32_t lease_s, struct view release_ref, struct buf *ret)
{
        buf_put_view(ret, nonce_tpm);
        buf_be32(ret, lease_s);
        buf_put_view(ret, release_ref);
}

int seal_signature_check(const struct pubkey *key, struct view signature, struct view message, bool *ret_good,
                         struct err *err)
{
        struct signature sig;

        if (tpm_signature_parse(signature, &sig, err) < 0 || sig.hash != DIGEST_SHA256) {
                err_clear(err);
                *ret_good = false;
                return 0;
        }
        return pubkey_verify(key, &sig, message, ret_good, err);
}
