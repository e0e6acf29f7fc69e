/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic SEV-SNP evidence. RSA keys have 2048 bits, not AMD's 4096, to be quick. Written from the
 * specifications, without the code under test, but for the names of lines and the sizes.
 */
#include "support/snp_forge.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "support/support.h"

#define OID "1.3.6.1.4.1.3704.1."

static void set_time(ASN1_TIME *t, int64_t ms)
{
        assert_non_null(ASN1_TIME_set(t, (time_t)(ms / 1000)));
}

static void set_cn(X509_NAME *name, const char *prefix, const char *cn)
{
        char text[64];

        (void)snprintf(text, sizeof(text), "%s%s", prefix, cn);
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                                    (const uint8_t *)"Advanced Micro Devices", -1, -1, 0),
                         1);
        assert_int_equal(
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0), 1);
}

/* A context that signs as AMD does, or otherwise. */
static EVP_MD_CTX *signer(EVP_PKEY *key, enum snp_forge_rule rule)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *p = NULL;

        assert_non_null(ctx);
        assert_int_equal(EVP_DigestSignInit(ctx, &p, EVP_sha384(), NULL, key), 1);
        if (rule != FORGE_PKCS1) {
                assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
                assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(p, rule == FORGE_SHORT_SALT ? 32 : 48), 1);
        }
        return ctx;
}

static void sign_cert(X509 *x, EVP_PKEY *key, enum snp_forge_rule rule)
{
        EVP_MD_CTX *ctx = signer(key, rule);

        assert_true(X509_sign_ctx(x, ctx) > 0);
        EVP_MD_CTX_free(ctx);
}

static X509 *new_cert(const char *prefix, const char *cn, EVP_PKEY *key, const X509 *issuer, long serial)
{
        X509 *x = X509_new();

        assert_non_null(x);
        assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
        assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), serial), 1);
        set_time(X509_getm_notBefore(x), FORGE_FROM_MS);
        set_time(X509_getm_notAfter(x), FORGE_TO_MS);
        set_cn(X509_get_subject_name(x), prefix, cn);
        assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)), 1);
        assert_int_equal(X509_set_pubkey(x, key), 1);
        return x;
}

static void add_conf(X509 *x, int nid, const char *value)
{
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        assert_non_null(e);
        assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
}

