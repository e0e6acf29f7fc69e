/* SPDX-License-Identifier: Apache-2.0 */
/* What events of a boot log say, in words. bootlog_cover.c tells how much of it is true. */
#include <string.h>

#include "base/hex.h"
#include "base/str.h"
#include "evidence/bootlog.h"
#include "evidence/efi.h"

#define TEXT_MAX   1024 /* bytes of an event's own text that are shown */
#define HEX_MAX    32   /* bytes of what is no text */
#define BLOB_BYTES 16   /* UEFI_PLATFORM_FIRMWARE_BLOB */

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

/* Text of one byte a letter, with nothing that cannot be printed but its end. */
static bool is_text(struct view v)
{
        while (v.len && v.p[v.len - 1] == 0)
                v.len--;
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i] < ' ' && v.p[i] != '\n' && v.p[i] != '\t')
                        return false;
        return str_valid_utf8(v);
}

static void put_hex(struct buf *out, struct view v)
{
        size_t n = v.len < HEX_MAX ? v.len : HEX_MAX;

        buf_fmt(out, "%zu bytes ", v.len);
        buf_hex(out, VIEW(v.p, n));
        buf_str(out, n < v.len ? "…" : "");
}

static void put_any_text(struct buf *out, struct view v)
{
        struct buf text = {0};

        if (is_utf16(v)) {
                efi_put_utf16(&text, v);
                put_text(out, VIEW_BUF(&text));
        } else if (is_text(v)) {
                put_text(out, v);
        } else {
                put_hex(out, v);
        }
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

/* EFI_LOAD_OPTION: "Boot0001" and the like. Spec: UEFI 2.10 §3.1.3. */
static void put_load_option(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        struct buf name = {0};
        uint32_t attributes;
        uint16_t path_bytes, u = 1;
        struct view path;
        size_t from;

        if (!cursor_le32(&c, &attributes) || !cursor_le16(&c, &path_bytes)) {
                buf_str(out, ": malformed");
                return;
        }
        from = c.at;
        while (u && cursor_le16(&c, &u))
                continue;
        efi_put_utf16(&name, VIEW(data.p + from, c.at - from));
        buf_str(out, attributes & 1 ? ": " : ": (not active) ");
        put_text(out, VIEW_BUF(&name));
        out->failed |= name.failed;
        buf_free(&name);
        if (!cursor_take(&c, path_bytes, &path))
                return;
        buf_str(out, " ");
        efi_put_device_path(out, path);
}

static void put_boot_order(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        uint16_t n;

        buf_str(out, ":");
        while (cursor_le16(&c, &n))
                buf_fmt(out, " %04X", n);
}

/* Owner and certificate or digest, of what a program was verified with. */
static void put_authority(struct buf *out, const struct efi_variable *v)
{
        struct efi_signature sig;
        struct err ignored = ERR_INIT;

        if (is_text(v->data)) { /* SbatLevel */
                buf_str(out, ": ");
                put_text(out, v->data);
        } else if (efi_signature_data(v->data, &sig, &ignored) == 0) {
                buf_str(out, " of ");
                put_guid(out, sig.owner);
                buf_fmt(out, sig.data.p[0] == 0x30 ? ": certificate of %zu bytes" : ": %zu bytes",
                        sig.data.len);
        } else {
                buf_fmt(out, ": %zu bytes", v->data.len);
        }
}

static bool is_boot_option(const struct efi_variable *v)
{
        return v->name.len == 16 && v->name.p[0] == 'B' && v->name.p[2] == 'o' && v->name.p[4] == 'o' &&
               v->name.p[6] == 't';
}

static void put_variable(struct buf *out, uint32_t type, struct view data)
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
        if (type == EV_EFI_VARIABLE_AUTHORITY || type == EV_EFI_SPDM_DEVICE_AUTHORITY)
                put_authority(out, &v);
        else if (efi_variable_is(&v, "BootOrder"))
                put_boot_order(out, v.data);
        else if (is_boot_option(&v))
                put_load_option(out, v.data);
        else
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

/* A vendor and what else: SP800-155 events name reference manifests. */
static void put_no_action(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        struct view kind = VIEW(data.p, data.len < 16 ? data.len : 16);
        uint32_t class, vendor;
        uint8_t minor, major, errata, guid[EFI_GUID_BYTES];

        put_text(out, kind);
        (void)!cursor_skip(&c, kind.len); /* they are there */
        if (view_equal(kind, VIEW("StartupLocality", 16)) && data.len == 17)
                buf_fmt(out, " %u", data.p[16]);
        else if (kind.len == 16 && strncmp((const char *)kind.p, "Spec ID Event", 13) == 0 &&
                 cursor_le32(&c, &class) && cursor_u8(&c, &minor) && cursor_u8(&c, &major) &&
                 cursor_u8(&c, &errata))
                buf_fmt(out, " of specification %u.%u.%u, platform class %u", major, minor, errata, class);
        else if (kind.len == 16 && strncmp((const char *)kind.p, "SP800-155 Event", 15) == 0 &&
                 cursor_le32(&c, &vendor) && cursor_copy(&c, guid, sizeof(guid))) {
                buf_fmt(out, " of vendor %u, reference manifest ", vendor);
                put_guid(out, guid);
        } else if (c.left) {
                buf_str(out, " ");
                put_hex(out, cursor_rest(&c));
        }
}

#define GPT_NAME_BYTES 72

/* UEFI_GPT_DATA: the header of 92 bytes, then the partitions that are used. */
static void put_gpt(struct buf *out, struct view data)
{
        struct cursor c = cursor_of(data);
        uint8_t disk[EFI_GUID_BYTES], part[EFI_GUID_BYTES];
        struct view utf16;
        uint32_t entry = 0;
        uint64_t n;

        if (!cursor_skip(&c, 56) || !cursor_copy(&c, disk, sizeof(disk)) || !cursor_skip(&c, 12) ||
            !cursor_le32(&c, &entry) || !cursor_skip(&c, 4) || !cursor_le64(&c, &n)) {
                buf_str(out, "malformed");
                return;
        }
        buf_fmt(out, "%llu partitions on disk ", (unsigned long long)n);
        put_guid(out, disk);
        if (entry < 56 + GPT_NAME_BYTES)
                return;
        for (uint64_t i = 0; i < n && i < 16 && cursor_skip(&c, 16) && cursor_copy(&c, part, sizeof(part)) &&
                             cursor_skip(&c, 24) && cursor_take(&c, GPT_NAME_BYTES, &utf16) &&
                             cursor_skip(&c, entry - 56 - GPT_NAME_BYTES);
             i++) {
                struct buf name = {0};

                buf_str(out, " ");
                put_guid(out, part);
                efi_put_utf16(&name, utf16);
                buf_str(out, " ");
                put_text(out, VIEW_BUF(&name));
                out->failed |= name.failed;
                buf_free(&name);
        }
}

/* What firmware measures of code and settings that are not its own: an address, a GUID, or a text. */
static void put_code(struct buf *out, struct view data)
{
        if (data.len == BLOB_BYTES && !is_text(data))
                put_blob(out, data, false);
        else
                put_any_text(out, data);
}

static void put_version(struct buf *out, struct view data)
{
        if (data.len == EFI_GUID_BYTES && !is_utf16(data) && !is_text(data))
                put_guid(out, data.p);
        else
                put_any_text(out, data);
}

/* DEVICE_SECURITY_EVENT_DATA: what a device said of its firmware, over SPDM. Spec: PFP §10.2.7. */
static void put_device(struct buf *out, struct view data)
{
        struct view kind = VIEW(data.p, data.len < 16 ? data.len : 16);

        put_text(out, kind);
        buf_fmt(out, ", %zu bytes", data.len - kind.len);
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
                put_variable(out, e->type, e->data);
                break;
        case EV_EFI_BOOT_SERVICES_APPLICATION:
        case EV_EFI_BOOT_SERVICES_DRIVER:
        case EV_EFI_RUNTIME_SERVICES_DRIVER:
                put_image(out, e->data);
                break;
        case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        case EV_POST_CODE2:
                put_blob(out, e->data, e->type != EV_EFI_PLATFORM_FIRMWARE_BLOB);
                break;
        case EV_EFI_HANDOFF_TABLES:
        case EV_EFI_HANDOFF_TABLES2:
                put_tables(out, e->data, e->type == EV_EFI_HANDOFF_TABLES2);
                break;
        case EV_EFI_GPT_EVENT:
        case EV_EFI_GPT_EVENT2:
                put_gpt(out, e->data);
                break;
        case EV_EFI_SPDM_FIRMWARE_BLOB:
        case EV_EFI_SPDM_FIRMWARE_CONFIG:
                put_device(out, e->data);
                break;
        case EV_POST_CODE:
        case EV_S_CRTM_CONTENTS:
        case EV_NONHOST_CODE:
        case EV_CPU_MICROCODE:
                put_code(out, e->data);
                break;
        case EV_S_CRTM_VERSION:
                put_version(out, e->data);
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
