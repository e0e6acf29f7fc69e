/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's text as a whole: one document, or several, each based on the next. A base is shared by many
 * policies and changes by itself, so the text that is pushed holds all of it: what was checked, signed and
 * digested is what holds, and no later push of a base changes a policy that nobody looked at again.
 *
 * What has one value is the nearest document's; runtimes, records, denials and PCR values of all are put
 * together here; the sets of files and boots stay apart, one layer each (policy.h: struct policy_part).
 */
#include <string.h>

#include "base/mem.h"
#include "policy/parse_impl.h"
#include "policy/policy_tee.h"

#define OVERLAYS_MAX (POLICY_PARTS_MAX / 2)

static const char *const keys_1[] = {"format",   "name",    "description", "pcr",  "freshness",
                                     "runtimes", "records", "deny",        "mode", "on_fail"};
static const char *const keys_2[] = {"format",   "name",     "description", "pcr",  "freshness",
                                     "runtimes", "records",  "deny",        "mode", "on_fail",
                                     "based_on", "overlays", "ima",         "boot", "tee"};
static const char *const formats[] = {"avow-policy/1", "avow-policy/2"};

/* ---- heads ---- */

/* Keys that format 1 does not have are named as such: that is the mend. */
static int check_keys(const struct yaml_node *root, size_t format, struct err *err)
{
        int r = yaml_want_map(root, err);

        for (size_t i = ARRAY_LEN(keys_1); r == 0 && format == 0 && i < ARRAY_LEN(keys_2); i++)
                if (yaml_key(root, keys_2[i]))
                        return yaml_err(yaml_key(root, keys_2[i]), err, "'%s' needs 'format: %s'", keys_2[i],
                                        formats[1]);
        return r < 0         ? r
               : format == 0 ? yaml_only(root, keys_1, ARRAY_LEN(keys_1), err)
                             : yaml_only(root, keys_2, ARRAY_LEN(keys_2), err);
}

static int read_name(struct policy_build *b, const struct yaml_node *root, const char **ret, struct err *err)
{
        const struct yaml_node *name;
        int r = yaml_need(root, "name", &name, err);

        if (r == 0)
                r = parse_name(name, ret, err);
        if (r < 0)
                return r;
        *ret = policy_build_string(b, *ret);
        return *ret ? 0 : err_nomem(err);
}

/* Is document I based on the one after it, and on nothing else? NEXT is NULL for the last one. */
static int check_base(const struct yaml_node *root, const struct yaml_node *next, struct err *err)
{
        const struct yaml_node *base = yaml_get(root, "based_on"),
                               *name = yaml_get(next ? next : root, "name");
        const char *text, *found = name && name->kind == YAML_TEXT ? name->text : "";
        int r;

        if (!base)
                return !next ? 0
                             : yaml_err(next, err,
                                        "a second document, and nothing is based on it: write 'based_on: %s' "
                                        "in the one before, or remove it",
                                        *found ? found : "NAME");
        r = parse_name(base, &text, err);
        if (r < 0)
                return r;
        if (!next)
                return yaml_err(base, err,
                                "the text of '%s' does not follow: put it behind a line '---', or have 'avow "
                                "policy' read it from %s.yaml beside this file",
                                text, text);
        return str_equal(text, found)
                       ? 0
                       : yaml_err(next, err, "based on '%s', but the document that follows is '%s'", text,
                                  found);
}

static int read_heads(struct policy_build *b, const struct yaml_doc *doc, const char **names,
                      const char *source, struct parse_stated *stated, struct err *err)
{
        const struct yaml_node *description = yaml_get(yaml_root(doc), "description");
        size_t n = yaml_n_documents(doc), format = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct yaml_node *root = yaml_root_of(doc, i), *node;

                if ((r = yaml_want_map(root, err)) < 0 || (r = yaml_need(root, "format", &node, err)) < 0 ||
                    (r = yaml_choice(node, formats, ARRAY_LEN(formats), &format, err)) < 0 ||
                    (r = check_keys(root, format, err)) < 0 || (r = read_name(b, root, &names[i], err)) < 0)
                        return r;
                if (format == 1)
                        b->head.format = 2;
                r = check_base(root, i + 1 < n ? yaml_root_of(doc, i + 1) : NULL, err);
                node = yaml_get(root, "pcr");
                if (r == 0 && node)
                        r = parse_pcr_head(b, node, stated, err);
        }
        if (r < 0)
                return r;
        b->head.name = names[0];
        b->head.source = policy_build_string(b, source);
        b->head.description = "";
        if (!b->head.source)
                return err_nomem(err);
        return description ? parse_text(b, description, &b->head.description, err) : 0;
}

