/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's word on every entry of a measurement list that was replayed. A list has a hundred thousand
 * entries and nearly all of them are allowed: those leave nothing behind. What is not allowed becomes a row,
 * and rows alone are looked at again: is there a newer entry of that name, was it refused in its time
 * (SR-16), what belongs together in a finding.
 *
 * Order of the word on a file: denied, allowed by digest (at this path), excluded path, signature by a key
 * that may sign there, image of an allowed kernel. Signatures are checked last because one costs as much as
 * a hundred entries.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest_short.h"
#include "evidence/dm_table.h"
#include "policy/ima_work.h"
#include "policy/policy_boot.h"

/* ---- what is looked out for ---- */

static void filter_set(uint64_t *filter, unsigned bit)
{
        filter[bit / 64] |= 1ull << bit % 64;
}

static bool filter_has(const uint64_t *filter, unsigned bit)
{
        return filter[bit / 64] >> bit % 64 & 1;
}

static unsigned digest_bit(struct view digest)
{
        return digest.len < 2 ? 0 : (digest.p[0] | (unsigned)digest.p[1] << 8) % IMA_FILTER_BITS;
}

/* Paths differ at their ends. */
static unsigned path_bit(struct view path)
{
        uint32_t x = (uint32_t)path.len;

        for (size_t i = path.len < 8 ? 0 : path.len - 8; i < path.len; i++)
                x = x * 31 + path.p[i];
        return x % IMA_FILTER_BITS;
}

static int watch_add(struct map *map, struct view key, const struct ima_watched *what, struct err *err)
{
        struct ima_watched *first = map_get_bytes(map, key), *copy = mem_dup(what, sizeof(*what));

        if (!copy)
                return err_nomem(err);
        if (first) { /* behind the first, which the map holds */
                copy->next = first->next;
                first->next = copy;
                return 0;
        }
        if (map_put_bytes(map, key, copy) == 0)
                return 0;
        free(copy);
        return err_nomem(err);
}

static int watch_digest(struct ima_watch *watch, struct view digest, struct ima_watched what, struct err *err)
{
        what.by_digest = true;
        filter_set(watch->digest_filter, digest_bit(digest));
        return watch_add(&watch->digests, digest, &what, err);
}

/* PATH as IMA writes it: '_' for a blank. */
static int watch_path(struct ima_watch *watch, const char *path, struct ima_watched what, struct err *err)
{
        AUTO(mem_free_p) char *seen = str_dup(path);

        if (!seen)
                return err_nomem(err);
        for (char *c = seen; *c; c++)
                if (*c == ' ')
                        *c = '_';
        filter_set(watch->path_filter, path_bit(view_str(seen)));
        return watch_add(&watch->paths, view_str(seen), &what, err);
}

static int watch_required(struct ima_work *iw, size_t number, struct err *err)
{
        const struct ima_watched what = {.required = true, .number = number};
        struct policy_source source;
        const struct policy_required *q = policy_effective_required(iw->policy, number, &source);
        int r = 0;

        if (*q->path)
                return watch_path(&iw->watch, q->path, what, err);
        for (size_t i = 0; r == 0 && i < q->n_digests; i++)
                r = watch_digest(&iw->watch, digest_view(&q->digests[i]), what, err);
        return r;
}

/* The executables of P's runtimes: their first files. */
static int watch_runtimes(struct ima_work *iw, const struct policy *p, struct err *err)
{
        const struct ima_watched what = {.runtime = true};
        int r = 0;

        for (size_t i = 0; r == 0 && i < p->n_runtimes; i++) {
                const struct policy_file *f = &p->files[p->runtimes[i].first];

                if (p->runtimes[i].n == 0)
                        continue;
                if (*f->path)
                        r = watch_path(&iw->watch, f->path, what, err);
                for (size_t k = f->first; r == 0 && k < f->first + f->n; k++)
                        r = watch_digest(&iw->watch, VIEW(p->digests[k].bytes, p->digest_size), what, err);
        }
        return r;
}

static int watch_rules(struct ima_work *iw, const struct policy *p, struct err *err)
{
        const struct ima_watched what = {.rules = true};
        int r = 0;

        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;

                for (size_t k = 0; r == 0 && ima && k < ima->n_rules; k++)
                        r = watch_digest(&iw->watch, digest_view(&ima->rules[k].digest), what, err);
        }
        return r;
}

