/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_SETTINGS_H
#define AVOW_VERIFIER_SETTINGS_H

#include <stdint.h>

#include "base/conf.h"
#include "http/server.h"
#include "store/verifier_db.h"
#include "verifier/fuse.h"
#include "verifier/gather.h"

/* verifier.yaml as numbers; texts stay in the conf that they were read from. avow-verifier(8) is the
 * reference. */
struct settings {
        struct conf *conf;
        int64_t interval_ms;     /* interval.default */
        int64_t lease_ms;        /* of a pass; 0: two intervals */
        int64_t late_after_ms;   /* after the last evidence; 0: interval + grace */
        int64_t lost_after_ms;   /* 0: five intervals */
        int64_t challenge_ms;    /* challenge.lifetime */
        int64_t surprise;        /* challenge.surprise: one answer in so many asks again at once; 0: none */
        int64_t ear_lifetime_ms; /* ear.lifetime */
        int64_t tolerance_ms;    /* clock.tolerance */
        int64_t sessions_per_minute;
        int64_t wipe_ms; /* revocation.deadline: until a wipe has to be proven */
        struct fuse_limits fuse;
        bool keylime_admins; /* compat: keylime */
        struct history_limits history;
        struct http_limits limits;
        struct gather_limits gather;
        struct http_grant *grants;
        size_t n_grants;
        int log_level; /* enum log_level */
};

/* Reads FILE, FILE.d and the environment. Return: 0; -ERR_CONFIG with its place. */
int settings_load(const char *file, struct settings *ret, struct err *err) MUST_USE;
/* The same from a text, for tests. */
int settings_parse(struct view text, const char *name, struct settings *ret, struct err *err) MUST_USE;
void settings_done(struct settings *s);

#endif
