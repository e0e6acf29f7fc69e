/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow module allow|list|push: the module policies of a tenant, at the verifier. `allow` adds digests to the
 * text that is in force, as a person would with an editor: everything else in it stays byte for byte, and
 * what came of it is read again before it is sent. Routes: docs/verifier-api.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "evidence/wasm.h"
#include "policy/module_policy.h"
#include "tenant/api.h"
#include "tenant/commands.h"
#include "tenant/output.h"

#define POLICY_DEFAULT "modules"
#define ANSWER_MAX     (1u << 20)

/* "/avow/v1/modules/NAME" and SUFFIX. NULL: no memory. */
static char *modules_path(const char *name, const char *suffix)
{
        AUTO(mem_free_p) char *escaped = api_escape(name);

        return escaped ? str_fmt("/avow/v1/modules/%s%s", escaped, suffix) : NULL;
}

/* The text of NAME's newest version into RET; empty if there is none yet. */
static int get_text(struct api *api, const char *name, struct buf *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = modules_path(name, "/versions/latest");
        const char *text = NULL;
        int r = path ? api_json(api, "GET", path, NULL, &doc, err) : err_nomem(err);

        if (r < 0 && err->code == 404) {
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                r = json_get_str(doc, "text", &text, err);
        if (r < 0)
                return r;
        buf_str(ret, text);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int put_text(struct api *api, const char *name, struct view text, const char *source,
                    const char *overlap, bool dry_run, json_t **ret, struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *base = modules_path(name, "");
        AUTO(mem_free_p) char *from = api_escape(source);
        AUTO(mem_free_p)
        char *path = base && from ? str_fmt("%s?overlap=%s&source=%s%s", base, overlap ? overlap : "0s", from,
                                            dry_run ? "&dry_run=true" : "")
                                  : NULL;
        struct api_request req = {
                .method = "PUT", .path = path, .content_type = "application/yaml", .body = text};
        int r = path ? api_send(api, &req, &answer, err) : err_nomem(err);

        return r < 0 ? r : json_parse(http_fetched_response(answer)->body, ANSWER_MAX, ret, err);
}

static int show_pushed(const struct session *s, const json_t *doc, struct err *err)
{
        static const struct column lines[] = {{"Policy", "name"},
                                              {"Version", "version"},
                                              {"SHA-256", "sha256"},
                                              {"Unchanged", "unchanged"},
                                              {"Added", "added"}};
        size_t n = ARRAY_LEN(lines) - (json_object_get(doc, "added") ? 0 : 1);

        return output_record(s, doc, lines, n, err);
}

/* ---- allow ---- */

struct allow_values {
        const char *policy, *until, *comment;
        struct option_list closures;
        bool dry_run;
};

static const struct option_row allow_options[] = {
        {"policy", "NAME", "the module policy that is to name them (default: modules)", OPTION_TEXT,
         offsetof(struct allow_values, policy)},
        {"closure", "RUNTIME=DIGEST",
         "for a policy that is not there yet: what may run them (may be repeated)", OPTION_LIST,
         offsetof(struct allow_values, closures)},
        {"until", "TIME", "they are allowed before that time", OPTION_TEXT,
         offsetof(struct allow_values, until)},
        {"comment", "TEXT", "said beside each of them", OPTION_TEXT, offsetof(struct allow_values, comment)},
        {"dry-run", NULL, "only say what would happen", OPTION_FLAG, offsetof(struct allow_values, dry_run)},
        {0},
};

/* HEX, or "sha256:HEX"? Then its digits in lower case. */
static bool is_digest(const char *text, struct buf *ret)
{
        const char *digits = str_starts(text, "sha256:") || str_starts(text, "sha384:") ? text + 7 : text;
        size_t len = strlen(digits), want = digits == text ? len : str_starts(text, "sha256:") ? 64 : 96;

        if ((len != 64 && len != 96) || len != want)
                return false;
        for (size_t i = 0; i < len; i++)
                if (hex_digit((uint8_t)digits[i]) < 0)
                        return false;
        for (size_t i = 0; i < len; i++)
                buf_fmt(ret, "%x", (unsigned)hex_digit((uint8_t)digits[i]));
        return true;
}

/* The digits of what ARG names: a digest, or a WebAssembly file, whose SHA-256 it is. */
static int digest_of(const char *arg, struct buf *ret, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        struct digest d;
        struct wasm w;
        int r;

        if (!file_exists(arg) && is_digest(arg, ret))
                return buf_ok(ret) ? 0 : err_nomem(err);
        if (!file_exists(arg))
                return err_set(err, ERR_CONFIG, 0, "%s is neither a file nor a digest of 64 or 96 digits",
                               SHOW(arg));
        r = file_read(arg, WASM_BYTES_MAX, &bytes, err);
        if (r >= 0)
                r = wasm_parse(VIEW_BUF(&bytes), &w, err);
        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&bytes), &d, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(arg));
        buf_hex(ret, digest_view(&d));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* An item of the list, its lines indented by INDENT. */
static void put_item(struct buf *out, struct view indent, const struct buf *digits,
                     const struct allow_values *v)
{
        buf_put_view(out, indent);
        buf_fmt(out, "- digest: %.*s\n", (int)digits->len, (const char *)digits->p);
        if (v->until) {
                buf_put_view(out, indent);
                buf_fmt(out, "  until: %s\n", v->until);
        }
        if (v->comment) {
                buf_put_view(out, indent);
                buf_str(out, "  comment: '");
                for (const char *c = v->comment; *c; c++)
                        buf_fmt(out, *c == '\'' ? "''" : "%c", *c);
                buf_str(out, "'\n");
        }
}

/* Where the items of the block `allow:` start in TEXT, and how they are indented. Return: false if there is
 * no such block. */
static bool find_allow(struct view text, size_t *ret_at, struct view *ret_indent)
{
        const char *p = (const char *)text.p;
        size_t at = 0;

        while (at < text.len) {
                const char *end = memchr(p + at, '\n', text.len - at);
                size_t next = end ? (size_t)(end - p) + 1 : text.len, n = 0;

                if (end && next - at >= 7 && strncmp(p + at, "allow:", 6) == 0) {
                        size_t rest = at + 6;

                        while (p[rest] == ' ')
                                rest++;
                        if (p[rest] != '\n' && p[rest] != '#')
                                return false;
                        while (next + n < text.len && p[next + n] == ' ')
                                n++;
                        *ret_at = next;
                        *ret_indent =
                                next + n < text.len && p[next + n] == '-' ? VIEW(p + next, n) : VIEW("  ", 2);
                        return true;
                }
                at = next;
        }
        return false;
}

/* Does TEXT name the digest, in either case? */
static bool names(struct view text, const struct buf *digits)
{
        for (size_t i = 0; i + digits->len <= text.len; i++) {
                size_t n = 0;

                while (n < digits->len && (text.p[i + n] | 0x20) == (digits->p[n] | 0x20))
                        n++;
                if (n == digits->len)
                        return true;
        }
        return false;
}

/* The head of a policy that is not there yet. */
static int begin_policy(const char *name, const struct allow_values *v, struct buf *ret, struct err *err)
{
        if (v->closures.n == 0)
                return err_set(err, ERR_CONFIG, 0,
                               "there is no module policy %s yet: say what may run its modules, --closure "
                               "RUNTIME=DIGEST of its closure ('avow-run --explain' shows it), or push one",
                               name);
        buf_fmt(ret, "format: %s\nname: %s\nclosures:\n", MODULE_POLICY_FORMAT, name);
        for (size_t i = 0; i < v->closures.n; i++) {
                const char *text = v->closures.v[i], *digest = strchr(text, '=');
                AUTO(mem_free_p) char *runtime = digest ? str_ndup(text, (size_t)(digest - text)) : NULL;
                AUTO(buf_free) struct buf digits = {0};

                if (!runtime || !str_valid_name(runtime) || !is_digest(digest + 1, &digits) ||
                    digits.len != 64)
                        return err_set(err, ERR_CONFIG, 0,
                                       "--closure: expected RUNTIME=DIGEST of 64 digits, not %s", SHOW(text));
                buf_fmt(ret, "  %s: [%.*s]\n", runtime, (int)digits.len, (const char *)digits.p);
        }
        buf_str(ret, "allow:\n");
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* TEXT with an item for each of ARGS that it does not name yet. */
static int extend(struct view text, const char *name, const struct allow_values *v, int n_args, char **args,
                  struct buf *ret, size_t *ret_added, struct err *err)
{
        AUTO(buf_free) struct buf items = {0};
        struct view indent = VIEW("", 0);
        size_t at = text.len;

        if (text.len == 0 && begin_policy(name, v, ret, err) < 0)
                return -(int)err->kind;
        if (text.len > 0 && v->closures.n > 0)
                return err_set(err, ERR_CONFIG, 0,
                               "--closure: module policy %s is there; edit its text for that", name);
        if (text.len > 0 && !find_allow(text, &at, &indent))
                return err_set(err, ERR_CONFIG, 0,
                               "module policy %s has no list `allow:` of one item a line: edit its text "
                               "('avow module list %s --text') and push it",
                               name, name);
        for (int i = 0; i < n_args; i++) {
                AUTO(buf_free) struct buf digits = {0};

                if (digest_of(args[i], &digits, err) < 0)
                        return -(int)err->kind;
                if (names(text, &digits) || names(VIEW_BUF(&items), &digits)) {
                        (void)fprintf(stderr, "avow: module policy %s names %.*s already\n", name,
                                      (int)digits.len, (const char *)digits.p);
                        continue;
                }
                put_item(&items, indent, &digits, v);
                ++*ret_added;
        }
        buf_put_view(ret, VIEW(text.p, at));
        buf_put_view(ret, VIEW_BUF(&items));
        buf_put_view(ret, VIEW(text.p + at, text.len - at));
        return buf_ok(ret) && buf_ok(&items) ? 0 : err_nomem(err);
}

/* Is AFTER a policy that names ADDED digests more than BEFORE? */
static int check_extended(struct view before, struct view after, const char *name, size_t added,
                          struct err *err)
{
        AUTO(module_policy_unref_p) struct module_policy *a = NULL;
        AUTO(module_policy_unref_p) struct module_policy *b = NULL;
        struct module_policy_sum had = {0}, has;
        int r = module_policy_parse(after, name, &b, err);

        if (r >= 0 && before.len)
                r = module_policy_parse(before, name, &a, err);
        if (r < 0)
                return r;
        module_policy_sum(b, &has);
        if (a)
                module_policy_sum(a, &had);
        return has.n_digests == had.n_digests + added ? 0
                                                      : err_set(err, ERR_CONFIG, 0,
                                                                "module policy %s cannot be extended by "
                                                                "itself: edit its text ('avow module list %s "
                                                                "--text') and push it",
                                                                name, name);
}

static bool is_line(const char *text)
{
        for (const char *c = text; *c; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        return false;
        return str_valid_utf8(view_str(text));
}

static int run_allow(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct allow_values *v = values;
        const char *name = v->policy ? v->policy : POLICY_DEFAULT;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(buf_free) struct buf before = {0};
        AUTO(buf_free) struct buf after = {0};
        AUTO(json_free_p) json_t *doc = NULL;
        size_t added = 0;
        int64_t until_ms;
        int r;

        if (!str_valid_name(name))
                return err_set(err, ERR_CONFIG, 0, "--policy: %s is not the name of a policy", SHOW(name));
        if (v->until && clock_parse(view_str(v->until), &until_ms, err) < 0)
                return err_wrap(err, "--until");
        if (v->comment && !is_line(v->comment))
                return err_set(err, ERR_CONFIG, 0, "--comment: one line of text");
        if ((r = api_open(s, API_VERIFIER, &api, err)) < 0 || (r = get_text(api, name, &before, err)) < 0 ||
            (r = extend(VIEW_BUF(&before), name, v, n_args, args, &after, &added, err)) < 0 ||
            (r = check_extended(VIEW_BUF(&before), VIEW_BUF(&after), name, added, err)) < 0)
                return r;
        r = put_text(api, name, VIEW_BUF(&after), "avow module allow", NULL, v->dry_run, &doc, err);
        if (r >= 0 && json_set_int(doc, "added", (int64_t)added) < 0)
                r = err_nomem(err);
        if (r >= 0)
                r = show_pushed(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- push ---- */

struct push_values {
        const char *overlap;
        bool dry_run;
};

static const struct option_row push_options[] = {
        {"overlap", "DURATION", "how long the version before still holds, beside this one (default: 0s)",
         OPTION_TEXT, offsetof(struct push_values, overlap)},
        {"dry-run", NULL, "only say what would happen", OPTION_FLAG, offsetof(struct push_values, dry_run)},
        {0},
};

static int run_push(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct push_values *v = values;
        AUTO(module_policy_unref_p) struct module_policy *p = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int64_t overlap_ms;
        int r;

        (void)n_args;
        if (v->overlap && clock_parse_duration(view_str(v->overlap), &overlap_ms, err) < 0)
                return err_wrap(err, "--overlap");
        if ((r = file_read(args[0], MODULE_POLICY_TEXT_MAX, &text, err)) < 0 ||
            (r = module_policy_parse(VIEW_BUF(&text), args[0], &p, err)) < 0 ||
            (r = api_open(s, API_VERIFIER, &api, err)) < 0)
                return r;
        r = put_text(api, module_policy_name(p), VIEW_BUF(&text), args[0], v->overlap, v->dry_run, &doc, err);
        if (r >= 0)
                r = show_pushed(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- list ---- */

struct list_values {
        bool text;
};

static const struct option_row list_options[] = {
        {"text", NULL, "the policy itself, as it was pushed", OPTION_FLAG,
         offsetof(struct list_values, text)},
        {0},
};

static int print_text(struct api *api, const char *name, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = get_text(api, name, &text, err);

        if (r < 0)
                return r;
        if (text.len == 0)
                return err_set(err, ERR_PEER, 404, "verifier: there is no module policy %s", SHOW(name));
        (void)fwrite(text.p, 1, text.len, stdout);
        return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : ANSWER_DONE;
}

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column policies[] = {{"NAME", "name"},
                                                 {"VERSION", "version"},
                                                 {"SOURCE", "source"},
                                                 {"PUSHED", "created_at"},
                                                 {"BY", "created_by"}};
        static const struct column versions[] = {{"VERSION", "version"},
                                                 {"IN FORCE", "in_force"},
                                                 {"UNTIL", "until"},
                                                 {"PUSHED", "created_at"},
                                                 {"BY", "created_by"}};
        const struct list_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        int r;

        if (v->text && n_args == 0)
                return err_set(err, ERR_CONFIG, 0, "--text: say of which policy");
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0 && v->text)
                return print_text(api, args[0], err);
        path = n_args ? modules_path(args[0], "") : str_dup("/avow/v1/modules");
        if (r >= 0)
                r = path ? api_json(api, "GET", path, NULL, &doc, err) : err_nomem(err);
        if (r >= 0 && n_args)
                r = output_list(s, doc, "versions", versions, ARRAY_LEN(versions), err);
        else if (r >= 0)
                r = output_list(s, doc, "modules", policies, ARRAY_LEN(policies), err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command module_remote_commands[] = {
        {"module", "allow", "FILE|DIGEST…", "Adds modules to a module policy at the verifier", allow_options,
         sizeof(struct allow_values), 1, 64, run_allow},
        {"module", "push", "FILE", "Makes a module policy the newest version of its name", push_options,
         sizeof(struct push_values), 1, 1, run_push},
        {"module", "list", "[NAME]", "Lists the module policies, or the versions of one", list_options,
         sizeof(struct list_values), 0, 1, run_list},
        {0},
};
