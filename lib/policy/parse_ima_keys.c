/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the section `ima:` what is about keys and names: public keys in the policy, what their signatures allow,
 * which keyrings may be loaded with which keys, which buffers may be measured.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "policy/parse_impl.h"

/* ---- keys and what they sign ---- */

/* Eight hex digits: where the key's identifier is not the one that follows from it. */
static int read_key_id(const struct yaml_node *node, uint32_t *ret, struct err *err)
{
        uint8_t bytes[4];
        const char *text;
        struct err inner = ERR_INIT;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        if (hex_decode_exact(view_str(text), bytes, sizeof(bytes), &inner) < 0)
                return yaml_err(node, err,
                                "%s is no key identifier: expected eight hex digits in quotes, as evmctl "
                                "prints them",
                                SHOW(text));
        *ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
        return 0;
}

static int read_key(struct parse_ima *x, const struct yaml_node *map, struct policy_key *keys, size_t i,
                    struct ima_keys *probe, struct err *err)
{
        static const char *const names[] = {"name", "pem", "id", "until", "comment"};
        const struct yaml_node *name, *pem, *id;
        struct policy_key *key = &keys[i];
        struct err inner = ERR_INIT;
        int r = yaml_only(map, names, ARRAY_LEN(names), err);

        if (r < 0 || (r = yaml_need(map, "name", &name, err)) < 0 ||
            (r = parse_name(name, &key->name, err)) < 0 ||
            (r = parse_text(x->p->b, name, &key->name, err)) < 0 ||
            (r = yaml_need(map, "pem", &pem, err)) < 0 ||
            (r = parse_text(x->p->b, pem, &key->pem, err)) < 0 ||
            (r = parse_until(x->p->b, map, &key->until_ms, err)) < 0 ||
            (r = parse_comment(x->p->b, map, &key->comment, err)) < 0)
                return r;
        key->line = map->line;
        for (size_t k = 0; k < i; k++)
                if (str_equal(keys[k].name, key->name))
                        return yaml_err(name, err, "key '%s' stands already in line %u", key->name,
                                        keys[k].line);
        r = ima_keys_add(probe, view_str(key->pem), &key->id, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return yaml_err(
                        pem, err,
                        "no certificate or public key in PEM (%s): expected a literal block ('pem: |') "
                        "from -----BEGIN to -----END",
                        inner.text);
        id = yaml_get(map, "id");
        return id ? read_key_id(id, &key->id, err) : 0;
}

int parse_ima_keys(struct parse_ima *x, const struct yaml_node *node, struct err *err)
{
        AUTO(ima_keys_free_p)
        struct ima_keys *probe = NULL;
        struct policy_key *keys = parse_elements(x->p->b, node, IMA_KEYS_MAX, sizeof(*keys), err);
        int r = keys ? ima_keys_new(&probe, err) : -(int)err->kind;

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < node->n; i++) {
                r = read_key(x, node->items[i], keys, i, probe, err);
                if (r == 0 && map_put(&x->p->keys, keys[i].name, &keys[i]) < 0)
                        return err_nomem(err);
        }
        x->ima->keys = keys;
        x->ima->n_keys = node->n;
        return r;
}

static int read_signers(struct parse_ima *x, const struct yaml_node *by, struct policy_signed *ret,
                        struct err *err)
{
        const struct yaml_node *const *items;
        const struct policy_key **keys;
        size_t n;

        items = parse_items(&by, &n);
        if (n == 0)
                return yaml_err(by, err, "no key: expected the name of one under 'keys'");
        keys = policy_build_zeroed(x->p->b, n, sizeof(struct policy_key *), err);
        if (!keys)
                return -ERR_NOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *name;
                int r = yaml_str(items[i], &name, err);

                if (r < 0)
                        return r;
                keys[i] = map_get(&x->p->keys, name);
                if (!keys[i])
                        return yaml_err(items[i], err,
                                        "no key is called %s: expected the name of one under 'keys', or "
                                        "'keyring: .ima' for those that the kernel has loaded",
                                        SHOW(name));
        }
        ret->by = keys;
        ret->n_by = n;
        return 0;
}

static int read_signed(struct parse_ima *x, const struct yaml_node *map, struct policy_signed *ret,
                       struct err *err)
{
        static const char *const names[] = {"by", "keyring", "paths"};
        const struct yaml_node *by = yaml_get(map, "by"), *keyring = yaml_get(map, "keyring"),
                               *paths = yaml_get(map, "paths");
        int r = yaml_only(map, names, ARRAY_LEN(names), err);

