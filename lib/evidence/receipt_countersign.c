/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The countersignature. `typ` keeps it apart from results, which the same key signs. Members that a reader
 * does not know are passed over, as in every JWT of ours: it comes from a verifier that he trusts.
 */
#include "evidence/receipt_countersign.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "crypto/jws.h"

#define BYTES_MAX 16384

const char *receipt_status_name(enum receipt_status status)
{
        static const char *const names[RECEIPT_N_STATUS] = {"provisional", "final", "tainted"};

        return names[status];
}

const char *receipt_link_name(enum receipt_link link)
{
        static const char *const names[RECEIPT_N_LINKS] = {"begins", "continues", "broken"};

        return names[link];
}

void receipt_countersign_done(struct receipt_countersign *c)
{
        free(c->host);
        free(c->verifier);
        free(c->reason);
        free(c->verdict);
        free(c->policy);
        free(c->ek_sha256);
        free(c->ek_class);
        free(c->ek_bound_by);
        *c = (struct receipt_countersign){.host = NULL};
}

/* ---- writing ---- */

static void put_claims(struct json_out *o, const struct receipt_countersign *c)
{
        json_out_object(o, NULL);
        json_out_str(o, "chain", receipt_link_name(c->link));
        json_out_object(o, "ek");
        json_out_str(o, "bound_by", c->ek_bound_by);
        json_out_str(o, "class", c->ek_class);
        json_out_str(o, "sha256", c->ek_sha256);
        json_out_object_end(o);
        json_out_object(o, "evidence");
        json_out_time(o, "at", c->evidence_at_ms);
        json_out_time(o, "challenge_at", c->challenge_at_ms);
        json_out_bool(o, "enforced", c->enforced);
        json_out_int(o, "number", c->evidence);
        json_out_str(o, "verdict", c->verdict);
        json_out_object_end(o);
        json_out_int(o, "iat", c->issued_at_ms / 1000);
        json_out_time(o, "issued_at", c->issued_at_ms);
        json_out_object(o, "policy");
        json_out_str(o, "name", c->policy);
        json_out_hex(o, "sha256", digest_view(&c->policy_sha256));
        json_out_int(o, "version", c->policy_version);
        json_out_object_end(o);
        json_out_str(o, "reason", c->reason);
        json_out_hex(o, "receipt", digest_view(&c->receipt));
        json_out_time(o, "received_at", c->received_at_ms);
        json_out_str(o, "schema", RECEIPT_COUNTERSIGN_SCHEMA);
        json_out_str(o, "status", receipt_status_name(c->status));
        json_out_str(o, "sub", c->host);
        json_out_str(o, "verifier", c->verifier);
        json_out_object_end(o);
}

int receipt_countersign_sign(const struct receipt_countersign *c, const struct key *key, char **ret,
                             struct err *err)
{
        AUTO(buf_free) struct buf claims = {0};
        struct json_out o = json_out_to(&claims, false);

        put_claims(&o, c);
        if (!buf_ok(&claims))
                return err_nomem(err);
        return jws_sign(key, RECEIPT_COUNTERSIGN_TYP, VIEW_BUF(&claims), ret, err);
}

/* ---- reading ---- */

