/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_IMA_H
#define AVOW_POLICY_POLICY_IMA_H

#include "evidence/ima_signature.h"
#include "policy/allow.h"
#include "policy/effective.h"
#include "policy/pattern.h"

/*
 * What a policy says about the kernel's measurement list: `ima:` of avow-policy(5), compiled. Read-only after
 * it was made; shared by every host, part of struct policy (policy.h: struct policy_part).
 *
 * Digests are of any of our algorithms, whichever the kernel measures files by. Paths are as IMA writes them:
 * a blank is '_' there and here. The path of an entry is covered by its digest in the register, so rules for
 * paths hold; the name in a *violation* is not, and decides nothing.
 */

/* A package's files, all of them in the part's `files` under the label "NAME VERSION ARCH" (what is empty is
 * left out). */
struct policy_package {
        const char *name;    /* never NULL */
        const char *version; /* "" if none; these too */
        const char *arch;
        const char *comment;
        int64_t until_ms;         /* POLICY_NEVER */
        uint32_t line, last_line; /* where it stands in the text: what its entries have as their line */
        uint32_t n_files;
};

/* What a set of measuring rules is known to measure: bits. Spec: SR-15. */
#define POLICY_COVERS_EXEC  1u /* what is executed or mapped for execution */
#define POLICY_COVERS_TMPFS 2u /* the same on tmpfs and from memfd, too */
#define POLICY_COVERS_KEXEC 4u /* the next kernel's image and command line */
#define POLICY_COVERS_READS                                                                                  \
        8u                   /* files that are only read: an entry then does not show that it was executed */
#define POLICY_COVERS_ALL 7u /* what SR-15 wants */

/* A file of rules that the kernel may have loaded (and measured, POLICY_CHECK). Never expired: those are left
 * out by the look-up. */
struct policy_rules {
        struct digest digest;
        unsigned covers;
        const char *comment; /* "" */
        int64_t until_ms;
        uint32_t line;
};

/* A file that has to have been executed: at this path, with any digest that is allowed there; or, path "",
 * with one of these digests. */
struct policy_required {
        const char *path; /* "": by digest */
        const struct digest *digests;
        size_t n_digests;
        const char *comment; /* "" */
        uint32_t line;
};

struct policy_key {
        const char *name;
        const char *pem; /* a certificate or public key as it stands in the policy */
        uint32_t id;     /* that signatures name it by */
        int64_t until_ms;
        const char *comment; /* "" */
        uint32_t line;
};

/* Files that count because of who signed them: for paths that match, or all. By keys of the policy, or by
 * those that this boot's list shows in a keyring. */
struct policy_signed {
        const char *keyring; /* "": by the policy's keys */
        const struct policy_key *const *by;
        size_t n_by;
        const struct pattern_set *paths; /* NULL: any */
        const char *const *path_texts;   /* patterns as written; here and below */
        size_t n_paths;
        uint32_t line;
};

/* A keyring whose keys may be loaded, a buffer that may be measured: any, or those whose digest is in
 * `keyring_keys`, `buffer_digests` under this name, or (buffers) whose text matches. */
struct policy_named {
        const char *name;
        bool any;
        const struct pattern_set *texts; /* NULL: none */
        const char *const *text_texts;
        size_t n_texts;
        uint32_t line;
};

/* What an entry is worth that says that a file was written while it was measured. */
enum policy_violations { POLICY_VIOLATIONS_FAIL, POLICY_VIOLATIONS_WARN, POLICY_VIOLATIONS_ALLOW };

struct policy_ima {
        const struct allow *files;             /* paths as the entries have them; label: see allow_entry */
        const struct allow *denied;            /* by digest alone: not there whatever is allowed */
        const struct allow *keyring_keys;      /* "path" is the keyring's name */
        const struct allow *buffer_digests;    /* "path" is the buffer's name */
        const struct allow *verity_roots;      /* of dm-verity; "path" is the device's name, or any */
        const struct policy_package *packages; /* in the order of the text */
        size_t n_packages;
        const struct policy_rules *rules;
        size_t n_rules;
        const struct pattern_set *command_lines; /* measuring.command_lines; NULL: none */
        const char *const *command_line_texts;
        size_t n_command_lines;
        const struct policy_required *required;
        size_t n_required;
        const struct policy_key *keys;
        size_t n_keys;
        const struct policy_signed *signed_by;
        size_t n_signed;
        const struct policy_named *keyrings, *buffers;
        size_t n_keyrings, n_buffers;
        const struct pattern_set *exclude; /* NULL: nothing */
        const char *const *exclude_texts;  /* pattern_match() gives the number */
        size_t n_exclude;
        bool violations_stated;
        enum policy_violations violations;
        unsigned waived;     /* 1u << enum policy_waiver */
        size_t memory_bytes; /* of all this */
};

/* The package of an entry of its `files` (or NULL: a loose digest). */
const struct policy_package *policy_ima_package(const struct policy_ima *ima, const struct allow_entry *e);

/* ---- what holds now: over all versions in force and all that they are based on ---- */

/* Is the list judged? Only if every version in force has `ima:`. */
bool policy_effective_judges_ima(const struct policy_effective *e);

