/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section `ima:` of a policy, compiled: what the kernel's measurement list may hold, and what has to show
 * that it measures at all. Spec: avow-policy(5); SR-15.
 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "policy/ima_rules.h"
#include "policy/parse_impl.h"

static const char *const ima_keys[] = {"allow",      "packages", "deny",      "exclude", "required",
                                       "keys",       "signed",   "keyrings",  "buffers", "verity",
                                       "violations", "sha1",     "measuring", "waive"};

struct reader {
        struct parse *p;
        struct policy_ima *ima;
        bool sha1;
        struct allow_builder *files, *denied, *keyring_keys, *buffer_digests, *roots;
};

static void reader_done(struct reader *x)
{
        allow_builder_free(x->files);
        allow_builder_free(x->denied);
        allow_builder_free(x->keyring_keys);
        allow_builder_free(x->buffer_digests);
        allow_builder_free(x->roots);
}

/* ---- packages ---- */

/* The text that findings name a package by. */
static char *label_of(const struct policy_package *k)
{
        return str_fmt("%s%s%s%s%s", k->name, *k->version ? " " : "", k->version, *k->arch ? " " : "",
                       k->arch);
}

static int package_text(struct parse *p, const struct yaml_node *map, const char *key, const char **ret,
                        struct err *err)
{
        const struct yaml_node *node = yaml_get(map, key);
        int r;

        *ret = "";
        if (!node)
                return 0;
        r = parse_text(p->b, node, ret, err);
        if (r < 0)
                return r;
        if (**ret == '\0' || strlen(*ret) > 255 || !str_plain(view_str(*ret)))
                return yaml_err(node, err, "%s is no %s of a package: expected up to 255 plain characters",
                                SHOW(*ret), key);
        return 0;
}

static int read_package(struct reader *x, const struct yaml_node *map, struct policy_package *ret,
                        struct map *seen, struct err *err)
{
        static const char *const keys[] = {"name", "version", "arch", "until", "comment", "files"};
        const struct parse_set set = {.into = x->files, .sha1 = x->sha1};
        const struct yaml_node *name, *files, *had;
        AUTO(mem_free_p)
        char *text = NULL;
        uint32_t label;
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        if (r < 0 || (r = yaml_need(map, "name", &name, err)) < 0 ||
            (r = yaml_need(map, "files", &files, err)) < 0 ||
            (r = package_text(x->p, map, "name", &ret->name, err)) < 0 ||
            (r = package_text(x->p, map, "version", &ret->version, err)) < 0 ||
            (r = package_text(x->p, map, "arch", &ret->arch, err)) < 0 ||
            (r = parse_until(x->p->b, map, &ret->until_ms, err)) < 0 ||
            (r = parse_comment(x->p->b, map, &ret->comment, err)) < 0)
                return r;
        text = label_of(ret);
        if (!text)
                return err_nomem(err);
        had = map_get(seen, text);
        if (had)
                return yaml_err(name, err, "package '%s' stands already in line %u: put its files there",
                                text, had->line);
        if (map_put(seen, text, (void *)(uintptr_t)map) < 0)
                return err_nomem(err);
        r = allow_label(x->files, text, ret->until_ms, &label, err);
        if (r < 0)
                return r;
        ret->line = map->line;
        return parse_set_block(x->p, files, &set, label, &ret->n_files, &ret->last_line, err);
}

static int read_packages(struct reader *x, const struct yaml_node *list, struct err *err)
{
        AUTO(map_done)
        struct map seen;
        struct policy_package *packages =
                parse_elements(x->p->b, list, PARSE_LIST_MAX, sizeof(*packages), err);
        int r = 0;

        map_init(&seen, NULL);
        if (!packages)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < list->n; i++)
                r = read_package(x, list->items[i], &packages[i], &seen, err);
        x->ima->packages = packages;
        x->ima->n_packages = list->n;
        return r;
}

/* ---- digests ---- */

static int read_allow(struct reader *x, const struct yaml_node *node, struct err *err)
{
        const struct parse_set set = {
                .into = x->files, .sha1 = x->sha1, .until = true, .files = true, .paths = true};

        return parse_set_items(x->p, node, &set, err);
}

/* One that is known by SHA-1 alone can be denied. */
static int read_deny(struct reader *x, const struct yaml_node *node, struct err *err)
{
        const struct parse_set set = {.into = x->denied, .sha1 = true, .files = true};

        return parse_set_items(x->p, node, &set, err);
}

