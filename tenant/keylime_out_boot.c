/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `boot:` as the reference state of Keylime's measured-boot policy "example". It wants every member,
 * certificates whole and with their owners, and of each kernel one shim, one GRUB, one image, one initrd and
 * one expression for the command line: a kernel with several becomes several. A list that is not stated here
 * is not judged here, and Keylime has no such thing: an empty one stands there, which refuses, and that is
 * said.
 *
 * Spec: Keylime, mba/elchecking/example.py.
 */
#include "tenant/keylime_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/pattern_regex.h"
#include "policy/policy_boot.h"

#define LOST(said, ...)  strv_take(&(said)->lost, str_fmt(__VA_ARGS__))
#define NOTE(said, ...)  strv_take(&(said)->notes, str_fmt(__VA_ARGS__))
#define COMBINATIONS_MAX 4096u

struct making {
        const struct policy *policy;
        const json_t *kept;
        int64_t now_ms;
        json_t *out;
        struct keylime_said *said;
};

/* The next layer that every host has, with `boot:`. */
static const struct policy_boot *next_layer(const struct policy *p, size_t *i)
{
        while (*i < p->n_parts) {
                const struct policy_part *part = &p->parts[(*i)++];

                if (part->boot && !part->hosts)
                        return part->boot;
        }
        return NULL;
}

static json_t *hex_json(struct view v)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        return json_sprintf("0x%s", hex_write(hex, v));
}

static json_t *digest_json(const struct digest *d)
{
        AUTO(json_free_p) json_t *j = json_object();

        return json_object_set_new(j, "sha256", hex_json(digest_view(d))) < 0 ? NULL : TAKE(j);
}

/* Appends a list's values that hold now to RET, pointers. Return: stated? */
static bool values_of(const struct making *m, enum policy_boot_list list, struct buf *ret)
{
        const struct policy_boot *b;
        bool stated = false;
        size_t i = 0;

        while ((b = next_layer(m->policy, &i))) {
                stated |= b->lists[list].stated;
                for (size_t k = 0; k < b->lists[list].n; k++) {
                        const struct policy_value *v = &b->lists[list].p[k];

                        if (v->until_ms > m->now_ms)
                                buf_put(ret, &v, sizeof(v));
                }
        }
        return stated;
}

static size_t n_values(const struct buf *b)
{
        return b->len / sizeof(struct policy_value *);
}

static const struct policy_value *value_at(const struct buf *b, size_t i)
{
        const struct policy_value *v;

        memcpy(&v, b->p + i * sizeof(v), sizeof(v));
        return v;
}

/* ---- firmware ---- */

/* Is "0xhex" among the values? Then *RET_USED counts it. */
static bool has_value(const struct buf *values, const json_t *digest, bool *used)
{
        const char *hex = json_string_value(json_object_get(digest, "sha256"));
        char text[2 * DIGEST_BYTES_MAX + 1];
        bool found = false;

        for (size_t i = 0; hex && i < n_values(values); i++)
                if (str_starts(hex, "0x") &&
                    str_equal(hex + 2, hex_write(text, digest_view(&value_at(values, i)->digest))))
                        found = used[i] = true;
        return found;
}

/* What was imported, as far as all of it is still allowed. */
static int put_kept_firmware(struct making *m, const struct buf *values, json_t *out, bool *used)
{
        const json_t *kept = json_object_get(m->kept, "scrtm_and_bios");
        int r = 0;

        for (size_t i = 0; r == 0 && i < json_array_size(kept); i++) {
                const json_t *one = json_array_get(kept, i),
                             *blobs = json_object_get(one, "platform_firmware");
                bool all = has_value(values, json_object_get(one, "scrtm"), used);

                for (size_t k = 0; k < json_array_size(blobs); k++)
                        all &= has_value(values, json_array_get(blobs, k), used);
                if (all)
                        r = json_array_append(out, (json_t *)(uintptr_t)one);
        }
        return r;
}

