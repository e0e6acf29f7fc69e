/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's event log: its form, and replaying it. bootlog_cover.c tells which of its texts are true,
 * bootlog_text.c what they say. */
#include "evidence/bootlog.h"

#include <string.h>

#define CC_REGISTERS        5 /* 0 is MRTD, 1 to 4 are RTMR 0 to 3 */
#define LEGACY_DIGEST_BYTES 20
#define LOCALITY_BYTES      17 /* "StartupLocality" NUL, and the number */

static const char spec_id[16] = "Spec ID Event03";
static const char old_spec_ids[][16] = {"Spec ID Event00", "Spec ID Event02"}; /* BIOS, EFI 1.22 */
static const char startup_locality[16] = "StartupLocality";

static bool all_zero(struct view v)
{
        uint8_t any = 0;

        for (size_t i = 0; i < v.len; i++)
                any |= v.p[i];
        return any == 0;
}

static int bad(const struct bootlog_event *e, struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "event %zu of the boot log, at byte %zu: %s", e->number, e->at,
                       what);
}

/* ---- one event ---- */

/* TCG_PCR_EVENT: SHA-1 alone. The header has this form too. */
static bool read_legacy(struct cursor *c, struct bootlog_event *e)
{
        e->n_digests = 1;
        e->digests[0].alg = DIGEST_SHA1;
        return cursor_le32(c, &e->pcr) && cursor_le32(c, &e->type) &&
               cursor_take(c, LEGACY_DIGEST_BYTES, &e->digests[0].value) && cursor_le32_bytes(c, &e->data);
}

static uint16_t bank_size(const struct bootlog *log, uint16_t alg)
{
        for (size_t i = 0; i < log->n_banks; i++)
                if (log->banks[i].alg == alg)
                        return log->banks[i].size;
        return 0;
}

static bool has_digest(const struct bootlog_event *e, uint16_t alg)
{
        for (size_t i = 0; i < e->n_digests; i++)
                if (e->digests[i].alg == alg)
                        return true;
        return false;
}

/* TCG_PCR_EVENT2. Return: NULL, or what is wrong. */
static const char *read_agile(const struct bootlog *log, struct cursor *c, struct bootlog_event *e)
{
        uint32_t n;

        if (!cursor_le32(c, &e->pcr) || !cursor_le32(c, &e->type) || !cursor_le32(c, &n))
                return "the log ends inside it";
        if (n != log->n_banks)
                return "it has not one digest for each bank of the header";
        for (e->n_digests = 0; e->n_digests < n; e->n_digests++) {
                struct bootlog_digest *d = &e->digests[e->n_digests];
                uint16_t size;

                if (!cursor_le16(c, &d->alg))
                        return "the log ends inside it";
                size = bank_size(log, d->alg);
                if (size == 0 || has_digest(e, d->alg))
                        return "it has a digest of a bank that the header does not name, or two of one";
                if (!cursor_take(c, size, &d->value))
                        return "the log ends inside it";
        }
        return cursor_le32_bytes(c, &e->data) ? NULL
                                              : "the log ends inside it, or its data is longer than that";
}

static const char *read_event(const struct bootlog *log, struct cursor *c, struct bootlog_event *e)
{
        if (log->agile && e->number > 0)
                return read_agile(log, c, e);
        return read_legacy(c, e) ? NULL : "the log ends inside it, or its data is longer than that";
}

struct view bootlog_event_digest(const struct bootlog_event *e, enum digest_alg bank)
{
        for (size_t i = 0; i < e->n_digests; i++)
                if (e->digests[i].alg == bank)
                        return e->digests[i].value;
        return VIEW_NONE;
}

/* ---- the header ---- */

static bool is_header(const struct bootlog_event *e)
{
        return e->type == EV_NO_ACTION && e->data.len >= sizeof(spec_id) &&
               view_equal(VIEW(e->data.p, sizeof(spec_id)), VIEW_ARRAY(spec_id));
}

static const char *read_bank(struct cursor *c, struct bootlog *log)
{
        enum digest_alg alg;
        uint16_t number, size;

        if (!cursor_le16(c, &number) || !cursor_le16(c, &size))
                return "the header is cut off";
        if (bank_size(log, number))
                return "the header names a bank twice";
        if (size == 0 || size > DIGEST_BYTES_MAX ||
            (digest_by_tpm_alg(number, &alg) && digest_size(alg) != size))
                return "the header has a bank of a size that its digests do not have";
        log->banks[log->n_banks].alg = number;
        log->banks[log->n_banks++].size = size;
        return NULL;
}

