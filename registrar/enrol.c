/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registration, appraised. Nothing in it is believed for being said: the AK's name is computed here, so the
 * credential opens only for the key whose attributes were checked; the EK's certificate must certify the very
 * key that the credential goes to (CVE-2021-3406). TPM2_ActivateCredential itself is no check of the AK: it
 * works for any key of the TPM, also one that signs whatever it is given (SR-10).
 *
 * Spec: SR-9, SR-10; keylime-wire §4; TCG EK Credential Profile 2.x.
 */
#include "enrol.h"

#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/cert_tpm.h"
#include "crypto/credential.h"
#include "crypto/random.h"
#include "evidence/tpm_public.h"
#include "evidence/verdict.h"

#define CHALLENGE_CHARS 32 /* keylime-wire 4.3 */

/* What is gathered while one registration is judged. */
struct work {
        const struct enrol_rules *rules;
        const struct wire_registration *m;
        int64_t now_ms;
        struct enrol_refusal *refusal;
        struct candidate *c;
        struct tpm_public ek, ak;
        struct pubkey *ek_key;
        struct cert_list chain; /* of the EK certificate, leaf first */
        struct verdict *findings;
};

static int refuse(struct work *w, int status, const char *fmt, ...) PRINTF(3, 4);

/* Return: 1, "it was refused", which ends the appraisal without an error. */
static int refuse(struct work *w, int status, const char *fmt, ...)
{
        va_list ap;

        w->refusal->status = status;
        va_start(ap, fmt);
        (void)vsnprintf(w->refusal->text, sizeof(w->refusal->text), fmt, ap); /* cut if it is longer */
        va_end(ap);
        return 1;
}

/* A failure to read a peer's bytes is his; one of ours stays an error. */
static int refuse_bytes(struct work *w, const char *member, struct err *err)
{
        if (err->kind != ERR_FORMAT && err->kind != ERR_LIMIT)
                return err_wrap(err, "%s", member);
        return refuse(w, 400, "%s: %s", member, err->text);
}

static int note(struct work *w, const char *code, enum severity severity, const char *what, const char *found,
                const char *remedy, struct err *err)
{
        const struct finding f = {.code = code,
                                  .severity = severity,
                                  .what = what,
                                  .entry = FINDING_NO_ENTRY,
                                  .found = found,
                                  .remedy = remedy};

        return verdict_add(w->findings, &f, err);
}

static int hex_of(struct view v, char **ret, struct err *err)
{
        *ret = hex_encode(v);
        return *ret ? 0 : err_nomem(err);
}

