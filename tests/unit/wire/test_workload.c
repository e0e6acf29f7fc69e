/* SPDX-License-Identifier: Apache-2.0 */
/* What the workload service reads: every length, every list that must not count as one. */
#include "wire/workload.h"

#include <stdlib.h>

#include "base/json.h"
#include "support/support.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define A96 A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define Z64 "0000000000000000000000000000000000000000000000000000000000000000"
#define ID  "01890a5d-ac96-774b-bcce-b302099a8057"

#define EVIDENCE(members)                                                                                    \
        "{\"schema\":\"avow.workload-evidence/1\",\"challenge\":\"" ID                                       \
        "\",\"nonce\":\"00112233445566778899aabbccddeeff\"," members "}"
#define GOOD                                                                                                 \
        "\"algorithm\":\"sha256\",\"digest\":\"" A64 "\",\"chain\":[\"MAA=\",\"MAE=\"],\"signature\":\"MAI=" \
        "\""

/* ---- the Trust Monitor's body ---- */

static void body_is_cut_where_it_says(void **state)
{
        struct workload_body b;
        struct err err = ERR_INIT;
        struct guarded g;

        (void)state;
        assert_ok(workload_body_decode(guard_bytes(&g, VIEW("\x03"
                                                            "sigcert",
                                                            8)),
                                       &b, &err),
                  &err);
        assert_view(b.signature, "sig");
        assert_view(b.certificate, "cert");
        guard_free(&g);
}

static void bodies_of_hostile_lengths(void **state)
{
        static uint8_t big[1 + 255 + WORKLOAD_CERT_BYTES_MAX + 1] = {255};
        static const struct {
                const char *bytes;
                size_t len;
                const char *part;
        } bad[] = {{"", 0, "one byte"},        {"\0", 1, "one byte"},   {"\0cert", 5, "one byte"},
                   {"\x05sig", 4, "one byte"}, {"\xff", 1, "one byte"}, {"\x03sig", 4, "nothing follows"}};
        struct workload_body b;
        struct err err = ERR_INIT;
        struct guarded g;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                POISON(b);
                assert_err(workload_body_decode(guard_bytes(&g, VIEW(bad[i].bytes, bad[i].len)), &b, &err),
                           ERR_FORMAT, &err, bad[i].part);
                assert_poisoned(b);
                guard_free(&g);
        }
        assert_err(workload_body_decode(VIEW_ARRAY(big), &b, &err), ERR_LIMIT, &err, "8193");
        assert_ok(workload_body_decode(VIEW(big, sizeof(big) - 1), &b, &err), &err);
        assert_int_equal(b.signature.len, 255);
}

/* ---- our evidence ---- */

static void evidence_is_read(void **state)
{
        static const char want[] =
                "avow-workload-v1\0"
                "\0\x02me"
                "\0\x24" ID "\0\x10\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
                "\0\x05"
                "enarx"
                "\0\x02"
                "e1"
                "\0\x06sha256\0\x20";
        struct workload_evidence e;
        struct err err = ERR_INIT;
        struct buf out = {0};

        (void)state;
        assert_ok(workload_evidence_decode(view_str(EVIDENCE("\"entity\":\"e1\"," GOOD)), &e, &err), &err);
        assert_string_equal(e.technology, "enarx");
        assert_string_equal(e.challenge, ID);
        assert_int_equal(e.n_chain, 2);
        assert_int_equal(e.chain[1].len, 2);
        assert_ok(workload_signed_bytes(&e, "me", &out, &err), &err);
        assert_int_equal(out.len, sizeof(want) - 1 + 32);
        assert_memory_equal(out.p, want, sizeof(want) - 1);
        assert_int_equal(out.p[out.len - 1], 0xaa);
        buf_free(&out);
        workload_evidence_done(&e);
}

