/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow status`: everything at a glance. Both servers, how many hosts are in which state, and every
 * certificate that will end soon, because an expired certificate is the outage that nobody attacked for.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "tenant/hosts.h"
#include "tenant/output.h"
#include "tenant/settings.h"

#define DAY_MS       (24 * 3600 * INT64_C(1000))
#define WARNING_DAYS 30

struct status {
        json_t *doc, *certificates, *warnings;
        enum answer answer;
};

static int add_warning(struct status *st, enum answer answer, struct err *err, const char *text)
{
        st->answer = hosts_worse(st->answer, answer);
        return json_array_append_new(st->warnings, json_string(text)) < 0 ? err_nomem(err) : 0;
}

/* Whose certificate ends when; a warning if that is soon or was. */
static int add_certificate(struct status *st, const char *whose, const char *subject, int64_t not_after_ms,
                           struct err *err)
{
        const int64_t left_ms = not_after_ms - clock_now_ms(), days = left_ms / DAY_MS;
        AUTO(mem_free_p) char *warning = NULL;
        char until[CLOCK_TEXT_BYTES];

        (void)clock_format(not_after_ms, until);
        if (json_array_append_new(st->certificates,
                                  json_pack("{s:s, s:s?, s:s, s:I}", "of", whose, "subject", subject,
                                            "not_after", until, "days_left", (json_int_t)days)) < 0)
                return err_nomem(err);
        if (left_ms > WARNING_DAYS * DAY_MS)
                return 0;
        warning = left_ms <= 0 ? str_fmt("the certificate of %s expired at %s", whose, until)
                               : str_fmt("the certificate of %s ends in %lld days, at %s", whose,
                                         (long long)days, until);
        if (!warning)
                return err_nomem(err);
        return add_warning(st, left_ms <= 0 ? ANSWER_NO : ANSWER_DONE, err, warning);
}

/* Certificates of a file of ours; each file once. */
static int add_file(struct status *st, const char *file, struct err *err)
{
        struct cert_list list = {0};
        size_t i;
        json_t *seen;
        int r;

        json_array_foreach (st->certificates, i, seen)
                if (file && str_equal(host_text(seen, "of"), file))
                        return 0;
        if (!file)
                return 0;
        r = cert_load(file, &list, err);
        if (r < 0) {
                r = add_warning(st, ANSWER_NO, err, err->text);
                err_clear(err);
                return r;
        }
        for (size_t c = 0; r == 0 && c < list.n; c++)
                r = add_certificate(st, file, cert_subject(list.v[c]), cert_not_after_ms(list.v[c]), err);
        cert_list_done(&list);
        return r;
}

/* The counts of states decide the answer. */
static void judge_hosts(struct status *st, const json_t *counts)
{
        const char *state;
        json_t *n;

        json_object_foreach ((json_t *)(uintptr_t)counts, state, n)
                if (json_integer_value(n) > 0)
                        st->answer = hosts_worse(st->answer, hosts_answer(state, NULL));
}

/* So do those of trust; what the fuse holds waits for somebody. */
static int judge_trust(struct status *st, const json_t *doc, struct err *err)
{
        int64_t held = json_integer_value(json_object_get(doc, "held"));
        char text[160];

        judge_hosts(st, json_object_get(doc, "trust"));
        if (held <= 0)
                return 0;
        (void)snprintf(
                text, sizeof(text),
                "the fuse holds %lld hosts that are to be destroyed, until a second person agrees: avow "
                "revocation holds",
                (long long)held);
        return add_warning(st, ANSWER_NO, err, text);
}

static int add_server(struct status *st, const struct session *s, enum api_server server, struct err *err)
{
        static const char *const names[] = {[API_REGISTRAR] = "registrar", [API_VERIFIER] = "verifier"};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *certificate;
        int64_t not_after_ms;
        int r = api_open(s, server, &api, err);

        if (r < 0)
                return r;
        r = api_json(api, "GET", "/avow/v1/status", NULL, &doc, err);
        if (r == -ERR_PEER) {
                r = json_object_set_new(
                            st->doc, names[server],
                            json_pack("{s:b, s:s}", "reachable", err->code != 0, "error", err->text)) < 0
                            ? err_nomem(err)
                            : add_warning(st, ANSWER_UNDECIDED, err, err->text);
                if (r == 0)
                        err_clear(err);
                return r;
        }
        if (r < 0)
                return r;
        (void)json_object_del(doc, "schema"); /* it has none of its own inside this document */
        if (json_object_set_new(doc, "reachable", json_true()) < 0 ||
            json_object_set(st->doc, names[server], doc) < 0)
                return err_nomem(err);
        if (server == API_VERIFIER)
                judge_hosts(st, json_object_get(doc, "hosts"));
        if (server == API_VERIFIER && judge_trust(st, doc, err) < 0)
                return -(int)err->kind;
        certificate = json_object_get(doc, "certificate");
        if (!json_is_object(certificate) || json_get_time(certificate, "not_after", &not_after_ms, err) < 0) {
                err_clear(err);
                return 0;
        }
        return add_certificate(st, names[server], host_text(certificate, "subject"), not_after_ms, err);
}

static int add_own_files(struct status *st, const struct session *s, struct err *err)
{
        struct settings settings = {0};
        int r = settings_load(s, &settings, err);

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < 2; i++) {
                const struct server_settings *own = i == 0 ? &settings.registrar : &settings.verifier;

                r = add_file(st, own->cert, err);
                if (r == 0)
                        r = add_file(st, own->ca, err);
        }
        settings_done(&settings);
        return r;
}

static void print_server(const json_t *doc, const char *name)
{
        const json_t *server = json_object_get(doc, name);
        AUTO(mem_free_p) char *error = output_member_text(server, "error");
        AUTO(mem_free_p) char *version = output_member_text(server, "version");
        AUTO(mem_free_p) char *store = output_member_text(server, "store");
        AUTO(mem_free_p) char *since = output_member_text(server, "started_at");

        if (!error || !version || !store || !since)
                return;
        if (json_object_get(server, "error"))
                (void)printf("%-10s %s: %s\n", name,
                             json_is_true(json_object_get(server, "reachable")) ? "refuses" : "not reachable",
                             error);
        else
                (void)printf("%-10s version %s, up since %s, store %s\n", name, version, since, store);
}

/* "hosts      3 pass, 1 fail" */
static void print_counts(const char *what, const json_t *counts)
{
        const char *name;
        json_t *n;
        bool first = true;

        (void)printf("%-10s", what);
        json_object_foreach ((json_t *)(uintptr_t)counts, name, n) {
                if (json_integer_value(n) == 0)
                        continue;
                (void)printf("%s %lld %s", first ? "" : ",", (long long)json_integer_value(n), name);
                first = false;
        }
        (void)printf("%s\n", !counts ? " unknown" : first ? " none enrolled" : "");
}

static void print_status(const json_t *doc)
{
        const json_t *verifier = json_object_get(doc, "verifier");
        json_t *n;
        size_t i;

        print_server(doc, "registrar");
        print_server(doc, "verifier");
        print_counts("hosts", json_object_get(verifier, "hosts"));
        print_counts("trust", json_object_get(verifier, "trust"));
        json_array_foreach (json_object_get(doc, "warnings"), i, n) {
                AUTO(mem_free_p) char *text = output_member_text(n, "");

                (void)printf("warning    %s\n", text ? text : "");
        }
        if (json_array_size(json_object_get(doc, "warnings")) == 0)
                (void)printf("warnings   none\n");
}

static int run_status(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("status");
        struct status st = {.doc = doc, .certificates = json_array(), .warnings = json_array()};
        int r;

        (void)values, (void)n_args, (void)args;
        if (!doc || json_object_set_new(doc, "certificates", st.certificates) < 0 ||
            json_object_set_new(doc, "warnings", st.warnings) < 0)
                return err_nomem(err);
        r = add_server(&st, s, API_REGISTRAR, err);
        if (r == 0)
                r = add_server(&st, s, API_VERIFIER, err);
        if (r == 0)
                r = add_own_files(&st, s, err);
        if (r == 0)
                r = output_document_if_asked(s, doc, err);
        if (r < 0)
                return r;
        if (r == 0)
                print_status(doc);
        return (int)st.answer;
}

const struct command status_commands[] = {
        {"status", NULL, "", "Everything at a glance: servers, hosts, certificates that end", NULL, 0, 0, 0,
         run_status},
        {0},
};
