/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a receipt what its host's TPM signed? As everywhere, the statement that is expected is written and must
 * be the signed one to the byte: our digest of the payload, our digest of the values, the selection of both.
 *
 * What a good receipt does not show is as important: input, output, exit and times of the wall clock are the
 * launcher's statement, and the values of the PCRs are those at the end, not what the module did in between.
 * Whether the launcher could be believed is what the verifier's next verdict says. Spec: SR-24.
 */
#include <string.h>

#include "base/mem.h"
#include "evidence/ak_certificate.h"
#include "evidence/receipt.h"
#include "evidence/tpm_signature.h"

static const char *const names[RECEIPT_N_CHECKS] = {
        [RECEIPT_CHECK_PAYLOAD] = "payload",
        [RECEIPT_CHECK_AK] = "ak",
        [RECEIPT_CHECK_CERTIFICATE] = "certificate",
        [RECEIPT_CHECK_SIGNATURE] = "signature",
        [RECEIPT_CHECK_QUOTE] = "quote",
        [RECEIPT_CHECK_BOOT] = "boot",
};

const char *receipt_check_name(enum receipt_check check)
{
        return names[check];
}

/* One judgement under way. */
struct judging {
        const struct receipt_file *f;
        const struct tpm_public *enrolled;
        struct receipt_verdict *v;
        struct tpm_public ak;
        struct tpm_attest quote;
};

static int is_payload(struct judging *j, const char **ret_why, struct err *err)
{
        struct err why = ERR_INIT;
        int r = receipt_payload_decode(VIEW_BUF(&j->f->payload), &j->v->r, &why);

        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                *ret_why = "the payload is malformed";
        return receipt_digest(VIEW_BUF(&j->f->payload), &j->v->digest, err);
}

static int is_ak(struct judging *j, const char **ret_why, struct err *err)
{
        struct tpm_name name;
        struct err why = ERR_INIT;
        int r;

        if (tpm2b_public_parse(VIEW_BUF(&j->f->ak), &j->ak, &why) < 0) {
                *ret_why = "its attestation key is malformed";
                return 0;
        }
        r = tpm_public_name(&j->ak, &name, err);
        if (r < 0)
                return r;
        if (tpm_public_ak_refusal(&j->ak))
                *ret_why = "its attestation key is none: it could sign anything";
        else if (!view_equal(tpm_name_view(&name), tpm_name_view(&j->v->r.ak)))
                *ret_why = "the payload names another attestation key";
        else if (j->enrolled && !view_equal(j->enrolled->raw, j->ak.raw))
                *ret_why = "its attestation key is another one than the enrolled";
        return 0;
}

static int is_certificate(struct judging *j, const char **ret_why, struct err *err)
{
        const char *why = NULL;
        bool fits = false;
        int r = ak_certificate_fits(j->f->ak_certificate, j->v->r.launch.host, &j->ak, &fits, &why, err);

        if (r >= 0 && !fits)
                *ret_why = why;
        return r;
}

static int is_signature(struct judging *j, const char **ret_why, struct err *err)
{
        bool good = false;
        int r = tpm_signature_check(&j->ak, NULL, VIEW_BUF(&j->f->signature), VIEW_BUF(&j->f->message), &good,
                                    err);

        if (r >= 0 && !good)
                *ret_why = "the quote is not signed by the attestation key";
        return r;
}

static int is_quote(struct judging *j, const char **ret_why, struct err *err)
{
        const struct pcr_values *values = &j->f->pcrs;
        struct pcr_selection selection = {values->bank, values->mask};
        struct digest pcr_digest;
        struct attest_expected want = {.type = ATTEST_QUOTE,
                                       .extra_data = digest_view(&j->v->digest),
                                       .select = &selection,
                                       .pcr_digest = &pcr_digest};
        struct err why = ERR_INIT;
        bool same = false;
        int r;

        if (tpm_attest_parse(VIEW_BUF(&j->f->message), &j->quote, &why) < 0 ||
            j->quote.type != ATTEST_QUOTE) {
                *ret_why = "what was signed is no quote";
                return 0;
        }
        if (!equal_ct(j->quote.extra_data.p, j->quote.extra_data.len, j->v->digest.b, j->v->digest.len)) {
                *ret_why = "the quote is for another payload";
                return 0;
        }
        if (!(values->mask >> j->v->r.log_pcr & 1)) {
                *ret_why = "the quote leaves out the launch PCR";
                return 0;
        }
        /* The TPM hashes the values with the scheme's hash, which an AK of ours fixes. */
        r = pcr_values_digest(values, values->mask, (enum digest_alg)j->ak.scheme_hash, &pcr_digest, err);
        if (r >= 0)
                r = tpm_attest_is(VIEW_BUF(&j->f->message), &want, &same, err);
        if (r >= 0 && !same)
                *ret_why = "the quote is over other values";
        if (r >= 0 && same)
                j->v->clock = j->quote.clock;
        return r;
}

/* Of a launch whose end nobody saw the receipt may come with a later boot. */
static int is_boot(struct judging *j, const char **ret_why, struct err *err)
{
        const struct tpm_clock *is = &j->quote.clock;
        const struct receipt *r = &j->v->r;
        bool same = is->reset_count == r->reset && is->restart_count == r->restart;

        (void)err;
        if (r->exit == RECEIPT_LOST && !same) {
                if (is->reset_count < r->reset)
                        *ret_why = "it was signed before the boot that it speaks of";
        } else if (!same) {
                *ret_why = "it was signed in another boot than the module ran in";
        } else if (is->clock_ms < r->clock_ms) {
                *ret_why = "it was signed before the module was started";
        }
        return 0;
}

/* In the order of enum receipt_check. */
static int (*const checks[RECEIPT_N_CHECKS])(struct judging *j, const char **ret_why, struct err *err) = {
        is_payload, is_ak, is_certificate, is_signature, is_quote, is_boot,
};

int receipt_judge(const struct receipt_file *f, const struct tpm_public *enrolled,
                  struct receipt_verdict *ret, struct err *err)
{
        struct receipt_verdict v = {.why = NULL};
        struct judging j = {.f = f, .enrolled = enrolled, .v = &v};

        for (size_t i = 0; i < RECEIPT_N_CHECKS && !v.why; i++) {
                int r;

                if (i == RECEIPT_CHECK_CERTIFICATE && !f->ak_certificate)
                        continue;
                r = checks[i](&j, &v.why, err);
                if (r < 0) {
                        receipt_verdict_done(&v);
                        return r;
                }
                v.answer[i] = v.why ? RECEIPT_BAD : RECEIPT_GOOD;
        }
        *ret = v;
        return 0;
}

void receipt_verdict_done(struct receipt_verdict *v)
{
        receipt_done(&v->r);
}
