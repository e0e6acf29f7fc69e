/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_JUDGE_BOOT_H
#define AVOW_POLICY_JUDGE_BOOT_H

#include "evidence/boot_record.h"
#include "policy/judge.h"
#include "policy/policy_boot.h"
#include "policy/work.h"

/*
 * Judging how a host started, by a boot log that was held against quoted registers. For appraise_boot.c
 * alone; the other files named boot_*.c here are its parts. Where the log's types and names are used at all,
 * it is to choose words, or so that a lie costs the host its pass: what allows something is always a digest
 * or a text that one covers.
 */
struct boot_judging {
        const struct judging *j;
        const struct boot_record *r;

        /* Command lines of the kernel, as text (owned, UTF-8), and the EFI stub's digest of one. */
        struct boot_line *lines;
        size_t n_lines;
        const struct boot_row *load_options; /* NULL: none */
};

struct boot_line {
        const struct boot_row *row;
        char *text;
};

/* What a finding says; constant but for what is found. */
struct boot_words {
        const char *code;
        enum verdict_state state; /* FAIL: shown and not allowed; INCONCLUSIVE: not shown */
        const char *what;         /* one sentence */
        const char *expected, *remedy;
};

/* Adds a finding about ROW (NULL: of none); N_MORE rows are like it. */
int boot_find(const struct boot_judging *b, const struct boot_words *words, const struct boot_row *row,
              size_t n_more, struct err *err) MUST_USE;
/* The next row of PCR after PREV (NULL: the first); the next whose digest is over something that the log does
 * not hold: an image, a file. NULL at the end. */
const struct boot_row *boot_next(const struct boot_judging *b, unsigned pcr, const struct boot_row *prev);
const struct boot_row *boot_next_file(const struct boot_judging *b, unsigned pcr,
                                      const struct boot_row *prev);

/* Is DIGEST among N values that have not ended? */
bool boot_has_value(const struct boot_judging *b, const struct policy_value *values, size_t n,
                    struct view digest);
/* Is it in a list of `boot:`, now? True also for a list that is not judged. */
bool boot_list_has(const struct boot_judging *b, enum policy_boot_list list, struct view digest);

/* PCRs 7 and 14: Secure Boot, its keys, who let images through, shim's lists. *RET: is Secure Boot on, as far
 * as the firmware measured it? */
int boot_secure(const struct boot_judging *b, enum boot_switch *ret, struct err *err) MUST_USE;
int boot_judge_keys(const struct boot_judging *b, enum boot_switch secure, struct err *err) MUST_USE;
int boot_judge_mok(const struct boot_judging *b, struct err *err) MUST_USE;

/* PCRs 8, 9 and 12: which command lines there are. */
int boot_collect_lines(struct boot_judging *b, struct err *err) MUST_USE;
void boot_lines_done(struct boot_judging *b);
/* A pattern that matches one text alone, as that text, the caller's. NULL: it has a place for others (or no
 * memory). */
char *boot_exact_text(const char *pattern);
/* Is the EFI stub's measurement of its options over this line? Return: 1, 0; -ERR_CRYPTO, -ERR_NOMEM. */
int boot_is_load_options_of(const struct boot_row *row, enum digest_alg bank, const char *text,
                            struct err *err) MUST_USE;

/* PCRs 4, 8, 9, 11, 12: loaders, kernel, initrds, command line, sections. Fills the facts about them;
 * *RET_LINE owns the command line's text, if there is one. */
int boot_judge_kernel(struct boot_judging *b, struct boot_facts *facts, char **ret_line,
                      struct err *err) MUST_USE;

#endif
