/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of SR-11, and policies computed in software, against a real TPM 2.0 (swtpm). */
#include "seal_host.h"

/* ---- counters */

static void counters_only_go_up(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_counter_auth auth = agent_of(&h), owner = auth, wrong = auth;
        struct signer other = signer_new(false);
        struct tpm_counter again;
        struct tpm_name name;
        uint64_t value = 0;

        (void)state;
        OK(sealed_counter_name(EPOCH, h.agent.public, &name, &err));
        assert_memory_equal(name.b, h.epoch.name, name.len);
        assert_int_equal(name.len, sizeof(h.epoch.name));
        OK(tpm_counter_increment(h.tpm, h.ek, EPOCH, &auth, &value, &err));
        assert_int_equal(value, h.epoch.value + 1);
        owner.agent = NULL; /* the state directory is lost: the owner still can */
        OK(tpm_counter_increment(h.tpm, h.ek, EPOCH, &owner, &value, &err));
        assert_int_equal(value, h.epoch.value + 2);
        wrong.agent = other.key;
        assert_int_equal(tpm_counter_increment(h.tpm, h.ek, EPOCH, &wrong, &value, &err), -ERR_TPM);
        assert_int_not_equal(swtpm_tool(&emulator, "tpm2_nvincrement -C o 0x01810100"), 0);
        assert_int_not_equal(swtpm_tool(&emulator, "tpm2_nvincrement 0x01810100"), 0);

        /* undefined and defined again: above, under the same name */
        define_anew(&h, EPOCH, &again);
        assert_true(again.value > value);
        assert_memory_equal(again.name, h.epoch.name, sizeof(again.name));

        /* a power cut takes nothing back */
        tpm_ek_free(h.ek);
        tpm_free(h.tpm);
        swtpm_restart(&emulator);
        OK(tpm_open(emulator.tcti, &h.tpm, &err));
        OK(tpm_ek_load(h.tpm, TPM_EK_P256, &h.ek, &err));
        value = again.value;
        OK(tpm_counter_read(h.tpm, EPOCH, h.agent.public, &again, &err));
        assert_int_equal(again.value, value);
        signer_free(&other);
        host_free(&h);
}

static void a_changed_counter_is_seen(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct view name = VIEW_ARRAY(h.epoch.name);
        struct signer other = signer_new(false);
        struct tpm_counter now;

        (void)state;
        assert_int_equal(tpm_counter_compare(&h.epoch, name, h.epoch.value), TPM_COUNTER_SAME);
        assert_int_equal(tpm_counter_compare(&h.epoch, name, h.epoch.value + 1), TPM_COUNTER_BELOW);
        OK(tpm_counter_read(h.tpm, EPOCH, other.public, &now, &err));
        assert_false(now.fit);
        assert_int_equal(tpm_counter_compare(&now, name, 0), TPM_COUNTER_FOREIGN);
        OK(tpm_counter_undefine(h.tpm, h.ek, EPOCH, VIEW_NONE, &err));
        OK(tpm_counter_read(h.tpm, EPOCH, h.agent.public, &now, &err));
        assert_false(now.defined);
        assert_int_equal(tpm_counter_compare(&now, name, 0), TPM_COUNTER_GONE);
        /* anybody's index under our number */
        assert_int_equal(swtpm_tool(&emulator, "tpm2_nvdefine -C o -s 8 -a 'nt=counter|ownerwrite|authread' "
                                               "0x01810100 && tpm2_nvincrement -C o 0x01810100"),
                         0);
        OK(tpm_counter_read(h.tpm, EPOCH, h.agent.public, &now, &err));
        assert_true(now.defined);
        assert_false(now.fit);
        assert_int_equal(tpm_counter_compare(&now, name, 0), TPM_COUNTER_FOREIGN);
        signer_free(&other);
        host_free(&h);
}

