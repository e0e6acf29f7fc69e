/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of `ima:`. Files stand under their packages, one line each, in sha256sum's own form: short, quick
 * to read for programs, and something that people can compare with their tools.
 */
#include "tenant/ima_draft.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "evidence/ima_signature.h"
#include "tenant/policy_draft.h"

#define IMA_PCR 10

void ima_draft_init(struct ima_draft *d, enum digest_alg alg, enum catalogue_scope scope)
{
        *d = (struct ima_draft){0};
        catalogue_init(&d->files, alg, scope);
}

static void names_done(struct ima_draft_names *n)
{
        for (size_t i = 0; i < n->names.n; i++)
                strv_done(&n->digests[i]);
        free(n->digests);
        strv_done(&n->names);
}

void ima_draft_done(struct ima_draft *d)
{
        catalogue_done(&d->files);
        strv_done(&d->required);
        strv_done(&d->waive);
        buf_free(&d->rules);
        names_done(&d->keyrings);
        names_done(&d->buffers);
}

bool ima_draft_stated(const struct ima_draft *d)
{
        return d->files.n > 0 || d->required.n > 0 || d->rules.len > 0;
}

/* --- lists --- */

struct ima_list ima_draft_list(struct view bytes, const char *name)
{
        struct ima_list list = {.form = IMA_TEXT, .log_hash = DIGEST_SHA1, .bytes = bytes};
        const char *end = strrchr(name, '_');
        enum digest_alg alg;

        /* a binary entry begins with the register in four bytes; text holds no NUL at all */
        if (bytes.len && memchr(bytes.p, '\0', bytes.len < 8 ? bytes.len : 8))
                list.form = IMA_BINARY;
        if (end && digest_by_name(end + 1, &alg))
                list.log_hash = alg;
        return list;
}

static int add_named(struct ima_draft_names *n, const char *name, const char *hex, struct err *err)
{
        size_t i = 0;

        while (i < n->names.n && !str_equal(n->names.items[i], name))
                i++;
        if (i == n->names.n) {
                struct strv *grown = mem_resize(n->digests, i + 1, sizeof(*grown));

                if (!grown)
                        return err_nomem(err);
                n->digests = grown;
                grown[i] = (struct strv){0};
                if (strv_add(&n->names, name) < 0)
                        return err_nomem(err);
        }
        return strv_has(&n->digests[i], hex) || strv_add(&n->digests[i], hex) == 0 ? 0 : err_nomem(err);
}

/* A certificate or a public key: what was loaded into a keyring; else some other buffer, as the judge of
 * lists tells them apart. Return: 1, 0; -ERR_NOMEM. */
static int is_key(struct view buf, struct err *err)
{
        AUTO(ima_keys_free_p) struct ima_keys *probe = NULL;
        struct err ignored = ERR_INIT;
        uint32_t id;
        int r = ima_keys_new(&probe, err);

        return r < 0 ? r : ima_keys_add(probe, buf, &id, &ignored) == 0;
}

static int add_buffer(struct ima_draft *d, const struct ima_event *e, struct err *err)
{
        AUTO(mem_free_p) char *name = str_ndup((const char *)e->name.p, e->name.len);
        AUTO(mem_free_p) char *hex = hex_encode(e->digest);
        int r = is_key(e->buf, err);

        if (!name || !hex)
                return err_nomem(err);
        return r < 0 ? r : add_named(r ? &d->keyrings : &d->buffers, name, hex, err);
}

static int add_file(struct ima_draft *d, size_t package, const struct ima_event *e, struct err *err)
{
        AUTO(mem_free_p) char *path = str_ndup((const char *)e->name.p, e->name.len);
        struct digest digest;
        int r;

        if (!path)
                return err_nomem(err);
        if (!e->alg_known)
                return catalogue_note(&d->files, err, "%s: measured with %s, which no policy takes: left out",
                                      SHOW(path), SHOW_VIEW(e->alg_name));
        r = digest_set(e->alg, e->digest, &digest, err);
        if (r < 0)
                return r;
        d->sha1 |= e->alg == DIGEST_SHA1;
        if (*path != '/')
                return catalogue_note(&d->files, err, "%s: has no path: left out", SHOW(path));
        return catalogue_add(&d->files, package, path, &digest, err);
}

