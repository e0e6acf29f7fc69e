/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secure Boot: is it on, with which keys, and who let the images through. PCR 7 begins with what the firmware
 * measured before it started anything; then comes a separator, and after it whatever runs can extend the
 * register, root years later as well. So what speaks for the host counts only in front of the separator, and
 * what speaks against it counts everywhere. Spec: PFP §3.3.4.8 (PCR 7); SR-15.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "policy/judge_boot.h"

#define POLICY_PCR 7
#define SHIM_PCR   14

/* SecureBoot = 0 as the firmware measures it: for an event whose text was made to say something else. */
static const uint8_t secure_boot_off[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00,
                                          0xe0, 0x98, 0x03, 0x2b, 0x8c, 10,   0,    0,    0,    0,    0,
                                          0,    0,    1,    0,    0,    0,    0,    0,    0,    0,    'S',
                                          0,    'e',  0,    'c',  0,    'u',  0,    'r',  0,    'e',  0,
                                          'B',  0,    'o',  0,    'o',  0,    't',  0,    0};

static bool is_secure_boot(const struct efi_variable *v)
{
        return efi_variable_is(v, "SecureBoot") &&
               view_equal(VIEW_ARRAY(v->guid), VIEW(secure_boot_off, EFI_GUID_BYTES));
}

static const struct boot_row *separator_of(const struct boot_judging *b)
{
        const struct boot_row *row = NULL;

        while ((row = boot_next(b, POLICY_PCR, row)))
                if (row->separator)
                        return row;
        return NULL;
}

int boot_secure(const struct boot_judging *b, enum boot_switch *ret, struct err *err)
{
        const struct boot_row *separator = separator_of(b), *row = NULL;
        struct efi_variable v;
        struct digest off;
        int r = digest_bytes(b->r->bank, VIEW_ARRAY(secure_boot_off), &off, err);

        *ret = BOOT_UNKNOWN;
        while (r == 0 && (row = boot_next(b, POLICY_PCR, row))) {
                bool is = boot_row_variable(row, &v) && is_secure_boot(&v);

                if (view_equal(row->digest, digest_view(&off)) ||
                    (is && !view_equal(v.data, VIEW("\1", 1)))) {
                        *ret = BOOT_OFF;
                        return 0;
                }
                if (is && separator && row < separator && !separator->error)
                        *ret = BOOT_ON;
        }
        return r;
}

/* ---- is it as the policy wants it? ---- */

static int judge_switch(const struct boot_judging *b, enum boot_switch secure, struct err *err)
{
        enum policy_secure_boot want = policy_effective_secure_boot(b->j->policy);
        static const struct boot_words off = {
                .code = "secure-boot-off",
                .state = VERDICT_FAIL,
                .what = "Secure Boot is off",
                .expected = "secure_boot: on",
                .remedy = "switch Secure Boot on in the firmware's settings and restart the host; or state "
                          "'secure_boot: any' in the policy",
        };
        static const struct boot_words on = {
                .code = "secure-boot-on",
                .state = VERDICT_FAIL,
                .what = "Secure Boot is on",
                .expected = "secure_boot: off",
                .remedy = "state 'secure_boot: any' in the policy, or switch it off",
        };
        static const struct boot_words unknown = {
                .code = "secure-boot-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = "the boot log does not show whether Secure Boot is on: no event that the firmware "
                        "measured "
                        "says so",
                .expected = "the variable SecureBoot in PCR 7, before its separator",
                .remedy = "firmware without UEFI has none: state 'secure_boot: any' in the policy of such "
                          "hosts",
        };

        if (want == POLICY_SECURE_BOOT_ANY)
                return 0;
        if (secure == BOOT_UNKNOWN)
                return boot_find(b, &unknown, NULL, 0, err);
        if (want == POLICY_SECURE_BOOT_ON && secure == BOOT_OFF)
                return boot_find(b, &off, NULL, 0, err);
        return want == POLICY_SECURE_BOOT_OFF && secure == BOOT_ON ? boot_find(b, &on, NULL, 0, err) : 0;
}

/* A debugger, or devices that may write where they like, from before the host's own software. */
static int judge_modes(const struct boot_judging *b, struct err *err)
{
        static const struct boot_words debug = {
                .code = "firmware-debug-mode",
                .state = VERDICT_FAIL,
                .what = "the firmware runs in a mode for debugging, which switches its protection off",
                .remedy = "leave that mode in the firmware's settings and restart the host",
        };
        static const char *const modes[] = {"UEFI Debug Mode", "DMA Protection Disabled"};
        const struct boot_row *row = NULL;

        if (policy_effective_secure_boot(b->j->policy) != POLICY_SECURE_BOOT_ON)
                return 0;
        while ((row = boot_next(b, POLICY_PCR, row)))
                for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
                        struct digest d;
                        int r = digest_bytes(b->r->bank, view_str(modes[i]), &d, err);

                        if (r < 0)
                                return r;
                        if (view_equal(row->digest, digest_view(&d)))
                                return boot_find(b, &debug, row, 0, err);
                }
        return 0;
}

