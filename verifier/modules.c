/* SPDX-License-Identifier: Apache-2.0 */
/* One flat array of versions: a launch asks all of them, and there are few. */
#include "verifier/modules.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

struct modules {
        struct module_version *v; /* of one name side by side, newest first; each a reference */
        size_t n;
};

int modules_new(struct modules **ret, struct err *err)
{
        *ret = mem_zalloc(1, sizeof(**ret));
        return *ret ? 0 : err_nomem(err);
}

static void unref(const struct module_version *v)
{
        module_policy_unref((struct module_policy *)(uintptr_t)v->policy); /* ours: made in read_version() */
}

void modules_free(struct modules *m)
{
        if (!m)
                return;
        for (size_t i = 0; i < m->n; i++)
                unref(&m->v[i]);
        free(m->v);
        free(m);
}

static bool has_name(const struct module_version *v, const char *name)
{
        return str_equal(module_policy_name(v->policy), name);
}

void modules_remove(struct modules *m, const char *name)
{
        size_t left = 0;

        for (size_t i = 0; i < m->n; i++)
                if (has_name(&m->v[i], name))
                        unref(&m->v[i]);
                else
                        m->v[left++] = m->v[i];
        m->n = left;
}

static int read_version(const struct stored_policy *stored, struct module_version *ret, struct err *err)
{
        struct module_policy *policy = NULL;
        int r = module_policy_parse(VIEW_BUF(&stored->text), stored->source ? stored->source : stored->name,
                                    &policy, err);

        if (r < 0)
                return err_wrap(err, "module policy '%s', version %lld", stored->name,
                                (long long)stored->version);
        *ret = (struct module_version){policy, stored->version, stored->until_ms};
        return 0;
}

int modules_replace(struct modules *m, const char *name, const struct stored_policy *versions, size_t n,
                    struct err *err)
{
        struct module_version *all = mem_zalloc(m->n + n, sizeof(*all));
        size_t read = 0;
        int r = all ? 0 : err_nomem(err);

        for (; r >= 0 && read < n; read += r >= 0)
                r = read_version(&versions[read], &all[read], err);
        if (r < 0) {
                for (size_t i = 0; i < read; i++)
                        unref(&all[i]);
                free(all);
                return r;
        }
        modules_remove(m, name);
        for (size_t i = 0; i < m->n; i++)
                all[n + i] = m->v[i];
        free(m->v);
        m->v = all;
        m->n += n;
        return 0;
}

const struct module_version *modules_all(const struct modules *m, size_t *ret_n)
{
        *ret_n = m->n;
        return m->v;
}

int64_t modules_newest(const struct modules *m, const char *name)
{
        int64_t newest = 0;

        for (size_t i = 0; i < m->n; i++)
                if (has_name(&m->v[i], name) && m->v[i].version > newest)
                        newest = m->v[i].version;
        return newest;
}
