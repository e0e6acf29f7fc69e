/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SOURCE_LIMIT_H
#define AVOW_AGENT_SOURCE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How often strangers may come: so many at once and then one each so often, for each source and for all of
 * them together. A fixed number of sources is remembered; who comes when all places are taken gets that of
 * the one that is nearest to being forgotten. Pure; zero-initialised is empty.
 */
#define SOURCE_LIMIT_PLACES  64
#define SOURCE_LIMIT_AT_ONCE 8    /* of one source */
#define SOURCE_LIMIT_MS      1000 /* then one of it each so often */
#define SOURCE_LIMIT_ALL     64   /* of all */
#define SOURCE_LIMIT_ALL_MS  50

struct source_limit {
        struct {
                char name[46];
                int64_t due_ms; /* when it is as if it had never come */
        } place[SOURCE_LIMIT_PLACES];
        int64_t all_due_ms;
};

/* Return: true if SOURCE (http_peer.source) may go on at NOW_MS (monotonic), which is then counted. What is
 * refused is not counted: it costs its source nothing more. */
bool source_limit_take(struct source_limit *l, const char *source, int64_t now_ms);

#endif
