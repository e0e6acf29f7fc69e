/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closure, by the rules of the dynamic loader (ld.so(8)): breadth first; a name with a slash is a path;
 * else the RPATH of the object and of those that loaded it (unless it has a RUNPATH), its RUNPATH, the
 * loader's cache, the default folders. The first file of the same class and machine is the one; a name is
 * looked up once for the whole process, as the loader does.
 *
 * Where the cache has variants for certain CPUs (glibc-hwcaps), all of them are measured beside the plain
 * one: which one this CPU takes is not decided here, and one too many is harmless where one too few is not.
 * LD_LIBRARY_PATH and LD_PRELOAD belong to whoever starts the runtime and are not followed; dlopen() is not
 * visible in files. Spec: ld.so(8).
 */
#include "base/closure.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/elf_file.h"
#include "base/file.h"
#include "base/ld_cache.h"
#include "base/mem.h"

#define CACHE_FILE      "/etc/ld.so.cache"
#define CACHE_BYTES_MAX (16u << 20)
#define OBJECTS_MAX     1024
#define FILES_MAX       4096

/* What `libs: private` leaves out: glibc's and musl's own files, and the compilers' run-time libraries. */
static const char *const runtime_libraries[] = {
        "libc.so",
        "libm.so",
        "libmvec.so",
        "libdl.so",
        "libpthread.so",
        "librt.so",
        "libresolv.so",
        "libutil.so",
        "libanl.so",
        "libnsl.so",
        "libBrokenLocale.so",
        "libthread_db.so",
        "libgcc_s.so",
        "libstdc++.so",
        "libc++.so",
        "libc++abi.so",
        "libatomic.so",
        "ld-linux.so",
        "ld-linux-x86-64.so",
        "ld-linux-aarch64.so",
        "ld-linux-armhf.so",
        "ld-linux-riscv64-lp64d.so",
        "ld64.so",
        "libc.musl-",
        "ld-musl-",
};

bool closure_is_runtime_library(const char *soname)
{
        const char *slash = strrchr(soname, '/'), *base = slash ? slash + 1 : soname;

        for (size_t i = 0; i < ARRAY_LEN(runtime_libraries); i++) {
                size_t n = strlen(runtime_libraries[i]);

                if (!str_starts(base, runtime_libraries[i]))
                        continue;
                if (runtime_libraries[i][n - 1] == '-' || base[n] == '\0' || base[n] == '.')
                        return true;
        }
        return false;
}

struct object {
        char *path; /* as found */
        struct elf_file elf;
        size_t loader; /* index of the object that needed it; its own for the executable */
};

struct closure {
        const struct agent_runtime *runtime;
        struct object *objects;
        size_t n;
        struct strv names; /* looked up already */
        struct strv extra; /* interpreter and variants: measured, not followed */
        struct buf cache;
};

static void closure_done(struct closure *c)
{
        for (size_t i = 0; i < c->n; i++) {
                free(c->objects[i].path);
                elf_file_done(&c->objects[i].elf);
        }
        free(c->objects);
        strv_done(&c->names);
        strv_done(&c->extra);
        buf_free(&c->cache);
}

/* Takes PATH (malloc) over. */
static int add_object(struct closure *c, char *path, struct elf_file *elf, size_t loader, struct err *err)
{
        struct object *grown;

        if (c->n == OBJECTS_MAX) {
                free(path);
                elf_file_done(elf);
                return err_set(err, ERR_LIMIT, 0, "more than %d shared objects", OBJECTS_MAX);
        }
        grown = path ? mem_resize(c->objects, c->n + 1, sizeof(*grown)) : NULL;
        if (!grown) {
                free(path);
                elf_file_done(elf);
                return err_nomem(err);
        }
        c->objects = grown;
        c->objects[c->n++] = (struct object){.path = path, .elf = *elf, .loader = loader};
        return 0;
}

/* Is PATH a file that this process could load? Return: 1 and its ELF; 0; < 0. A broken file counts as none.
 */
static int candidate(const struct closure *c, const char *path, struct elf_file *ret, struct err *err)
{
        const struct elf_file *exe = &c->objects[0].elf;
        struct err why = ERR_INIT;
        int r = elf_file_read(path, ret, &why);

        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r == -ERR_IO && why.code != ENOENT && why.code != ENOTDIR && why.code != ELOOP) {
                *err = why;
                return -ERR_IO;
        }
        if (r < 0)
                return 0;
        if (ret->is_elf && ret->class == exe->class && ret->machine == exe->machine)
                return 1;
        elf_file_done(ret);
        return 0;
}

