/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a permit. Launches wait in the order they came; the one at the head is the verifier's question,
 * because one challenge is out at a time. The network half carries the question, which is written here, and
 * the answer, which is believed for its signature alone: by a key that this host pinned, over exactly this
 * descriptor, whose id was never used before. So whoever holds the network half can refuse a launch, and can
 * do no more.
 *
 * While no verifier answers nobody waits (the breaker), and what was permitted before may be permitted again
 * if policy said so: the same module in the same closure, without secrets, until a time that both the permit
 * and this host's configuration bound. A revocation, a suspension and silence beyond fail_closed_after forget
 * all of it, and so does a restart. Spec: SR-2, SR-3, SR-14, SR-23.
 */
#include "agent/launch_permit.h"

#include <stdio.h>
#include <string.h>

#include "agent/launch_permit_private.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

int launches_new(const struct launches_options *options, struct launches **ret, struct err *err)
{
        struct launches *l = mem_zalloc(1, sizeof(*l));

        if (!l)
                return err_nomem(err);
        l->o = *options;
        *ret = l;
        return 0;
}

static void forget_kept(struct launches *l)
{
        for (size_t i = 0; i < l->n_kept; i++)
                buf_free(&l->kept[i].jws);
        l->n_kept = 0;
}

void launches_free(struct launches *l)
{
        if (!l)
                return;
        launches_detach(l);
        forget_kept(l);
        free(l);
}

void launches_configure(struct launches *l, int64_t cache_ms)
{
        l->o.cache_ms = cache_ms;
        forget_kept(l);
}

struct buf *launches_out(struct launches *l)
{
        return &l->out;
}

void launches_on_stop(struct launches *l, void (*flush)(void *ctx), void *ctx)
{
        l->flush = flush;
        l->flush_ctx = ctx;
}

/* ---- the list */

struct launch_one *launches_find(struct launches *l, uint32_t id)
{
        struct launch_one *one = l->all;

        while (one && one->id != id)
                one = one->next;
        return one;
}

static void set_phase(struct launches *l, struct launch_one *one, enum launch_phase phase)
{
        l->n_waiting -= one->phase == LAUNCH_WAITING;
        l->n_waiting += phase == LAUNCH_WAITING;
        one->phase = phase;
        if (l->asked == one->id && phase != LAUNCH_WAITING)
                l->asked = 0;
}

void launches_drop(struct launches *l, struct launch_one *one)
{
        struct launch_one **at = &l->all;

        while (*at != one)
                at = &(*at)->next;
        *at = one->next;
        if (one->opening)
                handout_cancel(l->o.handout, one);
        set_phase(l, one, LAUNCH_GRANTED);
        l->n--;
        buf_free(&one->request);
        free(one);
}

void launches_send(struct launches *l, enum launch_link_type type, uint32_t id, struct view body)
{
        size_t need = l->out.len + FRAME_HEADER_BYTES + body.len;

        if (need > l->out.cap) {
                struct buf longer = {.p = mem_alloc(2 * need), .len = l->out.len, .cap = 2 * need};

                if (!longer.p) {
                        l->out.failed = true;
                        return;
                }
                if (l->out.p) {
                        memcpy(longer.p, l->out.p, l->out.len);
                        mem_wipe(l->out.p, l->out.len);
                        buf_free(&l->out);
                }
                l->out = longer;
        }
        launch_link_put(&l->out, type, id, body);
}

void launches_say_no(struct launches *l, uint32_t id, enum launch_link_why why, const char *text,
                     const char *where, const char *next)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_refused_put(&body, &(struct launch_link_refused){.why = why,
                                                                     .text = view_str(text),
                                                                     .where = view_str(where ? where : ""),
                                                                     .next = view_str(next ? next : "")});
        if (!buf_ok(&body))
                l->out.failed = true;
        launches_send(l, LAUNCH_LINK_REFUSED, id, VIEW_BUF(&body));
}

static void refuse(struct launches *l, struct launch_one *one, enum launch_link_why why, const char *text,
                   const char *where, const char *next)
{
        log_with(LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_EVENT", "launch-refused"}, {"AVOW_LAUNCH", one->launch.id}),
                 "launch %s in %s: %s", one->launch.id, one->launch.runtime, text);
        launches_say_no(l, one->id, why, text, where, next);
        launches_drop(l, one);
}

