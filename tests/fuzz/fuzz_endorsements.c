/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endorsements by their content, and picking for evidence. In production pieces come from folders, caches,
 * vendors' servers and hosts; the evidence from the host that wants to be trusted. The input is a row of
 * pieces, each behind its length; the last one is evidence.
 */
#include "base/mem.h"
#include "evidence/endorsements.h"
#include "fuzz/fuzz.h"

static void pick(const struct endorsements *e, struct view evidence)
{
        struct endorsements_quote found = {0};
        struct err err = ERR_INIT;
        struct snp_bag bag = {0};
        struct snp_report report;
        struct dcap_quote quote;
        const char *reason;
        bool is_report = snp_report_parse(evidence, &report, &err) == 0;

        FUZZ_CHECK(endorsements_for_snp(e, is_report ? &report : NULL, &bag, &err) == 0);
        FUZZ_CHECK(bag.certs.n <= CERT_CHAIN_MAX && bag.n_crls <= SNP_CRLS_MAX);
        snp_bag_done(&bag);
        if (dcap_quote_parse(evidence, &quote, &reason, &err) < 0)
                return;
        FUZZ_CHECK(endorsements_for_quote(e, &quote, INT64_C(1780000000000), NULL, &found, &err) == 0);
        endorsements_quote_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(endorsements_free_p) struct endorsements *e = NULL;
        struct cursor c = cursor_of(VIEW(data, size));
        enum endorsement_kind kind;
        struct err err = ERR_INIT;
        struct view piece = VIEW_NONE;

        if (endorsements_new(&e, &err) < 0)
                return 0;
        while (cursor_be16_bytes(&c, &piece)) {
                if (c.left == 0)
                        break;
                FUZZ_CHECK(endorsements_add(e, piece, &kind, &err) == 0);
        }
        pick(e, c.left ? cursor_rest(&c) : piece);
        return 0;
}
