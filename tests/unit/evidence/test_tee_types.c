/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence in containers: requests of Enarx keeps, made here with keys of our own, and a TPM's quote from a
 * recorded bundle in the words of other verifiers.
 */
#include "evidence/tee_types.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/key.h"
#include "evidence/avow-evidence.h"
#include "evidence/bundle.h"
#include "evidence/enarx_csr.h"
#include "evidence/tpm_attest.h"
#include "support/snp_forge.h"
#include "support/support.h"
#include "unit/evidence/vectors.h"

/* ---- requests ---- */

enum {
        INTEGER = 0x02,
        BITS = 0x03,
        OCTETS = 0x04,
        OID = 0x06,
        UTF8 = 0x0c,
        SEQ = 0x30,
        SET = 0x31,
        ATTRS = 0xa0
};

/* Appends one value in DER. */
static void put(struct buf *b, uint8_t tag, struct view v)
{
        buf_u8(b, tag);
        if (v.len < 0x80) {
                buf_u8(b, (uint8_t)v.len);
        } else if (v.len < 0x100) {
                buf_u8(b, 0x81);
                buf_u8(b, (uint8_t)v.len);
        } else {
                buf_u8(b, 0x82);
                buf_be16(b, (uint16_t)v.len);
        }
        buf_put_view(b, v);
}

/* Puts what B holds into one value. */
static void wrap(struct buf *b, uint8_t tag)
{
        struct buf outer = {0};

        put(&outer, tag, VIEW_BUF(b));
        buf_free(b);
        *b = outer;
        assert_true(buf_ok(b));
}

/* One for all requests: its keys take their time. */
static struct snp_forge amd;

struct request {
        uint8_t kind; /* the last number of the extension's identifier */
        bool two_extensions, other_signer, other_key, bare_lists;
        unsigned lists;
        struct key *key, *other;
        uint8_t report[SNP_REPORT_BYTES];
        struct buf der;
};

static void put_lists(struct request *q, struct buf *b)
{
        struct buf all = {0};

        for (unsigned i = 0; i < q->lists; i++) {
                struct buf one = {0}, crl = {0};

                put(&one, UTF8, view_str("https://crl"));
                snp_forge_crl(&amd, false, false, FORGE_PSS, FORGE_FROM_MS, FORGE_TO_MS, &crl);
                buf_put_view(&one, VIEW_BUF(&crl));
                wrap(&one, SEQ);
                buf_put_view(&all, VIEW_BUF(&one));
                buf_free(&one);
                buf_free(&crl);
        }
        wrap(&all, SEQ);
        if (!q->bare_lists)
                wrap(&all, SEQ);
        buf_put_view(b, VIEW_BUF(&all));
        buf_free(&all);
}

static void put_evidence(struct request *q, struct buf *b)
{
        struct snp_forge_leaf leaf;
        struct buf first = {0};

        if (q->kind == ENARX_KVM)
                return;
        if (q->kind == ENARX_SNP) {
                snp_forge_leaf_init(&amd, false, &leaf);
                snp_forge_leaf(&amd, &leaf, &first);
                put_lists(q, &first);
                put(b, SEQ, VIEW_BUF(&first));
                put(b, OCTETS, VIEW_ARRAY(q->report));
        } else {
                struct buf last = {0};

                put(b, OCTETS, view_str("a quote"));
                put_lists(q, b);
                snp_forge_ca(&amd, FORGE_ARK, &first);
                put(&last, SEQ, VIEW_BUF(&first));
                put(&last, OCTETS, view_str("{\"tcbInfo\":{}}"));
                put(b, SEQ, VIEW_BUF(&last));
                buf_free(&last);
        }
        wrap(b, SEQ);
        buf_free(&first);
}

