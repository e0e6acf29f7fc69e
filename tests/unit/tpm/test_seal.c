/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing, counters and policies against a real TPM 2.0 (swtpm): the chain of SR-1 opens when everything
 * holds, and the TPM itself refuses when any one thing does not. What opens it is computed in software.
 */
#include "seal_host.h"

static const char text[] = "the key of the store";

/* An approval of what the machine is now, and the release that goes with it. */
struct approved {
        struct digest pcr_digest, bracket;
        struct buf approval, delegation, release;
        uint64_t version;
        bool local;
};

static void approve(struct host *h, uint64_t version, bool local, struct approved *ret)
{
        struct err err = ERR_INIT;
        struct seal_bracket b = {.pcrs = {DIGEST_SHA256, PCRS},
                                 .pcr_digest = pcrs_now(h->tpm, PCRS),
                                 .floor_name = VIEW_ARRAY(h->floor.name),
                                 .version = version,
                                 .release_key = local ? NULL : h->release.public,
                                 .release_ref = digest_view(&h->release_ref)};
        AUTO(buf_free)
        struct buf message = {0};
        struct digest delegated;

        *ret = (struct approved){.pcr_digest = b.pcr_digest, .version = version, .local = local};
        OK(seal_bracket_digest(&b, &ret->bracket, &err));
        seal_approval_message(&ret->bracket, digest_view(&h->ref), &message);
        OK(tpm_key_sign(h->approval.key, VIEW_BUF(&message), &ret->approval, &err));
        buf_reset(&message);
        OK(seal_authorized_digest(h->approval.public, digest_view(&h->ref), &delegated, &err));
        seal_approval_message(&delegated, digest_view(&h->ref), &message);
        OK(tpm_key_sign(h->root.key, VIEW_BUF(&message), &ret->delegation, &err));
}

static void release(struct host *h, const struct tpm_unseal *u, uint32_t lease_s, struct approved *a)
{
        struct err err = ERR_INIT;
        AUTO(buf_free)
        struct buf message = {0};
        bool good = false;

        seal_release_message(tpm_unseal_nonce(u), lease_s, digest_view(&h->release_ref), &message);
        buf_reset(&a->release);
        OK(tpm_key_sign(h->release.key, VIEW_BUF(&message), &a->release, &err));
        OK(seal_signature_check(h->release.public, VIEW_BUF(&a->release), VIEW_BUF(&message), &good, &err));
        assert_true(good);
}

static void approved_done(struct approved *a)
{
        buf_free(&a->approval);
        buf_free(&a->delegation);
        buf_free(&a->release);
}

static struct tpm_unseal_chain chain_of(const struct host *h, const struct approved *a, uint32_t lease_s)
{
        return (struct tpm_unseal_chain){
                .bank = DIGEST_SHA256,
                .mask = PCRS,
                .pcr_digest = digest_view(&a->pcr_digest),
                .floor_index = FLOOR,
                .version = a->version,
                .release = {a->local ? NULL : h->release.public, VIEW_BUF(&a->release)},
                .lease_s = lease_s,
                .release_ref = digest_view(&h->release_ref),
                .policy_ref = digest_view(&h->ref),
                .approval = {h->approval.public, VIEW_BUF(&a->approval)},
                .delegation = {h->root.public, VIEW_BUF(&a->delegation)},
                .epoch_index = EPOCH,
                .epoch = h->epoch.value,
        };
}

static void seal(struct host *h, struct tpm_sealed *ret)
{
        struct err err = ERR_INIT;
        struct digest policy;

        OK(seal_policy(h->root.public, digest_view(&h->ref), VIEW_ARRAY(h->epoch.name), h->epoch.value,
                       &policy, &err));
        OK(tpm_seal(h->tpm, h->ek, view_str(text), &policy, ret, &err));
}

static struct tpm_unseal *begin(struct host *h, const struct tpm_sealed *s)
{
        struct err err = ERR_INIT;
        struct tpm_unseal *u = NULL;

        OK(tpm_unseal_begin(h->tpm, h->ek, VIEW_BUF(&s->public_area), VIEW_BUF(&s->private_area), &u, &err));
        return u;
}