/* ---- layers ---- */

static int read_part(struct parse *p, const struct yaml_node *node, struct policy_part *part, struct err *err)
{
        const struct yaml_node *ima = yaml_get(node, "ima"), *boot = yaml_get(node, "boot");
        int r = 0;

        if (ima)
                r = parse_ima(p, ima, &part->ima, err);
        if (r == 0 && boot)
                r = parse_boot(p, boot, &part->boot, err);
        return r < 0 ? r : policy_build_part(p->b, *part, err);
}

static int read_overlay(struct parse *p, const struct yaml_node *node, const char *document, size_t i,
                        struct err *err)
{
        static const char *const keys[] = {"hosts", "comment", "ima", "boot"};
        struct policy_part part = {0};
        const struct yaml_node *hosts;
        const char *comment;
        int r = yaml_only(node, keys, ARRAY_LEN(keys), err);

        if (r < 0 || (r = parse_comment(p->b, node, &comment, err)) < 0 ||
            (r = yaml_need(node, "hosts", &hosts, err)) < 0 ||
            (r = parse_patterns(p->b, hosts, "host", &part.hosts, &part.host_texts, &part.n_hosts, err)) < 0)
                return r;
        if (!yaml_get(node, "ima") && !yaml_get(node, "boot"))
                return yaml_err(node, err, "an overlay that adds nothing: expected 'ima' or 'boot'");
        if (strv_take(&p->b->strings,
                      str_fmt("%s, overlay %zu%s%s", document, i + 1, *comment ? ": " : "", comment)) < 0)
                return err_nomem(err);
        part.name = p->b->strings.items[p->b->strings.n - 1];
        return read_part(p, node, &part, err);
}

/* From the last document to the first, because a key's name may be one of a base: so parts come furthest
 * first, and are turned round in the end. */
static int read_document(struct parse *p, const struct yaml_node *root, const char *name, struct err *err)
{
        const struct yaml_node *overlays = yaml_get(root, "overlays");
        struct policy_part part = {.name = name};
        int r = 0;

        if (yaml_get(root, "ima") || yaml_get(root, "boot"))
                r = read_part(p, root, &part, err);
        if (r == 0 && overlays)
                r = yaml_want_list(overlays, OVERLAYS_MAX, err);
        for (size_t i = 0; r == 0 && overlays && i < overlays->n; i++)
                r = read_overlay(p, overlays->items[i], name, i, err);
        return r;
}

static void turn_round(struct policy_vec *parts)
{
        struct policy_part *p = parts->p;

        for (size_t i = 0; i < parts->n / 2; i++) {
                struct policy_part other = p[i];

                p[i] = p[parts->n - 1 - i];
                p[parts->n - 1 - i] = other;
        }
}

static void free_tee(void *t)
{
        policy_tee_free(t);
}

/* The nearest document's. */
static int read_tee(struct policy_build *b, const struct yaml_doc *doc, struct err *err)
{
        const struct yaml_node *node = NULL;
        struct policy_tee *tee = NULL;
        int r;

        for (size_t i = 0; !node && i < yaml_n_documents(doc); i++)
                node = yaml_get(yaml_root_of(doc, i), "tee");
        if (!node)
                return 0;
        r = policy_tee_parse(node, &tee, err);
        if (r < 0)
                return r;
        b->head.tee = policy_build_keep(b, tee, free_tee);
        return b->head.tee ? 0 : err_nomem(err);
}

static int read_layers(struct policy_build *b, const struct yaml_doc *doc, struct view text,
                       const char *const *names, struct err *err)
{
        struct parse p = {.b = b, .text = text};
        int r = 0;

        map_init(&p.keys, NULL);
        for (size_t i = yaml_n_documents(doc); r == 0 && i > 0; i--)
                r = read_document(&p, yaml_root_of(doc, i - 1), names[i - 1], err);
        map_done(&p.keys);
        turn_round(&b->parts);
        for (size_t i = 0; r == 0 && i < b->parts.n; i++) {
                const struct policy_part *part = (const struct policy_part *)b->parts.p + i;

                b->head.judges_ima |= !part->hosts && part->ima;
                b->head.judges_boot |= !part->hosts && part->boot;
        }
        return r;
}

