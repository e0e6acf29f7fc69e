/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets as files, for programs that read nothing else. A file is guarded by its mode alone, so a row names
 * a user, and the folder is in memory: what is on a disk is not gone when it is removed. A file never
 * outlives its lease; one that has none (`release: local`) stays until the set changes, a refusal, or our
 * end.
 *
 * Only the names of our rows are ever removed, so that a folder that was named by mistake loses nothing.
 */
#include "agent/secret_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define RETRY_FIRST_MS 2000
#define RETRY_LAST_MS  60000

struct row {
        struct secret_files *owner;
        char name[SECRETS_NAME_BYTES], unit[SECRETS_UNIT_BYTES];
        uint32_t uid;
        bool waiting, there;
        int64_t ask_at_ms, over_at_ms, retry_ms;
};

struct secret_files {
        struct secrets *secrets;
        struct handout *handout;
        char *dir;
        struct row *rows;
        size_t n;
};

int secret_files_new(struct secrets *secrets, struct handout *handout, struct secret_files **ret,
                     struct err *err)
{
        struct secret_files *f = mem_zalloc(1, sizeof(*f));

        if (!f)
                return err_nomem(err);
        f->secrets = secrets;
        f->handout = handout;
        *ret = f;
        return 0;
}

/* It, and what a crash left of writing it. */
static void remove_file(const struct secret_files *f, const char *name)
{
        static const char *const before[] = {"", "."};

        for (size_t i = 0; i < ARRAY_LEN(before); i++) {
                AUTO(mem_free_p) char *path = str_fmt("%s/%s%s", f->dir, before[i], name);

                if (path && unlink(path) < 0 && errno != ENOENT)
                        log_error("%s: cannot be removed: %s", SHOW(path), strerror(errno));
        }
}

static void drop_row(struct row *row)
{
        handout_cancel(row->owner->handout, row);
        remove_file(row->owner, row->name);
        row->waiting = row->there = false;
        row->ask_at_ms = row->over_at_ms = row->retry_ms = 0;
}

void secret_files_drop(struct secret_files *f)
{
        for (size_t i = 0; i < f->n; i++)
                drop_row(&f->rows[i]);
}

void secret_files_free(struct secret_files *f)
{
        if (!f)
                return;
        secret_files_drop(f);
        free(f->rows);
        free(f->dir);
        free(f);
}

void secret_files_renew(struct secret_files *f)
{
        for (size_t i = 0; i < f->n; i++)
                f->rows[i].ask_at_ms = 0;
}

/* ---- rows */

static int check_dir(const char *dir, struct err *err)
{
        struct statfs fs;
        struct stat st;
        int r = file_mkdirs(dir, 0711, err);

        if (r < 0)
                return err_wrap(err, "secrets.dir");
        if (statfs(dir, &fs) < 0 || stat(dir, &st) < 0)
                return err_errno(err, errno, "secrets.dir: %s", SHOW(dir));
        if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "secrets.dir: %s is on a disk: rows with 'file: true' want a folder on a tmpfs",
                        SHOW(dir));
        if (st.st_uid != geteuid() || st.st_mode & 022)
                return err_set(err, ERR_CONFIG, 0, "secrets.dir: others may write to %s", SHOW(dir));
        return 0;
}

static bool still_wanted(const struct agent_config *config, const struct row *row)
{
        for (size_t i = 0; i < config->n_acl; i++)
                if (config->acl[i].file && str_equal(config->acl[i].secret, row->name) &&
                    config->acl[i].uid == row->uid)
                        return true;
        return false;
}

/* The first row for a name counts: a file has one owner. */
static void add_row(struct secret_files *f, struct row *rows, size_t *n, const struct agent_acl *acl)
{
        struct row *row = &rows[*n];

        for (size_t i = 0; i < *n; i++)
                if (str_equal(rows[i].name, acl->secret))
                        return;
        *row = (struct row){.owner = f, .uid = acl->uid};
        (void)snprintf(row->name, sizeof(row->name), "%s", acl->secret);
        (void)snprintf(row->unit, sizeof(row->unit), "%s", acl->unit ? acl->unit : "");
        (*n)++;
}

