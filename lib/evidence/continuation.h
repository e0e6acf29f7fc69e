/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_CONTINUATION_H
#define AVOW_EVIDENCE_CONTINUATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/boot_memory.h"
#include "evidence/ima_memory.h"
#include "evidence/pcr.h"
#include "evidence/tpm_types.h"

/*
 * What is remembered about a host between two rounds, so that only new log entries are asked for and judged.
 *
 * It has two halves. `last` is what the last authentic quote said: clock and counters must move on from there
 * (SR-14). The rest says how far the logs were judged, under which effective policy: it is void when that
 * digest changes, or at a reboot, and then they are asked for from entry 0 (SR-16).
 */

#define CONTINUATION_MEASURED_MAX   8192
#define CONTINUATION_JSON_BYTES_MAX (8u * 1024 * 1024)

/* The last authentic quote: the bundle's "previous", which has its PCR values beside it. */
struct previous {
        struct tpm_clock clock;
        int64_t received_at_ms;
        bool has_time_offset;
        int64_t time_offset_ms; /* clock - time, constant within a reset count unless the clock was set */
        uint64_t cel_entries;   /* log entries that the quote covered */
        uint64_t ima_entries;   /* of the kernel's list; 0 without one */
};

/* A measurement that still counts: the newest of its name, or one that was refused in this boot. Names are
 * claims (SR-18); what is judged is the digest. */
struct measured {
        char *runtime; /* ours; NULL in records of others */
        char *path;    /* ours; in records of others their own text */
        struct digest digest;
        uint64_t entry; /* its place in the log, from 0 */
        bool foreign;   /* not a record of ours */
        bool newest;    /* no later record has its name */
        bool refused;   /* no policy in force allowed it when it was judged */
};

/* The log of launches, by itself: it is judged by permits, so a changed policy does not void this. */
struct launch_memory {
        bool known;
        unsigned pcr;
        struct digest value; /* that the first `entries` records lead to */
        uint64_t entries;
};

struct continuation {
        struct previous last;
        struct pcr_packed last_pcrs;    /* what it signed */
        struct digest effective_policy; /* SHA-256 */
        unsigned pcr;                   /* the register of the log: 15 unless moved */
        struct digest pcr_value;        /* the value that the first cel_entries replay to */
        uint64_t cel_entries;           /* how many entries of the log were judged: where the next begin */
        size_t n_measured;
        struct measured *measured; /* in the order of `entry` */
        struct boot_memory *boot;  /* of a boot log that was judged; NULL: it has to be sent */
        struct launch_memory launches;
        struct ima_memory *ima; /* of the kernel's list; NULL: it was not judged */
};

struct continuation *continuation_new(void) MUST_USE;
void continuation_free(struct continuation *c);
DEFINE_AUTO(struct continuation, continuation_free)
struct continuation *continuation_dup(const struct continuation *c) MUST_USE; /* NULL: no memory */

/* Copies one more measurement in. Return: 0; -ERR_LIMIT beyond CONTINUATION_MEASURED_MAX; -ERR_NOMEM. */
int continuation_add(struct continuation *c, const struct measured *m, struct err *err) MUST_USE;

/* to: NULL when out of memory. from: strict. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
json_t *continuation_to_json(const struct continuation *c) MUST_USE;
/* The same in one line; the caller's (free()). */
char *continuation_text(const struct continuation *c) MUST_USE;
int continuation_from_json(const json_t *j, struct continuation **ret, struct err *err) MUST_USE;

/* {"clock", "reset", "restart", "safe", "received_at", "time_offset"?, "pcrs", "offsets": {"cel", "ima"?}}.
 */
void previous_put(struct json_out *o, const char *name, const struct previous *p,
                  const struct pcr_values *pcrs);
int previous_from_json(const json_t *j, struct previous *ret, struct pcr_values *ret_pcrs,
                       struct err *err) MUST_USE;

#endif
