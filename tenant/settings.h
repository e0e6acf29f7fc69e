/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_SETTINGS_H
#define AVOW_TENANT_SETTINGS_H

#include "base/conf.h"
#include "tenant/command.h"

/*
 * avow.yaml: where the servers are and who we are to them. Read from -c FILE or $AVOW_CONFIG; else from
 * ~/.config/avow/config.yaml if it is there, else from avow.yaml in the system's folder. Keys: registrar.url,
 * registrar.ca, registrar.cert, registrar.key, the same of verifier, and log.level; the environment's prefix
 * is AVOW_TENANT_. --server URL stands for whichever server a command asks.
 */
struct server_settings {
        const char *url;
        const char *ca, *cert, *key; /* PEM files; NULL if not set */
};

struct settings {
        struct conf *conf; /* owns what the members point to */
        struct server_settings registrar, verifier;
};

/* Return: 0; -ERR_CONFIG with file:line:column, or when no file is found (the text says how to get one). */
int settings_load(const struct session *s, struct settings *ret, struct err *err) MUST_USE;
void settings_done(struct settings *s);

#endif
