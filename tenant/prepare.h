/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_PREPARE_H
#define AVOW_TENANT_PREPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "evidence/pcr.h"

/*
 * Is this host one whose kernel's list and boot log a policy may believe (SR-15)? Looks at files only, below
 * ROOT: so it also looks at an image that is being built, where what only a running kernel shows is unknown.
 */

#define PREPARE_RULES_PATH "/etc/ima/ima-policy"
#define PREPARE_GRUB_PATH  "/etc/default/grub.d/avow.cfg"
/* What the kernel's command line has to hold. */
#define PREPARE_WORDS "ima_policy=tcb ima_hash=sha256 lockdown=integrity"

enum prepare_state {
        PREPARE_OK,
        PREPARE_NEXT_BOOT, /* done, and counts from the next boot on */
        PREPARE_MISSING,
        PREPARE_UNKNOWN, /* cannot be seen from here */
        PREPARE_N_STATES,
};
/* "ok", "next boot", "missing", "unknown". */
const char *prepare_state_name(enum prepare_state state);

#define PREPARE_CHECKS_MAX 16

struct prepare_check {
        const char *name;
        enum prepare_state state;
        char *found;
        char *mend; /* what to do, as exactly as it can be said; NULL: nothing */
};

enum prepare_there { PREPARE_ABSENT, PREPARE_THERE, PREPARE_CLOSED /* we may not read it */ };

/* All zero but the first two, before; prepare_done() after. */
struct prepare {
        const char *root;       /* "" for this machine; else without a slash at its end */
        const char *rules_file; /* the rules as they were installed with avow */
        struct buf rules;
        struct prepare_check checks[PREPARE_CHECKS_MAX];
        size_t n;
        struct strv written; /* what prepare_install() wrote */
        bool failed;         /* no memory for a check's text */
        /* what one check learns and another needs */
        bool rules_installed, rules_in_force, words_installed, locked_down;
        struct pcr_values pcrs; /* 0 to 7 of the sha256 bank, as far as the kernel shows them */
};
void prepare_done(struct prepare *p);

/* Reads the rules. Return: 0; -ERR_IO. */
int prepare_load_rules(struct prepare *p, struct err *err) MUST_USE;
/*
 * Puts the rules and GRUB's part of the command line in place, where nothing is yet; what others put there
 * stays. Return: 0; -ERR_IO.
 */
int prepare_install(struct prepare *p, struct err *err) MUST_USE;
/* Fills the checks. Return: 0; -ERR_IO, -ERR_LIMIT, -ERR_NOMEM, -ERR_CRYPTO. */
int prepare_look(struct prepare *p, struct err *err) MUST_USE;

/* ---- for prepare_logs.c ---- */

/* Appends the file below the root. Return: enum prepare_there; < 0. */
int prepare_read(const struct prepare *p, const char *path, size_t max_bytes, struct buf *ret,
                 struct err *err) MUST_USE;
/* The outcome of a check, and what to do about it. */
void prepare_say(struct prepare *p, const char *name, enum prepare_state state, const char *fmt, ...)
        PRINTF(4, 5);
void prepare_mend(struct prepare *p, const char *fmt, ...) PRINTF(2, 3);

/* The kernel's list and the firmware's log: two checks, and one. */
int prepare_look_at_list(struct prepare *p, struct err *err) MUST_USE;
int prepare_look_at_boot_log(struct prepare *p, struct err *err) MUST_USE;

#endif
