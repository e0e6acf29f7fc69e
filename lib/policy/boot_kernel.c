/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was loaded before and as the kernel. The images are the events of PCR 4 whose digests cover no text of
 * the log: which of them was a boot loader and which the kernel is told by the policy, never by their names.
 * A kernel of the policy may say with which loaders, initrds, command lines and sections it counts: the host
 * passes if any one kernel of the policy fits it as a whole, and else is told what does not fit the first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/judge_boot.h"

#define IMAGES_PCR     4
#define COMMANDS_PCR   8
#define FILES_PCR      9
#define SECTIONS_PCR   11
#define PARAMETERS_PCR 12

/* What does not fit a kernel, or nothing (no code). */
struct misfit {
        const struct policy_kernel *kernel; /* or NULL */
        struct boot_words words;
        const struct boot_row *row;
        const char *text; /* for `found`, if the row's own words would not say it */
};

static bool is_any_kernel(const struct boot_judging *b, struct view digest, bool file)
{
        const struct policy_kernel *k;
        struct policy_boot_pos pos = {0};
        struct policy_source source;

        while ((k = policy_effective_next_kernel(b->j->policy, &pos, &source)))
                if (policy_kernel_is(k, digest, file))
                        return true;
        return false;
}

/* ---- loaders ---- */

static const struct boot_row *last_image(const struct boot_judging *b)
{
        const struct boot_row *row = NULL, *last = NULL;

        while ((row = boot_next_file(b, IMAGES_PCR, row)))
                last = row;
        return last;
}

/* The first image that is neither a loader, as K or `boot:` has them, nor the kernel. Without kernels in the
 * policy, the last image counts as the kernel. */
static const struct boot_row *foreign_image(const struct boot_judging *b, const struct policy_kernel *k)
{
        const struct boot_row *row = NULL, *last = last_image(b);
        bool kernels = policy_effective_judges_kernels(b->j->policy), seen = false;

        while ((row = boot_next_file(b, IMAGES_PCR, row))) {
                bool kernel = kernels ? is_any_kernel(b, row->digest, false)
                                      : view_equal(row->digest, last->digest);

                seen |= kernel;
                if (kernel)
                        continue;
                if (k && k->n_loaders) {
                        if (!boot_has_value(b, k->loaders, k->n_loaders, row->digest))
                                return row;
                } else if (!boot_list_has(b, POLICY_BOOT_LOADERS, row->digest)) {
                        return row;
                }
                if (seen && !policy_effective_judges_boot_list(b->j->policy, POLICY_BOOT_LOADERS) &&
                    !(k && k->n_loaders))
                        return row; /* nothing says what else may run once the kernel does */
        }
        return NULL;
}

static void check_loaders(const struct boot_judging *b, const struct policy_kernel *k, struct misfit *ret)
{
        static const struct boot_words words = {
                .code = "loader-not-allowed",
                .state = VERDICT_FAIL,
                .what = "an image was started on the way to the kernel that the policy does not allow",
                .expected = "one of loaders, or a kernel's authenticode",
                .remedy = "if it came with an update (shim, GRUB, systemd-boot), add its digest to "
                          "'loaders:' and run "
                          "'avow policy push'; else find out who changed what the host boots",
        };

        ret->row = foreign_image(b, k);
        if (ret->row)
                ret->words = words;
}

/* ---- initrds ---- */

/* GRUB was there if it measured its commands. */
static bool has_grub(const struct boot_judging *b)
{
        return boot_next(b, COMMANDS_PCR, NULL) != NULL;
}

static bool is_named_like(const struct boot_row *row, struct view name)
{
        struct view data = row->data;

        while (data.len && data.p[data.len - 1] == 0)
                data.len--;
        return data.len >= name.len && name.len &&
               view_equal(VIEW(data.p + data.len - name.len, name.len), name);
}

/* The kernel's own file among GRUB's: by its digest, else by the name that its command line begins with. */
static const struct boot_row *kernel_file(const struct boot_judging *b)
{
        const struct boot_row *row = NULL;

        while ((row = boot_next_file(b, FILES_PCR, row)))
                if (is_any_kernel(b, row->digest, true))
                        return row;
        if (b->n_lines == 0)
                return NULL;
        while ((row = boot_next_file(b, FILES_PCR, row)))
                if (is_named_like(row, VIEW(b->lines[0].text, strcspn(b->lines[0].text, " "))))
                        return row;
        return NULL;
}

static bool initrd_is_allowed(const struct boot_judging *b, const struct policy_kernel *k, struct view digest)
{
        return k && k->n_initrds ? boot_has_value(b, k->initrds, k->n_initrds, digest)
                                 : boot_list_has(b, POLICY_BOOT_INITRDS, digest);
}

/* Which of GRUB's files is the kernel is not known: then those that are called so have to be allowed, and one
 * that is allowed has to be there. */
