/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_FUSE_H
#define AVOW_VERIFIER_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "store/verifier_revocations.h"

/*
 * The fuse: when more hosts are to be destroyed than chance explains, none is, until a second person agrees.
 * It counts hosts, not events, so that one host cannot blow it for others; it counts them when their destroy
 * is decided, not when it is carried out, so that the first of many is spared too. One count per policy and
 * one for all, whose policy is "". Spec: SR-3.
 */
struct fuse_limits {
        int64_t hosts;   /* more than so many … */
        int64_t percent; /* … and more than so much of the hosts */
        int64_t within_ms;
};

struct fuse;

int fuse_new(struct fuse **ret, struct err *err) MUST_USE;
void fuse_free(struct fuse *f);
DEFINE_AUTO(struct fuse, fuse_free)

/* HOST is to be destroyed, since AT_MS. Return: 0; -ERR_NOMEM. */
int fuse_note(struct fuse *f, const char *policy, const char *host, int64_t at_ms, struct err *err) MUST_USE;
/* Forgets what lies longer back than the window. (A host that passes again counts on for as long.) */
void fuse_expire(struct fuse *f, const struct fuse_limits *limits, int64_t now_ms);
/* Hosts that count. */
size_t fuse_count(const struct fuse *f, const char *policy);
/* Are COUNT of N_HOSTS too many? */
bool fuse_too_many(const struct fuse_limits *limits, size_t count, size_t n_hosts);

/* The hold on POLICY itself, borrowed; NULL: there is none. */
const struct hold *fuse_hold(const struct fuse *f, const char *policy);
/* Does a hold that nobody confirmed stand against destroys under POLICY? */
bool fuse_holds(const struct fuse *f, const char *policy);
/* Was POLICY's hold confirmed, and is that still good? */
bool fuse_confirmed(const struct fuse *f, const char *policy, int64_t now_ms);
/* Takes HOLD over, in the place of one on the same policy. Return: 0; -ERR_NOMEM, HOLD untouched. */
int fuse_put_hold(struct fuse *f, struct hold *hold, struct err *err) MUST_USE;
void fuse_remove_hold(struct fuse *f, const char *policy);
size_t fuse_n_holds(const struct fuse *f);
/* Walks in no order; *POS starts at 0. The one just returned may be removed. */
const struct hold *fuse_next_hold(const struct fuse *f, size_t *pos);

#endif
