/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VCEK or a VLEK says of its key: at which TCB it was derived, for which chip or provider. HWID is not
 * DER but the bare bytes, and can begin with what looks like DER; so its length decides how it is read.
 *
 * The pinned keys are SHA-256 over the SubjectPublicKeyInfo of ARK-Milan, ARK-Genoa and ARK-Turin.
 *
 * Spec: AMD 57230 §§2-3; AMD 58369.
 */
#include "evidence/snp_cert.h"

#include <stdio.h>
#include <string.h>

#include "crypto/cert_ask.h"
#include "crypto/cert_ext.h"

#define OID "1.3.6.1.4.1.3704.1."

static const struct snp_root amd_roots[] = {
        {SNP_MILAN,
         {0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5, 0xff, 0xa8, 0x95, 0xbd, 0xfb,
          0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b, 0xed, 0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9}},
        {SNP_GENOA,
         {0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d, 0xb5, 0xfc, 0xda, 0x9c, 0x64,
          0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a, 0x9c, 0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31}},
        {SNP_TURIN,
         {0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56, 0xf9, 0x24, 0x3f, 0x6f, 0xe0,
          0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03, 0xf5, 0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08}},
};

const struct snp_root *snp_amd_roots(size_t *ret_n)
{
        *ret_n = ARRAY_LEN(amd_roots);
        return amd_roots;
}

bool snp_leaf_kind(const struct cert *cert, enum snp_signing_key *ret)
{
        const char *cn = cert_cn(cert);

        if (cert_is_ca(cert))
                return false;
        if (strcmp(cn, "SEV-VCEK") == 0)
                *ret = SNP_KEY_VCEK;
        else if (strcmp(cn, "SEV-VLEK") == 0)
                *ret = SNP_KEY_VLEK;
        else
                return false;
        return true;
}

enum snp_line snp_leaf_line(const struct cert *cert, enum snp_signing_key kind)
{
        static const enum snp_line lines[] = {SNP_MILAN, SNP_GENOA, SNP_TURIN};
        char cn[64], want[64];

        if (!cert_issuer_cn(cert, cn, sizeof(cn)))
                return SNP_LINE_UNKNOWN;
        for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
                (void)snprintf(want, sizeof(want), "SEV-%s%s", kind == SNP_KEY_VLEK ? "VLEK-" : "",
                               snp_line_name(lines[i])); /* 14 characters at most */
                if (strcmp(cn, want) == 0)
                        return lines[i];
        }
        return SNP_LINE_UNKNOWN;
}

/* Exactly one extension with this OID. */
static int one(const struct cert *cert, const char *oid, const char *what, struct view *ret, struct err *err)
{
        size_t n = cert_extension(cert, oid, ret);

        if (n == 1)
                return 0;
        return err_set(err, ERR_FORMAT, 0, n ? "%s: it is there %zu times" : "%s: it is missing (%zu)", what,
                       n);
}

/* An INTEGER of 0 to 255, in DER. Spec: ITU-T X.690 §8.3. */
static int read_u8(const struct cert *cert, const char *oid, const char *what, uint8_t *ret, struct err *err)
{
        struct view v;
        int r = one(cert, oid, what, &v, err);

        if (r < 0)
                return r;
        if (v.len == 3 && v.p[0] == 2 && v.p[1] == 1 && v.p[2] < 0x80)
                *ret = v.p[2];
        else if (v.len == 4 && v.p[0] == 2 && v.p[1] == 2 && v.p[2] == 0 && v.p[3] >= 0x80)
                *ret = v.p[3];
        else
                return err_set(err, ERR_FORMAT, 0, "%s: not an INTEGER of 0 to 255", what);
        return 0;
}

/* An IA5String of printable characters. */
static int read_text(const struct cert *cert, const char *oid, const char *what, char *ret, size_t size,
                     struct err *err)
{
        struct view v;
        int r = one(cert, oid, what, &v, err);

        if (r < 0)
                return r;
        if (v.len < 2 || v.p[0] != 0x16 || v.p[1] >= 0x80 || v.p[1] != v.len - 2 || v.len - 2 >= size)
                return err_set(err, ERR_FORMAT, 0, "%s: not an IA5String of at most %zu characters", what,
                               size - 1);
        for (size_t i = 2; i < v.len; i++)
                if (v.p[i] < 0x20 || v.p[i] > 0x7e)
                        return err_set(err, ERR_FORMAT, 0, "%s: a character that cannot be printed", what);
        for (size_t i = 2; i < v.len; i++)
                ret[i - 2] = (char)v.p[i];
        ret[v.len - 2] = '\0';
        return 0;
}

static int read_tcb(const struct cert *cert, enum snp_line line, struct snp_tcb *tcb, struct err *err)
{
        const struct {
                const char *oid, *what;
                uint8_t *ret;
        } parts[] = {
                {OID "3.1", "boot loader version", &tcb->bootloader},
                {OID "3.2", "TEE version", &tcb->tee},
                {OID "3.3", "SNP version", &tcb->snp},
                {OID "3.8", "microcode version", &tcb->microcode},
        };
        struct view unused;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
                r = read_u8(cert, parts[i].oid, parts[i].what, parts[i].ret, err);
        if (r == 0 && line == SNP_TURIN)
                return read_u8(cert, OID "3.9", "FMC version", &tcb->fmc, err);
        if (r == 0 && cert_extension(cert, OID "3.9", &unused))
                return err_set(err, ERR_FORMAT, 0, "FMC version: %s has none", snp_line_name(line));
        return r;
}

static int read_hwid(const struct cert *cert, enum snp_line line, struct view *ret, struct err *err)
{
        size_t want = line == SNP_TURIN ? 8 : SNP_CHIP_ID_BYTES;
        struct view v;
        int r = one(cert, OID "4", "HWID", &v, err);

        if (r < 0)
                return r;
        if (v.len == want + 2 && v.p[0] == 4 && v.p[1] == want)
                v = VIEW(v.p + 2, want);
        if (v.len != want)
                return err_set(err, ERR_FORMAT, 0, "HWID: %zu bytes, a %s has %zu", v.len,
                               snp_line_name(line), want);
        *ret = v;
        return 0;
}

int snp_leaf_read(const struct cert *cert, enum snp_line line, enum snp_signing_key kind,
                  struct snp_leaf *ret, struct err *err)
{
        struct snp_leaf leaf = {0};
        int r = read_u8(cert, OID "1", "structVersion", &leaf.struct_version, err);

        if (r == 0 && leaf.struct_version != (line == SNP_TURIN ? 1 : 0))
                r = err_set(err, ERR_FORMAT, 0, "structVersion %u is not %s's", leaf.struct_version,
                            snp_line_name(line));
        if (r == 0)
                r = read_text(cert, OID "2", "productName", leaf.product, sizeof(leaf.product), err);
        if (r == 0)
                r = read_tcb(cert, line, &leaf.tcb, err);
        if (r == 0 && kind == SNP_KEY_VCEK)
                r = read_hwid(cert, line, &leaf.hwid, err);
        if (r == 0 && kind == SNP_KEY_VLEK)
                r = read_text(cert, OID "5", "CSP_ID", leaf.csp_id, sizeof(leaf.csp_id), err);
        if (r == 0)
                *ret = leaf;
        return r;
}