static const struct boot_row *foreign_by_name(const struct boot_judging *b, const struct policy_kernel *k,
                                              bool *ret_any)
{
        const struct boot_row *row = NULL;

        *ret_any = false;
        while ((row = boot_next_file(b, FILES_PCR, row)))
                if (initrd_is_allowed(b, k, row->digest))
                        *ret_any = true;
                else if (row->data.len && memmem(row->data.p, row->data.len, "initr", 5))
                        return row;
        return NULL;
}

static void check_initrds(const struct boot_judging *b, const struct policy_kernel *k, struct misfit *ret)
{
        static const struct boot_words words = {
                .code = "initrd-not-allowed",
                .state = VERDICT_FAIL,
                .what = "the kernel got an initrd that the policy does not allow",
                .expected = "one of initrds",
                .remedy = "if it was made anew by an update, add its digest ('sha256sum /boot/initrd.img-…' "
                          "on the "
                          "host) to 'initrds:' and run 'avow policy push'",
        };
        const struct boot_row *row = has_grub(b) ? kernel_file(b) : NULL;
        bool any = true;

        if (!policy_effective_judges_boot_list(b->j->policy, POLICY_BOOT_INITRDS) && !(k && k->n_initrds))
                return;
        if (has_grub(b) && !row) {
                row = foreign_by_name(b, k, &any);
                if (row || !any)
                        *ret = (struct misfit){k, words, row, NULL};
                return;
        }
        while ((row = boot_next_file(b, FILES_PCR, row)))
                if (!initrd_is_allowed(b, k, row->digest) && row != b->load_options &&
                    !is_any_kernel(b, row->digest, true)) {
                        *ret = (struct misfit){k, words, row, NULL};
                        return;
                }
}

/* ---- the command line ---- */

static bool line_is_allowed(const struct boot_judging *b, const struct policy_kernel *k, const char *text)
{
        struct policy_source source;

        if (k && k->command_lines)
                return pattern_match(k->command_lines, view_str(text)) != PATTERN_NONE;
        return policy_effective_command_line(b->j->policy, view_str(text), &source) != NULL;
}

/* Is the stub's digest that of a line in the log, or of an exact one in `boot:`? *RET is that text, the
 * caller's. Return: 0; < 0. */
static int text_of_options(const struct boot_judging *b, char **ret, struct err *err)
{
        struct policy_boot_pos pos = {0};
        const char *pattern;
        int r = 0;

        *ret = NULL;
        for (size_t i = 0; r == 0 && i < b->n_lines; i++) {
                r = boot_is_load_options_of(b->load_options, b->r->bank, b->lines[i].text, err);
                if (r > 0)
                        return (*ret = str_dup(b->lines[i].text)) ? 0 : err_nomem(err);
        }
        while (r == 0 && (pattern = policy_effective_next_command_line(b->j->policy, &pos))) {
                char *text = boot_exact_text(pattern);

                if (!text)
                        continue;
                r = boot_is_load_options_of(b->load_options, b->r->bank, text, err);
                if (r > 0) {
                        *ret = text;
                        return 0;
                }
                free(text);
        }
        return r;
}

/* What stands where a command line may have stood. GRUB covers all its texts. systemd's stub does not, but
 * then the EFI stub's own measurement says which line it was. */
static const struct boot_row *uncovered_command(const struct boot_judging *b)
{
        const struct boot_row *row = boot_next_file(b, COMMANDS_PCR, NULL);

        return row || b->load_options ? row : boot_next_file(b, PARAMETERS_PCR, NULL);
}

/* The EFI stub's measurement of its options, and its text if it can be told. Without GRUB it is the first of
 * the register, so that it can be known by its digest even where its name was changed. */
static int find_options(struct boot_judging *b, char **ret, struct err *err)
{
        const struct boot_row *named = b->load_options;
        int r;

        if (!named && !has_grub(b))
                b->load_options = boot_next_file(b, FILES_PCR, NULL);
        if (!b->load_options)
                return 0;
        r = text_of_options(b, ret, err);
        if (!*ret)
                b->load_options = named;
        return r;
}

static bool judges_lines(const struct boot_judging *b, const struct policy_kernel *k)
{
        return policy_effective_judges_command_lines(b->j->policy) || (k && k->command_lines);
}

/* Are all lines that the policy allows without wildcards, so that a digest tells that it is none of them? */
static bool all_exact(const struct boot_judging *b, const struct policy_kernel *k)
{
        struct policy_boot_pos pos = {0};
        const char *pattern;

        if (k && k->command_lines)
                return false;
        while ((pattern = policy_effective_next_command_line(b->j->policy, &pos))) {
                AUTO(mem_free_p) char *text = boot_exact_text(pattern);

                if (!text)
                        return false;
        }
        return true;
}

