/* SPDX-License-Identifier: Apache-2.0 */
/* The section `boot:` of a policy, compiled: how a host may have started. Spec: avow-policy(5). */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "policy/parse_impl.h"

static const char *const boot_keys[] = {
        "log",           "secure_boot", "pk",      "kek",     "db",      "vendor_db", "dbx_floor",
        "authorities",   "firmware",    "drivers", "loaders", "initrds", "mok_list",  "mok_list_x",
        "command_lines", "kernels"};

struct reader {
        struct parse *p;
        struct policy_boot *boot;
};

/* ---- digests of events ---- */

static int read_value(struct reader *x, const struct yaml_node *node, struct policy_value *ret,
                      struct err *err)
{
        static const char *const keys[] = {"digest", "until", "comment"};
        const struct yaml_node *digest = node;
        AUTO(buf_free)
        struct buf bytes = {0};
        int r = 0;

        *ret = (struct policy_value){.comment = "", .until_ms = POLICY_NEVER, .line = node->line};
        if (node->kind == YAML_MAP) {
                r = yaml_only(node, keys, ARRAY_LEN(keys), err);
                if (r == 0)
                        r = yaml_need(node, "digest", &digest, err);
                if (r == 0)
                        r = parse_until(x->p->b, node, &ret->until_ms, err);
                if (r == 0)
                        r = parse_comment(x->p->b, node, &ret->comment, err);
        }
        if (r == 0)
                r = parse_bank_digest(x->p->b, digest, &bytes, err);
        return r < 0 ? r : digest_set(x->p->b->head.bank, VIEW_BUF(&bytes), &ret->digest, err);
}

/* One or a list. */
static int read_values(struct reader *x, const struct yaml_node *node, const struct policy_value **ret,
                       size_t *ret_n, struct err *err)
{
        const struct yaml_node *const *items;
        struct policy_value *values;
        size_t n;
        int r = 0;

        items = parse_items(&node, &n);
        if (n > PARSE_SEARCH_MAX)
                return yaml_err(node, err, "%zu digests, at most %u are allowed", n, PARSE_SEARCH_MAX);
        values = policy_build_zeroed(x->p->b, n, sizeof(*values), err);
        if (!values)
                return -ERR_NOMEM;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = read_value(x, items[i], &values[i], err);
        *ret = values;
        *ret_n = n;
        x->boot->memory_bytes += n * sizeof(*values);
        return r;
}

