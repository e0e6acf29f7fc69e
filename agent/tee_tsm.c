/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configfs-tsm: a folder that is made is a request, its files are what is asked and what is answered.
 *
 * Everybody who may write there shares it, and nothing locks it. The kernel counts writes in `generation`
 * instead: an answer is to our own question if that number moved by our own writes, before and after. A
 * binary attribute is taken at close(), whose refusal nobody hears: the number tells that as well.
 *
 * Spec: Linux, Documentation/ABI/testing/configfs-tsm.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/tee.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define ENTRY         "avow-agent" /* one: what a killed agent left is taken over */
#define TRIES         8
#define WORD_MAX      64
#define PRIVLEVEL_MAX 3

struct entry {
        char *path;
};

static void entry_close(struct entry *e)
{
        if (e->path)
                (void)rmdir(e->path); /* the request is over; what stays is taken over the next time */
        free(e->path);
}

static int entry_open(const char *folder, struct entry *ret, struct err *err)
{
        ret->path = str_fmt("%s/" ENTRY, folder);
        if (!ret->path)
                return err_nomem(err);
        (void)rmdir(ret->path); /* with all that was set in it */
        if (mkdir(ret->path, 0700) < 0 && errno != EEXIST)
                return err_errno(err, errno, "%s", ret->path);
        return 0;
}

/* Return: 1; 0 if this kernel has no such file; < 0. */
static int read_file(const struct entry *e, const char *name, size_t max, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", e->path, name);
        AUTO(fd_close_p) int fd = -1;
        int r;

        if (!path)
                return err_nomem(err);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
        r = fd_read(fd, path, max, ret, err);
        return r < 0 ? r : 1;
}

static int read_word(const struct entry *e, const char *name, char ret[WORD_MAX + 1], struct err *err)
{
        AUTO(buf_free) struct buf b = {0};
        int r = read_file(e, name, WORD_MAX, &b, err);

        if (r <= 0)
                return r;
        while (b.len && (b.p[b.len - 1] == '\n' || b.p[b.len - 1] == ' '))
                b.len--;
        if (b.len)
                memcpy(ret, b.p, b.len);
        ret[b.len] = '\0';
        return 1;
}

static int read_number(const struct entry *e, const char *name, uint64_t *ret, struct err *err)
{
        char word[WORD_MAX + 1];
        int r = read_word(e, name, word, err);

        if (r <= 0)
                return r;
        r = str_parse_uint(view_str(word), UINT64_MAX, ret, err);
        return r < 0 ? err_wrap(err, "%s/%s", e->path, name) : 1;
}

/* In one write, as the kernel wants it. */
static int write_file(const struct entry *e, const char *name, struct view v, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", e->path, name);
        AUTO(fd_close_p) int fd = -1;
        ssize_t n;

        if (!path)
                return err_nomem(err);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : write(fd, v.p, v.len);
        if (n < 0)
                return err_errno(err, errno, "%s", path);
        if ((size_t)n != v.len)
                return err_set(err, ERR_IO, 0, "%s: it took %zd of %zu bytes", path, n, v.len);
        return 0;
}

int tee_tsm_kind(const char *folder, enum tee_kind *ret, struct err *err)
{
        AUTO(entry_close) struct entry e = {0};
        char word[WORD_MAX + 1] = "";
        int r = entry_open(folder, &e, err);

        if (r >= 0)
                r = read_word(&e, "provider", word, err);
        if (r < 0)
                return r;
        if (str_equal(word, "sev_guest"))
                *ret = TEE_SNP;
        else if (str_equal(word, "tdx_guest"))
                *ret = TEE_TDX;
        else
                return err_set(err, ERR_CONFIG, 0, "%s: provider %s is not known here", folder, SHOW(word));
        return 0;
}

