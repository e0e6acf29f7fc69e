/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_ENROL_H
#define AVOW_VERIFIER_ENROL_H

#include "verifier/verifier.h"

/*
 * Enrolling a host: the verifier fetches the AK from the registrar itself, over mutual TLS; the
 * administrator's command carries no keys. STATUS is an HTTP status; on 201 HOST is in the table.
 */
typedef void (*enrol_done_fn)(void *ctx, int status, const char *detail, struct host *host);

/* Takes ENROLMENT's content over (name, policy, interval, labels, actor). DRY: everything but the writing;
 * then 200 and HOST is NULL. DONE is always called, perhaps from inside. */
void enrol_from_registrar(struct verifier *v, struct enrolment *enrolment, bool dry, enrol_done_fn done,
                          void *ctx);

/* With the AK that is in ENROLMENT already (the v2 API). */
void enrol_with_key(struct verifier *v, struct enrolment *enrolment, enrol_done_fn done, void *ctx);

#endif
