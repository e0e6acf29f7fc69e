/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_HOSTS_H
#define AVOW_VERIFIER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "evidence/continuation.h"
#include "evidence/counters.h"
#include "evidence/tpm_public.h"
#include "evidence/verdict.h"
#include "store/verifier_db.h"
#include "verifier/gather.h"
#include "verifier/release.h"
#include "verifier/rules.h"

/*
 * The hosts in memory: what was enrolled, where each stands, and the challenge that is out. The database is
 * behind it: every change that counts is written there, and at start the table is filled from it in the
 * background.
 */
#define HOST_CHALLENGE_MS_KEYLIME 1800000
#define HOST_DEADLINE_MS          5000 /* of an immediate challenge (SR-14) */
#define HOST_LOST_INTERVALS       5
#define HOST_NONCE_MAX            32
#define HOSTS_KEYS_MAX            4096

/* Contracts: host states. `new` is the registrar's. */
enum host_shown {
        HOST_ENROLLED,
        HOST_PASS,
        HOST_FAIL,
        HOST_INCONCLUSIVE,
        HOST_LATE,
        HOST_LOST,
        HOST_PAUSED,
        HOST_N_SHOWN
};
const char *host_shown_name(enum host_shown shown);

/* A challenge that waits for its evidence. */
struct challenge {
        bool out;
        bool immediate;   /* of seconds */
        bool full;        /* the log was asked for once more in full, because it did not replay */
        bool for_release; /* answered at …/releases/ID alone */
        int64_t index;
        int64_t issued_at_ms;          /* wall clock: what the bundle says */
        int64_t issued_ms, expires_ms; /* monotonic */
        int64_t expires_at_ms;         /* wall clock: what the peer is told */
        int64_t boot_time_ms;          /* claimed with the capabilities */
        /* What is asked for; challenge_asks() makes the message's form of it. */
        uint8_t nonce_len;
        uint8_t nonce[HOST_NONCE_MAX];
        uint16_t scheme, hash;
        struct pcr_selection asked; /* to be quoted */
        bool wants_log;             /* from entry log_offset on */
        uint64_t log_offset;
        bool wants_uefi;
        bool wants_launches; /* from entry launch_offset on, of register launch_pcr */
        uint8_t launch_pcr;
        uint64_t launch_offset;
        bool wants_ima; /* from entry ima_offset on, which begins at byte ima_at (0: not known) */
        bool ima_binary;
        bool part; /* a part of a longer list, and nothing else: there is more of it to come */
        uint64_t ima_offset, ima_at;
        uint32_t ima_max; /* entries */
        bool wants_tee;   /* evidence of the processor, of this kind */
        bool tee_in_vain; /* it is demanded, and the host offers none of the kinds that will do */
        enum tee_kind tee_kind;
};

/* What the host is told of its secrets (verifier/secrets.h). */
struct host_secrets {
        bool known;    /* digest and floor are */
        bool asked;    /* they are being read */
        uint64_t turn; /* the read that counts */
        uint8_t digest[32];
        uint64_t floor; /* what its floor counter is to be raised to; 0: nothing was withdrawn */
};

struct host {
        struct enrolment e;
        struct host_state s;
        struct tpm_public ak;  /* views into e.ak */
        struct ruleset *rules; /* NULL: the policy is not there */
        struct continuation *cont;
        struct policy_effective *judged_by; /* what CONT's list was judged by; NULL: no list, or not known */
        int64_t reappraise_ms;              /* monotonic: when changed rules begin to hold; 0: not chosen */
        struct counters_record counters;    /* s.counters with their names; host_counters() fills it */
        struct challenge challenge;
        struct release *release; /* the last that it asked for, or NULL */
        uint64_t serial;         /* tells it from another host of its name, before or after */
        bool busy;               /* evidence is being written */
        bool wants_log;          /* it can send a cel_log */
        bool wants_uefi;         /* and the others */
        bool wants_ima, ima_binary;
        bool wants_launches;   /* it has a log of launches, */
        uint8_t launch_pcr;    /* of this register */
        unsigned tee_kinds;    /* 1 << enum tee_kind: what it can show of its processor */
        uint64_t ima_entries;  /* that it said to have */
        struct gather *gather; /* parts of a list, or NULL */
        bool log_torn; /* a heartbeat was not written: the log on the disk has a hole until it comes whole */
        bool ek_findings;        /* the registrar found something to say about its EK */
        int64_t evidence_ms;     /* monotonic time of the last authentic evidence, or of the enrolment */
        int64_t offered_ms;      /* monotonic time of the last capabilities */
        int64_t refusal_told_ms; /* monotonic time of the last audit record about refused evidence */
        int64_t n_refused;
        bool receipts_wait;  /* for a verdict; false also when that is not known */
        int64_t receipts_ms; /* monotonic time when it last showed some; 0: never */
        struct host_secrets secrets;
        enum host_shown shown; /* as last told to events */
        struct pubkey *key;    /* ak's, ready to check signatures with; NULL: hosts_key() makes it */
        struct host *key_older, *key_newer;
};

