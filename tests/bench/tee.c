/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many processors' pieces of evidence one core verifies, with the endorsements in memory: SEV-SNP reports
 * and Intel's quotes of each kind, made by the tests' own AMD and Intel. Beside them, in the same run, what
 * the signatures that are checked would cost alone, with keys that are ready: no verifier that checks all of
 * them is faster than that. Of Intel's quotes three rows each: everything read for this quote alone; with
 * warm collateral, a platform that was seen before; with warm collateral, one that was not.
 *
 * Usage: tests/bench/tee [SECONDS]      (of each measurement; 1)
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "evidence/dcap.h"
#include "evidence/snp_verify.h"
#include "support/snp_forge.h"
#include "support/soft_quote.h"

static double seconds = 1;

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Microseconds of CPU for one call of FN. */
static double cost_us(void (*fn)(void *), void *arg)
{
        double start, took;
        long n = 0;

        fn(arg);
        start = cpu_s();
        do {
                for (int i = 0; i < 10; i++, n++)
                        fn(arg);
                took = cpu_s() - start;
        } while (took < seconds);
        return took / (double)n * 1e6;
}

/* ---- signatures alone ---- */

struct alone {
        EVP_PKEY_CTX *verify;
        unsigned char digest[48], bytes[512];
        size_t digest_len, len;
};

static void verify_one(void *arg)
{
        struct alone *s = arg;

        assert_int_equal(EVP_PKEY_verify(s->verify, s->bytes, s->len, s->digest, s->digest_len), 1);
}

static double signature_us(EVP_PKEY *key, const EVP_MD *md, bool pss)
{
        struct alone s = {.digest_len = (size_t)EVP_MD_get_size(md), .len = sizeof(s.bytes)};
        EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);
        double us;

        s.verify = EVP_PKEY_CTX_new(key, NULL);
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_sign_init(sign), 1);
        assert_int_equal(EVP_PKEY_verify_init(s.verify), 1);
        for (int i = 0; pss && i < 2; i++) {
                EVP_PKEY_CTX *ctx = i ? sign : s.verify;

                assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0);
                assert_true(EVP_PKEY_CTX_set_signature_md(ctx, md) > 0);
        }
        assert_int_equal(EVP_PKEY_sign(sign, s.bytes, &s.len, s.digest, s.digest_len), 1);
        us = cost_us(verify_one, &s);
        EVP_PKEY_CTX_free(sign);
        EVP_PKEY_CTX_free(s.verify);
        EVP_PKEY_free(key);
        return us;
}

/* ---- evidence ---- */

static void say(const char *what, double us, double alone_us, const char *signatures)
{
        printf("%-22s %8.0f us  %6.0f/s  %3.0f %% of the signatures alone (%s: %.0f us)\n", what, us,
               1e6 / us, 100 * alone_us / us, signatures, alone_us);
}

static void verify_snp(void *arg)
{
        struct err err = ERR_INIT;
        struct snp_result res;

        assert_int_equal(snp_verify(arg, &res, &err), 0);
        assert_int_equal(res.tee.verdict, TEE_ACCEPT);
}

static void bench_snp(const char *what, enum snp_line line, uint32_t version, bool vlek, double p384,
                      double rsa)
{
        struct snp_forge forge;
        struct snp_forge_leaf leaf;
        uint8_t report[SNP_REPORT_BYTES];
        struct snp_bag bag = {0};
        struct snp_root root;
        struct buf der = {0};
        struct err err = ERR_INIT;
        struct snp_input in = {.report = VIEW_ARRAY(report),
                               .bag = &bag,
                               .roots = &root,
                               .n_roots = 1,
                               .at_ms = FORGE_NOW_MS,
                               .policy = &snp_policy_reference};

        snp_forge_init(&forge, line);
        root = snp_forge_root(&forge);
        snp_forge_leaf_init(&forge, vlek, &leaf);
        snp_forge_report(&forge, version, vlek, report);
        snp_forge_sign(&forge, report);
        for (int i = 0; i < 4; i++) {
                buf_reset(&der);
                if (i == 0)
                        snp_forge_leaf(&forge, &leaf, &der);
                else if (i == 3)
                        snp_forge_crl(&forge, false, false, FORGE_PSS, FORGE_FROM_MS, FORGE_TO_MS, &der);
                else
                        snp_forge_ca(&forge, i == 1 ? (vlek ? FORGE_ASVK : FORGE_ASK) : FORGE_ARK, &der);
                assert_int_equal(snp_bag_add(&bag, VIEW_BUF(&der), &err), 0);
        }
        say(what, cost_us(verify_snp, &in), p384 + 4 * rsa, "1 P-384, 4 RSA-4096");
        buf_free(&der);
        snp_bag_done(&bag);
        snp_forge_done(&forge);
}

