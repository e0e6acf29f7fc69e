/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Module policies: the text of whoever may push them. What is read has a name and answers for any module; and
 * the rest of the input is what such a module came with: claims, a signature, an envelope.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/module_policy.h"
#include "policy/policy.h"

#define NOW_MS 1717200000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *behind = size ? memchr(data, 0, size) : NULL;
        struct view text = VIEW(data, behind ? (size_t)(behind - data) : size);
        struct view rest = behind ? VIEW(behind + 1, size - text.len - 1) : VIEW_NONE;
        AUTO(module_policy_unref_p) struct module_policy *p = NULL;
        struct launch l = {.host = "web-1", .runtime = "node", .has_claims = rest.len > 0};
        const struct module_request q = {&l, rest, rest, rest, NOW_MS};
        struct module_policy_sum sum;
        struct module_answer answer;
        struct err err = ERR_INIT;

        if (module_policy_parse(text, "fuzz", &p, &err) < 0)
                return 0;
        digest_zero(DIGEST_SHA256, &l.sha256);
        digest_zero(DIGEST_SHA384, &l.sha384);
        l.closure = l.claims_hash = l.sha256;
        FUZZ_CHECK(digest_bytes(DIGEST_SHA256, rest, &l.claims_token, &err) == 0);
        module_policy_sum(p, &sum);
        FUZZ_CHECK(*module_policy_name(p) && sum.n_items <= size && sum.n_digests <= size);
        for (int claims = 0; claims < 2; claims++) {
                const struct module_version v = {p, 1, POLICY_NEVER};

                l.has_claims = claims && rest.len;
                FUZZ_CHECK(module_policy_judge(&v, 1, &q, &answer, &err) == 0);
                FUZZ_CHECK(answer.allowed ? answer.by == &v : answer.type && answer.detail);
                module_answer_done(&answer);
        }
        return 0;
}
