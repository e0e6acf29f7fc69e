/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: the one a handler gives, and the server's own refusals in the two dialects that routes may ask
 * for. What a peer learns from a refusal is what it may do about it; what went wrong inside stays in the log.
 * Spec: RFC 9457 (problem documents); keylime-wire 3.1 and 3.3.
 */
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "http/server_impl.h"
#include "wire/problem.h"

static const struct {
        int status;
        const char *reason, *type; /* the problem's short word */
} statuses[] = {
        {200, "OK", ""},
        {201, "Created", ""},
        {202, "Accepted", ""},
        {204, "No Content", ""},
        {304, "Not Modified", ""},
        {307, "Temporary Redirect", ""},
        {400, "Bad Request", "malformed"},
        {401, "Unauthorized", "unauthorized"},
        {403, "Forbidden", "forbidden"},
        {404, "Not Found", "not-found"},
        {405, "Method Not Allowed", "method"},
        {408, "Request Timeout", "timeout"},
        {409, "Conflict", "conflict"},
        {410, "Gone", "gone"},
        {412, "Precondition Failed", "precondition"},
        {413, "Content Too Large", "limit"},
        {415, "Unsupported Media Type", "media-type"},
        {417, "Expectation Failed", "expectation"},
        {422, "Unprocessable Content", "invalid"},
        {429, "Too Many Requests", "rate"},
        {431, "Request Header Fields Too Large", "limit"},
        {500, "Internal Server Error", "internal"},
        {501, "Not Implemented", "method"},
        {502, "Bad Gateway", "upstream"},
        {503, "Service Unavailable", "unavailable"},
        {504, "Gateway Timeout", "upstream"},
        {505, "HTTP Version Not Supported", "version"},
};

static size_t status_index(int status)
{
        for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
                if (statuses[i].status == status)
                        return i;
        return ARRAY_LEN(statuses);
}

const char *answer_reason(int status)
{
        size_t i = status_index(status);

        return i < ARRAY_LEN(statuses) ? statuses[i].reason : "Status";
}

static const char *problem_type(int status)
{
        size_t i = status_index(status);

        return i < ARRAY_LEN(statuses) ? statuses[i].type : "";
}

void request_end(struct http_request *req, int status)
{
        const struct http_server *s = req->server;

        if (s != NULL && s->observe != NULL && !req->observed)
                s->observe(s->observe_ctx, req,
                           req->match.row != NULL ? req->match.row->route->pattern : NULL, status,
                           loop_now_ms() - req->start_ms);
        request_free(req);
}

void http_answer_header(struct http_request *req, const char *name, const char *fmt, ...)
{
        AUTO(mem_free_p)
        char *value = NULL;
        struct answer_header *header, **at = &req->headers;
        size_t size;
        va_list ap;

        va_start(ap, fmt);
        value = str_vfmt(fmt, ap);
        va_end(ap);
        if (!value)
                return;
        for (const char *p = value; *p != '\0'; p++)
                if ((uint8_t)*p < 0x20 || *p == 0x7f)
                        return;
        size = strlen(name) + strlen(value) + 5;
        header = mem_alloc(sizeof(*header) + size);
        if (header == NULL)
                return;
        (void)snprintf(header->text, size, "%s: %s\r\n", name, value);
        header->next = NULL;
        while (*at != NULL)
                at = &(*at)->next;
        *at = header;
}

void http_answer_retry_after(struct http_request *req, int64_t after_ms)
{
        http_answer_header(req, "Retry-After", "%lld",
                           (long long)(after_ms <= 1000 ? 1 : (after_ms + 999) / 1000));
}

void http_answer_close(struct http_request *req)
{
        req->head.keep_alive = false;
}

static void build_head(const struct http_request *req, int status, const char *type, struct buf *head)
{
        buf_fmt(head, "HTTP/1.1 %d %s\r\n", status, answer_reason(status));
        if (type != NULL)
                buf_fmt(head, "Content-Type: %s\r\n", type);
        buf_fmt(head, "Cache-Control: no-store\r\nX-Request-Id: %s\r\n", req->id);
        for (const struct answer_header *h = req->headers; h != NULL; h = h->next)
                buf_str(head, h->text);
}

