/* SPDX-License-Identifier: Apache-2.0 */
#include "support/soft_quote.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/hex.h"
#include "base/mem.h"
#include "support/make_crl.h"
#include "support/support.h"

#define ZEROS48                                                                                              \
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

static void issue(struct soft_pair *ret, enum cert_kind kind, const char *cn, const struct soft_pair *by)
{
        const struct cert_spec spec = {
                .kind = kind, .cn = cn, .not_before_ms = SOFT_FROM_MS, .not_after_ms = SOFT_TO_MS};
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &ret->key, &err), &err);
        assert_ok(key_public(ret->key, &pub, &err), &err);
        assert_ok(cert_issue(&spec, pub, by ? by->cert : NULL, by ? by->key : ret->key, &ret->cert, &err),
                  &err);
}

static void done(struct soft_pair *p)
{
        key_free(p->key);
        cert_free(p->cert);
}

/* ---- the SGX extension ---- */

static void der(struct buf *b, uint8_t tag, struct view v)
{
        buf_u8(b, tag);
        if (v.len >= 128) {
                buf_u8(b, 0x82);
                buf_be16(b, (uint16_t)v.len);
        } else {
                buf_u8(b, (uint8_t)v.len);
        }
        buf_put_view(b, v);
}

static void der_pair(struct buf *b, const uint8_t *suffix, size_t n, uint8_t tag, struct view v)
{
        uint8_t oid[16] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
        struct buf in = {0};

        memcpy(oid + 9, suffix, n);
        der(&in, 0x06, VIEW(oid, 9 + n));
        der(&in, tag, v);
        der(b, 0x30, VIEW_BUF(&in));
        buf_free(&in);
}

static void der_number(struct buf *b, uint8_t part, unsigned x)
{
        const uint8_t bytes[3] = {0, (uint8_t)(x >> 8), (uint8_t)x};
        size_t from = x > 0x7fff ? 0 : x > 0x7f ? 1 : 2;

        der_pair(b, (const uint8_t[]){2, part}, 2, 0x02, VIEW(bytes + from, sizeof(bytes) - from));
}

static void sgx_extension(const struct soft_spec *spec, struct buf *ret)
{
        static const uint8_t ppid[16] = {1};
        struct buf tcb = {0}, all = {0};

        for (size_t i = 0; i < PCK_COMPONENTS; i++)
                der_number(&tcb, (uint8_t)(i + 1), spec->pck.components[i]);
        der_number(&tcb, 17, spec->pck.pcesvn);
        der_pair(&tcb, (const uint8_t[]){2, 18}, 2, 0x04, VIEW_ARRAY(spec->pck.cpu_svn));
        der_pair(&all, (const uint8_t[]){1}, 1, 0x04, VIEW_ARRAY(ppid));
        if (!spec->without_tcb)
                der_pair(&all, (const uint8_t[]){2}, 1, 0x30, VIEW_BUF(&tcb));
        der_pair(&all, (const uint8_t[]){3}, 1, 0x04, VIEW_ARRAY(spec->pck.pceid));
        der_pair(&all, (const uint8_t[]){4}, 1, 0x04, VIEW_ARRAY(spec->pck.fmspc));
        der(ret, 0x30, VIEW_BUF(&all));
        assert_true(buf_ok(ret) && buf_ok(&all) && buf_ok(&tcb));
        buf_free(&tcb);
        buf_free(&all);
}

/* The certificate once more, with the extension in it. */
static void add_extension(struct soft_pair *pck, const struct soft_pair *ca, const struct soft_spec *spec)
{
        X509 *x509 = X509_dup(cert_x509(pck->cert));
        ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
        ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
        struct buf bytes = {0};
        struct err err = ERR_INIT;
        X509_EXTENSION *ext;

        sgx_extension(spec, &bytes);
        assert_true(x509 && data && oid);
        assert_int_equal(ASN1_OCTET_STRING_set(data, bytes.p, (int)bytes.len), 1);
        ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, data);
        assert_non_null(ext);
        assert_int_equal(X509_add_ext(x509, ext, -1), 1);
        assert_true(X509_sign(x509, key_evp(ca->key), EVP_sha256()) > 0);
        cert_free(pck->cert);
        pck->cert = NULL;
        assert_ok(cert_from_x509(x509, &pck->cert, &err), &err);
        X509_EXTENSION_free(ext);
        ASN1_OCTET_STRING_free(data);
        ASN1_OBJECT_free(oid);
        X509_free(x509);
        buf_free(&bytes);
}

