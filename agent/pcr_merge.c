/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging two logs of one register. Timestamps say roughly who came first, the value that our records saw
 * before their extend says it exactly, and the replay decides: a depth-first search over the interleavings,
 * which goes wrong only where both writers extended within the same moment, and is bounded for logs made to
 * be hard. Spec: SR-18.
 */
#include "agent/pcr_merge.h"

#include <stdint.h>

#include "base/mem.h"

#define STEPS_MAX 200000

enum side { SIDE_A, SIDE_B, SIDE_NONE };

/* One place in the order: the value before it, what was tried there, how far both lists were used. */
struct place {
        struct digest before;
        uint8_t tried; /* number of sides */
        enum side first, taken;
        size_t i;
};

struct search {
        const struct cel_record *const *a, *const *b;
        size_t n_a, n_b;
        struct place *places;
};

static int extend(struct digest *value, const struct cel_record *r, struct err *err)
{
        const struct digest *d = cel_record_digest(r, value->alg);

        return d ? digest_extend(value, digest_view(d), err) : 0;
}

int pcr_replay(const struct cel_record *const *records, size_t n, enum digest_alg bank, struct digest *ret,
               struct err *err)
{
        struct digest value;
        int r = 0;

        digest_zero(bank, &value);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = extend(&value, records[i], err);
        if (r >= 0)
                *ret = value;
        return r;
}

/* Which list most likely goes on when the register holds VALUE. */
static enum side likely(const struct search *s, size_t i, size_t j, const struct digest *value)
{
        if (i == s->n_a)
                return SIDE_B;
        if (j == s->n_b)
                return SIDE_A;
        for (size_t k = 0; k < s->a[i]->n_before; k++)
                if (s->a[i]->before[k].alg == value->alg)
                        return digest_equal(&s->a[i]->before[k], value) ? SIDE_A : SIDE_B;
        return s->a[i]->has_timestamp && s->b[j]->has_timestamp &&
                               s->a[i]->timestamp_us <= s->b[j]->timestamp_us
                       ? SIDE_A
                       : SIDE_B;
}

static enum side next_side(const struct search *s, struct place *p, size_t at)
{
        size_t j = at - p->i;

        while (p->tried < 2) {
                enum side side = p->tried == 0 ? p->first : p->first == SIDE_A ? SIDE_B : SIDE_A;

                p->tried++;
                if (side == SIDE_A ? p->i < s->n_a : j < s->n_b)
                        return side;
        }
        return SIDE_NONE;
}

/* Return: 1 if the places now hold an order that leads to NOW; 0 if there is none within the bound; < 0. */
static int search(struct search *s, const struct digest *now, struct err *err)
{
        size_t n = s->n_a + s->n_b, at = 0;

        digest_zero(now->alg, &s->places[0].before);
        s->places[0].i = 0;
        s->places[0].tried = 0;
        s->places[0].first = n ? likely(s, 0, 0, &s->places[0].before) : SIDE_A;
        for (size_t step = 0; step < STEPS_MAX; step++) {
                struct place *p = &s->places[at], *next;
                enum side side;
                int r;

                if (at == n && digest_equal(&p->before, now))
                        return 1;
                side = at == n ? SIDE_NONE : next_side(s, p, at);
                if (side == SIDE_NONE) {
                        if (at-- == 0)
                                return 0;
                        continue;
                }
                p->taken = side;
                next = &s->places[++at];
                *next = (struct place){.before = p->before, .i = p->i + (side == SIDE_A)};
                r = extend(&next->before, side == SIDE_A ? s->a[p->i] : s->b[at - 1 - p->i], err);
                if (r < 0)
                        return r;
                next->first = at < n ? likely(s, next->i, at - next->i, &next->before) : SIDE_A;
        }
        return 0;
}

/* By time where both say it, else A first: for a log that explains nothing anyway. */
static void by_time(const struct search *s, const struct cel_record **order)
{
        size_t i = 0, j = 0;

        while (i < s->n_a || j < s->n_b) {
                bool a = j == s->n_b || (i < s->n_a && !(s->a[i]->has_timestamp && s->b[j]->has_timestamp &&
                                                         s->b[j]->timestamp_us < s->a[i]->timestamp_us));

                order[i + j] = a ? s->a[i] : s->b[j];
                if (a)
                        i++;
                else
                        j++;
        }
}

static int explains_all(struct pcr_merge *m, const struct digest *now, size_t n_now, struct err *err)
{
        struct digest value;

        m->explains = true;
        for (size_t k = 0; k < n_now; k++) {
                int r = pcr_replay(m->order, m->n, now[k].alg, &value, err);

                if (r < 0)
                        return r;
                m->explains &= digest_equal(&value, &now[k]);
        }
        return 0;
}

int pcr_merge(const struct cel_record *const *a, size_t n_a, const struct cel_record *const *b, size_t n_b,
              const struct digest *now, size_t n_now, struct pcr_merge *ret, struct err *err)
{
        struct search s = {.a = a, .b = b, .n_a = n_a, .n_b = n_b};
        struct pcr_merge m = {.n = n_a + n_b};
        int r = 0;

        m.order = mem_zalloc(m.n, sizeof(struct cel_record *));
        if (!m.order)
                return err_nomem(err);
        if (n_b && m.n <= PCR_MERGE_MAX && n_now) {
                s.places = mem_zalloc(m.n + 1, sizeof(*s.places));
                r = s.places ? search(&s, &now[0], err) : err_nomem(err);
        }
        if (r == 1)
                for (size_t at = 0; at < m.n; at++)
                        m.order[at] =
                                s.places[at].taken == SIDE_A ? a[s.places[at].i] : b[at - s.places[at].i];
        else if (r == 0)
                by_time(&s, m.order);
        free(s.places);
        if (r >= 0)
                r = explains_all(&m, now, n_now, err);
        if (r < 0)
                pcr_merge_done(&m);
        else
                *ret = m;
        return r < 0 ? r : 0;
}

void pcr_merge_done(struct pcr_merge *m)
{
        free(m->order);
        m->order = NULL;
}
