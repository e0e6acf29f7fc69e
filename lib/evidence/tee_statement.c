/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks on a processor's evidence, inside of a verdict. Of what is read nothing is trusted but its
 * shape: a bundle's verdict is its maker's word.
 */
#include "evidence/tee_statement.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct tee_statement *tee_statement_new(void)
{
        return mem_zalloc(1, sizeof(struct tee_statement));
}

void tee_statement_free(struct tee_statement *s)
{
        if (!s)
                return;
        json_decref(s->root);
        free(s);
}

const char *tee_statement_binding(const struct tee_statement *s)
{
        return tee_has_flag(&s->result, "binding-rooted")  ? "rooted"
               : tee_has_flag(&s->result, "binding-named") ? "named"
                                                           : "none";
}

static void put_check(struct json_out *o, const struct tee_check *c)
{
        json_out_object(o, NULL);
        json_out_str(o, "name", c->name);
        if (*c->reason)
                json_out_str(o, "reason", c->reason);
        json_out_str(o, "state", tee_state_name(c->state));
        if (*c->text)
                json_out_str(o, "text", c->text);
        json_out_object_end(o);
}

void tee_statement_put(struct json_out *o, const char *name, const struct tee_statement *s)
{
        json_out_object(o, name);
        json_out_str(o, "binding", tee_statement_binding(s));
        json_out_array(o, "checks");
        for (size_t i = 0; i < s->result.n_checks; i++)
                put_check(o, &s->result.checks[i]);
        json_out_array_end(o);
        json_out_array(o, "flags");
        for (size_t i = 0; i < s->result.n_flags; i++)
                json_out_str(o, NULL, s->result.flags[i]);
        json_out_array_end(o);
        json_out_str(o, "kind", tee_kind_name(s->kind));
        if (s->intel != DCAP_STATUS_NONE)
                json_out_str(o, "status", dcap_status_name(s->intel));
        json_out_str(o, "verdict", tee_verdict_name(s->result.verdict));
        json_out_object_end(o);
}

/* ---- reading ---- */

/* One of N words. */
static int get_word(const json_t *j, const char *name, const char *(*word)(int), int n, int *ret,
                    struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        if (r < 0)
                return r;
        for (*ret = 0; *ret < n; ++*ret)
                if (str_equal(s, word(*ret)))
                        return 0;
        return err_set(err, ERR_FORMAT, 0, "member '%s': %s is not known", name, SHOW(s));
}

static const char *state_word(int i)
{
        return tee_state_name((enum tee_state)i);
}

static const char *verdict_word(int i)
{
        return tee_verdict_name((enum tee_verdict)i);
}

static const char *kind_word(int i)
{
        return tee_kind_name((enum tee_kind)i);
}

static const char *status_word(int i)
{
        return dcap_status_name((enum dcap_status)i);
}

static int get_text(const json_t *j, const char *name, char *ret, size_t size, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(j, name, &s, err);

        if (r <= 0)
                return r;
        if (strlen(s) >= size)
                return err_set(err, ERR_LIMIT, 0, "member '%s': more than %zu bytes", name, size - 1);
        memcpy(ret, s, strlen(s) + 1);
        return 0;
}

static int check_from_json(const json_t *j, struct tee_check *c, struct err *err)
{
        static const char *const names[] = {"name", "reason", "state", "text"};
        int state = 0;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(j, "name", &c->name, err);
        if (r >= 0)
                r = get_word(j, "state", state_word, TEE_FAIL + 1, &state, err);
        if (r >= 0)
                r = get_text(j, "reason", c->reason, sizeof(c->reason), err);
        if (r >= 0)
                r = get_text(j, "text", c->text, sizeof(c->text), err);
        c->state = (enum tee_state)state;
        return r;
}

static int result_from_json(const json_t *j, struct tee_result *t, struct err *err)
{
        const json_t *list = NULL;
        int verdict = 0;
        int r = get_word(j, "verdict", verdict_word, TEE_NO_ENDORSEMENT + 1, &verdict, err);

        t->verdict = (enum tee_verdict)verdict;
        if (r >= 0)
                r = json_get_array(j, "checks", TEE_CHECKS_MAX, &list, err);
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                r = check_from_json(json_array_get(list, i), &t->checks[t->n_checks++], err);
                if (r < 0)
                        return err_wrap(err, "check %zu", i);
        }
        if (r >= 0)
                r = json_get_array(j, "flags", TEE_FLAGS_MAX, &list, err);
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                t->flags[t->n_flags] = json_string_value(json_array_get(list, i));
                if (!t->flags[t->n_flags++])
                        return err_set(err, ERR_FORMAT, 0, "member 'flags': expected texts");
        }
        return r;
}

int tee_statement_from_json(const json_t *j, struct tee_statement **ret, struct err *err)
{
        static const char *const names[] = {"binding", "checks", "flags", "kind", "status", "verdict"};
        AUTO(tee_statement_free_p) struct tee_statement *s = tee_statement_new();
        const char *binding = NULL;
        int kind = 0, status = DCAP_STATUS_NONE;
        int r;

        if (!s || !(s->root = json_deep_copy(j)))
                return err_nomem(err);
        r = json_only(s->root, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = get_word(s->root, "kind", kind_word, TEE_N_KINDS, &kind, err);
        if (r >= 0 && json_object_get(s->root, "status"))
                r = get_word(s->root, "status", status_word, DCAP_N_STATUSES, &status, err);
        if (r >= 0)
                r = result_from_json(s->root, &s->result, err);
        if (r >= 0)
                r = json_get_str(s->root, "binding", &binding, err);
        if (r < 0)
                return err_wrap(err, "member 'tee'");
        s->kind = (enum tee_kind)kind;
        s->intel = (enum dcap_status)status;
        if (!str_equal(binding, tee_statement_binding(s)))
                return err_set(err, ERR_FORMAT, 0, "member 'tee': 'binding' is not what the flags say");
        *ret = TAKE(s);
        return 0;
}

/* ---- for people ---- */

void tee_statement_render(const struct tee_statement *s, struct buf *out)
{
        buf_fmt(out, "processor: evidence of kind %s: %s; binding: %s", tee_kind_name(s->kind),
                tee_verdict_name(s->result.verdict), tee_statement_binding(s));
        if (s->intel != DCAP_STATUS_NONE)
                buf_fmt(out, "; TCB status: %s", dcap_status_name(s->intel));
        buf_str(out, "\n");
        for (size_t i = 0; i < s->result.n_checks; i++) {
                const struct tee_check *c = &s->result.checks[i];

                buf_fmt(out, "    %-7s  ", tee_state_name(c->state));
                buf_printable(out, view_str(c->name));
                if (*c->reason) {
                        buf_str(out, " [");
                        buf_printable(out, view_str(c->reason));
                        buf_str(out, "]");
                }
                if (*c->text) {
                        buf_str(out, ": ");
                        buf_printable(out, view_str(c->text));
                }
                buf_str(out, "\n");
        }
}
