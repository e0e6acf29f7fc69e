/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endorsements in a bag, and the host's certificate table that brings them. The table is the host's word: its
 * offsets and lengths are hostile, its GUIDs only say what to try to read.
 *
 * Spec: GHCB 56421 §4.1.8.1; GUIDs as in RFC 4122 §4.1.2, big-endian.
 */
#include "evidence/snp_bag.h"

#include <string.h>

#include "evidence/snp.h"

static const struct {
        enum snp_blob kind;
        uint8_t guid[SNP_GUID_BYTES];
} guids[] = {
        {SNP_BLOB_VCEK,
         {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd}},
        {SNP_BLOB_VLEK,
         {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1}},
        {SNP_BLOB_ASK,
         {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82}},
        {SNP_BLOB_ARK,
         {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae}},
        {SNP_BLOB_CRL,
         {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea}},
        {SNP_BLOB_EXTRA_INFO,
         {0xec, 0xae, 0x0c, 0x0f, 0x95, 0x02, 0x43, 0xb1, 0xaf, 0xa2, 0x0a, 0xe2, 0xe0, 0xd5, 0x65, 0xb6}},
};

void snp_bag_done(struct snp_bag *bag)
{
        cert_list_done(&bag->certs);
        for (size_t i = 0; i < bag->n_crls; i++)
                crl_free(bag->crls[i]);
        *bag = (struct snp_bag){0};
}

static bool holds(const struct snp_bag *bag, const struct cert *cert)
{
        for (size_t i = 0; i < bag->certs.n; i++)
                if (view_equal(cert_der(bag->certs.v[i]), cert_der(cert)))
                        return true;
        return false;
}

static int add_cert(struct snp_bag *bag, struct cert *cert, struct err *err)
{
        if (holds(bag, cert)) {
                cert_free(cert);
                return 0;
        }
        return cert_list_add(&bag->certs, cert, err);
}

static int add_crl(struct snp_bag *bag, struct view blob, struct err *err)
{
        struct crl *crl = NULL;
        int r;

        if (bag->n_crls == SNP_CRLS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d revocation lists", SNP_CRLS_MAX);
        r = crl_parse(blob, &crl, err);
        if (r == 0)
                bag->crls[bag->n_crls++] = crl;
        return r;
}

static int add_pem(struct snp_bag *bag, struct view blob, struct err *err)
{
        struct cert_list list = {0};
        const char *why = NULL;
        int r = cert_list_parse_pem(blob, CERT_MALFORMED_REJECT, &list, &why, err);

        for (size_t i = 0; r >= 0 && i < list.n; i++)
                r = add_cert(bag, TAKE(list.v[i]), err);
        cert_list_done(&list);
        return r < 0 ? r : 0;
}

static int add_der(struct snp_bag *bag, struct view blob, struct err *err)
{
        struct err as_cert = ERR_INIT;
        struct cert *cert = NULL;
        int r = cert_parse_der(blob, &cert, &as_cert);

        if (r == 0)
                return add_cert(bag, cert, err);
        if (as_cert.kind == ERR_FORMAT && add_crl(bag, blob, err) == 0)
                return 0;
        *err = as_cert; /* it was meant to be a certificate, most probably */
        return r;
}

int snp_bag_add(struct snp_bag *bag, struct view blob, struct err *err)
{
        static const char crl_head[] = "-----BEGIN X509 CRL-----";

        if (blob.len && blob.p[0] == 0x30)
                return add_der(bag, blob, err);
        if (blob.len && memmem(blob.p, blob.len, crl_head, sizeof(crl_head) - 1))
                return add_crl(bag, blob, err);
        return add_pem(bag, blob, err);
}

static enum snp_blob kind_of(struct view guid)
{
        for (size_t i = 0; i < ARRAY_LEN(guids); i++)
                if (view_equal(guid, VIEW_ARRAY(guids[i].guid)))
                        return guids[i].kind;
        return SNP_BLOB_OTHER;
}

/* The entries, their blobs not yet cut out; the cursor is left behind the end mark. */
static int read_entries(struct cursor *c, struct snp_table *t, uint32_t offsets[SNP_TABLE_ENTRY_MAX],
                        uint32_t lengths[SNP_TABLE_ENTRY_MAX], struct err *err)
{
        for (t->n = 0;; t->n++) {
                struct view guid;
                uint32_t offset, length;

                if (!cursor_take(c, SNP_GUID_BYTES, &guid) || !cursor_le32(c, &offset) ||
                    !cursor_le32(c, &length))
                        return err_set(err, ERR_FORMAT, 0, "no end after entry %zu", t->n);
                if (snp_is_zero(guid) && offset == 0 && length == 0)
                        return 0;
                if (t->n == SNP_TABLE_ENTRY_MAX)
                        return err_set(err, ERR_LIMIT, 0, "more than %d entries", SNP_TABLE_ENTRY_MAX);
                t->v[t->n].kind = kind_of(guid);
                t->v[t->n].guid = guid;
                offsets[t->n] = offset;
                lengths[t->n] = length;
        }
}

/* Entry I's blob: behind the entries, inside the table, the first of its kind. */
static int cut_blob(struct view in, size_t from, uint32_t offset, uint32_t length, struct snp_table *t,
                    size_t i, struct err *err)
{
        struct cursor c = cursor_of(in);

        if (offset < from || !cursor_skip(&c, offset) || !cursor_take(&c, length, &t->v[i].bytes))
                return err_set(err, ERR_FORMAT, 0, "entry %zu: %u bytes at %u do not lie in the %zu bytes", i,
                               length, offset, in.len);
        for (size_t k = 0; k < i; k++)
                if (view_equal(t->v[k].guid, t->v[i].guid))
                        return err_set(err, ERR_FORMAT, 0, "entries %zu and %zu are of one kind", k, i);
        return 0;
}

int snp_table_parse(struct view in, struct snp_table *ret, struct err *err)
{
        uint32_t offsets[SNP_TABLE_ENTRY_MAX], lengths[SNP_TABLE_ENTRY_MAX];
        struct cursor c = cursor_of(in);
        struct snp_table t = {0};
        int r = 0;

        if (in.len > SNP_TABLE_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "certificate table of %zu bytes (at most %u)", in.len,
                               SNP_TABLE_BYTES_MAX);
        if (in.len)
                r = read_entries(&c, &t, offsets, lengths, err);
        for (size_t i = 0; r == 0 && i < t.n; i++)
                r = cut_blob(in, c.at, offsets[i], lengths[i], &t, i, err);
        if (r < 0)
                return err_wrap(err, "certificate table");
        *ret = t;
        return 0;
}

int snp_bag_add_table(struct snp_bag *bag, struct view table, struct err *err)
{
        struct snp_table t;
        int r = snp_table_parse(table, &t, err);

        for (size_t i = 0; r == 0 && i < t.n; i++) {
                if (t.v[i].kind == SNP_BLOB_OTHER || t.v[i].kind == SNP_BLOB_EXTRA_INFO)
                        continue;
                r = snp_bag_add(bag, t.v[i].bytes, err);
                if (r < 0)
                        return err_wrap(err, "certificate table: entry %zu", i);
        }
        return r;
}
