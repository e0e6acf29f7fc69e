/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID block and ID authentication: two structures, two keys. The ID key signs the block, the author key signs
 * the ID key. Keys and signatures are 72-byte little-endian numbers in structures with room to spare, which
 * has to be zero: the digests in the report are over the whole key structure.
 *
 * Spec: AMD 56860 §8.17, §10.
 */
#include "evidence/snp_id.h"

#include "crypto/pubkey.h"

#define ALGORITHM_P384_SHA384 1
#define CURVE_NUMBER_P384     2
#define NUMBER_BYTES          72
#define P384_BYTES            48
#define SIGNATURE_BYTES       512
#define KEY_BYTES             0x404

/* A 72-byte little-endian number as 48 big-endian bytes. */
static bool read_number(struct cursor *c, uint8_t ret[P384_BYTES])
{
        struct view v;

        if (!cursor_take(c, NUMBER_BYTES, &v))
                return false;
        for (size_t i = P384_BYTES; i < NUMBER_BYTES; i++)
                if (v.p[i])
                        return false;
        for (size_t i = 0; i < P384_BYTES; i++)
                ret[P384_BYTES - 1 - i] = v.p[i];
        return true;
}

static int read_key(struct view v, const char *what, struct pubkey **ret, struct err *err)
{
        struct cursor c = cursor_of(v);
        uint8_t x[P384_BYTES], y[P384_BYTES];
        uint32_t curve;

        if (!cursor_le32(&c, &curve) || curve != CURVE_NUMBER_P384 || !read_number(&c, x) ||
            !read_number(&c, y) || !snp_is_zero(cursor_rest(&c)))
                return err_set(err, ERR_FORMAT, 0, "%s: not a P-384 key", what);
        if (pubkey_from_ec(CURVE_P384, VIEW_ARRAY(x), VIEW_ARRAY(y), ret, err) < 0)
                return err_wrap(err, "%s", what);
        return 0;
}

static int check_signature(const struct pubkey *key, struct view signature, struct view message,
                           bool *ret_good, struct err *err)
{
        struct cursor c = cursor_of(signature);
        uint8_t r[P384_BYTES], s[P384_BYTES];
        const struct signature sig = {
                .scheme = SIG_ECDSA, .hash = DIGEST_SHA384, .r = VIEW_ARRAY(r), .s = VIEW_ARRAY(s)};

        *ret_good = false;
        if (!read_number(&c, r) || !read_number(&c, s) || !snp_is_zero(cursor_rest(&c)))
                return 0;
        return pubkey_verify(key, &sig, message, ret_good, err);
}

int snp_id_block_parse(struct view in, struct snp_id_block *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct snp_id_block b;

        if (!cursor_take(&c, SNP_DIGEST_BYTES, &b.launch_digest) || !cursor_take(&c, 16, &b.family_id) ||
            !cursor_take(&c, 16, &b.image_id) || !cursor_le32(&c, &b.version) ||
            !cursor_le32(&c, &b.guest_svn) || !cursor_le64(&c, &b.policy) || c.left)
                return err_set(err, ERR_FORMAT, 0, "ID block of %zu bytes, it has to be %d", in.len,
                               SNP_ID_BLOCK_BYTES);
        *ret = b;
        return 0;
}

/* The parts of the authentication information. */
struct auth {
        uint32_t id_algorithm, author_algorithm;
        struct view block_signature, id_key, id_key_signature, author_key;
};

static int read_auth(struct view in, struct auth *a, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct view gap[3];

        if (in.len != SNP_ID_AUTH_BYTES || !cursor_le32(&c, &a->id_algorithm) ||
            !cursor_le32(&c, &a->author_algorithm) || !cursor_take(&c, 0x38, &gap[0]) ||
            !cursor_take(&c, SIGNATURE_BYTES, &a->block_signature) ||
            !cursor_take(&c, KEY_BYTES, &a->id_key) || !cursor_take(&c, 0x3c, &gap[1]) ||
            !cursor_take(&c, SIGNATURE_BYTES, &a->id_key_signature) ||
            !cursor_take(&c, KEY_BYTES, &a->author_key))
                return err_set(err, ERR_FORMAT, 0, "ID authentication of %zu bytes, it has to be %d", in.len,
                               SNP_ID_AUTH_BYTES);
        gap[2] = cursor_rest(&c);
        for (size_t i = 0; i < 3; i++)
                if (!snp_is_zero(gap[i]))
                        return err_set(err, ERR_FORMAT, 0, "ID authentication: reserved bytes are not zero");
        if (a->id_algorithm != ALGORITHM_P384_SHA384)
                return err_set(err, ERR_FORMAT, 0, "ID key: algorithm %u is not known", a->id_algorithm);
        return 0;
}

static int check_author(const struct auth *a, struct snp_id *id, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        int r;

        if (a->author_algorithm != ALGORITHM_P384_SHA384)
                return err_set(err, ERR_FORMAT, 0, "author key: algorithm %u is not known",
                               a->author_algorithm);
        r = read_key(a->author_key, "author key", &key, err);
        if (r == 0)
                r = digest_bytes(DIGEST_SHA384, a->author_key, &id->author_key, err);
        if (r == 0)
                r = check_signature(key, a->id_key_signature, a->id_key, &id->id_key_signed, err);
        return r;
}

int snp_id_check(struct view block, struct view auth, struct snp_id *ret, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct snp_id id = {0};
        struct auth a;
        int r = snp_id_block_parse(block, &id.block, err);

        if (r == 0)
                r = read_auth(auth, &a, err);
        if (r == 0)
                r = read_key(a.id_key, "ID key", &key, err);
        if (r == 0)
                r = digest_bytes(DIGEST_SHA384, a.id_key, &id.id_key, err);
        if (r == 0)
                r = check_signature(key, a.block_signature, block, &id.block_signed, err);
        if (r < 0)
                return r;
        digest_zero(DIGEST_SHA384, &id.author_key);
        id.has_author = !snp_is_zero(a.author_key);
        if (id.has_author)
                r = check_author(&a, &id, err);
        if (r == 0)
                *ret = id;
        return r;
}

bool snp_id_fits(const struct snp_id *id, const struct snp_report *report)
{
        return report->known && view_equal(id->block.launch_digest, report->measurement) &&
               view_equal(id->block.family_id, report->family_id) &&
               view_equal(id->block.image_id, report->image_id) && id->block.guest_svn == report->guest_svn &&
               id->block.policy == report->policy &&
               view_equal(digest_view(&id->id_key), report->id_key_digest) &&
               view_equal(digest_view(&id->author_key), report->author_key_digest);
}
