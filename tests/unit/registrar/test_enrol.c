/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrations appraised: EK, certificate, AK, claims; the challenge and its tag; whose name it is; AK
 * certificates. The EK and its certificate are a real emulator's (tests/vectors/ek); the EK that opens the
 * challenge is a software key (tests/vectors/credential).
 */
#include "support/support.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "enrol.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_types.h"
#include "support/soft_ek.h"
#include "test_pki.h"

#define EK_NOW_MS INT64_C(1795370000000) /* 2026-11-22 */
#define AK_GOOD                                                                                              \
        (OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH | OBJ_NO_DA |     \
         OBJ_RESTRICTED | OBJ_SIGN)

struct fixture {
        struct trust *roots, *nobody;
        struct wire_registration m;
        struct enrol_rules rules;
        struct enrol_refusal refusal;
};

static void load(const char *name, struct buf *ret)
{
        const char *top = getenv("top_srcdir");
        struct err err = ERR_INIT;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/tests/vectors/%s", top ? top : ".", name);
        buf_reset(ret);
        assert_ok(file_read(path, 65536, ret, &err), &err);
}

/* A TPM2B_PUBLIC of a P-256 AK with these attributes; a new key each time. */
static void make_ak(uint32_t attributes, struct buf *ret)
{
        struct err err = ERR_INIT;
        struct pubkey *pub = NULL;
        struct key *key = NULL;
        struct buf x = {0}, y = {0}, area = {0};

        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &pub, &err), &err);
        assert_ok(pubkey_ec_point(pub, &x, &y, &err), &err);
        buf_be16(&area, ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, attributes);
        buf_be16(&area, 0); /* authPolicy */
        buf_be16(&area, ALG_NULL);
        buf_be16(&area, ALG_ECDSA);
        buf_be16(&area, DIGEST_SHA256);
        buf_be16(&area, CURVE_P256);
        buf_be16(&area, ALG_NULL);
        buf_be16_bytes(&area, VIEW_BUF(&x));
        buf_be16_bytes(&area, VIEW_BUF(&y));
        buf_reset(ret);
        buf_be16_bytes(ret, VIEW_BUF(&area));
        assert_true(buf_ok(ret));
        buf_free(&x);
        buf_free(&y);
        buf_free(&area);
        pubkey_free(pub);
        key_free(key);
}

static void set_up(struct fixture *f)
{
        struct err err = ERR_INIT;
        struct buf pem = {0};
        struct cert *issuer = NULL;

        memset(f, 0, sizeof(*f));
        f->m.port = -1;
        load("ek/issuer.pem", &pem);
        assert_ok(cert_parse_pem(VIEW_BUF(&pem), &issuer, &err), &err);
        assert_ok(trust_new(&f->roots, &err), &err);
        assert_ok(trust_add(f->roots, issuer, &err), &err);
        assert_ok(trust_new(&f->nobody, &err), &err);
        load("ek/rsa2048.pub", &f->m.ek);
        load("ek/rsa2048.der", &f->m.ek_cert_der);
        make_ak(AK_GOOD, &f->m.ak);
        f->rules = (struct enrol_rules){EK_REQUIRED, CERT_MALFORMED_WARN, f->roots};
        cert_free(issuer);
        buf_free(&pem);
}

static void tear_down(struct fixture *f)
{
        wire_registration_done(&f->m);
        trust_free(f->roots);
        trust_free(f->nobody);
}

/* STATUS 0: accepted, and the candidate is the caller's; else refused so, with PART in the text. */
static struct candidate *judge(struct fixture *f, int status, const char *part)
{
        struct err err = ERR_INIT;
        struct candidate *c = NULL;

        POISON(f->refusal);
        assert_ok(enrol_appraise(&f->rules, "web-1", "192.0.2.1", &f->m, EK_NOW_MS, &c, &f->refusal, &err),
                  &err);
        if (f->refusal.status != status || (part && !strstr(f->refusal.text, part)))
                fail_msg("status %d, '%s'; wanted %d, '%s'", f->refusal.status, f->refusal.text, status,
                         part);
        assert_int_equal(c != NULL, status == 0);
        return c;
}

/* ---- what is accepted ---- */

