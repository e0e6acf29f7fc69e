/* SPDX-License-Identifier: Apache-2.0 */
/* Between the TPM half's answers and the wire. */
#include "agent/net_convert.h"
#include "evidence/pcr_blob.h"
#include "net_fake.h"

static void registration(void **state)
{
        struct err err = ERR_INIT;
        struct privsep_identity id;
        struct wire_registration m;
        uint8_t ak[128];
        (void)state;
        fake_identity(&id, ak);
        assert_ok(net_registration(&id, "-----BEGIN CERTIFICATE-----\n", &m, &err), &err);
        assert_view(VIEW_BUF(&m.ek), "EK");
        assert_int_equal(m.ak.len, 90);
        assert_int_equal(m.mtls, WIRE_MTLS_PEM);
        assert_string_equal(m.ek_cert_pem,
                            "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n");
        wire_registration_done(&m);
        id.ek_certificate = view_str("no DER");
        assert_ok(net_registration(&id, NULL, &m, &err), &err);
        assert_int_equal(m.mtls, WIRE_MTLS_DISABLED);
        assert_null(m.ek_cert_pem);
        assert_view(VIEW_BUF(&m.ek_cert_der), "no DER");
        wire_registration_done(&m);
}

static void pem_chains(void **state)
{
        static const uint8_t der[] = {0x30, 0x01, 0x00, 0x30, 0x81, 0x01, 0x00, 0xff, 0xff};
        static const uint8_t lies[] = {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00};
        static const uint8_t cut[] = {0x30, 0x02, 0x00};
        uint8_t large[4 + 200] = {0x30, 0x81, 201 - 1};
        struct buf out = {0};
        (void)state;
        net_pem_chain(VIEW_ARRAY(der), &out);
        assert_view(VIEW_BUF(&out), "-----BEGIN CERTIFICATE-----\nMAEA\n-----END CERTIFICATE-----\n"
                                    "-----BEGIN CERTIFICATE-----\nMIEBAA==\n-----END CERTIFICATE-----\n");
        buf_reset(&out);
        net_pem_chain(VIEW_ARRAY(lies), &out);
        net_pem_chain(VIEW_ARRAY(cut), &out);
        net_pem_chain(VIEW_NONE, &out);
        assert_int_equal(out.len, 0);
        /* Lines of 64 characters. */
        net_pem_chain(VIEW(large, 203), &out);
        char *text = buf_take_str(&out);
        assert_non_null(text);
        for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
                assert_true(end - line <= 64);
        free(text);
}

static void capabilities(void **state)
{
        struct err err = ERR_INIT;
        struct privsep_identity id;
        struct wire_capabilities m;
        uint8_t ak[128];
        (void)state;
        fake_identity(&id, ak);
        assert_ok(net_capabilities(&id, true, &m, &err), &err);
        assert_int_equal(m.avow_version, 1);
        assert_true(m.log[WIRE_CEL_LOG].offered);
        assert_int_equal(m.log[WIRE_CEL_LOG].entry_count, 1);
        assert_int_equal(m.quote.subjects.n, 3);
        assert_true(m.quote.ecc);
        assert_int_equal(m.quote.key_bits, 256);
        assert_int_equal(m.quote.schemes[0], WIRE_ECDSA);
        assert_int_equal(m.quote.ak_public.len, 88);
        wire_capabilities_done(&m);
        assert_ok(net_capabilities(&id, false, &m, &err), &err);
        assert_int_equal(m.avow_version, 0);
        assert_false(m.log[WIRE_CEL_LOG].offered);
        assert_int_equal(m.quote.subjects.n, 1);
        assert_int_equal(m.quote.subjects.bank[0].alg, DIGEST_SHA256);
        wire_capabilities_done(&m);
}