static void opens(struct tpm_unseal *u, const struct tpm_unseal_chain *c)
{
        struct err err = ERR_INIT;
        enum tpm_unseal_step step;
        struct secret got = {0};

        OK(tpm_unseal_finish(u, c, &got, &step, &err));
        assert_int_equal(step, TPM_UNSEAL_OPENED);
        assert_view(VIEW(got.p, got.len), text);
        secret_free(&got);
}

/* Stops at STEP with CODE (its low bits: 0 for any). */
static void refuses(struct tpm_unseal *u, const struct tpm_unseal_chain *c, enum tpm_unseal_step want,
                    TSS2_RC code)
{
        struct err err = ERR_INIT;
        enum tpm_unseal_step step;
        struct secret got;

        POISON(got);
        assert_int_equal(tpm_unseal_finish(u, c, &got, &step, &err), -ERR_TPM);
        assert_string_equal(tpm_unseal_step_name(step), tpm_unseal_step_name(want));
        if (code)
                assert_int_equal(err.code & 0xffff, code);
        assert_poisoned(got);
}

TSS2_RC __real_Esys_Unseal(ESYS_CONTEXT *esys, ESYS_TR item, ESYS_TR a, ESYS_TR b, ESYS_TR c,
                           TPM2B_SENSITIVE_DATA **ret);
TSS2_RC __wrap_Esys_Unseal(ESYS_CONTEXT *esys, ESYS_TR item, ESYS_TR a, ESYS_TR b, ESYS_TR c,
                           TPM2B_SENSITIVE_DATA **ret);

static unsigned n_extends; /* how many times PCRs change between policy and unseal */
static unsigned extended_pcr;

TSS2_RC __wrap_Esys_Unseal(ESYS_CONTEXT *esys, ESYS_TR item, ESYS_TR a, ESYS_TR b, ESYS_TR c,
                           TPM2B_SENSITIVE_DATA **ret)
{
        TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};

        if (n_extends) {
                n_extends--;
                assert_int_equal(Esys_PCR_Extend(esys, extended_pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                                 ESYS_TR_NONE, &values),
                                 0);
        }
        return __real_Esys_Unseal(esys, item, a, b, c, ret);
}

/* ---- the chain */

static void all_conditions_open_it(void **state)
{
        static const enum tpm_ek_type types[] = {TPM_EK_P256, TPM_EK_RSA2048, TPM_EK_P384};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                struct host h = host_new(types[i]);
                struct tpm_unseal_chain c;
                struct tpm_sealed s = {0};
                struct approved a;
                struct tpm_unseal *u;

                seal(&h, &s);
                approve(&h, h.floor.value, false, &a);
                u = begin(&h, &s);
                tpm_ek_free(h.ek); /* needed no more */
                h.ek = NULL;
                release(&h, u, 60, &a);
                c = chain_of(&h, &a, 60);
                opens(u, &c);
                tpm_unseal_free(u);
                approved_done(&a);
                tpm_sealed_done(&s);
                host_free(&h);
        }
}

static void one_level_and_local_release(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_unseal_chain c;
        struct tpm_sealed s = {0};
        struct digest policy;
        struct approved a;
        struct tpm_unseal *u;

        (void)state;
        OK(seal_policy(h.approval.public, digest_view(&h.ref), VIEW_ARRAY(h.epoch.name), h.epoch.value,
                       &policy, &err));
        OK(tpm_seal(h.tpm, h.ek, view_str(text), &policy, &s, &err));
        approve(&h, h.floor.value + 5, true, &a);
        u = begin(&h, &s);
        c = chain_of(&h, &a, 0);
        c.delegation.key = NULL;
        opens(u, &c);
        tpm_unseal_free(u);
        approved_done(&a);
        tpm_sealed_done(&s);
        host_free(&h);
}

/* One object, one session, one release. */
struct trial {
        struct host h;
        struct tpm_sealed s;
        struct approved a;
        struct tpm_unseal *u;
        struct tpm_unseal_chain c;
};

static void trial_start(struct trial *t, uint32_t lease_s)
{
        *t = (struct trial){.h = host_new(TPM_EK_P256)};
        seal(&t->h, &t->s);
        approve(&t->h, t->h.floor.value, false, &t->a);
        t->u = begin(&t->h, &t->s);
        release(&t->h, t->u, lease_s, &t->a);
        t->c = chain_of(&t->h, &t->a, lease_s);
}

static void trial_end(struct trial *t)
{
        tpm_unseal_free(t->u);
        approved_done(&t->a);
        tpm_sealed_done(&t->s);
        host_free(&t->h);
}