/* ---- keys ---- */

static bool allows_key(const struct boot_judging *b, enum policy_boot_keys keys,
                       const struct efi_signature *sig)
{
        const struct policy_boot_key *key;
        struct policy_boot_pos pos = {0};
        struct policy_source source;

        while ((key = policy_effective_next_key(b->j->policy, keys, &pos, &source)))
                if (policy_boot_key_is(key, sig))
                        return true;
        return false;
}

static char *signature_text(const struct efi_signature *sig)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct err ignored = ERR_INIT;
        struct digest sha256;
        char owner[EFI_GUID_CHARS];

        efi_guid_text(sig->owner, owner);
        if (sig->kind == EFI_SIG_X509 && digest_bytes(DIGEST_SHA256, sig->data, &sha256, &ignored) == 0) {
                buf_str(&text, "certificate with SHA-256 ");
                buf_hex(&text, digest_view(&sha256));
                if (cert_parse_der(sig->data, &cert, &ignored) == 0)
                        buf_fmt(&text, " (%s)", cert_subject(cert));
        } else {
                buf_str(&text, "entry ");
                buf_hex(&text, VIEW(sig->data.p, sig->data.len < 32 ? sig->data.len : 32));
        }
        buf_fmt(&text, ", owner %s", owner);
        return buf_take_str(&text);
}

static int find_key(const struct boot_judging *b, enum policy_boot_keys keys, const struct boot_row *row,
                    const struct efi_signature *sig, struct err *err)
{
        const char *list = policy_boot_keys_name(keys);
        AUTO(mem_free_p) char *text = signature_text(sig);
        AUTO(mem_free_p)
        char *what = text ? str_fmt("%s holds a key that is not allowed: %s", list, text) : NULL;
        AUTO(mem_free_p)
        char *remedy = str_fmt("if it belongs there, add it to '%s:' of 'boot:' and run 'avow policy push'; "
                               "else take it out in the firmware's settings",
                               list);
        struct boot_words words = {
                .code = keys == POLICY_KEYS_AUTHORITIES ? "boot-authority-not-allowed"
                                                        : "boot-key-not-allowed",
                .state = VERDICT_FAIL,
                .what = what,
                .remedy = remedy,
        };

        return what && remedy ? boot_find(b, &words, row, 0, err) : err_nomem(err);
}

static int find_not_shown(const struct boot_judging *b, enum policy_boot_keys keys, struct err *err)
{
        AUTO(mem_free_p)
        char *what = str_fmt("the boot log does not show what '%s' of the policy is to be held against",
                             policy_boot_keys_name(keys));
        struct boot_words words = {
                .code = "boot-keys-not-shown",
                .state = VERDICT_INCONCLUSIVE,
                .what = what,
                .expected = "the variable in PCR 7, before its separator",
                .remedy =
                        "firmware without Secure Boot has no such variable: leave the list out of the policy "
                        "of such hosts",
        };

        return what ? boot_find(b, &words, NULL, 0, err) : err_nomem(err);
}

/* All that is in the variable has to be in the policy. */
static int judge_all_of(const struct boot_judging *b, enum policy_boot_keys keys, const struct boot_row *row,
                        struct view lists, struct err *err)
{
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        int r;

        while ((r = efi_signature_next(lists, &pos, &sig, err)) > 0)
                if (!allows_key(b, keys, &sig)) {
                        r = find_key(b, keys, row, &sig, err);
                        if (r < 0)
                                return r;
                }
        if (r == -ERR_FORMAT)
                return find_not_shown(b, keys, err);
        return r;
}

static bool holds(struct view lists, const struct policy_boot_key *key)
{
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        struct err ignored = ERR_INIT;

        while (efi_signature_next(lists, &pos, &sig, &ignored) > 0)
                if (policy_boot_key_is(key, &sig))
                        return true;
        return false;
}

/* All that is in the policy has to be in the variable. */
static int judge_floor(const struct boot_judging *b, const struct boot_row *row, struct view lists,
                       struct err *err)
{
        const struct policy_boot_key *key, *first = NULL;
        struct policy_boot_pos pos = {0};
        struct policy_source source;
        AUTO(buf_free) struct buf hex = {0};
        AUTO(mem_free_p) char *what = NULL;
        struct boot_words words = {
                .code = "dbx-below-floor",
                .state = VERDICT_FAIL,
                .remedy = "update the revocation list on the host ('fwupdmgr update', package "
                          "secureboot-db) and restart it",
        };
        size_t missing = 0;

