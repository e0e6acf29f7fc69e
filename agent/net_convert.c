/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the TPM half's answers to messages, and from the verifier's wishes to requests.
 *
 * What the verifier asks for is public (PCR values, a log of digests and paths), so it gets what it asks; but
 * it gets one bank, as the protocol wants, and never more entries than our own limit.
 */
#include "agent/net_convert.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "evidence/pcr_blob.h"
#include "evidence/tpm_public.h"

/* One DER SEQUENCE, header included. False at anything else, padding for example. */
static bool der_take(struct cursor *c, struct view *ret)
{
        struct cursor look = *c;
        uint8_t tag = 0, first = 0;
        if (!cursor_u8(&look, &tag) || tag != 0x30 || !cursor_u8(&look, &first))
                return false;
        size_t len = first, header = 2;
        if (first >= 0x80) {
                size_t n = first & 0x7f;
                if (n == 0 || n > 3)
                        return false;
                len = 0;
                for (size_t i = 0; i < n; i++) {
                        uint8_t b = 0;
                        if (!cursor_u8(&look, &b))
                                return false;
                        len = len << 8 | b;
                }
                header += n;
        }
        return len <= look.left && cursor_take(c, header + len, ret);
}

void net_pem_chain(struct view der, struct buf *ret)
{
        struct cursor c = cursor_of(der);
        struct view one;
        while (der_take(&c, &one)) {
                struct buf text = {0};
                buf_base64(&text, one);
                buf_str(ret, "-----BEGIN CERTIFICATE-----\n");
                struct cursor t = cursor_of(VIEW_BUF(&text));
                while (t.left > 0) {
                        struct view line;
                        if (!cursor_take(&t, t.left < 64 ? t.left : 64, &line))
                                break;
                        buf_put_view(ret, line);
                        buf_str(ret, "\n");
                }
                buf_str(ret, "-----END CERTIFICATE-----\n");
                if (!buf_ok(&text))
                        ret->failed = true;
                buf_free(&text);
        }
}

static int registration_fill(const struct privsep_identity *id, const char *mtls_cert,
                             struct wire_registration *m, struct err *err)
{
        buf_put_view(&m->ek, id->ek_public);
        buf_put_view(&m->ak, id->ak_public);
        if (!buf_ok(&m->ek) || !buf_ok(&m->ak))
                return err_nomem(err);
        m->mtls = mtls_cert != NULL ? WIRE_MTLS_PEM : WIRE_MTLS_DISABLED;
        if (mtls_cert != NULL) {
                m->mtls_cert = str_dup(mtls_cert);
                if (m->mtls_cert == NULL)
                        return err_nomem(err);
        }
        if (id->ek_certificate.len == 0)
                return 0;
        struct buf pem = {0};
        net_pem_chain(id->ek_certificate, &pem);
        bool readable = pem.len > 0;
        net_pem_chain(id->ek_chain, &pem);
        if (!buf_ok(&pem)) {
                buf_free(&pem);
                return err_nomem(err);
        }
        if (readable) {
                m->ek_cert_pem = buf_take_str(&pem);
                return m->ek_cert_pem != NULL ? 0 : err_nomem(err);
        }
        /* No DER at its start: send what the TPM holds as it is, the registrar decides about it. */
        buf_free(&pem);
        buf_put_view(&m->ek_cert_der, id->ek_certificate);
        return buf_ok(&m->ek_cert_der) ? 0 : err_nomem(err);
}

int net_registration(const struct privsep_identity *id, const char *mtls_cert, struct wire_registration *ret,
                     struct err *err)
{
        struct wire_registration m = {.port = -1};
        int r = registration_fill(id, mtls_cert, &m, err);
        if (r < 0)
                wire_registration_done(&m);
        else
                *ret = m;
        return r;
}

static void offer_banks(const struct privsep_identity *id, bool native, struct wire_quote_offer *q)
{
        for (size_t i = 0; i < id->n_banks && q->subjects.n < WIRE_BANKS_MAX; i++) {
                if (!native && id->banks[i].alg != id->quote_bank)
                        continue;
                if (wire_hash_name(id->banks[i].alg) == NULL || id->banks[i].mask == 0)
                        continue;
                q->subjects.bank[q->subjects.n++] = (struct wire_bank){id->banks[i].alg, id->banks[i].mask};
        }
}

static int offer_key(const struct privsep_identity *id, struct wire_quote_offer *q, struct err *err)
{
        struct tpm_public ak;
        int r = tpm2b_public_parse(id->ak_public, &ak, err);
        if (r < 0)
                return err_wrap(err, "AK of the TPM half");
        q->ecc = ak.type == PUBKEY_ECC;
        q->key_bits = q->ecc ? (uint16_t)(8 * ak.x.len) : ak.rsa_bits;
        q->schemes[q->n_schemes++] = ak.scheme;
        q->hashes[q->n_hashes++] = ak.scheme_hash;
        if (wire_scheme_name(ak.scheme) == NULL || wire_hash_name(ak.scheme_hash) == NULL)
                return err_set(err, ERR_BUG, 0, "AK with a scheme that no message can name");
        if (id->ak_name.len > sizeof(q->ak_name))
                return err_set(err, ERR_BUG, 0, "AK name of %zu bytes", id->ak_name.len);
        memcpy(q->ak_name, id->ak_name.p, id->ak_name.len);
        q->ak_name_len = id->ak_name.len;
        buf_put_view(&q->ak_public, ak.raw);
        return buf_ok(&q->ak_public) ? 0 : err_nomem(err);
}

