/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of `ima:` and `boot:` but for files, compared: each becomes a line of words, WHAT and VALUE, and
 * lines that one policy has and the other has not are what changed. Order does not count, as it does not for
 * hosts.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"
#include "policy/policy_tee.h"
#include "tenant/policy_diff_part.h"

struct rule {
        char *what, *value;
        uint32_t line;
};

struct rules {
        struct rule *p;
        size_t n;
        const char *layer; /* of an overlay: "web, overlay 1"; else NULL */
        bool failed;
};

static void rules_done(struct rules *r)
{
        for (size_t i = 0; i < r->n; i++) {
                free(r->p[i].what);
                free(r->p[i].value);
        }
        free(r->p);
}

/* Takes VALUE over, which may be NULL for want of memory. */
static void put(struct rules *r, const char *what, char *value, uint32_t line)
{
        struct rule *grown = mem_resize(r->p, r->n + 1, sizeof(*grown));
        char *name = r->layer ? str_fmt("%s (%s)", what, r->layer) : str_dup(what);

        if (grown)
                r->p = grown;
        if (!grown || !name || !value) {
                free(name);
                free(value);
                r->failed = true;
                return;
        }
        r->p[r->n++] = (struct rule){name, value, line};
}

static char *with_end(const char *text, int64_t until_ms, const char *comment)
{
        char end[CLOCK_TEXT_BYTES];

        return str_fmt("%s%s%s%s%s", text, until_ms == POLICY_NEVER ? "" : " until ",
                       until_ms == POLICY_NEVER ? "" : clock_format(until_ms, end),
                       comment && comment[0] ? "  # " : "", comment ? comment : "");
}

static void put_digest(struct rules *r, const char *what, struct view digest, int64_t until_ms,
                       const char *comment, uint32_t line)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        put(r, what, with_end(hex_write(hex, digest), until_ms, comment), line);
}

/* A set whose "paths" are names. */
static void put_set(struct rules *r, const char *what, const struct allow *a)
{
        struct allow_pos pos = {0};
        struct allow_entry e;

        while (a && allow_next(a, &pos, &e)) {
                char hex[2 * DIGEST_BYTES_MAX + 1], end[CLOCK_TEXT_BYTES];

                put(r, what,
                    str_fmt("%.*s%s%s%s%s", (int)e.path.len, e.path.len ? (const char *)e.path.p : "",
                            e.path.len ? " " : "", hex_write(hex, e.digest),
                            e.until_ms == ALLOW_NEVER ? "" : " until ",
                            e.until_ms == ALLOW_NEVER ? "" : clock_format(e.until_ms, end)),
                    e.line);
        }
}

/* ---- ima ---- */

static void put_signed(struct rules *r, const struct policy_signed *s)
{
        struct buf b = {0};

        buf_str(&b, s->keyring[0] ? "keyring " : "by ");
        buf_str(&b, s->keyring);
        for (size_t i = 0; i < s->n_by; i++)
                buf_fmt(&b, "%s%s", i ? ", " : "", s->by[i]->name);
        for (size_t i = 0; i < s->n_paths; i++)
                buf_fmt(&b, "%s%s", i ? ", " : " at ", s->path_texts[i]);
        put(r, "signed files", buf_take_str(&b), s->line);
}

static void put_required(struct rules *r, const struct policy_required *q)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct buf b = {0};

        buf_str(&b, q->path);
        for (size_t i = 0; i < q->n_digests; i++)
                buf_fmt(&b, "%s%s", b.len ? " " : "", hex_write(hex, digest_view(&q->digests[i])));
        put(r, "required executed file", buf_take_str(&b), q->line);
}

static void put_measuring(struct rules *r, const struct policy_rules *m)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        AUTO(mem_free_p)
        char *text = str_fmt("%s (%s%s%s%s)", hex_write(hex, digest_view(&m->digest)),
                             m->covers & POLICY_COVERS_EXEC ? "exec " : "",
                             m->covers & POLICY_COVERS_TMPFS ? "tmpfs " : "",
                             m->covers & POLICY_COVERS_KEXEC ? "kexec " : "",
                             m->covers & POLICY_COVERS_READS ? "reads" : "");

        put(r, "measuring rules", text ? with_end(text, m->until_ms, m->comment) : NULL, m->line);
}

