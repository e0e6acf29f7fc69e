/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: libcurl's multi interface driven by the loop. libcurl says which descriptors it wants watched
 * and when to be woken; it keeps connections and TLS sessions.
 *
 * What a server may not do to us: keep a call for ever (one deadline for everything), send more than was
 * bargained for (the body is counted as it comes), send us elsewhere (no redirect is followed, no other
 * protocol is spoken), or pass with a certificate of any CA but ours.
 *
 * Answers are handed over from the loop, never from inside http_client_send(), so that a caller's state is
 * settled before it hears.
 */
#include "http/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "config.h"
#include "wire/retry.h"

#define DEFAULT_TIMEOUT_MS  (30 * 1000)
#define DEFAULT_CONNECT_MS  (10 * 1000)
#define DEFAULT_BODY_BYTES  (8u * 1024 * 1024)
#define RESPONSE_HEADERS    64
#define RESPONSE_HEAD_BYTES (32u * 1024)

struct identity {
        char *ca_file, *ca_pem, *cert_file, *cert_pem, *key_file, *key_pem;
};

struct watch {
        struct http_client *client;
        struct loop_watch *loop_watch;
        int fd;
        unsigned events;
        struct watch *next;
};

struct http_client {
        struct loop *loop;
        CURLM *multi;
        struct identity id;
        bool any_host_name;
        bool rotated; /* connections that are kept belong to an identity that is gone */
        long per_host;
        int64_t connect_timeout_ms;
        char *user_agent;
        bool (*may_connect)(void *ctx, const struct sockaddr *address);
        void *may_connect_ctx;
        struct loop_timer *timer, *reap;
        struct watch *watches;
        struct http_call_handle *calls;
};

struct http_call_handle {
        struct http_client *client;
        struct http_call_handle *prev, *next;
        CURL *easy;
        struct curl_slist *headers;
        http_done_fn done;
        void *ctx;
        struct buf body, head;
        struct http_header fields[RESPONSE_HEADERS];
        size_t n_fields, max_bytes;
        bool too_large;
        bool refused; /* by may_connect */
        CURLcode result;
        bool finished;
        char *host; /* "https://host:port", for messages */
        char error[CURL_ERROR_SIZE];
};

/* ---- identity ---- */

static void identity_done(struct identity *id)
{
        free(id->ca_file);
        free(id->ca_pem);
        free(id->cert_file);
        free(id->cert_pem);
        free(id->key_file);
        if (id->key_pem != NULL)
                mem_wipe(id->key_pem, strlen(id->key_pem));
        free(id->key_pem);
        *id = (struct identity){0};
}

static int copy(const char *from, char **to)
{
        if (from == NULL)
                return 0;
        *to = str_dup(from);
        return *to == NULL ? -1 : 0;
}

static int identity_init(struct identity *id, const struct http_client_options *o, struct err *err)
{
        if (copy(o->ca_file, &id->ca_file) < 0 || copy(o->ca_pem, &id->ca_pem) < 0 ||
            copy(o->cert_file, &id->cert_file) < 0 || copy(o->cert_pem, &id->cert_pem) < 0 ||
            copy(o->key_file, &id->key_file) < 0 || copy(o->key_pem, &id->key_pem) < 0) {
                identity_done(id);
                return err_nomem(err);
        }
        return 0;
}

static CURLcode set_pem(CURL *easy, CURLoption blob, CURLoption file, const char *pem, const char *path)
{
        struct curl_blob data = {.flags = CURL_BLOB_COPY};

        if (pem == NULL)
                return path != NULL ? curl_easy_setopt(easy, file, path) : CURLE_OK;
        data.data = (void *)(uintptr_t)pem; /* copied, not written */
        data.len = strlen(pem);
        return curl_easy_setopt(easy, blob, &data);
}

