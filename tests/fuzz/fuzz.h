/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_FUZZ_H
#define AVOW_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What a target defines. The head of its file says who controls these bytes in production. Return: 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For properties that must hold: a broken one is a finding, as a crash is. */
#define FUZZ_CHECK(what)                                                                                     \
        do {                                                                                                 \
                if (!(what))                                                                                 \
                        __builtin_trap();                                                                    \
        } while (0)

#endif
