/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tee:` of a policy. As everywhere in policies one spelling for everything, nothing ignored, nothing
 * guessed; what is not stated is the strict choice where there is a safety to lose, and "not asked" where the
 * owner alone can know the value. Security versions are named by component, for each product line: as one
 * number they are compared wrongly by everybody who tries. The format: avow-policy(5).
 */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/parse_impl.h"
#include "policy/policy_tee_impl.h"

#define ITEMS_MAX 4096

static const char *const binding_names[] = {"rooted", "named"};

const char *policy_tee_binding_name(enum policy_tee_binding binding)
{
        return binding_names[binding == POLICY_TEE_NAMED];
}

const struct policy_tee policy_tee_default = {
        .kinds = (1u << TEE_N_KINDS) - 1,
        .snp = {.crl = SNP_CRL_IF_GIVEN, .allow_vlek = true, .allow_provisional = true, .vmpls = 0xf},
        .tdx = {.statuses = DCAP_STATUSES_DEFAULT},
        .sgx = {.statuses = DCAP_STATUSES_DEFAULT},
};

/* ---- what the sections share; policy_tee_impl.h ---- */

void *tee_keep(struct policy_tee_build *b, size_t n, size_t size, struct err *err)
{
        struct policy_tee_block *block = mem_zalloc(1, sizeof(*block));

        if (block)
                block->p = mem_zalloc(n ? n : 1, size);
        if (!block || !block->p) {
                free(block);
                (void)err_nomem(err);
                return NULL;
        }
        block->next = b->blocks;
        b->blocks = block;
        return block->p;
}

int tee_list(const struct yaml_node *const *node, const struct yaml_node *const **ret, size_t *ret_n,
             struct err *err)
{
        *ret = parse_items(node, ret_n);
        if (*ret_n > ITEMS_MAX)
                return yaml_err(*node, err, "%zu items; at most %d are possible", *ret_n, ITEMS_MAX);
        return 0;
}

int tee_hex(const struct yaml_node *node, uint8_t *ret, size_t size, struct err *err)
{
        AUTO(buf_free) struct buf raw = {0};
        struct err inner = ERR_INIT;
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        if (hex_decode_any(view_str(text), size, &raw, &inner) < 0 || raw.len != size) {
                if (inner.kind == ERR_NOMEM)
                        return err_nomem(err);
                return yaml_err(node, err, "%s: expected %zu hexadecimal digits", SHOW(text), 2 * size);
        }
        for (size_t i = 0; i < size; i++)
                ret[i] = raw.p[i];
        return 0;
}

/* HEX, or {digest: HEX, comment: …}. */
static int read_value(const struct yaml_node *node, uint8_t *ret, size_t size, struct err *err)
{
        static const char *const keys[] = {"digest", "comment"};
        const struct yaml_node *digest = node, *comment;
        const char *unused;
        int r = 0;

        if (node->kind == YAML_MAP) {
                r = yaml_only(node, keys, ARRAY_LEN(keys), err);
                if (r == 0)
                        r = yaml_need(node, "digest", &digest, err);
                comment = yaml_get(node, "comment");
                if (r == 0 && comment)
                        r = yaml_str(comment, &unused, err);
        }
        return r < 0 ? r : tee_hex(digest, ret, size, err);
}

int tee_read_set(struct policy_tee_build *b, const struct yaml_node *node, size_t size, struct tee_set *ret,
                 struct err *err)
{
        const struct yaml_node *const *items;
        struct view *views;
        uint8_t *bytes;
        size_t n;
        int r = tee_list(&node, &items, &n, err);

        if (r < 0)
                return r;
        views = tee_keep(b, n, sizeof(*views), err);
        bytes = views ? tee_keep(b, n, size, err) : NULL;
        if (!bytes)
                return -ERR_NOMEM;
        for (size_t i = 0; i < n; i++) {
                views[i] = VIEW(bytes + i * size, size);
                r = read_value(items[i], bytes + i * size, size, err);
                if (r < 0)
                        return r;
        }
        *ret = (struct tee_set){.set = true, .v = views, .n = n};
        return 0;
}

int tee_read_texts(struct policy_tee_build *b, const struct yaml_node *node, struct tee_set *ret,
                   struct err *err)
{
        const struct yaml_node *const *items;
        struct view *views;
        size_t n;
        int r = tee_list(&node, &items, &n, err);

        if (r < 0)
                return r;
        views = tee_keep(b, n, sizeof(*views), err);
        if (!views)
                return -ERR_NOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *text;
                size_t len;
                uint8_t *copy;

                r = yaml_str(items[i], &text, err);
                if (r < 0)
                        return r;
                len = strlen(text);
                copy = tee_keep(b, len + 1, 1, err); /* never nothing */
                if (!copy)
                        return -ERR_NOMEM;
                memcpy(copy, text, len);
                views[i] = VIEW(copy, len);
        }
        *ret = (struct tee_set){.set = true, .v = views, .n = n};
        return 0;
}

int tee_read_allowed(const struct yaml_node *node, bool *ret, struct err *err)
{
        static const char *const words[] = {"refused", "allowed"};
        size_t choice = 0;
        int r = yaml_choice(node, words, ARRAY_LEN(words), &choice, err);

        *ret = choice == 1;
        return r;
}

int tee_read_members(struct policy_tee_build *b, const struct yaml_node *node,
                     const struct policy_tee_member *members, size_t n, void *to, struct err *err)
{
        const char *names[TEE_MEMBERS_MAX] = {NULL};
        int r;

        for (size_t i = 0; i < n && i < ARRAY_LEN(names); i++)
                names[i] = members[i].name;
        r = yaml_only(node, names, n, err);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct yaml_node *value = yaml_get(node, members[i].name);
                uint8_t *at = (uint8_t *)to + members[i].offset;

                if (value)
                        r = members[i].size ? tee_read_set(b, value, members[i].size,
                                                           (struct tee_set *)(void *)at, err)
                                            : members[i].read(b, value, to, at, err);
        }
        return r;
}

/* ---- the section itself ---- */

static int read_kinds(const struct yaml_node *node, unsigned *ret, struct err *err)
{
        const char *names[TEE_N_KINDS];
        const struct yaml_node *const *items;
        size_t n, choice;
        int r = tee_list(&node, &items, &n, err);

        for (size_t k = 0; k < TEE_N_KINDS; k++)
                names[k] = tee_kind_name((enum tee_kind)k);
        *ret = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_choice(items[i], names, TEE_N_KINDS, &choice, err);
                if (r == 0)
                        *ret |= 1u << choice;
        }
        if (r == 0 && !*ret)
                return yaml_err(node, err, "no kind: name at least one of snp, tdx, sgx");
        return r;
}

static int read_revocation(const struct yaml_node *node, bool *ret_required, struct err *err)
{
        static const char *const words[] = {"required", "if-given"};
        size_t choice = 0;
        int r = node ? yaml_choice(node, words, ARRAY_LEN(words), &choice, err) : 0;

        *ret_required = choice == 0;
        return r;
}

/* What a section's owner has to state himself, or be as safe as it can be. */
static void set_defaults(struct policy_tee *t)
{
        t->snp = (struct snp_policy){.vmpls = 1};
        t->tdx = t->sgx = (struct dcap_policy){.statuses = DCAP_STATUSES_DEFAULT};
        t->tdx.rules.refuse_service_td = true;
}

static int read_parts(struct policy_tee_build *b, const struct yaml_node *node, struct err *err)
{
        static int (*const readers[TEE_N_KINDS])(struct policy_tee_build * b, const struct yaml_node *node,
                                                 struct err *err) = {tee_read_snp, tee_read_tdx,
                                                                     tee_read_sgx};
        int r = 0;

        for (size_t k = 0; r == 0 && k < TEE_N_KINDS; k++) {
                const char *name = tee_kind_name((enum tee_kind)k);
                const struct yaml_node *part = yaml_get(node, name);

                if (part && !(b->t->kinds & 1u << k))
                        return yaml_err(yaml_key(node, name), err,
                                        "'%s' is not among 'kinds': its evidence would be refused", name);
                if (part)
                        r = readers[k](b, part, err);
        }
        return r;
}

static int read_tee(struct policy_tee_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const keys[] = {"kinds", "binding", "rooted_images", "revocation", "snp",
                                           "tdx",   "sgx"};
        const struct yaml_node *kinds, *binding = yaml_get(node, "binding"),
                                       *images = yaml_get(node, "rooted_images");
        size_t choice = 0;
        bool required;
        int r = yaml_only(node, keys, ARRAY_LEN(keys), err);

        if (r < 0 || (r = yaml_need(node, "kinds", &kinds, err)) < 0 ||
            (r = read_kinds(kinds, &b->t->kinds, err)) < 0)
                return r;
        if (binding && (r = yaml_choice(binding, binding_names, ARRAY_LEN(binding_names), &choice, err)) < 0)
                return r;
        b->t->binding = choice ? POLICY_TEE_NAMED : POLICY_TEE_ROOTED;
        r = read_revocation(yaml_get(node, "revocation"), &required, err);
        if (r < 0)
                return r;
        b->t->snp.crl = required ? SNP_CRL_REQUIRED : SNP_CRL_IF_GIVEN;
        b->t->tdx.require_crls = b->t->sgx.require_crls = required;
        if (images && (r = tee_read_set(b, images, SNP_DIGEST_BYTES, &b->t->rooted_images, err)) < 0)
                return r;
        return read_parts(b, node, err);
}

struct owner {
        struct policy_tee t; /* first: what the caller holds */
        struct policy_tee_block *blocks;
};

static void free_blocks(struct policy_tee_block *block)
{
        while (block) {
                struct policy_tee_block *next = block->next;

                free(block->p);
                free(block);
                block = next;
        }
}

/* ---- in words, for people who compare policies ---- */

/* A value on one line, as YAML's flow style has it. */
static void put_value(struct buf *b, const struct yaml_node *node)
{
        bool map = node->kind == YAML_MAP;

        if (node->kind != YAML_MAP && node->kind != YAML_LIST) {
                buf_str(b, node->text ? node->text : "null");
                return;
        }
        buf_str(b, map ? "{" : "[");
        for (size_t i = 0; i < node->n; i++) {
                buf_str(b, i ? ", " : "");
                if (map)
                        buf_fmt(b, "%s: ", node->keys[i]->text);
                put_value(b, node->items[i]);
        }
        buf_str(b, map ? "}" : "]");
}

static int put_word(const char *path, const struct yaml_node *node, struct strv *ret)
{
        struct buf b = {0};

        buf_fmt(&b, "%s: ", path);
        put_value(&b, node);
        return strv_take(ret, buf_take_str(&b));
}

/* Maps by their keys, lists item by item: what was added to one is one word more. */
static int put_words(const char *path, const struct yaml_node *node, struct strv *ret)
{
        int r = 0;

        if (node->kind == YAML_MAP) {
                for (size_t i = 0; r == 0 && i < node->n; i++) {
                        AUTO(mem_free_p)
                        char *below = str_fmt("%s%s%s", path, *path ? "." : "", node->keys[i]->text);

                        r = below ? put_words(below, node->items[i], ret) : -1;
                }
                return r;
        }
        if (node->kind != YAML_LIST || node->n == 0)
                return put_word(path, node, ret);
        for (size_t i = 0; r == 0 && i < node->n; i++)
                r = put_word(path, node->items[i], ret);
        return r;
}

int policy_tee_parse(const struct yaml_node *node, struct policy_tee **ret, struct err *err)
{
        struct owner *owner = mem_zalloc(1, sizeof(*owner));
        struct policy_tee_build b = {0};
        int r;

        if (!owner)
                return err_nomem(err);
        b.t = &owner->t;
        set_defaults(b.t);
        r = read_tee(&b, node, err);
        owner->blocks = b.blocks;
        if (r >= 0 && put_words("", node, &b.t->words) < 0)
                r = err_nomem(err);
        if (r < 0) {
                policy_tee_free(&owner->t);
                return r;
        }
        *ret = &owner->t;
        return 0;
}

void policy_tee_free(struct policy_tee *t)
{
        struct owner *owner = (struct owner *)(void *)t;

        if (!owner)
                return;
        free_blocks(owner->blocks);
        strv_done(&owner->t.words);
        free(owner);
}
