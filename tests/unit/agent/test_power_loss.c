/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power-loss walk: the agent is killed at every point of a wipe, with and without a power cut of the TPM,
 * and started again. Between start and end nothing is served; the end is the same, and proven. The same for a
 * launch, whose record is in log and register before anybody may execute. The files with the points are
 * compiled for this test alone (module.mk).
 */
#include "support/support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "unit/agent/launch_kit.h"

static const struct {
        const char *point;
        bool unknown; /* not in the journal yet: only the verifier knows of it, and says it again */
} points[] = {
        {"wipe-refused", true},
        {"wipe-noted", false},
        {"wipe-logged", false},
        {"wipe-extended", false},
        {"wipe-extended-noted", false},
        {"wipe-incremented", false},
        {"wipe-incremented-noted", false},
        {"wipe-deleted", false},
        {"wipe-deleted-noted", false},
        {"wipe-stopped", false},
        {"wipe-stopped-noted", false},
        {"wipe-hooking", false},
        {"wipe-proven", false},
        {"wipe-hooked", false},
        {"wipe-hooked-noted", false},
};

static void wipe(const char *jws)
{
        struct buf out = {0};
        struct half *h = wipe_host_start();

        (void)wipe_host_tell(h, jws, true, &out);
        wipe_host_end_hooks(h);
}

static void launch(const char *unused)
{
        struct half *h = launch_kit_start("1h");
        struct launch l = launch_kit_launch(1);

        (void)unused;
        launch_kit_run(h, 1, &l);
}

/* A process of its own does it, and dies at POINT. */
static void die_at(const char *point, void (*what)(const char *jws), const char *jws)
{
        pid_t pid = fork();
        int status = 0;

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)setenv("AVOW_FAULT", point, 1);
                what(jws);
                _exit(3); /* it lives: the point is nowhere */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("%s: the agent did not die there (status %x)", point, (unsigned)status);
}

/* What is on this disk is open for nobody, before the TPM is there, and after. */
static struct half *start_closed(const char *point)
{
        struct agent_config *config = NULL;
        struct half *h = NULL;
        struct err err = ERR_INIT;

        assert_ok(agent_config_load(wipe_host.config, &config, &err), &err);
        assert_ok(half_new(config, NULL, &h, &err), &err);
        if (!secrets_refused(h->secrets))
                fail_msg("%s: hand-outs are admitted before the TPM is there", point);
        assert_ok(half_start(h, &err), &err);
        assert_non_null(secrets_refused(h->secrets));
        return h;
}

static size_t records(const struct half *h)
{
        AUTO(buf_free) struct buf log = {0};
        struct err err = ERR_INIT;
        size_t n = 0;

        assert_true(pcr_log_slice(h->log, 0, 1000, 1 << 20, &log, &err) >= 0);
        for (size_t i = 0; i + 8 <= log.len; i++)
                n += view_equal(VIEW(log.p + i, 8), view_str("\"revoke\""));
        return n;
}

static bool after_increment(const char *point)
{
        size_t i = 0, increment = 0;

        while (strcmp(points[i].point, point) != 0)
                i++;
        while (strcmp(points[increment].point, "wipe-incremented") != 0)
                increment++;
        return i > increment;
}

static void walk(const char *point, bool unknown, bool power_cut, bool names_boot)
{
        AUTO(mem_free_p) char *jws = NULL, *told = str_fmt("%s/told", wipe_host.dir);
        AUTO(mem_free_p) char *hook = str_fmt("#!/bin/sh\ncat >%s\n", told);
        struct half *h = wipe_host_start();
        uint64_t before = wipe_host_epoch(h);

        wipe_host_hook("10-told", hook, 0755);
        wipe_host_put_blobs();
        jws = wipe_host_sign(h, &(struct words){.host = HOST,
                                                .reaction = "destroy",
                                                .seq = 7,
                                                .epoch = before,
                                                .key = wipe_host.verifier,
                                                .names_boot = names_boot});
        half_free(h);

        die_at(point, wipe, jws);
        if (power_cut)
                swtpm_restart(&wipe_host.emulator);
        h = unknown ? wipe_host_start() : start_closed(point);
        if (!unknown) {
                /* Nobody has told it again, and all is done. */
                assert_int_equal(wipe_host_epoch(h), before + 1);
                assert_false(wipe_host_has_blobs());
                assert_false(wipe_unfinished(h->wipe));
        }
        wipe_host_proves(h, jws, HOST "/7");
        assert_non_null(secrets_refused(h->secrets));
        assert_int_equal(wipe_host_epoch(h), before + 1);
        assert_false(wipe_host_has_blobs());
        /* In this boot; one that came after the increment may do without. */
        if (!power_cut || !names_boot || !after_increment(point))
                assert_int_equal(records(h), 1);
        assert_true(pcr_log_explains(h->log));
        wipe_host_end_hooks(h);
        assert_true(file_exists(told));

        /* and once more, as after any start */
        h = wipe_host_restart(h);
        assert_non_null(secrets_refused(h->secrets));
        wipe_host_proves(h, jws, HOST "/7");
        assert_int_equal(wipe_host_epoch(h), before + 1);
        half_free(h);
}

static void every_point(void **state, bool power_cut)
{
        for (size_t i = 0; i < ARRAY_LEN(points); i++) {
                (void)wipe_host_setup(state);
                print_message("%s%s\n", points[i].point, power_cut ? ", power cut" : "");
                walk(points[i].point, points[i].unknown, power_cut, i & 1);
                (void)wipe_host_teardown(state);
        }
}

static void killed_at_every_point(void **state)
{
        every_point(state, false);
}

static void without_power_at_every_point(void **state)
{
        every_point(state, true);
}

/* Whoever dies in a launch has executed nothing, and what the log holds is in the register; after a power cut
 * both begin anew. */
static void a_launch_is_in_the_register(void **state)
{
        static const char *const launches[] = {"record-logged", "launch-recorded", "launch-begun"};

        (void)wipe_host_setup(state);
        for (size_t i = 0; i < 2 * ARRAY_LEN(launches); i++) {
                AUTO(buf_free) struct buf text = {0};
                struct cel_log *log;
                struct half *h;

                h = launch_kit_start("1h"); /* measures its runtime, which is a record too */
                half_free(h);
                die_at(launches[i / 2], launch, NULL);
                if (i & 1)
                        swtpm_restart(&wipe_host.emulator);
                h = launch_kit_start("1h");
                assert_true(pcr_log_explains(h->launch_log));
                log = launch_kit_log(h, &text);
                assert_int_equal(log->n, i & 1 ? 0 : 1);
                cel_log_free(log);
                assert_int_equal(launches_running(half_launches(h)), 0);
                half_free(h);
                if (!(i & 1))
                        swtpm_restart(&wipe_host.emulator);
        }
        (void)wipe_host_teardown(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(killed_at_every_point),
                cmocka_unit_test(without_power_at_every_point),
                cmocka_unit_test(a_launch_is_in_the_register),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
