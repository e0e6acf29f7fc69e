/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON. In production any stranger who reaches a server's port controls these bytes: every request body
 * starts here. What was parsed must print and parse again to the same value.
 */
#include "base/json.h"

#include "base/mem.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(json_free_p)
        json_t *again = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        struct err err = ERR_INIT;

        if (json_parse(VIEW(data, size), 1U << 20, &j, &err) < 0)
                return 0;
        text = json_print(j);
        FUZZ_CHECK(text);
        FUZZ_CHECK(json_parse(view_str(text), 16U << 20, &again, &err) == 0);
        FUZZ_CHECK(json_equal(j, again));
        return 0;
}
