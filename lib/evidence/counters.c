/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters of a host against what is remembered of them.
 *
 * Both indices are named by what they are: number, attributes and the write policy with the host's counter
 * key. So the names are rebuilt here from the key and the numbers that came with the evidence, and a
 * statement that the AK signed over another name is refused. Which key and numbers they may be, the first
 * authentic evidence says; from then on they are fixed, and values only grow. A value below the highest is an
 * old state of the TPM (SR-17): of a virtual one, because no other can be put back. That is not the host's
 * software breaking policy, so it fails nobody; but nothing passes any more until somebody enrols the host
 * anew.
 *
 * To leave the counters out is no way around: what was shown once must be shown again.
 */
#include "evidence/counters.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/pubkey.h"
#include "evidence/authenticate.h"
#include "evidence/counter_check.h"
#include "evidence/sealed.h"

/* ---- as JSON ---- */

static void put_one(struct json_out *o, const char *name, const struct counter_record *c)
{
        json_out_object(o, name);
        json_out_int(o, "index", c->index);
        if (c->name.len)
                json_out_hex(o, "name", tpm_name_view(&c->name));
        json_out_int(o, "value", (int64_t)c->value);
        json_out_object_end(o);
}

void counters_put(struct json_out *o, const char *name, const struct counters_record *c)
{
        json_out_object(o, name);
        put_one(o, "epoch", &c->epoch);
        put_one(o, "floor", &c->floor);
        json_out_base64(o, "key", VIEW(c->key, c->key_len));
        json_out_object_end(o);
}