static int get_text(const json_t *j, const char *name, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        if (r < 0)
                return r;
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

static int opt_text(const json_t *j, const char *name, char **ret, struct err *err)
{
        return json_is_string(json_object_get(j, name)) ? get_text(j, name, ret, err) : 0;
}

static int get_digest(const json_t *j, const char *name, struct digest *ret, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        digest_zero(DIGEST_SHA256, ret);
        if (r >= 0 && hex_decode_exact(view_str(s), ret->b, ret->len, err) < 0)
                return err_wrap(err, "member '%s'", name);
        return r;
}

static int get_words(const json_t *doc, struct receipt_countersign *ret, struct err *err)
{
        const char *schema = NULL, *status = NULL, *link = NULL;
        int r = json_get_str(doc, "schema", &schema, err);

        if (r >= 0)
                r = json_get_str(doc, "status", &status, err);
        if (r >= 0)
                r = json_get_str(doc, "chain", &link, err);
        if (r < 0)
                return r;
        if (!str_equal(schema, RECEIPT_COUNTERSIGN_SCHEMA))
                return err_set(err, ERR_FORMAT, 0, "member 'schema': %s", SHOW(schema));
        while (ret->status < RECEIPT_N_STATUS && !str_equal(status, receipt_status_name(ret->status)))
                ret->status++;
        while (ret->link < RECEIPT_N_LINKS && !str_equal(link, receipt_link_name(ret->link)))
                ret->link++;
        if (ret->status == RECEIPT_N_STATUS || ret->link == RECEIPT_N_LINKS)
                return err_set(err, ERR_FORMAT, 0, "member 'status' or 'chain': no such word");
        return 0;
}

static int get_evidence(const json_t *doc, struct receipt_countersign *ret, struct err *err)
{
        const json_t *j = NULL;
        int r = json_get_object(doc, "evidence", &j, err);

        if (r >= 0)
                r = json_get_time(j, "at", &ret->evidence_at_ms, err);
        if (r >= 0)
                r = json_get_time(j, "challenge_at", &ret->challenge_at_ms, err);
        if (r >= 0)
                r = json_get_bool(j, "enforced", &ret->enforced, err);
        if (r >= 0)
                r = json_get_int(j, "number", 0, INT64_MAX, &ret->evidence, err);
        if (r >= 0)
                r = get_text(j, "verdict", &ret->verdict, err);
        if (r >= 0)
                r = json_get_object(doc, "policy", &j, err);
        if (r >= 0)
                r = opt_text(j, "name", &ret->policy, err);
        if (r >= 0)
                r = get_digest(j, "sha256", &ret->policy_sha256, err);
        return r < 0 ? r : json_get_int(j, "version", 0, INT64_MAX, &ret->policy_version, err);
}

static int get_ek(const json_t *doc, struct receipt_countersign *ret, struct err *err)
{
        const json_t *j = NULL;
        int r = json_get_object(doc, "ek", &j, err);

        if (r >= 0)
                r = opt_text(j, "bound_by", &ret->ek_bound_by, err);
        if (r >= 0)
                r = opt_text(j, "class", &ret->ek_class, err);
        return r < 0 ? r : opt_text(j, "sha256", &ret->ek_sha256, err);
}

static int read_claims(const json_t *doc, struct receipt_countersign *ret, struct err *err)
{
        int r = get_words(doc, ret, err);

        if (r >= 0)
                r = get_text(doc, "sub", &ret->host, err);
        if (r >= 0)
                r = get_text(doc, "verifier", &ret->verifier, err);
        if (r >= 0 && (!str_valid_host_id(ret->host) || !uuid_valid(ret->verifier)))
                r = err_set(err, ERR_FORMAT, 0, "member 'sub' or 'verifier': no name of a host, no UUID");
        if (r >= 0)
                r = opt_text(doc, "reason", &ret->reason, err);
        if (r >= 0)
                r = get_digest(doc, "receipt", &ret->receipt, err);
        if (r >= 0)
                r = json_get_time(doc, "received_at", &ret->received_at_ms, err);
        if (r >= 0)
                r = json_get_time(doc, "issued_at", &ret->issued_at_ms, err);
        if (r >= 0)
                r = get_evidence(doc, ret, err);
        return r < 0 ? r : get_ek(doc, ret, err);
}

int receipt_countersign_open(struct view jws, const struct pubkey *key, struct receipt_countersign *ret,
                             bool *ret_good, struct err *err)
{
        AUTO(receipt_countersign_done) struct receipt_countersign got = {.host = NULL};
        AUTO(buf_free) struct buf claims = {0};
        AUTO(json_free_p) json_t *doc = NULL;
        bool good = false;
        int r = jws_verify(key, RECEIPT_COUNTERSIGN_TYP, jws, &claims, &good, err);

        *ret_good = false;
        if (r < 0 || !good)
                return r;
        r = json_parse(VIEW_BUF(&claims), BYTES_MAX, &doc, err);
        if (r >= 0)
                r = read_claims(doc, &got, err);
        if (r < 0)
                return err_wrap(err, "countersignature");
        *ret = got;
        got = (struct receipt_countersign){.host = NULL};
        *ret_good = true;
        return 0;
}
