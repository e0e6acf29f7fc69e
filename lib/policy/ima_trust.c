/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the list mean anything? A kernel that measures nothing has a clean list, and so has one that measures
 * all but /dev/shm, one that was started from another by kexec, and a bank that only root extends. So a
 * policy passes a list only if the same evidence shows that measuring was on, by rules that it knows, in a
 * kernel that it knows, from a boot that a log explains. Spec: SR-15.
 */
#include <string.h>

#include "base/hex.h"
#include "base/str.h"
#include "policy/ima_work.h"

/* What a command line has as a word of its own: "lockdown=integrity". */
static bool has_word(struct view line, const char *word)
{
        size_t n = strlen(word);

        for (size_t i = 0; i + n <= line.len; i++)
                if ((i == 0 || line.p[i - 1] == ' ') && view_equal(VIEW(line.p + i, n), view_str(word)) &&
                    (i + n == line.len || line.p[i + n] == ' ' || line.p[i + n] == '\n' ||
                     line.p[i + n] == '\0'))
                        return true;
        return false;
}

bool ima_locks_down(struct view command_line)
{
        return has_word(command_line, "lockdown=integrity") ||
               has_word(command_line, "lockdown=confidentiality");
}

/* ---- boot_aggregate ---- */

/* A kernel begins its list with it. What was known of the rules and the kernel before it is over. */
static void take_next_kernel(struct ima_work *iw)
{
        uint32_t *facts = &iw->next->facts;
        uint32_t line = *facts >> IMA_FACT_LINE_SHIFT & IMA_FACT_COVERS;
        bool seen = ima_covers(iw) & POLICY_COVERS_KEXEC, locked = *facts & IMA_FACT_LINE_LOCKED;

        *facts &= ~(IMA_FACT_COVERS | IMA_FACT_RULES | IMA_FACT_KEXEC_LOCKED |
                    IMA_FACT_COVERS << IMA_FACT_KEXEC_SHIFT | IMA_FACT_COVERS << IMA_FACT_LINE_SHIFT |
                    IMA_FACT_LINE_LOCKED);
        *facts |= IMA_FACT_KEXEC | line << IMA_FACT_KEXEC_SHIFT | (locked ? IMA_FACT_KEXEC_LOCKED : 0) |
                  (seen ? 0 : IMA_FACT_KEXEC_UNSEEN);
        buf_reset(&iw->next->required_seen); /* the new kernel measures them anew */
}

int ima_take_aggregate(struct ima_work *iw, const struct ima_event *ev, struct err *err)
{
        const struct pcr_values *quoted = &iw->w->auth.pcrs;
        struct digest expected;
        int r;

        if (iw->next->facts & IMA_FACT_AGGREGATE)
                take_next_kernel(iw);
        iw->next->facts |= IMA_FACT_AGGREGATE;
        if (!ev->alg_known || ev->alg != quoted->bank) {
                iw->next->facts |= IMA_FACT_AGGREGATE_OTHER;
                return 0;
        }
        r = ima_boot_aggregate(quoted, &expected, err);
        if (r < 0)
                return r;
        if (!view_equal(digest_view(&expected), ev->digest)) /* both are public */
                iw->next->facts |= IMA_FACT_AGGREGATE_BAD;
        return 0;
}

static int say_aggregate(struct ima_work *iw, struct err *err)
{
        static const struct finding bad = {
                .code = "boot-aggregate-mismatch",
                .severity = SEVERITY_ERROR,
                .log = "ima",
                .entry = 0,
                .what = "the kernel's list begins with a boot_aggregate that is not the digest of the quoted "
                        "PCRs 0 to 9: they changed since the kernel started, or it was another boot",
                .expected = "the digest over the quoted values of PCRs 0 to 9",
                .remedy = "reboot the host; if this stays, find out what extends PCRs 0 to 9 after the start "
                          "('tpm2_pcrread' before and after)",
        };
        static const struct finding other = {
                .code = "boot-aggregate-not-compared",
                .severity = SEVERITY_INFO,
                .log = "ima",
                .entry = 0,
                .what = "the kernel's boot_aggregate is of another bank than the quote, and was not compared",
        };

        if (iw->next->facts & IMA_FACT_AGGREGATE_BAD)
                return judge_find(&iw->w->judging, VERDICT_FAIL, &bad, err);
        return iw->next->facts & IMA_FACT_AGGREGATE_OTHER ? verdict_add(iw->w->judging.verdict, &other, err)
                                                          : 0;
}

/* ---- what has to be shown ---- */

static bool shows_kernel(const struct ima_work *iw)
{
        const struct boot_facts *boot = &iw->w->boot;

        if (boot->secure_boot == BOOT_ON)
                return true;
        if (iw->next->facts & IMA_FACT_KEXEC) /* its image and command line were entries, and are allowed */
                return iw->next->facts & IMA_FACT_KEXEC_LOCKED;
        return boot->kernel_allowed && boot->command_line_allowed && boot->has_command_line &&
               ima_locks_down(boot->command_line);
}

