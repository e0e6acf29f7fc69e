/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Module policies: what their text may say, and which modules they let run, by digest, by wasmCloud's claims,
 * by signatures of every kind; with the runtime's closure, secrets, hosts, versions and what is denied.
 * Modules, claims and keys are made here.
 */
#include "support/support.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "crypto/dsse.h"
#include "crypto/key.h"
#include "crypto/nkey.h"
#include "evidence/wasm_claims.h"
#include "policy/module_policy.h"
#include "policy/policy.h"

#define NOW_MS 1717200000000 /* 2024-06-01 */

static const uint8_t seed[ED25519_KEY_BYTES] = {1, 2, 3};
static const uint8_t plain[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
static char account[NKEY_TEXT_LEN + 1], subject[NKEY_TEXT_LEN + 1], stranger[NKEY_TEXT_LEN + 1];
static char plain_hex[65], plain_hex384[97], closure_hex[65];
static struct digest closure;

static int make(void **state)
{
        struct err err = ERR_INIT;
        uint8_t key[ED25519_KEY_BYTES] = {0};
        struct digest d;

        (void)state;
        nkey_print(NKEY_MODULE, (uint8_t[ED25519_KEY_BYTES]){9}, subject);
        nkey_print(NKEY_ACCOUNT, (uint8_t[ED25519_KEY_BYTES]){8}, stranger);
        assert_ok(ed25519_public(VIEW_ARRAY(seed), key, &err), &err);
        nkey_print(NKEY_ACCOUNT, key, account);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_ARRAY(plain), &d, &err), &err);
        hex_write(plain_hex, digest_view(&d));
        assert_ok(digest_bytes(DIGEST_SHA384, VIEW_ARRAY(plain), &d, &err), &err);
        hex_write(plain_hex384, digest_view(&d));
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("closure"), &closure, &err), &err);
        hex_write(closure_hex, digest_view(&closure));
        return 0;
}

/* The head and closures of every policy here, and what is BEHIND it. */
static char *text_of(const char *behind)
{
        return str_fmt("format: avow-modules/1\nname: web\nclosures:\n  node: %s\n%s", closure_hex, behind);
}

static struct module_policy *policy_of(char *behind)
{
        AUTO(mem_free_p) char *text = text_of(behind);
        struct module_policy *p = NULL;
        struct err err = ERR_INIT;

        free(behind);
        assert_ok(module_policy_parse(view_str(text), "web.yaml", &p, &err), &err);
        return p;
}

/* ---- asking ---- */

struct asked {
        struct launch launch;
        struct buf token, signature, envelope;
        int64_t now_ms;
};

static void asked_done(struct asked *a)
{
        buf_free(&a->token);
        buf_free(&a->signature);
        buf_free(&a->envelope);
}

static struct asked ask_for(struct view module)
{
        struct asked a = {.launch = {.host = "web-1", .runtime = "node", .closure = closure},
                          .now_ms = NOW_MS};
        struct err err = ERR_INIT;

        assert_ok(launch_of_module(module, &a.launch, &a.token, &err), &err);
        return a;
}

static struct module_answer judge(const struct module_version *v, size_t n, const struct asked *a)
{
        const struct module_request q = {&a->launch, VIEW_BUF(&a->token), VIEW_BUF(&a->signature),
                                         VIEW_BUF(&a->envelope), a->now_ms};
        struct module_answer answer;
        struct err err = ERR_INIT;

        assert_ok(module_policy_judge(v, n, &q, &answer, &err), &err);
        assert_int_equal(answer.allowed, answer.verdict->state == VERDICT_PASS);
        assert_true(answer.allowed == !answer.type && answer.verdict->n_findings == 1);
        return answer;
}

