/* SPDX-License-Identifier: Apache-2.0 */
/* What events of a boot log say, and how much of that their digests cover. */
#include <string.h>

#include "evidence/bootlog.h"
#include "evidence/efi.h"

#define TEXT_MAX 256 /* bytes of an event's own text that are shown */

const char *bootlog_type_name(uint32_t type)
{
#define NAME(t)                                                                                              \
        {                                                                                                    \
                t, #t                                                                                        \
        }
        static const struct {
                uint32_t type;
                const char *name;
        } names[] = {
                NAME(EV_PREBOOT_CERT),
                NAME(EV_POST_CODE),
                NAME(EV_NO_ACTION),
                NAME(EV_SEPARATOR),
                NAME(EV_ACTION),
                NAME(EV_EVENT_TAG),
                NAME(EV_S_CRTM_CONTENTS),
                NAME(EV_S_CRTM_VERSION),
                NAME(EV_CPU_MICROCODE),
                NAME(EV_PLATFORM_CONFIG_FLAGS),
                NAME(EV_TABLE_OF_DEVICES),
                NAME(EV_COMPACT_HASH),
                NAME(EV_IPL),
                NAME(EV_IPL_PARTITION_DATA),
                NAME(EV_NONHOST_CODE),
                NAME(EV_NONHOST_CONFIG),
                NAME(EV_NONHOST_INFO),
                NAME(EV_OMIT_BOOT_DEVICE_EVENTS),
                NAME(EV_POST_CODE2),
                NAME(EV_EFI_VARIABLE_DRIVER_CONFIG),
                NAME(EV_EFI_VARIABLE_BOOT),
                NAME(EV_EFI_BOOT_SERVICES_APPLICATION),
                NAME(EV_EFI_BOOT_SERVICES_DRIVER),
                NAME(EV_EFI_RUNTIME_SERVICES_DRIVER),
                NAME(EV_EFI_GPT_EVENT),
                NAME(EV_EFI_ACTION),
                NAME(EV_EFI_PLATFORM_FIRMWARE_BLOB),
                NAME(EV_EFI_HANDOFF_TABLES),
                NAME(EV_EFI_PLATFORM_FIRMWARE_BLOB2),
                NAME(EV_EFI_HANDOFF_TABLES2),
                NAME(EV_EFI_VARIABLE_BOOT2),
                NAME(EV_EFI_GPT_EVENT2),
                NAME(EV_EFI_HCRTM_EVENT),
                NAME(EV_EFI_VARIABLE_AUTHORITY),
                NAME(EV_EFI_SPDM_FIRMWARE_BLOB),
                NAME(EV_EFI_SPDM_FIRMWARE_CONFIG),
                NAME(EV_EFI_SPDM_DEVICE_POLICY),
                NAME(EV_EFI_SPDM_DEVICE_AUTHORITY),
        };
#undef NAME

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (names[i].type == type)
                        return names[i].name;
        return NULL;
}

/* ---- what a digest covers ---- */

/* The rules. Spec: PFP §10.4.1; what firmware and boot loaders do where it leaves them free. */
enum rule {
        FREE,     /* over something else, unless it turns out to be over the data */
        WHOLE,    /* over the data */
        VARIABLE, /* over the variable's value alone, or over the data */
};

static enum rule rule_of(uint32_t type)
{
        switch (type) {
        case EV_SEPARATOR:
        case EV_ACTION:
        case EV_S_CRTM_VERSION:
        case EV_EFI_ACTION:
        case EV_EFI_GPT_EVENT:
        case EV_EFI_VARIABLE_DRIVER_CONFIG:
        case EV_EFI_VARIABLE_AUTHORITY:
        case EV_EFI_VARIABLE_BOOT2:
        case EV_EFI_SPDM_DEVICE_POLICY:
        case EV_EFI_SPDM_DEVICE_AUTHORITY:
                return WHOLE;
        case EV_EFI_VARIABLE_BOOT:
                return VARIABLE;
        default:
                return FREE;
        }
}

/* Return: 1 if the digest is over V, which then is *RET; 0; -ERR_CRYPTO. */
static int is_over(struct view digest, enum digest_alg bank, struct view v, struct view *ret, struct err *err)
{
        struct digest d;
        int r = digest_bytes(bank, v, &d, err);

        if (r < 0)
                return r;
        if (!view_equal(digest, digest_view(&d)))
                return 0;
        *ret = v;
        return 1;
}

static struct view without_end(struct view v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (v.len <= i || v.p[v.len - 1 - i])
                        return v;
        return VIEW(v.p, v.len - n);
}

