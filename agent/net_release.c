/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets and launches in the network half: it carries. A release, or a permit for a launch, that the TPM
 * half wants goes to the verifier as the TPM half wrote it, fresh evidence for it goes after, and the answer
 * goes back; the set of secrets is fetched when the verifier says that it is another one than we handed over
 * last. Nothing of it is read here beyond its form. Both wait for the machine to be idle, so that one
 * challenge is out at a time. Spec: SR-1; docs/protocol.md, "Releases".
 */
#include <stdio.h>
#include <string.h>

#include "agent/net_convert.h"
#include "agent/net_machine.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define SECRETS_RETRY_MS 30000 /* after a set that could not be fetched or kept */
#define CLAIM_GAP_MS     300   /* between two requests for releases: verifiers want 250 */

/* ---- what to do while idle */

void net_secrets_offered(struct net *net, const struct wire_meta *meta)
{
        if (!meta->has_secrets)
                return;
        if (!net->has_offered ||
            !equal_ct(net->offered, sizeof(net->offered), meta->secrets_digest, sizeof(meta->secrets_digest)))
                net->secrets_retry_ms = 0; /* another set: what went wrong with the last one is past */
        net->has_offered = true;
        memcpy(net->offered, meta->secrets_digest, sizeof(net->offered));
        if (!net->waiting && net->state == NET_IDLE)
                loop_timer_start(net->timer, 0);
}

static bool has_news(const struct net *net)
{
        return net->has_offered &&
               !(net->has_kept && equal_ct(net->kept, sizeof(net->kept), net->offered, sizeof(net->offered)));
}

/* Verifiers want a pause between releases, not between launches. */
static int64_t claim_at(const struct net *net)
{
        return net->wanted & PRIVSEP_WANTED_LAUNCH ? 0 : net->claim_at_ms;
}

enum net_result net_idle(const struct net *net, int64_t mono_ms, int64_t *ret_ms)
{
        if (mono_ms >= net->due_ms)
                return net->has_next ? NET_DONE : NET_SKIP;
        if (net->native && net->wanted != 0 && mono_ms >= claim_at(net))
                return NET_WANT;
        if (net->native && has_news(net) && mono_ms >= net->secrets_retry_ms)
                return NET_NEWS;
        if (net->native && net->owed != 0 && mono_ms >= net->owed_at_ms)
                return NET_OWED;
        *ret_ms = net->due_ms - mono_ms;
        if (net->native && net->owed != 0 && net->owed_at_ms - mono_ms < *ret_ms)
                *ret_ms = net->owed_at_ms - mono_ms;
        if (net->native && net->wanted != 0 && claim_at(net) - mono_ms < *ret_ms)
                *ret_ms = claim_at(net) - mono_ms;
        if (net->native && has_news(net) && net->secrets_retry_ms - mono_ms < *ret_ms)
                *ret_ms = net->secrets_retry_ms - mono_ms;
        return NET_N_RESULTS;
}

void net_release_done(struct net *net)
{
        buf_free(&net->release.signature);
        net->release.signature = (struct buf){0};
}

/* ---- a release, or a permit */

static bool for_launch(const struct net *net)
{
        return net->release.number & PRIVSEP_WANTED_LAUNCH;
}

static void no_release(struct net *net, bool final, const char *text)
{
        buf_reset(&net->release.signature);
        net->release.granted = false;
        net->release.final = final;
        net->release.lease_s = 0;
        net->release.where[0] = net->release.next[0] = '\0';
        (void)snprintf(net->release.text, sizeof(net->release.text), "%s", text); /* cut if too long */
}

void net_enter_wanted(struct net *net)
{
        net_ask(net, PRIVSEP_WANTED, VIEW_NONE);
}

