/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_PCR_LOG_H
#define AVOW_AGENT_PCR_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/measure.h"
#include "base/bytes.h"
#include "evidence/cel.h"
#include "tpm/context.h"
#include "tpm/pcrs.h"

/*
 * The log of a register: of the one that runtimes are measured into (PCR 15), or the one that launches are
 * (PCR 13); and the only code that extends it. A record is on the disk before its extend, so a crash can lose
 * no measurement; what a crash left undone is done at the next look. Extends by others are taken from
 * systemd's log, as they are, in the order that the register shows.
 */
struct pcr_log_options {
        const char *dir;  /* NAME.log lives here; borrowed */
        const char *name; /* NULL: pcr15, or pcrN for another register; borrowed */
        const char
                *foreign; /* systemd's log, which may not exist; borrowed. NULL: the register is ours alone */
        unsigned pcr;
        struct tpm_bank_set banks;
};

struct pcr_log;

int pcr_log_new(const struct pcr_log_options *options, struct pcr_log **ret, struct err *err) MUST_USE;
void pcr_log_free(struct pcr_log *log);
DEFINE_AUTO(struct pcr_log, pcr_log_free)

/*
 * Looks at TPM and file: begins a new log if this is a new boot (the old one stays beside it with ".old"),
 * carries out the extend of a last record that lacks it, takes over what others extended. To be called after
 * every (re)start of agent or TPM. Return: 0, also if the log does not explain the register
 * (pcr_log_explains()); -ERR_TPM, -ERR_IO, -ERR_NOMEM.
 */
int pcr_log_open(struct pcr_log *log, struct tpm *tpm, struct err *err) MUST_USE;

/* The same while running, without the question of a new boot: is the register still what the log says? */
int pcr_log_check(struct pcr_log *log, struct tpm *tpm, struct err *err) MUST_USE;

/*
 * Appends REC, of which the caller filled in the kind and what belongs to that alone (borrowed for the call),
 * with a digest for each bank, and extends. Return: 0: both are durable; -ERR_IO, -ERR_LIMIT if the record
 * cannot be written: then nothing is extended; -ERR_TPM: the record is there, and is extended by the next
 * look.
 */
int pcr_log_add(struct pcr_log *log, struct tpm *tpm, struct cel_record *rec, const struct digest *digests,
                size_t n, struct err *err) MUST_USE;

/* The same for a file. -ERR_IO if the record cannot be written: then nothing is extended.
 */
int pcr_log_measure(struct pcr_log *log, struct tpm *tpm, const char *runtime, const char *path,
                    const struct measurement *m, struct err *err) MUST_USE;

/*
 * Extends with a revocation's record (evidence/revocation_order.h). Unlike a measurement it waits for
 * nothing: on a disk that takes no record the register is extended all the same, and the record is kept in
 * memory until the disk takes it. Return: 0; -ERR_TPM; -ERR_CRYPTO, -ERR_NOMEM.
 */
int pcr_log_revoke(struct pcr_log *log, struct tpm *tpm, const char *verifier, const char *id,
                   struct err *err) MUST_USE;
/* Does this boot's log hold that record? */
bool pcr_log_revoked(const struct pcr_log *log, const char *verifier, const char *id);

/* The newest record of ours for PATH in this boot, or NULL. */
const struct cel_record *pcr_log_newest(const struct pcr_log *log, const char *path);

/* Does the whole list lead to VALUE (in its bank)? For the value that was quoted. Return: 1, 0, < 0. */
int pcr_log_leads_to(const struct pcr_log *log, const struct digest *value, struct err *err) MUST_USE;

bool pcr_log_explains(const struct pcr_log *log);
/* Did the last pcr_log_open() begin a new log? */
bool pcr_log_began(const struct pcr_log *log);
size_t pcr_log_count(const struct pcr_log *log);
/* The banks that it extends in. */
const struct tpm_bank_set *pcr_log_banks(const struct pcr_log *log);
/* Appends up to MAX records from OFFSET, but no more than MAX_BYTES. Return: how many; -ERR_NOMEM. */
int pcr_log_slice(const struct pcr_log *log, size_t offset, size_t max, size_t max_bytes, struct buf *ret,
                  struct err *err) MUST_USE;

#endif
