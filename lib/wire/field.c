/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the messages share: members that occur in several of them, and JSON:API's frame.
 *
 * The sender of every one of these is a peer that may be hostile or broken: a host that root has taken, a
 * stranger at the anonymous routes, a server that somebody else runs. base/json.h has already bounded size
 * and depth and refused duplicates; here each member gets its own type and limit.
 */
#include "wire/field.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"

int field_host(const json_t *obj, const char *name, char ret[static WIRE_HOST_MAX + 1], struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(obj, name, &s, err);
        if (r < 0)
                return r;
        if (!str_valid_host_id(s) || strlen(s) > WIRE_HOST_MAX)
                return err_set(err, ERR_FORMAT, 0,
                               "member '%s': a host id is 1 to 80 letters, digits, '_', '.' or '-'", name);
        memcpy(ret, s, strlen(s) + 1);
        return 0;
}

int field_opt_text(const json_t *obj, const char *name, size_t max, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(obj, name, &s, err);
        if (r < 0)
                return r;
        if (r == 0 || s[0] == '\0')
                return 0;
        if (strlen(s) > max)
                return err_set(err, ERR_LIMIT, 0, "member '%s': longer than %zu characters", name, max);
        char *copy = str_dup(s);
        if (copy == NULL)
                return err_nomem(err);
        free(*ret);
        *ret = copy;
        return 1;
}

int field_opt_bytes(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(obj, name, &s, err);
        if (r < 0)
                return r;
        if (r == 0 || s[0] == '\0')
                return 0;
        r = base64_decode_lax(view_str(s), max, ret, err);
        if (r < 0)
                return err_wrap(err, "member '%s'", name);
        return 1;
}

int field_count(const json_t *obj, const char *name, uint64_t *ret, struct err *err)
{
        int64_t n = 0;
        int r = json_get_int(obj, name, 0, INT64_MAX, &n, err);
        if (r < 0)
                return r;
        *ret = (uint64_t)n;
        return 0;
}

int field_algs(const json_t *obj, const char *name, uint16_t (*by_name)(const char *),
               uint16_t ret[static WIRE_LIST_MAX], size_t *ret_n, struct err *err)
{
        const json_t *list = NULL;
        int r = json_opt_array(obj, name, WIRE_LIST_MAX, &list, err);
        if (r < 0)
                return r;
        size_t n = 0;
        for (size_t i = 0; r > 0 && i < json_array_size(list); i++) {
                const char *s = json_string_value(json_array_get(list, i));
                if (s == NULL)
                        return err_set(err, ERR_FORMAT, 0, "member '%s': expected an array of text", name);
                uint16_t id = by_name(s);
                if (id != 0)
                        ret[n++] = id;
        }
        *ret_n = n;
        return 0;
}

int field_set_algs(json_t *obj, const char *name, const char *(*name_of)(uint16_t), const uint16_t *algs,
                   size_t n)
{
        json_t *list = json_array();
        int r = 0;
        for (size_t i = 0; i < n; i++)
                r |= json_array_append_new(list, json_string(name_of(algs[i])));
        return r | json_object_set_new(obj, name, list);
}

/* One bank's list of PCR numbers. */
static int pcr_list(const json_t *list, const char *bank, uint32_t *ret, struct err *err)
{
        if (!json_is_array(list) || json_array_size(list) > 24)
                return err_set(err, ERR_FORMAT, 0, "bank '%s': expected an array of at most 24 PCR numbers",
                               bank);
        uint32_t pcrs = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *e = json_array_get(list, i);
                json_int_t n = json_integer_value(e);
                if (!json_is_integer(e) || n < 0 || n > 23)
                        return err_set(err, ERR_FORMAT, 0, "bank '%s': a PCR number is 0 to 23", bank);
                if ((pcrs & (UINT32_C(1) << n)) != 0)
                        return err_set(err, ERR_FORMAT, 0, "bank '%s': PCR %d twice", bank, (int)n);
                pcrs |= UINT32_C(1) << n;
        }
        *ret = pcrs;
        return 0;
}

