/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What evidence leaves behind: the host's new state, the bundle that lets anybody judge it again, and the
 * log's new bytes. Only what the quote covers is kept of a log: a record beyond it is sent again with the
 * next evidence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"
#include "evidence/bundle.h"
#include "verifier/permits.h"
#include "verifier/trust.h"

#define RECORD_START 0x1e /* RFC 7464; never inside JSON */

/* The bytes of the first N records. */
static struct view first_records(struct view log, uint64_t n)
{
        for (size_t i = 0; i < log.len; i++)
                if (log.p[i] == RECORD_START && n-- == 0)
                        return VIEW(log.p, i);
        return log;
}

/* The log grows by KEPT, or begins anew with it; one that is longer than a host may keep is not kept at all.
 * *RET: the bytes to write. */
static void grow(struct kept_log *log, bool anew, struct view kept, int64_t limit, struct view *ret)
{
        if (anew)
                *log = (struct kept_log){.boot = log->boot + 1};
        if (log->bytes >= 0 && (int64_t)kept.len > limit - log->bytes)
                log->bytes = -1;
        if (log->bytes < 0)
                return;
        log->bytes += (int64_t)kept.len;
        *ret = kept;
}

static void keep_cel(const struct round *r, const struct wire_evidence_item *log, struct evidence_record *ret)
{
        struct view kept = VIEW_BUF(&log->entries);
        bool whole = r->challenge.log_offset == 0;

        if (!whole && !r->result.next)
                return; /* a part that leads nowhere */
        if (r->result.next)
                kept = first_records(kept, r->result.next->cel_entries - r->challenge.log_offset);
        grow(&ret->state.logs[KEPT_CEL], whole, kept, INT64_MAX, &ret->logs[KEPT_CEL]);
}

static void keep_ima(const struct round *r, const struct host *host, const struct wire_evidence_item *item,
                     struct evidence_record *ret)
{
        const struct continuation *next = r->result.next;
        struct kept_log *log = &ret->state.logs[KEPT_IMA];
        struct view kept = r->list.p ? VIEW_BUF(&r->list) : VIEW_BUF(&item->entries);

        if (r->ima_first && (!next || !next->ima))
                return;
        if (next && next->ima)
                kept = VIEW(kept.p, r->result.ima_bytes);
        /* what is kept has to end where this begins: a list that was too long has no place to go on */
        if (r->ima_first && (!host->cont->ima || (int64_t)host->cont->ima->bytes != log->bytes))
                log->bytes = -1;
        grow(log, r->ima_first == 0, kept, ret->limits.bytes, &ret->logs[KEPT_IMA]);
}

/* The parts of logs that came and are to be kept. */
static void keep_logs(const struct round *r, const struct host *host, struct evidence_record *ret)
{
        const struct wire_evidence_item *cel = wire_evidence_find(&r->evidence, WIRE_CEL_LOG);
        const struct wire_evidence_item *ima = wire_evidence_find(&r->evidence, WIRE_IMA_LOG);
        const struct wire_evidence_item *uefi = wire_evidence_find(&r->evidence, WIRE_UEFI_LOG);
        const struct tpm_clock *was = host->cont ? &host->cont->last.clock : NULL;
        const struct tpm_clock *is = r->result.next ? &r->result.next->last.clock : NULL;

        if (cel)
                keep_cel(r, cel, ret);
        if (ima)
                keep_ima(r, host, ima, ret);
        if (uefi)
                grow(&ret->state.logs[KEPT_UEFI], true, VIEW_BUF(&uefi->entries), INT64_MAX,
                     &ret->logs[KEPT_UEFI]);
        else if (was && is &&
                 (was->reset_count != is->reset_count || was->restart_count != is->restart_count))
                ret->state.logs[KEPT_UEFI] = (struct kept_log){.boot = ret->state.logs[KEPT_UEFI].boot + 1};
}

static int put_view(struct buf *b, struct view v, struct err *err)
{
        buf_put_view(b, v);
        return buf_ok(b) ? 0 : err_nomem(err);
}

static int dup_text(const char *from, char **ret, struct err *err)
{
        *ret = from ? str_dup(from) : NULL;
        return from && !*ret ? err_nomem(err) : 0;
}

