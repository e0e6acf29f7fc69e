/* SPDX-License-Identifier: Apache-2.0 */
/* avow-agent-launch: the launcher. avow-agent starts it; nobody else has a use for it. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/launcher.h"
#include "agent/rights.h"
#include "base/log.h"

int main(int argc, char **argv)
{
        const char *file = NULL;
        socklen_t len = sizeof(int);
        struct err err = ERR_INIT;
        int c, type;

        log_init("agent", LOG_LEVEL_INFO);
        while ((c = getopt(argc, argv, "c:")) >= 0)
                if (c == 'c')
                        file = optarg;
        if (!file || getsockopt(CHILD_SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
                (void)fputs("avow-agent-launch is started by avow-agent\n", stderr);
                return 2;
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#ifndef __SANITIZE_ADDRESS__             /* whose leak check traces the process */
        (void)prctl(PR_SET_DUMPABLE, 0); /* secrets pass through it */
#endif
        if (launcher_main(file, CHILD_SOCKET_FD, &err) >= 0)
                return 0;
        log_err(&err, "launcher");
        return 1;
}
