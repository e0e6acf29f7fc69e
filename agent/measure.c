/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digesting files. One pass over the bytes feeds every bank. The mark is taken before the first byte, so a
 * change while we read makes the next look measure again: a digest of a mixture can happen, but never stays
 * the last word.
 *
 * A writer in the middle of an in-place update would leave such a mixture in PCR 15 for ever; a read lease
 * cannot be had while a file is open for writing, which tells (CAP_LEASE, or the file's owner; elsewhere we
 * do not know).
 */
#include "agent/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define CHUNK_BYTES 65536

static struct file_mark mark_of(const struct stat *st)
{
        return (struct file_mark){.dev = st->st_dev,
                                  .ino = st->st_ino,
                                  .size = st->st_size,
                                  .modified = st->st_mtim,
                                  .changed = st->st_ctim};
}

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
        return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
               a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
               a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

int measure_mark(const char *path, struct file_mark *ret, struct err *err)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        *ret = mark_of(&st);
        return 0;
}

bool measure_has_writer(const char *path)
{
        AUTO(fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return false;
        if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
                return errno == EAGAIN;
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
}

struct hashes {
        struct digest_ctx *ctx[TPM_MAX_BANKS];
        size_t n;
};

static void hashes_done(struct hashes *h)
{
        for (size_t i = 0; i < h->n; i++)
                digest_ctx_free(h->ctx[i]);
}

static int read_into(int fd, const char *path, struct hashes *h, uint64_t *ret_size, struct err *err)
{
        AUTO(mem_free_p) uint8_t *chunk = mem_alloc(CHUNK_BYTES);
        uint64_t size = 0;
        int r = 0;

        if (!chunk)
                return err_nomem(err);
        while (r >= 0) {
                ssize_t n = read(fd, chunk, CHUNK_BYTES);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read %s", SHOW(path));
                if (n == 0)
                        break;
                size += (uint64_t)n;
                for (size_t i = 0; r >= 0 && i < h->n; i++)
                        r = digest_ctx_update(h->ctx[i], VIEW(chunk, (size_t)n), err);
        }
        *ret_size = size;
        return r;
}

static int digest_all(int fd, const char *path, const struct tpm_bank_set *banks, struct measurement *m,
                      struct err *err)
{
        AUTO(hashes_done) struct hashes h = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < banks->n; i++) {
                r = digest_ctx_new(banks->v[i], &h.ctx[i], err);
                h.n += r >= 0;
        }
        if (r >= 0)
                r = read_into(fd, path, &h, &m->size_bytes, err);
        for (size_t i = 0; r >= 0 && i < h.n; i++)
                r = digest_ctx_final(h.ctx[i], &m->digests[i], err);
        m->n = h.n;
        return r;
}

int measure_file(const char *path, const struct tpm_bank_set *banks, struct measurement *ret, struct err *err)
{
        struct stat st;
        AUTO(fd_close_p) int fd = file_open_regular(path, &st, err);
        struct measurement m = {0};
        int r;

        if (fd < 0)
                return fd;
        m.mark = mark_of(&st);
        r = digest_all(fd, path, banks, &m, err);
        if (r >= 0)
                *ret = m;
        return r;
}
