/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured, and when it is measured again.
 *
 * A file is looked at by its mark (inode, size, times); only a changed mark, or the rescan, reads it. A
 * changed file is measured when nobody writes it any more, or after INVENTORY_SETTLE_MS whatever happens: an
 * update in place must not leave half a file in PCR 15, and an attacker must not hold it open for ever.
 *
 * A file that is gone is no danger: nothing can be started from it. A file that is there and cannot be read
 * or logged is: something could run that the register does not show. Then nothing is quoted until it can be
 * (SR-2 does the rest: silence ends trust).
 */
#include "agent/inventory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/closure.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"

#define STABLE_MS 100

struct file {
        char *path;          /* resolved */
        const char *runtime; /* of the configuration */
        struct file_mark seen, measured;
        bool known; /* `measured` is set */
        bool dirty, gone;
        int64_t dirty_since_ms, seen_since_ms;
        struct measurement now; /* at start, and for describe */
};

struct inventory {
        const struct agent_config *config;
        struct tpm_bank_set banks;
        struct file *files;
        size_t n;
        bool settling;
        char blocked[ERR_TEXT_BYTES], problem[ERR_TEXT_BYTES];
};

int inventory_new(const struct agent_config *config, const struct tpm_bank_set *banks, struct inventory **ret,
                  struct err *err)
{
        struct inventory *inv = mem_zalloc(1, sizeof(*inv));

        if (!inv)
                return err_nomem(err);
        inv->config = config;
        inv->banks = *banks;
        *ret = inv;
        return 0;
}

static void free_files(struct file *files, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(files[i].path);
        free(files);
}

void inventory_free(struct inventory *inv)
{
        if (!inv)
                return;
        free_files(inv->files, inv->n);
        free(inv);
}

static struct file *find(struct file *files, size_t n, const char *path)
{
        for (size_t i = 0; i < n; i++)
                if (str_equal(files[i].path, path))
                        return &files[i];
        return NULL;
}

/* Adds PATH, with what was known of it before. */
static int add_file(struct inventory *inv, struct file **files, size_t *n, const char *runtime,
                    const char *path, struct err *err)
{
        struct file *before = find(inv->files, inv->n, path), *grown;
        struct file f = before ? *before : (struct file){0};

        if (find(*files, *n, path))
                return 0;
        grown = mem_resize(*files, *n + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        *files = grown;
        f.path = str_dup(path);
        f.runtime = runtime;
        if (!f.path)
                return err_nomem(err);
        grown[(*n)++] = f;
        return 0;
}

/* Works out the closures again. On failure the old list stays. */
static int refresh(struct inventory *inv, struct err *err)
{
        struct file *files = NULL;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < inv->config->n_runtimes; i++) {
                const struct agent_runtime *rt = &inv->config->runtimes[i];
                struct strv paths = {0};

                r = closure_of(rt, &paths, err);
                for (size_t k = 0; r >= 0 && k < paths.n; k++)
                        r = add_file(inv, &files, &n, rt->name, paths.items[k], err);
                strv_done(&paths);
        }
        if (r < 0) {
                free_files(files, n);
                return r;
        }
        free_files(inv->files, inv->n);
        inv->files = files;
        inv->n = n;
        return 0;
}

static int digest_every(struct inventory *inv, struct err *err)
{
        int r = refresh(inv, err);

        for (size_t i = 0; r >= 0 && i < inv->n; i++) {
                r = measure_file(inv->files[i].path, &inv->banks, &inv->files[i].now, err);
                if (r < 0)
                        return err_wrap(err, "runtime '%s'", inv->files[i].runtime);
        }
        return r;
}

/* Is this what the log has as the newest of the path, in every bank of ours? */
static bool logged(const struct pcr_log *log, const char *path, const struct measurement *m)
{
        const struct cel_record *rec = pcr_log_newest(log, path);

        for (size_t i = 0; rec && i < m->n; i++) {
                const struct digest *d = cel_record_digest(rec, m->digests[i].alg);

                if (!d || !digest_equal(d, &m->digests[i]))
                        return false;
        }
        return rec;
}

