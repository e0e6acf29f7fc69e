/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remote sealing: what TPM2_Duplicate would put out, made by software. The sensitive area (the secret, and a
 * seed that blinds it in the public area) goes into an outer wrapper that the host's EK alone opens; the
 * public area fixes the policy, and the wrapper's integrity value covers its name, so neither can be given
 * another half on the way. fixedTPM and fixedParent have to be clear for TPM2_Import; duplicating the object
 * on still takes a policy that says so (TPM_CC_Duplicate), and no bracket that we approve does (SR-7).
 *
 * Spec: TPM 2.0 Part 1 rev 1.59 §23.3; Part 2 §12.3.2.4 (TPMT_SENSITIVE), §12.2.4; Part 3 §13.3 (Import).
 */
#include "crypto/import_blob.h"

#include <string.h>

#include "crypto/random.h"
#include "crypto/seed.h"

#define LABEL_DUPLICATE "DUPLICATE"
#define ALG_KEYEDHASH   0x0008u
#define ALG_NULL        0x0010u
#define ATTRIBUTES      0x00000480u /* adminWithPolicy, noDA */
#define NAME_BYTES      34

void import_blob_done(struct import_blob *blob)
{
        buf_free(&blob->public_area);
        buf_free(&blob->duplicate);
        buf_free(&blob->seed);
}

/* The public area and its name. BLIND ‖ SECRET hashes to `unique`. */
static int make_public(struct view blind, struct view secret, const struct digest *policy, struct buf *ret,
                       uint8_t ret_name[NAME_BYTES], struct err *err)
{
        const struct view hidden[] = {blind, secret};
        AUTO(buf_free)
        struct buf area = {0};
        struct digest unique, d;
        int r = digest_parts(DIGEST_SHA256, hidden, ARRAY_LEN(hidden), &unique, err);

        if (r < 0)
                return r;
        buf_be16(&area, ALG_KEYEDHASH);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, ATTRIBUTES);
        buf_be16_bytes(&area, digest_view(policy));
        buf_be16(&area, ALG_NULL); /* scheme: plain data */
        buf_be16_bytes(&area, digest_view(&unique));
        buf_be16_bytes(ret, VIEW_BUF(&area));
        if (!buf_ok(&area) || !buf_ok(ret))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&area), &d, err);
        if (r < 0)
                return r;
        ret_name[0] = DIGEST_SHA256 >> 8;
        ret_name[1] = DIGEST_SHA256;
        memcpy(ret_name + 2, d.b, d.len);
        return 0;
}

static void put16(uint8_t **at, size_t x)
{
        *(*at)++ = (uint8_t)(x >> 8);
        *(*at)++ = (uint8_t)x;
}

/* TPM2B_SENSITIVE, in memory that is wiped. */
static int make_sensitive(struct view blind, struct view secret, struct secret *ret, struct err *err)
{
        size_t size = 2 + 2 + 2 + blind.len + 2 + secret.len;
        uint8_t *at;

        if (secret_alloc(ret, 2 + size) < 0)
                return err_nomem(err);
        at = ret->p;
        put16(&at, size);
        put16(&at, ALG_KEYEDHASH);
        put16(&at, 0); /* authValue: none, and userWithAuth is clear */
        put16(&at, blind.len);
        memcpy(at, blind.p, blind.len);
        at += blind.len;
        put16(&at, secret.len);
        memcpy(at, secret.p, secret.len);
        return 0;
}

static int make(const struct credential_ek *ek, struct view secret, const struct digest *policy,
                struct import_blob *blob, struct err *err)
{
        uint8_t blind[32], name[NAME_BYTES], seed[DIGEST_BYTES_MAX];
        size_t size = digest_size(ek->name_alg);
        struct secret sensitive = {0};
        int r = random_bytes(blind, sizeof(blind), err);

        if (r >= 0)
                r = make_public(VIEW_ARRAY(blind), secret, policy, &blob->public_area, name, err);
        if (r >= 0)
                r = make_sensitive(VIEW_ARRAY(blind), secret, &sensitive, err);
        if (r >= 0)
                r = seed_make(ek, LABEL_DUPLICATE, seed, size, &blob->seed, err);
        if (r >= 0)
                r = seed_wrap(ek, VIEW(seed, size), VIEW_ARRAY(name), VIEW(sensitive.p, sensitive.len),
                              &blob->duplicate, err);
        secret_free(&sensitive);
        mem_wipe(seed, sizeof(seed));
        mem_wipe(blind, sizeof(blind));
        return r;
}

int import_blob_make(const struct credential_ek *ek, struct view secret, const struct digest *policy,
                     struct import_blob *ret, struct err *err)
{
        struct import_blob blob = {0};
        int r;

        if (secret.len == 0 || secret.len > SEALED_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a secret of %zu bytes (1 to %d are sealed directly)",
                               secret.len, SEALED_BYTES_MAX);
        if (policy->alg != DIGEST_SHA256)
                return err_set(err, ERR_BUG, 0, "a policy that is not SHA-256");
        r = seed_usable(ek, err);
        if (r >= 0)
                r = make(ek, secret, policy, &blob, err);
        if (r < 0) {
                import_blob_done(&blob);
                return err_wrap(err, "seal for another TPM");
        }
        *ret = blob;
        return 0;
}
