/* SPDX-License-Identifier: Apache-2.0 */
/* `tee: {snp: …}` of a policy: what an SEV-SNP report has to say. Words and numbers: evidence/snp_verify.h.
 */
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "policy/policy_tee_impl.h"

/* ---- words ---- */

static int read_allowed(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                        struct err *err)
{
        (void)b, (void)to;
        return tee_read_allowed(node, at, err);
}

/* The guest's owner forbids it, not the platform's: `platform` can refuse the latter. */
static int read_smt(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                    struct err *err)
{
        struct snp_policy *p = to;
        bool allowed;
        int r = tee_read_allowed(node, &allowed, err);

        (void)b, (void)at;
        if (r == 0 && !allowed)
                p->policy_refused |= SNP_BIT(SNP_POLICY_SMT);
        return r;
}

static int read_vmpl(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                     struct err *err)
{
        const struct yaml_node *const *items;
        uint8_t *vmpls = at;
        int64_t x = 0;
        size_t n;
        int r = tee_list(&node, &items, &n, err);

        (void)b, (void)to;
        *vmpls = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_int(items[i], 0, SNP_VMPL_MAX, &x, err);
                *vmpls = (uint8_t)(*vmpls | 1u << x);
        }
        return r;
}

static int read_u32(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                    struct err *err)
{
        uint32_t *ret = at;
        int64_t x = 0;
        int r = yaml_int(node, 0, UINT32_MAX, &x, err);

        (void)b, (void)to;
        *ret = (uint32_t)x;
        return r;
}

static int read_bits(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                     struct err *err)
{
        struct err inner = ERR_INIT;
        const char *text;
        int r = yaml_str(node, &text, err);

        (void)b, (void)to;
        if (r == 0 && str_parse_hex(view_str(text), UINT64_MAX, at, &inner) < 0)
                return yaml_err(node, err, "%s: expected bits as a number, 0x…", SHOW(text));
        return r;
}

/* "1.55" or "1.55.29". */
static int read_numbers(const struct yaml_node *node, uint8_t *ret, size_t n, const char *form,
                        struct err *err)
{
        const char *text, *p;
        struct err inner = ERR_INIT;
        int64_t x = 0;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        p = text;
        for (size_t i = 0; i < n; i++) {
                size_t len = strcspn(p, ".");

                if (str_parse_int(VIEW(p, len), 0, UINT8_MAX, &x, &inner) < 0 ||
                    (p[len] == '.') != (i + 1 < n))
                        return yaml_err(node, err, "%s: expected %s", SHOW(text), form);
                ret[i] = (uint8_t)x;
                p += len + (p[len] == '.');
        }
        return 0;
}

static int read_abi(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                    struct err *err)
{
        uint8_t v[2] = {0};
        uint16_t *ret = at;
        int r = read_numbers(node, v, 2, "a version, MAJOR.MINOR", err);

        (void)b, (void)to;
        *ret = (uint16_t)(v[0] << 8 | v[1]);
        return r;
}

static int read_firmware(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                         struct err *err)
{
        struct snp_policy *p = to;
        uint8_t v[3] = {0};
        int r = read_numbers(node, v, 3, "a version, MAJOR.MINOR.BUILD", err);

        (void)b, (void)at;
        p->has_firmware_floor = true;
        p->firmware_floor = (struct snp_version){.major = v[0], .minor = v[1], .build = v[2]};
        return r;
}

/* ---- floors ---- */

static int read_component(const struct yaml_node *map, const char *name, uint8_t *ret, struct err *err)
{
        const struct yaml_node *node = yaml_get(map, name);
        int64_t x = 0;
        int r = node ? yaml_int(node, 0, UINT8_MAX, &x, err) : 0;

        *ret = (uint8_t)x;
        return r;
}

static int read_floor(const struct yaml_node *node, struct snp_floor *f, struct err *err)
{
        static const char *const keys[] = {"bootloader", "tee", "snp", "microcode", "fmc"};
        struct {
                const char *name;
                uint8_t *to;
        } const parts[] = {{"bootloader", &f->tcb.bootloader},
                           {"tee", &f->tcb.tee},
                           {"snp", &f->tcb.snp},
                           {"microcode", &f->tcb.microcode},
                           {"fmc", &f->tcb.fmc}};
        int r = yaml_only(node, keys, f->line == SNP_TURIN ? ARRAY_LEN(keys) : ARRAY_LEN(keys) - 1, err);

        if (r == 0 && node->n == 0)
                return yaml_err(node, err, "no component: name at least one");
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
                r = read_component(node, parts[i].name, parts[i].to, err);
        return r;
}

/* {LINE: {component: number}}. */
static int read_floors(struct policy_tee_build *b, const struct yaml_node *node, const struct snp_floor **ret,
                       size_t *ret_n, struct err *err)
{
        static const char *const lines[] = {"Milan", "Genoa", "Turin"};
        struct snp_floor *floors;
        int r = yaml_only(node, lines, ARRAY_LEN(lines), err);

        if (r < 0)
                return r;
        floors = tee_keep(b, ARRAY_LEN(lines), sizeof(*floors), err);
        if (!floors)
                return -ERR_NOMEM;
        *ret_n = 0;
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(lines); i++) {
                const struct yaml_node *of = yaml_get(node, lines[i]);

                if (!of)
                        continue;
                floors[*ret_n].line = (enum snp_line)(SNP_MILAN + i);
                r = read_floor(of, &floors[(*ret_n)++], err);
        }
        *ret = floors;
        if (r == 0 && *ret_n == 0)
                return yaml_err(node, err, "no product line: name Milan, Genoa or Turin");
        return r;
}

