/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_AUDIT_H
#define AVOW_STORE_AUDIT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/store.h"

/*
 * The audit log: what was done, by whom, to what, in an order that cannot be changed afterwards.
 *
 * Each record is one JWS (compact, ES256) over {"seq","prev","time","actor","action","object","detail"}; prev
 * is the lower-case hex SHA-256 of the record before, as text, and 64 zeros for the first. Records are
 * written in the same transaction as the change that they record, and the table refuses updates and
 * deletions. Exported, the log is a text file of one record a line, which anybody can check with the public
 * key. What a check cannot see is that the newest records were cut off: keep the head (seq and digest)
 * elsewhere. Spec: SR-12.
 */

struct audit_key;

/* The signing key, a PEM P-256 private key. Return: 0; -ERR_FORMAT, -ERR_CRYPTO. */
int audit_key_new(struct view pem, struct audit_key **ret_key, struct err *err) MUST_USE;
void audit_key_free(struct audit_key *key);
DEFINE_AUTO(struct audit_key, audit_key_free)

/* The public half as a JWKS, for `avow audit verify`; free() the text. */
int audit_key_jwks(const struct audit_key *key, char **ret, struct err *err) MUST_USE;

/* What the caller says; every string is borrowed for the call. */
struct audit_entry {
        int64_t time_ms;
        const char *tenant; /* NULL: "default" */
        const char *actor;  /* who: a certificate's subject and roles, or "verifier" */
        const char *action; /* "host.add", "verdict.change", … */
        const char *object; /* the host's, policy's … name */
        const char *detail; /* JSON text of an object, or NULL */
};

/* The table's migration; a part of both programs' schemas. */
extern const char audit_migration[];

/* Signs and appends; inside a job's transaction. KEY NULL writes nothing (auditing is off). Return: 0, -kind.
 */
int audit_append(struct store_conn *c, const struct audit_key *key, const struct audit_entry *entry,
                 struct err *err) MUST_USE;

/* Records after SEQ, at most LIMIT, one a line (each ends in \n). Inside a job. *RET_SEQ is the last one's.
 */
int audit_export(struct store_conn *c, int64_t after_seq, size_t limit, struct buf *ret_lines,
                 int64_t *ret_seq, struct err *err) MUST_USE;

/* A copy of an entry that a job can hold; audit_entry_free() frees its strings. */
int audit_entry_dup(const struct audit_entry *from, struct audit_entry *ret, struct err *err) MUST_USE;
void audit_entry_free(struct audit_entry *entry);

/* ---- checking (no database) ---- */

/* Where a check stands: zeroed at the start, then the last good record's. To check a log whose start is known
 * elsewhere, fill it in. */
struct audit_chain {
        int64_t seq;
        char head[65]; /* lower-case hex SHA-256 of the last record; empty at the start */
};

/* A record's content. Borrowed nowhere: free with audit_record_free(). */
struct audit_record {
        int64_t seq, time_ms;
        char *prev, *tenant, *actor, *action, *object;
        char *detail; /* JSON text of an object or NULL */
};

void audit_record_free(struct audit_record *record);

/* Reads one record without checking its signature (for showing). Return: 0; -ERR_FORMAT. */
int audit_record_parse(struct view token, struct audit_record *ret_record, struct err *err) MUST_USE;

struct pubkey; /* crypto/pubkey.h */

/*
 * Checks the next record: signature, sequence, link. On success CHAIN moves on; on failure it stays.
 * RET_RECORD may be NULL. Return: 0; -ERR_CRYPTO (signature), -ERR_FORMAT (form, gap or broken link; the text
 * names the record).
 */
int audit_chain_check(struct audit_chain *chain, const struct pubkey *key, struct view token,
                      struct audit_record *ret_record, struct err *err) MUST_USE;

#endif
