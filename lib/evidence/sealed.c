/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sealed object is worth. A file can say anything about the object inside; the object's name covers
 * its attributes and its authPolicy, so only those count:
 *
 *   - userWithAuth: the object opens with its auth value, whatever its policy says. Refused.
 *   - adminWithPolicy clear: the owner of the auth value may change it and duplicate the object. Refused.
 *   - the authPolicy is rebuilt from what we know of (the chain with this host's epoch counter; a plain
 *     PolicyPCR). Ours is revocable, plain is not, and what cannot be rebuilt is refused: it might be a
 *     PolicyOR with a way out.
 *
 * Spec: SR-6, SR-11; TPM 2.0 Library Part 2 rev 1.59 §8.3 (TPMA_OBJECT), §12.2.4, §13.4 (TPMA_NV), §13.6.
 */
#include "evidence/sealed.h"

#include <string.h>

#include "base/mem.h"

#define ALG_KEYEDHASH 0x0008u
#define PUBLIC_MAX    512u
#define COUNTER_BYTES 8u
/* TPMA_NV: COUNTER, POLICYWRITE, OWNERREAD, AUTHREAD, NO_DA, WRITTEN */
#define COUNTER_WRITTEN (1u << 4 | 1u << 3 | 1u << 17 | 1u << 18 | 1u << 25 | 1u << 29)

static int parse(struct cursor *c, struct sealed_public *p, struct err *err)
{
        uint16_t type, alg, scheme;

        if (!cursor_be16(c, &type) || !cursor_be16(c, &alg) || !cursor_be32(c, &p->attributes) ||
            !cursor_be16_bytes(c, &p->auth_policy))
                return err_set(err, ERR_FORMAT, 0, "it is cut short");
        if (type != ALG_KEYEDHASH)
                return err_set(err, ERR_FORMAT, 0, "type 0x%04x is no sealed data", type);
        if (!digest_by_tpm_alg(alg, &p->name_alg))
                return err_set(err, ERR_FORMAT, 0, "name algorithm 0x%04x is not known", alg);
        if (p->auth_policy.len && p->auth_policy.len != digest_size(p->name_alg))
                return err_set(err, ERR_FORMAT, 0, "a policy of %zu bytes", p->auth_policy.len);
        if (!cursor_be16(c, &scheme) || scheme != ALG_NULL)
                return err_set(err, ERR_FORMAT, 0, "it is a key, not data");
        if (!cursor_be16_bytes(c, &p->unique) || p->unique.len != digest_size(p->name_alg) || c->left)
                return err_set(err, ERR_FORMAT, 0, "its end is not where it should be");
        return 0;
}

int sealed_public_parse(struct view in, struct sealed_public *ret, struct err *err)
{
        struct sealed_public p = {0};
        struct cursor c = cursor_of(in);
        struct view body;
        int r;

        if (in.len > PUBLIC_MAX || !cursor_be16_bytes(&c, &body) || c.left)
                return err_set(err, ERR_FORMAT, 0,
                               "sealed object: the size in front is not that of what follows");
        c = cursor_of(body);
        r = parse(&c, &p, err);
        if (r < 0)
                return err_wrap(err, "sealed object");
        *ret = p;
        return 0;
}

const char *sealed_refusal(const struct sealed_public *sealed)
{
        if (sealed->attributes & OBJ_USER_WITH_AUTH)
                return "it opens with its auth value, whatever its policy says (userWithAuth is set)";
        if (!(sealed->attributes & OBJ_ADMIN_WITH_POLICY))
                return "its auth value can be changed without its policy (adminWithPolicy is not set)";
        if (sealed->name_alg != DIGEST_SHA256 || !sealed->auth_policy.len)
                return "it has no SHA-256 policy";
        return NULL;
}

static bool has_policy(const struct sealed_public *sealed, const struct digest *policy)
{
        return equal_ct(sealed->auth_policy.p, sealed->auth_policy.len, policy->b, policy->len);
}

static int try_chain(const struct sealed_public *sealed, const struct sealed_candidates *c, bool *ret,
                     struct err *err)
{
        struct digest policy;
        int r;

        *ret = false;
        if (!c->authority || !c->epoch_name.len || !c->policy_ref.len)
                return 0;
        r = seal_policy(c->authority, c->policy_ref, c->epoch_name, c->epoch, &policy, err);
        if (r >= 0)
                *ret = has_policy(sealed, &policy);
        return r;
}

static int try_pcr(const struct sealed_public *sealed, const struct sealed_candidates *c, bool *ret,
                   struct err *err)
{
        struct digest policy;
        int r;

        *ret = false;
        if (!c->pcrs.mask)
                return 0;
        digest_zero(DIGEST_SHA256, &policy);
        r = authpolicy_pcr(&policy, c->pcrs.bank, c->pcrs.mask, digest_view(&c->pcr_digest), err);
        if (r >= 0)
                *ret = has_policy(sealed, &policy);
        return r;
}

int sealed_judge(const struct sealed_public *sealed, const struct sealed_candidates *candidates,
                 struct sealed_verdict *ret, struct err *err)
{
        struct sealed_verdict v = {.kind = SEALED_UNKNOWN, .refusal = sealed_refusal(sealed)};
        bool chain = false, pcr = false;
        int r = 0;

        if (!v.refusal) {
                r = try_chain(sealed, candidates, &chain, err);
                if (r >= 0)
                        r = try_pcr(sealed, candidates, &pcr, err);
                if (r < 0)
                        return r;
                v.kind = chain ? SEALED_CHAIN : pcr ? SEALED_PCR : SEALED_UNKNOWN;
                v.revocable = chain;
                if (v.kind == SEALED_UNKNOWN)
                        v.refusal = "its policy cannot be rebuilt, so nobody knows what opens it";
        }
        *ret = v;
        return 0;
}

int sealed_counter_name(uint32_t index, const struct pubkey *agent, struct tpm_name *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf area = {0};
        struct digest policy, d;
        int r = authpolicy_of_counter(agent, NULL, &policy, err);

        if (r < 0)
                return r;
        buf_be32(&area, index);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, COUNTER_WRITTEN);
        buf_be16_bytes(&area, digest_view(&policy));
        buf_be16(&area, COUNTER_BYTES);
        if (!buf_ok(&area))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&area), &d, err);
        if (r < 0)
                return r;
        *ret = (struct tpm_name){.len = (uint8_t)(2 + d.len), .b = {0, DIGEST_SHA256}};
        memcpy(ret->b + 2, d.b, d.len);
        return 0;
}
