/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner keys, wherever they are. Every signature is checked before it is given out: a token that signs with
 * another key than it shows, or in another form, is found here and not on a host that does not open.
 */
#include "tenant/signer.h"

#include "base/mem.h"
#include "base/str.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "tenant/pkcs11.h"

struct signer {
        struct key *file;
        struct pkcs11_key *token;
        struct pubkey *public;
};

void signer_free(struct signer *s)
{
        if (!s)
                return;
        key_free(s->file);
        pkcs11_close(s->token);
        pubkey_free(s->public);
        free(s);
}

int signer_open(const char *spec, struct signer **ret, struct err *err)
{
        AUTO(signer_free_p) struct signer *s = mem_zalloc(1, sizeof(*s));
        uint8_t name[TPM_KEY_NAME_BYTES];
        int r;

        if (!s)
                return err_nomem(err);
        if (str_starts(spec, "pkcs11:")) {
                r = pkcs11_open(spec, &s->token, err);
                if (r >= 0)
                        r = pkcs11_public(s->token, &s->public, err);
        } else {
                r = key_load(spec, &s->file, err);
                if (r >= 0)
                        r = key_public(s->file, &s->public, err);
        }
        /* a key that no TPM can check is no owner's */
        if (r >= 0)
                r = tpm_key_name(s->public, name, err);
        if (r < 0)
                return err_wrap(err, "key");
        *ret = TAKE(s);
        return 0;
}

const struct pubkey *signer_public(const struct signer *s)
{
        return s->public;
}

int signer_sign_raw(struct signer *s, struct view message, struct buf *ret, struct err *err)
{
        int r = s->token ? pkcs11_sign(s->token, message, ret, err)
                         : key_sign(s->file, DIGEST_SHA256, message, ret, err);

        return r < 0 ? err_wrap(err, "signing") : 0;
}

int signer_sign(struct signer *s, struct view message, struct buf *ret, struct err *err)
{
        AUTO(buf_free) struct buf raw = {0};
        AUTO(buf_free) struct buf signature = {0};
        bool good = false;
        int r = signer_sign_raw(s, message, &raw, err);

        if (r < 0)
                return r;
        r = tpm_key_signature(s->public, VIEW_BUF(&raw), &signature, err);
        if (r >= 0)
                r = seal_signature_check(s->public, VIEW_BUF(&signature), message, &good, err);
        if (r < 0)
                return err_wrap(err, "signing");
        if (!good)
                return err_set(err, ERR_CRYPTO, 0, "signing: the token's signature is not its public key's");
        buf_put_view(ret, VIEW_BUF(&signature));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int signer_delegate(struct signer *root, const struct secret_scope *scope, const struct pubkey *key,
                    struct delegation *ret, struct err *err)
{
        AUTO(buf_free) struct buf message = {0};
        AUTO(buf_free) struct buf signature = {0};

        if (delegation_message(scope, key, &message, err) < 0 ||
            signer_sign(root, VIEW_BUF(&message), &signature, err) < 0)
                return -(int)err->kind;
        return delegation_of(scope, root->public, key, VIEW_BUF(&signature), ret, err);
}
