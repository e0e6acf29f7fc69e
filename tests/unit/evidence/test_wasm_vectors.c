/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published signed modules, and bad ones made of them: every case of $AVOW_VECTORS/tee/wasm gives its verdict
 * and its reasons. The files are other people's and stay where they are; without them this says SKIP.
 * test_wasm.c runs anywhere.
 */
#include <dirent.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "evidence/wasm_claims.h"
#include "support/support.h"

#define FILE_MAX (16u << 20)

static const char *top;

static bool read_into(struct buf *b, const char *name, const char *file)
{
        struct err err = ERR_INIT;
        char full[512];
        FILE *f;

        assert_true((size_t)snprintf(full, sizeof(full), "%s/tee/wasm/%s/%s", top, name, file) <
                    sizeof(full));
        f = fopen(full, "re");
        if (!f)
                return false;
        (void)fclose(f);
        buf_reset(b);
        assert_ok(file_read(full, FILE_MAX, b, &err), &err);
        return true;
}

/* The accounts that the case names; else (real files) the issuer itself. */
static size_t accounts_of(const json_t *expected, const char *ret[8])
{
        const json_t *list = json_object_get(expected, "trusted_accounts");
        size_t n = json_array_size(list);

        assert_true(n < 8);
        for (size_t i = 0; i < n; i++)
                ret[i] = json_string_value(json_array_get(list, i));
        if (!list) {
                ret[0] = json_string_value(json_object_get(json_object_get(expected, "claims"), "iss"));
                n = ret[0] ? 1 : 0;
        }
        return n;
}

static void check_case(const char *name)
{
        static const char *const words[] = {"unsigned", "accept", "reject"};
        struct wasm_trust trust = {.n_accounts = 0};
        const char *accounts[8];
        struct buf text = {0}, bytes = {0};
        struct err err = ERR_INIT;
        json_t *expected = NULL;
        const json_t *reasons;
        struct tee_result checks;
        struct wasm_claims c;
        enum wasm_signed got;
        struct wasm w;

        assert_true(read_into(&text, name, "expected.json"));
        assert_ok(json_parse(VIEW_BUF(&text), FILE_MAX, &expected, &err), &err);
        assert_true(read_into(&bytes, name, "module.wasm") || read_into(&bytes, name, "component.wasm"));
        trust.accounts = accounts;
        trust.n_accounts = accounts_of(expected, accounts);
        assert_true(json_opt_time(expected, "verify_at", &trust.now_ms, &err) >= 0);
        assert_ok(wasm_parse(VIEW_BUF(&bytes), &w, &err), &err);
        assert_ok(wasm_claims_check(&w, &trust, &c, &checks, &got, &err), &err);
        printf("%-28s %s %s\n", name, words[got], tee_reason(&checks, 0) ? tee_reason(&checks, 0) : "-");
        assert_string_equal(words[got], json_string_value(json_object_get(expected, "expect")));
        reasons = json_object_get(expected, "reasons");
        for (size_t i = 0; i < json_array_size(reasons); i++) {
                assert_non_null(tee_reason(&checks, i));
                assert_string_equal(tee_reason(&checks, i), json_string_value(json_array_get(reasons, i)));
        }
        assert_null(tee_reason(&checks, json_array_size(reasons)));
        if (json_object_get(expected, "component"))
                assert_int_equal(w.component, json_is_true(json_object_get(expected, "component")));
        wasm_claims_done(&c);
        json_decref(expected);
        buf_free(&text);
        buf_free(&bytes);
}

static void cases_have_their_verdicts(void **state)
{
        char path[512];
        struct dirent *e;
        size_t n = 0;
        DIR *dir;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/tee/wasm", top);
        dir = opendir(path);
        assert_non_null(dir);
        while ((e = readdir(dir)))
                if (e->d_name[0] != '.') {
                        check_case(e->d_name);
                        n++;
                }
        (void)closedir(dir);
        assert_true(n > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(cases_have_their_verdicts)};

        top = getenv("AVOW_VECTORS");
        if (!top || !*top) {
                printf("SKIP: AVOW_VECTORS is not set: no recorded evidence\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
