/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_ENDORSE_WANT_H
#define AVOW_ENDORSE_WANT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/endorsements.h"

/*
 * What a piece of evidence needs to be vouched for, and where its vendor has it: names in the cache, paths at
 * AMD's key server (KDS) and at Intel's provisioning service (PCS; caching services, PCCS, have the same
 * paths). The evidence proves nothing yet: its numbers only choose what is asked for.
 * Spec: AMD 57230 §4; Intel API v4 for provisioning certification.
 */
enum endorse_server {
        ENDORSE_AMD,        /* https://kdsintf.amd.com */
        ENDORSE_INTEL,      /* https://api.trustedservices.intel.com */
        ENDORSE_INTEL_ROOT, /* https://certificates.trustedservices.intel.com */
        ENDORSE_N_SERVERS,
};

#define ENDORSE_WANTS_MAX  8
#define ENDORSE_NAME_BYTES 128
#define ENDORSE_PATH_BYTES 320

struct endorse_want {
        enum endorse_server server;
        enum endorsement_kind kind;    /* what has to come */
        char name[ENDORSE_NAME_BYTES]; /* in the cache: "amd-milan-vcek-1f….der", no folder */
        char path[ENDORSE_PATH_BYTES]; /* at the server, with its query */
        const char *chain_header;      /* the answer's header with the signer's chain; NULL */
};

struct endorse_wants {
        size_t n;
        struct endorse_want v[ENDORSE_WANTS_MAX];
        const char *note; /* what cannot be had from a server, for people; NULL */
};

/*
 * For an SNP report. LINE: the product line where the report does not say it (version 2); else ignored.
 * Return: 0; -ERR_FORMAT for what is no report of a known version; -ERR_CONFIG if LINE is needed and unknown.
 */
int endorse_want_snp(struct view report, enum snp_line line, struct endorse_wants *ret,
                     struct err *err) MUST_USE;
/* For a quote that brings its PCK chain. Return: 0; -ERR_FORMAT. */
int endorse_want_quote(struct view quote, struct endorse_wants *ret, struct err *err) MUST_USE;

/*
 * Until when PIECE, of whatever kind, can be used: the earliest end of what it holds. Return: 0; -ERR_FORMAT
 * if it is no endorsement; -ERR_NOMEM.
 */
int endorse_good_until(struct view piece, enum endorsement_kind *ret_kind, int64_t *ret_ms,
                       struct err *err) MUST_USE;

#endif
