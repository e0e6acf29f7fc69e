/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_H
#define AVOW_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"

/*
 * A policy: what its owner approved, compiled once from its text and shared by every host that uses it
 * (policy_ref). Read-only after policy_parse(). Rules match by digest alone: the names and paths in it are
 * for people, because the TPM covers neither (SR-18). The format: avow-policy(5).
 */

#define POLICY_TEXT_BYTES_MAX (64u * 1024 * 1024)
#define POLICY_DIGESTS_MAX    1000000u
#define POLICY_RUNTIMES_MAX   1024u
#define POLICY_PCRS           24
#define POLICY_NEVER          INT64_MAX /* `until` of what does not end */
#define POLICY_NAME_MAX       80

/* One digest that is allowed (or denied), and where the policy says so. */
struct policy_digest {
        const uint8_t *bytes; /* policy->digest_size of them */
        const char *comment;  /* NULL if none */
        int64_t until_ms;     /* allowed before this time; POLICY_NEVER */
        uint32_t line;        /* in the policy's text, from 1 */
        uint32_t file;        /* index into policy->files; POLICY_NO_FILE for records: and deny: */
};
#define POLICY_NO_FILE UINT32_MAX

/* One file of a runtime: any one of its digests will do. */
struct policy_file {
        const char *path; /* for people; never NULL ("" if the policy gives none) */
        uint32_t runtime; /* index into policy->runtimes */
        uint32_t line;
        uint32_t first, n; /* its digests: policy->digests[first … first + n - 1], in the order of the text */
};

struct policy_runtime {
        const char *name;
        bool required;
        uint32_t line;
        uint32_t first,
                n; /* its files: policy->files[first … first + n - 1], in the order they are measured */
};

/* A record of somebody else that may stand in the log. `string` is a pattern (* and ?) over the record's own
 * text, and holds only if that text hashes to the record's digest. */
struct policy_record {
        const char *string; /* NULL: by digest, `digest` then indexes policy->digests */
        const char *comment;
        uint32_t digest;
        uint32_t line;
};

/* The values a PCR may have; n == 0: the policy does not fix it. */
struct policy_pcr {
        uint32_t line;
        uint32_t n;
        struct digest *values;
        uint32_t *lines; /* of each value */
};

/*
 * What follows from a failure: the host is suspended at once, always; DESTROY asks that its secrets be
 * destroyed, `destroy_after_ms` later, or at once if the worst finding's severity is in `destroy_now` (bits:
 * 1 << enum severity), whether DESTROY is asked or not. Spec: SR-3.
 */
#define POLICY_DESTROY_DEFAULT (-1) /* destroy_after_ms: not stated, half the interval */
struct policy_on_fail {
        bool destroy;
        int64_t destroy_after_ms;
        uint32_t destroy_now;
};

/*
 * One layer of a policy: its own text, an overlay in it, or what it is based on. Runtimes, records, deny and
 * PCR values of all layers are put together in struct policy; the large sets stay apart here, so that they
 * are shared. Spec: avow-policy(5), LAYERS.
 */
struct pattern_set;
struct policy_ima;
struct policy_boot;
struct policy_tee;
struct policy_part {
        const char *name; /* of the document: "web", "debian-12"; an overlay's: "web, overlay 2" */
        const struct pattern_set *hosts; /* NULL: every host; else of an overlay, over the host's name */
        const char *const *host_texts;   /* its patterns, as written */
        size_t n_hosts;
        const struct policy_ima *ima;   /* NULL: says nothing about it; policy_ima.h */
        const struct policy_boot *boot; /* policy_boot.h */
};

struct policy {
        const char *name;
        const char *description; /* "" if none */
        const char *source;      /* what the text was called, for messages: a file name */
        unsigned format;         /* 1 or 2 */
        struct digest sha256;    /* of the text: the policy's identity */
        enum digest_alg bank;    /* DIGEST_SHA256 or DIGEST_SHA384 */
        unsigned pcr;            /* the register of the measurements, 15 if not moved */
        size_t digest_size;      /* of the bank */
        bool judges_log;         /* false: only PCR values are demanded, no measurement log */
        bool enforced;           /* false: mode: observe */
        int64_t interval_ms;     /* 0: not stated, the verifier's default */
        int64_t grace_ms;        /* 0: not stated, the interval */
        int64_t lease_ms;        /* 0: not stated, two intervals */
        struct policy_on_fail on_fail;
        uint32_t pcr_mask; /* every PCR that a quote must contain for this policy */
        const struct policy_runtime *runtimes;
        size_t n_runtimes;
        const struct policy_file *files;
        size_t n_files;
        const struct policy_digest *digests; /* of files and of records, in the order of the text */
        size_t n_digests;
        const struct policy_record *records;
        size_t n_records;
        const struct policy_digest *denied;
        size_t n_denied;
        struct policy_pcr pcrs[POLICY_PCRS];
        const struct policy_part *parts; /* nearest first: its overlays, itself, then what it is based on */
        size_t n_parts;
        const struct policy_tee *tee; /* NULL: no processor's evidence is demanded; policy_tee.h */
        bool judges_ima, judges_boot; /* some layer for every host has `ima:`, `boot:` */
        int64_t reappraise_ms;        /* 0: not stated, five intervals. Spec: SR-16 */
        const int64_t *ends;          /* every `until` in the layers, ascending, without doubles */
        size_t n_ends;
};

/*
 * Reads, checks and compiles the YAML text of a policy. SOURCE names it in messages. Nothing of TEXT is kept.
 * Return: 0; -ERR_CONFIG with "SOURCE:LINE:COLUMN: what is wrong, what was expected, did you mean";
 * -ERR_LIMIT; -ERR_NOMEM.
 */
int policy_parse(struct view text, const char *source, struct policy **ret, struct err *err) MUST_USE;

/*
 * What the last document of TEXT is based on, if that is not in TEXT: *RET_NAME (free()), else NULL, and
 * where it says so. Return: 0; as policy_parse() for what is no YAML.
 */
int policy_open_base(struct view text, const char *source, char **ret_name, unsigned *ret_line,
                     unsigned *ret_column, struct err *err) MUST_USE;

/*
 * A policy from Keylime's tpm_policy, JSON text: {"PCR": "hex" | ["hex", …], "mask": "0x…"}. It fixes PCR
 * values and judges no log. The bank is sha256 if every PCR has a value of that length, else sha384; PCR 10
 * and 16 are refused as Keylime refuses them. Return: 0; -ERR_FORMAT, -ERR_LIMIT; -ERR_NOMEM. Spec: Keylime
 * tpm_policy; SR-15 (the bank comes from the policy and is SHA-256 or better).
 */
int policy_from_tpm_policy(struct view json, const char *name, struct policy **ret, struct err *err) MUST_USE;

/* One more user of the policy; one less, and the last frees it. Both from any thread; unref takes NULL. */
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p);
DEFINE_AUTO(struct policy, policy_unref)

/* The next allowed digest equal to BYTES (policy->digest_size of them) after PREV (NULL: the first). NULL: no
 * more. Expired ones are found too: look at until_ms. */
const struct policy_digest *policy_find(const struct policy *p, const uint8_t *bytes,
                                        const struct policy_digest *prev);
/* The deny: entry of a digest, or NULL. */
const struct policy_digest *policy_find_denied(const struct policy *p, const uint8_t *bytes);

/* The runtime of a digest, or NULL for records: and deny:. */
const struct policy_runtime *policy_runtime_of(const struct policy *p, const struct policy_digest *d);

/* Does TEXT match PATTERN, where * is any run of characters and ? any one? */
bool policy_glob(const char *pattern, struct view text);

#endif
