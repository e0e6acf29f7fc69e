/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_EVENT_H
#define AVOW_WIRE_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/revocation_order.h"

/*
 * What the world is told when a host's trust changes: the revocation as a verifier signed it, the event that
 * hooks get, and the headers that prove who sent it.
 * Spec: CloudEvents 1.0.2 (structured JSON), Standard Webhooks 1.0.0, SR-3, SR-8.
 */
#define PROOF_BYTES_MAX (8u << 20) /* of a wipe: it holds the log */
#define EVENT_TYPE_JSON "application/cloudevents+json"

/* "org.avow.host.suspended", "org.avow.host.revoked", "org.avow.host.reinstated". */
const char *reaction_event_type(enum reaction reaction);

/* The payload of a revocation: {"schema":"avow.revocation/1", …}. Texts are borrowed from `doc`. */
struct revocation {
        json_t *doc; /* owned */
        char id[REVOCATION_ID_BYTES];
        const char *host, *tenant, *severity, *policy, *reason; /* the last three may be NULL */
        int64_t seq;                                            /* of the id */
        enum reaction reaction;
        int64_t issued_at_ms;
        const json_t *labels; /* {"NAME": "VALUE"} of the host, or NULL */
};

/* Reads a payload whose signature was good. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int revocation_parse(struct view payload, struct revocation *ret, struct err *err) MUST_USE;
void revocation_done(struct revocation *r);

/*
 * The event that hooks get: id is the revocation's, source `urn:avow:tenant:TENANT`, subject the host, data
 * the payload with the registrar's nonce and, as "jws", the verifier's own signed words. free() the text.
 */
int event_make(const struct revocation *r, const char *jws, const char *nonce, char **ret,
               struct err *err) MUST_USE;
/* What `hook test` sends: org.avow.hook.test. */
int event_make_test(const char *id, const char *hook, const char *tenant, int64_t now_ms, char **ret,
                    struct err *err) MUST_USE;

/* Secrets of webhooks, as their consumers' libraries want them: "whsec_BASE64" (HMAC-SHA256, 24 to 64 bytes),
 * "whsk_BASE64" (an Ed25519 seed). */
enum webhook_scheme { WEBHOOK_HMAC, WEBHOOK_ED25519 };
/* A new one from the system's random numbers; free() it. */
int webhook_secret_new(enum webhook_scheme scheme, char **ret, struct err *err) MUST_USE;
/* Return: 0 if it is one; -ERR_FORMAT. */
int webhook_secret_check(const char *secret, struct err *err) MUST_USE;
/* What consumers of an Ed25519 key are given: "whpk_BASE64"; NULL for an HMAC's. free() it. */
int webhook_secret_public(const char *secret, char **ret, struct err *err) MUST_USE;

/*
 * The value of webhook-signature over `ID.TIMESTAMP.BODY`: one signature for each of the N secrets (two
 * during a rotation), parted by blanks. free() it.
 */
int webhook_sign(const char *const *secrets, size_t n, const char *id, int64_t timestamp_s, struct view body,
                 char **ret, struct err *err) MUST_USE;

#endif
