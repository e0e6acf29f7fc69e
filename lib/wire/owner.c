/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose secrets they are. A root that lies in a safe vouches for an approval key that is at hand: its
 * signature is over the digest that a policy session has after PolicyAuthorize(approval key, policyRef), so a
 * TPM checks the same signature when it opens a secret. It is good for one policyRef, that is for one class
 * of secrets of one tenant, so a stolen approval key opens no other class.
 *
 * Spec: SR-7, SR-12; docs/protocol.md, "Secrets".
 */
#include "wire/owner.h"

#include <string.h>

#include "base/str.h"

#include "evidence/seal_policy.h"
#include "wire/field.h"

#define DELEGATION_SCHEMA "avow.delegation/1"

int secret_scope_ref(const struct secret_scope *scope, struct digest *ret_policy_ref, struct err *err)
{
        return seal_policy_ref(scope->tenant, scope->class, scope->host_only ? scope->host : NULL,
                               ret_policy_ref, err);
}

void owner_done(struct owner *owner)
{
        pubkey_free(owner->key);
        pubkey_free(owner->root);
        buf_free(&owner->delegation);
        *owner = (struct owner){0};
}

const struct pubkey *owner_authority(const struct owner *owner)
{
        return owner->root ? owner->root : owner->key;
}

/* What a root signs: the message whose SHA-256 TPM2_PolicyAuthorize asks for. */
static int message_for(const struct pubkey *key, const struct digest *policy_ref, struct buf *ret,
                       struct err *err)
{
        struct digest approved;
        int r = seal_authorized_digest(key, digest_view(policy_ref), &approved, err);

        if (r < 0)
                return r;
        seal_approval_message(&approved, digest_view(policy_ref), ret);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int owner_check(const struct owner *owner, const struct digest *policy_ref, bool *ret_good, struct err *err)
{
        AUTO(buf_free)
        struct buf message = {0};
        int r;

        if (!owner->root) {
                *ret_good = true;
                return 0;
        }
        r = message_for(owner->key, policy_ref, &message, err);
        if (r < 0)
                return r;
        return seal_signature_check(owner->root, VIEW_BUF(&owner->delegation), VIEW_BUF(&message), ret_good,
                                    err);
}

static int read_owner(const json_t *j, struct owner *o, struct err *err)
{
        static const char *const names[] = {"delegation", "key", "root"};
        int r;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 || field_key(j, "key", false, &o->key, err) < 0 ||
            field_key(j, "root", true, &o->root, err) < 0)
                return -(int)err->kind;
        r = json_opt_base64(j, "delegation", OWNER_SIGNATURE_MAX, &o->delegation, err);
        if (r < 0)
                return r;
        if ((o->root != NULL) != (o->delegation.len > 0))
                return err_set(err, ERR_FORMAT, 0, "members 'root' and 'delegation': one without the other");
        return 0;
}

int owner_from_json(const json_t *j, struct owner *ret, struct err *err)
{
        struct owner o = {0};

        if (read_owner(j, &o, err) < 0) {
                owner_done(&o);
                return err_wrap(err, "owner");
        }
        *ret = o;
        return 0;
}

json_t *owner_to_json(const struct owner *owner)
{
        json_t *j = json_object();
        int r = field_set_key(j, "key", owner->key);

        if (owner->root) {
                r |= field_set_key(j, "root", owner->root);
                r |= json_set_base64(j, "delegation", VIEW_BUF(&owner->delegation));
        }
        if (r == 0)
                return j;
        json_decref(j);
        return NULL;
}

/* ---- delegations ---- */

void delegation_done(struct delegation *d)
{
        owner_done(&d->owner);
}

/* A copy of a public key. */
static int copy_key(const struct pubkey *key, struct pubkey **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf der = {0};
        int r = pubkey_spki(key, &der, err);

        return r < 0 ? r : pubkey_from_spki(VIEW_BUF(&der), ret, err);
}

int delegation_message(const struct secret_scope *scope, const struct pubkey *key, struct buf *ret,
                       struct err *err)
{
        struct digest ref;
        int r = secret_scope_ref(scope, &ref, err);

        return r < 0 ? r : message_for(key, &ref, ret, err);
}

int delegation_of(const struct secret_scope *scope, const struct pubkey *root, const struct pubkey *key,
                  struct view signature, struct delegation *ret, struct err *err)
{
        AUTO(delegation_done)
        struct delegation d = {.scope = *scope};
        struct digest ref;
        bool good;

