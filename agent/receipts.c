/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a crash is finished at the next start: a receipt beyond the head of the chain moves the
 * head, a launch whose receipt is there is done, one that was open is lost. A number is given to a receipt
 * when it is signed, and one is signed at a time, so a quote that never reached the disk leaves no hole:
 * nobody saw it.
 *
 * The files are the agent's own, but they stand where root and crashes are: each is read strictly, and what
 * is none of ours is put aside. Root can put old files back; the verifier, who saw later ones, says so then.
 */
#include "agent/receipts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/random.h"
#include "wire/receipts.h"

#define OPEN         "open-"
#define ENDED        "ended-"
#define SIGNED       ".receipt"
#define CHAIN        "chain.json"
#define CHAIN_SCHEMA "avow.receipt-chain/1"
#define CHAIN_MAX    4096
#define REBOOTED     "the host was restarted before its end was on record"
#define OTHER_KEY    "the host has another attestation key since it was begun"
#define UNSEEN       "the agent was ended while it ran"

/* A launch that has no receipt yet. */
struct launch_open {
        struct receipt r;
        bool ended;
};

/* A receipt that the verifier has not decided about. */
struct waiting {
        uint64_t number; /* of its file */
        char launch_id[UUID_TEXT_BYTES];
        struct digest digest;
};

struct head {
        bool known;
        uint8_t id[RECEIPT_CHAIN_BYTES];
        uint64_t sequence;
        struct digest digest;
        struct tpm_name ak;
        const char *broken; /* there was one, and it cannot go on; static text */
};

struct receipts {
        char *dir, *ak_certificate;
        struct launch_open *open;
        size_t n_open;
        struct waiting *waiting; /* by number */
        size_t n_waiting;
        uint64_t last; /* number of a file */
        struct head head;
        bool behind; /* the file of the head lacks what HEAD says */
};

static char *path_of(const struct receipts *r, const char *prefix, const char *name)
{
        return str_fmt("%s/%s%s", r->dir, prefix, name);
}

static char *receipt_path(const struct receipts *r, uint64_t number)
{
        return str_fmt("%s/%020llu" SIGNED, r->dir, (unsigned long long)number);
}

/* ---- the head of the chain ---- */

static int head_hex(const json_t *j, const char *name, uint8_t *ret, size_t n, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        return r < 0 ? r : hex_decode_exact(view_str(s), ret, n, err);
}

static int read_head(const json_t *j, struct head *ret, struct err *err)
{
        static const char *const names[] = {"ak", "digest", "id", "schema", "sequence"};
        AUTO(buf_free) struct buf ak = {0};
        const char *schema = NULL;
        int64_t sequence = 0;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(j, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, CHAIN_SCHEMA))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected " CHAIN_SCHEMA);
        if (r >= 0)
                r = json_get_hex(j, "ak", sizeof(ret->ak.b), &ak, err);
        digest_zero(DIGEST_SHA256, &ret->digest);
        if (r >= 0)
                r = head_hex(j, "digest", ret->digest.b, ret->digest.len, err);
        if (r >= 0)
                r = head_hex(j, "id", ret->id, sizeof(ret->id), err);
        if (r >= 0)
                r = json_get_int(j, "sequence", 1, INT64_MAX, &sequence, err);
        if (r < 0)
                return r;
        ret->ak.len = (uint8_t)ak.len;
        if (ak.len)
                memcpy(ret->ak.b, ak.p, ak.len);
        ret->sequence = (uint64_t)sequence;
        ret->known = true;
        return 0;
}

