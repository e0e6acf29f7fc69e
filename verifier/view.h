/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_VIEW_H
#define AVOW_VERIFIER_VIEW_H

#include <jansson.h>

#include "verifier/verifier.h"

/* A host as the native routes show it (docs/verifier-api.md). NULL: out of memory. SCHEMA may be NULL. */
json_t *view_host(const struct verifier *v, const struct host *host, const char *schema) MUST_USE;
/* The same with the AK's name and certificate. */
json_t *view_host_whole(const struct verifier *v, const struct host *host) MUST_USE;
/* State, times, policies and the verdict with its findings and a text for people. */
json_t *view_explain(const struct verifier *v, const struct host *host) MUST_USE;
/* A time, null if it is 0. Return: 0, or -1. */
int view_time(json_t *j, const char *name, int64_t ms) MUST_USE;

#endif
