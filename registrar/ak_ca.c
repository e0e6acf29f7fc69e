/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AK certificate: the registrar's signed statement that this key is a restricted signing key of the TPM
 * with this EK, made when that was proven. It ships with every proof, so that whoever checks one needs no
 * registrar. It names no more than was shown: the class of the EK is what its issuer says.
 *
 * Spec: SR-10; TCG "TPM 2.0 Keys for Device Identity and Attestation" (tcg-kp-AIKCertificate).
 */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/key.h"
#include "enrol.h"
#include "evidence/tpm_public.h"

#define LIFETIME_MS  (INT64_C(365) * 86400000)
#define BACKDATED_MS (INT64_C(60) * 1000)
#define URIS_MAX     6

int ak_ca_load(const char *cert_path, const char *key_path, struct ak_ca *ret, struct err *err)
{
        struct ak_ca ca = {0};
        int r = cert_load(cert_path, &ca.chain, err);

        if (r < 0)
                r = err_wrap(err, "ak_ca.cert");
        if (r >= 0 && key_load(key_path, &ca.key, err) < 0)
                r = err_wrap(err, "ak_ca.key");
        if (r >= 0 && !cert_key_fits(ca.chain.v[0], ca.key))
                r = err_set(err, ERR_CONFIG, 0,
                            "ak_ca.key '%s' is not the key of the certificate in ak_ca.cert '%s'", key_path,
                            cert_path);
        if (r >= 0 && !cert_is_ca(ca.chain.v[0]))
                r = err_set(err, ERR_CONFIG, 0, "ak_ca.cert '%s' is not a CA's certificate", cert_path);
        if (r < 0) {
                ak_ca_done(&ca);
                return r;
        }
        *ret = ca;
        return 0;
}

void ak_ca_done(struct ak_ca *ca)
{
        cert_list_done(&ca->chain);
        key_free(ca->key);
        ca->key = NULL;
}

/* The SAN URIs, NULL-terminated; the strings are the caller's. */
static int make_uris(const char *name, const struct identity *id, uint32_t attributes, struct strv *ret,
                     struct err *err)
{
        char cert_hex[2 * DIGEST_BYTES_MAX + 1];
        struct digest cert;
        int r = strv_take(ret, str_fmt("urn:avow:host:%s", name));

        if (r == 0)
                r = strv_take(ret, str_fmt("urn:avow:ek-sha256:%s", id->ek_sha256));
        if (r == 0)
                r = strv_take(ret, str_fmt("urn:avow:ak-attributes:0x%08x", attributes));
        if (r == 0)
                r = strv_take(ret, str_fmt("urn:avow:ek-class:%s", id->ek_class));
        if (r == 0 && id->ek_cert.len > 0) {
                if (digest_bytes(DIGEST_SHA256, VIEW_BUF(&id->ek_cert), &cert, err) < 0)
                        return -(int)err->kind;
                r = strv_take(ret,
                              str_fmt("urn:avow:ek-cert-sha256:%s", hex_write(cert_hex, digest_view(&cert))));
        }
        return r == 0 ? 0 : err_nomem(err);
}

int ak_ca_issue(const struct ak_ca *ca, const char *name, int64_t now_ms, struct identity *id,
                struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        const char *uris[URIS_MAX] = {NULL};
        struct strv texts = {0};
        struct tpm_public ak;
        struct cert_spec spec = {
                .kind = CERT_KIND_AK, .cn = name, .not_before_ms = now_ms - BACKDATED_MS, .uris = uris};
        int64_t end_ms = cert_not_after_ms(ca->chain.v[0]);
        int r = tpm2b_public_parse(VIEW_BUF(&id->ak), &ak, err);

        spec.not_after_ms = end_ms < now_ms + LIFETIME_MS ? end_ms : now_ms + LIFETIME_MS;
        if (r >= 0)
                r = tpm_public_key(&ak, &key, err);
        if (r >= 0)
                r = make_uris(name, id, ak.attributes, &texts, err);
        for (size_t i = 0; r >= 0 && i < texts.n && i < URIS_MAX - 1; i++)
                uris[i] = texts.items[i];
        if (r >= 0)
                r = cert_issue(&spec, key, ca->chain.v[0], ca->key, &cert, err);
        if (r >= 0) {
                free(id->ak_cert);
                id->ak_cert = NULL;
                r = cert_pem(cert, &id->ak_cert, err);
        }
        strv_done(&texts);
        return r < 0 ? err_wrap(err, "AK certificate of '%s'", name) : 0;
}
