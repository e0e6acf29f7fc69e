/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_HALF_PRIVATE_H
#define AVOW_AGENT_HALF_PRIVATE_H

#include "agent/counters.h"
#include "agent/half.h"
#include "agent/identity.h"
#include "agent/inventory.h"
#include "agent/kernel_list.h"
#include "agent/launch_permit.h"
#include "agent/pcr_log.h"
#include "agent/receipts.h"
#include "agent/secret_files.h"
#include "agent/secrets.h"
#include "agent/tee.h"
#include "agent/verifier_keys.h"
#include "agent/watch.h"
#include "agent/wipe.h"
#include "evidence/qualify.h"

struct half {
        struct agent_config *config;
        half_slow_fn *slow;
        int lock;
        enum privsep_state state;
        struct tpm *tpm;
        struct tpm_banks banks;
        struct tpm_bank_set used;
        struct identity id;
        struct counters counters;
        struct pcr_log *log;
        struct inventory *inventory;
        struct watch *watch;
        struct kernel_list *ima; /* NULL: not to be shown */
        bool said_ima, said_uefi, said_tee, told_tee;
        struct secrets *secrets;
        struct handout *handout;
        struct secret_files *files;
        struct local_hooks *hooks;
        struct wipe *wipe;
        struct verifier_keys verifier_keys; /* none: nothing that it signed is believed */
        struct launches *launches;          /* NULL: this host launches nothing */
        struct pcr_log *launch_log;         /* of the launch register; NULL: as above, or no TPM */
        struct receipts *receipts;          /* NULL: as launches */
        bool receipts_swept;                /* those that the agent before us began are dealt with */
        int64_t receipts_retry_ms;
        uint32_t asked_mask;                    /* PCRs that the verifier asked for last; 0: not yet */
        bool launch_turn;                       /* the next question for the verifier may be a launch's */
        uint64_t alive_clock_ms, alive_kept_ms; /* TPM's clock: the verifier took evidence; so in the file */
        int64_t alive_look_ms, wipe_retry_ms;
        bool silent; /* for longer than fail_closed_after */
        char wipe_said[ERR_TEXT_BYTES], keys_said[ERR_TEXT_BYTES], order_said[ERR_TEXT_BYTES];
        uint64_t boot_time_ms;
        int64_t rescan_at_ms, retry_at_ms, retry_step_ms;
        bool said_unexplained, lockout;
        char said[ERR_TEXT_BYTES]; /* the last problem that was logged: each is logged once */
};

/* half_secrets.c: what is held of secrets, from the start, TPM or not; what is due. */
int half_secrets_new(struct half *h, struct err *err) MUST_USE;
void half_secrets_free(struct half *h);
int half_secrets_configure(struct half *h, const struct agent_config *config, struct err *err) MUST_USE;
int64_t half_secrets_turn(struct half *h, int64_t mono_ms);
/* Answers to requests. */
int half_answer_secrets(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_wanted(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_show(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_release(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;

/*
 * half_trust.c: orders of the verifier, the wipe, silence. _new reads the journal, before the TPM is there,
 * so that nothing is handed out that must not be; _start goes on with what was left undone, before anything
 * is answered.
 */
int half_trust_new(struct half *h, struct err *err) MUST_USE;
void half_trust_free(struct half *h);
int half_trust_configure(struct half *h, const struct agent_config *config, struct err *err) MUST_USE;
int half_trust_start(struct half *h, struct err *err) MUST_USE;
int64_t half_trust_turn(struct half *h, int64_t mono_ms);
/* Refuses or admits hand-outs, as orders and silence have it. */
void half_trust_settle(struct half *h);
int half_answer_revoke(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_keys(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_alive(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;

/* half_logs.c: evidence of the processor, if it is wanted; made into MADE, shown in RET. As below. */
int half_tee_collect(struct half *h, const struct privsep_collect *m, struct tee_made *made,
                     struct privsep_evidence *ret, struct err *err) MUST_USE;
/* half_logs.c: what the kernel and the firmware wrote. Reading them fails no answer: what cannot be read is
 * not sent, and the journal says why. */
int half_logs_new(struct half *h, struct err *err) MUST_USE;
void half_logs_offer(struct half *h, struct privsep_identity *ret);
/* Fills the logs' members of RET, which borrow from UEFI and IMA; together at most LEFT bytes. Return: 0;
 * -ERR_NOMEM. */
int half_logs_collect(struct half *h, const struct privsep_collect *m, size_t left, struct buf *uefi,
                      struct buf *ima, struct privsep_evidence *ret, struct err *err) MUST_USE;

/* half_launch.c: launches. _start opens the launch log; _turn asks and ends what is late. */
int half_launch_new(struct half *h, struct err *err) MUST_USE;
void half_launch_free(struct half *h);
void half_launch_configure(struct half *h, const struct agent_config *config);
int half_launch_start(struct half *h, struct err *err) MUST_USE;
void half_launch_close(struct half *h);
int64_t half_launch_turn(struct half *h, int64_t mono_ms);
/* For the wipe: CTX is the half. */
void half_launch_stop(void *ctx, const char *why);
/* The launch that is wanted of the verifier now, or false. */
bool half_launch_wanted(const struct half *h, struct launches_wanted *ret);
int half_answer_permit(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_reach(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;

/* half_receipts.c: what was run, for the verifier to countersign. _start: what the agent before us began has
 * ended; _turn signs what is left to sign. */
int half_receipts_new(struct half *h, struct err *err) MUST_USE;
void half_receipts_free(struct half *h);
int half_receipts_start(struct half *h, struct err *err) MUST_USE;
int64_t half_receipts_turn(struct half *h, int64_t mono_ms);
/* For receipts_begin() and its like. */
struct receipts_tpm half_receipts_tpm(const struct half *h);
int half_answer_receipts(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;
int half_answer_countersigned(struct half *h, struct view body, struct buf *out, struct err *err) MUST_USE;

/* half_answer.c: evidence for M, qualified with QUALIFYING. */
int half_collect(struct half *h, const struct privsep_collect *m, struct view qualifying, struct buf *out,
                 struct err *err) MUST_USE;
/* The verifier's id as a string; its form is checked by qualify_*(). */
int half_verifier_id(struct view v, char ret[QUALIFY_VERIFIER_ID_CHARS + 1], struct err *err) MUST_USE;

/* After a failed TPM call: if the TPM or its handles are gone, everything is closed and tried again later. */
void half_after_failure(struct half *h, const struct err *err);
/* Measures what changed, and says what is wrong. */
int half_look(struct half *h, enum inventory_look look, int64_t mono_ms, struct err *err) MUST_USE;

#endif