/* ---- the quote ---- */

static void put_pem(struct buf *ret, const struct cert *cert)
{
        AUTO(mem_free_p)
        char *pem = NULL;
        struct err err = ERR_INIT;

        assert_ok(cert_pem(cert, &pem, &err), &err);
        buf_str(ret, pem);
}

static void sign(const struct key *key, struct view message, struct buf *ret)
{
        struct err err = ERR_INIT;

        assert_ok(key_sign(key, DIGEST_SHA256, message, ret, &err), &err);
}

static size_t body_bytes(enum dcap_body body)
{
        return body == DCAP_BODY_SGX ? 384 : body == DCAP_BODY_TD10 ? 584 : 648;
}

static void put_head(const struct soft_spec *spec, struct buf *b)
{
        static const uint8_t user[20] = {7};

        buf_le16(b, spec->version);
        buf_le16(b, DCAP_KEY_P256);
        buf_le32(b, spec->body == DCAP_BODY_SGX ? DCAP_SGX : DCAP_TDX);
        buf_le32(b, 0);
        buf_put(b, dcap_intel_vendor, 16);
        buf_put(b, user, sizeof(user));
        if (spec->version == 5) {
                buf_le16(b, (uint16_t)spec->body);
                buf_le32(b, (uint32_t)body_bytes(spec->body));
        }
        buf_put(b, spec->report, body_bytes(spec->body));
}

/* QE report, signature, authentication data, chain. */
static void put_qe(const struct soft_quote *q, const struct soft_spec *spec, struct view key, struct buf *b)
{
        static const uint8_t auth[32] = {1, 2, 3};
        const struct view parts[] = {key, VIEW_ARRAY(auth)};
        uint8_t qe[384];
        struct digest d;
        struct err err = ERR_INIT;

        memcpy(qe, spec->qe, sizeof(qe));
        assert_ok(digest_parts(DIGEST_SHA256, parts, 2, &d, &err), &err);
        memcpy(qe + 320, d.b, 32);
        buf_put(b, qe, sizeof(qe));
        sign(q->pck.key, VIEW_ARRAY(qe), b);
        buf_le16(b, sizeof(auth));
        buf_put(b, auth, sizeof(auth));
        buf_le16(b, spec->cert_type);
        buf_le32(b, (uint32_t)q->chain.len);
        buf_put_view(b, VIEW_BUF(&q->chain));
}

static void make_quote(struct soft_quote *q, const struct soft_spec *spec)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        struct buf key = {0}, y = {0}, data = {0}, part = {0};
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &q->attestation, &err), &err);
        assert_ok(key_public(q->attestation, &pub, &err), &err);
        assert_ok(pubkey_ec_point(pub, &key, &y, &err), &err);
        buf_put_view(&key, VIEW_BUF(&y));
        put_head(spec, &q->quote);
        sign(q->attestation, VIEW_BUF(&q->quote), &data);
        buf_put_view(&data, VIEW_BUF(&key));
        put_qe(q, spec, VIEW_BUF(&key), &part);
        if (spec->version > 3) {
                buf_le16(&data, DCAP_CERT_QE);
                buf_le32(&data, (uint32_t)part.len);
        }
        buf_put_view(&data, VIEW_BUF(&part));
        buf_le32(&q->quote, (uint32_t)data.len);
        buf_put_view(&q->quote, VIEW_BUF(&data));
        assert_true(buf_ok(&q->quote));
        buf_free(&key);
        buf_free(&y);
        buf_free(&data);
        buf_free(&part);
}

/* ---- collateral ---- */

static void put_signed(const struct soft_quote *q, const char *member, struct view body, struct buf *ret)
{
        struct buf sig = {0};

        sign(q->signer.key, body, &sig);
        buf_fmt(ret, "{\"%s\":", member);
        buf_put_view(ret, body);
        buf_str(ret, ",\"signature\":\"");
        buf_hex(ret, VIEW_BUF(&sig));
        buf_str(ret, "\"}");
        assert_true(buf_ok(ret));
        buf_free(&sig);
}

