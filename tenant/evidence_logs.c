/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/evidence_logs.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/boot_record.h"
#include "evidence/ima_signature.h"
#include "evidence/pcr_blob.h"
#include "tenant/load.h"
#include "tenant/output.h"

#define IMA_PCR 10

static int set_taken(json_t *j, const char *name, struct buf *b)
{
        AUTO(mem_free_p) char *text = buf_take_str(b);

        return text ? json_set_str(j, name, text) : -1;
}

/* A name of a host's, so that two names give two texts: whatever is not plain is escaped, backslashes too. */
static int set_name(json_t *j, const char *name, struct view v)
{
        struct buf out = {0};

        buf_escaped(&out, v);
        return set_taken(j, name, &out);
}

/* A line that was made here and holds quotes of its own. */
static int set_printable(json_t *j, const char *name, struct view v)
{
        struct buf out = {0};

        buf_printable(&out, v);
        return set_taken(j, name, &out);
}

/* ---- the boot log ---- */

static const char *cover_name(int cover)
{
        static const char *const names[] = {
                [BOOTLOG_OUTSIDE] = "no", [BOOTLOG_COVERED] = "yes", [BOOTLOG_CONTRADICTS] = "contradicts"};

        return names[cover];
}

/* The best bank that is ours, for telling what digests cover. */
static bool best_bank(const struct bootlog *log, enum digest_alg *ret)
{
        static const enum digest_alg order[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA1};

        for (size_t k = 0; k < ARRAY_LEN(order); k++)
                for (size_t i = 0; i < log->n_banks; i++)
                        if (log->banks[i].alg == order[k]) {
                                *ret = order[k];
                                return true;
                        }
        return false;
}

static int set_cover(json_t *j, const struct bootlog *log, const struct bootlog_event *e, struct err *err)
{
        enum digest_alg bank;
        struct view covered;
        int r;

        if (e->type == EV_NO_ACTION || !best_bank(log, &bank))
                return 0;
        r = bootlog_covered(e, bank, &covered, err);
        if (r < 0)
                return r;
        return json_set_str(j, "covered", cover_name(r)) < 0 ? err_nomem(err) : 0;
}

static json_t *digests_json(const struct bootlog_event *e)
{
        AUTO(json_free_p) json_t *j = json_object();

        for (size_t i = 0; j && i < e->n_digests; i++) {
                char number[8];
                enum digest_alg alg;
                bool known = digest_by_tpm_alg(e->digests[i].alg, &alg);

                (void)snprintf(number, sizeof(number), "0x%04x", e->digests[i].alg);
                if (json_set_hex(j, known ? digest_name(alg) : number, e->digests[i].value) < 0)
                        return NULL;
        }
        return TAKE(j);
}

static int event_json(const struct bootlog *log, const struct bootlog_event *e, json_t *events,
                      struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(buf_free) struct buf text = {0};
        const char *name = bootlog_type_name(e->type);
        int r = 0;

        bootlog_describe(e, &text);
        if (!j || !buf_ok(&text))
                return err_nomem(err);
        r |= json_set_int(j, "event", (int64_t)e->number);
        r |= json_set_int(j, "at", (int64_t)e->at);
        r |= json_set_int(j, "pcr", e->pcr);
        r |= json_set_int(j, "type", e->type);
        r |= json_set_str(j, "name", name);
        r |= set_printable(j, "text", VIEW_BUF(&text));
        r |= json_object_set_new(j, "digests", digests_json(e));
        r |= json_set_hex(j, "data", e->data);
        if (r < 0)
                return err_nomem(err);
        r = set_cover(j, log, e, err);
        if (r < 0)
                return r;
        return json_array_append(events, j) < 0 ? err_nomem(err) : 0;
}

static int header_json(const struct bootlog *log, json_t *j)
{
        char version[16];

        (void)snprintf(version, sizeof(version), "%u.%u.%u", log->major, log->minor, log->errata);
        return json_set_bool(j, "agile", log->agile) | json_set_str(j, "specification", version) |
               json_set_int(j, "platform_class", log->platform_class) |
               json_set_int(j, "startup_locality", log->locality);
}

