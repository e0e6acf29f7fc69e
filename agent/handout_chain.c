/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unsealing. Three kinds of object: ours under the chain of SR-1, made on the spot or to be imported; a
 * plain PolicyPCR one that was adopted (not revocable). For ours an approval is wanted: of the same owner,
 * class and host, for what the PCRs are at this moment. Where several fit, the one with the highest version,
 * which lives longest. A secret whose owner wants the verifier's word is never opened with an approval that
 * does without, though the TPM would: that an owner signs both for one class is a slip that must not widen
 * what the secret's listing promises.
 *
 * The signature of the document shows that name, host and epoch are what the owner sealed (SR-10); that it is
 * an owner this host knows is a question of `secrets.owners`.
 */
#include "agent/handout_chain.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "evidence/seal_policy.h"
#include "tpm/pcrs.h"
#include "tpm/seal.h"
#include "wire/approval.h"
#include "wire/secret_file.h"

#define PARENT_EK     0x4000000bu
#define OWNER_PEM_MAX 16384

struct handout_chain {
        struct secret_file file;
        struct approval approval;
        const struct approval_bracket *bracket;
        struct digest policy_ref, release_ref;
        struct tpm_unseal *unseal;
};

void handout_chain_free(struct handout_chain *c)
{
        if (!c)
                return;
        tpm_unseal_free(c->unseal);
        approval_done(&c->approval);
        secret_file_done(&c->file);
        free(c);
}

const char *handout_chain_name(const struct handout_chain *c)
{
        return c->file.name;
}

bool handout_chain_local(const struct handout_chain *c)
{
        return c->file.kind == SEALED_PCR || !c->approval.release_key;
}

bool handout_chain_revocable(const struct handout_chain *c)
{
        return c->file.revocable;
}

struct view handout_chain_nonce(const struct handout_chain *c)
{
        return tpm_unseal_nonce(c->unseal);
}

const struct digest *handout_chain_bracket(const struct handout_chain *c)
{
        return &c->bracket->digest;
}

/* ---- whose it is */

static int known_owner(const struct agent_config *config, const struct pubkey *key, struct err *err)
{
        for (size_t i = 0; i < config->n_owners; i++) {
                AUTO(pubkey_free_p) struct pubkey *known = NULL;
                AUTO(buf_free) struct buf pem = {0};
                int r = file_read(config->owners[i], OWNER_PEM_MAX, &pem, err);

                if (r >= 0)
                        r = pubkey_from_pem(VIEW_BUF(&pem), &known, err);
                if (r < 0)
                        return err_wrap(err, "secrets.owners: %s", SHOW(config->owners[i]));
                if (pubkey_equal(known, key))
                        return 0;
        }
        return config->n_owners == 0 ? 0
                                     : err_set(err, ERR_CONFIG, 0,
                                               "its owner is none of secrets.owners: it is not handed out");
}

static int check_document(const struct secret_file *f, const struct handout_host *host, struct err *err)
{
        bool good = false;
        int r;

        if (!str_equal(f->scope.host, host->host_id))
                return err_set(err, ERR_CONFIG, 0, "it is sealed for host %s", SHOW(f->scope.host));
        r = secret_file_check(f, &good, err);
        if (r < 0)
                return r;
        if (!good)
                return err_set(err, ERR_CRYPTO, 0, "its owner's signature is not good");
        return known_owner(host->config, owner_authority(&f->owner), err);
}

/* ---- which approval */

static int pcrs_now(struct tpm *tpm, const struct pcr_selection *selection, struct digest *ret,
                    struct err *err)
{
        struct pcr_values values = {.bank = selection->bank, .mask = selection->mask};
        struct tpm_pcr_values now;
        int r = tpm_pcrs_read(tpm, selection->bank, selection->mask, &now, err);

        if (r < 0)
                return r;
        memcpy(values.v, now.value, sizeof(values.v));
        return pcr_values_digest(&values, values.mask, DIGEST_SHA256, ret, err);
}

/* Return: 1 and the bracket; 0: it does not fit, *RET_WHY says how far it was; < 0. */
static int fits(const struct handout_chain *c, const struct approval *a, struct tpm *tpm,
                const struct approval_bracket **ret, const char **ret_why, struct err *err)
{
        struct digest ref, now;
        int r;

        if (!pubkey_equal(owner_authority(&a->owner), owner_authority(&c->file.owner)) ||
            (!a->release_key && !c->file.release_local))
                return 0;
        r = secret_scope_ref(&a->scope, &ref, err);
        if (r < 0)
                return r;
        if (!digest_equal(&ref, &c->policy_ref))
                return 0;
        r = pcrs_now(tpm, &a->pcrs, &now, err);
        if (r < 0)
                return r;
        *ret = approval_find_pcrs(a, &now);
        *ret_why = "no approval is for what the PCRs of this host are now";
        return *ret != NULL;
}

static int choose_approval(struct handout_chain *c, const struct secrets *secrets, struct tpm *tpm,
                           struct err *err)
{
        const char *why = "its owner approved nothing for this host yet";
        const struct secrets_approval *list;
        size_t n = secrets_approvals(secrets, &list);

