/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets as they travel and lie on disks. What a document says about its object is not believed: kind and
 * `revocable` are computed from the object's public area, by rebuilding the policy from owner, class and
 * epoch (or the PCR values), and an object that opens any other way is refused here, before a TPM sees it.
 *
 * The owner signs all of it, object included, so that nobody who keeps it can put another secret under a
 * host's nose, or an old one for a new one under another name (SR-10).
 *
 * Spec: SR-1, SR-6, SR-10; docs/protocol.md, "Secrets".
 */
#include "wire/secret_file.h"

#include <string.h>

#include "base/str.h"
#include "crypto/gcm.h"
#include "crypto/random.h"
#include "evidence/seal_policy.h"
#include "wire/field.h"

#define SCHEMA        "avow.secret/1"
#define SIGN_LABEL    "avow-secret-v1"
#define PAYLOAD_LABEL "avow-secret-payload-v1"
#define PAYLOAD_BYTES (SECRET_PAYLOAD_MAX + GCM_NONCE_BYTES + GCM_TAG_BYTES)

static const char *const kinds[] = {[SEALED_CHAIN] = "chain", [SEALED_PCR] = "pcr"};

void secret_file_done(struct secret_file *f)
{
        owner_done(&f->owner);
        free(f->object);
        buf_free(&f->key_bytes);
        buf_free(&f->payload);
        buf_free(&f->signature);
        *f = (struct secret_file){0};
}

/* ---- what it is ---- */

static int candidates_of(const struct secret_file *f, struct digest *policy_ref,
                         struct sealed_candidates *ret, struct err *err)
{
        int r = secret_scope_ref(&f->scope, policy_ref, err);

        if (r < 0)
                return r;
        if (f->kind == SEALED_CHAIN)
                *ret = (struct sealed_candidates){.authority = owner_authority(&f->owner),
                                                  .policy_ref = digest_view(policy_ref),
                                                  .epoch_name = tpm_name_view(&f->epoch_name),
                                                  .epoch = f->epoch};
        else
                *ret = (struct sealed_candidates){.pcrs = f->pcrs, .pcr_digest = f->pcr_digest};
        return 0;
}

/* The parent and the import form that each kind has. */
static const char *form_refusal(const struct secret_file *f)
{
        if (f->key.type != TSS2_SEALED)
                return "it is a key, not sealed data";
        if (f->kind == SEALED_CHAIN && f->key.parent != TPM_ENDORSEMENT)
                return "its parent is not the host's endorsement key";
        if (f->kind == SEALED_CHAIN && !f->key.secret.len)
                return "it is not in the form that a host imports";
        return NULL;
}

int secret_file_rebuild(struct secret_file *f, struct err *err)
{
        struct sealed_candidates candidates;
        struct sealed_public sealed;
        struct sealed_verdict verdict;
        struct digest policy_ref;
        const char *refusal;
        int r;

        buf_free(&f->key_bytes);
        r = tss2_pem_read(view_str(f->object), &f->key, &f->key_bytes, err);
        if (r >= 0)
                r = sealed_public_parse(f->key.public_area, &sealed, err);
        if (r >= 0)
                r = candidates_of(f, &policy_ref, &candidates, err);
        if (r >= 0)
                r = sealed_judge(&sealed, &candidates, &verdict, err);
        if (r < 0)
                return err_wrap(err, "object");
        refusal = form_refusal(f);
        if (!refusal)
                refusal = verdict.refusal;
        if (refusal)
                return err_set(err, ERR_FORMAT, 0, "object: %s", refusal);
        f->kind = verdict.kind;
        f->revocable = verdict.revocable;
        return 0;
}

/* ---- decoding ---- */

static int read_epoch(const json_t *j, struct secret_file *f, struct err *err)
{
        static const char *const names[] = {"index", "name", "value"};
        int64_t index, value;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 ||
            json_get_int(j, "index", 0x01000000, 0x01ffffff, &index, err) < 0 ||
            json_get_int(j, "value", 0, INT64_MAX, &value, err) < 0 ||
            field_tpm_name(j, "name", &f->epoch_name, err) < 0)
                return err_wrap(err, "epoch");
        f->epoch_index = (uint32_t)index;
        f->epoch = (uint64_t)value;
        return 0;
}

static int read_chain(const json_t *j, struct secret_file *f, struct err *err)
{
        const json_t *epoch;

        if (json_object_get(j, "pcrs") || json_object_get(j, "pcr_digest"))
                return err_set(err, ERR_FORMAT, 0, "PCR values stand in approvals, not in the secret");
        if (json_get_object(j, "epoch", &epoch, err) < 0)
                return -(int)err->kind;
        return read_epoch(epoch, f, err);
}

