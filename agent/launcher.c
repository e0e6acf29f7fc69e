/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop reads nothing that an asker wrote: it knows who connected, counts, forks, and then carries frames
 * whose numbers it sets itself, so that a launch can only speak for itself. A launch whose process ends
 * without a word is reported as what it is: given up before it was recorded, or killed after.
 *
 * The digests of what the configured runtimes are made of are learned here, at the start and whenever the
 * kernel says that something changed, so that a launch has only to compare marks.
 */
#include "agent/launcher.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/launch_job.h"
#include "agent/unix_listen.h"
#include "agent/watch.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define JOBS_MAX     256
#define PER_USER_MAX 64 /* root apart */
#define NO_GROUP     65534
#define READ_BYTES   16384
#define RELEARN_MS   1000
#define N_OWN_FDS    4 /* signals, link, listener, notices */

/* One end of a stream of frames, without waiting. */
struct stream {
        int fd;
        struct buf in, out;
        size_t out_at;
};

enum job_step { JOB_ASKS, JOB_BEGUN, JOB_RECORDING, JOB_RECORDED, JOB_ENDED };

struct job {
        pid_t pid; /* 0: free */
        uid_t uid;
        uint32_t id;
        enum job_step step;
        struct stream s;
};

struct launcher {
        const char *file;
        struct agent_config *config;
        struct digest_cache *cache;
        struct watch *watch;
        struct stream link;
        int signals, listener;
        char *dir;
        gid_t gid;
        char host_id[LAUNCH_HOST_MAX + 1];
        int64_t relearn_ms; /* 0: nothing to learn */
        uint32_t last_id;
        bool end;
        struct job jobs[JOBS_MAX];
};

/* ---- streams */

static void stream_done(struct stream *s)
{
        fd_close_p(&s->fd);
        if (s->in.p)
                mem_wipe(s->in.p, s->in.len);
        buf_free(&s->in);
        if (s->out.p)
                mem_wipe(s->out.p, s->out.len); /* secrets pass here */
        buf_free(&s->out);
        *s = (struct stream){.fd = -1};
}

