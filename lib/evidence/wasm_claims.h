/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_WASM_CLAIMS_H
#define AVOW_EVIDENCE_WASM_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"
#include "evidence/tee.h"
#include "evidence/wasm.h"

/*
 * wasmCloud's claims: a token in a custom section of the module ("wasmcloud_jwt", "jwt" in old files), signed
 * by an account's NKEY, over the module without that section.
 *
 * The key that checks the token is named by the token, so a good signature alone says nothing: who may sign
 * is the caller's list. And unlike wasmCloud's own library, a token whose hash is not this module's is never
 * good, however old its form: any token could be put on any module otherwise.
 */
#define WASM_CLAIMS_TOKEN_MAX (1u << 20)
#define WASM_CLAIMS_REVISION  3 /* of what is written here */

struct wasm_claims {
        json_t *doc;             /* the token's payload, owned; what follows is borrowed from it */
        const char *issuer;      /* A… */
        const char *subject;     /* M… */
        const char *name;        /* NULL: none */
        const char *version;     /* NULL: none */
        const char *hash;        /* 64 upper-case digits */
        int64_t revision;        /* the module's, `rev`: counts up with each build; 0 if none */
        int64_t claims_revision; /* of the format: 0, 2, 3 */
        bool has_not_before, has_expires;
        int64_t not_before_ms, expires_ms;
        const json_t *capabilities, *tags; /* arrays of strings, or NULL */
};
void wasm_claims_done(struct wasm_claims *c);

/* Whom the caller believes, for what. Lists that are empty (n == 0) trust nobody, or ask for nothing. */
struct wasm_trust {
        const char *const *accounts; /* issuers; required */
        size_t n_accounts;
        const char *const *subjects; /* modules; none: any module of those issuers */
        size_t n_subjects;
        int64_t revision_min; /* against going back; 0: any */
        int64_t now_ms;
};

enum wasm_signed { WASM_UNSIGNED, WASM_ACCEPTED, WASM_REJECTED };

/*
 * Checks the claims of a module. CHECKS gets each step by name; the words of those that fail:
 *
 *   claims-missing           no section (WASM_UNSIGNED: what that means is policy)
 *   claims-ambiguous         more than one section
 *   claims-malformed         no token, or one without what a module's claims need
 *   token-algorithm          signed otherwise than with Ed25519
 *   token-signature          not by the issuer that it names
 *   token-expired, token-not-yet-valid
 *   module-hash-mismatch     made for another module
 *   issuer-not-trusted, subject-not-allowed, module-revision-too-old
 *
 * All are made that can be: a module may fail several. RET has what could be read (zeros if nothing could)
 * and is the caller's. Return: 0 with *RET_SIGNED; -ERR_NOMEM, -ERR_CRYPTO.
 */
int wasm_claims_check(const struct wasm *wasm, const struct wasm_trust *trust, struct wasm_claims *ret,
                      struct tee_result *checks, enum wasm_signed *ret_signed, struct err *err) MUST_USE;

/*
 * The same of a TOKEN whose module is not at hand: HASH is what wasm_claims_digest_for() gave whoever has it.
 */
int wasm_claims_check_token(struct view token, const struct digest *hash, const struct wasm_trust *trust,
                            struct wasm_claims *ret, struct tee_result *checks, enum wasm_signed *ret_signed,
                            struct err *err) MUST_USE;

/* How many sections of the top level claims could be in; what is in the first of them. */
size_t wasm_claims_section(const struct wasm *wasm, struct view *ret);
/* The digest that the claims in TOKEN have to state for this module, by the rule of their own form; of a
 * token that cannot be read, by the newest. Return: as below. */
int wasm_claims_digest_for(const struct wasm *wasm, struct view token, struct digest *ret,
                           struct err *err) MUST_USE;

/* The digest that claims of this REVISION of the format state. Return: 0; -ERR_NOMEM, -ERR_CRYPTO. */
int wasm_claims_digest(const struct wasm *wasm, int64_t claims_revision, struct digest *ret,
                       struct err *err) MUST_USE;

/*
 * Appends the module with new claims, of revision 3, in place of any that it has. CLAIMS are the members of
 * the payload but `hash` and `wascap_revision`, which are set here; SEED is the issuer's. Return: 0;
 * -ERR_FORMAT if CLAIMS has no `wascap` object; -ERR_LIMIT, -ERR_NOMEM, -ERR_CRYPTO.
 */
int wasm_claims_sign(const struct wasm *wasm, json_t *claims, const uint8_t seed[ED25519_KEY_BYTES],
                     struct buf *out, struct err *err) MUST_USE;

#endif