static void changing_pcrs_are_waited_out(void **state)
{
        struct trial t;

        (void)state;
        trial_start(&t, 60);
        extended_pcr = 9; /* of no interest to the policy, but the TPM counts every change */
        n_extends = 3;
        opens(t.u, &t.c); /* with the one release */
        assert_int_equal(n_extends, 0);
        trial_end(&t);

        trial_start(&t, 60);
        n_extends = 1000;
        refuses(t.u, &t.c, TPM_UNSEAL_FAILED, TPM2_RC_PCR_CHANGED);
        extended_pcr = 15; /* what a wipe does first: a policy fulfilled before it is worth nothing (SR-5) */
        n_extends = 1;
        refuses(t.u, &t.c, TPM_UNSEAL_PCRS, 0);
        assert_int_equal(n_extends, 0);
        trial_end(&t);
}

static void other_pcrs_do_not_open_it(void **state)
{
        struct err err = ERR_INIT;
        struct digest d;
        struct trial t;

        (void)state;
        trial_start(&t, 60);
        OK(digest_bytes(DIGEST_SHA256, view_str("another runtime"), &d, &err));
        OK(tpm_pcr_extend(t.h.tpm, 15, &d, 1, &err));
        refuses(t.u, &t.c, TPM_UNSEAL_PCRS, 0);
        /* claiming the values of now: then it is not what was approved */
        d = pcrs_now(t.h.tpm, PCRS);
        t.c.pcr_digest = digest_view(&d);
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        trial_end(&t);
}

static void a_raised_floor_does_not_open_it(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_counter_auth auth;
        struct trial t;
        uint64_t value;

        (void)state;
        trial_start(&t, 60);
        auth = agent_of(&t.h);
        OK(tpm_counter_increment(t.h.tpm, t.h.ek, FLOOR, &auth, &value, &err));
        refuses(t.u, &t.c, TPM_UNSEAL_FLOOR, TPM2_RC_POLICY);
        t.c.version = value; /* a version that nobody approved */
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        trial_end(&t);
}

static void an_ended_lease_does_not_open_it(void **state)
{
        struct trial t;

        (void)state;
        trial_start(&t, 1);
        (void)nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
        refuses(t.u, &t.c, TPM_UNSEAL_EXPIRED, 0);
        t.c.lease_s = 600; /* a lease that the verifier did not sign */
        refuses(t.u, &t.c, TPM_UNSEAL_RELEASE, 0);
        trial_end(&t);
}

static struct tpm_handle load_sealed(struct host *h, const struct tpm_sealed *s)
{
        struct err err = ERR_INIT;
        struct tpm_handle policy, ret = TPM_HANDLE_NONE(h->tpm);
        TPM2B_PUBLIC public = {0};
        TPM2B_PRIVATE private = {0};
        size_t at = 0;

        assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(s->public_area.p, s->public_area.len, &at, &public),
                         0);
        at = 0;
        assert_int_equal(
                Tss2_MU_TPM2B_PRIVATE_Unmarshal(s->private_area.p, s->private_area.len, &at, &private), 0);
        OK(tpm_ek_policy(h->ek, &policy, &err));
        assert_int_equal(Esys_Load(h->tpm->esys, h->ek->handle, policy.handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &private, &public, &ret.handle),
                         0);
        tpm_handle_done(&policy);
        return ret;
}

