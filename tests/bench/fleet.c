/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of attesting hosts in one process, for load: each has a TPM played in software, a TLS key and a
 * connection of its own, and speaks the native push protocol (docs/protocol.md) as an agent does, but without
 * waiting for the interval.
 *
 *   fleet REGISTRAR-URL VERIFIER-URL CA-FILE PREFIX HOSTS SECONDS [OPTION...]
 *
 * It registers HOSTS hosts named PREFIX-0, PREFIX-1, …, prints "registered", waits for a line on standard
 * input (whoever drives it enrols them meanwhile), opens the sessions, prints "running", attests for SECONDS,
 * and prints one line of JSON. Each host measured one file, whose SHA-256 is that of the text
 * "runtime"; every answer must be a pass. Options:
 *
 *   no-counters   evidence without epoch and floor
 *   interval=MS   each host waits so long between its attestations
 *   drift=MS      once all have passed, one host after the other, so far apart, measures another file and
 *                 shows it at once. That answer must be a fail, and the host then stays away; printed is
 *                 "drift NAME MICROSECONDS", the wall clock just before its evidence was sent
 *   any           any verdict will do, and with an interval hosts try again, as agents do, when there is no
 *                 answer or another than they asked for: the verifier is busy, or was killed
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "evidence/cel.h"
#include "evidence/counters.h"
#include "evidence/pcr_blob.h"
#include "evidence/qualify.h"
#include "evidence/seal_policy.h"
#include "http/client.h"
#include "http/loop.h"
#include "support/play_tpm.h"
#include "wire/ask.h"
#include "wire/attestation.h"
#include "wire/capabilities.h"
#include "wire/evidence.h"
#include "wire/registration.h"
#include "wire/session.h"

#define LATENCIES_MAX 2000000

struct host;
struct fleet {
        struct loop *loop;
        struct host *hosts;
        const char *registrar, *verifier, *ca_file;
        bool stopping, no_counters, any;
        size_t n_hosts, n_ready, n_busy;
        uint64_t n_attested, n_failed;
        uint32_t *latency_us;
        size_t n_latencies;
        int64_t boot_time_ms, interval_ms, drift_ms;
        char first_failure[256];
};

struct host {
        struct fleet *fleet;
        char name[64];
        struct play_tpm tpm;
        struct tpm_name ak_name;
        struct key *tls_key;
        char *cert_pem;
        struct secret key_pem;
        struct digest spki;
        struct counters_record counters; /* their key is the TLS key: it signs nothing here */
        struct http_client *client;
        char session_id[WIRE_UUID_LEN + 1], verifier_id[WIRE_UUID_LEN + 1];
        char *bearer;     /* "Bearer …" */
        struct buf cel;   /* what it measured at first */
        struct buf drift; /* and when it drifted */
        struct loop_timer *next, *drifts;
        bool waiting, drift_due, drifted;
        bool offers;    /* the next round begins with an offer */
        int64_t due_ms; /* with an interval: its next turn, on its own beat however long an answer takes */
        uint64_t index;
        struct wire_asks asks;
        int64_t sent_us;
};

