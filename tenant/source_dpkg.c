/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's database. It names the files of each package and their MD5, which proves nothing to anybody; so the
 * files themselves are hashed, and the MD5 serves to leave out what was changed since the package came (the
 * package's own configuration files have none: they are meant to be changed). Paths in it are those of the
 * packages: what is diverted lies elsewhere, and folders may be links (/bin on merged systems).
 */
#include "tenant/sources.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "tenant/deb_control.h"
#include "tenant/file_hash.h"
#include "tenant/tree.h"

#define DATABASE         "/var/lib/dpkg"
#define STATUS_BYTES_MAX (256u << 20)
#define LIST_BYTES_MAX   (64u << 20)

struct dpkg {
        const struct source *s;
        struct tree tree;
        struct file_hasher *hasher;
        struct map diverted; /* path → "PACKAGE PATH": for all but that package the file is there */
        struct strv missing; /* of ONLY: not seen yet */
};

static void dpkg_done(struct dpkg *d)
{
        tree_done(&d->tree);
        file_hasher_free(d->hasher);
        map_done(&d->diverted);
        strv_done(&d->missing);
}

/* A file of the database, appended to RET. Return: 1; 0 if there is none; < 0. */
static int read_database(const struct dpkg *d, const char *name, size_t max_bytes, struct buf *ret,
                         struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s" DATABASE "/%s", d->tree.root, name);
        int r = path ? file_read(path, max_bytes, ret, err) : err_nomem(err);

        if (r == -ERR_IO && err->code == ENOENT) {
                err_clear(err);
                return 0;
        }
        return r < 0 ? r : 1;
}

/* info/NAME.SUFFIX, or info/NAME:ARCH.SUFFIX of packages that several architectures may have. */
static int read_info(const struct dpkg *d, const struct deb_stanza *p, const char *suffix, struct buf *ret,
                     struct err *err)
{
        AUTO(mem_free_p) char *plain = str_fmt("info/%s.%s", p->package, suffix);
        AUTO(mem_free_p) char *multi = str_fmt("info/%s:%s.%s", p->package, p->arch, suffix);
        int r;

        if (!plain || !multi)
                return err_nomem(err);
        r = read_database(d, multi, LIST_BYTES_MAX, ret, err);
        return r ? r : read_database(d, plain, LIST_BYTES_MAX, ret, err);
}

static char *line_str(struct view line)
{
        return memchr(line.p, '\0', line.len) ? str_dup("") : str_ndup((const char *)line.p, line.len);
}

/* Three lines each: the path, where it is instead, and the package that has it to itself (":": nobody). */
static int read_diversions(struct dpkg *d, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct view from, to, owner;
        struct cursor c;
        int r = read_database(d, "diversions", LIST_BYTES_MAX, &text, err);

        if (r <= 0)
                return r;
        c = cursor_of(VIEW_BUF(&text));
        while (deb_line(&c, &from)) {
                AUTO(mem_free_p) char *value = NULL;

                if (!deb_line(&c, &to) || !deb_line(&c, &owner))
                        return err_set(err, ERR_FORMAT, 0, "%s" DATABASE "/diversions: cut off",
                                       d->tree.root);
                value = str_fmt("%.*s %.*s", (int)owner.len, (const char *)owner.p, (int)to.len,
                                (const char *)to.p);
                if (!value || map_put_bytes(&d->diverted, from, value) < 0)
                        return err_nomem(err);
                value = NULL; /* the map's now */
        }
        return 0;
}

/* Where the package's file lies. */
static const char *undiverted(const struct dpkg *d, const struct deb_stanza *p, const char *path)
{
        const char *entry = map_get(&d->diverted, path);
        size_t n = strlen(p->package);

        if (!entry || (str_starts(entry, p->package) && entry[n] == ' '))
                return path;
        return strchr(entry, ' ') + 1;
}

/* "MD5  usr/bin/x" → /usr/bin/x: MD5, in M, which borrows from TEXT. */
static int read_md5sums(const struct dpkg *d, const struct deb_stanza *p, struct buf *text, struct map *m,
                        struct err *err)
{
        struct view line;
        struct cursor c;
        int r = read_info(d, p, "md5sums", text, err);

        if (r <= 0)
                return r;
        c = cursor_of(VIEW_BUF(text));
        while (deb_line(&c, &line)) {
                AUTO(buf_free) struct buf path = {0};

                if (line.len < 2 * FILE_MD5_BYTES + 3)
                        continue;
                buf_str(&path, "/");
                buf_put(&path, line.p + 2 * FILE_MD5_BYTES + 2, line.len - 2 * FILE_MD5_BYTES - 2);
                if (!buf_ok(&path) ||
                    map_put_bytes(m, VIEW_BUF(&path), (void *)(uintptr_t)(const void *)line.p) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static bool is_changed(const struct map *md5sums, const char *path, const struct file_hashed *hashed)
{
        const char *listed = map_get(md5sums, path);
        char hex[2 * FILE_MD5_BYTES + 1];

        return listed && hashed->has_md5 &&
               strncmp(hex_write(hex, VIEW_ARRAY(hashed->md5)), listed, 2 * FILE_MD5_BYTES) != 0;
}

/* Opens what the package calls PATH. Return: 1; 0 if there is no such regular file; < 0. */
static int open_file(struct dpkg *d, const struct deb_stanza *p, const char *path, char **ret_place,
                     int *ret_fd, struct stat *ret_st, struct err *err)
{
        int r = tree_resolve(&d->tree, undiverted(d, p, path), ret_place, err);

        if (r == 0)
                r = tree_open(&d->tree, *ret_place, ret_st, err);
        if (r >= 0) {
                *ret_fd = r;
                return 1;
        }
        if (r == -ERR_CONFIG || (r == -ERR_IO && (err->code == ENOENT || err->code == ENOTDIR ||
                                                  err->code == ELOOP || err->code == ENXIO))) {
                err_clear(err);
                return 0;
        }
        return r;
}

static int add_file(struct dpkg *d, const struct deb_stanza *p, size_t package, const struct map *md5sums,
                    const char *path, struct err *err)
{
        struct catalogue *c = d->s->catalogue;
        AUTO(mem_free_p) char *place = NULL;
        AUTO(fd_close_p) int fd = -1;
        uint8_t head[FILE_HEAD_BYTES];
        size_t n_head;
        struct file_hashed hashed;
        struct stat st;
        int r = open_file(d, p, path, &place, &fd, &st, err);

        if (r <= 0)
                return r;
        n_head = file_head(fd, head);
        if (!catalogue_measured(c, place, st.st_mode, VIEW(head, n_head)))
                return 0;
        r = file_hasher_fd(d->hasher, fd, place, &hashed, err);
        if (r < 0)
                return r;
        if (!is_changed(md5sums, path, &hashed))
                return catalogue_add(c, package, place, &hashed.digest, err);
        return catalogue_note(c, err, "%s%s is not what %s %s brought: %s", d->tree.root, place, p->package,
                              p->version, d->s->keep_changed ? "allowed as it lies there" : "left out");
}

static int add_package(struct dpkg *d, const struct deb_stanza *p, struct err *err)
{
        AUTO(buf_free) struct buf list = {0};
        AUTO(buf_free) struct buf sums = {0};
        AUTO(map_done) struct map md5sums;
        struct view line;
        struct cursor c;
        size_t package, n = 0;
        int r;

        map_init(&md5sums, NULL);
        r = read_md5sums(d, p, &sums, &md5sums, err);
        if (r >= 0)
                r = read_info(d, p, "list", &list, err);
        if (r <= 0)
                return r < 0 ? r
                             : catalogue_note(d->s->catalogue, err,
                                              "%s is installed, and dpkg has no list of its files: left out",
                                              p->package);
        r = catalogue_package(d->s->catalogue, p->package, p->version, p->arch, &package, err);
        c = cursor_of(VIEW_BUF(&list));
        while (r >= 0 && deb_line(&c, &line)) {
                AUTO(mem_free_p) char *path = line_str(line);

                if (++n > SOURCE_ENTRIES_MAX)
                        return err_set(err, ERR_LIMIT, 0, "more than %u files", SOURCE_ENTRIES_MAX);
                if (!path)
                        r = err_nomem(err);
                else if (*path == '/')
                        r = add_file(d, p, package, &md5sums, path, err);
        }
        return r < 0 ? r : 0;
}

/* Is P to be read? It then is no longer missing. */
static bool is_wanted(struct dpkg *d, const struct strv *only, const struct deb_stanza *p)
{
        bool wanted = !only;

        for (size_t i = 0; only && i < only->n; i++) {
                const char *name = only->items[i];
                size_t n = strlen(p->package);

                if (str_starts(name, p->package) &&
                    (name[n] == '\0' || (name[n] == ':' && str_equal(name + n + 1, p->arch)))) {
                        wanted = true;
                        *d->missing.items[i] = '\0';
                }
        }
        return wanted;
}

static int read_packages(struct dpkg *d, const struct strv *only, struct cursor *c, struct err *err)
{
        int r;

        for (;;) {
                AUTO(deb_stanza_done) struct deb_stanza p = {0};

                r = deb_stanza_next(c, &p, err);
                if (r <= 0)
                        return r < 0 ? err_wrap(err, "%s" DATABASE "/status", d->tree.root) : 0;
                if (!p.package || !p.version || !p.arch || !p.status)
                        continue;
                /* its files are there from "unpacked" on; Spec: dpkg(1), PACKAGE STATES */
                if (str_ends(p.status, " not-installed") || str_ends(p.status, " config-files") ||
                    str_ends(p.status, " half-installed"))
                        continue;
                if (strchr(p.package, '/') || strchr(p.arch, '/'))
                        return err_set(err, ERR_FORMAT, 0, "%s is no name of a package", SHOW(p.package));
                if (!is_wanted(d, only, &p))
                        continue;
                r = add_package(d, &p, err);
                if (r < 0)
                        return r == -ERR_NOMEM ? r : err_wrap(err, "package %s", p.package);
        }
}

int source_dpkg(const struct source *s, const char *root, const struct strv *only, struct err *err)
{
        AUTO(dpkg_done) struct dpkg d = {.s = s};
        AUTO(buf_free) struct buf text = {0};
        struct cursor c;
        int r;

        map_init(&d.diverted, free);
        r = tree_init(&d.tree, root, err);
        if (r == 0)
                r = file_hasher_new(s->catalogue->alg, true, &d.hasher, err);
        for (size_t i = 0; r == 0 && only && i < only->n; i++)
                if (strv_add(&d.missing, only->items[i]) < 0)
                        r = err_nomem(err);
        if (r == 0)
                r = read_diversions(&d, err);
        if (r == 0)
                r = read_database(&d, "status", STATUS_BYTES_MAX, &text, err);
        if (r == 0)
                return err_set(err, ERR_CONFIG, 0, "%s" DATABASE "/status is not there: no Debian system?",
                               d.tree.root);
        if (r < 0)
                return r;
        c = cursor_of(VIEW_BUF(&text));
        r = read_packages(&d, only, &c, err);
        for (size_t i = 0; r == 0 && i < d.missing.n; i++)
                if (*d.missing.items[i])
                        return err_set(err, ERR_CONFIG, 0, "%s is not installed here",
                                       SHOW(d.missing.items[i]));
        return r;
}
