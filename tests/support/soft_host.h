/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SOFT_HOST_H
#define AVOW_TESTS_SOFT_HOST_H

#include "support/play_tpm.h"

/*
 * A host whose TPM plays along, with a measurement log. It says what the test makes it say, lies included.
 * Failures end the test.
 */
struct soft_host {
        struct play_tpm tpm;
        struct buf log;
        uint64_t n_records;
        struct buf log_marks; /* where each record starts, be64 */
};

struct soft_tpm_quote {
        struct buf message, signature, time_message, time_signature;
        struct pcr_values pcrs;
};

void soft_host_init(struct soft_host *h, enum digest_alg bank);
void soft_host_done(struct soft_host *h);

/* A digest that is one byte over and over: 'a' is 0xaa…; what policies in tests write as "aaaa…". */
struct digest soft_digest(enum digest_alg bank, char digit);

/* A record of ours and its extend; only the record; only the extend. */
void soft_host_measure(struct soft_host *h, const char *runtime, const char *path, char digit);
void soft_host_log(struct soft_host *h, const char *runtime, const char *path, char digit);
void soft_host_extend(struct soft_host *h, unsigned pcr, char digit);
/* systemd's record of a text and its extend. */
void soft_host_foreign(struct soft_host *h, const char *text);
/* PCRs to zero, an empty log, the reset count one up. */
void soft_host_reboot(struct soft_host *h);
/* Both clocks move on. */
void soft_host_wait(struct soft_host *h, uint64_t ms);

/* The log from entry FIRST on. */
struct view soft_host_log_from(const struct soft_host *h, uint64_t first);

void soft_host_quote(const struct soft_host *h, struct view qualifying, uint32_t mask,
                     struct soft_tpm_quote *ret);
void soft_tpm_quote_done(struct soft_tpm_quote *q);

#endif
