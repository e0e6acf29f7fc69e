/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_IMA_H
#define AVOW_EVIDENCE_IMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/pcr.h"

/*
 * The kernel's measurement list (IMA): reading it, and replaying it to a quoted PCR 10.
 *
 * An entry is: register, template hash, template name, template data. Of these only the data is covered by
 * the register: it is hashed anew for the bank that was quoted, and the hash that stands in the list has to
 * fit it, or the list is refused. Nothing of an entry means anything before the list up to it was replayed
 * to a value that the TPM signed.
 *
 * Two forms: the kernel's binary one (little-endian, as all kernels write it that run on little-endian
 * machines or with ima_canonical_fmt), and the text one, whose lines a file name with a newline splits: there
 * the template hash tells where an entry ends. Spec: Linux, security/integrity/ima; TCG CEL 1.0 §5.2.
 */
#define IMA_ENTRY_BYTES_MAX (1u << 20) /* of one entry: a key or a critical-data buffer may be large */
#define IMA_TEMPLATE_MAX    255        /* bytes of a template's name or field list */
#define IMA_FIELDS_MAX      12
#define IMA_NAME_MAX        255 /* a longer name is cut by the template "ima" */

enum ima_form { IMA_BINARY, IMA_TEXT };

/* The kernel's field identifiers. */
enum ima_field {
        IMA_D,        /* "d": 20 bytes without their algorithm */
        IMA_N,        /* "n": the name, cut to IMA_NAME_MAX */
        IMA_D_NG,     /* "d-ng": "sha256:" NUL and the digest */
        IMA_D_NGV2,   /* "d-ngv2": "ima:sha256:" or "verity:sha256:", NUL and the digest */
        IMA_N_NG,     /* "n-ng" */
        IMA_SIG,      /* "sig": the security.ima xattr, if it holds a signature */
        IMA_BUF,      /* "buf": a key, a command line, critical data */
        IMA_D_MODSIG, /* "d-modsig": as d-ng, of the file without its appended signature */
        IMA_MODSIG,   /* "modsig": PKCS#7 */
        IMA_EVMSIG,   /* "evmsig": the portable EVM signature */
        IMA_IUID,     /* "iuid", "igid": le32; "imode": le16 */
        IMA_IGID,
        IMA_IMODE,
        IMA_XATTRNAMES,   /* "xattrnames": text parted by '|' */
        IMA_XATTRLENGTHS, /* "xattrlengths": le32 each */
        IMA_XATTRVALUES,
        IMA_N_FIELDS,
};

struct ima_template {
        char name[IMA_TEMPLATE_MAX + 1]; /* "ima-sig", or the field list: "d-ng|n-ng|sig" */
        bool old;                        /* "ima": fields without lengths, the name padded when hashed */
        size_t n;
        enum ima_field fields[IMA_FIELDS_MAX];
};
/* Return: false for a name that is neither a known template nor a list of known fields. */
bool ima_template_parse(struct view name, struct ima_template *ret) MUST_USE;

/* All views are borrowed: from the list, or (text form) from the reader until its next entry. */
struct ima_entry {
        uint64_t number; /* of the entry, from the reader's first on */
        size_t at, len;  /* where it stands in the list, in bytes */
        uint32_t pcr;
        bool violation; /* its template hash is all zeros: the register got all ones, and covers no data */
        struct view template_hash;       /* as the list has it */
        const struct ima_template *form; /* the reader's, until its next entry */
        struct view data;                /* what is hashed */
        struct view field[IMA_FIELDS_MAX];
};

struct ima_list {
        enum ima_form form;
        enum digest_alg log_hash; /* of the template hashes in it: SHA-1, but for lists of other names */
        struct view bytes;
        uint64_t first; /* number of its first entry */
        bool checked; /* these very bytes were read before, to the end of what is read now: in the binary form
                         template hashes are not compared again */
};

struct ima_reader;
int ima_reader_new(const struct ima_list *list, struct ima_reader **ret, struct err *err) MUST_USE;
void ima_reader_free(struct ima_reader *r);
DEFINE_AUTO(struct ima_reader, ima_reader_free)
/*
 * The next entry. Return: 1; 0 at the end of the list; -ERR_FORMAT with the entry's number and place (cut
 * off, malformed, template hash and data that do not fit); -ERR_LIMIT; -ERR_NOMEM. After an error the reader
 * stays where it is.
 */
int ima_next(struct ima_reader *r, struct ima_entry *ret, struct err *err) MUST_USE;

/* ---- what an entry says ---- */

enum ima_measured {
        IMA_FILE,
        IMA_VERITY
}; /* what the digest is over: contents, or fs-verity's Merkle tree */
struct ima_event {
        enum ima_measured measured;
        struct view alg_name; /* "sha256", also of algorithms that are not ours: any bytes, at most 31 */
        bool alg_known;
        enum digest_alg alg;
        struct view digest;
        struct view name;   /* a path, a keyring, "boot_aggregate" …; no NUL, any other byte */
        struct view sig;    /* empty: none */
        struct view buf;    /* with has_buf */
        struct view modsig; /* PKCS#7; with modsig_alg_name and modsig_digest */
        struct view modsig_alg_name;
        struct view modsig_digest;
        struct view evmsig, xattr_names, xattr_lengths, xattr_values;
        bool has_buf, has_owner;
        uint32_t uid, gid;
        uint16_t mode;
};
/* Decodes an entry's fields. Return: 0; -ERR_FORMAT naming the field. A violation has no digest. */
int ima_event_decode(const struct ima_entry *entry, struct ima_event *ret, struct err *err) MUST_USE;

/* ---- replay ---- */

/*
 * How the bank is extended: with the digest of the data in the bank's own algorithm, or, where the kernel
 * could not compute that one when IMA began (SHA-384 and SHA-512 are modules on stock kernels), with the
 * SHA-1 template hash and zeros behind it. Which of them it was is found out by replaying, never assumed.
 */
enum ima_extended { IMA_OWN_DIGEST, IMA_PADDED_SHA1 };

struct ima_start {
        struct digest
                value; /* where the register stands before the list's first entry; its alg is the bank */
        bool known;    /* EXTENDED is known from an earlier part of this boot */
        enum ima_extended extended;
        uint64_t mark; /* 0: none. Do the first so many entries lead to */
        struct digest mark_value;
};
struct ima_replay {
        bool matched;     /* the quoted value is the start's or one after some entry */
        uint64_t n;       /* entries in the list */
        uint64_t covered; /* entries that the quoted value covers; those after them decide nothing */
        size_t covered_bytes;
        uint64_t violations; /* among the covered ones */
        enum ima_extended extended;
        struct digest value; /* matched: the quoted one; else what the whole list leads to */
        bool mark_met;       /* the start's mark was passed, within what is covered */
};
/*
 * Replays LIST to QUOTED. An entry for another register than PCR is skipped by the replay of this one: the
 * caller decides what it thinks of it. Return: 0 with the answer; as ima_next(); -ERR_CRYPTO.
 */
int ima_replay(const struct ima_list *list, const struct ima_start *start, unsigned pcr,
               const struct digest *quoted, struct ima_replay *ret, struct err *err) MUST_USE;

/*
 * The boot_aggregate of a bank: the digest over its PCRs 0 to 9 (0 to 7 for SHA-1). Return: 0; -ERR_FORMAT if
 * one of them is not among VALUES; -ERR_CRYPTO. Spec: Linux, ima_calc_boot_aggregate().
 */
int ima_boot_aggregate(const struct pcr_values *values, struct digest *ret, struct err *err) MUST_USE;

#endif
