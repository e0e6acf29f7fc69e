/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_IMA_SIZE_H
#define AVOW_EVIDENCE_IMA_SIZE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Where the first entry of LIST ends, the kernel's binary form with SHA-1 template hashes: for whoever cuts a
 * list into parts and leaves it to others what its entries say. Return: 1 with its length; 0 if it is not
 * whole yet; -ERR_FORMAT, -ERR_LIMIT if no entry can begin like this.
 * Spec: Linux, security/integrity/ima/ima_fs.c, ima_measurements_show().
 */
int ima_entry_size(struct view list, size_t *ret_size, struct err *err) MUST_USE;

/* Is it the binary form? Its first entry begins with a register below 256 in four bytes, three of them zero;
 * a text holds no zero at all. An empty list is both. */
bool ima_list_is_binary(struct view list);

#endif