static int copy(struct view v, struct buf *ret, struct err *err)
{
        buf_put_view(ret, v);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* ---- the EK ---- */

static int judge_ek(struct work *w, struct err *err)
{
        struct identity *id = &w->c->identity;
        struct digest spki;
        const char *why;
        int r;

        if (w->m->ek.len == 0)
                return refuse(w, 400, "ek_tpm is missing: a host is known by its endorsement key");
        r = tpm2b_public_parse(VIEW_BUF(&w->m->ek), &w->ek, err);
        if (r >= 0)
                r = tpm_public_key(&w->ek, &w->ek_key, err);
        if (r < 0)
                return refuse_bytes(w, "ek_tpm", err);
        why = tpm_public_ek_refusal(&w->ek);
        if (why)
                return refuse(w, 400, "ek_tpm is no endorsement key: %s", why);
        r = pubkey_spki_sha256(w->ek_key, &spki, err);
        if (r >= 0)
                r = hex_of(digest_view(&spki), &id->ek_sha256, err);
        if (r >= 0)
                r = copy(VIEW_BUF(&w->m->ek), &id->ek, err);
        return r;
}

/* ---- its certificate ---- */

/* ekcert: a PEM chain, or one DER certificate. Leaves the chain empty if there is none. */
static int read_chain(struct work *w, const char **ret_why, struct err *err)
{
        struct cert *cert = NULL;
        int r = 0;

        if (w->m->ek_cert_pem) {
                r = cert_list_parse_pem(view_str(w->m->ek_cert_pem), w->rules->malformed, &w->chain, ret_why,
                                        err);
        } else if (w->m->ek_cert_der.len > 0) {
                r = cert_parse_lax(VIEW_BUF(&w->m->ek_cert_der), w->rules->malformed, &cert, ret_why, err);
                if (r >= 0)
                        r = cert_list_add(&w->chain, cert, err);
        }
        return r;
}

/* An untrusted or missing certificate: refused where one is required, else a finding. */
static int fall_short(struct work *w, const char *code, const char *what, const char *found, struct err *err)
{
        static const char remedy[] =
                "put the TPM maker's CA into ek.roots, or see why the host sends no other";

        if (w->rules->policy == EK_REQUIRED)
                return refuse(w, 403, "%s%s%s", what, found ? ": " : "", found ? found : "");
        return note(w, code, SEVERITY_WARNING, what, found, remedy, err);
}

static int judge_chain(struct work *w, struct err *err)
{
        struct cert_list via = {w->chain.v + 1, w->chain.n - 1};
        struct identity *id = &w->c->identity;
        char reason[TRUST_REASON_BYTES];
        struct cert_tpm tpm;
        bool good;
        int r = trust_check_ek(w->rules->roots, w->chain.v[0], &via, w->now_ms, &good, reason, err);

        if (r < 0)
                return r;
        if (!good)
                return fall_short(w, "ek-cert-untrusted", "the EK certificate does not chain to ek.roots",
                                  reason, err);
        cert_tpm_read(w->chain.v[0], &tpm);
        id->ek_class = str_dup(cert_tpm_class(&tpm));
        /* Anybody can make a certificate with a given serial number: only a trusted one's may match a
         * binding. */
        id->ek_cert_serial = str_dup(cert_serial_hex(w->chain.v[0]));
        return id->ek_class && id->ek_cert_serial ? 0 : err_nomem(err);
}

static int judge_certificate(struct work *w, struct err *err)
{
        const char *why = NULL;
        int r = read_chain(w, &why, err);

        if (r < 0)
                return refuse_bytes(w, "ekcert", err);
        if (w->chain.n == 0)
                return fall_short(w, "ek-cert-missing", "the host sent no EK certificate", NULL, err);
        /* A certificate for another key is no lesser proof but a false one: no policy lets it pass. */
        if (!cert_pubkey(w->chain.v[0]) || !pubkey_equal(cert_pubkey(w->chain.v[0]), w->ek_key))
                return refuse(w, 403, "ekcert does not certify the key in ek_tpm");
        r = copy(cert_der(w->chain.v[0]), &w->c->identity.ek_cert, err);
        if (r >= 0 && why && w->rules->malformed == CERT_MALFORMED_WARN)
                r = note(w, "ek-cert-malformed", SEVERITY_WARNING, "the EK certificate is malformed", why,
                         "ask the TPM's maker for a corrected one", err);
        if (r >= 0 && w->rules->policy != EK_OFF)
                r = judge_chain(w, err);
        return r;
}

/* ---- the AK, and what is only claimed ---- */

static int judge_ak(struct work *w, struct err *err)
{
        struct identity *id = &w->c->identity;
        struct pubkey *key = NULL;
        struct tpm_name name;
        const char *why;
        int r;

        if (w->m->ak.len == 0)
                return refuse(w, 400, "aik_tpm is missing");
        r = tpm2b_public_parse(VIEW_BUF(&w->m->ak), &w->ak, err);
        if (r >= 0)
                r = tpm_public_key(&w->ak, &key, err);
        pubkey_free(key);
        if (r < 0)
                return refuse_bytes(w, "aik_tpm", err);
        why = tpm_public_ak_refusal(&w->ak); /* SR-10: MUST, for every AK */
        if (why)
                return refuse(w, 403, "aik_tpm is no attestation key: %s", why);
        r = tpm_public_name(&w->ak, &name, err);
        if (r >= 0)
                r = hex_of(tpm_name_view(&name), &id->ak_name, err);
        if (r >= 0)
                r = copy(VIEW_BUF(&w->m->ak), &id->ak, err);
        return r;
}

static int keep_claims(struct work *w, struct err *err)
{
        struct identity *id = &w->c->identity;
        struct cert_list list = {0};
        int r = 0;

        if (w->m->mtls == WIRE_MTLS_PEM)
                r = cert_list_parse_pem(view_str(w->m->mtls_cert), CERT_MALFORMED_IGNORE, &list, NULL, err);
        cert_list_done(&list);
        if (r < 0)
                return refuse_bytes(w, "mtls_cert", err);
        id->port = w->m->port > 0 ? w->m->port : 0;
        if (w->m->mtls != WIRE_MTLS_ABSENT &&
            !(id->mtls_cert = str_dup(w->m->mtls == WIRE_MTLS_PEM ? w->m->mtls_cert : "disabled")))
                return err_nomem(err);
        if (w->m->ip && !(id->ip = str_dup(w->m->ip)))
                return err_nomem(err);
        return 0;
}

static int keep_findings(struct work *w, struct err *err)
{
        struct identity *id = &w->c->identity;
        json_t *doc;

        if (w->rules->policy != EK_REQUIRED &&
            note(w, "ek-cert-not-required", SEVERITY_WARNING,
                 "the registrar did not require an EK certificate", ek_policy_name(w->rules->policy),
                 "set ek.policy to required", err) < 0)
                return -(int)err->kind;
        if (!id->ek_class && !(id->ek_class = str_dup("unknown")))
                return err_nomem(err);
        if (w->findings->n_findings == 0)
                return 0;
        doc = verdict_to_json(w->findings);
        id->ek_findings = doc ? json_print(json_object_get(doc, "findings")) : NULL;
        json_decref(doc);
        return id->ek_findings ? 0 : err_nomem(err);
}

static int candidate_new(const char *name, const char *source, struct candidate **ret, struct err *err)
{
        struct candidate *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                return err_nomem(err);
        (void)snprintf(c->name, sizeof(c->name), "%s", name);       /* a host id: it fits */
        (void)snprintf(c->source, sizeof(c->source), "%s", source); /* an address: it fits */
        *ret = c;
        return 0;
}

int enrol_appraise(const struct enrol_rules *rules, const char *name, const char *source,
                   const struct wire_registration *m, int64_t now_ms, struct candidate **ret,
                   struct enrol_refusal *refusal, struct err *err)
{
        static int (*const steps[])(struct work *, struct err *) = {judge_ek, judge_ak, judge_certificate,
                                                                    keep_claims, keep_findings};
        struct work w = {.rules = rules, .m = m, .now_ms = now_ms, .refusal = refusal};
        int r = candidate_new(name, source, &w.c, err);

        refusal->status = 0;
        w.findings = verdict_new();
        if (r >= 0 && !w.findings)
                r = err_nomem(err);
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(steps); i++)
                r = steps[i](&w, err);
        if (r == 0)
                *ret = TAKE(w.c);
        candidate_free(w.c);
        pubkey_free(w.ek_key);
        cert_list_done(&w.chain);
        verdict_free(w.findings);
        return r < 0 ? err_wrap(err, "registration") : 0;
}

