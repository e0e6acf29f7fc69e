/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of secrets. On agent.sock a process writes one line, the name of a secret, and reads one line
 * back: "ok BYTES LEASE_S" with the bytes behind it, or "no WORD TEXT". What it may have follows from the
 * unit that the kernel says it is in. On credentials.sock systemd asks for a unit that it is about to start,
 * and takes whatever comes until the end of the file for the credential: an empty file would be an empty
 * password, so a refusal is an answer that is longer than a credential may be, which fails the unit's start
 * at once, with the reason in it.
 *
 * Strangers can connect as often as they like: connections are counted, in all and per user, every step has a
 * deadline, and no step waits. Spec: SR-25; systemd.exec(5), LoadCredential.
 */
#include "agent/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/acl.h"
#include "agent/peer.h"
#include "agent/unix_listen.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define LINE_MAX_BYTES 128
#define HEAD_BYTES     64
#define READ_MS        5000
#define WRITE_MS       10000
#define PER_USER_MAX   16
#define CREDENTIAL_MAX (1024 * 1024) /* systemd's CREDENTIAL_SIZE_MAX */

enum kind { KIND_AGENT, KIND_CREDENTIALS };
static const char *const names[] = {"agent.sock", "credentials.sock"};

enum step { STEP_READ, STEP_WAIT, STEP_WRITE };

struct connection {
        struct sockets *owner; /* NULL: free */
        enum kind kind;
        enum step step;
        int fd;
        struct peer peer;
        char line[LINE_MAX_BYTES];
        size_t n_line;
        struct secret out;
        size_t written, flood; /* of out; bytes to write beyond it */
        int64_t until_ms;
};

struct sockets {
        struct handout *handout;
        const struct agent_config *config;
        int listener[2];
        char *path[2];
        struct connection c[SOCKETS_CONNECTIONS_MAX];
};

int sockets_new(struct handout *handout, struct sockets **ret, struct err *err)
{
        struct sockets *s = mem_zalloc(1, sizeof(*s));

        if (!s)
                return err_nomem(err);
        s->handout = handout;
        s->listener[0] = s->listener[1] = -1;
        *ret = s;
        return 0;
}

static void end(struct connection *c)
{
        handout_cancel(c->owner->handout, c);
        secret_free(&c->out);
        fd_close_p(&c->fd);
        *c = (struct connection){.fd = -1};
}

static void close_listener(struct sockets *s, int kind)
{
        if (s->listener[kind] >= 0)
                (void)unlink(s->path[kind]); /* nobody is to find a dead socket; its folder may be gone */
        fd_close_p(&s->listener[kind]);
        free(TAKE(s->path[kind]));
}

void sockets_free(struct sockets *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++)
                if (s->c[i].owner)
                        end(&s->c[i]);
        close_listener(s, KIND_AGENT);
        close_listener(s, KIND_CREDENTIALS);
        free(s);
}

/* ---- opening */

int sockets_configure(struct sockets *s, const struct agent_config *config, struct err *err)
{
        int r;

        s->config = config;
        for (int kind = 0; kind < 2; kind++) {
                AUTO(mem_free_p) char *path = NULL;

                if (config->n_acl == 0)
                        close_listener(s, kind);
                if (config->n_acl == 0 || s->listener[kind] >= 0)
                        continue;
                path = str_fmt("%s/%s", config->run_dir, names[kind]);
                r = path ? file_mkdirs(config->run_dir, 0755, err) : err_nomem(err);
                if (r >= 0)
                        r = unix_listen(path, SOCK_STREAM, kind == KIND_AGENT, &s->listener[kind], err);
                if (r < 0)
                        return err_wrap(err, "secrets");
                s->path[kind] = TAKE(path);
        }
        return 0;
}

/* ---- answering */

static void set_out(struct connection *c, const char *head, struct view body, int64_t mono_ms)
{
        size_t n = strlen(head);

        c->step = STEP_WRITE;
        c->until_ms = mono_ms + WRITE_MS;
        if (secret_alloc(&c->out, n + body.len) < 0) {
                c->until_ms = 0; /* no memory, no answer: ended at the next turn */
                return;
        }
        memcpy(c->out.p, head, n);
        if (body.len)
                memcpy(c->out.p + n, body.p, body.len);
}