/* Without a file there is no head; with one that cannot be read there was one. */
static int load_head(struct receipts *r, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(r, "", CHAIN);
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *j = NULL;
        struct head head = {.known = false};
        int n = path ? file_read(path, CHAIN_MAX, &text, err) : err_nomem(err);

        if (n == -ERR_IO && err->code == ENOENT) {
                err_clear(err);
                return 0;
        }
        if (n >= 0)
                n = json_parse(VIEW_BUF(&text), CHAIN_MAX, &j, err);
        if (n >= 0)
                n = read_head(j, &head, err);
        if (n == -ERR_FORMAT || n == -ERR_LIMIT) {
                log_error("%s: %s: a new chain of receipts begins", SHOW(path), err->text);
                err_clear(err);
                r->head.broken = "the record of the chain before could not be read";
                return 0;
        }
        if (n >= 0)
                r->head = head;
        return n;
}

static int save_head(struct receipts *r, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(r, "", CHAIN);
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *text = NULL;
        int n = json_set_str(j, "schema", CHAIN_SCHEMA) | json_set_hex(j, "ak", tpm_name_view(&r->head.ak)) |
                json_set_hex(j, "digest", digest_view(&r->head.digest)) |
                json_set_hex(j, "id", VIEW_ARRAY(r->head.id)) |
                json_set_int(j, "sequence", (int64_t)r->head.sequence);

        text = n ? NULL : json_print(j);
        n = path && text ? file_write(path, view_str(text), 0600, err) : err_nomem(err);
        r->behind = n < 0;
        return n;
}

static void move_head(struct receipts *r, const struct receipt *to, const struct digest *digest)
{
        r->head = (struct head){
                .known = true, .sequence = to->sequence, .digest = *digest, .ak = to->ak, .broken = NULL};
        memcpy(r->head.id, to->chain, sizeof(r->head.id));
        r->behind = true;
}

/* Is TO what comes after the head? */
static bool follows(const struct head *h, const struct receipt *to)
{
        if (!h->known)
                return !h->broken && to->sequence == 1;
        if (to->sequence == 1) /* it says itself why */
                return !equal_ct(h->id, sizeof(h->id), to->chain, sizeof(to->chain));
        return equal_ct(h->id, sizeof(h->id), to->chain, sizeof(to->chain)) &&
               to->sequence == h->sequence + 1 && digest_equal(&to->previous, &h->digest);
}

/* ---- reading the folder ---- */

static void put_aside(const struct receipts *r, const char *name, const char *suffix, const char *why)
{
        AUTO(mem_free_p) char *from = path_of(r, "", name);
        AUTO(mem_free_p) char *to = from ? str_fmt("%s%s", from, suffix) : NULL;

        if (to && rename(from, to) == 0)
                log_error("%s is put aside as %s: %s", SHOW(from), SHOW(to), why);
}

static int load_file(const struct receipts *r, const char *name, struct receipt_file *ret, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(r, "", name);
        AUTO(buf_free) struct buf text = {0};
        int n = path ? file_read(path, RECEIPT_BYTES_MAX, &text, err) : err_nomem(err);

        return n < 0 ? n : receipt_file_decode(VIEW_BUF(&text), ret, err);
}

static int add_waiting(struct receipts *r, uint64_t number, const struct receipt *what,
                       const struct digest *digest, struct err *err)
{
        struct waiting *grown = mem_resize(r->waiting, r->n_waiting + 1, sizeof(*grown));

        if (!grown)
                return err_nomem(err);
        r->waiting = grown;
        grown[r->n_waiting] = (struct waiting){.number = number, .digest = *digest};
        memcpy(grown[r->n_waiting].launch_id, what->launch.id, sizeof(what->launch.id));
        r->n_waiting++;
        return 0;
}