static int read_verity(struct reader *x, const struct yaml_node *node, struct err *err)
{
        const struct parse_set set = {.into = x->roots, .until = true, .paths = true};

        return parse_set_items(x->p, node, &set, err);
}

/* ---- required ---- */

static int read_required_item(struct reader *x, const struct yaml_node *node, struct policy_required *ret,
                              struct err *err)
{
        static const char *const keys[] = {"path", "digest", "digests", "comment"};
        const struct yaml_node *path = node, *digest = NULL, *digests = NULL;
        char *at;
        int r;

        *ret = (struct policy_required){.path = "", .comment = "", .line = node->line};
        if (node->kind == YAML_MAP) {
                r = yaml_only(node, keys, ARRAY_LEN(keys), err);
                if (r == 0)
                        r = parse_comment(x->p->b, node, &ret->comment, err);
                if (r < 0)
                        return r;
                path = yaml_get(node, "path");
                digest = yaml_get(node, "digest");
                digests = yaml_get(node, "digests");
        }
        if (!path + !digest + !digests != 2)
                return yaml_err(node, err, "expected one of 'path', 'digest' or 'digests'");
        if (!path)
                return parse_file_digests(x->p->b, digest ? digest : digests, x->sha1, &ret->digests,
                                          &ret->n_digests, err);
        r = parse_text(x->p->b, path, &ret->path, err);
        if (r < 0)
                return r;
        if (*ret->path != '/')
                return yaml_err(path, err, "%s is no path: expected '/…' or 'digest: HEX'", SHOW(ret->path));
        for (at = (char *)(uintptr_t)ret->path; *at; at++)
                if (*at == ' ')
                        *at = '_'; /* as IMA has it */
        return 0;
}

static int read_required(struct reader *x, const struct yaml_node *list, struct err *err)
{
        struct policy_required *all = parse_elements(x->p->b, list, PARSE_LIST_MAX, sizeof(*all), err);
        int r = 0;

        if (!all)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < list->n; i++)
                r = read_required_item(x, list->items[i], &all[i], err);
        x->ima->required = all;
        x->ima->n_required = list->n;
        return r;
}

/* ---- measuring ---- */

static int read_covers(const struct yaml_node *node, unsigned *ret, struct err *err)
{
        static const char *const names[] = {"exec", "tmpfs", "kexec", "reads"};
        const struct yaml_node *const *items;
        size_t n, choice = 0;
        int r = 0;

        items = parse_items(&node, &n);
        *ret = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_choice(items[i], names, ARRAY_LEN(names), &choice, err);
                *ret |= 1u << choice;
        }
        return r;
}

static bool waived(const struct reader *x, enum policy_waiver w)
{
        return x->ima->waived & 1u << w;
}

/* A file of rules as text: its cover is known, and one that covers too little is the author's to know now. */
static int check_cover(const struct reader *x, const struct yaml_node *text, unsigned covers, struct err *err)
{
        if (!(covers & POLICY_COVERS_EXEC))
                return yaml_err(
                        text, err,
                        "these rules leave out some of what is executed: they need 'measure "
                        "func=BPRM_CHECK' and 'measure func=MMAP_CHECK mask=MAY_EXEC', without further "
                        "conditions and before any dont_measure of it");
        if (!(covers & POLICY_COVERS_TMPFS) && !waived(x, POLICY_WAIVE_TMPFS))
                return yaml_err(
                        text, err,
                        "these rules leave out what is executed from tmpfs and memfd: put 'dont_measure "
                        "fsmagic=0x01021994' behind the rules for BPRM_CHECK and MMAP_CHECK, or say "
                        "'waive: [tmpfs]'");
        return 0;
}

/* The kernel measures by one algorithm of its choice: each is allowed. */
static int add_rules_text(struct reader *x, const struct yaml_node *text, struct policy_rules rules,
                          struct policy_vec *all, struct err *err)
{
        static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA1};
        const char *bytes;
        int r = yaml_str(text, &bytes, err);

        if (r < 0)
                return r;
        rules.covers = ima_rules_cover(view_str(bytes));
        r = check_cover(x, text, rules.covers, err);
        for (size_t i = 0; r == 0 && i < (x->sha1 ? 4 : 3); i++) {
                r = digest_bytes(algs[i], view_str(bytes), &rules.digest, err);
                if (r == 0)
                        r = policy_vec_add(all, &rules, PARSE_SEARCH_MAX, "rule sets", err);
        }
        return r;
}

