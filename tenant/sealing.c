/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing for a TPM that is elsewhere. The secret is in clear in this process and, after TPM2_Import, in that
 * TPM; on the way it is under the EK. Its policy is rebuilt from its parts when the document is finished
 * (secret_file_rebuild()), so what was sealed is what the document says.
 *
 * Spec: SR-1, SR-6, SR-10; docs/protocol.md, "Secrets".
 */
#include "tenant/sealing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "crypto/import_blob.h"
#include "evidence/seal_policy.h"

static int set_name(char *ret, size_t size, const char *name, const char *what, struct err *err)
{
        if (!str_valid_name(name) || strlen(name) >= size)
                return err_set(err, ERR_CONFIG, 0, "%s %s: expected 1 to 64 of A-Z a-z 0-9 _ . -", what,
                               SHOW(name));
        memcpy(ret, name, strlen(name) + 1);
        return 0;
}

static int set_scope(const struct target *t, const char *class, bool host_only, struct secret_scope *ret,
                     struct err *err)
{
        memcpy(ret->tenant, t->tenant, sizeof(ret->tenant));
        memcpy(ret->host, t->host, sizeof(ret->host));
        ret->host_only = host_only;
        return set_name(ret->class, sizeof(ret->class), class, "class", err);
}

/* The TSS2 PEM text of an object that the host imports. */
static int put_object(const struct target *t, const struct digest *policy, struct view plain,
                      struct secret_file *f, struct err *err)
{
        AUTO(import_blob_done) struct import_blob blob = {0};
        AUTO(buf_free) struct buf pem = {0};
        struct tss2_key key = {
                .type = TSS2_SEALED,
                .parent = TPM_ENDORSEMENT,
        };
        int r = import_blob_make(&t->credential, plain, policy, &blob, err);

        if (r < 0)
                return r;
        key.public_area = VIEW_BUF(&blob.public_area);
        key.private_area = VIEW_BUF(&blob.duplicate);
        key.secret = VIEW_BUF(&blob.seed);
        r = tss2_pem_write(&key, &pem, err);
        if (r < 0)
                return r;
        f->object = buf_take_str(&pem);
        return f->object ? 0 : err_nomem(err);
}

static int seal(const struct target *t, struct view plain, struct secret_file *f, struct err *err)
{
        AUTO(secret_free) struct secret key = {0};
        struct digest ref, policy;

        if (secret_scope_ref(&f->scope, &ref, err) < 0 ||
            seal_policy(owner_authority(&f->owner), digest_view(&ref), tpm_name_view(&f->epoch_name),
                        f->epoch, &policy, err) < 0)
                return -(int)err->kind;
        if (plain.len <= SEALED_BYTES_MAX)
                return put_object(t, &policy, plain, f, err);
        if (secret_payload_seal(f, plain, &key, err) < 0)
                return -(int)err->kind;
        return put_object(t, &policy, VIEW(key.p, key.len), f, err);
}

int sealing_sign(struct secret_file *f, struct signer *signer, struct err *err)
{
        AUTO(buf_free) struct buf message = {0};

        buf_free(&f->signature);
        if (secret_file_rebuild(f, err) < 0 || secret_file_message(f, &message, err) < 0)
                return -(int)err->kind;
        return signer_sign(signer, VIEW_BUF(&message), &f->signature, err);
}

int sealing_make(const struct target *t, const struct sealing *what, struct signer *signer, struct view plain,
                 struct secret_file *ret, struct err *err)
{
        AUTO(secret_file_done)
        struct secret_file f = {.version = what->version,
                                .created_at_ms = what->now_ms,
                                .kind = SEALED_CHAIN,
                                .release_local = what->local,
                                .epoch_index = t->epoch_index,
                                .epoch_name = t->epoch_name,
                                .epoch = t->epoch};

        if (set_name(f.name, sizeof(f.name), what->name, "secret", err) < 0 ||
            set_scope(t, what->class ? what->class : what->name, what->host_only, &f.scope, err) < 0 ||
            owner_make(signer_public(signer), what->delegation, &f.scope, &f.owner, err) < 0 ||
            seal(t, plain, &f, err) < 0 || sealing_sign(&f, signer, err) < 0)
                return err_wrap(err, "sealing %s to host %s", what->name, t->host);
        *ret = f;
        f = (struct secret_file){0};
        return 0;
}

/* ---- reading one ---- */

/* All of FD, and whether it ended within SIZE bytes. */
static int read_all(int fd, uint8_t *p, size_t size, size_t *ret, struct err *err)
{
        size_t n = 0;

        while (n < size) {
                ssize_t got = read(fd, p + n, size - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_errno(err, errno, "the secret cannot be read");
                if (got == 0)
                        break;
                n += (size_t)got;
        }
        *ret = n;
        return 0;
}

int sealing_read_plain(const char *path, struct secret *ret, struct err *err)
{
        AUTO(secret_free) struct secret room = {0};
        AUTO(fd_close_p) int opened = -1;
        int fd = STDIN_FILENO;
        size_t n = 0;

        if (strcmp(path, "-") != 0) {
                opened = fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return err_errno(err, errno, "open '%s'", path);
        }
        if (secret_alloc(&room, SECRET_PAYLOAD_MAX + 1) < 0)
                return err_nomem(err);
        if (read_all(fd, room.p, room.len, &n, err) < 0)
                return -(int)err->kind;
        if (n == 0 || n > SECRET_PAYLOAD_MAX)
                return err_set(err, ERR_LIMIT, 0, "a secret is 1 to %u bytes; '%s' has %s",
                               SECRET_PAYLOAD_MAX, path, n ? "more" : "none");
        if (secret_alloc(ret, n) < 0)
                return err_nomem(err);
        memcpy(ret->p, room.p, n);
        return 0;
}
