/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_WIRE_H
#define AVOW_AGENT_LAUNCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * The language between avow-run and the launcher: one message each way in a packet of a SOCK_SEQPACKET
 * socket, a byte that says which, then its body. Integers are big-endian, byte strings have a be32 length in
 * front. The first packet is the ask, with the descriptors beside it (SCM_RIGHTS); nothing in it names a
 * digest (SR-21). Everything decoded is borrowed from the packet.
 */
#define LAUNCH_WIRE_VERSION     1
#define LAUNCH_WIRE_PACKET_MAX  (128u * 1024)
#define LAUNCH_WIRE_ARGS_MAX    256
#define LAUNCH_WIRE_ARGS_BYTES  (64u * 1024)
#define LAUNCH_WIRE_SECRETS_MAX 16
#define LAUNCH_WIRE_NONCE_MAX   64
#define LAUNCH_WIRE_SIGNED_MAX  (32u * 1024)
#define LAUNCH_WIRE_LIMITS_MAX  16
#define LAUNCH_WIRE_TEXT_MAX    (48u * 1024)
#define LAUNCH_WIRE_RECEIPT_MAX (96u * 1024)

/* The descriptors of an ask, in this order; INPUT stands in the place of the module's standard input. */
enum launch_fd { LAUNCH_FD_MODULE, LAUNCH_FD_STDIN, LAUNCH_FD_STDOUT, LAUNCH_FD_STDERR, LAUNCH_N_FDS };

enum launch_wire_type {
        LAUNCH_WIRE_ASK = 1, /* from avow-run, first */
        LAUNCH_WIRE_SIGNAL,  /* from avow-run: u8, one of launch_wire_signal() */
        LAUNCH_WIRE_REFUSED, /* text: why, and what to do; nothing ran, or what ran was killed at its start */
        LAUNCH_WIRE_EXPLAIN, /* u8: it would be launched; text */
        LAUNCH_WIRE_ENDED,   /* launch_ended */
        LAUNCH_WIRE_RECEIPT, /* the receipt's bytes; before ENDED */
};

/* One resource limit of the asker's, by its number on Linux. */
struct launch_limit {
        uint8_t resource;
        uint64_t soft, hard; /* UINT64_MAX: none */
};

struct launch_ask {
        bool explain;        /* say what would happen, and run nothing */
        bool input;          /* standard input is a file: it is copied and digested first */
        bool receipt;        /* and so is the output, for a receipt */
        struct view runtime; /* empty: the only one that is configured */
        struct view nonce;
        struct view signature; /* detached, of the module; empty: none */
        struct view envelope;  /* or one of DSSE */
        size_t n_secrets, n_args, n_limits;
        struct view secrets[LAUNCH_WIRE_SECRETS_MAX];
        struct view args[LAUNCH_WIRE_ARGS_MAX]; /* without a NUL in them */
        struct launch_limit limits[LAUNCH_WIRE_LIMITS_MAX];
};

struct launch_ended {
        bool by_signal;
        uint8_t status;   /* the exit status, or the signal */
        struct view text; /* why it was killed, if the launcher did it; else empty */
};

void launch_ask_put(struct buf *out, const struct launch_ask *m);
/* Return: 0; -ERR_FORMAT, -ERR_LIMIT. IN is what follows the type. */
int launch_ask_get(struct view in, struct launch_ask *ret, struct err *err) MUST_USE;
void launch_ended_put(struct buf *out, const struct launch_ended *m);
int launch_ended_get(struct view in, struct launch_ended *ret, struct err *err) MUST_USE;

/* May an asker send NUMBER to his module? */
bool launch_wire_signal(int number);

#endif
