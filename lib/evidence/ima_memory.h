/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_IMA_MEMORY_H
#define AVOW_EVIDENCE_IMA_MEMORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/ima.h"
#include "evidence/ima_signature.h"

/*
 * What is remembered of a host's measurement list between two rounds: the kernel's half of a continuation.
 *
 * Entries that were allowed leave nothing behind but their place in the register: a host in good order costs
 * a few hundred bytes, however long its list. What was not allowed is kept, because it counts until a policy
 * allows it or the host reboots (SR-16); so are files of runtimes, to be compared with what the agent says.
 */
#define IMA_KEPT_MAX      256   /* entries with all they say */
#define IMA_REFUSED_MAX   65536 /* numbers of entries alone */
#define IMA_KEYS_KEPT_MAX 64    /* keys that the kernel was seen to load */
#define IMA_KEY_BYTES_MAX 16384 /* of one */
#define IMA_REQUIRED_MAX  4096  /* files that a policy wants to see executed */
#define IMA_NAME_KEPT_MAX 4096  /* bytes of a name: PATH_MAX; a longer one is cut */

enum ima_kept_kind {
        IMA_KEPT_FILE,
        IMA_KEPT_BUFFER, /* critical data, a command line */
        IMA_KEPT_KEY,    /* loaded into a keyring: the name is the keyring's */
        IMA_KEPT_DEVICE, /* a device-mapper table */
        IMA_KEPT_N
};

struct ima_kept {
        enum ima_kept_kind kind;
        uint64_t entry;
        int64_t seen_at_ms;   /* when it was received first */
        char *name;           /* as the kernel wrote it: any byte but NUL */
        struct digest digest; /* len 0: of an algorithm that is not ours */
        enum ima_signed signer;
        bool newest;  /* no later entry has its name */
        bool refused; /* no policy in force allowed it when it was judged */
        bool runtime; /* a file of a runtime that the policy names: allowed or not */
};

struct ima_key_kept {
        char *keyring;
        struct buf key; /* certificate or public key, as the kernel measured it */
};

struct ima_memory {
        unsigned pcr;
        struct digest value; /* what the first `entries` entries lead to; its alg is the bank */
        uint64_t entries;    /* how many were judged: where the next begin */
        uint64_t bytes;      /* they take so many, in the form in which they came */
        bool extended_known; /* from a replay of at least one entry */
        enum ima_extended extended;
        uint64_t violations;
        uint64_t first_violation; /* the entry; with violations */
        uint32_t facts;           /* lib/policy's bits about measuring itself */
        bool whole;               /* more is to be remembered than fits: read from entry 0 every time */
        size_t n_kept;
        struct ima_kept *kept; /* in the order of `entry` */
        size_t n_refused;
        uint32_t *refused; /* numbers of entries that were refused, ascending; those in `kept` among them */
        size_t n_keys;
        struct ima_key_kept *keys;
        struct buf required_seen; /* a bit for each file that the policy requires, in its order */
};

struct ima_memory *ima_memory_new(void) MUST_USE;
void ima_memory_free(struct ima_memory *m);
DEFINE_AUTO(struct ima_memory, ima_memory_free)
struct ima_memory *ima_memory_dup(const struct ima_memory *m) MUST_USE; /* NULL: no memory */

/*
 * Each copies one more in. Return: 0; -ERR_LIMIT when no more fit; -ERR_NOMEM. Numbers of refused entries
 * come in ascending order.
 */
int ima_memory_keep(struct ima_memory *m, const struct ima_kept *kept, struct err *err) MUST_USE;
int ima_memory_refuse(struct ima_memory *m, uint64_t entry, struct err *err) MUST_USE;
int ima_memory_learn(struct ima_memory *m, const char *keyring, struct view key, struct err *err) MUST_USE;
/* Was that entry refused? */
bool ima_memory_refused(const struct ima_memory *m, uint64_t entry);
/* Marks a required file as seen; which were. Return: 0; -ERR_LIMIT, -ERR_NOMEM. */
int ima_memory_see(struct ima_memory *m, size_t required, struct err *err) MUST_USE;
bool ima_memory_seen(const struct ima_memory *m, size_t required);

void ima_memory_put(struct json_out *o, const char *name, const struct ima_memory *m);
/* Strict. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int ima_memory_from_json(const json_t *j, struct ima_memory **ret, struct err *err) MUST_USE;

#endif
