/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebAssembly modules, and the claims that wasmCloud's tools put in them: what is refused of a module's form,
 * which bytes are covered, and every way in which claims can be bad. Modules and keys are made here.
 */
#include "crypto/nkey.h"
#include "evidence/wasm_claims.h"
#include "support/support.h"

#define NOW_MS 1717200000000 /* 2024-06-01 */

/* The smallest module that has a function: (module (func)). */
static const uint8_t tiny[] = {0,
                               'a',
                               's',
                               'm',
                               1,
                               0,
                               0,
                               0,
                               /* type */ 1,
                               4,
                               1,
                               0x60,
                               0,
                               0, /* function */
                               3,
                               2,
                               1,
                               0,
                               /* code */ 10,
                               4,
                               1,
                               2,
                               0,
                               0x0b};
static const uint8_t core_preamble[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
static const uint8_t component_preamble[] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};

static const uint8_t account_seed[ED25519_KEY_BYTES] = {1, 2, 3};
static char account[NKEY_TEXT_LEN + 1], module[NKEY_TEXT_LEN + 1];

static int make_keys(void **state)
{
        uint8_t key[ED25519_KEY_BYTES];
        static const uint8_t module_key[ED25519_KEY_BYTES] = {9};
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(ed25519_public(VIEW_ARRAY(account_seed), key, &err), &err);
        nkey_print(NKEY_ACCOUNT, key, account);
        nkey_print(NKEY_MODULE, module_key, module);
        return 0;
}

/* ---- keys ---- */

/* Known answers: accounts of published files, and their keys. */
static void keys_have_one_spelling(void **state)
{
        static const char known[] = "ACCHS57D3P2VEON5MQCJM4YA34GYBDFZR3IBG5EQNUONIHBO5X4NIURC";
        static const uint8_t bytes[] = {0x84, 0x79, 0x77, 0xe3, 0xdb, 0xf5, 0x52, 0x39, 0xbd, 0x64, 0x04,
                                        0x96, 0x73, 0x00, 0xdf, 0x0d, 0x80, 0x8c, 0xb9, 0x8e, 0xd0, 0x13,
                                        0x74, 0x90, 0x6d, 0x1c, 0xd4, 0x1c, 0x2e, 0xed, 0xf8, 0xd4};
        uint8_t key[ED25519_KEY_BYTES];
        char text[NKEY_SEED_LEN + 1];
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(nkey_parse(view_str(known), NKEY_ACCOUNT, key, &err), &err);
        assert_memory_equal(key, bytes, sizeof(bytes));
        nkey_print(NKEY_ACCOUNT, key, text);
        assert_string_equal(text, known);
        assert_err(nkey_parse(view_str(known), NKEY_MODULE, key, &err), ERR_FORMAT, &err,
                   "expected one of kind 'module'");
        for (size_t i = 0; i < NKEY_TEXT_LEN; i++) { /* no other character will do anywhere */
                for (const char *p = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567acz019=- "; *p; p++) {
                        (void)snprintf(text, sizeof(text), "%s", known);
                        if (text[i] == *p)
                                continue;
                        text[i] = *p;
                        err_clear(&err);
                        assert_err(nkey_parse(view_str(text), NKEY_ACCOUNT, key, &err), ERR_FORMAT, &err,
                                   NULL);
                }
        }
        err_clear(&err);
        assert_err(nkey_parse(view_str("A"), NKEY_ACCOUNT, key, &err), ERR_FORMAT, &err, "56 characters");
        nkey_seed_print(NKEY_ACCOUNT, account_seed, text);
        assert_memory_equal(text, "SA", 2);
        err_clear(&err);
        assert_ok(nkey_seed_parse(view_str(text), NKEY_ACCOUNT, key, &err), &err);
        assert_memory_equal(key, account_seed, sizeof(account_seed));
        assert_err(nkey_seed_parse(view_str(text), NKEY_MODULE, key, &err), ERR_FORMAT, &err,
                   "a seed of kind 'account'");
}

/* ---- form ---- */

static void put_section(struct buf *b, uint8_t id, const void *content, size_t n)
{
        buf_u8(b, id);
        buf_u8(b, (uint8_t)n); /* fewer than 128 here */
        buf_put(b, content, n);
}