static void check_line(const struct boot_judging *b, const struct policy_kernel *k, const char *options,
                       struct misfit *ret)
{
        static const struct boot_words other = {
                .code = "command-line-not-allowed",
                .state = VERDICT_FAIL,
                .what = "the kernel was started with a command line that the policy does not allow",
                .expected = "one that matches command_lines",
                .remedy = "if it is meant so, add it to 'command_lines:' and run 'avow policy push'; else "
                          "look at "
                          "/etc/default/grub or /etc/kernel/cmdline on the host and restart it",
        };
        static const struct boot_words hidden = {
                .code = "command-line-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the log does not show the kernel's command line: of the EFI stub's measurement it "
                        "has the "
                        "digest alone, and no exact text in the policy leads to it",
                .expected = "a text without wildcards in command_lines: /proc/cmdline of a good start",
                .remedy = "name the whole line, without patterns, in 'command_lines:'",
        };
        static const struct boot_words none = {
                .code = "command-line-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the boot log shows no command line of the kernel",
                .expected = "GRUB's in PCR 8, systemd's in PCR 12, or the EFI stub's in PCR 9",
                .remedy = "leave 'command_lines' out of the policy of hosts that start that way",
        };
        static const struct boot_words forged = {
                .code = "boot-event-not-covered",
                .state = VERDICT_INCONCLUSIVE,
                .what = "an event that may hold a command line has another text than what was measured",
                .remedy = "a log that was tampered with comes right with the next start of the host",
        };

        if (!judges_lines(b, k))
                return;
        for (size_t i = 0; i < b->n_lines; i++)
                if (!line_is_allowed(b, k, b->lines[i].text)) {
                        *ret = (struct misfit){k, other, b->lines[i].row, b->lines[i].text};
                        return;
                }
        if (uncovered_command(b))
                *ret = (struct misfit){k, forged, uncovered_command(b), NULL};
        else if (b->load_options && options && !line_is_allowed(b, k, options))
                *ret = (struct misfit){k, other, b->load_options, options};
        else if (b->load_options && !options)
                *ret = (struct misfit){k, b->n_lines || all_exact(b, k) ? other : hidden, b->load_options,
                                       NULL};
        else if (b->n_lines == 0 && !b->load_options)
                *ret = (struct misfit){k, none, NULL, NULL};
}

/* ---- sections of a unified kernel image ---- */

/* The section whose name, with its NUL, has this digest. */
static int section_by_name(const struct boot_judging *b, const struct policy_kernel *k, struct view digest,
                           const struct policy_section **ret, struct err *err)
{
        *ret = NULL;
        for (size_t i = 0; i < k->n_sections; i++) {
                struct digest d;
                const char *name = k->sections[i].name;
                int r = digest_bytes(b->r->bank, VIEW(name, strlen(name) + 1), &d, err);

                if (r < 0)
                        return r;
                if (view_equal(digest, digest_view(&d)))
                        *ret = &k->sections[i];
        }
        return 0;
}

static int check_sections(const struct boot_judging *b, const struct policy_kernel *k, struct misfit *ret,
                          struct err *err)
{
        static const struct boot_words foreign = {
                .code = "uki-section-not-allowed",
                .state = VERDICT_FAIL,
                .what = "the unified kernel image has a section, or a section's content, that the policy "
                        "does not "
                        "allow",
                .expected = "one of the kernel's sections",
                .remedy = "if the image was built anew, make the policy from it anew and run 'avow policy "
                          "push'",
        };
        static const struct boot_words none = {
                .code = "uki-section-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the boot log does not show the sections of a unified kernel image: PCR 11 has none, "
                        "or the "
                        "log does not lead to its quoted value",
                .expected = "names and contents of sections in PCR 11",
                .remedy = "leave 'sections' out of the policy of hosts that start another way",
        };
        const struct boot_row *name = NULL;
        size_t n = 0;

        if (!k || k->n_sections == 0)
                return 0;
        for (; (name = boot_next(b, SECTIONS_PCR, name)); n++) {
                const struct boot_row *content = boot_next(b, SECTIONS_PCR, name);
                const struct policy_section *section;
                int r = section_by_name(b, k, name->digest, &section, err);

                if (r < 0)
                        return r;
                if (!section || !content || !view_equal(content->digest, digest_view(&section->digest))) {
                        *ret = (struct misfit){k, foreign, section && content ? content : name, NULL};
                        return 0;
                }
                name = content;
        }
        if (n == 0)
                *ret = (struct misfit){k, none, NULL, NULL};
        return 0;
}

/* ---- all of it ---- */

static int check_kernel(const struct boot_judging *b, const struct policy_kernel *k, const char *options,
                        struct misfit *ret, struct err *err)
{
        int r = 0;