static void evidence_that_is_none(void **state)
{
        static const struct {
                const char *text, *part;
        } bad[] = {
                {"{}", "schema"},
                {EVIDENCE("\"more\":1," GOOD), "more"},
                {EVIDENCE("\"technology\":\"\"," GOOD), "technology"},
                {EVIDENCE("\"technology\":\"a b\"," GOOD), "technology"},
                {EVIDENCE("\"entity\":\"a/b\"," GOOD), "entity"},
                {EVIDENCE("\"entity\":\"\"," GOOD), "entity"},
                {EVIDENCE("\"algorithm\":\"sha1\",\"digest\":\"" A64
                          "\",\"chain\":[\"MAA=\"],\"signature\":\"MAI=\""),
                 "algorithm"},
                {EVIDENCE("\"algorithm\":\"sha384\",\"digest\":\"" A64
                          "\",\"chain\":[\"MAA=\"],\"signature\":\"MAI=\""),
                 "digest"},
                {EVIDENCE("\"algorithm\":\"sha256\",\"digest\":\"" B64
                          "\",\"chain\":[\"MAA=\"],\"signature\":\"MAI=\""),
                 "digest"},
                {EVIDENCE("\"algorithm\":\"sha256\",\"digest\":\"" A64
                          "\",\"chain\":[],\"signature\":\"MAI=\""),
                 "at least one"},
                {EVIDENCE("\"algorithm\":\"sha256\",\"digest\":\"" A64
                          "\",\"chain\":[\"M\"],\"signature\":\"MAI=\""),
                 "'chain', 1"},
                {EVIDENCE("\"algorithm\":\"sha256\",\"digest\":\"" A64
                          "\",\"chain\":[\"MAA=\",\"MAA=\",\"MAA=\",\"MAA=\",\"MAA=\"],\"signature\":\"MAI="
                          "\""),
                 "chain"},
                {EVIDENCE("\"algorithm\":\"sha256\",\"digest\":\"" A64 "\",\"chain\":[\"MAA=\"]"),
                 "signature"},
                {"{\"schema\":\"avow.workload-evidence/1\",\"challenge\":\"x\"}", "challenge"},
                {"{\"schema\":\"avow.workload-evidence/1\",\"challenge\":\"" ID "\",\"nonce\":\"00\"}",
                 "16 bytes"},
        };
        struct workload_evidence e;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                POISON(e);
                if (workload_evidence_decode(view_str(bad[i].text), &e, &err) >= 0 ||
                    !strstr(err.text, bad[i].part))
                        fail_msg("%zu: %s", i, err.text);
                assert_poisoned(e);
        }
}

/* ---- lists ---- */

static void lists_are_read_whole(void **state)
{
        struct workload_list l, again;
        struct err err = ERR_INIT;
        struct buf blob = {0};

        (void)state;
        assert_ok(workload_whitelist_decode(
                          view_str("{\"_id\":12,\"metadata\":{\"att_tech\":\"enarx_v0_7_1\"},\"whitelist\":"
                                   "{\"wasm_hashes_list\":[\"" A64 "\",\"" A96 "\",\"" B64 "\"]}}"),
                          &l, &err),
                  &err);
        assert_string_equal(l.id, "12");
        assert_string_equal(l.technology, "enarx_v0_7_1");
        assert_int_equal(workload_list_count(&l), 3);
        assert_int_equal(l.digests[WORKLOAD_SHA256].len, 64);
        assert_int_equal(l.digests[WORKLOAD_SHA256].p[32], 0xbb);
        assert_int_equal(l.digests[WORKLOAD_SHA384].len, 48);
        assert_ok(workload_list_pack(&l, &blob, &err), &err);
        assert_ok(workload_list_unpack(VIEW_BUF(&blob), &again, &err), &err);
        assert_string_equal(again.technology, l.technology);
        assert_true(view_equal(VIEW_BUF(&again.digests[0]), VIEW_BUF(&l.digests[0])));
        assert_true(view_equal(VIEW_BUF(&again.digests[1]), VIEW_BUF(&l.digests[1])));
        workload_list_done(&again);
        workload_list_done(&l);
        buf_free(&blob);
        assert_ok(workload_list_decode(
                          view_str("{\"schema\":\"avow.workload-list/1\",\"digests\":[\"sha256:" A64 "\"]}"),
                          &l, &err),
                  &err);
        assert_string_equal(l.technology, "enarx");
        workload_list_done(&l);
}

