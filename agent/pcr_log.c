/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file, one linear list: our records and those of others, in the order that replays to the register
 * (SR-18).
 *
 * Who may have extended when the register is not what the list says:
 *   - we, not yet: the last record is ours, on disk, and the list without it replays: a crash between append
 * and extend. The extend is made now.
 *   - systemd: its log has records that the list lacks. They are put where they replay (agent/pcr_merge.h).
 *   - somebody without a log. Then the list explains nothing; it is kept, shipped, and reported as such.
 *
 * A boot ends when the TPM's resetCount changes, or when restartCount changes and the register is back at
 * zero; not by boot_id, since kexec and resume keep PCRs. A register that still holds what the list says
 * belongs to it whatever the counters say: TPM2_Clear sets them back without touching PCRs. Spec: SR-18;
 * RFC 7464; docs/protocol.md.
 */
#include "agent/pcr_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/pcr_merge.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/revocation_order.h"

#define FILE_BYTES_MAX    (64u << 20)
#define FOREIGN_BYTES_MAX (16u << 20)
#define RECORDS_MAX       100000

struct pcr_log {
        struct pcr_log_options o;
        char *path;
        struct buf text;
        struct cel_log *list;
        struct digest end[TPM_MAX_BANKS], before_end[TPM_MAX_BANKS]; /* what all records, and all but the
                                                                        last, lead to in each of our banks */
        struct tpm_counters clock; /* when it was opened: reset and restart counts */
        bool explains, began;
        bool behind; /* the file lacks records that TEXT has */
};

int pcr_log_new(const struct pcr_log_options *options, struct pcr_log **ret, struct err *err)
{
        AUTO(pcr_log_free_p) struct pcr_log *log = mem_zalloc(1, sizeof(*log));

        if (!log)
                return err_nomem(err);
        log->o = *options;
        log->path = options->name ? str_fmt("%s/%s.log", options->dir, options->name)
                                  : str_fmt("%s/pcr%u.log", options->dir, options->pcr);
        if (!log->path)
                return err_nomem(err);
        *ret = TAKE(log);
        return 0;
}

void pcr_log_free(struct pcr_log *log)
{
        if (!log)
                return;
        cel_log_free(log->list);
        buf_free(&log->text);
        free(log->path);
        free(log);
}

/* Moves the file away: the name + SUFFIX holds the last one of its kind. */
static int put_aside(struct pcr_log *log, const char *suffix, struct err *err)
{
        AUTO(mem_free_p) char *to = str_fmt("%s%s", log->path, suffix);

        if (!to)
                return err_nomem(err);
        if (rename(log->path, to) < 0 && errno != ENOENT)
                return err_errno(err, errno, "rename %s", SHOW(log->path));
        return 0;
}

/* Pointers to the list's records; the caller's. */
static const struct cel_record **pointers(const struct cel_log *list)
{
        const struct cel_record **p = mem_zalloc(list->n, sizeof(*p));

        for (size_t i = 0; p && i < list->n; i++)
                p[i] = &list->records[i];
        return p;
}

/* Where the first N records lead in every bank of ours. */
static int replay(const struct pcr_log *log, const struct cel_log *list, size_t n,
                  struct digest ret[TPM_MAX_BANKS], struct err *err)
{
        AUTO(mem_free_p) const struct cel_record **p = pointers(list);
        int r = p ? 0 : err_nomem(err);

        for (size_t i = 0; r >= 0 && i < log->o.banks.n; i++)
                r = pcr_replay(p, n, log->o.banks.v[i], &ret[i], err);
        return r;
}

/* Takes TEXT (moved) as the list. Leaves the log alone on failure. */
static int take_text(struct pcr_log *log, struct buf *text, struct err *err)
{
        AUTO(cel_log_free_p) struct cel_log *list = NULL;
        struct digest end[TPM_MAX_BANKS], before_end[TPM_MAX_BANKS];
        size_t used;
        int r = cel_parse_file(VIEW_BUF(text), RECORDS_MAX, &list, &used, err);

        if (r >= 0)
                r = replay(log, list, list->n, end, err);
        if (r >= 0 && list->n)
                r = replay(log, list, list->n - 1, before_end, err);
        if (r < 0)
                return r;
        memcpy(log->end, end, sizeof(end));
        if (list->n)
                memcpy(log->before_end, before_end, sizeof(before_end));
        cel_log_free(log->list);
        buf_free(&log->text);
        log->list = TAKE(list);
        log->text = *text;
        log->text.len = used; /* a record that a crash cut was never extended: see pcr_log_measure() */
        *text = (struct buf){0};
        return 0;
}

