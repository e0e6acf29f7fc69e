/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_H
#define AVOW_AGENT_NET_H

#include "agent/conf.h"
#include "base/macro.h"

/*
 * The network half of the agent: it speaks HTTP with registrar and verifier, and holds no TPM. It is a
 * program of its own (avow-agent-net), with an address space that never held a TPM secret, and runs as user
 * avow-agent if there is one, and without the right to gain privileges. What it needs from the TPM it asks
 * the TPM half for over FD (agent/privsep.h).
 *
 * SIGTERM, SIGINT and SIGHUP are ignored here: the half ends when FD reports end of file. A reload of the
 * configuration ends it and starts another one.
 */
struct agent_net {
        const struct agent_config *config;
        int fd;          /* connected stream socket to the TPM half, non-blocking, close-on-exec; not owned */
        const char *dir; /* a folder of its own, 0700, for the TLS key and what else must outlive it */
};

/* Runs until FD ends. Return: the exit status of the process, 0 when the TPM half asked for the end. */
int agent_net_main(const struct agent_net *net) MUST_USE;

#endif
