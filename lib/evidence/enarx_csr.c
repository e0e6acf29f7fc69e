/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request, field by field: an empty subject is usual and no other is refused, as nothing is taken from
 * it. Lists of all lines and CAs may lie in one request; which of them is meant is found by their issuers.
 *
 *   SGX  { OCTET STRING quote, lists, { { certificate … }, OCTET STRING TCB info } }
 *   SNP  { { certificate, lists }, OCTET STRING report }
 *   lists: { SEQUENCE OF { UTF8String url, CertificateList } }
 */
#include "evidence/enarx_csr.h"

#include "base/mem.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/snp.h"

enum {
        TAG_INTEGER = 0x02,
        TAG_BITS = 0x03,
        TAG_OCTETS = 0x04,
        TAG_OID = 0x06,
        TAG_UTF8 = 0x0c,
        TAG_SEQUENCE = 0x30,
        TAG_SET = 0x31,
        TAG_ATTRIBUTES = 0xa0,
};

static const uint8_t oid_extensions[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
static const uint8_t oid_enarx[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc7, 0x1e, 0x01}; /* and the kind */
static const uint8_t oid_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t oid_sha384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};

/* One value with TAG: its content, and with its head in *WHOLE if that is not NULL. */
static int take(struct cursor *c, uint8_t tag, const char *what, struct view *ret, struct view *whole,
                struct err *err)
{
        const uint8_t *start = c->p;
        size_t at = c->at;
        uint8_t found;

        if (!der_take(c, &found, ret) || found != tag)
                return err_set(err, ERR_FORMAT, 0, "%s: not what it should be at byte %zu", what, at);
        if (whole)
                *whole = VIEW(start, c->at - at);
        return 0;
}

static int into(struct cursor *c, uint8_t tag, const char *what, struct cursor *ret, struct err *err)
{
        struct view v;
        int r = take(c, tag, what, &v, NULL, err);

        *ret = r < 0 ? cursor_of(VIEW_NONE) : cursor_of(v);
        return r;
}

static int ends(const struct cursor *c, const char *what, struct err *err)
{
        return c->left ? err_set(err, ERR_FORMAT, 0, "%s: %zu bytes follow it", what, c->left) : 0;
}

