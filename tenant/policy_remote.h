/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_REMOTE_H
#define AVOW_TENANT_POLICY_REMOTE_H

#include "policy/policy.h"
#include "tenant/command.h"

/*
 * The policy that a person names: a file if there is one of that name (or it has a '/' or is "-"), else NAME
 * or NAME@VERSION at the verifier. Return: 0; -ERR_CONFIG for a policy with errors or a name that neither
 * has; -ERR_IO, -ERR_PEER.
 */
int policy_file_or_remote(const struct session *s, const char *name, struct policy **ret,
                          struct err *err) MUST_USE;

/* Is it a file that is meant? */
bool policy_names_file(const char *name);

/* The same as bytes: the file's, with its envelope if it has one; of the verifier's version the text, in an
 * envelope if it came in one. Appended. */
int policy_bytes_file_or_remote(const struct session *s, const char *name, struct buf *ret,
                                struct err *err) MUST_USE;

#endif
