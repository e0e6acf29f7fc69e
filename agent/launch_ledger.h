/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_LEDGER_H
#define AVOW_AGENT_LAUNCH_LEDGER_H

#include "agent/pcr_log.h"
#include "evidence/launch.h"
#include "wire/permit.h"

/*
 * What the launch log says: one record before each start, one for what the runtime has mapped. LOG is that of
 * the launch register (agent/pcr_log.h), opened. Return: 0: record and extend are durable; < 0 as
 * pcr_log_add(): there was no extend.
 */
int launch_ledger_launch(struct pcr_log *log, struct tpm *tpm, const struct launch *l,
                         const struct permit *permit, bool cached, struct err *err) MUST_USE;

/*
 * LINES are the executable mappings of launch DIGEST, FOREIGN those that its closure lacks, both "SHA256
 * PATH\n" a line, sorted. More than CEL_FOREIGN_MAX are cut. *MAPPED is the SHA-256 of LINES as recorded
 * last for this launch, and is changed; nothing is recorded, and TPM and LOG may be NULL, if it is the same.
 * Return: as above; -ERR_FORMAT for lines that are none.
 */
int launch_ledger_mapped(struct pcr_log *log, struct tpm *tpm, const struct digest *digest, struct view lines,
                         struct view foreign, struct digest *mapped, struct err *err) MUST_USE;

#endif
