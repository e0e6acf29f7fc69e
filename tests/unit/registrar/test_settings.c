/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's configuration: defaults, and what contradicts itself. */
#include "support/support.h"

#include "settings.h"

#define TLS "tls: {cert: /c, key: /k}\n"

static int parse(const char *text, struct settings **ret, struct err *err)
{
        struct conf *conf = NULL;
        int r = conf_parse(&registrar_conf_schema, view_str(text), "r.yaml", &conf, err);

        return r < 0 ? r : settings_of(conf, ret, err);
}

static void test_defaults(void **state)
{
        struct err err = ERR_INIT;
        struct settings *s = NULL;

        (void)state;
        assert_ok(parse(TLS "ek: {roots: [/r]}\n", &s, &err), &err);
        assert_string_equal(s->https, "127.0.0.1:8891");
        assert_null(s->http);
        assert_false(s->keylime);
        assert_int_equal(s->ek_policy, EK_REQUIRED);
        assert_int_equal(s->ek_malformed, CERT_MALFORMED_WARN);
        assert_int_equal(s->candidate_lifetime_ms, 300000);
        assert_int_equal(s->connections_per_peer, 64);
        assert_int_equal(s->n_grants, 0);
        assert_null(s->ak_ca_cert);
        assert_int_equal(s->keep_ms, INT64_C(90) * 86400000);
        assert_int_equal(s->keep_n, 100000);
        settings_free(s);
}

static void test_values(void **state)
{
        struct err err = ERR_INIT;
        struct settings *s = NULL;

        (void)state;
        assert_ok(parse(TLS "compat: keylime\nek: {policy: preferred, malformed: ignore}\n"
                            "roles: [{key_sha256: "
                            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, "
                            "roles: [auditor, verifier]}]\n",
                        &s, &err),
                  &err);
        assert_true(s->keylime);
        assert_string_equal(s->http, "127.0.0.1:8890");
        assert_int_equal(s->ek_policy, EK_PREFERRED);
        assert_int_equal(s->ek_malformed, CERT_MALFORMED_IGNORE);
        assert_int_equal(s->n_grants, 1);
        assert_int_equal(s->grants[0].roles, ROLE_AUDITOR | ROLE_VERIFIER);
        assert_int_equal(s->grants[0].spki_sha256[1], 0x23);
        assert_string_equal(ek_policy_name(s->ek_policy), "preferred");
        settings_free(s);
}

static void test_wrong(void **state)
{
        static const struct {
                const char *text, *part;
        } rows[] = {
                {"ek: {roots: [/r]}\n", "tls."},
                {TLS, "ek.roots"},
                {TLS "ek: {policy: maybe}\n", "expected required, preferred or off"},
                {TLS "ek: {policy: off}\nlisten: {http: '127.0.0.1:1'}\n", "compat: keylime"},
                {TLS "ek: {policy: off}\nak_ca: {cert: /a}\n", "go together"},
                {TLS "ek: {policy: off}\nak_ca: {key: /a}\n", "go together"},
                {"tls: {cert: /c, key: /k, crl: /l}\nek: {policy: off}\n", "needs tls.client_ca"},
                {TLS "ek: {policy: off}\nroles: [{key_sha256: ab, roles: [admin]}]\n", "64 lower-case hex"},
                {TLS "ek: {policy: off}\nroles: [{key_sha256: "
                     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, roles: [boss]}]\n",
                 "'boss' is no role"},
                {TLS "ek: {policy: off}\nlog: {level: loud}\n", "expected error"},
                {TLS "ek: {policy: off}\nhoops: []\n", "unknown key"},
                {TLS "ek: {policy: off}\nhooks: {networks: [10.1.2.3/8]}\n", "is no network"},
                {TLS "ek: {policy: off}\nhooks: {exec: [{name: journal, program: a}]}\n", "and not"},
                {TLS "ek: {policy: off}\nhooks: {exec: [{name: a, program: /bin/sh}]}\n", "without a folder"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err err = ERR_INIT;
                struct settings *s = NULL;

                assert_err(parse(rows[i].text, &s, &err), ERR_CONFIG, &err, rows[i].part);
                assert_null(s);
        }
}

static int run_parse(void *ctx, struct err *err)
{
        AUTO(settings_free_p) struct settings *s = NULL;

        return parse(ctx, &s, err);
}

static void test_oom(void **state)
{
        char text[] = TLS "ek: {roots: [/r]}\n";

        (void)state;
        oom_each(run_parse, text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_wrong),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
