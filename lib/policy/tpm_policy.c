/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's tpm_policy: a map from PCR to the values it may have, as JSON text, which arrives with a host
 * that is enrolled by Keylime's tenant. It names no bank; a value's length tells. Keylime takes sha1 values
 * too; ours do not count (SR-15), and a PCR that has no others is an error, because dropping it would demand
 * less than its writer asked for. Spec: Keylime tpm_policy.
 */
#include "base/hex.h"
#include "base/json.h"
#include "policy/build.h"
#include "policy/policy.h"

#define TPM_POLICY_BYTES_MAX (1u << 20)

/* The values of one PCR, of which there are 1 to n. */
static const json_t *value_at(const json_t *values, size_t i)
{
        return json_is_array(values) ? json_array_get(values, i) : (i == 0 ? values : NULL);
}

static int read_value(const json_t *value, const char *pcr, struct buf *ret, struct err *err)
{
        int r;

        if (!json_is_string(value))
                return err_set(err, ERR_FORMAT, 0,
                               "tpm_policy: PCR %s: expected a string of hexadecimal digits", pcr);
        buf_reset(ret);
        r = hex_decode_any(VIEW(json_string_value(value), json_string_length(value)), DIGEST_BYTES_MAX, ret,
                           err);
        return r < 0 ? err_wrap(err, "tpm_policy: PCR %s", pcr) : 0;
}

/* Does PCR have a value of SIZE bytes? */
static int has_size(const json_t *values, const char *pcr, size_t size, bool *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        const json_t *value;

        *ret = false;
        for (size_t i = 0; (value = value_at(values, i)); i++) {
                int r = read_value(value, pcr, &bytes, err);

                if (r < 0)
                        return r;
                if (bytes.len == size)
                        *ret = true;
        }
        return 0;
}

/* Is there a value of BANK for every PCR? */
static int all_have(const json_t *root, enum digest_alg bank, bool *ret, struct err *err)
{
        const char *key;
        json_t *values;

        *ret = true;
        json_object_foreach ((json_t *)(uintptr_t)root, key, values) {
                bool has;
                int r;

                if (str_equal(key, "mask"))
                        continue;
                r = has_size(values, key, digest_size(bank), &has, err);
                if (r < 0)
                        return r;
                if (!has)
                        *ret = false;
        }
        return 0;
}

static int read_pcr(struct policy_build *b, const char *key, const json_t *values, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        const json_t *value;
        int64_t pcr;
        int r = str_parse_int(view_str(key), 0, POLICY_PCRS - 1, &pcr, err);

        if (r < 0)
                return err_wrap(err, "tpm_policy: member %s: expected a PCR number or 'mask'", SHOW(key));
        if (pcr == 10 || pcr == 16)
                return err_set(err, ERR_FORMAT, 0, "tpm_policy: PCR %u cannot have a fixed value",
                               (unsigned)pcr);
        for (size_t i = 0; (value = value_at(values, i)); i++) {
                r = read_value(value, key, &bytes, err);
                if (r < 0)
                        return r;
                if (bytes.len != b->head.digest_size)
                        continue;
                r = policy_build_pcr_value(b, (unsigned)pcr, VIEW_BUF(&bytes), 1, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* PCRs that the mask asks for beside those that have values. 10 and 16 are Keylime's own business. */
static int read_mask(struct policy_build *b, const json_t *mask, struct err *err)
{
        uint64_t bits;
        int r;

        if (!mask)
                return 0;
        if (!json_is_string(mask))
                return err_set(err, ERR_FORMAT, 0,
                               "tpm_policy: member 'mask': expected a string such as \"0x400\"");
        r = str_parse_hex(view_str(json_string_value(mask)), (1u << POLICY_PCRS) - 1, &bits, err);
        if (r < 0)
                return err_wrap(err, "tpm_policy: member 'mask'");
        b->head.pcr_mask |= (uint32_t)bits & ~(1u << 16);
        return 0;
}

int policy_from_tpm_policy(struct view json, const char *name, struct policy **ret, struct err *err)
{
        AUTO(policy_build_done)
        struct policy_build b;
        AUTO(json_free_p)
        json_t *root = NULL;
        enum digest_alg bank = DIGEST_SHA256;
        const char *key;
        json_t *values;
        bool all;
        int r;

        policy_build_init(&b, bank);
        r = json_parse(json, TPM_POLICY_BYTES_MAX, &root, err);
        if (r < 0)
                return err_wrap(err, "tpm_policy");
        if (!json_is_object(root))
                return err_set(err, ERR_FORMAT, 0, "tpm_policy: expected an object");
        r = all_have(root, DIGEST_SHA256, &all, err);
        if (r == 0 && !all) {
                bank = DIGEST_SHA384;
                r = all_have(root, bank, &all, err);
        }
        if (r < 0)
                return r;
        if (!all)
                return err_set(err, ERR_FORMAT, 0,
                               "tpm_policy: no one bank, sha256 or sha384, has a value for every "
                               "PCR (sha1 values are not accepted)");
        policy_build_init(&b, bank);
        json_object_foreach (root, key, values) {
                if (str_equal(key, "mask"))
                        continue;
                r = read_pcr(&b, key, values, err);
                if (r < 0)
                        return r;
        }
        r = read_mask(&b, json_object_get(root, "mask"), err);
        if (r < 0)
                return r;
        b.head.name = policy_build_string(&b, name);
        b.head.source = policy_build_string(&b, "tpm_policy");
        if (!b.head.name || !b.head.source)
                return err_nomem(err);
        return policy_build_finish(&b, json, ret, err);
}
