/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit records, as an auditor gets them in a file from anywhere. A record that is not signed by the key
 * never moves the chain, and what can be read can be shown.
 */
#include "crypto/pubkey.h"
#include "fuzz/fuzz.h"
#include "store/audit.h"

/* Some P-256 key, whose private half nobody has here. */
static const char key_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
                              "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
                              "-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct audit_chain chain = {0};
        struct audit_record record;
        struct err err = ERR_INIT;

        FUZZ_CHECK(pubkey_from_pem(view_str(key_pem), &key, &err) == 0);
        FUZZ_CHECK(audit_chain_check(&chain, key, VIEW(data, size), NULL, &err) < 0);
        FUZZ_CHECK(chain.seq == 0 && chain.head[0] == '\0');
        if (audit_record_parse(VIEW(data, size), &record, &err) < 0)
                return 0;
        FUZZ_CHECK(record.seq > 0 && record.prev);
        audit_record_free(&record);
        return 0;
}
