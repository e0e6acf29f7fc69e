/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging. In a service stderr is the journal (systemd says so in JOURNAL_STREAM): then each message goes
 * there with its fields, so that `journalctl AVOW_HOST=web-1` works. Anywhere else it is one line on stderr,
 * written at once, so lines of threads and processes do not mix. Nothing in a message can start a second
 * line.
 *
 * Spec: systemd.journal-fields(7), systemd.exec(5) $JOURNAL_STREAM.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/uio.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

/* Set once in main, before there are threads; the level also at a reload. */
static const char *log_program = "avow";
static bool log_to_journal;
static atomic_int log_max = LOG_LEVEL_INFO;

/* Is stderr the journal's stream? */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char ours[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void)snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev,
                       (unsigned long long)st.st_ino);
        return str_equal(stream, ours);
}

void log_init(const char *program, enum log_level level)
{
        log_program = program;
        log_to_journal = stderr_is_journal();
        log_set_level(level);
}

void log_set_level(enum log_level level)
{
        atomic_store(&log_max, (int)level);
}

bool log_enabled(enum log_level level)
{
        return (int)level <= atomic_load(&log_max);
}

int log_level_by_name(const char *name, enum log_level *ret, struct err *err)
{
        for (size_t i = 0; log_level_names[i]; i++) {
                if (str_equal(name, log_level_names[i])) {
                        *ret = (enum log_level)i;
                        return 0;
                }
        }
        return err_set(err, ERR_CONFIG, 0, "log level %s is none of error, warning, info, debug", SHOW(name));
}

#define FIELDS_LIMIT 32

/* One "NAME=value" for the journal, made printable. */
static void add_field(struct buf *fields, size_t *n, const char *name, const char *value)
{
        struct buf *b = &fields[*n];

        buf_fmt(b, "%s=", name);
        buf_printable(b, view_str(value));
        if (buf_ok(b))
                (*n)++;
        else
                buf_free(b);
}

static void send_journal(enum log_level level, const struct log_field *extra, const char *text)
{
        static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
        struct buf fields[FIELDS_LIMIT] = {0};
        struct iovec iov[FIELDS_LIMIT];
        char priority[2] = {(char)('0' + priorities[level]), '\0'};
        size_t n = 0;

        add_field(fields, &n, "MESSAGE", text);
        add_field(fields, &n, "PRIORITY", priority);
        add_field(fields, &n, "SYSLOG_IDENTIFIER", program_invocation_short_name);
        for (; extra && extra->name && n < FIELDS_LIMIT; extra++) {
                if (extra->value)
                        add_field(fields, &n, extra->name, extra->value);
        }
        for (size_t i = 0; i < n; i++)
                iov[i] = (struct iovec){fields[i].p, fields[i].len};
        (void)sd_journal_sendv(iov, (int)n); /* nowhere left to complain */
        for (size_t i = 0; i < n; i++)
                buf_free(&fields[i]);
}

static void send_stderr(enum log_level level, const struct log_field *extra, const char *text)
{
        AUTO(buf_free)
        struct buf b = {0};
        char now[CLOCK_TEXT_BYTES];

        buf_fmt(&b, "%s %s %s: ", clock_format(clock_now_ms(), now), log_program, log_level_names[level]);
        buf_printable(&b, view_str(text));
        for (; extra && extra->name; extra++) {
                if (!extra->value)
                        continue;
                buf_fmt(&b, " %s=", extra->name);
                buf_printable(&b, view_str(extra->value));
        }
        buf_str(&b, "\n");
        if (buf_ok(&b) && write(STDERR_FILENO, b.p, b.len) < 0)
                return; /* as above */
}

PRINTF(3, 0)
static void send_text(enum log_level level, const struct log_field *fields, const char *fmt, va_list ap)
{
        char text[2048];

        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                return;
        if (log_to_journal)
                send_journal(level, fields, text);
        else
                send_stderr(level, fields, text);
}

void log_with(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
        va_list ap;

        if (!log_enabled(level))
                return;
        va_start(ap, fmt);
        send_text(level, fields, fmt, ap);
        va_end(ap);
}

#define DEFINE_LOG(name, level)                                                                              \
        void name(const char *fmt, ...)                                                                      \
        {                                                                                                    \
                va_list ap;                                                                                  \
                                                                                                             \
                if (!log_enabled(level))                                                                     \
                        return;                                                                              \
                va_start(ap, fmt);                                                                           \
                send_text(level, NULL, fmt, ap);                                                             \
                va_end(ap);                                                                                  \
        }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

void log_err(const struct err *err, const char *fmt, ...)
{
        char what[ERR_TEXT_BYTES];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
                what[0] = '\0';
        va_end(ap);
        log_with(LOG_LEVEL_ERROR, LOG_FIELDS({"AVOW_ERROR", err_kind_name(err->kind)}), "%s: %s", what,
                 err->text);
}
