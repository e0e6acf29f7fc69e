/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and rules: what is shown of a host, what it is asked for, and when the rules change under it. */
#include "verifier/hosts.h"

#include <stdlib.h>

#include "crypto/key.h"
#include "policy/appraise.h"
#include "support/play_tpm.h"
#include "support/support.h"
#include "verifier/challenges.h"
#include "verifier/settings.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEAD "format: avow-policy/1\nname: p\n"

static const char text_a[] = HEAD "runtimes:\n- name: rt\n  digests: [" A "]\n";
static const char text_b[] =
        HEAD "freshness: {interval: 10s, grace: 3s}\nruntimes:\n- name: rt\n  digests: [" B "]\n";

struct fixture {
        struct rules *rules;
        struct hosts *hosts;
        struct play_tpm tpm;
        struct host *host;
};

static struct stored_policy stored(const char *text, int64_t version, int64_t until_ms)
{
        return (struct stored_policy){
                .name = (char *)"p",
                .version = version,
                .until_ms = until_ms,
                .text = {(uint8_t *)(uintptr_t)text, strlen(text), strlen(text), false}};
}

static int enrol(struct fixture *f, const char *name, const char *policy, struct host **ret, struct err *err)
{
        struct verifier_host from = {.enrolment = {.name = str_dup(name),
                                                   .policy = policy ? str_dup(policy) : NULL,
                                                   .enrolled_at_ms = 1000}};
        struct view ak = VIEW_BUF(&f->tpm.ak_pub);
        int r = -ERR_NOMEM;

        buf_put_view(&from.enrolment.ak, ak);
        if (from.enrolment.name && (!policy || from.enrolment.policy) && buf_ok(&from.enrolment.ak))
                r = hosts_add(f->hosts, f->rules, &from, 1000, 0, ret, err);
        verifier_host_free(&from);
        return r;
}

/* What the database remembers of a host's counters becomes names, once. */
static void counters_by_name(void **state)
{
        struct fixture *f = *state;
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct host_counters *kept = &f->host->s.counters;
        struct counters_record want;
        struct err err = ERR_INIT;

        assert_ok(host_counters(f->host, &err), &err);
        assert_false(f->host->counters.known); /* it never showed any */
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &kept->key, &err), &err);
        *kept = (struct host_counters){true, 0x01810100, 0x01810101, 7, 9, kept->key};
        assert_ok(counters_set(&want, VIEW_BUF(&kept->key), 0x01810100, 0x01810101, &err), &err);
        want.epoch.value = 7;
        want.floor.value = 9;
        assert_ok(host_counters(f->host, &err), &err);
        assert_memory_equal(&f->host->counters, &want, sizeof(want));
        f->host->counters.known = false;
        kept->key.p[0] ^= 1; /* a database that was edited */
        assert_err(host_counters(f->host, &err), ERR_FORMAT, &err, "web-1");
        assert_false(f->host->counters.known);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct stored_policy p = stored(text_a, 1, INT64_MAX);
        struct err err = ERR_INIT;

        assert_ok(rules_new(&f->rules, &err), &err);
        assert_ok(hosts_new(&f->hosts, &err), &err);
        play_tpm_init(&f->tpm, PLAY_AK_P256, DIGEST_SHA256);
        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err);
        assert_ok(enrol(f, "web-1", "p", &f->host, &err), &err);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        hosts_free(f->hosts);
        rules_free(f->rules);
        play_tpm_done(&f->tpm);
        free(f);
        return 0;
}

