/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup does not know that a host was revoked after it was made, and "revoked ends only by a
 * reinstatement" has to hold all the same. So the newest revocation of each host is asked of the registrar,
 * which keeps it. Its word is enough to take trust away, which it could do anyway by being silent; what is
 * kept as a revocation of ours is what our own key signed. It is posted again, and the registrar answers with
 * its nonce, so that a wipe that was under way goes on.
 *
 * One request at a time; what goes wrong is tried again, and no host is trusted meanwhile.
 */
#include "verifier/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "crypto/jws.h"
#include "store/verifier_generation.h"
#include "verifier/trust.h"
#include "wire/event.h"

#define PAGE       1000
#define ANSWER_MAX (4u * 1024 * 1024)
#define RETRY_MS   5000
#define LOADING_MS 200

struct todo {
        char host[REVOCATION_ID_BYTES];
        int64_t seq;
};

struct adopt {
        struct verifier *v;
        struct loop_timer *timer;
        struct map seen; /* hosts whose newest was met */
        struct todo *todo;
        size_t n, at;
        int64_t before; /* of the page to ask for; 0: the first */
        bool listed, said, stopped;
};

static void again(struct adopt *a, int64_t delay_ms)
{
        if (!a->stopped)
                loop_timer_start(a->timer, delay_ms);
}

static void failed(struct adopt *a, const char *what, const char *why)
{
        if (!a->said)
                log_warning(
                        "the database was restored, and the revocations since are not known yet: %s: %s; no "
                        "host is trusted meanwhile; trying on",
                        what, why);
        a->said = true;
        again(a, RETRY_MS);
}

/* ---- finding out ---- */

static int read_entry(struct adopt *a, const json_t *entry, struct err *err)
{
        const char *id = NULL, *host = NULL, *slash;
        const struct host *known;
        struct todo *grown;
        int64_t seq = 0;

        if (json_get_str(entry, "id", &id, err) < 0 || json_get_str(entry, "host", &host, err) < 0)
                return -(int)err->kind;
        slash = strrchr(id, '/');
        if (!slash || !str_valid_host_id(host) ||
            str_parse_int(view_str(slash + 1), 0, INT64_MAX, &seq, err) < 0)
                return err_set(err, ERR_FORMAT, 0, "revocation %s: no id", SHOW(id));
        known = hosts_find(a->v->hosts, host);
        if (!known || map_get(&a->seen, host))
                return 0;
        if (map_put(&a->seen, host, a) < 0)
                return err_nomem(err);
        if (seq <= known->s.trust.seq)
                return 0;
        grown = mem_resize(a->todo, a->n + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        a->todo = grown;
        (void)snprintf(grown[a->n].host, sizeof(grown[a->n].host), "%s", host);
        grown[a->n++].seq = seq;
        return 0;
}

/* Newest first, so the first of a host is its newest. */
static int read_page(struct adopt *a, struct view body, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *list, *next;
        json_t *entry;
        size_t i;

        if (json_parse(body, ANSWER_MAX, &doc, err) < 0)
                return -(int)err->kind;
        list = json_object_get(doc, "revocations");
        next = json_object_get(doc, "next");
        if (!json_is_array(list))
                return err_set(err, ERR_FORMAT, 0, "member 'revocations': expected an array");
        json_array_foreach (list, i, entry)
                if (read_entry(a, entry, err) < 0)
                        return -(int)err->kind;
        a->listed = !json_is_integer(next);
        a->before = json_is_integer(next) ? json_integer_value(next) : 0;
        return 0;
}

static void on_page(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct adopt *a = ctx;
        struct err err = ERR_INIT;

        if (!res || res->status != 200)
                failed(a, "asking the registrar for revocations", res ? "it refuses" : call_err->text);
        else if (read_page(a, res->body, &err) < 0)
                failed(a, "the registrar's list of revocations", err.text);
        else
                again(a, 0);
}

/* ---- taking over ---- */

static void on_adopted(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct adopt *a = ctx;

        if (outcome == STORE_FAILED) {
                failed(a, "writing a revocation", err->text);
                return;
        }
        a->at++;
        again(a, 0);
}

/* Our own signed words, or NULL: another key's (an earlier one of ours), or none. */
static char *payload_of(const struct adopt *a, const char *jws, struct err *err)
{
        AUTO(buf_free) struct buf payload = {0};
        bool good = false;

        if (!a->v->keys.revocation_public ||
            jws_verify(a->v->keys.revocation_public, REVOCATION_TYP, view_str(jws), &payload, &good, err) <
                    0 ||
            !good)
                return NULL;
        return str_ndup((const char *)payload.p, payload.len);
}

static int take_over(struct adopt *a, struct view body, struct err *err)
{
        const struct todo *t = &a->todo[a->at];
        struct host *host = hosts_find(a->v->hosts, t->host);
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *payload = NULL;
        struct trust_adoption x = {.seq = t->seq};
        const char *name = NULL;

        if (!host) { /* removed meanwhile */
                a->at++;
                again(a, 0);
                return 0;
        }
        if (host->busy) {
                again(a, LOADING_MS);
                return 0;
        }
        if (json_parse(body, ANSWER_MAX, &doc, err) < 0 || json_get_str(doc, "reaction", &name, err) < 0 ||
            json_get_str(doc, "jws", &x.jws, err) < 0)
                return -(int)err->kind;
        if (!reaction_by_name(name, &x.reaction))
                return err_set(err, ERR_FORMAT, 0, "reaction %s is none", SHOW(name));
        x.payload = payload = payload_of(a, x.jws, err);
        if (err->kind != ERR_NONE)
                return -(int)err->kind;
        return trust_adopt(a->v, host, &x, on_adopted, a, err);
}

static void on_record(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct adopt *a = ctx;
        struct err err = ERR_INIT;

        if (!res || res->status != 200)
                failed(a, "asking the registrar for a revocation", res ? "it refuses" : call_err->text);
        else if (take_over(a, res->body, &err) < 0)
                failed(a, "taking over a revocation", err.text);
}

/* ---- in order ---- */

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct adopt *a = ctx;

        if (outcome == STORE_FAILED) {
                failed(a, "writing that all are known", err->text);
                return;
        }
        a->v->adopting = false;
        log_info("the database was restored: %zu hosts have the trust that the registrar knows of", a->n);
}

