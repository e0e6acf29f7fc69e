/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurement lists of every template in every bank against answers that were not made here: the lists and
 * the values that they lead to are those of tests/vectors/ima/make.py, another program in another language,
 * with which evmctl agrees (tests/integration/witnesses-agree). Of every list, every bit and every cut.
 */
#include "support/support.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/hex.h"
#include "evidence/ima.h"

#define PCR 10

static const enum digest_alg banks[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
#define BANKS ARRAY_LEN(banks)

/* `make.py -n` prints it. Padded: with the SHA-1 of a kernel that could not compute the bank's own digest. */
static const struct {
        const char *template, *file;
        uint64_t entries, violations;
        const char *own[BANKS], *padded[BANKS];
} answers[] = {
        {"ima",
         "ima",
         5,
         1,
         {"1f66ef68a87fa1eb4540364337de415eef7f1702",
          "a1ee23e9c26039a1958d3b3aaa302229edb1941e323875f7b3be8fd8746b35b8",
          "fa8c8e3afb4d71454af7180f8d1e1d9102a8c139e5fe1bf206ed6dfe8dda468dac46259fe94f58e5db9ac706cdaa38c0",
          "f6e9519c67bb962a8503b9e34181a89ca76ce53e5a502e2a187bbba7d7dcf7da18bb4d0d8b8f4641948f0ba75fcb82e0d0"
          "b66c59e17bc66c42c022340c2fb278"},
         {NULL, "a871f16df7d6231b1f7db582e7755eec018124c9178f9bf154fc9e1be05a3598",
          "d0d619150e99fe98b962435358e0aec2d5b848069955ba1bb7368469fdafeb0b575a0c04c0522f566c789dde4273d331",
          "64f64c2df37e54151d744d5eb25389fb7c89ebfb4e9689d993ffd2dbf7bc7462392dac74bbebe99a179fcfad3834374748"
          "db756ae5828416b2ebfb48dbc2bb51"}},
        {"ima-ng",
         "ima-ng",
         5,
         1,
         {"5cf5b646fe1d5d794271d95d5bc9967360268019",
          "2fbcf921dfcca74e6b5c3aadaf92fd55b1cb2b9db9756fc8a5f089d800f4d289",
          "58ea4cef7022306b6aaf0c6b0a8a8af14242ec50a4eaeb818941e3711d7dc6c230ba4050dfa2712896a3e8131df76287",
          "ce95986a4c70c679ce25896f3c79ef8d22c0c3c0d097035583743b4d2ee3ef72942aae49594a60ef388a016ea2dd02d266"
          "97a480fd2bb952d1bb64fdd0be9bbc"},
         {NULL, "19baf19e8f5cba7a04bc0033e5c4dfc8b29e8f37eaef864da1d8e7bb29644a5a",
          "b3beb78357f5dde2e907fe6664784809f07fba088fd778389b15b4ba913959aa091469d57209b5643b34918301d649f0",
          "e13288d73bf0215f830d07397b7e5d160798286a43b3d5132dce1da2c6256e5fce4255f7723a310ddb26fc1ddf81a6154a"
          "bc636f7a03032d925fd1b816e2c91f"}},
        {"ima-ngv2",
         "ima-ngv2",
         3,
         0,
         {"4405ebfbb343d84fe0dde0129dc518504678dd48",
          "80b7cf154897024db37998bfe843eb22eadba23c5e5b08c1568a470f68a5bf37",
          "2ad4efef590216503077a622e0928bf77205d8b56c1895278109ef2b60edbba9dfe71a09992e237ca9336350183b869d",
          "13ea1fadec90d92c65aeee5cadef6e159f6efe3b89607d93b32eefbade498252cfd81f2cebd0566e80b209c13e7e9bf224"
          "22a19715afdf6119b3a3719abbb6cb"},
         {NULL, "655a557c16110740dfab29eb382d0f1ad3c599dcd674403d7c85705cc1ea920e",
          "14e4ef43660f12227f4d783adcd74d55f1850e369079840cd5d54cc59ccf63f6d1a8691199956d98666c1f573f36e326",
          "f9d8f5421747336c3ad112c008255be86b7b5d031baf4d15519c540b1bae15b5e4c4dcab54844d43cafa3fc7245e425241"
          "2df545e75693dd62034711872c8299"}},
        {"ima-sig",
         "ima-sig",
         4,
         1,
         {"7477c5c93d4524da766e15713eede811c3be198e",
          "4f07cf817da9b020851973c63e44610593fd774f4bef2a556235688ab7591109",
          "44f3f3fd46acabcc9c72f39fb78bfc4858d24f2f494bf6354ccf044ab2c9b3bdbfff5bcd069abbc5fc682c2dc8186dcd",
          "7db4769ab8992f25c138e39f38deb4e57ba18820b8f59b088e232fff1f56048dc93567910494289c1443ca4890be0631a1"
          "2c161d4b12c5388e41fee0b09c1469"},
         {NULL, "518c982913f7f9b2e510ddfc063d0a7cf95ab761dd8a911628e212d52e1e0f12",
          "6c3d87b61348496f5771bbb73c7b3acec2add648aafb9a7622d88aa6cd87335376cbfede90f4bc3964041a0d207c4481",
          "2d48b0f3c28fa036f97556f29ed361a0a45992b46b40768f985d73316963aea367de26c9c8db4a90253e6f1ea4c9676a31"
          "2173ab745f307aa50c67bd27ebaf75"}},
        {"ima-sigv2",
         "ima-sigv2",
         3,
         0,
         {"4abc93001287c53dbac7c7ac08fd1bef95ebe917",
          "194eedfd79474fc29765680fd57cd53ffb74552dba554d4518a0189d61d8c6eb",
          "413f4d0733fab4ba9000494e354ee616b0ea784608f576a82b659e3d7338ee41f67b360663e312f49834d02d296fc660",
          "12a7a19937100c5eec2c3c7bd6b2f111bf3cbad704df7311ac5c90d7b989d4c9fa7a2ef517cd27925f81efe8e4ac68321c"
          "433dcc14b2d3dfaccc22b703b9e427"},
         {NULL, "e48c9a22a218e9c611f5c5290e0a6708408b837f5f86a698ed91aa6f974959f1",
          "f8dc6f3f7741e770d474152e8cbc8c445c7f994bf420c285ee3df2bf3adff76637ff0aa0ce66e1f05bc9bd02777c72ae",
          "96771b2121dbc91696b52422acac7f50012d52e2113deb5926c9f2906ad2c49371149a28c364f19810d3eb4ed672c7ee29"
          "6c74ce1d37f3274a78f6b0d9201bc6"}},
        {"ima-buf",
         "ima-buf",
         3,
         0,
         {"c086aa07c6a901a4f487ed5a05ab18f97d00859a",
          "358553305e61695504a47a965d7eaead4f9268c507ea61ff63290da0e83d4b6c",
          "21b5d9dc1e56fb53fe57885525acede1f489506e30298091369be1a024e377c9aec8f72d6fbbfceda5b4bcc9f0f37304",
          "284b2174f70868b6dfbac242b0dca91eed9515f7ab648cf0f8f9c057043bb5232f90d760ff9822b4c91ef5aea2bffeff60"
          "7b558c07198072a2141893d8ec4602"},
         {NULL, "bf82afd720362e2a6dd254ab107e37f6cd80e1b414450320252ca3daa71ea197",
          "e3310c08d386b179bec5750f2363e294b0939faf3f3e8c015f47aef517189657783ae62da4c12be4b4b38c2fd9a4b9af",
          "64d085668c231a4dd965ddcded18ef04235fbd00d9ac876e0bc729be34e8c7ff20fdef9a7e76bdab71c840e27cf10dc49c"
          "85867d1ab11ca1b1a4890c68ba0b30"}},
        {"ima-modsig",
         "ima-modsig",
         2,
         0,
         {"aa1df0f25ea64e2979c8f02bdc9e1eade22301a4",
          "b39e98081839dd4cd820d657ca6c348230c286d30c43a7d635dd8fce8190474f",
          "77a346d377f863070da0fb52e22ce9add145606cbdea4a2e09b7726c6cfc48817764938aa12e1aa79d694d18facf1b46",
          "8e19209e1c155240dbe2854747bc9818f7e35d09acfa44080bafdebde0780ae568b67cdc1276c8cb0c80937b4a8ca60ecc"
          "db8b9cf0af5a7d7d8e8b001504b5ed"},
         {NULL, "c2d175dcf39c289bd5c223ba5f0dd68da19007d5c9e705092be222056e15ecf5",
          "3469bd660d752f73b2bedde560598721de5203268790e4b3f7f7f14ffd497eb8cf73d63008d47387421b19c3f3aea8ee",
          "aa5ef3ba0ccdd10c6ef4c55196131d36dbbd06ebb84c9eb82f07db0be6e50cfc931898fe381b1eb9600e3614606b0111fd"
          "e09d87daf96a6f94082ede3e26d0ef"}},
        {"evm-sig",
         "evm-sig",
         2,
         0,
         {"72bd0636b86907e4355450d155f7cdf95f910d73",
          "66388a0c553b38bf4dcb3c6b2c518aadbf37c5aa01023c68cfcf1305df1187e8",
          "7531c709b10c3beb344166fef463a246883f69f43799fac04e733b53e9df88a5354fb0fbeae45416071780df53c11a32",
          "7c5b945483c8753ba6f617489d4444cbac6a95dbc19e9a4a09bc29b6106b55c444ae489ad5e18282dd0a9926d3638d96a6"
          "876738e7aaac90092817d36140924f"},
         {NULL, "de2338a17c4c25d0d58a0dc06d40e3a8f86bb09d8dd3b84be6416efe56b1fc89",
          "348e6ef57903d7431b003f4b84c69a4501a569b8e3c57b11e6bca4c080d73247de511f3a772dd714a9b48864f31da843",
          "8d22be5f4897226f4127ac73ac89c2bc30cadd39ca3db54ff3bdc4eafed391d8f38ce179aec24a12bf20b478a56a822973"
          "58d4d7418385379348ea0c53baa9bb"}},
        {"d-ng|n-ng|iuid|imode",
         "d-ng+n-ng+iuid+imode",
         1,
         0,
         {"81308540270c9ac5dc46ebcd10f168d89980a782",
          "651b92917ff48cabf104215ed1839a35e744c452765257a656a9d6449a6eab81",
          "27d7cc46d21a870cc078aa6ba0731a0a7f792dfaa84fc6f414f25fd0357e318342be387a493a7e0ffb1e484922734d8e",
          "0ec4d1e5fd0905d47f1df15dbe80a0eefb5a4256d6a6cda4e9a665572c3497a939431e237513df67809045e8fed0cbc10a"
          "624eb0cf68b0ea7ff695898c0b98d0"},
         {NULL, "ce6e39ec7ef0f58c038af765de773ac0a58c5d31bc9a85b14ecb263bbef790ca",
          "bfea1da776c66fc917e48244f31fce7b614181f8a92183964dc4ac6af07a16114818642ad34cbe5b0b5bb1d6bb1c43a7",
          "7cf30403f54ca367f4e82165d23d761c2db1422596685e0253cbdbd8c91685a116b83ca25da7158f5dd1608a509582d49c"
          "ab0008a7c6b73454ce9b72d023321d"}},
};

static struct view list_read(struct buf *b, const char *file, enum ima_form form)
{
        const char *top = getenv("top_srcdir");
        AUTO(mem_free_p)
        char *path = str_fmt("%s/tests/vectors/ima/%s.%s", top ? top : ".", file,
                             form == IMA_TEXT ? "txt" : "bin");
        struct err err = ERR_INIT;

        assert_non_null(path);
        buf_reset(b);
        assert_ok(file_read(path, 1 << 20, b, &err), &err);
        return VIEW_BUF(b);
}

static void value_of(const char *hex, enum digest_alg bank, struct digest *ret)
{
        uint8_t bytes[DIGEST_BYTES_MAX];
        struct err err = ERR_INIT;

        assert_ok(hex_decode_exact(view_str(hex), bytes, digest_size(bank), &err), &err);
        assert_ok(digest_set(bank, VIEW(bytes, digest_size(bank)), ret, &err), &err);
}

static int replay(const struct ima_list *list, const struct digest *quoted, struct ima_replay *ret,
                  struct err *err)
{
        struct ima_start start = {.known = false};

        digest_zero(quoted->alg, &start.value);
        return ima_replay(list, &start, PCR, quoted, ret, err);
}

static void one_answer(size_t i, size_t bank, const struct ima_list *list, const char *hex,
                       enum ima_extended extended)
{
        struct ima_replay got;
        struct digest quoted;
        struct err err = ERR_INIT;

        value_of(hex, banks[bank], &quoted);
        assert_ok(replay(list, &quoted, &got, &err), &err);
        if (!got.matched || got.covered != answers[i].entries || got.n != answers[i].entries ||
            got.violations != answers[i].violations || got.extended != extended ||
            got.covered_bytes != list->bytes.len)
                fail_msg("%s, %s, form %d", answers[i].template, digest_name(banks[bank]), list->form);
}

static void test_every_template_in_every_bank(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(answers); i++)
                for (int form = IMA_BINARY; form <= IMA_TEXT; form++)
                        for (size_t bank = 0; bank < BANKS; bank++) {
                                AUTO(buf_free) struct buf b = {0};
                                struct ima_list list = {.form = (enum ima_form)form, .log_hash = DIGEST_SHA1};

                                list.bytes = list_read(&b, answers[i].file, list.form);
                                one_answer(i, bank, &list, answers[i].own[bank], IMA_OWN_DIGEST);
                                if (answers[i].padded[bank])
                                        one_answer(i, bank, &list, answers[i].padded[bank], IMA_PADDED_SHA1);
                        }
}

