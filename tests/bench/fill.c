/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a verifier's database with hosts that all passed: a P-256 AK, an AK certificate's worth of text, a
 * continuation with one measured runtime, all under one policy. Driven by tests/bench/hosts.
 *
 *   fill STORE-URL HOSTS
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/continuation.h"
#include "evidence/verdict.h"
#include "http/loop.h"
#include "store/verifier_db.h"
#include "support/play_tpm.h"

#define HOSTS_MAX         1000000
#define CERTIFICATE_BYTES 700 /* P-256, with the URIs that the registrar writes in */

static const char policy_text[] =
        "format: avow-policy/1\nname: bench\nruntimes:\n- name: wasmtime\n  digests: "
        "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n";

struct fill {
        struct loop *loop;
        struct verifier_db *db;
        struct play_tpm tpm;
        char *certificate, *verdict, *continuation;
        char sha256[2 * DIGEST_BYTES_MAX + 1];
        size_t n_open; /* requests that are not answered */
        bool failed;
};

static int post(void *loop, void (*fn)(void *arg), void *arg)
{
        return loop_post(loop, fn, arg);
}

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct fill *f = ctx;

        if (outcome != STORE_OK && !f->failed) {
                (void)fprintf(stderr, "fill: outcome %d: %s\n", (int)outcome, err ? err->text : "");
                f->failed = true;
        }
        if (--f->n_open == 0)
                loop_stop(f->loop);
}

static void on_policy(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                      const struct err *err)
{
        (void)policies;
        (void)n;
        on_done(ctx, outcome, err);
}

/* Waits for what was submitted. */
static int settle(struct fill *f, struct err *err)
{
        int r = f->n_open ? loop_run(f->loop, err) : 0;

        return r >= 0 && f->failed ? err_set(err, ERR_IO, 0, "the database refused") : r;
}

static int push_policy(struct fill *f, struct err *err)
{
        struct digest digest;
        struct stored_policy p = {
                .name = (char *)(uintptr_t) "bench",
                .sha256 = f->sha256,
                .created_at_ms = clock_now_ms(),
                .text = {(uint8_t *)(uintptr_t)policy_text, strlen(policy_text), strlen(policy_text), false}};
        int r = digest_bytes(DIGEST_SHA256, view_str(policy_text), &digest, err);

        if (r < 0)
                return r;
        (void)hex_write(f->sha256, digest_view(&digest));
        r = verifier_db_policy_push(f->db, STORED_POLICY, &p, 0, NULL, on_policy, f, err);
        if (r < 0)
                return r;
        f->n_open++;
        return settle(f, err);
}

static int make_certificate(struct fill *f, struct err *err)
{
        static const uint8_t der[CERTIFICATE_BYTES] = {0x30};
        AUTO(mem_free_p) char *text = base64_encode(VIEW_ARRAY(der));

        if (text)
                f->certificate =
                        str_fmt("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", text);
        return f->certificate ? 0 : err_nomem(err);
}

/* What a round leaves: a pass, and where judging goes on. */
static int make_state(struct fill *f, struct err *err)
{
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        AUTO(continuation_free_p) struct continuation *c = continuation_new();
        AUTO(json_free_p) json_t *v_json = NULL;
        AUTO(json_free_p) json_t *c_json = NULL;
        struct pcr_values pcrs = {.bank = DIGEST_SHA256, .mask = 1u << 15};
        struct measured m = {.runtime = (char *)(uintptr_t) "wasmtime",
                             .path = (char *)(uintptr_t) "/usr/bin/wasmtime",
                             .newest = true};
        int r;

        if (!v || !c)
                return err_nomem(err);
        v->state = VERDICT_PASS;
        pcrs.v[15] = f->tpm.pcrs.v[15];
        m.digest = c->pcr_value = c->effective_policy = pcrs.v[15];
        c->last = (struct previous){.clock = f->tpm.clock,
                                    .received_at_ms = clock_now_ms(),
                                    .has_time_offset = true,
                                    .cel_entries = 1};
        c->pcr = 15;
        c->cel_entries = 1;
        r = pcr_values_pack(&pcrs, &c->last_pcrs, err);
        if (r >= 0)
                r = continuation_add(c, &m, err);
        if (r < 0)
                return r;
        v_json = verdict_to_json(v);
        c_json = continuation_to_json(c);
        f->verdict = v_json ? json_print(v_json) : NULL;
        f->continuation = c_json ? json_print(c_json) : NULL;
        return f->verdict && f->continuation ? 0 : err_nomem(err);
}

