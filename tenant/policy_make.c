/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy make: the first policy of a fleet, from a machine that is known to be good: from runtimes named
 * on the command line, from its agent's configuration, or from evidence that it has sent. What comes out
 * allows exactly what was found and is read back before it is given out; evidence must pass under the policy
 * made from it, so nothing that is not authentic becomes a rule.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/appraise.h"
#include "tenant/commands.h"
#include "tenant/load.h"
#include "tenant/policy_make.h"

static const struct option_row make_rows[] = {
        {"name", "NAME", "the policy's name (default: default)", OPTION_TEXT,
         offsetof(struct make_options, name)},
        {"description", "TEXT", "what it is for", OPTION_TEXT, offsetof(struct make_options, description)},
        {"agent-config", "FILE", "the runtimes of an agent's configuration", OPTION_TEXT,
         offsetof(struct make_options, agent_config)},
        {"from-evidence", "FILE", "what a bundle shows", OPTION_TEXT,
         offsetof(struct make_options, from_evidence)},
        {"fix-pcr", "N", "with --from-evidence: this PCR must keep its value", OPTION_LIST,
         offsetof(struct make_options, fix_pcr)},
        {"from-ima-log", "FILE", "what the kernel has measured: binary or text", OPTION_LIST,
         offsetof(struct make_options, from_ima_log)},
        {"boot-log", "FILE", "how a host started: binary_bios_measurements", OPTION_LIST,
         offsetof(struct make_options, boot_log)},
        {"command-line", "FILE", "with --boot-log: one more command line (/proc/cmdline)", OPTION_TEXT,
         offsetof(struct make_options, command_line)},
        {"from-deb", "FILE|DIR", "the files of Debian packages", OPTION_LIST,
         offsetof(struct make_options, from_deb)},
        {"from-rpm", "FILE|DIR", "the files of RPM packages, by their headers", OPTION_LIST,
         offsetof(struct make_options, from_rpm)},
        {"from-dpkg", "ROOT", "all that dpkg has installed below this root: /", OPTION_TEXT,
         offsetof(struct make_options, from_dpkg)},
        {"from-root", "DIR", "everything in this root file system", OPTION_TEXT,
         offsetof(struct make_options, from_root)},
        {"from-fleet", "POLICY", "what the passing hosts of this policy have in common", OPTION_TEXT,
         offsetof(struct make_options, from_fleet)},
        {"seen-on", "N", "with --from-fleet: on so many hosts at least (default: more than half)",
         OPTION_TEXT, offsetof(struct make_options, seen_on)},
        {"skip", "PATH", "with --from-root: not this folder", OPTION_LIST,
         offsetof(struct make_options, skip)},
        {"files", "executed|all", "which of the files found (default: executed, mapped or loaded ones)",
         OPTION_TEXT, offsetof(struct make_options, files)},
        {"any-path", NULL, "allow files wherever they lie", OPTION_FLAG,
         offsetof(struct make_options, any_path)},
        {"split-usr", NULL, "for packages: /bin and /lib are no links into /usr", OPTION_FLAG,
         offsetof(struct make_options, split_usr)},
        {"require", "PATH", "must have been executed; the agent and RUNTIMEs are", OPTION_LIST,
         offsetof(struct make_options, require)},
        {"rules", "FILE", "the measuring rules that hosts load (/etc/ima/ima-policy)", OPTION_TEXT,
         offsetof(struct make_options, rules)},
        {"waive", "NAME", "do without: rules, tmpfs, kernel, kexec, required or boot-log", OPTION_LIST,
         offsetof(struct make_options, waive)},
        {"bank", "sha256|sha384", "which digests (default: sha256)", OPTION_TEXT,
         offsetof(struct make_options, bank)},
        {"libs", "private|all|none", "which shared objects of RUNTIMEs (default: private)", OPTION_TEXT,
         offsetof(struct make_options, libs)},
        {"out", "FILE", "where to (default: standard output; never overwritten)", OPTION_TEXT,
         offsetof(struct make_options, out)},
        {0},
};

