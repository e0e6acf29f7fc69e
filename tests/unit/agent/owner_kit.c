/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/owner_kit.h"

#include "support/support.h"

#include "crypto/import_blob.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "evidence/tpm_public.h"
#include "tpm/pcrs.h"
#include "tpm/seal.h"

#define PARENT_EK    0x4000000bu
#define PARENT_OWNER 0x40000001u
#define PCRS         (1u << 15)
#define CREATED      1795300871123

void kit_make(struct kit *k, struct half *half)
{
        struct err err = ERR_INIT;

        *k = (struct kit){.half = half};
        assert_ok(key_generate_ec(CURVE_P256, &k->owner, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &k->release, &err), &err);
}

void kit_done(struct kit *k)
{
        key_free(k->owner);
        key_free(k->release);
}

static struct digest pcrs_now(struct tpm *tpm, uint32_t mask)
{
        struct pcr_values values = {.bank = DIGEST_SHA256, .mask = mask};
        struct tpm_pcr_values now;
        struct err err = ERR_INIT;
        struct digest d;

        assert_ok(tpm_pcrs_read(tpm, DIGEST_SHA256, mask, &now, &err), &err);
        memcpy(values.v, now.value, sizeof(values.v));
        assert_ok(pcr_values_digest(&values, mask, DIGEST_SHA256, &d, &err), &err);
        return d;
}

static struct secret_file blank(const struct kit *k, const char *name)
{
        struct secret_file f = {
                .scope = {.tenant = "acme", .class = "model"}, .version = 1, .created_at_ms = CREATED};
        struct err err = ERR_INIT;

        memcpy(f.name, name, strlen(name) + 1);
        memcpy(f.scope.host, KIT_HOST, sizeof(KIT_HOST));
        assert_ok(key_public(k->owner, &f.owner.key, &err), &err);
        return f;
}

static void finish(const struct kit *k, struct secret_file *f, struct buf *ret)
{
        struct buf message = {0};
        struct err err = ERR_INIT;

        assert_ok(secret_file_rebuild(f, &err), &err);
        assert_ok(secret_file_message(f, &message, &err), &err);
        assert_ok(tpm_key_sign(k->owner, VIEW_BUF(&message), &f->signature, &err), &err);
        assert_ok(secret_file_encode(f, ret, &err), &err);
        buf_free(&message);
        secret_file_done(f);
}

static char *pem_of(const struct tss2_key *key)
{
        struct buf pem = {0};
        struct err err = ERR_INIT;
        char *text;

        assert_ok(tss2_pem_write(key, &pem, &err), &err);
        text = buf_take_str(&pem);
        assert_non_null(text);
        return text;
}

static void put_object(const struct kit *k, struct view plain, const struct digest *policy,
                       struct secret_file *f)
{
        struct credential_ek ek = {NULL, DIGEST_SHA256, 128};
        struct tss2_key key = {.type = TSS2_SEALED, .parent = PARENT_EK};
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct import_blob blob = {0};
        struct tpm_public area;
        struct err err = ERR_INIT;

        assert_ok(tpm2b_public_parse(VIEW_BUF(&k->half->id.ek_public), &area, &err), &err);
        assert_ok(tpm_public_key(&area, &public, &err), &err);
        ek.key = public;
        assert_ok(import_blob_make(&ek, plain, policy, &blob, &err), &err);
        key.public_area = VIEW_BUF(&blob.public_area);
        key.private_area = VIEW_BUF(&blob.duplicate);
        key.secret = VIEW_BUF(&blob.seed);
        f->object = pem_of(&key);
        import_blob_done(&blob);
}

void kit_secret(const struct kit *k, const char *name, struct view plain, bool local, struct buf *ret)
{
        struct secret_file f = blank(k, name);
        struct secret key = {0};
        struct digest ref, policy;
        struct err err = ERR_INIT;

        f.kind = SEALED_CHAIN;
        f.release_local = local;
        f.epoch_index = SEAL_NV_EPOCH;
        f.epoch_name.len = sizeof(k->half->counters.epoch.name);
        memcpy(f.epoch_name.b, k->half->counters.epoch.name, f.epoch_name.len);
        f.epoch = k->half->counters.epoch.value;
        assert_ok(secret_scope_ref(&f.scope, &ref, &err), &err);
        assert_ok(seal_policy(f.owner.key, digest_view(&ref), tpm_name_view(&f.epoch_name), f.epoch, &policy,
                              &err),
                  &err);
        if (plain.len > TPM_SEAL_BYTES_MAX)
                assert_ok(secret_payload_seal(&f, plain, &key, &err), &err);
        put_object(k, key.len ? VIEW(key.p, key.len) : plain, &policy, &f);
        secret_free(&key);
        finish(k, &f, ret);
}

