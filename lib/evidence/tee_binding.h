/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_BINDING_H
#define AVOW_EVIDENCE_TEE_BINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/azure_hcl.h"
#include "evidence/svsm.h"
#include "evidence/tee.h"
#include "evidence/tpm_public.h"

/*
 * What ties a processor's evidence to a host's attestation key. Report data is chosen by software in the
 * guest: over an AK's name it shows that software in *that* guest names *this* AK, and a guest that
 * co-operates can name another machine's. Rooted is only what the guest had no say in: keys in a text that
 * the paravisor had measured (Azure HCL), the virtual TPM that an SVSM runs, or an image whose launch
 * measurement is allowed because no code in it but the agent can ask for reports. That it was a paravisor or
 * an SVSM, and no guest that writes the same text, its launch shows: so a policy has to know it. Spec: SR-19.
 */
#define TEE_BINDING_BYTES 64

struct tee_binding {
        struct view challenge; /* that the host's own quote answers */
        const struct tpm_public *ak;
        bool rooted;                  /* it has to be; false: named will do */
        const struct tee_set *images; /* launch measurements that root what they name; NULL: none */
        /* SHA-256 of the SubjectPublicKeyInfo of the EK whose TPM, by the registrar's proof, holds AK; NULL:
         * not known */
        const struct digest *ek;
};

/* SHA-512 over "avow-tee-1", NUL, and challenge and AK name behind their 16-bit lengths, big-endian. Return:
 * 0; -ERR_FORMAT for a challenge over 65535 bytes; -ERR_CRYPTO, -ERR_NOMEM. */
int tee_binding_data(struct view challenge, const struct tpm_public *ak, uint8_t ret[TEE_BINDING_BYTES],
                     struct err *err) MUST_USE;

/*
 * Records the check "binding" for authentic evidence with this report data and launch measurement: passed,
 * with the flag "binding-rooted" or "binding-named"; or failed: binding-mismatch, binding-not-rooted.
 * Return: 0 with the check recorded (the verdict is the caller's); as tee_binding_data().
 */
int tee_binding_check(const struct tee_binding *b, struct view report_data, struct view image,
                      struct tee_result *ret, struct err *err) MUST_USE;
/* The same for an HCL report whose text its authentic hardware report covers. LAUNCH_KNOWN: the policy has
 * allowed what was launched, by its measurement or by the key that signed it. */
int tee_binding_check_hcl(const struct tee_binding *b, const struct azure_hcl *hcl, bool launch_known,
                          struct tee_result *ret, struct err *err) MUST_USE;
/* The same for an SVSM's report, of VMPL 0, and its manifest. */
int tee_binding_check_svsm(const struct tee_binding *b, const struct svsm_manifest *manifest,
                           struct view report_data, bool launch_known, struct tee_result *ret,
                           struct err *err) MUST_USE;

#endif
