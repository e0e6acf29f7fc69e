/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement lists: templates, the kernel's binary form, and what both forms share. ima_text.c has the
 * other. */
#include "evidence/ima.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/digest_short.h"
#include "evidence/ima_reader.h"

#define OLD_DIGEST_BYTES 20
#define OLD_NAME_BYTES   (IMA_NAME_MAX + 1)

/* ---- templates ---- */

static const struct {
        const char *name, *fields;
} known[] = {
        {"ima", "d|n"},
        {"ima-ng", "d-ng|n-ng"},
        {"ima-sig", "d-ng|n-ng|sig"},
        {"ima-ngv2", "d-ngv2|n-ng"},
        {"ima-sigv2", "d-ngv2|n-ng|sig"},
        {"ima-buf", "d-ng|n-ng|buf"},
        {"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"},
        {"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"},
};

static const char *const field_names[IMA_N_FIELDS] = {
        [IMA_D] = "d",
        [IMA_N] = "n",
        [IMA_D_NG] = "d-ng",
        [IMA_D_NGV2] = "d-ngv2",
        [IMA_N_NG] = "n-ng",
        [IMA_SIG] = "sig",
        [IMA_BUF] = "buf",
        [IMA_D_MODSIG] = "d-modsig",
        [IMA_MODSIG] = "modsig",
        [IMA_EVMSIG] = "evmsig",
        [IMA_IUID] = "iuid",
        [IMA_IGID] = "igid",
        [IMA_IMODE] = "imode",
        [IMA_XATTRNAMES] = "xattrnames",
        [IMA_XATTRLENGTHS] = "xattrlengths",
        [IMA_XATTRVALUES] = "xattrvalues",
};

const char *ima_field_name(enum ima_field field)
{
        return field_names[field];
}

static bool field_by_name(struct view name, enum ima_field *ret)
{
        for (size_t i = 0; i < IMA_N_FIELDS; i++)
                if (view_equal(name, view_str(field_names[i]))) {
                        *ret = (enum ima_field)i;
                        return true;
                }
        return false;
}

static bool parse_fields(struct view list, struct ima_template *ret)
{
        for (;;) {
                const uint8_t *bar = memchr(list.p, '|', list.len);
                size_t len = bar ? (size_t)(bar - list.p) : list.len;

                if (ret->n == IMA_FIELDS_MAX || !field_by_name(VIEW(list.p, len), &ret->fields[ret->n]))
                        return false;
                ret->n++;
                if (!bar)
                        return true;
                list = VIEW(bar + 1, list.len - len - 1);
        }
}

bool ima_template_parse(struct view name, struct ima_template *ret)
{
        struct view fields = name;

        *ret = (struct ima_template){.n = 0};
        if (name.len == 0 || name.len > IMA_TEMPLATE_MAX || memchr(name.p, '\0', name.len))
                return false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
                if (view_equal(name, view_str(known[i].name)))
                        fields = view_str(known[i].fields);
        memcpy(ret->name, name.p, name.len);
        ret->old = view_equal(name, view_str("ima"));
        return parse_fields(fields, ret);
}

/* Whole lists are of one or two templates: each is parsed when it changes. */
const struct ima_template *ima_template_of(struct ima_reader *r, struct view name)
{
        if (r->form_known && view_equal(name, VIEW(r->form.name, r->form_name_len)))
                return &r->form;
        r->form_known = ima_template_parse(name, &r->form);
        r->form_name_len = name.len;
        return r->form_known ? &r->form : NULL;
}

/* ---- what both forms share ---- */

int ima_reader_new(const struct ima_list *list, struct ima_reader **ret, struct err *err)
{
        struct ima_reader *r = mem_zalloc(1, sizeof(*r));

        if (!r)
                return err_nomem(err);
        r->list = *list;
        r->number = list->first;
        r->hash_len = digest_size(list->log_hash);
        *ret = r;
        return 0;
}

void ima_reader_free(struct ima_reader *r)
{
        if (!r)
                return;
        buf_free(&r->scratch);
        free(r);
}

