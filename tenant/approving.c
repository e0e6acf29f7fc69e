/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approvals from a policy: every combination of PCR values that the policy allows, made into brackets and
 * signed. Nothing is signed that was not computed here, and everything that is signed is in the document, so
 * that a person can see it ('avow secret approve --dry-run').
 *
 * After an update in place the register holds a value that no boot gives; such values are signed only when
 * asked for (SR-18).
 *
 * Spec: SR-1, SR-7, SR-18; docs/protocol.md, "Secrets".
 */
#include <string.h>

#include "base/hex.h"
#include "base/str.h"
#include "evidence/pcr.h"
#include "evidence/seal_policy.h"
#include "policy/predict.h"
#include "tenant/sealing.h"

/* The values of one PCR that may be. */
struct choice {
        unsigned pcr;
        size_t n;
        const struct digest *values[APPROVAL_BRACKETS_MAX];
        size_t updates[APPROVAL_BRACKETS_MAX]; /* of the measurements' register */
};

static int mask_of(const struct policy *p, const struct option_list *pcrs, uint32_t *ret, struct err *err)
{
        uint32_t mask = 0;

        for (size_t i = 0; i < pcrs->n; i++) {
                int64_t pcr;

                if (str_parse_int(view_str(pcrs->v[i]), 0, POLICY_PCRS - 1, &pcr, err) < 0)
                        return err_wrap(err, "--pcr");
                mask |= 1u << pcr;
        }
        for (unsigned i = 0; !pcrs->n && i < POLICY_PCRS; i++)
                if (p->pcrs[i].n)
                        mask |= 1u << i;
        if (!pcrs->n && p->judges_log)
                mask |= 1u << p->pcr;
        if (!mask)
                return err_set(err, ERR_CONFIG, 0,
                               "policy %s fixes no PCR and judges no measurements: there is nothing to seal "
                               "to",
                               SHOW(p->name));
        *ret = mask;
        return 0;
}

/* What the measurements come to. */
static int choose_predicted(const struct predictions *all, bool in_place, struct choice *c, struct err *err)
{
        for (size_t i = 0; i < all->n; i++) {
                if (all->v[i].n_updates && !in_place)
                        continue;
                c->updates[c->n] = all->v[i].n_updates;
                c->values[c->n++] = &all->v[i].value;
        }
        if (all->more && (in_place || c->n == all->n))
                return err_set(err, ERR_LIMIT, 0,
                               "the policy allows more than %d values of PCR %u: end older digests "
                               "('until'), or fewer runtimes in one policy",
                               PREDICT_MAX, c->pcr);
        return c->n ? 0 : err_set(err, ERR_CONFIG, 0, "the policy allows no runtime now");
}

static int choose_fixed(const struct policy *p, struct choice *c, struct err *err)
{
        const struct policy_pcr *fixed = &p->pcrs[c->pcr];

        if (!fixed->n)
                return err_set(err, ERR_CONFIG, 0,
                               "policy %s allows any value of PCR %u: give it values ('pcrs:'), or leave it "
                               "out",
                               SHOW(p->name), c->pcr);
        if (fixed->n > APPROVAL_BRACKETS_MAX)
                return err_set(err, ERR_LIMIT, 0, "policy %s: %u values of PCR %u", SHOW(p->name), fixed->n,
                               c->pcr);
        for (uint32_t i = 0; i < fixed->n; i++)
                c->values[c->n++] = &fixed->values[i];
        return 0;
}

/* The I-th combination of choices, like the digits of a number. */
static int add_bracket(const struct choice *choices, size_t n_choices, const struct pcr_selection *pcrs,
                       size_t i, struct approval_bracket *ret, struct err *err)
{
        struct pcr_values values = {.bank = pcrs->bank, .mask = pcrs->mask};
        AUTO(buf_free) struct buf note = {0};
        char hex[2 * DIGEST_BYTES_MAX + 1];

        for (size_t k = 0; k < n_choices; k++) {
                const struct choice *c = &choices[k];
                size_t at = i % c->n;

                i /= c->n;
                values.v[c->pcr] = *c->values[at];
                buf_fmt(&note, "%s%u=%s", k ? " " : "", c->pcr, hex_write(hex, digest_view(c->values[at])));
                if (c->updates[at])
                        buf_fmt(&note, " (after %zu updates in place)", c->updates[at]);
        }
        if (pcr_values_digest(&values, pcrs->mask, DIGEST_SHA256, &ret->pcr_digest, err) < 0)
                return -(int)err->kind;
        ret->note = buf_take_str(&note);
        return ret->note ? 0 : err_nomem(err);
}

