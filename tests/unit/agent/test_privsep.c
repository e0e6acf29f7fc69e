/* SPDX-License-Identifier: Apache-2.0 */
/* The language between the halves: every message there and back, every truncation, the table of states. */
#include "support/support.h"

#include "agent/privsep.h"
#include "base/macro.h"
#include "base/str.h"

static const uint8_t bytes[64] = {1, 2, 3, 4, 5};

/* Each message has a row: a writer of an example, and a reader that answers < 0 for what is malformed. */
static void put_activate(struct buf *b)
{
        privsep_activate_put(b, &(struct privsep_activate){VIEW(bytes, 50), VIEW(bytes, 64)});
}

static int get_activate(struct view v, struct err *err)
{
        struct privsep_activate m;

        POISON(m);
        return privsep_activate_get(v, &m, err);
}

static void put_session(struct buf *b)
{
        privsep_session_put(b, &(struct privsep_session){VIEW(bytes, 36), VIEW(bytes, 16), VIEW(bytes, 32)});
}

static int get_session(struct view v, struct err *err)
{
        struct privsep_session m;

        return privsep_session_get(v, &m, err);
}

static void put_collect(struct buf *b)
{
        privsep_collect_put(b, &(struct privsep_collect){.verifier_id = VIEW(bytes, 36),
                                                         .challenge = VIEW(bytes, 32),
                                                         .bank = DIGEST_SHA256,
                                                         .mask = 0x8000,
                                                         .log_offset = 3,
                                                         .log_max = 20000,
                                                         .uefi = true,
                                                         .ima_offset = 1ull << 33,
                                                         .ima_at = 1ull << 40,
                                                         .ima_max = 7,
                                                         .launch_offset = 4,
                                                         .launch_max = 5});
}

static int get_collect(struct view v, struct err *err)
{
        struct privsep_collect m;

        return privsep_collect_get(v, &m, err);
}

static void put_revoke(struct buf *b)
{
        privsep_revoke_put(b, &(struct privsep_revoke){view_str("e30.e30.AA"), VIEW(bytes, 16)});
}

static int get_revoke(struct view v, struct err *err)
{
        struct privsep_revoke m;

        return privsep_revoke_get(v, &m, err);
}

static void put_show(struct buf *b)
{
        privsep_show_put(b, &(struct privsep_show){9,
                                                   {.verifier_id = VIEW(bytes, 36),
                                                    .challenge = VIEW(bytes, 32),
                                                    .bank = DIGEST_SHA256,
                                                    .mask = 0x8000}});
}

static int get_show(struct view v, struct err *err)
{
        struct privsep_show m;

        return privsep_show_get(v, &m, err);
}

static void put_release(struct buf *b)
{
        privsep_release_put(
                b, &(struct privsep_release){
                           .number = 9, .granted = true, .lease_s = 60, .signature = VIEW(bytes, 20)});
}

static int get_release(struct view v, struct err *err)
{
        struct privsep_release m;

        return privsep_release_get(v, &m, err);
}

static void put_wanted(struct buf *b)
{
        privsep_wanted_put(b, &(struct privsep_wanted){9, view_str("{}")});
}

static int get_wanted(struct view v, struct err *err)
{
        struct privsep_wanted m;

        return privsep_wanted_get(v, &m, err);
}

static void put_permit(struct buf *b)
{
        privsep_permit_put(b, &(struct privsep_permit){.number = 9,
                                                       .final = true,
                                                       .text = view_str("no"),
                                                       .where = view_str("module"),
                                                       .next = view_str("avow")});
}

static int get_permit(struct view v, struct err *err)
{
        struct privsep_permit m;

        return privsep_permit_get(v, &m, err);
}

static void put_reach(struct buf *b)
{
        privsep_reach_put(b, &(struct privsep_reach){false, view_str("gone")});
}

static int get_reach(struct view v, struct err *err)
{
        struct privsep_reach m;

        return privsep_reach_get(v, &m, err);
}

static void put_status(struct buf *b)
{
        privsep_status_put(b, &(struct privsep_status){PRIVSEP_STATE_READY, true, false, 7, view_str("bad")});
}

static int get_status(struct view v, struct err *err)
{
        struct privsep_status m;

        return privsep_status_get(v, &m, err);
}

static void put_identity(struct buf *b)
{
        privsep_identity_put(b, &(struct privsep_identity){.host_id = view_str("web-1"),
                                                           .ek_public = VIEW(bytes, 20),
                                                           .ak_public = VIEW(bytes, 30),
                                                           .ak_name = VIEW(bytes, 34),
                                                           .boot_time_ms = 1700000000000,
                                                           .quote_bank = DIGEST_SHA256,
                                                           .pcr = 15,
                                                           .n_banks = 2,
                                                           .banks = {{4, 0xffffff}, {11, 0xffffff}}});
}