/* The rest, as one firmware: the first value is the S-CRTM's version, as logs have it first. */
static int put_rest(struct making *m, const struct buf *values, json_t *out, const bool *used)
{
        json_t *one = NULL, *blobs = NULL;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < n_values(values); i++) {
                const struct policy_value *v = value_at(values, i);

                if (used[i])
                        continue;
                if (n++ == 0) {
                        one = json_object();
                        blobs = json_array();
                        r = json_array_append_new(out, one);
                        r |= json_object_set_new(one, "platform_firmware", blobs);
                        r |= json_object_set_new(one, "scrtm", digest_json(&v->digest));
                } else {
                        r = json_array_append_new(blobs, digest_json(&v->digest));
                }
        }
        if (r == 0 && n)
                r = LOST(m->said,
                         "boot.firmware: %zu values are taken for one firmware in this order, the first for "
                         "the "
                         "S-CRTM's version: Keylime compares number and order",
                         n);
        return r;
}

static int put_firmware(struct making *m, struct err *err)
{
        AUTO(buf_free) struct buf values = {0};
        AUTO(mem_free_p) bool *used = NULL;
        json_t *out = json_array();
        bool stated = values_of(m, POLICY_BOOT_FIRMWARE, &values);
        int r = json_object_set_new(m->out, "scrtm_and_bios", out);

        used = mem_zalloc(n_values(&values) + 1, sizeof(*used));
        if (r < 0 || !used || !buf_ok(&values))
                return err_nomem(err);
        if (!stated)
                r = LOST(m->said,
                         "boot.firmware: not stated, so not judged; Keylime judges it: add scrtm_and_bios");
        if (r == 0)
                r = put_kept_firmware(m, &values, out, used);
        if (r == 0)
                r = put_rest(m, &values, out, used);
        return r < 0 ? err_nomem(err) : 0;
}

/* ---- keys ---- */

static int put_key(struct making *m, const char *name, const struct policy_boot_key *k, json_t *list)
{
        char sha256[65], guid[EFI_GUID_CHARS] = "";
        AUTO(mem_free_p) char *der = NULL;

        if (!k->has_owner || (k->certificate && k->der.len == 0))
                return LOST(m->said, "boot.%s: line %u (%.16s…): Keylime wants %s", name, k->line,
                            hex_write(sha256, VIEW(k->sha256, 32)),
                            k->has_owner ? "the whole certificate" : "the owner, too");
        efi_guid_text(k->owner, guid);
        der = hex_encode(k->certificate ? k->der : VIEW(k->sha256, 32));
        return json_array_append_new(list, json_pack("{s:s, s:o}", "SignatureOwner", guid, "SignatureData",
                                                     json_sprintf("0x%s", der ? der : "")));
}

static int put_keys(struct making *m, enum policy_boot_keys which, const char *name, bool secure_boot,
                    struct err *err)
{
        const json_t *kept = json_object_get(json_object_get(m->kept, "signatures"), name);
        const struct policy_boot *b;
        json_t *list = json_array();
        bool stated = false;
        size_t i = 0;
        int r = 0;

        while ((b = next_layer(m->policy, &i))) {
                stated |= b->keys[which].stated;
                for (size_t k = 0; r == 0 && k < b->keys[which].n; k++)
                        r = put_key(m, policy_boot_keys_name(which), &b->keys[which].p[k], list);
        }
        for (size_t k = 0; r == 0 && k < json_array_size(kept); k++)
                r = json_array_append(list, json_array_get(kept, k));
        if (r == 0 && !stated && secure_boot && which != POLICY_KEYS_DBX_FLOOR)
                r = LOST(m->said,
                         "boot.%s: not stated, so not judged; Keylime lets none through with an empty list",
                         policy_boot_keys_name(which));
        if (which == POLICY_KEYS_VENDOR_DB && json_array_size(list) == 0 &&
            (!stated || json_is_true(json_object_get(m->kept, "no_vendor_db")))) {
                json_decref(list);
                return r < 0 ? err_nomem(err) : 0;
        }
        return json_object_set_new(m->out, name, list) < 0 || r < 0 ? err_nomem(err) : 0;
}

