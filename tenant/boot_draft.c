/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event log to rules. Text counts where a digest covers it, as it will when the policy is judged:
 * what a log merely says about an image goes into comments. Which events a list is about is said in
 * avow-policy(5).
 */
#include "tenant/boot_draft.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "evidence/bootlog.h"
#include "evidence/efi.h"
#include "tenant/policy_draft.h"

#define COMMENT_BYTES_MAX 120

/* As the enum. */
static const char *const list_names[] = {
        "pk",      "kek",     "db",      "vendor_db", "dbx_floor", "authorities", "firmware",
        "drivers", "loaders", "kernels", "initrds",   "mok_list",  "mok_list_x",  "command_lines",
};

/* One log on its way in. */
struct reading {
        struct boot_draft *d;
        enum digest_alg bank;
        bool separated;     /* PCR 7: behind its separator */
        struct strv images; /* PCR 4, as items for `loaders` */
        struct strv image_digests;
        struct strv files; /* PCR 9, as items for `initrds`, with their digests and names */
        struct strv file_digests, file_names;
        struct strv options; /* PCR 9: the EFI stub's digest of its command line */
        bool grub;
        struct strv revoked; /* this log's dbx */
        bool has_dbx;
        char section[64];    /* PCR 11: the name that was measured before its content */
        struct buf sections; /* of a unified kernel image, as lines */
};

static void reading_done(struct reading *r)
{
        strv_done(&r->images);
        strv_done(&r->image_digests);
        strv_done(&r->files);
        strv_done(&r->file_digests);
        strv_done(&r->file_names);
        strv_done(&r->options);
        strv_done(&r->revoked);
        buf_free(&r->sections);
}

void boot_draft_done(struct boot_draft *d)
{
        for (size_t i = 0; i < BOOT_DRAFT_N_LISTS; i++)
                strv_done(&d->lists[i].items);
        strv_done(&d->lines);
        *d = (struct boot_draft){0};
}

/* Takes ITEM (NULL: no memory) into a list, once. */
static int take_once(struct strv *list, char *item, struct err *err)
{
        if (item && strv_has(list, item)) {
                free(item);
                return 0;
        }
        return strv_take(list, item) < 0 ? err_nomem(err) : 0;
}

static int take_item(struct boot_draft *d, enum boot_draft_list list, char *item, struct err *err)
{
        d->lists[list].stated = true;
        return take_once(&d->lists[list].items, item, err);
}

static void put_comment(struct buf *out, const char *text)
{
        AUTO(mem_free_p) char *cut = str_ndup(text, COMMENT_BYTES_MAX);

        buf_str(out, ", comment: ");
        if (cut && str_valid_utf8(view_str(cut)))
                draft_write_scalar(out, cut);
        else
                buf_str(out, "\"\"");
}

/* {digest: HEX, comment: what the event says} */
static char *event_item(const struct reading *r, const struct bootlog_event *e)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(buf_free) struct buf said = {0};
        AUTO(mem_free_p) char *text = NULL;

        bootlog_describe(e, &said);
        text = buf_take_str(&said);
        if (!text)
                return NULL;
        buf_str(&out, "{digest: ");
        buf_hex(&out, bootlog_event_digest(e, r->bank));
        put_comment(&out, text);
        buf_str(&out, "}");
        return buf_take_str(&out);
}

static char *quoted(const char *text)
{
        AUTO(buf_free) struct buf out = {0};

        draft_write_scalar(&out, text);
        return buf_take_str(&out);
}

/* --- command lines --- */

/* UTF-16LE, as systemd's stub measures it? */
static bool is_utf16(struct view v)
{
        return v.len >= 4 && v.len % 2 == 0 && v.p[0] && v.p[1] == 0 && v.p[2] && v.p[3] == 0;
}

/* TEXT as a pattern for it alone. */
static char *exactly(const char *text)
{
        AUTO(buf_free) struct buf pattern = {0};
        AUTO(mem_free_p) char *plain = NULL;

        for (; *text; text++) {
                if (strchr("*?[]\\", *text))
                        buf_str(&pattern, "\\");
                buf_put(&pattern, text, 1);
        }
        plain = buf_take_str(&pattern);
        return plain ? quoted(plain) : NULL;
}

