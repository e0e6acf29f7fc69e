/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have a secret. A unit is what systemd says a process belongs to, and the kernel keeps that in the
 * process's cgroup, which only root (or systemd) can change; a user id alone says less, since it is also the
 * user's cron jobs and shells, so a row for one must spell that out. Pure, so that the rules are tested
 * without processes. Spec: SR-25; systemd's "Control Group APIs and Delegation", systemd.exec(5)
 * LoadCredential.
 */
#include "agent/acl.h"

#include <string.h>

#include "base/str.h"

#define UNIT_MAX 255

static bool unit_chars(struct view v)
{
        static const char others[] = ":-_.\\@";

        for (size_t i = 0; i < v.len; i++) {
                uint8_t c = v.p[i];

                if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
                    !(c && strchr(others, c)))
                        return false;
        }
        return v.len > 0 && v.len <= UNIT_MAX && v.p[0] != '@';
}

static bool ends(struct view v, const char *suffix)
{
        size_t n = strlen(suffix);

        return v.len > n && view_equal(VIEW(v.p + v.len - n, n), view_str(suffix));
}

bool acl_valid_unit(const char *unit)
{
        struct view v = view_str(unit);

        return unit_chars(v) && (ends(v, ".service") || ends(v, ".scope") || ends(v, ".socket"));
}

/* ROW "worker@.service" fits "worker@1.service". */
static bool unit_fits(const char *row, const char *unit)
{
        const char *at = strchr(row, '@'), *dot = strrchr(row, '.');
        size_t head, tail, n = strlen(unit);

        if (str_equal(row, unit))
                return true;
        if (!at || at + 1 != dot)
                return false;
        head = (size_t)(at + 1 - row);
        tail = strlen(dot);
        return n > head + tail && view_equal(VIEW(unit, head), VIEW(row, head)) && str_ends(unit, dot) &&
               !memchr(unit, '@', head - 1);
}

static bool row_fits(const struct agent_acl *row, const char *secret, const char *unit, uint32_t uid)
{
        if (!str_equal(row->secret, secret) || (row->has_uid && row->uid != uid))
                return false;
        if (row->uid_only)
                return row->has_uid; /* checked when the file was read; a row for everybody does not exist */
        return row->unit && *unit && unit_fits(row->unit, unit);
}

const struct agent_acl *acl_find(const struct agent_config *config, const char *secret, const char *unit,
                                 uint32_t uid)
{
        for (size_t i = 0; i < config->n_acl; i++)
                if (row_fits(&config->acl[i], secret, unit, uid))
                        return &config->acl[i];
        return NULL;
}

/* systemd puts '_' before a name that the kernel would take for a file of its own. */
static struct view unescaped(struct view part)
{
        return part.len > 1 && part.p[0] == '_' ? VIEW(part.p + 1, part.len - 1) : part;
}

static struct view next_part(struct view *rest)
{
        const uint8_t *end;
        struct view part;

        while (rest->len && rest->p[0] == '/')
                *rest = VIEW(rest->p + 1, rest->len - 1);
        end = rest->len ? memchr(rest->p, '/', rest->len) : NULL;
        part = VIEW(rest->p, end ? (size_t)(end - rest->p) : rest->len);
        *rest = VIEW(part.p + part.len, rest->len - part.len);
        return part;
}

bool acl_unit_of_path(struct view path, char ret[256])
{
        struct view part;

        if (path.len == 0 || path.p[0] != '/')
                return false;
        do
                part = unescaped(next_part(&path));
        while (part.len && unit_chars(part) && ends(part, ".slice"));
        if (!unit_chars(part) || !(ends(part, ".service") || ends(part, ".scope") || ends(part, ".socket")))
                return false;
        memcpy(ret, part.p, part.len);
        ret[part.len] = '\0';
        return true;
}

/* The path of the line that starts with PREFIX or, for version 1, has "name=systemd" in its middle. */
static bool path_of_line(struct view line, bool unified, struct view *ret)
{
        static const char v2[] = "0::", v1[] = ":name=systemd:";
        const uint8_t *at;

        if (unified) {
                if (line.len < 3 || !view_equal(VIEW(line.p, 3), view_str(v2)))
                        return false;
                *ret = VIEW(line.p + 3, line.len - 3);
                return true;
        }
        at = line.len ? memchr(line.p, ':', line.len) : NULL;
        if (!at || line.len - (size_t)(at - line.p) < strlen(v1) ||
            !view_equal(VIEW(at, strlen(v1)), view_str(v1)))
                return false;
        at += strlen(v1);
        *ret = VIEW(at, line.len - (size_t)(at - line.p));
        return true;
}

/* Return: true if there is such a line and it names a unit. */
static bool unit_of_lines(struct view rest, bool unified, char ret[256])
{
        while (rest.len) {
                const uint8_t *end = memchr(rest.p, '\n', rest.len);
                size_t n = end ? (size_t)(end - rest.p) : rest.len;
                struct view path;

                if (path_of_line(VIEW(rest.p, n), unified, &path))
                        return acl_unit_of_path(path, ret);
                rest = VIEW(rest.p + n + (end != NULL), rest.len - n - (end != NULL));
        }
        return false;
}

bool acl_unit_of_cgroup(struct view text, char ret[256])
{
        return unit_of_lines(text, true, ret) || unit_of_lines(text, false, ret);
}

/* A number of up to 64 bits in hex, which systemd writes without leading zeros. */
static size_t random_digits(struct view address)
{
        size_t n = 0;

        while (n < address.len && n < 16 &&
               ((address.p[n] >= '0' && address.p[n] <= '9') || (address.p[n] >= 'a' && address.p[n] <= 'f')))
                n++;
        return n;
}

bool acl_credential_address(struct view address, char ret_unit[256], char ret_credential[65])
{
        static const char middle[] = "/unit/";
        struct cursor c = cursor_of(address);
        struct view word, unit, credential;
        const uint8_t *slash;
        char name[65];
        size_t digits = random_digits(address);

        if (digits == 0 || !cursor_skip(&c, digits) || !cursor_take(&c, strlen(middle), &word) ||
            !view_equal(word, view_str(middle)))
                return false;
        unit = cursor_rest(&c);
        slash = unit.len ? memchr(unit.p, '/', unit.len) : NULL;
        if (!slash)
                return false;
        credential = VIEW(slash + 1, unit.len - (size_t)(slash - unit.p) - 1);
        unit.len = (size_t)(slash - unit.p);
        if (!unit_chars(unit) || credential.len == 0 || credential.len >= sizeof(name) ||
            memchr(credential.p, '\0', credential.len))
                return false;
        memcpy(name, credential.p, credential.len);
        name[credential.len] = '\0';
        if (!str_valid_name(name))
                return false;
        memcpy(ret_credential, name, credential.len + 1);
        memcpy(ret_unit, unit.p, unit.len);
        ret_unit[unit.len] = '\0';
        return true;
}
