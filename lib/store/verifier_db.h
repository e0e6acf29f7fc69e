/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_DB_H
#define AVOW_STORE_VERIFIER_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "policy/ledger.h"
#include "store/audit.h"
#include "store/store.h"
#include "store/verifier_revocations.h"

/*
 * What the verifier knows: enrolled hosts and where each stands, policies and their versions, what was found
 * and the evidence for it. Every call copies or takes over what it is given, and completes on the loop.
 * TENANT NULL is "default" everywhere.
 */

struct verifier_db;

#define VERIFIER_ID_CHARS 36

/* Makes the verifier's id (a UUID) at the first opening; ever after it is that one. Blocks. */
int verifier_db_open(const char *url, store_post_fn post, void *post_ctx, const struct audit_key *audit_key,
                     struct verifier_db **ret_db, struct err *err) MUST_USE;
/* Finishes what was submitted, then closes. */
void verifier_db_close(struct verifier_db *db);
DEFINE_AUTO(struct verifier_db, verifier_db_close)
const char *verifier_db_id(const struct verifier_db *db);
struct store *verifier_db_store(struct verifier_db *db);
/* The lowest number that a new revocation may have: above all that were given out before a restored backup
 * was in use. 0 before verifier_db_generation(), and where nothing was ever restored. */
int64_t verifier_db_seq_floor(const struct verifier_db *db);

/* ---- hosts ---- */

/* What an admin enrolled, and what the registrar said about the key. Strings may be NULL unless said. */
struct enrolment {
        char *tenant, *name;                      /* set */
        bool keylime;                             /* peer: keylime */
        char *policy;                             /* name, or NULL: tpm_policy or nothing */
        char *tpm_policy;                         /* JSON text: enrolled by the v2 API */
        char *keylime_record;                     /* JSON text: what else the v2 API must show again */
        int64_t interval_ms;                      /* 0: the policy's or the default */
        char *labels;                             /* JSON text of an object */
        struct buf ak;                            /* TPM2B_PUBLIC */
        char *ak_certificate;                     /* PEM */
        char *ek_sha256, *ek_class, *ek_findings; /* as the registrar gave them */
        char *bound_by;
        char *actor;
        int64_t enrolled_at_ms;
        bool paused;
};

/* The TPM counters of a host, as its evidence certified them (SR-11, SR-17). */
struct host_counters {
        bool known; /* the rest is said */
        uint32_t epoch_index, floor_index;
        uint64_t epoch, floor; /* the highest ever seen */
        struct buf key;        /* SPKI of the key that may increment them */
};

/* The logs of a host that are kept, each by itself. */
enum kept { KEPT_CEL, KEPT_IMA, KEPT_UEFI, KEPT_N_LOGS };
struct kept_log {
        int64_t boot;  /* number of the one that is growing: one more for each that came whole */
        int64_t bytes; /* its length so far; -1: it is longer than may be kept, and not there */
};

/* Where a host stands. All zero (with NULL texts) after enrolment. */
struct host_state {
        int64_t index;      /* of the last attestation that was given out */
        int64_t n_evidence; /* authentic evidence so far */
        bool judged;        /* there is a verdict */
        int verdict;        /* enum verdict_state */
        bool enforced;
        int64_t verdict_n;      /* number of the attestation in the history that holds the verdict */
        int64_t verdict_at_ms;  /* since when the verdict's state has been what it is */
        int64_t evidence_at_ms; /* last authentic evidence */
        int64_t pass_at_ms;     /* last pass */
        char *verdict_json;     /* the last verdict with its findings */
        char *policy;           /* judged under: name, version, content */
        int64_t policy_version;
        char *policy_sha256;
        int64_t boot_time_ms; /* claimed */
        struct kept_log logs[KEPT_N_LOGS];
        bool asked_full;    /* the log did not replay and was asked for once more in full */
        char *continuation; /* JSON text or NULL */
        struct host_counters counters;
        struct host_trust trust; /* written by changes of trust alone, not with the rest */
};

struct verifier_host {
        struct enrolment enrolment;
        struct host_state state;
};

