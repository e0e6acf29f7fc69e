/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_UNIT_STOP_H
#define AVOW_AGENT_UNIT_STOP_H

#include "base/err.h"
#include "base/macro.h"

/*
 * Asks systemd to stop a unit, without waiting for its end. Return: 0, also for a unit that is not loaded
 * any more; -ERR_IO if there is no systemd to ask, or it says no.
 */
int unit_stop(const char *unit, struct err *err) MUST_USE;

#endif
