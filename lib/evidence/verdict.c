/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts: states, findings, and their two outward forms, JSON for programs and text for people.
 *
 * The number and the length of findings are bounded, because a host decides how many of its log entries are
 * wrong; what does not fit is counted, so that nobody believes a cut list to be whole.
 */
#include "evidence/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const state_names[] = {
        [VERDICT_INCONCLUSIVE] = "inconclusive",
        [VERDICT_PASS] = "pass",
        [VERDICT_FAIL] = "fail",
        [VERDICT_REFUSED] = "refused",
};

static const char *const severity_names[] = {
        [SEVERITY_INFO] = "info",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
        [SEVERITY_CRITICAL] = "critical",
};

/* The texts of a finding, sorted as their JSON members are. */
static const struct text_member {
        const char *name;
        size_t at;
        bool needed;
} texts[] = {
        {"code", offsetof(struct finding, code), true},
        {"expected", offsetof(struct finding, expected), false},
        {"found", offsetof(struct finding, found), false},
        {"log", offsetof(struct finding, log), false},
        {"policy_ref", offsetof(struct finding, policy_ref), false},
        {"remedy", offsetof(struct finding, remedy), false},
        {"what", offsetof(struct finding, what), true},
};
#define SEVERITY_STANDS_AT 6 /* before "what" */

static const char **text_of(struct finding *f, size_t i)
{
        return (const char **)(void *)((char *)f + texts[i].at);
}

static const char *text_get(const struct finding *f, size_t i)
{
        return *(const char *const *)(const void *)((const char *)f + texts[i].at);
}

const char *verdict_state_name(enum verdict_state state)
{
        return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "unknown";
}

bool verdict_state_by_name(const char *name, enum verdict_state *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
                if (str_equal(name, state_names[i])) {
                        *ret = (enum verdict_state)i;
                        return true;
                }
        }
        return false;
}

const char *severity_name(enum severity severity)
{
        return (size_t)severity < ARRAY_LEN(severity_names) ? severity_names[severity] : "unknown";
}

bool severity_by_name(const char *name, enum severity *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(severity_names); i++) {
                if (str_equal(name, severity_names[i])) {
                        *ret = (enum severity)i;
                        return true;
                }
        }
        return false;
}

struct verdict *verdict_new(void)
{
        struct verdict *v = mem_zalloc(1, sizeof(*v));

        if (v)
                v->enforced = true;
        return v;
}

static void finding_done(struct finding *f)
{
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free((void *)(uintptr_t)text_get(f, i)); /* ours: copied by finding_copy() */
}

void verdict_free(struct verdict *v)
{
        if (!v)
                return;
        for (size_t i = 0; i < v->n_findings; i++)
                finding_done(&v->findings[i]);
        free(v->findings);
        tee_statement_free(v->tee);
        free(v);
}

/* A copy of at most FINDING_TEXT_BYTES_MAX bytes, fit to print and not cut inside a UTF-8 character. */
static char *text_copy(const char *s)
{
        AUTO(buf_free) struct buf fit = {0};
        AUTO(mem_free_p) char *text = NULL;
        size_t len = strlen(s);

        if (len <= FINDING_TEXT_BYTES_MAX && str_plain(VIEW(s, len)))
                return mem_dup(s, len + 1);
        buf_printable(&fit, view_str(s));
        text = buf_take_str(&fit);
        if (!text)
                return NULL;
        len = strnlen(text, FINDING_TEXT_BYTES_MAX);
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
                len--;
        return str_ndup(text, len);
}

static int finding_copy(const struct finding *f, struct finding *ret)
{
        *ret = (struct finding){.severity = f->severity, .entry = f->entry};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                const char *s = text_get(f, i);

                if (!s)
                        continue;
                *text_of(ret, i) = text_copy(s);
                if (!text_get(ret, i)) {
                        finding_done(ret);
                        return -1;
                }
        }
        return 0;
}

