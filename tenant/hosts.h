/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_HOSTS_H
#define AVOW_TENANT_HOSTS_H

#include <jansson.h>

#include "base/err.h"
#include "tenant/api.h"
#include "tenant/command.h"

/*
 * Hosts as a person sees them: the registrar knows which TPM a name belongs to, the verifier what its
 * evidence shows; here the two become one. Pure, but for host_get()
 * and hosts_each().
 */

/* What a command answers that shows a host in STATE and TRUST (NULL: unknown): NO for fail, lost
 * or revoked, UNDECIDED for late, inconclusive or suspended, else DONE. */
enum answer hosts_answer(const char *state, const char *trust);
/* The graver of two: NO before UNDECIDED before DONE. */
enum answer hosts_worse(enum answer a, enum answer b);

/*
 * One host out of two views, of which one may be NULL: the verifier's members, "registered" (a TPM has proven
 * itself), and "ek" from the registrar where the verifier has none. A host that the verifier does not know is
 * "new". Return: a new reference, NULL when out of memory.
 */
json_t *hosts_merge(const json_t *verifier, const json_t *registrar) MUST_USE;

/*
 * Merges a page of each (arrays ordered bytewise by "name") into one ordered page of at most LIMIT. A page
 * that is not the last (MORE_x) says nothing about names behind its end, so the merged page stops there.
 * *RET_NEXT (borrowed from the pages) is the cursor for the next call, or NULL at the end. Return: a new
 * array, NULL when out of memory.
 */
struct hosts_page {
        const json_t *hosts;
        bool more;
};
json_t *hosts_merge_pages(struct hosts_page verifier, struct hosts_page registrar, size_t limit,
                          const char **ret_next) MUST_USE;

/* What a server says about a name. Return: 0 with *ret (NULL if it does not know the name), or < 0. */
int host_get(struct api *api, const char *name, json_t **ret, struct err *err) MUST_USE;

/* Calls FN(arg, host) with each host that the server of API has, in the order of names, page by page. Return:
 * 0; what FN returned if < 0; < 0 as api_json(). */
int hosts_each(struct api *api, int (*fn)(void *arg, const json_t *host, struct err *err), void *arg,
               struct err *err) MUST_USE;

/* "/avow/v1/hosts/NAME" and SUFFIX. Return: 0; -ERR_CONFIG for a name that is none; -ERR_NOMEM. */
int host_path(const char *name, const char *suffix, char **ret, struct err *err) MUST_USE;

/* A member as text, or NULL. */
const char *host_text(const json_t *host, const char *name);

#endif