int boot_draft_add_command_line(struct boot_draft *d, struct view text, struct err *err)
{
        AUTO(buf_free) struct buf line = {0};
        AUTO(mem_free_p) char *plain = NULL;

        if (is_utf16(text))
                efi_put_utf16(&line, text);
        else
                buf_put_view(&line, text);
        while (line.len && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\0'))
                line.len--;
        if (line.len == 0 || memchr(line.p, '\0', line.len) || !str_valid_utf8(VIEW_BUF(&line)))
                return 0; /* no pattern can say it */
        plain = buf_take_str(&line);
        if (!plain || strv_add(&d->lines, plain) < 0)
                return err_nomem(err);
        return take_item(d, BOOT_DRAFT_COMMAND_LINES, exactly(plain), err);
}

/* Is the stub's digest over one of the lines known here? Spec: Linux, libstub: LoadOptions in UTF-16LE, with
 * its NUL or without. */
static int is_known_line(const struct reading *r, const char *hex, bool *ret, struct err *err)
{
        *ret = false;
        for (size_t i = 0; i < 2 * r->d->lines.n && !*ret; i++) {
                AUTO(buf_free) struct buf utf16 = {0};
                AUTO(mem_free_p) char *mine = NULL;
                struct digest digest;
                int n;

                for (const char *p = r->d->lines.items[i / 2]; *p; p++)
                        buf_le16(&utf16, (unsigned char)*p);
                if (i % 2)
                        buf_le16(&utf16, 0);
                if (!buf_ok(&utf16))
                        return err_nomem(err);
                n = digest_bytes(r->bank, VIEW_BUF(&utf16), &digest, err);
                if (n < 0)
                        return n;
                mine = hex_encode(digest_view(&digest));
                if (!mine)
                        return err_nomem(err);
                *ret = str_equal(mine, hex);
        }
        return 0;
}

/* --- Secure Boot's variables --- */

static char *signature_item(const struct efi_signature *sig, struct err *err)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(cert_free_p) struct cert *cert = NULL;
        char owner[EFI_GUID_CHARS];
        struct digest digest;

        efi_guid_text(sig->owner, owner);
        if (sig->kind == EFI_SIG_X509) {
                struct err ignored = ERR_INIT;

                if (digest_bytes(DIGEST_SHA256, sig->data, &digest, err) < 0)
                        return NULL;
                buf_str(&out, "{sha256: ");
                buf_hex(&out, digest_view(&digest));
                if (cert_parse_der(sig->data, &cert, &ignored) == 0)
                        put_comment(&out, cert_subject(cert));
        } else if (sig->kind == EFI_SIG_SHA256) {
                buf_str(&out, "{digest: ");
                buf_hex(&out, sig->data);
        } else {
                return str_dup("");
        }
        buf_fmt(&out, ", owner: %s}", owner);
        return buf_take_str(&out);
}

static int add_signature(struct reading *r, enum boot_draft_list list, const struct efi_signature *sig,
                         struct err *err)
{
        AUTO(mem_free_p) char *item = signature_item(sig, err);

        if (!item)
                return err_nomem(err);
        if (!*item)
                return 0; /* of a kind that no policy names */
        if (list == BOOT_DRAFT_DBX_FLOOR)
                return take_once(&r->revoked, TAKE(item), err);
        return take_item(r->d, list, TAKE(item), err);
}

static int add_signatures(struct reading *r, enum boot_draft_list list, struct view data, struct err *err)
{
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        int n;

        r->d->lists[list].stated = true;
        if (list == BOOT_DRAFT_DBX_FLOOR)
                r->has_dbx = true;
        while ((n = efi_signature_next(data, &pos, &sig, err)) > 0) {
                n = add_signature(r, list, &sig, err);
                if (n < 0)
                        return n;
        }
        return n;
}

static int add_variable(struct reading *r, struct view data, struct err *err)
{
        static const struct {
                const char *name;
                enum boot_draft_list list;
        } lists[] = {{"PK", BOOT_DRAFT_PK},
                     {"KEK", BOOT_DRAFT_KEK},
                     {"db", BOOT_DRAFT_DB},
                     {"dbx", BOOT_DRAFT_DBX_FLOOR}};
        struct efi_variable v;
        int n = efi_variable_parse(data, &v, err);

        if (n < 0)
                return n;
        if (efi_variable_is(&v, "SecureBoot")) {
                bool on = v.data.len == 1 && v.data.p[0] == 1;

                r->d->seen_on |= on;
                r->d->seen_off |= !on;
        }
        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
                if (efi_variable_is(&v, lists[i].name))
                        return add_signatures(r, lists[i].list, v.data, err);
        return 0;
}

