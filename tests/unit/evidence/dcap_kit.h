/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_DCAP_KIT_H
#define AVOW_TESTS_DCAP_KIT_H

#include "evidence/dcap.h"

/*
 * What tests of Intel's quotes share: a quote is judged with cold and with warm collateral, and both answers
 * have to be the same to the letter.
 */

/* Fails the test if nothing could be decided, or if what was read before makes any difference. */
void dcap_kit_judge(struct view quote, const struct dcap_collateral *collateral,
                    const struct dcap_policy *policy, struct dcap_result *ret);
/* At the end of a program. */
void dcap_kit_done(void);

#endif
