/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who got copies: state.dir/copies.log, one line of JSON for each hand-out, appended and synced before the
 * secret leaves. A wipe stops the units that it names and the proof lists them, so a line that cannot be
 * written is a secret that is not handed out, and a log that cannot be read is no empty log. A line that is
 * torn at the end of the file belongs to a hand-out that did not happen. Spec: SR-25.
 */
#include <string.h>

#include "agent/secrets_private.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define LOG_BYTES_MAX  (16u << 20)
#define LINE_BYTES_MAX 2048
#define LINES_SLACK    1024 /* lines more than copies, before it is written anew */

static char *log_path(const struct secrets *s)
{
        return str_fmt("%s/copies.log", s->dir);
}

size_t secrets_copies(const struct secrets *s, const struct secrets_copy **ret)
{
        *ret = s->copies;
        return s->n_copies;
}

static bool same(const struct secrets_copy *a, const struct secrets_copy *b)
{
        return str_equal(a->unit, b->unit) && str_equal(a->secret, b->secret) &&
               (a->unit[0] || a->uid == b->uid);
}

static size_t oldest(const struct secrets *s)
{
        size_t at = 0;

        for (size_t i = 1; i < s->n_copies; i++)
                if (s->copies[i].at_ms < s->copies[at].at_ms)
                        at = i;
        return at;
}

/* Room for COPY in memory: its own row, a new one, or the oldest one's. Return: NULL when out of memory. */
static struct secrets_copy *row_for(struct secrets *s, const struct secrets_copy *copy)
{
        struct secrets_copy *more;

        for (size_t i = 0; i < s->n_copies; i++)
                if (same(&s->copies[i], copy))
                        return &s->copies[i];
        if (s->n_copies == SECRETS_COPIES_MAX) {
                struct secrets_copy *gone = &s->copies[oldest(s)];

                log_warning("the log of copies is full: that %s had %s is forgotten, a wipe will not stop it",
                            SHOW(gone->unit), SHOW(gone->secret));
                return gone;
        }
        more = mem_resize(s->copies, s->n_copies + 1, sizeof(*more));
        if (!more)
                return NULL;
        s->copies = more;
        return &more[s->n_copies++];
}

static int to_line(const struct secrets_copy *copy, struct buf *ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *line = NULL;

        if (!j || json_set_time(j, "at", copy->at_ms) < 0 || json_set_int(j, "lease_s", copy->lease_s) < 0 ||
            json_set_bool(j, "revocable", copy->revocable) < 0 ||
            json_set_str(j, "secret", copy->secret) < 0 || json_set_int(j, "uid", copy->uid) < 0 ||
            json_set_str(j, "unit", copy->unit) < 0 || !(line = json_print(j)))
                return err_nomem(err);
        buf_str(ret, line);
        buf_str(ret, "\n");
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int text_of(const json_t *j, const char *name, char *ret, size_t size, struct err *err)
{
        const char *text;
        int r = json_get_str(j, name, &text, err);

        if (r >= 0 && strlen(text) >= size)
                r = err_set(err, ERR_FORMAT, 0, "member '%s' is too long", name);
        if (r >= 0)
                memcpy(ret, text, strlen(text) + 1);
        return r;
}

static int from_line(struct view line, struct secrets_copy *ret, struct err *err)
{
        static const char *const members[] = {"at", "lease_s", "revocable", "secret", "uid", "unit"};
        AUTO(json_free_p) json_t *j = NULL;
        struct secrets_copy c = {.unit = ""};
        int64_t lease = 0, uid = 0;
        int r = json_parse(line, LINE_BYTES_MAX, &j, err);

        if (r >= 0)
                r = json_only(j, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = json_get_time(j, "at", &c.at_ms, err);
        if (r >= 0)
                r = json_get_int(j, "lease_s", 0, UINT32_MAX, &lease, err);
        if (r >= 0)
                r = json_get_bool(j, "revocable", &c.revocable, err);
        if (r >= 0)
                r = text_of(j, "secret", c.secret, sizeof(c.secret), err);
        if (r >= 0)
                r = json_get_int(j, "uid", 0, UINT32_MAX, &uid, err);
        if (r >= 0)
                r = text_of(j, "unit", c.unit, sizeof(c.unit), err);
        if (r < 0)
                return r;
        c.lease_s = (uint32_t)lease;
        c.uid = (uint32_t)uid;
        *ret = c;
        return 0;
}

/* Writes the log anew, a line for each copy. */
static int compact(struct secrets *s, struct err *err)
{
        AUTO(mem_free_p) char *path = log_path(s);
        AUTO(buf_free) struct buf text = {0};
        int r = path ? 0 : err_nomem(err);

        for (size_t i = 0; r >= 0 && i < s->n_copies; i++)
                r = to_line(&s->copies[i], &text, err);
        if (r >= 0)
                r = file_write(path, VIEW_BUF(&text), 0600, err);
        if (r >= 0)
                s->n_lines = s->n_copies;
        return r;
}

static int read_lines(struct secrets *s, struct view text, struct err *err)
{
        while (text.len) {
                const uint8_t *end = memchr(text.p, '\n', text.len);
                size_t n = end ? (size_t)(end - text.p) : 0;
                struct secrets_copy copy, *row;
                int r;

                if (!end)
                        return 1; /* torn */
                s->n_lines++;
                r = from_line(VIEW(text.p, n), &copy, err);
                if (r < 0)
                        return err_wrap(err, "copies.log: line %zu", s->n_lines);
                row = row_for(s, &copy);
                if (!row)
                        return err_nomem(err);
                *row = copy;
                text = VIEW(end + 1, text.len - n - 1);
        }
        return 0;
}

int secrets_copies_load(struct secrets *s, struct err *err)
{
        AUTO(mem_free_p) char *path = log_path(s);
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (!path)
                return err_nomem(err);
        if (!file_exists(path))
                return 0;
        r = file_read(path, LOG_BYTES_MAX, &text, err);
        if (r >= 0)
                r = read_lines(s, VIEW_BUF(&text), err);
        return r == 1 ? compact(s, err)
                      : r; /* so that the next line does not go on where the torn one ends */
}

int secrets_note_copy(struct secrets *s, const struct secrets_copy *copy, struct err *err)
{
        AUTO(mem_free_p) char *path = log_path(s);
        AUTO(buf_free) struct buf line = {0};
        struct secrets_copy *row;
        int r = path ? to_line(copy, &line, err) : err_nomem(err);

        if (r >= 0 && s->n_lines >= s->n_copies + LINES_SLACK)
                r = compact(s, err);
        if (r >= 0)
                r = file_append(path, VIEW_BUF(&line), 0600, err);
        if (r < 0)
                return err_wrap(err, "noting who gets a copy");
        s->n_lines++;
        row = row_for(s, copy);
        if (!row)
                return err_nomem(err);
        *row = *copy;
        return 0;
}

int secrets_forget_copies(struct secrets *s, struct err *err)
{
        AUTO(mem_free_p) char *path = log_path(s);
        int r = path ? file_remove(path, err) : err_nomem(err);

        if (r >= 0)
                s->n_copies = s->n_lines = 0;
        return r;
}
