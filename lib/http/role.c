/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles as bits, their names, and the two URI forms that carry a role and a tenant in a certificate. A name
 * that is not in the table gives nothing: deny by default (SR-12).
 */
#include "http/role.h"

#include <string.h>

static const struct {
        uint32_t role;
        const char *name;
} names[] = {
        {ROLE_ADMIN, "admin"},       {ROLE_POLICY_ADMIN, "policy-admin"}, {ROLE_HOOK_ADMIN, "hook-admin"},
        {ROLE_TENANT, "tenant"},     {ROLE_AUDITOR, "auditor"},           {ROLE_RECOVERY, "recovery"},
        {ROLE_VERIFIER, "verifier"}, {ROLE_REGISTRAR, "registrar"},       {ROLE_AGENT, "agent"},
};

#define ROLE_URI   "urn:avow:role:"
#define TENANT_URI "urn:avow:tenant:"

uint32_t role_by_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (strcmp(name, names[i].name) == 0)
                        return names[i].role;
        return 0;
}

const char *role_name(uint32_t role)
{
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (role == names[i].role)
                        return names[i].name;
        return "?";
}

void role_text(uint32_t roles, struct buf *out)
{
        bool first = true;

        if (roles & ROLE_PUBLIC) {
                buf_str(out, "anybody");
                return;
        }
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                if (!(roles & names[i].role))
                        continue;
                buf_str(out, first ? "" : ", ");
                buf_str(out, names[i].name);
                first = false;
        }
        if (roles & ROLE_BEARER) {
                buf_str(out, first ? "" : ", ");
                buf_str(out, "a token's owner");
                first = false;
        }
        if (first)
                buf_str(out, "nobody");
}

uint32_t role_of_uri(const char *uri)
{
        if (strncmp(uri, ROLE_URI, strlen(ROLE_URI)) != 0)
                return 0;
        return role_by_name(uri + strlen(ROLE_URI));
}

const char *role_tenant_of_uri(const char *uri)
{
        const char *name;
        size_t n;

        if (strncmp(uri, TENANT_URI, strlen(TENANT_URI)) != 0)
                return NULL;
        name = uri + strlen(TENANT_URI);
        n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
        if (n == 0 || n > 64 || name[n] != '\0')
                return NULL;
        return name;
}
