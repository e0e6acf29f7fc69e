/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts about workloads, in both forms: who is trusted, and each way not to be. */
#include "verifier/workload_judge.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/support.h"
#include "verifier/settings.h"

#define NOW_MS   INT64_C(1795282871000)
#define DAY_MS   INT64_C(86400000)
#define VERIFIER "01890a5d-ac96-774b-bcce-b302099a8057"

struct party {
        struct key *key;
        struct pubkey *pub;
        struct cert *cert;
};

struct fixture {
        char dir[TMPDIR_BYTES];
        struct party ca, keep, wide;
        struct settings settings;
        struct adapters adapters;
        struct workload_set *set;
};

static void party_done(struct party *p)
{
        key_free(p->key);
        pubkey_free(p->pub);
        cert_free(p->cert);
}

/* ISSUER NULL: itself. */
static void issue(struct party *p, enum pubkey_curve curve, enum cert_kind kind, const struct party *issuer,
                  int64_t from_ms, int64_t to_ms, const char *uri)
{
        const char *const uris[] = {uri, NULL};
        const struct cert_spec spec = {.kind = kind,
                                       .cn = "p",
                                       .not_before_ms = from_ms,
                                       .not_after_ms = to_ms,
                                       .uris = uri ? uris : NULL};
        struct err err = ERR_INIT;

        *p = (struct party){.key = NULL};
        assert_ok(key_generate_ec(curve, &p->key, &err), &err);
        assert_ok(key_public(p->key, &p->pub, &err), &err);
        assert_ok(cert_issue(&spec, p->pub, issuer ? issuer->cert : NULL, issuer ? issuer->key : p->key,
                             &p->cert, &err),
                  &err);
}

static void keep_of(struct party *p, const struct party *ca)
{
        issue(p, CURVE_P256, CERT_KIND_BOTH, ca, NOW_MS - DAY_MS, NOW_MS + DAY_MS, NULL);
}

static void module_digest(enum digest_alg alg, unsigned n, struct digest *ret)
{
        struct err err = ERR_INIT;
        char text[16];

        (void)snprintf(text, sizeof(text), "module %u", n);
        assert_ok(digest_bytes(alg, view_str(text), ret, &err), &err);
}

/* A set of the SHA-256 of modules FROM … TO-1, and one SHA-384, of TO. */
static struct workload_set *make_set(unsigned from, unsigned to, const char *technology)
{
        struct workload_list l = {.id = "list"};
        struct workload_set *set = NULL;
        struct err err = ERR_INIT;
        struct digest d;

        (void)snprintf(l.technology, sizeof(l.technology), "%s", technology);
        for (unsigned i = from; i < to; i++) {
                module_digest(DIGEST_SHA256, i, &d);
                buf_put_view(&l.digests[WORKLOAD_SHA256], digest_view(&d));
        }
        module_digest(DIGEST_SHA384, to, &d);
        buf_put_view(&l.digests[WORKLOAD_SHA384], digest_view(&d));
        assert_ok(workload_set_new(&l, NULL, &set, &err), &err);
        return set;
}

static int load(struct fixture *f, const char *text, struct err *err)
{
        adapters_done(&f->adapters);
        settings_done(&f->settings);
        if (settings_parse(view_str(text), "verifier.yaml", &f->settings, err) < 0)
                return -(int)err->kind;
        return adapters_load(f->settings.conf, &f->adapters, err);
}

#define BASE "tls: {cert: /c, key: /k}\nworkloads:\n  enabled: true\n  adapters:\n"

