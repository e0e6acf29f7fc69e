/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_SERVE_H
#define AVOW_AGENT_LAUNCH_SERVE_H

#include <stdbool.h>

#include "agent/half.h"
#include "base/bytes.h"

/* The launcher as the TPM half sees it: a socket, what is read from it and written to it. */
struct launch_serve {
        int fd; /* -1: none */
        struct half *half;
        struct buf in;
};

#define LAUNCH_SERVE_NONE                                                                                    \
        {                                                                                                    \
                .fd = -1                                                                                     \
        }

/* There is a launcher behind FD (a non-blocking stream socket, the object's from here on); HALF launches
 * (half_launches() is not NULL) and is borrowed. S must stay where it is until the hang-up. */
void launch_serve_attach(struct launch_serve *s, struct half *half, int fd);
/* What to poll the socket for. */
short launch_serve_events(const struct launch_serve *s);
/* Reads, answers, writes. Return: false if the launcher is to be ended: end of file, or bytes that are no
 * question of a launcher. */
bool launch_serve(struct launch_serve *s, short events) MUST_USE;
/* Writes what is there to be written: before a poll, so that an answer waits for nothing. */
void launch_serve_flush(struct launch_serve *s);
/* Closes the socket, at which the launcher kills what it started, and ends. */
void launch_serve_hang_up(struct launch_serve *s);

#endif
