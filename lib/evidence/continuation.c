/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The continuation of a host, and its JSON form for the store and for bundles. It is written and read by the
 * verifier alone, but read as strictly as anything else: a database is a file that others can write to, and a
 * continuation that was misread would skip log entries.
 */
#include "evidence/continuation.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define CONTINUATION_VERSION 1

struct continuation *continuation_new(void)
{
        return mem_zalloc(1, sizeof(struct continuation));
}

static void measured_done(struct measured *m)
{
        free(m->runtime);
        free(m->path);
}

void continuation_free(struct continuation *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < c->n_measured; i++)
                measured_done(&c->measured[i]);
        free(c->measured);
        ima_memory_free(c->ima);
        boot_memory_free(c->boot);
        pcr_packed_done(&c->last_pcrs);
        free(c);
}

int continuation_add(struct continuation *c, const struct measured *m, struct err *err)
{
        struct measured copy = *m;
        struct measured *grown;

        if (c->n_measured == CONTINUATION_MEASURED_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d different measurements",
                               CONTINUATION_MEASURED_MAX);
        if (!(c->n_measured & (c->n_measured - 1))) { /* 0, 1, 2, 4 … are full */
                grown = mem_resize(c->measured, c->n_measured ? 2 * c->n_measured : 1, sizeof(*grown));
                if (!grown)
                        return err_nomem(err);
                c->measured = grown;
        }
        copy.runtime = m->runtime ? str_dup(m->runtime) : NULL;
        copy.path = m->path ? str_dup(m->path) : NULL;
        if ((m->runtime && !copy.runtime) || (m->path && !copy.path)) {
                measured_done(&copy);
                return err_nomem(err);
        }
        c->measured[c->n_measured++] = copy;
        return 0;
}

struct continuation *continuation_dup(const struct continuation *c)
{
        AUTO(continuation_free_p)
        struct continuation *copy = mem_dup(c, sizeof(*c));
        struct pcr_values pcrs;
        struct err err = ERR_INIT;

        if (!copy)
                return NULL;
        copy->measured = NULL;
        copy->n_measured = 0;
        copy->ima = NULL;
        copy->boot = NULL;
        copy->last_pcrs = (struct pcr_packed){.b = NULL};
        pcr_values_unpack(&c->last_pcrs, &pcrs);
        if (pcr_values_pack(&pcrs, &copy->last_pcrs, &err) < 0)
                return NULL;
        for (size_t i = 0; i < c->n_measured; i++)
                if (continuation_add(copy, &c->measured[i], &err) < 0)
                        return NULL;
        if (c->ima && !(copy->ima = ima_memory_dup(c->ima)))
                return NULL;
        if (c->boot && !(copy->boot = boot_memory_dup(c->boot)))
                return NULL;
        return TAKE(copy);
}

void previous_put(struct json_out *o, const char *name, const struct previous *p,
                  const struct pcr_values *pcrs)
{
        json_out_object(o, name);
        json_out_int(o, "clock", (int64_t)p->clock.clock_ms);
        json_out_object(o, "offsets");
        json_out_int(o, "cel", (int64_t)p->cel_entries);
        if (p->ima_entries)
                json_out_int(o, "ima", (int64_t)p->ima_entries);
        json_out_object_end(o);
        pcr_values_put(o, "pcrs", pcrs);
        json_out_time(o, "received_at", p->received_at_ms);
        json_out_int(o, "reset", p->clock.reset_count);
        json_out_int(o, "restart", p->clock.restart_count);
        json_out_bool(o, "safe", p->clock.safe);
        if (p->has_time_offset)
                json_out_int(o, "time_offset", p->time_offset_ms);
        json_out_object_end(o);
}

static int clock_from_json(const json_t *j, struct tpm_clock *clock, struct err *err)
{
        int64_t ms = 0, reset = 0, restart = 0;
        /* Its owner can set a TPM's clock above 2^63: such a value comes back from its negative. */
        int r = json_get_int(j, "clock", INT64_MIN, INT64_MAX, &ms, err);

        if (r >= 0)
                r = json_get_int(j, "reset", 0, UINT32_MAX, &reset, err);
        if (r >= 0)
                r = json_get_int(j, "restart", 0, UINT32_MAX, &restart, err);
        if (r >= 0)
                r = json_get_bool(j, "safe", &clock->safe, err);
        if (r < 0)
                return r;
        clock->clock_ms = (uint64_t)ms;
        clock->reset_count = (uint32_t)reset;
        clock->restart_count = (uint32_t)restart;
        return 0;
}

