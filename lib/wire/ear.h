/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_EAR_H
#define AVOW_WIRE_EAR_H

#include <jansson.h>

#include "crypto/jwks.h"
#include "crypto/key.h"
#include "wire/wire.h"

/*
 * Attestation results for third parties: an EAR (EAT Attestation Result) as a JWT, ES256, with the
 * trustworthiness vector of AR4SI. One host, one audience, seconds to minutes. Spec: SR-20;
 * draft-ietf-rats-ear, draft-ietf-rats-ar4si, RFC 9711 (EAT), RFC 7519; docs/protocol.md, "Results".
 */
#define WIRE_EAR_PROFILE   "tag:github.com,2023:veraison/ear"
#define WIRE_EAR_TYP       "eat+jwt"
#define WIRE_EAR_MAX       (64 * 1024) /* bytes of the claims, and of a token */
#define WIRE_EAR_AUD_MAX   255
#define WIRE_EAR_NONCE_MIN 8 /* characters: RFC 9711 §4.1 */
#define WIRE_EAR_NONCE_MAX 88

enum ear_status { EAR_NONE = 0, EAR_AFFIRMING, EAR_WARNING, EAR_CONTRAINDICATED, EAR_N_STATUS };
const char *ear_status_name(enum ear_status status);

/* The claims of AR4SI that avow appraises. */
enum ear_claim { EAR_IDENTITY, EAR_CONFIGURATION, EAR_EXECUTABLES, EAR_HARDWARE, EAR_N_CLAIMS };
const char *ear_claim_name(enum ear_claim claim);
/* Values; the ranges of the tiers are AR4SI's: 2 to 31 affirm, 32 to 95 warn, above contraindicates. */
enum ear_value {
        EAR_NOT_APPRAISED = 0, /* left out */
        EAR_IDENTITY_KNOWN = 2,
        EAR_IDENTITY_BAD = 96,
        EAR_CONFIGURATION_APPROVED = 2,
        EAR_CONFIGURATION_BAD = 96,
        EAR_EXECUTABLES_APPROVED_BOOT = 3,
        EAR_EXECUTABLES_BAD = 96,
        EAR_HARDWARE_GENUINE = 2,
};

/* Texts are borrowed; NULL where absent. After decoding they belong to `root`. */
struct wire_ear {
        const char *issuer, *host, *audience, *nonce;
        int64_t evidence_s; /* "iat": when the evidence came */
        int64_t issued_s;   /* when this was signed */
        int64_t expires_s;
        const char *build; /* the verifier's program and version */
        enum ear_status status;
        int vector[EAR_N_CLAIMS]; /* enum ear_value */
        const char *verifier_id, *tenant;
        const char *state, *trust, *wipe; /* as `avow host show` has them */
        const char *reason;               /* why it is not affirming, in a word */
        bool enforced;
        const char *policy, *policy_sha256; /* the verdict was made under; NULL: there is none */
        int64_t policy_version;
        const char *ek_sha256, *ek_class, *ek_bound_by;
        const char *ak_certificate;
        /* Of the processor's evidence: its kind ("snp"), how it is bound ("rooted", "named"); NULL without.
         */
        const char *tee, *tee_binding;
        json_t *tee_submod; /* encode: the submodule of that kind, borrowed */
        json_t *root;       /* decode */
};

/* "urn:avow:verifier:ID"-like names and audiences: 1 to WIRE_EAR_AUD_MAX printable ASCII characters. */
bool wire_ear_valid_name(const char *s) MUST_USE;
/* WIRE_EAR_NONCE_MIN to _MAX characters of base64 or base64url. */
bool wire_ear_valid_nonce(const char *s) MUST_USE;

/* The JWT, signed; free() the text. Return: 0; -ERR_CRYPTO, -ERR_NOMEM. */
int wire_ear_sign(const struct wire_ear *m, const struct key *key, char **ret, struct err *err) MUST_USE;
/* The claims of a token whose signature was checked. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int wire_ear_decode(struct view claims, struct wire_ear *ret, struct err *err) MUST_USE;
void wire_ear_done(struct wire_ear *m);

/* ---- checking ---- */

/* A verifier's published keys, with the time in which each signed. */
struct wire_ear_keys {
        size_t n;
        struct {
                struct pubkey *key;
                int64_t since_s, until_s; /* 0: unsaid, still */
        } v[JWKS_KEYS_MAX];
};
/* A JWKS whose members may have "nbf" and "exp". Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int wire_ear_keys_parse(struct view text, struct wire_ear_keys *ret, struct err *err) MUST_USE;
void wire_ear_keys_done(struct wire_ear_keys *keys);

/* What the one who asked knows. */
struct wire_ear_wish {
        const char *audience;
        const char *nonce;  /* NULL: none is asked for */
        const char *issuer; /* NULL: any that holds one of the keys */
        const char *host;   /* NULL: any */
        int64_t now_s;
};
/*
 * Is TOKEN a result for the one who asked, now? *RET_WHY is NULL, and RET filled, or a sentence why not.
 * Whether what it says is good enough is the caller's to judge (RET->status). Return: 0; -ERR_CRYPTO,
 * -ERR_NOMEM.
 */
int wire_ear_check(struct view token, const struct wire_ear_keys *keys, const struct wire_ear_wish *wish,
                   struct wire_ear *ret, const char **ret_why, struct err *err) MUST_USE;

#endif
