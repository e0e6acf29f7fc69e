/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approvals. The signature of each bracket covers its digest and the policyRef, and the digest covers PCR
 * selection and values, floor counter, version and release key: all that a TPM will ask. So nothing else has
 * to be signed, and decoding rebuilds the digests from those parts; a document that shows people one thing
 * and signs another cannot be made.
 *
 * The id is made from policyRef, version and brackets: the same approval given twice is one approval, and an
 * id names one content.
 *
 * Spec: SR-1, SR-7; docs/protocol.md, "Secrets".
 */
#include "wire/approval.h"

#include <string.h>

#include "base/hex.h"
#include "base/str.h"
#include "base/uuid.h"
#include "evidence/seal_policy.h"
#include "wire/field.h"

#define SCHEMA   "avow.approval/1"
#define ID_LABEL "avow-approval-id-v1"
#define NOTE_MAX 1024

void approval_done(struct approval *a)
{
        owner_done(&a->owner);
        pubkey_free(a->release_key);
        for (size_t i = 0; i < a->n_brackets; i++) {
                buf_free(&a->brackets[i].signature);
                free(a->brackets[i].note);
        }
        free(a->brackets);
        free(a->policy);
        *a = (struct approval){0};
}

/* ---- rebuilding ---- */

static int make_id(struct approval *a, const struct digest *policy_ref, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        AUTO(mem_free_p)
        char *hex = NULL;
        struct digest d;
        int r;

        buf_put(&b, ID_LABEL, sizeof(ID_LABEL));
        buf_put_view(&b, digest_view(policy_ref));
        buf_be64(&b, a->version);
        for (size_t i = 0; i < a->n_brackets; i++)
                buf_put_view(&b, digest_view(&a->brackets[i].digest));
        if (!buf_ok(&b))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&b), &d, err);
        if (r < 0)
                return r;
        hex = hex_encode(VIEW(d.b, APPROVAL_ID_CHARS / 2));
        if (!hex)
                return err_nomem(err);
        memcpy(a->id, hex, sizeof(a->id));
        return 0;
}

static bool selection_fits(const struct approval *a)
{
        return a->pcrs.mask && digest_size(a->pcrs.bank) >= digest_size(DIGEST_SHA256);
}

int approval_rebuild(struct approval *a, struct err *err)
{
        struct digest policy_ref, release_ref;
        struct seal_bracket bracket = {.pcrs = a->pcrs,
                                       .floor_name = tpm_name_view(&a->floor_name),
                                       .version = a->version,
                                       .release_key = a->release_key};
        int r = secret_scope_ref(&a->scope, &policy_ref, err);

        if (r < 0)
                return r;
        if (!selection_fits(a) || !a->scope.host[0] || !a->n_brackets)
                return err_set(err, ERR_FORMAT, 0, "an approval without a host or without PCR values");
        if (a->release_key) {
                r = seal_release_ref(a->verifier, a->scope.host, &release_ref, err);
                if (r < 0)
                        return r;
                bracket.release_ref = digest_view(&release_ref);
        }
        for (size_t i = 0; i < a->n_brackets; i++) {
                bracket.pcr_digest = a->brackets[i].pcr_digest;
                r = seal_bracket_digest(&bracket, &a->brackets[i].digest, err);
                if (r < 0)
                        return r;
        }
        return make_id(a, &policy_ref, err);
}

int approval_check(const struct approval *a, bool *ret_good, struct err *err)
{
        struct digest policy_ref;
        bool good;
        int r = secret_scope_ref(&a->scope, &policy_ref, err);

        if (r >= 0)
                r = owner_check(&a->owner, &policy_ref, &good, err);
        for (size_t i = 0; r >= 0 && good && i < a->n_brackets; i++) {
                AUTO(buf_free)
                struct buf message = {0};

                seal_approval_message(&a->brackets[i].digest, digest_view(&policy_ref), &message);
                if (!buf_ok(&message))
                        return err_nomem(err);
                r = seal_signature_check(a->owner.key, VIEW_BUF(&a->brackets[i].signature),
                                         VIEW_BUF(&message), &good, err);
        }
        if (r < 0)
                return r;
        *ret_good = good;
        return 0;
}

const struct approval_bracket *approval_find(const struct approval *a, struct view bracket)
{
        for (size_t i = 0; i < a->n_brackets; i++)
                if (view_equal(digest_view(&a->brackets[i].digest), bracket))
                        return &a->brackets[i];
        return NULL;
}