static int take_signed(struct receipts *r, const char *name, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file f = {.countersignature = NULL};
        AUTO(receipt_done) struct receipt what = {.sequence = 0};
        struct digest digest;
        uint64_t number = 0;
        int n = str_parse_uint(VIEW(name + strspn(name, "0"), strcspn(name, ".") - strspn(name, "0")),
                               INT64_MAX, &number, err);

        if (n >= 0)
                n = load_file(r, name, &f, err);
        if (n >= 0)
                n = receipt_payload_decode(VIEW_BUF(&f.payload), &what, err);
        if (n >= 0)
                n = receipt_digest(VIEW_BUF(&f.payload), &digest, err);
        if (n == -ERR_FORMAT || n == -ERR_LIMIT) {
                put_aside(r, name, ".bad", err->text);
                err_clear(err);
                return 0;
        }
        if (n < 0)
                return n;
        if (follows(&r->head, &what))
                move_head(r, &what, &digest); /* a crash came before the head was written */
        if (number > r->last)
                r->last = number;
        return add_waiting(r, number, &what, &digest, err);
}

static int add_open(struct receipts *r, struct receipt *what, bool ended, struct err *err)
{
        struct launch_open *grown = mem_resize(r->open, r->n_open + 1, sizeof(*grown));

        if (!grown)
                return err_nomem(err);
        r->open = grown;
        grown[r->n_open++] = (struct launch_open){*what, ended};
        *what = (struct receipt){.sequence = 0};
        return 0;
}

static struct launch_open *find_open(const struct receipts *r, const char *launch_id)
{
        for (size_t i = 0; i < r->n_open; i++)
                if (str_equal(r->open[i].r.launch.id, launch_id))
                        return &r->open[i];
        return NULL;
}

static const struct waiting *find_waiting(const struct receipts *r, const char *launch_id)
{
        for (size_t i = 0; i < r->n_waiting; i++)
                if (str_equal(r->waiting[i].launch_id, launch_id))
                        return &r->waiting[i];
        return NULL;
}

static int take_open(struct receipts *r, const char *name, bool ended, struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(r, "", name);
        AUTO(buf_free) struct buf text = {0};
        AUTO(receipt_done) struct receipt what = {.sequence = 0};
        struct launch_open *other;
        int n = path ? file_read(path, RECEIPT_PAYLOAD_MAX, &text, err) : err_nomem(err);

        if (n >= 0)
                n = receipt_payload_decode(VIEW_BUF(&text), &what, err);
        if (n == -ERR_FORMAT || n == -ERR_LIMIT) {
                put_aside(r, name, ".bad", err->text);
                err_clear(err);
                return 0;
        }
        if (n < 0)
                return n;
        if (find_waiting(r, what.launch.id)) /* its receipt is there: that is all that was left to do */
                return file_remove(path, err);
        other = find_open(r, what.launch.id);
        if (other) /* "ended" was read first: it knows more */
                return file_remove(path, err);
        return add_open(r, &what, ended, err);
}

/* All names that begin with PREFIX and end in SUFFIX, in order. */
static int each_file(struct receipts *r, const struct strv *names, const char *prefix, const char *suffix,
                     int (*take)(struct receipts *r, const char *name, struct err *err), struct err *err)
{
        int n = 0;

        for (size_t i = 0; n >= 0 && i < names->n; i++)
                if (str_starts(names->items[i], prefix) && str_ends(names->items[i], suffix))
                        n = take(r, names->items[i], err);
        return n;
}

static int take_begun(struct receipts *r, const char *name, struct err *err)
{
        return take_open(r, name, false, err);
}

static int take_ended(struct receipts *r, const char *name, struct err *err)
{
        return take_open(r, name, true, err);
}

static int load(struct receipts *r, struct err *err)
{
        AUTO(strv_done) struct strv names = {0};
        int n = load_head(r, err);
        bool had_head = r->head.known;

        if (n >= 0)
                n = file_list(r->dir, "", &names, err);
        if (n >= 0)
                n = each_file(r, &names, "", SIGNED, take_signed, err);
        if (n >= 0)
                n = each_file(r, &names, ENDED, "", take_ended, err);
        if (n >= 0)
                n = each_file(r, &names, OPEN, "", take_begun, err);
        /* a crash can leave the first receipt of all without a head, and no other */
        if (n >= 0 && !had_head && !r->head.broken &&
            (r->n_waiting > 1 || (r->n_waiting && !r->head.known))) {
                r->head = (struct head){.broken = "the record of the chain before is gone"};
                r->behind = false;
        }
        return n >= 0 && r->behind ? save_head(r, err) : n;
}