static struct wire_asks asks_of(uint64_t offset)
{
        struct wire_asks asks = {.n = 2};
        asks.item[0] = (struct wire_ask){.type = WIRE_TPM_QUOTE,
                                         .challenge_len = 32,
                                         .scheme = WIRE_ECDSA,
                                         .hash = DIGEST_SHA256,
                                         .banks = {{{DIGEST_SHA256, 1u << 15}}, 1}};
        asks.item[1] = (struct wire_ask){.type = WIRE_CEL_LOG, .has_offset = true, .starting_offset = offset};
        return asks;
}

static void collecting(void **state)
{
        struct err err = ERR_INIT;
        struct wire_asks asks = asks_of(7);
        struct privsep_collect m;
        (void)state;
        assert_ok(net_collect(&asks, "", &m, &err), &err);
        assert_int_equal(m.bank, DIGEST_SHA256);
        assert_int_equal(m.mask, 1u << 15);
        assert_int_equal(m.log_offset, 7);
        assert_int_equal(m.log_max, NET_LOG_ENTRIES_MAX);
        asks.item[1].has_count = true;
        asks.item[1].entry_count = 3;
        assert_ok(net_collect(&asks, "", &m, &err), &err);
        assert_int_equal(m.log_max, 3);
        /* Several banks: the one of the hash algorithm, as Keylime's verifiers mean it. */
        asks.item[0].banks.n = 2;
        asks.item[0].banks.bank[1] = (struct wire_bank){DIGEST_SHA384, 1u << 10};
        asks.item[0].hash = DIGEST_SHA384;
        assert_ok(net_collect(&asks, "", &m, &err), &err);
        assert_int_equal(m.bank, DIGEST_SHA384);
}

/* What the kernel and the firmware wrote: offered if it is there, asked for by entry and byte, and sent as a
 * part of what there is. */
static void kernel_logs(void **state)
{
        struct err err = ERR_INIT;
        struct wire_asks asks = asks_of(0);
        struct privsep_identity id;
        struct privsep_collect c;
        struct privsep_evidence from;
        struct wire_capabilities offer;
        struct wire_evidence m;
        uint8_t ak[128];
        (void)state;
        fake_identity(&id, ak);
        id.has_ima = id.has_uefi = true;
        id.ima_entries = 70000;
        assert_ok(net_capabilities(&id, true, &offer, &err), &err);
        assert_true(offer.log[WIRE_IMA_LOG].binary && offer.log[WIRE_UEFI_LOG].offered);
        assert_int_equal(offer.log[WIRE_IMA_LOG].entry_count, 70000);
        wire_capabilities_done(&offer);
        asks.item[1] = (struct wire_ask){.type = WIRE_UEFI_LOG};
        asks.item[asks.n++] = (struct wire_ask){.type = WIRE_IMA_LOG,
                                                .binary = true,
                                                .has_offset = true,
                                                .starting_offset = 100,
                                                .starting_byte = 9999,
                                                .has_count = true,
                                                .entry_count = 20};
        assert_ok(net_collect(&asks, "", &c, &err), &err);
        assert_true(c.uefi && c.ima_offset == 100 && c.ima_at == 9999 && c.ima_max == 20);
        assert_int_equal(c.log_max, 0);
        fake_evidence(&from, 0);
        from.uefi = view_str("firmware");
        from.ima = view_str("list");
        from.ima_offset = 100;
        from.ima_count = 20;
        from.ima_total = 70000;
        assert_ok(net_evidence(&asks, &from, &m, &err), &err);
        assert_view(VIEW_BUF(&m.item[1].entries), "firmware");
        assert_view(VIEW_BUF(&m.item[2].entries), "list");
        assert_true(m.item[2].binary && m.item[2].entry_count == 20 && m.item[2].entry_total == 70000);
        wire_evidence_done(&m);
        from.ima_offset = 0; /* it began anew */
        assert_int_equal(net_evidence(&asks, &from, &m, &err), 1);
}

