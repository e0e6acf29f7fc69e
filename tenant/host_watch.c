/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow host watch`: a line for every change of state, of one host or of all. It asks again and again, which
 * survives a restart of the server and needs no memory of what was missed; `--until` makes it a condition for
 * scripts.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

struct watch_values {
        const char *until, *timeout, *every;
};

static const struct option_row watch_options[] = {
        {"until", "STATE", "end when the host (or each of all) is in this state", OPTION_TEXT,
         offsetof(struct watch_values, until)},
        {"timeout", "DURATION", "end after this time at the latest", OPTION_TEXT,
         offsetof(struct watch_values, timeout)},
        {"every", "DURATION", "ask so often (1s)", OPTION_TEXT, offsetof(struct watch_values, every)},
        {0},
};

struct watch {
        const struct session *session;
        const struct watch_values *v;
        const char *name; /* NULL: all */
        struct api *api;
        struct map states; /* name → the state last seen */
        enum answer answer;
        size_t n_hosts, n_there; /* of this round: seen; in the state that is waited for */
        bool unreachable;
};

/* Prints a change. */
static void say(const struct watch *w, const json_t *host, const char *was, const char *state)
{
        const char *summary = host_text(host, "summary");
        char now[CLOCK_TEXT_BYTES];

        (void)clock_format(clock_now_ms(), now);
        if (w->session->output == OUTPUT_TABLE) {
                AUTO(mem_free_p) char *why = output_member_text(host, "summary");

                (void)printf("%s  %s  %s -> %s%s%s\n", now, host_text(host, "name"), was ? was : "-", state,
                             summary ? "  " : "", summary && why ? why : "");
        } else {
                json_t *line = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?}", "schema", "avow.event/1", "at",
                                         now, "host", host_text(host, "name"), "was", was, "state", state,
                                         "summary", summary);

                (void)json_dumpf(line, stdout, JSON_COMPACT);
                (void)fputc('\n', stdout);
                json_decref(line);
        }
        (void)fflush(stdout);
}

static int look(void *arg, const json_t *host, struct err *err)
{
        struct watch *w = arg;
        const char *name = host_text(host, "name"), *state = host_text(host, "state");
        const char *was;
        char *copy;

        if (!name || !state || !str_valid_host_id(name))
                return err_set(err, ERR_PEER, 0, "verifier: a host without name or state");
        w->n_hosts++;
        w->n_there += w->v->until && strcmp(state, w->v->until) == 0;
        w->answer = hosts_worse(w->answer, hosts_answer(state, host_text(host, "trust")));
        was = map_get(&w->states, name);
        if (was && strcmp(was, state) == 0)
                return 0;
        say(w, host, was, state);
        copy = str_dup(state);
        if (!copy || map_put(&w->states, name, copy) < 0) {
                free(copy);
                return err_nomem(err);
        }
        return 0;
}

/* One round. A server that is away is said once, and waited for. */
static int round_of(struct watch *w, struct err *err)
{
        AUTO(json_free_p) json_t *host = NULL;
        int r;

        w->n_hosts = w->n_there = 0;
        w->answer = ANSWER_DONE;
        if (w->name) {
                r = host_get(w->api, w->name, &host, err);
                if (r == 0 && host)
                        r = look(w, host, err);
        } else {
                r = hosts_each(w->api, look, w, err);
        }
        if (r == -ERR_PEER && (err->code == 0 || err->code >= 500)) {
                if (!w->unreachable)
                        (void)fprintf(stderr, "avow: %s; trying again\n", err->text);
                w->unreachable = true;
                w->answer = ANSWER_UNDECIDED;
                w->n_hosts = 0;
                err_clear(err);
                return 0;
        }
        w->unreachable = false;
        return r;
}

static int watch_loop(struct watch *w, int64_t every_ms, int64_t timeout_ms, struct err *err)
{
        const int64_t end = clock_mono_ms() + timeout_ms;

        for (;;) {
                struct timespec pause = {.tv_sec = every_ms / 1000, .tv_nsec = every_ms % 1000 * 1000000};
                int r = round_of(w, err);

                if (r < 0)
                        return r;
                if (w->v->until && w->n_hosts > 0 && w->n_there == w->n_hosts)
                        return ANSWER_DONE;
                if (timeout_ms > 0 && clock_mono_ms() >= end)
                        return w->v->until ? ANSWER_UNDECIDED : (int)w->answer;
                (void)nanosleep(&pause, NULL);
        }
}

static int run_watch(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct watch_values *v = values;
        struct watch w = {.session = s, .v = v, .name = n_args > 0 ? args[0] : NULL};
        int64_t every_ms = 1000, timeout_ms = 0;
        int r;

        if (v->every && clock_parse_duration(view_str(v->every), &every_ms, err) < 0)
                return err_wrap(err, "--every");
        if (v->timeout && clock_parse_duration(view_str(v->timeout), &timeout_ms, err) < 0)
                return err_wrap(err, "--timeout");
        if (every_ms < 100)
                every_ms = 100;
        r = api_open(s, API_VERIFIER, &w.api, err);
        if (r < 0)
                return r;
        map_init(&w.states, free);
        r = watch_loop(&w, every_ms, timeout_ms, err);
        map_done(&w.states);
        api_close(w.api);
        return r;
}

const struct command host_watch_commands[] = {
        {"host", "watch", "[HOST]", "Print every change of a host's state", watch_options,
         sizeof(struct watch_values), 0, 1, run_watch},
        {0},
};