/* WANT: the refusal's word, or NULL; PART: of what was found or said. */
static void assert_judged(const struct module_policy *p, const struct asked *a, const char *want,
                          const char *part)
{
        const struct module_version v = {p, 1, POLICY_NEVER};
        struct module_answer answer = judge(&v, 1, a);
        const struct finding *f = &answer.verdict->findings[0];

        if (!want != answer.allowed)
                fail_msg("expected %s: %s (%s)", want ? want : "leave", f->what, f->found ? f->found : "");
        if (want)
                assert_string_equal(answer.type, want);
        if (part && !strstr(f->what, part) && !(f->found && strstr(f->found, part)))
                fail_msg("'%s' is not in: %s (%s)", part, f->what, f->found ? f->found : "");
        module_answer_done(&answer);
}

/* ---- by digest ---- */

static void by_digest(void **state)
{
        AUTO(module_policy_unref_p)
        struct module_policy *p =
                policy_of(str_fmt("allow:\n"
                                  "  - {digest: %s, comment: hello, secrets: [db], hosts: 'web-*',\n"
                                  "     runtimes: node, permits: {lifetime: 5s, cache: 1m},\n"
                                  "     on_revocation: finish}\n",
                                  plain_hex384));
        const struct module_version v = {p, 7, POLICY_NEVER};
        struct asked a = ask_for(VIEW_ARRAY(plain));
        struct module_answer answer = judge(&v, 1, &a);
        struct err err = ERR_INIT;

        (void)state;
        assert_true(answer.allowed && answer.by == &v && answer.finish);
        assert_int_equal(answer.line, 6);
        assert_int_equal(answer.lifetime_s, 5);
        assert_int_equal(answer.cache_s, 60);
        assert_string_equal(answer.verdict->findings[0].policy_ref, "web:6");
        module_answer_done(&answer);
        assert_ok(launch_add_secret(&a.launch, "db", &err), &err);
        assert_judged(p, &a, NULL, "digest");
        assert_ok(launch_add_secret(&a.launch, "other", &err), &err);
        assert_judged(p, &a, "secret-not-allowed", "other");
        a.launch.n_secrets = 0;
        a.launch.closure.b[0] ^= 1;
        assert_judged(p, &a, "closure-not-allowed", "another digest");
        a.launch.closure.b[0] ^= 1;
        (void)snprintf(a.launch.runtime, sizeof(a.launch.runtime), "wasmtime");
        assert_judged(p, &a, "closure-not-allowed", "wasmtime");
        (void)snprintf(a.launch.runtime, sizeof(a.launch.runtime), "node");
        (void)snprintf(a.launch.host, sizeof(a.launch.host), "db-1");
        assert_judged(p, &a, "module-not-allowed", "other hosts");
        (void)snprintf(a.launch.host, sizeof(a.launch.host), "web-1");
        a.launch.sha384.b[0] ^= 1;
        assert_judged(p, &a, "module-not-allowed", plain_hex);
        asked_done(&a);
}

static void defaults_and_ends(void **state)
{
        AUTO(module_policy_unref_p)
        struct module_policy *p =
                policy_of(str_fmt("secrets: db\npermits: {cache: 10s}\non_revocation: finish\nallow:\n"
                                  "  - {digest: %s, until: 2024-06-01T00:00:01Z}\n",
                                  plain_hex));
        const struct module_version ended = {p, 1, NOW_MS}, v = {p, 2, NOW_MS + 1};
        struct asked a = ask_for(VIEW_ARRAY(plain));
        struct module_answer answer = judge(&v, 1, &a);
        struct err err = ERR_INIT;

        (void)state;
        assert_true(answer.finish && answer.cache_s == 10 && answer.lifetime_s == MODULE_PERMIT_DEFAULT_S);
        module_answer_done(&answer);
        assert_ok(launch_add_secret(&a.launch, "db", &err), &err);
        assert_judged(p, &a, NULL, NULL);
        answer = judge(&ended, 1, &a); /* its overlap is over */
        assert_string_equal(answer.type, "no-module-policy");
        module_answer_done(&answer);
        answer = judge(NULL, 0, &a);
        assert_string_equal(answer.type, "no-module-policy");
        module_answer_done(&answer);
        a.now_ms += 1000;
        assert_judged(p, &a, "module-not-allowed", plain_hex);
        asked_done(&a);
}

