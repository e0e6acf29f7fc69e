/* SPDX-License-Identifier: Apache-2.0 */
/* lib/tpm against a real TPM 2.0 (swtpm), with tpm2-tools and OpenSSL as the other side. */
#include "support/support.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

#include "base/mem.h"
#include "crypto/credential.h"
#include "swtpm.h"
#include "tpm/ak.h"
#include "tpm/private.h"

/* The stack's own constants shift a 1 into the sign bit. */
#define TRANSIENTS 0x80000000u
#define SESSIONS   0x02000000u

static struct swtpm emulator;

static int setup(void **state)
{
        (void)state;
        swtpm_start(&emulator);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        swtpm_stop(&emulator);
        return 0;
}

static struct tpm *open_tpm(void)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = NULL;

        if (tpm_open(emulator.tcti, &tpm, &err) < 0)
                fail_msg("%s", err.text);
        return tpm;
}

#define OK(call)                                                                                             \
        do {                                                                                                 \
                if ((call) < 0)                                                                              \
                        fail_msg("%s: %s", #call, err.text);                                                 \
        } while (0)

static unsigned count_handles(struct tpm *tpm, TPM2_HANDLE first)
{
        TPMS_CAPABILITY_DATA *data = NULL;
        TPMI_YES_NO more;
        unsigned n;

        assert_int_equal(Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                            TPM2_CAP_HANDLES, first, 32, &more, &data),
                         0);
        n = data->data.handles.count;
        Esys_Free(data);
        return n;
}

static void assert_nothing_loaded(struct tpm *tpm)
{
        assert_int_equal(count_handles(tpm, TRANSIENTS), 0);
        assert_int_equal(count_handles(tpm, SESSIONS), 0);
}

/* ---- connection */

static void no_tpm_is_a_clear_error(void **state)
{
        static const char *const wrong[] = {"swtpm:path=/nonexistent/s", "device:/dev/nonexistent",
                                            "nonsense:x=y"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                struct err err = ERR_INIT;
                struct tpm *tpm = (void *)0xaa;

                assert_int_equal(tpm_open(wrong[i], &tpm, &err), -ERR_TPM);
                assert_ptr_equal(tpm, (void *)0xaa);
                assert_non_null(strstr(err.text, wrong[i]));
                assert_non_null(strstr(err.text, "tpm.tcti"));
        }
}

static void managers_are_told_apart(void **state)
{
        (void)state;
        assert_true(tpm_has_manager("device:/dev/tpmrm0"));
        assert_true(tpm_has_manager("tabrmd"));
        assert_true(tpm_has_manager("device"));
        assert_true(tpm_has_manager(""));
        assert_false(tpm_has_manager("device:/dev/tpm0"));
        assert_false(tpm_has_manager("swtpm:path=/x"));
        assert_false(tpm_has_manager("mssim"));
}

static void what_a_predecessor_left_is_flushed(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_handle session;
        struct tpm_ek *ek[3];
        struct tpm *tpm = open_tpm(), *next;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(ek); i++)
                OK(tpm_ek_load(tpm, TPM_EK_P256, &ek[i], &err));
        OK(tpm_ek_policy(ek[0], &session, &err));
        assert_int_equal(count_handles(tpm, TRANSIENTS), 3);
        next = open_tpm(); /* the first has "crashed" */
        assert_nothing_loaded(next);
        for (size_t i = 0; i < ARRAY_LEN(ek); i++)
                tpm_ek_free(ek[i]); /* flushing what is gone is no trouble */
        tpm_handle_done(&session);
        tpm_free(next);
        tpm_free(tpm);
}

static void info_names_the_maker(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct tpm_info info;
        struct tpm_counters clock;

        (void)state;
        memset(&info, 0xaa, sizeof(info));
        OK(tpm_info_read(tpm, &info, &err));
        assert_string_equal(info.manufacturer, "IBM");
        assert_false(info.lockout);
        assert_false(info.endorsement_auth_set);
        assert_true(info.firmware != 0);
        OK(tpm_clock_read(tpm, &clock, &err));
        assert_true(clock.reset > 0);
        tpm_free(tpm);
}

