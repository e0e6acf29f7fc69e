/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v3.0/agents/:id/attestations: a host offers what it can show and gets a challenge; GET shows what became
 * of one. What a host offers is a claim, and only good for telling what is missing: what is asked for is the
 * policy's choice. Spec: Keylime v3, attestations.
 */
#include "verifier/attest.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/challenges.h"
#include "verifier/reply.h"
#include "wire/attestation.h"
#include "wire/capabilities.h"

/* Two offers of one host are at least so far apart. */
#define OFFER_GAP_MS 250
/* Boot times that differ by less are the same boot: they are computed from two clocks. */
#define SAME_BOOT_MS 10000

int64_t challenge_lifetime_ms(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);
        int64_t needed_ms = host_interval_ms(host, &times) + host_grace_ms(host, &times);

        if (host->e.keylime)
                return HOST_CHALLENGE_MS_KEYLIME;
        return v->settings.challenge_ms > needed_ms ? v->settings.challenge_ms : needed_ms;
}

/* How long the host has to wait before its next offer, in ms; 0: not at all. */
static int64_t too_early_ms(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);
        int64_t now_ms = loop_now_ms(), interval_ms = host_interval_ms(host, &times);

        if (now_ms - host->offered_ms < OFFER_GAP_MS)
                return OFFER_GAP_MS;
        /* Keylime's agents come when their own interval says so; ours may always (they restart) */
        if (host->e.keylime && host->s.n_evidence && now_ms - host->evidence_ms < interval_ms / 2)
                return interval_ms - (now_ms - host->evidence_ms);
        return 0;
}

/* Can the host show what the policy needs? Return: NULL, or what it lacks (into WHY). */
static const char *lacks(const struct host *host, const struct wire_capabilities *caps, int64_t now_ms,
                         char *why, size_t why_size)
{
        const struct policy_effective *e = NULL;
        struct err err = ERR_INIT;
        const struct policy *p;
        uint32_t have = 0, need;

        if (!caps->quote.offered)
                return "The host offers no tpm_quote.";
        if (!host->rules || ruleset_effective(host->rules, host->e.name, now_ms, &e, &err) < 0)
                return NULL; /* told elsewhere */
        p = policy_effective_policy(e);
        need = policy_effective_pcr_mask(e);
        for (size_t i = 0; i < caps->quote.subjects.n; i++)
                if (caps->quote.subjects.bank[i].alg == p->bank)
                        have = caps->quote.subjects.bank[i].pcrs;
        if ((need & ~have) == 0)
                return NULL;
        (void)snprintf(why, why_size,
                       "The policy needs PCRs 0x%06x of bank %s, and the host offers 0x%06x: activate the "
                       "bank on the "
                       "host, or write the policy for another.",
                       need, digest_name(p->bank), have);
        return why;
}

static void answer_challenge(struct http_request *req, const struct host *host,
                             const struct wire_capabilities *caps)
{
        struct wire_request m = {.index = (uint64_t)host->challenge.index,
                                 .boot_time_ms = caps->boot_time_ms,
                                 .received_at_ms = host->challenge.issued_at_ms,
                                 .expires_at_ms = host->challenge.expires_at_ms,
                                 .key = &caps->quote};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        challenge_asks(&host->challenge, &m.asks);
        (void)snprintf(m.host, sizeof(m.host), "%s", host->e.name);
        r = wire_request_encode(&m, &body, &err);
        http_answer_header(req, "Location", "/v3.0/agents/%s/attestations/%lld", host->e.name,
                           (long long)host->challenge.index);
        reply_encoded(req, r, 201, WIRE_TYPE_JSON_API, &body);
}

static void offer(struct verifier *v, struct http_request *req, struct host *host,
                  const struct wire_capabilities *caps)
{
        const struct wire_log_offer *log = &caps->log[WIRE_CEL_LOG], *ima = &caps->log[WIRE_IMA_LOG],
                                    *launches = &caps->log[WIRE_LAUNCH_LOG];
        struct challenge_wish wish = {.boot_time_ms = caps->boot_time_ms,
                                      .lifetime_ms = challenge_lifetime_ms(v, host)};
        int64_t now_ms = clock_now_ms(), moved_ms = caps->boot_time_ms - host->s.boot_time_ms;
        struct err err = ERR_INIT;
        char why[256];
        const char *lack = lacks(host, caps, now_ms, why, sizeof(why));

        if (lack) {
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", host->e.name}), "host %s: %s",
                         SHOW(host->e.name), lack);
                reply_v3_error(req, 422, "unsupported", lack);
                return;
        }
        host->wants_log = log->offered && log->own_format;
        host->wants_uefi = caps->log[WIRE_UEFI_LOG].offered;
        host->wants_ima = ima->offered && ima->partial && (ima->binary || ima->own_format);
        host->ima_binary = ima->binary;
        host->tee_kinds = 0;
        for (size_t k = 0; k < TEE_N_KINDS; k++)
                if (caps->log[wire_tee_type((enum tee_kind)k)].own_format)
                        host->tee_kinds |= 1u << k;
        host->ima_entries = ima->entry_count;
        host->wants_launches = launches->offered && launches->own_format && launches->partial;
        host->launch_pcr = launches->pcr;
        wish.from_start = moved_ms > SAME_BOOT_MS || moved_ms < -SAME_BOOT_MS ||
                          (log->has_count && host->cont && log->entry_count < host->cont->cel_entries) ||
                          (launches->has_count && host->cont && host->cont->launches.known &&
                           launches->entry_count < host->cont->launches.entries) ||
                          (ima->has_count && host->cont && host->cont->ima &&
                           ima->entry_count < host->cont->ima->entries);
        if (challenge_new(host, &wish, now_ms, loop_now_ms(), &err) < 0) {
                reply_failure(req, &err, "making a challenge");
                return;
        }
        host->offered_ms = loop_now_ms();
        answer_challenge(req, host, caps);
}