static int get_identity(struct view v, struct err *err)
{
        struct privsep_identity m;

        return privsep_identity_get(v, &m, err);
}

static void put_signed(struct buf *b)
{
        privsep_signed_put(b, &(struct privsep_signed){VIEW(bytes, 64), VIEW(bytes, 20)});
}

static int get_signed(struct view v, struct err *err)
{
        struct privsep_signed m;

        return privsep_signed_get(v, &m, err);
}

static void put_evidence(struct buf *b)
{
        struct privsep_evidence m = {.quote = {VIEW(bytes, 10), VIEW(bytes, 11)},
                                     .counter_key = VIEW(bytes, 9),
                                     .epoch = {7, {VIEW(bytes, 8), VIEW(bytes, 7)}},
                                     .floor = {8, {VIEW(bytes, 6), VIEW(bytes, 5)}},
                                     .bank = DIGEST_SHA256,
                                     .mask = 0x8001,
                                     .log_offset = 1,
                                     .log_count = 2,
                                     .log_total = 3,
                                     .log = view_str("\x1e{}\n"),
                                     .uefi = VIEW(bytes, 4),
                                     .ima_offset = 1ull << 33,
                                     .ima_count = 1,
                                     .ima_total = 1ull << 34,
                                     .ima = VIEW(bytes, 3),
                                     .launch_offset = 5,
                                     .launch_count = 6,
                                     .launch_total = 7,
                                     .launch = VIEW(bytes, 2)};

        digest_zero(DIGEST_SHA256, &m.pcrs[0]);
        digest_zero(DIGEST_SHA256, &m.pcrs[15]);
        privsep_evidence_put(b, &m);
}

static int get_evidence(struct view v, struct err *err)
{
        struct privsep_evidence m;

        return privsep_evidence_get(v, &m, err);
}

static void put_event(struct buf *b)
{
        privsep_event_put(b, &(struct privsep_event){PRIVSEP_STATE_STARTING, 9, 3, 4});
}

static int get_event(struct view v, struct err *err)
{
        struct privsep_event m;

        return privsep_event_get(v, &m, err);
}

static const struct {
        void (*put)(struct buf *b);
        int (*get)(struct view v, struct err *err);
} messages[] = {
        {put_activate, get_activate}, {put_session, get_session},   {put_collect, get_collect},
        {put_status, get_status},     {put_identity, get_identity}, {put_signed, get_signed},
        {put_evidence, get_evidence}, {put_event, get_event},       {put_revoke, get_revoke},
        {put_show, get_show},         {put_release, get_release},   {put_wanted, get_wanted},
        {put_permit, get_permit},     {put_reach, get_reach},
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
                AUTO(buf_free)
                struct buf b = {0};
                struct err err = ERR_INIT;
                int (*get)(struct view v, struct err * err) = messages[i].get;

                messages[i].put(&b);
                assert_true(buf_ok(&b));
                assert_ok(get(VIEW_BUF(&b), &err), &err);
                each_truncation(VIEW_BUF(&b), must_fail, &get);
                each_bit_flip(VIEW_BUF(&b), may_fail, &get);
                buf_u8(&b, 0); /* a byte too many */
                assert_err(get(VIEW_BUF(&b), &err), ERR_FORMAT, &err, "malformed at byte");
        }
}

static void values_are_kept(void **state)
{
        AUTO(buf_free)
        struct buf b = {0};
        struct err err = ERR_INIT;
        struct privsep_evidence e;
        struct privsep_collect c;

        (void)state;
        POISON(c);
        put_collect(&b);
        assert_ok(privsep_collect_get(VIEW_BUF(&b), &c, &err), &err);
        assert_int_equal(c.verifier_id.len, 36);
        assert_int_equal(c.mask, 0x8000);
        assert_int_equal(c.log_max, 20000);
        assert_true(c.uefi && c.ima_offset == 1ull << 33 && c.ima_at == 1ull << 40 && c.ima_max == 7);
        assert_true(c.launch_offset == 4 && c.launch_max == 5);
        buf_reset(&b);
        put_evidence(&b);
        assert_ok(privsep_evidence_get(VIEW_BUF(&b), &e, &err), &err);
        assert_int_equal(e.pcrs[15].len, 32);
        assert_int_equal(e.log_total, 3);
        assert_int_equal(e.counter_key.len, 9);
        assert_int_equal(e.epoch.signed_value.message.len, 8);
        assert_int_equal(e.floor.index, 8);
        assert_int_equal(e.floor.signed_value.signature.len, 5);
        assert_view(e.log, "\x1e{}\n");
        assert_true(e.ima_offset == 1ull << 33 && e.ima_count == 1 && e.ima_total == 1ull << 34);
        assert_int_equal(e.ima.len, 3);
        assert_int_equal(e.uefi.len, 4);
        assert_true(e.launch_offset == 5 && e.launch_count == 6 && e.launch_total == 7 && e.launch.len == 2);
}

