/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that fall silent: once a second every host's state is computed anew, and what changed is told. A
 * hundred thousand hosts cost a few milliseconds; a timer per host would cost more at every round.
 */
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/endorsed.h"
#include "verifier/trust.h"
#include "verifier/workloads.h"

#define SWEEP_MS          1000
#define SESSIONS_SWEEP_MS 30000
/* Wall and monotonic clock drifting apart by more between two sweeps: somebody set the clock. */
#define CLOCK_JUMP_MS 2000

struct host_times verifier_times(const struct verifier *v)
{
        return (struct host_times){.interval_ms = v->settings.interval_ms,
                                   .lease_ms = v->settings.lease_ms,
                                   .late_after_ms = v->settings.late_after_ms,
                                   .lost_after_ms = v->settings.lost_after_ms};
}

enum host_shown verifier_shown(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);

        return host_shown(host, &times, loop_now_ms());
}

/* The worst finding of the last verdict, as a text of the caller's; NULL if there is none. */
static char *summary_of(const struct host *host)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(verdict_free_p) struct verdict *verdict = NULL;
        struct err err = ERR_INIT;
        const struct finding *worst;

        if (!host->s.verdict_json ||
            json_parse(view_str(host->s.verdict_json), VERDICT_JSON_BYTES_MAX, &j, &err) < 0 ||
            verdict_from_json(j, &verdict, &err) < 0)
                return NULL;
        worst = verdict_worst(verdict);
        return worst ? str_dup(worst->what) : NULL;
}

void watch_host(struct verifier *v, struct host *host)
{
        enum host_shown now = verifier_shown(v, host), was = host->shown;
        bool bad = now == HOST_FAIL || now == HOST_LATE || now == HOST_LOST || now == HOST_INCONCLUSIVE;
        AUTO(mem_free_p) char *summary = NULL;

        if (now == was)
                return;
        host->shown = now;
        if (now == HOST_FAIL || now == HOST_INCONCLUSIVE)
                summary = summary_of(host);
        log_with(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                 LOG_FIELDS({"AVOW_HOST", host->e.name}, {"AVOW_STATE", host_shown_name(now)},
                            {"AVOW_STATE_WAS", host_shown_name(was)}),
                 "host %s is %s (was %s)%s%s", SHOW(host->e.name), host_shown_name(now), host_shown_name(was),
                 summary ? ": " : "", summary ? summary : "");
        events_emit(v->events, "host.state", host->e.name, host_shown_name(now), host_shown_name(was),
                    summary);
}

static void look_at_clock(struct verifier *v)
{
        int64_t wall_ms = clock_now_ms(), mono_ms = loop_now_ms();
        int64_t jump_ms = (wall_ms - v->wall_ms) - (mono_ms - v->mono_ms);

        if (v->wall_ms && (jump_ms > CLOCK_JUMP_MS || jump_ms < -CLOCK_JUMP_MS))
                log_warning("the system clock jumped by %lld ms: every host is asked again at once, and its "
                            "TPM's clock "
                            "compared anew; no verdict comes from the jump",
                            (long long)jump_ms);
        v->wall_ms = wall_ms;
        v->mono_ms = mono_ms;
}

static void on_sweep(void *ctx)
{
        struct verifier *v = ctx;
        int64_t counts[HOST_N_SHOWN] = {0}, now_ms = loop_now_ms();
        struct host *host;
        size_t pos = 0;

        while ((host = hosts_next(v->hosts, &pos)) != NULL) {
                watch_host(v, host);
                counts[host->shown]++;
                if (host->shown == HOST_LOST) /* when it comes back, all is read again */
                        host_judged_by(host, NULL);
                if (host->gather && !host->busy && gather_is_stale(host->gather, now_ms)) {
                        gather_free(host->gather);
                        host->gather = NULL;
                }
        }
        for (size_t i = 0; i < HOST_N_SHOWN; i++)
                metric_set(v->counters.hosts[i], counts[i]);
        trust_sweep(v);
        if (now_ms - v->swept_ms > SESSIONS_SWEEP_MS) {
                sessions_sweep(v->sessions, now_ms);
                workloads_sweep(v->workloads, now_ms);
                v->swept_ms = now_ms;
        }
        metric_set(v->counters.gathered, (int64_t)v->gathered);
        metric_set(v->counters.sessions, (int64_t)sessions_count(v->sessions));
        metric_set(v->counters.cert_end_s, cert_not_after_ms(tls_server_cert(v->tls)) / 1000);
        look_at_clock(v);
        generation_turn(v);
        endorsed_look(v);
        loop_timer_start(v->sweep, SWEEP_MS);
}

static void on_watchdog(void *ctx)
{
        struct verifier *v = ctx;

        (void)sd_notify(0, "WATCHDOG=1"); /* nobody to tell when systemd is not there */
        loop_timer_start(v->watchdog, v->watchdog_ms);
}

int watch_start(struct verifier *v, struct err *err)
{
        uint64_t usec = 0;

        if (loop_timer_new(v->loop, on_sweep, v, &v->sweep, err) < 0 ||
            loop_timer_new(v->loop, on_watchdog, v, &v->watchdog, err) < 0)
                return -(int)err->kind;
        loop_timer_start(v->sweep, SWEEP_MS);
        if (sd_watchdog_enabled(0, &usec) > 0) {
                v->watchdog_ms = (int64_t)(usec / 2000);
                loop_timer_start(v->watchdog, 0);
        }
        return 0;
}