#define LIST(entries)           "{\"schema\":\"avow.workload-list/1\",\"digests\":[" entries "]}"
#define WHITE(id, meta, inside) "{\"_id\":" id ",\"metadata\":{" meta "},\"whitelist\":{" inside "}}"

static void lists_that_are_none(void **state)
{
        static const struct {
                bool white;
                const char *text, *part;
        } bad[] = {
                {false, LIST(""), "empty list"},
                {false, LIST("\"\""), "entry 1: 0 digits"},
                {false, LIST("\"" A64 "\",\"aaa\""), "entry 2: 3 digits"},
                {false, LIST("\"" A64 "a\""), "65 digits"},
                {false, LIST("\"" A64 "\",\"" Z64 "\""), "entry 2: all its bytes are zero"},
                {false, LIST("\"sha384:" A64 "\""), "length"},
                {false, LIST("\"md5:" A64 "\""), "length"},
                {false, LIST("\"g" A96 "\""), "97 digits"},
                {false, LIST("null"), "entry 1: expected text"},
                {false, LIST("[]"), "entry 1"},
                {false, "{\"schema\":\"avow.workload-list/1\",\"digests\":\"" A64 "\"}", "digests"},
                {false, "{\"schema\":\"avow.workload-list/1\"}", "digests"},
                {false, "{\"schema\":\"avow.workload-list/2\",\"digests\":[\"" A64 "\"]}", "schema"},
                {false, "[]", ""},
                {true, WHITE("1", "", ""), "wasm_hashes_list"},
                {true, WHITE("1", "", "\"wasm_hashes_list\":[]"), "empty list"},
                {true, WHITE("1", "", "\"wasm_hashes_list\":{}"), "wasm_hashes_list"},
                {true, WHITE("1", "", "\"wasm_hashes_list\":[\"" A64 "\"],\"x\":[]"), "x"},
                {true, WHITE("1", "\"hash_algo\":\"sha384\"", "\"wasm_hashes_list\":[\"" A64 "\"]"),
                 "algorithm"},
                {true, WHITE("1", "\"hash_algo\":\"md5\"", "\"wasm_hashes_list\":[\"" A64 "\"]"),
                 "hash_algo"},
                {true, WHITE("1", "\"att_tech\":\"\"", "\"wasm_hashes_list\":[\"" A64 "\"]"), "att_tech"},
                {true, WHITE("\"\"", "", "\"wasm_hashes_list\":[\"" A64 "\"]"), "_id"},
                {true, WHITE("\"a b\"", "", "\"wasm_hashes_list\":[\"" A64 "\"]"), "_id"},
                {true, WHITE("1.5", "", "\"wasm_hashes_list\":[\"" A64 "\"]"), "_id"},
                {true, WHITE("null", "", "\"wasm_hashes_list\":[\"" A64 "\"]"), "_id field must be present"},
                {true, "{\"_id\":1,\"whitelist\":{\"wasm_hashes_list\":[\"" A64 "\"]}}", "metadata"},
        };
        struct workload_list l;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                POISON(l);
                if ((bad[i].white ? workload_whitelist_decode : workload_list_decode)(view_str(bad[i].text),
                                                                                      &l, &err) >= 0 ||
                    !strstr(err.text, bad[i].part))
                        fail_msg("%zu: %s", i, err.text);
                assert_poisoned(l);
        }
}

static void try_cut(struct view bytes, const char *what, void *ctx)
{
        struct workload_list l;
        struct err err = ERR_INIT;

        (void)ctx;
        if (workload_list_unpack(bytes, &l, &err) >= 0)
                fail_msg("%s is a list", what);
}

