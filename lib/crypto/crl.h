/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CRL_H
#define AVOW_CRYPTO_CRL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"

/*
 * Certificate revocation lists, one question at a time: who signed it, when does it hold, does it name this
 * certificate. Processor makers' lists do not fit a chain check that wants a list for every level (AMD's
 * lists CA certificates only; leaves all have serial number 0), so the questions are asked one by one.
 * Spec: RFC 5280 §5.
 */
#define CRL_BYTES_MAX (4u * 1024u * 1024u)
#define CRL_NO_TIME   INT64_MIN

struct crl;

/* One list in strict DER, or the first one of a PEM text. Return: 0; -ERR_FORMAT; -ERR_LIMIT; -ERR_NOMEM. */
int crl_parse(struct view bytes, struct crl **ret, struct err *err) MUST_USE;
void crl_free(struct crl *crl);
DEFINE_AUTO(struct crl, crl_free)

const char *crl_issuer(const struct crl *crl); /* RFC 2253 form, for people */
int64_t crl_this_update_ms(const struct crl *crl);
int64_t crl_next_update_ms(const struct crl *crl); /* CRL_NO_TIME if it names none (RFC 5280 §5.1.2.5) */

/*
 * Did ISSUER issue it: names equal, signature good, and no critical extension that is not understood here
 * (that would change what the list means: indirect, partial, delta; RFC 5280 §5.2)? Return: 0 and the
 * answer; -ERR_NOMEM.
 */
int crl_check(const struct crl *crl, const struct cert *issuer, bool *ret_good, struct err *err) MUST_USE;

/* Does it name CERT, by issuer and serial number? An entry that says removeFromCRL counts as naming it. */
bool crl_lists(const struct crl *crl, const struct cert *cert) MUST_USE;

struct X509_crl_st *crl_x509(const struct crl *crl); /* borrowed; for lib/crypto itself */

/* As cert_signed_pss384() of crypto/cert_ask.h. */
bool crl_signed_pss384(const struct crl *crl) MUST_USE;

#endif
