/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR banks. TPM2_PCR_Read gives at most eight digests a call and a counter that changes with every extend; a
 * read that spans several calls is done again until the counter stood still, so that the values belong to one
 * moment. Spec: TPM 2.0 Part 3, TPM2_PCR_Read, TPM2_PCR_Extend; Part 2, TPML_PCR_SELECTION.
 */
#include "tpm/pcrs.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tpm/private.h"

#define READ_TRIES 16

static const struct {
        uint16_t alg;
        const char *name;
} bank_names[] = {
        {TPM2_ALG_SHA1, "sha1"},         {TPM2_ALG_SHA256, "sha256"},     {TPM2_ALG_SHA384, "sha384"},
        {TPM2_ALG_SHA512, "sha512"},     {TPM2_ALG_SM3_256, "sm3_256"},   {TPM2_ALG_SHA3_256, "sha3_256"},
        {TPM2_ALG_SHA3_384, "sha3_384"}, {TPM2_ALG_SHA3_512, "sha3_512"},
};

const char *tpm_bank_name(uint16_t alg, char ret[16])
{
        for (size_t i = 0; i < ARRAY_LEN(bank_names); i++)
                if (bank_names[i].alg == alg)
                        return bank_names[i].name;
        (void)snprintf(ret, 16, "0x%04x", alg);
        return ret;
}

static uint32_t mask_of(const TPMS_PCR_SELECTION *s)
{
        uint32_t mask = 0;

        for (unsigned i = 0; i < s->sizeofSelect && i < 3; i++)
                mask |= (uint32_t)s->pcrSelect[i] << (8 * i);
        return mask;
}

static void select_pcrs(TPMS_PCR_SELECTION *s, uint16_t alg, uint32_t mask)
{
        *s = (TPMS_PCR_SELECTION){.hash = alg, .sizeofSelect = 3};
        for (unsigned i = 0; i < 3; i++)
                s->pcrSelect[i] = (BYTE)(mask >> (8 * i));
}

int tpm_banks_read(struct tpm *tpm, struct tpm_banks *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPMS_CAPABILITY_DATA *data = NULL;
        struct tpm_banks banks = {0};
        enum digest_alg ours;
        TPMI_YES_NO more;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS, 0,
                                        1, &more, &data));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_GetCapability(PCRs)");
        for (UINT32 i = 0; i < data->data.assignedPCR.count; i++) {
                const TPMS_PCR_SELECTION *s = &data->data.assignedPCR.pcrSelections[i];

                if (banks.n == TPM_MAX_BANKS)
                        return err_set(err, ERR_LIMIT, 0, "the TPM has more than %d PCR banks",
                                       TPM_MAX_BANKS);
                banks.v[banks.n++] = (struct tpm_bank){
                        .alg = s->hash, .mask = mask_of(s), .computable = digest_by_tpm_alg(s->hash, &ours)};
        }
        *ret = banks;
        return 0;
}

static bool active(const struct tpm_bank *bank, unsigned pcr)
{
        return bank->mask >> pcr & 1;
}

static const char *active_names(const struct tpm_banks *have, unsigned pcr, char *ret, size_t size)
{
        char name[16];
        size_t at = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < have->n && at < size; i++)
                if (active(&have->v[i], pcr))
                        at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? ", " : "",
                                               tpm_bank_name(have->v[i].alg, name));
        return at ? ret : "none";
}

static int choose_all(const struct tpm_banks *have, unsigned pcr, struct tpm_bank_set *set, struct err *err)
{
        char name[16];

        for (size_t i = 0; i < have->n; i++) {
                if (!active(&have->v[i], pcr))
                        continue;
                if (!have->v[i].computable)
                        return err_set(
                                err, ERR_CONFIG, 0,
                                "PCR %u is active in bank %s, which cannot be computed here, so it would "
                                "stay open to any history: deactivate the bank (tpm2_pcrallocate and a "
                                "reboot), or list the banks to use in tpm.banks",
                                pcr, tpm_bank_name(have->v[i].alg, name));
                set->v[set->n++] = (enum digest_alg)have->v[i].alg;
        }
        return 0;
}

static int choose_wanted(const struct tpm_banks *have, const char *wanted, unsigned pcr,
                         struct tpm_bank_set *set, struct err *err)
{
        enum digest_alg alg;
        char list[96];
        size_t i;

        if (!digest_by_name(wanted, &alg))
                return err_set(err, ERR_CONFIG, 0,
                               "tpm.banks: unknown bank %s: expected sha1, sha256, sha384 or sha512",
                               SHOW(wanted));
        for (i = 0; i < have->n; i++)
                if (have->v[i].alg == (uint16_t)alg && active(&have->v[i], pcr))
                        break;
        if (i == have->n)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "tpm.banks: bank %s is not active for PCR %u in this TPM (active: %s): take it "
                        "out of tpm.banks, or activate it (tpm2_pcrallocate and a reboot)",
                        wanted, pcr, active_names(have, pcr, list, sizeof(list)));
        for (i = 0; i < set->n; i++)
                if (set->v[i] == alg)
                        return err_set(err, ERR_CONFIG, 0, "tpm.banks: bank %s is listed twice", wanted);
        set->v[set->n++] = alg;
        return 0;
}

static void sort_set(struct tpm_bank_set *set)
{
        for (size_t i = 1; i < set->n; i++)
                for (size_t k = i; k > 0 && set->v[k - 1] > set->v[k]; k--) {
                        enum digest_alg t = set->v[k];

                        set->v[k] = set->v[k - 1];
                        set->v[k - 1] = t;
                }
}

enum digest_alg tpm_banks_quoted(const struct tpm_bank_set *set)
{
        for (size_t i = 0; i < set->n; i++)
                if (set->v[i] == DIGEST_SHA256)
                        return DIGEST_SHA256;
        return DIGEST_SHA384;
}