const struct approval_bracket *approval_find_pcrs(const struct approval *a, const struct digest *pcr_digest)
{
        for (size_t i = 0; i < a->n_brackets; i++)
                if (digest_equal(&a->brackets[i].pcr_digest, pcr_digest))
                        return &a->brackets[i];
        return NULL;
}

/* ---- decoding ---- */

static int read_scope(const json_t *j, struct secret_scope *s, struct err *err)
{
        if (field_name(j, "tenant", s->tenant, sizeof(s->tenant), err) < 0 ||
            field_name(j, "class", s->class, sizeof(s->class), err) < 0 ||
            field_host(j, "host", s->host, err) < 0 || json_get_bool(j, "host_only", &s->host_only, err) < 0)
                return -(int)err->kind;
        return 0;
}

static int read_floor(const json_t *j, struct approval *a, struct err *err)
{
        static const char *const names[] = {"index", "name", "version"};
        int64_t index, version;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 ||
            json_get_int(j, "index", 0x01000000, 0x01ffffff, &index, err) < 0 ||
            json_get_int(j, "version", 1, INT64_MAX, &version, err) < 0 ||
            field_tpm_name(j, "name", &a->floor_name, err) < 0)
                return err_wrap(err, "floor");
        a->floor_index = (uint32_t)index;
        a->version = (uint64_t)version;
        return 0;
}

/* null is `release: local`. */
static int read_release(const json_t *j, struct approval *a, struct err *err)
{
        static const char *const names[] = {"key", "verifier"};
        const char *verifier;

        if (json_is_null(j))
                return 0;
        if (json_only(j, names, ARRAY_LEN(names), err) < 0 ||
            field_key(j, "key", false, &a->release_key, err) < 0 ||
            json_get_str(j, "verifier", &verifier, err) < 0)
                return err_wrap(err, "release");
        if (!uuid_valid(verifier))
                return err_set(err, ERR_FORMAT, 0, "release: member 'verifier': expected a UUID");
        memcpy(a->verifier, verifier, sizeof(a->verifier));
        return 0;
}

/* RET_SAID: what the document says the digest is. */
static int read_bracket(const json_t *j, struct approval_bracket *b, struct digest *ret_said, struct err *err)
{
        static const char *const names[] = {"digest", "note", "pcr_digest", "signature"};

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 ||
            field_sha256(j, "pcr_digest", &b->pcr_digest, err) < 0 ||
            field_sha256(j, "digest", ret_said, err) < 0 ||
            json_get_base64(j, "signature", OWNER_SIGNATURE_MAX, &b->signature, err) < 0 ||
            field_opt_text(j, "note", NOTE_MAX, &b->note, err) < 0)
                return -(int)err->kind;
        return 0;
}

static int read_brackets(const json_t *list, struct approval *a, struct digest *said, struct err *err)
{
        size_t n = json_array_size(list);

        if (n == 0)
                return err_set(err, ERR_FORMAT, 0, "member 'brackets': nothing is approved");
        a->brackets = mem_zalloc(n, sizeof(*a->brackets));
        if (!a->brackets)
                return err_nomem(err);
        for (; a->n_brackets < n; a->n_brackets++) {
                struct approval_bracket *b = &a->brackets[a->n_brackets];

                if (read_bracket(json_array_get(list, a->n_brackets), b, &said[a->n_brackets], err) < 0) {
                        buf_free(&b->signature);
                        free(b->note);
                        return err_wrap(err, "bracket %zu", a->n_brackets + 1);
                }
                if (approval_find_pcrs(a, &b->pcr_digest)) {
                        a->n_brackets++;
                        return err_set(err, ERR_FORMAT, 0, "bracket %zu: values that were named before",
                                       a->n_brackets);
                }
        }
        return 0;
}