static void refuse(struct connection *c, const char *word, const char *text, int64_t mono_ms)
{
        char head[ERR_TEXT_BYTES + HEAD_BYTES];

        if (c->kind == KIND_AGENT)
                (void)snprintf(head, sizeof(head), "no %s %s\n", word, text);
        else
                (void)snprintf(head, sizeof(head), "avow: %s: %s\n", word, text);
        c->flood = c->kind == KIND_CREDENTIALS ? CREDENTIAL_MAX + 1 : 0;
        set_out(c, head, VIEW_NONE, mono_ms);
}

static void on_answer(void *ctx, const struct handout_answer *answer)
{
        struct connection *c = ctx;
        char head[HEAD_BYTES] = "";
        int64_t mono_ms = clock_mono_ms();

        if (answer->result != HANDOUT_OK) {
                refuse(c, handout_result_name(answer->result), answer->text, mono_ms);
                return;
        }
        if (c->kind == KIND_AGENT)
                (void)snprintf(head, sizeof(head), "ok %zu %u\n", answer->secret.len, answer->lease_s);
        set_out(c, head, answer->secret, mono_ms);
}

/* What happened is said here, once for each attempt: an attempt at somebody else's secret is worth a line. */
static void ask(struct connection *c, const char *name, bool by_systemd, int64_t mono_ms)
{
        const struct agent_config *config = c->owner->config;
        const struct agent_acl *row = NULL;
        struct err err = ERR_INIT;

        if (by_systemd) { /* the unit's own user reads it later, so a row's uid is not the peer's */
                for (size_t i = 0; !row && i < config->n_acl; i++)
                        if (config->acl[i].unit)
                                row = acl_find(config, name, c->peer.unit, config->acl[i].uid);
        } else {
                row = acl_find(config, name, c->peer.unit, c->peer.uid);
        }
        if (!row) {
                log_with(LOG_LEVEL_WARNING,
                         LOG_FIELDS({"AVOW_EVENT", "secret-not-allowed"}, {"AVOW_UNIT", c->peer.unit}),
                         "process %d of %s, user %u, asked for secret %s: no row of secrets.acl gives it",
                         (int)c->peer.pid, c->peer.unit[0] ? SHOW(c->peer.unit) : "no unit", c->peer.uid,
                         SHOW(name));
                refuse(c, "not-allowed", "no row of secrets.acl gives it to you", mono_ms);
                return;
        }
        c->step = STEP_WAIT;
        c->until_ms = INT64_MAX; /* the queue has its own deadline */
        if (handout_ask(c->owner->handout, name, row->unit ? c->peer.unit : "", c->peer.uid, mono_ms,
                        on_answer, c, &err) < 0)
                refuse(c, "unavailable", err.text, mono_ms);
}

/* ---- connections */

static unsigned of_user(const struct sockets *s, uint32_t uid)
{
        unsigned n = 0;

        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++)
                n += s->c[i].owner && s->c[i].kind == KIND_AGENT && s->c[i].peer.uid == uid;
        return n;
}

static struct connection *free_connection(struct sockets *s)
{
        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++)
                if (!s->c[i].owner)
                        return &s->c[i];
        return NULL;
}

static void welcome(struct sockets *s, enum kind kind, int fd, int64_t mono_ms)
{
        struct connection *c = free_connection(s);
        struct err err = ERR_INIT;
        char name[65] = "";
        int r;

        *c = (struct connection){.kind = kind, .step = STEP_READ, .fd = fd, .until_ms = mono_ms + READ_MS};
        if (kind == KIND_AGENT)
                r = peer_of(fd, &c->peer, &err);
        else
                r = peer_credential(fd, &c->peer, name, &err);
        if (r >= 0 && kind == KIND_AGENT && of_user(s, c->peer.uid) >= PER_USER_MAX)
                r = err_set(&err, ERR_LIMIT, 0, "user %u has %d connections", c->peer.uid, PER_USER_MAX);
        c->owner = s;
        if (r < 0) {
                log_warning("%s: %s", names[kind], err.text);
                refuse(c, "not-allowed", err.text, mono_ms);
        } else if (kind == KIND_CREDENTIALS) {
                ask(c, name, true, mono_ms);
        }
}

