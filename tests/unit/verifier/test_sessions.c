/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: a challenge is good for one host, one peer and one minute; a token for the peer that earned it.
 */
#include "verifier/sessions.h"

#include <stdlib.h>

#include "support/support.h"

static const uint8_t key_a[32] = {1}, key_b[32] = {2};
static const struct session_peer native = {.address = "192.0.2.1", .spki_sha256 = key_a};
static const struct session_peer stranger = {.address = "192.0.2.1", .spki_sha256 = key_b};
static const struct session_peer keylime = {.address = "192.0.2.1"};
static const struct session_peer elsewhere = {.address = "192.0.2.2"};

static int setup(void **state)
{
        struct err err = ERR_INIT;
        struct sessions *s = NULL;

        assert_ok(sessions_new(&s, &err), &err);
        *state = s;
        return 0;
}

static int teardown(void **state)
{
        sessions_free(*state);
        return 0;
}

static void challenges(void **state)
{
        uint8_t given[SESSION_CHALLENGE_BYTES], again[SESSION_CHALLENGE_BYTES],
                other[SESSION_CHALLENGE_BYTES];
        char id[UUID_TEXT_BYTES], id2[UUID_TEXT_BYTES];
        enum session_answer answer;
        struct err err = ERR_INIT;
        int64_t created = 0;

        assert_ok(sessions_challenge(*state, "web-1", &native, 1000000, id, given, &err), &err);
        assert_true(uuid_valid(id));
        assert_ok(sessions_recall(*state, id, "web-1", &native, 1000000 + 59000, &answer, again, &created,
                                  &err),
                  &err);
        assert_int_equal(answer, SESSION_OK);
        assert_int_equal(created, 1000000);
        assert_memory_equal(given, again, sizeof(given));
        /* another host, key, address: another challenge, so no proof over ours is good there */
        assert_ok(sessions_recall(*state, id, "web-2", &native, 1000000, &answer, other, &created, &err),
                  &err);
        assert_memory_not_equal(given, other, sizeof(given));
        assert_ok(sessions_recall(*state, id, "web-1", &stranger, 1000000, &answer, other, &created, &err),
                  &err);
        assert_memory_not_equal(given, other, sizeof(given));
        assert_ok(sessions_recall(*state, id, "web-1", &keylime, 1000000, &answer, other, &created, &err),
                  &err);
        assert_memory_not_equal(given, other, sizeof(given));
        assert_ok(sessions_recall(*state, id, "web-1", &native, 1000000 + 60001, &answer, other, &created,
                                  &err),
                  &err);
        assert_int_equal(answer, SESSION_EXPIRED);
        assert_ok(
                sessions_recall(*state, id, "web-1", &native, 1000000 - 5000, &answer, other, &created, &err),
                &err);
        assert_int_equal(answer, SESSION_EXPIRED); /* from the future: not ours, or the clock went back */
        assert_ok(
                sessions_recall(*state, "no-uuid", "web-1", &native, 1000000, &answer, other, &created, &err),
                &err);
        assert_int_equal(answer, SESSION_UNKNOWN);
        assert_ok(sessions_challenge(*state, "web-1", &native, 1000000, id2, other, &err), &err);
        assert_string_not_equal(id, id2);
        assert_int_equal(sessions_count(*state), 0); /* nothing was remembered */
}

static void open_one(struct sessions *s, const char *host, const struct session_peer *peer, bool by_address,
                     int64_t until, char *ret, size_t size)
{
        uint8_t challenge[SESSION_CHALLENGE_BYTES];
        struct err err = ERR_INIT;
        struct secret token;
        char id[UUID_TEXT_BYTES];

        assert_ok(sessions_challenge(s, host, peer, 1000, id, challenge, &err), &err);
        assert_ok(sessions_open(s, id, host, by_address, peer, 0, until, &token, &err), &err);
        (void)snprintf(ret, size, "%.*s", (int)token.len, (const char *)token.p);
        secret_free(&token);
}

static void tokens(void **state)
{
        char token[128], changed[128];
        enum session_answer answer;
        uint8_t challenge[SESSION_CHALLENGE_BYTES];
        struct err err = ERR_INIT;
        struct session *session;
        char id[UUID_TEXT_BYTES];
        int64_t created;

        open_one(*state, "web-1", &native, false, 5000, token, sizeof(token));
        session = sessions_find(*state, token, &native, 4999);
        assert_non_null(session);
        assert_string_equal(session_host(session), "web-1");
        assert_null(sessions_find(*state, token, &stranger, 0)); /* adversary-stolen-token */
        assert_null(sessions_find(*state, token, &keylime, 0));
        assert_null(sessions_find(*state, token, &native, 5000));
        session_extend(session, 9000);
        assert_non_null(sessions_find(*state, token, &native, 8000));
        session_extend(session, 1); /* never shorter */
        assert_non_null(sessions_find(*state, token, &native, 8000));
        for (size_t i = 0; i < strlen(token); i++) {
                (void)snprintf(changed, sizeof(changed), "%s", token);
                changed[i] = changed[i] == 'a' ? 'b' : 'a';
                assert_null(sessions_find(*state, changed, &native, 0));
                (void)snprintf(changed, i + 1, "%s", token);
                assert_null(sessions_find(*state, changed, &native, 0));
        }
        /* an id is good once */
        (void)snprintf(id, sizeof(id), "%.36s", token);
        assert_ok(sessions_recall(*state, id, "web-1", &native, 1000, &answer, challenge, &created, &err),
                  &err);
        assert_int_equal(answer, SESSION_UNKNOWN);
        sessions_drop(*state, session);
        assert_null(sessions_find(*state, token, &native, 0));
}

