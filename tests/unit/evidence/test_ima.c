/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement lists of real boots against what is known of them; forms, templates, and everything near them.
 */
#include "support/support.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/key.h"
#include "evidence/ima.h"
#include "evidence/ima_signature.h"
#include "evidence/pcr_blob.h"
#include "vectors.h"

#define PCR 10

static struct view list_read(struct buf *b, const char *set, int step, const char *ext)
{
        char file[32];

        (void)snprintf(file, sizeof(file), "%d_ima.%s", step, ext);
        return vector_read(b, set, file);
}

static void quoted_value(const char *set, int step, const char *quote, struct digest *ret)
{
        AUTO(buf_free) struct buf b = {0};
        struct pcr_values values;
        struct err err = ERR_INIT;

        assert_ok(pcr_blob_parse(vector_quote(&b, set, step, quote, "pcrs"), &values, &err), &err);
        *ret = values.v[PCR];
}

static void start_at_zero(enum digest_alg alg, struct ima_start *ret)
{
        *ret = (struct ima_start){.known = false};
        digest_zero(alg, &ret->value);
}

/* ---- known answers ---- */

/*
 * By hand: what was run in the guests at each step (55 files at boot, 8 more, 2 violations, then keys and
 * reads). At step 4 reading is measured itself, so each quote saw more than the one before: as a script of
 * another language replays them.
 */
struct answer {
        uint64_t entries, covered, violations;
};
static const struct answer answers[BOOT_STEPS] = {{55, 55, 0}, {63, 63, 0}, {65, 65, 2}, {84, 0, 2}};

static struct answer answer_of(const char *set, int step, const char *quote)
{
        static const struct {
                const char *quote;
                uint64_t covered;
        } last[BOOT_QUOTES] = {{"ecc_sha256", 71}, {"rsa_sha256", 75}, {"ecc_sha1", 78}, {"ecc_sha384", 81}};
        struct answer a = answers[step - 1];

        for (size_t i = 0; step == BOOT_STEPS && i < BOOT_QUOTES; i++)
                if (strcmp(quote, last[i].quote) == 0)
                        a.covered = last[i].covered;
        if (step == BOOT_STEPS && strcmp(set, "secureboot-shim-grub-ima-sig") == 0) { /* three keys more */
                a.entries += 3;
                a.covered += 3;
        }
        return a;
}

static void one_replay(const char *set, int step, const char *quote, const struct ima_list *list)
{
        const struct answer want = answer_of(set, step, quote);
        struct ima_start start;
        struct ima_replay got;
        struct digest quoted;
        struct err err = ERR_INIT;

        quoted_value(set, step, quote, &quoted);
        start_at_zero(quoted.alg, &start);
        assert_ok(ima_replay(list, &start, PCR, &quoted, &got, &err), &err);
        assert_true(got.matched);
        /* the text was read after the binary list, and that was measured */
        assert_int_equal(got.n, want.entries + (step == BOOT_STEPS && list->form == IMA_TEXT));
        assert_int_equal(got.covered, want.covered);
        assert_int_equal(got.violations, want.violations);
        /* this kernel could not compute SHA-384 when IMA began */
        assert_int_equal(got.extended, quoted.alg == DIGEST_SHA384 ? IMA_PADDED_SHA1 : IMA_OWN_DIGEST);
        assert_true(digest_equal(&got.value, &quoted));
}

static void test_real_lists_replay_to_their_quotes(void **state)
{
        (void)state;
        for (size_t s = 0; s < BOOT_SETS; s++)
                for (int step = 1; step <= BOOT_STEPS; step++)
                        for (size_t q = 0; q < BOOT_QUOTES; q++) {
                                AUTO(buf_free) struct buf bin = {0}, text = {0};
                                struct ima_list list = {.form = IMA_BINARY, .log_hash = DIGEST_SHA1};

                                list.bytes = list_read(&bin, boot_sets[s], step, "bin");
                                one_replay(boot_sets[s], step, boot_quotes[q], &list);
                                list.form = IMA_TEXT;
                                list.bytes = list_read(&text, boot_sets[s], step, "txt");
                                one_replay(boot_sets[s], step, boot_quotes[q], &list);
                        }
}

