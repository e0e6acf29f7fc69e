/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, approvals, delegations: what is read is what was signed, and nothing else. */
#include "support/support.h"

#include "base/json.h"
#include "crypto/import_blob.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "wire/approval.h"
#include "wire/secret_file.h"

#define VERIFIER "4b1f1c9e-52a7-4c0e-9e57-0a8b6a7c1d2f"
#define CREATED  1795300871123

/* One bit of each byte: each_bit_flip() of documents of this size takes a quarter of a minute. */
static void each_byte_flip(struct view v, try_fn *try, void *ctx)
{
        uint8_t *copy = mem_dup(v.p, v.len);
        char what[64];

        assert_non_null(copy);
        for (size_t i = 0; i < v.len; i++) {
                uint8_t bit = (uint8_t)(1u << (i % 8));

                copy[i] ^= bit;
                (void)snprintf(what, sizeof(what), "byte %zu with 0x%02x flipped", i, bit);
                try(VIEW(copy, v.len), what, ctx);
                copy[i] ^= bit;
        }
        free(copy);
}

/* An owner with a root, a host's EK and counters: all of it software. */
struct world {
        struct key *root, *key, *ek, *agent, *release;
        struct pubkey *ek_public, *agent_public, *release_public;
        struct delegation delegation;
        struct tpm_name epoch, floor;
};

static void world_make(struct world *w)
{
        const struct secret_scope scope = {.tenant = "acme", .class = "model"};
        struct key **const keys[] = {&w->root, &w->key, &w->ek, &w->agent, &w->release};
        struct err err = ERR_INIT;
        struct pubkey *public = NULL;

        memset(w, 0, sizeof(*w));
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
                assert_ok(key_generate_ec(CURVE_P256, keys[i], &err), &err);
        assert_ok(key_public(w->ek, &w->ek_public, &err), &err);
        assert_ok(key_public(w->agent, &w->agent_public, &err), &err);
        assert_ok(key_public(w->release, &w->release_public, &err), &err);
        assert_ok(key_public(w->key, &public, &err), &err);
        assert_ok(delegation_make(&scope, w->root, public, &w->delegation, &err), &err);
        assert_ok(sealed_counter_name(SEAL_NV_EPOCH, w->agent_public, &w->epoch, &err), &err);
        assert_ok(sealed_counter_name(SEAL_NV_FLOOR, w->agent_public, &w->floor, &err), &err);
        pubkey_free(public);
}

static void world_done(struct world *w)
{
        key_free(w->root);
        key_free(w->key);
        key_free(w->ek);
        key_free(w->agent);
        key_free(w->release);
        pubkey_free(w->ek_public);
        pubkey_free(w->agent_public);
        pubkey_free(w->release_public);
        delegation_done(&w->delegation);
}

static struct owner owner_copy(const struct world *w, bool root)
{
        struct err err = ERR_INIT;
        struct owner o = {0};

        assert_ok(key_public(w->key, &o.key, &err), &err);
        if (root) {
                assert_ok(key_public(w->root, &o.root, &err), &err);
                buf_put_view(&o.delegation, VIEW_BUF(&w->delegation.owner.delegation));
        }
        return o;
}

/* ---- approvals ---- */

static void sign_brackets(const struct world *w, struct approval *a)
{
        struct err err = ERR_INIT;
        struct digest ref;

        assert_ok(approval_rebuild(a, &err), &err);
        assert_ok(secret_scope_ref(&a->scope, &ref, &err), &err);
        for (size_t i = 0; i < a->n_brackets; i++) {
                struct buf message = {0};

                buf_free(&a->brackets[i].signature);
                seal_approval_message(&a->brackets[i].digest, digest_view(&ref), &message);
                assert_ok(tpm_key_sign(w->key, VIEW_BUF(&message), &a->brackets[i].signature, &err), &err);
                buf_free(&message);
        }
}