static void shown(void **state)
{
        struct fixture *f = *state;
        struct host *h = f->host;
        struct host_times t = {.interval_ms = 1000};

        h->evidence_ms = 0;
        assert_int_equal(host_shown(h, &t, 1000000), HOST_ENROLLED);
        h->s.judged = true;
        h->s.verdict = VERDICT_PASS;
        assert_int_equal(host_shown(h, &t, 2000), HOST_PASS);
        assert_int_equal(host_shown(h, &t, 2001), HOST_LATE); /* interval and grace */
        assert_int_equal(host_shown(h, &t, 5000), HOST_LATE);
        assert_int_equal(host_shown(h, &t, 5001), HOST_LOST);
        h->s.verdict = VERDICT_INCONCLUSIVE;
        assert_int_equal(host_shown(h, &t, 2000), HOST_INCONCLUSIVE);
        assert_int_equal(host_shown(h, &t, 5001), HOST_LOST);
        h->s.verdict = VERDICT_FAIL;
        assert_int_equal(host_shown(h, &t, 50001), HOST_FAIL); /* silence hides no failure */
        h->e.paused = true;
        assert_int_equal(host_shown(h, &t, 50001), HOST_PAUSED);
        h->e.paused = false;
        h->s.verdict = VERDICT_PASS;
        t.late_after_ms = 100;
        t.lost_after_ms = 200;
        assert_int_equal(host_shown(h, &t, 101), HOST_LATE);
        assert_int_equal(host_shown(h, &t, 201), HOST_LOST);
        assert_string_equal(host_shown_name(HOST_LATE), "late");
}

/* The keys at hand are those used last, and never more than the bound. */
static void keys(void **state)
{
        struct fixture *f = *state;
        struct host *hosts[HOSTS_KEYS_MAX + 1], *more;
        const struct pubkey *key = (void *)0xaa, *again = NULL;
        struct err err = ERR_INIT;
        char name[32];

        hosts[0] = f->host;
        for (int i = 1; i <= HOSTS_KEYS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "host-%d", i);
                assert_ok(enrol(f, name, "p", &hosts[i], &err), &err);
        }
        for (int i = 0; i < HOSTS_KEYS_MAX; i++)
                assert_ok(hosts_key(f->hosts, hosts[i], &key, &err), &err);
        assert_ok(hosts_key(f->hosts, hosts[0], &key, &err), &err); /* the last used now */
        assert_ok(hosts_key(f->hosts, hosts[0], &again, &err), &err);
        assert_ptr_equal(key, again);
        assert_ptr_equal(key, hosts[0]->key);
        hosts_remove(f->hosts, "host-1"); /* the oldest: makes room for one */
        assert_ok(enrol(f, "host-1", "p", &hosts[1], &err), &err);
        assert_null(hosts[1]->key);
        assert_ok(hosts_key(f->hosts, hosts[1], &key, &err), &err);
        assert_non_null(hosts[2]->key);
        assert_ok(hosts_key(f->hosts, hosts[HOSTS_KEYS_MAX], &key, &err), &err);
        assert_null(hosts[2]->key); /* the oldest */
        assert_non_null(hosts[0]->key);
        assert_non_null(hosts[3]->key);
        hosts_remove(f->hosts, "host-2"); /* one without a key */
        hosts_remove(f->hosts, "web-1");  /* from the middle */
        hosts_remove(f->hosts, "nobody");
        assert_ok(enrol(f, "more", "p", &more, &err), &err);
        assert_ok(hosts_key(f->hosts, more, &key, &err), &err);
        assert_non_null(hosts[3]->key);
}

static void suspended(void **state)
{
        struct fixture *f = *state;
        struct host *h = f->host;
        struct host_times t = {.interval_ms = 1000};
        const int64_t wall = 1000000;

        h->evidence_ms = 0;
        assert_false(
                host_suspended(h, &t, wall, 1000000)); /* never judged: nothing was given that could end */
        h->s.judged = true;
        h->s.enforced = true;
        h->s.verdict = VERDICT_PASS;
        h->s.pass_at_ms = wall;
        assert_false(host_suspended(h, &t, wall, 2000)); /* a lease of two intervals */
        assert_true(host_suspended(h, &t, wall, 2001));  /* whatever the wall clock says */
        t.lease_ms = 5000;
        assert_false(host_suspended(h, &t, wall, 5000));
        h->s.verdict = VERDICT_INCONCLUSIVE; /* the last pass still counts for its lease */
        assert_false(host_suspended(h, &t, wall + 5000, 0));
        assert_true(host_suspended(h, &t, wall + 5001, 0));
        assert_true(host_suspended(h, &t, wall - 1, 0));
        h->s.verdict = VERDICT_FAIL;
        assert_true(host_suspended(h, &t, wall, 0));
        h->s.enforced = false; /* only observed */
        assert_false(host_suspended(h, &t, wall, 0));
}