static void configure(struct fixture *f, const char *extra)
{
        char text[512];
        struct err err = ERR_INIT;

        (void)snprintf(text, sizeof(text), BASE "  - {name: enarx, roots: [%s/ca.pem]%s}\n", f->dir, extra);
        assert_ok(load(f, text, &err), &err);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = ERR_INIT;
        char path[64], *pem = NULL;

        tmpdir_make(f->dir);
        issue(&f->ca, CURVE_P256, CERT_KIND_CA, NULL, NOW_MS - 9 * DAY_MS, NOW_MS + 9 * DAY_MS, NULL);
        keep_of(&f->keep, &f->ca);
        issue(&f->wide, CURVE_P384, CERT_KIND_BOTH, &f->ca, NOW_MS - DAY_MS, NOW_MS + DAY_MS, NULL);
        assert_ok(cert_pem(f->ca.cert, &pem, &err), &err);
        (void)snprintf(path, sizeof(path), "%s/ca.pem", f->dir);
        assert_ok(file_create(path, view_str(pem), 0600, &err), &err);
        free(pem);
        configure(f, "");
        f->set = make_set(0, 5, "enarx_v0_7_1");
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        party_done(&f->ca);
        party_done(&f->keep);
        party_done(&f->wide);
        adapters_done(&f->adapters);
        settings_done(&f->settings);
        workload_set_unref(f->set);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

/* P's signature over MESSAGE, in DER. */
static void sign(const struct party *p, struct view message, struct buf *ret)
{
        struct signature sig = {.scheme = SIG_ECDSA};
        struct err err = ERR_INIT;
        struct buf raw = {0};

        assert_ok(key_sign(p->key, pubkey_curve(p->pub) == CURVE_P256 ? DIGEST_SHA256 : DIGEST_SHA384,
                           message, &raw, &err),
                  &err);
        sig.r = VIEW(raw.p, raw.len / 2);
        sig.s = VIEW(raw.p + raw.len / 2, raw.len / 2);
        buf_reset(ret);
        assert_ok(signature_der(p->pub, &sig, ret, &err), &err);
        buf_free(&raw);
}

/* Module N, as P signed it in the Trust Monitor's form, with the certificate of SHOWN. */
static struct workload_verdict monitor(const struct fixture *f, const struct party *p,
                                       const struct party *shown, unsigned n,
                                       struct workload_set *const *sets, size_t n_sets)
{
        struct workload_question q = {.adapters = &f->adapters,
                                      .certs = {cert_der(shown->cert)},
                                      .n_certs = 1,
                                      .sets = sets,
                                      .n_sets = n_sets,
                                      .now_ms = NOW_MS};
        struct workload_verdict v;
        struct err err = ERR_INIT;
        struct buf sig = {0};
        char text[16];

        (void)snprintf(text, sizeof(text), "module %u", n);
        sign(p, view_str(text), &sig);
        q.signature = VIEW_BUF(&sig);
        POISON(v);
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        assert_true(v.trusted == (v.reason == NULL));
        buf_free(&sig);
        return v;
}

static void refused(const struct workload_verdict v, const char *reason, const char *words)
{
        assert_false(v.trusted);
        if (strcmp(v.reason, reason) != 0 || !strstr(v.detail, words))
                fail_msg("%s: %s", v.reason, v.detail);
}

static void whole_lists_count(void **state)
{
        const struct fixture *f = *state;
        struct workload_set *more = make_set(10, 13, "enarx"), *const sets[] = {f->set, more};
        struct workload_verdict v;
        struct digest d;

        for (unsigned n = 0; n < 15; n++) {
                v = monitor(f, &f->keep, &f->keep, n, sets, 2);
                assert_true(v.trusted == (n < 5 || (n >= 10 && n < 13)));
                if (v.trusted) {
                        module_digest(DIGEST_SHA256, n, &d);
                        assert_true(digest_equal(&v.digest, &d));
                        assert_ptr_equal(v.set, n < 5 ? f->set : more);
                        assert_string_equal(v.adapter, "enarx");
                }
        }
        v = monitor(f, &f->wide, &f->wide, 5, sets, 1);
        assert_true(v.trusted);
        assert_int_equal(v.digest.alg, DIGEST_SHA384);
        refused(monitor(f, &f->wide, &f->wide, 0, sets, 1), "not-allowed", "1 allow-list");
        refused(monitor(f, &f->keep, &f->keep, 0, NULL, 0), "no-list", "upload");
        workload_set_unref(more);
}

static void certificates_that_do_not_count(void **state)
{
        struct fixture *f = *state;
        struct workload_set *const sets[] = {f->set};
        struct party other_ca, p;
        static const struct {
                enum cert_kind kind;
                int64_t from, to;
                enum pubkey_curve curve;
                const char *reason, *words;
        } rows[] = {
                {CERT_KIND_BOTH, -3, -1, CURVE_P256, "chain-not-trusted", "expired"},
                {CERT_KIND_BOTH, 1, 2, CURVE_P256, "chain-not-trusted", "not yet valid"},
                {CERT_KIND_SERVER, -1, 1, CURVE_P256, "use-not-named", "1.3.6.1.5.5.7.3.2"},
                {CERT_KIND_SELF, -1, 1, CURVE_P256, "use-not-named", "1.3.6.1.5.5.7.3.2"},
                {CERT_KIND_CA, -1, 1, CURVE_P256, "certificate-of-a-ca", "CA"},
                {CERT_KIND_BOTH, -1, 1, CURVE_P521, "key-not-supported", "P-256"},
        };

        issue(&other_ca, CURVE_P256, CERT_KIND_CA, NULL, NOW_MS - DAY_MS, NOW_MS + DAY_MS, NULL);
        keep_of(&p, &other_ca);
        refused(monitor(f, &p, &p, 0, sets, 1), "chain-not-trusted", "certificate");
        refused(monitor(f, &p, &f->keep, 0, sets, 1), "not-allowed", "no digest"); /* a stolen certificate */
        party_done(&p);
        party_done(&other_ca);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                issue(&p, rows[i].curve, rows[i].kind, &f->ca, NOW_MS + rows[i].from * DAY_MS,
                      NOW_MS + rows[i].to * DAY_MS, NULL);
                refused(monitor(f, rows[i].curve == CURVE_P521 ? &f->keep : &p, &p, 0, sets, 1),
                        rows[i].reason, rows[i].words);
                party_done(&p);
        }
        configure(f, ", uses: []");
        issue(&p, CURVE_P256, CERT_KIND_SELF, &f->ca, NOW_MS - DAY_MS, NOW_MS + DAY_MS, NULL);
        assert_true(monitor(f, &p, &p, 0, sets, 1).trusted);
        party_done(&p);
}