static int read_file(struct pcr_log *log, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        size_t whole;
        int r = file_read(log->path, FILE_BYTES_MAX, &text, err);

        if (r == -ERR_IO && err->code == ENOENT) {
                err_clear(err);
                r = 0;
        }
        if (r < 0)
                return r;
        whole = text.len;
        r = take_text(log, &text, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                /* Not ours any more. What it said is lost, so the new one will not explain the register. */
                err_clear(err);
                buf_reset(&text);
                r = put_aside(log, ".broken", err);
                return r < 0 ? r : take_text(log, &text, err);
        }
        if (r >= 0 && log->text.len != whole && truncate(log->path, (off_t)log->text.len) < 0)
                return err_errno(err, errno, "truncate %s", SHOW(log->path));
        return r;
}

/* Is the register at VALUE in every bank? */
static bool all_equal(const struct pcr_log *log, const struct digest *value, const struct digest *now)
{
        for (size_t i = 0; i < log->o.banks.n; i++)
                if (!digest_equal(&value[i], &now[i]))
                        return false;
        return true;
}

static const struct cel_record *last_of(const struct cel_log *list)
{
        return list->n ? &list->records[list->n - 1] : NULL;
}

/* The digests of our banks out of a record, to extend with. */
static size_t digests_of(const struct pcr_log *log, const struct cel_record *rec, struct digest *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < log->o.banks.n; i++) {
                const struct digest *d = cel_record_digest(rec, log->o.banks.v[i]);

                if (d)
                        ret[n++] = *d;
        }
        return n;
}

static int extend_last(struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        struct digest d[TPM_MAX_BANKS];
        size_t n = digests_of(log, last_of(log->list), d);

        return n ? tpm_pcr_extend(tpm, log->o.pcr, d, n, err) : 0;
}

static bool known(const struct cel_log *list, const struct cel_record *rec)
{
        for (size_t i = 0; i < list->n; i++)
                if (view_equal(list->records[i].raw, rec->raw))
                        return true;
        return false;
}

/* Records of others for our register that the list lacks: pointers into *ret_log. */
static int read_foreign(const struct pcr_log *log, struct buf *text, struct cel_log **ret_log,
                        const struct cel_record ***ret, size_t *ret_n, struct err *err)
{
        struct err why = ERR_INIT;
        const struct cel_record **p;
        size_t used, n = 0;

        if (!log->o.foreign || file_read(log->o.foreign, FOREIGN_BYTES_MAX, text, &why) < 0 ||
            cel_parse_file(VIEW_BUF(text), RECORDS_MAX, ret_log, &used, &why) < 0)
                return why.kind == ERR_NOMEM ? err_nomem(err) : 0; /* none, or none that we can read */
        p = mem_zalloc((*ret_log)->n, sizeof(*p));
        if (!p)
                return err_nomem(err);
        for (size_t i = 0; i < (*ret_log)->n; i++) {
                const struct cel_record *rec = &(*ret_log)->records[i];

                if (rec->pcr == log->o.pcr && !rec->ours && !known(log->list, rec))
                        p[n++] = rec;
        }
        *ret = p;
        *ret_n = n;
        return 0;
}

/* Writes the merged list, and takes it. */
static int keep_merged(struct pcr_log *log, const struct pcr_merge *m, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r;

        for (size_t i = 0; i < m->n; i++)
                buf_put_view(&text, m->order[i]->raw);
        if (!buf_ok(&text))
                return err_nomem(err);
        r = file_write(log->path, VIEW_BUF(&text), 0600, err);
        return r < 0 ? r : take_text(log, &text, err);
}

/*
 * Merges what others wrote. With LESS the last record of ours is left out of the search and put at the end:
 * it may not be extended yet. Return: 1 if the result explains NOW; 0; < 0.
 */
static int merge_foreign(struct pcr_log *log, const struct digest *now, size_t less, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(cel_log_free_p) struct cel_log *foreign = NULL;
        AUTO(mem_free_p) const struct cel_record **theirs = NULL;
        AUTO(mem_free_p) const struct cel_record **ours = pointers(log->list);
        AUTO(pcr_merge_done) struct pcr_merge m = {0};
        size_t n = 0, n_ours = log->list->n - less;
        bool explains;
        int r;

        if (!ours)
                return err_nomem(err);
        r = read_foreign(log, &text, &foreign, &theirs, &n, err);
        if (r < 0 || n == 0)
                return r;
        r = pcr_merge(ours, n_ours, theirs, n, now, log->o.banks.n, &m, err);
        if (r < 0)
                return r;
        explains = m.explains;
        if (less) {
                const struct cel_record **grown;

                if (!explains)
                        return 0;
                grown = mem_resize(m.order, m.n + 1, sizeof(*grown));
                if (!grown)
                        return err_nomem(err);
                m.order = grown;
                m.order[m.n++] = ours[n_ours];
        }
        r = keep_merged(log, &m, err);
        return r < 0 ? r : explains;
}