static void errors_are_told_apart(void **state)
{
        static const struct {
                uint32_t rc;
                bool lost, stale;
        } cases[] = {
                {TPM2_RC_REFERENCE_H0, false, true},
                {TPM2_RC_REFERENCE_S0, false, true},
                {TPM2_RC_HANDLE | TPM2_RC_1, false, true},
                {TPM2_RC_VALUE | TPM2_RC_S | TPM2_RC_1, false, true},
                {TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_1, false, false},
                {TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, false, true},
                {TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1, false, false},
                {TPM2_RC_LOCKOUT, false, false},
                {TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_REFERENCE_H0, false, true},
                {TSS2_TCTI_RC_IO_ERROR, true, false},
                {TSS2_ESYS_RC_MEMORY, false, false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct err err = ERR_INIT;

                assert_int_equal(tpm_err(&err, cases[i].rc, "x"), -ERR_TPM);
                assert_int_equal(tpm_err_is_lost(&err), cases[i].lost);
                assert_int_equal(tpm_err_is_stale(&err), cases[i].stale);
        }
}

/* ---- banks */

static void banks_are_chosen(void **state)
{
        static const char *const two[] = {"sha384", "sha256"}, *const sha512[] = {"sha512"};
        static const char *const odd[] = {"md5"}, *const twice[] = {"sha256", "sha256"},
                                 *const sha1[] = {"sha1"};
        static const struct tpm_banks have = {.n = 4,
                                              .v = {{TPM2_ALG_SHA384, 0xffffff, true},
                                                    {TPM2_ALG_SHA1, 0xffffff, true},
                                                    {TPM2_ALG_SHA256, 0xffffff, true},
                                                    {TPM2_ALG_SHA512, 0, true}}};
        static const struct tpm_banks sm3 = {
                .n = 2, .v = {{TPM2_ALG_SHA256, 0xffffff, true}, {TPM2_ALG_SM3_256, 0xffffff, false}}};
        struct err err = ERR_INIT;
        struct tpm_bank_set set;

        (void)state;
        OK(tpm_banks_choose(&have, NULL, 0, 15, &set, &err));
        assert_int_equal(set.n, 3);
        assert_int_equal(set.v[0], DIGEST_SHA1);
        assert_int_equal(set.v[2], DIGEST_SHA384);
        assert_int_equal(tpm_banks_quoted(&set), DIGEST_SHA256);
        OK(tpm_banks_choose(&have, two, 2, 15, &set, &err));
        assert_int_equal(set.n, 2);
        assert_int_equal(tpm_banks_choose(&have, sha512, 1, 15, &set, &err), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "tpm.banks: bank sha512 is not active for PCR 15"));
        assert_non_null(strstr(err.text, "active: sha384, sha1, sha256"));
        assert_int_equal(tpm_banks_choose(&have, odd, 1, 15, &set, &err), -ERR_CONFIG);
        assert_int_equal(tpm_banks_choose(&have, twice, 2, 15, &set, &err), -ERR_CONFIG);
        assert_int_equal(tpm_banks_choose(&have, sha1, 1, 15, &set, &err), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "neither sha256 nor sha384"));
        assert_int_equal(tpm_banks_choose(&sm3, NULL, 0, 15, &set, &err), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "sm3_256"));
        assert_non_null(strstr(err.text, "tpm.banks"));
        OK(tpm_banks_choose(&sm3, two + 1, 1, 15, &set, &err));
        assert_int_equal(set.n, 1);
}