        for (size_t i = 0; i < n; i++) {
                AUTO(approval_done) struct approval a = {0};
                const struct approval_bracket *bracket = NULL;
                int r;

                if (!str_equal(list[i].class, c->file.scope.class) ||
                    (c->bracket && list[i].version <= c->approval.version))
                        continue;
                r = secrets_load_approval(secrets, list[i].id, &a, err);
                if (r >= 0)
                        r = fits(c, &a, tpm, &bracket, &why, err);
                if (r < 0)
                        return err_wrap(err, "approval %s", SHOW(list[i].id));
                if (r == 0)
                        continue;
                approval_done(&c->approval);
                c->approval = a;
                c->bracket = bracket; /* in the heap, which moved along */
                a = (struct approval){0};
        }
        if (!c->bracket)
                return err_set(err, ERR_CRYPTO, 0, "%s", why);
        if (!c->approval.release_key)
                return 0;
        return seal_release_ref(c->approval.verifier, c->approval.scope.host, &c->release_ref, err);
}

/* ---- the TPM */

static int load(struct handout_chain *c, const struct handout_host *host, struct err *err)
{
        const struct tss2_key *key = &c->file.key;
        AUTO(buf_free) struct buf imported = {0};
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        struct view private_area = key->private_area;
        int r;

        if (key->parent != PARENT_EK)
                return tpm_unseal_begin_under(host->tpm, host->ek_type, key->parent, key->public_area,
                                              key->private_area, &c->unseal, err);
        r = tpm_ek_load(host->tpm, host->ek_type, &ek, err);
        if (r >= 0 && key->secret.len) {
                r = tpm_seal_import(host->tpm, ek, key->public_area, key->private_area, key->secret,
                                    &imported, err);
                private_area = VIEW_BUF(&imported);
        }
        return r < 0 ? r : tpm_unseal_begin(host->tpm, ek, key->public_area, private_area, &c->unseal, err);
}

static int begin(struct handout_chain *c, const struct secrets *secrets, const struct handout_host *host,
                 struct err *err)
{
        int r = check_document(&c->file, host, err);

        if (r >= 0)
                r = secret_scope_ref(&c->file.scope, &c->policy_ref, err);
        if (r >= 0 && c->file.kind == SEALED_CHAIN)
                r = choose_approval(c, secrets, host->tpm, err);
        return r < 0 ? r : load(c, host, err);
}

int handout_chain_begin(const struct secrets *secrets, const struct handout_host *host, const char *name,
                        struct handout_chain **ret, struct err *err)
{
        AUTO(handout_chain_free_p) struct handout_chain *c = mem_zalloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_nomem(err);
        r = secrets_load(secrets, name, &c->file, err);
        if (r >= 0)
                r = begin(c, secrets, host, err);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

/* What the TPM's "no" means to the one who asks. */
static int explain(enum tpm_unseal_step step, struct err *err)
{
        static const char *const words[] = {
                [TPM_UNSEAL_PCRS] = "the PCRs of this host changed meanwhile",
                [TPM_UNSEAL_FLOOR] = "the approval was withdrawn",
                [TPM_UNSEAL_RELEASE] = "the release is not from the key that the owner approved",
                [TPM_UNSEAL_EXPIRED] = "the lease is over",
                [TPM_UNSEAL_APPROVAL] = "the TPM does not take the approval",
                [TPM_UNSEAL_EPOCH] =
                        "revoked: the epoch of this host went on, the secret is to be sealed again",
                [TPM_UNSEAL_OBJECT] = "the object wants another policy",
        };

        if (step < ARRAY_LEN(words) && words[step])
                return err_wrap(err, "%s", words[step]);
        return -(int)err->kind;
}

static struct tpm_unseal_chain chain_of(const struct handout_chain *c, struct view signature,
                                        uint32_t lease_s)
{
        const struct approval *a = &c->approval;

        return (struct tpm_unseal_chain){
                .bank = a->pcrs.bank,
                .mask = a->pcrs.mask,
                .pcr_digest = digest_view(&c->bracket->pcr_digest),
                .floor_index = a->floor_index,
                .version = a->version,
                .release = {a->release_key, signature},
                .lease_s = lease_s,
                .release_ref = digest_view(&c->release_ref),
                .policy_ref = digest_view(&c->policy_ref),
                .approval = {a->owner.key, VIEW_BUF(&c->bracket->signature)},
                .delegation = {a->owner.root, VIEW_BUF(&a->owner.delegation)},
                .epoch_index = c->file.epoch_index,
                .epoch = c->file.epoch,
        };
}

int handout_chain_finish(struct handout_chain *c, struct view signature, uint32_t lease_s, struct secret *ret,
                         struct err *err)
{
        struct secret unsealed = {0};
        enum tpm_unseal_step step;
        int r;

        if (c->file.kind == SEALED_PCR) {
                r = tpm_unseal_finish_pcr(c->unseal, c->file.pcrs.bank, c->file.pcrs.mask, &unsealed, &step,
                                          err);
        } else {
                struct tpm_unseal_chain chain = chain_of(c, signature, lease_s);

                r = tpm_unseal_finish(c->unseal, &chain, &unsealed, &step, err);
        }
        if (r < 0)
                return explain(step, err);
        if (c->file.payload.len == 0) {
                *ret = unsealed;
                return 0;
        }
        r = secret_payload_open(&c->file, VIEW(unsealed.p, unsealed.len), ret, err);
        secret_free(&unsealed);
        return r;
}