static void make_approval(const struct world *w, bool local, struct approval *ret)
{
        struct err err = ERR_INIT;
        struct approval a = {.scope = {.tenant = "acme", .class = "model", .host = "web-1"},
                             .owner = owner_copy(w, true),
                             .pcrs = {DIGEST_SHA256, 1u << 7 | 1u << 15},
                             .floor_index = SEAL_NV_FLOOR,
                             .floor_name = w->floor,
                             .version = 7,
                             .n_brackets = 3,
                             .created_at_ms = CREATED};

        a.brackets = mem_zalloc(3, sizeof(*a.brackets));
        for (uint8_t i = 0; i < 3; i++)
                assert_ok(digest_bytes(DIGEST_SHA256, VIEW(&i, 1), &a.brackets[i].pcr_digest, &err), &err);
        a.brackets[1].note = str_dup("llama 1.2.0");
        a.policy = str_dup("prod");
        if (!local) {
                assert_ok(key_public(w->release, &a.release_key, &err), &err);
                memcpy(a.verifier, VERIFIER, sizeof(a.verifier));
        }
        sign_brackets(w, &a);
        *ret = a;
}

static void an_approval_is_read_as_it_was_written(void **state)
{
        struct err err = ERR_INIT;
        struct world w;

        (void)state;
        world_make(&w);
        for (int local = 0; local < 2; local++) {
                struct approval a, back;
                struct buf text = {0}, again = {0};
                bool good = false;

                make_approval(&w, local, &a);
                assert_ok(approval_encode(&a, &text, &err), &err);
                assert_ok(approval_decode(VIEW_BUF(&text), &back, &err), &err);
                assert_ok(approval_check(&back, &good, &err), &err);
                assert_true(good);
                assert_string_equal(back.id, a.id);
                assert_int_equal(strlen(back.id), APPROVAL_ID_CHARS);
                assert_string_equal(back.scope.class, "model");
                assert_string_equal(back.policy, "prod");
                assert_string_equal(back.verifier, local ? "" : VERIFIER);
                assert_true((back.release_key == NULL) == local);
                assert_true(pubkey_equal(owner_authority(&back.owner), w.delegation.owner.root));
                assert_int_equal(back.version, 7);
                assert_ptr_equal(approval_find(&back, digest_view(&a.brackets[2].digest)), &back.brackets[2]);
                assert_ptr_equal(approval_find_pcrs(&back, &a.brackets[1].pcr_digest), &back.brackets[1]);
                assert_null(approval_find(&back, digest_view(&a.brackets[2].pcr_digest)));
                assert_ok(approval_encode(&back, &again, &err), &err);
                assert_true(view_equal(VIEW_BUF(&text), VIEW_BUF(&again)));
                buf_free(&text);
                buf_free(&again);
                approval_done(&back);
                approval_done(&a);
        }
        world_done(&w);
}

/* What a TPM is asked for is in the bracket: another host, floor, version or release key is another one. */
static void an_approval_is_for_one_thing(void **state)
{
        struct err err = ERR_INIT;
        struct world w;
        struct approval a;
        struct digest was, ref;
        struct pubkey *release;

        (void)state;
        world_make(&w);
        make_approval(&w, false, &a);
        was = a.brackets[0].digest;
        a.version++;
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_false(digest_equal(&was, &a.brackets[0].digest));
        a.version--;
        memcpy(a.scope.host, "web-2", 6); /* the release names the host */
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_false(digest_equal(&was, &a.brackets[0].digest));
        memcpy(a.scope.host, "web-1", 6);
        release = a.release_key;
        a.release_key = NULL;
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_false(digest_equal(&was, &a.brackets[0].digest));
        a.release_key = release;
        a.floor_name.b[5] ^= 1;
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_false(digest_equal(&was, &a.brackets[0].digest));
        a.floor_name.b[5] ^= 1;
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_true(digest_equal(&was, &a.brackets[0].digest));
        /* a class of the same brackets is another approval: its policyRef is signed */
        assert_ok(secret_scope_ref(&a.scope, &ref, &err), &err);
        memcpy(a.scope.class, "mouse", 6);
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_true(digest_equal(&was, &a.brackets[0].digest));
        {
                bool good = true;

                assert_ok(approval_check(&a, &good, &err), &err);
                assert_false(good);
        }
        approval_done(&a);
        world_done(&w);
}

