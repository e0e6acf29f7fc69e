/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a secret: units, users, what a cgroup says, what systemd calls itself. */
#include "support/support.h"

#include <string.h>

#include "agent/acl.h"
#include "agent/conf.h"
#include "base/file.h"
#include "base/str.h"

static char dir[TMPDIR_BYTES], path[64];

static int setup(void **state)
{
        (void)state;
        tmpdir_make(dir);
        (void)snprintf(path, sizeof(path), "%s/agent.yaml", dir);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmpdir_remove(dir);
        return 0;
}

static int load(const char *acl, struct agent_config **ret, struct err *err)
{
        char text[1024];

        (void)snprintf(text, sizeof(text), "secrets:\n  acl:\n%s", acl);
        assert_ok(file_write(path, view_str(text), 0600, err), err);
        return agent_config_load(path, ret, err);
}

static void a_unit_gets_what_its_rows_say(void **state)
{
        AUTO(agent_config_free_p) struct agent_config *c = NULL;
        struct err err = ERR_INIT;
        static const struct {
                const char *secret, *unit;
                uint32_t uid;
                bool gets;
        } cases[] = {
                {"db", "web.service", 0, true},
                {"db", "web.service", 1000, true},
                {"db", "web2.service", 0, false},
                {"db", "xweb.service", 0, false},
                {"db", "", 0, false},
                {"db2", "web.service", 0, false},
                {"key", "worker@1.service", 7, true},
                {"key", "worker@a-b.service", 7, true},
                {"key", "worker@1.service", 8, false}, /* another user of the unit */
                {"key", "worker@.service", 7, true},
                {"key", "worker@1.scope", 7, false},
                {"key", "worker.service", 7, false},
                {"key", "other@1.service", 7, false},
                {"mine", "any.service", 1000, true},
                {"mine", "", 1000, true},
                {"mine", "", 0, false}, /* root is a user like others here */
                {"one", "worker@1.service", 0, true},
                {"one", "worker@2.service", 0, false},
        };

        (void)state;
        assert_ok(load("  - {secret: db, unit: web.service}\n"
                       "  - {secret: key, unit: worker@.service, uid: 7}\n"
                       "  - {secret: mine, uid: 1000, uid_only: true}\n"
                       "  - {secret: one, unit: worker@1.service}\n",
                       &c, &err),
                  &err);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                if ((acl_find(c, cases[i].secret, cases[i].unit, cases[i].uid) != NULL) != cases[i].gets)
                        fail_msg("%s to %s as %u", cases[i].secret, cases[i].unit, cases[i].uid);
}

static void rows_that_say_too_little_are_refused(void **state)
{
        static const struct {
                const char *row, *says;
        } cases[] = {
                {"  - {secret: db}\n", "uid_only: true"},
                {"  - {secret: db, uid: 7}\n", "uid_only: true"}, /* a bare uid has to be spelt out */
                {"  - {secret: db, uid_only: true}\n", "names no uid"},
                {"  - {secret: db, unit: a.service, uid: 7, uid_only: true}\n", "not for a user alone"},
                {"  - {secret: db, unit: a.service, file: true}\n", "names no uid"},
                {"  - {secret: a/b, unit: a.service}\n", "no name of a secret"},
                {"  - {secret: db, unit: web}\n", "is no unit"},
                {"  - {secret: db, unit: \"*\"}\n", "is no unit"},
                {"  - {secret: db, unit: system.slice}\n", "is no unit"},
                {"  - {secret: db, unit: a/b.service}\n", "is no unit"},
                {"  - {unit: a.service}\n", "secret"},
        };
        struct agent_config *c = NULL;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct err err = ERR_INIT;

                assert_err(load(cases[i].row, &c, &err), ERR_CONFIG, &err, cases[i].says);
        }
}

