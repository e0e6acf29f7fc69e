/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of hosts, and what is shown of one. Whether a host is late is measured with the monotonic clock:
 * when somebody sets the verifier's clock, no host becomes late or fresh by it. After a restart the age of
 * the last evidence comes from the wall clock, the one thing that outlives us.
 */
#include "verifier/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/random.h"

#define FINDINGS_BYTES_MAX 65536

struct hosts {
        struct map by_name;
        struct map removed; /* names, while rows are being read */
        bool remembers;
        uint64_t last_serial;
        /* keys at hand: a list by last use */
        struct host *key_oldest, *key_newest;
        size_t n_keys;
};

const char *host_shown_name(enum host_shown shown)
{
        static const char *const names[HOST_N_SHOWN] = {"enrolled", "pass", "fail",  "inconclusive",
                                                        "late",     "lost", "paused"};

        return (size_t)shown < HOST_N_SHOWN ? names[shown] : "unknown";
}

static void host_free(void *p)
{
        struct host *host = p;

        if (!host)
                return;
        enrolment_free(&host->e);
        host_state_free(&host->s);
        ruleset_unref(host->rules);
        continuation_free(host->cont);
        policy_effective_free(host->judged_by);
        release_free(host->release);
        gather_free(host->gather);
        pubkey_free(host->key);
        free(host);
}

int hosts_new(struct hosts **ret, struct err *err)
{
        struct hosts *h = mem_zalloc(1, sizeof(*h));

        if (!h)
                return err_nomem(err);
        map_init(&h->by_name, host_free);
        map_init(&h->removed, NULL);
        *ret = h;
        return 0;
}

void hosts_free(struct hosts *h)
{
        if (!h)
                return;
        map_done(&h->by_name);
        map_done(&h->removed);
        free(h);
}

int host_bind_rules(struct host *host, struct rules *rules, struct err *err)
{
        struct ruleset *found = NULL;
        int r = 0;

        if (!host->e.policy)
                r = rules_of_tpm_policy(rules, host->e.tpm_policy, &found, err);
        else if ((found = rules_find(rules, host->e.policy)) != NULL)
                found = ruleset_ref(found);
        else
                r = err_set(err, ERR_CONFIG, 0, "host '%s': its policy '%s' is not there", host->e.name,
                            host->e.policy);
        ruleset_unref(host->rules);
        host->rules = found;
        return r;
}

static int read_continuation(struct host *host, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        int r;

        if (!host->s.continuation)
                return 0;
        r = json_parse(view_str(host->s.continuation), CONTINUATION_JSON_BYTES_MAX, &j, err);
        if (r >= 0)
                r = continuation_from_json(j, &host->cont, err);
        free(host->s.continuation); /* held once, as a struct */
        host->s.continuation = NULL;
        return r < 0 ? err_wrap(err, "host '%s': continuation", host->e.name) : 0;
}

/* What the registrar said about the EK; a text that is no list says nothing. */
static int read_findings(struct host *host, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        struct err ignored = ERR_INIT;
        int r = 0;

        if (host->e.ek_findings)
                r = json_parse(view_str(host->e.ek_findings), FINDINGS_BYTES_MAX, &j, &ignored);
        host->ek_findings = json_array_size(j) > 0;
        return r == -ERR_NOMEM ? err_nomem(err) : 0;
}

int hosts_add(struct hosts *h, struct rules *rules, struct verifier_host *from, int64_t now_ms,
              int64_t mono_ms, struct host **ret, struct err *err)
{
        struct host *host = map_get(&h->by_name, from->enrolment.name);
        int64_t since_ms;
        int r;

        if (host) {
                *ret = host;
                return 0;
        }
        host = mem_zalloc(1, sizeof(*host));
        if (!host)
                return err_nomem(err);
        host->serial = ++h->last_serial;
        host->e = from->enrolment;
        host->s = from->state;
        *from = (struct verifier_host){.enrolment = {.keylime = false}};
        since_ms = host->s.evidence_at_ms ? host->s.evidence_at_ms : host->e.enrolled_at_ms;
        host->evidence_ms = mono_ms - (now_ms > since_ms ? now_ms - since_ms : 0);
        host->offered_ms = host->refusal_told_ms = INT64_MIN / 2;
        r = tpm2b_public_parse(VIEW_BUF(&host->e.ak), &host->ak, err);
        if (r >= 0)
                r = read_continuation(host, err);
        if (r >= 0)
                r = read_findings(host, err);
        if (r >= 0 && host_bind_rules(host, rules, err) == -ERR_NOMEM)
                r = -ERR_NOMEM;
        if (r >= 0 && map_put(&h->by_name, host->e.name, host) < 0)
                r = err_nomem(err);
        if (r < 0) {
                host_free(host);
                return r;
        }
        *ret = host;
        return 0;
}

