/* SPDX-License-Identifier: Apache-2.0 */
/* What the stories of the appraisal have in common: see story.h and story_ima.h. */
#include "unit/policy/story_ima.h"

#include "base/mem.h"
#include "evidence/qualify.h"

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
        *s = (struct story){.now_ms = NOON - 3600000, .log_first = -1, .ima_first = -1};
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
        buf_free(&s->ima);
        buf_free(&s->ima_marks);
        soft_host_done(&s->host);
}

void story_pass_time(struct story *s, int64_t ms)
{
        s->now_ms += ms;
        soft_host_wait(&s->host, (uint64_t)ms);
        story_hold(s);
}

/* One appraisal of QUOTE. */
int story_appraise(struct story *s, const struct soft_tpm_quote *q, struct view qualifying, struct err *err)
{
        uint64_t first =
                s->log_first >= 0 ? (uint64_t)s->log_first : appraisal_log_offset(s->before, s->policy);
        uint64_t ima_first =
                s->ima_first >= 0 ? (uint64_t)s->ima_first : appraisal_ima_offset(s->before, s->policy);
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
                .has_ima = s->n_ima && !s->no_ima,
                .ima = s->ima_sent.p ? s->ima_sent : story_ima_from(s, ima_first),
                .ima_first = ima_first,
                .has_uefi = s->uefi.p != NULL,
                .uefi = s->uefi,
                .has_tee = s->has_tee,
                .tee = s->tee,
                .tee_not_asked = s->tee_not_asked,
                .challenge = VIEW_ARRAY(s->challenge),
                .tee_trust = s->tee_trust,
                .ek = s->ek,
                .asked_again = s->asked_again,
                .has_launch_log = s->launches.p != NULL,
                .launch_log = s->launches,
                .launch_first = s->launch_first,
                .launch_pcr = LAUNCH_PCR_DEFAULT,
                .permits = s->permits,
                .n_permits = s->n_permits,
        };

        return appraise(&in, &s->r, err);
}

/* A round: challenge, quote, appraisal; what is to be remembered is. */
enum verdict_state story_round(struct story *s)
{
        uint32_t mask = s->mask ? s->mask : policy_effective_pcr_mask(s->policy);
        struct soft_tpm_quote q;
        struct err err = ERR_INIT;

        appraisal_result_done(&s->r);
        s->challenge[0]++;
        soft_host_quote(&s->host, VIEW_ARRAY(s->challenge), mask, &q);
        if (s->stale_challenge)
                s->challenge[0]++;
        assert_ok(story_appraise(s, &q, VIEW_ARRAY(s->challenge), &err), &err);
        soft_tpm_quote_done(&q);
        if (s->r.next) {
                continuation_free(s->before);
                s->before = continuation_dup(s->r.next);
                assert_non_null(s->before);
        }
        return s->r.verdict->state;
}

struct bundle *story_bundle(struct story *s, const char *verifier_id)
{
        struct bundle *b = bundle_new();
        struct digest qualifying;
        struct err err = ERR_INIT;
        struct soft_tpm_quote q;

        assert_non_null(b);
        b->host = str_dup("web-1");
        b->verifier_id = str_dup(verifier_id);
        buf_put_view(&b->ak, VIEW_BUF(&s->host.tpm.ak_pub));
        buf_put_view(&b->challenge, VIEW_ARRAY(s->challenge));
        b->asked = (struct pcr_selection){s->host.tpm.pcrs.bank, policy_effective_pcr_mask(s->policy)};
        b->issued_at_ms = s->now_ms - 1000;
        b->received_at_ms = s->now_ms;
        b->tolerance = CLOCK_TOLERANCE_DEFAULT;
        assert_ok(qualify_heartbeat(verifier_id, b->host, VIEW_BUF(&b->challenge), &qualifying, &err), &err);
        soft_host_quote(&s->host, digest_view(&qualifying), b->asked.mask, &q);
        b->message = q.message;
        b->signature = q.signature;
        b->time_message = q.time_message;
        b->time_signature = q.time_signature;
        b->pcrs = q.pcrs;
        if (s->before) {
                b->has_previous = true;
                b->previous = s->before->last;
                pcr_values_unpack(&s->before->last_pcrs, &b->previous_pcrs);
        }
        b->has_cel = true;
        buf_put_view(&b->cel, soft_host_log_from(&s->host, 0));
        b->verdict = verdict_new();
        b->policy_name = str_dup("edge");
        b->policy_version = 1;
        b->policy_sha256 = policy_effective_policy(s->policy)->sha256;
        return b;
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

/* ---- the kernel's list ---- */

static void put_field(struct buf *b, struct view v)
{
        buf_le32(b, (uint32_t)v.len);
        buf_put_view(b, v);
}

/* What the kernel does: the entry, and the digest of its data into PCR 10. */
static void put_entry(struct story *s, const char *template, struct view data, bool violation)
{
        enum digest_alg bank = s->host.tpm.pcrs.bank;
        struct digest sha1, d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA1, data, &sha1, &err), &err);
        assert_ok(digest_bytes(bank, data, &d, &err), &err);
        if (violation) {
                digest_zero(DIGEST_SHA1, &sha1);
                memset(d.b, 0xff, d.len);
        }
        buf_be64(&s->ima_marks, s->ima.len);
        buf_le32(&s->ima, 10);
        buf_put_view(&s->ima, digest_view(&sha1));
        put_field(&s->ima, view_str(template));
        put_field(&s->ima, data);
        s->n_ima++;
        play_tpm_extend_digest(&s->host.tpm, 10, &d);
        assert_true(buf_ok(&s->ima) && buf_ok(&s->ima_marks));
}

