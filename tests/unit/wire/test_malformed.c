/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every decoder of lib/wire on bytes that are almost a message: each truncation and each flipped bit of a
 * sample, and each allocation failing. None may crash, read past the end or leak, no error may go unsaid, and
 * what failed must not have touched its output.
 */
#include "samples.h"
#include "support/support.h"
#include "wire/attestation.h"
#include "wire/envelope.h"
#include "wire/launch.h"
#include "wire/problem.h"
#include "wire/registration.h"
#include "wire/release.h"
#include "wire/session.h"
#include "wire/v2host.h"
#include "wire/version.h"

/* One decoder behind one type: its output is poisoned first, and freed if it succeeded. */
#define NO_DONE(m) ((void)(m))
#define DECODER(name, type, decode, done)                                                                    \
        static int name(struct view v, struct err *err)                                                      \
        {                                                                                                    \
                type m;                                                                                      \
                POISON(m);                                                                                   \
                int r = decode(v, &m, err);                                                                  \
                if (r == 0)                                                                                  \
                        done(&m);                                                                            \
                else                                                                                         \
                        assert_poisoned(m);                                                                  \
                return r;                                                                                    \
        }

DECODER(session_request, struct wire_session_request, wire_session_request_decode, NO_DONE)
DECODER(session_challenge, struct wire_session_challenge, wire_session_challenge_decode, NO_DONE)
DECODER(session_proof, struct wire_session_proof, wire_session_proof_decode, wire_session_proof_done)
DECODER(session_result, struct wire_session_result, wire_session_result_decode, wire_session_result_done)
DECODER(capabilities, struct wire_capabilities, wire_capabilities_decode, wire_capabilities_done)
DECODER(request, struct wire_request, wire_request_decode, NO_DONE)
DECODER(evidence, struct wire_evidence, wire_evidence_decode, wire_evidence_done)
DECODER(outcome, struct wire_outcome, wire_outcome_decode, wire_outcome_done)
DECODER(wait_answer, struct wire_meta, wire_wait_decode, wire_meta_done)
DECODER(event, struct wire_meta, wire_event_decode, wire_meta_done)
DECODER(release_request, struct wire_release_request, wire_release_request_decode, NO_DONE)
DECODER(release_challenge, struct wire_release_challenge, wire_release_challenge_decode, NO_DONE)
DECODER(release_answer, struct wire_release_answer, wire_release_answer_decode, wire_release_answer_done)
DECODER(launch_request, struct wire_launch_request, wire_launch_request_decode, wire_launch_request_done)
DECODER(launch_answer, struct wire_launch_answer, wire_launch_answer_decode, wire_launch_answer_done)
DECODER(registration, struct wire_registration, wire_registration_decode, wire_registration_done)
DECODER(names, struct wire_names, wire_names_decode, wire_names_done)
DECODER(record, struct wire_registrar_record, wire_registrar_record_decode, wire_registrar_record_done)
DECODER(versions, struct wire_versions, wire_versions_decode, NO_DONE)
DECODER(envelope, struct wire_envelope, wire_envelope_decode, wire_envelope_done)
DECODER(problem, struct wire_problem, wire_problem_decode, wire_problem_done)
DECODER(v2_add, struct wire_v2_add, wire_v2_add_decode, wire_v2_add_done)

static int blob(struct view v, struct err *err)
{
        struct buf b = {0};
        int r = wire_challenge_blob_decode(v, &b, err);
        buf_free(&b);
        return r;
}

static int activation(struct view v, struct err *err)
{
        uint8_t tag[WIRE_AUTH_TAG_BYTES];
        return wire_activation_decode(v, tag, err);
}