/*
 * SR-7: a bracket that would let the object be duplicated. The owner may even have signed it: what is signed
 * has to be what the parts make, and no parts make this.
 */
static void an_approval_of_duplication_is_refused(void **state)
{
        struct err err = ERR_INIT;
        struct buf text = {0}, message = {0};
        struct approval a, back;
        struct digest ref;
        struct world w;

        (void)state;
        world_make(&w);
        make_approval(&w, false, &a);
        assert_ok(authpolicy_command_code(&a.brackets[1].digest, CC_DUPLICATE, &err), &err);
        assert_ok(secret_scope_ref(&a.scope, &ref, &err), &err);
        seal_approval_message(&a.brackets[1].digest, digest_view(&ref), &message);
        buf_reset(&a.brackets[1].signature);
        assert_ok(tpm_key_sign(w.key, VIEW_BUF(&message), &a.brackets[1].signature, &err), &err);
        assert_ok(approval_encode(&a, &text, &err), &err);
        POISON(back);
        assert_err(approval_decode(VIEW_BUF(&text), &back, &err), ERR_FORMAT, &err, "not that of its parts");
        assert_poisoned(back);
        buf_free(&text);
        buf_free(&message);
        approval_done(&a);
        world_done(&w);
}

static void a_flipped_approval(struct view v, const char *what, void *ctx)
{
        const struct approval *real = ctx;
        struct err err = ERR_INIT;
        struct approval a;
        bool good = false;

        POISON(a);
        if (approval_decode(v, &a, &err) < 0) {
                assert_poisoned(a);
                return;
        }
        assert_ok(approval_check(&a, &good, &err), &err);
        /* the members for people, and the index that goes with the floor's name, are not signed */
        if (good && (strcmp(a.id, real->id) != 0 || strcmp(a.scope.host, real->scope.host) != 0 ||
                     strcmp(a.scope.class, real->scope.class) != 0 || a.version != real->version ||
                     a.n_brackets != real->n_brackets))
                fail_msg("%s: another approval is good", what);
        approval_done(&a);
}

static void an_approval_cut_or_flipped_says_nothing_else(void **state)
{
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct approval a;
        struct world w;

        (void)state;
        world_make(&w);
        make_approval(&w, false, &a);
        assert_ok(approval_encode(&a, &text, &err), &err);
        each_truncation(VIEW_BUF(&text), a_flipped_approval, &a);
        each_byte_flip(VIEW_BUF(&text), a_flipped_approval, &a);
        buf_free(&text);
        approval_done(&a);
        world_done(&w);
}

/* A member of a document that is well formed is set to something else. TEXT is changed. */
static char *with(const struct buf *text, const char *member, const char *json)
{
        struct err err = ERR_INIT;
        json_t *j = NULL, *value = NULL;
        char *changed;

        assert_ok(json_parse(VIEW_BUF(text), 1 << 20, &j, &err), &err);
        if (json) {
                value = json_loads(json, JSON_DECODE_ANY, NULL);
                assert_non_null(value);
                assert_int_equal(json_object_set_new(j, member, value), 0);
        } else {
                assert_int_equal(json_object_del(j, member), 0);
        }
        changed = json_print(j);
        assert_non_null(changed);
        json_decref(j);
        return changed;
}

