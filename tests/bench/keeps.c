/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps in one process, for load: each has a key, a certificate of the Steward that is given, and a
 * connection of its own, and proves its module to a verifier again and again, the next time as soon as the
 * answer to the last is there.
 *
 *   keeps VERIFIER-URL CA-FILE STEWARD-CERT STEWARD-KEY CLIENTS REQUESTS ENTRIES [OPTION...]
 *
 * The modules are the texts "module 0" … "module ENTRIES-1", one of them for each keep; every answer must be
 * 200. Connections are made, and what is to be signed is signed, before the clock starts. Prints one line of
 * JSON. Options:
 *
 *   sha384   keys on P-384, digests SHA-384; else P-256 and SHA-256
 *   native   /avow/v1/workloads with a challenge (two requests, and signing in between) instead of the Trust
 *            Monitor's one
 *   fresh    a new TLS connection for each verification
 *   others   a keep that the verifier has never seen, with a key and a certificate of its own, for each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "http/client.h"
#include "wire/workload.h"

#define DAY_MS 86400000LL

struct bench;
struct keep {
        struct bench *b;
        struct key *key;
        struct pubkey *pub;
        struct cert *cert;
        struct http_client *client;
        struct buf *bodies; /* the Trust Monitor's, made before */
        size_t n_bodies, next, module;
        uint64_t started_us;
        struct workload_evidence evidence;
};

struct bench {
        const char *url, *ca_file;
        struct loop *loop;
        struct cert *steward;
        struct key *steward_key;
        struct keep *keeps;
        size_t n_keeps, n_requests, n_entries, n_ready, n_sent, n_done, n_failed;
        enum digest_alg alg;
        bool native, fresh, others;
        uint32_t *took_us;
};

static void die(const struct err *err)
{
        (void)fprintf(stderr, "keeps: %s\n", err->text);
        exit(1);
}

static void module_digest(const struct bench *b, size_t n, struct digest *ret)
{
        struct err err = ERR_INIT;
        char text[32];

        (void)snprintf(text, sizeof(text), "module %zu", n % b->n_entries);
        if (digest_bytes(b->alg, view_str(text), ret, &err) < 0)
                die(&err);
}

/* The keep's signature over MESSAGE, in DER. */
static void sign(const struct keep *k, struct view message, struct buf *ret)
{
        struct signature sig = {.scheme = SIG_ECDSA};
        struct err err = ERR_INIT;
        struct buf raw = {0};

        if (key_sign(k->key, k->b->alg, message, &raw, &err) < 0)
                die(&err);
        sig.r = VIEW(raw.p, raw.len / 2);
        sig.s = VIEW(raw.p + raw.len / 2, raw.len / 2);
        if (signature_der(k->pub, &sig, ret, &err) < 0)
                die(&err);
        buf_free(&raw);
}

static void connect_anew(struct keep *k)
{
        const struct http_client_options options = {.ca_file = k->b->ca_file};
        struct err err = ERR_INIT;

        http_client_free(k->client);
        k->client = NULL;
        if (http_client_new(k->b->loop, &options, &k->client, &err) < 0)
                die(&err);
}

static void send(struct keep *k, const char *path, const char *type, struct view body, http_done_fn done)
{
        char url[256];
        struct http_call call = {
                .method = "POST", .url = url, .content_type = type, .body = body, .timeout_ms = 60000};
        struct err err = ERR_INIT;

        (void)snprintf(url, sizeof(url), "%s%s", k->b->url, path);
        if (http_client_send(k->client, &call, done, k, NULL, &err) < 0)
                die(&err);
}

/* Each has its connection before the clock starts. */
static void on_ready(void *ctx, const struct http_response *res, const struct err *err)
{
        struct keep *k = ctx;

        if (!res)
                die(err);
        if (++k->b->n_ready == k->b->n_keeps)
                loop_stop(k->b->loop);
}

static void next(struct keep *k);

static void finish(struct keep *k, const struct http_response *res, const struct err *err)
{
        struct bench *b = k->b;

        b->took_us[b->n_done++] = (uint32_t)(clock_boot_us() - k->started_us);
        if (!res || res->status != 200) {
                if (b->n_failed++ == 0)
                        (void)fprintf(stderr, "keeps: %d %.*s\n", res ? res->status : 0,
                                      res ? (int)res->body.len : 200,
                                      res ? (const char *)res->body.p : err->text);
        }
        if (b->n_done == b->n_requests)
                loop_stop(b->loop);
        else
                next(k);
}

