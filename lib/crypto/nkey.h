/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_NKEY_H
#define AVOW_CRYPTO_NKEY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/ed25519.h"

/*
 * NKEYs: Ed25519 keys spelt for people, as NATS and wasmCloud spell them. A public key is base32 (RFC 4648,
 * upper case, no padding) of a prefix byte, which makes the text begin with the kind's letter, the 32 bytes,
 * and a little-endian CRC-16/XMODEM of both. A seed ("S…") has two prefix bytes. One spelling for each key:
 * 56 characters, or 58; anything else is refused.
 */
#define NKEY_TEXT_LEN 56
#define NKEY_SEED_LEN 58

/* The prefix byte of each kind. */
enum nkey_kind {
        NKEY_ACCOUNT = 0x00,  /* A: who signs modules */
        NKEY_CLUSTER = 0x10,  /* C */
        NKEY_MODULE = 0x60,   /* M: what is signed */
        NKEY_SERVER = 0x68,   /* N: a host */
        NKEY_OPERATOR = 0x70, /* O */
        NKEY_USER = 0xa0,     /* U */
        NKEY_SERVICE = 0xa8,  /* V: a provider */
};
/* "account", …; "unknown". */
const char *nkey_kind_name(enum nkey_kind kind);

/* Reads a public key that has to be of KIND. Return: 0; -ERR_FORMAT saying what is wrong with it. */
int nkey_parse(struct view text, enum nkey_kind kind, uint8_t ret[ED25519_KEY_BYTES],
               struct err *err) MUST_USE;
void nkey_print(enum nkey_kind kind, const uint8_t key[ED25519_KEY_BYTES], char ret[NKEY_TEXT_LEN + 1]);

/* The same of a seed: wipe what is returned. */
int nkey_seed_parse(struct view text, enum nkey_kind kind, uint8_t ret[ED25519_KEY_BYTES],
                    struct err *err) MUST_USE;
void nkey_seed_print(enum nkey_kind kind, const uint8_t seed[ED25519_KEY_BYTES], char ret[NKEY_SEED_LEN + 1]);

#endif
