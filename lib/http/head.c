/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 request.
 *
 * The dangerous requests are those that two programs read differently: where does this one end, and whose is
 * the next byte? A proxy that believes the second Content-Length in front of a server that believes the first
 * lets a stranger write the next peer's request. So everything that leaves a choice is refused: lines that
 * end in a bare line feed, folded lines, blanks before a colon, a length that is not plain digits, a length
 * beside a transfer coding, and every header that decides something given twice. What is accepted has one
 * reading.
 *
 * Spec: RFC 9112 §§2-7, 11.2 (request smuggling); RFC 9110 §5 (fields), §7.2 (Host).
 */
#include "http/head.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

static bool refuse(struct http_refusal *ret, int status, const char *reason)
{
        *ret = (struct http_refusal){status, reason};
        return false;
}

long http_head_end(struct view text, size_t *scanned)
{
        for (size_t i = *scanned; i < text.len; i++) {
                if (text.p[i] == '\0')
                        return -1;
                if (text.p[i] == '\r' && i + 1 < text.len && text.p[i + 1] != '\n')
                        return -1;
                if (text.p[i] != '\n')
                        continue;
                if (i == 0 || text.p[i - 1] != '\r')
                        return -1;
                if (i >= 3 && text.p[i - 2] == '\n')
                        return (long)(i + 1);
        }
        /* A carriage return at the end is looked at again with what follows it. */
        *scanned = text.len > 0 && text.p[text.len - 1] == '\r' ? text.len - 1 : text.len;
        return 0;
}

/* token: RFC 9110 §5.6.2 */
static size_t token_len(const char *s)
{
        return strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Cuts the line that starts at *AT (CRLF becomes NULs) and moves *AT behind it. */
static char *cut_line(char **at)
{
        char *line = *at, *end = strstr(line, "\r\n");

        if (end == NULL)
                return NULL;
        end[0] = end[1] = '\0';
        *at = end + 2;
        return line;
}

static const struct {
        const char *name;
        enum http_method method;
        bool head_only;
} methods[] = {
        {"GET", HTTP_GET, false}, {"HEAD", HTTP_GET, true},     {"POST", HTTP_POST, false},
        {"PUT", HTTP_PUT, false}, {"PATCH", HTTP_PATCH, false}, {"DELETE", HTTP_DELETE, false},
};

const char *http_method_name(enum http_method method)
{
        for (size_t i = 0; i < ARRAY_LEN(methods); i++)
                if (methods[i].method == method && !methods[i].head_only)
                        return methods[i].name;
        return "?";
}

static bool parse_target(char *target, struct http_head *ret, struct http_refusal *no)
{
        char *query;

        for (const char *p = target; *p != '\0'; p++)
                if (*p <= 0x20 || *p >= 0x7f || *p == '#')
                        return refuse(no, 400, "The request target holds a character that it may not.");
        /* absolute-form: RFC 9112 §3.2.2 wants it accepted. Its host decides nothing here. */
        if (strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0) {
                char *slash = strchr(strstr(target, "://") + 3, '/');

                if (slash == NULL)
                        return refuse(no, 400, "The request target has no path.");
                target = slash;
        }
        if (target[0] != '/')
                return refuse(no, 400, "The request target is not a path.");
        query = strchr(target, '?');
        if (query != NULL)
                *query++ = '\0';
        ret->path = target;
        ret->query = query;
        return true;
}

static bool parse_request_line(char *line, struct http_head *ret, struct http_refusal *no)
{
        size_t n = token_len(line);
        char *target, *version;

        if (n == 0 || line[n] != ' ')
                return refuse(no, 400, "The request line is malformed.");
        line[n] = '\0';
        target = line + n + 1;
        version = strchr(target, ' ');
        if (version == NULL)
                return refuse(no, 400, "The request line is malformed.");
        *version++ = '\0';
        if (strcmp(version, "HTTP/1.1") == 0)
                ret->keep_alive = true;
        else if (strcmp(version, "HTTP/1.0") == 0)
                ret->keep_alive = false;
        else if (strncmp(version, "HTTP/", 5) == 0 && strspn(version + 5, "0123456789.") == 3 &&
                 version[8] == '\0')
                return refuse(no, 505, "This server speaks HTTP/1.1.");
        else
                return refuse(no, 400, "The request line is malformed.");
        for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
                if (strcmp(line, methods[i].name) != 0)
                        continue;
                ret->method = methods[i].method;
                ret->head_only = methods[i].head_only;
                return parse_target(target, ret, no);
        }
        return refuse(no, 501, "This server knows no such method.");
}

