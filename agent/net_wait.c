/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beside the machine. A revocation must not wait for the next heartbeat, nor for a server that is slow to
 * answer one: so there is a second connection to the verifier, with a long poll on it, and a second question
 * may be with the TPM half. What comes over it (or stands in any other answer) goes to the TPM half as it is,
 * again and again until that half has taken it or said never; a proof goes to the verifier again and again
 * until it has that. All of it can be lost and is told again: nothing here is kept on the disk.
 *
 * Failures of the connection are not said here: the machine has the same server, and says it once.
 * Spec: SR-5, SR-8.
 */
#include "agent/net_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/net_machine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/random.h"
#include "wire/problem.h"

#define POLL_TIMEOUT_MS 40000 /* the verifier answers after 25 s at the latest */
#define POLL_SPACE_MS   1000  /* between the starts of two polls that were answered at once */
#define POLL_SPARED     3     /* so many in a row may follow at once */
#define NO_ROUTE_MS     60000 /* a verifier without a long poll */
#define ETAG_MAX        80

/* What may be asked of the TPM half, in the order of its importance. */
enum question { KEYS, ORDER, REACH, ALIVE, N_QUESTIONS };

struct net_waiter {
        struct net *net;
        struct http_client *client;
        struct loop_timer *poll_timer, *post_timer, *ask_timer;
        struct http_call_handle *poll, *post;
        bool session;
        unsigned n_sessions, poll_session, post_session; /* the one that it was sent with */

        /* the poll */
        char etag[ETAG_MAX + 1]; /* of the last answer; "": none */
        int64_t polled_ms;       /* monotonic: when it was started */
        unsigned quick;          /* answered at once, in a row */
        struct net_backoff poll_backoff;

        /* the TPM half */
        bool due[N_QUESTIONS];   /* to be asked */
        bool later[N_QUESTIONS]; /* due, but not before ask_timer: the others need not wait for it */
        bool asked;              /* ASKING waits for its answer */
        enum question asking;
        struct net_backoff ask_backoff;
        char *keys;
        bool reach_known, reachable;
        char reach_text[NET_LAUNCH_TEXT];

        /* the newest word about this host's trust */
        char *jws;
        bool has_nonce;
        bool heard; /* by the listener: the verifier's own word, once it comes, counts more */
        uint8_t nonce[WIRE_NONCE_BYTES];

        /* the proof */
        struct buf proof;
        bool proven; /* the verifier has it, or does not want this one */
        bool said;   /* that it has it */
        struct net_backoff post_backoff;
};

static int64_t next_ms(struct net_backoff *b)
{
        struct err ignored = ERR_INIT;
        uint32_t random = 0;

        if (random_bytes(&random, sizeof(random), &ignored) < 0)
                random = 0; /* then the whole time */
        return net_backoff_next(b, random);
}

/* ---- requests ---- */

static int send_to_verifier(struct net_waiter *w, const char *method, const char *what, const char *etag,
                            struct view body, http_done_fn done, struct http_call_handle **ret,
                            struct err *err)
{
        const struct net *net = w->net;
        const char *base = net->config->verifier.url;
        size_t n = strlen(base), n_headers = 0;
        AUTO(mem_free_p) char *url = NULL, *bearer = NULL;
        struct http_header headers[2];
        struct http_call call = {.method = method,
                                 .headers = headers,
                                 .content_type = body.len ? WIRE_TYPE_JSON : NULL,
                                 .body = body,
                                 .timeout_ms = POLL_TIMEOUT_MS,
                                 .max_response_bytes = WIRE_SMALL_BODY_MAX};
        int r;

        if (!w->client && net_client_new(w->net, NET_VERIFIER, 2, &w->client, err) < 0)
                return -(int)err->kind;
        while (n > 0 && base[n - 1] == '/')
                n--;
        url = str_fmt("%.*s/avow/v1/agents/%s/%s", (int)n, base, net->host, what);
        bearer = str_fmt("Bearer %.*s", (int)net->token.len, (const char *)net->token.p);
        if (!url || !bearer)
                return err_nomem(err);
        headers[n_headers++] = (struct http_header){"Authorization", bearer};
        if (etag && *etag)
                headers[n_headers++] = (struct http_header){"If-None-Match", etag};
        call.url = url;
        call.n_headers = n_headers;
        r = http_client_send(w->client, &call, done, w, ret, err);
        mem_wipe(bearer, strlen(bearer));
        return r;
}