/* "sha256:" NUL digest, and the name with its NUL. */
static void put_head(struct buf *data, const char *name, struct view sha256)
{
        static const uint8_t label[] = "sha256:";

        buf_le32(data, (uint32_t)(sizeof(label) + sha256.len));
        buf_put_view(data, VIEW_ARRAY(label));
        buf_put_view(data, sha256);
        put_field(data, VIEW(name, strlen(name) + 1));
}

static void put_file(struct story *s, const char *path, struct view sha256, bool violation)
{
        struct buf data = {0};

        put_head(&data, path, sha256);
        put_entry(s, "ima-ng", VIEW_BUF(&data), violation);
        buf_free(&data);
}

void story_ima_file(struct story *s, const char *path, char digit)
{
        struct digest d = soft_digest(DIGEST_SHA256, digit);

        put_file(s, path, digest_view(&d), false);
}

void story_ima_violation(struct story *s, const char *path)
{
        struct digest d = soft_digest(DIGEST_SHA256, '0');

        put_file(s, path, digest_view(&d), true);
}

void story_ima_signed(struct story *s, const char *path, struct view sha256, struct view xattr)
{
        struct buf data = {0};

        put_head(&data, path, sha256);
        put_field(&data, xattr);
        put_entry(s, "ima-sig", VIEW_BUF(&data), false);
        buf_free(&data);
}

void story_ima_buffer(struct story *s, const char *name, struct view content)
{
        struct buf data = {0};
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, content, &d, &err), &err);
        put_head(&data, name, digest_view(&d));
        put_field(&data, content);
        put_entry(s, "ima-buf", VIEW_BUF(&data), false);
        buf_free(&data);
}

void story_ima_aggregate(struct story *s)
{
        const struct pcr_selection all = {s->host.tpm.pcrs.bank, 0x3ff};
        struct pcr_values values = play_tpm_values(&s->host.tpm, &all);
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(ima_boot_aggregate(&values, &d, &err), &err);
        put_file(s, "boot_aggregate", digest_view(&d), false);
}

void story_ima_begin(struct story *s)
{
        for (unsigned pcr = 0; pcr < 8; pcr++)
                soft_host_extend(&s->host, pcr, (char)('0' + pcr));
        story_ima_aggregate(s);
}

void story_ima_reboot(struct story *s)
{
        soft_host_reboot(&s->host);
        buf_reset(&s->ima);
        buf_reset(&s->ima_marks);
        s->n_ima = 0;
        story_ima_begin(s);
}

struct view story_ima_from(const struct story *s, uint64_t first)
{
        struct cursor c = cursor_of(VIEW_BUF(&s->ima_marks));
        uint64_t at = s->ima.len;

        if (first < s->n_ima) {
                assert_true(cursor_skip(&c, 8 * first));
                assert_true(cursor_be64(&c, &at));
        }
        return s->ima.p ? VIEW(s->ima.p + at, s->ima.len - at) : VIEW_NONE;
}

/* Is PART in TEXT? */
void story_says(const char *text, const char *part)
{
        if (!text || !strstr(text, part))
                fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}

void story_begin_ima(struct story *s, const char *policy)
{
        story_begin(s, policy, DIGEST_SHA256);
        story_ima_begin(s);
}

size_t story_count(const struct verdict *v, const char *code)
{
        size_t n = 0;

        for (size_t i = 0; i < v->n_findings; i++)
                n += strcmp(v->findings[i].code, code) == 0;
        return n;
}

const struct finding *story_found(const struct story *s, const char *code)
{
        const struct finding *f = verdict_find(s->r.verdict, code);

        if (!f)
                fail_msg("no finding %s", code);
        return f;
}
