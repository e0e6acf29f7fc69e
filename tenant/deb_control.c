/* SPDX-License-Identifier: Apache-2.0 */
/* Control data, read strictly: what a package says about itself names the rules that are made of it. */
#include "tenant/deb_control.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

void deb_stanza_done(struct deb_stanza *s)
{
        free(s->package);
        free(s->version);
        free(s->arch);
        free(s->status);
        *s = (struct deb_stanza){0};
}

bool deb_line(struct cursor *c, struct view *ret)
{
        const uint8_t *end;
        struct view line, lf;
        bool there;

        if (c->left == 0)
                return false;
        end = memchr(c->p, '\n', c->left);
        there = cursor_take(c, end ? (size_t)(end - c->p) : c->left, &line);
        if (there && end)
                there = cursor_take(c, 1, &lf);
        *ret = line;
        return there;
}

static bool is_blank(uint8_t b)
{
        return b == ' ' || b == '\t' || b == '\r';
}

static struct view trim(struct view v)
{
        while (v.len && is_blank(v.p[0]))
                v = VIEW(v.p + 1, v.len - 1);
        while (v.len && is_blank(v.p[v.len - 1]))
                v.len--;
        return v;
}

/* Keeps the value of one of the fields that somebody asks for. */
static int take_field(struct deb_stanza *s, struct view name, struct view value, struct err *err)
{
        const struct {
                const char *name;
                char **to;
        } fields[] = {{"Package", &s->package},
                      {"Version", &s->version},
                      {"Architecture", &s->arch},
                      {"Status", &s->status}};

        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
                if (name.len != strlen(fields[i].name) ||
                    strncasecmp((const char *)name.p, fields[i].name, name.len) != 0)
                        continue;
                if (*fields[i].to)
                        return err_set(err, ERR_FORMAT, 0, "the field %s stands twice", fields[i].name);
                if (memchr(value.p, '\0', value.len))
                        return err_set(err, ERR_FORMAT, 0, "the field %s holds a NUL", fields[i].name);
                *fields[i].to = str_ndup((const char *)value.p, value.len);
                return *fields[i].to ? 0 : err_nomem(err);
        }
        return 0;
}

int deb_stanza_next(struct cursor *c, struct deb_stanza *ret, struct err *err)
{
        AUTO(deb_stanza_done) struct deb_stanza s = {0};
        struct view line;
        bool begun = false;

        while (deb_line(c, &line)) {
                const uint8_t *colon;
                struct view name;
                int r;

                if (trim(line).len == 0) {
                        if (begun)
                                break;
                        continue;
                }
                if (line.p[0] == '#' || (begun && is_blank(line.p[0])))
                        continue;
                colon = memchr(line.p, ':', line.len);
                if (!colon || colon == line.p)
                        return err_set(err, ERR_FORMAT, 0, "%s is no field", SHOW_VIEW(line));
                name = VIEW(line.p, (size_t)(colon - line.p));
                r = take_field(&s, name, trim(VIEW(colon + 1, line.len - name.len - 1)), err);
                if (r < 0)
                        return r;
                begun = true;
        }
        *ret = s;
        s = (struct deb_stanza){0};
        return begun;
}