/* The machine will have another session, or has it: then what was denied is past. */
static void denied(struct net_waiter *w, unsigned session)
{
        if (session == w->n_sessions)
                w->session = false;
}

/* ---- the proof ---- */

static void post(struct net_waiter *w);

static void post_later(struct net_waiter *w, int64_t at_least_ms)
{
        int64_t ms = next_ms(&w->post_backoff);

        loop_timer_start(w->post_timer, ms > at_least_ms ? ms : at_least_ms);
}

/* The verifier has looked at it: that is the end of this one. */
static void posted(struct net_waiter *w, const struct http_response *res)
{
        struct wire_problem p = {.status = 0};
        struct err err = ERR_INIT;
        bool told;

        w->proven = true;
        if (res->status == 200 && w->said)
                return;
        if (res->status == 200) {
                w->said = true;
                log_info("the verifier has the proof that this host's secrets are destroyed");
                return;
        }
        told = res->body.len > 0 && wire_problem_decode(res->body, &p, &err) == 0;
        log_warning("the verifier does not take the proof that this host's secrets are destroyed: %d %s",
                    res->status, SHOW(told ? (p.detail ? p.detail : p.title) : ""));
        if (told)
                wire_problem_done(&p);
}

static void on_posted(void *ctx, const struct http_response *res, const struct err *err)
{
        struct net_waiter *w = ctx;

        (void)err;
        w->post = NULL;
        if (!res || res->status >= 500 || res->status == 429 || res->status == 408) {
                post_later(w, res ? res->retry_after_ms : 0);
                return;
        }
        w->post_backoff.failures = 0;
        if (res->status == 401 || res->status == 403) { /* sent again with the next session */
                denied(w, w->post_session);
                post(w);
        } else {
                posted(w, res);
        }
}

static void post(struct net_waiter *w)
{
        struct err err = ERR_INIT;

        if (!w->session || w->proven || w->post || w->proof.len == 0)
                return;
        w->post_session = w->n_sessions;
        if (send_to_verifier(w, "POST", "proofs", NULL, VIEW_BUF(&w->proof), on_posted, &w->post, &err) < 0) {
                log_err(&err, "sending a proof");
                post_later(w, 0);
        }
}

static void on_post_timer(void *ctx)
{
        post(ctx);
}

/* ---- the TPM half ---- */

static void question_body(const struct net_waiter *w, enum question q, struct buf *ret)
{
        const struct privsep_revoke order = {.jws = view_str(w->jws ? w->jws : ""),
                                             .nonce = w->has_nonce ? VIEW_ARRAY(w->nonce) : VIEW_NONE};

        if (q == ORDER)
                privsep_revoke_put(ret, &order);
        else if (q == KEYS)
                buf_str(ret, w->keys);
        else if (q == REACH)
                privsep_reach_put(ret, &(struct privsep_reach){w->reachable, view_str(w->reach_text)});
}

/* The next question that is due, if none is out. */
static void ask(struct net_waiter *w)
{
        static const enum privsep_type types[N_QUESTIONS] = {[KEYS] = PRIVSEP_KEYS,
                                                             [ORDER] = PRIVSEP_REVOKE,
                                                             [REACH] = PRIVSEP_REACH,
                                                             [ALIVE] = PRIVSEP_ALIVE};
        AUTO(buf_free) struct buf body = {0};
        struct err err = ERR_INIT;
        int q;

        for (q = 0; q < N_QUESTIONS && (!w->due[q] || w->later[q]); q++)
                ;
        if (w->asked || q == N_QUESTIONS)
                return;
        question_body(w, (enum question)q, &body);
        if (!buf_ok(&body)) {
                loop_timer_start(w->ask_timer, next_ms(&w->ask_backoff));
                return;
        }
        w->due[q] = false;
        w->asked = true;
        w->asking = (enum question)q;
        if (net_tpm_ask(w->net->tpm, NET_TPM_WAIT, types[q], VIEW_BUF(&body), &err) < 0) {
                log_err(&err, "asking the TPM half"); /* it is gone, and so will we be */
                w->asked = false;
        }
}