/* Behind "grub_cmd: ", "kernel_cmdline: " and the like. */
static struct view behind_label(struct view v)
{
        for (size_t i = 0; i + 2 <= v.len && i < 64 && v.p[i]; i++)
                if (v.p[i] == ':' && v.p[i + 1] == ' ')
                        return VIEW(v.p + i + 2, v.len - i - 2);
        return v;
}

int bootlog_covered(const struct bootlog_event *e, enum digest_alg bank, struct view *ret, struct err *err)
{
        struct view digest = bootlog_event_digest(e, bank);
        struct efi_variable variable;
        struct view tries[6] = {e->data};
        struct err ignored = ERR_INIT;
        size_t n = 1;

        *ret = VIEW_NONE;
        if (digest.len == 0)
                return err_set(err, ERR_FORMAT, 0, "event %zu of the boot log has no digest of the bank %s",
                               e->number, digest_name(bank));
        if (rule_of(e->type) == VARIABLE && efi_variable_parse(e->data, &variable, &ignored) == 0)
                tries[n++] = variable.data;
        if (rule_of(e->type) == FREE) {
                tries[n++] = without_end(e->data, 1);
                tries[n++] = without_end(e->data, 2);
                tries[n++] = behind_label(e->data);
                tries[n++] = without_end(behind_label(e->data), 1);
        }
        for (size_t i = 0; i < n; i++) {
                int r = is_over(digest, bank, tries[i], ret, err);

                if (r != 0)
                        return r < 0 ? r : BOOTLOG_COVERED;
        }
        return rule_of(e->type) == FREE ? BOOTLOG_OUTSIDE : BOOTLOG_CONTRADICTS;
}

/* ---- words ---- */

/* Text as it is, what cannot be printed as '.'. */
static void put_text(struct buf *out, struct view v)
{
        size_t n = v.len < TEXT_MAX ? v.len : TEXT_MAX;

        buf_str(out, "'");
        for (size_t i = 0; i < n && v.p[i]; i++)
                buf_u8(out, v.p[i] < ' ' || v.p[i] == 0x7f ? '.' : v.p[i]);
        buf_str(out, n < v.len ? "…'" : "'");
}

static bool is_utf16(struct view v)
{
        return v.len >= 4 && v.len % 2 == 0 && v.p[0] && v.p[1] == 0 && v.p[2] && v.p[3] == 0;
}

static void put_any_text(struct buf *out, struct view v)
{
        struct buf text = {0};

        if (!is_utf16(v)) {
                put_text(out, v);
                return;
        }
        efi_put_utf16(&text, v);
        put_text(out, VIEW_BUF(&text));
        out->failed |= text.failed;
        buf_free(&text);
}

static void put_guid(struct buf *out, const uint8_t guid[EFI_GUID_BYTES])
{
        char text[EFI_GUID_CHARS];

        efi_guid_text(guid, text);
        buf_str(out, text);
}

/* The signature databases, counted; SecureBoot and the like by their byte. */
static void put_value(struct buf *out, const struct efi_variable *v)
{
        static const char *const databases[] = {"PK",  "KEK", "db",      "dbx",
                                                "dbt", "dbr", "MokList", "MokListX"};
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        struct err ignored = ERR_INIT;
        unsigned n[4] = {0};
        int r;

        for (size_t i = 0; i < ARRAY_LEN(databases); i++)
                if (efi_variable_is(v, databases[i])) {
                        while ((r = efi_signature_next(v->data, &pos, &sig, &ignored)) > 0)
                                n[sig.kind]++;
                        buf_fmt(out, ": %u certificates, %u digests, %u others%s", n[EFI_SIG_X509],
                                n[EFI_SIG_SHA256], n[EFI_SIG_OTHER] + n[EFI_SIG_X509_SHA256],
                                r < 0 ? ", malformed" : "");
                        return;
                }
        if (v->data.len == 1)
                buf_fmt(out, " = %u", v->data.p[0]);
        else
                buf_fmt(out, ": %zu bytes", v->data.len);
}

static void put_variable(struct buf *out, struct view data)
{
        struct efi_variable v;
        struct err err = ERR_INIT;
        struct buf name = {0};

        if (efi_variable_parse(data, &v, &err) < 0) {
                buf_str(out, err.text);
                return;
        }
        efi_put_utf16(&name, v.name);
        put_text(out, VIEW_BUF(&name));
        out->failed |= name.failed;
        buf_free(&name);
        buf_str(out, " {");
        put_guid(out, v.guid);
        buf_str(out, "}");
        put_value(out, &v);
}

static void put_image(struct buf *out, struct view data)
{
        struct efi_image image;
        struct err err = ERR_INIT;
        struct buf path = {0};

        if (efi_image_parse(data, &image, &err) < 0) {
                buf_str(out, err.text);
                return;
        }
        efi_put_device_path(&path, image.device_path);
        buf_fmt(out, "image of %llu bytes, ", (unsigned long long)image.size);
        put_text(out, VIEW_BUF(&path));
        out->failed |= path.failed;
        buf_free(&path);
}