static void frames_are_taken_whole(void **state)
{
        AUTO(buf_free)
        struct buf b = {0};
        struct err err = ERR_INIT;
        struct privsep_frame f;
        size_t first;

        (void)state;
        privsep_frame_put(&b, &(struct privsep_frame){PRIVSEP_STATUS, PRIVSEP_OK, 7, VIEW_NONE});
        first = b.len;
        privsep_frame_put(&b, &(struct privsep_frame){PRIVSEP_COLLECT, PRIVSEP_FAILED, 8, view_str("why")});
        for (size_t n = 0; n < first; n++) {
                POISON(f);
                assert_int_equal(privsep_frame_take(VIEW(b.p, n), PRIVSEP_REQUEST_MAX, &f, &err), 0);
                assert_poisoned(f);
        }
        assert_int_equal(privsep_frame_take(VIEW_BUF(&b), PRIVSEP_REQUEST_MAX, &f, &err), (int)first);
        assert_int_equal(f.type, PRIVSEP_STATUS);
        assert_int_equal(f.id, 7);
        assert_int_equal(privsep_frame_take(VIEW(b.p + first, b.len - first), PRIVSEP_REQUEST_MAX, &f, &err),
                         (int)(b.len - first));
        assert_int_equal(f.result, PRIVSEP_FAILED);
        assert_view(f.body, "why");
}

static void bad_frames_are_refused_before_they_are_whole(void **state)
{
        static const uint8_t small[] = {0, 0, 0, 7}, large[] = {0, 0, 0x20, 0},
                             largest[] = {255, 255, 255, 255};
        static const uint8_t type[] = {0, 0, 0, 8, 99, 0, 0, 0, 0, 0, 0, 1},
                             result[] = {0, 0, 0, 8, 1, 4, 0, 0, 0, 0, 0, 1};
        static const uint8_t zero[] = {0, 0, 0, 8, 1, 0, 0, 1, 0, 0, 0, 1};
        struct err err = ERR_INIT;
        struct privsep_frame f;

        (void)state;
        POISON(f);
        assert_err(privsep_frame_take(VIEW_ARRAY(small), 8192, &f, &err), ERR_FORMAT, &err, "7 bytes");
        assert_err(privsep_frame_take(VIEW_ARRAY(large), 8192, &f, &err), ERR_LIMIT, &err, "8192 bytes");
        assert_err(privsep_frame_take(VIEW_ARRAY(largest), 8192, &f, &err), ERR_LIMIT, &err, NULL);
        assert_err(privsep_frame_take(VIEW_ARRAY(type), 8192, &f, &err), ERR_FORMAT, &err, "type 99");
        assert_err(privsep_frame_take(VIEW_ARRAY(result), 8192, &f, &err), ERR_FORMAT, &err, NULL);
        assert_err(privsep_frame_take(VIEW_ARRAY(zero), 8192, &f, &err), ERR_FORMAT, &err, NULL);
        assert_poisoned(f);
}

