/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a policy's text says to what appraisal asks. A fleet's policy may hold 200,000 digests, and every
 * host's every record is looked up in it: so all digests lie in one block, one array says what each of them
 * means, and an index of their numbers, sorted by value, is searched by halving. The arrays grow while the
 * text is read, so pointers into them are set only once all is there.
 */
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/policy_impl.h"

void policy_build_init(struct policy_build *b, enum digest_alg bank)
{
        *b = (struct policy_build){
                .head = {.name = "",
                         .description = "",
                         .source = "",
                         .bank = bank,
                         .digest_size = digest_size(bank),
                         .format = 1,
                         .pcr = 15,
                         .on_fail = {.destroy_after_ms = POLICY_DESTROY_DEFAULT},
                         .enforced = true},
                .runtimes = {.size = sizeof(struct policy_runtime)},
                .files = {.size = sizeof(struct policy_file)},
                .digests = {.size = sizeof(struct policy_digest)},
                .records = {.size = sizeof(struct policy_record)},
                .denied = {.size = sizeof(struct policy_digest)},
                .parts = {.size = sizeof(struct policy_part)},
                .ends = {.size = sizeof(int64_t)},
        };
}

void policy_pcrs_done(struct policy_pcr *pcrs)
{
        for (size_t i = 0; i < POLICY_PCRS; i++) {
                free(pcrs[i].values);
                free(pcrs[i].lines);
        }
}

void policy_build_done(struct policy_build *b)
{
        free(b->runtimes.p);
        free(b->files.p);
        free(b->digests.p);
        free(b->records.p);
        free(b->denied.p);
        free(b->parts.p);
        free(b->ends.p);
        buf_free(&b->digest_bytes);
        buf_free(&b->denied_bytes);
        strv_done(&b->strings);
        policy_pcrs_done(b->head.pcrs);
        policy_keeper_done(&b->keeper);
        *b = (struct policy_build){0};
}

const char *policy_build_string(struct policy_build *b, const char *s)
{
        if (strv_add(&b->strings, s) < 0)
                return NULL;
        return b->strings.items[b->strings.n - 1];
}

int policy_vec_add(struct policy_vec *v, const void *element, size_t limit, const char *what, struct err *err)
{
        if (v->n >= limit)
                return err_set(err, ERR_LIMIT, 0, "more than %zu %s", limit, what);
        if (v->n == v->cap) {
                size_t cap = v->cap ? 2 * v->cap : 16;
                void *p = mem_resize(v->p, cap, v->size);

                if (!p)
                        return err_nomem(err);
                v->p = p;
                v->cap = cap;
        }
        memcpy((uint8_t *)v->p + v->n++ * v->size, element, v->size);
        return 0;
}

void policy_keeper_done(struct policy_keeper *k)
{
        while (k->n > 0) {
                k->n--;
                k->items[k->n].free_fn(k->items[k->n].p);
        }
        free(k->items);
        *k = (struct policy_keeper){0};
}

void *policy_build_keep(struct policy_build *b, void *p, void (*free_fn)(void *))
{
        struct policy_keeper *k = &b->keeper;

        if (k->n == k->cap) {
                size_t cap = k->cap ? 2 * k->cap : 16;
                struct policy_kept *items = mem_resize(k->items, cap, sizeof(*items));

                if (!items) {
                        free_fn(p);
                        return NULL;
                }
                k->items = items;
                k->cap = cap;
        }
        k->items[k->n++] = (struct policy_kept){p, free_fn};
        return p;
}

void *policy_build_zeroed(struct policy_build *b, size_t n, size_t size, struct err *err)
{
        void *p = mem_zalloc(n, size);

        if (p)
                p = policy_build_keep(b, p, free);
        if (!p)
                (void)err_nomem(err);
        return p;
}

void *policy_build_keep_vec(struct policy_build *b, struct policy_vec *v)
{
        void *p = v->p ? TAKE(v->p) : mem_alloc(0);

        v->n = v->cap = 0;
        return p ? policy_build_keep(b, p, free) : NULL;
}

int policy_build_part(struct policy_build *b, struct policy_part part, struct err *err)
{
        return policy_vec_add(&b->parts, &part, POLICY_PARTS_MAX, "layers", err);
}