static void stored_lists_that_were_cut(void **state)
{
        struct workload_list l;
        struct err err = ERR_INIT;
        struct buf blob = {0};

        (void)state;
        assert_ok(workload_list_decode(view_str(LIST("\"" A64 "\",\"" A96 "\"")), &l, &err), &err);
        assert_ok(workload_list_pack(&l, &blob, &err), &err);
        each_truncation(VIEW_BUF(&blob), try_cut, NULL);
        buf_u8(&blob, 0);
        try_cut(VIEW_BUF(&blob), "a byte more", NULL);
        buf_free(&blob);
        workload_list_done(&l);
}

/* ---- records ---- */

#define ENTITY "\"entity_uuid\":\"e-1\",\"inf_id\":1,\"name\":\"n\",\"external_id\":\"x\",\"type\":\"wasm\""

static void records_are_checked(void **state)
{
        static const struct {
                bool all;
                const char *text, *part; /* PART NULL: it is good */
        } rows[] = {
                {true, "{" ENTITY "}", NULL},
                {true,
                 "{" ENTITY ",\"att_tech\":[\"enarx\"],\"whitelist_uuid\":7,\"child\":[],\"metadata\":{}}",
                 NULL},
                {false, "{\"entity_uuid\":\"e-1\",\"name\":\"m\"}", NULL},
                {true, "{\"entity_uuid\":\"e-1\",\"name\":\"m\"}", "inf_id field must be present"},
                {false, "{\"name\":\"m\"}", "entity_uuid field must be present"},
                {true, "{" ENTITY ",\"att_tech\":[]}", "empty"},
                {true, "{" ENTITY ",\"att_tech\":\"enarx\"}", "att_tech"},
                {true, "{" ENTITY ",\"att_tech\":[\"enarx\",1]}", "att_tech', 2"},
                {true, "{" ENTITY ",\"att_tech\":[\"enarx\",\"enarx\"]}", "twice"},
                {true, "{" ENTITY ",\"whitelist_uuid\":[]}", "whitelist_uuid"},
                {true, "{" ENTITY ",\"state\":\"attesting\"}", "state"},
                {true, "{" ENTITY ",\"child\":{}}", "child"},
                {true, "[]", ""},
        };
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                json_t *j = NULL;
                int r = workload_entity_decode(view_str(rows[i].text), rows[i].all, &j, &err);

                if ((r < 0) != (rows[i].part != NULL) || (rows[i].part && !strstr(err.text, rows[i].part)))
                        fail_msg("%zu: %d %s", i, r, err.text);
                json_decref(j);
        }
        for (size_t i = 0; i < 2; i++) {
                json_t *j = NULL;
                const char *text =
                        i ? "{\"att_tech\":\"enarx\",\"inf_id\":\"a\",\"metadata\":{\"url\":\"x\"}}"
                          : "{\"inf_id\":\"a\"}";

                assert_int_equal(workload_verifier_decode(view_str(text), &j, &err) == 0, i == 1);
                json_decref(j);
        }
}

static int read_all(void *ctx, struct err *err)
{
        struct workload_evidence e = {.n_chain = 0};
        struct workload_list l = {.id = ""};
        int r = workload_evidence_decode(view_str(EVIDENCE(GOOD)), &e, err);

        (void)ctx;
        workload_evidence_done(&e);
        if (r >= 0)
                r = workload_list_decode(view_str(LIST("\"" A64 "\"")), &l, err);
        workload_list_done(&l);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_any(read_all, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(body_is_cut_where_it_says),
                cmocka_unit_test(bodies_of_hostile_lengths),
                cmocka_unit_test(evidence_is_read),
                cmocka_unit_test(evidence_that_is_none),
                cmocka_unit_test(lists_are_read_whole),
                cmocka_unit_test(lists_that_are_none),
                cmocka_unit_test(stored_lists_that_were_cut),
                cmocka_unit_test(records_are_checked),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