static bool stream_write(struct stream *s)
{
        while (s->out.len > s->out_at) {
                ssize_t n = send(s->fd, s->out.p + s->out_at, s->out.len - s->out_at,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                s->out_at += (size_t)n;
        }
        if (s->out.p)
                mem_wipe(s->out.p, s->out.len);
        buf_reset(&s->out);
        s->out_at = 0;
        return buf_ok(&s->out);
}

static bool stream_read(struct stream *s)
{
        uint8_t bytes[READ_BYTES];
        ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        buf_put(&s->in, bytes, (size_t)n);
        mem_wipe(bytes, sizeof(bytes));
        return buf_ok(&s->in);
}

static void stream_used(struct stream *s, size_t used)
{
        memmove(s->in.p, s->in.p + used, s->in.len - used);
        mem_wipe(s->in.p + s->in.len - used, used);
        s->in.len -= used;
}

static short stream_events(const struct stream *s)
{
        return (short)(POLLIN | (s->out.len > s->out_at ? POLLOUT : 0));
}

/* ---- launches */

static void job_done(struct launcher *l, struct job *job)
{
        AUTO(buf_free) struct buf body = {0};
        struct launch_link_ended killed = {.status = SIGKILL, .ended_ms = clock_now_ms()};

        if (job->step == JOB_BEGUN)
                launch_link_put(&l->link.out, LAUNCH_LINK_CANCEL, job->id, VIEW_NONE);
        if (job->step == JOB_RECORDING || job->step == JOB_RECORDED) {
                killed.started_ms = killed.ended_ms;
                launch_link_ended_put(&body, &killed);
                launch_link_put(&l->link.out, LAUNCH_LINK_ENDED, job->id, VIEW_BUF(&body));
                log_warning("the process of launch %u was killed, and its module with it", job->id);
        }
        (void)kill(job->pid, SIGKILL); /* it closed its socket, so it is ending anyway */
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        stream_done(&job->s);
        job->pid = 0;
}

/* What a launch may say, and what that makes of it. */
static bool job_says(struct job *job, uint8_t type)
{
        switch (type) {
        case LAUNCH_LINK_EXPLAIN:
                return job->step == JOB_ASKS;
        case LAUNCH_LINK_BEGIN:
                job->step = JOB_BEGUN;
                return true;
        case LAUNCH_LINK_RECORD:
                job->step = JOB_RECORDING;
                return true;
        case LAUNCH_LINK_ENDED:
                job->step = JOB_ENDED;
                return true;
        default:
                return type == LAUNCH_LINK_MAPPED || type == LAUNCH_LINK_SECRET;
        }
}

/* Return: false if the launch's process is to be ended. */
static bool serve_job(struct launcher *l, struct job *job, short events)
{
        struct frame frame;
        struct err err = ERR_INIT;
        int used;

        if (events & (POLLIN | POLLHUP | POLLERR) && !stream_read(&job->s))
                return false;
        while ((used = launch_link_take(VIEW_BUF(&job->s.in), &frame, &err)) > 0) {
                if (!job_says(job, frame.type))
                        return false;
                launch_link_put(&l->link.out, (enum launch_link_type)frame.type, job->id, frame.body);
                stream_used(&job->s, (size_t)used);
        }
        return used == 0 && stream_write(&job->s);
}

static struct job *job_by_id(struct launcher *l, uint32_t id)
{
        for (size_t i = 0; i < JOBS_MAX; i++)
                if (l->jobs[i].pid && l->jobs[i].id == id)
                        return &l->jobs[i];
        return NULL;
}

static int on_ready(struct launcher *l, struct view body, struct err *err)
{
        struct launch_link_ready m;
        int r = launch_link_ready_get(body, &m, err);

        if (r < 0)
                return r;
        if (m.host.len >= sizeof(l->host_id))
                return err_set(err, ERR_LIMIT, 0, "the host's name is too long");
        memcpy(l->host_id, m.host.p, m.host.len);
        l->host_id[m.host.len] = '\0';
        return 0;
}

static void on_answer(struct launcher *l, const struct frame *frame)
{
        struct job *job = job_by_id(l, frame->id);

        if (!job)
                return; /* its process ended meanwhile */
        if (frame->type == LAUNCH_LINK_RECORDED && job->step == JOB_RECORDING)
                job->step = JOB_RECORDED;
        if (frame->type == LAUNCH_LINK_REFUSED && job->step != JOB_RECORDED && job->step != JOB_ENDED)
                job->step = JOB_ASKS; /* nothing is under way there any more */
        launch_link_put(&job->s.out, (enum launch_link_type)frame->type, job->id, frame->body);
}

static int serve_link(struct launcher *l, short events, struct err *err)
{
        struct frame frame;
        int used;

        if (events & (POLLIN | POLLHUP | POLLERR) && !stream_read(&l->link)) {
                l->end = true;
                return 0;
        }
        while ((used = launch_link_take(VIEW_BUF(&l->link.in), &frame, err)) > 0) {
                if (frame.type != LAUNCH_LINK_READY)
                        on_answer(l, &frame);
                else if (on_ready(l, frame.body, err) < 0)
                        return -ERR_FORMAT;
                stream_used(&l->link, (size_t)used);
        }
        return used;
}

/* ---- who asks */

static struct job *free_job(struct launcher *l, uid_t uid)
{
        struct job *job = NULL;
        size_t n = 0;

        for (size_t i = 0; i < JOBS_MAX; i++) {
                if (!l->jobs[i].pid)
                        job = &l->jobs[i];
                else
                        n += l->jobs[i].uid == uid;
        }
        return uid != 0 && n >= PER_USER_MAX ? NULL : job;
}

static void turn_away(int fd, const char *why)
{
        AUTO(buf_free) struct buf out = {0};

        buf_u8(&out, LAUNCH_WIRE_REFUSED);
        buf_str(&out, why);
        if (buf_ok(&out) && send(fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                log_debug("an asker went away");
}

/* In the new process: nothing of the loop's stays but what a launch may know. */
static void become_job(struct launcher *l, const struct job *job, int client, int link,
                       const struct peer *peer)
{
        struct launch_job_host h = {
                .config = l->config, .cache = l->cache, .host_id = l->host_id, .dir = l->dir, .gid = l->gid};
        uint32_t id = job->id;
        sigset_t none;

        for (size_t i = 0; i < JOBS_MAX; i++)
                stream_done(&l->jobs[i].s);
        stream_done(&l->link);
        fd_close_p(&l->listener);
        fd_close_p(&l->signals);
        watch_free(TAKE(l->watch));
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        launch_job(&h, client, link, peer, id);
}

static void welcome(struct launcher *l, int client)
{
        struct err err = ERR_INIT;
        struct job *job;
        struct peer peer;
        int fds[2];

        if (peer_of(client, &peer, &err) < 0) {
                turn_away(client, err.text);
                return;
        }
        job = free_job(l, peer.uid);
        if (!job || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
                log_warning("user %u: too many launches at a time", peer.uid);
                turn_away(client,
                          "too many launches at a time on this host: again when one of them has ended");
                return;
        }
        *job = (struct job){.uid = peer.uid, .id = ++l->last_id, .s = {.fd = fds[0]}};
        job->pid = fork();
        if (job->pid == 0)
                become_job(l, job, client, fds[1], &peer);
        (void)close(fds[1]);
        if (job->pid < 0) {
                job->pid = 0;
                stream_done(&job->s);
                turn_away(client, "the launcher cannot fork");
        }
}

static void accept_all(struct launcher *l)
{
        for (;;) {
                AUTO(fd_close_p) int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return;
                welcome(l, fd);
        }
}

/* ---- what is known of the runtimes */

static void learn(struct launcher *l)
{
        AUTO(strv_done) struct strv paths = {0};
        bool again = false;

        for (size_t i = 0; i < l->config->launch.n_runtimes; i++) {
                struct err err = ERR_INIT;
                int r = digest_cache_learn(l->cache, &l->config->launch.runtimes[i], &paths, &err);

                if (r < 0)
                        log_err(&err, "a runtime that cannot be launched");
                again = again || r > 0;
        }
        (void)watch_set(l->watch,
                        &paths); /* what cannot be watched is compared at each launch all the same */
        l->relearn_ms = again ? clock_mono_ms() + RELEARN_MS : 0;
}

static gid_t group_of(const struct agent_config *config)
{
        const struct group *group = geteuid() == 0 ? getgrnam(config->launch.group) : NULL;

        if (geteuid() != 0)
                return getegid();
        if (!group)
                log_warning("there is no group %s: modules run with group %d, which others may have too",
                            SHOW(config->launch.group), NO_GROUP);
        return group ? group->gr_gid : NO_GROUP;
}

static void reload(struct launcher *l)
{
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;

        if (agent_config_load(l->file, &config, &err) < 0) {
                log_err(&err, "the launcher keeps the old configuration");
                return;
        }
        agent_config_free(l->config);
        l->config = config;
        learn(l);
}

static void on_signal(struct launcher *l)
{
        struct signalfd_siginfo info;

        while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                if (info.ssi_signo == SIGHUP)
                        reload(l);
}

/* ---- the loop */

static int take_signals(struct launcher *l, struct err *err)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
                return err_errno(err, errno, "sigprocmask");
        (void)signal(SIGTERM, SIG_IGN); /* the end comes by the link */
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGPIPE, SIG_IGN);
        l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return l->signals < 0 ? err_errno(err, errno, "signalfd") : 0;
}

static int start(struct launcher *l, struct err *err)
{
        int r = agent_config_load(l->file, &l->config, err);

        if (r < 0)
                return r;
        log_set_level((enum log_level)l->config->log_level);
        l->dir = str_fmt("%s/launch", l->config->run_dir);
        l->gid = group_of(l->config);
        r = l->dir ? take_signals(l, err) : err_nomem(err);
        if (r >= 0)
                r = launch_folder_clean(l->dir, l->gid, err);
        if (r >= 0)
                r = digest_cache_new(&l->cache, err);
        if (r >= 0)
                r = watch_new(&l->watch, err);
        if (r < 0)
                return r;
        learn(l);
        r = unix_listen(l->config->launch.socket, SOCK_SEQPACKET, true, &l->listener, err);
        if (r >= 0)
                log_info("modules are launched at %s", SHOW(l->config->launch.socket));
        return r;
}

static int turn(struct launcher *l, struct err *err)
{
        struct pollfd fds[N_OWN_FDS + JOBS_MAX] = {
                {.fd = l->signals, .events = POLLIN},
                {.fd = l->link.fd, .events = stream_events(&l->link)},
                {.fd = l->listener, .events = POLLIN},
                {.fd = watch_fd(l->watch), .events = POLLIN},
        };
        int64_t left_ms = l->relearn_ms ? l->relearn_ms - clock_mono_ms() : -1;
        int r = 0;

        for (size_t i = 0; i < JOBS_MAX; i++)
                fds[N_OWN_FDS + i] = (struct pollfd){.fd = l->jobs[i].pid ? l->jobs[i].s.fd : -1,
                                                     .events = stream_events(&l->jobs[i].s)};
        if (l->relearn_ms && left_ms < 0)
                left_ms = 0;
        if (poll(fds, ARRAY_LEN(fds), (int)left_ms) < 0 && errno != EINTR)
                return err_errno(err, errno, "poll");
        if (fds[0].revents)
                on_signal(l);
        if ((fds[3].revents && watch_drain(l->watch)) || (l->relearn_ms && clock_mono_ms() >= l->relearn_ms))
                learn(l);
        if (fds[1].revents)
                r = serve_link(l, fds[1].revents, err);
        for (size_t i = 0; r >= 0 && i < JOBS_MAX; i++)
                if (l->jobs[i].pid && (fds[N_OWN_FDS + i].revents || l->jobs[i].s.out.len) &&
                    !serve_job(l, &l->jobs[i], fds[N_OWN_FDS + i].revents))
                        job_done(l, &l->jobs[i]);
        if (r >= 0 && fds[2].revents)
                accept_all(l);
        if (r >= 0 && !stream_write(&l->link))
                l->end = true;
        return r;
}

int launcher_main(const char *config_file, int link, struct err *err)
{
        struct launcher *l = mem_zalloc(1, sizeof(*l));
        int r;

        if (!l)
                return err_nomem(err);
        l->file = config_file;
        l->signals = l->listener = -1;
        l->link.fd = link;
        for (size_t i = 0; i < JOBS_MAX; i++)
                l->jobs[i].s.fd = -1;
        r = start(l, err);
        while (r >= 0 && !l->end)
                r = turn(l, err);
        for (size_t i = 0; i < JOBS_MAX; i++) /* their modules die with them */
                if (l->jobs[i].pid)
                        (void)kill(l->jobs[i].pid, SIGKILL);
        if (l->listener >= 0)
                (void)unlink(l->config->launch.socket);
        stream_done(&l->link);
        free(l->dir);
        fd_close_p(&l->listener);
        fd_close_p(&l->signals);
        watch_free(l->watch);
        digest_cache_free(l->cache);
        agent_config_free(l->config);
        free(l);
        return r;
}