static void free_watched(void *value)
{
        struct ima_watched *w = value;

        while (w) {
                struct ima_watched *next = w->next;

                free(w);
                w = next;
        }
}

int ima_watch_make(struct ima_work *iw, struct err *err)
{
        size_t n_versions, n_required = policy_effective_n_required(iw->policy);
        const struct policy_version *versions = policy_effective_versions(iw->policy, &n_versions);
        int r = 0;

        map_init(&iw->watch.digests, free_watched);
        map_init(&iw->watch.paths, free_watched);
        for (size_t i = 0; r == 0 && i < n_required; i++)
                r = watch_required(iw, i, err);
        for (size_t i = 0; r == 0 && i < n_versions; i++) {
                r = watch_runtimes(iw, versions[i].policy, err);
                if (r == 0)
                        r = watch_rules(iw, versions[i].policy, err);
        }
        return r;
}

void ima_watch_done(struct ima_watch *watch)
{
        map_done(&watch->digests);
        map_done(&watch->paths);
}

static bool watched(const struct ima_subject *s, bool (*is)(const struct ima_watched *))
{
        for (const struct ima_watched *w = s->by_digest; w; w = w->next)
                if (is(w))
                        return true;
        for (const struct ima_watched *w = s->by_path; w; w = w->next)
                if (is(w))
                        return true;
        return false;
}

static bool is_runtime(const struct ima_watched *w)
{
        return w->runtime;
}

static bool is_rules(const struct ima_watched *w)
{
        return w->rules;
}

static bool is_required_digest(const struct ima_watched *w)
{
        return w->required && w->by_digest;
}

/* ---- rows ---- */

static int add_row(struct ima_work *iw, const struct ima_row *row, struct view name, struct ima_row **ret,
                   struct err *err)
{
        struct ima_row *grown;

        *ret = NULL;
        if (iw->n_rows == IMA_ROWS_MAX) {
                iw->n_dropped++;
                return 0;
        }
        if (!(iw->n_rows & (iw->n_rows - 1))) { /* 0, 1, 2, 4 … are full */
                grown = mem_resize(iw->rows, iw->n_rows ? 2 * iw->n_rows : 1, sizeof(*grown));
                if (!grown)
                        return err_nomem(err);
                iw->rows = grown;
        }
        iw->rows[iw->n_rows] = *row;
        iw->rows[iw->n_rows].k.name = str_ndup((const char *)name.p, name.len);
        if (!iw->rows[iw->n_rows].k.name)
                return err_nomem(err);
        *ret = &iw->rows[iw->n_rows++];
        return 0;
}

/* NAME is measured anew: the row that had it is not the newest any more. */
static void supersede(struct ima_work *iw, struct view name)
{
        uintptr_t had = map_count(&iw->by_name) ? (uintptr_t)map_get_bytes(&iw->by_name, name) : 0;

        if (had)
                iw->rows[had - 1].k.newest = false;
}

static int take_name(struct ima_work *iw, const struct ima_row *row, struct view name, struct err *err)
{
        uintptr_t number = (uintptr_t)(row - iw->rows) + 1;

        return map_put_bytes(&iw->by_name, name, (void *)number) < 0 ? err_nomem(err) : 0;
}

/* Was the entry refused when it was judged, in this boot? What was not remembered for want of room was. */
static bool was_refused(const struct ima_work *iw, uint64_t entry)
{
        const struct ima_memory *m = iw->w->memory ? iw->w->memory->ima : NULL;

        if (!m || entry >= iw->n_judged_before)
                return false;
        return ima_memory_refused(m, entry) ||
               (m->n_refused == IMA_REFUSED_MAX && entry > m->refused[m->n_refused - 1]);
}

static int64_t seen_at(const struct ima_work *iw, uint64_t entry)
{
        const struct ima_memory *m = iw->w->memory ? iw->w->memory->ima : NULL;

        for (size_t i = 0; m && entry < iw->n_judged_before && i < m->n_kept; i++)
                if (m->kept[i].entry == entry)
                        return m->kept[i].seen_at_ms;
        return iw->w->in->expectation->received_at_ms;
}

