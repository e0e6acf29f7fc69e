/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's certificate of an attestation key, held against the key and the host it is shown for. */
#include "evidence/ak_certificate.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"

static int no(bool *ret_fits, const char **ret_why, const char *why)
{
        *ret_fits = false;
        *ret_why = why;
        return 0;
}

int ak_certificate_fits(const char *pem, const char *host, const struct tpm_public *ak, bool *ret_fits,
                        const char **ret_why, struct err *err)
{
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        AUTO(mem_free_p) char *again = NULL;
        char attributes[64], name[128];
        int r;

        *ret_fits = true;
        *ret_why = NULL;
        r = cert_parse_pem(view_str(pem), &cert, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                err_clear(err);
                return no(ret_fits, ret_why, "it is no certificate");
        }
        if (r == 0)
                r = tpm_public_key(ak, &key, err);
        if (r == 0)
                r = cert_pem(cert, &again, err);
        if (r < 0)
                return r;
        if (!str_equal(again, pem))
                return no(ret_fits, ret_why, "there is something beside it");
        if (!cert_pubkey(cert) || !pubkey_equal(cert_pubkey(cert), key))
                return no(ret_fits, ret_why, "it is of another key");
        (void)snprintf(name, sizeof(name), "urn:avow:host:%s", host); /* a host id has at most 80 */
        if (!cert_has_uri(cert, name))
                return no(ret_fits, ret_why, "it is of another host");
        (void)snprintf(attributes, sizeof(attributes), "urn:avow:ak-attributes:0x%08x", ak->attributes);
        if (!cert_has_uri(cert, attributes))
                return no(ret_fits, ret_why, "it states other attributes of the key");
        return 0;
}