static bool set_identity(const struct http_client *c, CURL *easy)
{
        const struct identity *id = &c->id;

        /* Our CA alone: neither the system's bundle nor its folder. */
        if (id->ca_file == NULL && id->ca_pem == NULL &&
            curl_easy_setopt(easy, CURLOPT_CAINFO, "/nonexistent") != CURLE_OK)
                return false;
        return curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
               set_pem(easy, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO, id->ca_pem, id->ca_file) == CURLE_OK &&
               set_pem(easy, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT, id->cert_pem, id->cert_file) ==
                       CURLE_OK &&
               set_pem(easy, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, id->key_pem, id->key_file) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->any_host_name ? 0L : 2L) == CURLE_OK;
}

/* ---- one call ---- */

static void call_free(struct http_call_handle *h)
{
        struct http_client *c = h->client;

        if (h->prev != NULL)
                h->prev->next = h->next;
        else if (c->calls == h)
                c->calls = h->next;
        if (h->next != NULL)
                h->next->prev = h->prev;
        if (h->easy != NULL) {
                (void)curl_multi_remove_handle(c->multi, h->easy); /* fine if it was never added */
                curl_easy_cleanup(h->easy);
        }
        curl_slist_free_all(h->headers);
        buf_free(&h->body);
        buf_free(&h->head);
        free(h->host);
        free(h);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
        struct http_call_handle *h = ctx;

        if (size * n > h->max_bytes - h->body.len) {
                h->too_large = true;
                return 0;
        }
        buf_put(&h->body, p, size * n);
        return buf_ok(&h->body) ? size * n : 0;
}

/* Header lines of the last answer (not of a 100 before it), kept as they came. */
static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
        struct http_call_handle *h = ctx;

        if (size * n >= 5 && strncmp(p, "HTTP/", 5) == 0)
                buf_reset(&h->head);
        if (size * n > RESPONSE_HEAD_BYTES - h->head.len) {
                h->too_large = true;
                return 0;
        }
        buf_put(&h->head, p, size * n);
        return buf_ok(&h->head) ? size * n : 0;
}

static void add_field(struct http_call_handle *h, char *line)
{
        char *colon = strchr(line, ':'), *value, *end;

        if (colon == NULL || h->n_fields == RESPONSE_HEADERS)
                return;
        *colon = '\0';
        for (char *p = line; *p != '\0'; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char)(*p - 'A' + 'a');
        value = colon + 1 + strspn(colon + 1, " \t");
        end = value + strlen(value);
        while (end > value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
                *--end = '\0';
        h->fields[h->n_fields++] = (struct http_header){line, value};
}

/* Cuts the kept lines into names and values. */
static void cut_headers(struct http_call_handle *h)
{
        char *at;

        buf_u8(&h->head, '\0');
        if (!buf_ok(&h->head))
                return;
        at = (char *)h->head.p;
        for (char *line = strsep(&at, "\n"); line != NULL; line = strsep(&at, "\n"))
                if (strncmp(line, "HTTP/", 5) != 0)
                        add_field(h, line);
}

static void call_error(const struct http_call_handle *h, struct err *err)
{
        const char *why = h->error[0] != '\0' ? h->error : curl_easy_strerror(h->result);

        if (h->too_large)
                (void)err_set(err, ERR_LIMIT, 0, "%s: the answer is larger than %zu bytes", h->host,
                              h->max_bytes);
        else if (h->refused)
                (void)err_set(err, ERR_PEER, 0, "%s: its address is one that may not be connected to",
                              h->host);
        else if (!buf_ok(&h->body) || !buf_ok(&h->head) || h->result == CURLE_OUT_OF_MEMORY)
                (void)err_nomem(err);
        else if (h->result == CURLE_SSL_CERTPROBLEM || h->result == CURLE_SSL_CACERT_BADFILE)
                (void)err_set(err, ERR_CONFIG, 0, "%s: %s", h->host, why);
        else
                (void)err_set(err, ERR_PEER, 0, "%s: %s", h->host, why);
}

static void call_respond(struct http_call_handle *h)
{
        struct http_response res = {.body = VIEW_BUF(&h->body), .retry_after_ms = -1};
        const char *retry;
        char *ip = NULL;
        long status = 0, port = 0;

        (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &ip);
        (void)curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_PORT, &port);
        cut_headers(h);
        res.status = (int)status;
        res.headers = h->fields;
        res.n_headers = h->n_fields;
        (void)snprintf(res.peer, sizeof(res.peer), "%s:%ld", ip != NULL ? ip : "?", port);
        retry = http_response_header(&res, "Retry-After");
        if (retry != NULL && !wire_retry_after_decode(retry, clock_now_ms(), &res.retry_after_ms))
                res.retry_after_ms = -1;
        h->done(h->ctx, &res, NULL);
}

