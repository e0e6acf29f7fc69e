/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_SIGNED_H
#define AVOW_POLICY_SIGNED_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/dsse.h"

/*
 * A policy travels as its text, or in a DSSE envelope (crypto/dsse.h) with the signatures of people who stand
 * for it. The text is signed as it is, byte by byte.
 */
#define POLICY_DSSE_TYPE "application/vnd.avow.policy+yaml"

/*
 * The policy's text in FILE, borrowed from FILE, or from *RET if FILE is an envelope, whose type is checked
 * and whose signatures are not; RET is zeroed by the caller, and has n_signatures 0 if there is no envelope.
 * Return: 0; -ERR_FORMAT for an envelope that is none, or of another type; -ERR_LIMIT, -ERR_NOMEM.
 */
int policy_unwrap(struct view file, struct dsse *ret, struct view *ret_text, struct err *err) MUST_USE;

/* The signatures of an envelope for a database or an answer: [{"keyid", "sig"}], and the envelope back from
 * them and the text that they cover. Return: as dsse_parse(); -ERR_NOMEM. */
int policy_signatures_text(const struct dsse *d, char **ret, struct err *err) MUST_USE;
int policy_rewrap(struct view text, struct view signatures, struct dsse *ret, struct err *err) MUST_USE;

#endif
