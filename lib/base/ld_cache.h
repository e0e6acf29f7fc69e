/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_LD_CACHE_H
#define AVOW_BASE_LD_CACHE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"

/*
 * /etc/ld.so.cache: which paths the dynamic loader knows for a library's name. CACHE is the file's bytes.
 *
 * Appends all paths for NAME to RET_PLAIN and those for CPUs with certain features (glibc-hwcaps) to
 * RET_SPECIAL, in the file's order; a name that is not there adds nothing, and so does a cache in a form that
 * is not known: the loader then uses its default folders too. Return: 0; -ERR_FORMAT for a broken one,
 * -ERR_NOMEM. Spec: glibc 2.36, sysdeps/generic/dl-cache.h (struct cache_file_new).
 */
int ld_cache_find(struct view cache, const char *name, struct strv *ret_plain, struct strv *ret_special,
                  struct err *err) MUST_USE;

#endif