struct policy_file_match {
        struct policy_source source;
        struct allow_entry entry;
        const struct policy_package *package; /* NULL: a loose digest */
};
/*
 * May a file with this digest be measured at PATH? The best answer of all layers: ALLOW_ALLOWED before
 * EXPIRED before ELSEWHERE before UNKNOWN. RET is left alone if unknown. Excludes, signatures and deny are
 * asked for apart.
 */
enum allow_answer policy_effective_file(const struct policy_effective *e, enum digest_alg alg,
                                        struct view digest, struct view path, struct policy_file_match *ret);
/* The answers alone, for many files at once. */
void policy_effective_files(const struct policy_effective *e, struct allow_ask *asks, size_t n);
/* Denied by name, by `deny:` or `ima.deny:` of the newest version's layers? RET_COMMENT may be ""; RET_LINE.
 */
bool policy_effective_file_denied(const struct policy_effective *e, enum digest_alg alg, struct view digest,
                                  const char **ret_comment, uint32_t *ret_line);
/* What is allowed at PATH, one after another, for findings. *POS starts as zeros. */
struct policy_file_pos {
        size_t layer, entry;
};
bool policy_effective_next_of(const struct policy_effective *e, struct view path, struct policy_file_pos *pos,
                              struct policy_file_match *ret);

/* The exclude pattern (as written) that PATH matches, or NULL. */
const char *policy_effective_excluded(const struct policy_effective *e, struct view path,
                                      struct policy_source *ret);

/*
 * Signatures. All keys of all layers in one set, made once for each effective policy: ask it once
 * (ima_signature_check) and, if the answer is IMA_SIGNED, whether that key may sign at this path.
 */
const struct ima_keys *policy_effective_keys(const struct policy_effective *e);
const struct policy_key *policy_effective_signer(const struct policy_effective *e, uint32_t key_id,
                                                 struct view path, struct policy_source *ret);
/* May keys of KEYRING, learned from this boot's list, sign what is at PATH? */
bool policy_effective_keyring_signs(const struct policy_effective *e, struct view keyring, struct view path,
                                    struct policy_source *ret);
/* Is any `signed:` rule there at all? */
bool policy_effective_uses_signatures(const struct policy_effective *e);

/* May KEYRING be loaded with the key whose buffer has this digest? May buffer NAME hold TEXT, with this
 * digest? Is this dm-verity root allowed for the device NAME? ALLOW_ELSEWHERE: for another name. */
enum allow_answer policy_effective_keyring_key(const struct policy_effective *e, struct view keyring,
                                               enum digest_alg alg, struct view digest,
                                               struct policy_source *ret);
enum allow_answer policy_effective_buffer(const struct policy_effective *e, struct view name,
                                          enum digest_alg alg, struct view digest, struct view text,
                                          struct policy_source *ret);
enum allow_answer policy_effective_verity_root(const struct policy_effective *e, struct view device,
                                               enum digest_alg alg, struct view root,
                                               struct policy_source *ret);

/* The mildest of all versions in force; of a version, the nearest layer's word. Default: FAIL. */
enum policy_violations policy_effective_violations(const struct policy_effective *e);

/* Files that every version in force requires, the newest version's in the order of the text, without
 * doubles. The place in it is good for as long as the effective policy's digest. */
const struct policy_required *policy_effective_required(const struct policy_effective *e, size_t i,
                                                        struct policy_source *ret);
size_t policy_effective_n_required(const struct policy_effective *e);

/* ---- SR-15: is measuring shown? ---- */

/* The allowed rule file with this digest, or NULL. */
const struct policy_rules *policy_effective_rules(const struct policy_effective *e, enum digest_alg alg,
                                                  struct view digest, struct policy_source *ret);
/*
 * What the kernel's built-in rules cover by this command line (its covered text): POLICY_COVERS_* bits, or 0
 * if no `measuring.command_lines` pattern matches. A line that asks for the kernel's own set `tcb`
 * (ima_policy=tcb, ima_tcb) never covers tmpfs, whatever the pattern says: that set leaves it out.
 */
unsigned policy_effective_command_line_covers(const struct policy_effective *e, struct view command_line);

/* What SR-15 demands, by the name under which `waive:` gives it up. */
enum policy_waiver {
        POLICY_WAIVE_RULES,  /* "rules": an allowed rule set in force */
        POLICY_WAIVE_TMPFS,  /* "tmpfs": that it covers tmpfs and memfd */
        POLICY_WAIVE_KERNEL, /* "kernel": Secure Boot, or an allowed kernel and command line with lockdown */
        POLICY_WAIVE_KEXEC,  /* "kexec": off, or measured */
        POLICY_WAIVE_REQUIRED, /* "required": the agent and the runtimes as executed files */
        POLICY_WAIVE_BOOT_LOG, /* "boot-log": PCRs 0 to 7 explained by a boot log */
        POLICY_N_WAIVERS,
};
/* "rules" …; never NULL for a waiver. */
const char *policy_waiver_name(enum policy_waiver w);
/* Is it waived? By any version in force: what one of them does not demand is not demanded. */
bool policy_effective_waives(const struct policy_effective *e, enum policy_waiver w);

#endif
