/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a measurement list is replayed, and how fast it is appraised under a policy of 200,000 digests
 * with their paths, on one core: made-up lists of 1,000 to a million entries per template, whole and their
 * last hundred entries, beside what the two short SHA-256 of an entry cost by themselves in the same run (the
 * digest of its data, and the extend): by OpenSSL's EVP with one context that is used again, and by the
 * functions under it, which the reader takes. The reader checks the SHA-1 template hash besides. An appraisal
 * is all of appraise(): the quote's signature, the list, the policy, the verdict; the best of five.
 *
 * Usage: tests/bench/ima [ENTRIES...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/digest_short.h"
#include "evidence/ima.h"
#include "policy/appraise.h"
#include "support/play_tpm.h"

#define PCR     10
#define TAIL    100
#define DIGESTS 200000 /* in the policy */
#define TRIES   5
#define NOON    1796126400000

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_field(struct buf *b, struct view v)
{
        buf_le32(b, (uint32_t)v.len);
        buf_put_view(b, v);
}

/* File number I. */
static void make_file(size_t i, struct buf *path, uint8_t digest[DIGEST_BYTES_MAX])
{
        buf_reset(path);
        buf_fmt(path, "/usr/lib/x86_64-linux-gnu/some/module-%zu.so", i);
        digest_short(DIGEST_SHA256, VIEW_BUF(path), VIEW_NONE, digest);
}

/* One entry of TEMPLATE with file number I of the policy's. */
static void put_data(struct buf *b, const char *template, size_t i)
{
        static const uint8_t signature[265] = {3, 2, 4};
        struct buf text = {0};
        uint8_t digest[DIGEST_BYTES_MAX];
        bool typed = strstr(template, "v2") != NULL;

        make_file(i * 7919 % DIGESTS, &text, digest); /* in no order */
        buf_u8(&text, 0);
        buf_le32(b, typed ? 44 : 40);
        buf_str(b, typed ? "ima:sha256:" : "sha256:");
        buf_u8(b, 0);
        buf_put(b, digest, 32);
        put_field(b, VIEW_BUF(&text));
        if (strstr(template, "sig"))
                put_field(b, VIEW_ARRAY(signature));
        buf_free(&text);
}

struct list {
        struct buf bytes;
        size_t tail_at;              /* where the last TAIL entries begin */
        struct digest before, value; /* the register there, and at the end */
        size_t data_bytes;
};

/* boot_aggregate over the TPM's registers, then files. */
static void put_aggregate(const struct play_tpm *tpm, const char *template, struct buf *b)
{
        static const char name[] = "boot_aggregate";
        const struct pcr_selection sel = {DIGEST_SHA256, 0x3ff};
        struct pcr_values values = play_tpm_values(tpm, &sel);
        bool typed = strstr(template, "v2") != NULL;
        struct digest d;
        struct err err = ERR_INIT;

        if (ima_boot_aggregate(&values, &d, &err) < 0)
                exit(1);
        buf_le32(b, typed ? 44 : 40);
        buf_str(b, typed ? "ima:sha256:" : "sha256:");
        buf_u8(b, 0);
        buf_put_view(b, digest_view(&d));
        put_field(b, VIEW(name, sizeof(name)));
        if (strstr(template, "sig"))
                put_field(b, VIEW_NONE);
}

static void make(const struct play_tpm *tpm, const char *template, size_t n, struct list *ret)
{
        struct buf data = {0};
        uint8_t hash[DIGEST_BYTES_MAX];

        *ret = (struct list){.tail_at = 0};
        digest_zero(DIGEST_SHA256, &ret->value);
        for (size_t i = 0; i < n; i++) {
                if (i == n - TAIL) {
                        ret->tail_at = ret->bytes.len;
                        ret->before = ret->value;
                }
                buf_reset(&data);
                if (i)
                        put_data(&data, template, i);
                else
                        put_aggregate(tpm, template, &data);
                digest_short(DIGEST_SHA1, VIEW_BUF(&data), VIEW_NONE, hash);
                buf_le32(&ret->bytes, PCR);
                buf_put(&ret->bytes, hash, 20);
                put_field(&ret->bytes, view_str(template));
                put_field(&ret->bytes, VIEW_BUF(&data));
                digest_short(DIGEST_SHA256, VIEW_BUF(&data), VIEW_NONE, hash);
                digest_short(DIGEST_SHA256, digest_view(&ret->value), VIEW(hash, 32), ret->value.b);
                ret->data_bytes = data.len;
        }
        buf_free(&data);
}

/* Seconds of CPU that N entries' two digests cost alone. */
static double floor_s(size_t data_bytes, size_t n)
{
        uint8_t *data = mem_zalloc(1, data_bytes), value[DIGEST_BYTES_MAX] = {0}, d[DIGEST_BYTES_MAX];
        double t;

        if (!data)
                exit(1);
        t = cpu_s();
        for (size_t i = 0; i < n; i++) {
                data[0] = value[0];
                digest_short(DIGEST_SHA256, VIEW(data, data_bytes), VIEW_NONE, d);
                digest_short(DIGEST_SHA256, VIEW(value, 32), VIEW(d, 32), value);
        }
        t = cpu_s() - t;
        free(data);
        return t;
}

/* The same by EVP. */
static double floor_evp_s(size_t data_bytes, size_t n)
{
        uint8_t *data = mem_zalloc(1, data_bytes);
        struct digest value = {.alg = DIGEST_SHA256}, d;
        struct digest_ctx *ctx = NULL;
        struct err err = ERR_INIT;
        double t;
        int r;

        if (!data || digest_ctx_new(DIGEST_SHA256, &ctx, &err) < 0)
                exit(1);
        t = cpu_s();
        for (size_t i = 0; i < n; i++) {
                data[0] = value.b[0];
                r = digest_ctx_update(ctx, VIEW(data, data_bytes), &err);
                if (r >= 0)
                        r = digest_ctx_final(ctx, &d, &err);
                if (r >= 0)
                        r = digest_ctx_update(ctx, VIEW(value.b, 32), &err);
                if (r >= 0)
                        r = digest_ctx_update(ctx, VIEW(d.b, 32), &err);
                if (r < 0 || digest_ctx_final(ctx, &value, &err) < 0)
                        exit(1);
        }
        t = cpu_s() - t;
        digest_ctx_free(ctx);
        free(data);
        return t;
}

static double replay_s(struct view bytes, uint64_t first, const struct digest *from, const struct digest *to)
{
        struct ima_list list = {.form = IMA_BINARY, .log_hash = DIGEST_SHA1, .bytes = bytes, .first = first};
        struct ima_start start = {.value = *from};
        struct ima_replay r;
        struct err err = ERR_INIT;
        double t = cpu_s();

        if (ima_replay(&list, &start, PCR, to, &r, &err) < 0 || !r.matched) {
                (void)fprintf(stderr, "ima: %s\n", err.text);
                exit(1);
        }
        return cpu_s() - t;
}

/* ---- appraisal ---- */

static struct policy_effective *make_policy(void)
{
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct buf text = {0}, path = {0};
        struct err err = ERR_INIT;
        uint8_t digest[DIGEST_BYTES_MAX];
        double t;

        buf_str(&text, "format: avow-policy/2\nname: bench\nima:\n"
                       "  waive: [rules, tmpfs, kernel, kexec, required, boot-log]\n"
                       "  exclude: ['/var/tmp/**', '/home/*/.cache/**']\n"
                       "  packages:\n  - name: all\n    files: |\n");
        for (size_t i = 0; i < DIGESTS; i++) {
                make_file(i, &path, digest);
                buf_str(&text, "      ");
                buf_hex(&text, VIEW(digest, 32));
                buf_str(&text, "  ");
                buf_put_view(&text, VIEW_BUF(&path));
                buf_str(&text, "\n");
        }
        t = cpu_s();
        if (!buf_ok(&text) || policy_parse(VIEW_BUF(&text), "bench.yaml", &version.policy, &err) < 0 ||
            policy_effective_new(&version, 1, NOON, &e, &err) < 0) {
                (void)fprintf(stderr, "ima: %s\n", err.text);
                exit(1);
        }
        (void)printf("policy of %d digests with paths, %.1f MB of text: read in %.0f ms\n", DIGESTS,
                     (double)text.len / 1e6, 1000 * (cpu_s() - t));
        policy_unref(version.policy);
        buf_free(&text);
        buf_free(&path);
        return e;
}

/* A quote of VALUE, as a TPM that plays along gives it. */
static void make_quote(struct play_tpm *tpm, const struct digest *value, struct buf *message,
                       struct buf *signature, struct pcr_values *ret)
{
        const struct pcr_selection sel = {DIGEST_SHA256, 0x7ff};

        tpm->pcrs.v[PCR] = *value;
        tpm->clock.clock_ms += 1000;
        *ret = play_tpm_values(tpm, &sel);
        play_tpm_quote(tpm, &sel, view_str("challenge"), message, signature);
}

static double appraise_once_s(struct play_tpm *tpm, const struct policy_effective *policy,
                              const struct digest *value, const struct continuation *before, struct view list,
                              uint64_t first, struct continuation **ret)
{
        struct buf message = {0}, signature = {0};
        struct pcr_values pcrs;
        struct evidence evidence = {.ak = &tpm->ak, .pcrs = &pcrs};
        struct expectation x = {.qualifying = view_str("challenge"),
                                .asked = {DIGEST_SHA256, 0x7ff},
                                .immediate = true,
                                .issued_at_ms = NOON - 1000,
                                .received_at_ms = NOON,
                                .tolerance = CLOCK_TOLERANCE_DEFAULT};
        struct appraisal in = {.evidence = &evidence,
                               .expectation = &x,
                               .policy = policy,
                               .before = before,
                               .has_ima = true,
                               .ima = list,
                               .ima_first = first};
        struct appraisal_result r;
        struct err err = ERR_INIT;
        double t;

        make_quote(tpm, value, &message, &signature, &pcrs);
        evidence.message = VIEW_BUF(&message);
        evidence.signature = VIEW_BUF(&signature);
        t = cpu_s();
        if (appraise(&in, &r, &err) < 0 || r.verdict->state != VERDICT_PASS) {
                struct buf text = {0};

                if (r.verdict)
                        verdict_render(r.verdict, &text);
                (void)fprintf(stderr, "ima: no pass: %s\n%.*s", err.text, (int)text.len,
                              (const char *)text.p);
                exit(1);
        }
        t = cpu_s() - t;
        if (ret)
                *ret = TAKE(r.next);
        appraisal_result_done(&r);
        buf_free(&message);
        buf_free(&signature);
        return t;
}

/* The best of some tries. */
static double appraise_s(struct play_tpm *tpm, const struct policy_effective *policy,
                         const struct digest *value, const struct continuation *before, struct view list,
                         uint64_t first)
{
        double best = 1e9;

        for (int i = 0; i < TRIES; i++) {
                double t = appraise_once_s(tpm, policy, value, before, list, first, NULL);

                if (t < best)
                        best = t;
        }
        return best;
}

/* ---- the table ---- */

static double least(double a, double b)
{
        return a < b ? a : b;
}

static void row(struct play_tpm *tpm, const struct policy_effective *policy, const char *template, size_t n)
{
        struct continuation *before = NULL;
        struct digest zero;
        struct list l;
        struct view tail;
        double alone = 1e9, evp = 1e9, replayed = 1e9, cold, rest;

        make(tpm, template, n, &l);
        tail = VIEW(l.bytes.p + l.tail_at, l.bytes.len - l.tail_at);
        digest_zero(DIGEST_SHA256, &zero);
        for (int i = 0; i < TRIES; i++) {
                alone = least(alone, floor_s(l.data_bytes, n));
                evp = least(evp, floor_evp_s(l.data_bytes, n));
                replayed = least(replayed, replay_s(VIEW_BUF(&l.bytes), 0, &zero, &l.value));
        }
        cold = appraise_s(tpm, policy, &l.value, NULL, VIEW_BUF(&l.bytes), 0);
        (void)appraise_once_s(tpm, policy, &l.before, NULL, VIEW(l.bytes.p, l.tail_at), 0, &before);
        rest = appraise_s(tpm, policy, &l.value, before, tail, n - TAIL);
        (void)printf("%-10s %8zu %7.2f %7.2f %9.2f %4.0f %% %4.0f %% %10.2f %4.0f %% %4.0f %% %10.0f\n",
                     template, n, (double)n / evp / 1e6, (double)n / alone / 1e6, (double)n / replayed / 1e6,
                     100 * evp / replayed, 100 * alone / replayed, (double)n / cold / 1e6, 100 * evp / cold,
                     100 * alone / cold, rest * 1e6);
        continuation_free(before);
        buf_free(&l.bytes);
}

int main(int argc, char **argv)
{
        static const char *const templates[] = {"ima-ng", "ima-ngv2", "ima-sig", "ima-sigv2"};
        static const size_t sizes[] = {1000, 10000, 100000, 1000000};
        struct policy_effective *policy = make_policy();
        struct play_tpm tpm;

        play_tpm_init(&tpm, PLAY_AK_P256, DIGEST_SHA256);
        for (unsigned i = 0; i < 8; i++)
                play_tpm_extend(&tpm, i, view_str("firmware"));
        (void)printf("million entries/s; parts of what two SHA-256 allow by EVP, and by what is under it\n"
                     "template    entries     EVP   under    replay                appraisal               "
                     "last %d, us\n",
                     TAIL);
        for (size_t t = 0; t < ARRAY_LEN(templates); t++) {
                for (int i = 1; i < argc; i++)
                        row(&tpm, policy, templates[t], strtoul(argv[i], NULL, 10) + TAIL);
                for (size_t i = 0; argc == 1 && i < ARRAY_LEN(sizes); i++)
                        row(&tpm, policy, templates[t], sizes[i]);
        }
        play_tpm_done(&tpm);
        policy_effective_free(policy);
        return 0;
}
