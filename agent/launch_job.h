/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_JOB_H
#define AVOW_AGENT_LAUNCH_JOB_H

#include "agent/conf.h"
#include "agent/launch_copy.h"
#include "agent/launch_files.h"
#include "agent/launch_folder.h"
#include "agent/launch_link.h"
#include "agent/launch_output.h"
#include "agent/launch_start.h"
#include "agent/launch_wire.h"
#include "agent/peer.h"
#include "evidence/launch.h"

/*
 * One launch, in a process of its own that the launcher forks for it: whatever an asker's descriptors do (a
 * file system that does not answer, a pipe that nobody reads) holds up this launch only, and dies with it.
 *
 *   job_ask.c   receive what was asked, copy, digest, hold the closure        untrusted bytes
 *   job.c       permit, record, start, end                                    the order of SR-21 to SR-23
 *   job_run.c   while it runs: the check of its mappings, secrets, signals, orders to stop
 */
struct launch_job_host { /* what the launcher knows; borrowed */
        const struct agent_config *config;
        const struct digest_cache *cache;
        const char *host_id; /* "" before the TPM half is ready */
        const char *dir;     /* of the launches' folders */
        gid_t gid;           /* of modules */
};

enum job_waits { JOB_WAITS_NOT, JOB_WAITS_MAPPED, JOB_WAITS_SECRET };

struct launch_job {
        const struct launch_job_host *h;
        struct peer peer;
        int client, link;
        struct buf in; /* from the link */
        uint32_t id;   /* the link's */

        uint8_t *packet; /* the ask points into it */
        struct launch_ask ask;
        int fds[LAUNCH_N_FDS];
        const struct launch_runtime *runtime;
        struct launch_copy module, input;
        struct launch launch;
        struct buf claims;
        struct launch_files files;

        struct launch_folder folder;
        struct launch_output output;
        struct launch_process process;
        int64_t started_ms, started_mono_ms, mapped_mono_ms;
        bool recorded, checked; /* its mappings were compared */
        bool rejected;          /* or could not be, or did not fit */
        enum job_waits waits;
        size_t asked_secret;
        int reader[LAUNCH_SECRETS_MAX]; /* who opened the FIFO of a secret; -1: nobody; -2: served */
        char stopped[ERR_TEXT_BYTES];   /* why it was killed; "": it was not */
};

/* The process's whole life; does not return. CLIENT and LINK are descriptors. */
void launch_job(const struct launch_job_host *h, int client, int link, const struct peer *peer, uint32_t id)
        __attribute__((noreturn));

/* job_ask.c. Each: 0; < 0 with a sentence for the asker. */
int job_receive(struct launch_job *j, struct err *err) MUST_USE;
int job_prepare(struct launch_job *j, struct err *err) MUST_USE;

/* job_run.c: until the process has ended. Return: waitpid()'s status. */
int job_run(struct launch_job *j);

/* job.c: the link. job_next() takes a frame that came, 0 if none is whole; job_read() reads more, without
 * waiting, and is < 0 at the link's end. */
int job_send(struct launch_job *j, enum launch_link_type type, struct view body, struct err *err) MUST_USE;
int job_read(struct launch_job *j, struct err *err) MUST_USE;
int job_next(struct launch_job *j, struct frame *ret, struct err *err) MUST_USE;
void job_used(struct launch_job *j, int used);
/* What a REFUSED says, as an error. */
int job_refusal(struct view body, struct err *err) MUST_USE;

#endif
