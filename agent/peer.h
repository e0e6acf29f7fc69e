/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_PEER_H
#define AVOW_AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/macro.h"

/* Who is behind a connection on a Unix socket (SR-25). */
struct peer {
        pid_t pid;
        uint32_t uid;
        char unit[256]; /* its system unit; "" if it is in none */
};

/* For agent.sock: the kernel's word only. Return: 0; -ERR_PEER if the process is gone, -ERR_IO. */
int peer_of(int fd, struct peer *ret, struct err *err) MUST_USE;

/*
 * For credentials.sock: the peer is root and systemd itself, about to start a unit: it sits in init's cgroup
 * or already in the unit's own. Only then the names in its address count. Return: 0 with RET->unit and the
 * credential's name; -ERR_PEER with the reason.
 */
int peer_credential(int fd, struct peer *ret, char ret_name[65], struct err *err) MUST_USE;

#endif