int receipts_new(const char *state_dir, struct receipts **ret, struct err *err)
{
        AUTO(receipts_free_p) struct receipts *r = mem_zalloc(1, sizeof(*r));
        int n;

        if (!r || !(r->dir = str_fmt("%s/receipts", state_dir)))
                return err_nomem(err);
        n = file_mkdirs(r->dir, 0700, err);
        if (n >= 0)
                n = load(r, err);
        if (n < 0)
                return err_wrap(err, "receipts in %s", SHOW(r->dir));
        *ret = TAKE(r);
        return 0;
}

void receipts_free(struct receipts *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->n_open; i++)
                receipt_done(&r->open[i].r);
        free(r->open);
        free(r->waiting);
        free(r->dir);
        free(r->ak_certificate);
        free(r);
}

size_t receipts_waiting(const struct receipts *r)
{
        return r->n_waiting;
}

bool receipts_unfinished(const struct receipts *r)
{
        for (size_t i = 0; i < r->n_open; i++)
                if (r->open[i].ended)
                        return true;
        return false;
}

/* ---- a launch begins ---- */

static int set_text(char **text, const char *value, struct err *err)
{
        char *copy = value ? str_dup(value) : NULL;

        if (value && !copy)
                return err_nomem(err);
        free(*text);
        *text = copy;
        return 0;
}

static int write_open(const struct receipts *r, const char *prefix, const struct receipt *what,
                      struct err *err)
{
        AUTO(mem_free_p) char *path = path_of(r, prefix, what->launch.id);
        AUTO(buf_free) struct buf text = {0};
        int n = path ? receipt_payload_encode(what, &text, err) : err_nomem(err);

        return n < 0 ? n : file_write(path, VIEW_BUF(&text), 0600, err);
}

static char *lent(const char *s)
{
        return *s ? (char *)(uintptr_t)s : NULL;
}

/* What is known of it by now, with an end that holds until somebody says another. Its texts are lent. */
static int plan(const struct receipts_tpm *t, const struct receipts_start *start, struct receipt *ret,
                struct err *err)
{
        const struct permit *p = start->permit;
        const struct permit_policy *const policies[] = {&p->policy,
                                                        p->has_host_policy ? &p->host_policy : NULL};
        struct view ak = tpm_ak_name(t->ak);
        struct tpm_counters clock;
        int n = tpm_clock_read(t->tpm, &clock, err);

        if (n >= 0)
                n = launch_digest(start->launch, &ret->launch_digest, err);
        if (n >= 0 && start->n_secrets > RECEIPT_SECRETS_MAX)
                n = err_set(err, ERR_BUG, 0, "%zu secrets for one launch", start->n_secrets);
        if (n < 0)
                return n;
        ret->launch = *start->launch;
        ret->tenant = lent(p->tenant);
        ret->permit = lent(p->id);
        for (size_t i = 0; i < ARRAY_LEN(policies); i++)
                if (policies[i])
                        ret->policies[ret->n_policies++] = (struct receipt_policy){
                                lent(policies[i]->name), policies[i]->version, policies[i]->sha256};
        ret->has_claims = p->has_claims;
        ret->claims =
                (struct receipt_claims){lent(p->claims.issuer), lent(p->claims.subject), lent(p->claims.name),
                                        lent(p->claims.version), p->claims.revision};
        if (start->n_secrets)
                memcpy(ret->secrets, start->secrets, start->n_secrets * sizeof(*start->secrets));
        ret->n_secrets = start->n_secrets;
        ret->log_pcr = start->log_pcr;
        ret->log_entry = start->log_entry;
        ret->ak.len = (uint8_t)ak.len;
        memcpy(ret->ak.b, ak.p, ak.len);
        ret->started_at_ms = ret->ended_at_ms = start->started_at_ms;
        ret->clock_ms = clock.clock_ms;
        ret->reset = clock.reset;
        ret->restart = clock.restart;
        ret->exit = RECEIPT_LOST;
        ret->why = lent(UNSEEN);
        ret->sequence = 1; /* it gets its place when it is signed */
        return 0;
}

