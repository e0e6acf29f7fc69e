/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel asks its rules in order: of all that speak about measuring, the first that fits decides. So a
 * rule covers a kind of use if nothing but that kind is its condition, and no dont_measure before it can fit
 * the same kind. A dont_measure for a file system that holds no programs (proc, sysfs …) takes nothing away;
 * one for tmpfs takes away tmpfs, and memfd with it, which lives there; any other takes away the kind.
 */
#include "policy/ima_rules.h"

#include "base/macro.h"
#include "base/str.h"
#include "policy/policy_ima.h"

/* Kinds of use, each a hook of the kernel; masks of them. */
enum { EXEC = 1, MMAP = 2, KEXEC_KERNEL = 4, KEXEC_INITRD = 8, KEXEC_LINE = 16, READS = 32, ALL = 63 };
static const struct {
        const char *func;
        unsigned kinds;
} hooks[] = {
        {"BPRM_CHECK", EXEC},
        {"MMAP_CHECK", MMAP},
        {"FILE_MMAP", MMAP}, /* as older kernels spell it */
        {"KEXEC_KERNEL_CHECK", KEXEC_KERNEL},
        {"KEXEC_INITRAMFS_CHECK", KEXEC_INITRD},
        {"KEXEC_CMDLINE", KEXEC_LINE},
        {"FILE_CHECK", READS},
        {"PATH_CHECK", READS},
};

/* Of file systems from which nothing can be executed. */
static const char *const without_programs[] = {
        "0x9fa0",     /* proc */
        "0x62656572", /* sysfs */
        "0x64626720", /* debugfs */
        "0x74726163", /* tracefs */
        "0x1cd1",     /* devpts */
        "0x42494e4d", /* binfmt_misc */
        "0x73636673", /* securityfs */
        "0xf97cff8c", /* selinuxfs */
        "0x43415d53", /* smackfs */
        "0x27e0eb",   /* cgroup */
        "0x63677270", /* cgroup2 */
        "0x6e736673", /* nsfs */
        "0xde5e81e4", /* efivarfs */
        "0x6165676c", /* pstore */
        "0xcafe4a11", /* bpf */
};
static const char tmpfs[] = "0x1021994";

/* The next word of LINE, or false. */
static bool next_word(struct view *line, struct view *ret)
{
        size_t from = 0, to;

        while (from < line->len && (line->p[from] == ' ' || line->p[from] == '\t'))
                from++;
        for (to = from; to < line->len && line->p[to] != ' ' && line->p[to] != '\t'; to++)
                ;
        *ret = VIEW(line->p + from, to - from);
        *line = VIEW(line->p + to, line->len - to);
        return ret->len > 0;
}

/* Is WORD "KEY=…"? RET is what follows. */
static bool has_key(struct view word, const char *key, struct view *ret)
{
        size_t n = view_str(key).len;

        if (word.len <= n || !view_equal(VIEW(word.p, n), view_str(key)) || word.p[n] != '=')
                return false;
        *ret = VIEW(word.p + n + 1, word.len - n - 1);
        return true;
}

static bool is(struct view v, const char *word)
{
        return view_equal(v, view_str(word));
}

/* "0x01021994" and "0x1021994" are one number, and so are capitals. */
static bool same_number(struct view v, const char *number)
{
        struct err err = ERR_INIT;
        uint64_t a, b;

        return str_parse_hex(v, UINT64_MAX, &a, &err) == 0 &&
               str_parse_hex(view_str(number), UINT64_MAX, &b, &err) == 0 && a == b;
}

struct rule {
        unsigned kinds;   /* that it is about */
        bool conditional; /* only under some condition */
        bool exec_mask;   /* mask=MAY_EXEC */
        bool only_tmpfs, harmless;
};

static void read_magic(struct view value, struct rule *r)
{
        r->only_tmpfs = same_number(value, tmpfs);
        for (size_t i = 0; i < ARRAY_LEN(without_programs); i++)
                r->harmless |= same_number(value, without_programs[i]);
        r->conditional = true;
}

