/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot log's part of the appraisal: is it there, can it be read, does it lead to the quoted registers,
 * and what does the policy say about what it shows. A log that does not lead there is asked for again and
 * then leaves the verdict undecided (SR-4): whoever handed it over may have changed it, and the registers
 * alone do not say what was started. A log that does lead there and breaks the policy is a failure.
 *
 * A machine without a log at all (GRUB started without Secure Boot skips what would keep it) is a state of
 * its own, and the policy says what it is worth. Spec: SR-4, SR-15, SR-16; TCG PFP 1.06.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/judge_boot.h"
#include "policy/policy_ima.h"

#define FIRMWARE_PCRS 0x00ffu /* what SR-15 wants explained */
#define EXACT_PCRS    0x43ffu /* 0 to 9 and 14: nothing extends them after the log's end */

/* ---- words ---- */

/* "HASH, named '…' by event 29" or, of a text that is covered, "'…' in event 29". */
static char *found_text(const struct boot_judging *b, const struct boot_row *row, size_t n_more)
{
        struct bootlog_event e = {.type = row->type, .data = row->data};
        AUTO(buf_free) struct buf words = {0};
        struct buf out = {0};
        struct str_shown shown;

        bootlog_describe(&e, &words);
        buf_fmt(&out, "%s:", digest_name(b->r->bank));
        buf_hex(&out, row->digest);
        buf_fmt(&out,
                row->cover == BOOTLOG_COVERED ? ": %s (PCR %u, event %zu)"
                                              : ", which the log calls %s (PCR %u, event %zu)",
                str_show(VIEW_BUF(&words), &shown), row->pcr, row->number);
        if (n_more)
                buf_fmt(&out, ", and %zu more", n_more);
        out.failed |= words.failed;
        return buf_take_str(&out);
}

int boot_find(const struct boot_judging *b, const struct boot_words *words, const struct boot_row *row,
              size_t n_more, struct err *err)
{
        const struct policy_version *newest = policy_effective_newest(b->j->policy);
        AUTO(mem_free_p) char *found = row ? found_text(b, row, n_more) : NULL;
        AUTO(mem_free_p)
        char *ref = str_fmt("%s, boot (version %u)", newest->policy->source, newest->version);
        struct finding f = {
                .code = words->code,
                .severity = SEVERITY_ERROR,
                .what = words->what,
                .log = "boot",
                .entry = row ? (int64_t)row->number : FINDING_NO_ENTRY,
                .expected = words->expected,
                .found = found,
                .remedy = words->remedy,
                .policy_ref = ref,
        };

        if ((row && !found) || !ref)
                return err_nomem(err);
        return judge_find(b->j, words->state, &f, err);
}

/* ---- rows and lists ---- */

const struct boot_row *boot_next(const struct boot_judging *b, unsigned pcr, const struct boot_row *prev)
{
        for (const struct boot_row *row = prev ? prev + 1 : b->r->rows; row < b->r->rows + b->r->n; row++)
                if (row->pcr == pcr)
                        return row;
        return NULL;
}

const struct boot_row *boot_next_file(const struct boot_judging *b, unsigned pcr, const struct boot_row *prev)
{
        while ((prev = boot_next(b, pcr, prev)))
                if (!prev->separator && !prev->action && prev->cover != BOOTLOG_COVERED)
                        return prev;
        return NULL;
}

bool boot_has_value(const struct boot_judging *b, const struct policy_value *values, size_t n,
                    struct view digest)
{
        for (size_t i = 0; i < n; i++)
                if (values[i].until_ms > policy_effective_at_ms(b->j->policy) &&
                    view_equal(digest_view(&values[i].digest), digest))
                        return true;
        return false;
}

bool boot_list_has(const struct boot_judging *b, enum policy_boot_list list, struct view digest)
{
        const struct policy_value *value;
        struct policy_source source;

        return !policy_effective_judges_boot_list(b->j->policy, list) ||
               policy_effective_boot_find(b->j->policy, list, digest, &value, &source) == POLICY_ALLOWED;
}

/* PCR 0 or 2: all that is neither a separator nor one of the specification's sentences. */
static int judge_code(const struct boot_judging *b, unsigned pcr, enum policy_boot_list list,
                      const struct boot_words *words, struct err *err)
{
        const struct boot_row *row = NULL, *first = NULL;
        size_t n = 0;

        if (!policy_effective_judges_boot_list(b->j->policy, list))
                return 0;
        while ((row = boot_next(b, pcr, row))) {
                if (row->separator || row->action || boot_list_has(b, list, row->digest))
                        continue;
                first = first ? first : row;
                n++;
        }
        return first ? boot_find(b, words, first, n - 1, err) : 0;
}

