/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that can be read may still not say what its author wants: one that no host can pass, or one that
 * gives up more than it seems. That is said before it is pushed.
 */
#include "tenant/policy_check.h"

#include "policy/policy_boot.h"
#include "policy/policy_ima.h"

json_t *policy_summary(const struct policy *p)
{
        AUTO(json_free_p) json_t *j = json_object();
        size_t packages = 0, measured = 0, layers = 0;

        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;

                packages += ima ? ima->n_packages : 0;
                measured += ima ? allow_count(ima->files) : 0;
                layers++;
        }
        if (!j || json_set_str(j, "file", p->source) < 0 || json_set_str(j, "name", p->name) < 0 ||
            json_set_hex(j, "sha256", digest_view(&p->sha256)) < 0 ||
            json_set_str(j, "bank", digest_name(p->bank)) < 0 || json_set_int(j, "pcr", p->pcr) < 0 ||
            json_set_bool(j, "enforced", p->enforced) < 0 ||
            json_set_int(j, "runtimes", (json_int_t)p->n_runtimes) < 0 ||
            json_set_int(j, "files", (json_int_t)p->n_files) < 0 ||
            json_set_int(j, "digests", (json_int_t)p->n_digests) < 0 ||
            json_set_int(j, "records", (json_int_t)p->n_records) < 0 ||
            json_set_int(j, "denied", (json_int_t)p->n_denied) < 0 ||
            json_set_bool(j, "ima", p->judges_ima) < 0 || json_set_bool(j, "boot", p->judges_boot) < 0 ||
            json_set_int(j, "packages", (json_int_t)packages) < 0 ||
            json_set_int(j, "measured", (json_int_t)measured) < 0 ||
            json_set_int(j, "layers", (json_int_t)layers) < 0)
                return NULL;
        return TAKE(j);
}

/* ---- doubts ---- */

struct ima_sums {
        size_t rules, required;
        unsigned waived, covers;
        bool by_command_line, violations_allowed;
};

static struct ima_sums sum_ima(const struct policy *p)
{
        struct ima_sums s = {0};

        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;

                if (!ima || p->parts[i].hosts)
                        continue;
                s.rules += ima->n_rules;
                s.required += ima->n_required;
                s.waived |= ima->waived;
                s.by_command_line |= ima->command_lines != NULL;
                for (size_t k = 0; k < ima->n_rules; k++)
                        s.covers |= ima->rules[k].covers;
                s.violations_allowed |= ima->violations == POLICY_VIOLATIONS_ALLOW;
        }
        return s;
}

static bool waives(const struct ima_sums *s, enum policy_waiver w)
{
        return s->waived & 1u << w;
}

static void doubt_ima(const struct policy *p, struct buf *out)
{
        const struct ima_sums s = sum_ima(p);

        if (s.rules == 0 && !s.by_command_line && !waives(&s, POLICY_WAIVE_RULES))
                buf_fmt(out,
                        "%s: note: ima.measuring names no rules: every host stays inconclusive until it "
                        "names "
                        "those of its hosts, or 'waive: [rules]' does without\n",
                        p->source);
        if (s.rules > 0 && !(s.covers & POLICY_COVERS_TMPFS) && !waives(&s, POLICY_WAIVE_TMPFS))
                buf_fmt(out,
                        "%s: note: no rules of ima.measuring cover tmpfs: every host stays inconclusive\n",
                        p->source);
        if (s.required == 0 && !waives(&s, POLICY_WAIVE_REQUIRED))
                buf_fmt(out, "%s: note: ima.required is empty: a host may not even run its agent\n",
                        p->source);
        if (s.violations_allowed)
                buf_fmt(out,
                        "%s: note: ima.violations: allow; files may be written while they are measured\n",
                        p->source);
        for (unsigned w = 0; w < POLICY_N_WAIVERS; w++)
                if (waives(&s, w))
                        buf_fmt(out, "%s: note: ima.waive gives up '%s'; results say so\n", p->source,
                                policy_waiver_name(w));
}

static void doubt_boot(const struct policy *p, struct buf *out)
{
        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_boot *boot = p->parts[i].boot;

                if (boot && boot->log == POLICY_LOG_IF_THERE)
                        buf_fmt(out,
                                "%s: note: boot.log: if-there (%s); a host without a log is not judged by "
                                "'boot'\n",
                                p->source, p->parts[i].name);
        }
}

void policy_doubts(const struct policy *p, int64_t now_ms, struct buf *out)
{
        size_t ended = 0;

        for (size_t i = 0; i < p->n_digests; i++)
                if (p->digests[i].until_ms <= now_ms)
                        ended++;
        if (ended)
                buf_fmt(out, "%s: note: %zu of %zu digests have ended ('until' is over) and allow nothing\n",
                        p->source, ended, p->n_digests);
        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;

                for (size_t k = 0; ima && k < ima->n_packages; k++)
                        if (ima->packages[k].until_ms <= now_ms)
                                buf_fmt(out,
                                        "%s:%u: note: package '%s' has ended ('until' is over) and allows "
                                        "nothing\n",
                                        p->source, ima->packages[k].line, ima->packages[k].name);
        }
        if (!p->enforced)
                buf_fmt(out, "%s: note: mode: observe; failures have no consequence\n", p->source);
        if (!p->judges_log && !p->judges_ima && !p->judges_boot)
                buf_fmt(out, "%s: note: fixes PCR values only; runtimes are not judged\n", p->source);
        if (p->judges_ima)
                doubt_ima(p, out);
        doubt_boot(p, out);
}
