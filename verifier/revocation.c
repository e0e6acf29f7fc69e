/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a revocation. It names all that the host and an offline checker need, so that both have to
 * believe nobody but the holder of the verifier's revocation key: the host, its counter and the key that may
 * move it, the epoch that ends, and how often the TPM had been reset when that was last seen.
 */
#include "verifier/revocation.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "crypto/jws.h"

#define LABELS_BYTES_MAX 65536

/* Cut at a character's border. NULL: out of memory. */
static char *cut_reason(const char *text)
{
        size_t n = strlen(text);

        if (n > REVOCATION_REASON_MAX) {
                n = REVOCATION_REASON_MAX;
                while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
                        n--;
        }
        return str_ndup(text, n);
}

static int set_counters(json_t *j, const struct revocation_facts *f)
{
        const struct host_counters *k = f->counters;
        int r = 0;

        if (!k || !k->known)
                return 0;
        r |= json_set_int(j, "nv_index", k->epoch_index);
        r |= json_set_int(j, "epoch", (int64_t)k->epoch);
        r |= json_set_base64(j, "counter_key", VIEW_BUF(&k->key));
        if (f->reset_count >= 0)
                r |= json_set_int(j, "reset_count", f->reset_count);
        return r;
}

static int make_payload(const struct revocation_facts *f, char **ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object(), *labels = NULL;
        AUTO(mem_free_p) char *id = str_fmt("%s/%lld", f->host, (long long)f->seq);
        AUTO(mem_free_p) char *reason = cut_reason(f->reason ? f->reason : "");
        int r = 0;

        if (!id || !reason)
                return err_nomem(err);
        if (f->labels && json_parse(view_str(f->labels), LABELS_BYTES_MAX, &labels, err) < 0)
                return err_wrap(err, "labels of host '%s'", f->host);
        r |= json_set_str(j, "schema", "avow.revocation/1");
        r |= json_set_str(j, "id", id);
        r |= json_set_str(j, "verifier", f->verifier);
        r |= json_set_str(j, "host", f->host);
        r |= json_set_str(j, "tenant", f->tenant);
        r |= json_set_str(j, "reaction", reaction_name(f->reaction));
        r |= json_set_time(j, "issued_at", f->issued_at_ms);
        r |= set_counters(j, f);
        if (f->verdict)
                r |= json_set_str(j, "verdict", f->verdict);
        if (f->severity)
                r |= json_set_str(j, "severity", f->severity);
        if (f->policy)
                r |= json_set_str(j, "policy", f->policy);
        r |= json_set_str(j, "reason", reason);
        if (json_object_size(labels))
                r |= json_object_set(j, "labels", labels);
        *ret = r ? NULL : json_print(j);
        return *ret ? 0 : err_nomem(err);
}

int revocation_make(const struct revocation_facts *facts, const struct key *key, char **ret_payload,
                    char **ret_jws, struct err *err)
{
        AUTO(mem_free_p) char *payload = NULL;
        char *jws = NULL;
        int r = make_payload(facts, &payload, err);

        if (r >= 0 && key)
                r = jws_sign(key, REVOCATION_TYP, view_str(payload), &jws, err);
        if (r < 0)
                return err_wrap(err, "revocation of host '%s'", facts->host);
        *ret_payload = TAKE(payload);
        *ret_jws = jws;
        return 0;
}