/* ---- all of it ---- */

/* The document that a line stands in. */
static size_t document_of(const struct yaml_doc *doc, uint32_t line)
{
        size_t i = yaml_n_documents(doc) - 1;

        while (i > 0 && yaml_root_of(doc, i)->line > line)
                i--;
        return i;
}

/* An allowed digest that the same document denies is a contradiction, not a choice; what a base allows can be
 * denied. */
static int check_contradictions(const struct policy *p, const struct yaml_doc *doc, struct err *err)
{
        for (size_t i = 0; i < p->n_denied; i++) {
                const uint8_t *bytes = p->denied[i].bytes;
                unsigned n = 0; /* each step walks over those before it */

                for (const struct policy_digest *d = policy_find(p, bytes, NULL); d && n < 64;
                     d = policy_find(p, bytes, d), n++)
                        if (document_of(doc, d->line) == document_of(doc, p->denied[i].line))
                                return err_set(err, ERR_CONFIG, 0,
                                               "%s:%u:1: denies the digest that line %u allows; remove one "
                                               "of the two",
                                               p->source, p->denied[i].line, d->line);
        }
        return 0;
}

/* Does a layer demand something of every host? */
static bool demands(const struct policy_build *b)
{
        const struct policy_part *parts = b->parts.p;

        for (size_t i = 0; i < b->parts.n; i++)
                if (!parts[i].hosts &&
                    (parts[i].ima || (parts[i].boot && parts[i].boot->log != POLICY_LOG_NONE)))
                        return true;
        return false;
}

static int build(struct policy_build *b, const struct yaml_doc *doc, struct view text, const char *source,
                 struct err *err)
{
        const char *names[POLICY_BASES_MAX];
        struct parse_stated stated = {0};
        int r = read_heads(b, doc, names, source, &stated, err);

        for (size_t i = 0; r == 0 && i < yaml_n_documents(doc); i++)
                r = parse_rules(b, yaml_root_of(doc, i), &stated, err);
        if (r == 0)
                r = read_layers(b, doc, text, names, err);
        if (r == 0)
                r = read_tee(b, doc, err);
        if (r == 0 && !b->head.judges_log && b->head.pcr_mask == 0 && !b->head.tee && !demands(b))
                return yaml_err(
                        yaml_root(doc), err,
                        "this policy demands nothing: add 'runtimes', 'records', 'pcr: {values: …}'%s",
                        b->head.format == 2 ? ", 'ima', 'boot' or 'tee'" : "");
        return r;
}

int policy_parse(struct view text, const char *source, struct policy **ret, struct err *err)
{
        AUTO(policy_build_done)
        struct policy_build b;
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = NULL;
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        int r;

        policy_build_init(&b, DIGEST_SHA256);
        r = yaml_parse_many(text, source, POLICY_TEXT_BYTES_MAX, POLICY_BASES_MAX, &doc, err);
        if (r == 0)
                r = build(&b, doc, text, source, err);
        if (r == 0)
                r = policy_build_finish(&b, text, &p, err);
        if (r == 0)
                r = check_contradictions(p, doc, err);
        if (r < 0)
                return r;
        *ret = TAKE(p);
        return 0;
}

int policy_open_base(struct view text, const char *source, char **ret_name, unsigned *ret_line,
                     unsigned *ret_column, struct err *err)
{
        static const char key[] = "based_on";
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = NULL;
        const struct yaml_node *base;
        const char *name;
        int r;

        *ret_name = NULL;
        if (!memmem(text.p, text.len, key, strlen(key)))
                return 0; /* most have none, and some are large */
        r = yaml_parse_many(text, source, POLICY_TEXT_BYTES_MAX, POLICY_BASES_MAX, &doc, err);
        if (r < 0)
                return r;
        base = yaml_get(yaml_root_of(doc, yaml_n_documents(doc) - 1), key);
        if (!base)
                return 0;
        r = parse_name(base, &name, err);
        if (r < 0)
                return r;
        *ret_line = base->line;
        *ret_column = base->column;
        *ret_name = str_dup(name);
        return *ret_name ? 0 : err_nomem(err);
}