static void test_good(void **state)
{
        struct fixture f;
        struct candidate *c;

        (void)state;
        set_up(&f);
        c = judge(&f, 0, NULL);
        assert_string_equal(c->name, "web-1");
        assert_string_equal(c->source, "192.0.2.1");
        assert_string_equal(c->identity.ek_class, "emulated");
        assert_null(c->identity.ek_findings);
        assert_non_null(c->identity.ek_cert_serial);
        assert_int_equal(strlen(c->identity.ek_sha256), 64);
        assert_true(view_equal(VIEW_BUF(&c->identity.ek_cert), VIEW_BUF(&f.m.ek_cert_der)));
        candidate_free(c);
        tear_down(&f);
}

static void test_policies(void **state)
{
        static const struct {
                enum ek_policy policy;
                bool trusted, sent;
                int status;
                const char *finding; /* NULL: none */
        } rows[] = {
                {EK_REQUIRED, true, true, 0, NULL},
                {EK_REQUIRED, false, true, 403, "does not chain"},
                {EK_REQUIRED, true, false, 403, "no EK certificate"},
                {EK_PREFERRED, true, true, 0, "ek-cert-not-required"},
                {EK_PREFERRED, false, true, 0, "ek-cert-untrusted"},
                {EK_PREFERRED, true, false, 0, "ek-cert-missing"},
                {EK_OFF, false, true, 0, "ek-cert-not-required"},
                {EK_OFF, false, false, 0, "ek-cert-missing"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct fixture f;
                struct candidate *c;

                set_up(&f);
                f.rules.policy = rows[i].policy;
                f.rules.roots = rows[i].trusted ? f.roots : f.nobody;
                if (!rows[i].sent)
                        buf_reset(&f.m.ek_cert_der);
                c = judge(&f, rows[i].status, rows[i].status ? rows[i].finding : NULL);
                if (c && rows[i].finding)
                        assert_non_null(strstr(c->identity.ek_findings, rows[i].finding));
                /* Only a trusted certificate has a class and a serial number that a binding may match. */
                if (c && !(rows[i].trusted && rows[i].sent)) {
                        assert_string_equal(c->identity.ek_class, "unknown");
                        assert_null(c->identity.ek_cert_serial);
                }
                candidate_free(c);
                tear_down(&f);
        }
}

/* ---- what is refused ---- */

static void test_refused_certificates(void **state)
{
        static const enum ek_policy policies[] = {EK_REQUIRED, EK_PREFERRED, EK_OFF};
        struct fixture f;

        (void)state;
        set_up(&f);
        for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
                f.rules.policy = policies[i];
                load("ek/ecc384.der", &f.m.ek_cert_der); /* another key's */
                (void)judge(&f, 403, "does not certify the key");
                load("ek/rsa2048.der", &f.m.ek_cert_der);
                f.m.ek_cert_der.p[f.m.ek_cert_der.len / 2] ^= 1;
                buf_u8(&f.m.ek_cert_der, 0x30);
                (void)judge(&f, 400, "ekcert");
        }
        load("ek/rsa2048.der", &f.m.ek_cert_der);
        buf_u8(&f.m.ek_cert_der, 0xff);
        f.rules = (struct enrol_rules){EK_REQUIRED, CERT_MALFORMED_REJECT, f.roots};
        (void)judge(&f, 400, "malformed");
        tear_down(&f);
}

static void test_refused_aks(void **state)
{
        static const uint32_t bad[] = {
                AK_GOOD & ~OBJ_RESTRICTED,   AK_GOOD & ~OBJ_FIXED_TPM,
                AK_GOOD & ~OBJ_FIXED_PARENT, AK_GOOD & ~OBJ_SENSITIVE_DATA_ORIGIN,
                AK_GOOD & ~OBJ_SIGN,         AK_GOOD | OBJ_DECRYPT,
        };
        struct fixture f;

        (void)state;
        set_up(&f);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                make_ak(bad[i], &f.m.ak);
                (void)judge(&f, 403, "aik_tpm is no attestation key");
        }
        make_ak(AK_GOOD, &f.m.ak);
        f.m.ak.p[f.m.ak.len - 1] ^= 1; /* off the curve */
        (void)judge(&f, 400, "aik_tpm");
        buf_reset(&f.m.ak);
        (void)judge(&f, 400, "aik_tpm is missing");
        load("ek/rsa2048.pub", &f.m.ak);
        (void)judge(&f, 403, "aik_tpm is no attestation key");
        tear_down(&f);
}

static void test_refused_eks(void **state)
{
        struct fixture f;

        (void)state;
        set_up(&f);
        make_ak(AK_GOOD, &f.m.ek);
        (void)judge(&f, 400, "no endorsement key");
        buf_reset(&f.m.ek);
        (void)judge(&f, 400, "ek_tpm is missing");
        tear_down(&f);
}

