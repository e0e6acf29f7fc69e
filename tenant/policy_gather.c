/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `avow policy make` gathers for `ima:` and `boot:`. Sources add up; what several of them name stands in
 * the policy once, under its package if one of them knows it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "policy/policy_ima.h"
#include "tenant/load.h"
#include "tenant/policy_make.h"
#include "tenant/sources.h"

#define LOG_BYTES_MAX   (256u << 20)
#define LINE_BYTES_MAX  65536
#define RULES_BYTES_MAX (1u << 20)
#define RULES_PATH      "/etc/ima/ima-policy"

bool make_gathers(const struct make_options *o)
{
        return o->from_ima_log.n || o->boot_log.n || o->from_deb.n || o->from_rpm.n || o->from_dpkg ||
               o->from_root || o->from_fleet;
}

/* --- packages and file systems --- */

static int take_options(const struct option_list *list, struct strv *ret, struct err *err)
{
        for (size_t i = 0; i < list->n; i++)
                if (strv_add(ret, list->v[i]) < 0)
                        return err_nomem(err);
        return 0;
}

/* A package, or all packages of a folder. */
static int add_packages(const struct source *s, const char *path, const char *suffix,
                        int (*add)(const struct source *s, const char *path, struct err *err),
                        struct err *err)
{
        AUTO(strv_done) struct strv names = {0};
        struct stat st;
        int r;

        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return add(s, path, err);
        r = file_list(path, suffix, &names, err);
        if (r == 0 && names.n == 0)
                return err_set(err, ERR_CONFIG, 0, "%s: no %s in this folder", path, suffix);
        for (size_t i = 0; r == 0 && i < names.n; i++) {
                AUTO(mem_free_p) char *file = str_fmt("%s/%s", path, names.items[i]);

                r = file ? add(s, file, err) : err_nomem(err);
        }
        return r;
}

static int add_files(const struct make_options *o, struct ima_draft *d, struct err *err)
{
        struct source s = {.catalogue = &d->files, .split_usr = o->split_usr};
        AUTO(strv_done) struct strv skip = {0};
        int r = take_options(&o->skip, &skip, err);

        for (size_t i = 0; r == 0 && i < o->from_deb.n; i++)
                r = add_packages(&s, o->from_deb.v[i], ".deb", source_deb, err);
        for (size_t i = 0; r == 0 && i < o->from_rpm.n; i++)
                r = add_packages(&s, o->from_rpm.v[i], ".rpm", source_rpm, err);
        if (r == 0 && o->from_dpkg)
                r = source_dpkg(&s, o->from_dpkg, NULL, err);
        if (r == 0 && o->from_root)
                r = source_root(&s, o->from_root, &skip, err);
        return r;
}

/* --- logs --- */

