/* SPDX-License-Identifier: Apache-2.0 */
/* The push model's messages: what samples of the field decode to, and that what we write comes back. */
#include "base/json.h"
#include "samples.h"
#include "support/support.h"

#include "wire/attestation.h"
#include "wire/release.h"
#include "wire/session.h"

#define T0 INT64_C(1795282871123) /* 2026-11-21T17:41:11.123Z */

static void keylime_session(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_request q;
        struct wire_session_challenge c;
        (void)state;
        assert_ok(wire_session_request_decode(view_str(KL_SESSION_REQUEST), &q, &err), &err);
        assert_string_equal(q.host, "d432fbb3-d2f1-4a97-9ef7-75bd81c00000");
        assert_true(q.tpm_pop);
        assert_ok(wire_session_challenge_decode(view_str(KL_SESSION_CHALLENGE), &c, &err), &err);
        assert_string_equal(c.id, UUID_A);
        assert_int_equal(c.challenge_len, 16);
        assert_int_equal(c.challenge[15], 15);
        assert_int_equal(c.created_at_ms, T0);
        assert_int_equal(c.expires_at_ms, T0 + 60000);
        assert_string_equal(c.verifier_id, "");
}

static void challenge_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_challenge c, d;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_session_challenge_decode(view_str(AV_SESSION_CHALLENGE), &c, &err), &err);
        assert_string_equal(c.verifier_id, UUID_V);
        assert_ok(wire_session_challenge_encode(&c, &out, &err), &err);
        assert_ok(wire_session_challenge_decode(VIEW_BUF(&out), &d, &err), &err);
        assert_memory_equal(&c, &d, sizeof(c));
        buf_free(&out);
}

static void proof_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_proof p, q;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_session_proof_decode(view_str(KL_SESSION_PROOF), &p, &err), &err);
        assert_int_equal(p.message.len, 4);
        assert_memory_equal(p.message.p, "\xffTCG", 4);
        assert_ok(wire_session_proof_encode(&p, &out, &err), &err);
        assert_ok(wire_session_proof_decode(VIEW_BUF(&out), &q, &err), &err);
        assert_string_equal(q.id, UUID_A);
        assert_true(view_equal(VIEW_BUF(&p.signature), VIEW_BUF(&q.signature)));
        wire_session_proof_done(&p);
        wire_session_proof_done(&q);
        buf_free(&out);
}

static void session_results(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_result m, n;
        struct wire_session_proof p;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_session_result_decode(view_str(KL_SESSION_RESULT), &m, &err), &err);
        assert_true(m.pass);
        assert_int_equal(m.token.len, strlen(UUID_A) + 11);
        assert_int_equal(m.token_expires_at_ms, INT64_C(1795283052000));
        assert_null(m.keys); /* Keylime's verifier says none */
        m.keys = str_dup("{\"release\":[],\"revocation\":[{\"kid\":\"a\"}]}");
        assert_ok(wire_session_proof_decode(view_str(KL_SESSION_PROOF), &p, &err), &err);
        assert_ok(wire_session_result_encode(&m, &p, VIEW("0123456789abcdef", 16), &out, &err), &err);
        assert_ok(wire_session_result_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_true(equal_ct(m.token.p, m.token.len, n.token.p, n.token.len));
        assert_string_equal(m.keys, n.keys);
        wire_session_result_done(&m);
        wire_session_result_done(&n);
        wire_session_proof_done(&p);
        buf_free(&out);
        assert_ok(wire_session_result_decode(view_str(KL_SESSION_FAIL), &m, &err), &err);
        assert_false(m.pass);
        assert_int_equal(m.token.len, 0);
        wire_session_result_done(&m);
}

/* Text that is handed on without being understood has a limit. */
static void keys_without_end(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_result m;
        struct buf body = {0};
        (void)state;
        buf_str(&body,
                "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{\"agent_id\":\"a\","
                "\"evaluation\":\"pass\",\"token\":\"a\",\"token_expires_at\":\"2026-11-21T17:44:12Z\"}},"
                "\"meta\":{\"avow\":{\"keys\":{\"release\":\"");
        for (size_t i = 0; i < WIRE_SIGNERS_MAX; i++)
                buf_u8(&body, 'x');
        buf_str(&body, "\"}}}}");
        POISON(m);
        assert_err(wire_session_result_decode(VIEW_BUF(&body), &m, &err), ERR_LIMIT, &err, "keys");
        assert_poisoned(m);
        buf_free(&body);
}

