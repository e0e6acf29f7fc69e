/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DM_TABLE_H
#define AVOW_EVIDENCE_DM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * What the device mapper tells IMA: buffers named "dm_table_load", "dm_device_resume" and so on, whose text
 * describes a device and its targets. A device of dm-verity is what its root hash says; nothing else about a
 * table is judged here. Spec: Linux, Documentation/admin-guide/device-mapper/dm-ima.rst.
 */
#define DM_TARGETS_MAX 64

struct dm_target {
        bool verity;
        bool failed; /* the kernel saw blocks that do not fit the root */
        bool alg_known;
        enum digest_alg alg;
        uint8_t root[DIGEST_BYTES_MAX];
        size_t root_len;
};

struct dm_table {
        bool loads;         /* it brings content: a table was loaded, or a target's state changed */
        struct view device; /* its name, with the kernel's escapes; borrowed */
        size_t n_targets;
        struct dm_target targets[DM_TARGETS_MAX];
};

/* Is EVENT one of the device mapper's? */
bool dm_table_is(struct view event);
/* Reads TEXT, which the kernel measured under that name. Return: 0; -ERR_FORMAT, -ERR_LIMIT. */
int dm_table_parse(struct view event, struct view text, struct dm_table *ret, struct err *err) MUST_USE;

#endif