/* Tries PATH (malloc, taken over). Return: 1 if it is the one and was added; 0; < 0. */
static int try_path(struct closure *c, char *path, size_t loader, struct err *err)
{
        struct elf_file elf;
        int r;

        if (!path)
                return err_nomem(err);
        r = candidate(c, path, &elf, err);
        if (r <= 0) {
                free(path);
                return r;
        }
        r = add_object(c, path, &elf, loader, err);
        return r < 0 ? r : 1;
}

/* One folder of an RPATH or RUNPATH with $ORIGIN, $LIB and $PLATFORM put in. LIB: what $LIB stands for. */
static char *expand(const char *folder, size_t len, const char *object, const char *lib)
{
        const char *slash = strrchr(object, '/');
        struct utsname un = {0};
        struct buf out = {0};

        (void)uname(&un);
        for (size_t i = 0; i < len;) {
                const struct {
                        const char *token;
                        struct view value;
                } tokens[] = {
                        {"$ORIGIN", VIEW(object, slash ? (size_t)(slash - object) : 0)},
                        {"${ORIGIN}", VIEW(object, slash ? (size_t)(slash - object) : 0)},
                        {"$LIB", view_str(lib)},
                        {"${LIB}", view_str(lib)},
                        {"$PLATFORM", view_str(un.machine)},
                        {"${PLATFORM}", view_str(un.machine)},
                };
                size_t k = 0;

                while (k < ARRAY_LEN(tokens) &&
                       (strlen(tokens[k].token) > len - i ||
                        strncmp(folder + i, tokens[k].token, strlen(tokens[k].token)) != 0))
                        k++;
                if (k < ARRAY_LEN(tokens)) {
                        buf_put_view(&out, tokens[k].value);
                        i += strlen(tokens[k].token);
                } else {
                        buf_u8(&out, (uint8_t)folder[i++]);
                }
        }
        return buf_take_str(&out);
}

static int try_folders(struct closure *c, const char *list, const char *object, const char *name,
                       size_t loader, struct err *err)
{
        static const char *const libs[] = {"lib64", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"};

        while (list && *list) {
                size_t len = strcspn(list, ":");
                bool many = memmem(list, len, "LIB", 3) != NULL;

                for (size_t i = 0; i < (many ? ARRAY_LEN(libs) : 1); i++) {
                        AUTO(mem_free_p)
                        char *folder = expand(list, len, object, libs[i]);
                        int r;

                        if (!folder)
                                return err_nomem(err);
                        if (folder[0] !=
                            '/') /* relative to whoever starts it: nothing that can be measured */
                                continue;
                        r = try_path(c, str_fmt("%s/%s", folder, name), loader, err);
                        if (r != 0)
                                return r;
                }
                list += len;
                list += *list == ':';
        }
        return 0;
}

static int try_cache(struct closure *c, const char *name, size_t loader, struct err *err)
{
        struct strv plain = {0}, special = {0};
        int r = ld_cache_find(VIEW_BUF(&c->cache), name, &plain, &special, err);

        for (size_t i = 0; r >= 0 && i < special.n; i++) {
                struct elf_file elf;

                r = candidate(c, special.items[i], &elf, err);
                if (r == 1) {
                        elf_file_done(&elf);
                        r = strv_add(&c->extra, special.items[i]) < 0 ? err_nomem(err) : 0;
                }
        }
        for (size_t i = 0; r == 0 && i < plain.n; i++)
                r = try_path(c, str_dup(plain.items[i]), loader, err);
        strv_done(&plain);
        strv_done(&special);
        return r;
}

static int try_all(struct closure *c, size_t loader, const char *name, struct err *err)
{
        static const char defaults[] = "/lib64:/usr/lib64:/lib:/usr/lib";
        int r = 0;

        if (strchr(name, '/'))
                return name[0] == '/' ? try_path(c, str_dup(name), loader, err) : 0;
        if (!c->objects[loader].elf.runpath)
                for (size_t at = loader; r == 0; at = c->objects[at].loader) {
                        if (!c->objects[at].elf.runpath)
                                r = try_folders(c, c->objects[at].elf.rpath, c->objects[at].path, name,
                                                loader, err);
                        if (at == c->objects[at].loader)
                                break;
                }
        if (r == 0)
                r = try_folders(c, c->objects[loader].elf.runpath, c->objects[loader].path, name, loader,
                                err);
        if (r == 0)
                r = try_cache(c, name, loader, err);
        if (r == 0)
                r = try_folders(c, defaults, "/", name, loader, err);
        return r;
}

static int add_needed(struct closure *c, size_t loader, const char *name, struct err *err)
{
        int r;

        if (strv_has(&c->names, name))
                return 0;
        if (strv_add(&c->names, name) < 0)
                return err_nomem(err);
        if (c->runtime->libs == AGENT_LIBS_PRIVATE && closure_is_runtime_library(name))
                return 0;
        r = try_all(c, loader, name, err);
        if (r == 0)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "%s, which %s needs, is nowhere: not in its RPATH, the loader's cache or the default "
                        "folders (run ldconfig, or use libs: none and list the files)",
                        SHOW(name), SHOW(c->objects[loader].path));
        return r < 0 ? r : 0;
}

