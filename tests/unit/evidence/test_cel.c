/* SPDX-License-Identifier: Apache-2.0 */
/* The log of PCR 15: records of ours and of systemd, framing, replay. */
#include "support/support.h"

#include "base/hex.h"
#include "base/json.h"
#include "evidence/cel.h"
#include "vectors.h"

#define D256 "\"0000000000000000000000000000000000000000000000000000000000000000\""

/* As systemd-pcrextend 255 writes it (machine id made up). */
#define SYSTEMD_TEXT "machine-id:0123456789abcdef0123456789abcdef"
#define SYSTEMD                                                                                              \
        "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],"                          \
        "\"content_type\":\"systemd\",\"content\":{\"string\":\"" SYSTEMD_TEXT                               \
        "\",\"bootId\":\"99a0f0e1d2c3b4a5968778695a4b3c2d\",\"timestamp\":5012345,"                          \
        "\"eventType\":\"machine-id\"}}\n"

static void hash_of(const char *text, struct digest *ret)
{
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, view_str(text), ret, &err), &err);
}

static void put_systemd(struct buf *b, const char *text)
{
        char hex[65];
        struct digest d;

        hash_of(text, &d);
        buf_fmt(b, SYSTEMD, hex_write(hex, digest_view(&d)));
}

static struct cel_record our_record(const char *content, const struct digest *before)
{
        struct cel_record r = {
                .pcr = 15,
                .n_digests = 1,
                .ours = true,
                .kind = (char *)"measure",
                .runtime = (char *)"wasmtime",
                .path = (char *)"/usr/bin/wasmtime",
                .size_bytes = 4711,
                .reset_count = 3,
                .restart_count = 1,
                .has_timestamp = true,
                .timestamp_us = 123456789,
        };

        hash_of(content, &r.digests[0]);
        if (before) {
                r.n_before = 1;
                r.before[0] = *before;
        }
        return r;
}

/* A log of three: ours, systemd's, ours; and the value that it leads to after each. */
static void three_records(struct buf *log, struct digest value[4])
{
        static const char *const contents[] = {"first", SYSTEMD_TEXT, "third"};
        struct err err = ERR_INIT;

        digest_zero(DIGEST_SHA256, &value[0]);
        for (size_t i = 0; i < 3; i++) {
                struct cel_record r = our_record(contents[i], &value[i]);

                if (i == 1)
                        put_systemd(log, SYSTEMD_TEXT);
                else
                        assert_ok(cel_record_write(&r, log, &err), &err);
                value[i + 1] = value[i];
                assert_ok(digest_extend(&value[i + 1], digest_view(&r.digests[0]), &err), &err);
        }
        assert_true(buf_ok(log));
}

/* ---- vectors ---- */

static void records(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct digest value[4];
        struct err err = ERR_INIT;
        const struct cel_record *r;
        bool covered = false;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        assert_int_equal(log->n, 3);
        r = &log->records[0];
        assert_true(r->ours && r->has_timestamp);
        assert_int_equal(r->pcr, 15);
        assert_string_equal(r->kind, CEL_KIND_MEASURE);
        assert_string_equal(r->runtime, "wasmtime");
        assert_string_equal(r->path, "/usr/bin/wasmtime");
        assert_int_equal(r->size_bytes, 4711);
        assert_int_equal(r->timestamp_us, 123456789);
        assert_int_equal(r->reset_count, 3);
        assert_int_equal(r->restart_count, 1);
        assert_int_equal(r->n_before, 1);
        assert_true(digest_equal(&r->before[0], &value[0]));
        assert_null(cel_record_digest(r, DIGEST_SHA1));
        assert_ok(cel_record_covers_string(r, DIGEST_SHA256, &covered, &err), &err);
        assert_false(covered);
        r = &log->records[1];
        assert_false(r->ours);
        assert_string_equal(r->content_type, CEL_CONTENT_SYSTEMD);
        assert_string_equal(r->string, SYSTEMD_TEXT);
        assert_string_equal(r->event_type, "machine-id");
        assert_string_equal(r->boot_id, "99a0f0e1d2c3b4a5968778695a4b3c2d");
        assert_int_equal(r->timestamp_us, 5012345);
        assert_ok(cel_record_covers_string(r, DIGEST_SHA256, &covered, &err), &err);
        assert_true(covered);
        assert_int_equal(r->raw.p[0], 0x1e);
        assert_int_equal(r->raw.p[r->raw.len - 1], '\n');
}