static void a_cgroup_names_the_system_unit(void **state)
{
        static const struct {
                const char *cgroup, *unit; /* NULL: none */
        } cases[] = {
                {"0::/system.slice/web.service\n", "web.service"},
                {"0::/system.slice/web.service/worker/deep\n", "web.service"},
                {"0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"},
                {"0::/init.scope\n", "init.scope"},
                {"0::/web.service\n", "web.service"},
                /* what runs below a user's manager or in a container is that one's */
                {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
                 "user@1000.service"},
                {"0::/user.slice/user-1000.slice/session-2.scope\n", "session-2.scope"},
                {"0::/machine.slice/c1.service/system.slice/web.service\n", "c1.service"},
                /* systemd's escapes */
                {"0::/system.slice/_cpu.service\n", "cpu.service"},
                {"0::/system.slice/__x.service\n", "_x.service"},
                /* version 1: systemd's own line counts, where the unified one names nothing */
                {"12:cpu:/x.service\n1:name=systemd:/system.slice/web.service\n", "web.service"},
                {"1:name=systemd:/system.slice/web.service\n0::/\n", "web.service"},
                {"1:name=systemd:/\n0::/system.slice/web.service\n", "web.service"},
                {"12:pids:/evil.service\n0::/system.slice/web.service\n", "web.service"},
                {"0::/\n", NULL},
                {"0::/../web.service\n", NULL}, /* outside of our cgroup namespace */
                {"0::/system.slice\n", NULL},
                {"0::/system.slice/notaunit\n", NULL},
                {"0::/system.slice/we b.service\n", NULL},
                {"0::system.slice/web.service\n", NULL},
                {"0:name=systemd\n", NULL},
                {"", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                char unit[256] = "untouched";
                bool found = acl_unit_of_cgroup(view_str(cases[i].cgroup), unit);

                if (found != (cases[i].unit != NULL))
                        fail_msg("%s: %s", cases[i].cgroup, unit);
                assert_string_equal(unit, found ? cases[i].unit : "untouched");
        }
}

static void touch(struct view v, const char *what, void *ctx)
{
        char unit[256] = "", name[65] = "";

        (void)what;
        (void)ctx;
        if (acl_unit_of_cgroup(v, unit))
                assert_true(acl_valid_unit(unit));
        if (acl_credential_address(v, unit, name))
                assert_true(str_valid_name(name));
}

static void systemd_says_which_credential(void **state)
{
        static const char good[] = "0123456789abcdef/unit/worker@1.service/db-key";
        static const char *const bad[] = {
                "",
                "0123456789abcdef/unit/web.service",
                "0123456789abcdef/unit/web.service/",
                "0123456789abcdef/unit//db",
                "/unit/web.service/db",
                "0123456789abcdef0/unit/web.service/db",
                "0123456789ABCDEF/unit/web.service/db",
                "0123456789abcdef/user/web.service/db",
                "0123456789abcdef/unit/web.service/a/b",
                "0123456789abcdef/unit/web.service/../db",
                "0123456789abcdef/unit/we b.service/db",
                ("0123456789abcdef/unit/web.service/"
                 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345"),
        };
        char unit[256], name[65], long_unit[512];

        (void)state;
        assert_true(acl_credential_address(view_str(good), unit, name));
        assert_string_equal(unit, "worker@1.service");
        assert_string_equal(name, "db-key");
        /* one address in sixteen has fewer digits */
        assert_true(acl_credential_address(view_str("1f/unit/web.service/db"), unit, name));
        assert_string_equal(unit, "web.service");
        each_truncation(view_str(good), touch, NULL);
        each_bit_flip(view_str(good), touch, NULL);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (acl_credential_address(view_str(bad[i]), unit, name))
                        fail_msg("taken: %s", bad[i]);
        assert_false(acl_credential_address(VIEW("0123456789abcdef/unit/web.service/d\0b", 37), unit, name));
        (void)snprintf(long_unit, sizeof(long_unit), "0123456789abcdef/unit/%0300d.service/db", 1);
        assert_false(acl_credential_address(view_str(long_unit), unit, name));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_unit_gets_what_its_rows_say),
                cmocka_unit_test(rows_that_say_too_little_are_refused),
                cmocka_unit_test(a_cgroup_names_the_system_unit),
                cmocka_unit_test(systemd_says_which_credential),
        };

        return cmocka_run_group_tests_name("agent acl", tests, setup, teardown);
}