static int add_entry(struct ima_draft *d, size_t package, const struct ima_entry *entry, struct err *err)
{
        struct ima_event e;
        int r;

        if (entry->violation) {
                d->n_violations++;
                return 0;
        }
        r = ima_event_decode(entry, &e, err);
        if (r < 0)
                return r;
        if (e.has_buf)
                return add_buffer(d, &e, err);
        if (view_equal(e.name, view_str("boot_aggregate")))
                return 0; /* checked against the registers, never allowed by a digest */
        return add_file(d, package, &e, err);
}

int ima_draft_add_list(struct ima_draft *d, const struct ima_list *list, uint64_t n, struct err *err)
{
        AUTO(ima_reader_free_p) struct ima_reader *reader = NULL;
        struct ima_entry entry;
        size_t package;
        int r = catalogue_package(&d->files, NULL, NULL, NULL, &package, err);

        if (r == 0)
                r = ima_reader_new(list, &reader, err);
        if (r < 0)
                return r;
        for (uint64_t i = 0; i < n && (r = ima_next(reader, &entry, err)) > 0; i++) {
                if (entry.pcr != IMA_PCR)
                        continue;
                r = add_entry(d, package, &entry, err);
                if (r < 0)
                        return err_wrap(err, "entry %llu", (unsigned long long)entry.number);
        }
        return r < 0 ? r : 0;
}

int ima_draft_add_evidence(struct ima_draft *d, const struct bundle *b, struct err *err)
{
        struct ima_list list = ima_draft_list(VIEW_BUF(&b->ima), "");
        struct ima_start start = {.known = false};
        struct ima_replay replay;
        int r;

        if (!b->has_ima || b->ima.len == 0)
                return 0;
        if (!(b->pcrs.mask & 1u << IMA_PCR))
                return err_set(err, ERR_CONFIG, 0,
                               "the evidence of host '%s' has a kernel's list, and no quote of PCR 10",
                               b->host);
        digest_zero(b->pcrs.bank, &start.value);
        r = ima_replay(&list, &start, IMA_PCR, &b->pcrs.v[IMA_PCR], &replay, err);
        if (r < 0)
                return err_wrap(err, "the kernel's list of host '%s'", b->host);
        if (!replay.matched)
                return err_set(err, ERR_CONFIG, 0,
                               "the kernel's list of host '%s' does not lead to its quoted PCR 10", b->host);
        return ima_draft_add_list(d, &list, replay.covered, err);
}

static int merge_names(struct ima_draft_names *to, const struct ima_draft_names *from, struct err *err)
{
        for (size_t i = 0; i < from->names.n; i++)
                for (size_t k = 0; k < from->digests[i].n; k++) {
                        int r = add_named(to, from->names.items[i], from->digests[i].items[k], err);

                        if (r < 0)
                                return r;
                }
        return 0;
}

int ima_draft_merge(struct ima_draft *d, const struct ima_draft *from, struct err *err)
{
        int r = merge_names(&d->keyrings, &from->keyrings, err);

        d->n_violations += from->n_violations;
        d->sha1 |= from->sha1;
        return r < 0 ? r : merge_names(&d->buffers, &from->buffers, err);
}

/* --- text --- */

/* Can a literal block of YAML hold it, as it is or with sha256sum's escapes? */
static bool is_writable(const char *path)
{
        for (const char *p = path; *p; p++)
                if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\r') || *p == 0x7f)
                        return false;
        return str_valid_utf8(view_str(path));
}

static void write_line(const struct catalogue_file *f, bool any_path, struct buf *out)
{
        bool escape = strpbrk(f->path, "\\\n\r") != NULL;

        buf_str(out, "        ");
        if (any_path || !is_writable(f->path)) {
                buf_hex(out, digest_view(&f->digest));
                buf_str(out, "\n");
                return;
        }
        if (escape)
                buf_str(out, "\\");
        buf_hex(out, digest_view(&f->digest));
        buf_str(out, "  ");
        for (const char *p = f->path; *p; p++)
                if (*p == '\\' || *p == '\n' || *p == '\r')
                        buf_str(out, *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : "\\r");
                else
                        buf_put(out, p, 1);
        buf_str(out, "\n");
}

