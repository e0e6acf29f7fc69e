/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ruleset lives as long as a host or the table of names refers to it. Replacing the versions of a name
 * changes the ruleset in place, so every host under it has the new rules at its next evidence, and its
 * continuation is void then (SR-16).
 */
#include "verifier/rules.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define NO_DEMANDS "{}"

struct ruleset {
        struct rules *table; /* whose `inline_` it is in; NULL: by name */
        char *name;          /* NULL: of a tpm_policy */
        char *key;           /* of a tpm_policy: its text */
        char *pushed_by;     /* the newest version */
        size_t refs;
        struct policy_version versions[EFFECTIVE_VERSIONS_MAX];
        size_t n;
        struct map effective; /* struct policy_effective, by the overlays that apply */
};

struct rules {
        struct map names; /* struct ruleset, one reference each */
        struct map texts; /* of tpm_policies, borrowed: they leave when unreferenced */
};

static void drop_versions(struct ruleset *s)
{
        map_clear(&s->effective);
        for (size_t i = 0; i < s->n; i++)
                policy_unref(s->versions[i].policy);
        s->n = 0;
}

struct ruleset *ruleset_ref(struct ruleset *s)
{
        s->refs++;
        return s;
}

void ruleset_unref(struct ruleset *s)
{
        if (!s || --s->refs > 0)
                return;
        if (s->table)
                (void)map_take(&s->table->texts, s->key);
        drop_versions(s);
        map_done(&s->effective);
        free(s->name);
        free(s->key);
        free(s->pushed_by);
        free(s);
}

static void free_effective(void *p)
{
        policy_effective_free(p);
}

static void unref_value(void *p)
{
        ruleset_unref(p);
}

int rules_new(struct rules **ret, struct err *err)
{
        struct rules *r = mem_zalloc(1, sizeof(*r));

        if (!r)
                return err_nomem(err);
        map_init(&r->names, unref_value);
        map_init(&r->texts, NULL);
        *ret = r;
        return 0;
}

void rules_free(struct rules *r)
{
        if (!r)
                return;
        map_done(&r->names);
        map_done(&r->texts);
        free(r);
}

static int ruleset_new(const char *name, struct ruleset **ret, struct err *err)
{
        AUTO(ruleset_unref_p)
        struct ruleset *s = mem_zalloc(1, sizeof(*s));

        if (!s)
                return err_nomem(err);
        s->refs = 1;
        map_init(&s->effective, free_effective);
        s->name = name ? str_dup(name) : NULL;
        if (name && !s->name)
                return err_nomem(err);
        *ret = TAKE(s);
        return 0;
}

/* ---- by name ---- */

static int compile(const struct stored_policy *stored, size_t n, struct ruleset *into, struct err *err)
{
        if (n > EFFECTIVE_VERSIONS_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu versions in force, at most %d", n,
                               EFFECTIVE_VERSIONS_MAX);
        into->pushed_by = n && stored[0].actor ? str_dup(stored[0].actor) : NULL;
        if (n && stored[0].actor && !into->pushed_by)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                const char *source = stored[i].source ? stored[i].source : stored[i].name;
                struct policy *policy = NULL;
                int r = policy_parse(VIEW_BUF(&stored[i].text), source, &policy, err);

                if (r < 0)
                        return err_wrap(err, "version %lld", (long long)stored[i].version);
                into->versions[into->n++] = (struct policy_version){.policy = policy,
                                                                    .version = (uint32_t)stored[i].version,
                                                                    .until_ms = stored[i].until_ms};
        }
        return 0;
}

int rules_replace(struct rules *r, const char *name, const struct stored_policy *versions, size_t n,
                  struct err *err)
{
        AUTO(ruleset_unref_p)
        struct ruleset *fresh = NULL;
        struct ruleset *had = map_get(&r->names, name);

