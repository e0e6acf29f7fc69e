/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_REPLY_H
#define AVOW_VERIFIER_REPLY_H

#include "http/server.h"
#include "verifier/hosts.h"
#include "wire/wire.h"

/* Answers that several files give. */
struct verifier;

/* JSON:API's error document with Keylime's code. */
void reply_v3_error(struct http_request *req, int status, const char *code, const char *detail);
/* The v2 envelope, RESULTS borrowed (NULL: {}). */
void reply_v2(struct http_request *req, int status, const char *text, const json_t *results);
/* BODY if encoding went well (R >= 0), else 503; frees BODY. */
void reply_encoded(struct http_request *req, int r, int status, const char *type, struct buf *body);
/* A failure of ours: logged here with what was DOING; the peer gets 503 and the kind. */
void reply_failure(struct http_request *req, const struct err *err, const char *doing);
/* A JSON document of ours; NULL (no memory) is 503. Takes the reference. */
void reply_json(struct http_request *req, int status, json_t *doc);

/* The body's media type; else answers 415. */
bool reply_wants_type(struct http_request *req, const char *type);
/* The query's number, DEF if it is not there; answers 400 and returns false if it is none. */
bool reply_query_int(struct http_request *req, const char *name, int64_t min, int64_t max, int64_t def,
                     int64_t *ret);
/* Is nothing to be changed? Any value but "false" says so: who writes dry_run=1 must not be taken at the
 * other word. */
bool reply_dry_run(const struct http_request *req);
/* For a request that cannot be tried: answers 400 and returns false if it is asked to. */
bool reply_no_dry_run(struct http_request *req);
/* "CN=ann (admin)": who asks, for audit records. */
void reply_actor(const struct http_request *req, struct buf *out);

/* The host in the path; else answers 404, or 503 while hosts are being read, and returns NULL. */
struct verifier;
struct host *reply_host(struct verifier *v, struct http_request *req);

/* The host that a bearer token speaks for, if it is the one in the path; else answers 401 or 403 and returns
 * NULL. */
struct session;
struct host *reply_agent(struct verifier *v, struct http_request *req, struct session **ret_session);

#endif