struct host *hosts_find(struct hosts *h, const char *name)
{
        return map_get(&h->by_name, name);
}

/* ---- keys ---- */

static void key_unlink(struct hosts *h, struct host *host)
{
        *(host->key_older ? &host->key_older->key_newer : &h->key_oldest) = host->key_newer;
        *(host->key_newer ? &host->key_newer->key_older : &h->key_newest) = host->key_older;
        host->key_older = host->key_newer = NULL;
        h->n_keys--;
}

static void key_link(struct hosts *h, struct host *host)
{
        host->key_older = h->key_newest;
        *(h->key_newest ? &h->key_newest->key_newer : &h->key_oldest) = host;
        h->key_newest = host;
        h->n_keys++;
}

static void key_drop(struct hosts *h, struct host *host)
{
        if (!host->key)
                return;
        key_unlink(h, host);
        pubkey_free(host->key);
        host->key = NULL;
}

int hosts_key(struct hosts *h, struct host *host, const struct pubkey **ret, struct err *err)
{
        if (host->key) {
                key_unlink(h, host);
        } else {
                int r = tpm_public_key(&host->ak, &host->key, err);

                if (r < 0)
                        return err_wrap(err, "attestation key of host '%s'", host->e.name);
                if (h->n_keys == HOSTS_KEYS_MAX)
                        key_drop(h, h->key_oldest);
        }
        key_link(h, host);
        *ret = host->key;
        return 0;
}

int host_counters(struct host *host, struct err *err)
{
        const struct host_counters *kept = &host->s.counters;
        int r;

        if (host->counters.known || !kept->known)
                return 0;
        r = counters_set(&host->counters, VIEW_BUF(&kept->key), kept->epoch_index, kept->floor_index, err);
        if (r < 0)
                return err_wrap(err, "host '%s'", host->e.name);
        host->counters.epoch.value = kept->epoch;
        host->counters.floor.value = kept->floor;
        return 0;
}

void hosts_remove(struct hosts *h, const char *name)
{
        struct host *host = map_get(&h->by_name, name);

        /* without memory the name is forgotten, and a host that is gone may be shown until the next start */
        if (h->remembers)
                (void)!map_put(&h->removed, name, h);
        if (host)
                key_drop(h, host);
        (void)map_remove(&h->by_name, name);
}

void hosts_remember_removed(struct hosts *h, bool on)
{
        h->remembers = on;
}

bool hosts_was_removed(const struct hosts *h, const char *name)
{
        return !map_get(&h->by_name, name) && map_get(&h->removed, name);
}

size_t hosts_count(const struct hosts *h)
{
        return map_count(&h->by_name);
}

struct host *hosts_next(struct hosts *h, size_t *pos)
{
        void *value;

        return map_next(&h->by_name, pos, NULL, &value) ? value : NULL;
}

static int by_name(const void *a, const void *b)
{
        return strcmp((*(struct host *const *)a)->e.name, (*(struct host *const *)b)->e.name);
}

/* Sorts all that qualify: a page of 100,000 hosts costs tens of milliseconds, and is asked for by people. */
int hosts_sorted(struct hosts *h, const char *after, size_t limit,
                 bool (*want)(const struct host *host, void *ctx), void *ctx, struct host ***ret,
                 struct err *err)
{
        struct host **all = mem_zalloc(map_count(&h->by_name), sizeof(struct host *)), *host;
        size_t n = 0, pos = 0;

        if (!all)
                return err_nomem(err);
        while ((host = hosts_next(h, &pos)) != NULL)
                if ((!after || strcmp(host->e.name, after) > 0) && (!want || want(host, ctx)))
                        all[n++] = host;
        qsort(all, n, sizeof(struct host *), by_name);
        *ret = all;
        return (int)(n < limit ? n : limit);
}

/* ---- times and states ---- */

static const struct policy *newest_policy(const struct host *host)
{
        const struct policy_version *v = host->rules ? ruleset_newest(host->rules) : NULL;

        return v ? v->policy : NULL;
}