static void make_collateral(struct soft_quote *q, const struct soft_spec *spec)
{
        struct buf b = {0};

        buf_fmt(&b,
                "{%s,\"issueDate\":\"2026-02-01T00:00:00Z\",\"nextUpdate\":\"%s\",\"fmspc\":\"%s\",\"pceId\":"
                "\"%s\","
                "\"tcbType\":0,\"tcbEvaluationDataNumber\":17%s,\"tcbLevels\":%s}",
                spec->info, spec->next_update, spec->fmspc, spec->pceid, spec->modules, spec->levels);
        put_signed(q, "tcbInfo", VIEW_BUF(&b), &q->info);
        buf_reset(&b);
        buf_fmt(&b,
                "{\"id\":\"%s\",\"version\":2,\"issueDate\":\"2026-02-01T00:00:00Z\",\"nextUpdate\":\"%s\","
                "\"tcbEvaluationDataNumber\":17,\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
                "\"attributes\":\"11000000000000000000000000000000\","
                "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\",\"isvprodid\":1,"
                "\"tcbLevels\":%s}",
                spec->qe_id, spec->next_update, spec->qe_signer, spec->qe_levels);
        put_signed(q, "enclaveIdentity", VIEW_BUF(&b), &q->qe_identity);
        buf_free(&b);
}

static void make_lists(struct soft_quote *q, const struct soft_spec *spec)
{
        const struct cert *pck[] = {q->pck.cert}, *by_root[2];
        size_t n = 0;

        if (spec->revoke_ca)
                by_root[n++] = q->ca.cert;
        if (spec->revoke_signer)
                by_root[n++] = q->signer.cert;
        make_crl(&(struct make_crl){.issuer = q->root.cert,
                                    .key = q->root.key,
                                    .this_update_ms = SOFT_FROM_MS,
                                    .next_update_ms = spec->crl_until_ms,
                                    .revoked = by_root,
                                    .n_revoked = n},
                 &q->root_crl);
        make_crl(&(struct make_crl){.issuer = q->ca.cert,
                                    .key = q->ca.key,
                                    .this_update_ms = SOFT_FROM_MS,
                                    .next_update_ms = spec->crl_until_ms,
                                    .revoked = pck,
                                    .n_revoked = spec->revoke_pck},
                 &q->pck_crl);
}

#define LEVEL_SGX                                                                                            \
        "\"sgxtcbcomponents\":[{\"svn\":2},{\"svn\":2},{\"svn\":2},{\"svn\":2},{\"svn\":3},{\"svn\":1},"     \
        "{\"svn\":0},{\"svn\":5},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"   \
        "{\"svn\":0},{\"svn\":0}],\"pcesvn\":11"
#define LEVEL_TDX                                                                                            \
        ",\"tdxtcbcomponents\":[{\"svn\":5},{\"svn\":0},{\"svn\":2},{\"svn\":0},{\"svn\":0},{\"svn\":0},"    \
        "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"   \
        "{\"svn\":0},{\"svn\":0}]"

char *soft_levels(const char *status, bool tdx)
{
        char *text = str_fmt("[{\"tcb\":{" LEVEL_SGX "%s},\"tcbDate\":\"2026-01-01T00:00:00Z\","
                             "\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00001\"]}]",
                             tdx ? LEVEL_TDX : "", status);

        assert_non_null(text);
        return text;
}

static const char sgx_levels[] =
        "[{\"tcb\":{" LEVEL_SGX "},\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}]";
static const char tdx_levels[] = "[{\"tcb\":{" LEVEL_SGX LEVEL_TDX
                                 "},\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}]";
static const char tdx_modules[] =
        ",\"tdxModule\":{\"mrsigner\":\"" ZEROS48 "\",\"attributes\":\"0000000000000000\","
        "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\","
        "\"mrsigner\":\"" ZEROS48 "\",\"attributes\":\"0000000000000000\","
        "\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":4},"
        "\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":2},"
        "\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"}]}]";

