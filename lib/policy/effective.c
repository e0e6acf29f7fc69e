/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules hold now. A roll-out needs two truths at once, the old policy's and the new one's, and it must
 * end by itself. So the versions in force are chosen for one moment, and everything that could make the
 * answer differ at another moment goes into one digest: a continuation bound to it cannot outlive the rules
 * that it was judged by, also when nobody pushed anything and only time passed. Spec: SR-16.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "policy/effective_impl.h"

/* Which overlays apply, and how many of the layers' ends have passed. A policy without layers says nothing
 * here, so that its digest stays what it always was. */
static void describe_layers(const struct policy_effective *e, const struct policy *p, struct buf *out,
                            int64_t *changes_at_ms)
{
        size_t ended = 0;

        for (size_t i = 0; i < e->n_layers; i++)
                if (e->layers[i].version->policy == p && e->layers[i].part->hosts) {
                        buf_str(out, "overlay");
                        buf_be32(out, (uint32_t)(e->layers[i].part - p->parts));
                }
        while (ended < p->n_ends && p->ends[ended] <= e->at_ms)
                ended++;
        if (ended < p->n_ends && p->ends[ended] < *changes_at_ms)
                *changes_at_ms = p->ends[ended];
        if (ended) {
                buf_str(out, "ended");
                buf_be32(out, (uint32_t)ended);
        }
}

/* The bytes that the effective digest is over; *CHANGES gets the next time at which they differ. */
static void describe(const struct policy_effective *e, struct buf *out, int64_t *changes_at_ms)
{
        buf_str(out, "avow/effective-policy/v1");
        for (size_t i = 0; i < e->n; i++) {
                const struct policy_version *v = &e->versions[i];

                buf_be32(out, v->version);
                buf_be64(out, (uint64_t)v->until_ms);
                buf_put_view(out, digest_view(&v->policy->sha256));
                if (v->until_ms < *changes_at_ms)
                        *changes_at_ms = v->until_ms;
                for (size_t k = 0; k < v->policy->n_digests; k++) {
                        int64_t until_ms = v->policy->digests[k].until_ms;

                        if (until_ms == POLICY_NEVER)
                                continue;
                        if (until_ms > e->at_ms) {
                                if (until_ms < *changes_at_ms)
                                        *changes_at_ms = until_ms;
                                continue;
                        }
                        buf_be32(out, (uint32_t)k); /* expired */
                }
                describe_layers(e, v->policy, out, changes_at_ms);
        }
}

/* Can this version be judged beside the newest? */
static int check_fits(const struct policy_version *newest, const struct policy_version *v, struct err *err)
{
        if (v->policy->bank != newest->policy->bank)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "policy '%s': version %u uses bank %s and version %u bank %s: they cannot overlap",
                        newest->policy->name, newest->version, digest_name(newest->policy->bank), v->version,
                        digest_name(v->policy->bank));
        if (v->policy->pcr != newest->policy->pcr)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "policy '%s': version %u has its measurements in PCR %u and version %u in PCR %u: "
                        "they cannot overlap",
                        newest->policy->name, newest->version, newest->policy->pcr, v->version,
                        v->policy->pcr);
        return 0;
}

static int choose(struct policy_effective *e, const struct policy_version *versions, size_t n_versions,
                  struct err *err)
{
        for (size_t i = 0; i < n_versions; i++) {
                int r;

                if (i > 0 && versions[i].until_ms <= e->at_ms)
                        continue;
                if (e->n == EFFECTIVE_VERSIONS_MAX)
                        return err_set(err, ERR_LIMIT, 0, "more than %d versions of policy '%s' overlap",
                                       EFFECTIVE_VERSIONS_MAX, versions[0].policy->name);
                r = check_fits(&versions[0], &versions[i], err);
                if (r < 0)
                        return r;
                e->versions[e->n] = versions[i];
                (void)policy_ref(e->versions[e->n].policy); /* gives back what it was given */
                if (e->n == 0)
                        e->versions[0].until_ms = POLICY_NEVER;
                e->n++;
                e->pcr_mask |= versions[i].policy->pcr_mask;
        }
        return 0;
}