static void same_spelling(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(buf_free)
        struct buf again = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct err err = ERR_INIT;
        struct cel_record r = our_record("x", NULL);

        (void)state;
        r.path = (char *)"/opt/\"odd\"\n\xc3\xa9";
        assert_ok(cel_record_write(&r, &text, &err), &err);
        assert_ok(cel_parse(VIEW_BUF(&text), 1, &log, &err), &err);
        assert_string_equal(log->records[0].path, r.path);
        assert_ok(cel_record_write(&log->records[0], &again, &err), &err);
        assert_true(view_equal(VIEW_BUF(&text), VIEW_BUF(&again)));
}

static void foreign_records(void **state)
{
        static const char other[] =
                "\x1e{\"pcr\":11,\"recnum\":7,\"digests\":[{\"hashAlg\":\"sm3_256\",\"digest\":\"whatever\"},"
                "{\"hashAlg\":\"sha1\",\"digest\":\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"}],"
                "\"content_type\":\"cel\",\"content\":[1,2]}\n";
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(cel_parse(view_str(other), 10, &log, &err), &err);
        assert_int_equal(log->records[0].pcr, 11);
        assert_int_equal(log->records[0].n_digests, 1);
        assert_string_equal(log->records[0].content_type, "cel");
        assert_false(log->records[0].has_timestamp);
}

/* What newer writers may put into systemd's log: readable, and of no register that is replayed. */
static void strange_records(void **state)
{
        static const char *const texts[] = {
                "\x1e{\"nvIndex\":30407936,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":" D256
                "}],\"content_type\":\"systemd\",\"content\":{\"eventType\":\"x\"}}\n",
                "\x1e{\"content_type\":\"other\",\"pcr\":15}\n",
        };
        struct digest zero;

        (void)state;
        digest_zero(DIGEST_SHA256, &zero);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                AUTO(cel_log_free_p) struct cel_log *log = NULL;
                struct err err = ERR_INIT;
                struct cel_replay r;
                struct cel_start start = {zero, 0};

                assert_ok(cel_parse(view_str(texts[i]), 10, &log, &err), &err);
                assert_int_equal(log->records[0].pcr, i == 0 ? CEL_NO_PCR : 15);
                assert_ok(cel_replay(log, &start, 15, &zero, &r, &err), &err);
                assert_true(!r.matched && r.why_entry == 0);
        }
}