int secret_files_configure(struct secret_files *f, const struct agent_config *config, struct err *err)
{
        AUTO(mem_free_p) char *dir = str_dup(config->secrets_dir);
        struct row *rows = mem_zalloc(config->n_acl, sizeof(*rows));
        size_t n = 0;
        int r = dir && rows ? 0 : err_nomem(err);

        for (size_t i = 0; r >= 0 && i < config->n_acl; i++)
                if (config->acl[i].file)
                        add_row(f, rows, &n, &config->acl[i]);
        if (r >= 0 && n)
                r = check_dir(dir, err);
        if (r < 0) {
                free(rows);
                return r;
        }
        for (size_t i = 0; i < f->n; i++) {
                handout_cancel(f->handout, &f->rows[i]);
                if (!still_wanted(config, &f->rows[i]))
                        drop_row(&f->rows[i]);
        }
        free(f->rows);
        free(f->dir);
        f->rows = rows;
        f->n = n;
        f->dir = TAKE(dir);
        secret_files_drop(f); /* such as a crash left; the others come back within a moment */
        return 0;
}

/* ---- writing */

static int put_bytes(int fd, const char *path, const struct row *row, struct view secret, struct err *err)
{
        int r = fd_write(fd, path, secret, err);

        if (r < 0)
                return r;
        if (geteuid() == 0 && fchown(fd, row->uid, (gid_t)-1) < 0)
                return err_errno(err, errno, "chown %s", SHOW(path));
        return 0;
}

/* No fsync: it is memory. Readers see the old file or the new one. */
static int write_file(const struct row *row, struct view secret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", row->owner->dir, row->name);
        AUTO(mem_free_p) char *first = str_fmt("%s/.%s", row->owner->dir, row->name);
        AUTO(fd_close_p) int fd = -1;
        int r;

        if (!path || !first)
                return err_nomem(err);
        (void)unlink(first); /* left by a crash, or not there */
        fd = open(first, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
        if (fd < 0)
                return err_errno(err, errno, "%s", SHOW(first));
        r = put_bytes(fd, first, row, secret, err);
        if (r >= 0 && rename(first, path) < 0)
                r = err_errno(err, errno, "rename %s", SHOW(first));
        if (r < 0)
                (void)unlink(first);
        return r;
}

static void retry(struct row *row, int64_t mono_ms)
{
        row->retry_ms = row->retry_ms ? row->retry_ms * 2 : RETRY_FIRST_MS;
        if (row->retry_ms > RETRY_LAST_MS)
                row->retry_ms = RETRY_LAST_MS;
        row->ask_at_ms = mono_ms + row->retry_ms;
}

static void on_answer(void *ctx, const struct handout_answer *answer)
{
        struct row *row = ctx;
        int64_t mono_ms = clock_mono_ms(), lease_ms = (int64_t)answer->lease_s * 1000;
        struct err err = ERR_INIT;

        row->waiting = false;
        if (answer->result != HANDOUT_OK) {
                retry(row, mono_ms);
                return;
        }
        if (write_file(row, answer->secret, &err) < 0) {
                log_err(&err, "secret %s as a file", row->name);
                retry(row, mono_ms);
                return;
        }
        row->there = true;
        row->retry_ms = 0;
        row->over_at_ms = lease_ms ? mono_ms + lease_ms : INT64_MAX;
        row->ask_at_ms = lease_ms ? mono_ms + lease_ms / 2 : INT64_MAX;
}

static void turn_row(struct row *row, int64_t mono_ms)
{
        struct secret_files *f = row->owner;
        struct err err = ERR_INIT;

        if (row->there && mono_ms >= row->over_at_ms) {
                log_warning("secret %s: its lease is over and was not renewed: the file is removed",
                            row->name);
                remove_file(f, row->name);
                row->there = false;
        }
        if (row->waiting || mono_ms < row->ask_at_ms || secrets_refused(f->secrets))
                return;
        if (!secrets_find(f->secrets, row->name)) { /* removed by its owner, or not here yet */
                if (row->there)
                        drop_row(row);
                row->ask_at_ms = INT64_MAX; /* until the set changes */
                return;
        }
        row->waiting =
                handout_ask(f->handout, row->name, row->unit, row->uid, mono_ms, on_answer, row, &err) >= 0;
        if (!row->waiting)
                retry(row, mono_ms);
}

int64_t secret_files_turn(struct secret_files *f, int64_t mono_ms)
{
        int64_t at = INT64_MAX;

        for (size_t i = 0; i < f->n; i++) {
                struct row *row = &f->rows[i];

                turn_row(row, mono_ms);
                if (row->there && row->over_at_ms < at)
                        at = row->over_at_ms;
                if (!row->waiting && !secrets_refused(f->secrets) && row->ask_at_ms < at)
                        at = row->ask_at_ms;
        }
        if (at == INT64_MAX)
                return at;
        return at > mono_ms ? at - mono_ms : 0;
}