/* ---- Secure Boot's variables ---- */

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c": the first three groups are little-endian. */
static bool guid_parse(const char *text, uint8_t ret[EFI_GUID_BYTES])
{
        static const uint8_t at[EFI_GUID_BYTES] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
        char again[EFI_GUID_CHARS], lower[EFI_GUID_CHARS];
        size_t n = strlen(text);

        if (n != EFI_GUID_CHARS - 1)
                return false;
        for (size_t i = 0; i <= n; i++)
                lower[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
        for (size_t i = 0; i < EFI_GUID_BYTES; i++) {
                int high = hex_digit((uint8_t)lower[at[i]]), low = hex_digit((uint8_t)lower[at[i] + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t)(high << 4 | low);
        }
        efi_guid_text(ret, again);
        return str_equal(again, lower);
}

static int read_owner(const struct yaml_node *node, struct policy_boot_key *ret, struct err *err)
{
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        ret->has_owner = guid_parse(text, ret->owner);
        return ret->has_owner ? 0
                              : yaml_err(node, err,
                                         "%s is no GUID: expected one such as "
                                         "77fa9abd-0359-4d32-bd60-28f4e78f784b",
                                         SHOW(text));
}

static int read_certificate(struct reader *x, const struct yaml_node *node, struct policy_boot_key *ret,
                            struct err *err)
{
        AUTO(cert_list_done)
        struct cert_list list = {0};
        struct err inner = ERR_INIT;
        struct digest digest;
        const char *pem;
        uint8_t *der;
        int r = yaml_str(node, &pem, err);

        if (r < 0)
                return r;
        r = cert_list_parse_pem(view_str(pem), CERT_MALFORMED_IGNORE, &list, NULL, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0 || list.n != 1)
                return yaml_err(
                        node, err,
                        "no certificate in PEM%s%s%s: expected a literal block ('certificate: |') with "
                        "one, from -----BEGIN to -----END",
                        r < 0 ? " (" : "", r < 0 ? inner.text : "", r < 0 ? ")" : "");
        ret->der = cert_der(list.v[0]);
        der = mem_dup(ret->der.p, ret->der.len);
        if (!der || !policy_build_keep(x->p->b, der, free))
                return err_nomem(err);
        ret->der.p = der;
        r = digest_bytes(DIGEST_SHA256, ret->der, &digest, err);
        if (r == 0)
                memcpy(ret->sha256, digest.b, sizeof(ret->sha256));
        return r;
}

static int read_key(struct reader *x, const struct yaml_node *map, struct policy_boot_key *ret,
                    struct err *err)
{
        static const char *const keys[] = {"certificate", "sha256", "digest", "owner", "comment"};
        const struct yaml_node *certificate = yaml_get(map, "certificate"), *sha256 = yaml_get(map, "sha256"),
                               *digest = yaml_get(map, "digest"), *owner = yaml_get(map, "owner");
        struct digest value;
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        *ret = (struct policy_boot_key){.certificate = !digest, .comment = "", .line = map->line};
        if (r == 0)
                r = parse_comment(x->p->b, map, &ret->comment, err);
        if (r == 0 && owner)
                r = read_owner(owner, ret, err);
        if (r < 0)
                return r;
        if (!certificate + !sha256 + !digest != 2)
                return yaml_err(map, err,
                                "expected one of 'certificate' (PEM), 'sha256' (of a certificate's DER) or "
                                "'digest' (an entry that is a digest)");
        if (certificate)
                return read_certificate(x, certificate, ret, err);
        r = parse_file_digest(sha256 ? sha256 : digest, false, &value, err);
        if (r < 0)
                return r;
        if (value.alg != DIGEST_SHA256)
                return yaml_err(sha256 ? sha256 : digest, err,
                                "a digest of %u digits: Secure Boot's variables have SHA-256, 64 digits",
                                2u * value.len);
        memcpy(ret->sha256, value.b, sizeof(ret->sha256));
        return 0;
}

static int read_keys(struct reader *x, const struct yaml_node *list, enum policy_boot_keys which,
                     struct err *err)
{
        struct policy_boot_key *all = parse_elements(x->p->b, list, PARSE_SEARCH_MAX, sizeof(*all), err);
        int r = 0;

        if (!all)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < list->n; i++)
                r = read_key(x, list->items[i], &all[i], err);
        x->boot->keys[which].stated = true;
        x->boot->keys[which].p = all;
        x->boot->keys[which].n = list->n;
        x->boot->memory_bytes += list->n * sizeof(*all);
        return r;
}

/* ---- kernels ---- */

static int read_sections(struct reader *x, const struct yaml_node *map, struct policy_kernel *ret,
                         struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        struct policy_section *all;
        int r = yaml_want_map(map, err);

        if (r < 0)
                return r;
        all = policy_build_zeroed(x->p->b, map->n, sizeof(*all), err);
        if (!all)
                return -ERR_NOMEM;
        for (size_t i = 0; r == 0 && i < map->n; i++) {
                all[i].line = map->keys[i]->line;
                r = parse_text(x->p->b, map->keys[i], &all[i].name, err);
                if (r == 0 && *all[i].name != '.')
                        return yaml_err(map->keys[i], err, "%s is no section: expected a name such as .linux",
                                        SHOW(all[i].name));
                if (r == 0)
                        r = parse_bank_digest(x->p->b, map->items[i], &bytes, err);
                if (r == 0)
                        r = digest_set(x->p->b->head.bank, VIEW_BUF(&bytes), &all[i].digest, err);
        }
        ret->sections = all;
        ret->n_sections = map->n;
        return r;
}

static int read_kernel_values(struct reader *x, const struct yaml_node *map, struct policy_kernel *ret,
                              struct err *err)
{
        const struct {
                const char *key;
                const struct policy_value **values;
                size_t *n;
        } lists[] = {
                {"authenticode", &ret->authenticode, &ret->n_authenticode},
                {"file", &ret->file, &ret->n_file},
                {"loaders", &ret->loaders, &ret->n_loaders},
                {"initrds", &ret->initrds, &ret->n_initrds},
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++) {
                const struct yaml_node *node = yaml_get(map, lists[i].key);

                if (!node)
                        continue;
                r = read_values(x, node, lists[i].values, lists[i].n, err);
                if (r == 0 && *lists[i].n == 0)
                        return yaml_err(node, err, "an empty list: leave '%s' out, or say what may be there",
                                        lists[i].key);
        }
        if (r == 0 && ret->n_authenticode + ret->n_file == 0)
                return yaml_err(map, err,
                                "expected 'authenticode' (as firmware and shim measure it) or 'file' (as "
                                "GRUB and IMA do): a digest of the kernel");
        return r;
}

static int read_kernel(struct reader *x, const struct yaml_node *map, struct policy_kernel *ret,
                       struct err *err)
{
        static const char *const keys[] = {"name",          "authenticode", "file",  "loaders", "initrds",
                                           "command_lines", "sections",     "until", "comment"};
        const struct yaml_node *name, *lines, *sections;
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        *ret = (struct policy_kernel){.name = "", .line = map->line};
        if (r == 0)
                r = parse_until(x->p->b, map, &ret->until_ms, err);
        if (r == 0)
                r = parse_comment(x->p->b, map, &ret->comment, err);
        if (r == 0)
                r = read_kernel_values(x, map, ret, err);
        if (r < 0)
                return r;
        name = yaml_get(map, "name");
        lines = yaml_get(map, "command_lines");
        sections = yaml_get(map, "sections");
        if (name)
                r = parse_text(x->p->b, name, &ret->name, err);
        if (r == 0 && lines)
                r = parse_patterns(x->p->b, lines, "command line", &ret->command_lines,
                                   &ret->command_line_texts, &ret->n_command_lines, err);
        return r == 0 && sections ? read_sections(x, sections, ret, err) : r;
}

static int read_kernels(struct reader *x, const struct yaml_node *list, struct err *err)
{
        struct policy_kernel *all = parse_elements(x->p->b, list, PARSE_SEARCH_MAX, sizeof(*all), err);
        int r = 0;

        if (!all)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < list->n; i++)
                r = read_kernel(x, list->items[i], &all[i], err);
        x->boot->kernels_stated = true;
        x->boot->kernels = all;
        x->boot->n_kernels = list->n;
        x->boot->memory_bytes += list->n * sizeof(*all);
        return r;
}

