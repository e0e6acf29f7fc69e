/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM's structures: public areas, TPMS_ATTEST, signatures, PCR blobs. In production a stranger controls
 * them: registrations and evidence are read before anything is proven. The first byte chooses.
 */
#include <string.h>

#include "evidence/pcr_blob.h"
#include "evidence/tee_types.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_signature.h"
#include "fuzz/fuzz.h"

static void try_public(struct view v)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct tpm_public p;
        struct tpm_name name;
        struct err err = ERR_INIT;

        if (tpm2b_public_parse(v, &p, &err) < 0)
                return;
        FUZZ_CHECK(tpm_public_name(&p, &name, &err) == 0);
        FUZZ_CHECK(tpm_public_ak_refusal(&p) || tpm_public_ek_refusal(&p)); /* never both at once */
        FUZZ_CHECK(tpm_public_describe(&p));
        (void)tpm_public_ek_template(&p);
        (void)!tpm_public_key(&p, &key, &err);
}

static void try_attest(struct view v)
{
        AUTO(buf_free) struct buf again = {0};
        struct pcr_selection sel;
        struct tpm_attest a;
        struct err err = ERR_INIT;

        if (tpm_attest_parse(v, &a, &err) < 0)
                return;
        tpm_attest_write(&a, &again);
        FUZZ_CHECK(buf_ok(&again) && view_equal(VIEW_BUF(&again), v));
        if (a.type == ATTEST_QUOTE)
                (void)!pcr_selection_of_list(&a.quote.select, &sel, &err);
}

static void try_signature(struct view v)
{
        struct signature sig;
        struct err err = ERR_INIT;

        if (tpm_signature_parse(v, &sig, &err) == 0)
                FUZZ_CHECK(sig.rsa.len + sig.r.len + sig.s.len < v.len);
}

static void try_blob(struct view v)
{
        AUTO(buf_free) struct buf again = {0};
        struct pcr_values values, back;
        struct err err = ERR_INIT;

        if (pcr_blob_parse(v, &values, &err) < 0)
                return;
        pcr_blob_write(&values, &again);
        FUZZ_CHECK(buf_ok(&again) && again.len <= PCR_BLOB_BYTES_MAX);
        FUZZ_CHECK(pcr_blob_parse(VIEW_BUF(&again), &back, &err) == 0);
        FUZZ_CHECK(back.bank == values.bank && back.mask == values.mask);
        for (unsigned i = 0; i < PCR_COUNT; i++)
                FUZZ_CHECK(!(values.mask & 1u << i) || digest_equal(&values.v[i], &back.v[i]));
}

/* A quote in the words of other verifiers. */
static void try_text(struct view v)
{
        struct tee_work w = {.verify = true, .bytes = v};
        struct err err = ERR_INIT;

        FUZZ_CHECK(tee_type_find("tpm")->run(&w, &err) == 0);
        FUZZ_CHECK((w.result.verdict == TEE_ACCEPT) == !tee_failed(&w.result));
        tee_work_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const tries[])(struct view) = {try_public, try_attest, try_signature, try_blob,
                                                     try_text};

        if (size)
                tries[data[0] % ARRAY_LEN(tries)](VIEW(data + 1, size - 1));
        return 0;
}
