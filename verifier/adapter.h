/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_ADAPTER_H
#define AVOW_VERIFIER_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"
#include "base/str.h"
#include "crypto/cert.h"

/*
 * Kinds of attesters of workloads. What they have in common is done once (workload_judge.c): a certificate
 * that descends from the roots of that kind, names the use that is asked for and is not revoked, and whose
 * key signed the module's digest. An adapter says which technologies it serves and what else its
 * certificates must show: one file, and its row in adapter.c.
 *
 * Each has roots of its own: who vouches for keeps of one technology vouches for no other.
 */
struct adapter_rules {
        bool simulated; /* keys outside of any TEE are taken: for trying things out */
};

struct adapter_ops {
        const char *name;
        /* Is TECHNOLOGY ("enarx_v0_7_1") one of its own? */
        bool (*serves)(const char *technology);
        /* Return: NULL, or why a certificate with a good chain is not taken: a sentence. */
        const char *(*refuses)(const struct adapter_rules *rules, const struct cert *leaf);
};
extern const struct adapter_ops adapter_enarx;
extern const struct adapter_ops adapter_spiffe;

struct adapter_roots;

/* An adapter as the configuration has set it up. */
struct adapter {
        const struct adapter_ops *ops;
        struct adapter_rules rules;
        struct adapter_roots *roots;
        struct strv uses; /* dotted OIDs: one of them must be in the certificate; empty: not asked */
};

struct adapters {
        struct adapter *v;
        size_t n;
};

/* Reads workloads.adapters, and the certificates and lists that it names. Return: 0; -ERR_CONFIG and what
 * reading files gives. */
int adapters_load(const struct conf *conf, struct adapters *ret, struct err *err) MUST_USE;
void adapters_done(struct adapters *a);

/* Does LEAF descend from the adapter's roots, through ABOVE, and is it not revoked? Return: 0 and the answer,
 * with a reason for people; -kind. */
#define ADAPTER_REASON_BYTES 256
int adapter_check_chain(const struct adapter *a, const struct cert *leaf, const struct cert_list *above,
                        int64_t at_ms, bool *ret_good, char reason[ADAPTER_REASON_BYTES],
                        struct err *err) MUST_USE;

/* The one that serves TECHNOLOGY, or NULL. */
const struct adapter *adapters_find(const struct adapters *a, const char *technology);

#endif
