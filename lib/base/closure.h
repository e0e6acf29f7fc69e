/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_CLOSURE_H
#define AVOW_BASE_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/*
 * The closure of a runtime: which files are measured for it. The executable, the shared objects that the
 * dynamic loader will find for it (as `libs` says), and the files that the configuration adds; each by its
 * resolved path.
 */

enum agent_libs {
        AGENT_LIBS_PRIVATE, /* all shared objects but the C and C++ run-time libraries */
        AGENT_LIBS_ALL,
        AGENT_LIBS_NONE,
};

/* A runtime as agent.yaml names it. The agent measures it; `avow policy make` lists it: by the same rules. */
struct agent_runtime {
        char *name;
        char *path;
        enum agent_libs libs;
        char **files;
        size_t n_files;
};

/*
 * Appends to RET the executable's path, then the rest, sorted bytewise, each once.
 *
 * Return: 0; -ERR_IO if a file cannot be read (the text names the runtime, the path, and why), -ERR_CONFIG
 * for something that is no regular file or a library that is nowhere, -ERR_FORMAT for a broken ELF file,
 * -ERR_LIMIT, -ERR_NOMEM.
 */
int closure_of(const struct agent_runtime *runtime, struct strv *ret, struct err *err) MUST_USE;

/* True for the C and C++ run-time libraries, which `libs: private` leaves out ("libc.so.6",
 * "libstdc++.so.6"). */
bool closure_is_runtime_library(const char *soname);

#endif
