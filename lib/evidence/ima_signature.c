/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima_signature.h"

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/digest_short.h"

enum { TYPE_FILE = 3, TYPE_PORTABLE = 5, TYPE_VERITY = 6 };
enum { OVER_DIGEST = 2, OVER_FILE_ID = 3 };

/* The kernel's numbers. Spec: Linux, include/uapi/linux/hash_info.h. */
static const struct {
        uint8_t number;
        enum digest_alg alg;
} hashes[] = {{2, DIGEST_SHA1}, {4, DIGEST_SHA256}, {5, DIGEST_SHA384}, {6, DIGEST_SHA512}};

int ima_signature_parse(struct view xattr, struct ima_signature *ret, struct err *err)
{
        struct cursor c = cursor_of(xattr);
        struct ima_signature s = {.hash_known = false};
        uint8_t hash;

        if (!cursor_u8(&c, &s.type) || !cursor_u8(&c, &s.version) || !cursor_u8(&c, &hash) ||
            !cursor_be32(&c, &s.key_id) || !cursor_be16_bytes(&c, &s.bytes) || c.left != 0)
                return err_set(err, ERR_FORMAT, 0, "no file signature: its lengths do not fit");
        if (s.type != TYPE_FILE && s.type != TYPE_PORTABLE && s.type != TYPE_VERITY)
                return err_set(err, ERR_FORMAT, 0, "no file signature: type %u", s.type);
        for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
                if (hashes[i].number == hash) {
                        s.hash_known = true;
                        s.hash = hashes[i].alg;
                }
        *ret = s;
        return 0;
}

/* ---- keys ---- */

struct ima_key {
        uint32_t id;
        struct pubkey *own; /* or */
        struct cert *cert;
};

struct ima_keys {
        struct ima_key *v;
        size_t n;
};

static const struct pubkey *key_of(const struct ima_key *k)
{
        return k->own ? k->own : cert_pubkey(k->cert);
}

int ima_keys_new(struct ima_keys **ret, struct err *err)
{
        *ret = mem_zalloc(1, sizeof(**ret));
        return *ret ? 0 : err_nomem(err);
}

static void key_done(struct ima_key *k)
{
        pubkey_free(k->own);
        cert_free(k->cert);
}

void ima_keys_free(struct ima_keys *keys)
{
        if (!keys)
                return;
        for (size_t i = 0; i < keys->n; i++)
                key_done(&keys->v[i]);
        free(keys->v);
        free(keys);
}

size_t ima_keys_count(const struct ima_keys *keys)
{
        return keys->n;
}

static uint32_t last_four(struct view v)
{
        uint32_t id = 0;

        for (size_t i = v.len < 4 ? 0 : v.len - 4; i < v.len; i++)
                id = id << 8 | v.p[i];
        return id;
}

static int find_id(struct ima_key *k, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        uint8_t sha1[20];
        int r;

        if (k->cert && cert_skid(k->cert).len >= 4) {
                k->id = last_four(cert_skid(k->cert));
                return 0;
        }
        r = pubkey_bare(key_of(k), &bytes, err);
        if (r < 0)
                return r;
        digest_short(DIGEST_SHA1, VIEW_BUF(&bytes), VIEW_NONE, sha1);
        k->id = last_four(VIEW_ARRAY(sha1));
        return 0;
}

static int read_key(struct view in, struct ima_key *ret, struct err *err)
{
        bool pem = in.len > 10 && view_equal(VIEW(in.p, 10), view_str("-----BEGIN"));
        struct err other = ERR_INIT;
        int r = pem ? cert_parse_pem(in, &ret->cert, err) : cert_parse_der(in, &ret->cert, err);

        if (r < 0 && r != -ERR_NOMEM)
                r = pem ? pubkey_from_pem(in, &ret->own, &other) : pubkey_from_spki(in, &ret->own, &other);
        if (r < 0)
                return r == -ERR_NOMEM
                               ? err_nomem(err)
                               : err_set(err, ERR_FORMAT, 0, "neither a certificate nor a public key");
        if (!key_of(ret))
                return err_set(err, ERR_FORMAT, 0,
                               "a certificate of a key that is neither RSA nor on a NIST curve");
        return find_id(ret, err);
}

static const struct ima_key *find(const struct ima_keys *keys, uint32_t id, const struct pubkey *key)
{
        for (size_t i = 0; i < keys->n; i++)
                if (keys->v[i].id == id && (!key || pubkey_equal(key, key_of(&keys->v[i]))))
                        return &keys->v[i];
        return NULL;
}