/* The aggregate is the first entry, of the bank that the kernel's hash is of. */
static void test_boot_aggregate_is_what_the_quote_says(void **state)
{
        (void)state;
        for (size_t s = 0; s < BOOT_SETS; s++) {
                AUTO(buf_free) struct buf bin = {0}, blob = {0};
                AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
                struct ima_list list = {.log_hash = DIGEST_SHA1,
                                        .bytes = list_read(&bin, boot_sets[s], 1, "bin")};
                struct ima_entry e;
                struct ima_event event;
                struct pcr_values values;
                struct digest want;
                struct err err = ERR_INIT;

                assert_ok(ima_reader_new(&list, &r, &err), &err);
                assert_int_equal(ima_next(r, &e, &err), 1);
                assert_ok(ima_event_decode(&e, &event, &err), &err);
                assert_true(view_equal(event.name, view_str("boot_aggregate")));
                assert_true(event.alg_known);
                (void)vector_quote(&blob, boot_sets[s], 1,
                                   event.alg == DIGEST_SHA1 ? "ecc_sha1" : "ecc_sha256", "pcrs");
                assert_ok(pcr_blob_parse(VIEW_BUF(&blob), &values, &err), &err);
                assert_ok(ima_boot_aggregate(&values, &want, &err), &err);
                assert_true(view_equal(event.digest, digest_view(&want)));
                values.mask &= ~2u; /* a PCR that was not quoted */
                assert_err(ima_boot_aggregate(&values, &want, &err), ERR_FORMAT, &err, "no value");
        }
}

/* ---- what entries say ---- */

static void find_event(const char *set, int step, enum ima_form form, const char *name, struct buf *bytes,
                       struct ima_reader **r, struct ima_event *ret)
{
        struct ima_list list = {.form = form, .log_hash = DIGEST_SHA1};
        struct ima_entry e;
        struct err err = ERR_INIT;

        list.bytes = list_read(bytes, set, step, form == IMA_TEXT ? "txt" : "bin");
        assert_ok(ima_reader_new(&list, r, &err), &err);
        while (ima_next(*r, &e, &err) == 1) {
                assert_ok(ima_event_decode(&e, ret, &err), &err);
                if (view_equal(ret->name, view_str(name)))
                        return;
        }
        fail_msg("%s step %d has no entry '%s': %s", set, step, name, err.text);
}

static void event_is(const char *set, enum ima_form form, const char *name, const char *sha256, size_t sig)
{
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        AUTO(mem_free_p) char *hex = NULL;
        struct ima_event event;

        find_event(set, 2, form, name, &bytes, &r, &event);
        hex = hex_encode(event.digest);
        assert_string_equal(hex, sha256);
        assert_view(event.alg_name, "sha256");
        assert_int_equal(event.measured, IMA_FILE);
        assert_int_equal(event.sig.len, sig);
}

/* As tests/vectors/boot/files/fixture-sha256.txt has them, which sha256sum made in the guest's making. */
static void test_names_digests_and_signatures(void **state)
{
        static const char unsigned_[] = "32a9f0302f2b617b4d4543b193fa191cf847621ea185e56279875bc9137d5177";

        (void)state;
        for (int form = IMA_BINARY; form <= IMA_TEXT; form++) {
                event_is("seabios-ima-sig", form, "/mnt/bin/plain", unsigned_, 0);
                event_is("seabios-ima-ng", form, "/mnt/bin/na\xc3\xafve-\xc3\xbctf8", unsigned_, 0);
                event_is("seabios-ima-sig", form, "/mnt/bin/new\nline",
                         "e458bac1b1d68a36c3c3937e17389dfde379b843b430745db6a446597f8f95fc", 0);
                event_is("seabios-ima-ngv2", form, "/mnt/bin/with_space",
                         "0900b3bcb4aaddfdf441cc1bd81d5fc05d317c122fb0306eb2730452e1835147", 0);
                event_is("uefi-direct-ima-sig", form, "/mnt/bin/signed-rsa",
                         "f97485d8a4f3da813b5e0b4b7f098af357942697e08171a01b1d7e3ebd0f26b5", 9 + 256);
        }
}

