/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_WIRE_H
#define AVOW_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/tee.h"

/*
 * What the messages of the HTTP interfaces have in common: media types, limits, and the few names that both
 * sides spell (hash algorithms, signature schemes, PCR selections, verdict words).
 *
 * Every message of lib/wire is a struct with a pair of functions, wire_X_encode() and wire_X_decode(), and
 * wire_X_done() where it owns memory. All of them are pure: bytes in, a value out, no clock, no socket.
 *
 * Encoders append to `struct buf *ret`; on failure what was appended is taken back. Decoders write *ret only
 * on success. What a decoder returned is freed with wire_X_done(); done on a zeroed value and twice is fine.
 * All decoders answer a peer's malformed bytes with -ERR_FORMAT, and what exceeds a limit named here with
 * -ERR_LIMIT; the texts name the member, never its value.
 */

#define WIRE_TYPE_JSON     "application/json"
#define WIRE_TYPE_JSON_API "application/vnd.api+json"
#define WIRE_TYPE_PROBLEM  "application/problem+json"
#define WIRE_TYPE_JSON_SEQ "application/json-seq"
#define WIRE_TYPE_OCTETS   "application/octet-stream"

enum {
        WIRE_HOST_MAX = 80,           /* characters of a host id */
        WIRE_UUID_LEN = 36,           /* session ids, verifier ids */
        WIRE_CHALLENGE_MIN = 8,       /* bytes; Keylime sends 16, we send 32 */
        WIRE_CHALLENGE_MAX = 64,      /* what fits TPM2B_DATA with SHA-512 names */
        WIRE_SIGNERS_MAX = 16 * 1024, /* bytes of meta.avow.keys */
        WIRE_TOKEN_MAX = 256,         /* characters of a bearer token */
        WIRE_ATTEST_MAX = 2048,       /* bytes of a TPMS_ATTEST */
        WIRE_SIGNATURE_MAX = 1024,    /* bytes of a TPMT_SIGNATURE */
        WIRE_PUBLIC_MAX = 1024,       /* bytes of a TPM2B_PUBLIC or TPMT_PUBLIC */
        WIRE_NAME_MAX = 66,           /* bytes of a TPM name */
        WIRE_PCR_BLOB_MAX = 136 + 8 * 532,
        WIRE_TEE_MAX =
                TEE_EVIDENCE_BYTES_MAX, /* bytes of a processor's evidence, and of what comes along with it */
        WIRE_CERT_TEXT_MAX = 64 * 1024, /* characters of a PEM chain or of a certificate's base64 */
        WIRE_ITEMS_MAX = 8,             /* evidence items of one message */
        WIRE_BANKS_MAX = 8,             /* PCR banks of one selection or offer */
        WIRE_KEYS_MAX = 8,              /* certification keys of one offer; the first "ak" counts */
        WIRE_LIST_MAX = 64,             /* names in a list of algorithms or formats */
        WIRE_TEXT_MAX = 4096,           /* characters of any other text */
        WIRE_BODY_MAX = 16 * 1024 * 1024, /* bytes of a body with logs; servers may allow less */
        WIRE_SMALL_BODY_MAX = 256 * 1024, /* bytes of a body that carries no log */
};

/* Signature schemes and hash algorithms by their TPM_ALG_ID. 0 stands for a name that we do not know. */
enum wire_scheme { WIRE_RSASSA = 0x0014, WIRE_RSAPSS = 0x0016, WIRE_ECDSA = 0x0018 };

/* "sha256" → 0x000b, "sha1", "sha384", "sha512"; 0 if unknown. And back; NULL if unknown. */
uint16_t wire_hash_by_name(const char *name);
const char *wire_hash_name(uint16_t alg);
/* "rsassa", "rsapss", "ecdsa" → enum wire_scheme; 0 if unknown. And back; NULL if unknown. */
uint16_t wire_scheme_by_name(const char *name);
const char *wire_scheme_name(uint16_t scheme);

/* One bank and the PCRs of it, bit n for PCR n (0 to 23). */
struct wire_bank {
        uint16_t alg;
        uint32_t pcrs;
};

/* A selection, or what is on offer: banks in the order of the message, none twice, none that is empty. */
struct wire_banks {
        struct wire_bank bank[WIRE_BANKS_MAX];
        size_t n;
};

/* The kinds of evidence. Of other kinds a decoder remembers nothing. */
enum wire_evidence_type {
        WIRE_TPM_QUOTE, /* class "certification" */
        WIRE_CEL_LOG,   /* class "log" from here on; this one is ours, the others Keylime's */
        WIRE_UEFI_LOG,
        WIRE_IMA_LOG,
        WIRE_LAUNCH_LOG, /* ours: what was launched (evidence/launch.h) */
        WIRE_TEE_SNP,    /* evidence of the processor; ours */
        WIRE_TEE_TDX,
        WIRE_TEE_SGX,
        WIRE_N_EVIDENCE_TYPES,
};

/* "tpm_quote", "cel_log", …. The class is "certification" or "log". */
const char *wire_evidence_name(enum wire_evidence_type type);
const char *wire_evidence_class(enum wire_evidence_type type);
/* A processor's evidence: "tee_snp" and its like. */
bool wire_is_tee(enum wire_evidence_type type);
enum wire_evidence_type wire_tee_type(enum tee_kind kind);
/* Return: false if the name is none of ours. */
bool wire_evidence_by_name(const char *name, enum wire_evidence_type *ret) MUST_USE;

/* What an attestation came to, as it stands on the wire. */
enum wire_evaluation { WIRE_PENDING, WIRE_PASS, WIRE_FAIL, WIRE_INCONCLUSIVE, WIRE_N_EVALUATIONS };
const char *wire_evaluation_name(enum wire_evaluation e);

/* How far an attestation has come. */
enum wire_stage { WIRE_AWAITING, WIRE_EVALUATING, WIRE_COMPLETE, WIRE_N_STAGES };
const char *wire_stage_name(enum wire_stage s);

#endif