        *ret = (struct misfit){.kernel = k};
        check_loaders(b, k, ret);
        if (!ret->words.code)
                r = check_sections(b, k, ret, err);
        if (r == 0 && !ret->words.code)
                check_initrds(b, k, ret);
        if (r == 0 && !ret->words.code)
                check_line(b, k, options, ret);
        return r;
}

/* Was K loaded? By its Authenticode digest among the images; where there is none, by its file among GRUB's.
 */
static bool was_loaded(const struct boot_judging *b, const struct policy_kernel *k)
{
        const struct boot_row *row = NULL;

        while ((row = boot_next_file(b, IMAGES_PCR, row)))
                if (policy_kernel_is(k, row->digest, false))
                        return true;
        while ((row = boot_next_file(b, FILES_PCR, row)))
                if (policy_kernel_is(k, row->digest, true))
                        return true;
        return false;
}

static void no_kernel(const struct boot_judging *b, struct misfit *ret)
{
        static const struct boot_words other = {
                .code = "kernel-not-allowed",
                .state = VERDICT_FAIL,
                .what = "the host started a kernel that the policy does not allow",
                .expected = "one of kernels",
                .remedy = "if it came with an update, add it to 'kernels:' and run 'avow policy push'; else "
                          "start an "
                          "allowed one",
        };
        static const struct boot_words none = {
                .code = "kernel-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the boot log shows no kernel: nothing that it measured is an image",
                .expected = "an image in PCR 4",
                .remedy = "firmware and loaders that measure no kernel cannot show one: leave 'kernels' out "
                          "of the "
                          "policy of such hosts",
        };

        ret->row = last_image(b);
        ret->words = ret->row ? other : none;
}

static int find_misfit(const struct boot_judging *b, const struct misfit *m, struct err *err)
{
        struct boot_words words = m->words;
        AUTO(mem_free_p)
        char *what = m->text ? str_fmt("%s: %s", words.what, SHOW(m->text)) : str_dup(words.what);

        words.what = what;
        return what ? boot_find(b, &words, m->row, 0, err) : err_nomem(err);
}

/* The first kernel of the policy that fits; if none does, what does not fit the first that was loaded. */
static int fit_kernels(const struct boot_judging *b, const char *options, struct misfit *ret, struct err *err)
{
        const struct policy_kernel *k;
        struct policy_boot_pos pos = {0};
        struct policy_source source;
        bool any = false;

        while ((k = policy_effective_next_kernel(b->j->policy, &pos, &source))) {
                struct misfit m;
                int r;

                if (!was_loaded(b, k))
                        continue;
                r = check_kernel(b, k, options, &m, err);
                if (r < 0)
                        return r;
                if (!any || !m.words.code)
                        *ret = m;
                if (!m.words.code)
                        return 0;
                any = true;
        }
        if (!any)
                no_kernel(b, ret);
        return 0;
}

static void take_line(const struct boot_judging *b, const char *options, struct boot_facts *facts)
{
        const char *text = options ? options : b->n_lines ? b->lines[b->n_lines - 1].text : NULL;

        if (uncovered_command(b) || (b->load_options && !options) || !text)
                return;
        facts->has_command_line = true;
        facts->command_line = view_str(text);
}

static bool fits_with_loaders(const struct boot_judging *b, const struct policy_kernel *k)
{
        return (k && k->n_loaders) || policy_effective_judges_boot_list(b->j->policy, POLICY_BOOT_LOADERS);
}

int boot_judge_kernel(struct boot_judging *b, struct boot_facts *facts, char **ret_line, struct err *err)
{
        bool kernels = policy_effective_judges_kernels(b->j->policy);
        AUTO(mem_free_p) char *options = NULL;
        struct misfit fits = {.row = NULL};
        int r = boot_collect_lines(b, err);

        if (r == 0)
                r = find_options(b, &options, err);
        if (r < 0)
                return r;
        take_line(b, options, facts);
        if (!policy_effective_judges_boot(b->j->policy))
                goto out;
        r = kernels ? fit_kernels(b, options, &fits, err) : check_kernel(b, NULL, options, &fits, err);
        if (r < 0)
                return r;
        /* without loaders, root can have any kernel taken for one, and extend PCR 4 with a good one's digest
         */
        facts->kernel_allowed = kernels && fits.words.code == NULL && fits_with_loaders(b, fits.kernel);
        facts->command_line_allowed =
                facts->has_command_line && !fits.words.code && judges_lines(b, fits.kernel);
        if (fits.words.code)
                r = find_misfit(b, &fits, err);
out:
        if (r == 0 && facts->has_command_line) {
                *ret_line = str_ndup((const char *)facts->command_line.p, facts->command_line.len);
                if (!*ret_line)
                        return err_nomem(err);
                facts->command_line = view_str(*ret_line);
        }
        return r;
}
