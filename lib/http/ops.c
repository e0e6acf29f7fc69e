/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four questions that operators and their tools ask, and the numbers every server keeps about its
 * requests. A route's metrics are counted under its pattern, never under a path, so that peers cannot make
 * series.
 */
#include "http/ops.h"

#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "config.h"

#define READY_MAX 8

struct ready_check {
        const char *name;
        ops_ready_fn fn;
        void *ctx;
};

struct ops {
        const struct http_server *server;
        struct ops_options opts;
        struct metrics *metrics;
        struct metric_histogram *latency;
        struct metric_series *connections, *refused, *gone;
        struct map by_route; /* "GET pattern 200" → series */
        struct ready_check ready[READY_MAX];
        size_t n_ready;
};

static void on_health(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer(req, 200, "text/plain; charset=utf-8", view_str("ok\n"));
}

static void on_ready(struct http_request *req, void *ctx)
{
        const struct ops *ops = ctx;
        json_t *doc = json_object(), *checks = json_object();
        bool ready = true;

        for (size_t i = 0; i < ops->n_ready; i++) {
                const char *why = ops->ready[i].fn(ops->ready[i].ctx);

                ready = ready && why == NULL;
                if (json_object_set_new(checks, ops->ready[i].name, json_string(why != NULL ? why : "ok")) <
                    0)
                        ready = false;
        }
        /* The checks first: setting consumes them, also when it fails. */
        if (json_object_set_new(doc, "checks", checks) < 0 ||
            json_object_set_new(doc, "ready", json_boolean(ready)) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        http_answer_json(req, ready ? 200 : 503, NULL, doc);
}

static void on_metrics(struct http_request *req, void *ctx)
{
        struct ops *ops = ctx;
        AUTO(buf_free)
        struct buf text = {0};

        metrics_text(ops->metrics, &text);
        if (!buf_ok(&text)) {
                http_answer_refusal(req, 503, "Out of memory.");
                return;
        }
        http_answer(req, 200, METRICS_TYPE, VIEW_BUF(&text));
}

/* {"code":200,"status":"Success","results":{"current_version":…,"supported_versions":[…],"avow":{…}}} */
static void on_version(struct http_request *req, void *ctx)
{
        const struct ops *ops = ctx;
        json_t *versions = json_array();

        for (const char *const *v = ops->opts.keylime_versions; v != NULL && *v != NULL; v++)
                if (json_array_append_new(versions, json_string(*v)) < 0)
                        break;
        http_answer_json(req, 200, NULL,
                         json_pack("{s:i, s:s, s:{s:s, s:o, s:{s:s, s:s}}}", "code", 200, "status", "Success",
                                   "results", "current_version", ops->opts.keylime_current,
                                   "supported_versions", versions, "avow", "program", ops->opts.program,
                                   "version", PACKAGE_VERSION));
}

static const struct http_route routes[] = {
        {HTTP_GET, "/healthz", ROLE_PUBLIC, on_health, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/readyz", ROLE_PUBLIC, on_ready, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/metrics", ROLE_PUBLIC, on_metrics, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/version", ROLE_PUBLIC, on_version, 0, HTTP_KEYLIME, NULL},
};

static void on_openapi(struct http_request *req, void *ctx)
{
        const struct ops *ops = ctx;

        http_answer(req, 200, "application/yaml", view_str(ops->opts.openapi));
}

static const struct http_route openapi_routes[] = {
        {HTTP_GET, "/avow/v1/openapi.yaml", ROLE_PUBLIC, on_openapi, 0, HTTP_NATIVE, NULL},
};

static struct metric_series *series_for(struct ops *ops, const char *method, const char *pattern, int status)
{
        char key[160], code[12];
        const struct metric_label labels[] = {{"method", method}, {"route", pattern}, {"status", code}};
        struct metric_series *series;
        struct err err = ERR_INIT;

        (void)snprintf(key, sizeof(key), "%s %s %d", method, pattern, status);
        (void)snprintf(code, sizeof(code), "%d", status);
        series = map_get(&ops->by_route, key);
        if (series != NULL)
                return series;
        if (metrics_add(ops->metrics, METRIC_COUNTER, "avow_http_requests", "Requests answered, by route.",
                        labels, ARRAY_LEN(labels), &series, &err) < 0)
                return NULL;
        /* Without its entry the next lookup adds the series again, is refused, and does not count: fine. */
        (void)!map_put(&ops->by_route, key, series);
        return series;
}

static void on_request(void *ctx, const struct http_request *req, const char *pattern, int status,
                       int64_t took_ms)
{
        struct ops *ops = ctx;
        struct metric_series *series;

        if (status == 0) {
                metric_inc(ops->gone);
                return;
        }
        series = series_for(ops, pattern != NULL ? http_method_name(http_request_method(req)) : "",
                            pattern != NULL ? pattern : "", status);
        if (series != NULL)
                metric_inc(series);
        metric_observe(ops->latency, (double)took_ms / 1000.0);
}

static void on_read(void *ctx)
{
        struct ops *ops = ctx;

        metric_set(ops->connections, (int64_t)http_server_connections(ops->server));
        metric_set(ops->refused, (int64_t)http_server_refused(ops->server));
}

static int add_metrics(struct ops *ops, struct err *err)
{
        static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
        const struct metric_label build[] = {{"program", ops->opts.program}, {"version", PACKAGE_VERSION}};
        struct metric_series *info = NULL;

        if (metrics_new(&ops->metrics, err) < 0 ||
            metrics_add(ops->metrics, METRIC_GAUGE, "avow_build_info", "What runs here; always 1.", build,
                        ARRAY_LEN(build), &info, err) < 0 ||
            metrics_add(ops->metrics, METRIC_GAUGE, "avow_http_connections", "Open connections.", NULL, 0,
                        &ops->connections, err) < 0 ||
            metrics_add(ops->metrics, METRIC_COUNTER, "avow_http_connections_refused",
                        "Connections closed at once because a peer or the server had too many.", NULL, 0,
                        &ops->refused, err) < 0 ||
            metrics_add(ops->metrics, METRIC_COUNTER, "avow_http_requests_abandoned",
                        "Requests whose peer left before the answer.", NULL, 0, &ops->gone, err) < 0 ||
            metrics_add_histogram(ops->metrics, "avow_http_request_duration_seconds",
                                  "From a request's first byte to its answer.", bounds, ARRAY_LEN(bounds),
                                  &ops->latency, err) < 0)
                return -(int)err->kind;
        metric_set(info, 1);
        return metrics_on_read(ops->metrics, on_read, ops, err);
}

int ops_new(struct http_server *server, const struct ops_options *opts, struct ops **ret_ops, struct err *err)
{
        AUTO(ops_free_p)
        struct ops *ops = mem_zalloc(1, sizeof(*ops));

        if (ops == NULL)
                return err_nomem(err);
        map_init(&ops->by_route, NULL);
        ops->server = server;
        ops->opts = *opts;
        if (add_metrics(ops, err) < 0 ||
            http_server_add_routes(server, routes, ARRAY_LEN(routes), ops, err) < 0 ||
            (opts->openapi &&
             http_server_add_routes(server, openapi_routes, ARRAY_LEN(openapi_routes), ops, err) < 0))
                return err_wrap(err, "operators' routes");
        http_server_observe(server, on_request, ops);
        *ret_ops = TAKE(ops);
        return 0;
}

void ops_free(struct ops *ops)
{
        if (ops == NULL)
                return;
        metrics_free(ops->metrics);
        map_done(&ops->by_route);
        free(ops);
}

int ops_add_ready(struct ops *ops, const char *name, ops_ready_fn fn, void *ctx, struct err *err)
{
        if (ops->n_ready == READY_MAX)
                return err_set(err, ERR_BUG, 0, "more than %d readiness checks", READY_MAX);
        ops->ready[ops->n_ready++] = (struct ready_check){name, fn, ctx};
        return 0;
}

struct metrics *ops_metrics(struct ops *ops)
{
        return ops->metrics;
}
