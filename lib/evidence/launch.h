/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_LAUNCH_H
#define AVOW_EVIDENCE_LAUNCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "base/uuid.h"
#include "crypto/digest.h"
#include "evidence/cel.h"

/*
 * A launch: one module, in one runtime, with one input, on one host. What the launcher says of it is the
 * descriptor; a permit (wire/permit.h) is for exactly one descriptor, and the launch log holds its digest.
 *
 * The digest is SHA-256("avow-launch-v1" 00 ‖ the descriptor's canonical text): JSON in one line without
 * blanks, members sorted, digests in lower-case hex. Names are plain (str_valid_name()), so that there is one
 * spelling: `json.dumps(d, sort_keys=True, separators=(",", ":"))` in Python. Spec: SR-21 to SR-23.
 *
 *   {"arguments": "64 digits", "closure": "64 digits", "host": "…", "id": "UUID", "input": "64 digits"?,
 *    "module": {"claims": {"hash": "64 digits", "token": "64 digits"}?, "sha256", "sha384", "size"},
 *    "nonce": "0 to 128 digits", "runtime": "…", "schema": "avow.launch/1", "secrets": ["…"],
 *    "tenant": "…"?}
 */
#define LAUNCH_NAME_MAX     64 /* characters of a runtime's, a tenant's, a secret's name */
#define LAUNCH_HOST_MAX     80
#define LAUNCH_NONCE_MAX    64
#define LAUNCH_SECRETS_MAX  16
#define LAUNCH_TOKEN_MAX    (32u * 1024) /* bytes of a module's claims */
#define LAUNCH_TEXT_MAX     (8u * 1024)  /* bytes of a descriptor's text */
#define LAUNCH_MODULE_MAX   ((uint64_t)256 << 20)
#define LAUNCH_PERMIT_MAX_S 600         /* no permit is good for longer, */
#define LAUNCH_CACHE_MAX_S  (7 * 86400) /* nor from a cache */
#define LAUNCH_PCR_DEFAULT  13u         /* SR-23: never 15, 16, 23, and none that a sealing policy selects */

struct launch {
        char id[UUID_TEXT_BYTES]; /* drawn by the agent, for this launch alone */
        char host[LAUNCH_HOST_MAX + 1];
        char tenant[LAUNCH_NAME_MAX + 1]; /* "": not said; the host's own, whatever it is */
        char runtime[LAUNCH_NAME_MAX + 1];
        struct digest sha256, sha384; /* of the module's bytes */
        uint64_t size;
        /* Of a module with wasmCloud claims (launch_of_module()): SHA-256 of the token's text, and the hash
         * that claims of its form have to state for these bytes. */
        bool has_claims;
        struct digest claims_token, claims_hash;
        struct digest closure;   /* SHA-256 of the runtime's manifest (evidence/launch_closure.h) */
        struct digest arguments; /* launch_arguments(): what the caller gave behind the module */
        bool has_input;
        struct digest input;             /* SHA-256 of the input file's bytes, if there is one */
        uint8_t nonce[LAUNCH_NONCE_MAX]; /* the client's */
        size_t nonce_len;
        size_t n_secrets; /* asked for by name: sorted, each once */
        char secrets[LAUNCH_SECRETS_MAX][LAUNCH_NAME_MAX + 1];
};

/*
 * Fills sha256, sha384, size and the claims' members from the MODULE's bytes, and appends the token's text to
 * TOKEN (nothing without claims). A module that breaks the row of sections (evidence/wasm.h), has two
 * sections with claims, or one that is no text, is refused. Return: 0; -ERR_FORMAT, -ERR_LIMIT; -ERR_NOMEM,
 * -ERR_CRYPTO.
 */
int launch_of_module(struct view module, struct launch *l, struct buf *token, struct err *err) MUST_USE;
/* SHA-256 over each argument followed by a zero byte; over nothing without arguments. */
int launch_arguments(const char *const *args, size_t n, struct digest *ret, struct err *err) MUST_USE;
/* Adds the name of a secret in its place; a name that is there stays once. Return: 0; -ERR_FORMAT for what is
 * no name; -ERR_LIMIT. */
int launch_add_secret(struct launch *l, const char *name, struct err *err) MUST_USE;
bool launch_wants_secret(const struct launch *l, const char *name);

/* The canonical text; its digest. Return: 0; -ERR_FORMAT for a value that could not be read back; -ERR_NOMEM,
 * -ERR_CRYPTO. */
int launch_encode(const struct launch *l, struct buf *ret, struct err *err) MUST_USE;
int launch_digest(const struct launch *l, struct digest *ret, struct err *err) MUST_USE;
/* As a member of a message; and from it, strictly. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
void launch_put(struct json_out *o, const char *name, const struct launch *l);
int launch_from_json(const json_t *j, struct launch *ret, struct err *err) MUST_USE;

/*
 * The records of the launch log: CEL records of ours (evidence/cel.h) of two kinds, "launch" before a runtime
 * is started, and "mapped" when its executable mappings were first looked at and whenever they change. The
 * register covers all that they say but the times, because their digest in each bank is made of it: that of
 * LAUNCH_RECORD_LABEL 00 ‖ kind 00 ‖ launch digest, and then
 *
 *   launch: module's SHA-256 ‖ closure ‖ runtime 00 ‖ permit id 00 ‖ cached (one byte, 0 or 1)
 *   mapped: mappings ‖ for each foreign file: its SHA-256 ‖ path 00
 *
 * REC needs its kind, and the members of that kind. Return: 0; -ERR_FORMAT without them; -ERR_CRYPTO.
 */
#define LAUNCH_RECORD_LABEL "avow-launch-record-v1"
int launch_record_digest(enum digest_alg bank, const struct cel_record *rec, struct digest *ret,
                         struct err *err) MUST_USE;
/* Is REC one of the two whose digest in BANK is that of its content? False: its words are claims, and no
 * launcher of ours wrote it. Return: 0 with the answer; -ERR_CRYPTO. */
int launch_record_is(const struct cel_record *rec, enum digest_alg bank, bool *ret, struct err *err) MUST_USE;

#endif
