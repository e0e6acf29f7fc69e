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

_Static_assert(QUALIFY_CHALLENGE_BYTES <= HOST_NONCE_MAX && HOST_NONCE_MAX <= WIRE_CHALLENGE_MAX,
               "a challenge fits its place");

/* The register of launches, where there is a log of it or was one in this boot. */
static uint32_t launch_pcrs(const struct host *host)
{
        uint32_t mask = host->wants_launches ? 1u << host->launch_pcr : 0;

        if (host->cont && host->cont->launches.known)
                mask |= 1u << host->cont->launches.pcr;
        return mask;
}

static int ask_quote(const struct host *host, const struct policy_effective *e, struct challenge *c,
                     struct err *err)
{
        uint32_t mask = policy_effective_pcr_mask(e);

        c->nonce_len = host->e.keylime ? KEYLIME_CHALLENGE_BYTES : QUALIFY_CHALLENGE_BYTES;
        c->scheme = host->ak.scheme;
        c->hash = host->ak.scheme_hash;
        c->asked = (struct pcr_selection){.bank = policy_effective_policy(e)->bank,
                                          .mask = (mask ? mask : ANY_PCR) | launch_pcrs(host)};
        return random_bytes(c->nonce, c->nonce_len, err);
}

/* The kernel's list from where judging goes on, or from where the parts that are waiting end. As long as more
 * is to come than goes along with other logs, the list alone. */
static void ask_ima(const struct host *host, uint64_t first, struct challenge *c)
{
        uint64_t left = host->ima_entries;

        c->wants_ima = true;
        c->ima_binary = host->ima_binary;
        c->ima_offset = first;
        c->ima_at = c->ima_offset ? host->cont->ima->bytes : 0;
        c->ima_max = host->ima_binary ? UINT32_MAX : GATHER_LINES;
        left = left > c->ima_offset ? left - c->ima_offset : 0;
        (void)gather_next(host->gather, c->ima_offset, &c->ima_offset, &c->ima_at, &left);
        c->part = left > (host->ima_binary ? GATHER_ENTRIES : GATHER_LINES);
}

/* Evidence of the processor, if it is demanded: of the first kind that the host has and the policy takes. It
 * is made anew for every challenge, so there is none along with mere parts of a list. */
static void ask_tee(const struct host *host, unsigned kinds, struct challenge *c)
{
        c->tee_in_vain = kinds && !(kinds & host->tee_kinds);
        for (size_t k = 0; k < TEE_N_KINDS && !c->wants_tee; k++)
                if (kinds & host->tee_kinds & 1u << k) {
                        c->wants_tee = true;
                        c->tee_kind = (enum tee_kind)k;
                }
}

static void ask_logs(const struct host *host, const struct policy_effective *e, bool from_start,
                     struct challenge *c)
{
        struct appraisal_needs needs;

        appraisal_needs(from_start ? NULL : host->cont, e, &needs);
        if (host->wants_ima && needs.ima)
                ask_ima(host, needs.ima_first, c);
        if (c->part)
                return;
        c->wants_launches = host->wants_launches;
        c->launch_pcr = host->launch_pcr;
        c->launch_offset = needs.launch_first;
        c->wants_log = host->wants_log && needs.cel;
        c->log_offset = needs.cel_first;
        c->wants_uefi = host->wants_uefi && needs.uefi;
        ask_tee(host, needs.tee, c);
}

void challenge_asks(const struct challenge *c, struct wire_asks *ret)
{
        struct wire_ask *quote = &ret->item[0];

        *ret = (struct wire_asks){.n = 1};
        *quote = (struct wire_ask){.type = WIRE_TPM_QUOTE,
                                   .challenge_len = c->nonce_len,
                                   .scheme = c->scheme,
                                   .hash = c->hash,
                                   .banks = {.n = 1}};
        memcpy(quote->challenge, c->nonce, c->nonce_len);
        quote->banks.bank[0] = (struct wire_bank){.alg = (uint16_t)c->asked.bank, .pcrs = c->asked.mask};
        if (c->wants_log)
                ret->item[ret->n++] = (struct wire_ask){.type = WIRE_CEL_LOG,
                                                        .has_offset = true,
                                                        .starting_offset = c->log_offset,
                                                        .has_count = true,
                                                        .entry_count = CEL_RECORDS_MAX};
        if (c->wants_uefi)
                ret->item[ret->n++] = (struct wire_ask){.type = WIRE_UEFI_LOG};
        if (c->wants_tee)
                ret->item[ret->n++] = (struct wire_ask){.type = wire_tee_type(c->tee_kind)};
        if (c->wants_launches)
                ret->item[ret->n++] = (struct wire_ask){.type = WIRE_LAUNCH_LOG,
                                                        .has_offset = true,
                                                        .starting_offset = c->launch_offset,
                                                        .has_count = true,
                                                        .entry_count = CEL_RECORDS_MAX};
        if (c->wants_ima)
                ret->item[ret->n++] = (struct wire_ask){.type = WIRE_IMA_LOG,
                                                        .has_offset = true,
                                                        .starting_offset = c->ima_offset,
                                                        .has_count = !c->ima_binary,
                                                        .entry_count = c->ima_binary ? 0 : c->ima_max,
                                                        .binary = c->ima_binary,
                                                        .starting_byte = c->ima_binary ? c->ima_at : 0};
}

int challenge_new(struct host *host, const struct challenge_wish *wish, int64_t now_ms, int64_t mono_ms,
                  struct err *err)
{
        const struct policy_effective *e = NULL;
        struct challenge c = {.out = true,
                              .immediate = wish->immediate,
                              .full = wish->full,
                              .for_release = wish->for_release,
                              .index = host->s.index + 1,
                              .issued_at_ms = now_ms,
                              .issued_ms = mono_ms,
                              .boot_time_ms = wish->boot_time_ms};
        int64_t lifetime_ms = wish->immediate ? HOST_DEADLINE_MS : wish->lifetime_ms;
        int r;

        if (!host->rules)
                return err_set(err, ERR_CONFIG, 0, "host '%s': its policy is not there", host->e.name);
        r = ruleset_effective(host->rules, host->e.name, now_ms, &e, err);
        if (r >= 0 && !wish->full && !wish->for_release)
                e = host_rules(host, e, mono_ms);
        if (r >= 0)
                r = ask_quote(host, e, &c, err);
        if (r < 0)
                return r;
        if (wish->full || (host->gather && !gather_is_of_boot(host->gather, wish->boot_time_ms))) {
                gather_free(host->gather);
                host->gather = NULL;
        }
        ask_logs(host, e, wish->full || wish->from_start || host->s.asked_full || host->log_torn, &c);
        c.expires_ms = mono_ms + lifetime_ms;
        c.expires_at_ms = now_ms + lifetime_ms;
        host->s.index = c.index;
        host->challenge = c;
        return 0;
}