static int add_brackets(const struct choice *choices, size_t n_choices, struct approval *a, struct err *err)
{
        size_t n = 1;

        for (size_t k = 0; k < n_choices; k++)
                n *= n <= APPROVAL_BRACKETS_MAX ? choices[k].n : 1;
        if (n > APPROVAL_BRACKETS_MAX)
                return err_set(err, ERR_LIMIT, 0,
                               "the policy allows more than %d combinations of PCR values: select fewer PCRs "
                               "with --pcr",
                               APPROVAL_BRACKETS_MAX);
        a->brackets = mem_zalloc(n, sizeof(*a->brackets));
        if (!a->brackets)
                return err_nomem(err);
        for (; a->n_brackets < n; a->n_brackets++)
                if (add_bracket(choices, n_choices, &a->pcrs, a->n_brackets, &a->brackets[a->n_brackets],
                                err) < 0)
                        return -(int)err->kind;
        return 0;
}

static int predict(const struct approving *what, const struct policy *p, struct approval *a, struct err *err)
{
        AUTO(predictions_free_p) struct predictions *predicted = NULL;
        AUTO(mem_free_p) struct choice *choices = mem_zalloc(POLICY_PCRS, sizeof(*choices));
        size_t n = 0;

        if (!choices)
                return err_nomem(err);
        a->pcrs.bank = p->bank;
        if (mask_of(p, what->pcrs, &a->pcrs.mask, err) < 0 ||
            policy_predict(p, what->now_ms, &predicted, err) < 0)
                return -(int)err->kind;
        for (unsigned pcr = 0; pcr < POLICY_PCRS; pcr++) {
                struct choice *c = &choices[n];
                bool measured = pcr == p->pcr && p->judges_log;

                if (!(a->pcrs.mask >> pcr & 1))
                        continue;
                n++;
                c->pcr = pcr;
                if ((measured ? choose_predicted(predicted, what->in_place, c, err)
                              : choose_fixed(p, c, err)) < 0)
                        return -(int)err->kind;
        }
        return add_brackets(choices, n, a, err);
}

static int sign(struct approval *a, struct signer *signer, struct err *err)
{
        struct digest ref;
        int r = approval_rebuild(a, err);

        if (r >= 0)
                r = secret_scope_ref(&a->scope, &ref, err);
        for (size_t i = 0; r >= 0 && i < a->n_brackets; i++) {
                AUTO(buf_free) struct buf message = {0};

                seal_approval_message(&a->brackets[i].digest, digest_view(&ref), &message);
                if (!buf_ok(&message))
                        return err_nomem(err);
                r = signer_sign(signer, VIEW_BUF(&message), &a->brackets[i].signature, err);
        }
        return r;
}

static int set_release(const struct target *t, bool local, struct approval *a, struct err *err)
{
        AUTO(buf_free) struct buf der = {0};

        if (local)
                return 0;
        if (!t->release_key)
                return err_set(err, ERR_CONFIG, 0,
                               "the verifier has no release key (release.key): without one only "
                               "--release local can be approved");
        memcpy(a->verifier, t->verifier, sizeof(a->verifier));
        if (pubkey_spki(t->release_key, &der, err) < 0)
                return -(int)err->kind;
        return pubkey_from_spki(VIEW_BUF(&der), &a->release_key, err);
}

int approving_make(const struct target *t, const struct approving *what, const struct policy *p,
                   struct signer *signer, struct approval *ret, struct err *err)
{
        AUTO(approval_done)
        struct approval a = {.floor_index = t->floor_index,
                             .floor_name = t->floor_name,
                             .version = what->version,
                             .created_at_ms = what->now_ms,
                             .policy = str_dup(p->name)};

        if (!a.policy)
                return err_nomem(err);
        if (!str_valid_name(what->class))
                return err_set(err, ERR_CONFIG, 0, "class %s: expected 1 to 64 of A-Z a-z 0-9 _ . -",
                               SHOW(what->class));
        memcpy(a.scope.tenant, t->tenant, sizeof(a.scope.tenant));
        memcpy(a.scope.host, t->host, sizeof(a.scope.host));
        memcpy(a.scope.class, what->class, strlen(what->class) + 1);
        a.scope.host_only = what->host_only;
        if (owner_make(signer_public(signer), what->delegation, &a.scope, &a.owner, err) < 0 ||
            set_release(t, what->local, &a, err) < 0 || predict(what, p, &a, err) < 0 ||
            sign(&a, signer, err) < 0)
                return err_wrap(err, "approving %s for host %s", what->class, t->host);
        *ret = a;
        a = (struct approval){0};
        return 0;
}
