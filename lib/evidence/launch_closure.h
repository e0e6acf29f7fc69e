/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_LAUNCH_CLOSURE_H
#define AVOW_EVIDENCE_LAUNCH_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * A runtime's closure as a manifest: every file that is executed or read as configuration, and what every
 * launch of it gets from the agent's configuration. Policy allows the SHA-256 of its text. One spelling:
 *
 *   # avow-closure/1
 *   # argument: run                    the fixed arguments, in their order ("{module}" stands for the module)
 *   # environment: NAME=VALUE          sorted bytewise
 *   <64 digits>  /usr/bin/wasmtime     files, sorted bytewise by path, each once
 *
 * each line ended by a line feed: `sha256sum -c` takes it. Texts with bytes below 0x20, 0x7f or invalid UTF-8
 * and paths that are not absolute or hold a backslash are refused. Spec: SR-22.
 */
#define LAUNCH_CLOSURE_BYTES_MAX (256u * 1024)
#define LAUNCH_CLOSURE_FILES_MAX 1024u
#define LAUNCH_CLOSURE_TEXTS_MAX 256u /* arguments, and environment entries */

struct launch_file {
        struct digest sha256;
        char *path;
};

struct launch_closure {
        char **arguments, **environment;
        size_t n_arguments, n_environment;
        struct launch_file *files;
        size_t n_files;
};

/* Appends the text; files and environment are sorted here and may come in any order. Return: 0; -ERR_FORMAT,
 * -ERR_LIMIT naming the text; -ERR_NOMEM. */
int launch_closure_write(const struct launch_closure *c, struct buf *ret, struct err *err) MUST_USE;
/* Reads what was written, and no other spelling. Return: 0; -ERR_FORMAT with the line; -ERR_LIMIT,
 * -ERR_NOMEM. */
int launch_closure_parse(struct view text, struct launch_closure *ret, struct err *err) MUST_USE;
void launch_closure_done(struct launch_closure *c);

/* The file with this digest, or NULL. */
const struct launch_file *launch_closure_find(const struct launch_closure *c, const struct digest *sha256);

#endif