/* Does the register still hold what it held before the last record, in every bank that the record knows? */
static bool last_lacks_extend(const struct pcr_log *log, const struct digest *now)
{
        const struct cel_record *last = last_of(log->list);

        for (size_t i = 0; i < log->o.banks.n; i++)
                for (size_t k = 0; k < last->n_before; k++)
                        if (last->before[k].alg == now[i].alg && !digest_equal(&last->before[k], &now[i]))
                                return false;
        return last->n_before > 0;
}

/* A TPM that lost power meanwhile has begun another boot: keys and list are started anew. */
static int check_reset(const struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        struct tpm_counters now;
        int r = tpm_clock_read(tpm, &now, err);

        if (r < 0)
                return r;
        if (now.reset != log->clock.reset || now.restart != log->clock.restart)
                return err_set(err, ERR_TPM, TPM_CODE_RESET, "the TPM was reset");
        return 0;
}

/* Writes what the disk did not take when it was extended. */
static void catch_up(struct pcr_log *log)
{
        struct err err = ERR_INIT;

        if (log->behind && file_write(log->path, VIEW_BUF(&log->text), 0600, &err) >= 0)
                log->behind = false;
}

/* Makes list and register agree, if that can be done. */
static int agree(struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        struct digest now[TPM_MAX_BANKS];
        bool last_is_ours = log->list->n && last_of(log->list)->ours;
        int r;

        catch_up(log);
        r = tpm_pcr_read_banks(tpm, log->o.pcr, &log->o.banks, now, err);

        if (r >= 0)
                r = all_equal(log, log->end, now);
        if (r == 0 && check_reset(log, tpm, err) < 0)
                r = -ERR_TPM;
        if (r == 0 && last_is_ours) {
                r = all_equal(log, log->before_end, now);
                if (r == 0)
                        r = merge_foreign(log, now, 1, err);
                if (r == 1) {
                        r = extend_last(log, tpm, err);
                        r = r < 0 ? r : 1;
                }
        }
        if (r == 0)
                r = merge_foreign(log, now, 0, err);
        if (r == 0 && last_is_ours && last_lacks_extend(log, now))
                r = extend_last(log, tpm, err); /* nothing explains the rest, but this much is known */
        if (r < 0)
                return err_wrap(err, "log of PCR %u", log->o.pcr);
        log->explains = r == 1;
        return 0;
}

static int is_new_boot(struct pcr_log *log, struct tpm *tpm, bool *ret, struct err *err)
{
        struct digest now[TPM_MAX_BANKS], zero;
        const struct cel_record *ours = NULL;
        bool at_zero = true;
        int r;

        for (size_t i = log->list->n; i > 0 && !ours; i--)
                if (log->list->records[i - 1].ours)
                        ours = &log->list->records[i - 1];
        *ret = false;
        if (log->list->n == 0)
                return 0;
        r = tpm_pcr_read_banks(tpm, log->o.pcr, &log->o.banks, now, err);
        if (r < 0 || all_equal(log, log->end, now))
                return r < 0 ? r : 0;
        for (size_t i = 0; i < log->o.banks.n; i++) {
                digest_zero(now[i].alg, &zero);
                at_zero &= digest_equal(&now[i], &zero);
        }
        /* Only records of others: they carry no counts, so the register alone decides. */
        if (!ours)
                *ret = true;
        else
                *ret = ours->reset_count != log->clock.reset ||
                       (ours->restart_count != log->clock.restart && at_zero);
        return 0;
}

int pcr_log_open(struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        AUTO(buf_free) struct buf empty = {0};
        bool anew = false;
        int r = tpm_clock_read(tpm, &log->clock, err);

        if (r >= 0)
                r = read_file(log, err);
        if (r >= 0)
                r = is_new_boot(log, tpm, &anew, err);
        if (r >= 0 && anew)
                r = put_aside(log, ".old", err);
        if (r >= 0 && anew)
                r = take_text(log, &empty, err);
        if (r < 0)
                return err_wrap(err, "log of PCR %u", log->o.pcr);
        log->began = log->list->n == 0;
        return agree(log, tpm, err);
}