static int read_rules_item(struct reader *x, const struct yaml_node *map, struct policy_vec *all,
                           struct err *err)
{
        static const char *const keys[] = {"text", "digest", "covers", "until", "comment"};
        const struct yaml_node *text = yaml_get(map, "text"), *digest = yaml_get(map, "digest"),
                               *covers = yaml_get(map, "covers");
        struct policy_rules rules = {.line = map->line};
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        if (r == 0)
                r = parse_until(x->p->b, map, &rules.until_ms, err);
        if (r == 0)
                r = parse_comment(x->p->b, map, &rules.comment, err);
        if (r < 0)
                return r;
        if (!text == !digest)
                return yaml_err(map, err, "expected 'text' (the rules themselves) or 'digest' and 'covers'");
        if (text && covers)
                return yaml_err(covers, err, "what the text covers is worked out from it: leave this out");
        if (text)
                return add_rules_text(x, text, rules, all, err);
        if (!covers)
                return yaml_err(
                        map, err,
                        "'covers' is missing: say what these rules measure, of exec, tmpfs, kexec and "
                        "reads, or give the rules as 'text' to have it worked out");
        r = read_covers(covers, &rules.covers, err);
        if (r == 0)
                r = parse_file_digest(digest, x->sha1, &rules.digest, err);
        return r < 0 ? r : policy_vec_add(all, &rules, PARSE_SEARCH_MAX, "rule sets", err);
}

static int read_measuring(struct reader *x, const struct yaml_node *map, struct err *err)
{
        static const char *const keys[] = {"rules", "command_lines"};
        const struct yaml_node *rules, *lines;
        struct policy_vec all = {.size = sizeof(struct policy_rules)};
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        if (r < 0)
                return r;
        rules = yaml_get(map, "rules");
        lines = yaml_get(map, "command_lines");
        if (rules)
                r = yaml_want_list(rules, PARSE_SEARCH_MAX, err);
        for (size_t i = 0; r == 0 && rules && i < rules->n; i++)
                r = read_rules_item(x, rules->items[i], &all, err);
        x->ima->n_rules = all.n;
        x->ima->rules = policy_build_keep_vec(x->p->b, &all);
        if (!x->ima->rules)
                return err_nomem(err);
        if (r == 0 && lines)
                r = parse_patterns(x->p->b, lines, "command line", &x->ima->command_lines,
                                   &x->ima->command_line_texts, &x->ima->n_command_lines, err);
        return r;
}

/* ---- settings ---- */

static int read_waive(struct reader *x, const struct yaml_node *node, struct err *err)
{
        const struct yaml_node *const *items;
        const char *names[POLICY_N_WAIVERS];
        size_t n, choice = 0;

        for (unsigned i = 0; i < POLICY_N_WAIVERS; i++)
                names[i] = policy_waiver_name(i);
        items = parse_items(&node, &n);
        for (size_t i = 0; i < n; i++) {
                int r = yaml_choice(items[i], names, POLICY_N_WAIVERS, &choice, err);

                if (r < 0)
                        return r;
                if (waived(x, (enum policy_waiver)choice))
                        return yaml_err(items[i], err, "'%s' stands here twice", names[choice]);
                x->ima->waived |= 1u << choice;
        }
        return 0;
}

static int read_settings(struct reader *x, const struct yaml_node *map, struct err *err)
{
        static const char *const violations[] = {"fail", "warn", "allow"}, *const sha1[] = {"allow"};
        const struct yaml_node *v = yaml_get(map, "violations"), *s = yaml_get(map, "sha1"),
                               *w = yaml_get(map, "waive");
        size_t choice = 0;
        int r = 0;

        if (v) {
                r = yaml_choice(v, violations, ARRAY_LEN(violations), &choice, err);
                x->ima->violations_stated = true;
                x->ima->violations = (enum policy_violations)choice;
        }
        if (r == 0 && s) {
                r = yaml_choice(s, sha1, ARRAY_LEN(sha1), &choice, err);
                x->sha1 = true;
        }
        return r == 0 && w ? read_waive(x, w, err) : r;
}

static int read_exclude(struct reader *x, const struct yaml_node *node, struct err *err)
{
        return parse_patterns(x->p->b, node, "path", &x->ima->exclude, &x->ima->exclude_texts,
                              &x->ima->n_exclude, err);
}

