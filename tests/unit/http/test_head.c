/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and chunked bodies: what is accepted has one reading. The raw-socket tests hold the refusals one by
 * one; here are the edges, every truncation, and every flipped bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/head.h"

static const char small[] = "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX-A:\t v \t\r\n\r\n";

static bool parse(const char *text, struct http_head *ret, struct http_refusal *no, char **ret_text)
{
        *ret_text = mem_dup(text, strlen(text) + 1);
        assert_non_null(*ret_text);
        memset(ret, 0xaa, sizeof(*ret));
        return http_head_parse(*ret_text, strlen(text), HTTP_HEADERS_MAX, ret, no);
}

static void test_fields(void **state)
{
        AUTO(mem_free_p)
        char *text = NULL;
        struct http_refusal no;
        struct http_head head;

        (void)state;
        assert_true(parse(small, &head, &no, &text));
        assert_int_equal(head.method, HTTP_POST);
        assert_string_equal(head.path, "/a");
        assert_string_equal(head.query, "b=c");
        assert_int_equal(head.n_headers, 3);
        assert_string_equal(http_head_get(&head, "x-a"), "v");
        assert_null(http_head_get(&head, "x-b"));
        assert_int_equal(head.framing, HTTP_BODY_LENGTH);
        assert_int_equal(head.length, 12);
        assert_true(head.keep_alive);
        assert_false(head.head_only);
}

static const struct {
        const char *text;
        int status;
} refused[] = {
        {"", 400},
        {"\r\n", 400},
        {"GET / HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 413},
        {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
        {"GET / HTTP/10.0\r\nHost: x\r\n\r\n", 400},
        {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 501},
        {"GET http://h HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET ftp://h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX\x80: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Type: a\r\ncontent-type: b\r\n\r\n", 400},
};

static void test_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
                AUTO(mem_free_p)
                char *text = NULL;
                struct http_refusal no = {0};
                struct http_head head;

                assert_false(parse(refused[i].text, &head, &no, &text));
                assert_int_equal(no.status, refused[i].status);
                assert_non_null(no.reason);
        }
}

static void test_header_limit(void **state)
{
        (void)state;
        for (size_t n = HTTP_HEADERS_MAX - 1; n <= HTTP_HEADERS_MAX + 1; n++) {
                AUTO(buf_free)
                struct buf text = {0};
                AUTO(mem_free_p)
                char *copy = NULL;
                struct http_refusal no = {0};
                struct http_head head;
                bool ok;

                buf_str(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
                for (size_t i = 1; i < n; i++)
                        buf_str(&text, "A: b\r\n");
                buf_str(&text, "\r\n");
                buf_u8(&text, '\0');
                assert_true(buf_ok(&text));
                ok = parse((char *)text.p, &head, &no, &copy);
                assert_int_equal(ok, n <= HTTP_HEADERS_MAX);
                assert_int_equal(no.status, ok ? 0 : 431);
        }
}

static void test_end(void **state)
{
        struct view all = view_str(small);
        size_t scanned = 0;

        (void)state;
        /* However the bytes are dealt out, the end is found at the same place, never before. */
        for (size_t step = 1; step <= all.len; step++) {
                scanned = 0;
                for (size_t n = 0; n < all.len; n += step)
                        assert_int_equal(http_head_end(VIEW(all.p, n), &scanned), 0);
                assert_int_equal(http_head_end(all, &scanned), (long)all.len);
        }
        scanned = 0;
        assert_int_equal(http_head_end(view_str("GET / HTTP/1.1\n\n"), &scanned), -1);
        scanned = 0;
        assert_int_equal(http_head_end(view_str("a\rb"), &scanned), -1);
        scanned = 0;
        assert_int_equal(http_head_end(VIEW("a\0", 2), &scanned), -1);
        scanned = 0;
        assert_int_equal(http_head_end(view_str("a\r"), &scanned), 0);
        assert_int_equal(http_head_end(view_str("a\rb"), &scanned), -1);
}

/* Every prefix is incomplete or refused; every flipped bit parses to something or is refused, without a read
 * past the end (run with sanitizers). */
static void test_mutations(void **state)
{
        size_t len = strlen(small);

        (void)state;
        for (size_t n = 0; n < len; n++) {
                AUTO(mem_free_p)
                char *copy = mem_dup(small, n + 1);
                struct http_refusal no = {0};
                struct http_head head;

                assert_non_null(copy);
                assert_false(http_head_parse(copy, n, HTTP_HEADERS_MAX, &head, &no));
                assert_int_equal(no.status, 400);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
                AUTO(mem_free_p)
                char *copy = mem_dup(small, len + 1);
                struct http_refusal no = {0};
                struct http_head head;

                assert_non_null(copy);
                copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
                if (!http_head_parse(copy, len, HTTP_HEADERS_MAX, &head, &no))
                        assert_in_range(no.status, 400, 599);
        }
}

static void test_percent(void **state)
{
        static const struct {
                const char *in, *out;
                bool plus;
        } good[] = {
                {"", "", false}, {"a%2Fb%2f", "a/b/", false}, {"a+b", "a+b", false}, {"a+b", "a b", true}};
        static const char *const bad[] = {"%", "%4", "%4g", "%g4", "%00", "%1f", "%7F", "a%"};
        char text[16];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                (void)snprintf(text, sizeof(text), "%s", good[i].in);
                assert_true(http_percent_decode(text, good[i].plus));
                assert_string_equal(text, good[i].out);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                (void)snprintf(text, sizeof(text), "%s", bad[i]);
                assert_false(http_percent_decode(text, false));
        }
}