int policy_build_end(struct policy_build *b, int64_t until_ms, struct err *err)
{
        if (until_ms == POLICY_NEVER)
                return 0;
        return policy_vec_add(&b->ends, &until_ms, POLICY_DIGESTS_MAX, "ends", err);
}

int policy_build_runtime(struct policy_build *b, const char *name, bool required, uint32_t line,
                         struct err *err)
{
        struct policy_runtime r = {
                .name = policy_build_string(b, name),
                .required = required,
                .line = line,
                .first = (uint32_t)b->files.n,
        };

        if (!r.name)
                return err_nomem(err);
        return policy_vec_add(&b->runtimes, &r, POLICY_RUNTIMES_MAX, "runtimes", err);
}

int policy_build_file(struct policy_build *b, const char *path, uint32_t line, struct err *err)
{
        struct policy_runtime *runtime = (struct policy_runtime *)b->runtimes.p + b->runtimes.n - 1;
        struct policy_file f = {
                .path = policy_build_string(b, path),
                .runtime = (uint32_t)b->runtimes.n - 1,
                .line = line,
                .first = (uint32_t)b->digests.n,
        };
        int r;

        if (!f.path)
                return err_nomem(err);
        r = policy_vec_add(&b->files, &f, POLICY_DIGESTS_MAX, "files", err);
        if (r < 0)
                return r;
        runtime->n++;
        return 0;
}

static int add_bytes(struct policy_build *b, struct buf *to, struct view bytes, struct err *err)
{
        if (bytes.len != b->head.digest_size)
                return err_set(err, ERR_BUG, 0, "a digest of %zu bytes in bank %s", bytes.len,
                               digest_name(b->head.bank));
        buf_put_view(to, bytes);
        return buf_ok(to) ? 0 : err_nomem(err);
}

/* A comment of the caller's becomes the policy's. */
static int own_comment(struct policy_build *b, const char **comment, struct err *err)
{
        if (*comment) {
                *comment = policy_build_string(b, *comment);
                if (!*comment)
                        return err_nomem(err);
        }
        return 0;
}

int policy_build_digest(struct policy_build *b, struct view bytes, struct policy_digest d, struct err *err)
{
        int r;

        if (d.file != POLICY_NO_FILE)
                d.file = (uint32_t)b->files.n - 1;
        r = own_comment(b, &d.comment, err);
        if (r < 0)
                return r;
        r = policy_vec_add(&b->digests, &d, POLICY_DIGESTS_MAX, "digests", err);
        if (r < 0)
                return r;
        r = add_bytes(b, &b->digest_bytes, bytes, err);
        if (r < 0)
                return r;
        if (d.file != POLICY_NO_FILE)
                ((struct policy_file *)b->files.p)[d.file].n++;
        return 0;
}

int policy_build_denied(struct policy_build *b, struct view bytes, struct policy_digest d, struct err *err)
{
        int r;

        d.file = POLICY_NO_FILE;
        r = own_comment(b, &d.comment, err);
        if (r < 0)
                return r;
        r = policy_vec_add(&b->denied, &d, POLICY_DIGESTS_MAX, "denied digests", err);
        return r < 0 ? r : add_bytes(b, &b->denied_bytes, bytes, err);
}

int policy_build_record(struct policy_build *b, struct policy_record rec, struct err *err)
{
        int r = own_comment(b, &rec.comment, err);

        if (r < 0)
                return r;
        if (rec.string) {
                rec.string = policy_build_string(b, rec.string);
                if (!rec.string)
                        return err_nomem(err);
        }
        return policy_vec_add(&b->records, &rec, POLICY_DIGESTS_MAX, "records", err);
}

int policy_build_pcr_value(struct policy_build *b, unsigned pcr, struct view bytes, uint32_t line,
                           struct err *err)
{
        struct policy_pcr *slot;
        struct digest *values;
        uint32_t *lines;

