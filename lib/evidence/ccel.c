/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TD's event log comes from the guest; the RTMRs in the quote are what makes its digests true. Events that
 * were cut off, edited, or put behind the log's end lead elsewhere, and the first register where they do is
 * named. Registers that the log does not extend must be zero.
 *
 * Spec: see ccel.h.
 */
#include "evidence/ccel.h"

#include "base/hex.h"
#include "base/mem.h"

int ccel_replay(const struct bootlog *log, struct digest ret[TD_RTMRS], struct err *err)
{
        struct pcr_values values;
        int r = bootlog_replay(log, DIGEST_SHA384, &values, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < TD_RTMRS; i++)
                if (values.mask >> (i + 1) & 1)
                        ret[i] = values.v[i + 1];
                else
                        digest_zero(DIGEST_SHA384, &ret[i]);
        return 0;
}

int ccel_check(struct view area, const struct td_report *td, struct tee_result *ret, struct err *err)
{
        struct digest rtmr[TD_RTMRS];
        struct bootlog log;
        int r = bootlog_parse_cc(area, &log, err);

        if (r >= 0)
                r = ccel_replay(&log, rtmr, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                tee_fail(ret, "rtmr-log", "evidence-malformed", "%s", err->text);
                err_clear(err);
                return 0;
        }
        for (size_t i = 0; r >= 0 && i < TD_RTMRS; i++) {
                char text[2 * DIGEST_BYTES_MAX + 1];

                if (equal_ct(td->rtmr[i].p, td->rtmr[i].len, rtmr[i].b, rtmr[i].len))
                        continue;
                tee_fail(ret, "rtmr-log", "rtmr-mismatch", "RTMR %zu: the log leads to %s", i,
                         hex_write(text, digest_view(&rtmr[i])));
                return 0;
        }
        if (r >= 0)
                tee_pass(ret, "rtmr-log");
        return r;
}