static void releases(void **state)
{
        struct err err = ERR_INIT;
        struct wire_release_request q;
        struct wire_release_challenge c;
        struct wire_release_answer a;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_release_request_decode(view_str(AV_RELEASE_REQUEST), &q, &err), &err);
        assert_int_equal(q.n, 2);
        assert_string_equal(q.item[1].name, "tls.key");
        assert_int_equal(q.item[1].nonce[31], 2);
        assert_int_equal(q.item[0].approval[0], 10);
        assert_ok(wire_release_request_encode(&q, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_RELEASE_REQUEST);
        buf_reset(&out);
        assert_ok(wire_release_challenge_decode(view_str(AV_RELEASE_CHALLENGE), &c, &err), &err);
        assert_int_equal(c.next.asks.n, 1);
        assert_int_equal(c.next.deadline_ms, 5000);
        assert_ok(wire_release_challenge_encode(&c, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_RELEASE_CHALLENGE);
        buf_reset(&out);
        assert_ok(wire_release_answer_decode(view_str(AV_RELEASE), &a, &err), &err);
        assert_int_equal(a.lease_s, 60);
        assert_string_equal(a.item[0].name, "db");
        assert_true(a.outcome.has_next);
        assert_int_equal(a.outcome.next.index, 8);
        assert_int_equal(a.outcome.wait_s, 30);
        assert_ok(wire_release_answer_encode(&a, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_RELEASE);
        wire_release_answer_done(&a);
        buf_reset(&out);
        assert_ok(wire_release_answer_decode(view_str(AV_NO_RELEASE), &a, &err), &err);
        assert_int_equal(a.lease_s, 0);
        assert_int_equal(a.n, 0);
        assert_string_equal(a.type, "withdrawn");
        assert_string_equal(a.where, "db");
        assert_false(a.outcome.has_next);
        assert_true(a.outcome.meta.has_secrets);
        assert_ok(wire_release_answer_encode(&a, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_NO_RELEASE);
        wire_release_answer_done(&a);
        buf_free(&out);
        /* what somebody between says no with is a refusal too */
        assert_ok(wire_release_answer_decode(view_str("{\"title\":\"Gone\"}"), &a, &err), &err);
        assert_int_equal(a.lease_s, 0);
        assert_string_equal(a.detail, "Gone");
        wire_release_answer_done(&a);
}

/* A header is made of it: nothing may come along. */
/* A log of launches is of a register, which its offer names. */
static void launch_logs(void **state)
{
        struct err err = ERR_INIT;
        struct wire_capabilities m, n;
        struct buf out = {0};
        char *text, *at;
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &m, &err), &err);
        m.log[WIRE_LAUNCH_LOG] = (struct wire_log_offer){.offered = true, .partial = true, .pcr = 13};
        assert_ok(wire_capabilities_encode(&m, &out, &err), &err);
        assert_ok(wire_capabilities_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_true(n.log[WIRE_LAUNCH_LOG].offered && n.log[WIRE_LAUNCH_LOG].own_format);
        assert_int_equal(n.log[WIRE_LAUNCH_LOG].pcr, 13);
        wire_capabilities_done(&n);
        wire_capabilities_done(&m);
        text = buf_take_str(&out);
        at = strstr(text, "\"pcr\":13");
        assert_non_null(at);
        memcpy(at, "\"pcr\":24", 8);
        POISON(n);
        assert_err(wire_capabilities_decode(view_str(text), &n, &err), ERR_FORMAT, &err, "pcr");
        assert_poisoned(n);
        free(text);
}

static void token_with_a_line_break(void **state)
{
        static const char text[] = "{\"data\":{\"type\":\"session\",\"id\":\"" UUID_A "\",\"attributes\":{"
                                   "\"agent_id\":\"a\",\"evaluation\":\"pass\",\"token\":\"a\\r\\nHost: b\","
                                   "\"token_expires_at\":\"2026-11-21T17:44:12Z\"}}}";
        struct err err = ERR_INIT;
        struct wire_session_result m;
        (void)state;
        POISON(m);
        assert_err(wire_session_result_decode(view_str(text), &m, &err), ERR_FORMAT, &err, "token");
        assert_poisoned(m);
}

static void keylime_capabilities(void **state)
{
        struct err err = ERR_INIT;
        struct wire_capabilities m, n;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &m, &err), &err);
        assert_int_equal(m.avow_version, 0);
        assert_true(m.quote.offered);
        assert_int_equal(m.quote.n_hashes, 2);
        assert_int_equal(m.quote.hashes[0], 0x000b);
        assert_int_equal(m.quote.n_schemes, 1);
        assert_int_equal(m.quote.subjects.n, 2);
        assert_false(m.quote.ecc);
        assert_int_equal(m.quote.key_bits, 2048);
        assert_int_equal(m.quote.ak_name_len, 4);
        assert_int_equal(m.quote.ak_public.len, 4);
        assert_true(m.log[WIRE_IMA_LOG].offered && m.log[WIRE_IMA_LOG].partial &&
                    m.log[WIRE_IMA_LOG].own_format);
        assert_int_equal(m.log[WIRE_IMA_LOG].entry_count, 95);
        assert_true(m.log[WIRE_UEFI_LOG].offered && !m.log[WIRE_UEFI_LOG].partial);
        assert_false(m.log[WIRE_CEL_LOG].offered);
        m.avow_version = 1;
        assert_ok(wire_capabilities_encode(&m, &out, &err), &err);
        assert_ok(wire_capabilities_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_int_equal(n.avow_version, 1);
        assert_int_equal(n.boot_time_ms, m.boot_time_ms);
        assert_memory_equal(n.log, m.log, sizeof(n.log));
        assert_true(view_equal(VIEW_BUF(&n.quote.ak_public), VIEW_BUF(&m.quote.ak_public)));
        wire_capabilities_done(&m);
        wire_capabilities_done(&n);
        buf_free(&out);
}

static void keylime_request(void **state)
{
        struct err err = ERR_INIT;
        struct wire_request m;
        (void)state;
        assert_ok(wire_request_decode(view_str(KL_REQUEST), &m, &err), &err);
        assert_int_equal(m.asks.n, 2);
        const struct wire_ask *q = wire_asks_find(&m.asks, WIRE_TPM_QUOTE);
        assert_non_null(q);
        assert_int_equal(q->scheme, WIRE_RSASSA);
        assert_int_equal(q->hash, 0x000b);
        assert_int_equal(q->banks.n, 1);
        assert_int_equal(q->banks.bank[0].alg, 0x000b);
        assert_int_equal(q->banks.bank[0].pcrs, 1u << 10 | 1u << 15);
        const struct wire_ask *l = wire_asks_find(&m.asks, WIRE_IMA_LOG);
        assert_non_null(l);
        assert_true(l->has_offset);
        assert_int_equal(l->starting_offset, 100);
        assert_null(wire_asks_find(&m.asks, WIRE_CEL_LOG));
}

static void request_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct wire_capabilities offer;
        struct wire_request n, m = {
                                       .host = "web-1",
                                       .index = 3,
                                       .boot_time_ms = T0,
                                       .received_at_ms = T0 + 1,
                                       .expires_at_ms = T0 + 2,
                               };
        struct buf out = {0};
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &offer, &err), &err);
        m.asks.n = 2;
        m.asks.item[0] = (struct wire_ask){.type = WIRE_TPM_QUOTE,
                                           .challenge_len = 32,
                                           .scheme = WIRE_ECDSA,
                                           .hash = 0x000c,
                                           .banks = {{{0x000c, 0x8000}}, 1}};
        m.asks.item[1] = (struct wire_ask){.type = WIRE_CEL_LOG,
                                           .has_offset = true,
                                           .starting_offset = 7,
                                           .has_count = true,
                                           .entry_count = 9};
        m.key = &offer.quote;
        assert_ok(wire_request_encode(&m, &out, &err), &err);
        assert_ok(wire_request_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_memory_equal(&n.asks, &m.asks, sizeof(n.asks));
        assert_int_equal(n.expires_at_ms, m.expires_at_ms);
        assert_int_equal(n.boot_time_ms, m.boot_time_ms);
        wire_capabilities_done(&offer);
        buf_free(&out);
}

