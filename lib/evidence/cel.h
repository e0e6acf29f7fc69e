/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_CEL_H
#define AVOW_EVIDENCE_CEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * The log of a measurement register (PCR 15, and 13 for launches): JSON text sequences (RFC 7464) with the
 * field names of TCG's Canonical Event Log and no recnum, the form that systemd >= 255 writes. One record:
 *
 *   RS {"pcr":15,"digests":[{"hashAlg":"sha256","digest":"…"}],"content_type":"avow","content":{
 *       "kind":"measure","runtime":"…","path":"…","size":N,"timestamp":µs,"pcr_before":{"sha256":"…"},
 *       "reset":N,"restart":N}} LF
 *
 * and, before a wipe (SR-5), one whose digest is computed from its two names (revocation_order.h):
 *
 *   … "content":{"kind":"revoke","verifier":"UUID","revocation":"HOST/SEQ","timestamp":µs,"pcr_before":{…},
 *       "reset":N,"restart":N}} LF
 *
 * In the log of launches (PCR 13) the digests are made of the content, too (launch.h):
 *
 *   … "content":{"kind":"launch","launch":"64 digits","module":"64 digits","runtime":"…","closure":"64
 * digits", "permit":"UUID","cached":false,"timestamp":µs,"pcr_before":{…},"reset":N,"restart":N}} LF …
 * "content":{"kind":"mapped","launch":"64 digits","mappings":"64 digits","foreign":[{"path":"…", "sha256":"64
 * digits"}],"timestamp":µs,"pcr_before":{…},"reset":N,"restart":N}} LF
 *
 * Records of others are kept as they are. Names, paths, sizes and times are claims: only the digests are
 * covered, and those only after the whole log replayed to a quoted value. Spec: SR-18; TCG CEL 1.0 §5.1.
 */

#define CEL_RECORDS_MAX      20000        /* in one round */
#define CEL_BYTES_MAX        (16u << 20)  /* in one round */
#define CEL_RECORD_BYTES_MAX (16u * 1024) /* of one record, with RS and LF */
#define CEL_BANKS_MAX        4
#define CEL_TEXT_BYTES_MAX   4096 /* of a path, or a text of a foreign record */
#define CEL_CONTENT_AVOW     "avow"
#define CEL_CONTENT_SYSTEMD  "systemd"
#define CEL_KIND_MEASURE     "measure"
#define CEL_KIND_REVOKE      "revoke"
#define CEL_KIND_LAUNCH      "launch"
#define CEL_KIND_MAPPED      "mapped"
#define CEL_FOREIGN_MAX      16 /* files named in one record of kind "mapped" */

#define CEL_NO_PCR UINT32_MAX /* a record of others that names no register */

struct cel_record {
        unsigned pcr;
        size_t n_digests;
        struct digest digests[CEL_BANKS_MAX]; /* one a bank; those of banks we cannot compute are left out */
        char *content_type;
        bool ours; /* content_type is "avow" */

        /* Ours: claims of the agent. */
        char *kind;
        char *runtime, *path;        /* NULL with CEL_KIND_REVOKE; with CEL_KIND_LAUNCH there is no path */
        char *verifier, *revocation; /* with CEL_KIND_REVOKE alone */
        uint64_t size_bytes;
        /* With CEL_KIND_LAUNCH and CEL_KIND_MAPPED: SHA-256 each. `module`, `closure`, `permit`, `cached` and
         * `runtime` belong to the first, `mappings` (over the sorted lines "SHA256  PATH\n" of what is mapped
         * executable) and `foreign` (those of them that are not in the closure) to the second. */
        struct digest launch, module, closure, mappings;
        char *permit;
        bool cached; /* the permit was another launch's, and allowed this one from the cache */
        size_t n_foreign;
        struct cel_foreign {
                struct digest sha256;
                char *path;
        } * foreign;
        size_t n_before;
        struct digest before[CEL_BANKS_MAX]; /* the register as read before the extend */
        uint32_t reset_count, restart_count;

        /* systemd's: NULL if absent. */
        char *string, *event_type, *boot_id;

        bool has_timestamp;
        uint64_t timestamp_us; /* CLOCK_BOOTTIME */

        struct view raw; /* RS to LF as they were, borrowed from what was parsed */
};

struct cel_log {
        size_t n;
        struct cel_record *records;
};

/*
 * A whole log, of at most MAX_RECORDS. Borrows from TEXT. Return: 0; -ERR_FORMAT ("record 3: …");
 * -ERR_LIMIT; -ERR_NOMEM.
 */
int cel_parse(struct view text, size_t max_records, struct cel_log **ret, struct err *err) MUST_USE;

/*
 * The same for a file that a crash may have cut: *ret_used is the length of the whole records; what follows
 * it begins a record and has no end.
 */
int cel_parse_file(struct view text, size_t max_records, struct cel_log **ret, size_t *ret_used,
                   struct err *err) MUST_USE;
void cel_log_free(struct cel_log *log);
DEFINE_AUTO(struct cel_log, cel_log_free)

/* The digest of a bank, or NULL. */
const struct digest *cel_record_digest(const struct cel_record *r, enum digest_alg bank);

/* Is it a revocation's record, with the digest that its names give? False: its names are a claim. Return: 0
 * with the answer; -ERR_CRYPTO. */
int cel_record_is_revocation(const struct cel_record *r, enum digest_alg bank, bool *ret,
                             struct err *err) MUST_USE;

/* Is the record's own text (`string`) what its digest was computed over? A text that is not is a claim.
 * Return: 0 with the answer; -ERR_CRYPTO. */
int cel_record_covers_string(const struct cel_record *r, enum digest_alg bank, bool *ret,
                             struct err *err) MUST_USE;

/* Appends one of our records (r->ours; raw is not looked at) to OUT, RS to LF, always in the same spelling.
 * Return: 0; -ERR_FORMAT for what the parser would not take back; -ERR_NOMEM. */
int cel_record_write(const struct cel_record *r, struct buf *out, struct err *err) MUST_USE;

/* The log as true CEL-JSON: an array of records with "recnum", from FIRST. NULL: no memory. */
json_t *cel_to_json(const struct cel_log *log, uint64_t first) MUST_USE;

/* Where a replay begins: all zeros and entry 0, or a continuation. */
struct cel_start {
        struct digest value; /* its alg is the bank */
        uint64_t entry;      /* the log's first record is this one, for messages */
};

struct cel_replay {
        bool matched;         /* does the log explain the quoted value? */
        size_t n_covered;     /* records that the quoted value covers; 0 if not matched */
        size_t n_beyond;      /* records after those: 0 or 1. They decide nothing. */
        struct digest value;  /* what the covered records lead to; not matched: what the whole log leads to */
        int64_t stale_before; /* first covered record of ours whose pcr_before is not the value that the
                                 replay has there (another writer came between), or -1 */
        const char *why;      /* not matched: a sentence's end: "record 3 is for another register" */
        int64_t why_entry;    /* the record meant, counted from start.entry on, or -1 */
};

/*
 * Replays LOG, which must be of register PCR alone, to QUOTED. The quoted value may be that of the whole log
 * or of all but its last record: an agent may have written one ahead of its extend (SR-18). Return: 0 also if
 * it does not match; -ERR_CRYPTO.
 */
int cel_replay(const struct cel_log *log, const struct cel_start *start, unsigned pcr,
               const struct digest *quoted, struct cel_replay *ret, struct err *err) MUST_USE;

#endif