static void times(void **state)
{
        struct fixture *f = *state;
        struct host_times t = {.interval_ms = 1000};
        struct stored_policy p = stored(text_b, 1, INT64_MAX);
        struct err err = ERR_INIT;

        assert_int_equal(host_interval_ms(f->host, &t), 1000);
        assert_int_equal(host_grace_ms(f->host, &t), 1000);
        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err);
        assert_int_equal(host_interval_ms(f->host, &t), 10000); /* the policy's */
        assert_int_equal(host_grace_ms(f->host, &t), 3000);
        f->host->e.interval_ms = 7000; /* the host's own */
        assert_int_equal(host_interval_ms(f->host, &t), 7000);
}

/* Overlays are for the hosts that they name; hosts with the same ones share what holds. */
static void rules_of_each_host(void **state)
{
        static char text[] = "format: avow-policy/2\nname: p\nruntimes: []\n"
                             "overlays: [{hosts: 'web-*', ima: {}}]\n";
        struct fixture *f = *state;
        struct stored_policy v = stored(text, 2, INT64_MAX);
        const struct policy_effective *web1 = NULL, *web2 = NULL, *mail = NULL;
        struct err err = ERR_INIT;
        struct ruleset *s = rules_find(f->rules, "p");

        assert_ok(rules_replace(f->rules, "p", &v, 1, &err), &err);
        assert_ok(ruleset_effective(s, "web-1", 1000, &web1, &err), &err);
        assert_ok(ruleset_effective(s, "mail", 1000, &mail, &err), &err);
        assert_ok(ruleset_effective(s, "web-2", 1000, &web2, &err), &err);
        assert_ptr_equal(web1, web2);
        assert_ptr_not_equal(web1, mail);
        assert_false(digest_equal(policy_effective_digest(web1), policy_effective_digest(mail)));
}

static void rules_change_by_time(void **state)
{
        struct fixture *f = *state;
        struct stored_policy v[2] = {stored(text_b, 2, INT64_MAX), stored(text_a, 1, 5000)};
        const struct policy_effective *e = NULL;
        struct digest before, at_end;
        struct err err = ERR_INIT;
        struct ruleset *s = rules_find(f->rules, "p");

        assert_ok(rules_replace(f->rules, "p", v, 2, &err), &err);
        assert_ptr_equal(rules_find(f->rules, "p"), s); /* in place: hosts hold it */
        assert_int_equal(ruleset_hosts(s), 1);
        assert_ok(ruleset_effective(s, "web-1", 4999, &e, &err), &err);
        before = *policy_effective_digest(e);
        assert_ok(ruleset_effective(s, "web-1", 5000, &e, &err), &err);
        at_end = *policy_effective_digest(e);
        assert_false(digest_equal(&before, &at_end));                   /* SR-16: nobody pushed anything */
        assert_ok(ruleset_effective(s, "web-1", 4000, &e, &err), &err); /* the clock was set back */
        assert_true(digest_equal(policy_effective_digest(e), &before));
        v[0].text.len = 10;
        assert_err(rules_replace(f->rules, "p", v, 2, &err), ERR_CONFIG, &err, "policy 'p'");
        assert_int_equal(ruleset_newest(s)->version, 2); /* kept what it had */
}

static void rules_by_content(void **state)
{
        struct fixture *f = *state;
        struct ruleset *a = NULL, *b = NULL, *none = NULL;
        struct err err = ERR_INIT;

        assert_ok(rules_of_tpm_policy(f->rules, "{\"15\":\"" A "\"}", &a, &err), &err);
        assert_ok(rules_of_tpm_policy(f->rules, "{\"15\":\"" A "\"}", &b, &err), &err);
        assert_ptr_equal(a, b); /* one copy */
        assert_int_equal(ruleset_hosts(a), 2);
        assert_null(ruleset_name(a));
        assert_ok(rules_of_tpm_policy(f->rules, NULL, &none, &err), &err);
        assert_err(rules_of_tpm_policy(f->rules, "{\"99\":1}", &none, &err), ERR_FORMAT, &err, "tpm_policy");
        ruleset_unref(a);
        ruleset_unref(b);
        ruleset_unref(none);
        assert_ok(rules_of_tpm_policy(f->rules, "{\"15\":\"" A "\"}", &a, &err), &err);
        ruleset_unref(a);
}

