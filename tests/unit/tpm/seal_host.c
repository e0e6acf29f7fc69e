/* SPDX-License-Identifier: Apache-2.0 */
/* A host for the tests of sealing. */
#include "seal_host.h"

struct swtpm emulator;

struct signer signer_new(bool rsa)
{
        struct err err = ERR_INIT;
        struct signer s = {0};

        if (rsa)
                OK(key_generate_rsa(2048, &s.key, &err));
        else
                OK(key_generate_ec(CURVE_P256, &s.key, &err));
        OK(key_public(s.key, &s.public, &err));
        return s;
}

void signer_free(struct signer *s)
{
        key_free(s->key);
        pubkey_free(s->public);
}

struct tpm_counter_auth agent_of(const struct host *h)
{
        return (struct tpm_counter_auth){.agent = h->agent.key, .agent_public = h->agent.public};
}

void define_anew(struct host *h, uint32_t index, struct tpm_counter *ret)
{
        struct tpm_counter_auth auth = agent_of(h);
        struct err err = ERR_INIT;

        OK(tpm_counter_read(h->tpm, index, NULL, ret, &err));
        if (ret->defined)
                OK(tpm_counter_undefine(h->tpm, h->ek, index, VIEW_NONE, &err));
        OK(tpm_counter_define(h->tpm, h->ek, index, &auth, ret, &err));
        assert_true(ret->fit);
        assert_true(ret->written);
}

struct host host_new(enum tpm_ek_type type)
{
        struct err err = ERR_INIT;
        struct host h = {.agent = signer_new(false),
                         .approval = signer_new(true),
                         .root = signer_new(false),
                         .release = signer_new(false)};

        OK(tpm_open(emulator.tcti, &h.tpm, &err));
        OK(tpm_ek_load(h.tpm, type, &h.ek, &err));
        define_anew(&h, EPOCH, &h.epoch);
        define_anew(&h, FLOOR, &h.floor);
        OK(seal_policy_ref("acme", "store-key", NULL, &h.ref, &err));
        OK(seal_release_ref(VERIFIER_ID, HOST_ID, &h.release_ref, &err));
        return h;
}

void host_free(struct host *h)
{
        signer_free(&h->agent);
        signer_free(&h->approval);
        signer_free(&h->root);
        signer_free(&h->release);
        tpm_ek_free(h->ek);
        tpm_free(h->tpm);
}

struct digest pcrs_now(struct tpm *tpm, uint32_t mask)
{
        struct err err = ERR_INIT;
        struct tpm_pcr_values from;
        struct pcr_values to = {.bank = DIGEST_SHA256, .mask = mask};
        struct digest d;

        OK(tpm_pcrs_read(tpm, DIGEST_SHA256, mask, &from, &err));
        memcpy(to.v, from.value, sizeof(to.v));
        OK(pcr_values_digest(&to, mask, DIGEST_SHA256, &d, &err));
        return d;
}

int seal_setup(void **state)
{
        (void)state;
        swtpm_start(&emulator);
        return 0;
}

int seal_teardown(void **state)
{
        (void)state;
        swtpm_stop(&emulator);
        return 0;
}
