/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSS2 key files and the public areas in them. In production whoever writes a host's secrets directory, or
 * hands an operator a file to adopt, controls them.
 */
#include "evidence/sealed.h"
#include "evidence/tss2_pem.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(buf_free) struct buf pem = {0};
        AUTO(buf_free) struct buf bytes2 = {0};
        struct sealed_candidates nothing = {.epoch = 0};
        struct sealed_verdict verdict;
        struct sealed_public sealed;
        struct tss2_key key, again;
        struct err err = ERR_INIT;

        if (tss2_pem_read(VIEW(data, size), &key, &bytes, &err) < 0)
                return 0;
        FUZZ_CHECK(tss2_pem_write(&key, &pem, &err) == 0 || err.kind == ERR_LIMIT);
        FUZZ_CHECK(err.kind == ERR_LIMIT || tss2_pem_read(VIEW_BUF(&pem), &again, &bytes2, &err) == 0);
        if (sealed_public_parse(key.public_area, &sealed, &err) < 0)
                return 0;
        FUZZ_CHECK(sealed_judge(&sealed, &nothing, &verdict, &err) == 0);
        FUZZ_CHECK(verdict.refusal && !verdict.revocable); /* nothing is known to rebuild it from */
        return 0;
}