static const struct row {
        int (*decode)(struct view v, struct err *err);
        const char *sample;
} rows[] = {
        {session_request, KL_SESSION_REQUEST},
        {session_challenge, KL_SESSION_CHALLENGE},
        {session_challenge, AV_SESSION_CHALLENGE},
        {session_proof, KL_SESSION_PROOF},
        {session_result, KL_SESSION_RESULT},
        {session_result, KL_SESSION_FAIL},
        {capabilities, KL_CAPABILITIES},
        {request, KL_REQUEST},
        {evidence, KL_EVIDENCE},
        {evidence, AV_EVIDENCE},
        {evidence, AV_COUNTERS},
        {outcome, KL_ACK},
        {outcome, AV_OUTCOME},
        {outcome, AV_OUTCOME_REVOKED},
        {session_result, AV_SESSION_RESULT},
        {wait_answer, AV_WAIT},
        {event, AV_EVENT},
        {release_request, AV_RELEASE_REQUEST},
        {release_challenge, AV_RELEASE_CHALLENGE},
        {release_answer, AV_RELEASE},
        {release_answer, AV_NO_RELEASE},
        {launch_request, AV_LAUNCH_REQUEST},
        {launch_answer, AV_LAUNCH_GRANTED},
        {launch_answer, AV_LAUNCH_REFUSED},
        {registration, KL_REGISTRATION},
        {blob, KL_BLOB},
        {activation, KL_ACTIVATION},
        {names, KL_NAMES},
        {names, KL_UUIDS},
        {record, KL_RECORD},
        {versions, KL_VERSIONS},
        {envelope, KL_NAMES},
        {problem,
         "{\"type\":\"urn:avow:problem:limit\",\"title\":\"Too much\",\"status\":413,\"where\":\"body\"}"},
        {problem, "{\"errors\":[{\"status\":\"403\",\"code\":\"challenges_expired\",\"detail\":\"no\"}]}"},
        {v2_add, KL_ADD},
};

/* A call with any bytes: success, or an error that says what it is. */
static int try_bytes(const struct row *row, struct view v)
{
        struct err err = ERR_INIT;
        int r = row->decode(v, &err);
        if (r < 0) {
                assert_int_equal(r, -(int)err.kind);
                assert_true(err.kind == ERR_FORMAT || err.kind == ERR_LIMIT || err.kind == ERR_PEER);
                assert_true(err.text[0] != '\0');
        }
        return r;
}

static void samples_decode(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err err = ERR_INIT;
                struct guarded g;
                assert_ok(rows[i].decode(guard_bytes(&g, view_str(rows[i].sample)), &err), &err);
                guard_free(&g);
        }
}

static void truncated(struct view v, const char *what, void *ctx)
{
        (void)what;
        assert_true(try_bytes(ctx, v) < 0);
}

static void flipped(struct view v, const char *what, void *ctx)
{
        (void)what;
        (void)try_bytes(ctx, v); /* many a flip makes another valid message */
}

static void every_truncation(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                each_truncation(view_str(rows[i].sample), truncated, (void *)&rows[i]);
}

static void every_flipped_bit(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                each_bit_flip(view_str(rows[i].sample), flipped, (void *)&rows[i]);
}

static int decode_row(void *ctx, struct err *err)
{
        const struct row *row = ctx;
        return row->decode(view_str(row->sample), err);
}

static void every_allocation(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                oom_each(decode_row, (void *)&rows[i]);
}

/* One secret asked for twice. */
#define TWICE                                                                                                \
        "{\"schema\":\"avow.release-request/1\",\"secrets\":[{\"approval\":\"" H32(                          \
                "0a") "\",\"name\":\"db\","                                                                  \
                      "\"nonce\":\"" H32("01") "\"},{\"approval\":\"" H32(                                   \
                              "0b") "\",\"name\":\"db\",\"nonce\":\"" H32("02") "\"}]}"