void http_answer(struct http_request *req, int status, const char *type, struct view body)
{
        AUTO(buf_free)
        struct buf head = {0};

        if (req->conn == NULL) {
                request_end(req, 0);
                return;
        }
        build_head(req, status, type, &head);
        conn_answer(req->conn, status, &head, body);
}

void http_answer_json(struct http_request *req, int status, const char *type, json_t *doc)
{
        AUTO(mem_free_p)
        char *text = NULL;

        if (doc != NULL)
                text = json_print(doc);
        json_decref(doc);
        if (text == NULL) {
                answer_refusal(req, 500, "Out of memory.");
                return;
        }
        http_answer(req, status, type != NULL ? type : "application/json", view_str(text));
}

static void answer_problem(struct http_request *req, int status, const char *where, const char *detail)
{
        AUTO(buf_free)
        struct buf body = {0};
        struct err err = ERR_INIT;

        if (wire_problem_encode(status, problem_type(status), answer_reason(status), detail, where, &body,
                                &err) < 0)
                buf_reset(&body);
        http_answer(req, status, body.len > 0 ? "application/problem+json" : NULL, VIEW_BUF(&body));
}

void http_answer_problem(struct http_request *req, int status, const char *where, const char *fmt, ...)
{
        char detail[ERR_TEXT_BYTES];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(detail, sizeof(detail), fmt, ap);
        va_end(ap);
        answer_problem(req, status, where, detail);
}

/* Keylime's dialect: two bodies, everything else empty. */
static void answer_keylime(struct http_request *req, int status, const char *action, const char *needs)
{
        AUTO(buf_free)
        struct buf body = {0};
        struct err err = ERR_INIT;
        int r = 0;

        if (status == 401)
                r = wire_unauthorized_encode(&body, &err);
        else if (status == 403)
                r = wire_forbidden_encode(action, needs, &body, &err);
        if (r < 0)
                buf_reset(&body);
        http_answer(req, status, body.len > 0 ? "application/json" : NULL, VIEW_BUF(&body));
}

static const char *action_name(const struct http_request *req, char *space, size_t size)
{
        const struct http_route *route = req->match.row != NULL ? req->match.row->route : NULL;

        if (route == NULL)
                return "unknown";
        if (route->action != NULL)
                return route->action;
        (void)snprintf(space, size, "%s %s", http_method_name(route->method), route->pattern);
        return space;
}

void answer_refusal(struct http_request *req, int status, const char *detail)
{
        AUTO(buf_free)
        struct buf needs = {0};
        AUTO(mem_free_p)
        char *text = NULL;
        const struct http_route *route = req->match.row != NULL ? req->match.row->route : NULL;
        char space[160];

        role_text(route != NULL ? route->roles : 0, &needs);
        text = buf_take_str(&needs);
        if (req->match.family == HTTP_KEYLIME) {
                answer_keylime(req, status, action_name(req, space, sizeof(space)),
                               text != NULL ? text : "another identity");
                return;
        }
        if (detail == NULL && status == 403)
                http_answer_problem(
                        req, status, NULL,
                        "%s is for: %s. Show a client certificate of the server's CA with such a role.",
                        action_name(req, space, sizeof(space)), text != NULL ? text : "other roles");
        else
                answer_problem(req, status, NULL,
                               detail != NULL ? detail : "The Authorization header is not a bearer token.");
}

void http_answer_refusal(struct http_request *req, int status, const char *detail)
{
        answer_refusal(req, status, detail);
}

void http_stream_start(struct http_request *req, int status, const char *type, loop_fn gone, void *ctx)
{
        AUTO(buf_free)
        struct buf head = {0};

        req->streaming = true;
        req->gone = gone;
        req->gone_ctx = ctx;
        if (req->conn == NULL)
                return; /* the next http_stream_send() says so */
        build_head(req, status, type, &head);
        conn_stream_start(req->conn, &head);
}

bool http_stream_send(struct http_request *req, struct view data)
{
        return req->conn != NULL && conn_stream_send(req->conn, data);
}

void http_stream_end(struct http_request *req)
{
        struct conn *c = req->conn;

        req->gone = NULL;
        if (c != NULL) {
                req->conn = NULL;
                conn_stream_end(c);
        }
        request_end(req, c != NULL ? 200 : 0);
}
