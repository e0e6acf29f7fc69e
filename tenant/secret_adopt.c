/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow secret adopt`: takes in what other TPM tools sealed. Such an object opens on its host whenever the
 * registers have its values, a copy of it too, whatever was revoked; so it is called what it is, and the
 * person has to say that he knows (SR-6). With --reseal the secret inside goes into an object of ours.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/secrets.h"

#define BLOB_MAX 4096

struct adopt_values {
        struct secret_options o;
        const char *pem, *public, *private, *parent, *pcrs, *values, *tenant, *out, *reseal;
        bool not_revocable, dry_run;
};

#define AT(member) offsetof(struct adopt_values, member)
static const struct option_row adopt_options[] = {
        {"pem", "FILE", "the object as a TSS2 PEM file", OPTION_TEXT, AT(pem)},
        {"public", "FILE", "or as tpm2_create wrote it (-u) …", OPTION_TEXT, AT(public)},
        {"private", "FILE", "… and its private part (-r)", OPTION_TEXT, AT(private)},
        {"parent", "HANDLE", "with --public: its parent, 0x81… or 0x40000001 (the owner's P-256 storage key)",
         OPTION_TEXT, AT(parent)},
        {"pcrs", "BANK:N,…", "the registers that it is sealed to, as in sha256:7,15", OPTION_TEXT, AT(pcrs)},
        {"pcr-values", "FILE", "their values, as tpm2_pcrread -o wrote them", OPTION_TEXT, AT(values)},
        {"tenant", "TENANT", "whose it is (default)", OPTION_TEXT, AT(tenant)},
        {"class", "CLASS", "its class (default: its name)", OPTION_TEXT, AT(o.class)},
        SECRET_OWNER_OPTIONS(struct adopt_values, o),
        SECRET_EK_OPTIONS(struct adopt_values, o),
        {"reseal", "FILE",
         "the secret in it, as it was unsealed (- is standard input): seal it anew, revocable", OPTION_TEXT,
         AT(reseal)},
        {"not-revocable", NULL, "yes, a copy of it opens for ever", OPTION_FLAG, AT(not_revocable)},
        {"out", "FILE", "write the document there, send nothing", OPTION_TEXT, AT(out)},
        {"dry-run", NULL, "check everything, send nothing", OPTION_FLAG, AT(dry_run)},
        {0},
};
#undef AT

/* The values one after another, ascending. */
static int read_values(const char *path, const struct pcr_selection *pcrs, struct digest *ret,
                       struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        size_t wanted = (size_t)__builtin_popcount(pcrs->mask) * digest_size(pcrs->bank);

        if (load_bytes(path, BLOB_MAX, &bytes, err) < 0)
                return -(int)err->kind;
        if (bytes.len != wanted)
                return err_set(err, ERR_CONFIG, 0, "%s: %zu bytes, but the selected registers have %zu", path,
                               bytes.len, wanted);
        return digest_bytes(DIGEST_SHA256, VIEW_BUF(&bytes), ret, err);
}

/* What tpm2_create wrote, as the file that TPM tools share. */
static int pem_of_parts(const struct adopt_values *v, char **ret, struct err *err)
{
        AUTO(buf_free) struct buf public = {0};
        AUTO(buf_free) struct buf private = {0};
        AUTO(buf_free) struct buf pem = {0};
        struct tss2_key key = {.type = TSS2_SEALED, .empty_auth = true};
        uint64_t parent;

        if (!v->private || !v->parent)
                return err_set(err, ERR_CONFIG, 0, "--public wants --private and --parent beside it");
        if (str_parse_hex(view_str(v->parent), UINT32_MAX, &parent, err) < 0)
                return err_wrap(err, "--parent");
        if (load_bytes(v->public, BLOB_MAX, &public, err) < 0 ||
            load_bytes(v->private, BLOB_MAX, &private, err) < 0)
                return -(int)err->kind;
        key.parent = (uint32_t)parent;
        key.public_area = VIEW_BUF(&public);
        key.private_area = VIEW_BUF(&private);
        if (tss2_pem_write(&key, &pem, err) < 0)
                return -(int)err->kind;
        *ret = buf_take_str(&pem);
        return *ret ? 0 : err_nomem(err);
}

static int read_object(const struct adopt_values *v, char **ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (!v->pem == !v->public)
                return err_set(err, ERR_CONFIG, 0,
                               "which object? Name it with --pem, or --public and --private");
        if (v->public)
                return pem_of_parts(v, ret, err);
        r = load_bytes(v->pem, TSS2_PEM_BYTES_MAX, &text, err);
        if (r < 0)
                return r;
        *ret = buf_take_str(&text);
        return *ret ? 0 : err_nomem(err);
}

static int set_scope(const struct adopt_values *v, const char *host, const char *name, struct secret_file *f,
                     struct err *err)
{
        const char *tenant = v->tenant ? v->tenant : "default", *class = v->o.class ? v->o.class : name;

        if (!str_valid_host_id(host) || !str_valid_name(name) || !str_valid_name(class) ||
            !str_valid_name(tenant))
                return err_set(err, ERR_CONFIG, 0, "host, name, class and tenant are of A-Z a-z 0-9 _ . -");
        memcpy(f->scope.host, host, strlen(host) + 1);
        memcpy(f->name, name, strlen(name) + 1);
        memcpy(f->scope.class, class, strlen(class) + 1);
        memcpy(f->scope.tenant, tenant, strlen(tenant) + 1);
        return 0;
}

static int adopt(const struct adopt_values *v, char **args, struct secret_file *f, struct err *err)
{
        AUTO(secret_owner_done) struct secret_owner owner = {0};

        if (!v->not_revocable)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "a plain PCR object cannot be revoked: a copy of it opens again after a reboot and "
                        "one extend. Say --not-revocable to have it as it is, or unseal and --reseal it");
        if (!v->pcrs || !v->values)
                return err_set(err, ERR_CONFIG, 0,
                               "what is it sealed to? Name --pcrs and --pcr-values ('tpm2_pcrread -o FILE "
                               "sha256:15'): a policy that cannot be rebuilt is refused");
        *f = (struct secret_file){
                .version = 1, .created_at_ms = clock_now_ms(), .kind = SEALED_PCR, .release_local = true};
        if (set_scope(v, args[0], args[1], f, err) < 0 || pcr_selection_parse(v->pcrs, &f->pcrs, err) < 0 ||
            read_values(v->values, &f->pcrs, &f->pcr_digest, err) < 0 ||
            read_object(v, &f->object, err) < 0 || secret_owner_open(&v->o, &owner, err) < 0 ||
            owner_make(signer_public(owner.signer), owner.delegation_or_null, &f->scope, &f->owner, err) <
                    0 ||
            sealing_sign(f, owner.signer, err) < 0)
                return -(int)err->kind;
        return 0;
}

static int send(const struct session *s, const struct secret_file *f, struct buf *text, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(mem_free_p) char *path = NULL;
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        struct api_request req = {.method = "PUT", .body = VIEW_BUF(text)};

        if (secret_path(f->scope.host, f->name, &path, err) < 0 || api_open(s, API_VERIFIER, &api, err) < 0)
                return -(int)err->kind;
        req.path = path;
        return api_send(api, &req, &answer, err);
}

/* The secret inside goes into an object of ours, in the place of what the host has under that name. */
static int reseal(const struct session *s, const struct adopt_values *v, char **args, struct secret_file *f,
                  struct err *err)
{
        AUTO(secret_owner_done) struct secret_owner owner = {0};
        AUTO(secret_file_done) struct secret_file old = {0};
        AUTO(secret_free) struct secret plain = {0};
        AUTO(api_close_p) struct api *api = NULL;
        struct sealing what = {.name = args[1], .class = v->o.class, .version = 1, .now_ms = clock_now_ms()};
        int r;

        if (v->pem || v->public || v->pcrs || v->not_revocable)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "--reseal makes a revocable secret out of the plain one: nothing of the old object "
                        "is kept");
        if (secret_owner_open(&v->o, &owner, err) < 0 || sealing_read_plain(v->reseal, &plain, err) < 0 ||
            api_open(s, API_VERIFIER, &api, err) < 0)
                return -(int)err->kind;
        r = secret_held(api, args[0], args[1], &old, err);
        if (r < 0)
                return r;
        if (r > 0 && old.revocable)
                return err_set(err, ERR_CONFIG, 0, "secret %s of host %s is revocable already", args[1],
                               args[0]);
        if (r > 0)
                what.version = old.version + 1;
        what.delegation = owner.delegation_or_null;
        return secret_seal_to(s, args[0], &owner, &v->o, &what, VIEW(plain.p, plain.len), f, err);
}

static int run_adopt(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct adopt_values *v = values;
        AUTO(json_free_p) json_t *doc = output_document("secrets");
        AUTO(buf_free) struct buf text = {0};
        AUTO(secret_file_done) struct secret_file f = {0};

        (void)n_args;
        if ((v->reseal ? reseal(s, v, args, &f, err) : adopt(v, args, &f, err)) < 0 ||
            secret_file_encode(&f, &text, err) < 0)
                return -(int)err->kind;
        if (v->out)
                return secret_write(v->out, &text, err) < 0 ? -(int)err->kind : (int)ANSWER_DONE;
        if (!v->dry_run && send(s, &f, &text, err) < 0)
                return -(int)err->kind;
        if (json_object_set_new(doc, "secrets", json_pack("[o]", secret_summary(&f, -1))) < 0)
                return err_nomem(err);
        return secret_print_list(s, doc, err) < 0 ? -(int)err->kind : (int)ANSWER_DONE;
}

const struct command secret_adopt_commands[] = {
        {"secret", "adopt", "HOST NAME", "Take in a plain PCR object that other tools sealed (not revocable)",
         adopt_options, sizeof(struct adopt_values), 2, 2, run_adopt},
        {0},
};
