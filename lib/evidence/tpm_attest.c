/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPMS_ATTEST: what a TPM says about itself, signed. The TPM writes `magic` in front, and a restricted key
 * refuses to sign anything else that begins with it, so a good signature by such a key over bytes that begin
 * with it means that a TPM made them (which is why SR-10 demands restricted keys).
 *
 * Everything a host controls arrives here: whatever is not exactly one of the four types with nothing after
 * it is malformed. tpm_attest_is() then writes what we expect and compares it with what was signed.
 *
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §10.12.8 (TPMS_ATTEST), §10.12.1-7 (the bodies), §10.11 (clock,
 * time).
 */
#include "evidence/tpm_attest.h"

#include "base/mem.h"

#define TPM_GENERATED 0xff544347u /* "\xffTCG", §6.2 */

static bool read_clock(struct cursor *c, struct tpm_clock *ret, uint8_t *ret_safe)
{
        return cursor_be64(c, &ret->clock_ms) && cursor_be32(c, &ret->reset_count) &&
               cursor_be32(c, &ret->restart_count) && cursor_u8(c, ret_safe);
}

static int cut_short(struct err *err)
{
        return err_set(err, ERR_FORMAT, 0, "it is cut short");
}

/* TPMI_YES_NO, §9.2: 0 or 1 and nothing else. */
static int set_safe(struct tpm_clock *clock, uint8_t safe, struct err *err)
{
        if (safe > 1)
                return err_set(err, ERR_FORMAT, 0, "clock.safe is %u", safe);
        clock->safe = safe;
        return 0;
}

static int read_quote(struct cursor *c, struct tpm_attest *a, struct err *err)
{
        int r = pcr_selection_list_read(c, &a->quote.select, err);

        if (r < 0)
                return r;
        return cursor_be16_bytes(c, &a->quote.digest) ? 0 : cut_short(err);
}

static int read_certify(struct cursor *c, struct tpm_attest *a, struct err *err)
{
        if (!cursor_be16_bytes(c, &a->certify.name) || !cursor_be16_bytes(c, &a->certify.qualified_name))
                return cut_short(err);
        return 0;
}

static int read_time(struct cursor *c, struct tpm_attest *a, struct err *err)
{
        uint8_t safe;

        if (!cursor_be64(c, &a->time.time_ms) || !read_clock(c, &a->time.clock, &safe) ||
            !cursor_be64(c, &a->time.firmware_version))
                return cut_short(err);
        return set_safe(&a->time.clock, safe, err);
}

static int read_nv(struct cursor *c, struct tpm_attest *a, struct err *err)
{
        if (!cursor_be16_bytes(c, &a->nv.index_name) || !cursor_be16(c, &a->nv.offset) ||
            !cursor_be16_bytes(c, &a->nv.contents))
                return cut_short(err);
        return 0;
}

static void write_clock(const struct tpm_clock *clock, struct buf *out)
{
        buf_be64(out, clock->clock_ms);
        buf_be32(out, clock->reset_count);
        buf_be32(out, clock->restart_count);
        buf_u8(out, clock->safe ? 1 : 0);
}

static void write_quote(const struct tpm_attest *a, struct buf *out)
{
        pcr_selection_list_write(&a->quote.select, out);
        buf_be16_bytes(out, a->quote.digest);
}

static void write_certify(const struct tpm_attest *a, struct buf *out)
{
        buf_be16_bytes(out, a->certify.name);
        buf_be16_bytes(out, a->certify.qualified_name);
}

static void write_time(const struct tpm_attest *a, struct buf *out)
{
        buf_be64(out, a->time.time_ms);
        write_clock(&a->time.clock, out);
        buf_be64(out, a->time.firmware_version);
}

static void write_nv(const struct tpm_attest *a, struct buf *out)
{
        buf_be16_bytes(out, a->nv.index_name);
        buf_be16(out, a->nv.offset);
        buf_be16_bytes(out, a->nv.contents);
}

