/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_CCEL_H
#define AVOW_EVIDENCE_CCEL_H

#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/bootlog.h"
#include "evidence/dcap_quote.h"
#include "evidence/tee.h"

/*
 * The event log of a TD (bootlog_parse_cc()) against its RTMRs: measurement register n + 1 is RTMR n. MRTD is
 * no register that is extended; events of register 0 are not replayed.
 * Spec: Intel TDX Module Base Architecture, run-time measurement registers; UEFI 2.10, chapter 38.
 */

/* What the log leads to, from zeros. Return: 0; -ERR_FORMAT without SHA-384; -ERR_CRYPTO. */
int ccel_replay(const struct bootlog *log, struct digest ret[TD_RTMRS], struct err *err) MUST_USE;

/*
 * Records the check "rtmr-log": passed, or failed with "rtmr-mismatch" naming the first register that the
 * log does not lead to; a log that cannot be read is "evidence-malformed". AREA: the bytes of the CCEL area.
 * Return: 0 with the check recorded (the verdict is the caller's); -ERR_CRYPTO, -ERR_NOMEM.
 */
int ccel_check(struct view area, const struct td_report *td, struct tee_result *ret,
               struct err *err) MUST_USE;

#endif