/* TCG_EfiSpecIdEvent. Spec: PFP §10.4.5.1. */
static const char *read_header(const struct bootlog_event *e, struct bootlog *log)
{
        struct cursor c = cursor_of(e->data);
        const char *why = NULL;
        uint8_t uintn, vendor;
        uint32_t n;

        if ((e->pcr != 0 && !(log->cc && e->pcr == 1)) || !all_zero(e->digests[0].value))
                return "a header is of PCR 0 and has no digest";
        if (!cursor_skip(&c, sizeof(spec_id)) || !cursor_le32(&c, &log->platform_class) ||
            !cursor_u8(&c, &log->minor) || !cursor_u8(&c, &log->major) || !cursor_u8(&c, &log->errata) ||
            !cursor_u8(&c, &uintn) || !cursor_le32(&c, &n))
                return "the header is cut off";
        if (uintn != 1 && uintn != 2)
                return "the header's size of numbers is neither 1 nor 2";
        if (n == 0 || n > BOOTLOG_BANKS_MAX)
                return "the header names no banks, or more than a TPM has";
        for (uint32_t i = 0; i < n && !why; i++)
                why = read_bank(&c, log);
        if (why)
                return why;
        if (!cursor_u8(&c, &vendor) || vendor != c.left)
                return "the header's vendor part is not as long as it says";
        log->agile = true;
        return NULL;
}

/* The header of the older form, which it may lack. Spec: TCG PC Client for BIOS 1.21 §11.3.4.1; TCG EFI
 * Platform 1.22 §7.4. Return: NULL, or what is wrong. */
static const char *read_old_header(const struct bootlog_event *e, struct bootlog *log)
{
        struct cursor c = cursor_of(e->data);
        struct view id;
        uint8_t uintn, vendor;
        bool old = false;

        if (e->type != EV_NO_ACTION || !cursor_take(&c, sizeof(spec_id), &id))
                return NULL;
        for (size_t i = 0; i < ARRAY_LEN(old_spec_ids); i++)
                old |= view_equal(id, VIEW_ARRAY(old_spec_ids[i]));
        if (!old)
                return NULL;
        if (!cursor_le32(&c, &log->platform_class) || !cursor_u8(&c, &log->minor) ||
            !cursor_u8(&c, &log->major) || !cursor_u8(&c, &log->errata) || !cursor_u8(&c, &uintn) ||
            !cursor_u8(&c, &vendor))
                return "the header is cut off";
        return vendor == c.left ? NULL : "the header's vendor part is not as long as it says";
}

static void legacy_banks(struct bootlog *log)
{
        log->n_banks = 1;
        log->banks[0].alg = DIGEST_SHA1;
        log->banks[0].size = LEGACY_DIGEST_BYTES;
}

/* ---- the whole log ---- */

static bool is_locality(const struct bootlog_event *e)
{
        return e->type == EV_NO_ACTION && e->data.len >= sizeof(startup_locality) &&
               view_equal(VIEW(e->data.p, sizeof(startup_locality)), VIEW_ARRAY(startup_locality));
}

struct walk {
        bool pcr0_extended, has_locality;
};

static const char *check_no_action(const struct bootlog_event *e, struct walk *w, struct bootlog *log)
{
        for (size_t i = 0; i < e->n_digests; i++)
                if (!all_zero(e->digests[i].value))
                        return "it extends nothing, and has a digest";
        if (e->number > 0 && is_header(e))
                return "a second header";
        if (!is_locality(e))
                return NULL;
        if (e->pcr != 0 || e->data.len != LOCALITY_BYTES || w->has_locality || w->pcr0_extended)
                return "a StartupLocality belongs once in front of PCR 0's first event, with one number";
        log->locality = e->data.p[LOCALITY_BYTES - 1];
        if (log->locality != 0 && log->locality != 3 && log->locality != 4)
                return "the TPM cannot be started from that locality";
        w->has_locality = true;
        return NULL;
}

static const char *check_event(const struct bootlog_event *e, struct walk *w, struct bootlog *log)
{
        if (log->cc)
                return e->pcr < CC_REGISTERS ? NULL : "there is no such register";
        if (e->type == EV_NO_ACTION)
                return check_no_action(e, w, log);
        if (e->pcr >= PCR_COUNT)
                return "there is no such register";
        /* An H-CRTM measures before the TPM is started, and the register begins with a 4 then, whether or not
         * the log has a StartupLocality. Spec: TPM 2.0 Part 1 (H-CRTM before TPM2_Startup); PFP,
         * StartupLocality. */
        if (e->type == EV_EFI_HCRTM_EVENT && e->pcr == 0 && !w->pcr0_extended && log->locality == 0)
                log->locality = 4;
        w->pcr0_extended |= e->pcr == 0;
        return NULL;
}