static void extends_every_bank(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct digest before[TPM_MAX_BANKS], after[TPM_MAX_BANKS], d[TPM_MAX_BANKS];
        struct tpm_pcr_values all;
        struct tpm_banks banks;
        struct tpm_bank_set set;

        (void)state;
        OK(tpm_banks_read(tpm, &banks, &err));
        OK(tpm_banks_choose(&banks, NULL, 0, 15, &set, &err));
        assert_int_equal(set.n, 3);
        OK(tpm_pcr_read_banks(tpm, 15, &set, before, &err));
        for (size_t i = 0; i < set.n; i++)
                OK(digest_bytes(set.v[i], view_str("runtime"), &d[i], &err));
        OK(tpm_pcr_extend(tpm, 15, d, set.n, &err));
        OK(tpm_pcr_read_banks(tpm, 15, &set, after, &err));
        for (size_t i = 0; i < set.n; i++) {
                OK(digest_extend(&before[i], digest_view(&d[i]), &err));
                assert_true(digest_equal(&before[i], &after[i]));
        }
        memset(&all, 0xaa, sizeof(all));
        OK(tpm_pcrs_read(tpm, DIGEST_SHA384, 0xffffff, &all, &err)); /* three TPM2_PCR_Read */
        assert_int_equal(all.mask, 0xffffff);
        assert_true(digest_equal(&all.value[15], &after[2]));
        assert_int_equal(tpm_pcrs_read(tpm, DIGEST_SHA512, 1, &all, &err), -ERR_TPM);
        tpm_free(tpm);
}

/* ---- keys */

static void assert_public_equals_tool(enum tpm_ek_type type, const char *alg)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        char line[200], path[80];
        struct tpm_ek *ek = NULL;
        uint8_t theirs[1024];
        size_t n;
        FILE *f;

        (void)snprintf(line, sizeof(line),
                       "tpm2_createek -c ek.ctx -G %s -u ek.pub && tpm2_flushcontext -t && rm ek.ctx", alg);
        assert_int_equal(swtpm_tool(&emulator, line), 0);
        (void)snprintf(path, sizeof(path), "%s/ek.pub", emulator.dir);
        f = fopen(path, "rb");
        assert_non_null(f);
        n = fread(theirs, 1, sizeof(theirs), f);
        (void)fclose(f);
        OK(tpm_ek_load(tpm, type, &ek, &err));
        assert_int_equal(tpm_ek_public(ek).len, n);
        assert_memory_equal(tpm_ek_public(ek).p, theirs, n);
        tpm_ek_free(ek);
        assert_nothing_loaded(tpm);
        tpm_free(tpm);
}

static void eks_are_those_of_tpm2_tools(void **state)
{
        (void)state;
        assert_public_equals_tool(TPM_EK_RSA2048, "rsa");
        assert_public_equals_tool(TPM_EK_P256, "ecc");
}

static void certificates_come_from_nv(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        AUTO(buf_free)
        struct buf none = {0}, cert = {0}, chain = {0};

        (void)state;
        OK(tpm_ek_certificate(tpm, TPM_EK_P256, &none, &err));
        assert_int_equal(none.len, 0);
        OK(tpm_ek_chain(tpm, &chain, &err));
        assert_int_equal(chain.len, 0);
        /* A SEQUENCE of 700 bytes in an index of 1000, filled up with 0xff; a chain of two. */
        assert_int_equal(
                swtpm_tool(
                        &emulator,
                        "{ printf '\\060\\202\\002\\270'; head -c 696 /dev/zero; head -c 300 /dev/zero | tr "
                        "'\\000' '\\377'; } > cert && tpm2_nvdefine 0x01c0000a -C o -s 1000 -a "
                        "'ownerread|authread|ownerwrite|authwrite|no_da' && tpm2_nvwrite 0x01c0000a -C o -i "
                        "cert "
                        "&& for i in 0 1; do printf '\\060\\001%d' $i > c && tpm2_nvdefine 0x01c0010$i -C o "
                        "-s 3 "
                        "-a 'ownerread|ownerwrite|no_da' && tpm2_nvwrite 0x01c0010$i -C o -i c; done"),
                0);
        OK(tpm_ek_certificate(tpm, TPM_EK_P256, &cert, &err));
        assert_int_equal(cert.len, 700);
        OK(tpm_ek_chain(tpm, &chain, &err));
        assert_int_equal(chain.len, 6);
        assert_memory_equal(chain.p, "\060\0010\060\0011", 6);
        tpm_free(tpm);
}