static void on_ask_timer(void *ctx)
{
        struct net_waiter *w = ctx;

        memset(w->later, 0, sizeof(w->later));
        ask(w);
}

static void ask_again(struct net_waiter *w, enum question q)
{
        w->due[q] = w->later[q] = true;
        loop_timer_start(w->ask_timer, next_ms(&w->ask_backoff));
        ask(w);
}

/* Return: false if it is to be asked again. */
static bool took_order(struct net_waiter *w, struct view proof)
{
        if (proof.len == 0)
                return true; /* nothing to prove; while a wipe goes on, the TPM half says so instead */
        buf_reset(&w->proof);
        buf_put_view(&w->proof, proof);
        if (!buf_ok(&w->proof)) {
                buf_free(&w->proof);
                w->proof = (struct buf){0};
                return false;
        }
        w->proven = false;
        post(w);
        return true;
}

void net_wait_answer(struct net_waiter *w, const struct privsep_frame *frame)
{
        enum question q = w->asking;
        bool done;

        if (!w->asked)
                return;
        w->asked = false;
        if (w->due[q]) {
                ask(w); /* something newer came meanwhile: this answer is about the past */
                return;
        }
        done = frame->result == PRIVSEP_REFUSED || q == ALIVE ||
               q == REACH; /* the same again would say the same */
        if (frame->result == PRIVSEP_OK)
                done = q != ORDER || took_order(w, frame->body);
        else
                log_debug("%s: %s", privsep_type_name(frame->type), SHOW_VIEW(frame->body));
        if (!done) {
                ask_again(w, q);
                return;
        }
        w->ask_backoff.failures = 0;
        ask(w);
}

void net_wait_ready(struct net_waiter *w)
{
        if (w)
                ask(w);
}

void net_wait_reach(struct net_waiter *w, const char *text)
{
        if (!w || (w->reach_known && w->reachable == (text == NULL)))
                return;
        w->reach_known = true;
        w->reachable = text == NULL;
        (void)snprintf(w->reach_text, sizeof(w->reach_text), "%s", text ? text : ""); /* cut if too long */
        w->due[REACH] = true;
        ask(w);
}

void net_wait_alive(struct net_waiter *w)
{
        if (!w)
                return;
        net_wait_reach(w, NULL);
        w->due[ALIVE] = true;
        ask(w);
}

/* Return: false if it says nothing new, or is to be told again. */
static bool take_word(struct net_waiter *w, const struct wire_meta *meta)
{
        char *jws;

        if (w->jws && str_equal(w->jws, meta->jws) && w->has_nonce == meta->has_nonce &&
            (!meta->has_nonce || equal_ct(w->nonce, sizeof(w->nonce), meta->nonce, sizeof(meta->nonce))))
                return false;
        jws = str_dup(meta->jws);
        if (!jws)
                return false; /* told again with the next answer */
        free(w->jws);
        w->jws = jws;
        w->has_nonce = meta->has_nonce;
        memcpy(w->nonce, meta->nonce, sizeof(w->nonce));
        w->proven = w->said = false;
        buf_reset(&w->proof);
        w->due[ORDER] = true;
        w->later[ORDER] = false;
        w->ask_backoff.failures = 0;
        ask(w);
        return true;
}

void net_wait_told(struct net_waiter *w, const struct wire_meta *meta)
{
        if (!w || !meta->jws)
                return;
        if (take_word(w, meta) || (w->jws && str_equal(w->jws, meta->jws)))
                w->heard = false;
}

/*
 * Whoever has seen an order can send it with another nonce, and the verifier refuses a proof over that. So
 * the nonce that the verifier said stays; one that came by the listener gives way to the next.
 */
void net_wait_heard(struct net_waiter *w, const struct wire_meta *meta)
{
        bool same = w && w->jws && meta->jws && str_equal(w->jws, meta->jws);

        if (!w || !meta->jws || (same && (!meta->has_nonce || (w->has_nonce && !w->heard))))
                return;
        if (take_word(w, meta))
                w->heard = true;
}

/* ---- the poll ---- */

static void poll_start(struct net_waiter *w);

static void on_poll_timer(void *ctx)
{
        poll_start(ctx);
}