static void test_keys_come_in_buffers(void **state)
{
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_event event;
        struct digest d;
        struct err err = ERR_INIT;

        (void)state;
        find_event("seabios-ima-sig", 4, IMA_BINARY, ".builtin_trusted_keys", &bytes, &r, &event);
        assert_true(event.has_buf);
        assert_true(event.buf.len > 100);
        assert_ok(digest_bytes(event.alg, event.buf, &d, &err), &err);
        assert_true(view_equal(digest_view(&d), event.digest));
}

/* ---- made by hand: what Debian's kernel does not produce ---- */

struct made {
        struct buf data, list, text;
};

static void made_done(struct made *m)
{
        buf_free(&m->data);
        buf_free(&m->list);
        buf_free(&m->text);
}

static void field(struct made *m, const void *p, size_t n)
{
        buf_le32(&m->data, (uint32_t)n);
        buf_put(&m->data, p, n);
}
#define FIELD(m, literal) field(m, literal, sizeof(literal) - 1)

/* Ends the entry: appends it to the list; to the text with FIELDS as the kernel prints them. */
static void entry(struct made *m, const char *template, const char *fields)
{
        uint8_t hash[20];

        (void)SHA1(m->data.p, m->data.len, hash);
        buf_le32(&m->list, PCR);
        buf_put(&m->list, hash, sizeof(hash));
        buf_le32(&m->list, (uint32_t)strlen(template));
        buf_str(&m->list, template);
        buf_le32(&m->list, (uint32_t)m->data.len);
        buf_put(&m->list, m->data.p, m->data.len);
        buf_str(&m->text, "10 ");
        buf_hex(&m->text, VIEW_ARRAY(hash));
        buf_fmt(&m->text, " %s %s\n", template, fields);
        buf_reset(&m->data);
}

/* Both forms of the one entry that was made give the same data and say the same. */
static void same_in_both(const struct made *m, struct ima_event *ret, struct ima_reader **ret_reader)
{
        AUTO(ima_reader_free_p) struct ima_reader *text = NULL;
        struct ima_list list = {.log_hash = DIGEST_SHA1, .bytes = VIEW_BUF(&m->list)};
        struct ima_entry a, b;
        struct err err = ERR_INIT;

        assert_ok(ima_reader_new(&list, ret_reader, &err), &err);
        list.form = IMA_TEXT;
        list.bytes = VIEW_BUF(&m->text);
        assert_ok(ima_reader_new(&list, &text, &err), &err);
        if (ima_next(*ret_reader, &a, &err) != 1 || ima_next(text, &b, &err) != 1)
                fail_msg("%s", err.text);
        assert_true(view_equal(a.data, b.data));
        assert_int_equal(ima_next(*ret_reader, &b, &err), 0);
        assert_ok(ima_event_decode(&a, ret, &err), &err);
}