static int put_mok(struct making *m, enum policy_boot_list which, const char *name, struct err *err)
{
        AUTO(buf_free) struct buf values = {0};
        json_t *list = json_array();
        bool stated = values_of(m, which, &values);
        int r = json_object_set_new(m->out, name, list);

        for (size_t i = 0; r == 0 && i < n_values(&values); i++)
                r = json_array_append_new(list, digest_json(&value_at(&values, i)->digest));
        if (r == 0 && !stated)
                r = LOST(m->said,
                         "boot.%s: not stated, so not judged; Keylime lets none through with an empty list",
                         policy_boot_list_name(which));
        return r < 0 || !buf_ok(&values) ? err_nomem(err) : 0;
}

/* ---- kernels ---- */

/* What one kernel may be combined of: its own lists, or those of `boot:`. */
struct choices {
        struct buf images, loaders, initrds; /* pointers to values */
        struct strv lines;
};

static void choices_done(struct choices *c)
{
        buf_free(&c->images);
        buf_free(&c->loaders);
        buf_free(&c->initrds);
        strv_done(&c->lines);
}

static void put_pointers(const struct making *m, const struct policy_value *p, size_t n, struct buf *ret)
{
        for (size_t i = 0; i < n; i++) {
                const struct policy_value *v = &p[i];

                if (v->until_ms > m->now_ms)
                        buf_put(ret, &v, sizeof(v));
        }
}

/* The expressions of command lines: Keylime's own spelling where it means the same, else one for all. */
static int put_lines(struct making *m, const char *const *texts, size_t n, struct strv *ret, struct err *err)
{
        const json_t *kept = json_object_get(m->kept, "kernel_cmdlines");
        struct buf regex = {0};

        for (size_t i = 0; i < json_array_size(kept); i++) {
                const char *own = json_string_value(json_array_get(kept, i));
                AUTO(strv_done) struct strv patterns = {0};
                struct pattern_refusal why;
                bool same = own && keylime_command_lines(own, &patterns, &why, err) == 1 && patterns.n == n;

                for (size_t k = 0; same && k < n; k++)
                        same = str_equal(patterns.items[k], texts[k]);
                err_clear(err);
                if (same)
                        return strv_add(ret, own) < 0 ? err_nomem(err) : 0;
        }
        buf_str(&regex, n > 1 ? "(?:" : "");
        for (size_t i = 0; i < n; i++) {
                buf_str(&regex, i ? "|" : "");
                if (pattern_to_regex(view_str(texts[i]), false, &regex, err) < 0) {
                        buf_free(&regex);
                        return -(int)err->kind;
                }
        }
        buf_str(&regex, n > 1 ? ")" : "");
        return strv_take(ret, buf_take_str(&regex)) < 0 ? err_nomem(err) : 0;
}

static int choose(struct making *m, const struct policy_kernel *k, bool secure_boot, struct choices *ret,
                  struct err *err)
{
        const struct policy_boot *b;
        size_t i = 0;
        int r = 0;

        put_pointers(m, secure_boot ? k->authenticode : k->file, secure_boot ? k->n_authenticode : k->n_file,
                     &ret->images);
        put_pointers(m, k->loaders, k->n_loaders, &ret->loaders);
        put_pointers(m, k->initrds, k->n_initrds, &ret->initrds);
        if (k->n_loaders == 0)
                (void)values_of(m, POLICY_BOOT_LOADERS, &ret->loaders);
        if (k->n_initrds == 0)
                (void)values_of(m, POLICY_BOOT_INITRDS, &ret->initrds);
        if (k->n_command_lines)
                r = put_lines(m, k->command_line_texts, k->n_command_lines, &ret->lines, err);
        while (r >= 0 && k->n_command_lines == 0 && (b = next_layer(m->policy, &i)))
                if (b->n_command_lines)
                        r = put_lines(m, b->command_line_texts, b->n_command_lines, &ret->lines, err);
        return r;
}