static int ask(struct adopt *a, struct err *err)
{
        const char *base = conf_str(a->v->settings.conf, "registrar.url");
        AUTO(mem_free_p) char *url = NULL, *before = NULL;

        if (a->listed) {
                url = str_fmt("%s/avow/v1/revocations/%s/%lld", base, a->todo[a->at].host,
                              (long long)a->todo[a->at].seq);
        } else {
                before = a->before ? str_fmt("&before=%lld", (long long)a->before) : str_dup("");
                url = before ? str_fmt("%s/avow/v1/revocations?limit=%d%s", base, PAGE, before) : NULL;
        }
        if (!url)
                return err_nomem(err);
        return http_client_send(
                a->v->registrar,
                &(struct http_call){.method = "GET", .url = url, .max_response_bytes = ANSWER_MAX},
                a->listed ? on_record : on_page, a, NULL, err);
}

static void on_timer(void *ctx)
{
        struct adopt *a = ctx;
        struct err err = ERR_INIT;
        int r;

        if (a->v->loading) {
                again(a, LOADING_MS);
                return;
        }
        if (a->listed && a->at == a->n)
                r = verifier_db_adopted(a->v->db, on_done, a, &err);
        else
                r = ask(a, &err);
        if (r < 0)
                failed(a, "asking the registrar", err.text);
}

int adopt_start(struct verifier *v, struct err *err)
{
        struct adopt *a;

        if (!verifier_db_adopting(v->db))
                return 0;
        if (!v->registrar) {
                log_warning("the database was restored, and no registrar is configured that knows what was "
                            "revoked since");
                return 0;
        }
        a = mem_zalloc(1, sizeof(*a));
        if (!a)
                return err_nomem(err);
        a->v = v;
        map_init(&a->seen, NULL);
        v->adopt = a; /* freed with the verifier */
        v->adopting = true;
        if (loop_timer_new(v->loop, on_timer, a, &a->timer, err) < 0)
                return -(int)err->kind;
        loop_timer_start(a->timer, 0);
        return 0;
}

void adopt_stop(struct adopt *a)
{
        if (a)
                a->stopped = true;
}

void adopt_free(struct adopt *a)
{
        if (!a)
                return;
        loop_timer_free(a->timer);
        map_done(&a->seen);
        free(a->todo);
        free(a);
}
