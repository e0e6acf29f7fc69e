/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host needs so that its kernel's list says something. Each check stands for a condition of SR-15 or
 * for a way in which hosts were seen to miss one: rules that are there and not loaded, a kernel that started
 * to measure before it had a TPM, a bank that the firmware never extended, a boot without a log.
 *
 * Installing writes two files, for the next boot: the rules where systemd loads them from, and a snippet for
 * GRUB's configuration. The words of the command line lock the kernel down: whoever can write its memory, or
 * load what nobody signed, could also tell it what not to measure.
 */
#include "tenant/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"

#define SMALL_BYTES_MAX  (64u << 10)
#define CONFIG_BYTES_MAX (4u << 20)
#define WORD_POLICY      "ima_policy="

static const char *const state_names[] = {"ok", "next boot", "missing", "unknown"};

const char *prepare_state_name(enum prepare_state state)
{
        return state_names[state];
}

void prepare_done(struct prepare *p)
{
        for (size_t i = 0; i < p->n; i++) {
                free(p->checks[i].found);
                free(p->checks[i].mend);
        }
        strv_done(&p->written);
        buf_free(&p->rules);
        p->n = 0;
}

void prepare_say(struct prepare *p, const char *name, enum prepare_state state, const char *fmt, ...)
{
        va_list ap;

        if (p->n == PREPARE_CHECKS_MAX) {
                p->failed = true;
                return;
        }
        va_start(ap, fmt);
        p->checks[p->n] = (struct prepare_check){name, state, str_vfmt(fmt, ap), NULL};
        va_end(ap);
        p->failed |= !p->checks[p->n++].found;
}

void prepare_mend(struct prepare *p, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        p->checks[p->n - 1].mend = str_vfmt(fmt, ap);
        va_end(ap);
        p->failed |= !p->checks[p->n - 1].mend;
}

int prepare_read(const struct prepare *p, const char *path, size_t max_bytes, struct buf *ret,
                 struct err *err)
{
        AUTO(mem_free_p) char *whole = str_fmt("%s%s", p->root, path);
        int r;

        if (!whole)
                return err_nomem(err);
        r = file_read(whole, max_bytes, ret, err);
        if (r >= 0)
                return PREPARE_THERE;
        if (r != -ERR_IO || (err->code != ENOENT && err->code != ENOTDIR && err->code != EACCES))
                return r;
        r = err->code == EACCES ? PREPARE_CLOSED : PREPARE_ABSENT;
        err_clear(err);
        return r;
}

/* As a text, without what stands behind its first line. *RET is NULL if it is not there or closed. */
static int read_line(const struct prepare *p, const char *path, char **ret, struct err *err)
{
        AUTO(buf_free) struct buf b = {0};
        int r = prepare_read(p, path, SMALL_BYTES_MAX, &b, err);

        if (r != PREPARE_THERE)
                return r < 0 ? r : 0;
        *ret = buf_take_str(&b);
        if (!*ret)
                return err_nomem(err);
        (*ret)[strcspn(*ret, "\n")] = '\0';
        return 0;
}

static bool exists(const struct prepare *p, const char *path)
{
        AUTO(mem_free_p) char *whole = str_fmt("%s%s", p->root, path);

        return whole && file_exists(whole);
}

/* ---- installing ---- */

int prepare_load_rules(struct prepare *p, struct err *err)
{
        int r = file_read(p->rules_file, SMALL_BYTES_MAX, &p->rules, err);

        return r < 0 ? err_wrap(err, "the rules that belong to avow (--rules names them)") : r;
}

static int install(struct prepare *p, const char *path, struct view text, struct err *err)
{
        AUTO(mem_free_p) char *whole = str_fmt("%s%s", p->root, path);
        AUTO(mem_free_p) char *folder = whole ? str_dup(whole) : NULL;
        int r;

        if (!folder)
                return err_nomem(err);
        *strrchr(folder, '/') = '\0';
        r = file_mkdirs(folder, 0755, err);
        if (r >= 0)
                r = file_create(whole, text, 0644, err);
        if (r == -ERR_IO && err->code == EEXIST) {
                err_clear(err);
                return 0;
        }
        if (r < 0)
                return r;
        return strv_add(&p->written, path) < 0 ? err_nomem(err) : 0;
}

int prepare_install(struct prepare *p, struct err *err)
{
        static const char grub[] =
                "# Written by avow host prepare: the kernel measures what runs (" PREPARE_RULES_PATH ").\n"
                "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " PREPARE_WORDS "\"\n";
        int r = install(p, PREPARE_RULES_PATH, VIEW_BUF(&p->rules), err);

        if (r < 0 || !exists(p, "/etc/default/grub"))
                return r;
        return install(p, PREPARE_GRUB_PATH, view_str(grub), err);
}