int receipts_begin(struct receipts *r, const struct receipts_tpm *t, const struct receipts_start *start,
                   struct err *err)
{
        AUTO(receipt_done) struct receipt copy = {.sequence = 0};
        AUTO(buf_free) struct buf text = {0};
        struct receipt planned = {.sequence = 0};
        int n;

        if (r->n_open + r->n_waiting >= RECEIPTS_KEPT_MAX)
                return err_set(
                        err, ERR_LIMIT, 0,
                        "%d receipts wait for the verifier's countersignature: nothing is run before it "
                        "is back",
                        RECEIPTS_KEPT_MAX);
        if (find_open(r, start->launch->id) || find_waiting(r, start->launch->id))
                return err_set(err, ERR_BUG, 0, "launch %s was begun before", SHOW(start->launch->id));
        n = plan(t, start, &planned, err);
        if (n >= 0)
                n = receipt_payload_encode(&planned, &text, err);
        if (n >= 0)
                n = receipt_payload_decode(VIEW_BUF(&text), &copy, err);
        if (n >= 0)
                n = write_open(r, OPEN, &copy, err);
        FAULT("receipt-begun");
        return n < 0 ? err_wrap(err, "receipt") : add_open(r, &copy, false, err);
}

/* ---- its end ---- */

static int say_lost(struct receipt *r, const char *why, struct err *err)
{
        r->exit = RECEIPT_LOST;
        r->code = 0;
        return set_text(&r->why, why, err);
}

static int end_open(struct receipts *r, struct launch_open *o, const struct receipts_end *end,
                    struct err *err)
{
        AUTO(mem_free_p) char *open = path_of(r, OPEN, o->r.launch.id);
        int n = open ? set_text(&o->r.why, end->exit == RECEIPT_LOST ? end->why : NULL, err) : err_nomem(err);

        if (n < 0)
                return n;
        o->r.exit = end->exit;
        o->r.code = end->exit == RECEIPT_LOST ? 0 : end->code;
        o->r.has_output = end->has_output;
        o->r.output = end->output;
        o->r.ended_at_ms = end->ended_at_ms;
        o->ended = true;
        n = write_open(r, ENDED, &o->r, err);
        FAULT("receipt-ended");
        return n < 0 ? n : file_remove(open, err);
}

/* Its place in the chain. */
static int give_place(const struct receipts *r, struct receipt *what, struct err *err)
{
        const struct head *h = &r->head;
        bool same_key = view_equal(tpm_name_view(&h->ak), tpm_name_view(&what->ak));

        if (h->known && same_key) {
                memcpy(what->chain, h->id, sizeof(what->chain));
                what->sequence = h->sequence + 1;
                what->has_previous = true;
                what->previous = h->digest;
                return set_text(&what->broken, NULL, err);
        }
        what->sequence = 1;
        what->has_previous = false;
        if (set_text(&what->broken, h->known ? "the host has another attestation key now" : h->broken, err) <
            0)
                return -ERR_NOMEM;
        return random_bytes(what->chain, sizeof(what->chain), err);
}

/* What was true when it was begun and is no more: then nobody can say that this boot, this key saw its end.
 */
