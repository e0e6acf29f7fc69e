/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_GATHER_H
#define AVOW_VERIFIER_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/tpm_types.h"

/*
 * Parts of a kernel's measurement list that is longer than a request: they wait here until the last one came,
 * then all are judged as one list. Nothing of it is believed yet; each part came with authentic evidence of
 * the same boot, so nobody else can fill this memory in a host's name.
 */
struct gather;

#define GATHER_DEADLINE_MS 60000  /* for the next part */
#define GATHER_IDLE_MS     600000 /* without one, what is there is forgotten */
#define GATHER_ENTRIES     12000  /* that a host with more to come is asked for along with its other logs */
#define GATHER_EMPTY_MAX   64    /* parts in a row with no entry in them: the host is looking for its place */
#define GATHER_LINES       10000 /* of text that a Keylime agent is asked for at once */

struct gather_limits {
        size_t host_bytes, all_bytes;
};

/* A part as it came. */
struct gather_part {
        uint64_t first, n, total; /* entries: where it begins, how many, how many there are */
        uint64_t at;              /* FIRST begins at this byte of the list; 0: not known */
        bool binary;
        bool full; /* it was asked for in full because the log did not replay */
        struct view bytes;
        struct tpm_clock clock; /* of the quote that came with it */
        int64_t boot_time_ms;   /* claimed */
};

/*
 * Appends PART to *G, which is made with the first, or begun anew if PART does not go on where it ends, in
 * its form and boot. *ALL counts the bytes of all hosts. Return: 1; 0 if the list is longer than LIMITS allow
 * a host: what was gathered stays, without PART; -ERR_LIMIT if other hosts have all the room now; -ERR_NOMEM.
 */
int gather_add(struct gather **g, const struct gather_part *part, const struct gather_limits *limits,
               size_t *all, int64_t mono_ms, struct err *err) MUST_USE;
void gather_free(struct gather *g);
DEFINE_AUTO(struct gather, gather_free)

/* What is to come next: the first entry that is missing and its place, and how many more were said to be
 * there. Return: false if nothing was gathered from entry FIRST on. G may be NULL. */
bool gather_next(const struct gather *g, uint64_t first, uint64_t *ret_entry, uint64_t *ret_at,
                 uint64_t *ret_left);
/* For people: entries up to END of TOTAL are there. */
void gather_progress(const struct gather *g, uint64_t *ret_end, uint64_t *ret_total);
/* How many bytes wait. G may be NULL. */
size_t gather_bytes(const struct gather *g);
/* Is it of the boot that began about then, as the host says? */
bool gather_is_of_boot(const struct gather *g, int64_t boot_time_ms);
/* Was it begun because a log did not replay? */
bool gather_is_full(const struct gather *g);
/* The bytes so far with LAST behind them, which begins at entry NEXT: for the judging. They are G's no more;
 * gather_give_back() makes them so again if the evidence turned out not to be the host's. RET_FIRST: the
 * entry that they begin with. Return: 1; 0 if G ends elsewhere or is NULL: nothing was taken; -ERR_NOMEM. */
int gather_take(struct gather *g, uint64_t next, struct view last, struct buf *ret, uint64_t *ret_first,
                struct err *err) MUST_USE;
void gather_give_back(struct gather *g, struct buf *bytes);
/* Nothing came for so long that it may be forgotten. */
bool gather_is_stale(const struct gather *g, int64_t mono_ms);

#endif
