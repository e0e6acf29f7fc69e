/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: what a good one is, and that no bit of one can be another. */
#include "support/support.h"

#include "support/play_receipt.h"

static void good(const struct play_receipt *w)
{
        struct receipt_verdict v;
        struct err err = ERR_INIT;

        assert_ok(receipt_judge(&w->f, NULL, &v, &err), &err);
        if (v.why)
                fail_msg("%s", v.why);
        for (size_t i = 0; i < RECEIPT_N_CHECKS; i++)
                assert_int_equal(v.answer[i], i == RECEIPT_CHECK_CERTIFICATE && !w->f.ak_certificate
                                                      ? RECEIPT_NOT_ASKED
                                                      : RECEIPT_GOOD);
        assert_int_equal(v.clock.reset_count, w->tpm.clock.reset_count);
        receipt_verdict_done(&v);
}

static void bad(const struct play_receipt *w, enum receipt_check check, const char *why)
{
        struct receipt_verdict v;
        struct err err = ERR_INIT;

        assert_ok(receipt_judge(&w->f, NULL, &v, &err), &err);
        if (!v.why || !strstr(v.why, why))
                fail_msg("expected '%s', got '%s'", why, v.why ? v.why : "good");
        assert_int_equal(v.answer[check], RECEIPT_BAD);
        for (size_t i = check + 1; i < RECEIPT_N_CHECKS; i++)
                assert_int_equal(v.answer[i], RECEIPT_NOT_ASKED);
        receipt_verdict_done(&v);
}

static void what_is_written_is_read(void **state)
{
        AUTO(buf_free) struct buf again = {0}, file = {0}, file2 = {0};
        struct receipt_file f;
        struct receipt r;
        struct play_receipt w;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        good(&w);
        assert_ok(receipt_payload_decode(VIEW_BUF(&w.f.payload), &r, &err), &err);
        assert_string_equal(r.claims.name, "m\xc3\xa4h");
        assert_null(r.claims.version);
        assert_int_equal(r.claims.revision, -1);
        assert_string_equal(r.policies[1].name, "hosts");
        assert_true(r.secrets[0].local && r.launch.has_input && r.has_output && !r.broken && !r.why);
        assert_int_equal(r.code, 3);
        assert_int_equal(r.clock_ms, 5000);
        assert_ok(receipt_payload_encode(&r, &again, &err), &err);
        assert_true(view_equal(VIEW_BUF(&w.f.payload), VIEW_BUF(&again)));
        receipt_done(&r);
        assert_ok(receipt_file_encode(&w.f, &file, &err), &err);
        assert_ok(receipt_file_decode(VIEW_BUF(&file), &f, &err), &err);
        assert_ok(receipt_file_encode(&f, &file2, &err), &err);
        assert_true(view_equal(VIEW_BUF(&file), VIEW_BUF(&file2)));
        receipt_file_done(&f);
        play_receipt_end(&w);
}

/* As a reader in another language computes it. */
static void the_digest_is_what_the_format_says(void **state)
{
        AUTO(buf_free) struct buf all = {0};
        struct digest a, b;
        struct err err = ERR_INIT;

        (void)state;
        buf_put(&all, "avow-receipt-v1\0{}", 18);
        assert_ok(receipt_digest(view_str("{}"), &a, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&all), &b, &err), &err);
        assert_true(digest_equal(&a, &b));
}

static void every_end_is_said(void **state)
{
        struct play_receipt w;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        w.r.exit = RECEIPT_SIGNALLED;
        w.r.code = 9;
        w.r.has_output = false;
        w.r.sequence = 1;
        w.r.has_previous = false;
        w.r.broken = str_dup("the folder was empty");
        w.r.launch.nonce_len = w.r.n_secrets = w.r.n_policies = 0;
        w.r.has_claims = w.r.launch.has_input = false;
        assert_ok(launch_digest(&w.r.launch, &w.r.launch_digest, &err), &err);
        play_receipt_sign(&w);
        good(&w);
        w.r.exit = RECEIPT_LOST;
        w.r.code = 0;
        w.r.why = str_dup("the agent was ended");
        play_receipt_sign(&w);
        good(&w);
        play_tpm_reboot(&w.tpm);
        play_receipt_sign(&w);
        good(&w); /* of this one the next boot may tell */
        w.r.reset += 2;
        play_receipt_sign(&w);
        bad(&w, RECEIPT_CHECK_BOOT, "before the boot");
        play_receipt_end(&w);
}

