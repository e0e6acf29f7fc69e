/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_IDENTITY_H
#define AVOW_AGENT_IDENTITY_H

#include "agent/conf.h"
#include "base/bytes.h"
#include "tpm/ak.h"

/*
 * Who this host is: its endorsement key, an attestation key that is kept as long as the EK stays the same,
 * and its name. Files in the state directory: ak.json, ak.auth (the AK's secret), host_id.
 */
struct identity {
        enum tpm_ek_type ek_type;
        struct buf ek_public, ek_certificate, ek_chain;
        struct tpm_ak *ak; /* loaded */
        char host_id[81];
        bool ak_is_new;
};

/*
 * Loads or makes all of it. Slow where the TPM is: up to a minute. Return: 0; -ERR_TPM, -ERR_IO, -ERR_FORMAT
 * for a state file that is none (the text says which), -ERR_NOMEM, -ERR_CRYPTO.
 */
int identity_load(struct identity *id, struct tpm *tpm, const struct agent_config *config,
                  struct err *err) MUST_USE;
/* Unloads; the TPM may be gone already. */
void identity_done(struct identity *id);

/* Opens a credential: makes the EK again for it. */
int identity_activate(struct identity *id, struct tpm *tpm, struct view id_object, struct view secret,
                      struct secret *ret, struct err *err) MUST_USE;

#endif
