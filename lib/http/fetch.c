/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call for those who have nothing else to do: the loop turns until the answer is there, and the answer is
 * copied so that it outlives the call.
 */
#include <string.h>

#include "base/mem.h"
#include "http/client.h"

struct http_fetched {
        struct http_response res;
        struct buf body;
        struct http_header *headers;
        bool done;
        struct err err;
};

static int copy_headers(struct http_fetched *f, const struct http_response *res)
{
        f->headers = mem_zalloc(res->n_headers + 1, sizeof(*f->headers));
        if (f->headers == NULL)
                return -1;
        f->res.headers = f->headers;
        for (f->res.n_headers = 0; f->res.n_headers < res->n_headers; f->res.n_headers++) {
                struct http_header *h = &f->headers[f->res.n_headers];

                h->name = str_dup(res->headers[f->res.n_headers].name);
                h->value = str_dup(res->headers[f->res.n_headers].value);
                if (h->name == NULL || h->value == NULL) {
                        f->res.n_headers++; /* freed as far as it got */
                        return -1;
                }
        }
        return 0;
}

static void on_done(void *ctx, const struct http_response *res, const struct err *err)
{
        struct http_fetched *f = ctx;

        f->done = true;
        if (res == NULL) {
                f->err = *err;
                return;
        }
        f->res = *res;
        f->res.headers = NULL;
        f->res.n_headers = 0;
        buf_put_view(&f->body, res->body);
        if (copy_headers(f, res) < 0 || !buf_ok(&f->body)) {
                (void)err_nomem(&f->err);
                return;
        }
        f->res.body = VIEW_BUF(&f->body);
}

int http_client_fetch(struct http_client *client, const struct http_call *call,
                      struct http_fetched **ret_fetched, struct err *err)
{
        AUTO(http_fetched_free_p)
        struct http_fetched *f = mem_zalloc(1, sizeof(*f));
        struct http_call_handle *handle = NULL;

        if (f == NULL)
                return err_nomem(err);
        if (http_client_send(client, call, on_done, f, &handle, err) < 0)
                return -(int)err->kind;
        while (!f->done) {
                if (loop_step(http_client_loop(client), true, err) < 0) {
                        http_client_cancel(handle);
                        return -(int)err->kind;
                }
        }
        if (f->err.kind != ERR_NONE) {
                *err = f->err;
                return -(int)err->kind;
        }
        *ret_fetched = TAKE(f);
        return 0;
}

const struct http_response *http_fetched_response(const struct http_fetched *fetched)
{
        return &fetched->res;
}

void http_fetched_free(struct http_fetched *f)
{
        if (f == NULL)
                return;
        for (size_t i = 0; i < f->res.n_headers; i++) {
                free((char *)(uintptr_t)f->headers[i].name);
                free((char *)(uintptr_t)f->headers[i].value);
        }
        free(f->headers);
        buf_free(&f->body);
        free(f);
}
