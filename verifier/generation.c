/* SPDX-License-Identifier: Apache-2.0 */
/* A database that was put back from a backup is noticed, and said so loudly: what was decided since is not in
 * it. Spec: SR-17. */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "store/verifier_generation.h"
#include "verifier/verifier.h"

#define SQLITE "sqlite:"

/* `generation` in the folder of the database. NULL: no memory. */
static char *beside(const char *url)
{
        const char *path = str_starts(url, SQLITE) ? url + strlen(SQLITE) : url;
        const char *slash = strrchr(path, '/');

        return slash ? str_fmt("%.*s/generation", (int)(slash - path), path) : str_dup("generation");
}

int generation_start(struct verifier *v, struct err *err)
{
        const char *path = conf_str(v->settings.conf, "store.generation");
        bool restored = false;
        int r;

        v->generation = path ? str_dup(path) : beside(conf_str(v->settings.conf, "store.url"));
        if (!v->generation)
                return err_nomem(err);
        r = verifier_db_generation(v->db, v->generation, &restored, err);
        if (r < 0)
                return r;
        v->generation_ms = loop_now_ms();
        if (restored)
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT", "database-restored"}),
                         "the database was put back from a backup (or %s was lost): no host passes before "
                         "its whole log and its counters were read again; revocations that were decided "
                         "since the backup are known to the registrar ('avow revocation list')",
                         SHOW(v->generation));
        return 0;
}

static void on_renewed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        (void)ctx; /* nobody waits for it */
        if (outcome == STORE_FAILED)
                log_err(err, "the generation of the database is not renewed");
}

void generation_turn(struct verifier *v)
{
        struct err err = ERR_INIT;

        if (loop_now_ms() - v->generation_ms < GENERATION_RENEW_MS)
                return;
        v->generation_ms = loop_now_ms();
        if (verifier_db_generation_renew(v->db, v->generation, on_renewed, NULL, &err) < 0)
                log_err(&err, "the generation of the database is not renewed");
}