static void attest(struct tpm_ak *ak)
{
        struct err err = ERR_INIT;
        struct tpm_pcr_values values;
        struct tpm_signed s = {0};
        TPMS_ATTEST a;
        size_t at = 0;

        OK(tpm_ak_quote(ak, DIGEST_SHA384, 0x00f400, view_str("nonce"), &s, &values, &err));
        assert_int_equal(values.mask, 0x00f400);
        assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(s.message.p, s.message.len, &at, &a), 0);
        assert_int_equal(at, s.message.len);
        assert_int_equal(a.extraData.size, 5);
        assert_int_equal(a.attested.quote.pcrSelect.pcrSelections[0].hash, TPM2_ALG_SHA384);
        tpm_signed_done(&s);
        s = (struct tpm_signed){0};
        OK(tpm_ak_certify_self(ak, view_str("session"), &s, &err));
        at = 0;
        assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(s.message.p, s.message.len, &at, &a), 0);
        assert_int_equal(a.type, TPM2_ST_ATTEST_CERTIFY);
        assert_int_equal(a.attested.certify.name.size, tpm_ak_name(ak).len);
        assert_memory_equal(a.attested.certify.name.name, tpm_ak_name(ak).p, tpm_ak_name(ak).len);
        tpm_signed_done(&s);
        s = (struct tpm_signed){0};
        OK(tpm_ak_time(ak, view_str("time"), &s, &err));
        at = 0;
        assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(s.message.p, s.message.len, &at, &a), 0);
        assert_int_equal(a.type, TPM2_ST_ATTEST_TIME);
        tpm_signed_done(&s);
}

static void attest_with(struct tpm *tpm, enum tpm_ek_type ek_type, enum tpm_ak_type ak_type)
{
        struct err err = ERR_INIT;
        struct tpm_ak_blob blob;
        struct tpm_ek *ek = NULL;
        struct tpm_ak *ak = NULL;
        TPM2B_PUBLIC public = {0};
        size_t at = 0;

        memset(&blob, 0xaa, sizeof(blob));
        OK(tpm_ek_load(tpm, ek_type, &ek, &err));
        OK(tpm_ak_create(tpm, ek, ak_type, &blob, &err));
        assert_int_equal(blob.auth.len, 32);
        assert_int_equal(
                Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob.public_area.p, blob.public_area.len, &at, &public), 0);
        assert_int_equal(public.publicArea.objectAttributes, 0x00050472);
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        tpm_ek_free(ek);
        for (int i = 0; i < 3; i++)
                attest(ak);
        assert_int_equal(count_handles(tpm, TRANSIENTS), 1);
        assert_int_equal(count_handles(tpm, SESSIONS), 2);
        tpm_ak_free(ak);
        tpm_ak_blob_done(&blob);
        assert_nothing_loaded(tpm);
}

static void attest_all(void **state)
{
        struct tpm *tpm = open_tpm();

        (void)state;
        for (int ek = TPM_EK_RSA2048; ek <= TPM_EK_P384; ek++)
                for (int ak = TPM_AK_P256; ak <= TPM_AK_RSA2048; ak++)
                        attest_with(tpm, (enum tpm_ek_type)ek, (enum tpm_ak_type)ak);
        tpm_free(tpm);
}

