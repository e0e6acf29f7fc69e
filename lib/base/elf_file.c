/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ELF without running anything. The alternative, asking the loader (`ld.so --list`), executes the
 * interpreter that the file itself names; a substituted runtime would choose what runs beside the TPM. So the
 * dynamic section is read here, through a cursor: the file is somebody else's. Little-endian files only:
 * those are what Linux hosts with a TPM run.
 *
 * A shared object that is loaded later (dlopen) is not in a file's dynamic section and not in the closure;
 * the configuration's `files:` adds it. Spec: System V ABI 4.1, chapters 4 and 5; ELF-64 object file
 * format 1.5.
 */
#include "base/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define SEGMENTS_MAX      512
#define NEEDED_MAX        512
#define DYNAMIC_BYTES_MAX 65536
#define STRING_MAX        4096

struct segment {
        uint32_t type;
        uint64_t offset, address, size;
};

/* Where the bytes come from: memory, or a descriptor. Never a mapping: truncating the file would kill us. */
struct source {
        struct view memory;
        int fd; /* -1: memory */
};

struct reader {
        struct source from;
        bool wide; /* 64 bits */
        uint64_t table_at;
        uint16_t entry_size, n_entries;
};

static int broken(struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "broken ELF file: %s", what);
}

/* Reads up to N bytes at AT into P. Return: how many there were. */
static size_t read_at(const struct source *from, uint64_t at, uint8_t *p, size_t n)
{
        struct cursor c = cursor_of(from->memory);
        struct view v;
        size_t got = 0;

        if (at > INT64_MAX)
                return 0;
        if (from->fd < 0) {
                if (!cursor_skip(&c, (size_t)at))
                        return 0;
                n = n < c.left ? n : c.left;
                if (!cursor_take(&c, n, &v))
                        return 0;
                if (n)
                        memcpy(p, v.p, n);
                return n;
        }
        while (got < n) {
                ssize_t k = pread(from->fd, p + got, n - got, (off_t)at + (off_t)got);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        break;
                got += (size_t)k;
        }
        return got;
}

static bool le64(struct cursor *c, bool wide, uint64_t *ret)
{
        uint32_t narrow;

        if (wide)
                return cursor_le64(c, ret);
        if (!cursor_le32(c, &narrow))
                return false;
        *ret = narrow;
        return true;
}

static bool read_header(struct cursor *c, struct elf_file *e, struct reader *r)
{
        uint64_t entry, sections;
        uint16_t type, header_size;
        uint32_t version, flags;

        return cursor_skip(c, EI_NIDENT) && cursor_le16(c, &type) && cursor_le16(c, &e->machine) &&
               cursor_le32(c, &version) && le64(c, r->wide, &entry) && le64(c, r->wide, &r->table_at) &&
               le64(c, r->wide, &sections) && cursor_le32(c, &flags) && cursor_le16(c, &header_size) &&
               cursor_le16(c, &r->entry_size) && cursor_le16(c, &r->n_entries);
}

static bool read_segment(const struct reader *r, unsigned i, struct segment *ret)
{
        uint8_t bytes[sizeof(Elf64_Phdr)];
        size_t size = r->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
        struct cursor c = cursor_of(VIEW(bytes, size));
        uint64_t at = (uint64_t)i * r->entry_size, physical;
        uint32_t flags;

        if (r->entry_size < size || __builtin_add_overflow(at, r->table_at, &at) ||
            read_at(&r->from, at, bytes, size) != size || !cursor_le32(&c, &ret->type))
                return false;
        if (r->wide && !cursor_le32(&c, &flags))
                return false;
        return le64(&c, r->wide, &ret->offset) && le64(&c, r->wide, &ret->address) &&
               le64(&c, r->wide, &physical) && le64(&c, r->wide, &ret->size);
}

/* Where the byte that is loaded at ADDRESS stands in the file. */
static bool place_of(const struct reader *r, uint64_t address, uint64_t *ret)
{
        struct segment s;

        for (unsigned i = 0; i < r->n_entries; i++)
                if (read_segment(r, i, &s) && s.type == PT_LOAD && address >= s.address &&
                    address - s.address < s.size)
                        return !__builtin_add_overflow(s.offset, address - s.address, ret);
        return false;
}

/* The string that begins at byte AT of the file; it must end within STRING_MAX bytes. */
static int read_string(const struct reader *r, uint64_t at, char **ret, struct err *err)
{
        char text[STRING_MAX];
        size_t n = read_at(&r->from, at, (uint8_t *)text, sizeof(text));

        if (strnlen(text, n) == n)
                return broken(err, "a string has no end");
        free(*ret);
        *ret = str_dup(text);
        return *ret ? 0 : err_nomem(err);
}