/* One version is enough to allow, and one to deny. */
static void versions_together(void **state)
{
        AUTO(module_policy_unref_p) struct module_policy *none = policy_of(str_dup("allow: []\n"));
        AUTO(module_policy_unref_p)
        struct module_policy *p = policy_of(str_fmt("allow:\n  - digest: [%s]\n", plain_hex));
        AUTO(module_policy_unref_p)
        struct module_policy *deny =
                policy_of(str_fmt("allow: []\ndeny: [{digest: %s, comment: leaks}]\n", plain_hex384));
        const struct module_version v[] = {
                {none, 3, POLICY_NEVER}, {p, 2, NOW_MS + 5}, {deny, 1, POLICY_NEVER}};
        struct asked a = ask_for(VIEW_ARRAY(plain));
        struct module_answer answer = judge(v, 2, &a);

        (void)state;
        assert_true(answer.allowed && answer.by == &v[1]);
        module_answer_done(&answer);
        answer = judge(v, 3, &a);
        assert_string_equal(answer.type, "module-denied");
        module_answer_done(&answer);
        asked_done(&a);
}

/* ---- by claims ---- */

static void sign_claims(const char *capability, int64_t expires_s, struct buf *out)
{
        json_t *c = json_pack("{s:s,s:s,s:s,s:{s:s,s:i,s:[s]}}", "jti", "x", "iss", account, "sub", subject,
                              "wascap", "name", "echo", "rev", 7, "caps", capability);
        struct err err = ERR_INIT;
        struct wasm w;

        if (expires_s)
                json_object_set_new(c, "exp", json_integer(expires_s));
        assert_ok(wasm_parse(VIEW_ARRAY(plain), &w, &err), &err);
        assert_ok(wasm_claims_sign(&w, c, seed, out, &err), &err);
        json_decref(c);
}

static void by_claims(void **state)
{
        const struct {
                char *item;
                const char *want, *part;
        } cases[] = {
                {str_fmt("wascap: {accounts: %s}", account), NULL, "account"},
                {str_fmt("wascap: {accounts: [%s, %s], subjects: %s, rev: 7, capabilities: ['wasmcloud:a']}",
                         stranger, account, subject),
                 NULL, NULL},
                {str_fmt("wascap: {accounts: %s, rev: 8}", account), "module-not-allowed", "revision 7"},
                {str_fmt("wascap: {accounts: %s}", stranger), "module-not-allowed", account},
                {str_fmt("wascap: {accounts: %s, capabilities: []}", account), "module-not-allowed",
                 "wasmcloud:a"},
        };
        struct buf module = {0};
        struct asked a;

        (void)state;
        sign_claims("wasmcloud:a", 0, &module);
        a = ask_for(VIEW_BUF(&module));
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct module_policy *p = policy_of(str_fmt("allow:\n  - %s\n", cases[i].item));

                assert_judged(p, &a, cases[i].want, cases[i].part);
                module_policy_unref(p);
                free(cases[i].item);
        }
        asked_done(&a);
        buf_free(&module);
}

/* Bad claims refuse the module, even one whose digest is allowed. */
static void bad_claims(void **state)
{
        struct buf module = {0};
        struct module_policy *p;
        char hex[65];
        struct asked a;

        (void)state;
        sign_claims("wasmcloud:a", NOW_MS / 1000 + 10, &module);
        a = ask_for(VIEW_BUF(&module));
        p = policy_of(str_fmt("allow:\n  - digest: %s\n", hex_write(hex, digest_view(&a.launch.sha256))));
        assert_judged(p, &a, NULL, NULL);
        a.now_ms += 10000;
        assert_judged(p, &a, "claims-bad", "good until");
        a.now_ms -= 10000;
        a.launch.claims_hash.b[0] ^= 1;
        assert_judged(p, &a, "claims-bad", "another module");
        a.launch.claims_hash.b[0] ^= 1;
        a.token.p[a.token.len - 5] ^= 1;
        assert_judged(p, &a, "claims-bad", "not those in the module");
        a.token.p[a.token.len - 5] ^= 1;
        a.launch.has_claims = false;
        assert_judged(p, &a, "claims-bad", "has none");
        module_policy_unref(p);
        asked_done(&a);
        buf_free(&module);
}

