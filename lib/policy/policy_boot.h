/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_BOOT_H
#define AVOW_POLICY_POLICY_BOOT_H

#include "evidence/efi.h"
#include "policy/effective.h"
#include "policy/pattern.h"

/*
 * What a policy says about how a host started: `boot:` of avow-policy(5), compiled. Read-only, shared, part
 * of struct policy (policy.h: struct policy_part).
 *
 * Digests of events are of the policy's bank: what the log's event has for that bank. A list that no layer of
 * a version states is not judged; one that is stated is complete: what is not in it is refused. Certificates
 * are named by the SHA-256 of their DER form, whatever the bank.
 */

/* Is there a log? */
enum policy_boot_log {
        POLICY_LOG_REQUIRED,
        POLICY_LOG_IF_THERE, /* judged if there is one; without one, nothing of `boot:` is */
        POLICY_LOG_NONE,     /* not asked for, not judged */
};
enum policy_secure_boot { POLICY_SECURE_BOOT_ON, POLICY_SECURE_BOOT_OFF, POLICY_SECURE_BOOT_ANY };

/* One value that an event may have. */
struct policy_value {
        struct digest digest;
        const char *comment; /* "" */
        int64_t until_ms;    /* POLICY_NEVER */
        uint32_t line;
};

/* Lists of event digests. */
enum policy_boot_list {
        POLICY_BOOT_FIRMWARE, /* "firmware": PCR 0, CRTM contents, version and firmware blobs */
        POLICY_BOOT_DRIVERS,  /* "drivers": PCR 2, EFI drivers and option ROMs (Authenticode) */
        POLICY_BOOT_LOADERS,  /* "loaders": PCR 4, applications before the kernel (Authenticode) */
        POLICY_BOOT_INITRDS,  /* "initrds": PCR 9, the file as loaded */
        POLICY_BOOT_MOK_LIST, /* "mok_list", "mok_list_x": PCR 14, shim's lists */
        POLICY_BOOT_MOK_LIST_X,
        POLICY_BOOT_N_LISTS,
};

/*
 * A kernel or UKI. Found by what the log shows of it: the Authenticode digest of the image that the firmware
 * or the loader started (PCR 4), or the digest of the whole file (GRUB without Secure Boot: PCR 9; kexec:
 * IMA). What it states beside that narrows: then it counts only with one of these loaders, initrds, command
 * lines; what it does not state is judged by the lists of `boot:`.
 */
struct policy_kernel {
        const char *name; /* "linux-image-6.1.0-28-amd64"; "" */
        const struct policy_value *authenticode, *file, *loaders, *initrds;
        size_t n_authenticode, n_file, n_loaders, n_initrds;
        const struct pattern_set *command_lines; /* NULL: those of `boot:` */
        const char *const *command_line_texts;   /* as written */
        size_t n_command_lines;
        const struct policy_section *sections; /* of a UKI: each that is measured has to be one of these */
        size_t n_sections;
        const char *comment; /* "" */
        int64_t until_ms;
        uint32_t line;
};
/* The stub measures the section's name, then its content, into PCR 11. */
struct policy_section {
        const char *name; /* ".linux" */
        struct digest digest;
        uint32_t line;
};

/* Secure Boot's variables. */
enum policy_boot_keys {
        POLICY_KEYS_PK,
        POLICY_KEYS_KEK,
        POLICY_KEYS_DB, /* "pk", "kek", "db", "vendor_db": all that is in the variable has to be here */
        POLICY_KEYS_VENDOR_DB,   /* shim's */
        POLICY_KEYS_DBX_FLOOR,   /* "dbx_floor": all that is here has to be in the variable */
        POLICY_KEYS_AUTHORITIES, /* "authorities": by which of db or shim's keys an image was let through */
        POLICY_BOOT_N_KEYS,
};
struct policy_boot_key {
        bool certificate;   /* else a digest, as hash entries have it */
        uint8_t sha256[32]; /* of the certificate's DER; or the digest */
        bool has_owner;
        uint8_t owner[EFI_GUID_BYTES]; /* SignatureOwner; without one, any */
        struct view der;               /* the certificate, if the policy has it whole; else empty */
        const char *comment;           /* "" */
        uint32_t line;
};