/* A revocation is longer than other requests may be; nothing else is, and nothing is without end. */
static void each_request_has_its_limit(void **state)
{
        AUTO(buf_free)
        struct buf b = {0}, jws = {0};
        struct err err = ERR_INIT;
        struct privsep_frame f;
        struct privsep_revoke m;

        (void)state;
        for (size_t i = 0; i < 100000; i++)
                buf_u8(&jws, 'e');
        for (int type = PRIVSEP_STATUS; str_equal(privsep_type_name(type), "unknown") == false; type++) {
                struct buf body = {0};

                if (type == PRIVSEP_SECRETS || type == PRIVSEP_COUNTERSIGNED)
                        continue; /* the other long ones: below */

                buf_reset(&b);
                privsep_revoke_put(&body, &(struct privsep_revoke){VIEW_BUF(&jws), VIEW_NONE});
                privsep_frame_put(&b, &(struct privsep_frame){type, PRIVSEP_OK, 7, VIEW_BUF(&body)});
                buf_free(&body);
                for (size_t n = 0; n < 12; n++)
                        assert_int_equal(privsep_request_take(VIEW(b.p, n), &f, &err), 0);
                if (type != PRIVSEP_REVOKE) {
                        assert_err(privsep_request_take(VIEW(b.p, 12), &f, &err), ERR_LIMIT, &err,
                                   type == PRIVSEP_KEYS     ? "at most 65532"
                                   : type == PRIVSEP_PERMIT ? "at most 49148"
                                                            : "at most 8188");
                        continue;
                }
                assert_int_equal(privsep_request_take(VIEW(b.p, 12), &f, &err), 0);
                assert_int_equal(privsep_request_take(VIEW_BUF(&b), &f, &err), (int)b.len);
                assert_ok(privsep_revoke_get(f.body, &m, &err), &err);
                assert_int_equal(m.jws.len, jws.len);
                assert_int_equal(m.nonce.len, 0);
        }
        buf_reset(&b);
        privsep_frame_put(&b, &(struct privsep_frame){PRIVSEP_SECRETS, PRIVSEP_OK, 7, VIEW_BUF(&jws)});
        assert_int_equal(privsep_request_take(VIEW_BUF(&b), &f, &err), (int)b.len);
        b.p[0] = 1;
        assert_err(privsep_request_take(VIEW_BUF(&b), &f, &err), ERR_LIMIT, &err, NULL);
        b.p[0] = 0;
        b.p[4] = PRIVSEP_COUNTERSIGNED;
        assert_int_equal(privsep_request_take(VIEW_BUF(&b), &f, &err), (int)b.len);
        buf_reset(&b);
        privsep_revoke_put(&b, &(struct privsep_revoke){VIEW_NONE, VIEW_NONE});
        assert_err(privsep_revoke_get(VIEW_BUF(&b), &m, &err), ERR_FORMAT, &err, "revoke");
        buf_reset(&b);
        privsep_revoke_put(&b, &(struct privsep_revoke){view_str("e"), VIEW(bytes, 15)});
        assert_err(privsep_revoke_get(VIEW_BUF(&b), &m, &err), ERR_FORMAT, &err, "revoke");
}

/* A release has a signature and a lease, or neither; a number that is wanted has a body, or neither; a permit
 * or a reason; an unreachable verifier has a reason. */
static void halves_of_a_release_are_refused(void **state)
{
        static const struct privsep_release wrong[] = {
                {.number = 1, .granted = true, .lease_s = 60},
                {.number = 1, .granted = true, .signature = {bytes, 8}},
                {.number = 1, .lease_s = 60},
                {.number = 1, .signature = {bytes, 8}},
        };
        struct privsep_release m;
        struct privsep_wanted w;
        struct privsep_permit permit;
        struct privsep_reach reach;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                AUTO(buf_free) struct buf b = {0};

                privsep_release_put(&b, &wrong[i]);
                assert_err(privsep_release_get(VIEW_BUF(&b), &m, &err), ERR_FORMAT, &err, "release");
        }
        for (uint32_t number = 0; number < 2; number++) {
                AUTO(buf_free) struct buf b = {0};

                privsep_wanted_put(&b, &(struct privsep_wanted){number, number ? VIEW_NONE : view_str("{}")});
                assert_err(privsep_wanted_get(VIEW_BUF(&b), &w, &err), ERR_FORMAT, &err, "wanted");
        }
        for (int both = 0; both < 2; both++) {
                AUTO(buf_free) struct buf b = {0}, c = {0};
                struct view text = both ? view_str("no") : VIEW_NONE;

                privsep_permit_put(&b, &(struct privsep_permit){.permit = text, .text = text});
                assert_err(privsep_permit_get(VIEW_BUF(&b), &permit, &err), ERR_FORMAT, &err, "permit");
                privsep_reach_put(&c, &(struct privsep_reach){both, text});
                assert_err(privsep_reach_get(VIEW_BUF(&c), &reach, &err), ERR_FORMAT, &err, "reach");
        }
}

static void the_table_denies_by_default(void **state)
{
        (void)state;
        for (int type = 0; type < 256; type++)
                for (int s = 0; s < 4; s++) {
                        bool may = privsep_permitted((enum privsep_type)type, (enum privsep_state)s);

                        if (type == PRIVSEP_STATUS || type == PRIVSEP_REACH)
                                assert_int_equal(may, s < PRIVSEP_N_STATES);
                        else if (type >= PRIVSEP_IDENTITY && type < PRIVSEP_EVENT &&
                                 !str_equal(privsep_type_name((enum privsep_type)type), "unknown"))
                                assert_int_equal(may, s == PRIVSEP_STATE_READY);
                        else
                                assert_false(may);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages_come_back),
                cmocka_unit_test(values_are_kept),
                cmocka_unit_test(frames_are_taken_whole),
                cmocka_unit_test(halves_of_a_release_are_refused),
                cmocka_unit_test(bad_frames_are_refused_before_they_are_whole),
                cmocka_unit_test(each_request_has_its_limit),
                cmocka_unit_test(the_table_denies_by_default),
        };

        return cmocka_run_group_tests_name("privsep", tests, NULL, NULL);
}
