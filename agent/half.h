/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_HALF_H
#define AVOW_AGENT_HALF_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/conf.h"
#include "agent/handout.h"
#include "agent/privsep.h"

/*
 * The TPM half: TPM, keys, log, runtimes; and the answers to the network half's requests. No sockets, no
 * signals, no waiting: main.c turns it. It blocks only in the TPM.
 */
struct half;

/* What this program would like to be told before something slow (a key is made): may be NULL. */
typedef void half_slow_fn(const char *doing);

/* Takes the state directory (made if need be, locked). CONFIG is the half's from here on, also on failure. */
int half_new(struct agent_config *config, half_slow_fn *slow, struct half **ret, struct err *err) MUST_USE;
void half_free(struct half *h);
DEFINE_AUTO(struct half, half_free)

/*
 * Opens the TPM, loads the keys, measures the runtimes: STARTING becomes READY. Also after the TPM was lost.
 * Return: 0; < 0 with a text for the operator, and everything is closed again.
 */
int half_start(struct half *h, struct err *err) MUST_USE;

/* Takes over another configuration while running, and measures what is new in it. NEW is the half's, also on
 * failure; then the old one stays in force. */
int half_reload(struct half *h, struct agent_config *new, struct err *err) MUST_USE;

const struct agent_config *half_config(const struct half *h);
enum privsep_state half_state(const struct half *h);
uint32_t half_log_entries(const struct half *h);

/* Who waits for secrets: for the sockets. */
struct handout *half_handout(struct half *h);
/* The number of the release that is wanted; 0: none. */
uint32_t half_wanted(const struct half *h);
/* How many receipts wait for the verifier. */
uint32_t half_receipts(const struct half *h);

/* The launcher's end: what it says, what is to be said to it (NULL: this host launches nothing). See
 * agent/launch_permit.h; frames that are refused as no launcher's end it. */
struct frame;
struct launches *half_launches(struct half *h);
void half_launcher_attach(struct half *h);
void half_launcher_detach(struct half *h); /* it is gone, and so is what it ran */
int half_launcher_take(struct half *h, const struct frame *frame, struct err *err) MUST_USE;
/* The network half ended: until it is back, no verifier answers. */
void half_network_lost(struct half *h);

/* To poll for notices of changed files. */
int half_watch_fd(const struct half *h);
/*
 * Does what is due: looks at changed files, rescans, opens a lost TPM again. Return: how long until it has to
 * be called again at the latest, in ms; call it as well when half_watch_fd() is readable.
 */
int64_t half_turn(struct half *h, int64_t mono_ms);

/* Answers a request: appends a frame to OUT. */
void half_answer(struct half *h, const struct privsep_frame *request, struct buf *out);

#endif