/* ---- the kernel ---- */

static bool has_line(struct view text, const char *line)
{
        const char *at = (const char *)text.p;
        size_t len = strlen(line);

        for (size_t left = text.len; left >= len;) {
                const char *end = memchr(at, '\n', left);
                size_t n = end ? (size_t)(end - at) : left;

                if (n == len && strncmp(at, line, n) == 0)
                        return true;
                if (!end)
                        break;
                left -= n + 1;
                at = end + 1;
        }
        return false;
}

static int look_at_kernel(struct prepare *p, struct err *err)
{
        static const char *const wanted[] = {"CONFIG_IMA=y", "CONFIG_SECURITYFS=y",
                                             "CONFIG_IMA_MEASURE_PCR_IDX=10",
                                             "CONFIG_SECURITY_LOCKDOWN_LSM=y"};
        AUTO(mem_free_p) char *release = NULL, *path = NULL;
        AUTO(buf_free) struct buf config = {0}, missing = {0};
        int r = read_line(p, "/proc/sys/kernel/osrelease", &release, err);

        if (r < 0)
                return r;
        path = str_fmt("/boot/config-%s", release ? release : "");
        if (!path)
                return err_nomem(err);
        r = release ? prepare_read(p, path, CONFIG_BYTES_MAX, &config, err) : PREPARE_ABSENT;
        if (r < 0)
                return r;
        if (r != PREPARE_THERE) {
                prepare_say(p, "kernel", PREPARE_UNKNOWN, "%s cannot be read",
                            release ? path : "the running kernel's configuration");
                return 0;
        }
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
                if (!has_line(VIEW_BUF(&config), wanted[i]))
                        buf_fmt(&missing, "%s%s", missing.len ? ", " : "", wanted[i]);
        if (!has_line(VIEW_BUF(&config), "CONFIG_TCG_TIS=y") &&
            !has_line(VIEW_BUF(&config), "CONFIG_TCG_CRB=y"))
                buf_fmt(&missing, "%sCONFIG_TCG_TIS=y or CONFIG_TCG_CRB=y (as a module it comes too late)",
                        missing.len ? ", " : "");
        if (!buf_ok(&missing))
                return err_nomem(err);
        if (missing.len == 0) {
                prepare_say(p, "kernel", PREPARE_OK, "%s can measure", SHOW(release));
                return 0;
        }
        prepare_say(p, "kernel", PREPARE_MISSING, "%s is built without %.*s", SHOW(release), (int)missing.len,
                    (const char *)missing.p);
        prepare_mend(p, "boot a kernel that is built with it; Debian's (apt install linux-image-amd64) is");
        return 0;
}

static int look_at_rules(struct prepare *p, struct err *err)
{
        AUTO(buf_free) struct buf there = {0};
        int r = prepare_read(p, PREPARE_RULES_PATH, SMALL_BYTES_MAX, &there, err);

        if (r < 0)
                return r;
        p->rules_installed = r == PREPARE_THERE && view_equal(VIEW_BUF(&there), VIEW_BUF(&p->rules));
        if (p->rules_installed) {
                prepare_say(p, "rules", PREPARE_OK, PREPARE_RULES_PATH " are avow's");
        } else if (r == PREPARE_ABSENT) {
                prepare_say(p, "rules", PREPARE_MISSING, "there is no " PREPARE_RULES_PATH);
                prepare_mend(p, "avow host prepare");
        } else if (r == PREPARE_CLOSED) {
                prepare_say(p, "rules", PREPARE_UNKNOWN, PREPARE_RULES_PATH " cannot be read by this user");
                prepare_mend(p, "run it as root");
        } else {
                prepare_say(p, "rules", PREPARE_MISSING, PREPARE_RULES_PATH " are others' than %s",
                            p->rules_file);
                prepare_mend(p,
                             "compare them (diff " PREPARE_RULES_PATH
                             " %s); to have avow's: mv " PREPARE_RULES_PATH " " PREPARE_RULES_PATH
                             ".old && avow host prepare",
                             p->rules_file);
        }
        return 0;
}

/* Does LINE have a word that starts with START and has PART between its bars? */
static bool has_part(const char *line, const char *start, const char *part)
{
        size_t len = strlen(part);

        for (const char *at = line; *at; at += strspn(at, " ")) {
                const char *end = at + strcspn(at, " ");

                if (str_starts(at, start)) {
                        for (const char *v = at + strlen(start); v < end;) {
                                size_t n = strcspn(v, "| \"");

                                if (n == len && strncmp(v, part, n) == 0)
                                        return true;
                                v += n ? n : 1;
                        }
                }
                at = end;
        }
        return false;
}

