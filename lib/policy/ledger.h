/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_LEDGER_H
#define AVOW_POLICY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "crypto/digest.h"
#include "evidence/launch.h"

/*
 * The ledger that counts: the permits that were given to a host and are still open. One is open until the
 * host's launch log shows its launch, or evidence asked for after its end shows none; one that may be used
 * from a cache stays open until evidence that was asked for after the cache's end. Spec: SR-23.
 */
#define LEDGER_OPEN_MAX 1024 /* of one host */
#define LEDGER_SKEW_MS  5000 /* so much later than its end a launch may still be written down */

struct ledger_permit {
        char id[UUID_TEXT_BYTES];
        struct digest launch, module, closure;
        char runtime[LAUNCH_NAME_MAX + 1];
        int64_t issued_at_ms, expires_at_ms;
        int64_t cache_until_ms; /* 0: for its own launch alone */
        bool recorded;          /* its own launch was seen */
};

/* What a round of evidence did to one of them. */
struct ledger_mark {
        char id[UUID_TEXT_BYTES];
        bool recorded; /* its launch is in the log */
        bool closed;   /* it is open no longer */
};

#endif
