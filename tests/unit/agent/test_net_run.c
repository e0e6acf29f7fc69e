/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole network half against a script: this process plays the TPM half and both servers, the half itself
 * runs in a child. Each request must be the script's next one; what it answers is the script's.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/net.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "net_fake.h"

#define UUID_A "0d6e9a3a-9a0f-4a77-8bd4-6f3e1f2c4d5e"
#define UUID_V "4b1f1c9e-52a7-4c0e-9e57-0a8b6a7c1d2f"
#define C16    "AAECAwQFBgcICQoLDA0ODw=="
#define C32    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

#define VERSION                                                                                              \
        "{\"code\":200,\"status\":\"Success\",\"results\":{\"supported_versions\":[\"2.5\",\"2.6\",\"3.0\"]" \
        "}}"
/* magic, version, an id object of one byte, a secret of one byte */
#define BLOB "{\"code\":200,\"status\":\"Success\",\"results\":{\"blob\":\"utzA3gAAAAEAAUEAAUI=\"}}"
#define DONE "{\"code\":200,\"status\":\"Success\",\"results\":{}}"
#define CHALLENGE_OF(meta)                                                                                   \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"authentication_requested\":[{\"authentication_class\":\"pop\",\"authentication_type\":"           \
        "\"tpm_pop\",\"chosen_parameters\":{\"challenge\":\"" C16 "\"}}],\"created_at\":"                    \
        "\"2026-11-21T17:41:11Z\",\"challenges_expire_at\":\"2026-11-21T17:42:11Z\"}}" meta "}"
#define CHALLENGE CHALLENGE_OF(",\"meta\":{\"avow\":{\"verifier_id\":\"" UUID_V "\"}}")
#define SESSION                                                                                              \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"evaluation\":\"pass\",\"token\":\"the-token\",\"token_expires_at\":\"2026-11-21T17:44:12Z\"}}}"
#define NOT_ENROLLED                                                                                         \
        "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"web-1\","      \
        "\"evaluation\":\"fail\"}}}"
#define ASKS(offset)                                                                                         \
        "\"evidence_requested\":[{\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\","     \
        "\"chosen_parameters\":{\"challenge\":\"" C32 "\",\"signature_scheme\":\"ecdsa\","                   \
        "\"hash_algorithm\":\"sha256\",\"selected_subjects\":{\"sha256\":[15]}}},{\"evidence_class\":"       \
        "\"log\",\"evidence_type\":\"cel_log\",\"chosen_parameters\":{\"starting_offset\":" #offset ","      \
        "\"format\":\"application/json-seq\"}}]"
#define ASKED                                                                                                \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"stage\":\"awaiting_evidence\"," ASKS(0) "}}}"
#define NEXT(index, offset, seconds, deadline)                                                               \
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"stage\":\"verification_complete\","           \
        "\"evaluation\":\"pass\"}},\"meta\":{\"seconds_to_next_attestation\":" #seconds                      \
        ",\"avow\":{\"next\":{\"index\":" #index ",\"challenges_expire_at\":\"2026-11-21T17:42:11Z\","       \
        "\"deadline_ms\":" #deadline "," ASKS(offset) "}}}}"
#define REFUSAL(code) "{\"errors\":[{\"status\":\"400\",\"code\":\"" code "\",\"detail\":\"no\\u001b[31m\"}]}"

/* One request that must come, and its answer. */
struct step {
        const char *method, *path;
        int status;        /* 0: the connection is closed without an answer */
        const char *extra; /* header lines with their ends, or NULL */
        const char *body;
        int64_t after_ms; /* at least so long after the step before */
        const char *has;  /* must be in the request, header or body; NULL: anything */
};

#define REGISTER                                                                                             \
        {"GET", "/version", 200, NULL, VERSION, 0, NULL},                                                    \
                {"POST", "/v2.6/agents/web-1", 200, NULL, BLOB, 0, "\"mtls_cert\":\"-----BEGIN"},            \
        {                                                                                                    \
                "PUT", "/v2.6/agents/web-1", 200, NULL, DONE, 0, "auth_tag"                                  \
        }
