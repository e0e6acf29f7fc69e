/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting hosts that are to be destroyed, by policy, and remembering which counts were too many. What is
 * counted lives in memory and is told anew at start from the hosts' own rows; holds are in the database.
 */
#include "verifier/fuse.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct fuse {
        struct map wanted; /* policy → map of host → its time */
        struct map holds;  /* policy → struct hold */
};

static void wanted_free(void *p)
{
        struct map *hosts = p;

        if (hosts)
                map_done(hosts);
        free(hosts);
}

static void hold_free_value(void *p)
{
        if (p)
                hold_free(p);
        free(p);
}

int fuse_new(struct fuse **ret, struct err *err)
{
        struct fuse *f = mem_zalloc(1, sizeof(*f));

        if (!f)
                return err_nomem(err);
        map_init(&f->wanted, wanted_free);
        map_init(&f->holds, hold_free_value);
        *ret = f;
        return 0;
}

void fuse_free(struct fuse *f)
{
        if (!f)
                return;
        map_done(&f->wanted);
        map_done(&f->holds);
        free(f);
}

int fuse_note(struct fuse *f, const char *policy, const char *host, int64_t at_ms, struct err *err)
{
        struct map *hosts = map_get(&f->wanted, policy);
        int64_t *at;

        if (!hosts) {
                hosts = mem_zalloc(1, sizeof(*hosts));
                if (!hosts)
                        return err_nomem(err);
                map_init(hosts, free);
                if (map_put(&f->wanted, policy, hosts) < 0) {
                        wanted_free(hosts);
                        return err_nomem(err);
                }
        }
        at = map_get(hosts, host);
        if (at) {
                *at = at_ms > *at ? at_ms : *at;
                return 0;
        }
        at = mem_zalloc(1, sizeof(*at));
        if (!at)
                return err_nomem(err);
        *at = at_ms;
        if (map_put(hosts, host, at) < 0) {
                free(at);
                return err_nomem(err);
        }
        return 0;
}

void fuse_expire(struct fuse *f, const struct fuse_limits *limits, int64_t now_ms)
{
        size_t pos = 0;
        struct view policy, host;
        void *value, *at;

        while (map_next(&f->wanted, &pos, &policy, &value)) {
                size_t inner = 0;

                while (map_next(value, &inner, &host, &at))
                        if (now_ms - *(int64_t *)at > limits->within_ms)
                                free(map_take_bytes(value, host));
                if (map_count(value) == 0)
                        wanted_free(map_take_bytes(&f->wanted, policy));
        }
}

size_t fuse_count(const struct fuse *f, const char *policy)
{
        const struct map *hosts = map_get(&f->wanted, policy);

        return hosts ? map_count(hosts) : 0;
}

bool fuse_too_many(const struct fuse_limits *limits, size_t count, size_t n_hosts)
{
        /* both are numbers of hosts: far below where this could overflow */
        return (int64_t)count > limits->hosts && (int64_t)count * 100 > limits->percent * (int64_t)n_hosts;
}

const struct hold *fuse_hold(const struct fuse *f, const char *policy)
{
        return map_get(&f->holds, policy);
}

bool fuse_holds(const struct fuse *f, const char *policy)
{
        const struct hold *one = map_get(&f->holds, policy), *all = map_get(&f->holds, "");

        return (one && !one->confirmed_by) || (all && !all->confirmed_by);
}

bool fuse_confirmed(const struct fuse *f, const char *policy, int64_t now_ms)
{
        const struct hold *hold = map_get(&f->holds, policy);

        return hold && hold->confirmed_by && now_ms < hold->until_ms;
}

int fuse_put_hold(struct fuse *f, struct hold *hold, struct err *err)
{
        struct hold *mine = mem_zalloc(1, sizeof(*mine));

        if (!mine)
                return err_nomem(err);
        *mine = *hold;
        if (map_put(&f->holds, hold->policy, mine) < 0) {
                free(mine);
                return err_nomem(err);
        }
        *hold = (struct hold){.policy = NULL};
        return 0;
}

void fuse_remove_hold(struct fuse *f, const char *policy)
{
        (void)map_remove(&f->holds, policy);
}

size_t fuse_n_holds(const struct fuse *f)
{
        return map_count(&f->holds);
}

const struct hold *fuse_next_hold(const struct fuse *f, size_t *pos)
{
        void *value;

        return map_next(&f->holds, pos, NULL, &value) ? value : NULL;
}
