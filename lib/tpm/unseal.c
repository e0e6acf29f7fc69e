/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening sealed objects. The session is started first and its nonce goes to the verifier; when the release
 * comes back, the steps run one after the other and the object opens, or the TPM says which step it was that
 * did not hold. Nothing here decides: a step that failed could only be skipped at the price of a digest that
 * opens nothing.
 *
 * A policy session remembers at which PCR state PolicyPCR ran, and any extend by anybody makes the TPM answer
 * TPM_RC_PCR_CHANGED: the steps are run again, in the same session, whose nonce the release was signed for.
 * That is also what stops a session that was prepared before a wipe (SR-5): the wipe extends PCR 15 first.
 *
 * Spec: SR-1, SR-5; TPM 2.0 Library Part 1 rev 1.59 §19.7.7; Part 3 §12.7 (Unseal), §11.2 (PolicyRestart).
 */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "tpm/parent.h"
#include "tpm/policy.h"
#include "tpm/seal.h"

#define TRIES 16

struct tpm_unseal {
        struct tpm *tpm;
        struct tpm_handle object, session;
        uint8_t nonce[TPM_NONCE_BYTES];
};

const char *tpm_unseal_step_name(enum tpm_unseal_step step)
{
        static const char *const names[] = {
                [TPM_UNSEAL_OPENED] = "opened",     [TPM_UNSEAL_PCRS] = "pcrs",
                [TPM_UNSEAL_FLOOR] = "floor",       [TPM_UNSEAL_RELEASE] = "release",
                [TPM_UNSEAL_EXPIRED] = "expired",   [TPM_UNSEAL_APPROVAL] = "approval",
                [TPM_UNSEAL_EPOCH] = "epoch",       [TPM_UNSEAL_OBJECT] = "object",
                [TPM_UNSEAL_FAILED] = "tpm-failed",
        };

        return names[step];
}

void tpm_unseal_free(struct tpm_unseal *unseal)
{
        if (!unseal)
                return;
        tpm_handle_done(&unseal->session);
        tpm_handle_done(&unseal->object);
        free(unseal);
}

struct view tpm_unseal_nonce(const struct tpm_unseal *unseal)
{
        return VIEW_ARRAY(unseal->nonce);
}

static int load(struct tpm *tpm, const struct tpm_parent *parent, struct view public_area,
                struct view private_area, ESYS_TR *ret, struct err *err)
{
        TPM2B_PUBLIC public = {0};
        TPM2B_PRIVATE private = {0};
        size_t a = 0, b = 0;
        TSS2_RC rc;

        if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(public_area.p, public_area.len, &a, &public) ||
            a != public_area.len ||
            Tss2_MU_TPM2B_PRIVATE_Unmarshal(private_area.p, private_area.len, &b, &private) ||
            b != private_area.len)
                return err_set(err, ERR_FORMAT, 0, "sealed object: malformed");
        TPM_CALL(rc, Esys_Load(tpm->esys, parent->handle, parent->auth, ESYS_TR_NONE, ESYS_TR_NONE, &private,
                               &public, ret));
        if (rc == TSS2_RC_SUCCESS)
                return 0;
        *ret = ESYS_TR_NONE;
        return tpm_err(err, rc, "TPM2_Load of a sealed object");
}

static int load_under(struct tpm *tpm, struct tpm_parent *parent, struct view public_area,
                      struct view private_area, struct tpm_unseal **ret, struct err *err)
{
        AUTO(tpm_unseal_free_p)
        struct tpm_unseal *u = mem_zalloc(1, sizeof(*u));
        int r;

        if (!u)
                return err_nomem(err);
        u->tpm = tpm;
        u->object = u->session = (struct tpm_handle)TPM_HANDLE_NONE(tpm);
        r = load(tpm, parent, public_area, private_area, &u->object.handle, err);
        tpm_parent_done(parent); /* its session and object, before others are made: there is room for three */
        if (r < 0)
                return r;
        *ret = TAKE(u);
        return 0;
}

static int start_session(struct tpm_unseal *u, struct tpm_ek *ek, struct err *err)
{
        int r = tpm_policy_start_salted(ek, &u->session, err);

        return r < 0 ? r : tpm_policy_nonce(u->tpm, u->session.handle, u->nonce, err);
}