/* The policy is fulfilled in time, the secret asked for after the lease. */
static void a_lease_ends_between_policy_and_unseal(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_handle session = {0};
        TPM2B_SENSITIVE_DATA *data = NULL;
        struct trial t;
        uint8_t nonce[TPM_NONCE_BYTES];
        struct buf message = {0}, sig = {0};
        struct digest policy;
        struct tpm_sealed s = {0};
        uint8_t name[TPM_KEY_NAME_BYTES];
        struct tpm_handle object;

        (void)state;
        trial_start(&t, 60);
        tpm_unseal_free(TAKE(t.u));
        digest_zero(DIGEST_SHA256, &policy);
        OK(tpm_key_name(t.h.release.public, name, &err));
        OK(authpolicy_signed(&policy, VIEW_ARRAY(name), digest_view(&t.h.release_ref), &err));
        OK(tpm_seal(t.h.tpm, t.h.ek, view_str(text), &policy, &s, &err));
        OK(tpm_policy_start(t.h.tpm, &session, &err));
        OK(tpm_policy_nonce(t.h.tpm, session.handle, nonce, &err));
        seal_release_message(VIEW_ARRAY(nonce), 1, digest_view(&t.h.release_ref), &message);
        OK(tpm_key_sign(t.h.release.key, VIEW_BUF(&message), &sig, &err));
        OK(tpm_policy_signed(t.h.tpm, session.handle, t.h.release.public, VIEW_ARRAY(nonce), 1,
                             digest_view(&t.h.release_ref), VIEW_BUF(&sig), &err));
        object = load_sealed(&t.h, &s);
        (void)nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
        assert_int_equal(
                Esys_Unseal(t.h.tpm->esys, object.handle, session.handle, ESYS_TR_NONE, ESYS_TR_NONE, &data) &
                        0xffff,
                0x9a3);
        tpm_handle_done(&object);
        tpm_handle_done(&session);
        buf_free(&message);
        buf_free(&sig);
        tpm_sealed_done(&s);
        trial_end(&t);
}

static void another_verifier_does_not_open_it(void **state)
{
        struct signer other = signer_new(false), mine;
        struct trial t;
        struct tpm_unseal *u;

        (void)state;
        trial_start(&t, 60);
        mine = t.h.release;
        t.h.release = other; /* signs well, but was not approved */
        release(&t.h, t.u, 60, &t.a);
        t.c = chain_of(&t.h, &t.a, 60);
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        t.h.release = mine;
        t.c = chain_of(&t.h, &t.a, 60); /* the approved key's name over another's signature */
        refuses(t.u, &t.c, TPM_UNSEAL_RELEASE, 0);

        /* a release for another session */
        tpm_unseal_free(t.u);
        t.u = begin(&t.h, &t.s);
        release(&t.h, t.u, 60, &t.a);
        u = begin(&t.h, &t.s);
        tpm_ek_free(t.h.ek); /* two objects and room for a key */
        t.h.ek = NULL;
        t.c = chain_of(&t.h, &t.a, 60);
        refuses(u, &t.c, TPM_UNSEAL_RELEASE, 0);
        opens(t.u, &t.c);
        tpm_unseal_free(u);
        signer_free(&other);
        trial_end(&t);
}

/*
 * A host that passes asks for a release of its own and sends the nonce of another's session: the verifier
 * signs for the host that asked.
 */
static void what_another_host_earned_does_not_open_it(void **state)
{
        struct err err = ERR_INIT;
        struct digest mine, theirs;
        struct trial t;

        (void)state;
        trial_start(&t, 60);
        mine = t.h.release_ref;
        OK(seal_release_ref(VERIFIER_ID, "web-2", &theirs, &err));
        t.h.release_ref = theirs;
        release(&t.h, t.u, 60, &t.a);
        t.c = chain_of(&t.h, &t.a, 60); /* said to be web-2's: a good signature, another bracket */
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        t.c.release_ref = digest_view(&mine); /* said to be web-1's */
        refuses(t.u, &t.c, TPM_UNSEAL_RELEASE, 0);
        t.c.release_ref = VIEW_NONE;
        refuses(t.u, &t.c, TPM_UNSEAL_RELEASE, 0);
        t.h.release_ref = mine;
        release(&t.h, t.u, 60, &t.a);
        t.c = chain_of(&t.h, &t.a, 60);
        opens(t.u, &t.c);
        trial_end(&t);
}

static void another_owner_does_not_open_it(void **state)
{
        struct err err = ERR_INIT;
        struct signer other = signer_new(true), mine;
        struct approved theirs;
        struct digest ref;
        struct trial t;

        (void)state;
        trial_start(&t, 60);
        /* their approval key: the root has not named it */
        mine = t.h.approval;
        t.h.approval = other;
        approve(&t.h, t.h.floor.value, false, &theirs);
        t.c.approval = (struct tpm_vouched){other.public, VIEW_BUF(&theirs.approval)};
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        t.h.approval = mine;
        /* signed for another class of secrets */
        t.c = chain_of(&t.h, &t.a, 60);
        OK(seal_policy_ref("acme", "other-key", NULL, &ref, &err));
        t.c.policy_ref = digest_view(&ref);
        refuses(t.u, &t.c, TPM_UNSEAL_APPROVAL, 0);
        /* no root at all: the object wants one */
        t.c = chain_of(&t.h, &t.a, 60);
        t.c.delegation.key = NULL;
        refuses(t.u, &t.c, TPM_UNSEAL_OBJECT, 0x99d);
        /* and as it should be, in the same session */
        t.c = chain_of(&t.h, &t.a, 60);
        opens(t.u, &t.c);
        approved_done(&theirs);
        signer_free(&other);
        trial_end(&t);
}

