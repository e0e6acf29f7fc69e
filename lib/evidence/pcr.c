/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR selections and values of one bank.
 *
 * A quote signs a selection and one digest over all selected values, so two things must hold before a value
 * is believed: the PCR numbers come from the signed selection and from nowhere else (values that a host
 * merely labels "PCR 15" prove nothing), and the digest over the values, in ascending order of PCR, is the
 * signed one.
 *
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §10.6.1 (TPMS_PCR_SELECT), §10.9.7; Part 3 §18.4.
 */
#include "evidence/pcr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define PCR_MASK_ALL ((1u << PCR_COUNT) - 1)

static int read_selection(struct cursor *c, struct pcr_selection_list *list, struct err *err)
{
        struct view map;
        uint16_t alg;
        uint8_t size;
        uint32_t mask = 0;

        if (!cursor_be16(c, &alg) || !cursor_u8(c, &size) || !cursor_take(c, size, &map))
                return err_set(err, ERR_FORMAT, 0, "PCR selection %u is cut short", list->n);
        if (size < 1 || size > 4)
                return err_set(err, ERR_FORMAT, 0, "PCR selection %u has a map of %u bytes", list->n, size);
        for (size_t i = 0; i < map.len; i++)
                mask |= (uint32_t)map.p[i] << (8 * i);
        if (mask & ~PCR_MASK_ALL)
                return err_set(err, ERR_FORMAT, 0, "PCR selection %u names a PCR above 23", list->n);
        list->v[list->n].alg = alg;
        list->v[list->n].size = size;
        list->v[list->n].mask = mask;
        list->n++;
        return 0;
}

int pcr_selection_list_read(struct cursor *c, struct pcr_selection_list *ret, struct err *err)
{
        struct pcr_selection_list list = {.n = 0};
        struct cursor at = *c;
        uint32_t count;

        if (!cursor_be32(&at, &count))
                return err_set(err, ERR_FORMAT, 0, "PCR selection list is cut short");
        if (count > PCR_SELECTIONS_MAX)
                return err_set(err, ERR_LIMIT, 0, "PCR selection list of %u entries (at most %d)", count,
                               PCR_SELECTIONS_MAX);
        for (uint32_t i = 0; i < count; i++) {
                int r = read_selection(&at, &list, err);

                if (r < 0)
                        return r;
        }
        *c = at;
        *ret = list;
        return 0;
}

void pcr_selection_list_write(const struct pcr_selection_list *list, struct buf *out)
{
        buf_be32(out, list->n);
        for (uint32_t i = 0; i < list->n; i++) {
                buf_be16(out, list->v[i].alg);
                buf_u8(out, list->v[i].size);
                for (unsigned k = 0; k < list->v[i].size; k++)
                        buf_u8(out, (uint8_t)(list->v[i].mask >> (8 * k)));
        }
}

int pcr_selection_of_list(const struct pcr_selection_list *list, struct pcr_selection *ret, struct err *err)
{
        struct pcr_selection sel = {.mask = 0};

        for (uint32_t i = 0; i < list->n; i++) {
                if (!list->v[i].mask)
                        continue;
                if (sel.mask)
                        return err_set(err, ERR_FORMAT, 0, "PCRs of more than one bank are selected");
                if (!digest_by_tpm_alg(list->v[i].alg, &sel.bank))
                        return err_set(err, ERR_FORMAT, 0, "PCR bank 0x%04x is not known", list->v[i].alg);
                sel.mask = list->v[i].mask;
        }
        if (!sel.mask)
                return err_set(err, ERR_FORMAT, 0, "no PCR is selected");
        *ret = sel;
        return 0;
}

bool pcr_selection_equal(const struct pcr_selection *a, const struct pcr_selection *b)
{
        return a->bank == b->bank && a->mask == b->mask;
}

bool pcr_selection_answers(const struct pcr_selection *is_signed, const struct pcr_selection *asked)
{
        return is_signed->bank == asked->bank &&
               (is_signed->mask == asked->mask || is_signed->mask == (asked->mask | 1u << 16));
}

