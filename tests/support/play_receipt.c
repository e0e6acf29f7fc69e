/* SPDX-License-Identifier: Apache-2.0 */
#include "support/play_receipt.h"

#include "support/support.h"

static char *text(const char *s)
{
        char *copy = str_dup(s);

        assert_non_null(copy);
        return copy;
}

static void set_digest(struct digest *d, enum digest_alg alg, uint8_t fill)
{
        digest_zero(alg, d);
        memset(d->b, fill, d->len);
}

/* What a launcher would say. */
static void tell(struct receipt *r, const struct play_tpm *tpm)
{
        struct err err = ERR_INIT;

        *r = (struct receipt){
                .launch = {.id = "5f0c2b3e-8a51-4a53-9d1c-6f6e2f1f3a77",
                           .host = PLAY_HOST,
                           .tenant = "default",
                           .runtime = "wasmtime",
                           .size = 77000,
                           .has_input = true,
                           .nonce = {1, 2, 3},
                           .nonce_len = 3},
                .tenant = text("default"),
                .log_pcr = 13,
                .log_entry = 4,
                .has_claims = true,
                .claims = {.issuer = text("ACCOUNT"), .name = text("m\xc3\xa4h"), .revision = -1},
                .permit = text("permit-1"),
                .n_policies = 2,
                .policies = {{.name = text("modules"), .version = 3}, {.name = text("hosts"), .version = 9}},
                .n_secrets = 1,
                .secrets = {{.name = text("db"), .local = true}},
                .exit = RECEIPT_EXITED,
                .code = 3,
                .started_at_ms = PLAY_NOW,
                .ended_at_ms = PLAY_NOW + 1500,
                .clock_ms = tpm->clock.clock_ms,
                .reset = tpm->clock.reset_count,
                .restart = tpm->clock.restart_count,
                .sequence = 2,
                .has_previous = true};
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("module"), &r->launch.sha256, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("input"), &r->launch.input, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("output"), &r->output, &err), &err);
        r->has_output = true;
        set_digest(&r->launch.sha384, DIGEST_SHA384, 3);
        set_digest(&r->launch.closure, DIGEST_SHA256, 4);
        set_digest(&r->launch.arguments, DIGEST_SHA256, 5);
        set_digest(&r->previous, DIGEST_SHA256, 7);
        set_digest(&r->policies[0].sha256, DIGEST_SHA256, 8);
        set_digest(&r->policies[1].sha256, DIGEST_SHA256, 9);
        assert_ok(launch_digest(&r->launch, &r->launch_digest, &err), &err);
        memset(r->chain, 0x77, sizeof(r->chain));
        assert_ok(tpm_public_name(&tpm->ak, &r->ak, &err), &err);
}

/* Signs what W says. */
void play_receipt_sign_mask(struct play_receipt *w, uint32_t mask)
{
        struct pcr_selection sel = {DIGEST_SHA256, mask};
        struct err err = ERR_INIT;
        struct digest digest;

        buf_reset(&w->f.payload);
        assert_ok(receipt_payload_encode(&w->r, &w->f.payload, &err), &err);
        assert_ok(receipt_digest(VIEW_BUF(&w->f.payload), &digest, &err), &err);
        play_tpm_quote(&w->tpm, &sel, digest_view(&digest), &w->f.message, &w->f.signature);
        w->f.pcrs = play_tpm_values(&w->tpm, &sel);
        buf_reset(&w->f.ak);
        buf_put_view(&w->f.ak, VIEW_BUF(&w->tpm.ak_pub));
}

void play_receipt_sign(struct play_receipt *w)
{
        play_receipt_sign_mask(w, 1u << 7 | 1u << 13 | 1u << 15);
}