static int add_ima_log(struct ima_draft *d, const char *path, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        struct ima_list list;
        int r = load_bytes(path, LOG_BYTES_MAX, &bytes, err);

        if (r < 0)
                return r;
        list = ima_draft_list(VIEW_BUF(&bytes), path);
        r = ima_draft_add_list(d, &list, UINT64_MAX, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int add_boot_log(struct draft *d, const char *path, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        int r = load_bytes(path, LOG_BYTES_MAX, &bytes, err);

        if (r == 0)
                r = boot_draft_add(&d->boot, VIEW_BUF(&bytes), d->bank, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int add_logs(const struct make_options *o, struct draft *d, struct err *err)
{
        AUTO(buf_free) struct buf line = {0};
        int r = 0;

        if (o->command_line && o->boot_log.n == 0)
                return err_set(err, ERR_CONFIG, 0, "--command-line belongs to --boot-log FILE");
        if (o->command_line && (r = load_bytes(o->command_line, LINE_BYTES_MAX, &line, err)) == 0)
                r = boot_draft_add_command_line(&d->boot, VIEW_BUF(&line), err);
        for (size_t i = 0; r == 0 && i < o->boot_log.n; i++)
                r = add_boot_log(d, o->boot_log.v[i], err);
        for (size_t i = 0; r == 0 && i < o->from_ima_log.n; i++)
                r = add_ima_log(&d->ima, o->from_ima_log.v[i], err);
        if (r == 0 && d->boot.hidden_line)
                r = catalogue_note(
                        &d->ima.files, err,
                        "the boot log has the command line as a digest alone: command_lines is left out; "
                        "name it by --command-line /proc/cmdline");
        return r;
}

/* --- what shows that measuring is on --- */

static bool has_digest(const struct catalogue *c, const struct digest *digest)
{
        for (size_t i = 0; i < c->n; i++)
                for (size_t k = 0; k < c->packages[i].n; k++)
                        if (digest_equal(&c->packages[i].files[k].digest, digest))
                                return true;
        return false;
}

/* The rules that these hosts load: as named, or those of the root that was read, or this machine's if a list
 * shows them. */
static int add_rules(const struct make_options *o, struct ima_draft *d, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s%s", o->from_root ? o->from_root : "", RULES_PATH);
        AUTO(buf_free) struct buf text = {0};
        struct digest digest;
        int r;

        if (!path)
                return err_nomem(err);
        if (o->rules)
                return load_bytes(o->rules, RULES_BYTES_MAX, &d->rules, err);
        if (!file_exists(path))
                return 0;
        r = load_bytes(path, RULES_BYTES_MAX, &text, err);
        if (r == 0)
                r = digest_bytes(d->files.alg, VIEW_BUF(&text), &digest, err);
        if (r < 0 || !has_digest(&d->files, &digest))
                return r;
        d->rules = text;
        text = (struct buf){0};
        return 0;
}

/* The runtimes' files are judged by the kernel's list, too, and their programs have to stand in it. */
static int add_runtimes(struct draft *d, struct err *err)
{
        struct err ignored = ERR_INIT;
        size_t package;
        int r = d->n ? catalogue_package(&d->ima.files, NULL, NULL, NULL, &package, err) : 0;

        for (size_t i = 0; r == 0 && i < d->n; i++)
                for (size_t k = 0; r == 0 && k < d->runtimes[i].n; k++) {
                        const struct draft_file *f = &d->runtimes[i].files[k];

                        for (size_t m = 0; r == 0 && m < f->n; m++) {
                                struct digest digest = {.alg = d->bank, .len = (uint8_t)digest_size(d->bank)};

                                r = hex_decode_exact(view_str(f->digests[m].hex), digest.b, digest.len,
                                                     &ignored);
                                if (r == 0 && *f->path == '/' && !has_digest(&d->ima.files, &digest))
                                        r = catalogue_add(&d->ima.files, package, f->path, &digest, err);
                        }
                        if (r == 0 && k == 0 && *f->path == '/' && strv_add(&d->ima.required, f->path) < 0)
                                r = err_nomem(err);
                }
        return r;
}

static int require(struct ima_draft *d, const char *path, struct err *err)
{
        if (strv_has(&d->required, path))
                return 0;
        return strv_add(&d->required, path) < 0 ? err_nomem(err) : 0;
}

/* The agent's programs, wherever they lie, and what was asked for. */
static int add_required(const struct make_options *o, struct ima_draft *d, struct err *err)
{
        static const char *const agents[] = {"/avow-agent", "/avow-agent-net"};
        int r = 0;

        for (size_t i = 0; i < d->files.n; i++)
                for (size_t k = 0; k < d->files.packages[i].n; k++)
                        for (size_t m = 0; m < ARRAY_LEN(agents); m++)
                                if (r == 0 && str_ends(d->files.packages[i].files[k].path, agents[m]))
                                        r = require(d, d->files.packages[i].files[k].path, err);
        for (size_t i = 0; r == 0 && i < o->require.n; i++) {
                if (!map_get(&d->files.paths, o->require.v[i]))
                        return err_set(err, ERR_CONFIG, 0, "--require: %s is not among the files found",
                                       SHOW(o->require.v[i]));
                r = require(d, o->require.v[i], err);
        }
        return r;
}

static int add_waived(const struct make_options *o, struct ima_draft *d, struct err *err)
{
        for (size_t i = 0; i < o->waive.n; i++) {
                int w = 0;

                while (w < POLICY_N_WAIVERS &&
                       !str_equal(policy_waiver_name((enum policy_waiver)w), o->waive.v[i]))
                        w++;
                if (w == POLICY_N_WAIVERS)
                        return err_set(err, ERR_CONFIG, 0,
                                       "--waive: found %s, expected rules, tmpfs, kernel, kexec, required or "
                                       "boot-log",
                                       SHOW(o->waive.v[i]));
                if (strv_add(&d->waive, o->waive.v[i]) < 0)
                        return err_nomem(err);
        }
        return 0;
}

int make_gather(const struct make_options *o, struct draft *d, struct err *err)
{
        int r = add_files(o, &d->ima, err);

        return r == 0 ? add_logs(o, d, err) : r;
}

int make_complete(const struct make_options *o, struct draft *d, struct err *err)
{
        int r = catalogue_sort(&d->ima.files, err);

        d->ima.any_path = o->any_path;
        if (r == 0)
                r = add_rules(o, &d->ima, err);
        if (r == 0 && ima_draft_stated(&d->ima))
                r = add_runtimes(d, err);
        if (r == 0)
                r = catalogue_sort(&d->ima.files, err);
        if (r == 0)
                r = add_required(o, &d->ima, err);
        return r == 0 ? add_waived(o, &d->ima, err) : r;
}
