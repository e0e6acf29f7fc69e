/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_FIELD_H
#define AVOW_WIRE_FIELD_H

#include <jansson.h>

#include "base/json.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_public.h"
#include "wire/wire.h"

/* What the decoders and encoders of lib/wire share. Not for use outside of it. */

/* A member that must be there: a host id, a UUID, into an array of the message. */
int field_host(const json_t *obj, const char *name, char ret[static WIRE_HOST_MAX + 1],
               struct err *err) MUST_USE;
/* An optional text of at most MAX characters, copied. "" counts as absent. Return: 1, 0 (RET stays) or < 0.
 */
int field_opt_text(const json_t *obj, const char *name, size_t max, char **ret, struct err *err) MUST_USE;
/* Optional bytes of a Keylime field in lax base64. "" counts as absent. Return: 1, 0 (RET stays) or < 0. */
int field_opt_bytes(const json_t *obj, const char *name, size_t max, struct buf *ret,
                    struct err *err) MUST_USE;
/* A count that must be there. */
int field_count(const json_t *obj, const char *name, uint64_t *ret, struct err *err) MUST_USE;

/* {"hash_algorithms":["sha256",…]}: the names that BY_NAME knows, in their order, at most WIRE_LIST_MAX of
 * them; a missing list is an empty one. */
int field_algs(const json_t *obj, const char *name, uint16_t (*by_name)(const char *),
               uint16_t ret[static WIRE_LIST_MAX], size_t *ret_n, struct err *err) MUST_USE;
int field_set_algs(json_t *obj, const char *name, const char *(*name_of)(uint16_t), const uint16_t *algs,
                   size_t n) MUST_USE;

/* {"sha256":[0,1,…],"sha1":null}: banks we do not know are passed over. */
int field_banks(const json_t *obj, const char *name, struct wire_banks *ret, struct err *err) MUST_USE;
int field_set_banks(json_t *obj, const char *name, const struct wire_banks *banks) MUST_USE;

/* A public key as base64 of its SubjectPublicKeyInfo. from: with OPT, null or missing leaves *RET. */
int field_key(const json_t *obj, const char *name, bool opt, struct pubkey **ret, struct err *err) MUST_USE;
int field_set_key(json_t *obj, const char *name, const struct pubkey *key) MUST_USE;
/* A name of ours (str_valid_name()) of at most SIZE - 1 characters, into an array of the message. */
int field_name(const json_t *obj, const char *name, char *ret, size_t size, struct err *err) MUST_USE;
/* The TPM name of an NV index, SHA-256, in hex. */
int field_tpm_name(const json_t *obj, const char *name, struct tpm_name *ret, struct err *err) MUST_USE;
/* A SHA-256 digest in hex. */
int field_sha256(const json_t *obj, const char *name, struct digest *ret, struct err *err) MUST_USE;
/* member 'schema' must be WANTED. */
int field_schema(const json_t *obj, const char *wanted, struct err *err) MUST_USE;

/* Writes ROOT (taken) to RET if R is 0. Return: 0; -ERR_NOMEM. */
int field_emit(json_t *root, int r, struct buf *ret, struct err *err) MUST_USE;

/*
 * A JSON:API document with one resource. TYPE is the resource type that it must have; members at the top that
 * the specification does not know are refused. `attributes` and `meta` are borrowed from root; `avow` is
 * meta.avow; both are NULL when absent.
 * Spec: JSON:API 1.1, document structure.
 */
struct document {
        json_t *root;
        const json_t *data, *attributes, *meta, *avow;
        const char *id; /* NULL when absent */
};
int document_open(struct view body, size_t max, const char *type, struct document *ret,
                  struct err *err) MUST_USE;
void document_close(struct document *d);

/* A new one: ATTRIBUTES and META are taken, META, ID and SELF may be NULL. Return: NULL when out of memory or
 * when ATTRIBUTES is NULL. */
json_t *document_new(const char *type, const char *id, json_t *attributes, json_t *meta, const char *self);

/* {"avow": AVOW} with AVOW taken; NULL when out of memory. */
json_t *meta_new(json_t *avow);

#endif
