/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_POLICY_TEST_H
#define AVOW_VERIFIER_POLICY_TEST_H

#include "evidence/bundle.h"
#include "verifier/verifier.h"

/* POST /avow/v1/policies/NAME/test: a policy tried on recorded evidence before it is pushed. CTX is the
 * verifier. */
void policy_test_on_request(struct http_request *req, void *ctx);

/* A recorded bundle with its log put in again. */
int bundle_with_logs(struct view text, const struct view logs[static KEPT_N_LOGS], struct bundle **ret,
                     struct err *err) MUST_USE;

#endif
