/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping the units that hold copies (SR-25): over a real bus, with somebody who answers as systemd does. */
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "agent/unit_stop.h"
#include "base/clock.h"
#include "base/file.h"
#include "evidence/wipe_proof.h"
#include "unit/agent/wipe_host.h"

#define SYSTEMD "org.freedesktop.systemd1"

static pid_t daemon_pid, manager_pid;
static char stopped[64]; /* what was asked for, a line each */

/* ---- a bus, and the manager on it ---- */

static int on_stop(sd_bus_message *m, void *ctx, sd_bus_error *ret)
{
        const char *unit, *mode;
        AUTO(mem_free_p) char *line = NULL;
        struct err err = ERR_INIT;
        int r = sd_bus_message_read(m, "ss", &unit, &mode);

        (void)ctx;
        if (r < 0)
                return r;
        line = str_fmt("%s %s\n", unit, mode);
        if (!line || file_append(stopped, view_str(line), 0600, &err) < 0)
                return -EIO;
        if (strcmp(unit, "gone.service") == 0)
                return sd_bus_error_set(ret, SYSTEMD ".NoSuchUnit", "not loaded");
        if (strcmp(unit, "stubborn.service") == 0)
                return sd_bus_error_set(ret, "org.freedesktop.DBus.Error.AccessDenied", "no");
        return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static void manage(void)
{
        static const sd_bus_vtable methods[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        sd_bus *bus = NULL;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_bus_open_system(&bus) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", SYSTEMD ".Manager", methods,
                                     NULL) < 0 ||
            sd_bus_request_name(bus, SYSTEMD, 0) < 0)
                _exit(1);
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r < 0)
                        _exit(1);
                if (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0 && errno != EINTR)
                        _exit(1);
        }
}

static void run_daemon(const char *config)
{
        AUTO(mem_free_p) char *option = str_fmt("--config-file=%s", config);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (option)
                (void)execlp("dbus-daemon", "dbus-daemon", "--nofork", option, (char *)NULL);
        _exit(1);
}

static bool answers(void)
{
        struct err err = ERR_INIT;

        return unit_stop("gone.service", &err) == 0;
}

static void start_bus(void)
{
        AUTO(mem_free_p) char *config = str_fmt("%s/bus.conf", wipe_host.dir), *text = NULL, *address = NULL;
        struct err err = ERR_INIT;

        (void)snprintf(stopped, sizeof(stopped), "%s/stopped", wipe_host.dir);
        address = str_fmt("unix:path=%s/bus", wipe_host.dir);
        text = str_fmt("<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\"\n"
                       " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                       "<busconfig><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                       "<allow send_destination=\"*\"/><allow own=\"*\"/><allow receive_sender=\"*\"/>"
                       "<allow user=\"*\"/></policy></busconfig>\n",
                       address);
        assert_ok(file_write(config, view_str(text), 0600, &err), &err);
        (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
        daemon_pid = fork();
        if (daemon_pid == 0)
                run_daemon(config);
        for (int i = 0; i < 500; i++) { /* the bus, then the manager */
                AUTO(mem_free_p) char *path = str_fmt("%s/bus", wipe_host.dir);

                if (file_exists(path))
                        break;
                usleep(10000);
        }
        manager_pid = fork();
        if (manager_pid == 0)
                manage();
        for (int i = 0; !answers(); i++) {
                if (i == 500)
                        fail_msg("no bus");
                usleep(10000);
        }
        assert_int_equal(unlink(stopped), 0);
}

static void end(pid_t *pid)
{
        if (*pid > 0) {
                (void)kill(*pid, SIGKILL);
                (void)waitpid(*pid, NULL, 0);
        }
        *pid = 0;
}

static int setup(void **state)
{
        (void)wipe_host_setup(state);
        start_bus();
        return 0;
}

static int teardown(void **state)
{
        end(&manager_pid);
        end(&daemon_pid);
        return wipe_host_teardown(state);
}

static void asked_for(const char *wanted)
{
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read(stopped, 4096, &text, &err), &err);
        assert_view(VIEW_BUF(&text), wanted);
}

/* ---- tests ---- */

static void asks_systemd(void **state)
{
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(unit_stop("shop@1.service", &err), &err);
        assert_ok(unit_stop("gone.service", &err), &err); /* not loaded: nothing to stop */
        assert_err(unit_stop("stubborn.service", &err), ERR_IO, &err, "stubborn.service");
        asked_for("shop@1.service replace\ngone.service replace\nstubborn.service replace\n");
        err_clear(&err);
        end(&manager_pid);
        assert_err(unit_stop("shop@1.service", &err), ERR_IO, &err, "shop@1.service");
        err_clear(&err);
        end(&daemon_pid);
        assert_err(unit_stop("shop@1.service", &err), ERR_IO, &err, "shop@1.service");
}

static void copied(struct half *h, const char *unit, const char *secret, uint32_t uid)
{
        struct secrets_copy copy = {.uid = uid, .at_ms = 1796126400000, .lease_s = 60, .revocable = true};
        struct err err = ERR_INIT;

        (void)snprintf(copy.unit, sizeof(copy.unit), "%s", unit);
        (void)snprintf(copy.secret, sizeof(copy.secret), "%s", secret);
        assert_ok(secrets_note_copy(h->secrets, &copy, &err), &err);
}

/* A wipe stops each unit once, one that cannot be stopped stops no other, and the proof names every copy. */
static void a_wipe_stops_what_has_copies(void **state)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *jws = NULL;
        struct wipe_proof *p = NULL;
        struct err err = ERR_INIT;
        struct half *h = wipe_host_start();

        (void)state;
        copied(h, "stubborn.service", "db", 0);
        copied(h, "shop.service", "db", 1000);
        copied(h, "shop.service", "mail", 1000);
        copied(h, "", "db", 1001);
        jws = wipe_host_order(h, "destroy", 2);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        asked_for("stubborn.service replace\nshop.service replace\n");
        assert_true(wipe_host_judge(h, VIEW_BUF(&out), HOST "/2"));
        assert_ok(wipe_proof_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p->copied_out.n, 4);
        assert_string_equal(p->copied_out.v[1].what, "shop.service");
        assert_string_equal(p->copied_out.v[2].secret, "mail");
        assert_string_equal(p->copied_out.v[3].what, "uid 1001");
        wipe_proof_free(p);

        /* told again, nothing is stopped again; the list stays in the proof */
        h = wipe_host_restart(h);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        asked_for("stubborn.service replace\nshop.service replace\n");
        assert_ok(wipe_proof_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p->copied_out.n, 4);
        wipe_proof_free(p);

        /* a reinstated host begins anew */
        free(jws);
        jws = wipe_host_order(h, "reinstate", 3);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        free(jws);
        jws = wipe_host_order(h, "destroy", 4);
        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_ok(wipe_proof_decode(VIEW_BUF(&out), &p, &err), &err);
        assert_int_equal(p->copied_out.n, 0);
        wipe_proof_free(p);
        half_free(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(asks_systemd, setup, teardown),
                cmocka_unit_test_setup_teardown(a_wipe_stops_what_has_copies, setup, teardown),
        };

        if (access("/usr/bin/dbus-daemon", X_OK) < 0) {
                print_message("skipped: dbus-daemon is not installed\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
