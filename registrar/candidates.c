/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of candidates. A name that is only claimed must not keep its owner out, so a claim takes nothing:
 * any number of sources can claim one name, and the one that proves it gets it. What has to be prevented is
 * that a flood of claims pushes the owner's out before its TPM has answered (a second or so). Hence the rule
 * of eviction: the loser is always of the source with the most candidates in the full group, so that somebody
 * with one candidate loses it only to as many sources as the group has places.
 *
 * Candidates stand in one array, oldest first; all searches are walks over it. It has 65,536 places at most.
 *
 * Spec: SR-9.
 */
#include "candidates.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct candidates {
        struct candidates_limits limits;
        struct candidate **v; /* oldest first */
        size_t n, bytes;
        struct map sources; /* address → size_t *: how many */
};

void candidate_free(struct candidate *c)
{
        if (!c)
                return;
        mem_wipe(c->tag, sizeof(c->tag));
        identity_free(&c->identity);
        free(c->host_note);
        free(c);
}

int candidates_new(const struct candidates_limits *limits, struct candidates **ret, struct err *err)
{
        AUTO(candidates_free_p)
        struct candidates *t = mem_zalloc(1, sizeof(*t));

        if (!t)
                return err_nomem(err);
        t->limits = *limits;
        map_init(&t->sources, free);
        t->v = mem_zalloc(limits->total + 1, sizeof(struct candidate *));
        if (!t->v)
                return err_nomem(err);
        *ret = TAKE(t);
        return 0;
}

void candidates_free(struct candidates *t)
{
        if (!t)
                return;
        for (size_t i = 0; i < t->n; i++)
                candidate_free(t->v[i]);
        free(t->v);
        map_done(&t->sources);
        free(t);
}

static size_t bytes_of(const struct candidate *c)
{
        const struct identity *id = &c->identity;

        return sizeof(*c) + id->ek.len + id->ek_cert.len + id->ak.len +
               (id->mtls_cert ? strlen(id->mtls_cert) : 0) + (id->ek_findings ? strlen(id->ek_findings) : 0);
}

static size_t source_count(const struct candidates *t, const char *source)
{
        const size_t *n = map_get(&t->sources, source);

        return n ? *n : 0;
}

static int source_more(struct candidates *t, const char *source)
{
        size_t *n = map_get(&t->sources, source);

        if (!n) {
                n = mem_zalloc(1, sizeof(*n));
                if (!n || map_put(&t->sources, source, n) < 0) {
                        free(n);
                        return -1;
                }
        }
        ++*n;
        return 0;
}

/* Takes the I-th out of the table. */
static struct candidate *take_at(struct candidates *t, size_t i)
{
        struct candidate *c = t->v[i];
        size_t *n = map_get(&t->sources, c->source);

        memmove(t->v + i, t->v + i + 1, (t->n - i - 1) * sizeof(struct candidate *));
        t->n--;
        t->bytes -= bytes_of(c);
        if (n && --*n == 0)
                (void)map_remove(&t->sources, c->source); /* it is there */
        return c;
}

/* The oldest of SOURCE, under NAME if one is given; t->n if there is none. */
static size_t oldest_of(const struct candidates *t, const char *source, const char *name)
{
        for (size_t i = 0; i < t->n; i++)
                if (strcmp(t->v[i]->source, source) == 0 && (!name || strcmp(t->v[i]->name, name) == 0))
                        return i;
        return t->n;
}

static size_t count_name_source(const struct candidates *t, const char *name, const char *source)
{
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
                n += strcmp(t->v[i]->name, name) == 0 && (!source || strcmp(t->v[i]->source, source) == 0);
        return n;
}

/* Who has the most candidates under NAME, or in all; among equals the one with the oldest. */
static const char *greediest(const struct candidates *t, const char *name)
{
        const char *source = NULL;
        size_t most = 0;

        for (size_t i = 0; i < t->n; i++) {
                size_t n;

                if (name && strcmp(t->v[i]->name, name) != 0)
                        continue;
                n = name ? count_name_source(t, name, t->v[i]->source) : source_count(t, t->v[i]->source);
                if (n > most) {
                        most = n;
                        source = t->v[i]->source;
                }
        }
        return source;
}

static void make_room(struct candidates *t, const struct candidate *c)
{
        if (count_name_source(t, c->name, NULL) >= t->limits.per_name)
                candidate_free(take_at(t, oldest_of(t, greediest(t, c->name), c->name)));
        if (source_count(t, c->source) >= t->limits.per_source)
                candidate_free(take_at(t, oldest_of(t, c->source, NULL)));
        while (t->n >= t->limits.total || (t->n > 0 && t->bytes + bytes_of(c) > CANDIDATES_BYTES_MAX))
                candidate_free(take_at(t, oldest_of(t, greediest(t, NULL), NULL)));
}

int candidates_put_back(struct candidates *t, struct candidate *c, int64_t now_ms, struct err *err)
{
        (void)candidates_expire(t, now_ms); /* the number that is left is not asked for */
        make_room(t, c);
        if (source_more(t, c->source) < 0) {
                candidate_free(c);
                return err_nomem(err);
        }
        t->v[t->n++] = c;
        t->bytes += bytes_of(c);
        return 0;
}

int candidates_add(struct candidates *t, struct candidate *c, int64_t now_ms, struct err *err)
{
        c->expires_at_ms = now_ms + t->limits.lifetime_ms;
        return candidates_put_back(t, c, now_ms, err);
}

enum candidates_answer candidates_take(struct candidates *t, const char *name,
                                       const uint8_t tag[static WIRE_AUTH_TAG_BYTES], int64_t now_ms,
                                       struct candidate **ret)
{
        enum candidates_answer answer = CANDIDATE_UNKNOWN;

        for (size_t i = 0; i < t->n; i++) {
                const struct candidate *c = t->v[i];

                if (c->expires_at_ms <= now_ms || strcmp(c->name, name) != 0)
                        continue;
                answer = CANDIDATE_WRONG;
                if (equal_ct(c->tag, sizeof(c->tag), tag, WIRE_AUTH_TAG_BYTES)) {
                        *ret = take_at(t, i);
                        return CANDIDATE_TAKEN;
                }
        }
        return answer;
}

void candidates_drop(struct candidates *t, const char *name)
{
        for (size_t i = 0; i < t->n;)
                if (strcmp(t->v[i]->name, name) == 0)
                        candidate_free(take_at(t, i));
                else
                        i++;
}

size_t candidates_expire(struct candidates *t, int64_t now_ms)
{
        for (size_t i = 0; i < t->n;)
                if (t->v[i]->expires_at_ms <= now_ms)
                        candidate_free(take_at(t, i));
                else
                        i++;
        return t->n;
}

size_t candidates_count(const struct candidates *t)
{
        return t->n;
}

size_t candidates_count_name(const struct candidates *t, const char *name)
{
        return count_name_source(t, name, NULL);
}