static void evidence_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct wire_evidence m, n;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_evidence_decode(view_str(AV_EVIDENCE), &m, &err), &err);
        const struct wire_evidence_item *q = wire_evidence_find(&m, WIRE_TPM_QUOTE);
        const struct wire_evidence_item *l = wire_evidence_find(&m, WIRE_CEL_LOG);
        assert_non_null(q);
        assert_non_null(l);
        assert_int_equal(q->time_message.len, 4);
        assert_view(VIEW_BUF(&l->entries), "\x1e{\"pcr\":15}\n");
        assert_true(l->has_count);
        assert_ok(wire_evidence_encode(&m, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_EVIDENCE);
        assert_ok(wire_evidence_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_int_equal(n.n, 2);
        wire_evidence_done(&m);
        wire_evidence_done(&n);
        buf_free(&out);
}

static void counters_round_trip(void **state)
{
        struct err err = ERR_INIT;
        struct wire_evidence m;
        struct buf out = {0};
        const struct wire_evidence_item *q = &m.item[0];
        (void)state;
        assert_ok(wire_evidence_decode(view_str(AV_COUNTERS), &m, &err), &err);
        assert_int_equal(q->counter_key.len, 3);
        assert_int_equal(q->epoch.index, 0x01810100);
        assert_int_equal(q->floor.index, 0x01810101);
        assert_int_equal(q->epoch.message.len, 4);
        assert_int_equal(q->floor.message.len, 5);
        assert_int_equal(q->floor.signature.len, 5);
        assert_ok(wire_evidence_encode(&m, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_COUNTERS);
        wire_evidence_done(&m);
        buf_free(&out);
}

/* All of the counters, or none of them. */
static void half_of_the_counters(void **state)
{
        static const char *const cuts[] = {"\"counter_key\":\"MFkw\",", "\"index\":25231616,",
                                           "\"message\":\"/1RDRwE=\",", "\"epoch\":", "\"floor\":"};
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
                struct err err = ERR_INIT;
                struct wire_evidence m;
                struct buf text = {0};
                const char *at = strstr(AV_COUNTERS, cuts[i]);
                assert_non_null(at);
                buf_put(&text, AV_COUNTERS, (size_t)(at - AV_COUNTERS));
                if (cuts[i][strlen(cuts[i]) - 1] == ',') {
                        buf_str(&text, at + strlen(cuts[i])); /* the member is gone */
                } else {
                        buf_str(&text, "\"x"); /* it has another name */
                        buf_str(&text, at + 1);
                }
                assert_int_equal(wire_evidence_decode(VIEW_BUF(&text), &m, &err), -ERR_FORMAT);
                buf_free(&text);
        }
}

static void keylime_evidence(void **state)
{
        struct err err = ERR_INIT;
        struct wire_evidence m;
        (void)state;
        assert_ok(wire_evidence_decode(view_str(KL_EVIDENCE), &m, &err), &err);
        assert_int_equal(m.n, 3);
        assert_int_equal(m.item[1].entries.len, 3);
        assert_view(VIEW_BUF(&m.item[2].entries), "10 00 ima-ng sha256:00 boot_aggregate\n");
        assert_int_equal(m.item[0].time_message.len, 0);
        wire_evidence_done(&m);
}

/* The kernel's list as bytes, a part of a longer one: what our agents offer, are asked for and send. */
static void binary_lists(void **state)
{
        static const uint8_t entry[] = {10, 0, 0, 0, 0xff, 0xfe, 0, '"'};
        struct err err = ERR_INIT;
        struct wire_capabilities c, offer = {.quote.offered = true};
        struct wire_request n, m = {.host = "web-1", .asks.n = 1};
        struct wire_evidence from = {.n = 1}, to;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &offer, &err), &err);
        assert_false(offer.log[WIRE_IMA_LOG].binary);
        offer.log[WIRE_IMA_LOG].own_format = false;
        offer.log[WIRE_IMA_LOG].binary = true;
        assert_ok(wire_capabilities_encode(&offer, &out, &err), &err);
        assert_ok(wire_capabilities_decode(VIEW_BUF(&out), &c, &err), &err);
        assert_true(c.log[WIRE_IMA_LOG].binary && !c.log[WIRE_IMA_LOG].own_format);
        wire_capabilities_done(&c);
        wire_capabilities_done(&offer);
        buf_reset(&out);
        m.asks.item[0] = (struct wire_ask){
                .type = WIRE_IMA_LOG, .has_offset = true, .binary = true, .starting_byte = 1ull << 33};
        assert_ok(wire_request_encode(&m, &out, &err), &err);
        assert_ok(wire_request_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_memory_equal(&n.asks, &m.asks, sizeof(n.asks));
        buf_reset(&out);
        from.item[0] = (struct wire_evidence_item){
                .type = WIRE_IMA_LOG, .binary = true, .has_total = true, .entry_total = 1234567};
        buf_put(&from.item[0].entries, entry, sizeof(entry));
        assert_ok(wire_evidence_encode(&from, &out, &err), &err);
        assert_ok(wire_evidence_decode(VIEW_BUF(&out), &to, &err), &err);
        assert_true(to.item[0].binary && to.item[0].has_total);
        assert_int_equal(to.item[0].entry_total, 1234567);
        assert_true(view_equal(VIEW_BUF(&to.item[0].entries), VIEW_ARRAY(entry)));
        wire_evidence_done(&to);
        wire_evidence_done(&from);
        buf_free(&out);
}