static X509 *new_ca(const char *prefix, enum snp_line line, EVP_PKEY *key, const X509 *issuer,
                    EVP_PKEY *issuer_key, long serial)
{
        X509 *x = new_cert(prefix, snp_line_name(line), key, issuer, serial);

        add_conf(x, NID_basic_constraints, issuer ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE");
        add_conf(x, NID_key_usage, issuer ? "critical,keyCertSign" : "critical,keyCertSign,cRLSign");
        sign_cert(x, issuer_key, FORGE_PSS);
        return x;
}

/* The N-th of a line's three RSA keys, made once in a process: they take long. */
static EVP_PKEY *vendor_key(enum snp_line line, size_t n)
{
        static EVP_PKEY *keys[SNP_TURIN + 1][3];

        if (keys[line][n] == NULL)
                keys[line][n] = EVP_RSA_gen(2048);
        assert_true(keys[line][n] && EVP_PKEY_up_ref(keys[line][n]));
        return keys[line][n];
}

void snp_forge_init(struct snp_forge *f, enum snp_line line)
{
        *f = (struct snp_forge){.line = line,
                                .ark_key = vendor_key(line, 0),
                                .ask_key = vendor_key(line, 1),
                                .asvk_key = vendor_key(line, 2),
                                .leaf_key = EVP_EC_gen("P-384"),
                                .other_key = EVP_EC_gen("P-384")};
        assert_true(f->leaf_key && f->other_key);
        f->ark = new_ca("ARK-", line, f->ark_key, NULL, f->ark_key, 0x10000);
        f->ask = new_ca("SEV-", line, f->ask_key, f->ark, f->ark_key, 0x10001);
        f->asvk = new_ca("SEV-VLEK-", line, f->asvk_key, f->ark, f->ark_key, 0x10101);
}

void snp_forge_done(struct snp_forge *f)
{
        EVP_PKEY_free(f->ark_key);
        EVP_PKEY_free(f->ask_key);
        EVP_PKEY_free(f->asvk_key);
        EVP_PKEY_free(f->leaf_key);
        EVP_PKEY_free(f->other_key);
        X509_free(f->ark);
        X509_free(f->ask);
        X509_free(f->asvk);
}

static void put_der(X509 *x, struct buf *ret)
{
        uint8_t *der = NULL;
        int len = i2d_X509(x, &der);

        assert_true(len > 0);
        buf_put(ret, der, (size_t)len);
        OPENSSL_free(der);
}

struct snp_root snp_forge_root(const struct snp_forge *f)
{
        struct snp_root root = {.line = f->line};
        uint8_t *der = NULL;
        int len = i2d_PUBKEY(f->ark_key, &der);

        assert_true(len > 0);
        assert_int_equal(EVP_Digest(der, (size_t)len, root.spki_sha256, NULL, EVP_sha256(), NULL), 1);
        OPENSSL_free(der);
        return root;
}

void snp_forge_ca(const struct snp_forge *f, enum snp_forge_ca which, struct buf *ret)
{
        X509 *x = which == FORGE_ASK ? f->ask : which == FORGE_ASVK ? f->asvk : f->ark;

        if (which == FORGE_ARK_FALSE) {
                x = X509_dup(f->ark);
                assert_non_null(x);
                sign_cert(x, f->ask_key, FORGE_PSS);
        }
        put_der(x, ret);
        if (which == FORGE_ARK_FALSE)
                X509_free(x);
}

static void add_ext(X509 *x, const struct snp_forge_leaf *leaf, const char *suffix, const uint8_t *p,
                    size_t n)
{
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *e;
        char oid[64];
        ASN1_OBJECT *obj;
        int copies = leaf->without && strcmp(leaf->without, suffix) == 0 ? 0
                     : leaf->twice && strcmp(leaf->twice, suffix) == 0   ? 2
                                                                         : 1;

        (void)snprintf(oid, sizeof(oid), OID "%s", suffix);
        obj = OBJ_txt2obj(oid, 1);
        assert_true(value && obj && ASN1_OCTET_STRING_set(value, p, (int)n) == 1);
        e = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, value);
        assert_non_null(e);
        for (; copies > 0; copies--)
                assert_int_equal(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OBJECT_free(obj);
        ASN1_OCTET_STRING_free(value);
}

static void add_number(X509 *x, const struct snp_forge_leaf *leaf, const char *suffix, uint8_t n)
{
        const uint8_t small[] = {2, 1, n}, large[] = {2, 2, 0, n};

        if (n < 0x80)
                add_ext(x, leaf, suffix, small, sizeof(small));
        else
                add_ext(x, leaf, suffix, large, sizeof(large));
}

static void add_text(X509 *x, const struct snp_forge_leaf *leaf, const char *suffix, const char *text)
{
        struct buf b = {0};

        buf_u8(&b, 0x16);
        buf_u8(&b, (uint8_t)strlen(text));
        buf_str(&b, text);
        assert_true(buf_ok(&b));
        add_ext(x, leaf, suffix, b.p, b.len);
        buf_free(&b);
}

static void add_hwid(X509 *x, const struct snp_forge *f, const struct snp_forge_leaf *leaf)
{
        size_t n = f->line == SNP_TURIN ? 8 : 64;
        struct buf b = {0};

        if (leaf->hwid_in_der) {
                buf_u8(&b, 4);
                buf_u8(&b, (uint8_t)n);
        }
        buf_put(&b, leaf->hwid, n);
        assert_true(buf_ok(&b));
        add_ext(x, leaf, "4", b.p, b.len);
        buf_free(&b);
}

static const struct snp_tcb good_tcb = {.bootloader = 3, .tee = 1, .snp = 8, .microcode = 206};

void snp_forge_leaf_init(const struct snp_forge *f, bool vlek, struct snp_forge_leaf *ret)
{
        *ret = (struct snp_forge_leaf){.vlek = vlek,
                                       .tcb = good_tcb,
                                       .csp_id = "CN=cloud.example",
                                       .from_ms = FORGE_FROM_MS,
                                       .to_ms = FORGE_TO_MS};
        ret->tcb.fmc = f->line == SNP_TURIN ? 1 : 0;
        for (uint8_t i = 0; i < sizeof(ret->hwid); i++)
                ret->hwid[i] = (uint8_t)(i + 1);
}

void snp_forge_leaf(const struct snp_forge *f, const struct snp_forge_leaf *leaf, struct buf *ret)
{
        X509 *x =
                new_cert("SEV-", leaf->vlek ? "VLEK" : "VCEK", f->leaf_key, leaf->vlek ? f->asvk : f->ask, 0);

        set_time(X509_getm_notBefore(x), leaf->from_ms);
        set_time(X509_getm_notAfter(x), leaf->to_ms);
        add_number(x, leaf, "1", f->line == SNP_TURIN ? 1 : 0);
        add_text(x, leaf, "2", snp_line_name(f->line));
        add_number(x, leaf, "3.1", leaf->tcb.bootloader);
        add_number(x, leaf, "3.2", leaf->tcb.tee);
        add_number(x, leaf, "3.3", leaf->tcb.snp);
        add_number(x, leaf, "3.8", leaf->tcb.microcode);
        if (f->line == SNP_TURIN)
                add_number(x, leaf, "3.9", leaf->tcb.fmc);
        if (leaf->vlek)
                add_text(x, leaf, "5", leaf->csp_id);
        else
                add_hwid(x, f, leaf);
        sign_cert(x, leaf->vlek ? f->asvk_key : f->ask_key, leaf->rule);
        put_der(x, ret);
        X509_free(x);
}

void snp_forge_crl(const struct snp_forge *f, bool revokes_ask, bool false_key, enum snp_forge_rule rule,
                   int64_t from_ms, int64_t to_ms, struct buf *ret)
{
        X509_CRL *crl = X509_CRL_new();
        ASN1_TIME *from = ASN1_TIME_new(), *to = ASN1_TIME_new();
        EVP_MD_CTX *ctx = signer(false_key ? f->ask_key : f->ark_key, rule);
        uint8_t *der = NULL;
        int len;

        assert_true(crl && from && to && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
        set_time(from, from_ms);
        set_time(to, to_ms);
        assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(f->ark)), 1);
        assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
        assert_int_equal(X509_CRL_set1_nextUpdate(crl, to), 1);
        if (revokes_ask) {
                X509_REVOKED *entry = X509_REVOKED_new();

                assert_non_null(entry);
                assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(f->ask)), 1);
                assert_int_equal(X509_REVOKED_set_revocationDate(entry, from), 1);
                assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
        }
        assert_true(X509_CRL_sign_ctx(crl, ctx) > 0);
        len = i2d_X509_CRL(crl, &der);
        assert_true(len > 0);
        buf_put(ret, der, (size_t)len);
        OPENSSL_free(der);
        EVP_MD_CTX_free(ctx);
        ASN1_TIME_free(from);
        ASN1_TIME_free(to);
        X509_CRL_free(crl);
}

