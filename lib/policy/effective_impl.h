/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_EFFECTIVE_IMPL_H
#define AVOW_POLICY_EFFECTIVE_IMPL_H

#include "policy/effective.h"
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"

/* The inside of an effective policy: for effective*.c alone. */

/* One that every version requires. */
struct effective_required {
        const struct policy_required *required;
        struct policy_source source;
};

struct policy_effective {
        struct policy_version versions[EFFECTIVE_VERSIONS_MAX];
        size_t n;
        int64_t at_ms, changes_at_ms;
        uint32_t pcr_mask;
        struct digest digest;
        unsigned refs; /* atomic */
        /* Those that hold for the host: each version's together, nearest first, newest version first. */
        struct policy_source *layers;
        size_t n_layers;
        bool judges_ima, judges_boot;
        struct ima_keys *keys;
        bool uses_signatures;
        struct effective_required *required;
        size_t n_required;
};

/* What is made of the layers once: keys, and what is required. Return: 0; -ERR_FORMAT, -ERR_NOMEM. */
int effective_ima_make(struct policy_effective *e, struct err *err) MUST_USE;

/* Do all versions in force have a layer for which SAYS? */
bool effective_all_say(const struct policy_effective *e,
                       bool (*says)(const struct policy_part *part, unsigned what), unsigned what);
/* What version V says by the nearest of its layers for which SAYS, or NULL. */
const struct policy_part *effective_nearest(const struct policy_effective *e, size_t v,
                                            bool (*says)(const struct policy_part *part, unsigned what),
                                            unsigned what);

#endif
