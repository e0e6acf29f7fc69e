/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network half's course, as two tables.
 *
 * Nothing a server answers ends the agent or stops it for good: a server that is away is tried again, a
 * session that is refused is replaced, a host that nobody enrolled waits for it. Every way back into a
 * request that failed goes through a back-off, so that no answer can make the agent spin.
 *
 * Spec: Keylime push model 3.0; issue "A host proves itself": 401 and 403 give a new session, 404 waits.
 */
#include "agent/net_flow.h"

#include <stddef.h>
#include <string.h>

/* `done` and `skip` say where to go on; the others where to begin again, always after a back-off. */
static const struct row {
        enum net_peer peer;
        const char *doing;
        struct net_step done, skip;
        enum net_state away, denied, unknown, stale;
} rows[NET_N_STATES] = {
        /* clang-format off */
        [NET_IDENTITY] = {NET_TPM_HALF, "reading the host's identity",
                {NET_VERSION, NET_NOW}, {NET_SESSION, NET_NOW}, /* skip: registered before */
                NET_IDENTITY, NET_IDENTITY, NET_IDENTITY, NET_IDENTITY},
        [NET_VERSION] = {NET_REGISTRAR, "asking the registrar for its versions",
                {NET_REGISTER, NET_NOW}, {NET_SESSION, NET_NOW}, /* skip: no registrar configured */
                NET_VERSION, NET_VERSION, NET_VERSION, NET_VERSION},
        [NET_REGISTER] = {NET_REGISTRAR, "registering",
                {NET_CREDENTIAL, NET_NOW}, {NET_SESSION, NET_NOW},
                NET_VERSION, NET_VERSION, NET_VERSION, NET_VERSION},
        [NET_CREDENTIAL] = {NET_TPM_HALF, "opening the registrar's challenge",
                {NET_ACTIVATE, NET_NOW}, {NET_SESSION, NET_NOW},
                NET_IDENTITY, NET_VERSION, NET_VERSION, NET_VERSION},
        [NET_ACTIVATE] = {NET_REGISTRAR, "answering the registrar's challenge",
                {NET_SESSION, NET_NOW}, {NET_SESSION, NET_NOW},
                NET_VERSION, NET_VERSION, NET_VERSION, NET_VERSION},
        [NET_SESSION] = {NET_VERIFIER, "asking the verifier for a session",
                {NET_PROOF, NET_NOW}, {NET_SESSION, NET_BACKOFF}, /* skip: no verifier configured */
                NET_SESSION, NET_SESSION, NET_SESSION, NET_SESSION},
        [NET_PROOF] = {NET_TPM_HALF, "proving possession of the AK",
                {NET_LOGIN, NET_NOW}, {NET_SESSION, NET_BACKOFF},
                NET_SESSION, NET_SESSION, NET_SESSION, NET_SESSION},
        [NET_LOGIN] = {NET_VERIFIER, "opening the session",
                {NET_REFRESH, NET_NOW}, {NET_VERSION, NET_BACKOFF}, /* skip: unknown there; register again */
                NET_SESSION, NET_SESSION, NET_SESSION, NET_SESSION},
        [NET_REFRESH] = {NET_TPM_HALF, "reading the length of the log",
                {NET_OFFER, NET_NOW}, {NET_OFFER, NET_NOW},
                NET_REFRESH, NET_REFRESH, NET_REFRESH, NET_REFRESH},
        [NET_OFFER] = {NET_VERIFIER, "offering evidence",
                {NET_COLLECT, NET_NOW}, {NET_REFRESH, NET_BACKOFF}, /* skip: nothing was asked for */
                NET_REFRESH, NET_SESSION, NET_SESSION, NET_REFRESH},
        [NET_COLLECT] = {NET_TPM_HALF, "collecting evidence",
                {NET_SEND, NET_NOW}, {NET_REFRESH, NET_NOW}, /* skip: the log began anew meanwhile */
                NET_REFRESH, NET_REFRESH, NET_REFRESH, NET_REFRESH},
        [NET_SEND] = {NET_VERIFIER, "sending evidence",
                {NET_IDLE, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_REFRESH, NET_SESSION, NET_SESSION, NET_REFRESH},
        [NET_IDLE] = {NET_NOBODY, "waiting for the next attestation",
                {NET_COLLECT, NET_NOW}, {NET_REFRESH, NET_NOW}, /* skip: no challenge in hand */
                NET_REFRESH, NET_REFRESH, NET_REFRESH, NET_REFRESH},
        [NET_WANTED] = {NET_TPM_HALF, "asking which release or permit is wanted",
                {NET_CLAIM, NET_NOW}, {NET_IDLE, NET_NOW}, /* skip: none any more */
                NET_IDLE, NET_IDLE, NET_IDLE, NET_IDLE},
        [NET_CLAIM] = {NET_VERIFIER, "asking for a release or permit",
                {NET_SHOW, NET_NOW}, {NET_RELEASE, NET_NOW},
                NET_WANTED, NET_SESSION, NET_RELEASE, NET_WANTED},
        [NET_SHOW] = {NET_TPM_HALF, "collecting evidence for a release or permit",
                {NET_EARN, NET_NOW}, {NET_WANTED, NET_BACKOFF}, /* skip: the log began anew meanwhile */
                NET_WANTED, NET_WANTED, NET_WANTED, NET_WANTED},
        [NET_EARN] = {NET_VERIFIER, "earning a release or permit",
                {NET_RELEASE, NET_NOW}, {NET_IDLE, NET_NOW}, /* skip: the whole log is wanted first */
                NET_WANTED, NET_SESSION, NET_WANTED, NET_WANTED},
        [NET_RELEASE] = {NET_TPM_HALF, "handing a release or permit over",
                {NET_IDLE, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_IDLE, NET_IDLE, NET_IDLE, NET_IDLE},
        [NET_SECRETS] = {NET_VERIFIER, "fetching this host's secrets",
                {NET_KEEP, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_IDLE, NET_SESSION, NET_IDLE, NET_IDLE},
        [NET_KEEP] = {NET_TPM_HALF, "handing secrets over",
                {NET_IDLE, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_IDLE, NET_IDLE, NET_IDLE, NET_IDLE},
        [NET_RECEIPTS] = {NET_TPM_HALF, "reading receipts",
                {NET_COUNTERSIGN, NET_NOW}, {NET_IDLE, NET_NOW}, /* skip: none wait any more */
                NET_IDLE, NET_IDLE, NET_IDLE, NET_IDLE},
        [NET_COUNTERSIGN] = {NET_VERIFIER, "asking for countersignatures",
                {NET_SETTLE, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_IDLE, NET_SESSION, NET_IDLE, NET_IDLE},
        [NET_SETTLE] = {NET_TPM_HALF, "handing countersignatures over",
                {NET_IDLE, NET_NOW}, {NET_IDLE, NET_NOW},
                NET_IDLE, NET_IDLE, NET_IDLE, NET_IDLE},
        /* clang-format on */
};

struct net_step net_flow_next(enum net_state state, enum net_result result)
{
        const struct row *row = &rows[state];
        const struct net_step next[NET_N_RESULTS] = {
                [NET_DONE] = row->done,
                [NET_SKIP] = row->skip,
                [NET_AWAY] = {row->away, NET_BACKOFF},
                [NET_DENIED] = {row->denied, NET_BACKOFF},
                [NET_UNKNOWN] = {row->unknown, NET_BACKOFF},
                [NET_STALE] = {row->stale, NET_BACKOFF},
                [NET_REFUSED] = {row->away, NET_BACKOFF},
                [NET_WANT] = {NET_WANTED, NET_NOW},
                [NET_NEWS] = {NET_SECRETS, NET_NOW},
                [NET_OWED] = {NET_RECEIPTS, NET_NOW},
        };
        return next[result];
}

#define ANY NET_N_STATES

/* The first row that fits. Several states answer with one status, and one status says several things. */
static const struct {
        enum net_state state;
        int from, to;
        const char *code; /* NULL: any */
        enum net_result result;
} statuses[] = {
        {ANY, 200, 202, NULL, NET_DONE},
        {ANY, 408, 408, NULL, NET_AWAY},
        {ANY, 425, 425, NULL, NET_AWAY},
        {ANY, 429, 429, NULL, NET_AWAY},
        {ANY, 500, 599, NULL, NET_AWAY},
        {ANY, 401, 401, NULL, NET_DENIED},
        {NET_SEND, 403, 403, "challenges_expired", NET_STALE},
        {NET_SEND, 403, 403, "evidence_immutable", NET_STALE},
        {NET_SEND, 403, 403, "old_attestation", NET_STALE},
        {NET_CLAIM, 403, 403, NULL, NET_DONE},
        {NET_EARN, 403, 403, NULL, NET_DONE}, /* a refusal with its reason, which is for the one who asks */
        {ANY, 403, 403, NULL, NET_DENIED},
        {NET_LOGIN, 404, 404, NULL, NET_STALE},
        {NET_OFFER, 404, 404, NULL, NET_UNKNOWN},
        {NET_SEND, 404, 404, NULL, NET_UNKNOWN},
        {NET_CLAIM, 404, 404, NULL, NET_UNKNOWN},
        {NET_EARN, 404, 404, NULL, NET_STALE},
        {NET_SECRETS, 404, 404, NULL, NET_UNKNOWN},
        {NET_COUNTERSIGN, 404, 404, NULL, NET_UNKNOWN},
        {NET_COUNTERSIGN, 409, 409, NULL, NET_AWAY},
        {NET_CLAIM, 409, 409, NULL, NET_AWAY},
        {NET_EARN, 409, 409, NULL, NET_AWAY},
        {NET_SEND, 409, 410, NULL, NET_STALE},
        {ANY, 0, 999, NULL, NET_REFUSED},
};

enum net_result net_flow_status(enum net_state state, int status, const char *code)
{
        for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
                if (statuses[i].state != ANY && statuses[i].state != state)
                        continue;
                if (status < statuses[i].from || status > statuses[i].to)
                        continue;
                if (statuses[i].code == NULL || strcmp(statuses[i].code, code) == 0)
                        return statuses[i].result;
        }
        return NET_REFUSED;
}

enum net_peer net_flow_peer(enum net_state state)
{
        return rows[state].peer;
}

const char *net_flow_doing(enum net_state state)
{
        return rows[state].doing;
}
