/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.yaml: the table of keys, and the struct that the rest of the agent reads. What a table cannot say (a
 * runtime's name is used once, its path is absolute) is checked here, with the place in the file.
 */
#include "agent/conf.h"

#include <string.h>

#include "agent/acl.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

extern char **environ;

static const char *const ek_names[] = {"auto", "rsa2048", "p256", "p384", NULL};
static const char *const ak_names[] = {"auto", "p256", "rsa2048", NULL};
static const char *const libs_names[] = {"private", "all", "none", NULL};
static const char *const module_names[] = {"descriptor", "name", NULL};
static const char *const peer_names[] = {"avow", "keylime", NULL};

static const struct conf_key runtime_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "its name in policies"},
        {.path = "path", .type = CONF_PATH, .flags = CONF_REQUIRED, .help = "the executable"},
        {.path = "libs",
         .type = CONF_STR,
         .def = "private",
         .choices = libs_names,
         .help = "shared objects: all, private (without the C and C++ run-time libraries), none"},
        {.path = "files", .type = CONF_PATHS, .help = "further files that belong to it"},
};

static const struct conf_key acl_keys[] = {
        {.path = "secret", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "its name"},
        {.path = "unit", .type = CONF_STR, .help = "the systemd unit that gets it"},
        {.path = "uid", .type = CONF_INT, .max = 4294967294, .help = "and only as this user"},
        {.path = "uid_only", .type = CONF_BOOL, .def = "false", .help = "whatever the unit"},
        {.path = "file", .type = CONF_BOOL, .def = "false", .help = "also as a file of that user"},
};

static const struct conf_key launch_runtime_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "one of runtimes"},
        {.path = "template", .type = CONF_STR, .help = "a command line that is known; default: name's"},
        {.path = "argv", .type = CONF_LIST, .help = "instead of a template: its arguments"},
        {.path = "env", .type = CONF_LIST, .help = "NAME=VALUE; beside its template's, all that it gets"},
        {.path = "module", .type = CONF_STR, .choices = module_names, .help = "what {module} is"},
};

