/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_ACL_H
#define AVOW_AGENT_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/conf.h"
#include "base/bytes.h"

/* Who may have a secret (SR-25). Pure. */

/* The whole name of a unit that can ask: a service, scope or socket; templates too (worker@.service). */
bool acl_valid_unit(const char *unit) MUST_USE;

/*
 * The first row that gives SECRET to a process of UNIT ("" if it is in none) that runs as UID; NULL: none.
 * Rows for a file need not be asked for, but may be.
 */
const struct agent_acl *acl_find(const struct agent_config *config, const char *secret, const char *unit,
                                 uint32_t uid) MUST_USE;

/*
 * The system unit that a line of /proc/PID/cgroup's path stands for ("/system.slice/web.service/sub" →
 * "web.service"): the first part that is no slice. Escapes of systemd are undone. What a user's own manager
 * runs counts as user@UID.service, and what a container runs as the container's unit, so that neither can
 * take the name of a system unit. Return: false if it is in no unit.
 */
bool acl_unit_of_path(struct view path, char ret[256]) MUST_USE;
/* From a whole /proc/PID/cgroup: the unified hierarchy's line, else systemd's own of version 1. */
bool acl_unit_of_cgroup(struct view text, char ret[256]) MUST_USE;

/*
 * What systemd's client of a credential socket binds itself to (without the leading zero byte):
 * 16 hex digits "/unit/" UNIT "/" CREDENTIAL. Return: false if it is something else.
 */
bool acl_credential_address(struct view address, char ret_unit[256], char ret_credential[65]) MUST_USE;

#endif