static void an_epoch_that_went_on_opens_nothing(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_counter_auth auth;
        struct tpm_counter again;
        struct trial t;
        uint64_t value;

        (void)state;
        trial_start(&t, 60);
        auth = agent_of(&t.h);
        OK(tpm_counter_increment(t.h.tpm, t.h.ek, EPOCH, &auth, &value, &err));
        refuses(t.u, &t.c, TPM_UNSEAL_EPOCH, TPM2_RC_POLICY);
        t.c.epoch = value;
        refuses(t.u, &t.c, TPM_UNSEAL_OBJECT, 0x99d);
        t.c.epoch = t.h.epoch.value;
        /* deleting the counter, and defining it again until it would fit, do not help */
        OK(tpm_counter_undefine(t.h.tpm, t.h.ek, EPOCH, VIEW_NONE, &err));
        refuses(t.u, &t.c, TPM_UNSEAL_EPOCH, 0);
        OK(tpm_counter_define(t.h.tpm, t.h.ek, EPOCH, &auth, &again, &err));
        assert_true(again.value > value);
        refuses(t.u, &t.c, TPM_UNSEAL_EPOCH, TPM2_RC_POLICY);
        trial_end(&t);
}

static void a_copied_blob_is_dead_after_a_reboot(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_counter_auth auth;
        struct trial t;
        uint64_t value;

        (void)state;
        trial_start(&t, 60);
        auth = agent_of(&t.h);
        OK(tpm_counter_increment(t.h.tpm, t.h.ek, EPOCH, &auth, &value, &err));
        tpm_unseal_free(t.u);
        tpm_ek_free(t.h.ek);
        tpm_free(t.h.tpm);
        swtpm_restart(&emulator);
        OK(tpm_open(emulator.tcti, &t.h.tpm, &err));
        OK(tpm_ek_load(t.h.tpm, TPM_EK_P256, &t.h.ek, &err));
        approved_done(&t.a);
        approve(&t.h, t.h.floor.value, false, &t.a); /* even newly approved */
        t.u = begin(&t.h, &t.s);
        release(&t.h, t.u, 60, &t.a);
        t.c = chain_of(&t.h, &t.a, 60);
        refuses(t.u, &t.c, TPM_UNSEAL_EPOCH, TPM2_RC_POLICY);
        trial_end(&t);
}

/* ---- other TPMs, other tools */

static void ek_of(struct host *h, struct tpm_public *public, struct pubkey **key, struct credential_ek *ret)
{
        struct err err = ERR_INIT;

        OK(tpm2b_public_parse(tpm_ek_public(h->ek), public, &err));
        assert_null(tpm_public_ek_refusal(public));
        OK(tpm_public_key(public, key, &err));
        *ret = (struct credential_ek){
                .key = *key, .name_alg = (enum digest_alg) public->name_alg, .aes_bits = public->sym_bits};
}

