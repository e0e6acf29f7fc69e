/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow secret approve|approvals|withdraw`: the owner says for which register values secrets of a class open
 * (SR-7), and takes it back. A host's floor ends approvals by their version, so the newest gets the highest,
 * and who withdraws one withdraws all older ones of that host; the command says which before it does so.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "tenant/policy_remote.h"
#include "tenant/secrets.h"

#define APPROVALS_MAX 1000 /* of one page */
#define PAGE          100

/* ---- what the verifier holds ---- */

struct held {
        struct approval approval;
        const char *state; /* borrowed from the document */
};

/* Reads one {"state", "document"}. A document whose signatures are not good is no approval. */
static int read_held(const json_t *j, struct held *ret, struct err *err)
{
        AUTO(mem_free_p) char *text = NULL;
        const json_t *document;
        bool good = false;
        int r = json_get_str(j, "state", &ret->state, err);

        if (r >= 0)
                r = json_get_object(j, "document", &document, err);
        if (r < 0)
                return r;
        text = json_print(document);
        if (!text)
                return err_nomem(err);
        r = approval_decode(view_str(text), &ret->approval, err);
        if (r >= 0)
                r = approval_check(&ret->approval, &good, err);
        if (r >= 0 && !good)
                r = err_set(err, ERR_CRYPTO, 0, "approval %s: its owner's signature is not good",
                            ret->approval.id);
        return r;
}

typedef int held_fn(void *ctx, const struct held *h, struct err *err);

static int each_of_page(const json_t *doc, held_fn *fn, void *ctx, struct err *err)
{
        const json_t *list;
        int r = json_get_array(doc, "approvals", APPROVALS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                struct held h = {.state = NULL};

                r = read_held(json_array_get(list, i), &h, err);
                if (r >= 0)
                        r = fn(ctx, &h, err);
                approval_done(&h.approval);
        }
        return r < 0 ? r : 0;
}

static char *page_path(const char *host, const char *after)
{
        AUTO(mem_free_p)
        char *escaped = host ? api_escape(host) : NULL, *from = after ? api_escape(after) : NULL;

        if ((host && !escaped) || (after && !from))
                return NULL;
        return str_fmt("/avow/v1/approvals?limit=%d%s%s%s%s", PAGE, host ? "&host=" : "", host ? escaped : "",
                       after ? "&after=" : "", after ? from : "");
}

static int each_approval(struct api *api, const char *host, held_fn *fn, void *ctx, struct err *err)
{
        AUTO(mem_free_p) char *after = NULL;
        bool more = true;

        while (more) {
                AUTO(json_free_p) json_t *doc = NULL;
                AUTO(mem_free_p) char *path = page_path(host, after);
                const char *next = NULL;

                if (!path)
                        return err_nomem(err);
                if (api_json(api, "GET", path, NULL, &doc, err) < 0 || each_of_page(doc, fn, ctx, err) < 0 ||
                    json_opt_str(doc, "next", &next, err) < 0)
                        return -(int)err->kind;
                more = next != NULL;
                free(after);
                after = more ? str_dup(next) : NULL;
                if (more && !after)
                        return err_nomem(err);
        }
        return 0;
}

static bool is_text(const json_t *j, const char *name, const char *text)
{
        const char *is = json_string_value(json_object_get(j, name));

        return is && strcmp(is, text) == 0;
}

static int mark(void *ctx, const struct held *h, struct err *err)
{
        const struct approval *a = &h->approval;
        json_t *list = ctx, *j;
        size_t i;

        if (a->release_key || strcmp(h->state, "withdrawn") == 0)
                return 0;
        json_array_foreach (list, i, j) {
                if (!is_text(j, "host", a->scope.host) || !is_text(j, "class", a->scope.class) ||
                    !is_text(j, "tenant", a->scope.tenant) || !is_text(j, "release", "verifier"))
                        continue;
                if (json_set_str(j, "release", "local") |
                    json_set_str(j, "note", "not protected against root: an approval of its class is local"))
                        return err_nomem(err);
        }
        return 0;
}

int secret_mark_local(struct api *api, const char *host, json_t *list, struct err *err)
{
        return each_approval(api, host, mark, list, err);
}

static json_t *approval_summary(const struct approval *a, const char *state)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *values = json_array();
        int r = json_object_set_new(j, "values", values) | json_set_str(j, "id", a->id) |
                json_set_str(j, "host", a->scope.host) | json_set_str(j, "class", a->scope.class) |
                json_set_str(j, "tenant", a->scope.tenant) | json_set_int(j, "version", (int64_t)a->version) |
                json_set_str(j, "policy", a->policy) | json_set_str(j, "state", state) |
                json_set_str(j, "release", a->release_key ? "verifier" : "local") |
                json_set_str(j, "verifier", a->release_key ? a->verifier : NULL) |
                json_object_set_new(j, "pcrs", pcr_selection_to_json(&a->pcrs)) |
                json_set_time(j, "created_at", a->created_at_ms) |
                json_set_int(j, "n", (int64_t)a->n_brackets);

        for (size_t i = 0; r == 0 && i < a->n_brackets; i++) {
                json_t *value = json_object();

                r = json_set_str(value, "pcrs", a->brackets[i].note) |
                    json_set_hex(value, "pcr_digest", digest_view(&a->brackets[i].pcr_digest)) |
                    json_set_hex(value, "bracket", digest_view(&a->brackets[i].digest)) |
                    json_array_append_new(values, value);
        }
        return r ? NULL : TAKE(j);
}

static int print_approvals(const struct session *s, const json_t *doc, struct err *err)
{
        static const struct column columns[] = {
                {"APPROVAL", "id"},     {"HOST", "host"},     {"CLASS", "class"},
                {"VERSION", "version"}, {"POLICY", "policy"}, {"VALUES", "n"},
                {"RELEASE", "release"}, {"STATE", "state"},   {"APPROVED", "created_at"},
        };

        return output_list(s, doc, "approvals", columns, ARRAY_LEN(columns), err);
}

/* ---- approve ---- */

struct approve_values {
        struct secret_options o;
        const char *policy, *release, *version, *out;
        struct option_list pcrs, targets, send;
        bool in_place, dry_run;
};

#define AT(member) offsetof(struct approve_values, member)
static const struct option_row approve_options[] = {
        {"policy", "POLICY", "whose values are approved: a file, or NAME[@VERSION] at the verifier",
         OPTION_TEXT, AT(policy)},
        SECRET_OWNER_OPTIONS(struct approve_values, o),
        {"pcr", "N",
         "this register (may be repeated; default: all that the policy fixes, and the measurements')",
         OPTION_LIST, AT(pcrs)},
        {"in-place", NULL, "values after updates in place, too", OPTION_FLAG, AT(in_place)},
        {"release", "verifier|local", "who lets it open (verifier); local: not protected against root",
         OPTION_TEXT, AT(release)},
        {"host-only", NULL, "for secrets that were sealed with --host-only", OPTION_FLAG, AT(o.host_only)},
        {"approval-version", "N", "its version (default: above all that the host has)", OPTION_TEXT,
         AT(version)},
        {"target", "FILE", "a host as 'avow secret target' wrote it, instead of HOST; needs no network",
         OPTION_LIST, AT(targets)},
        {"out", "FILE", "write the one approval there, send nothing", OPTION_TEXT, AT(out)},
        {"send", "FILE", "send what --out wrote (may be repeated)", OPTION_LIST, AT(send)},
        {"dry-run", NULL, "show every value that would be signed, send nothing", OPTION_FLAG, AT(dry_run)},
        {0},
};
#undef AT

static int raise_version(void *ctx, const struct held *h, struct err *err)
{
        uint64_t *version = ctx;

        (void)err;
        if (h->approval.version >= *version)
                *version = h->approval.version + 1;
        return 0;
}

/* The floor that the verifier is waiting for, if it is above the certified one. */
static int raise_to_target(struct api *api, const char *host, uint64_t *version, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        const json_t *floor = NULL;
        int64_t target = 0;
        int r = secret_path(host, NULL, &path, err);

        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        if (r >= 0)
                r = json_opt_object(doc, "floor", &floor, err);
        if (r > 0)
                r = json_opt_int(floor, "target", 0, INT64_MAX, &target, err);
        if (r >= 0 && (uint64_t)target > *version)
                *version = (uint64_t)target;
        return r < 0 ? r : 0;
}

static int choose_version(const struct approve_values *v, struct api *api, const struct target *t,
                          uint64_t *ret, struct err *err)
{
        if (v->version) {
                int r = str_parse_uint(view_str(v->version), INT64_MAX, ret, err);

                return r < 0 ? err_wrap(err, "--approval-version") : 0;
        }
        *ret = t->floor ? t->floor : 1;
        if (!api)
                return 0;
        if (raise_to_target(api, t->host, ret, err) < 0)
                return -(int)err->kind;
        return each_approval(api, t->host, raise_version, ret, err);
}

static int send(struct api *api, const struct approval *a, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        struct api_request req = {.method = "POST", .path = "/avow/v1/approvals"};
        int r = approval_encode(a, &text, err);

        if (r < 0)
                return r;
        req.body = VIEW_BUF(&text);
        r = api_send(api, &req, &answer, err);
        return r < 0 ? err_wrap(err, "host %s", a->scope.host) : 0;
}

struct approvals {
        struct approval *v;
        size_t n;
};

static void approvals_done(struct approvals *all)
{
        for (size_t i = 0; i < all->n; i++)
                approval_done(&all->v[i]);
        free(all->v);
}

static int approve_one(const struct approve_values *v, struct api *api, const struct target *t,
                       struct approving *what, const struct policy *p, struct signer *signer,
                       struct approvals *all, struct err *err)
{
        int r = choose_version(v, api, t, &what->version, err);

        if (r >= 0)
                r = approving_make(t, what, p, signer, &all->v[all->n], err);
        if (r >= 0)
                all->n++;
        return r;
}

static int approve_all(const struct session *s, const struct approve_values *v, char **args, int n_hosts,
                       struct api *api, struct approvals *all, struct err *err)
{
        AUTO(secret_owner_done) struct secret_owner owner = {0};
        AUTO(policy_unref_p) struct policy *p = NULL;
        struct approving what = {.class = args[0],
                                 .pcrs = &v->pcrs,
                                 .host_only = v->o.host_only,
                                 .in_place = v->in_place,
                                 .now_ms = clock_now_ms()};
        int r = secret_release_local(v->release, &what.local, err);

        if (r >= 0 && !v->policy)
                r = err_set(err, ERR_CONFIG, 0, "which values? Name a --policy");
        if (r < 0 || secret_owner_open(&v->o, &owner, err) < 0 ||
            policy_file_or_remote(s, v->policy, &p, err) < 0)
                return -(int)err->kind;
        what.delegation = owner.delegation_or_null;
        for (int i = 0; i < n_hosts && r >= 0; i++) {
                AUTO(target_done) struct target t = {0};

                r = target_fetch(s, args[i + 1], &t, err);
                if (r >= 0)
                        r = approve_one(v, api, &t, &what, p, owner.signer, all, err);
        }
        for (size_t i = 0; i < v->targets.n && r >= 0; i++) {
                AUTO(target_done) struct target t = {0};

                r = target_load(v->targets.v[i], &t, err);
                if (r >= 0)
                        r = approve_one(v, NULL, &t, &what, p, owner.signer, all, err);
        }
        return r;
}

static int load_approvals(const struct option_list *files, struct approvals *all, struct err *err)
{
        for (; all->n < files->n; all->n++) {
                AUTO(buf_free) struct buf text = {0};
                const char *path = files->v[all->n];
                bool good = false;

                if (load_bytes(path, APPROVAL_BYTES_MAX + 1, &text, err) < 0 ||
                    approval_decode(VIEW_BUF(&text), &all->v[all->n], err) < 0)
                        return err_wrap(err, "%s", path);
                if (approval_check(&all->v[all->n], &good, err) < 0)
                        return -(int)err->kind;
                if (!good) {
                        approval_done(&all->v[all->n]);
                        return err_set(err, ERR_CRYPTO, 0, "%s: its owner's signature is not good", path);
                }
        }
        return 0;
}

static void print_values(const struct approval *a)
{
        (void)printf("\n%s for class %s on host %s, version %llu%s:\n", a->id, a->scope.class, a->scope.host,
                     (unsigned long long)a->version,
                     a->release_key ? "" : ", RELEASE LOCAL: not protected against root on the host");
        for (size_t i = 0; i < a->n_brackets; i++)
                (void)printf("  %s\n", a->brackets[i].note);
}

static int finish(const struct session *s, const struct approve_values *v, struct api *api,
                  const struct approvals *all, struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("approvals");
        AUTO(buf_free) struct buf text = {0};
        json_t *list = json_array();
        int r = json_object_set_new(doc, "approvals", list) < 0 ? err_nomem(err) : 0;

        if (v->out)
                return approval_encode(&all->v[0], &text, err) < 0 ? -(int)err->kind
                                                                   : secret_write(v->out, &text, err);
        for (size_t i = 0; r >= 0 && i < all->n; i++) {
                if (!v->dry_run)
                        r = send(api, &all->v[i], err);
                if (r >= 0 &&
                    json_array_append_new(
                            list, approval_summary(&all->v[i], v->dry_run ? "not sent" : "active")) < 0)
                        r = err_nomem(err);
        }
        if (r >= 0)
                r = print_approvals(s, doc, err);
        for (size_t i = 0; r >= 0 && s->output == OUTPUT_TABLE && i < all->n; i++)
                print_values(&all->v[i]);
        return r;
}

static int run_approve(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct approve_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(approvals_done) struct approvals all = {.v = NULL};
        int n_hosts = n_args ? n_args - 1 : 0, r = 0;
        size_t n = (size_t)n_hosts + v->targets.n;

        if (v->send.n ? n_args > 0 : n == 0)
                return err_set(err, ERR_CONFIG, 0,
                               "expected CLASS HOST…, CLASS --target FILE, or --send FILE");
        if (v->out && (v->send.n || n != 1))
                return err_set(err, ERR_CONFIG, 0, "--out writes the approval of one host");
        all.v = mem_zalloc(n + v->send.n + 1, sizeof(*all.v));
        if (!all.v)
                return err_nomem(err);
        /* offline: hosts from files, the result into a file or on the screen */
        if (n_hosts || v->send.n || !(v->out || v->dry_run))
                r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = v->send.n ? load_approvals(&v->send, &all, err)
                              : approve_all(s, v, args, n_hosts, api, &all, err);
        if (r >= 0)
                r = finish(s, v, api, &all, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- approvals ---- */

struct approvals_values {
        const char *host;
};

static const struct option_row approvals_options[] = {
        {"host", "HOST", "only of this host", OPTION_TEXT, offsetof(struct approvals_values, host)},
        {0},
};

static int add_summary(void *ctx, const struct held *h, struct err *err)
{
        return json_array_append_new(ctx, approval_summary(&h->approval, h->state)) < 0 ? err_nomem(err) : 0;
}

static int run_approvals(const struct session *s, const void *values, int n_args, char **args,
                         struct err *err)
{
        const struct approvals_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = output_document("approvals");
        json_t *list = json_array();
        int r = json_object_set_new(doc, "approvals", list) < 0 ? err_nomem(err)
                                                                : api_open(s, API_VERIFIER, &api, err);

        (void)n_args, (void)args;
        if (r >= 0)
                r = each_approval(api, v->host, add_summary, list, err);
        if (r >= 0)
                r = print_approvals(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- withdraw ---- */

struct withdraw_values {
        bool yes;
};

static const struct option_row withdraw_options[] = {
        {"yes", NULL, "do not ask", OPTION_FLAG, offsetof(struct withdraw_values, yes)},
        {0},
};

struct falling {
        const char *id;
        char host[WIRE_HOST_MAX + 1];
        uint64_t version;
        struct buf others;
};

static int find_it(void *ctx, const struct held *h, struct err *err)
{
        struct falling *f = ctx;

        (void)err;
        if (strcmp(h->approval.id, f->id) == 0) {
                memcpy(f->host, h->approval.scope.host, sizeof(f->host));
                f->version = h->approval.version;
        }
        return 0;
}

static int note_older(void *ctx, const struct held *h, struct err *err)
{
        struct falling *f = ctx;
        const struct approval *a = &h->approval;

        (void)err;
        if (strcmp(a->id, f->id) != 0 && a->version <= f->version && strcmp(h->state, "active") == 0)
                buf_fmt(&f->others, "\n  %s (class %s, version %llu)", a->id, a->scope.class,
                        (unsigned long long)a->version);
        return 0;
}

static int ask(struct falling *f, bool yes, struct err *err)
{
        AUTO(mem_free_p) char *others = f->others.len ? buf_take_str(&f->others) : NULL;
        AUTO(mem_free_p)
        char *question =
                str_fmt("Withdraw approval %s of host '%s'?%s%s%s", f->id, f->host,
                        others ? " It ends these older ones with it, because the host's floor rises above "
                                 "them; approve them again first to keep them:"
                               : "",
                        others ? others : "", others ? "\n" : "");

        if (!question)
                return err_nomem(err);
        if (yes && others)
                (void)fprintf(stderr, "avow: these end with it: %s\n", others);
        return command_confirm(yes, question, err);
}

static int run_withdraw(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct withdraw_values *v = values;
        static const struct column lines[] = {
                {"Approval", "id"}, {"Host", "host"}, {"State", "state"}, {"Floor wanted", "floor_target"}};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *escaped = api_escape(args[0]), *path = NULL;
        struct falling f = {.id = args[0]};
        int r = api_open(s, API_VERIFIER, &api, err);

        (void)n_args;
        path = escaped ? str_fmt("/avow/v1/approvals/%s", escaped) : NULL;
        if (r >= 0 && !path)
                r = err_nomem(err);
        if (r >= 0)
                r = each_approval(api, NULL, find_it, &f, err);
        if (r >= 0 && !f.host[0])
                r = err_set(err, ERR_PEER, 404, "there is no approval %s", SHOW(args[0]));
        if (r >= 0)
                r = each_approval(api, f.host, note_older, &f, err);
        if (r >= 0)
                r = ask(&f, v->yes, err);
        buf_free(&f.others);
        if (r <= 0)
                return r < 0 ? r : ANSWER_NO;
        r = api_json(api, "DELETE", path, NULL, &doc, err);
        if (r >= 0)
                r = output_record(s, doc, lines, ARRAY_LEN(lines), err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command secret_approve_commands[] = {
        {"secret", "approve", "[CLASS HOST…]",
         "Approve the register values of a policy for secrets of a class", approve_options,
         sizeof(struct approve_values), 0, 64, run_approve},
        {"secret", "approvals", "", "List what is approved", approvals_options,
         sizeof(struct approvals_values), 0, 0, run_approvals},
        {"secret", "withdraw", "ID", "Take an approval back", withdraw_options,
         sizeof(struct withdraw_values), 1, 1, run_withdraw},
        {0},
};
