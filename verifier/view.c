/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts as JSON. What a host is and where it stands, each under one name for the list, the detail and the
 * events. */
#include "verifier/view.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "verifier/trust.h"

int view_time(json_t *j, const char *name, int64_t ms)
{
        return ms ? json_set_time(j, name, ms) : json_set_str(j, name, NULL);
}

/* Takes VALUE; NULL is a failure. */
static int set_new(json_t *j, const char *name, json_t *value)
{
        return json_object_set_new(j, name, value);
}

/* JSON text from the database, or FALLBACK. */
static json_t *parsed(const char *text, json_t *fallback)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        if (!text || json_parse(view_str(text), VERDICT_JSON_BYTES_MAX, &j, &err) < 0)
                return fallback;
        json_decref(fallback);
        return j;
}

/* The last verdict, or NULL if there is none. */
static struct verdict *read_verdict(const struct host *host)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        struct verdict *v = NULL;

        if (!host->s.verdict_json ||
            json_parse(view_str(host->s.verdict_json), VERDICT_JSON_BYTES_MAX, &j, &err) < 0 ||
            verdict_from_json(j, &v, &err) < 0)
                return NULL;
        return v;
}

static json_t *view_counts(const struct verdict *v)
{
        int n[SEVERITY_CRITICAL + 1] = {0};

        for (size_t i = 0; v && i < v->n_findings; i++)
                if ((size_t)v->findings[i].severity < ARRAY_LEN(n))
                        n[v->findings[i].severity]++;
        return json_pack("{s:i, s:i, s:i, s:i}", "critical", n[SEVERITY_CRITICAL], "error", n[SEVERITY_ERROR],
                         "warning", n[SEVERITY_WARNING], "info", n[SEVERITY_INFO]);
}

static const char *summary(const struct verdict *v)
{
        const struct finding *worst = v ? verdict_worst(v) : NULL;

        return worst && worst->severity > SEVERITY_INFO ? worst->what : NULL;
}

static json_t *view_policy(const struct host *host)
{
        if (!host->s.judged)
                return json_null();
        return json_pack("{s:s, s:I, s:s?}", "name", host->s.policy ? host->s.policy : "tpm_policy",
                         "version", (json_int_t)host->s.policy_version, "sha256", host->s.policy_sha256);
}

static json_t *view_policy_current(const struct host *host)
{
        const struct policy_version *newest = host->rules ? ruleset_newest(host->rules) : NULL;

        if (!newest)
                return json_null();
        return json_pack("{s:s, s:I}", "name", host->e.policy ? host->e.policy : "tpm_policy", "version",
                         (json_int_t)newest->version);
}

static json_t *view_ek(const struct host *host)
{
        return json_pack("{s:s?, s:s?, s:s?, s:o}", "sha256", host->e.ek_sha256, "class", host->e.ek_class,
                         "bound_by", host->e.bound_by, "findings", parsed(host->e.ek_findings, json_array()));
}

/* Since when the shown state is so: of a verdict, its time; of silence, when it began to count. */
static int64_t since_ms(const struct verifier *v, const struct host *host)
{
        enum host_shown shown = verifier_shown(v, host);

        if (shown == HOST_ENROLLED || shown == HOST_PAUSED)
                return host->e.enrolled_at_ms;
        return shown == HOST_LATE || shown == HOST_LOST ? host->s.evidence_at_ms : host->s.verdict_at_ms;
}

static int set_state(const struct verifier *v, const struct host *host, json_t *j)
{
        int r = 0;

        r |= json_set_str(j, "name", host->e.name);
        r |= json_set_str(j, "tenant", host->e.tenant);
        r |= json_set_str(j, "peer", host->e.keylime ? "keylime" : "avow");
        r |= json_set_str(j, "state", host_shown_name(verifier_shown(v, host)));
        r |= json_set_str(j, "trust", trust_name(trust_of(v, host)));
        r |= json_set_bool(j, "enforced", !host->s.judged || host->s.enforced);
        r |= view_time(j, "since", since_ms(v, host));
        r |= json_set_bool(j, "paused", host->e.paused);
        r |= set_new(j, "policy", view_policy(host));
        r |= set_new(j, "policy_current", view_policy_current(host));
        r |= view_time(j, "last_evidence", host->s.evidence_at_ms);
        r |= view_time(j, "last_pass", host->s.pass_at_ms);
        return r;
}

