/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the vendors, one after the other: four or five small files, once a month. Time and sizes are
 * bounded by what the caller gives and by the limits of a piece; an answer that is not what was asked for is
 * an error with a text, and the old piece stays.
 *
 * Chains of Intel's signers come in a header, percent-encoded PEM, and are kept beside the document.
 */
#include "endorse/fetch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "endorse/cache.h"

#define TIMEOUT_DEFAULT_MS 60000
#define SYSTEM_CA          "/etc/ssl/certs/ca-certificates.crt"
#define BACK_OFF_MS        10000 /* AMD's server wants about that between equal requests */

static const char *const vendor_urls[ENDORSE_N_SERVERS] = {
        [ENDORSE_AMD] = "https://kdsintf.amd.com",
        [ENDORSE_INTEL] = "https://api.trustedservices.intel.com",
        [ENDORSE_INTEL_ROOT] = "https://certificates.trustedservices.intel.com",
};

const char *endorse_outcome_name(enum endorse_outcome outcome)
{
        static const char *const names[] = {
                [ENDORSE_KEPT] = "kept",
                [ENDORSE_FETCHED] = "fetched",
                [ENDORSE_STALE] = "not renewed",
                [ENDORSE_FAILED] = "failed",
        };

        return (size_t)outcome < ARRAY_LEN(names) ? names[outcome] : "failed";
}

struct fetcher {
        const struct endorse_options *o;
        struct http_client *client;
        int64_t deadline_ms; /* by the monotonic clock */
};

/* How long the cache's piece can still be used, from now; < 0: not, or there is none. */
static int64_t left_of(const struct endorse_options *o, const struct endorse_want *want)
{
        struct err unused = ERR_INIT;
        enum endorsement_kind kind;
        struct buf piece = {0};
        int64_t until_ms = 0;
        bool good = endorse_cache_read(o->folder, want->name, &piece, &unused) == 0 &&
                    endorse_good_until(VIEW_BUF(&piece), &kind, &until_ms, &unused) == 0 &&
                    kind == want->kind;

        buf_free(&piece);
        return !good ? -1 : until_ms == INT64_MAX ? INT64_MAX : until_ms - o->now_ms;
}

/* %XX; what is no such pair stays. */
static void percent_decode(const char *text, struct buf *ret)
{
        for (; *text; text++) {
                int high = *text == '%' ? hex_digit((uint8_t)text[1]) : -1;
                int low = high >= 0 ? hex_digit((uint8_t)text[2]) : -1;

                buf_u8(ret, low >= 0 ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : (uint8_t)*text);
                if (low >= 0)
                        text += 2;
        }
}

static int keep_chain(const struct endorse_options *o, const struct endorse_want *want,
                      const struct http_response *res, struct err *err)
{
        const char *header = http_response_header(res, want->chain_header);
        AUTO(mem_free_p) char *name = str_fmt("%s.chain.pem", want->name);
        AUTO(buf_free) struct buf pem = {0};
        enum endorsement_kind kind;
        int64_t until_ms;
        int r;

        if (!name)
                return err_nomem(err);
        if (!header)
                return err_set(err, ERR_PEER, res->status, "the answer has no header %s", want->chain_header);
        percent_decode(header, &pem);
        if (!buf_ok(&pem))
                return err_nomem(err);
        r = endorse_good_until(VIEW_BUF(&pem), &kind, &until_ms, err);
        if (r == -ERR_FORMAT || (r >= 0 && kind != ENDORSEMENT_CERTIFICATES))
                return err_set(err, ERR_PEER, res->status, "header %s holds no certificates",
                               want->chain_header);
        return r < 0 ? r : endorse_cache_write(o->folder, name, VIEW_BUF(&pem), err);
}

static int keep(const struct endorse_options *o, const struct endorse_want *want,
                const struct http_response *res, struct err *err)
{
        enum endorsement_kind kind = ENDORSEMENT_UNKNOWN;
        char until[CLOCK_TEXT_BYTES];
        int64_t until_ms = 0;
        int r = endorse_good_until(res->body, &kind, &until_ms, err);

        if (r == -ERR_FORMAT || (r >= 0 && kind != want->kind))
                return err_set(err, ERR_PEER, res->status, "the answer is %s, and not %s",
                               kind ? endorsement_kind_name(kind) : "nothing known",
                               endorsement_kind_name(want->kind));
        if (r >= 0 && until_ms < o->now_ms)
                return err_set(err, ERR_PEER, res->status, "the answer was good until %s",
                               until_ms < 0 ? "never" : clock_format(until_ms, until));
        if (r >= 0 && want->chain_header)
                r = keep_chain(o, want, res, err);
        return r < 0 ? r : endorse_cache_write(o->folder, want->name, res->body, err);
}

