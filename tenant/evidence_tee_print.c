/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer as text: the verdict first, then what was checked, then what the evidence says. It is printed
 * from the same document that programs get, so neither can say more than the other.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/str.h"
#include "tenant/evidence_tee_work.h"

#define LABEL_WIDTH 30

static const char *text_of(const json_t *j, const char *name)
{
        const char *s = json_string_value(json_object_get(j, name));

        return s ? s : "";
}

/* Texts from the evidence: nothing that moves a cursor. */
static void put_text(struct buf *out, const char *s)
{
        buf_printable(out, view_str(s));
}

static void put_scalar(struct buf *out, const json_t *v)
{
        if (json_is_string(v))
                put_text(out, json_string_value(v));
        else if (json_is_integer(v))
                buf_fmt(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        else
                buf_str(out, json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-");
}

static void put_event(struct buf *out, const json_t *e)
{
        buf_fmt(out, "\n  %4" JSON_INTEGER_FORMAT "  register %" JSON_INTEGER_FORMAT "  %s  ",
                json_integer_value(json_object_get(e, "event")),
                json_integer_value(json_object_get(e, "register")), text_of(e, "type"));
        put_text(out, text_of(e, "text"));
        if (json_is_false(json_object_get(e, "digest_covers_text")))
                buf_str(out, " (claimed: no digest covers it)");
}

static void put_list(struct buf *out, const json_t *list)
{
        const json_t *item;
        size_t i;

        if (!json_array_size(list))
                buf_str(out, "none");
        json_array_foreach ((json_t *)(uintptr_t)list, i, item) {
                if (json_is_object(item)) {
                        put_event(out, item);
                        continue;
                }
                buf_str(out, i ? "; " : "");
                put_scalar(out, item);
        }
}

/* One line for each member, members of members indented. */
static void put_members(struct buf *out, const json_t *j, int indent)
{
        const char *name;
        json_t *v;

        json_object_foreach ((json_t *)(uintptr_t)j, name, v) {
                char label[64];

                (void)snprintf(label, sizeof(label), "%s:", name);
                for (char *p = label; *p; p++)
                        if (*p == '_')
                                *p = ' ';
                buf_fmt(out, "%*s%-*s%s", indent, "", json_is_object(v) ? 0 : LABEL_WIDTH - indent, label,
                        json_is_object(v) ? "" : " ");
                if (json_is_object(v)) {
                        buf_str(out, "\n");
                        put_members(out, v, indent + 2);
                        continue;
                }
                if (json_is_array(v))
                        put_list(out, v);
                else
                        put_scalar(out, v);
                buf_str(out, "\n");
        }
}

static void put_checks(struct buf *out, const json_t *checks)
{
        const json_t *c;
        size_t i;

        buf_str(out, "\nChecks:\n");
        json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
                const char *state = text_of(c, "state"), *reason = text_of(c, "reason");

                buf_fmt(out, "  %-8s %-24s", strcmp(state, "fail") == 0 ? "FAIL" : state, text_of(c, "name"));
                if (*reason)
                        buf_fmt(out, " %s:", reason);
                if (*text_of(c, "text")) {
                        buf_str(out, " ");
                        put_text(out, text_of(c, "text"));
                }
                while (out->len && out->p[out->len - 1] == ' ')
                        out->len--;
                buf_str(out, "\n");
        }
}

static const char *meaning(const char *verdict)
{
        static const struct {
                const char *verdict, *text;
        } all[] = {
                {"accept", "authentic, and as the policy wants it"},
                {"accept-with-trailing",
                 "authentic, and as the policy wants it; nothing covers the bytes behind it"},
                {"reject", "not to be trusted; see the checks that failed"},
                {"malformed", "it breaks its format; nothing in it was judged"},
                {"quote-valid-no-collateral", "undecided: authentic as far as it was checked, but without "
                                              "collateral there is no TCB status"},
                {"no-endorsement",
                 "undecided: no certificate chain that could vouch for it (--endorsements)"},
                {"chain-valid", "the certificate is the vendor's; alone it shows nothing of a machine"},
                {"unsigned", "undecided: nobody has signed it"},
                {"parse-ok", "undecided: well formed, and nothing to compare it with"},
        };

        for (size_t i = 0; i < ARRAY_LEN(all); i++)
                if (strcmp(all[i].verdict, verdict) == 0)
                        return all[i].text;
        return "undecided";
}

int tee_print(const json_t *doc, const char *title, struct err *err)
{
        const json_t *checks = json_object_get(doc, "checks"), *flags = json_object_get(doc, "flags");
        const json_t *status = json_object_get(doc, "status"), *content = json_object_get(doc, "content");
        const char *verdict = text_of(doc, "verdict");
        struct buf out = {0};
        bool printed;

        buf_fmt(&out, "Evidence: %s\n", title);
        if (*verdict)
                buf_fmt(&out, "Verdict:  %s: %s\n", verdict, meaning(verdict));
        if (json_array_size(flags)) {
                buf_str(&out, "Notable:  ");
                put_list(&out, flags);
                buf_str(&out, "\n");
        }
        if (checks)
                put_checks(&out, checks);
        if (status) {
                buf_str(&out, "\nWhat the collateral says:\n");
                put_members(&out, status, 2);
        }
        if (content) {
                buf_str(&out, *verdict ? "\nWhat the evidence says:\n"
                                       : "\nWhat it says (nothing was verified):\n");
                put_members(&out, content, 2);
        }
        printed = buf_ok(&out) && fwrite(out.p, 1, out.len, stdout) == out.len && !fflush(stdout);
        if (!buf_ok(&out)) {
                buf_free(&out);
                return err_nomem(err);
        }
        buf_free(&out);
        return printed ? 0 : err_set(err, ERR_IO, 0, "standard output cannot be written");
}
