/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_REVOCATIONS_H
#define AVOW_TENANT_REVOCATIONS_H

#include "base/err.h"
#include "base/macro.h"

/* "/avow/v1/revocations/HOST/N" and SUFFIX for the id "HOST/N" that a person typed; free() it. Return: 0;
 * -ERR_CONFIG if it is no id; -ERR_NOMEM. */
int revocation_path(const char *id, const char *suffix, char **ret, struct err *err) MUST_USE;

#endif
