/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drafts of policies. Files are listed and hashed by the agent's rules, in the agent's order, so that what
 * the draft allows is what the agent will measure. Evidence holds names that a host chose: they go into the
 * text as quoted strings, whatever is in them.
 */
#include "tenant/policy_draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "evidence/cel.h"
#include "evidence/pcr.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define BOOT_PCRS        0x5bffu /* 0 to 9, 11, 12, 14 */
#define RECORDS_MAX      1000000
#define LIST_MAX         65536

void draft_init(struct draft *d, enum digest_alg bank, enum catalogue_scope scope)
{
        *d = (struct draft){.bank = bank, .pcr = 15};
        ima_draft_init(&d->ima, DIGEST_SHA256, scope);
}

static void file_done(struct draft_file *f)
{
        for (size_t i = 0; i < f->n; i++) {
                free(f->digests[i].hex);
                free(f->digests[i].comment);
        }
        free(f->digests);
        free(f->path);
}

void draft_done(struct draft *d)
{
        for (size_t i = 0; i < d->n; i++) {
                for (size_t k = 0; k < d->runtimes[i].n; k++)
                        file_done(&d->runtimes[i].files[k]);
                free(d->runtimes[i].files);
                free(d->runtimes[i].name);
        }
        free(d->runtimes);
        strv_done(&d->record_strings);
        strv_done(&d->record_digests);
        ima_draft_done(&d->ima);
        boot_draft_done(&d->boot);
        *d = (struct draft){0};
}

static struct draft_runtime *get_runtime(struct draft *d, const char *name, struct err *err)
{
        struct draft_runtime *grown;

        for (size_t i = 0; i < d->n; i++)
                if (str_equal(d->runtimes[i].name, name))
                        return &d->runtimes[i];
        grown = mem_resize(d->runtimes, d->n + 1, sizeof(*grown));
        if (!grown) {
                (void)err_nomem(err);
                return NULL;
        }
        d->runtimes = grown;
        grown[d->n] = (struct draft_runtime){.name = str_dup(name)};
        if (!grown[d->n].name) {
                (void)err_nomem(err);
                return NULL;
        }
        return &grown[d->n++];
}

static struct draft_file *get_file(struct draft_runtime *runtime, const char *path, struct err *err)
{
        struct draft_file *grown;

        for (size_t i = 0; i < runtime->n; i++)
                if (str_equal(runtime->files[i].path, path))
                        return &runtime->files[i];
        grown = mem_resize(runtime->files, runtime->n + 1, sizeof(*grown));
        if (!grown) {
                (void)err_nomem(err);
                return NULL;
        }
        runtime->files = grown;
        grown[runtime->n] = (struct draft_file){.path = str_dup(path)};
        if (!grown[runtime->n].path) {
                (void)err_nomem(err);
                return NULL;
        }
        return &grown[runtime->n++];
}

