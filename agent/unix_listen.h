/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_UNIX_LISTEN_H
#define AVOW_AGENT_UNIX_LISTEN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * Listens at PATH with a Unix socket of TYPE that does not wait, whose mode is 0660 and whose group is avow
 * (FOR_GROUP; without such a group, root alone), or 0600. The socket appears whole, and takes the place of
 * one that a crash left. Return: 0; -ERR_CONFIG for a path that is too long; -ERR_IO.
 */
int unix_listen(const char *path, int type, bool for_group, int *ret, struct err *err) MUST_USE;

#endif
