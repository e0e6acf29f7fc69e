/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_KEYLIME_POLICY_H
#define AVOW_POLICY_KEYLIME_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "policy/allow.h"

/*
 * Keylime's runtime policy, version 1: JSON in and out, with everything that it can say, and what of it our
 * sets and patterns take over. What they cannot say is named, entry by entry. A signed policy is one in a
 * DSSE envelope (crypto/dsse.h). Spec: Keylime, ima/ima.py (RUNTIME_POLICY_SCHEMA), ima/types.py.
 */
#define KEYLIME_POLICY_BYTES_MAX (64u * 1024 * 1024)
#define KEYLIME_GENERATOR_TOOL   3 /* what a policy says that a tool wrote: LegacyAllowList */

/* A name and texts: a path and its digests in hex; a keyring and those of keys; a buffer and its. */
struct keylime_list {
        char *name;
        struct strv items;
};
struct keylime_lists {
        struct keylime_list *p;
        size_t n;
};

struct keylime_policy {
        int64_t version, generator, release;
        char *timestamp; /* NULL if none */
        struct keylime_lists digests, keyrings, ima_buf;
        struct strv excludes;         /* Python's regular expressions */
        struct strv ignored_keyrings; /* names, or "*" */
        char *log_hash_alg;
        char *dm_policy;         /* JSON text, or NULL for null, the only value that Keylime's servers take */
        char *verification_keys; /* "", or JSON text of its own: keyids and public keys */
};

/*
 * Reads a policy. All of its eight members have to be there and no other; of "ima" and "meta" Keylime's
 * defaults stand in for what is not. Return: 0; -ERR_FORMAT with member and item, -ERR_LIMIT, -ERR_NOMEM.
 */
int keylime_policy_parse(struct view json, struct keylime_policy **ret, struct err *err) MUST_USE;
void keylime_policy_free(struct keylime_policy *p);
DEFINE_AUTO(struct keylime_policy, keylime_policy_free)

/* As JSON text (free()). Return: 0; -ERR_FORMAT for a name that is no UTF-8, which JSON cannot say;
 * -ERR_NOMEM. */
int keylime_policy_text(const struct keylime_policy *p, char **ret, struct err *err) MUST_USE;

/*
 * Adds its digests to B, each for its path, with label LABEL. A text that is no digest of ours (SHA-224, a
 * length that nothing has) matches nothing here: RET_LOST gets a line that names it. Return: 0; as
 * allow_add().
 */
int keylime_policy_digests(const struct keylime_policy *p, struct allow_builder *b, uint32_t label,
                           struct strv *ret_lost, struct err *err) MUST_USE;

/* Appends the patterns that its excludes become; for each that cannot be said, a line to RET_LOST. Return: 0;
 * -ERR_NOMEM. */
int keylime_policy_excludes(const struct keylime_policy *p, struct strv *ret, struct strv *ret_lost,
                            struct err *err) MUST_USE;

#endif
