/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_LINK_H
#define AVOW_AGENT_LAUNCH_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/frame.h"
#include "crypto/digest.h"

/*
 * The language between the launcher (a process of its own, agent/launcher.c) and the TPM half, over one
 * stream socket, in frames (agent/frame.h, result 0). The launcher numbers its launches from 1 on and never
 * uses a number twice; several are under way at a time, each waiting for one answer at most, and answers of
 * different launches come in any order.
 *
 *   launcher                                  TPM half
 *                                             READY           first, and once
 *   BEGIN                                     GRANTED | REFUSED: the end of this launch
 *   RECORD        before the exec             RECORDED: in the log and in the register | REFUSED: no exec
 *   MAPPED        after the start, and at     RECORDED | REFUSED: the process is to be killed
 *                 each interval
 *   SECRET        after the first MAPPED      OPENED | REFUSED: this secret only
 *   ENDED         the process is gone         ENDED: noted; its body may hold a receipt
 *   CANCEL        nobody waits any more;      (none)
 *                 before RECORD
 *   EXPLAIN       what BEGIN would do now     EXPLAINED
 *                                             STOP: of its own accord, kill this one now
 *
 * Nothing is executed without RECORDED, so whatever ends either process, what runs is in the log. When the
 * socket ends the launcher kills what it started and ends.
 */
#define LAUNCH_LINK_FRAME_MAX (512u << 10)
#define LAUNCH_LINK_LINES_MAX (192u << 10) /* bytes of the lines in MAPPED */

enum launch_link_type {
        LAUNCH_LINK_READY = 1, /* launch_link_ready */
        LAUNCH_LINK_BEGIN,     /* launch_link_begin */
        LAUNCH_LINK_EXPLAIN,   /* launch_link_begin */
        LAUNCH_LINK_GRANTED,   /* launch_link_granted */
        LAUNCH_LINK_REFUSED,   /* launch_link_refused */
        LAUNCH_LINK_EXPLAINED, /* text for people, lines */
        LAUNCH_LINK_RECORD,    /* {} */
        LAUNCH_LINK_MAPPED,    /* launch_link_mapped */
        LAUNCH_LINK_RECORDED,  /* {} */
        LAUNCH_LINK_SECRET,    /* its name */
        LAUNCH_LINK_OPENED,    /* launch_link_opened; wipe what it was read into */
        LAUNCH_LINK_ENDED,     /* launch_link_ended; as an answer: the receipt's text, or nothing */
        LAUNCH_LINK_CANCEL,    /* {} */
        LAUNCH_LINK_STOP,      /* why, for people */
        LAUNCH_LINK_N_TYPES,
};
/* "begin", for logs; "unknown". */
const char *launch_link_name(uint8_t type);

/* Appends a frame of TYPE for launch ID. */
void launch_link_put(struct buf *out, enum launch_link_type type, uint32_t id, struct view body);
/* Takes the first frame; as frame_take(), and -ERR_FORMAT for an unknown type. */
int launch_link_take(struct view in, struct frame *ret, struct err *err) MUST_USE;

/* Bodies. All views are borrowed; decoders demand exact lengths. Return: 0; -ERR_FORMAT. */
struct launch_link_ready {
        struct view host; /* for the descriptor (evidence/launch.h) */
        uint8_t pcr;      /* the launch register */
};
void launch_link_ready_put(struct buf *out, const struct launch_link_ready *m);
int launch_link_ready_get(struct view in, struct launch_link_ready *ret, struct err *err) MUST_USE;

struct launch_link_begin {
        struct view launch;    /* launch_encode() */
        struct view claims;    /* the token's text of launch_of_module(); empty: none */
        struct view signature; /* detached; empty: none */
        struct view envelope;  /* DSSE; empty: none */
};
void launch_link_begin_put(struct buf *out, const struct launch_link_begin *m);
int launch_link_begin_get(struct view in, struct launch_link_begin *ret, struct err *err) MUST_USE;

struct launch_link_granted {
        struct view permit;   /* JWS */
        bool cached;          /* an earlier one, while no verifier answers */
        uint32_t lifetime_ms; /* RECORD within so long, or it is refused */
};
void launch_link_granted_put(struct buf *out, const struct launch_link_granted *m);
int launch_link_granted_get(struct view in, struct launch_link_granted *ret, struct err *err) MUST_USE;

enum launch_link_why {
        LAUNCH_WHY_REFUSED,     /* the verifier, this host's state, or the permit says no */
        LAUNCH_WHY_UNAVAILABLE, /* no verifier, no TPM, too many: again later */
        LAUNCH_WHY_FAILED,      /* the log, the TPM, the secret: look into the agent's log */
        LAUNCH_WHY_N,
};
struct launch_link_refused {
        enum launch_link_why why;
        struct view text;  /* a sentence, for people; what the verifier said is escaped in it */
        struct view where; /* what it is about; may be empty */
        struct view next;  /* the next command; may be empty */
};
void launch_link_refused_put(struct buf *out, const struct launch_link_refused *m);
int launch_link_refused_get(struct view in, struct launch_link_refused *ret, struct err *err) MUST_USE;

/*
 * The executable mappings of the runtime's process: a line "SHA256  PATH" LF for each file, sorted bytewise,
 * as in the closure's manifest; FOREIGN are those of them that the manifest lacks, in the same form.
 */
struct launch_link_mapped {
        struct view lines, foreign;
};
void launch_link_mapped_put(struct buf *out, const struct launch_link_mapped *m);
int launch_link_mapped_get(struct view in, struct launch_link_mapped *ret, struct err *err) MUST_USE;

struct launch_link_opened {
        uint32_t lease_s; /* 0: without one */
        struct view secret;
};
void launch_link_opened_put(struct buf *out, const struct launch_link_opened *m);
int launch_link_opened_get(struct view in, struct launch_link_opened *ret, struct err *err) MUST_USE;

struct launch_link_ended {
        int32_t status;               /* of waitpid() */
        int64_t started_ms, ended_ms; /* wall clock */
        bool has_output;              /* its standard output went through the launcher */
        uint8_t output[32];           /* SHA-256 of it; all zeros without */
        bool receipt;                 /* one is wanted */
};
void launch_link_ended_put(struct buf *out, const struct launch_link_ended *m);
int launch_link_ended_get(struct view in, struct launch_link_ended *ret, struct err *err) MUST_USE;

#endif
