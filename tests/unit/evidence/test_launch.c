/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a launch is: its descriptor's one spelling and digest (known answers were made with Python's json and
 * hashlib), what of a module goes into it, its records in the log, and the manifest of a runtime.
 */
#include "support/support.h"

#include "base/hex.h"
#include "base/json.h"
#include "evidence/launch.h"
#include "evidence/launch_closure.h"

#define ID "0f0e0d0c-1111-4222-8333-444455556666"
#define H(c)                                                                                                 \
        c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
                c c c c c c c c c c c c c c
#define DESCRIPTOR                                                                                           \
        "{\"arguments\":\"" H("a") "\",\"closure\":\"" H(                                                    \
                "b") "\",\"host\":\"web-1\",\"id\":\"" ID                                                    \
                     "\",\"input\":\"" H("c") "\",\"module\":{\"claims\":{\"hash\":\"" H(                    \
                             "d") "\",\"token\":\"" H("e") "\"},\"sha256\":\"" H("1") "\",\"sha384\":\"" H("2") "22222222222222222222222222222222\",\"size\":68000},\"nonce\":\"00ff10\",\"runtime\":\"node\",\"schema\":\"avow.launch/1\",\"secrets\":[\"api-key\",\"db-password\"],\"tenant\":\"default\"}"

static struct digest fill(enum digest_alg alg, uint8_t byte)
{
        struct digest d = {.alg = alg, .len = (uint8_t)digest_size(alg)};

        memset(d.b, byte, d.len);
        return d;
}

static struct launch sample(void)
{
        struct launch l = {.id = ID,
                           .host = "web-1",
                           .tenant = "default",
                           .runtime = "node",
                           .sha256 = fill(DIGEST_SHA256, 0x11),
                           .sha384 = fill(DIGEST_SHA384, 0x22),
                           .size = 68000,
                           .has_claims = true,
                           .claims_hash = fill(DIGEST_SHA256, 0xdd),
                           .claims_token = fill(DIGEST_SHA256, 0xee),
                           .closure = fill(DIGEST_SHA256, 0xbb),
                           .arguments = fill(DIGEST_SHA256, 0xaa),
                           .has_input = true,
                           .input = fill(DIGEST_SHA256, 0xcc),
                           .nonce = {0x00, 0xff, 0x10},
                           .nonce_len = 3};
        struct err err = ERR_INIT;

        assert_ok(launch_add_secret(&l, "db-password", &err), &err);
        assert_ok(launch_add_secret(&l, "api-key", &err), &err);
        assert_ok(launch_add_secret(&l, "db-password", &err), &err);
        return l;
}

static void assert_digest(const struct digest *d, const char *hex)
{
        char text[2 * DIGEST_BYTES_MAX + 1];

        assert_string_equal(hex_write(text, digest_view(d)), hex);
}

/* ---- the descriptor ---- */

static void one_spelling(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct launch l = sample(), read;
        struct digest d;
        struct err err = ERR_INIT;
        json_t *j = NULL;

        (void)state;
        assert_ok(launch_encode(&l, &text, &err), &err);
        assert_view(VIEW_BUF(&text), DESCRIPTOR);
        assert_ok(launch_digest(&l, &d, &err), &err);
        assert_digest(&d, "2414e4f3a977f803d7b81c21de5f02287511479f9cfc726dc4325bcd1dddcde6");
        assert_ok(json_parse(VIEW_BUF(&text), LAUNCH_TEXT_MAX, &j, &err), &err);
        assert_ok(launch_from_json(j, &read, &err), &err);
        json_decref(j);
        assert_int_equal(read.n_secrets, 2);
        assert_true(launch_wants_secret(&read, "api-key") && launch_wants_secret(&read, "db-password"));
        assert_false(launch_wants_secret(&read, "other"));
        assert_ok(launch_digest(&read, &d, &err), &err);
        assert_digest(&d, "2414e4f3a977f803d7b81c21de5f02287511479f9cfc726dc4325bcd1dddcde6");
}

