/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies, and Keylime's tpm_policy. In production the text of whoever may push policies, or enrol hosts.
 * What is read must hold together: every digest is found, everything can be predicted and put in force.
 */
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"
#include "policy/predict.h"

#include "fuzz/fuzz.h"

#define NOW 1796126400000 /* 2026-12-01T12:00:00Z */

/* What a layer allows is allowed, or was; and it is among what is allowed at its path. */
static void use_files(const struct policy_effective *e, const struct policy_ima *ima)
{
        struct allow_entry entry;
        size_t n = 0;

        for (struct allow_pos pos = {0}; allow_next(ima->files, &pos, &entry); n++) {
                enum allow_answer answer =
                        policy_effective_file(e, entry.alg, entry.digest, entry.path, NULL);
                struct policy_file_pos at = {0};
                struct policy_file_match m;
                bool found = entry.path.len == 0;
                const struct policy_package *package = policy_ima_package(ima, &entry);

                FUZZ_CHECK(answer == ALLOW_ALLOWED || answer == ALLOW_EXPIRED);
                FUZZ_CHECK(answer == ALLOW_ALLOWED || entry.until_ms <= NOW);
                FUZZ_CHECK(!package || package->until_ms == entry.until_ms);
                while (!found && policy_effective_next_of(e, entry.path, &at, &m))
                        found = view_equal(m.entry.digest, entry.digest);
                FUZZ_CHECK(found);
                (void)policy_effective_excluded(e, entry.path, NULL);
                if (n == 100)
                        return;
        }
        FUZZ_CHECK(n == allow_count(ima->files));
}

static void use_layers(const struct policy *p, const struct policy_effective *e)
{
        struct policy_boot_pos pos = {0};

        for (size_t i = 0; i < p->n_parts; i++)
                if (!p->parts[i].hosts && p->parts[i].ima && policy_effective_judges_ima(e))
                        use_files(e, p->parts[i].ima);
        for (size_t i = 0; policy_effective_judges_ima(e) && i < policy_effective_n_required(e); i++)
                FUZZ_CHECK(policy_effective_required(e, i, NULL));
        while (policy_effective_next_kernel(e, &pos, NULL))
                ;
        for (unsigned k = 0; k < POLICY_BOOT_N_KEYS; k++)
                for (pos = (struct policy_boot_pos){0}; policy_effective_next_key(e, k, &pos, NULL);)
                        ;
        (void)policy_effective_command_line(e, VIEW("ro quiet", 8), NULL);
        (void)policy_effective_command_line_covers(e, VIEW("ima_policy=tcb", 14));
        for (size_t i = 0; i + 1 < p->n_ends; i++)
                FUZZ_CHECK(p->ends[i] < p->ends[i + 1]);
}

static void use(struct policy *p)
{
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(predictions_free_p) struct predictions *all = NULL;
        struct policy_version version = {p, 1, POLICY_NEVER};
        AUTO(policy_effective_free_p) struct policy_effective *host = NULL;
        struct err err = ERR_INIT;

        FUZZ_CHECK(policy_effective_new(&version, 1, NOW, &e, &err) == 0);
        FUZZ_CHECK(policy_effective_for(e, "web-1", &host, &err) == 0);
        use_layers(p, e);
        use_layers(p, host);
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
