/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_ELF_FILE_H
#define AVOW_BASE_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"

/* What the dynamic loader would read out of an ELF file: the libraries it needs and where to look for them.
 */
struct elf_file {
        bool is_elf;   /* false: a script or data; nothing else is set then */
        uint8_t class; /* 1: 32 bits, 2: 64 */
        uint16_t machine;
        char *interpreter; /* NULL: none */
        struct strv needed;
        char *rpath, *runpath; /* colon lists as they stand; NULL: none */
};

/* Parses a file's bytes. Pure. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int elf_file_parse(struct view file, struct elf_file *ret, struct err *err) MUST_USE;
/* The same, reading only the parts that matter. Also -ERR_IO, -ERR_CONFIG if PATH is no regular file. */
int elf_file_read(const char *path, struct elf_file *ret, struct err *err) MUST_USE;
void elf_file_done(struct elf_file *e);

#endif