static const struct conf_key keys[] = {
        {.path = "host.id",
         .type = CONF_STR,
         .def = "uuid",
         .flags = CONF_RESTART,
         .help = "uuid (made once), hash_ek, or the name itself"},
        {.path = "state.dir", .type = CONF_PATH, .def = AVOW_STATEDIR "/agent", .flags = CONF_RESTART},
        {.path = "log.level", .type = CONF_STR, .def = "info", .choices = log_level_names},
        {.path = "tpm.tcti",
         .type = CONF_STR,
         .def = "device:/dev/tpmrm0",
         .flags = CONF_RESTART,
         .help = "how the TPM is reached"},
        {.path = "tpm.ek", .type = CONF_STR, .def = "auto", .choices = ek_names, .flags = CONF_RESTART},
        {.path = "tpm.ak", .type = CONF_STR, .def = "auto", .choices = ak_names, .flags = CONF_RESTART},
        {.path = "tpm.banks",
         .type = CONF_LIST,
         .flags = CONF_RESTART,
         .help = "PCR banks to extend; default: every active one"},
        {.path = "tpm.pcr", .type = CONF_INT, .def = "15", .max = 23, .flags = CONF_RESTART},
        {.path = "tpm.owner_auth",
         .type = CONF_PATH,
         .flags = CONF_RESTART,
         .help = "file with the password of the TPM's owner hierarchy, for defining the counters"},
        {.path = "registrar.url", .type = CONF_STR},
        {.path = "registrar.ca", .type = CONF_PATH},
        {.path = "verifier.url", .type = CONF_STR},
        {.path = "verifier.ca", .type = CONF_PATH},
        {.path = "verifier.keys",
         .type = CONF_PATH,
         .help = "its public keys (JWKS); without it they are pinned at the first login"},
        {.path = "verifier.peer",
         .type = CONF_STR,
         .def = "avow",
         .choices = peer_names,
         .flags = CONF_RESTART},
        {.path = "pull.listen",
         .type = CONF_STR,
         .help = "address and port of its own listener, for revocations; default: none"},
        {.path = "logs.ima",
         .type = CONF_STR,
         .def = "/sys/kernel/security/ima/binary_runtime_measurements",
         .flags = CONF_RESTART,
         .help = "the kernel's measurement list in its binary form, or none"},
        {.path = "logs.uefi",
         .type = CONF_STR,
         .def = "/sys/kernel/security/tpm0/binary_bios_measurements",
         .flags = CONF_RESTART,
         .help = "the firmware's event log, or none"},
        {.path = "tee.tsm",
         .type = CONF_STR,
         .def = "/sys/kernel/config/tsm/report",
         .flags = CONF_RESTART,
         .help = "configfs-tsm, for evidence of the processor (SEV-SNP, TDX), or none"},
        {.path = "tee.sev_guest",
         .type = CONF_STR,
         .def = "/dev/sev-guest",
         .flags = CONF_RESTART,
         .help = "device for SEV-SNP reports, where there is no configfs-tsm, or none"},
        {.path = "tee.attestation",
         .type = CONF_STR,
         .def = "/dev/attestation",
         .flags = CONF_RESTART,
         .help = "folder in which a library OS shows SGX quotes, or none"},
        {.path = "tee.svsm",
         .type = CONF_BOOL,
         .def = "false",
         .flags = CONF_RESTART,
         .help = "configfs-tsm: let the SVSM below this guest report, which names its virtual TPM"},
        {.path = "tee.privlevel",
         .type = CONF_INT,
         .def = "0",
         .max = 3,
         .flags = CONF_RESTART,
         .help = "privilege level (VMPL) to ask for; the kernel's floor where that is higher"},
        {.path = "interval", .type = CONF_DURATION, .def = "30s", .min = 500, .max = 86400000},
        {.path = "watch.rescan",
         .type = CONF_DURATION,
         .def = "10m",
         .min = 1000,
         .max = 7 * 86400000LL,
         .help = "how often every measured file is read again, beside the notices of the kernel"},
        {.path = "fail_closed_after",
         .type = CONF_DURATION,
         .def = "1h",
         .max = 30 * 86400000LL,
         .help = "no hand-outs after this long without the verifier; 0s: never"},
        {.path = "on_revocation.dir",
         .type = CONF_PATH,
         .def = AVOW_SYSCONFDIR "/on-revocation.d",
         .flags = CONF_RESTART},
        {.path = "on_revocation.timeout", .type = CONF_DURATION, .def = "30s", .min = 100, .max = 3600000},
        {.path = "run.dir", .type = CONF_PATH, .def = AVOW_RUNDIR "", .flags = CONF_RESTART},
        {.path = "secrets.dir", .type = CONF_PATH, .def = AVOW_RUNDIR "/secrets", .flags = CONF_RESTART},
        {.path = "secrets.owners", .type = CONF_PATHS},
        {.path = "secrets.acl", .type = CONF_MAPS, .item = acl_keys, .n_item = ARRAY_LEN(acl_keys)},
        {.path = "runtimes", .type = CONF_MAPS, .item = runtime_keys, .n_item = ARRAY_LEN(runtime_keys)},
        {.path = "launch.enabled", .type = CONF_BOOL, .def = "false", .flags = CONF_RESTART},
        {.path = "launch.socket", .type = CONF_PATH, .flags = CONF_RESTART},
        {.path = "launch.group", .type = CONF_STR, .def = "avow-module", .flags = CONF_RESTART},
        {.path = "launch.pcr", .type = CONF_INT, .def = "13", .min = 8, .max = 15, .flags = CONF_RESTART},
        {.path = "launch.module_max", .type = CONF_SIZE, .def = "64MiB", .min = 8, .max = 268435456},
        {.path = "launch.start_timeout", .type = CONF_DURATION, .def = "30s", .min = 1000, .max = 600000},
        {.path = "launch.permits.cache",
         .type = CONF_DURATION,
         .def = "1h",
         .max = 7 * 86400000LL,
         .help = "how long a permit serves again while no verifier answers, if its policy allows that at "
                 "all"},
        {.path = "launch.runtimes",
         .type = CONF_MAPS,
         .item = launch_runtime_keys,
         .n_item = ARRAY_LEN(launch_runtime_keys)},
};

static const struct conf_schema schema = {"agent", keys, ARRAY_LEN(keys)};

static int copy(const char *s, char **ret, struct err *err)
{
        if (s && !(*ret = str_dup(s)))
                return err_nomem(err);
        return 0;
}

static int copy_list(const struct strv *list, char ***ret, size_t *ret_n, struct err *err)
{
        if (list->n == 0)
                return 0;
        *ret = mem_zalloc(list->n, sizeof(**ret));
        if (!*ret)
                return err_nomem(err);
        for (size_t i = 0; i < list->n; i++) {
                (*ret)[i] = str_dup(list->items[i]);
                if (!(*ret)[i])
                        return err_nomem(err);
                (*ret_n)++;
        }
        return 0;
}

static void free_list(char **list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i]);
        free(list);
}

