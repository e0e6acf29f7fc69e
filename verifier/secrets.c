/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host is told of its secrets: a digest of the set, and the floor that its counter is to be raised to.
 * They are kept with the host, so that an answer costs no query, and are read when the host first shows up
 * and after every change. Two reads may overtake each other: the one that was asked last counts.
 */
#include "verifier/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "verifier/verifier.h"
#include "verifier/wait.h"

/* A read that is under way. */
struct learning {
        struct verifier *v;
        uint64_t serial; /* of the host */
        uint64_t turn;
        char name[WIRE_HOST_MAX + 1];
};

static void put_document(struct buf *ret, const char *text, bool *first)
{
        buf_str(ret, *first ? "" : ",");
        buf_str(ret, text);
        *first = false;
}

void secrets_compose(const struct verifier_set *set, struct buf *ret)
{
        bool first = true;

        buf_str(ret, "{\"approvals\":[");
        for (size_t i = 0; i < set->n_approvals; i++)
                if (!set->approvals[i].withdrawn_at_ms)
                        put_document(ret, set->approvals[i].text, &first);
        buf_fmt(ret, "],\"floor\":%lld,\"secrets\":[", (long long)set->floor);
        first = true;
        for (size_t i = 0; i < set->n_secrets; i++)
                put_document(ret, set->secrets[i].text, &first);
        buf_str(ret, "]}");
}

/* Return: did what the host is to be told change? */
static bool take(struct host *host, const struct verifier_set *set, const struct digest *d)
{
        struct host_secrets *s = &host->secrets;
        bool same = s->known && s->floor == (uint64_t)set->floor &&
                    equal_ct(s->digest, sizeof(s->digest), d->b, d->len);

        s->known = true;
        s->floor = (uint64_t)set->floor;
        memcpy(s->digest, d->b, sizeof(s->digest));
        return !same;
}

static void on_learnt(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                      const struct err *e)
{
        AUTO(mem_free_p) struct learning *l = ctx;
        AUTO(buf_free) struct buf text = {0};
        struct host *host = hosts_find(l->v->hosts, l->name);
        struct err err = e ? *e : (struct err)ERR_INIT;
        struct digest d;
        int r = 0;

        if (!host || host->serial != l->serial || host->secrets.turn != l->turn)
                return;
        host->secrets.asked = false;
        if (outcome != STORE_FAILED) {
                secrets_compose(set, &text);
                r = buf_ok(&text) ? digest_bytes(DIGEST_SHA256, VIEW_BUF(&text), &d, &err) : err_nomem(&err);
        }
        if (outcome == STORE_FAILED || r < 0) {
                log_err(&err, "reading the secrets of host %s", SHOW(l->name));
                return;
        }
        if (take(host, set, &d))
                wait_notify(l->v, l->name);
}

static void learn(struct verifier *v, struct host *host)
{
        struct learning *l = mem_zalloc(1, sizeof(*l));
        struct err err = ERR_INIT;

        if (l) {
                *l = (struct learning){.v = v, .serial = host->serial, .turn = ++host->secrets.turn};
                (void)snprintf(l->name, sizeof(l->name), "%s", host->e.name); /* a host id has at most 80 */
                host->secrets.asked = true;
        }
        if (!l || verifier_db_secrets_of(v->db, host->e.tenant, host->e.name, on_learnt, l, &err) < 0) {
                host->secrets.asked = false;
                free(l);
                log_error("host %s: out of memory for its secrets; tried again at its next evidence",
                          SHOW(host->e.name));
        }
}

void secrets_learn(struct verifier *v, struct host *host)
{
        if (!host->secrets.known && !host->secrets.asked && !host->e.keylime)
                learn(v, host);
}

void secrets_changed(struct verifier *v, const char *name)
{
        struct host *host = hosts_find(v->hosts, name);

        if (host)
                learn(v, host);
}

const char *secrets_approval_state(const struct verifier_approval *a, const struct host *host)
{
        if (!a->withdrawn_at_ms)
                return "active";
        return host && host->s.counters.known && host->s.counters.floor > (uint64_t)a->version ? "withdrawn"
                                                                                               : "pending";
}
