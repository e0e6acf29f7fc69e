/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_LOG_H
#define AVOW_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * Logging for programs: to the journal with fields when the journal is our stderr, else lines on stderr
 * ("2026-11-21T19:30:48.123Z agent warning: … AVOW_HOST=web-1"). lib/ never logs above debug.
 * Control characters in messages and fields are always escaped: nobody writes a second line into our log.
 * Quote what comes from a peer (SHOW).
 *
 * The level and the target are the two allowed mutable file-scope variables.
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* At the start of main: the program's name ("agent"; borrowed, so a literal) and the first level. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* "error", "warning", "info", "debug". Return: 0; -ERR_CONFIG. */
int log_level_by_name(const char *name, enum log_level *ret, struct err *err) MUST_USE;

/* The names for conf_key.choices. */
extern const char *const log_level_names[];

/* A structured field; names are capitals, digits and '_', ours start with AVOW_. A NULL value is left out. */
struct log_field {
        const char *name, *value;
};
/* log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", id}, {"AVOW_VERDICT", "pass"}), "host %s passes",
 * SHOW(id)); */
#define LOG_FIELDS(...)                                                                                      \
        (const struct log_field[])                                                                           \
        {                                                                                                    \
                __VA_ARGS__,                                                                                 \
                {                                                                                            \
                        NULL, NULL                                                                           \
                }                                                                                            \
        }

void log_with(enum log_level level, const struct log_field *fields, const char *fmt, ...) PRINTF(3, 4);
void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warning(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);
/* An error value at the edge: "MESSAGE: TEXT" with AVOW_ERROR=kind. */
void log_err(const struct err *err, const char *fmt, ...) PRINTF(2, 3);

#endif
