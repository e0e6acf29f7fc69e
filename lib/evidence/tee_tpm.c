/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM's quote beside the key that signed it and the values that it was made over, as other verifiers store
 * it in one JSON text. It shows that a TPM with this key said so; whose TPM that is, nothing in it shows.
 *
 * Spec: TPM 2.0 Library Part 2 §10.12.8 (TPMS_QUOTE_INFO), §11.3.4 (TPMT_SIGNATURE).
 */
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "evidence/pcr.h"
#include "evidence/tee_types_impl.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

#define TEXT_BYTES_MAX 65536
#define RSA_BITS_MIN   2048

struct parts {
        struct buf message, signature_bytes, spki;
        struct tpm_attest attest;
        struct pcr_selection selection;
        struct signature signature;
        struct pubkey *key;
        struct pcr_values pcrs; /* of the selection's bank; those that the text has */
};

static void parts_done(struct parts *p)
{
        buf_free(&p->message);
        buf_free(&p->signature_bytes);
        buf_free(&p->spki);
        pubkey_free(p->key);
}

/* The values in the order of their numbers, hex. */
static int get_pcrs(const json_t *quote, struct parts *p, struct err *err)
{
        const json_t *list = NULL, *item;
        size_t i;
        int r = json_get_array(quote, "pcrs", PCR_COUNT, &list, err);

        p->pcrs.bank = p->selection.bank;
        json_array_foreach (list, i, item) {
                AUTO(buf_free) struct buf raw = {0};
                const char *hex = json_string_value(item);

                if (!hex)
                        r = err_set(err, ERR_FORMAT, 0, "it is no string");
                else
                        r = hex_decode_any(view_str(hex), DIGEST_BYTES_MAX, &raw, err);
                if (r >= 0)
                        r = digest_set(p->pcrs.bank, VIEW_BUF(&raw), &p->pcrs.v[i], err);
                if (r < 0)
                        return err_wrap(err, "member 'pcrs': value %zu", i);
                p->pcrs.mask |= 1u << i;
        }
        return r;
}

static int get_quote(const json_t *quote, struct parts *p, struct err *err)
{
        int r = json_get_base64_lax(quote, "message", TPM_ATTEST_BYTES_MAX, &p->message, err);

        if (r >= 0)
                r = json_get_base64_lax(quote, "signature", TPM_SIGNATURE_BYTES_MAX, &p->signature_bytes,
                                        err);
        if (r >= 0)
                r = tpm_attest_parse(VIEW_BUF(&p->message), &p->attest, err);
        if (r >= 0 && p->attest.type != ATTEST_QUOTE)
                r = err_set(err, ERR_FORMAT, 0, "the TPM attests a %s, no quote",
                            attest_type_name(p->attest.type));
        if (r >= 0)
                r = pcr_selection_of_list(&p->attest.quote.select, &p->selection, err);
        if (r >= 0)
                r = tpm_signature_parse(VIEW_BUF(&p->signature_bytes), &p->signature, err);
        return r < 0 ? r : get_pcrs(quote, p, err);
}

static int get_parts(struct view text, struct parts *p, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *quote = NULL;
        int r = json_parse(text, TEXT_BYTES_MAX, &doc, err);

        if (r >= 0)
                r = json_get_object(doc, "tpm_quote", &quote, err);
        if (r >= 0)
                r = get_quote(quote, p, err);
        if (r >= 0)
                r = json_get_base64_lax(doc, "ak_public", TPM_PUBLIC_BYTES_MAX, &p->spki, err);
        return r < 0 ? r : pubkey_from_spki(VIEW_BUF(&p->spki), &p->key, err);
}

static void check_strength(struct tee_work *w, const struct parts *p)
{
        char key[32];

        pubkey_describe(p->key, key, sizeof(key));
        if (pubkey_type(p->key) == PUBKEY_RSA && pubkey_bits(p->key) < RSA_BITS_MIN)
                tee_fail(&w->result, "attestation-key", "attestation-key-weak", "%s", key);
        else if (p->signature.hash == DIGEST_SHA1)
                tee_fail(&w->result, "attestation-key", "attestation-key-weak", "it signs SHA-1");
        else
                tee_pass(&w->result, "attestation-key");
}

