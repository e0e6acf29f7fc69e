/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: layers, types, places in messages, reload. And the log that its log.level steers. */
#include "base/conf.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "support/support.h"

static const char *const libs[] = {"all", "private", "none", NULL};

static const struct conf_key runtime_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED},
        {.path = "path", .type = CONF_PATH},
        {.path = "libs", .type = CONF_STR, .def = "private", .choices = libs},
};

static const struct conf_key keys[] = {
        {.path = "tpm.tcti", .type = CONF_STR, .def = "device", .flags = CONF_RESTART},
        {.path = "tpm.banks", .type = CONF_LIST, .def = "sha1,sha256"},
        {.path = "interval", .type = CONF_DURATION, .def = "30s", .min = 1000, .max = 60000},
        {.path = "port", .type = CONF_INT, .min = 1, .max = 65535},
        {.path = "body", .type = CONF_SIZE, .def = "4KiB"},
        {.path = "on", .type = CONF_BOOL},
        {.path = "cert", .type = CONF_PATH},
        {.path = "roots", .type = CONF_PATHS},
        {.path = "runtimes", .type = CONF_MAPS, .item = runtime_keys, .n_item = ARRAY_LEN(runtime_keys)},
        {.path = "labels", .type = CONF_TREE, .flags = CONF_RESTART},
};
static const struct conf_schema schema = {"agent", keys, ARRAY_LEN(keys)};

static struct conf *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct conf *c = NULL;

        assert_ok(conf_parse(&schema, view_str(text), "a.yaml", &c, &err), &err);
        return c;
}

/* --- vectors --- */

static void defaults(void **state)
{
        AUTO(conf_free_p) struct conf *c = parse("");

        (void)state;
        assert_string_equal(conf_str(c, "tpm.tcti"), "device");
        assert_int_equal(conf_list(c, "tpm.banks")->n, 2);
        assert_int_equal(conf_int(c, "interval"), 30000);
        assert_int_equal(conf_int(c, "port"), 0);
        assert_int_equal(conf_int(c, "body"), 4096);
        assert_false(conf_bool(c, "on"));
        assert_null(conf_str(c, "cert"));
        assert_null(conf_tree(c, "labels"));
        assert_int_equal(conf_n_items(c, "runtimes"), 0);
        assert_false(conf_is_set(c, "interval"));
}

static void values(void **state)
{
        AUTO(conf_free_p)
        struct conf *c = parse("tpm: {tcti: swtpm, banks: [sha384]}\nport: 8881\non: true\nlabels: {a: b}\n"
                               "runtimes:\n- name: one\n- {name: two, libs: none}\n");

        (void)state;
        assert_string_equal(conf_str(c, "tpm.tcti"), "swtpm");
        assert_string_equal(conf_list(c, "tpm.banks")->items[0], "sha384");
        assert_int_equal(conf_int(c, "port"), 8881);
        assert_true(conf_bool(c, "on"));
        assert_true(conf_is_set(c, "port"));
        assert_int_equal(conf_tree(c, "labels")->n, 1);
        assert_int_equal(conf_n_items(c, "runtimes"), 2);
        assert_string_equal(conf_str(conf_item(c, "runtimes", 0), "libs"), "private");
        assert_string_equal(conf_str(conf_item(c, "runtimes", 1), "libs"), "none");
}

/* --- malformed --- */

struct refusal {
        const char *text, *part;
};