/* One request. *RET_WAIT_MS: when the server wants to be asked again; -1. */
static int ask(struct fetcher *f, const struct endorse_want *want, int64_t *ret_wait_ms, struct err *err)
{
        const char *base = f->o->urls[want->server] ? f->o->urls[want->server] : vendor_urls[want->server];
        AUTO(http_fetched_free_p) struct http_fetched *fetched = NULL;
        AUTO(mem_free_p) char *url = str_fmt("%s%s", base, want->path);
        int64_t left = f->deadline_ms - clock_mono_ms();
        struct http_call call = {.method = "GET",
                                 .url = url,
                                 .timeout_ms = left,
                                 .max_response_bytes = ENDORSE_PIECE_BYTES_MAX};
        const struct http_response *res;
        int r;

        *ret_wait_ms = -1;
        if (!url)
                return err_nomem(err);
        if (left <= 0)
                return err_set(err, ERR_PEER, 0, "no time was left to ask %s", base);
        r = http_client_fetch(f->client, &call, &fetched, err);
        if (r < 0)
                return r;
        res = http_fetched_response(fetched);
        if (res->status == 200)
                return keep(f->o, want, res, err);
        if (res->status == 429 || res->status == 503)
                *ret_wait_ms = res->retry_after_ms >= 0 ? res->retry_after_ms : BACK_OFF_MS;
        return err_set(err, ERR_PEER, res->status, "%s answered %d", base, res->status);
}

static void wait_ms(int64_t ms)
{
        const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

        (void)nanosleep(&t, NULL); /* woken early, it asks early */
}

/* Asks, and once more if the server wants to be asked later and there is time for it. */
static int fetch_one(struct fetcher *f, const struct endorse_want *want, struct err *err)
{
        int64_t wait = 0;
        int r = ask(f, want, &wait, err);

        if (r >= 0 || wait < 0)
                return r;
        if (wait >= f->deadline_ms - clock_mono_ms())
                return r;
        wait_ms(wait);
        err_clear(err);
        return ask(f, want, &wait, err);
}

static bool is_peers(int r)
{
        return r == -ERR_PEER || r == -ERR_LIMIT;
}

static int run(struct fetcher *f, const struct endorse_wants *wants, struct endorse_report *ret,
               struct err *err)
{
        ret->complete = true;
        for (size_t i = 0; i < wants->n; i++) {
                int64_t left = left_of(f->o, &wants->v[i]);
                int r = 0;

                ret->n = i + 1;
                ret->v[i].text[0] = '\0';
                ret->v[i].outcome = ENDORSE_KEPT;
                if (left >= 0 && left >= f->o->renew_ms)
                        continue;
                r = fetch_one(f, &wants->v[i], err);
                if (r < 0 && !is_peers(r))
                        return err_wrap(err, "%s", wants->v[i].name);
                ret->v[i].outcome = r >= 0 ? ENDORSE_FETCHED : left >= 0 ? ENDORSE_STALE : ENDORSE_FAILED;
                ret->complete &= ret->v[i].outcome != ENDORSE_FAILED;
                if (r < 0)
                        (void)snprintf(ret->v[i].text, sizeof(ret->v[i].text), "%.250s", err->text);
                err_clear(err);
        }
        return 0;
}

int endorse_fetch(const struct endorse_options *o, const struct endorse_wants *wants,
                  struct endorse_report *ret, struct err *err)
{
        const struct http_client_options options = {.ca_file = o->ca_file ? o->ca_file : SYSTEM_CA};
        struct fetcher f = {.o = o,
                            .deadline_ms =
                                    clock_mono_ms() + (o->timeout_ms ? o->timeout_ms : TIMEOUT_DEFAULT_MS)};
        AUTO(loop_free_p) struct loop *loop = NULL;
        AUTO(http_client_free_p) struct http_client *client = NULL;
        int r = loop_new(&loop, err);

        *ret = (struct endorse_report){0};
        if (r >= 0)
                r = http_client_new(loop, &options, &client, err);
        if (r < 0)
                return r;
        f.client = client;
        return run(&f, wants, ret, err);
}