/* Makes a row of what is not allowed, or is a runtime's. */
static int take_row(struct ima_work *iw, const struct ima_subject *s, enum ima_kept_kind kind,
                    const struct ima_row *about, struct err *err)
{
        struct ima_row row = *about, *added;
        bool unknown = row.answer == IMA_UNKNOWN || row.answer == IMA_ELSEWHERE;
        int r;

        row.k.kind = kind;
        row.k.entry = s->entry;
        row.k.newest = true;
        row.k.runtime = kind == IMA_KEPT_FILE && watched(s, is_runtime);
        if (row.answer == IMA_ALLOWED && !row.k.runtime)
                return 0;
        if (s->ev.alg_known && digest_set(s->ev.alg, s->ev.digest, &row.k.digest, err) < 0)
                row.k.digest.len = 0;
        row.k.refused = row.answer == IMA_DENIED ||
                        (unknown && (s->entry >= iw->n_judged_before || was_refused(iw, s->entry)));
        row.k.seen_at_ms = seen_at(iw, s->entry);
        r = add_row(iw, &row, s->ev.name, &added, err);
        if (r < 0 || !added || kind != IMA_KEPT_FILE)
                return r;
        return take_name(iw, added, s->ev.name, err);
}

/* ---- files ---- */

/* Is the file signed by somebody who may sign here? */
static int ask_signature(struct ima_work *iw, const struct ima_event *ev, struct ima_row *row,
                         struct err *err)
{
        struct policy_source source;
        struct ima_signature sig;
        int r = ima_signature_check(policy_effective_keys(iw->policy), ev, &row->k.signer, err);

        if (r == -ERR_FORMAT) {
                row->k.signer = IMA_SIGNED_BADLY;
                return 0;
        }
        if (r < 0)
                return r;
        if (row->k.signer == IMA_SIGNED && ima_signature_parse(ev->sig, &sig, err) == 0 &&
            policy_effective_signer(iw->policy, sig.key_id, ev->name, &source)) {
                row->answer = IMA_ALLOWED;
                return 0;
        }
        for (size_t i = 0; i < iw->n_learned; i++) {
                enum ima_signed signer;

                if (!policy_effective_keyring_signs(iw->policy, view_str(iw->learned[i].keyring), ev->name,
                                                    &source))
                        continue;
                r = ima_signature_check(iw->learned[i].keys, ev, &signer, err);
                if (r < 0)
                        return r;
                if (signer == IMA_SIGNED) {
                        row->answer = IMA_ALLOWED;
                        return 0;
                }
                if (signer == IMA_SIGNED_BADLY)
                        row->k.signer = signer;
        }
        return 0;
}

/* An image that a kexec loads: an allowed kernel, or its initrd. */
static bool is_next_kernel(const struct ima_work *iw, const struct ima_event *ev)
{
        const struct policy *p = policy_effective_policy(iw->policy);
        struct policy_boot_pos pos = {0};
        struct policy_source source;
        const struct policy_value *value;
        const struct policy_kernel *k;

        if (!p->judges_boot || ev->alg != p->bank)
                return false;
        while ((k = policy_effective_next_kernel(iw->policy, &pos, &source)))
                if (policy_kernel_is(k, ev->digest, true))
                        return true;
        return policy_effective_boot_find(iw->policy, POLICY_BOOT_INITRDS, ev->digest, &value, &source) ==
               POLICY_ALLOWED;
}

/* Allowed as a file of a runtime, as measuring rules, as what has to be executed? */
static void ask_other_parts(struct ima_work *iw, const struct ima_subject *s, struct ima_row *row)
{
        const struct policy *p = policy_effective_policy(iw->policy);
        const struct policy_version *version;
        const struct policy_digest *digest;
        struct policy_source source;

        if (watched(s, is_required_digest) ||
            (watched(s, is_rules) && policy_effective_rules(iw->policy, s->ev.alg, s->ev.digest, &source)) ||
            (s->ev.alg == p->bank &&
             policy_effective_ask(iw->policy, s->ev.digest.p, &version, &digest) == POLICY_ALLOWED &&
             digest->file != POLICY_NO_FILE) ||
            is_next_kernel(iw, &s->ev))
                row->answer = IMA_ALLOWED;
}

