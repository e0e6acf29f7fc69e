/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_STATEMENT_H
#define AVOW_EVIDENCE_TEE_STATEMENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "evidence/dcap_collateral.h"
#include "evidence/tee.h"

/*
 * What was found of the processor's evidence that came with a host's quote: part of the verdict on the host,
 * kept and passed on with it, so that every check can be read where the verdict is.
 */
struct tee_statement {
        enum tee_kind kind;
        struct tee_result result; /* its names are constants, or borrowed from ROOT */
        enum dcap_status intel;   /* the overall TCB status; DCAP_STATUS_NONE for others' evidence */
        json_t *root;             /* of one that was read */
};

/* Zeroed. NULL when out of memory. */
struct tee_statement *tee_statement_new(void) MUST_USE;
void tee_statement_free(struct tee_statement *s);
DEFINE_AUTO(struct tee_statement, tee_statement_free)

/* "rooted", "named"; "none" for evidence that binds nothing. */
const char *tee_statement_binding(const struct tee_statement *s);

/* {"binding", "checks": [{"name", "reason"?, "state", "text"?}], "flags", "kind", "status"?, "verdict"}. */
void tee_statement_put(struct json_out *o, const char *name, const struct tee_statement *s);
/* Strict. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int tee_statement_from_json(const json_t *j, struct tee_statement **ret, struct err *err) MUST_USE;

/* Appends the text for people: a line, and one for each check. */
void tee_statement_render(const struct tee_statement *s, struct buf *out);

#endif