static int offsets_from_json(const json_t *j, struct previous *ret, struct err *err)
{
        static const char *const names[] = {"cel", "ima"};
        const json_t *offsets = NULL;
        int64_t cel = 0, ima = 0;
        int r = json_get_object(j, "offsets", &offsets, err);

        if (r >= 0)
                r = json_only(offsets, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(offsets, "cel", 0, INT64_MAX, &cel, err);
        if (r >= 0)
                r = json_opt_int(offsets, "ima", 1, INT64_MAX, &ima, err);
        if (r < 0)
                return r;
        ret->cel_entries = (uint64_t)cel;
        ret->ima_entries = (uint64_t)ima;
        return 0;
}

int previous_from_json(const json_t *j, struct previous *ret, struct pcr_values *ret_pcrs, struct err *err)
{
        static const char *const names[] = {"clock",       "reset",       "restart", "safe",
                                            "received_at", "time_offset", "pcrs",    "offsets"};
        struct previous p = {.has_time_offset = false};
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = clock_from_json(j, &p.clock, err);
        if (r >= 0)
                r = json_get_time(j, "received_at", &p.received_at_ms, err);
        if (r >= 0)
                r = json_opt_int(j, "time_offset", INT64_MIN, INT64_MAX, &p.time_offset_ms, err);
        p.has_time_offset = r == 1;
        if (r >= 0)
                r = offsets_from_json(j, &p, err);
        if (r < 0)
                return r;
        r = pcr_values_from_json(json_object_get(j, "pcrs"), ret_pcrs, err);
        if (r < 0)
                return err_wrap(err, "member 'pcrs'");
        *ret = p;
        return 0;
}

static void measured_put(struct json_out *o, const struct measured *m)
{
        json_out_object(o, NULL);
        json_out_str(o, "alg", digest_name(m->digest.alg));
        json_out_hex(o, "digest", digest_view(&m->digest));
        json_out_int(o, "entry", (int64_t)m->entry);
        json_out_bool(o, "foreign", m->foreign);
        json_out_bool(o, "newest", m->newest);
        json_out_str(o, "path", m->path);
        json_out_bool(o, "refused", m->refused);
        json_out_str(o, "runtime", m->runtime);
        json_out_object_end(o);
}

static void launches_put(struct json_out *o, const struct launch_memory *m)
{
        json_out_object(o, "launches");
        json_out_str(o, "alg", digest_name(m->value.alg));
        json_out_int(o, "entries", (int64_t)m->entries);
        json_out_int(o, "pcr", m->pcr);
        json_out_hex(o, "value", digest_view(&m->value));
        json_out_object_end(o);
}

static void put(struct json_out *o, const char *name, const void *what)
{
        const struct continuation *c = what;
        struct pcr_values pcrs;

        pcr_values_unpack(&c->last_pcrs, &pcrs);
        json_out_object(o, name);
        json_out_str(o, "alg", digest_name(c->pcr_value.alg));
        if (c->boot)
                boot_memory_put(o, "boot", c->boot);
        json_out_int(o, "cel_entries", (int64_t)c->cel_entries);
        json_out_hex(o, "effective_policy", digest_view(&c->effective_policy));
        if (c->ima)
                ima_memory_put(o, "ima", c->ima);
        previous_put(o, "last", &c->last, &pcrs);
        if (c->launches.known)
                launches_put(o, &c->launches);
        json_out_array(o, "measured");
        for (size_t i = 0; i < c->n_measured; i++)
                measured_put(o, &c->measured[i]);
        json_out_array_end(o);
        json_out_int(o, "pcr", c->pcr);
        json_out_hex(o, "pcr_value", digest_view(&c->pcr_value));
        json_out_int(o, "version", CONTINUATION_VERSION);
        json_out_object_end(o);
}

json_t *continuation_to_json(const struct continuation *c)
{
        return json_out_tree(put, c);
}

char *continuation_text(const struct continuation *c)
{
        return json_out_text(put, c);
}

/* Members `alg` and NAME as a digest. */
static int digest_from_json(const json_t *j, const char *name, struct digest *ret, struct err *err)
{
        uint8_t bytes[DIGEST_BYTES_MAX];
        const char *alg_name = NULL, *hex = NULL;
        enum digest_alg alg;
        int r = json_get_str(j, "alg", &alg_name, err);

        if (r >= 0)
                r = json_get_str(j, name, &hex, err);
        if (r < 0)
                return r;
        if (!digest_by_name(alg_name, &alg))
                return err_set(err, ERR_FORMAT, 0, "member 'alg': %s is not known", SHOW(alg_name));
        r = hex_decode_exact(view_str(hex), bytes, digest_size(alg), err);
        if (r < 0)
                return err_wrap(err, "member '%s'", name);
        return digest_set(alg, VIEW(bytes, digest_size(alg)), ret, err);
}

static int measured_from_json(const json_t *j, struct continuation *c, struct err *err)
{
        static const char *const names[] = {"runtime", "path",    "alg",    "digest",
                                            "entry",   "foreign", "newest", "refused"};
        struct measured m = {.runtime = NULL};
        const char *runtime = NULL, *path = NULL;
        int64_t entry = 0;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_opt_str(j, "runtime", &runtime, err);
        if (r >= 0)
                r = json_opt_str(j, "path", &path, err);
        if (r >= 0)
                r = digest_from_json(j, "digest", &m.digest, err);
        if (r >= 0)
                r = json_get_int(j, "entry", 0, INT64_MAX, &entry, err);
        if (r >= 0)
                r = json_get_bool(j, "foreign", &m.foreign, err);
        if (r >= 0)
                r = json_get_bool(j, "newest", &m.newest, err);
        if (r >= 0)
                r = json_get_bool(j, "refused", &m.refused, err);
        if (r < 0)
                return r;
        m.runtime = (char *)(uintptr_t)runtime; /* copied by continuation_add() */
        m.path = (char *)(uintptr_t)path;
        m.entry = (uint64_t)entry;
        return continuation_add(c, &m, err);
}

static int all_measured_from_json(const json_t *j, struct continuation *c, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(j, "measured", CONTINUATION_MEASURED_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                r = measured_from_json(json_array_get(list, i), c, err);
                if (r < 0)
                        return err_wrap(err, "measurement %zu", i);
        }
        return r;
}

static int last_from_json(const json_t *j, struct continuation *c, struct err *err)
{
        const json_t *last = NULL;
        struct pcr_values pcrs;
        int r = json_get_object(j, "last", &last, err);

        if (r >= 0)
                r = previous_from_json(last, &c->last, &pcrs, err);
        if (r >= 0)
                r = pcr_values_pack(&pcrs, &c->last_pcrs, err);
        return r < 0 ? err_wrap(err, "member 'last'") : 0;
}

static int policy_from_json(const json_t *j, struct digest *ret, struct err *err)
{
        uint8_t bytes[DIGEST_BYTES_MAX];
        const char *hex = NULL;
        int r = json_get_str(j, "effective_policy", &hex, err);

        if (r >= 0)
                r = hex_decode_exact(view_str(hex), bytes, digest_size(DIGEST_SHA256), err);
        if (r < 0)
                return err_wrap(err, "effective_policy");
        return digest_set(DIGEST_SHA256, VIEW(bytes, digest_size(DIGEST_SHA256)), ret, err);
}

/* Missing: the host shows no such log. */
static int launches_from_json(const json_t *j, struct launch_memory *ret, struct err *err)
{
        static const char *const names[] = {"alg", "entries", "pcr", "value"};
        int64_t pcr = 0, entries = 0;
        const json_t *launches = NULL;
        int r = json_opt_object(j, "launches", &launches, err);

        if (r <= 0)
                return r;
        r = json_only(launches, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(launches, "pcr", 0, PCR_COUNT - 1, &pcr, err);
        if (r >= 0)
                r = json_get_int(launches, "entries", 0, INT64_MAX, &entries, err);
        if (r >= 0)
                r = digest_from_json(launches, "value", &ret->value, err);
        if (r < 0)
                return err_wrap(err, "member 'launches'");
        ret->known = true;
        ret->pcr = (unsigned)pcr;
        ret->entries = (uint64_t)entries;
        return 0;
}

int continuation_from_json(const json_t *j, struct continuation **ret, struct err *err)
{
        static const char *const names[] = {"version", "last",      "effective_policy", "pcr",
                                            "alg",     "pcr_value", "cel_entries",      "measured",
                                            "ima",     "boot",      "launches"};
        AUTO(continuation_free_p)
        struct continuation *c = continuation_new();
        int64_t version = 0, pcr = 0, entries = 0;
        const json_t *ima = NULL, *boot = NULL;
        int r;

        if (!c)
                return err_nomem(err);
        r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(j, "version", CONTINUATION_VERSION, CONTINUATION_VERSION, &version, err);
        if (r >= 0)
                r = last_from_json(j, c, err);
        if (r >= 0)
                r = policy_from_json(j, &c->effective_policy, err);
        if (r >= 0)
                r = json_get_int(j, "pcr", 0, PCR_COUNT - 1, &pcr, err);
        if (r >= 0)
                r = digest_from_json(j, "pcr_value", &c->pcr_value, err);
        if (r >= 0)
                r = json_get_int(j, "cel_entries", 0, INT64_MAX, &entries, err);
        if (r >= 0)
                r = all_measured_from_json(j, c, err);
        if (r >= 0)
                r = launches_from_json(j, &c->launches, err);
        if (r >= 0)
                r = json_opt_object(j, "ima", &ima, err);
        if (r == 1)
                r = ima_memory_from_json(ima, &c->ima, err);
        if (r >= 0)
                r = json_opt_object(j, "boot", &boot, err);
        if (r == 1)
                r = boot_memory_from_json(boot, &c->boot, err);
        if (r < 0)
                return err_wrap(err, "continuation");
        c->pcr = (unsigned)pcr;
        c->cel_entries = (uint64_t)entries;
        *ret = TAKE(c);
        return 0;
}
