/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_CONVERT_H
#define AVOW_AGENT_NET_CONVERT_H

#include "agent/privsep.h"
#include "wire/ask.h"
#include "wire/capabilities.h"
#include "wire/evidence.h"
#include "wire/registration.h"

/* Between what the TPM half says and what goes over the wire. Pure: no sockets, no files, no time. */

/* From avow agents at most so many log entries a round. */
#define NET_LOG_ENTRIES_MAX 20000

/* MTLS_CERT is the agent's certificate as PEM, or NULL to write "disabled" (a Keylime verifier). */
int net_registration(const struct privsep_identity *id, const char *mtls_cert, struct wire_registration *ret,
                     struct err *err) MUST_USE;

/* NATIVE: all banks and the PCR 15 log. Otherwise the one bank that quotes are asked in, and RSASSA: what a
 * stock Keylime verifier can choose from. */
int net_capabilities(const struct privsep_identity *id, bool native, struct wire_capabilities *ret,
                     struct err *err) MUST_USE;

/*
 * What to ask the TPM half for. VERIFIER_ID is "" for a Keylime verifier. Views borrow from ASKS and
 * VERIFIER_ID. Return: 0; -ERR_PEER if that cannot be answered (no quote, several banks, a log we do not
 * have).
 */
int net_collect(const struct wire_asks *asks, const char *verifier_id, struct privsep_collect *ret,
                struct err *err) MUST_USE;

/*
 * The evidence in the order of ASKS. Return: 0; 1 if the log began anew since it was asked for (a reboot):
 * offer again; < 0.
 */
int net_evidence(const struct wire_asks *asks, const struct privsep_evidence *from, struct wire_evidence *ret,
                 struct err *err) MUST_USE;

/* Concatenated DER certificates as a PEM text, appended. What is no DER sequence ends the list. */
void net_pem_chain(struct view der, struct buf *ret);

#endif