/* Will the next boot have the words? */
static int say_next_words(struct prepare *p, struct err *err)
{
        AUTO(buf_free) struct buf snippet = {0}, menu = {0};
        int r = prepare_read(p, PREPARE_GRUB_PATH, SMALL_BYTES_MAX, &snippet, err);
        int r2 = r < 0 ? r : prepare_read(p, "/boot/grub/grub.cfg", CONFIG_BYTES_MAX, &menu, err);

        if (r2 < 0)
                return r2;
        buf_u8(&menu, 0);
        if (!buf_ok(&menu))
                return err_nomem(err);
        p->words_installed = r == PREPARE_THERE;
        if (p->words_installed) {
                bool in_menu = r2 == PREPARE_THERE && strstr((const char *)menu.p, " ima_policy=tcb");

                prepare_say(p, "command-line", PREPARE_NEXT_BOOT, "this boot is without " PREPARE_WORDS);
                prepare_mend(p, in_menu ? "reboot" : "update-grub, then reboot");
        } else {
                prepare_say(p, "command-line", PREPARE_MISSING, "the kernel runs without " PREPARE_WORDS);
                if (exists(p, "/etc/default/grub"))
                        prepare_mend(p, "avow host prepare, update-grub, then reboot");
                else
                        prepare_mend(p, "add these words where this host's loader takes the command line "
                                        "from (/etc/kernel/cmdline for unified kernel images), then reboot");
        }
        return 0;
}

static int look_at_command_line(struct prepare *p, struct err *err)
{
        AUTO(mem_free_p) char *line = NULL, *lockdown = NULL;
        int r = read_line(p, "/proc/cmdline", &line, err);

        if (r >= 0)
                r = read_line(p, "/sys/kernel/security/lockdown", &lockdown, err);
        if (r < 0)
                return r;
        p->locked_down =
                lockdown && (strstr(lockdown, "[integrity]") || strstr(lockdown, "[confidentiality]"));
        if (line && (has_part(line, WORD_POLICY, "tcb") || has_part(line, "ima_tcb", "")) && p->locked_down)
                prepare_say(p, "command-line", PREPARE_OK,
                            "the kernel started with rules of its own, locked down");
        else if ((r = say_next_words(p, err)) < 0)
                return r;
        if (p->locked_down) {
                prepare_say(p, "lockdown", PREPARE_OK, "%s", lockdown);
        } else if (!lockdown) {
                prepare_say(p, "lockdown", PREPARE_UNKNOWN, "there is no /sys/kernel/security/lockdown");
        } else {
                prepare_say(p, "lockdown", p->words_installed ? PREPARE_NEXT_BOOT : PREPARE_MISSING,
                            "%s: root can change the running kernel", lockdown);
                prepare_mend(p, "switch Secure Boot on, or have lockdown=integrity on the command line");
        }
        return 0;
}

static int look_at_kexec(struct prepare *p, struct err *err)
{
        AUTO(mem_free_p) char *off = NULL;
        int r = read_line(p, "/proc/sys/kernel/kexec_load_disabled", &off, err);

        if (r < 0)
                return r;
        if (off && str_equal(off, "1"))
                prepare_say(p, "kexec", PREPARE_OK, "switched off until the next boot");
        else if (p->rules_in_force && p->locked_down)
                prepare_say(p, "kexec", PREPARE_OK, "measured, and refused to kernels that nobody signed");
        else if (!off)
                prepare_say(p, "kexec", PREPARE_UNKNOWN, "no kernel runs here, or it has none");
        else {
                prepare_say(p, "kexec",
                            p->words_installed && p->rules_installed ? PREPARE_NEXT_BOOT : PREPARE_MISSING,
                            "another kernel can be started unmeasured");
                prepare_mend(p, "the rules and the command line see to it; for this boot: "
                                "sysctl kernel.kexec_load_disabled=1");
        }
        return 0;
}

/* ---- the TPM, the agent ---- */