int field_banks(const json_t *obj, const char *name, struct wire_banks *ret, struct err *err)
{
        const json_t *map = NULL;
        int r = json_get_object(obj, name, &map, err);
        if (r < 0)
                return r;
        struct wire_banks banks = {.n = 0};
        const char *key;
        json_t *list;
        json_object_foreach ((json_t *)map, key, list) {
                uint16_t alg = wire_hash_by_name(key);
                if (alg == 0 || json_is_null(list))
                        continue;
                uint32_t pcrs = 0;
                r = pcr_list(list, key, &pcrs, err);
                if (r < 0)
                        return err_wrap(err, "member '%s'", name);
                /* At most one of each name that we know, so the array cannot overflow. */
                if (pcrs != 0)
                        banks.bank[banks.n++] = (struct wire_bank){alg, pcrs};
        }
        *ret = banks;
        return 0;
}

int field_set_banks(json_t *obj, const char *name, const struct wire_banks *banks)
{
        json_t *map = json_object();
        int r = 0;
        for (size_t i = 0; i < banks->n; i++) {
                json_t *list = json_array();
                for (int n = 0; n < 24; n++)
                        if ((banks->bank[i].pcrs & (UINT32_C(1) << n)) != 0)
                                r |= json_array_append_new(list, json_integer(n));
                const char *bank = wire_hash_name(banks->bank[i].alg);
                r |= json_object_set_new(map, bank != NULL ? bank : "", list);
        }
        return r | json_object_set_new(obj, name, map);
}

int field_emit(json_t *root, int r, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = root;
        AUTO(mem_free_p)
        char *text = r == 0 && j != NULL ? json_print(j) : NULL;
        if (text == NULL)
                return err_nomem(err);
        buf_str(ret, text);
        if (!buf_ok(ret))
                return err_nomem(err);
        return 0;
}

static int document_read(struct document *d, const char *type, struct err *err)
{
        static const char *const top[] = {"data", "errors", "meta", "links", "jsonapi", "included"};
        int r = json_only(d->root, top, ARRAY_LEN(top), err);
        if (r < 0)
                return r;
        r = json_get_object(d->root, "data", &d->data, err);
        if (r < 0)
                return r;
        const char *got = NULL;
        r = json_get_str(d->data, "type", &got, err);
        if (r < 0)
                return err_wrap(err, "member 'data'");
        if (strcmp(got, type) != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'data': expected a resource of type '%s'", type);
        r = json_opt_str(d->data, "id", &d->id, err);
        if (r < 0)
                return err_wrap(err, "member 'data'");
        r = json_get_object(d->data, "attributes", &d->attributes, err);
        if (r < 0)
                return err_wrap(err, "member 'data'");
        r = json_opt_object(d->root, "meta", &d->meta, err);
        if (r <= 0)
                return r;
        r = json_opt_object(d->meta, "avow", &d->avow, err);
        return r < 0 ? err_wrap(err, "member 'meta'") : 0;
}

int document_open(struct view body, size_t max, const char *type, struct document *ret, struct err *err)
{
        struct document d = {.root = NULL};
        int r = json_parse(body, max, &d.root, err);
        if (r < 0)
                return r;
        if (!json_is_object(d.root))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        else
                r = document_read(&d, type, err);
        if (r < 0) {
                document_close(&d);
                return r;
        }
        *ret = d;
        return 0;
}

void document_close(struct document *d)
{
        json_decref(d->root);
        *d = (struct document){.root = NULL};
}

json_t *document_new(const char *type, const char *id, json_t *attributes, json_t *meta, const char *self)
{
        AUTO(json_free_p)
        json_t *root = json_object();
        json_t *data = json_object();
        json_t *api = json_object();
        int r = json_set_str(data, "type", type);
        if (id != NULL)
                r |= json_set_str(data, "id", id);
        if (self != NULL) {
                json_t *links = json_object();
                r |= json_set_str(links, "self", self);
                r |= json_object_set_new(data, "links", links);
        }
        r |= json_object_set_new(data, "attributes", attributes);
        r |= json_object_set_new(root, "data", data);
        if (meta != NULL)
                r |= json_object_set_new(root, "meta", meta);
        r |= json_set_str(api, "version", "1.1");
        r |= json_object_set_new(root, "jsonapi", api);
        return r == 0 ? TAKE(root) : NULL;
}

json_t *meta_new(json_t *avow)
{
        json_t *meta = json_object();
        if (json_object_set_new(meta, "avow", avow) == 0)
                return meta;
        json_decref(meta);
        return NULL;
}
