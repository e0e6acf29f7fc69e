/* SPDX-License-Identifier: Apache-2.0 */
/* agent.yaml: what is read, and what is said about a wrong one. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/conf.h"
#include "base/file.h"

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

static int load(const char *text, struct agent_config **ret, struct err *err)
{
        assert_ok(file_write(path, view_str(text), 0600, err), err);
        return agent_config_load(path, ret, err);
}

static void reads_all(void **state)
{
        AUTO(agent_config_free_p)
        struct agent_config *c = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(load("host:\n  id: web-1\ntpm:\n  tcti: swtpm:path=/x\n  banks: [sha256, sha384]\n"
                       "verifier:\n  url: https://127.0.0.1:8881\n  ca: ca.pem\n  peer: keylime\ninterval: "
                       "2s\npull: {listen: '[::]:9002'}\n"
                       "runtimes:\n- name: a\n  path: /bin/true\n- name: b\n  path: rel/b\n  libs: all\n"
                       "  files: [/etc/x, y]\n",
                       &c, &err),
                  &err);
        assert_string_equal(c->host_id, "web-1");
        assert_string_equal(c->tpm.tcti, "swtpm:path=/x");
        assert_int_equal(c->tpm.n_banks, 2);
        assert_int_equal(c->tpm.pcr, 15);
        assert_string_equal(c->verifier.url, "https://127.0.0.1:8881");
        assert_int_equal(c->peer, AGENT_PEER_KEYLIME);
        assert_null(c->registrar.url);
        assert_int_equal(c->interval_ms, 2000);
        assert_string_equal(c->listen, "[::]:9002");
        assert_int_equal(c->n_runtimes, 2);
        assert_int_equal(c->runtimes[0].libs, AGENT_LIBS_PRIVATE);
        assert_int_equal(c->runtimes[1].libs, AGENT_LIBS_ALL);
        assert_int_equal(c->runtimes[1].n_files, 2);
        assert_true(c->runtimes[1].path[0] == '/');
}

#define LAUNCH(runtime)                                                                                      \
        "runtimes: [{name: a, path: /bin/true}]\nlaunch: {enabled: true, runtimes: [{" runtime "}]}\n"

static void reads_how_modules_are_started(void **state)
{
        AUTO(agent_config_free_p)
        struct agent_config *c = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(load(LAUNCH("name: a, template: wasmedge, env: [X=1]"), &c, &err), &err);
        assert_true(c->launch.enabled);
        assert_string_equal(c->launch.group, "avow-module");
        assert_true(str_ends(c->launch.socket, "/launch.sock"));
        assert_int_equal(c->launch.pcr, 13);
        assert_int_equal(c->launch.cache_ms, 3600000);
        assert_int_equal(c->launch.n_runtimes, 1);
        assert_ptr_equal(c->launch.runtimes[0].measured, &c->runtimes[0]);
        assert_true(c->launch.runtimes[0].named);
        assert_string_equal(c->launch.runtimes[0].argv[1], "{module}");
        assert_string_equal(c->launch.runtimes[0].env[0], "WASMEDGE_PLUGIN_PATH=");
        assert_string_equal(c->launch.runtimes[0].env[1], "X=1");
        assert_ptr_equal(launch_config_runtime(&c->launch, VIEW_NONE), &c->launch.runtimes[0]);
        assert_ptr_equal(launch_config_runtime(&c->launch, view_str("a")), &c->launch.runtimes[0]);
        assert_null(launch_config_runtime(&c->launch, view_str("b")));
}

static void says_what_is_wrong(void **state)
{
        static const struct {
                const char *text, *part;
        } wrong[] = {
                {"runtimez: []\n", "agent.yaml:1:1"},
                {"runtimez: []\n", "runtimes"},
                {"tpm:\n  ek: rsa\n", "rsa2048"},
                {"tpm:\n  pcr: 24\n", "23"},
                {"host:\n  id: \"a b\"\n", "host"},
                {"runtimes:\n- name: a\n", "path"},
                {"runtimes:\n- {name: a, path: /x}\n- {name: a, path: /y}\n", "twice"},
                {"runtimes:\n- {name: \"-a\", path: /x}\n", "no name"},
                {"interval: 30\n", "agent.yaml:1:11"},
                {"launch: {enabled: true}\n", "names no runtime"},
                {LAUNCH("name: b, argv: ['{module}']"), "none of runtimes"},
                {LAUNCH("name: a"), "there is no template"},
                {LAUNCH("name: a, template: node, argv: ['{module}']"), "not both"},
                {LAUNCH("name: a, argv: [run]"), "wanted once"},
                {LAUNCH("name: a, argv: ['{module}', '-x{args}']"), "stands alone"},
                {LAUNCH("name: a, argv: ['{module}', '{file:rel}']"), "absolute"},
                {LAUNCH("name: a, argv: ['{module}'], env: [LD_PRELOAD=/x]"), "the loader"},
                {LAUNCH("name: a, argv: ['{module}'], env: ['=x']"), "NAME=VALUE"},
                {"tpm: {pcr: 13}\n" LAUNCH("name: a, argv: ['{module}']"), "is tpm.pcr"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                struct agent_config *c = (void *)0xaa;
                struct err err = ERR_INIT;

                assert_err(load(wrong[i].text, &c, &err), ERR_CONFIG, &err, wrong[i].part);
                assert_ptr_equal(c, (void *)0xaa);
        }
}

static void a_reload_may_not_move_the_tpm(void **state)
{
        AUTO(agent_config_free_p)
        struct agent_config *a = NULL, *b = NULL, *c = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(load("interval: 2s\n", &a, &err), &err);
        assert_ok(load("interval: 3s\n", &b, &err), &err);
        assert_ok(load("tpm:\n  tcti: mssim\n", &c, &err), &err);
        assert_ok(agent_config_check_reload(a, b, &err), &err);
        assert_err(agent_config_check_reload(a, c, &err), ERR_CONFIG, &err, "tpm.tcti");
}

static int load_once(void *ctx, struct err *err)
{
        AUTO(agent_config_free_p)
        struct agent_config *c = NULL;

        (void)ctx;
        return agent_config_load(path, &c, err);
}

static void memory_runs_out(void **state)
{
        AUTO(agent_config_free_p)
        struct agent_config *c = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(load("tpm:\n  banks: [sha256]\nruntimes:\n- name: a\n  path: /x\n  files: [/y, /z]\n", &c,
                       &err),
                  &err);
        oom_each(load_once, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_all),          cmocka_unit_test(reads_how_modules_are_started),
                cmocka_unit_test(says_what_is_wrong), cmocka_unit_test(a_reload_may_not_move_the_tpm),
                cmocka_unit_test(memory_runs_out),
        };

        return cmocka_run_group_tests_name("agent/conf", tests, setup, teardown);
}