static int fill_counter(const struct wire_counter *from, struct bundle_counter *ret, struct err *err)
{
        ret->index = from->index;
        return put_view(&ret->message, VIEW_BUF(&from->message), err) < 0
                       ? -ERR_NOMEM
                       : put_view(&ret->signature, VIEW_BUF(&from->signature), err);
}

static int fill_counters(const struct wire_evidence_item *quote, const struct host *host, struct bundle *b,
                         struct err *err)
{
        b->counters_before = host->counters;
        if (put_view(&b->counter_key, VIEW_BUF(&quote->counter_key), err) < 0 ||
            fill_counter(&quote->epoch, &b->epoch, err) < 0)
                return -ERR_NOMEM;
        return fill_counter(&quote->floor, &b->floor, err);
}

static int fill_bundle(const struct round *r, const struct host *host, struct bundle *b, struct err *err)
{
        const struct wire_evidence_item *quote = wire_evidence_find(&r->evidence, WIRE_TPM_QUOTE);
        const struct kept_log *logs = r->state.logs;
        struct tee_shown tee = {.kind = TEE_SNP};

        b->peer = host->e.keylime ? BUNDLE_PEER_KEYLIME : BUNDLE_PEER_AVOW;
        b->immediate = r->immediate;
        b->asked = r->challenge.asked;
        b->issued_at_ms = r->challenge.issued_at_ms;
        b->received_at_ms = r->received_at_ms;
        b->tolerance = (struct clock_tolerance){.base_ms = r->v->settings.tolerance_ms, .percent = 35};
        b->pcrs = r->pcrs;
        b->has_previous = host->cont != NULL;
        if (host->cont) {
                b->previous = host->cont->last;
                pcr_values_unpack(&host->cont->last_pcrs, &b->previous_pcrs);
        }
        b->has_cel = wire_evidence_find(&r->evidence, WIRE_CEL_LOG) && logs[KEPT_CEL].bytes >= 0;
        b->has_ima = wire_evidence_find(&r->evidence, WIRE_IMA_LOG) && logs[KEPT_IMA].bytes >= 0;
        b->has_uefi = logs[KEPT_UEFI].bytes > 0;
        b->has_tee = wire_evidence_tee(&r->evidence, &tee);
        if (!b->has_tee && r->challenge.tee_in_vain) /* what is not there is part of what was judged */
                b->has_tee = true;
        b->tee_kind = tee.kind;
        b->for_permit = r->release && r->release->launch;
        b->policy_version = r->policy.version;
        b->policy_sha256 = r->policy.policy->sha256;
        if (dup_text(host->e.name, &b->host, err) < 0 ||
            dup_text(host->e.ak_certificate, &b->ak_certificate, err) < 0 ||
            dup_text(host->e.keylime ? NULL : verifier_db_id(r->v->db), &b->verifier_id, err) < 0 ||
            dup_text(r->policy_name ? r->policy_name : "tpm_policy", &b->policy_name, err) < 0 ||
            put_view(&b->ak, VIEW_BUF(&host->e.ak), err) < 0 ||
            put_view(&b->challenge, VIEW(r->challenge.nonce, r->challenge.nonce_len), err) < 0 ||
            (r->release && put_view(&b->release_request, digest_view(&r->release->request), err) < 0) ||
            put_view(&b->tee, tee.evidence, err) < 0 || put_view(&b->tee_table, tee.table, err) < 0 ||
            put_view(&b->tee_manifest, tee.manifest, err) < 0 ||
            put_view(&b->message, VIEW_BUF(&quote->message), err) < 0 ||
            put_view(&b->signature, VIEW_BUF(&quote->signature), err) < 0 ||
            put_view(&b->time_message, VIEW_BUF(&quote->time_message), err) < 0 ||
            put_view(&b->time_signature, VIEW_BUF(&quote->time_signature), err) < 0)
                return -ERR_NOMEM;
        return host->e.keylime ? 0 : fill_counters(quote, host, b, err);
}

