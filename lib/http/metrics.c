/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenMetrics text from counters that a program keeps by handle. Families stand in the order of their making,
 * which is the order in the text; a family's series stand together, as the format wants.
 * Spec: OpenMetrics 1.0.0 (text format: MetricFamily, counter "_total", histogram buckets cumulative, "#
 * EOF").
 */
#include "http/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define ON_READ_MAX 8

struct metric_series {
        struct metric_series *next;
        char *labels; /* `{a="b"}` or "" */
        int64_t value;
};

struct metric_histogram {
        const double *bounds;
        size_t n_bounds;
        uint64_t *counts; /* n_bounds + 1; not cumulative */
        uint64_t count;
        double sum;
};

enum family_kind { FAMILY_COUNTER = METRIC_COUNTER, FAMILY_GAUGE = METRIC_GAUGE, FAMILY_HISTOGRAM };

struct family {
        struct family *next;
        enum family_kind kind;
        char *name, *help;
        struct metric_series *series, **last;
        struct metric_histogram *histogram;
};

struct metrics {
        struct family *families, **last;
        struct {
                void (*fn)(void *ctx);
                void *ctx;
        } on_read[ON_READ_MAX];
        size_t n_on_read;
};

int metrics_new(struct metrics **ret_metrics, struct err *err)
{
        struct metrics *m = mem_zalloc(1, sizeof(*m));

        if (m == NULL)
                return err_nomem(err);
        m->last = &m->families;
        *ret_metrics = m;
        return 0;
}

static void family_free(struct family *f)
{
        while (f->series != NULL) {
                struct metric_series *s = f->series;

                f->series = s->next;
                free(s->labels);
                free(s);
        }
        if (f->histogram != NULL)
                free(f->histogram->counts);
        free(f->histogram);
        free(f->name);
        free(f->help);
        free(f);
}

void metrics_free(struct metrics *m)
{
        if (m == NULL)
                return;
        while (m->families != NULL) {
                struct family *f = m->families;

                m->families = f->next;
                family_free(f);
        }
        free(m);
}

static bool name_ok(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

        return *name != '\0' && !(*name >= '0' && *name <= '9') && name[strspn(name, allowed)] == '\0';
}

static struct family *find(const struct metrics *m, const char *name)
{
        for (struct family *f = m->families; f != NULL; f = f->next)
                if (strcmp(f->name, name) == 0)
                        return f;
        return NULL;
}

static int family_add(struct metrics *m, enum family_kind kind, const char *name, const char *help,
                      struct family **ret, struct err *err)
{
        struct family *f;

        if (!name_ok(name))
                return err_set(err, ERR_BUG, 0, "metric '%s': malformed name", name);
        f = mem_zalloc(1, sizeof(*f));
        if (f == NULL)
                return err_nomem(err);
        f->kind = kind;
        f->name = str_dup(name);
        f->help = str_dup(help);
        f->last = &f->series;
        if (f->name == NULL || f->help == NULL) {
                family_free(f);
                return err_nomem(err);
        }
        *m->last = f;
        m->last = &f->next;
        *ret = f;
        return 0;
}

static void put_escaped(struct buf *out, const char *s)
{
        for (; *s != '\0'; s++) {
                if (*s == '\n') {
                        buf_str(out, "\\n");
                        continue;
                }
                if (*s == '\\' || *s == '"')
                        buf_u8(out, '\\');
                buf_u8(out, (uint8_t)*s);
        }
}

static int labels_text(const struct metric_label *labels, size_t n, char **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf out = {0};

        for (size_t i = 0; i < n; i++) {
                if (!name_ok(labels[i].name))
                        return err_set(err, ERR_BUG, 0, "metric label '%s': malformed name", labels[i].name);
                buf_str(&out, i == 0 ? "{" : ",");
                buf_fmt(&out, "%s=\"", labels[i].name);
                put_escaped(&out, labels[i].value);
                buf_str(&out, "\"");
        }
        if (n > 0)
                buf_str(&out, "}");
        *ret = buf_take_str(&out);
        return *ret == NULL ? err_nomem(err) : 0;
}

static int series_add(struct family *f, char *labels, struct metric_series **ret, struct err *err)
{
        struct metric_series *s;

        for (s = f->series; s != NULL; s = s->next)
                if (strcmp(s->labels, labels) == 0)
                        return err_set(err, ERR_BUG, 0, "metric '%s%s' stands twice", f->name, labels);
        s = mem_zalloc(1, sizeof(*s));
        if (s == NULL)
                return err_nomem(err);
        s->labels = labels;
        *f->last = s;
        f->last = &s->next;
        *ret = s;
        return 0;
}

int metrics_add(struct metrics *m, enum metric_type type, const char *name, const char *help,
                const struct metric_label *labels, size_t n_labels, struct metric_series **ret_series,
                struct err *err)
{
        AUTO(mem_free_p)
        char *text = NULL;
        struct family *f = find(m, name);

        if (f != NULL && f->kind != (enum family_kind)type)
                return err_set(err, ERR_BUG, 0, "metric '%s' has two types", name);
        if (labels_text(labels, n_labels, &text, err) < 0 ||
            (f == NULL && family_add(m, (enum family_kind)type, name, help, &f, err) < 0) ||
            series_add(f, text, ret_series, err) < 0)
                return -(int)err->kind;
        text = NULL; /* the series' own now */
        return 0;
}

int metrics_add_histogram(struct metrics *m, const char *name, const char *help, const double *bounds,
                          size_t n_bounds, struct metric_histogram **ret_histogram, struct err *err)
{
        struct metric_histogram *h;
        struct family *f = NULL;

        if (find(m, name) != NULL)
                return err_set(err, ERR_BUG, 0, "metric '%s' stands twice", name);
        h = mem_zalloc(1, sizeof(*h));
        if (h == NULL)
                return err_nomem(err);
        h->bounds = bounds;
        h->n_bounds = n_bounds;
        h->counts = mem_zalloc(n_bounds + 1, sizeof(*h->counts));
        if (h->counts == NULL) {
                free(h);
                return err_nomem(err);
        }
        if (family_add(m, FAMILY_HISTOGRAM, name, help, &f, err) < 0) {
                free(h->counts);
                free(h);
                return -(int)err->kind;
        }
        f->histogram = h;
        *ret_histogram = h;
        return 0;
}

void metric_inc(struct metric_series *series)
{
        series->value++;
}

void metric_add(struct metric_series *series, uint64_t by)
{
        series->value += (int64_t)by;
}

void metric_set(struct metric_series *series, int64_t value)
{
        series->value = value;
}

int64_t metric_value(const struct metric_series *series)
{
        return series->value;
}

void metric_observe(struct metric_histogram *h, double value)
{
        size_t i = 0;

        while (i < h->n_bounds && value > h->bounds[i])
                i++;
        h->counts[i]++;
        h->count++;
        h->sum += value;
}

int metrics_on_read(struct metrics *m, void (*fn)(void *ctx), void *ctx, struct err *err)
{
        if (m->n_on_read == ON_READ_MAX)
                return err_set(err, ERR_BUG, 0, "metrics: more than %d readers", ON_READ_MAX);
        m->on_read[m->n_on_read].fn = fn;
        m->on_read[m->n_on_read++].ctx = ctx;
        return 0;
}

static void histogram_text(const struct family *f, struct buf *out)
{
        const struct metric_histogram *h = f->histogram;
        uint64_t sum = 0;

        for (size_t i = 0; i < h->n_bounds; i++) {
                sum += h->counts[i];
                buf_fmt(out, "%s_bucket{le=\"%g\"} %llu\n", f->name, h->bounds[i], (unsigned long long)sum);
        }
        buf_fmt(out, "%s_bucket{le=\"+Inf\"} %llu\n", f->name, (unsigned long long)h->count);
        buf_fmt(out, "%s_count %llu\n", f->name, (unsigned long long)h->count);
        buf_fmt(out, "%s_sum %.6f\n", f->name, h->sum);
}

static void family_text(const struct family *f, struct buf *out)
{
        static const char *const types[] = {
                [FAMILY_COUNTER] = "counter", [FAMILY_GAUGE] = "gauge", [FAMILY_HISTOGRAM] = "histogram"};

        buf_fmt(out, "# TYPE %s %s\n# HELP %s ", f->name, types[f->kind], f->name);
        put_escaped(out, f->help);
        buf_str(out, "\n");
        if (f->kind == FAMILY_HISTOGRAM)
                histogram_text(f, out);
        for (const struct metric_series *s = f->series; s != NULL; s = s->next)
                buf_fmt(out, "%s%s%s %lld\n", f->name, f->kind == FAMILY_COUNTER ? "_total" : "", s->labels,
                        (long long)s->value);
}

void metrics_text(struct metrics *m, struct buf *out)
{
        for (size_t i = 0; i < m->n_on_read; i++)
                m->on_read[i].fn(m->on_read[i].ctx);
        for (const struct family *f = m->families; f != NULL; f = f->next)
                family_text(f, out);
        buf_str(out, "# EOF\n");
}
