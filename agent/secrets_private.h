/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SECRETS_PRIVATE_H
#define AVOW_AGENT_SECRETS_PRIVATE_H

#include "agent/secrets.h"
#include "wire/approval.h"
#include "wire/secret_file.h"

/* The store's insides: secrets.c holds documents, secrets_copies.c the log of copies. */
enum secrets_kind { SECRETS_SECRET, SECRETS_APPROVAL };

struct secrets_index {
        struct secrets_entry *secrets;
        struct secrets_approval *approvals;
        size_t n_secrets, n_approvals;
};

struct secrets {
        char *dir; /* state.dir */
        struct secrets_index index;
        struct secrets_copy *copies;
        size_t n_copies, n_lines; /* lines of the log: several may be about one copy */
        const char *reason;       /* why hand-outs are refused, or NULL */
        char *reason_owned;
        void (*on_refuse)(void *ctx);
        void *on_refuse_ctx;
};

char *secrets_path(const struct secrets *s, enum secrets_kind kind, const char *name) MUST_USE;
int secrets_copies_load(struct secrets *s, struct err *err) MUST_USE;

#endif
