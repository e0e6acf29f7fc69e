/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SEAL_PLAIN_H
#define AVOW_AGENT_SEAL_PLAIN_H

#include "agent/conf.h"
#include "base/macro.h"

/*
 * `avow-agent --seal-pcrs`: seals standard input (1 to 128 bytes) to the values that these PCRs
 * ("sha256:7,15") have now, and writes a TSS2 PEM file to standard output, for tpm2-tools. Nothing of ours
 * can revoke it (SR-6), so who wants one has to say so. Return: 0; -ERR_CONFIG, -ERR_LIMIT, -ERR_IO,
 * -ERR_TPM.
 */
int seal_plain(const struct agent_config *config, const char *pcrs, struct err *err) MUST_USE;

#endif