static void what_is_no_module_is_refused(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
                const char *why;
        } cases[] = {
                {"", 0, "does not begin"},
                {"\0asn\1\0\0\0", 8, "does not begin"},
                {"\0asm", 4, "cut off behind"},
                {"\0asm\2\0\0\0", 8, "version 2, layer 0"},
                {"\0asm\1\0\1\0", 8, "version 1, layer 1"},
                {"\0asm\1\0\0\0\1", 9, "a number is cut off"},
                {"\0asm\1\0\0\0\1\x80\x80\x80\x80\x80\0", 15, "more than 32 bits"},
                {"\0asm\1\0\0\0\1\x80\x80\x80\x80\x10", 14, "more than 32 bits"},
                {"\0asm\1\0\0\0\1\5\0", 11, "says it has 5 bytes, and 1 are left"},
                {"\0asm\1\0\0\0\16\0", 10, "has no section 14"},
                {"\0asm\1\0\0\0\1\1\0\1\1\0", 14, "section 1 is there twice"},
                {"\0asm\1\0\0\0\2\1\0\1\1\0", 14, "out of order"},
                {"\0asm\1\0\0\0\xb\1\0\xc\1\0", 14, "out of order"}, /* the count stands before the data */
                {"\0asm\1\0\0\0\3\2\1\0", 12, "1 functions are declared, and 0 have a body"},
                {"\0asm\1\0\0\0\xc\1\1", 11, "1 data segments are announced, and 0 are there"},
                {"\0asm\1\0\0\0\xc\2\0\0", 12, "followed by more"},
                {"\0asm\1\0\0\0\3\0", 10, "has no count"},
                {"\0asm\1\0\0\0\0\0", 10, "leaves the section"},
                {"\0asm\1\0\0\0\0\2\2a", 12, "leaves the section"},
                {"\0asm\1\0\0\0\0\2\1\xff", 12, "not UTF-8"},
                {"\0asm\x0d\0\1\0\15\0", 10, "a component has no section 13"},
                {"\0asm\x0d\0\1\0\1\0", 10, "at byte 8"},
                {"\0asm\x0d\0\1\0\1\10\0asm\x0d\0\1\0", 18, "where a component belongs, or the reverse"},
                {"\0asm\x0d\0\1\0\4\10\0asm\1\0\0\0", 18, "where a component belongs, or the reverse"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct err err = ERR_INIT;
                struct wasm w;

                assert_err(wasm_parse(VIEW(cases[i].bytes, cases[i].n), &w, &err), ERR_FORMAT, &err,
                           cases[i].why);
        }
}

static void sections_may_be_many_and_nested(void **state)
{
        struct buf b = {0}, outer = {0};
        struct err err = ERR_INIT;
        struct wasm w;

        (void)state;
        assert_ok(wasm_parse(VIEW_ARRAY(tiny), &w, &err), &err);
        assert_false(w.component);
        assert_ok(wasm_parse(VIEW_ARRAY(core_preamble), &w, &err), &err);
        buf_put(&b, component_preamble, sizeof(component_preamble));
        put_section(&b, 1, tiny, sizeof(tiny));
        put_section(&b, 0, "\1x", 2);
        put_section(&b, 1, tiny, sizeof(tiny)); /* of a component: any number, in any order */
        assert_ok(wasm_parse(VIEW_BUF(&b), &w, &err), &err);
        assert_true(w.component);
        for (int depth = 2; depth <= WASM_NESTED_MAX + 1; depth++) { /* the modules are one deeper */
                buf_reset(&outer);
                buf_put(&outer, component_preamble, sizeof(component_preamble));
                if (b.len > 127) { /* two bytes of length */
                        buf_u8(&outer, 4);
                        buf_u8(&outer, (uint8_t)(b.len | 0x80));
                        buf_u8(&outer, (uint8_t)(b.len >> 7));
                        buf_put_view(&outer, VIEW_BUF(&b));
                } else {
                        put_section(&outer, 4, b.p, b.len);
                }
                buf_reset(&b);
                buf_put_view(&b, VIEW_BUF(&outer));
                if (depth <= WASM_NESTED_MAX)
                        assert_ok(wasm_parse(VIEW_BUF(&b), &w, &err), &err);
                else
                        assert_err(wasm_parse(VIEW_BUF(&b), &w, &err), ERR_LIMIT, &err,
                                   "nested more than 16");
        }
        buf_free(&b);
        buf_free(&outer);
}