        while ((key = policy_effective_next_key(b->j->policy, POLICY_KEYS_DBX_FLOOR, &pos, &source))) {
                if (holds(lists, key))
                        continue;
                first = first ? first : key;
                missing++;
        }
        if (!first)
                return 0;
        buf_hex(&hex, VIEW_ARRAY(first->sha256));
        what = str_fmt("dbx lacks %zu of the revocations that the policy demands; the first is %.*s%s%s",
                       missing, (int)hex.len, (const char *)hex.p, first->comment[0] ? ", " : "",
                       first->comment);
        words.what = what;
        return what && buf_ok(&hex) ? boot_find(b, &words, row, 0, err) : err_nomem(err);
}

/* The newest of its name in front of the separator. */
static const struct boot_row *variable_row(const struct boot_judging *b, const char *name,
                                           struct efi_variable *ret)
{
        const struct boot_row *separator = separator_of(b), *row = NULL, *found = NULL;
        struct efi_variable v;

        while ((row = boot_next(b, POLICY_PCR, row)) && row != separator)
                if (boot_row_variable(row, &v) && efi_variable_is(&v, name)) {
                        *ret = v;
                        found = row;
                }
        return separator ? found : NULL;
}

static int judge_variable(const struct boot_judging *b, enum policy_boot_keys keys, const char *name,
                          struct err *err)
{
        struct efi_variable v;
        const struct boot_row *row;

        if (!policy_effective_judges_boot_keys(b->j->policy, keys))
                return 0;
        row = variable_row(b, name, &v);
        if (!row)
                return find_not_shown(b, keys, err);
        return keys == POLICY_KEYS_DBX_FLOOR ? judge_floor(b, row, v.data, err)
                                             : judge_all_of(b, keys, row, v.data, err);
}

/* ---- who let images through ---- */

/* What an authority's variable holds: an owner and what follows, or (shim's own certificate) that alone. */
static bool read_authority(const struct efi_variable *v, struct efi_signature *ret)
{
        struct err ignored = ERR_INIT;

        *ret = (struct efi_signature){.kind = EFI_SIG_X509, .data = v->data};
        if (v->data.len > 4 && v->data.p[0] == 0x30 && v->data.p[1] == 0x82)
                return true;
        if (efi_signature_data(v->data, ret, &ignored) < 0)
                return false;
        ret->kind = ret->data.p[0] == 0x30 ? EFI_SIG_X509
                    : ret->data.len == 32  ? EFI_SIG_SHA256
                                           : EFI_SIG_OTHER;
        return true;
}

/* shim's vendor_db comes as lists or as the one signature that was used. */
static int judge_vendor(const struct boot_judging *b, const struct boot_row *row,
                        const struct efi_variable *v, struct err *err)
{
        struct efi_signature_pos pos = {0};
        struct efi_signature sig;
        struct err ignored = ERR_INIT;

        if (!policy_effective_judges_boot_keys(b->j->policy, POLICY_KEYS_VENDOR_DB))
                return 0;
        if (efi_signature_next(v->data, &pos, &sig, &ignored) > 0)
                return judge_all_of(b, POLICY_KEYS_VENDOR_DB, row, v->data, err);
        if (!read_authority(v, &sig) || allows_key(b, POLICY_KEYS_VENDOR_DB, &sig))
                return 0;
        return find_key(b, POLICY_KEYS_VENDOR_DB, row, &sig, err);
}

static int judge_authority(const struct boot_judging *b, const struct boot_row *row, struct err *err)
{
        static const struct boot_words uncovered = {
                .code = "boot-event-not-covered",
                .state = VERDICT_INCONCLUSIVE,
                .what = "an event of PCR 7 has another text than what was measured: by whom images were let "
                        "through is not shown",
                .remedy =
                        "look at it with 'avow evidence show'; a log that was tampered with comes right with "
                        "the next start, a firmware's own mistake wants 'authorities' left out of the policy",
        };
        struct efi_signature sig;
        struct efi_variable v;

        if (boot_row_variable(row, &v)) {
                bool judged = policy_effective_judges_boot_keys(b->j->policy, POLICY_KEYS_AUTHORITIES);

                if (efi_variable_is(&v, "SbatLevel"))
                        return 0;
                if (efi_variable_is(&v, "vendor_db"))
                        return judge_vendor(b, row, &v, err);
                if (!judged || !read_authority(&v, &sig) || allows_key(b, POLICY_KEYS_AUTHORITIES, &sig))
                        return 0;
                return find_key(b, POLICY_KEYS_AUTHORITIES, row, &sig, err);
        }
        if (row->cover == BOOTLOG_COVERED ||
            !policy_effective_judges_boot_keys(b->j->policy, POLICY_KEYS_AUTHORITIES))
                return 0;
        return boot_find(b, &uncovered, row, 0, err);
}

