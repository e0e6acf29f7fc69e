/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of launches and manifests of runtimes: in production whoever has a host's token sends the
 * first, and the agent reads the second from its own disk. What can be read has one spelling.
 */
#include "base/json.h"
#include "evidence/launch.h"
#include "evidence/launch_closure.h"
#include "fuzz/fuzz.h"

static void descriptor(struct view text)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(buf_free) struct buf out = {0};
        AUTO(json_free_p) json_t *again = NULL;
        struct launch l, same;
        struct digest a, b;
        struct err err = ERR_INIT;

        if (json_parse(text, LAUNCH_TEXT_MAX, &j, &err) < 0 || launch_from_json(j, &l, &err) < 0)
                return;
        FUZZ_CHECK(launch_encode(&l, &out, &err) == 0 && launch_digest(&l, &a, &err) == 0);
        FUZZ_CHECK(json_parse(VIEW_BUF(&out), LAUNCH_TEXT_MAX, &again, &err) == 0);
        FUZZ_CHECK(launch_from_json(again, &same, &err) == 0 && launch_digest(&same, &b, &err) == 0);
        FUZZ_CHECK(digest_equal(&a, &b));
}

static void closure(struct view text)
{
        AUTO(launch_closure_done) struct launch_closure c = {.n_files = 0};
        AUTO(buf_free) struct buf out = {0};
        struct err err = ERR_INIT;

        if (launch_closure_parse(text, &c, &err) < 0)
                return;
        FUZZ_CHECK(launch_closure_write(&c, &out, &err) == 0 && view_equal(VIEW_BUF(&out), text));
        for (size_t i = 0; i < c.n_files; i++)
                FUZZ_CHECK(launch_closure_find(&c, &c.files[i].sha256) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(buf_free) struct buf token = {0};
        struct launch l = {.size = 0};
        struct err err = ERR_INIT;

        descriptor(VIEW(data, size));
        closure(VIEW(data, size));
        if (launch_of_module(VIEW(data, size), &l, &token, &err) == 0)
                FUZZ_CHECK(l.size == size && (l.has_claims || token.len == 0));
        return 0;
}