static void approvals_that_are_none(void **state)
{
        static const struct {
                const char *member, *json, *says;
        } cases[] = {
                {"schema", "\"avow.approval/2\"", "avow.approval/1"},
                {"id", "\"00000000000000000000000000000000\"", "id"},
                {"host", "\"..\"", "host"},
                {"host", NULL, "host"},
                {"class", "\"\"", "class"},
                {"release", NULL, "release"},
                {"release", "\"local\"", "object"},
                {"pcrs", "{\"sha1\":[15]}", NULL},
                {"pcrs", "{\"sha256\":[]}", NULL},
                {"brackets", "[]", "nothing is approved"},
                {"floor", "{\"index\":25231617,\"name\":\"000b\",\"version\":1}", "34 bytes"},
                {"floor", "{\"index\":1,\"name\":\"000b\",\"version\":1}", "index"},
                {"more", "1", "more"},
        };
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct approval a, back;
        struct world w;

        (void)state;
        world_make(&w);
        make_approval(&w, false, &a);
        assert_ok(approval_encode(&a, &text, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                char *changed = with(&text, cases[i].member, cases[i].json);

                POISON(back);
                assert_err(approval_decode(view_str(changed), &back, &err), ERR_FORMAT, &err, cases[i].says);
                assert_poisoned(back);
                free(changed);
        }
        buf_free(&text);
        approval_done(&a);
        world_done(&w);
}

/* ---- secrets ---- */

static void put_object(const struct world *w, const struct digest *policy, struct view plain,
                       struct secret_file *f)
{
        const struct credential_ek ek = {w->ek_public, DIGEST_SHA256, 128};
        struct err err = ERR_INIT;
        struct import_blob blob = {0};
        struct tss2_key key = {.type = TSS2_SEALED, .parent = TPM_ENDORSEMENT};
        struct buf pem = {0};

        assert_ok(import_blob_make(&ek, plain, policy, &blob, &err), &err);
        key.public_area = VIEW_BUF(&blob.public_area);
        key.private_area = VIEW_BUF(&blob.duplicate);
        key.secret = VIEW_BUF(&blob.seed);
        assert_ok(tss2_pem_write(&key, &pem, &err), &err);
        f->object = buf_take_str(&pem);
        assert_non_null(f->object);
        import_blob_done(&blob);
}

static void sign_secret(const struct world *w, struct secret_file *f)
{
        struct err err = ERR_INIT;
        struct buf message = {0};

        buf_free(&f->signature);
        assert_ok(secret_file_message(f, &message, &err), &err);
        assert_ok(tpm_key_sign(w->key, VIEW_BUF(&message), &f->signature, &err), &err);
        buf_free(&message);
}

static void make_secret(const struct world *w, struct view payload, struct secret_file *ret)
{
        struct secret_file f = {.name = "api-key",
                                .scope = {.tenant = "acme", .class = "model", .host = "web-1"},
                                .version = 3,
                                .created_at_ms = CREATED,
                                .kind = SEALED_CHAIN,
                                .owner = owner_copy(w, true),
                                .epoch_index = SEAL_NV_EPOCH,
                                .epoch_name = w->epoch,
                                .epoch = 12};
        struct err err = ERR_INIT;
        struct secret key = {0};
        struct digest ref, policy;

        assert_ok(secret_scope_ref(&f.scope, &ref, &err), &err);
        assert_ok(seal_policy(owner_authority(&f.owner), digest_view(&ref), tpm_name_view(&w->epoch), 12,
                              &policy, &err),
                  &err);
        if (payload.len)
                assert_ok(secret_payload_seal(&f, payload, &key, &err), &err);
        put_object(w, &policy, payload.len ? VIEW(key.p, key.len) : view_str("open sesame"), &f);
        assert_ok(secret_file_rebuild(&f, &err), &err);
        sign_secret(w, &f);
        secret_free(&key);
        *ret = f;
}

static void a_secret_is_read_as_it_was_written(void **state)
{
        struct err err = ERR_INIT;
        struct buf text = {0}, again = {0};
        struct secret_file f, back;
        struct world w;
        bool good = false;

        (void)state;
        world_make(&w);
        make_secret(&w, VIEW_NONE, &f);
        assert_ok(secret_file_encode(&f, &text, &err), &err);
        assert_ok(secret_file_decode(VIEW_BUF(&text), &back, &err), &err);
        assert_ok(secret_file_check(&back, &good, &err), &err);
        assert_true(good);
        assert_int_equal(back.kind, SEALED_CHAIN);
        assert_true(back.revocable);
        assert_false(back.release_local);
        assert_string_equal(back.name, "api-key");
        assert_int_equal(back.version, 3);
        assert_int_equal(back.epoch, 12);
        assert_int_equal(back.epoch_index, SEAL_NV_EPOCH);
        assert_int_equal(back.key.type, TSS2_SEALED);
        assert_ok(secret_file_encode(&back, &again, &err), &err);
        assert_true(view_equal(VIEW_BUF(&text), VIEW_BUF(&again)));
        assert_null(memmem(text.p, text.len, "open sesame", 11));
        buf_free(&text);
        buf_free(&again);
        secret_file_done(&back);
        secret_file_done(&f);
        world_done(&w);
}

static void a_changed_secret(struct view v, const char *what, void *ctx)
{
        const struct buf *original = ctx;
        struct err err = ERR_INIT;
        struct secret_file f;
        struct buf again = {0};
        bool good = false;

        POISON(f);
        if (secret_file_decode(v, &f, &err) < 0) {
                assert_poisoned(f);
                return;
        }
        assert_ok(secret_file_check(&f, &good, &err), &err);
        /* another spelling of the same: the T and Z of a time may be small */
        assert_ok(secret_file_encode(&f, &again, &err), &err);
        if (good && !view_equal(VIEW_BUF(&again), VIEW_BUF(original)))
                fail_msg("%s: the owner's signature is good for it", what);
        buf_free(&again);
        secret_file_done(&f);
}

/* Every bit of it is signed. */
static void a_secret_cut_or_flipped_is_not_the_owners(void **state)
{
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct secret_file f;
        struct world w;

        (void)state;
        world_make(&w);
        make_secret(&w, view_str("a larger one"), &f);
        assert_ok(secret_file_encode(&f, &text, &err), &err);
        each_truncation(VIEW_BUF(&text), a_changed_secret, &text);
        each_byte_flip(VIEW_BUF(&text), a_changed_secret, &text);
        buf_free(&text);
        secret_file_done(&f);
        world_done(&w);
}

/* SR-6: what the document says of its object is computed, not believed. */
static void what_cannot_be_rebuilt_is_refused(void **state)
{
        static const struct {
                const char *member, *json, *says;
        } cases[] = {
                {"revocable", "false", "its object says yes"},
                {"class", "\"other\"", "rebuilt"},
                {"host_only", "true", "rebuilt"},
                {"kind", "\"pcr\"", "opens locally"},
                {"kind", "\"none\"", "chain or pcr"},
                {"release", "\"never\"", "verifier or local"},
                {"epoch", NULL, "epoch"},
                {"pcrs", "{\"sha256\":[15]}", "approvals"},
                {"object", "\"hello\"", "TSS2"},
                {"version", "0", "version"},
                {"name", "\"a/b\"", "name"},
                {"schema", "\"avow.secret/9\"", "avow.secret/1"},
        };
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct secret_file f, back;
        struct world w;

        (void)state;
        world_make(&w);
        make_secret(&w, VIEW_NONE, &f);
        assert_ok(secret_file_encode(&f, &text, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                char *changed = with(&text, cases[i].member, cases[i].json);

                POISON(back);
                assert_err(secret_file_decode(view_str(changed), &back, &err), ERR_FORMAT, &err,
                           cases[i].says);
                assert_poisoned(back);
                free(changed);
        }
        f.epoch++; /* sealed in another epoch than it says */
        assert_err(secret_file_rebuild(&f, &err), ERR_FORMAT, &err, "rebuilt");
        buf_free(&text);
        secret_file_done(&f);
        world_done(&w);
}

static void a_plain_object_is_not_revocable(void **state)
{
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct secret_file f = {.name = "old",
                                .scope = {.tenant = "acme", .class = "model", .host = "web-1"},
                                .version = 1,
                                .kind = SEALED_PCR,
                                .release_local = true,
                                .pcrs = {DIGEST_SHA256, 1u << 15}},
                           back;
        struct digest policy;
        struct world w;
        bool good = false;

        (void)state;
        world_make(&w);
        f.owner = owner_copy(&w, false);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("values"), &f.pcr_digest, &err), &err);
        digest_zero(DIGEST_SHA256, &policy);
        assert_ok(authpolicy_pcr(&policy, DIGEST_SHA256, 1u << 15, digest_view(&f.pcr_digest), &err), &err);
        put_object(&w, &policy, view_str("x"), &f);
        assert_ok(secret_file_rebuild(&f, &err), &err);
        assert_false(f.revocable);
        sign_secret(&w, &f);
        assert_ok(secret_file_encode(&f, &text, &err), &err);
        assert_ok(secret_file_decode(VIEW_BUF(&text), &back, &err), &err);
        assert_int_equal(back.kind, SEALED_PCR);
        assert_false(back.revocable);
        assert_ok(secret_file_check(&back, &good, &err), &err);
        assert_true(good);
        {
                char *lie = with(&text, "revocable", "true");

                POISON(good);
                secret_file_done(&back);
                assert_err(secret_file_decode(view_str(lie), &back, &err), ERR_FORMAT, &err, "says no");
                free(lie);
        }
        buf_free(&text);
        secret_file_done(&f);
        world_done(&w);
}