/* ---- by signature ---- */

static char *pem_of(const struct key *key, const char *indent)
{
        struct pubkey *public = NULL;
        struct err err = ERR_INIT;
        struct buf out = {0};
        char *pem = NULL;

        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(pubkey_pem(public, &pem, &err), &err);
        for (const char *line = pem; *line;) {
                const char *end = strchr(line, '\n');

                buf_fmt(&out, "%s%.*s\n", indent, (int)(end - line), line);
                line = end + 1;
        }
        pubkey_free(public);
        free(pem);
        return buf_take_str(&out);
}

/* The SubjectPublicKeyInfo of an Ed25519 key is always this and the key. Spec: RFC 8410 §4. */
static char *ed25519_pem(const char *indent)
{
        static const uint8_t head[] = {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0};
        uint8_t spki[sizeof(head) + ED25519_KEY_BYTES];
        struct err err = ERR_INIT;
        struct buf b = {0};

        memcpy(spki, head, sizeof(head));
        assert_ok(ed25519_public(VIEW_ARRAY(seed), spki + sizeof(head), &err), &err);
        buf_fmt(&b, "%s-----BEGIN PUBLIC KEY-----\n%s", indent, indent);
        buf_base64(&b, VIEW_ARRAY(spki));
        buf_fmt(&b, "\n%s-----END PUBLIC KEY-----\n", indent);
        return buf_take_str(&b);
}

static struct module_policy *policy_of_key(char *pem, const char *more)
{
        char *behind = str_fmt("keys:\n  k:\n    pem: |\n%s%sallow:\n  - signer: [k]\n", pem, more);

        free(pem);
        return policy_of(behind);
}

static void put_der(const struct key *key, enum digest_alg hash, struct buf *ret)
{
        AUTO(buf_free) struct buf raw = {0};
        struct pubkey *public = NULL;
        struct err err = ERR_INIT;

        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(key_sign(key, hash, VIEW_ARRAY(plain), &raw, &err), &err);
        assert_ok(signature_der(public,
                                &(struct signature){.scheme = SIG_ECDSA,
                                                    .hash = hash,
                                                    .r = VIEW(raw.p, raw.len / 2),
                                                    .s = VIEW(raw.p + raw.len / 2, raw.len / 2)},
                                ret, &err),
                  &err);
        pubkey_free(public);
}

static void by_detached_ecdsa(void **state)
{
        static const enum pubkey_curve curves[] = {CURVE_P256, CURVE_P384};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
                struct asked a = ask_for(VIEW_ARRAY(plain));
                struct key *key = NULL, *other = NULL;
                struct module_policy *p;
                struct err err = ERR_INIT;

                assert_ok(key_generate_ec(curves[i], &key, &err), &err);
                assert_ok(key_generate_ec(curves[i], &other, &err), &err);
                p = policy_of_key(pem_of(key, "      "), "");
                assert_judged(p, &a, "module-not-allowed", NULL);
                put_der(key, curves[i] == CURVE_P256 ? DIGEST_SHA256 : DIGEST_SHA384, &a.signature);
                assert_judged(p, &a, NULL, "signed");
                a.launch.sha256.b[0] ^= 1;
                a.launch.sha384.b[0] ^= 1;
                assert_judged(p, &a, "module-not-allowed", "by none");
                a.launch.sha256.b[0] ^= 1;
                a.launch.sha384.b[0] ^= 1;
                buf_free(&a.signature);
                put_der(other, DIGEST_SHA256, &a.signature);
                assert_judged(p, &a, "module-not-allowed", "by none");
                module_policy_unref(p);
                p = policy_of_key(pem_of(other, "      "), "    until: 2024-05-31T00:00:00Z\n");
                assert_judged(p, &a, "module-not-allowed", "by none"); /* the key has ended */
                module_policy_unref(p);
                asked_done(&a);
                key_free(key);
                key_free(other);
        }
}

