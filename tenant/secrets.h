/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_SECRETS_H
#define AVOW_TENANT_SECRETS_H

#include <jansson.h>

#include "tenant/api.h"
#include "tenant/sealing.h"

/* What the files of `avow secret …` share. */

/* Options that several commands have. */
struct secret_options {
        const char *key, *delegation, *class, *ek_sha256;
        struct option_list ek_roots;
        bool host_only;
};

#define SECRET_OWNER_OPTIONS(type, member)                                                                   \
        {"key", "KEY", "the owner's private key: a file or a pkcs11: URI", OPTION_TEXT,                      \
         offsetof(type, member.key)},                                                                        \
        {                                                                                                    \
                "delegation", "FILE", "the root's word for this key ('avow secret delegate')", OPTION_TEXT,  \
                        offsetof(type, member.delegation)                                                    \
        }
#define SECRET_EK_OPTIONS(type, member)                                                                      \
        {"ek-roots", "PATH", "CA certificates of TPM makers, a file or folder (may be repeated)",            \
         OPTION_LIST, offsetof(type, member.ek_roots)},                                                      \
        {                                                                                                    \
                "ek-sha256", "HEX", "instead: the host's EK itself, SHA-256 of its public key (SPKI, DER)",  \
                        OPTION_TEXT, offsetof(type, member.ek_sha256)                                        \
        }

/* The owner's key and what stands behind it. */
struct secret_owner {
        struct signer *signer;
        struct delegation delegation;
        const struct delegation *delegation_or_null;
};
int secret_owner_open(const struct secret_options *o, struct secret_owner *ret, struct err *err) MUST_USE;
void secret_owner_done(struct secret_owner *owner);

/* "verifier" (or NULL) or "local". */
int secret_release_local(const char *text, bool *ret, struct err *err) MUST_USE;

/* Reads a document and checks its signatures: what a server or a disk gives is not believed. Return: 0;
 * -ERR_FORMAT, -ERR_CRYPTO. */
int secret_from_json(const json_t *doc, struct secret_file *ret, struct err *err) MUST_USE;
int secret_load(const char *path, struct secret_file *ret, struct err *err) MUST_USE;

/* "/avow/v1/hosts/HOST/secrets/NAME"; NAME NULL: the list. */
int secret_path(const char *host, const char *name, char **ret, struct err *err) MUST_USE;

/* Calls FN for every secret of HOST, or of every host (NULL). EPOCH: what the host's TPM certified, or -1. */
typedef int secret_fn(void *ctx, const struct secret_file *f, int64_t epoch, struct err *err);
int secret_each(struct api *api, const char *host, secret_fn *fn, void *ctx, struct err *err) MUST_USE;

/* What the host holds under NAME now. Return: 1 and *ret, 0 if nothing, < 0. */
int secret_held(struct api *api, const char *host, const char *name, struct secret_file *ret,
                struct err *err) MUST_USE;
/* Seals PLAIN to HOST as WHAT says, whose servers are asked and whose EK is checked here. */
int secret_seal_to(const struct session *s, const char *host, const struct secret_owner *owner,
                   const struct secret_options *o, const struct sealing *what, struct view plain,
                   struct secret_file *ret, struct err *err) MUST_USE;

/* One secret for people and scripts; the list of such in `secrets`. EPOCH as above. */
json_t *secret_summary(const struct secret_file *f, int64_t epoch) MUST_USE;
int secret_print_list(const struct session *s, const json_t *doc, struct err *err) MUST_USE;

/*
 * In a list of summaries: an approval without the verifier's release opens every secret of its class,
 * whatever the secret's own document says, so such secrets are shown as local (SR-1). HOST NULL: of all
 * hosts.
 */
int secret_mark_local(struct api *api, const char *host, json_t *list, struct err *err) MUST_USE;

/* TEXT and a line's end to a file (0644) or, with NULL, to standard output. */
int secret_write(const char *path, struct buf *text, struct err *err) MUST_USE;

#endif