static void a_policy_that_is_not_there(void **state)
{
        struct fixture *f = *state;
        struct challenge_wish wish = {.lifetime_ms = 1000};
        struct err err = ERR_INIT;
        struct host *h = NULL;

        assert_ok(enrol(f, "web-2", "q", &h, &err), &err);
        assert_null(h->rules);
        assert_err(challenge_new(h, &wish, 0, 0, &err), ERR_CONFIG, &err, "policy is not there");
        assert_ok(enrol(f, "web-2", "p", &h, &err), &err); /* it is there already, and stays as it is */
        assert_null(h->rules);
        rules_remove(f->rules, "p");
        assert_non_null(f->host->rules); /* who has it keeps it */
}

static void challenges(void **state)
{
        struct fixture *f = *state;
        struct host *h = f->host;
        struct challenge_wish wish = {.lifetime_ms = 60000, .boot_time_ms = 5};
        struct err err = ERR_INIT;
        struct challenge first;
        struct wire_asks asks;

        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        first = h->challenge;
        assert_true(first.out && !first.immediate);
        assert_int_equal(first.index, 1);
        assert_int_equal(first.expires_ms, 60010);
        assert_int_equal(first.expires_at_ms, 61000);
        memset(&asks, 0xaa, sizeof(asks));
        challenge_asks(&first, &asks);
        assert_int_equal(asks.n, 1); /* it never said that it has a log */
        assert_int_equal(asks.item[0].type, WIRE_TPM_QUOTE);
        assert_int_equal(asks.item[0].challenge_len, 32);
        assert_memory_equal(asks.item[0].challenge, first.nonce, 32);
        assert_int_equal(asks.item[0].scheme, WIRE_ECDSA);
        assert_int_equal(asks.item[0].hash, DIGEST_SHA256);
        assert_int_equal(asks.item[0].banks.n, 1);
        assert_int_equal(asks.item[0].banks.bank[0].alg, DIGEST_SHA256);
        assert_int_equal(asks.item[0].banks.bank[0].pcrs, 1u << 15);
        h->wants_log = true;
        wish.immediate = true;
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.index, 2);
        assert_int_equal(h->challenge.expires_ms, 10 + HOST_DEADLINE_MS);
        challenge_asks(&h->challenge, &asks);
        assert_int_equal(asks.n, 2);
        assert_int_equal(asks.item[1].type, WIRE_CEL_LOG);
        assert_true(asks.item[1].has_offset && asks.item[1].has_count);
        assert_memory_not_equal(h->challenge.nonce, first.nonce, 32);
}

/* SR-16: a host that passed goes on under the rules it was judged by until its turn to be read anew. */
static void changed_rules_wait_for_the_host_s_turn(void **state)
{
        struct fixture *f = *state;
        struct host *h = f->host;
        struct challenge_wish wish = {.lifetime_ms = 60000};
        const struct policy_effective *was = NULL, *is = NULL;
        struct stored_policy p = stored(text_b, 2, INT64_MAX);
        struct err err = ERR_INIT;
        int64_t turn_ms;

        assert_ok(ruleset_effective(h->rules, "web-1", 1000, &was, &err), &err);
        h->cont = continuation_new();
        h->cont->effective_policy = *policy_effective_digest(was);
        h->cont->pcr = 15;
        h->cont->pcr_value.alg = DIGEST_SHA256;
        h->cont->cel_entries = 7;
        h->s.verdict = VERDICT_PASS;
        h->wants_log = true;
        host_judged_by(h, was);
        was = h->judged_by;
        assert_ptr_equal(host_rules(h, was, 10), was);
        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err);
        assert_ok(ruleset_effective(h->rules, "web-1", 1000, &is, &err), &err);
        assert_ptr_equal(host_rules(h, is, 10), is); /* no kernel's list to be read: at once */
        h->cont->ima = ima_memory_new();
        assert_ptr_equal(host_rules(h, is, 10), was);
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 7);
        wish.for_release = true; /* what is released for is judged by the rules of now */
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
        assert_ok(host_choose_turn(h, 5000, 10, &err), &err);
        turn_ms = h->reappraise_ms;
        assert_true(turn_ms > 10 && turn_ms <= 5010);
        assert_ok(host_choose_turn(h, 5000, 10, &err), &err);
        assert_int_equal(h->reappraise_ms, turn_ms); /* once */
        assert_ptr_equal(host_rules(h, is, turn_ms - 1), was);
        assert_ptr_equal(host_rules(h, is, turn_ms), is);
        h->s.verdict = VERDICT_FAIL; /* who failed is judged by the mended rules at once */
        assert_ptr_equal(host_rules(h, is, 10), is);
        h->s.verdict = VERDICT_PASS;
        host_judged_by(h, is);
        assert_int_equal(h->reappraise_ms, 0);
        assert_ptr_equal(host_rules(h, is, 10), is);
        assert_ok(host_choose_turn(h, 0, 10, &err), &err); /* within no time at all */
        assert_int_equal(h->reappraise_ms, 11);
}

