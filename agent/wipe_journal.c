/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of revocations as a file: one JSON object, replaced as a whole. */
#include "agent/wipe_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"

#define SCHEMA   "avow.wipe-journal/1"
#define SPKI_MAX 512

static const char *const steps[WIPE_N_STEPS] = {
        [WIPE_EXTEND] = "extended", [WIPE_INCREMENT] = "incremented", [WIPE_FORGET] = "deleted",
        [WIPE_STOP] = "stopped",    [WIPE_HOOKS] = "hooks",
};

const char *wipe_step_name(enum wipe_step step)
{
        return steps[step];
}

void wipe_journal_done(struct wipe_journal *j)
{
        free(j->jws);
        buf_free(&j->counter_key);
        wipe_notes_done(&j->copied_out);
        wipe_notes_done(&j->not_destroyed);
        *j = (struct wipe_journal){0};
}

/* ---- reading ---- */

static int take_text(const json_t *doc, const char *name, char *ret, size_t size, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(doc, name, &s, err);

        if (r < 0)
                return r;
        if (strlen(s) >= size)
                return err_set(err, ERR_LIMIT, 0, "member '%s' is too long", name);
        (void)snprintf(ret, size, "%s", s);
        return 0;
}

static int read_order(const json_t *doc, struct wipe_journal *j, struct err *err)
{
        const char *jws = NULL, *reaction = NULL;
        int64_t index = 0, epoch = 0;

        if (json_get_str(doc, "jws", &jws, err) < 0 || take_text(doc, "id", j->id, sizeof(j->id), err) < 0 ||
            take_text(doc, "host", j->host, sizeof(j->host), err) < 0 ||
            take_text(doc, "verifier", j->verifier, sizeof(j->verifier), err) < 0 ||
            json_get_int(doc, "seq", 0, INT64_MAX, &j->seq, err) < 0 ||
            json_get_str(doc, "reaction", &reaction, err) < 0 ||
            json_get_int(doc, "nv_index", 0, UINT32_MAX, &index, err) < 0 ||
            json_get_int(doc, "epoch", 0, INT64_MAX, &epoch, err) < 0 ||
            json_get_int(doc, "reset_count", REVOCATION_NO_RESET, UINT32_MAX, &j->reset_count, err) < 0 ||
            json_get_base64(doc, "counter_key", SPKI_MAX, &j->counter_key, err) < 0)
                return -(int)err->kind;
        if (!reaction_by_name(reaction, &j->reaction))
                return err_set(err, ERR_FORMAT, 0, "member 'reaction': %s", SHOW(reaction));
        j->nv_index = (uint32_t)index;
        j->epoch = (uint64_t)epoch;
        j->jws = str_dup(jws);
        return j->jws ? 0 : err_nomem(err);
}

static int read_done(const json_t *doc, struct wipe_journal *j, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(doc, "done", WIPE_N_STEPS, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const char *name = json_string_value(json_array_get(list, i));
                size_t s = 0;

                while (s < WIPE_N_STEPS && !str_equal(name, steps[s]))
                        s++;
                if (s == WIPE_N_STEPS)
                        return err_set(err, ERR_FORMAT, 0, "member 'done': no such step");
                j->done |= 1u << s;
        }
        return r;
}

static int read_notes(const json_t *doc, const char *name, struct wipe_notes *ret, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(doc, name, WIPE_NOTES_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const json_t *pair = json_array_get(list, i);
                const char *secret = json_string_value(json_array_get(pair, 0));
                const char *what = json_string_value(json_array_get(pair, 1));

                r = secret && what ? wipe_notes_add(ret, secret, what, err)
                                   : err_set(err, ERR_FORMAT, 0, "member '%s': no pair of texts", name);
        }
        return r;
}

static int read_journal(struct view text, struct wipe_journal *j, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        char schema[sizeof(SCHEMA)];
        int r = json_parse(text, WIPE_JOURNAL_BYTES_MAX, &doc, err);

        if (r >= 0)
                r = take_text(doc, "schema", schema, sizeof(schema), err);
        if (r >= 0 && !str_equal(schema, SCHEMA))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected " SCHEMA);
        if (r >= 0)
                r = read_order(doc, j, err);
        if (r >= 0)
                r = read_done(doc, j, err);
        if (r >= 0)
                r = read_notes(doc, "copied_out", &j->copied_out, err);
        return r < 0 ? r : read_notes(doc, "not_destroyed", &j->not_destroyed, err);
}

int wipe_journal_read(const char *path, struct wipe_journal *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct wipe_journal j = {0};
        int r = file_read(path, WIPE_JOURNAL_BYTES_MAX, &text, err);

        if (r == -ERR_IO && err->code == ENOENT) {
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                r = read_journal(VIEW_BUF(&text), &j, err);
        if (r < 0) {
                wipe_journal_done(&j);
                return err_wrap(err, "%s", SHOW(path));
        }
        *ret = j;
        return 1;
}

/* ---- writing ---- */

static void put_notes(struct json_out *o, const char *name, const struct wipe_notes *notes)
{
        json_out_array(o, name);
        for (size_t i = 0; i < notes->n; i++) {
                json_out_array(o, NULL);
                json_out_str(o, NULL, notes->v[i].secret);
                json_out_str(o, NULL, notes->v[i].what);
                json_out_array_end(o);
        }
        json_out_array_end(o);
}

int wipe_journal_write(const char *path, const struct wipe_journal *j, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct json_out o = json_out_to(&text, true);

        json_out_object(&o, NULL);
        json_out_str(&o, "schema", SCHEMA);
        json_out_str(&o, "id", j->id);
        json_out_str(&o, "host", j->host);
        json_out_str(&o, "verifier", j->verifier);
        json_out_int(&o, "seq", j->seq);
        json_out_str(&o, "reaction", reaction_name(j->reaction));
        json_out_int(&o, "nv_index", j->nv_index);
        json_out_int(&o, "epoch", (int64_t)j->epoch);
        json_out_int(&o, "reset_count", j->reset_count);
        json_out_base64(&o, "counter_key", VIEW_BUF(&j->counter_key));
        json_out_array(&o, "done");
        for (size_t i = 0; i < WIPE_N_STEPS; i++)
                if (j->done >> i & 1)
                        json_out_str(&o, NULL, steps[i]);
        json_out_array_end(&o);
        put_notes(&o, "copied_out", &j->copied_out);
        put_notes(&o, "not_destroyed", &j->not_destroyed);
        json_out_str(&o, "jws", j->jws);
        json_out_object_end(&o);
        buf_u8(&text, '\n');
        return buf_ok(&text) ? file_write(path, VIEW_BUF(&text), 0600, err) : err_nomem(err);
}
