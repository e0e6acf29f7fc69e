/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS key of the network half. Whoever steals it (root, by definition on the same host) still needs the
 * AK to open a session with it, and a stolen token is of no use without it.
 */
#include "agent/net_key.h"

#include <string.h>

#include "base/file.h"
#include "crypto/cert.h"
#include "crypto/key.h"

#define PEM_MAX  65536
#define DAY_MS   INT64_C(86400000)
#define LIFE_MS  (3650 * DAY_MS)
#define RENEW_MS (30 * DAY_MS)

static int finish(const struct key *key, const struct cert *cert, struct net_key *ret, struct err *err)
{
        struct net_key k = {.cert_pem = NULL};
        int r = key_pem(key, &k.key_pem, err);
        if (r == 0)
                r = cert_pem(cert, &k.cert_pem, err);
        if (r == 0)
                r = pubkey_spki_sha256(cert_pubkey(cert), &k.spki_sha256, err);
        if (r < 0)
                net_key_done(&k);
        else
                *ret = k;
        return r;
}

/* Return: 1 and both objects if the files are there and still good; 0 if new ones are needed; < 0. */
static int read_pair(const char *key_path, const char *cert_path, const char *host_id, int64_t now_ms,
                     struct key **ret_key, struct cert **ret_cert, struct err *err)
{
        AUTO(key_free_p)
        struct key *key = NULL;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        struct buf pem = {0};
        struct err ignored = ERR_INIT;
        if (!file_exists(key_path) || !file_exists(cert_path))
                return 0;
        /* A damaged pair is replaced: nothing hangs on it but the next session. */
        if (key_load(key_path, &key, &ignored) < 0 || file_read(cert_path, PEM_MAX, &pem, &ignored) < 0) {
                buf_free(&pem);
                return ignored.kind == ERR_NOMEM ? err_nomem(err) : 0;
        }
        int r = cert_parse_pem(VIEW_BUF(&pem), &cert, &ignored);
        buf_free(&pem);
        if (r < 0)
                return r == -ERR_NOMEM ? err_nomem(err) : 0;
        if (!cert_key_fits(cert, key) || strcmp(cert_cn(cert), host_id) != 0 ||
            cert_not_after_ms(cert) < now_ms + RENEW_MS)
                return 0;
        *ret_key = TAKE(key);
        *ret_cert = TAKE(cert);
        return 1;
}

static int make_pair(const char *key_path, const char *cert_path, const char *host_id, int64_t now_ms,
                     struct key **ret_key, struct cert **ret_cert, struct err *err)
{
        AUTO(key_free_p)
        struct key *key = NULL;
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        struct secret secret = {0};
        /* The host's clock may be wrong, and nobody believes these dates. */
        struct cert_spec spec = {
                .kind = CERT_KIND_SELF,
                .cn = host_id,
                .not_before_ms = now_ms - DAY_MS,
                .not_after_ms = now_ms + LIFE_MS,
        };
        int r = key_generate_ec(CURVE_P256, &key, err);
        if (r == 0)
                r = key_public(key, &pub, err);
        if (r == 0)
                r = cert_issue(&spec, pub, NULL, key, &cert, err);
        if (r == 0)
                r = cert_pem(cert, &text, err);
        if (r == 0)
                r = key_pem(key, &secret, err);
        if (r == 0)
                r = file_write(key_path, VIEW(secret.p, secret.len), 0600, err);
        if (r == 0)
                r = file_write(cert_path, view_str(text), 0644, err);
        secret_free(&secret);
        if (r < 0)
                return r;
        *ret_key = TAKE(key);
        *ret_cert = TAKE(cert);
        return 0;
}

int net_key_load(const char *dir, const char *host_id, int64_t now_ms, struct net_key *ret, bool *ret_made,
                 struct err *err)
{
        AUTO(mem_free_p)
        char *key_path = str_fmt("%s/" NET_KEY_FILE, dir);
        AUTO(mem_free_p)
        char *cert_path = str_fmt("%s/" NET_KEY_CERT, dir);
        AUTO(key_free_p)
        struct key *key = NULL;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        if (key_path == NULL || cert_path == NULL)
                return err_nomem(err);
        int r = read_pair(key_path, cert_path, host_id, now_ms, &key, &cert, err);
        bool made = r == 0;
        if (r == 0)
                r = make_pair(key_path, cert_path, host_id, now_ms, &key, &cert, err);
        if (r >= 0)
                r = finish(key, cert, ret, err);
        if (r < 0)
                return err_wrap(err, "TLS key of the agent");
        *ret_made = made;
        return 0;
}

void net_key_done(struct net_key *key)
{
        secret_free(&key->key_pem);
        free(key->cert_pem);
        *key = (struct net_key){.cert_pem = NULL};
}
