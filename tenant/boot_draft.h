/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_BOOT_DRAFT_H
#define AVOW_TENANT_BOOT_DRAFT_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "evidence/bundle.h"

/*
 * `boot:` of a policy, from the firmware's event logs of machines that are known to be good: it allows how
 * they started, and nothing else. Several logs add up; of the revoked (dbx), what all of them have is
 * demanded.
 */
enum boot_draft_list {
        BOOT_DRAFT_PK,
        BOOT_DRAFT_KEK,
        BOOT_DRAFT_DB,
        BOOT_DRAFT_VENDOR_DB,
        BOOT_DRAFT_DBX_FLOOR,
        BOOT_DRAFT_AUTHORITIES,
        BOOT_DRAFT_FIRMWARE,
        BOOT_DRAFT_DRIVERS,
        BOOT_DRAFT_LOADERS,
        BOOT_DRAFT_KERNELS,
        BOOT_DRAFT_INITRDS,
        BOOT_DRAFT_MOK_LIST,
        BOOT_DRAFT_MOK_LIST_X,
        BOOT_DRAFT_COMMAND_LINES,
        BOOT_DRAFT_N_LISTS,
};

struct boot_draft {
        size_t n_logs;
        bool seen_on, seen_off; /* Secure Boot */
        bool shown_line;        /* a log has a command line */
        bool hidden_line;       /* a log has the command line as a digest alone, of none that is known here */
        struct strv lines;      /* command lines, as they are */
        struct {
                bool stated;
                struct strv items; /* as they stand in the policy, lines behind the first one indented */
        } lists[BOOT_DRAFT_N_LISTS];
};
void boot_draft_done(struct boot_draft *d);

/* One more command line that is allowed, exactly; before the logs, for those that hold its digest alone.
 * Return: 0; -ERR_NOMEM. */
int boot_draft_add_command_line(struct boot_draft *d, struct view text, struct err *err) MUST_USE;

/* Adds what LOG says to BANK. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_CRYPTO, -ERR_NOMEM. */
int boot_draft_add(struct boot_draft *d, struct view log, enum digest_alg bank, struct err *err) MUST_USE;

/*
 * Adds what a bundle's log says, which has to lead to the quoted values of PCRs 0 to 9; nothing if it has
 * none. Return: as boot_draft_add(); -ERR_CONFIG if it does not lead there.
 */
int boot_draft_add_evidence(struct boot_draft *d, const struct bundle *b, struct err *err) MUST_USE;

/* Appends the section. Ask buf_ok(). */
void boot_draft_write(const struct boot_draft *d, struct buf *out);

#endif
