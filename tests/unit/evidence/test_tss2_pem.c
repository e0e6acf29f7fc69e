/* SPDX-License-Identifier: Apache-2.0 */
/* TSS2 key files: written, read, cut short, changed; one that tpm2_encodeobject 5.4 made. */
#include "support/support.h"

#include "crypto/authpolicy.h"
#include "evidence/tss2_pem.h"

/* tpm2_create -C primary -i - ; tpm2_encodeobject -C primary -u … -r … -o …, tpm2-tools 5.4 on swtpm 0.7 */
static const char by_tools[] = "-----BEGIN TSS2 PRIVATE KEY-----\n"
                               "MIHLBgZngQUKAQOgAwEBAAIEQAAAAQQwAC4ACAALAAAAUgAAABAAIKY0VrGrM/Xi\n"
                               "+hkn2qNCSdfMwA67hBgABJvs1UmEyaA5BIGDAIEAILkDb8iTV4yGrFQ990HgJAYj\n"
                               "GtxxCJbvPTaMpyFhu5CvABDhvnRl8gwJRry2iqRv9GdLGCVsvIWiUyr95t5QA6+s\n"
                               "YdtEmZYnLjllkvJmATgY5eQFhKKUfTWF5J0hJ5bIQLDeFkkp4nNEgcP1y2021dmL\n"
                               "etNFE8xgypp3wv5+ZdY=\n"
                               "-----END TSS2 PRIVATE KEY-----\n";

static const uint8_t area[] = {0, 4, 1, 2, 3, 4};

static struct tss2_key sample(void)
{
        static const uint8_t pcrs[200] = {7};

        return (struct tss2_key){
                .type = TSS2_SEALED,
                .empty_auth = true,
                .parent = TPM_ENDORSEMENT,
                .n_steps = 2,
                .steps = {{CC_POLICY_AUTHORIZE, VIEW_ARRAY(pcrs)}, {CC_POLICY_NV, VIEW_ARRAY(area)}},
                .secret = VIEW_ARRAY(area),
                .description = view_str("avow: store-key"),
                .public_area = VIEW_ARRAY(area),
                .private_area = VIEW_ARRAY(area),
        };
}

static void assert_same(const struct tss2_key *a, const struct tss2_key *b)
{
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->empty_auth, b->empty_auth);
        assert_int_equal(a->rsa_parent, b->rsa_parent);
        assert_int_equal(a->parent, b->parent);
        assert_int_equal(a->n_steps, b->n_steps);
        for (size_t i = 0; i < a->n_steps; i++) {
                assert_int_equal(a->steps[i].code, b->steps[i].code);
                assert_true(view_equal(a->steps[i].parameters, b->steps[i].parameters));
        }
        assert_true(view_equal(a->secret, b->secret));
        assert_true(view_equal(a->description, b->description));
        assert_true(view_equal(a->public_area, b->public_area));
        assert_true(view_equal(a->private_area, b->private_area));
}

static void what_is_written_is_read(void **state)
{
        static const uint32_t parents[] = {0, 0x7f, 0x80, 0x8000, TPM_OWNER, 0x81000001, 0xffffffff};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
                struct err err = ERR_INIT;
                struct tss2_key key = sample(), again;
                struct buf pem = {0}, bytes = {0};

                key.parent = parents[i];
                if (i % 2)
                        key.secret = key.description = VIEW_NONE;
                key.rsa_parent = i % 3 == 0;
                assert_ok(tss2_pem_write(&key, &pem, &err), &err);
                assert_ok(tss2_pem_read(VIEW_BUF(&pem), &again, &bytes, &err), &err);
                assert_same(&key, &again);
                buf_free(&pem);
                buf_free(&bytes);
        }
}