static void say_ready(struct launches *l, const struct launches_host *host)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_ready_put(&body, &(struct launch_link_ready){.host = view_str(host->host_id),
                                                                 .pcr = (uint8_t)host->pcr});
        if (!buf_ok(&body))
                l->out.failed = true;
        launches_send(l, LAUNCH_LINK_READY, 0, VIEW_BUF(&body));
}

void launches_attach(struct launches *l, const struct launches_host *host)
{
        launches_detach(l);
        l->attached = true;
        say_ready(l, host);
}

void launches_detach(struct launches *l)
{
        while (l->all)
                launches_drop(l, l->all);
        l->attached = false;
        if (l->out.p)
                mem_wipe(l->out.p, l->out.len);
        buf_free(&l->out);
        l->out = (struct buf){0};
}

/* ---- granting */

static void grant(struct launches *l, struct launch_one *one, const struct permit *permit, struct view jws,
                  bool cached, int64_t mono_ms)
{
        AUTO(buf_free) struct buf body = {0};
        int64_t left_ms = cached ? LAUNCHES_WAIT_MS : permit->expires_at_s * 1000 - clock_now_ms();

        left_ms = left_ms > LAUNCH_PERMIT_MAX_S * 1000 ? LAUNCH_PERMIT_MAX_S * 1000 : left_ms;
        one->permit = *permit;
        one->cached = cached;
        one->until_ms = mono_ms + left_ms;
        buf_free(&one->request);
        one->request = (struct buf){0};
        set_phase(l, one, LAUNCH_GRANTED);
        launch_link_granted_put(&body, &(struct launch_link_granted){.permit = jws,
                                                                     .cached = cached,
                                                                     .lifetime_ms = (uint32_t)left_ms});
        if (!buf_ok(&body))
                l->out.failed = true;
        launches_send(l, LAUNCH_LINK_GRANTED, one->id, VIEW_BUF(&body));
        log_debug("launch %s: permit %s%s", one->launch.id, permit->id, cached ? ", kept from before" : "");
}

static bool same_program(const struct launch *a, const struct launch *b)
{
        return str_equal(a->runtime, b->runtime) && digest_equal(&a->sha256, &b->sha256) &&
               digest_equal(&a->closure, &b->closure);
}

/* Keeps a permit for an outage, in the place of an earlier one for the same, or of the one that ends first.
 */
static void keep(struct launches *l, const struct permit *permit, struct view jws, int64_t mono_ms)
{
        int64_t for_ms = permit->cache_s * 1000 < l->o.cache_ms ? permit->cache_s * 1000 : l->o.cache_ms;
        struct launch_kept *at = NULL;
        struct buf copy = {0};

        for (size_t i = 0; i < l->n_kept; i++)
                if (same_program(&l->kept[i].permit.launch, &permit->launch))
                        at = &l->kept[i];
        if (!at && for_ms <= 0)
                return;
        if (!at && l->n_kept < LAUNCHES_CACHED_MAX) {
                at = &l->kept[l->n_kept++];
                *at = (struct launch_kept){.until_ms = 0};
        }
        for (size_t i = 0; !at && i < l->n_kept; i++)
                if (i == 0 || l->kept[i].until_ms < at->until_ms)
                        at = &l->kept[i];
        buf_put_view(&copy, jws);
        buf_free(&at->jws);
        /* A policy that keeps none any more, or no memory, ends what was kept. */
        *at = (struct launch_kept){
                .jws = copy, .permit = *permit, .until_ms = buf_ok(&copy) ? mono_ms + for_ms : 0};
}

static const struct launch_kept *find_kept(const struct launches *l, const struct launch *launch,
                                           int64_t mono_ms)
{
        for (size_t i = 0; i < l->n_kept; i++) {
                const struct launch_kept *k = &l->kept[i];

                if (mono_ms < k->until_ms &&
                    permit_allows(&k->permit, launch, clock_now_ms(), NULL) == PERMIT_FROM_CACHE)
                        return k;
        }
        return NULL;
}

