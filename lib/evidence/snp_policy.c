/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy asks of an authentic report. Every rule is a check by name, so that a rule which was not
 * asked is visible as a skipped one. The guest policy says what the guest permits, platform_info what the
 * platform is: neither stands for the other. Lists of what is denied come last and win.
 *
 * Spec: AMD 56860 §§2.2, 4.3, 7.3.
 */
#include <stdio.h>

#include "base/mem.h"
#include "evidence/snp_work.h"

#define PLATFORM_KNOWN 0xbfu /* bits 0 to 5 and 7 */

/* Are both the same bytes as the other's? */
static bool same_version(const struct snp_version *a, const struct snp_version *b)
{
        return a->major == b->major && a->minor == b->minor && a->build == b->build;
}

static uint32_t version_number(const struct snp_version *v)
{
        return (uint32_t)v->major << 16 | (uint32_t)v->minor << 8 | v->build;
}

static bool is_provisional(const struct snp_report *r)
{
        return !view_equal(VIEW_ARRAY(r->current_tcb), VIEW_ARRAY(r->committed_tcb)) ||
               !same_version(&r->current, &r->committed);
}

void snp_note_flags(struct snp_result *result)
{
        const struct snp_report *r = &result->report;
        const struct {
                bool on;
                const char *name;
        } flags[] = {
                {r->author_key_en, "author-key-present"},
                {r->mask_chip_key, "chip-id-masked"},
                {r->policy & SNP_BIT(SNP_POLICY_DEBUG), "debug"},
                {!snp_is_zero(r->host_data), "host-data-nonzero"},
                {!snp_is_zero(r->id_key_digest), "id-key-present"},
                {r->policy & SNP_BIT(SNP_POLICY_MIGRATE_MA), "migration-agent"},
                {r->platform_info & SNP_BIT(SNP_PLATFORM_BIT6), "platform-info-bit6-set"},
                {r->platform_info & ~(uint64_t)(PLATFORM_KNOWN | SNP_BIT(SNP_PLATFORM_BIT6)),
                 "platform-info-unknown-bits"},
                {is_provisional(r), "provisional-firmware"},
                {r->policy & SNP_BIT(SNP_POLICY_SMT), "smt-allowed"},
                {r->signing_key == SNP_KEY_VLEK, "vlek"},
                {r->vmpl != 0, "vmpl-nonzero"},
        };

        for (size_t i = 0; i < ARRAY_LEN(flags); i++)
                if (flags[i].on)
                        tee_flag(&result->tee, flags[i].name);
}

static void check(struct snp_work *w, const char *name, bool good, const char *reason, const char *why)
{
        if (good)
                tee_pass(&w->r->tee, name);
        else
                tee_fail(&w->r->tee, name, reason, "%s", why);
}

static void check_report_data(struct snp_work *w)
{
        struct view want = w->in->report_data, have = w->r->report.report_data;

        if (!want.p)
                tee_skip(&w->r->tee, "report-data", "nothing was said about what it has to be");
        else
                check(w, "report-data", equal_ct(have.p, have.len, want.p, want.len), "report-data-mismatch",
                      "it is not what was asked for");
}

/* reported ≤ committed ≤ current, component by component. */
static void check_tcb_order(struct snp_work *w)
{
        const struct snp_report *r = &w->r->report;
        struct snp_tcb reported, committed, current, launch;

        if (!snp_tcb_decode(w->r->line, r->reported_tcb, &reported) ||
            !snp_tcb_decode(w->r->line, r->committed_tcb, &committed) ||
            !snp_tcb_decode(w->r->line, r->current_tcb, &current) ||
            !snp_tcb_decode(w->r->line, r->launch_tcb, &launch)) {
                tee_fail(&w->r->tee, "tcb-order", "tcb-malformed", "a TCB is not in the layout of a %s",
                         snp_line_name(w->r->line));
                return;
        }
        check(w, "tcb-order",
              snp_tcb_at_least(&committed, &reported) && snp_tcb_at_least(&current, &committed),
              "tcb-order-invalid", "reported, committed and current TCB have to rise in every component");
}

static void check_floor(struct snp_work *w, const char *name, const char *reason, const uint8_t raw[8],
                        const struct snp_floor *floors, size_t n)
{
        char have[SNP_TCB_TEXT_BYTES], want[SNP_TCB_TEXT_BYTES];
        enum snp_line line = w->r->line;
        struct snp_tcb tcb;

        if (!n) {
                tee_skip(&w->r->tee, name, "the policy has none");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                if (floors[i].line != line)
                        continue;
                if (snp_tcb_decode(line, raw, &tcb) && snp_tcb_at_least(&tcb, &floors[i].tcb))
                        tee_pass(&w->r->tee, name);
                else if (!snp_tcb_decode(line, raw, &tcb))
                        tee_fail(&w->r->tee, name, reason, "the TCB is not in the layout of a %s",
                                 snp_line_name(line));
                else
                        tee_fail(&w->r->tee, name, reason, "%s; at least %s is wanted",
                                 snp_tcb_text(line, &tcb, have), snp_tcb_text(line, &floors[i].tcb, want));
                return;
        }
        tee_fail(&w->r->tee, name, reason, "the policy has none for %s", snp_line_name(line));
}