static void put_attributes(struct request *q, struct buf *b)
{
        uint8_t oid[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc7, 0x1e, 0x01, q->kind};
        struct buf extension = {0}, evidence = {0}, all = {0};

        put_evidence(q, &evidence);
        put(&extension, OID, VIEW_ARRAY(oid));
        put(&extension, OCTETS, VIEW_BUF(&evidence));
        wrap(&extension, SEQ);
        if (q->two_extensions) {
                struct buf twice = {0};

                buf_put_view(&twice, VIEW_BUF(&extension));
                buf_put_view(&extension, VIEW_BUF(&twice));
                buf_free(&twice);
        }
        wrap(&extension, SEQ);
        wrap(&extension, SET);
        put(&all, OID, VIEW((const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e", 9));
        buf_put_view(&all, VIEW_BUF(&extension));
        wrap(&all, SEQ);
        put(b, ATTRS, VIEW_BUF(&all));
        buf_free(&extension);
        buf_free(&evidence);
        buf_free(&all);
}

static void request_init(struct request *q, uint8_t kind)
{
        struct err err = ERR_INIT;

        *q = (struct request){.kind = kind, .lists = 2};
        assert_ok(key_generate_ec(CURVE_P384, &q->key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P384, &q->other, &err), &err);
}

/* The report names the request's key, and the processor signs it. */
static void request_make(struct request *q)
{
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct buf spki = {0}, info = {0}, raw = {0}, signature = {0};
        struct signature numbers = {.scheme = SIG_ECDSA, .hash = DIGEST_SHA384};
        struct err err = ERR_INIT;
        struct digest d;

        assert_ok(key_public(q->key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &spki, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA384, VIEW_BUF(&spki), &d, &err), &err);
        snp_forge_report(&amd, 3, false, q->report);
        memset(q->report + 0x50, 0, 64);
        memcpy(q->report + 0x50, d.b, d.len);
        q->report[0x50] ^= q->other_key;
        snp_forge_sign(&amd, q->report);
        put(&info, INTEGER, VIEW((const uint8_t *)"", 1));
        put(&info, SEQ, VIEW_NONE);
        buf_put_view(&info, VIEW_BUF(&spki));
        put_attributes(q, &info);
        wrap(&info, SEQ);
        assert_ok(key_sign(q->other_signer ? q->other : q->key, DIGEST_SHA384, VIEW_BUF(&info), &raw, &err),
                  &err);
        numbers.r = VIEW(raw.p, raw.len / 2);
        numbers.s = VIEW(raw.p + raw.len / 2, raw.len / 2);
        assert_ok(signature_der(public, &numbers, &signature, &err), &err);
        buf_reset(&q->der);
        buf_put_view(&q->der, VIEW_BUF(&info));
        put(&q->der, SEQ, VIEW((const uint8_t *)"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 10));
        buf_u8(&q->der, BITS);
        buf_u8(&q->der, (uint8_t)(signature.len + 1));
        buf_u8(&q->der, 0);
        buf_put_view(&q->der, VIEW_BUF(&signature));
        wrap(&q->der, SEQ);
        buf_free(&spki);
        buf_free(&info);
        buf_free(&raw);
        buf_free(&signature);
}

static void request_done(struct request *q)
{
        key_free(q->key);
        key_free(q->other);
        buf_free(&q->der);
}

static void parsed(const struct request *q, struct enarx_csr *ret)
{
        struct err err = ERR_INIT;

        assert_ok(enarx_csr_parse(VIEW_BUF(&q->der), ret, &err), &err);
}

static void good_requests(void **state)
{
        struct enarx_csr csr;
        struct err err = ERR_INIT;
        struct request q;
        bool good;

        (void)state;
        request_init(&q, ENARX_SNP);
        request_make(&q);
        parsed(&q, &csr);
        assert_int_equal(csr.kind, ENARX_SNP);
        assert_true(view_equal(csr.evidence, VIEW_ARRAY(q.report)));
        assert_int_equal(csr.n_pieces, 3);
        assert_ok(enarx_csr_signed(&csr, &good, &err), &err);
        assert_true(good);
        assert_ok(enarx_csr_binds(&csr, VIEW(q.report + 0x50, 64), &good, &err), &err);
        assert_true(good);
        q.report[0x50 + 48] = 1; /* behind the digest */
        assert_ok(enarx_csr_binds(&csr, VIEW(q.report + 0x50, 64), &good, &err), &err);
        assert_false(good);
        q.bare_lists = true;
        request_make(&q);
        parsed(&q, &csr);
        assert_int_equal(csr.n_pieces, 3);
        q.lists = 0;
        request_make(&q);
        parsed(&q, &csr);
        assert_int_equal(csr.n_pieces, 1);
        q.kind = ENARX_SGX;
        q.lists = 3;
        request_make(&q);
        parsed(&q, &csr);
        assert_view(csr.evidence, "a quote");
        assert_int_equal(csr.n_pieces, 5);
        q.kind = ENARX_KVM;
        request_make(&q);
        parsed(&q, &csr);
        assert_int_equal(csr.kind, ENARX_KVM);
        request_done(&q);
}

static void refused(const struct request *q, const char *what)
{
        struct enarx_csr csr;
        struct err err = ERR_INIT;

        if (enarx_csr_parse(VIEW_BUF(&q->der), &csr, &err) >= 0)
                fail_msg("%s: taken", what);
}

static void try_request(struct view v, const char *what, void *ctx)
{
        struct enarx_csr csr;
        struct err err = ERR_INIT;

        (void)ctx;
        if (enarx_csr_parse(v, &csr, &err) >= 0)
                fail_msg("%s: taken", what);
}

static void bad_requests(void **state)
{
        struct request q;

        (void)state;
        request_init(&q, ENARX_SNP);
        request_make(&q);
        each_truncation(VIEW_BUF(&q.der), try_request, NULL);
        buf_u8(&q.der, 0);
        refused(&q, "a byte behind it");
        q.two_extensions = true;
        request_make(&q);
        refused(&q, "two extensions");
        q.two_extensions = false;
        q.kind = 4;
        request_make(&q);
        refused(&q, "an extension of another kind");
        q.kind = ENARX_SNP;
        q.lists = ENARX_PIECES_MAX;
        request_make(&q);
        refused(&q, "too many lists");
        request_done(&q);
}

static void judge(const char *type, struct view bytes, struct view report_data, struct tee_work *w)
{
        struct err err = ERR_INIT;

        *w = (struct tee_work){.verify = true,
                               .bytes = bytes,
                               .report_data = report_data,
                               .at_ms = FORGE_NOW_MS,
                               .snp = &snp_policy_reference};
        assert_non_null(tee_type_find(type));
        assert_ok(tee_type_find(type)->run(w, &err), &err);
}

static void has_reason(const struct tee_work *w, const char *check, const char *reason)
{
        assert_non_null(tee_find(&w->result, check));
        assert_string_equal(tee_find(&w->result, check)->reason, reason);
}

/* The processor's root is not AMD's here: what is left is what the request itself shows. */
static void requests_judged(void **state)
{
        struct request q;
        struct tee_work w;

        (void)state;
        request_init(&q, ENARX_SNP);
        for (int i = 0; i < 4; i++) {
                q.other_signer = i & 1;
                q.other_key = i & 2;
                request_make(&q);
                judge("snp-csr", VIEW_BUF(&q.der), VIEW_NONE, &w);
                has_reason(&w, "endorsement-chain", "");
                has_reason(&w, "csr-key", q.other_key ? "csr-key-mismatch" : "");
                has_reason(&w, "csr-signature", q.other_signer ? "csr-signature-invalid" : "");
                assert_int_equal(w.result.verdict, i ? TEE_REJECT : TEE_NO_ENDORSEMENT);
                tee_work_done(&w);
        }
        judge("sgx-csr", VIEW_BUF(&q.der), VIEW_NONE, &w);
        has_reason(&w, "csr-kind", "evidence-type-mismatch");
        assert_int_equal(w.result.verdict, TEE_REJECT);
        tee_work_done(&w);
        judge("snp-csr", VIEW(q.der.p, q.der.len - 1), VIEW_NONE, &w);
        has_reason(&w, "csr-format", "evidence-malformed");
        assert_int_equal(w.result.verdict, TEE_MALFORMED);
        tee_work_done(&w);
        q.kind = ENARX_SGX;
        request_make(&q);
        judge("sgx-csr", VIEW_BUF(&q.der), VIEW_NONE, &w); /* "a quote" is none */
        assert_int_not_equal(w.result.verdict, TEE_ACCEPT);
        tee_work_done(&w);
        request_done(&q);
}

/* ---- a TPM's quote ---- */

struct recorded {
        struct buf text;
        struct bundle *bundle;
        struct tpm_public ak;
        json_t *doc, *quote;
};

static void set_base64(json_t *j, const char *name, struct view v)
{
        AUTO(mem_free_p) char *text = base64_encode(v);

        assert_int_equal(json_set_str(j, name, text), 0);
}

static void recorded_init(struct recorded *rec)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct err err = ERR_INIT;
        struct buf spki = {0};
        json_t *pcrs = json_array();

        *rec = (struct recorded){.doc = json_object(), .quote = json_object()};
        assert_ok(bundle_decode(vector_read(&rec->text, "../bundle", "small.avow-evidence"), &rec->bundle,
                                &err),
                  &err);
        assert_ok(tpm2b_public_parse(VIEW_BUF(&rec->bundle->ak), &rec->ak, &err), &err);
        assert_ok(tpm_public_key(&rec->ak, &key, &err), &err);
        assert_ok(pubkey_spki(key, &spki, &err), &err);
        for (unsigned i = 0; i < PCR_COUNT; i++) {
                char hex[2 * DIGEST_BYTES_MAX + 1];
                struct digest d;

                digest_zero(rec->bundle->pcrs.bank, &d);
                if (rec->bundle->pcrs.mask >> i & 1)
                        d = rec->bundle->pcrs.v[i];
                assert_int_equal(json_array_append_new(pcrs, json_string(hex_write(hex, digest_view(&d)))),
                                 0);
        }
        set_base64(rec->quote, "message", VIEW_BUF(&rec->bundle->message));
        set_base64(rec->quote, "signature", VIEW_BUF(&rec->bundle->signature));
        assert_int_equal(json_object_set_new(rec->quote, "pcrs", pcrs), 0);
        set_base64(rec->doc, "ak_public", VIEW_BUF(&spki));
        assert_int_equal(json_object_set(rec->doc, "tpm_quote", rec->quote), 0);
        buf_free(&spki);
}

static void recorded_done(struct recorded *rec)
{
        bundle_free(rec->bundle);
        buf_free(&rec->text);
        json_decref(rec->quote);
        json_decref(rec->doc);
}

/* REASON NULL: accepted. */
static void quote_judged(const struct recorded *rec, struct view qualifying, const char *reason)
{
        char *text = json_print(rec->doc);
        struct tee_work w;

        assert_non_null(text);
        judge("tpm", view_str(text), qualifying, &w);
        assert_int_equal(w.result.verdict, reason ? TEE_REJECT : TEE_ACCEPT);
        assert_string_equal(reason ? tee_reason(&w.result, 0) : "", reason ? reason : "");
        assert_null(tee_reason(&w.result, reason ? 1 : 0));
        assert_non_null(w.content);
        tee_work_done(&w);
        free(text);
}

static void quotes(void **state)
{
        struct tpm_attest attest;
        struct recorded rec;
        struct err err = ERR_INIT;
        json_t *pcrs;

        (void)state;
        recorded_init(&rec);
        assert_ok(tpm_attest_parse(VIEW_BUF(&rec.bundle->message), &attest, &err), &err);
        quote_judged(&rec, VIEW_NONE, NULL);
        quote_judged(&rec, attest.extra_data, NULL);
        quote_judged(&rec, view_str("another nonce"), "qualifying-data-mismatch");
        pcrs = json_object_get(rec.quote, "pcrs");
        assert_int_equal(
                json_array_set_new(
                        pcrs, 15,
                        json_string("0000000000000000000000000000000000000000000000000000000000000015")),
                0);
        quote_judged(&rec, VIEW_NONE, "pcr-digest-mismatch");
        while (json_array_size(pcrs) > 15)
                assert_int_equal(json_array_remove(pcrs, 15), 0);
        quote_judged(&rec, VIEW_NONE, "pcr-digest-mismatch"); /* PCR 15 has no value */
        recorded_done(&rec);
        recorded_init(&rec);
        rec.bundle->message.p[rec.bundle->message.len - 1] ^= 1; /* of the digest of the values */
        set_base64(rec.quote, "message", VIEW_BUF(&rec.bundle->message));
        pcrs = json_object_get(rec.quote, "pcrs");
        {
                char *text = json_print(rec.doc);
                struct tee_work w;

                judge("tpm", view_str(text), VIEW_NONE, &w);
                has_reason(&w, "quote-signature", "quote-signature-invalid");
                has_reason(&w, "pcr-digest", "pcr-digest-mismatch");
                tee_work_done(&w);
                free(text);
        }
        recorded_done(&rec);
}

static void try_text(struct view v, const char *what, void *ctx)
{
        struct tee_work w;

        (void)ctx;
        judge("tpm", v, VIEW_NONE, &w);
        if (w.result.verdict != TEE_MALFORMED)
                fail_msg("%s: %s", what, tee_verdict_name(w.result.verdict));
        tee_work_done(&w);
}

static void broken_quotes(void **state)
{
        static const char *const members[] = {"message", "signature", "pcrs"};
        struct recorded rec;
        char *text;

        (void)state;
        recorded_init(&rec);
        text = json_print(rec.doc);
        assert_non_null(text);
        each_truncation(view_str(text), try_text, NULL);
        free(text);
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
                json_t *whole = json_deep_copy(rec.doc);

                assert_int_equal(json_object_del(json_object_get(whole, "tpm_quote"), members[i]), 0);
                text = json_print(whole);
                try_text(view_str(text), members[i], NULL);
                free(text);
                json_decref(whole);
        }
        recorded_done(&rec);
}

/* ---- the library ---- */

static void statuses_by_their_words(void **state)
{
        static const char *const good[] = {"", "UpToDate",
                                           "  ConfigurationNeeded  OutOfDateConfigurationNeeded ",
                                           "SWHardeningNeeded ConfigurationAndSWHardeningNeeded OutOfDate",
                                           "TDRelaunchAdvised TDRelaunchAdvisedConfigurationNeeded"};
        static const char *const bad[] = {"Revoked", "UpToDate Revoked", "uptodate", "none",
                                          "UpToDate,OutOfDate"};
        struct avow_evidence *e = avow_evidence_new();

        (void)state;
        assert_non_null(e);
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                if (avow_evidence_accept_statuses(e, good[i]) != 0)
                        fail_msg("%s: %s", good[i], avow_evidence_error(e));
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (avow_evidence_accept_statuses(e, bad[i]) != AVOW_EVIDENCE_ERROR)
                        fail_msg("%s: taken", bad[i]);
        avow_evidence_free(e);
}

static int begin(void **state)
{
        (void)state;
        snp_forge_init(&amd, SNP_MILAN);
        return 0;
}

static int end(void **state)
{
        (void)state;
        snp_forge_done(&amd);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_requests),   cmocka_unit_test(bad_requests),
                cmocka_unit_test(requests_judged), cmocka_unit_test(quotes),
                cmocka_unit_test(broken_quotes),   cmocka_unit_test(statuses_by_their_words),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