static int judge_firmware(const struct boot_judging *b, struct err *err)
{
        static const struct boot_words firmware = {
                .code = "firmware-not-allowed",
                .state = VERDICT_FAIL,
                .what = "the firmware is not one that the policy allows",
                .expected = "one of firmware",
                .remedy = "if it was updated, add what is new to 'firmware:' ('avow policy make "
                          "--from-evidence' writes "
                          "it) and run 'avow policy push'",
        };
        static const struct boot_words drivers = {
                .code = "driver-not-allowed",
                .state = VERDICT_FAIL,
                .what = "a driver or option ROM was started that the policy does not allow",
                .expected = "one of drivers",
                .remedy = "if a card was added or updated, add it to 'drivers:' ('avow policy make "
                          "--from-evidence' "
                          "writes it) and run 'avow policy push'",
        };
        static const struct boot_words gave_up = {
                .code = "firmware-error",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the firmware reports with its separator that it could not measure: what it started "
                        "is not "
                        "shown",
                .remedy = "restart the host; if it stays, update the firmware",
        };
        int r = judge_code(b, 0, POLICY_BOOT_FIRMWARE, &firmware, err);

        if (r == 0)
                r = judge_code(b, 2, POLICY_BOOT_DRIVERS, &drivers, err);
        for (size_t i = 0; r == 0 && i < b->r->n; i++)
                if (b->r->rows[i].error && b->r->rows[i].pcr < 8)
                        return boot_find(b, &gave_up, &b->r->rows[i], 0, err);
        return r;
}

/* ---- the log ---- */

static bool wants_log(const struct policy_effective *e)
{
        bool judged = policy_effective_judges_boot(e);

        if (judged && policy_effective_boot_log(e) == POLICY_LOG_NONE)
                return false;
        return judged || policy_effective_judges_ima(e);
}

/* Is LOG required, so that its lack matters here? With `ima:` alone that is SR-15's to say. */
static bool requires_log(const struct policy_effective *e)
{
        return policy_effective_judges_boot(e) && policy_effective_boot_log(e) == POLICY_LOG_REQUIRED;
}

