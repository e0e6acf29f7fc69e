/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_PRIVSEP_H
#define AVOW_AGENT_PRIVSEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "evidence/tee.h"

/*
 * The language between the two halves of the agent. The network half asks, the TPM half answers, in order;
 * the TPM half also sends events of its own accord (id 0). Each request is permitted only in the states that
 * its row of the table names, and is checked again by the TPM half, which believes nothing: it makes the
 * qualifying data of native peers itself, with a purpose that follows from the type of the request, and signs
 * raw challenges only where the configuration names a Keylime verifier (SR-13).
 *
 * The frames are those of agent/frame.h. Everything decoded is borrowed from the frame.
 */
#define PRIVSEP_FRAME_MAX         (8u << 20)
#define PRIVSEP_REQUEST_MAX       8192u /* a request that is longer ends the network half; some may be longer */
#define PRIVSEP_REVOKE_MAX        (192u << 10)
#define PRIVSEP_NONCE_BYTES       16
#define PRIVSEP_KEYS_MAX          (64u << 10)
#define PRIVSEP_SECRETS_MAX       (4u << 20)
#define PRIVSEP_COUNTERSIGNED_MAX (1u << 20)
#define PRIVSEP_PERMIT_MAX        (48u << 10)
#define PRIVSEP_LOG_MAX           (11u << 19) /* 5.5 MiB: in base64 it fits a server's 8 MiB for a body */

enum privsep_type {
        PRIVSEP_STATUS = 1, /* {} -> privsep_status; in every state */
        PRIVSEP_IDENTITY,   /* {} -> privsep_identity */
        PRIVSEP_ACTIVATE,   /* privsep_activate -> bytes: the credential */
        PRIVSEP_SESSION,    /* privsep_session -> privsep_signed: TPM2_Certify of the AK by itself */
        PRIVSEP_COLLECT,    /* privsep_collect -> privsep_evidence */
        PRIVSEP_REVOKE,     /* privsep_revoke -> bytes: the proof's JSON; empty: there is nothing to prove */
        PRIVSEP_SECRETS,    /* bytes: the verifier's set of secrets -> {} */
        PRIVSEP_WANTED,     /* {} -> privsep_wanted: which release or permit is wanted now */
        PRIVSEP_SHOW,       /* privsep_show -> privsep_evidence, for what is wanted */
        PRIVSEP_RELEASE,    /* privsep_release -> {} */
        PRIVSEP_KEYS,       /* bytes: the verifier's public keys, as a login says them -> {} */
        PRIVSEP_ALIVE,      /* {} -> {}: the verifier took evidence */
        PRIVSEP_PERMIT,     /* privsep_permit -> {} */
        PRIVSEP_REACH,      /* privsep_reach -> {}; in every state */
        PRIVSEP_RECEIPTS, /* {} -> bytes: receipts for the verifier, to be posted as they are; empty: none */
        PRIVSEP_COUNTERSIGNED, /* bytes: what it answered -> {} */
        PRIVSEP_EVENT = 64,    /* privsep_event; from the TPM half only */
};

enum privsep_result {
        PRIVSEP_OK = 0,
        PRIVSEP_NOT_NOW, /* not in this state: wait for an event, or ask again in seconds; body: text */
        PRIVSEP_REFUSED, /* never: malformed, or not for this configuration; body: text */
        PRIVSEP_FAILED,  /* the TPM or the log failed; body: text */
};

/* The TPM half's state. */
enum privsep_state {
        PRIVSEP_STATE_STARTING = 0, /* TPM not reached (yet, or lost), or keys being made */
        PRIVSEP_STATE_READY,        /* keys loaded, runtimes measured */
        PRIVSEP_N_STATES,
};

struct privsep_frame {
        enum privsep_type type;
        enum privsep_result result; /* PRIVSEP_OK in requests and events */
        uint32_t id;
        struct view body;
};

/* Appends a frame. */
void privsep_frame_put(struct buf *out, const struct privsep_frame *frame);
/*
 * Takes the first frame out of IN, whose length may be at most MAX. The body is borrowed from IN.
 * Return: bytes used; 0 if IN holds no whole frame yet; -ERR_FORMAT or -ERR_LIMIT.
 */
int privsep_frame_take(struct view in, size_t max, struct privsep_frame *ret, struct err *err) MUST_USE;
/* The same for a request: the limit is that of its type. */
int privsep_request_take(struct view in, struct privsep_frame *ret, struct err *err) MUST_USE;

/* True if a request of TYPE may be asked in STATE: the table. */
bool privsep_permitted(enum privsep_type type, enum privsep_state state) MUST_USE;
/* "collect", for logs. */
const char *privsep_type_name(enum privsep_type type);

