/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_UUID_H
#define AVOW_BASE_UUID_H

#include <stdbool.h>

#include "base/err.h"

/* UUIDs as text: 36 characters, lower case. Spec: RFC 9562 §5.4 (version 4). */
#define UUID_TEXT_BYTES 37

/* A random one. Return: 0; -ERR_IO if the kernel gives no random bytes. */
int uuid_random(char ret[UUID_TEXT_BYTES], struct err *err) MUST_USE;

/* 8-4-4-4-12 lower-case hex digits? Any version. */
bool uuid_valid(const char *s) MUST_USE;

#endif
