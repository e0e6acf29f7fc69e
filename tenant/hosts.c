/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two servers, one list. Each gives its hosts in pages ordered by name; they are merged like two sorted
 * decks. A page that does not reach its server's end hides names: nothing behind the shorter page's last name
 * may be shown yet, or a host would appear as unknown to a server that was merely not asked far enough.
 */
#include "tenant/hosts.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define PAGE 1000 /* hosts that are asked for at once */

static const struct {
        const char *word; /* a state or a trust state */
        enum answer answer;
} answers[] = {
        {"fail", ANSWER_NO},        {"lost", ANSWER_NO},
        {"revoked", ANSWER_NO},     {"suspended", ANSWER_UNDECIDED},
        {"late", ANSWER_UNDECIDED}, {"inconclusive", ANSWER_UNDECIDED},
};

static enum answer answer_of(const char *word)
{
        for (size_t i = 0; word && i < ARRAY_LEN(answers); i++)
                if (strcmp(word, answers[i].word) == 0)
                        return answers[i].answer;
        return ANSWER_DONE;
}

enum answer hosts_worse(enum answer a, enum answer b)
{
        if (a == ANSWER_NO || b == ANSWER_NO)
                return ANSWER_NO;
        return a != ANSWER_DONE ? a : b;
}

enum answer hosts_answer(const char *state, const char *trust)
{
        return hosts_worse(answer_of(state), answer_of(trust));
}

const char *host_text(const json_t *host, const char *name)
{
        return json_string_value(json_object_get(host, name));
}

/* The "ek" object of the merged form, from the registrar's members. */
static json_t *ek_of(const json_t *registrar)
{
        const char *serial = host_text(registrar, "ek_cert_serial");

        return json_pack("{s:s?, s:s?, s:s?, s:s*}", "sha256", host_text(registrar, "ek_sha256"), "class",
                         host_text(registrar, "ek_class"), "bound_by", host_text(registrar, "bound_by"),
                         "cert_serial", serial);
}

json_t *hosts_merge(const json_t *verifier, const json_t *registrar)
{
        bool registered = json_is_true(json_object_get(registrar, "registered"));
        json_t *host = verifier
                               ? json_copy((json_t *)(uintptr_t)verifier)
                               : json_pack("{s:s, s:s?, s:s, s:s, s:n}", "name", host_text(registrar, "name"),
                                           "tenant", host_text(registrar, "tenant"), "state", "new", "trust",
                                           "trusted", "policy");

        if (!host)
                return NULL;
        if (json_object_set_new(host, "registered", json_boolean(registered)) < 0 ||
            (registrar && !json_is_object(json_object_get(host, "ek")) &&
             json_object_set_new(host, "ek", ek_of(registrar)) < 0)) {
                json_decref(host);
                return NULL;
        }
        return host;
}

/* The name at I, or NULL behind the end of what this page says. */
static const char *name_at(const struct hosts_page *page, size_t i)
{
        return host_text(json_array_get(page->hosts, i), "name");
}

static bool hidden(const struct hosts_page *page, size_t i)
{
        return page->more && i >= json_array_size(page->hosts);
}

json_t *hosts_merge_pages(struct hosts_page verifier, struct hosts_page registrar, size_t limit,
                          const char **ret_next)
{
        json_t *merged = json_array();
        const char *last = NULL;
        size_t v = 0, r = 0;
        bool more = false;

        while (merged) {
                const char *a = name_at(&verifier, v), *b = name_at(&registrar, r);
                int order = !a ? 1 : !b ? -1 : strcmp(a, b);

                if (!a && !b) {
                        more = verifier.more || registrar.more;
                        break;
                }
                if (json_array_size(merged) == limit || hidden(&verifier, v) || hidden(&registrar, r)) {
                        more = true;
                        break;
                }
                last = order <= 0 ? a : b;
                if (json_array_append_new(
                            merged, hosts_merge(order <= 0 ? json_array_get(verifier.hosts, v) : NULL,
                                                order >= 0 ? json_array_get(registrar.hosts, r) : NULL)) <
                    0) {
                        json_decref(merged);
                        merged = NULL;
                }
                v += order <= 0;
                r += order >= 0;
        }
        *ret_next = more ? last : NULL;
        return merged;
}

int host_path(const char *name, const char *suffix, char **ret, struct err *err)
{
        if (!str_valid_host_id(name))
                return err_set(err, ERR_CONFIG, 0, "%s is no host's name: 1 to 80 of A-Z a-z 0-9 _ . -",
                               SHOW(name));
        *ret = str_fmt("/avow/v1/hosts/%s%s", name, suffix);
        return *ret ? 0 : err_nomem(err);
}

int host_get(struct api *api, const char *name, json_t **ret, struct err *err)
{
        AUTO(mem_free_p) char *path = NULL;
        int r = host_path(name, "", &path, err);

        *ret = NULL;
        if (r == 0)
                r = api_json(api, "GET", path, NULL, ret, err);
        if (r < 0 && err->code == 404) {
                err_clear(err);
                return 0;
        }
        return r;
}

int hosts_each(struct api *api, int (*fn)(void *arg, const json_t *host, struct err *err), void *arg,
               struct err *err)
{
        AUTO(mem_free_p) char *after = NULL;
        bool more = true;

        while (more) {
                AUTO(json_free_p) json_t *doc = NULL;
                AUTO(mem_free_p)
                char *path = str_fmt("/avow/v1/hosts?limit=%d%s%s", PAGE, after ? "&after=" : "",
                                     after ? after : "");
                const json_t *hosts;
                int r = path ? api_json(api, "GET", path, NULL, &doc, err) : err_nomem(err);

                hosts = json_object_get(doc, "hosts");
                for (size_t i = 0; r >= 0 && i < json_array_size(hosts); i++)
                        r = fn(arg, json_array_get(hosts, i), err);
                if (r < 0)
                        return r;
                more = host_text(doc, "next") != NULL;
                free(after);
                after = more ? api_escape(host_text(doc, "next")) : NULL;
                if (more && !after)
                        return err_nomem(err);
        }
        return 0;
}