/* A challenge for EK and NAME, made by OpenSSL alone. */
static void make_credential(struct view ek_public, struct view name, struct buf *id, struct buf *seed)
{
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        struct credential_ek ek;
        struct err err = ERR_INIT;
        TPM2B_PUBLIC p = {0};
        size_t at = 0;

        assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(ek_public.p, ek_public.len, &at, &p), 0);
        if (p.publicArea.type == TPM2_ALG_RSA)
                OK(pubkey_from_rsa(VIEW(p.publicArea.unique.rsa.buffer, p.publicArea.unique.rsa.size), 0,
                                   &key, &err));
        else
                OK(pubkey_from_ec((enum pubkey_curve)p.publicArea.parameters.eccDetail.curveID,
                                  VIEW(p.publicArea.unique.ecc.x.buffer, p.publicArea.unique.ecc.x.size),
                                  VIEW(p.publicArea.unique.ecc.y.buffer, p.publicArea.unique.ecc.y.size),
                                  &key, &err));
        ek = (struct credential_ek){.key = key,
                                    .name_alg = (enum digest_alg)p.publicArea.nameAlg,
                                    .aes_bits = p.publicArea.parameters.asymDetail.symmetric.keyBits.aes};
        OK(credential_make(&ek, name, view_str("0123456789abcdef"), id, seed, &err));
}

static void activate_with(struct tpm *tpm, enum tpm_ek_type type)
{
        AUTO(buf_free)
        struct buf id = {0}, seed = {0};
        struct err err = ERR_INIT;
        struct tpm_ak_blob blob = {0};
        struct tpm_ek *ek = NULL;
        struct tpm_ak *ak = NULL;
        struct secret secret = {0};
        struct view i, s;

        OK(tpm_ek_load(tpm, type, &ek, &err));
        OK(tpm_ak_create(tpm, ek, TPM_AK_P256, &blob, &err));
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        make_credential(tpm_ek_public(ek), tpm_ak_name(ak), &id, &seed);
        i = VIEW(id.p + 2, id.len - 2); /* without the sizes */
        s = VIEW(seed.p + 2, seed.len - 2);
        OK(tpm_ak_activate(ak, ek, i, s, &secret, &err));
        assert_int_equal(secret.len, 16);
        assert_memory_equal(secret.p, "0123456789abcdef", 16);
        secret_free(&secret);
        id.p[2 + 2] ^= 1; /* the HMAC */
        assert_int_equal(tpm_ak_activate(ak, ek, i, s, &secret, &err), -ERR_TPM);
        assert_false(tpm_err_is_stale(&err));
        assert_null(secret.p);
        attest(ak); /* the sessions live on after a refusal */
        assert_int_equal(tpm_ak_activate(ak, ek, VIEW_NONE, s, &secret, &err), -ERR_FORMAT);
        tpm_ak_free(ak);
        tpm_ek_free(ek);
        tpm_ak_blob_done(&blob);
        assert_nothing_loaded(tpm);
}

static void activates_credentials(void **state)
{
        struct tpm *tpm = open_tpm();

        (void)state;
        activate_with(tpm, TPM_EK_RSA2048);
        activate_with(tpm, TPM_EK_P256);
        activate_with(tpm, TPM_EK_P384);
        tpm_free(tpm);
}

static void limits_of_quotes(void **state)
{
        uint8_t long_data[65] = {0};
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct tpm_ak_blob blob = {0};
        struct tpm_pcr_values values;
        struct tpm_signed s = {0};
        struct tpm_ek *ek = NULL;
        struct tpm_ak *ak = NULL;

        (void)state;
        OK(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err));
        OK(tpm_ak_create(tpm, ek, TPM_AK_P256, &blob, &err));
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA256, 0, VIEW_NONE, &s, &values, &err), -ERR_FORMAT);
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA256, 1u << 24, VIEW_NONE, &s, &values, &err),
                         -ERR_FORMAT);
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA256, 1, VIEW_ARRAY(long_data), &s, &values, &err),
                         -ERR_LIMIT);
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA512, 1, VIEW_NONE, &s, &values, &err), -ERR_TPM);
        OK(tpm_ak_quote(ak, DIGEST_SHA256, 0xffffff, VIEW(long_data, 64), &s, &values, &err));
        tpm_signed_done(&s);
        tpm_ak_free(ak);
        tpm_ek_free(ek);
        tpm_ak_blob_done(&blob);
        tpm_free(tpm);
}