static int add_authority(struct reading *r, const struct bootlog_event *e, struct err *err)
{
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        struct efi_variable v;
        struct err ignored = ERR_INIT;
        bool vendor;

        if (efi_variable_parse(e->data, &v, &ignored) < 0 || efi_variable_is(&v, "SbatLevel"))
                return 0;
        vendor = efi_variable_is(&v, "vendor_db");
        if (vendor && efi_signature_next(v.data, &pos, &sig, &ignored) > 0)
                return add_signatures(r, BOOT_DRAFT_VENDOR_DB, v.data, err);
        if (v.data.len > 4 && v.data.p[0] == 0x30 && v.data.p[1] == 0x82) {
                sig = (struct efi_signature){.kind = EFI_SIG_X509, .data = v.data}; /* shim's own: no owner */
        } else {
                if (efi_signature_data(v.data, &sig, &ignored) < 0 || sig.data.len == 0)
                        return 0;
                sig.kind = sig.data.p[0] == 0x30 ? EFI_SIG_X509
                           : sig.data.len == 32  ? EFI_SIG_SHA256
                                                 : EFI_SIG_OTHER;
        }
        return add_signature(r, vendor ? BOOT_DRAFT_VENDOR_DB : BOOT_DRAFT_AUTHORITIES, &sig, err);
}

/* --- events --- */

static int add_pcr7(struct reading *r, const struct bootlog_event *e, enum bootlog_cover cover,
                    struct err *err)
{
        if (e->type == EV_SEPARATOR)
                r->separated = true;
        if (cover != BOOTLOG_COVERED)
                return 0;
        if (e->type == EV_EFI_VARIABLE_DRIVER_CONFIG)
                return add_variable(r, e->data, err);
        if (e->type == EV_EFI_VARIABLE_AUTHORITY && r->separated)
                return add_authority(r, e, err);
        return 0;
}

static int add_image(struct reading *r, const struct bootlog_event *e, struct err *err)
{
        AUTO(mem_free_p) char *hex = hex_encode(bootlog_event_digest(e, r->bank));

        if (!hex || strv_take(&r->image_digests, TAKE(hex)) < 0 ||
            strv_take(&r->images, event_item(r, e)) < 0)
                return err_nomem(err);
        return 0;
}

/* "linux /vmlinuz root=…": the command without its word. */
static bool is_linux_command(struct view text, struct view *ret)
{
        static const char *const words[] = {"linux ", "linuxefi ", "linux16 "};

        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
                size_t n = strlen(words[i]);

                if (text.len > n && view_equal(VIEW(text.p, n), view_str(words[i]))) {
                        *ret = VIEW(text.p + n, text.len - n);
                        return true;
                }
        }
        return false;
}

static bool begins(struct view data, const char *label)
{
        size_t n = strlen(label);

        return data.len >= n && view_equal(VIEW(data.p, n), view_str(label));
}

static struct view without_end(struct view data)
{
        while (data.len && data.p[data.len - 1] == '\0')
                data.len--;
        return data;
}

static bool is_called(struct view data, const char *name)
{
        return view_equal(without_end(data), view_str(name));
}

static int add_line(struct reading *r, struct view text, struct err *err)
{
        r->d->shown_line = true;
        return boot_draft_add_command_line(r->d, text, err);
}

/* What is covered is the text without its label. */
static int add_command(struct reading *r, const struct bootlog_event *e, struct view text, struct err *err)
{
        struct view command;

        if (is_linux_command(text, &command))
                return add_line(r, command, err);
        return begins(e->data, "kernel_cmdline: ") || is_utf16(text) ? add_line(r, text, err) : 0;
}

/* A file that GRUB or the EFI stub loaded, or the stub's command line. */
static int add_loaded(struct reading *r, const struct bootlog_event *e, struct err *err)
{
        static const uint8_t load_options[] = {0xed, 0x22, 0x3b, 0x8f}; /* Linux, efistub.h */
        AUTO(mem_free_p) char *hex = hex_encode(bootlog_event_digest(e, r->bank));
        struct view name = without_end(e->data);
        AUTO(mem_free_p) char *text = str_ndup((const char *)name.p, name.len);

        if (!hex || !text)
                return err_nomem(err);
        if (e->data.len > 4 && view_equal(VIEW(e->data.p, 4), VIEW_ARRAY(load_options)))
                return strv_take(&r->options, TAKE(hex)) < 0 ? err_nomem(err) : 0;
        if (strv_take(&r->file_digests, TAKE(hex)) < 0 || strv_take(&r->file_names, TAKE(text)) < 0 ||
            strv_take(&r->files, event_item(r, e)) < 0)
                return err_nomem(err);
        return 0;
}

