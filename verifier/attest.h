/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_ATTEST_H
#define AVOW_VERIFIER_ATTEST_H

#include "policy/appraise.h"
#include "verifier/verifier.h"
#include "wire/attestation.h"
#include "wire/evidence.h"

/* What the files about attestations share. */

/* One piece of evidence on its way. Borrowed members live as long as the round. */
struct round {
        struct verifier *v;
        struct http_request *req;
        char name[WIRE_HOST_MAX + 1];
        uint64_t serial; /* of the host: it may be gone, or another of its name there, when all is written */
        struct challenge challenge; /* that it answers */
        int64_t received_at_ms;     /* wall clock */
        bool immediate;             /* the challenge was out for seconds only */
        struct wire_evidence evidence;
        struct buf list;               /* the kernel's list as it is judged: the parts, and what came now */
        uint64_t ima_first;            /* the entry that it begins with */
        bool list_cut;                 /* it is longer than can be gathered */
        struct ledger_permit *permits; /* of the host, as they were when this was judged */
        size_t n_permits;
        struct pcr_values pcrs;
        struct appraisal_result result;
        struct digest qualifying, ek;       /* the host's EK, if the registrar has one on record */
        struct policy_version policy;       /* the newest in force when it was judged; a reference */
        struct policy_effective *effective; /* all that it was judged by */
        bool rules_wait;                    /* and newer rules wait for the host's turn */
        char *policy_name;                  /* NULL: a tpm_policy */
        struct release *release;            /* what waits for this evidence, or NULL */
        struct receipts_decision receipts;  /* what the verdict means for receipts that wait */
        bool durable;                       /* wait for the disk before answering */
        bool changed;                       /* the verdict is another one: an audit record */
        struct host_state state;            /* as it will be */
        bool trust_changed;                 /* so will trust be: */
        struct trust_change trust;
};
void round_free(struct round *r);
DEFINE_AUTO(struct round, round_free)

/* How long a token lives from now on; how long a challenge that is not immediate does. */
int64_t session_lifetime_ms(const struct verifier *v, const struct host *host);
int64_t challenge_lifetime_ms(const struct verifier *v, const struct host *host);

/* PATCH …/attestations/:index. */
void attest_on_evidence(struct http_request *req, void *ctx);
/* Evidence that answers HOST's outstanding challenge; FOR (copied, or NULL) waits for it. Answers the
 * request.
 */
void attest_take(struct verifier *v, struct http_request *req, struct host *host, struct session *session,
                 const struct release *for_release);
/*
 * What every answer to an avow agent's evidence goes on with: a new challenge, NOW or in an interval, FULL:
 * the log once more from entry 0. BOOT_TIME_MS as claimed. RET borrows from HOST.
 */
void attest_next(struct verifier *v, struct host *host, int64_t boot_time_ms, bool now, bool full,
                 struct wire_outcome *ret);

/* Appraises: fills the round's result. Return: 0; 1 if that goes on beside the loop, and its end will be told
 * (the host is busy until then); -ERR_CONFIG, -ERR_NOMEM, -ERR_CRYPTO; -ERR_LIMIT: too much is going on. */
int round_appraise(struct round *r, struct host *host, struct err *err) MUST_USE;

/* In launch.c: the log of launches that came with R, and the permits that it is compared with, into IN: a
 * copy, for a thread may read it. */
int launch_evidence(struct round *r, const struct host *host, struct appraisal *in, struct err *err) MUST_USE;

/*
 * Makes the new state and hands it to the database with the bundle and the log; the host is changed when that
 * is sure: at once for a heartbeat, in DONE for a verdict that changed. DONE is called later in both cases.
 * Return: 0; -kind with nothing changed.
 */
int round_record(struct round *r, struct host *host, verifier_done_fn done, struct err *err) MUST_USE;
/* receipts.c: what the round's verdict means for the host's receipts that wait. */
void receipts_decide(const struct round *r, const struct host *host, struct receipts_decision *ret);
/* Takes the round's state over into the host. */
void round_apply(struct round *r, struct host *host);

#endif