int tpm_banks_choose(const struct tpm_banks *have, const char *const *wanted, size_t n_wanted, unsigned pcr,
                     struct tpm_bank_set *ret, struct err *err)
{
        struct tpm_bank_set set = {0};
        bool quotable = false;
        char list[96];
        int r = 0;

        if (n_wanted > TPM_MAX_BANKS)
                return err_set(err, ERR_CONFIG, 0, "tpm.banks: more than %d banks", TPM_MAX_BANKS);
        if (n_wanted == 0)
                r = choose_all(have, pcr, &set, err);
        for (size_t i = 0; r >= 0 && i < n_wanted; i++)
                r = choose_wanted(have, wanted[i], pcr, &set, err);
        if (r < 0)
                return r;
        sort_set(&set);
        for (size_t i = 0; i < set.n; i++)
                quotable |= set.v[i] == DIGEST_SHA256 || set.v[i] == DIGEST_SHA384;
        if (!quotable)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "tpm.banks: neither sha256 nor sha384 is in use for PCR %u (active in this TPM: "
                        "%s): activate one (tpm2_pcrallocate and a reboot)",
                        pcr, active_names(have, pcr, list, sizeof(list)));
        *ret = set;
        return 0;
}

/* One TPM2_PCR_Read of what V still lacks of WANTED. */
static int read_some(struct tpm *tpm, struct tpm_pcr_values *v, uint32_t wanted, uint32_t *ret_counter,
                     struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPML_PCR_SELECTION *got = NULL;
        AUTO(tpm_esys_free_p)
        TPML_DIGEST *values = NULL;
        TPML_PCR_SELECTION sel = {.count = 1};
        UINT32 used = 0;
        uint32_t mask;
        TSS2_RC rc;

        select_pcrs(&sel.pcrSelections[0], (uint16_t)v->bank, wanted & ~v->mask);
        TPM_CALL(rc, Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &sel, ret_counter,
                                   &got, &values));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_PCR_Read");
        mask = got->count == 1 ? mask_of(&got->pcrSelections[0]) & wanted & ~v->mask : 0;
        for (unsigned pcr = 0; pcr < TPM_N_PCRS && used < values->count; pcr++) {
                const TPM2B_DIGEST *d = &values->digests[used];

                if (!(mask >> pcr & 1))
                        continue;
                if (digest_set(v->bank, VIEW(d->buffer, d->size), &v->value[pcr], err) < 0)
                        return err_wrap(err, "PCR %u", pcr);
                v->mask |= 1u << pcr;
                used++;
        }
        if (used == 0)
                return err_set(err, ERR_TPM, 0, "bank %s of this TPM has none of the PCRs 0x%06x",
                               digest_name(v->bank), wanted & ~v->mask);
        return 0;
}

/* Reads WANTED in each of N banks. Return: 1; 0 if an extend came between; < 0. */
static int read_moment(struct tpm *tpm, struct tpm_pcr_values *v, size_t n, uint32_t wanted, struct err *err)
{
        UINT32 first = 0, counter = 0;
        bool started = false;

        for (size_t i = 0; i < n; i++)
                while (v[i].mask != wanted) {
                        int r = read_some(tpm, &v[i], wanted, &counter, err);

                        if (r < 0)
                                return r;
                        if (started && counter != first)
                                return 0;
                        first = counter;
                        started = true;
                }
        return 1;
}

static int read_all(struct tpm *tpm, struct tpm_pcr_values *v, size_t n, uint32_t wanted, struct err *err)
{
        for (int i = 0; i < READ_TRIES; i++) {
                int r;

                for (size_t k = 0; k < n; k++)
                        v[k].mask = 0;
                r = read_moment(tpm, v, n, wanted, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return err_set(err, ERR_TPM, TPM2_RC_PCR_CHANGED,
                       "PCRs changed during each of %d reads: something extends them all the time",
                       READ_TRIES);
}

int tpm_pcrs_read(struct tpm *tpm, enum digest_alg bank, uint32_t mask, struct tpm_pcr_values *ret,
                  struct err *err)
{
        struct tpm_pcr_values v = {.bank = bank};
        int r = read_all(tpm, &v, 1, mask & 0xffffff, err);

        if (r < 0)
                return r;
        *ret = v;
        return 0;
}

int tpm_pcr_read_banks(struct tpm *tpm, unsigned pcr, const struct tpm_bank_set *set,
                       struct digest ret[TPM_MAX_BANKS], struct err *err)
{
        struct tpm_pcr_values v[TPM_MAX_BANKS];
        int r;

        for (size_t i = 0; i < set->n; i++)
                v[i].bank = set->v[i];
        r = read_all(tpm, v, set->n, 1u << pcr, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < set->n; i++)
                ret[i] = v[i].value[pcr];
        return 0;
}

int tpm_pcr_extend(struct tpm *tpm, unsigned pcr, const struct digest *digests, size_t n, struct err *err)
{
        TPML_DIGEST_VALUES values = {.count = (UINT32)n};
        TSS2_RC rc;

        if (n == 0 || n > TPM2_NUM_PCR_BANKS || pcr >= TPM_N_PCRS)
                return err_set(err, ERR_BUG, 0, "extend of PCR %u in %zu banks", pcr, n);
        for (size_t i = 0; i < n; i++) {
                values.digests[i].hashAlg = (TPMI_ALG_HASH)digests[i].alg;
                memcpy(&values.digests[i].digest, digests[i].b, digests[i].len);
        }
        TPM_CALL(rc, Esys_PCR_Extend(tpm->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &values));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PCR_Extend of PCR %u", pcr);
}
