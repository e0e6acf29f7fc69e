/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_TARGET_H
#define AVOW_WIRE_TARGET_H

#include <jansson.h>
#include <stdint.h>

#include "crypto/credential.h"
#include "evidence/tpm_public.h"
#include "wire/owner.h"

/*
 * All that has to be known of a host to seal to it (avow.target/1): its EK, its counters, and the verifier
 * that releases. Got from the servers once, checked wherever it is used, without them (SR-10).
 */
#define TARGET_BYTES_MAX (128u * 1024)

struct target {
        char host[WIRE_HOST_MAX + 1];
        char tenant[OWNER_NAME_MAX + 1];
        struct buf ek;        /* TPM2B_PUBLIC */
        char *ek_certificate; /* PEM, or NULL */
        struct pubkey *ek_key;
        struct credential_ek credential; /* borrows ek_key */
        struct pubkey *counter_key;
        uint32_t epoch_index, floor_index;
        uint64_t epoch, floor;
        struct tpm_name epoch_name, floor_name; /* rebuilt from index and counter key */
        struct pubkey *release_key;             /* NULL: the verifier has none */
        char verifier[WIRE_UUID_LEN + 1];
};
void target_done(struct target *t);

/* Return: 0; -ERR_FORMAT, also for an EK or a counter that is not what it has to be. */
int target_decode(struct view text, struct target *ret, struct err *err) MUST_USE;
int target_encode(const struct target *t, struct buf *ret, struct err *err) MUST_USE;

/* For who puts one together: what follows from t->ek; {"key", "epoch", "floor"} as a verifier shows them. */
int target_read_ek(struct target *t, struct err *err) MUST_USE;
int target_read_counters(const json_t *j, struct target *t, struct err *err) MUST_USE;

#endif
