/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session id is a UUID of version 7: its first 48 bits are the time in ms, so that expiry needs no memory.
 * The challenge is HMAC-SHA-256(key of this process, id ‖ host ‖ peer), cut to 16 bytes. A restart of the
 * verifier makes a new key: whoever was in between asks again.
 */
#include "verifier/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#define SOURCES_MAX   65536 /* addresses whose rate is remembered */
#define SOURCE_WINDOW 60000
#define TOKEN_BYTES   32
#define SPENT_MS      (2 * SESSION_CHALLENGE_MS) /* with room for a wall clock that is set */

struct session {
        char id[UUID_TEXT_BYTES];
        char *host;
        struct digest token; /* SHA-256 of the token's second part */
        bool by_address;
        char address[46];
        uint8_t spki_sha256[32];
        int64_t opened_ms, until_ms; /* monotonic */
        struct session *next;        /* of the same host */
};

struct source {
        int64_t since_ms, n;
};

/* Only who holds a host's key gets an id in here, and asking for ids is limited by source. */
struct spent {
        int64_t until_ms; /* monotonic */
};

struct sessions {
        struct secret key;
        struct map by_id;   /* struct session, owned */
        struct map by_host; /* the first session of a host, borrowed */
        struct map spent;   /* ids that were opened, until their challenge is over: struct spent */
        struct map sources;
};

static void session_free(void *p)
{
        struct session *session = p;

        free(session->host);
        free(session);
}

int sessions_new(struct sessions **ret, struct err *err)
{
        AUTO(sessions_free_p)
        struct sessions *s = mem_zalloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_nomem(err);
        map_init(&s->by_id, session_free);
        map_init(&s->by_host, NULL);
        map_init(&s->spent, free);
        map_init(&s->sources, free);
        if (secret_alloc(&s->key, 32) < 0)
                return err_nomem(err);
        r = random_bytes(s->key.p, s->key.len, err);
        if (r < 0)
                return r;
        *ret = TAKE(s);
        return 0;
}

void sessions_free(struct sessions *s)
{
        if (!s)
                return;
        map_done(&s->by_host);
        map_done(&s->by_id);
        map_done(&s->spent);
        map_done(&s->sources);
        secret_free(&s->key);
        free(s);
}

/* A fixed window per address: simple, and as good as its purpose needs. When too many addresses are
 * remembered, all are forgotten: an attacker with 65536 addresses is not held by counting them. */
bool sessions_allow(struct sessions *s, const char *address, int64_t per_minute, int64_t now_ms,
                    int64_t *ret_wait_ms)
{
        struct source *source = map_get(&s->sources, address);

        if (!source) {
                if (map_count(&s->sources) >= SOURCES_MAX)
                        map_clear(&s->sources);
                source = mem_zalloc(1, sizeof(*source));
                if (!source || map_put(&s->sources, address, source) < 0) {
                        free(source);
                        *ret_wait_ms = 1000;
                        return false;
                }
                source->since_ms = now_ms;
        }
        if (now_ms - source->since_ms >= SOURCE_WINDOW)
                *source = (struct source){.since_ms = now_ms};
        if (source->n >= per_minute) {
                *ret_wait_ms = source->since_ms + SOURCE_WINDOW - now_ms;
                return false;
        }
        source->n++;
        return true;
}

/* ---- challenges ---- */

static int make_challenge(struct sessions *s, const char *id, const char *host,
                          const struct session_peer *peer, uint8_t ret[SESSION_CHALLENGE_BYTES],
                          struct err *err)
{
        /* every part but the last ends in a NUL, so that no two inputs are the same bytes */
        struct view parts[] = {VIEW(id, strlen(id) + 1), VIEW(host, strlen(host) + 1),
                               peer->spki_sha256 ? VIEW(peer->spki_sha256, 32)
                                                 : VIEW(peer->address, strlen(peer->address))};
        struct digest mac;
        int r = hmac_parts(DIGEST_SHA256, VIEW(s->key.p, s->key.len), parts, ARRAY_LEN(parts), &mac, err);

        if (r >= 0)
                memcpy(ret, mac.b, SESSION_CHALLENGE_BYTES);
        return r;
}

