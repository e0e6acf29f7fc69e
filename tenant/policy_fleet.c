/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passing hosts have in common. One host's files are not a fleet's: what was seen on few hosts alone may
 * be anybody's, and is left out, and named. So no single host can put a file into everybody's policy. What
 * counts is the part of each list that the host's quote covers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "evidence/cel.h"
#include "tenant/api.h"
#include "tenant/hosts.h"
#include "tenant/policy_make.h"

#define RECORDS_MAX 1000000

/* A file of the kernel's list, or (RUNTIME) of a runtime. */
struct seen {
        char *runtime; /* NULL: the kernel's */
        char *path, *host;
        struct digest digest;
        size_t n, last; /* on how many hosts; the number of the last of them */
};

struct fleet {
        struct draft *d;
        const char *policy;
        struct api *api;
        struct seen *seen; /* in the order they were first seen */
        size_t n, cap;
        struct map index;
        size_t n_hosts; /* with evidence that counts */
};

static void fleet_done(struct fleet *f)
{
        for (size_t i = 0; i < f->n; i++) {
                free(f->seen[i].runtime);
                free(f->seen[i].path);
                free(f->seen[i].host);
        }
        free(f->seen);
        map_done(&f->index);
        api_close(f->api);
}

static int add_seen(struct fleet *f, const char *runtime, const char *path, const struct digest *digest,
                    const char *key, const char *host, struct err *err)
{
        struct seen s = {.digest = *digest, .n = 1, .last = f->n_hosts};

        if (f->n == f->cap) {
                size_t cap = f->cap ? 2 * f->cap : 256;
                struct seen *grown = mem_resize(f->seen, cap, sizeof(*grown));

                if (!grown)
                        return err_nomem(err);
                f->seen = grown;
                f->cap = cap;
        }
        s.runtime = runtime ? str_dup(runtime) : NULL;
        s.path = str_dup(path);
        s.host = str_dup(host);
        if ((runtime && !s.runtime) || !s.path || !s.host ||
            map_put(&f->index, key, (void *)(uintptr_t)(f->n + 1)) < 0) {
                free(s.runtime);
                free(s.path);
                free(s.host);
                return err_nomem(err);
        }
        f->seen[f->n++] = s;
        return 0;
}

static int count(struct fleet *f, const char *runtime, const char *path, const struct digest *digest,
                 const char *host, struct err *err)
{
        AUTO(mem_free_p) char *hex = hex_encode(digest_view(digest));
        /* a runtime's rule is its digest: where it lies may differ from host to host */
        AUTO(mem_free_p)
        char *key = hex ? str_fmt("%s %s %s", hex, runtime ? runtime : "", runtime ? "" : path) : NULL;
        uintptr_t number = key ? (uintptr_t)map_get(&f->index, key) : 0;

        if (!key)
                return err_nomem(err);
        if (!number)
                return add_seen(f, runtime, path, digest, key, host, err);
        if (f->seen[number - 1].last != f->n_hosts) {
                f->seen[number - 1].n++;
                f->seen[number - 1].last = f->n_hosts;
        }
        return 0;
}

/* --- one host --- */

static int count_kernel_list(struct fleet *f, const struct bundle *b, struct err *err)
{
        AUTO(ima_draft_done) struct ima_draft one;
        int r;

        ima_draft_init(&one, DIGEST_SHA256, CATALOGUE_EXECUTED);
        r = ima_draft_add_evidence(&one, b, err);
        for (size_t i = 0; r == 0 && i < one.files.n; i++)
                for (size_t k = 0; r == 0 && k < one.files.packages[i].n; k++)
                        r = count(f, NULL, one.files.packages[i].files[k].path,
                                  &one.files.packages[i].files[k].digest, b->host, err);
        return r == 0 ? ima_draft_merge(&f->d->ima, &one, err) : r;
}