const char *http_response_header(const struct http_response *res, const char *name)
{
        for (size_t i = 0; i < res->n_headers; i++)
                if (strcasecmp(res->headers[i].name, name) == 0)
                        return res->headers[i].value;
        return NULL;
}

bool http_response_is_type(const struct http_response *res, const char *type)
{
        const char *value = http_response_header(res, "Content-Type");
        size_t n = strlen(type);

        return value != NULL && strncasecmp(value, type, n) == 0 && strchr("; \t", value[n]) != NULL;
}

/* Hands out what has finished. A callback may send, cancel, or free the client. */
static void on_reap(void *ctx)
{
        struct http_client *c = ctx;
        struct http_call_handle *h = c->calls;

        while (h != NULL && !h->finished)
                h = h->next;
        if (h == NULL)
                return;
        loop_timer_start(c->reap, 0); /* once more, for the next: after the callback C may be gone */
        h->finished = false;
        if (h->prev != NULL)
                h->prev->next = h->next;
        else
                c->calls = h->next;
        if (h->next != NULL)
                h->next->prev = h->prev;
        h->prev = h->next = NULL;
        (void)curl_multi_remove_handle(c->multi, h->easy);
        if (h->result == CURLE_OK) {
                call_respond(h);
        } else {
                struct err err = ERR_INIT;

                call_error(h, &err);
                h->done(h->ctx, NULL, &err);
        }
        curl_easy_cleanup(TAKE(h->easy));
        curl_slist_free_all(h->headers);
        buf_free(&h->body);
        buf_free(&h->head);
        free(h->host);
        free(h);
}

/* ---- libcurl and the loop ---- */

static void collect(struct http_client *c)
{
        CURLMsg *msg;
        int left;

        while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
                struct http_call_handle *h = NULL;

                if (msg->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&h);
                h->result = msg->data.result;
                h->finished = true;
                loop_timer_start(c->reap, 0);
        }
}

/* A callback of ours failed for want of memory: libcurl runs nothing on this multi handle any more. All calls
 * end; the next one begins with a new handle. */
static void abort_all(struct http_client *c)
{
        for (struct http_call_handle *h = c->calls; h != NULL; h = h->next) {
                if (!h->finished)
                        h->result = CURLE_OUT_OF_MEMORY;
                h->finished = true;
        }
        c->rotated = true;
        loop_timer_start(c->reap, 0);
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
        int running;
        CURLMcode code = curl_multi_socket_action(c->multi, fd, what, &running);

        collect(c);
        if (code != CURLM_OK)
                abort_all(c);
}

static void on_timeout(void *ctx)
{
        act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket_ready(void *ctx, unsigned events)
{
        const struct watch *w = ctx;

        act(w->client, w->fd,
            (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
        struct http_client *c = ctx;

        (void)multi;
        if (timeout_ms < 0)
                loop_timer_stop(c->timer);
        else
                loop_timer_start(c->timer, timeout_ms);
        return 0;
}

static void watch_remove(struct http_client *c, int fd)
{
        for (struct watch **at = &c->watches; *at != NULL; at = &(*at)->next) {
                struct watch *w = *at;

                if (w->fd != fd)
                        continue;
                *at = w->next;
                loop_watch_free(w->loop_watch);
                free(w);
                return;
        }
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
        struct http_client *c = ctx;
        struct err err = ERR_INIT;
        struct watch *w;

        (void)easy;
        (void)socket_ctx;
        watch_remove(c, fd);
        if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE)
                return 0;
        w = mem_zalloc(1, sizeof(*w));
        if (w == NULL)
                return -1;
        w->client = c;
        w->fd = fd;
        w->events = (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);
        if (loop_watch_new(c->loop, fd, w->events, on_socket_ready, w, &w->loop_watch, &err) < 0) {
                free(w);
                return -1;
        }
        w->next = c->watches;
        c->watches = w;
        return 0;
}

/* ---- the client ---- */

static CURLM *new_multi(struct http_client *c)
{
        CURLM *multi = curl_multi_init();

        if (multi == NULL)
                return NULL;
        if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK &&
            curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c) == CURLM_OK &&
            curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
            curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c) == CURLM_OK &&
            curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, c->per_host) == CURLM_OK)
                return multi;
        (void)curl_multi_cleanup(multi);
        return NULL;
}

