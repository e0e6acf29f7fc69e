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
#include "base/hex.h"
#include "base/str.h"
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
#define META(offset)                                                                                         \
        "\"meta\":{\"seconds_to_next_attestation\":30,\"avow\":{\"next\":{\"index\":9,"                      \
        "\"challenges_expire_at\":\"2026-11-21T17:42:11Z\",\"deadline_ms\":0," ASKS(offset) "}}}"
#define CHALLENGED                                                                                           \
        "{\"id\":\"" UUID_A "\",\"next\":{\"index\":8,\"challenges_expire_at\":\"2026-11-21T17:42:11Z\","    \
        "\"deadline_ms\":5000," ASKS(1) "},\"schema\":\"avow.release-challenge/1\"}"
#define PERMITTED "{" META(1) ",\"permit\":\"a.b.c\",\"schema\":\"avow.launch/1\"}"
#define NOT_PERMITTED                                                                                        \
        "{\"detail\":\"No policy allows this module.\"," META(                                               \
                1) ",\"next\":\"avow module allow x\","                                                      \
                   "\"status\":403,\"title\":\"No "                                                          \
                   "launch.\",\"type\":\"urn:avow:problem:module-not-allowed\","                             \
                   "\"where\":\"module\"}"
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

#define AGENT       "/avow/v1/agents/web-1"
#define TOLD(nonce) "{\"revocation\":{\"jws\":\"a.b.c\"" nonce "}}"
#define NONCE       ",\"nonce\":\"000102030405060708090a0b0c0d0e0f\""
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

/* Requests beside the machine, each kind with a script of its own: they come when they come. */
struct side {
        const struct step *steps;
        size_t n, at; /* after the last one: no answer */
};

