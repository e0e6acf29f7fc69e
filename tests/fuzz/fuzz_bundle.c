/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence bundles. In production an auditor gets them from anywhere. What was decoded encodes to bytes that
 * decode to the same again, and nothing that was changed authenticates by accident.
 */
#include "evidence/bundle.h"

#include "fuzz/fuzz.h"

static void authenticate(const struct bundle *b)
{
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        struct authenticated out;
        struct tpm_public ak;
        struct digest qualifying;
        struct evidence e;
        struct expectation x;
        struct err err = ERR_INIT;
        const char *why = NULL;
        bool authentic = false, fits = false;
        int r;

        if (bundle_evidence(b, &ak, &qualifying, &e, &x, &err) < 0)
                return;
        (void)!bundle_certificate_fits(b, &ak, &fits, &why, &err);
        r = evidence_authenticate(&e, &x, v, &authentic, &out, &err);
        /* A key that is no point on its curve: nothing could be decided. */
        FUZZ_CHECK(r == 0 || err.kind == ERR_FORMAT || err.kind == ERR_CRYPTO);
        FUZZ_CHECK(r < 0 || authentic == (v->state != VERDICT_REFUSED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(bundle_free_p) struct bundle *again = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf text_again = {0};
        struct err err = ERR_INIT;

        if (bundle_decode(VIEW(data, size), &b, &err) < 0)
                return 0;
        FUZZ_CHECK(bundle_encode(b, &text, &err) == 0);
        FUZZ_CHECK(bundle_decode(VIEW_BUF(&text), &again, &err) == 0);
        FUZZ_CHECK(bundle_encode(again, &text_again, &err) == 0);
        FUZZ_CHECK(view_equal(VIEW_BUF(&text), VIEW_BUF(&text_again)));
        authenticate(b);
        return 0;
}
