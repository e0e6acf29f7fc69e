/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow receipt show|verify`: what a host says that it ran, read and judged with nobody's help. Each check is
 * printed with what it shows; what was not asked for is said, too. A receipt is as good as the least of them:
 * bad or tainted is no, and as long as nobody vouches for the key or the verifier has not countersigned it,
 * nothing is decided. Spec: SR-24, SR-1, SR-10.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/trust.h"
#include "evidence/receipt.h"
#include "evidence/receipt_countersign.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "wire/ear.h"

#define ITEMS_MAX 20

/* One check, and its answer. */
struct item {
        const char *name;
        enum receipt_answer answer;
        char what[TRUST_REASON_BYTES + 128];
};

struct looked {
        struct receipt_file f;
        struct receipt_verdict v;
        struct receipt_countersign c;
        bool has_c;       /* c was read */
        bool c_is_signed; /* by one of the given keys, for this receipt */
        struct item item[ITEMS_MAX];
        size_t n;
};

static void looked_done(struct looked *l)
{
        receipt_file_done(&l->f);
        receipt_verdict_done(&l->v);
        receipt_countersign_done(&l->c);
}

static void PRINTF(4, 5)
        note(struct looked *l, const char *name, enum receipt_answer answer, const char *fmt, ...)
{
        struct item *i = &l->item[l->n++];
        va_list ap;

        i->name = name;
        i->answer = answer;
        va_start(ap, fmt);
        (void)vsnprintf(i->what, sizeof(i->what), fmt, ap); /* cut if too long */
        va_end(ap);
}

/* ---- by itself ---- */

static const char *const shows[RECEIPT_N_CHECKS] = {
        [RECEIPT_CHECK_PAYLOAD] = "the payload is spelt as receipts are",
        [RECEIPT_CHECK_AK] =
                "the attestation key is a restricted key of a TPM, and the one that the payload names",
        [RECEIPT_CHECK_CERTIFICATE] = "the certificate is of this key and host",
        [RECEIPT_CHECK_SIGNATURE] = "the quote is signed by this key",
        [RECEIPT_CHECK_QUOTE] = "the quote is over this payload and these PCRs, the launch PCR among them",
        [RECEIPT_CHECK_BOOT] = "it was signed in the boot that the module ran in, after it was started",
};

static int judge_itself(struct looked *l, struct err *err)
{
        int r = receipt_judge(&l->f, NULL, &l->v, err);

        for (size_t i = 0; r >= 0 && i < RECEIPT_N_CHECKS; i++) {
                const char *name = receipt_check_name((enum receipt_check)i);
                enum receipt_answer answer = l->v.answer[i];

                if (answer == RECEIPT_NOT_ASKED && i == RECEIPT_CHECK_CERTIFICATE && !l->v.why)
                        note(l, name, answer, "the receipt holds no certificate of its key");
                else if (answer == RECEIPT_NOT_ASKED)
                        note(l, name, answer, "not looked at, after what is bad above");
                else
                        note(l, name, answer, "%s", answer == RECEIPT_BAD ? l->v.why : shows[i]);
        }
        if (r >= 0 && !l->v.why && l->v.r.exit == RECEIPT_LOST)
                (void)snprintf(l->item[RECEIPT_CHECK_BOOT].what, sizeof(l->item[0].what),
                               "nobody saw its end; it was signed after the start");
        return r;
}

/* ---- what the reader has ---- */

struct verify_values {
        const char *module, *input, *output, *roots, *nonce, *jwks, *host, *previous;
};

static const struct option_row verify_options[] = {
        {"module", "FILE", "the module that has to have run", OPTION_TEXT,
         offsetof(struct verify_values, module)},
        {"input", "FILE", "what it has to have read", OPTION_TEXT, offsetof(struct verify_values, input)},
        {"output", "FILE", "what it has to have written", OPTION_TEXT,
         offsetof(struct verify_values, output)},
        {"roots", "DIR", "who issues AK certificates: a folder or file of CA certificates", OPTION_TEXT,
         offsetof(struct verify_values, roots)},
        {"nonce", "HEX", "the nonce that was given with the order", OPTION_TEXT,
         offsetof(struct verify_values, nonce)},
        {"jwks", "FILE", "the verifier's keys of results, as /avow/v1/results/jwks.json has them",
         OPTION_TEXT, offsetof(struct verify_values, jwks)},
        {"host", "HOST", "where it has to have run", OPTION_TEXT, offsetof(struct verify_values, host)},
        {"previous", "FILE", "the receipt that has to stand before it in the host's chain", OPTION_TEXT,
         offsetof(struct verify_values, previous)},
        {0},
};

static int file_digest(const char *path, struct digest *ret, struct err *err)
{
        AUTO(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
        AUTO(fd_close_p) int fd = -1;
        uint8_t block[65536];
        struct stat st;
        ssize_t n;
        int r = digest_ctx_new(DIGEST_SHA256, &ctx, err);

        if (r < 0)
                return r;
        fd = file_open_regular(path, &st, err);
        if (fd < 0)
                return fd;
        while ((n = read(fd, block, sizeof(block))) > 0)
                if ((r = digest_ctx_update(ctx, VIEW(block, (size_t)n), err)) < 0)
                        return r;
        return n < 0 ? err_errno(err, errno, "read '%s'", SHOW(path)) : digest_ctx_final(ctx, ret, err);
}

/* FILE against what the receipt says of WHAT; THERE: it says something. */
static int compare(struct looked *l, const char *name, const char *option, const char *path, bool there,
                   const struct digest *said, const char *statement, struct err *err)
{
        struct digest is;
        int r;

        if (!path) {
                note(l, name, RECEIPT_NOT_ASKED, "not compared (no --%s)", option);
                return 0;
        }
        r = file_digest(path, &is, err);
        if (r < 0)
                return err_wrap(err, "--%s", option);
        if (!there)
                note(l, name, RECEIPT_BAD, "the receipt says nothing of the %s", name);
        else if (!digest_equal(&is, said))
                note(l, name, RECEIPT_BAD, "%s is not the %s that the receipt names", SHOW(path), name);
        else
                note(l, name, RECEIPT_GOOD, "%s is the %s%s", SHOW(path), name, statement);
        return 0;
}

static int compare_nonce(struct looked *l, const char *hex, struct err *err)
{
        AUTO(buf_free) struct buf nonce = {0};
        const struct launch *launch = &l->v.r.launch;

        if (!hex) {
                note(l, "nonce", RECEIPT_NOT_ASKED,
                     "not compared (no --nonce): it may be the receipt of an older order");
                return 0;
        }
        if (hex_decode_any(view_str(hex), LAUNCH_NONCE_MAX, &nonce, err) < 0)
                return err_set(err, ERR_CONFIG, 0, "--nonce %s: expected up to %d bytes in hex", SHOW(hex),
                               LAUNCH_NONCE_MAX);
        if (nonce.len && equal_ct(nonce.p, nonce.len, launch->nonce, launch->nonce_len))
                note(l, "nonce", RECEIPT_GOOD, "it was made for this nonce");
        else
                note(l, "nonce", RECEIPT_BAD, "it was made for another nonce, or none");
        return 0;
}

static int compare_previous(struct looked *l, const char *path, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file before = {.countersignature = NULL};
        AUTO(receipt_verdict_done) struct receipt_verdict v = {.why = NULL};
        AUTO(buf_free) struct buf text = {0};
        const struct receipt *r = &l->v.r;
        int n;

        if (!path)
                return 0;
        n = load_bytes(path, RECEIPT_BYTES_MAX, &text, err);
        if (n >= 0)
                n = receipt_file_decode(VIEW_BUF(&text), &before, err);
        if (n >= 0)
                n = receipt_judge(&before, NULL, &v, err);
        if (n < 0)
                return err_wrap(err, "--previous %s", SHOW(path));
        if (v.why)
                note(l, "previous", RECEIPT_BAD, "%s is no good receipt: %s", SHOW(path), v.why);
        else if (!r->has_previous || !digest_equal(&r->previous, &v.digest) ||
                 !view_equal(tpm_name_view(&r->ak), tpm_name_view(&v.r.ak)))
                note(l, "previous", RECEIPT_BAD, "%s is not the receipt before this one", SHOW(path));
        else
                note(l, "previous", RECEIPT_GOOD, "it follows %s in the host's chain", SHOW(path));
        return 0;
}

static int compare_all(struct looked *l, const struct verify_values *v, struct err *err)
{
        static const char *const word = ": the launcher's statement, signed by the TPM";
        const struct receipt *r = &l->v.r;
        int n = compare(l, "module", "module", v->module, true, &r->launch.sha256, "", err);

        if (n >= 0)
                n = compare(l, "input", "input", v->input, r->launch.has_input, &r->launch.input, word, err);
        if (n >= 0)
                n = compare(l, "output", "output", v->output, r->has_output, &r->output, word, err);
        if (n >= 0)
                n = compare_nonce(l, v->nonce, err);
        if (n >= 0 && v->host)
                note(l, "host", str_equal(v->host, r->launch.host) ? RECEIPT_GOOD : RECEIPT_BAD,
                     "it is of host %s", SHOW(r->launch.host));
        return n < 0 ? n : compare_previous(l, v->previous, err);
}

/* ---- who vouches ---- */

static int check_roots(struct looked *l, const char *roots, struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        AUTO(cert_free_p) struct cert *cert = NULL;
        char reason[TRUST_REASON_BYTES] = "";
        bool good = false;
        int r;

        if (!roots) {
                note(l, "roots", RECEIPT_NOT_ASKED,
                     "not checked (no --roots): that the key lives in a genuine TPM and is this host's");
                return 0;
        }
        r = trust_new(&trust, err);
        if (r >= 0)
                r = trust_add_path(trust, roots, err);
        if (r < 0)
                return err_wrap(err, "--roots");
        if (!l->f.ak_certificate) {
                note(l, "roots", RECEIPT_BAD,
                     "nobody vouches for the key: the receipt holds no certificate of it");
                return 0;
        }
        r = cert_parse_pem(view_str(l->f.ak_certificate), &cert, err);
        /* the countersignature's time is the verifier's, the other the host's own */
        if (r >= 0)
                r = trust_check(trust, cert, NULL, l->c_is_signed ? l->c.evidence_at_ms : l->v.r.ended_at_ms,
                                &good, reason, err);
        if (r < 0)
                return r;
        if (good)
                note(l, "roots", RECEIPT_GOOD,
                     "the key is certified by the given CA for this host, as a restricted key of a TPM");
        else
                note(l, "roots", RECEIPT_BAD, "the key is not certified by the given CA: %s", reason);
        return 0;
}

/* The key that signed it, and in its time. */
static int find_signer(struct looked *l, const struct wire_ear_keys *keys, struct err *err)
{
        struct view jws = view_str(l->f.countersignature);

        for (size_t i = 0; i < keys->n && !l->has_c; i++) {
                int r = receipt_countersign_open(jws, keys->v[i].key, &l->c, &l->has_c, err);

                if (r < 0)
                        return r;
                if (l->has_c && (l->c.issued_at_ms / 1000 < keys->v[i].since_s ||
                                 (keys->v[i].until_s && l->c.issued_at_ms / 1000 > keys->v[i].until_s))) {
                        note(l, "countersignature", RECEIPT_BAD, "it was signed outside of its key's time");
                        return 0;
                }
        }
        if (!l->has_c)
                note(l, "countersignature", RECEIPT_BAD, "it is not signed by one of the verifier's keys");
        else if (!digest_equal(&l->c.receipt, &l->v.digest) || !str_equal(l->c.host, l->v.r.launch.host))
                note(l, "countersignature", RECEIPT_BAD, "it is of another receipt");
        else
                l->c_is_signed = true;
        return 0;
}

static void describe_countersignature(struct looked *l)
{
        const struct receipt_countersign *c = &l->c;

        if (c->status == RECEIPT_TAINTED)
                note(l, "countersignature", RECEIPT_BAD,
                     "the host failed when it was asked after the end: %s",
                     c->reason ? SHOW(c->reason) : "no reason said");
        else if (c->status == RECEIPT_PROVISIONAL)
                note(l, "countersignature", RECEIPT_NOT_ASKED, "there will be no verdict on what ran: %s",
                     c->reason ? SHOW(c->reason) : "no reason said");
        else
                note(l, "countersignature", RECEIPT_GOOD,
                     "the host passed when the verifier asked it after the end%s",
                     c->enforced ? "" : ", under a policy that only observes");
        if (c->link == RECEIPT_BREAKS)
                note(l, "chain", RECEIPT_BAD,
                     "the verifier saw the host's chain broken here: a receipt before it is missing, or was "
                     "another one");
        else
                note(l, "chain", RECEIPT_GOOD, "the verifier saw the receipts before it, without a hole");
}

static int check_countersignature(struct looked *l, const char *jwks, struct err *err)
{
        AUTO(wire_ear_keys_done) struct wire_ear_keys keys = {.n = 0};
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (!l->f.countersignature) {
                note(l, "countersignature", RECEIPT_NOT_ASKED,
                     "none yet: whether the host passed afterwards is not known");
                return 0;
        }
        if (!jwks) {
                note(l, "countersignature", RECEIPT_NOT_ASKED, "not checked (no --jwks)");
                return 0;
        }
        r = load_bytes(jwks, WIRE_EAR_MAX, &text, err);
        if (r >= 0)
                r = wire_ear_keys_parse(VIEW_BUF(&text), &keys, err);
        if (r < 0)
                return err_wrap(err, "--jwks %s", SHOW(jwks));
        r = find_signer(l, &keys, err);
        if (r >= 0 && l->c_is_signed)
                describe_countersignature(l);
        return r;
}

/* ---- output ---- */

static const char *status_of(const struct looked *l)
{
        return receipt_status_name(l->c_is_signed ? l->c.status : RECEIPT_PROVISIONAL);
}

static const char *answer_word(enum receipt_answer answer)
{
        static const char *const words[] = {
                [RECEIPT_NOT_ASKED] = "not-checked", [RECEIPT_GOOD] = "good", [RECEIPT_BAD] = "bad"};

        return words[answer];
}

static json_t *items_json(const struct looked *l)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < l->n; i++) {
                AUTO(json_free_p) json_t *j = json_object();

                if (json_set_str(j, "name", l->item[i].name) |
                            json_set_str(j, "answer", answer_word(l->item[i].answer)) |
                            json_set_str(j, "what", l->item[i].what) ||
                    json_array_append(list, j) < 0)
                        return NULL;
        }
        return TAKE(list);
}

/* What stands in a receipt: the payload as it is, and what only the quote knows. */
static int set_content(json_t *doc, const struct looked *l, struct err *err)
{
        AUTO(json_free_p) json_t *payload = NULL;
        int r = json_set_hex(doc, "digest", digest_view(&l->v.digest));

        if (l->v.answer[RECEIPT_CHECK_PAYLOAD] == RECEIPT_GOOD) {
                if (json_parse(VIEW_BUF(&l->f.payload), RECEIPT_PAYLOAD_MAX, &payload, err) < 0)
                        return -(int)err->kind;
                r |= json_object_set(doc, "receipt", payload);
                r |= json_set_str(doc, "host", l->v.r.launch.host);
        }
        r |= json_object_set_new(doc, "pcrs", pcr_values_to_json(&l->f.pcrs));
        r |= json_set_bool(doc, "certified", l->f.ak_certificate != NULL);
        r |= json_set_bool(doc, "countersigned", l->f.countersignature != NULL);
        return r ? err_nomem(err) : 0;
}

static int set_countersignature(json_t *doc, const struct looked *l)
{
        const struct receipt_countersign *c = &l->c;
        json_t *j = json_object();
        int r = json_object_set_new(doc, "countersignature", j);

        if (r < 0)
                return r; /* J is gone */
        r |= json_set_str(j, "status", receipt_status_name(c->status)) |
             json_set_str(j, "reason", c->reason) | json_set_str(j, "chain", receipt_link_name(c->link)) |
             json_set_str(j, "verifier", c->verifier) | json_set_str(j, "verdict", c->verdict) |
             json_set_bool(j, "enforced", c->enforced) | json_set_int(j, "evidence", c->evidence) |
             json_set_str(j, "policy", c->policy) | json_set_int(j, "policy_version", c->policy_version) |
             json_set_time(j, "received_at", c->received_at_ms) |
             json_set_time(j, "challenge_at", c->challenge_at_ms) |
             json_set_time(j, "evidence_at", c->evidence_at_ms) | json_set_str(j, "ek_class", c->ek_class) |
             json_set_str(j, "ek_sha256", c->ek_sha256) | json_set_str(j, "ek_bound_by", c->ek_bound_by);
        return r;
}

static void print_digest(const char *header, bool there, const struct digest *d)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        (void)printf("%-10s %s\n", header, there ? hex_write(hex, digest_view(d)) : "not digested");
}

static void print_end(const struct receipt *r)
{
        if (r->exit == RECEIPT_EXITED)
                (void)printf("%-10s exit status %d\n", "End:", r->code);
        else if (r->exit == RECEIPT_SIGNALLED)
                (void)printf("%-10s signal %d\n", "End:", r->code);
        else
                (void)printf("%-10s not seen: %s\n", "End:", SHOW(r->why));
}

static void print_lists(const struct receipt *r)
{
        for (size_t i = 0; i < r->n_policies; i++)
                (void)printf("%-10s %s version %lld\n", "Policy:", SHOW(r->policies[i].name),
                             (long long)r->policies[i].version);
        for (size_t i = 0; i < r->n_secrets; i++)
                (void)printf("%-10s %s%s\n", "Secret:", SHOW(r->secrets[i].name),
                             r->secrets[i].local ? " (release: local, not protected against root)" : "");
        if (r->broken)
                (void)printf("%-10s a new one begins: %s\n", "Chain:", SHOW(r->broken));
}

static void print_content(const struct looked *l)
{
        const struct receipt *r = &l->v.r;
        char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES], nonce[2 * LAUNCH_NONCE_MAX + 1];

        print_digest("Receipt:", true, &l->v.digest);
        if (l->v.answer[RECEIPT_CHECK_PAYLOAD] != RECEIPT_GOOD)
                return;
        (void)printf("%-10s %s, tenant %s\n", "Host:", SHOW(r->launch.host), SHOW(r->tenant));
        print_digest("Module:", true, &r->launch.sha256);
        if (r->has_claims)
                (void)printf("%-10s %s, signed by %s\n",
                             "Claims:", r->claims.name ? SHOW(r->claims.name) : "-",
                             r->claims.issuer ? SHOW(r->claims.issuer) : "-");
        (void)printf("%-10s %s\n", "Runtime:", SHOW(r->launch.runtime));
        print_digest("Closure:", true, &r->launch.closure);
        print_digest("Arguments:", true, &r->launch.arguments);
        print_digest("Input:", r->launch.has_input, &r->launch.input);
        print_digest("Output:", r->has_output, &r->output);
        (void)printf("%-10s %s\n", "Nonce:",
                     r->launch.nonce_len ? hex_write(nonce, VIEW(r->launch.nonce, r->launch.nonce_len))
                                         : "none");
        print_end(r);
        (void)printf("%-10s %s to %s (the host's clock)\n", "Ran:", clock_format(r->started_at_ms, started),
                     clock_format(r->ended_at_ms, ended));
        (void)printf("%-10s %s, number %llu of its chain\n", "Permit:", SHOW(r->permit),
                     (unsigned long long)r->sequence);
        print_lists(r);
}

static void print_items(const struct looked *l)
{
        static const char *const marks[] = {
                [RECEIPT_NOT_ASKED] = "-   ", [RECEIPT_GOOD] = "good", [RECEIPT_BAD] = "BAD "};

        (void)printf("\nChecks:\n");
        for (size_t i = 0; i < l->n; i++)
                (void)printf("  %s  %-16s %s\n", marks[l->item[i].answer], l->item[i].name, l->item[i].what);
}

static bool any(const struct looked *l, enum receipt_answer answer, const char *name)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->item[i].answer == answer && (!name || str_equal(l->item[i].name, name)))
                        return true;
        return false;
}

static enum answer answer_of(const struct looked *l)
{
        if (any(l, RECEIPT_BAD, NULL))
                return ANSWER_NO;
        if (!any(l, RECEIPT_GOOD, "roots") || !l->c_is_signed || l->c.status != RECEIPT_FINAL)
                return ANSWER_UNDECIDED;
        return ANSWER_DONE;
}

static int print_verified(const struct looked *l, enum answer answer, struct err *err)
{
        static const char *const words[] = {
                [ANSWER_DONE] = "VERIFIED",
                [ANSWER_NO] = "NOT VERIFIED: see what is bad above",
                [ANSWER_MISUSE] = "",
                [ANSWER_UNDECIDED] = "UNDECIDED: nothing is bad, but not everything is vouched for",
        };

        print_content(l);
        print_items(l);
        (void)printf("\nThe digests of input and output, the end and the host's times are the launcher's "
                     "statement:\n"
                     "the TPM signed them, it did not see them.\n\n%-10s %s\n%-10s %s\n",
                     "Status:", status_of(l), "Answer:", words[answer]);
        return fflush(stdout) == 0 ? 0 : err_set(err, ERR_IO, 0, "standard output cannot be written");
}

static json_t *verified_json(const struct looked *l, enum answer answer, struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("receipt-verification");
        int r = json_set_bool(doc, "verified", answer == ANSWER_DONE) |
                json_set_str(doc, "status", status_of(l)) |
                json_object_set_new(doc, "checks", items_json(l)) |
                json_set_str(
                        doc, "statement",
                        "The digests of input and output, the end and the host's times are the launcher's "
                        "statement.");

        if (l->c_is_signed)
                r |= set_countersignature(doc, l);
        if (r) {
                (void)err_nomem(err);
                return NULL;
        }
        return set_content(doc, l, err) < 0 ? NULL : TAKE(doc);
}

static int load(const char *path, struct looked *l, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = load_bytes(path, RECEIPT_BYTES_MAX, &text, err);

        if (r >= 0)
                r = receipt_file_decode(VIEW_BUF(&text), &l->f, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(path));
        return judge_itself(l, err);
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct verify_values *v = values;
        AUTO(looked_done) struct looked l = {.n = 0};
        AUTO(json_free_p) json_t *doc = NULL;
        enum answer answer;
        int r = load(args[0], &l, err);

        (void)n_args; /* the table says one */
        if (r >= 0 && !l.v.why) {
                r = compare_all(&l, v, err);
                if (r >= 0)
                        r = check_countersignature(&l, v->jwks, err);
                if (r >= 0)
                        r = check_roots(&l, v->roots, err);
        }
        if (r < 0)
                return r;
        answer = answer_of(&l);
        doc = verified_json(&l, answer, err);
        if (!doc)
                return -(int)err->kind;
        r = output_document_if_asked(s, doc, err);
        if (r == 0)
                r = print_verified(&l, answer, err);
        return r < 0 ? r : (int)answer;
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(looked_done) struct looked l = {.n = 0};
        AUTO(json_free_p) json_t *doc = output_document("receipt");
        int r = load(args[0], &l, err);

        (void)values, (void)n_args;
        if (r >= 0)
                r = set_content(doc, &l, err);
        if (r >= 0)
                r = output_document_if_asked(s, doc, err);
        if (r != 0)
                return r < 0 ? r : ANSWER_DONE;
        print_content(&l);
        (void)printf("\nNothing of this was verified: avow receipt verify --roots DIR --jwks FILE %s\n",
                     SHOW(args[0]));
        return fflush(stdout) == 0 ? ANSWER_DONE
                                   : err_set(err, ERR_IO, 0, "standard output cannot be written");
}

static const struct option_row no_options[] = {{0}};

const struct command receipt_commands[] = {
        {"receipt", "show", "FILE", "Shows what a receipt says, unverified", no_options, 1, 1, 1, run_show},
        {"receipt", "verify", "FILE",
         "Judges a receipt offline: 0 final and good, 1 bad or tainted, 3 provisional or not vouched for",
         verify_options, sizeof(struct verify_values), 1, 1, run_verify},
        {0},
};