char *pcr_selection_text(const struct pcr_selection *sel)
{
        struct buf b = {0};
        const char *name = digest_name(sel->bank);
        const char *sep = ":";
        char *text;

        buf_str(&b, name ? name : "unknown");
        for (unsigned i = 0; i < PCR_COUNT; i++) {
                if (!(sel->mask & 1u << i))
                        continue;
                buf_fmt(&b, "%s%u", sep, i);
                sep = ",";
        }
        text = buf_take_str(&b);
        buf_free(&b);
        return text;
}

int pcr_selection_parse(const char *text, struct pcr_selection *ret, struct err *err)
{
        struct pcr_selection sel = {.mask = 0};
        const char *at = strchr(text, ':');
        AUTO(mem_free_p)
        char *bank = at ? str_ndup(text, (size_t)(at - text)) : NULL;

        if (!bank || !digest_by_name(bank, &sel.bank) || sel.bank == DIGEST_SHA1)
                return err_set(err, ERR_CONFIG, 0, "%s: expected BANK:N,… with sha256, sha384 or sha512",
                               SHOW(text));
        do {
                size_t n = strcspn(++at, ",");
                int64_t pcr;

                if (str_parse_int(VIEW(at, n), 0, PCR_COUNT - 1, &pcr, err) < 0 || sel.mask >> pcr & 1) {
                        err_clear(err);
                        return err_set(err, ERR_CONFIG, 0, "%s: expected numbers of 0 to %d, each once",
                                       SHOW(text), PCR_COUNT - 1);
                }
                sel.mask |= 1u << pcr;
                at += n;
        } while (*at);
        *ret = sel;
        return 0;
}

void pcr_selection_put(struct json_out *o, const char *name, const struct pcr_selection *sel)
{
        json_out_object(o, name);
        json_out_array(o, digest_name(sel->bank));
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (sel->mask & 1u << i)
                        json_out_int(o, NULL, i);
        json_out_array_end(o);
        json_out_object_end(o);
}

static void put_selection(struct json_out *o, const char *name, const void *sel)
{
        pcr_selection_put(o, name, sel);
}

json_t *pcr_selection_to_json(const struct pcr_selection *sel)
{
        return json_out_tree(put_selection, sel);
}

/* The one member of {"sha256": …}: its bank and value. */
static int only_bank(const json_t *j, enum digest_alg *ret_bank, const json_t **ret_value, struct err *err)
{
        void *it;

        if (!json_is_object(j) || json_object_size(j) != 1)
                return err_set(err, ERR_FORMAT, 0, "expected an object with one PCR bank");
        it = json_object_iter((json_t *)j); /* the iterator reads only */
        if (!digest_by_name(json_object_iter_key(it), ret_bank))
                return err_set(err, ERR_FORMAT, 0, "PCR bank %s is not known",
                               SHOW(json_object_iter_key(it)));
        *ret_value = json_object_iter_value(it);
        return 0;
}

int pcr_selection_from_json(const json_t *j, struct pcr_selection *ret, struct err *err)
{
        struct pcr_selection sel = {.mask = 0};
        const json_t *list = NULL;
        int r = only_bank(j, &sel.bank, &list, err);

        if (r < 0)
                return r;
        if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > PCR_COUNT)
                return err_set(err, ERR_FORMAT, 0, "expected a list of 1 to 24 PCR numbers");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *e = json_array_get(list, i);
                json_int_t n = json_is_integer(e) ? json_integer_value(e) : -1;

                if (n < 0 || n >= PCR_COUNT)
                        return err_set(err, ERR_FORMAT, 0, "PCR %zu of the list is no number of 0 to 23", i);
                if (sel.mask >> n)
                        return err_set(err, ERR_FORMAT, 0, "PCR %d is out of order", (int)n);
                sel.mask |= 1u << n;
        }
        *ret = sel;
        return 0;
}

