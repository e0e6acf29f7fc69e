/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every single bit of a bundle that passes. A flip must turn the verdict, or make the bundle unreadable; what
 * may pass all the same is listed here, member by member, with the reason why nothing covers it.
 *
 * The bundle is of a host in software. With AVOW_BUNDLE and AVOW_POLICY set (files), that bundle is walked
 * too: the integration tests give one from a real TPM.
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/trust.h"
#include "evidence/cel.h"
#include "evidence/qualify.h"
#include "policy/appraise.h"
#include "support/support.h"
#include "unit/policy/soft_host.h"

#define NOON 1796126400000 /* 2026-12-01T12:00:00Z */

/* Members whose text may change with the verdict still a pass. */
static const struct {
        const char *member, *why;
} uncovered[] = {
        {"issued_at",
         "when the challenge was sent is the verifier's word; the TPM signs the challenge, not the time"},
        {"received_at", "when the evidence arrived is the verifier's word, up to the clock's tolerance"},
        {"immediate", "how long the challenge lived is the verifier's word"},
        {"base_ms", "how far the clocks may differ was the verifier's choice"},
        {"percent", "the same"},
        {"previous",
         "what the host said before: the verifier's memory; only what is compared with the quote can fail"},
        {"clock", "of previous: anything that is not later than the quote, and within tolerance"},
        {"reset", "of previous: a smaller count reads as a reboot since; also a claim in the log's records"},
        {"restart", "the same"},
        {"safe", "of previous: not compared"},
        {"time_offset", "of previous: compared within a tolerance"},
        {"pcrs", "of previous: nothing but the log's start rests on it, and the log is whole here"},
        {"offsets", "of previous"},
        {"verdict", "what was recorded; the verdict shown is a new one, and a difference is printed"},
        {"state", "the same"},
        {"enforced", "the same"},
        {"dropped", "the same"},
        {"policy", "which policy was recorded; a difference to the one given is printed"},
        {"name", "the same"},
        {"version", "the same"},
        {"sha256", "the same"},
};

/* Does the line of byte AT hold one of the members? */
static bool in_line_of(struct view text, size_t at, const char *member)
{
        AUTO(mem_free_p) char *key = str_fmt("\"%s\":", member);
        size_t start = at, end = at;
        AUTO(mem_free_p) char *line = NULL;

        assert_non_null(key);
        while (start > 0 && text.p[start - 1] != '\n')
                start--;
        while (end < text.len && text.p[end] != '\n')
                end++;
        line = str_ndup((const char *)text.p + start, end - start);
        assert_non_null(line);
        return strstr(line, key) != NULL;
}

static bool excused(struct view text, size_t at)
{
        for (size_t i = 0; i < ARRAY_LEN(uncovered); i++)
                if (in_line_of(text, at, uncovered[i].member))
                        return true;
        return false;
}

struct walk {
        struct policy_effective *policy;
        struct trust *ak_ca; /* NULL: as without --ak-ca */
        struct buf ak, cel;  /* as they were */
        const char *member;  /* only this one's bits, or NULL */
        size_t n_flips, n_passed, n_wrong;
};

/*
 * Did nothing of the key change but attributes that do not touch what it can sign: who may use it, how it
 * would be duplicated if it could be? A quote is over the key's name only together with its parent's, which
 * no bundle holds; a certified key has all its attributes in its certificate.
 */
static bool same_key(const struct walk *w, const struct bundle *b)
{
        const uint32_t harmless = OBJ_NO_DA | OBJ_USER_WITH_AUTH | OBJ_ADMIN_WITH_POLICY |
                                  OBJ_ENCRYPTED_DUPLICATION | OBJ_ST_CLEAR;
        struct tpm_public was, is;
        struct err err = ERR_INIT;

        return !w->ak_ca && tpm2b_public_parse(VIEW_BUF(&w->ak), &was, &err) == 0 &&
               tpm2b_public_parse(VIEW_BUF(&b->ak), &is, &err) == 0 && view_equal(was.x, is.x) &&
               view_equal(was.y, is.y) && view_equal(was.n, is.n) &&
               ((was.attributes ^ is.attributes) & ~harmless) == 0;
}