int pcr_log_check(struct pcr_log *log, struct tpm *tpm, struct err *err)
{
        return agree(log, tpm, err);
}

/* A record of N digests, with the register as it is now; the rest is the caller's to fill in. */
static int describe(struct pcr_log *log, struct tpm *tpm, const struct digest *digests, size_t n,
                    struct cel_record *rec, struct err *err)
{
        struct digest before[TPM_MAX_BANKS];
        int r = 0;

        if (n > CEL_BANKS_MAX || n != log->o.banks.n)
                return err_set(err, ERR_BUG, 0, "a record in %zu banks", n);
        if (log->explains && !log->o.foreign) /* read just now, and the register is ours alone */
                memcpy(before, log->end, sizeof(before));
        else
                r = tpm_pcr_read_banks(tpm, log->o.pcr, &log->o.banks, before, err);
        if (r < 0)
                return r;
        rec->pcr = log->o.pcr;
        rec->n_digests = n;
        rec->content_type = (char *)(uintptr_t)CEL_CONTENT_AVOW;
        rec->ours = true;
        rec->n_before = n;
        rec->reset_count = log->clock.reset;
        rec->restart_count = log->clock.restart;
        rec->has_timestamp = true;
        rec->timestamp_us = clock_boot_us();
        memcpy(rec->digests, digests, n * sizeof(*digests));
        memcpy(rec->before, before, n * sizeof(*before));
        return 0;
}

/* Makes room for one more record and its text: after that, taking them cannot fail. */
static int make_room(struct pcr_log *log, struct view raw, struct err *err)
{
        size_t n = log->list->n, len = log->text.len, at = 0;
        const uint8_t *was = log->text.p;
        struct cel_record *more;

        if (n == RECORDS_MAX || len + raw.len > FILE_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "%s is full (%zu records): it begins anew at the next boot",
                               SHOW(log->path), n);
        more = mem_resize(log->list->records, n + 1, sizeof(*more));
        if (!more)
                return err_nomem(err);
        log->list->records = more;
        buf_put_view(&log->text, raw);
        if (!buf_ok(&log->text)) {
                log->text.failed = false;
                log->text.len = len;
                return err_nomem(err);
        }
        log->text.len = len;
        for (size_t i = 0; log->text.p != was && i < n; i++) { /* it moved; records lie end to end */
                more[i].raw.p = log->text.p + at;
                at += more[i].raw.len;
        }
        return 0;
}

/* Puts the one record of ONE, which lies behind the text already, at the end. */
static void take_record(struct pcr_log *log, struct cel_log *one, const struct digest *end)
{
        struct cel_record *rec = &log->list->records[log->list->n++];

        *rec = one->records[0];
        rec->raw.p = log->text.p + log->text.len;
        log->text.len += rec->raw.len;
        one->n = 0; /* its texts have moved */
        memcpy(log->before_end, log->end, sizeof(log->end));
        memcpy(log->end, end, sizeof(log->end));
}

static int append(struct pcr_log *log, const struct cel_record *rec, struct err *err)
{
        AUTO(cel_log_free_p) struct cel_log *one = NULL;
        AUTO(buf_free) struct buf raw = {0};
        struct digest end[TPM_MAX_BANKS];
        size_t used;
        int r = cel_record_write(rec, &raw, err);

        if (r >= 0)
                r = cel_parse_file(VIEW_BUF(&raw), 1, &one, &used, err);
        memcpy(end, log->end, sizeof(end));
        for (size_t i = 0; r >= 0 && i < log->o.banks.n; i++)
                r = digest_extend(&end[i], digest_view(cel_record_digest(rec, end[i].alg)), err);
        /* In memory first: after the disk has it nothing may fail before the extend. */
        if (r >= 0)
                r = make_room(log, VIEW_BUF(&raw), err);
        if (r < 0)
                return r;
        r = file_append(log->path, VIEW_BUF(&raw), 0600, err);
        if (r < 0 && rec->revocation) {
                log_err(err, "the revocation's record is kept in memory");
                err_clear(err);
                log->behind = true;
                r = 0;
        }
        if (r >= 0)
                take_record(log, one, end);
        return r;
}

