/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_TPM_H
#define AVOW_AGENT_NET_TPM_H

#include "agent/privsep.h"
#include "http/loop.h"

/*
 * The network half's end of the channel to the TPM half: questions, one at a time from each who asks,
 * answered in their order, with events in between.
 */
struct net_tpm;

enum net_tpm_asker {
        NET_TPM_MACHINE, /* net.c */
        NET_TPM_WAIT,    /* net_wait.c */
        NET_TPM_LISTEN,  /* net_listen.c */
        NET_TPM_N_ASKERS,
};

/* The answer; everything in FRAME is borrowed for the call. */
typedef void (*net_tpm_answer_fn)(void *ctx, enum net_tpm_asker asker, const struct privsep_frame *frame);
typedef void (*net_tpm_event_fn)(void *ctx, const struct privsep_event *event);
/* The channel ended: by the TPM half's will (ERR is empty), or because what came was no frame. */
typedef void (*net_tpm_end_fn)(void *ctx, const struct err *err);

struct net_tpm_callbacks {
        net_tpm_answer_fn answer;
        net_tpm_event_fn event;
        net_tpm_end_fn end;
        void *ctx;
};

/* FD is non-blocking and stays the caller's. */
int net_tpm_new(struct loop *loop, int fd, const struct net_tpm_callbacks *callbacks, struct net_tpm **ret,
                struct err *err) MUST_USE;
void net_tpm_free(struct net_tpm *tpm);
DEFINE_AUTO(struct net_tpm, net_tpm_free)

/* Asks. An earlier question of ASKER that was not answered yet is forgotten: its answer is passed over. */
int net_tpm_ask(struct net_tpm *tpm, enum net_tpm_asker asker, enum privsep_type type, struct view body,
                struct err *err) MUST_USE;

#endif