/* Members that must be there, one by one of the wrong kind. */
static const struct {
        int (*decode)(struct view v, struct err *err);
        const char *text, *part;
} wrong[] = {
        {session_request, "[]", "object"},
        {session_request, "{\"data\":{\"type\":\"session\",\"attributes\":{}},\"extra\":1}", "extra"},
        {session_request, "{\"data\":{\"type\":\"attestation\",\"attributes\":{}}}", "session"},
        {session_request,
         "{\"data\":{\"type\":\"session\",\"attributes\":{\"agent_id\":\"../"
         "x\",\"authentication_supported\":[]}}}",
         "agent_id"},
        {session_proof,
         "{\"data\":{\"type\":\"session\",\"id\":\"1\",\"attributes\":{\"agent_id\":\"a\",\"authentication_"
         "provided\":[]}}}",
         "UUID"},
        {session_proof,
         "{\"data\":{\"type\":\"session\",\"attributes\":{\"agent_id\":\"a\",\"authentication_provided\":[]}}"
         "}",
         "tpm_pop"},
        {evidence,
         "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_type\":"
         "\"ima_log\",\"data\":{}},{\"evidence_type\":\"ima_log\",\"data\":{}}]}}}",
         "twice"},
        {evidence,
         "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_type\":"
         "\"ima_log\",\"data\":{\"entries\":\"\",\"avow\":{\"format\":\"text/html\"}}}]}}}",
         "expected 'text/plain'"},
        {evidence,
         "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_type\":"
         "\"ima_log\",\"data\":{\"entries\":\"10 "
         "x\",\"avow\":{\"format\":\"application/octet-stream\"}}}]}}}",
         "base64"},
        {evidence,
         "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_type\":"
         "\"ima_log\",\"data\":{\"entries\":\"\",\"avow\":{\"entry_total\":-1}}}]}}}",
         "entry_total"},
        {evidence,
         "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{\"evidence_type\":"
         "\"tee_nitro\",\"data\":{}}]}}}",
         "tee_nitro"},
        {release_request, "{\"schema\":\"avow.release-request/1\",\"secrets\":[]}", "at least one"},
        {release_request, "{\"schema\":\"avow.release-request/2\",\"secrets\":[]}", "schema"},
        {release_request, "{\"schema\":\"avow.release-request/1\",\"secrets\":[],\"lease\":9}", "lease"},
        {release_request,
         "{\"schema\":\"avow.release-request/1\",\"secrets\":[{\"approval\":\"" H32(
                 "0a") "\",\"name\":\"../db\",\"nonce\":\"" H32("01") "\"}]}",
         "name"},
        {release_request,
         "{\"schema\":\"avow.release-request/1\",\"secrets\":[{\"approval\":\"" H32(
                 "0a") "\",\"name\":\"db\",\"nonce\":\"01\"}]}",
         "32 bytes"},
        {release_request, TWICE, "twice"},
        {release_challenge, "{\"id\":\"../1\",\"next\":{},\"schema\":\"avow.release-challenge/1\"}", "UUID"},
        {release_answer, "{\"lease_s\":0,\"releases\":[],\"schema\":\"avow.release/1\"}", "lease_s"},
        {release_answer, "{\"lease_s\":1,\"releases\":[],\"schema\":\"avow.release/1\"}", "at least one"},
        {registration, "{\"mtls_cert\":\"yes\"}", "mtls_cert"},
        {registration, "{\"port\":70000}", "port"},
        {activation, "{\"auth_tag\":\"00\"}", "auth_tag"},
        {names, "{\"code\":200,\"status\":\"Success\",\"results\":{\"uuids\":[\"a b\"]}}", "uuids"},
        {names, "{\"code\":404,\"status\":\"no\",\"results\":{}}", "404"},
        {versions, "{\"code\":200,\"results\":{\"supported_versions\":[\"2.x\"]}}", "supported_versions"},
        {v2_add, "{\"tpm_policy\":\"{\\\"24\\\": \\\"00\\\"}\"}", "tpm_policy"},
        {v2_add, "{\"tpm_policy\":\"{\\\"1\\\": \\\"00\\\"}\"}", "40, 64, 96 or 128"},
        {v2_add, "{\"tpm_policy\":\"[]\"}", "object"},
};

static void wrong_documents(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                struct err err = ERR_INIT;
                int r = wrong[i].decode(view_str(wrong[i].text), &err);
                assert_true(r < 0);
                if (strstr(err.text, wrong[i].part) == NULL)
                        fail_msg("%s: expected '%s' in: %s", wrong[i].text, wrong[i].part, err.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(samples_decode),    cmocka_unit_test(every_truncation),
                cmocka_unit_test(every_flipped_bit), cmocka_unit_test(every_allocation),
                cmocka_unit_test(wrong_documents),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
