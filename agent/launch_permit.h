/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_PERMIT_H
#define AVOW_AGENT_LAUNCH_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/frame.h"
#include "agent/handout.h"
#include "agent/pcr_log.h"
#include "agent/privsep.h"
#include "agent/receipts.h"
#include "agent/secrets.h"
#include "crypto/jwks.h"

/*
 * Launches in the TPM half: who waits for a permit, who has one, what runs. The launcher asks in the language
 * of agent/launch_link.h; the network half takes the request at the head of the queue to the verifier and
 * brings the permit, which is judged here; the launch log is written here, before anything is executed.
 *
 * No state opens by time or by failure: without a good permit for exactly this launch, or an earlier one
 * whose policy lets it be kept while no verifier answers, nothing is recorded, and without a record nothing
 * is executed. Spec: SR-2, SR-3, SR-5, SR-21 to SR-23.
 */
struct launches;

#define LAUNCHES_WAITING_MAX 64  /* for a permit */
#define LAUNCHES_MAX         512 /* in all, running ones too */
#define LAUNCHES_CACHED_MAX  64  /* permits kept for an outage */
#define LAUNCHES_WAIT_MS     20000

struct launches_options {
        struct secrets *secrets; /* whether anything is refused; borrowed */
        struct handout *handout; /* for the secrets of running modules; borrowed */
        int64_t cache_ms;        /* the longest that this host keeps a permit for an outage; 0: never */
};

/* What it needs of the TPM half; all borrowed for the call. */
struct launches_host {
        struct tpm *tpm;     /* NULL: not ready */
        struct pcr_log *log; /* the launch log; NULL with TPM */
        const char *host_id;
        unsigned pcr;
        const struct jwks *keys; /* the verifier's, for permits */
        struct receipts *receipts;
        struct receipts_tpm receipts_tpm;
};

int launches_new(const struct launches_options *options, struct launches **ret, struct err *err) MUST_USE;
void launches_free(struct launches *l);
DEFINE_AUTO(struct launches, launches_free)
void launches_configure(struct launches *l, int64_t cache_ms);

/* ---- the launcher's end (agent/launch_serve.c) */

/* A launcher is there: forgets what an earlier one had, and greets it. */
void launches_attach(struct launches *l, const struct launches_host *host);
/* It is gone, and so is what it ran. */
void launches_detach(struct launches *l);
/* Takes one of its frames. Return: 0, also if the answer is a refusal; -ERR_FORMAT: it is no launcher's
 * frame, and the launcher is to be ended; -ERR_NOMEM. */
int launches_take(struct launches *l, const struct launches_host *host, const struct frame *frame,
                  int64_t mono_ms, struct err *err) MUST_USE;
/* What is to be sent to it. There may be secrets in it: wipe it. */
struct buf *launches_out(struct launches *l);

/* Does what is due. Return: ms until it has to be called again. */
int64_t launches_turn(struct launches *l, const struct launches_host *host, int64_t mono_ms);

/* ---- the network half's end */

/* The request that is to go to the verifier now, or false. The number is another one for each, and has the
 * highest bit set, so that none is that of a release. BODY is borrowed until the next call. */
#define LAUNCHES_NUMBER_BIT PRIVSEP_WANTED_LAUNCH
struct launches_wanted {
        uint32_t number;
        struct view body; /* avow.launch-request/1 */
};
bool launches_wanted(const struct launches *l, struct launches_wanted *ret) MUST_USE;

/* What the verifier said to NUMBER; what is for another number is ignored. */
struct launches_answer {
        struct view permit; /* JWS; empty: none, and: */
        bool final;         /* it refuses; else: not now */
        const char *text, *where, *next;
};
void launches_answer(struct launches *l, const struct launches_host *host, uint32_t number,
                     const struct launches_answer *answer, int64_t mono_ms);

/*
 * Does the verifier answer? While it does not (TEXT says why), nobody waits for it: who asks is served from
 * the kept permits or refused at once. This is the circuit breaker; the network half's own attempts, which go
 * on, close it.
 */
void launches_reach(struct launches *l, bool reachable, const char *text, int64_t mono_ms);

/* ---- revocation */

/* Nothing is launched any more: who waits, or has a permit and no record, is refused with TEXT; kept permits
 * are forgotten. */
void launches_refuse_all(struct launches *l, const char *text);
/* Has the launcher kill what runs, but for what its policy lets finish. TEXT says why. */
void launches_stop(struct launches *l, const char *text);
/* FLUSH is called then, to send launches_out() before anything that takes long. */
void launches_on_stop(struct launches *l, void (*flush)(void *ctx), void *ctx);

/* Launches that were recorded and have not ended. */
size_t launches_running(const struct launches *l);

#endif
