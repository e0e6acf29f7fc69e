/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-verifier: challenges hosts, appraises their evidence against policy, keeps verdicts. One process, one
 * loop, one writer and one reader behind it. Signals: SIGTERM and SIGINT end it, SIGHUP reads the
 * configuration and the certificates again.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/log.h"
#include "config.h"
#include "verifier/verifier.h"

struct program {
        struct verifier v;
        const char *config_file;
};

static void on_end(void *ctx, unsigned events)
{
        struct program *p = ctx;

        (void)events;
        (void)sd_notify(0, "STOPPING=1");
        loop_stop(p->v.loop);
}

static void on_reload(void *ctx, unsigned events)
{
        struct program *p = ctx;
        struct err err = ERR_INIT;
        struct timespec now;

        (void)events;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                         (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        if (verifier_reload(&p->v, p->config_file, &err) < 0)
                log_err(&err, "reload: everything stays as it was");
        else
                log_info("configuration and certificates were read again");
        (void)sd_notify(0, "READY=1");
}

static int run(struct program *p, struct err *err)
{
        static const struct {
                int signo;
                loop_watch_fn fn;
        } signals[] = {{SIGTERM, on_end}, {SIGINT, on_end}, {SIGHUP, on_reload}};
        struct loop_watch *watches[ARRAY_LEN(signals)] = {NULL};
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(signals) && r >= 0; i++)
                r = loop_signal_new(p->v.loop, signals[i].signo, signals[i].fn, p, &watches[i], err);
        if (r >= 0)
                r = verifier_listen(&p->v, err);
        if (r >= 0) {
                log_info("avow-verifier " PACKAGE_VERSION " (id %s) listens on port %u",
                         verifier_db_id(p->v.db), http_server_port(p->v.server, true));
                (void)sd_notify(0, "READY=1");
                r = loop_run(p->v.loop, err);
        }
        for (size_t i = 0; i < ARRAY_LEN(signals); i++)
                loop_watch_free(watches[i]);
        return r;
}

enum { OPT_CHECK = 256 };

static const char usage[] =
        "Usage: avow-verifier [-c FILE]\n"
        "\n"
        "  -c, --config FILE  configuration [" AVOW_SYSCONFDIR "/verifier.yaml]\n"
        "      --check        read the configuration and its files, say what is wrong, and exit\n"
        "      --version\n"
        "      --help\n"
        "\n"
        "See avow-verifier(8).\n";

/* Return: -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct program *p, bool *ret_check)
{
        static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                                {"check", no_argument, NULL, OPT_CHECK},
                                                {"version", no_argument, NULL, 'V'},
                                                {"help", no_argument, NULL, 'h'},
                                                {NULL, 0, NULL, 0}};
        int c;

        while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
                if (c == 'c') {
                        p->config_file = optarg;
                } else if (c == OPT_CHECK) {
                        *ret_check = true;
                } else if (c == 'V') {
                        (void)puts("avow-verifier " PACKAGE_VERSION);
                        return 0;
                } else {
                        (void)fputs(usage, c == 'h' ? stdout : stderr);
                        return c == 'h' ? 0 : 2;
                }
        }
        if (optind == argc)
                return -1;
        (void)fputs(usage, stderr);
        return 2;
}

int main(int argc, char **argv)
{
        struct program p = {.config_file = AVOW_SYSCONFDIR "/verifier.yaml"};
        struct err err = ERR_INIT;
        bool check = false;
        int r;

        log_init("verifier", LOG_LEVEL_INFO);
        r = read_options(argc, argv, &p, &check);
        if (r >= 0)
                return r;
        (void)signal(SIGPIPE, SIG_IGN);
        if (check) {
                r = verifier_check(p.config_file, &err);
        } else {
                r = verifier_new(&p.v, p.config_file, &err);
                if (r >= 0)
                        r = run(&p, &err);
                verifier_done(&p.v);
        }
        if (r >= 0)
                return EXIT_SUCCESS;
        log_err(&err, check ? "configuration" : "avow-verifier cannot run");
        return err.kind == ERR_CONFIG ? 2 : EXIT_FAILURE;
}
