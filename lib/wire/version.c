/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API versions. A peer's list chooses which of our paths we use, never what we believe: whoever answers for
 * the registrar can make us speak an older 2.x, and nothing weaker than that is spoken at all.
 */
#include "wire/version.h"

#include "base/str.h"
#include "wire/envelope.h"
#include "wire/field.h"

bool wire_version_parse(const char *text, struct wire_version *ret)
{
        struct err err = ERR_INIT;
        size_t dot = 0;
        while (text[dot] != '\0' && text[dot] != '.')
                dot++;
        uint64_t major = 0, minor = 0;
        if (str_parse_uint(VIEW(text, dot), UINT16_MAX, &major, &err) < 0)
                return false;
        if (text[dot] == '.' && str_parse_uint(view_str(text + dot + 1), UINT16_MAX, &minor, &err) < 0)
                return false;
        *ret = (struct wire_version){(uint16_t)major, (uint16_t)minor};
        return true;
}

int wire_version_compare(struct wire_version a, struct wire_version b)
{
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return (a.minor > b.minor) - (a.minor < b.minor);
}

static json_t *version_text(struct wire_version v)
{
        return json_sprintf("%u.%u", v.major, v.minor);
}

int wire_versions_encode(const struct wire_versions *v, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = json_object();
        json_t *list = json_array();
        int r = json_object_set_new(results, "current_version", version_text(v->current));
        for (size_t i = 0; i < v->n; i++)
                r |= json_array_append_new(list, version_text(v->v[i]));
        r |= json_object_set_new(results, "supported_versions", list);
        if (r != 0)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}

static int versions_read(const json_t *results, struct wire_versions *ret, struct err *err)
{
        struct wire_versions v = {.n = 0};
        const json_t *list = NULL;
        int r = json_get_array(results, "supported_versions", WIRE_VERSIONS_MAX, &list, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *s = json_string_value(json_array_get(list, i));
                if (s == NULL || !wire_version_parse(s, &v.v[v.n]))
                        return err_set(err, ERR_FORMAT, 0,
                                       "member 'supported_versions': expected texts such as \"2.6\"");
                v.n++;
        }
        const char *current = NULL;
        r = json_opt_str(results, "current_version", &current, err);
        if (r < 0)
                return r;
        if (r > 0 && !wire_version_parse(current, &v.current))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'current_version': expected a text such as \"2.6\"");
        *ret = v;
        return 0;
}

int wire_versions_decode(struct view body, struct wire_versions *ret, struct err *err)
{
        struct wire_envelope e = {.results = NULL};
        int r = wire_envelope_open(body, &e, err);
        if (r < 0)
                return r;
        r = versions_read(e.results, ret, err);
        wire_envelope_done(&e);
        return r;
}

bool wire_versions_choose(const struct wire_versions *ours, const struct wire_versions *theirs,
                          uint16_t major, struct wire_version *ret)
{
        bool found = false;
        for (size_t i = 0; i < ours->n; i++)
                for (size_t k = 0; k < theirs->n; k++) {
                        if (ours->v[i].major != major || wire_version_compare(ours->v[i], theirs->v[k]) != 0)
                                continue;
                        if (!found || wire_version_compare(ours->v[i], *ret) > 0)
                                *ret = ours->v[i];
                        found = true;
                }
        return found;
}
