/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_ENDORSEMENTS_H
#define AVOW_TENANT_ENDORSEMENTS_H

#include "base/err.h"
#include "base/macro.h"

/* The folder of vendors' endorsements: GIVEN, or the person's cache. The caller frees. Return: 0; -ERR_CONFIG
 * if there is no home; -ERR_NOMEM. */
int endorsements_folder(const char *given, char **ret, struct err *err) MUST_USE;

#endif
