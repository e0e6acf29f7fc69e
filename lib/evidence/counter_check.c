/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counter as a TPM states it. As everywhere, what is compared is what was signed: the statement is written
 * anew with the challenge, index, offset and length that we expect, and must be the same bytes. Only the
 * value is the TPM's to say.
 */
#include "evidence/counter_check.h"

#include "base/mem.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

#define COUNTER_BYTES 8

static bool is_rebuilt(const struct tpm_attest *a, struct view message, struct view qualifying,
                       struct view index_name, bool *ret_same)
{
        AUTO(buf_free) struct buf want = {0};
        struct tpm_attest expected = *a;

        expected.extra_data = qualifying;
        expected.nv.index_name = index_name;
        expected.nv.offset = 0;
        tpm_attest_write(&expected, &want);
        *ret_same = equal_ct(want.p, want.len, message.p, message.len);
        return buf_ok(&want);
}

int counter_check(const struct tpm_public *ak, const struct pubkey *key, struct view message,
                  struct view signature, struct view qualifying, struct view index_name,
                  struct counter_shown *ret, const char **ret_why, struct err *err)
{
        struct tpm_attest a;
        struct cursor value;
        bool good = false, same = false;
        int r = tpm_signature_check(ak, key, signature, message, &good, err);

        if (r < 0)
                return r;
        *ret_why = "the counter's value is not signed by the attestation key";
        if (!good)
                return 0;
        if (tpm_attest_parse(message, &a, err) < 0) {
                err_clear(err);
                *ret_why = "what was signed for the counter is no statement of a TPM";
                return 0;
        }
        *ret_why = "what was signed for the counter is not TPM2_NV_Certify";
        if (a.type != ATTEST_NV)
                return 0;
        *ret_why = "the counter's value was signed for another purpose or challenge";
        if (!equal_ct(a.extra_data.p, a.extra_data.len, qualifying.p, qualifying.len))
                return 0;
        *ret_why = "it is another counter than the one that was enrolled";
        if (a.nv.contents.len != COUNTER_BYTES)
                return 0;
        if (!is_rebuilt(&a, message, qualifying, index_name, &same))
                return err_nomem(err);
        if (!same)
                return 0;
        value = cursor_of(a.nv.contents);
        *ret = (struct counter_shown){.clock = a.clock};
        if (!cursor_be64(&value, &ret->value))
                return err_set(err, ERR_BUG, 0, "a counter of other than eight bytes");
        *ret_why = NULL;
        return 0;
}
