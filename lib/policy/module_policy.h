/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_MODULE_POLICY_H
#define AVOW_POLICY_MODULE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/launch.h"
#include "evidence/verdict.h"

/*
 * A module policy: which modules a tenant's hosts may run, in which runtimes, with which secrets. Compiled
 * once from its text; read-only after that. The format is avow-modules(5):
 *
 *   format: avow-modules/1
 *   name: web
 *   keys:
 *     release-2026: {pem: |…}                 # ECDSA or Ed25519
 *   allow:
 *     - digest: HEX | [HEX…]                  # SHA-256 or SHA-384 of the module
 *     - wascap: {accounts: [A…], subjects: [M…], rev: N, capabilities: [TEXT…]}
 *     - signer: release-2026 | [NAME…]
 *   # each item: comment, until, hosts, runtimes, secrets, permits, on_revocation
 *   deny: [HEX…]
 *   closures: {wasmtime: [HEX…]}              # SHA-256 of manifests (evidence/launch_closure.h)
 *   secrets: [NAME…]                          # that any module allowed here may ask for
 *   permits: {lifetime: 30s, cache: 0s}
 *   on_revocation: kill | finish
 *
 * What is allowed by digest needs no signature. What is allowed by a signer needs one that is good for these
 * very bytes; claims that are there and are not good refuse the module, whatever else allows it.
 */
#define MODULE_POLICY_TEXT_MAX  (16u * 1024 * 1024)
#define MODULE_POLICY_FORMAT    "avow-modules/1"
#define MODULE_PERMIT_DEFAULT_S 30
/* An Ed25519 signature is over this label, a zero byte, and the SHA-256 of the module: the verifier has no
 * more of it. ECDSA signatures are over the module's bytes, with SHA-256, on P-384 and P-521 SHA-384. */
#define MODULE_SIGNATURE_LABEL "avow-module-v1"
/* DSSE: an in-toto Statement (v0.1, v1), of whose subjects one has the module's digest. */
#define MODULE_DSSE_TYPE "application/vnd.in-toto+json"

struct module_policy;

/* Return: 0; -ERR_CONFIG with "SOURCE:LINE:COLUMN: …"; -ERR_LIMIT, -ERR_NOMEM. Nothing of TEXT is kept. */
int module_policy_parse(struct view text, const char *source, struct module_policy **ret,
                        struct err *err) MUST_USE;
struct module_policy *module_policy_ref(struct module_policy *p);
void module_policy_unref(struct module_policy *p);
DEFINE_AUTO(struct module_policy, module_policy_unref)
const char *module_policy_name(const struct module_policy *p);
const struct digest *module_policy_digest(const struct module_policy *p); /* SHA-256 of the text */
/* For lists: how many items, keys, closures. */
struct module_policy_sum {
        size_t n_items, n_digests, n_signers, n_accounts, n_closures, n_denied;
};
void module_policy_sum(const struct module_policy *p, struct module_policy_sum *ret);

/* A version in force, as of host policies: older ones hold until `until_ms`. */
struct module_version {
        const struct module_policy *policy;
        int64_t version;
        int64_t until_ms; /* POLICY_NEVER: the newest */
};

/* What is asked. All is borrowed; claims, signature and envelope are empty if there is none. */
struct module_request {
        const struct launch *launch;
        struct view claims;    /* the token's text; launch->claims_token has to be its digest */
        struct view signature; /* detached */
        struct view envelope;  /* DSSE */
        int64_t now_ms;
};

struct module_answer {
        bool allowed;
        struct verdict *verdict; /* PASS or FAIL; the findings, in words, of what allows or refuses */
        /* Allowed: by this item of this version. */
        const struct module_version *by;
        uint32_t line;
        int64_t lifetime_s, cache_s;
        bool finish; /* on_revocation: finish */
        /* Refused: the word and the sentence of the finding that came nearest to an answer, borrowed from
         * the verdict: docs/protocol.md, "Launches". */
        const char *type, *detail, *next;
};

/*
 * VERSIONS are all that are in force for the tenant, of every policy. One that allows is enough; one that
 * denies, and bad claims, refuse. Return: 0; -ERR_NOMEM, -ERR_CRYPTO.
 */
int module_policy_judge(const struct module_version *versions, size_t n, const struct module_request *request,
                        struct module_answer *ret, struct err *err) MUST_USE;
void module_answer_done(struct module_answer *a);

#endif
