/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's packages. The outer archive is read by libarchive, and so are the two inside it, straight out of
 * the outer one: nothing is unpacked to a disk. A package may come from anywhere, so what it unpacks to is
 * counted while it is read; links in it are names, and never followed.
 */
#include "tenant/sources.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "base/mem.h"
#include "tenant/deb_control.h"
#include "tenant/file_hash.h"

#define BLOCK_BYTES (1u << 16)

/* One regular file or hard link of the data archive. */
struct deb_file {
        char *path, *link; /* as the archive has them, made absolute; LINK: NULL for a file */
        mode_t mode;
        struct file_hashed hashed;
};

struct deb {
        const struct source *s;
        struct archive *outer, *inner;
        struct file_hasher *hasher;
        uint8_t *outer_block, *block;
        uint64_t bytes;   /* unpacked so far */
        size_t n_entries; /* seen so far */
        size_t package;
        bool has_package, has_data;
        struct deb_file *files;
        size_t n, cap;
        struct map by_path; /* of files */
};

static void deb_done(struct deb *d)
{
        archive_read_free(d->inner);
        archive_read_free(d->outer);
        file_hasher_free(d->hasher);
        map_done(&d->by_path);
        for (size_t i = 0; i < d->n; i++) {
                free(d->files[i].path);
                free(d->files[i].link);
        }
        free(d->files);
        free(d->outer_block);
        free(d->block);
}

static int fault(struct archive *a, struct err *err)
{
        const char *text = archive_error_string(a);

        return err_set(err, ERR_FORMAT, 0, "%s", text ? text : "damaged archive");
}

