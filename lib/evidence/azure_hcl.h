/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_AZURE_HCL_H
#define AVOW_EVIDENCE_AZURE_HCL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/pubkey.h"

/*
 * Azure's HCL report: the paravisor's container (NV index 0x01400001 of the virtual TPM) around a hardware
 * report that was made at boot, and a JSON text with the virtual TPM's keys. The hardware report's first 32
 * bytes of report data are the text's digest. So freshness is in the TPM's quote, and the chain to check is:
 * nonce → quote → AK → this text → hardware report. Spec: Azure, "Attestation with a vTPM: HCL report".
 */
#define AZURE_HCL_BYTES_MAX 65536

enum azure_hcl_type {
        AZURE_HCL_SNP = 2,
        AZURE_HCL_TDX = 4,
};

/* Views borrowed from the container. */
struct azure_hcl {
        uint32_t version;
        uint32_t type;        /* enum azure_hcl_type, or a number unknown */
        struct view hardware; /* 1184 bytes: an SNP report; of a TDX guest a TDREPORT and padding */
        struct view data;     /* the JSON text */
};
/* Only zeros may follow. Return: 0; -ERR_FORMAT (magic, version, lengths, a hash other than SHA-256). */
int azure_hcl_parse(struct view in, struct azure_hcl *ret, struct err *err) MUST_USE;

/*
 * Is REPORT_DATA, of 64 bytes, the digest of the text, and zeros behind it? The report it is from has to be
 * authentic by itself. Return: 0 and the answer; -ERR_CRYPTO.
 */
int azure_hcl_binds(const struct azure_hcl *hcl, struct view report_data, bool *ret_good,
                    struct err *err) MUST_USE;

/* The AK in the text: the one key with the kid "HCLAkPub". Return: 0; -ERR_FORMAT; -ERR_NOMEM, -ERR_CRYPTO.
 */
int azure_hcl_ak(const struct azure_hcl *hcl, struct pubkey **ret, struct err *err) MUST_USE;

#endif