/* Everything but the brackets. */
static int read_head(const json_t *j, struct approval *a, struct err *err)
{
        static const char *const names[] = {"brackets",  "class",  "created_at", "floor", "host",
                                            "host_only", "id",     "owner",      "pcrs",  "policy",
                                            "release",   "schema", "tenant"};
        const json_t *pcrs, *floor, *owner, *release = json_object_get(j, "release");

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 || field_schema(j, SCHEMA, err) < 0 ||
            read_scope(j, &a->scope, err) < 0 || json_get_object(j, "pcrs", &pcrs, err) < 0 ||
            json_get_object(j, "floor", &floor, err) < 0 || json_get_object(j, "owner", &owner, err) < 0 ||
            json_get_time(j, "created_at", &a->created_at_ms, err) < 0 ||
            field_opt_text(j, "policy", NOTE_MAX, &a->policy, err) < 0 ||
            pcr_selection_from_json(pcrs, &a->pcrs, err) < 0 || read_floor(floor, a, err) < 0 ||
            owner_from_json(owner, &a->owner, err) < 0)
                return -(int)err->kind;
        if (!release)
                return err_set(err, ERR_FORMAT, 0, "member 'release': missing (null with release: local)");
        return read_release(release, a, err);
}

static int read_approval(const json_t *j, struct approval *a, struct err *err)
{
        struct digest said[APPROVAL_BRACKETS_MAX];
        const json_t *list;
        const char *id;

        if (read_head(j, a, err) < 0 ||
            json_get_array(j, "brackets", APPROVAL_BRACKETS_MAX, &list, err) < 0 ||
            json_get_str(j, "id", &id, err) < 0 || read_brackets(list, a, said, err) < 0 ||
            approval_rebuild(a, err) < 0)
                return -(int)err->kind;
        for (size_t i = 0; i < a->n_brackets; i++)
                if (!digest_equal(&said[i], &a->brackets[i].digest))
                        return err_set(err, ERR_FORMAT, 0, "bracket %zu: its digest is not that of its parts",
                                       i + 1);
        if (!str_equal(id, a->id))
                return err_set(err, ERR_FORMAT, 0, "member 'id': it is not that of the brackets");
        return 0;
}

int approval_decode(struct view text, struct approval *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(approval_done)
        struct approval a = {0};

        if (json_parse(text, APPROVAL_BYTES_MAX, &j, err) < 0 || read_approval(j, &a, err) < 0)
                return err_wrap(err, "approval");
        *ret = a;
        a = (struct approval){0};
        return 0;
}

/* ---- encoding ---- */

static json_t *brackets_to_json(const struct approval *a)
{
        json_t *list = json_array();
        int r = 0;

        for (size_t i = 0; i < a->n_brackets; i++) {
                const struct approval_bracket *b = &a->brackets[i];
                json_t *j = json_object();

                r |= json_set_hex(j, "pcr_digest", digest_view(&b->pcr_digest));
                r |= json_set_hex(j, "digest", digest_view(&b->digest));
                r |= json_set_base64(j, "signature", VIEW_BUF(&b->signature));
                if (b->note)
                        r |= json_set_str(j, "note", b->note);
                r |= json_array_append_new(list, j);
        }
        if (r == 0)
                return list;
        json_decref(list);
        return NULL;
}

static json_t *floor_to_json(const struct approval *a)
{
        json_t *j = json_object();

        if (json_set_int(j, "index", a->floor_index) | json_set_int(j, "version", (int64_t)a->version) |
            json_set_hex(j, "name", tpm_name_view(&a->floor_name))) {
                json_decref(j);
                return NULL;
        }
        return j;
}

static json_t *release_to_json(const struct approval *a)
{
        json_t *j;

        if (!a->release_key)
                return json_null();
        j = json_object();
        if (field_set_key(j, "key", a->release_key) | json_set_str(j, "verifier", a->verifier)) {
                json_decref(j);
                return NULL;
        }
        return j;
}

int approval_encode(const struct approval *a, struct buf *ret, struct err *err)
{
        json_t *j = json_object();
        int r = json_set_str(j, "schema", SCHEMA) | json_set_str(j, "id", a->id);

        r |= json_set_str(j, "tenant", a->scope.tenant) | json_set_str(j, "class", a->scope.class);
        r |= json_set_str(j, "host", a->scope.host) | json_set_bool(j, "host_only", a->scope.host_only);
        r |= json_set_time(j, "created_at", a->created_at_ms);
        if (a->policy)
                r |= json_set_str(j, "policy", a->policy);
        r |= json_object_set_new(j, "pcrs", pcr_selection_to_json(&a->pcrs));
        r |= json_object_set_new(j, "floor", floor_to_json(a));
        r |= json_object_set_new(j, "release", release_to_json(a));
        r |= json_object_set_new(j, "owner", owner_to_json(&a->owner));
        r |= json_object_set_new(j, "brackets", brackets_to_json(a));
        return field_emit(j, r, ret, err);
}