/* The log is asked for from where judging goes on, and from its start when that is void. */
static void offsets(void **state)
{
        struct fixture *f = *state;
        struct host *h = f->host;
        struct challenge_wish wish = {.lifetime_ms = 60000};
        const struct policy_effective *e = NULL;
        struct stored_policy p = stored(text_b, 2, INT64_MAX);
        struct err err = ERR_INIT;

        h->wants_log = true;
        h->cont = continuation_new();
        assert_ok(ruleset_effective(h->rules, "web-1", 1000, &e, &err), &err);
        h->cont->effective_policy = *policy_effective_digest(e);
        h->cont->pcr = 15;
        h->cont->pcr_value.alg = DIGEST_SHA256;
        h->cont->cel_entries = 7;
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 7);
        wish.from_start = true; /* the host says that it rebooted */
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
        wish = (struct challenge_wish){.lifetime_ms = 1, .full = true};
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
        assert_true(h->challenge.full);
        wish.full = false;
        h->s.asked_full = true; /* it never replayed since */
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
        h->s.asked_full = false;
        h->log_torn = true; /* what is on the disk has a hole */
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
        h->log_torn = false;
        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err); /* SR-16 */
        assert_ok(challenge_new(h, &wish, 1000, 10, &err), &err);
        assert_int_equal(h->challenge.log_offset, 0);
}

/* A row that was read before its host was removed does not bring it back; a host of that name that was
 * enrolled since is one. */
static void removed_while_reading(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct host *h;

        assert_false(hosts_was_removed(f->hosts, "web-1"));
        hosts_remove(f->hosts, "web-1");
        assert_false(hosts_was_removed(f->hosts, "web-1")); /* nothing is being read */
        assert_ok(enrol(f, "web-1", "p", &h, &err), &err);
        hosts_remember_removed(f->hosts, true);
        assert_false(hosts_was_removed(f->hosts, "web-1"));
        hosts_remove(f->hosts, "web-1");
        assert_true(hosts_was_removed(f->hosts, "web-1"));
        assert_false(hosts_was_removed(f->hosts, "web-2"));
        hosts_remember_removed(f->hosts, false);
        assert_true(hosts_was_removed(f->hosts, "web-1")); /* the last row may be on its way still */
        assert_ok(enrol(f, "web-1", "p", &h, &err), &err);
        assert_false(hosts_was_removed(f->hosts, "web-1"));
}

static bool is_not_b(const struct host *host, void *ctx)
{
        (void)ctx;
        return strcmp(host->e.name, "b") != 0;
}

static void sorted(void **state)
{
        static const char *const names[] = {"d", "a", "c", "b"};
        struct fixture *f = *state;
        struct host **list = NULL, *h;
        struct err err = ERR_INIT;

        for (size_t i = 0; i < 4; i++)
                assert_ok(enrol(f, names[i], NULL, &h, &err), &err);
        assert_int_equal(hosts_sorted(f->hosts, "a", 2, is_not_b, NULL, &list, &err), 2);
        assert_string_equal(list[0]->e.name, "c");
        assert_string_equal(list[1]->e.name, "d");
        free(list);
        hosts_remove(f->hosts, "c");
        assert_null(hosts_find(f->hosts, "c"));
        assert_int_equal(hosts_count(f->hosts), 4);
}

