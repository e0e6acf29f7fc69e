/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_BACKOFF_H
#define AVOW_AGENT_NET_BACKOFF_H

#include <stdint.h>

/*
 * How long to wait after a failure: 1, 2, 4, … seconds, at most a minute, each shortened by a random part of
 * up to a half, so that a fleet whose server comes back does not come back all at once.
 */
struct net_backoff {
        unsigned failures; /* since the last success; set it to 0 then */
};

#define NET_BACKOFF_FIRST_MS 1000
#define NET_BACKOFF_MAX_MS   60000

/* RANDOM is any 32 random bits. Return: the wait in ms after one failure more. */
int64_t net_backoff_next(struct net_backoff *b, uint32_t random);

#endif