static bool shows_required(const struct ima_work *iw)
{
        for (size_t i = 0; i < policy_effective_n_required(iw->policy); i++)
                if (!ima_memory_seen(iw->next, i))
                        return false;
        return true;
}

static bool shows(const struct ima_work *iw, enum policy_waiver what)
{
        switch (what) {
        case POLICY_WAIVE_RULES:
                return ima_covers(iw) & POLICY_COVERS_EXEC;
        case POLICY_WAIVE_TMPFS:
                return ima_covers(iw) & POLICY_COVERS_TMPFS;
        case POLICY_WAIVE_KERNEL:
                return shows_kernel(iw);
        case POLICY_WAIVE_KEXEC:
                return (ima_covers(iw) & POLICY_COVERS_KEXEC) && !(iw->next->facts & IMA_FACT_KEXEC_UNSEEN);
        case POLICY_WAIVE_REQUIRED:
                return shows_required(iw);
        case POLICY_WAIVE_BOOT_LOG:
                return (iw->w->boot.explained & 0xff) == 0xff;
        case POLICY_N_WAIVERS:
                break;
        }
        return false;
}

static const struct {
        const char *what, *expected, *remedy;
} words[POLICY_N_WAIVERS] = {
        [POLICY_WAIVE_RULES] = {"no allowed set of measuring rules is shown to be in force",
                                "an entry of a file of 'ima.measuring.rules', or a command line of "
                                "'ima.measuring.command_lines' that the boot log shows",
                                "on the host: 'avow host prepare' installs the rules and says what is "
                                "missing; then reboot it"},
        [POLICY_WAIVE_TMPFS] = {"the measuring rules in force leave out what is executed from tmpfs (such as "
                                "/dev/shm) and from memfd",
                                "rules that cover tmpfs ('covers: [exec, tmpfs, …]')",
                                "on the host: 'avow host prepare' installs rules that cover it; then reboot "
                                "it"},
        [POLICY_WAIVE_KERNEL] = {"it is not shown which kernel made the list: Secure Boot is not on, and no "
                                 "allowed kernel with an allowed command line that locks it down is shown",
                                 "Secure Boot on, or a kernel and a command line of 'boot' with "
                                 "lockdown=integrity",
                                 "turn Secure Boot on, or allow kernel and command line under 'boot' and "
                                 "start it with lockdown=integrity"},
        [POLICY_WAIVE_KEXEC] = {"a kexec into another kernel would not be seen, or was not",
                                "rules that measure a kexec's image and command line ('covers: [kexec, …]')",
                                "on the host: 'avow host prepare' installs rules that measure it; then "
                                "reboot it"},
        [POLICY_WAIVE_REQUIRED] = {"not every file that the policy requires is shown to have been executed",
                                   NULL,
                                   "start what is missing on the host; what was executed before the "
                                   "measuring rules were loaded, or by rules that measure mere reading, "
                                   "shows nothing: reboot the host with rules that load early"},
        [POLICY_WAIVE_BOOT_LOG] = {"no boot log explains PCRs 0 to 7 in the policy's bank",
                                   "a boot log whose digests lead to the quoted values",
                                   "set 'logs: {uefi: …}' in the agent's configuration, and check on the "
                                   "host that the firmware extends this bank ('tpm2_getcap pcrs', "
                                   "'/sys/kernel/security/tpm0/binary_bios_measurements')"},
};

static int find_untrusted(struct work *w, const char *what, const char *expected, const char *found,
                          const char *remedy, struct err *err)
{
        struct finding f = {
                .code = "measurement-not-trustworthy",
                .severity = SEVERITY_ERROR,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = what,
                .expected = expected,
                .found = found,
                .remedy = remedy,
        };

        return judge_find(&w->judging, VERDICT_INCONCLUSIVE, &f, err);
}

/* The required files that nothing shows, by name. */
static void list_required(const struct ima_work *iw, struct buf *out)
{
        struct policy_source source;
        size_t listed = 0, missing = 0;

        for (size_t i = 0; i < policy_effective_n_required(iw->policy); i++) {
                const struct policy_required *q = policy_effective_required(iw->policy, i, &source);

                if (ima_memory_seen(iw->next, i) || ++missing > 6)
                        continue;
                buf_str(out, listed++ ? ", " : "");
                if (*q->path)
                        buf_fmt(out, "%s", SHOW(q->path));
                else
                        buf_hex(out, digest_view(&q->digests[0]));
                buf_fmt(out, " (line %u)", q->line);
        }
        if (missing > listed)
                buf_fmt(out, " and %zu more", missing - listed);
}

