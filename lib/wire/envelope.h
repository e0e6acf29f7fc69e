/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_ENVELOPE_H
#define AVOW_WIRE_ENVELOPE_H

#include <jansson.h>

#include "wire/wire.h"

/* The v2 envelope: {"code": 200, "status": "Success", "results": {…}}, Content-Type application/json. */
struct wire_envelope {
        int code;
        char *status;    /* the peer's text: escape it before it is shown */
        json_t *results; /* an object, or NULL for null, absent or anything that is not an object */
};

/* RESULTS is borrowed; NULL is written as {}. STATUS NULL is "Success". */
int wire_envelope_encode(int code, const char *status, const json_t *results, struct buf *ret,
                         struct err *err) MUST_USE;
/* Other members are ignored, `results` may be null or missing (both are in the field). */
int wire_envelope_decode(struct view body, struct wire_envelope *ret, struct err *err) MUST_USE;
/* The same for an answer that must be a success with results.
 * Return: 0; as above; -ERR_PEER with the code inside if that is not 2xx. */
int wire_envelope_open(struct view body, struct wire_envelope *ret, struct err *err) MUST_USE;
void wire_envelope_done(struct wire_envelope *e);

#endif