#define LOGIN(answer)                                                                                        \
        {"POST", "/v3.0/sessions", 200, NULL, CHALLENGE, 0, "application/vnd.api+json"},                     \
        {                                                                                                    \
                "PATCH", "/v3.0/sessions/" UUID_A, 200, NULL, answer, 0, "\"message\":\"cHJvb2Y=\""          \
        }
#define ATTESTATIONS "/v3.0/agents/web-1/attestations"
#define OFFER                                                                                                \
        {                                                                                                    \
                "POST", ATTESTATIONS, 201, "Location: " ATTESTATIONS "/4\r\n", ASKED, 0, "Bearer the-token"  \
        }

struct world {
        const struct step *steps;
        size_t n_steps, at;
        int64_t last_ms;
        int listener, tpm, connection[16];
        struct buf in[16], tpm_in;
        uint8_t ak[128];
        unsigned not_now;  /* so many questions are answered "not now" first */
        unsigned refusals; /* so many questions for evidence fail */
        unsigned sessions; /* proofs that the TPM half was asked for */
        uint16_t port;
        char dir[TMPDIR_BYTES];
        char *said; /* the child's stderr */
};

/* On a free port the first time, on the same one from then on: the half remembers where it registered. */
static int listen_anywhere(uint16_t *port)
{
        struct sockaddr_in a = {
                .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(*port)};
        socklen_t len = sizeof(a);
        int on = 1;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        *port = ntohs(a.sin_port);
        return fd;
}

/* The TPM half's answer to one frame. */
static void tpm_answer(struct world *w, const struct privsep_frame *q)
{
        struct err err = ERR_INIT;
        struct buf body = {0}, out = {0};
        struct privsep_identity id;
        struct privsep_evidence e;
        struct privsep_collect c;
        struct privsep_session s;
        struct privsep_signed proof = {view_str("proof"), view_str("signature")};
        struct privsep_frame a = {.type = q->type, .id = q->id};
        if (w->not_now > 0 || (q->type == PRIVSEP_COLLECT && w->refusals > 0)) {
                a.result = w->not_now > 0 ? PRIVSEP_NOT_NOW : PRIVSEP_FAILED;
                *(w->not_now > 0 ? &w->not_now : &w->refusals) -= 1;
                a.body = view_str("TPM \x1b[31m in a bad mood");
                privsep_frame_put(&out, &a);
                assert_int_equal(send(w->tpm, out.p, out.len, MSG_NOSIGNAL), out.len);
                buf_free(&out);
                return;
        }
        switch ((int)q->type) {
        case PRIVSEP_IDENTITY:
                fake_identity(&id, w->ak);
                privsep_identity_put(&body, &id);
                break;
        case PRIVSEP_ACTIVATE:
                buf_str(&body, "credential");
                break;
        case PRIVSEP_SESSION:
                assert_ok(privsep_session_get(q->body, &s, &err), &err);
                assert_view(s.verifier_id, UUID_V);
                assert_int_equal(s.challenge.len, 16);
                assert_int_equal(s.spki_sha256.len, 32);
                w->sessions++;
                privsep_signed_put(&body, &proof);
                break;
        case PRIVSEP_COLLECT:
                assert_ok(privsep_collect_get(q->body, &c, &err), &err);
                assert_int_equal(c.challenge.len, 32);
                assert_int_equal(c.mask, 1u << 15);
                fake_evidence(&e, c.log_offset);
                privsep_evidence_put(&body, &e);
                break;
        default:
                fail_msg("a request of type %d", q->type);
        }
        a.body = VIEW_BUF(&body);
        privsep_frame_put(&out, &a);
        assert_int_equal(send(w->tpm, out.p, out.len, MSG_NOSIGNAL), out.len);
        buf_free(&body);
        buf_free(&out);
}

