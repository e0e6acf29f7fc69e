/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_IMA_WORK_H
#define AVOW_POLICY_IMA_WORK_H

#include "base/map.h"
#include "evidence/ima.h"
#include "evidence/ima_memory.h"
#include "evidence/ima_signature.h"
#include "policy/policy_ima.h"
#include "policy/work.h"

/* The inside of the judging of a measurement list: for appraise_ima.c and ima_*.c alone. */

#define IMA_ROWS_MAX     65536 /* entries that are looked at again; more are counted */
#define IMA_RUNTIMES_MAX 64    /* rows of runtimes that are remembered */

enum ima_answer {
        IMA_ALLOWED,
        IMA_UNKNOWN,   /* nothing in force allows it */
        IMA_ELSEWHERE, /* a known file, at a path where it is not allowed */
        IMA_EXPIRED,
        IMA_DENIED,
};

/* An entry that is no simple pass: not allowed, or of a runtime. */
struct ima_row {
        struct ima_kept k; /* its name is the row's */
        enum ima_answer answer;
        struct policy_file_match match; /* with ELSEWHERE and EXPIRED: by what; its version NULL if unknown */
        const char *comment;            /* with DENIED; and where */
        uint32_t line;
        bool counts; /* against the host */
};

/* Keys that the kernel was seen to load into a keyring. */
struct ima_learned {
        char *keyring;
        struct ima_keys *keys;
};

/* What is looked out for among the entries. */
struct ima_watched {
        bool runtime;   /* the executable of a runtime */
        bool required;  /* number `number` of the files that have to be executed */
        bool by_digest; /* it is that by its digest alone */
        bool rules;     /* measuring rules */
        size_t number;
        struct ima_watched *next; /* for the same path or digest */
};
/* An entry that is being judged. */
struct ima_subject {
        uint64_t entry;
        bool covered; /* by the register; others decide nothing */
        bool violation;
        struct ima_event ev;      /* covered, and no violation */
        enum allow_answer answer; /* to digest and path alone, by what is allowed */
        const struct ima_watched *by_digest, *by_path;
};
#define IMA_SUBJECTS_MAX ALLOW_MANY

#define IMA_FILTER_BITS 4096u
struct ima_watch {
        uint64_t digest_filter[IMA_FILTER_BITS / 64], path_filter[IMA_FILTER_BITS / 64];
        struct map digests, paths; /* of struct ima_watched */
};

/* What next->facts says about measuring itself. The lowest bits are POLICY_COVERS_*. */
#define IMA_FACT_COVERS          0x0fu
#define IMA_FACT_RULES           0x10u  /* an allowed file of rules was loaded; what it covers is above */
#define IMA_FACT_AGGREGATE       0x20u  /* there is a boot_aggregate, */
#define IMA_FACT_AGGREGATE_BAD   0x40u  /* of other PCR values; */
#define IMA_FACT_AGGREGATE_OTHER 0x80u  /* of another bank */
#define IMA_FACT_KEXEC           0x100u /* a second one: another kernel went on with the list */
#define IMA_FACT_KEXEC_UNSEEN    0x200u /* the rules before it did not measure what was started */
#define IMA_FACT_OTHER_PCR       0x400u /* entries for other registers */
#define IMA_FACT_BANK_HASH       0x800u /* files are measured by the bank's algorithm, too */
/* What the last allowed command line for a kexec says of the kernel behind it: what its own rules cover, and
 * that it locks itself down; and the same of the kernel that runs since the last kexec. */
#define IMA_FACT_LINE_SHIFT   16
#define IMA_FACT_KEXEC_SHIFT  20
#define IMA_FACT_LINE_LOCKED  0x1000000u
#define IMA_FACT_KEXEC_LOCKED 0x2000000u

struct ima_work {
        struct work *w;
        const struct policy_effective *policy;
        const struct ima_memory *before; /* what the list goes on from; NULL: from entry 0 */
        struct ima_memory *next;
        struct ima_list list;
        struct ima_replay replay;
        uint64_t n_judged_before; /* entries that were judged when they were first received */
        unsigned line_covers;     /* what the kernel's own rules cover by its command line */
        struct ima_row *rows;
        size_t n_rows, n_dropped;
        struct map by_name; /* of files: the newest row of each name, as its number + 1 */
        struct ima_learned *learned;
        size_t n_learned;
        struct ima_watch watch;
};

/* ---- ima_judge.c: entry by entry ---- */

int ima_watch_make(struct ima_work *iw, struct err *err) MUST_USE;
void ima_watch_done(struct ima_watch *watch);
/* What was remembered becomes rows and keys; before any entry. */
int ima_judge_remembered(struct ima_work *iw, struct err *err) MUST_USE;
/* Decodes an entry into a subject, which borrows what the entry borrows. Return: 0; -ERR_FORMAT. */
int ima_subject_make(struct ima_work *iw, const struct ima_entry *e, struct ima_subject *ret,
                     struct err *err) MUST_USE;
/* Judges N subjects (at most IMA_SUBJECTS_MAX), which follow one another in the list. */
int ima_judge_subjects(struct ima_work *iw, struct ima_subject *subjects, size_t n, struct err *err) MUST_USE;
/* Which rows count, and what is remembered of them. After the last entry. */
int ima_judge_end(struct ima_work *iw, struct err *err) MUST_USE;

/* What the measuring rules in force at this entry cover: POLICY_COVERS_*. */
unsigned ima_covers(const struct ima_work *iw);

/* ---- ima_trust.c: is measuring shown? ---- */

/* Does a kernel with this command line lock itself down? */
bool ima_locks_down(struct view command_line);

int ima_take_aggregate(struct ima_work *iw, const struct ima_event *ev, struct err *err) MUST_USE;
/* SR-15. Adds `measurement-not-trustworthy` for what is not shown, and says what was waived. */
int ima_trust(struct ima_work *iw, struct err *err) MUST_USE;
/* There is no list to show it: the same finding. */
int ima_trust_nothing(struct work *w, const char *why, struct err *err) MUST_USE;

/* ---- ima_words.c: findings in groups ---- */

int ima_say_rows(struct ima_work *iw, struct err *err) MUST_USE;
int ima_say_violations(struct ima_work *iw, struct err *err) MUST_USE;

#endif
