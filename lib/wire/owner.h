/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_OWNER_H
#define AVOW_WIRE_OWNER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"
#include "wire/wire.h"

/*
 * What secrets and approvals share: what they are for, and whose they are. Spec: SR-7, SR-12;
 * docs/protocol.md, "Secrets".
 */
#define OWNER_NAME_MAX       64 /* str_valid_name() */
#define OWNER_SIGNATURE_MAX  1024
#define DELEGATION_BYTES_MAX (16u * 1024)

/* The parts of a policyRef. Texts are names (str_valid_name()). */
struct secret_scope {
        char tenant[OWNER_NAME_MAX + 1];
        char class[OWNER_NAME_MAX + 1];
        char host[WIRE_HOST_MAX + 1];
        bool host_only; /* the policyRef names the host: such a root approves host by host */
};
int secret_scope_ref(const struct secret_scope *scope, struct digest *ret_policy_ref,
                     struct err *err) MUST_USE;

/*
 * The approval key, and the offline root that vouches for it (SR-12). Where there is a root, it is what
 * secrets are sealed under, and approval keys change without sealing again.
 */
struct owner {
        struct pubkey *key;  /* signs approvals and secrets */
        struct pubkey *root; /* NULL: KEY is the authority itself */
        struct buf
                delegation; /* the root's TPMT_SIGNATURE over KEY for one policyRef; empty without a root */
};
void owner_done(struct owner *owner);
/* The root, or KEY where there is none. Borrowed. */
const struct pubkey *owner_authority(const struct owner *owner);
/* Does the root vouch for KEY, for this policyRef? True without a root. */
int owner_check(const struct owner *owner, const struct digest *policy_ref, bool *ret_good,
                struct err *err) MUST_USE;

/*
 * KEY as the owner of what SCOPE names. D: the root's word for it, or NULL; it has to be for this key, tenant
 * and class (and host, if it names one). Return: 0; -ERR_CONFIG if it is for something else.
 */
struct delegation;
int owner_make(const struct pubkey *key, const struct delegation *d, const struct secret_scope *scope,
               struct owner *ret, struct err *err) MUST_USE;

/* As in the documents: {"key": SPKI, "root": SPKI, "delegation": TPMT_SIGNATURE}, all base64. */
int owner_from_json(const json_t *j, struct owner *ret, struct err *err) MUST_USE;
json_t *owner_to_json(const struct owner *owner) MUST_USE;

/*
 * What a root's holder gives to the holder of an approval key: avow.delegation/1, for every secret of a
 * class (of one host, if scope.host_only).
 */
struct delegation {
        struct secret_scope scope; /* host empty unless host_only */
        struct owner owner;        /* root and delegation always set */
};
int delegation_make(const struct secret_scope *scope, const struct key *root, const struct pubkey *key,
                    struct delegation *ret, struct err *err) MUST_USE;
/* For a root on a token: what it signs for KEY, appended. */
int delegation_message(const struct secret_scope *scope, const struct pubkey *key, struct buf *ret,
                       struct err *err) MUST_USE;
/* Puts together what ROOT signed (a TPMT_SIGNATURE over delegation_message()). */
int delegation_of(const struct secret_scope *scope, const struct pubkey *root, const struct pubkey *key,
                  struct view signature, struct delegation *ret, struct err *err) MUST_USE;
/* Return: 0 only if the root's signature is good, too; -ERR_FORMAT, -ERR_CRYPTO, … */
int delegation_decode(struct view text, struct delegation *ret, struct err *err) MUST_USE;
int delegation_encode(const struct delegation *d, struct buf *ret, struct err *err) MUST_USE;
void delegation_done(struct delegation *d);

#endif