static void cel_json(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        AUTO(json_free_p)
        json_t *j = NULL;
        struct digest value[4];
        struct err err = ERR_INIT;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        j = cel_to_json(log, 40);
        assert_int_equal(json_array_size(j), 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(json_integer_value(json_object_get(json_array_get(j, i), "recnum")), 40 + i);
}

/* ---- replay ---- */

static void replay_to(const struct cel_log *log, const struct digest *start, uint64_t entry,
                      const struct digest *quoted, struct cel_replay *ret)
{
        struct cel_start s = {*start, entry};
        struct err err = ERR_INIT;

        POISON(*ret);
        assert_ok(cel_replay(log, &s, 15, quoted, ret, &err), &err);
}

static void replay(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct digest value[4];
        struct cel_replay r;
        struct err err = ERR_INIT;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        replay_to(log, &value[0], 0, &value[3], &r);
        assert_true(r.matched && r.n_covered == 3 && r.n_beyond == 0 && r.stale_before == -1);
        assert_true(digest_equal(&r.value, &value[3]));
        /* One may lie beyond, and no more (SR-18). */
        replay_to(log, &value[0], 0, &value[2], &r);
        assert_true(r.matched && r.n_covered == 2 && r.n_beyond == 1);
        assert_true(digest_equal(&r.value, &value[2]));
        replay_to(log, &value[0], 0, &value[1], &r);
        assert_true(!r.matched && r.n_covered == 0 && r.why && r.why_entry == -1);
        replay_to(log, &value[0], 0, &value[0], &r);
        assert_false(r.matched);
}

static void replay_goes_on(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        AUTO(cel_log_free_p)
        struct cel_log *rest = NULL;
        AUTO(cel_log_free_p)
        struct cel_log *empty = NULL;
        struct digest value[4];
        struct cel_replay r;
        struct err err = ERR_INIT;
        size_t first;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        first = log->records[0].raw.len;
        assert_ok(cel_parse(VIEW(text.p + first, text.len - first), 3, &rest, &err), &err);
        replay_to(rest, &value[1], 1, &value[3], &r);
        assert_true(r.matched && r.n_covered == 2);
        replay_to(rest, &value[0], 1, &value[3], &r);
        assert_false(r.matched);
        assert_ok(cel_parse(VIEW_NONE, 3, &empty, &err), &err);
        replay_to(empty, &value[3], 3, &value[3], &r);
        assert_true(r.matched && r.n_covered == 0 && r.n_beyond == 0);
        replay_to(empty, &value[2], 3, &value[3], &r);
        assert_false(r.matched);
        /* One record, and not covered yet: the host wrote ahead. */
        cel_log_free(TAKE(rest));
        assert_ok(cel_parse(VIEW(text.p, first), 1, &rest, &err), &err);
        replay_to(rest, &value[0], 0, &value[0], &r);
        assert_true(r.matched && r.n_covered == 0 && r.n_beyond == 1);
}

static void replay_refuses(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct digest value[4], sha1;
        struct cel_replay r;
        struct err err = ERR_INIT;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        log->records[2].pcr = 11;
        replay_to(log, &value[0], 40, &value[3], &r);
        assert_true(!r.matched && r.why_entry == 42);
        assert_non_null(strstr(r.why, "another register"));
        log->records[2].pcr = 15;
        digest_zero(DIGEST_SHA1, &sha1);
        replay_to(log, &sha1, 0, &sha1, &r);
        assert_true(!r.matched && r.why_entry == 0);
        assert_non_null(strstr(r.why, "no digest"));
}

/* Another writer between our read and our extend: the order in the log still holds, and it is noted. */
static void stale_before(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct digest value[4];
        struct cel_replay r;
        struct err err = ERR_INIT;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        log->records[2].before[0] = value[1];
        replay_to(log, &value[0], 10, &value[3], &r);
        assert_true(r.matched && r.stale_before == 12);
        replay_to(log, &value[0], 10, &value[2], &r); /* not covered: decides nothing */
        assert_true(r.matched && r.stale_before == -1);
}

/* ---- malformed ---- */

#define OURS(digests, content)                                                                               \
        "\x1e{\"pcr\":15,\"digests\":" digests ",\"content_type\":\"avow\",\"content\":" content "}\n"
#define GOOD_DIGESTS "[{\"hashAlg\":\"sha256\",\"digest\":" D256 "}]"
#define GOOD_CONTENT                                                                                         \
        "{\"kind\":\"measure\",\"runtime\":\"r\",\"path\":\"p\",\"size\":1,\"timestamp\":2,"                 \
        "\"pcr_before\":{},\"reset\":1,\"restart\":0}"

static void refused(void **state)
{
        static const struct {
                const char *text, *why;
        } rows[] = {
                {"x", "start of a record"},
                {"\n", "start of a record"},
                {"\x1e", "no end"},
                {"\x1e\n", "JSON"},
                {"\x1e{}", "no end"},
                {"\x1e{}\n", "content_type"},
                {"\x1e{}\x1e{}\n", "line feed"},
                {"\x1e[]\n", NULL},
                {"\x1e{\"content_type\":\"a\",\"pcr\":24,\"digests\":" GOOD_DIGESTS ",\"content\":1}\n",
                 "pcr"},
                {"\x1e{\"content_type\":\"a\",\"pcr\":\"15\"}\n", "pcr"},
                {"\x1e{\"content_type\":\"a\",\"digests\":[{}]}\n", "hashAlg"},
                {"\x1e{\"pcr\":15,\"pcr\":15}\n", "duplicate"},
                {OURS("[{\"hashAlg\":\"sm3_256\",\"digest\":\"00\"}]", GOOD_CONTENT), "not known"},
                {OURS("[{\"hashAlg\":\"sha256\",\"digest\":\"00\"}]", GOOD_CONTENT), "sha256"},
                {OURS("[{\"hashAlg\":\"sha256\",\"digest\":" D256 "},{\"hashAlg\":\"sha256\",\"digest\":" D256
                      "}]",
                      GOOD_CONTENT),
                 "two digests"},
                {OURS("[{\"hashAlg\":\"sha256\",\"digest\":" D256 ",\"x\":1}]", GOOD_CONTENT), "x"},
                {OURS(GOOD_DIGESTS, "{}"), "kind"},
                {OURS(GOOD_DIGESTS, "5"), NULL},
                {OURS(GOOD_DIGESTS,
                      "{\"kind\":\"measure\",\"runtime\":\"r\",\"path\":\"p\",\"size\":-1,\"timestamp\":2,"
                      "\"pcr_before\":{},\"reset\":1,\"restart\":0}"),
                 "size"},
                {OURS(GOOD_DIGESTS,
                      "{\"kind\":\"measure\",\"runtime\":\"r\",\"path\":\"p\",\"size\":1,\"timestamp\":2,"
                      "\"pcr_before\":{\"md5\":\"00\"},\"reset\":1,\"restart\":0}"),
                 "pcr_before"},
                {OURS(GOOD_DIGESTS,
                      "{\"kind\":\"measure\",\"runtime\":\"r\",\"path\":\"p\",\"size\":1,\"timestamp\":2,"
                      "\"pcr_before\":{},\"reset\":4294967296,\"restart\":0}"),
                 "reset"},
                {OURS(GOOD_DIGESTS,
                      "{\"kind\":\"measure\",\"runtime\":\"r\",\"path\":\"p\",\"size\":1,\"timestamp\":2,"
                      "\"pcr_before\":{},\"reset\":1,\"restart\":0,\"more\":1}"),
                 "more"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct cel_log *log;
                struct err err = ERR_INIT;
                int r;

                POISON(log);
                r = cel_parse(view_str(rows[i].text), 10, &log, &err);
                assert_poisoned(log);
                if (r != -ERR_FORMAT && r != -ERR_LIMIT)
                        fail_msg("row %zu: %d %s", i, r, err.text);
                if (rows[i].why && !strstr(err.text, rows[i].why))
                        fail_msg("row %zu: %s", i, err.text);
        }
}

static void truncated(struct view bytes, const char *what, void *ctx)
{
        const size_t *whole = ctx; /* where each record ends */
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct err err = ERR_INIT;
        size_t used = 77;
        size_t n = 0;

        (void)what;
        while (n < 3 && whole[n] <= bytes.len)
                n++;
        /* A file that a crash cut: the whole records, and no error. */
        assert_ok(cel_parse_file(bytes, 3, &log, &used, &err), &err);
        assert_int_equal(log->n, n);
        assert_int_equal(used, n ? whole[n - 1] : 0);
        cel_log_free(TAKE(log));
        if (used != bytes.len)
                assert_err(cel_parse(bytes, 3, &log, &err), ERR_FORMAT, &err, "no end");
}

/* A flipped bit is refused, or changes the value that is replayed, or only claims. */
static void flipped(struct view bytes, const char *what, void *ctx)
{
        const struct digest *value = ctx;
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct err err = ERR_INIT;
        struct cel_replay r;
        struct cel_start start = {value[0], 0};

        if (cel_parse(bytes, 3, &log, &err) < 0)
                return;
        assert_ok(cel_replay(log, &start, 15, &value[3], &r, &err), &err);
        for (size_t i = 0; r.matched && i < 3; i++) {
                struct digest d = value[i];

                assert_ok(digest_extend(&d, digest_view(&log->records[i].digests[0]), &err), &err);
                if (!digest_equal(&d, &value[i + 1]))
                        fail_msg("%s", what);
        }
}

static void malformed(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        struct digest value[4];
        struct err err = ERR_INIT;
        size_t whole[3], at = 0;

        (void)state;
        three_records(&text, value);
        assert_ok(cel_parse(VIEW_BUF(&text), 3, &log, &err), &err);
        for (size_t i = 0; i < 3; i++)
                whole[i] = at += log->records[i].raw.len;
        each_truncation(VIEW_BUF(&text), truncated, whole);
        each_bit_flip(VIEW_BUF(&text), flipped, value);
}

static void unwritable(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        struct err err = ERR_INIT;
        struct cel_record r = our_record("x", NULL);
        char *long_path = malloc(CEL_TEXT_BYTES_MAX + 2);

        (void)state;
        r.path = (char *)"\xff";
        assert_err(cel_record_write(&r, &text, &err), ERR_FORMAT, &err, "UTF-8");
        r.path = NULL;
        assert_err(cel_record_write(&r, &text, &err), ERR_FORMAT, &err, "UTF-8");
        memset(long_path, 'a', CEL_TEXT_BYTES_MAX + 1);
        long_path[CEL_TEXT_BYTES_MAX + 1] = '\0';
        r.path = long_path;
        assert_err(cel_record_write(&r, &text, &err), ERR_LIMIT, &err, "path");
        long_path[CEL_TEXT_BYTES_MAX] = '\0';
        assert_ok(cel_record_write(&r, &text, &err), &err);
        r.pcr = 24;
        assert_err(cel_record_write(&r, &text, &err), ERR_FORMAT, &err, "pcr");
        free(long_path);
}

static void limits(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(buf_free)
        struct buf big = {0};
        struct digest value[4];
        struct err err = ERR_INIT;
        struct cel_log *log = NULL;

        (void)state;
        three_records(&text, value);
        assert_err(cel_parse(VIEW_BUF(&text), 2, &log, &err), ERR_LIMIT, &err, "more than 2");
        buf_str(&big, "\x1e\"");
        for (size_t i = 0; i < CEL_RECORD_BYTES_MAX; i++)
                buf_u8(&big, 'a');
        buf_str(&big, "\"\n");
        assert_err(cel_parse(VIEW_BUF(&big), 2, &log, &err), ERR_LIMIT, &err, "record");
}

/* ---- out of memory ---- */

static int parse_and_write(void *ctx, struct err *err)
{
        struct buf *text = ctx;
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        AUTO(buf_free)
        struct buf out = {0};
        AUTO(json_free_p)
        json_t *j = NULL;
        int r = cel_parse(VIEW_BUF(text), 3, &log, err);

        if (r < 0)
                return r;
        r = cel_record_write(&log->records[0], &out, err);
        if (r < 0)
                return r;
        j = cel_to_json(log, 0);
        return j ? 0 : err_nomem(err);
}

static void out_of_memory(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        struct digest value[4];

        (void)state;
        three_records(&text, value);
        oom_any(parse_and_write, &text);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(records),         cmocka_unit_test(same_spelling),
                cmocka_unit_test(foreign_records), cmocka_unit_test(strange_records),
                cmocka_unit_test(cel_json),        cmocka_unit_test(replay),
                cmocka_unit_test(replay_goes_on),  cmocka_unit_test(replay_refuses),
                cmocka_unit_test(stale_before),    cmocka_unit_test(refused),
                cmocka_unit_test(malformed),       cmocka_unit_test(unwritable),
                cmocka_unit_test(limits),          cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
