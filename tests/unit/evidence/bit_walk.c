/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flips every single bit of an evidence bundle, one after the other, and appraises each as `avow evidence
 * verify` does. A changed bundle must not decode, or not pass; if it passes, the bit must lie where nothing
 * covers it. Those places are listed here, each with the reason; a bit elsewhere that survives fails the
 * test, and so does a listed place of which no bit survives, so that the list stays true.
 *
 * Usage: bit_walk BUNDLE POLICY [AK-CA.pem]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/macro.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/trust.h"
#include "evidence/bundle.h"
#include "evidence/cel.h"
#include "policy/appraise.h"

/* Members whose value nothing covers, by the path of names that leads to them in the text. */
static const struct place {
        const char *path[3];
        const char *why;
        bool certificate; /* with the CA of the AK certificate at hand, it is covered after all */
} places[] = {
        {{"ak_certificate"},
         "dates, serial number and signature: covered by the registrar's CA, for who has it; the key, the "
         "host's "
         "name and the key's attributes in it must be those of the bundle in any case",
         true},
        {{"issued_at"}, "the verifier's own clock; nobody signs it", false},
        {{"received_at"}, "the verifier's own clock: within the tolerance of the TPM's", false},
        {{"clock_tolerance", "base_ms"}, "the verifier's configuration", false},
        {{"clock_tolerance", "percent"}, "the verifier's configuration", false},
        {{"previous", "clock"}, "the verifier's memory: within the tolerance of its clock", false},
        {{"previous", "reset"}, "the verifier's memory: a lower count looks like a reboot since", false},
        {{"previous", "received_at"},
         "the verifier's memory: within the tolerance of the TPM's clock",
         false},
        {{"previous", "time_offset"}, "the verifier's memory: within the slack of a TPM's rounding", false},
        {{"previous", "pcrs"}, "the verifier's memory: what the quote before this one said", false},
        {{"previous", "offsets"}, "the verifier's memory: how much of the log was judged before", false},
        {{"counters_before", "epoch", "value"}, "the verifier's memory: below what the TPM certified", false},
        {{"counters_before", "floor", "value"}, "the verifier's memory: below what the TPM certified", false},
        {{"verdict"}, "the verdict as it was recorded; verifying makes its own", false},
        {{"policy", "name"}, "which policy was in force; verifying is given one", false},
        {{"policy", "version"}, "which policy was in force; verifying is given one", false},
        {{"policy", "sha256"}, "which policy was in force; verifying is given one", false},
        {{"logs", "cel"},
         "claims in the log: runtime, path, size, times, counts, the register before; never digests",
         false},
};

struct walk {
        struct buf text;
        struct bundle *good;
        struct policy_effective *policy;
        struct trust *ca; /* or NULL */
        bool fresh;
        size_t n_refused[4];
        size_t survived[ARRAY_LEN(places)];
        size_t n_wrong;
};

enum outcome {
        OUTCOME_PASS,
        OUTCOME_MALFORMED, /* exit 2 */
        OUTCOME_NO,        /* exit 1 or 3 */
        OUTCOME_BAD_CERTIFICATE,
};

static void need(int r, const struct err *err, const char *what)
{
        if (r >= 0)
                return;
        (void)fprintf(stderr, "bit_walk: %s: %s\n", what, err->text);
        exit(99);
}

static bool certificate_good(const struct walk *w, const struct bundle *b)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        char reason[TRUST_REASON_BYTES];
        struct err err = ERR_INIT;
        bool good = false;

        if (!w->ca)
                return true;
        return b->ak_certificate && cert_parse_pem(view_str(b->ak_certificate), &cert, &err) == 0 &&
               trust_check(w->ca, cert, NULL, b->received_at_ms, &good, reason, &err) == 0 && good;
}

/* What `avow evidence verify` answers. */
static enum outcome verify(const struct walk *w, struct view text, struct bundle **ret)
{
        AUTO(verdict_free_p) struct verdict *v = NULL;
        struct err err = ERR_INIT;

