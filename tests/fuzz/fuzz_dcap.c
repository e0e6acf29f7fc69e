/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's quotes, TCB info, QE identities, SGX extensions, revocation lists, logs of TDs. In production the
 * quote comes from the host that wants to be trusted, and the rest from the network, a cache or a bundle that
 * somebody carried. The first byte chooses.
 */
#include "crypto/crl.h"
#include "evidence/ccel.h"
#include "evidence/dcap.h"
#include "fuzz/fuzz.h"

static void try_quote(struct view v)
{
        const struct dcap_collateral none = {0};
        const struct dcap_policy policy = {.at_ms = INT64_C(1780000000000),
                                           .statuses = DCAP_STATUSES_DEFAULT};
        struct dcap_result res;
        struct err err = ERR_INIT;

        if (dcap_verify(v, &none, &policy, &res, &err) < 0)
                return;
        FUZZ_CHECK(res.tee.verdict == TEE_REJECT || res.tee.verdict == TEE_NO_COLLATERAL);
        FUZZ_CHECK((res.tee.verdict == TEE_REJECT) == (tee_reason(&res.tee, 0) != NULL));
        if (res.parsed)
                FUZZ_CHECK(res.quote.is_signed.p == v.p &&
                           res.quote.is_signed.len + res.quote.trailing.len < v.len);
}

/* What was read before makes no difference. */
static void try_warm(struct view v)
{
        const struct dcap_policy policy = {.ignore_dates = true, .statuses = DCAP_STATUSES_DEFAULT};
        AUTO(dcap_warm_free_p) struct dcap_warm *warm = NULL;
        struct dcap_collateral kept = {0};
        struct dcap_result cold, res;
        struct err err = ERR_INIT;

        if (dcap_verify(v, &kept, &policy, &cold, &err) < 0 || dcap_warm_new(&warm, &err) < 0)
                return;
        kept.warm = warm;
        for (int i = 0; i < 2; i++) {
                FUZZ_CHECK(dcap_verify(v, &kept, &policy, &res, &err) == 0);
                FUZZ_CHECK(res.tee.verdict == cold.tee.verdict && res.tee.n_checks == cold.tee.n_checks);
                for (size_t k = 0; k < cold.tee.n_checks; k++)
                        FUZZ_CHECK(res.tee.checks[k].state == cold.tee.checks[k].state);
        }
}

static void try_info(struct view v)
{
        struct tcb_info info;
        struct err err = ERR_INIT;

        if (tcb_info_parse(v, &info, &err) < 0)
                return;
        for (size_t i = 0; i < info.n_levels; i++) {
                struct pck pck = {.pcesvn = info.levels[i].pcesvn};
                struct dcap_tcb t;

                for (size_t k = 0; k < PCK_COMPONENTS; k++)
                        pck.components[k] = info.levels[i].sgx[k];
                dcap_tcb_judge(&info, &pck, NULL, false, NULL, 0, &t);
                FUZZ_CHECK(t.level && t.overall == t.level->is.status); /* at least its own */
        }
        tcb_info_done(&info);
}

static void try_identity(struct view v)
{
        struct qe_identity qe;
        struct err err = ERR_INIT;

        if (qe_identity_parse(v, &qe, &err) < 0)
                return;
        for (size_t i = 1; i < qe.n_levels; i++)
                FUZZ_CHECK(qe.levels[i - 1].isv_svn >= qe.levels[i].isv_svn);
        qe_identity_done(&qe);
}

static void try_cut(struct view v)
{
        struct signed_json j;
        struct err err = ERR_INIT;

        if (signed_json_cut(v, "tcbInfo", &j, &err) < 0)
                return;
        FUZZ_CHECK(j.body.p > v.p && j.body.p + j.body.len < v.p + v.len);
        try_info(j.body);
}

static void try_pck(struct view v)
{
        struct pck pck;
        struct err err = ERR_INIT;

        (void)!pck_parse(v, &pck, &err); /* either answer will do */
}

static void try_crl(struct view v)
{
        AUTO(crl_free_p)
        struct crl *crl = NULL;
        struct err err = ERR_INIT;

        if (crl_parse(v, &crl, &err) == 0)
                FUZZ_CHECK(crl_issuer(crl) && crl_this_update_ms(crl) != CRL_NO_TIME);
}

static void try_log(struct view v)
{
        struct bootlog_pos pos = {0};
        struct digest rtmr[TD_RTMRS];
        struct bootlog_event e;
        struct bootlog log;
        struct err err = ERR_INIT;
        size_t n = 0;

        if (bootlog_parse_cc(v, &log, &err) < 0)
                return;
        while (bootlog_next(&log, &pos, &e))
                n++;
        FUZZ_CHECK(n == log.n_events && log.bytes.len <= v.len);
        (void)!ccel_replay(&log, rtmr, &err); /* either answer will do */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const tries[])(struct view) = {try_quote, try_info, try_identity, try_cut,
                                                     try_pck,   try_crl,  try_log,      try_warm};

        if (size)
                tries[data[0] % ARRAY_LEN(tries)](VIEW(data + 1, size - 1));
        return 0;
}
