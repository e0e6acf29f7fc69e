/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list in securityfs is a sequence, written anew for each reader: every read() gives a page of it and
 * begins with a walk from the list's head to where the reader stands. A list of a million entries read from
 * its beginning, page by page, so costs minutes of kernel time; from where it was read up to, one walk. The
 * descriptor therefore stays open, at the end of what was sent last: a position in the sequence stays good,
 * entries are never taken out of it, and behind its end new ones appear. lseek() writes the list once up to
 * that byte, which is one walk too: so the verifier says in bytes where it wants to go on, for an agent that
 * was started anew and knows no place but the beginning.
 *
 * A list that is shorter than what was read of it is another list: one of another boot, in a folder that
 * outlives boots. Spec: Linux, security/integrity/ima/ima_fs.c; fs/seq_file.c.
 */
#include "agent/kernel_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/ima_size.h"

#define CHUNK_BYTES     (64u << 10)
#define COUNT_FILE      "runtime_measurements_count" /* beside the list */
#define COUNT_BYTES_MAX 64

struct kernel_list {
        char *path, *count_path;
        int fd; /* -1: not open */
        dev_t dev;
        ino_t ino;
        uint64_t entry;   /* number of the entry that begins at AT */
        uint64_t at;      /* in bytes */
        struct buf ahead; /* what was read from AT on */
        size_t used;      /* of ahead: AT counts it */
};

void kernel_list_free(struct kernel_list *l)
{
        if (!l)
                return;
        fd_close_p(&l->fd);
        buf_free(&l->ahead);
        free(l->path);
        free(l->count_path);
        free(l);
}

int kernel_list_new(const char *path, struct kernel_list **ret, struct err *err)
{
        AUTO(kernel_list_free_p) struct kernel_list *l = mem_zalloc(1, sizeof(*l));
        const char *slash = strrchr(path, '/');

        if (!l)
                return err_nomem(err);
        l->fd = -1;
        l->path = str_dup(path);
        l->count_path = str_fmt("%.*s" COUNT_FILE, (int)(slash ? slash - path + 1 : 0), path);
        if (!l->path || !l->count_path)
                return err_nomem(err);
        *ret = TAKE(l);
        return 0;
}

static void forget(struct kernel_list *l)
{
        fd_close_p(&l->fd);
        buf_free(&l->ahead);
        l->ahead = (struct buf){0};
        l->used = 0;
        l->entry = l->at = 0;
}

/* Is what is open still what the path names, and not shorter than it was? A sequence has no size. */
static bool still_there(const struct kernel_list *l)
{
        struct stat named, open;

        return stat(l->path, &named) == 0 && fstat(l->fd, &open) == 0 && named.st_dev == l->dev &&
               named.st_ino == l->ino && (open.st_size == 0 || (uint64_t)open.st_size >= l->at);
}

static int open_list(struct kernel_list *l, struct err *err)
{
        struct stat st;

        if (l->fd >= 0 && still_there(l))
                return 0;
        forget(l);
        l->fd = file_open_regular(l->path, &st, err);
        if (l->fd < 0)
                return -(int)err->kind;
        l->dev = st.st_dev;
        l->ino = st.st_ino;
        return 0;
}

/* The kernel's own count; false if there is none. */
static bool read_count(const struct kernel_list *l, uint64_t *ret)
{
        AUTO(buf_free) struct buf text = {0};
        struct err ignored = ERR_INIT;
        size_t len;

        if (file_read(l->count_path, COUNT_BYTES_MAX, &text, &ignored) < 0)
                return false;
        len = text.len;
        while (len && (text.p[len - 1] == '\n' || text.p[len - 1] == ' '))
                len--;
        return str_parse_uint(VIEW(text.p, len), INT64_MAX, ret, &ignored) == 0;
}

int kernel_list_count(struct kernel_list *l, uint64_t *ret)
{
        struct err ignored = ERR_INIT;

        if (open_list(l, &ignored) < 0)
                return 0;
        if (!read_count(l, ret))
                *ret = UINT64_MAX;
        return 1;
}

/* What was used is let go, and a chunk is read behind the rest. Return: 1; 0 at the end; < 0. */
static int read_more(struct kernel_list *l, struct err *err)
{
        size_t rest = l->ahead.len - l->used;
        uint8_t chunk[4096];
        ssize_t n;

        if (l->used >= CHUNK_BYTES || rest == 0) {
                if (rest)
                        memmove(l->ahead.p, l->ahead.p + l->used, rest);
                l->ahead.len = rest;
                l->used = 0;
        }
        do
                n = read(l->fd, chunk, sizeof(chunk));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_errno(err, errno, "%s", SHOW(l->path));
        buf_put(&l->ahead, chunk, (size_t)n);
        return buf_ok(&l->ahead) ? n > 0 : err_nomem(err);
}

/* Return: 1 with the next entry, until more is read; 0 at the end of the list (an entry of which only a part
 * is there yet is none); < 0. */
static int next_entry(struct kernel_list *l, struct view *ret, struct err *err)
{
        for (;;) {
                struct view rest = VIEW(l->ahead.p + l->used, l->ahead.len - l->used);
                size_t size = 0;
                int r = rest.len ? ima_entry_size(rest, &size, err) : 0;

                if (r < 0)
                        return err_wrap(err, "%s: entry %llu at byte %llu", l->path,
                                        (unsigned long long)l->entry, (unsigned long long)l->at);
                if (r > 0) {
                        *ret = VIEW(rest.p, size);
                        return 1;
                }
                r = read_more(l, err);
                if (r <= 0)
                        return r;
        }
}

