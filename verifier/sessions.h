/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_SESSIONS_H
#define AVOW_VERIFIER_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/uuid.h"

/*
 * Sessions: who has shown that it holds a host's key. Asking for one costs us nothing to remember: the
 * challenge is a MAC over time, id, host and peer, made again when the proof comes. Only proven sessions are
 * kept, a few per host. A token is kept as its SHA-256 and is good only from the peer that earned it: the key
 * of its TLS certificate, or for Keylime's agents, which have none, its address. Pure but for random numbers.
 * Spec: SR-13.
 */
#define SESSION_CHALLENGE_BYTES 16
#define SESSION_CHALLENGE_MS    60000
#define SESSIONS_PER_HOST       4

/* Who is at the other end of a connection. */
struct session_peer {
        const char *address;
        const uint8_t *spki_sha256; /* 32 bytes, or NULL: no certificate */
};

struct sessions;

int sessions_new(struct sessions **ret, struct err *err) MUST_USE;
void sessions_free(struct sessions *s);
DEFINE_AUTO(struct sessions, sessions_free)

/* One more request from ADDRESS: at most PER_MINUTE. Return: true; false with the wait. NOW_MS is monotonic.
 */
bool sessions_allow(struct sessions *s, const char *address, int64_t per_minute, int64_t now_ms,
                    int64_t *ret_wait_ms);

/* A new session's id and challenge. NOW_MS is wall-clock time. Return: 0; -ERR_CRYPTO. */
int sessions_challenge(struct sessions *s, const char *host, const struct session_peer *peer, int64_t now_ms,
                       char ret_id[UUID_TEXT_BYTES], uint8_t ret_challenge[SESSION_CHALLENGE_BYTES],
                       struct err *err) MUST_USE;

enum session_answer { SESSION_OK, SESSION_EXPIRED, SESSION_UNKNOWN };
/* The challenge that ID was given with. SESSION_UNKNOWN: no id of ours, or used already. Return: 0;
 * -ERR_CRYPTO. */
int sessions_recall(struct sessions *s, const char *id, const char *host, const struct session_peer *peer,
                    int64_t now_ms, enum session_answer *ret_answer,
                    uint8_t ret_challenge[SESSION_CHALLENGE_BYTES], int64_t *ret_created_ms,
                    struct err *err) MUST_USE;

/* The id was good once: from now on sessions_recall() does not know it. Return: 0; -ERR_PEER: it was used
 * already; -ERR_NOMEM. NOW_MS is monotonic. */
int sessions_spend(struct sessions *s, const char *id, int64_t now_ms, struct err *err) MUST_USE;

/* Keeps a proven session until UNTIL_MS (monotonic) and gives its token. BY_ADDRESS: a Keylime peer. An id is
 * good once. Return: 0; -ERR_PEER: it was used already; -ERR_NOMEM; -ERR_CRYPTO. */
int sessions_open(struct sessions *s, const char *id, const char *host, bool by_address,
                  const struct session_peer *peer, int64_t now_ms, int64_t until_ms, struct secret *ret_token,
                  struct err *err) MUST_USE;

struct session;
/* The session that TOKEN opens from this peer, or NULL. NOW_MS is monotonic. */
struct session *sessions_find(struct sessions *s, const char *token, const struct session_peer *peer,
                              int64_t now_ms);
const char *session_host(const struct session *session);
bool session_by_address(const struct session *session);
void session_extend(struct session *session, int64_t until_ms);
/* Ends it. */
void sessions_drop(struct sessions *s, struct session *session);
/* Ends all of a host. */
void sessions_drop_host(struct sessions *s, const char *host);
/* Forgets what has ended. */
void sessions_sweep(struct sessions *s, int64_t now_ms);
size_t sessions_count(const struct sessions *s);

#endif