static int judge_authorities(const struct boot_judging *b, struct err *err)
{
        const struct boot_row *row = separator_of(b);
        int r = 0;

        while (row && r == 0 && (row = boot_next(b, POLICY_PCR, row)))
                r = row->separator ? 0 : judge_authority(b, row, err);
        return r;
}

int boot_judge_keys(const struct boot_judging *b, enum boot_switch secure, struct err *err)
{
        static const struct {
                enum policy_boot_keys keys;
                const char *name;
        } variables[] = {{POLICY_KEYS_PK, "PK"},
                         {POLICY_KEYS_KEK, "KEK"},
                         {POLICY_KEYS_DB, "db"},
                         {POLICY_KEYS_DBX_FLOOR, "dbx"}};
        int r = judge_switch(b, secure, err);

        if (r == 0)
                r = judge_modes(b, err);
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(variables); i++)
                r = judge_variable(b, variables[i].keys, variables[i].name, err);
        return r == 0 ? judge_authorities(b, err) : r;
}

/* ---- shim's own lists ---- */

/* The name that the log gives an event of shim's: a claim. */
static bool is_named(const struct boot_row *row, const char *name)
{
        struct view data = row->data;

        if (data.len && data.p[data.len - 1] == 0)
                data.len--;
        return view_equal(data, view_str(name));
}

static int judge_mok_row(const struct boot_judging *b, const struct boot_row *row, bool first,
                         const struct digest states[2], struct err *err)
{
        const struct policy_effective *e = b->j->policy;
        bool x = is_named(row, "MokListX") && !first;
        enum policy_boot_list list = x ? POLICY_BOOT_MOK_LIST_X : POLICY_BOOT_MOK_LIST;
        struct boot_words words = {
                .code = "mok-not-allowed",
                .state = VERDICT_FAIL,
                .what = x ? "shim's list of revoked keys (MokListX) is not the one that the policy allows"
                          : "shim's list of the owner's keys (MokList) is not the one that the policy allows",
                .expected = x ? "one of mok_list_x" : "one of mok_list",
                .remedy = "list what is enrolled with 'mokutil --list-enrolled' on the host; take a foreign "
                          "key "
                          "out with 'mokutil --delete', or add the digest to the policy and run 'avow policy "
                          "push'",
        };

        if (!is_named(row, "MokList") && !x && !first &&
            (view_equal(row->digest, digest_view(&states[0])) ||
             view_equal(row->digest, digest_view(&states[1]))))
                return 0;
        if (!policy_effective_judges_boot_list(e, list) || boot_list_has(b, list, row->digest))
                return 0;
        if (!first && policy_effective_judges_boot_list(e, POLICY_BOOT_MOK_LIST_X) &&
            boot_list_has(b, POLICY_BOOT_MOK_LIST_X, row->digest))
                return 0; /* whatever it is called */
        return boot_find(b, &words, row, 0, err);
}

int boot_judge_mok(const struct boot_judging *b, struct err *err)
{
        static const struct boot_words insecure = {
                .code = "shim-validation-off",
                .state = VERDICT_FAIL,
                .what = "shim was told not to verify what it starts (MokSBState): Secure Boot ends with shim",
                .remedy = "run 'mokutil --enable-validation' on the host and restart it",
        };
        const struct boot_row *row = NULL, *on = NULL;
        struct digest states[2];
        bool first = true;
        int r = digest_bytes(b->r->bank, VIEW("\0", 1), &states[0], err);

        if (r == 0)
                r = digest_bytes(b->r->bank, VIEW("\1", 1), &states[1], err);
        while (r == 0 && (row = boot_next(b, SHIM_PCR, row))) {
                r = judge_mok_row(b, row, first, states, err);
                first = false;
                /* MokListTrusted is 1 too, and names are claims: of two, one is MokSBState */
                if (!view_equal(row->digest, digest_view(&states[1])))
                        continue;
                if (r == 0 && policy_effective_secure_boot(b->j->policy) == POLICY_SECURE_BOOT_ON &&
                    (on || is_named(row, "MokSBState")))
                        return boot_find(b, &insecure, row, 0, err);
                on = row;
        }
        return r;
}