static void by_detached_ed25519(void **state)
{
        struct asked a = ask_for(VIEW_ARRAY(plain));
        struct module_policy *p = policy_of_key(ed25519_pem("      "), "");
        uint8_t signature[ED25519_SIGNATURE_BYTES];
        struct buf message = {0};
        struct err err = ERR_INIT;

        (void)state;
        buf_put_view(&message, VIEW_ARRAY(MODULE_SIGNATURE_LABEL));
        buf_put_view(&message, digest_view(&a.launch.sha256));
        assert_ok(ed25519_sign(VIEW_ARRAY(seed), VIEW_BUF(&message), signature, &err), &err);
        buf_put_view(&a.signature, VIEW_ARRAY(signature));
        assert_judged(p, &a, NULL, "signed");
        a.signature.p[0] ^= 1;
        assert_judged(p, &a, "module-not-allowed", "by none");
        buf_reset(&a.signature); /* over the digest alone it could be for anything */
        assert_ok(ed25519_sign(VIEW_ARRAY(seed), digest_view(&a.launch.sha256), signature, &err), &err);
        buf_put_view(&a.signature, VIEW_ARRAY(signature));
        assert_judged(p, &a, "module-not-allowed", "by none");
        buf_free(&message);
        module_policy_unref(p);
        asked_done(&a);
}

static void put_envelope(const struct key *key, const char *type, const char *statement_type,
                         const char *digest, struct buf *ret)
{
        AUTO(mem_free_p)
        char *statement = str_fmt("{\"_type\":\"%s\",\"subject\":[{\"name\":\"x\",\"digest\":{\"sha256\":"
                                  "\"%s\"}}],\"predicateType\":\"x\"}",
                                  statement_type, digest);
        AUTO(mem_free_p) char *text = NULL;
        struct buf message = {0}, raw = {0};
        struct pubkey *public = NULL;
        struct err err = ERR_INIT;
        struct dsse d;

        assert_ok(dsse_new(type, view_str(statement), &d, &err), &err);
        dsse_pae(&message, view_str(type), view_str(statement));
        assert_ok(key_sign(key, DIGEST_SHA256, VIEW_BUF(&message), &raw, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(dsse_add(&d, public, VIEW_BUF(&raw), &err), &err);
        assert_ok(dsse_text(&d, &text, &err), &err);
        buf_reset(ret);
        buf_str(ret, text);
        pubkey_free(public);
        buf_free(&message);
        buf_free(&raw);
        dsse_done(&d);
}

static void by_envelope(void **state)
{
        static const char v1[] = "https://in-toto.io/Statement/v1";
        struct asked a = ask_for(VIEW_ARRAY(plain));
        struct key *key = NULL, *other = NULL;
        struct err err = ERR_INIT;
        struct module_policy *p;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &other, &err), &err);
        p = policy_of_key(pem_of(key, "      "), "");
        put_envelope(key, MODULE_DSSE_TYPE, v1, plain_hex, &a.envelope);
        assert_judged(p, &a, NULL, "signed");
        put_envelope(key, "text/plain", v1, plain_hex, &a.envelope);
        assert_judged(p, &a, "module-not-allowed", "by none");
        put_envelope(key, MODULE_DSSE_TYPE, "https://example/other", plain_hex, &a.envelope);
        assert_judged(p, &a, "module-not-allowed", "by none");
        put_envelope(key, MODULE_DSSE_TYPE, v1, closure_hex, &a.envelope);
        assert_judged(p, &a, "module-not-allowed", "by none");
        put_envelope(other, MODULE_DSSE_TYPE, v1, plain_hex, &a.envelope);
        assert_judged(p, &a, "module-not-allowed", "by none");
        buf_reset(&a.envelope);
        buf_str(&a.envelope, "{}");
        assert_judged(p, &a, "module-not-allowed", "by none");
        module_policy_unref(p);
        asked_done(&a);
        key_free(key);
        key_free(other);
}