/* What the log leads to, in each bank that is ours. */
static int replays_json(const struct bootlog *log, json_t *j, struct err *err)
{
        AUTO(json_free_p) json_t *all = json_array();

        for (size_t i = 0; all && i < log->n_banks; i++) {
                struct pcr_values v;
                enum digest_alg bank;
                int r;

                if (!digest_by_tpm_alg(log->banks[i].alg, &bank))
                        continue;
                r = bootlog_replay(log, bank, &v, err);
                if (r < 0)
                        return r;
                if (json_array_append_new(all, pcr_values_to_json(&v)) < 0)
                        return err_nomem(err);
        }
        return !all || json_object_set(j, "leads_to", all) < 0 ? err_nomem(err) : 0;
}

static json_t *numbers(uint32_t mask)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (unsigned i = 0; list && i < PCR_COUNT; i++)
                if (mask >> i & 1 && json_array_append_new(list, json_integer(i)) < 0)
                        return NULL;
        return TAKE(list);
}

static int boot_fits_json(const struct bootlog *log, const struct pcr_values *pcrs, json_t *j, bool *ret_fits,
                          struct err *err)
{
        struct boot_record record;
        uint32_t differs;
        int r = boot_record_make(log, pcrs, &record, err);

        if (r < 0)
                return r;
        differs = record.values.mask & pcrs->mask & BOOT_PCRS & ~record.explained;
        if (json_set_str(j, "bank", digest_name(pcrs->bank)) < 0 ||
            json_object_set_new(j, "explains", numbers(record.explained)) < 0 ||
            json_object_set_new(j, "differs", numbers(differs)) < 0)
                r = err_nomem(err);
        *ret_fits &= differs == 0;
        boot_record_done(&record);
        return r;
}

static int boot_json(const struct logs *l, json_t *doc, bool *ret_fits, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object(), *events = json_array();
        struct bootlog log;
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        int r = bootlog_parse(l->boot, &log, err);

        if (r < 0)
                return r;
        if (!j || !events || header_json(&log, j) < 0)
                return err_nomem(err);
        while (bootlog_next(&log, &pos, &e)) {
                r = event_json(&log, &e, events, err);
                if (r < 0)
                        return r;
        }
        r = replays_json(&log, j, err);
        if (r == 0 && l->pcrs)
                r = boot_fits_json(&log, l->pcrs, j, ret_fits, err);
        if (r < 0)
                return r;
        return json_object_set(j, "events", events) < 0 || json_object_set(doc, "boot_log", j) < 0
                       ? err_nomem(err)
                       : 0;
}

/* ---- the measurement list ---- */

/* The binary form begins with a register's number in four bytes, three of them zero; no text holds a zero. */
static enum ima_form form_of(struct view bytes)
{
        return bytes.len >= 4 && bytes.p[3] == 0 ? IMA_BINARY : IMA_TEXT;
}

static int signature_json(json_t *j, const struct ima_event *event)
{
        struct ima_signature sig;
        struct err ignored = ERR_INIT;
        char id[9];

        if (event->sig.len == 0)
                return 0;
        if (ima_signature_parse(event->sig, &sig, &ignored) < 0)
                return json_set_str(j, "signature", "malformed");
        (void)snprintf(id, sizeof(id), "%08x", sig.key_id);
        return json_set_str(j, "signed_by_key", id);
}

static int entry_json(const struct ima_entry *e, json_t *entries, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        struct ima_event event;
        int r = ima_event_decode(e, &event, err);

        if (r < 0)
                return r;
        if (!j)
                return err_nomem(err);
        r |= json_set_int(j, "entry", (int64_t)e->number);
        r |= json_set_int(j, "pcr", e->pcr);
        r |= json_set_str(j, "template", e->form->name);
        r |= json_set_hex(j, "template_hash", e->template_hash);
        r |= json_set_bool(j, "violation", e->violation);
        r |= set_name(j, "name", event.name);
        if (!e->violation) {
                r |= set_name(j, "alg", event.alg_name);
                r |= json_set_hex(j, "digest", event.digest);
        }
        if (event.measured == IMA_VERITY)
                r |= json_set_bool(j, "verity", true);
        r |= signature_json(j, &event);
        if (event.has_buf)
                r |= json_set_hex(j, "buffer", event.buf);
        if (event.modsig.len)
                r |= json_set_int(j, "appended_signature_bytes", (int64_t)event.modsig.len);
        if (event.evmsig.len)
                r |= json_set_int(j, "evm_signature_bytes", (int64_t)event.evmsig.len);
        return r < 0 || json_array_append(entries, j) < 0 ? err_nomem(err) : 0;
}

