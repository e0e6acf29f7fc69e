/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_HALF_PRIVATE_H
#define AVOW_AGENT_HALF_PRIVATE_H

#include "agent/counters.h"
#include "agent/half.h"
#include "agent/identity.h"
#include "agent/inventory.h"
#include "agent/pcr_log.h"
#include "agent/watch.h"

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
        uint64_t boot_time_ms;
        int64_t rescan_at_ms, retry_at_ms, retry_step_ms;
        bool said_unexplained, lockout;
        char said[ERR_TEXT_BYTES]; /* the last problem that was logged: each is logged once */
};

/* After a failed TPM call: if the TPM or its handles are gone, everything is closed and tried again later. */
void half_after_failure(struct half *h, const struct err *err);
/* Measures what changed, and says what is wrong. */
int half_look(struct half *h, enum inventory_look look, int64_t mono_ms, struct err *err) MUST_USE;

#endif
