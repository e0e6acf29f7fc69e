/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_DSSE_H
#define AVOW_CRYPTO_DSSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

/*
 * Signed envelopes around any document, as policies travel in: {"payload", "payloadType", "signatures":
 * [{"keyid", "sig"}]}, signed over the type and the bytes. One algorithm: ECDSA with SHA-256, on any of our
 * curves. A key is never taken from the envelope; its "keyid" is a hint for people and not believed.
 * Spec: DSSE 1.0 (envelope.md, protocol.md); Keylime dsse/ecdsa.py.
 */
#define DSSE_TYPE_KEYLIME    "application/vnd.keylime+json"
#define DSSE_PAYLOAD_MAX     (64u * 1024 * 1024)
#define DSSE_SIGNATURES_MAX  16u
#define DSSE_KEYID_BYTES_MAX 16384u /* Keylime puts a whole certificate here */
#define DSSE_TEXT_MAX                                                                                        \
        (DSSE_PAYLOAD_MAX / 3 * 4 + DSSE_SIGNATURES_MAX * (DSSE_KEYID_BYTES_MAX + 1024u) + 65536u)

struct dsse_signature {
        char *keyid; /* "" if there is none */
        struct buf sig;
};

struct dsse {
        char *type;
        struct buf payload;
        struct dsse_signature *signatures;
        size_t n_signatures;
};

/* Appends what is signed: "DSSEv1", the lengths and values of TYPE and PAYLOAD. Spec: DSSE protocol, PAE. */
void dsse_pae(struct buf *b, struct view type, struct view payload);

/* A key's identifier as Keylime writes it: SHA-256 of its PEM, in hex. free() the text. */
int dsse_keyid(const struct pubkey *key, char **ret, struct err *err) MUST_USE;

/*
 * Takes an envelope apart. Nothing of it is believed before dsse_verify(). Members that are unknown are
 * ignored, and either alphabet of base64 is taken, as the specification has it. Return: 0; -ERR_FORMAT,
 * -ERR_LIMIT, -ERR_NOMEM.
 */
int dsse_parse(struct view text, struct dsse *ret, struct err *err) MUST_USE;
void dsse_done(struct dsse *d);

/*
 * An envelope without a signature; one more, which KEY's owner made over dsse_pae(): RAW is r ‖ s as
 * key_sign() gives it, is checked, and becomes DER; the JSON text (free()). Return: 0; -ERR_CRYPTO for a key
 * that is no EC key and a signature that is not KEY's, -ERR_LIMIT, -ERR_NOMEM.
 */
int dsse_new(const char *type, struct view payload, struct dsse *ret, struct err *err) MUST_USE;
int dsse_add(struct dsse *d, const struct pubkey *key, struct view raw, struct err *err) MUST_USE;
int dsse_text(const struct dsse *d, char **ret, struct err *err) MUST_USE;

/*
 * Is one of the signatures by one of KEYS? A signature is DER, or the two numbers side by side (both are in
 * use). Return: 0 with the answer, and if it is yes the key's number in *RET_KEY; -ERR_CRYPTO, -ERR_NOMEM.
 * The caller compares the type: a signature under another type is for another purpose.
 */
int dsse_verify(const struct dsse *d, const struct pubkey *const *keys, size_t n_keys, bool *ret_good,
                size_t *ret_key, struct err *err) MUST_USE;

#endif
