/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_HOLDS_H
#define AVOW_VERIFIER_HOLDS_H

#include "verifier/verifier.h"

/* The fuse, wired: it counts, blows, is written down, and ends. trust.h has what others call. */

/* HOST is to be destroyed at AT_MS (INT64_MAX: never). Counts it. Return: must it not be? */
bool holds_destroy(struct verifier *v, const struct host *host, int64_t at_ms, int64_t now_ms);
/* Forgets counts that are old, and holds that hold nothing any more. */
void holds_sweep(struct verifier *v, int64_t now_ms);
/* Hosts under POLICY ("": all) that are to be destroyed and are not yet. */
size_t holds_waiting(struct verifier *v, const char *policy);
/* May ACTOR confirm POLICY's hold? Not whoever pushed what is to destroy. */
bool holds_second_person(struct verifier *v, const char *policy, const char *actor);

#endif