static void put_key(struct rules *r, const struct policy_key *k)
{
        struct digest d = {.len = 0};
        struct err err = ERR_INIT;
        AUTO(mem_free_p) char *text = NULL;

        if (digest_bytes(DIGEST_SHA256, view_str(k->pem), &d, &err) < 0)
                r->failed = true;
        text = str_fmt("%s %08" PRIx32 " (PEM %02x%02x%02x%02x…)", k->name, k->id, d.b[0], d.b[1], d.b[2],
                       d.b[3]);
        put(r, "key of file signatures", text ? with_end(text, k->until_ms, k->comment) : NULL, k->line);
}

static void put_ima(struct rules *r, const struct policy_ima *ima)
{
        static const char *const violations[] = {"fail", "warn", "allow"};

        put(r, "section", str_dup("ima"), 0);
        for (size_t i = 0; i < ima->n_exclude; i++)
                put(r, "excluded paths", str_dup(ima->exclude_texts[i]), 0);
        for (size_t i = 0; i < ima->n_keys; i++)
                put_key(r, &ima->keys[i]);
        for (size_t i = 0; i < ima->n_signed; i++)
                put_signed(r, &ima->signed_by[i]);
        for (size_t i = 0; i < ima->n_keyrings; i++)
                if (ima->keyrings[i].any)
                        put(r, "keyring", str_fmt("%s any", ima->keyrings[i].name), ima->keyrings[i].line);
        for (size_t i = 0; i < ima->n_buffers; i++) {
                if (ima->buffers[i].any)
                        put(r, "buffer", str_fmt("%s any", ima->buffers[i].name), ima->buffers[i].line);
                for (size_t k = 0; k < ima->buffers[i].n_texts; k++)
                        put(r, "buffer",
                            str_fmt("%s text %s", ima->buffers[i].name, ima->buffers[i].text_texts[k]),
                            ima->buffers[i].line);
        }
        for (size_t i = 0; i < ima->n_required; i++)
                put_required(r, &ima->required[i]);
        for (size_t i = 0; i < ima->n_rules; i++)
                put_measuring(r, &ima->rules[i]);
        for (size_t i = 0; i < ima->n_command_lines; i++)
                put(r, "measuring command line", str_dup(ima->command_line_texts[i]), 0);
        if (ima->violations_stated)
                put(r, "violations", str_dup(violations[ima->violations]), 0);
        for (unsigned i = 0; i < POLICY_N_WAIVERS; i++)
                if (ima->waived & 1u << i)
                        put(r, "waived", str_dup(policy_waiver_name((enum policy_waiver)i)), 0);
        put_set(r, "key of keyring", ima->keyring_keys);
        put_set(r, "buffer", ima->buffer_digests);
        put_set(r, "dm-verity root", ima->verity_roots);
        put_set(r, "denied file", ima->denied);
}

/* ---- boot ---- */

static void put_boot_key(struct rules *r, const char *list, const struct policy_boot_key *k)
{
        char hex[65], owner[EFI_GUID_CHARS] = "";
        AUTO(mem_free_p) char *text = NULL;

        if (k->has_owner)
                efi_guid_text(k->owner, owner);
        text = str_fmt("%s %s%s%s", k->certificate ? "certificate" : "digest",
                       hex_write(hex, VIEW(k->sha256, 32)), owner[0] ? " of " : "", owner);
        put(r, list, text ? with_end(text, POLICY_NEVER, k->comment) : NULL, k->line);
}

static void put_values(struct buf *b, const char *name, const struct policy_value *v, size_t n)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        for (size_t i = 0; i < n; i++)
                buf_fmt(b, "%s%.12s…", i ? "," : name, hex_write(hex, digest_view(&v[i].digest)));
}

static void put_kernel(struct rules *r, const struct policy_kernel *k)
{
        AUTO(mem_free_p) char *text = NULL;
        struct buf b = {0};

        buf_str(&b, k->name);
        put_values(&b, " authenticode ", k->authenticode, k->n_authenticode);
        put_values(&b, " file ", k->file, k->n_file);
        put_values(&b, " loaders ", k->loaders, k->n_loaders);
        put_values(&b, " initrds ", k->initrds, k->n_initrds);
        for (size_t i = 0; i < k->n_sections; i++)
                buf_fmt(&b, " %s %02x%02x%02x…", k->sections[i].name, k->sections[i].digest.b[0],
                        k->sections[i].digest.b[1], k->sections[i].digest.b[2]);
        for (size_t i = 0; i < k->n_command_lines; i++)
                buf_fmt(&b, " command line %s", k->command_line_texts[i]);
        text = buf_take_str(&b);
        put(r, "kernel", text ? with_end(text, k->until_ms, k->comment) : NULL, k->line);
}

