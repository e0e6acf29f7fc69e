/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_MACHINE_H
#define AVOW_AGENT_NET_MACHINE_H

#include "agent/net.h"
#include "agent/net_backoff.h"
#include "agent/net_flow.h"
#include "agent/net_key.h"
#include "agent/net_listen.h"
#include "agent/net_tpm.h"
#include "agent/net_wait.h"
#include "http/client.h"
#include "wire/attestation.h"
#include "wire/launch.h"
#include "wire/release.h"
#include "wire/session.h"
#include "wire/version.h"

#define NET_LAUNCH_TEXT 160 /* bytes of what a refusal of a launch is about, and of what to do */

/*
 * The network half's one value: where the machine of net_flow.h stands and what it carries. net.c turns it,
 * net_steps.c holds what is done in each state. Not for use outside of these two.
 */
struct net {
        const struct agent_net *opts;
        const struct agent_config *config;
        bool native; /* the verifier is an avow verifier */
        int status;  /* exit status */
        struct loop *loop;
        struct loop_timer *timer; /* runs while waiting for the next state */
        struct net_tpm *tpm;
        struct net_waiter *wait;       /* NULL: not native */
        struct net_listener *listen;   /* NULL: not asked for, or no key to show yet */
        struct http_client *client[2]; /* registrar, verifier; made at first use */
        struct http_call_handle *call; /* in flight */

        enum net_state state;
        bool waiting; /* for the timer, before STATE is entered */
        struct net_backoff backoff;
        int64_t retry_after_ms; /* of the last answer; -1: none */

        struct buf identity_bytes; /* what ID borrows from */
        struct privsep_identity id;
        char host[WIRE_HOST_MAX + 1];
        bool has_key;
        struct net_key key;

        struct wire_version version; /* of the registrar's API */
        struct buf credential;       /* the registrar's challenge, as it came; then the credential itself */
        int64_t registered_at_ms;    /* monotonic; 0: not since we started */

        struct wire_session_challenge challenge;
        struct buf body; /* what the TPM half's answer became: the next request's body */
        struct secret token;

        struct wire_asks asks; /* what was asked for last; has_next: a challenge in hand for the next round */
        uint64_t index;
        bool has_next;
        int64_t due_ms;     /* monotonic: when the next attestation is to begin */
        unsigned hurries;   /* immediate challenges in a row */
        bool part;          /* what was sent last is a part of a list: the rest is asked for at once */
        uint32_t log_total; /* entries of the log when evidence was collected last */
        int64_t collected_at_ms;
        /* A release or permit that the TPM half wants (net_release.c). */
        uint32_t wanted;     /* its number, as the TPM half said last; 0: none */
        int64_t claim_at_ms; /* monotonic: a release not before */
        struct {
                uint32_t number;
                char id[WIRE_UUID_LEN + 1]; /* at the verifier */
                struct wire_asks asks;
                bool granted, final;
                uint32_t lease_s;
                struct buf signature; /* or permit */
                char text[512], where[NET_LAUNCH_TEXT], next[NET_LAUNCH_TEXT];
        } release;
        /* The set of secrets: what the verifier says it should be, what the TPM half has. */
        bool has_offered, has_kept;
        uint8_t offered[32], kept[32];
        int64_t secrets_retry_ms; /* monotonic: not before */

        /* Receipts that wait for the verifier (net_receipts.c). */
        uint32_t owed;        /* how many, as the TPM half said last */
        int64_t owed_at_ms;   /* monotonic: not before */
        int64_t owed_step_ms; /* between questions that were not decided */

        enum wire_evaluation evaluation; /* the last verdict we were told */
        bool has_evaluation;

        /* What was said already: one slot for each server being away, one for each state's refusals. */
        int64_t away[2], refused[NET_N_STATES];
};

/* What to do on entering a state, and what its answer means. NULL where there is none. */
struct net_handler {
        void (*enter)(struct net *net);
        enum net_result (*reply)(struct net *net, const struct http_response *res);
        enum net_result (*tpm)(struct net *net, struct view body);
};
extern const struct net_handler net_handlers[NET_N_STATES];

/* For the steps: send to the server of the state; ask the TPM half; be done with the state; say once what is
 * wrong with it (peer text escaped by the caller). Each of the first three ends the step: nothing may follow.
 */
void net_request(struct net *net, const char *method, const char *path, struct view body);
void net_ask(struct net *net, enum privsep_type type, struct view body);
void net_finish(struct net *net, enum net_result result);
void net_say(struct net *net, int64_t condition, const char *fmt, ...) PRINTF(3, 4);

/* A client of its own for PEER, as the machine has one. */
int net_client_new(struct net *net, enum net_peer peer, uint32_t connections, struct http_client **ret,
                   struct err *err) MUST_USE;
/* The listener, once there is a key to show; anew for another one. */
void net_open_listener(struct net *net, bool anew);
/* What a verifier told beside its business: to whom it concerns. */
void net_told(struct net *net, const struct wire_meta *meta);

/* An error of our own or of the peer's bytes: said once, then tried again. */
enum net_result net_failed(struct net *net, const struct err *err) MUST_USE;
/* net_ask() with BODY, which is freed. */
void net_ask_with(struct net *net, enum privsep_type type, struct buf *body);
/* The TPM half's evidence for ASKS becomes the next request's body. */
enum net_result net_take_evidence(struct net *net, const struct wire_asks *asks, struct view body) MUST_USE;
/* What an answer to evidence says of the next round, and beside it. */
void net_take_outcome(struct net *net, const struct wire_outcome *m);

/* net_release.c: what the verifier says this host should have of secrets; while idle, what is to be done now:
 * NET_DONE, NET_SKIP (attest), NET_WANT, NET_NEWS, or NET_N_RESULTS: nothing for RET_MS. */
void net_secrets_offered(struct net *net, const struct wire_meta *meta);
enum net_result net_idle(const struct net *net, int64_t mono_ms, int64_t *ret_ms);
void net_release_done(struct net *net);

void net_enter_wanted(struct net *net);
void net_enter_claim(struct net *net);
void net_enter_show(struct net *net);
void net_enter_earn(struct net *net);
void net_enter_release(struct net *net);
void net_enter_secrets(struct net *net);
void net_enter_keep(struct net *net);
enum net_result net_got_wanted(struct net *net, struct view body);
enum net_result net_got_claim(struct net *net, const struct http_response *res);
enum net_result net_got_shown(struct net *net, struct view body);
enum net_result net_got_earned(struct net *net, const struct http_response *res);
enum net_result net_got_released(struct net *net, struct view body);
enum net_result net_got_secrets(struct net *net, const struct http_response *res);
enum net_result net_got_kept(struct net *net, struct view body);

/* net_receipts.c. N receipts wait for the verifier, as the TPM half says. */
void net_receipts_wait(struct net *net, uint32_t n);
void net_enter_receipts(struct net *net);
void net_enter_countersign(struct net *net);
void net_enter_settle(struct net *net);
enum net_result net_got_receipts(struct net *net, struct view body);
enum net_result net_got_countersigned(struct net *net, const struct http_response *res);
enum net_result net_got_settled(struct net *net, struct view body);

/* The marker DIR/registered: this registrar knows this AK under this TLS key. */
bool net_registered(struct net *net);
int net_set_registered(struct net *net, struct err *err) MUST_USE;

#endif
