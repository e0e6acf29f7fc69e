/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORE_VERIFIER_STORE_H
#define TESTS_STORE_VERIFIER_STORE_H

#include "store/verifier_db.h"

#include "pump.h"

/* A verifier's database in a folder of its own, and what its last answer was. */
struct verifier_store {
        char dir[TMPDIR_BYTES], url[64];
        struct pump pump;
        struct verifier_db *db;
        int told; /* answers so far */
        enum store_outcome outcome;
};

static inline void verifier_store_open(struct verifier_store *s)
{
        struct err err = ERR_INIT;

        assert_ok(verifier_db_open(s->url, pump_post, &s->pump, NULL, &s->db, &err), &err);
}

static inline void verifier_store_begin(struct verifier_store *s)
{
        tmpdir_make(s->dir);
        (void)snprintf(s->url, sizeof(s->url), "sqlite:%s/v.db", s->dir);
        pump_init(&s->pump);
        verifier_store_open(s);
}

static inline void verifier_store_end(struct verifier_store *s)
{
        verifier_db_close(s->db);
        pump_done(&s->pump);
        tmpdir_remove(s->dir);
}

#endif
