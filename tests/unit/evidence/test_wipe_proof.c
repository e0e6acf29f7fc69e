/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs that a revocation was carried out: what a good one is, and each way in which a revoked host might
 * want to be believed without having wiped. */
#include "support/support.h"

#include "base/json.h"
#include "crypto/cert.h"
#include "crypto/jws.h"
#include "evidence/cel.h"
#include "evidence/counter_check.h"
#include "evidence/sealed.h"
#include "evidence/tpm_types.h"
#include "evidence/wipe_proof.h"
#include "support/play_tpm.h"

#define VERIFIER "3f0e7f6e-6c19-4f6c-9a54-0b6a2b9a7c11"
#define HOST     "edge-7"
#define ID       HOST "/12"
#define EPOCH    41
#define INDEX    0x01810100

/* A verifier, a host that wiped, and the proof of it. */
struct world {
        struct play_tpm tpm;
        struct key *verifier, *counter;
        struct pubkey *verifier_public, *counter_public;
        struct pubkey *keys[1];
        struct tpm_name index_name;
        struct wipe_proof *proof;
        struct wipe_expected x;
        uint8_t nonce[QUALIFY_NONCE_BYTES];
        /* What the next proof says, as the host likes it. */
        const char *reaction, *host, *record_id;
        uint64_t value;
        int64_t reset_ordered; /* -1: the revocation names none */
        bool no_record, cut_log, reboot_between, other_purpose;
        uint32_t mask;
        const struct tpm_name *certified;
};

static char *sign_order(const struct world *w)
{
        AUTO(buf_free) struct buf spki = {0};
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *text = NULL, *id = str_fmt("%s/12", w->host);
        struct err err = ERR_INIT;
        char *jws = NULL;

        assert_ok(pubkey_spki(w->counter_public, &spki, &err), &err);
        assert_int_equal(json_set_str(j, "schema", "avow.revocation/1") | json_set_str(j, "id", id) |
                                 json_set_str(j, "host", w->host) | json_set_str(j, "verifier", VERIFIER) |
                                 json_set_str(j, "reaction", w->reaction) |
                                 json_set_time(j, "issued_at", 1796126400000) |
                                 json_set_int(j, "nv_index", INDEX) | json_set_int(j, "epoch", EPOCH) |
                                 json_set_base64(j, "counter_key", VIEW_BUF(&spki)),
                         0);
        if (w->reset_ordered >= 0)
                assert_int_equal(json_set_int(j, "reset_count", w->reset_ordered), 0);
        text = json_print(j);
        assert_ok(jws_sign(w->verifier, REVOCATION_TYP, view_str(text), &jws, &err), &err);
        return jws;
}

static void put_record(struct buf *log, const struct play_tpm *t, const struct digest *d, const char *id)
{
        struct cel_record rec = {.pcr = 15,
                                 .n_digests = 1,
                                 .digests = {*d},
                                 .content_type = (char *)(uintptr_t)CEL_CONTENT_AVOW,
                                 .ours = true,
                                 .kind = (char *)(uintptr_t)(id ? CEL_KIND_REVOKE : CEL_KIND_MEASURE),
                                 .runtime = (char *)(uintptr_t) "node",
                                 .path = (char *)(uintptr_t) "/usr/bin/node",
                                 .verifier = (char *)(uintptr_t)VERIFIER,
                                 .revocation = (char *)(uintptr_t)id,
                                 .n_before = 1,
                                 .before = {t->pcrs.v[15]},
                                 .has_timestamp = true};
        struct err err = ERR_INIT;

        assert_ok(cel_record_write(&rec, log, &err), &err);
}

static void extend(struct world *w, const struct digest *d, const char *id)
{
        put_record(&w->proof->log, &w->tpm, d, id);
        play_tpm_extend_digest(&w->tpm, 15, d);
}