static void read_condition(struct view word, struct rule *r)
{
        struct view value;

        if (has_key(word, "func", &value)) {
                r->kinds = 0; /* of another hook: nothing of ours */
                for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
                        if (is(value, hooks[i].func))
                                r->kinds = hooks[i].kinds;
        } else if (has_key(word, "mask", &value)) {
                r->exec_mask = is(value, "MAY_EXEC") || is(value, "^MAY_EXEC");
                r->conditional |= !r->exec_mask;
        } else if (has_key(word, "fsmagic", &value)) {
                read_magic(value, r);
        } else if (has_key(word, "pcr", &value)) {
                r->conditional |= !is(value, "10");
        } else if (!has_key(word, "template", &value)) {
                r->conditional = true;
        }
}

/* What is measured, or not, by the rules so far. */
struct rules {
        unsigned measured; /* kinds */
        unsigned taken;    /* kinds that a dont_measure may have taken away before */
        bool tmpfs_taken;
};

static void add_rule(struct rules *all, const struct rule *r, bool measure)
{
        unsigned kinds = r->kinds;

        if (r->exec_mask)
                kinds &= EXEC | MMAP; /* nothing else is done with that mask */
        if (measure) {
                all->measured |= kinds & READS; /* also under a condition: an entry may then be of a read */
                if (!r->conditional)
                        all->measured |= kinds & ~all->taken;
                return;
        }
        if (r->harmless)
                return;
        if (r->only_tmpfs)
                all->tmpfs_taken |= (kinds & (EXEC | MMAP) & ~all->measured) != 0;
        else
                all->taken |= kinds & ~all->measured;
}

static void read_rule(struct rules *all, struct view line)
{
        struct rule r = {.kinds = ALL};
        struct view word;
        bool measure;

        if (!next_word(&line, &word) || word.p[0] == '#')
                return;
        measure = is(word, "measure");
        if (!measure && !is(word, "dont_measure"))
                return;
        while (next_word(&line, &word))
                read_condition(word, &r);
        add_rule(all, &r, measure);
}

unsigned ima_rules_cover(struct view text)
{
        struct rules all = {0};
        unsigned covers = 0;

        for (size_t at = 0; at < text.len;) {
                size_t end = at;

                while (end < text.len && text.p[end] != '\n')
                        end++;
                read_rule(&all, VIEW(text.p + at, end - at));
                at = end + 1;
        }
        if ((all.measured & (EXEC | MMAP)) == (EXEC | MMAP)) {
                covers |= POLICY_COVERS_EXEC;
                if (!all.tmpfs_taken)
                        covers |= POLICY_COVERS_TMPFS;
        }
        if ((all.measured & (KEXEC_KERNEL | KEXEC_INITRD | KEXEC_LINE)) ==
            (KEXEC_KERNEL | KEXEC_INITRD | KEXEC_LINE))
                covers |= POLICY_COVERS_KEXEC;
        if (all.measured & READS)
                covers |= POLICY_COVERS_READS;
        return covers;
}

/* ---- by the command line ---- */

/* Does the list "a|b|c" have WORD? */
static bool list_has(struct view list, const char *word)
{
        for (size_t at = 0; at <= list.len;) {
                size_t end = at;

                while (end < list.len && list.p[end] != '|')
                        end++;
                if (is(VIEW(list.p + at, end - at), word))
                        return true;
                at = end + 1;
        }
        return false;
}

/* Is WORD the parameter NAME, as the kernel reads it: a quote in front or behind means nothing, and '-' is
 * '_' in a name. RET is what follows a '='. */
static bool is_param(struct view word, const char *name, struct view *ret)
{
        size_t n = view_str(name).len;

        if (word.len > 0 && word.p[0] == '"')
                word = VIEW(word.p + 1, word.len - 1);
        if (word.len > 0 && word.p[word.len - 1] == '"')
                word.len--;
        if (word.len < n)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((word.p[i] == '-' ? '_' : (char)word.p[i]) != name[i])
                        return false;
        *ret = VIEW(word.p + n, word.len - n);
        if (ret->len == 0)
                return true;
        *ret = VIEW(ret->p + 1, ret->len - 1);
        return word.p[n] == '=';
}

unsigned ima_command_line_covers(struct view command_line)
{
        unsigned covers = POLICY_COVERS_ALL;
        struct view word, value;

        while (next_word(&command_line, &word)) {
                if (is_param(word, "ima_tcb", &value) ||
                    (is_param(word, "ima_policy", &value) && list_has(value, "tcb")))
                        covers = (covers & POLICY_COVERS_EXEC) | POLICY_COVERS_READS;
                else if (is_param(word, "ima", &value) && is(value, "off"))
                        covers = 0;
        }
        return covers;
}
