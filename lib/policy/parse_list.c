/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sections of a policy's second format are made of: digests of files, one by one or a package's
 * hundreds in a block that sha256sum wrote; patterns; ends and comments.
 *
 * A block is one YAML value of any number of lines, because a YAML node for each of 200,000 digests would
 * cost more than reading them does. Lines are walked in place, and each error has the line and column that
 * an editor shows.
 */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "policy/parse_impl.h"

void *parse_elements(struct policy_build *b, const struct yaml_node *list, size_t limit, size_t size,
                     struct err *err)
{
        return yaml_want_list(list, limit, err) < 0 ? NULL : policy_build_zeroed(b, list->n, size, err);
}

int parse_text(struct policy_build *b, const struct yaml_node *node, const char **ret, struct err *err)
{
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        *ret = policy_build_string(b, text);
        return *ret ? 0 : err_nomem(err);
}

int parse_until(struct policy_build *b, const struct yaml_node *map, int64_t *ret, struct err *err)
{
        const struct yaml_node *until = yaml_get(map, "until");
        int r;

        *ret = POLICY_NEVER;
        if (!until)
                return 0;
        r = yaml_time(until, ret, err);
        return r < 0 ? r : policy_build_end(b, *ret, err);
}

int parse_comment(struct policy_build *b, const struct yaml_node *map, const char **ret, struct err *err)
{
        const struct yaml_node *comment = yaml_get(map, "comment");

        *ret = "";
        return comment ? parse_text(b, comment, ret, err) : 0;
}

/* ---- digests of files ---- */

/* The algorithm that has so many digits; false: none that counts. */
static bool alg_of(size_t digits, bool sha1, enum digest_alg *ret)
{
        static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA1};

        for (size_t i = 0; i < (sha1 ? 4 : 3); i++)
                if (digits == 2 * digest_size(algs[i])) {
                        *ret = algs[i];
                        return true;
                }
        return false;
}

/* What is wrong with a digest of so many digits. */
static const char *length_fault(size_t digits)
{
        return digits == 2 * digest_size(DIGEST_SHA1)
                       ? "; that is SHA-1, which anybody can forge: have the kernel measure with "
                         "ima_hash=sha256, or write 'sha1: allow' under 'ima'"
                       : "; SHA-256 has 64, SHA-384 96, SHA-512 128";
}

int parse_file_digest(const struct yaml_node *node, bool sha1, struct digest *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        struct err inner = ERR_INIT;
        enum digest_alg alg;
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        if (hex_decode_any(view_str(text), DIGEST_BYTES_MAX, &bytes, &inner) < 0) {
                if (inner.kind == ERR_NOMEM)
                        return err_nomem(err);
                return yaml_err(node, err,
                                "%s is no digest: expected 64 hexadecimal digits, as sha256sum "
                                "prints them",
                                SHOW(text));
        }
        if (!alg_of(2 * bytes.len, sha1, &alg))
                return yaml_err(node, err, "a digest of %zu digits%s", 2 * bytes.len,
                                length_fault(2 * bytes.len));
        return digest_set(alg, VIEW_BUF(&bytes), ret, err);
}

int parse_file_digests(struct policy_build *b, const struct yaml_node *node, bool sha1,
                       const struct digest **ret, size_t *ret_n, struct err *err)
{
        const struct yaml_node *const *items;
        struct digest *digests;
        size_t n;
        int r = 0;

        items = parse_items(&node, &n);
        if (n == 0)
                return yaml_err(node, err, "no digest: expected at least one");
        digests = policy_build_zeroed(b, n, sizeof(*digests), err);
        if (!digests)
                return -ERR_NOMEM;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = parse_file_digest(items[i], sha1, &digests[i], err);
        *ret = digests;
        *ret_n = n;
        return r;
}

/* ---- blocks ---- */

/* Where in the text a byte of a block's line stands: behind the line's indentation. */
static size_t column_of(const struct parse *p, uint32_t line, size_t at)
{
        size_t i = 0, indent = 0;

        for (uint32_t n = 1; n < line && i < p->text.len; i++)
                n += p->text.p[i] == '\n';
        while (i + indent < p->text.len && p->text.p[i + indent] == ' ')
                indent++;
        return indent + at + 1;
}

static int line_err(const struct parse *p, const struct yaml_node *block, uint32_t line, size_t at,
                    struct err *err, const char *what, const char *more)
{
        return err_set(err, ERR_CONFIG, 0, "%s:%u:%zu: %s%s", block->file, line, column_of(p, line, at), what,
                       more);
}

/* A path as IMA writes it, a blank as '_'; with the escapes of sha256sum if its line began with a backslash.
 * In place of PATH when nothing changes. Return: false for an escape that is none. */