static void no_truncation_is_read_past_its_end(struct view v, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct wasm_section s;
        struct wasm w;

        (void)what, (void)ctx;
        if (wasm_parse(v, &w, &err) < 0)
                return;
        for (size_t pos = 0; wasm_next(&w, &pos, &s);)
                assert_true(s.whole.p + s.whole.len <= v.p + v.len);
}

static void cut_and_flipped(void **state)
{
        (void)state;
        each_truncation(VIEW_ARRAY(tiny), no_truncation_is_read_past_its_end, NULL);
        each_bit_flip(VIEW_ARRAY(tiny), no_truncation_is_read_past_its_end, NULL);
}

/* The claim section goes, lengths become short (or stay), nested modules likewise (or stay). */
static void what_claims_cover(void **state)
{
        static const char *const names[] = {"jwt"};
        struct buf inner = {0}, b = {0}, out = {0}, expected = {0};
        struct err err = ERR_INIT;
        struct wasm w;

        (void)state;
        buf_put(&inner, core_preamble, sizeof(core_preamble));
        buf_put(&inner, "\0\x84\0\3jwt", 7); /* a length of two bytes that could be one */
        buf_put(&inner, "\0\x82\0\1x", 5);
        buf_put(&b, component_preamble, sizeof(component_preamble));
        put_section(&b, 1, inner.p, inner.len);
        put_section(&b, 0, "\3jwtTOKEN", 9);
        assert_ok(wasm_parse(VIEW_BUF(&b), &w, &err), &err);

        wasm_put_without(&w, names, 1, false, &out);
        assert_true(view_equal(VIEW_BUF(&out), VIEW(b.p, b.len - 11)));

        buf_reset(&out);
        wasm_put_without(&w, names, 1, true, &out);
        buf_put(&expected, component_preamble, sizeof(component_preamble));
        buf_put(&expected, "\1\14", 2);
        buf_put(&expected, core_preamble, sizeof(core_preamble));
        buf_put(&expected, "\0\2\1x", 4);
        assert_true(view_equal(VIEW_BUF(&out), VIEW_BUF(&expected)));
        buf_free(&inner);
        buf_free(&b);
        buf_free(&out);
        buf_free(&expected);
}

/* ---- claims ---- */

static json_t *claims(void)
{
        json_t *c = json_pack("{s:s, s:i, s:s, s:s, s:{s:s, s:[s], s:[], s:i, s:s, s:b}}", "jti", "x", "iat",
                              1700000000, "iss", account, "sub", module, "wascap", "name", "tiny", "caps",
                              "wasmcloud:httpserver", "tags", "rev", 7, "ver", "0.1.0", "prov", 0);

        assert_non_null(c);
        return c;
}

static void sign(json_t *c, struct view bytes, struct buf *out)
{
        struct err err = ERR_INIT;
        struct wasm w;

        assert_ok(wasm_parse(bytes, &w, &err), &err);
        assert_ok(wasm_claims_sign(&w, c, account_seed, out, &err), &err);
        json_decref(c);
}

/* REASON NULL: accepted. */
static void check_at(struct view bytes, const char *reason, const struct wasm_trust *trust)
{
        struct tee_result checks;
        struct wasm_claims c;
        enum wasm_signed got;
        struct err err = ERR_INIT;
        struct wasm w;

        assert_ok(wasm_parse(bytes, &w, &err), &err);
        assert_ok(wasm_claims_check(&w, trust, &c, &checks, &got, &err), &err);
        if (reason) {
                assert_non_null(tee_reason(&checks, 0));
                assert_string_equal(tee_reason(&checks, 0), reason);
                assert_int_equal(got, strcmp(reason, "claims-missing") ? WASM_REJECTED : WASM_UNSIGNED);
        } else {
                assert_null(tee_reason(&checks, 0));
                assert_int_equal(got, WASM_ACCEPTED);
        }
        wasm_claims_done(&c);
}

static void check(struct view bytes, const char *reason)
{
        const char *accounts[] = {account};
        const struct wasm_trust trust = {.accounts = accounts, .n_accounts = 1, .now_ms = NOW_MS};

        check_at(bytes, reason, &trust);
}

