/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document, three ways to show it. Names, paths and findings come from hosts that may be hostile: in a
 * table every text is escaped, so that no host can move a terminal's cursor. YAML is written as a subset of
 * itself: every text is a JSON string, which YAML 1.2 reads as the same text.
 */
#include "tenant/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

json_t *output_document(const char *noun)
{
        char schema[64];

        (void)snprintf(schema, sizeof(schema), "avow.%s/1", noun);
        return json_pack("{s:s}", "schema", schema);
}

static const json_t *member(const json_t *doc, const char *path)
{
        char name[64];

        while (doc && *path) {
                size_t len = strcspn(path, ".");

                if (len >= sizeof(name))
                        return NULL;
                memcpy(name, path, len);
                name[len] = '\0';
                doc = json_object_get(doc, name);
                path += len + (path[len] == '.');
        }
        return doc;
}

static void put_text(struct buf *out, const json_t *v)
{
        char *dump;
        size_t i;
        const json_t *element;

        switch (v ? json_typeof(v) : JSON_NULL) {
        case JSON_NULL:
                buf_str(out, "-");
                return;
        case JSON_STRING:
                buf_printable(out, VIEW(json_string_value(v), json_string_length(v)));
                return;
        case JSON_TRUE:
        case JSON_FALSE:
                buf_str(out, json_is_true(v) ? "yes" : "no");
                return;
        case JSON_ARRAY:
                if (json_array_size(v) == 0)
                        buf_str(out, "-");
                json_array_foreach ((json_t *)v, i, element) {
                        if (i)
                                buf_str(out, ", ");
                        put_text(out, element);
                }
                return;
        default:
                dump = json_print_ascii(v);
                buf_str(out, dump ? dump : "");
                out->failed |= !dump;
                free(dump);
                return;
        }
}

char *output_member_text(const json_t *doc, const char *path)
{
        struct buf out = {0};

        put_text(&out, member(doc, path));
        return buf_take_str(&out);
}

static void yaml_value(FILE *f, const json_t *v, int depth);

static void yaml_object(FILE *f, const json_t *object, int depth)
{
        const char *key;
        json_t *value;
        bool first = true;

        json_object_foreach ((json_t *)object, key, value) {
                bool nested = (json_is_object(value) && json_object_size(value)) ||
                              (json_is_array(value) && json_array_size(value));

                if (!first)
                        (void)fprintf(f, "%*s", depth * 2, "");
                first = false;
                (void)fprintf(f, "%s:", key);
                if (nested)
                        (void)fprintf(f, "\n%*s", (depth + 1) * 2, "");
                else
                        (void)fputc(' ', f);
                yaml_value(f, value, depth + 1);
        }
}

static void yaml_value(FILE *f, const json_t *v, int depth)
{
        size_t i;
        json_t *element;

        if (json_is_object(v) && json_object_size(v)) {
                yaml_object(f, v, depth);
        } else if (json_is_array(v) && json_array_size(v)) {
                json_array_foreach ((json_t *)v, i, element) {
                        (void)fprintf(f, "%*s- ", i ? depth * 2 : 0, "");
                        yaml_value(f, element, depth + 1);
                }
        } else {
                (void)json_dumpf(v, f, JSON_ENCODE_ANY | JSON_COMPACT);
                (void)fputc('\n', f);
        }
}

static int flush_stdout(struct err *err)
{
        if (fflush(stdout) != 0 || ferror(stdout))
                return err_set(err, ERR_IO, 0, "standard output cannot be written");
        return 0;
}

int output_document_if_asked(const struct session *s, const json_t *doc, struct err *err)
{
        if (s->output == OUTPUT_TABLE)
                return 0;
        if (s->output == OUTPUT_JSON) {
                (void)json_dumpf(doc, stdout, JSON_INDENT(2));
                (void)fputc('\n', stdout);
        } else {
                yaml_value(stdout, doc, 0);
        }
        return flush_stdout(err) < 0 ? -(int)err->kind : 1;
}

/* Columns as wide as their widest text; a NULL cell is out of memory. */
static int print_cells(char *const *cells, size_t rows, size_t columns, struct err *err)
{
        for (size_t row = 0; row < rows; row++) {
                for (size_t c = 0; c < columns; c++) {
                        size_t width = 0;

                        for (size_t r = 0; r < rows; r++) {
                                const char *cell = cells[r * columns + c];

                                if (!cell)
                                        return err_nomem(err);
                                if (strlen(cell) > width)
                                        width = strlen(cell);
                        }
                        if (c + 1 == columns)
                                (void)printf("%s\n", cells[row * columns + c]);
                        else
                                (void)printf("%-*s  ", (int)width, cells[row * columns + c]);
                }
        }
        return flush_stdout(err);
}

int output_list(const struct session *s, const json_t *doc, const char *list, const struct column *columns,
                size_t n, struct err *err)
{
        const json_t *array = member(doc, list);
        size_t rows = json_array_size(array) + 1;
        char **cells;
        int r = output_document_if_asked(s, doc, err);

        if (r != 0)
                return r < 0 ? r : 0;
        cells = mem_zalloc(rows * n, sizeof(*cells));
        if (!cells)
                return err_nomem(err);
        for (size_t c = 0; c < n; c++) {
                cells[c] = str_dup(columns[c].header);
                for (size_t row = 1; row < rows; row++)
                        cells[row * n + c] =
                                output_member_text(json_array_get(array, row - 1), columns[c].path);
        }
        r = print_cells(cells, rows, n, err);
        for (size_t i = 0; i < rows * n; i++)
                free(cells[i]);
        free(cells);
        return r;
}

int output_record(const struct session *s, const json_t *doc, const struct column *lines, size_t n,
                  struct err *err)
{
        int width = 0, r = output_document_if_asked(s, doc, err);

        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; i < n; i++)
                if ((int)strlen(lines[i].header) > width)
                        width = (int)strlen(lines[i].header);
        for (size_t i = 0; i < n; i++) {
                AUTO(mem_free_p)
                char *text = output_member_text(doc, lines[i].path);

                if (!text)
                        return err_nomem(err);
                (void)printf("%s:%*s %s\n", lines[i].header, width - (int)strlen(lines[i].header), "", text);
        }
        return flush_stdout(err);
}
