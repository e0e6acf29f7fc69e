/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_KEYLIME_IN_H
#define AVOW_TENANT_KEYLIME_IN_H

#include <jansson.h>

#include "base/str.h"
#include "policy/keylime_policy.h"
#include "policy/pattern_regex.h"

/*
 * From Keylime's policies to ours. Nothing is taken over half: what cannot be said exactly is left out and
 * named, always to the stricter side, and kept in a comment of the text ("#keylime {…}"), by which nothing
 * judges, so that `policy export` can give it back.
 */
#define KEYLIME_KEPT "#keylime "

/* What a conversion has to say to people: what is not there, and what means something else. */
struct keylime_said {
        struct strv lost, notes;
};
void keylime_said_done(struct keylime_said *s);

/* Appends `ima:` with what P says; what it cannot say goes to KEPT, an object. Return: 0; -ERR_CRYPTO,
 * -ERR_NOMEM. */
int keylime_in_runtime(const struct keylime_policy *p, struct buf *out, json_t *kept,
                       struct keylime_said *said, struct err *err) MUST_USE;

/* The same for a reference state of Keylime's measured-boot policy "example": `boot:`. Return: also
 * -ERR_FORMAT for what is none. */
int keylime_in_refstate(const json_t *refstate, struct buf *out, json_t *kept, struct keylime_said *said,
                        struct err *err) MUST_USE;

/* The patterns of a reference state's kernel_cmdline. Return: 1; 0 with the reason; -ERR_NOMEM. */
int keylime_command_lines(const char *regex, struct strv *ret, struct pattern_refusal *ret_why,
                          struct err *err) MUST_USE;

/* Appends TEXT as a double-quoted scalar of YAML. */
void keylime_scalar(struct buf *out, const char *text);

#endif