static void larger_secrets_belong_to_their_document(void **state)
{
        struct err err = ERR_INIT;
        static uint8_t large[SECRET_PAYLOAD_MAX + 1];
        const size_t sizes[] = {1, 129, SECRET_PAYLOAD_MAX};
        struct secret_file f = {.name = "k", .scope = {.tenant = "acme", .host = "web-1"}, .version = 1};
        struct secret key = {0}, plain = {0};

        (void)state;
        memset(large, 0x5a, sizeof(large));
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
                assert_ok(secret_payload_seal(&f, VIEW(large, sizes[i]), &key, &err), &err);
                assert_ok(secret_payload_open(&f, VIEW(key.p, key.len), &plain, &err), &err);
                assert_int_equal(plain.len, sizes[i]);
                assert_memory_equal(plain.p, large, sizes[i]);
                secret_free(&plain);
                f.version++; /* not the payload of another version, nor for another key */
                assert_err(secret_payload_open(&f, VIEW(key.p, key.len), &plain, &err), ERR_CRYPTO, &err,
                           "payload");
                f.version--;
                key.p[3] ^= 1;
                assert_err(secret_payload_open(&f, VIEW(key.p, key.len), &plain, &err), ERR_CRYPTO, &err,
                           NULL);
                assert_null(plain.p);
                assert_err(secret_payload_open(&f, VIEW(key.p, 31), &plain, &err), ERR_CRYPTO, &err, "31");
                secret_free(&key);
        }
        assert_err(secret_payload_seal(&f, VIEW_ARRAY(large), &key, &err), ERR_LIMIT, &err, "bytes");
        assert_err(secret_payload_seal(&f, VIEW_NONE, &key, &err), ERR_LIMIT, &err, "0 bytes");
        buf_free(&f.payload);
        assert_err(secret_payload_open(&f, VIEW(large, 32), &plain, &err), ERR_FORMAT, &err, "no message");
}