        if (r < 0)
                return r;
        *ret = (struct policy_signed){.keyring = "", .line = map->line};
        if (!by == !keyring)
                return yaml_err(map, err,
                                "expected 'by' (names of keys in this policy) or 'keyring' (such as .ima)");
        r = by ? read_signers(x, by, ret, err) : parse_text(x->p->b, keyring, &ret->keyring, err);
        if (r == 0 && paths)
                r = parse_patterns(x->p->b, paths, "path", &ret->paths, &ret->path_texts, &ret->n_paths, err);
        return r;
}

int parse_ima_signed(struct parse_ima *x, const struct yaml_node *node, struct err *err)
{
        struct policy_signed *all = parse_elements(x->p->b, node, PARSE_SEARCH_MAX, sizeof(*all), err);
        int r = 0;

        if (!all)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < node->n; i++)
                r = read_signed(x, node->items[i], &all[i], err);
        x->ima->signed_by = all;
        x->ima->n_signed = node->n;
        return r;
}

/* ---- names with digests ---- */

/* `any`, or a list of digests under NAME. */
static int read_digests(struct parse_ima *x, const struct yaml_node *node, struct policy_named *named,
                        struct allow_builder *into, struct err *err)
{
        const struct parse_set set = {
                .into = into, .sha1 = x->sha1, .fixed_path = named->name, .until = true};

        if (node->kind == YAML_TEXT && str_equal(node->text, "any")) {
                named->any = true;
                return 0;
        }
        if (node->kind != YAML_LIST)
                return yaml_err(node, err, "expected 'any' or a list of digests");
        return parse_set_items(x->p, node, &set, err);
}

static int read_named(struct parse_ima *x, const struct yaml_node *map, const struct policy_named *had,
                      size_t n_had, struct policy_named *ret, struct err *err)
{
        const struct yaml_node *name;
        int r = yaml_need(map, "name", &name, err);

        *ret = (struct policy_named){.line = map->line};
        if (r == 0)
                r = parse_text(x->p->b, name, &ret->name, err);
        if (r < 0)
                return r;
        if (*ret->name == '\0')
                return yaml_err(name, err, "an empty name");
        for (size_t i = 0; i < n_had; i++)
                if (str_equal(had[i].name, ret->name))
                        return yaml_err(name, err, "%s stands already in line %u", SHOW(ret->name),
                                        had[i].line);
        return 0;
}

static int read_keyring(struct parse_ima *x, const struct yaml_node *map, const struct policy_named *had,
                        size_t n_had, struct policy_named *ret, struct err *err)
{
        static const char *const names[] = {"name", "keys"};
        const struct yaml_node *keys = NULL;
        int r = yaml_only(map, names, ARRAY_LEN(names), err);

        if (r == 0)
                r = read_named(x, map, had, n_had, ret, err);
        if (r == 0)
                r = yaml_need(map, "keys", &keys, err);
        return r < 0 ? r : read_digests(x, keys, ret, x->keyring_keys, err);
}

static int read_buffer(struct parse_ima *x, const struct yaml_node *map, const struct policy_named *had,
                       size_t n_had, struct policy_named *ret, struct err *err)
{
        static const char *const names[] = {"name", "digests", "texts"};
        const struct yaml_node *digests = yaml_get(map, "digests"), *texts = yaml_get(map, "texts");
        int r = yaml_only(map, names, ARRAY_LEN(names), err);

        if (r == 0)
                r = read_named(x, map, had, n_had, ret, err);
        if (r < 0)
                return r;
        if (!digests && !texts)
                return yaml_err(map, err, "expected 'digests' or 'texts': what %s may hold", SHOW(ret->name));
        if (digests)
                r = read_digests(x, digests, ret, x->buffer_digests, err);
        if (r == 0 && texts)
                r = parse_patterns(x->p->b, texts, "text", &ret->texts, &ret->text_texts, &ret->n_texts, err);
        return r;
}

static int read_all(struct parse_ima *x, const struct yaml_node *list,
                    int (*read)(struct parse_ima *x, const struct yaml_node *map,
                                const struct policy_named *had, size_t n_had, struct policy_named *ret,
                                struct err *err),
                    const struct policy_named **ret, size_t *ret_n, struct err *err)
{
        struct policy_named *all = parse_elements(x->p->b, list, IMA_KEYS_MAX, sizeof(*all), err);
        int r = 0;

        if (!all)
                return -(int)err->kind;
        for (size_t i = 0; r == 0 && i < list->n; i++)
                r = read(x, list->items[i], all, i, &all[i], err);
        *ret = all;
        *ret_n = list->n;
        return r;
}

int parse_ima_keyrings(struct parse_ima *x, const struct yaml_node *node, struct err *err)
{
        return read_all(x, node, read_keyring, &x->ima->keyrings, &x->ima->n_keyrings, err);
}

int parse_ima_buffers(struct parse_ima *x, const struct yaml_node *node, struct err *err)
{
        return read_all(x, node, read_buffer, &x->ima->buffers, &x->ima->n_buffers, err);
}
