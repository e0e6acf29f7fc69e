/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a bundle. It comes from anywhere: an auditor gets it by mail. So it is read strictly, one spelling
 * for each value, no member twice and none that is not known; whatever is then not covered by a signature, a
 * digest or a replay is the verifier's own word (times, recorded verdict), and docs/protocol.md says which.
 */
#include "evidence/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/cel.h"
#include "evidence/qualify.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

#define CERTIFICATE_CHARS_MAX 16384
#define LOG_BYTES_MAX         (64u << 20)
#define TOLERANCE_MS_MAX      3600000

static int take_str(const json_t *j, const char *name, bool needed, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = needed ? json_get_str(j, name, &s, err) : json_opt_str(j, name, &s, err);

        if (r < 0 || !s)
                return r;
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

static int read_schema(const json_t *j, struct err *err)
{
        const char *schema = NULL;
        int r = json_get_str(j, "schema", &schema, err);

        if (r >= 0 && !str_equal(schema, BUNDLE_SCHEMA))
                return err_set(err, ERR_FORMAT, 0, "member 'schema': %s is not %s", SHOW(schema),
                               BUNDLE_SCHEMA);
        return r;
}

static int read_peer(const json_t *j, struct bundle *b, struct err *err)
{
        const char *peer = NULL;
        int r = json_get_str(j, "peer", &peer, err);

        if (r >= 0)
                r = take_str(j, "verifier_id", false, &b->verifier_id, err);
        if (r < 0)
                return r;
        if (str_equal(peer, "avow"))
                b->peer = BUNDLE_PEER_AVOW;
        else if (str_equal(peer, "keylime"))
                b->peer = BUNDLE_PEER_KEYLIME;
        else
                return err_set(err, ERR_FORMAT, 0, "member 'peer': %s is neither avow nor keylime",
                               SHOW(peer));
        if (b->peer == BUNDLE_PEER_AVOW
                    ? !b->verifier_id || strlen(b->verifier_id) != QUALIFY_VERIFIER_ID_CHARS
                    : b->verifier_id != NULL)
                return err_set(err, ERR_FORMAT, 0, "member 'verifier_id' does not fit the peer");
        return 0;
}

static int read_host(const json_t *j, struct bundle *b, struct err *err)
{
        int r = take_str(j, "host", true, &b->host, err);

        if (r >= 0 && !str_valid_host_id(b->host))
                return err_set(err, ERR_FORMAT, 0, "member 'host': %s is no host id", SHOW(b->host));
        return r;
}

static int read_ak(const json_t *j, struct bundle *b, struct err *err)
{
        int r = json_get_base64(j, "ak", 2 + TPM_PUBLIC_BYTES_MAX, &b->ak, err);

        if (r >= 0)
                r = take_str(j, "ak_certificate", false, &b->ak_certificate, err);
        if (r >= 0 && b->ak_certificate && strlen(b->ak_certificate) > CERTIFICATE_CHARS_MAX)
                return err_set(err, ERR_LIMIT, 0, "member 'ak_certificate': more than %d characters",
                               CERTIFICATE_CHARS_MAX);
        return r;
}

/* One of the two names, or none: a heartbeat. */
static int read_request(const json_t *j, struct bundle *b, struct err *err)
{
        size_t want = digest_size(DIGEST_SHA256);
        const char *name;
        int r;

        b->for_permit = json_object_get(j, "permit_request") != NULL;
        name = b->for_permit ? "permit_request" : "release_request";
        r = json_opt_hex(j, name, want, &b->release_request, err);
        if ((r > 0 && (b->release_request.len != want || b->peer != BUNDLE_PEER_AVOW)) ||
            (b->for_permit && (r == 0 || json_object_get(j, "release_request"))))
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected one SHA-256, of an avow agent",
                               name);
        return r < 0 ? r : 0;
}

static int read_question(const json_t *j, struct bundle *b, struct err *err)
{
        int r = read_schema(j, err);

        if (r >= 0)
                r = read_host(j, b, err);
        if (r >= 0)
                r = read_peer(j, b, err);
        if (r >= 0)
                r = read_ak(j, b, err);
        if (r >= 0)
                r = json_get_base64(j, "challenge", DIGEST_BYTES_MAX, &b->challenge, err);
        if (r >= 0)
                r = json_get_bool(j, "immediate", &b->immediate, err);
        if (r >= 0)
                r = read_request(j, b, err);
        if (r < 0)
                return r;
        r = pcr_selection_from_json(json_object_get(j, "asked"), &b->asked, err);
        return r < 0 ? err_wrap(err, "member 'asked'") : 0;
}

