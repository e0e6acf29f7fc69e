/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCHER_H
#define AVOW_AGENT_LAUNCHER_H

#include "base/err.h"
#include "base/macro.h"

/*
 * The launcher: a program of its own, started by the TPM half, that holds neither TPM nor key and speaks no
 * HTTP. It listens at launch.socket, forks a process for each launch (agent/launch_job.h), and carries their
 * words to the TPM half and back, each under its own number. When the TPM half ends, it ends, and every
 * module with it.
 */
int launcher_main(const char *config_file, int link, struct err *err) MUST_USE;

#endif
