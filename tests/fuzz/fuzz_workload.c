/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of workloads. Strangers control all of it: the Trust Monitor's body (a length, a signature, a
 * certificate), whose certificate and signature are read and looked up before anybody is known, and our own.
 * People with a role control lists and records. The first byte chooses; what a decoder takes must pack, and
 * unpack to the same.
 */
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/ecdsa_find.h"
#include "fuzz/fuzz.h"
#include "wire/workload.h"

static void monitor(struct view v)
{
        struct workload_body body;
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        struct ecdsa_key *key = NULL;
        struct ecdsa_hint hint;

        if (workload_body_decode(v, &body, &err) < 0)
                return;
        FUZZ_CHECK(body.signature.len + body.certificate.len + 1 == v.len);
        if (cert_parse_der(body.certificate, &cert, &err) == 0 && cert_pubkey(cert) &&
            ecdsa_key_new(cert_pubkey(cert), &key, &err) == 0)
                FUZZ_CHECK(ecdsa_hint(key, body.signature, &hint, &err) >= 0);
        ecdsa_key_free(key);
        cert_free(cert);
}

static void evidence(struct view v)
{
        struct workload_evidence e;
        struct err err = ERR_INIT;
        struct buf message = {0};

        if (workload_evidence_decode(v, &e, &err) < 0)
                return;
        FUZZ_CHECK(e.n_chain > 0 && e.n_chain <= WORKLOAD_CHAIN_MAX);
        FUZZ_CHECK(workload_signed_bytes(&e, "verifier", &message, &err) == 0);
        buf_free(&message);
        workload_evidence_done(&e);
}

static void keep(struct workload_list *l)
{
        struct workload_list again;
        struct err err = ERR_INIT;
        struct buf blob = {0};

        FUZZ_CHECK(workload_list_count(l) > 0);
        FUZZ_CHECK(workload_list_pack(l, &blob, &err) == 0);
        FUZZ_CHECK(workload_list_unpack(VIEW_BUF(&blob), &again, &err) == 0);
        FUZZ_CHECK(workload_list_count(&again) == workload_list_count(l));
        workload_list_done(&again);
        workload_list_done(l);
        buf_free(&blob);
}

#define LIST(name, decode)                                                                                   \
        static void name(struct view v)                                                                      \
        {                                                                                                    \
                struct workload_list l;                                                                      \
                struct err err = ERR_INIT;                                                                   \
                if (decode(v, &l, &err) == 0)                                                                \
                        keep(&l);                                                                            \
        }
LIST(list, workload_list_decode)
LIST(whitelist, workload_whitelist_decode)
LIST(stored, workload_list_unpack)

static void records(struct view v)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        if (workload_entity_decode(v, false, &j, &err) == 0)
                json_decref(j);
        j = NULL;
        if (workload_verifier_decode(v, &j, &err) == 0)
                json_decref(j);
}

/* New ones go to the end: the corpus names them by their place. */
static void (*const decoders[])(struct view v) = {monitor, evidence, list, whitelist, stored, records};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size > 0)
                decoders[(size_t)(data[0] - 'a') % ARRAY_LEN(decoders)](VIEW(data + 1, size - 1));
        return 0;
}