static int read_tolerance(const json_t *j, struct clock_tolerance *t, struct err *err)
{
        static const char *const names[] = {"base_ms", "percent"};
        const json_t *obj = NULL;
        int64_t percent = 0;
        int r = json_get_object(j, "clock_tolerance", &obj, err);

        if (r >= 0)
                r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(obj, "base_ms", 0, TOLERANCE_MS_MAX, &t->base_ms, err);
        if (r >= 0)
                r = json_get_int(obj, "percent", 0, 100, &percent, err);
        if (r >= 0)
                t->percent = (unsigned)percent;
        return r;
}

static int read_quote(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"message", "signature", "pcrs"};
        const json_t *obj = NULL;
        int r = json_get_object(j, "quote", &obj, err);

        if (r >= 0)
                r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_base64(obj, "message", TPM_ATTEST_BYTES_MAX, &b->message, err);
        if (r >= 0)
                r = json_get_base64(obj, "signature", TPM_SIGNATURE_BYTES_MAX, &b->signature, err);
        if (r >= 0)
                r = pcr_values_from_json(json_object_get(obj, "pcrs"), &b->pcrs, err);
        return r < 0 ? err_wrap(err, "member 'quote'") : 0;
}

/* Additive: bundles of Keylime peers have none. Present, it is whole; null is refused like any other type. */
static int read_time(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"message", "signature"};
        const json_t *obj = json_object_get(j, "time");
        int r;

        if (!obj)
                return 0;
        r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_base64(obj, "message", TPM_ATTEST_BYTES_MAX, &b->time_message, err);
        if (r >= 0)
                r = json_get_base64(obj, "signature", TPM_SIGNATURE_BYTES_MAX, &b->time_signature, err);
        if (r >= 0 && (!b->time_message.len || !b->time_signature.len))
                r = err_set(err, ERR_FORMAT, 0, "an empty statement");
        return r < 0 ? err_wrap(err, "member 'time'") : 0;
}

static int read_counter(const json_t *j, const char *name, struct bundle_counter *c, struct err *err)
{
        static const char *const names[] = {"index", "message", "signature"};
        const json_t *obj = NULL;
        int64_t index = 0;
        int r = json_get_object(j, name, &obj, err);

        if (r >= 0)
                r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(obj, "index", 1, UINT32_MAX, &index, err);
        if (r >= 0)
                r = json_get_base64(obj, "message", TPM_ATTEST_BYTES_MAX, &c->message, err);
        if (r >= 0)
                r = json_get_base64(obj, "signature", TPM_SIGNATURE_BYTES_MAX, &c->signature, err);
        c->index = (uint32_t)index;
        return r < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

/* Both may be missing: Keylime's peers have no counters, and bundles were written before there were any. */
static int read_counters(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"key", "epoch", "floor"};
        const json_t *now = NULL, *before = NULL;
        int r = json_opt_object(j, "counters", &now, err);

        if (r > 0) {
                r = json_only(now, names, ARRAY_LEN(names), err);
                if (r >= 0)
                        r = json_get_base64(now, "key", COUNTERS_KEY_MAX, &b->counter_key, err);
                if (r >= 0 && !b->counter_key.len)
                        r = err_set(err, ERR_FORMAT, 0, "an empty key");
                if (r >= 0)
                        r = read_counter(now, "epoch", &b->epoch, err);
                if (r >= 0)
                        r = read_counter(now, "floor", &b->floor, err);
        }
        if (r < 0)
                return err_wrap(err, "member 'counters'");
        r = json_opt_object(j, "counters_before", &before, err);
        if (r > 0)
                r = counters_from_json(before, &b->counters_before, err);
        return r < 0 ? err_wrap(err, "member 'counters_before'") : 0;
}

static int read_log(const json_t *logs, const char *name, size_t max, bool *has, struct buf *log,
                    struct err *err)
{
        int r;

        if (!json_object_get(logs, name))
                return err_set(err, ERR_FORMAT, 0, "member '%s' is missing", name);
        r = json_opt_base64(logs, name, max, log, err);
        *has = r == 1;
        return r;
}

static int read_logs(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"cel", "ima", "uefi"};
        const json_t *logs = NULL;
        int r = json_get_object(j, "logs", &logs, err);

        if (r >= 0)
                r = json_only(logs, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = read_log(logs, "cel", LOG_BYTES_MAX, &b->has_cel, &b->cel, err);
        if (r >= 0)
                r = read_log(logs, "ima", LOG_BYTES_MAX, &b->has_ima, &b->ima, err);
        if (r >= 0)
                r = read_log(logs, "uefi", LOG_BYTES_MAX, &b->has_uefi, &b->uefi, err);
        return r < 0 ? err_wrap(err, "member 'logs'") : 0;
}