/* ---- once more ---- */

static int dup_text(const char *from, char **ret, struct err *err)
{
        if (!from)
                return 0;
        *ret = str_dup(from);
        return *ret ? 0 : err_nomem(err);
}

int enrol_again(const struct registrar_host *host, const char *source, struct candidate **ret,
                struct err *err)
{
        AUTO(candidate_free_p)
        struct candidate *c = NULL;
        const struct identity *from = &host->identity;
        struct identity *to;
        int r = candidate_new(host->name, source, &c, err);

        if (r < 0)
                return r;
        to = &c->identity;
        const struct {
                const char *from;
                char **to;
        } texts[] = {{from->ek_sha256, &to->ek_sha256},
                     {from->ek_cert_serial, &to->ek_cert_serial},
                     {from->ek_class, &to->ek_class},
                     {from->ek_findings, &to->ek_findings},
                     {from->ak_name, &to->ak_name},
                     {from->mtls_cert, &to->mtls_cert},
                     {from->ip, &to->ip}};
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(texts); i++)
                r = dup_text(texts[i].from, texts[i].to, err);
        if (r >= 0)
                r = copy(VIEW_BUF(&from->ek), &to->ek, err);
        if (r >= 0)
                r = copy(VIEW_BUF(&from->ek_cert), &to->ek_cert, err);
        if (r >= 0)
                r = copy(VIEW_BUF(&from->ak), &to->ak, err);
        to->port = from->port;
        if (r >= 0)
                *ret = TAKE(c);
        return r;
}

/* ---- the challenge ---- */

/* HMAC-SHA-384 over the host's name, keyed with the challenge's base64 text. Spec: keylime-wire 4.4. */
static int make_tag(struct candidate *c, const char *challenge, struct err *err)
{
        AUTO(mem_free_p)
        char *key = base64_encode(view_str(challenge));
        struct digest tag;
        int r;

        if (!key)
                return err_nomem(err);
        r = hmac_bytes(DIGEST_SHA384, view_str(key), view_str(c->name), &tag, err);
        if (r >= 0)
                memcpy(c->tag, tag.b, sizeof(c->tag));
        mem_wipe(key, strlen(key));
        mem_wipe(&tag, sizeof(tag));
        return r;
}

int enrol_challenge(struct candidate *c, struct buf *ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        char challenge[CHALLENGE_CHARS + 1];
        struct tpm_public ek, ak;
        struct tpm_name name;
        int r = tpm2b_public_parse(VIEW_BUF(&c->identity.ek), &ek, err);

        if (r >= 0)
                r = tpm_public_key(&ek, &key, err);
        if (r >= 0)
                r = tpm2b_public_parse(VIEW_BUF(&c->identity.ak), &ak, err);
        if (r >= 0)
                r = tpm_public_name(&ak, &name, err);
        if (r >= 0)
                r = random_alnum(challenge, CHALLENGE_CHARS, err);
        if (r >= 0)
                r = make_tag(c, challenge, err);
        if (r >= 0) {
                const struct credential_ek to = {key, (enum digest_alg)ek.name_alg, ek.sym_bits};

                r = credential_make_file(&to, tpm_name_view(&name), view_str(challenge), ret, err);
        }
        mem_wipe(challenge, sizeof(challenge));
        return r < 0 ? err_wrap(err, "challenge") : 0;
}

/* ---- whose name it is ---- */

const char *enrol_conflict(const struct registrar_host *host, const struct identity *id)
{
        /* The text is Keylime's, which its tenants know. */
        static const char other[] =
                "Agent re-registration with different TPM identity is forbidden for security reasons";
        const struct binding *b;

        if (!host)
                return NULL;
        b = &host->binding;
        if (host->active && !str_equal(host->identity.ek_sha256, id->ek_sha256))
                return other;
        if (host->bound && b->ek_sha256 && !str_equal(b->ek_sha256, id->ek_sha256))
                return other;
        if (host->bound && b->ek_cert_serial && !str_equal(b->ek_cert_serial, id->ek_cert_serial))
                return other;
        return NULL;
}