static enum ima_answer answer_of(enum allow_answer a)
{
        return a == ALLOW_ALLOWED     ? IMA_ALLOWED
               : a == ALLOW_EXPIRED   ? IMA_EXPIRED
               : a == ALLOW_ELSEWHERE ? IMA_ELSEWHERE
                                      : IMA_UNKNOWN;
}

/* The policy's word by digest and path alone. */
static void ask_digest(struct ima_work *iw, bool alg_known, enum digest_alg alg, struct view digest,
                       struct view name, struct ima_row *row)
{
        row->answer = IMA_UNKNOWN;
        if (!alg_known)
                return;
        if (policy_effective_file_denied(iw->policy, alg, digest, &row->comment, &row->line))
                row->answer = IMA_DENIED;
        else
                row->answer = answer_of(policy_effective_file(iw->policy, alg, digest, name, &row->match));
}

static int ask_file(struct ima_work *iw, const struct ima_subject *s, struct ima_row *row, struct err *err)
{
        const struct ima_event *ev = &s->ev;
        struct policy_source source;

        ask_digest(iw, ev->alg_known, ev->alg, ev->digest, ev->name, row);
        if (row->answer == IMA_ALLOWED || row->answer == IMA_DENIED)
                return 0;
        if (policy_effective_excluded(iw->policy, ev->name, &source)) {
                row->answer = IMA_ALLOWED;
                return 0;
        }
        if (ev->alg_known)
                ask_other_parts(iw, s, row);
        /* two files of one SHA-1 can be made: a signature over one says nothing about the other */
        if (row->answer == IMA_ALLOWED || ev->sig.len == 0 || (ev->alg_known && ev->alg == DIGEST_SHA1) ||
            !policy_effective_uses_signatures(iw->policy))
                return 0;
        return ask_signature(iw, ev, row, err);
}

unsigned ima_covers(const struct ima_work *iw)
{
        uint32_t facts = iw->next->facts;

        return facts & IMA_FACT_RULES   ? facts & IMA_FACT_COVERS
               : facts & IMA_FACT_KEXEC ? facts >> IMA_FACT_KEXEC_SHIFT & IMA_FACT_COVERS
                                        : iw->line_covers;
}

/*
 * An allowed file that somebody looks out for. Required ones count where an entry shows that they were
 * executed: measured by rules that measure what is executed and nothing that is only read. Spec: SR-15.
 */
static int take_watched(struct ima_work *iw, const struct ima_subject *s, struct err *err)
{
        const bool executed =
                (ima_covers(iw) & POLICY_COVERS_EXEC) && !(ima_covers(iw) & POLICY_COVERS_READS);
        const struct ima_watched *lists[] = {s->by_digest, s->by_path};
        struct policy_source source;
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
                for (const struct ima_watched *w = lists[i]; r == 0 && w; w = w->next)
                        if (w->required && executed)
                                r = ima_memory_see(iw->next, w->number, err);
        if (r == 0 && watched(s, is_rules)) {
                const struct policy_rules *rules =
                        policy_effective_rules(iw->policy, s->ev.alg, s->ev.digest, &source);

                if (rules) /* what is loaded later is added to it */
                        iw->next->facts |= IMA_FACT_RULES | (rules->covers & IMA_FACT_COVERS);
        }
        return r;
}

static void look_up_watched(const struct ima_work *iw, struct ima_subject *s)
{
        const struct ima_event *ev = &s->ev;

        if (ev->alg_known && filter_has(iw->watch.digest_filter, digest_bit(ev->digest)))
                s->by_digest = map_get_bytes(&iw->watch.digests, ev->digest);
        if (filter_has(iw->watch.path_filter, path_bit(ev->name)))
                s->by_path = map_get_bytes(&iw->watch.paths, ev->name);
}

/* Nearly all files: allowed, denied by nobody, looked out for by nobody. */
static bool passes_at_once(const struct ima_work *iw, const struct ima_subject *s)
{
        const char *comment;
        uint32_t line;

        return s->answer == ALLOW_ALLOWED && !s->by_digest && !s->by_path &&
               !policy_effective_file_denied(iw->policy, s->ev.alg, s->ev.digest, &comment, &line);
}

