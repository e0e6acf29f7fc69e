/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form of a measurement list: "10 HASH TEMPLATE FIELD…", a line each. The kernel writes blanks in
 * names as '_' but lets newlines stand, so a name may go on over several lines, and may even look like an
 * entry of its own. What decides is the template hash: an entry ends at the first line end where its data,
 * made again from the text, has that hash.
 */
#include <string.h>

#include "base/hex.h"
#include "evidence/ima_reader.h"

#define LINES_MAX 64 /* that one entry goes over */

static bool take_word(struct view *text, struct view *ret)
{
        const uint8_t *blank = memchr(text->p, ' ', text->len);

        if (!blank)
                return false;
        *ret = VIEW(text->p, (size_t)(blank - text->p));
        *text = VIEW(blank + 1, text->len - ret->len - 1);
        return true;
}

static bool take_number(struct view word, uint32_t max, uint32_t *ret)
{
        uint64_t n = 0;

        if (word.len == 0 || word.len > 10)
                return false;
        for (size_t i = 0; i < word.len; i++) {
                if (word.p[i] < '0' || word.p[i] > '9')
                        return false;
                n = n * 10 + (uint64_t)(word.p[i] - '0');
        }
        *ret = (uint32_t)n;
        return n <= max;
}

struct head {
        uint32_t pcr;
        uint8_t hash[DIGEST_BYTES_MAX];
        struct view name, fields;
};

/* "10 HASH TEMPLATE " and what follows. Of an entry without fields' text nothing follows. */
static bool read_head(const struct ima_reader *r, struct view line, struct head *ret)
{
        struct err ignored = ERR_INIT;
        struct view word;

        while (line.len && *line.p == ' ')
                line = VIEW(line.p + 1, line.len - 1);
        if (!take_word(&line, &word) || !take_number(word, 255, &ret->pcr) || !take_word(&line, &word) ||
            hex_decode_exact(word, ret->hash, r->hash_len, &ignored) < 0)
                return false;
        if (!take_word(&line, &ret->name))
                return false;
        ret->fields = line;
        return true;
}

/* "sha256:HEX" or "ima:sha256:HEX": the words, a NUL, the bytes. */
static bool put_digest(struct buf *out, struct view text)
{
        struct err ignored = ERR_INIT;
        const uint8_t *colon = memrchr(text.p, ':', text.len);
        size_t words;

        if (!colon)
                return text.len == 0;
        words = (size_t)(colon - text.p) + 1;
        buf_put(out, text.p, words);
        buf_u8(out, 0);
        return hex_decode(VIEW(text.p + words, text.len - words), DIGEST_BYTES_MAX, out, &ignored) == 0;
}

static bool put_text(struct buf *out, struct view text)
{
        buf_put_view(out, text);
        buf_u8(out, 0);
        return true;
}

static bool put_number(struct buf *out, struct view text, enum ima_field field)
{
        uint32_t n;

        if (!take_number(text, field == IMA_IMODE ? UINT16_MAX : UINT32_MAX, &n))
                return text.len == 0;
        if (field == IMA_IMODE)
                buf_le16(out, (uint16_t)n);
        else
                buf_le32(out, n);
        return true;
}

static bool put_field(struct buf *out, struct view text, enum ima_field field)
{
        struct err ignored = ERR_INIT;

        switch (field) {
        case IMA_D_NG:
        case IMA_D_NGV2:
        case IMA_D_MODSIG:
                return put_digest(out, text);
        case IMA_N:
        case IMA_N_NG:
                return put_text(out, text);
        case IMA_XATTRNAMES:
                return text.len == 0 || put_text(out, text);
        case IMA_IUID:
        case IMA_IGID:
        case IMA_IMODE:
                return put_number(out, text, field);
        default:
                return hex_decode(text, IMA_ENTRY_BYTES_MAX, out, &ignored) == 0;
        }
}

