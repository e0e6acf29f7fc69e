/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of possession: the AK certifies itself over a challenge (TPM2_Certify). It shows that whoever opens a
 * session can use the enrolled AK now; it says nothing about the host's state.
 * Spec: Keylime REST API 3.0, sessions; TPM 2.0 Library Part 3 §18.2.
 */
#include "evidence/authenticate.h"

#include "base/mem.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

static int no(bool *ret_good, const char **ret_why, const char *why)
{
        *ret_good = false;
        *ret_why = why;
        return 0;
}

int possession_check(const struct tpm_public *ak, struct view message, struct view signature,
                     struct view qualifying, bool *ret_good, const char **ret_why, struct err *err)
{
        struct attest_expected want = {.type = ATTEST_CERTIFY, .extra_data = qualifying};
        struct tpm_attest a;
        struct tpm_name name;
        bool good = false, same = false;
        const char *why = tpm_public_ak_refusal(ak);
        int r;

        if (why)
                return no(ret_good, ret_why, why);
        r = tpm_signature_check(ak, NULL, signature, message, &good, err);
        if (r < 0)
                return r;
        if (!good)
                return no(ret_good, ret_why, "it is not signed by the attestation key");
        if (tpm_attest_parse(message, &a, err) < 0) {
                err_clear(err);
                return no(ret_good, ret_why, "what was signed is no statement of a TPM");
        }
        if (a.type != ATTEST_CERTIFY)
                return no(ret_good, ret_why, "what was signed is no certification");
        if (!equal_ct(a.extra_data.p, a.extra_data.len, qualifying.p, qualifying.len))
                return no(ret_good, ret_why, "it answers another challenge");
        r = tpm_public_name(ak, &name, err);
        if (r == 0) {
                want.name = &name;
                r = tpm_attest_is(message, &want, &same, err);
        }
        if (r < 0)
                return r;
        if (!same)
                return no(ret_good, ret_why, "it certifies another key");
        *ret_good = true;
        *ret_why = NULL;
        return 0;
}