static int add_piece(struct enarx_csr *csr, struct view piece, struct err *err)
{
        if (csr->n_pieces == ENARX_PIECES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d certificates and lists", ENARX_PIECES_MAX);
        csr->pieces[csr->n_pieces++] = piece;
        return 0;
}

static int certificate(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct view content, whole = VIEW_NONE;
        int r = take(c, TAG_SEQUENCE, "certificate", &content, &whole, err);

        return r < 0 ? r : add_piece(csr, whole, err);
}

static int list(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct view url, content, whole = VIEW_NONE;
        struct cursor one;
        int r = into(c, TAG_SEQUENCE, "revocation list", &one, err);

        if (r >= 0)
                r = take(&one, TAG_UTF8, "revocation list's address", &url, NULL, err);
        if (r >= 0)
                r = take(&one, TAG_SEQUENCE, "revocation list", &content, &whole, err);
        if (r >= 0)
                r = ends(&one, "revocation list", err);
        return r < 0 ? r : add_piece(csr, whole, err);
}

/* Real requests have one SEQUENCE more around the lists than Enarx's description says. */
static bool wrapped(struct cursor c)
{
        struct view first, inner;
        struct cursor in;
        uint8_t tag;

        if (!der_take(&c, &tag, &first) || tag != TAG_SEQUENCE)
                return false;
        in = cursor_of(first);
        return first.len == 0 || (der_take(&in, &tag, &inner) && tag == TAG_SEQUENCE);
}

static int lists(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor all, outer;
        int r = into(c, TAG_SEQUENCE, "revocation lists", &all, err);

        if (r >= 0 && wrapped(all)) {
                outer = all;
                r = into(&outer, TAG_SEQUENCE, "revocation lists", &all, err);
                if (r >= 0)
                        r = ends(&outer, "revocation lists", err);
        }
        while (r >= 0 && all.left)
                r = list(&all, csr, err);
        return r;
}

static int sgx_evidence(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor collateral, certs;
        struct view info = VIEW_NONE;
        int r = take(c, TAG_OCTETS, "quote", &csr->evidence, NULL, err);

        if (r >= 0)
                r = lists(c, csr, err);
        if (r >= 0)
                r = into(c, TAG_SEQUENCE, "collateral", &collateral, err);
        if (r >= 0)
                r = into(&collateral, TAG_SEQUENCE, "collateral's certificates", &certs, err);
        while (r >= 0 && certs.left)
                r = certificate(&certs, csr, err);
        if (r >= 0)
                r = take(&collateral, TAG_OCTETS, "TCB info", &info, NULL, err);
        if (r >= 0)
                r = add_piece(csr, info, err);
        if (r >= 0)
                r = ends(&collateral, "collateral", err);
        return r;
}

static int snp_evidence(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor both;
        int r = into(c, TAG_SEQUENCE, "certificate and lists", &both, err);

        if (r >= 0)
                r = certificate(&both, csr, err);
        if (r >= 0)
                r = lists(&both, csr, err);
        if (r >= 0)
                r = ends(&both, "certificate and lists", err);
        return r < 0 ? r : take(c, TAG_OCTETS, "report", &csr->evidence, NULL, err);
}

static int kind_of(struct view oid, enum enarx_kind *ret, struct err *err)
{
        uint8_t kind = oid.len == sizeof(oid_enarx) + 1 ? oid.p[sizeof(oid_enarx)] : 0;

        if (!kind || !view_equal(VIEW(oid.p, sizeof(oid_enarx)), VIEW_ARRAY(oid_enarx)) || kind > ENARX_SNP)
                return err_set(err, ERR_FORMAT, 0, "extension: it is none of Enarx's");
        *ret = (enum enarx_kind)kind;
        return 0;
}

static int extension(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor one, value, inner;
        struct view oid = VIEW_NONE, octets = VIEW_NONE;
        int r = into(c, TAG_SEQUENCE, "extension", &one, err);

        if (r >= 0)
                r = take(&one, TAG_OID, "extension's identifier", &oid, NULL, err);
        if (r >= 0)
                r = kind_of(oid, &csr->kind, err);
        if (r >= 0)
                r = take(&one, TAG_OCTETS, "extension's value", &octets, NULL, err);
        if (r >= 0)
                r = ends(&one, "extension", err);
        if (r < 0 || csr->kind == ENARX_KVM)
                return r;
        value = cursor_of(octets);
        r = into(&value, TAG_SEQUENCE, "evidence", &inner, err);
        if (r >= 0)
                r = ends(&value, "evidence", err);
        if (r >= 0)
                r = csr->kind == ENARX_SGX ? sgx_evidence(&inner, csr, err) : snp_evidence(&inner, csr, err);
        return r < 0 ? r : ends(&inner, "evidence", err);
}

/* [0] { { extensionRequest, SET { { extension } } } } */
static int attributes(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor all, one, set, list;
        struct view oid = VIEW_NONE;
        int r = into(c, TAG_ATTRIBUTES, "attributes", &all, err);

        if (r >= 0)
                r = into(&all, TAG_SEQUENCE, "attribute", &one, err);
        if (r >= 0)
                r = ends(&all, "attribute", err);
        if (r >= 0)
                r = take(&one, TAG_OID, "attribute's type", &oid, NULL, err);
        if (r >= 0 && !view_equal(oid, VIEW_ARRAY(oid_extensions)))
                r = err_set(err, ERR_FORMAT, 0, "attribute: it asks for no extensions");
        if (r >= 0)
                r = into(&one, TAG_SET, "attribute's values", &set, err);
        if (r >= 0)
                r = ends(&one, "attribute", err);
        if (r >= 0)
                r = into(&set, TAG_SEQUENCE, "extensions", &list, err);
        if (r >= 0)
                r = ends(&set, "attribute's values", err);
        if (r >= 0)
                r = extension(&list, csr, err);
        return r < 0 ? r : ends(&list, "extension", err);
}

static int info(struct cursor c, struct enarx_csr *csr, struct err *err)
{
        struct view version = VIEW_NONE, subject, key;
        int r = take(&c, TAG_INTEGER, "version", &version, NULL, err);

        if (r >= 0 && (version.len != 1 || version.p[0] != 0))
                r = err_set(err, ERR_FORMAT, 0, "version: it is not 1");
        if (r >= 0)
                r = take(&c, TAG_SEQUENCE, "subject", &subject, NULL, err);
        if (r >= 0)
                r = take(&c, TAG_SEQUENCE, "public key", &key, &csr->spki, err);
        if (r >= 0)
                r = attributes(&c, csr, err);
        return r < 0 ? r : ends(&c, "request's information", err);
}

static int algorithm(struct cursor *c, struct enarx_csr *csr, struct err *err)
{
        struct cursor in;
        struct view oid = VIEW_NONE;
        int r = into(c, TAG_SEQUENCE, "signature algorithm", &in, err);

        if (r >= 0)
                r = take(&in, TAG_OID, "signature algorithm", &oid, NULL, err);
        if (r < 0)
                return r;
        csr->sha384 = view_equal(oid, VIEW_ARRAY(oid_sha384));
        if (!csr->sha384 && !view_equal(oid, VIEW_ARRAY(oid_sha256)))
                return err_set(err, ERR_FORMAT, 0,
                               "signature algorithm: neither ECDSA with SHA-256 nor SHA-384");
        return ends(&in, "signature algorithm", err);
}

static int parse(struct view in, struct enarx_csr *csr, struct err *err)
{
        struct cursor c = cursor_of(in), all;
        struct view content = VIEW_NONE, bits = VIEW_NONE;
        int r = into(&c, TAG_SEQUENCE, "request", &all, err);

        if (r >= 0)
                r = ends(&c, "request", err);
        if (r >= 0)
                r = take(&all, TAG_SEQUENCE, "request's information", &content, &csr->is_signed, err);
        if (r >= 0)
                r = info(cursor_of(content), csr, err);
        if (r >= 0)
                r = algorithm(&all, csr, err);
        if (r >= 0)
                r = take(&all, TAG_BITS, "signature", &bits, NULL, err);
        if (r >= 0 && (bits.len < 2 || bits.p[0] != 0))
                r = err_set(err, ERR_FORMAT, 0, "signature: not whole bytes");
        if (r < 0)
                return r;
        csr->signature = VIEW(bits.p + 1, bits.len - 1);
        return ends(&all, "signature", err);
}

int enarx_csr_parse(struct view in, struct enarx_csr *ret, struct err *err)
{
        struct enarx_csr csr = {0};
        int r;

        if (in.len > ENARX_CSR_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "request of %zu bytes (at most %u)", in.len,
                               ENARX_CSR_BYTES_MAX);
        r = parse(in, &csr, err);
        if (r < 0)
                return err_wrap(err, "Enarx request");
        *ret = csr;
        return 0;
}

static enum digest_alg hash_of(bool sha384)
{
        return sha384 ? DIGEST_SHA384 : DIGEST_SHA256;
}

int enarx_csr_signed(const struct enarx_csr *csr, bool *ret_good, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct digest d;
        int r = pubkey_from_spki(csr->spki, &key, err);

        *ret_good = false;
        if (r == -ERR_FORMAT) { /* bytes that are no key have signed nothing */
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                r = digest_bytes(hash_of(csr->sha384), csr->is_signed, &d, err);
        return r < 0 ? r : pubkey_verify_digest(key, SIG_ECDSA, &d, csr->signature, ret_good, err);
}

int enarx_csr_binds(const struct enarx_csr *csr, struct view report_data, bool *ret_good, struct err *err)
{
        struct cursor c = cursor_of(report_data);
        struct digest d;
        struct view said;
        int r = digest_bytes(hash_of(csr->kind == ENARX_SNP), csr->spki, &d, err);

        if (r < 0)
                return r;
        *ret_good = cursor_take(&c, d.len, &said) && equal_ct(said.p, said.len, d.b, d.len) &&
                    snp_is_zero(cursor_rest(&c));
        return 0;
}