/* A processor's evidence, with what its host gave along; more than the limit is refused before it is held. */
static void processors(void **state)
{
        static const uint8_t report[] = {2, 0, 0, 0, 0xff}, table[] = {0}, manifest[] = {7, 7};
        struct err err = ERR_INIT;
        struct wire_evidence from = {.n = 1}, to;
        struct wire_asks asks = {.n = 1, .item = {{.type = WIRE_TEE_SNP}}};
        struct tee_shown shown;
        struct buf out = {0};
        (void)state;
        assert_false(wire_evidence_tee(&(struct wire_evidence){.n = 1}, &shown));
        for (size_t k = 0; k < TEE_N_KINDS; k++) {
                struct wire_evidence_item *item = &from.item[0];
                item->type = wire_tee_type((enum tee_kind)k);
                buf_put(&item->entries, report, sizeof(report));
                buf_put(&item->table, table, sizeof(table));
                buf_put(&item->manifest, manifest, sizeof(manifest));
                assert_ok(wire_evidence_encode(&from, &out, &err), &err);
                assert_ok(wire_evidence_decode(VIEW_BUF(&out), &to, &err), &err);
                assert_true(wire_evidence_tee(&to, &shown));
                assert_int_equal(shown.kind, k);
                assert_true(view_equal(shown.evidence, VIEW_ARRAY(report)) &&
                            view_equal(shown.table, VIEW_ARRAY(table)) &&
                            view_equal(shown.manifest, VIEW_ARRAY(manifest)));
                wire_evidence_done(&to);
                for (size_t i = item->table.len; i <= WIRE_TEE_MAX; i++)
                        buf_u8(&item->table, 0);
                buf_reset(&out);
                assert_ok(wire_evidence_encode(&from, &out, &err), &err);
                assert_err(wire_evidence_decode(VIEW_BUF(&out), &to, &err), ERR_LIMIT, &err, "table");
                err_clear(&err);
                buf_reset(&out);
                wire_evidence_done(&from);
                from.n = 1;
        }
        AUTO(json_free_p) json_t *j = wire_asks_to_json(&asks, NULL);
        struct wire_asks n;
        assert_ok(wire_asks_from_json(j, &n, &err), &err);
        assert_true(n.n == 1 && n.item[0].type == WIRE_TEE_SNP && !n.item[0].has_offset);
        buf_free(&out);
}

