/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed envelopes. In production whoever hands a policy to the verifier or to a command controls these bytes
 * before any signature was checked.
 */
#include "crypto/dsse.h"
#include "fuzz/fuzz.h"

/* The key of the specification's example. */
static struct pubkey *example_key(void)
{
        static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n"
                                  "CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n"
                                  "-----END PUBLIC KEY-----\n";
        struct pubkey *key = NULL;
        struct err err = ERR_INIT;

        return pubkey_from_pem(view_str(pem), &key, &err) == 0 ? key : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct pubkey *key;
        struct dsse d;
        struct err err = ERR_INIT;
        size_t which;
        bool good = true;

        if (size > 65536 || dsse_parse(VIEW(data, size), &d, &err) < 0)
                return 0;
        key = example_key();
        FUZZ_CHECK(key && d.n_signatures >= 1 && d.n_signatures <= DSSE_SIGNATURES_MAX);
        FUZZ_CHECK(dsse_verify(&d, (const struct pubkey *const *)&key, 1, &good, &which, &err) == 0);
        pubkey_free(key);
        dsse_done(&d);
        return 0;
}
