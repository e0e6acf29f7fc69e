/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CERT_H
#define AVOW_CRYPTO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

/*
 * X.509 certificates: read, ask, and issue. Checking a chain is crypto/trust.h.
 */
#define CERT_BYTES_MAX 65536
#define CERT_CHAIN_MAX 16

struct cert;
struct x509_st;

/* What to do with a certificate that is not strict DER, as some TPM vendors' are: accept it and say so,
 * refuse it, accept it silently. The bytes are kept as they came: encoding them anew would break the
 * signature. */
enum cert_malformed {
        CERT_MALFORMED_WARN,
        CERT_MALFORMED_REJECT,
        CERT_MALFORMED_IGNORE,
};
bool cert_malformed_by_name(const char *name, enum cert_malformed *ret) MUST_USE;

/* Strict DER and nothing after it. Return: 0; -ERR_FORMAT; -ERR_LIMIT; -ERR_NOMEM. */
int cert_parse_der(struct view der, struct cert **ret, struct err *err) MUST_USE;

/*
 * A certificate from a TPM's NV index or a Keylime registration: besides the strict form also BER where DER
 * wants otherwise, one OCTET STRING around it, and padding after it. *ret_why is NULL for a strict one, else
 * a constant text for a warning. Return: 0; -ERR_FORMAT (also for a tolerable fault when ACTION is reject).
 */
int cert_parse_lax(struct view der, enum cert_malformed action, struct cert **ret, const char **ret_why,
                   struct err *err) MUST_USE;

/* The first certificate of a PEM text. */
int cert_parse_pem(struct view pem, struct cert **ret, struct err *err) MUST_USE;

void cert_free(struct cert *cert);
DEFINE_AUTO(struct cert, cert_free)

/* A list that owns its certificates. `struct cert_list l = {0};` */
struct cert_list {
        struct cert **v;
        size_t n;
};
void cert_list_done(struct cert_list *list);
/* Takes CERT over, also on failure. -ERR_LIMIT beyond CERT_CHAIN_MAX. */
int cert_list_add(struct cert_list *list, struct cert *cert, struct err *err) MUST_USE;
/* All certificates of a PEM text, strict or lax as in cert_parse_lax() (WHY may be NULL). At least one. */
int cert_list_parse_pem(struct view pem, enum cert_malformed action, struct cert_list *list,
                        const char **ret_why, struct err *err) MUST_USE;
/* Of a file; the error names it. */
int cert_load(const char *path, struct cert_list *list, struct err *err) MUST_USE;

/* What it says. Borrowed from the certificate; texts are for people and may hold any UTF-8: escape them. */
struct view cert_der(const struct cert *cert);
const struct pubkey *cert_pubkey(const struct cert *cert); /* NULL if the key is of a kind not known here */
const char *cert_subject(const struct cert *cert);         /* RFC 2253 form */
const char *cert_issuer(const struct cert *cert);
const char *cert_cn(const struct cert *cert);         /* "" if there is none */
const char *cert_serial_hex(const struct cert *cert); /* lower case, even number of digits, no sign */
int64_t cert_not_before_ms(const struct cert *cert);
int64_t cert_not_after_ms(const struct cert *cert);
bool cert_is_ca(const struct cert *cert);
/* SAN entries of type URI, in order. */
size_t cert_n_uris(const struct cert *cert);
const char *cert_uri(const struct cert *cert, size_t i);
/* True if an URI is exactly this one. */
bool cert_has_uri(const struct cert *cert, const char *uri);
/* The subject key identifier, borrowed; VIEW_NONE if there is none. */
struct view cert_skid(const struct cert *cert);
struct x509_st *cert_x509(const struct cert *cert); /* for lib/crypto itself */

int cert_sha256(const struct cert *cert, struct digest *ret, struct err *err) MUST_USE;
int cert_pem(const struct cert *cert, char **ret, struct err *err) MUST_USE;
/* From OpenSSL's object (a reference of its own is taken). For lib/crypto and lib/http. */
int cert_from_x509(struct x509_st *x509, struct cert **ret, struct err *err) MUST_USE;

/* Issuing. */
enum cert_kind {
        CERT_KIND_CA,     /* signs certificates; path length 0 unless it is self-signed */
        CERT_KIND_SERVER, /* TLS server */
        CERT_KIND_CLIENT, /* TLS client */
        CERT_KIND_BOTH,   /* both of them */
        CERT_KIND_SELF,   /* an agent's own: key usage digitalSignature, no EKU */
        CERT_KIND_AK,     /* attestation key: EKU tcg-kp-AIKCertificate (2.23.133.8.3) */
};

struct cert_spec {
        enum cert_kind kind;
        const char *cn;
        int64_t not_before_ms, not_after_ms;
        const char *const *dns, *const *ips, *const *uris; /* NULL-terminated lists, or NULL */
};

/*
 * Makes a certificate for SUBJECT, signed (SHA-256, P-384 keys SHA-384) by ISSUER_KEY. ISSUER NULL:
 * self-signed (SUBJECT is ISSUER_KEY's own). The serial number has 127 random bits. Return: 0; -ERR_FORMAT
 * for a name that cannot stand in a certificate; -ERR_CRYPTO, -ERR_NOMEM.
 */
int cert_issue(const struct cert_spec *spec, const struct pubkey *subject, const struct cert *issuer,
               const struct key *issuer_key, struct cert **ret, struct err *err) MUST_USE;

/* Return: true if KEY is the certificate's. */
bool cert_key_fits(const struct cert *cert, const struct key *key) MUST_USE;

#endif
