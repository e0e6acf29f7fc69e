/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_RANDOM_H
#define AVOW_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"

/* Random numbers for challenges, tokens, nonces, jitter: all from OpenSSL's generator. */

/* N random bytes. Return: 0; -ERR_CRYPTO when the generator fails (never use P then). */
int random_bytes(void *p, size_t n, struct err *err) MUST_USE;

/* A number from 0 to BOUND - 1, each as likely. BOUND ≥ 1. Return: 0; -ERR_CRYPTO. */
int random_below(uint32_t bound, uint32_t *ret, struct err *err) MUST_USE;

/* N characters of [0-9A-Za-z] and a NUL: TEXT has N + 1 bytes. 5.95 bits each. Return: 0; -ERR_CRYPTO. */
int random_alnum(char *text, size_t n, struct err *err) MUST_USE;

#endif
