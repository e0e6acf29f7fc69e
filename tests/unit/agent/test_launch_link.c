/* SPDX-License-Identifier: Apache-2.0 */
/* The language between launcher and TPM half: every message there and back, every truncation, its limits. */
#include "support/support.h"

#include "agent/launch_link.h"
#include "base/macro.h"
#include "base/str.h"

static const uint8_t bytes[64] = {1, 2, 3, 4, 5};

#define MESSAGE(name, ...)                                                                                   \
        static void put_##name(struct buf *b)                                                                \
        {                                                                                                    \
                launch_link_##name##_put(b, &(struct launch_link_##name)__VA_ARGS__);                        \
        }                                                                                                    \
        static int get_##name(struct view v, struct err *err)                                                \
        {                                                                                                    \
                struct launch_link_##name m;                                                                 \
                                                                                                             \
                return launch_link_##name##_get(v, &m, err);                                                 \
        }

MESSAGE(ready, {view_str("web-1"), 13})
MESSAGE(begin, {view_str("{}"), view_str("e30.e30.AA"), VIEW(bytes, 9), VIEW(bytes, 7)})
MESSAGE(granted, {view_str("e30.e30.AA"), true, 60000})
MESSAGE(refused, {LAUNCH_WHY_UNAVAILABLE, view_str("no"), view_str("module"), view_str("avow status")})
MESSAGE(mapped, {view_str("00  /bin/true\n"), VIEW_NONE})
MESSAGE(opened, {60, VIEW(bytes, 20)})
MESSAGE(ended, {-1, 1700000000000, 1700000000001, true, {7}, true})

static const struct {
        void (*put)(struct buf *b);
        int (*get)(struct view v, struct err *err);
} messages[] = {
        {put_ready, get_ready},     {put_begin, get_begin},   {put_granted, get_granted},
        {put_refused, get_refused}, {put_mapped, get_mapped}, {put_opened, get_opened},
        {put_ended, get_ended},
};

static void must_fail(struct view v, const char *what, void *ctx)
{
        int (*get)(struct view v, struct err * err) = *(int (**)(struct view, struct err *))ctx;
        struct err err = ERR_INIT;

        if (get(v, &err) != -ERR_FORMAT)
                fail_msg("taken: %s", what);
}

static void may_fail(struct view v, const char *what, void *ctx)
{
        int (*get)(struct view v, struct err * err) = *(int (**)(struct view, struct err *))ctx;
        struct err err = ERR_INIT;

        (void)what;
        (void)get(v, &err); /* a flipped bit may be another valid message; it must not crash */
}

static void messages_come_back(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
                AUTO(buf_free) struct buf b = {0};
                struct err err = ERR_INIT;
                int (*get)(struct view v, struct err * err) = messages[i].get;

                messages[i].put(&b);
                assert_true(buf_ok(&b));
                assert_ok(get(VIEW_BUF(&b), &err), &err);
                each_truncation(VIEW_BUF(&b), must_fail, &get);
                each_bit_flip(VIEW_BUF(&b), may_fail, &get);
                buf_u8(&b, 0);
                assert_err(get(VIEW_BUF(&b), &err), ERR_FORMAT, &err, "malformed at byte");
        }
}

static void values_are_kept(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct launch_link_refused no;
        struct launch_link_ended end;
        struct launch_link_granted yes;
        struct err err = ERR_INIT;

        (void)state;
        put_refused(&b);
        assert_ok(launch_link_refused_get(VIEW_BUF(&b), &no, &err), &err);
        assert_int_equal(no.why, LAUNCH_WHY_UNAVAILABLE);
        assert_view(no.text, "no");
        assert_view(no.where, "module");
        assert_view(no.next, "avow status");
        b.p[0] = LAUNCH_WHY_N;
        assert_err(launch_link_refused_get(VIEW_BUF(&b), &no, &err), ERR_FORMAT, &err, "refused");
        buf_reset(&b);
        put_ended(&b);
        assert_ok(launch_link_ended_get(VIEW_BUF(&b), &end, &err), &err);
        assert_int_equal(end.status, -1);
        assert_true(end.started_ms == 1700000000000 && end.ended_ms == 1700000000001);
        assert_true(end.has_output && end.output[0] == 7 && end.receipt);
        buf_reset(&b);
        put_granted(&b);
        assert_ok(launch_link_granted_get(VIEW_BUF(&b), &yes, &err), &err);
        assert_true(yes.cached && yes.lifetime_ms == 60000);
        assert_view(yes.permit, "e30.e30.AA");
}

static void frames_have_known_types_and_limits(void **state)
{
        static const uint8_t large[] = {0, 8, 0, 0}, result[] = {0, 0, 0, 8, 1, 1, 0, 0, 0, 0, 0, 1};
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        struct frame f;

        (void)state;
        launch_link_put(&b, LAUNCH_LINK_RECORD, 7, VIEW_NONE);
        launch_link_put(&b, LAUNCH_LINK_STOP, 8, view_str("revoked"));
        for (size_t n = 0; n < FRAME_HEADER_BYTES; n++)
                assert_int_equal(launch_link_take(VIEW(b.p, n), &f, &err), 0);
        assert_int_equal(launch_link_take(VIEW_BUF(&b), &f, &err), FRAME_HEADER_BYTES);
        assert_true(f.type == LAUNCH_LINK_RECORD && f.id == 7 && f.body.len == 0);
        assert_int_equal(launch_link_take(VIEW(b.p + 12, b.len - 12), &f, &err), FRAME_HEADER_BYTES + 7);
        assert_string_equal(launch_link_name(f.type), "stop");
        POISON(f);
        assert_err(launch_link_take(VIEW_ARRAY(large), &f, &err), ERR_LIMIT, &err, "524288");
        assert_err(launch_link_take(VIEW_ARRAY(result), &f, &err), ERR_FORMAT, &err, "result 1");
        for (int type = 0; type < 256; type++) {
                b.p[4] = (uint8_t)type;
                if (type > 0 && type < LAUNCH_LINK_N_TYPES)
                        assert_string_not_equal(launch_link_name((uint8_t)type), "unknown");
                else
                        assert_err(launch_link_take(VIEW_BUF(&b), &f, &err), ERR_FORMAT, &err, "type");
        }
        assert_poisoned(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages_come_back),
                cmocka_unit_test(values_are_kept),
                cmocka_unit_test(frames_have_known_types_and_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
