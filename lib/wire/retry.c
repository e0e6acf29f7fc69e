/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retry-After. A server that we trust for nothing else may make us wait, but not for ever: the wait is
 * capped, because an agent that stays silent on somebody's word would become `lost` by it.
 */
#include "wire/retry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define DAY_MS INT64_C(86400000)

/* "Sun, 06 Nov 1994 08:49:37 GMT". The name of the day is not compared with the date. */
static bool http_date(const char *s, int64_t *ret_ms)
{
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct err err = ERR_INIT;
        if (strlen(s) != 29 || s[3] != ',' || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' ||
            s[19] != ':' || s[22] != ':' || strcmp(s + 25, " GMT") != 0)
                return false;
        int month = -1;
        for (int i = 0; i < 12; i++)
                if (strncmp(s + 8, months + (ptrdiff_t)i * 3, 3) == 0)
                        month = i;
        static const struct {
                size_t at, len;
                uint64_t max;
        } parts[] = {{5, 2, 31}, {12, 4, 9999}, {17, 2, 23}, {20, 2, 59}, {23, 2, 60}};
        uint64_t v[ARRAY_LEN(parts)] = {0};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
                struct view digits = VIEW(s + parts[i].at, parts[i].len);
                /* The parser of numbers takes no leading zeros, dates have them. */
                while (digits.len > 1 && digits.p[0] == '0')
                        digits = VIEW(digits.p + 1, digits.len - 1);
                if (str_parse_uint(digits, parts[i].max, &v[i], &err) < 0)
                        return false;
        }
        if (month < 0 || v[0] == 0 || v[1] < 1970)
                return false;
        struct tm tm = {
                .tm_mday = (int)v[0],
                .tm_mon = month,
                .tm_year = (int)v[1] - 1900,
                .tm_hour = (int)v[2],
                .tm_min = (int)v[3],
                .tm_sec = (int)v[4],
        };
        *ret_ms = (int64_t)timegm(&tm) * 1000;
        return true;
}

bool wire_retry_after_decode(const char *value, int64_t now_ms, int64_t *ret_wait_ms)
{
        struct err err = ERR_INIT;
        uint64_t s = 0;
        int64_t at_ms = 0, wait_ms = 0;
        if (str_parse_uint(view_str(value), (uint64_t)(INT64_MAX / 1000), &s, &err) == 0)
                wait_ms = (int64_t)s * 1000;
        else if (http_date(value, &at_ms))
                wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
        else
                return false;
        *ret_wait_ms = wait_ms > DAY_MS ? DAY_MS : wait_ms;
        return true;
}

void wire_retry_after_encode(int64_t wait_ms, char ret[static 24])
{
        int64_t s = wait_ms <= 1000 ? 1 : (wait_ms - 1) / 1000 + 1;
        (void)snprintf(ret, 24, "%lld", (long long)s); /* 19 digits at most */
}
