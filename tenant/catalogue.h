/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_CATALOGUE_H
#define AVOW_TENANT_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/map.h"
#include "base/str.h"
#include "crypto/digest.h"

/*
 * Files that are known to be good, by the package that they came in: what `avow policy make` gathers from
 * packages, file systems and measurement lists, and what it writes a policy from. Paths are those that the
 * kernel will name: absolute, without links (on merged systems /usr/bin/ls, whatever the package calls it).
 */
#define CATALOGUE_FILES_MAX 4000000u
#define CATALOGUE_PATH_MAX  4096u
#define CATALOGUE_NOTES_MAX 1000u /* of each kind; further ones are counted */

struct catalogue_file {
        const char *path; /* owned by the catalogue */
        struct digest digest;
};

struct catalogue_package {
        char *name, *version, *arch; /* all "" for files of no package */
        struct catalogue_file *files;
        size_t n, cap;
};

/* Which of a package's files the kernel is going to measure. */
enum catalogue_scope {
        CATALOGUE_EXECUTED, /* programs, libraries, kernel modules and images, firmware, IMA's own rules */
        CATALOGUE_ALL,      /* every regular file: for rules that measure what root reads */
};

struct catalogue {
        enum digest_alg alg;
        enum catalogue_scope scope;
        struct catalogue_package *packages;
        size_t n, cap, n_files;
        struct map paths;  /* each once */
        struct strv notes; /* what a person should know of what was left out */
        size_t n_notes_more;
};

void catalogue_init(struct catalogue *c, enum digest_alg alg, enum catalogue_scope scope);
void catalogue_done(struct catalogue *c);

/*
 * A package to add files to, by its number; the same name, version and architecture twice is one after
 * catalogue_sort(). NULL counts as "". Return: 0; -ERR_FORMAT for text that is no name, version or
 * architecture of a package; -ERR_NOMEM.
 */
int catalogue_package(struct catalogue *c, const char *name, const char *version, const char *arch,
                      size_t *ret, struct err *err) MUST_USE;

/* Adds a file. Return: 0; -ERR_FORMAT for a path that is not absolute or is too long; -ERR_LIMIT; -ERR_NOMEM.
 */
int catalogue_add(struct catalogue *c, size_t package, const char *path, const struct digest *digest,
                  struct err *err) MUST_USE;

/* Something left out, for a person. Return: 0; -ERR_NOMEM. */
int catalogue_note(struct catalogue *c, struct err *err, const char *fmt, ...) PRINTF(3, 4) MUST_USE;

/* Orders packages and files, makes equal ones one, drops empty packages. Return: 0; -ERR_NOMEM. */
int catalogue_sort(struct catalogue *c, struct err *err) MUST_USE;

/*
 * Does the kernel measure such a file when it is used? PATH is as the kernel names it, HEAD the first bytes
 * (at least 18, if the file has them; empty where only names are known, as in a package's header).
 */
bool catalogue_measured(const struct catalogue *c, const char *path, mode_t mode, struct view head);

/*
 * PATH as it is on a system whose /bin, /sbin and /lib* are links into /usr. Return: PATH itself, or the
 * longer one in RET (of CATALOGUE_PATH_MAX + 8 bytes).
 */
const char *catalogue_merged_path(const char *path, char *ret);

#endif