void play_receipt_countersign(struct play_receipt *w, enum receipt_status status)
{
        struct receipt_countersign c = {.host = text(PLAY_HOST),
                                        .verifier = text("3f0e7f6e-6c19-4f6c-9a54-0b6a2b9a7c11"),
                                        .status = status,
                                        .reason = status == RECEIPT_FINAL ? NULL : text("pcr-mismatch"),
                                        .link = RECEIPT_CONTINUES,
                                        .evidence = 12,
                                        .verdict = text(status == RECEIPT_FINAL ? "pass" : "fail"),
                                        .enforced = true,
                                        .policy = text("hosts"),
                                        .policy_version = 9,
                                        .received_at_ms = PLAY_NOW + 2000,
                                        .challenge_at_ms = PLAY_NOW + 2010,
                                        .evidence_at_ms = PLAY_NOW + 2100,
                                        .issued_at_ms = PLAY_NOW + 2110};
        struct err err = ERR_INIT;

        digest_zero(DIGEST_SHA256, &c.policy_sha256);
        assert_ok(receipt_digest(VIEW_BUF(&w->f.payload), &c.receipt, &err), &err);
        free(w->f.countersignature);
        assert_ok(receipt_countersign_sign(&c, w->verifier, &w->f.countersignature, &err), &err);
        receipt_countersign_done(&c);
}

static void certify(struct play_receipt *w)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        AUTO(pubkey_free_p) struct pubkey *ak = NULL, *ca = NULL;
        char attributes[64];
        const char *const uris[] = {"urn:avow:host:" PLAY_HOST, attributes, NULL};
        const struct cert_spec root = {.kind = CERT_KIND_CA,
                                       .cn = "AK CA",
                                       .not_before_ms = PLAY_NOW - 1000000,
                                       .not_after_ms = PLAY_NOW + 100000000};
        struct cert_spec spec = {.kind = CERT_KIND_AK,
                                 .cn = PLAY_HOST,
                                 .not_before_ms = PLAY_NOW - 1000000,
                                 .not_after_ms = PLAY_NOW + 90000000,
                                 .uris = uris};
        struct err err = ERR_INIT;

        (void)snprintf(attributes, sizeof(attributes), "urn:avow:ak-attributes:0x%08x", w->tpm.ak.attributes);
        assert_ok(key_generate_ec(CURVE_P256, &w->ca_key, &err), &err);
        assert_ok(key_public(w->ca_key, &ca, &err), &err);
        assert_ok(cert_issue(&root, ca, NULL, w->ca_key, &w->ca, &err), &err);
        assert_ok(tpm_public_key(&w->tpm.ak, &ak, &err), &err);
        assert_ok(cert_issue(&spec, ak, w->ca, w->ca_key, &cert, &err), &err);
        assert_ok(cert_pem(cert, &w->f.ak_certificate, &err), &err);
        assert_ok(trust_new(&w->trust, &err), &err);
        assert_ok(trust_add(w->trust, w->ca, &err), &err);
}

void play_receipt_begin(struct play_receipt *w)
{
        struct err err = ERR_INIT;

        *w = (struct play_receipt){.ca = NULL};
        play_tpm_init(&w->tpm, PLAY_AK_P256, DIGEST_SHA256);
        w->tpm.clock =
                (struct tpm_clock){.clock_ms = 5000, .reset_count = 5, .restart_count = 1, .safe = true};
        play_tpm_extend(&w->tpm, 13, view_str("launch"));
        assert_ok(key_generate_ec(CURVE_P256, &w->verifier, &err), &err);
        assert_ok(key_public(w->verifier, &w->verifier_public, &err), &err);
        certify(w);
        tell(&w->r, &w->tpm);
        play_tpm_pass_time(&w->tpm, 1500);
        play_receipt_sign(w);
        play_receipt_countersign(w, RECEIPT_FINAL);
}

void play_receipt_end(struct play_receipt *w)
{
        receipt_done(&w->r);
        receipt_file_done(&w->f);
        trust_free(w->trust);
        cert_free(w->ca);
        key_free(w->ca_key);
        key_free(w->verifier);
        pubkey_free(w->verifier_public);
        play_tpm_done(&w->tpm);
}