static void say_measured(const struct file *f, const struct measurement *m)
{
        char hex[2 * DIGEST_BYTES_MAX + 1] = "";
        const char *bank = "";

        for (size_t i = 0; i < m->n; i++)
                if (m->digests[i].alg == DIGEST_SHA256 || !*bank) {
                        bank = digest_name(m->digests[i].alg);
                        (void)hex_write(hex, digest_view(&m->digests[i]));
                }
        log_with(f->known ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                 LOG_FIELDS({"AVOW_EVENT", f->known ? "re-measured" : "measured"},
                            {"AVOW_RUNTIME", f->runtime}, {"AVOW_PATH", f->path}, {"AVOW_DIGEST", hex}),
                 "runtime '%s': %s %s: %s:%s", f->runtime, SHOW(f->path),
                 f->known ? "changed and was measured again" : "measured", bank, hex);
}

/* Return: 1 if it was measured now, 0 if the log had it, < 0. */
static int record(struct file *f, const struct measurement *m, struct pcr_log *log, struct tpm *tpm,
                  struct err *err)
{
        int r = 0;

        if (!logged(log, f->path, m)) {
                r = pcr_log_measure(log, tpm, f->runtime, f->path, m, err);
                if (r < 0)
                        return r;
                say_measured(f, m);
                r = 1;
        }
        f->measured = f->seen = m->mark;
        f->known = true;
        f->dirty = f->gone = false;
        return r;
}

int inventory_start(struct inventory *inv, struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        int r = digest_every(inv, err);

        for (size_t i = 0; r >= 0 && i < inv->n; i++)
                r = record(&inv->files[i], &inv->files[i].now, log, tpm, err);
        return r < 0 ? r : 0;
}

static void note(char to[ERR_TEXT_BYTES], const struct file *f, const struct err *why)
{
        struct err e = *why;

        if (*to)
                return; /* the first is enough */
        (void)err_wrap(&e, "runtime '%s'", f->runtime);
        memcpy(to, e.text, ERR_TEXT_BYTES);
}

/* Is it time to measure a dirty file? */
static bool settled(const struct file *f, int64_t mono_ms)
{
        if (mono_ms - f->dirty_since_ms >= INVENTORY_SETTLE_MS)
                return true;
        return mono_ms - f->seen_since_ms >= STABLE_MS && !measure_has_writer(f->path);
}

/* Looks at the mark and decides. Return: true if the file has to be read now. */
static bool must_read(struct inventory *inv, struct file *f, enum inventory_look look, int64_t mono_ms)
{
        struct err why = ERR_INIT;
        struct file_mark mark;

        if (measure_mark(f->path, &mark, &why) < 0) {
                f->gone = why.code == ENOENT || why.code == ENOTDIR;
                note(f->gone ? inv->problem : inv->blocked, f, &why);
                return false;
        }
        f->gone = false;
        if (f->known && !f->dirty && file_mark_equal(&mark, &f->measured))
                return look == INVENTORY_CONTENTS;
        if (!f->dirty) {
                f->dirty = true;
                f->dirty_since_ms = f->seen_since_ms = mono_ms;
        } else if (!file_mark_equal(&mark, &f->seen)) {
                f->seen_since_ms = mono_ms;
        }
        f->seen = mark;
        if (settled(f, mono_ms))
                return true;
        inv->settling = true;
        return false;
}

static bool is_the_tpms(const struct err *err)
{
        return err->kind == ERR_TPM || err->kind == ERR_NOMEM || err->kind == ERR_CRYPTO;
}