/* No verifier answers: by a kept permit, or not at all. */
static void settle_alone(struct launches *l, struct launch_one *one, int64_t mono_ms)
{
        const struct launch_kept *kept = find_kept(l, &one->launch, mono_ms);
        AUTO(mem_free_p) char *text = NULL;

        if (kept) {
                grant(l, one, &kept->permit, VIEW_BUF(&kept->jws), true, mono_ms);
                return;
        }
        text = str_fmt("no verifier answers (%s), and %s", l->away_text,
                       one->launch.n_secrets
                               ? "a kept permit opens no secret"
                               : "no permit for this module is kept (`permits: {cache: …}` of its "
                                 "policy)");
        refuse(l, one, LAUNCH_WHY_UNAVAILABLE, text ? text : "no verifier answers", NULL,
               "journalctl -u avow-agent; again when the verifier is back");
}

/* ---- beginning */

static int read_begin(const struct launches_host *host, struct view body, struct wire_launch_request *ret,
                      struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct launch_link_begin m;
        int r = launch_link_begin_get(body, &m, err);

        if (r >= 0)
                r = json_parse(m.launch, LAUNCH_TEXT_MAX, &j, err);
        if (r >= 0)
                r = launch_from_json(j, &ret->launch, err);
        if (r >= 0 && !str_equal(ret->launch.host, host->host_id))
                r = err_set(err, ERR_FORMAT, 0, "a launch for host %s", SHOW(ret->launch.host));
        if (r < 0)
                return r;
        if (m.claims.len && !(ret->claims = str_ndup((const char *)m.claims.p, m.claims.len)))
                return err_nomem(err);
        if (m.envelope.len && !(ret->envelope = str_ndup((const char *)m.envelope.p, m.envelope.len)))
                return err_nomem(err);
        buf_put_view(&ret->signature, m.signature);
        return buf_ok(&ret->signature) ? 0 : err_nomem(err);
}

/* The descriptor's id is used once: a permit for it must not be good for another launch. */
static bool used(const struct launches *l, const char *id)
{
        for (const struct launch_one *one = l->all; one; one = one->next)
                if (str_equal(one->launch.id, id))
                        return true;
        return false;
}

static int make_one(struct launches *l, uint32_t id, const struct wire_launch_request *request,
                    int64_t mono_ms, struct launch_one **ret, struct err *err)
{
        struct launch_one *one = mem_zalloc(1, sizeof(*one)), **end = &l->all;
        int r = one ? launch_digest(&request->launch, &one->digest, err) : err_nomem(err);

        if (r >= 0)
                r = wire_launch_request_encode(request, &one->request, err);
        if (r < 0) {
                if (one)
                        buf_free(&one->request);
                free(one);
                return r;
        }
        one->of = l;
        one->id = id;
        one->launch = request->launch;
        one->until_ms = mono_ms + LAUNCHES_WAIT_MS;
        digest_zero(DIGEST_SHA256, &one->mapped);
        while (*end)
                end = &(*end)->next;
        *end = one;
        l->n++;
        l->n_waiting++;
        *ret = one;
        return 0;
}

static int take_begin(struct launches *l, const struct launches_host *host, const struct frame *frame,
                      int64_t mono_ms, struct err *err)
{
        AUTO(wire_launch_request_done) struct wire_launch_request request = {.claims = NULL};
        const char *refused = secrets_refused(l->o.secrets);
        struct launch_one *one;
        int r;

        if (!host->tpm) {
                launches_say_no(l, frame->id, LAUNCH_WHY_UNAVAILABLE, "the TPM does not answer", NULL,
                                "journalctl -u avow-agent");
                return 0;
        }
        r = read_begin(host, frame->body, &request, err);
        if (r >= 0 && (frame->id == 0 || launches_find(l, frame->id) || used(l, request.launch.id)))
                r = err_set(err, ERR_FORMAT, 0, "a launch with a number or an id that is taken");
        if (r < 0)
                return r;
        if (refused) {
                launches_say_no(l, frame->id, LAUNCH_WHY_REFUSED, refused, NULL, "avow host explain HOST");
                return 0;
        }
        if (l->n == LAUNCHES_MAX || l->n_waiting == LAUNCHES_WAITING_MAX) {
                launches_say_no(l, frame->id, LAUNCH_WHY_UNAVAILABLE,
                                l->n == LAUNCHES_MAX ? "as many modules run as this host launches"
                                                     : "as many launches wait as this host queues",
                                NULL, "again in a moment");
                return 0;
        }
        r = make_one(l, frame->id, &request, mono_ms, &one, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) { /* claims that cannot travel, for example */
                launches_say_no(l, frame->id, LAUNCH_WHY_REFUSED, err->text, NULL, "avow module show MODULE");
                err_clear(err);
                return 0;
        }
        if (r >= 0 && l->away)
                settle_alone(l, one, mono_ms);
        return r;
}

