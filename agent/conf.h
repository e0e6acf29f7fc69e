/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_CONF_H
#define AVOW_AGENT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf_launch.h"
#include "base/closure.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * agent.yaml, read into one struct. Strings are owned, never NULL unless said so. avow-agent(8) is the
 * reference; conf.c holds the table of keys.
 */
struct conf;

enum agent_peer {
        AGENT_PEER_AVOW,
        AGENT_PEER_KEYLIME,
};

/* One row of secrets.acl. */
struct agent_acl {
        char *secret;
        char *unit; /* NULL: uid_only */
        bool has_uid;
        uint32_t uid;
        bool uid_only; /* whatever the unit */
        bool file;     /* also kept as a file in secrets_dir, which that user may read */
};

struct agent_config {
        char *host_id;   /* "uuid", "hash_ek" or the name itself */
        char *state_dir; /* /var/lib/avow/agent */
        int log_level;   /* enum log_level */
        struct {
                char *tcti;
                char *ek; /* "auto" or a name of tpm_ek_type */
                char *ak; /* "auto" or a name of tpm_ak_type */
                char **banks;
                size_t n_banks; /* 0: every active bank */
                unsigned pcr;
                char *owner_auth; /* file with the password of the owner hierarchy, or NULL: none */
        } tpm;
        struct {
                char *url; /* NULL: no registrar; the agent measures and waits */
                char *ca;  /* PEM file, NULL: the system's */
        } registrar, verifier;
        enum agent_peer peer;     /* what the verifier is */
        char *listen;             /* pull.listen: "ADDRESS:PORT", or NULL: no listener */
        char *ima_log, *uefi_log; /* files in securityfs, or NULL: not shown */
        struct {
                char *tsm, *sev_guest, *attestation; /* NULL: not asked */
                unsigned privlevel;                  /* VMPL, at least; the kernel's floor counts */
                bool svsm;                           /* the SVSM below this guest reports */
        } tee;
        int64_t interval_ms;
        int64_t rescan_ms;                       /* watch.rescan */
        char *run_dir;                           /* /run/avow: the sockets */
        char *verifier_keys;                     /* JWKS file, or NULL: pinned at the first login */
        char *hooks_dir;                         /* on_revocation.dir */
        int64_t hook_timeout_ms, fail_closed_ms; /* 0: never */
        char *secrets_dir;                       /* /run/avow/secrets: files, in memory */
        char **owners; /* PEM files of keys that secrets here may belong to; none: anybody's */
        size_t n_owners;
        struct agent_acl *acl;
        size_t n_acl;
        struct agent_runtime *runtimes;
        size_t n_runtimes;
        struct launch_config launch;
        struct conf *conf; /* what it was read from */
};

/* Reads FILE, the files FILE.d/NAME.yaml and AVOW_AGENT_* from the environment. Return: 0; -ERR_CONFIG with
 * file:line:column. */
int agent_config_load(const char *file, struct agent_config **ret, struct err *err) MUST_USE;
void agent_config_free(struct agent_config *config);
DEFINE_AUTO(struct agent_config, agent_config_free)

/* May the running agent take WANTED? Return: 0; -ERR_CONFIG naming the first changed key that needs a
 * restart. */
int agent_config_check_reload(const struct agent_config *running, const struct agent_config *wanted,
                              struct err *err) MUST_USE;

#endif