static void test_verity_digest_and_signature(void **state)
{
        AUTO(made_done) struct made m = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_event event;

        (void)state;
        FIELD(&m, "verity:sha512:\0"
                  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        FIELD(&m, "/usr/bin/x\0");
        FIELD(&m, "\x06\x03\x04\x01");
        entry(&m, "ima-sigv2",
              "verity:sha512:"
              "30313233343536373839616263646566303132333435363738396162636465663031323334353637383961"
              "6263646566"
              "30313233343536373839616263646566 /usr/bin/x 06030401");
        same_in_both(&m, &event, &r);
        assert_int_equal(event.measured, IMA_VERITY);
        assert_int_equal(event.alg, DIGEST_SHA512);
        assert_int_equal(event.sig.len, 4);
}

static void test_appended_signatures(void **state)
{
        AUTO(made_done) struct made m = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_event event;

        (void)state;
        FIELD(&m, "sha1:\0aaaaaaaaaaaaaaaaaaaa");
        FIELD(&m, "/lib/m.ko\0");
        FIELD(&m, "");
        FIELD(&m, "sha256:\0bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
        FIELD(&m, "\x30\x82");
        entry(&m, "ima-modsig",
              "sha1:6161616161616161616161616161616161616161 /lib/m.ko  "
              "sha256:6262626262626262626262626262626262626262626262626262626262626262 3082");
        same_in_both(&m, &event, &r);
        assert_int_equal(event.modsig.len, 2);
        assert_view(event.modsig_alg_name, "sha256");
        assert_int_equal(event.modsig_digest.len, 32);
        assert_int_equal(event.sig.len, 0);
}

static void test_evm_portable_signatures(void **state)
{
        AUTO(made_done) struct made m = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_event event;

        (void)state;
        FIELD(&m, "sha1:\0aaaaaaaaaaaaaaaaaaaa");
        FIELD(&m, "/bin/x\0");
        FIELD(&m, "\x05\x02");
        FIELD(&m, "security.ima|security.selinux\0");
        FIELD(&m, "\x21\x00\x00\x00\x05\x00\x00\x00");
        FIELD(&m, "xy");
        FIELD(&m, "\xe8\x03\x00\x00");
        FIELD(&m, "\x00\x00\x00\x00");
        FIELD(&m, "\xed\x81");
        entry(&m, "evm-sig",
              "sha1:6161616161616161616161616161616161616161 /bin/x 0502 security.ima|security.selinux "
              "2100000005000000 7879 1000 0 33261");
        same_in_both(&m, &event, &r);
        assert_true(event.has_owner);
        assert_int_equal(event.uid, 1000);
        assert_int_equal(event.gid, 0);
        assert_int_equal(event.mode, 0100755);
        assert_true(view_equal(event.xattr_names, view_str("security.ima|security.selinux")));
}

static void test_a_template_by_its_fields(void **state)
{
        AUTO(made_done) struct made m = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_event event;

        (void)state;
        FIELD(&m, "/bin/x\0");
        FIELD(&m, "aaaaaaaaaaaaaaaaaaaa");
        entry(&m, "n|d", "/bin/x 6161616161616161616161616161616161616161");
        same_in_both(&m, &event, &r);
        assert_int_equal(event.alg, DIGEST_SHA1);
        assert_true(view_equal(event.name, view_str("/bin/x")));
}

/* A file whose name is an entry of its own, made to look like one that a policy allows. */
static void test_a_name_that_plays_an_entry(void **state)
{
        static const char name[] = "/tmp/x\n10 da39a3ee5e6b4b0d3255bfef95601890afd80709 ima-ng "
                                   "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709 /bin/good\n\n";
        AUTO(made_done) struct made m = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        AUTO(mem_free_p) char *fields = NULL;
        struct ima_event event;

        (void)state;
        FIELD(&m, "sha1:\0aaaaaaaaaaaaaaaaaaaa");
        field(&m, name, sizeof(name));
        fields = str_fmt("sha1:6161616161616161616161616161616161616161 %s", name);
        /* a blank in a name is written as '_', so that it cannot end a field */
        for (char *c = strchr(fields, '\n'); c && *c; c++)
                if (*c == ' ')
                        *c = '_';
        for (size_t i = 0; i < m.data.len; i++)
                if (m.data.p[i] == ' ')
                        m.data.p[i] = '_';
        entry(&m, "ima-ng", fields);
        same_in_both(&m, &event, &r);
        assert_int_equal(event.name.len, sizeof(name) - 1);
}

static void test_a_violation_before_another_entry(void **state)
{
        static const char text[] = "10 0000000000000000000000000000000000000000 ima-ng "
                                   "sha1:0000000000000000000000000000000000000000 "
                                   "/tmp/a\nb\n"
                                   "10 0000000000000000000000000000000000000000 ima-ng "
                                   "sha1:0000000000000000000000000000000000000000 "
                                   "/tmp/c\n";
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_list list = {
                .form = IMA_TEXT, .log_hash = DIGEST_SHA1, .bytes = view_str(text), .first = 7};
        struct ima_entry e;
        struct ima_event event;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(ima_reader_new(&list, &r, &err), &err);
        assert_int_equal(ima_next(r, &e, &err), 1);
        assert_true(e.violation);
        assert_ok(ima_event_decode(&e, &event, &err), &err);
        assert_true(view_equal(event.name, view_str("/tmp/a\nb")));
        assert_int_equal(ima_next(r, &e, &err), 1);
        assert_int_equal(e.number, 8);
        assert_int_equal(ima_next(r, &e, &err), 0);
}

/* ---- signatures ---- */

static void add_key(struct ima_keys *keys, const char *file, uint32_t want_id)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        uint32_t id = 0;

        for (int twice = 0; twice < 2; twice++) {
                assert_ok(ima_keys_add(keys, vector_read(&b, "files", file), &id, &err), &err);
                assert_int_equal(id, want_id);
        }
}

static enum ima_signed signed_how(const struct ima_keys *keys, const struct ima_event *event)
{
        enum ima_signed how = IMA_SIGNED;
        struct err err = ERR_INIT;

        assert_ok(ima_signature_check(keys, event, &how, &err), &err);
        return how;
}

static void signed_file(const char *name, const char *cert, uint32_t id)
{
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        AUTO(ima_keys_free_p) struct ima_keys *keys = NULL;
        struct ima_event event;
        struct err err = ERR_INIT;

        find_event("seabios-ima-sig", 2, IMA_BINARY, name, &bytes, &r, &event);
        assert_ok(ima_keys_new(&keys, &err), &err);
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_BY_UNKNOWN);
        add_key(keys, cert, id);
        assert_int_equal(ima_keys_count(keys), 1);
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED);
        bytes.p[event.digest.p - bytes.p] ^= 1;
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_BADLY);
        bytes.p[event.digest.p - bytes.p] ^= 1;
        bytes.p[event.sig.p - bytes.p + 1] = 3; /* version 3 is over something else */
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_BADLY);
        bytes.p[event.sig.p - bytes.p + 1] = 4;
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_SOMEHOW);
        bytes.p[event.sig.p - bytes.p + 1] = 2;
        bytes.p[event.sig.p - bytes.p] = 5; /* portable: over metadata */
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_SOMEHOW);
        bytes.p[event.sig.p - bytes.p] = 3;
        event.sig.len--;
        assert_err(ima_signature_check(keys, &event, &(enum ima_signed){0}, &err), ERR_FORMAT, &err,
                   "lengths");
        event.sig.len = 0;
        assert_int_equal(signed_how(keys, &event), IMA_UNSIGNED);
}