        if (bundle_decode(text, ret, &err) < 0)
                return OUTCOME_MALFORMED;
        if (appraise_bundle(*ret, w->policy, NULL, NULL, NULL, &v, &err) < 0)
                return OUTCOME_MALFORMED;
        if (v->state != VERDICT_PASS)
                return OUTCOME_NO;
        return certificate_good(w, *ret) ? OUTCOME_PASS : OUTCOME_BAD_CERTIFICATE;
}

/* The value of the member NAME inside [from, to): from behind the colon to the next member or end. */
static bool find_member(const char *text, const char *name, size_t *from, size_t *to)
{
        char quoted[64];
        const char *at, *end;
        int depth = 0;
        bool in_string = false;

        (void)snprintf(quoted, sizeof(quoted), "\"%s\":", name);
        at = strstr(text + *from, quoted);
        if (!at || (size_t)(at - text) >= *to)
                return false;
        at += strlen(quoted);
        for (end = at; *end; end++) {
                if (in_string && *end == '\\')
                        end++;
                else if (*end == '"')
                        in_string = !in_string;
                else if (!in_string && (*end == '{' || *end == '['))
                        depth++;
                else if (!in_string && (*end == '}' || *end == ']') && depth-- == 0)
                        break;
                else if (!in_string && *end == ',' && depth == 0)
                        break;
        }
        *from = (size_t)(at - text);
        *to = (size_t)(end - text);
        return true;
}

/* Where a listed place is in this bundle; false: it has none. */
static bool find_place(const struct walk *w, const struct place *place, size_t *from, size_t *to)
{
        bool found = true;

        *from = 0;
        *to = w->text.len;
        for (size_t k = 0; found && k < ARRAY_LEN(place->path) && place->path[k]; k++)
                found = find_member((const char *)w->text.p, place->path[k], from, to);
        return found;
}

/* The listed place that a byte of the bundle lies in, or -1. */
static int place_of(const struct walk *w, size_t byte)
{
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                size_t from, to;

                if (places[i].certificate && w->ca)
                        continue;
                if (find_place(w, &places[i], &from, &to) && byte >= from && byte < to)
                        return (int)i;
        }
        return -1;
}

/* The PEM text around the DER has freedom of its own: a certificate that reads the same is the same. */
static bool same_certificate(const struct walk *w, const struct bundle *b)
{
        AUTO(cert_free_p) struct cert *was = NULL;
        AUTO(cert_free_p) struct cert *is = NULL;
        struct err err = ERR_INIT;

        return strcmp(w->good->ak_certificate, b->ak_certificate) != 0 &&
               cert_parse_pem(view_str(w->good->ak_certificate), &was, &err) == 0 &&
               cert_parse_pem(view_str(b->ak_certificate), &is, &err) == 0 &&
               view_equal(cert_der(was), cert_der(is));
}

/* In a log that still replays, the digests are what they were; so are the texts that policy may match. */
static bool only_claims_differ(const struct walk *w, const struct bundle *b)
{
        AUTO(cel_log_free_p) struct cel_log *was = NULL;
        AUTO(cel_log_free_p) struct cel_log *is = NULL;
        enum digest_alg bank = w->good->asked.bank;
        struct err err = ERR_INIT;

        if (cel_parse(VIEW_BUF(&w->good->cel), CEL_RECORDS_MAX, &was, &err) < 0 ||
            cel_parse(VIEW_BUF(&b->cel), CEL_RECORDS_MAX, &is, &err) < 0 || was->n != is->n)
                return false;
        for (size_t i = 0; i < was->n; i++) {
                const struct cel_record *x = &was->records[i], *y = &is->records[i];

                if (x->pcr != y->pcr || x->ours != y->ours ||
                    !digest_equal(cel_record_digest(x, bank), cel_record_digest(y, bank)))
                        return false;
                if (!x->ours && (!x->string || !y->string || strcmp(x->string, y->string) != 0))
                        return false;
        }
        return true;
}

static void survived(struct walk *w, size_t byte, unsigned bit, const struct bundle *b)
{
        int place = place_of(w, byte);

        if (place >= 0 && (strcmp(places[place].path[0], "logs") != 0 || only_claims_differ(w, b))) {
                w->survived[place]++;
                return;
        }
        if (place < 0 && w->ca && w->good->ak_certificate && same_certificate(w, b))
                return;
        (void)fprintf(stderr, "bit_walk: bit %u of byte %zu does not matter: …%.40s…\n", bit, byte,
                      (const char *)w->text.p + (byte > 20 ? byte - 20 : 0));
        w->n_wrong++;
}

