/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host to seal to, as a file: what servers say of it is enough to lock the right host out, never enough to
 * let a wrong one in. The names of the counters are rebuilt from their number and key, because the attributes
 * that make them final are in the name (SR-11); whose key the EK is, whoever seals has to check.
 *
 * Spec: SR-10, SR-11; docs/protocol.md, "Secrets".
 */
#include "wire/target.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/uuid.h"
#include "evidence/sealed.h"
#include "wire/field.h"

#define SCHEMA  "avow.target/1"
#define PEM_MAX 65536

void target_done(struct target *t)
{
        buf_free(&t->ek);
        free(t->ek_certificate);
        pubkey_free(t->ek_key);
        pubkey_free(t->counter_key);
        pubkey_free(t->release_key);
        *t = (struct target){0};
}

/* ---- what follows from the parts ---- */

int target_read_ek(struct target *t, struct err *err)
{
        struct tpm_public ek;
        const char *refusal;
        int r = tpm2b_public_parse(VIEW_BUF(&t->ek), &ek, err);

        if (r >= 0)
                r = tpm_public_key(&ek, &t->ek_key, err);
        if (r < 0)
                return err_wrap(err, "EK");
        refusal = tpm_public_ek_refusal(&ek);
        if (refusal)
                return err_set(err, ERR_FORMAT, 0, "EK: this key is no endorsement key: %s", refusal);
        t->credential = (struct credential_ek){t->ek_key, (enum digest_alg)ek.name_alg, ek.sym_bits};
        return 0;
}

static int read_counter(const json_t *j, const struct pubkey *key, uint32_t *ret_index, uint64_t *ret_value,
                        struct tpm_name *ret_name, struct err *err)
{
        struct tpm_name said;
        int64_t index, value;

        if (json_get_int(j, "index", 0x01000000, 0x01ffffff, &index, err) < 0 ||
            json_get_int(j, "value", 0, INT64_MAX, &value, err) < 0 ||
            field_tpm_name(j, "name", &said, err) < 0 ||
            sealed_counter_name((uint32_t)index, key, ret_name, err) < 0)
                return -(int)err->kind;
        if (!view_equal(tpm_name_view(&said), tpm_name_view(ret_name)))
                return err_set(err, ERR_FORMAT, 0,
                               "index 0x%08x is no counter that a wipe can rely on: its name is not that "
                               "of its key",
                               (unsigned)index);
        *ret_index = (uint32_t)index;
        *ret_value = (uint64_t)value;
        return 0;
}

int target_read_counters(const json_t *j, struct target *t, struct err *err)
{
        const json_t *epoch, *floor;

        if (field_key(j, "key", false, &t->counter_key, err) < 0 ||
            json_get_object(j, "epoch", &epoch, err) < 0 || json_get_object(j, "floor", &floor, err) < 0)
                return err_wrap(err, "counters");
        if (read_counter(epoch, t->counter_key, &t->epoch_index, &t->epoch, &t->epoch_name, err) < 0)
                return err_wrap(err, "epoch counter");
        if (read_counter(floor, t->counter_key, &t->floor_index, &t->floor, &t->floor_name, err) < 0)
                return err_wrap(err, "floor counter");
        return 0;
}

/* ---- files ---- */

static int read_target(const json_t *j, struct target *t, struct err *err)
{
        static const char *const names[] = {"counters",    "ek",     "ek_certificate", "host",
                                            "release_key", "schema", "tenant",         "verifier"};
        const json_t *counters;
        const char *verifier;

        if (json_only(j, names, ARRAY_LEN(names), err) < 0 || field_schema(j, SCHEMA, err) < 0 ||
            field_host(j, "host", t->host, err) < 0 ||
            field_name(j, "tenant", t->tenant, sizeof(t->tenant), err) < 0 ||
            json_get_base64(j, "ek", WIRE_PUBLIC_MAX, &t->ek, err) < 0 ||
            field_opt_text(j, "ek_certificate", PEM_MAX, &t->ek_certificate, err) < 0 ||
            field_key(j, "release_key", true, &t->release_key, err) < 0 ||
            json_get_str(j, "verifier", &verifier, err) < 0 ||
            json_get_object(j, "counters", &counters, err) < 0 || target_read_ek(t, err) < 0 ||
            target_read_counters(counters, t, err) < 0)
                return -(int)err->kind;
        if (!uuid_valid(verifier))
                return err_set(err, ERR_FORMAT, 0, "member 'verifier': expected a UUID");
        memcpy(t->verifier, verifier, sizeof(t->verifier));
        return 0;
}

int target_decode(struct view text, struct target *ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(target_done) struct target t = {0};

        if (json_parse(text, TARGET_BYTES_MAX, &j, err) < 0 || read_target(j, &t, err) < 0)
                return -(int)err->kind;
        *ret = t;
        t = (struct target){0};
        return 0;
}

static json_t *counter_json(uint32_t index, const struct tpm_name *name, uint64_t value)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (json_set_int(j, "index", index) | json_set_int(j, "value", (int64_t)value) |
            json_set_hex(j, "name", tpm_name_view(name)))
                return NULL;
        return TAKE(j);
}

int target_encode(const struct target *t, struct buf *ret, struct err *err)
{
        json_t *j = json_object(), *counters = json_object();
        int r = json_set_str(j, "schema", SCHEMA) | json_set_str(j, "host", t->host) |
                json_set_str(j, "tenant", t->tenant) | json_set_str(j, "verifier", t->verifier) |
                json_set_base64(j, "ek", VIEW_BUF(&t->ek)) |
                json_set_str(j, "ek_certificate", t->ek_certificate);

        if (t->release_key)
                r |= field_set_key(j, "release_key", t->release_key);
        r |= field_set_key(counters, "key", t->counter_key);
        r |= json_object_set_new(counters, "epoch", counter_json(t->epoch_index, &t->epoch_name, t->epoch));
        r |= json_object_set_new(counters, "floor", counter_json(t->floor_index, &t->floor_name, t->floor));
        r |= json_object_set_new(j, "counters", counters);
        return field_emit(j, r, ret, err);
}
