/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and name of the host.
 *
 * The AK is used again as long as EK and key type are the same: a new AK means a new enrolment. Its blobs are
 * no secret (only this TPM can load them), its auth value is: it has a file of its own, read straight into
 * locked memory, and ak.json names its digest, so that a crash between the two files shows as "make a new
 * one" and not as a key that never works. What cannot be loaded although it should (the endorsement hierarchy
 * was cleared) is replaced. Spec: SR-10, SR-11; contracts (AK auto).
 */
#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_public.h"

#define AUTH_BYTES     32
#define JSON_BYTES_MAX 65536

static char *state_path(const struct agent_config *config, const char *name)
{
        return str_fmt("%s/%s", config->state_dir, name);
}

/* ---- files */

static int read_auth(const char *path, struct secret *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct secret s = {0};
        ssize_t n;

        if (fd < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        if (secret_alloc(&s, AUTH_BYTES) < 0)
                return err_nomem(err);
        n = read(fd, s.p, s.len);
        if (n != AUTH_BYTES) {
                secret_free(&s);
                return err_set(err, ERR_FORMAT, 0, "%s: %zd bytes, expected %d", SHOW(path), n, AUTH_BYTES);
        }
        *ret = s;
        return 0;
}

static int check_auth(const json_t *j, const struct secret *auth, struct err *err)
{
        AUTO(buf_free) struct buf said = {0};
        struct digest d;
        int r = json_get_hex(j, "auth_sha256", 32, &said, err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW(auth->p, auth->len), &d, err);
        if (r >= 0 && !equal_ct(d.b, d.len, said.p, said.len))
                r = err_set(err, ERR_FORMAT, 0, "ak.json and ak.auth are of different keys");
        return r;
}

static int read_json(const json_t *j, enum tpm_ek_type *ek, struct tpm_ak_blob *blob, struct err *err)
{
        const char *ek_name, *ak_name;
        int r = json_get_str(j, "ek", &ek_name, err);

        if (r >= 0)
                r = json_get_str(j, "ak", &ak_name, err);
        if (r >= 0 && (!tpm_ek_type_by_name(ek_name, ek) || !tpm_ak_type_by_name(ak_name, &blob->type)))
                r = err_set(err, ERR_FORMAT, 0, "unknown type of key");
        if (r >= 0)
                r = json_get_hex(j, "ek_name", 128, &blob->ek_name, err);
        if (r >= 0)
                r = json_get_base64(j, "public", 4096, &blob->public_area, err);
        if (r >= 0)
                r = json_get_base64(j, "private", 4096, &blob->private_area, err);
        return r;
}

/* Return: 1; 0 if there is no AK, or only parts of one; < 0 for what cannot be read at all. */
static int read_blob(const struct agent_config *config, enum tpm_ek_type *ek, struct tpm_ak_blob *ret,
                     struct err *err)
{
        AUTO(mem_free_p) char *path = state_path(config, "ak.json"), *auth = state_path(config, "ak.auth");
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct tpm_ak_blob blob = {0};
        int r;

        if (!path || !auth)
                return err_nomem(err);
        if (!file_exists(path) || !file_exists(auth))
                return 0;
        r = file_read(path, JSON_BYTES_MAX, &text, err);
        if (r >= 0)
                r = json_parse(VIEW_BUF(&text), JSON_BYTES_MAX, &j, err);
        if (r >= 0)
                r = read_json(j, ek, &blob, err);
        if (r >= 0)
                r = read_auth(auth, &blob.auth, err);
        if (r >= 0)
                r = check_auth(j, &blob.auth, err);
        if (r >= 0) {
                *ret = blob;
                return 1;
        }
        tpm_ak_blob_done(&blob);
        if (r != -ERR_FORMAT)
                return err_wrap(err, "%s", SHOW(path));
        log_warning("%s: %s: a new attestation key is made, and the host registers again", path, err->text);
        err_clear(err);
        return 0;
}

static int write_blob(const struct agent_config *config, enum tpm_ek_type ek, const struct tpm_ak_blob *blob,
                      struct err *err)
{
        AUTO(mem_free_p) char *path = state_path(config, "ak.json"), *auth = state_path(config, "ak.auth");
        AUTO(mem_free_p) char *text = NULL;
        AUTO(json_free_p) json_t *j = json_object();
        struct digest d;
        int r = digest_bytes(DIGEST_SHA256, VIEW(blob->auth.p, blob->auth.len), &d, err);

        if (r < 0)
                return r;
        if (json_set_str(j, "ek", tpm_ek_type_name(ek)) |
            json_set_str(j, "ak", tpm_ak_type_name(blob->type)) |
            json_set_hex(j, "ek_name", VIEW_BUF(&blob->ek_name)) |
            json_set_base64(j, "public", VIEW_BUF(&blob->public_area)) |
            json_set_base64(j, "private", VIEW_BUF(&blob->private_area)) |
            json_set_hex(j, "auth_sha256", digest_view(&d)))
                return err_nomem(err);
        text = json_print(j);
        if (!text || !path || !auth)
                return err_nomem(err);
        r = file_write(auth, VIEW(blob->auth.p, blob->auth.len), 0600, err);
        return r < 0 ? r : file_write(path, view_str(text), 0600, err);
}

/* ---- the EK */

/* The first type that the TPM has a certificate for; P-256 if it has none. */
static int choose_ek(struct tpm *tpm, const struct agent_config *config, enum tpm_ek_type *ret,
                     struct err *err)
{
        static const enum tpm_ek_type native[] = {TPM_EK_P256, TPM_EK_RSA2048, TPM_EK_P384};
        static const enum tpm_ek_type keylime[] = {TPM_EK_RSA2048, TPM_EK_P256, TPM_EK_P384};
        const enum tpm_ek_type *order = config->peer == AGENT_PEER_KEYLIME ? keylime : native;

        *ret = order[0];
        for (size_t i = 0; i < ARRAY_LEN(native); i++) {
                AUTO(buf_free) struct buf certificate = {0};
                int r = tpm_ek_certificate(tpm, order[i], &certificate, err);

                if (r < 0)
                        return r;
                if (certificate.len) {
                        *ret = order[i];
                        return 0;
                }
        }
        return 0;
}

static enum tpm_ak_type wanted_ak(const struct agent_config *config)
{
        enum tpm_ak_type type;

        if (tpm_ak_type_by_name(config->tpm.ak, &type))
                return type;
        return config->peer == AGENT_PEER_KEYLIME ? TPM_AK_RSA2048 : TPM_AK_P256;
}

static int load_ek(struct identity *id, struct tpm *tpm, struct tpm_ek **ret, struct err *err)
{
        int r = tpm_ek_load(tpm, id->ek_type, ret, err);

        if (r < 0)
                return r;
        buf_put_view(&id->ek_public, tpm_ek_public(*ret));
        if (!buf_ok(&id->ek_public))
                return err_nomem(err);
        r = tpm_ek_certificate(tpm, id->ek_type, &id->ek_certificate, err);
        return r < 0 ? r : tpm_ek_chain(tpm, &id->ek_chain, err);
}

/* ---- the AK */

static int make_ak(struct identity *id, struct tpm *tpm, struct tpm_ek *ek, const struct agent_config *config,
                   struct err *err)
{
        struct tpm_ak_blob blob = {0};
        int r = tpm_ak_create(tpm, ek, wanted_ak(config), &blob, err);

        if (r < 0)
                return r;
        r = write_blob(config, id->ek_type, &blob, err);
        if (r >= 0)
                r = tpm_ak_load(tpm, ek, &blob, &id->ak, err);
        id->ak_is_new = r >= 0;
        tpm_ak_blob_done(&blob);
        return r;
}

/* Return: 1 if the stored AK is loaded; 0 if another has to be made; < 0. */
static int use_stored(struct identity *id, struct tpm *tpm, struct tpm_ek *ek,
                      const struct agent_config *config, const struct tpm_ak_blob *blob, struct err *err)
{
        int r;

        if (blob->type != wanted_ak(config) || !view_equal(VIEW_BUF(&blob->ek_name), tpm_ek_name(ek)))
                return 0;
        r = tpm_ak_load(tpm, ek, blob, &id->ak, err);
        if (r >= 0)
                return 1;
        if (r != -ERR_TPM || tpm_err_is_lost(err) || tpm_err_is_stale(err))
                return r;
        log_warning(
                "the stored attestation key cannot be loaded (%s): a new one is made, and the host registers "
                "again",
                err->text);
        err_clear(err);
        return 0;
}

static int load_keys(struct identity *id, struct tpm *tpm, const struct agent_config *config, struct err *err)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        struct tpm_ak_blob blob = {0};
        enum tpm_ek_type stored_ek;
        int stored = read_blob(config, &stored_ek, &blob, err), r = stored;

        if (r < 0)
                return r;
        r = 0;
        if (!tpm_ek_type_by_name(config->tpm.ek, &id->ek_type)) {
                if (stored)
                        id->ek_type = stored_ek; /* `auto` does not change its mind */
                else
                        r = choose_ek(tpm, config, &id->ek_type, err);
        }
        if (r >= 0)
                r = load_ek(id, tpm, &ek, err);
        if (r >= 0 && stored)
                r = use_stored(id, tpm, ek, config, &blob, err);
        if (r == 0)
                r = make_ak(id, tpm, ek, config, err);
        tpm_ak_blob_done(&blob);
        return r < 0 ? r : 0;
}

