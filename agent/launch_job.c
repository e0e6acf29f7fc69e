/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A launch from the ask to its end, in the order that makes its claims true: everything is digested and held
 * still; the verifier gives leave for exactly that; the launch is in the log and in the register; only then
 * the runtime starts; what it mapped is compared; only then it gets secrets. A step that fails ends the
 * launch with its own explanation. Until the start an alarm ends it too, whatever it waits for. Spec: SR-21
 * to SR-24.
 */
#include "agent/launch_job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define READ_BYTES 8192

/* ---- the link */

int job_send(struct launch_job *j, enum launch_link_type type, struct view body, struct err *err)
{
        AUTO(buf_free) struct buf out = {0};

        launch_link_put(&out, type, j->id, body);
        if (!buf_ok(&out))
                return err_nomem(err);
        return fd_write(j->link, "the launcher", VIEW_BUF(&out), err);
}

int job_read(struct launch_job *j, struct err *err)
{
        uint8_t bytes[READ_BYTES];
        ssize_t n = recv(j->link, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return err_set(err, ERR_PEER, 0, "the agent ended");
        buf_put(&j->in, bytes, (size_t)n);
        mem_wipe(bytes, sizeof(bytes));
        return buf_ok(&j->in) ? 0 : err_nomem(err);
}

int job_next(struct launch_job *j, struct frame *ret, struct err *err)
{
        return launch_link_take(VIEW_BUF(&j->in), ret, err);
}

void job_used(struct launch_job *j, int used)
{
        size_t rest = j->in.len - (size_t)used;

        memmove(j->in.p, j->in.p + used, rest);
        mem_wipe(j->in.p + rest, (size_t)used); /* it may have been a secret */
        j->in.len = rest;
}

int job_refusal(struct view body, struct err *err)
{
        struct launch_link_refused m;
        int r = launch_link_refused_get(body, &m, err);

        if (r < 0)
                return r;
        return err_set(err, ERR_PEER, m.why, "%.*s%s%.*s%s%s%.*s", (int)m.text.len, (const char *)m.text.p,
                       m.where.len ? " [" : "", (int)m.where.len, (const char *)m.where.p,
                       m.where.len ? "]" : "", m.next.len ? "; next: " : "", (int)m.next.len,
                       (const char *)m.next.p);
}

/* He is gone, or was told to end (Ctrl-C) while he waited; other signals have nobody to go to yet. */
static bool gave_up(struct launch_job *j)
{
        uint8_t packet[8];
        ssize_t n = recv(j->client, packet, sizeof(packet), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        return n != 2 || packet[0] != LAUNCH_WIRE_SIGNAL || packet[1] == SIGINT || packet[1] == SIGTERM ||
               packet[1] == SIGHUP || packet[1] == SIGQUIT;
}

/*
 * Waits for the answer of TYPE. CLIENT: the asker going away ends the wait. The frame is j->in's until
 * job_used(). Return: its length; < 0: refused, stopped, or somebody is gone.
 */
static int wait_for(struct launch_job *j, enum launch_link_type type, bool client, struct frame *ret,
                    struct err *err)
{
        for (;;) {
                struct pollfd fds[] = {{.fd = j->link, .events = POLLIN},
                                       {.fd = client ? j->client : -1, .events = POLLIN}};
                int r = job_next(j, ret, err);

                if (r > 0 && ret->type == type)
                        return r;
                if (r > 0 && ret->type == LAUNCH_LINK_REFUSED)
                        return job_refusal(ret->body, err);
                if (r > 0 && ret->type == LAUNCH_LINK_STOP)
                        return err_set(err, ERR_PEER, 0, "%.*s", (int)ret->body.len,
                                       (const char *)ret->body.p);
                if (r > 0)
                        return err_set(err, ERR_BUG, 0, "%s where %s was due", launch_link_name(ret->type),
                                       launch_link_name((uint8_t)type));
                if (r < 0)
                        return r;
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return err_errno(err, errno, "poll");
                if (fds[1].revents && gave_up(j))
                        return err_set(err, ERR_PEER, 0, "the asker gave up");
                if (fds[0].revents && job_read(j, err) < 0)
                        return -ERR_PEER;
        }
}

/* ---- to the asker; who went away misses it */

static void tell(const struct launch_job *j, enum launch_wire_type type, struct view body)
{
        AUTO(buf_free) struct buf out = {0};

        buf_u8(&out, (uint8_t)type);
        buf_put_view(&out, body);
        if (buf_ok(&out) && send(j->client, out.p, out.len, MSG_NOSIGNAL) < 0)
                log_debug("the asker of a launch is gone");
}

static void refuse(const struct launch_job *j, const struct err *err)
{
        char sha256[65] = "";

        if (j->launch.sha256.len)
                (void)hex_write(sha256, digest_view(&j->launch.sha256));
        log_with(LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_EVENT", "launch-refused"}, {"AVOW_MODULE", sha256},
                            {"AVOW_RUNTIME", j->launch.runtime}),
                 "launch for user %u refused: %s", j->peer.uid, err->text);
        tell(j, LAUNCH_WIRE_REFUSED, view_str(err->text));
}

/* ---- the steps */

static int put_begin(const struct launch_job *j, struct buf *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = launch_encode(&j->launch, &text, err);

        if (r >= 0)
                launch_link_begin_put(ret, &(struct launch_link_begin){.launch = VIEW_BUF(&text),
                                                                       .claims = VIEW_BUF(&j->claims),
                                                                       .signature = j->ask.signature,
                                                                       .envelope = j->ask.envelope});
        return r < 0 ? r : buf_ok(ret) ? 0 : err_nomem(err);
}

static void put_digest(struct buf *out, const char *name, const struct digest *d)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        (void)hex_write(hex, digest_view(d));
        buf_fmt(out, "%-10s %s %s\n", name, digest_name(d->alg), hex);
}