static void a_set_owner_password_is_used(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_counter_auth owner = agent_of(&h);
        struct tpm_counter again;
        uint64_t value;

        (void)state;
        owner.agent = NULL;
        assert_int_equal(swtpm_tool(&emulator, "tpm2_changeauth -c o secret"), 0);
        assert_int_equal(tpm_counter_increment(h.tpm, h.ek, EPOCH, &owner, &value, &err), -ERR_TPM);
        owner.owner_auth = view_str("secret");
        OK(tpm_counter_increment(h.tpm, h.ek, EPOCH, &owner, &value, &err));
        OK(tpm_counter_undefine(h.tpm, h.ek, EPOCH, view_str("secret"), &err));
        OK(tpm_counter_define(h.tpm, h.ek, EPOCH, &owner, &again, &err));
        assert_true(again.value > value);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_changeauth -c o -p secret ''"), 0);
        host_free(&h);
}

static void the_ak_certifies_a_counter(void **state)
{
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_ak_blob blob = {0};
        struct tpm_ak *ak = NULL;
        struct tpm_signed s = {0};
        struct tpm_public public;
        struct tpm_attest a;
        uint8_t be[8];
        bool good = false;

        (void)state;
        OK(tpm_ak_create(h.tpm, h.ek, TPM_AK_P256, &blob, &err));
        OK(tpm_ak_load(h.tpm, h.ek, &blob, &ak, &err));
        OK(tpm_ak_certify_counter(ak, EPOCH, view_str("challenge"), &s, &err));
        OK(tpm_attest_parse(VIEW_BUF(&s.message), &a, &err));
        assert_int_equal(a.type, ATTEST_NV);
        assert_view(a.extra_data, "challenge");
        assert_true(view_equal(a.nv.index_name, VIEW_ARRAY(h.epoch.name)));
        for (int i = 0; i < 8; i++)
                be[i] = (uint8_t)(h.epoch.value >> (56 - 8 * i));
        assert_true(view_equal(a.nv.contents, VIEW_ARRAY(be)));
        OK(tpm2b_public_parse(tpm_ak_public(ak), &public, &err));
        OK(tpm_signature_check(&public, NULL, VIEW_BUF(&s.signature), VIEW_BUF(&s.message), &good, &err));
        assert_true(good);
        tpm_signed_done(&s);
        tpm_ak_free(ak);
        tpm_ak_blob_done(&blob);
        host_free(&h);
}

/* ---- policies in software */

static void same_as_tpm(struct tpm *tpm, ESYS_TR session, const struct digest *ours, const char *what)
{
        struct err err = ERR_INIT;
        struct digest theirs;

        OK(tpm_policy_digest(tpm, session, &theirs, &err));
        if (!digest_equal(ours, &theirs))
                fail_msg("%s: not what the TPM computes", what);
}

