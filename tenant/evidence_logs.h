/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_EVIDENCE_LOGS_H
#define AVOW_TENANT_EVIDENCE_LOGS_H

#include <jansson.h>
#include <stdbool.h>

#include "evidence/pcr.h"
#include "tenant/command.h"

/*
 * The kernel's measurement list and the firmware's event log in words: those of a bundle, and files as a host
 * has them (`avow evidence show --type ima|boot-log`). With PCR values at hand each log is replayed to them;
 * without, it is merely read.
 */
#define LOGS_BYTES_MAX (256u << 20)

struct logs {
        bool has_boot, has_ima;
        struct view boot, ima;
        const struct pcr_values *pcrs; /* NULL: none at hand */
};

/* Sets the members "boot_log" and "ima" of DOC. *RET_FITS: false if a log does not lead to the values.
 * Return: 0; -ERR_FORMAT, -ERR_LIMIT for a log that cannot be read; -ERR_NOMEM, -ERR_CRYPTO. */
int logs_to_json(const struct logs *l, json_t *doc, bool *ret_fits, struct err *err) MUST_USE;
/* Prints those members. */
void logs_print(const json_t *doc);

/* Is it a type of ours? Then show FILE; PCRS is a file of values as tpm2_quote writes them, or NULL. */
bool logs_type(const char *type);
int evidence_logs_show(const struct session *s, const char *type, const char *pcrs, const char *path,
                       struct err *err) MUST_USE;

#endif
