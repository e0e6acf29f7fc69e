/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a bundle. The members come in a fixed order, so that equal bundles give equal bytes and can be
 * compared and addressed by their digest. Format: docs/protocol.md.
 */
#include "evidence/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char *peer_name(enum bundle_peer peer)
{
        return peer == BUNDLE_PEER_KEYLIME ? "keylime" : "avow";
}

static json_t *statement(const struct buf *message, const struct buf *signature)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_base64(j, "message", VIEW_BUF(message)) < 0 ||
            json_set_base64(j, "signature", VIEW_BUF(signature)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *quote(const struct bundle *b)
{
        AUTO(json_free_p)
        json_t *j = statement(&b->message, &b->signature);

        if (!j || json_object_set_new(j, "pcrs", pcr_values_to_json(&b->pcrs)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *tolerance(const struct bundle *b)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_int(j, "base_ms", b->tolerance.base_ms) < 0 ||
            json_set_int(j, "percent", b->tolerance.percent) < 0)
                return NULL;
        return TAKE(j);
}

static int set_log(json_t *logs, const char *name, bool has, const struct buf *log)
{
        return has ? json_set_base64(logs, name, VIEW_BUF(log))
                   : json_object_set_new(logs, name, json_null());
}

static json_t *logs(const struct bundle *b)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || set_log(j, "cel", b->has_cel, &b->cel) < 0 || set_log(j, "ima", b->has_ima, &b->ima) < 0 ||
            set_log(j, "uefi", b->has_uefi, &b->uefi) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *policy(const struct bundle *b)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_str(j, "name", b->policy_name) < 0 ||
            json_set_int(j, "version", b->policy_version) < 0 ||
            json_set_hex(j, "sha256", digest_view(&b->policy_sha256)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *previous(const struct bundle *b)
{
        return b->has_previous ? previous_to_json(&b->previous, &b->previous_pcrs) : json_null();
}

/* Who, and what was asked. */
static int put_question(json_t *j, const struct bundle *b)
{
        if (json_set_str(j, "schema", BUNDLE_SCHEMA) < 0 || json_set_str(j, "host", b->host) < 0 ||
            json_set_str(j, "peer", peer_name(b->peer)) < 0 ||
            json_set_str(j, "verifier_id", b->verifier_id) < 0 ||
            json_set_base64(j, "ak", VIEW_BUF(&b->ak)) < 0 ||
            json_set_str(j, "ak_certificate", b->ak_certificate) < 0 ||
            json_set_base64(j, "challenge", VIEW_BUF(&b->challenge)) < 0 ||
            json_set_bool(j, "immediate", b->immediate) < 0)
                return -1;
        return json_object_set_new(j, "asked", pcr_selection_to_json(&b->asked));
}

/* What came back, and what was made of it. */
static int put_answer(json_t *j, const struct bundle *b)
{
        if (json_set_time(j, "issued_at", b->issued_at_ms) < 0 ||
            json_set_time(j, "received_at", b->received_at_ms) < 0 ||
            json_object_set_new(j, "clock_tolerance", tolerance(b)) < 0 ||
            json_object_set_new(j, "quote", quote(b)) < 0)
                return -1;
        if (b->time_message.len &&
            json_object_set_new(j, "time", statement(&b->time_message, &b->time_signature)) < 0)
                return -1;
        if (json_object_set_new(j, "previous", previous(b)) < 0 ||
            json_object_set_new(j, "logs", logs(b)) < 0 || json_object_set_new(j, "tee", json_array()) < 0 ||
            json_object_set_new(j, "verdict", verdict_to_json(b->verdict)) < 0)
                return -1;
        return json_object_set_new(j, "policy", policy(b));
}

int bundle_encode(const struct bundle *b, struct buf *out, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(mem_free_p)
        char *text = NULL;

        if (!b->host || !b->verdict || !b->policy_name || (b->peer == BUNDLE_PEER_AVOW) != !!b->verifier_id)
                return err_set(err, ERR_BUG, 0, "evidence bundle: it is not complete");
        j = json_object();
        if (!j || put_question(j, b) < 0 || put_answer(j, b) < 0)
                return err_nomem(err);
        text = json_print_pretty(j);
        if (!text)
                return err_nomem(err);
        buf_str(out, text);
        buf_str(out, "\n");
        return buf_ok(out) ? 0 : err_nomem(err);
}
