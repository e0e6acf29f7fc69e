/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: the real one, both ways; everything that the decoder must not take. */
#include "support/support.h"

#include "base/json.h"
#include "crypto/key.h"
#include "evidence/bundle.h"
#include "evidence/qualify.h"
#include "vectors.h"

#define SET "../bundle"

static struct bundle *small(struct buf *text)
{
        struct bundle *b = NULL;
        struct err err = ERR_INIT;

        assert_ok(bundle_decode(vector_read(text, SET, "small.avow-evidence"), &b, &err), &err);
        return b;
}

/* ---- vectors ---- */

static void real_bundle(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        struct tpm_public ak;
        struct digest qualifying;
        struct evidence e;
        struct expectation x;
        struct authenticated out;
        struct err err = ERR_INIT;
        const char *why = NULL;
        bool yes = false;

        (void)state;
        assert_string_equal(b->host, "web-1");
        assert_int_equal(b->peer, BUNDLE_PEER_AVOW);
        assert_int_equal(b->challenge.len, 32);
        assert_true(b->has_previous && b->has_cel && !b->has_ima && !b->has_uefi && !b->immediate);
        assert_int_equal(b->asked.mask, 1u << 15);
        assert_int_equal(b->received_at_ms - b->issued_at_ms, 2050);
        assert_int_equal(b->verdict->state, VERDICT_PASS);
        assert_string_equal(b->policy_name, "worker");
        assert_ok(bundle_evidence(b, &ak, &qualifying, &e, &x, &err), &err);
        assert_true(x.want_time);
        assert_ok(evidence_authenticate(&e, &x, v, &yes, &out, &err), &err);
        assert_true(yes && !out.ask_again && !out.rebooted && !out.rolled_back);
        assert_int_equal(v->n_findings, 0);
        yes = false;
        assert_ok(bundle_certificate_fits(b, &ak, &yes, &why, &err), &err);
        assert_true(yes && !why);
}

/* Counters that tpm2-tools made and certified: names, values, and what is remembered of them. */
static void real_counters(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        AUTO(verdict_free_p) struct verdict *later = verdict_new();
        struct tpm_public ak;
        struct digest qualifying;
        struct evidence e;
        struct expectation x;
        struct authenticated out;
        struct err err = ERR_INIT;
        bool yes = false;

        (void)state;
        assert_ok(bundle_decode(vector_read(&text, SET, "counters.avow-evidence"), &b, &err), &err);
        assert_ok(bundle_evidence(b, &ak, &qualifying, &e, &x, &err), &err);
        assert_ok(evidence_authenticate(&e, &x, v, &yes, &out, &err), &err);
        assert_true(yes && !out.rolled_back && out.counters.known);
        assert_int_equal(v->n_findings, 0);
        assert_int_equal(out.counters.epoch.index, 0x01810100);
        assert_int_equal(out.counters.epoch.value, 1);
        assert_int_equal(out.counters.floor.value, 1);
        b->counters_before.floor.value = 2;
        assert_ok(evidence_authenticate(&e, &x, later, &yes, &out, &err), &err);
        assert_true(yes && out.rolled_back);
        assert_non_null(verdict_find(later, "tpm-rolled-back"));
}

static void both_ways(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf once = {0};
        AUTO(buf_free) struct buf twice = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(bundle_free_p) struct bundle *back = NULL;
        AUTO(json_free_p) json_t *was = NULL;
        AUTO(json_free_p) json_t *is = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(bundle_encode(b, &once, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&once), &back, &err), &err);
        assert_ok(bundle_encode(back, &twice, &err), &err);
        assert_true(view_equal(VIEW_BUF(&once), VIEW_BUF(&twice)));
        /* What another hand wrote means the same. */
        assert_ok(json_parse(VIEW_BUF(&text), BUNDLE_BYTES_MAX, &was, &err), &err);
        assert_ok(json_parse(VIEW_BUF(&once), BUNDLE_BYTES_MAX, &is, &err), &err);
        assert_true(json_equal(was, is));
}

static void put_bytes(struct buf *b, const char *text);