static void on_offer(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct wire_capabilities caps = {.avow_version = 0};
        struct session *session = NULL;
        struct err err = ERR_INIT;
        struct host *host;
        int64_t wait_ms;

        host = reply_agent(v, req, &session);
        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        wait_ms = too_early_ms(v, host);
        if (host->e.paused || host->busy || wait_ms > 0) {
                struct host_times times = verifier_times(v);

                http_answer_retry_after(req, host->e.paused ? host_interval_ms(host, &times) : wait_ms);
                reply_v3_error(req, host->e.paused || host->busy ? 503 : 429,
                               host->e.paused ? "paused" : "premature_attestation",
                               host->e.paused ? "Attestation of this host is paused." : "Too early.");
                return;
        }
        if (wire_capabilities_decode(http_request_body(req), &caps, &err) < 0)
                reply_v3_error(req, err.kind == ERR_NOMEM ? 503 : 400, "malformed", err.text);
        else
                offer(v, req, host, &caps);
        wire_capabilities_done(&caps);
}

/* ---- what became of it ---- */

static void on_show(struct http_request *req, void *ctx)
{
        static const enum wire_evaluation evaluations[] = {[VERDICT_INCONCLUSIVE] = WIRE_INCONCLUSIVE,
                                                           [VERDICT_PASS] = WIRE_PASS,
                                                           [VERDICT_FAIL] = WIRE_FAIL,
                                                           [VERDICT_REFUSED] = WIRE_PENDING};
        struct verifier *v = ctx;
        const char *index = http_request_param(req, "index");
        const struct host *host = hosts_find(v->hosts, http_request_param(req, "id"));
        struct wire_attestation m = {.stage = WIRE_COMPLETE};
        struct wire_asks asks;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int64_t n = 0;
        int r;

        if (!host ||
            (!str_equal(index, "latest") && str_parse_int(view_str(index), 1, INT64_MAX, &n, &err) < 0) ||
            (n && n != host->s.index && n != host->challenge.index) || host->s.index == 0) {
                reply_v3_error(req, 404, "not_found",
                               "No such attestation is on record; see the host's history.");
                return;
        }
        m.host = host->e.name;
        m.index = (uint64_t)host->s.index;
        m.boot_time_ms = host->challenge.boot_time_ms ? host->challenge.boot_time_ms : host->s.boot_time_ms;
        m.received_at_ms =
                host->challenge.issued_at_ms ? host->challenge.issued_at_ms : host->s.evidence_at_ms;
        if (host->challenge.out) {
                m.stage = WIRE_AWAITING;
                m.evaluation = WIRE_PENDING;
                m.expires_at_ms = host->challenge.expires_at_ms;
                challenge_asks(&host->challenge, &asks);
                m.asks = &asks;
        } else {
                m.evaluation = host->s.judged ? evaluations[host->s.verdict] : WIRE_PENDING;
                m.evidence_at_ms = m.completed_at_ms = host->s.evidence_at_ms;
                if (host->s.judged && host->s.verdict == VERDICT_FAIL)
                        m.failure_reason = "policy_violation";
        }
        r = wire_attestation_encode(&m, &body, &err);
        reply_encoded(req, r, 200, WIRE_TYPE_JSON_API, &body);
}

static const struct http_route routes[] = {
        {HTTP_POST, "/v3.0/agents/:id/attestations", ROLE_BEARER, on_offer, 256 * 1024, HTTP_KEYLIME,
         "create_attestation"},
        {HTTP_PATCH, "/v3.0/agents/:id/attestations/:index", ROLE_BEARER, attest_on_evidence, 0, HTTP_KEYLIME,
         "update_attestation"},
        {HTTP_GET, "/v3.0/agents/:id/attestations/:index", ROLE_ADMIN | ROLE_AUDITOR, on_show, 0,
         HTTP_KEYLIME, "read_attestation"},
};

int routes_attestations(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
