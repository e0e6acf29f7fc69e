/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_VERSION_H
#define AVOW_WIRE_VERSION_H

#include "wire/wire.h"

/* API versions: "2.6" as a value, the answers to GET /version, and the choice between two lists. */
struct wire_version {
        uint16_t major, minor;
};

#define WIRE_VERSIONS_MAX 32

struct wire_versions {
        struct wire_version v[WIRE_VERSIONS_MAX];
        size_t n;
        struct wire_version current; /* what the peer calls current; {0,0} if it does not say */
};

/* "2.6" or "2". Return: false if TEXT is no version. */
bool wire_version_parse(const char *text, struct wire_version *ret) MUST_USE;
/* < 0, 0, > 0 as a is older than, the same as, or newer than b. */
int wire_version_compare(struct wire_version a, struct wire_version b);

/*
 * The results object of GET /version at a registrar or verifier, in its envelope:
 * {"current_version":"2.6","supported_versions":["2.0",…,"3.0"]}.
 * Spec: Keylime REST API, version negotiation.
 */
int wire_versions_encode(const struct wire_versions *v, struct buf *ret, struct err *err) MUST_USE;
int wire_versions_decode(struct view body, struct wire_versions *ret, struct err *err) MUST_USE;

/*
 * The newest version of MAJOR that both lists hold.
 * Return: true and *ret; false if they have none in common.
 */
bool wire_versions_choose(const struct wire_versions *ours, const struct wire_versions *theirs,
                          uint16_t major, struct wire_version *ret) MUST_USE;

#endif
