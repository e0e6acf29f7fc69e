/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_WORKLOAD_H
#define AVOW_WIRE_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/uuid.h"
#include "crypto/digest.h"

/*
 * What the workload service reads: evidence about a module that was loaded (ours, and the Trust Monitor's
 * body), allow-lists, and the records of the Trust Monitor's interface. Strangers send evidence, people with
 * a role the rest; all of it is read strictly. Spec: docs/protocol.md, "Workloads".
 */
#define WORKLOAD_ID_MAX         80   /* of lists, entities, infrastructures */
#define WORKLOAD_NAME_MAX       64   /* of technologies */
#define WORKLOAD_CERT_BYTES_MAX 8192 /* of one certificate */
#define WORKLOAD_CHAIN_MAX      4    /* certificates of our evidence */
#define WORKLOAD_SIGNATURE_MAX  255  /* what one byte of length can say */
#define WORKLOAD_BODY_MAX       (1 + WORKLOAD_SIGNATURE_MAX + WORKLOAD_CERT_BYTES_MAX)
#define WORKLOAD_EVIDENCE_MAX   65536
#define WORKLOAD_NONCE_BYTES    16
#define WORKLOAD_LIST_MAX       (1u << 20) /* digests of a list */
#define WORKLOAD_LIST_BYTES_MAX (128u << 20)
#define WORKLOAD_RECORD_MAX     65536
#define WORKLOAD_TECHNOLOGY     "enarx" /* of what names none */

/* ---- evidence ---- */

/* The Trust Monitor's body: one byte, that many bytes of a signature in DER, a certificate in DER to the end.
 * Borrowed from BODY. Return: 0; -ERR_FORMAT, -ERR_LIMIT. */
struct workload_body {
        struct view signature, certificate;
};
int workload_body_decode(struct view body, struct workload_body *ret, struct err *err) MUST_USE;

/* Our own: what is signed names the verifier, its challenge, the module. */
struct workload_evidence {
        char challenge[UUID_TEXT_BYTES];
        uint8_t nonce[WORKLOAD_NONCE_BYTES];
        char technology[WORKLOAD_NAME_MAX + 1];
        char entity[WORKLOAD_ID_MAX + 1]; /* "": none is named */
        struct digest digest;
        struct buf chain[WORKLOAD_CHAIN_MAX]; /* DER, the workload's first */
        size_t n_chain;
        struct buf signature; /* ECDSA, DER */
};
int workload_evidence_decode(struct view body, struct workload_evidence *ret, struct err *err) MUST_USE;
void workload_evidence_done(struct workload_evidence *e);
/* Appends what VERIFIER_ID expects to be signed. Return: 0; -ERR_NOMEM. */
int workload_signed_bytes(const struct workload_evidence *e, const char *verifier_id, struct buf *ret,
                          struct err *err) MUST_USE;

/* ---- allow-lists ---- */

/* Digests one after another, by kind, in the order in which they came; none twice is promised. */
enum workload_kind { WORKLOAD_SHA256, WORKLOAD_SHA384, WORKLOAD_N_KINDS };
enum digest_alg workload_kind_alg(enum workload_kind kind);

struct workload_list {
        char id[WORKLOAD_ID_MAX + 1];
        char technology[WORKLOAD_NAME_MAX + 1];
        struct buf digests[WORKLOAD_N_KINDS];
};
size_t workload_list_count(const struct workload_list *l);
void workload_list_done(struct workload_list *l);

/*
 * {"schema":"avow.workload-list/1","technology","digests":["sha256:HEX"|"HEX"…]}, and the Trust Monitor's
 * {"_id", "metadata":{"att_tech","hash_algo"}, "whitelist":{"wasm_hashes_list":[HEX…]}}: digits of either
 * case. One digest that is none, and the whole list is refused, naming it; an empty one is refused, too.
 * Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM.
 */
int workload_list_decode(struct view body, struct workload_list *ret, struct err *err) MUST_USE;
int workload_whitelist_decode(struct view body, struct workload_list *ret, struct err *err) MUST_USE;

/* A list as one blob, for the store, and back. */
int workload_list_pack(const struct workload_list *l, struct buf *ret, struct err *err) MUST_USE;
int workload_list_unpack(struct view blob, struct workload_list *ret, struct err *err) MUST_USE;

/* ---- records of the Trust Monitor's interface ---- */

/* An identifier: text, or a number, which is its decimal text. */
int workload_id_get(const json_t *obj, const char *name, char ret[WORKLOAD_ID_MAX + 1],
                    struct err *err) MUST_USE;
int workload_id_opt(const json_t *obj, const char *name, char ret[WORKLOAD_ID_MAX + 1],
                    struct err *err) MUST_USE;

/* Reads an entity (ALL: its obligatory members, too) or an attestation technology; the object is checked, and
 * is the caller's (json_decref). Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int workload_entity_decode(struct view body, bool all, json_t **ret, struct err *err) MUST_USE;
int workload_verifier_decode(struct view body, json_t **ret, struct err *err) MUST_USE;

#endif
