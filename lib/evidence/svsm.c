/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of services: identifier, size and number, then a row for each with its identifier and where its
 * part lies. The identifiers are in mixed order, unlike those of a certificate table: the first three fields
 * little-endian. Everything comes from the guest; it counts through the digest in the report data, over
 * exactly the bytes that came.
 */
#include "evidence/svsm.h"

#define GUID_BYTES 16
#define ROW_BYTES  24 /* the head, and each row */

/* 63849ebb-3d92-4670-a1ff-58f9c94b87bb, c476f1eb-0123-45a5-9641-b4e7dde5bfe3 */
static const uint8_t table_guid[GUID_BYTES] = {0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46,
                                               0xa1, 0xff, 0x58, 0xf9, 0xc9, 0x4b, 0x87, 0xbb};
static const uint8_t vtpm_guid[GUID_BYTES] = {0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45,
                                              0x96, 0x41, 0xb4, 0xe7, 0xdd, 0xe5, 0xbf, 0xe3};

struct row {
        struct view guid;
        uint32_t offset, size;
};

static bool overlap(const struct row *a, const struct row *b)
{
        return a->size && b->size &&
               (a->offset <= b->offset ? b->offset - a->offset < a->size : a->offset - b->offset < b->size);
}

/* Return: 0; -ERR_FORMAT if row N does not lie where it may, or repeats another. */
static int check_row(const struct row *rows, size_t n, size_t head, size_t total, struct err *err)
{
        const struct row *row = &rows[n];

        if (row->offset < head || row->offset > total || row->size > total - row->offset)
                return err_set(err, ERR_FORMAT, 0, "service %zu: %u bytes at %u do not lie behind the table",
                               n, row->size, row->offset);
        for (size_t i = 0; i < n; i++)
                if (view_equal(rows[i].guid, row->guid) || overlap(&rows[i], row))
                        return err_set(err, ERR_FORMAT, 0, "services %zu and %zu are, or lie in, one another",
                                       i, n);
        return 0;
}

static int parse_table(struct view in, struct cursor *c, struct svsm_manifest *m, struct view *ret_vtpm,
                       struct err *err)
{
        struct row rows[SVSM_SERVICES_MAX];
        uint32_t total, n;

        if (!cursor_le32(c, &total) || !cursor_le32(c, &n))
                return err_set(err, ERR_FORMAT, 0, "cut off at byte %zu", c->at);
        if (total != in.len)
                return err_set(err, ERR_FORMAT, 0, "it says that it has %u bytes, and has %zu", total,
                               in.len);
        if (n == 0 || n > SVSM_SERVICES_MAX)
                return err_set(err, n ? ERR_LIMIT : ERR_FORMAT, 0, "%u services (1 to %d)", n,
                               SVSM_SERVICES_MAX);
        for (uint32_t i = 0; i < n; i++) {
                if (!cursor_take(c, GUID_BYTES, &rows[i].guid) || !cursor_le32(c, &rows[i].offset) ||
                    !cursor_le32(c, &rows[i].size))
                        return err_set(err, ERR_FORMAT, 0, "cut off at byte %zu", c->at);
                if (check_row(rows, i, (1 + (size_t)n) * ROW_BYTES, in.len, err) < 0)
                        return -(int)err->kind;
                if (view_equal(rows[i].guid, VIEW_ARRAY(vtpm_guid)))
                        *ret_vtpm = VIEW(in.p + rows[i].offset, rows[i].size);
        }
        m->n_services = n;
        return 0;
}

int svsm_manifest_parse(struct view in, struct svsm_manifest *ret, struct err *err)
{
        struct svsm_manifest m = {.bytes = in};
        struct cursor c = cursor_of(in);
        struct view vtpm = VIEW_NONE, guid;
        int r = 0;

        if (in.len > SVSM_MANIFEST_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "SVSM manifest of %zu bytes (at most %u)", in.len,
                               SVSM_MANIFEST_BYTES_MAX);
        if (cursor_take(&c, GUID_BYTES, &guid) && view_equal(guid, VIEW_ARRAY(table_guid)))
                r = parse_table(in, &c, &m, &vtpm, err);
        else
                vtpm = in;
        if (r >= 0 && vtpm.p) {
                r = tpmt_public_parse(vtpm, &m.ek, err);
                m.has_ek = true;
        }
        if (r < 0)
                return err_wrap(err, "SVSM manifest");
        *ret = m;
        return 0;
}

int svsm_report_data(struct view nonce, const struct svsm_manifest *manifest, struct digest *ret,
                     struct err *err)
{
        const struct view parts[] = {nonce, manifest->bytes};

        return digest_parts(DIGEST_SHA512, parts, ARRAY_LEN(parts), ret, err);
}