/* The others: who allows it, or why nobody. */
static int judge_closely(struct ima_work *iw, const struct ima_subject *s, struct err *err)
{
        struct ima_row row = {.answer = IMA_UNKNOWN};
        int r = ask_file(iw, s, &row, err);

        if (r >= 0 && row.answer == IMA_ALLOWED)
                r = take_watched(iw, s, err);
        return r < 0 ? r : take_row(iw, s, IMA_KEPT_FILE, &row, err);
}

static int judge_file(struct ima_work *iw, struct ima_subject *s, struct err *err)
{
        if (s->ev.alg_known && s->ev.alg == iw->next->value.alg)
                iw->next->facts |= IMA_FACT_BANK_HASH;
        look_up_watched(iw, s);
        supersede(iw, s->ev.name);
        return passes_at_once(iw, s) ? 0 : judge_closely(iw, s, err);
}

/* ---- buffers: keys, devices, everything else ---- */

/* The keys that were learned for KEYRING, made at first use. */
static struct ima_keys *learned_of(struct ima_work *iw, const char *keyring, struct err *err)
{
        struct ima_learned one = {.keyring = NULL}, *grown;

        for (size_t i = 0; i < iw->n_learned; i++)
                if (str_equal(iw->learned[i].keyring, keyring))
                        return iw->learned[i].keys;
        grown = mem_resize(iw->learned, iw->n_learned + 1, sizeof(*grown));
        if (grown) {
                iw->learned = grown;
                one.keyring = str_dup(keyring);
        }
        if (!one.keyring || ima_keys_new(&one.keys, err) < 0) {
                free(one.keyring);
                (void)err_nomem(err);
                return NULL;
        }
        iw->learned[iw->n_learned++] = one;
        return one.keys;
}

static int learn(struct ima_work *iw, const char *keyring, struct view key, struct err *err)
{
        struct ima_keys *keys = learned_of(iw, keyring, err);
        uint32_t id;

        if (!keys)
                return -ERR_NOMEM;
        return ima_keys_add(keys, key, &id, err);
}

/* An allowed key: from here on it can have signed files. One too many, or of a kind that signs nothing here,
 * is not learned: what it signed stays unsigned. */
static int take_key(struct ima_work *iw, const struct ima_event *ev, struct err *err)
{
        AUTO(mem_free_p) char *keyring = str_ndup((const char *)ev->name.p, ev->name.len);
        struct err inner = ERR_INIT;
        int r;

        if (!keyring)
                return err_nomem(err);
        r = learn(iw, keyring, ev->buf, &inner);
        if (r == 0)
                r = ima_memory_learn(iw->next, keyring, ev->buf, &inner);
        return r == -ERR_NOMEM ? err_nomem(err) : 0;
}

/* The beginning of a certificate or a public key in DER: a SEQUENCE with a long length. */
static bool is_key(struct view buf)
{
        struct ima_keys *probe = NULL;
        struct err inner = ERR_INIT;
        uint32_t id;
        bool is;

        if (buf.len < 64 || buf.p[0] != 0x30 || ima_keys_new(&probe, &inner) < 0)
                return false;
        is = ima_keys_add(probe, buf, &id, &inner) == 0;
        ima_keys_free(probe);
        return is;
}

/* The digest beside a buffer has to be the buffer's, else rules by digest would hold for something else. */
static bool digest_is_of_buffer(const struct ima_event *ev)
{
        uint8_t d[DIGEST_BYTES_MAX];

        if (!ev->alg_known)
                return false;
        digest_short(ev->alg, ev->buf, VIEW_NONE, d);
        return view_equal(VIEW(d, digest_size(ev->alg)), ev->digest);
}

static enum ima_answer ask_device(struct ima_work *iw, const struct ima_event *ev)
{
        struct policy_source source;
        struct dm_table table;
        struct err inner = ERR_INIT;
        enum ima_answer answer = IMA_ALLOWED;

