/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow evidence: looking into a bundle, and appraising it again with nobody's help. The appraisal is the
 * verifier's own code; what differs is what an auditor has in hand. So beside the verdict stands what was
 * checked and what was not, and whose word stands for the latter.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/trust.h"
#include "evidence/cel.h"
#include "policy/appraise.h"
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"
#include "tenant/command.h"
#include "tenant/commands.h"
#include "tenant/evidence_logs.h"
#include "tenant/evidence_tee.h"
#include "tenant/load.h"
#include "tenant/output.h"

#define RECORDS_MAX 1000000

struct verify_options {
        struct option_list policies;
        const char *ak_ca, *at;
        struct tee_options tee;
};

static const struct option_row verify_rows[] = {
        {"policy", "FILE", "the policy to judge by; older versions that still held may follow, newest first",
         OPTION_LIST, offsetof(struct verify_options, policies)},
        {"ak-ca", "FILE", "who issues AK certificates: the registrar's AK CA", OPTION_TEXT,
         offsetof(struct verify_options, ak_ca)},
        {"at", "TIME", "judge by the policy as it held then (default: when the evidence arrived)",
         OPTION_TEXT, offsetof(struct verify_options, at)},
        TEE_VERIFY_ROWS(struct verify_options, tee),
        {0},
};

/* Two lists of sentences. */
struct scope {
        json_t *checked, *unchecked;
};

static int say(json_t *list, const char *sentence)
{
        return json_array_append_new(list, json_string(sentence));
}

/* The AK certificate up to the CA given, when the evidence arrived. */
static int check_ak_ca(const struct bundle *b, const char *ak_ca, bool *ret_good,
                       char reason[TRUST_REASON_BYTES], struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        AUTO(cert_free_p) struct cert *cert = NULL;
        int r;

        *ret_good = false;
        r = trust_new(&trust, err);
        if (r < 0 || (r = trust_add_path(trust, ak_ca, err)) < 0)
                return r;
        if (!b->ak_certificate) {
                (void)snprintf(reason, TRUST_REASON_BYTES,
                               "the bundle holds no AK certificate"); /* it fits */
                return 0;
        }
        r = cert_parse_pem(view_str(b->ak_certificate), &cert, err);
        if (r < 0)
                return err_wrap(err, "member 'ak_certificate'");
        return trust_check(trust, cert, NULL, b->received_at_ms, ret_good, reason, err);
}

static int judge_ak_ca(const struct bundle *b, const char *ak_ca, struct verdict *v, struct scope *scope,
                       struct err *err)
{
        char reason[TRUST_REASON_BYTES] = "";
        struct finding f = {
                .code = "ak-certificate",
                .severity = SEVERITY_CRITICAL,
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
                .what = "the attestation key is not certified by the given CA",
                .found = reason,
                .remedy = "believe nothing in this bundle, unless you know the key from elsewhere",
        };
        bool good;
        int r;

        if (!ak_ca) {
                return say(scope->unchecked, "whose key signed the quote (no --ak-ca): that it lives in a "
                                             "genuine TPM and is this host's") < 0
                               ? err_nomem(err)
                               : 0;
        }
        r = check_ak_ca(b, ak_ca, &good, reason, err);
        if (r < 0)
                return r;
        if (good)
                return say(scope->checked,
                           "the attestation key is certified by the given CA for this host, as a restricted "
                           "signing key of a TPM") < 0
                               ? err_nomem(err)
                               : 0;
        v->state = VERDICT_REFUSED;
        return verdict_add(v, &f, err);
}

/* Did the log replay? What stands in the way of that is a finding. */
static bool log_replayed(const struct verdict *v)
{
        static const char *const obstacles[] = {"log-missing", "log-malformed", "log-not-replayed"};

        for (size_t i = 0; i < ARRAY_LEN(obstacles); i++)
                if (verdict_find(v, obstacles[i]))
                        return false;
        return v->state == VERDICT_PASS || v->state == VERDICT_FAIL || verdict_find(v, "history-not-shown");
}

/* None of these findings stands in the way. */
static bool none_of(const struct verdict *v, const char *const *codes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (verdict_find(v, codes[i]))
                        return false;
        return true;
}

