/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel command lines in a boot log. GRUB measures every command it runs, and the line it hands over, into
 * PCR 8; systemd's loader and stub measure it into PCR 12; the kernel's EFI stub measures it into PCR 9,
 * where the log has its digest alone. Which of GRUB's texts is the line is told by a label that no digest
 * covers: so the commands that start a kernel count too, whose first word is covered.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/judge_boot.h"

#define COMMANDS_PCR     8
#define FILES_PCR        9
#define PARAMETERS_PCR   12
#define LOAD_OPTIONS_TAG 0x8f3b22edu /* Linux, drivers/firmware/efi/libstub/efistub.h */

static bool starts(struct view v, const char *with)
{
        struct view w = view_str(with);

        return v.len >= w.len && view_equal(VIEW(v.p, w.len), w);
}

static bool is_utf16(struct view v)
{
        return v.len >= 4 && v.len % 2 == 0 && v.p[0] && v.p[1] == 0 && v.p[2] && v.p[3] == 0;
}

static char *text_of(struct view v)
{
        struct buf out = {0};

        if (is_utf16(v)) {
                efi_put_utf16(&out, v);
        } else {
                while (v.len && v.p[v.len - 1] == 0)
                        v.len--;
                buf_put_view(&out, v);
        }
        return buf_take_str(&out);
}

static int add_line(struct boot_judging *b, const struct boot_row *row, struct view text, struct err *err)
{
        b->lines[b->n_lines].row = row;
        b->lines[b->n_lines].text = text_of(text);
        return b->lines[b->n_lines++].text ? 0 : err_nomem(err);
}

/* What follows the command in "linux /vmlinuz quiet"; VIEW_NONE if TEXT is no such command. */
static struct view behind_command(struct view text)
{
        static const char *const commands[] = {"linux ", "linuxefi ", "linux16 "};

        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                if (starts(text, commands[i])) {
                        size_t n = strlen(commands[i]);

                        return VIEW(text.p + n, text.len - n);
                }
        return VIEW_NONE;
}

static int collect_command(struct boot_judging *b, const struct boot_row *row, struct err *err)
{
        struct view command = behind_command(row->covered);

        if (command.len)
                return add_line(b, row, command, err);
        if (starts(row->data, "kernel_cmdline: ") || is_utf16(row->covered))
                return add_line(b, row, row->covered, err);
        return 0;
}

static bool is_load_options(const struct boot_row *row)
{
        struct cursor c = cursor_of(row->data);
        uint32_t tag;

        return cursor_le32(&c, &tag) && tag == LOAD_OPTIONS_TAG;
}

/* The stub measures its options before anything else. With GRUB, whose files come first, the register says
 * nothing about that; there the commands in PCR 8 do. */
static const struct boot_row *find_load_options(const struct boot_judging *b)
{
        bool grub = boot_next(b, COMMANDS_PCR, NULL) != NULL;
        const struct boot_row *row = NULL;

        while ((row = boot_next_file(b, FILES_PCR, row))) {
                if (is_load_options(row))
                        return row;
                if (!grub)
                        return NULL;
        }
        return NULL;
}

int boot_collect_lines(struct boot_judging *b, struct err *err)
{
        b->load_options = find_load_options(b);
        b->lines = mem_zalloc(b->r->n + 1, sizeof(*b->lines));
        if (!b->lines)
                return err_nomem(err);
        for (size_t i = 0; i < b->r->n; i++) {
                const struct boot_row *row = &b->r->rows[i];
                int r = 0;

                if (row->pcr == COMMANDS_PCR && row->cover == BOOTLOG_COVERED)
                        r = collect_command(b, row, err);
                else if (row->pcr == PARAMETERS_PCR && boot_row_is_whole(row) && is_utf16(row->data))
                        r = add_line(b, row, row->covered, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

void boot_lines_done(struct boot_judging *b)
{
        for (size_t i = 0; i < b->n_lines; i++)
                free(b->lines[i].text);
        free(b->lines);
        b->lines = NULL;
        b->n_lines = 0;
}

/* A pattern that matches one text alone, as that text. Return: NULL if it has a place for others. */
char *boot_exact_text(const char *pattern)
{
        struct buf out = {0};

        for (const char *p = pattern; *p; p++) {
                if (*p == '*' || *p == '?' || *p == '[') {
                        buf_free(&out);
                        return NULL;
                }
                if (*p == '\\' && p[1])
                        p++;
                buf_u8(&out, (uint8_t)*p);
        }
        return buf_take_str(&out);
}

/* ASCII alone: what else there is in UTF-16, no command line of ours has. */
int boot_is_load_options_of(const struct boot_row *row, enum digest_alg bank, const char *text,
                            struct err *err)
{
        AUTO(buf_free) struct buf utf16 = {0};
        struct digest with, without;
        int r;

        for (const char *p = text; *p; p++) {
                if ((unsigned char)*p > 0x7f)
                        return 0;
                buf_le16(&utf16, (uint16_t)*p);
        }
        buf_le16(&utf16, 0);
        if (!buf_ok(&utf16))
                return err_nomem(err);
        r = digest_bytes(bank, VIEW_BUF(&utf16), &with, err);
        if (r == 0)
                r = digest_bytes(bank, VIEW(utf16.p, utf16.len - 2), &without, err);
        return r < 0 ? r
                     : view_equal(row->digest, digest_view(&with)) ||
                               view_equal(row->digest, digest_view(&without));
}