void snp_forge_tcb(enum snp_line line, const struct snp_tcb *tcb, uint8_t ret[8])
{
        const uint8_t old[] = {tcb->bootloader, tcb->tee, 0, 0, 0, 0, tcb->snp, tcb->microcode};
        const uint8_t turin[] = {tcb->fmc, tcb->bootloader, tcb->tee, tcb->snp, 0, 0, 0, tcb->microcode};

        memcpy(ret, line == SNP_TURIN ? turin : old, 8);
}

void snp_forge_report(const struct snp_forge *f, uint32_t version, bool vlek, uint8_t ret[SNP_REPORT_BYTES])
{
        static const size_t tcbs[] = {0x038, 0x180, 0x1e0, 0x1f0};
        static const uint8_t cpu[][3] = {
                [SNP_MILAN] = {0x19, 1, 1}, [SNP_GENOA] = {0x19, 0x11, 1}, [SNP_TURIN] = {0x1a, 2, 1}};
        struct snp_forge_leaf leaf;

        snp_forge_leaf_init(f, vlek, &leaf);
        memset(ret, 0, SNP_REPORT_BYTES);
        ret[0] = (uint8_t)version;
        ret[0x0a] = 3; /* SMT, and the bit that has to be one */
        ret[0x34] = 1;
        ret[0x40] = 0x25;
        ret[0x48] = vlek ? 1 << 2 : 0;
        memset(ret + 0x50, 0x5a, 64);
        memset(ret + 0x90, 0x4d, 48);
        memset(ret + 0x160, 0xff, 32);
        for (size_t i = 0; i < ARRAY_LEN(tcbs); i++)
                snp_forge_tcb(f->line, &leaf.tcb, ret + tcbs[i]);
        if (version >= 3)
                memcpy(ret + 0x188, cpu[f->line], 3);
        if (!vlek)
                memcpy(ret + 0x1a0, leaf.hwid, f->line == SNP_TURIN ? 8 : 64);
        memcpy(ret + 0x1e8, (uint8_t[]){29, 55, 1, 0, 29, 55, 1, 0}, 8);
        if (version >= 5)
                ret[0x1f8] = ret[0x200] = 0x3f;
        snp_forge_sign(f, ret);
}

void snp_forge_sign(const struct snp_forge *f, uint8_t report[SNP_REPORT_BYTES])
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t der[128];
        const uint8_t *p = der;
        size_t len = sizeof(der);
        ECDSA_SIG *sig;

        assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, f->leaf_key), 1);
        assert_int_equal(EVP_DigestSign(ctx, der, &len, report, SNP_SIGNED_BYTES), 1);
        sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
        assert_non_null(sig);
        assert_int_equal(BN_bn2lebinpad(ECDSA_SIG_get0_r(sig), report + 0x2a0, 72), 72);
        assert_int_equal(BN_bn2lebinpad(ECDSA_SIG_get0_s(sig), report + 0x2e8, 72), 72);
        ECDSA_SIG_free(sig);
        EVP_MD_CTX_free(ctx);
}
