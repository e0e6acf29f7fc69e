/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_HANDOUT_H
#define AVOW_AGENT_HANDOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/conf.h"
#include "agent/secrets.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "tpm/ek.h"

/*
 * The queue of those who wait for secrets, and the one unsealing that is under way: a secret that wants the
 * verifier's release is begun (which gives the nonce), waits for the network half to bring the release, and
 * is finished; then everybody who waits for it gets it, and it is wiped. One at a time, because a TPM has
 * room for three objects.
 */
struct handout;

/* What it needs of the TPM half; all borrowed. */
struct handout_host {
        struct tpm *tpm; /* NULL: not ready */
        enum tpm_ek_type ek_type;
        const char *host_id;
        const struct agent_config *config; /* whose secrets are taken */
};

enum handout_result {
        HANDOUT_OK,
        HANDOUT_UNKNOWN,     /* there is no such secret here */
        HANDOUT_REFUSED,     /* revoked, suspended, or the verifier gives no release */
        HANDOUT_UNAVAILABLE, /* the verifier or the TPM did not answer in time: ask again */
        HANDOUT_FAILED,      /* TPM said no (not approved, epoch gone), or the document is broken */
};
/* "unknown", … for the sockets' answers. */
const char *handout_result_name(enum handout_result result);

struct handout_answer {
        enum handout_result result;
        const char *text;   /* for people, where there is no secret */
        struct view secret; /* wiped when the call returns */
        uint32_t lease_s;   /* from now; 0: no lease */
};
typedef void handout_fn(void *ctx, const struct handout_answer *answer);

#define HANDOUT_WAITING_MAX 256

int handout_new(struct secrets *secrets, struct handout **ret, struct err *err) MUST_USE;
void handout_free(struct handout *h);
DEFINE_AUTO(struct handout, handout_free)

/*
 * Asks for secret NAME in the name of UNIT and UID, who may have it (the caller asked the ACL). FN is called
 * once, from handout_turn() or handout_drop(), never from here, unless CTX is forgotten before. The log of
 * copies has the row before FN sees the secret. Return: 0; -ERR_LIMIT if too many wait.
 */
int handout_ask(struct handout *h, const char *name, const char *unit, uint32_t uid, int64_t mono_ms,
                handout_fn *fn, void *ctx, struct err *err) MUST_USE;
void handout_cancel(struct handout *h, void *ctx);

/* Does what is due. Return: ms until it has to be called again. */
int64_t handout_turn(struct handout *h, const struct handout_host *host, int64_t mono_ms);

/* Ends the unsealing under way without a word to those who wait: they are served when the TPM is back. */
void handout_lose_tpm(struct handout *h);
/* Everybody who waits is refused with TEXT, and nothing is unsealed any more. */
void handout_refuse_all(struct handout *h, const char *text);

/* What a release is wanted for, or false. NONCE and BRACKET are borrowed until the next call. The number is
 * another one for each. */
struct handout_wanted {
        uint32_t number;
        const char *name;
        struct view nonce;
        struct digest bracket;
};
bool handout_wanted(const struct handout *h, struct handout_wanted *ret) MUST_USE;
/* The release for NUMBER came: a TPMT_SIGNATURE and its lease; or it was refused (with TEXT for people), for
 * good or for now. What is for another number is ignored. handout_release() only keeps it for the next turn.
 * Return: 0; -ERR_NOMEM. */
int handout_release(struct handout *h, uint32_t number, struct view signature, uint32_t lease_s,
                    struct err *err) MUST_USE;
void handout_no_release(struct handout *h, uint32_t number, bool refused, const char *text);

#endif