static int read_tcb(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                    struct err *err)
{
        struct snp_policy *p = to;

        (void)at;
        return read_floors(b, node, &p->tcb_floors, &p->n_tcb_floors, err);
}

static int read_launch_tcb(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                           struct err *err)
{
        struct snp_policy *p = to;

        (void)at;
        return read_floors(b, node, &p->launch_floors, &p->n_launch_floors, err);
}

/* ---- bits by name ---- */

struct bit_name {
        const char *name;
        unsigned bit;
};

static int read_names(const struct yaml_node *map, const char *key, const struct bit_name *bits,
                      size_t n_bits, uint64_t *ret, struct err *err)
{
        const struct yaml_node *node = yaml_get(map, key), *const * items;
        const char *names[16];
        size_t n, choice;
        int r;

        if (!node)
                return 0;
        for (size_t i = 0; i < n_bits; i++)
                names[i] = bits[i].name;
        r = tee_list(&node, &items, &n, err);
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_choice(items[i], names, n_bits, &choice, err);
                if (r == 0)
                        *ret |= SNP_BIT(bits[choice].bit);
        }
        return r;
}

static int read_rules(const struct yaml_node *node, const struct bit_name *bits, size_t n,
                      uint64_t *ret_required, uint64_t *ret_refused, struct err *err)
{
        static const char *const keys[] = {"required", "refused"};
        int r = yaml_only(node, keys, ARRAY_LEN(keys), err);

        if (r == 0)
                r = read_names(node, "required", bits, n, ret_required, err);
        if (r == 0)
                r = read_names(node, "refused", bits, n, ret_refused, err);
        if (r == 0 && (*ret_required & *ret_refused))
                return yaml_err(node, err, "one of them is required and refused");
        return r;
}

static int read_guest_policy(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                             struct err *err)
{
        static const struct bit_name bits[] = {
                {"single-socket", SNP_POLICY_SINGLE_SOCKET},
                {"cxl", SNP_POLICY_CXL},
                {"aes-256-xts", SNP_POLICY_AES_256_XTS},
                {"rapl-off", SNP_POLICY_RAPL_DIS},
                {"ciphertext-hiding", SNP_POLICY_CIPHERTEXT_HIDING},
                {"page-swap-off", SNP_POLICY_PAGE_SWAP_DISABLE},
        };
        struct snp_policy *p = to;

        (void)b, (void)at;
        return read_rules(node, bits, ARRAY_LEN(bits), &p->policy_required, &p->policy_refused, err);
}

static int read_platform(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                         struct err *err)
{
        static const struct bit_name bits[] = {
                {"smt", SNP_PLATFORM_SMT},
                {"tsme", SNP_PLATFORM_TSME},
                {"ecc", SNP_PLATFORM_ECC},
                {"rapl-off", SNP_PLATFORM_RAPL_DIS},
                {"ciphertext-hiding", SNP_PLATFORM_CIPHERTEXT_HIDING},
                {"alias-check", SNP_PLATFORM_ALIAS_CHECK},
                {"tio", SNP_PLATFORM_TIO},
        };
        struct snp_policy *p = to;

        (void)b, (void)at;
        return read_rules(node, bits, ARRAY_LEN(bits), &p->platform_required, &p->platform_refused, err);
}

/* ---- the section ---- */

static int read_providers(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                          struct err *err)
{
        (void)to;
        return tee_read_texts(b, node, at, err);
}

#define AT(member) offsetof(struct snp_policy, member)

static int read_denied(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                       struct err *err)
{
        static const struct policy_tee_member members[] = {
                {"chips", AT(denied_chips), SNP_CHIP_ID_BYTES, NULL},
                {"measurements", AT(denied_measurements), SNP_DIGEST_BYTES, NULL},
                {"id_keys", AT(denied_id_keys), SNP_DIGEST_BYTES, NULL},
        };

        (void)at;
        return tee_read_members(b, node, members, ARRAY_LEN(members), to, err);
}

int tee_read_snp(struct policy_tee_build *b, const struct yaml_node *node, struct err *err)
{
        static const struct policy_tee_member members[] = {
                {"vlek", AT(allow_vlek), 0, read_allowed},
                {"providers", AT(csp_ids), 0, read_providers},
                {"masked_chip", AT(allow_masked_chip), 0, read_allowed},
                {"debug", AT(allow_debug), 0, read_allowed},
                {"migration", AT(allow_migration), 0, read_allowed},
                {"provisional_firmware", AT(allow_provisional), 0, read_allowed},
                {"smt", 0, 0, read_smt},
                {"vmpl", AT(vmpls), 0, read_vmpl},
                {"tcb", 0, 0, read_tcb},
                {"launch_tcb", 0, 0, read_launch_tcb},
                {"firmware", 0, 0, read_firmware},
                {"abi", AT(abi_floor), 0, read_abi},
                {"mitigations", AT(mitigations), 0, read_bits},
                {"guest_policy", 0, 0, read_guest_policy},
                {"platform", 0, 0, read_platform},
                {"guest_svn", AT(guest_svn_floor), 0, read_u32},
                {"measurements", AT(measurements), SNP_DIGEST_BYTES, NULL},
                {"host_data", AT(host_data), 32, NULL},
                {"family_ids", AT(family_ids), 16, NULL},
                {"image_ids", AT(image_ids), 16, NULL},
                {"id_keys", AT(id_keys), SNP_DIGEST_BYTES, NULL},
                {"author_keys", AT(author_keys), SNP_DIGEST_BYTES, NULL},
                {"denied", 0, 0, read_denied},
        };

        return tee_read_members(b, node, members, ARRAY_LEN(members), &b->t->snp, err);
}
