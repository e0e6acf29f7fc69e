/* SPDX-License-Identifier: Apache-2.0 */
/* A finished module policy: shared by reference, asked by digest, never changed. */
#include "policy/module_policy.h"

#include <stdlib.h>

#include "policy/module_impl.h"
#include "policy/policy_impl.h"

static void item_done(struct module_item *i)
{
        free(i->comment);
        pattern_set_unref(i->hosts);
        strv_done(&i->runtimes);
        strv_done(&i->terms.secrets);
        strv_done(&i->accounts);
        strv_done(&i->subjects);
        strv_done(&i->capabilities);
        strv_done(&i->signers);
}

void module_policy_free(struct module_policy *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < p->n_keys; i++) {
                free(p->keys[i].name);
                pubkey_free(p->keys[i].ec);
        }
        for (size_t i = 0; i < p->n_items; i++)
                item_done(&p->items[i]);
        for (size_t i = 0; i < p->n_closures; i++) {
                free(p->closures[i].runtime);
                free(p->closures[i].digests.v);
        }
        free(p->keys);
        free(p->items);
        free(p->closures);
        free(p->allowed.v);
        free(p->denied.v);
        strv_done(&p->terms.secrets);
        free(p->name);
        free(p->description);
        free(p);
}

struct module_policy *module_policy_ref(struct module_policy *p)
{
        (void)__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
        return p;
}

void module_policy_unref(struct module_policy *p)
{
        if (p && __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
                module_policy_free(p);
}

const char *module_policy_name(const struct module_policy *p)
{
        return p->name;
}

const struct digest *module_policy_digest(const struct module_policy *p)
{
        return &p->sha256;
}

void module_policy_sum(const struct module_policy *p, struct module_policy_sum *ret)
{
        *ret = (struct module_policy_sum){.n_items = p->n_items,
                                          .n_digests = p->allowed.n,
                                          .n_signers = p->n_keys,
                                          .n_denied = p->denied.n};
        for (size_t i = 0; i < p->n_items; i++)
                ret->n_accounts += p->items[i].accounts.n;
        for (size_t i = 0; i < p->n_closures; i++)
                ret->n_closures += p->closures[i].digests.n;
}

/* By algorithm and value; among equal ones in the order of the text. */
static int order(const struct digest *a, const struct digest *b)
{
        if (a->len != b->len)
                return a->len < b->len ? -1 : 1;
        return policy_order(a->b, b->b, a->len);
}

static int by_value(const void *x, const void *y)
{
        const struct module_digest *a = x, *b = y;
        int r = order(&a->d, &b->d);

        return r ? r : a->item < b->item ? -1 : a->item > b->item;
}

void module_sort(struct module_digests *d)
{
        if (d->n)
                qsort(d->v, d->n, sizeof(*d->v), by_value);
}

const struct module_digest *module_find(const struct module_digests *in, const struct digest *d, size_t n)
{
        size_t low = 0, high = in->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (order(&in->v[middle].d, d) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low >= in->n || n >= in->n - low)
                return NULL;
        return order(&in->v[low + n].d, d) == 0 ? &in->v[low + n] : NULL;
}