int sessions_challenge(struct sessions *s, const char *host, const struct session_peer *peer, int64_t now_ms,
                       char ret_id[UUID_TEXT_BYTES], uint8_t ret_challenge[SESSION_CHALLENGE_BYTES],
                       struct err *err)
{
        uint8_t u[16];
        char hex[33];
        int r = random_bytes(u, sizeof(u), err);

        if (r < 0)
                return r;
        for (int i = 0; i < 6; i++)
                u[i] = (uint8_t)(now_ms >> (40 - 8 * i));
        u[6] = (uint8_t)((u[6] & 0x0f) | 0x70); /* RFC 9562 §5.7 */
        u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
        (void)hex_write(hex, VIEW_ARRAY(u));
        (void)snprintf(ret_id, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                       hex + 20);
        return make_challenge(s, ret_id, host, peer, ret_challenge, err);
}

/* The time in an id. */
static int64_t id_time(const char *id)
{
        struct err ignored = ERR_INIT;
        char digits[13];
        uint8_t b[6] = {0};
        int64_t ms = 0;

        (void)snprintf(digits, sizeof(digits), "%.8s%.4s", id, id + 9);
        if (hex_decode_exact(view_str(digits), b, sizeof(b), &ignored) < 0)
                return 0;
        for (size_t i = 0; i < sizeof(b); i++)
                ms = ms << 8 | b[i];
        return ms;
}

int sessions_recall(struct sessions *s, const char *id, const char *host, const struct session_peer *peer,
                    int64_t now_ms, enum session_answer *ret_answer,
                    uint8_t ret_challenge[SESSION_CHALLENGE_BYTES], int64_t *ret_created_ms, struct err *err)
{
        int64_t created;

        if (!uuid_valid(id) || map_get(&s->spent, id)) {
                *ret_answer = SESSION_UNKNOWN;
                return 0;
        }
        created = id_time(id);
        *ret_created_ms = created;
        *ret_answer = now_ms - created > SESSION_CHALLENGE_MS || created > now_ms + 1000 ? SESSION_EXPIRED
                                                                                         : SESSION_OK;
        return make_challenge(s, id, host, peer, ret_challenge, err);
}

/* ---- proven sessions ---- */

static void unlink_from_host(struct sessions *s, struct session *session)
{
        struct session *first = map_get(&s->by_host, session->host), **at = &first;

        while (*at && *at != session)
                at = &(*at)->next;
        if (*at)
                *at = session->next;
        if (!first)
                (void)map_take(&s->by_host, session->host);
        else
                (void)!map_put(&s->by_host, session->host, first); /* replaces a value: needs no memory */
}

void sessions_drop(struct sessions *s, struct session *session)
{
        unlink_from_host(s, session);
        (void)map_remove(&s->by_id, session->id);
}

void sessions_drop_host(struct sessions *s, const char *host)
{
        struct session *session;

        while ((session = map_get(&s->by_host, host)) != NULL)
                sessions_drop(s, session);
}

/* A host holds a few at most: a new one ends the oldest. Only who has the host's key gets here. */
static void make_room(struct sessions *s, const char *host)
{
        struct session *oldest = NULL;
        size_t n = 0;

        for (struct session *x = map_get(&s->by_host, host); x; x = x->next, n++)
                oldest = x; /* the last in the list */
        if (n >= SESSIONS_PER_HOST)
                sessions_drop(s, oldest);
}

static int make_token(struct session *session, struct secret *ret_token, struct err *err)
{
        uint8_t random[TOKEN_BYTES];
        char text[UUID_TEXT_BYTES + 1 + 44 + 1];
        AUTO(mem_free_p)
        char *encoded = NULL;
        struct secret token = {0};
        int r = random_bytes(random, sizeof(random), err);

        if (r < 0)
                return r;
        encoded = base64url_encode(VIEW_ARRAY(random));
        if (!encoded)
                return err_nomem(err);
        (void)snprintf(text, sizeof(text), "%s.%s", session->id, encoded);
        r = digest_bytes(DIGEST_SHA256, view_str(encoded), &session->token, err);
        if (r >= 0 && secret_alloc(&token, strlen(text)) < 0)
                r = err_nomem(err);
        if (r >= 0) {
                memcpy(token.p, text, token.len);
                *ret_token = token;
        }
        mem_wipe(random, sizeof(random));
        mem_wipe(text, sizeof(text));
        mem_wipe(encoded, strlen(encoded));
        return r;
}

