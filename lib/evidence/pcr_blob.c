/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's PCR blob: the memory image of tpm2-tools' structures on a little-endian machine.
 *
 *   0    u32 selections in use (1)
 *   4    16 × { u16 bank, u8 bytes of map, u8[4] map, u8 padding }
 *   132  u32 number of lists
 *   136  lists × { u32 count, 8 × { u16 size, u8[64] digest } }
 *
 * It is written by a peer and signed by nobody. Counts and sizes are checked against each other, so that the
 * values cannot slip against the PCR numbers; bytes of unused slots are memory that was never written by some
 * agents, so they are skipped. Spec: Keylime wire format of quotes (agent, REST API 2.x and 3.0).
 */
#include "evidence/pcr_blob.h"

#include <string.h>

#define LIST_DIGESTS  8
#define SLOT_BYTES    64
#define BLOB_MAP_SIZE 3

static int read_selection(struct cursor *c, struct pcr_selection *ret, struct err *err)
{
        struct view map;
        uint16_t alg;
        uint8_t size;
        uint32_t count;

        if (!cursor_le32(c, &count) || !cursor_le16(c, &alg) || !cursor_u8(c, &size) ||
            !cursor_take(c, 4, &map) || !cursor_skip(c, 1 + 8 * (PCR_SELECTIONS_MAX - 1)))
                return err_set(err, ERR_FORMAT, 0, "its selection is cut short");
        if (count != 1)
                return err_set(err, ERR_FORMAT, 0, "%u selections (1 is wanted)", count);
        if (size != BLOB_MAP_SIZE)
                return err_set(err, ERR_FORMAT, 0, "a selection map of %u bytes (3 are wanted)", size);
        if (!digest_by_tpm_alg(alg, &ret->bank))
                return err_set(err, ERR_FORMAT, 0, "bank 0x%04x is not known", alg);
        ret->mask = map.p[0] | (uint32_t)map.p[1] << 8 | (uint32_t)map.p[2] << 16;
        if (!ret->mask)
                return err_set(err, ERR_FORMAT, 0, "no PCR is selected");
        return 0;
}

/* One list: COUNT digests of the bank, the other slots of size 0. They go to the next PCRs of *NEXT. */
static int read_list(struct cursor *c, struct pcr_values *values, unsigned *next, struct err *err)
{
        uint32_t count;

        if (!cursor_le32(c, &count))
                return err_set(err, ERR_FORMAT, 0, "a list of values is cut short");
        if (count > LIST_DIGESTS)
                return err_set(err, ERR_FORMAT, 0, "a list of %u values (at most 8)", count);
        for (uint32_t i = 0; i < LIST_DIGESTS; i++) {
                struct view slot;
                uint16_t size;

                if (!cursor_le16(c, &size) || !cursor_take(c, SLOT_BYTES, &slot))
                        return err_set(err, ERR_FORMAT, 0, "a list of values is cut short");
                if (size != (i < count ? digest_size(values->bank) : 0))
                        return err_set(err, ERR_FORMAT, 0, "a value of %u bytes in slot %u", size, i);
                if (i >= count)
                        continue;
                while (*next < PCR_COUNT && !(values->mask & 1u << *next))
                        ++*next;
                if (*next == PCR_COUNT)
                        return err_set(err, ERR_FORMAT, 0, "more values than selected PCRs");
                if (digest_set(values->bank, VIEW(slot.p, size), &values->v[*next], err) < 0)
                        return err_wrap(err, "PCR %u", *next);
                ++*next;
        }
        return 0;
}

static int parse(struct view in, struct pcr_values *values, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct pcr_selection sel;
        unsigned next = 0;
        uint32_t n_lists;
        int r = read_selection(&c, &sel, err);

        if (r < 0)
                return r;
        values->bank = sel.bank;
        values->mask = sel.mask;
        if (!cursor_le32(&c, &n_lists))
                return err_set(err, ERR_FORMAT, 0, "its lists are cut short");
        if (n_lists > PCR_COUNT / LIST_DIGESTS)
                return err_set(err, ERR_FORMAT, 0, "%u lists of values (at most 3)", n_lists);
        for (uint32_t i = 0; i < n_lists; i++) {
                r = read_list(&c, values, &next, err);
                if (r < 0)
                        return r;
        }
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "%zu bytes too many", c.left);
        if (next < PCR_COUNT && values->mask >> next)
                return err_set(err, ERR_FORMAT, 0, "fewer values than selected PCRs");
        return 0;
}

int pcr_blob_parse(struct view in, struct pcr_values *ret, struct err *err)
{
        struct pcr_values values = {.mask = 0};
        int r;

        if (in.len > PCR_BLOB_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "PCR blob of %zu bytes (at most %d)", in.len,
                               PCR_BLOB_BYTES_MAX);
        r = parse(in, &values, err);
        if (r < 0)
                return err_wrap(err, "PCR blob");
        *ret = values;
        return 0;
}

static void put_zeros(struct buf *out, size_t n)
{
        static const uint8_t zeros[8 * PCR_SELECTIONS_MAX];

        buf_put(out, zeros, n);
}

void pcr_blob_write(const struct pcr_values *values, struct buf *out)
{
        unsigned n = (unsigned)__builtin_popcount(values->mask);
        unsigned n_lists = (n + LIST_DIGESTS - 1) / LIST_DIGESTS;
        unsigned next = 0;

        buf_le32(out, 1);
        buf_le16(out, (uint16_t)values->bank);
        buf_u8(out, BLOB_MAP_SIZE);
        buf_le32(out, values->mask);
        put_zeros(out, 1 + 8 * (PCR_SELECTIONS_MAX - 1));
        buf_le32(out, n_lists);
        for (unsigned i = 0; i < n_lists * LIST_DIGESTS; i++) {
                if (i % LIST_DIGESTS == 0)
                        buf_le32(out, n - i < LIST_DIGESTS ? n - i : LIST_DIGESTS);
                if (i >= n) {
                        put_zeros(out, 2 + SLOT_BYTES);
                        continue;
                }
                while (!(values->mask & 1u << next))
                        next++;
                buf_le16(out, values->v[next].len);
                buf_put(out, values->v[next].b, values->v[next].len);
                put_zeros(out, (size_t)SLOT_BYTES - values->v[next].len);
                next++;
        }
}