struct quote {
        struct soft_quote q;
        struct dcap_policy policy;
        struct dcap_result result;
        unsigned n; /* of platforms that were seen */
};

static void verify_quote(void *arg)
{
        struct quote *q = arg;
        struct err err = ERR_INIT;

        assert_int_equal(dcap_verify(VIEW_BUF(&q->q.quote), &q->q.collateral, &q->policy, &q->result, &err),
                         0);
        assert_int_equal(q->result.tee.verdict, TEE_ACCEPT);
}

/* The chain stands in another text each time, as if nobody had seen it before. */
static void verify_new(void *arg)
{
        struct quote *q = arg;
        size_t len = q->q.chain.len;

        buf_fmt(&q->q.chain, "\nplatform %u\n", q->n++);
        q->q.collateral.pck_chain = VIEW_BUF(&q->q.chain);
        verify_quote(q);
        q->q.chain.len = len;
}

static void bench_quote(const char *what, uint16_t version, enum dcap_body body, double p256)
{
        struct quote *q = calloc(1, sizeof(*q));
        struct err err = ERR_INIT;
        struct soft_spec spec;

        assert_non_null(q);
        soft_spec_init(&spec, version, body);
        spec.cert_type = 3; /* the chain stands beside the quote */
        soft_quote_make(&q->q, &spec);
        q->q.collateral.pck_chain = VIEW_BUF(&q->q.chain);
        q->policy = (struct dcap_policy){.at_ms = SOFT_NOW_MS,
                                         .roots = &q->q.root_key,
                                         .n_roots = 1,
                                         .statuses = DCAP_STATUSES_DEFAULT,
                                         .require_crls = true};
        say(what, cost_us(verify_quote, q), 11 * p256, "11 P-256");
        assert_int_equal(dcap_warm_new(&q->q.collateral.warm, &err), 0);
        say("  warm, known platform", cost_us(verify_quote, q), 2 * p256, "2 P-256");
        say("  warm, new platform", cost_us(verify_new, q), 4 * p256, "4 P-256");
        dcap_warm_free(q->q.collateral.warm);
        soft_quote_done(&q->q);
        free(q);
}

int main(int argc, char **argv)
{
        double p256, p384, rsa;

        if (argc > 1 && (seconds = atof(argv[1])) <= 0)
                return 2;
        p256 = signature_us(EVP_EC_gen("P-256"), EVP_sha256(), false);
        p384 = signature_us(EVP_EC_gen("P-384"), EVP_sha384(), false);
        rsa = signature_us(EVP_RSA_gen(4096), EVP_sha384(), true);
        printf("one signature: P-256 %.0f us (%.0f/s), P-384 %.0f us (%.0f/s), RSA-4096 %.0f us (%.0f/s)\n",
               p256, 1e6 / p256, p384, 1e6 / p384, rsa, 1e6 / rsa);
        bench_snp("SNP 2, Milan, VCEK", SNP_MILAN, 2, false, p384, rsa);
        bench_snp("SNP 3, Genoa, VLEK", SNP_GENOA, 3, true, p384, rsa);
        bench_snp("SNP 5, Turin, VCEK", SNP_TURIN, 5, false, p384, rsa);
        bench_quote("SGX, quote 3", 3, DCAP_BODY_SGX, p256);
        bench_quote("TDX 1.0, quote 4", 4, DCAP_BODY_TD10, p256);
        bench_quote("TDX 1.5, quote 5", 5, DCAP_BODY_TD15, p256);
        return 0;
}