static bool applies(const struct policy_part *part, const char *host)
{
        return !part->hosts || (host && pattern_match(part->hosts, view_str(host)) != PATTERN_NONE);
}

/* Which PCRs a layer needs. Spec: SR-15 (PCRs 0 to 7 are explained; boot_aggregate is over 0 to 9). */
static uint32_t mask_of(const struct policy_part *part)
{
        uint32_t mask = part->ima ? 0x7ffu : 0;

        if (part->boot && part->boot->log != POLICY_LOG_NONE)
                mask |= 0x5bffu; /* 0 to 9, 11, 12 and 14; 13 is that of launches */
        return mask;
}

static bool has_ima(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->ima;
}

static bool has_boot(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->boot;
}

/* Adds the layers for HOST, or (INTO NULL) counts them. */
static size_t add_layers(const struct policy_effective *e, const char *host, struct policy_source *into)
{
        size_t n = 0;

        for (size_t i = 0; i < e->n; i++) {
                const struct policy *p = e->versions[i].policy;

                for (size_t k = 0; k < p->n_parts; k++) {
                        if (!applies(&p->parts[k], host))
                                continue;
                        if (into)
                                into[n] = (struct policy_source){&e->versions[i], &p->parts[k]};
                        n++;
                }
        }
        return n;
}

static int choose_layers(struct policy_effective *e, const char *host, struct err *err)
{
        size_t n = add_layers(e, host, NULL);

        if (n == 0)
                return 0;
        e->layers = mem_zalloc(n, sizeof(*e->layers));
        if (!e->layers)
                return err_nomem(err);
        e->n_layers = add_layers(e, host, e->layers);
        for (size_t i = 0; i < n; i++)
                e->pcr_mask |= mask_of(e->layers[i].part);
        e->judges_ima = effective_all_say(e, has_ima, 0);
        e->judges_boot = effective_all_say(e, has_boot, 0);
        return e->judges_ima ? effective_ima_make(e, err) : 0;
}

const struct policy_part *effective_nearest(const struct policy_effective *e, size_t v,
                                            bool (*says)(const struct policy_part *part, unsigned what),
                                            unsigned what)
{
        for (size_t i = 0; i < e->n_layers; i++)
                if (e->layers[i].version == &e->versions[v] && says(e->layers[i].part, what))
                        return e->layers[i].part;
        return NULL;
}

bool effective_all_say(const struct policy_effective *e,
                       bool (*says)(const struct policy_part *part, unsigned what), unsigned what)
{
        for (size_t v = 0; v < e->n; v++)
                if (!effective_nearest(e, v, says, what))
                        return false;
        return true;
}

int policy_effective_new_for(const struct policy_version *versions, size_t n_versions, const char *host,
                             int64_t now_ms, struct policy_effective **ret, struct err *err)
{
        AUTO(policy_effective_free_p)
        struct policy_effective *e = NULL;
        AUTO(buf_free)
        struct buf text = {0};
        int r;

        if (n_versions == 0)
                return err_set(err, ERR_BUG, 0, "no policy version at all");
        e = mem_zalloc(1, sizeof(*e));
        if (!e)
                return err_nomem(err);
        e->refs = 1;
        e->at_ms = now_ms;
        e->changes_at_ms = POLICY_NEVER;
        r = choose(e, versions, n_versions, err);
        if (r == 0)
                r = choose_layers(e, host, err);
        if (r < 0)
                return r;
        describe(e, &text, &e->changes_at_ms);
        if (!buf_ok(&text))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&text), &e->digest, err);
        if (r < 0)
                return r;
        *ret = TAKE(e);
        return 0;
}

int policy_effective_new(const struct policy_version *versions, size_t n_versions, int64_t now_ms,
                         struct policy_effective **ret, struct err *err)
{
        return policy_effective_new_for(versions, n_versions, NULL, now_ms, ret, err);
}

bool policy_overlays_of(const struct policy_version *versions, size_t n_versions, const char *host,
                        struct buf *ret)
{
        bool any = false;

        for (size_t i = 0; i < n_versions; i++) {
                const struct policy *p = versions[i].policy;

                for (size_t k = 0; k < p->n_parts; k++) {
                        if (!p->parts[k].hosts)
                                continue;
                        any = true;
                        if (applies(&p->parts[k], host))
                                buf_fmt(ret, "%zu.%zu ", i, k);
                }
        }
        return any;
}

