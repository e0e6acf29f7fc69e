/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/permits.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

/* Of one host; a host without one has none of these. */
struct open_permits {
        struct ledger_permit *v;
        size_t n, cap;
};

struct permits {
        struct map hosts;
};

static void free_open(void *p)
{
        struct open_permits *o = p;

        free(o->v);
        free(o);
}

int permits_new(struct permits **ret, struct err *err)
{
        struct permits *p = mem_zalloc(1, sizeof(*p));

        if (!p)
                return err_nomem(err);
        map_init(&p->hosts, free_open);
        *ret = p;
        return 0;
}

void permits_free(struct permits *p)
{
        if (!p)
                return;
        map_done(&p->hosts);
        free(p);
}

static struct open_permits *open_of(struct permits *p, const char *host)
{
        struct open_permits *o = map_get(&p->hosts, host);

        if (o)
                return o;
        o = mem_zalloc(1, sizeof(*o));
        if (o && map_put(&p->hosts, host, o) < 0) {
                free(o);
                return NULL;
        }
        return o;
}

int permits_add(struct permits *p, const char *host, const struct ledger_permit *permit, struct err *err)
{
        struct open_permits *o = open_of(p, host);

        if (!o)
                return err_nomem(err);
        if (o->n >= LEDGER_OPEN_MAX)
                return err_set(err, ERR_LIMIT, 0, "host '%s' has %d permits that are open", host,
                               LEDGER_OPEN_MAX);
        if (o->n == o->cap) {
                size_t cap = o->cap ? 2 * o->cap : 2;
                struct ledger_permit *grown = mem_resize(o->v, cap, sizeof(*grown));

                if (!grown)
                        return err_nomem(err);
                o->v = grown;
                o->cap = cap;
        }
        o->v[o->n++] = *permit;
        return 0;
}

const struct ledger_permit *permits_of(const struct permits *p, const char *host, size_t *ret_n)
{
        const struct open_permits *o = map_get(&p->hosts, host);

        *ret_n = o ? o->n : 0;
        return o ? o->v : NULL;
}

static void mark(struct open_permits *o, const struct ledger_mark *m)
{
        for (size_t i = 0; i < o->n; i++) {
                if (!str_equal(o->v[i].id, m->id))
                        continue;
                o->v[i].recorded |= m->recorded;
                if (m->closed)
                        o->v[i] = o->v[--o->n]; /* their order means nothing */
                return;
        }
}

void permits_mark(struct permits *p, const char *host, const struct ledger_mark *marks, size_t n)
{
        struct open_permits *o = n ? map_get(&p->hosts, host) : NULL;

        for (size_t i = 0; o && i < n; i++)
                mark(o, &marks[i]);
        if (o && o->n == 0)
                permits_drop(p, host);
}

void permits_drop(struct permits *p, const char *host)
{
        struct open_permits *o = map_take(&p->hosts, host);

        if (o)
                free_open(o);
}
