/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a module policy, read once: one spelling for everything, nothing ignored, every refusal with
 * its place, as policies of hosts are read (parse.c). The format: avow-modules(5).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "crypto/nkey.h"
#include "policy/module_impl.h"
#include "policy/parse_impl.h"

#define SECOND_MS 1000
#define KEYS_MAX  1024u

/* ---- what sections are made of ---- */

static int read_text(const struct yaml_node *node, char **ret, struct err *err)
{
        const char *text = NULL;
        int r = node ? yaml_str(node, &text, err) : 0;

        if (r < 0 || !text)
                return r;
        *ret = str_dup(text);
        return *ret ? 0 : err_nomem(err);
}

static int read_until(const struct yaml_node *map, int64_t *ret, struct err *err)
{
        const struct yaml_node *until = yaml_get(map, "until");

        *ret = POLICY_NEVER;
        return until ? yaml_time(until, ret, err) : 0;
}

/* Checks one item of a list of texts. */
typedef int check_fn(const struct yaml_node *node, const char **ret, struct err *err);

static int read_list(const struct yaml_node *node, check_fn *check, struct strv *ret, struct err *err)
{
        const struct yaml_node *const *items;
        size_t n;

        items = parse_items(&node, &n);
        if (n > MODULE_LIST_MAX)
                return yaml_err(node, err, "%zu items: expected at most %u", n, MODULE_LIST_MAX);
        for (size_t i = 0; i < n; i++) {
                const char *text = NULL;
                int r = check(items[i], &text, err);

                if (r < 0)
                        return r;
                if (strv_has(ret, text))
                        return yaml_err(items[i], err, "%s is there twice", SHOW(text));
                if (strv_add(ret, text) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int check_nkey(const struct yaml_node *node, enum nkey_kind kind, const char **ret, struct err *err)
{
        uint8_t key[ED25519_KEY_BYTES];
        struct err inner = ERR_INIT;
        int r = yaml_str(node, ret, err);

        if (r >= 0 && nkey_parse(view_str(*ret), kind, key, &inner) < 0)
                return yaml_err(node, err, "%s is no key of %s: %s", SHOW(*ret), nkey_kind_name(kind),
                                inner.text);
        return r;
}

static int check_account(const struct yaml_node *node, const char **ret, struct err *err)
{
        return check_nkey(node, NKEY_ACCOUNT, ret, err);
}

static int check_subject(const struct yaml_node *node, const char **ret, struct err *err)
{
        return check_nkey(node, NKEY_MODULE, ret, err);
}

/* A SHA-256, or, with WIDE, a SHA-384. */
static int read_digest(const struct yaml_node *node, bool wide, struct digest *ret, struct err *err)
{
        int r = parse_file_digest(node, false, ret, err);

        if (r < 0 || ret->alg == DIGEST_SHA256 || (wide && ret->alg == DIGEST_SHA384))
                return r;
        return yaml_err(node, err, "a digest of %u digits: expected 64 (SHA-256)%s", 2u * ret->len,
                        wide ? " or 96 (SHA-384)" : "");
}

static int add_digest(struct module_digests *to, const struct module_digest *d, struct err *err)
{
        if (to->n == to->cap) {
                size_t cap = to->cap ? 2 * to->cap : 8;
                struct module_digest *grown = mem_resize(to->v, cap, sizeof(*grown));

                if (!grown)
                        return err_nomem(err);
                to->v = grown;
                to->cap = cap;
        }
        to->v[to->n++] = *d;
        return 0;
}

/* One or a list of HEX; with KEYS, of maps too: {digest, until, comment}. */
static int read_digests(const struct yaml_node *node, bool wide, bool maps, struct module_digest d,
                        struct module_digests *to, struct err *err)
{
        static const char *const keys[] = {"digest", "until", "comment"};
        const struct yaml_node *const *items;
        size_t n;
        int r = 0;

        items = parse_items(&node, &n);
        if (n == 0)
                return yaml_err(node, err, "no digest: expected at least one");
        for (size_t i = 0; i < n && r >= 0; i++) {
                const struct yaml_node *at = items[i];
                const char *comment;

                d.until_ms = POLICY_NEVER;
                if (to->n >= MODULE_DIGESTS_MAX)
                        return yaml_err(at, err, "more than %u digests", MODULE_DIGESTS_MAX);
                if (maps && at->kind == YAML_MAP) {
                        r = yaml_only(at, keys, ARRAY_LEN(keys), err);
                        if (r >= 0)
                                r = read_until(at, &d.until_ms, err);
                        if (r >= 0 && yaml_get(at, "comment"))
                                r = yaml_str(yaml_get(at, "comment"), &comment, err);
                        if (r >= 0)
                                r = yaml_need(at, "digest", &at, err);
                }
                if (r >= 0)
                        r = read_digest(at, wide, &d.d, err);
                d.line = at->line;
                if (r >= 0)
                        r = add_digest(to, &d, err);
        }
        return r;
}

/* ---- keys ---- */

static int read_pem(const struct yaml_node *node, struct module_key *key, struct err *err)
{
        struct err inner = ERR_INIT;
        const char *pem = NULL;
        int r = yaml_str(node, &pem, err);

        if (r < 0 || ed25519_from_pem(view_str(pem), key->ed25519, &inner) >= 0)
                return r;
        err_clear(&inner);
        r = pubkey_from_pem(view_str(pem), &key->ec, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return yaml_err(node, err,
                                "no public key in PEM (%s): expected a literal block ('pem: |') from "
                                "-----BEGIN PUBLIC KEY to -----END",
                                inner.text);
        return pubkey_type(key->ec) == PUBKEY_ECC
                       ? 0
                       : yaml_err(node, err, "an RSA key: expected ECDSA (P-256, P-384, P-521) or Ed25519");
}

static int read_keys(struct module_policy *p, const struct yaml_node *map, struct err *err)
{
        static const char *const names[] = {"pem", "until", "comment"};
        int r = yaml_want_map(map, err);

        if (r >= 0 && map->n > KEYS_MAX)
                r = yaml_err(map, err, "%zu keys: expected at most %u", map->n, KEYS_MAX);
        if (r < 0)
                return r;
        p->keys = mem_zalloc(map->n, sizeof(*p->keys));
        if (!p->keys)
                return err_nomem(err);
        for (size_t i = 0; i < map->n && r >= 0; i++) {
                struct module_key *key = &p->keys[p->n_keys++];
                const struct yaml_node *pem = NULL, *comment = yaml_get(map->items[i], "comment");
                const char *name = NULL, *text;

                key->line = map->keys[i]->line;
                r = parse_name(map->keys[i], &name, err);
                if (r >= 0)
                        r = yaml_only(map->items[i], names, ARRAY_LEN(names), err);
                if (r >= 0)
                        r = read_until(map->items[i], &key->until_ms, err);
                if (r >= 0 && comment)
                        r = yaml_str(comment, &text, err);
                if (r >= 0)
                        r = yaml_need(map->items[i], "pem", &pem, err);
                if (r >= 0)
                        r = read_pem(pem, key, err);
                if (r >= 0 && !(key->name = str_dup(name)))
                        r = err_nomem(err);
        }
        return r;
}

/* ---- terms ---- */

static int read_seconds(const struct yaml_node *map, const char *key, int64_t min_s, int64_t max_s,
                        int64_t *ret, struct err *err)
{
        const struct yaml_node *node = yaml_get(map, key);
        int64_t ms = 0;
        int r = node ? yaml_duration(node, &ms, err) : 0;

        if (r < 0 || !node)
                return r;
        if (ms % SECOND_MS || ms < min_s * SECOND_MS || ms > max_s * SECOND_MS)
                return yaml_err(node, err, "expected whole seconds, %llds to %llds", (long long)min_s,
                                (long long)max_s);
        *ret = ms / SECOND_MS;
        return 0;
}

static int read_terms(const struct yaml_node *map, struct module_terms *t, struct err *err)
{
        static const char *const permit_keys[] = {"lifetime", "cache"}, *const ends[] = {"kill", "finish"};
        const struct yaml_node *secrets = yaml_get(map, "secrets"), *permits = yaml_get(map, "permits"),
                               *end = yaml_get(map, "on_revocation");
        size_t choice = 0;
        int r = 0;

        t->has_secrets = secrets != NULL;
        t->has_permits = permits != NULL;
        t->has_end = end != NULL;
        t->lifetime_s = MODULE_PERMIT_DEFAULT_S;
        if (secrets)
                r = read_list(secrets, parse_name, &t->secrets, err);
        if (r >= 0 && permits)
                r = yaml_only(permits, permit_keys, ARRAY_LEN(permit_keys), err);
        if (r >= 0 && permits)
                r = read_seconds(permits, "lifetime", 1, LAUNCH_PERMIT_MAX_S, &t->lifetime_s, err);
        if (r >= 0 && permits)
                r = read_seconds(permits, "cache", 0, LAUNCH_CACHE_MAX_S, &t->cache_s, err);
        if (r >= 0 && end)
                r = yaml_choice(end, ends, ARRAY_LEN(ends), &choice, err);
        t->finish = choice == 1;
        return r;
}

/* Where an item says nothing, the policy speaks. */
static int take_terms(struct module_terms *t, const struct module_terms *all, struct err *err)
{
        for (size_t i = 0; !t->has_secrets && i < all->secrets.n; i++)
                if (strv_add(&t->secrets, all->secrets.items[i]) < 0)
                        return err_nomem(err);
        if (!t->has_permits) {
                t->lifetime_s = all->lifetime_s;
                t->cache_s = all->cache_s;
        }
        if (!t->has_end)
                t->finish = all->finish;
        return 0;
}

/* ---- items ---- */

static int read_wascap(const struct yaml_node *map, struct module_item *item, struct err *err)
{
        static const char *const keys[] = {"accounts", "subjects", "rev", "capabilities"};
        const struct yaml_node *accounts = NULL, *subjects = yaml_get(map, "subjects"),
                               *rev = yaml_get(map, "rev"), *capabilities = yaml_get(map, "capabilities");
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        item->by = MODULE_BY_WASCAP;
        item->revision_min = INT32_MIN;
        item->has_capabilities = capabilities != NULL;
        if (r >= 0)
                r = yaml_need(map, "accounts", &accounts, err);
        if (r >= 0)
                r = read_list(accounts, check_account, &item->accounts, err);
        if (r >= 0 && item->accounts.n == 0)
                r = yaml_err(accounts, err, "no account: claims of anybody would do");
        if (r >= 0 && subjects)
                r = read_list(subjects, check_subject, &item->subjects, err);
        if (r >= 0 && subjects && item->subjects.n == 0)
                r = yaml_err(subjects, err, "no subject: leave the key out to allow any of these accounts");
        if (r >= 0 && rev)
                r = yaml_int(rev, 0, INT32_MAX, &item->revision_min, err);
        if (r >= 0 && capabilities)
                r = read_list(capabilities, yaml_str, &item->capabilities, err);
        return r;
}

static int read_signer(struct module_policy *p, const struct yaml_node *node, struct module_item *item,
                       struct err *err)
{
        int r = read_list(node, parse_name, &item->signers, err);

        item->by = MODULE_BY_SIGNER;
        if (r >= 0 && item->signers.n == 0)
                return yaml_err(node, err, "no key: expected the name of one under 'keys'");
        for (size_t i = 0; i < item->signers.n && r >= 0; i++) {
                size_t k = 0;

                while (k < p->n_keys && !str_equal(p->keys[k].name, item->signers.items[i]))
                        k++;
                if (k == p->n_keys)
                        r = yaml_err(node, err, "no key is called %s: expected the name of one under 'keys'",
                                     SHOW(item->signers.items[i]));
        }
        return r;
}

static int read_hosts(const struct yaml_node *node, struct pattern_set **ret, struct err *err)
{
        AUTO(strv_done) struct strv texts = {0};
        AUTO(mem_free_p) struct view *views = NULL;
        struct err inner = ERR_INIT;
        size_t bad = 0;
        int r = read_list(node, yaml_str, &texts, err);

        if (r >= 0 && texts.n == 0)
                r = yaml_err(node, err, "no host: expected patterns of hosts' names");
        if (r < 0)
                return r;
        views = mem_zalloc(texts.n, sizeof(*views));
        if (!views)
                return err_nomem(err);
        for (size_t i = 0; i < texts.n; i++)
                views[i] = view_str(texts.items[i]);
        r = pattern_set_new(views, texts.n, ret, &bad, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        return r < 0 ? yaml_err(node, err, "%s: %s", SHOW(texts.items[bad < texts.n ? bad : 0]), inner.text)
                     : 0;
}

/* What a module is known by: one of the three. */
static int read_by(struct module_policy *p, const struct yaml_node *map, struct module_item *item,
                   struct err *err)
{
        const struct yaml_node *digest = yaml_get(map, "digest"), *wascap = yaml_get(map, "wascap"),
                               *signer = yaml_get(map, "signer");
        struct module_digest d = {.item = (uint32_t)(p->n_items - 1)};

        if (!!digest + !!wascap + !!signer != 1)
                return yaml_err(map, err, "expected one of 'digest', 'wascap' and 'signer'");
        return digest   ? read_digests(digest, true, false, d, &p->allowed, err)
               : wascap ? read_wascap(wascap, item, err)
                        : read_signer(p, signer, item, err);
}

static int read_item(struct module_policy *p, const struct yaml_node *map, struct err *err)
{
        static const char *const keys[] = {"digest", "wascap",   "signer",  "comment", "until",
                                           "hosts",  "runtimes", "secrets", "permits", "on_revocation"};
        struct module_item *item = &p->items[p->n_items++];
        const struct yaml_node *hosts = yaml_get(map, "hosts"), *runtimes = yaml_get(map, "runtimes");
        int r = yaml_only(map, keys, ARRAY_LEN(keys), err);

        item->line = map->line;
        if (r >= 0)
                r = read_by(p, map, item, err);
        if (r >= 0)
                r = read_text(yaml_get(map, "comment"), &item->comment, err);
        if (r >= 0)
                r = read_until(map, &item->until_ms, err);
        if (r >= 0 && hosts)
                r = read_hosts(hosts, &item->hosts, err);
        if (r >= 0 && runtimes)
                r = read_list(runtimes, parse_name, &item->runtimes, err);
        if (r >= 0 && runtimes && item->runtimes.n == 0)
                r = yaml_err(runtimes, err, "no runtime: leave the key out to allow all under 'closures'");
        if (r >= 0)
                r = read_terms(map, &item->terms, err);
        return r < 0 ? r : take_terms(&item->terms, &p->terms, err);
}

static int read_items(struct module_policy *p, const struct yaml_node *list, struct err *err)
{
        int r = yaml_want_list(list, MODULE_ITEMS_MAX, err);

        if (r < 0)
                return r;
        p->items = mem_zalloc(list->n, sizeof(*p->items));
        if (!p->items)
                return err_nomem(err);
        for (size_t i = 0; i < list->n && r >= 0; i++)
                r = read_item(p, list->items[i], err);
        return r;
}

/* ---- the rest ---- */

static int read_closures(struct module_policy *p, const struct yaml_node *map, struct err *err)
{
        int r = yaml_want_map(map, err);

        if (r < 0)
                return r;
        p->closures = mem_zalloc(map->n, sizeof(*p->closures));
        if (!p->closures)
                return err_nomem(err);
        for (size_t i = 0; i < map->n && r >= 0; i++) {
                struct module_closures *c = &p->closures[p->n_closures++];
                const char *name = NULL;

                r = parse_name(map->keys[i], &name, err);
                if (r >= 0 && !(c->runtime = str_dup(name)))
                        r = err_nomem(err);
                if (r >= 0)
                        r = read_digests(map->items[i], false, true, (struct module_digest){.item = 0},
                                         &c->digests, err);
                module_sort(&c->digests);
        }
        return r;
}

/* Every runtime that an item names has a closure, or nothing of the item could ever run. */
static int check_runtimes(const struct module_policy *p, const struct yaml_node *allow, struct err *err)
{
        for (size_t i = 0; i < p->n_items; i++)
                for (size_t k = 0; k < p->items[i].runtimes.n; k++) {
                        const char *name = p->items[i].runtimes.items[k];
                        size_t c = 0;

                        while (c < p->n_closures && !str_equal(p->closures[c].runtime, name))
                                c++;
                        if (c == p->n_closures)
                                return yaml_err(allow->items[i], err,
                                                "runtime '%s' has no closure under 'closures'", name);
                }
        return 0;
}

static int read_head(struct module_policy *p, const struct yaml_node *root, struct err *err)
{
        static const char *const keys[] = {"format", "name",     "description", "keys",    "allow",
                                           "deny",   "closures", "secrets",     "permits", "on_revocation"};
        const struct yaml_node *format = NULL, *name = NULL;
        const char *text = NULL;
        int r = yaml_only(root, keys, ARRAY_LEN(keys), err);

        if (r >= 0)
                r = yaml_need(root, "format", &format, err);
        if (r >= 0)
                r = yaml_str(format, &text, err);
        if (r >= 0 && !str_equal(text, MODULE_POLICY_FORMAT))
                return yaml_err(format, err, "format %s: expected %s%s", SHOW(text), MODULE_POLICY_FORMAT,
                                str_starts(text, "avow-policy/")
                                        ? "; this is a policy of hosts ('avow policy push')"
                                        : "");
        if (r >= 0)
                r = yaml_need(root, "name", &name, err);
        if (r >= 0)
                r = parse_name(name, &text, err);
        if (r >= 0)
                r = read_text(name, &p->name, err);
        return r < 0 ? r : read_text(yaml_get(root, "description"), &p->description, err);
}

static int read_all(struct module_policy *p, const struct yaml_node *root, struct err *err)
{
        const struct yaml_node *keys = yaml_get(root, "keys"), *deny = yaml_get(root, "deny"),
                               *closures = NULL, *allow = NULL;
        int r = read_head(p, root, err);

        if (r >= 0 && keys)
                r = read_keys(p, keys, err);
        if (r >= 0)
                r = read_terms(root, &p->terms, err);
        if (r >= 0)
                r = yaml_need(root, "closures", &closures, err);
        if (r >= 0)
                r = read_closures(p, closures, err);
        if (r >= 0)
                r = yaml_need(root, "allow", &allow, err);
        if (r >= 0)
                r = read_items(p, allow, err);
        if (r >= 0)
                r = check_runtimes(p, allow, err);
        if (r >= 0 && deny)
                r = read_digests(deny, true, true, (struct module_digest){.item = 0}, &p->denied, err);
        module_sort(&p->allowed);
        module_sort(&p->denied);
        return r;
}

int module_policy_parse(struct view text, const char *source, struct module_policy **ret, struct err *err)
{
        AUTO(module_policy_free_p) struct module_policy *p = mem_zalloc(1, sizeof(*p));
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = NULL;
        int r = p ? yaml_parse(text, source, MODULE_POLICY_TEXT_MAX, &doc, err) : err_nomem(err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, text, &p->sha256, err);
        if (r >= 0)
                r = read_all(p, yaml_root(doc), err);
        if (r < 0)
                return r;
        p->refs = 1;
        *ret = TAKE(p);
        return 0;
}
