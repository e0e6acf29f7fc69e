/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of endorsements, and bundles of it. */
#include "endorse/cache.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "endorse/want.h"

#define SCHEMA "avow.endorsements/1"

bool endorse_valid_name(const char *name)
{
        return str_valid_name(name);
}

static char *path_of(const char *folder, const char *name)
{
        return str_fmt("%s/%s", folder, name);
}

int endorse_cache_read(const char *folder, const char *name, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(folder, name);

        return path ? file_read(path, ENDORSE_PIECE_BYTES_MAX, ret, err) : err_nomem(err);
}

int endorse_cache_write(const char *folder, const char *name, struct view piece, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(folder, name);
        int r;

        if (!path)
                return err_nomem(err);
        if (!endorse_valid_name(name))
                return err_set(err, ERR_CONFIG, 0, "%s cannot be the name of an endorsement", SHOW(name));
        r = file_mkdirs(folder, 0755, err);
        return r < 0 ? r : file_write(path, piece, 0644, err);
}

/* Calls FN for every piece, by name. */
static int each(const char *folder,
                int (*fn)(void *ctx, const char *name, struct view piece, struct err *err), void *ctx,
                struct err *err)
{
        struct strv names = {0};
        struct buf piece = {0};
        int r = file_list(folder, "", &names, err);

        if (r == -ERR_IO && err->code == ENOENT) {
                err_clear(err);
                return 0;
        }
        if (r >= 0 && names.n > ENDORSE_PIECES_MAX)
                r = err_set(err, ERR_LIMIT, 0, "%s: more than %d endorsements", folder, ENDORSE_PIECES_MAX);
        for (size_t i = 0; r >= 0 && i < names.n; i++) {
                if (!endorse_valid_name(names.items[i]))
                        continue; /* not one of ours: a temporary file, an editor's copy */
                buf_reset(&piece);
                r = endorse_cache_read(folder, names.items[i], &piece, err);
                if (r >= 0)
                        r = fn(ctx, names.items[i], VIEW_BUF(&piece), err);
        }
        buf_free(&piece);
        strv_done(&names);
        return r < 0 ? r : 0;
}

static int add_piece(void *ctx, const char *name, struct view piece, struct err *err)
{
        enum endorsement_kind kind;

        (void)name;
        return endorsements_add(ctx, piece, &kind, err);
}

int endorse_cache_load(const char *folder, struct endorsements *heap, struct err *err)
{
        return each(folder, add_piece, heap, err);
}

static int list_piece(void *ctx, const char *name, struct view piece, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        enum endorsement_kind kind = ENDORSEMENT_UNKNOWN;
        struct err inner = ERR_INIT;
        int64_t until_ms = 0;
        bool good = endorse_good_until(piece, &kind, &until_ms, &inner) == 0;

        if (!j || json_set_str(j, "name", name) < 0 ||
            json_set_str(j, "kind", endorsement_kind_name(kind)) < 0 ||
            json_set_int(j, "bytes", (int64_t)piece.len) < 0 ||
            (good && until_ms >= 0 && until_ms != INT64_MAX &&
             json_set_time(j, "good_until", until_ms) < 0) ||
            json_array_append(ctx, j) < 0)
                return err_nomem(err);
        return 0;
}

int endorse_cache_list(const char *folder, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *list = json_array();
        int r = list ? each(folder, list_piece, list, err) : err_nomem(err);

        if (r >= 0)
                *ret = TAKE(list);
        return r;
}

static int pack_piece(void *ctx, const char *name, struct view piece, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "name", name) < 0 || json_set_base64(j, "bytes", piece) < 0 ||
            json_array_append(ctx, j) < 0)
                return err_nomem(err);
        return 0;
}

int endorse_bundle_write(const char *folder, struct buf *ret, struct err *err)
{
        AUTO(json_free_p) json_t *list = json_array();
        AUTO(json_free_p) json_t *doc = json_object();
        AUTO(mem_free_p) char *text = NULL;
        int r = list && doc ? each(folder, pack_piece, list, err) : err_nomem(err);

        if (r < 0)
                return r;
        if (json_set_str(doc, "schema", SCHEMA) < 0 || json_object_set(doc, "pieces", list) < 0 ||
            !(text = json_print(doc)))
                return err_nomem(err);
        buf_str(ret, text);
        buf_str(ret, "\n");
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int unpack_piece(const json_t *item, const char **ret_name, struct buf *ret, struct err *err)
{
        static const char *const names[] = {"name", "bytes"};
        enum endorsement_kind kind;
        int64_t until_ms;
        int r = json_only(item, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(item, "name", ret_name, err);
        if (r >= 0 && !endorse_valid_name(*ret_name))
                return err_set(err, ERR_FORMAT, 0, "%s cannot be the name of an endorsement",
                               SHOW(*ret_name));
        if (r >= 0)
                r = json_get_base64(item, "bytes", ENDORSE_PIECE_BYTES_MAX, ret, err);
        if (r >= 0)
                r = endorse_good_until(VIEW_BUF(ret), &kind, &until_ms, err);
        return r < 0 ? r : 0;
}

/* Twice over the pieces: first all are looked at, then all are written. */
static int unpack(const char *folder, const json_t *pieces, bool write, struct err *err)
{
        struct buf piece = {0};
        const char *name = NULL;
        const json_t *item;
        size_t i;
        int r = 0;

        json_array_foreach ((json_t *)(uintptr_t)pieces, i, item) {
                buf_reset(&piece);
                r = unpack_piece(item, &name, &piece, err);
                if (r >= 0 && write)
                        r = endorse_cache_write(folder, name, VIEW_BUF(&piece), err);
                if (r < 0) {
                        (void)err_wrap(err, "piece %zu", i);
                        break;
                }
        }
        buf_free(&piece);
        return r;
}

int endorse_bundle_read(const char *folder, struct view bundle, size_t *ret_n, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *pieces;
        const char *schema;
        int r = json_parse(bundle, ENDORSE_BUNDLE_BYTES_MAX, &doc, err);

        if (r >= 0)
                r = json_get_str(doc, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, SCHEMA))
                return err_set(err, ERR_FORMAT, 0, "schema %s: expected " SCHEMA, SHOW(schema));
        if (r >= 0)
                r = json_get_array(doc, "pieces", ENDORSE_PIECES_MAX, &pieces, err);
        if (r >= 0)
                r = unpack(folder, pieces, false, err);
        if (r >= 0)
                r = unpack(folder, pieces, true, err);
        if (r >= 0)
                *ret_n = json_array_size(pieces);
        return r < 0 ? r : 0;
}
