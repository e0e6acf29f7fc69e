/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_REACT_H
#define AVOW_VERIFIER_REACT_H

#include "evidence/verdict.h"
#include "policy/policy.h"
#include "store/verifier_revocations.h"
#include "wire/event.h"

/*
 * What a verdict, or the passing of time, does to trust. Pure: the caller says what is so, and writes down
 * what comes of it. Spec: SR-2, SR-3, SR-4, SR-8.
 */
struct react_input {
        const struct host_trust *was;
        int64_t now_ms;
        struct policy_on_fail on_fail; /* destroy_after_ms resolved */
        bool held;                     /* the fuse holds destroys of this host */
        bool has_counters;             /* there is an epoch that can be ended */
        uint64_t epoch;                /* the highest that was certified */
        /* of evidence */
        enum verdict_state verdict;
        bool enforced;
        enum severity worst; /* of the findings */
        bool unreplayed;     /* its log did not replay, and was asked for in full before */
        bool immediate;      /* it answers a challenge of seconds */
        /* of time */
        bool lapsed; /* no pass for a lease */
};

enum react_outcome {
        REACT_NOTHING,
        REACT_NOTE,   /* the row changes, nobody is told */
        REACT_REVOKE, /* trust changes: a revocation of `reaction` */
};
struct react_result {
        enum react_outcome outcome;
        enum reaction reaction;
};

/* When the policy wants the host destroyed after this evidence: a time, maybe past; INT64_MAX: never. */
int64_t react_destroy_at_ms(const struct react_input *in);

/* NEXT is a copy of in->was that is changed. `seq`, `reason`, `jws`, `nonce` and the proof's deadline are the
 * caller's. */
struct react_result react_to_evidence(const struct react_input *in, struct host_trust *next);
struct react_result react_to_time(const struct react_input *in, struct host_trust *next);

/* May the host be reinstated although it was to be wiped? Its counter went on, or somebody said so. */
bool react_wiped_enough(const struct host_trust *t, bool has_counters, uint64_t epoch);
void react_forget_reinstatement(struct host_trust *t);

#endif
