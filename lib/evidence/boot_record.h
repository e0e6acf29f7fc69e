/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_BOOT_RECORD_H
#define AVOW_EVIDENCE_BOOT_RECORD_H

#include "evidence/bootlog.h"
#include "evidence/efi.h"

/*
 * What a boot log shows once it is held against quoted registers: which of them it explains, and of those the
 * events in their order, each with what its digest makes of its text. Whoever hands a log over may write into
 * it what he likes, but for three things: the digests, their order in each register, and the texts that they
 * cover. The types of events, names of images and files, and the order between registers are claims.
 *
 * systemd goes on to extend PCR 11 when the system has started ("enter-initrd" … "ready"), which the
 * firmware's log cannot hold: a value that those words lead to from the log's is explained too.
 */
#define BOOT_PCRS 0x7bffu /* 0 to 9 and 11 to 14: what firmware, boot loaders and stubs measure */

struct boot_row {
        size_t number; /* of the event in the log */
        uint32_t pcr, type;
        struct view digest, data; /* borrowed from the log */
        enum bootlog_cover cover;
        struct view covered;
        /* By its digest, whatever it is called: a separator (ERROR: with which the firmware gives up), one of
         * the specification's sentences about what the firmware does. */
        bool separator, error, action;
};

struct boot_record {
        struct bootlog log;
        enum digest_alg bank;
        struct pcr_values values; /* as replayed; those that the log does not extend are zero */
        /* Registers whose quoted value the log leads to; of the firmware's, 0 to 7, those alone in which it
         * says that its part has ended: an empty register is explained by nothing. */
        uint32_t explained;
        struct boot_row *rows; /* events of those, in the order of the log */
        size_t n;
};

/*
 * From a parsed log (its bytes stay borrowed) and the quoted values of a bank. Return: 0; -ERR_FORMAT if the
 * log has no digests of that bank; -ERR_CRYPTO; -ERR_NOMEM. RET is to be given to boot_record_done().
 */
int boot_record_make(const struct bootlog *log, const struct pcr_values *quoted, struct boot_record *ret,
                     struct err *err) MUST_USE;
void boot_record_done(struct boot_record *b);

/* Is the covered part all of the data? */
bool boot_row_is_whole(const struct boot_row *row);
/* The UEFI variable that the row's digest is over in whole. Return: false if it is none. */
bool boot_row_variable(const struct boot_row *row, struct efi_variable *ret);

#endif