/* The kernel's and the firmware's logs: replayed, merely there, or not judged. */
static int describe_logs(const struct bundle *b, const struct policy_effective *e, const struct verdict *v,
                         struct scope *scope)
{
        static const char *const boot[] = {"no-boot-log", "boot-log-malformed", "boot-log-not-replayed"};
        static const char *const ima[] = {"ima-log-missing", "ima-log-incomplete", "ima-log-malformed",
                                          "ima-log-not-replayed"};
        bool judges_ima = policy_effective_judges_ima(e);
        bool judges_boot = policy_effective_judges_boot(e) || judges_ima;
        bool authentic = v->state != VERDICT_REFUSED;
        int r = 0;

        if (b->has_uefi && judges_boot && authentic && none_of(v, boot, ARRAY_LEN(boot)))
                r |= say(scope->checked,
                         "the firmware's event log was replayed to the quoted registers; text in "
                         "it counted only where a digest covers it");
        if (b->has_ima && judges_ima && authentic && none_of(v, ima, ARRAY_LEN(ima)))
                r |= say(scope->checked, "the kernel's measurement list was replayed to the quoted register");
        if (b->has_uefi && !judges_boot)
                r |= say(scope->unchecked, "the firmware's event log: this policy does not judge it");
        if (b->has_ima && !judges_ima)
                r |= say(scope->unchecked, "the kernel's measurement list: this policy does not judge it");
        return r;
}

/* What the appraisal does and does not show, for a bundle that it got through. */
static int describe_scope(const struct bundle *b, const struct policy_effective *e, const struct verdict *v,
                          struct scope *scope, struct err *err)
{
        const struct policy *p = policy_effective_policy(e);
        int r = 0;

        if (v->state != VERDICT_REFUSED) {
                r |= say(scope->checked,
                         "the quote is signed by the bundle's attestation key over this challenge, for this "
                         "host and verifier");
                r |= say(scope->checked, "the PCR values are the quoted ones");
                if (p->judges_log && log_replayed(v))
                        r |= say(scope->checked, "the measurement log was replayed to the quoted register");
                if (b->time_message.len)
                        r |= say(scope->checked, "the TPM's own time was signed with it");
                if (b->counter_key.len)
                        r |= say(scope->checked, "the epoch and floor counters were certified with it, and "
                                                 "compared with what was known of them");
        }
        r |= say(scope->unchecked,
                 "that the challenge was new and unused, and when it was sent and answered: the verifier's "
                 "word");
        if (b->has_previous)
                r |= say(scope->unchecked,
                         "the earlier clock and boot counts ('previous'): the verifier's word");
        if (b->counters_before.known)
                r |= say(scope->unchecked,
                         "what was known of the counters ('counters_before'): the verifier's word");
        if (p->judges_log)
                r |= say(scope->unchecked,
                         "names and paths in the log: the agent's claim, no signature covers them");
        if (!digest_equal(&p->sha256, &b->policy_sha256))
                r |= say(scope->unchecked,
                         "the policy given is another text than the one that the verifier judged by");
        r |= describe_logs(b, e, v, scope);
        return r < 0 ? err_nomem(err) : 0;
}