void kit_plain(const struct kit *k, struct tpm *tpm, const char *name, struct view plain, struct buf *ret)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        AUTO(tpm_sealed_done) struct tpm_sealed sealed = {0};
        struct secret_file f = blank(k, name);
        struct tss2_key key = {.type = TSS2_SEALED, .parent = PARENT_OWNER};
        struct err err = ERR_INIT;

        f.kind = SEALED_PCR;
        f.release_local = true;
        f.pcrs = (struct pcr_selection){DIGEST_SHA256, 1u << 7};
        f.pcr_digest = pcrs_now(tpm, 1u << 7);
        assert_ok(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err), &err);
        assert_ok(tpm_seal_pcr(tpm, ek, PARENT_OWNER, plain, DIGEST_SHA256, 1u << 7, &sealed, &err), &err);
        key.public_area = VIEW_BUF(&sealed.public_area);
        key.private_area = VIEW_BUF(&sealed.private_area);
        f.object = pem_of(&key);
        finish(k, &f, ret);
}

void kit_approval(const struct kit *k, uint64_t version, bool local, bool other, struct buf *ret)
{
        struct approval a = {.scope = {.tenant = "acme", .class = "model"},
                             .pcrs = {DIGEST_SHA256, PCRS},
                             .floor_index = SEAL_NV_FLOOR,
                             .version = version,
                             .n_brackets = 1,
                             .created_at_ms = CREATED};
        struct buf message = {0};
        struct err err = ERR_INIT;
        struct digest ref;

        memcpy(a.scope.host, KIT_HOST, sizeof(KIT_HOST));
        a.floor_name.len = sizeof(k->half->counters.floor.name);
        memcpy(a.floor_name.b, k->half->counters.floor.name, a.floor_name.len);
        assert_ok(key_public(k->owner, &a.owner.key, &err), &err);
        a.brackets = mem_zalloc(1, sizeof(*a.brackets));
        assert_non_null(a.brackets);
        a.brackets[0].pcr_digest = pcrs_now(k->half->tpm, PCRS);
        a.brackets[0].pcr_digest.b[0] ^= other;
        if (!local) {
                assert_ok(key_public(k->release, &a.release_key, &err), &err);
                memcpy(a.verifier, KIT_VERIFIER, sizeof(a.verifier));
        }
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_ok(secret_scope_ref(&a.scope, &ref, &err), &err);
        seal_approval_message(&a.brackets[0].digest, digest_view(&ref), &message);
        assert_ok(tpm_key_sign(k->owner, VIEW_BUF(&message), &a.brackets[0].signature, &err), &err);
        buf_free(&message);
        assert_ok(approval_encode(&a, ret, &err), &err);
        approval_done(&a);
}

static void put_list(struct buf *ret, const char *name, const struct buf *documents, size_t n)
{
        buf_fmt(ret, "\"%s\":[", name);
        for (size_t i = 0; i < n; i++) {
                buf_str(ret, i ? "," : "");
                buf_put_view(ret, VIEW_BUF(&documents[i]));
        }
        buf_str(ret, "],");
}

void kit_set(const struct buf *secrets, size_t n_secrets, const struct buf *approvals, size_t n_approvals,
             uint64_t floor, struct buf *ret)
{
        buf_reset(ret);
        buf_str(ret, "{");
        put_list(ret, "secrets", secrets, n_secrets);
        put_list(ret, "approvals", approvals, n_approvals);
        buf_fmt(ret, "\"floor\":%llu}", (unsigned long long)floor);
        assert_true(buf_ok(ret));
}

void kit_release(const struct key *key, const char *host, struct view nonce, uint32_t lease_s,
                 struct buf *ret)
{
        struct buf message = {0};
        struct err err = ERR_INIT;
        struct digest ref;

        assert_ok(seal_release_ref(KIT_VERIFIER, host, &ref, &err), &err);
        seal_release_message(nonce, lease_s, digest_view(&ref), &message);
        assert_ok(tpm_key_sign(key, VIEW_BUF(&message), ret, &err), &err);
        buf_free(&message);
}
