/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-registrar: proves that an attestation key lives in a genuine TPM, keeps who is who, and issues AK
 * certificates. Only wiring: options, log, and the way out.
 *
 * Exit status: 0 stopped as asked (or --check found nothing), 1 could not start or run, 2 wrong use or wrong
 * configuration.
 */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "registrar.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USE = 2 };

struct options {
        const char *config;
        bool check;
};

static void usage(FILE *to)
{
        (void)fputs(
                "avow-registrar [-c FILE] [--check]\n"
                "\n"
                "Registers hosts: proves that their keys live in genuine TPMs.\n"
                "\n"
                "  -c, --config FILE   configuration (" AVOW_SYSCONFDIR
                "/registrar.yaml), and FILE.d/*.yaml\n"
                "      --check         read the configuration and its files, say what is wrong, and exit\n"
                "      --version       show the version\n"
                "  -h, --help          show this\n",
                to);
}

/* Return: -1 to go on, else an exit status. */
static int parse(int argc, char **argv, struct options *ret)
{
        enum { OPT_CHECK = 256, OPT_VERSION };
        static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                                {"check", no_argument, NULL, OPT_CHECK},
                                                {"version", no_argument, NULL, OPT_VERSION},
                                                {"help", no_argument, NULL, 'h'},
                                                {NULL, 0, NULL, 0}};
        int c;

        while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
                switch (c) {
                case 'c':
                        ret->config = optarg;
                        break;
                case OPT_CHECK:
                        ret->check = true;
                        break;
                case OPT_VERSION:
                        (void)puts("avow-registrar " PACKAGE_VERSION);
                        return EXIT_OK;
                case 'h':
                        usage(stdout);
                        return EXIT_OK;
                default:
                        usage(stderr);
                        return EXIT_USE;
                }
        if (optind == argc)
                return -1;
        (void)fprintf(stderr, "avow-registrar: '%s' is one word too many\n", argv[optind]);
        usage(stderr);
        return EXIT_USE;
}

static int fail(const struct err *err)
{
        log_err(err, "avow-registrar cannot start");
        return err->kind == ERR_CONFIG ? EXIT_USE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
        AUTO(registrar_free_p) struct registrar *registrar = NULL;
        struct options options = {.config = AVOW_SYSCONFDIR "/registrar.yaml"};
        struct err err = ERR_INIT;
        int r = parse(argc, argv, &options);

        if (r >= 0)
                return r;
        log_init("registrar", LOG_LEVEL_INFO);
        (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a valid signal */
        if (options.check) {
                struct material material;

                if (material_load(options.config, environ, &material, &err) < 0)
                        return fail(&err);
                material_done(&material);
                return EXIT_OK;
        }
        if (registrar_open(options.config, environ, &registrar, &err) < 0)
                return fail(&err);
        if (registrar_run(registrar, &err) < 0) {
                log_err(&err, "avow-registrar stops");
                return EXIT_FAILED;
        }
        return EXIT_OK;
}
