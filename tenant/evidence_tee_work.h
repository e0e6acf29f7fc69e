/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_EVIDENCE_TEE_WORK_H
#define AVOW_TENANT_EVIDENCE_TEE_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "evidence/endorsements.h"
#include "evidence/snp_verify.h"
#include "evidence/tee.h"
#include "tenant/evidence_tee.h"

/* What the files of evidence_tee share: one piece of evidence on its way from a file to an answer. */
struct tee_work {
        const struct tee_options *o;
        bool verify; /* false: shown, and believed or not */
        struct view bytes;
        struct endorsements *heap; /* NULL without --endorsements */
        int64_t at_ms;
        struct buf report_data; /* empty: not asked */
        const struct snp_policy *snp;
        struct dcap_policy dcap;
        /* out */
        struct tee_result result;
        const char *verdict; /* NULL: the result's own word */
        json_t *content;     /* what it says */
        json_t *status;      /* Intel's status; or NULL */
};

/* One kind of evidence. Fills what is out. Return: 0, also for garbage; < 0 if nothing could be decided. */
struct tee_type {
        const char *name;
        const char *title;
        int (*run)(struct tee_work *w, struct err *err);
};
extern const struct tee_type tee_types[]; /* ends with an empty one */

/* PATH is a file or a folder, which is walked. RET_LIST, an array, gets {"file", "kind"} of each. */
int tee_load_endorsements(const char *path, struct endorsements *heap, json_t *list,
                          struct err *err) MUST_USE;

/* The document of an answer; and as text. */
json_t *tee_document(const struct tee_work *w, const struct tee_type *type, const json_t *endorsements);
int tee_print(const json_t *doc, const char *title, struct err *err) MUST_USE;

#endif
