/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-agent: the TPM half, which is the main process, and its loop.
 *
 * It tells systemd when it is ready, answers SIGHUP (reload), SIGTERM and
 * SIGINT (end), and starts the network half anew should that ever end. It waits in one poll() for signals,
 * requests and notices of changed files; the only thing that can hold it up is the TPM.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent/child.h"
#include "agent/half.h"
#include "agent/inventory.h"
#include "agent/launch_serve.h"
#include "agent/seal_plain.h"
#include "agent/sockets.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "config.h"

#define SLOW_US        "180000000"
#define END_MS         5000
#define RESPAWN_MIN_MS 1000
#define RESPAWN_MAX_MS 60000
#define TURN_MAX_MS    60000
#define N_OWN_FDS      4 /* signals, notices, the network half, the launcher */
#define LAUNCHER       "avow-agent-launch"

struct agent {
        const char *file;
        struct half *half;
        struct child child;
        pid_t launcher_pid; /* 0: none */
        struct launch_serve launcher;
        int64_t launcher_at_ms; /* when it is started again */
        struct sockets *sockets;
        int signals;
        bool end;
        int64_t respawn_at_ms, respawn_step_ms, child_since_ms;
        uint64_t watchdog_us;
};

/* A key on a slow TPM takes longer than systemd waits for start, reload, or the watchdog. */
static void on_slow(const char *doing)
{
        (void)sd_notifyf(0,
                         "EXTEND_TIMEOUT_USEC=" SLOW_US "\nWATCHDOG=1\nWATCHDOG_USEC=" SLOW_US "\nSTATUS=%s",
                         doing);
}

static void feed_watchdog(const struct agent *a)
{
        if (a->watchdog_us)
                (void)sd_notifyf(0, "WATCHDOG_USEC=%llu\nWATCHDOG=1", (unsigned long long)a->watchdog_us);
}

/* ---- the network half */

static bool wants_network(const struct agent_config *config)
{
        return config->registrar.url || config->verifier.url;
}

static void start_child(struct agent *a, int64_t mono_ms)
{
        struct err err = ERR_INIT;

        if (a->child.pid || mono_ms < a->respawn_at_ms || !wants_network(half_config(a->half)))
                return;
        if (child_start(&a->child, a->file, &err) < 0)
                log_err(&err, "network half");
        a->child_since_ms = mono_ms;
}

/* It ended, or has to. One that lived long is started at once, one that does not stay up ever later. */
static void child_ended(struct agent *a, int64_t mono_ms)
{
        child_end(&a->child, END_MS);
        half_network_lost(a->half);
        if (mono_ms - a->child_since_ms > RESPAWN_MAX_MS || !a->respawn_step_ms)
                a->respawn_step_ms = RESPAWN_MIN_MS;
        else if (a->respawn_step_ms < RESPAWN_MAX_MS)
                a->respawn_step_ms *= 2;
        a->respawn_at_ms = mono_ms + a->respawn_step_ms;
        log_warning("the network half ended; it is started again in %lld s",
                    (long long)a->respawn_step_ms / 1000);
}

/* ---- the launcher */

static void start_launcher(struct agent *a, int64_t mono_ms)
{
        struct err err = ERR_INIT;
        int fd;

        if (a->launcher_pid || mono_ms < a->launcher_at_ms || !half_config(a->half)->launch.enabled)
                return;
        if (child_spawn(LAUNCHER, a->file, &a->launcher_pid, &fd, &err) < 0) {
                log_err(&err, "launcher");
                a->launcher_at_ms = mono_ms + RESPAWN_MIN_MS;
                return;
        }
        launch_serve_attach(&a->launcher, a->half, fd);
}

/* What it started ends with it. */
static void end_launcher(struct agent *a)
{
        launch_serve_hang_up(&a->launcher);
        child_wait(&a->launcher_pid, END_MS);
        a->launcher_at_ms = clock_mono_ms() + RESPAWN_MIN_MS;
}

/* ---- signals */

static void reload(struct agent *a)
{
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;
        int r;

        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_mono_ms() * 1000);
        r = agent_config_load(a->file, &config, &err);
        if (r >= 0)
                r = half_reload(a->half, config, &err);
        if (r >= 0 && sockets_configure(a->sockets, half_config(a->half), &err) < 0)
                log_err(&err, "nobody can ask for secrets"); /* the rest of the configuration is in force */
        if (r < 0) {
                log_err(&err, "reload refused, the old configuration stays");
        } else {
                log_set_level((enum log_level)half_config(a->half)->log_level);
                log_info("configuration reloaded");
                child_end(&a->child, END_MS); /* it reads the file anew */
                a->respawn_at_ms = a->respawn_step_ms = 0;
                if (a->launcher_pid)
                        (void)kill(a->launcher_pid, SIGHUP);
        }
        (void)sd_notify(0, "READY=1");
}

