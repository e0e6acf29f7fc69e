/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_HEAD_H
#define AVOW_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "http/client.h"
#include "http/server.h"

/*
 * The head of a request and the framing of its body: pure functions over bytes, strict where two readers
 * could differ. A refusal is an HTTP status and a reason.
 * Spec: RFC 9112 (HTTP/1.1 messages), RFC 9110 (fields).
 */

#define HTTP_HEADERS_MAX 64

enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_head {
        enum http_method method;
        bool head_only;    /* HEAD: answered as GET without the body */
        const char *path;  /* starts with '/', not decoded */
        const char *query; /* after the '?', not decoded; NULL if there is none */
        struct http_header headers[HTTP_HEADERS_MAX];
        size_t n_headers;
        enum http_framing framing;
        uint64_t length; /* with HTTP_BODY_LENGTH */
        bool keep_alive;
        bool expect_continue;
};

struct http_refusal {
        int status;
        const char *reason; /* a sentence, static */
};

/*
 * Looks for the end of a head in TEXT, beginning at *SCANNED (0 at first), which it moves on so that no byte
 * is looked at twice. Return: the head's length with its empty line; 0 if more bytes are needed; -1 for bytes
 * no head may hold (NUL, a line feed or carriage return alone): refuse with 400.
 */
long http_head_end(struct view text, size_t *scanned) MUST_USE;

/*
 * Parses a complete head of LEN bytes in place: strings in RET point into TEXT (LEN + 1 bytes; the last is
 * set to NUL) and live as long. MAX_HEADERS ≤ HTTP_HEADERS_MAX. Return: true; false with *RET_REFUSAL.
 */
bool http_head_parse(char *text, size_t len, size_t max_headers, struct http_head *ret,
                     struct http_refusal *ret_refusal) MUST_USE;

/* The first header of that name in any case, or NULL. */
const char *http_head_get(const struct http_head *head, const char *name);

/* Decodes %XX in place (and '+' as a space if PLUS). Return: false for a malformed escape or a control
 * character. */
bool http_percent_decode(char *text, bool plus) MUST_USE;

/* A chunked body, fed as it arrives. All zero is the start. */
struct http_chunks {
        enum { CHUNK_SIZE, CHUNK_EXT, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_TRAILER, CHUNK_DONE } state;
        uint64_t left;
        size_t digits, line; /* of the size; bytes of this line so far */
        size_t trailer;      /* bytes of trailers, which are dropped */
        bool cr;
};

/*
 * Takes what it can of IN and appends the body to OUT. Return: bytes taken (all of IN unless the body ended
 * in it: state is CHUNK_DONE then), or -1 with *RET_REFUSAL: malformed (400), OUT would grow past LIMIT
 * (413).
 */
long http_chunks_feed(struct http_chunks *c, struct view in, size_t limit, struct buf *out,
                      struct http_refusal *ret_refusal) MUST_USE;

#endif