/* ---- the text ---- */

static void refused_texts(void **state)
{
        static const struct {
                const char *behind, *says;
        } bad[] = {
                {"", "'allow'"},
                {"allow: {}\n", "web.yaml:5:"},
                {"allow:\n  - {}\n", "one of 'digest', 'wascap' and 'signer'"},
                {"allow:\n  - {digest: 00}\n", "digest"},
                {"allow:\n  - {digst: 00}\n", "did you mean 'digest'"},
                {"allow:\n  - {wascap: {}}\n", "accounts"},
                {"allow:\n  - {wascap: {accounts: []}}\n", "no account"},
                {"allow:\n  - {wascap: {accounts: AX}}\n", "no key of account"},
                {"allow:\n  - {signer: k}\n", "no key is called"},
                {"allow:\n  - {signer: []}\n", "no key"},
                {"keys: {k: {}}\nallow: []\n", "pem"},
                {"keys: {k: {pem: x}}\nallow: []\n", "PEM"},
                {"allow: []\nsecrets: [a, a]\n", "twice"},
                {"allow: []\nsecrets: ['a b']\n", "no name"},
                {"allow: []\npermits: {lifetime: 0s}\n", "expected whole seconds"},
                {"allow: []\npermits: {lifetime: 601s}\n", "expected whole seconds"},
                {"allow: []\npermits: {cache: 1500ms}\n", "expected whole seconds"},
                {"allow: []\non_revocation: stop\n", "kill"},
                {"allow: []\ndeny: []\n", "no digest"},
                {"allow: []\nextra: 1\n", "unknown key"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO(mem_free_p) char *text = text_of(bad[i].behind);
                struct module_policy *p = NULL;
                struct err err = ERR_INIT;

                assert_err(module_policy_parse(view_str(text), "web.yaml", &p, &err), ERR_CONFIG, &err,
                           bad[i].says);
                assert_null(p);
                assert_memory_equal(err.text, "web.yaml:", 9);
        }
}

static void refused_heads(void **state)
{
        static const struct {
                const char *text, *says;
        } bad[] = {
                {"format: avow-policy/2\nname: x\n", "policy of hosts"},
                {"format: avow-modules/2\nname: x\n", "avow-modules/1"},
                {"format: avow-modules/1\nname: ' '\n", "no name"},
                {"format: avow-modules/1\nname: x\nallow: []\n", "closures"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct module_policy *p = NULL;
                struct err err = ERR_INIT;

                assert_err(module_policy_parse(view_str(bad[i].text), "m.yaml", &p, &err), ERR_CONFIG, &err,
                           bad[i].says);
        }
}

static void runtimes_have_closures(void **state)
{
        AUTO(mem_free_p)
        char *behind = str_fmt("allow:\n  - {digest: %s, runtimes: [iwasm]}\n", plain_hex);
        AUTO(mem_free_p) char *text = text_of(behind);
        struct module_policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_err(module_policy_parse(view_str(text), "web.yaml", &p, &err), ERR_CONFIG, &err,
                   "web.yaml:6:5: runtime 'iwasm' has no closure");
}

/* ---- what is shipped ---- */

static void read_source(const char *path, struct buf *ret)
{
        const char *top = getenv("top_srcdir");
        AUTO(mem_free_p) char *full = str_fmt("%s/%s", top ? top : ".", path);
        struct err err = ERR_INIT;

        assert_ok(file_read(full, 1u << 20, ret, &err), &err);
}

/* Every key of the schema is one of the parser's. */
static void schema_keys_are_known(const json_t *properties, const char *before)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *)(uintptr_t)properties, key, value) {
                AUTO(mem_free_p) char *behind = str_fmt("%s%s: 17\n", before, key);
                AUTO(mem_free_p) char *text = text_of(behind);
                struct module_policy *p = NULL;
                struct err err = ERR_INIT;

                if (module_policy_parse(view_str(text), "schema", &p, &err) == 0)
                        module_policy_unref(p);
                else if (strstr(err.text, "unknown key"))
                        fail_msg("%s%s", text, err.text);
        }
}

