/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_BOOT_MEMORY_H
#define AVOW_EVIDENCE_BOOT_MEMORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"

/*
 * What is remembered of a host's boot log: the boot's part of a continuation. It is kept of a boot without a
 * finding, and holds as long as the registers that the log explained keep their values: then the log need not
 * be sent again.
 */
#define BOOT_COMMAND_LINE_MAX 16384

enum boot_switch { BOOT_UNKNOWN, BOOT_OFF, BOOT_ON };
struct boot_memory {
        uint32_t explained;           /* registers that the log explained: of BOOT_PCRS */
        enum boot_switch secure_boot; /* as the firmware measured it */
        bool kernel_allowed, command_line_allowed, has_command_line;
        struct buf command_line;
};

struct boot_memory *boot_memory_new(void) MUST_USE;
void boot_memory_free(struct boot_memory *m);
DEFINE_AUTO(struct boot_memory, boot_memory_free)
struct boot_memory *boot_memory_dup(const struct boot_memory *m) MUST_USE; /* NULL: no memory */

void boot_memory_put(struct json_out *o, const char *name, const struct boot_memory *m);
/* Strict. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int boot_memory_from_json(const json_t *j, struct boot_memory **ret, struct err *err) MUST_USE;

#endif