static void old_certificates(void **state)
{
        const struct fixture *f = *state;
        struct workload_question q = {.adapters = &f->adapters,
                                      .certs = {cert_der(f->keep.cert)},
                                      .n_certs = 1,
                                      .signature = view_str("x"),
                                      .now_ms = NOW_MS,
                                      .max_age_ms = DAY_MS - 1};
        struct workload_verdict v;
        struct err err = ERR_INIT;

        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "certificate-too-old", "23h59m59s");
        q.max_age_ms = DAY_MS;
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "signature-bad", "DER");
        q.certs[0] = view_str("rubbish");
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "certificate-malformed", "Certificate 1");
}

/* Who vouches for one kind vouches for no other, and a list is for its own kind. */
static void kinds_are_apart(void **state)
{
        struct fixture *f = *state;
        struct workload_set *svids = make_set(0, 5, "spiffe"), *const sets[] = {f->set},
                            *const other[] = {svids};
        struct party svid, two;
        struct err err = ERR_INIT;
        char text[512];

        refused(monitor(f, &f->keep, &f->keep, 0, other, 1), "no-list", "enarx");
        (void)snprintf(text, sizeof(text), BASE "  - {name: spiffe, roots: [%s/ca.pem]}\n", f->dir);
        assert_ok(load(f, text, &err), &err);
        issue(&svid, CURVE_P256, CERT_KIND_BOTH, &f->ca, NOW_MS - DAY_MS, NOW_MS + DAY_MS,
              "spiffe://example.org/w");
        issue(&two, CURVE_P256, CERT_KIND_BOTH, &f->ca, NOW_MS - DAY_MS, NOW_MS + DAY_MS,
              "https://example.org/w");
        assert_true(monitor(f, &svid, &svid, 0, other, 1).trusted);
        refused(monitor(f, &svid, &svid, 0, sets, 1), "no-list", "spiffe");
        refused(monitor(f, &two, &two, 0, other, 1), "refused-by-adapter", "SVID");
        refused(monitor(f, &f->keep, &f->keep, 0, other, 1), "refused-by-adapter", "SVID");
        party_done(&svid);
        party_done(&two);
        workload_set_unref(svids);
}

/* ---- our own form ---- */

static void statement(const struct fixture *f, struct workload_evidence *e)
{
        (void)f;
        *e = (struct workload_evidence){.challenge = VERIFIER, .nonce = {7}, .technology = "enarx"};
        module_digest(DIGEST_SHA256, 3, &e->digest);
}

