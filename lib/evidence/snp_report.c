/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report's 1184 bytes. Reserved bytes and those behind the signature have to be zero: the ones behind are
 * not even signed, so that whoever passes the report on could put anything there. What is signed is hashed as
 * it came, never written anew from what was read.
 *
 * The TCB has two layouts, and nothing in it says which one it is: the product line does. Read in the wrong
 * one, a Turin's boot loader version is a Milan's TEE version, and an old platform looks new.
 *
 * Spec: AMD 56860 §§2.2, 7.3.
 */
#include "evidence/snp.h"

#include <stdio.h>
#include <string.h>

#define VERSION_CPU 3 /* the first one with family, model, stepping */
#define VERSION_MIT 5 /* the first one with mitigation vectors */
#define RS_BYTES    72
#define TAIL_BYTES  368
#define MIT_GAP     16 /* where version 5 has its vectors */

static const uint32_t versions[] = {2, VERSION_CPU, VERSION_MIT};

const char *snp_line_name(enum snp_line line)
{
        static const char *const names[] = {
                [SNP_LINE_UNKNOWN] = "unknown",
                [SNP_MILAN] = "Milan",
                [SNP_GENOA] = "Genoa",
                [SNP_TURIN] = "Turin",
        };

        return (size_t)line < ARRAY_LEN(names) ? names[line] : names[SNP_LINE_UNKNOWN];
}

enum snp_line snp_line_of_cpu(uint8_t family, uint8_t model)
{
        static const struct {
                uint8_t family, first, last;
                enum snp_line line;
        } cpus[] = {
                {0x19, 0x00, 0x0f, SNP_MILAN},
                {0x19, 0x10, 0x1f, SNP_GENOA}, /* and Bergamo, Siena: */
                {0x19, 0xa0, 0xaf, SNP_GENOA},
                {0x1a, 0x00, 0x11, SNP_TURIN},
        };

        for (size_t i = 0; i < ARRAY_LEN(cpus); i++)
                if (family == cpus[i].family && model >= cpus[i].first && model <= cpus[i].last)
                        return cpus[i].line;
        return SNP_LINE_UNKNOWN;
}

bool snp_is_zero(struct view v)
{
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i])
                        return false;
        return true;
}

bool snp_tcb_decode(enum snp_line line, const uint8_t raw[8], struct snp_tcb *ret)
{
        switch (line) {
        case SNP_MILAN:
        case SNP_GENOA:
                if (!snp_is_zero(VIEW(raw + 2, 4)))
                        return false;
                *ret = (struct snp_tcb){
                        .bootloader = raw[0], .tee = raw[1], .snp = raw[6], .microcode = raw[7]};
                return true;
        case SNP_TURIN:
                if (!snp_is_zero(VIEW(raw + 4, 3)))
                        return false;
                *ret = (struct snp_tcb){.fmc = raw[0],
                                        .bootloader = raw[1],
                                        .tee = raw[2],
                                        .snp = raw[3],
                                        .microcode = raw[7]};
                return true;
        case SNP_LINE_UNKNOWN:
                break;
        }
        return false;
}

bool snp_tcb_at_least(const struct snp_tcb *tcb, const struct snp_tcb *floor)
{
        return tcb->fmc >= floor->fmc && tcb->bootloader >= floor->bootloader && tcb->tee >= floor->tee &&
               tcb->snp >= floor->snp && tcb->microcode >= floor->microcode;
}

bool snp_tcb_equal(const struct snp_tcb *a, const struct snp_tcb *b)
{
        return snp_tcb_at_least(a, b) && snp_tcb_at_least(b, a);
}

char *snp_tcb_text(enum snp_line line, const struct snp_tcb *tcb, char ret[SNP_TCB_TEXT_BYTES])
{
        char fmc[16] = "";

        if (line == SNP_TURIN)
                (void)snprintf(fmc, sizeof(fmc), "fmc %u ", tcb->fmc); /* three digits at most */
        (void)snprintf(ret, SNP_TCB_TEXT_BYTES, "%sbootloader %u tee %u snp %u microcode %u", fmc,
                       tcb->bootloader, tcb->tee, tcb->snp, tcb->microcode); /* 64 characters at most */
        return ret;
}

/* Bytes that have to be zero; the first that are not are named. */
static bool zeros(struct cursor *c, size_t n, const char *what, struct snp_report *r)
{
        struct view v;

        if (!cursor_take(c, n, &v))
                return false;
        if (!r->fault && !snp_is_zero(v))
                r->fault = what;
        return true;
}

