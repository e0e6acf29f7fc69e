/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_WIPE_PRIVATE_H
#define AVOW_AGENT_WIPE_PRIVATE_H

#include "agent/wipe.h"
#include "agent/wipe_journal.h"

/* The inside of a wipe: for wipe.c, wipe_steps.c and wipe_prove.c alone. */
struct wipe {
        struct wipe_options o;
        char *path;
        struct wipe_journal j; /* j.jws NULL: no order ever came */
        bool behind;           /* the file lacks what J has */
        bool hooks_run;
        char *reason;           /* NULL: hand-outs are admitted */
        struct pubkey *counter; /* the key that the counter's write policy names; NULL: none was named */
};

/* Writes the journal. A disk that does not take it stops nothing: it is tried again. */
void wipe_note(struct wipe *w);
/* The steps that the order has. */
unsigned wipe_steps_of(enum reaction reaction);

#endif
