/* SPDX-License-Identifier: Apache-2.0 */
/* The emulator around a test: real TPM code (libtpms) behind a unix socket. */
#include "swtpm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_BYTES 512

static int run(const char *const argv[])
{
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
                return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nap(void)
{
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static bool answers(const char *path)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool ok;

        (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
        ok = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
        (void)close(fd);
        return ok;
}

static void launch(struct swtpm *s)
{
        char state[64], server[80], ctrl[80], path[40];

        (void)snprintf(state, sizeof(state), "dir=%s", s->dir);
        (void)snprintf(path, sizeof(path), "%s/s", s->dir);
        (void)snprintf(server, sizeof(server), "type=unixio,path=%s", path);
        (void)snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s.ctrl", path);
        (void)snprintf(s->tcti, sizeof(s->tcti), "swtpm:path=%s", path);
        s->pid = fork();
        if (s->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                int null = open("/dev/null", O_RDWR);

                (void)dup2(null, STDOUT_FILENO);
                (void)dup2(null, STDERR_FILENO);
                execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
                       "--ctrl", ctrl, "--flags", "not-need-init,startup-clear", (char *)NULL);
                _exit(127);
        }
        for (int i = 0; i < 1000; i++) {
                if (answers(path))
                        return;
                if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
                        (void)printf("1..0 # skipped: swtpm is not installed or does not start\n");
                        exit(77);
                }
                nap();
        }
        (void)printf("swtpm did not make its socket\n");
        exit(99);
}

void swtpm_start(struct swtpm *s)
{
        char state[64];
        const char *setup[] = {"swtpm_setup",        "--tpm2",      "--tpm-state", state,       "--pcr-banks",
                               "sha1,sha256,sha384", "--overwrite", "--logfile",   "/dev/null", NULL};

        (void)setenv("TSS2_LOG", "all+none", 0);
        (void)snprintf(s->dir, sizeof(s->dir), "/tmp/avow.XXXXXX");
        if (!mkdtemp(s->dir))
                exit(99);
        (void)snprintf(state, sizeof(state), "dir://%s", s->dir);
        if (run(setup) != 0) {
                (void)printf("1..0 # skipped: swtpm_setup is not installed or does not run\n");
                (void)rmdir(s->dir);
                exit(77);
        }
        launch(s);
}

void swtpm_kill(struct swtpm *s)
{
        char path[48];

        if (s->pid > 0) {
                (void)kill(s->pid, SIGKILL);
                (void)waitpid(s->pid, NULL, 0);
        }
        s->pid = 0;
        (void)snprintf(path, sizeof(path), "%s/s", s->dir);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/s.ctrl", s->dir);
        (void)unlink(path);
}

void swtpm_restart(struct swtpm *s)
{
        swtpm_kill(s);
        launch(s);
}

void swtpm_stop(struct swtpm *s)
{
        const char *rm[] = {"rm", "-rf", s->dir, NULL};

        swtpm_kill(s);
        (void)run(rm);
}

int swtpm_tool(const struct swtpm *s, const char *command)
{
        char line[RUN_BYTES];
        const char *sh[] = {"sh", "-c", line, NULL};

        (void)snprintf(line, sizeof(line), "cd %s && export TPM2TOOLS_TCTI=%s && { %s; } >/dev/null 2>&1",
                       s->dir, s->tcti, command);
        return run(sh);
}
