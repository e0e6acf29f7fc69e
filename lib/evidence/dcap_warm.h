/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_WARM_H
#define AVOW_EVIDENCE_DCAP_WARM_H

#include <stddef.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * What vouches for quotes is the same for thousands of them: chains, revocation lists, TCB info, QE identity.
 * Here it is kept as it was parsed, with what was found out about its signatures, known by its content. That
 * is all that is kept: which root is trusted, what holds at a time, what is revoked, what fits a platform is
 * judged for each quote anew, so that an answer is the same with and without. Nothing that was found bad is
 * kept. It belongs to one thread at a time.
 */
#define DCAP_WARM_PIECES_MAX 1024                /* beyond either limit all is forgotten, and begun anew */
#define DCAP_WARM_BYTES_MAX  (8u * 1024u * 1024) /* of what the pieces were parsed from */

struct dcap_warm;
int dcap_warm_new(struct dcap_warm **ret, struct err *err) MUST_USE;
void dcap_warm_free(struct dcap_warm *warm);
DEFINE_AUTO(struct dcap_warm, dcap_warm_free)

size_t dcap_warm_count(const struct dcap_warm *warm); /* pieces */

#endif