static void check_tcbs(struct snp_work *w)
{
        const struct snp_policy *p = w->in->policy;
        const struct snp_report *r = &w->r->report;

        check_tcb_order(w);
        check_floor(w, "tcb-floor", "tcb-below-floor", r->reported_tcb, p->tcb_floors, p->n_tcb_floors);
        check_floor(w, "launch-tcb-floor", "launch-tcb-below-floor", r->launch_tcb, p->launch_floors,
                    p->n_launch_floors);
        if (p->allow_provisional)
                tee_skip(&w->r->tee, "provisional-firmware", "the policy allows it");
        else
                check(w, "provisional-firmware", !is_provisional(r), "provisional-firmware",
                      "the running firmware can still be rolled back");
        if (p->has_firmware_floor)
                check(w, "firmware-floor",
                      version_number(&r->committed) >= version_number(&p->firmware_floor),
                      "firmware-below-floor", "the committed firmware is older than the policy wants");
        else
                tee_skip(&w->r->tee, "firmware-floor", "the policy has none");
        if (p->mitigations)
                check(w, "mitigations",
                      r->has_mitigations && (r->launch_mit_vector & p->mitigations) == p->mitigations &&
                              (r->current_mit_vector & p->mitigations) == p->mitigations,
                      "mitigation-missing", "not all mitigations that the policy wants are there");
        else
                tee_skip(&w->r->tee, "mitigations", "the policy wants none");
}

static void check_bits(struct snp_work *w, const char *name, uint64_t have, uint64_t required,
                       uint64_t refused, const char *missing, const char *not_allowed)
{
        if (!required && !refused)
                tee_skip(&w->r->tee, name, "the policy asks nothing of them");
        else if ((have & required) != required)
                tee_fail(&w->r->tee, name, missing, "0x%llx lacks 0x%llx", (unsigned long long)have,
                         (unsigned long long)(required & ~have));
        else if (have & refused)
                tee_fail(&w->r->tee, name, not_allowed, "0x%llx has 0x%llx", (unsigned long long)have,
                         (unsigned long long)(have & refused));
        else
                tee_pass(&w->r->tee, name);
}

static void check_guest_policy(struct snp_work *w)
{
        const struct snp_policy *p = w->in->policy;
        const struct snp_report *r = &w->r->report;
        uint16_t abi = (uint16_t)(snp_abi_major(r) << 8 | snp_abi_minor(r));

        check(w, "guest-policy", (r->policy & SNP_BIT(SNP_POLICY_ONE)) && !(r->policy >> SNP_POLICY_RESERVED),
              "guest-policy-invalid", "bit 17 has to be one, bits 26 to 63 zero");
        check(w, "debug", p->allow_debug || !(r->policy & SNP_BIT(SNP_POLICY_DEBUG)), "debug-enabled",
              "the host may read the guest's memory");
        check(w, "migration-agent", p->allow_migration || !(r->policy & SNP_BIT(SNP_POLICY_MIGRATE_MA)),
              "migration-agent", "a migration agent may take the guest elsewhere");
        check_bits(w, "policy-bits", r->policy, p->policy_required, p->policy_refused, "policy-bit-missing",
                   "policy-bit-refused");
        check(w, "policy-abi", abi >= p->abi_floor, "policy-abi-below-floor",
              "the guest permits a firmware ABI older than the policy wants");
        check_bits(w, "platform-info", r->platform_info, p->platform_required, p->platform_refused,
                   "platform-bit-missing", "platform-bit-refused");
        check(w, "vmpl", r->vmpl <= SNP_VMPL_MAX && (p->vmpls >> r->vmpl & 1), "vmpl-not-allowed",
              "the report was made at a privilege level that the policy does not allow");
        check(w, "guest-svn", r->guest_svn >= p->guest_svn_floor, "guest-svn-below-floor",
              "the guest's own version is older than the policy wants");
}

static void check_sets(struct snp_work *w)
{
        const struct snp_policy *p = w->in->policy;
        const struct snp_report *r = &w->r->report;
        const struct {
                const char *name, *reason;
                const struct tee_set *set;
                struct view have;
                bool absent; /* the field does not hold */
        } sets[] = {
                {"measurement", "measurement-not-allowed", &p->measurements, r->measurement, false},
                {"host-data", "host-data-not-allowed", &p->host_data, r->host_data, false},
                {"family-id", "family-id-not-allowed", &p->family_ids, r->family_id, false},
                {"image-id", "image-id-not-allowed", &p->image_ids, r->image_id, false},
                {"id-key", "id-key-not-allowed", &p->id_keys, r->id_key_digest,
                 snp_is_zero(r->id_key_digest)},
                {"author-key", "author-key-not-allowed", &p->author_keys, r->author_key_digest,
                 !r->author_key_en},
        };

        for (size_t i = 0; i < ARRAY_LEN(sets); i++) /* what is absent is in no set */
                tee_ask(&w->r->tee, sets[i].name, sets[i].reason, sets[i].set,
                        sets[i].absent ? VIEW_NONE : sets[i].have);
}

static void check_denied(struct snp_work *w)
{
        const struct snp_policy *p = w->in->policy;
        const struct snp_report *r = &w->r->report;
        const char *reason = tee_set_has(&p->denied_chips, r->chip_id)              ? "chip-denied"
                             : tee_set_has(&p->denied_measurements, r->measurement) ? "measurement-denied"
                             : tee_set_has(&p->denied_id_keys, r->id_key_digest)    ? "id-key-denied"
                                                                                    : NULL;

        check(w, "denied", !reason, reason ? reason : "", "the policy denies it by name");
}

void snp_check_policy(struct snp_work *w)
{
        if (!w->r->authentic) {
                tee_skip(&w->r->tee, "policy", "the report is not authentic, and what it says is not judged");
                return;
        }
        check_report_data(w);
        check_tcbs(w);
        check_guest_policy(w);
        check_sets(w);
        check_denied(w);
}