static json_t *one_kernel(const struct choices *c, size_t image, size_t initrd, const char *line,
                          bool secure_boot)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = json_object_set_new(j, "shim_authcode_sha256",
                                    hex_json(digest_view(&value_at(&c->loaders, 0)->digest)));

        r |= json_object_set_new(j, "grub_authcode_sha256",
                                 hex_json(digest_view(&value_at(&c->loaders, 1)->digest)));
        r |= json_object_set_new(j, secure_boot ? "kernel_authcode_sha256" : "vmlinuz_plain_sha256",
                                 hex_json(digest_view(&value_at(&c->images, image)->digest)));
        r |= json_object_set_new(j, "initrd_plain_sha256",
                                 hex_json(digest_view(&value_at(&c->initrds, initrd)->digest)));
        r |= json_set_str(j, "kernel_cmdline", line);
        return r ? NULL : TAKE(j);
}

static const char *missing(const struct choices *c, bool secure_boot)
{
        if (n_values(&c->images) == 0)
                return secure_boot ? "with Secure Boot Keylime wants its Authenticode digest"
                                   : "without Secure Boot Keylime wants the digest of its file";
        if (n_values(&c->loaders) != 2)
                return "Keylime wants two loaders, shim and GRUB";
        if (n_values(&c->initrds) == 0)
                return "Keylime wants the digest of an initrd";
        if (c->lines.n == 0)
                return "Keylime wants a command line";
        if (n_values(&c->images) * n_values(&c->initrds) * c->lines.n > COMBINATIONS_MAX)
                return "too many combinations";
        return NULL;
}

static int put_kernel(struct making *m, const struct policy_kernel *k, bool secure_boot, json_t *list,
                      struct err *err)
{
        AUTO(choices_done) struct choices c = {.images = {0}};
        const char *why;
        int r = choose(m, k, secure_boot, &c, err);

        if (r < 0)
                return r;
        if (!buf_ok(&c.images) || !buf_ok(&c.loaders) || !buf_ok(&c.initrds))
                return err_nomem(err);
        why = missing(&c, secure_boot);
        if (why)
                return LOST(m->said, "boot.kernels: line %u is left out: %s", k->line, why) < 0
                               ? err_nomem(err)
                               : 0;
        for (size_t i = 0; i < n_values(&c.images); i++)
                for (size_t n = 0; n < n_values(&c.initrds); n++)
                        for (size_t l = 0; l < c.lines.n; l++)
                                if (json_array_append_new(
                                            list, one_kernel(&c, i, n, c.lines.items[l], secure_boot)) < 0)
                                        return err_nomem(err);
        if (k->n_sections &&
            LOST(m->said, "boot.kernels: line %u: Keylime looks at no sections of a UKI", k->line) < 0)
                return err_nomem(err);
        if (k->until_ms != POLICY_NEVER &&
            LOST(m->said, "boot.kernels: line %u: it has an 'until', and Keylime allows for ever", k->line) <
                    0)
                return err_nomem(err);
        return 0;
}

static int put_kernels(struct making *m, bool secure_boot, struct err *err)
{
        const json_t *kept = json_object_get(m->kept, "kernels");
        const struct policy_boot *b;
        json_t *list = json_array();
        bool stated = false;
        size_t i = 0;

        if (json_object_set_new(m->out, "kernels", list) < 0)
                return err_nomem(err);
        while ((b = next_layer(m->policy, &i))) {
                stated |= b->kernels_stated;
                for (size_t k = 0; k < b->n_kernels; k++)
                        if (b->kernels[k].until_ms > m->now_ms &&
                            put_kernel(m, &b->kernels[k], secure_boot, list, err) < 0)
                                return -(int)err->kind;
        }
        for (size_t k = 0; k < json_array_size(kept); k++)
                if (json_array_append(list, json_array_get(kept, k)) < 0)
                        return err_nomem(err);
        if (!stated &&
            LOST(m->said, "boot.kernels: not stated, so not judged; Keylime lets no kernel through") < 0)
                return err_nomem(err);
        return 0;
}

