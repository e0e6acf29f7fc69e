/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/nkey.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define SEED_PREFIX   0x90 /* 'S' */
#define RAW_BYTES_MAX (2 + ED25519_KEY_BYTES + 2)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static const struct {
        enum nkey_kind kind;
        const char *name;
} kinds[] = {
        {NKEY_ACCOUNT, "account"}, {NKEY_CLUSTER, "cluster"},   {NKEY_MODULE, "module"},
        {NKEY_SERVER, "server"},   {NKEY_OPERATOR, "operator"}, {NKEY_USER, "user"},
        {NKEY_SERVICE, "service"},
};

const char *nkey_kind_name(enum nkey_kind kind)
{
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                if (kinds[i].kind == kind)
                        return kinds[i].name;
        return "unknown";
}

/* CRC-16/XMODEM: x^16 + x^12 + x^5 + 1, from 0. */
static uint16_t crc16(struct view v)
{
        uint16_t crc = 0;

        for (size_t i = 0; i < v.len; i++) {
                crc = (uint16_t)(crc ^ (v.p[i] << 8));
                for (int bit = 0; bit < 8; bit++)
                        crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
        }
        return crc;
}

static void base32(struct view v, char *ret)
{
        uint32_t bits = 0;
        int n = 0;

        for (size_t i = 0; i < v.len; i++) {
                bits = bits << 8 | v.p[i];
                for (n += 8; n >= 5; n -= 5)
                        *ret++ = alphabet[bits >> (n - 5) & 31];
        }
        if (n)
                *ret++ = alphabet[bits << (5 - n) & 31];
        *ret = '\0';
}

/* TEXT's length is known to be right. Return: false for a foreign character, or unused bits that are set. */
static bool unbase32(struct view text, uint8_t *ret)
{
        uint32_t bits = 0;
        int n = 0;

        for (size_t i = 0; i < text.len; i++) {
                const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;

                if (!at)
                        return false;
                bits = bits << 5 | (uint32_t)(at - alphabet);
                n += 5;
                if (n >= 8) {
                        n -= 8;
                        *ret++ = (uint8_t)(bits >> n);
                }
        }
        return (bits & ((1u << n) - 1)) == 0;
}

/* The N_PREFIX bytes in front, the key, and the sum; RAW is wiped by the caller. */
static int read_raw(struct view text, size_t len, size_t n_prefix, const char *what, uint8_t *raw,
                    struct err *err)
{
        size_t n = n_prefix + ED25519_KEY_BYTES;

        if (text.len != len)
                return err_set(err, ERR_FORMAT, 0, "%s has %zu characters, and this one %zu", what, len,
                               text.len);
        if (!unbase32(text, raw))
                return err_set(err, ERR_FORMAT, 0, "%s is base32 (A-Z, 2-7): this is not", what);
        if (crc16(VIEW(raw, n)) != (raw[n] | raw[n + 1] << 8))
                return err_set(err, ERR_FORMAT, 0, "its checksum does not fit: a character is wrong");
        return 0;
}

int nkey_parse(struct view text, enum nkey_kind kind, uint8_t ret[ED25519_KEY_BYTES], struct err *err)
{
        uint8_t raw[RAW_BYTES_MAX];
        int r = read_raw(text, NKEY_TEXT_LEN, 1, "a public NKEY", raw, err);

        if (r < 0)
                return err_wrap(err, "key %s", SHOW_VIEW(text));
        if (raw[0] != kind)
                return err_set(err, ERR_FORMAT, 0,
                               "key %s: expected one of kind '%s', and this is of kind '%s'", SHOW_VIEW(text),
                               nkey_kind_name(kind), nkey_kind_name(raw[0]));
        (void)memcpy(ret, raw + 1, ED25519_KEY_BYTES);
        return 0;
}

void nkey_print(enum nkey_kind kind, const uint8_t key[ED25519_KEY_BYTES], char ret[NKEY_TEXT_LEN + 1])
{
        uint8_t raw[1 + ED25519_KEY_BYTES + 2] = {(uint8_t)kind};
        uint16_t crc;

        (void)memcpy(raw + 1, key, ED25519_KEY_BYTES);
        crc = crc16(VIEW(raw, 1 + ED25519_KEY_BYTES));
        raw[1 + ED25519_KEY_BYTES] = (uint8_t)crc;
        raw[2 + ED25519_KEY_BYTES] = (uint8_t)(crc >> 8);
        base32(VIEW_ARRAY(raw), ret);
}

int nkey_seed_parse(struct view text, enum nkey_kind kind, uint8_t ret[ED25519_KEY_BYTES], struct err *err)
{
        uint8_t raw[RAW_BYTES_MAX];
        int r = read_raw(text, NKEY_SEED_LEN, 2, "an NKEY's seed", raw, err); /* messages never show it */

        if (r >= 0 && (raw[0] & 0xf8) != SEED_PREFIX)
                r = err_set(err, ERR_FORMAT, 0, "it is no seed: seeds begin with S");
        if (r >= 0 && ((raw[0] & 7) << 5 | raw[1] >> 3) != (int)kind)
                r = err_set(err, ERR_FORMAT, 0, "a seed of kind '%s'; expected one of kind '%s'",
                            nkey_kind_name((enum nkey_kind)((raw[0] & 7) << 5 | raw[1] >> 3)),
                            nkey_kind_name(kind));
        if (r >= 0 && (raw[1] & 7) != 0)
                r = err_set(err, ERR_FORMAT, 0, "its prefix has bits set that mean nothing");
        if (r >= 0)
                (void)memcpy(ret, raw + 2, ED25519_KEY_BYTES);
        mem_wipe(raw, sizeof(raw));
        return r;
}

void nkey_seed_print(enum nkey_kind kind, const uint8_t seed[ED25519_KEY_BYTES], char ret[NKEY_SEED_LEN + 1])
{
        uint8_t raw[RAW_BYTES_MAX] = {(uint8_t)(SEED_PREFIX | kind >> 5), (uint8_t)(kind << 3)};
        uint16_t crc;

        (void)memcpy(raw + 2, seed, ED25519_KEY_BYTES);
        crc = crc16(VIEW(raw, 2 + ED25519_KEY_BYTES));
        raw[2 + ED25519_KEY_BYTES] = (uint8_t)crc;
        raw[3 + ED25519_KEY_BYTES] = (uint8_t)(crc >> 8);
        base32(VIEW_ARRAY(raw), ret);
        mem_wipe(raw, sizeof(raw));
}