/* A processor's evidence, and what was found of it; half of it, and more than one piece, are refused. */
static void with_a_processor(void **state)
{
        static const struct {
                const char *tee, *part;
        } bad[] = {
                {"[{\"kind\": \"sev\", \"evidence\": \"\"}]", "sev"},
                {"[{\"kind\": \"snp\"}]", "evidence"},
                {"[{\"evidence\": \"\"}]", "kind"},
                {"[{\"kind\": \"snp\", \"evidence\": \"\", \"more\": 1}]", "more"},
                {"[{\"kind\": \"snp\", \"evidence\": \"\"}, {\"kind\": \"tdx\", \"evidence\": \"\"}]", "tee"},
                {"{}", "tee"},
        };
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf once = {0};
        AUTO(buf_free) struct buf twice = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(bundle_free_p) struct bundle *back = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        struct tee_shown shown;

        (void)state;
        assert_false(bundle_tee(b, &shown));
        b->has_tee = true;
        b->tee_kind = TEE_TDX;
        put_bytes(&b->tee, "a quote");
        put_bytes(&b->tee_manifest, "services");
        b->verdict->tee = tee_statement_new();
        assert_non_null(b->verdict->tee);
        b->verdict->tee->kind = TEE_TDX;
        b->verdict->tee->intel = DCAP_SW_HARDENING;
        b->verdict->tee->result.verdict = TEE_ACCEPT;
        tee_pass(&b->verdict->tee->result, "binding");
        tee_flag(&b->verdict->tee->result, "binding-named");
        assert_ok(bundle_encode(b, &once, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&once), &back, &err), &err);
        assert_true(bundle_tee(back, &shown));
        assert_int_equal(shown.kind, TEE_TDX);
        assert_view(shown.evidence, "a quote");
        assert_int_equal(shown.table.len, 0);
        assert_view(shown.manifest, "services");
        assert_int_equal(back->verdict->tee->intel, DCAP_SW_HARDENING);
        assert_string_equal(tee_statement_binding(back->verdict->tee), "named");
        assert_ok(bundle_encode(back, &twice, &err), &err);
        assert_true(view_equal(VIEW_BUF(&once), VIEW_BUF(&twice)));
        assert_ok(json_parse(VIEW_BUF(&once), BUNDLE_BYTES_MAX, &j, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO(bundle_free_p) struct bundle *none = NULL;
                AUTO(mem_free_p) char *spelt = NULL;
                json_t *tee = NULL;

                assert_ok(json_parse(view_str(bad[i].tee), 1000, &tee, &err), &err);
                assert_int_equal(json_object_set_new(j, "tee", tee), 0);
                spelt = json_print(j);
                assert_int_not_equal(bundle_decode(view_str(spelt), &none, &err), 0);
                assert_non_null(strstr(err.text, bad[i].part));
                err_clear(&err);
        }
}

static void put_bytes(struct buf *b, const char *text)
{
        buf_str(b, text);
        assert_true(buf_ok(b));
}

/* The counters and what was remembered of them, each alone and both. */
static void with_counters(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &b->counter_key, &err), &err);
        assert_ok(counters_set(&b->counters_before, VIEW_BUF(&b->counter_key), 0x01810100, 0x01810101, &err),
                  &err);
        b->counters_before.epoch.value = INT64_MAX;
        b->epoch.index = 0x01810100;
        b->floor.index = 0x01810101;
        put_bytes(&b->epoch.message, "epoch");
        put_bytes(&b->epoch.signature, "signed");
        put_bytes(&b->floor.message, "floor");
        put_bytes(&b->floor.signature, "signed too");
        for (int i = 0; i < 3; i++) {
                AUTO(buf_free) struct buf once = {0};
                AUTO(buf_free) struct buf twice = {0};
                AUTO(bundle_free_p) struct bundle *back = NULL;
                struct tpm_public ak;
                struct digest qualifying;
                struct evidence e;
                struct expectation x;

                assert_ok(bundle_encode(b, &once, &err), &err);
                assert_ok(bundle_decode(VIEW_BUF(&once), &back, &err), &err);
                assert_ok(bundle_encode(back, &twice, &err), &err);
                assert_true(view_equal(VIEW_BUF(&once), VIEW_BUF(&twice)));
                assert_ok(bundle_evidence(back, &ak, &qualifying, &e, &x, &err), &err);
                assert_true(x.want_counters && x.counters->known == (i < 2));
                assert_true(view_equal(e.counters.key, VIEW_BUF(&b->counter_key)));
                if (i != 1)
                        assert_view(e.counters.floor.signature, "signed too");
                if (i == 0)
                        buf_reset(&b->counter_key); /* left out: what was remembered asks for them */
                if (i == 1) {
                        assert_ok(pubkey_spki(public, &b->counter_key, &err), &err);
                        b->counters_before.known = false;
                }
        }
}

