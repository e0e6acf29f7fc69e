/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking Intel's quotes apart. The bytes come from whoever wants to be trusted; every length in them is his.
 * Three lengths lie inside one another from version 4 on (signature data, certification data of type 6, the
 * chain in it), and each must be used up exactly by what it holds; only behind the outermost may bytes
 * follow, because real quotes come in buffers that are too large.
 *
 * Spec: see dcap_quote.h.
 */
#include "evidence/dcap_quote.h"

#define HEADER_BYTES    48
#define SGX_BYTES       384
#define TD10_BYTES      584
#define TD15_BYTES      648
#define SIGNATURE_BYTES 64

const uint8_t dcap_intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static const char malformed[] = "evidence-malformed";

static int cut_short(struct err *err, const struct cursor *c, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "%s: runs past the end at byte %zu", what, c->at);
}

int sgx_report_parse(struct view bytes, struct sgx_report *ret, struct err *err)
{
        struct cursor c = cursor_of(bytes), attributes;
        struct sgx_report r = {0};

        if (bytes.len != SGX_BYTES)
                return err_set(err, ERR_FORMAT, 0, "enclave report: %zu bytes, expected %d", bytes.len,
                               SGX_BYTES);
        if (!cursor_take(&c, 16, &r.cpu_svn) || !cursor_le32(&c, &r.misc_select) || !cursor_skip(&c, 12) ||
            !cursor_take(&c, 16, &r.ext_prod_id) || !cursor_take(&c, 16, &r.attributes) ||
            !cursor_take(&c, 32, &r.mr_enclave) || !cursor_skip(&c, 32) ||
            !cursor_take(&c, 32, &r.mr_signer) || !cursor_skip(&c, 32) ||
            !cursor_take(&c, 64, &r.config_id) || !cursor_le16(&c, &r.prod_id) ||
            !cursor_le16(&c, &r.isv_svn) || !cursor_le16(&c, &r.config_svn) || !cursor_skip(&c, 42) ||
            !cursor_take(&c, 16, &r.family_id) || !cursor_take(&c, 64, &r.report_data) || c.left)
                return cut_short(err, &c, "enclave report");
        attributes = cursor_of(r.attributes);
        if (!cursor_le64(&attributes, &r.flags) || !cursor_le64(&attributes, &r.xfrm))
                return cut_short(err, &c, "enclave attributes");
        *ret = r;
        return 0;
}

int td_report_parse(struct view bytes, struct td_report *ret, struct err *err)
{
        struct cursor c = cursor_of(bytes);
        struct td_report r = {0};
        bool ok;

        if (bytes.len != TD10_BYTES && bytes.len != TD15_BYTES)
                return err_set(err, ERR_FORMAT, 0, "TD report: %zu bytes, expected %d or %d", bytes.len,
                               TD10_BYTES, TD15_BYTES);
        ok = cursor_take(&c, 16, &r.tee_tcb_svn) && cursor_take(&c, 48, &r.mr_seam) &&
             cursor_take(&c, 48, &r.mr_signer_seam) && cursor_le64(&c, &r.seam_attributes) &&
             cursor_le64(&c, &r.attributes) && cursor_le64(&c, &r.xfam) && cursor_take(&c, 48, &r.mr_td) &&
             cursor_take(&c, 48, &r.mr_config_id) && cursor_take(&c, 48, &r.mr_owner) &&
             cursor_take(&c, 48, &r.mr_owner_config);
        for (size_t i = 0; ok && i < TD_RTMRS; i++)
                ok = cursor_take(&c, 48, &r.rtmr[i]);
        ok = ok && cursor_take(&c, 64, &r.report_data);
        if (ok && bytes.len == TD15_BYTES)
                ok = cursor_take(&c, 16, &r.tee_tcb_svn2) && cursor_take(&c, 48, &r.mr_service_td);
        if (!ok || c.left)
                return cut_short(err, &c, "TD report");
        *ret = r;
        return 0;
}

/* Which body stands behind the header, and how long it is: by version and TEE type, in v5 also as it says. */
static int body_kind(struct cursor *c, struct dcap_quote *q, uint32_t *ret_size, const char **ret_reason,
                     struct err *err)
{
        uint16_t type = q->tee == DCAP_TDX ? DCAP_BODY_TD10 : DCAP_BODY_SGX;
        uint32_t said, size;

        said = q->tee == DCAP_TDX ? TD10_BYTES : SGX_BYTES;
        if (q->version == 5 && (!cursor_le16(c, &type) || !cursor_le32(c, &said)))
                return cut_short(err, c, "quote body's type and size");
        *ret_reason = "quote-tee-mismatch";
        switch (type) {
        case DCAP_BODY_SGX:
                size = SGX_BYTES;
                break;
        case DCAP_BODY_TD10:
                size = TD10_BYTES;
                break;
        case DCAP_BODY_TD15:
                size = TD15_BYTES;
                break;
        default:
                return err_set(err, ERR_FORMAT, 0, "quote body: type %u is not known", type);
        }
        if (said != size || (type == DCAP_BODY_SGX) != (q->tee == DCAP_SGX) ||
            (q->version == 3 && q->tee != DCAP_SGX))
                return err_set(err, ERR_FORMAT, 0,
                               "quote body: version %u, TEE type 0x%x, body type %u and size %u do not fit",
                               q->version, (unsigned)q->tee, type, said);
        q->body = (enum dcap_body)type;
        *ret_size = size;
        *ret_reason = malformed;
        return 0;
}

