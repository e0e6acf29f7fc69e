/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_FAKE_TSM_H
#define AVOW_TESTS_FAKE_TSM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * A folder that answers like configfs-tsm: what is written to `inblob` and `privlevel` is counted in
 * `generation`, `outblob` is made when it is read, of what was written last. The files are FIFOs with a
 * thread behind each that is read: a new one for every reader, so that nobody reads twice. Unlike the
 * kernel's it has one entry, which is there from the start, and refuses nothing.
 */
#define FAKE_TSM_FILES  6
#define FAKE_TSM_INPUTS 5

struct fake_tsm {
        /* set by the caller, who frees nothing of it before fake_tsm_stop() */
        const char *folder;   /* is there; "avow-agent" below it is made */
        const char *provider; /* "sev_guest" */
        bool no_levels;
        unsigned floor;
        const char *manifest; /* of an SVSM; NULL: there is none */
        unsigned intruders;   /* so many times somebody else asks before our answer is read */
        void (*make)(void *ctx, const uint8_t data[64], unsigned level, struct buf *out, struct buf *aux);
        void *ctx;
        /* its own */
        pthread_mutex_t lock;
        bool ends;
        uint64_t generation;
        uint8_t data[64];
        unsigned level;
        int in[FAKE_TSM_INPUTS]; /* inblob, privlevel, and what asks an SVSM */
        struct buf service;      /* provider, GUID and version, as they were written */
        struct buf out, aux;
        struct fake_tsm_file {
                struct fake_tsm *t;
                char path[256];
                int which;
                pthread_t thread;
        } file[FAKE_TSM_FILES];
        size_t n;
};
/* Everything that fails ends the test. */
void fake_tsm_start(struct fake_tsm *t);
void fake_tsm_stop(struct fake_tsm *t);

#endif