        if (dm_table_parse(ev->name, ev->buf, &table, &inner) < 0)
                return IMA_UNKNOWN;
        for (size_t i = 0; table.loads && i < table.n_targets; i++) {
                const struct dm_target *t = &table.targets[i];

                if (!t->verity || t->failed || !t->alg_known || t->root_len == 0)
                        return IMA_UNKNOWN;
                answer = answer_of(policy_effective_verity_root(iw->policy, table.device, t->alg,
                                                                VIEW(t->root, t->root_len), &source));
                if (answer != IMA_ALLOWED)
                        return answer;
        }
        return answer;
}

/* A command line that a kexec hands to the next kernel may also be one of boot's. */
static bool is_next_command_line(struct ima_work *iw, const struct ima_event *ev)
{
        struct policy_source source;

        if (!view_equal(ev->name, view_str("kexec-cmdline")))
                return false;
        return policy_effective_policy(iw->policy)->judges_boot &&
               policy_effective_command_line(iw->policy, ev->buf, &source) != NULL;
}

/* What is known of the next kernel, should it be started. */
static void take_command_line(struct ima_work *iw, const struct ima_event *ev)
{
        if (!view_equal(ev->name, view_str("kexec-cmdline")))
                return;
        iw->next->facts &= ~(IMA_FACT_COVERS << IMA_FACT_LINE_SHIFT | IMA_FACT_LINE_LOCKED);
        iw->next->facts |= policy_effective_command_line_covers(iw->policy, ev->buf) << IMA_FACT_LINE_SHIFT;
        if (ima_locks_down(ev->buf))
                iw->next->facts |= IMA_FACT_LINE_LOCKED;
}

/* The policy's word on a buffer that is what its digest says. *RET_LEARN: a key that may sign from now on. */
static void ask_buffer(struct ima_work *iw, const struct ima_event *ev, enum ima_kept_kind kind,
                       struct ima_row *row, bool *ret_learn)
{
        struct policy_source source;

        if (policy_effective_file_denied(iw->policy, ev->alg, ev->digest, &row->comment, &row->line)) {
                row->answer = IMA_DENIED;
                return;
        }
        if (kind == IMA_KEPT_KEY) {
                row->answer = answer_of(
                        policy_effective_keyring_key(iw->policy, ev->name, ev->alg, ev->digest, &source));
                *ret_learn = row->answer == IMA_ALLOWED;
        }
        if (row->answer != IMA_ALLOWED)
                row->answer = answer_of(
                        policy_effective_buffer(iw->policy, ev->name, ev->alg, ev->digest, ev->buf, &source));
        if (kind == IMA_KEPT_DEVICE && row->answer != IMA_ALLOWED)
                row->answer = ask_device(iw, ev);
        if (row->answer != IMA_ALLOWED && is_next_command_line(iw, ev))
                row->answer = IMA_ALLOWED;
}

static int judge_buffer(struct ima_work *iw, const struct ima_subject *s, struct err *err)
{
        const struct ima_event *ev = &s->ev;
        struct ima_row row = {.answer = IMA_UNKNOWN};
        enum ima_kept_kind kind = dm_table_is(ev->name) ? IMA_KEPT_DEVICE
                                  : is_key(ev->buf)     ? IMA_KEPT_KEY
                                                        : IMA_KEPT_BUFFER;
        bool learns = false;

        if (digest_is_of_buffer(ev))
                ask_buffer(iw, ev, kind, &row, &learns);
        if (row.answer != IMA_ALLOWED)
                return take_row(iw, s, kind, &row, err);
        take_command_line(iw, ev);
        return learns ? take_key(iw, ev, err) : 0;
}

/* ---- all of them ---- */

static int judge_violation(struct ima_work *iw, uint64_t entry)
{
        if (iw->next->violations++ == 0)
                iw->next->first_violation = entry;
        return 0;
}

int ima_subject_make(struct ima_work *iw, const struct ima_entry *e, struct ima_subject *ret, struct err *err)
{
        ret->entry = e->number;
        ret->covered = e->pcr == iw->next->pcr;
        ret->violation = e->violation;
        ret->answer = ALLOW_UNKNOWN;
        ret->by_digest = ret->by_path = NULL;
        return ret->covered && !ret->violation ? ima_event_decode(e, &ret->ev, err) : 0;
}