static void on_answer(void *ctx, const struct http_response *res, const struct err *err)
{
        finish(ctx, res, err);
}

/* ---- our own form ---- */

static void put_evidence(struct keep *k, struct buf *out)
{
        struct workload_evidence *e = &k->evidence;
        struct json_out o = json_out_to(out, false);

        json_out_object(&o, NULL);
        json_out_str(&o, "schema", "avow.workload-evidence/1");
        json_out_str(&o, "challenge", e->challenge);
        json_out_hex(&o, "nonce", VIEW_ARRAY(e->nonce));
        json_out_str(&o, "algorithm", digest_name(e->digest.alg));
        json_out_hex(&o, "digest", digest_view(&e->digest));
        json_out_array(&o, "chain");
        json_out_base64(&o, NULL, cert_der(k->cert));
        json_out_array_end(&o);
        json_out_base64(&o, "signature", VIEW_BUF(&e->signature));
        json_out_object_end(&o);
}

static int take_challenge(struct keep *k, struct view body, const char **ret_verifier, json_t **ret,
                          struct err *err)
{
        struct workload_evidence *e = &k->evidence;
        AUTO(buf_free) struct buf nonce = {0};
        const char *id = NULL;
        int r = json_parse(body, 4096, ret, err);

        if (r >= 0)
                r = json_get_str(*ret, "challenge", &id, err);
        if (r >= 0)
                r = json_get_str(*ret, "verifier_id", ret_verifier, err);
        if (r >= 0)
                r = json_get_hex(*ret, "nonce", sizeof(e->nonce), &nonce, err);
        if (r >= 0) {
                (void)snprintf(e->challenge, sizeof(e->challenge), "%s", id);
                memcpy(e->nonce, nonce.p, nonce.len);
        }
        return r;
}

static void on_challenge(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct keep *k = ctx;
        struct workload_evidence *e = &k->evidence;
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(buf_free) struct buf message = {0};
        AUTO(buf_free) struct buf body = {0};
        const char *verifier = NULL;
        struct err err = ERR_INIT;

        if (!res || res->status != 201 || take_challenge(k, res->body, &verifier, &j, &err) < 0) {
                finish(k, NULL, res ? &err : call_err);
                return;
        }
        (void)snprintf(e->technology, sizeof(e->technology), WORKLOAD_TECHNOLOGY);
        if (workload_signed_bytes(e, verifier, &message, &err) < 0)
                die(&err);
        buf_reset(&e->signature);
        sign(k, VIEW_BUF(&message), &e->signature);
        put_evidence(k, &body);
        send(k, "/avow/v1/workloads", "application/json", VIEW_BUF(&body), on_answer);
}

/* ---- one after another ---- */

static void next(struct keep *k)
{
        struct bench *b = k->b;

        if (b->n_sent == b->n_requests || (!b->native && k->next == k->n_bodies))
                return;
        b->n_sent++;
        if (b->fresh)
                connect_anew(k);
        k->started_us = clock_boot_us();
        if (b->native) {
                module_digest(b, k->module, &k->evidence.digest);
                send(k, "/avow/v1/workloads/challenges", NULL, VIEW_NONE, on_challenge);
        } else {
                send(k, "/attest_entity", "application/octet-stream", VIEW_BUF(&k->bodies[k->next]),
                     on_answer);
                k->next++;
        }
}

/* A key, and a certificate for it. */
static void keep_identity(struct keep *k)
{
        const int64_t now_ms = clock_now_ms();
        const struct cert_spec spec = {.kind = CERT_KIND_BOTH,
                                       .cn = "keep",
                                       .not_before_ms = now_ms - DAY_MS,
                                       .not_after_ms = now_ms + DAY_MS};
        struct err err = ERR_INIT;

        key_free(k->key);
        pubkey_free(k->pub);
        cert_free(k->cert);
        k->key = NULL;
        k->pub = NULL;
        k->cert = NULL;
        if (key_generate_ec(k->b->alg == DIGEST_SHA256 ? CURVE_P256 : CURVE_P384, &k->key, &err) < 0 ||
            key_public(k->key, &k->pub, &err) < 0 ||
            cert_issue(&spec, k->pub, k->b->steward, k->b->steward_key, &k->cert, &err) < 0)
                die(&err);
}

