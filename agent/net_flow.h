/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_FLOW_H
#define AVOW_AGENT_NET_FLOW_H

#include "base/macro.h"

/*
 * What the network half does, as a table: a state is one thing to do (ask the TPM half, or send one request),
 * its result chooses the next state and how long to wait before it. The machine has no end.
 */
enum net_state {
        NET_IDENTITY,    /* TPM half: who are we? */
        NET_VERSION,     /* registrar: GET /version */
        NET_REGISTER,    /* registrar: POST /v2.x/agents/:id */
        NET_CREDENTIAL,  /* TPM half: open the challenge */
        NET_ACTIVATE,    /* registrar: PUT /v2.x/agents/:id */
        NET_SESSION,     /* verifier: POST /v3.0/sessions */
        NET_PROOF,       /* TPM half: prove that we hold the AK */
        NET_LOGIN,       /* verifier: PATCH /v3.0/sessions/:id */
        NET_REFRESH,     /* TPM half: how long is the log now? */
        NET_OFFER,       /* verifier: POST /v3.0/agents/:id/attestations */
        NET_COLLECT,     /* TPM half: quote and log */
        NET_SEND,        /* verifier: PATCH /v3.0/agents/:id/attestations/:index */
        NET_IDLE,        /* until the next attestation is due */
        NET_WANTED,      /* TPM half: which release or permit is wanted? */
        NET_CLAIM,       /* verifier: POST /avow/v1/agents/:id/releases, or launches */
        NET_SHOW,        /* TPM half: evidence for it */
        NET_EARN,        /* verifier: PATCH /avow/v1/agents/:id/releases/:rid, or launches/:lid */
        NET_RELEASE,     /* TPM half: here it is, or here is why not */
        NET_SECRETS,     /* verifier: GET /avow/v1/agents/:id/secrets */
        NET_KEEP,        /* TPM half: this host's set of secrets */
        NET_RECEIPTS,    /* TPM half: which receipts wait? */
        NET_COUNTERSIGN, /* verifier: POST /avow/v1/agents/:id/receipts */
        NET_SETTLE,      /* TPM half: what it decided */
        NET_N_STATES,
};

enum net_result {
        NET_DONE,    /* go on */
        NET_SKIP,    /* there is nothing to do here */
        NET_AWAY,    /* not reached, timed out, 5xx, 429, or the TPM half cannot now: the same again later */
        NET_DENIED,  /* 401 or 403: the session is no good */
        NET_UNKNOWN, /* the verifier does not know this host: it is to be enrolled */
        NET_STALE,   /* the challenge or the session's challenge is gone: ask for another */
        NET_REFUSED, /* any other no */
        NET_WANT,    /* while idle: a release or permit is wanted */
        NET_NEWS,    /* while idle: the set of secrets changed */
        NET_OWED,    /* while idle: receipts wait for the verifier */
        NET_N_RESULTS,
};

enum net_wait {
        NET_NOW,
        NET_BACKOFF,
};

struct net_step {
        enum net_state next;
        enum net_wait wait;
};

/* The table. */
struct net_step net_flow_next(enum net_state state, enum net_result result);

/* What an answer with HTTP STATUS means in STATE. CODE is the error's word in the answer's body ("" if it has
 * none): the same status says several things. */
enum net_result net_flow_status(enum net_state state, int status, const char *code);

enum net_peer { NET_TPM_HALF, NET_REGISTRAR, NET_VERIFIER, NET_NOBODY };
/* Whom a state talks to; what it does, for messages ("asking for a session"). */
enum net_peer net_flow_peer(enum net_state state);
const char *net_flow_doing(enum net_state state);

#endif
