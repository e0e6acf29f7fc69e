/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_POLICY_DESK_H
#define AVOW_VERIFIER_POLICY_DESK_H

#include "policy/module_policy.h"
#include "policy/signed.h"
#include "verifier/verifier.h"

/* What the routes of the two kinds of policies share: /avow/v1/policies and /avow/v1/modules. Their handlers
 * get a struct policy_desk. */
#define POLICY_SOURCE_MAX 255
#define POLICY_READERS    (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)
#define POLICY_WRITERS    (ROLE_ADMIN | ROLE_POLICY_ADMIN)

/* A request that waits for the store. */
struct pushing {
        struct verifier *v;
        enum stored_kind kind;
        struct http_request *req;
        char *name;
        char *source;
        struct policy *policy;         /* STORED_POLICY */
        struct module_policy *modules; /* STORED_MODULES */
        struct dsse envelope;          /* n_signatures 0: it came without */
        struct view text;              /* of the policy: the envelope's, or the request's */
        char *signatures, *signed_by;  /* as they are stored */
        int64_t now_ms, overlap_ms;
        int64_t version; /* before */
        bool force;
        size_t newly_failing;        /* of those that were forced */
        struct stored_policy stored; /* of a push: what it became */
};

struct pushing *pushing_new(struct policy_desk *desk, struct http_request *req);
void pushing_free(struct pushing *p);
DEFINE_AUTO(struct pushing, pushing_free)

/* The query's overlap, as a time. Return: false with the answer given. */
bool pushing_read_overlap(struct http_request *req, int64_t now_ms, int64_t *ret_until_ms);
/* 400 for a text that is no policy, with its place as `where`; 503. */
void pushing_refuse(struct http_request *req, const struct err *err, const char *source);
/* Takes the text out of the request, and out of its envelope; asks for the signatures that are needed.
 * Return: false with the answer given. */
bool pushing_open(struct pushing *p);
/* Writes the version down, whose SHA-256 is given, and calls ON_PUSHED with P; or answers at once (dry_run,
 * or no memory), and P is gone. */
void pushing_store(struct pushing *p, const struct digest *sha256, int64_t newest,
                   verifier_policies_fn on_pushed);
/* The answer to a push. */
json_t *pushing_view(const struct pushing *p, const struct stored_policy *stored, bool unchanged, bool dry);

void desk_on_list(struct http_request *req, void *ctx);
void desk_on_show(struct http_request *req, void *ctx);
void desk_on_show_version(struct http_request *req, void *ctx);
void desk_on_remove(struct http_request *req, void *ctx);

#endif
