/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of kind agent: each revocation goes to the host that it is about, on the agent's own listener.
 *
 * Where that is, the host's label `listener` says (ADDRESS or ADDRESS:PORT), which an administrator gave it
 * at the verifier, and which stands in the signed payload. What a host says of its own address at
 * registration is a claim that nobody signed (SR-9), and is not used. Who answers there must hold the key of
 * the certificate that the host registered with its TPM's keys: no other name or CA counts, so that nobody on
 * the way can say for the host that it has been told. All the same, nothing rests on it: the agent believes
 * the verifier's signature only, and the host's newest order reaches it by the long poll and by its next
 * evidence too. So a listener that cannot be had costs speed, and what was given up is skipped, not parked.
 */
#include "delivery_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/problem.h"

#define LABEL          "listener"
#define PORT           "9002" /* where a label names none */
#define PATH           "/avow/v1/revocations"
#define RESPONSE_BYTES (64u * 1024)
#define STATUS_REFUSED 422 /* the host's TPM half will not take it, now or later */

/* A site's hosts have private addresses mostly, and the address is an administrator's word; but loopback and
 * link-local addresses, where clouds keep their metadata, are no host's. */
static bool may_connect(void *ctx, const struct sockaddr *address)
{
        return address_is_site(address) || delivery_may_connect(ctx, address);
}

/* An address that makes a URL and nothing but its host and port. */
static bool valid_address(const char *text)
{
        size_t n = strlen(text);

        return n > 0 && n <= 255 &&
               strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]") == n;
}

static bool has_port(const char *address)
{
        const char *end = strrchr(address, ']');

        return strchr(end ? end : address, ':') != NULL;
}

int delivery_find_listener(struct attempt *a, const struct revocation *rev, struct err *err)
{
        const char *label = json_string_value(json_object_get(rev->labels, LABEL));

        a->host = str_dup(rev->host);
        a->listener = label ? str_dup(label) : NULL;
        return !a->host || (label && !a->listener) ? err_nomem(err) : 0;
}

/* ---- the answer ---- */

static void on_answer(void *ctx, const struct http_response *res, const struct err *err)
{
        struct attempt *a = ctx;
        struct wire_problem p = {.status = 0};
        struct err why = ERR_INIT, ignored = ERR_INIT;
        bool told;

        if (!res) {
                delivery_finish(a, err, false, -1);
                return;
        }
        if (res->status >= 200 && res->status < 300) {
                delivery_finish(a, NULL, false, -1);
                return;
        }
        told = res->body.len > 0 && wire_problem_decode(res->body, &p, &ignored) == 0;
        (void)err_set(&why, ERR_PEER, res->status, "the agent answered %d%s%s", res->status, told ? ": " : "",
                      told ? SHOW(p.detail ? p.detail : p.title) : "");
        if (told)
                wire_problem_done(&p);
        delivery_finish(a, &why, res->status == STATUS_REFUSED, res->retry_after_ms);
}

/* ---- the request ---- */

static int send_to(struct attempt *a, const char *certificate, struct err *err)
{
        const struct target *t = a->t;
        int64_t timeout_ms = t->hook.timeout_ms ? t->hook.timeout_ms : t->d->s.timeout_ms;
        AUTO(mem_free_p)
        char *url = str_fmt("https://%s%s" PATH, a->listener, has_port(a->listener) ? "" : ":" PORT);
        const struct http_client_options options = {.ca_pem = certificate,
                                                    .any_host_name = true, /* it is that key or none */
                                                    .connections_per_host = 1,
                                                    .connect_timeout_ms = timeout_ms,
                                                    .may_connect = may_connect,
                                                    .may_connect_ctx = t->d};
        const struct http_header id = {"webhook-id", a->id};
        const struct http_call call = {.method = "POST",
                                       .url = url,
                                       .headers = &id,
                                       .n_headers = 1,
                                       .content_type = EVENT_TYPE_JSON,
                                       .body = view_str(a->body),
                                       .timeout_ms = timeout_ms,
                                       .max_response_bytes = RESPONSE_BYTES};
        int r = url ? http_client_new(t->d->loop, &options, &a->client, err) : err_nomem(err);

        return r < 0 ? r : http_client_send(a->client, &call, on_answer, a, NULL, err);
}

static void on_host(void *ctx, const struct registrar_result *result)
{
        struct attempt *a = ctx;
        const struct registrar_host *h = result->n_hosts ? &result->hosts[0] : NULL;
        const char *certificate = h && h->active ? h->identity.mtls_cert : NULL;
        struct err err = ERR_INIT;

        if (a->t->d->stopped)
                return; /* the outbox has it still */
        if (result->outcome == STORE_FAILED) {
                delivery_finish(a, result->err, false, -1);
        } else if (!certificate || !str_starts(certificate, "-----BEGIN")) {
                (void)err_set(&err, ERR_CONFIG, 0, "host %s is not registered with a certificate", a->host);
                delivery_finish(a, &err, true, -1);
        } else if (send_to(a, certificate, &err) < 0) {
                delivery_finish(a, &err, false, -1);
        }
}

int delivery_send_agent(struct attempt *a, struct err *err)
{
        const struct target *t = a->t;
        struct err why = ERR_INIT;

        if (!a->host)
                return err_set(err, ERR_CONFIG, 0,
                               "a hook of kind agent leads to the host that an event is about: a test is "
                               "about none");
        if (a->listener && valid_address(a->listener))
                return registrar_db_get(t->d->hosts, t->hook.tenant, a->host, on_host, a, err);
        if (a->listener)
                (void)err_set(&why, ERR_CONFIG, 0, "label " LABEL ": %s is no ADDRESS:PORT",
                              SHOW(a->listener));
        else
                (void)err_set(&why, ERR_CONFIG, 0, "host %s has no label " LABEL, a->host);
        delivery_finish(a, &why, true, -1);
        return 0;
}
