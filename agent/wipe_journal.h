/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_WIPE_JOURNAL_H
#define AVOW_AGENT_WIPE_JOURNAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "evidence/revocation_order.h"
#include "evidence/wipe_proof.h"

/* The journal of revocations, for wipe*.c alone. The file is the agent's own, but it stands where root and
 * crashes are: it is read strictly, and one that cannot be read refuses hand-outs. */
#define WIPE_JOURNAL_BYTES_MAX (2u << 20)

enum wipe_step { WIPE_EXTEND, WIPE_INCREMENT, WIPE_FORGET, WIPE_STOP, WIPE_HOOKS, WIPE_N_STEPS };
const char *wipe_step_name(enum wipe_step step);

struct wipe_journal {
        char *jws; /* NULL: no order ever came */
        /* What of the order has to be known without its signature being checked again. */
        char id[REVOCATION_ID_BYTES];
        char host[81], verifier[37];
        int64_t seq;
        enum reaction reaction;
        uint32_t nv_index;
        uint64_t epoch;
        int64_t reset_count;    /* of the boot that the order was given in, or REVOCATION_NO_RESET */
        struct buf counter_key; /* SPKI */
        unsigned done;          /* bits of enum wipe_step */
        struct wipe_notes copied_out, not_destroyed;
};
void wipe_journal_done(struct wipe_journal *j);

/* Return: 1; 0 if there is none; -ERR_FORMAT, -ERR_IO, … */
int wipe_journal_read(const char *path, struct wipe_journal *ret, struct err *err) MUST_USE;
int wipe_journal_write(const char *path, const struct wipe_journal *j, struct err *err) MUST_USE;

#endif