static size_t index_of(const char *const *names, const char *name)
{
        size_t i = 0;

        while (names[i] && !str_equal(names[i], name))
                i++;
        return i;
}

static int read_runtime(const struct conf *c, struct agent_runtime *rt, struct err *err)
{
        int r;

        if (!str_valid_name(conf_str(c, "name")))
                return conf_err(
                        c, "name", err,
                        "%s is no name: letters, digits, '.', '_', '-', at most 64, not starting with a sign",
                        SHOW(conf_str(c, "name")));
        r = copy(conf_str(c, "name"), &rt->name, err);
        if (r >= 0)
                r = copy(conf_str(c, "path"), &rt->path, err);
        if (r >= 0)
                r = copy_list(conf_list(c, "files"), &rt->files, &rt->n_files, err);
        rt->libs = (enum agent_libs)index_of(libs_names, conf_str(c, "libs"));
        return r;
}

static int read_runtimes(const struct conf *c, struct agent_config *config, struct err *err)
{
        size_t n = conf_n_items(c, "runtimes");
        int r;

        config->runtimes = mem_zalloc(n, sizeof(*config->runtimes));
        if (!config->runtimes)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                const struct conf *item = conf_item(c, "runtimes", i);

                config->n_runtimes = i + 1;
                r = read_runtime(item, &config->runtimes[i], err);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < i; k++)
                        if (str_equal(config->runtimes[k].name, config->runtimes[i].name))
                                return conf_err(item, "name", err, "runtime %s is there twice",
                                                SHOW(config->runtimes[i].name));
        }
        return 0;
}

/* Who may have a secret: a unit, perhaps only as one user; or a user alone, if that is spelt out (SR-25). */
static int check_acl(const struct conf *c, const struct agent_acl *acl, struct err *err)
{
        if (!str_valid_name(acl->secret))
                return conf_err(c, "secret", err, "%s is no name of a secret", SHOW(acl->secret));
        if (acl->unit && !acl_valid_unit(acl->unit))
                return conf_err(c, "unit", err,
                                "%s is no unit: a whole name is expected (web.service, worker@.service)",
                                SHOW(acl->unit));
        if (acl->uid_only && acl->unit)
                return conf_err(c, "uid_only", err, "a row with a unit is not for a user alone");
        if (acl->uid_only && !acl->has_uid)
                return conf_err(c, "uid_only", err, "the row names no uid");
        if (!acl->uid_only && !acl->unit)
                return conf_err(c, "secret", err,
                                "a row names a unit; for a user whatever the unit, say so: uid_only: true");
        if (acl->file && !acl->has_uid)
                return conf_err(c, "file", err, "a file belongs to a user: the row names no uid");
        return 0;
}

static int read_acl(const struct conf *c, struct agent_config *config, struct err *err)
{
        size_t n = conf_n_items(c, "secrets.acl");
        int r = 0;

        config->acl = mem_zalloc(n, sizeof(*config->acl));
        if (!config->acl)
                return err_nomem(err);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const struct conf *item = conf_item(c, "secrets.acl", i);
                struct agent_acl *acl = &config->acl[config->n_acl++];

                acl->has_uid = conf_is_set(item, "uid");
                acl->uid = (uint32_t)conf_int(item, "uid");
                acl->uid_only = conf_bool(item, "uid_only");
                acl->file = conf_bool(item, "file");
                r = copy(conf_str(item, "secret"), &acl->secret, err);
                if (r >= 0)
                        r = copy(conf_str(item, "unit"), &acl->unit, err);
                if (r >= 0)
                        r = check_acl(item, acl, err);
        }
        return r;
}

static int check_host_id(const struct conf *c, struct err *err)
{
        if (str_valid_host_id(conf_str(c, "host.id")))
                return 0;
        return conf_err(c, "host.id", err,
                        "%s is no host name: 1 to 80 letters, digits, '.', '_', '-' (or uuid, or hash_ek)",
                        SHOW(conf_str(c, "host.id")));
}

/* A file of the kernel's, or NULL for "none". */
static int read_log(const struct conf *c, const char *key, char **ret, struct err *err)
{
        const char *path = conf_str(c, key);

        if (str_equal(path, "none"))
                return 0;
        if (path[0] != '/')
                return conf_err(c, key, err, "expected an absolute path, or none");
        return copy(path, ret, err);
}

