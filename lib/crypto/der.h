/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_DER_H
#define AVOW_CRYPTO_DER_H

#include <stdbool.h>

#include "base/bytes.h"

/*
 * Is this one value in DER, with nothing after it? OpenSSL reads BER in places; this says whether the bytes
 * needed that. Spec: ITU-T X.690, §§8 and 10-11.
 */
bool der_is_strict(struct view bytes);

/* If BYTES start with an OCTET STRING (tag 4, definite length), gives its content, borrowed. */
bool der_octet_string(struct view bytes, struct view *ret);

/*
 * Takes one value with a tag of one byte (*ret_tag, all of it: class, constructed, number) and gives its
 * content, borrowed; lengths definite and shortest (X.690 §10.1). What is inside is not looked at. Return:
 * false, and nothing moved, if there is none.
 */
bool der_take(struct cursor *c, uint8_t *ret_tag, struct view *ret);

#endif