/* Requests. Decoders demand exact lengths and no rest. Return: 0 or -ERR_FORMAT. */
struct privsep_activate {
        struct view id_object; /* contents of TPM2B_ID_OBJECT */
        struct view secret;    /* contents of TPM2B_ENCRYPTED_SECRET */
};
void privsep_activate_put(struct buf *out, const struct privsep_activate *m);
int privsep_activate_get(struct view in, struct privsep_activate *ret, struct err *err) MUST_USE;

struct privsep_session {
        struct view verifier_id; /* native: 36 characters; Keylime: empty */
        struct view challenge;   /* 16 bytes; Keylime: 1 to 64, signed as they are */
        struct view spki_sha256; /* native: 32 bytes, of the network half's TLS key; Keylime: empty */
};
void privsep_session_put(struct buf *out, const struct privsep_session *m);
int privsep_session_get(struct view in, struct privsep_session *ret, struct err *err) MUST_USE;

/* Kinds of a processor's evidence, from 1 on. */
#define PRIVSEP_TEE(kind) ((uint8_t)((kind) + 1))

struct privsep_collect {
        struct view verifier_id; /* native: 36 characters; Keylime: empty */
        struct view challenge;   /* native: 32 bytes; Keylime: 1 to 64 */
        uint16_t bank;           /* enum digest_alg */
        uint32_t mask;           /* PCRs 0-23 to quote */
        uint32_t log_offset;     /* first log entry wanted */
        uint32_t log_max;        /* how many at most; 0: no log */
        bool uefi;               /* the firmware's log is wanted */
        uint64_t ima_offset;     /* first entry of the kernel's list that is wanted */
        uint64_t ima_at;         /* where it begins, in bytes; 0: not known */
        uint32_t ima_max;        /* how many at most; 0: no list */
        uint32_t launch_offset;  /* first record of the launch log wanted */
        uint32_t launch_max;     /* how many at most; 0: no launch log */
        uint8_t tee;             /* evidence of the processor: PRIVSEP_TEE(kind); 0: none */
};
void privsep_collect_put(struct buf *out, const struct privsep_collect *m);
int privsep_collect_get(struct view in, struct privsep_collect *ret, struct err *err) MUST_USE;

/*
 * A word of the verifier about this host's trust. The TPM half checks who signed it, and whether it is for
 * this host and now (SR-8); the same again changes nothing and gives the same proof. PRIVSEP_REFUSED: never;
 * the others: again later.
 */
struct privsep_revoke {
        struct view jws;   /* in compact form */
        struct view nonce; /* 16 bytes that the registrar drew; empty: not known yet, so no proof yet */
};
void privsep_revoke_put(struct buf *out, const struct privsep_revoke *m);
int privsep_revoke_get(struct view in, struct privsep_revoke *ret, struct err *err) MUST_USE;

/*
 * Evidence for releases and permits. The TPM half made the request's body itself (privsep_wanted), and signs
 * over its digest: evidence for the release that NUMBER stands for opens no other session, and that for a
 * launch permits no other one.
 */
struct privsep_show {
        uint32_t number;
        struct privsep_collect collect;
};
void privsep_show_put(struct buf *out, const struct privsep_show *m);
int privsep_show_get(struct view in, struct privsep_show *ret, struct err *err) MUST_USE;

/* What the verifier said to the release of NUMBER. */
struct privsep_release {
        uint32_t number;
        bool granted;
        bool final;            /* not granted: refused; else not now */
        uint32_t lease_s;      /* granted */
        struct view signature; /* granted: TPMT_SIGNATURE */
        struct view text;      /* not granted: why, for people; from the verifier */
};
void privsep_release_put(struct buf *out, const struct privsep_release *m);
int privsep_release_get(struct view in, struct privsep_release *ret, struct err *err) MUST_USE;

/* What the verifier said to the launch of NUMBER. */
struct privsep_permit {
        uint32_t number;
        bool final;                    /* no permit: refused; else not now */
        struct view permit;            /* JWS; empty: none */
        struct view text, where, next; /* no permit: why, for people; from the verifier */
};
void privsep_permit_put(struct buf *out, const struct privsep_permit *m);
int privsep_permit_get(struct view in, struct privsep_permit *ret, struct err *err) MUST_USE;

/* Whether the verifier answers. */
struct privsep_reach {
        bool reachable;
        struct view text; /* not: why */
};
void privsep_reach_put(struct buf *out, const struct privsep_reach *m);
int privsep_reach_get(struct view in, struct privsep_reach *ret, struct err *err) MUST_USE;