static int read_all(const struct conf *c, struct agent_config *config, struct err *err)
{
        const struct {
                const char *path;
                char **to;
        } strings[] = {
                {"host.id", &config->host_id},
                {"state.dir", &config->state_dir},
                {"tpm.tcti", &config->tpm.tcti},
                {"tpm.ek", &config->tpm.ek},
                {"tpm.ak", &config->tpm.ak},
                {"tpm.owner_auth", &config->tpm.owner_auth},
                {"registrar.url", &config->registrar.url},
                {"registrar.ca", &config->registrar.ca},
                {"verifier.url", &config->verifier.url},
                {"verifier.ca", &config->verifier.ca},
                {"run.dir", &config->run_dir},
                {"pull.listen", &config->listen},
                {"verifier.keys", &config->verifier_keys},
                {"on_revocation.dir", &config->hooks_dir},
                {"secrets.dir", &config->secrets_dir},
        };
        enum log_level level;
        int r = check_host_id(c, err);

        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(strings); i++)
                r = copy(conf_str(c, strings[i].path), strings[i].to, err);
        if (r >= 0)
                r = copy_list(conf_list(c, "tpm.banks"), &config->tpm.banks, &config->tpm.n_banks, err);
        if (r >= 0)
                r = copy_list(conf_list(c, "secrets.owners"), &config->owners, &config->n_owners, err);
        if (r >= 0)
                r = read_log(c, "logs.ima", &config->ima_log, err);
        if (r >= 0)
                r = read_log(c, "logs.uefi", &config->uefi_log, err);
        if (r >= 0)
                r = read_log(c, "tee.tsm", &config->tee.tsm, err);
        if (r >= 0)
                r = read_log(c, "tee.sev_guest", &config->tee.sev_guest, err);
        if (r >= 0)
                r = read_log(c, "tee.attestation", &config->tee.attestation, err);
        if (r >= 0)
                r = log_level_by_name(conf_str(c, "log.level"), &level, err);
        if (r < 0)
                return r;
        config->log_level = (int)level;
        config->tpm.pcr = (unsigned)conf_int(c, "tpm.pcr");
        config->tee.svsm = conf_bool(c, "tee.svsm");
        config->tee.privlevel = (unsigned)conf_int(c, "tee.privlevel");
        config->peer = (enum agent_peer)index_of(peer_names, conf_str(c, "verifier.peer"));
        config->interval_ms = conf_int(c, "interval");
        config->rescan_ms = conf_int(c, "watch.rescan");
        config->hook_timeout_ms = conf_int(c, "on_revocation.timeout");
        config->fail_closed_ms = conf_int(c, "fail_closed_after");
        r = read_acl(c, config, err);
        if (r >= 0)
                r = read_runtimes(c, config, err);
        return r < 0 ? r
                     : launch_config_read(c, config->runtimes, config->n_runtimes, config->run_dir,
                                          config->tpm.pcr, &config->launch, err);
}

int agent_config_load(const char *file, struct agent_config **ret, struct err *err)
{
        AUTO(agent_config_free_p)
        struct agent_config *config = mem_zalloc(1, sizeof(*config));
        int r;

        if (!config)
                return err_nomem(err);
        r = conf_load(&schema, file, false, environ, &config->conf, err);
        if (r >= 0)
                r = read_all(config->conf, config, err);
        if (r < 0)
                return r;
        *ret = TAKE(config);
        return 0;
}

void agent_config_free(struct agent_config *config)
{
        if (!config)
                return;
        launch_config_done(&config->launch);
        for (size_t i = 0; i < config->n_runtimes; i++) {
                free(config->runtimes[i].name);
                free(config->runtimes[i].path);
                free_list(config->runtimes[i].files, config->runtimes[i].n_files);
        }
        free(config->runtimes);
        for (size_t i = 0; i < config->n_acl; i++) {
                free(config->acl[i].secret);
                free(config->acl[i].unit);
        }
        free(config->acl);
        free_list(config->owners, config->n_owners);
        free(config->run_dir);
        free(config->listen);
        free(config->verifier_keys);
        free(config->hooks_dir);
        free(config->secrets_dir);
        free(config->ima_log);
        free(config->uefi_log);
        free(config->tee.tsm);
        free(config->tee.sev_guest);
        free(config->tee.attestation);
        free_list(config->tpm.banks, config->tpm.n_banks);
        free(config->host_id);
        free(config->state_dir);
        free(config->tpm.tcti);
        free(config->tpm.ek);
        free(config->tpm.ak);
        free(config->tpm.owner_auth);
        free(config->registrar.url);
        free(config->registrar.ca);
        free(config->verifier.url);
        free(config->verifier.ca);
        conf_free(config->conf);
        free(config);
}

int agent_config_check_reload(const struct agent_config *running, const struct agent_config *wanted,
                              struct err *err)
{
        return conf_check_reload(running->conf, wanted->conf, err);
}
