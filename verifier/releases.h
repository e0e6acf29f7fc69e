/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_RELEASES_H
#define AVOW_VERIFIER_RELEASES_H

#include "crypto/key.h"
#include "evidence/counters.h"
#include "wire/release.h"

/*
 * The decision about a release, once a host has passed: is every secret's approval one that is known for this
 * host, still wanted, and made for our key? Then the signatures. Pure. Spec: SR-1, SR-7.
 */

/* What is known of the host and of us. Everything is borrowed. */
struct release_facts {
        const char *verifier_id, *tenant, *host;
        const struct key *key; /* the release key; NULL: there is none */
        const struct pubkey *public;
        const struct counters_record *counters; /* as this evidence certified them */
        uint32_t lease_s;
};

/* One approval on record. */
struct release_approval {
        const char *text; /* avow.approval/1 */
        bool withdrawn;
};

/*
 * APPROVALS are all that are on record for the host. RET (all zero before) becomes an answer without its
 * `outcome`, for wire_release_answer_done() in any case: granted with a signature for every item, or refused
 * with the first reason. Return: 0; -ERR_CRYPTO, -ERR_NOMEM.
 */
int releases_decide(const struct wire_release_request *m, const struct release_facts *facts,
                    const struct release_approval *approvals, size_t n, struct wire_release_answer *ret,
                    struct err *err) MUST_USE;

/* Makes RET a refusal. WHERE may be NULL. Return: 0; -ERR_NOMEM. */
int releases_refuse(struct wire_release_answer *ret, const char *type, const char *where, const char *detail,
                    struct err *err) MUST_USE;

#endif