static bool parse_header(char *line, size_t max_headers, struct http_head *ret, struct http_refusal *no)
{
        size_t n = token_len(line), end;
        char *value;

        /* Also refuses folded lines (they start with a blank) and a blank before the colon. */
        if (n == 0 || line[n] != ':')
                return refuse(no, 400, "A header line is malformed.");
        if (ret->n_headers >= max_headers)
                return refuse(no, 431, "There are too many headers.");
        line[n] = '\0';
        value = line + n + 1;
        value += strspn(value, " \t");
        end = strlen(value);
        while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'))
                end--;
        value[end] = '\0';
        for (size_t i = 0; i < end; i++)
                if (((uint8_t)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
                        return refuse(no, 400, "A header holds a control character.");
        ret->headers[ret->n_headers++] = (struct http_header){line, value};
        return true;
}

const char *http_head_get(const struct http_head *head, const char *name)
{
        for (size_t i = 0; i < head->n_headers; i++)
                if (strcasecmp(head->headers[i].name, name) == 0)
                        return head->headers[i].value;
        return NULL;
}

/* Headers that decide something: given twice, one reader would take the first and another the last. */
static const char *const once[] = {"Host",         "Content-Length", "Transfer-Encoding", "Authorization",
                                   "Content-Type", "Expect",         "Content-Encoding"};

static bool check_once(const struct http_head *head, struct http_refusal *no)
{
        for (size_t i = 0; i < ARRAY_LEN(once); i++) {
                size_t n = 0;

                for (size_t j = 0; j < head->n_headers; j++)
                        n += strcasecmp(head->headers[j].name, once[i]) == 0;
                if (n > 1)
                        return refuse(no, 400, "A header that may stand once only was sent twice.");
        }
        return true;
}

static bool check_host(const struct http_head *head, bool http11, struct http_refusal *no)
{
        const char *host = http_head_get(head, "Host");
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:[]";

        if (host == NULL)
                return http11 ? refuse(no, 400, "The Host header is missing.") : true;
        if (host[0] == '\0' || host[strspn(host, allowed)] != '\0')
                return refuse(no, 400, "The Host header is malformed.");
        return true;
}

static bool parse_framing(struct http_head *head, bool http11, struct http_refusal *no)
{
        const char *length = http_head_get(head, "Content-Length");
        const char *coding = http_head_get(head, "Transfer-Encoding");
        const char *encoding = http_head_get(head, "Content-Encoding");

        if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
                return refuse(no, 415, "Bodies are read as they are, not compressed.");
        if (coding != NULL) {
                if (length != NULL || !http11)
                        return refuse(no, 400, "The body's length is stated in two ways.");
                if (strcasecmp(coding, "chunked") != 0)
                        return refuse(no, 501, "The only transfer coding known here is chunked.");
                head->framing = HTTP_BODY_CHUNKED;
        } else if (length != NULL) {
                size_t n = strspn(length, "0123456789");

                if (n == 0 || length[n] != '\0')
                        return refuse(no, 400, "Content-Length is not a number.");
                if (n > 18)
                        return refuse(no, 413, "The body is too large.");
                for (size_t i = 0; i < n; i++)
                        head->length = head->length * 10 + (uint64_t)(length[i] - '0');
                head->framing = head->length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
        }
        return true;
}

/* One of a comma-separated list of words, in any case. */
static bool has_word(const char *list, const char *word)
{
        while (*list != '\0') {
                size_t n;

                list += strspn(list, " \t,");
                n = strcspn(list, " \t,");
                if (n == strlen(word) && strncasecmp(list, word, n) == 0)
                        return true;
                list += n;
        }
        return false;
}

static bool parse_connection(struct http_head *head, struct http_refusal *no)
{
        const char *expect = http_head_get(head, "Expect");

        for (size_t i = 0; i < head->n_headers; i++) {
                if (strcasecmp(head->headers[i].name, "Connection") != 0)
                        continue;
                if (has_word(head->headers[i].value, "close"))
                        head->keep_alive = false;
        }
        if (expect == NULL)
                return true;
        if (strcasecmp(expect, "100-continue") != 0)
                return refuse(no, 417, "The only expectation known here is 100-continue.");
        head->expect_continue = head->framing != HTTP_BODY_NONE;
        return true;
}

bool http_head_parse(char *text, size_t len, size_t max_headers, struct http_head *ret,
                     struct http_refusal *ret_refusal)
{
        char *at = text, *line;
        bool http11;

        *ret = (struct http_head){0};
        text[len] = '\0';
        line = cut_line(&at);
        if (line == NULL)
                return refuse(ret_refusal, 400, "The request line is malformed.");
        if (!parse_request_line(line, ret, ret_refusal))
                return false;
        http11 = ret->keep_alive;
        for (;;) {
                line = cut_line(&at);
                if (line == NULL)
                        return refuse(ret_refusal, 400, "The header block does not end.");
                if (*line == '\0')
                        break;
                if (!parse_header(line, max_headers, ret, ret_refusal))
                        return false;
        }
        if (at != text + len)
                return refuse(ret_refusal, 400, "The header block is malformed.");
        return check_once(ret, ret_refusal) && check_host(ret, http11, ret_refusal) &&
               parse_framing(ret, http11, ret_refusal) && parse_connection(ret, ret_refusal);
}

bool http_percent_decode(char *text, bool plus)
{
        char *out = text;

        for (const char *in = text; *in != '\0'; in++) {
                char c = *in;

                if (c == '%') {
                        int high = hex_digit((uint8_t)in[1]);
                        int low = high < 0 ? -1 : hex_digit((uint8_t)in[2]);

                        if (low < 0)
                                return false;
                        c = (char)(high << 4 | low);
                        in += 2;
                } else if (plus && c == '+') {
                        c = ' ';
                }
                if ((uint8_t)c < 0x20 || c == 0x7f)
                        return false;
                *out++ = c;
        }
        *out = '\0';
        return true;
}