static int read_previous(const json_t *j, struct bundle *b, struct err *err)
{
        const json_t *obj = json_object_get(j, "previous");

        if (!obj)
                return err_set(err, ERR_FORMAT, 0, "member 'previous' is missing");
        if (json_is_null(obj))
                return 0;
        b->has_previous = true;
        if (previous_from_json(obj, &b->previous, &b->previous_pcrs, err) < 0)
                return err_wrap(err, "member 'previous'");
        return 0;
}

static int read_policy(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"name", "version", "sha256"};
        AUTO(buf_free)
        struct buf sha256 = {0};
        const json_t *obj = NULL;
        int64_t version = 0;
        int r = json_get_object(j, "policy", &obj, err);

        if (r >= 0)
                r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = take_str(obj, "name", true, &b->policy_name, err);
        if (r >= 0)
                r = json_get_int(obj, "version", 0, UINT32_MAX, &version, err);
        if (r >= 0)
                r = json_get_hex(obj, "sha256", DIGEST_BYTES_MAX, &sha256, err);
        if (r >= 0)
                r = digest_set(DIGEST_SHA256, VIEW_BUF(&sha256), &b->policy_sha256, err);
        b->policy_version = (uint32_t)version;
        return r < 0 ? err_wrap(err, "member 'policy'") : 0;
}

static int read_one_tee(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {"kind", "evidence", "table", "manifest"};
        const char *kind = NULL;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(j, "kind", &kind, err);
        if (r >= 0 && !tee_kind_by_name(kind, &b->tee_kind))
                r = err_set(err, ERR_FORMAT, 0, "member 'kind': %s is not known", SHOW(kind));
        if (r >= 0)
                r = json_get_base64(j, "evidence", TEE_EVIDENCE_BYTES_MAX, &b->tee, err);
        if (r >= 0)
                r = json_opt_base64(j, "table", TEE_EVIDENCE_BYTES_MAX, &b->tee_table, err);
        if (r >= 0)
                r = json_opt_base64(j, "manifest", TEE_EVIDENCE_BYTES_MAX, &b->tee_manifest, err);
        b->has_tee = true;
        return r;
}

/* A list, for a time in which there are several; one piece is what a host is asked for. */
static int read_tee(const json_t *j, struct bundle *b, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(j, "tee", 1, &list, err);

        if (r >= 0 && json_array_size(list))
                r = read_one_tee(json_array_get(list, 0), b, err);
        return r < 0 ? err_wrap(err, "member 'tee'") : 0;
}

static int read_verdict(const json_t *j, struct bundle *b, struct err *err)
{
        const json_t *obj = NULL;
        int r = json_get_object(j, "verdict", &obj, err);

        if (r < 0)
                return r;
        return verdict_from_json(obj, &b->verdict, err) < 0 ? err_wrap(err, "member 'verdict'") : 0;
}

static int read_answer(const json_t *j, struct bundle *b, struct err *err)
{
        int r = json_get_time(j, "issued_at", &b->issued_at_ms, err);

        if (r >= 0)
                r = json_get_time(j, "received_at", &b->received_at_ms, err);
        if (r >= 0)
                r = read_tolerance(j, &b->tolerance, err);
        if (r >= 0)
                r = read_quote(j, b, err);
        if (r >= 0)
                r = read_time(j, b, err);
        if (r >= 0)
                r = read_counters(j, b, err);
        if (r >= 0)
                r = read_previous(j, b, err);
        if (r >= 0)
                r = read_logs(j, b, err);
        if (r >= 0)
                r = read_tee(j, b, err);
        if (r >= 0)
                r = read_verdict(j, b, err);
        if (r >= 0)
                r = read_policy(j, b, err);
        return r;
}

static int decode(const json_t *j, struct bundle *b, struct err *err)
{
        static const char *const names[] = {
                "schema",
                "host",
                "peer",
                "verifier_id",
                "ak",
                "ak_certificate",
                "challenge",
                "asked",
                "immediate",
                "release_request",
                "issued_at",
                "received_at",
                "previous",
                "clock_tolerance",
                "quote",
                "time",
                "logs",
                "tee",
                "verdict",
                "policy",
                "counters",
                "counters_before",
                "permit_request",
        };
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = read_question(j, b, err);
        if (r >= 0)
                r = read_answer(j, b, err);
        return r < 0 ? r : 0;
}

int bundle_decode(struct view text, struct bundle **ret, struct err *err)
{
        AUTO(bundle_free_p)
        struct bundle *b = bundle_new();
        AUTO(json_free_p)
        json_t *j = NULL;
        int r;

        if (!b)
                return err_nomem(err);
        r = json_parse(text, BUNDLE_BYTES_MAX, &j, err);
        if (r == 0)
                r = decode(j, b, err);
        if (r < 0)
                return err_wrap(err, "evidence bundle");
        *ret = TAKE(b);
        return 0;
}
