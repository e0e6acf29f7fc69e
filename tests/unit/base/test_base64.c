/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: one spelling for each byte string, and a lax reader for Keylime's fields. Vectors: RFC 4648 §10. */
#include "base/base64.h"

#include "support/support.h"

struct vector {
        const char *bytes, *standard, *url;
};

static const struct vector vectors[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
};

/* --- vectors --- */

static void rfc4648(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
                const struct vector *v = &vectors[i];
                AUTO(mem_free_p) char *standard = base64_encode(view_str(v->bytes));
                AUTO(mem_free_p) char *url = base64url_encode(view_str(v->bytes));
                AUTO(buf_free) struct buf b = {0};
                struct err err = ERR_INIT;

                assert_string_equal(standard, v->standard);
                assert_string_equal(url, v->url);
                assert_ok(base64_decode(view_str(v->standard), 6, &b, &err), &err);
                assert_view(VIEW_BUF(&b), v->bytes);
                buf_reset(&b);
                assert_ok(base64url_decode(view_str(v->url), 6, &b, &err), &err);
                assert_view(VIEW_BUF(&b), v->bytes);
                buf_reset(&b);
                assert_ok(base64_decode_lax(view_str(v->url), 6, &b, &err), &err);
                assert_view(VIEW_BUF(&b), v->bytes);
        }
}

static void lax(void **state)
{
        static const char *const texts[] = {"Zm9v\nYg==\n", " Zm 9vYg",
                                            "Zm9vYh==", "Zm9vYg=", "Zm9vYg= =\r\n"};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                AUTO(buf_free) struct buf b = {0};

                assert_ok(base64_decode_lax(view_str(texts[i]), 4, &b, &err), &err);
                assert_view(VIEW_BUF(&b), "foob");
        }
}

/* --- limits --- */

static void too_many(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_err(base64_decode(view_str("Zm9vYmFy"), 5, &b, &err), ERR_LIMIT, &err, NULL);
        assert_err(base64_decode(view_str("Zm9vYmE="), 4, &b, &err), ERR_LIMIT, &err, NULL);
        assert_err(base64url_decode(view_str("Zm8"), 1, &b, &err), ERR_LIMIT, &err, NULL);
        assert_err(base64_decode_lax(view_str("Zm8"), 1, &b, &err), ERR_LIMIT, &err, NULL);
        assert_int_equal(b.len, 0);
}

/* --- malformed --- */

static void malformed(void **state)
{
        static const char *const standard[] = {"Z",      "Zg",   "Zg=",     "Zg===",   "Zg==Zg==", "=",
                                               "====",   "Zh==", "Zm9=",    "Zm9 v",   "Zm9v ",    "Zm-_",
                                               "\nZg==", "Z===", "Zm9vYg=", "Zm9v===="};
        static const char *const url[] = {"Zg==", "Z", "Zh", "Zm9", "+/+/", "Zm8 ", "Zm9vY"};
        static const char *const lax_too[] = {"Z", "Zm9vY", "Zm9v*", "Zg==Zg=="};
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(standard); i++)
                assert_err(base64_decode(view_str(standard[i]), 99, &b, &err), ERR_FORMAT, &err, "base64");
        for (size_t i = 0; i < ARRAY_LEN(url); i++)
                assert_err(base64url_decode(view_str(url[i]), 99, &b, &err), ERR_FORMAT, &err, "base64");
        for (size_t i = 0; i < ARRAY_LEN(lax_too); i++)
                assert_err(base64_decode_lax(view_str(lax_too[i]), 99, &b, &err), ERR_FORMAT, &err, "base64");
        assert_int_equal(b.len, 0);
}

/* What is accepted encodes back to the very text that was given. */
static void canonical(struct view bytes, const char *what, void *ctx)
{
        AUTO(buf_free) struct buf b = {0};
        AUTO(mem_free_p) char *back = NULL;
        struct err err = ERR_INIT;

        (void)what;
        (void)ctx;
        if (base64_decode(bytes, 99, &b, &err) < 0)
                return;
        back = base64_encode(VIEW_BUF(&b));
        assert_true(view_equal(view_str(back), bytes));
}

static void changed(void **state)
{
        (void)state;
        each_truncation(view_str("Zm9vYmE="), canonical, NULL);
        each_bit_flip(view_str("Zm9vYmE="), canonical, NULL);
}

/* --- out of memory --- */

static int decode_once(void *ctx, struct err *err)
{
        AUTO(buf_free) struct buf b = {0};

        (void)ctx;
        return base64_decode(view_str("Zm9vYmE="), 9, &b, err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(decode_once, NULL);
        oom_at(1);
        assert_null(base64_encode(view_str("x")));
        assert_true(oom_off());
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(rfc4648),   cmocka_unit_test(lax),     cmocka_unit_test(too_many),
                cmocka_unit_test(malformed), cmocka_unit_test(changed), cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
