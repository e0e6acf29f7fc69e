/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_H
#define AVOW_EVIDENCE_TEE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/macro.h"

/*
 * What checking a processor's evidence (SEV-SNP, TDX, SGX) found: named checks in the order they were made,
 * each passed, failed or skipped, flags (notable, no reason to refuse by themselves), and one verdict. A
 * check that was not made stays visible: "no collateral given" is not "UpToDate".
 *
 * The value owns no memory and is not a verdict on a host (evidence/verdict.h): a policy makes that of it.
 */
/* The kinds of evidence that a host can show of its processor. */
enum tee_kind {
        TEE_SNP,
        TEE_TDX,
        TEE_SGX,
        TEE_N_KINDS,
};
const char *tee_kind_name(enum tee_kind kind); /* "snp", "tdx", "sgx" */
bool tee_kind_by_name(const char *name, enum tee_kind *ret) MUST_USE;

/* What came of one, not believed; borrowed. The limits are Linux's and some room. */
#define TEE_EVIDENCE_BYTES_MAX 65536
struct tee_shown {
        enum tee_kind kind;
        struct view evidence; /* an SNP report, a quote; empty: the host could make none */
        struct view table;    /* AMD's certificate table, or empty */
        struct view manifest; /* of the services that an SVSM runs: it made the report; or empty */
};

enum tee_state {
        TEE_SKIPPED = 0,
        TEE_PASS,
        TEE_FAIL,
};

/* The zero value is no answer and never counts as trusted. */
enum tee_verdict {
        TEE_UNDECIDED = 0,
        TEE_ACCEPT,
        TEE_REJECT,
        TEE_MALFORMED,      /* the evidence breaks its format: nothing was checked */
        TEE_NO_COLLATERAL,  /* everything short of the TCB status was checked and is good */
        TEE_NO_ENDORSEMENT, /* well formed, but no certificate that could vouch for it */
};

#define TEE_CHECKS_MAX     64
#define TEE_FLAGS_MAX      16
#define TEE_WORD_BYTES     64
#define TEE_TEXT_BYTES_MAX 224

struct tee_check {
        const char *name; /* a constant: "quote-signature" */
        enum tee_state state;
        char reason[TEE_WORD_BYTES];   /* the stable word of a failed check: "tcb-OutOfDate"; else "" */
        char text[TEE_TEXT_BYTES_MAX]; /* for people, printable; why it failed or was skipped; else "" */
};

struct tee_result {
        enum tee_verdict verdict;
        size_t n_checks;
        struct tee_check checks[TEE_CHECKS_MAX];
        size_t n_flags;
        const char *flags[TEE_FLAGS_MAX]; /* constants, in the order they were found, each once */
};

/* Values that a policy allows, each of one length: not SET is "not asked", SET and empty allows nothing. */
struct tee_set {
        bool set;
        const struct view *v;
        size_t n;
};
bool tee_set_has(const struct tee_set *set, struct view v) MUST_USE;
/* The check NAME: skipped if SET is not asked; else HAVE is in it, or it failed with REASON. */
void tee_ask(struct tee_result *r, const char *name, const char *reason, const struct tee_set *set,
             struct view have);

/* Record a check. Without room a pass or a skip is dropped, and a failure takes the last place: no failure is
 * lost. Texts are made printable. */
void tee_pass(struct tee_result *r, const char *name);
void tee_skip(struct tee_result *r, const char *name, const char *fmt, ...) PRINTF(3, 4);
void tee_fail(struct tee_result *r, const char *name, const char *reason, const char *fmt, ...) PRINTF(4, 5);
void tee_flag(struct tee_result *r, const char *flag);

bool tee_has_flag(const struct tee_result *r, const char *flag);
bool tee_failed(const struct tee_result *r); /* has any check failed? */
/* The N-th reason word, in the order of the checks, each word once; NULL behind the last. */
const char *tee_reason(const struct tee_result *r, size_t n);
const struct tee_check *tee_find(const struct tee_result *r, const char *name);

/* "accept", "reject", "malformed", "quote-valid-no-collateral", "no-endorsement", "undecided". */
const char *tee_verdict_name(enum tee_verdict verdict);
/* "pass", "fail", "skipped". */
const char *tee_state_name(enum tee_state state);

#endif
