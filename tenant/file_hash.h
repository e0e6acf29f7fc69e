/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_FILE_HASH_H
#define AVOW_TENANT_FILE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * One file after the other, read once: the digest that a policy wants, the MD5 that Debian's packages list
 * (it finds what was changed by accident and is trusted for nothing else), and the first bytes.
 */
#define FILE_HEAD_BYTES 18 /* of an ELF file: up to its type */
#define FILE_MD5_BYTES  16

struct file_hashed {
        struct digest digest;
        bool has_md5; /* asked for, and OpenSSL has it (its FIPS mode has not) */
        uint8_t md5[FILE_MD5_BYTES];
        uint8_t head[FILE_HEAD_BYTES];
        size_t head_len;
        uint64_t size;
};

/* The first bytes behind FD, which stays where it stands. Return: how many; 0 also if it cannot be read. */
size_t file_head(int fd, uint8_t ret[FILE_HEAD_BYTES]);

struct file_hasher;
int file_hasher_new(enum digest_alg alg, bool md5, struct file_hasher **ret, struct err *err) MUST_USE;
void file_hasher_free(struct file_hasher *h);
DEFINE_AUTO(struct file_hasher, file_hasher_free)

int file_hasher_update(struct file_hasher *h, struct view data, struct err *err) MUST_USE;
/* Gives what was read and starts again. */
int file_hasher_final(struct file_hasher *h, struct file_hashed *ret, struct err *err) MUST_USE;
/* Everything from where FD stands; NAME is for messages. Return: 0; -ERR_IO, -ERR_CRYPTO, with nothing left
 * of it in H. */
int file_hasher_fd(struct file_hasher *h, int fd, const char *name, struct file_hashed *ret,
                   struct err *err) MUST_USE;

#endif
