/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_IMA_RULES_H
#define AVOW_POLICY_IMA_RULES_H

#include "base/bytes.h"

/*
 * What the kernel's measuring rules cover, as POLICY_COVERS_* bits (policy_ima.h). A bit is given only for
 * what follows from the rules alone, whatever runs on the host: a rule with a condition that some programs
 * do not meet covers nothing. Spec: Linux, Documentation/ABI/testing/ima_policy; SR-15.
 */

/* TEXT: a file of rules, as it is loaded. */
unsigned ima_rules_cover(struct view text);

/* The rules built into a kernel, by its command line: what is asserted of them (POLICY_COVERS_ALL), but what
 * the kernel's own sets are known to leave out if the line asks for one of these. */
unsigned ima_command_line_covers(struct view command_line);

#endif