static int add_host(struct fill *f, const char *name, struct err *err)
{
        struct enrolment e = {.name = (char *)(uintptr_t)name,
                              .policy = (char *)(uintptr_t) "bench",
                              .labels = (char *)(uintptr_t) "{}",
                              .ak = f->tpm.ak_pub,
                              .ak_certificate = f->certificate,
                              .ek_sha256 = f->sha256,
                              .ek_class = (char *)(uintptr_t) "firmware",
                              .ek_findings = (char *)(uintptr_t) "[]",
                              .bound_by = (char *)(uintptr_t) "manifest",
                              .actor = (char *)(uintptr_t) "CN=admin",
                              .enrolled_at_ms = clock_now_ms()};

        return verifier_db_add(f->db, &e, NULL, on_done, f, err);
}

static int add_state(struct fill *f, const char *name, struct err *err)
{
        int64_t now_ms = clock_now_ms();
        struct evidence_record record = {.name = name,
                                         .at_ms = now_ms,
                                         .state = {.index = 1,
                                                   .n_evidence = 1,
                                                   .judged = true,
                                                   .verdict = VERDICT_PASS,
                                                   .verdict_n = 1,
                                                   .verdict_at_ms = now_ms,
                                                   .evidence_at_ms = now_ms,
                                                   .pass_at_ms = now_ms,
                                                   .verdict_json = f->verdict,
                                                   .policy = (char *)(uintptr_t) "bench",
                                                   .policy_version = 1,
                                                   .policy_sha256 = f->sha256,
                                                   .boot_time_ms = now_ms,
                                                   .logs = {[KEPT_CEL] = {.boot = 1}},
                                                   .continuation = f->continuation},
                                         .limits = {.n_bundles = 1, .bytes = 1, .total_bytes = 1}};

        return verifier_db_record(f->db, &record, on_done, f, err);
}

static int fill(struct fill *f, size_t n_hosts, struct err *err)
{
        int r = make_certificate(f, err);

        if (r >= 0)
                r = make_state(f, err);
        if (r >= 0)
                r = push_policy(f, err);
        for (size_t i = 0; r >= 0 && i < n_hosts; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "worker-%06zu.example.net", i);
                f->n_open += 2;
                r = add_host(f, name, err);
                if (r >= 0)
                        r = add_state(f, name, err);
                if (r >= 0 && i % 10000 == 9999)
                        r = settle(f, err);
        }
        return r >= 0 ? settle(f, err) : r;
}

int main(int argc, char **argv)
{
        struct fill f = {.n_open = 0};
        struct err err = ERR_INIT;
        uint64_t n_hosts = 0;
        int r;

        if (argc != 3 || str_parse_uint(view_str(argv[2]), HOSTS_MAX, &n_hosts, &err) < 0) {
                (void)fputs("usage: fill STORE-URL HOSTS\n", stderr);
                return 2;
        }
        play_tpm_init(&f.tpm, PLAY_AK_P256, DIGEST_SHA256);
        r = loop_new(&f.loop, &err);
        if (r >= 0)
                r = verifier_db_open(argv[1], post, f.loop, NULL, &f.db, &err);
        if (r >= 0)
                r = fill(&f, n_hosts, &err);
        if (r < 0)
                (void)fprintf(stderr, "fill: %s\n", err.text);
        verifier_db_close(f.db);
        loop_free(f.loop);
        play_tpm_done(&f.tpm);
        free(f.certificate);
        free(f.verdict);
        free(f.continuation);
        return r < 0 ? 1 : 0;
}
