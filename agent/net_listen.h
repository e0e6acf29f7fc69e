/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_LISTEN_H
#define AVOW_AGENT_NET_LISTEN_H

#include "agent/net_tpm.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * The agent's own listener (`pull.listen`), HTTPS with the key that it registered. It takes
 *
 *   POST /avow/v1/revocations    the event that hooks get, or the order alone (application/jose)
 *
 * to the TPM half, which believes the verifier's signature and nothing else. docs/protocol.md, section 10.1.
 */
struct net;
struct net_listener;

/* Return: 0, whether it could listen already or tries again later; -ERR_NOMEM, -ERR_IO. */
int net_listen_new(struct net *net, struct net_listener **ret, struct err *err) MUST_USE;
void net_listen_free(struct net_listener *l);
/* The TPM half's answer to NET_TPM_LISTEN. NULL is passed over. */
void net_listen_answer(struct net_listener *l, const struct privsep_frame *frame);

#endif