/* Identifiers as `evmctl ima_sign` and openssl show them. */
static void test_signed_files(void **state)
{
        (void)state;
        signed_file("/mnt/bin/signed-rsa", "ima_rsa.crt", 0x2a31b4cc);
        signed_file("/mnt/bin/signed-ecc", "ima_ecc.crt", 0x14d32ed6);
}

/* fs-verity: the signature is over type, algorithm and digest. Made here with a key of our own. */
static void test_version_three(void **state)
{
        static const uint8_t root[32] = {1, 2, 3};
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        AUTO(ima_keys_free_p) struct ima_keys *keys = NULL;
        AUTO(buf_free) struct buf id = {0}, sig = {0}, xattr = {0}, spki = {0};
        struct ima_event event = {.measured = IMA_VERITY, .alg_known = true, .alg = DIGEST_SHA256};
        struct err err = ERR_INIT;
        uint32_t key_id = 0;

        (void)state;
        assert_ok(key_generate_rsa(2048, &key, &err), &err);
        assert_ok(key_public(key, &public, &err), &err);
        assert_ok(ima_keys_new(&keys, &err), &err);
        assert_ok(pubkey_spki(public, &spki, &err), &err);
        assert_ok(ima_keys_add(keys, VIEW_BUF(&spki), &key_id, &err), &err);
        buf_u8(&id, 6);
        buf_u8(&id, 4);
        buf_put(&id, root, sizeof(root));
        assert_ok(key_sign(key, DIGEST_SHA256, VIEW_BUF(&id), &sig, &err), &err);
        buf_u8(&xattr, 6);
        buf_u8(&xattr, 3);
        buf_u8(&xattr, 4);
        buf_be32(&xattr, key_id);
        buf_be16_bytes(&xattr, VIEW_BUF(&sig));
        event.digest = VIEW_ARRAY(root);
        event.sig = VIEW_BUF(&xattr);
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED);
        event.measured = IMA_FILE; /* the same digest, of a file's contents */
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_SOMEHOW);
        event.measured = IMA_VERITY;
        xattr.p[0] = 3;
        assert_int_equal(signed_how(keys, &event), IMA_SIGNED_SOMEHOW);
        assert_err(ima_keys_add(keys, view_str("no key"), &key_id, &err), ERR_FORMAT, &err, "neither");
}

