/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST, TPMT_SIGNATURE and PCR blobs: the quotes of real boots, and everything near them. */
#include "support/support.h"

#include "evidence/pcr_blob.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"
#include "support/play_tpm.h"
#include "vectors.h"

struct quote {
        struct buf pub, message, signature, blob;
        struct tpm_public ak;
};

static void quote_read(struct quote *q, const char *set, int step, const char *name)
{
        struct err err = ERR_INIT;
        char file[32];

        *q = (struct quote){0};
        (void)snprintf(file, sizeof(file), "%s.pub", vector_ak(name));
        assert_ok(tpm2b_public_parse(vector_read(&q->pub, set, file), &q->ak, &err), &err);
        (void)vector_quote(&q->message, set, step, name, "msg");
        (void)vector_quote(&q->signature, set, step, name, "sig");
        (void)vector_quote(&q->blob, set, step, name, "pcrs");
}

static void quote_done(struct quote *q)
{
        buf_free(&q->pub);
        buf_free(&q->message);
        buf_free(&q->signature);
        buf_free(&q->blob);
}

/* ---- vectors ---- */

static void one_real_quote(const char *set, int step, const char *name)
{
        AUTO(buf_free)
        struct buf again = {0};
        struct attest_expected want = {.type = ATTEST_QUOTE, .extra_data = vector_nonce()};
        struct quote q;
        struct tpm_attest a;
        struct pcr_values values;
        struct pcr_selection sel;
        struct digest d;
        struct err err = ERR_INIT;
        bool yes = false;

        quote_read(&q, set, step, name);
        assert_ok(tpm_signature_check(&q.ak, NULL, VIEW_BUF(&q.signature), VIEW_BUF(&q.message), &yes, &err),
                  &err);
        assert_true(yes);
        assert_ok(tpm_attest_parse(VIEW_BUF(&q.message), &a, &err), &err);
        assert_int_equal(a.type, ATTEST_QUOTE);
        assert_true(a.clock.safe);
        assert_ok(pcr_selection_of_list(&a.quote.select, &sel, &err), &err);
        assert_int_equal(sel.mask, 0x47ff);
        assert_string_equal(digest_name(sel.bank), name + 4);
        assert_ok(pcr_blob_parse(VIEW_BUF(&q.blob), &values, &err), &err);
        assert_true(values.bank == sel.bank && values.mask == sel.mask);
        assert_ok(pcr_values_digest(&values, sel.mask, DIGEST_SHA256, &d, &err), &err);
        assert_true(view_equal(digest_view(&d), a.quote.digest));
        want.select = &sel;
        want.pcr_digest = &d;
        yes = false;
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &want, &yes, &err), &err);
        assert_true(yes);
        pcr_blob_write(&values, &again);
        assert_true(buf_ok(&again) && view_equal(VIEW_BUF(&again), VIEW_BUF(&q.blob)));
        quote_done(&q);
}

static void real_quotes(void **state)
{
        (void)state;
        for (size_t s = 0; s < BOOT_SETS; s++)
                for (int step = 1; step <= BOOT_STEPS; step++)
                        for (size_t n = 0; n < BOOT_QUOTES; n++)
                                one_real_quote(boot_sets[s], step, boot_quotes[n]);
}

/* The same TPM, booted again. */
static void real_reboot(void **state)
{
        struct tpm_attest a, b;
        struct quote q, r;
        struct err err = ERR_INIT;

        (void)state;
        quote_read(&q, "seabios-ima-ng", 4, "ecc_sha256");
        quote_read(&r, "seabios-ima-ng-reboot", 1, "ecc_sha256");
        assert_ok(tpm_attest_parse(VIEW_BUF(&q.message), &a, &err), &err);
        assert_ok(tpm_attest_parse(VIEW_BUF(&r.message), &b, &err), &err);
        assert_int_equal(b.clock.reset_count, a.clock.reset_count + 1);
        assert_true(b.clock.clock_ms > a.clock.clock_ms);
        quote_done(&q);
        quote_done(&r);
}

/* ---- every type, written and read ---- */