static int read_libs(const char *word, enum agent_libs *ret, struct err *err)
{
        static const char *const names[] = {"private", "all", "none"}; /* as enum agent_libs */

        *ret = AGENT_LIBS_PRIVATE;
        if (!word)
                return 0;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (str_equal(names[i], word)) {
                        *ret = (enum agent_libs)i;
                        return 0;
                }
        return err_set(err, ERR_CONFIG, 0, "--libs: found %s, expected private, all or none", SHOW(word));
}

static int read_bank(const char *word, enum digest_alg *ret, struct err *err)
{
        *ret = DIGEST_SHA256;
        if (!word || str_equal(word, "sha256"))
                return 0;
        *ret = DIGEST_SHA384;
        return str_equal(word, "sha384") ? 0
                                         : err_set(err, ERR_CONFIG, 0,
                                                   "--bank: found %s, expected sha256 or sha384", SHOW(word));
}

static int read_scope(const char *word, enum catalogue_scope *ret, struct err *err)
{
        *ret = word && str_equal(word, "all") ? CATALOGUE_ALL : CATALOGUE_EXECUTED;
        return !word || *ret == CATALOGUE_ALL || str_equal(word, "executed")
                       ? 0
                       : err_set(err, ERR_CONFIG, 0, "--files: found %s, expected executed or all",
                                 SHOW(word));
}

static int read_fixed(const struct option_list *list, uint32_t *ret, struct err *err)
{
        *ret = 0;
        for (size_t i = 0; i < list->n; i++) {
                int64_t pcr;
                int r = str_parse_int(view_str(list->v[i]), 0, PCR_COUNT - 1, &pcr, err);

                if (r < 0)
                        return err_set(err, ERR_CONFIG, 0, "--fix-pcr: found %s, expected a PCR from 0 to %d",
                                       SHOW(list->v[i]), PCR_COUNT - 1);
                *ret |= 1u << pcr;
        }
        return 0;
}

/* "NAME=PATH", or a PATH whose last part is the name. */
static int add_argument(struct draft *d, const char *argument, enum agent_libs libs, struct err *err)
{
        const char *equals = strchr(argument, '='), *path = equals ? equals + 1 : argument,
                   *slash = strrchr(path, '/');
        AUTO(mem_free_p)
        char *name =
                equals ? str_ndup(argument, (size_t)(equals - argument)) : str_dup(slash ? slash + 1 : path);
        AUTO(mem_free_p) char *owned_path = str_dup(path);
        struct agent_runtime runtime = {.name = name, .path = owned_path, .libs = libs};

        if (!name || !owned_path)
                return err_nomem(err);
        if (!str_valid_name(name))
                return err_set(err, ERR_CONFIG, 0, "%s is no name of a runtime; write NAME=PATH", SHOW(name));
        return draft_add_runtime(d, &runtime, err);
}

/* The bundle must pass under what was made from it. */
static int check_evidence(const struct bundle *b, struct policy *p, struct err *err)
{
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(verdict_free_p) struct verdict *v = NULL;
        struct policy_version version = {p, 1, POLICY_NEVER};
        const struct finding *first;
        int r = policy_effective_new(&version, 1, b->received_at_ms, &e, err);

        if (r < 0 || (r = appraise_bundle(b, e, NULL, NULL, NULL, &v, err)) < 0)
                return r;
        if (v->state == VERDICT_PASS)
                return 0;
        first = verdict_find(v, "measurement-not-trustworthy");
        if (first && v->state == VERDICT_INCONCLUSIVE)
                return err_set(err, ERR_CONFIG, 0,
                               "this evidence does not show enough for a policy: %s. Without that, the "
                               "kernel's list "
                               "proves little; --waive NAME does without it, for each name that is said here",
                               first->what);
        return err_set(err, ERR_CONFIG, 0, "this evidence is no ground for a policy (%s): %s",
                       verdict_state_name(v->state), v->n_findings ? v->findings[0].what : "no reason given");
}

