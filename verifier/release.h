/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_RELEASE_H
#define AVOW_VERIFIER_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "crypto/digest.h"
#include "wire/attestation.h"
#include "wire/release.h"

/* Releases, wired: what a host asked for waits for its evidence, and the evidence's verdict for the answer.
 */

/* What a host asked for. */
struct release {
        bool open; /* its evidence has not come yet */
        char id[UUID_TEXT_BYTES];
        int64_t index;         /* of the challenge that its evidence has to answer */
        struct digest request; /* SHA-256 of the request's body: the evidence is qualified with it */
        struct wire_release_request m;
        int64_t asked_ms; /* monotonic */
        /* the last refusal that was recorded, and when (monotonic): the same again waits a minute */
        char told[WIRE_RELEASE_NAME_MAX + 32];
        int64_t told_ms;
};

struct round;
struct host;

/*
 * Evidence for a release was judged, and recorded unless EVALUATION is pending: answers its request, now or
 * later. FULL: the log has to be sent once more from entry 0.
 */
void release_answer(struct round *round, struct host *host, enum wire_evaluation evaluation, bool full);

#endif