static void tpm_readable(struct world *w)
{
        uint8_t bytes[4096];
        ssize_t n = recv(w->tpm, bytes, sizeof(bytes), 0);
        assert_true(n > 0);
        buf_put(&w->tpm_in, bytes, (size_t)n);
        struct err err = ERR_INIT;
        struct privsep_frame q;
        int used = privsep_request_take(VIEW_BUF(&w->tpm_in), &q, &err);
        assert_true(used >= 0);
        if (used == 0)
                return;
        tpm_answer(w, &q);
        assert_int_equal(used, w->tpm_in.len); /* one at a time */
        buf_reset(&w->tpm_in);
}

/* Is a whole request there? Its length, or 0. */
static size_t whole_request(const struct buf *b)
{
        const char *end = memmem(b->p, b->len, "\r\n\r\n", 4);
        if (end == NULL)
                return 0;
        size_t head = (size_t)(end - (const char *)b->p) + 4, body = 0;
        const char *length = memmem(b->p, head, "Content-Length: ", 16);
        if (length != NULL)
                for (const char *p = length + 16; *p >= '0' && *p <= '9'; p++)
                        body = 10 * body + (size_t)(*p - '0');
        return b->len >= head + body ? head + body : 0;
}

static void take_request(struct world *w, int i)
{
        struct buf *b = &w->in[i];
        size_t n = whole_request(b);
        if (n == 0)
                return;
        assert_int_equal(n, b->len);
        char *text = buf_take_str(b);
        assert_non_null(text);
        if (w->at == w->n_steps) /* one too many, after the end: the child is being stopped */
                goto out;
        const struct step *s = &w->steps[w->at];
        char want[256];
        (void)snprintf(want, sizeof(want), "%s %s HTTP/1.1\r\n", s->method, s->path);
        if (strncmp(text, want, strlen(want)) != 0)
                fail_msg("step %zu: expected %s, got %.200s", w->at, want, text);
        if (s->has != NULL && strstr(text, s->has) == NULL)
                fail_msg("step %zu: '%s' is not in %s", w->at, s->has, text);
        int64_t now_ms = clock_mono_ms();
        if (now_ms - w->last_ms < s->after_ms)
                fail_msg("step %zu came after %d ms", w->at, (int)(now_ms - w->last_ms));
        w->last_ms = now_ms;
        w->at++;
        if (s->status == 0) {
                close(w->connection[i]);
                w->connection[i] = -1;
                goto out;
        }
        struct buf answer = {0};
        buf_fmt(&answer, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n%s\r\n%s",
                s->status, strlen(s->body), s->extra != NULL ? s->extra : "", s->body);
        assert_int_equal(send(w->connection[i], answer.p, answer.len, MSG_NOSIGNAL), answer.len);
        buf_free(&answer);
out:
        free(text);
}

static void connection_readable(struct world *w, int i)
{
        char bytes[4096];
        ssize_t n = recv(w->connection[i], bytes, sizeof(bytes), 0);
        if (n <= 0) {
                close(w->connection[i]);
                w->connection[i] = -1;
                buf_reset(&w->in[i]);
                return;
        }
        buf_put(&w->in[i], bytes, (size_t)n);
        take_request(w, i);
}

static void turn(struct world *w)
{
        struct pollfd fds[18] = {{.fd = w->tpm, .events = POLLIN}, {.fd = w->listener, .events = POLLIN}};
        for (int i = 0; i < 16; i++)
                fds[2 + i] = (struct pollfd){.fd = w->connection[i], .events = POLLIN};
        assert_true(poll(fds, 18, 20000) > 0);
        if (fds[0].revents != 0)
                tpm_readable(w);
        for (int i = 0; i < 16; i++)
                if (w->connection[i] >= 0 && fds[2 + i].revents != 0)
                        connection_readable(w, i);
        for (int i = 0; (fds[1].revents & POLLIN) != 0 && i < 16; i++)
                if (w->connection[i] < 0) {
                        w->connection[i] = accept(w->listener, NULL, NULL);
                        break;
                }
}

static pid_t start_child(struct world *w, int tpm, uint16_t port, enum agent_peer peer)
{
        char url[64], *errors = str_fmt("%s/stderr", w->dir);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0) {
                free(errors);
                return pid;
        }
        int fd = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        dup2(fd, STDERR_FILENO);
        close(w->tpm);
        close(w->listener);
        struct agent_config config = {
                .registrar = {url, NULL}, .verifier = {url, NULL}, .peer = peer, .interval_ms = 300};
        struct agent_net net = {.config = &config, .fd = tpm, .dir = w->dir};
        _exit(agent_net_main(&net));
}