static void refused(void **state)
{
        static const struct refusal refusals[] = {
                {"intervall: 5s", "a.yaml:1:1: unknown key 'intervall'; did you mean 'interval'?"},
                {"tpm:\n  tctii: x", "a.yaml:2:3: unknown key 'tctii'; did you mean 'tpm.tcti'?"},
                {"tpm.tcti: x", "unknown key 'tpm.tcti'"},
                {"tpm: x", "a.yaml:1:6: found text, expected a map"},
                {"interval: 61s", "'61s' is not within 1s to 1m"},
                {"interval: 5", "not a duration"},
                {"port: 0", "not within 1 to 65535"},
                {"body: 4KB", "not a size"},
                {"on: yes", "found 'yes', expected true or false"},
                {"tpm: {banks: sha1}", "expected a list"},
                {"runtimes: [{path: x}]", "a.yaml:1:12: key 'name' is missing"},
                {"runtimes: [{name: x, libs: some}]", "found 'some', expected all, private or none"},
                {"runtimes: [x]", "expected a map"},
                {"cert: ''", "must not be empty"},
                {"- a", "expected a map"},
        };
        struct err err = ERR_INIT;
        struct conf *c;

        (void)state;
        POISON(c);
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
                assert_err(conf_parse(&schema, view_str(refusals[i].text), "a.yaml", &c, &err), ERR_CONFIG,
                           &err, refusals[i].part);
        assert_poisoned(c);
}

/* --- layers --- */

static void write_file(const char *dir, const char *name, const char *text)
{
        struct err err = ERR_INIT;
        char path[80];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        assert_ok(file_write(path, view_str(text), 0600, &err), &err);
}

static void layers(void **state)
{
        char *env[] = {(char[]){"AVOW_AGENT_TPM_TCTI=from env"},
                       (char[]){"AVOW_AGENT_ON=true"},
                       (char[]){"AVOW_AGENT_ROOTS=x,/y"},
                       (char[]){"AVOW_VERIFIER_Z=1"},
                       (char[]){"HOME=/"},
                       NULL};
        AUTO(conf_free_p) struct conf *c = NULL;
        struct err err = ERR_INIT;
        char dir[TMPDIR_BYTES], path[80], want[80];

        (void)state;
        tmpdir_make(dir);
        (void)snprintf(path, sizeof(path), "%s/a.yaml.d", dir);
        assert_ok(file_mkdirs(path, 0700, &err), &err);
        write_file(dir, "a.yaml",
                   "interval: 5s\nport: 1\ncert: pki/c.pem\nroots: [r, /s]\ntpm: {banks: [a, b]}\n");
        write_file(dir, "a.yaml.d/20.yaml", "port: 3\n");
        write_file(dir, "a.yaml.d/10.yaml", "port: 2\ntpm: {banks: [c]}\ninterval:\n");
        write_file(dir, "a.yaml.d/30.txt", "port: 4\n");
        (void)snprintf(path, sizeof(path), "%s/a.yaml", dir);
        assert_ok(conf_load(&schema, path, false, env, &c, &err), &err);
        assert_int_equal(conf_int(c, "port"), 3);
        assert_int_equal(conf_list(c, "tpm.banks")->n, 1);
        assert_int_equal(conf_int(c, "interval"), 30000); /* taken back to the default */
        assert_string_equal(conf_str(c, "tpm.tcti"), "from env");
        assert_true(conf_bool(c, "on"));
        (void)snprintf(want, sizeof(want), "%s/pki/c.pem", dir);
        assert_string_equal(conf_str(c, "cert"), want);
        assert_string_equal(conf_list(c, "roots")->items[0], "x");
        (void)conf_err(c, "port", &err, "is taken");
        assert_non_null(strstr(err.text, "/a.yaml.d/20.yaml:1:7: port: is taken"));
        (void)conf_err(c, "tpm.tcti", &err, "no such TPM");
        assert_string_equal(err.text, "AVOW_AGENT_TPM_TCTI: tpm.tcti: no such TPM");
        (void)conf_err(c, "body", &err, "too small");
        assert_string_equal(err.text, "default of 'body': too small");
        tmpdir_remove(dir);
}

static void wrong_environment(void **state)
{
        char *unknown[] = {(char[]){"AVOW_AGENT_TPM_TCTII=x"}, NULL},
             *map[] = {(char[]){"AVOW_AGENT_RUNTIMES=x"}, NULL},
             *bad[] = {(char[]){"AVOW_AGENT_PORT=x"}, NULL};
        struct err err = ERR_INIT;
        struct conf *c;

        (void)state;
        assert_err(conf_load(&schema, "/nonexistent/a", true, unknown, &c, &err), ERR_CONFIG, &err,
                   "did you mean AVOW_AGENT_TPM_TCTI?");
        assert_err(conf_load(&schema, "/nonexistent/a", true, map, &c, &err), ERR_CONFIG, &err,
                   "in the file only");
        assert_err(conf_load(&schema, "/nonexistent/a", true, bad, &c, &err), ERR_CONFIG, &err,
                   "AVOW_AGENT_PORT: 'x' is not a whole number");
        assert_err(conf_load(&schema, "/nonexistent/a", false, NULL, &c, &err), ERR_IO, &err,
                   "/nonexistent/a");
}

