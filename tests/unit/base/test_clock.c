/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations as text. Vectors: RFC 3339 §5.8, and `date -u -d @N`. */
#include "base/clock.h"

#include "support/support.h"

struct time_vector {
        const char *text;
        int64_t ms;
};

/* --- vectors --- */

static void times(void **state)
{
        static const struct time_vector vectors[] = {
                {"1970-01-01T00:00:00Z", 0},
                {"1985-04-12T23:20:50.52Z", 482196050520},
                {"1996-12-19T16:39:57-08:00", 851042397000},
                {"1990-12-31T23:59:60Z", 662687999999},
                {"1937-01-01T12:00:27.87+00:20", -1041337172130},
                {"2026-11-21T19:30:48.123456+00:00", 1795289448123},
                {"2000-02-29t00:00:00z", 951782400000},
                {"2038-01-19T03:14:08Z", 2147483648000},
                {"0000-01-01T00:00:00Z", -62167219200000},
                {"9999-12-31T23:59:59.999Z", 253402300799999},
                {"2026-11-21T19:30:48.1Z", 1795289448100},
        };
        struct err err = ERR_INIT;
        int64_t ms;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
                assert_ok(clock_parse(view_str(vectors[i].text), &ms, &err), &err);
                if (ms != vectors[i].ms)
                        fail_msg("%s gives %lld", vectors[i].text, (long long)ms);
        }
}

static void printed_times(void **state)
{
        char text[CLOCK_TEXT_BYTES];

        (void)state;
        assert_string_equal(clock_format(0, text), "1970-01-01T00:00:00.000Z");
        assert_string_equal(clock_format(-1, text), "1969-12-31T23:59:59.999Z");
        assert_string_equal(clock_format(951782400007, text), "2000-02-29T00:00:00.007Z");
        assert_string_equal(clock_format(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
        assert_string_equal(clock_format(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
}

/* Every day of 800 years prints and parses to itself. */
static void every_day(void **state)
{
        struct err err = ERR_INIT;
        char text[CLOCK_TEXT_BYTES];
        int64_t back;

        (void)state;
        for (int64_t day = -146097; day < 146097; day++) {
                int64_t ms = day * 86400000 + 43200001;

                assert_ok(clock_parse(view_str(clock_format(ms, text)), &back, &err), &err);
                assert_int_equal(back, ms);
        }
}

static void durations(void **state)
{
        static const struct time_vector vectors[] = {
                {"0", 0},
                {"0s", 0},
                {"30s", 30000},
                {"500ms", 500},
                {"5m", 300000},
                {"1h30m", 5400000},
                {"1d2h3m4s5ms", 93784005},
                {"90m", 5400000},
                {"36525d", 3155760000000},
        };
        struct err err = ERR_INIT;
        char text[CLOCK_TEXT_BYTES];
        int64_t ms;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
                assert_ok(clock_parse_duration(view_str(vectors[i].text), &ms, &err), &err);
                assert_int_equal(ms, vectors[i].ms);
        }
        assert_string_equal(clock_format_duration(93784005, text), "1d2h3m4s5ms");
        assert_string_equal(clock_format_duration(0, text), "0s");
        assert_string_equal(clock_format_duration(-1500, text), "-1s500ms");
        assert_non_null(clock_format_duration(INT64_MIN, text));
}

static void clocks_run(void **state)
{
        int64_t now = clock_now_ms(), mono = clock_mono_ms();
        uint64_t boot = clock_boot_us();

        (void)state;
        assert_true(now > 1700000000000);
        assert_true(clock_mono_ms() >= mono && clock_boot_us() >= boot);
}

/* --- limits and malformed --- */

static void malformed_times(void **state)
{
        static const char *const texts[] = {
                "",
                "2026-11-21",
                "2026-11-21 19:30:48Z",
                "2026-11-21T19:30Z",
                "2026-11-21T19:30:48",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-02-29T00:00:00Z",
                "1900-02-29T00:00:00Z",
                "2026-11-21T24:00:00Z",
                "2026-11-21T19:60:00Z",
                "2026-11-21T19:30:61Z",
                "2026-11-21T19:30:48.Z",
                "2026-11-21T19:30:48+1:00",
                "2026-11-21T19:30:48+24:00",
                "2026-11-21T19:30:48Zx",
                " 2026-11-21T19:30:48Z",
                "+026-11-21T19:30:48Z",
                "2026-11-21T19:30:48.-1Z",
                "12026-11-21T19:30:48Z",
        };
        struct err err = ERR_INIT;
        int64_t ms;

        (void)state;
        POISON(ms);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                assert_err(clock_parse(view_str(texts[i]), &ms, &err), ERR_FORMAT, &err, "is not a time");
        assert_poisoned(ms);
}

static void malformed_durations(void **state)
{
        static const char *const texts[] = {"",      "s",    "30",    "30 s", "-5s", "1.5h", "5x",
                                            "30m1h", "1s1s", "1ms1s", "30s ", "+1s", "00",   "5S"};
        static const char *const large[] = {"36526d", "99999999999999999999s", "3155760000001ms",
                                            "36525d1ms"};
        struct err err = ERR_INIT;
        int64_t ms;

        (void)state;
        POISON(ms);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                assert_err(clock_parse_duration(view_str(texts[i]), &ms, &err), ERR_FORMAT, &err,
                           "not a duration");
        for (size_t i = 0; i < ARRAY_LEN(large); i++)
                assert_err(clock_parse_duration(view_str(large[i]), &ms, &err), ERR_LIMIT, &err, NULL);
        assert_poisoned(ms);
}

static void any_answer(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        int64_t ms;

        (void)what;
        (void)ctx;
        (void)!clock_parse(bytes, &ms, &err);
        (void)!clock_parse_duration(bytes, &ms, &err);
}

static void changed(void **state)
{
        (void)state;
        each_truncation(view_str("2026-11-21T19:30:48.123456+00:00"), any_answer, NULL);
        each_bit_flip(view_str("2026-11-21T19:30:48.123456+00:00"), any_answer, NULL);
        each_truncation(view_str("1d2h3m4s5ms"), any_answer, NULL);
        each_bit_flip(view_str("1d2h3m4s5ms"), any_answer, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(times),
                cmocka_unit_test(printed_times),
                cmocka_unit_test(every_day),
                cmocka_unit_test(durations),
                cmocka_unit_test(clocks_run),
                cmocka_unit_test(malformed_times),
                cmocka_unit_test(malformed_durations),
                cmocka_unit_test(changed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
