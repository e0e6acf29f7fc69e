/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/efi.h"

#include <stdio.h>
#include <string.h>

#define LIST_HEADER_BYTES 28 /* EFI_SIGNATURE_LIST: type, three sizes */

static const uint8_t guid_x509[EFI_GUID_BYTES] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                                  0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t guid_sha256[EFI_GUID_BYTES] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
                                                    0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
static const uint8_t guid_x509_sha256[EFI_GUID_BYTES] = {0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40,
                                                         0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03, 0xed};

void efi_guid_text(const uint8_t g[EFI_GUID_BYTES], char ret[EFI_GUID_CHARS])
{
        (void)snprintf(ret, EFI_GUID_CHARS,
                       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
                       g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
                       g[15]);
}

/* ---- variables ---- */

int efi_variable_parse(struct view in, struct efi_variable *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        uint64_t name_chars, data_bytes;

        if (!cursor_copy(&c, ret->guid, EFI_GUID_BYTES) || !cursor_le64(&c, &name_chars) ||
            !cursor_le64(&c, &data_bytes) || name_chars > c.left / 2 ||
            !cursor_take(&c, (size_t)name_chars * 2, &ret->name) || data_bytes != c.left)
                return err_set(err, ERR_FORMAT, 0, "no UEFI variable: its lengths do not fit, at byte %zu",
                               c.at);
        ret->data = cursor_rest(&c);
        return 0;
}

bool efi_variable_is(const struct efi_variable *v, const char *name)
{
        if (v->name.len != 2 * strlen(name))
                return false;
        for (size_t i = 0; name[i]; i++)
                if (v->name.p[2 * i] != (uint8_t)name[i] || v->name.p[2 * i + 1] != 0)
                        return false;
        return true;
}

/* ---- text ---- */

static void put_utf8(struct buf *out, uint32_t c)
{
        if (c < 0x80) {
                buf_u8(out, (uint8_t)c);
        } else if (c < 0x800) {
                buf_u8(out, (uint8_t)(0xc0 | c >> 6));
                buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
        } else if (c < 0x10000) {
                buf_u8(out, (uint8_t)(0xe0 | c >> 12));
                buf_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
                buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
        } else {
                buf_u8(out, (uint8_t)(0xf0 | c >> 18));
                buf_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
                buf_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
                buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
        }
}

void efi_put_utf16(struct buf *out, struct view utf16)
{
        struct cursor c = cursor_of(utf16);
        uint16_t high = 0, u;

        while (cursor_le16(&c, &u) && u) {
                bool low = u >= 0xdc00 && u < 0xe000;

                if (high && !low)
                        put_utf8(out, 0xfffd);
                if (high && low)
                        put_utf8(out, 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (u - 0xdc00));
                else if (low)
                        put_utf8(out, 0xfffd);
                high = 0;
                if (u >= 0xd800 && u < 0xdc00)
                        high = u;
                else if (!low)
                        put_utf8(out, u);
        }
        if (high)
                put_utf8(out, 0xfffd);
}

/* ---- signatures ---- */

static enum efi_signature_kind kind_of(const uint8_t type[EFI_GUID_BYTES])
{
        struct view t = VIEW(type, EFI_GUID_BYTES);

        if (view_equal(t, VIEW_ARRAY(guid_x509)))
                return EFI_SIG_X509;
        if (view_equal(t, VIEW_ARRAY(guid_sha256)))
                return EFI_SIG_SHA256;
        return view_equal(t, VIEW_ARRAY(guid_x509_sha256)) ? EFI_SIG_X509_SHA256 : EFI_SIG_OTHER;
}

struct list {
        uint8_t type[EFI_GUID_BYTES];
        uint32_t size, header, each;
};

static bool read_list(struct view in, size_t at, struct list *ret)
{
        struct cursor c = cursor_of(in);

        return cursor_skip(&c, at) && cursor_copy(&c, ret->type, EFI_GUID_BYTES) &&
               cursor_le32(&c, &ret->size) && cursor_le32(&c, &ret->header) && cursor_le32(&c, &ret->each) &&
               ret->size >= LIST_HEADER_BYTES && ret->size <= in.len - at &&
               ret->header <= ret->size - LIST_HEADER_BYTES && ret->each > EFI_GUID_BYTES &&
               (ret->size - LIST_HEADER_BYTES - ret->header) % ret->each == 0;
}