/* The host does what W says, and its agent makes the proof. */
static void prove(struct world *w)
{
        struct wipe_proof *p = w->proof = wipe_proof_new();
        struct pcr_selection sel = {DIGEST_SHA256, w->mask};
        struct digest runtime = {.alg = DIGEST_SHA256, .len = 32, .b = {7}}, record, qualifying;
        AUTO(mem_free_p) char *id = str_fmt("%s/12", w->host);
        struct err err = ERR_INIT;

        p->revocation = sign_order(w);
        memcpy(p->nonce, w->nonce, sizeof(p->nonce));
        buf_put_view(&p->ak, VIEW_BUF(&w->tpm.ak_pub));
        p->index_name = w->index_name;
        p->epoch_sealed = EPOCH;
        extend(w, &runtime, NULL);
        assert_ok(revocation_record_digest(DIGEST_SHA256, VERIFIER, w->record_id, &record, &err), &err);
        if (!w->no_record)
                extend(w, &record, w->record_id);
        else
                put_record(&p->log, &w->tpm, &record, w->record_id); /* written, never extended */
        if (w->cut_log)
                p->log.len = 0;
        if (w->other_purpose)
                assert_ok(qualify_heartbeat(VERIFIER, HOST, digest_view(&record), &qualifying, &err), &err);
        else
                assert_ok(qualify_revocation(VERIFIER, w->host, id, VIEW_ARRAY(w->nonce), &qualifying, &err),
                          &err);
        play_tpm_certify_counter(&w->tpm, w->certified ? w->certified : &w->index_name, w->value,
                                 digest_view(&qualifying), &p->nv_message, &p->nv_signature);
        if (w->reboot_between)
                w->tpm.clock.reset_count++;
        play_tpm_quote(&w->tpm, &sel, digest_view(&qualifying), &p->quote_message, &p->quote_signature);
        p->pcrs = play_tpm_values(&w->tpm, &sel);
}

static void begin(struct world *w)
{
        struct err err = ERR_INIT;

        *w = (struct world){.reaction = "destroy",
                            .host = HOST,
                            .record_id = ID,
                            .value = EPOCH + 1,
                            .reset_ordered = -1,
                            .mask = 1u << 15};
        memset(w->nonce, 0x5a, sizeof(w->nonce));
        play_tpm_init(&w->tpm, PLAY_AK_P256, DIGEST_SHA256);
        w->tpm.clock.reset_count = 5;
        assert_ok(key_generate_ec(CURVE_P256, &w->verifier, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &w->counter, &err), &err);
        assert_ok(key_public(w->verifier, &w->verifier_public, &err), &err);
        assert_ok(key_public(w->counter, &w->counter_public, &err), &err);
        assert_ok(sealed_counter_name(INDEX, w->counter_public, &w->index_name, &err), &err);
        w->keys[0] = w->verifier_public;
        w->x = (struct wipe_expected){.keys = w->keys,
                                      .n_keys = 1,
                                      .pcr = 15,
                                      .ak = &w->tpm.ak,
                                      .host = HOST,
                                      .id = ID,
                                      .nonce = VIEW_ARRAY(w->nonce),
                                      .index_name = tpm_name_view(&w->index_name)};
}

static void end(struct world *w)
{
        wipe_proof_free(w->proof);
        pubkey_free(w->verifier_public);
        pubkey_free(w->counter_public);
        key_free(w->verifier);
        key_free(w->counter);
        play_tpm_done(&w->tpm);
}

static void refused(const struct world *w, const char *why)
{
        struct err err = ERR_INIT;
        struct wipe_verdict v;

        assert_ok(wipe_proof_judge(w->proof, &w->x, &v, &err), &err);
        if (v.proven || !v.why || !strstr(v.why, why))
                fail_msg("expected '%s', got '%s'", why, v.proven ? "proven" : v.why);
        wipe_verdict_done(&v);
}

static void proven(const struct world *w, bool recorded)
{
        struct err err = ERR_INIT;
        struct wipe_verdict v;

        assert_ok(wipe_proof_judge(w->proof, &w->x, &v, &err), &err);
        if (!v.proven)
                fail_msg("not proven: %s", v.why);
        assert_null(v.why);
        assert_int_equal(v.recorded, recorded);
        assert_int_equal(v.epoch, w->value);
        assert_int_equal(v.reset_count, w->tpm.clock.reset_count);
        assert_string_equal(v.order.id, ID);
        assert_int_equal(v.order.epoch, EPOCH);
        wipe_verdict_done(&v);
}