int verdict_add(struct verdict *v, const struct finding *f, struct err *err)
{
        struct finding copy;
        struct finding *grown;

        if (v->n_findings == FINDINGS_MAX) {
                v->n_dropped++;
                return 0;
        }
        grown = mem_resize(v->findings, v->n_findings + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        v->findings = grown;
        if (finding_copy(f, &copy) < 0)
                return err_nomem(err);
        v->findings[v->n_findings++] = copy;
        return 0;
}

int verdict_addf(struct verdict *v, const struct finding *f, struct err *err, const char *what_fmt, ...)
{
        char what[FINDING_TEXT_BYTES_MAX + 1];
        struct finding with = *f;
        va_list ap;

        va_start(ap, what_fmt);
        if (vsnprintf(what, sizeof(what), what_fmt, ap) < 0)
                what[0] = '\0';
        va_end(ap);
        with.what = what;
        return verdict_add(v, &with, err);
}

enum verdict_state verdict_worse(enum verdict_state a, enum verdict_state b)
{
        static const int rank[] = {
                [VERDICT_PASS] = 0,
                [VERDICT_INCONCLUSIVE] = 1,
                [VERDICT_FAIL] = 2,
                [VERDICT_REFUSED] = 3,
        };

        return rank[a] >= rank[b] ? a : b;
}

const struct finding *verdict_worst(const struct verdict *v)
{
        const struct finding *worst = NULL;

        for (size_t i = 0; i < v->n_findings; i++)
                if (!worst || v->findings[i].severity > worst->severity)
                        worst = &v->findings[i];
        return worst;
}

enum severity verdict_severity(const struct verdict *v)
{
        const struct finding *worst = verdict_worst(v);

        return worst ? worst->severity : SEVERITY_INFO;
}

const struct finding *verdict_find(const struct verdict *v, const char *code)
{
        for (size_t i = 0; i < v->n_findings; i++)
                if (str_equal(v->findings[i].code, code))
                        return &v->findings[i];
        return NULL;
}

static void finding_put(struct json_out *o, const struct finding *f)
{
        json_out_object(o, NULL);
        json_out_str(o, "code", f->code);
        if (f->entry >= 0)
                json_out_int(o, "entry", f->entry);
        for (size_t i = 1; i < ARRAY_LEN(texts); i++) {
                if (i == SEVERITY_STANDS_AT)
                        json_out_str(o, "severity", severity_name(f->severity));
                if (text_get(f, i))
                        json_out_str(o, texts[i].name, text_get(f, i));
        }
        json_out_object_end(o);
}

void verdict_put(struct json_out *o, const char *name, const struct verdict *v)
{
        json_out_object(o, name);
        json_out_int(o, "dropped", (int64_t)v->n_dropped);
        json_out_bool(o, "enforced", v->enforced);
        json_out_array(o, "findings");
        for (size_t i = 0; i < v->n_findings; i++)
                finding_put(o, &v->findings[i]);
        json_out_array_end(o);
        json_out_str(o, "state", verdict_state_name(v->state));
        if (v->tee)
                tee_statement_put(o, "tee", v->tee);
        json_out_object_end(o);
}

static void put(struct json_out *o, const char *name, const void *v)
{
        verdict_put(o, name, v);
}

json_t *verdict_to_json(const struct verdict *v)
{
        return json_out_tree(put, v);
}

char *verdict_text(const struct verdict *v)
{
        return json_out_text(put, v);
}

static int finding_from_json(const json_t *j, struct finding *f, struct err *err)
{
        static const char *const names[] = {"code",     "what",  "log",    "expected",  "found",
                                            "severity", "entry", "remedy", "policy_ref"};
        const char *severity = NULL;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        f->entry = FINDING_NO_ENTRY;
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(texts); i++)
                r = texts[i].needed ? json_get_str(j, texts[i].name, text_of(f, i), err)
                                    : json_opt_str(j, texts[i].name, text_of(f, i), err);
        if (r >= 0)
                r = json_opt_int(j, "entry", 0, INT64_MAX, &f->entry, err);
        if (r >= 0)
                r = json_get_str(j, "severity", &severity, err);
        if (r < 0)
                return r;
        if (!severity_by_name(severity, &f->severity))
                return err_set(err, ERR_FORMAT, 0, "severity %s is not known", SHOW(severity));
        return 0;
}

static int findings_from_json(const json_t *j, struct verdict *v, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(j, "findings", FINDINGS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                struct finding f = {.code = NULL};

                r = finding_from_json(json_array_get(list, i), &f, err);
                if (r < 0)
                        return err_wrap(err, "finding %zu", i);
                r = verdict_add(v, &f, err);
        }
        return r;
}

int verdict_from_json(const json_t *j, struct verdict **ret, struct err *err)
{
        static const char *const names[] = {"state", "enforced", "findings", "dropped", "tee"};
        AUTO(verdict_free_p)
        struct verdict *v = verdict_new();
        const char *state = NULL;
        int64_t dropped = 0;
        int r;

        if (!v)
                return err_nomem(err);
        r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_str(j, "state", &state, err);
        if (r >= 0)
                r = json_get_bool(j, "enforced", &v->enforced, err);
        if (r >= 0)
                r = json_get_int(j, "dropped", 0, INT64_MAX, &dropped, err);
        if (r >= 0)
                r = findings_from_json(j, v, err);
        if (r >= 0 && json_object_get(j, "tee"))
                r = tee_statement_from_json(json_object_get(j, "tee"), &v->tee, err);
        if (r < 0)
                return r;
        if (!verdict_state_by_name(state, &v->state))
                return err_set(err, ERR_FORMAT, 0, "verdict state %s is not known", SHOW(state));
        v->n_dropped = (size_t)dropped;
        *ret = TAKE(v);
        return 0;
}

static void render_line(struct buf *out, const char *label, const char *text)
{
        if (text)
                buf_fmt(out, "    %-9s %s\n", label, text);
}

static void render(const struct finding *f, struct buf *out)
{
        buf_fmt(out, "%s: %s [%s]\n", severity_name(f->severity), f->what, f->code);
        if (f->log && f->entry >= 0)
                buf_fmt(out, "    %-9s %s, entry %lld\n", "where", f->log, (long long)f->entry);
        else
                render_line(out, "where", f->log);
        render_line(out, "found", f->found);
        render_line(out, "expected", f->expected);
        render_line(out, "policy", f->policy_ref);
        render_line(out, "do", f->remedy);
}

void verdict_render(const struct verdict *v, struct buf *out)
{
        for (int s = SEVERITY_CRITICAL; s >= SEVERITY_INFO; s--)
                for (size_t i = 0; i < v->n_findings; i++)
                        if ((int)v->findings[i].severity == s)
                                render(&v->findings[i], out);
        if (v->n_dropped)
                buf_fmt(out, "and %zu more findings, not kept\n", v->n_dropped);
        if (v->tee)
                tee_statement_render(v->tee, out);
}