void soft_spec_init(struct soft_spec *spec, uint16_t version, enum dcap_body body)
{
        static const uint8_t components[PCK_COMPONENTS] = {3, 3, 2, 2, 4, 1, 0, 5};
        bool tdx = body != DCAP_BODY_SGX;

        *spec = (struct soft_spec){
                .version = version,
                .body = body,
                .cert_type = DCAP_CERT_CHAIN,
                .ca_cn = "Intel SGX PCK Platform CA",
                .pck = {.fmspc = {0xb0, 0xc0, 0x6f}, .pcesvn = 300},
                .info = tdx ? "\"id\":\"TDX\",\"version\":3" : "\"id\":\"SGX\",\"version\":3",
                .modules = tdx ? tdx_modules : "",
                .levels = tdx ? tdx_levels : sgx_levels,
                .fmspc = "B0C06F000000",
                .pceid = "0000",
                .next_update = "2026-12-01T00:00:00Z",
                .qe_id = tdx ? "TD_QE" : "QE",
                .qe_levels = "[{\"tcb\":{\"isvsvn\":6},\"tcbDate\":\"2026-01-01T00:00:00Z\","
                             "\"tcbStatus\":\"UpToDate\"}]",
                .qe_signer = "0900000000000000000000000000000000000000000000000000000000000000",
                .crl_until_ms = SOFT_TO_MS,
        };
        memcpy(spec->pck.components, components, sizeof(components));
        if (tdx) {
                memcpy(spec->report, (const uint8_t[]){6, 1, 3}, 3); /* TEE_TCB_SVN */
                spec->report[123] = 0x10;                            /* SEPT_VE_DISABLE */
                memset(spec->report + 520, 0x5a, 64);
                if (body == DCAP_BODY_TD15)
                        memcpy(spec->report + 584, (const uint8_t[]){6, 1, 3}, 3);
        } else {
                spec->report[48] = 0x05; /* INIT, 64 bits */
                memset(spec->report + 320, 0x5a, 64);
        }
        spec->qe[48] = 0x15; /* INIT, 64 bits, provision key: the second is masked out */
        spec->qe[128] = 9;   /* MRSIGNER */
        spec->qe[256] = 1;   /* ISVPRODID */
        spec->qe[258] = 6;   /* ISVSVN */
}

void soft_quote_make(struct soft_quote *q, const struct soft_spec *spec)
{
        struct err err = ERR_INIT;

        *q = (struct soft_quote){0};
        issue(&q->root, CERT_KIND_CA, "Intel SGX Root CA", NULL);
        issue(&q->ca, CERT_KIND_CA, spec->ca_cn, &q->root);
        issue(&q->pck, CERT_KIND_SELF, "Intel SGX PCK Certificate", &q->ca);
        add_extension(&q->pck, &q->ca, spec);
        issue(&q->signer, CERT_KIND_SELF, "Intel SGX TCB Signing", &q->root);
        assert_ok(pubkey_spki_sha256(cert_pubkey(q->root.cert), &q->root_key, &err), &err);
        put_pem(&q->chain, q->pck.cert);
        put_pem(&q->chain, q->ca.cert);
        put_pem(&q->chain, q->root.cert);
        put_pem(&q->info_chain, q->signer.cert);
        put_pem(&q->info_chain, q->root.cert);
        make_quote(q, spec);
        make_collateral(q, spec);
        make_lists(q, spec);
        q->collateral = (struct dcap_collateral){.tcb_info = VIEW_BUF(&q->info),
                                                 .tcb_info_chain = VIEW_BUF(&q->info_chain),
                                                 .qe_identity = VIEW_BUF(&q->qe_identity),
                                                 .qe_identity_chain = VIEW_BUF(&q->info_chain),
                                                 .pck_crl = VIEW_BUF(&q->pck_crl),
                                                 .root_crl = VIEW_BUF(&q->root_crl)};
}

void soft_quote_again(struct soft_quote *q, const struct soft_spec *spec)
{
        key_free(q->attestation);
        q->attestation = NULL;
        buf_reset(&q->quote);
        make_quote(q, spec);
}

void soft_quote_done(struct soft_quote *q)
{
        struct buf *all[] = {&q->quote,       &q->chain,   &q->info,    &q->info_chain,
                             &q->qe_identity, &q->pck_crl, &q->root_crl};

        done(&q->root);
        done(&q->ca);
        done(&q->pck);
        done(&q->signer);
        key_free(q->attestation);
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
                buf_free(all[i]);
}