static int say_rest(struct making *m, enum policy_secure_boot secure_boot)
{
        AUTO(buf_free) struct buf drivers = {0};
        const struct policy_boot *b;
        size_t i = 0, authorities = 0, overlays = 0;
        int r = 0;

        while ((b = next_layer(m->policy, &i)))
                authorities += b->keys[POLICY_KEYS_AUTHORITIES].stated;
        for (i = 0; i < m->policy->n_parts; i++)
                overlays += m->policy->parts[i].hosts && m->policy->parts[i].boot;
        if (secure_boot == POLICY_SECURE_BOOT_ANY)
                r |= LOST(m->said,
                          "boot.secure_boot: any; Keylime has it on or off, and on is what stands there");
        if (values_of(m, POLICY_BOOT_DRIVERS, &drivers))
                r |= LOST(m->said, "boot.drivers: Keylime lets every driver through");
        if (authorities)
                r |= LOST(m->said, "boot.authorities: Keylime lets every certificate of db through");
        if (overlays)
                r |= LOST(m->said,
                          "overlays: %zu; Keylime has one reference state for all hosts that name it",
                          overlays);
        if (m->policy->judges_ima)
                r |= NOTE(m->said, "ima: is for '--as keylime-runtime'");
        return r;
}

static int make(struct making *m, struct err *err)
{
        struct policy_version version = {(struct policy *)(uintptr_t)m->policy, 1, POLICY_NEVER};
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        enum policy_secure_boot secure_boot;
        bool on;

        if (policy_effective_new(&version, 1, m->now_ms, &e, err) < 0)
                return -(int)err->kind;
        secure_boot = policy_effective_secure_boot(e);
        on = secure_boot != POLICY_SECURE_BOOT_OFF;
        if (json_set_bool(m->out, "has_secureboot", on) < 0)
                return err_nomem(err);
        if (put_firmware(m, err) < 0 || put_keys(m, POLICY_KEYS_PK, "pk", on, err) < 0 ||
            put_keys(m, POLICY_KEYS_KEK, "kek", on, err) < 0 ||
            put_keys(m, POLICY_KEYS_DB, "db", on, err) < 0 ||
            put_keys(m, POLICY_KEYS_DBX_FLOOR, "dbx", on, err) < 0 ||
            put_keys(m, POLICY_KEYS_VENDOR_DB, "vendor_db", on, err) < 0 ||
            put_mok(m, POLICY_BOOT_MOK_LIST, "mokdig", err) < 0 ||
            put_mok(m, POLICY_BOOT_MOK_LIST_X, "mokxdig", err) < 0 || put_kernels(m, on, err) < 0)
                return -(int)err->kind;
        return say_rest(m, secure_boot) < 0 ? err_nomem(err) : 0;
}

int keylime_out_refstate(const struct policy *p, int64_t now_ms, const json_t *kept, json_t **ret,
                         struct keylime_said *said, struct err *err)
{
        AUTO(json_free_p) json_t *out = json_object();
        struct making m = {.policy = p, .kept = kept, .now_ms = now_ms, .out = out, .said = said};
        int r;

        if (!out)
                return err_nomem(err);
        if (!p->judges_boot)
                return err_set(err, ERR_CONFIG, 0, "%s: there is no 'boot:' for a reference state",
                               p->source);
        if (p->bank != DIGEST_SHA256)
                return err_set(err, ERR_CONFIG, 0,
                               "%s: its bank is %s, and Keylime's reference states are sha256", p->source,
                               digest_name(p->bank));
        r = make(&m, err);
        if (r >= 0)
                *ret = TAKE(out);
        return r;
}
