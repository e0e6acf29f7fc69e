/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time and its text. Calendar arithmetic is done here, on proleptic Gregorian days, instead of with gmtime()
 * and timegm(): no global state, no time zone, no year 2038, and exact limits.
 *
 * Spec: RFC 3339 §5.6 (date-time).
 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define MS_PER_DAY 86400000LL

static int64_t clock_ms(clockid_t id)
{
        struct timespec ts = {0};

        (void)clock_gettime(id, &ts); /* fails only for a clock that Linux does not know */
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
        return clock_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
        return clock_ms(CLOCK_MONOTONIC);
}

uint64_t clock_boot_us(void)
{
        struct timespec ts = {0};

        (void)clock_gettime(CLOCK_BOOTTIME, &ts); /* as above */
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Days since 1970-01-01 of a date; years count from March so that February is the last month. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
        int64_t y = month > 2 ? year : year - 1;
        int64_t m = month > 2 ? month - 3 : month + 9;
        int64_t era = (y >= 0 ? y : y - 399) / 400;
        int64_t year_of_era = y - era * 400;
        int64_t day_of_year = (153 * m + 2) / 5 + day - 1;

        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct date {
        int64_t year, month, day;
};

static struct date date_from_days(int64_t days)
{
        int64_t z = days + 719468;
        int64_t era = (z >= 0 ? z : z - 146096) / 146097;
        int64_t doe = z - era * 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        int64_t m = (5 * doy + 2) / 153;
        struct date d = {.day = doy - (153 * m + 2) / 5 + 1, .month = m < 10 ? m + 3 : m - 9};

        d.year = yoe + era * 400 + (d.month <= 2);
        return d;
}

/* The last N digits of X, which is not negative. */
static void put_digits(char *ret, size_t n, int64_t x)
{
        while (n-- > 0) {
                ret[n] = (char)('0' + x % 10);
                x /= 10;
        }
}

char *clock_format(int64_t ms, char ret[CLOCK_TEXT_BYTES])
{
        int64_t first = days_from_date(0, 1, 1) * MS_PER_DAY;
        int64_t last = days_from_date(10000, 1, 1) * MS_PER_DAY - 1;
        int64_t days, rest;
        struct date d;

        ms = ms < first ? first : ms > last ? last : ms;
        days = ms >= 0 ? ms / MS_PER_DAY : (ms - MS_PER_DAY + 1) / MS_PER_DAY;
        rest = ms - days * MS_PER_DAY;
        d = date_from_days(days);
        memcpy(ret, "0000-00-00T00:00:00.000Z", 25);
        put_digits(ret, 4, d.year);
        put_digits(ret + 5, 2, d.month);
        put_digits(ret + 8, 2, d.day);
        put_digits(ret + 11, 2, rest / 3600000);
        put_digits(ret + 14, 2, rest / 60000 % 60);
        put_digits(ret + 17, 2, rest / 1000 % 60);
        put_digits(ret + 20, 3, rest % 1000);
        return ret;
}

/* N digits as a number of MIN to MAX. */
static bool take_number(struct cursor *c, size_t n, int64_t min, int64_t max, int64_t *ret)
{
        struct cursor at = *c;
        int64_t x = 0;
        uint8_t byte;

        for (size_t i = 0; i < n; i++) {
                if (!cursor_u8(&at, &byte) || byte < '0' || byte > '9')
                        return false;
                x = x * 10 + (byte - '0');
        }
        if (x < min || x > max)
                return false;
        *c = at;
        *ret = x;
        return true;
}

static bool take_char(struct cursor *c, const char *one_of)
{
        struct cursor at = *c;
        uint8_t byte;

        if (!cursor_u8(&at, &byte) || byte == 0 || !strchr(one_of, byte))
                return false;
        *c = at;
        return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
        static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return month == 2 && leap ? 29 : days[month - 1];
}

/* ".123…": any number of digits, cut to ms. */
static bool take_fraction(struct cursor *c, int64_t *ret_ms)
{
        int64_t digit, scale = 100;

        if (!take_char(c, "."))
                return true;
        if (!take_number(c, 1, 0, 9, &digit))
                return false;
        do {
                *ret_ms += digit * scale;
                scale /= 10;
        } while (take_number(c, 1, 0, 9, &digit));
        return true;
}

/* "Z" or "+hh:mm". */
static bool take_offset(struct cursor *c, int64_t *ret_ms)
{
        int64_t hours, minutes;
        bool east = take_char(c, "+");

        if (!east && take_char(c, "Zz"))
                return true;
        if (!east && !take_char(c, "-"))
                return false;
        if (!take_number(c, 2, 0, 23, &hours) || !take_char(c, ":") || !take_number(c, 2, 0, 59, &minutes))
                return false;
        *ret_ms = (east ? 1 : -1) * (hours * 60 + minutes) * 60000;
        return true;
}

static bool parse_time(struct view text, int64_t *ret_ms)
{
        struct cursor c = cursor_of(text);
        int64_t hour, minute, second, ms = 0, offset_ms = 0;
        struct date d;

        if (!take_number(&c, 4, 0, 9999, &d.year) || !take_char(&c, "-") ||
            !take_number(&c, 2, 1, 12, &d.month) || !take_char(&c, "-") ||
            !take_number(&c, 2, 1, days_in_month(d.year, d.month), &d.day) || !take_char(&c, "Tt") ||
            !take_number(&c, 2, 0, 23, &hour) || !take_char(&c, ":") || !take_number(&c, 2, 0, 59, &minute) ||
            !take_char(&c, ":") || !take_number(&c, 2, 0, 60, &second) || !take_fraction(&c, &ms) ||
            !take_offset(&c, &offset_ms) || c.left != 0)
                return false;
        if (second == 60) {
                second = 59;
                ms = 999;
        }
        *ret_ms = days_from_date(d.year, d.month, d.day) * MS_PER_DAY + hour * 3600000 + minute * 60000 +
                  second * 1000 + ms - offset_ms;
        return true;
}

int clock_parse(struct view text, int64_t *ret_ms, struct err *err)
{
        int64_t ms;

        if (!parse_time(text, &ms))
                return err_set(err, ERR_FORMAT, 0, "%s is not a time like 2026-01-31T12:00:00Z",
                               SHOW_VIEW(text));
        *ret_ms = ms;
        return 0;
}

struct unit {
        const char *name;
        int64_t ms;
};

static const struct unit units[] = {
        {"d", MS_PER_DAY}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

/* The unit that C stands at, starting the search at *AT; the longer name wins ("ms" before "m"). */
static const struct unit *take_unit(struct cursor *c, size_t *at)
{
        for (size_t i = ARRAY_LEN(units); i-- > *at;) {
                struct cursor try = *c;
                struct view name;

                if (cursor_take(&try, strlen(units[i].name), &name) &&
                    view_equal(name, view_str(units[i].name))) {
                        *c = try;
                        *at = i + 1;
                        return &units[i];
                }
        }
        return NULL;
}

int clock_parse_duration(struct view text, int64_t *ret_ms, struct err *err)
{
        const int64_t limit = 36525 * MS_PER_DAY;
        struct cursor c = cursor_of(text);
        int64_t total = 0, digit;
        size_t next_unit = 0;

        if (view_equal(text, view_str("0"))) {
                *ret_ms = 0;
                return 0;
        }
        do {
                const struct unit *unit;
                int64_t n, part;

                if (!take_number(&c, 1, 0, 9, &n))
                        goto wrong;
                while (take_number(&c, 1, 0, 9, &digit)) {
                        n = n * 10 + digit;
                        if (n > limit)
                                goto large;
                }
                unit = take_unit(&c, &next_unit);
                if (!unit)
                        goto wrong;
                if (__builtin_mul_overflow(n, unit->ms, &part) || part > limit - total)
                        goto large;
                total += part;
        } while (c.left);
        *ret_ms = total;
        return 0;
wrong:
        return err_set(err, ERR_FORMAT, 0, "%s is not a duration like 30s, 5m or 1h30m", SHOW_VIEW(text));
large:
        return err_set(err, ERR_LIMIT, 0, "%s is longer than 100 years", SHOW_VIEW(text));
}

char *clock_format_duration(int64_t ms, char ret[CLOCK_TEXT_BYTES])
{
        uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
        size_t len = 0;

        if (left == 0)
                return memcpy(ret, "0s", 3);
        if (ms < 0)
                ret[len++] = '-';
        for (size_t i = 0; i < ARRAY_LEN(units) && left; i++) {
                uint64_t n = left / (uint64_t)units[i].ms;
                int r;

                if (n == 0)
                        continue;
                left %= (uint64_t)units[i].ms;
                r = snprintf(ret + len, CLOCK_TEXT_BYTES - len, "%" PRIu64 "%s", n, units[i].name);
                len += r > 0 ? (size_t)r : 0;
        }
        return ret;
}
