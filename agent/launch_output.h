/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_OUTPUT_H
#define AVOW_AGENT_LAUNCH_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * The module's standard output on its way through us, for the receipt's digest: a process that reads a pipe,
 * digests, and writes on. It may wait for a reader as long as that likes, and holds up nothing else.
 */
struct launch_output {
        pid_t pid;  /* 0: none */
        int in;     /* what the module writes to; ours to close after the start */
        int result; /* the digest comes out here at the end of the output */
};
#define LAUNCH_OUTPUT_NONE                                                                                   \
        {                                                                                                    \
                .in = -1, .result = -1                                                                       \
        }

/* OUT: where it goes. Return: 0; -ERR_IO. */
int launch_output_start(int out, struct launch_output *ret, struct err *err) MUST_USE;
/* When `result` is readable: Return: true with the SHA-256 of all that was written on; false if not all
 * was. */
bool launch_output_digest(struct launch_output *o, uint8_t ret[32]) MUST_USE;
void launch_output_done(struct launch_output *o);

#endif