static void an_import_opens_on_its_own_tpm_alone(void **state)
{
        static const enum tpm_ek_type types[] = {TPM_EK_P256, TPM_EK_RSA2048, TPM_EK_P384};
        struct swtpm first = emulator;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                struct err err = ERR_INIT;
                struct host h = host_new(types[i]), other;
                struct import_blob blob = {0};
                struct tpm_public public;
                struct pubkey *key = NULL;
                struct credential_ek ek;
                struct sealed_public sealed;
                struct sealed_verdict verdict;
                struct tpm_sealed s = {0};
                struct tpm_unseal_chain c;
                struct approved a;
                struct tpm_unseal *u;
                struct digest policy;
                struct sealed_candidates known = {.authority = h.root.public,
                                                  .policy_ref = digest_view(&h.ref),
                                                  .epoch_name = VIEW_ARRAY(h.epoch.name),
                                                  .epoch = h.epoch.value};

                OK(seal_policy(h.root.public, digest_view(&h.ref), VIEW_ARRAY(h.epoch.name), h.epoch.value,
                               &policy, &err));
                ek_of(&h, &public, &key, &ek);
                OK(import_blob_make(&ek, view_str(text), &policy, &blob, &err));
                OK(sealed_public_parse(VIEW_BUF(&blob.public_area), &sealed, &err));
                OK(sealed_judge(&sealed, &known, &verdict, &err));
                assert_true(verdict.revocable);
                OK(tpm_seal_import(h.tpm, h.ek, VIEW_BUF(&blob.public_area), VIEW_BUF(&blob.duplicate),
                                   VIEW_BUF(&blob.seed), &s.private_area, &err));
                buf_put_view(&s.public_area, VIEW_BUF(&blob.public_area));
                u = begin(&h, &s);
                approve(&h, h.floor.value, false, &a);
                release(&h, u, 60, &a);
                c = chain_of(&h, &a, 60);
                opens(u, &c);
                tpm_unseal_free(u);

                swtpm_start(&emulator);
                other = host_new(types[i]);
                assert_int_equal(tpm_seal_import(other.tpm, other.ek, VIEW_BUF(&blob.public_area),
                                                 VIEW_BUF(&blob.duplicate), VIEW_BUF(&blob.seed),
                                                 &s.private_area, &err),
                                 -ERR_TPM);
                host_free(&other);
                swtpm_stop(&emulator);
                emulator = first;
                pubkey_free(key);
                import_blob_done(&blob);
                approved_done(&a);
                tpm_sealed_done(&s);
                host_free(&h);
        }
}

/* The witness: what we seal to PCRs alone is a file that tpm2-tools load and open. */
static void tools_open_a_plain_file(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_sealed s = {0};
        struct tss2_key key = {.type = TSS2_SEALED, .empty_auth = true, .parent = TPM_OWNER};
        struct secret got = {0};
        enum tpm_unseal_step step;
        struct tpm_unseal *u = NULL;
        struct buf pem = {0};
        char path[64];
        FILE *f;

        (void)state;
        OK(tpm_seal_pcr(h.tpm, h.ek, TPM_OWNER, view_str(text), DIGEST_SHA256, 1u << 15, &s, &err));
        key.public_area = VIEW_BUF(&s.public_area);
        key.private_area = VIEW_BUF(&s.private_area);
        OK(tss2_pem_write(&key, &pem, &err));
        (void)snprintf(path, sizeof(path), "%s/plain.pem", emulator.dir);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(pem.p, 1, pem.len, f), pem.len);
        (void)fclose(f);
        OK(tpm_unseal_begin_under(h.tpm, tpm_ek_type(h.ek), TPM_OWNER, key.public_area, key.private_area, &u,
                                  &err));
        OK(tpm_unseal_finish_pcr(u, DIGEST_SHA256, 1u << 15, &got, &step, &err));
        assert_view(VIEW(got.p, got.len), text);
        secret_free(&got);
        tpm_unseal_free(u);
        tpm_sealed_done(&s);
        buf_free(&pem);
        host_free(&h);
        assert_int_equal(swtpm_tool(&emulator,
                                    "tpm2_load -r plain.pem -c plain.ctx && tpm2_flushcontext -t && "
                                    "tpm2_unseal -c plain.ctx -p pcr:sha256:15 >plain.out && "
                                    "printf 'the key of the store' | cmp - plain.out"),
                         0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_conditions_open_it),
                cmocka_unit_test(one_level_and_local_release),
                cmocka_unit_test(changing_pcrs_are_waited_out),
                cmocka_unit_test(other_pcrs_do_not_open_it),
                cmocka_unit_test(a_raised_floor_does_not_open_it),
                cmocka_unit_test(an_ended_lease_does_not_open_it),
                cmocka_unit_test(a_lease_ends_between_policy_and_unseal),
                cmocka_unit_test(another_verifier_does_not_open_it),
                cmocka_unit_test(what_another_host_earned_does_not_open_it),
                cmocka_unit_test(another_owner_does_not_open_it),
                cmocka_unit_test(an_epoch_that_went_on_opens_nothing),
                cmocka_unit_test(a_copied_blob_is_dead_after_a_reboot),
                cmocka_unit_test(an_import_opens_on_its_own_tpm_alone),
                cmocka_unit_test(tools_open_a_plain_file),
        };

        return cmocka_run_group_tests(tests, seal_setup, seal_teardown);
}
