/* SPDX-License-Identifier: Apache-2.0 */
/* What the stories of the appraisal have in common: see story.h. */
#include "unit/policy/story.h"

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;

        assert_ok(policy_parse(view_str(text), "edge.yaml", &p, &err), &err);
        return p;
}

void story_hold(struct story *s)
{
        struct err err = ERR_INIT;

        policy_effective_free(s->policy);
        s->policy = NULL;
        assert_ok(policy_effective_new(s->versions, s->n_versions, s->now_ms, &s->policy, &err), &err);
}

/* A new version; the ones before hold until UNTIL_MS. */
void story_push(struct story *s, const char *text, int64_t until_ms)
{
        for (size_t i = s->n_versions; i > 0; i--)
                s->versions[i] = s->versions[i - 1];
        if (s->n_versions)
                s->versions[1].until_ms = until_ms;
        s->versions[0] = (struct policy_version){parse(text), (uint32_t)s->n_versions + 1, POLICY_NEVER};
        s->n_versions++;
        story_hold(s);
}

void story_begin(struct story *s, const char *policy, enum digest_alg bank)
{
        *s = (struct story){.now_ms = NOON - 3600000, .log_first = -1};
        soft_host_init(&s->host, bank);
        story_push(s, policy, 0);
}

void story_end(struct story *s)
{
        appraisal_result_done(&s->r);
        continuation_free(s->before);
        policy_effective_free(s->policy);
        for (size_t i = 0; i < s->n_versions; i++)
                policy_unref(s->versions[i].policy);
        soft_host_done(&s->host);
}

void story_pass_time(struct story *s, int64_t ms)
{
        s->now_ms += ms;
        soft_host_wait(&s->host, (uint64_t)ms);
        story_hold(s);
}

/* One appraisal of QUOTE. */
int story_appraise(struct story *s, const struct soft_quote *q, struct view qualifying, struct err *err)
{
        uint64_t first =
                s->log_first >= 0 ? (uint64_t)s->log_first : appraisal_log_offset(s->before, s->policy);
        struct evidence evidence = {
                .ak = s->other_ak ? s->other_ak : &s->host.tpm.ak,
                .message = VIEW_BUF(&q->message),
                .signature = VIEW_BUF(&q->signature),
                .pcrs = &q->pcrs,
                .time_message = VIEW_BUF(&q->time_message),
                .time_signature = VIEW_BUF(&q->time_signature),
        };
        struct expectation expectation = {
                .qualifying = qualifying,
                .asked = {s->host.tpm.pcrs.bank, q->pcrs.mask},
                .want_time = true,
                .immediate = s->immediate,
                .issued_at_ms = s->now_ms - 1000,
                .received_at_ms = s->now_ms,
                .tolerance = CLOCK_TOLERANCE_DEFAULT,
        };
        struct appraisal in = {
                .evidence = &evidence,
                .expectation = &expectation,
                .policy = s->policy,
                .before = s->before,
                .has_log = !s->no_log,
                .log = s->log.p ? s->log : soft_host_log_from(&s->host, first),
                .log_first = first,
                .has_uefi = s->uefi.p != NULL,
                .uefi = s->uefi,
                .asked_again = s->asked_again,
        };

        return appraise(&in, &s->r, err);
}

/* A round: challenge, quote, appraisal; what is to be remembered is. */
enum verdict_state story_round(struct story *s)
{
        uint32_t mask = s->mask ? s->mask : policy_effective_pcr_mask(s->policy);
        struct soft_quote q;
        struct err err = ERR_INIT;

        appraisal_result_done(&s->r);
        s->challenge[0]++;
        soft_host_quote(&s->host, VIEW_ARRAY(s->challenge), mask, &q);
        if (s->stale_challenge)
                s->challenge[0]++;
        assert_ok(story_appraise(s, &q, VIEW_ARRAY(s->challenge), &err), &err);
        soft_quote_done(&q);
        if (s->r.next) {
                continuation_free(s->before);
                s->before = continuation_dup(s->r.next);
                assert_non_null(s->before);
        }
        return s->r.verdict->state;
}

static void print_verdict(const struct verdict *v)
{
        struct buf text = {0};

        verdict_render(v, &text);
        print_error("%.*s\n", (int)text.len, (const char *)text.p);
        buf_free(&text);
}

void story_expect(struct story *s, enum verdict_state state, const char *code, int line)
{
        if (s->r.verdict->state == state && (!code || verdict_find(s->r.verdict, code)))
                return;
        print_error("line %d: %s, expected %s with %s\n", line, verdict_state_name(s->r.verdict->state),
                    verdict_state_name(state), code ? code : "anything");
        print_verdict(s->r.verdict);
        fail();
}

/* Is PART in TEXT? */
void story_says(const char *text, const char *part)
{
        if (!text || !strstr(text, part))
                fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}
