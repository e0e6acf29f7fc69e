/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_PLAY_TPM_H
#define AVOW_TESTS_PLAY_TPM_H

#include "crypto/digest.h"
#include "crypto/key.h"
#include "evidence/pcr.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"

/*
 * A TPM that plays along: an attestation key in software, registers and a clock that a test sets as it likes.
 * It makes the bytes a TPM makes, signed; so a test can also make what no TPM would. Calls assert by
 * themselves. Link tests/support/libplaytpm.la before the evidence and crypto libraries. Around it:
 * soft_host.h adds a measurement log, soft_ek.h opens credentials for any kind of EK.
 */
enum play_ak {
        PLAY_AK_P256,
        PLAY_AK_RSA,
};

struct play_tpm {
        struct key *key;
        struct buf ak_pub;    /* TPM2B_PUBLIC */
        struct tpm_public ak; /* borrows from ak_pub */
        struct tpm_clock clock;
        uint64_t time_ms;
        uint64_t firmware_version;
        struct pcr_values pcrs; /* all 24 of one bank, from zero */
        struct key *ek;         /* none until play_tpm_make_ek() */
        struct buf ek_pub;      /* TPM2B_PUBLIC */
};

void play_tpm_init(struct play_tpm *t, enum play_ak kind, enum digest_alg bank);
void play_tpm_done(struct play_tpm *t);

/* An ECC P-256 EK (template L-2), without a certificate. */
void play_tpm_make_ek(struct play_tpm *t);
/* TPM2_ActivateCredential for the AK with that EK: opens a credential in tpm2-tools' file form. Return: as
 * soft_ek_open(). */
int play_tpm_activate(const struct play_tpm *t, struct view file, struct buf *ret, struct err *err) MUST_USE;

/* Clock and time move on together. */
void play_tpm_pass_time(struct play_tpm *t, uint64_t ms);
/* Registers to zero, reset count and time as after a power cycle. */
void play_tpm_reboot(struct play_tpm *t);
/* pcr = H(pcr ‖ H(data)); pcr = H(pcr ‖ digest) */
void play_tpm_extend(struct play_tpm *t, unsigned pcr, struct view data);
void play_tpm_extend_digest(struct play_tpm *t, unsigned pcr, const struct digest *d);

/* The values of SEL, as they are sent beside a quote. */
struct pcr_values play_tpm_values(const struct play_tpm *t, const struct pcr_selection *sel);

/* TPMS_ATTEST and TPMT_SIGNATURE; the bufs are emptied first. */
void play_tpm_quote(const struct play_tpm *t, const struct pcr_selection *sel, struct view qualifying,
                    struct buf *message, struct buf *signature);
void play_tpm_time(const struct play_tpm *t, struct view qualifying, struct buf *message,
                   struct buf *signature);
void play_tpm_certify(const struct play_tpm *t, const struct tpm_public *object, struct view qualifying,
                      struct buf *message, struct buf *signature);
/* TPM2_NV_Certify of a counter's eight bytes. */
void play_tpm_certify_counter(const struct play_tpm *t, const struct tpm_name *index, uint64_t value,
                              struct view qualifying, struct buf *message, struct buf *signature);
/* Signs anything at all, as a restricted key would not. */
void play_tpm_sign(const struct play_tpm *t, struct view message, struct buf *signature);

#endif
