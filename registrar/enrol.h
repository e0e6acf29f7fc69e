/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_ENROL_H
#define AVOW_REGISTRAR_ENROL_H

#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "candidates.h"
#include "crypto/trust.h"
#include "settings.h"
#include "store/registrar_db.h"
#include "wire/registration.h"

/*
 * What a registration is worth, before anything is proven: is the EK one, does its certificate hold, is the
 * AK a key that can be believed (SR-10)? And the challenge whose answer proves that both live in one TPM. No
 * sockets, no database, no clock.
 */
struct enrol_rules {
        enum ek_policy policy;
        enum cert_malformed malformed;
        const struct trust *roots;
};

/* Why not, for the peer: an HTTP status (400 malformed, 403 refused) and a sentence. */
struct enrol_refusal {
        int status; /* 0: it was not refused */
        char text[384];
};

/*
 * Judges M, sent by SOURCE for NAME. Return: 0 with a candidate that has no challenge yet, or with *ret
 * untouched and the refusal filled in; -ERR_NOMEM, -ERR_CRYPTO.
 */
int enrol_appraise(const struct enrol_rules *rules, const char *name, const char *source,
                   const struct wire_registration *m, int64_t now_ms, struct candidate **ret,
                   struct enrol_refusal *refusal, struct err *err) MUST_USE;

/* A candidate from what the name has proven before, for Keylime's re-registration without keys. */
int enrol_again(const struct registrar_host *host, const char *source, struct candidate **ret,
                struct err *err) MUST_USE;

/* Makes the challenge: appends the credential to RET and keeps the tag that its answer must have. */
int enrol_challenge(struct candidate *c, struct buf *ret, struct err *err) MUST_USE;

/* May this identity have the name, as far as HOST (NULL: nothing is known of it) goes? Return: NULL, or why
 * not. */
const char *enrol_conflict(const struct registrar_host *host, const struct identity *id);

/* The AK issuer. */
struct ak_ca {
        struct cert_list chain; /* the issuer first */
        struct key *key;
};
int ak_ca_load(const char *cert_path, const char *key_path, struct ak_ca *ret, struct err *err) MUST_USE;
void ak_ca_done(struct ak_ca *ca);

/*
 * Issues the AK certificate of a proven identity and puts it there. SAN URIs: urn:avow:host:NAME,
 * urn:avow:ek-sha256:HEX, urn:avow:ak-attributes:0xHEX, urn:avow:ek-class:CLASS, and
 * urn:avow:ek-cert-sha256:HEX if there is an EK certificate. Valid for a year, or until the issuer's end.
 * Spec: SR-10.
 */
int ak_ca_issue(const struct ak_ca *ca, const char *name, int64_t now_ms, struct identity *id,
                struct err *err) MUST_USE;

#endif
