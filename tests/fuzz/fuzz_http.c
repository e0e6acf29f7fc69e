/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads and chunked bodies of HTTP requests, and paths against the router. In production anybody who reaches
 * a port controls these bytes, before any handshake on the plain listener. The first byte chooses. However
 * the bytes are dealt out, the outcome is the same: what depends on packet boundaries could be smuggled.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "http/head.h"
#include "http/router.h"

#define BODY_LIMIT 4096

static void head(struct view in)
{
        AUTO(mem_free_p) char *text = mem_alloc(in.len + 1);
        struct http_refusal no = {0};
        struct http_head h;
        size_t at_once = 0, dealt = 0;
        long end = http_head_end(in, &at_once), again = 0;

        for (size_t n = 1; n <= in.len && again == 0; n++)
                again = http_head_end(VIEW(in.p, n), &dealt);
        FUZZ_CHECK(end == again);
        FUZZ_CHECK(text);
        if (end <= 0)
                end = (long)in.len; /* the parser must stand anything */
        memcpy(text, in.p, (size_t)end);
        if (!http_head_parse(text, (size_t)end, HTTP_HEADERS_MAX, &h, &no)) {
                FUZZ_CHECK(no.status >= 400 && no.status <= 599 && no.reason);
                return;
        }
        FUZZ_CHECK(h.path[0] == '/' && h.n_headers <= HTTP_HEADERS_MAX);
        FUZZ_CHECK(!(http_head_get(&h, "Content-Length") && http_head_get(&h, "Transfer-Encoding")));
        FUZZ_CHECK((h.framing == HTTP_BODY_CHUNKED) == (http_head_get(&h, "Transfer-Encoding") != NULL));
        FUZZ_CHECK((h.framing == HTTP_BODY_LENGTH) == (h.length > 0));
}

/* Feeds in pieces of STEP. Return: bytes taken, or -1. */
static long feed(struct view in, size_t step, struct http_chunks *c, struct buf *out)
{
        struct http_refusal no = {0};
        size_t at = 0;

        while (at < in.len && c->state != CHUNK_DONE) {
                size_t n = in.len - at < step ? in.len - at : step;
                long used = http_chunks_feed(c, VIEW(in.p + at, n), BODY_LIMIT, out, &no);

                if (used < 0) {
                        FUZZ_CHECK(no.status == 400 || no.status == 413);
                        return -1;
                }
                at += (size_t)used;
        }
        return (long)at;
}

static void chunks(struct view in)
{
        AUTO(buf_free) struct buf whole = {0}, dealt = {0};
        struct http_chunks a = {0}, b = {0};
        long used = feed(in, in.len, &a, &whole);

        FUZZ_CHECK(feed(in, 1, &b, &dealt) == used);
        FUZZ_CHECK(whole.len <= BODY_LIMIT);
        if (used >= 0)
                FUZZ_CHECK(a.state == b.state && view_equal(VIEW_BUF(&whole), VIEW_BUF(&dealt)));
}

static void handler(struct http_request *req, void *ctx)
{
        (void)req;
        (void)ctx;
}

static const struct http_route routes[] = {
        {HTTP_GET, "/", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/a/:id", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/a/b", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/v2.0-6/a/:id/:n", ROLE_PUBLIC, handler, 0, HTTP_KEYLIME, NULL},
};

static void path(struct view in)
{
        AUTO(mem_free_p) char *text = str_ndup((const char *)in.p, in.len);
        struct router r = {0};
        struct router_match m;
        struct err err = ERR_INIT;

        FUZZ_CHECK(text && router_add(&r, routes, ARRAY_LEN(routes), NULL, &err) == 0);
        router_match(&r, HTTP_GET, text, &m);
        FUZZ_CHECK(m.n_params <= ROUTER_PARAMS_MAX);
        for (size_t i = 0; m.row && i < m.n_params; i++)
                for (const char *p = m.params[i].value; *p; p++)
                        FUZZ_CHECK(*p != '/' && (unsigned char)*p >= 0x20 && *p != 0x7f);
        router_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const targets[])(struct view) = {head, chunks, path};
        const uint8_t none = 0;

        if (size < 1 || size > 32768)
                return 0;
        targets[data[0] % ARRAY_LEN(targets)](size > 1 ? VIEW(data + 1, size - 1) : VIEW(&none, 0));
        return 0;
}