/* ---- all of it ---- */

static int read_settings(struct reader *x, const struct yaml_node *map, struct err *err)
{
        static const char *const logs[] = {"required", "if-there", "none"};
        static const char *const secure[] = {"on", "off", "any"};
        const struct yaml_node *log = yaml_get(map, "log"), *secure_boot = yaml_get(map, "secure_boot");
        size_t choice = 0;
        int r = 0;

        if (log) {
                r = yaml_choice(log, logs, ARRAY_LEN(logs), &choice, err);
                x->boot->log_stated = true;
                x->boot->log = (enum policy_boot_log)choice;
        }
        if (r == 0 && x->boot->log == POLICY_LOG_NONE && map->n > 1)
                return yaml_err(
                        log, err,
                        "'log: none' judges nothing of the boot, and '%s' stands beside it: remove one "
                        "of the two",
                        str_equal(map->keys[0]->text, "log") ? map->keys[1]->text : map->keys[0]->text);
        if (r == 0 && secure_boot) {
                r = yaml_choice(secure_boot, secure, ARRAY_LEN(secure), &choice, err);
                x->boot->secure_boot_stated = true;
                x->boot->secure_boot = (enum policy_secure_boot)choice;
        }
        return r;
}

static int read_lists(struct reader *x, const struct yaml_node *map, struct err *err)
{
        const struct yaml_node *kernels = yaml_get(map, "kernels"), *lines = yaml_get(map, "command_lines");
        int r = 0;

        for (unsigned i = 0; r == 0 && i < POLICY_BOOT_N_LISTS; i++) {
                const struct yaml_node *node = yaml_get(map, policy_boot_list_name(i));

                x->boot->lists[i].stated = node;
                if (node)
                        r = read_values(x, node, &x->boot->lists[i].p, &x->boot->lists[i].n, err);
        }
        for (unsigned i = 0; r == 0 && i < POLICY_BOOT_N_KEYS; i++) {
                const struct yaml_node *node = yaml_get(map, policy_boot_keys_name(i));

                if (node)
                        r = read_keys(x, node, i, err);
        }
        if (r == 0 && kernels)
                r = read_kernels(x, kernels, err);
        x->boot->command_lines_stated = lines;
        if (r == 0 && lines)
                r = parse_patterns(x->p->b, lines, "command line", &x->boot->command_lines,
                                   &x->boot->command_line_texts, &x->boot->n_command_lines, err);
        return r;
}

int parse_boot(struct parse *p, const struct yaml_node *node, const struct policy_boot **ret, struct err *err)
{
        struct reader x = {.p = p};
        int r = yaml_only(node, boot_keys, ARRAY_LEN(boot_keys), err);

        if (r < 0)
                return r;
        x.boot = policy_build_zeroed(p->b, 1, sizeof(*x.boot), err);
        if (!x.boot)
                return -ERR_NOMEM;
        x.boot->memory_bytes = sizeof(*x.boot);
        r = read_settings(&x, node, err);
        if (r == 0)
                r = read_lists(&x, node, err);
        *ret = x.boot;
        return r;
}
