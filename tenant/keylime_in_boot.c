/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's measured-boot reference state (its policy "example") as `boot:`. What pairs or orders things
 * there and is a list here (S-CRTM with firmware volumes, shim before GRUB) is named; so is a command line
 * that no pattern says, and then its kernel is left out, since without a command line it would be allowed
 * with any.
 *
 * Spec: Keylime, mba/elchecking/example.py, policy/create_mb_policy.py; tests.RegExp is a full match over
 * "kernel_cmdline: " and the text.
 */
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/pattern_regex.h"
#include "tenant/keylime_in.h"

#define LOST(said, ...) strv_take(&(said)->lost, str_fmt(__VA_ARGS__))
#define NOTE(said, ...) strv_take(&(said)->notes, str_fmt(__VA_ARGS__))
#define CMDLINE         "kernel_cmdline: "
#define CERT_BYTES_MAX  65536u
#define ITEMS_MAX       100000u

/* "0x" and lower-case hex, of SIZE bytes if that is not 0. NULL: it is none. */
static const char *hex_of(const json_t *j, size_t size)
{
        const char *s = json_string_value(j);
        size_t n;

        if (!s || !str_starts(s, "0x"))
                return NULL;
        n = strspn(s + 2, "0123456789abcdef");
        return s[2 + n] || n == 0 || n % 2 || (size && n != 2 * size) ? NULL : s + 2;
}

static int bad(struct err *err, const char *where, size_t i, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "Keylime reference state: member '%s', item %zu: %s", where, i,
                       what);
}

/* {"sha256": "0x…", …}: the sha256 one. What else is there is of no use to a policy of that bank. */
static int digest_of(const json_t *j, const char *where, size_t i, const char **ret, struct err *err)
{
        *ret = hex_of(json_object_get(j, "sha256"), 32);
        if (!json_is_object(j))
                return bad(err, where, i, "expected digests by algorithm");
        return *ret ? 0 : bad(err, where, i, "it has no sha256 digest, and the policy's bank is sha256");
}

static void put_value(struct buf *out, const char *hex, const char *comment, size_t i)
{
        buf_fmt(out, "    - {digest: %s, comment: \"%s %zu\"}\n", hex, comment, i);
}

static int get_list(const json_t *j, const char *name, bool optional, const json_t **ret, struct err *err)
{
        int r;

        *ret = NULL;
        r = optional ? json_opt_array(j, name, ITEMS_MAX, ret, err)
                     : json_get_array(j, name, ITEMS_MAX, ret, err);
        return r < 0 ? err_wrap(err, "Keylime reference state") : 0;
}

/* Appends VALUE to a list of KEPT. */
static int keep(json_t *kept, const char *name, const json_t *value)
{
        json_t *list = json_object_get(kept, name);

        if (!list && json_object_set_new(kept, name, list = json_array()) < 0)
                return -1;
        return json_array_append(list, (json_t *)(uintptr_t)value);
}

/* ---- firmware ---- */

static int put_firmware(const json_t *j, struct buf *out, json_t *kept, struct keylime_said *said,
                        struct err *err)
{
        const json_t *list, *blobs;
        const char *hex;
        int r = get_list(j, "scrtm_and_bios", false, &list, err);

        if (r < 0)
                return r;
        buf_fmt(out, "  firmware:%s\n", json_array_size(list) ? "" : " []");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *one = json_array_get(list, i);

                r = digest_of(json_object_get(one, "scrtm"), "scrtm_and_bios", i, &hex, err);
                if (r < 0)
                        return r;
                put_value(out, hex, "S-CRTM version, firmware", i + 1);
                blobs = json_object_get(one, "platform_firmware");
                if (!json_is_array(blobs))
                        return bad(err, "scrtm_and_bios", i, "'platform_firmware' is no array");
                for (size_t k = 0; k < json_array_size(blobs); k++) {
                        r = digest_of(json_array_get(blobs, k), "scrtm_and_bios", i, &hex, err);
                        if (r < 0)
                                return r;
                        put_value(out, hex, "volume, firmware", i + 1);
                }
        }
        if (json_object_set(kept, "scrtm_and_bios", (json_t *)(uintptr_t)list) < 0 ||
            NOTE(said,
                 "scrtm_and_bios: a list here: which S-CRTM version goes with which volumes, their order and "
                 "their number are not judged") < 0)
                return err_nomem(err);
        return 0;
}

/* ---- keys ---- */