static void reload(void **state)
{
        AUTO(conf_free_p) struct conf *a = parse("tpm: {tcti: x}\nport: 1\nlabels: {a: [b]}\n");
        AUTO(conf_free_p)
        struct conf *b = parse("tpm: {tcti: x}\nport: 2\nlabels: {a: [b]}\nruntimes: [{name: n}]\n");
        AUTO(conf_free_p) struct conf *d = parse("tpm: {tcti: y}\nlabels: {a: [b]}\n");
        AUTO(conf_free_p) struct conf *e = parse("tpm: {tcti: x}\nlabels: {a: [c]}\n");
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(conf_check_reload(a, b, &err), &err);
        assert_err(conf_check_reload(a, d, &err), ERR_CONFIG, &err,
                   "a.yaml:1:13: tpm.tcti: a change of this key needs");
        assert_err(conf_check_reload(a, e, &err), ERR_CONFIG, &err, "labels");
}

/* --- out of memory --- */

static int parse_once(void *ctx, struct err *err)
{
        AUTO(conf_free_p) struct conf *c = NULL;
        char *env[] = {(char[]){"AVOW_AGENT_TPM_BANKS=x,y"}, NULL};
        const char *path = ctx;

        return conf_load(&schema, path, false, env, &c, err);
}

static void out_of_memory(void **state)
{
        char dir[TMPDIR_BYTES], path[80];

        (void)state;
        tmpdir_make(dir);
        write_file(dir, "a.yaml", "tpm: {tcti: x}\nroots: [r]\nruntimes: [{name: n, path: p}]\n");
        (void)snprintf(path, sizeof(path), "%s/a.yaml", dir);
        oom_each(parse_once, path);
        tmpdir_remove(dir);
}

/* --- the log: one line a message, whatever is in it --- */

static void log_lines(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        enum log_level level;
        char dir[TMPDIR_BYTES], path[80], *text;
        int saved = dup(STDERR_FILENO), fd;

        (void)state;
        tmpdir_make(dir);
        (void)snprintf(path, sizeof(path), "%s/log", dir);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
        log_init("agent", LOG_LEVEL_WARNING);
        log_info("not shown");
        log_warning("a\nforged line %s", "it's");
        log_with(LOG_LEVEL_ERROR, LOG_FIELDS({"AVOW_HOST", "x\n"}, {"AVOW_NONE", NULL}), "with fields");
        (void)err_set(&err, ERR_PEER, 0, "told us nonsense");
        log_err(&err, "host %d", 1);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        fd_close_p(&fd);
        fd_close_p(&saved);
        assert_ok(file_read(path, 10000, &b, &err), &err);
        text = buf_take_str(&b);
        assert_null(strstr(text, "not shown"));
        assert_non_null(strstr(text, "Z agent warning: a\\x0aforged line it's\n"));
        assert_non_null(strstr(text, "Z agent error: with fields AVOW_HOST=x\\x0a\n"));
        assert_non_null(strstr(text, "Z agent error: host 1: told us nonsense AVOW_ERROR=peer\n"));
        free(text);
        assert_ok(log_level_by_name("debug", &level, &err), &err);
        assert_int_equal(level, LOG_LEVEL_DEBUG);
        assert_err(log_level_by_name("loud", &level, &err), ERR_CONFIG, &err, "'loud'");
        tmpdir_remove(dir);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),          cmocka_unit_test(values),
                cmocka_unit_test(refused),           cmocka_unit_test(layers),
                cmocka_unit_test(wrong_environment), cmocka_unit_test(reload),
                cmocka_unit_test(out_of_memory),     cmocka_unit_test(log_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