static struct workload_verdict ours(const struct fixture *f, const struct workload_evidence *signed_,
                                    const struct workload_evidence *sent)
{
        struct workload_question q = {.adapters = &f->adapters,
                                      .technology = sent->technology,
                                      .certs = {cert_der(f->wide.cert)},
                                      .n_certs = 1,
                                      .sets = &(struct workload_set *){f->set},
                                      .n_sets = 1,
                                      .now_ms = NOW_MS};
        struct buf message = {0}, sig = {0};
        struct workload_verdict v;
        struct err err = ERR_INIT;

        assert_ok(workload_signed_bytes(signed_, VERIFIER, &message, &err), &err);
        sign(&f->wide, VIEW_BUF(&message), &sig);
        buf_reset(&message);
        assert_ok(workload_signed_bytes(sent, VERIFIER, &message, &err), &err);
        q.signature = VIEW_BUF(&sig);
        assert_ok(workload_judge(&q, VIEW_BUF(&message), &sent->digest, &v, &err), &err);
        buf_free(&message);
        buf_free(&sig);
        return v;
}

static void every_member_is_signed(void **state)
{
        const struct fixture *f = *state;
        struct workload_evidence good, bad;

        statement(f, &good);
        assert_true(ours(f, &good, &good).trusted);
        bad = good;
        bad.nonce[0]++;
        refused(ours(f, &good, &bad), "signature-bad", "statement");
        bad = good;
        bad.challenge[0] = 'f';
        refused(ours(f, &good, &bad), "signature-bad", "statement");
        bad = good;
        (void)snprintf(bad.entity, sizeof(bad.entity), "e");
        refused(ours(f, &good, &bad), "signature-bad", "statement");
        bad = good;
        (void)snprintf(bad.technology, sizeof(bad.technology), "enarx_v1");
        refused(ours(f, &good, &bad), "signature-bad", "statement");
        bad = good;
        module_digest(DIGEST_SHA256, 4, &bad.digest);
        refused(ours(f, &good, &bad), "signature-bad", "statement");
        module_digest(DIGEST_SHA256, 9, &bad.digest);
        refused(ours(f, &bad, &bad), "not-allowed", "digest");
        bad = good;
        (void)snprintf(bad.technology, sizeof(bad.technology), "sgx");
        refused(ours(f, &bad, &bad), "chain-not-trusted", "no adapter");
}

/* A signature is one thing in both of its forms. */
static void twins_are_one_use(void **state)
{
        static const uint8_t one[] = {0x30, 6, 2, 1, 9, 2, 1, 5}, twin[] = {0x30, 6, 2, 1, 9, 2, 1, 7},
                             other[] = {0x30, 6, 2, 1, 8, 2, 1, 5};
        struct workload_verdict v = {.key = {.alg = DIGEST_SHA256, .len = 32}};
        struct digest a, b, c, d;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(workload_use(&v, VIEW_ARRAY(one), &a, &err), &err);
        assert_ok(workload_use(&v, VIEW_ARRAY(twin), &b, &err), &err);
        assert_ok(workload_use(&v, VIEW_ARRAY(other), &c, &err), &err);
        v.key.b[0] = 1;
        assert_ok(workload_use(&v, VIEW_ARRAY(one), &d, &err), &err);
        assert_true(digest_equal(&a, &b));
        assert_false(digest_equal(&a, &c));
        assert_false(digest_equal(&a, &d));
}

/* What is known of a certificate ends soon, holds for its own kind alone, and is no verdict. */
static void known_certificates(void **state)
{
        struct fixture *f = *state;
        struct workload_set *const sets[] = {f->set};
        struct workload_question q = {.adapters = &f->adapters,
                                      .certs = {cert_der(f->keep.cert)},
                                      .n_certs = 1,
                                      .sets = sets,
                                      .n_sets = 1,
                                      .now_ms = NOW_MS};
        struct workload_verdict v;
        struct err err = ERR_INIT;
        struct buf sig = {0};

        assert_ok(workload_certs_new(&q.known, &err), &err);
        sign(&f->keep, view_str("module 1"), &sig);
        q.signature = VIEW_BUF(&sig);
        for (int i = 0; i < 3; i++) {
                assert_ok(workload_judge_monitor(&q, &v, &err), &err);
                assert_true(v.trusted);
        }
        sign(&f->keep, view_str("module 2"), &sig); /* another module than last time */
        q.signature = VIEW_BUF(&sig);
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        assert_true(v.trusted);
        q.n_sets = 0; /* what was allowed last time counts for nothing */
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "no-list", "upload");
        q.n_sets = 1;
        q.technology = "spiffe";
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "chain-not-trusted", "no adapter");
        q.technology = NULL;
        q.max_age_ms = 1000;
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "certificate-too-old", "ago");
        q.max_age_ms = 0;
        q.now_ms = NOW_MS + DAY_MS + 60000;
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "chain-not-trusted", "expired");
        q.now_ms = NOW_MS;
        q.signature = view_str("x");
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "signature-bad", "DER");
        q.signature = VIEW_BUF(&sig);
        q.certs[0] = cert_der(f->wide.cert);
        sign(&f->wide, view_str("module 1"), &sig);
        q.signature = VIEW_BUF(&sig);
        assert_ok(workload_judge_monitor(&q, &v, &err), &err);
        refused(v, "not-allowed", "no digest");
        workload_certs_forget(q.known);
        workload_certs_free(q.known);
        buf_free(&sig);
}