static void what_cannot_be_collected(void **state)
{
        struct err err = ERR_INIT;
        struct wire_asks asks = asks_of(0);
        struct privsep_collect m;
        (void)state;
        POISON(m);
        asks.item[0].banks.n = 0;
        assert_err(net_collect(&asks, "", &m, &err), ERR_PEER, &err, "no register");
        asks = asks_of(0);
        asks.item[0].banks.n = 2;
        asks.item[0].banks.bank[1] = (struct wire_bank){DIGEST_SHA384, 1u << 10};
        asks.item[0].hash = DIGEST_SHA1;
        assert_err(net_collect(&asks, "", &m, &err), ERR_PEER, &err, "several banks");
        asks = asks_of(UINT64_C(1) << 40);
        assert_err(net_collect(&asks, "", &m, &err), ERR_PEER, &err, "log entry");
        asks = asks_of(0);
        asks.item[1].type = WIRE_IMA_LOG;
        assert_err(net_collect(&asks, "", &m, &err), ERR_PEER, &err, "ima_log");
        asks.item[0].type = WIRE_CEL_LOG;
        assert_err(net_collect(&asks, "", &m, &err), ERR_PEER, &err, "without a quote");
        assert_poisoned(m);
}

static void evidence(void **state)
{
        struct err err = ERR_INIT;
        struct wire_asks asks = asks_of(0);
        struct privsep_evidence from;
        struct wire_evidence m;
        struct pcr_values values;
        (void)state;
        fake_evidence(&from, 0);
        from.counter_key = view_str("counter key");
        from.epoch = (struct privsep_counter){7, {view_str("epoch"), view_str("epoch's signature")}};
        from.floor = (struct privsep_counter){8, {view_str("floor"), view_str("floor's signature")}};
        assert_int_equal(net_evidence(&asks, &from, &m, &err), 0);
        assert_int_equal(m.n, 2);
        assert_view(VIEW_BUF(&m.item[0].counter_key), "counter key");
        assert_int_equal(m.item[0].epoch.index, 7);
        assert_view(VIEW_BUF(&m.item[0].epoch.signature), "epoch's signature");
        assert_view(VIEW_BUF(&m.item[0].floor.message), "floor");
        assert_view(VIEW_BUF(&m.item[0].message), "quote");
        assert_view(VIEW_BUF(&m.item[0].time_message), "time");
        assert_view(VIEW_BUF(&m.item[1].entries), FAKE_LOG);
        assert_int_equal(m.item[1].entry_count, 1);
        assert_ok(pcr_blob_parse(VIEW_BUF(&m.item[0].pcrs), &values, &err), &err);
        assert_int_equal(values.mask, 1u << 15);
        wire_evidence_done(&m);
        /* The log began anew: entry 7 is not where it was. */
        asks = asks_of(7);
        POISON(m);
        assert_int_equal(net_evidence(&asks, &from, &m, &err), 1);
        assert_poisoned(m);
}

static int convert_all(void *ctx, struct err *err)
{
        struct privsep_identity id;
        struct privsep_evidence from;
        struct wire_asks asks = asks_of(0);
        struct wire_registration registered;
        struct wire_capabilities offered;
        struct wire_evidence collected;
        uint8_t ak[128];
        (void)ctx;
        fake_identity(&id, ak);
        fake_evidence(&from, 0);
        int r = net_registration(&id, "PEM", &registered, err);
        if (r == 0) {
                wire_registration_done(&registered);
                r = net_capabilities(&id, true, &offered, err);
        }
        if (r == 0) {
                wire_capabilities_done(&offered);
                r = net_evidence(&asks, &from, &collected, err);
        }
        if (r == 0)
                wire_evidence_done(&collected);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(convert_all, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(registration), cmocka_unit_test(pem_chains),
                cmocka_unit_test(capabilities), cmocka_unit_test(collecting),
                cmocka_unit_test(kernel_logs),  cmocka_unit_test(what_cannot_be_collected),
                cmocka_unit_test(evidence),     cmocka_unit_test(out_of_memory),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
