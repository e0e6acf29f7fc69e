/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SOCKETS_H
#define AVOW_AGENT_SOCKETS_H

#include <poll.h>
#include <stdint.h>

#include "agent/conf.h"
#include "agent/handout.h"

/*
 * The two sockets that local services get secrets from (avow-agent(8), "SECRETS"): run.dir/agent.sock, where
 * a process says a name and is judged by its unit, and run.dir/credentials.sock for systemd's
 * LoadCredential=. Nothing here waits: main.c polls what sockets_poll() names.
 */
struct sockets;

#define SOCKETS_CONNECTIONS_MAX 64
#define SOCKETS_FDS_MAX         (SOCKETS_CONNECTIONS_MAX + 2)

int sockets_new(struct handout *handout, struct sockets **ret, struct err *err) MUST_USE;
void sockets_free(struct sockets *s);
DEFINE_AUTO(struct sockets, sockets_free)

/* Opens the sockets if CONFIG's ACL has rows, closes them if not; CONFIG is borrowed until the next call.
 * Return: 0; -ERR_IO (the folder is missing, another agent is there). */
int sockets_configure(struct sockets *s, const struct agent_config *config, struct err *err) MUST_USE;

/* What to poll; at most SOCKETS_FDS_MAX. */
size_t sockets_poll(const struct sockets *s, struct pollfd ret[SOCKETS_FDS_MAX]);
/* Serves what poll() found, and ends what took too long. Return: ms until it has to be called again. */
int64_t sockets_serve(struct sockets *s, const struct pollfd *fds, size_t n, int64_t mono_ms);

#endif