static int add(struct ima_keys *keys, struct view der_or_pem, const uint32_t *id, uint32_t *ret_id,
               struct err *err)
{
        struct ima_key k = {.id = 0}, *more;
        int r = read_key(der_or_pem, &k, err);

        if (r >= 0) {
                if (id)
                        k.id = *id;
                *ret_id = k.id;
                if (find(keys, k.id, key_of(&k))) {
                        key_done(&k);
                        return 0;
                }
                if (keys->n == IMA_KEYS_MAX)
                        r = err_set(err, ERR_LIMIT, 0, "more than %d keys for file signatures", IMA_KEYS_MAX);
        }
        more = r < 0 ? NULL : mem_resize(keys->v, keys->n + 1, sizeof(*more));
        if (!more) {
                key_done(&k);
                return r < 0 ? r : err_nomem(err);
        }
        keys->v = more;
        keys->v[keys->n++] = k;
        return 0;
}

int ima_keys_add(struct ima_keys *keys, struct view der_or_pem, uint32_t *ret_id, struct err *err)
{
        return add(keys, der_or_pem, NULL, ret_id, err);
}

int ima_keys_add_as(struct ima_keys *keys, struct view der_or_pem, uint32_t id, struct err *err)
{
        uint32_t same;

        return add(keys, der_or_pem, &id, &same, err);
}

/* ---- checking ---- */

const char *ima_signed_name(enum ima_signed s)
{
        static const char *const names[] = {[IMA_UNSIGNED] = "unsigned",
                                            [IMA_SIGNED] = "signed",
                                            [IMA_SIGNED_BADLY] = "bad-signature",
                                            [IMA_SIGNED_BY_UNKNOWN] = "unknown-key",
                                            [IMA_SIGNED_SOMEHOW] = "unchecked"};

        return names[s];
}

/* What was signed: the digest, or in version 3 the digest of how and what was digested. */
static void signed_digest(const struct ima_signature *s, const struct ima_event *event, uint8_t hash_number,
                          struct digest *ret)
{
        uint8_t head[2] = {s->type, hash_number};

        *ret = (struct digest){.alg = s->hash, .len = (uint8_t)event->digest.len};
        if (s->version == OVER_DIGEST)
                for (size_t i = 0; i < event->digest.len; i++)
                        ret->b[i] = event->digest.p[i];
        else
                digest_short(s->hash, VIEW_ARRAY(head), event->digest, ret->b);
}

static bool can_check(const struct ima_signature *s, const struct ima_event *event)
{
        if (!s->hash_known || !event->alg_known || event->digest.len != digest_size(s->hash))
                return false;
        if (s->version == OVER_DIGEST)
                return s->type == TYPE_FILE && event->measured == IMA_FILE;
        if (s->version != OVER_FILE_ID)
                return false;
        return s->type == (event->measured == IMA_VERITY ? TYPE_VERITY : TYPE_FILE);
}

/* Several keys may share an identifier of four bytes. */
static int check_by_id(const struct ima_keys *keys, const struct ima_signature *s,
                       const struct digest *digest, enum ima_signed *ret, struct err *err)
{
        *ret = IMA_SIGNED_BY_UNKNOWN;
        for (size_t i = 0; i < keys->n && *ret != IMA_SIGNED; i++) {
                const struct pubkey *key = key_of(&keys->v[i]);
                bool good = false;
                int r;

                if (keys->v[i].id != s->key_id)
                        continue;
                r = pubkey_verify_digest(key, pubkey_type(key) == PUBKEY_RSA ? SIG_RSASSA : SIG_ECDSA, digest,
                                         s->bytes, &good, err);
                if (r >= 0 && !good && pubkey_type(key) == PUBKEY_RSA)
                        r = pubkey_verify_digest(key, SIG_RSAPSS, digest, s->bytes, &good, err);
                if (r < 0)
                        return r;
                *ret = good ? IMA_SIGNED : IMA_SIGNED_BADLY;
        }
        return 0;
}

int ima_signature_check(const struct ima_keys *keys, const struct ima_event *event, enum ima_signed *ret,
                        struct err *err)
{
        struct ima_signature s;
        struct digest digest;
        int r;

        *ret = IMA_UNSIGNED;
        if (event->sig.len == 0)
                return 0;
        r = ima_signature_parse(event->sig, &s, err);
        if (r < 0)
                return r;
        *ret = IMA_SIGNED_SOMEHOW;
        if (s.hash_known && event->alg_known && s.hash != event->alg) {
                *ret = IMA_SIGNED_BADLY;
                return 0;
        }
        if (!can_check(&s, event))
                return 0;
        signed_digest(&s, event, event->sig.p[2], &digest);
        return check_by_id(keys, &s, &digest, ret, err);
}
