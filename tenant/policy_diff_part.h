/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_DIFF_PART_H
#define AVOW_TENANT_POLICY_DIFF_PART_H

#include <jansson.h>

#include "policy/policy.h"

/*
 * The parts of a policy's difference that are about what the kernel and the firmware saw: policy_diff.c puts
 * all together. Changes are appended; their members: policy_diff.h. Return: 0; -1 when out of memory.
 */

/* Packages by name and version, other files by path. */
int policy_diff_files(json_t *changes, const struct policy *old, const struct policy *new) MUST_USE;

/* All other rules of `ima:` and `boot:`, in words. */
int policy_diff_rules(json_t *changes, const struct policy *old, const struct policy *new) MUST_USE;

#endif