static int ima_fits_json(const struct ima_list *list, const struct pcr_values *pcrs, json_t *j,
                         bool *ret_fits, struct err *err)
{
        struct ima_start start = {.known = false};
        struct ima_replay replay;
        int r;

        if (!(pcrs->mask >> IMA_PCR & 1))
                return 0;
        digest_zero(pcrs->bank, &start.value);
        r = ima_replay(list, &start, IMA_PCR, &pcrs->v[IMA_PCR], &replay, err);
        if (r < 0)
                return r;
        *ret_fits &= replay.matched;
        r = json_set_str(j, "bank", digest_name(pcrs->bank)) | json_set_bool(j, "matches", replay.matched) |
            json_set_hex(j, "leads_to", digest_view(&replay.value));
        if (replay.matched)
                r |= json_set_int(j, "covered", (int64_t)replay.covered) |
                     json_set_bool(j, "padded_sha1", replay.extended == IMA_PADDED_SHA1);
        return r < 0 ? err_nomem(err) : 0;
}

static int ima_json(const struct logs *l, json_t *doc, bool *ret_fits, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object(), *entries = json_array();
        AUTO(ima_reader_free_p) struct ima_reader *reader = NULL;
        struct ima_list list = {.form = form_of(l->ima), .log_hash = DIGEST_SHA1, .bytes = l->ima};
        struct ima_entry e;
        int64_t violations = 0;
        int r = j && entries ? ima_reader_new(&list, &reader, err) : err_nomem(err);

        if (r < 0)
                return r;
        while ((r = ima_next(reader, &e, err)) > 0) {
                violations += e.violation;
                r = entry_json(&e, entries, err);
                if (r < 0)
                        return r;
        }
        if (r == 0 && l->pcrs)
                r = ima_fits_json(&list, l->pcrs, j, ret_fits, err);
        if (r < 0)
                return r;
        return json_set_str(j, "form", list.form == IMA_TEXT ? "text" : "binary") < 0 ||
                               json_set_int(j, "violations", violations) < 0 ||
                               json_object_set(j, "entries", entries) < 0 ||
                               json_object_set(doc, "ima", j) < 0
                       ? err_nomem(err)
                       : 0;
}

int logs_to_json(const struct logs *l, json_t *doc, bool *ret_fits, struct err *err)
{
        int r = 0;

        *ret_fits = true;
        if (l->has_boot && (r = boot_json(l, doc, ret_fits, err)) < 0)
                return err_wrap(err, "boot log");
        if (l->has_ima && (r = ima_json(l, doc, ret_fits, err)) < 0)
                return err_wrap(err, "measurement list");
        return 0;
}

/* ---- for people ---- */

static const char *text_of(const json_t *j, const char *name)
{
        const char *s = json_string_value(json_object_get(j, name));

        return s ? s : "";
}

static int64_t number_of(const json_t *j, const char *name)
{
        return json_integer_value(json_object_get(j, name));
}

static void print_numbers(const char *title, const json_t *list)
{
        if (json_array_size(list) == 0)
                return;
        (void)printf("  %s", title);
        for (size_t i = 0; i < json_array_size(list); i++)
                (void)printf(" %lld", (long long)json_integer_value(json_array_get(list, i)));
        (void)printf("\n");
}

static void print_event(const json_t *e)
{
        const char *name = text_of(e, "name"), *covered = text_of(e, "covered");
        const json_t *digests = json_object_get(e, "digests");
        const char *bank = json_object_get(digests, "sha256") ? "sha256" : "sha384";

        (void)printf("  %3lld PCR %-2lld %s %.16s%s %s%s\n", (long long)number_of(e, "event"),
                     (long long)number_of(e, "pcr"), *name ? name : "(unknown type)", text_of(digests, bank),
                     *text_of(digests, bank) ? "…" : "", text_of(e, "text"),
                     str_equal(covered, "no")            ? " (the log's claim)"
                     : str_equal(covered, "contradicts") ? " (NOT what was measured)"
                                                         : "");
}