static int look_around(const struct receipts_tpm *t, struct receipt *what, struct err *err)
{
        struct view ak = tpm_ak_name(t->ak);
        struct tpm_counters clock;
        int n = tpm_clock_read(t->tpm, &clock, err);

        if (n < 0)
                return n;
        if (!view_equal(ak, tpm_name_view(&what->ak))) {
                what->ak.len = (uint8_t)ak.len;
                memcpy(what->ak.b, ak.p, ak.len);
                what->clock_ms = clock.clock_ms;
                what->reset = clock.reset;
                what->restart = clock.restart;
                return say_lost(what, OTHER_KEY, err);
        }
        if (what->exit != RECEIPT_LOST && (clock.reset != what->reset || clock.restart != what->restart))
                return say_lost(what, REBOOTED, err);
        return 0;
}

static int quote(const struct receipts *r, const struct receipts_tpm *t, const struct receipt *what,
                 struct receipt_file *f, struct digest *ret_digest, struct err *err)
{
        struct tpm_signed quoted = {0};
        struct tpm_pcr_values values;
        int n = receipt_payload_encode(what, &f->payload, err);

        if (n >= 0)
                n = receipt_digest(VIEW_BUF(&f->payload), ret_digest, err);
        if (n >= 0)
                n = tpm_ak_quote(t->ak, t->bank, t->mask | 1u << what->log_pcr, digest_view(ret_digest),
                                 &quoted, &values, err);
        if (n >= 0)
                n = set_text(&f->ak_certificate, r->ak_certificate, err);
        if (n < 0) {
                tpm_signed_done(&quoted);
                return n;
        }
        f->message = quoted.message;
        f->signature = quoted.signature;
        f->pcrs.bank = values.bank;
        f->pcrs.mask = values.mask;
        memcpy(f->pcrs.v, values.value, sizeof(f->pcrs.v));
        buf_put_view(&f->ak, tpm_ak_public(t->ak));
        return buf_ok(&f->ak) ? 0 : err_nomem(err);
}

static void forget_open(struct receipts *r, struct launch_open *o)
{
        size_t i = (size_t)(o - r->open);

        receipt_done(&o->r);
        memmove(o, o + 1, (r->n_open - i - 1) * sizeof(*o));
        r->n_open--;
}

/* The receipt of O, which ended: signed and kept. */
static int make(struct receipts *r, const struct receipts_tpm *t, struct launch_open *o, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file f = {.countersignature = NULL};
        AUTO(mem_free_p) char *path = receipt_path(r, r->last + 1);
        AUTO(mem_free_p) char *ended = path_of(r, ENDED, o->r.launch.id);
        AUTO(buf_free) struct buf text = {0};
        struct digest digest;
        int n = path && ended ? look_around(t, &o->r, err) : err_nomem(err);

        if (n >= 0)
                n = give_place(r, &o->r, err);
        if (n >= 0)
                n = quote(r, t, &o->r, &f, &digest, err);
        if (n >= 0)
                n = receipt_file_encode(&f, &text, err);
        if (n >= 0)
                n = add_waiting(r, r->last + 1, &o->r, &digest, err);
        if (n < 0)
                return n;
        FAULT("receipt-quoted");
        n = file_write(path, VIEW_BUF(&text), 0600, err);
        if (n < 0) {
                r->n_waiting--;
                return n;
        }
        FAULT("receipt-written");
        r->last++;
        move_head(r, &o->r, &digest);
        forget_open(r, o);
        n = save_head(r, err);
        FAULT("receipt-head");
        return n < 0 ? n : file_remove(ended, err);
}

int receipts_turn(struct receipts *r, const struct receipts_tpm *t, struct err *err)
{
        int n = 0;

        for (size_t i = 0; n >= 0 && i < r->n_open;)
                if (r->open[i].ended)
                        n = make(r, t, &r->open[i], err);
                else
                        i++;
        return n < 0 ? err_wrap(err, "signing a receipt") : 0;
}

