/* SPDX-License-Identifier: Apache-2.0 */
/* From the TPM stack's structs to the bytes that go over wires and into files. */
#include <tss2/tss2_mu.h>

#include "base/bytes.h"
#include "tpm/private.h"

static int put(struct buf *out, TSS2_RC rc, const uint8_t *p, size_t n, struct err *err)
{
        if (rc != TSS2_RC_SUCCESS)
                return err_set(err, ERR_BUG, rc, "a TPM structure that cannot be marshalled");
        buf_put(out, p, n);
        return buf_ok(out) ? 0 : err_nomem(err);
}

int tpm_put_public(struct buf *out, const TPM2B_PUBLIC *in, struct err *err)
{
        uint8_t bytes[sizeof(*in)];
        size_t n = 0;
        TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(in, bytes, sizeof(bytes), &n);

        return put(out, rc, bytes, n, err);
}

int tpm_put_private(struct buf *out, const TPM2B_PRIVATE *in, struct err *err)
{
        uint8_t bytes[sizeof(*in)];
        size_t n = 0;
        TSS2_RC rc = Tss2_MU_TPM2B_PRIVATE_Marshal(in, bytes, sizeof(bytes), &n);

        return put(out, rc, bytes, n, err);
}

int tpm_put_signature(struct buf *out, const TPMT_SIGNATURE *in, struct err *err)
{
        uint8_t bytes[sizeof(*in)];
        size_t n = 0;
        TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(in, bytes, sizeof(bytes), &n);

        return put(out, rc, bytes, n, err);
}