static int read_keys(struct reader *x, const struct yaml_node *map, struct err *err)
{
        static const struct {
                const char *key;
                int (*read)(struct parse_ima *x, const struct yaml_node *node, struct err *err);
        } rows[] = {
                {"keys", parse_ima_keys},
                {"signed", parse_ima_signed},
                {"keyrings", parse_ima_keyrings},
                {"buffers", parse_ima_buffers},
        };
        struct parse_ima keys = {x->p, x->ima, x->sha1, x->keyring_keys, x->buffer_digests};
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
                const struct yaml_node *node = yaml_get(map, rows[i].key);

                if (node)
                        r = rows[i].read(&keys, node, err);
        }
        return r;
}

/* ---- all of it ---- */

static void free_set(void *p)
{
        allow_unref(p);
}

static int freeze(struct reader *x, struct allow_builder *b, const struct allow **ret, struct err *err)
{
        struct allow *set = NULL;
        int r = allow_freeze(b, &set, err);

        if (r < 0)
                return r;
        x->ima->memory_bytes += allow_bytes(set);
        *ret = policy_build_keep(x->p->b, set, free_set);
        return *ret ? 0 : err_nomem(err);
}

/* A digest that is allowed and denied in one document is a contradiction, not a choice. */
static int check_contradictions(const struct policy_ima *ima, const char *file, struct err *err)
{
        struct allow_entry denied, allowed;

        for (struct allow_pos pos = {0}; allow_next(ima->denied, &pos, &denied);)
                if (allow_find_digest(ima->files, denied.alg, denied.digest, 0, &allowed) != ALLOW_UNKNOWN)
                        return err_set(
                                err, ERR_CONFIG, 0,
                                "%s:%u:1: denies the digest that line %u allows; remove one of the two", file,
                                denied.line, allowed.line);
        return 0;
}

static int finish(struct reader *x, const char *file, struct err *err)
{
        struct policy_ima *ima = x->ima;
        int r = freeze(x, x->files, &ima->files, err);

        if (r < 0 || (r = freeze(x, x->denied, &ima->denied, err)) < 0 ||
            (r = freeze(x, x->keyring_keys, &ima->keyring_keys, err)) < 0 ||
            (r = freeze(x, x->buffer_digests, &ima->buffer_digests, err)) < 0 ||
            (r = freeze(x, x->roots, &ima->verity_roots, err)) < 0)
                return r;
        ima->memory_bytes += sizeof(*ima) + ima->n_packages * sizeof(*ima->packages) +
                             (ima->exclude ? pattern_bytes(ima->exclude) : 0);
        return check_contradictions(ima, file, err);
}

static int read_lists(struct reader *x, const struct yaml_node *map, struct err *err)
{
        static const struct {
                const char *key;
                int (*read)(struct reader *x, const struct yaml_node *node, struct err *err);
        } rows[] = {
                {"packages", read_packages},   {"allow", read_allow},       {"deny", read_deny},
                {"verity", read_verity},       {"required", read_required}, {"exclude", read_exclude},
                {"measuring", read_measuring},
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
                const struct yaml_node *node = yaml_get(map, rows[i].key);

                if (node)
                        r = rows[i].read(x, node, err);
        }
        return r;
}

int parse_ima(struct parse *p, const struct yaml_node *node, const struct policy_ima **ret, struct err *err)
{
        AUTO(reader_done)
        struct reader x = {.p = p};
        int r = yaml_only(node, ima_keys, ARRAY_LEN(ima_keys), err);

        if (r < 0)
                return r;
        x.ima = policy_build_zeroed(p->b, 1, sizeof(*x.ima), err);
        if (!x.ima)
                return -ERR_NOMEM;
        if ((r = allow_builder_new(&x.files, err)) < 0 || (r = allow_builder_new(&x.denied, err)) < 0 ||
            (r = allow_builder_new(&x.keyring_keys, err)) < 0 ||
            (r = allow_builder_new(&x.buffer_digests, err)) < 0 ||
            (r = allow_builder_new(&x.roots, err)) < 0 || (r = read_settings(&x, node, err)) < 0 ||
            (r = read_lists(&x, node, err)) < 0 || (r = read_keys(&x, node, err)) < 0 ||
            (r = finish(&x, node->file, err)) < 0)
                return r;
        *ret = x.ima;
        return 0;
}