/* The level that is asked for, or the lowest that this guest may ask for. Return: how many writes; < 0. */
static int set_privlevel(const struct entry *e, unsigned wanted, struct err *err)
{
        char text[16];
        uint64_t floor = 0;
        int r = read_number(e, "privlevel_floor", &floor, err);

        if (r <= 0) /* this provider has no levels */
                return r;
        if (floor > PRIVLEVEL_MAX)
                return err_set(err, ERR_FORMAT, 0, "%s/privlevel_floor: %llu is no level", e->path,
                               (unsigned long long)floor);
        (void)snprintf(text, sizeof(text), "%u", wanted > floor ? wanted : (unsigned)floor);
        r = write_file(e, "privlevel", view_str(text), err);
        return r < 0 ? r : 1;
}

/* That the SVSM reports, on the virtual TPM that it runs. Return: how many writes; < 0. */
static int set_svsm(const struct entry *e, struct err *err)
{
        static const struct {
                const char *name, *value;
        } rows[] = {
                {"service_provider", "svsm"},
                {"service_guid", "c476f1eb-0123-45a5-9641-b4e7dde5bfe3"},
                {"service_manifest_version", "0"},
        };

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                int r = write_file(e, rows[i].name, view_str(rows[i].value), err);

                if (r < 0)
                        return r;
        }
        return ARRAY_LEN(rows);
}

struct question {
        const uint8_t *data;
        unsigned privlevel;
        bool svsm;
};

static int ask_once(const struct entry *e, const struct question *q, struct tee_made *ret, bool *ret_ours,
                    struct err *err)
{
        uint64_t before = 0, after = 0;
        int writes = 0;
        int r = read_number(e, "generation", &before, err);

        if (r == 0)
                r = err_set(err, ERR_IO, ENOENT, "%s/generation is not there", e->path);
        if (r >= 0)
                writes = r = q->svsm ? set_svsm(e, err) : set_privlevel(e, q->privlevel, err);
        if (r >= 0)
                r = write_file(e, "inblob", VIEW(q->data, TEE_DATA_BYTES), err);
        if (r >= 0)
                r = read_file(e, "outblob", TEE_EVIDENCE_BYTES_MAX, &ret->evidence, err);
        if (r >= 0)
                r = q->svsm ? read_file(e, "manifestblob", TEE_EVIDENCE_BYTES_MAX, &ret->manifest, err)
                            : read_file(e, "auxblob", TEE_EVIDENCE_BYTES_MAX, &ret->table, err);
        if (r >= 0)
                r = read_number(e, "generation", &after, err);
        if (r < 0)
                return r;
        *ret_ours = after == before + (uint64_t)writes + 1;
        return 0;
}

/* Asks until the answer is to this question. */
static int ask(const struct entry *e, const struct question *q, struct tee_made *ret, struct err *err)
{
        bool ours = false;

        for (int i = 0; !ours; i++) {
                int r;

                if (i == TRIES)
                        return err_set(
                                err, ERR_IO, 0,
                                "%s: the answers are not to our questions: somebody else writes there, "
                                "or the kernel takes none",
                                e->path);
                buf_reset(&ret->evidence);
                buf_reset(q->svsm ? &ret->manifest : &ret->table);
                r = ask_once(e, q, ret, &ours, err);
                if (r < 0)
                        return r;
        }
        return ret->evidence.len ? 0 : err_set(err, ERR_IO, 0, "%s/outblob is empty", e->path);
}

int tee_tsm_make(const char *folder, unsigned privlevel, bool svsm, const uint8_t data[TEE_DATA_BYTES],
                 struct tee_made *ret, struct err *err)
{
        AUTO(entry_close) struct entry e = {0};
        struct question q = {.data = data, .privlevel = privlevel};
        int r = entry_open(folder, &e, err);

        if (r >= 0)
                r = ask(&e, &q, ret, err);
        q.svsm = svsm;
        if (r >= 0 && svsm) /* it gives no certificates: those that came are good for its report as well */
                r = ask(&e, &q, ret, err);
        if (r >= 0 && svsm && !ret->manifest.len)
                r = err_set(err, ERR_IO, 0, "%s/manifestblob is empty", e.path);
        return r < 0 ? r : 0;
}