static void good_claims_say_what_they_say(void **state)
{
        const char *accounts[] = {account};
        const struct wasm_trust trust = {.accounts = accounts, .n_accounts = 1, .now_ms = NOW_MS};
        struct tee_result checks;
        struct wasm_claims c;
        enum wasm_signed got;
        struct buf b = {0}, again = {0};
        struct err err = ERR_INIT;
        struct wasm w;

        (void)state;
        sign(claims(), VIEW_ARRAY(tiny), &b);
        assert_ok(wasm_parse(VIEW_BUF(&b), &w, &err), &err);
        assert_ok(wasm_claims_check(&w, &trust, &c, &checks, &got, &err), &err);
        assert_int_equal(got, WASM_ACCEPTED);
        assert_int_equal(checks.verdict, TEE_ACCEPT);
        assert_string_equal(c.name, "tiny");
        assert_string_equal(c.version, "0.1.0");
        assert_string_equal(c.issuer, account);
        assert_string_equal(c.subject, module);
        assert_int_equal(c.revision, 7);
        assert_int_equal(c.claims_revision, 3);
        assert_int_equal(json_array_size(c.capabilities), 1);
        wasm_claims_done(&c);
        sign(claims(), VIEW_BUF(&b), &again); /* new claims take the place of the old */
        assert_true(view_equal(VIEW_BUF(&b), VIEW_BUF(&again)));
        check(VIEW_ARRAY(tiny), "claims-missing");
        buf_free(&b);
        buf_free(&again);
}

/* Every bit of a signed module is covered: flipped, it is no module, or refused. Only the section's name may
 * become another name: then there are no claims. */
static void covered(struct view v, const char *what, void *ctx)
{
        const char *accounts[] = {account};
        const struct wasm_trust trust = {.accounts = accounts, .n_accounts = 1, .now_ms = NOW_MS};
        struct tee_result checks;
        struct wasm_claims c;
        enum wasm_signed got;
        struct err err = ERR_INIT;
        struct wasm w;

        (void)ctx;
        if (wasm_parse(v, &w, &err) < 0)
                return;
        assert_ok(wasm_claims_check(&w, &trust, &c, &checks, &got, &err), &err);
        if (got == WASM_ACCEPTED)
                fail_msg("accepted: %s", what);
        wasm_claims_done(&c);
}

static void every_bit_counts(void **state)
{
        struct buf b = {0};

        (void)state;
        sign(claims(), VIEW_ARRAY(tiny), &b);
        each_bit_flip(VIEW_BUF(&b), covered, NULL);
        each_truncation(VIEW_BUF(&b), covered, NULL);
        buf_free(&b);
}

static void bad_claims_say_why(void **state)
{
        static const uint8_t other_seed[ED25519_KEY_BYTES] = {77};
        uint8_t key[ED25519_KEY_BYTES];
        char other[NKEY_TEXT_LEN + 1];
        struct buf b = {0}, spliced = {0};
        struct err err = ERR_INIT;
        struct wasm w;
        json_t *c;

        (void)state;
        c = claims();
        assert_int_equal(json_object_set_new(c, "exp", json_integer(NOW_MS / 1000)), 0);
        sign(c, VIEW_ARRAY(tiny), &b);
        check(VIEW_BUF(&b), "token-expired");

        buf_reset(&b);
        c = claims();
        assert_int_equal(json_object_set_new(c, "nbf", json_integer(NOW_MS / 1000 + 1)), 0);
        sign(c, VIEW_ARRAY(tiny), &b);
        check(VIEW_BUF(&b), "token-not-yet-valid");

        /* signed by another key than the one it names */
        assert_ok(ed25519_public(VIEW_ARRAY(other_seed), key, &err), &err);
        nkey_print(NKEY_ACCOUNT, key, other);
        buf_reset(&b);
        c = claims();
        assert_int_equal(json_object_set_new(c, "iss", json_string(other)), 0);
        sign(c, VIEW_ARRAY(tiny), &b);
        check(VIEW_BUF(&b), "token-signature");

        /* a module signs for an account */
        buf_reset(&b);
        c = claims();
        assert_int_equal(json_object_set_new(c, "iss", json_string(module)), 0);
        sign(c, VIEW_ARRAY(tiny), &b);
        check(VIEW_BUF(&b), "claims-malformed");

        /* two sections, also of the two names; claims on another module; no algorithm */
        buf_reset(&b);
        sign(claims(), VIEW_ARRAY(tiny), &b);
        wasm_put_custom("jwt", view_str("a.b.c"), &b);
        check(VIEW_BUF(&b), "claims-ambiguous");
        buf_reset(&b);
        sign(claims(), VIEW_ARRAY(tiny), &b);
        buf_put(&spliced, core_preamble, sizeof(core_preamble));
        buf_put(&spliced, b.p + sizeof(tiny), b.len - sizeof(tiny));
        check(VIEW_BUF(&spliced), "module-hash-mismatch");
        buf_reset(&b);
        buf_put(&b, tiny, sizeof(tiny));
        wasm_put_custom("jwt", view_str("eyJ0eXAiOiJqd3QiLCJhbGciOiJub25lIn0.e30."), &b);
        check(VIEW_BUF(&b), "token-algorithm");
        buf_reset(&b);
        buf_put(&b, tiny, sizeof(tiny));
        wasm_put_custom("jwt", view_str("no token"), &b);
        check(VIEW_BUF(&b), "claims-malformed");
        assert_ok(wasm_parse(VIEW_ARRAY(tiny), &w, &err), &err);
        c = json_object();
        assert_err(wasm_claims_sign(&w, c, account_seed, &b, &err), ERR_FORMAT, &err, "wascap");
        json_decref(c);
        buf_free(&b);
        buf_free(&spliced);
}

