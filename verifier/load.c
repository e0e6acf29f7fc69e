/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling the tables from the database: policies first, then hosts page by page, while the port answers
 * already. A host that comes before its page is read by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/verifier_permits.h"
#include "verifier/modules.h"
#include "verifier/permits.h"
#include "verifier/trust.h"

/* Few enough that the loop answers between two pages. */
#define PAGE 32

/* *RET: NULL if it was removed while its row was on the way. */
static int add_one(struct verifier *v, struct verifier_host *from, struct host **ret, struct err *err)
{
        struct host *host = NULL;
        int r;

        *ret = NULL;
        if (hosts_was_removed(v->hosts, from->enrolment.name))
                return 0; /* the row is older than that */
        r = hosts_add(v->hosts, v->rules, from, clock_now_ms(), loop_now_ms(), &host, err);
        if (r < 0)
                return r;
        if (!host->rules)
                log_warning("host %s has no policy that can be read: its evidence is refused until it has",
                            SHOW(host->e.name));
        host->shown = verifier_shown(v, host);
        trust_loaded(v, host);
        *ret = host;
        return 0;
}

/* ---- all of them ---- */

static void on_page(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                    const struct err *e);

static void next_page(struct verifier *v, const char *tenant, const char *name)
{
        struct err err = ERR_INIT;

        if (verifier_db_page(v->db, tenant, name, PAGE, on_page, v, &err) < 0)
                log_err(&err, "hosts are read one by one, as they come");
}

static void on_page(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                    const struct err *e)
{
        struct verifier *v = ctx;
        AUTO(mem_free_p) char *tenant = NULL;
        AUTO(mem_free_p) char *name = NULL;

        if (outcome == STORE_FAILED) {
                log_err(e, "reading the hosts");
                return;
        }
        if (n == PAGE) {
                tenant = TAKE(hosts[n - 1].enrolment.tenant);
                name = str_dup(hosts[n - 1].enrolment.name);
        }
        for (size_t i = 0; i < n; i++) {
                struct err err = ERR_INIT;
                struct host *host;

                if (add_one(v, &hosts[i], &host, &err) < 0)
                        log_err(&err, "a host cannot be used");
        }
        if (n == PAGE && tenant && name) {
                next_page(v, tenant, name);
                return;
        }
        v->loading = false;
        hosts_remember_removed(v->hosts, false);
        log_info("%zu hosts, %zu policies", hosts_count(v->hosts), rules_count(v->rules));
}

/* How many of the N begin with the first one's name. */
static size_t run_of_name(const struct stored_policy *policies, size_t n)
{
        size_t run = 1;

        while (run < n && str_equal(policies[0].name, policies[run].name))
                run++;
        return run;
}

/* Before the hosts: their logs are compared with these. */
static void on_permits(void *ctx, enum store_outcome outcome, const struct stored_permit *permits, size_t n,
                       const struct err *e)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED)
                log_err(e, "reading the permits");
        for (size_t i = 0; i < n; i++)
                if (permits_add(v->permits, permits[i].host, &permits[i].permit, &err) < 0)
                        log_err(&err, "a permit cannot be remembered");
        next_page(v, NULL, NULL);
}

static void on_modules(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                       const struct err *e)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED)
                log_err(e, "reading the module policies");
        for (size_t i = 0, run; i < n; i += run) {
                run = run_of_name(policies + i, n - i);
                if (modules_replace(v->modules, policies[i].name, &policies[i], run, &err) < 0)
                        log_err(&err, "a module policy cannot be used");
        }
        if (verifier_db_permits_open(v->db, on_permits, v, &err) < 0)
                log_err(&err, "reading the permits");
}

/* Rows come ordered by name: each run of one name is a ruleset. */
static void on_policies(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                        const struct err *e)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED) {
                log_err(e, "reading the policies");
                return;
        }
        for (size_t i = 0, run; i < n; i += run) {
                run = run_of_name(policies + i, n - i);
                if (rules_replace(v->rules, policies[i].name, &policies[i], run, &err) < 0)
                        log_err(&err, "a policy cannot be used");
        }
        v->rules_loaded = true;
        if (verifier_db_policies_in_force(v->db, STORED_MODULES, NULL, NULL, clock_now_ms(), on_modules, v,
                                          &err) < 0)
                log_err(&err, "reading module policies");
}

int load_start(struct verifier *v, struct err *err)
{
        v->loading = true;
        hosts_remember_removed(v->hosts, true);
        return verifier_db_policies_in_force(v->db, STORED_POLICY, NULL, NULL, clock_now_ms(), on_policies, v,
                                             err);
}

/* ---- one of them ---- */

struct wanted {
        struct verifier *v;
        load_host_fn done;
        void *ctx;
};

static void on_host(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                    const struct err *e)
{
        AUTO(mem_free_p) struct wanted *w = ctx;
        struct err err = ERR_INIT;
        struct host *host = NULL;

        if (outcome == STORE_FAILED)
                w->done(w->ctx, NULL, e);
        else if (n == 0)
                w->done(w->ctx, NULL, NULL);
        else if (add_one(w->v, &hosts[0], &host, &err) < 0)
                w->done(w->ctx, NULL, &err);
        else
                w->done(w->ctx, host, NULL);
}

void load_host(struct verifier *v, const char *name, load_host_fn done, void *ctx)
{
        struct host *host = hosts_find(v->hosts, name);
        struct err err = ERR_INIT;
        struct wanted *w;

        if (host || !v->loading) {
                done(ctx, host, NULL);
                return;
        }
        w = mem_zalloc(1, sizeof(*w));
        if (w)
                *w = (struct wanted){.v = v, .done = done, .ctx = ctx};
        /* before the policies are there a host cannot be judged; this waits behind them in the same queue */
        if (!w || verifier_db_get(v->db, NULL, name, on_host, w, &err) < 0) {
                free(w);
                (void)err_nomem(&err);
                done(ctx, NULL, &err);
        }
}