/* ---- explaining */

static void explain(const struct launches *l, const struct launch *launch, int64_t mono_ms, struct buf *out)
{
        const struct launch_kept *kept = find_kept(l, launch, mono_ms);
        char text[CLOCK_TEXT_BYTES];

        if (secrets_refused(l->o.secrets))
                buf_fmt(out, "refused: %s\n", secrets_refused(l->o.secrets));
        else if (!l->away)
                buf_fmt(out, "the verifier would be asked; %zu launch(es) wait before it\n", l->n_waiting);
        else if (kept)
                buf_fmt(out, "no verifier answers (%s): permit %s is kept for another %s and would be used\n",
                        l->away_text, kept->permit.id, clock_format_duration(kept->until_ms - mono_ms, text));
        else
                buf_fmt(out, "refused: no verifier answers (%s), and no permit for it is kept\n",
                        l->away_text);
}

static int take_explain(struct launches *l, const struct launches_host *host, const struct frame *frame,
                        int64_t mono_ms, struct err *err)
{
        AUTO(wire_launch_request_done) struct wire_launch_request request = {.claims = NULL};
        AUTO(buf_free) struct buf text = {0};
        int r = host->tpm ? read_begin(host, frame->body, &request, err) : 0;

        if (r < 0)
                return r;
        if (!host->tpm)
                buf_str(&text, "refused: the TPM does not answer\n");
        else
                explain(l, &request.launch, mono_ms, &text);
        if (!buf_ok(&text))
                return err_nomem(err);
        launches_send(l, LAUNCH_LINK_EXPLAINED, frame->id, VIEW_BUF(&text));
        return 0;
}

/* ---- frames */

static const struct {
        enum launch_link_type type;
        int (*take)(struct launches *l, const struct launches_host *host, struct launch_one *one,
                    struct view body, int64_t mono_ms, struct err *err);
} later[] = {
        {LAUNCH_LINK_RECORD, launch_take_record},
        {LAUNCH_LINK_MAPPED, launch_take_mapped},
        {LAUNCH_LINK_SECRET, launch_take_secret},
        {LAUNCH_LINK_ENDED, launch_take_ended},
};

int launches_take(struct launches *l, const struct launches_host *host, const struct frame *frame,
                  int64_t mono_ms, struct err *err)
{
        struct launch_one *one = launches_find(l, frame->id);

        if (frame->type == LAUNCH_LINK_BEGIN)
                return take_begin(l, host, frame, mono_ms, err);
        if (frame->type == LAUNCH_LINK_EXPLAIN)
                return take_explain(l, host, frame, mono_ms, err);
        if (frame->type == LAUNCH_LINK_CANCEL) {
                if (one && one->phase != LAUNCH_RUNNING)
                        launches_drop(l, one);
                return 0; /* a refusal may be on its way to it */
        }
        for (size_t i = 0; i < ARRAY_LEN(later); i++) {
                if (later[i].type != frame->type)
                        continue;
                if (one)
                        return later[i].take(l, host, one, frame->body, mono_ms, err);
                /* refused meanwhile, as the launcher will read */
                launches_say_no(l, frame->id, LAUNCH_WHY_REFUSED, "this launch is over", NULL, NULL);
                return 0;
        }
        return err_set(err, ERR_FORMAT, 0, "%s is no question of a launcher", launch_link_name(frame->type));
}

/* ---- the verifier */

bool launches_wanted(const struct launches *l, struct launches_wanted *ret)
{
        struct launch_one *one = l->all;

        while (one && one->id != l->asked)
                one = one->next;
        if (!one || l->asked == 0)
                return false;
        *ret = (struct launches_wanted){.number = l->number | LAUNCHES_NUMBER_BIT,
                                        .body = VIEW_BUF(&one->request)};
        return true;
}