static int read_plain(const json_t *j, struct secret_file *f, struct err *err)
{
        const json_t *pcrs;

        if (json_object_get(j, "epoch"))
                return err_set(err, ERR_FORMAT, 0, "member 'epoch': no epoch ends a plain object");
        if (json_get_object(j, "pcrs", &pcrs, err) < 0 || pcr_selection_from_json(pcrs, &f->pcrs, err) < 0 ||
            field_sha256(j, "pcr_digest", &f->pcr_digest, err) < 0)
                return -(int)err->kind;
        return 0;
}

static int read_kind(const json_t *j, struct secret_file *f, struct err *err)
{
        const char *kind, *release;

        if (json_get_str(j, "kind", &kind, err) < 0 || json_get_str(j, "release", &release, err) < 0)
                return -(int)err->kind;
        f->release_local = str_equal(release, "local");
        if (!f->release_local && !str_equal(release, "verifier"))
                return err_set(err, ERR_FORMAT, 0, "member 'release': expected verifier or local");
        if (str_equal(kind, kinds[SEALED_CHAIN])) {
                f->kind = SEALED_CHAIN;
                return read_chain(j, f, err);
        }
        if (!str_equal(kind, kinds[SEALED_PCR]))
                return err_set(err, ERR_FORMAT, 0, "member 'kind': expected chain or pcr");
        if (!f->release_local)
                return err_set(err, ERR_FORMAT, 0, "member 'release': a plain object opens locally");
        f->kind = SEALED_PCR;
        return read_plain(j, f, err);
}

static int read_head(const json_t *j, struct secret_file *f, struct err *err)
{
        static const char *const names[] = {"class",      "created_at", "epoch",   "host",      "host_only",
                                            "kind",       "name",       "object",  "owner",     "payload",
                                            "pcr_digest", "pcrs",       "release", "revocable", "schema",
                                            "signature",  "tenant",     "version"};
        int64_t version;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 || field_schema(j, SCHEMA, err) < 0 ||
            field_name(j, "name", f->name, sizeof(f->name), err) < 0 ||
            field_name(j, "tenant", f->scope.tenant, sizeof(f->scope.tenant), err) < 0 ||
            field_name(j, "class", f->scope.class, sizeof(f->scope.class), err) < 0 ||
            field_host(j, "host", f->scope.host, err) < 0 ||
            json_get_bool(j, "host_only", &f->scope.host_only, err) < 0 ||
            json_get_int(j, "version", 1, INT64_MAX, &version, err) < 0 ||
            json_get_time(j, "created_at", &f->created_at_ms, err) < 0)
                return -(int)err->kind;
        f->version = (uint64_t)version;
        return 0;
}

static int read_body(const json_t *j, struct secret_file *f, struct err *err)
{
        const json_t *owner;
        const char *object;

        if (json_get_object(j, "owner", &owner, err) < 0 || owner_from_json(owner, &f->owner, err) < 0 ||
            json_get_str(j, "object", &object, err) < 0 ||
            json_opt_base64(j, "payload", PAYLOAD_BYTES, &f->payload, err) < 0 ||
            json_get_base64(j, "signature", OWNER_SIGNATURE_MAX, &f->signature, err) < 0)
                return -(int)err->kind;
        f->object = str_dup(object);
        return f->object ? 0 : err_nomem(err);
}

static int read_secret(const json_t *j, struct secret_file *f, struct err *err)
{
        bool revocable;

        if (read_head(j, f, err) < 0 || read_kind(j, f, err) < 0 || read_body(j, f, err) < 0 ||
            json_get_bool(j, "revocable", &revocable, err) < 0 || secret_file_rebuild(f, err) < 0)
                return -(int)err->kind;
        if (revocable != f->revocable)
                return err_set(err, ERR_FORMAT, 0, "member 'revocable': its object says %s",
                               f->revocable ? "yes" : "no");
        return 0;
}

int secret_file_decode(struct view text, struct secret_file *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(secret_file_done)
        struct secret_file f = {0};

        if (json_parse(text, SECRET_FILE_BYTES_MAX, &j, err) < 0 || read_secret(j, &f, err) < 0)
                return err_wrap(err, "secret");
        *ret = f;
        f = (struct secret_file){0};
        return 0;
}

/* ---- encoding ---- */

static int set_epoch(json_t *j, const struct secret_file *f)
{
        json_t *epoch = json_object();
        int r = json_set_int(epoch, "index", f->epoch_index) |
                json_set_int(epoch, "value", (int64_t)f->epoch) |
                json_set_hex(epoch, "name", tpm_name_view(&f->epoch_name));

        return r | json_object_set_new(j, "epoch", epoch);
}

