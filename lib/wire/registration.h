/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_REGISTRATION_H
#define AVOW_WIRE_REGISTRATION_H

#include "wire/wire.h"

/*
 * The registrar's v2 bodies, both directions. Answers are in the v2 envelope; what `_encode` of an answer
 * writes includes it, what `_decode` of one reads includes it (a code other than 200 inside is -ERR_PEER
 * with that code).
 * Spec: Keylime REST API 2.x, registrar.
 */

enum {
        WIRE_BLOB_MAX = 4096,     /* bytes of a credential blob */
        WIRE_NAMES_MAX = 1000000, /* hosts in one list */
};

enum wire_mtls { WIRE_MTLS_ABSENT, WIRE_MTLS_DISABLED, WIRE_MTLS_PEM };

/* POST /v2.x/agents/:id (or /agents with agent_id in the body). Every byte string is empty when absent or
 * null. Which of them must be there is the registrar's decision, not the decoder's. */
struct wire_registration {
        char host[WIRE_HOST_MAX + 1]; /* agent_id in the body; "" if it has none */
        struct buf ek;                /* ek_tpm: TPM2B_PUBLIC, whole with its size */
        struct buf ak;                /* aik_tpm: the same */
        char *ek_cert_pem;            /* ekcert as a PEM chain, leaf first; NULL if none or DER */
        struct buf ek_cert_der;       /* ekcert as one DER certificate; empty if none or PEM */
        enum wire_mtls mtls;
        char *mtls_cert;                  /* PEM when mtls is WIRE_MTLS_PEM */
        char *ip;                         /* a claim; NULL if none */
        int32_t port;                     /* a claim; -1 if none */
        struct buf iak, idevid;           /* TPM2B_PUBLIC */
        struct buf iak_cert, idevid_cert; /* DER */
        struct buf iak_attest, iak_sign;
};
int wire_registration_encode(const struct wire_registration *m, struct buf *ret, struct err *err) MUST_USE;
int wire_registration_decode(struct view body, struct wire_registration *ret, struct err *err) MUST_USE;
void wire_registration_done(struct wire_registration *m);

/* The 200 to it: {"blob": base64 of the credential file form}. */
int wire_challenge_blob_encode(struct view blob, struct buf *ret, struct err *err) MUST_USE;
int wire_challenge_blob_decode(struct view body, struct buf *ret_blob, struct err *err) MUST_USE;

/* PUT /v2.x/agents/:id: {"auth_tag": hex of HMAC-SHA-384}. The decoder demands exactly 48 bytes. */
#define WIRE_AUTH_TAG_BYTES 48
int wire_activation_encode(struct view tag, struct buf *ret, struct err *err) MUST_USE;
int wire_activation_decode(struct view body, uint8_t ret_tag[static WIRE_AUTH_TAG_BYTES],
                           struct err *err) MUST_USE;

/* GET /v2.x/agents: {"uuids": [...]}. */
struct wire_names {
        char **name;
        size_t n;
};
int wire_names_encode(const char *const *names, size_t n, struct buf *ret, struct err *err) MUST_USE;
/* Reads the registrar's flat list and the verifier's list of lists. */
int wire_names_decode(struct view body, struct wire_names *ret, struct err *err) MUST_USE;
void wire_names_done(struct wire_names *m);

/* GET /v2.x/agents/:id. */
struct wire_registrar_record {
        char host[WIRE_HOST_MAX + 1];
        struct buf ek, ak;      /* TPM2B_PUBLIC */
        struct buf ek_cert_der; /* empty: null */
        char *mtls_cert;        /* PEM, "disabled" or NULL */
        char *ip;
        int32_t port; /* -1: null */
        uint64_t regcount;
};
int wire_registrar_record_encode(const struct wire_registrar_record *m, struct buf *ret,
                                 struct err *err) MUST_USE;
int wire_registrar_record_decode(struct view body, struct wire_registrar_record *ret,
                                 struct err *err) MUST_USE;
void wire_registrar_record_done(struct wire_registrar_record *m);

#endif
