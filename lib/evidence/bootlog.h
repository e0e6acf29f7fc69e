/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_BOOTLOG_H
#define AVOW_EVIDENCE_BOOTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/pcr.h"

/*
 * The firmware's event log: what was extended into PCRs 0 to 9 and 11 to 14 before the kernel ran.
 *
 * Two forms: crypto-agile (a "Spec ID Event03" first, then digests of several banks) and the older one with
 * SHA-1 alone. What makes an event true is that the log's digests lead to the quoted registers; what makes
 * its *text* true is that a digest covers it. The specification lets many events have a text that no digest
 * covers, and a log can be given any text there: so every text is asked for with bootlog_covered(), and what
 * is not covered decides nothing.
 *
 * Spec: TCG PC Client Platform Firmware Profile 1.06, §§9.2, 9.4, 10; TCG EFI Platform Specification 1.22.
 */
#define BOOTLOG_BYTES_MAX  (4u << 20)
#define BOOTLOG_EVENTS_MAX 20000u
#define BOOTLOG_BANKS_MAX  8

/* PFP §10.4.1, table 27; those after 0x80000000 are UEFI's. */
enum bootlog_type {
        EV_PREBOOT_CERT = 0x00,
        EV_POST_CODE = 0x01,
        EV_NO_ACTION = 0x03,
        EV_SEPARATOR = 0x04,
        EV_ACTION = 0x05,
        EV_EVENT_TAG = 0x06,
        EV_S_CRTM_CONTENTS = 0x07,
        EV_S_CRTM_VERSION = 0x08,
        EV_CPU_MICROCODE = 0x09,
        EV_PLATFORM_CONFIG_FLAGS = 0x0a,
        EV_TABLE_OF_DEVICES = 0x0b,
        EV_COMPACT_HASH = 0x0c,
        EV_IPL = 0x0d,
        EV_IPL_PARTITION_DATA = 0x0e,
        EV_NONHOST_CODE = 0x0f,
        EV_NONHOST_CONFIG = 0x10,
        EV_NONHOST_INFO = 0x11,
        EV_OMIT_BOOT_DEVICE_EVENTS = 0x12,
        EV_POST_CODE2 = 0x13,
        EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
        EV_EFI_VARIABLE_BOOT = 0x80000002,
        EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003,
        EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004,
        EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005,
        EV_EFI_GPT_EVENT = 0x80000006,
        EV_EFI_ACTION = 0x80000007,
        EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008,
        EV_EFI_HANDOFF_TABLES = 0x80000009,
        EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000a,
        EV_EFI_HANDOFF_TABLES2 = 0x8000000b,
        EV_EFI_VARIABLE_BOOT2 = 0x8000000c,
        EV_EFI_GPT_EVENT2 = 0x8000000d,
        EV_EFI_HCRTM_EVENT = 0x80000010,
        EV_EFI_VARIABLE_AUTHORITY = 0x800000e0,
        EV_EFI_SPDM_FIRMWARE_BLOB = 0x800000e1,
        EV_EFI_SPDM_FIRMWARE_CONFIG = 0x800000e2,
        EV_EFI_SPDM_DEVICE_POLICY = 0x800000e3,
        EV_EFI_SPDM_DEVICE_AUTHORITY = 0x800000e4,
};
/* "EV_SEPARATOR"; NULL for a number that has no name. */
const char *bootlog_type_name(uint32_t type);

struct bootlog_digest {
        uint16_t alg; /* TPM_ALG_ID, also of banks that are not ours */
        struct view value;
};

/* Views are borrowed from the log. */
struct bootlog_event {
        size_t number; /* from 0: the header counts */
        size_t at;     /* where it stands in the log, in bytes */
        uint32_t pcr;
        uint32_t type; /* enum bootlog_type, or any other number */
        size_t n_digests;
        struct bootlog_digest digests[BOOTLOG_BANKS_MAX];
        struct view data;
};
/* The digest of a bank, or VIEW_NONE. */
struct view bootlog_event_digest(const struct bootlog_event *e, enum digest_alg bank);

struct bootlog {
        struct view bytes;
        bool agile;                   /* false: SHA-1 alone */
        bool cc;                      /* of a confidential guest: bootlog_parse_cc() */
        uint8_t major, minor, errata; /* of the specification, as the header says; 0 without one */
        uint32_t platform_class;      /* 0: client, 1: server */
        size_t n_banks;
        struct {
                uint16_t alg;
                uint16_t size;
        } banks[BOOTLOG_BANKS_MAX];
        size_t n_events;
        uint8_t locality; /* of the startup: PCR 0 begins with it; 4 after an H-CRTM */
};

/*
 * Reads the header and walks all events, so that everything after it can rely on their form. Refused:
 * truncated and oversized logs, digests of banks that the header does not name or that are there twice, a
 * second header, an EV_NO_ACTION with a digest, a StartupLocality anywhere but in front of PCR 0's first
 * event. Return: 0; -ERR_FORMAT, -ERR_LIMIT with the event's number and place.
 */
int bootlog_parse(struct view bytes, struct bootlog *ret, struct err *err) MUST_USE;

/*
 * The same form as a confidential guest's firmware writes it (the area that the ACPI table CCEL names): its
 * registers are measurement registers 0 to 4, the header may name register 1, and the area is larger than
 * the log, which ends at a register 0xffffffff, at a header of zeros, or with the area. RET's bytes end
 * there. Spec: UEFI 2.10, chapter 38 (confidential computing); Intel TDX Guest-Host Communication Interface
 * (CCEL).
 */
int bootlog_parse_cc(struct view bytes, struct bootlog *ret, struct err *err) MUST_USE;

/* Walks; *POS starts as zeros. The header is event 0. Return: false at the end. */
struct bootlog_pos {
        size_t number, at;
};
bool bootlog_next(const struct bootlog *log, struct bootlog_pos *pos, struct bootlog_event *ret);

/*
 * What the log leads to in BANK: RET's mask has the registers that it extends, and PCR 0 also if the startup
 * was of another locality. Return: 0; -ERR_FORMAT if the log has no such bank; -ERR_CRYPTO.
 */
int bootlog_replay(const struct bootlog *log, enum digest_alg bank, struct pcr_values *ret,
                   struct err *err) MUST_USE;

enum bootlog_cover {
        BOOTLOG_OUTSIDE,     /* the digest is over something that the log does not hold */
        BOOTLOG_COVERED,     /* over (a part of) the data */
        BOOTLOG_CONTRADICTS, /* the specification says over the data, and it is not: the text is false */
};
/*
 * Which bytes of the event's data its digest of BANK is over. *RET is those, if covered: a label in front of
 * them ("kernel_cmdline: ") is not. A name in UTF-16 counts as covered if it was measured in ASCII. Return:
 * the answer; -ERR_FORMAT without such a digest.
 */
int bootlog_covered(const struct bootlog_event *e, enum digest_alg bank, struct view *ret,
                    struct err *err) MUST_USE;

/* Appends what the event says, in one line for people: names of types, variables, images, strings. Whether
 * it may be believed is bootlog_covered()'s to say. Ask buf_ok(). */
void bootlog_describe(const struct bootlog_event *e, struct buf *out);

#endif
