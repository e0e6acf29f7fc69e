/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predicting the register. A history is first a choice: one digest for every file that is there at boot
 * (optional runtimes may be absent); and then updates in place: a file goes from one digest to one that is
 * listed after it, and the new digest is extended on top of all others. Histories are made in waves: all
 * choices, then everything that is one update away from the wave before. So the likely ones, few updates,
 * come first, and 64 are enough for people. Spec: SR-18.
 */
#include "policy/predict.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "policy/policy_impl.h"

struct maker {
        const struct policy *p;
        int64_t now_ms;
        struct predictions *out;
        struct digest zero;
        uint32_t *same;                     /* per file, the first file with its path: a library that two
                                               runtimes share is measured once */
        const struct policy_digest **there; /* per file, as `same` counts them: chosen, or NULL */
};

static void maker_done(struct maker *m)
{
        free(m->same);
        free(m->there);
}

static int find_same(struct maker *m, struct err *err)
{
        AUTO(map_done) struct map paths;

        map_init(&paths, NULL);
        m->same = mem_zalloc(m->p->n_files + 1, sizeof(*m->same));
        m->there = mem_zalloc(m->p->n_files + 1, sizeof(*m->there));
        if (!m->same || !m->there)
                return err_nomem(err);
        for (uint32_t f = 0; f < m->p->n_files; f++) {
                const char *path = m->p->files[f].path;
                uintptr_t first = *path ? (uintptr_t)map_get(&paths, path) : 0;

                m->same[f] = first ? (uint32_t)first - 1 : f;
                if (*path && !first && map_put(&paths, path, (void *)((uintptr_t)f + 1)) < 0)
                        return err_nomem(err);
        }
        return 0;
}

/* Copies STEPS and one more (NULL: none) as the next prediction, and computes its value. */
static int add_history(struct maker *m, const struct policy_digest *const *steps, size_t n,
                       const struct policy_digest *more, size_t n_updates, struct err *err)
{
        struct prediction *p;

        if (m->out->n == PREDICT_MAX) {
                m->out->more = true;
                return 0;
        }
        p = &m->out->v[m->out->n];
        p->steps = mem_zalloc(n + 1, sizeof(*p->steps));
        if (!p->steps)
                return err_nomem(err);
        m->out->n++;
        if (n)
                memcpy(p->steps, steps, n * sizeof(*steps));
        if (more)
                p->steps[n++] = more;
        p->n_steps = n;
        p->n_updates = n_updates;
        p->value = m->zero;
        for (size_t i = 0; i < n; i++) {
                int r = digest_extend(&p->value, VIEW(p->steps[i]->bytes, m->p->digest_size), err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static bool usable(const struct maker *m, const struct policy_digest *d)
{
        return d->until_ms > m->now_ms && !policy_find_denied(m->p, d->bytes);
}

/*
 * A choice is a row of digits, one per runtime (1: this optional runtime is absent) and then one per file:
 * which of its digests, counted back from the newest.
 */
static const struct policy_digest *chosen(const struct maker *m, size_t file, size_t digit)
{
        const struct policy_file *f = &m->p->files[file];

        return &m->p->digests[f->first + f->n - 1 - digit];
}

/* Is the choice a boot that can be, and not one that another choice says too? */
static bool collect(const struct maker *m, const size_t *digits, const struct policy_digest **steps,
                    size_t *ret_n)
{
        const struct policy *p = m->p;
        const size_t *of_files = digits + p->n_runtimes;
        size_t n = 0;

        memset(m->there, 0, p->n_files * sizeof(const struct policy_digest *));
        for (size_t r = 0; r < p->n_runtimes; r++) {
                const struct policy_runtime *runtime = &p->runtimes[r];

                for (size_t f = runtime->first; f < runtime->first + runtime->n; f++) {
                        const struct policy_digest *d = chosen(m, f, of_files[f]), **before;

                        if (digits[r] && of_files[f])
                                return false;
                        if (digits[r])
                                continue;
                        if (!usable(m, d))
                                return false;
                        before = &m->there[m->same[f]];
                        if (*before && policy_order((*before)->bytes, d->bytes, p->digest_size) != 0)
                                return false;
                        if (!*before)
                                steps[n++] = d;
                        *before = d;
                }
        }
        *ret_n = n;
        return true;
}

/* The next choice, like a counter, the last file fastest. */
static bool next_choice(const struct policy *p, size_t *digits)
{
        for (size_t i = p->n_runtimes + p->n_files; i-- > 0;) {
                size_t last =
                        i < p->n_runtimes ? !p->runtimes[i].required : p->files[i - p->n_runtimes].n - 1;

                if (digits[i] < last) {
                        digits[i]++;
                        return true;
                }
                digits[i] = 0;
        }
        return false;
}

#define CHOICES_TRIED_MAX 100000 /* of which most are no boot that can be; then we stop looking */

/* All that can be there after boot. */
static int first_wave(struct maker *m, struct err *err)
{
        AUTO(mem_free_p)
        const struct policy_digest **steps = mem_zalloc(m->p->n_files + 1, sizeof(*steps));
        AUTO(mem_free_p)
        size_t *digits = mem_zalloc(m->p->n_runtimes + m->p->n_files + 1, sizeof(*digits));
        size_t tried = 0, n;

        if (!steps || !digits)
                return err_nomem(err);
        do {
                if (++tried > CHOICES_TRIED_MAX) {
                        m->out->more = true;
                        return 0;
                }
                if (!collect(m, digits, steps, &n))
                        continue;
                if (add_history(m, steps, n, NULL, 0, err) < 0)
                        return -(int)err->kind;
        } while (!m->out->more && next_choice(m->p, digits));
        return 0;
}

/* The file's newest digest in a history. */
static const struct policy_digest *current(const struct prediction *p, uint32_t file)
{
        for (size_t i = p->n_steps; i-- > 0;)
                if (p->steps[i]->file == file)
                        return p->steps[i];
        return NULL;
}

/* Everything that is one update away from history number I. */
static int updates_of(struct maker *m, size_t i, struct err *err)
{
        for (uint32_t f = 0; f < m->p->n_files; f++) {
                const struct policy_file *file = &m->p->files[f];
                const struct policy_digest *now = current(&m->out->v[i], f);

                if (!now)
                        continue;
                for (const struct policy_digest *d = now + 1; d < m->p->digests + file->first + file->n;
                     d++) {
                        const struct prediction *from = &m->out->v[i];

                        if (usable(m, d) &&
                            add_history(m, from->steps, from->n_steps, d, from->n_updates + 1, err) < 0)
                                return -(int)err->kind;
                }
        }
        return 0;
}

int policy_predict(const struct policy *p, int64_t now_ms, struct predictions **ret, struct err *err)
{
        AUTO(predictions_free_p)
        struct predictions *out = mem_zalloc(1, sizeof(*out));
        AUTO(maker_done) struct maker m = {.p = p, .now_ms = now_ms, .out = out};
        int r;

        if (!out)
                return err_nomem(err);
        digest_zero(p->bank, &m.zero);
        out->foreign = p->n_records > 0;
        r = find_same(&m, err);
        if (r == 0)
                r = first_wave(&m, err);
        for (size_t i = 0; r == 0 && i < out->n && !out->more; i++)
                r = updates_of(&m, i, err);
        if (r < 0)
                return r;
        *ret = TAKE(out);
        return 0;
}

void predictions_free(struct predictions *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < p->n; i++)
                free(p->v[i].steps);
        free(p);
}
