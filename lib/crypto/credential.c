/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2_MakeCredential in software. A random seed goes to the EK (OAEP, or one half of an ECDH); from it and
 * the name of the object to be proven come the key that hides the challenge and the key that authenticates
 * it. A TPM opens it only if it holds the EK and an object of that name is loaded: so whoever tells the
 * challenge has both in one TPM. What kind of object that is, the name's public area has to tell (SR-10).
 *
 * The seed and the wrapper are in crypto/seed.c.
 *
 * Spec: TPM 2.0 Part 1 rev 1.59, §24 (credentials), B.10.4, C.7.4; Part 2 §12.4.3 (TPM2B_ID_OBJECT).
 */
#include "crypto/credential.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/seed.h"

#define LABEL_IDENTITY "IDENTITY"

/* From the seed: hide and authenticate the challenge. */
static int wrap(const struct credential_ek *ek, struct view seed, struct view name, struct view challenge,
                struct buf *ret, struct err *err)
{
        uint8_t identity[2 + DIGEST_BYTES_MAX];
        int r;

        identity[0] = (uint8_t)(challenge.len >> 8);
        identity[1] = (uint8_t)challenge.len;
        memcpy(identity + 2, challenge.p, challenge.len);
        r = seed_wrap(ek, seed, name, VIEW(identity, challenge.len + 2), ret, err);
        mem_wipe(identity, sizeof(identity));
        return r;
}

int credential_make(const struct credential_ek *ek, struct view name, struct view challenge,
                    struct buf *ret_id_object, struct buf *ret_secret, struct err *err)
{
        uint8_t seed[DIGEST_BYTES_MAX];
        size_t size = digest_size(ek->name_alg);
        int r = seed_usable(ek, err);

        if (r < 0)
                return r;
        if (challenge.len > size)
                return err_set(err, ERR_LIMIT, 0, "a challenge of %zu bytes; this EK takes %zu",
                               challenge.len, size);
        r = seed_make(ek, LABEL_IDENTITY, seed, size, ret_secret, err);
        if (r >= 0)
                r = wrap(ek, VIEW(seed, size), name, challenge, ret_id_object, err);
        mem_wipe(seed, sizeof(seed));
        return r < 0 ? err_wrap(err, "make a credential") : 0;
}

int credential_make_file(const struct credential_ek *ek, struct view name, struct view challenge,
                         struct buf *ret, struct err *err)
{
        struct buf id_object = {0}, secret = {0};
        int r = credential_make(ek, name, challenge, &id_object, &secret, err);

        if (r >= 0) {
                buf_be32(ret, CREDENTIAL_FILE_MAGIC);
                buf_be32(ret, CREDENTIAL_FILE_VERSION);
                buf_put_view(ret, VIEW_BUF(&id_object));
                buf_put_view(ret, VIEW_BUF(&secret));
                r = buf_ok(ret) ? 0 : err_nomem(err);
        }
        buf_free(&id_object);
        buf_free(&secret);
        return r;
}