static int fill(const struct session *s, struct draft *d, const struct make_options *o,
                const struct bundle *b, int n_args, char **args, struct err *err)
{
        enum agent_libs libs;
        uint32_t fixed;
        int r = read_libs(o->libs, &libs, err);

        if (r < 0 || (r = read_fixed(&o->fix_pcr, &fixed, err)) < 0)
                return r;
        if (b && (r = draft_add_evidence(d, b, fixed, err)) < 0)
                return r;
        if (fixed && !b)
                return err_set(err, ERR_CONFIG, 0,
                               "--fix-pcr takes values out of evidence: add --from-evidence FILE");
        if (o->agent_config)
                r = draft_add_agent_config(d, o->agent_config, err);
        for (int i = 0; r == 0 && i < n_args; i++)
                r = add_argument(d, args[i], libs, err);
        if (r == 0)
                r = make_gather(o, d, err);
        if (r == 0 && o->from_fleet)
                r = make_gather_fleet(s, o, d, err);
        return r == 0 && (make_gathers(o) || b) ? make_complete(o, d, err) : r;
}

static char *describe(const struct make_options *o, const struct bundle *b)
{
        if (o->description)
                return str_dup(o->description);
        if (b)
                return str_fmt("made by 'avow policy make' from evidence of host %s", b->host);
        return str_dup("made by 'avow policy make' from files");
}

static int give_out(const struct make_options *o, struct view text, struct err *err)
{
        if (o->out)
                return file_create(o->out, text, 0644, err);
        if (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout))
                return err_set(err, ERR_IO, 0, "standard output cannot be written");
        return 0;
}

/* What is not in the policy, and should be known. */
static void tell_notes(const struct catalogue *c)
{
        for (size_t i = 0; i < c->notes.n; i++) {
                AUTO(buf_free) struct buf line = {0};

                buf_printable(&line, view_str(c->notes.items[i]));
                if (buf_ok(&line))
                        (void)fprintf(stderr, "avow: note: %.*s\n", (int)line.len, (const char *)line.p);
        }
        if (c->n_notes_more)
                (void)fprintf(stderr, "avow: note: and %zu more\n", c->n_notes_more);
}

static int make(const struct session *s, const struct make_options *o, const struct bundle *b, int n_args,
                char **args, struct err *err)
{
        AUTO(mem_free_p) char *description = describe(o, b);
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(draft_done) struct draft d = {0};
        const char *name = o->name ? o->name : "default";
        enum catalogue_scope scope;
        enum digest_alg bank;
        int r = read_bank(o->bank, &bank, err);

        if (r < 0 || (r = read_scope(o->files, &scope, err)) < 0)
                return r;
        if (!str_valid_name(name))
                return err_set(err, ERR_CONFIG, 0, "--name: %s is no name", SHOW(name));
        draft_init(&d, bank, scope);
        r = fill(s, &d, o, b, n_args, args, err);
        if (r < 0)
                return r;
        if (description)
                draft_write(&d, name, description, &text);
        if (!description || !buf_ok(&text))
                return err_nomem(err);
        r = policy_parse(VIEW_BUF(&text), "the policy made", &p, err);
        if (r == 0 && b)
                r = check_evidence(b, p, err);
        if (r == 0)
                r = give_out(o, VIEW_BUF(&text), err);
        if (r == 0)
                tell_notes(&d.ima.files);
        return r;
}

static int run_make(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct make_options *o = values;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        int r = 0;

        if (o->seen_on && !o->from_fleet)
                return err_set(err, ERR_CONFIG, 0, "--seen-on belongs to --from-fleet POLICY");
        if (!o->from_evidence && !o->agent_config && n_args == 0 && !make_gathers(o))
                return err_set(err, ERR_CONFIG, 0,
                               "from what? Name runtimes (node=/usr/bin/node), --agent-config FILE, "
                               "--from-evidence FILE, --from-ima-log FILE, --from-dpkg /; --help lists all");
        if (o->from_evidence && (o->agent_config || n_args || make_gathers(o)))
                return err_set(err, ERR_CONFIG, 0,
                               "--from-evidence stands alone: evidence and files are two hosts");
        if (o->from_evidence)
                r = load_bundle(o->from_evidence, &b, err);
        if (r == 0)
                r = make(s, o, b, n_args, args, err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command policy_make_commands[] = {
        {"policy", "make", "[NAME=PATH...]", "Make a policy from this host's runtimes or from evidence",
         make_rows, sizeof(struct make_options), 0, 1000, run_make},
        {0},
};
