/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_RIGHTS_H
#define AVOW_AGENT_RIGHTS_H

#include "agent/conf.h"

/* The descriptor under which the network half finds its socket. */
#define CHILD_SOCKET_FD 3

/*
 * In the network half, first thing: takes the rights away. Makes state.dir/net for it, goes there, becomes
 * the user avow-agent if this is root and there is one, and can gain no rights any more. Return: 0; -ERR_IO,
 * -ERR_NOMEM.
 */
int rights_drop(const struct agent_config *config, struct err *err) MUST_USE;

#endif