static void software_computes_what_a_tpm_does(void **state)
{
        static const uint8_t owner[] = {0x40, 0, 0, 1};
        struct err err = ERR_INIT;
        struct host h = host_new(TPM_EK_P256);
        struct tpm_handle trial = {0};
        struct digest d, pcrs = pcrs_now(h.tpm, PCRS), branches[2];
        struct view ref = digest_view(&h.ref);
        uint8_t name[TPM_KEY_NAME_BYTES];
        TPML_DIGEST list = {.count = 2};
        TPM2B_NAME entity = {.size = TPM_KEY_NAME_BYTES};
        TPM2B_DIGEST approved = {.size = 32};
        TPM2B_NONCE policy_ref = {.size = (UINT16)ref.len};
        TPMT_TK_VERIFIED ticket = {.tag = TPM2_ST_VERIFIED, .hierarchy = TPM2_RH_NULL};
        ESYS_CONTEXT *esys = h.tpm->esys;
        AUTO(buf_free)
        struct buf sig = {0};

        (void)state;
        digest_zero(DIGEST_SHA256, &d);
        OK(tpm_policy_trial(h.tpm, &trial, &err));
        OK(tpm_policy_pcr(h.tpm, trial.handle, DIGEST_SHA256, PCRS, digest_view(&pcrs), &err));
        OK(authpolicy_pcr(&d, DIGEST_SHA256, PCRS, digest_view(&pcrs), &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicyPCR");
        OK(tpm_policy_counter(h.tpm, trial.handle, FLOOR, 77, TPM2_EO_UNSIGNED_LE, &err));
        OK(authpolicy_counter(&d, VIEW_ARRAY(h.floor.name), 77, EO_UNSIGNED_LE, &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicyNV");
        OK(tpm_key_sign(h.release.key, view_str("not checked in a trial"), &sig, &err));
        OK(tpm_policy_signed(h.tpm, trial.handle, h.release.public, VIEW_NONE, 0, digest_view(&h.release_ref),
                             VIEW_BUF(&sig), &err));
        OK(tpm_key_name(h.release.public, name, &err));
        OK(authpolicy_signed(&d, VIEW_ARRAY(name), digest_view(&h.release_ref), &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicySigned");
        assert_int_equal(Esys_PolicySecret(esys, ESYS_TR_RH_OWNER, trial.handle, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL),
                         0);
        OK(authpolicy_secret(&d, VIEW_ARRAY(owner), VIEW_NONE, &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicySecret");
        assert_int_equal(Esys_PolicyAuthValue(esys, trial.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
        OK(authpolicy_auth_value(&d, &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicyAuthValue");
        branches[0] = h.ref;
        branches[1] = d;
        for (size_t i = 0; i < 2; i++) {
                list.digests[i].size = 32;
                memcpy(list.digests[i].buffer, branches[i].b, 32);
        }
        assert_int_equal(Esys_PolicyOR(esys, trial.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &list),
                         0);
        OK(authpolicy_or(&d, branches, 2, &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicyOR");
        assert_int_equal(Esys_PolicyCommandCode(esys, trial.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                TPM2_CC_Unseal),
                         0);
        OK(authpolicy_command_code(&d, CC_UNSEAL, &err));
        same_as_tpm(h.tpm, trial.handle, &d, "PolicyCommandCode");
        for (int levels = 0; levels < 2; levels++) {
                OK(tpm_key_name(levels ? h.root.public : h.approval.public, entity.name, &err));
                memcpy(approved.buffer, d.b, 32);
                memcpy(policy_ref.buffer, ref.p, ref.len);
                assert_int_equal(Esys_PolicyAuthorize(esys, trial.handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                                      ESYS_TR_NONE, &approved, &policy_ref, &entity, &ticket),
                                 0);
                OK(authpolicy_authorize(&d, VIEW(entity.name, entity.size), ref, &err));
                same_as_tpm(h.tpm, trial.handle, &d, "PolicyAuthorize");
        }
        tpm_handle_done(&trial);
        host_free(&h);
}

static void a_key_has_the_name_that_tools_give_it(void **state)
{
        (void)state;
        for (int rsa = 0; rsa < 2; rsa++) {
                struct err err = ERR_INIT;
                struct signer s = signer_new(rsa);
                char *pem = NULL, path[64], line[256];
                uint8_t name[TPM_KEY_NAME_BYTES], theirs[TPM_KEY_NAME_BYTES] = {0};
                FILE *f;

                OK(pubkey_pem(s.public, &pem, &err));
                (void)snprintf(path, sizeof(path), "%s/k.pem", emulator.dir);
                f = fopen(path, "w");
                assert_non_null(f);
                (void)fputs(pem, f);
                (void)fclose(f);
                (void)snprintf(
                        line, sizeof(line),
                        "tpm2_loadexternal -C o -G %s -u k.pem -c k.ctx -n k.name; tpm2_flushcontext -t",
                        rsa ? "rsa" : "ecc");
                assert_int_equal(swtpm_tool(&emulator, line), 0);
                (void)snprintf(path, sizeof(path), "%s/k.name", emulator.dir);
                f = fopen(path, "r");
                assert_non_null(f);
                assert_int_equal(fread(theirs, 1, sizeof(theirs), f), sizeof(theirs));
                (void)fclose(f);
                OK(tpm_key_name(s.public, name, &err));
                assert_memory_equal(name, theirs, sizeof(name));
                free(pem);
                signer_free(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counters_only_go_up),
                cmocka_unit_test(a_changed_counter_is_seen),
                cmocka_unit_test(a_set_owner_password_is_used),
                cmocka_unit_test(the_ak_certifies_a_counter),
                cmocka_unit_test(software_computes_what_a_tpm_does),
                cmocka_unit_test(a_key_has_the_name_that_tools_give_it),
        };

        return cmocka_run_group_tests(tests, seal_setup, seal_teardown);
}
