/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_POLICY_DRAFT_H
#define AVOW_TENANT_POLICY_DRAFT_H

#include "base/closure.h"
#include "crypto/digest.h"
#include "evidence/bundle.h"
#include "tenant/boot_draft.h"
#include "tenant/ima_draft.h"

/*
 * A policy in the making on the command line: what was found on a host, or in its evidence, becomes the text
 * of a policy that allows just that.
 */
struct draft_digest {
        char *hex;
        char *comment; /* NULL: none */
};

struct draft_file {
        char *path;
        struct draft_digest *digests; /* oldest first */
        size_t n;
};

struct draft_runtime {
        char *name;
        struct draft_file *files;
        size_t n;
};

struct draft {
        enum digest_alg bank;
        unsigned pcr;
        bool has_log; /* of runtimes, even if there are none in it */
        struct draft_runtime *runtimes;
        size_t n;
        struct strv record_strings, record_digests; /* of others */
        struct pcr_values pcrs;                     /* fixed ones, by its mask */
        struct ima_draft ima;                       /* if anything is stated in it */
        struct boot_draft boot;                     /* if it has seen a log */
};

/* SCOPE: which files of packages and roots count. They are hashed with SHA-256, as kernels do, whatever the
 * bank. */
void draft_init(struct draft *d, enum digest_alg bank, enum catalogue_scope scope);
void draft_done(struct draft *d);

/* Hashes the closure of a runtime, as the agent would. Return: as closure_of(); -ERR_IO. */
int draft_add_runtime(struct draft *d, const struct agent_runtime *runtime, struct err *err) MUST_USE;

/* A file of a runtime that was measured, the newest last. Return: 0; -ERR_NOMEM. */
int draft_add_file(struct draft *d, const char *runtime, const char *path, const struct digest *digest,
                   struct err *err) MUST_USE;

/* The runtimes (and `tpm.pcr`) of an agent's configuration, with its folder FILE.d. Nothing else of it is
 * read or checked. Return: also -ERR_CONFIG. */
int draft_add_agent_config(struct draft *d, const char *file, struct err *err) MUST_USE;

/* Everything in the bundle's log, the newest measurement of a file last; the values of the PCRs in FIX_MASK.
 * The bundle's bank becomes the draft's. Return: 0; -ERR_FORMAT, -ERR_CONFIG for a PCR that was not quoted.
 */
int draft_add_evidence(struct draft *d, const struct bundle *b, uint32_t fix_mask, struct err *err) MUST_USE;

/* Appends the policy's text. Ask buf_ok(). */
void draft_write(const struct draft *d, const char *name, const char *description, struct buf *out);

/* Appends TEXT: plain if it is nothing but a path or a name, else as a double-quoted scalar, whose escapes
 * are JSON's. Ask buf_ok(). */
void draft_write_scalar(struct buf *out, const char *text);

#endif
