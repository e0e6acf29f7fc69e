/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_INIT_H
#define AVOW_TENANT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "tenant/command.h"

/*
 * What `avow init DIR` is made of: first every file is made in memory (init_pki.c, init_config.c), then it is
 * looked whether any of them exists, then all are written (init_files.c). So it writes all or nothing that
 * was there before stays untouched.
 */

/* The options, as given. */
struct init_options {
        const char *listen, *registrar_port, *registrar_http_port, *verifier_port;
        const char *peer, *state, *host_id, *tcti, *interval, *days;
        struct option_list names, ek_roots, runtimes;
        bool dry_run;
};

/* The options, understood. Strings are borrowed from the options unless said. */
struct init_plan {
        const struct init_options *o;
        char *dir;   /* absolute */
        char *state; /* absolute */
        char *host;  /* how others reach this machine: a name or an address, for URLs */
        const char *listen;
        unsigned registrar_port, registrar_http_port, verifier_port; /* registrar_http_port 0: off */
        bool keylime;
        int64_t now_ms, days;
};

/* One file or folder that init makes. */
struct init_item {
        char *path; /* relative to the plan's dir, or absolute */
        mode_t mode;
        const char *owner; /* who gets it if init runs as root and this user exists; NULL: nobody */
        const char *what;  /* for people */
        bool folder;
        char *text;           /* what goes in, */
        struct secret secret; /* or this */
};

#define INIT_ITEMS_MAX 64

struct init_items {
        struct init_item v[INIT_ITEMS_MAX];
        size_t n;
};

/* They take TEXT and SECRET over, also on failure; TEXT NULL means out of memory. */
int init_add_text(struct init_items *items, const char *path, mode_t mode, const char *what, char *text,
                  struct err *err) MUST_USE;
int init_add_secret(struct init_items *items, const char *path, const char *owner, const char *what,
                    struct secret *secret, struct err *err) MUST_USE;
int init_add_folder(struct init_items *items, const char *path, mode_t mode, const char *owner,
                    const char *what, struct err *err) MUST_USE;
void init_items_done(struct init_items *items);

/* Return: 0; -ERR_CONFIG naming the first file that is there already. */
int init_check(const struct init_plan *p, const struct init_items *items, struct err *err) MUST_USE;
/* Writes all, durably, folders first. Return: 0; -ERR_IO. */
int init_write(const struct init_plan *p, const struct init_items *items, struct err *err) MUST_USE;

/* Keys and certificates; the four configurations. */
int init_add_pki(const struct init_plan *p, struct init_items *items, struct err *err) MUST_USE;
int init_add_configs(const struct init_plan *p, struct init_items *items, struct err *err) MUST_USE;

#endif
