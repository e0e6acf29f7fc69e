/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_FAULT_H
#define AVOW_BASE_FAULT_H

/*
 * Points at which a test lets a program die as if the power had failed: FAULT("name") ends the process at
 * once, without a last word, if the environment's AVOW_FAULT is that name. Only in programs that were
 * compiled with AVOW_FAULT_POINTS, which no installed one is (tests/fault/); elsewhere it is nothing at all.
 */
#ifdef AVOW_FAULT_POINTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void fault_here(const char *name)
{
        const char *wanted = getenv("AVOW_FAULT");

        if (wanted && strcmp(wanted, name) == 0)
                (void)kill(getpid(), SIGKILL);
}
#define FAULT(name) fault_here(name)
#else
#define FAULT(name) ((void)0)
#endif

#endif