static int64_t now_us(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(struct host *h, const char *what, const struct http_response *res, const struct err *err)
{
        struct fleet *f = h->fleet;

        f->n_failed++;
        if (!f->first_failure[0])
                (void)snprintf(f->first_failure, sizeof(f->first_failure), "%s: %s: %d %.120s", h->name, what,
                               res ? res->status : 0,
                               err && err->text[0] ? err->text
                               : res ? (const char *)(res->body.len ? res->body.p : (const uint8_t *)"")
                                     : "");
        if (--f->n_busy == 0 || f->n_ready < f->n_hosts)
                loop_stop(f->loop);
}

/* One request of H, with its token if it has one. */
static void call(struct host *h, const char *base, const char *method, const char *path, const char *type,
                 struct buf *body, http_done_fn done)
{
        AUTO(mem_free_p)
        char *url = str_fmt("%s%s", base, path);
        struct http_header auth = {"Authorization", h->bearer};
        struct http_call c = {.method = method,
                              .url = url,
                              .headers = &auth,
                              .n_headers = h->bearer ? 1 : 0,
                              .content_type = type,
                              .body = VIEW_BUF(body)};
        struct err err = ERR_INIT;

        h->sent_us = now_us();
        if (!url || !buf_ok(body) || http_client_send(h->client, &c, done, h, NULL, &err) < 0)
                fail(h, path, NULL, &err);
        buf_free(body);
}

/* ---- registration ---- */

static void on_activated(void *ctx, const struct http_response *res, const struct err *err)
{
        struct host *h = ctx;

        if (!res || res->status != 200) {
                fail(h, "activate", res, err);
                return;
        }
        if (++h->fleet->n_ready == h->fleet->n_hosts)
                loop_stop(h->fleet->loop);
}

static void on_registered(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct host *h = ctx;
        struct buf blob = {0}, credential = {0}, body = {0};
        AUTO(mem_free_p)
        char *key = NULL;
        struct err err = ERR_INIT;
        struct digest tag;
        char path[128];

        if (!res || res->status != 200 || wire_challenge_blob_decode(res->body, &blob, &err) < 0 ||
            play_tpm_activate(&h->tpm, VIEW_BUF(&blob), &credential, &err) < 0) {
                fail(h, "register", res, res ? &err : call_err);
        } else {
                key = base64_encode(VIEW_BUF(&credential));
                if (!key || hmac_bytes(DIGEST_SHA384, view_str(key), view_str(h->name), &tag, &err) < 0 ||
                    wire_activation_encode(digest_view(&tag), &body, &err) < 0) {
                        fail(h, "activate", NULL, &err);
                } else {
                        (void)snprintf(path, sizeof(path), "/v2.6/agents/%s", h->name);
                        call(h, h->fleet->registrar, "PUT", path, WIRE_TYPE_JSON, &body, on_activated);
                }
        }
        buf_free(&blob);
        buf_free(&credential);
}

static void start_registration(struct host *h)
{
        struct wire_registration m = {.mtls = WIRE_MTLS_PEM, .mtls_cert = h->cert_pem, .port = -1};
        struct buf body = {0};
        struct err err = ERR_INIT;
        char path[128];

        buf_put_view(&m.ek, VIEW_BUF(&h->tpm.ek_pub));
        buf_put_view(&m.ak, VIEW_BUF(&h->tpm.ak_pub));
        (void)snprintf(path, sizeof(path), "/v2.6/agents/%s", h->name);
        if (wire_registration_encode(&m, &body, &err) < 0)
                fail(h, "register", NULL, &err);
        else
                call(h, h->fleet->registrar, "POST", path, WIRE_TYPE_JSON, &body, on_registered);
        buf_free(&m.ek);
        buf_free(&m.ak);
}

/* ---- attestation ---- */

static void send_evidence(struct host *h);

/* H has nothing more to say. */
static void leave(struct host *h)
{
        loop_timer_stop(h->next);
        loop_timer_stop(h->drifts);
        if (--h->fleet->n_busy == 0)
                loop_stop(h->fleet->loop);
}

static void send_offer(struct host *h);
static void start_session(struct host *h);

static void on_next(void *ctx)
{
        struct host *h = ctx;

        h->waiting = false;
        if (h->fleet->stopping)
                leave(h);
        else if (!h->bearer)
                start_session(h);
        else if (h->offers)
                send_offer(h);
        else
                send_evidence(h);
}

/* Not what was asked for: the host tries again in its time, with a new session where its token is not known
 * any more. Return: true if that was all. */
static bool tries_again(struct host *h, const struct http_response *res, int wanted)
{
        struct fleet *f = h->fleet;

        if (!f->any || !f->interval_ms || f->n_ready < f->n_hosts || (res && res->status == wanted))
                return false;
        if (res && res->status == 401) {
                free(h->bearer);
                h->bearer = NULL;
        }
        h->offers = true;
        h->waiting = true;
        loop_timer_start(h->next, f->interval_ms);
        return true;
}

/* Measures TEXT into the TPM; appends what explains it to LOG. */
static int measure(struct host *h, const char *text, const struct digest *before, struct buf *log,
                   struct err *err)
{
        struct cel_record r = {.pcr = 15,
                               .n_digests = 1,
                               .content_type = (char *)CEL_CONTENT_AVOW,
                               .ours = true,
                               .kind = (char *)CEL_KIND_MEASURE,
                               .runtime = (char *)"bench",
                               .path = (char *)"/opt/bench/runtime",
                               .size_bytes = 7,
                               .n_before = 1,
                               .reset_count = h->tpm.clock.reset_count,
                               .has_timestamp = true,
                               .timestamp_us = 1000000};

        r.before[0] = *before;
        if (digest_bytes(DIGEST_SHA256, view_str(text), &r.digests[0], err) < 0 ||
            cel_record_write(&r, log, err) < 0)
                return -(int)err->kind;
        play_tpm_extend_digest(&h->tpm, 15, &r.digests[0]);
        return 0;
}

static void drift(struct host *h)
{
        const struct pcr_selection sel = {DIGEST_SHA256, 1u << 15};
        struct pcr_values now = play_tpm_values(&h->tpm, &sel);
        struct err err = ERR_INIT;
        struct timespec t;

        h->drifted = true;
        if (measure(h, "patched", &now.v[15], &h->drift, &err) < 0) {
                fail(h, "drift", NULL, &err);
                return;
        }
        (void)clock_gettime(CLOCK_REALTIME, &t);
        (void)printf("drift %s %lld\n", h->name, (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
        (void)fflush(stdout);
        send_evidence(h);
}

static void on_drift(void *ctx)
{
        struct host *h = ctx;

        h->drift_due = true;
        if (!h->waiting)
                return; /* its evidence is under way: with the next */
        h->waiting = false;
        loop_timer_stop(h->next);
        drift(h);
}

/* The beats of the hosts are spread over the interval, and an answer that came late moves none of them:
 * hosts that were held up together do not stay together. */
static void wait_for_turn(struct host *h)
{
        int64_t now_ms = loop_now_ms();

        while (h->due_ms <= now_ms)
                h->due_ms += h->fleet->interval_ms;
        h->waiting = true;
        loop_timer_start(h->next, h->due_ms - now_ms);
}

/* With an interval each host has attested once when as many answers came as there are hosts. */
static void start_drifting(struct fleet *f)
{
        for (size_t i = 0; i < f->n_hosts; i++)
                loop_timer_start(f->hosts[i].drifts, ((int64_t)i + 1) * f->drift_ms);
}

static void on_outcome(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct host *h = ctx;
        struct fleet *f = h->fleet;
        struct wire_outcome out;
        struct err err = ERR_INIT;

        if (tries_again(h, res, 202))
                return;
        if (!res || res->status != 202 || wire_outcome_decode(res->body, &out, &err) < 0) {
                fail(h, "evidence", res, res ? &err : call_err);
                return;
        }
        wire_outcome_done(&out); /* a fleet of the bench keeps no secrets */
        if ((!f->any && out.evaluation != (h->drifted ? WIRE_FAIL : WIRE_PASS)) || !out.has_next) {
                fail(h, wire_evaluation_name(out.evaluation), res, NULL);
                return;
        }
        if (++f->n_attested == f->n_hosts && f->drift_ms)
                start_drifting(f);
        if (f->n_latencies < LATENCIES_MAX)
                f->latency_us[f->n_latencies++] = (uint32_t)(now_us() - h->sent_us);
        h->index = out.next.index;
        h->asks = out.next.asks;
        h->offers = false;
        if (f->stopping || h->drifted) {
                leave(h);
        } else if (h->drift_due) {
                drift(h);
        } else if (f->interval_ms) {
                wait_for_turn(h);
        } else {
                send_evidence(h);
        }
}

static void put_counter(const struct host *h, const struct counter_record *from, struct view qualifying,
                        struct wire_counter *ret)
{
        ret->index = from->index;
        play_tpm_certify_counter(&h->tpm, &from->name, 1, qualifying, &ret->message, &ret->signature);
}

static void put_counters(const struct host *h, struct view qualifying, struct wire_evidence_item *item)
{
        buf_put(&item->counter_key, h->counters.key, h->counters.key_len);
        put_counter(h, &h->counters.epoch, qualifying, &item->epoch);
        put_counter(h, &h->counters.floor, qualifying, &item->floor);
}

/* Fills the quote's item. */
static int quote(struct host *h, const struct wire_ask *ask, struct wire_evidence_item *item, struct err *err)
{
        struct digest qualifying;
        struct pcr_values pcrs;
        const struct pcr_selection sel = {DIGEST_SHA256, ask->banks.n ? ask->banks.bank[0].pcrs : 0};
        uint64_t up_ms = (uint64_t)(clock_now_ms() - h->fleet->boot_time_ms);

        item->type = WIRE_TPM_QUOTE;
        if (qualify_heartbeat(h->verifier_id, h->name, VIEW(ask->challenge, ask->challenge_len), &qualifying,
                              err) < 0)
                return -(int)err->kind;
        play_tpm_pass_time(&h->tpm, up_ms - h->tpm.time_ms);
        play_tpm_quote(&h->tpm, &sel, digest_view(&qualifying), &item->message, &item->signature);
        play_tpm_time(&h->tpm, digest_view(&qualifying), &item->time_message, &item->time_signature);
        pcrs = play_tpm_values(&h->tpm, &sel);
        pcr_blob_write(&pcrs, &item->pcrs);
        if (!h->fleet->no_counters)
                put_counters(h, digest_view(&qualifying), item);
        return 0;
}

static void send_evidence(struct host *h)
{
        struct wire_evidence m = {.n = h->asks.n};
        struct err err = ERR_INIT;
        struct buf body = {0};
        char path[WIRE_HOST_MAX + 64];
        int r = 0;

        for (size_t i = 0; i < h->asks.n && r >= 0; i++) {
                const struct wire_ask *ask = &h->asks.item[i];

                if (ask->type == WIRE_TPM_QUOTE) {
                        r = quote(h, ask, &m.item[i], &err);
                        continue;
                }
                m.item[i].type = ask->type;
                m.item[i].has_count = true;
                if (ask->type == WIRE_CEL_LOG && ask->starting_offset == 0) {
                        m.item[i].entry_count = 1;
                        buf_put_view(&m.item[i].entries, VIEW_BUF(&h->cel));
                }
                if (ask->type == WIRE_CEL_LOG && h->drifted) {
                        m.item[i].entry_count++;
                        buf_put_view(&m.item[i].entries, VIEW_BUF(&h->drift));
                }
        }
        wire_attestation_path(h->name, h->index, path);
        if (r < 0 || wire_evidence_encode(&m, &body, &err) < 0)
                fail(h, "evidence", NULL, &err);
        else
                call(h, h->fleet->verifier, "PATCH", path, WIRE_TYPE_JSON_API, &body, on_outcome);
        wire_evidence_done(&m);
}

static void on_request(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct host *h = ctx;
        struct wire_request m;
        struct err err = ERR_INIT;
        const char *location = res ? http_response_header(res, "location") : NULL;

        if (tries_again(h, res, 201))
                return;
        if (!res || res->status != 201 || !location || !wire_location_index(location, &h->index) ||
            wire_request_decode(res->body, &m, &err) < 0) {
                fail(h, "capabilities", res, res ? &err : call_err);
                return;
        }
        h->asks = m.asks;
        send_evidence(h);
}

static void send_offer(struct host *h)
{
        struct wire_capabilities m = {.avow_version = 1, .boot_time_ms = h->fleet->boot_time_ms};
        struct wire_quote_offer *q = &m.quote;
        struct buf body = {0};
        struct err err = ERR_INIT;
        char path[160];

        q->offered = true;
        q->hashes[q->n_hashes++] = DIGEST_SHA256;
        q->schemes[q->n_schemes++] = WIRE_ECDSA;
        q->subjects = (struct wire_banks){.bank = {{DIGEST_SHA256, 0xffffff}}, .n = 1};
        q->ecc = true;
        q->key_bits = 256;
        q->ak_name_len = h->ak_name.len;
        memcpy(q->ak_name, h->ak_name.b, q->ak_name_len);
        buf_put_view(&q->ak_public, VIEW(h->tpm.ak_pub.p + 2, h->tpm.ak_pub.len - 2));
        q->key_hashes[q->n_key_hashes++] = DIGEST_SHA256;
        q->key_schemes[q->n_key_schemes++] = WIRE_ECDSA;
        m.log[WIRE_CEL_LOG] = (struct wire_log_offer){.offered = true,
                                                      .partial = true,
                                                      .appendable = true,
                                                      .has_count = true,
                                                      .entry_count = 1,
                                                      .own_format = true};
        (void)snprintf(path, sizeof(path), "/v3.0/agents/%s/attestations", h->name);
        if (wire_capabilities_encode(&m, &body, &err) < 0)
                fail(h, "capabilities", NULL, &err);
        else
                call(h, h->fleet->verifier, "POST", path, WIRE_TYPE_JSON_API, &body, on_request);
        wire_capabilities_done(&m);
}

/* ---- sessions ---- */

static void on_session(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct host *h = ctx;
        struct wire_session_result m = {0};
        struct err err = ERR_INIT;

        if (tries_again(h, res, 200))
                return;
        if (!res || res->status != 200 || wire_session_result_decode(res->body, &m, &err) < 0) {
                fail(h, "session", res, res ? &err : call_err);
                return;
        }
        if (!m.pass)
                fail(h, "session refused", res, NULL);
        else
                h->bearer = str_fmt("Bearer %.*s", (int)m.token.len, (const char *)m.token.p);
        wire_session_result_done(&m);
        if (h->bearer && h->fleet->n_ready == h->fleet->n_hosts)
                send_offer(h); /* a session after another */
        else if (h->bearer && ++h->fleet->n_ready == h->fleet->n_hosts)
                loop_stop(h->fleet->loop);
}

static void on_challenge(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct host *h = ctx;
        struct wire_session_challenge m;
        struct wire_session_proof proof = {0};
        struct digest qualifying;
        struct buf body = {0};
        struct err err = ERR_INIT;
        char path[96];

        if (tries_again(h, res, 200))
                return;
        if (!res || res->status != 200 || wire_session_challenge_decode(res->body, &m, &err) < 0) {
                fail(h, "session challenge", res, res ? &err : call_err);
                return;
        }
        memcpy(h->session_id, m.id, sizeof(h->session_id));
        memcpy(h->verifier_id, m.verifier_id, sizeof(h->verifier_id));
        memcpy(proof.id, m.id, sizeof(proof.id));
        memcpy(proof.host, h->name, strlen(h->name) + 1);
        (void)snprintf(path, sizeof(path), "/v3.0/sessions/%s", m.id);
        if (qualify_session(h->verifier_id, h->name, VIEW(m.challenge, m.challenge_len),
                            digest_view(&h->spki), &qualifying, &err) < 0) {
                fail(h, "proof", NULL, &err);
                return;
        }
        play_tpm_certify(&h->tpm, &h->tpm.ak, digest_view(&qualifying), &proof.message, &proof.signature);
        if (wire_session_proof_encode(&proof, &body, &err) < 0)
                fail(h, "proof", NULL, &err);
        else
                call(h, h->fleet->verifier, "PATCH", path, WIRE_TYPE_JSON_API, &body, on_session);
        wire_session_proof_done(&proof);
}

static void start_session(struct host *h)
{
        struct buf body = {0};
        struct err err = ERR_INIT;

        if (wire_session_request_encode(h->name, &body, &err) < 0)
                fail(h, "session", NULL, &err);
        else
                call(h, h->fleet->verifier, "POST", "/v3.0/sessions", WIRE_TYPE_JSON_API, &body,
                     on_challenge);
}

/* ---- the fleet ---- */

static int host_init(struct host *h, struct fleet *f, const char *prefix, size_t i, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        struct cert_spec spec = {.kind = CERT_KIND_SELF,
                                 .cn = h->name,
                                 .not_before_ms = clock_now_ms() - 60000,
                                 .not_after_ms = clock_now_ms() + 86400000};
        struct http_client_options opts = {.ca_file = f->ca_file};
        AUTO(buf_free)
        struct buf spki = {0};

        struct digest zero;

        digest_zero(DIGEST_SHA256, &zero);
        h->fleet = f;
        (void)snprintf(h->name, sizeof(h->name), "%s-%zu", prefix, i);
        play_tpm_init(&h->tpm, PLAY_AK_P256, DIGEST_SHA256);
        play_tpm_make_ek(&h->tpm);
        if (tpm_public_name(&h->tpm.ak, &h->ak_name, err) < 0 ||
            measure(h, "runtime", &zero, &h->cel, err) < 0 ||
            key_generate_ec(CURVE_P256, &h->tls_key, err) < 0 || key_public(h->tls_key, &pub, err) < 0 ||
            pubkey_spki_sha256(pub, &h->spki, err) < 0 || pubkey_spki(pub, &spki, err) < 0 ||
            counters_set(&h->counters, VIEW_BUF(&spki), SEAL_NV_EPOCH, SEAL_NV_FLOOR, err) < 0 ||
            cert_issue(&spec, pub, NULL, h->tls_key, &cert, err) < 0 ||
            cert_pem(cert, &h->cert_pem, err) < 0 || key_pem(h->tls_key, &h->key_pem, err) < 0)
                return -(int)err->kind;
        if (loop_timer_new(f->loop, on_next, h, &h->next, err) < 0 ||
            loop_timer_new(f->loop, on_drift, h, &h->drifts, err) < 0)
                return -(int)err->kind;
        opts.cert_pem = h->cert_pem;
        opts.key_pem = (const char *)h->key_pem.p;
        return http_client_new(f->loop, &opts, &h->client, err);
}

static int by_value(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void on_time_over(void *ctx)
{
        ((struct fleet *)ctx)->stopping = true; /* those that wait see it when they are next */
}

static void print_result(struct fleet *f, int64_t took_us)
{
        size_t n = f->n_latencies;

        qsort(f->latency_us, n, sizeof(*f->latency_us), by_value);
        (void)printf("{\"attestations\":%" PRIu64 ",\"failed\":%" PRIu64
                     ",\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
                     f->n_attested, f->n_failed, (double)took_us / 1e6, n ? f->latency_us[n / 2] / 1e3 : 0.0,
                     n ? f->latency_us[n * 99 / 100] / 1e3 : 0.0);
        if (f->first_failure[0])
                (void)fprintf(stderr, "fleet: %s\n", f->first_failure);
}

/* Starts STEP for every host and runs until all are done or one failed. */
static bool run_all(struct fleet *f, struct host *hosts, void (*step)(struct host *), struct err *err)
{
        f->n_ready = 0;
        f->n_busy = f->n_hosts;
        for (size_t i = 0; i < f->n_hosts; i++)
                step(&hosts[i]);
        return !f->n_failed && loop_run(f->loop, err) >= 0 && !f->n_failed;
}

static int run(struct fleet *f, const char *prefix, size_t n_hosts, int64_t seconds, struct err *err)
{
        struct host *hosts = mem_zalloc(n_hosts, sizeof(*hosts));
        struct loop_timer *timer = NULL;
        int64_t started;
        char line[16];

        f->n_hosts = n_hosts;
        f->hosts = hosts;
        f->latency_us = mem_zalloc(LATENCIES_MAX, sizeof(*f->latency_us));
        if (!hosts || !f->latency_us || loop_new(&f->loop, err) < 0 ||
            loop_timer_new(f->loop, on_time_over, f, &timer, err) < 0)
                return -1;
        for (size_t i = 0; i < f->n_hosts; i++)
                if (host_init(&hosts[i], f, prefix, i, err) < 0)
                        return -1;
        if (!run_all(f, hosts, start_registration, err))
                return -1;
        (void)printf("registered\n");
        (void)fflush(stdout);
        if (!fgets(line, sizeof(line), stdin) || !run_all(f, hosts, start_session, err))
                return -1;
        (void)printf("running\n");
        (void)fflush(stdout);
        started = now_us();
        loop_timer_start(timer, seconds * 1000);
        f->n_ready = f->n_hosts;
        f->n_busy = f->n_hosts;
        for (size_t i = 0; i < f->n_hosts; i++) {
                hosts[i].due_ms = loop_now_ms() + f->interval_ms * (int64_t)i / (int64_t)f->n_hosts;
                send_offer(&hosts[i]);
        }
        if (loop_run(f->loop, err) < 0)
                return -1;
        print_result(f, now_us() - started);
        return f->n_failed ? -1 : 0;
}

static bool read_option(struct fleet *f, const char *text, struct err *err)
{
        if (str_equal(text, "no-counters"))
                f->no_counters = true;
        else if (str_equal(text, "any"))
                f->any = true;
        else if (str_starts(text, "interval="))
                return str_parse_int(view_str(text + 9), 1, 3600000, &f->interval_ms, err) >= 0;
        else if (str_starts(text, "drift="))
                return str_parse_int(view_str(text + 6), 1, 3600000, &f->drift_ms, err) >= 0;
        else
                return false;
        return true;
}

int main(int argc, char **argv)
{
        struct fleet f = {.boot_time_ms = clock_now_ms() - 60000};
        struct err err = ERR_INIT;
        int64_t n_hosts, seconds;

        for (int i = 7; i < argc; i++)
                if (!read_option(&f, argv[i], &err))
                        argc = 0;
        if (argc < 7) {
                (void)fprintf(stderr, "usage: fleet REGISTRAR-URL VERIFIER-URL CA-FILE PREFIX HOSTS SECONDS "
                                      "[no-counters] [interval=MS] [drift=MS] [any]\n");
                return 2;
        }
        f.registrar = argv[1];
        f.verifier = argv[2];
        f.ca_file = argv[3];
        if (str_parse_int(view_str(argv[5]), 1, 100000, &n_hosts, &err) < 0 ||
            str_parse_int(view_str(argv[6]), 1, 3600, &seconds, &err) < 0 ||
            run(&f, argv[4], (size_t)n_hosts, seconds, &err) < 0) {
                (void)fprintf(stderr, "fleet: %s %s\n", err.text, f.first_failure);
                return 1;
        }
        return 0;
}