static int client_init(struct http_client *c, const struct http_client_options *o, struct err *err)
{
        long per_host = o->connections_per_host > 0 ? (long)o->connections_per_host : 1;

        c->any_host_name = o->any_host_name;
        c->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : DEFAULT_CONNECT_MS;
        c->may_connect = o->may_connect;
        c->may_connect_ctx = o->may_connect_ctx;
        c->user_agent = str_dup(o->user_agent != NULL ? o->user_agent : PACKAGE_NAME "/" PACKAGE_VERSION);
        if (c->user_agent == NULL || identity_init(&c->id, o, err) < 0)
                return err_nomem(err);
        if (loop_timer_new(c->loop, on_timeout, c, &c->timer, err) < 0 ||
            loop_timer_new(c->loop, on_reap, c, &c->reap, err) < 0)
                return -(int)err->kind;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return err_set(err, ERR_BUG, 0, "libcurl does not start");
        c->per_host = per_host;
        c->multi = new_multi(c);
        if (c->multi == NULL)
                return err_nomem(err);
        return 0;
}

int http_client_new(struct loop *loop, const struct http_client_options *opts,
                    struct http_client **ret_client, struct err *err)
{
        AUTO(http_client_free_p)
        struct http_client *c = mem_zalloc(1, sizeof(*c));

        if (c == NULL)
                return err_nomem(err);
        c->loop = loop;
        if (client_init(c, opts, err) < 0)
                return err_wrap(err, "HTTP client");
        *ret_client = TAKE(c);
        return 0;
}

void http_client_free(struct http_client *c)
{
        if (c == NULL)
                return;
        while (c->calls != NULL)
                call_free(c->calls);
        if (c->multi != NULL)
                (void)curl_multi_cleanup(c->multi);
        while (c->watches != NULL)
                watch_remove(c, c->watches->fd);
        loop_timer_free(c->timer);
        loop_timer_free(c->reap);
        identity_done(&c->id);
        free(c->user_agent);
        free(c);
}

struct loop *http_client_loop(const struct http_client *c)
{
        return c->loop;
}

int http_client_reload(struct http_client *c, const struct http_client_options *opts, struct err *err)
{
        struct identity id = {0};

        if (identity_init(&id, opts, err) < 0)
                return err_wrap(err, "HTTP client");
        identity_done(&c->id);
        c->id = id;
        c->rotated = true;
        return 0;
}

static bool add_header(struct http_call_handle *h, const char *name, const char *value)
{
        AUTO(mem_free_p)
        char *line = str_fmt("%s: %s", name, value);
        struct curl_slist *list;

        if (line == NULL)
                return false;
        list = curl_slist_append(h->headers, line);
        if (list == NULL)
                return false;
        h->headers = list;
        return true;
}

static bool add_headers(struct http_call_handle *h, const struct http_call *call)
{
        struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no 100-continue: a round trip */

        if (list == NULL)
                return false;
        h->headers = list;
        if (call->content_type != NULL && call->body.len > 0 &&
            !add_header(h, "Content-Type", call->content_type))
                return false;
        for (size_t i = 0; i < call->n_headers; i++)
                if (!add_header(h, call->headers[i].name, call->headers[i].value))
                        return false;
        return true;
}