static void what_tools_wrote_is_read(void **state)
{
        struct err err = ERR_INIT;
        struct tss2_key key;
        struct buf bytes = {0};

        (void)state;
        assert_ok(tss2_pem_read(view_str(by_tools), &key, &bytes, &err), &err);
        assert_int_equal(key.type, TSS2_LOADABLE);
        assert_false(key.empty_auth);
        assert_int_equal(key.parent, TPM_OWNER);
        assert_int_equal(key.n_steps, 0);
        assert_int_equal(key.public_area.len, 48);
        assert_int_equal(key.private_area.len, 131);
        buf_free(&bytes);
}

static void try_cut(struct view v, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct tss2_key key;
        struct buf bytes;
        const size_t *whole = ctx;

        POISON(key);
        POISON(bytes);
        if (v.len + 1 == *whole)
                return; /* the last line's end */
        if (tss2_pem_read(v, &key, &bytes, &err) == 0)
                fail_msg("%s was read", what);
        assert_poisoned(key);
        assert_poisoned(bytes);
}

/* What is read in spite of a flipped bit is another content: it is written as those bytes again. */
static void try_flip(struct view v, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct tss2_key key, again;
        struct buf bytes = {0}, pem = {0}, bytes2 = {0};

        (void)ctx;
        (void)what;
        if (tss2_pem_read(v, &key, &bytes, &err) < 0)
                return;
        assert_ok(tss2_pem_write(&key, &pem, &err), &err);
        assert_ok(tss2_pem_read(VIEW_BUF(&pem), &again, &bytes2, &err), &err);
        assert_same(&key, &again);
        buf_free(&pem);
        buf_free(&bytes);
        buf_free(&bytes2);
}

static void malformed_files_are_refused(void **state)
{
        struct err err = ERR_INIT;
        struct tss2_key key = sample();
        struct buf pem = {0};

        (void)state;
        assert_ok(tss2_pem_write(&key, &pem, &err), &err);
        each_truncation(VIEW_BUF(&pem), try_cut, &pem.len);
        each_bit_flip(VIEW_BUF(&pem), try_flip, NULL);
        buf_str(&pem, "x");
        try_cut(VIEW_BUF(&pem), "with something behind it", &(size_t){0});
        buf_free(&pem);

        key.type = TSS2_LOADABLE; /* with a secret */
        assert_ok(tss2_pem_write(&key, &pem, &err), &err);
        try_cut(VIEW_BUF(&pem), "a loadable object with a secret", &(size_t){0});
        buf_free(&pem);
        key.secret = VIEW_NONE;
        key.public_area = VIEW(area, 5); /* not the size in front */
        assert_ok(tss2_pem_write(&key, &pem, &err), &err);
        try_cut(VIEW_BUF(&pem), "a public area cut short", &(size_t){0});
        buf_free(&pem);
}

static void limits_are_kept(void **state)
{
        static const uint8_t large[TSS2_PEM_BYTES_MAX + 1] = {0};
        struct err err = ERR_INIT;
        struct tss2_key key = sample();
        struct buf pem = {0}, bytes;

        (void)state;
        key.n_steps = TSS2_STEPS_MAX + 1;
        assert_err(tss2_pem_write(&key, &pem, &err), ERR_LIMIT, &err, "large");
        key.n_steps = 1;
        key.steps[0].parameters = VIEW_ARRAY(large);
        assert_err(tss2_pem_write(&key, &pem, &err), ERR_LIMIT, &err, "step 0");
        assert_err(tss2_pem_read(VIEW_ARRAY(large), &key, &bytes, &err), ERR_LIMIT, &err, NULL);
        buf_free(&pem);
}

static int write_and_read(void *ctx, struct err *err)
{
        AUTO(buf_free) struct buf pem = {0};
        AUTO(buf_free) struct buf bytes = {0};
        struct tss2_key key = sample();
        int r = tss2_pem_write(&key, &pem, err);

        (void)ctx;
        return r < 0 ? r : tss2_pem_read(VIEW_BUF(&pem), &key, &bytes, err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(write_and_read, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read),
                cmocka_unit_test(what_tools_wrote_is_read),
                cmocka_unit_test(malformed_files_are_refused),
                cmocka_unit_test(limits_are_kept),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
