/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy sign and verify: people who stand for a policy. What they sign is its text, byte by byte, in a
 * DSSE envelope that push takes and the verifier keeps; verify looks at the envelope again wherever it is,
 * with keys that whoever asks has, and not with what the verifier says of it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/signed.h"
#include "tenant/commands.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/policy_remote.h"
#include "tenant/signer.h"

#define PEM_BYTES_MAX 65536u

static int give_out(const char *out, struct view text, struct err *err)
{
        if (out)
                return file_create(out, text, 0644, err);
        if (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout))
                return err_set(err, ERR_IO, 0, "standard output cannot be written");
        return 0;
}

/* --- sign --- */

struct sign_options {
        struct option_list keys;
        const char *out;
};

static const struct option_row sign_rows[] = {
        {"key", "KEY", "an EC key, PEM or pkcs11:URI; more than one may sign", OPTION_LIST,
         offsetof(struct sign_options, keys)},
        {"out", "FILE", "where to (default: standard output; never overwritten)", OPTION_TEXT,
         offsetof(struct sign_options, out)},
        {0},
};

static int sign_with(struct dsse *d, const char *spec, struct err *err)
{
        AUTO(signer_free_p) struct signer *signer = NULL;
        AUTO(buf_free) struct buf pae = {0};
        AUTO(buf_free) struct buf raw = {0};
        const struct pubkey *key;
        bool good = false;
        size_t which;
        int r = signer_open(spec, &signer, err);

        if (r < 0)
                return r;
        key = signer_public(signer);
        if (pubkey_type(key) != PUBKEY_ECC)
                return err_set(err, ERR_CONFIG, 0,
                               "%s is no EC key: policies are signed with ECDSA and SHA-256", SHOW(spec));
        r = dsse_verify(d, &key, 1, &good, &which, err);
        if (r < 0 || good) /* once is enough */
                return r;
        dsse_pae(&pae, view_str(d->type), VIEW_BUF(&d->payload));
        if (!buf_ok(&pae))
                return err_nomem(err);
        r = signer_sign_raw(signer, VIEW_BUF(&pae), &raw, err);
        return r < 0 ? r : dsse_add(d, key, VIEW_BUF(&raw), err);
}

static int run_sign(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct sign_options *o = values;
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(dsse_done) struct dsse d = {0};
        AUTO(buf_free) struct buf file = {0};
        AUTO(mem_free_p) char *text = NULL;
        AUTO(buf_free) struct buf line = {0};
        struct view policy = VIEW_NONE;
        int r;

        (void)s, (void)n_args;
        if (!o->keys.n)
                return err_set(err, ERR_CONFIG, 0, "whose signature? Add --key KEY");
        /* read as a policy first: nobody signs what will not be taken */
        r = load_policy(args[0], &p, &file, err);
        if (r >= 0)
                r = policy_unwrap(VIEW_BUF(&file), &d, &policy, err);
        if (r >= 0 && d.n_signatures == 0)
                r = dsse_new(POLICY_DSSE_TYPE, policy, &d, err);
        for (size_t i = 0; r >= 0 && i < o->keys.n; i++)
                r = sign_with(&d, o->keys.v[i], err);
        if (r >= 0)
                r = dsse_text(&d, &text, err);
        if (r < 0)
                return r;
        buf_fmt(&line, "%s\n", text);
        r = buf_ok(&line) ? give_out(o->out, VIEW_BUF(&line), err) : err_nomem(err);
        return r < 0 ? r : ANSWER_DONE;
}

/* --- verify --- */

struct verify_options {
        struct option_list keys;
        const char *out;
};

static const struct option_row verify_rows[] = {
        {"key", "FILE", "a signer's public key, PEM; each of them must have signed", OPTION_LIST,
         offsetof(struct verify_options, keys)},
        {"out", "FILE", "the text that was signed, if all have signed it (never overwritten)", OPTION_TEXT,
         offsetof(struct verify_options, out)},
        {0},
};

static int verify_one(const struct dsse *d, const char *path, json_t *list, bool *ret_good, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        AUTO(buf_free) struct buf pem = {0};
        AUTO(mem_free_p) char *keyid = NULL;
        AUTO(json_free_p) json_t *j = json_object();
        const struct pubkey *keys[1];
        size_t which;
        int r = load_bytes(path, PEM_BYTES_MAX, &pem, err);

        if (r < 0)
                return r;
        r = pubkey_from_pem(VIEW_BUF(&pem), &key, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(path));
        keys[0] = key;
        *ret_good = false;
        if (d->n_signatures)
                r = dsse_verify(d, keys, 1, ret_good, &which, err);
        if (r < 0 || (r = dsse_keyid(key, &keyid, err)) < 0)
                return r;
        if (json_set_str(j, "key", path) | json_set_str(j, "keyid", keyid) |
            json_set_bool(j, "signed", *ret_good) | json_array_append(list, j))
                return err_nomem(err);
        return 0;
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {{"KEY", "key"}, {"KEY ID", "keyid"}, {"SIGNED", "signed"}};
        const struct verify_options *o = values;
        AUTO(dsse_done) struct dsse d = {0};
        AUTO(buf_free) struct buf file = {0};
        AUTO(json_free_p) json_t *doc = output_document("policy-signatures");
        json_t *list = json_array();
        struct view text = VIEW_NONE;
        bool all = true;
        int r;

        (void)n_args;
        if (json_object_set_new(doc, "keys", list) < 0)
                return err_nomem(err);
        if (!o->keys.n)
                return err_set(err, ERR_CONFIG, 0,
                               "whose signature? Add --key FILE with a public key that you trust");
        r = policy_bytes_file_or_remote(s, args[0], &file, err);
        if (r >= 0 && (r = policy_unwrap(VIEW_BUF(&file), &d, &text, err)) < 0)
                r = err_wrap(err, "%s", SHOW(args[0]));
        for (size_t i = 0; r >= 0 && i < o->keys.n; i++) {
                bool good = false;

                r = verify_one(&d, o->keys.v[i], list, &good, err);
                all = all && good;
        }
        if (r >= 0 && all && o->out)
                r = give_out(o->out, text, err);
        if (r >= 0)
                r = output_list(s, doc, "keys", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : all ? ANSWER_DONE : ANSWER_NO;
}

const struct command policy_sign_commands[] = {
        {"policy", "sign", "FILE", "Sign a policy, or add a signature to a signed one", sign_rows,
         sizeof(struct sign_options), 1, 1, run_sign},
        {"policy", "verify", "FILE|NAME[@VERSION]", "Say whether these keys have signed a policy",
         verify_rows, sizeof(struct verify_options), 1, 1, run_verify},
        {0},
};