static json_t *to_json(const struct secret_file *f, int *ret)
{
        json_t *j = json_object();
        int r = json_set_str(j, "schema", SCHEMA) | json_set_str(j, "name", f->name);

        r |= json_set_str(j, "tenant", f->scope.tenant) | json_set_str(j, "class", f->scope.class);
        r |= json_set_str(j, "host", f->scope.host) | json_set_bool(j, "host_only", f->scope.host_only);
        r |= json_set_int(j, "version", (int64_t)f->version);
        r |= json_set_time(j, "created_at", f->created_at_ms);
        r |= json_set_str(j, "kind", kinds[f->kind]) | json_set_bool(j, "revocable", f->revocable);
        r |= json_set_str(j, "release", f->release_local ? "local" : "verifier");
        r |= json_object_set_new(j, "owner", owner_to_json(&f->owner));
        if (f->kind == SEALED_CHAIN) {
                r |= set_epoch(j, f);
        } else {
                r |= json_object_set_new(j, "pcrs", pcr_selection_to_json(&f->pcrs));
                r |= json_set_hex(j, "pcr_digest", digest_view(&f->pcr_digest));
        }
        r |= json_set_str(j, "object", f->object);
        if (f->payload.len)
                r |= json_set_base64(j, "payload", VIEW_BUF(&f->payload));
        *ret = r;
        return j;
}

int secret_file_encode(const struct secret_file *f, struct buf *ret, struct err *err)
{
        int r;
        json_t *j = to_json(f, &r);

        r |= json_set_base64(j, "signature", VIEW_BUF(&f->signature));
        return field_emit(j, r, ret, err);
}

/* ---- the owner's signature ---- */

int secret_file_message(const struct secret_file *f, struct buf *ret, struct err *err)
{
        int r;
        json_t *j = to_json(f, &r);

        buf_put(ret, SIGN_LABEL, sizeof(SIGN_LABEL));
        return field_emit(j, r, ret, err);
}

int secret_file_check(const struct secret_file *f, bool *ret_good, struct err *err)
{
        AUTO(buf_free)
        struct buf message = {0};
        struct digest policy_ref;
        bool good = false;
        int r = secret_scope_ref(&f->scope, &policy_ref, err);

        if (r >= 0)
                r = owner_check(&f->owner, &policy_ref, &good, err);
        if (r >= 0)
                r = secret_file_message(f, &message, err);
        if (r >= 0 && good)
                r = seal_signature_check(f->owner.key, VIEW_BUF(&f->signature), VIEW_BUF(&message), &good,
                                         err);
        if (r < 0)
                return r;
        *ret_good = good;
        return 0;
}

/* ---- larger secrets ---- */

static int payload_associated(const struct secret_file *f, struct buf *ret, struct err *err)
{
        buf_put(ret, PAYLOAD_LABEL, sizeof(PAYLOAD_LABEL));
        buf_put(ret, f->scope.tenant, strlen(f->scope.tenant) + 1);
        buf_put(ret, f->name, strlen(f->name) + 1);
        buf_put(ret, f->scope.host, strlen(f->scope.host) + 1);
        buf_be64(ret, f->version);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int secret_payload_seal(struct secret_file *f, struct view plain, struct secret *ret_key, struct err *err)
{
        AUTO(buf_free)
        struct buf associated = {0};
        AUTO(buf_free)
        struct buf payload = {0};
        AUTO(secret_free)
        struct secret key = {0};
        int r;

        if (plain.len == 0 || plain.len > SECRET_PAYLOAD_MAX)
                return err_set(err, ERR_LIMIT, 0, "a secret of %zu bytes (1 to %u)", plain.len,
                               SECRET_PAYLOAD_MAX);
        if (secret_alloc(&key, GCM_KEY_BYTES) < 0)
                return err_nomem(err);
        r = random_bytes(key.p, key.len, err);
        if (r >= 0)
                r = payload_associated(f, &associated, err);
        if (r >= 0)
                r = gcm_seal(VIEW(key.p, key.len), VIEW_BUF(&associated), plain, &payload, err);
        if (r < 0)
                return r;
        buf_free(&f->payload);
        f->payload = payload;
        payload = (struct buf){0};
        *ret_key = key;
        key = (struct secret){0};
        return 0;
}

int secret_payload_open(const struct secret_file *f, struct view key, struct secret *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf associated = {0};
        int r = payload_associated(f, &associated, err);

        if (r >= 0)
                r = gcm_open(key, VIEW_BUF(&associated), VIEW_BUF(&f->payload), ret, err);
        return r < 0 ? err_wrap(err, "payload") : 0;
}