static const char chunked[] = "4\r\nWiki\r\n5;x=\"y\"\r\npedia\r\n0\r\nA: b\r\n\r\nnext";

static void test_chunks(void **state)
{
        (void)state;
        for (size_t step = 1; step < sizeof(chunked); step++) {
                AUTO(buf_free)
                struct buf out = {0};
                struct http_chunks c = {0};
                struct http_refusal no = {0};
                size_t at = 0;

                while (c.state != CHUNK_DONE) {
                        size_t left = strlen(chunked) - at, n = left < step ? left : step;
                        long used = http_chunks_feed(&c, VIEW(chunked + at, n), 9, &out, &no);

                        assert_true(used > 0);
                        at += (size_t)used;
                }
                assert_true(view_equal(VIEW_BUF(&out), view_str("Wikipedia")));
                assert_string_equal(chunked + at, "next");
        }
}

static void test_chunk_limit(void **state)
{
        AUTO(buf_free)
        struct buf out = {0};
        struct http_chunks c = {0};
        struct http_refusal no = {0};

        (void)state;
        assert_int_equal(http_chunks_feed(&c, view_str(chunked), 8, &out, &no), -1);
        assert_int_equal(no.status, 413);
        assert_int_equal(out.len, 4);
}

static void test_chunk_mutations(void **state)
{
        size_t len = strlen(chunked);

        (void)state;
        for (size_t bit = 0; bit < len * 8; bit++) {
                AUTO(mem_free_p)
                char *copy = mem_dup(chunked, len);
                AUTO(buf_free)
                struct buf out = {0};
                struct http_chunks c = {0};
                struct http_refusal no = {0};
                long used;

                assert_non_null(copy);
                copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
                used = http_chunks_feed(&c, VIEW(copy, len), 64, &out, &no);
                assert_true(used <= (long)len);
                assert_true(out.len <= 64);
                if (used < 0)
                        assert_true(no.status == 400 || no.status == 413);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fields),          cmocka_unit_test(test_refused),
                cmocka_unit_test(test_header_limit),    cmocka_unit_test(test_end),
                cmocka_unit_test(test_mutations),       cmocka_unit_test(test_percent),
                cmocka_unit_test(test_chunks),          cmocka_unit_test(test_chunk_limit),
                cmocka_unit_test(test_chunk_mutations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