/* Trust beside the verdict: how it came to be, and what is to come. */
static json_t *view_trust(const struct host *host)
{
        const struct host_trust *t = &host->s.trust;
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *id = t->seq ? str_fmt("%s/%lld", host->e.name, (long long)t->seq) : NULL;
        int r = t->seq && !id ? -1 : 0;

        r |= json_set_str(j, "recorded", trust_name((enum trust)t->trust));
        r |= view_time(j, "since", t->since_ms);
        r |= json_set_str(j, "reason", t->reason);
        r |= json_set_str(j, "revocation", id);
        r |= json_set_str(j, "wipe", wipe_name((enum wipe)t->wipe));
        r |= view_time(j, "failed_at", t->failed_at_ms);
        r |= view_time(j, "destroy_at", t->destroy_at_ms);
        r |= json_set_bool(j, "held", t->held);
        if (t->reinstate_actor)
                r |= set_new(j, "reinstatement",
                             json_pack("{s:s, s:s?, s:b}", "asked_by", t->reinstate_actor, "reason",
                                       t->reinstate_reason, "unwiped", t->reinstate_unwiped));
        return r ? NULL : TAKE(j);
}

json_t *view_host(const struct verifier *v, const struct host *host, const char *schema)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(verdict_free_p) struct verdict *verdict = read_verdict(host);
        struct host_times times = verifier_times(v);
        char interval[CLOCK_TEXT_BYTES];
        int r = 0;

        if (schema)
                r |= json_set_str(j, "schema", schema);
        r |= set_state(v, host, j);
        r |= json_set_str(j, "interval", clock_format_duration(host_interval_ms(host, &times), interval));
        r |= json_set_int(j, "n_evidence", host->s.n_evidence);
        r |= json_set_int(j, "n_refused", host->n_refused);
        r |= set_new(j, "counts", view_counts(verdict));
        r |= json_set_str(j, "summary", summary(verdict));
        r |= set_new(j, "trust_detail", view_trust(host));
        r |= set_new(j, "ek", view_ek(host));
        r |= set_new(j, "labels", parsed(host->e.labels, json_object()));
        r |= view_time(j, "enrolled_at", host->e.enrolled_at_ms);
        r |= json_set_str(j, "enrolled_by", host->e.actor);
        return r ? NULL : TAKE(j);
}

static void put_counters(struct json_out *o, const char *name, const void *what)
{
        counters_put(o, name, what);
}

/* The epoch and floor counters with the highest values that were certified; null if there are none. */
static json_t *view_counters(const struct host *host)
{
        const struct host_counters *kept = &host->s.counters;
        struct counters_record c;
        struct err err = ERR_INIT;

        if (!kept->known ||
            counters_set(&c, VIEW_BUF(&kept->key), kept->epoch_index, kept->floor_index, &err) < 0)
                return json_null();
        c.epoch.value = kept->epoch;
        c.floor.value = kept->floor;
        return json_out_tree(put_counters, &c);
}

/* A number, or null. */
static int set_count(json_t *j, const char *name, bool known, int64_t n)
{
        return known ? json_set_int(j, name, n) : json_set_str(j, name, NULL);
}

/* How much of each log was judged, and is kept. */
static json_t *view_logs(const struct host *host)
{
        AUTO(json_free_p) json_t *j = json_object();
        const struct ima_memory *ima = host->cont ? host->cont->ima : NULL;
        const struct kept_log *kept = host->s.logs;
        json_t *cel = json_object(), *list = json_object(), *uefi = json_object();
        uint64_t end = 0, total = 0;
        int r = 0;

        r |= set_new(j, "cel", cel);
        r |= set_new(j, "ima", list);
        r |= set_new(j, "uefi", uefi);
        r |= set_count(cel, "entries", host->cont != NULL, host->cont ? (int64_t)host->cont->cel_entries : 0);
        r |= set_count(cel, "kept_bytes", kept[KEPT_CEL].bytes > 0, kept[KEPT_CEL].bytes);
        r |= set_count(list, "entries", ima != NULL, ima ? (int64_t)ima->entries : 0);
        r |= set_count(list, "kept_bytes", kept[KEPT_IMA].bytes > 0, kept[KEPT_IMA].bytes);
        if (host->gather)
                gather_progress(host->gather, &end, &total);
        r |= set_count(list, "gathered", host->gather != NULL, (int64_t)end);
        r |= set_count(list, "to_gather", host->gather != NULL, (int64_t)total);
        r |= set_count(uefi, "kept_bytes", kept[KEPT_UEFI].bytes > 0, kept[KEPT_UEFI].bytes);
        return r ? NULL : TAKE(j);
}

json_t *view_host_whole(const struct verifier *v, const struct host *host)
{
        AUTO(json_free_p) json_t *j = view_host(v, host, "avow.host/1");
        struct err err = ERR_INIT;
        struct tpm_name name;
        int r = 0;

        if (!j)
                return NULL;
        if (tpm_public_name(&host->ak, &name, &err) == 0)
                r |= json_set_hex(j, "ak_name", tpm_name_view(&name));
        r |= json_set_str(j, "ak_certificate", host->e.ak_certificate);
        r |= set_new(j, "counters", view_counters(host));
        r |= set_new(j, "logs", view_logs(host));
        return r ? NULL : TAKE(j);
}