/* Without a session the poll rests: the machine will have another one. */
static void poll_in(struct net_waiter *w, int64_t ms)
{
        if (w->session)
                loop_timer_start(w->poll_timer, ms > 0 ? ms : 0);
}

/* After an answer that was one: at once, unless answers come too fast for that. */
static void poll_on(struct net_waiter *w, int64_t retry_after_ms)
{
        int64_t since_ms = clock_mono_ms() - w->polled_ms;

        w->poll_backoff.failures = 0;
        w->quick = since_ms < POLL_SPACE_MS ? w->quick + 1 : 0;
        if (retry_after_ms > 0)
                poll_in(w, retry_after_ms);
        else
                poll_in(w, w->quick > POLL_SPARED ? POLL_SPACE_MS - since_ms : 0);
}

/* Return: false if it could not be read. */
static bool take_news(struct net_waiter *w, const struct http_response *res)
{
        const char *etag = http_response_header(res, "etag");
        struct err err = ERR_INIT;
        struct wire_meta meta;

        if (wire_wait_decode(res->body, &meta, &err) < 0) {
                log_debug("the verifier's long poll: %s", err.text);
                return false;
        }
        w->etag[0] = '\0';
        if (etag && strlen(etag) <= ETAG_MAX)
                memcpy(w->etag, etag, strlen(etag) + 1);
        net_told(w->net, &meta);
        wire_meta_done(&meta);
        return true;
}

static void on_polled(void *ctx, const struct http_response *res, const struct err *err)
{
        struct net_waiter *w = ctx;
        int status = res ? res->status : 0;

        w->poll = NULL;
        if (!res)
                log_debug("the verifier's long poll: %s", err->text);
        net_wait_reach(w, !res ? err->text : status >= 500 ? "it answers with an error of its own" : NULL);
        if (status == 304 || (status == 200 && take_news(w, res))) {
                poll_on(w, res->retry_after_ms);
                return;
        }
        if (status == 401 || status == 403)
                denied(w, w->poll_session);
        poll_in(w, status == 404 ? NO_ROUTE_MS : next_ms(&w->poll_backoff));
}

static void poll_start(struct net_waiter *w)
{
        struct err err = ERR_INIT;

        if (!w->session || w->poll)
                return;
        w->polled_ms = clock_mono_ms();
        w->poll_session = w->n_sessions;
        if (send_to_verifier(w, "GET", "wait", w->etag, VIEW_NONE, on_polled, &w->poll, &err) < 0) {
                log_err(&err, "waiting at the verifier");
                poll_in(w, next_ms(&w->poll_backoff));
        }
}

void net_wait_session(struct net_waiter *w, const char *keys)
{
        char *copy = w && keys ? str_dup(keys) : NULL;

        if (!w)
                return;
        if (copy) {
                free(w->keys);
                w->keys = copy;
                w->due[KEYS] = true;
        }
        w->session = true;
        w->n_sessions++;
        net_wait_reach(w, NULL);
        /* with other keys it may be good now; and a verifier whose database was put back lost its proof */
        w->due[ORDER] = w->jws != NULL;
        ask(w);
        poll_in(w, 0);
        post(w);
}

/* ---- start and end ---- */

int net_wait_new(struct net *net, struct net_waiter **ret, struct err *err)
{
        struct net_waiter *w = mem_zalloc(1, sizeof(*w));

        if (!w)
                return err_nomem(err);
        w->net = net;
        if (loop_timer_new(net->loop, on_poll_timer, w, &w->poll_timer, err) < 0 ||
            loop_timer_new(net->loop, on_post_timer, w, &w->post_timer, err) < 0 ||
            loop_timer_new(net->loop, on_ask_timer, w, &w->ask_timer, err) < 0) {
                net_wait_free(w);
                return -(int)err->kind;
        }
        *ret = w;
        return 0;
}

void net_wait_free(struct net_waiter *w)
{
        if (!w)
                return;
        if (w->poll)
                http_client_cancel(w->poll);
        if (w->post)
                http_client_cancel(w->post);
        http_client_free(w->client);
        loop_timer_free(w->poll_timer);
        loop_timer_free(w->post_timer);
        loop_timer_free(w->ask_timer);
        buf_free(&w->proof);
        free(w->jws);
        free(w->keys);
        free(w);
}
