/* SPDX-License-Identifier: Apache-2.0 */
/* The v2 bodies: registrar both ways, and the verifier's about hosts. */
#include "base/json.h"
#include "samples.h"
#include "support/support.h"
#include "wire/envelope.h"
#include "wire/registration.h"
#include "wire/v2host.h"

static void rust_agent_registers(void **state)
{
        struct err err = ERR_INIT;
        struct wire_registration m, n;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_registration_decode(view_str(KL_REGISTRATION), &m, &err), &err);
        assert_string_equal(m.host, "");
        assert_int_equal(m.ek.len, 4);
        assert_int_equal(m.ak.len, 4);
        assert_non_null(m.ek_cert_pem);
        assert_int_equal(m.ek_cert_der.len, 0);
        assert_int_equal(m.mtls, WIRE_MTLS_DISABLED);
        assert_string_equal(m.ip, "127.0.0.1");
        assert_int_equal(m.port, 9002);
        assert_int_equal(m.iak.len, 0);
        assert_ok(wire_registration_encode(&m, &out, &err), &err);
        assert_ok(wire_registration_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_string_equal(n.ek_cert_pem, m.ek_cert_pem);
        assert_int_equal(n.port, 9002);
        wire_registration_done(&m);
        wire_registration_done(&n);
        buf_free(&out);
}

static void registration_forms(void **state)
{
        struct err err = ERR_INIT;
        struct wire_registration m;
        (void)state;
        assert_ok(wire_registration_decode(
                          view_str("{\"agent_id\":\"web-1\",\"ek_tpm\":\"AAIAAQ==\",\"ekcert\":\"MAA=\"}"),
                          &m, &err),
                  &err);
        assert_string_equal(m.host, "web-1");
        assert_int_equal(m.ek_cert_der.len, 2);
        assert_int_equal(m.mtls, WIRE_MTLS_ABSENT);
        assert_int_equal(m.port, -1);
        assert_null(m.ip);
        wire_registration_done(&m);
        wire_registration_done(&m);
        /* What a stranger may not do: bytes without end. */
        struct buf big = {0};
        buf_str(&big, "{\"ek_tpm\":\"");
        for (int i = 0; i < 2000; i++)
                buf_str(&big, "AAAA");
        buf_str(&big, "\"}");
        POISON(m);
        assert_err(wire_registration_decode(VIEW_BUF(&big), &m, &err), ERR_LIMIT, &err, "ek_tpm");
        assert_poisoned(m);
        buf_free(&big);
}

static void registrar_answers(void **state)
{
        struct err err = ERR_INIT;
        struct buf out = {0}, blob = {0};
        uint8_t tag[WIRE_AUTH_TAG_BYTES];
        struct wire_names names;
        (void)state;
        assert_ok(wire_challenge_blob_decode(view_str(KL_BLOB), &blob, &err), &err);
        assert_int_equal(blob.len, 8);
        assert_ok(wire_challenge_blob_encode(VIEW_BUF(&blob), &out, &err), &err);
        buf_reset(&blob);
        assert_ok(wire_challenge_blob_decode(VIEW_BUF(&out), &blob, &err), &err);
        assert_int_equal(blob.len, 8);
        buf_reset(&out);
        assert_ok(wire_activation_decode(view_str(KL_ACTIVATION), tag, &err), &err);
        assert_int_equal(tag[47], 47);
        assert_ok(wire_activation_encode(VIEW_ARRAY(tag), &out, &err), &err);
        assert_view(VIEW_BUF(&out), KL_ACTIVATION);
        buf_reset(&out);
        const char *const list[] = {"web-1", "web-2"};
        assert_ok(wire_names_encode(list, 2, &out, &err), &err);
        assert_ok(wire_names_decode(VIEW_BUF(&out), &names, &err), &err);
        assert_int_equal(names.n, 2);
        assert_string_equal(names.name[1], "web-2");
        wire_names_done(&names);
        buf_reset(&out);
        assert_ok(wire_v2_uuids_encode(list, 2, &out, &err), &err);
        assert_ok(wire_names_decode(VIEW_BUF(&out), &names, &err), &err);
        assert_string_equal(names.name[0], "web-1");
        wire_names_done(&names);
        buf_free(&out);
        buf_free(&blob);
}