/* systemd-stub: a section's name with its NUL, covered; then its content, which the log does not hold. */
static void add_section(struct reading *r, const struct bootlog_event *e, enum bootlog_cover cover,
                        struct view text)
{
        if (cover == BOOTLOG_COVERED) {
                size_t n = text.len && text.p[text.len - 1] == '\0' ? text.len - 1 : text.len;

                r->section[0] = '\0';
                if (n > 1 && n < sizeof(r->section) && text.p[0] == '.' && str_plain(VIEW(text.p, n))) {
                        memcpy(r->section, text.p, n);
                        r->section[n] = '\0';
                }
        } else if (*r->section) {
                buf_fmt(&r->sections, "        %s: ", r->section);
                buf_hex(&r->sections, bootlog_event_digest(e, r->bank));
                buf_str(&r->sections, "\n");
                r->section[0] = '\0';
        }
}

static int add_event(struct reading *r, const struct bootlog_event *e, struct err *err)
{
        struct view text = VIEW_NONE;
        enum bootlog_cover cover;
        int n = bootlog_covered(e, r->bank, &text, err);

        if (n < 0)
                return n;
        cover = (enum bootlog_cover)n;
        if (cover == BOOTLOG_CONTRADICTS)
                return err_set(err, ERR_FORMAT, 0, "event %zu: its digest is not over its data", e->number);
        if (e->pcr == 7)
                return add_pcr7(r, e, cover, err);
        if (e->type == EV_SEPARATOR ||
            (cover == BOOTLOG_COVERED && (e->type == EV_ACTION || e->type == EV_EFI_ACTION)))
                return 0;
        switch (e->pcr) {
        case 0:
                return take_item(r->d, BOOT_DRAFT_FIRMWARE, event_item(r, e), err);
        case 2:
                return take_item(r->d, BOOT_DRAFT_DRIVERS, event_item(r, e), err);
        case 4:
                return cover == BOOTLOG_COVERED ? 0 : add_image(r, e, err);
        case 8:
                r->grub = true;
                return cover == BOOTLOG_COVERED ? add_command(r, e, text, err) : 0;
        case 9:
                return cover == BOOTLOG_COVERED ? 0 : add_loaded(r, e, err);
        case 11:
                add_section(r, e, cover, text);
                return 0;
        case 12:
                return cover == BOOTLOG_COVERED && is_utf16(text) ? add_line(r, text, err) : 0;
        case 14:
                if (is_called(e->data, "MokListX"))
                        return take_item(r->d, BOOT_DRAFT_MOK_LIST_X, event_item(r, e), err);
                return is_called(e->data, "MokList")
                               ? take_item(r->d, BOOT_DRAFT_MOK_LIST, event_item(r, e), err)
                               : 0;
        default:
                return 0;
        }
}

/* Which of GRUB's files is the kernel: what the command that starts it names. */
static size_t kernel_file(const struct reading *r)
{
        const char *line = r->d->lines.n ? r->d->lines.items[r->d->lines.n - 1] : "";
        size_t i = 0, n = strcspn(line, " ");

        for (; n && i < r->file_names.n; i++) {
                const char *name = r->file_names.items[i];
                size_t len = strlen(name);

                if (len >= n && strncmp(name + len - n, line, n) == 0)
                        return i;
        }
        return r->file_names.n;
}

/* GRUB's files behind the kernel; all that the EFI stub loads. */
static int add_initrds(struct reading *r, size_t kernel, struct err *err)
{
        int n = 0;

        for (size_t i = r->grub ? kernel + 1 : 0; n == 0 && i < r->files.n; i++)
                if (!r->grub || !str_equal(r->file_digests.items[i], r->file_digests.items[kernel]))
                        n = take_item(r->d, BOOT_DRAFT_INITRDS, str_dup(r->files.items[i]), err);
        return n;
}