/* WHY: NULL, or what is wrong with the one that came. */
static int find_no_log(struct work *w, const char *why, struct err *err)
{
        bool required = requires_log(w->judging.policy);
        struct finding f = {
                .code = "no-boot-log",
                .severity = required ? SEVERITY_ERROR : SEVERITY_INFO,
                .log = "boot",
                .entry = FINDING_NO_ENTRY,
                .what = why ? "there is no boot log for the policy's bank: nothing shows how the host started"
                            : "there is no boot log: nothing shows how the host started",
                .expected = required ? "log: required" : NULL,
                .found = why,
                .remedy =
                        required
                                ? "look for /sys/kernel/security/tpm0/binary_bios_measurements on the host: "
                                  "GRUB "
                                  "without Secure Boot leaves none, Secure Boot or systemd-boot do; or state "
                                  "'log: if-there' under 'boot:', and 'pcr:' values instead"
                                : "nothing: the policy takes hosts without one ('log: if-there')",
        };

        if (!policy_effective_judges_boot(w->judging.policy))
                return 0;
        if (!required)
                return verdict_add(w->judging.verdict, &f, err);
        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

static int find_malformed(struct work *w, const char *why, struct err *err)
{
        struct finding f = {
                .code = "boot-log-malformed",
                .severity = SEVERITY_ERROR,
                .log = "boot",
                .entry = FINDING_NO_ENTRY,
                .what = "the boot log cannot be read",
                .found = why,
                .expected = "a TCG PC Client event log, whole",
                .remedy = "it is asked for once more; if this stays, look at it on the host: 'tpm2_eventlog "
                          "/sys/kernel/security/tpm0/binary_bios_measurements'",
        };

        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

/* The first register of MISSING, with both values. */
static int find_not_replayed(struct work *w, const struct boot_record *b, uint32_t missing, struct err *err)
{
        unsigned pcr = (unsigned)__builtin_ctz(missing);
        struct pcr_selection all = {.bank = b->bank, .mask = missing};
        AUTO(mem_free_p) char *which = pcr_selection_text(&all);
        AUTO(mem_free_p)
        char *what = which ? str_fmt("the boot log does not explain the quoted values of %s", which) : NULL;
        char expected[2 * DIGEST_BYTES_MAX + 1], found[2 * DIGEST_BYTES_MAX + 1];
        bool same = digest_equal(&b->values.v[pcr], &w->auth.pcrs.v[pcr]);
        struct finding f = {
                .code = "boot-log-not-replayed",
                .severity = SEVERITY_ERROR,
                .log = "boot",
                .entry = FINDING_NO_ENTRY,
                .what = what,
                .expected = hex_write(expected, digest_view(&w->auth.pcrs.v[pcr])),
                .found = same ? "that value, but no separator: nothing was measured by firmware there"
                              : hex_write(found, digest_view(&b->values.v[pcr])),
                .remedy = "events are missing or were changed, or a program on the host extended the "
                          "register by "
                          "hand; a restart begins register and log anew",
        };

        return what ? work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err) : err_nomem(err);
}

/* ---- memory ---- */

static bool same_registers(const struct work *w, uint32_t mask)
{
        struct pcr_values before;

        pcr_values_unpack(&w->in->before->last_pcrs, &before);
        if (before.bank != w->auth.pcrs.bank || (mask & ~(before.mask & w->auth.pcrs.mask)))
                return false;
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (mask >> i & 1 && !digest_equal(&before.v[i], &w->auth.pcrs.v[i]))
                        return false;
        return true;
}

/* What was shown by an earlier round of this boot, if it still holds. */
static const struct boot_memory *remembered(const struct work *w)
{
        const struct continuation *c = w->in->before;

        if (!c || !c->boot || w->auth.rebooted ||
            !digest_equal(&c->effective_policy, policy_effective_digest(w->judging.policy)) ||
            !same_registers(w, c->boot->explained))
                return NULL;
        return c->boot;
}

static int recall(struct work *w, const struct boot_memory *m, struct err *err)
{
        w->boot = (struct boot_facts){.explained = m->explained,
                                      .secure_boot = m->secure_boot,
                                      .kernel_allowed = m->kernel_allowed,
                                      .command_line_allowed = m->command_line_allowed,
                                      .has_command_line = m->has_command_line,
                                      .command_line = VIEW_BUF(&m->command_line)};
        w->next->boot = boot_memory_dup(m);
        return w->next->boot ? 0 : err_nomem(err);
}

static int keep(struct work *w, struct err *err)
{
        AUTO(boot_memory_free_p) struct boot_memory *m = boot_memory_new();

        if (!m)
                return err_nomem(err);
        if (w->boot.command_line.len > BOOT_COMMAND_LINE_MAX)
                return 0;
        m->explained = w->boot.explained;
        m->secure_boot = w->boot.secure_boot;
        m->kernel_allowed = w->boot.kernel_allowed;
        m->command_line_allowed = w->boot.command_line_allowed;
        m->has_command_line = w->boot.has_command_line;
        buf_put_view(&m->command_line, w->boot.command_line);
        if (!buf_ok(&m->command_line))
                return err_nomem(err);
        w->next->boot = TAKE(m);
        return 0;
}

/* ---- all of it ---- */

static int judge_record(struct work *w, const struct boot_record *record, struct err *err)
{
        struct boot_judging b = {.j = &w->judging, .r = record};
        int r;

        w->boot.explained = record->explained;
        r = boot_secure(&b, &w->boot.secure_boot, err);
        if (r == 0)
                r = boot_judge_kernel(&b, &w->boot, &w->boot_line, err);
        if (r == 0 && policy_effective_judges_boot(w->judging.policy)) {
                r = judge_firmware(&b, err);
                if (r == 0)
                        r = boot_judge_keys(&b, w->boot.secure_boot, err);
                if (r == 0)
                        r = boot_judge_mok(&b, err);
        }
        boot_lines_done(&b);
        return r;
}

static int judge_log(struct work *w, bool *ret_ok, struct err *err)
{
        struct boot_record record;
        struct bootlog log;
        struct err why = ERR_INIT;
        size_t findings = w->judging.verdict->n_findings + w->judging.verdict->n_dropped;
        uint32_t must = policy_effective_judges_boot(w->judging.policy) ? EXACT_PCRS : FIRMWARE_PCRS;
        int r = bootlog_parse(w->in->uefi, &log, &why);

        if (r < 0) {
                *ret_ok = false;
                return find_malformed(w, why.text, err);
        }
        r = boot_record_make(&log, &w->auth.pcrs, &record, err);
        if (r == -ERR_FORMAT) {
                *ret_ok = !requires_log(w->judging.policy);
                why = *err;
                *err = (struct err)ERR_INIT;
                return find_no_log(w, why.text, err);
        }
        if (r < 0)
                return r;
        must &= w->auth.pcrs.mask & ~record.explained;
        if (must) {
                *ret_ok = false;
                r = find_not_replayed(w, &record, must, err);
        } else {
                r = judge_record(w, &record, err);
                if (r == 0 && findings == w->judging.verdict->n_findings + w->judging.verdict->n_dropped)
                        r = keep(w, err);
        }
        boot_record_done(&record);
        return r;
}

int appraise_boot(struct work *w, bool *ret_ok, struct err *err)
{
        const struct boot_memory *m;

        *ret_ok = true;
        if (!wants_log(w->judging.policy))
                return 0;
        if (w->in->has_uefi && w->in->uefi.len)
                return judge_log(w, ret_ok, err);
        m = remembered(w);
        if (m)
                return recall(w, m, err);
        *ret_ok = !requires_log(w->judging.policy);
        return find_no_log(w, NULL, err);
}

bool appraisal_needs_boot_log(const struct continuation *before, const struct policy_effective *policy)
{
        return wants_log(policy) &&
               !(before && before->boot &&
                 digest_equal(&before->effective_policy, policy_effective_digest(policy)));
}