static void on_signal(struct agent *a)
{
        struct signalfd_siginfo info;

        while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                if (info.ssi_signo == SIGHUP)
                        reload(a);
                else if (info.ssi_signo != SIGCHLD)
                        a->end = true;
        }
}

/* Blocks them for poll() and gives them to a descriptor. SIGCHLD only wakes. */
static int take_signals(struct agent *a, struct err *err)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return err_errno(err, errno, "sigprocmask");
        a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return a->signals < 0 ? err_errno(err, errno, "signalfd") : 0;
}

/* ---- the loop */

static int timeout_of(const struct agent *a, int64_t due_ms, int64_t mono_ms)
{
        int64_t ms = due_ms < TURN_MAX_MS ? due_ms : TURN_MAX_MS;

        if (a->watchdog_us && (int64_t)(a->watchdog_us / 3000) < ms)
                ms = (int64_t)(a->watchdog_us / 3000);
        if (!a->child.pid && a->respawn_at_ms > mono_ms && a->respawn_at_ms - mono_ms < ms)
                ms = a->respawn_at_ms - mono_ms;
        if (!a->launcher_pid && a->launcher_at_ms > mono_ms && a->launcher_at_ms - mono_ms < ms)
                ms = a->launcher_at_ms - mono_ms;
        return (int)ms;
}

static void serve(struct agent *a)
{
        int64_t sockets_ms = 0;

        while (!a->end) {
                int64_t mono_ms = clock_mono_ms(), due_ms = half_turn(a->half, mono_ms);
                struct pollfd fds[N_OWN_FDS + SOCKETS_FDS_MAX];
                size_t n = sockets_poll(a->sockets, fds + N_OWN_FDS);

                due_ms = sockets_ms < due_ms ? sockets_ms : due_ms;
                start_child(a, mono_ms);
                start_launcher(a, mono_ms);
                launch_serve_flush(&a->launcher);
                child_tell(&a->child, a->half);
                feed_watchdog(a);
                fds[0] = (struct pollfd){.fd = a->signals, .events = POLLIN};
                fds[1] = (struct pollfd){.fd = half_watch_fd(a->half), .events = POLLIN};
                fds[2] = (struct pollfd){.fd = a->child.fd, .events = child_events(&a->child)};
                fds[3] = (struct pollfd){.fd = a->launcher.fd, .events = launch_serve_events(&a->launcher)};
                if (poll(fds, N_OWN_FDS + n, timeout_of(a, due_ms, mono_ms)) < 0 && errno != EINTR) {
                        log_error("poll: %s", strerror(errno));
                        return;
                }
                if (fds[2].revents && !child_serve(&a->child, a->half, fds[2].revents))
                        child_ended(a, clock_mono_ms());
                if (fds[3].revents && !launch_serve(&a->launcher, fds[3].revents)) {
                        log_warning("the launcher ended, and what it ran; it is started again");
                        end_launcher(a);
                }
                if (fds[0].revents)
                        on_signal(a);
                sockets_ms = sockets_serve(a->sockets, fds + N_OWN_FDS, n, clock_mono_ms());
        }
}

static int run_tpm_half(struct agent *a, struct agent_config *config, bool measure_only)
{
        struct err err = ERR_INIT;
        int r = take_signals(a, &err);

        if (r >= 0)
                r = half_new(config, on_slow, &a->half, &err);
        else
                agent_config_free(config);
        if (r >= 0)
                r = half_start(a->half, &err);
        if (r >= 0 && !measure_only)
                r = sockets_new(half_handout(a->half), &a->sockets, &err);
        if (r >= 0 && !measure_only)
                r = sockets_configure(a->sockets, half_config(a->half), &err);
        if (r < 0) {
                log_err(&err, "cannot start");
                (void)sd_notifyf(0, "STATUS=%s", err.text);
                return 1;
        }
        if (measure_only)
                return 0;
        if (!wants_network(half_config(a->half)))
                log_warning("neither registrar.url nor verifier.url is set: runtimes are measured, nothing "
                            "is reported");
        (void)sd_watchdog_enabled(0, &a->watchdog_us);
        (void)malloc_trim(0); /* keys and digests at start want more than the years after */
        (void)sd_notify(0, "READY=1\nSTATUS=measured");
        serve(a);
        (void)sd_notify(0, "STOPPING=1");
        log_info("ending");
        end_launcher(a);
        child_end(&a->child, END_MS);
        return 0;
}