/* ---- the name */

/* SHA-256, in hex, of the EK as PEM text: Keylime's hash_ek. */
static int hash_ek(struct identity *id, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        AUTO(mem_free_p) char *pem = NULL;
        struct tpm_public public;
        struct digest d;
        int r = tpm2b_public_parse(VIEW_BUF(&id->ek_public), &public, err);

        if (r >= 0)
                r = tpm_public_key(&public, &key, err);
        if (r >= 0)
                r = pubkey_pem(key, &pem, err);
        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, view_str(pem), &d, err);
        if (r < 0)
                return err_wrap(err, "host.id: hash_ek");
        (void)hex_write(id->host_id, digest_view(&d));
        return 0;
}

/* The name that was made once. */
static int kept_uuid(struct identity *id, const struct agent_config *config, struct err *err)
{
        AUTO(mem_free_p) char *path = state_path(config, "host_id");
        AUTO(buf_free) struct buf text = {0};
        char uuid[UUID_TEXT_BYTES];
        int r;

        if (!path)
                return err_nomem(err);
        if (!file_exists(path)) {
                r = uuid_random(uuid, err);
                if (r >= 0)
                        r = file_write(path, view_str(uuid), 0600, err);
                if (r < 0)
                        return r;
        }
        r = file_read(path, 64, &text, err);
        if (r < 0)
                return r;
        if (text.len != UUID_TEXT_BYTES - 1)
                return err_set(err, ERR_FORMAT, 0, "%s: no UUID: remove it for a new name", SHOW(path));
        memcpy(id->host_id, text.p, text.len);
        id->host_id[text.len] = '\0';
        if (!uuid_valid(id->host_id))
                return err_set(err, ERR_FORMAT, 0, "%s: no UUID: remove it for a new name", SHOW(path));
        return 0;
}

