/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of wipes, and the orders in them. In production a host that was just revoked controls the proof; the
 * order's text is read only after its signature was good, so here a key signs whatever comes.
 */
#include "crypto/jws.h"
#include "evidence/wipe_proof.h"
#include "fuzz/fuzz.h"

static void try_order(struct view payload)
{
        struct key *key = NULL;
        struct pubkey *public = NULL;
        struct revocation_order order;
        struct err err = ERR_INIT;
        char *jws = NULL;
        bool good = false;

        FUZZ_CHECK(key_generate_ec(CURVE_P256, &key, &err) == 0);
        FUZZ_CHECK(key_public(key, &public, &err) == 0);
        if (jws_sign(key, REVOCATION_TYP, payload, &jws, &err) == 0 &&
            revocation_order_open(view_str(jws), &public, 1, &order, &good, &err) == 0) {
                FUZZ_CHECK(good && order.reaction < REACTION_N);
                FUZZ_CHECK(order.reaction != REACTION_DESTROY || (order.has_epoch && order.index_name.len));
                revocation_order_done(&order);
        }
        free(jws);
        pubkey_free(public);
        key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(wipe_proof_free_p) struct wipe_proof *p = NULL;
        AUTO(wipe_proof_free_p) struct wipe_proof *again = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(buf_free) struct buf text2 = {0};
        struct wipe_expected nobody = {.n_keys = 0, .pcr = 15};
        struct wipe_verdict verdict;
        struct err err = ERR_INIT;

        try_order(VIEW(data, size));
        if (wipe_proof_decode(VIEW(data, size), &p, &err) < 0)
                return 0;
        FUZZ_CHECK(wipe_proof_encode(p, &text, &err) == 0);
        FUZZ_CHECK(wipe_proof_decode(VIEW_BUF(&text), &again, &err) == 0);
        FUZZ_CHECK(wipe_proof_encode(again, &text2, &err) == 0);
        FUZZ_CHECK(view_equal(VIEW_BUF(&text), VIEW_BUF(&text2)));
        FUZZ_CHECK(wipe_proof_judge(p, &nobody, &verdict, &err) == 0);
        FUZZ_CHECK(!verdict.proven && verdict.why); /* nobody signed it */
        wipe_verdict_done(&verdict);
        return 0;
}