/* What stands in the way of a verdict, for a host that has none that counts. */
static void describe_silence(const struct verifier *v, const struct host *host, struct buf *out)
{
        enum host_shown shown = verifier_shown(v, host);
        char when[CLOCK_TEXT_BYTES];

        if (!host->rules)
                buf_fmt(out, "The policy '%s' is not there: push it ('avow policy push').\n",
                        host->e.policy ? host->e.policy : "tpm_policy");
        if (shown == HOST_ENROLLED)
                buf_str(out, "No evidence has come yet. Is avow-agent running on the host, and does its "
                             "verifier.url "
                             "point here?\n");
        if (shown == HOST_PAUSED)
                buf_str(out, "Attestation is paused by an administrator.\n");
        if (shown == HOST_LATE || shown == HOST_LOST)
                buf_fmt(out,
                        "No evidence since %s: the host, its agent or the network is down. What follows is "
                        "the "
                        "last verdict; it does not count any more.\n",
                        clock_format(host->s.evidence_at_ms, when));
        if (host->n_refused)
                buf_fmt(out,
                        "Evidence in its name was refused %lld times: it was not authentic, and says nothing "
                        "about "
                        "the host.\n",
                        (long long)host->n_refused);
}

/* What is under way with a long list, or cannot be kept of it. */
static void describe_list(const struct host *host, struct buf *out)
{
        uint64_t end, total;

        if (host->gather) {
                gather_progress(host->gather, &end, &total);
                buf_fmt(out,
                        "Its kernel's list is longer than a request: %llu of %llu entries have come so far. "
                        "What follows is from before.\n",
                        (unsigned long long)end, (unsigned long long)total);
        }
        if (host->s.logs[KEPT_IMA].bytes < 0)
                buf_str(out, "Its kernel's list is longer than history.bytes: recorded evidence goes without "
                             "it, and cannot be judged again.\n");
}

/* What is not trusted although its verdict may be good, and what to do about it. */
static void describe_trust(const struct verifier *v, const struct host *host, struct buf *out)
{
        const struct host_trust *t = &host->s.trust;
        enum trust trust = trust_of(v, host);
        char when[CLOCK_TEXT_BYTES];

        if (trust == TRUST_TRUSTED)
                return;
        if (trust == TRUST_SUSPENDED)
                buf_fmt(out, "It is suspended: it gets no secret before it passes%s%s.\n",
                        t->reason ? "; " : "", t->reason ? t->reason : "");
        else
                buf_fmt(out, "It is revoked since %s (%s): its secrets are destroyed (%s).\n",
                        clock_format(t->since_ms, when), t->reason ? t->reason : "no reason is known",
                        t->wipe == WIPE_NONE      ? "it had none that could be"
                        : t->wipe == WIPE_WIPED   ? "proven by its TPM"
                        : t->wipe == WIPE_PENDING ? "the proof has not come yet"
                                                  : "NOT proven: rotate what it held");
        if (t->held)
                buf_str(out,
                        "The fuse holds its destruction until a second person agrees, or it passes ('avow "
                        "revocation holds').\n");
        else if (trust == TRUST_SUSPENDED && t->destroy_at_ms)
                buf_fmt(out, "If it does not pass before %s, its secrets are destroyed.\n",
                        clock_format(t->destroy_at_ms, when));
        if (t->reinstate_actor)
                buf_fmt(out, "Its reinstatement was asked for by %s, and comes with its next pass.\n",
                        t->reinstate_actor);
        else if (trust == TRUST_REVOKED)
                buf_str(out,
                        "When its cause is mended: 'avow host reinstate', and seal its secrets again.\n");
}

json_t *view_explain(const struct verifier *v, const struct host *host)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(verdict_free_p) struct verdict *verdict = read_verdict(host);
        AUTO(mem_free_p) char *text = NULL;
        struct buf words = {0};
        int r = 0;

        describe_silence(v, host, &words);
        describe_list(host, &words);
        describe_trust(v, host, &words);
        if (verdict)
                verdict_render(verdict, &words);
        text = buf_take_str(&words);
        r |= json_set_str(j, "schema", "avow.explain/1");
        r |= json_set_str(j, "host", host->e.name);
        r |= set_state(v, host, j);
        r |= set_new(j, "verdict", verdict ? verdict_to_json(verdict) : json_null());
        r |= json_set_str(j, "text", text);
        return r || !text ? NULL : TAKE(j);
}
