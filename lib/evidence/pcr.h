/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_PCR_H
#define AVOW_EVIDENCE_PCR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "crypto/digest.h"

/* PCRs of one bank: which of them, and their values. */

#define PCR_COUNT          24 /* PCRs of a PC Client TPM: numbers 0 to 23 */
#define PCR_SELECTIONS_MAX 16 /* TPML_PCR_SELECTION, Part 2 §10.9.7 */

struct pcr_selection {
        enum digest_alg bank;
        uint32_t mask; /* bit n: PCR n; no bit from PCR_COUNT on */
};

/* What a TPML_PCR_SELECTION says, entry by entry, so that it can be written again as it was. */
struct pcr_selection_list {
        uint32_t n;
        struct {
                uint16_t alg;  /* as written, also of banks that are not ours */
                uint8_t size;  /* bytes of the bit map: 1 to 4 */
                uint32_t mask; /* bits from PCR_COUNT on are refused by the parser */
        } v[PCR_SELECTIONS_MAX];
};

struct pcr_values {
        enum digest_alg bank;
        uint32_t mask;              /* which of v are there */
        struct digest v[PCR_COUNT]; /* those not in mask are undefined */
};

/* The same in as few bytes as they are, for what is kept of a host: the values of MASK one after another,
 * each digest_size(bank) long. */
struct pcr_packed {
        enum digest_alg bank;
        uint32_t mask;
        uint8_t *b; /* owned; NULL without values */
};

/* Reads a list from C. Return: 0; -ERR_FORMAT, -ERR_LIMIT. Spec: Part 2 §10.9.7. */
int pcr_selection_list_read(struct cursor *c, struct pcr_selection_list *ret, struct err *err) MUST_USE;
void pcr_selection_list_write(const struct pcr_selection_list *list, struct buf *out);
/* The one bank of a list. Return: 0; -ERR_FORMAT if PCRs of none or of several banks are selected. */
int pcr_selection_of_list(const struct pcr_selection_list *list, struct pcr_selection *ret,
                          struct err *err) MUST_USE;

bool pcr_selection_equal(const struct pcr_selection *a, const struct pcr_selection *b);
/* Is SIGNED what was ASKED? PCR 16 alone may stand beside it (Keylime's agents add it). */
bool pcr_selection_answers(const struct pcr_selection *is_signed, const struct pcr_selection *asked);

/* "sha256:0,1,15" for people; *ret is the caller's (free()). Return: NULL when out of memory. */
char *pcr_selection_text(const struct pcr_selection *sel) MUST_USE;
/* "sha256:0,1,15", as people write it (any order, no PCR twice); sha1 is none. Return: 0; -ERR_CONFIG. */
int pcr_selection_parse(const char *text, struct pcr_selection *ret, struct err *err) MUST_USE;
/* {"sha256": [0, 1, 15]}, ascending. from: Return: 0; -ERR_FORMAT. to: NULL when out of memory. */
void pcr_selection_put(struct json_out *o, const char *name, const struct pcr_selection *sel);
json_t *pcr_selection_to_json(const struct pcr_selection *sel) MUST_USE;
int pcr_selection_from_json(const json_t *j, struct pcr_selection *ret, struct err *err) MUST_USE;

/* The digest, in HASH, over the values of MASK in ascending order: a quote's pcrDigest. Return: 0;
 * -ERR_FORMAT if one of MASK is missing; -ERR_CRYPTO. Spec: Part 3 §18.4 (TPM2_Quote). */
int pcr_values_digest(const struct pcr_values *values, uint32_t mask, enum digest_alg hash,
                      struct digest *ret, struct err *err) MUST_USE;

/* Both ways. pack: VALUES are all of their bank; RET's own is freed first. Return: 0; -ERR_NOMEM with RET as
 * it was. */
int pcr_values_pack(const struct pcr_values *values, struct pcr_packed *ret, struct err *err) MUST_USE;
void pcr_values_unpack(const struct pcr_packed *packed, struct pcr_values *ret);
/* Frees what it holds; fine on a zeroed one and twice. */
void pcr_packed_done(struct pcr_packed *p);

/* {"sha256": {"0": "hex", "15": "hex"}}. from: Return: 0; -ERR_FORMAT. to: NULL when out of memory. */
void pcr_values_put(struct json_out *o, const char *name, const struct pcr_values *values);
json_t *pcr_values_to_json(const struct pcr_values *values) MUST_USE;
int pcr_values_from_json(const json_t *j, struct pcr_values *ret, struct err *err) MUST_USE;

#endif