/* The file's newest digest. One that it had before moves to the end. */
static int add_digest(struct draft_file *f, const struct digest *digest, struct err *err)
{
        AUTO(mem_free_p) char *hex = hex_encode(digest_view(digest));
        struct draft_digest *grown;

        if (!hex)
                return err_nomem(err);
        for (size_t i = 0; i < f->n; i++)
                if (str_equal(f->digests[i].hex, hex)) {
                        struct draft_digest same = f->digests[i];

                        memmove(&f->digests[i], &f->digests[i + 1], (f->n - i - 1) * sizeof(same));
                        f->digests[f->n - 1] = same;
                        return 0;
                }
        grown = mem_resize(f->digests, f->n + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        f->digests = grown;
        grown[f->n++] = (struct draft_digest){.hex = TAKE(hex)};
        return 0;
}

int draft_add_file(struct draft *d, const char *runtime_name, const char *path, const struct digest *digest,
                   struct err *err)
{
        struct draft_runtime *runtime = get_runtime(d, runtime_name, err);
        struct draft_file *file = runtime ? get_file(runtime, path, err) : NULL;

        return file ? add_digest(file, digest, err) : -(int)err->kind;
}

/* --- files --- */

static int hash_file(const char *path, enum digest_alg bank, struct digest *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        AUTO(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
        AUTO(mem_free_p) uint8_t *block = mem_alloc(1u << 16);
        ssize_t n;
        int r;

        if (!block)
                return err_nomem(err);
        if (fd < 0)
                return err_errno(err, errno, "open '%s'", path);
        r = digest_ctx_new(bank, &ctx, err);
        while (r == 0 && (n = read(fd, block, 1u << 16)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read '%s'", path);
                r = digest_ctx_update(ctx, VIEW(block, (size_t)n), err);
        }
        return r < 0 ? r : digest_ctx_final(ctx, ret, err);
}

int draft_add_runtime(struct draft *d, const struct agent_runtime *runtime, struct err *err)
{
        AUTO(strv_done) struct strv files = {0};
        int r = closure_of(runtime, &files, err);

        for (size_t i = 0; r >= 0 && i < files.n; i++) {
                struct digest digest;

                r = hash_file(files.items[i], d->bank, &digest, err);
                if (r >= 0)
                        r = draft_add_file(d, runtime->name, files.items[i], &digest, err);
        }
        return r < 0 ? r : 0;
}

/* --- an agent's configuration --- */

/* A path as the configuration means it: relative ones from the folder of its file. NULL: no memory. */
static char *config_path(const struct yaml_node *node, const char *text)
{
        const char *slash = strrchr(node->file, '/');

        if (*text == '/' || !slash)
                return str_dup(text);
        return str_fmt("%.*s/%s", (int)(slash - node->file), node->file, text);
}

static int read_config_path(const struct yaml_node *node, struct strv *to, struct err *err)
{
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        return strv_take(to, config_path(node, text)) < 0 ? err_nomem(err) : 0;
}

static int add_config_runtime(struct draft *d, const struct yaml_node *item, struct err *err)
{
        static const char *const libs_names[] = {"private", "all", "none"}; /* as enum agent_libs */
        const struct yaml_node *name_node, *path_node, *libs = yaml_get(item, "libs"),
                                                       *files = yaml_get(item, "files");
        AUTO(strv_done) struct strv paths = {0}; /* the executable, then `files` */
        struct agent_runtime runtime = {0};
        const char *name;
        size_t choice = 0;
        int r;

        if ((r = yaml_need(item, "name", &name_node, err)) < 0 || (r = yaml_str(name_node, &name, err)) < 0 ||
            (r = yaml_need(item, "path", &path_node, err)) < 0 ||
            (r = read_config_path(path_node, &paths, err)) < 0 ||
            (libs && (r = yaml_choice(libs, libs_names, ARRAY_LEN(libs_names), &choice, err)) < 0) ||
            (files && (r = yaml_want_list(files, LIST_MAX, err)) < 0))
                return r;
        for (size_t i = 0; files && i < files->n; i++)
                if ((r = read_config_path(files->items[i], &paths, err)) < 0)
                        return r;
        runtime.name = (char *)(uintptr_t)name; /* borrowed, and only read */
        runtime.path = paths.items[0];
        runtime.libs = (enum agent_libs)choice;
        runtime.files = paths.items + 1;
        runtime.n_files = paths.n - 1;
        return draft_add_runtime(d, &runtime, err);
}

/* The newest node of KEY in the files read so far; its document. */
struct found {
        struct yaml_doc *runtimes_doc;
        const struct yaml_node *runtimes;
        int64_t pcr;
};

static void found_done(struct found *f)
{
        yaml_doc_free(f->runtimes_doc);
}

static int look_into(const char *path, struct found *f, struct err *err)
{
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = NULL;
        const struct yaml_node *runtimes, *tpm, *pcr;
        int r = yaml_load(path, CONFIG_BYTES_MAX, &doc, err);

        if (r < 0)
                return r;
        tpm = yaml_get(yaml_root(doc), "tpm");
        pcr = tpm ? yaml_get(tpm, "pcr") : NULL;
        if (pcr && (r = yaml_int(pcr, 0, 23, &f->pcr, err)) < 0)
                return r;
        runtimes = yaml_get(yaml_root(doc), "runtimes");
        if (!runtimes)
                return 0;
        r = yaml_want_list(runtimes, LIST_MAX, err);
        if (r < 0)
                return r;
        yaml_doc_free(f->runtimes_doc);
        f->runtimes = runtimes;
        f->runtimes_doc = TAKE(doc);
        return 0;
}

/* FILE.d/NAME.yaml, bytewise: a later one replaces the list. */
static int look_into_folder(const char *file, struct found *f, struct err *err)
{
        AUTO(mem_free_p) char *folder = str_fmt("%s.d", file);
        AUTO(strv_done) struct strv names = {0};
        int r = 0;

        if (!folder)
                return err_nomem(err);
        if (file_exists(folder))
                r = file_list(folder, ".yaml", &names, err);
        for (size_t i = 0; r == 0 && i < names.n; i++) {
                AUTO(mem_free_p) char *path = str_fmt("%s/%s", folder, names.items[i]);

                r = path ? look_into(path, f, err) : err_nomem(err);
        }
        return r;
}

int draft_add_agent_config(struct draft *d, const char *file, struct err *err)
{
        AUTO(found_done) struct found f = {.pcr = d->pcr};
        int r = look_into(file, &f, err);

        if (r == 0)
                r = look_into_folder(file, &f, err);
        if (r < 0)
                return r;
        if (!f.runtimes || f.runtimes->n == 0)
                return err_set(err, ERR_CONFIG, 0, "%s: lists no runtimes", file);
        d->pcr = (unsigned)f.pcr;
        for (size_t i = 0; r == 0 && i < f.runtimes->n; i++)
                r = add_config_runtime(d, f.runtimes->items[i], err);
        return r;
}

/* --- evidence --- */

static int add_record(struct draft *d, const struct cel_record *rec, struct err *err)
{
        const struct digest *digest = cel_record_digest(rec, d->bank);
        AUTO(mem_free_p) char *hex = NULL;
        bool covers = false;
        int r;

        if (!digest)
                return err_set(err, ERR_FORMAT, 0, "a log record has no %s digest", digest_name(d->bank));
        if (rec->revocation)
                return 0; /* measures nothing */
        if (rec->ours)
                return draft_add_file(d, rec->runtime, rec->path, digest, err);
        r = rec->string ? cel_record_covers_string(rec, d->bank, &covers, err) : 0;
        if (r < 0)
                return r;
        if (covers)
                return strv_add(&d->record_strings, rec->string) < 0 ? err_nomem(err) : 0;
        hex = hex_encode(digest_view(digest));
        return !hex || strv_add(&d->record_digests, hex) < 0 ? err_nomem(err) : 0;
}

/* Says which digests were replaced since. */
static int comment_old(struct draft *d, struct err *err)
{
        for (size_t i = 0; i < d->n; i++)
                for (size_t k = 0; k < d->runtimes[i].n; k++) {
                        struct draft_file *f = &d->runtimes[i].files[k];

                        for (size_t m = 0; m + 1 < f->n; m++) {
                                f->digests[m].comment =
                                        str_dup("measured earlier in this boot; remove it to deny it");
                                if (!f->digests[m].comment)
                                        return err_nomem(err);
                        }
                }
        return 0;
}

int draft_add_evidence(struct draft *d, const struct bundle *b, uint32_t fix_mask, struct err *err)
{
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        int r;

        d->bank = b->pcrs.bank;
        if (fix_mask & ~b->pcrs.mask)
                return err_set(err, ERR_CONFIG, 0, "the evidence quotes no PCR %d",
                               __builtin_ctz(fix_mask & ~b->pcrs.mask));
        d->pcrs = b->pcrs;
        d->pcrs.mask = fix_mask;
        r = ima_draft_add_evidence(&d->ima, b, err);
        /* a policy with `boot:` judges these registers, so this evidence could not pass under it */
        if (r == 0 && b->has_uefi && b->uefi.len && (b->pcrs.mask & BOOT_PCRS) != BOOT_PCRS)
                r = catalogue_note(
                        &d->ima.files, err,
                        "host '%s' was not asked for all the PCRs that 'boot:' judges: it is left out; "
                        "evidence of a policy that has a 'boot:' holds them",
                        b->host);
        else if (r == 0)
                r = boot_draft_add_evidence(&d->boot, b, err);
        if (r < 0)
                return r;
        if (!b->has_cel)
                return b->has_ima || b->has_uefi
                               ? 0
                               : err_set(err, ERR_CONFIG, 0,
                                         "the evidence of host '%s' holds no measurement log", b->host);
        d->has_log = true;
        r = cel_parse(VIEW_BUF(&b->cel), RECORDS_MAX, &log, err);
        for (size_t i = 0; r == 0 && i < log->n; i++) {
                d->pcr = log->records[i].pcr;
                r = add_record(d, &log->records[i], err);
        }
        return r < 0 ? r : comment_old(d, err);
}

/* --- text --- */

static int append(const char *text, size_t len, void *out)
{
        buf_put(out, text, len);
        return 0;
}

void draft_write_scalar(struct buf *out, const char *text)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-";
        AUTO(json_free_p) json_t *j = NULL;

        if (*text && *text != '-' && strspn(text, plain) == strlen(text)) {
                buf_str(out, text);
                return;
        }
        j = json_string(text);

        if (!j || json_dump_callback(j, append, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) < 0)
                out->failed = true;
}

static void write_file(const struct draft_file *f, struct buf *out)
{
        buf_str(out, "      - path: ");
        draft_write_scalar(out, f->path);
        buf_str(out, "\n        digests:\n");
        for (size_t i = 0; i < f->n; i++) {
                buf_fmt(out, f->digests[i].comment ? "          - digest: %s\n" : "          - %s\n",
                        f->digests[i].hex);
                if (f->digests[i].comment) {
                        buf_str(out, "            comment: ");
                        draft_write_scalar(out, f->digests[i].comment);
                        buf_str(out, "\n");
                }
        }
}

static void write_records(const struct draft *d, struct buf *out)
{
        if (d->record_strings.n + d->record_digests.n == 0)
                return;
        buf_str(out, "\n# What other programs measured into the same register. '*' in a string stands for "
                     "anything.\nrecords:\n");
        for (size_t i = 0; i < d->record_strings.n; i++) {
                buf_str(out, "  - string: ");
                draft_write_scalar(out, d->record_strings.items[i]);
                buf_str(out, "\n");
        }
        for (size_t i = 0; i < d->record_digests.n; i++)
                buf_fmt(out, "  - %s\n", d->record_digests.items[i]);
}

static void write_pcrs(const struct draft *d, struct buf *out)
{
        if (d->bank == DIGEST_SHA256 && d->pcr == 15 && d->pcrs.mask == 0)
                return;
        buf_fmt(out, "pcr:\n  bank: %s\n", digest_name(d->bank));
        if (d->pcr != 15)
                buf_fmt(out, "  measurements: %u\n", d->pcr);
        if (d->pcrs.mask)
                buf_str(out, "  values:\n");
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (d->pcrs.mask & 1u << i) {
                        buf_fmt(out, "    %u: ", i);
                        buf_hex(out, digest_view(&d->pcrs.v[i]));
                        buf_str(out, "\n");
                }
}

static void write_runtimes(const struct draft *d, struct buf *out)
{
        buf_str(out, d->n ? "\nruntimes:\n" : "\nruntimes: []\n");
        for (size_t i = 0; i < d->n; i++) {
                buf_str(out, "  - name: ");
                draft_write_scalar(out, d->runtimes[i].name);
                buf_str(out, "\n    files:\n");
                for (size_t k = 0; k < d->runtimes[i].n; k++)
                        write_file(&d->runtimes[i].files[k], out);
        }
        write_records(d, out);
}

void draft_write(const struct draft *d, const char *name, const char *description, struct buf *out)
{
        bool ima = ima_draft_stated(&d->ima), boot = d->boot.n_logs > 0;

        buf_fmt(out, "format: avow-policy/%d\nname: %s\ndescription: ", ima || boot ? 2 : 1, name);
        draft_write_scalar(out, description);
        buf_str(out, "\n");
        write_pcrs(d, out);
        if (d->n || d->has_log || (!ima && !boot))
                write_runtimes(d, out);
        if (boot)
                boot_draft_write(&d->boot, out);
        if (ima)
                ima_draft_write(&d->ima, out);
}
