/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_WIPE_H
#define AVOW_AGENT_WIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/local_hooks.h"
#include "agent/pcr_log.h"
#include "agent/secrets.h"
#include "base/bytes.h"
#include "evidence/revocation_order.h"
#include "tpm/ak.h"
#include "tpm/nv_counter.h"

/*
 * What the verifier last ordered about this host's trust, and how far it was carried out (SR-5). The order is
 * in a journal (state.dir/revocation.json) before its first step that matters, and each step that is done is
 * noted there, so that whatever ends the agent, the next start goes on where it was; until then, and for as
 * long as the host is suspended or revoked, no hand-out is made. Each step looks first whether it is needed,
 * so that one whose note was lost is not done twice.
 *
 *   refuse hand-outs, drop unsealed copies
 *   extend PCR 15 with the revocation's record     a policy session that was validated before is dead now
 *   increment the epoch counter                    no blob opens again, wherever it was copied to
 *   delete blobs and approvals
 *   stop the modules that the agent launched, and the units that received copies
 *   local hooks
 *
 * A step that fails does not keep the later ones from being done; it is tried again. With `suspend` and
 * `reinstate` there are the first step (or its end) and the hooks alone.
 */
struct wipe;

struct wipe_options {
        const char *state_dir;                          /* borrowed for the call of wipe_new() */
        struct secrets *secrets;                        /* borrowed; refuses and admits as this says */
        struct local_hooks *hooks;                      /* borrowed */
        int (*stop)(const char *unit, struct err *err); /* unit_stop() */
        /* Ends the modules that the agent launched, before the units: at once, and cannot fail. May be NULL.
         */
        void (*stop_modules)(void *ctx, const char *why);
        void *stop_ctx;
};

/* Reads the journal; refuses hand-outs if it says so, also if it cannot be read. Return: 0; -ERR_NOMEM. */
int wipe_new(const struct wipe_options *options, struct wipe **ret, struct err *err) MUST_USE;
void wipe_free(struct wipe *w);
DEFINE_AUTO(struct wipe, wipe_free)

/* The TPM while it is there, and what is loaded in it. All borrowed for the call. */
struct wipe_tpm {
        struct tpm *tpm;
        enum tpm_ek_type ek_type;
        struct tpm_ak *ak;
        struct pcr_log *log;
        unsigned pcr;
        enum digest_alg bank;          /* that is quoted */
        const struct key *counter_key; /* NULL: only the TPM's owner, without a password, is left to try */
        const struct pubkey *counter_public; /* of it */
};

/*
 * Takes an order for HOST, signed by one of KEYS, and refuses hand-outs from then on (or admits them).
 * wipe_go_on() does the rest. Return: 1 new; 0 the one that is known; -ERR_CONFIG: never to be carried out
 * (not signed by them, for another host, older than one that was carried out, or the counter has gone on from
 * its epoch: SR-8); -ERR_FORMAT, -ERR_LIMIT; -ERR_TPM if it cannot be said now.
 */
int wipe_take(struct wipe *w, const struct wipe_tpm *t, struct pubkey *const *keys, size_t n_keys,
              const char *host, struct view jws, struct err *err) MUST_USE;

/* Does what is left to do. Return: 0; the first failure, after the other steps were done. */
int wipe_go_on(struct wipe *w, const struct wipe_tpm *t, struct err *err) MUST_USE;
/* Is there a step that failed, to be tried again with wipe_go_on()? */
bool wipe_unfinished(const struct wipe *w);
/* Takes the end of the hooks; call it after local_hooks_turn(). */
void wipe_turn(struct wipe *w);

/* Why hand-outs are refused, or NULL; borrowed. */
const char *wipe_reason(const struct wipe *w);

/*
 * The proof of a destroy, over the registrar's NONCE (16 bytes): appends avow.revocation-proof/1. Return: 1;
 * 0 if there is nothing to prove (yet); -ERR_TPM, -ERR_FORMAT, -ERR_CRYPTO, -ERR_NOMEM.
 */
int wipe_prove(struct wipe *w, const struct wipe_tpm *t, struct view nonce, struct buf *ret,
               struct err *err) MUST_USE;

#endif
