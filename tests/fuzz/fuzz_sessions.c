/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens and session ids: anybody who reaches the verifier's port sends them. No token that was never
 * given opens a session, and no id that we did not make has a challenge that somebody could have known.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "verifier/sessions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint8_t spki[32] = {7};
        const struct session_peer peer = {.address = "192.0.2.1", .spki_sha256 = spki};
        AUTO(sessions_free_p) struct sessions *s = NULL;
        AUTO(mem_free_p) char *text = str_ndup((const char *)data, size);
        uint8_t challenge[SESSION_CHALLENGE_BYTES];
        enum session_answer answer = SESSION_UNKNOWN;
        struct err err = ERR_INIT;
        struct secret token;
        int64_t created = 0;
        char id[UUID_TEXT_BYTES];

        FUZZ_CHECK(text && sessions_new(&s, &err) == 0);
        FUZZ_CHECK(sessions_challenge(s, "web-1", &peer, 1000, id, challenge, &err) == 0);
        FUZZ_CHECK(sessions_open(s, id, "web-1", false, &peer, 0, 1000, &token, &err) == 0);
        FUZZ_CHECK(!sessions_find(s, text, &peer, 0));
        secret_free(&token);
        FUZZ_CHECK(sessions_recall(s, text, "web-1", &peer, 1000, &answer, challenge, &created, &err) == 0);
        FUZZ_CHECK(answer == SESSION_UNKNOWN || uuid_valid(text));
        return 0;
}