/* The bundle without its log, which is put in again when somebody asks for it. */
static int make_bundle(struct round *r, const struct host *host, struct buf *ret, struct err *err)
{
        AUTO(bundle_free_p) struct bundle *b = bundle_new();
        int n;

        if (!b)
                return err_nomem(err);
        n = fill_bundle(r, host, b, err);
        if (n < 0)
                return n;
        b->verdict = r->result.verdict; /* lent */
        n = bundle_encode(b, ret, err);
        b->verdict = NULL;
        return n < 0 ? err_wrap(err, "bundle of host '%s'", host->e.name) : 0;
}

/* What is remembered of the counters after this evidence. */
static int keep_counters(const struct round *r, const struct host_state *was, struct host_counters *ret,
                         struct err *err)
{
        const struct counters_record *is = &r->result.counters;

        *ret = was->counters;
        ret->key = (struct buf){0};
        if (!is->known)
                return put_view(&ret->key, VIEW_BUF(&was->counters.key), err);
        *ret = (struct host_counters){.known = true,
                                      .epoch_index = is->epoch.index,
                                      .floor_index = is->floor.index,
                                      .epoch = is->epoch.value,
                                      .floor = is->floor.value};
        return put_view(&ret->key, VIEW(is->key, is->key_len), err);
}

/* A value that was certified must not be forgotten: a TPM that goes back below it is found out by it. */
static bool counters_moved(const struct host_counters *was, const struct host_counters *is)
{
        return was->known != is->known || was->epoch != is->epoch || was->floor != is->floor;
}

/* The state after this evidence, all texts its own. */
static int make_state(struct round *r, const struct host *host, struct err *err)
{
        const struct host_state *was = &host->s;
        const struct verdict *v = r->result.verdict;
        const struct continuation *cont = r->result.next ? r->result.next : host->cont;
        struct host_state *s = &r->state;
        char sha256[2 * DIGEST_BYTES_MAX + 1];
        bool same = was->judged && was->verdict == (int)v->state && was->enforced == v->enforced;

        *s = *was;
        s->policy = s->policy_sha256 = s->continuation = NULL;
        if (keep_counters(r, was, &s->counters, err) < 0)
                return -ERR_NOMEM;
        s->trust = (struct host_trust){.trust = TRUST_TRUSTED};
        s->verdict_json = verdict_text(v);
        if (cont)
                s->continuation = continuation_text(cont);
        (void)hex_write(sha256, digest_view(&r->policy.policy->sha256));
        if (!s->verdict_json || (cont && !s->continuation) || dup_text(r->policy_name, &s->policy, err) < 0 ||
            dup_text(sha256, &s->policy_sha256, err) < 0)
                return err_nomem(err);
        s->policy_version = r->policy.version;
        s->index = r->challenge.index > was->index ? r->challenge.index : was->index;
        s->n_evidence++;
        s->judged = true;
        s->verdict = (int)v->state;
        s->enforced = v->enforced;
        s->verdict_n = same ? was->verdict_n : s->n_evidence;
        s->verdict_at_ms = same ? was->verdict_at_ms : r->received_at_ms;
        s->evidence_at_ms = r->received_at_ms;
        if (v->state == VERDICT_PASS)
                s->pass_at_ms = r->received_at_ms;
        s->boot_time_ms = r->challenge.boot_time_ms;
        /* its log led nowhere: read it whole until it replays */
        s->asked_full = !r->result.next && (wire_evidence_find(&r->evidence, WIRE_CEL_LOG) ||
                                            wire_evidence_find(&r->evidence, WIRE_LAUNCH_LOG) ||
                                            wire_evidence_find(&r->evidence, WIRE_IMA_LOG));
        /* another reason for the same verdict is a change worth keeping, and so is the first word under new
         * rules */
        r->changed = !same;
        r->durable = !same || (v->state != VERDICT_PASS && !str_equal(was->verdict_json, s->verdict_json)) ||
                     !str_equal(was->policy_sha256, s->policy_sha256) ||
                     counters_moved(&was->counters, &s->counters) ||
                     r->release; /* what is released for is on record first (SR-1) */
        return 0;
}

