/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as its handler sees it. Head, parameters and body belong to the request, not to the connection,
 * so that a handler may keep it while the peer goes away. Before a handler sees it, the row was found, the
 * peer was let in, and the body is complete and within the limit of row and peer.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_impl.h"

#define QUERY_MAX 32

struct http_request *request_new(struct conn *c)
{
        struct http_request *req = mem_zalloc(1, sizeof(*req));

        if (req == NULL)
                return NULL;
        req->conn = c;
        req->server = c->server;
        req->next = req->server->requests;
        if (req->next != NULL)
                req->next->prev = req;
        req->server->requests = req;
        req->peer = c->peer;
        req->at_ms = clock_now_ms();
        /* A connection may outlive the certificate that it was opened with. A role that a key was granted
         * ends with it too: the next connection finds out. */
        if (req->peer.verified && req->at_ms > c->cert_end_ms) {
                req->peer.verified = false;
                req->peer.roles = 0;
        }
        req->start_ms = loop_now_ms();
        (void)snprintf(req->id, sizeof(req->id), "%016llx", (unsigned long long)c->server->next_id++);
        return req;
}

void request_free(struct http_request *req)
{
        struct answer_header *header, *next;

        if (req == NULL)
                return;
        if (req->prev != NULL)
                req->prev->next = req->next;
        else if (req->server != NULL)
                req->server->requests = req->next;
        if (req->next != NULL)
                req->next->prev = req->prev;
        for (header = req->headers; header != NULL; header = next) {
                next = header->next;
                free(header);
        }
        buf_free(&req->body);
        free(req->query);
        free(req->query_text);
        free(req->path);
        if (req->text != NULL)
                mem_wipe(req->text, req->text_len); /* it may hold a token */
        free(req->text);
        free(req);
}

void request_take_place(struct http_request *stub, struct http_request *old)
{
        stub->conn->req = stub;
        stub->head.method = old->head.method;
        stub->head.head_only = old->head.head_only;
        stub->match = old->match;
        stub->match.n_params = 0;
        stub->at_ms = old->at_ms;
        stub->start_ms = old->start_ms;
        memcpy(stub->id, old->id, sizeof(stub->id));
        old->conn = NULL;
        old->observed = true;
}

static enum router_token token_kind(const struct http_head *head)
{
        const char *value = http_head_get(head, "Authorization");

        if (value == NULL)
                return ROUTER_NO_TOKEN;
        return strncasecmp(value, "Bearer ", 7) == 0 && value[7] != '\0' ? ROUTER_TOKEN : ROUTER_BAD_TOKEN;
}

/* The peer's own id is taken over if it is harmless. */
static void take_id(struct http_request *req)
{
        const char *id = http_head_get(&req->head, "X-Request-Id");
        size_t n;

        if (id == NULL)
                return;
        n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        if (n > 0 && n < sizeof(req->id) && id[n] == '\0')
                memcpy(req->id, id, n + 1);
}

static bool check_body(struct http_request *req, struct http_refusal *no)
{
        const struct http_limits *limits = &req->conn->server->limits;
        size_t most = req->peer.roles != 0 ? limits->role_body_bytes : limits->anonymous_body_bytes;
        size_t row = req->match.row->route->body_limit;

        if (row == 0)
                row = limits->anonymous_body_bytes;
        req->body_limit = row < most ? row : most;
        if (req->head.framing == HTTP_BODY_LENGTH && req->head.length > req->body_limit) {
                *no = (struct http_refusal){413, "The body is too large."};
                return false;
        }
        return true;
}

/* 404, or 405 with the methods that there are. */
static bool no_row(struct http_request *req, struct http_refusal *no)
{
        char allow[64] = "";
        size_t at = 0;

        *no = (struct http_refusal){404, "There is nothing at this path."};
        if (req->match.allow == 0)
                return false;
        for (enum http_method m = HTTP_GET; m <= HTTP_DELETE; m++)
                if (req->match.allow & 1u << m)
                        at += (size_t)snprintf(allow + at, sizeof(allow) - at, "%s%s", at > 0 ? ", " : "",
                                               http_method_name(m));
        http_answer_header(req, "Allow", "%s", allow);
        *no = (struct http_refusal){405, "This path has no such method."};
        return false;
}

