/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow revocation proof` fetches the proof of a wipe, `avow revocation verify` judges one with nobody's
 * help: the code is the verifier's, what differs is what an auditor has in hand. So beside the answer stands
 * what was checked and what was not, and whose word stands for the latter. Spec: SR-5, SR-6, SR-10, SR-25.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/jwks.h"
#include "crypto/trust.h"
#include "evidence/wipe_proof.h"
#include "tenant/api.h"
#include "tenant/output.h"
#include "tenant/revocations.h"

#define KEYS_FILE_MAX 65536
#define PCR_USUAL     15

/* ---- proof ---- */

struct proof_values {
        const char *out;
        bool force;
};

static const struct option_row proof_options[] = {
        {"out", "FILE", "where to (standard output)", OPTION_TEXT, offsetof(struct proof_values, out)},
        {"force", NULL, "replace the file if it is there", OPTION_FLAG, offsetof(struct proof_values, force)},
        {0},
};

static int fetch(const struct session *s, const char *id, struct http_fetched **ret, struct err *err)
{
        AUTO(api_close_p) struct api *registrar = NULL;
        AUTO(mem_free_p) char *path = NULL;
        struct api_request req = {.method = "GET"};
        int r = revocation_path(id, "/proof", &path, err);

        if (r >= 0)
                r = api_open(s, API_REGISTRAR, &registrar, err);
        req.path = path;
        return r < 0 ? r : api_send(registrar, &req, ret, err);
}

static int run_proof(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct proof_values *v = values;
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        struct view proof;
        int r = fetch(s, args[0], &answer, err);

        (void)n_args;
        if (r < 0 && err->code == 404) {
                (void)fprintf(stderr, "avow: %s\n", err->text);
                return ANSWER_NO;
        }
        if (r < 0)
                return r;
        proof = http_fetched_response(answer)->body;
        if (!v->out) {
                if (fwrite(proof.p, 1, proof.len, stdout) != proof.len || putchar('\n') == EOF ||
                    fflush(stdout) != 0)
                        return err_set(err, ERR_IO, 0, "standard output cannot be written");
                return ANSWER_DONE;
        }
        r = v->force ? file_write(v->out, proof, 0644, err) : file_create(v->out, proof, 0644, err);
        if (r < 0)
                return r;
        (void)fprintf(stderr, "Saved %s (%zu bytes). Judge it: avow revocation verify --ak-ca FILE %s\n",
                      v->out, proof.len, v->out);
        return ANSWER_DONE;
}

/* ---- verify ---- */

struct verify_values {
        const char *keys, *ak_ca, *id, *nonce, *pcr;
};

static const struct option_row verify_options[] = {
        {"ak-ca", "FILE", "who issues AK certificates: the registrar's AK CA", OPTION_TEXT,
         offsetof(struct verify_values, ak_ca)},
        {"keys", "FILE", "the verifier's revocation keys, PEM or JWKS (default: ask the verifier)",
         OPTION_TEXT, offsetof(struct verify_values, keys)},
        {"id", "HOST/N", "the revocation that it must prove (any)", OPTION_TEXT,
         offsetof(struct verify_values, id)},
        {"nonce", "HEX", "the nonce that the event told", OPTION_TEXT, offsetof(struct verify_values, nonce)},
        {"pcr", "N", "the host's measurement register (15)", OPTION_TEXT,
         offsetof(struct verify_values, pcr)},
        {0},
};

/* What was found out, and two lists of sentences. */
struct judgement {
        struct wipe_proof *proof;
        struct jwks keys;
        struct wipe_verdict verdict;
        struct cert *ak_cert;
        json_t *checked, *unchecked;
        bool certified; /* up to --ak-ca */
        bool proven;
        char why[TRUST_REASON_BYTES + 128];
};

static void judgement_done(struct judgement *j)
{
        wipe_proof_free(j->proof);
        jwks_done(&j->keys);
        wipe_verdict_done(&j->verdict);
        cert_free(j->ak_cert);
        json_decref(j->checked);
        json_decref(j->unchecked);
}

static int say(json_t *list, const char *sentence, struct err *err)
{
        return json_array_append_new(list, json_string(sentence)) < 0 ? err_nomem(err) : 0;
}

/* The members of a JWKS, or of what GET /avow/v1/keys answers, that are for revocations. */
static int read_jwks(struct view text, struct jwks *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL, *picked = json_object(), *list = json_array();
        AUTO(mem_free_p) char *jwks = NULL;
        const json_t *keys;
        json_t *key;
        size_t i;
        int r = json_parse(text, KEYS_FILE_MAX, &doc, err);

        if (r < 0)
                return r;
        keys = json_object_get(doc, "revocation");
        if (!keys)
                keys = json_object_get(doc, "keys");
        json_array_foreach ((json_t *)(uintptr_t)keys, i, key) {
                const char *use = json_string_value(json_object_get(key, "use"));

                if (use && !str_equal(use, "revocation") && !str_equal(use, "sig"))
                        continue;
                if (json_array_append(list, key) < 0)
                        return err_nomem(err);
        }
        if (json_object_set(picked, "keys", list) < 0 || !(jwks = json_print(picked)))
                return err_nomem(err);
        return jwks_parse(view_str(jwks), ret, err);
}

static int keys_from_file(const char *path, struct jwks *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = file_read(path, KEYS_FILE_MAX, &text, err);

        if (r >= 0 && text.len && text.p[0] == '{')
                r = read_jwks(VIEW_BUF(&text), ret, err);
        else if (r >= 0 && (r = pubkey_from_pem(VIEW_BUF(&text), &ret->keys[0], err)) >= 0)
                ret->n = 1;
        return r < 0 ? err_wrap(err, "--keys '%s'", path) : 0;
}

static int load_keys(const struct session *s, const char *file, struct judgement *j, struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(api_close_p) struct api *verifier = NULL;
        const struct api_request req = {.method = "GET", .path = "/avow/v1/keys"};
        int r;

        if (file)
                return keys_from_file(file, &j->keys, err);
        r = api_open(s, API_VERIFIER, &verifier, err);
        if (r >= 0)
                r = api_send(verifier, &req, &answer, err);
        if (r >= 0)
                r = read_jwks(http_fetched_response(answer)->body, &j->keys, err);
        if (r < 0)
                return err_wrap(err, "asking the verifier for its keys (--keys FILE does without)");
        return say(j->unchecked, "the verifier's keys: as it says them now (no --keys)", err);
}

/* The AK certificate up to the CA given, when the revocation was issued. */
static int check_ak_ca(struct judgement *j, const char *ak_ca, struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        char reason[TRUST_REASON_BYTES] = "the proof holds no AK certificate";
        bool good = false;
        int r = 0;

        if (j->proof->ak_certificate)
                r = cert_parse_pem(view_str(j->proof->ak_certificate), &j->ak_cert, err);
        if (r < 0)
                return err_wrap(err, "member 'ak_certificate'");
        if (!ak_ca)
                return say(
                        j->unchecked,
                        "whose key signed it (no --ak-ca): that it lives in a genuine TPM and is this host's",
                        err);
        r = trust_new(&trust, err);
        if (r >= 0)
                r = trust_add_path(trust, ak_ca, err);
        if (r >= 0 && j->ak_cert)
                r = trust_check(trust, j->ak_cert, NULL, j->verdict.order.issued_at_ms, &good, reason, err);
        if (r < 0)
                return err_wrap(err, "--ak-ca");
        j->certified = good;
        if (good)
                return say(j->checked,
                           "the attestation key is certified by the given CA for this host, as a restricted "
                           "signing key of a TPM",
                           err);
        j->proven = false;
        (void)snprintf(j->why, sizeof(j->why), "the attestation key is not certified by the given CA: %s",
                       reason); /* it fits */
        return 0;
}

static int judge(struct judgement *j, const struct verify_values *v, struct err *err)
{
        uint8_t nonce[QUALIFY_NONCE_BYTES];
        int64_t pcr = PCR_USUAL;
        struct wipe_expected x = {.keys = j->keys.keys, .n_keys = j->keys.n, .id = v->id};
        int r;

        if (v->nonce && hex_decode_exact(view_str(v->nonce), nonce, sizeof(nonce), err) < 0)
                return err_wrap(err, "--nonce");
        if (v->pcr && str_parse_int(view_str(v->pcr), 0, 23, &pcr, err) < 0)
                return err_wrap(err, "--pcr");
        if (v->nonce)
                x.nonce = VIEW_ARRAY(nonce);
        x.pcr = (unsigned)pcr;
        r = wipe_proof_judge(j->proof, &x, &j->verdict, err);
        if (r < 0)
                return r;
        j->proven = j->verdict.proven;
        if (j->proven)
                return check_ak_ca(j, v->ak_ca, err);
        (void)snprintf(j->why, sizeof(j->why), "%s", j->verdict.why); /* it fits */
        return 0;
}

/* What a proof that held shows, and what it does not. */
static int describe(struct judgement *j, const struct verify_values *v, struct err *err)
{
        int r = say(j->checked, "the revocation is signed by the verifier's key", err);

        if (r == 0)
                r = say(j->checked,
                        "the TPM states that the epoch counter is above the epoch that secrets were sealed "
                        "under: what opened before opens no more, wherever it was copied to",
                        err);
        if (r == 0)
                r = say(j->checked,
                        j->verdict.recorded
                                ? "the revocation's record is in the quoted register: a session that was "
                                  "prepared before opens nothing either"
                                : "the TPM has been restarted since: no session of before lives",
                        err);
        if (r == 0 && !v->nonce)
                r = say(j->unchecked, "that the nonce is the registrar's (no --nonce)", err);
        if (r == 0)
                r = say(j->unchecked, "what was copied out and not destroyed: the host's own words", err);
        return r;
}

static json_t *notes_json(const struct wipe_notes *notes, const char *member)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < notes->n; i++) {
                AUTO(json_free_p) json_t *note = json_object();

                if (json_set_str(note, "secret", notes->v[i].secret) |
                            json_set_str(note, member, notes->v[i].what) ||
                    json_array_append(list, note) < 0)
                        return NULL;
        }
        return TAKE(list);
}

static json_t *certificate_json(const struct cert *cert)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!cert)
                return json_null();
        if (json_set_str(j, "subject", cert_subject(cert)) | json_set_str(j, "issuer", cert_issuer(cert)))
                return NULL;
        return TAKE(j);
}

static json_t *document(const struct judgement *j)
{
        const struct revocation_order *o = &j->verdict.order;
        AUTO(json_free_p) json_t *doc = output_document("revocation-verification");
        bool known = o->id[0];
        int r;

        r = json_set_str(doc, "revocation", known ? o->id : NULL) |
            json_set_str(doc, "host", known ? o->host : NULL) |
            json_set_str(doc, "verifier", known ? o->verifier : NULL) |
            json_set_bool(doc, "proven", j->proven) | json_set_str(doc, "why", j->proven ? NULL : j->why);
        if (known)
                r |= json_set_time(doc, "issued_at", o->issued_at_ms);
        if (j->proven)
                r |= json_set_int(doc, "epoch_sealed", (int64_t)o->epoch) |
                     json_set_int(doc, "epoch", (int64_t)j->verdict.epoch) |
                     json_set_int(doc, "reset_count", j->verdict.reset_count) |
                     json_set_bool(doc, "recorded", j->verdict.recorded);
        r |= json_set_hex(doc, "nonce", VIEW_ARRAY(j->proof->nonce));
        r |= json_object_set_new(doc, "copied_out", notes_json(&j->proof->copied_out, "unit"));
        r |= json_object_set_new(doc, "not_destroyed", notes_json(&j->proof->not_destroyed, "why"));
        r |= json_object_set_new(doc, "ak_certificate", certificate_json(j->ak_cert));
        r |= json_object_set(doc, "checked", j->checked);
        r |= json_object_set(doc, "not_checked", j->unchecked);
        return r ? NULL : TAKE(doc);
}

static void print_notes(const char *title, const struct wipe_notes *notes)
{
        struct str_shown secret, what;

        if (notes->n)
                (void)printf("\n%s (the host's words):\n", title);
        for (size_t i = 0; i < notes->n; i++)
                (void)printf("  - %s: %s\n", str_show(view_str(notes->v[i].secret), &secret),
                             str_show(view_str(notes->v[i].what), &what));
}

static void print_sentences(const char *title, const json_t *list)
{
        json_t *sentence;
        size_t i;

        if (json_array_size(list))
                (void)printf("\n%s:\n", title);
        json_array_foreach ((json_t *)(uintptr_t)list, i, sentence)
                (void)printf("  - %s\n", json_string_value(sentence));
}

static int print_judgement(const struct judgement *j, struct err *err)
{
        const struct revocation_order *o = &j->verdict.order;
        char time[CLOCK_TEXT_BYTES];

        if (o->id[0])
                (void)printf("Revocation: %s\nHost:       %s\nVerifier:   %s\nIssued:     %s\n", SHOW(o->id),
                             SHOW(o->host), SHOW(o->verifier), clock_format(o->issued_at_ms, time));
        if (j->proven)
                (void)printf("Epoch:      %llu, sealed under %llu\n", (unsigned long long)j->verdict.epoch,
                             (unsigned long long)o->epoch);
        if (j->ak_cert)
                (void)printf("AK:         %s, certified by %s%s\n", SHOW(cert_subject(j->ak_cert)),
                             SHOW(cert_issuer(j->ak_cert)), j->certified ? "" : " (not checked)");
        (void)printf("Answer:     %s%s\n",
                     !j->proven     ? "NOT PROVEN: "
                     : j->certified ? "PROVEN: this host's secrets are destroyed"
                                    : "UNDECIDED: it holds if the key that signed it is the host's TPM's",
                     j->proven ? "" : j->why);
        print_notes("Copied out: rotate these", &j->proof->copied_out);
        print_notes("Not destroyed: rotate these", &j->proof->not_destroyed);
        print_sentences("Checked", j->checked);
        print_sentences("Not checked", j->unchecked);
        return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : 0;
}

static int verify(const struct session *s, const struct verify_values *v, const char *path,
                  struct judgement *j, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *doc = NULL;
        int r;

        j->checked = json_array();
        j->unchecked = json_array();
        if (!j->checked || !j->unchecked)
                return err_nomem(err);
        r = file_read(path, WIPE_PROOF_BYTES_MAX, &text, err);
        while (r >= 0 && text.len && text.p[text.len - 1] == '\n')
                text.len--;
        if (r >= 0 && (r = wipe_proof_decode(VIEW_BUF(&text), &j->proof, err)) < 0)
                return err_wrap(err, "'%s'", path);
        if (r >= 0)
                r = load_keys(s, v->keys, j, err);
        if (r >= 0)
                r = judge(j, v, err);
        if (r >= 0 && j->proven)
                r = describe(j, v, err);
        if (r < 0)
                return r;
        doc = document(j);
        r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);
        if (r == 0)
                r = print_judgement(j, err);
        if (r < 0)
                return r;
        return !j->proven ? ANSWER_NO : j->certified ? ANSWER_DONE : ANSWER_UNDECIDED;
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        struct judgement j = {.proven = false};
        int r = verify(s, values, args[0], &j, err);

        (void)n_args;
        judgement_done(&j);
        return r;
}

const struct command proof_commands[] = {
        {"revocation", "proof", "HOST/N", "Fetch what the host's TPM says of its wipe", proof_options,
         sizeof(struct proof_values), 1, 1, run_proof},
        {"revocation", "verify", "FILE", "Judge a proof offline: are the host's secrets destroyed?",
         verify_options, sizeof(struct verify_values), 1, 1, run_verify},
        {0},
};
