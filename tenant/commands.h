/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_COMMANDS_H
#define AVOW_TENANT_COMMANDS_H

#include <stddef.h>

#include "tenant/command.h"

/* The command tables, one per file of this folder, in the order of help: tables.h names them. */
#define TABLE(name) extern const struct command name##_commands[];
#include "tenant/tables.h"
#undef TABLE

/* All of them. */
extern const struct command *const command_tables[];
extern const size_t command_n_tables;

#endif