enum net_result net_got_wanted(struct net *net, struct view body)
{
        struct err err = ERR_INIT;
        struct privsep_wanted m;
        if (privsep_wanted_get(body, &m, &err) < 0)
                return net_failed(net, &err);
        net->wanted = m.number;
        if (m.number == 0)
                return NET_SKIP;
        net->release.number = m.number;
        no_release(net, false,
                   for_launch(net) ? "the verifier permits no launches" : "the verifier gives no releases");
        buf_reset(&net->body);
        buf_put_view(&net->body, m.body);
        return buf_ok(&net->body) ? NET_DONE : NET_AWAY;
}

void net_enter_claim(struct net *net)
{
        char path[WIRE_HOST_MAX + 48];
        (void)snprintf(path, sizeof(path), "/avow/v1/agents/%s/%s", net->host,
                       for_launch(net) ? "launches" : "releases"); /* a host id: it fits */
        if (!for_launch(net))
                net->claim_at_ms = clock_mono_ms() + CLAIM_GAP_MS;
        net_request(net, "POST", path, VIEW_BUF(&net->body));
}

/* A refusal is for whoever asked the TPM half; some of its kinds are for us: what to do next. */
static enum net_result refused(struct net *net, const char *type, const char *detail,
                               const struct wire_outcome *outcome)
{
        char text[sizeof(net->release.text)];
        if (str_equal(type, "challenges_expired"))
                return NET_STALE;
        if (outcome->has_wait || outcome->has_next)
                net_take_outcome(net, outcome);
        if (str_equal(type, "asked-again"))
                return NET_SKIP;
        (void)snprintf(text, sizeof(text), "%s: %s", type, detail);
        no_release(net, true, text);
        return NET_DONE;
}

static enum net_result take_release(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_release_answer m = {.n = 0};
        enum net_result result = NET_DONE;
        if (wire_release_answer_decode(res->body, &m, &err) < 0)
                return res->status == 403 ? NET_DENIED : net_failed(net, &err);
        if (m.lease_s == 0) {
                result = refused(net, m.type, m.detail, &m.outcome);
        } else {
                net_take_outcome(net, &m.outcome);
                net->release.granted = true;
                net->release.lease_s = m.lease_s;
                buf_reset(&net->release.signature);
                buf_put_view(&net->release.signature, VIEW_BUF(&m.item[0].signature));
                result = buf_ok(&net->release.signature) ? NET_DONE : NET_AWAY;
        }
        wire_release_answer_done(&m);
        return result;
}

static enum net_result take_permit(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_launch_answer m = {.permit = NULL};
        enum net_result result = NET_DONE;
        if (wire_launch_answer_decode(res->body, &m, &err) < 0)
                return res->status == 403 ? NET_DENIED : net_failed(net, &err);
        if (m.permit == NULL) {
                result = refused(net, m.type, m.detail, &m.outcome);
                if (result == NET_DONE) {
                        (void)snprintf(net->release.where, sizeof(net->release.where), "%s",
                                       m.where != NULL ? m.where : ""); /* cut if too long */
                        (void)snprintf(net->release.next, sizeof(net->release.next), "%s",
                                       m.next != NULL ? m.next : "");
                }
        } else {
                net_take_outcome(net, &m.outcome);
                net->release.granted = true;
                buf_reset(&net->release.signature);
                buf_str(&net->release.signature, m.permit);
                result = buf_ok(&net->release.signature) ? NET_DONE : NET_AWAY;
        }
        wire_launch_answer_done(&m);
        return result;
}

static enum net_result take_answer(struct net *net, const struct http_response *res)
{
        return for_launch(net) ? take_permit(net, res) : take_release(net, res);
}

enum net_result net_got_claim(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_release_challenge m;
        if (res->status == 403) {
                enum net_result result = take_answer(net, res); /* no refusal: the session is no good */
                return result == NET_DENIED ? result : result == NET_DONE ? NET_SKIP : NET_STALE;
        }
        if (wire_release_challenge_decode(res->body, &m, &err) < 0)
                return net_failed(net, &err);
        net->has_next = false; /* this challenge took the place of the one in hand */
        memcpy(net->release.id, m.id, sizeof(net->release.id));
        net->release.asks = m.next.asks;
        return NET_DONE;
}