static void a_wiped_host_is_believed(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        prove(&w);
        proven(&w, true);
        w.x.host = w.x.id = NULL; /* offline, one knows less */
        w.x.nonce = w.x.index_name = VIEW_NONE;
        proven(&w, true);
        w.x.ak = NULL;
        refused(&w, "carries no certificate");
        end(&w);
}

static void without_an_increment_nothing_is_proven(void **state)
{
        struct tpm_name other;
        struct world w;

        (void)state;
        begin(&w);
        w.value = EPOCH;
        prove(&w);
        refused(&w, "still has the epoch");
        end(&w);

        begin(&w); /* an index of root's own, with a value that he likes */
        other = w.index_name;
        other.b[5] ^= 1;
        w.certified = &other;
        prove(&w);
        refused(&w, "another counter");
        w.proof->index_name = other;
        refused(&w, "another counter");
        end(&w);
}

static void without_the_record_sessions_live_on(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.no_record = true;
        prove(&w);
        refused(&w, "does not hold the revocation's record");
        end(&w);

        begin(&w);
        w.record_id = HOST "/11"; /* of an older one */
        prove(&w);
        refused(&w, "does not hold the revocation's record");
        end(&w);

        begin(&w);
        w.cut_log = true;
        prove(&w);
        refused(&w, "does not explain");
        end(&w);

        begin(&w);
        w.mask = 1u << 7;
        prove(&w);
        refused(&w, "leaves out the measurement register");
        end(&w);

        begin(&w);
        w.no_record = true;
        w.reset_ordered = 5; /* the boot that the revocation was issued in */
        prove(&w);
        refused(&w, "does not hold the revocation's record");
        end(&w);

        begin(&w);
        w.no_record = true;
        w.reset_ordered = 4; /* the host booted since: no session of before lives */
        prove(&w);
        proven(&w, false);
        end(&w);
}

static void both_statements_are_of_one_boot_and_for_this(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.reboot_between = true;
        prove(&w);
        refused(&w, "same boot");
        end(&w);

        begin(&w);
        w.other_purpose = true;
        prove(&w);
        refused(&w, "another purpose");
        end(&w);

        begin(&w);
        prove(&w);
        w.nonce[0] ^= 1; /* the registrar's is another */
        refused(&w, "registrar's nonce");
        w.x.nonce = VIEW_NONE;
        w.proof->nonce[0] ^= 1;
        refused(&w, "another purpose or challenge");
        end(&w);
}

static void the_verifier_ordered_it_of_this_host(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.reaction = "suspend";
        prove(&w);
        refused(&w, "destroys nothing");
        end(&w);

        begin(&w);
        w.host = "edge-8";
        prove(&w);
        refused(&w, "another host");
        end(&w);

        begin(&w);
        prove(&w);
        w.x.id = HOST "/13";
        refused(&w, "another revocation");
        w.x.id = ID;
        w.keys[0] = w.counter_public;
        refused(&w, "not signed by the verifier");
        w.x.n_keys = 0;
        refused(&w, "not signed by the verifier");
        w.keys[0] = w.verifier_public;
        w.x.n_keys = 1;
        w.proof->epoch_sealed++;
        refused(&w, "another epoch");
        end(&w);
}

static void only_an_attestation_key_speaks(void **state)
{
        struct play_tpm other;
        struct world w;

        (void)state;
        begin(&w);
        prove(&w);
        play_tpm_init(&other, PLAY_AK_P256, DIGEST_SHA256);
        w.x.ak = &other.ak;
        refused(&w, "another key than the enrolled");
        buf_reset(&w.proof->ak);
        buf_put_view(&w.proof->ak, VIEW_BUF(&other.ak_pub));
        refused(&w, "not signed by the attestation key");
        w.proof->ak.len--;
        refused(&w, "malformed");
        play_tpm_done(&other);
        end(&w);
}