/* Nothing new since the last time: a log of no entries is a log. */
static void empty_logs(void **state)
{
        struct err err = ERR_INIT;
        struct wire_evidence n, m = {.n = 2};
        struct buf out = {0};
        (void)state;
        m.item[0].type = WIRE_IMA_LOG;
        m.item[1].type = WIRE_CEL_LOG;
        assert_ok(wire_evidence_encode(&m, &out, &err), &err);
        assert_ok(wire_evidence_decode(VIEW_BUF(&out), &n, &err), &err);
        assert_int_equal(n.item[0].entries.len + n.item[1].entries.len, 0);
        wire_evidence_done(&n);
        buf_free(&out);
}

static void outcomes(void **state)
{
        struct err err = ERR_INIT;
        struct wire_outcome m;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_outcome_decode(view_str(KL_ACK), &m, &err), &err);
        assert_int_equal(m.stage, WIRE_EVALUATING);
        assert_int_equal(m.evaluation, WIRE_PENDING);
        assert_true(m.has_wait);
        assert_int_equal(m.wait_s, 60);
        assert_false(m.has_next);
        assert_ok(wire_outcome_decode(view_str(AV_OUTCOME), &m, &err), &err);
        assert_int_equal(m.stage, WIRE_COMPLETE);
        assert_int_equal(m.evaluation, WIRE_FAIL);
        assert_int_equal(m.wait_s, 0);
        assert_true(m.has_next);
        assert_int_equal(m.next.index, 8);
        assert_int_equal(m.next.deadline_ms, 5000);
        assert_int_equal(m.next.asks.n, 2);
        assert_int_equal(m.next.asks.item[0].challenge_len, 32);
        assert_ok(wire_outcome_encode(&m, "web-1", 7, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_OUTCOME);
        buf_free(&out);
}

