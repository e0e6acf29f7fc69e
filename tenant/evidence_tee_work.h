/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_EVIDENCE_TEE_WORK_H
#define AVOW_TENANT_EVIDENCE_TEE_WORK_H

#include <jansson.h>

#include "evidence/endorsements.h"
#include "evidence/tee_types.h"
#include "tenant/evidence_tee.h"

/* PATH is a file or a folder, which is walked. RET_LIST, an array, gets {"file", "kind"} of each. */
int tee_load_endorsements(const char *path, struct endorsements *heap, json_t *list,
                          struct err *err) MUST_USE;

/* The document of an answer; and as text. */
json_t *tee_document(const struct tee_work *w, const struct tee_type *type, const json_t *endorsements);
int tee_print(const json_t *doc, const char *title, struct err *err) MUST_USE;

#endif
