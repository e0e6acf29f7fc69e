/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a person names on the command line: policies and bundles, from files or standard input. */
#include "tenant/load.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/signed.h"

int load_bytes(const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
        if (str_equal(path, "-"))
                return fd_read(STDIN_FILENO, "standard input", max_bytes, ret, err);
        return file_read(path, max_bytes, ret, err);
}

/* ---- what a policy is based on ---- */

#define BASES_MAX 8 /* more are refused by policy_parse() */

/* The files that a text was put together from: each ends before the next one's first line. */
struct pieces {
        struct {
                char *path;
                unsigned line;
        } v[BASES_MAX];
        size_t n;
};

static void pieces_done(struct pieces *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->v[i].path);
}

static unsigned lines_of(const struct buf *text)
{
        unsigned n = 1;

        for (size_t i = 0; i < text->len; i++)
                n += text->p[i] == '\n';
        return n;
}

/* "DIR/NAME.yaml", in the folder of PATH. */
static char *beside(const char *path, const char *name)
{
        const char *slash = strrchr(path, '/');

        return slash ? str_fmt("%.*s/%s.yaml", (int)(slash - path), path, name) : str_fmt("%s.yaml", name);
}

/* Does TEXT begin with "---", but for comments and blank lines? */
static bool begins_document(struct view text)
{
        const char *p = (const char *)text.p, *end = p + text.len;

        while (p < end && (*p == '#' || *p == '\n')) {
                const char *newline = memchr(p, '\n', (size_t)(end - p));

                p = newline ? newline + 1 : end;
        }
        return end - p >= 3 && strncmp(p, "---", 3) == 0;
}

static int add_base(struct buf *text, const char *source, unsigned line, unsigned column, const char *name,
                    struct pieces *pieces, struct err *err)
{
        AUTO(mem_free_p) char *path = beside(source, name);
        AUTO(buf_free) struct buf base = {0};
        int r;

        if (!path)
                return err_nomem(err);
        if (!file_exists(path))
                return err_set(
                        err, ERR_CONFIG, 0,
                        "%s:%u:%u: based on '%s', and there is no file %s; if the verifier has it: avow "
                        "policy show %s --text > %s",
                        source, line, column, name, path, name, path);
        r = file_read(path, DSSE_TEXT_MAX, &base, err);
        if (r < 0)
                return r;
        if (text->len && text->p[text->len - 1] != '\n')
                buf_str(text, "\n");
        if (!begins_document(VIEW_BUF(&base)))
                buf_str(text, "---\n");
        pieces->v[pieces->n].line = lines_of(text);
        pieces->v[pieces->n++].path = TAKE(path);
        buf_put_view(text, VIEW_BUF(&base));
        return buf_ok(text) ? 0 : err_nomem(err);
}

/* Appends the texts of all bases that are not there. */
static int add_bases(struct buf *text, const char *source, struct pieces *pieces, struct err *err)
{
        while (pieces->n < BASES_MAX) {
                AUTO(mem_free_p) char *name = NULL;
                const struct view so_far = VIEW_BUF(text);
                unsigned line = 0, column = 0;
                int r = policy_open_base(so_far, source, &name, &line, &column, err);

                if (r < 0 || !name)
                        return r;
                r = add_base(text, source, line, column, name, pieces, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "SOURCE:LINE:…" of a line that came from another file: that file and its line. */
static void name_piece(const struct pieces *pieces, const char *source, struct err *err)
{
        size_t n = strlen(source), piece = pieces->n, digits;
        struct err old = *err, ignored = ERR_INIT;
        const char *rest = old.text + n + 1;
        uint64_t line;

        if (strncmp(old.text, source, n) != 0 || old.text[n] != ':')
                return;
        digits = strspn(rest, "0123456789");
        if (str_parse_uint(VIEW(rest, digits), UINT32_MAX, &line, &ignored) < 0)
                return;
        while (piece > 0 && pieces->v[piece - 1].line > line)
                piece--;
        if (piece > 0)
                (void)err_set(err, old.kind, old.code, "%s:%u%s", pieces->v[piece - 1].path,
                              (unsigned)line - pieces->v[piece - 1].line + 1, rest + digits);
}

int load_policy(const char *path, struct policy **ret, struct buf *ret_file, struct err *err)
{
        const char *source = str_equal(path, "-") ? "standard input" : path;
        AUTO(pieces_done) struct pieces pieces = {0};
        AUTO(buf_free) struct buf file = {0};
        AUTO(dsse_done) struct dsse envelope = {0};
        struct view text = VIEW_NONE;
        int r = load_bytes(path, DSSE_TEXT_MAX, &file, err);

        if (r < 0)
                return r;
        r = policy_unwrap(VIEW_BUF(&file), &envelope, &text, err);
        if (r < 0)
                return err_wrap(err, "%s", source);
        if (text.p == file.p) {
                r = add_bases(&file, source, &pieces, err);
                text = VIEW_BUF(&file);
        }
        if (r == 0)
                r = policy_parse(text, source, ret, err);
        if (r < 0)
                name_piece(&pieces, source, err);
        if (r < 0 || !ret_file)
                return r;
        *ret_file = file;
        file = (struct buf){0};
        return 0;
}

int load_bundle(const char *path, struct bundle **ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = load_bytes(path, BUNDLE_BYTES_MAX, &text, err);

        if (r < 0)
                return r;
        r = bundle_decode(VIEW_BUF(&text), ret, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

int load_effective(const char *const *paths, size_t n, int64_t now_ms, struct policy_effective **ret,
                   struct err *err)
{
        struct policy_version versions[EFFECTIVE_VERSIONS_MAX];
        size_t loaded = 0;
        int r = 0;

        if (n == 0 || n > EFFECTIVE_VERSIONS_MAX)
                return err_set(err, ERR_CONFIG, 0, "between 1 and %d policies are possible",
                               EFFECTIVE_VERSIONS_MAX);
        for (; r == 0 && loaded < n; loaded += r == 0) {
                versions[loaded] = (struct policy_version){
                        .version = (uint32_t)(n - loaded),
                        .until_ms = POLICY_NEVER,
                };
                r = load_policy(paths[loaded], &versions[loaded].policy, NULL, err);
        }
        if (r == 0)
                r = policy_effective_new(versions, n, now_ms, ret, err);
        for (size_t i = 0; i < loaded; i++)
                policy_unref(versions[i].policy);
        return r;
}