static const struct body {
        enum attest_type type;
        const char *name;
        int (*parse)(struct cursor *, struct tpm_attest *, struct err *);
        void (*build)(const struct tpm_attest *, struct buf *);
} bodies[] = {
        {ATTEST_QUOTE, "quote", read_quote, write_quote},
        {ATTEST_TIME, "time", read_time, write_time},
        {ATTEST_CERTIFY, "certify", read_certify, write_certify},
        {ATTEST_NV, "nv", read_nv, write_nv},
};

static const struct body *body_of(uint16_t type)
{
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
                if ((uint16_t)bodies[i].type == type)
                        return &bodies[i];
        return NULL;
}

const char *attest_type_name(enum attest_type type)
{
        const struct body *b = body_of((uint16_t)type);

        return b ? b->name : "unknown";
}

static int parse(struct view in, struct tpm_attest *a, struct err *err)
{
        struct cursor c = cursor_of(in);
        const struct body *body;
        uint32_t magic;
        uint16_t type;
        uint8_t safe;
        int r;

        if (!cursor_be32(&c, &magic) || !cursor_be16(&c, &type))
                return cut_short(err);
        if (magic != TPM_GENERATED)
                return err_set(err, ERR_FORMAT, 0, "magic 0x%08x: no TPM made it", magic);
        body = body_of(type);
        if (!body)
                return err_set(err, ERR_FORMAT, 0, "type 0x%04x is not known", type);
        a->type = body->type;
        if (!cursor_be16_bytes(&c, &a->qualified_signer) || !cursor_be16_bytes(&c, &a->extra_data) ||
            !read_clock(&c, &a->clock, &safe) || !cursor_be64(&c, &a->firmware_version))
                return cut_short(err);
        r = set_safe(&a->clock, safe, err);
        if (r == 0)
                r = body->parse(&c, a, err);
        if (r < 0)
                return r;
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "%zu bytes too many", c.left);
        return 0;
}

int tpm_attest_parse(struct view in, struct tpm_attest *ret, struct err *err)
{
        struct tpm_attest a = {0};
        int r;

        if (in.len > TPM_ATTEST_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "TPMS_ATTEST of %zu bytes (at most %d)", in.len,
                               TPM_ATTEST_BYTES_MAX);
        r = parse(in, &a, err);
        if (r < 0)
                return err_wrap(err, "TPMS_ATTEST");
        *ret = a;
        return 0;
}

void tpm_attest_write(const struct tpm_attest *a, struct buf *out)
{
        const struct body *body = body_of((uint16_t)a->type);

        buf_be32(out, TPM_GENERATED);
        buf_be16(out, (uint16_t)a->type);
        buf_be16_bytes(out, a->qualified_signer);
        buf_be16_bytes(out, a->extra_data);
        write_clock(&a->clock, out);
        buf_be64(out, a->firmware_version);
        if (body)
                body->build(a, out);
}

/* A selection as asked, in the layout of the signed one (a TPM repeats the list that it was given). */
static void expect_selection(struct pcr_selection_list *list, const struct pcr_selection *select)
{
        for (uint32_t i = 0; i < list->n; i++)
                list->v[i].mask = list->v[i].alg == (uint16_t)select->bank ? select->mask : 0;
}

int tpm_attest_is(struct view in, const struct attest_expected *expected, bool *ret_same, struct err *err)
{
        AUTO(buf_free)
        struct buf want = {0};
        struct tpm_attest a;
        int r = tpm_attest_parse(in, &a, err);

        if (r < 0)
                return r;
        if (a.type != expected->type) {
                *ret_same = false;
                return 0;
        }
        a.extra_data = expected->extra_data;
        if (a.type == ATTEST_QUOTE) {
                expect_selection(&a.quote.select, expected->select);
                a.quote.digest = digest_view(expected->pcr_digest);
        }
        if (a.type == ATTEST_CERTIFY)
                a.certify.name = tpm_name_view(expected->name);
        tpm_attest_write(&a, &want);
        if (!buf_ok(&want))
                return err_nomem(err);
        *ret_same = equal_ct(want.p, want.len, in.p, in.len);
        return 0;
}