static void another_ek_does_not_load_the_ak(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct tpm_ak_blob blob = {0};
        struct tpm_ek *ek = NULL, *other = NULL;
        struct tpm_ak *ak = (void *)0xaa;

        (void)state;
        OK(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err));
        OK(tpm_ak_create(tpm, ek, TPM_AK_P256, &blob, &err));
        OK(tpm_ek_load(tpm, TPM_EK_RSA2048, &other, &err));
        assert_int_equal(tpm_ak_load(tpm, other, &blob, &ak, &err), -ERR_TPM);
        assert_ptr_equal(ak, (void *)0xaa);
        for (size_t i = 0; i < blob.private_area.len; i++) { /* every flipped byte, and every truncation */
                blob.private_area.p[i] ^= 0x40;
                assert_true(tpm_ak_load(tpm, ek, &blob, &ak, &err) < 0);
                blob.private_area.p[i] ^= 0x40;
        }
        for (size_t n = blob.private_area.len; blob.private_area.len-- > 0;)
                assert_true(tpm_ak_load(tpm, ek, &blob, &ak, &err) < 0 && n);
        blob.private_area.len = 0;
        tpm_ek_free(ek);
        tpm_ek_free(other);
        tpm_ak_blob_done(&blob);
        assert_nothing_loaded(tpm);
        tpm_free(tpm);
}

/* ---- bad days */

static void lockout_stops_nothing(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct tpm_info info;

        (void)state;
        assert_int_equal(
                swtpm_tool(&emulator,
                           "tpm2_dictionarylockout -s -n 1 -t 1000 -l 1000 && tpm2_createprimary -C o -p x "
                           "-c p -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|"
                           "decrypt'; tpm2_create -C p -P wrong -u u -r r; tpm2_flushcontext -t; rm -f p"),
                0);
        OK(tpm_info_read(tpm, &info, &err));
        assert_true(info.lockout);
        attest_with(tpm, TPM_EK_RSA2048, TPM_AK_P256);
        attest_with(tpm, TPM_EK_P384, TPM_AK_RSA2048);
        activate_with(tpm, TPM_EK_P256);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_dictionarylockout -c"), 0);
        tpm_free(tpm);
}

static void a_power_cut_is_survived(void **state)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = open_tpm();
        struct tpm_ak_blob blob = {0};
        struct tpm_pcr_values values;
        struct tpm_signed s = {0};
        struct tpm_ek *ek = NULL;
        struct tpm_ak *ak = NULL;

        (void)state;
        OK(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err));
        OK(tpm_ak_create(tpm, ek, TPM_AK_P256, &blob, &err));
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        assert_int_equal(swtpm_tool(&emulator, "tpm2_flushcontext -t"), 0);
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA256, 1, VIEW_NONE, &s, &values, &err), -ERR_TPM);
        assert_true(tpm_err_is_stale(&err));
        tpm_ak_free(ak);
        tpm_ek_free(ek);
        OK(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err));
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        attest(ak);
        tpm_ek_free(ek);
        swtpm_restart(&emulator);
        assert_int_equal(tpm_ak_quote(ak, DIGEST_SHA256, 1, VIEW_NONE, &s, &values, &err), -ERR_TPM);
        assert_true(tpm_err_is_stale(&err) || tpm_err_is_lost(&err));
        tpm_ak_free(ak);
        swtpm_kill(&emulator);
        assert_true(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err) < 0);
        assert_true(tpm_err_is_lost(&err));
        tpm_free(tpm);
        swtpm_restart(&emulator);
        tpm = open_tpm();
        OK(tpm_ek_load(tpm, TPM_EK_P256, &ek, &err));
        OK(tpm_ak_load(tpm, ek, &blob, &ak, &err));
        attest(ak);
        tpm_ak_free(ak);
        tpm_ek_free(ek);
        tpm_ak_blob_done(&blob);
        tpm_free(tpm);
}