struct hosts;

int hosts_new(struct hosts **ret, struct err *err) MUST_USE;
void hosts_free(struct hosts *h);
DEFINE_AUTO(struct hosts, hosts_free)

/*
 * Adds what the database holds; takes HOST's content over. A host that is there already stays as it is. NOW
 * are both clocks. Return: 0 with the host; -ERR_FORMAT if its key or continuation cannot be read;
 * -ERR_NOMEM.
 */
int hosts_add(struct hosts *h, struct rules *rules, struct verifier_host *host, int64_t now_ms,
              int64_t mono_ms, struct host **ret, struct err *err) MUST_USE;
struct host *hosts_find(struct hosts *h, const char *name);
void hosts_remove(struct hosts *h, const char *name);
/* From now on (ON), names that are removed are remembered: rows that were read before a removal may come
 * after it, and must not bring the host back. Off: no more are added, those that are there stay. */
void hosts_remember_removed(struct hosts *h, bool on);
/* Was NAME removed since then, and not enrolled again? */
bool hosts_was_removed(const struct hosts *h, const char *name);
size_t hosts_count(const struct hosts *h);
/* Walks in no order; *POS starts at 0. */
struct host *hosts_next(struct hosts *h, size_t *pos);
/*
 * HOST's attestation key, ready to check signatures with. To make one costs a third of a check, to keep one 2
 * KiB: the table keeps HOSTS_KEYS_MAX, those that were used last. Borrowed until the next call or the removal
 * of the host. Return: 0; -ERR_FORMAT, -ERR_CRYPTO, -ERR_NOMEM.
 */
int hosts_key(struct hosts *h, struct host *host, const struct pubkey **ret, struct err *err) MUST_USE;
/* What is remembered of HOST's counters, in host->counters: names are made at first use. Return: 0;
 * -ERR_FORMAT, -ERR_CRYPTO, -ERR_NOMEM. */
int host_counters(struct host *host, struct err *err) MUST_USE;
/* Up to LIMIT hosts after AFTER (NULL: the first), by name; borrowed; free() the array. Return: how many; <
 * 0. */
int hosts_sorted(struct hosts *h, const char *after, size_t limit,
                 bool (*want)(const struct host *host, void *ctx), void *ctx, struct host ***ret,
                 struct err *err) MUST_USE;

/* Finds the rules anew, after the enrolment or the policies changed. Return: 0; -ERR_CONFIG: the policy is
 * not there. */
int host_bind_rules(struct host *host, struct rules *rules, struct err *err) MUST_USE;

/*
 * The rules that hold for HOST, of which E are those in force now: a host that passed, and whose kernel's
 * list would have to be read again from its first entry because the rules changed, goes on under those that
 * it was judged by, until its turn. Spec: SR-16 (spread over reappraise_within).
 */
const struct policy_effective *host_rules(const struct host *host, const struct policy_effective *e,
                                          int64_t mono_ms);
/* Chooses that turn, if HOST waits and has none: at a random time within WITHIN_MS. Return: 0; -ERR_CRYPTO.
 */
int host_choose_turn(struct host *host, int64_t within_ms, int64_t mono_ms, struct err *err) MUST_USE;
/* The SHA-256 of its EK, as the registrar has it. Return: RET; NULL if there is none on record. */
const struct digest *host_ek(const struct host *host, struct digest *ret);
/* HOST was judged by E, or (NULL) by rules that nothing has to be kept of. */
void host_judged_by(struct host *host, const struct policy_effective *e);

/* Its interval; how long after the last evidence it is late, lost. SETTINGS' values, 0 where they say
 * nothing. */
struct host_times {
        int64_t interval_ms, lease_ms, late_after_ms, lost_after_ms;
};
int64_t host_interval_ms(const struct host *host, const struct host_times *defaults);
int64_t host_grace_ms(const struct host *host, const struct host_times *defaults);
/* The silence after which it is late. */
int64_t host_late_ms(const struct host *host, const struct host_times *defaults);
int64_t host_lease_ms(const struct host *host, const struct host_times *defaults);
/*
 * Is the host suspended? It failed under a policy that enforces, or its last pass is older than its lease.
 * The next pass undoes it. NOW are both clocks. Spec: SR-2, SR-3.
 */
bool host_suspended(const struct host *host, const struct host_times *defaults, int64_t now_ms,
                    int64_t mono_ms);
/* What is shown of it. Silence hides a pass, never a failure. */
enum host_shown host_shown(const struct host *host, const struct host_times *defaults, int64_t mono_ms);

#endif
