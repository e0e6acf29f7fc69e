/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_PROBLEM_H
#define AVOW_WIRE_PROBLEM_H

#include "wire/wire.h"

/*
 * Errors on the wire. Ours (RFC 9457, application/problem+json) on native routes; JSON:API's on v3 routes;
 * Keylime's two fixed bodies for 401 and 403, which it uses on v2 routes as well.
 */

/* A problem document. TYPE is a short word of ours ("not-found", "limit"), written as urn:avow:problem:WORD.
 */
struct wire_problem {
        int status;
        char *type;   /* without the urn; "about:blank" becomes "" */
        char *title;  /* one sentence */
        char *detail; /* what was expected, what to do; may be NULL */
        char *where;  /* a member, a path, FILE:LINE:COLUMN; may be NULL */
};

int wire_problem_encode(int status, const char *type, const char *title, const char *detail,
                        const char *where, struct buf *ret, struct err *err) MUST_USE;
/* Reads a problem document, a JSON:API error list (the first of it) or a v2 envelope: what any server of
 * this world answers when it says no. */
int wire_problem_decode(struct view body, struct wire_problem *ret, struct err *err) MUST_USE;
void wire_problem_done(struct wire_problem *p);

/* {"errors":[{"status":"403","code":CODE,"detail":DETAIL}],"jsonapi":{"version":"1.1"}}; CODE as Keylime
 * spells them (`premature_attestation`, `challenges_expired`, `evidence_immutable`, `not_found`, …). */
int wire_jsonapi_error_encode(int status, const char *code, const char *detail, struct buf *ret,
                              struct err *err) MUST_USE;

/* {"errors":[{"status":"401","title":"Unauthorized","detail":"Invalid authentication token"}]} */
int wire_unauthorized_encode(struct buf *ret, struct err *err) MUST_USE;
/* The 403 that says which action needs what: "Action read_agent requires admin identity". */
int wire_forbidden_encode(const char *action, const char *needs, struct buf *ret, struct err *err) MUST_USE;

#endif
