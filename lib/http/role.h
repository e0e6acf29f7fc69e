/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_ROLE_H
#define AVOW_HTTP_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/macro.h"

/*
 * Who may do what: a peer's roles are a set of bits, and so are the roles that a route accepts. A peer gets
 * in when the two sets meet. Roles come from SAN URIs `urn:avow:role:NAME` of a verified client certificate,
 * or from a grant to a certificate's key in the configuration. Pure.
 * Spec: SR-12; contracts, Roles.
 */
enum role {
        ROLE_ADMIN = 1u << 0, /* implies no other: rows name every role that they accept */
        ROLE_POLICY_ADMIN = 1u << 1,
        ROLE_HOOK_ADMIN = 1u << 2,
        ROLE_TENANT = 1u << 3,
        ROLE_AUDITOR = 1u << 4, /* reads everything, changes nothing */
        ROLE_RECOVERY = 1u << 5,
        ROLE_VERIFIER = 1u << 6,
        ROLE_REGISTRAR = 1u << 7,
        ROLE_AGENT = 1u << 8,
        /* For route rows only; no certificate gives them. */
        ROLE_BEARER = 1u << 30, /* whoever sends `Authorization: Bearer`; the handler checks the token */
        ROLE_PUBLIC = 1u << 31, /* anybody */
};

#define ROLE_NAMED 0x1ffu /* all roles that a certificate can hold */

/* "policy-admin" → ROLE_POLICY_ADMIN. Return: 0 for a name that is no role. */
uint32_t role_by_name(const char *name);
/* The name of one role bit; "?" for none. */
const char *role_name(uint32_t role);
/* Writes "admin, auditor" (or "anybody", "nobody") into OUT. */
void role_text(uint32_t roles, struct buf *out);

/* The role that a SAN URI states: `urn:avow:role:NAME`. Return: 0 for any other URI. */
uint32_t role_of_uri(const char *uri);
/* The tenant that a SAN URI states: `urn:avow:tenant:NAME`, borrowed from it. Return: NULL for any other URI
 * or a name that is not [A-Za-z0-9_.-]{1,64}. */
const char *role_tenant_of_uri(const char *uri);

#endif
