/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy import and export: Keylime's runtime policies and reference states, in and out. What the other
 * side cannot say is said to the person, line by line on standard error, and --strict makes it a failure. A
 * signed policy is read only with the key of somebody who is trusted: an envelope says nothing of who that
 * is.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/dsse.h"
#include "policy/signed.h"
#include "tenant/commands.h"
#include "tenant/keylime_out.h"
#include "tenant/load.h"
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

/* Tells the person. Return: 0; -ERR_CONFIG if something was lost and that is too much. */
static int tell(const struct keylime_said *said, bool strict, const char *where, struct err *err)
{
        for (size_t i = 0; i < said->lost.n; i++)
                (void)fprintf(stderr, "avow: cannot be said %s: %s\n", where, said->lost.items[i]);
        for (size_t i = 0; i < said->notes.n; i++)
                (void)fprintf(stderr, "avow: note: %s\n", said->notes.items[i]);
        if (strict && said->lost.n)
                return err_set(err, ERR_CONFIG, 0,
                               "--strict: %zu things cannot be said %s; nothing was written", said->lost.n,
                               where);
        return 0;
}

/* --- import --- */

struct import_options {
        const char *name, *description, *key, *out;
        bool unverified, strict;
};

static const struct option_row import_rows[] = {
        {"name", "NAME", "the policy's name (default: default)", OPTION_TEXT,
         offsetof(struct import_options, name)},
        {"description", "TEXT", "what it is for", OPTION_TEXT, offsetof(struct import_options, description)},
        {"key", "FILE", "of a signed policy: the signer's public key, PEM", OPTION_TEXT,
         offsetof(struct import_options, key)},
        {"unverified", NULL, "take a signed policy without a look at its signature", OPTION_FLAG,
         offsetof(struct import_options, unverified)},
        {"strict", NULL, "write nothing if something cannot be said", OPTION_FLAG,
         offsetof(struct import_options, strict)},
        {"out", "FILE", "where to (default: standard output; never overwritten)", OPTION_TEXT,
         offsetof(struct import_options, out)},
        {0},
};

static int check_signature(const struct import_options *o, const struct dsse *d, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        AUTO(buf_free) struct buf pem = {0};
        const struct pubkey *keys[1];
        bool good = false;
        size_t which;
        int r;

        if (!str_equal(d->type, DSSE_TYPE_KEYLIME))
                return err_set(err, ERR_FORMAT, 0, "an envelope of type %s, expected " DSSE_TYPE_KEYLIME,
                               SHOW(d->type));
        if (!o->key)
                return o->unverified
                               ? 0
                               : err_set(err, ERR_CONFIG, 0,
                                         "it is signed: name the key that you trust with --key FILE, or take "
                                         "it as it is with --unverified");
        if ((r = load_bytes(o->key, PEM_BYTES_MAX, &pem, err)) < 0)
                return r;
        r = pubkey_from_pem(VIEW_BUF(&pem), &key, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(o->key));
        keys[0] = key;
        r = dsse_verify(d, keys, 1, &good, &which, err);
        if (r < 0)
                return r;
        return good ? 0 : err_set(err, ERR_CONFIG, 0, "the key of %s has not signed it", SHOW(o->key));
}

/* The JSON in a file, out of its envelope. */
static int read_json(const struct import_options *o, const char *path, json_t **ret, struct buf *ret_text,
                     struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(dsse_done) struct dsse d = {0};
        int r = load_bytes(path, DSSE_TEXT_MAX, ret_text, err);

        if (r >= 0)
                r = json_parse(VIEW_BUF(ret_text), DSSE_TEXT_MAX, &j, err);
        if (r < 0)
                return r;
        if (!json_object_get(j, "payload")) {
                if (o->key)
                        return err_set(err, ERR_CONFIG, 0, "it is not signed, and --key wants a signature");
                *ret = TAKE(j);
                return 0;
        }
        r = dsse_parse(VIEW_BUF(ret_text), &d, err);
        if (r >= 0)
                r = check_signature(o, &d, err);
        if (r < 0)
                return r;
        buf_reset(ret_text);
        buf_put_view(ret_text, VIEW_BUF(&d.payload));
        if (!buf_ok(ret_text))
                return err_nomem(err);
        return json_parse(VIEW_BUF(ret_text), DSSE_PAYLOAD_MAX, ret, err);
}

