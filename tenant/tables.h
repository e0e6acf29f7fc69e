/* SPDX-License-Identifier: Apache-2.0 */
/* TABLE(x) for every file of commands: x_commands is its table. Included by commands.h and commands.c; no
 * guard.
 */
TABLE(host_add)
TABLE(host)
TABLE(host_history)
TABLE(host_watch)
TABLE(host_trust)
TABLE(status)
TABLE(policy)
TABLE(policy_make)
TABLE(policy_remote)
TABLE(evidence_save)
TABLE(evidence)
TABLE(hook)
TABLE(revocation)
TABLE(holds)
TABLE(audit)
TABLE(init)
TABLE(completion)
