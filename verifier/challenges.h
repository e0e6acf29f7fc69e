/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_CHALLENGES_H
#define AVOW_VERIFIER_CHALLENGES_H

#include "verifier/hosts.h"
#include "wire/ask.h"

/* What a host is asked for next. */
struct challenge_wish {
        bool immediate;       /* a deadline of seconds */
        bool for_release;     /* for evidence that releases wait for */
        bool full;            /* the log from entry 0, because it did not replay */
        bool from_start;      /* the log from entry 0, because the host says that it began anew */
        int64_t boot_time_ms; /* claimed */
        int64_t lifetime_ms;  /* of one that is not immediate */
};

/*
 * Makes the host's next challenge and puts it in the place of the one that was out. Asks for what the policy
 * in force needs: its bank, its PCRs, and the logs from where judging goes on (SR-16). Return: 0; -ERR_CONFIG
 * if there is no policy; -ERR_CRYPTO, -ERR_NOMEM.
 */
int challenge_new(struct host *host, const struct challenge_wish *wish, int64_t now_ms, int64_t mono_ms,
                  struct err *err) MUST_USE;

/* What C asks for, as it is sent: the quote, and the logs behind it. */
void challenge_asks(const struct challenge *c, struct wire_asks *ret);

#endif