static void put_boot(struct rules *r, const struct policy_boot *boot)
{
        static const char *const logs[] = {"required", "if-there", "none"};
        static const char *const secure[] = {"on", "off", "any"};

        put(r, "section", str_dup("boot"), 0);
        if (boot->log_stated)
                put(r, "boot log", str_dup(logs[boot->log]), 0);
        if (boot->secure_boot_stated)
                put(r, "Secure Boot", str_dup(secure[boot->secure_boot]), 0);
        for (unsigned i = 0; i < POLICY_BOOT_N_LISTS; i++) {
                if (boot->lists[i].stated)
                        put(r, "judged list", str_dup(policy_boot_list_name(i)), 0);
                for (size_t k = 0; k < boot->lists[i].n; k++) {
                        const struct policy_value *v = &boot->lists[i].p[k];

                        put_digest(r, policy_boot_list_name(i), digest_view(&v->digest), v->until_ms,
                                   v->comment, v->line);
                }
        }
        for (unsigned i = 0; i < POLICY_BOOT_N_KEYS; i++) {
                if (boot->keys[i].stated)
                        put(r, "judged list", str_dup(policy_boot_keys_name(i)), 0);
                for (size_t k = 0; k < boot->keys[i].n; k++)
                        put_boot_key(r, policy_boot_keys_name(i), &boot->keys[i].p[k]);
        }
        if (boot->kernels_stated)
                put(r, "judged list", str_dup("kernels"), 0);
        for (size_t i = 0; i < boot->n_kernels; i++)
                put_kernel(r, &boot->kernels[i]);
        for (size_t i = 0; i < boot->n_command_lines; i++)
                put(r, "command line", str_dup(boot->command_line_texts[i]), 0);
}

/* ---- comparing ---- */

static int compare(const void *a, const void *b)
{
        const struct rule *x = a, *y = b;
        int r = strcmp(x->what, y->what);

        return r ? r : strcmp(x->value, y->value);
}

static int collect(const struct policy *p, struct rules *ret)
{
        for (size_t i = 0; i < p->n_parts; i++) {
                ret->layer = p->parts[i].hosts ? p->parts[i].name : NULL;
                for (size_t k = 0; k < p->parts[i].n_hosts; k++)
                        put(ret, "hosts", str_dup(p->parts[i].host_texts[k]), 0);
                if (p->parts[i].ima)
                        put_ima(ret, p->parts[i].ima);
                if (p->parts[i].boot)
                        put_boot(ret, p->parts[i].boot);
        }
        ret->layer = NULL;
        for (size_t i = 0; p->tee && i < p->tee->words.n; i++)
                put(ret, "tee", str_dup(p->tee->words.items[i]), 0);
        if (ret->n)
                qsort(ret->p, ret->n, sizeof(*ret->p), compare);
        return ret->failed ? -1 : 0;
}

static int add(json_t *changes, const char *word, const struct rule *rule)
{
        json_t *j = json_object();

        if (json_array_append_new(changes, j) < 0 || json_set_str(j, "change", word) < 0 ||
            json_set_str(j, "what", rule->what) < 0 || json_set_str(j, "value", rule->value) < 0)
                return -1;
        return rule->line ? json_set_int(j, "line", rule->line) : 0;
}

int policy_diff_rules(json_t *changes, const struct policy *old, const struct policy *new)
{
        AUTO(rules_done) struct rules was = {.n = 0};
        AUTO(rules_done) struct rules is = {.n = 0};
        size_t i = 0, k = 0;
        int r = collect(old, &was);

        if (r == 0)
                r = collect(new, &is);
        while (r == 0 && (i < was.n || k < is.n)) {
                int order = i == was.n ? 1 : k == is.n ? -1 : compare(&was.p[i], &is.p[k]);

                if (order < 0)
                        r = add(changes, "removed", &was.p[i]);
                else if (order > 0)
                        r = add(changes, "added", &is.p[k]);
                i += order <= 0;
                k += order >= 0;
        }
        return r;
}
