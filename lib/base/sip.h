/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_SIP_H
#define AVOW_BASE_SIP_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * The hash under tables whose keys strangers choose: keyed with random bits of each table, so that nobody
 * outside can choose keys that collide. Spec: SipHash-1-3.
 */

/* A new random key. */
void sip_seed(uint64_t seed[2]);

uint64_t sip_hash(const uint64_t seed[2], struct view key);

#endif