static json_t *policy_json(const struct policy *p)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "name", p->name) < 0 || json_set_str(j, "source", p->source) < 0 ||
            json_set_hex(j, "sha256", digest_view(&p->sha256)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *verify_document(const struct bundle *b, const struct policy_effective *e,
                               const struct verdict *v, const struct scope *scope)
{
        AUTO(json_free_p) json_t *doc = output_document("evidence-verification");

        if (!doc || json_set_str(doc, "host", b->host) < 0 ||
            json_set_time(doc, "received_at", b->received_at_ms) < 0 ||
            json_set_time(doc, "judged_for", policy_effective_at_ms(e)) < 0 ||
            json_object_set_new(doc, "policy", policy_json(policy_effective_policy(e))) < 0 ||
            json_object_set_new(doc, "verdict", verdict_to_json(v)) < 0 ||
            json_set_str(doc, "recorded", verdict_state_name(b->verdict->state)) < 0 ||
            json_object_set(doc, "checked", scope->checked) < 0 ||
            json_object_set(doc, "not_checked", scope->unchecked) < 0)
                return NULL;
        return TAKE(doc);
}

static void print_sentences(const char *title, const json_t *list)
{
        size_t i;
        json_t *sentence;

        if (json_array_size(list))
                (void)printf("\n%s:\n", title);
        json_array_foreach ((json_t *)(uintptr_t)list, i, sentence)
                (void)printf("  - %s\n", json_string_value(sentence));
}

static int print_verdict(const struct bundle *b, const struct policy_effective *e, const struct verdict *v,
                         const struct scope *scope, struct err *err)
{
        static const char *const words[] = {
                [VERDICT_INCONCLUSIVE] = "INCONCLUSIVE: the evidence decides nothing",
                [VERDICT_PASS] = "PASS",
                [VERDICT_FAIL] = "FAIL: the host breaks the policy",
                [VERDICT_REFUSED] = "REFUSED: the evidence is not authentic, and says nothing about the host",
        };
        AUTO(buf_free) struct buf findings = {0};
        char time[CLOCK_TEXT_BYTES];

        verdict_render(v, &findings);
        if (!buf_ok(&findings))
                return err_nomem(err);
        (void)printf("Host:     %s\nEvidence: %s\nPolicy:   %s (%s)\nVerdict:  %s\n", b->host,
                     clock_format(b->received_at_ms, time), policy_effective_policy(e)->name,
                     policy_effective_policy(e)->source, words[v->state]);
        if (!v->enforced)
                (void)printf("          observed only: the policy does not enforce\n");
        if (v->state != b->verdict->state)
                (void)printf("          the verifier recorded: %s\n", verdict_state_name(b->verdict->state));
        if (findings.len)
                (void)printf("\n%.*s", (int)findings.len, (const char *)findings.p);
        print_sentences("Checked", scope->checked);
        print_sentences("Not checked", scope->unchecked);
        return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : 0;
}

static int answer_of(const struct verdict *v)
{
        switch (v->state) {
        case VERDICT_PASS:
                return ANSWER_DONE;
        case VERDICT_FAIL:
        case VERDICT_REFUSED:
                return ANSWER_NO;
        case VERDICT_INCONCLUSIVE:
                break;
        }
        return ANSWER_UNDECIDED;
}

static int show_verification(const struct session *s, const struct bundle *b,
                             const struct policy_effective *e, const struct verdict *v,
                             const struct scope *scope, struct err *err)
{
        AUTO(json_free_p) json_t *doc = verify_document(b, e, v, scope);
        int r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);

        if (r == 0)
                r = print_verdict(b, e, v, scope, err);
        return r < 0 ? r : answer_of(v);
}

static int verify_with(const struct session *s, const struct verify_options *o, const struct bundle *b,
                       struct scope *scope, struct err *err)
{
        AUTO(endorsements_free_p) struct endorsements *heap = NULL;
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(verdict_free_p) struct verdict *v = NULL;
        struct tee_trust trust = {.heap = NULL};
        struct digest ek;
        int64_t at_ms = b->received_at_ms;
        int r = 0;

        if (o->at && clock_parse(view_str(o->at), &at_ms, err) < 0)
                return err_wrap(err, "--at");
        if (r == 0)
                r = load_effective(o->policies.v, o->policies.n, at_ms, &e, err);
        if (r >= 0 && b->has_tee) {
                r = evidence_tee_heap(&o->tee, &heap, err);
                trust.heap = heap;
        }
        if (r >= 0 && o->tee.ek)
                r = evidence_tee_ek(o->tee.ek, &ek, err);
        if (r < 0 || (r = appraise_bundle(b, e, NULL, &trust, o->tee.ek ? &ek : NULL, &v, err)) < 0 ||
            (r = judge_ak_ca(b, o->ak_ca, v, scope, err)) < 0 ||
            (r = describe_scope(b, e, v, scope, err)) < 0)
                return r;
        return show_verification(s, b, e, v, scope, err);
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct verify_options *o = values;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(json_free_p) json_t *checked = json_array();
        AUTO(json_free_p) json_t *unchecked = json_array();
        struct scope scope = {checked, unchecked};
        int r;