static bool is_guid(const char *s)
{
        static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

        if (!s || strlen(s) != sizeof(form) - 1)
                return false;
        for (size_t i = 0; form[i]; i++)
                if (form[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
                        return false;
        return true;
}

static int put_certificate(struct buf *out, const char *hex, struct err *err)
{
        AUTO(buf_free) struct buf der = {0};
        AUTO(mem_free_p) char *base64 = NULL;
        size_t n = strlen(hex);

        if (n / 2 > CERT_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a certificate of %zu bytes", n / 2);
        if (hex_decode(VIEW(hex, n), CERT_BYTES_MAX, &der, err) < 0)
                return -(int)err->kind;
        base64 = base64_encode(VIEW_BUF(&der));
        if (!base64)
                return err_nomem(err);
        buf_str(out, "    - certificate: |\n        -----BEGIN CERTIFICATE-----\n");
        n = strlen(base64);
        for (size_t i = 0; i < n; i += 64)
                buf_fmt(out, "        %.64s\n", base64 + i);
        buf_str(out, "        -----END CERTIFICATE-----\n");
        return 0;
}

/* A signature that is neither a certificate nor a SHA-256 digest: X509_SHA256, say. */
static int leave_out(const json_t *one, const char *from, size_t i, json_t *kept, struct keylime_said *said)
{
        json_t *lists = json_object_get(kept, "signatures");

        if (!lists && json_object_set_new(kept, "signatures", lists = json_object()) < 0)
                return -1;
        return keep(lists, from, one) |
               LOST(said, "%s: item %zu: neither a certificate nor a SHA-256 digest", from, i);
}

static int put_keys(const json_t *j, const char *from, const char *to, bool secure_boot, struct buf *out,
                    json_t *kept, struct keylime_said *said, struct err *err)
{
        size_t n = 0;
        const json_t *list;
        int r = get_list(j, from, str_equal(from, "vendor_db"), &list, err);

        /* where Secure Boot is off, Keylime takes an empty list for anything; a vendor_db that is not there,
         * for an empty list */
        if (r < 0 || (!secure_boot && json_array_size(list) == 0))
                return r;
        buf_fmt(out, "  %s:", to);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *one = json_array_get(list, i);
                const char *owner = json_string_value(json_object_get(one, "SignatureOwner"));
                const char *data = hex_of(json_object_get(one, "SignatureData"), 0);

                if (!is_guid(owner) || !data)
                        return bad(err, from, i, "expected SignatureOwner, a GUID, and SignatureData, 0xhex");
                if (strlen(data) != 64 && strncmp(data, "30", 2) != 0) {
                        if (leave_out(one, from, i, kept, said) < 0)
                                return err_nomem(err);
                        continue;
                }
                buf_str(out, n++ ? "" : "\n");
                if (strlen(data) == 64)
                        buf_fmt(out, "    - digest: %s\n", data);
                else if (put_certificate(out, data, err) < 0)
                        return err_wrap(err, "Keylime reference state: member '%s', item %zu", from, i);
                buf_fmt(out, "      owner: %s\n", owner);
        }
        buf_str(out, n ? "" : " []\n");
        return 0;
}

static int put_mok(const json_t *j, const char *from, const char *to, struct buf *out, struct err *err)
{
        const json_t *list;
        int r = get_list(j, from, false, &list, err);

        if (r < 0)
                return r;
        buf_fmt(out, "  %s:%s\n", to, json_array_size(list) ? "" : " []");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *hex;

                r = digest_of(json_array_get(list, i), from, i, &hex, err);
                if (r < 0)
                        return r;
                buf_fmt(out, "    - %s\n", hex);
        }
        return 0;
}

/* ---- kernels ---- */

int keylime_command_lines(const char *regex, struct strv *ret, struct pattern_refusal *ret_why,
                          struct err *err)
{
        AUTO(buf_free) struct buf whole = {0};
        AUTO(strv_done) struct strv all = {0};
        int r;

        buf_fmt(&whole, "(?:" CMDLINE "%s)$", regex);
        if (!buf_ok(&whole))
                return err_nomem(err);
        r = pattern_from_regex(VIEW_BUF(&whole), &all, ret_why, err);
        for (size_t i = 0; r > 0 && i < all.n; i++)
                /* what does not begin so is an alternative that never matches */
                if (str_starts(all.items[i], CMDLINE) && strv_add(ret, all.items[i] + strlen(CMDLINE)) < 0)
                        return err_nomem(err);
        if (r > 0 && ret->n == 0) {
                (void)snprintf(ret_why->text, sizeof(ret_why->text), "it never matches");
                return 0;
        }
        return r;
}

static int put_kernel(const json_t *k, size_t i, bool secure_boot, struct buf *out, json_t *kept,
                      struct keylime_said *said, struct err *err)
{
        const char *shim = hex_of(json_object_get(k, "shim_authcode_sha256"), 32);
        const char *grub = hex_of(json_object_get(k, "grub_authcode_sha256"), 32);
        const char *initrd = hex_of(json_object_get(k, "initrd_plain_sha256"), 32);
        const char *kernel = hex_of(
                json_object_get(k, secure_boot ? "kernel_authcode_sha256" : "vmlinuz_plain_sha256"), 32);
        const char *regex = json_string_value(json_object_get(k, "kernel_cmdline"));
        AUTO(strv_done) struct strv lines = {0};
        struct pattern_refusal why;
        int r;

        if (!shim || !grub || !initrd || !kernel || !regex)
                return bad(err, "kernels", i,
                           secure_boot ? "expected shim_authcode_sha256, grub_authcode_sha256, "
                                         "kernel_authcode_sha256, initrd_plain_sha256 and kernel_cmdline"
                                       : "expected shim_authcode_sha256, grub_authcode_sha256, "
                                         "vmlinuz_plain_sha256, initrd_plain_sha256 and kernel_cmdline");
        r = keylime_command_lines(regex, &lines, &why, err);
        if (r < 0)
                return r;
        if (keep(kept, r ? "kernel_cmdlines" : "kernels", r ? json_object_get(k, "kernel_cmdline") : k) < 0)
                return err_nomem(err);
        if (r == 0)
                return LOST(said, "kernels: item %zu is left out: its kernel_cmdline %s: %s", i, SHOW(regex),
                            why.text) < 0
                               ? err_nomem(err)
                               : 0;
        buf_fmt(out, "    - name: kernel-%zu\n      %s: %s\n", i + 1, secure_boot ? "authenticode" : "file",
                kernel);
        buf_fmt(out, "      loaders: [%s, %s]\n      initrds: [%s]\n      command_lines:\n", shim, grub,
                initrd);
        for (size_t n = 0; n < lines.n; n++) {
                buf_str(out, "        - ");
                keylime_scalar(out, lines.items[n]);
                buf_str(out, "\n");
        }
        return 0;
}

static int put_kernels(const json_t *j, bool secure_boot, struct buf *out, json_t *kept,
                       struct keylime_said *said, struct err *err)
{
        AUTO(buf_free) struct buf items = {0};
        const json_t *list;
        int r = get_list(j, "kernels", false, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++)
                r = put_kernel(json_array_get(list, i), i, secure_boot, &items, kept, said, err);
        if (r < 0)
                return r;
        if (!buf_ok(&items) ||
            NOTE(said, "kernels: shim and GRUB are a list here: their order is not judged") < 0)
                return err_nomem(err);
        buf_fmt(out, "  kernels:%s\n", items.len ? "" : " []");
        buf_put_view(out, VIEW_BUF(&items));
        return 0;
}

int keylime_in_refstate(const json_t *j, struct buf *out, json_t *kept, struct keylime_said *said,
                        struct err *err)
{
        static const char *const known[] = {
                "has_secureboot", "scrtm_and_bios", "pk",      "kek",    "db", "dbx",
                "vendor_db",      "mokdig",         "mokxdig", "kernels"};
        static const struct {
                const char *from, *to;
        } keys[] = {
                {"pk", "pk"}, {"kek", "kek"}, {"db", "db"}, {"vendor_db", "vendor_db"}, {"dbx", "dbx_floor"}};
        bool secure_boot = true;
        int r = json_only(j, known, ARRAY_LEN(known), err);

        if (r >= 0)
                r = json_opt_bool(j, "has_secureboot", &secure_boot, err);
        if (r < 0)
                return err_wrap(err, "Keylime reference state");
        buf_fmt(out, "boot:\n  secure_boot: %s\n", secure_boot ? "on" : "off");
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(keys); i++)
                r = put_keys(j, keys[i].from, keys[i].to, secure_boot, out, kept, said, err);
        if (r >= 0)
                r = put_firmware(j, out, kept, said, err);
        if (r >= 0)
                r = put_mok(j, "mokdig", "mok_list", out, err);
        if (r >= 0)
                r = put_mok(j, "mokxdig", "mok_list_x", out, err);
        if (r >= 0)
                r = put_kernels(j, secure_boot, out, kept, said, err);
        if (r < 0)
                return r;
        if (!json_object_get(j, "vendor_db") && json_set_bool(kept, "no_vendor_db", true) < 0)
                return err_nomem(err);
        return buf_ok(out) ? 0 : err_nomem(err);
}
