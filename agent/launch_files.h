/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_FILES_H
#define AVOW_AGENT_LAUNCH_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/conf_launch.h"
#include "agent/launch_copy.h"
#include "agent/launch_maps.h"
#include "agent/measure.h"
#include "base/bytes.h"
#include "crypto/digest.h"

/*
 * The files that a runtime is made of, held still from their digest to the check of what was mapped: its
 * executable, its interpreter, the libraries that the loader will find, what the configuration adds. Each is
 * under fs-verity, or under a read lease, which a writer's open() breaks, visibly; files that a runtime reads
 * by a name of ours ({file:…}) are private copies. Spec: SR-22.
 */

/* What is known of files, by name: their digests, while their marks are what they were. */
struct digest_cache;
int digest_cache_new(struct digest_cache **ret, struct err *err) MUST_USE;
void digest_cache_free(struct digest_cache *c);
DEFINE_AUTO(struct digest_cache, digest_cache_free)
/*
 * Digests what RUNTIME is made of, where that is not known yet, and adds the paths to PATHS, to be watched. A
 * file that was changed moments ago is not kept: its mark could stay while it changes once more. Return: 1 if
 * there is such a file; 0; < 0 if one cannot be read.
 */
int digest_cache_learn(struct digest_cache *c, const struct launch_runtime *runtime, struct strv *paths,
                       struct err *err) MUST_USE;

struct launch_file_held {
        char *path;
        int fd;
        bool leased;             /* else: fs-verity, or read as a copy only */
        struct launch_copy copy; /* of {file:…}, or an executable that could not be leased */
        bool executable;         /* may be mapped executable: all but those of `files` */
        struct digest sha256;
        struct file_mark mark;
        struct map_id id; /* as /proc/PID/maps will show it */
};

struct launch_files {
        struct launch_file_held *files; /* the executable first */
        size_t n;
        struct buf manifest; /* evidence/launch_closure.h */
        struct digest digest;
};

/*
 * Opens, leases, digests. Return: 0; -ERR_CONFIG with a sentence for the asker (a file is open for writing, a
 * file system without leases, no ELF file); -ERR_IO, -ERR_NOMEM, -ERR_FORMAT, -ERR_LIMIT.
 */
int launch_files_hold(const struct launch_runtime *runtime, const struct digest_cache *cache,
                      struct launch_files *ret, struct err *err) MUST_USE;
/* Did anybody open one for writing since, or change it? Return: 0: no; -ERR_PEER naming the file. */
int launch_files_still(const struct launch_files *f, struct err *err) MUST_USE;
/* Lets writers go on; the descriptors stay. */
void launch_files_let_go(struct launch_files *f);
void launch_files_done(struct launch_files *f);

/* The copy of {file:PATH}, whose path is PATH; NULL: there is none. */
const struct launch_file_held *launch_files_copy(const struct launch_files *f, const char *path);
/* The digest of what is mapped there now, anew if the file changed. Return: 0; < 0. */
int launch_file_again(struct launch_file_held *file, struct err *err) MUST_USE;

#endif
