/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_TEE_H
#define AVOW_AGENT_TEE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/conf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/tee.h"

/*
 * Evidence of the processor, for the TPM half: the places in which a kernel (or a library OS) gives it out,
 * and one way to ask all of them. What comes is not looked into but where a length has to be known: it is for
 * the verifier to judge.
 */
#define TEE_DATA_BYTES 64

struct tee_made {
        struct buf evidence, table, manifest; /* as struct tee_shown */
};
void tee_made_done(struct tee_made *m);

/*
 * Is there a processor to ask? Return: true and the kind, by the first of tee.tsm, tee.sev_guest and
 * tee.attestation that answers.
 */
bool tee_source_look(const struct agent_config *config, enum tee_kind *ret) MUST_USE;

/* Asks that source for evidence over DATA. Return: 0; -ERR_IO, -ERR_LIMIT, -ERR_FORMAT; -ERR_NOMEM. */
int tee_source_make(const struct agent_config *config, enum tee_kind kind, const uint8_t data[TEE_DATA_BYTES],
                    struct tee_made *ret, struct err *err) MUST_USE;

/* The sources by themselves; as above. */
int tee_tsm_kind(const char *folder, enum tee_kind *ret, struct err *err) MUST_USE;
/* SVSM: its report and manifest, and the certificates of an ordinary report. */
int tee_tsm_make(const char *folder, unsigned privlevel, bool svsm, const uint8_t data[TEE_DATA_BYTES],
                 struct tee_made *ret, struct err *err) MUST_USE;
int tee_sev_guest_make(const char *device, unsigned vmpl, const uint8_t data[TEE_DATA_BYTES],
                       struct tee_made *ret, struct err *err) MUST_USE;

#endif
