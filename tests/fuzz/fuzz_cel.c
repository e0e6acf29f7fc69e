/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of PCR 15 and of launches. In production root on a host controls them, and the agent reads its own
 * and systemd's after a crash. What was parsed replays without complaint, and records of ours are written as
 * they were read.
 */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "evidence/cel.h"
#include "evidence/launch.h"
#include "fuzz/fuzz.h"

/* What a record of a launch says is what its digest is made of, whichever way it was spelt. */
static void launches(const struct cel_record *rec, const struct cel_record *again)
{
        struct digest a, b;
        struct err err = ERR_INIT;
        bool is = false;

        FUZZ_CHECK(launch_record_is(rec, rec->digests[0].alg, &is, &err) == 0);
        if (launch_record_digest(DIGEST_SHA256, rec, &a, &err) < 0) {
                FUZZ_CHECK(err.kind == ERR_FORMAT && !is);
                return;
        }
        FUZZ_CHECK(launch_record_digest(DIGEST_SHA256, again, &b, &err) == 0 && digest_equal(&a, &b));
}

static void write_again(const struct cel_record *rec)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf again = {0};
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        struct err err = ERR_INIT;

        /* Only the limit of a record may be in the way: escapes can be longer than what they stand for. */
        if (cel_record_write(rec, &text, &err) < 0) {
                FUZZ_CHECK(err.kind == ERR_LIMIT);
                return;
        }
        FUZZ_CHECK(cel_parse(VIEW_BUF(&text), 1, &log, &err) == 0 && log->n == 1);
        FUZZ_CHECK(log->records[0].n_digests == rec->n_digests && log->records[0].pcr == rec->pcr);
        FUZZ_CHECK(strcmp(log->records[0].kind, rec->kind) == 0 &&
                   str_equal(log->records[0].path, rec->path) &&
                   str_equal(log->records[0].permit, rec->permit));
        launches(rec, &log->records[0]);
        FUZZ_CHECK(cel_record_write(&log->records[0], &again, &err) == 0);
        FUZZ_CHECK(view_equal(VIEW_BUF(&text), VIEW_BUF(&again)));
}

static void replay(const struct cel_log *log)
{
        struct cel_start start = {.entry = 0};
        struct cel_replay r, whole;
        struct err err = ERR_INIT;

        digest_zero(DIGEST_SHA256, &start.value);
        FUZZ_CHECK(cel_replay(log, &start, 15, &start.value, &r, &err) == 0);
        FUZZ_CHECK(r.matched == (log->n <= 1 && !r.why));
        if (r.why_entry >= 0)
                return;
        /* To where it leads, it replays. */
        FUZZ_CHECK(r.matched || cel_replay(log, &start, 15, &r.value, &whole, &err) == 0);
        FUZZ_CHECK(r.matched || (whole.matched && whole.n_covered == log->n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        size_t used = 0;

        if (cel_parse_file(VIEW(data, size), 256, &log, &used, &err) < 0)
                return 0;
        FUZZ_CHECK(used <= size);
        for (size_t i = 0; i < log->n; i++)
                if (log->records[i].ours)
                        write_again(&log->records[i]);
        replay(log);
        j = cel_to_json(log, 0);
        FUZZ_CHECK(json_array_size(j) == log->n);
        return 0;
}