static bool ima_path(struct view *path, bool escaped, struct buf *scratch)
{
        bool changed = escaped;

        for (size_t i = 0; !changed && i < path->len; i++)
                changed = path->p[i] == ' ';
        if (!changed)
                return true;
        buf_reset(scratch);
        for (size_t i = 0; i < path->len; i++) {
                uint8_t c = path->p[i];

                if (escaped && c == '\\') {
                        if (++i == path->len)
                                return false;
                        c = path->p[i] == 'n' ? '\n' : path->p[i] == 'r' ? '\r' : path->p[i];
                        if (c == path->p[i] && c != '\\')
                                return false;
                }
                buf_u8(scratch, c == ' ' ? '_' : c);
        }
        *path = VIEW_BUF(scratch);
        return true;
}

/* A path begins with '/', or is a bare name as IMA has them ("memfd:…"). */
static bool is_path(struct view path)
{
        return path.len > 0 && (path.p[0] == '/' || !memchr(path.p, '/', path.len));
}

/* One line: digest, and path or nothing. */
struct block_line {
        uint8_t digest[DIGEST_BYTES_MAX];
        enum digest_alg alg;
        struct view path;
        size_t fault_at; /* of what is refused */
};

/* Splits "HEX  /path". Return: what is wrong, or NULL. */
static const char *split_line(struct view text, bool sha1, struct block_line *ret, struct buf *scratch,
                              const char **ret_more)
{
        size_t from = text.p[0] == '\\', n = 0, at;

        *ret_more = "";
        ret->fault_at = from;
        for (; from + n < text.len; n++) {
                int digit = hex_digit(text.p[from + n]);

                if (digit < 0)
                        break;
                if (n < 2 * DIGEST_BYTES_MAX)
                        ret->digest[n / 2] = (uint8_t)(n % 2 ? ret->digest[n / 2] | digit : digit << 4);
        }
        at = from + n;
        if (n == 0 || (at < text.len && text.p[at] != ' ')) {
                ret->fault_at = at;
                return "no line of sha256sum: expected a digest, two blanks and a path";
        }
        if (!alg_of(n, sha1, &ret->alg)) {
                *ret_more = length_fault(n);
                return "a digest of the wrong length";
        }
        if (at + 1 < text.len && (text.p[at + 1] == ' ' || text.p[at + 1] == '*'))
                at++;
        ret->path = at < text.len ? VIEW(text.p + at + 1, text.len - at - 1) : VIEW_NONE;
        ret->fault_at = at + 1;
        if (at == text.len)
                return NULL;
        if (!is_path(ret->path))
                return "no path: expected '/…' (run sha256sum with full paths)";
        if (ret->path.len > ALLOW_PATH_BYTES_MAX)
                return "a path of more than 4096 bytes";
        if (ret->path.p[ret->path.len - 1] == '\r')
                return "the line ends with a carriage return: save the file with line feeds alone";
        return ima_path(&ret->path, from == 1, scratch)
                       ? NULL
                       : "a wrong escape: in a line that begins with a backslash only \\n, \\r and \\\\ are";
}

int parse_set_block(struct parse *p, const struct yaml_node *block, const struct parse_set *set,
                    uint32_t label, uint32_t *ret_n, uint32_t *ret_last, struct err *err)
{
        AUTO(buf_free)
        struct buf scratch = {0};
        struct block_line line;
        const char *text;
        uint32_t number = block->line;
        int r = yaml_str(block, &text, err);

        if (r < 0)
                return r;
        if (!block->literal)
                return yaml_err(block, err,
                                "expected a literal block: 'files: |' and a line of sha256sum for each file");
        *ret_n = 0;
        for (const char *end; *text; text = end + (*end == '\n')) {
                struct view v;
                const char *fault, *more;

                end = strchrnul(text, '\n');
                v = VIEW(text, (size_t)(end - text));
                number++;
                if (v.len == 0 || v.p[0] == '#')
                        continue;
                fault = split_line(v, set->sha1, &line, &scratch, &more);
                if (fault)
                        return line_err(p, block, number, line.fault_at, err, fault, more);
                if (!buf_ok(&scratch))
                        return err_nomem(err);
                r = allow_add(set->into, line.alg, VIEW(line.digest, digest_size(line.alg)), line.path, label,
                              number, err);
                if (r < 0)
                        return r;
                ++*ret_n;
        }
        *ret_last = number;
        return *ret_n > 0 ? 0 : yaml_err(block, err, "an empty block: expected a line for each file");
}

/* ---- items ---- */

static int item_path(struct parse *p, const struct yaml_node *map, const struct parse_set *set,
                     struct view *ret, struct buf *scratch, struct err *err)
{
        const struct yaml_node *path = yaml_get(map, "path");
        const char *text;
        int r;

        (void)p;
        *ret = view_str(set->fixed_path ? set->fixed_path : "");
        if (!path)
                return 0;
        r = yaml_str(path, &text, err);
        if (r < 0)
                return r;
        *ret = view_str(text);
        if (ret->len == 0 || ret->len > ALLOW_PATH_BYTES_MAX || !is_path(*ret))
                return yaml_err(path, err, "%s is no path: expected '/…'", SHOW(text));
        (void)ima_path(ret, false, scratch); /* without escapes there are no wrong ones */
        return buf_ok(scratch) ? 0 : err_nomem(err);
}

