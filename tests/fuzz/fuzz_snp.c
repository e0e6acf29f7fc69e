/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEV-SNP evidence: reports, certificate tables, certificates and revocation lists, ID blocks, HCL, SVSM
 * manifests, Enarx requests. In
 * production the attester controls all of it, and its host the table. The first byte chooses.
 */
#include "evidence/azure_hcl.h"
#include "evidence/enarx_csr.h"
#include "evidence/snp_id.h"
#include "evidence/snp_verify.h"
#include "evidence/svsm.h"
#include "fuzz/fuzz.h"

static void try_report(struct view v)
{
        struct snp_report r;
        struct err err = ERR_INIT;

        if (snp_report_parse(v, &r, &err) < 0)
                return;
        FUZZ_CHECK(v.len == SNP_REPORT_BYTES);
        FUZZ_CHECK(!r.known || (r.s.p + r.s.len <= v.p + v.len && r.chip_id.len == SNP_CHIP_ID_BYTES));
}

static void try_table(struct view v)
{
        struct snp_table t;
        struct err err = ERR_INIT;

        if (snp_table_parse(v, &t, &err) < 0)
                return;
        for (size_t i = 0; i < t.n; i++)
                FUZZ_CHECK(t.v[i].bytes.p >= v.p && t.v[i].bytes.len <= v.len);
}

/* Half of it a report, half a table: nothing here can be signed by a root that nobody has the key of. */
static void try_verify(struct view v)
{
        struct snp_bag bag = {0};
        struct snp_input in = {.bag = &bag, .at_ms = 1750000000000, .policy = &snp_policy_reference};
        struct snp_result r;
        struct err err = ERR_INIT;
        size_t n = v.len < SNP_REPORT_BYTES ? v.len : SNP_REPORT_BYTES;

        in.roots = snp_amd_roots(&in.n_roots);
        in.report = VIEW(v.p, n);
        (void)!snp_bag_add_table(&bag, VIEW(v.p + n, v.len - n), &err);
        (void)!snp_bag_add(&bag, VIEW(v.p + n, v.len - n), &err);
        FUZZ_CHECK(snp_verify(&in, &r, &err) == 0);
        FUZZ_CHECK(r.tee.verdict != TEE_ACCEPT && !r.authentic);
        snp_bag_done(&bag);
}

static void try_leaf(struct view v)
{
        struct snp_bag bag = {0};
        struct snp_leaf leaf;
        struct err err = ERR_INIT;

        if (snp_bag_add(&bag, v, &err) == 0)
                for (size_t i = 0; i < bag.certs.n; i++)
                        for (enum snp_line line = SNP_MILAN; line <= SNP_TURIN; line++) {
                                (void)!snp_leaf_read(bag.certs.v[i], line, SNP_KEY_VCEK, &leaf, &err);
                                (void)!snp_leaf_read(bag.certs.v[i], line, SNP_KEY_VLEK, &leaf, &err);
                                (void)snp_leaf_line(bag.certs.v[i], SNP_KEY_VCEK);
                        }
        snp_bag_done(&bag);
}

static void try_id(struct view v)
{
        struct snp_id id;
        struct err err = ERR_INIT;

        if (v.len > SNP_ID_BLOCK_BYTES)
                (void)!snp_id_check(VIEW(v.p, SNP_ID_BLOCK_BYTES),
                                    VIEW(v.p + SNP_ID_BLOCK_BYTES, v.len - SNP_ID_BLOCK_BYTES), &id, &err);
}

static void try_hcl(struct view v)
{
        AUTO(pubkey_free_p) struct pubkey *ak = NULL;
        struct azure_hcl h;
        struct err err = ERR_INIT;
        bool good;

        if (azure_hcl_parse(v, &h, &err) < 0)
                return;
        (void)!azure_hcl_ak(&h, &ak, &err);
        FUZZ_CHECK(azure_hcl_binds(&h, VIEW(v.p, SNP_DATA_BYTES), &good, &err) == 0);
}

static void try_csr(struct view v)
{
        struct enarx_csr csr;
        struct err err = ERR_INIT;
        bool good;

        if (enarx_csr_parse(v, &csr, &err) < 0)
                return;
        for (size_t i = 0; i < csr.n_pieces; i++)
                FUZZ_CHECK(csr.pieces[i].p > v.p && csr.pieces[i].p + csr.pieces[i].len < v.p + v.len);
        FUZZ_CHECK(csr.kind == ENARX_KVM || csr.evidence.p + csr.evidence.len < v.p + v.len);
        (void)!enarx_csr_signed(&csr, &good, &err);
        FUZZ_CHECK(enarx_csr_binds(&csr, csr.evidence, &good, &err) == 0);
}

static void try_svsm(struct view v)
{
        struct svsm_manifest m;
        struct err err = ERR_INIT;

        if (svsm_manifest_parse(v, &m, &err) < 0)
                return;
        FUZZ_CHECK(m.n_services <= SVSM_SERVICES_MAX && (m.has_ek || m.n_services));
        FUZZ_CHECK(!m.has_ek || (m.ek.raw.p >= v.p && m.ek.raw.len <= v.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const tries[])(struct view) = {try_report, try_table, try_verify, try_leaf,
                                                     try_id,     try_hcl,   try_csr,    try_svsm};

        if (size)
                tries[data[0] % ARRAY_LEN(tries)](VIEW(data + 1, size - 1));
        return 0;
}