static int say_missing(struct ima_work *iw, enum policy_waiver which, struct err *err)
{
        AUTO(buf_free) struct buf what = {0};
        AUTO(buf_free) struct buf expected = {0};
        AUTO(buf_free) struct buf remedy = {0};

        buf_fmt(&what, "the kernel's list is not trustworthy (%s): %s", policy_waiver_name(which),
                words[which].what);
        if (words[which].expected)
                buf_str(&expected, words[which].expected);
        else
                list_required(iw, &expected);
        buf_fmt(&remedy, "%s. Or give the demand up by name in the policy: 'ima: {waive: [%s]}'",
                words[which].remedy, policy_waiver_name(which));
        buf_u8(&what, 0);
        buf_u8(&expected, 0);
        buf_u8(&remedy, 0);
        if (!buf_ok(&what) || !buf_ok(&expected) || !buf_ok(&remedy))
                return err_nomem(err);
        return find_untrusted(iw->w, (const char *)what.p, (const char *)expected.p, NULL,
                              (const char *)remedy.p, err);
}

/* A bank that neither firmware nor kernel extends can be filled by root as he likes. No policy can waive
 * that. */
static int say_untouched(struct ima_work *iw, struct err *err)
{
        const struct pcr_values *quoted = &iw->w->auth.pcrs;
        struct digest zero;
        bool touched = false;

        digest_zero(quoted->bank, &zero);
        for (unsigned i = 0; i < 8; i++)
                touched = touched || !view_equal(digest_view(&quoted->v[i]), digest_view(&zero));
        if (!touched)
                return find_untrusted(iw->w,
                                      "the firmware extended none of PCRs 0 to 7 in the policy's bank: "
                                      "whatever is in PCR 10 of it may be anybody's",
                                      "values other than zeros", digest_name(quoted->bank),
                                      "turn the bank on in the firmware's settings, or write the policy for "
                                      "one that is on ('tpm2_getcap pcrs' on the host)",
                                      err);
        if (iw->next->facts & IMA_FACT_AGGREGATE)
                return 0;
        return find_untrusted(iw->w,
                              "the kernel measured nothing in the policy's bank: its list does not begin "
                              "with a boot_aggregate",
                              "boot_aggregate as the first entry", NULL,
                              "on the host: check that the kernel has IMA and finds the TPM when it starts "
                              "('dmesg | grep -i ima'); 'avow host prepare' says what is missing",
                              err);
}

static int say_waived(struct ima_work *iw, struct err *err)
{
        AUTO(buf_free) struct buf names = {0};
        static const struct finding f = {
                .code = "measurement-waived",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .remedy = "nothing, if this is meant; else take the names out of 'ima.waive'",
        };

        for (int i = 0; i < POLICY_N_WAIVERS; i++)
                if (policy_effective_waives(iw->policy, (enum policy_waiver)i) &&
                    !shows(iw, (enum policy_waiver)i))
                        buf_fmt(&names, "%s%s", names.len ? ", " : "",
                                policy_waiver_name((enum policy_waiver)i));
        if (names.len == 0 && buf_ok(&names))
                return 0;
        buf_u8(&names, 0);
        if (!buf_ok(&names))
                return err_nomem(err);
        return verdict_addf(iw->w->judging.verdict, &f, err,
                            "the kernel's list is believed without what the policy waives and nothing "
                            "shows: %s",
                            (const char *)names.p);
}

static int say_notes(struct ima_work *iw, struct err *err)
{
        static const struct finding kexec = {
                .code = "kexec-seen",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = "another kernel was started by kexec since the machine was; it went on with the list",
                .remedy = "nothing, if it was meant; else reboot the host",
        };
        static const struct finding other = {
                .code = "other-register",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = "the list holds entries for other registers than PCR 10: nothing covers them, and "
                        "they decide nothing",
                .remedy = "take 'pcr=' out of the measuring rules on the host",
        };
        int r = 0;

        if (iw->next->facts & IMA_FACT_KEXEC)
                r = verdict_add(iw->w->judging.verdict, &kexec, err);
        if (r >= 0 && (iw->next->facts & IMA_FACT_OTHER_PCR))
                r = verdict_add(iw->w->judging.verdict, &other, err);
        return r;
}

int ima_trust(struct ima_work *iw, struct err *err)
{
        int r = say_aggregate(iw, err);

        if (r >= 0)
                r = say_untouched(iw, err);
        for (int i = 0; r >= 0 && i < POLICY_N_WAIVERS; i++)
                if (!policy_effective_waives(iw->policy, (enum policy_waiver)i) &&
                    !shows(iw, (enum policy_waiver)i))
                        r = say_missing(iw, (enum policy_waiver)i, err);
        if (r >= 0)
                r = say_waived(iw, err);
        return r < 0 ? r : say_notes(iw, err);
}