static void keep_init(struct bench *b, struct keep *k)
{
        size_t n = (b->n_requests + b->n_keeps - 1) / b->n_keeps;

        k->b = b;
        k->module = (size_t)(k - b->keeps) * 7919;
        keep_identity(k);
        connect_anew(k);
        k->bodies = mem_zalloc(n, sizeof(*k->bodies));
        for (; !b->native && k->n_bodies < n; k->n_bodies++) {
                struct buf *body = &k->bodies[k->n_bodies], sig = {0};
                char text[32];

                if (b->others && k->n_bodies > 0)
                        keep_identity(k);
                (void)snprintf(text, sizeof(text), "module %zu", k->module % b->n_entries);
                sign(k, view_str(text), &sig); /* its digest is what the signature is over */
                buf_u8(body, (uint8_t)sig.len);
                buf_put_view(body, VIEW_BUF(&sig));
                buf_put_view(body, cert_der(k->cert));
                buf_free(&sig);
        }
}

static int by_size(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static void report(struct bench *b, uint64_t us)
{
        size_t n = b->n_done;

        qsort(b->took_us, n, sizeof(*b->took_us), by_size);
        (void)printf("{\"requests\": %zu, \"failed\": %zu, \"seconds\": %.3f, \"p50\": %.2f, \"p90\": %.2f, "
                     "\"p99\": %.2f, "
                     "\"longest\": %.2f}\n",
                     n, b->n_failed, (double)us / 1e6, b->took_us[n / 2] / 1e3, b->took_us[n * 9 / 10] / 1e3,
                     b->took_us[n * 99 / 100] / 1e3, b->took_us[n - 1] / 1e3);
}

static size_t number(const char *text)
{
        struct err err = ERR_INIT;
        int64_t n;

        if (str_parse_int(view_str(text), 1, 10000000, &n, &err) < 0)
                die(&err);
        return (size_t)n;
}

int main(int argc, char **argv)
{
        struct bench b = {.alg = DIGEST_SHA256};
        struct cert_list list = {0};
        struct err err = ERR_INIT;
        uint64_t begin_us;

        if (argc < 8) {
                (void)fprintf(stderr, "usage: keeps VERIFIER-URL CA-FILE STEWARD-CERT STEWARD-KEY CLIENTS "
                                      "REQUESTS ENTRIES [OPTION...]\n");
                return 2;
        }
        b.url = argv[1];
        b.ca_file = argv[2];
        b.n_keeps = number(argv[5]);
        b.n_requests = number(argv[6]);
        b.n_entries = number(argv[7]);
        for (int i = 8; i < argc; i++) {
                b.alg = str_equal(argv[i], "sha384") ? DIGEST_SHA384 : b.alg;
                b.native = b.native || str_equal(argv[i], "native");
                b.others = b.others || str_equal(argv[i], "others");
                b.fresh = b.fresh || str_equal(argv[i], "fresh");
        }
        if (cert_load(argv[3], &list, &err) < 0 || key_load(argv[4], &b.steward_key, &err) < 0 ||
            loop_new(&b.loop, &err) < 0)
                die(&err);
        b.steward = list.v[0];
        b.keeps = mem_zalloc(b.n_keeps, sizeof(*b.keeps));
        b.took_us = mem_zalloc(b.n_requests, sizeof(*b.took_us));
        for (size_t i = 0; i < b.n_keeps; i++)
                keep_init(&b, &b.keeps[i]);
        for (size_t i = 0; i < b.n_keeps; i++)
                send(&b.keeps[i], "/healthz", NULL, VIEW_NONE, on_ready);
        if (loop_run(b.loop, &err) < 0)
                die(&err);
        begin_us = clock_boot_us();
        for (size_t i = 0; i < b.n_keeps; i++)
                next(&b.keeps[i]);
        if (loop_run(b.loop, &err) < 0)
                die(&err);
        report(&b, clock_boot_us() - begin_us);
        return b.n_failed ? 1 : 0;
}
