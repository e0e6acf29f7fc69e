/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: written in a transaction, exported, checked; and every way to falsify it that leaves a
 * trace. */
#include "store/audit.h"

#include <stdlib.h>

#include "crypto/key.h"
#include "pump.h"

static const char *const migrations[] = {audit_migration};
static const struct store_schema schema = {"test", 44, migrations, 1};

struct fixture {
        char dir[TMPDIR_BYTES], url[64];
        struct pump pump;
        struct store *store;
        struct audit_key *key;
        struct pubkey *pub;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = ERR_INIT;
        struct secret pem = {0};
        struct key *key = NULL;

        tmpdir_make(f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/t.db", f->dir);
        pump_init(&f->pump);
        assert_ok(store_open(f->url, &schema, pump_post, &f->pump, &f->store, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_pem(key, &pem, &err), &err);
        assert_ok(key_public(key, &f->pub, &err), &err);
        assert_ok(audit_key_new(VIEW(pem.p, pem.len), &f->key, &err), &err);
        secret_free(&pem);
        key_free(key);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        store_close(f->store);
        pump_done(&f->pump);
        audit_key_free(f->key);
        pubkey_free(f->pub);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

static int append(struct store_conn *c, void *arg, struct err *err)
{
        struct fixture *f = arg;
        const struct audit_entry e[] = {
                {1000, NULL, "CN=ann (admin)", "host.add", "web-1", "{\"policy\":\"p\"}"},
                {2000, "acme", "verifier", "verdict.change", "web-1", NULL},
                {3000, NULL, NULL, "policy.push", "p\n\"q\"", NULL},
        };

        for (size_t i = 0; i < ARRAY_LEN(e); i++) {
                int r = audit_append(c, f->key, &e[i], err);

                if (r < 0)
                        return r;
        }
        return audit_append(c, NULL, &e[0], err); /* off: nothing */
}

struct out {
        struct buf text;
        int64_t seq;
        struct view line[8];
        size_t n;
};

static int export(struct store_conn *c, void *arg, struct err *err)
{
        struct out *o = arg;

        return audit_export(c, 0, 100, &o->text, &o->seq, err);
}

static void lines(struct fixture *f, struct out *o)
{
        struct err err = ERR_INIT;

        *o = (struct out){.n = 0};
        assert_ok(store_call(f->store, STORE_DURABLE, append, f, &err), &err);
        assert_ok(store_call(f->store, STORE_READ, export, o, &err), &err);
        for (size_t at = 0; at < o->text.len;) {
                const uint8_t *end = memchr(o->text.p + at, '\n', o->text.len - at);

                assert_non_null(end);
                o->line[o->n++] = VIEW(o->text.p + at, (size_t)(end - o->text.p) - at);
                at = (size_t)(end - o->text.p) + 1;
        }
}

static void a_good_log(void **state)
{
        struct fixture *f = *state;
        struct audit_chain chain = {0};
        struct audit_record rec;
        struct err err = ERR_INIT;
        struct out o;

        lines(f, &o);
        assert_int_equal(o.n, 3);
        assert_int_equal(o.seq, 3);
        assert_ok(audit_chain_check(&chain, f->pub, o.line[0], &rec, &err), &err);
        assert_int_equal(rec.time_ms, 1000);
        assert_string_equal(rec.tenant, "default");
        assert_string_equal(rec.actor, "CN=ann (admin)");
        assert_string_equal(rec.detail, "{\"policy\":\"p\"}");
        audit_record_free(&rec);
        assert_ok(audit_chain_check(&chain, f->pub, o.line[1], NULL, &err), &err);
        assert_ok(audit_chain_check(&chain, f->pub, o.line[2], &rec, &err), &err);
        assert_string_equal(rec.object, "p\n\"q\"");
        assert_null(rec.actor);
        audit_record_free(&rec);
        assert_int_equal(chain.seq, 3);
        assert_ok(audit_record_parse(o.line[1], &rec, &err), &err);
        assert_string_equal(rec.action, "verdict.change");
        audit_record_free(&rec);
        buf_free(&o.text);
}

static void gaps_order_and_other_keys(void **state)
{
        struct fixture *f = *state;
        struct audit_chain chain = {0}, was;
        struct err err = ERR_INIT;
        struct pubkey *stranger = NULL;
        struct key *key = NULL;
        struct out o;

        lines(f, &o);
        was = chain;
        assert_err(audit_chain_check(&chain, f->pub, o.line[1], NULL, &err), ERR_FORMAT, &err, "missing");
        assert_memory_equal(&was, &chain, sizeof(was));
        assert_ok(audit_chain_check(&chain, f->pub, o.line[0], NULL, &err), &err);
        assert_err(audit_chain_check(&chain, f->pub, o.line[0], NULL, &err), ERR_FORMAT, &err,
                   "missing or moved");
        assert_err(audit_chain_check(&chain, f->pub, o.line[2], NULL, &err), ERR_FORMAT, &err,
                   "missing or moved");
        chain.head[5] = chain.head[5] == '0' ? '1' : '0';
        assert_err(audit_chain_check(&chain, f->pub, o.line[1], NULL, &err), ERR_FORMAT, &err,
                   "does not follow");
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &stranger, &err), &err);
        chain = (struct audit_chain){0};
        assert_err(audit_chain_check(&chain, stranger, o.line[0], NULL, &err), ERR_CRYPTO, &err,
                   "not signed");
        pubkey_free(stranger);
        key_free(key);
        buf_free(&o.text);
}

static void refused(struct view bytes, const char *what, void *ctx)
{
        struct fixture *f = ctx;
        struct audit_chain chain = {0};
        struct err err = ERR_INIT;
        struct audit_record rec;

        POISON(rec);
        if (audit_chain_check(&chain, f->pub, bytes, &rec, &err) == 0)
                fail_msg("%s was accepted", what);
        assert_poisoned(rec);
        if (audit_record_parse(bytes, &rec, &err) == 0)
                audit_record_free(&rec);
}

static void malformed(void **state)
{
        struct out o;

        lines(*state, &o);
        each_truncation(o.line[0], refused, *state);
        each_bit_flip(o.line[0], refused, *state);
        buf_free(&o.text);
}

static int change(struct store_conn *c, void *arg, struct err *err)
{
        return store_exec(c, arg, STORE_NO_ARGS, err);
}

static void the_table_refuses(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct out o;

        lines(f, &o);
        buf_free(&o.text);
        assert_err(
                store_call(f->store, STORE_DURABLE, change, (char *)"DELETE FROM audit WHERE seq = 3", &err),
                ERR_BUG, &err, "append-only");
        assert_err(store_call(f->store, STORE_DURABLE, change, (char *)"UPDATE audit SET hash = ''", &err),
                   ERR_BUG, &err, "append-only");
}

static void keys(void **state)
{
        struct err err = ERR_INIT;
        struct secret pem = {0};
        struct key *rsa = NULL;
        struct audit_key *k;

        (void)state;
        POISON(k);
        assert_ok(key_generate_ec(CURVE_P384, &rsa, &err), &err);
        assert_ok(key_pem(rsa, &pem, &err), &err);
        assert_err(audit_key_new(VIEW(pem.p, pem.len), &k, &err), ERR_FORMAT, &err, "P-256");
        assert_true(audit_key_new(view_str("junk"), &k, &err) < 0);
        assert_poisoned(k);
        secret_free(&pem);
        key_free(rsa);
}

static int append_plain(struct store_conn *c, void *arg, struct err *err)
{
        const struct audit_entry e = {1000, NULL, "verifier", "verdict.change", "web-1", NULL};

        return audit_append(c, ((struct fixture *)arg)->key, &e, err);
}

/* Writing only: jansson's scanner asserts when an allocation of its own fails. */
static int write_and_export(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct out o = {.n = 0};
        int r = store_call(f->store, STORE_DURABLE, append_plain, f, err);

        if (r >= 0)
                r = store_call(f->store, STORE_READ, export, &o, err);
        buf_free(&o.text);
        return r;
}

static void oom(void **state)
{
        oom_each(write_and_export, *state);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(a_good_log), T(gaps_order_and_other_keys), T(malformed), T(the_table_refuses), T(keys),
                T(oom),
        };

        return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
