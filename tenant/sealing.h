/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_SEALING_H
#define AVOW_TENANT_SEALING_H

#include "base/mem.h"
#include "policy/policy.h"
#include "tenant/command.h"
#include "tenant/signer.h"
#include "tenant/target.h"
#include "wire/approval.h"
#include "wire/secret_file.h"

/*
 * Making secrets and approvals: what an owner's machine does, without a network and without a TPM.
 */

/* What a person says about a secret. */
struct sealing {
        const char *name;
        const char *class; /* NULL: the name */
        uint64_t version;
        bool host_only, local;
        const struct delegation *delegation; /* NULL: the signing key is the authority */
        int64_t now_ms;
};

/*
 * Seals PLAIN (1 to SECRET_PAYLOAD_MAX bytes) to T and signs it. The EK has to be checked before. Return: 0;
 * -ERR_CONFIG for a name that is none; -ERR_LIMIT; -ERR_CRYPTO, …
 */
int sealing_make(const struct target *t, const struct sealing *what, struct signer *signer, struct view plain,
                 struct secret_file *ret, struct err *err) MUST_USE;
/* Signs what is complete but for the owner's signature (again). */
int sealing_sign(struct secret_file *f, struct signer *signer, struct err *err) MUST_USE;

/* What a person says about an approval. */
struct approving {
        const char *class;
        uint64_t version;
        const struct option_list *pcrs; /* numbers; empty: the measurements' and all that the policy fixes */
        bool host_only, local, in_place;
        const struct delegation *delegation;
        int64_t now_ms;
};

/*
 * Approves every value that P allows on T: one bracket for each combination of PCR values, after a boot, and
 * with `in_place` after updates in place, too (SR-18). Return: 0; -ERR_CONFIG if P fixes nothing of a PCR
 * that was asked for, -ERR_LIMIT for more than APPROVAL_BRACKETS_MAX; -ERR_CRYPTO, …
 */
int approving_make(const struct target *t, const struct approving *what, const struct policy *p,
                   struct signer *signer, struct approval *ret, struct err *err) MUST_USE;

/* A secret from a file or standard input, 1 to SECRET_PAYLOAD_MAX bytes, in memory that is wiped. */
int sealing_read_plain(const char *path, struct secret *ret, struct err *err) MUST_USE;

#endif