int net_capabilities(const struct privsep_identity *id, bool native, struct wire_capabilities *ret,
                     struct err *err)
{
        struct wire_capabilities m = {
                .avow_version = native ? 1 : 0,
                .boot_time_ms = (int64_t)id->boot_time_ms,
                .quote = {.offered = true},
        };
        if (native)
                m.log[WIRE_CEL_LOG] = (struct wire_log_offer){
                        .offered = true,
                        .partial = true,
                        .appendable = true,
                        .has_count = true,
                        .entry_count = id->log_entries,
                        .own_format = true,
                };
        if (native && id->has_uefi)
                m.log[WIRE_UEFI_LOG] = (struct wire_log_offer){.offered = true, .own_format = true};
        if (native && id->has_ima)
                m.log[WIRE_IMA_LOG] = (struct wire_log_offer){
                        .offered = true,
                        .partial = true,
                        .appendable = true,
                        .has_count = id->ima_entries <= INT64_MAX,
                        .entry_count = id->ima_entries,
                        .binary = true,
                };
        if (native && id->has_launch)
                m.log[WIRE_LAUNCH_LOG] = (struct wire_log_offer){
                        .offered = true,
                        .partial = true,
                        .appendable = true,
                        .has_count = true,
                        .entry_count = id->launch_entries,
                        .own_format = true,
                        .pcr = id->launch_pcr,
                };
        if (native && id->tee)
                m.log[wire_tee_type((enum tee_kind)(id->tee - 1))] =
                        (struct wire_log_offer){.offered = true, .own_format = true};
        int r = offer_key(id, &m.quote, err);
        if (r < 0) {
                wire_capabilities_done(&m);
                return r;
        }
        offer_banks(id, native, &m.quote);
        /* A Keylime verifier takes the bank from this list too. */
        if (!native && m.quote.hashes[0] != id->quote_bank)
                m.quote.hashes[m.quote.n_hashes++] = id->quote_bank;
        *ret = m;
        return 0;
}

/* The one bank to quote: Keylime's verifiers may name several and mean the one of the hash algorithm. */
static int choose_bank(const struct wire_ask *quote, struct wire_bank *ret, struct err *err)
{
        for (size_t i = 0; i < quote->banks.n; i++)
                if (quote->banks.n == 1 || quote->banks.bank[i].alg == quote->hash) {
                        *ret = quote->banks.bank[i];
                        return 0;
                }
        return err_set(err, ERR_PEER, 0, "it asks for a quote of %s",
                       quote->banks.n == 0 ? "no register" : "several banks");
}

/* Which entries of a log of ours ASK wants; NULL: none. */
static int log_range(const struct wire_ask *ask, uint32_t *ret_offset, uint32_t *ret_max, struct err *err)
{
        if (ask == NULL)
                return 0;
        if (ask->starting_offset > UINT32_MAX)
                return err_set(err, ERR_PEER, 0, "it asks for a log entry that cannot be");
        *ret_offset = (uint32_t)ask->starting_offset;
        *ret_max = NET_LOG_ENTRIES_MAX;
        if (ask->has_count && ask->entry_count < *ret_max)
                *ret_max = (uint32_t)ask->entry_count;
        return 0;
}

int net_collect(const struct wire_asks *asks, const char *verifier_id, struct privsep_collect *ret,
                struct err *err)
{
        const struct wire_ask *quote = wire_asks_find(asks, WIRE_TPM_QUOTE);
        const struct wire_ask *log = wire_asks_find(asks, WIRE_CEL_LOG);
        struct wire_bank bank = {0, 0};
        if (quote == NULL)
                return err_set(err, ERR_PEER, 0, "it asks for evidence without a quote");
        int r = choose_bank(quote, &bank, err);
        if (r < 0)
                return r;
        const struct wire_ask *ima = wire_asks_find(asks, WIRE_IMA_LOG);
        if (ima != NULL && !ima->binary)
                return err_set(err, ERR_PEER, 0, "it asks for '%s' as text, which was not offered",
                               wire_evidence_name(WIRE_IMA_LOG));
        struct privsep_collect m = {
                .verifier_id = view_str(verifier_id),
                .challenge = VIEW(quote->challenge, quote->challenge_len),
                .bank = bank.alg,
                .mask = bank.pcrs,
                .uefi = wire_asks_find(asks, WIRE_UEFI_LOG) != NULL,
        };
        for (size_t k = 0; k < TEE_N_KINDS; k++)
                if (wire_asks_find(asks, wire_tee_type((enum tee_kind)k)) != NULL)
                        m.tee = PRIVSEP_TEE(k);
        if (ima != NULL) {
                m.ima_offset = ima->starting_offset;
                m.ima_at = ima->starting_byte;
                m.ima_max = UINT32_MAX;
                if (ima->has_count && ima->entry_count < m.ima_max)
                        m.ima_max = (uint32_t)ima->entry_count;
        }
        r = log_range(log, &m.log_offset, &m.log_max, err);
        if (r == 0)
                r = log_range(wire_asks_find(asks, WIRE_LAUNCH_LOG), &m.launch_offset, &m.launch_max, err);
        if (r < 0)
                return r;
        *ret = m;
        return 0;
}

