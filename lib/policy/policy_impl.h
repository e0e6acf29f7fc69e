/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_IMPL_H
#define AVOW_POLICY_POLICY_IMPL_H

#include "base/str.h"
#include "policy/policy.h"

/* The inside of a policy: for this folder's makers of policies alone. */

#define POLICY_PCR_VALUES_MAX 256u
#define POLICY_BASES_MAX      8u    /* documents in one text */
#define POLICY_PARTS_MAX      4096u /* layers: documents and overlays */

/* Digests and the order of their values. */
struct policy_index {
        struct policy_digest *entries;
        uint8_t *bytes;
        uint32_t *order; /* entry numbers, by value */
        size_t n, digest_size;
};

/* Things of any kind that live as long as the policy, and how each is freed. */
struct policy_keeper {
        struct policy_kept {
                void *p;
                void (*free_fn)(void *p);
        } * items;
        size_t n, cap;
};
void policy_keeper_done(struct policy_keeper *k);

struct policy_impl {
        struct policy policy; /* what everybody sees */
        unsigned refs;        /* atomic */
        struct policy_index allowed, denied;
        void *runtimes, *files, *records, *parts, *ends;
        struct strv strings;
        struct policy_keeper keeper;
};

void policy_impl_free(struct policy_impl *impl);
DEFINE_AUTO(struct policy_impl, policy_impl_free)
void policy_pcrs_done(struct policy_pcr *pcrs);

/* Orders two public values of N bytes. Return: < 0, 0, > 0. */
static inline int policy_order(const uint8_t *a, const uint8_t *b, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (a[i] != b[i])
                        return a[i] < b[i] ? -1 : 1;
        return 0;
}

#endif