static int judge_subject(struct ima_work *iw, struct ima_subject *s, struct err *err)
{
        if (!s->covered) {
                iw->next->facts |= IMA_FACT_OTHER_PCR;
                return 0;
        }
        if (s->violation)
                return judge_violation(iw, s->entry);
        if (s->ev.has_buf)
                return judge_buffer(iw, s, err);
        if (view_equal(s->ev.name, view_str("boot_aggregate")))
                return ima_take_aggregate(iw, &s->ev, err);
        return judge_file(iw, s, err);
}

/* What is allowed depends on nothing that the list says: it is asked for all at once. */
static void ask_all(const struct ima_work *iw, struct ima_subject *subjects, size_t n)
{
        struct allow_ask asks[IMA_SUBJECTS_MAX];
        struct ima_subject *of[IMA_SUBJECTS_MAX];
        size_t n_asks = 0;

        for (size_t i = 0; i < n; i++) {
                struct ima_subject *s = &subjects[i];

                if (!s->covered || s->violation || !s->ev.alg_known)
                        continue;
                of[n_asks] = s;
                asks[n_asks++] =
                        (struct allow_ask){.alg = s->ev.alg, .digest = s->ev.digest, .path = s->ev.name};
        }
        policy_effective_files(iw->policy, asks, n_asks);
        for (size_t i = 0; i < n_asks; i++)
                of[i]->answer = asks[i].answer;
}

int ima_judge_subjects(struct ima_work *iw, struct ima_subject *subjects, size_t n, struct err *err)
{
        int r = 0;

        ask_all(iw, subjects, n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = judge_subject(iw, &subjects[i], err);
        return r;
}

int ima_judge_remembered(struct ima_work *iw, struct err *err)
{
        const struct ima_memory *m = iw->before;
        int r = 0;

        for (size_t i = 0; r == 0 && m && i < m->n_keys; i++) {
                r = learn(iw, m->keys[i].keyring, VIEW_BUF(&m->keys[i].key), err);
                if (r == 0)
                        r = ima_memory_learn(iw->next, m->keys[i].keyring, VIEW_BUF(&m->keys[i].key), err);
        }
        for (size_t i = 0; r == 0 && m && i < m->n_kept; i++) {
                const struct ima_kept *k = &m->kept[i];
                struct ima_row row = {.k = *k, .answer = IMA_UNKNOWN}, *added;
                struct view name = view_str(k->name);

                if (k->kind == IMA_KEPT_FILE)
                        ask_digest(iw, k->digest.len != 0, k->digest.alg, digest_view(&k->digest), name,
                                   &row);
                if (k->runtime && !k->refused && row.answer == IMA_UNKNOWN)
                        row.answer = IMA_ALLOWED; /* by a signature, or another part of the policy */
                r = add_row(iw, &row, name, &added, err);
                if (r == 0 && added && k->kind == IMA_KEPT_FILE && k->newest)
                        r = take_name(iw, added, name, err);
        }
        return r;
}

int ima_judge_end(struct ima_work *iw, struct err *err)
{
        size_t n_runtimes = 0, n_replaced = 0;
        int r = 0;

        iw->next->whole = iw->n_dropped != 0;
        for (size_t i = 0; r == 0 && i < iw->n_rows; i++) {
                struct ima_row *row = &iw->rows[i];
                bool of_runtime = row->k.runtime && (row->k.newest ? n_runtimes++ < IMA_RUNTIMES_MAX
                                                                   : n_replaced++ < IMA_RUNTIMES_MAX);

                row->counts = row->answer == IMA_DENIED ||
                              (row->answer != IMA_ALLOWED && (row->k.newest || row->k.refused));
                if (row->counts && row->k.refused) {
                        r = ima_memory_refuse(iw->next, row->k.entry, err);
                        if (r == -ERR_LIMIT) {
                                iw->next->whole = true;
                                r = 0;
                        }
                }
                if (r < 0 || (!row->counts && !of_runtime))
                        continue;
                r = ima_memory_keep(iw->next, &row->k, err);
                if (r == -ERR_LIMIT) { /* all of it is read again next time */
                        iw->next->whole = true;
                        r = 0;
                }
        }
        return r;
}
