/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of good files. Names in it come from packages and logs of strangers: a package's name,
 * version and architecture are taken only if they are made of the characters that package managers allow, so
 * that they can stand in a policy as they are; paths may hold any byte but NUL and are escaped by whoever
 * writes them.
 */
#include "tenant/catalogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define LABEL_BYTES_MAX 255

void catalogue_init(struct catalogue *c, enum digest_alg alg, enum catalogue_scope scope)
{
        *c = (struct catalogue){.alg = alg, .scope = scope};
        map_init(&c->paths, free);
}

static void package_done(struct catalogue_package *p)
{
        free(p->name);
        free(p->version);
        free(p->arch);
        free(p->files);
}

void catalogue_done(struct catalogue *c)
{
        for (size_t i = 0; i < c->n; i++)
                package_done(&c->packages[i]);
        free(c->packages);
        map_done(&c->paths);
        strv_done(&c->notes);
        *c = (struct catalogue){0};
}

/* Spec: Debian Policy §5.6.1, §5.6.7, §5.6.12; RPM allows '_', '^' and capitals besides. */
static bool is_label(const char *text)
{
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-~:_^");

        return n <= LABEL_BYTES_MAX && n == strlen(text);
}

static int take_label(const char *text, const char *what, char **ret, struct err *err)
{
        text = text ? text : "";
        if (!is_label(text))
                return err_set(err, ERR_FORMAT, 0, "%s is no %s of a package", SHOW(text), what);
        *ret = str_dup(text);
        return *ret ? 0 : err_nomem(err);
}

/* Grows V of elements of SIZE by one. Return: false: no memory. */
static bool grow(void **v, size_t n, size_t *cap, size_t size)
{
        size_t more = *cap ? 2 * *cap : 16;
        void *grown;

        if (n < *cap)
                return true;
        grown = mem_resize(*v, more, size);
        if (!grown)
                return false;
        *v = grown;
        *cap = more;
        return true;
}

int catalogue_package(struct catalogue *c, const char *name, const char *version, const char *arch,
                      size_t *ret, struct err *err)
{
        struct catalogue_package p = {0};
        int r = take_label(name, "name", &p.name, err);

        if (r == 0)
                r = take_label(version, "version", &p.version, err);
        if (r == 0)
                r = take_label(arch, "architecture", &p.arch, err);
        if (r == 0 && !grow((void **)&c->packages, c->n, &c->cap, sizeof(p)))
                r = err_nomem(err);
        if (r < 0) {
                package_done(&p);
                return r;
        }
        *ret = c->n;
        c->packages[c->n++] = p;
        return 0;
}

/* The catalogue's own copy of PATH, one for each path. NULL: no memory. */
static const char *keep_path(struct catalogue *c, const char *path)
{
        AUTO(mem_free_p) char *copy = NULL;
        const char *known = map_get(&c->paths, path);

        if (known)
                return known;
        copy = str_dup(path);
        if (!copy || map_put(&c->paths, path, copy) < 0)
                return NULL;
        return TAKE(copy);
}

int catalogue_add(struct catalogue *c, size_t package, const char *path, const struct digest *digest,
                  struct err *err)
{
        struct catalogue_package *p = &c->packages[package];
        const char *kept;