static void bad_rows(void **state)
{
        struct fixture *f = *state;
        struct verifier_host from = {.enrolment = {.name = str_dup("x")}};
        struct host *h;
        struct err err = ERR_INIT;

        POISON(h);
        buf_str(&from.enrolment.ak, "junk");
        assert_err(hosts_add(f->hosts, f->rules, &from, 0, 0, &h, &err), ERR_FORMAT, &err, NULL);
        assert_poisoned(h);
        verifier_host_free(&from);
        assert_null(hosts_find(f->hosts, "x"));
}

static int enrol_once(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct host *h = NULL;
        int r = enrol(f, "oom", "p", &h, err);

        if (r == 0)
                hosts_remove(f->hosts, "oom");
        return r;
}

static void oom(void **state)
{
        oom_each(enrol_once, *state);
}

/* ---- settings ---- */

#define TLS "tls: {cert: c, key: k}\n"

static void settings(void **state)
{
        struct settings s;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(
                settings_parse(view_str(TLS "interval: {default: 2s}\nhistory: {bundles: 5, bytes: 1MiB}\n"),
                               "v.yaml", &s, &err),
                &err);
        assert_int_equal(s.interval_ms, 2000);
        assert_int_equal(s.history.n_bundles, 5);
        assert_int_equal(s.history.bytes, 1 << 20);
        assert_int_equal(s.challenge_ms, 60000);
        assert_int_equal(s.surprise, 8);
        assert_false(s.keylime_admins);
        settings_done(&s);
        POISON(s);
        assert_err(settings_parse(view_str(TLS "intervall: {default: 2s}\n"), "v.yaml", &s, &err), ERR_CONFIG,
                   &err, "v.yaml:2:1");
        assert_err(settings_parse(view_str(TLS "registrar: {url: 'https://x'}\n"), "v.yaml", &s, &err),
                   ERR_CONFIG, &err, "registrar.ca");
        assert_err(settings_parse(view_str(TLS "roles:\n- {key_sha256: xx, roles: [admin]}\n"), "v.yaml", &s,
                                  &err),
                   ERR_CONFIG, &err, "64 lower-case");
        assert_err(settings_parse(view_str(TLS "roles:\n- {key_sha256: " A ", roles: [king]}\n"), "v.yaml",
                                  &s, &err),
                   ERR_CONFIG, &err, "no role");
        assert_err(settings_parse(view_str("interval: {default: 2s}\n"), "v.yaml", &s, &err), ERR_CONFIG,
                   &err, "tls.cert");
        assert_poisoned(s);
}

/* What is compared with the keys in evidence is a whole digest. */
static void ek_on_record(void **state)
{
        struct host *host = ((struct fixture *)*state)->host;
        char *kept = host->e.ek_sha256;
        char good[] = A, bad[] = "aaaa";
        struct digest ek, want;
        struct err err = ERR_INIT;
        uint8_t bytes[32];

        memset(bytes, 0xaa, sizeof(bytes));
        assert_ok(digest_set(DIGEST_SHA256, VIEW_ARRAY(bytes), &want, &err), &err);
        host->e.ek_sha256 = good;
        assert_ptr_equal(host_ek(host, &ek), &ek);
        assert_true(digest_equal(&ek, &want));
        host->e.ek_sha256 = bad;
        assert_null(host_ek(host, &ek));
        host->e.ek_sha256 = NULL;
        assert_null(host_ek(host, &ek));
        host->e.ek_sha256 = kept;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(counters_by_name),
                T(shown),
                T(keys),
                T(suspended),
                T(times),
                T(rules_of_each_host),
                T(rules_change_by_time),
                T(rules_by_content),
                T(a_policy_that_is_not_there),
                T(challenges),
                T(changed_rules_wait_for_the_host_s_turn),
                T(offsets),
                T(removed_while_reading),
                T(sorted),
                T(ek_on_record),
                T(bad_rows),
                T(oom),
                cmocka_unit_test(settings),
        };

        return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
