/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_WATCH_H
#define AVOW_AGENT_WATCH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/*
 * Notices of changed files (inotify): on each file, for writing, and on its folder, for replacing. A notice
 * only says "look": what changed is found out by looking, so a lost notice costs time (watch.rescan), never a
 * measurement.
 */
struct watch;

int watch_new(struct watch **ret, struct err *err) MUST_USE;
void watch_free(struct watch *w);
DEFINE_AUTO(struct watch, watch_free)

/* To poll for reading. */
int watch_fd(const struct watch *w);
/* Watches PATHS, and nothing that was watched before and is not among them. Return: how many could not be
 * watched (the rescan finds their changes). */
unsigned watch_set(struct watch *w, const struct strv *paths);
/* Takes all notices that are there. Return: true if there was one. */
bool watch_drain(struct watch *w);

#endif