static int header(struct cursor *c, struct dcap_quote *q, const char **ret_reason, struct err *err)
{
        uint16_t key_type;
        uint32_t tee;

        if (!cursor_le16(c, &q->version))
                return cut_short(err, c, "quote header");
        if (q->version < 3 || q->version > 5) {
                *ret_reason = "quote-version-unsupported";
                return err_set(err, ERR_FORMAT, 0, "quote version %u is not known (3, 4 and 5 are)",
                               q->version);
        }
        if (!cursor_le16(c, &key_type) || !cursor_le32(c, &tee) || !cursor_skip(c, 4) ||
            !cursor_take(c, 16, &q->qe_vendor) || !cursor_take(c, 20, &q->user_data))
                return cut_short(err, c, "quote header");
        if (key_type != DCAP_KEY_P256) {
                *ret_reason = "quote-key-type-unsupported";
                return err_set(err, ERR_FORMAT, 0, "attestation key type %u is not known (%d is)", key_type,
                               DCAP_KEY_P256);
        }
        if (tee != DCAP_SGX && tee != DCAP_TDX) {
                *ret_reason = "quote-tee-mismatch";
                return err_set(err, ERR_FORMAT, 0, "TEE type 0x%x is not known", tee);
        }
        q->tee = (enum dcap_tee)tee;
        return 0;
}

/* QE report, its signature, authentication data, certification data; nothing behind. */
static int qe_part(struct cursor *c, struct dcap_quote *q, struct err *err)
{
        uint16_t auth_len;
        uint32_t cert_len;

        if (!cursor_take(c, SGX_BYTES, &q->qe_bytes) || !cursor_take(c, SIGNATURE_BYTES, &q->qe_signature))
                return cut_short(err, c, "QE report and signature");
        if (!cursor_le16(c, &auth_len) || !cursor_take(c, auth_len, &q->auth_data))
                return cut_short(err, c, "QE authentication data");
        if (!cursor_le16(c, &q->cert_type) || !cursor_le32(c, &cert_len) ||
            !cursor_take(c, cert_len, &q->cert_data))
                return cut_short(err, c, "certification data");
        if (c->left)
                return err_set(err, ERR_FORMAT, 0, "certification data: %zu bytes follow it", c->left);
        return sgx_report_parse(q->qe_bytes, &q->qe, err);
}

static int signature_data(struct view data, struct dcap_quote *q, struct err *err)
{
        struct cursor c = cursor_of(data), inner;
        struct view part;
        uint16_t type;
        uint32_t len;

        if (!cursor_take(&c, SIGNATURE_BYTES, &q->signature) || !cursor_take(&c, 64, &q->key))
                return cut_short(err, &c, "quote signature and key");
        if (q->version == 3)
                return qe_part(&c, q, err);
        if (!cursor_le16(&c, &type) || !cursor_le32(&c, &len))
                return cut_short(err, &c, "certification data's type and size");
        if (type != DCAP_CERT_QE)
                return err_set(err, ERR_FORMAT, 0, "outer certification data: type %u, expected %d", type,
                               DCAP_CERT_QE);
        if (!cursor_take(&c, len, &part))
                return cut_short(err, &c, "outer certification data");
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "outer certification data: %zu bytes follow it", c.left);
        inner = cursor_of(part);
        return qe_part(&inner, q, err);
}

int dcap_quote_parse(struct view bytes, struct dcap_quote *ret, const char **ret_reason, struct err *err)
{
        struct cursor c = cursor_of(bytes);
        struct dcap_quote q = {0};
        struct view body, data;
        uint32_t size = 0, data_len;
        int r;

        *ret_reason = malformed;
        if (bytes.len > DCAP_QUOTE_BYTES_MAX)
                return err_set(err, ERR_FORMAT, 0, "quote: %zu bytes, at most %d are read", bytes.len,
                               DCAP_QUOTE_BYTES_MAX);
        r = header(&c, &q, ret_reason, err);
        if (r >= 0)
                r = body_kind(&c, &q, &size, ret_reason, err);
        if (r < 0)
                return err_wrap(err, "quote");
        if (!cursor_take(&c, size, &body))
                return cut_short(err, &c, "quote: body");
        q.is_signed = VIEW(bytes.p, c.at);
        if (!cursor_le32(&c, &data_len) || !cursor_take(&c, data_len, &data))
                return cut_short(err, &c, "quote: signature data");
        r = q.tee == DCAP_TDX ? td_report_parse(body, &q.td, err) : sgx_report_parse(body, &q.sgx, err);
        if (r >= 0)
                r = signature_data(data, &q, err);
        if (r < 0)
                return err_wrap(err, "quote");
        q.report_data = q.tee == DCAP_TDX ? q.td.report_data : q.sgx.report_data;
        q.trailing = cursor_rest(&c);
        *ret = q;
        return 0;
}
