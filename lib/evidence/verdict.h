/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_VERDICT_H
#define AVOW_EVIDENCE_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "evidence/tee_statement.h"

/*
 * The outcome of an appraisal: a state, and findings in words that an operator can act on.
 *
 * VERDICT_REFUSED is not a verdict on the host: the evidence was not authentic (wrong key, old challenge,
 * values that the quote does not cover), so it says nothing about the host, changes no verdict and uses up no
 * challenge (SR-4). The zero value is undecided, which never counts as trusted.
 */
enum verdict_state {
        VERDICT_INCONCLUSIVE = 0,
        VERDICT_PASS,
        VERDICT_FAIL,
        VERDICT_REFUSED,
};

enum severity {
        SEVERITY_INFO = 0, /* worth knowing, changes nothing */
        SEVERITY_WARNING,  /* somebody should look */
        SEVERITY_ERROR,    /* why there is no pass */
        SEVERITY_CRITICAL, /* an attack, or what looks like one */
};

#define FINDINGS_MAX           256  /* more are counted, not kept */
#define FINDING_TEXT_BYTES_MAX 1024 /* of each text; longer ones are cut */
#define FINDING_NO_ENTRY       (-1)
#define VERDICT_JSON_BYTES_MAX (4u * 1024 * 1024)

/* Texts may be NULL, but for code and what. What cannot be printed is escaped when a finding is added. */
struct finding {
        const char *code; /* a word from docs/protocol.md: "log-not-replayed" */
        enum severity severity;
        const char *what;     /* one sentence: what is wrong */
        const char *log;      /* where: "quote", "pcr", "cel" … */
        int64_t entry;        /* and which entry of it, from 0; FINDING_NO_ENTRY */
        const char *expected; /* what would have been right */
        const char *found;
        const char *remedy;     /* what to do next */
        const char *policy_ref; /* "worker.yaml:14" */
};

struct verdict {
        enum verdict_state state;
        bool enforced; /* false: the policy observes only */
        size_t n_findings;
        struct finding *findings;  /* the texts are owned by the verdict */
        size_t n_dropped;          /* findings beyond FINDINGS_MAX */
        struct tee_statement *tee; /* of the processor's evidence; NULL: none was judged */
};

/* Inconclusive, enforced, no findings. Return: NULL when out of memory. */
struct verdict *verdict_new(void) MUST_USE;
void verdict_free(struct verdict *v);
DEFINE_AUTO(struct verdict, verdict_free)

/* Copies a finding into the verdict; the state is not touched. Return: 0; -ERR_NOMEM. */
int verdict_add(struct verdict *v, const struct finding *f, struct err *err) MUST_USE;
/* The same with `what` made by a format. */
int verdict_addf(struct verdict *v, const struct finding *f, struct err *err, const char *what_fmt, ...)
        PRINTF(4, 5) MUST_USE;

/* The worse of the two: refused, fail, inconclusive, pass. */
enum verdict_state verdict_worse(enum verdict_state a, enum verdict_state b);
/* The highest severity among the findings; SEVERITY_INFO if there are none. */
enum severity verdict_severity(const struct verdict *v);
/* The first of the findings of that severity, for a summary; NULL if there are none. */
const struct finding *verdict_worst(const struct verdict *v);
/* The first finding with that code, or NULL. */
const struct finding *verdict_find(const struct verdict *v, const char *code);

/* "pass", "fail", "inconclusive", "refused"; "info" … "critical". by_name: false if unknown. */
const char *verdict_state_name(enum verdict_state state);
bool verdict_state_by_name(const char *name, enum verdict_state *ret) MUST_USE;
const char *severity_name(enum severity severity);
bool severity_by_name(const char *name, enum severity *ret) MUST_USE;

/*
 * {"state", "enforced", "findings": [{"code", "severity", "what", "log", "entry", "expected", "found",
 * "remedy", "policy_ref"}], "dropped", "tee"?}; absent texts are left out. to: NULL when out of memory. from:
 * strict; Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM.
 */
json_t *verdict_to_json(const struct verdict *v) MUST_USE;
/* The same in one line, members sorted: equal verdicts have equal texts. The caller's (free()). */
char *verdict_text(const struct verdict *v) MUST_USE;
void verdict_put(struct json_out *o, const char *name, const struct verdict *v);
int verdict_from_json(const json_t *j, struct verdict **ret, struct err *err) MUST_USE;

/*
 * Appends the text for people: a line per finding, indented lines for where, expected, found, policy and what
 * to do, the most severe first; then the checks of the processor's evidence. Ask buf_ok().
 */
void verdict_render(const struct verdict *v, struct buf *out);

#endif
