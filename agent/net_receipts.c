/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts in the network half: it carries them to the verifier as the TPM half wrote them, and its answer
 * back. What is not decided yet comes with a challenge of seconds; the machine answers that as any other, and
 * then the same receipts are shown again. A verdict that decides nothing must not make it spin, so then it
 * waits longer from time to time. Spec: SR-14, SR-24.
 */
#include <stdio.h>

#include "agent/net_machine.h"
#include "base/clock.h"
#include "wire/receipts.h"

#define RETRY_MS      5000 /* after an answer that is none */
#define GAP_MS        300  /* between two questions: verifiers want 250 */
#define STEP_FIRST_MS 1000
#define STEP_MAX_MS   60000

/* A new one is shown soon, and with it what follows it closely: launches come in bursts and go first. */
void net_receipts_wait(struct net *net, uint32_t n)
{
        int64_t soon_ms = clock_mono_ms() + GAP_MS;
        if (n > net->owed) {
                if (net->owed == 0 || net->owed_step_ms != 0 || net->owed_at_ms > soon_ms)
                        net->owed_at_ms = soon_ms;
                net->owed_step_ms = 0;
        }
        net->owed = n;
}

void net_enter_receipts(struct net *net)
{
        net_ask(net, PRIVSEP_RECEIPTS, VIEW_NONE);
}

enum net_result net_got_receipts(struct net *net, struct view body)
{
        if (body.len == 0) {
                net->owed = 0;
                return NET_SKIP;
        }
        buf_reset(&net->body);
        buf_put_view(&net->body, body);
        return buf_ok(&net->body) ? NET_DONE : NET_AWAY;
}

void net_enter_countersign(struct net *net)
{
        char path[WIRE_HOST_MAX + 48];
        (void)snprintf(path, sizeof(path), "/avow/v1/agents/%s/receipts", net->host); /* a host id: it fits */
        net->owed_at_ms = clock_mono_ms() + RETRY_MS;                                 /* unless it works */
        net_request(net, "POST", path, VIEW_BUF(&net->body));
}

enum net_result net_got_countersigned(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_receipts_answer m = {.n = 0};
        int64_t mono_ms = clock_mono_ms();
        if (wire_receipts_answer_decode(res->body, &m, &err) < 0)
                return net_failed(net, &err);
        net->backoff.failures = 0;
        net->owed_at_ms = mono_ms + GAP_MS;
        if (m.has_next) { /* it took the place of the one in hand, and is to be answered now */
                net->has_next = true;
                net->asks = m.next.asks;
                net->index = m.next.index;
                net->due_ms = mono_ms;
                net->owed_at_ms += net->owed_step_ms;
                net->owed_step_ms = net->owed_step_ms == 0                ? STEP_FIRST_MS
                                    : net->owed_step_ms < STEP_MAX_MS / 2 ? 2 * net->owed_step_ms
                                                                          : STEP_MAX_MS;
        } else {
                net->owed_step_ms = 0;
        }
        wire_receipts_answer_done(&m);
        buf_reset(&net->body);
        buf_put_view(&net->body, res->body);
        return buf_ok(&net->body) ? NET_DONE : NET_AWAY;
}

void net_enter_settle(struct net *net)
{
        net_ask(net, PRIVSEP_COUNTERSIGNED, VIEW_BUF(&net->body));
}

enum net_result net_got_settled(struct net *net, struct view body)
{
        (void)net, (void)body; /* there is nothing in it */
        return NET_DONE;
}
