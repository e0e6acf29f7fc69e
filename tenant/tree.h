/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_TREE_H
#define AVOW_TENANT_TREE_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/macro.h"
#include "base/map.h"

/*
 * A root file system, this machine's or an image's in a folder: names in it are resolved as the kernel would
 * with that folder as its root. Links are followed inside it only, whatever they say.
 */
struct tree {
        char *root;         /* without a slash at its end; "" for "/" */
        struct map folders; /* resolved ones by name */
};
int tree_init(struct tree *t, const char *root, struct err *err) MUST_USE;
void tree_done(struct tree *t);

/*
 * The place of PATH (absolute) without links in its folders: how the kernel names the file; a link as its
 * last part stays. Return: 0 (the caller frees); -ERR_IO (code ENOENT, ELOOP, …); -ERR_NOMEM.
 */
int tree_resolve(struct tree *t, const char *path, char **ret, struct err *err) MUST_USE;

/* Opens the regular file at a resolved place. Return: the descriptor; -ERR_IO with the errno (ELOOP: a link);
 * -ERR_CONFIG for what is no regular file. */
int tree_open(const struct tree *t, const char *place, struct stat *ret, struct err *err) MUST_USE;

/* ROOT and PATH, as this process names it. NULL: no memory. */
char *tree_outside(const struct tree *t, const char *path) MUST_USE;

#endif