void net_enter_show(struct net *net)
{
        struct err err = ERR_INIT;
        struct privsep_show m = {.number = net->release.number};
        struct buf body = {0};
        net->collected_at_ms = clock_mono_ms();
        if (net_collect(&net->release.asks, net->challenge.verifier_id, &m.collect, &err) == 0) {
                privsep_show_put(&body, &m);
                net_ask_with(net, PRIVSEP_SHOW, &body);
        } else {
                net_finish(net, net_failed(net, &err));
        }
}

enum net_result net_got_shown(struct net *net, struct view body)
{
        return net_take_evidence(net, &net->release.asks, body);
}

void net_enter_earn(struct net *net)
{
        char path[WIRE_HOST_MAX + 96];
        (void)snprintf(path, sizeof(path), "/avow/v1/agents/%s/%s/%s", net->host,
                       for_launch(net) ? "launches" : "releases", net->release.id);
        net_request(net, "PATCH", path, VIEW_BUF(&net->body));
        buf_free(&net->body); /* it can be megabytes, and is copied */
}

enum net_result net_got_earned(struct net *net, const struct http_response *res)
{
        return take_answer(net, res);
}

static void put_permit(const struct net *net, struct buf *body)
{
        bool granted = net->release.granted;
        privsep_permit_put(body, &(struct privsep_permit){
                                         .number = net->release.number,
                                         .final = net->release.final,
                                         .permit = VIEW_BUF(&net->release.signature),
                                         .text = view_str(granted ? "" : net->release.text),
                                         .where = view_str(net->release.where),
                                         .next = view_str(net->release.next),
                                 });
}

static void put_release(const struct net *net, struct buf *body)
{
        privsep_release_put(body, &(struct privsep_release){
                                          .number = net->release.number,
                                          .granted = net->release.granted,
                                          .final = net->release.final,
                                          .lease_s = net->release.lease_s,
                                          .signature = VIEW_BUF(&net->release.signature),
                                          .text = view_str(net->release.granted ? "" : net->release.text),
                                  });
}

void net_enter_release(struct net *net)
{
        struct buf body = {0};
        bool launch = for_launch(net);
        if (launch)
                put_permit(net, &body);
        else
                put_release(net, &body);
        net->wanted = 0; /* the TPM half says so if another one is */
        net_ask_with(net, launch ? PRIVSEP_PERMIT : PRIVSEP_RELEASE, &body);
}

enum net_result net_got_released(struct net *net, struct view body)
{
        (void)body; /* there is nothing in it */
        no_release(net, false, "");
        return NET_DONE;
}

/* ---- the set of secrets */

void net_enter_secrets(struct net *net)
{
        char path[WIRE_HOST_MAX + 48];
        (void)snprintf(path, sizeof(path), "/avow/v1/agents/%s/secrets", net->host); /* a host id: it fits */
        net->secrets_retry_ms = clock_mono_ms() + SECRETS_RETRY_MS;                  /* unless it works */
        memcpy(net->kept, net->offered, sizeof(net->kept));
        net->has_kept = false;
        net_request(net, "GET", path, VIEW_NONE);
}

enum net_result net_got_secrets(struct net *net, const struct http_response *res)
{
        buf_reset(&net->body);
        buf_put_view(&net->body, res->body);
        return buf_ok(&net->body) ? NET_DONE : NET_AWAY;
}

void net_enter_keep(struct net *net)
{
        net_ask(net, PRIVSEP_SECRETS, VIEW_BUF(&net->body));
        buf_free(&net->body); /* it can be megabytes, and is copied */
        net->body = (struct buf){0};
}

enum net_result net_got_kept(struct net *net, struct view body)
{
        (void)body; /* there is nothing in it */
        net->has_kept = true;
        log_info("this host's secrets are as the verifier has them");
        return NET_DONE;
}