bool ima_hash_fits(const struct ima_reader *r, const struct ima_entry *e)
{
        uint8_t hash[DIGEST_BYTES_MAX];

        digest_short(r->list.log_hash, e->data, VIEW_NONE, hash);
        return view_equal(VIEW(hash, r->hash_len), e->template_hash);
}

bool ima_hash_is_zero(struct view hash)
{
        size_t i = 0;

        while (i < hash.len && hash.p[i] == 0)
                i++;
        return i == hash.len;
}

int ima_bad(const struct ima_reader *r, size_t at, struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "entry %llu of the measurement list, at byte %zu: %s",
                       (unsigned long long)r->number, at, what);
}

/* The data of the template "ima" as it is hashed. Its fields stay where they were. */
int ima_old_data(struct ima_reader *r, struct ima_entry *e, struct err *err)
{
        static const uint8_t zeros[OLD_NAME_BYTES];

        if (e->field[1].len > OLD_NAME_BYTES - 1)
                return ima_bad(r, e->at, err, "its name is longer than the template has room for");
        buf_reset(&r->scratch);
        buf_put_view(&r->scratch, e->field[0]);
        buf_put_view(&r->scratch, e->field[1]);
        buf_put(&r->scratch, zeros, OLD_NAME_BYTES - e->field[1].len);
        if (!buf_ok(&r->scratch))
                return err_nomem(err);
        e->data = VIEW_BUF(&r->scratch);
        return 0;
}

/* ---- the binary form ---- */

static bool split_fields(struct ima_entry *e)
{
        struct cursor c = cursor_of(e->data);

        for (size_t i = 0; i < e->form->n; i++)
                if (!cursor_le32_bytes(&c, &e->field[i]))
                        return false;
        return c.left == 0;
}

static int read_old(struct ima_reader *r, struct cursor *c, struct ima_entry *e, struct err *err)
{
        if (!cursor_take(c, OLD_DIGEST_BYTES, &e->field[0]) || !cursor_le32_bytes(c, &e->field[1]))
                return ima_bad(r, e->at, err, "the list ends inside it");
        return ima_old_data(r, e, err);
}

static int read_binary(struct ima_reader *r, struct cursor *c, struct ima_entry *e, struct err *err)
{
        struct view name;

        if (!cursor_le32(c, &e->pcr) || !cursor_take(c, r->hash_len, &e->template_hash) ||
            !cursor_le32_bytes(c, &name))
                return ima_bad(r, e->at, err, "the list ends inside its head");
        if (name.len == 0 || name.len > IMA_TEMPLATE_MAX)
                return ima_bad(r, e->at, err, "its template's name has no such length");
        e->form = ima_template_of(r, name);
        if (!e->form)
                return ima_bad(r, e->at, err, "its template is not known");
        if (e->form->old)
                return read_old(r, c, e, err);
        if (!cursor_le32_bytes(c, &e->data))
                return ima_bad(r, e->at, err, "the list ends inside it");
        if (e->data.len > IMA_ENTRY_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "entry %llu of the measurement list has %zu bytes of data",
                               (unsigned long long)r->number, e->data.len);
        if (!split_fields(e))
                return ima_bad(r, e->at, err, "its data is not made of its template's fields");
        return 0;
}

static int next_binary(struct ima_reader *r, struct ima_entry *e, struct err *err)
{
        struct cursor c = cursor_of(VIEW(r->list.bytes.p + r->at, r->list.bytes.len - r->at));
        int n;

        e->at = r->at;
        e->number = r->number;
        n = read_binary(r, &c, e, err);
        if (n < 0)
                return n;
        e->len = c.at;
        e->violation = ima_hash_is_zero(e->template_hash);
        if (!e->violation && !r->list.checked && !ima_hash_fits(r, e))
                return ima_bad(r, e->at, err, "its template hash is not the hash of its data");
        return 1;
}

int ima_next(struct ima_reader *r, struct ima_entry *ret, struct err *err)
{
        int n;

        if (r->at == r->list.bytes.len)
                return 0;
        n = r->list.form == IMA_TEXT ? ima_next_text(r, ret, err) : next_binary(r, ret, err);
        if (n < 0)
                return n;
        r->at += ret->len;
        r->number++;
        return 1;
}