int tpm_unseal_begin(struct tpm *tpm, struct tpm_ek *ek, struct view public_area, struct view private_area,
                     struct tpm_unseal **ret, struct err *err)
{
        AUTO(tpm_parent_done)
        struct tpm_parent parent = {.owned = TPM_HANDLE_NONE(tpm), .session = TPM_HANDLE_NONE(tpm)};
        AUTO(tpm_unseal_free_p) struct tpm_unseal *u = NULL;
        int r = tpm_parent_ek(ek, &parent, err);

        if (r >= 0)
                r = load_under(tpm, &parent, public_area, private_area, &u, err);
        if (r >= 0)
                r = start_session(u, ek, err);
        if (r < 0)
                return r;
        *ret = TAKE(u);
        return 0;
}

int tpm_unseal_begin_under(struct tpm *tpm, enum tpm_ek_type ek_type, uint32_t parent_handle,
                           struct view public_area, struct view private_area, struct tpm_unseal **ret,
                           struct err *err)
{
        AUTO(tpm_parent_done)
        struct tpm_parent parent = {.owned = TPM_HANDLE_NONE(tpm), .session = TPM_HANDLE_NONE(tpm)};
        AUTO(tpm_unseal_free_p) struct tpm_unseal *u = NULL;
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        int r = tpm_parent_open(tpm, parent_handle, &parent, err);

        if (r >= 0)
                r = load_under(tpm, &parent, public_area, private_area, &u, err);
        if (r >= 0)
                r = tpm_ek_load(tpm, ek_type, &ek, err);
        if (r >= 0)
                r = start_session(u, ek, err);
        if (r < 0)
                return r;
        *ret = TAKE(u);
        return 0;
}

/* The code without layer and without the number of the handle, parameter or session that it is about. */
static TSS2_RC bare(const struct err *err)
{
        TSS2_RC code = (TSS2_RC)err->code & 0xffff;

        if (err->kind != ERR_TPM)
                return 0;
        return code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3f) : code;
}

/* Did the TPM find the condition not fulfilled (and not: fail)? */
static bool is_no(const struct err *err)
{
        static const TSS2_RC no[] = {TPM2_RC_VALUE,       TPM2_RC_SIGNATURE, TPM2_RC_EXPIRED,
                                     TPM2_RC_POLICY_FAIL, TPM2_RC_POLICY,    TPM2_RC_NV_UNINITIALIZED,
                                     TPM2_RC_HANDLE,      TPM2_RC_TICKET,    TPM2_RC_NONCE};
        TSS2_RC code = bare(err);

        for (size_t i = 0; i < ARRAY_LEN(no); i++)
                if (code == no[i])
                        return true;
        return false;
}

/* Where it stopped: at STEP, unless nothing was decided there. */
static int stopped(enum tpm_unseal_step step, enum tpm_unseal_step *ret, struct err *err)
{
        if (!is_no(err))
                step = TPM_UNSEAL_FAILED;
        else if (bare(err) == TPM2_RC_EXPIRED)
                step = TPM_UNSEAL_EXPIRED;
        *ret = step;
        return err_wrap(err, "unseal stopped at %s", tpm_unseal_step_name(step));
}

static int restart(struct tpm_unseal *u, struct err *err)
{
        TSS2_RC rc;

        TPM_CALL(rc, Esys_PolicyRestart(u->tpm->esys, u->session.handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                        ESYS_TR_NONE));
        return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "TPM2_PolicyRestart");
}

/* The bracket. */
static int satisfy_bracket(struct tpm_unseal *u, const struct tpm_unseal_chain *c,
                           enum tpm_unseal_step *ret_step, struct err *err)
{
        ESYS_TR session = u->session.handle;

        if (tpm_policy_pcr(u->tpm, session, c->bank, c->mask, c->pcr_digest, err) < 0)
                return stopped(TPM_UNSEAL_PCRS, ret_step, err);
        if (tpm_policy_counter(u->tpm, session, c->floor_index, c->version, TPM2_EO_UNSIGNED_LE, err) < 0)
                return stopped(TPM_UNSEAL_FLOOR, ret_step, err);
        if (c->release.key && tpm_policy_signed(u->tpm, session, c->release.key, tpm_unseal_nonce(u),
                                                c->lease_s, c->release_ref, c->release.signature, err) < 0)
                return stopped(TPM_UNSEAL_RELEASE, ret_step, err);
        return 0;
}

static int satisfy(struct tpm_unseal *u, const struct tpm_unseal_chain *c, enum tpm_unseal_step *ret_step,
                   struct err *err)
{
        ESYS_TR session = u->session.handle;
        int r = satisfy_bracket(u, c, ret_step, err);

