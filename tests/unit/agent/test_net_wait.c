/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose nonce a proof is asked for with, when an order comes from the verifier and from the listener, where
 * anybody can send it with a nonce of his own. The TPM half is the other end of a socket.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/net_machine.h"
#include "base/hex.h"
#include "support/support.h"

struct fixture {
        struct net net;
        struct net_waiter *w;
        int pair[2];
        struct buf in;
        char asked[128]; /* "JWS/NONCE" of the last question; "": none came */
};

static void nothing(void *ctx, enum net_tpm_asker asker, const struct privsep_frame *frame)
{
        (void)ctx, (void)asker, (void)frame;
}

static void no_event(void *ctx, const struct privsep_event *event)
{
        (void)ctx, (void)event;
}

static void no_end(void *ctx, const struct err *err)
{
        (void)ctx, (void)err;
}

static int setup(void **state)
{
        static const struct agent_config config = {.peer = AGENT_PEER_AVOW};
        static struct fixture f;
        const struct net_tpm_callbacks callbacks = {nothing, no_event, no_end, NULL};
        struct err err = ERR_INIT;

        f = (struct fixture){.net = {.config = &config, .native = true}};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f.pair), 0);
        assert_ok(loop_new(&f.net.loop, &err), &err);
        assert_ok(net_tpm_new(f.net.loop, f.pair[0], &callbacks, &f.net.tpm, &err), &err);
        assert_ok(net_wait_new(&f.net, &f.w, &err), &err);
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        net_wait_free(f->w);
        net_tpm_free(f->net.tpm);
        loop_free(f->net.loop);
        buf_free(&f->in);
        (void)close(f->pair[0]);
        (void)close(f->pair[1]);
        return 0;
}

/* Reads the question that was asked, if one was, and answers it with a proof. */
static const char *question(struct fixture *f)
{
        const struct privsep_frame answer = {
                .type = PRIVSEP_REVOKE, .result = PRIVSEP_OK, .body = view_str("{}")};
        struct err err = ERR_INIT;
        struct privsep_frame q;
        struct privsep_revoke m;
        uint8_t bytes[1024];
        ssize_t n = recv(f->pair[1], bytes, sizeof(bytes), 0);
        AUTO(mem_free_p) char *nonce = NULL;

        f->asked[0] = '\0';
        if (n <= 0)
                return f->asked;
        buf_reset(&f->in);
        buf_put(&f->in, bytes, (size_t)n);
        assert_int_equal(privsep_request_take(VIEW_BUF(&f->in), &q, &err), n);
        assert_int_equal(q.type, PRIVSEP_REVOKE);
        assert_ok(privsep_revoke_get(q.body, &m, &err), &err);
        nonce = hex_encode(m.nonce);
        (void)snprintf(f->asked, sizeof(f->asked), "%.*s/%.8s", (int)m.jws.len, (const char *)m.jws.p, nonce);
        net_wait_answer(f->w, &answer);
        return f->asked;
}

static struct wire_meta word(const char *jws, uint8_t nonce)
{
        struct wire_meta m = {.jws = (char *)(uintptr_t)jws, .has_nonce = nonce != 0};

        memset(m.nonce, nonce, sizeof(m.nonce));
        return m;
}

static const char *told(struct fixture *f, const char *jws, uint8_t nonce)
{
        const struct wire_meta m = word(jws, nonce);

        net_wait_told(f->w, &m);
        return question(f);
}

static const char *heard(struct fixture *f, const char *jws, uint8_t nonce)
{
        const struct wire_meta m = word(jws, nonce);

        net_wait_heard(f->w, &m);
        return question(f);
}

/* By the listener alone: the order, and the nonce of whoever came last, so that the right one gets its turn.
 */
static void by_the_listener(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(heard(f, "a.b.c", 0), "a.b.c/");
        assert_string_equal(heard(f, "a.b.c", 0), "");
        assert_string_equal(heard(f, "a.b.c", 0x11), "a.b.c/11111111");
        assert_string_equal(heard(f, "a.b.c", 0x11), ""); /* sent twice */
        assert_string_equal(heard(f, "a.b.c", 0), "");    /* nothing new */
        assert_string_equal(heard(f, "a.b.c", 0x22), "a.b.c/22222222");
        assert_string_equal(heard(f, "d.e.f", 0x33), "d.e.f/33333333");
}

/* What the verifier said stays, whatever is sent with its order. */
static void the_verifier_first(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(told(f, "a.b.c", 0x22), "a.b.c/22222222");
        assert_string_equal(heard(f, "a.b.c", 0x11), "");
        assert_string_equal(heard(f, "a.b.c", 0), "");
        assert_string_equal(told(f, "a.b.c", 0x22), "");
        assert_string_equal(heard(f, "d.e.f", 0x33), "d.e.f/33333333"); /* a newer order */
}

/* What the verifier says later takes the place of what was heard, and stays then. */
static void the_verifier_later(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(heard(f, "a.b.c", 0x11), "a.b.c/11111111");
        assert_string_equal(told(f, "a.b.c", 0x22), "a.b.c/22222222");
        assert_string_equal(heard(f, "a.b.c", 0x11), "");
        /* ... also when it says what was heard */
        assert_string_equal(heard(f, "d.e.f", 0x33), "d.e.f/33333333");
        assert_string_equal(told(f, "d.e.f", 0x33), "");
        assert_string_equal(heard(f, "d.e.f", 0x44), "");
}

/* The verifier does not know the nonce yet: the listener's is used until it does. */
static void the_verifier_without_nonce(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(told(f, "a.b.c", 0), "a.b.c/");
        assert_string_equal(heard(f, "a.b.c", 0x11), "a.b.c/11111111");
        assert_string_equal(told(f, "a.b.c", 0x22), "a.b.c/22222222");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {T(by_the_listener), T(the_verifier_first), T(the_verifier_later),
                                           T(the_verifier_without_nonce)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
