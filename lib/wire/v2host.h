/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_V2HOST_H
#define AVOW_WIRE_V2HOST_H

#include <jansson.h>

#include "wire/wire.h"

/*
 * The verifier's v2 admin bodies about hosts: what keylime_tenant sends to add one and what it reads back.
 * Spec: Keylime REST API 2.x, verifier.
 */

#define WIRE_FIXED_PCRS_MAX 256 /* values in one tpm_policy */

/* POST /v2.x/agents/:id. Texts are NULL when null, empty or absent. */
struct wire_v2_add {
        char *ip;                /* cloudagent_ip; NULL in push mode */
        int32_t port;            /* -1 if none */
        char *tpm_policy;        /* JSON text */
        struct wire_fixed_pcrs { /* the same, read */
                struct wire_fixed_pcr {
                        uint8_t index;
                        uint8_t len;
                        uint8_t b[64];
                } * value; /* several values of one PCR are alternatives */
                size_t n;
        } pcrs;
        struct buf runtime_policy; /* decoded from base64 */
        char *runtime_policy_name;
        struct buf runtime_policy_key;
        char *mb_policy; /* JSON text */
        char *mb_policy_name;
        char *ima_keys;       /* ima_sign_verification_keys: JSON text; "[]" reads as NULL */
        char *metadata;       /* JSON text */
        char *revocation_key; /* PEM */
        json_t *accept_hash, *accept_enc, *accept_sign; /* arrays of text */
        struct buf ak;                                  /* ak_tpm: TPM2B_PUBLIC */
        char *mtls_cert;
        char *supported_version; /* "2.6"; "3.0" in push mode */
        bool has_v;              /* a V key came along (its bytes are not kept) */
};
int wire_v2_add_decode(struct view body, struct wire_v2_add *ret, struct err *err) MUST_USE;
/* For tests and for adding hosts at a Keylime verifier: every key is written, null where NULL. */
int wire_v2_add_encode(const struct wire_v2_add *m, struct buf *ret, struct err *err) MUST_USE;
void wire_v2_add_done(struct wire_v2_add *m);

/* GET /v2.x/agents/:id (and one member of ?bulk=True). Borrowed. NULL texts are null, times 0 are null. */
struct wire_v2_record {
        int operational_state; /* 0-10, see Keylime's states */
        const char *ip;
        int32_t port; /* -1: null */
        const char *tpm_policy, *metadata;
        bool has_mb_policy, has_runtime_policy;
        const json_t *accept_hash, *accept_enc, *accept_sign; /* NULL: [] */
        const char *hash_alg, *enc_alg, *sign_alg;            /* NULL: "" */
        const char *verifier_id, *verifier_ip;
        int32_t verifier_port;
        bool has_severity;
        int severity_level;
        const char *last_event_id;
        uint64_t attestation_count;
        int64_t last_quote_at_ms, last_success_at_ms; /* written as epoch seconds */
        const char *attestation_status;               /* PASS, FAIL, PENDING, TIMEOUT */
        int64_t interval_ms; /* attestation_period; five times it: maximum_attestation_interval */
};
int wire_v2_record_encode(const struct wire_v2_record *m, struct buf *ret, struct err *err) MUST_USE;
/* GET /v2.x/agents/?bulk=True: a map from name to record. */
int wire_v2_bulk_encode(const char *const *names, const struct wire_v2_record *records, size_t n,
                        struct buf *ret, struct err *err) MUST_USE;
/* GET /v2.x/agents/: {"uuids":[["a"],["b"]]}. */
int wire_v2_uuids_encode(const char *const *names, size_t n, struct buf *ret, struct err *err) MUST_USE;

#endif
