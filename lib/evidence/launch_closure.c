/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closures as text. Its digest is what a policy allows, so there must be one text for one closure: sorted,
 * no escapes, and nothing in it that could be another line. It is read back by being written again.
 *
 * Spec: SR-22.
 */
#include "evidence/launch_closure.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define HEAD        "# avow-closure/1\n"
#define ARGUMENT    "# argument: "
#define ENVIRONMENT "# environment: "
#define TEXT_MAX    4096u

/* Can it stand in a line? */
static int check_text(const char *what, const char *text, struct err *err)
{
        struct view v = view_str(text);

        if (v.len > TEXT_MAX)
                return err_set(err, ERR_LIMIT, 0, "%s of %zu bytes (at most %u)", what, v.len, TEXT_MAX);
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i] < 0x20 || v.p[i] == 0x7f)
                        return err_set(err, ERR_FORMAT, 0, "%s %s holds a control character", what,
                                       SHOW(text));
        if (!str_valid_utf8(v))
                return err_set(err, ERR_FORMAT, 0, "%s %s is not UTF-8", what, SHOW(text));
        return 0;
}

static int check_path(const char *path, struct err *err)
{
        int r = check_text("path", path, err);

        if (r >= 0 && (path[0] != '/' || strchr(path, '\\')))
                r = err_set(err, ERR_FORMAT, 0, "path %s: expected an absolute one without backslashes",
                            SHOW(path));
        return r;
}

static int by_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_path(const void *a, const void *b)
{
        return strcmp(((const struct launch_file *)a)->path, ((const struct launch_file *)b)->path);
}

static int check_all(const struct launch_closure *c, struct err *err)
{
        int r = 0;

        if (c->n_files > LAUNCH_CLOSURE_FILES_MAX || c->n_arguments > LAUNCH_CLOSURE_TEXTS_MAX ||
            c->n_environment > LAUNCH_CLOSURE_TEXTS_MAX)
                return err_set(err, ERR_LIMIT, 0,
                               "a closure of more than %u files, %u arguments or %u variables",
                               LAUNCH_CLOSURE_FILES_MAX, LAUNCH_CLOSURE_TEXTS_MAX, LAUNCH_CLOSURE_TEXTS_MAX);
        for (size_t i = 0; i < c->n_arguments && r >= 0; i++)
                r = check_text("argument", c->arguments[i], err);
        for (size_t i = 0; i < c->n_environment && r >= 0; i++) {
                r = check_text("variable", c->environment[i], err);
                if (r >= 0 && !strchr(c->environment[i], '='))
                        r = err_set(err, ERR_FORMAT, 0, "variable %s: expected NAME=VALUE",
                                    SHOW(c->environment[i]));
        }
        for (size_t i = 0; i < c->n_files && r >= 0; i++) {
                r = check_path(c->files[i].path, err);
                if (r >= 0 && c->files[i].sha256.alg != DIGEST_SHA256)
                        r = err_set(err, ERR_FORMAT, 0, "path %s has no SHA-256", SHOW(c->files[i].path));
        }
        return r;
}

static int put_files(const struct launch_file *files, size_t n, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && str_equal(files[i - 1].path, files[i].path))
                        return err_set(err, ERR_FORMAT, 0, "path %s is there twice", SHOW(files[i].path));
                buf_hex(out, digest_view(&files[i].sha256));
                buf_fmt(out, "  %s\n", files[i].path);
        }
        return 0;
}

int launch_closure_write(const struct launch_closure *c, struct buf *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(mem_free_p) struct launch_file *files = NULL;
        AUTO(mem_free_p) char **environment = NULL;
        int r = check_all(c, err);

        if (r < 0)
                return r;
        files = mem_zalloc(c->n_files + 1, sizeof(*files));
        environment = mem_zalloc(c->n_environment + 1, sizeof(*environment));
        if (!files || !environment)
                return err_nomem(err);
        for (size_t i = 0; i < c->n_files; i++)
                files[i] = c->files[i];
        for (size_t i = 0; i < c->n_environment; i++)
                environment[i] = c->environment[i];
        qsort(files, c->n_files, sizeof(*files), by_path);
        qsort(environment, c->n_environment, sizeof(*environment), by_text);
        buf_str(&text, HEAD);
        for (size_t i = 0; i < c->n_arguments; i++)
                buf_fmt(&text, ARGUMENT "%s\n", c->arguments[i]);
        for (size_t i = 0; i < c->n_environment; i++)
                buf_fmt(&text, ENVIRONMENT "%s\n", environment[i]);
        r = put_files(files, c->n_files, &text, err);
        if (r >= 0 && text.len > LAUNCH_CLOSURE_BYTES_MAX)
                r = err_set(err, ERR_LIMIT, 0, "a closure of %zu bytes (at most %u)", text.len,
                            LAUNCH_CLOSURE_BYTES_MAX);
        if (r < 0)
                return r;
        buf_put_view(ret, VIEW_BUF(&text));
        return buf_ok(&text) && buf_ok(ret) ? 0 : err_nomem(err);
}

