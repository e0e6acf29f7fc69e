/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SWTPM_H
#define AVOW_TESTS_SWTPM_H

#include <sys/types.h>

/* A TPM emulator of a test's own: a folder under /tmp, a socket, a process; all gone after swtpm_stop(). */
struct swtpm {
        char dir[32];
        char tcti[64]; /* "swtpm:path=…" */
        pid_t pid;
};

/* Starts one, or ends the test program with 77 (skipped) and a word if swtpm is not installed. */
void swtpm_start(struct swtpm *s);
/* Kills the emulator and starts it again on the same state: a power cut. */
void swtpm_restart(struct swtpm *s);
void swtpm_kill(struct swtpm *s);
void swtpm_stop(struct swtpm *s);
/* Runs "tpm2_TOOL ARGS…" against it with the shell, output to nowhere. Return: the exit status. */
int swtpm_tool(const struct swtpm *s, const char *command);

#endif
