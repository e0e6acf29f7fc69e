/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_JSON_H
#define AVOW_EVIDENCE_TEE_JSON_H

#include <jansson.h>

#include "base/macro.h"
#include "evidence/bootlog.h"
#include "evidence/ccel.h"
#include "evidence/dcap.h"
#include "evidence/snp_verify.h"

/*
 * Processors' evidence and what checking it found, as JSON: numbers as words where they have a name, for
 * people and for programs. All return a new value of the caller's, or NULL when out of memory.
 */

/* {"verdict", "reasons", "flags", "checks": [{"name", "state", "reason"?, "text"?}]} with the verdict's word
 * given. */
json_t *tee_result_to_json(const struct tee_result *r, const char *verdict) MUST_USE;

/* LINE decides the layout of the TCBs; of an unknown one they stay hex. */
json_t *snp_report_to_json(const struct snp_report *r, enum snp_line line) MUST_USE;
/* What a leaf certificate says. */
json_t *snp_leaf_to_json(const struct snp_leaf *leaf, enum snp_line line, enum snp_signing_key kind) MUST_USE;

json_t *dcap_quote_to_json(const struct dcap_quote *q) MUST_USE;
/* Statuses, TCB date, advisories, platform: what the collateral said of the quote. */
json_t *dcap_status_to_json(const struct dcap_result *r) MUST_USE;

/* Events, each with register, type, digest and text; REPLAYED: where they lead. */
json_t *ccel_to_json(const struct bootlog *log, const struct digest replayed[TD_RTMRS]) MUST_USE;

#endif
