/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges: single-use, with a deadline, and with what has to be shown. The selection and the bank come
 * from the policy, never from what the host offers.
 */
#include "verifier/challenges.h"

#include <string.h>

#include "crypto/random.h"
#include "evidence/cel.h"
#include "evidence/qualify.h"
#include "policy/appraise.h"

#define KEYLIME_CHALLENGE_BYTES 16
/* What is quoted under a policy that demands nothing: something has to be. */
#define ANY_PCR (1u << 0)

static int ask_quote(const struct host *host, const struct policy_effective *e, struct wire_ask *ret,
                     struct err *err)
{
        uint32_t mask = policy_effective_pcr_mask(e);

        *ret = (struct wire_ask){
                .type = WIRE_TPM_QUOTE,
                .challenge_len = host->e.keylime ? KEYLIME_CHALLENGE_BYTES : QUALIFY_CHALLENGE_BYTES,
                .scheme = host->ak.scheme,
                .hash = host->ak.scheme_hash,
        };
        ret->banks.bank[0] = (struct wire_bank){.alg = (uint16_t)policy_effective_policy(e)->bank,
                                                .pcrs = mask ? mask : ANY_PCR};
        ret->banks.n = 1;
        return random_bytes(ret->challenge, ret->challenge_len, err);
}

static void ask_log(const struct host *host, const struct policy_effective *e, bool from_start,
                    struct wire_ask *ret)
{
        *ret = (struct wire_ask){
                .type = WIRE_CEL_LOG, .has_offset = true, .has_count = true, .entry_count = CEL_RECORDS_MAX};
        if (!from_start)
                ret->starting_offset = appraisal_log_offset(host->cont, e);
}

int challenge_new(struct host *host, const struct challenge_wish *wish, int64_t now_ms, int64_t mono_ms,
                  struct err *err)
{
        const struct policy_effective *e = NULL;
        struct challenge c = {.out = true,
                              .immediate = wish->immediate,
                              .full = wish->full,
                              .index = host->s.index + 1,
                              .issued_at_ms = now_ms,
                              .issued_ms = mono_ms,
                              .boot_time_ms = wish->boot_time_ms};
        int64_t lifetime_ms = wish->immediate ? HOST_DEADLINE_MS : wish->lifetime_ms;
        int r;

        if (!host->rules)
                return err_set(err, ERR_CONFIG, 0, "host '%s': its policy is not there", host->e.name);
        r = ruleset_effective(host->rules, now_ms, &e, err);
        if (r >= 0)
                r = ask_quote(host, e, &c.asks.item[0], err);
        if (r < 0)
                return r;
        c.asks.n = 1;
        if (host->wants_log && policy_effective_judges_log(e))
                ask_log(host, e, wish->full || wish->from_start || host->s.asked_full || host->log_torn,
                        &c.asks.item[c.asks.n++]);
        c.expires_ms = mono_ms + lifetime_ms;
        c.expires_at_ms = now_ms + lifetime_ms;
        host->s.index = c.index;
        host->challenge = c;
        return 0;
}