struct policy_boot {
        bool log_stated, secure_boot_stated;
        enum policy_boot_log log;
        enum policy_secure_boot secure_boot;
        struct {
                bool stated;
                const struct policy_value *p;
                size_t n;
        } lists[POLICY_BOOT_N_LISTS];
        struct {
                bool stated;
                const struct policy_boot_key *p;
                size_t n;
        } keys[POLICY_BOOT_N_KEYS];
        bool kernels_stated;
        const struct policy_kernel *kernels;
        size_t n_kernels;
        bool command_lines_stated;
        const struct pattern_set *command_lines; /* the exact ones too, quoted */
        const char *const *command_line_texts;   /* as written */
        size_t n_command_lines;
        size_t memory_bytes;
};

/* ---- what holds now: over all versions in force and all that they are based on ---- */

/* Is the boot judged? Only if every version in force has `boot:`. */
bool policy_effective_judges_boot(const struct policy_effective *e);
/* Of all versions in force the mildest; of a version, the nearest layer's word. Default: required; on. */
enum policy_boot_log policy_effective_boot_log(const struct policy_effective *e);
enum policy_secure_boot policy_effective_secure_boot(const struct policy_effective *e);

/* Is the list judged (stated by some layer of every version in force)? */
bool policy_effective_judges_boot_list(const struct policy_effective *e, enum policy_boot_list list);
bool policy_effective_judges_boot_keys(const struct policy_effective *e, enum policy_boot_keys keys);
bool policy_effective_judges_kernels(const struct policy_effective *e);
bool policy_effective_judges_command_lines(const struct policy_effective *e);
/* The key of a list in avow-policy(5): "loaders". */
const char *policy_boot_list_name(enum policy_boot_list list);
const char *policy_boot_keys_name(enum policy_boot_keys keys);

/* Is DIGEST (of the bank) in LIST? RET_* as far as the answer is not POLICY_UNKNOWN. */
enum policy_answer policy_effective_boot_find(const struct policy_effective *e, enum policy_boot_list list,
                                              struct view digest, const struct policy_value **ret,
                                              struct policy_source *ret_source);

/* The next unexpired kernel, over all layers; *POS starts as zeros. NULL at the end. For the judge, who has
 * the whole boot before him, and for findings that say what is allowed. */
struct policy_boot_pos {
        size_t layer, item;
};
const struct policy_kernel *policy_effective_next_kernel(const struct policy_effective *e,
                                                         struct policy_boot_pos *pos,
                                                         struct policy_source *ret);
/* Does a kernel have this digest, as Authenticode or (FILE) as a whole file? */
bool policy_kernel_is(const struct policy_kernel *k, struct view digest, bool file);

/* The pattern of `command_lines` (as written) that TEXT matches, or NULL. */
const char *policy_effective_command_line(const struct policy_effective *e, struct view text,
                                          struct policy_source *ret);

/* The next of the patterns, as written, over all layers; *POS starts as zeros. NULL at the end. */
const char *policy_effective_next_command_line(const struct policy_effective *e, struct policy_boot_pos *pos);

/* The next key of a list, over all layers; *POS starts as zeros. NULL at the end. */
const struct policy_boot_key *policy_effective_next_key(const struct policy_effective *e,
                                                        enum policy_boot_keys keys,
                                                        struct policy_boot_pos *pos,
                                                        struct policy_source *ret);
/* Is a signature of a variable the one that KEY means? */
bool policy_boot_key_is(const struct policy_boot_key *key, const struct efi_signature *sig);

#endif
