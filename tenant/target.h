/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_TARGET_H
#define AVOW_TENANT_TARGET_H

#include <stdint.h>

#include "tenant/command.h"
#include "wire/target.h"

/* Asks registrar and verifier. Return: 0; -ERR_PEER, …; -ERR_CONFIG when something is missing there. */
int target_fetch(const struct session *s, const char *host, struct target *ret, struct err *err) MUST_USE;

int target_load(const char *path, struct target *ret, struct err *err) MUST_USE;

/* How a person knows that the key is a TPM's, and this host's. */
struct target_trust {
        const struct option_list *ek_roots; /* files or folders of CA certificates */
        const char *ek_sha256;              /* or the key itself: SHA-256 of its SPKI, in hex */
};

/*
 * Is its EK what it says: a storage key of a TPM, with a certificate that descends from the roots, or the one
 * that was named? Needs no network. Return: 0; -ERR_FORMAT with the reason if not; -ERR_CONFIG if nothing was
 * named to check it with.
 */
int target_check_ek(const struct target *t, const struct target_trust *trust, int64_t now_ms,
                    struct err *err) MUST_USE;

#endif