static int one_from_json(const json_t *j, const char *name, struct counter_record *ret, struct err *err)
{
        static const char *const names[] = {"index", "name", "value"};
        AUTO(buf_free)
        struct buf said = {0};
        const json_t *obj = NULL;
        int64_t index = 0, value = 0;
        int r = json_get_object(j, name, &obj, err);

        if (r >= 0)
                r = json_only(obj, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(obj, "index", 1, UINT32_MAX, &index, err);
        if (r >= 0)
                r = json_get_int(obj, "value", 0, INT64_MAX, &value, err);
        if (r >= 0)
                r = json_get_hex(obj, "name", TPM_NAME_BYTES_MAX, &said, err);
        if (r < 0)
                return err_wrap(err, "member '%s'", name);
        *ret = (struct counter_record){.index = (uint32_t)index, .value = (uint64_t)value};
        ret->name.len = (uint8_t)said.len;
        if (said.len)
                memcpy(ret->name.b, said.p, said.len);
        return 0;
}

static bool same_name(const struct tpm_name *a, const struct tpm_name *b)
{
        return equal_ct(a->b, a->len, b->b, b->len);
}

int counters_from_json(const json_t *j, struct counters_record *ret, struct err *err)
{
        static const char *const names[] = {"epoch", "floor", "key"};
        struct counters_record c = {.known = true}, built;
        AUTO(buf_free)
        struct buf key = {0};
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_base64(j, "key", sizeof(c.key), &key, err);
        if (r >= 0)
                r = one_from_json(j, "epoch", &c.epoch, err);
        if (r >= 0)
                r = one_from_json(j, "floor", &c.floor, err);
        if (r < 0)
                return r;
        r = counters_set(&built, VIEW_BUF(&key), c.epoch.index, c.floor.index, err);
        if (r < 0)
                return r;
        if (!same_name(&built.epoch.name, &c.epoch.name) || !same_name(&built.floor.name, &c.floor.name))
                return err_set(err, ERR_FORMAT, 0, "a counter's name is not that of its index and key");
        built.epoch.value = c.epoch.value;
        built.floor.value = c.floor.value;
        *ret = built;
        return 0;
}

/* ---- what they are ---- */

int counters_set(struct counters_record *ret, struct view key, uint32_t epoch_index, uint32_t floor_index,
                 struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *agent = NULL;
        struct counters_record c = {.known = true,
                                    .key_len = key.len,
                                    .epoch = {.index = epoch_index},
                                    .floor = {.index = floor_index}};
        int r;

        if (key.len > sizeof(c.key))
                return err_set(err, ERR_FORMAT, 0, "a counter key of %zu bytes", key.len);
        r = pubkey_from_spki(key, &agent, err);
        if (r >= 0 && pubkey_curve(agent) != CURVE_P256)
                r = err_set(err, ERR_FORMAT, 0, "it is no P-256 key");
        if (r >= 0 && epoch_index == floor_index)
                r = err_set(err, ERR_FORMAT, 0, "one index cannot be both counters");
        if (r >= 0)
                r = sealed_counter_name(epoch_index, agent, &c.epoch.name, err);
        if (r >= 0)
                r = sealed_counter_name(floor_index, agent, &c.floor.name, err);
        if (r < 0)
                return err_wrap(err, "counters");
        memcpy(c.key, key.p, key.len);
        *ret = c;
        return 0;
}

static bool is_claimed(const struct counters_record *c, const struct counters_claim *claim)
{
        return equal_ct(c->key, c->key_len, claim->key.p, claim->key.len) &&
               c->epoch.index == claim->epoch.index && c->floor.index == claim->floor.index;
}

/* ---- judging ---- */

struct judging_counters {
        const struct evidence *e;
        const struct expectation *x;
        const struct tpm_clock *clock; /* as quoted */
        struct verdict *v;
};

/* The AK says something about counters that it does not say about this host's, for this challenge. */
static int refuse(const struct judging_counters *j, const char *which, const char *why, struct err *err)
{
        struct finding f = {
                .code = "counter-statement",
                .severity = SEVERITY_CRITICAL,
                .what = "a counter's statement is not this host's own for the outstanding challenge",
                .log = which,
                .entry = FINDING_NO_ENTRY,
                .found = why,
                .remedy = "Once, after a lost connection, it can be ignored. Repeated, somebody replays or "
                          "relays evidence, or has redefined the index: look at the audit log for the "
                          "address, and at the index on the host (tpm2_nvreadpublic).",
        };

        j->v->state = VERDICT_REFUSED;
        return verdict_add(j->v, &f, err);
}

/* Return: 1 with the value in *ret; 0: refused; < 0. */
static int read_counter(const struct judging_counters *j, const char *which,
                        const struct counter_claim *claim, struct counter_record *ret, struct err *err)
{
        struct counter_shown shown = {.value = 0};
        const char *why = NULL;
        int r = counter_check(j->e->ak, j->e->ak_key, claim->message, claim->signature, j->x->qualifying,
                              tpm_name_view(&ret->name), &shown, &why, err);

        if (r < 0)
                return r;
        if (!why && (shown.clock.reset_count != j->clock->reset_count ||
                     shown.clock.restart_count != j->clock->restart_count))
                why = "the counter's value and the quote are of different boots";
        if (!why && shown.value > INT64_MAX)
                why = "a value that no counter can reach";
        if (why)
                return refuse(j, which, why, err);
        ret->value = shown.value;
        return 1;
}

static int undecided(const struct judging_counters *j, const struct finding *f, bool *ret_went_back,
                     struct err *err)
{
        *ret_went_back = true;
        j->v->state = verdict_worse(j->v->state, VERDICT_INCONCLUSIVE);
        return verdict_add(j->v, f, err) < 0 ? -ERR_NOMEM : 1;
}

static int missing(const struct judging_counters *j, bool were_known, bool *ret_went_back, struct err *err)
{
        struct finding f = {
                .code = "counters-missing",
                .severity = were_known ? SEVERITY_CRITICAL : SEVERITY_WARNING,
                .what = were_known ? "the evidence leaves out the counters that it showed before"
                                   : "the evidence has no epoch and floor counters: nothing can be sealed to "
                                     "this host, and nothing is released to it",
                .log = "counters",
                .entry = FINDING_NO_ENTRY,
                .remedy = "the agent's journal says why: an index that is taken by others "
                          "(tpm2_nvreadpublic), or an owner password that it was not given "
                          "(tpm.owner_auth)",
        };

        if (were_known)
                return undecided(j, &f, ret_went_back, err);
        return verdict_add(j->v, &f, err) < 0 ? -ERR_NOMEM : 1;
}

static int changed(const struct judging_counters *j, bool *ret_went_back, struct err *err)
{
        static const struct finding f = {
                .code = "counters-changed",
                .severity = SEVERITY_CRITICAL,
                .what = "the counters are others than those that were recorded for this host",
                .log = "counters",
                .entry = FINDING_NO_ENTRY,
                .remedy = "What was sealed to this host does not open any more. If the agent lost its state "
                          "folder, remove the host, add it again, and seal anew.",
        };

        return undecided(j, &f, ret_went_back, err);
}

/* Return: 1; < 0. */
static int compare(const struct judging_counters *j, const char *which, const struct counter_record *was,
                   const struct counter_record *is, bool *ret_went_back, struct err *err)
{
        char found[32], expected[48];
        struct finding f = {
                .code = "tpm-rolled-back",
                .severity = SEVERITY_CRITICAL,
                .what = "a counter of the TPM fell: an old state of a virtual TPM was restored",
                .log = which,
                .entry = FINDING_NO_ENTRY,
                .expected = expected,
                .found = found,
                .remedy = "Treat the host as taken: what a wipe destroyed may be back on it. Rotate its "
                          "secrets, and if the restore was meant, remove the host and add it again.",
        };

        if (is->value >= was->value)
                return 1;
        (void)snprintf(found, sizeof(found), "%llu", (unsigned long long)is->value); /* they fit */
        (void)snprintf(expected, sizeof(expected), "%llu or more", (unsigned long long)was->value);
        return undecided(j, &f, ret_went_back, err);
}

int counters_judge(const struct evidence *e, const struct expectation *x, const struct tpm_clock *clock,
                   struct verdict *v, struct counters_record *ret, bool *ret_went_back, struct err *err)
{
        const struct judging_counters j = {.e = e, .x = x, .clock = clock, .v = v};
        const struct counters_claim *claim = &e->counters;
        const bool were_known = x->counters && x->counters->known;
        struct counters_record is = {.known = false};
        int r;

        *ret = were_known ? *x->counters : (struct counters_record){.known = false};
        *ret_went_back = false;
        if (!claim->key.len)
                return missing(&j, were_known, ret_went_back, err);
        if (were_known && is_claimed(x->counters, claim)) {
                is = *x->counters; /* names and all */
        } else if ((r = counters_set(&is, claim->key, claim->epoch.index, claim->floor.index, err)) < 0) {
                if (r != -ERR_FORMAT)
                        return r;
                err_clear(err);
                return refuse(&j, "counters", "no P-256 key, or no two indices", err);
        }
        r = read_counter(&j, "epoch", &claim->epoch, &is.epoch, err);
        if (r > 0)
                r = read_counter(&j, "floor", &claim->floor, &is.floor, err);
        if (r <= 0)
                return r;
        if (were_known && !is_claimed(x->counters, claim))
                return changed(&j, ret_went_back, err);
        if (were_known) {
                r = compare(&j, "epoch", &x->counters->epoch, &is.epoch, ret_went_back, err);
                if (r > 0)
                        r = compare(&j, "floor", &x->counters->floor, &is.floor, ret_went_back, err);
        }
        if (r > 0 && !*ret_went_back)
                *ret = is;
        return r;
}