struct world {
        const struct step *steps;
        size_t n_steps, at;
        struct side waits, proofs;
        /* What came as a revocation, and what the TPM half says to it. */
        char revoked[512];     /* "JWS/NONCE JWS/NONCE", nonces in hex */
        unsigned revoke_fails; /* so many are "failed" first */
        unsigned alive, reached, away;
        /* Launches that the TPM half wants, and what it was told of them. */
        unsigned launches;
        char told[512];
        bool reachable;
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

/* Notes a revocation; with a nonce there is a proof. */
static void take_revocation(struct world *w, struct view body, struct buf *ret)
{
        struct err err = ERR_INIT;
        struct privsep_revoke m;
        size_t n = strlen(w->revoked);
        AUTO(mem_free_p) char *nonce = NULL;
        assert_ok(privsep_revoke_get(body, &m, &err), &err);
        nonce = hex_encode(m.nonce);
        (void)snprintf(w->revoked + n, sizeof(w->revoked) - n, "%s%.*s/%s", n ? " " : "", (int)m.jws.len,
                       (const char *)m.jws.p, nonce);
        if (m.nonce.len > 0)
                buf_fmt(ret, "{\"proof\":\"%s\"}", nonce);
}

static void send_event(struct world *w, uint32_t wanted)
{
        AUTO(buf_free) struct buf body = {0}, out = {0};
        privsep_event_put(&body, &(struct privsep_event){PRIVSEP_STATE_READY, 1, wanted, 0});
        privsep_frame_put(&out, &(struct privsep_frame){.type = PRIVSEP_EVENT, .body = VIEW_BUF(&body)});
        assert_int_equal(send(w->tpm, out.p, out.len, MSG_NOSIGNAL), out.len);
}

/* The number of the launch that is wanted; 0: none is left. */
static uint32_t wanted(const struct world *w)
{
        return w->launches ? w->launches | PRIVSEP_WANTED_LAUNCH : 0;
}

/* Notes what came of a launch: "permit/text/where/next". */
static void take_permit(struct world *w, struct view body)
{
        struct err err = ERR_INIT;
        struct privsep_permit m;
        size_t n = strlen(w->told);
        assert_ok(privsep_permit_get(body, &m, &err), &err);
        assert_int_equal(m.number, wanted(w));
        (void)snprintf(w->told + n, sizeof(w->told) - n, "%s%.*s/%.*s/%.*s/%.*s", n ? " " : "",
                       (int)m.permit.len, (const char *)m.permit.p, (int)m.text.len, (const char *)m.text.p,
                       (int)m.where.len, (const char *)m.where.p, (int)m.next.len, (const char *)m.next.p);
        w->launches--;
        send_event(w, wanted(w));
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
        struct privsep_reach reach;
        struct privsep_show show;
        struct privsep_signed proof = {view_str("proof"), view_str("signature")};
        struct privsep_frame a = {.type = q->type, .id = q->id};
        if (q->type != PRIVSEP_REACH && (w->not_now > 0 || (q->type == PRIVSEP_COLLECT && w->refusals > 0))) {
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
        case PRIVSEP_ALIVE:
                w->alive++;
                if (w->launches > 0)
                        send_event(w, wanted(w)); /* it was in hand when the session began */
                break;
        case PRIVSEP_WANTED:
                privsep_wanted_put(&body,
                                   &(struct privsep_wanted){
                                           wanted(w), w->launches ? view_str("{\"launch\":1}") : VIEW_NONE});
                break;
        case PRIVSEP_SHOW:
                assert_ok(privsep_show_get(q->body, &show, &err), &err);
                assert_int_equal(show.number, wanted(w));
                fake_evidence(&e, show.collect.log_offset);
                privsep_evidence_put(&body, &e);
                break;
        case PRIVSEP_PERMIT:
                take_permit(w, q->body);
                break;
        case PRIVSEP_REACH:
                assert_ok(privsep_reach_get(q->body, &reach, &err), &err);
                w->reachable = reach.reachable;
                w->reached += reach.reachable;
                w->away += !reach.reachable;
                break;
        case PRIVSEP_REVOKE:
                take_revocation(w, q->body, &body);
                if (w->revoke_fails > 0) {
                        w->revoke_fails--;
                        a.result = PRIVSEP_FAILED;
                        buf_reset(&body);
                }
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
        int used;
        while ((used = privsep_request_take(VIEW_BUF(&w->tpm_in), &q, &err)) > 0) {
                tpm_answer(w, &q);
                w->tpm_in.len -= (size_t)used; /* the machine's and the poll's, at most */
                memmove(w->tpm_in.p, w->tpm_in.p + used, w->tpm_in.len);
        }
        assert_true(used == 0);
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

/* The script of a request that is none of the machine's; NULL: it is one. */
static struct side *side_of(struct world *w, const char *text)
{
        if (strncmp(text, "GET " AGENT "/wait ", strlen("GET " AGENT "/wait ")) == 0)
                return &w->waits;
        return strncmp(text, "POST " AGENT "/proofs ", strlen("POST " AGENT "/proofs ")) == 0 ? &w->proofs
                                                                                              : NULL;
}

static void answer_step(struct world *w, int i, const struct step *s, const char *text)
{
        if (s->has != NULL && strstr(text, s->has) == NULL)
                fail_msg("'%s' is not in %s", s->has, text);
        if (s->status == 0) {
                close(w->connection[i]);
                w->connection[i] = -1;
                return;
        }
        struct buf answer = {0};
        buf_fmt(&answer, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n%s\r\n%s",
                s->status, strlen(s->body), s->extra != NULL ? s->extra : "", s->body);
        assert_int_equal(send(w->connection[i], answer.p, answer.len, MSG_NOSIGNAL), answer.len);
        buf_free(&answer);
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
        struct side *side = side_of(w, text);
        if (side != NULL) {
                if (side->at < side->n)
                        answer_step(w, i, &side->steps[side->at++], text);
                goto out;
        }
        if (w->at == w->n_steps) /* one too many, after the end: the child is being stopped */
                goto out;
        const struct step *s = &w->steps[w->at];
        char want[256];
        (void)snprintf(want, sizeof(want), "%s %s HTTP/1.1\r\n", s->method, s->path);
        if (strncmp(text, want, strlen(want)) != 0)
                fail_msg("step %zu: expected %s, got %.200s", w->at, want, text);
        int64_t now_ms = clock_mono_ms();
        if (now_ms - w->last_ms < s->after_ms)
                fail_msg("step %zu came after %d ms", w->at, (int)(now_ms - w->last_ms));
        w->last_ms = now_ms;
        w->at++;
        answer_step(w, i, s, text);
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
        while (w->at < w->n_steps || w->waits.at < w->waits.n || w->proofs.at < w->proofs.n || w->launches)
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
        assert_true(w->away >= 1); /* launches are not kept waiting for such a verifier */
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
        /* by the session, and again by what was answered after the 503 */
        assert_true(w->away == 1 && w->reached >= 1);
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

/* A revocation that comes over the poll goes to the TPM half at once, with its nonce again, and the proof
 * goes back; the machine waits for its interval meanwhile. */
static void told_at_once(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 30, 0), 0, NULL},
        };
        static const struct step waits[] = {
                {"GET", "", 200, "ETag: \"one\"\r\n", "{}", 0, "Bearer the-token"},
                {"GET", "", 304, "ETag: \"one\"\r\n", "", 0, "If-None-Match: \"one\""},
                {"GET", "", 200, "ETag: \"two\"\r\n", TOLD(""), 0, "If-None-Match: \"one\""},
                {"GET", "", 200, "ETag: \"three\"\r\n", TOLD(NONCE), 0, "If-None-Match: \"two\""},
                {"GET", "", 200, "ETag: \"three\"\r\n", TOLD(NONCE), 0, "If-None-Match: \"three\""},
        };
        static const struct step proofs[] = {
                {"POST", "", 200, NULL, "{}", 0, "{\"proof\":\"000102030405060708090a0b0c0d0e0f\"}"},
        };
        struct world *w = *state;
        w->waits = (struct side){waits, ARRAY_LEN(waits), 0};
        w->proofs = (struct side){proofs, ARRAY_LEN(proofs), 0};
        PLAY(w, script);
        assert_string_equal(w->revoked, "a.b.c/ a.b.c/000102030405060708090a0b0c0d0e0f");
        assert_int_equal(times_said(w, "has the proof"), 1);
        assert_int_equal(w->alive, 1);
}

/* Whatever fails is tried again: the TPM half, the way to the verifier, the poll. Nothing is said twice. */
static void told_until_it_is_done(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 30, 0), 0, NULL},
        };
        static const struct step waits[] = {
                {"GET", "", 500, NULL, "", 0, NULL},
                {"GET", "", 0, NULL, NULL, 0, NULL},
                {"GET", "", 200, NULL, "{\"revocation\":{\"jws\":\"not one\"}}", 0, NULL},
                {"GET", "", 200, NULL, TOLD(NONCE), 0, NULL},
        };
        static const struct step proofs[] = {
                {"POST", "", 503, NULL, "", 0, NULL},
                {"POST", "", 0, NULL, NULL, 0, NULL},
                {"POST", "", 200, NULL, "{}", 0, "{\"proof\""},
        };
        struct world *w = *state;
        w->waits = (struct side){waits, ARRAY_LEN(waits), 0};
        w->proofs = (struct side){proofs, ARRAY_LEN(proofs), 0};
        w->revoke_fails = 2;
        PLAY(w, script);
        assert_null(strstr(w->revoked, "not one"));
        assert_int_equal(times_said(w, "has the proof"), 1);
}