static void round_trips(void **state)
{
        static const uint8_t name[34] = {0, 0x0b, 1}, data[8] = {1, 2, 3};
        struct tpm_attest rows[] = {
                {.type = ATTEST_QUOTE, .quote = {.digest = VIEW_ARRAY(name)}},
                {.type = ATTEST_CERTIFY, .certify = {VIEW_ARRAY(name), VIEW_ARRAY(name)}},
                {.type = ATTEST_TIME, .time = {7, {8, 9, 10, true}, 11}},
                {.type = ATTEST_NV, .nv = {VIEW_ARRAY(name), 4, VIEW_ARRAY(data)}},
        };
        AUTO(buf_free)
        struct buf b = {0};
        AUTO(buf_free)
        struct buf again = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err err = ERR_INIT;
                struct tpm_attest a;

                rows[i].qualified_signer = VIEW_ARRAY(name);
                rows[i].extra_data = VIEW_ARRAY(data);
                rows[i].clock = (struct tpm_clock){1, 2, 3, i % 2};
                rows[i].firmware_version = 4;
                buf_reset(&b);
                buf_reset(&again);
                tpm_attest_write(&rows[i], &b);
                assert_ok(tpm_attest_parse(VIEW_BUF(&b), &a, &err), &err);
                assert_int_equal(a.type, rows[i].type);
                tpm_attest_write(&a, &again);
                assert_true(view_equal(VIEW_BUF(&b), VIEW_BUF(&again)));
        }
        assert_string_equal(attest_type_name(ATTEST_TIME), "time");
        assert_string_equal(attest_type_name((enum attest_type)1), "unknown");
}

/* ---- malformed ---- */

static void attest_truncated(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct tpm_attest a;

        (void)what;
        (void)ctx;
        POISON(a);
        assert_err(tpm_attest_parse(bytes, &a, &err), ERR_FORMAT, &err, "TPMS_ATTEST");
        assert_poisoned(a);
}

/* What parses is written again as it was: the parser ignores no bit. */
static void attest_flipped(struct view bytes, const char *what, void *ctx)
{
        AUTO(buf_free)
        struct buf again = {0};
        struct err err = ERR_INIT;
        struct tpm_attest a;
        const struct quote *q = ctx;
        bool good = true;

        if (tpm_attest_parse(bytes, &a, &err) == 0) {
                tpm_attest_write(&a, &again);
                if (!view_equal(VIEW_BUF(&again), bytes))
                        fail_msg("%s", what);
        }
        err_clear(&err);
        assert_ok(tpm_signature_check(&q->ak, NULL, VIEW_BUF(&q->signature), bytes, &good, &err), &err);
        if (good)
                fail_msg("signature holds: %s", what);
}

static void signature_cut(struct view bytes, const char *what, void *ctx)
{
        const struct quote *q = ctx;
        struct err err = ERR_INIT;
        struct signature sig;
        bool good = true;

        (void)what;
        POISON(sig);
        assert_err(tpm_signature_parse(bytes, &sig, &err), ERR_FORMAT, &err, "TPM signature");
        assert_poisoned(sig);
        assert_ok(tpm_signature_check(&q->ak, NULL, bytes, VIEW_BUF(&q->message), &good, &err), &err);
        assert_false(good);
}

static void signature_flipped(struct view bytes, const char *what, void *ctx)
{
        const struct quote *q = ctx;
        struct err err = ERR_INIT;
        bool good = true;

        assert_ok(tpm_signature_check(&q->ak, NULL, bytes, VIEW_BUF(&q->message), &good, &err), &err);
        if (good)
                fail_msg("%s", what);
}

static void blob_cut(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct pcr_values v;

        (void)what;
        (void)ctx;
        POISON(v);
        assert_err(pcr_blob_parse(bytes, &v, &err), ERR_FORMAT, &err, "PCR blob");
        assert_poisoned(v);
}

/* Unused slots and padding may hold anything; what is read must then be the same values. */
static void blob_flipped(struct view bytes, const char *what, void *ctx)
{
        const struct pcr_values *want = ctx;
        struct err err = ERR_INIT;
        struct pcr_values v;
        size_t differ = 0;

        if (pcr_blob_parse(bytes, &v, &err) < 0)
                return;
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (v.mask & 1u << i)
                        differ += !(want->mask & 1u << i) || !digest_equal(&v.v[i], &want->v[i]);
        if (differ > 1 && v.mask == want->mask)
                fail_msg("values slipped: %s", what);
}

static void malformed(void **state)
{
        static const char *const names[] = {"ecc_sha256", "rsa_sha256"};
        struct pcr_values values;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                struct quote q;

                quote_read(&q, boot_sets[0], 1, names[i]);
                each_truncation(VIEW_BUF(&q.message), attest_truncated, NULL);
                each_bit_flip(VIEW_BUF(&q.message), attest_flipped, &q);
                each_truncation(VIEW_BUF(&q.signature), signature_cut, &q);
                each_bit_flip(VIEW_BUF(&q.signature), signature_flipped, &q);
                each_truncation(VIEW_BUF(&q.blob), blob_cut, NULL);
                assert_ok(pcr_blob_parse(VIEW_BUF(&q.blob), &values, &err), &err);
                each_bit_flip(VIEW_BUF(&q.blob), blob_flipped, &values);
                quote_done(&q);
        }
}