int64_t host_interval_ms(const struct host *host, const struct host_times *defaults)
{
        const struct policy *p = newest_policy(host);

        if (host->e.interval_ms)
                return host->e.interval_ms;
        return p && p->interval_ms ? p->interval_ms : defaults->interval_ms;
}

int64_t host_grace_ms(const struct host *host, const struct host_times *defaults)
{
        const struct policy *p = newest_policy(host);

        return p && p->grace_ms ? p->grace_ms : host_interval_ms(host, defaults);
}

int64_t host_lease_ms(const struct host *host, const struct host_times *defaults)
{
        const struct policy *p = newest_policy(host);

        if (p && p->lease_ms)
                return p->lease_ms;
        return defaults->lease_ms ? defaults->lease_ms : 2 * host_interval_ms(host, defaults);
}

bool host_suspended(const struct host *host, const struct host_times *defaults, int64_t now_ms,
                    int64_t mono_ms)
{
        int64_t lease_ms = host_lease_ms(host, defaults);

        if (!host->s.judged || !host->s.enforced)
                return false;
        if (host->s.verdict == VERDICT_FAIL)
                return true;
        /* since a pass the monotonic clock counts; a wall clock that jumps must not keep a lease alive */
        if (host->s.verdict == VERDICT_PASS)
                return mono_ms - host->evidence_ms > lease_ms;
        return host->s.pass_at_ms == 0 || now_ms - host->s.pass_at_ms > lease_ms ||
               now_ms < host->s.pass_at_ms;
}

int64_t host_late_ms(const struct host *host, const struct host_times *defaults)
{
        return defaults->late_after_ms ? defaults->late_after_ms
                                       : host_interval_ms(host, defaults) + host_grace_ms(host, defaults);
}

enum host_shown host_shown(const struct host *host, const struct host_times *defaults, int64_t mono_ms)
{
        int64_t silent_ms = mono_ms - host->evidence_ms, late_ms = host_late_ms(host, defaults);
        int64_t lost_ms = HOST_LOST_INTERVALS * host_interval_ms(host, defaults);

        if (defaults->lost_after_ms)
                lost_ms = defaults->lost_after_ms;
        if (host->e.paused)
                return HOST_PAUSED;
        if (!host->s.judged)
                return HOST_ENROLLED;
        if (host->s.verdict == VERDICT_FAIL)
                return HOST_FAIL;
        if (silent_ms > lost_ms)
                return HOST_LOST;
        if (silent_ms > late_ms)
                return HOST_LATE;
        return host->s.verdict == VERDICT_PASS ? HOST_PASS : HOST_INCONCLUSIVE;
}

const struct policy_effective *host_rules(const struct host *host, const struct policy_effective *e,
                                          int64_t mono_ms)
{
        const struct policy_effective *was = host->judged_by;

        if (!was || !host->cont || !host->cont->ima || host->s.verdict != VERDICT_PASS ||
            digest_equal(policy_effective_digest(e), policy_effective_digest(was)) ||
            !digest_equal(&host->cont->effective_policy, policy_effective_digest(was)) ||
            !str_equal(policy_effective_policy(e)->name, policy_effective_policy(was)->name))
                return e;
        return host->reappraise_ms == 0 || mono_ms < host->reappraise_ms ? was : e;
}

int host_choose_turn(struct host *host, int64_t within_ms, int64_t mono_ms, struct err *err)
{
        uint32_t wait_ms = 0, most = within_ms < 1            ? 1
                                     : within_ms > UINT32_MAX ? UINT32_MAX
                                                              : (uint32_t)within_ms;
        int r = host->reappraise_ms ? 0 : random_below(most, &wait_ms, err);

        if (r >= 0 && host->reappraise_ms == 0)
                host->reappraise_ms = mono_ms + 1 + wait_ms;
        return r;
}

const struct digest *host_ek(const struct host *host, struct digest *ret)
{
        struct err none = ERR_INIT;

        digest_zero(DIGEST_SHA256, ret);
        if (!host->e.ek_sha256 || hex_decode_exact(view_str(host->e.ek_sha256), ret->b, ret->len, &none) < 0)
                return NULL;
        return ret;
}

void host_judged_by(struct host *host, const struct policy_effective *e)
{
        struct policy_effective *was = host->judged_by;

        host->judged_by = e ? policy_effective_ref(e) : NULL;
        policy_effective_free(was);
        host->reappraise_ms = 0;
}