int pcr_log_add(struct pcr_log *log, struct tpm *tpm, struct cel_record *rec, const struct digest *digests,
                size_t n, struct err *err)
{
        int r = agree(log, tpm, err); /* a record left undone is done before the next one */

        if (r >= 0)
                r = describe(log, tpm, digests, n, rec, err);
        if (r >= 0)
                r = append(log, rec, err);
        if (r < 0)
                return r;
        FAULT("record-logged");
        return tpm_pcr_extend(tpm, log->o.pcr, digests, n, err);
}

int pcr_log_measure(struct pcr_log *log, struct tpm *tpm, const char *runtime, const char *path,
                    const struct measurement *m, struct err *err)
{
        struct cel_record rec = {.kind = (char *)(uintptr_t)CEL_KIND_MEASURE,
                                 .runtime = (char *)(uintptr_t)runtime,
                                 .path = (char *)(uintptr_t)path,
                                 .size_bytes = m->size_bytes};
        int r = pcr_log_add(log, tpm, &rec, m->digests, m->n, err);

        return r < 0 ? err_wrap(err, "measurement of %s", SHOW(path)) : 0;
}

int pcr_log_revoke(struct pcr_log *log, struct tpm *tpm, const char *verifier, const char *id,
                   struct err *err)
{
        struct digest digests[TPM_MAX_BANKS];
        struct err aside = ERR_INIT;
        struct cel_record rec = {.kind = (char *)(uintptr_t)CEL_KIND_REVOKE,
                                 .verifier = (char *)(uintptr_t)verifier,
                                 .revocation = (char *)(uintptr_t)id};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < log->o.banks.n; i++)
                r = revocation_record_digest(log->o.banks.v[i], verifier, id, &digests[i], err);
        if (r < 0)
                return r;
        /* What cannot be logged is extended all the same: the session that it stops may be open now. */
        if (agree(log, tpm, &aside) < 0)
                log_err(&aside, "before a revocation");
        err_clear(&aside);
        r = describe(log, tpm, digests, log->o.banks.n, &rec, &aside);
        if (r >= 0)
                r = append(log, &rec, &aside);
        if (r < 0)
                log_err(&aside, "the revocation's record is not in the log");
        FAULT("wipe-logged");
        r = tpm_pcr_extend(tpm, log->o.pcr, digests, log->o.banks.n, err);
        return r < 0 ? err_wrap(err, "extending PCR %u with the revocation", log->o.pcr) : 0;
}

bool pcr_log_revoked(const struct pcr_log *log, const char *verifier, const char *id)
{
        for (size_t i = 0; log->list && i < log->list->n; i++) {
                const struct cel_record *rec = &log->list->records[i];

                if (rec->ours && rec->revocation && str_equal(rec->revocation, id) &&
                    str_equal(rec->verifier, verifier))
                        return true;
        }
        return false;
}

const struct cel_record *pcr_log_newest(const struct pcr_log *log, const char *path)
{
        for (size_t i = log->list->n; i > 0; i--) {
                const struct cel_record *rec = &log->list->records[i - 1];

                if (rec->ours && rec->path && str_equal(rec->path, path))
                        return rec;
        }
        return NULL;
}

int pcr_log_leads_to(const struct pcr_log *log, const struct digest *value, struct err *err)
{
        AUTO(mem_free_p) const struct cel_record **p = NULL;
        struct digest replayed;
        int r;

        for (size_t i = 0; i < log->o.banks.n; i++)
                if (log->o.banks.v[i] == value->alg)
                        return digest_equal(&log->end[i], value);
        p = pointers(log->list);
        if (!p)
                return err_nomem(err);
        r = pcr_replay(p, log->list->n, value->alg, &replayed, err);
        return r < 0 ? r : digest_equal(&replayed, value);
}

bool pcr_log_explains(const struct pcr_log *log)
{
        return log->explains;
}

bool pcr_log_began(const struct pcr_log *log)
{
        return log->began;
}

size_t pcr_log_count(const struct pcr_log *log)
{
        return log->list ? log->list->n : 0;
}

const struct tpm_bank_set *pcr_log_banks(const struct pcr_log *log)
{
        return &log->o.banks;
}

int pcr_log_slice(const struct pcr_log *log, size_t offset, size_t max, size_t max_bytes, struct buf *ret,
                  struct err *err)
{
        size_t n = 0, bytes = 0;

        while (n < max && offset + n < log->list->n &&
               log->list->records[offset + n].raw.len <= max_bytes - bytes) {
                struct view raw = log->list->records[offset + n].raw;

                buf_put_view(ret, raw);
                bytes += raw.len;
                n++;
        }
        return buf_ok(ret) ? (int)n : err_nomem(err);
}