/* Plays the script and ends the half. What it said on stderr is in w->said, to be freed. */
static void play(struct world *w, enum agent_peer peer)
{
        int pair[2], status = -1;
        struct buf said = {0};
        struct err err = ERR_INIT;
        AUTO(mem_free_p) char *errors = str_fmt("%s/stderr", w->dir);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
        w->listener = listen_anywhere(&w->port);
        w->tpm = pair[0];
        w->at = 0;
        w->sessions = 0;
        for (int i = 0; i < 16; i++)
                w->connection[i] = -1;
        pid_t pid = start_child(w, pair[1], w->port, peer);
        close(pair[1]);
        w->last_ms = clock_mono_ms();
        while (w->at < w->n_steps)
                turn(w);
        usleep(50 * 1000); /* let it read the last answer */
        close(w->tpm);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        for (int i = 0; i < 16; i++) {
                if (w->connection[i] >= 0)
                        close(w->connection[i]);
                buf_free(&w->in[i]);
        }
        close(w->listener);
        buf_free(&w->tpm_in);
        free(w->said);
        assert_ok(file_read(errors, 1 << 20, &said, &err), &err);
        w->said = buf_take_str(&said);
        assert_non_null(w->said);
}

#define PLAY(w, script)                                                                                      \
        do {                                                                                                 \
                (w)->steps = (script);                                                                       \
                (w)->n_steps = ARRAY_LEN(script);                                                            \
                play((w), AGENT_PEER_AVOW);                                                                  \
        } while (0)

static int setup(void **state)
{
        static struct world w;
        w = (struct world){.said = NULL};
        tmpdir_make(w.dir);
        *state = &w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        tmpdir_remove(w->dir);
        free(w->said);
        return 0;
}

static unsigned times_said(const struct world *w, const char *part)
{
        unsigned n = 0;
        for (const char *p = w->said; (p = strstr(p, part)) != NULL; p++)
                n++;
        return n;
}

/* Registers, opens a session, and from then on one round trip a time, the log sent once only. */
static void one_round_trip(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 0, 0), 0, "\"time_message\""},
                {"PATCH", ATTESTATIONS "/5", 202, NULL, NEXT(6, 1, 1, 0), 250, "\"entry_count\":0"},
                {"PATCH", ATTESTATIONS "/6", 202, NULL, NEXT(7, 1, 1, 0), 950, "Bearer the-token"},
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(w->sessions, 1);
        assert_int_equal(times_said(w, "is registered"), 1);
        assert_int_equal(times_said(w, "verdict of the verifier: pass"), 1);
        assert_null(strstr(w->said, "the-token"));
        /* Started again it need not register. */
        static const struct step again[] = {LOGIN(SESSION), OFFER};
        PLAY(w, again);
}

/* "now": no waiting for the interval. */
static void immediate_challenge(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 0, 5000), 0, NULL},
                {"PATCH", ATTESTATIONS "/5", 202, NULL, NEXT(6, 1, 30, 0), 0, NULL},
        };
        struct world *w = *state;
        int64_t from_ms = clock_mono_ms();
        PLAY(w, script);
        assert_true(clock_mono_ms() - from_ms < 3000);
}

static void session_refused(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 401, NULL, REFUSAL("unauthorized"), 0, NULL},
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 403, NULL, REFUSAL("challenges_expired"), 0, NULL},
                OFFER,
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(w->sessions, 2);
        /* Their words are shown, their control characters are not. */
        assert_null(strchr(w->said, '\x1b'));
}

/* Nobody enrolled the host: it waits and says so once. */
static void not_enrolled(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(NOT_ENROLLED),
                LOGIN(NOT_ENROLLED),
                LOGIN(SESSION),
                {"POST", ATTESTATIONS, 404, NULL, REFUSAL("not_found"), 0, NULL},
                LOGIN(SESSION),
                OFFER,
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(times_said(w, "is not enrolled there (or"), 1);
        assert_int_equal(times_said(w, "is not enrolled there; waiting"), 1);
}