static void registrar_record(void **state)
{
        struct err err = ERR_INIT;
        struct wire_registrar_record m, n;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_registrar_record_decode(view_str(KL_RECORD), &m, &err), &err);
        assert_int_equal(m.regcount, 2);
        assert_int_equal(m.port, -1);
        assert_null(m.ip);
        assert_string_equal(m.mtls_cert, "disabled");
        assert_ok(wire_registrar_record_encode(&m, &out, &err), &err);
        assert_ok(wire_registrar_record_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_string_equal(n.host, "web-1");
        assert_true(view_equal(VIEW_BUF(&m.ek), VIEW_BUF(&n.ek)));
        wire_registrar_record_done(&m);
        wire_registrar_record_done(&n);
        buf_free(&out);
}

static void tenant_adds(void **state)
{
        struct err err = ERR_INIT;
        struct wire_v2_add m, n;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_v2_add_decode(view_str(KL_ADD), &m, &err), &err);
        assert_null(m.ip);
        assert_int_equal(m.port, -1);
        assert_false(m.has_v);
        assert_int_equal(m.pcrs.n, 2);
        assert_int_equal(m.pcrs.value[0].index, 15);
        assert_int_equal(m.pcrs.value[0].len, 32);
        assert_int_equal(m.pcrs.value[1].len, 20);
        assert_int_equal(m.runtime_policy.len, 0);
        assert_null(m.ima_keys);
        assert_null(m.mb_policy);
        assert_string_equal(m.metadata, "{}");
        assert_int_equal(json_array_size(m.accept_enc), 2);
        assert_string_equal(m.supported_version, "3.0");
        assert_ok(wire_v2_add_encode(&m, &out, &err), &err);
        assert_ok(wire_v2_add_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_int_equal(n.pcrs.n, 2);
        wire_v2_add_done(&m);
        wire_v2_add_done(&n);
        buf_free(&out);
}

static void verifier_records(void **state)
{
        struct err err = ERR_INIT;
        struct buf out = {0};
        struct wire_envelope e;
        const char *text = NULL;
        (void)state;
        struct wire_v2_record m = {
                .operational_state = 3,
                .port = -1,
                .verifier_port = 8881,
                .verifier_id = "default",
                .attestation_status = "PASS",
                .attestation_count = 5,
                .last_success_at_ms = 1795282871123,
                .interval_ms = 1500,
        };
        assert_ok(wire_v2_record_encode(&m, &out, &err), &err);
        assert_ok(wire_envelope_decode(VIEW_BUF(&out), &e, &err), &err);
        assert_ok(json_get_str(e.results, "attestation_period", &text, &err), &err);
        assert_string_equal(text, "2s");
        assert_ok(json_get_str(e.results, "maximum_attestation_interval", &text, &err), &err);
        assert_string_equal(text, "8s");
        assert_true(json_is_null(json_object_get(e.results, "v")));
        assert_true(json_is_null(json_object_get(e.results, "severity_level")));
        assert_int_equal(json_integer_value(json_object_get(e.results, "last_successful_attestation")),
                         1795282871);
        assert_int_equal(json_integer_value(json_object_get(e.results, "has_mb_refstate")), 0);
        wire_envelope_done(&e);
        buf_reset(&out);
        const char *const names[] = {"web-1", "web-2"};
        const struct wire_v2_record list[] = {m, m};
        assert_ok(wire_v2_bulk_encode(names, list, 2, &out, &err), &err);
        assert_ok(wire_envelope_decode(VIEW_BUF(&out), &e, &err), &err);
        assert_int_equal(json_object_size(e.results), 2);
        wire_envelope_done(&e);
        buf_free(&out);
}

static int encode_all(void *ctx, struct err *err)
{
        const char *const names[] = {"web-1"};
        struct wire_v2_record record = {.port = -1};
        struct wire_registrar_record *m = ctx;
        struct buf out = {0};
        int r = wire_registrar_record_encode(m, &out, err);
        if (r == 0)
                r = wire_v2_bulk_encode(names, &record, 1, &out, err);
        if (r == 0)
                r = wire_v2_uuids_encode(names, 1, &out, err);
        if (r == 0)
                r = wire_names_encode(names, 1, &out, err);
        if (r == 0)
                r = wire_challenge_blob_encode(VIEW_BUF(&m->ek), &out, err);
        buf_free(&out);
        return r;
}

static void encoders_out_of_memory(void **state)
{
        struct err err = ERR_INIT;
        struct wire_registrar_record m;
        (void)state;
        assert_ok(wire_registrar_record_decode(view_str(KL_RECORD), &m, &err), &err);
        oom_each(encode_all, &m);
        wire_registrar_record_done(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rust_agent_registers),
                cmocka_unit_test(registration_forms),
                cmocka_unit_test(registrar_answers),
                cmocka_unit_test(registrar_record),
                cmocka_unit_test(tenant_adds),
                cmocka_unit_test(verifier_records),
                cmocka_unit_test(encoders_out_of_memory),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