        if (pcr >= POLICY_PCRS)
                return err_set(err, ERR_BUG, 0, "PCR %u", pcr);
        slot = &b->head.pcrs[pcr];
        if (slot->n >= POLICY_PCR_VALUES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u values for PCR %u", POLICY_PCR_VALUES_MAX,
                               pcr);
        values = mem_resize(slot->values, slot->n + 1, sizeof(*values));
        if (!values)
                return err_nomem(err);
        slot->values = values;
        lines = mem_resize(slot->lines, slot->n + 1, sizeof(*lines));
        if (!lines)
                return err_nomem(err);
        slot->lines = lines;
        if (digest_set(b->head.bank, bytes, &slot->values[slot->n], err) < 0)
                return -(int)err->kind;
        slot->lines[slot->n++] = line;
        if (slot->n == 1)
                slot->line = line;
        b->head.pcr_mask |= 1u << pcr;
        return 0;
}

/* Orders digest numbers by the digests' values, equal ones by their place in the text. */
static int by_value(const void *a, const void *b, void *set)
{
        const struct policy_index *x = set;
        uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
        int order = policy_order(x->entries[i].bytes, x->entries[j].bytes, x->digest_size);

        return order ? order : (i > j) - (i < j);
}

/* Gives every entry its bytes and sorts their numbers. */
static int index_make(struct policy_vec *entries, struct buf *bytes, size_t size, struct policy_index *ret,
                      struct err *err)
{
        struct policy_digest *d = entries->p;

        ret->n = entries->n;
        ret->digest_size = size;
        ret->order = mem_zalloc(entries->n, sizeof(*ret->order));
        if (!ret->order)
                return err_nomem(err);
        ret->entries = TAKE(entries->p);
        ret->bytes = bytes->p;
        *bytes = (struct buf){0};
        for (size_t i = 0; i < ret->n; i++) {
                d[i].bytes = ret->bytes + i * size;
                ret->order[i] = (uint32_t)i;
        }
        if (ret->n > 1)
                qsort_r(ret->order, ret->n, sizeof(*ret->order), by_value, ret);
        return 0;
}

static int by_time(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* Layers, and the times at which something in them ends, in order and once each. */
static void finish_parts(struct policy_build *b, struct policy_impl *impl)
{
        struct policy *p = &impl->policy;
        int64_t *ends = b->ends.p;
        size_t n = 0;

        p->n_parts = b->parts.n;
        p->parts = impl->parts = TAKE(b->parts.p);
        impl->keeper = b->keeper;
        b->keeper = (struct policy_keeper){0};
        if (b->ends.n > 1)
                qsort(ends, b->ends.n, sizeof(*ends), by_time);
        for (size_t i = 0; i < b->ends.n; i++)
                if (n == 0 || ends[n - 1] != ends[i])
                        ends[n++] = ends[i];
        p->n_ends = n;
        p->ends = impl->ends = TAKE(b->ends.p);
}

int policy_build_finish(struct policy_build *b, struct view text, struct policy **ret, struct err *err)
{
        AUTO(policy_impl_free_p)
        struct policy_impl *impl = mem_zalloc(1, sizeof(*impl));
        struct policy *p;
        int r;

        if (!impl)
                return err_nomem(err);
        impl->refs = 1;
        p = &impl->policy;
        *p = b->head;
        memset(b->head.pcrs, 0, sizeof(b->head.pcrs));
        impl->strings = b->strings;
        b->strings = (struct strv){0};
        r = digest_bytes(DIGEST_SHA256, text, &p->sha256, err);
        if (r < 0)
                return r;
        r = index_make(&b->digests, &b->digest_bytes, p->digest_size, &impl->allowed, err);
        if (r < 0)
                return r;
        r = index_make(&b->denied, &b->denied_bytes, p->digest_size, &impl->denied, err);
        if (r < 0)
                return r;
        p->digests = impl->allowed.entries;
        p->n_digests = impl->allowed.n;
        p->denied = impl->denied.entries;
        p->n_denied = impl->denied.n;
        p->n_runtimes = b->runtimes.n;
        p->runtimes = impl->runtimes = TAKE(b->runtimes.p);
        p->n_files = b->files.n;
        p->files = impl->files = TAKE(b->files.p);
        p->n_records = b->records.n;
        p->records = impl->records = TAKE(b->records.p);
        finish_parts(b, impl);
        if (p->judges_log)
                p->pcr_mask |= 1u << p->pcr;
        *ret = &TAKE(impl)->policy;
        return 0;
}
