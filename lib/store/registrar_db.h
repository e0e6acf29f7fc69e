/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_REGISTRAR_DB_H
#define AVOW_STORE_REGISTRAR_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/audit.h"
#include "store/store.h"

/*
 * What the registrar knows: which EK a name belongs to (bindings, made by admins), who has proven what
 * (identities: EK, AK, certificates), and which AK certificates were issued. Unproven registrations never get
 * here (SR-9). Every call copies what it is given and completes on the loop.
 */

struct registrar_db;

int registrar_db_open(const char *url, store_post_fn post, void *post_ctx, const struct audit_key *audit_key,
                      struct registrar_db **ret_db, struct err *err) MUST_USE;
/* Finishes what was submitted, then closes. */
void registrar_db_close(struct registrar_db *db);
DEFINE_AUTO(struct registrar_db, registrar_db_close)
/* The store under it: for store_health(). */
struct store *registrar_db_store(struct registrar_db *db);

enum bound_by { BOUND_NONE, BOUND_EK, BOUND_SERIAL, BOUND_MANIFEST, BOUND_TOFU };
/* "none", "ek", "serial", "manifest", "tofu". */
const char *bound_by_name(enum bound_by by);

/* What an admin said about a name. */
struct binding {
        enum bound_by by;
        char *ek_sha256;      /* lower-case hex over the EK's SPKI DER; NULL until known (tofu, serial) */
        char *ek_cert_serial; /* lower-case hex; NULL unless bound by it */
        char *actor;          /* who bound it */
        int64_t bound_at_ms;
};

/* What a TPM proved: written by an activation alone. */
struct identity {
        struct buf ek;            /* TPM2B_PUBLIC */
        char *ek_sha256;          /* lower-case hex over the EK's SPKI DER */
        struct buf ek_cert;       /* DER; empty if there was none */
        char *ek_cert_serial;     /* lower-case hex, or NULL */
        char *ek_class;           /* hardware, vtpm, emulated, unknown */
        char *ek_findings;        /* JSON text of an array (how the EK certificate was judged), or NULL */
        struct buf ak;            /* TPM2B_PUBLIC */
        char *ak_name;            /* lower-case hex */
        char *ak_cert;            /* PEM, or NULL */
        char *mtls_cert;          /* PEM, "disabled", or NULL: the agent's claim until its AK signed it */
        char *ip;                 /* a claim; may be NULL */
        int64_t port;             /* a claim; 0: none */
        int64_t regcount;         /* activations; written by registrar_db_activate() */
        int64_t registered_at_ms; /* the first activation; written by registrar_db_activate() */
        int64_t activated_at_ms;
};

struct registrar_host {
        char *tenant, *name;
        bool bound;  /* binding holds something */
        bool active; /* identity holds something */
        struct binding binding;
        struct identity identity;
};

void binding_free(struct binding *b);
void identity_free(struct identity *id);
void registrar_host_free(struct registrar_host *h);

/* What every call tells: OUTCOME, on STORE_FAILED also ERR (else NULL). HOSTS is borrowed for the call; it is
 * what was asked for, or the state after a change, or on STORE_CONFLICT the state that stands in the way. */
struct registrar_result {
        enum store_outcome outcome;
        const struct err *err;
        const struct registrar_host *hosts;
        size_t n_hosts;
};
typedef void (*registrar_done_fn)(void *ctx, const struct registrar_result *result);

/* One host. STORE_NOT_FOUND if the name is neither bound nor active. Each returns 0 if DONE will be called,
 * else -ERR_NOMEM. TENANT NULL is "default". */
int registrar_db_get(struct registrar_db *db, const char *tenant, const char *name, registrar_done_fn done,
                     void *ctx, struct err *err) MUST_USE;

/* Hosts whose EK it is (at most 100). */
int registrar_db_find_ek(struct registrar_db *db, const char *tenant, const char *ek_sha256,
                         registrar_done_fn done, void *ctx, struct err *err) MUST_USE;

/* At most LIMIT hosts in bytewise order of their names, after AFTER (NULL: from the first). */
int registrar_db_list(struct registrar_db *db, const char *tenant, const char *after, size_t limit,
                      bool active_only, registrar_done_fn done, void *ctx, struct err *err) MUST_USE;

/*
 * Binds a name. STORE_CONFLICT if it is bound or active with another EK (or serial): an admin removes it
 * first. The same binding again is STORE_OK.
 */
int registrar_db_bind(struct registrar_db *db, const char *tenant, const char *name,
                      const struct binding *binding, const struct audit_entry *audit, registrar_done_fn done,
                      void *ctx, struct err *err) MUST_USE;

/*
 * Writes what an activation proved, in one transaction with its audit record: STORE_CONFLICT if the name is
 * active with another EK or bound to another EK or serial. The same EK with a new AK replaces the record. A
 * binding by trust on first use takes this EK. `regcount` and `registered_at_ms` of IDENTITY are ignored.
 * Spec: SR-9, CVE-2025-13609.
 */
int registrar_db_activate(struct registrar_db *db, const char *tenant, const char *name,
                          const struct identity *identity, const struct audit_entry *audit,
                          registrar_done_fn done, void *ctx, struct err *err) MUST_USE;

/* Removes binding and identity. STORE_NOT_FOUND if there was neither. */
int registrar_db_delete(struct registrar_db *db, const char *tenant, const char *name,
                        const struct audit_entry *audit, registrar_done_fn done, void *ctx,
                        struct err *err) MUST_USE;

/* Appends an audit record alone. DONE may be NULL. */
int registrar_db_audit(struct registrar_db *db, const struct audit_entry *audit, registrar_done_fn done,
                       void *ctx, struct err *err) MUST_USE;

/* Audit records after SEQ as text, one a line: TEXT is borrowed; LAST_SEQ is for the next call. */
typedef void (*audit_done_fn)(void *ctx, enum store_outcome outcome, struct view text, int64_t last_seq,
                              const struct err *err);
int registrar_db_audit_export(struct registrar_db *db, int64_t after_seq, size_t limit, audit_done_fn done,
                              void *ctx, struct err *err) MUST_USE;

/* Numbers for metrics and status. */
struct registrar_counts {
        int64_t bound, active, tofu;
};
typedef void (*registrar_counts_fn)(void *ctx, const struct registrar_counts *counts, const struct err *err);
int registrar_db_counts(struct registrar_db *db, registrar_counts_fn done, void *ctx,
                        struct err *err) MUST_USE;

#endif