void enrolment_free(struct enrolment *e);
void host_state_free(struct host_state *s);
void verifier_host_free(struct verifier_host *h);

/* HOSTS is the callee's to take things out of (leave NULL behind). ERR is set on STORE_FAILED alone. */
typedef void (*verifier_hosts_fn)(void *ctx, enum store_outcome outcome, struct verifier_host *hosts,
                                  size_t n_hosts, const struct err *err);
typedef void (*verifier_done_fn)(void *ctx, enum store_outcome outcome, const struct err *err);

/* Each returns 0 if DONE will be called, else -ERR_NOMEM. */
int verifier_db_get(struct verifier_db *db, const char *tenant, const char *name, verifier_hosts_fn done,
                    void *ctx, struct err *err) MUST_USE;
/* At most LIMIT in bytewise order of (tenant, name), after AFTER_TENANT, AFTER (NULL: from the first). */
int verifier_db_page(struct verifier_db *db, const char *after_tenant, const char *after, size_t limit,
                     verifier_hosts_fn done, void *ctx, struct err *err) MUST_USE;
/* STORE_CONFLICT if the name is enrolled, STORE_NOT_FOUND if it names a policy that is not there. */
int verifier_db_add(struct verifier_db *db, const struct enrolment *enrolment,
                    const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                    struct err *err) MUST_USE;
/* Removes the host and all about it. */
int verifier_db_remove(struct verifier_db *db, const char *tenant, const char *name,
                       const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                       struct err *err) MUST_USE;
/* Changes policy, interval, labels and paused of an enrolled host. STORE_NOT_FOUND: host or policy. */
int verifier_db_change(struct verifier_db *db, const struct enrolment *enrolment,
                       const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                       struct err *err) MUST_USE;

/* ---- evidence ---- */

/* How much is kept of a host: the last N_BUNDLES, and every change of the verdict as long as BYTES allows. */
struct history_limits {
        int64_t n_bundles, bytes, total_bytes;
};

/* What a verdict means for receipts that wait (store/verifier_receipts.h): nothing; all are tainted; those
 * that came before its challenge are final, if they are of the boot RESET, RESTART. */
enum receipts_what { RECEIPTS_WAIT = 0, RECEIPTS_TAINT, RECEIPTS_PASS };
struct receipts_decision {
        enum receipts_what what;
        int64_t challenge_at_ms;
        uint32_t reset, restart;
        char reason[64]; /* tainted: the worst finding's code */
};

/* What one piece of authentic evidence leaves behind. */
struct evidence_record {
        const char *tenant, *name;
        struct host_state state; /* as it is now; `index` and `logs` count the new */
        bool durable;            /* the verdict changed (or there was none): on the disk before DONE */
        int64_t at_ms;
        struct buf bundle; /* encoded bundle without its logs; taken over; empty: nothing to keep */
        struct view logs[KEPT_N_LOGS];    /* new bytes, to stand before byte state.logs[].bytes of that log */
        struct audit_entry audit;         /* action NULL: none */
        const struct trust_change *trust; /* that comes of it, and its revocation; NULL: none; `durable` */
        struct history_limits limits;
        struct ledger_mark *marks; /* what became of permits; copied */
        size_t n_marks;
        struct receipts_decision receipts;
};

/*
 * Writes state, history and evidence in one transaction. RECORD's bundle is taken over, the rest is copied.
 * STORE_NOT_FOUND if the host is not enrolled (any more): nothing was written.
 */
int verifier_db_record(struct verifier_db *db, struct evidence_record *record, verifier_done_fn done,
                       void *ctx, struct err *err) MUST_USE;

/* One line of a host's history. */
struct history_row {
        int64_t n;     /* counts evidence, from 1 */
        int64_t index; /* of the attestation */
        int64_t at_ms;
        int verdict; /* enum verdict_state */
        bool enforced, changed;
        char *verdict_json;
        char *policy;
        int64_t policy_version;
        int64_t bundle_bytes; /* 0: none kept */
};
typedef void (*verifier_history_fn)(void *ctx, enum store_outcome outcome, const struct history_row *rows,
                                    size_t n_rows, const struct err *err);
