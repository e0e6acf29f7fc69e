/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_MODULE_IMPL_H
#define AVOW_POLICY_MODULE_IMPL_H

#include "base/str.h"
#include "crypto/ed25519.h"
#include "crypto/pubkey.h"
#include "policy/module_policy.h"
#include "policy/pattern.h"

/* The inside of a module policy: for module_*.c alone. */

#define MODULE_ITEMS_MAX   100000u
#define MODULE_DIGESTS_MAX 1000000u
#define MODULE_LIST_MAX    1024u /* names in one list */

/* A public key of the policy: one of the two. */
struct module_key {
        char *name;
        struct pubkey *ec; /* NULL: Ed25519 */
        uint8_t ed25519[ED25519_KEY_BYTES];
        int64_t until_ms;
        uint32_t line;
};

enum module_by { MODULE_BY_DIGEST, MODULE_BY_WASCAP, MODULE_BY_SIGNER };

/* What a module may have; of an item, or what the policy says for all. */
struct module_terms {
        bool has_secrets, has_permits, has_end;
        struct strv secrets;
        int64_t lifetime_s, cache_s;
        bool finish;
};

struct module_item {
        enum module_by by;
        uint32_t line;
        char *comment; /* NULL: none */
        int64_t until_ms;
        struct pattern_set *hosts; /* NULL: every host */
        struct strv runtimes;      /* none: every runtime that `closures` has */
        struct module_terms terms; /* with the policy's where the item says nothing */
        struct strv accounts, subjects, capabilities;
        bool has_capabilities; /* it lists those that a module may claim */
        int64_t revision_min;
        struct strv signers; /* names of keys */
};

/* A digest that is allowed (by which item), denied, or a closure's. */
struct module_digest {
        struct digest d;
        uint32_t item, line;
        int64_t until_ms;
};
struct module_digests {
        struct module_digest *v;
        size_t n, cap;
};

struct module_closures {
        char *runtime;
        struct module_digests digests;
};

struct module_policy {
        unsigned refs; /* atomic */
        char *name, *description;
        struct digest sha256;
        struct module_key *keys;
        size_t n_keys;
        struct module_item *items;
        size_t n_items;
        struct module_digests allowed, denied; /* sorted by value */
        struct module_closures *closures;
        size_t n_closures;
        struct module_terms terms;
};

void module_policy_free(struct module_policy *p);
DEFINE_AUTO(struct module_policy, module_policy_free)

/* The N-th entry of a digest; NULL behind the last. */
const struct module_digest *module_find(const struct module_digests *in, const struct digest *d, size_t n);
void module_sort(struct module_digests *d);

/* module_signed.c: is the module of REQUEST signed by KEY? Return: 0 with the answer; -ERR_NOMEM,
 * -ERR_CRYPTO. */
int module_signed_by(const struct module_request *request, const struct module_key *key, bool *ret,
                     struct err *err) MUST_USE;

#endif