static void too_large(void **state)
{
        static const uint8_t zeros[4096];
        struct err err = ERR_INIT;
        struct tpm_attest a;
        struct signature s;
        struct pcr_values v;

        (void)state;
        assert_err(tpm_attest_parse(VIEW(zeros, TPM_ATTEST_BYTES_MAX + 1), &a, &err), ERR_LIMIT, &err, NULL);
        assert_err(tpm_signature_parse(VIEW(zeros, TPM_SIGNATURE_BYTES_MAX + 1), &s, &err), ERR_LIMIT, &err,
                   NULL);
        assert_err(pcr_blob_parse(VIEW(zeros, PCR_BLOB_BYTES_MAX + 1), &v, &err), ERR_LIMIT, &err, NULL);
}

/* A good signature in another scheme than the key's own is none. */
static void other_scheme(void **state)
{
        struct quote q;
        struct err err = ERR_INIT;
        bool good = true;

        (void)state;
        quote_read(&q, boot_sets[0], 1, "rsa_sha256");
        q.ak.scheme = ALG_RSAPSS;
        assert_ok(tpm_signature_check(&q.ak, NULL, VIEW_BUF(&q.signature), VIEW_BUF(&q.message), &good, &err),
                  &err);
        assert_false(good);
        q.ak.scheme = ALG_RSASSA;
        q.ak.scheme_hash = DIGEST_SHA384;
        good = true;
        assert_ok(tpm_signature_check(&q.ak, NULL, VIEW_BUF(&q.signature), VIEW_BUF(&q.message), &good, &err),
                  &err);
        assert_false(good);
        quote_done(&q);
}

/* Rebuilding: another nonce, selection, digest or type than expected is seen. */
static void rebuilding(void **state)
{
        struct attest_expected want = {.type = ATTEST_QUOTE, .extra_data = vector_nonce()}, other;
        struct pcr_selection sel, less;
        struct tpm_attest a;
        struct digest d, d2;
        struct quote q;
        struct err err = ERR_INIT;
        bool same = false;

        (void)state;
        quote_read(&q, boot_sets[0], 1, "ecc_sha256");
        assert_ok(tpm_attest_parse(VIEW_BUF(&q.message), &a, &err), &err);
        assert_ok(pcr_selection_of_list(&a.quote.select, &sel, &err), &err);
        assert_ok(digest_set(DIGEST_SHA256, a.quote.digest, &d, &err), &err);
        want.select = &sel;
        want.pcr_digest = &d;
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &want, &same, &err), &err);
        assert_true(same);
        other = want;
        other.extra_data = VIEW("other", 5);
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &other, &same, &err), &err);
        assert_false(same);
        other = want;
        less = sel;
        less.mask &= ~1u;
        other.select = &less;
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &other, &same, &err), &err);
        assert_false(same);
        other = want;
        d2 = d;
        d2.b[31] ^= 1;
        other.pcr_digest = &d2;
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &other, &same, &err), &err);
        assert_false(same);
        other = want;
        other.type = ATTEST_TIME;
        assert_ok(tpm_attest_is(VIEW_BUF(&q.message), &other, &same, &err), &err);
        assert_false(same);
        quote_done(&q);
}

/* ---- out of memory ---- */

static int check_once(void *ctx, struct err *err)
{
        const struct quote *q = ctx;
        struct digest d;
        struct pcr_selection sel = {DIGEST_SHA256, 0x47ff};
        struct attest_expected want = {ATTEST_QUOTE, vector_nonce(), &sel, &d, NULL};
        bool good = false;
        int r = digest_bytes(DIGEST_SHA256, VIEW_NONE, &d, err);

        if (r == 0)
                r = tpm_attest_is(VIEW_BUF(&q->message), &want, &good, err);
        if (r == 0)
                r = tpm_signature_check(&q->ak, NULL, VIEW_BUF(&q->signature), VIEW_BUF(&q->message), &good,
                                        err);
        return r;
}

static void out_of_memory(void **state)
{
        struct quote q;

        (void)state;
        quote_read(&q, boot_sets[0], 1, "ecc_sha256");
        oom_each(check_once, &q);
        quote_done(&q);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_quotes), cmocka_unit_test(real_reboot),
                cmocka_unit_test(round_trips), cmocka_unit_test(malformed),
                cmocka_unit_test(too_large),   cmocka_unit_test(other_scheme),
                cmocka_unit_test(rebuilding),  cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
