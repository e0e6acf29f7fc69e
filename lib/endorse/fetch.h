/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_ENDORSE_FETCH_H
#define AVOW_ENDORSE_FETCH_H

#include "endorse/want.h"
#include "http/client.h"

/*
 * Fills a cache from the vendors' servers. What is there and can still be used is not asked for again; AMD's
 * server throttles hard, so "come back later" is waited for within the time given, once a piece. What comes
 * has to be of the kind that was asked for and has to hold at the time given, else it is not kept. Whether it
 * is genuine is seen when it vouches for something.
 */
struct endorse_options {
        const char *folder;
        const char *urls[ENDORSE_N_SERVERS]; /* without a path; NULL: the vendor's */
        const char *ca_file;                 /* NULL: the system's */
        int64_t now_ms;                      /* what counts as expired */
        int64_t renew_ms;                    /* asked for again so long before its end */
        int64_t timeout_ms;                  /* for all of it; 0: 60 s */
};

enum endorse_outcome {
        ENDORSE_KEPT,    /* the cache's can still be used */
        ENDORSE_FETCHED, /* new from the server */
        ENDORSE_STALE,   /* the server could not be had; the cache's can still be used */
        ENDORSE_FAILED,
};
const char *endorse_outcome_name(enum endorse_outcome outcome);

struct endorse_report {
        size_t n;
        struct {
                enum endorse_outcome outcome;
                char text[256]; /* why it failed or is stale; "" */
        } v[ENDORSE_WANTS_MAX];
        bool complete; /* none failed */
};

/* Return: 0 with the report, also if all failed; -ERR_NOMEM, -ERR_IO (the cache), -ERR_CONFIG (an URL, a CA
 * file). */
int endorse_fetch(const struct endorse_options *o, const struct endorse_wants *wants,
                  struct endorse_report *ret, struct err *err) MUST_USE;

#endif