static int explain(struct launch_job *j, struct err *err)
{
        AUTO(buf_free) struct buf begin = {0}, text = {0};
        struct err why = ERR_INIT;
        struct frame frame;
        int r = put_begin(j, &begin, err);

        if (r >= 0)
                r = job_send(j, LAUNCH_LINK_EXPLAIN, VIEW_BUF(&begin), err);
        if (r < 0)
                return r;
        r = wait_for(j, LAUNCH_LINK_EXPLAINED, true, &frame, &why);
        buf_u8(&text, r > 0);
        put_digest(&text, "module", &j->launch.sha256);
        put_digest(&text, "module", &j->launch.sha384);
        buf_fmt(&text, "%-10s %llu bytes, %s\n", "", (unsigned long long)j->launch.size,
                j->launch.has_claims ? "with wasmCloud claims" : "without claims");
        put_digest(&text, "arguments", &j->launch.arguments);
        if (j->launch.has_input)
                put_digest(&text, "input", &j->launch.input);
        for (size_t i = 0; i < j->launch.n_secrets; i++)
                buf_fmt(&text, "%-10s %s\n", "secret", j->launch.secrets[i]);
        buf_fmt(&text, "%-10s %s\n", "runtime", j->launch.runtime);
        put_digest(&text, "closure", &j->launch.closure);
        buf_put_view(&text, VIEW_BUF(&j->files.manifest));
        if (r > 0)
                buf_put_view(&text, frame.body);
        else
                buf_fmt(&text, "it would be refused: %s\n", why.text);
        if (!buf_ok(&text))
                return err_nomem(err);
        if (text.len > LAUNCH_WIRE_TEXT_MAX)
                text.len = LAUNCH_WIRE_TEXT_MAX;
        tell(j, LAUNCH_WIRE_EXPLAIN, VIEW_BUF(&text));
        return 0;
}

static int get_permit(struct launch_job *j, struct err *err)
{
        AUTO(buf_free) struct buf begin = {0};
        struct frame frame;
        int r = put_begin(j, &begin, err);

        if (r >= 0)
                r = job_send(j, LAUNCH_LINK_BEGIN, VIEW_BUF(&begin), err);
        if (r >= 0)
                r = wait_for(j, LAUNCH_LINK_GRANTED, true, &frame, err);
        if (r < 0)
                return r;
        job_used(j, r);
        return 0;
}

static int record(struct launch_job *j, struct err *err)
{
        struct frame frame;
        int r = launch_files_still(&j->files, err); /* while the verifier was asked, too */

        if (r >= 0)
                r = job_send(j, LAUNCH_LINK_RECORD, VIEW_NONE, err);
        if (r >= 0)
                r = wait_for(j, LAUNCH_LINK_RECORDED, false, &frame, err);
        if (r < 0)
                return r;
        job_used(j, r);
        j->recorded = true;
        return 0;
}

static int make_folder(struct launch_job *j, struct err *err)
{
        int r = launch_folder_make(j->h->dir, j->launch.id, j->h->gid, LAUNCH_MODULE_FD, &j->folder, err);

        for (size_t i = 0; r >= 0 && i < j->launch.n_secrets; i++)
                r = launch_folder_add(&j->folder, j->launch.secrets[i], err);
        if (r >= 0 && j->ask.receipt)
                r = launch_output_start(j->fds[LAUNCH_FD_STDOUT], &j->output, err);
        return r;
}

