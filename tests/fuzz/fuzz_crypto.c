/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates (DER, PEM chains), public keys and tokens. In production a stranger controls them: EK
 * certificates and mtls_cert come with registrations, before anything is proven. The first byte chooses.
 */
#include "crypto/cert.h"
#include "crypto/cert_tpm.h"
#include "crypto/der.h"
#include "crypto/jws.h"
#include "fuzz/fuzz.h"

static void look_at(const struct cert *cert)
{
        struct cert_tpm tpm;

        for (size_t i = 0; i < cert_n_uris(cert); i++)
                FUZZ_CHECK(cert_has_uri(cert, cert_uri(cert, i)));
        FUZZ_CHECK(cert_subject(cert) && cert_issuer(cert) && cert_cn(cert) && cert_serial_hex(cert));
        cert_tpm_read(cert, &tpm);
        FUZZ_CHECK(cert_tpm_class(&tpm));
}

static void try_der(struct view v)
{
        AUTO(cert_free_p) struct cert *strict = NULL;
        AUTO(cert_free_p) struct cert *lax = NULL;
        struct err err = ERR_INIT;
        const char *why = NULL;
        int r = cert_parse_lax(v, CERT_MALFORMED_IGNORE, &lax, &why, &err);

        if (r == 0)
                look_at(lax);
        if (cert_parse_der(v, &strict, &err) < 0)
                return;
        FUZZ_CHECK(r == 0 && !why); /* what is strict is also tolerable */
        FUZZ_CHECK(der_is_strict(v) && view_equal(cert_der(strict), v));
}

static void try_pem(struct view v)
{
        struct cert_list list = {0};
        struct err err = ERR_INIT;
        const char *why = NULL;

        if (cert_list_parse_pem(v, CERT_MALFORMED_IGNORE, &list, &why, &err) == 0)
                FUZZ_CHECK(list.n > 0 && list.n <= CERT_CHAIN_MAX);
        for (size_t i = 0; i < list.n; i++)
                look_at(list.v[i]);
        cert_list_done(&list);
}

static void try_spki(struct view v)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct buf again = {0};
        struct err err = ERR_INIT;

        if (pubkey_from_spki(v, &key, &err) < 0)
                return;
        FUZZ_CHECK(pubkey_spki(key, &again, &err) == 0 && view_equal(VIEW_BUF(&again), v));
        buf_free(&again);
}

static void try_token(struct view v)
{
        static const uint8_t x[32] = {0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb,
                                      0x74, 0xc6, 0x35, 0x6d, 0x68, 0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61,
                                      0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6};
        static const uint8_t y[32] = {0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9,
                                      0xe9, 0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e,
                                      0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99};
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct err err = ERR_INIT;
        struct buf payload = {0};
        bool good = true;

        FUZZ_CHECK(pubkey_from_ec(CURVE_P256, VIEW_ARRAY(x), VIEW_ARRAY(y), &key, &err) == 0);
        if (jws_verify(key, NULL, v, &payload, &good, &err) == 0)
                FUZZ_CHECK(!good && payload.len == 0); /* nobody signs here */
        buf_free(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const tries[])(struct view) = {try_der, try_pem, try_spki, try_token};

        if (size)
                tries[data[0] % ARRAY_LEN(tries)](VIEW(data + 1, size - 1));
        return 0;
}