static int follow(struct closure *c, struct err *err)
{
        struct err ignored = ERR_INIT;
        int r = 0;

        if (c->runtime->libs == AGENT_LIBS_NONE || !c->objects[0].elf.is_elf)
                return 0;
        if (file_read(CACHE_FILE, CACHE_BYTES_MAX, &c->cache, &ignored) == -ERR_NOMEM)
                return err_nomem(err); /* that there is none is fine */
        if (c->runtime->libs == AGENT_LIBS_ALL && c->objects[0].elf.interpreter &&
            strv_add(&c->extra, c->objects[0].elf.interpreter) < 0)
                return err_nomem(err);
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                for (size_t k = 0; r >= 0 && k < c->objects[i].elf.needed.n; k++)
                        r = add_needed(c, i, c->objects[i].elf.needed.items[k], err);
        return r;
}

/* Appends PATH, resolved, unless it is there. A folder or device is refused. */
static int add_resolved(struct strv *to, const char *path, struct err *err)
{
        char real[PATH_MAX];
        struct stat st;

        if (!realpath(path, real) || stat(real, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        if (!S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0, "%s is no regular file%s", SHOW(path),
                               S_ISDIR(st.st_mode) ? " but a folder: list its files" : "");
        if (!str_valid_utf8(view_str(real)))
                return err_set(err, ERR_CONFIG, 0, "%s: its path is not UTF-8", SHOW(path));
        if (strv_has(to, real))
                return 0;
        if (to->n == FILES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d files", FILES_MAX);
        return strv_add(to, real) < 0 ? err_nomem(err) : 0;
}

static int start(struct closure *c, struct err *err)
{
        char real[PATH_MAX];
        struct elf_file elf = {0};
        int r;

        if (!realpath(c->runtime->path, real))
                return err_errno(err, errno, "%s", SHOW(c->runtime->path));
        r = elf_file_read(real, &elf, err);
        if (r < 0)
                return r;
        return add_object(c, str_dup(real), &elf, 0, err);
}

static int collect(struct closure *c, struct strv *rest, struct err *err)
{
        int r = 0;

        for (size_t i = 1; r >= 0 && i < c->n; i++)
                r = add_resolved(rest, c->objects[i].path, err);
        for (size_t i = 0; r >= 0 && i < c->extra.n; i++)
                r = add_resolved(rest, c->extra.items[i], err);
        for (size_t i = 0; r >= 0 && i < c->runtime->n_files; i++)
                r = add_resolved(rest, c->runtime->files[i], err);
        strv_sort(rest);
        return r;
}

int closure_of(const struct agent_runtime *runtime, struct strv *ret, struct err *err)
{
        struct closure c = {.runtime = runtime};
        struct strv rest = {0}, all = {0};
        int r = start(&c, err);

        if (r >= 0)
                r = follow(&c, err);
        if (r >= 0)
                r = collect(&c, &rest, err);
        if (r >= 0)
                r = add_resolved(&all, c.objects[0].path, err);
        for (size_t i = 0; r >= 0 && i < rest.n; i++)
                if (!strv_has(&all, rest.items[i]) && strv_add(&all, rest.items[i]) < 0)
                        r = err_nomem(err);
        for (size_t i = 0; r >= 0 && i < all.n; i++)
                if (strv_add(ret, all.items[i]) < 0)
                        r = err_nomem(err);
        strv_done(&rest);
        strv_done(&all);
        closure_done(&c);
        return r < 0 ? err_wrap(err, "runtime '%s'", runtime->name) : 0;
}
