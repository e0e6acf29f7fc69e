/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/boot_record.h"

#include <stdlib.h>

#include "base/mem.h"

#define KERNEL_BOOT_PCR 11
#define FIRMWARE_PCRS   0xffu

/* ---- separators ---- */

/* What firmware extends between itself and what comes after it: nothing, or that it could not measure. */
static const uint8_t separators[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0}};
#define SEPARATORS ARRAY_LEN(separators)

static int separator_digests(enum digest_alg bank, struct digest ret[SEPARATORS], struct err *err)
{
        for (size_t i = 0; i < SEPARATORS; i++) {
                int r = digest_bytes(bank, VIEW_ARRAY(separators[i]), &ret[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- registers ---- */

static int extend_word(struct digest *value, const char *word, struct err *err)
{
        struct digest d;
        int r = digest_bytes(value->alg, view_str(word), &d, err);

        return r < 0 ? r : digest_extend(value, digest_view(&d), err);
}

/* Do systemd's phases, from the first or (without an initrd) from "sysinit" on, lead from VALUE to QUOTED?
 * Return: 1, 0, -ERR_CRYPTO. Spec: systemd-pcrphase.service(8). */
static int leads_by_phases(const struct digest *value, const struct digest *quoted, struct err *err)
{
        static const char *const phases[] = {"enter-initrd", "leave-initrd", "sysinit",
                                             "ready",        "shutdown",     "final"};

        for (size_t first = 0; first <= 2; first += 2) {
                struct digest v = *value;

                for (size_t i = first; i < ARRAY_LEN(phases); i++) {
                        int r = extend_word(&v, phases[i], err);

                        if (r < 0)
                                return r;
                        if (digest_equal(&v, quoted))
                                return 1;
                }
        }
        return 0;
}

static int explain(struct boot_record *b, const struct pcr_values *quoted, struct err *err)
{
        int r = bootlog_replay(&b->log, b->bank, &b->values, err);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < PCR_COUNT; i++) {
                if (!(b->values.mask >> i & 1))
                        digest_zero(b->bank, &b->values.v[i]);
                if (!(quoted->mask & BOOT_PCRS & 1u << i))
                        continue;
                r = digest_equal(&b->values.v[i], &quoted->v[i]);
                if (!r && i == KERNEL_BOOT_PCR)
                        r = leads_by_phases(&b->values.v[i], &quoted->v[i], err);
                if (r < 0)
                        return r;
                b->explained |= (uint32_t)r << i;
        }
        return 0;
}

/* ---- rows ---- */

static int make_row(const struct boot_record *b, const struct bootlog_event *e,
                    const struct digest separator[SEPARATORS], struct boot_row *ret, struct err *err)
{
        int r;

        *ret = (struct boot_row){.number = e->number,
                                 .pcr = e->pcr,
                                 .type = e->type,
                                 .digest = bootlog_event_digest(e, b->bank),
                                 .data = e->data};
        for (size_t i = 0; i < SEPARATORS; i++)
                ret->separator |= view_equal(ret->digest, digest_view(&separator[i]));
        ret->error = view_equal(ret->digest, digest_view(&separator[SEPARATORS - 1]));
        r = bootlog_covered(e, b->bank, &ret->covered, err);
        if (r < 0)
                return r;
        ret->cover = (enum bootlog_cover)r;
        return 0;
}

static int make_rows(struct boot_record *b, struct err *err)
{
        struct digest separator[SEPARATORS];
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        uint32_t ended = 0;
        int r = separator_digests(b->bank, separator, err);

        if (r < 0)
                return r;
        b->rows = mem_zalloc(b->log.n_events + 1, sizeof(*b->rows));
        if (!b->rows)
                return err_nomem(err);
        while (bootlog_next(&b->log, &pos, &e)) {
                if (e.type == EV_NO_ACTION || !(b->explained >> e.pcr & 1))
                        continue;
                r = make_row(b, &e, separator, &b->rows[b->n], err);
                if (r < 0)
                        return r;
                ended |= b->rows[b->n].separator ? 1u << e.pcr : 0;
                b->n++;
        }
        b->explained &= ended | ~FIRMWARE_PCRS;
        return 0;
}

int boot_record_make(const struct bootlog *log, const struct pcr_values *quoted, struct boot_record *ret,
                     struct err *err)
{
        int r;

        *ret = (struct boot_record){.log = *log, .bank = quoted->bank};
        r = explain(ret, quoted, err);
        if (r == 0)
                r = make_rows(ret, err);
        if (r < 0)
                boot_record_done(ret);
        return r;
}

void boot_record_done(struct boot_record *b)
{
        free(b->rows);
        *b = (struct boot_record){.n = 0};
}

bool boot_row_is_whole(const struct boot_row *row)
{
        return row->cover == BOOTLOG_COVERED && row->covered.p == row->data.p &&
               row->covered.len == row->data.len;
}

bool boot_row_variable(const struct boot_row *row, struct efi_variable *ret)
{
        struct err ignored = ERR_INIT;

        return boot_row_is_whole(row) && efi_variable_parse(row->data, ret, &ignored) == 0;
}

bool boot_row_is_action(const struct boot_row *row)
{
        static const char *const actions[] = {
                "Calling INT 18h",
                "Calling INT 19h",
                "Returned INT 18h",
                "Returned INT 19h",
                "Returned via INT 18h",
                "Start Option ROM Scan",
                "Unhiding Option ROM Code",
                "Entering ROM Based Setup",
                "Boot Sequence User Intervention",
                "BOOT ATTEMPTS OMITTED",
                "Password Check",
                "Calling EFI Application from Boot Option",
                "Returning from EFI Application from Boot Option",
                "Exit Boot Services Invocation",
                "Exit Boot Services Returned with Failure",
                "Exit Boot Services Returned with Success",
        };
        struct view text = row->covered;

        if (row->cover != BOOTLOG_COVERED)
                return false;
        if (text.len && text.p[text.len - 1] == 0)
                text.len--;
        for (size_t i = 0; i < ARRAY_LEN(actions); i++)
                if (view_equal(text, view_str(actions[i])))
                        return true;
        return false;
}