static void accept_all(struct sockets *s, enum kind kind, int64_t mono_ms)
{
        while (free_connection(s)) {
                int fd = accept4(s->listener[kind], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0)
                        return; /* none left; or one that is gone again, or no descriptors: the next turn */
                welcome(s, kind, fd, mono_ms);
        }
}

/* Reads the line. Return: false if the connection is to be ended. */
static bool read_line(struct connection *c, int64_t mono_ms)
{
        ssize_t n = recv(c->fd, c->line + c->n_line, sizeof(c->line) - c->n_line, 0);
        char *newline;

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        c->n_line += (size_t)n;
        newline = memchr(c->line, '\n', c->n_line);
        if (!newline && c->n_line < sizeof(c->line))
                return true;
        if (newline)
                *newline = '\0';
        if (!newline || newline != c->line + c->n_line - 1 || strlen(c->line) != c->n_line - 1 ||
            !str_valid_name(c->line))
                refuse(c, "malformed", "one line with the name of a secret is expected", mono_ms);
        else
                ask(c, c->line, false, mono_ms);
        return true;
}

/* Return: false when done, or broken. */
static bool write_some(struct connection *c)
{
        static const uint8_t filler[4096];

        for (;;) {
                bool head = c->written < c->out.len;
                size_t left = head ? c->out.len - c->written : c->flood;
                const uint8_t *p = head ? c->out.p + c->written : filler;
                ssize_t n;

                if (left == 0)
                        return false;
                if (!head && left > sizeof(filler))
                        left = sizeof(filler);
                n = send(c->fd, p, left, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                if (head)
                        c->written += (size_t)n;
                else
                        c->flood -= (size_t)n;
        }
}

static bool serve(struct connection *c, short events, int64_t mono_ms)
{
        if (mono_ms >= c->until_ms)
                return false;
        if (c->step == STEP_READ && events & (POLLIN | POLLHUP | POLLERR) && !read_line(c, mono_ms))
                return false;
        if (c->step == STEP_WAIT)
                return !(events & (POLLHUP | POLLERR)); /* it went away: nobody to unseal for */
        if (c->step == STEP_WRITE)
                return write_some(c);
        return true;
}

/* ---- for main.c */

size_t sockets_poll(const struct sockets *s, struct pollfd ret[SOCKETS_FDS_MAX])
{
        bool room = false;
        size_t n = 0;

        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++) {
                const struct connection *c = &s->c[i];
                short events = c->step == STEP_READ ? POLLIN : c->step == STEP_WRITE ? POLLOUT : 0;

                room = room || !c->owner;
                if (c->owner)
                        ret[n++] = (struct pollfd){.fd = c->fd, .events = events};
        }
        for (int kind = 0; kind < 2; kind++)
                if (s->listener[kind] >= 0 && room)
                        ret[n++] = (struct pollfd){.fd = s->listener[kind], .events = POLLIN};
        return n;
}

static short events_of(int fd, const struct pollfd *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (fds[i].fd == fd)
                        return fds[i].revents;
        return 0;
}

int64_t sockets_serve(struct sockets *s, const struct pollfd *fds, size_t n, int64_t mono_ms)
{
        int64_t at = INT64_MAX;

        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++)
                if (s->c[i].owner && !serve(&s->c[i], events_of(s->c[i].fd, fds, n), mono_ms))
                        end(&s->c[i]);
        for (int kind = 0; kind < 2; kind++)
                if (s->listener[kind] >= 0 && events_of(s->listener[kind], fds, n))
                        accept_all(s, (enum kind)kind, mono_ms);
        for (size_t i = 0; i < SOCKETS_CONNECTIONS_MAX; i++)
                if (s->c[i].owner && s->c[i].until_ms < at)
                        at = s->c[i].until_ms;
        if (at == INT64_MAX)
                return at;
        return at > mono_ms ? at - mono_ms : 0;
}