static void what_the_encoder_refuses(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        struct play_receipt w;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        w.r.sequence = 1; /* and one before it */
        assert_err(receipt_payload_encode(&w.r, &out, &err), ERR_BUG, &err, "first receipt alone");
        w.r.sequence = 2;
        w.r.code = 256;
        assert_err(receipt_payload_encode(&w.r, &out, &err), ERR_BUG, &err, "code");
        w.r.code = 0;
        w.r.launch.size++;
        assert_err(receipt_payload_encode(&w.r, &out, &err), ERR_BUG, &err, "of another launch");
        assert_int_equal(out.len, 0);
        play_receipt_end(&w);
}

static void another_spelling_is_no_receipt(void **state)
{
        struct play_receipt w;
        struct receipt r;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        for (size_t i = 0; i < w.f.payload.len; i++) { /* a blank anywhere */
                AUTO(buf_free) struct buf wide = {0};

                if (w.f.payload.p[i] != ',' && w.f.payload.p[i] != ':')
                        continue;
                buf_put(&wide, w.f.payload.p, i + 1);
                buf_u8(&wide, ' ');
                buf_put(&wide, w.f.payload.p + i + 1, w.f.payload.len - i - 1);
                POISON(r);
                assert_int_not_equal(receipt_payload_decode(VIEW_BUF(&wide), &r, &err), 0);
                assert_poisoned(r);
        }
        buf_put(&w.f.payload, "\n", 1);
        assert_err(receipt_payload_decode(VIEW_BUF(&w.f.payload), &r, &err), ERR_FORMAT, &err, "not spelt");
        play_receipt_end(&w);
}

static void others_cannot_make_one(void **state)
{
        struct play_tpm other;
        struct play_receipt w;

        (void)state;
        play_receipt_begin(&w);
        play_receipt_sign_mask(&w, 1u << 7 | 1u << 15);
        bad(&w, RECEIPT_CHECK_QUOTE, "leaves out the launch PCR");
        play_receipt_sign(&w);
        w.f.pcrs.v[13].b[0] ^= 1;
        bad(&w, RECEIPT_CHECK_QUOTE, "other values");
        play_receipt_sign(&w);
        w.tpm.clock.clock_ms = 4000;
        play_receipt_sign(&w);
        bad(&w, RECEIPT_CHECK_BOOT, "before the module was started");
        w.tpm.clock.restart_count++;
        play_receipt_sign(&w);
        bad(&w, RECEIPT_CHECK_BOOT, "another boot");

        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        buf_reset(&w.f.ak);
        buf_put_view(&w.f.ak, VIEW_BUF(&other.ak_pub));
        bad(&w, RECEIPT_CHECK_AK, "names another attestation key");
        play_tpm_done(&other);
        play_receipt_end(&w);
}

static void the_enrolled_key_is_asked_for(void **state)
{
        struct play_tpm other;
        struct receipt_verdict v;
        struct play_receipt w;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        assert_ok(receipt_judge(&w.f, &w.tpm.ak, &v, &err), &err);
        assert_null(v.why);
        receipt_verdict_done(&v);
        assert_ok(receipt_judge(&w.f, &other.ak, &v, &err), &err);
        assert_int_equal(v.answer[RECEIPT_CHECK_AK], RECEIPT_BAD);
        receipt_verdict_done(&v);
        play_tpm_done(&other);
        play_receipt_end(&w);
}

/* ---- each bit */

/* Is it still a receipt that everything vouches for: TPM, registrar, verifier? */
static bool holds(const struct play_receipt *w, struct view bytes)
{
        AUTO(receipt_file_done) struct receipt_file f = {.countersignature = NULL};
        AUTO(receipt_countersign_done) struct receipt_countersign c = {.host = NULL};
        AUTO(receipt_verdict_done) struct receipt_verdict v = {.why = NULL};
        AUTO(cert_free_p) struct cert *cert = NULL;
        char reason[TRUST_REASON_BYTES];
        struct err err = ERR_INIT;
        bool certified = false, countersigned = false;

        if (receipt_file_decode(bytes, &f, &err) < 0)
                return false;
        assert_ok(receipt_judge(&f, NULL, &v, &err), &err);
        if (v.why || !f.ak_certificate || !f.countersignature)
                return false;
        assert_ok(cert_parse_pem(view_str(f.ak_certificate), &cert, &err), &err);
        assert_ok(trust_check(w->trust, cert, NULL, v.r.ended_at_ms, &certified, reason, &err), &err);
        if (receipt_countersign_open(view_str(f.countersignature), w->verifier_public, &c, &countersigned,
                                     &err) < 0 ||
            !countersigned)
                return false;
        return certified && digest_equal(&c.receipt, &v.digest) && c.status == RECEIPT_FINAL;
}