/* A proof is good once: not again after its session ended, and not twice when two are on their way at once.
 */
static void a_proof_is_good_once(void **state)
{
        uint8_t challenge[SESSION_CHALLENGE_BYTES];
        struct secret first, second = {0};
        enum session_answer answer;
        char id[UUID_TEXT_BYTES], text[128];
        struct err err = ERR_INIT;
        int64_t created;

        assert_ok(sessions_challenge(*state, "web-1", &native, 1000, id, challenge, &err), &err);
        assert_ok(sessions_open(*state, id, "web-1", false, &native, 0, 5000, &first, &err), &err);
        assert_int_equal(sessions_open(*state, id, "web-1", false, &native, 0, 5000, &second, &err),
                         -ERR_PEER);
        assert_null(second.p);
        assert_int_equal(sessions_count(*state), 1);
        (void)snprintf(text, sizeof(text), "%.*s", (int)first.len, (const char *)first.p);
        secret_free(&first);
        assert_non_null(sessions_find(*state, text, &native, 0));
        sessions_drop_host(*state, "web-1");
        sessions_sweep(*state, SESSION_CHALLENGE_MS);
        err_clear(&err);
        assert_ok(sessions_recall(*state, id, "web-1", &native, 1000 + SESSION_CHALLENGE_MS, &answer,
                                  challenge, &created, &err),
                  &err);
        assert_int_equal(answer, SESSION_UNKNOWN);
        /* and is forgotten when its challenge is over */
        sessions_sweep(*state, 1000 + 4 * SESSION_CHALLENGE_MS);
        assert_ok(sessions_recall(*state, id, "web-1", &native, 1000 + 4 * SESSION_CHALLENGE_MS, &answer,
                                  challenge, &created, &err),
                  &err);
        assert_int_equal(answer, SESSION_EXPIRED);
}

static void keylime_tokens(void **state)
{
        char token[128];

        open_one(*state, "web-1", &keylime, true, 5000, token, sizeof(token));
        assert_non_null(sessions_find(*state, token, &keylime, 0));
        assert_null(sessions_find(*state, token, &elsewhere, 0));
        assert_true(session_by_address(sessions_find(*state, token, &keylime, 0)));
}

static void a_few_per_host(void **state)
{
        char token[SESSIONS_PER_HOST + 2][128], other[128];

        open_one(*state, "web-2", &native, false, 5000, other, sizeof(other));
        for (size_t i = 0; i < SESSIONS_PER_HOST + 2; i++)
                open_one(*state, "web-1", &native, false, 5000 + (int64_t)i, token[i], sizeof(token[i]));
        assert_int_equal(sessions_count(*state), SESSIONS_PER_HOST + 1);
        assert_null(sessions_find(*state, token[0], &native, 0));
        assert_null(sessions_find(*state, token[1], &native, 0));
        assert_non_null(sessions_find(*state, token[2], &native, 0));
        assert_non_null(sessions_find(*state, other, &native, 0));
        sessions_sweep(*state, 5003);
        assert_int_equal(sessions_count(*state), 2);
        sessions_drop_host(*state, "web-1");
        assert_int_equal(sessions_count(*state), 0);
}

static void limits(void **state)
{
        int64_t wait = 0;

        for (int i = 0; i < 10; i++)
                assert_true(sessions_allow(*state, "192.0.2.1", 10, 1000, &wait));
        assert_false(sessions_allow(*state, "192.0.2.1", 10, 31000, &wait));
        assert_int_equal(wait, 30000);
        assert_true(sessions_allow(*state, "192.0.2.2", 10, 31000, &wait)); /* by source alone */
        assert_true(sessions_allow(*state, "192.0.2.1", 10, 61000, &wait));
}

static int all_of_it(void *ctx, struct err *err)
{
        struct sessions *s = NULL;
        struct secret token = {0};
        int64_t wait = 0;
        int r = sessions_new(&s, err);

        (void)ctx;
        if (r >= 0 && !sessions_allow(s, "192.0.2.1", 10, 0, &wait))
                r = err_nomem(err);
        if (r >= 0)
                r = sessions_open(s, "00000000-0000-7000-8000-000000000000", "web-1", false, &native, 0, 1,
                                  &token, err);
        secret_free(&token);
        sessions_free(s);
        return r;
}

static void oom(void **state)
{
        (void)state;
        oom_each(all_of_it, NULL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(challenges), T(tokens), T(a_proof_is_good_once), T(keylime_tokens), T(a_few_per_host),
                T(limits),     T(oom)};

        return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
