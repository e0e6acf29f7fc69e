/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's container. Nothing in it is signed but the hardware report; the text counts through the digest in
 * the report data, over exactly the bytes that came. Two keys of one name would let two readers take
 * different ones, and are refused.
 *
 * Spec: Azure, "Attestation with a vTPM: HCL report".
 */
#include "evidence/azure_hcl.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "evidence/snp.h"

#define HASH_SHA256 1
#define DATA_HEAD   20 /* size, version, type, hash, length */
#define KEYS_MAX    16
#define RSA_BYTES   512

static const uint8_t magic[] = {'H', 'C', 'L', 'A'};

static int cut_short(const struct cursor *c, struct err *err)
{
        return err_set(err, ERR_FORMAT, 0, "cut off at byte %zu", c->at);
}

static int parse(struct view in, struct azure_hcl *h, struct err *err)
{
        struct cursor c = cursor_of(in);
        uint32_t size, request, data_size, data_version, hash, length;
        struct view head;

        if (!cursor_take(&c, sizeof(magic), &head) || !cursor_le32(&c, &h->version) ||
            !cursor_le32(&c, &size) || !cursor_le32(&c, &request) || !cursor_skip(&c, 16) ||
            !cursor_take(&c, SNP_REPORT_BYTES, &h->hardware) || !cursor_le32(&c, &data_size) ||
            !cursor_le32(&c, &data_version) || !cursor_le32(&c, &h->type) || !cursor_le32(&c, &hash) ||
            !cursor_le32(&c, &length))
                return cut_short(&c, err);
        if (!view_equal(head, VIEW_ARRAY(magic)))
                return err_set(err, ERR_FORMAT, 0, "it does not begin with HCLA");
        if (h->version != 1 && h->version != 2)
                return err_set(err, ERR_FORMAT, 0, "version %u is not known", h->version);
        if (hash != HASH_SHA256)
                return err_set(err, ERR_FORMAT, 0, "hash type %u is not known", hash);
        if (data_size < DATA_HEAD || data_size - DATA_HEAD != length)
                return err_set(err, ERR_FORMAT, 0, "data of %u bytes with a text of %u", data_size, length);
        if (!cursor_take(&c, length, &h->data))
                return cut_short(&c, err);
        if (!snp_is_zero(cursor_rest(&c)))
                return err_set(err, ERR_FORMAT, 0, "something follows the text");
        return 0;
}

int azure_hcl_parse(struct view in, struct azure_hcl *ret, struct err *err)
{
        struct azure_hcl h = {0};

        if (in.len > AZURE_HCL_BYTES_MAX)
                return err_set(err, ERR_FORMAT, 0, "HCL report of %zu bytes (at most %d)", in.len,
                               AZURE_HCL_BYTES_MAX);
        if (parse(in, &h, err) < 0)
                return err_wrap(err, "HCL report");
        *ret = h;
        return 0;
}

int azure_hcl_binds(const struct azure_hcl *hcl, struct view report_data, bool *ret_good, struct err *err)
{
        struct cursor c = cursor_of(report_data);
        struct digest d;
        struct view said;
        int r = digest_bytes(DIGEST_SHA256, hcl->data, &d, err);

        if (r < 0)
                return r;
        *ret_good = report_data.len == SNP_DATA_BYTES && cursor_take(&c, d.len, &said) &&
                    equal_ct(said.p, said.len, d.b, d.len) && snp_is_zero(cursor_rest(&c));
        return 0;
}

static int number(const json_t *key, const char *name, size_t max, struct buf *ret, struct err *err)
{
        const char *text;

        if (json_get_str(key, name, &text, err) < 0)
                return -(int)err->kind;
        return base64url_decode(view_str(text), max, ret, err) < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

/* RFC 7518 §6.3. */
static int rsa_key(const json_t *key, struct pubkey **ret, struct err *err)
{
        AUTO(buf_free) struct buf n = {0}, e = {0};
        const char *kty = NULL;
        uint32_t exponent = 0;
        int r = json_get_str(key, "kty", &kty, err);

        if (r == 0 && strcmp(kty, "RSA") != 0)
                r = err_set(err, ERR_FORMAT, 0, "it is no RSA key");
        if (r == 0)
                r = number(key, "n", RSA_BYTES, &n, err);
        if (r == 0)
                r = number(key, "e", sizeof(exponent), &e, err);
        for (size_t i = 0; r == 0 && i < e.len; i++)
                exponent = exponent << 8 | e.p[i];
        if (r == 0 && exponent == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'e': zero");
        return r < 0 ? r : pubkey_from_rsa(VIEW_BUF(&n), exponent, ret, err);
}

int azure_hcl_ak(const struct azure_hcl *hcl, struct pubkey **ret, struct err *err)
{
        AUTO(json_free_p) json_t *text = NULL;
        const json_t *keys, *key, *ak = NULL;
        size_t i;
        int r = json_parse(hcl->data, AZURE_HCL_BYTES_MAX, &text, err);

        if (r == 0)
                r = json_get_array(text, "keys", KEYS_MAX, &keys, err);
        if (r < 0)
                return err_wrap(err, "HCL data");
        json_array_foreach (keys, i, key) {
                const char *kid = NULL;

                if (json_get_str(key, "kid", &kid, err) < 0)
                        return err_wrap(err, "HCL data: key %zu", i);
                if (strcmp(kid, "HCLAkPub") != 0)
                        continue;
                if (ak)
                        return err_set(err, ERR_FORMAT, 0, "HCL data: two keys are called HCLAkPub");
                ak = key;
        }
        if (!ak)
                return err_set(err, ERR_FORMAT, 0, "HCL data: no key is called HCLAkPub");
        r = rsa_key(ak, ret, err);
        return r < 0 ? err_wrap(err, "HCL data: HCLAkPub") : 0;
}
