/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of deliveries, its own hooks among it, and what is counted. */
#include "delivery_impl.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define JOURNAL "journal"

static int list_text(const struct conf *c, const char *key, char **ret, struct err *err)
{
        const struct strv *list = conf_list(c, key);
        json_t *j;

        if (list->n == 0)
                return 0;
        j = json_array();
        for (size_t i = 0; i < list->n; i++)
                (void)json_array_append_new(j, json_string(list->items[i])); /* a loss shows in the count */
        *ret = json_array_size(j) == list->n ? json_print(j) : NULL;
        json_decref(j);
        return *ret ? 0 : err_nomem(err);
}

static int read_exec(const struct conf *c, const struct delivery *d, struct hook *h, struct err *err)
{
        struct err why = ERR_INIT;
        int r;

        *h = (struct hook){.kind = HOOK_EXEC,
                           .configured = true,
                           .timeout_ms = conf_int(c, "timeout"),
                           .name = str_dup(conf_str(c, "name")),
                           .program = str_dup(conf_str(c, "program")),
                           .tenant = str_dup(conf_str(c, "tenant"))};
        if (!h->name || !h->program || !h->tenant)
                return err_nomem(err);
        r = list_text(c, "hosts", &h->filter.hosts, err);
        if (r >= 0)
                r = list_text(c, "policies", &h->filter.policies, err);
        if (r >= 0)
                r = list_text(c, "severities", &h->filter.severities, err);
        if (r >= 0)
                r = list_text(c, "reactions", &h->filter.reactions, err);
        if (r >= 0 && exec_check(d->programs, h->program, &why) < 0)
                log_err(&why, "hook %s", h->name); /* looked at again before each run */
        return r;
}

static int read_configured(struct delivery *d, const struct conf *c, struct err *err)
{
        size_t n = conf_n_items(c, "hooks.exec");

        d->configured = mem_zalloc(n + 1, sizeof(*d->configured));
        if (!d->configured)
                return err_nomem(err);
        while (d->n_configured < n) {
                size_t i = d->n_configured++;
                int r = read_exec(conf_item(c, "hooks.exec", i), d, &d->configured[i], err);

                if (r < 0)
                        return r;
        }
        if (d->s.journal) {
                struct hook *h = &d->configured[d->n_configured++];

                *h = (struct hook){.kind = HOOK_JOURNAL,
                                   .configured = true,
                                   .name = str_dup(JOURNAL),
                                   .tenant = str_dup("default")};
                if (!h->name || !h->tenant)
                        return err_nomem(err);
        }
        return 0;
}

int delivery_read_settings(struct delivery *d, const struct settings *s, struct err *err)
{
        const struct strv *networks = s->hooks.networks;

        d->s = s->hooks;
        d->s.networks = NULL; /* its texts are the configuration's, which may be replaced */
        d->s.ca = d->s.programs = NULL;
        d->ca = str_dup(s->hooks.ca);
        d->programs = str_dup(s->hooks.programs);
        d->networks = mem_zalloc(networks->n + 1, sizeof(*d->networks));
        if (!d->ca || !d->programs || !d->networks)
                return err_nomem(err);
        for (size_t i = 0; i < networks->n; i++)
                d->n_networks += network_parse(networks->items[i], &d->networks[d->n_networks]);
        return read_configured(d, s->conf, err);
}

static void on_counts(void *ctx, const struct hooks_counts *counts, const struct err *err)
{
        struct delivery *d = ctx;

        if (err)
                return; /* the store's health says it at /readyz */
        metric_set(d->n_pending, counts->pending);
        metric_set(d->n_parked, counts->parked);
        metric_set(d->n_revocations, counts->revocations);
}

/* Shown with the next reading of the metrics. */
static void on_metrics_read(void *ctx)
{
        struct delivery *d = ctx;
        struct err err = ERR_INIT;

        if (hooks_db_counts(d->db, on_counts, d, &err) < 0)
                log_err(&err, "counting the outbox");
}

int delivery_add_metrics(struct delivery *d, struct metrics *m, struct err *err)
{
        static const char *const names[OUT_N] = {"delivered", "failed", "parked", "skipped"};
        static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300, 3600};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < OUT_N; i++) {
                const struct metric_label label = {"outcome", names[i]};

                r = metrics_add(m, METRIC_COUNTER, "avow_registrar_deliveries", "Attempts by outcome.",
                                &label, 1, &d->outcomes[i], err);
        }
        if (r >= 0)
                r = metrics_add_histogram(m, "avow_registrar_delivery_seconds",
                                          "From a revocation's receipt to a hook's having it.", bounds,
                                          ARRAY_LEN(bounds), &d->seconds, err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_outbox_pending",
                                "Deliveries that are due, wait, or are under way.", NULL, 0, &d->n_pending,
                                err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_outbox_parked",
                                "Deliveries that were given up until somebody replays them.", NULL, 0,
                                &d->n_parked, err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_revocations_stored",
                                "Revocations that were received.", NULL, 0, &d->n_revocations, err);
        return r < 0 ? r : metrics_on_read(m, on_metrics_read, d, err);
}
