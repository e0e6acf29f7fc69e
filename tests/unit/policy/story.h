/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_STORY_H
#define AVOW_TESTS_STORY_H

#include "evidence/bundle.h"
#include "policy/appraise.h"
#include "support/soft_host.h"
#include "support/support.h"

/*
 * A story: a host whose TPM is a key in software, a verifier that is the test, and what comes of it. Digests
 * are one letter: 'a' stands for aaaa…, in policies too.
 */

#define HEX(x)                                                                                               \
        x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x  \
                x x x x x x x x x x x x x x
#define A     HEX("a")
#define B     HEX("b")
#define C     HEX("c")
#define D     HEX("d")
#define E     HEX("e")
#define ZEROS HEX("0")
#define HEAD  "format: avow-policy/1\nname: edge\n"
#define NODE  HEAD "runtimes:\n- name: node\n  path: /usr/bin/node\n  digests:\n"
#define NOON  1796126400000 /* 2026-12-01T12:00:00Z */

struct story {
        struct soft_host host;
        struct policy_version versions[3]; /* newest first */
        size_t n_versions;
        struct policy_effective *policy;
        struct continuation *before, *memory;
        struct appraisal_result r;
        int64_t now_ms;
        uint8_t challenge[32];
        /* What the next round does differently. */
        bool no_log, asked_again, immediate, stale_challenge;
        const struct tpm_public *other_ak;
        uint32_t mask;     /* 0: what the policy needs */
        int64_t log_first; /* -1: what is asked for */
        struct view log;   /* instead of the host's, if not NULL */
        /* The kernel's list, once it was begun. */
        struct buf ima, ima_marks; /* and where each entry starts, be64 */
        uint64_t n_ima;
        struct view ima_sent; /* instead of it, if not NULL */
        int64_t ima_first;    /* -1: what is asked for */
        struct view uefi;     /* the boot log, if not NULL */
        bool no_ima;
        /* The log of launches, if it comes (launches.p). */
        struct view launches;
        uint64_t launch_first;
        const struct ledger_permit *permits;
        size_t n_permits;
        /* The processor's evidence. */
        bool has_tee, tee_not_asked;
        struct tee_shown tee;
        const struct tee_trust *tee_trust;
        const struct digest *ek;
};

/* A host under POLICY, an hour before noon; the end of everything. */
void story_begin(struct story *s, const char *policy, enum digest_alg bank);
void story_end(struct story *s);

/* A new version; the ones before hold until UNTIL_MS. */
void story_push(struct story *s, const char *text, int64_t until_ms);
/* Makes the effective policy anew, as at this time. */
void story_hold(struct story *s);
void story_pass_time(struct story *s, int64_t ms);

/* One appraisal of QUOTE, into s->r. */
int story_appraise(struct story *s, const struct soft_tpm_quote *q, struct view qualifying, struct err *err);
/* A round: challenge, quote, appraisal; what is to be remembered is. */
enum verdict_state story_round(struct story *s);

/* The evidence of such a round as a bundle, of no certificate; the caller's. */
struct bundle *story_bundle(struct story *s, const char *verifier_id);

/* The last round's verdict must be this, and have a finding of that code (NULL: any). */
#define EXPECT(s, state, code) story_expect((s), (state), (code), __LINE__)
void story_expect(struct story *s, enum verdict_state state, const char *code, int line);

/* ---- the kernel's list ---- */

/* PCRs 0 to 9 get values, and the list its first entry. */
void story_ima_begin(struct story *s);
/* Entries, in the list and PCR 10: a file whose SHA-256 is one letter (template ima-ng); one of any digest,
 * with what ima-sig adds (may be empty); a buffer; a violation; any data. */
void story_ima_file(struct story *s, const char *path, char digit);
void story_ima_signed(struct story *s, const char *path, struct view sha256, struct view xattr);
void story_ima_buffer(struct story *s, const char *name, struct view content);
void story_ima_violation(struct story *s, const char *path);
void story_ima_aggregate(struct story *s);
/* The host restarts: an empty list, and it begins anew. */
void story_ima_reboot(struct story *s);
/* The list from entry FIRST on. */
struct view story_ima_from(const struct story *s, uint64_t first);

/* PART must be in TEXT. */
void story_says(const char *text, const char *part);

#endif