int ima_trust_nothing(struct work *w, const char *why, struct err *err)
{
        return find_untrusted(w, why, "the kernel's measurement list from its first entry", NULL,
                              "set 'logs: {ima: …}' in the agent's configuration; on the host, 'avow host "
                              "prepare' says what is missing",
                              err);
}

/* ---- the runtimes, as the kernel and the agent saw them ---- */

/* Is the entry's digest one that the policy approves for a runtime? */
static bool is_approved(const struct work *w, const struct ima_kept *k)
{
        const struct policy_version *version;
        const struct policy_digest *digest;

        return k->digest.len && k->digest.alg == policy_effective_policy(w->judging.policy)->bank &&
               policy_effective_ask(w->judging.policy, k->digest.b, &version, &digest) == POLICY_ALLOWED &&
               digest->file != POLICY_NO_FILE;
}

static bool in_log(const struct work *w, const struct digest *d)
{
        for (size_t i = 0; i < w->n_rows; i++)
                if (w->rows[i].m.newest && !w->rows[i].m.foreign && digest_equal(&w->rows[i].m.digest, d))
                        return true;
        return false;
}

static bool in_list(const struct ima_memory *m, const struct digest *d)
{
        for (size_t i = 0; i < m->n_kept; i++)
                if (m->kept[i].runtime && m->kept[i].digest.len && digest_equal(&m->kept[i].digest, d))
                        return true;
        return false;
}

/* The kernel executed it: does PCR 15 know? */
static int compare_entry(struct work *w, const struct ima_kept *k, struct err *err)
{
        char found[2 * DIGEST_BYTES_MAX + 1];
        struct finding f = {
                .code = "runtime-not-measured",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = (int64_t)k->entry,
                .found = hex_write(found, digest_view(&k->digest)),
                .remedy = "list the runtime under 'runtimes:' in the agent's configuration and restart the "
                          "agent ('systemctl restart avow-agent')",
        };
        struct policy_file_match match;

        if (is_approved(w, k))
                return in_log(w, &k->digest)
                               ? 0
                               : verdict_addf(w->judging.verdict, &f, err,
                                              "the kernel executed the runtime %s, and the agent did not "
                                              "measure it into PCR %u",
                                              SHOW(k->name), policy_effective_policy(w->judging.policy)->pcr);
        if (k->refused ||
            (k->digest.len && policy_effective_file(w->judging.policy, k->digest.alg, digest_view(&k->digest),
                                                    view_str(k->name), &match) == ALLOW_ALLOWED))
                return 0;
        f.code = "runtime-not-approved";
        f.severity = SEVERITY_ERROR;
        f.remedy =
                "reinstall the runtime and reboot the host; no 'ima.exclude' should cover a runtime's path";
        w->judging.verdict->state = verdict_worse(w->judging.verdict->state, VERDICT_FAIL);
        return verdict_addf(w->judging.verdict, &f, err,
                            "at the path of a runtime, %s, the kernel executed a file that the policy does "
                            "not approve as one",
                            SHOW(k->name));
}

/* PCR 15 has it: did the kernel execute it? Only the executable of a runtime is asked for. */
static int compare_row(struct work *w, const struct judge_row *row, struct err *err)
{
        char found[2 * DIGEST_BYTES_MAX + 1];
        const struct policy_runtime *runtime;
        struct finding f = {
                .code = "runtime-not-executed",
                .severity = SEVERITY_WARNING,
                .log = "cel",
                .entry = (int64_t)row->m.entry,
                .found = hex_write(found, digest_view(&row->m.digest)),
                .remedy = "start the runtime on the host ('systemctl status' of its unit); if it does run, "
                          "PCR 15 was extended by something else than what runs",
        };

        if (!row->m.newest || row->m.foreign || row->answer != POLICY_ALLOWED || !row->digest ||
            row->digest->file == POLICY_NO_FILE)
                return 0;
        runtime = policy_runtime_of(row->version->policy, row->digest);
        if (!runtime || row->digest->file != runtime->first || in_list(w->next->ima, &row->m.digest))
                return 0;
        return verdict_addf(w->judging.verdict, &f, err,
                            "the agent measured the runtime '%s', and the kernel did not execute it since "
                            "the start",
                            runtime->name);
}

int appraise_runtimes(struct work *w, struct err *err)
{
        const struct ima_memory *m = w->next ? w->next->ima : NULL;
        int r = 0;

        if (!m || !w->ima_shows_runs || !(m->facts & IMA_FACT_BANK_HASH))
                return 0;
        for (size_t i = 0; r >= 0 && i < m->n_kept; i++)
                if (m->kept[i].runtime && m->kept[i].newest)
                        r = compare_entry(w, &m->kept[i], err);
        for (size_t i = 0; r >= 0 && i < w->n_rows; i++)
                r = compare_row(w, &w->rows[i], err);
        return r;
}