static struct cert *certificate(const struct world *w, const char *host, uint32_t attributes)
{
        AUTO(mem_free_p) char *uri = str_fmt("urn:avow:host:%s", host);
        AUTO(mem_free_p) char *attrs = str_fmt("urn:avow:ak-attributes:0x%08x", attributes);
        const char *uris[] = {uri, attrs, NULL};
        struct cert_spec ca_spec = {CERT_KIND_CA, "CA", 1700000000000, 2000000000000, NULL, NULL, NULL};
        struct cert_spec spec = {CERT_KIND_AK, "AK", 1700000000000, 2000000000000, NULL, NULL, uris};
        struct pubkey *ak = NULL;
        struct cert *ca = NULL, *cert = NULL;
        struct err err = ERR_INIT;

        assert_ok(cert_issue(&ca_spec, w->verifier_public, NULL, w->verifier, &ca, &err), &err);
        assert_ok(tpm_public_key(&w->tpm.ak, &ak, &err), &err);
        assert_ok(cert_issue(&spec, ak, ca, w->verifier, &cert, &err), &err);
        pubkey_free(ak);
        cert_free(ca);
        return cert;
}

static void offline_the_certificate_names_key_and_host(void **state)
{
        struct err err = ERR_INIT;
        struct cert *cert;
        struct world w;

        (void)state;
        begin(&w);
        prove(&w);
        w.x.ak = NULL;
        cert = certificate(&w, HOST, w.tpm.ak.attributes);
        assert_ok(cert_pem(cert, &w.proof->ak_certificate, &err), &err);
        proven(&w, true);
        cert_free(cert);
        free(w.proof->ak_certificate);
        cert = certificate(&w, "edge-8", w.tpm.ak.attributes);
        assert_ok(cert_pem(cert, &w.proof->ak_certificate, &err), &err);
        refused(&w, "certificate");
        cert_free(cert);
        end(&w);
}

static void registers_that_reset_prove_nothing(void **state)
{
        struct err err = ERR_INIT;
        struct wipe_verdict v;
        struct world w;

        (void)state;
        begin(&w);
        prove(&w);
        w.x.pcr = 16;
        POISON(v);
        assert_err(wipe_proof_judge(w.proof, &w.x, &v, &err), ERR_CONFIG, &err, "PCR 16");
        assert_poisoned(v);
        end(&w);
}

static void encode_and_decode(struct world *w, struct buf *ret)
{
        struct err err = ERR_INIT;

        begin(w);
        prove(w);
        assert_ok(wipe_notes_add(&w->proof->copied_out, "db", "shop.service", &err), &err);
        assert_ok(wipe_notes_add(&w->proof->not_destroyed, "old", "not revocable", &err), &err);
        assert_ok(wipe_proof_encode(w->proof, ret, &err), &err);
}

static void a_proof_survives_its_form(void **state)
{
        AUTO(buf_free) struct buf text = {0}, again = {0};
        struct wipe_proof *read = NULL;
        struct err err = ERR_INIT;
        struct world w;

        (void)state;
        encode_and_decode(&w, &text);
        assert_ok(wipe_proof_decode(VIEW_BUF(&text), &read, &err), &err);
        assert_ok(wipe_proof_encode(read, &again, &err), &err);
        assert_int_equal(text.len, again.len);
        assert_memory_equal(text.p, again.p, text.len);
        wipe_proof_free(TAKE(w.proof));
        w.proof = read;
        proven(&w, true);
        assert_string_equal(read->copied_out.v[0].what, "shop.service");
        assert_string_equal(read->not_destroyed.v[0].secret, "old");
        end(&w);
}

/* The proof without what nothing signs: the host's notes, the names in the log, the certificate. */
static void bare(struct wipe_proof *p, struct buf *ret)
{
        struct err err = ERR_INIT;

        wipe_notes_done(&p->copied_out);
        wipe_notes_done(&p->not_destroyed);
        buf_free(&p->log);
        free(TAKE(p->ak_certificate));
        assert_ok(wipe_proof_encode(p, ret, &err), &err);
}