/* The main process. */
static int tpm_half(const char *file, struct agent_config *config, bool measure_only)
{
        struct agent a = {.file = file, .child = CHILD_NONE, .launcher = LAUNCH_SERVE_NONE, .signals = -1};
        int status;

#ifndef __SANITIZE_ADDRESS__             /* whose leak check traces the process */
        (void)prctl(PR_SET_DUMPABLE, 0); /* nobody reads the AK's auth out of a core file or by ptrace */
#endif
        (void)setenv("TSS2_LOG", "all+none", 0); /* errors come to us as codes */
        status = run_tpm_half(&a, config, measure_only);
        sockets_free(a.sockets);
        half_free(a.half);
        fd_close_p(&a.signals);
        return status;
}

/* Prints what would be measured, touching neither TPM nor log. */
static int check(struct agent_config *config)
{
        static const struct tpm_bank_set banks = {.n = 3, .v = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384}};
        AUTO(inventory_free_p) struct inventory *inventory = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;
        int r = inventory_new(config, &banks, &inventory, &err);

        if (r >= 0)
                r = inventory_describe(inventory, &text, &err);
        if (r < 0)
                log_err(&err, "check");
        else
                (void)fwrite(text.p, 1, text.len, stdout);
        inventory_free(TAKE(inventory));
        agent_config_free(config);
        return r < 0 ? 1 : 0;
}

static const char usage[] =
        "usage: avow-agent [-c FILE] [--check | --measure-only | --seal-pcrs BANK:N,... --not-revocable]\n"
        "Measures the runtimes of this host into its TPM and proves them to a verifier.\n\n"
        "  -c, --config FILE   configuration (default " AVOW_SYSCONFDIR "/agent.yaml)\n"
        "      --check         read the configuration, print what would be measured, end\n"
        "      --measure-only  measure what is not measured yet in this boot, end\n"
        "      --seal-pcrs BANK:N,...  seal standard input to what these PCRs are now, as a file for\n"
        "                      tpm2-tools on standard output; nobody can revoke it: --not-revocable\n"
        "      --version       print the version\n"
        "  -h, --help          print this\n";

static int print_usage(bool asked)
{
        (void)fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
}

enum mode { MODE_RUN, MODE_CHECK, MODE_MEASURE, MODE_SEAL };

static int seal(struct agent_config *config, const char *pcrs, bool not_revocable)
{
        struct err err = ERR_INIT;
        int r;

        (void)setenv("TSS2_LOG", "all+none", 0);
        (void)prctl(PR_SET_DUMPABLE, 0);
        if (not_revocable)
                r = seal_plain(config, pcrs, &err);
        else
                r = err_set(
                        &err, ERR_CONFIG, 0,
                        "a plain PCR object cannot be revoked: a copy of it opens again after a reboot and "
                        "one extend. Add --not-revocable, or use 'avow secret put'");
        agent_config_free(config);
        if (r < 0)
                log_err(&err, "sealing");
        return r < 0 ? (err.kind == ERR_CONFIG || err.kind == ERR_LIMIT ? 2 : 1) : 0;
}

/* What the command line says. */
struct wanted {
        const char *file;
        enum mode mode;
        const char *pcrs; /* MODE_SEAL */
        bool not_revocable;
};

static int run(const struct wanted *w)
{
        AUTO(mem_free_p) char *real = realpath(w->file, NULL); /* the network half works in another folder */
        const char *file = real ? real : w->file;
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;

        if (agent_config_load(file, &config, &err) < 0) {
                log_err(&err, "configuration");
                return 2;
        }
        log_set_level((enum log_level)config->log_level);
        if (w->mode == MODE_CHECK)
                return check(config);
        if (w->mode == MODE_SEAL)
                return seal(config, w->pcrs, w->not_revocable);
        return tpm_half(file, config, w->mode == MODE_MEASURE);
}

int main(int argc, char **argv)
{
        static const struct option options[] = {
                {"config", required_argument, NULL, 'c'},
                {"check", no_argument, NULL, 'k'},
                {"measure-only", no_argument, NULL, 'm'},
                {"version", no_argument, NULL, 'V'},
                {"seal-pcrs", required_argument, NULL, 's'},
                {"not-revocable", no_argument, NULL, 'n'},
                {"help", no_argument, NULL, 'h'},
                {NULL, 0, NULL, 0},
        };
        struct wanted w = {.file = AVOW_SYSCONFDIR "/agent.yaml", .mode = MODE_RUN};
        int c;

        log_init("agent", LOG_LEVEL_INFO);
        while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
                if (c == 'c')
                        w.file = optarg;
                else if (c == 'k')
                        w.mode = MODE_CHECK;
                else if (c == 'm')
                        w.mode = MODE_MEASURE;
                else if (c == 's')
                        w.mode = MODE_SEAL, w.pcrs = optarg;
                else if (c == 'n')
                        w.not_revocable = true;
                else if (c == 'V')
                        return puts("avow-agent " PACKAGE_VERSION) < 0;
                else
                        return print_usage(c == 'h');
        }
        return optind < argc ? print_usage(false) : run(&w);
}
