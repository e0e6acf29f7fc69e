/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_KERNEL_LIST_H
#define AVOW_AGENT_KERNEL_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * The kernel's measurement list (IMA), as securityfs shows it in its binary form: read in parts, from an
 * entry on, while it grows. Nothing in it is believed or changed here; it is read by root and judged by the
 * verifier.
 */
struct kernel_list;

/* PATH need not be there (yet). */
int kernel_list_new(const char *path, struct kernel_list **ret, struct err *err) MUST_USE;
void kernel_list_free(struct kernel_list *l);
DEFINE_AUTO(struct kernel_list, kernel_list_free)

/* How many entries there are, as the kernel counts them beside the list; UINT64_MAX without its count.
 * Return: 1; 0 if there is no list that can be read. */
int kernel_list_count(struct kernel_list *l, uint64_t *ret);

struct kernel_list_ask {
        uint64_t first; /* entry wanted first */
        uint64_t at;    /* where it begins, in bytes: what the verifier remembers; 0: not known */
        uint64_t max_entries;
        size_t max_bytes;
        int64_t until_ms; /* monotonic: reading ends there, wherever it is */
};
struct kernel_list_part {
        uint64_t
                first; /* as asked, or 0 if the list is shorter than that or does not fit AT: it began anew */
        uint64_t n;    /* whole entries in the part; 0 with a higher total: ask once more */
        uint64_t total; /* entries in the list, sent or not; at least first + n */
};
/*
 * Appends entries to OUT. To go on where the last part ended costs the kernel one walk over its list; to go
 * elsewhere, one that writes it. Return: 0; -ERR_IO if the list is gone; -ERR_FORMAT if it is none from some
 * entry on, with what stands before it in OUT and RET; -ERR_NOMEM.
 */
int kernel_list_read(struct kernel_list *l, const struct kernel_list_ask *ask, struct buf *out,
                     struct kernel_list_part *ret, struct err *err) MUST_USE;

#endif