/* ---- parts ---- */

static void test_goes_on_where_it_was(void **state)
{
        (void)state;
        for (size_t q = 0; q < BOOT_QUOTES; q++) {
                AUTO(buf_free) struct buf bin = {0};
                struct ima_list list = {.log_hash = DIGEST_SHA1};
                struct digest first, last;
                struct ima_start start;
                struct ima_replay one, two;
                struct err err = ERR_INIT;

                quoted_value("seabios-ima-sig", 2, boot_quotes[q], &first);
                quoted_value("seabios-ima-sig", 4, boot_quotes[q], &last);
                start_at_zero(first.alg, &start);
                list.bytes = list_read(&bin, "seabios-ima-sig", 4, "bin");
                assert_ok(ima_replay(&list, &start, PCR, &first, &one, &err), &err);
                assert_int_equal(one.covered, 63);
                list.first = one.covered;
                list.bytes = VIEW(list.bytes.p + one.covered_bytes, list.bytes.len - one.covered_bytes);
                start = (struct ima_start){.value = one.value, .known = true, .extended = one.extended};
                assert_ok(ima_replay(&list, &start, PCR, &last, &two, &err), &err);
                assert_true(two.matched);
                assert_int_equal(two.covered, answer_of("seabios-ima-sig", 4, boot_quotes[q]).covered - 63);
                assert_int_equal(two.violations, 2);
                /* nothing new is a match too */
                start.value = last;
                list.bytes = VIEW_NONE;
                assert_ok(ima_replay(&list, &start, PCR, &last, &two, &err), &err);
                assert_true(two.matched);
                assert_int_equal(two.covered, 0);
        }
}

static void test_a_quote_beyond_the_list_does_not_match(void **state)
{
        AUTO(buf_free) struct buf bin = {0};
        struct ima_list list = {.log_hash = DIGEST_SHA1,
                                .bytes = list_read(&bin, "seabios-ima-ng", 1, "bin")};
        struct digest quoted;
        struct ima_start start;
        struct ima_replay got;
        struct err err = ERR_INIT;

        (void)state;
        quoted_value("seabios-ima-ng", 2, "ecc_sha256", &quoted);
        start_at_zero(DIGEST_SHA256, &start);
        assert_ok(ima_replay(&list, &start, PCR, &quoted, &got, &err), &err);
        assert_false(got.matched);
        assert_int_equal(got.covered, 0);
        assert_int_equal(got.extended, IMA_OWN_DIGEST);
        start_at_zero(DIGEST_SHA1, &start);
        assert_err(ima_replay(&list, &start, PCR, &quoted, &got, &err), ERR_BUG, &err, "sha1");
}

