/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of a measurement mean. */
#include <string.h>

#include "evidence/ima_reader.h"

static int bad_field(const struct ima_entry *e, size_t i, struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "entry %llu of the measurement list: field %s: %s",
                       (unsigned long long)e->number, ima_field_name(e->form->fields[i]), what);
}

/* "WORDS:" NUL digest. WORDS hold no NUL. */
static bool split_digest(struct view field, struct view *ret_words, struct view *ret_digest)
{
        const uint8_t *end = memchr(field.p, '\0', field.len);
        size_t n;

        if (!end || end == field.p || end[-1] != ':')
                return false;
        n = (size_t)(end - field.p);
        *ret_words = VIEW(field.p, n - 1);
        *ret_digest = VIEW(end + 1, field.len - n - 1);
        return true;
}

/* Of an algorithm, ours or not. */
static bool is_name(struct view word)
{
        return word.len > 0 && word.len < 32;
}

static bool take_digest(const struct ima_entry *e, struct view field, bool typed, struct ima_event *ret)
{
        struct view words;
        const uint8_t *colon;

        if (!split_digest(field, &words, &ret->digest))
                return false;
        colon = memchr(words.p, ':', words.len);
        if (typed != (colon != NULL))
                return false;
        if (colon) {
                struct view type = VIEW(words.p, (size_t)(colon - words.p));

                ret->measured = view_equal(type, view_str("verity")) ? IMA_VERITY : IMA_FILE;
                if (ret->measured == IMA_FILE && !view_equal(type, view_str("ima")))
                        return false;
                words = VIEW(colon + 1, words.len - type.len - 1);
        }
        if (!is_name(words))
                return false;
        ret->alg_name = words;
        ret->alg_known = digest_by_word(words, &ret->alg);
        return e->violation || !ret->alg_known || ret->digest.len == digest_size(ret->alg);
}

static bool take_modsig_digest(struct view field, struct ima_event *ret)
{
        return field.len == 0 || (split_digest(field, &ret->modsig_alg_name, &ret->modsig_digest) &&
                                  is_name(ret->modsig_alg_name));
}

/* Text that ends with its only NUL. */
static bool take_text(struct view field, struct view *ret)
{
        if (field.len == 0 || memchr(field.p, '\0', field.len) != field.p + field.len - 1)
                return false;
        *ret = VIEW(field.p, field.len - 1);
        return true;
}

static bool take_owner(struct view field, enum ima_field which, struct ima_event *ret)
{
        struct cursor c = cursor_of(field);

        if (field.len == 0)
                return true;
        ret->has_owner = true;
        if (which == IMA_IMODE)
                return cursor_le16(&c, &ret->mode) && c.left == 0;
        return cursor_le32(&c, which == IMA_IUID ? &ret->uid : &ret->gid) && c.left == 0;
}

static bool take_old(const struct ima_entry *e, enum ima_field which, struct view field,
                     struct ima_event *ret)
{
        if (which == IMA_D) {
                ret->alg_name = view_str("sha1");
                ret->alg_known = true;
                ret->alg = DIGEST_SHA1;
                ret->digest = field;
                return e->violation || field.len == digest_size(DIGEST_SHA1);
        }
        if (!e->form->old)
                return take_text(field, &ret->name);
        ret->name = field;
        return memchr(field.p, '\0', field.len) == NULL;
}

static bool take_field(const struct ima_entry *e, enum ima_field which, struct view field,
                       struct ima_event *ret)
{
        switch (which) {
        case IMA_D:
        case IMA_N:
                return take_old(e, which, field, ret);
        case IMA_D_NG:
        case IMA_D_NGV2:
                return take_digest(e, field, which == IMA_D_NGV2, ret);
        case IMA_N_NG:
                return take_text(field, &ret->name);
        case IMA_SIG:
                ret->sig = field;
                return true;
        case IMA_BUF:
                ret->buf = field;
                return ret->has_buf = true;
        case IMA_D_MODSIG:
                return take_modsig_digest(field, ret);
        case IMA_MODSIG:
                ret->modsig = field;
                return true;
        case IMA_EVMSIG:
                ret->evmsig = field;
                return true;
        case IMA_IUID:
        case IMA_IGID:
        case IMA_IMODE:
                return take_owner(field, which, ret);
        case IMA_XATTRNAMES:
                return field.len == 0 || take_text(field, &ret->xattr_names);
        case IMA_XATTRLENGTHS:
                ret->xattr_lengths = field;
                return field.len % 4 == 0;
        case IMA_XATTRVALUES:
                ret->xattr_values = field;
                return true;
        case IMA_N_FIELDS:
                break;
        }
        return false;
}

int ima_event_decode(const struct ima_entry *entry, struct ima_event *ret, struct err *err)
{
        *ret = (struct ima_event){.measured = IMA_FILE};
        for (size_t i = 0; i < entry->form->n; i++)
                if (!take_field(entry, entry->form->fields[i], entry->field[i], ret))
                        return bad_field(entry, i, err, "malformed");
        return 0;
}