static int begin(struct bootlog *log, struct err *err)
{
        struct cursor c = cursor_of(log->bytes);
        struct bootlog_event e = {.number = 0};
        const char *why = NULL;

        if (!read_legacy(&c, &e))
                return bad(&e, err, "the log is cut off, or no boot log");
        legacy_banks(log);
        if (is_header(&e)) {
                log->n_banks = 0;
                why = read_header(&e, log);
        } else {
                why = read_old_header(&e, log);
        }
        return why ? bad(&e, err, why) : 0;
}

/* Where a confidential guest's log stops and the rest of its area begins. */
static bool at_cc_end(const struct cursor *c)
{
        struct cursor ahead = *c;
        uint32_t reg, type, n;

        if (!cursor_le32(&ahead, &reg))
                return true;
        return reg == UINT32_MAX ||
               (reg == 0 && cursor_le32(&ahead, &type) && type == 0 && cursor_le32(&ahead, &n) && n == 0);
}

static int parse(struct view bytes, bool cc, struct bootlog *ret, struct err *err)
{
        struct cursor c = cursor_of(bytes);
        struct bootlog log = {.bytes = bytes, .cc = cc};
        struct walk w = {.has_locality = false};
        int r;

        if (bytes.len > BOOTLOG_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a boot log of %zu bytes; the limit is %u", bytes.len,
                               BOOTLOG_BYTES_MAX);
        r = begin(&log, err);
        if (r < 0)
                return r;
        if (cc && !log.agile)
                return err_set(err, ERR_FORMAT, 0, "a confidential guest's log begins with a header");
        for (log.n_events = 0; c.left; log.n_events++) {
                if (cc && log.n_events > 0 && at_cc_end(&c))
                        break;
                struct bootlog_event e = {.number = log.n_events, .at = c.at};
                const char *why = read_event(&log, &c, &e);

                if (!why)
                        why = check_event(&e, &w, &log);
                if (why)
                        return bad(&e, err, why);
                if (log.n_events == BOOTLOG_EVENTS_MAX)
                        return err_set(err, ERR_LIMIT, 0, "a boot log of more than %u events",
                                       BOOTLOG_EVENTS_MAX);
        }
        if (cc)
                log.bytes = VIEW(bytes.p, c.at);
        *ret = log;
        return 0;
}

int bootlog_parse(struct view bytes, struct bootlog *ret, struct err *err)
{
        return parse(bytes, false, ret, err);
}

int bootlog_parse_cc(struct view bytes, struct bootlog *ret, struct err *err)
{
        return parse(bytes, true, ret, err);
}

bool bootlog_next(const struct bootlog *log, struct bootlog_pos *pos, struct bootlog_event *ret)
{
        struct cursor c = cursor_of(log->bytes);

        if (!cursor_skip(&c, pos->at) || c.left == 0)
                return false;
        *ret = (struct bootlog_event){.number = pos->number, .at = pos->at};
        if (read_event(log, &c, ret))
                return false; /* bootlog_parse() would have said */
        pos->number++;
        pos->at = c.at;
        return true;
}

static void add_register(const struct bootlog *log, enum digest_alg bank, uint32_t pcr,
                         struct pcr_values *ret)
{
        if (ret->mask >> pcr & 1)
                return;
        ret->mask |= 1u << pcr;
        digest_zero(bank, &ret->v[pcr]);
        if (pcr == 0)
                ret->v[0].b[ret->v[0].len - 1] = log->locality;
}

int bootlog_replay(const struct bootlog *log, enum digest_alg bank, struct pcr_values *ret, struct err *err)
{
        struct bootlog_pos pos = {0};
        struct bootlog_event e;

        *ret = (struct pcr_values){.bank = bank};
        if (bank_size(log, (uint16_t)bank) == 0 || digest_size(bank) == 0)
                return err_set(err, ERR_FORMAT, 0, "the boot log has no digests of the bank %s",
                               digest_name(bank) ? digest_name(bank) : "asked for");
        if (log->locality)
                add_register(log, bank, 0, ret);
        while (bootlog_next(log, &pos, &e)) {
                int r;

                if (e.type == EV_NO_ACTION)
                        continue;
                add_register(log, bank, e.pcr, ret);
                r = digest_extend(&ret->v[e.pcr], bootlog_event_digest(&e, bank), err);
                if (r < 0)
                        return r;
        }
        return 0;
}