static void is_the_sample(const struct wire_meta *m)
{
        static const uint8_t nonce[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        assert_string_equal(m->jws, "eyJhIjoxfQ.e30.QUJD-_");
        assert_true(m->has_nonce);
        assert_memory_equal(m->nonce, nonce, sizeof(nonce));
        assert_true(m->has_secrets);
        assert_int_equal(m->secrets_digest[31], 0xff);
        assert_int_equal(m->floor, 7);
}

/* What a host is told beside its business travels with every kind of answer, and is the same in each. */
static void told_beside(void **state)
{
        struct err err = ERR_INIT;
        struct wire_outcome o;
        struct wire_session_result s;
        struct wire_meta m;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_outcome_decode(view_str(AV_OUTCOME_REVOKED), &o, &err), &err);
        is_the_sample(&o.meta);
        assert_false(o.has_next);
        assert_ok(wire_outcome_encode(&o, "web-1", 7, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_OUTCOME_REVOKED);
        wire_outcome_done(&o);
        buf_reset(&out);
        assert_ok(wire_session_result_decode(view_str(AV_SESSION_RESULT), &s, &err), &err);
        is_the_sample(&s.meta);
        assert_ok(wire_session_result_encode(&s, NULL, VIEW_NONE, &out, &err), &err);
        wire_session_result_done(&s);
        assert_ok(wire_session_result_decode(VIEW_BUF(&out), &s, &err), &err);
        is_the_sample(&s.meta);
        wire_session_result_done(&s);
        buf_reset(&out);
        assert_ok(wire_wait_decode(view_str(AV_WAIT), &m, &err), &err);
        is_the_sample(&m);
        assert_ok(wire_wait_encode(&m, &out, &err), &err);
        assert_view(VIEW_BUF(&out), AV_WAIT);
        m.has_nonce = false;
        m.has_secrets = false;
        buf_reset(&out);
        assert_ok(wire_wait_encode(&m, &out, &err), &err);
        assert_view(VIEW_BUF(&out), "{\"revocation\":{\"jws\":\"eyJhIjoxfQ.e30.QUJD-_\"}}");
        wire_meta_done(&m);
        assert_ok(wire_wait_decode(VIEW_BUF(&out), &m, &err), &err);
        assert_false(m.has_nonce || m.has_secrets);
        wire_meta_done(&m);
        assert_ok(wire_wait_decode(view_str("{\"later\":1}"), &m, &err), &err);
        assert_null(m.jws);
        buf_free(&out);
}

/* Only what can be a JWS, a nonce of 16 bytes and a digest of 32 goes on to the half that holds the TPM. */
static void told_amiss(void **state)
{
        static const struct {
                const char *body, *says;
        } bad[] = {
                {"[]", "expected an object"},
                {"{\"revocation\":{}}", "member 'jws'"},
                {"{\"revocation\":{\"jws\":\"\"}}", "not a JWS"},
                {"{\"revocation\":{\"jws\":\"a.b c.d\"}}", "not a JWS"},
                {"{\"revocation\":{\"jws\":\"a.b.c\",\"nonce\":\"00\"}}", "expected 16 bytes"},
                {"{\"revocation\":\"a.b.c\"}", "member 'revocation'"},
                {"{\"secrets\":{\"floor\":1}}", "member 'digest'"},
                {"{\"secrets\":{\"digest\":\"00\",\"floor\":1}}", "expected 32 bytes"},
                {"{\"secrets\":{\"digest\":"
                 "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","
                 "\"floor\":-1}}",
                 "member 'floor'"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct err err = ERR_INIT;
                struct wire_meta m;
                POISON(m);
                assert_err(wire_wait_decode(view_str(bad[i].body), &m, &err), ERR_FORMAT, &err, bad[i].says);
                assert_poisoned(m);
        }
}

/* Orders as strangers may send them to the agent's listener: what cannot be one goes no further. */
static void orders(void **state)
{
        static const struct {
                const char *body, *says;
        } bad[] = {
                {"[]", "expected an object"},
                {"{\"jws\":\"a.b.c\"}", "member 'data'"},
                {"{\"data\":{}}", "member 'jws'"},
                {"{\"data\":{\"jws\":\"a b\"}}", "not a JWS"},
                {"{\"data\":{\"jws\":\"a.b.c\",\"nonce\":\"00\"}}", "expected 16 bytes"},
        };
        static const char *const bare[] = {"", "a b", "a.b.c\n", "{}"};
        struct err err = ERR_INIT;
        struct wire_meta m;
        (void)state;
        assert_ok(wire_event_decode(view_str(AV_EVENT), &m, &err), &err);
        assert_string_equal(m.jws, "eyJhIjoxfQ.e30.QUJD-_");
        assert_true(m.has_nonce && m.nonce[15] == 15);
        assert_false(m.has_secrets);
        wire_meta_done(&m);
        assert_ok(wire_order_decode(view_str("a.b.c"), &m, &err), &err);
        assert_string_equal(m.jws, "a.b.c");
        assert_false(m.has_nonce);
        wire_meta_done(&m);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                POISON(m);
                assert_err(wire_event_decode(view_str(bad[i].body), &m, &err), ERR_FORMAT, &err, bad[i].says);
                assert_poisoned(m);
        }
        for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
                POISON(m);
                assert_err(wire_order_decode(view_str(bare[i]), &m, &err), ERR_FORMAT, &err, "not a JWS");
                assert_poisoned(m);
        }
        POISON(m);
        assert_err(wire_order_decode(VIEW("a.b\0c", 5), &m, &err), ERR_FORMAT, &err, "not a JWS");
        assert_poisoned(m);
}