static void least_of_all(void **state)
{
        struct launch l = sample(), read;
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;
        json_t *j = NULL;

        (void)state;
        l.has_claims = l.has_input = false;
        l.tenant[0] = 0;
        l.n_secrets = l.nonce_len = 0;
        assert_ok(launch_encode(&l, &text, &err), &err);
        assert_ok(json_parse(VIEW_BUF(&text), LAUNCH_TEXT_MAX, &j, &err), &err);
        assert_ok(launch_from_json(j, &read, &err), &err);
        json_decref(j);
        assert_false(read.has_claims || read.has_input || read.tenant[0] || read.n_secrets || read.nonce_len);
}

/* Every member that is another, missing, or too much. */
static void refused_descriptors(void **state)
{
        static const struct {
                const char *member; /* at the top, or in "module" behind a dot */
                const char *value;  /* JSON; NULL: taken away */
                const char *part;
        } bad[] = {
                {"arguments", NULL, "arguments"},
                {"arguments", "\"aa\"", "arguments"},
                {"closure", "\"" H("B") "\"", "closure"},
                {"host", "\"..\"", "host"},
                {"host", "\"a/b\"", "host"},
                {"id", "\"0F0E0D0C-1111-4222-8333-444455556666\"", "UUID"},
                {"input", "\"00\"", "input"},
                {"module", "{}", "sha256"},
                {".sha384", "\"" H("2") "\"", "sha384"},
                {".size", "-1", "size"},
                {".size", "268435457", "size"},
                {".claims", "{\"hash\":\"" H("d") "\"}", "token"},
                {".claims", "{\"hash\":\"" H("d") "\",\"token\":\"" H("d") "\",\"x\":1}", "claims"},
                {".extra", "1", "module"},
                {"nonce", "\"0\"", "nonce"},
                {"nonce", "\"" H("0") H("0") "00\"", "nonce"},
                {"nonce", NULL, "nonce"},
                {"runtime", "\"\"", "runtime"},
                {"runtime", "\"a b\"", "runtime"},
                {"schema", "\"avow.launch/2\"", "schema"},
                {"secrets", NULL, "secrets"},
                {"secrets", "[\"b\",\"a\"]", "sorted"},
                {"secrets", "[\"a\",\"a\"]", "sorted"},
                {"secrets", "[\"a/b\"]", "secrets"},
                {"secrets", "[1]", "secrets"},
                {"tenant", "\"\"", "tenant"},
                {"extra", "1", "extra"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO(json_free_p) json_t *j = NULL;
                struct err err = ERR_INIT;
                const char *name = bad[i].member;
                struct launch l;
                json_t *at;

                assert_ok(json_parse(view_str(DESCRIPTOR), LAUNCH_TEXT_MAX, &j, &err), &err);
                at = name[0] == '.' ? json_object_get(j, "module") : j;
                name += name[0] == '.';
                if (bad[i].value)
                        assert_int_equal(json_object_set_new(at, name,
                                                             json_loads(bad[i].value, JSON_DECODE_ANY, NULL)),
                                         0);
                else
                        assert_int_equal(json_object_del(at, name), 0);
                POISON(l);
                if (launch_from_json(j, &l, &err) == 0)
                        fail_msg("%s: %s was taken", bad[i].member, bad[i].value);
                assert_non_null(strstr(err.text, bad[i].part));
                assert_poisoned(l);
        }
}

static void what_cannot_be_written(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;
        struct launch l = sample();
        struct digest d;

        (void)state;
        l.runtime[0] = 0;
        assert_err(launch_encode(&l, &text, &err), ERR_FORMAT, &err, "runtime");
        assert_int_equal(text.len, 0);
        err_clear(&err);
        POISON(d);
        assert_err(launch_digest(&l, &d, &err), ERR_FORMAT, &err, "runtime");
        assert_poisoned(d);
        err_clear(&err);
        l.n_secrets = 0;
        assert_err(launch_add_secret(&l, "a b", &err), ERR_FORMAT, &err, "name");
        for (int i = 0; i < LAUNCH_SECRETS_MAX; i++) {
                char name[8];

                (void)snprintf(name, sizeof(name), "s%d", i);
                err_clear(&err);
                assert_ok(launch_add_secret(&l, name, &err), &err);
        }
        assert_err(launch_add_secret(&l, "one-more", &err), ERR_LIMIT, &err, "secrets");
}

/* Zeros part arguments: {"a", "b"} is not {"ab"}. */
static void arguments(void **state)
{
        const char *const two[] = {"a", "b"}, *const one[] = {"ab"};
        struct digest d, e;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(launch_arguments(two, 2, &d, &err), &err);
        assert_digest(&d, "8fb20ef63ced4145fc2e983ffe597d1dcff39154c3bf21f0fa9dde6a0c50fdc9");
        assert_ok(launch_arguments(one, 1, &e, &err), &err);
        assert_false(digest_equal(&d, &e));
        assert_ok(launch_arguments(NULL, 0, &d, &err), &err);
        assert_digest(&d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* ---- modules ---- */

static const uint8_t plain[] = {0, 'a', 's', 'm', 1, 0, 0, 0};

static void modules(void **state)
{
        static const char token[] = "not.a.token";
        AUTO(buf_free) struct buf module = {0};
        AUTO(buf_free) struct buf found = {0};
        struct launch l = {.has_claims = true};
        struct digest bare;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(launch_of_module(VIEW_ARRAY(plain), &l, &found, &err), &err);
        assert_true(!l.has_claims && l.size == sizeof(plain) && found.len == 0);
        assert_digest(&l.sha256, "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476");
        bare = l.sha256;
        buf_put_view(&module, VIEW_ARRAY(plain));
        for (int i = 0; i < 2; i++) {
                buf_put_view(&module, VIEW("\x00\x19\x0dwasmcloud_jwt", 16));
                buf_str(&module, token);
                err_clear(&err);
                if (i == 0)
                        assert_ok(launch_of_module(VIEW_BUF(&module), &l, &found, &err), &err);
        }
        assert_true(l.has_claims);
        assert_view(VIEW_BUF(&found), token);
        assert_true(digest_equal(&l.claims_hash, &bare)); /* over what it is without its claims */
        assert_err(launch_of_module(VIEW_BUF(&module), &l, &found, &err), ERR_FORMAT, &err, "claims");
        err_clear(&err);
        assert_err(launch_of_module(view_str("\x7f"
                                             "ELF"),
                                    &l, &found, &err),
                   ERR_FORMAT, &err, NULL);
}

/* ---- records ---- */

static struct cel_record record(const char *kind)
{
        static struct cel_foreign foreign[] = {{.path = (char *)"/tmp/x.so"}};
        struct cel_record rec = {.pcr = 13,
                                 .n_digests = 1,
                                 .ours = true,
                                 .kind = (char *)(uintptr_t)kind,
                                 .launch = fill(DIGEST_SHA256, 1),
                                 .has_timestamp = true,
                                 .timestamp_us = 7};

        foreign[0].sha256 = fill(DIGEST_SHA256, 9);
        if (!strcmp(kind, CEL_KIND_LAUNCH)) {
                rec.module = fill(DIGEST_SHA256, 2);
                rec.closure = fill(DIGEST_SHA256, 3);
                rec.runtime = (char *)"node";
                rec.permit = (char *)ID;
                rec.cached = true;
        } else {
                rec.mappings = fill(DIGEST_SHA256, 4);
                rec.foreign = foreign;
                rec.n_foreign = 1;
        }
        return rec;
}

static void records(void **state)
{
        static const struct {
                const char *kind, *digest;
        } cases[] = {{CEL_KIND_LAUNCH, "0e3298c6de98841bbdfe56754b1b737f09a843f54ab26af11dd1de3ead4ea474"},
                     {CEL_KIND_MAPPED, "e6d229440e2fc119dc46db2ba4d3cf26655cb46a713471cfa38566a8c7e93f1c"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                AUTO(buf_free) struct buf text = {0};
                AUTO(cel_log_free_p) struct cel_log *log = NULL;
                struct cel_record rec = record(cases[i].kind), *read;
                struct err err = ERR_INIT;
                bool is = false;

                assert_ok(launch_record_digest(DIGEST_SHA256, &rec, &rec.digests[0], &err), &err);
                assert_digest(&rec.digests[0], cases[i].digest);
                assert_ok(cel_record_write(&rec, &text, &err), &err);
                assert_ok(cel_parse(VIEW_BUF(&text), 1, &log, &err), &err);
                read = &log->records[0];
                assert_ok(launch_record_is(read, DIGEST_SHA256, &is, &err), &err);
                assert_true(is);
                assert_string_equal(read->kind, cases[i].kind);
                assert_int_equal(read->cached, rec.cached);
                assert_int_equal(read->n_foreign, rec.n_foreign);
                assert_true(digest_equal(&read->launch, &rec.launch));
                read->launch.b[31] ^= 1; /* its words are covered */
                assert_ok(launch_record_is(read, DIGEST_SHA256, &is, &err), &err);
                assert_false(is);
                assert_ok(launch_record_is(read, DIGEST_SHA384, &is, &err), &err);
                assert_false(is);
        }
}

static void no_records_of_launches(void **state)
{
        struct cel_record rec = record(CEL_KIND_LAUNCH);
        struct err err = ERR_INIT;
        struct digest d;
        bool is = true;

        (void)state;
        rec.permit = NULL;
        assert_err(launch_record_digest(DIGEST_SHA256, &rec, &d, &err), ERR_FORMAT, &err, NULL);
        err_clear(&err);
        rec = record(CEL_KIND_LAUNCH);
        rec.kind = (char *)CEL_KIND_MEASURE;
        rec.digests[0] = fill(DIGEST_SHA256, 0);
        assert_ok(launch_record_is(&rec, DIGEST_SHA256, &is, &err), &err);
        assert_false(is);
}

/* ---- closures ---- */

#define CLOSURE                                                                                              \
        "# avow-closure/1\n"                                                                                 \
        "# argument: --dir\n"                                                                                \
        "# argument: {module}\n"                                                                             \
        "# environment: A=1\n"                                                                               \
        "# environment: B=\n" H("5") "  /usr/bin/node\n" H("6") "  /usr/lib/libnode.so\n"

static void closures(void **state)
{
        AUTO(launch_closure_done) struct launch_closure read = {.n_files = 0};
        AUTO(buf_free) struct buf text = {0};
        char *arguments[] = {(char *)"--dir", (char *)"{module}"};
        char *environment[] = {(char *)"B=", (char *)"A=1"};
        struct launch_file files[] = {
                {.sha256 = fill(DIGEST_SHA256, 0x66), .path = (char *)"/usr/lib/libnode.so"},
                {.sha256 = fill(DIGEST_SHA256, 0x55), .path = (char *)"/usr/bin/node"}};
        struct launch_closure c = {arguments, environment, 2, 2, files, 2};
        struct digest other = fill(DIGEST_SHA256, 0x77);
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(launch_closure_write(&c, &text, &err), &err);
        assert_view(VIEW_BUF(&text), CLOSURE);
        assert_ok(launch_closure_parse(VIEW_BUF(&text), &read, &err), &err);
        assert_int_equal(read.n_files, 2);
        assert_string_equal(launch_closure_find(&read, &files[0].sha256)->path, "/usr/lib/libnode.so");
        assert_null(launch_closure_find(&read, &other));
        files[1].path = (char *)"/usr/lib/libnode.so";
        assert_err(launch_closure_write(&c, &text, &err), ERR_FORMAT, &err, "twice");
        err_clear(&err);
        files[1].path = (char *)"node";
        assert_err(launch_closure_write(&c, &text, &err), ERR_FORMAT, &err, "absolute");
        err_clear(&err);
        files[1].path = (char *)"/a\nb";
        assert_err(launch_closure_write(&c, &text, &err), ERR_FORMAT, &err, "control");
        err_clear(&err);
        files[1].path = (char *)"/a";
        environment[0] = (char *)"B";
        assert_err(launch_closure_write(&c, &text, &err), ERR_FORMAT, &err, "NAME=VALUE");
        assert_view(VIEW_BUF(&text), CLOSURE);
}

static void refused_closures(void **state)
{
        static const struct {
                const char *text, *part;
        } bad[] = {
                {"", "order"},
                {"# avow-closure/2\n", "line 1"},
                {"# avow-closure/1", "no end"},
                {"# avow-closure/1\n" H("5") " /usr/bin/node\n", "line 2"},
                {"# avow-closure/1\n" H("5") "  node\n", "absolute"},
                {"# avow-closure/1\n" H("G") "  /node\n", "line 2"},
                {"# avow-closure/1\n" H("5") "  /b\n" H("5") "  /a\n", "order"},
                {"# avow-closure/1\n" H("5") "  /a\n# argument: x\n", "order"},
                {"# avow-closure/1\n# environment: B=1\n# environment: A=1\n", "order"},
                {"# avow-closure/1\n# comment\n", "line 2"},
                {"# avow-closure/1\n\n", "line 2"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct launch_closure c;
                struct err err = ERR_INIT;

                POISON(c);
                assert_err(launch_closure_parse(view_str(bad[i].text), &c, &err), ERR_FORMAT, &err,
                           bad[i].part);
                assert_poisoned(c);
        }
}

/* ---- malformed, out of memory ---- */

static void try_all(struct view bytes, const char *what, void *ctx)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(launch_closure_done) struct launch_closure c = {.n_files = 0};
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;
        struct launch l;

        (void)what;
        (void)ctx;
        if (json_parse(bytes, LAUNCH_TEXT_MAX, &j, &err) == 0 && launch_from_json(j, &l, &err) == 0)
                assert_ok(launch_encode(&l, &text, &err), &err); /* what was read can be written */
        err_clear(&err);
        (void)!launch_closure_parse(bytes, &c, &err);
}

static void malformed(void **state)
{
        (void)state;
        each_truncation(view_str(DESCRIPTOR), try_all, NULL);
        each_truncation(view_str(CLOSURE), try_all, NULL);
        each_bit_flip(view_str(CLOSURE), try_all, NULL);
        each_bit_flip(view_str(DESCRIPTOR), try_all, NULL);
}

static int make_all(void *ctx, struct err *err)
{
        AUTO(launch_closure_done) struct launch_closure c = {.n_files = 0};
        AUTO(buf_free) struct buf text = {0};
        struct launch l = sample();
        struct digest d;
        int r = launch_digest(&l, &d, err);

        (void)ctx;
        if (r >= 0)
                r = launch_closure_parse(view_str(CLOSURE), &c, err);
        return r < 0 ? r : launch_of_module(VIEW_ARRAY(plain), &l, &text, err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_any(make_all, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_spelling),
                cmocka_unit_test(least_of_all),
                cmocka_unit_test(refused_descriptors),
                cmocka_unit_test(what_cannot_be_written),
                cmocka_unit_test(arguments),
                cmocka_unit_test(modules),
                cmocka_unit_test(records),
                cmocka_unit_test(no_records_of_launches),
                cmocka_unit_test(closures),
                cmocka_unit_test(refused_closures),
                cmocka_unit_test(malformed),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
