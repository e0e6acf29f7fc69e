/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_WORKLOAD_JUDGE_H
#define AVOW_VERIFIER_WORKLOAD_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/ecdsa_find.h"
#include "policy/allow.h"
#include "verifier/adapter.h"
#include "wire/workload.h"

/*
 * Is this workload to be trusted? Pure: evidence, certificates, lists and a time in, a verdict out. Nothing
 * is trusted but what passed every step; a step that cannot be decided is an error, and no verdict.
 */

/* An allow-list made ready: shared by reference, never changed but for the indexes, which come later when a
 * list is long. */
struct workload_set {
        unsigned refs; /* the loop's alone */
        struct workload_list list;
        struct allow *allow;
        struct ecdsa_index *index[WORKLOAD_N_KINDS];
        bool ready; /* the indexes are there */
        int64_t updated_at_ms;
};
/* Lists that are indexed at once; longer ones take seconds. */
#define WORKLOAD_INDEX_AT_ONCE 16384

/* Takes LIST over, also on failure. On any thread. Indexes it if it is short. */
int workload_set_new(struct workload_list *list, const bool *stop, struct workload_set **ret,
                     struct err *err) MUST_USE;
/* Makes the indexes of a long list into RET, for workload_set_use(). On any thread. */
int workload_set_index(const struct workload_set *set, const bool *stop,
                       struct ecdsa_index *ret[static WORKLOAD_N_KINDS], struct err *err) MUST_USE;
struct workload_set *workload_set_ref(struct workload_set *set);
void workload_set_unref(struct workload_set *set);
DEFINE_AUTO(struct workload_set, workload_set_unref)

struct workload_verdict {
        bool trusted;
        bool undecided;      /* lists are not ready: come again */
        const char *reason;  /* a word: "chain-not-trusted"; NULL if trusted */
        char detail[320];    /* a sentence */
        const char *adapter; /* whose certificate it is; NULL: nobody's */
        struct digest digest;
        const struct workload_set *set; /* where the digest stands, borrowed */
        struct digest key;              /* ecdsa_key_id() of the certificate's */
        int64_t until_ms;               /* the certificate's end */
};

/*
 * Certificates that were seen and led to roots: reading one and checking its chain cost more than all the
 * rest, and a keep comes again. What is known of a chain holds for CERTS_KNOWN_MS, less than the skew that
 * dates are given. One thread's. Forget it when the adapters change.
 */
#define WORKLOAD_CERTS_MAX      1024
#define WORKLOAD_CERTS_KNOWN_MS 10000
struct workload_certs;
int workload_certs_new(struct workload_certs **ret, struct err *err) MUST_USE;
void workload_certs_forget(struct workload_certs *certs);
void workload_certs_free(struct workload_certs *certs);
DEFINE_AUTO(struct workload_certs, workload_certs_free)

/* What is asked about. */
struct workload_question {
        const struct adapters *adapters;
        struct workload_certs *known;          /* or NULL */
        const char *technology;                /* the one that must serve; NULL: any that is set up */
        struct view certs[WORKLOAD_CHAIN_MAX]; /* DER, the workload's first */
        size_t n_certs;
        struct view signature; /* DER */
        struct workload_set *const *sets;
        size_t n_sets;
        int64_t now_ms, max_age_ms; /* 0: any age of the certificate */
};

/* The Trust Monitor's evidence: the signature is over the module's digest itself, which is not said. */
int workload_judge_monitor(const struct workload_question *q, struct workload_verdict *ret,
                           struct err *err) MUST_USE;
/* Ours: the signature is over MESSAGE, which names the digest. */
int workload_judge(const struct workload_question *q, struct view message, const struct digest *digest,
                   struct workload_verdict *ret, struct err *err) MUST_USE;

/* What a signature is remembered by, whichever of its two forms it comes in: SHA-256 over the key's digest
 * and r. An honest key never uses an r twice. */
int workload_use(const struct workload_verdict *v, struct view signature, struct digest *ret,
                 struct err *err) MUST_USE;

#endif
