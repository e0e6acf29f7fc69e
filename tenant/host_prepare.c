/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow host prepare`: makes the machine it runs on one whose kernel measures, and says what is missing. It
 * runs on the host itself, asks no server, and starts no other program.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "tenant/commands.h"
#include "tenant/output.h"
#include "tenant/prepare.h"

struct prepare_options {
        bool check;
        const char *rules, *root;
};

static const struct option_row prepare_rows[] = {
        {"check", NULL, "only say what is missing, change nothing", OPTION_FLAG,
         offsetof(struct prepare_options, check)},
        {"root", "DIR", "the host's root folder, for an image that is not running", OPTION_TEXT,
         offsetof(struct prepare_options, root)},
        {"rules", "FILE", "other rules than those that came with avow", OPTION_TEXT,
         offsetof(struct prepare_options, rules)},
        {0},
};

static json_t *document(const struct prepare *p, const struct digest *rules, bool ready)
{
        AUTO(json_free_p) json_t *doc = output_document("host-prepare");
        char hex[2 * DIGEST_BYTES_MAX + 1];
        json_t *checks = json_array(), *written = json_array();

        if (!doc || json_object_set_new(doc, "ready", json_boolean(ready)) < 0 ||
            json_object_set_new(doc, "rules_sha256", json_string(hex_write(hex, digest_view(rules)))) < 0 ||
            json_object_set_new(doc, "checks", checks) < 0 ||
            json_object_set_new(doc, "written", written) < 0)
                return NULL;
        for (size_t i = 0; i < p->n; i++) {
                const struct prepare_check *c = &p->checks[i];

                if (json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:s?}", "name", c->name, "state",
                                                            prepare_state_name(c->state), "found", c->found,
                                                            "mend", c->mend)) < 0)
                        return NULL;
        }
        for (size_t i = 0; i < p->written.n; i++)
                if (json_array_append_new(written, json_string(p->written.items[i])) < 0)
                        return NULL;
        return TAKE(doc);
}

/* OWN: the rules are those that came with avow. */
static int print(const struct prepare *p, const struct digest *rules, bool own, struct err *err)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *text = NULL;
        char hex[2 * DIGEST_BYTES_MAX + 1];

        for (size_t i = 0; i < p->written.n; i++)
                buf_fmt(&out, "written        %s\n", p->written.items[i]);
        for (size_t i = 0; i < p->n; i++) {
                const struct prepare_check *c = &p->checks[i];

                buf_fmt(&out, "%-14s %-9s  ", c->name, prepare_state_name(c->state));
                buf_printable(&out, view_str(c->found));
                buf_str(&out, "\n");
                if (!c->mend)
                        continue;
                buf_fmt(&out, "%-14s %-9s  ", "", "then:");
                buf_printable(&out, view_str(c->mend));
                buf_str(&out, "\n");
        }
        buf_fmt(&out, "Policies trust these rules as  ima: {measuring: {rules: [{digest: %s%s}]}}\n",
                hex_write(hex, digest_view(rules)), own ? ", covers: [exec, tmpfs, kexec]" : "");
        text = buf_take_str(&out);
        if (!text)
                return err_nomem(err);
        return fputs(text, stdout) < 0 ? err_set(err, ERR_IO, 0, "cannot write to standard output") : 0;
}

static int run_prepare(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct prepare_options *o = values;
        AUTO(prepare_done)
        struct prepare p = {
                .root = o->root ? o->root : "",
                .rules_file = o->rules ? o->rules : AVOW_DATADIR "/ima/ima-policy",
        };
        AUTO(json_free_p) json_t *doc = NULL;
        struct digest rules;
        bool ready = true;
        int r = prepare_load_rules(&p, err);

        (void)n_args; /* none */
        (void)args;
        if (r >= 0 && !o->check)
                r = prepare_install(&p, err);
        if (r < 0 || (r = prepare_look(&p, err)) < 0 ||
            (r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&p.rules), &rules, err)) < 0)
                return r;
        for (size_t i = 0; i < p.n; i++)
                ready &= p.checks[i].state == PREPARE_OK;
        doc = document(&p, &rules, ready);
        if (!doc)
                return err_nomem(err);
        r = output_document_if_asked(s, doc, err);
        if (r == 0)
                r = print(&p, &rules, !o->rules, err);
        return r < 0 ? r : ready ? ANSWER_DONE : ANSWER_NO;
}

const struct command host_prepare_commands[] = {
        {"host", "prepare", "",
         "Have this machine's kernel measure what runs, and say what is missing for that", prepare_rows,
         sizeof(struct prepare_options), 0, 0, run_prepare},
        {0},
};