int policy_effective_for(const struct policy_effective *e, const char *host, struct policy_effective **ret,
                         struct err *err)
{
        AUTO(buf_free)
        struct buf names = {0};

        if (policy_overlays_of(e->versions, e->n, host, &names))
                return policy_effective_new_for(e->versions, e->n, host, e->at_ms, ret, err);
        *ret = policy_effective_ref((struct policy_effective *)(uintptr_t)e); /* only the count changes */
        return 0;
}

int64_t policy_effective_reappraise_ms(const struct policy_effective *e, int64_t interval_ms)
{
        int64_t stated = policy_effective_policy(e)->reappraise_ms;

        return stated ? stated : 5 * interval_ms;
}

struct policy_effective *policy_effective_ref(const struct policy_effective *e)
{
        struct policy_effective *mine = (struct policy_effective *)(uintptr_t)e; /* the count alone changes */

        (void)__atomic_add_fetch(&mine->refs, 1, __ATOMIC_RELAXED);
        return mine;
}

void policy_effective_free(struct policy_effective *e)
{
        if (!e || __atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return;
        for (size_t i = 0; i < e->n; i++)
                policy_unref(e->versions[i].policy);
        free(e->layers);
        free(e->required);
        ima_keys_free(e->keys);
        free(e);
}

const struct digest *policy_effective_digest(const struct policy_effective *e)
{
        return &e->digest;
}

int64_t policy_effective_changes_at_ms(const struct policy_effective *e)
{
        return e->changes_at_ms;
}

int64_t policy_effective_at_ms(const struct policy_effective *e)
{
        return e->at_ms;
}

const struct policy_version *policy_effective_newest(const struct policy_effective *e)
{
        return &e->versions[0];
}

const struct policy *policy_effective_policy(const struct policy_effective *e)
{
        return e->versions[0].policy;
}

const struct policy_version *policy_effective_versions(const struct policy_effective *e, size_t *ret_n)
{
        *ret_n = e->n;
        return e->versions;
}

uint32_t policy_effective_pcr_mask(const struct policy_effective *e)
{
        return e->pcr_mask;
}

struct policy_on_fail policy_effective_on_fail(const struct policy_effective *e, int64_t interval_ms)
{
        struct policy_on_fail all = {.destroy_after_ms = INT64_MAX};

        for (size_t i = 0; i < e->n; i++) {
                const struct policy_on_fail *one = &e->versions[i].policy->on_fail;
                int64_t after_ms = one->destroy_after_ms;

                all.destroy_now |= one->destroy_now;
                if (!one->destroy)
                        continue;
                all.destroy = true;
                if (after_ms == POLICY_DESTROY_DEFAULT)
                        after_ms = interval_ms / 2;
                if (after_ms < all.destroy_after_ms)
                        all.destroy_after_ms = after_ms;
        }
        return all;
}

bool policy_effective_judges_log(const struct policy_effective *e)
{
        for (size_t i = 0; i < e->n; i++)
                if (!e->versions[i].policy->judges_log)
                        return false;
        return true;
}

enum policy_answer policy_effective_ask(const struct policy_effective *e, const uint8_t *bytes,
                                        const struct policy_version **ret_version,
                                        const struct policy_digest **ret_digest)
{
        enum policy_answer answer = POLICY_UNKNOWN;
        const struct policy_digest *d = policy_find_denied(e->versions[0].policy, bytes);

        if (d) {
                *ret_version = &e->versions[0];
                *ret_digest = d;
                return POLICY_DENIED;
        }
        for (size_t i = 0; i < e->n; i++) {
                const struct policy_version *v = &e->versions[i];

                for (d = policy_find(v->policy, bytes, NULL); d; d = policy_find(v->policy, bytes, d)) {
                        bool in_time = d->until_ms > e->at_ms;

                        if (!in_time && answer == POLICY_EXPIRED)
                                continue;
                        *ret_version = v;
                        *ret_digest = d;
                        if (in_time)
                                return POLICY_ALLOWED;
                        answer = POLICY_EXPIRED;
                }
        }
        return answer;
}