static int add_digest(const struct parse_set *set, const struct yaml_node *node, struct view path,
                      uint32_t label, struct err *err)
{
        struct digest digest;
        int r = parse_file_digest(node, set->sha1, &digest, err);

        return r < 0 ? r
                     : allow_add(set->into, digest.alg, digest_view(&digest), path, label, node->line, err);
}

/* {digest | digests | files, path, until, comment}. */
static int read_map(struct parse *p, const struct yaml_node *map, const struct parse_set *set,
                    struct err *err)
{
        const struct yaml_node *digest = yaml_get(map, "digest"), *digests = yaml_get(map, "digests"),
                               *files = set->files ? yaml_get(map, "files") : NULL;
        const struct yaml_node *const *items;
        AUTO(buf_free)
        struct buf scratch = {0};
        struct view path;
        const char *comment;
        int64_t until_ms;
        uint32_t label, count, last;
        size_t n;
        int r;

        if (!digest + !digests + !files != 2)
                return yaml_err(map, err, "expected one of 'digest'%s 'digests'%s", set->files ? "," : " or",
                                set->files ? " or 'files'" : "");
        r = parse_until(p->b, map, &until_ms, err);
        if (r == 0)
                r = parse_comment(p->b, map, &comment, err);
        if (r == 0)
                r = item_path(p, map, set, &path, &scratch, err);
        if (r == 0)
                r = allow_label(set->into, comment, until_ms, &label, err);
        if (r < 0)
                return r;
        if (files && yaml_get(map, "path"))
                return yaml_err(yaml_get(map, "path"), err,
                                "'files' has the paths in its lines: leave out 'path'");
        if (files)
                return parse_set_block(p, files, set, label, &count, &last, err);
        if (digest)
                return add_digest(set, digest, path, label, err);
        items = parse_items(&digests, &n);
        if (n == 0)
                return yaml_err(digests, err, "no digest: expected at least one");
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_digest(set, items[i], path, label, err);
        return r;
}

int parse_set_items(struct parse *p, const struct yaml_node *list, const struct parse_set *set,
                    struct err *err)
{
        const char *keys[6];
        size_t n_keys = 0;
        uint32_t none;
        int r = yaml_want_list(list, POLICY_DIGESTS_MAX, err);

        if (r == 0)
                r = allow_label(set->into, "", POLICY_NEVER, &none, err);
        keys[n_keys++] = "digest";
        keys[n_keys++] = "digests";
        keys[n_keys++] = "comment";
        if (set->until)
                keys[n_keys++] = "until";
        if (set->files)
                keys[n_keys++] = "files";
        if (set->paths)
                keys[n_keys++] = "path";
        for (size_t i = 0; r == 0 && i < list->n; i++) {
                const struct yaml_node *item = list->items[i];

                if (item->kind != YAML_MAP) {
                        r = add_digest(set, item, view_str(set->fixed_path ? set->fixed_path : ""), none,
                                       err);
                        continue;
                }
                r = yaml_only(item, keys, n_keys, err);
                if (r == 0)
                        r = read_map(p, item, set, err);
        }
        return r;
}

/* ---- patterns ---- */

/* Would everything match? */
static bool matches_all(const char *pattern)
{
        const char *rest = pattern + (pattern[0] == '/');

        return strstr(rest, "**") == rest && strspn(rest, "*") == strlen(rest);
}

static void free_patterns(void *p)
{
        pattern_set_unref(p);
}

int parse_patterns(struct policy_build *b, const struct yaml_node *node, const char *what,
                   const struct pattern_set **ret, const char *const **ret_texts, size_t *ret_n,
                   struct err *err)
{
        AUTO(mem_free_p)
        struct view *views = NULL;
        const struct yaml_node *const *items;
        struct pattern_set *set = NULL;
        struct err inner = ERR_INIT;
        const char **texts;
        size_t n, bad = 0;
        int r = 0;

        items = parse_items(&node, &n);
        if (n == 0 || n > PATTERNS_MAX)
                return yaml_err(node, err, "%zu patterns of %s: expected 1 to %u", n, what, PATTERNS_MAX);
        views = mem_zalloc(n, sizeof(*views));
        texts = mem_zalloc(n, sizeof(*texts));
        if (!texts || !policy_build_keep(b, texts, free) || !views)
                return err_nomem(err);
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = parse_text(b, items[i], &texts[i], err);
                if (r < 0)
                        return r;
                views[i] = view_str(texts[i]);
                if (matches_all(texts[i]))
                        return yaml_err(items[i], err, "%s would match every %s: say which", SHOW(texts[i]),
                                        what);
        }
        r = pattern_set_new(views, n, &set, &bad, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return yaml_err(items[bad < n ? bad : 0], err, "%s: %s", SHOW(texts[bad < n ? bad : 0]),
                                inner.text);
        if (!policy_build_keep(b, set, free_patterns))
                return err_nomem(err);
        *ret = set;
        *ret_texts = texts;
        *ret_n = n;
        return 0;
}
