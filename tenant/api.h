/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_API_H
#define AVOW_TENANT_API_H

#include <jansson.h>

#include "base/bytes.h"
#include "http/client.h"
#include "tenant/command.h"

/*
 * A server, from the side of a command: one request, its answer, and what a person reads when there is none.
 * Certificates and addresses come from the configuration (settings.h).
 */
enum api_server { API_REGISTRAR, API_VERIFIER };

struct api;

/* Reads the configuration; no connection is made yet. Return: 0; -ERR_CONFIG; -ERR_NOMEM. */
int api_open(const struct session *s, enum api_server server, struct api **ret, struct err *err) MUST_USE;
void api_close(struct api *api);
DEFINE_AUTO(struct api, api_close)

/* What is sent. Text of people in PATH and in values of the query goes through api_escape(). */
struct api_request {
        const char *method;
        const char *path;         /* with its query: "/avow/v1/hosts?limit=10" */
        const char *content_type; /* with a body only; NULL: application/json */
        struct view body;
};

/*
 * Sends and waits. *ret_answer is freed with http_fetched_free(). Return: 0 for an answer of 2xx. Else the
 * server's own words ("verifier: no such policy …"), err->code the status: -ERR_CONFIG for 400 and 422 (the
 * sender's mistake), -ERR_PEER for any other; or -ERR_PEER with code 0 when there was no answer.
 */
int api_send(struct api *api, const struct api_request *req, struct http_fetched **ret_answer,
             struct err *err) MUST_USE;

/* The same with JSON both ways. BODY may be NULL; RET too, when only success counts. */
int api_json(struct api *api, const char *method, const char *path, const json_t *body, json_t **ret,
             struct err *err) MUST_USE;

/* TEXT for one path segment or query value: all but A-Z a-z 0-9 - . _ ~ as %XX. Return: NULL: no memory. */
char *api_escape(const char *text) MUST_USE;

#endif