int pcr_values_digest(const struct pcr_values *values, uint32_t mask, enum digest_alg hash,
                      struct digest *ret, struct err *err)
{
        struct view parts[PCR_COUNT];
        size_t n = 0;

        if (mask & ~values->mask)
                return err_set(err, ERR_FORMAT, 0, "a selected PCR has no value");
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (mask & 1u << i)
                        parts[n++] = digest_view(&values->v[i]);
        return digest_parts(hash, parts, n, ret, err);
}

int pcr_values_pack(const struct pcr_values *values, struct pcr_packed *ret, struct err *err)
{
        size_t size = digest_size(values->bank), n = 0;
        struct pcr_packed p = {.bank = values->bank, .mask = values->mask};

        if (values->mask) {
                p.b = mem_zalloc((size_t)__builtin_popcount(values->mask), size);
                if (!p.b)
                        return err_nomem(err);
        }
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (values->mask & 1u << i)
                        memcpy(p.b + size * n++, values->v[i].b, size);
        pcr_packed_done(ret);
        *ret = p;
        return 0;
}

void pcr_values_unpack(const struct pcr_packed *packed, struct pcr_values *ret)
{
        size_t size = digest_size(packed->bank), n = 0;

        ret->bank = packed->bank;
        ret->mask = packed->mask;
        for (unsigned i = 0; i < PCR_COUNT; i++) {
                if (!(packed->mask & 1u << i))
                        continue;
                ret->v[i].alg = packed->bank;
                ret->v[i].len = (uint8_t)size;
                memcpy(ret->v[i].b, packed->b + size * n++, size);
        }
}

void pcr_packed_done(struct pcr_packed *p)
{
        free(p->b);
        *p = (struct pcr_packed){.b = NULL};
}

void pcr_values_put(struct json_out *o, const char *name, const struct pcr_values *values)
{
        char key[8];

        json_out_object(o, name);
        json_out_object(o, digest_name(values->bank));
        for (unsigned i = 0; i < PCR_COUNT; i++) {
                if (!(values->mask & 1u << i))
                        continue;
                (void)snprintf(key, sizeof(key), "%u", i); /* two digits at most */
                json_out_hex(o, key, digest_view(&values->v[i]));
        }
        json_out_object_end(o);
        json_out_object_end(o);
}

static void put_values(struct json_out *o, const char *name, const void *values)
{
        pcr_values_put(o, name, values);
}

json_t *pcr_values_to_json(const struct pcr_values *values)
{
        return json_out_tree(put_values, values);
}

static int value_from_json(const char *key, const json_t *value, struct pcr_values *values, struct err *err)
{
        uint64_t n = 0;
        int r = str_parse_uint(view_str(key), PCR_COUNT - 1, &n, err);
        uint8_t bytes[DIGEST_BYTES_MAX];
        size_t size = digest_size(values->bank);

        if (r < 0)
                return err_wrap(err, "PCR number %s", SHOW(key));
        if (!json_is_string(value))
                return err_set(err, ERR_FORMAT, 0, "PCR %s: expected a string", key);
        r = hex_decode_exact(VIEW(json_string_value(value), json_string_length(value)), bytes, size, err);
        if (r == 0)
                r = digest_set(values->bank, VIEW(bytes, size), &values->v[n], err);
        if (r < 0)
                return err_wrap(err, "PCR %s", key);
        values->mask |= 1u << n;
        return 0;
}

int pcr_values_from_json(const json_t *j, struct pcr_values *ret, struct err *err)
{
        struct pcr_values values = {.mask = 0};
        const json_t *map = NULL;
        const char *key;
        json_t *value;
        int r = only_bank(j, &values.bank, &map, err);

        if (r < 0)
                return r;
        if (!json_is_object(map) || json_object_size(map) < 1)
                return err_set(err, ERR_FORMAT, 0, "expected an object of PCR values");
        json_object_foreach ((json_t *)map, key, value) {
                r = value_from_json(key, value, &values, err);
                if (r < 0)
                        return r;
        }
        *ret = values;
        return 0;
}