/* ---- delegations ---- */

static void a_root_vouches_for_one_class(void **state)
{
        struct err err = ERR_INIT;
        struct delegation back;
        struct digest ref;
        struct buf text = {0};
        struct world w;
        char *changed;
        bool good = false;

        (void)state;
        world_make(&w);
        assert_ok(delegation_encode(&w.delegation, &text, &err), &err);
        assert_ok(delegation_decode(VIEW_BUF(&text), &back, &err), &err);
        assert_string_equal(back.scope.class, "model");
        assert_ok(secret_scope_ref(&back.scope, &ref, &err), &err);
        assert_ok(owner_check(&back.owner, &ref, &good, &err), &err);
        assert_true(good);
        assert_ok(seal_policy_ref("acme", "other", NULL, &ref, &err), &err);
        assert_ok(owner_check(&back.owner, &ref, &good, &err), &err);
        assert_false(good);
        delegation_done(&back);
        changed = with(&text, "class", "\"other\"");
        POISON(back);
        assert_err(delegation_decode(view_str(changed), &back, &err), ERR_CRYPTO, &err, "root");
        assert_poisoned(back);
        free(changed);
        changed = with(&text, "host", "\"web-1\"");
        assert_err(delegation_decode(view_str(changed), &back, &err), ERR_CRYPTO, &err, "root");
        free(changed);
        /* a root that vouches for itself is none */
        assert_err(delegation_make(&w.delegation.scope, w.root, w.delegation.owner.root, &back, &err),
                   ERR_CONFIG, &err, "itself");
        buf_free(&text);
        world_done(&w);
}

