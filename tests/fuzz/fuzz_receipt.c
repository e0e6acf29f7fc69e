/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts. In production a host that nobody has to believe made the file, and it came by mail; the payload
 * in it is read before any signature. A countersignature is read after its signature was good, so here a key
 * signs whatever comes.
 */
#include <stdlib.h>

#include "crypto/jws.h"
#include "evidence/receipt.h"
#include "evidence/receipt_countersign.h"
#include "fuzz/fuzz.h"

static void try_countersignature(struct view claims)
{
        struct receipt_countersign c;
        struct key *key = NULL;
        struct pubkey *public = NULL;
        struct err err = ERR_INIT;
        char *jws = NULL;
        bool good = false;

        FUZZ_CHECK(key_generate_ec(CURVE_P256, &key, &err) == 0);
        FUZZ_CHECK(key_public(key, &public, &err) == 0);
        if (jws_sign(key, RECEIPT_COUNTERSIGN_TYP, claims, &jws, &err) == 0 &&
            receipt_countersign_open(view_str(jws), public, &c, &good, &err) == 0) {
                FUZZ_CHECK(good && c.status < RECEIPT_N_STATUS && c.link < RECEIPT_N_LINKS && c.host);
                receipt_countersign_done(&c);
        }
        free(jws);
        pubkey_free(public);
        key_free(key);
}

static void try_payload(struct view payload)
{
        AUTO(buf_free) struct buf again = {0};
        struct receipt r;
        struct err err = ERR_INIT;

        if (receipt_payload_decode(payload, &r, &err) < 0)
                return;
        FUZZ_CHECK(receipt_payload_encode(&r, &again, &err) == 0);
        FUZZ_CHECK(view_equal(payload, VIEW_BUF(&again)));
        receipt_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(receipt_file_done) struct receipt_file f = {.countersignature = NULL};
        AUTO(receipt_file_done) struct receipt_file again = {.countersignature = NULL};
        AUTO(buf_free) struct buf text = {0}, text2 = {0};
        struct receipt_verdict v;
        struct err err = ERR_INIT;

        try_countersignature(VIEW(data, size));
        try_payload(VIEW(data, size));
        if (receipt_file_decode(VIEW(data, size), &f, &err) < 0)
                return 0;
        FUZZ_CHECK(receipt_file_encode(&f, &text, &err) == 0);
        FUZZ_CHECK(receipt_file_decode(VIEW_BUF(&text), &again, &err) == 0);
        FUZZ_CHECK(receipt_file_encode(&again, &text2, &err) == 0);
        FUZZ_CHECK(view_equal(VIEW_BUF(&text), VIEW_BUF(&text2)));
        FUZZ_CHECK(receipt_judge(&f, NULL, &v, &err) == 0);
        FUZZ_CHECK(!v.why == (v.answer[RECEIPT_CHECK_BOOT] == RECEIPT_GOOD));
        receipt_verdict_done(&v);
        return 0;
}