/* One file of Keylime's, as a section. */
static int import_one(const struct import_options *o, const char *path, struct buf *ima, struct buf *boot,
                      json_t *kept, struct keylime_said *said, struct err *err)
{
        AUTO(keylime_policy_free_p) struct keylime_policy *p = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(buf_free) struct buf text = {0};
        bool runtime, refstate;
        int r = read_json(o, path, &j, &text, err);

        if (r < 0)
                return err_wrap(err, "%s", SHOW(path));
        runtime = json_object_get(j, "digests") != NULL;
        refstate = json_object_get(j, "kernels") || json_object_get(j, "scrtm_and_bios");
        if (!runtime && !refstate)
                return err_set(err, ERR_FORMAT, 0,
                               "%s: neither a Keylime runtime policy (digests, …) nor a reference state "
                               "(scrtm_and_bios, kernels, …)",
                               SHOW(path));
        if ((runtime ? ima : boot)->len)
                return err_set(err, ERR_CONFIG, 0, "%s: two files of one kind", SHOW(path));
        if (runtime) {
                r = keylime_policy_parse(VIEW_BUF(&text), &p, err);
                if (r >= 0)
                        r = keylime_in_runtime(p, ima, kept, said, err);
        } else {
                r = keylime_in_refstate(j, boot, kept, said, err);
        }
        return r < 0 ? err_wrap(err, "%s", SHOW(path)) : 0;
}

static int write_policy(const struct import_options *o, const struct buf *ima, const struct buf *boot,
                        const json_t *kept, struct buf *out, struct err *err)
{
        AUTO(mem_free_p) char *line = json_print(kept);

        if (!line)
                return err_nomem(err);
        buf_fmt(out, "format: avow-policy/2\nname: %s\ndescription: ", o->name ? o->name : "default");
        keylime_scalar(out, o->description ? o->description : "imported from Keylime's format");
        buf_fmt(out,
                "\n# What only Keylime's format says: 'avow policy export' gives it back, and nothing judges "
                "by it.\n" KEYLIME_KEPT "%s\n",
                line);
        buf_put_view(out, VIEW_BUF(ima));
        buf_put_view(out, VIEW_BUF(boot));
        return buf_ok(out) ? 0 : err_nomem(err);
}

static int run_import(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct import_options *o = values;
        AUTO(keylime_said_done) struct keylime_said said = {.lost = {0}};
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(json_free_p) json_t *kept = json_object();
        AUTO(buf_free) struct buf ima = {0};
        AUTO(buf_free) struct buf boot = {0};
        AUTO(buf_free) struct buf text = {0};
        int r = 0;

        (void)s;
        if (o->name && !str_valid_name(o->name))
                return err_set(err, ERR_CONFIG, 0, "--name: %s is no name", SHOW(o->name));
        for (int i = 0; r >= 0 && i < n_args; i++)
                r = import_one(o, args[i], &ima, &boot, kept, &said, err);
        if (r >= 0)
                r = write_policy(o, &ima, &boot, kept, &text, err);
        if (r >= 0) /* what comes out is a policy */
                r = policy_parse(VIEW_BUF(&text), "the policy made", &p, err);
        if (r >= 0)
                r = tell(&said, o->strict, "in a policy", err);
        if (r >= 0)
                r = give_out(o->out, VIEW_BUF(&text), err);
        return r < 0 ? r : ANSWER_DONE;
}

/* --- export --- */

struct export_options {
        const char *as, *key, *out;
        bool strict;
};

static const struct option_row export_rows[] = {
        {"as", "keylime-runtime|keylime-measured-boot", "which of Keylime's formats", OPTION_TEXT,
         offsetof(struct export_options, as)},
        {"key", "KEY", "sign it: an EC key, PEM or pkcs11:URI", OPTION_TEXT,
         offsetof(struct export_options, key)},
        {"strict", NULL, "write nothing if something cannot be said", OPTION_FLAG,
         offsetof(struct export_options, strict)},
        {"out", "FILE", "where to (default: standard output; never overwritten)", OPTION_TEXT,
         offsetof(struct export_options, out)},
        {0},
};