        if (ruleset_new(name, &fresh, err) < 0 || compile(versions, n, fresh, err) < 0)
                return err_wrap(err, "policy '%s'", name);
        if (had) {
                drop_versions(had);
                for (size_t i = 0; i < fresh->n; i++)
                        had->versions[i] = fresh->versions[i];
                had->n = fresh->n;
                fresh->n = 0;
                free(had->pushed_by);
                had->pushed_by = TAKE(fresh->pushed_by);
                return 0;
        }
        if (map_put(&r->names, name, fresh) < 0)
                return err_nomem(err);
        (void)TAKE(fresh);
        return 0;
}

void rules_remove(struct rules *r, const char *name)
{
        (void)map_remove(&r->names, name);
}

size_t rules_count(const struct rules *r)
{
        return map_count(&r->names);
}

int rules_check_next(struct rules *r, const char *name, struct policy *next, int64_t overlap_ms,
                     int64_t now_ms, struct policy_effective **ret, struct err *err)
{
        struct policy_version versions[EFFECTIVE_VERSIONS_MAX + 1];
        struct ruleset *had = map_get(&r->names, name);
        size_t n = 1;

        versions[0] = (struct policy_version){.policy = next,
                                              .version = had && had->n ? had->versions[0].version + 1 : 1,
                                              .until_ms = POLICY_NEVER};
        for (size_t i = 0; had && i < had->n; i++) {
                versions[n] = had->versions[i];
                if (versions[n].until_ms > overlap_ms)
                        versions[n].until_ms = overlap_ms;
                n++;
        }
        return policy_effective_new(versions, n, now_ms, ret, err);
}

struct ruleset *rules_find(struct rules *r, const char *name)
{
        return map_get(&r->names, name);
}

/* ---- by content ---- */

int rules_of_tpm_policy(struct rules *r, const char *json, struct ruleset **ret, struct err *err)
{
        AUTO(ruleset_unref_p)
        struct ruleset *s = NULL;
        const char *text = json ? json : NO_DEMANDS;
        struct ruleset *had = map_get(&r->texts, text);

        if (had) {
                *ret = ruleset_ref(had);
                return 0;
        }
        if (ruleset_new(NULL, &s, err) < 0)
                return -ERR_NOMEM;
        s->key = str_dup(text);
        if (!s->key)
                return err_nomem(err);
        s->versions[0] = (struct policy_version){.version = 1, .until_ms = POLICY_NEVER};
        if (policy_from_tpm_policy(view_str(text), "tpm_policy", &s->versions[0].policy, err) < 0)
                return err_wrap(err, "tpm_policy");
        s->n = 1;
        if (map_put(&r->texts, text, s) < 0)
                return err_nomem(err);
        s->table = r;
        *ret = TAKE(s);
        return 0;
}

/* ---- what holds ---- */

const char *ruleset_name(const struct ruleset *s)
{
        return s->name;
}

size_t ruleset_hosts(const struct ruleset *s)
{
        return s->refs - (s->name ? 1 : 0);
}

const struct policy_version *ruleset_newest(const struct ruleset *s)
{
        return s->n ? &s->versions[0] : NULL;
}

const char *ruleset_pushed_by(const struct ruleset *s)
{
        return s->pushed_by;
}

int ruleset_effective(struct ruleset *s, const char *host, int64_t now_ms,
                      const struct policy_effective **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf overlays = {0};
        struct policy_effective *e;
        int r;

        if (s->n == 0)
                return err_set(err, ERR_CONFIG, 0, "policy '%s' has no version in force",
                               s->name ? s->name : "");
        buf_str(&overlays, "overlays ");
        (void)policy_overlays_of(s->versions, s->n, host, &overlays);
        if (!buf_ok(&overlays))
                return err_nomem(err);
        e = map_get_bytes(&s->effective, VIEW_BUF(&overlays));
        /* also made anew when the clock went back: its time is part of what it is */
        if (!e || now_ms >= policy_effective_changes_at_ms(e) || now_ms < policy_effective_at_ms(e)) {
                r = policy_effective_new_for(s->versions, s->n, host, now_ms, &e, err);
                if (r < 0)
                        return r;
                if (map_put_bytes(&s->effective, VIEW_BUF(&overlays), e) < 0) {
                        policy_effective_free(e);
                        return err_nomem(err);
                }
        }
        *ret = e;
        return 0;
}