/* Answers. */
struct privsep_wanted {
        uint32_t number;  /* 0: none, and no body; with PRIVSEP_WANTED_LAUNCH: a permit */
        struct view body; /* avow.release-request/1 or avow.launch-request/1, to be posted as it is */
};
#define PRIVSEP_WANTED_LAUNCH 0x80000000u
void privsep_wanted_put(struct buf *out, const struct privsep_wanted *m);
int privsep_wanted_get(struct view in, struct privsep_wanted *ret, struct err *err) MUST_USE;

struct privsep_status {
        enum privsep_state state;
        bool lockout;         /* the TPM is in dictionary attack lockout; attestation goes on */
        bool log_explains;    /* the log replays to PCR 15 */
        uint32_t log_entries; /* of this boot */
        struct view problem;  /* what is wrong, in words; empty if nothing is */
};
void privsep_status_put(struct buf *out, const struct privsep_status *m);
int privsep_status_get(struct view in, struct privsep_status *ret, struct err *err) MUST_USE;

#define PRIVSEP_MAX_BANKS 8
struct privsep_identity {
        struct view host_id;
        struct view ek_public;      /* TPM2B_PUBLIC */
        struct view ek_certificate; /* DER; empty if the TPM holds none */
        struct view ek_chain;       /* concatenated DER */
        struct view ak_public;      /* TPM2B_PUBLIC */
        struct view ak_name;
        uint64_t boot_time_ms; /* wall clock at boot, one value per boot */
        uint32_t log_entries;
        uint16_t quote_bank; /* enum digest_alg: the bank that quotes are best asked in */
        uint8_t pcr;         /* the measurements' register */
        uint8_t n_banks;
        struct {
                uint16_t alg;
                uint32_t mask;
        } banks[PRIVSEP_MAX_BANKS]; /* active ones */
        bool has_uefi, has_ima;     /* logs that can be shown */
        uint8_t tee;                /* PRIVSEP_TEE() of what the processor can be asked for; 0: nothing */
        uint64_t ima_entries;       /* UINT64_MAX: not known */
        bool has_launch;            /* launches are on: */
        uint8_t launch_pcr;
        uint32_t launch_entries;
};
void privsep_identity_put(struct buf *out, const struct privsep_identity *m);
int privsep_identity_get(struct view in, struct privsep_identity *ret, struct err *err) MUST_USE;

struct privsep_signed {
        struct view message;   /* TPMS_ATTEST */
        struct view signature; /* TPMT_SIGNATURE */
};
void privsep_signed_put(struct buf *out, const struct privsep_signed *m);
int privsep_signed_get(struct view in, struct privsep_signed *ret, struct err *err) MUST_USE;

/* TPM2_NV_Certify of a counter. */
struct privsep_counter {
        uint32_t index;
        struct privsep_signed signed_value;
};

struct privsep_evidence {
        struct privsep_signed quote;
        struct privsep_signed time; /* TPM2_GetTime; empty for Keylime peers */
        struct view counter_key;    /* DER SubjectPublicKeyInfo; empty: no counters, and all zeros below */
        struct privsep_counter epoch, floor;
        uint16_t bank;
        uint32_t mask;
        struct digest pcrs[24]; /* pcrs[i] is there if bit i of mask is set */
        uint32_t log_offset;    /* as asked, or 0 if the log is shorter than that: it began anew (a reboot) */
        uint32_t log_count;     /* entries in LOG */
        uint32_t log_total;     /* entries of this boot; all are extended, but for at most one at the end */
        struct view log;        /* JSON-seq (RFC 7464) */
        struct view uefi;       /* if it was wanted: whole; empty: there is none (any more) */
        uint64_t ima_offset;    /* as log_offset, of the kernel's list */
        uint64_t ima_count, ima_total;
        struct view ima;                                    /* in its binary form */
        uint32_t launch_offset, launch_count, launch_total; /* as of LOG, of the launch log */
        struct view launch;                                 /* JSON-seq */
        struct tee_shown tee; /* if it was wanted; empty: the processor could not be asked */
};
void privsep_evidence_put(struct buf *out, const struct privsep_evidence *m);
int privsep_evidence_get(struct view in, struct privsep_evidence *ret, struct err *err) MUST_USE;

/* Events. */
struct privsep_event {
        enum privsep_state state;
        uint32_t log_entries; /* grew: something was measured; worth an attestation at once */
        uint32_t wanted;      /* a release or permit is wanted: its number; 0: none */
        uint32_t receipts;    /* so many wait for the verifier */
};
void privsep_event_put(struct buf *out, const struct privsep_event *m);
int privsep_event_get(struct view in, struct privsep_event *ret, struct err *err) MUST_USE;

#endif
