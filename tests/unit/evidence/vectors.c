/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and reading the vectors; running out of memory. */
#include "vectors.h"

#include <stdlib.h>

#include "base/file.h"
#include "support/support.h"

const char *const boot_sets[] = {
        "seabios-ima-ng",
        "seabios-ima-ng-reboot",
        "seabios-ima-sig",
        "seabios-ima-ngv2",
        "seabios-ima-legacy",
        "uefi-direct-ima-sig",
        "secureboot-shim-grub-ima-sig",
};
const char *const boot_quotes[] = {"ecc_sha1", "ecc_sha256", "ecc_sha384", "rsa_sha256"};

struct view vector_read(struct buf *b, const char *set, const char *name)
{
        const char *top = getenv("top_srcdir");
        struct err err = ERR_INIT;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/tests/vectors/boot/%s/%s", top ? top : ".", set, name);
        buf_reset(b);
        assert_ok(file_read(path, 1 << 20, b, &err), &err);
        return VIEW_BUF(b);
}

struct view vector_quote(struct buf *b, const char *set, int step, const char *quote, const char *ext)
{
        char name[64];

        (void)snprintf(name, sizeof(name), "%d_%s.%s", step, quote, ext);
        return vector_read(b, set, name);
}

const char *vector_ak(const char *quote)
{
        return quote[0] == 'e' ? "ak_ecc" : "ak_rsa";
}

struct view vector_nonce(void)
{
        static const uint8_t nonce[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                          12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

        return VIEW_ARRAY(nonce);
}