static void walk(struct walk *w)
{
        AUTO(mem_free_p) uint8_t *copy = mem_dup(w->text.p, w->text.len);

        for (size_t i = 0; copy && i < w->text.len * 8; i++) {
                AUTO(bundle_free_p) struct bundle *b = NULL;
                enum outcome outcome;

                copy[i / 8] ^= (uint8_t)(1u << i % 8);
                outcome = verify(w, VIEW(copy, w->text.len), &b);
                copy[i / 8] ^= (uint8_t)(1u << i % 8);
                w->n_refused[outcome]++;
                if (outcome == OUTCOME_PASS)
                        survived(w, i / 8, (unsigned)(i % 8), b);
        }
}

static int report(const struct walk *w)
{
        size_t n = w->text.len * 8, unused = 0;

        (void)printf("%zu bits: %zu make it malformed, %zu take the pass away, %zu break the certificate, "
                     "%zu are covered by nothing:\n",
                     n, w->n_refused[OUTCOME_MALFORMED], w->n_refused[OUTCOME_NO],
                     w->n_refused[OUTCOME_BAD_CERTIFICATE], w->n_refused[OUTCOME_PASS]);
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                size_t from, to;

                if ((places[i].certificate && w->ca) || !find_place(w, &places[i], &from, &to))
                        continue;
                (void)printf("%6zu %s%s%s: %s\n", w->survived[i], places[i].path[0],
                             places[i].path[1] ? "." : "", places[i].path[1] ? places[i].path[1] : "",
                             places[i].why);
                if (!w->survived[i] && !w->fresh) {
                        (void)fprintf(stderr, "bit_walk: %s is listed, but covered\n", places[i].path[0]);
                        unused++;
                }
        }
        return w->n_wrong || unused || w->n_refused[OUTCOME_NO] < n / 8;
}

static void load_policy(struct walk *w, const char *path)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(policy_unref_p) struct policy *policy = NULL;
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct err err = ERR_INIT;

        need(file_read(path, POLICY_TEXT_BYTES_MAX, &text, &err), &err, "policy");
        need(policy_parse(VIEW_BUF(&text), path, &policy, &err), &err, "policy");
        version.policy = policy;
        need(policy_effective_new(&version, 1, w->good->received_at_ms, &w->policy, &err), &err, "policy");
}

int main(int argc, char **argv)
{
        AUTO(bundle_free_p) struct bundle *again = NULL;
        struct walk w = {.fresh = argc > 1 && strcmp(argv[1], "--fresh") == 0};
        struct err err = ERR_INIT;
        int r = 99;

        argc -= w.fresh;
        argv += w.fresh;
        if (argc < 3 || argc > 4) {
                (void)fprintf(stderr, "usage: bit_walk [--fresh] BUNDLE POLICY [AK-CA.pem]\n");
                return 99;
        }
        need(file_read(argv[1], 1 << 20, &w.text, &err), &err, "bundle");
        buf_u8(&w.text, 0); /* for strstr(); not counted */
        need(buf_ok(&w.text) ? 0 : err_nomem(&err), &err, "bundle");
        w.text.len--;
        need(bundle_decode(VIEW_BUF(&w.text), &w.good, &err), &err, "bundle");
        load_policy(&w, argv[2]);
        if (argc == 4) {
                need(trust_new(&w.ca, &err), &err, "CA");
                need(trust_add_path(w.ca, argv[3], &err), &err, "CA");
        }
        if (verify(&w, VIEW_BUF(&w.text), &again) != OUTCOME_PASS) {
                (void)fprintf(stderr, "bit_walk: the bundle does not pass as it is\n");
        } else {
                walk(&w);
                r = report(&w);
        }
        bundle_free(w.good);
        policy_effective_free(w.policy);
        trust_free(w.ca);
        buf_free(&w.text);
        return r;
}
