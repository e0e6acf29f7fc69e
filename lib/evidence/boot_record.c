/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/boot_record.h"

#include <stdlib.h>

#include "base/mem.h"

#define KERNEL_BOOT_PCR 11
#define FIRMWARE_PCRS   0xffu

/* ---- what is known by its digest ---- */

/* What firmware extends between itself and what comes after it: nothing, or that it could not measure. */
static const struct view separators[] = {{(const uint8_t *)"\0\0\0\0", 4},
                                         {(const uint8_t *)"\xff\xff\xff\xff", 4},
                                         {(const uint8_t *)"\1\0\0\0", 4}};
#define SEPARATORS ARRAY_LEN(separators)
#define GAVE_UP    2

/* What it says that it does. Spec: PFP, EV_ACTION and EV_EFI_ACTION. */
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
#define ACTIONS ARRAY_LEN(actions)

struct known {
        struct digest separators[SEPARATORS], actions[ACTIONS];
};

static int make_known(enum digest_alg bank, struct known *ret, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < SEPARATORS; i++)
                r = digest_bytes(bank, separators[i], &ret->separators[i], err);
        for (size_t i = 0; r == 0 && i < ACTIONS; i++)
                r = digest_bytes(bank, view_str(actions[i]), &ret->actions[i], err);
        return r;
}

static void recognise(const struct known *known, struct boot_row *row)
{
        for (size_t i = 0; i < SEPARATORS; i++)
                if (view_equal(row->digest, digest_view(&known->separators[i]))) {
                        row->separator = true;
                        row->error = i == GAVE_UP;
                }
        for (size_t i = 0; i < ACTIONS; i++)
                row->action |= view_equal(row->digest, digest_view(&known->actions[i]));
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

static int make_row(const struct boot_record *b, const struct bootlog_event *e, const struct known *known,
                    struct boot_row *ret, struct err *err)
{
        int r;

        *ret = (struct boot_row){.number = e->number,
                                 .pcr = e->pcr,
                                 .type = e->type,
                                 .digest = bootlog_event_digest(e, b->bank),
                                 .data = e->data};
        recognise(known, ret);
        r = bootlog_covered(e, b->bank, &ret->covered, err);
        if (r < 0)
                return r;
        ret->cover = (enum bootlog_cover)r;
        return 0;
}

static int make_rows(struct boot_record *b, struct err *err)
{
        struct known known;
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        uint32_t ended = 0;
        int r = make_known(b->bank, &known, err);

        if (r < 0)
                return r;
        b->rows = mem_zalloc(b->log.n_events + 1, sizeof(*b->rows));
        if (!b->rows)
                return err_nomem(err);
        while (bootlog_next(&b->log, &pos, &e)) {
                if (e.type == EV_NO_ACTION || !(b->explained >> e.pcr & 1))
                        continue;
                r = make_row(b, &e, &known, &b->rows[b->n], err);
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