/* Evidence for a release or a launch was made for another purpose, and is good for that alone. */
static void for_a_release(void **state)
{
        static const uint8_t request[32] = {7};
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf out = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(bundle_free_p) struct bundle *back = NULL;
        struct digest heartbeat, release, want;
        struct tpm_public ak;
        struct evidence e;
        struct expectation x;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(bundle_evidence(b, &ak, &heartbeat, &e, &x, &err), &err);
        buf_put_view(&b->release_request, VIEW_ARRAY(request));
        assert_ok(bundle_encode(b, &out, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&out), &back, &err), &err);
        assert_ok(bundle_evidence(back, &ak, &release, &e, &x, &err), &err);
        assert_ok(qualify_release(b->verifier_id, b->host, VIEW_BUF(&b->challenge), VIEW_ARRAY(request),
                                  &want, &err),
                  &err);
        assert_true(digest_equal(&release, &want));
        assert_false(digest_equal(&release, &heartbeat));
        bundle_free(TAKE(back));
        buf_reset(&out);
        b->for_permit = true; /* and so was evidence for a launch */
        assert_ok(bundle_encode(b, &out, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&out), &back, &err), &err);
        assert_true(back->for_permit);
        assert_ok(bundle_evidence(back, &ak, &release, &e, &x, &err), &err);
        assert_false(digest_equal(&release, &want));
        assert_ok(qualify_permit(b->verifier_id, b->host, VIEW_BUF(&b->challenge), VIEW_ARRAY(request), &want,
                                 &err),
                  &err);
        assert_true(digest_equal(&release, &want));
        b->release_request.len = 31;
        assert_err(bundle_encode(b, &out, &err), ERR_BUG, &err, NULL);
}

static void keylime_bundle(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf out = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        AUTO(bundle_free_p) struct bundle *back = NULL;
        struct tpm_public ak;
        struct digest qualifying;
        struct evidence e;
        struct expectation x;
        struct err err = ERR_INIT;

        (void)state;
        b->peer = BUNDLE_PEER_KEYLIME;
        assert_err(bundle_encode(b, &out, &err), ERR_BUG, &err, "not complete");
        free(TAKE(b->verifier_id));
        b->has_previous = b->has_cel = false;
        buf_reset(&b->time_message);
        assert_ok(bundle_encode(b, &out, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&out), &back, &err), &err);
        assert_true(!back->has_previous && !back->has_cel && !back->verifier_id && !back->time_message.len);
        assert_ok(bundle_evidence(back, &ak, &qualifying, &e, &x, &err), &err);
        assert_true(view_equal(x.qualifying, VIEW_BUF(&b->challenge)) && !x.want_time && !x.previous);
}

static void certificate_of_another(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(bundle_free_p) struct bundle *b = small(&text);
        struct tpm_public ak;
        struct err err = ERR_INIT;
        const char *why = NULL;
        bool fits = true;

        (void)state;
        assert_ok(tpm2b_public_parse(VIEW_BUF(&b->ak), &ak, &err), &err);
        ak.attributes ^= OBJ_NO_DA;
        assert_ok(bundle_certificate_fits(b, &ak, &fits, &why, &err), &err);
        assert_false(fits);
        assert_non_null(strstr(why, "attributes"));
        ak.attributes ^= OBJ_NO_DA;
        b->host[0] = 'W';
        assert_ok(bundle_certificate_fits(b, &ak, &fits, &why, &err), &err);
        assert_false(fits);
        assert_non_null(strstr(why, "host"));
        free(b->ak_certificate);
        b->ak_certificate = str_dup("no certificate");
        assert_ok(bundle_certificate_fits(b, &ak, &fits, &why, &err), &err);
        assert_false(fits);
        free(TAKE(b->ak_certificate));
        assert_ok(bundle_certificate_fits(b, &ak, &fits, &why, &err), &err);
        assert_true(fits && !why);
}

/* ---- malformed ---- */

static void assert_refused(const json_t *j, const char *part)
{
        AUTO(mem_free_p) char *text = json_print(j);
        struct bundle *b;
        struct err err = ERR_INIT;
        int r;

        POISON(b);
        r = bundle_decode(view_str(text), &b, &err);
        assert_poisoned(b);
        if ((r != -ERR_FORMAT && r != -ERR_LIMIT) || !strstr(err.text, part))
                fail_msg("%d, %s: %s", r, part, err.text);
}

