/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_IMA_READER_H
#define AVOW_EVIDENCE_IMA_READER_H

#include "evidence/ima.h"

/* What the files about measurement lists share. Not for use outside of them. */
struct ima_reader {
        struct ima_list list;
        size_t at; /* in the list's bytes */
        uint64_t number;
        size_t hash_len;
        bool form_known;
        struct ima_template form; /* of the last entry */
        size_t form_name_len;
        struct buf scratch;             /* data that does not stand in the list as it is hashed */
        uint8_t hash[DIGEST_BYTES_MAX]; /* text form: the template hash */
};

const char *ima_field_name(enum ima_field field);
/* The template of that name, the reader's until it is asked for another; NULL if it is not known. */
const struct ima_template *ima_template_of(struct ima_reader *r, struct view name);
/* Is the template hash that of the data? */
bool ima_hash_fits(const struct ima_reader *r, const struct ima_entry *e) MUST_USE;
bool ima_hash_is_zero(struct view hash) MUST_USE;
/* The error "entry N …, at byte AT: WHAT". Return: -ERR_FORMAT. */
int ima_bad(const struct ima_reader *r, size_t at, struct err *err, const char *what);
/* Makes the data of an entry of the template "ima" out of its two fields. */
int ima_old_data(struct ima_reader *r, struct ima_entry *e, struct err *err) MUST_USE;
/* ima_next() of the text form, for a list that is not at its end. */
int ima_next_text(struct ima_reader *r, struct ima_entry *e, struct err *err) MUST_USE;

#endif