static int check_signature(struct tee_work *w, const struct parts *p, struct err *err)
{
        bool good = false;
        int r = pubkey_verify(p->key, &p->signature, VIEW_BUF(&p->message), &good, err);

        if (r < 0)
                return r;
        if (good)
                tee_pass(&w->result, "quote-signature");
        else
                tee_fail(&w->result, "quote-signature", "quote-signature-invalid",
                         "it is not the signature of the key beside it");
        return 0;
}

/* The digest in the quote has the hash of its signature. Spec: Part 3 §18.4. */
static int check_pcrs(struct tee_work *w, const struct parts *p, struct err *err)
{
        struct digest d;
        int r;

        if ((p->selection.mask & ~p->pcrs.mask) != 0) {
                tee_fail(&w->result, "pcr-digest", "pcr-digest-mismatch",
                         "the quote is over registers whose values are not there");
                return 0;
        }
        r = pcr_values_digest(&p->pcrs, p->selection.mask, p->signature.hash, &d, err);
        if (r < 0)
                return r;
        if (view_equal(digest_view(&d), p->attest.quote.digest))
                tee_pass(&w->result, "pcr-digest");
        else
                tee_fail(&w->result, "pcr-digest", "pcr-digest-mismatch",
                         "the quote is not over these values of %s", digest_name(p->selection.bank));
        return 0;
}

static void check_qualifying(struct tee_work *w, const struct parts *p)
{
        struct view said = p->attest.extra_data;

        if (!w->report_data.len)
                tee_skip(&w->result, "qualifying-data", "nothing to compare it with was given");
        else if (equal_ct(said.p, said.len, w->report_data.p, w->report_data.len))
                tee_pass(&w->result, "qualifying-data");
        else
                tee_fail(&w->result, "qualifying-data", "qualifying-data-mismatch",
                         "it is not what was asked for");
}

static json_t *content_of(const struct parts *p)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *selection = pcr_selection_text(&p->selection);
        char key[32];

        pubkey_describe(p->key, key, sizeof(key));
        if (!j || !selection || json_set_str(j, "attestation_key", key) < 0 ||
            json_set_hex(j, "qualifying_data", p->attest.extra_data) < 0 ||
            json_set_hex(j, "qualified_signer", p->attest.qualified_signer) < 0 ||
            json_set_str(j, "pcr_selection", selection) < 0 ||
            json_set_hex(j, "pcr_digest", p->attest.quote.digest) < 0 ||
            json_object_set_new(j, "pcrs", pcr_values_to_json(&p->pcrs)) < 0 ||
            json_set_int(j, "resets", p->attest.clock.reset_count) < 0 ||
            json_set_int(j, "restarts", p->attest.clock.restart_count) < 0)
                return NULL;
        return TAKE(j);
}

static int judge(struct tee_work *w, const struct parts *p, struct err *err)
{
        int r;

        tee_pass(&w->result, "quote-format");
        check_strength(w, p);
        r = check_signature(w, p, err);
        if (r >= 0)
                r = check_pcrs(w, p, err);
        if (r < 0)
                return r;
        check_qualifying(w, p);
        tee_skip(&w->result, "endorsement", "nothing here shows whose TPM holds the key");
        w->result.verdict = tee_failed(&w->result) ? TEE_REJECT : TEE_ACCEPT;
        w->content = content_of(p);
        return w->content ? 0 : err_nomem(err);
}

int tee_run_tpm(struct tee_work *w, struct err *err)
{
        AUTO(parts_done) struct parts parts = {.key = NULL};
        int r = get_parts(w->bytes, &parts, err);

        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                tee_malformed(w, "quote-format", err);
                return 0;
        }
        return r < 0 ? r : judge(w, &parts, err);
}
