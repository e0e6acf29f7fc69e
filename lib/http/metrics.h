/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_METRICS_H
#define AVOW_HTTP_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * A registry of counters, gauges and histograms, and their OpenMetrics text. Series are made once, at start,
 * and counted by handle; nothing is looked up on the way. Not thread-safe: one registry per loop. Pure.
 * Spec: OpenMetrics 1.0.0.
 */
struct metrics;
struct metric_series; /* one line of a counter or gauge */
struct metric_histogram;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric_label {
        const char *name, *value;
};

int metrics_new(struct metrics **ret_metrics, struct err *err) MUST_USE;
void metrics_free(struct metrics *metrics);
DEFINE_AUTO(struct metrics, metrics_free)

/*
 * One series of the family NAME (without "_total": the text adds it to counters); the first series of a
 * family fixes its type and help. Texts are copied; label values may hold anything. The handle lives as long
 * as the registry. Return: 0; -ERR_BUG for a malformed name, a type that differs or the same labels twice;
 * -ERR_NOMEM.
 */
int metrics_add(struct metrics *metrics, enum metric_type type, const char *name, const char *help,
                const struct metric_label *labels, size_t n_labels, struct metric_series **ret_series,
                struct err *err) MUST_USE;
/* BOUNDS ascend; +Inf is added. They must outlive the registry (a static table). */
int metrics_add_histogram(struct metrics *metrics, const char *name, const char *help, const double *bounds,
                          size_t n_bounds, struct metric_histogram **ret_histogram, struct err *err) MUST_USE;

void metric_inc(struct metric_series *series);
void metric_add(struct metric_series *series, uint64_t by);
/* Gauges. */
void metric_set(struct metric_series *series, int64_t value);
int64_t metric_value(const struct metric_series *series);
void metric_observe(struct metric_histogram *histogram, double value);

/* Called before each text is made, to set gauges. At most 8. */
int metrics_on_read(struct metrics *metrics, void (*fn)(void *ctx), void *ctx, struct err *err) MUST_USE;

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
/* Appends the whole exposition, ending in "# EOF\n". */
void metrics_text(struct metrics *metrics, struct buf *out);

#endif
