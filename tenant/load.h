/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_LOAD_H
#define AVOW_TENANT_LOAD_H

#include "base/bytes.h"
#include "evidence/bundle.h"
#include "policy/effective.h"

/* Files of a person's, whole. PATH "-" is standard input. */

/* Appends the bytes. Return: 0; -ERR_IO; -ERR_LIMIT. */
int load_bytes(const char *path, size_t max_bytes, struct buf *ret, struct err *err) MUST_USE;
/*
 * The policy of a file, which may be in an envelope (policy/signed.h) whose signatures are not looked at.
 * What it is based on is read from NAME.yaml beside it, where its text does not have it. RET_FILE (may be
 * NULL) is set to all of the text, or to the file's bytes if it is an envelope. Return: 0; -ERR_IO;
 * -ERR_CONFIG with file:line:column, of the file that is at fault; -ERR_FORMAT for a bad envelope.
 */
int load_policy(const char *path, struct policy **ret, struct buf *ret_file, struct err *err) MUST_USE;
/* Return: 0; -ERR_IO; -ERR_FORMAT. */
int load_bundle(const char *path, struct bundle **ret, struct err *err) MUST_USE;

/*
 * The effective policy of the files PATHS, the newest first, at NOW_MS: the older ones still hold. Their
 * versions are numbered N … 1. Return: as load_policy() and policy_effective_new().
 */
int load_effective(const char *const *paths, size_t n, int64_t now_ms, struct policy_effective **ret,
                   struct err *err) MUST_USE;

#endif
