/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's event log and the kernel's measurement list. Root on the host writes both as he likes, and
 * whoever holds his key sends them. The first byte chooses.
 */
#include <string.h>

#include "evidence/boot_record.h"
#include "evidence/ima.h"
#include "evidence/ima_signature.h"
#include "fuzz/fuzz.h"

static void try_boot_log(struct view v)
{
        struct pcr_values quoted = {.bank = DIGEST_SHA256, .mask = 0xffffff};
        struct boot_record record;
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        struct bootlog log;
        struct err err = ERR_INIT;
        size_t n = 0;

        if (bootlog_parse(v, &log, &err) < 0)
                return;
        while (bootlog_next(&log, &pos, &e)) {
                struct buf out = {0};

                bootlog_describe(&e, &out);
                FUZZ_CHECK(buf_ok(&out));
                buf_free(&out);
                n++;
        }
        FUZZ_CHECK(n == log.n_events && pos.at == v.len);
        for (unsigned i = 0; i < PCR_COUNT; i++)
                digest_zero(DIGEST_SHA256, &quoted.v[i]);
        if (boot_record_make(&log, &quoted, &record, &err) < 0)
                return;
        for (unsigned i = 0; i < 8; i++) /* an empty register is explained by nothing */
                FUZZ_CHECK(!(record.explained >> i & 1));
        for (size_t i = 0; i < record.n; i++)
                FUZZ_CHECK(record.explained >> record.rows[i].pcr & 1);
        boot_record_done(&record);
}

static void try_list(struct view v, enum ima_form form)
{
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_list list = {.form = form, .log_hash = DIGEST_SHA1, .bytes = v};
        struct ima_signature sig;
        struct ima_entry e;
        struct ima_event event;
        struct err err = ERR_INIT;
        size_t at = 0;

        if (ima_reader_new(&list, &r, &err) < 0)
                return;
        while (ima_next(r, &e, &err) == 1) {
                FUZZ_CHECK(e.at == at && e.len > 0);
                at += e.len;
                if (ima_event_decode(&e, &event, &err) == 0 && event.sig.len)
                        (void)!ima_signature_parse(event.sig, &sig, &err); /* either answer will do */
        }
        FUZZ_CHECK(at <= v.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        if (data[0] % 3 == 0)
                try_boot_log(VIEW(data + 1, size - 1));
        else
                try_list(VIEW(data + 1, size - 1), data[0] % 3 == 1 ? IMA_BINARY : IMA_TEXT);
        return 0;
}
