/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_HANDOUT_CHAIN_H
#define AVOW_AGENT_HANDOUT_CHAIN_H

#include "agent/handout.h"

/*
 * One unsealing, from the document to the secret: holds one object and one session of the TPM until freed.
 * For handout.c.
 */
struct handout_chain;

/*
 * Reads secret NAME, checks whose it is, loads (or imports) its object, starts the session, and chooses the
 * approval for what the PCRs are now. Return: 0; -ERR_CONFIG if it is nobody's whom this host takes secrets
 * from; -ERR_CRYPTO if its signature is not good or no approval fits; -ERR_TPM, -ERR_FORMAT, -ERR_IO, …
 */
int handout_chain_begin(const struct secrets *secrets, const struct handout_host *host, const char *name,
                        struct handout_chain **ret, struct err *err) MUST_USE;
void handout_chain_free(struct handout_chain *c);
DEFINE_AUTO(struct handout_chain, handout_chain_free)

/* SIGNATURE: the verifier's release; empty if handout_chain_local(). */
int handout_chain_finish(struct handout_chain *c, struct view signature, uint32_t lease_s, struct secret *ret,
                         struct err *err) MUST_USE;

const char *handout_chain_name(const struct handout_chain *c);
bool handout_chain_local(const struct handout_chain *c); /* needs no release */
bool handout_chain_revocable(const struct handout_chain *c);
struct view handout_chain_nonce(const struct handout_chain *c);
const struct digest *handout_chain_bracket(const struct handout_chain *c);

#endif