/* Did nothing of the log change but claims: names, paths, sizes, times, which no digest is over? */
static bool same_log(const struct walk *w, const struct bundle *b)
{
        AUTO(cel_log_free_p) struct cel_log *was = NULL;
        AUTO(cel_log_free_p) struct cel_log *is = NULL;
        struct err err = ERR_INIT;

        if (cel_parse(VIEW_BUF(&w->cel), CEL_RECORDS_MAX, &was, &err) < 0 ||
            cel_parse(VIEW_BUF(&b->cel), CEL_RECORDS_MAX, &is, &err) < 0 || was->n != is->n)
                return false;
        for (size_t i = 0; i < was->n; i++) {
                const struct digest *a = cel_record_digest(&was->records[i], b->pcrs.bank);
                const struct digest *c = cel_record_digest(&is->records[i], b->pcrs.bank);

                if (!a || !c || !digest_equal(a, c) || was->records[i].pcr != is->records[i].pcr)
                        return false;
        }
        return true;
}

/* As `avow evidence verify --ak-ca` does. */
static bool certified(const struct walk *w, const struct bundle *b)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        char reason[TRUST_REASON_BYTES];
        struct err err = ERR_INIT;
        bool good = false;

        if (!w->ak_ca)
                return true;
        return b->ak_certificate && cert_parse_pem(view_str(b->ak_certificate), &cert, &err) == 0 &&
               trust_check(w->ak_ca, cert, NULL, b->received_at_ms, &good, reason, &err) == 0 && good;
}

static bool passes(struct walk *w, struct view text, bool *ret_same)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(verdict_free_p) struct verdict *v = NULL;
        struct err err = ERR_INIT;

        if (bundle_decode(text, &b, &err) < 0 || appraise_bundle(b, w->policy, &v, &err) < 0 ||
            v->state != VERDICT_PASS || !certified(w, b))
                return false;
        *ret_same = (!view_equal(VIEW_BUF(&w->ak), VIEW_BUF(&b->ak)) && same_key(w, b)) ||
                    (!view_equal(VIEW_BUF(&w->cel), VIEW_BUF(&b->cel)) && same_log(w, b));
        return true;
}

static void walk(struct walk *w, struct view text)
{
        AUTO(mem_free_p) uint8_t *copy = mem_dup(text.p, text.len);
        bool same;

        assert_non_null(copy);
        assert_true(passes(w, text, &same));
        for (size_t bit = 0; bit < text.len * 8; bit++) {
                if (w->member && !in_line_of(text, bit / 8, w->member))
                        continue;
                copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
                w->n_flips++;
                if (passes(w, VIEW(copy, text.len), &same)) {
                        w->n_passed++;
                        if (!same && !excused(text, bit / 8)) {
                                w->n_wrong++;
                                print_error("bit %zu of byte %zu: still a pass\n%.*s\n", bit % 8, bit / 8,
                                            200, (const char *)text.p + (bit / 8 > 60 ? bit / 8 - 60 : 0));
                        }
                }
                copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        print_message("%zu flips, %zu still pass where nothing covers them\n", w->n_flips, w->n_passed);
        assert_int_equal(w->n_wrong, 0);
}

static struct policy_effective *effective(struct view text, int64_t at_ms)
{
        AUTO(policy_unref_p) struct policy *p = NULL;
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_parse(text, "policy", &p, &err), &err);
        assert_ok(policy_effective_new(&(struct policy_version){p, 1, POLICY_NEVER}, 1, at_ms, &e, &err),
                  &err);
        return e;
}

static const char policy_text[] = "format: avow-policy/1\nname: edge\nruntimes:\n- name: n\n  digests: "
                                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

/* An AK certificate as the registrar issues it, by a CA that is put into *ret_trust. */
static char *certify(const struct soft_host *host, struct trust **ret_trust)
{
        static const char *const uris[] = {"urn:avow:host:h", "urn:avow:ak-attributes:0x00050472", NULL};
        struct cert_spec ca_spec = {.kind = CERT_KIND_CA,
                                    .cn = "AK CA",
                                    .not_before_ms = NOON - 86400000,
                                    .not_after_ms = NOON + 86400000};
        struct cert_spec spec = ca_spec;
        AUTO(key_free_p) struct key *ca_key = NULL;
        AUTO(pubkey_free_p) struct pubkey *ca_public = NULL;
        AUTO(pubkey_free_p) struct pubkey *ak = NULL;
        AUTO(cert_free_p) struct cert *ca = NULL;
        AUTO(cert_free_p) struct cert *cert = NULL;
        struct err err = ERR_INIT;
        char *pem = NULL;

        spec.kind = CERT_KIND_AK;
        spec.cn = "h";
        spec.uris = uris;
        assert_ok(key_generate_ec(CURVE_P256, &ca_key, &err), &err);
        assert_ok(key_public(ca_key, &ca_public, &err), &err);
        assert_ok(cert_issue(&ca_spec, ca_public, NULL, ca_key, &ca, &err), &err);
        assert_ok(tpm_public_key(&host->pub, &ak, &err), &err);
        assert_ok(cert_issue(&spec, ak, ca, ca_key, &cert, &err), &err);
        assert_ok(cert_pem(cert, &pem, &err), &err);
        assert_ok(trust_new(ret_trust, &err), &err);
        assert_ok(trust_add(*ret_trust, ca, &err), &err);
        return pem;
}