/* ---- reading ---- */

void launch_closure_done(struct launch_closure *c)
{
        for (size_t i = 0; i < c->n_arguments; i++)
                free(c->arguments[i]);
        for (size_t i = 0; i < c->n_environment; i++)
                free(c->environment[i]);
        for (size_t i = 0; i < c->n_files; i++)
                free(c->files[i].path);
        free(c->arguments);
        free(c->environment);
        free(c->files);
        *c = (struct launch_closure){.n_files = 0};
}

/* Does LINE begin with PREFIX? Then what follows it. */
static bool behind(struct view line, const char *prefix, struct view *ret)
{
        size_t n = strlen(prefix);

        if (line.len < n || !view_equal(VIEW(line.p, n), view_str(prefix)))
                return false;
        *ret = VIEW(line.p + n, line.len - n);
        return true;
}

static int add_text(char **list, size_t *n, struct view text, struct err *err)
{
        if (*n == LAUNCH_CLOSURE_TEXTS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u of them", LAUNCH_CLOSURE_TEXTS_MAX);
        list[*n] = str_ndup((const char *)text.p, text.len);
        return list[(*n)++] ? 0 : err_nomem(err);
}

static int add_file(struct launch_closure *c, struct view line, struct err *err)
{
        struct launch_file *f = &c->files[c->n_files];
        uint8_t bytes[32];
        int r;

        if (c->n_files == LAUNCH_CLOSURE_FILES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u files", LAUNCH_CLOSURE_FILES_MAX);
        if (line.len < 67 || line.p[64] != ' ' || line.p[65] != ' ')
                return err_set(err, ERR_FORMAT, 0, "expected a digest, two blanks and a path");
        r = hex_decode_exact(VIEW(line.p, 64), bytes, sizeof(bytes), err);
        if (r >= 0)
                r = digest_set(DIGEST_SHA256, VIEW_ARRAY(bytes), &f->sha256, err);
        if (r < 0)
                return r;
        f->path = str_ndup((const char *)line.p + 66, line.len - 66);
        c->n_files += f->path != NULL;
        return f->path ? 0 : err_nomem(err);
}

static int read_line(struct launch_closure *c, size_t number, struct view line, struct err *err)
{
        struct view text;

        if (number == 1)
                return view_equal(line, VIEW(HEAD, strlen(HEAD) - 1))
                               ? 0
                               : err_set(err, ERR_FORMAT, 0, "expected '# avow-closure/1'");
        if (behind(line, ARGUMENT, &text))
                return add_text(c->arguments, &c->n_arguments, text, err);
        if (behind(line, ENVIRONMENT, &text))
                return add_text(c->environment, &c->n_environment, text, err);
        return add_file(c, line, err);
}

static int read_lines(struct view text, struct launch_closure *c, struct err *err)
{
        struct cursor in = cursor_of(text);
        struct view line;

        c->arguments = mem_zalloc(LAUNCH_CLOSURE_TEXTS_MAX, sizeof(*c->arguments));
        c->environment = mem_zalloc(LAUNCH_CLOSURE_TEXTS_MAX, sizeof(*c->environment));
        c->files = mem_zalloc(LAUNCH_CLOSURE_FILES_MAX, sizeof(*c->files));
        if (!c->arguments || !c->environment || !c->files)
                return err_nomem(err);
        for (size_t number = 1; in.left; number++) {
                const uint8_t *end = memchr(in.p, '\n', in.left);
                int r = end ? 0 : err_set(err, ERR_FORMAT, 0, "it has no end");

                if (r >= 0 && (!cursor_take(&in, (size_t)(end - in.p), &line) || !cursor_skip(&in, 1)))
                        r = err_set(err, ERR_BUG, 0, "lines");
                if (r >= 0)
                        r = read_line(c, number, line, err);
                if (r < 0)
                        return err_wrap(err, "line %zu", number);
        }
        return 0;
}

int launch_closure_parse(struct view text, struct launch_closure *ret, struct err *err)
{
        AUTO(launch_closure_done) struct launch_closure c = {.n_files = 0};
        AUTO(buf_free) struct buf again = {0};
        int r;

        if (text.len > LAUNCH_CLOSURE_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a closure of %zu bytes (at most %u)", text.len,
                               LAUNCH_CLOSURE_BYTES_MAX);
        r = read_lines(text, &c, err);
        if (r >= 0)
                r = launch_closure_write(&c, &again, err);
        if (r >= 0 && !view_equal(text, VIEW_BUF(&again)))
                r = err_set(err, ERR_FORMAT, 0, "its lines are not in their order");
        if (r < 0)
                return err_wrap(err, "closure");
        *ret = c;
        c = (struct launch_closure){.n_files = 0};
        return 0;
}

const struct launch_file *launch_closure_find(const struct launch_closure *c, const struct digest *sha256)
{
        for (size_t i = 0; i < c->n_files; i++)
                if (digest_equal(&c->files[i].sha256, sha256))
                        return &c->files[i];
        return NULL;
}