static char *change_detail(const struct round *r, const struct host *host)
{
        AUTO(json_free_p) json_t *j = json_object();
        const struct verdict *v = r->result.verdict;
        int n = 0;

        n |= json_set_str(j, "was",
                          host->s.judged ? verdict_state_name((enum verdict_state)host->s.verdict) : NULL);
        n |= json_set_str(j, "is", verdict_state_name(v->state));
        n |= json_set_bool(j, "enforced", v->enforced);
        n |= json_set_int(j, "evidence", r->state.n_evidence);
        n |= json_set_str(j, "policy", r->policy_name);
        n |= json_set_int(j, "policy_version", r->policy.version);
        if (v->n_findings)
                n |= json_set_str(j, "finding", verdict_worst(v)->code);
        return n ? NULL : json_print(j);
}

int round_record(struct round *r, struct host *host, verifier_done_fn done, struct err *err)
{
        struct evidence_record record = {.tenant = host->e.tenant,
                                         .name = host->e.name,
                                         .at_ms = r->received_at_ms,
                                         .limits = r->v->settings.history};
        AUTO(mem_free_p) char *detail = NULL;
        int n = make_state(r, host, err);

        if (n >= 0)
                n = trust_after_evidence(r, host, err);
        if (n > 0) {
                r->durable = true;
                record.trust = &r->trust;
        }
        if (n >= 0) {
                receipts_decide(r, host, &r->receipts);
                record.receipts = r->receipts;
                r->durable = r->durable || (host->receipts_wait && r->receipts.what != RECEIPTS_WAIT);
                record.state = r->state; /* lent: it is copied */
                if (r->result.next) {
                        record.marks = r->result.marks;
                        record.n_marks = r->result.n_marks;
                }
                keep_logs(r, host, &record);
                memcpy(r->state.logs, record.state.logs, sizeof(r->state.logs));
                n = make_bundle(r, host, &record.bundle, err);
        }
        if (n >= 0) {
                record.durable = r->durable;
                if (r->changed) {
                        detail = change_detail(r, host);
                        record.audit = (struct audit_entry){.time_ms = r->received_at_ms,
                                                            .tenant = host->e.tenant,
                                                            .actor = "verifier",
                                                            .action = "verdict.change",
                                                            .object = host->e.name,
                                                            .detail = detail};
                        n = detail ? 0 : err_nomem(err);
                }
        }
        if (n >= 0)
                n = verifier_db_record(r->v->db, &record, done, r, err);
        buf_free(&record.bundle);
        return n;
}

static void count_entries(const struct round *r, const struct host *host)
{
        const struct ima_memory *is = r->result.next->ima;
        uint64_t from = r->ima_first && host->cont && host->cont->ima ? host->cont->ima->entries : 0;

        if (is && is->entries > from)
                metric_add(r->v->counters.ima_entries, (int64_t)(is->entries - from));
}

void round_apply(struct round *r, struct host *host)
{
        int64_t index = host->s.index;

        if ((r->challenge.wants_log || r->challenge.wants_ima) && r->challenge.log_offset == 0 &&
            r->ima_first == 0)
                host->log_torn = false; /* written whole, as logs of their own; if not, it is torn again */

        host_trust_free(&r->state.trust); /* trust changes by itself: the host's stays */
        r->state.trust = host->s.trust;
        host->s.trust = (struct host_trust){.trust = TRUST_TRUSTED};
        host_state_free(&host->s);
        host->s = r->state;
        r->state = (struct host_state){.judged = false};
        if (host->s.index < index)
                host->s.index = index;
        free(host->s.continuation); /* held once, as a struct */
        host->s.continuation = NULL;
        if (r->result.next) {
                count_entries(r, host);
                permits_mark(r->v->permits, host->e.name, r->result.marks, r->result.n_marks);
                continuation_free(host->cont);
                host->cont = TAKE(r->result.next);
                if (!host->cont->ima || host->judged_by != r->effective)
                        host_judged_by(host, host->cont->ima ? r->effective : NULL);
        }
        if (r->result.counters.known)
                host->counters = r->result.counters;
        trust_apply(r, host);
        if (r->receipts.what != RECEIPTS_WAIT)
                host->receipts_wait = false;
        host->evidence_ms = loop_now_ms();
        host->challenge.out = false; /* single-use */
}