static void write_files(const struct catalogue_package *p, bool any_path, struct buf *out)
{
        buf_str(out, "      files: |\n");
        for (size_t i = 0; i < p->n; i++)
                write_line(&p->files[i], any_path, out);
}

static void write_member(const char *key, const char *text, struct buf *out)
{
        if (!*text)
                return;
        buf_fmt(out, "      %s: ", key);
        draft_write_scalar(out, text);
        buf_str(out, "\n");
}

void ima_draft_write_package(const struct catalogue_package *p, bool any_path, struct buf *out)
{
        buf_str(out, "    - name: ");
        draft_write_scalar(out, p->name);
        buf_str(out, "\n");
        write_member("version", p->version, out);
        write_member("arch", p->arch, out);
        write_files(p, any_path, out);
}

static void write_catalogue(const struct ima_draft *d, struct buf *out)
{
        const struct catalogue *c = &d->files;
        bool begun = false;

        for (size_t i = 0; i < c->n; i++) {
                if (!*c->packages[i].name)
                        continue;
                if (!begun)
                        buf_str(out, "  packages:\n");
                begun = true;
                ima_draft_write_package(&c->packages[i], d->any_path, out);
        }
        for (size_t i = 0; i < c->n; i++) {
                if (*c->packages[i].name)
                        continue;
                buf_str(out, "  allow:\n    - comment: of no package\n");
                write_files(&c->packages[i], d->any_path, out);
        }
}

static void write_list(const char *key, const struct strv *items, struct buf *out)
{
        if (items->n == 0)
                return;
        buf_fmt(out, "  %s:\n", key);
        for (size_t i = 0; i < items->n; i++) {
                buf_str(out, "    - ");
                draft_write_scalar(out, items->items[i]);
                buf_str(out, "\n");
        }
}

static void write_names(const char *key, const char *digests, const struct ima_draft_names *n,
                        struct buf *out)
{
        if (n->names.n)
                buf_fmt(out, "  %s:\n", key);
        for (size_t i = 0; i < n->names.n; i++) {
                buf_str(out, "    - name: ");
                draft_write_scalar(out, n->names.items[i]);
                buf_fmt(out, "\n      %s:\n", digests);
                for (size_t k = 0; k < n->digests[i].n; k++)
                        buf_fmt(out, "        - %s\n", n->digests[i].items[k]);
        }
}

static void write_rules(const struct ima_draft *d, struct buf *out)
{
        struct cursor c = cursor_of(VIEW_BUF(&d->rules));

        if (c.left == 0)
                return;
        /* to the byte: with the lines' own indentation, and their ends */
        buf_fmt(out, "  measuring:\n    rules:\n      - text: |2%s\n",
                d->rules.p[c.left - 1] == '\n' ? "+" : "-");
        while (c.left) {
                const uint8_t *lf = memchr(c.p, '\n', c.left);
                struct view line;

                if (!cursor_take(&c, lf ? (size_t)(lf - c.p) + 1 : c.left, &line))
                        break;
                if (line.len > 1)
                        buf_str(out, "          ");
                buf_put_view(out, line);
        }
        if (d->rules.p[d->rules.len - 1] != '\n')
                buf_str(out, "\n");
}

void ima_draft_write(const struct ima_draft *d, struct buf *out)
{
        buf_str(out, "\n# What the kernel may measure when it executes, maps or loads it.\nima:\n");
        write_list("required", &d->required, out);
        write_rules(d, out);
        write_list("waive", &d->waive, out);
        if (d->n_violations)
                buf_str(out, "  violations: warn # there were some\n");
        if (d->sha1)
                buf_str(out, "  sha1: allow # some files were measured with nothing better\n");
        write_names("keyrings", "keys", &d->keyrings, out);
        write_names("buffers", "digests", &d->buffers, out);
        write_catalogue(d, out);
}
