/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapters, and how the configuration sets them up. */
#include "verifier/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/trust.h"

_Static_assert(ADAPTER_REASON_BYTES >= TRUST_REASON_BYTES, "reasons fit");

/* A name of its own: elsewhere in the verifier `trust` is a host's. */
struct adapter_roots {
        struct trust *trust;
};

static const struct adapter_ops *const table[] = {&adapter_enarx, &adapter_spiffe};

static const struct adapter_ops *by_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++)
                if (str_equal(table[i]->name, name))
                        return table[i];
        return NULL;
}

static bool is_oid(const char *s)
{
        return s[0] >= '0' && s[0] <= '2' && s[1] == '.' && s[strspn(s, "0123456789.")] == '\0' &&
               !strstr(s, "..") && !str_ends(s, ".");
}

static int read_files(const struct conf *item, struct adapter *a, struct err *err)
{
        const struct strv *roots = conf_list(item, "roots"), *crls = conf_list(item, "crls");
        struct trust *trust;
        int r;

        a->roots = mem_zalloc(1, sizeof(*a->roots));
        if (!a->roots)
                return err_nomem(err);
        r = trust_new(&a->roots->trust, err);
        trust = a->roots->trust;
        for (size_t i = 0; r >= 0 && i < roots->n; i++)
                r = trust_add_path(trust, roots->items[i], err);
        if (r >= 0 && trust_count(trust) == 0)
                return conf_err(item, "roots", err,
                                "there is no certificate: nobody's workloads would be trusted");
        for (size_t i = 0; r >= 0 && i < crls->n; i++)
                r = trust_add_crl_path(trust, crls->items[i], err);
        return r < 0 ? err_wrap(err, "workloads.adapters: %s", a->ops->name) : 0;
}

static int load_one(const struct conf *item, struct adapters *all, struct err *err)
{
        const struct strv *uses = conf_list(item, "uses");
        const struct adapter_ops *ops = by_name(conf_str(item, "name"));
        struct adapter *a = &all->v[all->n];

        if (!ops)
                return conf_err(item, "name", err, "there is no adapter %s", SHOW(conf_str(item, "name")));
        for (size_t i = 0; i < all->n; i++)
                if (all->v[i].ops == ops)
                        return conf_err(item, "name", err, "%s stands twice", ops->name);
        all->n++; /* what was begun is freed, too */
        *a = (struct adapter){.ops = ops, .rules.simulated = conf_bool(item, "simulated")};
        for (size_t i = 0; i < uses->n; i++) {
                if (!is_oid(uses->items[i]))
                        return conf_err(item, "uses", err, "expected dotted numbers, not %s",
                                        SHOW(uses->items[i]));
                if (strv_add(&a->uses, uses->items[i]) < 0)
                        return err_nomem(err);
        }
        return read_files(item, a, err);
}

int adapters_load(const struct conf *conf, struct adapters *ret, struct err *err)
{
        size_t n = conf_n_items(conf, "workloads.adapters");
        struct adapters a = {.v = mem_zalloc(n + 1, sizeof(*a.v))};

        if (!a.v)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++)
                if (load_one(conf_item(conf, "workloads.adapters", i), &a, err) < 0) {
                        adapters_done(&a);
                        return -(int)err->kind;
                }
        *ret = a;
        return 0;
}

void adapters_done(struct adapters *a)
{
        for (size_t i = 0; i < a->n; i++) {
                if (a->v[i].roots)
                        trust_free(a->v[i].roots->trust);
                free(a->v[i].roots);
                strv_done(&a->v[i].uses);
        }
        free(a->v);
        *a = (struct adapters){.n = 0};
}

const struct adapter *adapters_find(const struct adapters *a, const char *technology)
{
        for (size_t i = 0; i < a->n; i++)
                if (a->v[i].ops->serves(technology))
                        return &a->v[i];
        return NULL;
}

int adapter_check_chain(const struct adapter *a, const struct cert *leaf, const struct cert_list *above,
                        int64_t at_ms, bool *ret_good, char reason[ADAPTER_REASON_BYTES], struct err *err)
{
        return trust_check(a->roots->trust, leaf, above, at_ms, ret_good, reason, err);
}