/* A session that ended ends the poll; the next one begins it anew, and what was not delivered is. */
static void told_with_the_next_session(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 401, NULL, REFUSAL("unauthorized"), 0, NULL},
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 30, 0), 0, NULL},
        };
        static const struct step waits[] = {
                {"GET", "", 200, "ETag: \"one\"\r\n", TOLD(NONCE), 0, NULL},
                {"GET", "", 401, NULL, "", 0, NULL},
                {"GET", "", 304, "ETag: \"one\"\r\n", "", 0, "If-None-Match: \"one\""},
        };
        static const struct step proofs[] = {
                {"POST", "", 401, NULL, "", 0, NULL},
                {"POST", "", 422, NULL, REFUSAL("proof_refused"), 0, NULL},
        };
        struct world *w = *state;
        w->waits = (struct side){waits, ARRAY_LEN(waits), 0};
        w->proofs = (struct side){proofs, ARRAY_LEN(proofs), 0};
        PLAY(w, script);
        assert_int_equal(times_said(w, "does not take the proof"), 1);
}

/* Launches go to the verifier while the machine waits for its interval, one after the other and without a
 * pause; its permit and its refusal come to the TPM half in its words. */
static void launches_are_carried(void **state)
{
        static const struct step script[] = {
                REGISTER,
                LOGIN(SESSION),
                OFFER,
                {"PATCH", ATTESTATIONS "/4", 202, NULL, NEXT(5, 1, 30, 0), 0, NULL},
                {"POST", AGENT "/launches", 404, NULL, "", 0, "{\"launch\":1}"}, /* it has no such route */
                {"POST", AGENT "/launches", 201, NULL, CHALLENGED, 0, "{\"launch\":1}"},
                {"PATCH", AGENT "/launches/" UUID_A, 200, NULL, PERMITTED, 0, "\"message\""},
                {"POST", AGENT "/launches", 201, NULL, CHALLENGED, 0, "application/json"},
                {"PATCH", AGENT "/launches/" UUID_A, 403, NULL, NOT_PERMITTED, 0, "Bearer the-token"},
                {"POST", AGENT "/launches", 403, NULL, NOT_PERMITTED, 0, NULL}, /* before any evidence */
                {"POST", AGENT "/launches", 503, NULL, "", 0, NULL},
                {"POST", AGENT "/launches", 201, NULL, CHALLENGED, 0, NULL},
                {"PATCH", AGENT "/launches/" UUID_A, 200, NULL, PERMITTED, 0, NULL},
        };
        struct world *w = *state;
        w->launches = 5;
        PLAY(w, script);
        assert_string_equal(
                w->told,
                "/the verifier permits no launches// a.b.c/// "
                "/module-not-allowed: No policy allows this module./module/avow module allow x "
                "/module-not-allowed: No policy allows this module./module/avow module allow x a.b.c///");
        assert_true(w->away == 1 && w->reachable); /* by the 503, not by the 404 */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(told_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(told_until_it_is_done, setup, teardown),
                cmocka_unit_test_setup_teardown(told_with_the_next_session, setup, teardown),
                cmocka_unit_test_setup_teardown(launches_are_carried, setup, teardown),
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