        if (!scope->host_only)
                d.scope.host[0] = '\0';
        if (pubkey_equal(root, key))
                return err_set(err, ERR_CONFIG, 0, "a root that delegates to itself");
        buf_put_view(&d.owner.delegation, signature);
        if (!buf_ok(&d.owner.delegation))
                return err_nomem(err);
        if (copy_key(key, &d.owner.key, err) < 0 || copy_key(root, &d.owner.root, err) < 0 ||
            secret_scope_ref(&d.scope, &ref, err) < 0 || owner_check(&d.owner, &ref, &good, err) < 0)
                return -(int)err->kind;
        if (!good)
                return err_set(err, ERR_CRYPTO, 0, "the root's signature is not good");
        *ret = d;
        d = (struct delegation){0};
        return 0;
}

int delegation_make(const struct secret_scope *scope, const struct key *root, const struct pubkey *key,
                    struct delegation *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf message = {0};
        AUTO(buf_free)
        struct buf signature = {0};
        AUTO(pubkey_free_p)
        struct pubkey *public = NULL;

        if (delegation_message(scope, key, &message, err) < 0 || key_public(root, &public, err) < 0 ||
            tpm_key_sign(root, VIEW_BUF(&message), &signature, err) < 0)
                return -(int)err->kind;
        return delegation_of(scope, public, key, VIEW_BUF(&signature), ret, err);
}

static int read_delegation(const json_t *j, struct delegation *d, struct err *err)
{
        static const char *const names[] = {"class", "host", "owner", "schema", "tenant"};
        const json_t *owner;
        const char *host = NULL;
        struct digest ref;
        bool good;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 || field_schema(j, DELEGATION_SCHEMA, err) < 0 ||
            field_name(j, "tenant", d->scope.tenant, sizeof(d->scope.tenant), err) < 0 ||
            field_name(j, "class", d->scope.class, sizeof(d->scope.class), err) < 0 ||
            json_opt_str(j, "host", &host, err) < 0 || json_get_object(j, "owner", &owner, err) < 0 ||
            owner_from_json(owner, &d->owner, err) < 0)
                return -(int)err->kind;
        d->scope.host_only = host != NULL;
        if (host && field_host(j, "host", d->scope.host, err) < 0)
                return -(int)err->kind;
        if (!d->owner.root)
                return err_set(err, ERR_FORMAT, 0, "member 'owner': no root vouches for the key");
        if (secret_scope_ref(&d->scope, &ref, err) < 0 || owner_check(&d->owner, &ref, &good, err) < 0)
                return -(int)err->kind;
        return good ? 0 : err_set(err, ERR_CRYPTO, 0, "the root's signature is not good");
}

int delegation_decode(struct view text, struct delegation *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(delegation_done)
        struct delegation d = {0};

        if (json_parse(text, DELEGATION_BYTES_MAX, &j, err) < 0 || read_delegation(j, &d, err) < 0)
                return err_wrap(err, "delegation");
        *ret = d;
        d = (struct delegation){0};
        return 0;
}

int delegation_encode(const struct delegation *d, struct buf *ret, struct err *err)
{
        json_t *j = json_object();
        int r = json_set_str(j, "schema", DELEGATION_SCHEMA);

        r |= json_set_str(j, "tenant", d->scope.tenant) | json_set_str(j, "class", d->scope.class);
        if (d->scope.host_only)
                r |= json_set_str(j, "host", d->scope.host);
        r |= json_object_set_new(j, "owner", owner_to_json(&d->owner));
        return field_emit(j, r, ret, err);
}

static int take_delegation(const struct delegation *d, const struct secret_scope *scope, struct owner *o,
                           struct err *err)
{
        if (!pubkey_equal(d->owner.key, o->key))
                return err_set(err, ERR_CONFIG, 0, "the root's delegation is for another key");
        if (!str_equal(d->scope.tenant, scope->tenant) || !str_equal(d->scope.class, scope->class) ||
            d->scope.host_only != scope->host_only ||
            (scope->host_only && !str_equal(d->scope.host, scope->host)))
                return err_set(err, ERR_CONFIG, 0, "the root's delegation is for class %s of tenant %s%s%s",
                               d->scope.class, d->scope.tenant, d->scope.host_only ? ", host " : "",
                               d->scope.host_only ? d->scope.host : "");
        buf_put_view(&o->delegation, VIEW_BUF(&d->owner.delegation));
        if (!buf_ok(&o->delegation))
                return err_nomem(err);
        return copy_key(d->owner.root, &o->root, err);
}

int owner_make(const struct pubkey *key, const struct delegation *d, const struct secret_scope *scope,
               struct owner *ret, struct err *err)
{
        struct owner o = {0};

        if (copy_key(key, &o.key, err) < 0 || (d && take_delegation(d, scope, &o, err) < 0)) {
                owner_done(&o);
                return -(int)err->kind;
        }
        *ret = o;
        return 0;
}
