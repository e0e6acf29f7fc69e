/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked, and everything that is digested before anybody is asked for leave. The asker's word counts
 * for which runtime, arguments and secrets he would like; what the module is, what the runtime is made of,
 * and what the input is, is found out here, from copies (SR-21). He may lie about nothing that the permit
 * names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/launch_job.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* The descriptors beside a packet; more than LAUNCH_N_FDS do not fit, which MSG_CTRUNC tells. */
static int take_fds(struct launch_job *j, struct msghdr *m, struct err *err)
{
        struct cmsghdr *c = CMSG_FIRSTHDR(m);
        size_t n = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
                           ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
                           : 0;

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
                if (i < LAUNCH_N_FDS)
                        j->fds[i] = fd;
                else
                        (void)close(fd);
        }
        if (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return err_set(err, ERR_LIMIT, 0,
                               "an ask is one packet of at most %u bytes with %d descriptors",
                               LAUNCH_WIRE_PACKET_MAX, LAUNCH_N_FDS);
        return n == LAUNCH_N_FDS ? 0
                                 : err_set(err, ERR_FORMAT, 0, "an ask comes with %d descriptors, not %zu",
                                           LAUNCH_N_FDS, n);
}

int job_receive(struct launch_job *j, struct err *err)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * LAUNCH_N_FDS)];
                struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_len = LAUNCH_WIRE_PACKET_MAX};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        ssize_t n;
        int r;

        iov.iov_base = j->packet = mem_alloc(LAUNCH_WIRE_PACKET_MAX);
        if (!j->packet)
                return err_nomem(err);
        do
                n = recvmsg(j->client, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_errno(err, errno, "recvmsg");
        r = take_fds(j, &m, err);
        if (r < 0)
                return r;
        if (n < 1 || j->packet[0] != LAUNCH_WIRE_ASK)
                return err_set(err, ERR_FORMAT, 0, "the first packet is no ask");
        return launch_ask_get(VIEW(j->packet + 1, (size_t)n - 1), &j->ask, err);
}

static int choose_runtime(struct launch_job *j, struct err *err)
{
        const struct launch_config *c = &j->h->config->launch;
        bool gives = false;

        j->runtime = launch_config_runtime(c, j->ask.runtime);
        if (!j->runtime && j->ask.runtime.len == 0)
                return err_set(err, ERR_CONFIG, 0,
                               "this host has %zu runtimes: say which with --runtime (%s, %s, …)",
                               c->n_runtimes, c->runtimes[0].measured->name,
                               c->runtimes[c->n_runtimes - 1].measured->name);
        if (!j->runtime)
                return err_set(err, ERR_CONFIG, 0,
                               "this host has no runtime %s (launch.runtimes in its agent.yaml)",
                               SHOW_VIEW(j->ask.runtime));
        for (size_t i = 0; i < j->runtime->n_argv; i++)
                gives = gives || strstr(j->runtime->argv[i], LAUNCH_SECRETS);
        if (j->ask.n_secrets && !gives)
                return err_set(err, ERR_CONFIG, 0,
                               "runtime %s gives its modules no secrets: its argv has no " LAUNCH_SECRETS,
                               SHOW(j->runtime->measured->name));
        return 0;
}

static int copy_name(const char *name, char *ret, size_t size, struct err *err)
{
        if (strlen(name) >= size)
                return err_set(err, ERR_LIMIT, 0, "%s is too long a name", SHOW(name));
        memcpy(ret, name, strlen(name) + 1);
        return 0;
}

static int describe_arguments(struct launch_job *j, struct err *err)
{
        struct strv args = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < j->ask.n_args; i++)
                if (strv_take(&args, str_ndup((const char *)j->ask.args[i].p, j->ask.args[i].len)) < 0)
                        r = err_nomem(err);
        if (r >= 0)
                r = launch_arguments((const char *const *)args.items, args.n, &j->launch.arguments, err);
        strv_done(&args);
        return r;
}

static int describe_secrets(struct launch_job *j, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < j->ask.n_secrets; i++) {
                AUTO(mem_free_p)
                char *name = str_ndup((const char *)j->ask.secrets[i].p, j->ask.secrets[i].len);

                if (!name)
                        return err_nomem(err);
                if (strlen(name) != j->ask.secrets[i].len)
                        return err_set(err, ERR_FORMAT, 0, "a secret's name holds a zero byte");
                r = launch_add_secret(&j->launch, name, err);
        }
        return r;
}

/* The module, its claims, the input: all from sealed copies. */
static int digest_contents(struct launch_job *j, struct err *err)
{
        uint64_t max = j->h->config->launch.module_max;
        int r = launch_copy_make(j->fds[LAUNCH_FD_MODULE], "the module", max, false, &j->module, err);

        if (r >= 0)
                r = launch_of_module(j->module.data, &j->launch, &j->claims, err);
        if (r < 0)
                return err_wrap(err, "the module");
        if (!j->ask.input)
                return 0;
        j->launch.has_input = true;
        r = launch_copy_make(j->fds[LAUNCH_FD_STDIN], "the input", max, false, &j->input, err);
        return r < 0 ? r : digest_bytes(DIGEST_SHA256, j->input.data, &j->launch.input, err);
}

int job_prepare(struct launch_job *j, struct err *err)
{
        struct launch *l = &j->launch;
        int r = choose_runtime(j, err);

        if (r >= 0 && j->h->host_id[0] == '\0')
                r = err_set(
                        err, ERR_PEER, 0,
                        "the agent is not ready: its TPM has not answered yet (journalctl -u avow-agent)");
        if (r >= 0 && geteuid() != 0 && j->peer.uid != geteuid())
                r = err_set(err, ERR_PEER, 0,
                            "the agent is not root and runs modules as its own user %u only, not as %u",
                            geteuid(), j->peer.uid);
        if (r >= 0)
                r = uuid_random(l->id, err);
        if (r >= 0)
                r = copy_name(j->h->host_id, l->host, sizeof(l->host), err);
        if (r >= 0)
                r = copy_name(j->runtime->measured->name, l->runtime, sizeof(l->runtime), err);
        if (r >= 0)
                r = describe_arguments(j, err);
        if (r >= 0)
                r = describe_secrets(j, err);
        if (r >= 0)
                r = digest_contents(j, err);
        if (r >= 0)
                r = launch_files_hold(j->runtime, j->h->cache, &j->files, err);
        if (r < 0)
                return r;
        l->closure = j->files.digest;
        l->nonce_len = j->ask.nonce.len;
        if (l->nonce_len)
                memcpy(l->nonce, j->ask.nonce.p, l->nonce_len);
        return 0;
}
