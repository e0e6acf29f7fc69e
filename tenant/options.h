/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_OPTIONS_H
#define AVOW_TENANT_OPTIONS_H

#include "base/err.h"
#include "tenant/command.h"

/*
 * Reads `--name value`, `--name=value`, `--flag` and `--` from ARGV[0..ARGC) into VALUES (offsets of the
 * rows; zeroed by the caller) and moves what is no option to the front of ARGV. Options may stand anywhere
 * before `--`. Return: the number of arguments left at the front of ARGV, or < 0 (ERR_CONFIG) for an unknown
 * option (with the nearest known one), a missing or a superfluous value, or more than OPTION_LIST_MAX values.
 */
int options_read(const struct option_row *rows, int argc, char **argv, void *values,
                 struct err *err) MUST_USE;

#endif
