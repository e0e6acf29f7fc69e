/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_MAKE_H
#define AVOW_TENANT_POLICY_MAKE_H

#include "tenant/command.h"
#include "tenant/policy_draft.h"

/* `avow policy make`: what was asked for, and the part that gathers files and logs. */
struct make_options {
        const char *name, *description, *bank, *libs, *agent_config, *from_evidence, *out;
        const char *files, *from_dpkg, *from_root, *from_fleet, *seen_on, *rules, *command_line;
        struct option_list fix_pcr, from_ima_log, boot_log, from_deb, from_rpm, skip, require, waive;
        bool any_path, split_usr;
};

/* Did somebody name a source of files or logs? */
bool make_gathers(const struct make_options *o);

/* Reads all files and logs into D. Return: 0; -ERR_CONFIG, -ERR_IO, -ERR_FORMAT … */
int make_gather(const struct make_options *o, struct draft *d, struct err *err) MUST_USE;

/* What passing hosts have in common, by their latest evidence at the verifier: the hosts of --from-fleet's
 * policy. */
int make_gather_fleet(const struct session *s, const struct make_options *o, struct draft *d,
                      struct err *err) MUST_USE;

/* Afterwards: files in order, the measuring rules, what is required and what is waived. */
int make_complete(const struct make_options *o, struct draft *d, struct err *err) MUST_USE;

#endif