/* ---- out of memory ---- */

struct texts {
        struct buf approval, secret, delegation;
};

static int read_all(void *ctx, struct err *err)
{
        const struct texts *t = ctx;
        struct delegation d = {0};
        struct secret_file f = {0};
        struct approval a = {0};
        struct buf out = {0};
        bool good;
        int r = approval_decode(VIEW_BUF(&t->approval), &a, err);

        if (r >= 0)
                r = secret_file_decode(VIEW_BUF(&t->secret), &f, err);
        if (r >= 0)
                r = delegation_decode(VIEW_BUF(&t->delegation), &d, err);
        if (r >= 0)
                r = approval_check(&a, &good, err);
        if (r >= 0)
                r = secret_file_check(&f, &good, err);
        if (r >= 0)
                r = approval_encode(&a, &out, err);
        if (r >= 0)
                r = secret_file_encode(&f, &out, err);
        approval_done(&a);
        secret_file_done(&f);
        delegation_done(&d);
        buf_free(&out);
        return r;
}

static void out_of_memory(void **state)
{
        struct err err = ERR_INIT;
        struct texts t = {0};
        struct secret_file f;
        struct approval a;
        struct world w;

        (void)state;
        world_make(&w);
        make_approval(&w, false, &a);
        make_secret(&w, view_str("more"), &f);
        assert_ok(approval_encode(&a, &t.approval, &err), &err);
        assert_ok(secret_file_encode(&f, &t.secret, &err), &err);
        assert_ok(delegation_encode(&w.delegation, &t.delegation, &err), &err);
        oom_any(read_all, &t);
        buf_free(&t.approval);
        buf_free(&t.secret);
        buf_free(&t.delegation);
        approval_done(&a);
        secret_file_done(&f);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_approval_is_read_as_it_was_written),
                cmocka_unit_test(an_approval_is_for_one_thing),
                cmocka_unit_test(an_approval_of_duplication_is_refused),
                cmocka_unit_test(an_approval_cut_or_flipped_says_nothing_else),
                cmocka_unit_test(approvals_that_are_none),
                cmocka_unit_test(a_secret_is_read_as_it_was_written),
                cmocka_unit_test(a_secret_cut_or_flipped_is_not_the_owners),
                cmocka_unit_test(what_cannot_be_rebuilt_is_refused),
                cmocka_unit_test(a_plain_object_is_not_revocable),
                cmocka_unit_test(larger_secrets_belong_to_their_document),
                cmocka_unit_test(a_root_vouches_for_one_class),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
