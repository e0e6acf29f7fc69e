/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_INVENTORY_H
#define AVOW_AGENT_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf.h"
#include "agent/pcr_log.h"
#include "base/str.h"

/*
 * The files of the configured runtimes, and what is known of each: was it measured, may it have changed.
 * Order: runtimes as configured, in each the executable first, the rest bytewise; each file once.
 */
struct inventory;

/* CONFIG is borrowed. No file is read yet. */
int inventory_new(const struct agent_config *config, const struct tpm_bank_set *banks, struct inventory **ret,
                  struct err *err) MUST_USE;
void inventory_free(struct inventory *inv);
DEFINE_AUTO(struct inventory, inventory_free)

/*
 * At start: every file is digested before the first is measured, so a missing one leaves the register alone;
 * then what the log does not have yet in this boot is measured. Return: 0; the first failure otherwise.
 */
int inventory_start(struct inventory *inv, struct pcr_log *log, struct tpm *tpm, struct err *err) MUST_USE;

/* How closely to look. */
enum inventory_look {
        INVENTORY_MARKS,    /* size, times, inode: cheap, before each quote and on each notice */
        INVENTORY_CONTENTS, /* every byte: the rescan */
};

/*
 * While running: measures what changed. A file that somebody is still writing gets INVENTORY_SETTLE_MS to be
 * finished. Return: the number of measurements; -ERR_TPM, -ERR_NOMEM, -ERR_CRYPTO. Trouble with a file is not
 * a failure but inventory_problem().
 */
#define INVENTORY_SETTLE_MS 2000
int inventory_look(struct inventory *inv, enum inventory_look look, int64_t mono_ms, struct pcr_log *log,
                   struct tpm *tpm, struct err *err) MUST_USE;

/* Something is waiting to be finished: look again in 50 ms. */
bool inventory_settling(const struct inventory *inv);

/* Why nothing may be quoted: a file that is there and cannot be measured or logged. NULL: nothing is wrong.
 */
const char *inventory_blocked(const struct inventory *inv);
/* What an operator should know beside that (a runtime's file is gone). NULL: nothing. */
const char *inventory_problem(const struct inventory *inv);

/* All paths to watch: the files, resolved, and the configured names. Appended. Return: 0; -ERR_NOMEM. */
int inventory_paths(const struct inventory *inv, struct strv *ret, struct err *err) MUST_USE;

/* For people: "RUNTIME PATH" a line for each file, in order, with digests. Reads files, changes nothing. */
int inventory_describe(struct inventory *inv, struct buf *ret, struct err *err) MUST_USE;

#endif