static int count_log(struct fleet *f, const struct bundle *b, struct err *err)
{
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        int r = b->has_cel ? cel_parse(VIEW_BUF(&b->cel), RECORDS_MAX, &log, err) : 0;

        for (size_t i = 0; r == 0 && log && i < log->n; i++) {
                const struct cel_record *rec = &log->records[i];
                const struct digest *digest = cel_record_digest(rec, b->pcrs.bank);

                if (rec->ours && digest && !rec->revocation)
                        r = count(f, rec->runtime, rec->path, digest, b->host, err);
        }
        f->d->has_log |= b->has_cel;
        return r;
}

static int count_bundle(struct fleet *f, struct view text, struct err *err)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        int r = bundle_decode(text, &b, err);

        if (r < 0)
                return r;
        if (b->verdict->state != VERDICT_PASS)
                return 0; /* it failed since the list of hosts came */
        if (f->n_hosts && b->pcrs.bank != f->d->bank)
                return err_set(err, ERR_CONFIG, 0,
                               "these hosts are quoted in more than one bank: one policy has one");
        f->d->bank = b->pcrs.bank;
        f->n_hosts++;
        r = count_log(f, b, err);
        if (r == 0)
                r = count_kernel_list(f, b, err);
        return r == 0 ? boot_draft_add_evidence(&f->d->boot, b, err) : r;
}

static int count_host(void *arg, const json_t *host, struct err *err)
{
        struct fleet *f = arg;
        const char *name = host_text(host, "name"), *state = host_text(host, "state");
        const char *policy = json_string_value(json_object_get(json_object_get(host, "policy"), "name"));
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *path = NULL;
        struct api_request req = {.method = "GET"};
        int r;

        if (!name || !state || !policy || !str_equal(state, "pass") || !str_equal(policy, f->policy))
                return 0;
        r = host_path(name, "/evidence/latest", &path, err);
        req.path = path;
        if (r == 0)
                r = api_send(f->api, &req, &answer, err);
        if (r == 0)
                r = count_bundle(f, http_fetched_response(answer)->body, err);
        return r < 0 ? err_wrap(err, "host '%s'", name) : 0;
}

/* --- all of them --- */

static int take_common(struct fleet *f, size_t need, struct err *err)
{
        size_t package;
        int r = catalogue_package(&f->d->ima.files, NULL, NULL, NULL, &package, err);

        for (size_t i = 0; r == 0 && i < f->n; i++) {
                const struct seen *s = &f->seen[i];

                if (s->n < need)
                        r = catalogue_note(&f->d->ima.files, err,
                                           "on %zu of %zu hosts alone (%s): %s%s%s: left out", s->n,
                                           f->n_hosts, s->host, s->runtime ? s->runtime : "",
                                           s->runtime ? " " : "", s->path);
                else if (s->runtime)
                        r = draft_add_file(f->d, s->runtime, s->path, &s->digest, err);
                else
                        r = catalogue_add(&f->d->ima.files, package, s->path, &s->digest, err);
        }
        return r;
}

int make_gather_fleet(const struct session *session, const struct make_options *o, struct draft *d,
                      struct err *err)
{
        AUTO(fleet_done) struct fleet f = {.d = d, .policy = o->from_fleet};
        int64_t need = 0;
        int r;

        map_init(&f.index, NULL);
        if (o->seen_on && str_parse_int(view_str(o->seen_on), 1, INT32_MAX, &need, err) < 0)
                return err_wrap(err, "--seen-on");
        r = api_open(session, API_VERIFIER, &f.api, err);
        if (r == 0)
                r = hosts_each(f.api, count_host, &f, err);
        if (r == 0 && f.n_hosts == 0)
                return err_set(err, ERR_CONFIG, 0, "no host of policy '%s' passes", f.policy);
        if (r == 0 && need > (int64_t)f.n_hosts)
                return err_set(err, ERR_CONFIG, 0, "--seen-on: %s hosts, and %zu pass", o->seen_on,
                               f.n_hosts);
        return r == 0 ? take_common(&f, need ? (size_t)need : f.n_hosts / 2 + 1, err) : r;
}
