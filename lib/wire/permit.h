/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_PERMIT_H
#define AVOW_WIRE_PERMIT_H

#include "crypto/key.h"
#include "crypto/nkey.h"
#include "evidence/launch.h"
#include "wire/wire.h"

/*
 * A permit: the verifier's leave for one launch, a compact JWS (ES256, typ "avow-permit+jwt") by the key of
 * releases, whose public part travels with the keys of a login ("release"). Claims:
 *
 *   {"cache": seconds, "claims": {"issuer", "name"?, "revision", "subject", "version"?}?, "exp", "iat",
 * "iss": verifier's id, "jti": the permit's id, "launch": the descriptor, "launch_digest": "64 digits",
 *    "on_revocation": "kill"|"finish", "policies": [{"kind": "host"|"modules", "name", "sha256", "version"}],
 *    "policy_line": N, "sub": host, "tenant"}
 *
 * It allows its own launch until `exp`, with all the secrets that the descriptor names; and, with `cache` >
 * 0, launches without secrets of the same module, runtime and closure until iat + cache, while no verifier
 * answers. Spec: SR-20, SR-23.
 */
#define WIRE_PERMIT_MAX (32 * 1024) /* characters */
#define PERMIT_TYP      "avow-permit+jwt"
#define PERMIT_SKEW_MS  30000 /* between its clock and ours */

#define PERMIT_TEXT_MAX 128 /* bytes */

enum permit_end { PERMIT_KILL, PERMIT_FINISH }; /* what a revocation does to the running module */

struct permit_policy {
        char name[WIRE_HOST_MAX + 1];
        int64_t version;
        struct digest sha256;
};

struct permit_claims {
        char issuer[NKEY_TEXT_LEN + 1], subject[NKEY_TEXT_LEN + 1];
        char name[PERMIT_TEXT_MAX + 1], version[PERMIT_TEXT_MAX + 1];
        int64_t revision;
};

struct permit {
        char id[UUID_TEXT_BYTES];
        char verifier[WIRE_UUID_LEN + 1];
        char tenant[LAUNCH_NAME_MAX + 1]; /* as the verifier knows it */
        struct launch launch;             /* its host is `sub` */
        struct digest launch_digest;
        int64_t issued_at_s, expires_at_s;
        int64_t cache_s; /* 0: this launch only */
        enum permit_end on_revocation;
        /* What it rests on: the module policy, and the host's (none if that is a tpm_policy). */
        struct permit_policy policy, host_policy;
        bool has_host_policy;
        uint32_t line; /* of the item of `policy` that allows the module */
        /* The module's own claims, if it has any; "" where they say nothing, or more than fits. */
        bool has_claims;
        struct permit_claims claims;
};

/* Return: 0 with the text (free()); -ERR_FORMAT, -ERR_CRYPTO, -ERR_NOMEM. */
int permit_sign(const struct permit *p, const struct key *key, char **ret, struct err *err) MUST_USE;

/*
 * Checks JWS with KEYS and reads it: the digest is that of the descriptor in it. Return: 0 with *ret_good:
 * signed by one of them (false: RET is untouched); -ERR_FORMAT, -ERR_LIMIT if what was signed is no permit;
 * -ERR_CRYPTO, -ERR_NOMEM. Times are for permit_allows().
 */
int permit_open(struct view jws, struct pubkey *const *keys, size_t n_keys, struct permit *ret,
                bool *ret_good, struct err *err) MUST_USE;

enum permit_answer { PERMIT_NO, PERMIT_ITS_LAUNCH, PERMIT_FROM_CACHE };
/*
 * Does P allow L at NOW (wall clock; 30 s of skew are allowed for iat)? *RET_WHY (may be NULL) is a
 * sentence's end for PERMIT_NO: "it was for another module".
 */
enum permit_answer permit_allows(const struct permit *p, const struct launch *l, int64_t now_ms,
                                 const char **ret_why);

const char *permit_end_name(enum permit_end end);
bool permit_end_by_name(const char *name, enum permit_end *ret) MUST_USE;

#endif
