/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_LOAD_H
#define AVOW_TENANT_LOAD_H

#include "base/bytes.h"
#include "evidence/bundle.h"
#include "policy/effective.h"

/* Files of a person's, whole. PATH "-" is standard input. */

/* Appends the bytes. Return: 0; -ERR_IO; -ERR_LIMIT. */
int load_bytes(const char *path, size_t max_bytes, struct buf *ret, struct err *err) MUST_USE;
/* Return: 0; -ERR_IO; -ERR_CONFIG with file:line:column. RET_TEXT may be NULL, else gets the text appended.
 */
int load_policy(const char *path, struct policy **ret, struct buf *ret_text, struct err *err) MUST_USE;
/* Return: 0; -ERR_IO; -ERR_FORMAT. */
int load_bundle(const char *path, struct bundle **ret, struct err *err) MUST_USE;

/*
 * The effective policy of the files PATHS, the newest first, at NOW_MS: the older ones still hold. Their
 * versions are numbered N … 1. Return: as load_policy() and policy_effective_new().
 */
int load_effective(const char *const *paths, size_t n, int64_t now_ms, struct policy_effective **ret,
                   struct err *err) MUST_USE;

#endif
