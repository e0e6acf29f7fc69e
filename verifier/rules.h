/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_RULES_H
#define AVOW_VERIFIER_RULES_H

#include <stdbool.h>

#include "policy/effective.h"
#include "store/verifier_db.h"

/*
 * The policies in memory: each compiled once, shared by all hosts that use it. A ruleset is a name with its
 * versions in force, or the content of a Keylime tpm_policy; its effective policy is made anew when its time
 * is over.
 */
struct rules;
struct ruleset;

int rules_new(struct rules **ret, struct err *err) MUST_USE;
void rules_free(struct rules *r);
DEFINE_AUTO(struct rules, rules_free)

/* Puts the versions in force (newest first, with texts) in the place of what NAME had. On failure NAME keeps
 * what it had. Return: 0; -ERR_CONFIG, -ERR_LIMIT, -ERR_NOMEM. */
int rules_replace(struct rules *r, const char *name, const struct stored_policy *versions, size_t n,
                  struct err *err) MUST_USE;
/* Forgets NAME. Hosts that use it keep what they hold. */
void rules_remove(struct rules *r, const char *name);
size_t rules_count(const struct rules *r); /* names */

/* What would hold with NEXT as NAME's next version and the ones before it holding until OVERLAP_MS. Return:
 * 0, or -kind as policy_effective_new(). */
int rules_check_next(struct rules *r, const char *name, struct policy *next, int64_t overlap_ms,
                     int64_t now_ms, struct policy_effective **ret, struct err *err) MUST_USE;

/* By name, borrowed, or NULL. A reference for a host: ruleset_ref, ruleset_unref. */
struct ruleset *rules_find(struct rules *r, const char *name);
/* From a tpm_policy (NULL: one that demands nothing), referenced. */
int rules_of_tpm_policy(struct rules *r, const char *json, struct ruleset **ret, struct err *err) MUST_USE;
struct ruleset *ruleset_ref(struct ruleset *s);
void ruleset_unref(struct ruleset *s);
DEFINE_AUTO(struct ruleset, ruleset_unref)

const char *ruleset_name(const struct ruleset *s); /* NULL: of a tpm_policy */
size_t ruleset_hosts(const struct ruleset *s);     /* references beside the table's own */
/* The newest version; NULL if there is none. */
const struct policy_version *ruleset_newest(const struct ruleset *s);
/* Who pushed that version, as an audit record says it; NULL: not known. */
const char *ruleset_pushed_by(const struct ruleset *s);
/* What holds for HOST at NOW_MS, borrowed until the next call for a host with the same overlays. Return: 0;
 * -ERR_CONFIG, -ERR_NOMEM. */
int ruleset_effective(struct ruleset *s, const char *host, int64_t now_ms,
                      const struct policy_effective **ret, struct err *err) MUST_USE;

#endif