/* 0x004 to 0x04f. */
static bool read_head(struct cursor *c, struct snp_report *r)
{
        if (!cursor_le32(c, &r->guest_svn) || !cursor_le64(c, &r->policy) ||
            !cursor_take(c, 16, &r->family_id) || !cursor_take(c, 16, &r->image_id) ||
            !cursor_le32(c, &r->vmpl) || !cursor_le32(c, &r->signature_algo) ||
            !cursor_copy(c, r->current_tcb, sizeof(r->current_tcb)) || !cursor_le64(c, &r->platform_info) ||
            !cursor_le32(c, &r->key_info) || !zeros(c, 4, "reserved bytes 0x4c to 0x4f", r))
                return false;
        r->author_key_en = r->key_info & 1;
        r->mask_chip_key = r->key_info >> 1 & 1;
        r->signing_key = r->key_info >> 2 & 7;
        if (!r->fault && r->key_info >> 5)
                r->fault = "reserved bits 5 to 31 of key_info";
        return true;
}

/* 0x050 to 0x187. */
static bool read_identities(struct cursor *c, struct snp_report *r)
{
        return cursor_take(c, SNP_DATA_BYTES, &r->report_data) &&
               cursor_take(c, SNP_DIGEST_BYTES, &r->measurement) && cursor_take(c, 32, &r->host_data) &&
               cursor_take(c, SNP_DIGEST_BYTES, &r->id_key_digest) &&
               cursor_take(c, SNP_DIGEST_BYTES, &r->author_key_digest) && cursor_take(c, 32, &r->report_id) &&
               cursor_take(c, 32, &r->report_id_ma) &&
               cursor_copy(c, r->reported_tcb, sizeof(r->reported_tcb));
}

static bool read_version(struct cursor *c, struct snp_version *v)
{
        return cursor_u8(c, &v->build) && cursor_u8(c, &v->minor) && cursor_u8(c, &v->major);
}

/* 0x188 to 0x29f. */
static bool read_platform(struct cursor *c, struct snp_report *r)
{
        r->has_cpu = r->version >= VERSION_CPU;
        r->has_mitigations = r->version >= VERSION_MIT;
        if (r->has_cpu &&
            (!cursor_u8(c, &r->family) || !cursor_u8(c, &r->model) || !cursor_u8(c, &r->stepping)))
                return false;
        if (!zeros(c, r->has_cpu ? 21 : 24, "reserved bytes up to 0x19f", r) ||
            !cursor_take(c, SNP_CHIP_ID_BYTES, &r->chip_id) ||
            !cursor_copy(c, r->committed_tcb, sizeof(r->committed_tcb)) || !read_version(c, &r->current) ||
            !zeros(c, 1, "reserved byte 0x1eb", r) || !read_version(c, &r->committed) ||
            !zeros(c, 1, "reserved byte 0x1ef", r) || !cursor_copy(c, r->launch_tcb, sizeof(r->launch_tcb)))
                return false;
        if (r->has_mitigations &&
            (!cursor_le64(c, &r->launch_mit_vector) || !cursor_le64(c, &r->current_mit_vector)))
                return false;
        return zeros(c, r->has_mitigations ? 152 : 152 + MIT_GAP, "reserved bytes up to 0x29f", r);
}

static bool read_signature(struct cursor *c, struct snp_report *r)
{
        return cursor_take(c, RS_BYTES, &r->r) && cursor_take(c, RS_BYTES, &r->s) &&
               zeros(c, TAIL_BYTES, "bytes behind the signature, which nothing signs", r);
}

static bool version_known(uint32_t version)
{
        for (size_t i = 0; i < ARRAY_LEN(versions); i++)
                if (versions[i] == version)
                        return true;
        return false;
}

int snp_report_parse(struct view in, struct snp_report *ret, struct err *err)
{
        struct snp_report r = {.bytes = in};
        struct cursor c = cursor_of(in);

        if (in.len != SNP_REPORT_BYTES)
                return err_set(err, ERR_FORMAT, 0, "SNP report of %zu bytes, it has to be %d", in.len,
                               SNP_REPORT_BYTES);
        if (!cursor_le32(&c, &r.version))
                return err_set(err, ERR_FORMAT, 0, "SNP report: cut off");
        r.known = version_known(r.version);
        if (r.known && (!read_head(&c, &r) || !read_identities(&c, &r) || !read_platform(&c, &r) ||
                        !read_signature(&c, &r) || c.left))
                return err_set(err, ERR_FORMAT, 0, "SNP report: cut off at byte %zu", c.at);
        *ret = r;
        return 0;
}
