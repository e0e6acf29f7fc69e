/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_REQUEST_H
#define AVOW_STORE_VERIFIER_REQUEST_H

#include "store/copy.h"
#include "store/verifier_db.h"
#include "store/verifier_keys.h"
#include "store/verifier_outbox.h"
#include "store/verifier_permits.h"
#include "store/verifier_receipts.h"
#include "store/verifier_secrets.h"
#include "store/verifier_workloads.h"

/* What the files of the verifier's database share; nobody else includes this. */

extern const struct store_schema verifier_schema;
/* Parts of it that stand with what reads them. */
extern const char verifier_revocations_migration[];
extern const char verifier_outbox_migration[];
extern const char verifier_secrets_migration[];
extern const char verifier_keys_migration[];
extern const char verifier_policies_migration[];
extern const char verifier_logs_migration[];
extern const char verifier_workloads_migration[];
extern const char verifier_permits_migration[];
extern const char verifier_receipts_migration[];

struct verifier_db {
        struct store *store;
        const struct audit_key *audit_key;
        char id[VERIFIER_ID_CHARS + 1];
        bool adopting;         /* revocations since a backup are not adopted yet */
        int64_t seq_floor;     /* no revocation has a lower number from now on */
        int64_t history_bytes; /* of all hosts; the writer's thread alone */
        bool history_counted;
};

/* What was found of secrets and approvals. */
struct vreq_set {
        struct verifier_secret *secrets;
        struct verifier_approval *approvals;
        size_t n_secrets, n_approvals;
        int64_t floor;
};
void vreq_set_clear(struct vreq_set *s);
/* The same of keys of results. */
struct vreq_result_keys {
        struct result_key *v;
        size_t n;
};
void vreq_result_keys_clear(struct vreq_result_keys *k);
/* The same of the workload service's records. */
struct vreq_workloads {
        struct workload_record *v;
        size_t n;
};
void vreq_workloads_clear(struct vreq_workloads *w);
/* The same of receipts. */
struct vreq_receipts {
        struct stored_receipt *v;
        size_t n;
};
void vreq_receipts_clear(struct vreq_receipts *r);

/* The same of permits. */
struct vreq_permits {
        struct stored_permit *v;
        size_t n;
};
void vreq_permits_clear(struct vreq_permits *p);

/*
 * A request: the job, copies of what was asked, and what was found. BODY may run again, so it starts by
 * forgetting what it found. It sets `outcome` and returns 0, or -kind.
 */
struct vreq {
        struct store_job job;
        struct verifier_db *db;
        int (*body)(struct vreq *q, struct store_conn *c, struct err *err);
        void (*tell)(struct vreq *q, const struct err *err);
        void *ctx;
        union {
                verifier_hosts_fn hosts;
                verifier_done_fn done;
                verifier_history_fn history;
                verifier_evidence_fn evidence;
                verifier_policies_fn policies;
                verifier_audit_fn audit;
                verifier_holds_fn holds;
                verifier_sent_fn sent;
                verifier_set_fn set;
                verifier_result_keys_fn result_keys;
                verifier_workloads_fn workloads;
                verifier_permits_fn permits;
                verifier_receipts_fn receipts;
        } fn;
        /* asked */
        char *tenant, *name;
        size_t limit;
        int64_t n, at_ms;
        struct enrolment enrolment;
        struct evidence_record *record;
        struct buf logs[KEPT_N_LOGS];
        enum stored_kind kind;
        struct stored_policy policy;
        bool has_trust;
        struct trust_change trust;
        struct hold hold;
        char *words;
        struct sent_revocation *given;
        size_t n_given;
        char *object;           /* a secret's name, an approval's id */
        struct buf given_bytes; /* of a workload record; a use */
        struct ledger_permit permit;
        struct vreq_receipts given_receipts;
        enum wipe last_wipe;
        bool audited;
        struct audit_entry audit;
        /* found */
        enum store_outcome outcome;
        struct verifier_host *hosts;
        struct history_row *rows;
        struct stored_policy *policies;
        struct hold *holds;
        struct sent_revocation *sent;
        struct vreq_set set;
        struct vreq_result_keys result_keys;
        struct vreq_workloads workloads;
        struct vreq_permits permits;
        struct vreq_receipts receipts;
        size_t n_found;
        struct buf text, found_logs[KEPT_N_LOGS];
        int64_t last;
};

void vreq_free(struct vreq *q);
DEFINE_AUTO(struct vreq, vreq_free)
/* Forgets what was found. */
void vreq_clear(struct vreq *q);

int vreq_new(struct verifier_db *db, enum store_class class, const char *tenant, const char *name,
             int (*body)(struct vreq *q, struct store_conn *c, struct err *err),
             void (*tell)(struct vreq *q, const struct err *err), void *ctx, struct vreq **ret,
             struct err *err) MUST_USE;
int vreq_set_audit(struct vreq *q, const struct audit_entry *entry, struct err *err) MUST_USE;
/* Gives it to the store. Return: 0. */
int vreq_submit(struct vreq **q) MUST_USE;
/* Writes the audit record that came with the request. */
int vreq_audit(struct vreq *q, struct store_conn *c, struct err *err) MUST_USE;
/* Writes a change of trust, and its revocation if it has one. Return: 1; 0 if the database knows a newer
 * one; -kind. */
int vreq_write_trust(struct vreq *q, struct store_conn *c, const struct trust_change *change,
                     struct err *err) MUST_USE;
/* Does the query SQL find a row? Return: 1, 0, -kind. */
int vreq_any(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
             struct err *err) MUST_USE;
/* verifier_logs.c: the new bytes of the logs that came with a record; a log that a bundle saw, into
 * found_logs[KIND]. */
int vreq_write_logs(struct vreq *q, struct store_conn *c, struct err *err) MUST_USE;
int vreq_drop_old_logs(struct vreq *q, struct store_conn *c, struct err *err) MUST_USE;
int vreq_read_log(struct vreq *q, struct store_conn *c, int kind, const struct kept_log *log,
                  struct err *err) MUST_USE;
/* verifier_permits.c: what the record says about permits. */
int vreq_write_marks(struct vreq *q, struct store_conn *c, struct err *err) MUST_USE;
/* verifier_receipts.c: what the verdict of a record means for receipts that wait. */
int vreq_decide_receipts(struct vreq *q, struct store_conn *c, struct err *err) MUST_USE;
/* Tells fn.done. */
void vreq_tell_done(struct vreq *q, const struct err *err);

#define VREQ_KEY(q) STORE_T((q)->tenant), STORE_T((q)->name)

#endif