struct flips {
        struct world w;
        struct buf bare;
        unsigned n_proven;
};

static void try_text(struct view v, const char *what, void *ctx)
{
        AUTO(wipe_proof_free_p) struct wipe_proof *p = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct wipe_verdict verdict;
        struct flips *f = ctx;
        struct err err = ERR_INIT;
        bool is_proven;

        if (wipe_proof_decode(v, &p, &err) < 0)
                return;
        assert_ok(wipe_proof_judge(p, &f->w.x, &verdict, &err), &err);
        is_proven = verdict.proven;
        wipe_verdict_done(&verdict);
        if (!is_proven)
                return;
        f->n_proven++;
        bare(p, &text);
        if (!view_equal(VIEW_BUF(&text), VIEW_BUF(&f->bare)))
                fail_msg("%s: still proven", what);
}

static void cut_and_flipped_proofs_prove_nothing(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct flips f = {.n_proven = 0};

        (void)state;
        encode_and_decode(&f.w, &text);
        bare(f.w.proof, &f.bare);
        each_truncation(VIEW_BUF(&text), try_text, &f);
        assert_int_equal(f.n_proven, 0);
        each_bit_flip(VIEW_BUF(&text), try_text, &f);
        buf_free(&f.bare);
        end(&f.w);
}

static int decode_run(void *ctx, struct err *err)
{
        struct wipe_proof *p = NULL;
        int r = wipe_proof_decode(*(struct view *)ctx, &p, err);

        wipe_proof_free(p);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct world w;
        struct view v;

        (void)state;
        encode_and_decode(&w, &text);
        v = VIEW_BUF(&text);
        oom_any(decode_run, &v);
        end(&w);
}

static void orders_are_read_strictly(void **state)
{
        static const char *const bad[][2] = {
                {"{\"schema\":\"avow.revocation/2\"}", "id"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"b\"}", "HOST/NUMBER"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/x\",\"host\":\"a\"}", "HOST/NUMBER"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"a\",\"verifier\":\"v\","
                 "\"reaction\":\"destroy\",\"issued_at\":\"2026-12-01T12:00:00Z\"}",
                 "no UUID"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"a\",\"verifier\":\"" VERIFIER
                 "\",\"reaction\":\"explode\",\"issued_at\":\"2026-12-01T12:00:00Z\"}",
                 "reaction"},
                {"{\"schema\":\"avow.revocation/1\",\"id\":\"a/1\",\"host\":\"a\",\"verifier\":\"" VERIFIER
                 "\",\"reaction\":\"destroy\",\"issued_at\":\"2026-12-01T12:00:00Z\"}",
                 "counter_key"},
        };
        struct err err = ERR_INIT;
        struct revocation_order o;
        struct world w;
        bool good = false;

        (void)state;
        begin(&w);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                char *jws = NULL;

                assert_ok(jws_sign(w.verifier, REVOCATION_TYP, view_str(bad[i][0]), &jws, &err), &err);
                POISON(o);
                assert_err(revocation_order_open(view_str(jws), w.keys, 1, &o, &good, &err), ERR_FORMAT, &err,
                           bad[i][1]);
                assert_poisoned(o);
                free(jws);
                err_clear(&err);
        }
        end(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_wiped_host_is_believed),
                cmocka_unit_test(without_an_increment_nothing_is_proven),
                cmocka_unit_test(without_the_record_sessions_live_on),
                cmocka_unit_test(both_statements_are_of_one_boot_and_for_this),
                cmocka_unit_test(the_verifier_ordered_it_of_this_host),
                cmocka_unit_test(only_an_attestation_key_speaks),
                cmocka_unit_test(offline_the_certificate_names_key_and_host),
                cmocka_unit_test(registers_that_reset_prove_nothing),
                cmocka_unit_test(a_proof_survives_its_form),
                cmocka_unit_test(cut_and_flipped_proofs_prove_nothing),
                cmocka_unit_test(out_of_memory),
                cmocka_unit_test(orders_are_read_strictly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
