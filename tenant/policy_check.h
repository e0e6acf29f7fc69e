/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_CHECK_H
#define AVOW_TENANT_POLICY_CHECK_H

#include "base/json.h"
#include "policy/policy.h"

/* What `avow policy check` says of a policy that could be read. */

/* Names and counts. NULL when out of memory. */
json_t *policy_summary(const struct policy *p);

/* Appends a line for each thing that is well formed and probably not meant. Ask buf_ok(). */
void policy_doubts(const struct policy *p, int64_t now_ms, struct buf *out);

#endif