/* The next entry of an archive. Return: 1; 0 at its end; < 0. */
static int next_entry(struct deb *d, struct archive *a, struct archive_entry **ret, struct err *err)
{
        int r = archive_read_next_header(a, ret);

        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return fault(a, err);
        if (++d->n_entries > SOURCE_ENTRIES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u entries", SOURCE_ENTRIES_MAX);
        return 1;
}

/* The next bytes of the entry. Return: 1; 0 at its end; < 0. */
static int next_block(struct deb *d, struct view *ret, struct err *err)
{
        la_ssize_t n = archive_read_data(d->inner, d->block, BLOCK_BYTES);

        if (n < 0)
                return fault(d->inner, err);
        d->bytes += (uint64_t)n;
        if (d->bytes > SOURCE_ARCHIVE_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "unpacks to more than %llu GiB",
                               (unsigned long long)(SOURCE_ARCHIVE_BYTES_MAX >> 30));
        *ret = VIEW(d->block, (size_t)n);
        return n > 0;
}

/* The name of an entry as "/usr/bin/x". Return: 0 with NULL for what names nothing below the root. */
static int absolute(const char *name, char **ret, struct err *err)
{
        AUTO(buf_free) struct buf path = {0};

        *ret = NULL;
        if (!name)
                return err_set(err, ERR_FORMAT, 0, "an entry has no name");
        while (*name) {
                size_t n = strcspn(name, "/");

                if (n == 2 && str_starts(name, ".."))
                        return err_set(err, ERR_FORMAT, 0, "the entry %s leads out of the archive",
                                       SHOW(name));
                if (n && !(n == 1 && *name == '.')) {
                        buf_str(&path, "/");
                        buf_put(&path, name, n);
                }
                name += n + (name[n] == '/');
        }
        if (path.len == 0)
                return 0;
        if (path.len >= CATALOGUE_PATH_MAX)
                return err_set(err, ERR_FORMAT, 0, "an entry's name is longer than %u bytes",
                               CATALOGUE_PATH_MAX - 1);
        *ret = buf_take_str(&path);
        return *ret ? 0 : err_nomem(err);
}

/* --- control --- */

static int read_control_file(struct deb *d, struct err *err)
{
        AUTO(deb_stanza_done) struct deb_stanza stanza = {0};
        AUTO(buf_free) struct buf text = {0};
        struct view block;
        struct cursor c;
        int r;

        while ((r = next_block(d, &block, err)) > 0) {
                if (text.len + block.len > SOURCE_CONTROL_BYTES_MAX)
                        return err_set(err, ERR_LIMIT, 0, "the control file is larger than %u bytes",
                                       SOURCE_CONTROL_BYTES_MAX);
                buf_put_view(&text, block);
        }
        if (r < 0)
                return r;
        if (!buf_ok(&text))
                return err_nomem(err);
        c = cursor_of(VIEW_BUF(&text));
        r = deb_stanza_next(&c, &stanza, err);
        if (r < 0)
                return err_wrap(err, "control file");
        if (!stanza.package || !stanza.version || !stanza.arch)
                return err_set(err, ERR_FORMAT, 0, "the control file lacks Package, Version or Architecture");
        d->has_package = true;
        return catalogue_package(d->s->catalogue, stanza.package, stanza.version, stanza.arch, &d->package,
                                 err);
}

static int read_control(struct deb *d, struct err *err)
{
        struct archive_entry *entry;
        int r;

        while ((r = next_entry(d, d->inner, &entry, err)) > 0) {
                AUTO(mem_free_p) char *path = NULL;

                r = absolute(archive_entry_pathname(entry), &path, err);
                if (r == 0 && path && str_equal(path, "/control") &&
                    archive_entry_filetype(entry) == AE_IFREG) {
                        if (d->has_package)
                                return err_set(err, ERR_FORMAT, 0, "two control files");
                        r = read_control_file(d, err);
                }
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : d->has_package ? 0 : err_set(err, ERR_FORMAT, 0, "no control file");
}

/* --- data --- */

static int hash_entry(struct deb *d, struct file_hashed *ret, struct err *err)
{
        struct view block;
        int r;

        while ((r = next_block(d, &block, err)) > 0) {
                r = file_hasher_update(d->hasher, block, err);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : file_hasher_final(d->hasher, ret, err);
}

static int keep_file(struct deb *d, char *path, char *link, mode_t mode, const struct file_hashed *hashed,
                     struct err *err)
{
        struct deb_file *grown;

        if (d->n == d->cap) {
                grown = mem_resize(d->files, d->cap ? 2 * d->cap : 64, sizeof(*grown));
                if (!grown)
                        goto nomem;
                d->files = grown;
                d->cap = d->cap ? 2 * d->cap : 64;
        }
        /* a number, not an address: the files move when there are more; the last of a name counts */
        if (map_put(&d->by_path, path, (void *)(uintptr_t)(d->n + 1)) < 0)
                goto nomem;
        d->files[d->n++] = (struct deb_file){path, link, mode, *hashed};
        return 0;
nomem:
        free(path);
        free(link);
        return err_nomem(err);
}

static int read_data(struct deb *d, struct err *err)
{
        struct archive_entry *entry;
        int r;

        while ((r = next_entry(d, d->inner, &entry, err)) > 0) {
                AUTO(mem_free_p) char *path = NULL;
                AUTO(mem_free_p) char *link = NULL;
                struct file_hashed hashed = {0};
                const char *target = archive_entry_hardlink(entry);
                mode_t mode = archive_entry_perm(entry);

                if (!target && archive_entry_filetype(entry) != AE_IFREG)
                        continue;
                r = absolute(archive_entry_pathname(entry), &path, err);
                if (r == 0 && target)
                        r = absolute(target, &link, err);
                if (r == 0 && !target)
                        r = hash_entry(d, &hashed, err);
                if (r == 0 && path)
                        r = keep_file(d, TAKE(path), TAKE(link), mode, &hashed, err);
                if (r < 0)
                        return r;
        }
        return r;
}

/* The file behind a hard link, through at most as many links as there are entries. */
static const struct deb_file *behind(const struct deb *d, const struct deb_file *f)
{
        for (size_t i = 0; f && f->link && i < 40; i++) {
                uintptr_t number = (uintptr_t)map_get(&d->by_path, f->link);

                f = number ? &d->files[number - 1] : NULL;
        }
        return f && !f->link ? f : NULL;
}

static int take_files(struct deb *d, struct err *err)
{
        struct catalogue *c = d->s->catalogue;
        char merged[CATALOGUE_PATH_MAX + 8];

        for (size_t i = 0; i < d->n; i++) {
                const struct deb_file *f = &d->files[i], *file = behind(d, f);
                const char *path = d->s->split_usr ? f->path : catalogue_merged_path(f->path, merged);
                int r;

                if ((uintptr_t)map_get(&d->by_path, f->path) != i + 1)
                        continue; /* replaced by a later entry of its name */
                if (!file)
                        return err_set(err, ERR_FORMAT, 0, "%s is a link to %s, which is not there",
                                       SHOW(f->path), SHOW(f->link));
                if (!catalogue_measured(c, path, file->mode | f->mode,
                                        VIEW(file->hashed.head, file->hashed.head_len)))
                        continue;
                r = catalogue_add(c, d->package, path, &file->hashed.digest, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- the outer archive --- */

static la_ssize_t read_member(struct archive *a, void *user, const void **ret)
{
        struct deb *d = user;
        la_ssize_t n = archive_read_data(d->outer, d->outer_block, BLOCK_BYTES);

        if (n < 0)
                archive_set_error(a, archive_errno(d->outer), "%s",
                                  archive_error_string(d->outer) ? archive_error_string(d->outer)
                                                                 : "damaged");
        *ret = d->outer_block;
        return n;
}

/* A tar archive in one of the forms of deb(5). libarchive answers WARN where it would start a program to
 * unpack: that is refused. */
static int open_inner(struct deb *d, struct err *err)
{
        archive_read_free(d->inner);
        d->inner = archive_read_new();
        if (!d->inner)
                return err_nomem(err);
        if (archive_read_support_filter_gzip(d->inner) != ARCHIVE_OK ||
            archive_read_support_filter_xz(d->inner) != ARCHIVE_OK ||
            archive_read_support_filter_zstd(d->inner) != ARCHIVE_OK)
                return err_set(err, ERR_CONFIG, 0, "this libarchive was built without gzip, xz or zstd");
        if (archive_read_support_format_tar(d->inner) != ARCHIVE_OK ||
            archive_read_open(d->inner, d, NULL, read_member, NULL) != ARCHIVE_OK)
                return fault(d->inner, err);
        return 0;
}

/* "control.tar", "control.tar.xz" … */
static bool is_member(const char *name, const char *what)
{
        size_t n = strlen(what);

        return str_starts(name, what) && (name[n] == '\0' || name[n] == '.');
}

static int read_version(struct deb *d, struct err *err)
{
        char text[8] = "";
        la_ssize_t n = archive_read_data(d->outer, text, sizeof(text) - 1);

        if (n < 0)
                return fault(d->outer, err);
        return str_starts(text, "2.") ? 0 : err_set(err, ERR_FORMAT, 0, "not of deb's format 2");
}

static int read_outer(struct deb *d, struct err *err)
{
        struct archive_entry *entry;
        bool has_version = false;
        int r;

        while ((r = next_entry(d, d->outer, &entry, err)) > 0) {
                const char *name = archive_entry_pathname(entry);

                if (!name)
                        return err_set(err, ERR_FORMAT, 0, "a member has no name");
                if (!has_version) {
                        if (!str_equal(name, "debian-binary"))
                                return err_set(err, ERR_FORMAT, 0, "no Debian package: it begins with %s",
                                               SHOW(name));
                        has_version = true;
                        r = read_version(d, err);
                } else if (is_member(name, "control.tar")) {
                        r = open_inner(d, err);
                        if (r == 0)
                                r = read_control(d, err);
                } else if (is_member(name, "data.tar")) {
                        if (!d->has_package || d->has_data)
                                return err_set(err, ERR_FORMAT, 0,
                                               d->has_data ? "two data archives" : "data before control");
                        d->has_data = true;
                        r = open_inner(d, err);
                        if (r == 0)
                                r = read_data(d, err);
                }
                if (r < 0)
                        return r == -ERR_NOMEM ? r : err_wrap(err, "%s", SHOW(name));
        }
        if (r == 0 && !d->has_data)
                return err_set(err, ERR_FORMAT, 0, "no data archive: cut off?");
        return r;
}

int source_deb(const struct source *s, const char *path, struct err *err)
{
        AUTO(deb_done) struct deb d = {.s = s};
        int r = file_hasher_new(s->catalogue->alg, false, &d.hasher, err);

        map_init(&d.by_path, NULL);
        if (r < 0)
                return r;
        d.outer = archive_read_new();
        d.outer_block = mem_alloc(BLOCK_BYTES);
        d.block = mem_alloc(BLOCK_BYTES);
        if (!d.outer || !d.outer_block || !d.block)
                return err_nomem(err);
        if (archive_read_support_format_ar(d.outer) != ARCHIVE_OK ||
            archive_read_open_filename(d.outer, path, BLOCK_BYTES) != ARCHIVE_OK)
                r = fault(d.outer, err);
        if (r == 0)
                r = read_outer(&d, err);
        if (r == 0)
                r = take_files(&d, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}
