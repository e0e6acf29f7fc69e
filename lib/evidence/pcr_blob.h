/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_PCR_BLOB_H
#define AVOW_EVIDENCE_PCR_BLOB_H

#include "base/bytes.h"
#include "base/err.h"
#include "evidence/pcr.h"

/*
 * PCR values as Keylime sends them: the memory image that tpm2-tools writes ("tpm2_quote -o"), little-endian,
 * a selection and lists of eight digests. Nothing in it is signed: the values count when their digest is the
 * quoted one, the PCR numbers are taken from the signed selection.
 */

#define PCR_BLOB_BYTES_MAX (136 + 532 * 3)

/*
 * One bank, values ascending. Return: 0; -ERR_FORMAT (several banks, counts or sizes that do not fit the
 * selection, left-over bytes); -ERR_LIMIT.
 */
int pcr_blob_parse(struct view in, struct pcr_values *ret, struct err *err) MUST_USE;

/* Appends the image of VALUES to OUT (ask buf_ok()); what is unused is zero. */
void pcr_blob_write(const struct pcr_values *values, struct buf *out);

#endif
