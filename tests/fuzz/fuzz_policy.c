/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies, and Keylime's tpm_policy. In production the text of whoever may push policies, or enrol hosts.
 * What is read must hold together: every digest is found, everything can be predicted and put in force.
 */
#include "policy/effective.h"
#include "policy/predict.h"

#include "fuzz/fuzz.h"

#define NOW 1796126400000 /* 2026-12-01T12:00:00Z */

static void use(struct policy *p)
{
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(predictions_free_p) struct predictions *all = NULL;
        struct policy_version version = {p, 1, POLICY_NEVER};
        struct err err = ERR_INIT;

        FUZZ_CHECK(policy_effective_new(&version, 1, NOW, &e, &err) == 0);
        for (size_t i = 0; i < p->n_digests; i++) {
                const struct policy_version *v;
                const struct policy_digest *d = policy_find(p, p->digests[i].bytes, NULL);

                while (d && d != &p->digests[i])
                        d = policy_find(p, p->digests[i].bytes, d);
                FUZZ_CHECK(d);
                FUZZ_CHECK(policy_effective_ask(e, p->digests[i].bytes, &v, &d) != POLICY_UNKNOWN);
        }
        for (size_t i = 0; i < p->n_records; i++)
                if (p->records[i].string)
                        (void)policy_glob(p->records[i].string, VIEW("machine-id:0123", 15));
        FUZZ_CHECK(policy_predict(p, NOW, &all, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(policy_unref_p) struct policy *imported = NULL;
        struct err err = ERR_INIT;

        if (size > 65536)
                return 0;
        if (policy_parse(VIEW(data, size), "input", &p, &err) == 0)
                use(p);
        if (policy_from_tpm_policy(VIEW(data, size), "input", &imported, &err) == 0)
                use(imported);
        return 0;
}