        (void)n_args;
        if (o->tee.type)
                return evidence_tee_verify(s, &o->tee, o->at, &o->policies, args[0], err);
        if (!checked || !unchecked)
                return err_nomem(err);
        if (o->policies.n == 0)
                return err_set(err, ERR_CONFIG, 0, "name the policy to judge by: --policy FILE");
        r = load_bundle(args[0], &b, err);
        return r < 0 ? r : verify_with(s, o, b, &scope, err);
}

/* --- show --- */

static json_t *quote_json(const struct bundle *b)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_object_set_new(j, "asked", pcr_selection_to_json(&b->asked)) < 0 ||
            json_object_set_new(j, "pcrs", pcr_values_to_json(&b->pcrs)) < 0 ||
            json_set_hex(j, "challenge", VIEW_BUF(&b->challenge)) < 0 ||
            json_set_bool(j, "immediate", b->immediate) < 0 ||
            json_set_bool(j, "for_release", b->release_request.len > 0 && !b->for_permit) < 0 ||
            json_set_bool(j, "for_permit", b->for_permit) < 0 ||
            json_set_bool(j, "time", b->time_message.len > 0) < 0 ||
            json_set_bool(j, "counters", b->counter_key.len > 0) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *recorded_policy_json(const struct bundle *b)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "name", b->policy_name) < 0 ||
            json_set_int(j, "version", b->policy_version) < 0 ||
            json_set_hex(j, "sha256", digest_view(&b->policy_sha256)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *show_document(const struct bundle *b, const struct cel_log *log)
{
        AUTO(json_free_p) json_t *doc = output_document("evidence-content");

        if (!doc || json_set_str(doc, "host", b->host) < 0 ||
            json_set_str(doc, "peer", b->peer == BUNDLE_PEER_AVOW ? "avow" : "keylime") < 0 ||
            json_set_str(doc, "verifier", b->verifier_id) < 0 ||
            json_set_time(doc, "issued_at", b->issued_at_ms) < 0 ||
            json_set_time(doc, "received_at", b->received_at_ms) < 0 ||
            json_object_set_new(doc, "quote", quote_json(b)) < 0 ||
            json_object_set_new(doc, "policy", recorded_policy_json(b)) < 0 ||
            json_object_set_new(doc, "verdict", verdict_to_json(b->verdict)) < 0 ||
            json_set_str(doc, "ak_certificate", b->ak_certificate) < 0 ||
            (log && json_object_set_new(doc, "cel", cel_to_json(log, 0)) < 0))
                return NULL;
        return TAKE(doc);
}

static void print_pcrs(const struct pcr_values *pcrs)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (pcrs->mask & 1u << i)
                        (void)printf("  PCR %-2u %s %s\n", i, digest_name(pcrs->bank),
                                     hex_write(hex, digest_view(&pcrs->v[i])));
}

static void print_record(const struct cel_record *rec, size_t n)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct str_shown type, runtime, path;

        if (rec->revocation)
                (void)printf("  %3zu %s %s by verifier %s\n", n, rec->kind,
                             str_show(view_str(rec->revocation), &path),
                             str_show(view_str(rec->verifier), &runtime));
        else if (rec->permit)
                (void)printf("  %3zu %s runtime %s, module %s, permit %s%s\n", n, rec->kind,
                             str_show(view_str(rec->runtime), &runtime),
                             hex_write(hex, digest_view(&rec->module)),
                             str_show(view_str(rec->permit), &path), rec->cached ? ", from the cache" : "");
        else if (rec->ours && !rec->path)
                (void)printf("  %3zu %s launch %s, %zu files that are not in the closure\n", n, rec->kind,
                             hex_write(hex, digest_view(&rec->launch)), rec->n_foreign);
        else if (rec->ours)
                (void)printf("  %3zu %s runtime %s, %s, %llu bytes\n", n, rec->kind,
                             str_show(view_str(rec->runtime), &runtime), str_show(view_str(rec->path), &path),
                             (unsigned long long)rec->size_bytes);
        else
                (void)printf("  %3zu by %s%s%s\n", n, str_show(view_str(rec->content_type), &type),
                             rec->string ? ": " : "",
                             rec->string ? str_show(view_str(rec->string), &path) : "");
        for (size_t i = 0; i < rec->n_digests; i++)
                (void)printf("      %s %s\n", digest_name(rec->digests[i].alg),
                             hex_write(hex, digest_view(&rec->digests[i])));
}