/* Each field with its length before it, into the scratch. */
static bool put_fields(struct ima_reader *r, const struct ima_template *form, struct view text)
{
        struct buf *out = &r->scratch;

        buf_reset(out);
        for (size_t i = 0; i < form->n; i++) {
                size_t at = out->len, len;
                struct view word = text;

                if (i + 1 < form->n && !take_word(&text, &word))
                        return false;
                if (i + 1 == form->n && memchr(word.p, ' ', word.len))
                        return false;
                buf_le32(out, 0);
                if (!put_field(out, word, form->fields[i]) || !buf_ok(out))
                        return false;
                len = out->len - at - 4;
                for (size_t k = 0; k < 4; k++)
                        out->p[at + k] = (uint8_t)(len >> 8 * k);
        }
        return true;
}

static void find_fields(const struct ima_reader *r, struct ima_entry *e)
{
        struct cursor c;

        e->data = VIEW_BUF(&r->scratch);
        c = cursor_of(e->data);
        for (size_t i = 0; i < e->form->n; i++)
                (void)!cursor_le32_bytes(&c, &e->field[i]); /* as put_fields() wrote them */
}

/* "ima": digest and name lie one behind the other in the data, the name without its padding. */
static bool put_old(struct ima_reader *r, struct ima_entry *e, struct view text)
{
        struct err ignored = ERR_INIT;
        struct view hex;
        uint8_t digest[20];

        if (!take_word(&text, &hex) || hex_decode_exact(hex, digest, sizeof(digest), &ignored) < 0)
                return false;
        e->field[0] = VIEW_ARRAY(digest);
        e->field[1] = text;
        if (ima_old_data(r, e, &ignored) < 0)
                return false;
        e->field[0] = VIEW(e->data.p, sizeof(digest));
        e->field[1] = VIEW(e->data.p + sizeof(digest), text.len);
        return true;
}

/* Makes the entry of LINE. Return: false if there is none in it. */
static bool make_entry(struct ima_reader *r, struct view line, struct ima_entry *e)
{
        struct head head;

        if (!read_head(r, line, &head))
                return false;
        e->form = ima_template_of(r, head.name);
        if (!e->form)
                return false;
        e->pcr = head.pcr;
        memcpy(r->hash, head.hash, r->hash_len);
        e->template_hash = VIEW(r->hash, r->hash_len);
        e->violation = ima_hash_is_zero(e->template_hash);
        if (e->form->old)
                return put_old(r, e, head.fields);
        if (!put_fields(r, e->form, head.fields))
                return false;
        find_fields(r, e);
        return true;
}

/* The length of TEXT up to its next line end from FROM on; its length if there is none. */
static size_t line_end(struct view text, size_t from)
{
        const uint8_t *end = from < text.len ? memchr(text.p + from, '\n', text.len - from) : NULL;

        return end ? (size_t)(end - text.p) : text.len;
}

/* Does a new entry begin at FROM, as far as a look can tell? */
static bool looks_like_entry(const struct ima_reader *r, struct view text, size_t from)
{
        struct head head;

        return from >= text.len || read_head(r, VIEW(text.p + from, line_end(text, from) - from), &head);
}

int ima_next_text(struct ima_reader *r, struct ima_entry *e, struct err *err)
{
        struct view text = VIEW(r->list.bytes.p + r->at, r->list.bytes.len - r->at);
        size_t end = line_end(text, 0);
        bool any = false;

        for (unsigned lines = 0; lines < LINES_MAX; lines++) {
                bool made = make_entry(r, VIEW(text.p, end), e);

                any |= made;
                if (made && (e->violation ? looks_like_entry(r, text, end + 1) : ima_hash_fits(r, e))) {
                        e->at = r->at;
                        e->number = r->number;
                        e->len = end < text.len ? end + 1 : end;
                        return 1;
                }
                if (!buf_ok(&r->scratch))
                        return err_nomem(err);
                if (end >= text.len)
                        break;
                end = line_end(text, end + 1);
        }
        return ima_bad(r, r->at, err,
                       any ? "its template hash is not the hash of its data"
                           : "it is not a register, a template hash, a known template and its fields");
}