/* One bit of each byte of the file, another one from byte to byte; and every bit of what the TPM made. */
static void no_bit_can_be_another(void **state)
{
        AUTO(buf_free) struct buf file = {0};
        struct play_receipt w;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        assert_ok(receipt_file_encode(&w.f, &file, &err), &err);
        assert_true(holds(&w, VIEW_BUF(&file)));
        for (size_t i = 0; i < file.len; i++) {
                file.p[i] ^= (uint8_t)(1u << i % 8);
                if (holds(&w, VIEW_BUF(&file)))
                        fail_msg("with a bit of byte %zu flipped it still holds", i);
                file.p[i] ^= (uint8_t)(1u << i % 8);
        }
        for (size_t n = 0; n < file.len; n += 7)
                assert_false(holds(&w, VIEW(file.p, n)));
        free(TAKE(w.f.ak_certificate));
        for (size_t i = 0; i < 3; i++) {
                struct buf *member = (struct buf *[]){&w.f.message, &w.f.signature, &w.f.ak}[i];

                for (size_t bit = 0; bit < 8 * member->len; bit++) {
                        struct receipt_verdict v;

                        member->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
                        assert_ok(receipt_judge(&w.f, NULL, &v, &err), &err);
                        assert_non_null(v.why);
                        receipt_verdict_done(&v);
                        member->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
        }
        good(&w);
        play_receipt_end(&w);
}

/* Who countersigned, with another's words or for another use of the same key. */
static void countersignatures_are_checked(void **state)
{
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *other = NULL;
        struct receipt_countersign c;
        struct play_receipt w;
        struct err err = ERR_INIT;
        bool is_good = true;

        (void)state;
        play_receipt_begin(&w);
        assert_ok(receipt_countersign_open(view_str(w.f.countersignature), w.verifier_public, &c, &is_good,
                                           &err),
                  &err);
        assert_true(is_good);
        assert_string_equal(c.verdict, "pass");
        assert_string_equal(c.policy, "hosts");
        assert_int_equal(c.link, RECEIPT_CONTINUES);
        assert_int_equal(c.challenge_at_ms, PLAY_NOW + 2010);
        assert_null(c.ek_class);
        receipt_countersign_done(&c);
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &other, &err), &err);
        assert_ok(receipt_countersign_open(view_str(w.f.countersignature), other, &c, &is_good, &err), &err);
        assert_false(is_good);
        play_receipt_end(&w);
}

/* ---- out of memory */

static int read_it(void *ctx, struct err *err)
{
        const struct play_receipt *w = ctx;
        AUTO(receipt_verdict_done) struct receipt_verdict v = {.why = NULL};

        return receipt_judge(&w->f, NULL, &v, err);
}

static int write_it(void *ctx, struct err *err)
{
        const struct play_receipt *w = ctx;
        AUTO(buf_free) struct buf out = {0};

        return receipt_file_encode(&w->f, &out, err);
}

static void memory_may_end_anywhere(void **state)
{
        struct play_receipt w;

        (void)state;
        play_receipt_begin(&w);
        oom_any(read_it, &w);
        oom_each(write_it, &w);
        play_receipt_end(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read),
                cmocka_unit_test(the_digest_is_what_the_format_says),
                cmocka_unit_test(every_end_is_said),
                cmocka_unit_test(what_the_encoder_refuses),
                cmocka_unit_test(another_spelling_is_no_receipt),
                cmocka_unit_test(others_cannot_make_one),
                cmocka_unit_test(the_enrolled_key_is_asked_for),
                cmocka_unit_test(no_bit_can_be_another),
                cmocka_unit_test(countersignatures_are_checked),
                cmocka_unit_test(memory_may_end_anywhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