static int start(struct launch_job *j, struct err *err)
{
        struct launch_start s = {.runtime = j->runtime,
                                 .files = &j->files,
                                 .folder = &j->folder,
                                 .ask = &j->ask,
                                 .who = {.uid = j->peer.uid, .gid = j->h->gid, .change = geteuid() == 0},
                                 .module = j->module.fd,
                                 .input = j->ask.input ? j->input.fd : j->fds[LAUNCH_FD_STDIN],
                                 .output = j->ask.receipt ? j->output.in : j->fds[LAUNCH_FD_STDOUT],
                                 .error = j->fds[LAUNCH_FD_STDERR]};
        int r = launch_files_still(&j->files, err);

        j->started_ms = clock_now_ms();
        j->started_mono_ms = clock_mono_ms();
        if (r >= 0)
                r = launch_start(&s, &j->process, err);
        fd_close_p(&j->output.in);
        return r;
}

/* The end of what was recorded, however it came. */
static int report(struct launch_job *j, int status, struct err *err)
{
        struct launch_link_ended m = {.status = status,
                                      .started_ms = j->started_ms,
                                      .ended_ms = clock_now_ms(),
                                      .receipt = j->ask.receipt};
        AUTO(buf_free) struct buf body = {0};
        struct frame frame;
        int r;

        if (j->output.result >= 0 && j->stopped[0] == '\0')
                m.has_output = launch_output_digest(&j->output, m.output);
        launch_link_ended_put(&body, &m);
        r = buf_ok(&body) ? job_send(j, LAUNCH_LINK_ENDED, VIEW_BUF(&body), err) : err_nomem(err);
        if (r < 0)
                return r;
        for (;;) { /* an order to stop may have crossed it, and answers that nobody waits for any more */
                r = wait_for(j, LAUNCH_LINK_ENDED, false, &frame, err);
                if (r > 0)
                        break;
                r = job_next(j, &frame, err);
                if (r <= 0)
                        return r;
                job_used(j, r);
        }
        if (frame.body.len)
                tell(j, LAUNCH_WIRE_RECEIPT, frame.body);
        job_used(j, r);
        return 0;
}

static int launch(struct launch_job *j, int *ret_status, struct err *err)
{
        int r = get_permit(j, err);

        if (r >= 0)
                r = make_folder(j, err);
        if (r >= 0)
                r = record(j, err);
        if (r >= 0)
                r = start(j, err);
        if (r < 0)
                return r;
        (void)alarm(0);
        *ret_status = job_run(j);
        return 0;
}

static void end(struct launch_job *j, int status)
{
        struct launch_ended ended = {
                .by_signal = WIFSIGNALED(status),
                .status = (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
                .text = view_str(j->stopped)};
        AUTO(buf_free) struct buf body = {0};

        launch_ended_put(&body, &ended);
        if (buf_ok(&body))
                tell(j, LAUNCH_WIRE_ENDED, VIEW_BUF(&body));
}

static void go(struct launch_job *j)
{
        struct err err = ERR_INIT, ignored = ERR_INIT;
        int status = 126 << 8, r = job_receive(j, &err);

        if (r >= 0)
                r = job_prepare(j, &err);
        if (r >= 0 && j->ask.explain)
                r = explain(j, &err);
        else if (r >= 0)
                r = launch(j, &status, &err);
        (void)alarm(0);
        launch_folder_done(&j->folder);
        if (j->recorded && report(j, status, &ignored) < 0)
                log_err(&ignored, "the end of a launch");
        if (r >= 0 && j->rejected)
                r = err_set(&err, ERR_PEER, 0, "%s", j->stopped);
        if (r < 0)
                refuse(j, &err);
        else if (!j->ask.explain)
                end(j, status);
        launch_output_done(&j->output);
        launch_files_done(&j->files);
}

void launch_job(const struct launch_job_host *h, int client, int link, const struct peer *peer, uint32_t id)
{
        static const struct launch_job empty = {.module = LAUNCH_COPY_NONE,
                                                .input = LAUNCH_COPY_NONE,
                                                .output = LAUNCH_OUTPUT_NONE,
                                                .process = {.pidfd = -1},
                                                .fds = {-1, -1, -1, -1}};
        struct launch_job *j = mem_dup(&empty, sizeof(empty));

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGIO, SIG_IGN); /* a lease is being broken: found by asking */
        if (!j)
                _exit(1);
        j->h = h;
        j->client = client;
        j->link = link;
        j->peer = *peer;
        j->id = id;
        for (size_t i = 0; i < LAUNCH_SECRETS_MAX; i++)
                j->reader[i] = -1;
        (void)alarm((unsigned)(h->config->launch.start_ms / 1000));
        go(j);
        _exit(0);
}