/* Return: 1 if it was measured, 0, < 0. */
static int look_at(struct inventory *inv, struct file *f, enum inventory_look look, int64_t mono_ms,
                   struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        struct measurement m;
        int r;

        if (!must_read(inv, f, look, mono_ms))
                return 0;
        r = measure_file(f->path, &inv->banks, &m, err);
        if (r >= 0)
                r = record(f, &m, log, tpm, err);
        if (r >= 0 || is_the_tpms(err))
                return r;
        f->dirty = true; /* tried again at the next look */
        if (err->code == ENOENT)
                f->gone = true;
        note(f->gone ? inv->problem : inv->blocked, f, err);
        err_clear(err);
        return 0;
}

/* May the list of files itself have changed: a name leads elsewhere, or a file that names libraries is new?
 */
static bool list_may_differ(const struct inventory *inv)
{
        char real[PATH_MAX];

        for (size_t i = 0; i < inv->config->n_runtimes; i++) {
                const struct agent_runtime *rt = &inv->config->runtimes[i];

                if (!realpath(rt->path, real) || !find(inv->files, inv->n, real))
                        return true;
                for (size_t k = 0; k < rt->n_files; k++)
                        if (!realpath(rt->files[k], real) || !find(inv->files, inv->n, real))
                                return true;
        }
        return false;
}

static int refresh_list(struct inventory *inv, struct err *err)
{
        int r = refresh(inv, err);

        if (r >= 0 || r == -ERR_NOMEM)
                return r;
        if (!*inv->problem) /* an update under way, or a broken one: the old list holds meanwhile */
                memcpy(inv->problem, err->text, sizeof(inv->problem));
        err_clear(err);
        return 0;
}

int inventory_look(struct inventory *inv, enum inventory_look look, int64_t mono_ms, struct pcr_log *log,
                   struct tpm *tpm, struct err *err)
{
        int n = 0, r = 0;

        inv->settling = false;
        inv->blocked[0] = inv->problem[0] = '\0';
        if (look == INVENTORY_CONTENTS || list_may_differ(inv))
                r = refresh_list(inv, err);
        for (int round = 0; r >= 0 && round < 2; round++) {
                int found = 0;

                for (size_t i = 0; r >= 0 && i < inv->n; i++) {
                        r = look_at(inv, &inv->files[i], look, mono_ms, log, tpm, err);
                        found += r > 0;
                }
                n += found;
                if (r < 0 || found == 0)
                        break;
                r = refresh_list(inv, err); /* a new executable may need other libraries */
                look = INVENTORY_MARKS;
        }
        return r < 0 ? r : n;
}

bool inventory_settling(const struct inventory *inv)
{
        return inv->settling;
}

const char *inventory_blocked(const struct inventory *inv)
{
        return *inv->blocked ? inv->blocked : NULL;
}

const char *inventory_problem(const struct inventory *inv)
{
        return *inv->problem ? inv->problem : NULL;
}

int inventory_paths(const struct inventory *inv, struct strv *ret, struct err *err)
{
        int r = 0;

        for (size_t i = 0; i < inv->n; i++)
                r |= strv_add(ret, inv->files[i].path);
        for (size_t i = 0; i < inv->config->n_runtimes; i++) {
                const struct agent_runtime *rt = &inv->config->runtimes[i];

                r |= strv_add(ret, rt->path);
                for (size_t k = 0; k < rt->n_files; k++)
                        r |= strv_add(ret, rt->files[k]);
        }
        return r ? err_nomem(err) : 0;
}

int inventory_describe(struct inventory *inv, struct buf *ret, struct err *err)
{
        int r = digest_every(inv, err);

        for (size_t i = 0; r >= 0 && i < inv->n; i++) {
                const struct file *f = &inv->files[i];

                buf_fmt(ret, "%s %s\n", f->runtime, f->path);
                for (size_t k = 0; k < f->now.n; k++) {
                        buf_fmt(ret, "  %s:", digest_name(f->now.digests[k].alg));
                        buf_hex(ret, digest_view(&f->now.digests[k]));
                        buf_str(ret, "\n");
                }
        }
        return r < 0 ? r : buf_ok(ret) ? 0 : err_nomem(err);
}
