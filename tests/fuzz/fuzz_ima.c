/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurement lists: a host sends them, and root on it may have written them. The first byte chooses the
 * form. Where the verifier's reader finds an entry in the binary form, the agent, which looks at lengths
 * alone, has to cut at the same place: else a part would begin inside an entry.
 */
#include <stdlib.h>

#include "evidence/ima.h"
#include "evidence/ima_size.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_list list = {.log_hash = DIGEST_SHA1};
        struct err err = ERR_INIT;
        struct ima_entry e;
        struct ima_event event;
        size_t len = 0;

        if (size == 0)
                return 0;
        list.form = data[0] & 1 ? IMA_TEXT : IMA_BINARY;
        list.bytes = VIEW(data + 1, size - 1);
        (void)!ima_list_is_binary(list.bytes);
        (void)!ima_entry_size(list.bytes, &len, &err);
        err_clear(&err);
        if (ima_reader_new(&list, &r, &err) < 0)
                return 0;
        while (ima_next(r, &e, &err) > 0) {
                if (list.form == IMA_BINARY && e.pcr <= 255) { /* the agent knows no other registers */
                        struct view rest = VIEW(list.bytes.p + e.at, list.bytes.len - e.at);

                        FUZZ_CHECK(ima_entry_size(rest, &len, &err) == 1 && len == e.len);
                }
                (void)!ima_event_decode(&e, &event, &err);
        }
        return 0;
}