static int add_needed(const struct reader *r, uint64_t at, struct elf_file *e, struct err *err)
{
        char *name = NULL;
        int res = read_string(r, at, &name, err);

        if (res < 0)
                return res;
        if (!*name) {
                free(name);
                return broken(err, "a needed library has no name");
        }
        if (e->needed.n == NEEDED_MAX) {
                free(name);
                return err_set(err, ERR_LIMIT, 0, "ELF file that needs more than %d libraries", NEEDED_MAX);
        }
        return strv_take(&e->needed, name) < 0 ? err_nomem(err) : 0;
}

static int take_entry(const struct reader *r, uint64_t tag, uint64_t at, struct elf_file *e, struct err *err)
{
        if (tag == DT_RPATH)
                return read_string(r, at, &e->rpath, err);
        if (tag == DT_RUNPATH)
                return read_string(r, at, &e->runpath, err);
        if (tag == DT_NEEDED)
                return add_needed(r, at, e, err);
        return 0;
}

/* The dynamic section's entries: first the string table's address, then what points into it. */
static int read_entries(const struct reader *r, struct view dynamic, struct elf_file *e, struct err *err)
{
        struct cursor c = cursor_of(dynamic);
        uint64_t tag, value, address = 0, strings, at;
        int res = 0;

        while (le64(&c, r->wide, &tag) && le64(&c, r->wide, &value) && tag != DT_NULL)
                if (tag == DT_STRTAB)
                        address = value;
        if (address == 0)
                return 0;
        if (!place_of(r, address, &strings))
                return broken(err, "the string table lies outside the file");
        c = cursor_of(dynamic);
        while (res >= 0 && le64(&c, r->wide, &tag) && le64(&c, r->wide, &value) && tag != DT_NULL)
                if (!__builtin_add_overflow(strings, value, &at))
                        res = take_entry(r, tag, at, e, err);
        return res;
}

static int read_dynamic(const struct reader *r, const struct segment *s, struct elf_file *e, struct err *err)
{
        uint8_t *bytes;
        int res;

        if (s->size > DYNAMIC_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "ELF file with a dynamic section of more than %d bytes",
                               DYNAMIC_BYTES_MAX);
        bytes = mem_alloc((size_t)s->size);
        if (!bytes)
                return err_nomem(err);
        if (read_at(&r->from, s->offset, bytes, (size_t)s->size) != s->size)
                res = broken(err, "the dynamic section lies outside the file");
        else
                res = read_entries(r, VIEW(bytes, (size_t)s->size), e, err);
        free(bytes);
        return res;
}

static int read_segments(const struct reader *r, struct elf_file *e, struct err *err)
{
        struct segment s;
        int res = 0;

        for (unsigned i = 0; res >= 0 && i < r->n_entries; i++) {
                if (!read_segment(r, i, &s))
                        return broken(err, "a program header lies outside the file");
                if (s.type == PT_INTERP)
                        res = read_string(r, s.offset, &e->interpreter, err);
                else if (s.type == PT_DYNAMIC)
                        res = read_dynamic(r, &s, e, err);
        }
        return res;
}

static int parse(const struct source *from, struct elf_file *e, struct err *err)
{
        uint8_t head[sizeof(Elf64_Ehdr)];
        size_t n = read_at(from, 0, head, sizeof(head));
        struct cursor c = cursor_of(VIEW(head, n));
        struct reader r = {.from = *from};

        if (n < EI_NIDENT || !view_equal(VIEW(head, SELFMAG), view_str(ELFMAG)))
                return 0;
        e->class = head[EI_CLASS];
        if ((e->class != ELFCLASS32 && e->class != ELFCLASS64) || head[EI_DATA] != ELFDATA2LSB)
                return broken(err, "neither 32 nor 64 bits, or not little-endian");
        r.wide = e->class == ELFCLASS64;
        if (!read_header(&c, e, &r))
                return broken(err, "the header is cut");
        if (r.n_entries > SEGMENTS_MAX)
                return err_set(err, ERR_LIMIT, 0, "ELF file with more than %d segments", SEGMENTS_MAX);
        e->is_elf = true;
        return read_segments(&r, e, err);
}

static int parse_into(const struct source *from, struct elf_file *ret, struct err *err)
{
        struct elf_file e = {0};
        int r = parse(from, &e, err);

        if (r < 0)
                elf_file_done(&e);
        else
                *ret = e;
        return r;
}

int elf_file_parse(struct view file, struct elf_file *ret, struct err *err)
{
        return parse_into(&(struct source){.memory = file, .fd = -1}, ret, err);
}

int elf_file_read(const char *path, struct elf_file *ret, struct err *err)
{
        struct stat st;
        AUTO(fd_close_p)
        int fd = file_open_regular(path, &st, err);
        int r;

        if (fd < 0)
                return fd;
        r = parse_into(&(struct source){.fd = fd}, ret, err);
        return r < 0 ? err_wrap(err, "%s", SHOW(path)) : 0;
}

void elf_file_done(struct elf_file *e)
{
        free(e->interpreter);
        free(e->rpath);
        free(e->runpath);
        strv_done(&e->needed);
}
