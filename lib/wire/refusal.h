/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_REFUSAL_H
#define AVOW_WIRE_REFUSAL_H

#include "wire/attestation.h"

/*
 * Evidence was asked for and is not enough: a problem document with what any answer to evidence goes on with.
 * For releases and launches. Not for use outside lib/wire.
 */
struct wire_refusal {
        char *type, *detail, *where, *next; /* where and next may be NULL */
};
/* Its members into the object that is open. What M holds is borrowed. */
void wire_refusal_put(struct json_out *o, const char *title, const struct wire_refusal *m,
                      const struct wire_outcome *outcome);
/* Any server's no. The texts are the caller's (free()). Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int wire_refusal_read(struct view body, const json_t *root, struct wire_refusal *ret,
                      struct err *err) MUST_USE;
void wire_refusal_done(struct wire_refusal *m);

#endif