/* The echo that Keylime agents get, and the records of GET: written here, read by others. */
static void records(void **state)
{
        struct err err = ERR_INIT;
        struct wire_capabilities offer;
        struct wire_request asked;
        struct wire_evidence evidence;
        struct wire_outcome back;
        struct buf out = {0};
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &offer, &err), &err);
        assert_ok(wire_request_decode(view_str(KL_REQUEST), &asked, &err), &err);
        assert_ok(wire_evidence_decode(view_str(KL_EVIDENCE), &evidence, &err), &err);
        struct wire_attestation m = {
                .host = "web-1",
                .index = 3,
                .stage = WIRE_EVALUATING,
                .evaluation = WIRE_INCONCLUSIVE,
                .failure_reason = "policy_violation",
                .received_at_ms = T0,
                .expires_at_ms = T0,
                .evidence_at_ms = T0,
                .completed_at_ms = T0,
                .asks = &asked.asks,
                .offer = &offer,
                .evidence = &evidence,
        };
        assert_ok(wire_attestation_ack_encode(&m, 60, &out, &err), &err);
        assert_ok(wire_outcome_decode(VIEW_BUF(&out), &back, &err), &err);
        assert_int_equal(back.wait_s, 60);
        assert_int_equal(back.stage, WIRE_EVALUATING);
        char *text = buf_take_str(&out);
        assert_non_null(text);
        assert_non_null(strstr(text, "boot_aggregate"));
        assert_non_null(strstr(text, "\"certification_key\""));
        assert_null(strstr(text, "\"evaluation\""));
        free(text);
        assert_ok(wire_attestation_encode(&m, &out, &err), &err);
        text = buf_take_str(&out);
        assert_non_null(text);
        assert_non_null(strstr(text, "\"evaluation\":\"pending\""));
        assert_non_null(strstr(text, "policy_violation"));
        free(text);
        const struct wire_attestation list[] = {m, m};
        assert_ok(wire_attestations_encode(list, 2, "web-1", &out, &err), &err);
        buf_reset(&out);
        assert_ok(wire_attestations_encode(NULL, 0, "web-1", &out, &err), &err);
        buf_free(&out);
        wire_capabilities_done(&offer);
        wire_evidence_done(&evidence);
}

