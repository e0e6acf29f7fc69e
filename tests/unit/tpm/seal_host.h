/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SEAL_HOST_H
#define AVOW_TESTS_SEAL_HOST_H

/* What the tests of sealing share: an emulator, a host on it, its keys and counters. */

#include "support/support.h"

#include <stdlib.h>
#include <time.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

#include "base/mem.h"
#include "crypto/authpolicy.h"
#include "crypto/import_blob.h"
#include "crypto/key.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "evidence/sealed.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_signature.h"
#include "evidence/tss2_pem.h"
#include "swtpm.h"
#include "tpm/ak.h"
#include "tpm/nv_counter.h"
#include "tpm/policy.h"
#include "tpm/seal.h"

#define EPOCH SEAL_NV_EPOCH
#define FLOOR SEAL_NV_FLOOR
#define PCRS  (1u << 7 | 1u << 15)

#define OK(call)                                                                                             \
        do {                                                                                                 \
                if ((call) < 0)                                                                              \
                        fail_msg("%s: %s", #call, err.text);                                                 \
        } while (0)

/* The verifier and the host of releases. */
#define VERIFIER_ID "00000000-0000-4000-8000-0123456789ab"
#define HOST_ID     "web-1"

extern struct swtpm emulator;

struct signer {
        struct key *key;
        struct pubkey *public;
};

struct signer signer_new(bool rsa);
void signer_free(struct signer *s);

/* A host with counters, and the keys of its owner and verifier. */
struct host {
        struct tpm *tpm;
        struct tpm_ek *ek;
        struct signer agent, approval, root, release;
        struct tpm_counter epoch, floor;
        struct digest ref, release_ref;
};

struct host host_new(enum tpm_ek_type type);
void host_free(struct host *h);
struct tpm_counter_auth agent_of(const struct host *h);
void define_anew(struct host *h, uint32_t index, struct tpm_counter *ret);
struct digest pcrs_now(struct tpm *tpm, uint32_t mask);

int seal_setup(void **state);
int seal_teardown(void **state);

#endif
