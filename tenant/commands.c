/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all command tables: what help, completion and the search for a command walk through. */
#include "tenant/commands.h"

const struct command *const command_tables[] = {
#define TABLE(name) name##_commands,
#include "tenant/tables.h"
#undef TABLE
};

const size_t command_n_tables = ARRAY_LEN(command_tables);
