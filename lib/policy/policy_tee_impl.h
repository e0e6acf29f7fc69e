/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_TEE_IMPL_H
#define AVOW_POLICY_POLICY_TEE_IMPL_H

#include "policy/policy_tee.h"

/* What parse_tee.c, parse_tee_snp.c and parse_tee_dcap.c share; nobody else includes this. */

struct policy_tee_block { /* memory that lives as long as the policy */
        struct policy_tee_block *next;
        void *p;
};

struct policy_tee_build {
        struct policy_tee *t;
        struct policy_tee_block *blocks;
};

/* N zeroed elements. NULL: out of memory, ERR set. */
void *tee_keep(struct policy_tee_build *b, size_t n, size_t size, struct err *err) MUST_USE;

/* The items of a list; a single one may stand alone. */
int tee_list(const struct yaml_node *const *node, const struct yaml_node *const **ret, size_t *ret_n,
             struct err *err) MUST_USE;
int tee_hex(const struct yaml_node *node, uint8_t *ret, size_t size, struct err *err) MUST_USE;
/* Values of SIZE bytes each: HEX, or {digest: HEX, comment: TEXT}. */
int tee_read_set(struct policy_tee_build *b, const struct yaml_node *node, size_t size, struct tee_set *ret,
                 struct err *err) MUST_USE;
int tee_read_texts(struct policy_tee_build *b, const struct yaml_node *node, struct tee_set *ret,
                   struct err *err) MUST_USE;
/* "allowed" | "refused". */
int tee_read_allowed(const struct yaml_node *node, bool *ret, struct err *err) MUST_USE;

/* Members of a map: sets of values of SIZE bytes, or, with SIZE 0, what READ makes of it. TO is the struct,
 * AT the member at OFFSET in it. */
#define TEE_MEMBERS_MAX 32
struct policy_tee_member {
        const char *name;
        size_t offset, size;
        int (*read)(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                    struct err *err);
};
int tee_read_members(struct policy_tee_build *b, const struct yaml_node *node,
                     const struct policy_tee_member *members, size_t n, void *to, struct err *err) MUST_USE;

int tee_read_snp(struct policy_tee_build *b, const struct yaml_node *node, struct err *err) MUST_USE;
int tee_read_tdx(struct policy_tee_build *b, const struct yaml_node *node, struct err *err) MUST_USE;
int tee_read_sgx(struct policy_tee_build *b, const struct yaml_node *node, struct err *err) MUST_USE;

#endif