int efi_signature_next(struct view in, struct efi_signature_pos *pos, struct efi_signature *ret,
                       struct err *err)
{
        while (pos->list < in.len) {
                struct list l;

                if (!read_list(in, pos->list, &l))
                        return err_set(err, ERR_FORMAT, 0,
                                       "signature list at byte %zu: its sizes do not fit together",
                                       pos->list);
                if (pos->at == 0)
                        pos->at = pos->list + LIST_HEADER_BYTES + l.header;
                if (pos->at < pos->list + l.size) {
                        ret->kind = kind_of(l.type);
                        memcpy(ret->type, l.type, EFI_GUID_BYTES);
                        memcpy(ret->owner, in.p + pos->at, EFI_GUID_BYTES);
                        ret->data = VIEW(in.p + pos->at + EFI_GUID_BYTES, l.each - EFI_GUID_BYTES);
                        pos->at += l.each;
                        return 1;
                }
                *pos = (struct efi_signature_pos){.list = pos->list + l.size};
        }
        return 0;
}

int efi_signature_data(struct view in, struct efi_signature *ret, struct err *err)
{
        if (in.len <= EFI_GUID_BYTES)
                return err_set(err, ERR_FORMAT, 0, "no signature: %zu bytes", in.len);
        *ret = (struct efi_signature){.kind = EFI_SIG_OTHER};
        memcpy(ret->owner, in.p, EFI_GUID_BYTES);
        ret->data = VIEW(in.p + EFI_GUID_BYTES, in.len - EFI_GUID_BYTES);
        return 0;
}

/* ---- images ---- */

int efi_image_parse(struct view in, struct efi_image *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        uint64_t path_bytes;

        if (!cursor_le64(&c, &ret->address) || !cursor_le64(&c, &ret->size) ||
            !cursor_le64(&c, &ret->link_address) || !cursor_le64(&c, &path_bytes) || path_bytes > c.left)
                return err_set(err, ERR_FORMAT, 0, "no image load event: it is cut off");
        ret->device_path = VIEW(c.p, (size_t)path_bytes);
        return 0;
}

/* One node. Return: false for one that is not spelt out here. Spec: UEFI 2.10 §10.3. */
static bool put_node(struct buf *out, uint8_t type, uint8_t sub, struct view body)
{
        struct cursor c = cursor_of(body);
        uint8_t a, b, guid[EFI_GUID_BYTES];
        char text[EFI_GUID_CHARS];
        uint32_t x, y;
        uint16_t p;

        switch (type << 8 | sub) {
        case 0x0101:
                if (!cursor_u8(&c, &a) || !cursor_u8(&c, &b))
                        return false;
                buf_fmt(out, "Pci(%x,%x)", b, a);
                return true;
        case 0x0201:
                if (!cursor_le32(&c, &x) || !cursor_le32(&c, &y))
                        return false;
                buf_fmt(out, x == 0x0a0341d0 ? "PciRoot(%x)" : "Acpi(%x)", x == 0x0a0341d0 ? y : x);
                return true;
        case 0x0302:
                if (!cursor_le16(&c, &p) || !cursor_le16(&c, &(uint16_t){0}))
                        return false;
                buf_fmt(out, "Scsi(%u)", p);
                return true;
        case 0x0305:
        case 0x0312:
                if (!cursor_le16(&c, &p))
                        return false;
                buf_fmt(out, sub == 5 ? "Usb(%u)" : "Sata(%u)", p & (sub == 5 ? 0xffu : 0xffffu));
                return true;
        case 0x0317:
                if (!cursor_le32(&c, &x))
                        return false;
                buf_fmt(out, "NVMe(%u)", x);
                return true;
        case 0x0401:
                if (!cursor_le32(&c, &x) || !cursor_skip(&c, 16) || !cursor_copy(&c, guid, sizeof(guid)))
                        return false;
                efi_guid_text(guid, text);
                buf_fmt(out, "HD(%u,%s)", x, text);
                return true;
        case 0x0404:
                efi_put_utf16(out, body);
                return true;
        case 0x0104:
        case 0x030a:
        case 0x0403:
        case 0x0406:
        case 0x0407:
                if (!cursor_copy(&c, guid, sizeof(guid)))
                        return false;
                efi_guid_text(guid, text);
                buf_fmt(out, type != 4 || sub == 3 ? "Vendor(%s)" : sub == 6 ? "FvFile(%s)" : "Fv(%s)", text);
                return true;
        default:
                return false;
        }
}

void efi_put_device_path(struct buf *out, struct view path)
{
        struct cursor c = cursor_of(path);
        uint8_t type, sub;
        uint16_t len;
        struct view body;
        bool any = false;

        while (cursor_u8(&c, &type) && cursor_u8(&c, &sub) && cursor_le16(&c, &len) && len >= 4 &&
               cursor_take(&c, len - 4u, &body)) {
                if (type == 0x7f) /* the end of (a part of) the path */
                        continue;
                buf_str(out, any ? " " : "");
                any = true;
                if (!put_node(out, type, sub, body))
                        buf_fmt(out, "%u.%u", type, sub);
        }
}