        if (r < 0)
                return r;
        if (tpm_policy_authorize(u->tpm, session, c->approval.key, c->policy_ref, c->approval.signature,
                                 err) < 0)
                return stopped(TPM_UNSEAL_APPROVAL, ret_step, err);
        if (c->delegation.key && tpm_policy_authorize(u->tpm, session, c->delegation.key, c->policy_ref,
                                                      c->delegation.signature, err) < 0)
                return stopped(TPM_UNSEAL_APPROVAL, ret_step, err);
        if (tpm_policy_counter(u->tpm, session, c->epoch_index, c->epoch, TPM2_EO_EQ, err) < 0)
                return stopped(TPM_UNSEAL_EPOCH, ret_step, err);
        return 0;
}

static int take(const TPM2B_SENSITIVE_DATA *data, struct secret *ret, struct err *err)
{
        struct secret s = {0};

        if (data->size == 0)
                return err_set(err, ERR_TPM, 0, "TPM2_Unseal: an empty secret");
        if (secret_alloc(&s, data->size) < 0)
                return err_nomem(err);
        memcpy(s.p, data->buffer, data->size);
        *ret = s;
        return 0;
}

/* Return: 1 with the secret; 0 if PCRs changed since PolicyPCR; < 0. */
static int open_it(struct tpm_unseal *u, struct secret *ret, enum tpm_unseal_step *ret_step, struct err *err)
{
        TPM2B_SENSITIVE_DATA *data = NULL;
        TSS2_RC rc;
        int r;

        TPM_CALL(rc, Esys_Unseal(u->tpm->esys, u->object.handle, u->session.handle, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &data));
        if ((rc & 0xffff) == TPM2_RC_PCR_CHANGED)
                return 0;
        if (rc != TSS2_RC_SUCCESS) {
                (void)tpm_err(err, rc, "TPM2_Unseal"); /* its -ERR_TPM comes back from stopped() */
                return stopped(TPM_UNSEAL_OBJECT, ret_step, err);
        }
        r = take(data, ret, err);
        mem_wipe(data, sizeof(*data));
        Esys_Free(data);
        *ret_step = r < 0 ? TPM_UNSEAL_FAILED : TPM_UNSEAL_OPENED;
        return r < 0 ? r : 1;
}

/* CHAIN, or PCRs alone if it has no approval key. */
static int run(struct tpm_unseal *u, const struct tpm_unseal_chain *chain, struct secret *ret,
               enum tpm_unseal_step *ret_step, struct err *err)
{
        for (int i = 0; i < TRIES; i++) {
                int r = restart(u, err);

                if (r < 0)
                        return stopped(TPM_UNSEAL_FAILED, ret_step, err);
                if (chain->approval.key)
                        r = satisfy(u, chain, ret_step, err);
                else if (tpm_policy_pcr(u->tpm, u->session.handle, chain->bank, chain->mask, VIEW_NONE, err) <
                         0)
                        r = stopped(TPM_UNSEAL_PCRS, ret_step, err);
                if (r < 0 && bare(err) == TPM2_RC_PCR_CHANGED) {
                        err_clear(err);
                        continue;
                }
                if (r >= 0)
                        r = open_it(u, ret, ret_step, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        *ret_step = TPM_UNSEAL_FAILED;
        return err_set(err, ERR_TPM, TPM2_RC_PCR_CHANGED,
                       "PCRs changed during each of %d tries to unseal: something extends them all the time",
                       TRIES);
}

int tpm_unseal_finish(struct tpm_unseal *unseal, const struct tpm_unseal_chain *chain, struct secret *ret,
                      enum tpm_unseal_step *ret_step, struct err *err)
{
        *ret_step = TPM_UNSEAL_FAILED;
        if (!chain->approval.key || !chain->mask || !chain->pcr_digest.len)
                return err_set(err, ERR_BUG, 0, "an unsealing without approval or PCRs");
        return run(unseal, chain, ret, ret_step, err);
}

int tpm_unseal_finish_pcr(struct tpm_unseal *unseal, enum digest_alg bank, uint32_t mask, struct secret *ret,
                          enum tpm_unseal_step *ret_step, struct err *err)
{
        const struct tpm_unseal_chain pcrs = {.bank = bank, .mask = mask};

        *ret_step = TPM_UNSEAL_FAILED;
        return run(unseal, &pcrs, ret, ret_step, err);
}