/* The last image that was started is the kernel; all others are loaders. */
static int add_kernel(struct reading *r, struct err *err)
{
        const char *last = r->images.n ? r->image_digests.items[r->images.n - 1] : NULL;
        size_t file = r->grub ? kernel_file(r) : r->files.n;
        AUTO(buf_free) struct buf kernel = {0};
        int n = add_initrds(r, file, err);

        r->d->lists[BOOT_DRAFT_LOADERS].stated = true;
        for (size_t i = 0; n == 0 && i < r->images.n; i++)
                if (!str_equal(r->image_digests.items[i], last))
                        n = take_item(r->d, BOOT_DRAFT_LOADERS, str_dup(r->images.items[i]), err);
        if (n < 0 || (!last && file == r->files.n))
                return n;
        if (last)
                buf_fmt(&kernel, "authenticode: [%s]", last);
        if (file < r->files.n)
                buf_fmt(&kernel, "%sfile: [%s]", last ? "\n      " : "", r->file_digests.items[file]);
        if (r->sections.len) {
                buf_str(&kernel, "\n      sections:\n");
                buf_put(&kernel, r->sections.p, r->sections.len - 1);
        }
        return take_item(r->d, BOOT_DRAFT_KERNELS, buf_take_str(&kernel), err);
}

static int check_options(struct reading *r, struct err *err)
{
        int n = 0;

        for (size_t i = 0; n == 0 && i < r->options.n; i++) {
                bool known;

                r->d->shown_line = true;
                n = is_known_line(r, r->options.items[i], &known, err);
                if (n == 0 && !known)
                        r->d->hidden_line = true;
        }
        return n;
}

/* Demands of the next logs no more than of the ones before, and the other way round. */
static int keep_common(struct reading *r, struct err *err)
{
        struct strv *floor = &r->d->lists[BOOT_DRAFT_DBX_FLOOR].items, common = {0};

        for (size_t i = 0; i < r->revoked.n; i++)
                if ((r->d->n_logs == 1 || strv_has(floor, r->revoked.items[i])) &&
                    strv_add(&common, r->revoked.items[i]) < 0) {
                        strv_done(&common);
                        return err_nomem(err);
                }
        strv_done(floor);
        *floor = common;
        return 0;
}

int boot_draft_add(struct boot_draft *d, struct view log_bytes, enum digest_alg bank, struct err *err)
{
        AUTO(reading_done) struct reading r = {.d = d, .bank = bank};
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        struct bootlog log;
        int n = bootlog_parse(log_bytes, &log, err);

        if (n < 0)
                return n;
        d->n_logs++;
        d->lists[BOOT_DRAFT_FIRMWARE].stated = d->lists[BOOT_DRAFT_DRIVERS].stated = true;
        while (n == 0 && bootlog_next(&log, &pos, &e))
                if (e.type != EV_NO_ACTION)
                        n = add_event(&r, &e, err);
        if (n == 0)
                n = add_kernel(&r, err);
        if (n == 0)
                n = check_options(&r, err);
        return n == 0 ? keep_common(&r, err) : n;
}

int boot_draft_add_evidence(struct boot_draft *d, const struct bundle *b, struct err *err)
{
        struct pcr_values values;
        struct bootlog log;
        int r;

        if (!b->has_uefi || b->uefi.len == 0)
                return 0;
        r = bootlog_parse(VIEW_BUF(&b->uefi), &log, err);
        if (r == 0)
                r = bootlog_replay(&log, b->pcrs.bank, &values, err);
        if (r < 0)
                return err_wrap(err, "the boot log of host '%s'", b->host);
        for (unsigned i = 0; i < 10; i++)
                if (values.mask & b->pcrs.mask & 1u << i && !digest_equal(&values.v[i], &b->pcrs.v[i]))
                        return err_set(err, ERR_CONFIG, 0,
                                       "the boot log of host '%s' does not lead to its quoted PCR %u",
                                       b->host, i);
        return boot_draft_add(d, VIEW_BUF(&b->uefi), b->pcrs.bank, err);
}

/* --- text --- */

void boot_draft_write(const struct boot_draft *d, struct buf *out)
{
        buf_str(out, "\n# How these hosts may start. A list that stands here is complete; take it out, and "
                     "it is not judged.\n"
                     "boot:\n");
        buf_fmt(out, "  secure_boot: %s\n", d->seen_on == d->seen_off ? "any" : d->seen_on ? "on" : "off");
        for (size_t i = 0; i < BOOT_DRAFT_N_LISTS; i++) {
                if (!d->lists[i].stated ||
                    (i == BOOT_DRAFT_COMMAND_LINES && (d->hidden_line || !d->shown_line)))
                        continue;
                buf_fmt(out, d->lists[i].items.n ? "  %s:\n" : "  %s: []\n", list_names[i]);
                for (size_t k = 0; k < d->lists[i].items.n; k++)
                        buf_fmt(out, "    - %s\n", d->lists[i].items.items[k]);
        }
}
