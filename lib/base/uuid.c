/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs as text. Spec: RFC 9562 §5.4: 122 random bits, version 4, variant 10. */
#include "base/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"

int uuid_random(char ret[UUID_TEXT_BYTES], struct err *err)
{
        static const size_t group_bytes[] = {4, 2, 2, 2, 6};
        uint8_t bytes[16];
        size_t at = 0;

        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                return err_errno(err, errno, "random bytes for a UUID");
        bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));
        bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
        for (size_t g = 0; g < ARRAY_LEN(group_bytes); g++) {
                (void)hex_write(ret, VIEW(bytes + at, group_bytes[g])); /* returns RET */
                at += group_bytes[g];
                ret += 2 * group_bytes[g];
                *ret++ = g + 1 < ARRAY_LEN(group_bytes) ? '-' : '\0';
        }
        return 0;
}

bool uuid_valid(const char *s)
{
        if (strlen(s) != UUID_TEXT_BYTES - 1)
                return false;
        for (size_t i = 0; s[i]; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                if (dash ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
                        return false;
        }
        return true;
}
