/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_IMA_DRAFT_H
#define AVOW_TENANT_IMA_DRAFT_H

#include "evidence/bundle.h"
#include "evidence/ima.h"
#include "tenant/catalogue.h"

/* `ima:` of a policy in the making: files from the sources, and what lists of good machines show beside them.
 */
struct ima_draft_names {
        struct strv names;    /* of keyrings, of buffers */
        struct strv *digests; /* in hex, of each */
};

struct ima_draft {
        struct catalogue files;
        bool any_path;               /* digests alone, wherever the files lie */
        struct strv required, waive; /* paths; names of preconditions */
        struct buf rules;            /* the text of the measuring rules; empty: none */
        struct ima_draft_names keyrings, buffers;
        uint64_t n_violations;
        bool sha1; /* some files were measured with nothing better */
};

void ima_draft_init(struct ima_draft *d, enum digest_alg alg, enum catalogue_scope scope);
void ima_draft_done(struct ima_draft *d);

/* Is there anything to write? */
bool ima_draft_stated(const struct ima_draft *d);

/*
 * What the first N entries of LIST show (UINT64_MAX: all). A file's package is unknown to a list: files that
 * another source has already named with this digest stay in their package. Return: 0; as ima_next().
 */
int ima_draft_add_list(struct ima_draft *d, const struct ima_list *list, uint64_t n,
                       struct err *err) MUST_USE;

/* The same of a bundle's list, as far as its quote covers it; nothing if it has none. Return: also
 * -ERR_CONFIG for one that does not lead to the quoted value. */
int ima_draft_add_evidence(struct ima_draft *d, const struct bundle *b, struct err *err) MUST_USE;

/* Takes over what FROM has beside its files. Return: 0; -ERR_NOMEM. */
int ima_draft_merge(struct ima_draft *d, const struct ima_draft *from, struct err *err) MUST_USE;

/* A list as its bytes: in which of the two forms is it? NAME: of the file, whose ending may name the hash. */
struct ima_list ima_draft_list(struct view bytes, const char *name);

/* Appends the section; files must be sorted. Ask buf_ok(). */
void ima_draft_write(const struct ima_draft *d, struct buf *out);

/* Appends a package's item of `packages`. */
void ima_draft_write_package(const struct catalogue_package *p, bool any_path, struct buf *out);

#endif
