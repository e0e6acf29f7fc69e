/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to a host. Nothing of one is read before its signature was found good, and then still as foreign
 * bytes: what stands in it decides whether secrets are destroyed. The name of the counter is not taken from
 * it but rebuilt from the counter's number and key, so an index with other attributes or another write policy
 * is another index. Spec: SR-8, SR-11.
 */
#include "evidence/revocation_order.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/jws.h"
#include "evidence/qualify.h"
#include "evidence/sealed.h"

#define SCHEMA       "avow.revocation/1"
#define SPKI_MAX     512
#define RECORD_LABEL "avow-revocation-record-v1"

static const char *const reactions[REACTION_N] = {
        [REACTION_SUSPEND] = "suspend",
        [REACTION_DESTROY] = "destroy",
        [REACTION_REINSTATE] = "reinstate",
};

const char *reaction_name(enum reaction reaction)
{
        return reactions[reaction];
}

bool reaction_by_name(const char *name, enum reaction *ret)
{
        for (size_t i = 0; i < REACTION_N; i++)
                if (str_equal(name, reactions[i])) {
                        *ret = (enum reaction)i;
                        return true;
                }
        return false;
}

static int read_id(const json_t *doc, struct revocation_order *o, struct err *err)
{
        const char *id, *host, *slash;

        if (json_get_str(doc, "id", &id, err) < 0 || json_get_str(doc, "host", &host, err) < 0)
                return -(int)err->kind;
        if (!str_valid_host_id(host))
                return err_set(err, ERR_FORMAT, 0, "member 'host': %s is no host's name", SHOW(host));
        slash = strrchr(id, '/');
        if (!slash || (size_t)(slash - id) != strlen(host) || strncmp(id, host, strlen(host)) != 0 ||
            str_parse_int(view_str(slash + 1), 0, INT64_MAX, &o->seq, err) < 0)
                return err_set(err, ERR_FORMAT, 0, "member 'id': expected HOST/NUMBER, not %s", SHOW(id));
        (void)snprintf(o->host, sizeof(o->host), "%s", host);
        (void)snprintf(o->id, sizeof(o->id), "%s/%lld", host, (long long)o->seq);
        return 0;
}

static int read_who_and_what(const json_t *doc, struct revocation_order *o, struct err *err)
{
        const char *schema, *verifier, *reaction;

        if (json_get_str(doc, "schema", &schema, err) < 0 ||
            json_get_str(doc, "verifier", &verifier, err) < 0 ||
            json_get_str(doc, "reaction", &reaction, err) < 0 ||
            json_get_time(doc, "issued_at", &o->issued_at_ms, err) < 0)
                return -(int)err->kind;
        if (!str_equal(schema, SCHEMA))
                return err_set(err, ERR_FORMAT, 0, "member 'schema': expected " SCHEMA ", not %s",
                               SHOW(schema));
        if (strlen(verifier) != QUALIFY_VERIFIER_ID_CHARS)
                return err_set(err, ERR_FORMAT, 0, "member 'verifier': %s is no UUID", SHOW(verifier));
        (void)snprintf(o->verifier, sizeof(o->verifier), "%s", verifier);
        if (!reaction_by_name(reaction, &o->reaction))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'reaction': expected suspend, destroy or reinstate, not %s",
                               SHOW(reaction));
        return 0;
}

/* Index, epoch and key come together or not at all. */
static int read_counter(const json_t *doc, struct revocation_order *o, struct err *err)
{
        AUTO(buf_free) struct buf spki = {0};
        int64_t index = 0, epoch = 0;
        int r = json_opt_base64(doc, "counter_key", SPKI_MAX, &spki, err);

        o->reset_count = REVOCATION_NO_RESET;
        if (r == 0 && o->reaction == REACTION_DESTROY)
                return err_set(err, ERR_FORMAT, 0,
                               "member 'counter_key' is missing: without it no counter can be told from "
                               "another");
        if (r <= 0)
                return r;
        if (json_get_int(doc, "nv_index", 0x01000000, 0x01ffffff, &index, err) < 0 ||
            json_get_int(doc, "epoch", 0, INT64_MAX, &epoch, err) < 0 ||
            json_opt_int(doc, "reset_count", 0, UINT32_MAX, &o->reset_count, err) < 0)
                return -(int)err->kind;
        r = pubkey_from_spki(VIEW_BUF(&spki), &o->counter_key, err);
        if (r < 0)
                return err_wrap(err, "member 'counter_key'");
        o->nv_index = (uint32_t)index;
        o->epoch = (uint64_t)epoch;
        o->has_epoch = true;
        return sealed_counter_name(o->nv_index, o->counter_key, &o->index_name, err);
}

static int read_order(struct view payload, struct revocation_order *o, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        int r = json_parse(payload, REVOCATION_BYTES_MAX, &doc, err);

        if (r == 0)
                r = read_id(doc, o, err);
        if (r == 0)
                r = read_who_and_what(doc, o, err);
        if (r == 0)
                r = read_counter(doc, o, err);
        return r < 0 ? err_wrap(err, "revocation") : 0;
}

int revocation_order_open(struct view jws, struct pubkey *const *keys, size_t n_keys,
                          struct revocation_order *ret, bool *ret_good, struct err *err)
{
        AUTO(buf_free) struct buf payload = {0};
        struct revocation_order order = {0};
        bool good = false;
        int r = 0;

        for (size_t i = 0; r == 0 && !good && i < n_keys; i++)
                r = jws_verify(keys[i], REVOCATION_TYP, jws, &payload, &good, err);
        if (r == 0 && good)
                r = read_order(VIEW_BUF(&payload), &order, err);
        if (r < 0) {
                revocation_order_done(&order);
                return r;
        }
        if (good)
                *ret = order;
        *ret_good = good;
        return 0;
}

void revocation_order_done(struct revocation_order *order)
{
        pubkey_free(TAKE(order->counter_key));
}

int revocation_record_digest(enum digest_alg bank, const char *verifier, const char *id, struct digest *ret,
                             struct err *err)
{
        const struct view parts[] = {VIEW(RECORD_LABEL, sizeof(RECORD_LABEL)),
                                     VIEW(verifier, strlen(verifier) + 1), VIEW(id, strlen(id) + 1)};

        return digest_parts(bank, parts, ARRAY_LEN(parts), ret, err);
}
