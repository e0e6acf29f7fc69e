/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy, the part that needs no server: is a policy well written, what does an edit change, which
 * register values follow from it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/predict.h"
#include "tenant/commands.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/policy_check.h"
#include "tenant/policy_diff.h"
#include "tenant/policy_remote.h"

static int flush(struct err *err)
{
        return fflush(stdout) || ferror(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written")
                                                : 0;
}

/* --- check --- */

static int run_check(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {
                {"FILE", "file"},         {"NAME", "name"},     {"BANK", "bank"},
                {"RUNTIMES", "runtimes"}, {"FILES", "files"},   {"DIGESTS", "digests"},
                {"RECORDS", "records"},   {"DENIED", "denied"}, {"PACKAGES", "packages"},
                {"MEASURED", "measured"}, {"LAYERS", "layers"}};
        AUTO(json_free_p) json_t *doc = output_document("policy-check");
        AUTO(buf_free) struct buf doubts = {0};
        json_t *list = json_array();
        int r = json_object_set_new(doc, "policies", list) < 0 ? err_nomem(err) : 0;

        (void)values;
        for (int i = 0; r == 0 && i < n_args; i++) {
                AUTO(policy_unref_p) struct policy *p = NULL;

                r = load_policy(args[i], &p, NULL, err);
                if (r == 0 && json_array_append_new(list, policy_summary(p)) < 0)
                        r = err_nomem(err);
                if (r == 0)
                        policy_doubts(p, clock_now_ms(), &doubts);
        }
        if (r == 0 && !buf_ok(&doubts))
                r = err_nomem(err);
        if (r == 0 && s->output == OUTPUT_TABLE)
                (void)printf("%.*s", (int)doubts.len, doubts.len ? (const char *)doubts.p : "");
        if (r == 0)
                r = output_list(s, doc, "policies", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

/* --- diff --- */

static int run_diff(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(policy_unref_p) struct policy *old = NULL;
        AUTO(policy_unref_p) struct policy *new = NULL;
        AUTO(json_free_p) json_t *doc = output_document("policy-diff");
        AUTO(buf_free) struct buf text = {0};
        json_t *changes;
        int r = policy_file_or_remote(s, args[0], &old, err);

        (void)values;
        (void)n_args;
        if (r < 0 || (r = policy_file_or_remote(s, args[1], &new, err)) < 0)
                return r;
        changes = policy_diff(old, new);
        if (!changes || json_object_set_new(doc, "changes", changes) < 0)
                return err_nomem(err);
        r = output_document_if_asked(s, doc, err);
        if (r == 0) {
                policy_diff_render(changes, &text);
                if (!buf_ok(&text))
                        return err_nomem(err);
                (void)printf("%.*s", (int)text.len, text.len ? (const char *)text.p : "");
                r = flush(err);
        }
        return r < 0 ? r : json_array_size(changes) ? ANSWER_NO : ANSWER_DONE;
}

/* --- predict --- */

struct predict_options {
        const char *at;
};

static const struct option_row predict_rows[] = {
        {"at", "TIME", "with the digests that are allowed then (default: now)", OPTION_TEXT,
         offsetof(struct predict_options, at)},
        {0},
};

static json_t *step_json(const struct policy *p, const struct policy_digest *d)
{
        const struct policy_runtime *runtime = policy_runtime_of(p, d);
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "runtime", runtime->name) < 0 ||
            json_set_str(j, "file", p->files[d->file].path) < 0 ||
            json_set_hex(j, "digest", VIEW(d->bytes, p->digest_size)) < 0 ||
            json_set_int(j, "line", d->line) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *prediction_json(const struct policy *p, const struct prediction *v)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *steps = json_array();
        int r = json_object_set_new(j, "extends", steps);

        if (r == 0)
                r = json_set_hex(j, "value", digest_view(&v->value));
        if (r == 0)
                r = json_set_int(j, "updates", (json_int_t)v->n_updates);
        for (size_t i = 0; r == 0 && i < v->n_steps; i++)
                r = json_array_append_new(steps, step_json(p, v->steps[i]));
        return r < 0 ? NULL : TAKE(j);
}

static json_t *predict_document(const struct policy *p, const struct predictions *all)
{
        AUTO(json_free_p) json_t *doc = output_document("policy-prediction");
        json_t *list = json_array();
        int r = json_object_set_new(doc, "histories", list);

        r |= json_set_str(doc, "policy", p->name);
        r |= json_set_str(doc, "bank", digest_name(p->bank));
        r |= json_set_int(doc, "pcr", p->pcr);
        r |= json_set_bool(doc, "more", all->more);
        r |= json_set_bool(doc, "foreign", all->foreign);
        for (size_t i = 0; r == 0 && i < all->n; i++)
                r = json_array_append_new(list, prediction_json(p, &all->v[i]));
        return r < 0 ? NULL : TAKE(doc);
}

static void print_predictions(const struct policy *p, const struct predictions *all)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        for (size_t i = 0; i < all->n; i++) {
                const struct prediction *v = &all->v[i];

                (void)printf("%u:%s=%s", p->pcr, digest_name(p->bank),
                             hex_write(hex, digest_view(&v->value)));
                if (v->n_updates)
                        (void)printf("  # after %zu update%s in place", v->n_updates,
                                     v->n_updates == 1 ? "" : "s");
                for (size_t k = v->n_steps - v->n_updates; k < v->n_steps; k++)
                        (void)printf(", line %u", v->steps[k]->line);
                (void)printf("\n");
        }
        if (all->more)
                (void)printf("# and more histories, which are not printed\n");
        if (all->foreign)
                (void)printf("# these hold where no other program extends PCR %u; the policy allows some "
                             "that do\n",
                             p->pcr);
}

static int run_predict(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct predict_options *o = values;
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(predictions_free_p) struct predictions *all = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int64_t now_ms = clock_now_ms();
        int r = policy_file_or_remote(s, args[0], &p, err);

        (void)n_args;
        if (r < 0)
                return r;
        if (o->at && clock_parse(view_str(o->at), &now_ms, err) < 0)
                return err_wrap(err, "--at");
        r = policy_predict(p, now_ms, &all, err);
        if (r < 0)
                return r;
        doc = predict_document(p, all);
        r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);
        if (r == 0) {
                print_predictions(p, all);
                r = flush(err);
        }
        return r < 0 ? r : ANSWER_DONE;
}

const struct command policy_commands[] = {
        {"policy", "check", "FILE...", "Read policies and say what is wrong with them", NULL, 0, 1, 1000,
         run_check},
        {"policy", "diff", "OLD NEW", "Show what changes for hosts; OLD and NEW are files or NAME[@VERSION]",
         NULL, 0, 2, 2, run_diff},
        {"policy", "predict", "FILE|NAME", "Print the register values that follow from a policy",
         predict_rows, sizeof(struct predict_options), 1, 1, run_predict},
        {0},
};
