/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_OUTPUT_H
#define AVOW_TENANT_OUTPUT_H

#include <jansson.h>

#include "base/err.h"
#include "tenant/command.h"

/*
 * A command makes one JSON document; how it is shown is decided here. `-o json` prints it as it is, `-o yaml`
 * as YAML, and a table shows chosen members. So what a person sees and what a program gets cannot drift
 * apart.
 */

/* A column of a table, or a line of a record. */
struct column {
        const char *header; /* "HOST" */
        const char *path;   /* member path with dots: "policy.name" */
};

/* `{"schema": "avow.NOUN/1"}` for a command to fill. NULL when out of memory. */
json_t *output_document(const char *noun) MUST_USE;

/*
 * Prints DOC: a table of the array member LIST with N columns, or the whole as JSON or YAML.
 * Text from peers is escaped on the way to a terminal. Return: 0, or < 0 when stdout cannot be written.
 */
int output_list(const struct session *s, const json_t *doc, const char *list, const struct column *columns,
                size_t n, struct err *err) MUST_USE;

/* Prints DOC as "Header: value" lines of the N members named, or the whole as JSON or YAML. */
int output_record(const struct session *s, const json_t *doc, const struct column *lines, size_t n,
                  struct err *err) MUST_USE;

/* Prints DOC when the format is JSON or YAML. Return: 1 printed, 0 the format is table (the caller prints
 * text), < 0 failed. */
int output_document_if_asked(const struct session *s, const json_t *doc, struct err *err) MUST_USE;

/* The text of the member at a dotted path, "-" where there is none; the caller frees. NULL when out of
 * memory. */
char *output_member_text(const json_t *doc, const char *path) MUST_USE;

#endif
