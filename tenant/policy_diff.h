/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_DIFF_H
#define AVOW_TENANT_POLICY_DIFF_H

#include <jansson.h>

#include "policy/policy.h"

/*
 * What changes for hosts when NEW takes the place of OLD: an array of
 * {"change": "added" | "removed" | "changed", "what", "runtime"?, "file"?, "value"?, "was"?, "comment"?,
 * "line"?, "layer"?} in the order of the policies; of packages {…, "what": "package", "package", "value":
 * VERSION, "was"?: VERSION, "n_files"?, "until"?, "files"?: {"added": [PATH], "changed", "removed"}}. Order
 * of text, comments and layout do not count. Empty: they say the same. Return: NULL when out of memory.
 */
json_t *policy_diff(const struct policy *old, const struct policy *new) MUST_USE;

/* One line for people per change, appended to OUT (ask buf_ok()). */
void policy_diff_render(const json_t *changes, struct buf *out);

#endif
