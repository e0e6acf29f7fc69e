/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_STORY_H
#define AVOW_TESTS_STORY_H

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
        struct view uefi;  /* the firmware's log; none if NULL */
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
int story_appraise(struct story *s, const struct soft_quote *q, struct view qualifying, struct err *err);
/* A round: challenge, quote, appraisal; what is to be remembered is. */
enum verdict_state story_round(struct story *s);

/* The last round's verdict must be this, and have a finding of that code (NULL: any). */
#define EXPECT(s, state, code) story_expect((s), (state), (code), __LINE__)
void story_expect(struct story *s, enum verdict_state state, const char *code, int line);

/* PART must be in TEXT. */
void story_says(const char *text, const char *part);

#endif