/* Every entry can be understood, and names the template that it is said to be of. */
static void test_every_entry_says_something(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(answers); i++)
                for (int form = IMA_BINARY; form <= IMA_TEXT; form++) {
                        AUTO(buf_free) struct buf b = {0};
                        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
                        struct ima_list list = {.form = (enum ima_form)form, .log_hash = DIGEST_SHA1};
                        struct ima_entry e;
                        struct ima_event event;
                        struct err err = ERR_INIT;

                        list.bytes = list_read(&b, answers[i].file, list.form);
                        assert_ok(ima_reader_new(&list, &r, &err), &err);
                        while (ima_next(r, &e, &err) == 1) {
                                assert_ok(ima_event_decode(&e, &event, &err), &err);
                                assert_string_equal(e.form->name, answers[i].template);
                                assert_true(event.name.len > 0);
                                assert_true(e.violation || event.alg_known);
                        }
                        assert_int_equal(err.kind, 0);
                }
}

/* ---- mutations ---- */

static bool shows(const struct ima_list *list, const struct digest *quoted, uint64_t n)
{
        struct ima_replay got;
        struct err err = ERR_INIT;

        return replay(list, quoted, &got, &err) < 0 || !got.matched || got.covered != n;
}

/* Where the data of violations begins, which the register does not cover; the end of the list without any.
 * They are the last entries of these lists. */