/* Away, and back: tried on, said once each. */
static void server_away(void **state)
{
        static const struct step script[] = {
                {"GET", "/version", 0, NULL, NULL, 0, NULL},
                {"GET", "/version", 0, NULL, NULL, 0, NULL},
                REGISTER,
                LOGIN(SESSION),
                {"POST", ATTESTATIONS, 503, "Retry-After: 2\r\n", "", 0, NULL},
                {"POST", ATTESTATIONS, 429, "Retry-After: 1\r\n", "", 1950, NULL},
                {"POST", ATTESTATIONS, 201, "Location: " ATTESTATIONS "/4\r\n", ASKED, 950, NULL},
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(times_said(w, "trying on"), 1);
        assert_int_equal(times_said(w, "answers again"), 1);
}

/* A server that answers anything at all: no crash, no trust, no end. */
static void rubbish(void **state)
{
        static const struct step script[] = {
                {"GET", "/version", 200, NULL, "<html>", 0, NULL},
                {"GET", "/version", 302, "Location: http://127.0.0.1:1/\r\n", "", 0, NULL},
                {"GET", "/version", 200, NULL, VERSION, 0, NULL},
                {"POST", "/v2.6/agents/web-1", 200, NULL, DONE, 0, NULL},
                REGISTER,
                {"POST", "/v3.0/sessions", 200, NULL, CHALLENGE_OF(""), 0, NULL},
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(times_said(w, "verifier.peer: keylime"), 1);
        assert_int_equal(w->sessions, 0);
}

static void another_tpm_has_the_name(void **state)
{
        static const struct step script[] = {
                {"GET", "/version", 200, NULL, VERSION, 0, NULL},
                {"POST", "/v2.6/agents/web-1", 403, NULL,
                 "{\"code\":403,\"status\":\"other TPM\",\"results\":{}}", 0, NULL},
                {"GET", "/version", 200, NULL, VERSION, 400, NULL},
                {"POST", "/v2.6/agents/web-1", 403, NULL,
                 "{\"code\":403,\"status\":\"other TPM\",\"results\":{}}", 0, NULL},
                {"GET", "/version", 200, NULL, VERSION, 400, NULL},
        };
        struct world *w = *state;
        PLAY(w, script);
        assert_int_equal(times_said(w, "belongs to another TPM"), 1);
}

/* The TPM half is starting, then its TPM fails for a while. */
static void tpm_not_ready(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 30, 0), 0, NULL},
        };
        struct world *w = *state;
        w->not_now = 2;
        w->refusals = 1;
        PLAY(w, script);
        assert_int_equal(times_said(w, "in a bad mood"), 1);
        assert_null(strchr(w->said, '\x1b'));
}

/* What is no frame ends the half: it cannot read on. Its parent starts another one. */
static void tpm_speaks_rubbish(void **state)
{
        struct world *w = *state;
        int pair[2], status = -1;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
        w->listener = listen_anywhere(&w->port);
        w->tpm = pair[0];
        pid_t pid = start_child(w, pair[1], w->port, AGENT_PEER_AVOW);
        close(pair[1]);
        assert_int_equal(send(w->tpm, "\xff\xff\xff\xff rubbish", 12, MSG_NOSIGNAL), 12);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        close(w->tpm);
        close(w->listener);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(immediate_challenge, setup, teardown),
                cmocka_unit_test_setup_teardown(session_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(not_enrolled, setup, teardown),
                cmocka_unit_test_setup_teardown(server_away, setup, teardown),
                cmocka_unit_test_setup_teardown(rubbish, setup, teardown),
                cmocka_unit_test_setup_teardown(tpm_not_ready, setup, teardown),
                cmocka_unit_test_setup_teardown(tpm_speaks_rubbish, setup, teardown),
                cmocka_unit_test_setup_teardown(another_tpm_has_the_name, setup, teardown),
        };
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
