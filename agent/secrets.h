/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_SECRETS_H
#define AVOW_AGENT_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/*
 * What this host holds of secrets: sealed blobs and approvals on the disk, never a secret in clear. The set
 * is the verifier's: state.dir/secrets/NAME.json and state.dir/approvals/ID.json are replaced by what it
 * sends, so that a folder that was lost comes back. Beside them is the hand-out log, which remembers across
 * restarts who got a copy of what, because those copies are what a wipe cannot reach by itself (SR-25).
 *
 * Nothing here is trusted for secrecy: a blob that somebody put there opens only if the TPM finds its policy
 * fulfilled.
 */
struct secrets;

#define SECRETS_MAX         256        /* of a host; the same number of approvals */
#define SECRETS_SET_BYTES   (4u << 20) /* of the text that the verifier sends */
#define SECRETS_COPIES_MAX  4096       /* rows of the hand-out log, one for each unit and secret */
#define SECRETS_UNIT_BYTES  256        /* systemd's limit for the name of a unit, with its end */
#define SECRETS_NAME_BYTES  65         /* str_valid_name(), with its end */
#define SECRETS_CLASS_BYTES SECRETS_NAME_BYTES

/*
 * Reads what STATE_DIR holds, making the folders. A file that is no secret (torn by a crash, edited) is left
 * aside with a warning in RET_ODD: the verifier sends it again. Return: 0; -ERR_IO, -ERR_NOMEM, -ERR_FORMAT
 * if the hand-out log cannot be read (so that no copy is forgotten without a word).
 */
int secrets_new(const char *state_dir, struct secrets **ret, struct strv *ret_odd, struct err *err) MUST_USE;
void secrets_free(struct secrets *s);
DEFINE_AUTO(struct secrets, secrets_free)

/*
 * Takes the verifier's set {"secrets": […], "approvals": […], "floor": N}: new and changed files are written
 * durably, then those that are no longer in it are removed. Either all of TEXT is well-formed and for HOST,
 * or nothing changes. RET_FLOOR: what the floor counter has to reach. Return: 0; -ERR_FORMAT, -ERR_LIMIT;
 * -ERR_CONFIG while hand-outs are refused (a wiped host takes no blobs); -ERR_IO (a full disk): what was
 * there is still there, and the same set may be taken again.
 */
int secrets_take(struct secrets *s, const char *host, struct view text, uint64_t *ret_floor,
                 struct err *err) MUST_USE;

/* ---- for hand-outs */

struct secret_file;
struct approval;

struct secrets_entry {
        char name[SECRETS_NAME_BYTES], class[SECRETS_CLASS_BYTES];
        uint64_t version;
        bool revocable, release_local;
        bool plain; /* PolicyPCR alone: no approval, no release */
};
struct secrets_approval {
        char id[SECRETS_NAME_BYTES], class[SECRETS_CLASS_BYTES];
        uint64_t version;
};
/* NULL: there is none. Both are borrowed until the next secrets_take() or secrets_forget(). */
const struct secrets_entry *secrets_find(const struct secrets *s, const char *name) MUST_USE;
size_t secrets_approvals(const struct secrets *s, const struct secrets_approval **ret);

/* Reads the documents themselves. Return: 0; -ERR_IO, -ERR_FORMAT, … */
int secrets_load(const struct secrets *s, const char *name, struct secret_file *ret,
                 struct err *err) MUST_USE;
int secrets_load_approval(const struct secrets *s, const char *id, struct approval *ret,
                          struct err *err) MUST_USE;

/* ---- for revocations
 *
 * Refuses hand-outs from now on, for REASON (shown to whoever asks): at once, in memory, cannot fail. Whoever
 * holds an unsealed copy in this process looks at secrets_refused() before each step, and is told by
 * secrets_on_refuse() at once. Not kept across restarts: the journal of revocations calls it again before
 * anything is served.
 */
void secrets_refuse(struct secrets *s, const char *reason);
void secrets_admit(struct secrets *s);
/* The reason, or NULL. */
const char *secrets_refused(const struct secrets *s) MUST_USE;
/* FN is called at each secrets_refuse() and secrets_forget(): the one place that drops what is in memory and
 * in the private tmpfs. */
void secrets_on_refuse(struct secrets *s, void (*fn)(void *ctx), void *ctx);

/*
 * Deletes all blobs and approvals (and, by secrets_on_refuse()'s function, the files in the tmpfs). The
 * hand-out log stays. Safe to repeat; goes on after a file that cannot be removed. Return: 0; -ERR_IO naming
 * the first that is still there.
 */
int secrets_forget(struct secrets *s, struct err *err) MUST_USE;

/* Names of the secrets that are held now and that no increment ends (SR-6), for the proof's list *not
 * destroyed*: ask before secrets_forget(), and write them down. Return: 0; -ERR_NOMEM. */
int secrets_not_revocable(const struct secrets *s, struct strv *ret, struct err *err) MUST_USE;

/* A copy that left: to whom, of what, for how long it was good. One row for each unit and secret, the last
 * hand-out; UNIT is empty where an ACL named a uid alone, and "module SHA256" for what the launcher runs. */
#define SECRETS_HOLDER_MODULE "module "
struct secrets_copy {
        char unit[SECRETS_UNIT_BYTES];
        char secret[SECRETS_NAME_BYTES];
        uint32_t uid;
        int64_t at_ms;    /* wall clock */
        uint32_t lease_s; /* 0: `release: local`, no lease */
        bool revocable;
};
/* All of them, borrowed until the next hand-out. */
size_t secrets_copies(const struct secrets *s, const struct secrets_copy **ret);
/* Durable when it returns 0, and called before the bytes go out. */
int secrets_note_copy(struct secrets *s, const struct secrets_copy *copy, struct err *err) MUST_USE;
/* The units were stopped and the proof is with the verifier: the log begins anew. */
int secrets_forget_copies(struct secrets *s, struct err *err) MUST_USE;

#endif