static int name(struct identity *id, const struct agent_config *config, struct err *err)
{
        if (str_equal(config->host_id, "hash_ek"))
                return hash_ek(id, err);
        if (str_equal(config->host_id, "uuid"))
                return kept_uuid(id, config, err);
        if (strlen(config->host_id) >= sizeof(id->host_id))
                return err_set(err, ERR_CONFIG, 0, "host.id is longer than 80 characters");
        memcpy(id->host_id, config->host_id, strlen(config->host_id) + 1);
        return 0;
}

int identity_load(struct identity *id, struct tpm *tpm, const struct agent_config *config, struct err *err)
{
        struct identity fresh = {0};
        int r = load_keys(&fresh, tpm, config, err);

        if (r >= 0)
                r = name(&fresh, config, err);
        if (r < 0)
                identity_done(&fresh);
        else
                *id = fresh;
        return r;
}

void identity_done(struct identity *id)
{
        tpm_ak_free(id->ak);
        buf_free(&id->ek_public);
        buf_free(&id->ek_certificate);
        buf_free(&id->ek_chain);
        *id = (struct identity){0};
}

int identity_activate(struct identity *id, struct tpm *tpm, struct view id_object, struct view secret,
                      struct secret *ret, struct err *err)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        int r = tpm_ek_load(tpm, id->ek_type, &ek, err);

        return r < 0 ? r : tpm_ak_activate(id->ak, ek, id_object, secret, ret, err);
}
