/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_UNIT_EVIDENCE_VECTORS_H
#define AVOW_TESTS_UNIT_EVIDENCE_VECTORS_H

#include "base/bytes.h"
#include "base/err.h"

/* What the tests of lib/evidence share: above all the quotes of real boots in tests/vectors/boot; its README
 * says where they come from. */

extern const char *const boot_sets[];
#define BOOT_SETS  7
#define BOOT_STEPS 4
extern const char *const boot_quotes[];
#define BOOT_QUOTES 4

/* A file of tests/vectors/boot into B, which is emptied first. */
struct view vector_read(struct buf *b, const char *set, const char *name);
/* "N_QUOTE.EXT" of a set. */
struct view vector_quote(struct buf *b, const char *set, int step, const char *quote, const char *ext);
/* "ak_ecc" or "ak_rsa": the key of a quote. */
const char *vector_ak(const char *quote);
/* 00 01 … 17: the nonce of all of them. */
struct view vector_nonce(void);

#endif