static int keep(struct sessions *s, struct session *session, struct err *err)
{
        session->next = map_get(&s->by_host, session->host);
        if (map_put(&s->by_host, session->host, session) < 0)
                return err_nomem(err);
        if (map_put(&s->by_id, session->id, session) == 0)
                return 0;
        unlink_from_host(s, session);
        return err_nomem(err);
}

/* The id was good once: also when its session has ended since, and when two proofs for it were on their way
 * at the same time. */
int sessions_spend(struct sessions *s, const char *id, int64_t now_ms, struct err *err)
{
        struct spent *spent;

        if (map_get(&s->spent, id))
                return err_set(err, ERR_PEER, 0, "session %s was opened already", SHOW(id));
        spent = mem_zalloc(1, sizeof(*spent));
        if (!spent || map_put(&s->spent, id, spent) < 0) {
                free(spent);
                return err_nomem(err);
        }
        spent->until_ms = now_ms + SPENT_MS;
        return 0;
}

int sessions_open(struct sessions *s, const char *id, const char *host, bool by_address,
                  const struct session_peer *peer, int64_t now_ms, int64_t until_ms, struct secret *ret_token,
                  struct err *err)
{
        struct session *session = NULL;
        struct secret token = {0};
        int r = sessions_spend(s, id, now_ms, err);

        if (r < 0)
                return r;
        session = mem_zalloc(1, sizeof(*session));
        if (!session)
                return err_nomem(err);
        (void)snprintf(session->id, sizeof(session->id), "%s", id);
        (void)snprintf(session->address, sizeof(session->address), "%s", peer->address);
        session->by_address = by_address;
        session->opened_ms = now_ms;
        session->until_ms = until_ms;
        if (peer->spki_sha256)
                memcpy(session->spki_sha256, peer->spki_sha256, 32);
        session->host = str_dup(host);
        r = session->host ? make_token(session, &token, err) : err_nomem(err);
        if (r >= 0) {
                make_room(s, host);
                r = keep(s, session, err);
        }
        if (r < 0) {
                session_free(session);
                secret_free(&token);
                return r;
        }
        *ret_token = token;
        return 0;
}

struct session *sessions_find(struct sessions *s, const char *token, const struct session_peer *peer,
                              int64_t now_ms)
{
        struct err ignored = ERR_INIT;
        struct session *session;
        char id[UUID_TEXT_BYTES];
        struct digest d;

        if (strlen(token) < UUID_TEXT_BYTES || token[UUID_TEXT_BYTES - 1] != '.')
                return NULL;
        memcpy(id, token, sizeof(id));
        id[sizeof(id) - 1] = '\0';
        session = map_get(&s->by_id, id);
        if (!session || session->until_ms <= now_ms)
                return NULL;
        if (digest_bytes(DIGEST_SHA256, view_str(token + UUID_TEXT_BYTES), &d, &ignored) < 0 ||
            !digest_equal(&d, &session->token))
                return NULL;
        if (session->by_address) /* SR-13: good from the address that earned it */
                return strcmp(session->address, peer->address) == 0 ? session : NULL;
        if (!peer->spki_sha256 || !equal_ct(peer->spki_sha256, 32, session->spki_sha256, 32))
                return NULL; /* SR-13: bound to the key of the TLS certificate */
        return session;
}

const char *session_host(const struct session *session)
{
        return session->host;
}

bool session_by_address(const struct session *session)
{
        return session->by_address;
}

void session_extend(struct session *session, int64_t until_ms)
{
        if (until_ms > session->until_ms)
                session->until_ms = until_ms;
}

void sessions_sweep(struct sessions *s, int64_t now_ms)
{
        struct view id;
        size_t pos = 0;
        void *value;

        while (map_next(&s->by_id, &pos, NULL, &value))
                if (((struct session *)value)->until_ms <= now_ms)
                        sessions_drop(s, value);
        for (pos = 0; map_next(&s->spent, &pos, &id, &value);)
                if (((struct spent *)value)->until_ms <= now_ms)
                        (void)map_remove(&s->spent, (const char *)id.p); /* a key ends in a NUL */
}

size_t sessions_count(const struct sessions *s)
{
        return map_count(&s->by_id);
}
