/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_PKI_H
#define AVOW_TESTS_PKI_H

#include "crypto/cert.h"

/* A small PKI for tests of certificates, chains and TLS. 2026-01-01 to 2027-01-01, unless said otherwise. */
#define PKI_FROM_MS INT64_C(1767225600000)
#define PKI_TO_MS   INT64_C(1798761600000)
#define PKI_NOW_MS  INT64_C(1780000000000)

struct pki_cert {
        struct key *key;
        struct cert *cert;
};

/* Issues; ISSUER NULL makes a root. Fails the test if it cannot. */
void pki_issue(struct pki_cert *ret, enum cert_kind kind, const char *cn, const struct pki_cert *issuer,
               const char *const *uris);
void pki_issue_dated(struct pki_cert *ret, enum cert_kind kind, const char *cn, const struct pki_cert *issuer,
                     const char *const *uris, int64_t from_ms, int64_t to_ms);
void pki_done(struct pki_cert *c);

/* Writes certificate and key as PEM files. */
void pki_write(const struct pki_cert *c, const char *cert_path, const char *key_path);

#endif
