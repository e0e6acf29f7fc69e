/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_RELEASE_H
#define AVOW_VERIFIER_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "crypto/digest.h"
#include "wire/attestation.h"
#include "wire/launch.h"
#include "wire/release.h"

/* Releases and launches, wired: what a host asked for waits for its evidence, and the evidence's verdict for
 * the answer. */

/* A launch that was asked for. Shared, because a request and the round of its evidence end on their own. */
struct launch_ask {
        unsigned refs;
        struct wire_launch_request m;
};
struct launch_ask *launch_ask_ref(struct launch_ask *a);
void launch_ask_unref(struct launch_ask *a);
DEFINE_AUTO(struct launch_ask, launch_ask_unref)

/* What a host asked for. */
struct release {
        bool open; /* its evidence has not come yet */
        char id[UUID_TEXT_BYTES];
        int64_t index;         /* of the challenge that its evidence has to answer */
        struct digest request; /* SHA-256 of the request's body: the evidence is qualified with it */
        struct wire_release_request m;
        struct launch_ask *launch; /* it is a launch, and M says nothing; NULL: it is M */
        int64_t window_ms;         /* monotonic: so many requests since */
        unsigned n_window;
        /* the last refusal that was recorded, and when (monotonic): the same again waits a minute */
        char told[WIRE_RELEASE_NAME_MAX + 32];
        int64_t told_ms;
};
struct release *release_dup(const struct release *r);
void release_free(struct release *r);

struct round;
struct host;
struct http_request;
struct verifier;

/* Evidence of HOST may be asked for now. Else answers: 409, 429. */
bool release_may_ask(struct http_request *req, const struct host *host);
/* Remembers what is asked for (one of the two), and answers 201 with a challenge; WHAT is the path's last
 * word. */
void release_ask(struct http_request *req, struct host *host, const struct wire_release_request *m,
                 struct launch_ask *launch, const char *what);
/* Takes the evidence that what has the id in the path's PARAM waits for. LAUNCH: which of the two it is. */
void release_take(struct verifier *v, struct http_request *req, const char *param, bool launch);

/*
 * Evidence for a release, a launch was judged, and recorded unless EVALUATION is pending: answers its
 * request, now or later. FULL: the log has to be sent once more from entry 0.
 */
void release_answer(struct round *round, struct host *host, enum wire_evaluation evaluation, bool full);
void launch_answer(struct round *round, struct host *host, enum wire_evaluation evaluation, bool full);

/* A decision on its way: what both answers are made of. */
struct decision {
        struct verifier *v;
        struct http_request *req;
        char name[WIRE_HOST_MAX + 1];
        uint64_t serial;
        int64_t boot_time_ms, evidence;
};
void decision_begin(const struct round *r, struct host *host, struct decision *ret);
/* NULL: it is not enrolled any more. */
struct host *decision_host(const struct decision *d);
bool decision_trusted(const struct decision *d, const struct host *host);
/* Why the verdict and the host's trust allow nothing, or NULL; *RET_DETAIL is a sentence. */
const char *decision_obstacle(const struct round *r, const struct host *host, enum wire_evaluation evaluation,
                              const char **ret_detail);
/* Was this very refusal recorded a moment ago? Else it is remembered. */
bool decision_told_already(struct host *host, const char *type, const char *where);

#endif