static void test_claims(void **state)
{
        struct fixture f;
        struct candidate *c;

        (void)state;
        set_up(&f);
        f.m.mtls = WIRE_MTLS_PEM;
        f.m.mtls_cert = str_dup("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        (void)judge(&f, 400, "mtls_cert");
        f.m.mtls = WIRE_MTLS_DISABLED;
        f.m.ip = str_dup("192.0.2.7");
        f.m.port = 9002;
        c = judge(&f, 0, NULL);
        assert_string_equal(c->identity.mtls_cert, "disabled");
        assert_string_equal(c->identity.ip, "192.0.2.7");
        assert_int_equal(c->identity.port, 9002);
        candidate_free(c);
        tear_down(&f);
}

/* Every truncation, every flipped bit of both public areas: never accepted as another EK with this
 * certificate. */
static void try_ek(struct view bytes, const char *what, void *ctx)
{
        struct fixture *f = ctx;
        struct candidate *c = NULL;
        struct err err = ERR_INIT;

        buf_reset(&f->m.ek);
        buf_put_view(&f->m.ek, bytes);
        assert_ok(enrol_appraise(&f->rules, "web-1", "192.0.2.1", &f->m, EK_NOW_MS, &c, &f->refusal, &err),
                  &err);
        if (c && strcmp(c->identity.ek_class, "emulated") != 0)
                fail_msg("accepted after %s", what);
        candidate_free(c);
}

static void test_malformed(void **state)
{
        struct fixture f;
        struct buf ek = {0};

        (void)state;
        set_up(&f);
        load("ek/rsa2048.pub", &ek);
        each_truncation(VIEW_BUF(&ek), try_ek, &f);
        each_bit_flip(VIEW(ek.p, ek.len), try_ek, &f);
        buf_free(&ek);
        tear_down(&f);
}

/* ---- the challenge ---- */

static void test_challenge(void **state)
{
        static const struct {
                const char *file;
                enum digest_alg name_alg;
                unsigned aes_bits;
        } eks[] = {{"rsa", DIGEST_SHA256, 128}, {"p256", DIGEST_SHA256, 128}, {"p384", DIGEST_SHA384, 256}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(eks); i++) {
                struct err err = ERR_INIT;
                struct fixture f;
                struct candidate *c;
                struct key *key = NULL;
                struct buf pem = {0}, blob = {0}, secret = {0};
                struct tpm_public ak;
                struct tpm_name name;
                struct digest tag;
                char path[64], *text;

                set_up(&f);
                f.rules.policy = EK_OFF;
                buf_reset(&f.m.ek_cert_der);
                (void)snprintf(path, sizeof(path), "credential/%s.pub", eks[i].file);
                load(path, &f.m.ek);
                (void)snprintf(path, sizeof(path), "credential/%s.pem", eks[i].file);
                load(path, &pem);
                assert_ok(key_from_pem(VIEW_BUF(&pem), &key, &err), &err);
                c = judge(&f, 0, NULL);
                assert_ok(enrol_challenge(c, &blob, &err), &err);
                assert_ok(tpm2b_public_parse(VIEW_BUF(&f.m.ak), &ak, &err), &err);
                assert_ok(tpm_public_name(&ak, &name, &err), &err);
                const struct soft_ek soft = {key, eks[i].name_alg, eks[i].aes_bits};
                assert_ok(soft_ek_open(&soft, tpm_name_view(&name), VIEW_BUF(&blob), &secret, &err), &err);
                assert_int_equal(secret.len, 32);
                text = base64_encode(VIEW_BUF(&secret));
                assert_ok(hmac_bytes(DIGEST_SHA384, view_str(text), view_str("web-1"), &tag, &err), &err);
                assert_memory_equal(c->tag, tag.b, sizeof(c->tag));
                free(text);
                candidate_free(c);
                key_free(key);
                buf_free(&pem);
                buf_free(&blob);
                buf_free(&secret);
                tear_down(&f);
        }
}

/* ---- whose name it is ---- */

static void test_conflict(void **state)
{
        static char a[] = "aa", b[] = "bb", serial[] = "01", other_serial[] = "02";
        struct identity id = {.ek_sha256 = a, .ek_cert_serial = serial};
        struct registrar_host host = {.active = true, .identity = {.ek_sha256 = a}};

        (void)state;
        assert_null(enrol_conflict(NULL, &id));
        assert_null(enrol_conflict(&host, &id));
        host.identity.ek_sha256 = b;
        assert_non_null(strstr(enrol_conflict(&host, &id), "different TPM identity"));
        host = (struct registrar_host){.bound = true, .binding = {.by = BOUND_EK, .ek_sha256 = a}};
        assert_null(enrol_conflict(&host, &id));
        host.binding.ek_sha256 = b;
        assert_non_null(enrol_conflict(&host, &id));
        host.binding = (struct binding){.by = BOUND_SERIAL, .ek_cert_serial = serial};
        assert_null(enrol_conflict(&host, &id));
        host.binding.ek_cert_serial = other_serial;
        assert_non_null(enrol_conflict(&host, &id));
        id.ek_cert_serial = NULL;
        assert_non_null(enrol_conflict(&host, &id));
        host.binding = (struct binding){.by = BOUND_TOFU};
        assert_null(enrol_conflict(&host, &id));
}

/* ---- AK certificates ---- */

static void test_ak_certificate(void **state)
{
        struct err err = ERR_INIT;
        struct fixture f;
        struct pki_cert root;
        struct candidate *c;
        struct cert *cert = NULL;
        struct ak_ca ca = {0};
        struct trust *trust = NULL;
        char dir[TMPDIR_BYTES], cert_path[64], key_path[64], uri[128], reason[TRUST_REASON_BYTES];
        bool good = false;

        (void)state;
        set_up(&f);
        tmpdir_make(dir);
        (void)snprintf(cert_path, sizeof(cert_path), "%s/ca.pem", dir);
        (void)snprintf(key_path, sizeof(key_path), "%s/ca.key", dir);
        pki_issue_dated(&root, CERT_KIND_CA, "AK CA", NULL, NULL, EK_NOW_MS - 1000000,
                        EK_NOW_MS + INT64_C(86400000));
        pki_write(&root, cert_path, key_path);
        assert_ok(ak_ca_load(cert_path, key_path, &ca, &err), &err);
        c = judge(&f, 0, NULL);
        assert_ok(ak_ca_issue(&ca, "web-1", EK_NOW_MS, &c->identity, &err), &err);
        assert_ok(cert_parse_pem(view_str(c->identity.ak_cert), &cert, &err), &err);
        assert_string_equal(cert_cn(cert), "web-1");
        assert_true(cert_has_uri(cert, "urn:avow:host:web-1"));
        assert_true(cert_has_uri(cert, "urn:avow:ak-attributes:0x00050472"));
        assert_true(cert_has_uri(cert, "urn:avow:ek-class:emulated"));
        (void)snprintf(uri, sizeof(uri), "urn:avow:ek-sha256:%s", c->identity.ek_sha256);
        assert_true(cert_has_uri(cert, uri));
        assert_int_equal(cert_n_uris(cert), 5);
        /* It ends with its issuer. */
        assert_int_equal(cert_not_after_ms(cert), cert_not_after_ms(root.cert));
        assert_ok(trust_new(&trust, &err), &err);
        assert_ok(trust_add(trust, root.cert, &err), &err);
        assert_ok(trust_check(trust, cert, NULL, EK_NOW_MS, &good, reason, &err), &err);
        assert_true(good);
        assert_ok(trust_check_ek(trust, cert, NULL, EK_NOW_MS, &good, reason, &err), &err);
        assert_false(good); /* and is no EK's */
        trust_free(trust);
        cert_free(cert);
        candidate_free(c);
        ak_ca_done(&ca);
        pki_done(&root);
        tmpdir_remove(dir);
        tear_down(&f);
}

/* ---- out of memory ---- */

static int run_appraise(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        AUTO(candidate_free_p) struct candidate *c = NULL;
        struct buf blob = {0};
        int r = enrol_appraise(&f->rules, "web-1", "192.0.2.1", &f->m, EK_NOW_MS, &c, &f->refusal, err);

        if (r >= 0)
                r = enrol_challenge(c, &blob, err);
        buf_free(&blob);
        return r;
}

static void test_oom(void **state)
{
        struct fixture f;

        (void)state;
        set_up(&f);
        oom_each(run_appraise, &f);
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_policies),
                cmocka_unit_test(test_refused_certificates),
                cmocka_unit_test(test_refused_aks),
                cmocka_unit_test(test_refused_eks),
                cmocka_unit_test(test_claims),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_challenge),
                cmocka_unit_test(test_conflict),
                cmocka_unit_test(test_ak_certificate),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