static size_t uncovered_from(const struct ima_list *list)
{
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_entry e;
        struct err err = ERR_INIT;

        assert_ok(ima_reader_new(list, &r, &err), &err);
        while (ima_next(r, &e, &err) == 1)
                if (e.violation)
                        return e.at + (list->form == IMA_TEXT ? 3 + 40 : 4 + 20);
        return list->bytes.len;
}

static void mutate(size_t i, enum ima_form form)
{
        AUTO(buf_free) struct buf b = {0};
        struct ima_list list = {.form = form, .log_hash = DIGEST_SHA1};
        struct digest quoted;
        size_t end;

        list.bytes = list_read(&b, answers[i].file, form);
        value_of(answers[i].own[1], DIGEST_SHA256, &quoted);
        assert_false(shows(&list, &quoted, answers[i].entries));
        end = uncovered_from(&list);
        for (size_t bit = 0; bit < end * 8; bit++) {
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (!shows(&list, &quoted, answers[i].entries))
                        fail_msg("%s, form %d: bit %zu of byte %zu of %zu may be anything", answers[i].file,
                                 form, bit % 8, bit / 8, b.len);
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        if (form == IMA_TEXT && end < b.len)
                return; /* a violation that was cut in its name is one of another name */
        for (size_t len = 0; len + (form == IMA_TEXT) < b.len; len++) { /* the last newline may be absent */
                list.bytes.len = len;
                if (!shows(&list, &quoted, answers[i].entries))
                        fail_msg("%s, form %d: it may end at byte %zu of %zu", answers[i].file, form, len,
                                 b.len);
        }
}

static void test_every_bit_and_every_cut(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
                mutate(i, IMA_BINARY);
                mutate(i, IMA_TEXT);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_template_in_every_bank),
                cmocka_unit_test(test_every_entry_says_something),
                cmocka_unit_test(test_every_bit_and_every_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