/* Newest first, those before BEFORE_N (0: from the newest), at most LIMIT. */
int verifier_db_history(struct verifier_db *db, const char *tenant, const char *name, int64_t before_n,
                        size_t limit, verifier_history_fn done, void *ctx, struct err *err) MUST_USE;

/* The bundle of evidence N (0: the newest there is) as it was recorded, and the logs from boot that it saw:
 * empty ones too where they were not kept. */
typedef void (*verifier_evidence_fn)(void *ctx, enum store_outcome outcome, struct view bundle,
                                     const struct view logs[static KEPT_N_LOGS], int64_t n,
                                     const struct err *err);
int verifier_db_evidence(struct verifier_db *db, const char *tenant, const char *name, int64_t n,
                         verifier_evidence_fn done, void *ctx, struct err *err) MUST_USE;
/* The newest that was kept of those before N. */
int verifier_db_evidence_before(struct verifier_db *db, const char *tenant, const char *name, int64_t n,
                                verifier_evidence_fn done, void *ctx, struct err *err) MUST_USE;

/* ---- policies ---- */

/* What hosts are judged by, and which modules may run: two kinds with names of their own each. */
enum stored_kind { STORED_POLICY, STORED_MODULES };

struct stored_policy {
        char *tenant, *name;
        int64_t version;
        struct buf text;
        char *sha256; /* lower-case hex */
        char *source; /* the file it came from, as the pusher said */
        char *actor;
        char *signatures; /* policy_signatures_text(); NULL: it came unsigned */
        char *signed_by;  /* JSON: ["NAME"…], the signers that were known; NULL as above */
        int64_t created_at_ms;
        int64_t until_ms; /* end of its overlap; INT64_MAX for the newest */
};
void stored_policy_free(struct stored_policy *p);

/* POLICIES is the callee's to take things out of. */
typedef void (*verifier_policies_fn)(void *ctx, enum store_outcome outcome, struct stored_policy *policies,
                                     size_t n_policies, const struct err *err);

/*
 * Adds a version; those before it hold until OVERLAP_UNTIL_MS, or less where that was said before. The same
 * content as the newest version has is STORE_OK and adds none, unless it comes with other signatures. Gives
 * the version it now has, without text. POLICY's version, until_ms are ignored.
 */
int verifier_db_policy_push(struct verifier_db *db, enum stored_kind kind, const struct stored_policy *policy,
                            int64_t overlap_until_ms, const struct audit_entry *audit,
                            verifier_policies_fn done, void *ctx, struct err *err) MUST_USE;
/* All versions in force at NOW_MS, with texts, ordered by tenant, name, newest version first. NAME NULL: all.
 */
int verifier_db_policies_in_force(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                                  const char *name, int64_t now_ms, verifier_policies_fn done, void *ctx,
                                  struct err *err) MUST_USE;
/* All versions of one (NAME NULL: newest versions of all), without texts. */
int verifier_db_policy_versions(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                                const char *name, verifier_policies_fn done, void *ctx,
                                struct err *err) MUST_USE;
/* One version (0: the newest), with text. STORE_NOT_FOUND. */
int verifier_db_policy_get(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                           const char *name, int64_t version, verifier_policies_fn done, void *ctx,
                           struct err *err) MUST_USE;
/* Removes all versions. STORE_CONFLICT while a host uses it. */
int verifier_db_policy_remove(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                              const char *name, const struct audit_entry *audit, verifier_done_fn done,
                              void *ctx, struct err *err) MUST_USE;

/* ---- audit ---- */

/* Appends an audit record alone. DONE may be NULL. */
int verifier_db_audit(struct verifier_db *db, const struct audit_entry *audit, verifier_done_fn done,
                      void *ctx, struct err *err) MUST_USE;
typedef void (*verifier_audit_fn)(void *ctx, enum store_outcome outcome, struct view text, int64_t last_seq,
                                  const struct err *err);
/* Records after SEQ, one a line, at most LIMIT. */
int verifier_db_audit_export(struct verifier_db *db, int64_t after_seq, size_t limit, verifier_audit_fn done,
                             void *ctx, struct err *err) MUST_USE;

#endif