static void put_counter(const struct privsep_counter *from, struct wire_counter *ret)
{
        ret->index = from->index;
        buf_put_view(&ret->message, from->signed_value.message);
        buf_put_view(&ret->signature, from->signed_value.signature);
}

static int put_quote(const struct privsep_evidence *from, struct wire_evidence_item *item, struct err *err)
{
        struct pcr_values values = {.mask = from->mask};
        if (!digest_by_tpm_alg(from->bank, &values.bank))
                return err_set(err, ERR_BUG, 0, "TPM half quoted an unknown bank");
        memcpy(values.v, from->pcrs, sizeof(values.v));
        pcr_blob_write(&values, &item->pcrs);
        buf_put_view(&item->message, from->quote.message);
        buf_put_view(&item->signature, from->quote.signature);
        buf_put_view(&item->time_message, from->time.message);
        buf_put_view(&item->time_signature, from->time.signature);
        if (from->counter_key.len) {
                buf_put_view(&item->counter_key, from->counter_key);
                put_counter(&from->epoch, &item->epoch);
                put_counter(&from->floor, &item->floor);
        }
        if (!buf_ok(&item->pcrs) || !buf_ok(&item->message) || !buf_ok(&item->signature) ||
            !buf_ok(&item->time_message) || !buf_ok(&item->time_signature) || !buf_ok(&item->counter_key) ||
            !buf_ok(&item->epoch.message) || !buf_ok(&item->epoch.signature) ||
            !buf_ok(&item->floor.message) || !buf_ok(&item->floor.signature))
                return err_nomem(err);
        return 0;
}

/* What the TPM half showed, if it is of the kind that was asked for. */
static int put_tee(const struct privsep_evidence *from, struct wire_evidence_item *item, struct err *err)
{
        if (wire_tee_type(from->tee.kind) == item->type) {
                buf_put_view(&item->entries, from->tee.evidence);
                buf_put_view(&item->table, from->tee.table);
                buf_put_view(&item->manifest, from->tee.manifest);
        }
        return buf_ok(&item->entries) && buf_ok(&item->table) && buf_ok(&item->manifest) ? 0 : err_nomem(err);
}

/* Return: 0; 1 if the log does not begin where it was asked for; -ERR_NOMEM. */
static int put_log(const struct wire_ask *ask, const struct privsep_evidence *from,
                   struct wire_evidence_item *item, struct err *err)
{
        uint64_t first = 0;
        item->has_count = ask->type != WIRE_UEFI_LOG;
        if (ask->type == WIRE_UEFI_LOG) {
                buf_put_view(&item->entries, from->uefi);
        } else if (ask->type == WIRE_IMA_LOG) {
                first = from->ima_offset;
                item->entry_count = from->ima_count;
                item->binary = item->has_total = true;
                item->entry_total = from->ima_total;
                buf_put_view(&item->entries, from->ima);
        } else if (ask->type == WIRE_LAUNCH_LOG) {
                first = from->launch_offset;
                item->entry_count = from->launch_count;
                buf_put_view(&item->entries, from->launch);
        } else {
                first = from->log_offset;
                item->entry_count = from->log_count;
                buf_put_view(&item->entries, from->log);
        }
        if (!buf_ok(&item->entries))
                return err_nomem(err);
        return first != ask->starting_offset;
}

int net_evidence(const struct wire_asks *asks, const struct privsep_evidence *from, struct wire_evidence *ret,
                 struct err *err)
{
        struct wire_evidence m = {.n = 0};
        int r = 0;
        for (size_t i = 0; r == 0 && i < asks->n; i++) {
                struct wire_evidence_item *item = &m.item[m.n++];
                item->type = asks->item[i].type;
                if (item->type == WIRE_TPM_QUOTE) {
                        r = put_quote(from, item, err);
                } else if (wire_is_tee(item->type)) {
                        r = put_tee(from, item, err);
                } else {
                        r = put_log(&asks->item[i], from, item, err);
                }
        }
        if (r == 0)
                *ret = m;
        else
                wire_evidence_done(&m);
        return r;
}
