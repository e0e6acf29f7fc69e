/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents about secrets. Tenants send them to the verifier, the verifier (or who has taken it over) to
 * hosts, and whoever writes a host's disk controls what an agent finds there. The first byte chooses the
 * decoder; what it accepts must encode, to the same bytes when it is read again, and what a signature check
 * says must be an answer.
 */
#include "fuzz/fuzz.h"
#include "wire/approval.h"
#include "wire/secret_file.h"
#include "wire/target.h"

#define ROUND_TRIP(name, type, prefix)                                                                       \
        static bool name(struct view v, type *ret)                                                           \
        {                                                                                                    \
                AUTO(buf_free) struct buf out = {0};                                                         \
                AUTO(buf_free) struct buf out2 = {0};                                                        \
                struct err err = ERR_INIT;                                                                   \
                type again;                                                                                  \
                if (prefix##_decode(v, ret, &err) < 0)                                                       \
                        return false;                                                                        \
                FUZZ_CHECK(prefix##_encode(ret, &out, &err) == 0);                                           \
                FUZZ_CHECK(prefix##_decode(VIEW_BUF(&out), &again, &err) == 0);                              \
                FUZZ_CHECK(prefix##_encode(&again, &out2, &err) == 0);                                       \
                FUZZ_CHECK(view_equal(VIEW_BUF(&out), VIEW_BUF(&out2)));                                     \
                prefix##_done(&again);                                                                       \
                return true;                                                                                 \
        }

ROUND_TRIP(read_approval, struct approval, approval)
ROUND_TRIP(read_secret, struct secret_file, secret_file)
ROUND_TRIP(read_delegation, struct delegation, delegation)
ROUND_TRIP(read_target, struct target, target)

static void approval(struct view v)
{
        struct err err = ERR_INIT;
        struct approval a;
        bool good;

        if (!read_approval(v, &a))
                return;
        FUZZ_CHECK(a.n_brackets && a.n_brackets <= APPROVAL_BRACKETS_MAX);
        FUZZ_CHECK(approval_check(&a, &good, &err) == 0);
        FUZZ_CHECK(approval_find(&a, digest_view(&a.brackets[0].digest)) == &a.brackets[0]);
        approval_done(&a);
}

static void secret(struct view v)
{
        static const uint8_t key[32];
        struct err err = ERR_INIT;
        struct secret_file f;
        struct secret plain = {0};
        bool good;

        if (!read_secret(v, &f))
                return;
        FUZZ_CHECK(f.kind == SEALED_CHAIN ? f.revocable : !f.revocable && f.release_local);
        FUZZ_CHECK(secret_file_check(&f, &good, &err) == 0);
        FUZZ_CHECK(secret_payload_open(&f, VIEW_ARRAY(key), &plain, &err) < 0);
        secret_file_done(&f);
}

static void delegation(struct view v)
{
        struct delegation d;

        if (!read_delegation(v, &d))
                return;
        FUZZ_CHECK(d.owner.root && d.owner.delegation.len);
        delegation_done(&d);
}

static void target(struct view v)
{
        struct target t;

        if (!read_target(v, &t))
                return;
        FUZZ_CHECK(t.ek_key && t.epoch_name.len && t.floor_name.len);
        target_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const decoders[])(struct view) = {approval, secret, delegation, target};

        if (size > 0)
                decoders[data[0] % 4](VIEW(data + 1, size - 1));
        return 0;
}
