/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-agent-net: the network half as a program. avow-agent starts it, with its socket as descriptor 3;
 * nobody else has a use for it. It reads the configuration while it still may, and gives its rights up before
 * it listens to anybody.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "agent/net.h"
#include "agent/rights.h"
#include "base/log.h"

static int run(const char *file)
{
        AUTO(agent_config_free_p) struct agent_config *config = NULL;
        struct agent_net net = {.fd = CHILD_SOCKET_FD, .dir = "."};
        struct err err = ERR_INIT;

        if (agent_config_load(file, &config, &err) < 0) {
                log_err(&err, "network half: configuration");
                return 2;
        }
        log_set_level((enum log_level)config->log_level);
        if (rights_drop(config, &err) < 0) {
                log_err(&err, "network half");
                return 1;
        }
        net.config = config;
        return agent_net_main(&net);
}

int main(int argc, char **argv)
{
        const char *file = NULL;
        socklen_t len = sizeof(int);
        int c, type;

        log_init("agent", LOG_LEVEL_INFO);
        while ((c = getopt(argc, argv, "c:")) >= 0)
                if (c == 'c')
                        file = optarg;
        if (!file || getsockopt(CHILD_SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
                (void)fputs("avow-agent-net is started by avow-agent\n", stderr);
                return 2;
        }
        /* The end comes by the socket. */
        (void)signal(SIGTERM, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)prctl(PR_SET_PDEATHSIG, 0);
        return run(file);
}
