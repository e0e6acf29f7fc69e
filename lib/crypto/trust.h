/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_TRUST_H
#define AVOW_CRYPTO_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"

/*
 * Chains: does a certificate descend from roots that the operator trusts, at a given time? What lies in the
 * folder is trusted as an anchor, also when it is no self-signed root.
 */
struct trust;
struct x509_store_st;

/* The longest reason that a check gives, NUL included. */
#define TRUST_REASON_BYTES 256

/* An empty set, which trusts nothing. */
int trust_new(struct trust **ret, struct err *err) MUST_USE;
/*
 * Adds a file (PEM with any number of certificates, or one DER), or every *.pem, *.crt, *.cer, *.der of a
 * folder, not its subfolders. Return: 0; -ERR_IO, -ERR_FORMAT, naming the file.
 */
int trust_add_path(struct trust *trust, const char *path, struct err *err) MUST_USE;
int trust_add(struct trust *trust, const struct cert *cert, struct err *err) MUST_USE;
size_t trust_count(const struct trust *trust);
/*
 * Adds revocation lists: a file (PEM with any number of them, or one DER), or every *.pem, *.crl, *.der of a
 * folder. From then on trust_check() demands the issuer's list for the leaf, in date; for certificates above
 * it a list counts if there is one. Return: 0; -ERR_IO, -ERR_FORMAT, naming the file.
 */
int trust_add_crl_path(struct trust *trust, const char *path, struct err *err) MUST_USE;
struct x509_store_st *trust_store(const struct trust *trust); /* borrowed; for lib/crypto itself */
void trust_free(struct trust *trust);
DEFINE_AUTO(struct trust, trust_free)

/*
 * Checks LEAF up to an anchor through INTERMEDIATES (untrusted, may be NULL): signatures, dates at AT_MS with
 * 30 s of skew, CA flags, key usage, path lengths, unknown critical extensions.
 *
 * trust_check_ek() is for endorsement key certificates: no purpose is demanded, and the critical subject
 * alternative name (TPM maker, model, version; the subject is empty) and critical subject directory
 * attributes of the leaf do not count as unknown. Spec: TCG EK Credential Profile 2.x, §3.2.
 *
 * Return: 0 and the answer; *ret_good false with a reason for people, naming the certificate.
 */
int trust_check(const struct trust *trust, const struct cert *leaf, const struct cert_list *intermediates,
                int64_t at_ms, bool *ret_good, char reason[TRUST_REASON_BYTES], struct err *err) MUST_USE;
int trust_check_ek(const struct trust *trust, const struct cert *leaf, const struct cert_list *intermediates,
                   int64_t at_ms, bool *ret_good, char reason[TRUST_REASON_BYTES], struct err *err) MUST_USE;

#endif
