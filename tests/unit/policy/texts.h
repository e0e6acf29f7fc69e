/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_UNIT_POLICY_TEXTS_H
#define AVOW_TESTS_UNIT_POLICY_TEXTS_H

#include <stddef.h>

/* What every test of the policy language does with texts; they are read as "edge.yaml". */

struct wrong_text {
        const char *text, *says; /* what the error has to hold */
};
/* Each is refused as -ERR_CONFIG, with its file, and no policy is made. */
void texts_refused(const struct wrong_text *wrong, size_t n);

/* Every truncation of TEXT, and TEXT with every bit flipped, is read or refused with a reason. */
void text_cut_and_flipped(const char *text);

#endif
