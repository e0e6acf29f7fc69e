/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts and continuations as JSON. In production they come from the verifier's own database, and verdicts
 * in bundles from anywhere. What was read is written as it was read.
 */
#include "base/json.h"
#include "evidence/continuation.h"
#include "evidence/verdict.h"
#include "fuzz/fuzz.h"

static void try_verdict(const json_t *j)
{
        AUTO(verdict_free_p) struct verdict *v = NULL;
        AUTO(verdict_free_p) struct verdict *back = NULL;
        AUTO(json_free_p) json_t *once = NULL;
        AUTO(json_free_p) json_t *twice = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        if (verdict_from_json(j, &v, &err) < 0)
                return;
        once = verdict_to_json(v);
        FUZZ_CHECK(once && verdict_from_json(once, &back, &err) == 0);
        twice = verdict_to_json(back);
        FUZZ_CHECK(json_equal(once, twice));
        verdict_render(v, &text);
        FUZZ_CHECK(buf_ok(&text));
}

static void try_continuation(const json_t *j)
{
        AUTO(continuation_free_p) struct continuation *c = NULL;
        AUTO(continuation_free_p) struct continuation *back = NULL;
        AUTO(json_free_p) json_t *once = NULL;
        AUTO(json_free_p) json_t *twice = NULL;
        struct err err = ERR_INIT;

        if (continuation_from_json(j, &c, &err) < 0)
                return;
        once = continuation_to_json(c);
        FUZZ_CHECK(once && continuation_from_json(once, &back, &err) == 0);
        twice = continuation_to_json(back);
        FUZZ_CHECK(json_equal(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;

        if (json_parse(VIEW(data, size), CONTINUATION_JSON_BYTES_MAX, &j, &err) < 0)
                return 0;
        try_verdict(j);
        try_continuation(j);
        return 0;
}