/* A list that is not indexed yet decides nothing against anybody. */
static void long_lists_are_waited_for(void **state)
{
        const struct fixture *f = *state;
        struct workload_set *set = make_set(0, 3, "enarx"), *const sets[] = {set};
        struct err err = ERR_INIT;

        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++) {
                ecdsa_index_free(set->index[k]);
                set->index[k] = NULL;
        }
        set->ready = false;
        assert_true(monitor(f, &f->keep, &f->keep, 1, sets, 1).undecided);
        assert_ok(workload_set_index(set, NULL, set->index, &err), &err);
        set->ready = true;
        assert_true(monitor(f, &f->keep, &f->keep, 1, sets, 1).trusted);
        assert_false(monitor(f, &f->keep, &f->keep, 4, sets, 1).undecided);
        workload_set_unref(set);
}

/* ---- many at once, and settings ---- */

static void *judge_many(void *ctx)
{
        const struct fixture *f = ctx;
        struct workload_set *const sets[] = {f->set};
        size_t good = 0;

        for (unsigned n = 0; n < 20; n++)
                good += monitor(f, &f->keep, &f->keep, n % 10, sets, 1).trusted;
        return (void *)good;
}

static void judging_shares_nothing(void **state)
{
        pthread_t threads[4];
        void *good;

        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, judge_many, *state), 0);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
                assert_int_equal(pthread_join(threads[i], &good), 0);
                assert_int_equal((size_t)good, 10);
        }
}

static void settings_that_are_wrong(void **state)
{
        struct fixture *f = *state;
        static const struct {
                const char *text, *part;
        } bad[] = {
                {"tls: {cert: /c, key: /k}\nworkloads: {enabled: true}\n", "needs workloads.adapters"},
                {BASE "  - {name: sgx, roots: [/x]}\n", "no adapter"},
                {BASE "  - {name: enarx, roots: [/nowhere]}\n", "/nowhere"},
                {BASE "  - {name: enarx, roots: []}\n", "nobody's"},
                {BASE "  - {name: enarx, roots: [/etc/hostname], uses: [clientAuth]}\n", "dotted"},
                {BASE "  - {name: enarx, roots: [/etc/hostname], uses: [1..2]}\n", "dotted"},
        };
        struct err err = ERR_INIT;
        char text[512];

        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (load(f, bad[i].text, &err) >= 0 || !strstr(err.text, bad[i].part))
                        fail_msg("%zu: %s", i, err.text);
        (void)snprintf(text, sizeof(text),
                       BASE "  - {name: enarx, roots: [%s/ca.pem]}\n  - {name: enarx, roots: [%s/ca.pem]}\n",
                       f->dir, f->dir);
        assert_err(load(f, text, &err), ERR_CONFIG, &err, "stands twice");
}

static int make(void *ctx, struct err *err)
{
        struct workload_list l = {.id = "x", .technology = "enarx"};
        struct workload_set *set = NULL;
        int r;

        (void)ctx;
        buf_put(&l.digests[0], "0123456789abcdef0123456789abcdef", 32);
        r = buf_ok(&l.digests[0]) ? workload_set_new(&l, NULL, &set, err) : err_nomem(err);
        workload_list_done(&l);
        workload_set_unref(set);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(make, NULL);
}

#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(whole_lists_count),      T(certificates_that_do_not_count),
                T(old_certificates),       T(kinds_are_apart),
                T(every_member_is_signed), T(known_certificates),
                T(twins_are_one_use),      T(long_lists_are_waited_for),
                T(judging_shares_nothing), T(settings_that_are_wrong),
                T(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
