/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_MAKE_CRL_H
#define AVOW_TESTS_MAKE_CRL_H

#include "base/bytes.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/* Revocation lists for tests. */
struct make_crl {
        const struct cert *issuer;
        const struct key *key;
        int64_t this_update_ms, next_update_ms; /* next 0: the list names none */
        const struct cert *const *revoked;
        size_t n_revoked;
        bool critical; /* with a critical issuing distribution point */
};

/* Appends the DER. Fails the test if it cannot. */
void make_crl(const struct make_crl *spec, struct buf *ret);

#endif
