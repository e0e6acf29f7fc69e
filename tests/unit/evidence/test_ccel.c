/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a TD against its RTMRs: a small log of our own, and what is edited in it. */
#include "support/support.h"

#include "evidence/ccel.h"

struct lab {
        struct buf area;
        size_t end; /* of the log in it */
        struct digest rtmr[TD_RTMRS];
        struct td_report td;
};

static void put_event(struct buf *b, uint32_t reg, uint32_t type, const struct digest *d, const char *data)
{
        buf_le32(b, reg);
        buf_le32(b, type);
        buf_le32(b, 1);
        buf_le16(b, DIGEST_SHA384);
        buf_put_view(b, digest_view(d));
        buf_le32(b, (uint32_t)strlen(data));
        buf_str(b, data);
}

static void put_header(struct buf *b, uint32_t reg)
{
        static const uint8_t zeros[20] = {0};

        buf_le32(b, reg);
        buf_le32(b, EV_NO_ACTION);
        buf_put(b, zeros, sizeof(zeros));
        buf_le32(b, 33);
        buf_put(b, "Spec ID Event03", 16);
        buf_put(b, "\0\0\0\0\0\2\0\2\1\0\0\0\x0c\0\x30\0\0", 17);
}

static void lab_init(struct lab *lab)
{
        static const uint32_t regs[] = {1, 1, 2, 3, 1, 0};
        static const uint8_t end[64] = {0xff, 0xff, 0xff, 0xff};
        struct err err = ERR_INIT;
        struct digest d;

        *lab = (struct lab){0};
        for (size_t i = 0; i < TD_RTMRS; i++)
                digest_zero(DIGEST_SHA384, &lab->rtmr[i]);
        put_header(&lab->area, 1);
        for (size_t i = 0; i < ARRAY_LEN(regs); i++) {
                assert_ok(digest_bytes(DIGEST_SHA384, VIEW(&i, sizeof(i)), &d, &err), &err);
                put_event(&lab->area, regs[i], EV_EVENT_TAG, &d, "what it was");
                if (regs[i])
                        assert_ok(digest_extend(&lab->rtmr[regs[i] - 1], digest_view(&d), &err), &err);
        }
        put_event(&lab->area, 2, EV_NO_ACTION, &d, "nothing"); /* skipped, also with a digest */
        lab->end = lab->area.len;
        buf_put(&lab->area, end, sizeof(end));
        for (size_t i = 0; i < TD_RTMRS; i++)
                lab->td.rtmr[i] = digest_view(&lab->rtmr[i]);
        assert_true(buf_ok(&lab->area));
}

/* REASON NULL: passed. */
static void judged(const struct lab *lab, struct view area, const char *reason)
{
        struct tee_result res = {0};
        struct err err = ERR_INIT;

        assert_ok(ccel_check(area, &lab->td, &res, &err), &err);
        assert_int_equal(res.n_checks, 1);
        assert_string_equal(res.checks[0].name, "rtmr-log");
        assert_string_equal(res.checks[0].reason, reason ? reason : "");
        assert_int_equal(res.checks[0].state, reason ? TEE_FAIL : TEE_PASS);
}

static void replays(void **state)
{
        struct bootlog log;
        struct err err = ERR_INIT;
        struct lab lab;

        (void)state;
        lab_init(&lab);
        judged(&lab, VIEW_BUF(&lab.area), NULL);
        judged(&lab, VIEW(lab.area.p, lab.end), NULL); /* the area as large as the log */
        assert_ok(bootlog_parse_cc(VIEW_BUF(&lab.area), &log, &err), &err);
        assert_int_equal(log.bytes.len, lab.end);
        assert_int_equal(log.n_events, 8);
        memset(lab.area.p + lab.end, 0, 4); /* ended by zeros */
        judged(&lab, VIEW_BUF(&lab.area), NULL);
        buf_free(&lab.area);
}

static void edited(void **state)
{
        static const uint8_t one[48] = {1};
        struct lab lab;
        size_t first;

        (void)state;
        lab_init(&lab);
        first = 32 + 33;
        lab.area.p[first + 14 + 10] ^= 1; /* a digest */
        judged(&lab, VIEW_BUF(&lab.area), "rtmr-mismatch");
        lab.area.p[first + 14 + 10] ^= 1;
        lab.area.p[first] = 2; /* the first event in another register */
        judged(&lab, VIEW_BUF(&lab.area), "rtmr-mismatch");
        lab.area.p[first] = 5; /* … in one that is not there */
        judged(&lab, VIEW_BUF(&lab.area), "evidence-malformed");
        lab.area.p[first] = 1;
        lab.td.rtmr[3] = VIEW_ARRAY(one); /* extended by software, without a log of it */
        judged(&lab, VIEW_BUF(&lab.area), "rtmr-mismatch");
        buf_free(&lab.area);
}

static void try_cut(struct view v, const char *what, void *ctx)
{
        const struct lab *lab = ctx;
        struct tee_result res = {0};
        struct err err = ERR_INIT;

        assert_ok(ccel_check(v, &lab->td, &res, &err), &err);
        /* without the last events, which extend nothing that is compared, it is the same log */
        if (res.checks[0].state != TEE_FAIL && v.len < lab->end - 2 * 80)
                fail_msg("passed: %s", what);
}

static void truncated(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        each_truncation(VIEW(lab.area.p, lab.end), try_cut, &lab);
        buf_free(&lab.area);
}

/* A TPM's log stays as strict as it was. */
static void not_for_a_tpm(void **state)
{
        struct bootlog log;
        struct err err = ERR_INIT;
        struct lab lab;

        (void)state;
        lab_init(&lab);
        assert_err(bootlog_parse(VIEW(lab.area.p, lab.end), &log, &err), ERR_FORMAT, &err, "header");
        buf_free(&lab.area);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(replays),
                cmocka_unit_test(edited),
                cmocka_unit_test(truncated),
                cmocka_unit_test(not_for_a_tpm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
