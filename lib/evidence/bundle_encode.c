/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a bundle. The members come in a fixed order, so that equal bundles give equal bytes and can be
 * compared and addressed by their digest. Format: docs/protocol.md.
 */
#include "evidence/bundle.h"

#include "base/json_out.h"

static const char *peer_name(enum bundle_peer peer)
{
        return peer == BUNDLE_PEER_KEYLIME ? "keylime" : "avow";
}

static void put_statement(struct json_out *o, const struct buf *message, const struct buf *signature)
{
        json_out_base64(o, "message", VIEW_BUF(message));
        json_out_base64(o, "signature", VIEW_BUF(signature));
}

static void put_log(struct json_out *o, const char *name, bool has, const struct buf *log)
{
        if (has)
                json_out_base64(o, name, VIEW_BUF(log));
        else
                json_out_null(o, name);
}

static void put_policy(struct json_out *o, const struct bundle *b)
{
        json_out_object(o, "policy");
        json_out_str(o, "name", b->policy_name);
        json_out_int(o, "version", b->policy_version);
        json_out_hex(o, "sha256", digest_view(&b->policy_sha256));
        json_out_object_end(o);
}

/* Who, and what was asked. */
static void put_question(struct json_out *o, const struct bundle *b)
{
        json_out_str(o, "schema", BUNDLE_SCHEMA);
        json_out_str(o, "host", b->host);
        json_out_str(o, "peer", peer_name(b->peer));
        json_out_str(o, "verifier_id", b->verifier_id);
        json_out_base64(o, "ak", VIEW_BUF(&b->ak));
        json_out_str(o, "ak_certificate", b->ak_certificate);
        json_out_base64(o, "challenge", VIEW_BUF(&b->challenge));
        json_out_bool(o, "immediate", b->immediate);
        if (b->release_request.len)
                json_out_hex(o, b->for_permit ? "permit_request" : "release_request",
                             VIEW_BUF(&b->release_request));
        pcr_selection_put(o, "asked", &b->asked);
        json_out_time(o, "issued_at", b->issued_at_ms);
}

static void put_counter(struct json_out *o, const char *name, const struct bundle_counter *c)
{
        json_out_object(o, name);
        json_out_int(o, "index", c->index);
        put_statement(o, &c->message, &c->signature);
        json_out_object_end(o);
}

static void put_counters(struct json_out *o, const struct bundle *b)
{
        if (b->counter_key.len) {
                json_out_object(o, "counters");
                json_out_base64(o, "key", VIEW_BUF(&b->counter_key));
                put_counter(o, "epoch", &b->epoch);
                put_counter(o, "floor", &b->floor);
                json_out_object_end(o);
        }
        if (b->counters_before.known)
                counters_put(o, "counters_before", &b->counters_before);
}

static void put_quote(struct json_out *o, const struct bundle *b)
{
        json_out_object(o, "quote");
        put_statement(o, &b->message, &b->signature);
        pcr_values_put(o, "pcrs", &b->pcrs);
        json_out_object_end(o);
        if (!b->time_message.len)
                return;
        json_out_object(o, "time");
        put_statement(o, &b->time_message, &b->time_signature);
        json_out_object_end(o);
}

static void put_tee(struct json_out *o, const struct bundle *b)
{
        json_out_array(o, "tee");
        if (b->has_tee) {
                json_out_object(o, NULL);
                json_out_str(o, "kind", tee_kind_name(b->tee_kind));
                json_out_base64(o, "evidence", VIEW_BUF(&b->tee));
                if (b->tee_table.len)
                        json_out_base64(o, "table", VIEW_BUF(&b->tee_table));
                if (b->tee_manifest.len)
                        json_out_base64(o, "manifest", VIEW_BUF(&b->tee_manifest));
                json_out_object_end(o);
        }
        json_out_array_end(o);
}

/* What came back, and what was made of it. */
static void put_answer(struct json_out *o, const struct bundle *b)
{
        json_out_time(o, "received_at", b->received_at_ms);
        json_out_object(o, "clock_tolerance");
        json_out_int(o, "base_ms", b->tolerance.base_ms);
        json_out_int(o, "percent", b->tolerance.percent);
        json_out_object_end(o);
        put_quote(o, b);
        put_counters(o, b);
        if (b->has_previous)
                previous_put(o, "previous", &b->previous, &b->previous_pcrs);
        else
                json_out_null(o, "previous");
        json_out_object(o, "logs");
        put_log(o, "cel", b->has_cel, &b->cel);
        put_log(o, "ima", b->has_ima, &b->ima);
        put_log(o, "uefi", b->has_uefi, &b->uefi);
        json_out_object_end(o);
        put_tee(o, b);
        verdict_put(o, "verdict", b->verdict);
        put_policy(o, b);
}

int bundle_encode(const struct bundle *b, struct buf *out, struct err *err)
{
        struct json_out o = json_out_to(out, true);

        if (!b->host || !b->verdict || !b->policy_name || (b->peer == BUNDLE_PEER_AVOW) != !!b->verifier_id ||
            (b->release_request.len && b->release_request.len != digest_size(DIGEST_SHA256)))
                return err_set(err, ERR_BUG, 0, "evidence bundle: it is not complete");
        json_out_object(&o, NULL);
        put_question(&o, b);
        put_answer(&o, b);
        json_out_object_end(&o);
        buf_str(out, "\n");
        return buf_ok(out) ? 0 : err_nomem(err);
}