/* TEXT in an envelope. */
static int sign_text(const char *spec, char **text, struct err *err)
{
        AUTO(signer_free_p) struct signer *signer = NULL;
        AUTO(dsse_done) struct dsse d = {0};
        AUTO(buf_free) struct buf pae = {0};
        AUTO(buf_free) struct buf raw = {0};
        int r = signer_open(spec, &signer, err);

        if (r >= 0)
                r = dsse_new(DSSE_TYPE_KEYLIME, view_str(*text), &d, err);
        if (r < 0)
                return r;
        dsse_pae(&pae, view_str(d.type), VIEW_BUF(&d.payload));
        if (!buf_ok(&pae))
                return err_nomem(err);
        r = signer_sign_raw(signer, VIEW_BUF(&pae), &raw, err);
        if (r >= 0)
                r = dsse_add(&d, signer_public(signer), VIEW_BUF(&raw), err);
        if (r < 0)
                return r;
        free(*text);
        *text = NULL;
        return dsse_text(&d, text, err);
}

static int export_text(const struct export_options *o, const struct policy *p, const json_t *kept, char **ret,
                       struct keylime_said *said, struct err *err)
{
        AUTO(keylime_policy_free_p) struct keylime_policy *runtime = NULL;
        AUTO(json_free_p) json_t *refstate = NULL;
        int r;

        if (str_equal(o->as, "keylime-runtime")) {
                r = keylime_out_runtime(p, clock_now_ms(), kept, &runtime, said, err);
                return r < 0 ? r : keylime_policy_text(runtime, ret, err);
        }
        r = keylime_out_refstate(p, clock_now_ms(), kept, &refstate, said, err);
        if (r < 0)
                return r;
        *ret = json_print(refstate);
        return *ret ? 0 : err_nomem(err);
}

static int run_export(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct export_options *o = values;
        AUTO(keylime_said_done) struct keylime_said said = {.lost = {0}};
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(dsse_done) struct dsse envelope = {0};
        AUTO(json_free_p) json_t *kept = NULL;
        AUTO(buf_free) struct buf file = {0};
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *text = NULL;
        struct view policy = VIEW_NONE;
        int r;

        (void)n_args;
        if (!str_equal(o->as, "keylime-runtime") && !str_equal(o->as, "keylime-measured-boot"))
                return err_set(err, ERR_CONFIG, 0,
                               "as what? --as keylime-runtime or --as keylime-measured-boot");
        if (o->key && !str_equal(o->as, "keylime-runtime"))
                return err_set(err, ERR_CONFIG, 0,
                               "--key: Keylime takes signatures on runtime policies only");
        if (policy_names_file(args[0]))
                r = load_policy(args[0], &p, &file, err);
        else
                r = policy_bytes_file_or_remote(s, args[0], &file, err);
        if (r >= 0)
                r = policy_unwrap(VIEW_BUF(&file), &envelope, &policy, err);
        if (r >= 0 && !p)
                r = policy_parse(policy, args[0], &p, err);
        if (r >= 0)
                r = keylime_kept_read(policy, &kept, err);
        if (r >= 0)
                r = export_text(o, p, kept, &text, &said, err);
        if (r >= 0 && o->key)
                r = sign_text(o->key, &text, err);
        if (r >= 0)
                r = tell(&said, o->strict, "to Keylime", err);
        if (r < 0)
                return r;
        buf_fmt(&out, "%s\n", text);
        r = buf_ok(&out) ? give_out(o->out, VIEW_BUF(&out), err) : err_nomem(err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command policy_keylime_commands[] = {
        {"policy", "import", "FILE…", "Make a policy of Keylime's runtime policy and reference state",
         import_rows, sizeof(struct import_options), 1, 2, run_import},
        {"policy", "export", "FILE|NAME[@VERSION]", "Write a policy in one of Keylime's formats", export_rows,
         sizeof(struct export_options), 1, 1, run_export},
        {0},
};