static void print_boot(const json_t *j)
{
        const json_t *events = json_object_get(j, "events");

        (void)printf("\nBoot log, %zu events, specification %s, startup locality %lld:\n",
                     json_array_size(events), text_of(j, "specification"),
                     (long long)number_of(j, "startup_locality"));
        for (size_t i = 0; i < json_array_size(events); i++)
                print_event(json_array_get(events, i));
        if (!json_object_get(j, "bank"))
                return;
        print_numbers("leads to the quoted values of PCR", json_object_get(j, "explains"));
        print_numbers("DOES NOT lead to the quoted values of PCR", json_object_get(j, "differs"));
}

static void print_entry(const json_t *e)
{
        const char *key = text_of(e, "signed_by_key");

        if (json_is_true(json_object_get(e, "violation")))
                (void)printf("  %5lld %s VIOLATION %s (the log's claim)\n", (long long)number_of(e, "entry"),
                             text_of(e, "template"), text_of(e, "name"));
        else
                (void)printf("  %5lld %s %s:%s%s %s%s%s\n", (long long)number_of(e, "entry"),
                             text_of(e, "template"), text_of(e, "alg"), text_of(e, "digest"),
                             json_object_get(e, "verity") ? " (fs-verity)" : "", text_of(e, "name"),
                             *key ? ", signed by key " : "", key);
}

static void print_ima(const json_t *j)
{
        const json_t *entries = json_object_get(j, "entries");

        (void)printf("\nMeasurement list of the kernel, %zu entries, %lld violations:\n",
                     json_array_size(entries), (long long)number_of(j, "violations"));
        for (size_t i = 0; i < json_array_size(entries); i++)
                print_entry(json_array_get(entries, i));
        if (!json_object_get(j, "bank"))
                return;
        if (json_is_true(json_object_get(j, "matches")))
                (void)printf("  the quoted value of PCR %d covers the first %lld entries%s\n", IMA_PCR,
                             (long long)number_of(j, "covered"),
                             json_is_true(json_object_get(j, "padded_sha1")) ? " (the bank has SHA-1, padded)"
                                                                             : "");
        else
                (void)printf("  DOES NOT lead to the quoted value of PCR %d\n", IMA_PCR);
}

void logs_print(const json_t *doc)
{
        if (json_object_get(doc, "boot_log"))
                print_boot(json_object_get(doc, "boot_log"));
        if (json_object_get(doc, "ima"))
                print_ima(json_object_get(doc, "ima"));
}

/* ---- files ---- */

bool logs_type(const char *type)
{
        return str_equal(type, "ima") || str_equal(type, "boot-log");
}

static int load_pcrs(const char *path, struct pcr_values *ret, struct err *err)
{
        AUTO(buf_free) struct buf b = {0};
        int r = load_bytes(path, PCR_BLOB_BYTES_MAX, &b, err);

        if (r == 0)
                r = pcr_blob_parse(VIEW_BUF(&b), ret, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

int evidence_logs_show(const struct session *s, const char *type, const char *pcrs, const char *path,
                       struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("evidence-log");
        AUTO(buf_free) struct buf b = {0};
        struct logs l = {.has_boot = str_equal(type, "boot-log"), .has_ima = str_equal(type, "ima")};
        struct pcr_values values;
        bool fits = true;
        int r = doc ? load_bytes(path, LOGS_BYTES_MAX, &b, err) : err_nomem(err);

        if (r == 0 && pcrs) {
                r = load_pcrs(pcrs, &values, err);
                l.pcrs = &values;
        }
        l.boot = l.ima = VIEW_BUF(&b);
        if (r == 0)
                r = logs_to_json(&l, doc, &fits, err);
        if (r < 0)
                return err_wrap(err, "%s", path);
        r = output_document_if_asked(s, doc, err);
        if (r == 0)
                logs_print(doc);
        if (r == 0 && fflush(stdout))
                r = err_set(err, ERR_IO, 0, "standard output cannot be written");
        return r < 0 ? r : fits ? ANSWER_DONE : ANSWER_NO;
}
