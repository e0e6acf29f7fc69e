/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of routes. A row without roles cannot be added, so that forgetting them closes a route instead of
 * opening it; a path is compared segment by segment after decoding, so that no escape of a slash makes a path
 * of another shape. Rows are few (tens): they are tried one after the other.
 *
 * Spec: SR-12 (deny by default); contracts, Roles.
 */
#include "http/router.h"

#include <string.h>

#include "base/mem.h"
#include "http/head.h"

struct segments {
        char *text[ROUTER_SEGMENTS_MAX];
        size_t n;
};

/* A segment of a pattern, not NUL-terminated. */
struct piece {
        const char *p;
        size_t len;
};

/* The next piece of a pattern; *AT starts at its first '/'. */
static bool next_piece(const char **at, struct piece *ret)
{
        if (**at != '/')
                return false;
        ret->p = *at + 1;
        ret->len = strcspn(ret->p, "/");
        *at = ret->p + ret->len;
        return true;
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* `vA.B-C`: one digit each. */
static bool is_version_piece(struct piece piece)
{
        return piece.len == 6 && piece.p[0] == 'v' && is_digit(piece.p[1]) && piece.p[2] == '.' &&
               is_digit(piece.p[3]) && piece.p[4] == '-' && is_digit(piece.p[5]);
}

static bool version_matches(struct piece piece, const char *seg)
{
        if (seg[0] != 'v' || seg[1] != piece.p[1])
                return false;
        if (seg[2] == '\0')
                return true;
        return seg[2] == '.' && seg[3] >= piece.p[3] && seg[3] <= piece.p[5] && seg[4] == '\0';
}

static bool pattern_ok(const char *pattern)
{
        struct piece piece;
        size_t n = 0, params = 0;
        const char *at = pattern;

        while (next_piece(&at, &piece)) {
                if (piece.len == 0 && (n > 0 || *at != '\0'))
                        return false;
                if (piece.p[0] == ':' && piece.len == 1)
                        return false;
                params += piece.p[0] == ':' || is_version_piece(piece);
                n++;
        }
        return *at == '\0' && n > 0 && n <= ROUTER_SEGMENTS_MAX && params <= ROUTER_PARAMS_MAX;
}

static bool has_row(const struct router *r, const struct http_route *route)
{
        for (size_t i = 0; i < r->n; i++)
                if (r->rows[i].route->method == route->method &&
                    strcmp(r->rows[i].route->pattern, route->pattern) == 0)
                        return true;
        return false;
}

int router_add(struct router *r, const struct http_route *routes, size_t n, void *ctx, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                const struct http_route *route = &routes[i];
                struct router_row *rows;

                if (!pattern_ok(route->pattern))
                        return err_set(err, ERR_BUG, 0, "route %s: malformed pattern", route->pattern);
                if (route->roles == 0 || route->handler == NULL)
                        return err_set(err, ERR_BUG, 0, "route %s %s: no roles or no handler",
                                       http_method_name(route->method), route->pattern);
                if (has_row(r, route))
                        return err_set(err, ERR_BUG, 0, "route %s %s: stands twice",
                                       http_method_name(route->method), route->pattern);
                rows = mem_resize(r->rows, r->n + 1, sizeof(*rows));
                if (rows == NULL)
                        return err_nomem(err);
                r->rows = rows;
                r->rows[r->n++] = (struct router_row){route, ctx};
        }
        return 0;
}

void router_done(struct router *r)
{
        free(r->rows);
        *r = (struct router){0};
}

/* Cuts and decodes. Return: false for a path that no pattern can match. */
static bool split(char *path, struct segments *ret)
{
        size_t len = strlen(path);

        if (path[0] != '/')
                return false;
        if (len > 1 && path[len - 1] == '/' && path[len - 2] != '/')
                path[len - 1] = '\0';
        ret->n = 0;
        for (char *at = path; at != NULL;) {
                char *seg = at + 1, *end = strchr(seg, '/');

                if (end != NULL)
                        *end = '\0';
                if (ret->n == ROUTER_SEGMENTS_MAX || !http_percent_decode(seg, false))
                        return false;
                if (strchr(seg, '/') != NULL || strcmp(seg, ".") == 0 || strcmp(seg, "..") == 0)
                        return false;
                ret->text[ret->n++] = seg;
                at = end;
        }
        return true;
}

/* Does the row's pattern match? *RET_RANK: a bit for each literal segment, the first the highest. */
static bool try_row(const char *pattern, const struct segments *segs, struct router_match *m,
                    uint32_t *ret_rank)
{
        const char *at = pattern;
        struct piece piece;
        size_t i = 0;

        m->n_params = 0;
        *ret_rank = 0;
        while (next_piece(&at, &piece)) {
                const char *seg;

                if (i == segs->n)
                        return false;
                seg = segs->text[i++];
                *ret_rank <<= 1;
                if (piece.len > 0 && piece.p[0] == ':') {
                        if (*seg == '\0')
                                return false;
                        m->params[m->n_params++] = (struct router_param){piece.p + 1, piece.len - 1, seg};
                } else if (is_version_piece(piece)) {
                        if (!version_matches(piece, seg))
                                return false;
                        m->params[m->n_params++] = (struct router_param){"version", 7, seg + 1};
                        *ret_rank |= 1;
                } else {
                        if (strlen(seg) != piece.len || strncmp(seg, piece.p, piece.len) != 0)
                                return false;
                        *ret_rank |= 1;
                }
        }
        return i == segs->n;
}

void router_match(const struct router *r, enum http_method method, char *path, struct router_match *ret)
{
        struct router_match best = {0}, m = {0};
        uint32_t best_rank = 0, rank;
        struct segments segs;

        best.family = strncmp(path, "/v", 2) == 0 ? HTTP_KEYLIME : HTTP_NATIVE;
        if (!split(path, &segs)) {
                *ret = best;
                return;
        }
        for (size_t i = 0; i < r->n; i++) {
                const struct http_route *route = r->rows[i].route;

                if (!try_row(route->pattern, &segs, &m, &rank))
                        continue;
                best.allow |= 1u << route->method;
                if (best.row == NULL)
                        best.family = route->family;
                if (route->method != method || (best.row != NULL && rank <= best_rank))
                        continue;
                m.row = &r->rows[i];
                m.allow = best.allow;
                m.family = route->family;
                best = m;
                best_rank = rank;
        }
        *ret = best;
}

const char *router_param(const struct router_match *m, const char *name)
{
        for (size_t i = 0; i < m->n_params; i++)
                if (strlen(name) == m->params[i].name_len &&
                    strncmp(name, m->params[i].name, m->params[i].name_len) == 0)
                        return m->params[i].value;
        return NULL;
}

int router_authorize(const struct http_route *route, uint32_t peer_roles, enum router_token token)
{
        if (route->roles & ROLE_PUBLIC)
                return 0;
        if (token == ROUTER_BAD_TOKEN)
                return 401;
        if (token == ROUTER_TOKEN)
                return route->roles & ROLE_BEARER ? 0 : 403;
        return peer_roles & route->roles & ROLE_NAMED ? 0 : 403;
}