static void who_may_sign_is_ours_to_say(void **state)
{
        const char *accounts[] = {"ACT772ZQOHE3HMFRJKYXTYLPESS45POYCNF7OXU2ZNJC7N7P2CVQIEPI", account};
        const char *subjects[] = {module}, *others[] = {"M"};
        struct wasm_trust trust = {.accounts = accounts, .n_accounts = 2, .now_ms = NOW_MS};
        struct buf b = {0};

        (void)state;
        sign(claims(), VIEW_ARRAY(tiny), &b);
        check_at(VIEW_BUF(&b), NULL, &trust);
        trust.subjects = subjects;
        trust.n_subjects = 1;
        trust.revision_min = 7;
        check_at(VIEW_BUF(&b), NULL, &trust);
        trust.revision_min = 8;
        check_at(VIEW_BUF(&b), "module-revision-too-old", &trust);
        trust.revision_min = 0;
        trust.subjects = others;
        check_at(VIEW_BUF(&b), "subject-not-allowed", &trust);
        trust.n_subjects = 0;
        trust.n_accounts = 1;
        check_at(VIEW_BUF(&b), "issuer-not-trusted", &trust);
        trust.n_accounts = 0; /* an empty list trusts nobody */
        check_at(VIEW_BUF(&b), "issuer-not-trusted", &trust);
        buf_free(&b);
}

static int sign_and_check(void *ctx, struct err *err)
{
        const char *accounts[] = {account};
        const struct wasm_trust trust = {.accounts = accounts, .n_accounts = 1, .now_ms = NOW_MS};
        struct tee_result checks;
        struct wasm_claims c = {0};
        enum wasm_signed got;
        struct buf b = {0};
        struct wasm w;
        json_t *j = json_deep_copy(ctx);
        int r = j ? wasm_parse(VIEW_ARRAY(tiny), &w, err) : err_nomem(err);

        if (r >= 0)
                r = wasm_claims_sign(&w, j, account_seed, &b, err);
        if (r >= 0)
                r = wasm_parse(VIEW_BUF(&b), &w, err);
        if (r >= 0)
                r = wasm_claims_check(&w, &trust, &c, &checks, &got, err);
        wasm_claims_done(&c);
        json_decref(j);
        buf_free(&b);
        return r;
}

static void out_of_memory(void **state)
{
        json_t *c = claims();

        (void)state;
        oom_each(sign_and_check, c);
        json_decref(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keys_have_one_spelling),
                cmocka_unit_test(what_is_no_module_is_refused),
                cmocka_unit_test(sections_may_be_many_and_nested),
                cmocka_unit_test(cut_and_flipped),
                cmocka_unit_test(what_claims_cover),
                cmocka_unit_test(good_claims_say_what_they_say),
                cmocka_unit_test(every_bit_counts),
                cmocka_unit_test(bad_claims_say_why),
                cmocka_unit_test(who_may_sign_is_ours_to_say),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests_name("wasm", tests, make_keys, NULL);
}
