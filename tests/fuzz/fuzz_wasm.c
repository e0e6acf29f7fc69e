/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and their claims: what a host is asked to run, and anybody may have made. */
#include "crypto/nkey.h"
#include "evidence/wasm_claims.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const accounts[] = {"ACT772ZQOHE3HMFRJKYXTYLPESS45POYCNF7OXU2ZNJC7N7P2CVQIEPI"};
        const struct wasm_trust trust = {.accounts = accounts, .n_accounts = 1};
        struct tee_result checks;
        struct wasm_section s;
        struct wasm_claims c;
        enum wasm_signed got;
        struct err err = ERR_INIT;
        struct wasm w, again;
        struct buf out = {0};
        uint8_t key[ED25519_KEY_BYTES];
        char text[NKEY_TEXT_LEN + 1];

        if (nkey_parse(VIEW(data, size), NKEY_ACCOUNT, key, &err) >= 0) {
                nkey_print(NKEY_ACCOUNT, key, text);
                FUZZ_CHECK(view_equal(view_str(text), VIEW(data, size)));
        }
        if (wasm_parse(VIEW(data, size), &w, &err) < 0)
                return 0;
        for (size_t pos = 0; wasm_next(&w, &pos, &s);)
                FUZZ_CHECK(s.whole.p >= data && s.whole.p + s.whole.len <= data + size);
        wasm_put_without(&w, NULL, 0, false, &out);
        FUZZ_CHECK(view_equal(VIEW_BUF(&out), VIEW(data, size)));
        buf_reset(&out);
        wasm_put_without(&w, NULL, 0, true, &out);
        FUZZ_CHECK(out.len <= size && wasm_parse(VIEW_BUF(&out), &again, &err) >= 0);
        buf_free(&out);
        FUZZ_CHECK(wasm_claims_check(&w, &trust, &c, &checks, &got, &err) >= 0);
        wasm_claims_done(&c);
        return 0;
}
