/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages. Strangers control what the registrar and the verifier read (a registration and a session's
 * first message need no identity), hosts what attestations bring, and whoever stands in for a server what the
 * agent reads. The first byte chooses the decoder, so that one corpus serves all; what a decoder accepts must
 * encode, and decode again.
 */
#include "fuzz/fuzz.h"
#include "wire/attestation.h"
#include "wire/ear.h"
#include "wire/envelope.h"
#include "wire/launch.h"
#include "wire/problem.h"
#include "wire/registration.h"
#include "wire/release.h"
#include "wire/retry.h"
#include "wire/session.h"
#include "wire/v2host.h"
#include "wire/version.h"

#include "base/mem.h"

#define KEEP(m) ((void)(m))

/* Decodes; what succeeds is encoded and decoded once more. */
#define ROUND_TRIP(name, type, decode, encode_call, done)                                                    \
        static void name(struct view v)                                                                      \
        {                                                                                                    \
                struct err err = ERR_INIT;                                                                   \
                struct buf out = {0};                                                                        \
                type m, again;                                                                               \
                if (decode(v, &m, &err) < 0)                                                                 \
                        return;                                                                              \
                FUZZ_CHECK(encode_call == 0);                                                                \
                FUZZ_CHECK(decode(VIEW_BUF(&out), &again, &err) == 0);                                       \
                done(&m);                                                                                    \
                done(&again);                                                                                \
                buf_free(&out);                                                                              \
        }

#define DECODE(name, type, decode, done)                                                                     \
        static void name(struct view v)                                                                      \
        {                                                                                                    \
                struct err err = ERR_INIT;                                                                   \
                type m;                                                                                      \
                if (decode(v, &m, &err) == 0)                                                                \
                        done(&m);                                                                            \
        }

ROUND_TRIP(session_request, struct wire_session_request, wire_session_request_decode,
           wire_session_request_encode(m.host, &out, &err), KEEP)
ROUND_TRIP(session_challenge, struct wire_session_challenge, wire_session_challenge_decode,
           wire_session_challenge_encode(&m, &out, &err), KEEP)
ROUND_TRIP(session_proof, struct wire_session_proof, wire_session_proof_decode,
           wire_session_proof_encode(&m, &out, &err), wire_session_proof_done)
ROUND_TRIP(session_result, struct wire_session_result, wire_session_result_decode,
           wire_session_result_encode(&m, NULL, VIEW_NONE, &out, &err), wire_session_result_done)
DECODE(capabilities, struct wire_capabilities, wire_capabilities_decode, wire_capabilities_done)
ROUND_TRIP(request, struct wire_request, wire_request_decode, wire_request_encode(&m, &out, &err), KEEP)
ROUND_TRIP(evidence, struct wire_evidence, wire_evidence_decode, wire_evidence_encode(&m, &out, &err),
           wire_evidence_done)
ROUND_TRIP(outcome, struct wire_outcome, wire_outcome_decode, wire_outcome_encode(&m, "web-1", 1, &out, &err),
           wire_outcome_done)
ROUND_TRIP(wait_answer, struct wire_meta, wire_wait_decode, wire_wait_encode(&m, &out, &err), wire_meta_done)
ROUND_TRIP(registration, struct wire_registration, wire_registration_decode,
           wire_registration_encode(&m, &out, &err), wire_registration_done)
ROUND_TRIP(names, struct wire_names, wire_names_decode,
           wire_names_encode((const char *const *)m.name, m.n, &out, &err), wire_names_done)
ROUND_TRIP(record, struct wire_registrar_record, wire_registrar_record_decode,
           wire_registrar_record_encode(&m, &out, &err), wire_registrar_record_done)
ROUND_TRIP(versions, struct wire_versions, wire_versions_decode, wire_versions_encode(&m, &out, &err), KEEP)
DECODE(envelope, struct wire_envelope, wire_envelope_decode, wire_envelope_done)
DECODE(problem, struct wire_problem, wire_problem_decode, wire_problem_done)
DECODE(v2_add, struct wire_v2_add, wire_v2_add_decode, wire_v2_add_done)

ROUND_TRIP(release_request, struct wire_release_request, wire_release_request_decode,
           wire_release_request_encode(&m, &out, &err), KEEP)
ROUND_TRIP(release_challenge, struct wire_release_challenge, wire_release_challenge_decode,
           wire_release_challenge_encode(&m, &out, &err), KEEP)
DECODE(release_answer, struct wire_release_answer, wire_release_answer_decode, wire_release_answer_done)
DECODE(ear_claims, struct wire_ear, wire_ear_decode, wire_ear_done)
DECODE(ear_keys, struct wire_ear_keys, wire_ear_keys_parse, wire_ear_keys_done)

ROUND_TRIP(launch_request, struct wire_launch_request, wire_launch_request_decode,
           wire_launch_request_encode(&m, &out, &err), wire_launch_request_done)
DECODE(launch_answer, struct wire_launch_answer, wire_launch_answer_decode, wire_launch_answer_done)

DECODE(event, struct wire_meta, wire_event_decode, wire_meta_done)
DECODE(order, struct wire_meta, wire_order_decode, wire_meta_done)

static void blob(struct view v)
{
        struct err err = ERR_INIT;
        struct buf b = {0};
        if (wire_challenge_blob_decode(v, &b, &err) == 0)
                FUZZ_CHECK(b.len <= WIRE_BLOB_MAX);
        buf_free(&b);
}

static void activation(struct view v)
{
        struct err err = ERR_INIT;
        uint8_t tag[WIRE_AUTH_TAG_BYTES];
        (void)!wire_activation_decode(v, tag, &err);
}

static void headers(struct view v)
{
        struct buf text = {0};
        int64_t wait_ms = 0;
        uint64_t index = 0;
        buf_put_view(&text, v);
        char *s = buf_take_str(&text);
        if (s == NULL)
                return;
        if (wire_retry_after_decode(s, 1795282871000, &wait_ms))
                FUZZ_CHECK(wait_ms >= 0 && wait_ms <= 86400000);
        (void)!wire_location_index(s, &index);
        free(s);
}

/* New ones go to the end: the corpus names them by their place. */
static void (*const decoders[])(struct view v) = {
        session_request,
        session_challenge,
        session_proof,
        session_result,
        capabilities,
        request,
        evidence,
        outcome,
        registration,
        names,
        record,
        versions,
        envelope,
        problem,
        v2_add,
        blob,
        activation,
        headers,
        wait_answer,
        release_request,
        release_challenge,
        release_answer,
        ear_claims,
        ear_keys,
        event,
        order,
        launch_request,
        launch_answer,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size > 0)
                decoders[(size_t)(data[0] - 'a') % ARRAY_LEN(decoders)](VIEW(data + 1, size - 1));
        return 0;
}
