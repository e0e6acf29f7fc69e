/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SECRET_FILES_H
#define AVOW_AGENT_SECRET_FILES_H

#include <stdint.h>

#include "agent/conf.h"
#include "agent/handout.h"

/*
 * Secrets as files, for rows of secrets.acl that say so: secrets.dir/NAME, in memory, of the row's user, mode
 * 0400. Each is written anew at half of its lease, and removed when its lease is over without another one.
 */
struct secret_files;

int secret_files_new(struct secrets *secrets, struct handout *handout, struct secret_files **ret,
                     struct err *err) MUST_USE;
/* Removes the files too. */
void secret_files_free(struct secret_files *f);
DEFINE_AUTO(struct secret_files, secret_files_free)

/* Takes CONFIG's rows; files of rows that are gone are removed, and such as a crash left. Return: 0;
 * -ERR_NOMEM; -ERR_CONFIG if there are rows and secrets.dir is no folder in memory that only we write to;
 * -ERR_IO. */
int secret_files_configure(struct secret_files *f, const struct agent_config *config,
                           struct err *err) MUST_USE;

/* Asks for what is due, removes what is over. Return: ms until it has to be called again. */
int64_t secret_files_turn(struct secret_files *f, int64_t mono_ms);

/* The set of secrets changed: all of them are asked for again. */
void secret_files_renew(struct secret_files *f);
/* Removes all of them now. They come back when hand-outs are admitted again. */
void secret_files_drop(struct secret_files *f);

#endif