static int print_bundle(const struct bundle *b, const struct cel_log *log, const json_t *doc, struct err *err)
{
        AUTO(buf_free) struct buf findings = {0};
        char issued[CLOCK_TEXT_BYTES], received[CLOCK_TEXT_BYTES];

        verdict_render(b->verdict, &findings);
        if (!buf_ok(&findings))
                return err_nomem(err);
        (void)printf("Host:      %s\nPeer:      %s\nChallenge: sent %s%s%s\nReceived:  %s\n", b->host,
                     b->peer == BUNDLE_PEER_AVOW ? "avow" : "keylime", clock_format(b->issued_at_ms, issued),
                     b->immediate ? ", with a deadline of seconds" : "",
                     b->for_permit            ? ", for a launch"
                     : b->release_request.len ? ", for a release of secrets"
                                              : "",
                     clock_format(b->received_at_ms, received));
        (void)printf("Policy:    %s, version %u\nVerdict:   %s (recorded; 'avow evidence verify' judges "
                     "anew)\n%.*s",
                     b->policy_name, b->policy_version, verdict_state_name(b->verdict->state),
                     (int)findings.len, findings.len ? (const char *)findings.p : "");
        (void)printf("\nQuoted:\n");
        print_pcrs(&b->pcrs);
        if (log)
                (void)printf("\nMeasurement log, %zu records (names and paths are the agent's claims):\n",
                             log->n);
        for (size_t i = 0; log && i < log->n; i++)
                print_record(&log->records[i], i);
        logs_print(doc);
        return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : 0;
}

struct show_options {
        struct tee_options tee;
        const char *pcrs;
};

static const struct option_row show_rows[] = {
        {"type", "TYPE",
         "FILE is no bundle, but: ima, boot-log, snp, snp-certificate, snp-id-block, snp-csr, tdx, sgx, "
         "sgx-csr, ccel, "
         "tpm",
         OPTION_TEXT, offsetof(struct show_options, tee.type)},
        {"pcrs", "FILE", "with --type ima or boot-log: PCR values to replay to, as tpm2_quote writes them",
         OPTION_TEXT, offsetof(struct show_options, pcrs)},
        {0},
};

/* The kernel's and the firmware's log of a bundle. */
static int add_logs(const struct bundle *b, json_t *doc, struct err *err)
{
        struct logs logs = {.has_boot = b->has_uefi && b->uefi.len,
                            .boot = VIEW_BUF(&b->uefi),
                            .has_ima = b->has_ima,
                            .ima = VIEW_BUF(&b->ima),
                            .pcrs = &b->pcrs};
        bool fits;

        return logs_to_json(&logs, doc, &fits, err);
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct show_options *o = values;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r;

        (void)n_args;
        if (o->tee.type && logs_type(o->tee.type))
                return evidence_logs_show(s, o->tee.type, o->pcrs, args[0], err);
        if (o->pcrs)
                return err_set(err, ERR_CONFIG, 0, "--pcrs goes with --type ima or --type boot-log");
        if (o->tee.type)
                return evidence_tee_show(s, &o->tee, args[0], err);
        r = load_bundle(args[0], &b, err);
        if (r == 0 && b->has_cel)
                r = cel_parse(VIEW_BUF(&b->cel), RECORDS_MAX, &log, err);
        if (r < 0)
                return r;
        doc = show_document(b, log);
        r = doc ? add_logs(b, doc, err) : err_nomem(err);
        if (r == 0)
                r = output_document_if_asked(s, doc, err);
        if (r == 0)
                r = print_bundle(b, log, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command evidence_commands[] = {
        {"evidence", "show", "FILE", "Show what is in an evidence bundle", show_rows,
         sizeof(struct show_options), 1, 1, run_show},
        {"evidence", "verify", "FILE", "Appraise a bundle offline, as the verifier does", verify_rows,
         sizeof(struct verify_options), 1, 1, run_verify},
        {0},
};