/* {address, length}; with NAMED, one byte of length and a description in front. */
static void put_blob(struct buf *out, struct view data, bool named)
{
        struct cursor c = cursor_of(data);
        struct view name = VIEW_NONE;
        uint64_t address, size;
        uint8_t len = 0;

        if ((named && (!cursor_u8(&c, &len) || !cursor_take(&c, len, &name))) || !cursor_le64(&c, &address) ||
            !cursor_le64(&c, &size)) {
                buf_str(out, "malformed");
                return;
        }
        buf_fmt(out, "%llu bytes at 0x%llx", (unsigned long long)size, (unsigned long long)address);
        if (name.len) {
                buf_str(out, ", ");
                put_any_text(out, name);
        }
}

static void put_tables(struct buf *out, struct view data, bool named)
{
        struct cursor c = cursor_of(data);
        struct view name = VIEW_NONE;
        uint64_t n;
        uint8_t len = 0, guid[EFI_GUID_BYTES];

        if ((named && (!cursor_u8(&c, &len) || !cursor_take(&c, len, &name))) || !cursor_le64(&c, &n) ||
            n > c.left / (EFI_GUID_BYTES + 8)) {
                buf_str(out, "malformed");
                return;
        }
        buf_fmt(out, "%llu tables", (unsigned long long)n);
        for (uint64_t i = 0; i < n && cursor_copy(&c, guid, EFI_GUID_BYTES) && cursor_skip(&c, 8); i++) {
                buf_str(out, " ");
                put_guid(out, guid);
        }
}

static void put_tagged(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        uint32_t id;
        struct view text;

        if (!cursor_le32(&c, &id) || !cursor_le32_bytes(&c, &text)) {
                buf_str(out, "malformed");
                return;
        }
        buf_fmt(out, "tag 0x%08x, ", id);
        put_any_text(out, text);
}

static void put_no_action(struct buf *out, struct view data)
{
        put_text(out, VIEW(data.p, data.len < 16 ? data.len : 16));
        if (data.len == 17)
                buf_fmt(out, " %u", data.p[16]);
}

/* UEFI_GPT_DATA: the header of 92 bytes, then the partitions that are used. */
static void put_gpt(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        uint8_t disk[EFI_GUID_BYTES];
        uint64_t n;

        if (!cursor_skip(&c, 56) || !cursor_copy(&c, disk, sizeof(disk)) || !cursor_skip(&c, 20) ||
            !cursor_le64(&c, &n)) {
                buf_str(out, "malformed");
                return;
        }
        buf_fmt(out, "%llu partitions on disk ", (unsigned long long)n);
        put_guid(out, disk);
}

static void put_separator(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        uint32_t value;

        if (data.len == 4 && cursor_le32(&c, &value))
                buf_str(out, value == 0 || value == UINT32_MAX ? "end of the firmware's part"
                                                               : "the firmware reports an error");
        else
                put_any_text(out, data);
}

void bootlog_describe(const struct bootlog_event *e, struct buf *out)
{
        switch (e->type) {
        case EV_EFI_VARIABLE_DRIVER_CONFIG:
        case EV_EFI_VARIABLE_BOOT:
        case EV_EFI_VARIABLE_BOOT2:
        case EV_EFI_VARIABLE_AUTHORITY:
        case EV_EFI_SPDM_DEVICE_POLICY:
        case EV_EFI_SPDM_DEVICE_AUTHORITY:
                put_variable(out, e->data);
                break;
        case EV_EFI_BOOT_SERVICES_APPLICATION:
        case EV_EFI_BOOT_SERVICES_DRIVER:
        case EV_EFI_RUNTIME_SERVICES_DRIVER:
                put_image(out, e->data);
                break;
        case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
                put_blob(out, e->data, e->type == EV_EFI_PLATFORM_FIRMWARE_BLOB2);
                break;
        case EV_EFI_HANDOFF_TABLES:
        case EV_EFI_HANDOFF_TABLES2:
                put_tables(out, e->data, e->type == EV_EFI_HANDOFF_TABLES2);
                break;
        case EV_EFI_GPT_EVENT:
        case EV_EFI_GPT_EVENT2:
                put_gpt(out, e->data);
                break;
        case EV_EVENT_TAG:
                put_tagged(out, e->data);
                break;
        case EV_NO_ACTION:
                put_no_action(out, e->data);
                break;
        case EV_SEPARATOR:
                put_separator(out, e->data);
                break;
        default:
                put_any_text(out, e->data);
                break;
        }
}
