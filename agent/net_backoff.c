/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential back-off with jitter. The cap is short on purpose: a host that cannot report is `late`, then
 * `lost`, and what a minute's retry costs a server that just came back is one handshake.
 */
#include "agent/net_backoff.h"

int64_t net_backoff_next(struct net_backoff *b, uint32_t random)
{
        int64_t wait_ms = NET_BACKOFF_FIRST_MS;
        for (unsigned i = 0; i < b->failures && wait_ms < NET_BACKOFF_MAX_MS; i++)
                wait_ms *= 2;
        if (wait_ms > NET_BACKOFF_MAX_MS)
                wait_ms = NET_BACKOFF_MAX_MS;
        if (b->failures < UINT16_MAX)
                b->failures++;
        return wait_ms - (int64_t)(random % (uint32_t)(wait_ms / 2 + 1));
}