        if (*path != '/')
                return err_set(err, ERR_FORMAT, 0, "%s is no absolute path", SHOW(path));
        if (strlen(path) >= CATALOGUE_PATH_MAX)
                return err_set(err, ERR_FORMAT, 0, "the path %s is longer than %u bytes", SHOW(path),
                               CATALOGUE_PATH_MAX - 1);
        if (c->n_files == CATALOGUE_FILES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u files", CATALOGUE_FILES_MAX);
        kept = keep_path(c, path);
        if (!kept || !grow((void **)&p->files, p->n, &p->cap, sizeof(*p->files)))
                return err_nomem(err);
        p->files[p->n++] = (struct catalogue_file){kept, *digest};
        c->n_files++;
        return 0;
}

int catalogue_note(struct catalogue *c, struct err *err, const char *fmt, ...)
{
        va_list ap;
        char *text;

        if (c->notes.n == CATALOGUE_NOTES_MAX) {
                c->n_notes_more++;
                return 0;
        }
        va_start(ap, fmt);
        text = str_vfmt(fmt, ap);
        va_end(ap);
        return strv_take(&c->notes, text) < 0 ? err_nomem(err) : 0;
}

/* --- order --- */

static int by_label(const void *a, const void *b)
{
        const struct catalogue_package *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        r = r ? r : strcmp(x->arch, y->arch);
        return r ? r : strcmp(x->version, y->version);
}

static int by_path(const void *a, const void *b)
{
        const struct catalogue_file *x = a, *y = b;
        int r = strcmp(x->path, y->path);

        for (size_t i = 0; r == 0 && i < x->digest.len; i++)
                r = x->digest.b[i] - y->digest.b[i];
        return r;
}

static int take_files(struct catalogue_package *to, struct catalogue_package *from)
{
        size_t n = to->n + from->n;
        struct catalogue_file *grown = mem_resize(to->files, n ? n : 1, sizeof(*grown));

        if (!grown)
                return -1;
        to->files = grown;
        if (from->n)
                memcpy(to->files + to->n, from->files, from->n * sizeof(*grown));
        to->n = to->cap = n;
        from->n = 0;
        return 0;
}

static void sort_files(struct catalogue_package *p)
{
        size_t n = 0;

        if (p->n)
                qsort(p->files, p->n, sizeof(*p->files), by_path);
        for (size_t i = 0; i < p->n; i++)
                if (n == 0 || by_path(&p->files[n - 1], &p->files[i]) != 0)
                        p->files[n++] = p->files[i];
        p->n = n;
}

/* What a package has needs no loose entry beside it. LOOSE is sorted. */
static int drop_packaged(const struct catalogue *c, struct catalogue_package *loose, struct err *err)
{
        AUTO(mem_free_p) bool *packaged = mem_zalloc(loose->n + 1, sizeof(*packaged));
        size_t n = 0;

        if (!packaged)
                return err_nomem(err);
        for (size_t i = 0; i < c->n; i++)
                for (size_t k = 0; &c->packages[i] != loose && k < c->packages[i].n; k++) {
                        const struct catalogue_file *same = bsearch(&c->packages[i].files[k], loose->files,
                                                                    loose->n, sizeof(*loose->files), by_path);

                        if (same)
                                packaged[same - loose->files] = true;
                }
        for (size_t i = 0; i < loose->n; i++)
                if (!packaged[i])
                        loose->files[n++] = loose->files[i];
        loose->n = n;
        return 0;
}

int catalogue_sort(struct catalogue *c, struct err *err)
{
        size_t n = 0;

        if (c->n)
                qsort(c->packages, c->n, sizeof(*c->packages), by_label);
        for (size_t i = 1; i < c->n; i++)
                if (by_label(&c->packages[i - 1], &c->packages[i]) == 0 &&
                    take_files(&c->packages[i], &c->packages[i - 1]) < 0)
                        return err_nomem(err);
        for (size_t i = 0; i < c->n; i++)
                sort_files(&c->packages[i]);
        for (size_t i = 0; i < c->n; i++)
                if (!*c->packages[i].name && c->packages[i].n && drop_packaged(c, &c->packages[i], err) < 0)
                        return -(int)err->kind;
        c->n_files = 0;
        for (size_t i = 0; i < c->n; i++) {
                struct catalogue_package p = c->packages[i];

                c->n_files += p.n;
                if (p.n)
                        c->packages[n++] = p;
                else
                        package_done(&p);
        }
        c->n = n;
        return 0;
}

/* --- what the kernel measures --- */

/* "…/libx.so", "…/libx.so.1.2" */
static bool is_library(const char *base)
{
        const char *so = strstr(base, ".so");

        while (so && so[3] && so[3] != '.')
                so = strstr(so + 1, ".so");
        return so != NULL;
}

static bool is_module(const char *base)
{
        static const char *const ends[] = {".ko", ".ko.gz", ".ko.xz", ".ko.zst"};

        for (size_t i = 0; i < ARRAY_LEN(ends); i++)
                if (str_ends(base, ends[i]))
                        return true;
        return false;
}

static bool is_elf_program(struct view head)
{
        static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};
        size_t type;

        if (head.len < 18 || !view_equal(VIEW(head.p, sizeof(magic)), VIEW_ARRAY(magic)))
                return false;
        /* EI_DATA 2: big-endian; ET_EXEC 2, ET_DYN 3 (an object file, 1, is never mapped to be executed) */
        type = head.p[5] == 2 ? (size_t)head.p[16] << 8 | head.p[17] : (size_t)head.p[17] << 8 | head.p[16];
        return type == 2 || type == 3;
}

bool catalogue_measured(const struct catalogue *c, const char *path, mode_t mode, struct view head)
{
        static const char *const read_by_kernel[] = {"/usr/lib/firmware/", "/lib/firmware/", "/etc/ima/",
                                                     "/boot/vmlinuz"};
        const char *base = strrchr(path, '/');

        if (c->scope == CATALOGUE_ALL || mode & (S_IXUSR | S_IXGRP | S_IXOTH))
                return true;
        for (size_t i = 0; i < ARRAY_LEN(read_by_kernel); i++)
                if (str_starts(path, read_by_kernel[i]))
                        return true;
        base = base ? base + 1 : path;
        return is_library(base) || is_module(base) || is_elf_program(head);
}

const char *catalogue_merged_path(const char *path, char *ret)
{
        static const char *const folders[] = {"/bin/",   "/sbin/",   "/lib/",   "/lib32/",
                                              "/lib64/", "/libx32/", "/libo32/"};

        for (size_t i = 0; i < ARRAY_LEN(folders); i++)
                if (str_starts(path, folders[i])) {
                        (void)snprintf(ret, CATALOGUE_PATH_MAX + 8, "/usr%s", path);
                        return ret;
                }
        return path;
}