static bool set_body(CURL *easy, const struct http_call *call)
{
        if (call->body.len == 0 && strcmp(call->method, "GET") == 0)
                return true;
        if (call->body.len == 0 && strcmp(call->method, "POST") != 0 && strcmp(call->method, "PUT") != 0 &&
            strcmp(call->method, "PATCH") != 0)
                return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK;
        return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
                                call->body.len > 0 ? (const char *)call->body.p : "") == CURLE_OK;
}

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct http_call_handle *h = ctx;
        const struct http_client *c = h->client;

        (void)purpose;
        if (!c->may_connect(c->may_connect_ctx, &address->addr)) {
                h->refused = true;
                return CURL_SOCKET_BAD;
        }
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool set_addresses(struct http_call_handle *h)
{
        return h->client->may_connect == NULL ||
               (curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
                curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h) == CURLE_OK &&
                curl_easy_setopt(h->easy, CURLOPT_PROXY, "") == CURLE_OK);
}

static bool set_call(struct http_call_handle *h, const struct http_call *call)
{
        const struct http_client *c = h->client;
        CURL *e = h->easy;
        long timeout = (long)(call->timeout_ms > 0 ? call->timeout_ms : DEFAULT_TIMEOUT_MS);
        long connect = (long)(c->connect_timeout_ms < timeout ? c->connect_timeout_ms : timeout);

        return set_identity(c, e) && set_addresses(h) && add_headers(h, call) && set_body(e, call) &&
               curl_easy_setopt(e, CURLOPT_PRIVATE, h) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_USERAGENT, c->user_agent) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_WRITEDATA, h) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_HEADERDATA, h) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, c->rotated ? 1L : 0L) == CURLE_OK;
}

/* Checks the URL; *RET_HOST is its beginning, for messages. */
static int check_url(const char *url, char **ret_host, struct err *err)
{
        CURLU *u = curl_url();
        char *scheme = NULL;
        size_t n;
        int r = 0;

        if (u == NULL)
                return err_nomem(err);
        if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
            curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
            (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
                r = err_set(err, ERR_CONFIG, 0, "%s is no http or https address", SHOW(url));
        curl_free(scheme);
        curl_url_cleanup(u);
        if (r < 0)
                return r;
        n = strstr(url, "://") != NULL ? (size_t)(strstr(url, "://") - url) + 3 : 0;
        *ret_host = str_ndup(url, n + strcspn(url + n, "/?"));
        return *ret_host == NULL ? err_nomem(err) : 0;
}

/* After a rotation, as soon as no call uses them. Until then calls connect anew. */
static void drop_old_connections(struct http_client *c)
{
        CURLM *multi;

        if (!c->rotated || c->calls != NULL)
                return;
        multi = new_multi(c);
        if (multi == NULL)
                return;
        (void)curl_multi_cleanup(c->multi);
        c->multi = multi;
        c->rotated = false;
}

int http_client_send(struct http_client *c, const struct http_call *call, http_done_fn done, void *ctx,
                     struct http_call_handle **ret_handle, struct err *err)
{
        struct http_call_handle *h = mem_zalloc(1, sizeof(*h));

        if (h == NULL)
                return err_nomem(err);
        drop_old_connections(c);
        h->client = c;
        h->done = done;
        h->ctx = ctx;
        h->max_bytes = call->max_response_bytes > 0 ? call->max_response_bytes : DEFAULT_BODY_BYTES;
        if (check_url(call->url, &h->host, err) < 0) {
                free(h);
                return -(int)err->kind;
        }
        h->easy = curl_easy_init();
        if (h->easy == NULL || !set_call(h, call) ||
            curl_easy_setopt(h->easy, CURLOPT_URL, call->url) != CURLE_OK ||
            curl_multi_add_handle(c->multi, h->easy) != CURLM_OK) {
                c->rotated = true; /* a handle that failed once may be of no use: begin with a new one */
                call_free(h);
                return err_nomem(err);
        }
        h->next = c->calls;
        if (h->next != NULL)
                h->next->prev = h;
        c->calls = h;
        if (ret_handle != NULL)
                *ret_handle = h;
        return 0;
}

void http_client_cancel(struct http_call_handle *h)
{
        if (h != NULL)
                call_free(h);
}