/* ---- mutations ---- */

/* Return: is LIST refused, or does it replay to anything but QUOTED over N entries? */
static bool shows(const struct ima_list *list, const struct digest *quoted, uint64_t n)
{
        struct ima_start start;
        struct ima_replay got;
        struct err err = ERR_INIT;

        start_at_zero(quoted->alg, &start);
        return ima_replay(list, &start, PCR, quoted, &got, &err) < 0 || !got.matched || got.covered != n;
}

/* A violation covers none of its data: its register value is all ones whatever it says. Lists without one. */
static void flip_every_bit(const char *set, enum ima_form form)
{
        AUTO(buf_free) struct buf b = {0};
        struct ima_list list = {.form = form, .log_hash = DIGEST_SHA1};
        struct digest quoted;

        list.bytes = list_read(&b, set, 1, form == IMA_TEXT ? "txt" : "bin");
        quoted_value(set, 1, "ecc_sha256", &quoted);
        assert_false(shows(&list, &quoted, 55));
        for (size_t bit = 0; bit < b.len * 8; bit++) {
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (!shows(&list, &quoted, 55))
                        fail_msg("%s: bit %zu of byte %zu of %zu may be anything", set, bit % 8, bit / 8,
                                 b.len);
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 0; len + (form == IMA_TEXT) < b.len; len++) { /* the last newline may be absent */
                list.bytes.len = len;
                assert_true(shows(&list, &quoted, 55));
        }
}

static void test_every_bit_of_a_list_counts(void **state)
{
        (void)state;
        flip_every_bit("seabios-ima-sig", IMA_BINARY);
        flip_every_bit("seabios-ima-legacy", IMA_BINARY);
}

static void test_every_bit_of_a_text_list_counts(void **state)
{
        (void)state;
        flip_every_bit("seabios-ima-ng", IMA_TEXT);
}

static void test_an_error_names_entry_and_place(void **state)
{
        AUTO(buf_free) struct buf bin = {0};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_list list = {.log_hash = DIGEST_SHA1,
                                .bytes = list_read(&bin, "seabios-ima-ng", 1, "bin")};
        struct ima_entry e;
        struct err err = ERR_INIT;

        (void)state;
        list.bytes.len = 120;
        list.first = 4000;
        assert_ok(ima_reader_new(&list, &r, &err), &err);
        assert_int_equal(ima_next(r, &e, &err), 1);
        assert_err(ima_next(r, &e, &err), ERR_FORMAT, &err,
                   "entry 4001 of the measurement list, at byte 101");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real_lists_replay_to_their_quotes),
                cmocka_unit_test(test_boot_aggregate_is_what_the_quote_says),
                cmocka_unit_test(test_names_digests_and_signatures),
                cmocka_unit_test(test_keys_come_in_buffers),
                cmocka_unit_test(test_verity_digest_and_signature),
                cmocka_unit_test(test_appended_signatures),
                cmocka_unit_test(test_evm_portable_signatures),
                cmocka_unit_test(test_a_template_by_its_fields),
                cmocka_unit_test(test_a_name_that_plays_an_entry),
                cmocka_unit_test(test_a_violation_before_another_entry),
                cmocka_unit_test(test_signed_files),
                cmocka_unit_test(test_version_three),
                cmocka_unit_test(test_goes_on_where_it_was),
                cmocka_unit_test(test_a_quote_beyond_the_list_does_not_match),
                cmocka_unit_test(test_every_bit_of_a_list_counts),
                cmocka_unit_test(test_every_bit_of_a_text_list_counts),
                cmocka_unit_test(test_an_error_names_entry_and_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