static void take_entry(struct kernel_list *l, struct view entry)
{
        l->used += entry.len;
        l->at += entry.len;
        l->entry++;
}

/* Can the list have so many entries and bytes? Reading behind its end says nothing. */
static bool reaches(const struct kernel_list *l, uint64_t entry, uint64_t at)
{
        uint64_t count = 0;
        struct stat st;

        if (read_count(l, &count) && count < entry)
                return false;
        return fstat(l->fd, &st) == 0 && (st.st_size == 0 || (uint64_t)st.st_size >= at);
}

static int go_to(struct kernel_list *l, uint64_t entry, uint64_t at, struct err *err)
{
        if (!reaches(l, entry, at))
                return err_set(err, ERR_FORMAT, 0, "%s: it has no %llu entries", SHOW(l->path),
                               (unsigned long long)entry);
        if (lseek(l->fd, (off_t)at, SEEK_SET) < 0)
                return err_errno(err, errno, "%s: lseek", SHOW(l->path));
        buf_reset(&l->ahead);
        l->used = 0;
        l->entry = entry;
        l->at = at;
        return 0;
}

/* Is that where it was read up to? Then what comes there is the list's, whatever it is. */
static bool is_at(const struct kernel_list *l, const struct kernel_list_ask *ask)
{
        return l->entry == ask->first && (ask->at == 0 || ask->at == l->at);
}

/* Goes to the entry that is wanted first. Return: 1; 0 if it is not reached (in time); < 0. */
static int go_to_first(struct kernel_list *l, const struct kernel_list_ask *ask, struct err *err)
{
        struct view entry;
        int r = 0;

        if (is_at(l, ask))
                return 1;
        if (ask->first && ask->at)
                r = go_to(l, ask->first, ask->at, err);
        else if (ask->first < l->entry)
                r = go_to(l, 0, 0, err);
        while (r >= 0 && l->entry < ask->first) {
                if (clock_mono_ms() >= ask->until_ms)
                        return 0;
                r = next_entry(l, &entry, err);
                if (r <= 0)
                        return r;
                take_entry(l, entry);
        }
        return r < 0 ? r : 1;
}

/* Takes entries until one of ASK's bounds is reached. Return: 1; 0 at the end of the list; < 0. */
static int take_part(struct kernel_list *l, const struct kernel_list_ask *ask, struct buf *out,
                     struct kernel_list_part *part, struct err *err)
{
        size_t begin = out->len;
        struct view entry;
        int r = 1;

        while (r > 0 && part->n < ask->max_entries && clock_mono_ms() < ask->until_ms) {
                r = next_entry(l, &entry, err);
                if (r <= 0)
                        break;
                if (out->len - begin + entry.len > ask->max_bytes)
                        break;
                buf_put_view(out, entry);
                if (!buf_ok(out))
                        return err_nomem(err);
                take_entry(l, entry);
                part->n++;
        }
        return r;
}

/* How many entries there are, ENDED being known, or that there is at least one more. */
static uint64_t total_of(const struct kernel_list *l, bool ended)
{
        uint64_t count = 0;

        if (ended)
                return l->entry;
        return read_count(l, &count) && count > l->entry ? count : l->entry + 1;
}

static int read_from(struct kernel_list *l, const struct kernel_list_ask *ask, struct buf *out,
                     struct kernel_list_part *ret, struct err *err)
{
        bool late;
        int r = go_to_first(l, ask, err);

        *ret = (struct kernel_list_part){.first = ask->first, .total = ask->first};
        if (r < 0)
                return r;
        late = r == 0 && clock_mono_ms() >= ask->until_ms;
        if (r == 0 && !late)
                return err_set(err, ERR_FORMAT, 0, "%s: it has %llu entries, not %llu", SHOW(l->path),
                               (unsigned long long)l->entry, (unsigned long long)ask->first);
        if (late) { /* the next part is found where the search has come to */
                ret->total = ask->first + 1;
                return 0;
        }
        r = take_part(l, ask, out, ret, err);
        ret->total = r < 0 ? ret->first + ret->n : total_of(l, r == 0);
        return r < 0 ? r : 0;
}

int kernel_list_read(struct kernel_list *l, const struct kernel_list_ask *ask, struct buf *out,
                     struct kernel_list_part *ret, struct err *err)
{
        struct kernel_list_ask anew = *ask;
        int r = open_list(l, err);
        bool there = r >= 0 && is_at(l, ask);

        *ret = (struct kernel_list_part){.first = ask->first, .total = ask->first};
        if (r >= 0)
                r = read_from(l, ask, out, ret, err);
        if (r < 0 && r != -ERR_NOMEM && !there && ret->n == 0 && ask->first) {
                err_clear(err); /* not that list, or not that place in it */
                anew.first = anew.at = 0;
                forget(l);
                r = open_list(l, err);
                if (r >= 0)
                        r = read_from(l, &anew, out, ret, err);
        }
        if (r == -ERR_IO)
                forget(l);
        return r;
}