/* PCR N of a bank as the kernel shows it. Return: 1; 0 if it does not. */
static int read_pcr(const struct prepare *p, const char *bank, unsigned n, struct digest *ret,
                    struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("/sys/class/tpm/tpm0/pcr-%s/%u", bank, n);
        AUTO(mem_free_p) char *text = NULL;
        int r = path ? read_line(p, path, &text, err) : err_nomem(err);

        if (r < 0 || !text)
                return r;
        for (char *c = text; *c; c++)
                if (*c >= 'A' && *c <= 'F')
                        *c += 'a' - 'A';
        ret->alg = DIGEST_SHA256;
        ret->len = (uint8_t)digest_size(ret->alg);
        r = hex_decode_exact(view_str(text), ret->b, ret->len, err);
        return r < 0 ? err_wrap(err, "%s", path) : 1;
}

static int look_at_bank(struct prepare *p, struct err *err)
{
        struct digest zero;
        bool measured = false;

        digest_zero(DIGEST_SHA256, &zero);
        p->pcrs.bank = DIGEST_SHA256;
        for (unsigned n = 0; n < 8; n++) {
                int r = read_pcr(p, "sha256", n, &p->pcrs.v[n], err);

                if (r < 0)
                        return r;
                if (r) {
                        p->pcrs.mask |= 1u << n;
                        measured |= !digest_equal(&p->pcrs.v[n], &zero);
                }
        }
        if (measured) {
                prepare_say(p, "bank", PREPARE_OK, "sha256 is active, and the firmware measures into it");
        } else if (p->pcrs.mask) {
                prepare_say(p, "bank", PREPARE_MISSING, "sha256: PCRs 0 to 7 are zero, nobody extended them");
                prepare_mend(p,
                             "switch the firmware's measuring on (or update it); until then whoever is root "
                             "can write any boot into this bank");
        } else if (exists(p, "/sys/class/tpm/tpm0/pcr-sha1") || exists(p, "/sys/class/tpm/tpm0/pcr-sha384")) {
                prepare_say(p, "bank", PREPARE_MISSING, "the TPM's sha256 bank is not active");
                prepare_mend(p, "tpm2_pcrallocate sha256:all, then reboot");
        } else {
                prepare_say(p, "bank", PREPARE_UNKNOWN,
                            "the kernel shows no PCRs (Linux before 5.12 does not)");
                prepare_mend(p, "tpm2_pcrread sha256:0+1+2+3+4+5+6+7 must not show zeros alone");
        }
        return 0;
}

static int look_at_tpm(struct prepare *p, struct err *err)
{
        AUTO(mem_free_p) char *version = NULL;
        int r = read_line(p, "/sys/class/tpm/tpm0/tpm_version_major", &version, err);

        if (r < 0)
                return r;
        if (version && str_equal(version, "2") && exists(p, "/dev/tpmrm0")) {
                prepare_say(p, "tpm", PREPARE_OK, "a TPM 2.0, /dev/tpmrm0");
                return look_at_bank(p, err);
        }
        if (!exists(p, "/sys/class")) {
                prepare_say(p, "tpm", PREPARE_UNKNOWN, "no kernel runs here");
                return 0;
        }
        if (version)
                prepare_say(p, "tpm", PREPARE_MISSING, "the TPM is of version %s, or has no /dev/tpmrm0",
                            SHOW(version));
        else
                prepare_say(p, "tpm", PREPARE_MISSING, "there is none");
        prepare_mend(p,
                     "switch it on in the firmware's setup (it may be called fTPM, PTT or security device)");
        return 0;
}

static int look_at_agent(struct prepare *p, struct err *err)
{
        AUTO(buf_free) struct buf users = {0};
        int r = prepare_read(p, "/etc/passwd", CONFIG_BYTES_MAX, &users, err);

        if (r < 0)
                return r;
        buf_u8(&users, 0);
        if (!buf_ok(&users))
                return err_nomem(err);
        if (str_starts((const char *)users.p, "avow-agent:") ||
            strstr((const char *)users.p, "\navow-agent:")) {
                prepare_say(p, "agent", PREPARE_OK,
                            "its TPM half is root and reads the logs; user avow-agent is there");
                return 0;
        }
        prepare_say(p, "agent", PREPARE_MISSING,
                    "there is no user avow-agent: the half that speaks to the network would run as root");
        prepare_mend(p, "systemd-sysusers (it comes with avow's package), then systemctl restart avow-agent");
        return 0;
}

int prepare_look(struct prepare *p, struct err *err)
{
        static int (*const looks[])(struct prepare *, struct err *) = {
                look_at_kernel, look_at_rules, look_at_command_line,     prepare_look_at_list,
                look_at_kexec,  look_at_tpm,   prepare_look_at_boot_log, look_at_agent,
        };

        for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
                int r = looks[i](p, err);

                if (r < 0)
                        return r;
        }
        return p->failed ? err_nomem(err) : 0;
}