int receipts_end(struct receipts *r, const struct receipts_tpm *t, const char *launch_id,
                 const struct receipts_end *end, struct buf *ret, struct err *err)
{
        struct launch_open *o = find_open(r, launch_id);
        const struct waiting *w;
        int n;

        if (!o || o->ended)
                return err_set(err, ERR_CONFIG, 0, "launch %s was not begun, or has ended", SHOW(launch_id));
        n = end_open(r, o, end, err);
        if (n >= 0)
                n = receipts_turn(r, t, err);
        w = n >= 0 && ret ? find_waiting(r, launch_id) : NULL;
        if (w) {
                AUTO(mem_free_p) char *path = receipt_path(r, w->number);

                n = path ? file_read(path, RECEIPT_BYTES_MAX, ret, err) : err_nomem(err);
        }
        return n;
}

static bool is_among(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (str_equal(names[i], name))
                        return true;
        return false;
}

int receipts_lost(struct receipts *r, const struct receipts_tpm *t, const char *const *running, size_t n,
                  const char *why, struct err *err)
{
        int result = 0;

        for (size_t i = 0; result >= 0 && i < r->n_open; i++) {
                struct launch_open *o = &r->open[i];
                const struct receipts_end end = {
                        .exit = RECEIPT_LOST, .why = why, .ended_at_ms = clock_now_ms()};

                if (!o->ended && !is_among(running, n, o->r.launch.id))
                        result = end_open(r, o, &end, err);
        }
        return result < 0 ? result : receipts_turn(r, t, err);
}

/* ---- the verifier ---- */

int receipts_ask(struct receipts *r, struct buf *ret, struct err *err)
{
        struct wire_receipts_request m = {.n = 0};
        int n = 0;

        for (size_t i = 0; n >= 0 && i < r->n_waiting && m.n < RECEIPTS_BATCH; i++) {
                AUTO(mem_free_p) char *path = receipt_path(r, r->waiting[i].number);

                n = path ? load_file(r, strrchr(path, '/') + 1, &m.file[m.n], err) : err_nomem(err);
                if (n >= 0)
                        m.n++;
        }
        if (n >= 0 && m.n)
                n = wire_receipts_request_encode(&m, ret, err);
        if (n >= 0)
                n = (int)m.n;
        wire_receipts_request_done(&m);
        return n;
}

static int settle(struct receipts *r, size_t i, const char *refused, struct err *err)
{
        AUTO(mem_free_p) char *path = receipt_path(r, r->waiting[i].number);
        AUTO(mem_free_p) char *ended = path_of(r, ENDED, r->waiting[i].launch_id);
        int n = path && ended ? 0 : err_nomem(err);

        /* what says that it was made goes last */
        if (n >= 0 && r->behind)
                n = save_head(r, err);
        if (n >= 0)
                n = file_remove(ended, err);
        if (n < 0)
                return n;
        if (refused)
                put_aside(r, strrchr(path, '/') + 1, ".refused", refused);
        else
                n = file_remove(path, err);
        if (n < 0)
                return n;
        memmove(&r->waiting[i], &r->waiting[i + 1], (r->n_waiting - i - 1) * sizeof(*r->waiting));
        r->n_waiting--;
        return 1;
}

int receipts_take(struct receipts *r, struct view answer, struct err *err)
{
        AUTO(wire_receipts_answer_done) struct wire_receipts_answer m = {.n = 0};
        int n = wire_receipts_answer_decode(answer, &m, err), settled = 0;

        if (n >= 0 && m.ak_certificate)
                n = set_text(&r->ak_certificate, m.ak_certificate, err);
        for (size_t i = 0; n >= 0 && i < m.n; i++) {
                if (!m.item[i].countersignature && !m.item[i].refused)
                        continue;
                for (size_t k = 0; k < r->n_waiting; k++)
                        if (digest_equal(&r->waiting[k].digest, &m.item[i].digest)) {
                                struct str_shown shown;

                                n = settle(r, k,
                                           m.item[i].refused ? str_show(view_str(m.item[i].refused), &shown)
                                                             : NULL,
                                           err);
                                settled += n == 1;
                                break;
                        }
        }
        return n < 0 ? n : settled;
}