/* Every member, at every depth but the findings': missing, of another type, and a stranger beside it. */
static void each_member(json_t *root, json_t *obj, const char *const *optional)
{
        AUTO(json_free_p) json_t *copy = json_copy(obj);
        const char *name;
        json_t *value;

        json_object_foreach (copy, name, value) {
                bool may_miss = false;

                for (size_t i = 0; optional[i]; i++)
                        may_miss |= strcmp(optional[i], name) == 0;
                if (!may_miss) {
                        assert_int_equal(json_object_del(obj, name), 0);
                        assert_refused(root, "");
                }
                assert_int_equal(json_object_set_new(obj, name, json_real(0.5)), 0);
                assert_refused(root, "");
                assert_int_equal(json_object_set(obj, name, value), 0);
        }
        assert_int_equal(json_object_set_new(obj, "stranger", json_null()), 0);
        assert_refused(root, obj == root ? "stranger" : "");
        assert_int_equal(json_object_del(obj, "stranger"), 0);
        json_object_foreach (copy, name, value)
                if (json_is_object(value))
                        each_member(root, value, optional);
}

static void members(void **state)
{
        static const char *const optional[] = {"ak_certificate", "time", "time_offset", NULL};
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(json_parse(vector_read(&text, SET, "small.avow-evidence"), 1 << 20, &j, &err), &err);
        each_member(j, j, optional);
}

/* One spelling for each value. */
static void spellings(void **state)
{
        static const struct {
                const char *name, *value, *part;
        } rows[] = {
                {"schema", "\"avow.evidence/2\"", "schema"},
                {"host", "\"a b\"", "host"},
                {"host", "\"\"", "host"},
                {"peer", "\"Avow\"", "peer"},
                {"peer", "\"keylime\"", "verifier_id"},
                {"verifier_id", "null", "verifier_id"},
                {"verifier_id", "\"x\"", "verifier_id"},
                {"challenge", "\"AAB=\"", "challenge"},
                {"challenge", "\"AAA\"", "challenge"},
                {"challenge", "\" AAA=\"", "challenge"},
                {"asked", "{\"sha256\":[24]}", "asked"},
                {"asked", "{\"sha256\":[15,7]}", "asked"},
                {"issued_at", "\"2026-11-21\"", "issued_at"},
                {"issued_at", "1770000000", "issued_at"},
                {"tee", "[{}]", "tee"},
                {"tee", "null", "tee"},
                {"time", "null", "time"},
                {"time", "{\"message\":\"\",\"signature\":\"\"}", "time"},
                {"policy", "{\"name\":\"a\",\"version\":1,\"sha256\":\"00\"}", "policy"},
                {"policy", "{\"name\":\"a\",\"version\":-1,\"sha256\":\"00\"}", "policy"},
                {"clock_tolerance", "{\"base_ms\":5000,\"percent\":101}", "percent"},
        };
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        (void)state;
        (void)vector_read(&text, SET, "small.avow-evidence");
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(json_free_p) json_t *j = NULL;
                json_t *value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);

                assert_non_null(value);
                assert_ok(json_parse(VIEW_BUF(&text), 1 << 20, &j, &err), &err);
                assert_int_equal(json_object_set_new(j, rows[i].name, value), 0);
                assert_refused(j, rows[i].part);
        }
}

static void truncated(struct view bytes, const char *what, void *ctx)
{
        struct bundle *b;
        struct err err = ERR_INIT;

        (void)what;
        (void)ctx;
        POISON(b);
        assert_err(bundle_decode(bytes, &b, &err), ERR_FORMAT, &err, "evidence bundle");
        assert_poisoned(b);
}

static void cut(void **state)
{
        AUTO(buf_free) struct buf text = {0};

        (void)state;
        (void)vector_read(&text, SET, "small.avow-evidence");
        /* Without the line feed at its end it is still whole. */
        each_truncation(VIEW(text.p, text.len - 1), truncated, NULL);
}

/* ---- out of memory ---- */

static int once(void *ctx, struct err *err)
{
        struct buf *text = ctx;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(buf_free) struct buf out = {0};
        int r = bundle_decode(VIEW_BUF(text), &b, err);

        return r < 0 ? r : bundle_encode(b, &out, err);
}

static void out_of_memory(void **state)
{
        AUTO(buf_free) struct buf text = {0};

        (void)state;
        (void)vector_read(&text, SET, "small.avow-evidence");
        oom_any(once, &text);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_bundle),
                cmocka_unit_test(real_counters),
                cmocka_unit_test(both_ways),
                cmocka_unit_test(with_counters),
                cmocka_unit_test(with_a_processor),
                cmocka_unit_test(for_a_release),
                cmocka_unit_test(keylime_bundle),
                cmocka_unit_test(certificate_of_another),
                cmocka_unit_test(members),
                cmocka_unit_test(spellings),
                cmocka_unit_test(cut),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
