/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_MODULES_H
#define AVOW_VERIFIER_MODULES_H

#include "policy/module_policy.h"
#include "store/verifier_db.h"

/* The module policies in force, by name, each with the versions whose overlap has not ended. */
struct modules;

int modules_new(struct modules **ret, struct err *err) MUST_USE;
void modules_free(struct modules *m);

/* Takes VERSIONS (newest first, all of NAME) in place of what was there. Return: 0; -kind with nothing
 * changed, if one of them cannot be read. */
int modules_replace(struct modules *m, const char *name, const struct stored_policy *versions, size_t n,
                    struct err *err) MUST_USE;
void modules_remove(struct modules *m, const char *name);

/* All versions of all names, borrowed until the next change. */
const struct module_version *modules_all(const struct modules *m, size_t *ret_n);
/* The newest version's number; 0: there is none of this name. */
int64_t modules_newest(const struct modules *m, const char *name);

#endif