static void make_bundle(struct buf *text, struct walk *w, bool with_certificate)
{
        static const char id[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        AUTO(bundle_free_p) struct bundle *b = bundle_new();
        struct digest qualifying;
        struct err err = ERR_INIT;
        struct soft_host host;
        struct soft_quote q;

        assert_non_null(b);
        soft_host_init(&host, DIGEST_SHA256);
        soft_host_measure(&host, "n", "/n", 'a');
        b->host = str_dup("h");
        b->verifier_id = str_dup(id);
        buf_put_view(&b->ak, VIEW_BUF(&host.ak));
        buf_put(&b->challenge, "0123456789abcdef0123456789abcdef", 32);
        b->asked = (struct pcr_selection){DIGEST_SHA256, 1u << 15};
        b->issued_at_ms = NOON - 1000;
        b->received_at_ms = NOON;
        b->tolerance = CLOCK_TOLERANCE_DEFAULT;
        assert_ok(qualify_heartbeat(id, b->host, VIEW_BUF(&b->challenge), &qualifying, &err), &err);
        soft_host_quote(&host, digest_view(&qualifying), b->asked.mask, &q);
        b->message = q.message;
        b->signature = q.signature;
        b->time_message = q.time_message;
        b->time_signature = q.time_signature;
        b->pcrs = q.pcrs;
        buf_put_view(&w->ak, VIEW_BUF(&host.ak));
        buf_put_view(&w->cel, VIEW_BUF(&host.log));
        if (with_certificate)
                b->ak_certificate = certify(&host, &w->ak_ca);
        b->has_cel = true;
        buf_put_view(&b->cel, VIEW_BUF(&host.log));
        b->verdict = verdict_new();
        b->policy_name = str_dup("edge");
        b->policy_version = 1;
        digest_zero(DIGEST_SHA256, &b->policy_sha256);
        assert_ok(bundle_encode(b, text, &err), &err);
        soft_host_done(&host);
}

static void of_a_host_in_software(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(policy_effective_free_p) struct policy_effective *e = effective(view_str(policy_text), NOON);
        struct walk w = {.policy = e};

        (void)state;
        make_bundle(&text, &w, false);
        walk(&w, VIEW_BUF(&text));
        buf_free(&w.ak);
        buf_free(&w.cel);
}

static void of_a_certified_key(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(policy_effective_free_p) struct policy_effective *e = effective(view_str(policy_text), NOON);
        struct walk w = {.policy = e};

        (void)state;
        make_bundle(&text, &w, true);
        w.member = "ak_certificate";
        walk(&w, VIEW_BUF(&text));
        w.member = "ak";
        walk(&w, VIEW_BUF(&text));
        assert_int_equal(w.n_passed, 0);
        buf_free(&w.ak);
        buf_free(&w.cel);
        trust_free(w.ak_ca);
}

static void of_a_file(void **state)
{
        const char *bundle = getenv("AVOW_BUNDLE"), *policy = getenv("AVOW_POLICY");
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf policy_bytes = {0};
        AUTO(bundle_free_p) struct bundle *b = NULL;
        struct walk w = {0};
        struct err err = ERR_INIT;

        (void)state;
        if (!bundle || !policy)
                skip();
        assert_ok(file_read(bundle, BUNDLE_BYTES_MAX, &text, &err), &err);
        assert_ok(file_read(policy, POLICY_TEXT_BYTES_MAX, &policy_bytes, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&text), &b, &err), &err);
        buf_put_view(&w.ak, VIEW_BUF(&b->ak));
        buf_put_view(&w.cel, VIEW_BUF(&b->cel));
        w.policy = e = effective(VIEW_BUF(&policy_bytes), b->received_at_ms);
        walk(&w, VIEW_BUF(&text));
        buf_free(&w.ak);
        buf_free(&w.cel);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(of_a_host_in_software),
                cmocka_unit_test(of_a_certified_key),
                cmocka_unit_test(of_a_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