static int encode_all(void *ctx, struct err *err)
{
        struct wire_attestation *m = ctx;
        struct buf out = {0};
        struct wire_request request = {.host = "web-1", .asks = *m->asks, .key = &m->offer->quote};
        int r = wire_attestation_ack_encode(m, 60, &out, err);
        if (r == 0)
                r = wire_attestations_encode(m, 1, "web-1", &out, err);
        if (r == 0)
                r = wire_capabilities_encode(m->offer, &out, err);
        if (r == 0)
                r = wire_evidence_encode(m->evidence, &out, err);
        if (r == 0)
                r = wire_request_encode(&request, &out, err);
        buf_free(&out);
        return r;
}

static void encoders_out_of_memory(void **state)
{
        struct err err = ERR_INIT;
        struct wire_capabilities offer;
        struct wire_request asked;
        struct wire_evidence evidence;
        (void)state;
        assert_ok(wire_capabilities_decode(view_str(KL_CAPABILITIES), &offer, &err), &err);
        assert_ok(wire_request_decode(view_str(KL_REQUEST), &asked, &err), &err);
        assert_ok(wire_evidence_decode(view_str(AV_EVIDENCE), &evidence, &err), &err);
        struct wire_attestation m = {
                .host = "web-1", .asks = &asked.asks, .offer = &offer, .evidence = &evidence};
        oom_each(encode_all, &m);
        wire_capabilities_done(&offer);
        wire_evidence_done(&evidence);
}

static int encode_session(void *ctx, struct err *err)
{
        struct wire_session_proof *p = ctx;
        struct wire_session_challenge c = {
                .id = UUID_A, .host = "web-1", .challenge_len = 16, .verifier_id = UUID_V};
        struct wire_session_result m = {.id = UUID_A, .host = "web-1"};
        struct buf out = {0};
        int r = wire_session_proof_encode(p, &out, err);
        if (r == 0)
                r = wire_session_challenge_encode(&c, &out, err);
        if (r == 0)
                r = wire_session_request_encode("web-1", &out, err);
        if (r == 0)
                r = wire_session_result_encode(&m, p, VIEW("0123456789abcdef", 16), &out, err);
        buf_free(&out);
        return r;
}

static void session_out_of_memory(void **state)
{
        struct err err = ERR_INIT;
        struct wire_session_proof p;
        (void)state;
        assert_ok(wire_session_proof_decode(view_str(KL_SESSION_PROOF), &p, &err), &err);
        oom_each(encode_session, &p);
        wire_session_proof_done(&p);
}

static void locations(void **state)
{
        uint64_t index = 0;
        char path[WIRE_HOST_MAX + 64];
        (void)state;
        assert_true(wire_location_index("/v3.0/agents/web-1/attestations/12", &index));
        assert_int_equal(index, 12);
        assert_true(wire_location_index("/3/agents/web-1/attestations/0", &index));
        assert_int_equal(index, 0);
        assert_false(wire_location_index("/v3.0/agents/web-1/attestations/latest", &index));
        assert_false(wire_location_index("", &index));
        assert_false(wire_location_index("/v3.0/x/99999999999999999999", &index));
        wire_attestation_path("web-1", UINT64_MAX, path);
        assert_string_equal(path, "/v3.0/agents/web-1/attestations/18446744073709551615");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keylime_session),
                cmocka_unit_test(challenge_round_trip),
                cmocka_unit_test(proof_round_trip),
                cmocka_unit_test(session_results),
                cmocka_unit_test(keys_without_end),
                cmocka_unit_test(releases),
                cmocka_unit_test(launch_logs),
                cmocka_unit_test(token_with_a_line_break),
                cmocka_unit_test(processors),
                cmocka_unit_test(keylime_capabilities),
                cmocka_unit_test(keylime_request),
                cmocka_unit_test(request_round_trip),
                cmocka_unit_test(evidence_round_trip),
                cmocka_unit_test(counters_round_trip),
                cmocka_unit_test(half_of_the_counters),
                cmocka_unit_test(keylime_evidence),
                cmocka_unit_test(outcomes),
                cmocka_unit_test(told_beside),
                cmocka_unit_test(told_amiss),
                cmocka_unit_test(orders),
                cmocka_unit_test(binary_lists),
                cmocka_unit_test(empty_logs),
                cmocka_unit_test(records),
                cmocka_unit_test(encoders_out_of_memory),
                cmocka_unit_test(session_out_of_memory),
                cmocka_unit_test(locations),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