static void example_and_schema(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *schema = NULL;
        AUTO(module_policy_unref_p) struct module_policy *p = NULL;
        struct module_policy_sum sum;
        struct err err = ERR_INIT;
        const json_t *items;

        (void)state;
        read_source("policies/modules/web-modules.yaml", &text);
        assert_ok(module_policy_parse(VIEW_BUF(&text), "web-modules.yaml", &p, &err), &err);
        assert_string_equal(module_policy_name(p), "web-modules");
        module_policy_sum(p, &sum);
        assert_true(sum.n_items == 2 && sum.n_digests == 1 && sum.n_accounts == 1 && sum.n_closures == 1 &&
                    sum.n_denied == 1 && sum.n_signers == 0);
        buf_reset(&text);
        read_source("policies/avow-modules.schema.json", &text);
        assert_ok(json_parse(VIEW_BUF(&text), 1u << 20, &schema, &err), &err);
        items = json_object_get(json_object_get(json_object_get(schema, "properties"), "allow"), "items");
        assert_true(json_object_size(json_object_get(items, "properties")) == 10);
        schema_keys_are_known(json_object_get(schema, "properties"), "");
        schema_keys_are_known(json_object_get(items, "properties"), "allow:\n  - ");
}

static int parse_and_judge(void *ctx, struct err *err)
{
        struct asked *a = ctx;
        const struct module_request q = {&a->launch, VIEW_BUF(&a->token), VIEW_NONE, VIEW_NONE, NOW_MS};
        AUTO(mem_free_p)
        char *behind = str_fmt("allow:\n  - {wascap: {accounts: %s}, hosts: 'web-*', secrets: x}\n", account);
        AUTO(mem_free_p) char *text = behind ? text_of(behind) : NULL;
        struct module_policy *p = NULL;
        struct module_answer answer;
        int r = text ? module_policy_parse(view_str(text), "web.yaml", &p, err) : err_nomem(err);

        if (r >= 0) {
                const struct module_version v = {p, 1, POLICY_NEVER};

                r = module_policy_judge(&v, 1, &q, &answer, err);
        }
        if (r >= 0)
                module_answer_done(&answer);
        module_policy_unref(p);
        return r;
}

static void out_of_memory(void **state)
{
        struct buf module = {0};
        struct asked a;

        (void)state;
        sign_claims("wasmcloud:a", 0, &module);
        a = ask_for(VIEW_BUF(&module));
        oom_any(parse_and_judge, &a);
        asked_done(&a);
        buf_free(&module);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(by_digest),
                cmocka_unit_test(defaults_and_ends),
                cmocka_unit_test(versions_together),
                cmocka_unit_test(by_claims),
                cmocka_unit_test(bad_claims),
                cmocka_unit_test(by_detached_ecdsa),
                cmocka_unit_test(by_detached_ed25519),
                cmocka_unit_test(by_envelope),
                cmocka_unit_test(refused_texts),
                cmocka_unit_test(refused_heads),
                cmocka_unit_test(runtimes_have_closures),
                cmocka_unit_test(example_and_schema),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, make, NULL);
}
