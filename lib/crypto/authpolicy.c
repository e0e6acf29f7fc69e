/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy digests. A policy session holds one digest, and each policy command that the TPM finds fulfilled
 * hashes its own number and operands into it; an object opens if the digest is then its authPolicy. So
 * whoever knows the operands can compute here what only a TPM can reach, which is how a tenant without one
 * seals, and how anyone tells what a sealed object's policy is (SR-6).
 *
 * Two commands forget what was before: PolicyAuthorize and PolicyOR. Whatever has to hold whichever bracket
 * is approved must therefore come after PolicyAuthorize: the epoch does (SR-1).
 *
 * Spec: TPM 2.0 Library Part 3 rev 1.59 §23.3 (PolicySigned), §23.4 (Secret), §23.6 (OR), §23.7 (PCR), §23.9
 * (NV), §23.11 (CommandCode), §23.16 (Authorize), §23.17 (AuthValue).
 */
#include "crypto/authpolicy.h"

#include "crypto/tpm_key.h"

#define BRANCHES_MIN 2
#define BRANCHES_MAX 8

/* digest = H(digest ‖ CODE ‖ TAIL) */
static int step(struct digest *policy, uint32_t code, struct view tail, struct err *err)
{
        const uint8_t cc[] = {(uint8_t)(code >> 24), (uint8_t)(code >> 16), (uint8_t)(code >> 8),
                              (uint8_t)code};
        struct digest before = *policy;
        const struct view parts[] = {digest_view(&before), VIEW_ARRAY(cc), tail};

        return digest_parts(before.alg, parts, ARRAY_LEN(parts), policy, err);
}

/* PolicyUpdate() of Part 3 §23.2.3: the entity's name, and in a hash of its own the policyRef. */
static int step_named(struct digest *policy, uint32_t code, struct view name, struct view ref,
                      struct err *err)
{
        struct digest named = *policy;
        const struct view parts[] = {digest_view(&named), ref};
        int r = step(&named, code, name, err);

        return r < 0 ? r : digest_parts(named.alg, parts, ARRAY_LEN(parts), policy, err);
}

int authpolicy_pcr(struct digest *policy, enum digest_alg bank, uint32_t mask, struct view pcr_digest,
                   struct err *err)
{
        const uint8_t list[] = {0,
                                0,
                                0,
                                1, /* TPML_PCR_SELECTION of one entry */
                                (uint8_t)((unsigned)bank >> 8),
                                (uint8_t)bank,
                                3,
                                (uint8_t)mask,
                                (uint8_t)(mask >> 8),
                                (uint8_t)(mask >> 16)};
        AUTO(buf_free)
        struct buf tail = {0};

        buf_put(&tail, list, sizeof(list));
        buf_put_view(&tail, pcr_digest);
        return buf_ok(&tail) ? step(policy, CC_POLICY_PCR, VIEW_BUF(&tail), err) : err_nomem(err);
}

int authpolicy_nv(struct digest *policy, struct view index_name, struct view operand, uint16_t offset,
                  uint16_t operation, struct err *err)
{
        const uint8_t numbers[] = {(uint8_t)(offset >> 8), (uint8_t)offset, (uint8_t)(operation >> 8),
                                   (uint8_t)operation};
        const struct view args[] = {operand, VIEW_ARRAY(numbers)};
        AUTO(buf_free)
        struct buf tail = {0};
        struct digest d;
        int r = digest_parts(policy->alg, args, ARRAY_LEN(args), &d, err);

        if (r < 0)
                return r;
        buf_put_view(&tail, digest_view(&d));
        buf_put_view(&tail, index_name);
        return buf_ok(&tail) ? step(policy, CC_POLICY_NV, VIEW_BUF(&tail), err) : err_nomem(err);
}

int authpolicy_counter(struct digest *policy, struct view index_name, uint64_t operand, uint16_t operation,
                       struct err *err)
{
        uint8_t be[8];

        for (size_t i = 0; i < sizeof(be); i++)
                be[i] = (uint8_t)(operand >> (56 - 8 * i));
        return authpolicy_nv(policy, index_name, VIEW_ARRAY(be), 0, operation, err);
}

int authpolicy_signed(struct digest *policy, struct view key_name, struct view policy_ref, struct err *err)
{
        return step_named(policy, CC_POLICY_SIGNED, key_name, policy_ref, err);
}

int authpolicy_secret(struct digest *policy, struct view entity_name, struct view policy_ref, struct err *err)
{
        return step_named(policy, CC_POLICY_SECRET, entity_name, policy_ref, err);
}

int authpolicy_authorize(struct digest *policy, struct view key_name, struct view policy_ref, struct err *err)
{
        digest_zero(policy->alg, policy);
        return step_named(policy, CC_POLICY_AUTHORIZE, key_name, policy_ref, err);
}

int authpolicy_or(struct digest *policy, const struct digest *branches, size_t n, struct err *err)
{
        AUTO(buf_free)
        struct buf tail = {0};

        if (n < BRANCHES_MIN || n > BRANCHES_MAX)
                return err_set(err, ERR_LIMIT, 0, "PolicyOR of %zu branches (2 to 8)", n);
        for (size_t i = 0; i < n; i++)
                buf_put_view(&tail, digest_view(&branches[i]));
        if (!buf_ok(&tail))
                return err_nomem(err);
        digest_zero(policy->alg, policy);
        return step(policy, CC_POLICY_OR, VIEW_BUF(&tail), err);
}

int authpolicy_command_code(struct digest *policy, uint32_t code, struct err *err)
{
        const uint8_t cc[] = {(uint8_t)(code >> 24), (uint8_t)(code >> 16), (uint8_t)(code >> 8),
                              (uint8_t)code};

        return step(policy, CC_POLICY_COMMAND_CODE, VIEW_ARRAY(cc), err);
}

int authpolicy_auth_value(struct digest *policy, struct err *err)
{
        return step(policy, CC_POLICY_AUTH_VALUE, VIEW_NONE, err);
}

int authpolicy_of_counter(const struct pubkey *agent, struct digest ret_branches[2], struct digest *ret,
                          struct err *err)
{
        static const uint8_t owner[] = {0x40, 0x00, 0x00, 0x01}; /* TPM_OWNER: a hierarchy's name */
        uint8_t name[TPM_KEY_NAME_BYTES];
        struct digest branches[2], policy;
        int r = tpm_key_name(agent, name, err);

        digest_zero(DIGEST_SHA256, &branches[0]);
        digest_zero(DIGEST_SHA256, &branches[1]);
        digest_zero(DIGEST_SHA256, &policy);
        if (r >= 0)
                r = authpolicy_signed(&branches[0], VIEW_ARRAY(name), VIEW_NONE, err);
        if (r >= 0)
                r = authpolicy_secret(&branches[1], VIEW_ARRAY(owner), VIEW_NONE, err);
        if (r >= 0)
                r = authpolicy_or(&policy, branches, ARRAY_LEN(branches), err);
        if (r >= 0)
                r = authpolicy_command_code(&policy, CC_NV_INCREMENT, err);
        if (r < 0)
                return r;
        if (ret_branches) {
                ret_branches[0] = branches[0];
                ret_branches[1] = branches[1];
        }
        *ret = policy;
        return 0;
}