/* ---- patience, and memory */

static void later_is_asked_again(void **state)
{
        static const TSS2_RC later[] = {TPM2_RC_RETRY, TPM2_RC_YIELDED, TPM2_RC_TESTING,
                                        TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_RETRY};
        static const TSS2_RC never[] = {TSS2_RC_SUCCESS, TPM2_RC_LOCKOUT, TPM2_RC_NV_RATE,
                                        TSS2_TCTI_RC_IO_ERROR, TSS2_TCTI_RC_TRY_AGAIN};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(later); i++) {
                struct tpm_wait wait = {0}, tired = {.waited_ms = TPM_PATIENCE_MS};

                assert_true(tpm_wait_again(&wait, later[i]));
                assert_true(wait.waited_ms > 0);
                assert_false(tpm_wait_again(&tired, later[i]));
        }
        for (size_t i = 0; i < ARRAY_LEN(never); i++) {
                struct tpm_wait wait = {0};

                assert_false(tpm_wait_again(&wait, never[i]));
        }
}

/* Everything an agent does with its TPM, from nothing. */
static int whole_life(void *ctx, struct err *err)
{
        AUTO(tpm_free_p) struct tpm *tpm = NULL;
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        AUTO(tpm_ak_free_p) struct tpm_ak *ak = NULL;
        AUTO(buf_free) struct buf cert = {0};
        struct tpm_ak_blob blob = {0};
        struct tpm_signed s = {0}, t = {0};
        struct tpm_pcr_values values;
        int r = tpm_open(emulator.tcti, &tpm, err);

        (void)ctx;
        if (r >= 0)
                r = tpm_ek_load(tpm, TPM_EK_P256, &ek, err);
        if (r >= 0)
                r = tpm_ek_certificate(tpm, TPM_EK_P256, &cert, err);
        if (r >= 0)
                r = tpm_ak_create(tpm, ek, TPM_AK_P256, &blob, err);
        if (r >= 0)
                r = tpm_ak_load(tpm, ek, &blob, &ak, err);
        if (r >= 0)
                r = tpm_ak_quote(ak, DIGEST_SHA256, 1, VIEW_NONE, &s, &values, err);
        if (r >= 0)
                r = tpm_ak_time(ak, VIEW_NONE, &t, err);
        tpm_signed_done(&s);
        tpm_signed_done(&t);
        tpm_ak_blob_done(&blob);
        return r;
}

static void memory_runs_out(void **state)
{
        struct tpm *tpm;

        (void)state;
        oom_each(whole_life, NULL);
        tpm = open_tpm();
        assert_nothing_loaded(tpm); /* and no failure left a handle behind */
        tpm_free(tpm);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_tpm_is_a_clear_error),
                cmocka_unit_test(managers_are_told_apart),
                cmocka_unit_test(errors_are_told_apart),
                cmocka_unit_test(what_a_predecessor_left_is_flushed),
                cmocka_unit_test(info_names_the_maker),
                cmocka_unit_test(banks_are_chosen),
                cmocka_unit_test(extends_every_bank),
                cmocka_unit_test(eks_are_those_of_tpm2_tools),
                cmocka_unit_test(certificates_come_from_nv),
                cmocka_unit_test(attest_all),
                cmocka_unit_test(activates_credentials),
                cmocka_unit_test(limits_of_quotes),
                cmocka_unit_test(another_ek_does_not_load_the_ak),
                cmocka_unit_test(a_power_cut_is_survived),
                cmocka_unit_test(lockout_stops_nothing),
                cmocka_unit_test(later_is_asked_again),
                cmocka_unit_test(memory_runs_out),
        };

        return cmocka_run_group_tests_name("tpm", tests, setup, teardown);
}
