/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a server. A refusal is shown in the server's own words, because it knows what is wrong; a server
 * that is not there is shown with its address and where that address is configured. What a server says is
 * foreign text all the same, and printed escaped.
 */
#include "tenant/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "tenant/settings.h"
#include "wire/problem.h"

#define ANSWER_BYTES_MAX (300u << 20) /* a bundle with whole logs */

struct api {
        struct settings settings;
        const struct server_settings *server;
        const char *name;
        struct loop *loop;
        struct http_client *client;
};

int api_open(const struct session *s, enum api_server server, struct api **ret, struct err *err)
{
        AUTO(api_close_p) struct api *api = mem_zalloc(1, sizeof(*api));
        struct http_client_options options = {0};
        int r;

        if (!api)
                return err_nomem(err);
        r = settings_load(s, &api->settings, err);
        if (r < 0)
                return r;
        api->server = server == API_REGISTRAR ? &api->settings.registrar : &api->settings.verifier;
        api->name = server == API_REGISTRAR ? "registrar" : "verifier";
        options.ca_file = api->server->ca;
        options.cert_file = api->server->cert;
        options.key_file = api->server->key;
        r = loop_new(&api->loop, err);
        if (r == 0)
                r = http_client_new(api->loop, &options, &api->client, err);
        if (r < 0)
                return err_wrap(err, "%s", api->name);
        *ret = TAKE(api);
        return 0;
}

void api_close(struct api *api)
{
        if (!api)
                return;
        http_client_free(api->client);
        loop_free(api->loop);
        settings_done(&api->settings);
        free(api);
}

/* What a refusal says. */
static int refused(const struct api *api, const struct http_response *res, struct err *err)
{
        enum err_kind kind = res->status == 400 || res->status == 422 ? ERR_CONFIG : ERR_PEER;
        struct wire_problem p = {0};
        struct err inner = ERR_INIT;
        AUTO(buf_free) struct buf text = {0};
        AUTO(mem_free_p) char *words = NULL;

        if (wire_problem_decode(res->body, &p, &inner) < 0)
                return err_set(err, kind, res->status, "the %s answered with status %d", api->name,
                               res->status);
        if (p.where && *p.where) {
                buf_printable(&text, view_str(p.where));
                buf_str(&text, ": ");
        }
        buf_printable(&text, view_str(p.title && *p.title ? p.title : "refused"));
        if (p.detail && *p.detail) {
                buf_str(&text, ": ");
                buf_printable(&text, view_str(p.detail));
        }
        wire_problem_done(&p);
        words = buf_take_str(&text);
        if (!words)
                return err_nomem(err);
        return err_set(err, kind, res->status, "%s: %s", api->name, words);
}

/* No answer: the server's name before the reason, and what to look at when it is a certificate. */
static int unreached(const struct api *api, struct err *err)
{
        const struct err why = *err;
        const char *name = api->name, *ca = api->server->ca;

        if (strstr(why.text, "has expired") || strstr(why.text, "not yet valid"))
                return err_set(
                        err, why.kind, why.code,
                        "%s: %s: it is the server's; it needs a new one, or this machine's clock is wrong",
                        name, why.text);
        if (why.kind == ERR_PEER && strstr(why.text, "certificate"))
                return err_set(
                        err, why.kind, why.code,
                        "%s: %s; the file in '%s.ca' (%s) must hold the CA that signed its certificate, "
                        "and the name in '%s.url' must be in it",
                        name, why.text, name, ca ? ca : "not set", name);
        return err_wrap(err, "%s", name);
}

/* A refusal may be about our own certificate: a server takes one that has expired for none. */
static void name_expired(const struct api *api, struct err *err)
{
        struct cert_list list = {0};
        struct err why = ERR_INIT;
        char until[CLOCK_TEXT_BYTES];
        const struct err refusal = *err;

        if (!api->server->cert || cert_load(api->server->cert, &list, &why) < 0)
                return;
        if (list.n > 0 && cert_not_after_ms(list.v[0]) < clock_now_ms())
                (void)err_set(err, refusal.kind, refusal.code, "%s Your certificate '%s' expired at %s.",
                              refusal.text, api->server->cert,
                              clock_format(cert_not_after_ms(list.v[0]), until));
        cert_list_done(&list);
}

int api_send(struct api *api, const struct api_request *req, struct http_fetched **ret_answer,
             struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *url = NULL;
        size_t len = strlen(api->server->url);
        struct http_call call = {
                .method = req->method,
                .content_type =
                        req->body.p ? (req->content_type ? req->content_type : "application/json") : NULL,
                .body = req->body,
                .max_response_bytes = ANSWER_BYTES_MAX,
        };
        int r;

        while (len > 0 && api->server->url[len - 1] == '/')
                len--;
        url = str_fmt("%.*s%s", (int)len, api->server->url, req->path);
        if (!url)
                return err_nomem(err);
        call.url = url;
        r = http_client_fetch(api->client, &call, &answer, err);
        if (r < 0)
                return unreached(api, err);
        if (http_fetched_response(answer)->status / 100 != 2) {
                r = refused(api, http_fetched_response(answer), err);
                if (err->code == 401 || err->code == 403)
                        name_expired(api, err);
                return r;
        }
        *ret_answer = TAKE(answer);
        return 0;
}

int api_json(struct api *api, const char *method, const char *path, const json_t *body, json_t **ret,
             struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *text = body ? json_print(body) : NULL;
        struct api_request req = {.method = method, .path = path};
        int r;

        if (body && !text)
                return err_nomem(err);
        if (text)
                req.body = view_str(text);
        r = api_send(api, &req, &answer, err);
        if (r < 0 || !ret)
                return r;
        r = json_parse(http_fetched_response(answer)->body, ANSWER_BYTES_MAX, ret, err);
        if (r < 0) {
                err->kind = ERR_PEER; /* their mistake, not the user's */
                return err_wrap(err, "%s: its answer cannot be read", api->name);
        }
        return 0;
}

char *api_escape(const char *text)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        struct buf out = {0};

        for (; *text; text++) {
                if (strchr(plain, *text))
                        buf_u8(&out, (uint8_t)*text);
                else
                        buf_fmt(&out, "%%%02X", (unsigned)(uint8_t)*text);
        }
        return buf_take_str(&out);
}
