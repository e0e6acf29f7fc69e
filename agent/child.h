/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_CHILD_H
#define AVOW_AGENT_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/half.h"
#include "agent/rights.h"
#include "base/bytes.h"

/* The network half as the TPM half sees it: a process, a socket, what is read from it and written to it. */
struct child {
        pid_t pid; /* 0: none */
        int fd;    /* -1: none */
        struct buf in, out;
        size_t out_at;
        enum privsep_state told_state;
        uint32_t told_entries, told_wanted, told_receipts;
};

#define CHILD_NONE                                                                                           \
        {                                                                                                    \
                .fd = -1                                                                                     \
        }

/*
 * Starts another program of the agent's, which is beside ours or where it is installed, with the same
 * configuration and the other end of *RET_FD as CHILD_SOCKET_FD; and waits up to TIMEOUT_MS for the end of
 * one whose socket is closed, then kills it. Return: 0; -ERR_IO, -ERR_NOMEM.
 */
int child_spawn(const char *program, const char *config_file, pid_t *ret_pid, int *ret_fd,
                struct err *err) MUST_USE;
void child_wait(pid_t *pid, int timeout_ms);

/* Starts avow-agent-net with the same configuration. Return: 0; -ERR_IO, -ERR_NOMEM. */
int child_start(struct child *c, const char *config_file, struct err *err) MUST_USE;

/* What to poll the socket for. */
short child_events(const struct child *c);
/* Reads requests, answers them, writes. Return: false if the network half is to be ended: end of file, or
 * bytes that are no request. */
bool child_serve(struct child *c, struct half *h, short events) MUST_USE;
/* Sends an event if state or log changed since the last one. */
void child_tell(struct child *c, const struct half *h);

/* Closes the socket, which asks the network half to end. */
void child_hang_up(struct child *c);
/* Waits up to TIMEOUT_MS for its end, then kills it. */
void child_end(struct child *c, int timeout_ms);

#endif