static void take_permit(struct launches *l, const struct launches_host *host, struct launch_one *one,
                        struct view jws, int64_t mono_ms)
{
        const char *why = "", *next = "journalctl -u avow-agent";
        AUTO(mem_free_p) char *text = NULL;
        struct err err = ERR_INIT;
        struct permit permit;
        bool good = false;
        int r = permit_open(jws, host->keys->keys, host->keys->n, &permit, &good, &err);

        if (r < 0) {
                refuse(l, one, LAUNCH_WHY_FAILED, err.text, NULL, next);
        } else if (!good) {
                refuse(l, one, LAUNCH_WHY_FAILED,
                       "the permit is not signed by a key of the verifier that this host knows", NULL,
                       "name the verifier's keys in verifier.keys of agent.yaml");
        } else if (permit_allows(&permit, &one->launch, clock_now_ms(), &why) != PERMIT_ITS_LAUNCH) {
                text = str_fmt("the verifier's permit is not for this launch: %s", why);
                refuse(l, one, LAUNCH_WHY_FAILED, text ? text : why, NULL, next);
        } else {
                keep(l, &permit, jws, mono_ms);
                grant(l, one, &permit, jws, false, mono_ms);
        }
}

void launches_answer(struct launches *l, const struct launches_host *host, uint32_t number,
                     const struct launches_answer *answer, int64_t mono_ms)
{
        struct launch_one *one = l->asked ? launches_find(l, l->asked) : NULL;

        if (!one || number != (l->number | LAUNCHES_NUMBER_BIT))
                return; /* nobody waits for it any more */
        if (answer->permit.len)
                take_permit(l, host, one, answer->permit, mono_ms);
        else
                refuse(l, one, answer->final ? LAUNCH_WHY_REFUSED : LAUNCH_WHY_UNAVAILABLE, answer->text,
                       answer->where, answer->next);
}

void launches_reach(struct launches *l, bool reachable, const char *text, int64_t mono_ms)
{
        struct launch_one *next;

        if (reachable && l->away)
                log_info("the verifier answers again: launches wait for its word");
        else if (!reachable && !l->away)
                log_warning("no verifier answers (%s): modules are launched by kept permits alone", text);
        l->away = !reachable;
        (void)snprintf(l->away_text, sizeof(l->away_text), "%s", text);
        for (struct launch_one *one = l->away ? l->all : NULL; one; one = next) {
                next = one->next;
                if (one->phase == LAUNCH_WAITING)
                        settle_alone(l, one, mono_ms);
        }
}

/* ---- what is due */

static struct launch_one *head(struct launches *l)
{
        struct launch_one *one = l->all;

        while (one && one->phase != LAUNCH_WAITING)
                one = one->next;
        return one;
}

int64_t launches_turn(struct launches *l, const struct launches_host *host, int64_t mono_ms)
{
        int64_t due_ms = INT64_MAX;
        struct launch_one *next;

        for (struct launch_one *one = l->all; one; one = next) {
                next = one->next;
                if (one->phase == LAUNCH_RUNNING)
                        continue;
                if (mono_ms < one->until_ms)
                        due_ms = one->until_ms - mono_ms < due_ms ? one->until_ms - mono_ms : due_ms;
                else if (one->phase == LAUNCH_WAITING)
                        refuse(l, one, LAUNCH_WHY_UNAVAILABLE, "the verifier did not answer in time", NULL,
                               "avow host explain HOST");
                else
                        launches_drop(l, one); /* RECORD will be told that it is over */
        }
        if (l->asked == 0 && host->tpm && head(l)) {
                l->asked = head(l)->id;
                l->number = (l->number + 1) & ~LAUNCHES_NUMBER_BIT;
        }
        return due_ms;
}

/* ---- revocation */

void launches_refuse_all(struct launches *l, const char *text)
{
        struct launch_one *next;

        forget_kept(l);
        for (struct launch_one *one = l->all; one; one = next) {
                next = one->next;
                if (one->phase == LAUNCH_RUNNING)
                        continue;
                if (one->phase == LAUNCH_WAITING)
                        refuse(l, one, LAUNCH_WHY_REFUSED, text, NULL, "avow host explain HOST");
                else
                        launches_drop(l, one);
        }
}

size_t launches_running(const struct launches *l)
{
        size_t n = 0;

        for (const struct launch_one *one = l->all; one; one = one->next)
                n += one->phase == LAUNCH_RUNNING;
        return n;
}