bool request_begin(struct http_request *req, struct view text, struct http_refusal *no)
{
        int status;

        *no = (struct http_refusal){503, "Out of memory."};
        req->text = mem_alloc(text.len + 1);
        if (req->text == NULL)
                return false;
        memcpy(req->text, text.p, text.len);
        req->text_len = text.len;
        if (!http_head_parse(req->text, text.len, req->conn->server->limits.headers, &req->head, no))
                return false;
        take_id(req);
        req->path = str_dup(req->head.path);
        if (req->path == NULL)
                return false;
        router_match(&req->conn->server->router, req->head.method, req->path, &req->match);
        if (req->match.row == NULL)
                return no_row(req, no);
        status = router_authorize(req->match.row->route, req->peer.roles, token_kind(&req->head));
        /* Where nobody can show a certificate, Keylime's servers say 400. Spec: keylime-wire 3.1. */
        if (status == 403 && !req->peer.tls && req->match.row->route->family == HTTP_KEYLIME &&
            !(req->match.row->route->roles & ROLE_BEARER))
                status = 400;
        if (status != 0) {
                *no = (struct http_refusal){status, NULL};
                return false;
        }
        return check_body(req, no);
}

/* ---- accessors ---- */

enum http_method http_request_method(const struct http_request *req)
{
        return req->head.method;
}

const char *http_request_path(const struct http_request *req)
{
        return req->head.path != NULL ? req->head.path : "";
}

const char *http_request_param(const struct http_request *req, const char *name)
{
        return router_param(&req->match, name);
}

const char *http_request_header(const struct http_request *req, const char *name)
{
        return http_head_get(&req->head, name);
}

const char *http_request_bearer(const struct http_request *req)
{
        return token_kind(&req->head) == ROUTER_TOKEN ? http_head_get(&req->head, "Authorization") + 7 : NULL;
}

struct view http_request_body(const struct http_request *req)
{
        return VIEW_BUF(&req->body);
}

bool http_request_is_type(const struct http_request *req, const char *type)
{
        const char *value = http_head_get(&req->head, "Content-Type");
        size_t n = strlen(type);

        return value != NULL && strncasecmp(value, type, n) == 0 && strchr("; \t", value[n]) != NULL;
}

const struct http_peer *http_request_peer(const struct http_request *req)
{
        return &req->peer;
}

const char *http_request_id(const struct http_request *req)
{
        return req->id;
}

int64_t http_request_at_ms(const struct http_request *req)
{
        return req->at_ms;
}

bool http_request_gone(const struct http_request *req)
{
        return req->conn == NULL;
}

/* Cuts and decodes the query once. A pair that does not decode is left out. */
static void parse_query(struct http_request *req)
{
        char *at;

        if (req->query_text != NULL || req->head.query == NULL)
                return;
        req->query_text = str_dup(req->head.query);
        req->query = mem_zalloc(QUERY_MAX, sizeof(*req->query));
        if (req->query_text == NULL || req->query == NULL)
                return;
        at = req->query_text;
        while (at != NULL && req->n_query < QUERY_MAX) {
                char *name = strsep(&at, "&"), *value = strchr(name, '=');

                if (value != NULL)
                        *value++ = '\0';
                if (*name == '\0' || !http_percent_decode(name, true))
                        continue;
                if (value != NULL && !http_percent_decode(value, true))
                        continue;
                req->query[req->n_query++] = (struct http_header){name, value != NULL ? value : ""};
        }
}

const char *http_request_query(const struct http_request *req, const char *name)
{
        struct http_request *own = (struct http_request *)(uintptr_t)req; /* a cache, filled on demand */

        parse_query(own);
        for (size_t i = 0; i < req->n_query; i++)
                if (strcmp(req->query[i].name, name) == 0)
                        return req->query[i].value;
        return NULL;
}
