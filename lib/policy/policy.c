/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished policy: shared by reference, asked by digest. It never changes after it was made, so that 10,000
 * hosts and several threads can read one copy without a lock; only the count of its users moves, atomically.
 * Finding a digest halves an index sorted by value; equal values (a library that two runtimes share) lie side
 * by side there.
 */
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/policy_impl.h"

/* struct policy is the first member of what it lies in. */
static struct policy_impl *impl_of(const struct policy *p)
{
        return (struct policy_impl *)(uintptr_t)p;
}

void policy_impl_free(struct policy_impl *impl)
{
        if (!impl)
                return;
        free(impl->allowed.entries);
        free(impl->allowed.bytes);
        free(impl->allowed.order);
        free(impl->denied.entries);
        free(impl->denied.bytes);
        free(impl->denied.order);
        free(impl->runtimes);
        free(impl->files);
        free(impl->records);
        free(impl->parts);
        free(impl->ends);
        strv_done(&impl->strings);
        policy_pcrs_done(impl->policy.pcrs);
        policy_keeper_done(&impl->keeper);
        free(impl);
}

struct policy *policy_ref(struct policy *p)
{
        (void)__atomic_add_fetch(&impl_of(p)->refs, 1, __ATOMIC_RELAXED);
        return p;
}

void policy_unref(struct policy *p)
{
        if (p && __atomic_sub_fetch(&impl_of(p)->refs, 1, __ATOMIC_ACQ_REL) == 0)
                policy_impl_free(impl_of(p));
}

/* The place in the order of the first entry not below BYTES. */
static size_t lower_bound(const struct policy_index *x, const uint8_t *bytes)
{
        size_t low = 0, high = x->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (policy_order(x->entries[x->order[middle]].bytes, bytes, x->digest_size) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static const struct policy_digest *entry_if_equal(const struct policy_index *x, size_t at,
                                                  const uint8_t *bytes)
{
        const struct policy_digest *d;

        if (at >= x->n)
                return NULL;
        d = &x->entries[x->order[at]];
        return policy_order(d->bytes, bytes, x->digest_size) == 0 ? d : NULL;
}

const struct policy_digest *policy_find(const struct policy *p, const uint8_t *bytes,
                                        const struct policy_digest *prev)
{
        const struct policy_index *x = &impl_of(p)->allowed;
        size_t at = lower_bound(x, bytes);

        if (prev) {
                while (at < x->n && &x->entries[x->order[at]] != prev)
                        at++;
                at++;
        }
        return entry_if_equal(x, at, bytes);
}

const struct policy_digest *policy_find_denied(const struct policy *p, const uint8_t *bytes)
{
        const struct policy_index *x = &impl_of(p)->denied;

        return entry_if_equal(x, lower_bound(x, bytes), bytes);
}

const struct policy_runtime *policy_runtime_of(const struct policy *p, const struct policy_digest *d)
{
        return d->file == POLICY_NO_FILE ? NULL : &p->runtimes[p->files[d->file].runtime];
}

bool policy_glob(const char *pattern, struct view text)
{
        const char *star = NULL; /* behind the last '*' */
        size_t at = 0, again = 0;

        while (at < text.len) {
                if (*pattern == '*') {
                        star = ++pattern;
                        again = at;
                } else if (*pattern != '\0' && (*pattern == '?' || (uint8_t)*pattern == text.p[at])) {
                        pattern++;
                        at++;
                } else if (star) {
                        pattern = star;
                        at = ++again;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}
