/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a runtime as the agent reads them to find its libraries, and the loader's cache. In production
 * whoever can replace a runtime controls the first; root the second.
 */
#include "base/elf_file.h"
#include "base/ld_cache.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct strv plain = {0}, special = {0};
        struct elf_file e = {0};
        struct err err = ERR_INIT;

        if (elf_file_parse(VIEW(data, size), &e, &err) == 0) {
                for (size_t i = 0; i < e.needed.n; i++)
                        FUZZ_CHECK(e.needed.items[i][0] != '\0');
                FUZZ_CHECK(e.is_elf || e.needed.n == 0);
                elf_file_done(&e);
        }
        FUZZ_CHECK(ld_cache_find(VIEW(data, size), "libx.so.1", &plain, &special, &err) <= 0);
        strv_done(&plain);
        strv_done(&special);
        return 0;
}
