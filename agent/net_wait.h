/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_WAIT_H
#define AVOW_AGENT_NET_WAIT_H

#include "agent/net_tpm.h"
#include "base/err.h"
#include "base/macro.h"
#include "wire/meta.h"

/*
 * What the network half does beside its machine, over connections of its own: it keeps a long poll open at
 * the verifier, takes what the verifier says about this host's trust to the TPM half, and the proof of a wipe
 * back. It decides nothing of it. There is none for Keylime's verifiers: all but _new() take NULL.
 */
struct net;
struct net_waiter;

int net_wait_new(struct net *net, struct net_waiter **ret, struct err *err) MUST_USE;
void net_wait_free(struct net_waiter *w);

/* There is a new session. KEYS is what the verifier said of its public keys, JSON text; may be NULL. */
void net_wait_session(struct net_waiter *w, const char *keys);
/* What stood in meta.avow of an answer. */
void net_wait_told(struct net_waiter *w, const struct wire_meta *meta);
/* The TPM half took this order, which came by the listener; nobody signed the nonce with it. */
void net_wait_heard(struct net_waiter *w, const struct wire_meta *meta);
/* The verifier took evidence. */
void net_wait_alive(struct net_waiter *w);
/* Does the verifier answer? TEXT: why not; NULL: it does. The TPM half is told when that changes, so that no
 * launch waits for a server that is not there. */
void net_wait_reach(struct net_waiter *w, const char *text);
/* The TPM half's answer to NET_TPM_WAIT; it became ready. */
void net_wait_answer(struct net_waiter *w, const struct privsep_frame *frame);
void net_wait_ready(struct net_waiter *w);

#endif
