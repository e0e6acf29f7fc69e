/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A processor's evidence from a file, judged with what a person has at hand: endorsements from files, a time,
 * a policy. The judging is the verifier's own code. What was not checked stays visible in the answer, and an
 * answer that decides nothing is not called a good one.
 */
#include "tenant/evidence_tee.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "config.h"
#include "endorse/cache.h"
#include "evidence/authenticate.h"
#include "evidence/bundle.h"
#include "evidence/tee_json.h"
#include "policy/policy_tee.h"
#include "tenant/endorsements.h"
#include "tenant/evidence_tee_work.h"
#include "tenant/load.h"
#include "tenant/output.h"
#include "wire/tee_ear.h"

#define EVIDENCE_BYTES_MAX (16u * 1024 * 1024)
#define FILE_BYTES_MAX     (4u * 1024 * 1024)
#define FOLDER_DEPTH_MAX   4

/* ---- endorsements from files ---- */

static int note(json_t *list, const char *path, enum endorsement_kind kind, struct err *err)
{
        json_t *item = json_pack("{s:s, s:s}", "file", path, "kind", endorsement_kind_name(kind));

        return json_array_append_new(list, item) < 0 ? err_nomem(err) : 0;
}

static int load_file(const char *path, struct endorsements *heap, json_t *list, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        enum endorsement_kind kind = ENDORSEMENT_UNKNOWN;
        int r = file_read(path, FILE_BYTES_MAX, &bytes, err);

        if (r == -ERR_LIMIT) { /* none is that large */
                err_clear(err);
                return note(list, path, kind, err);
        }
        if (r >= 0)
                r = endorsements_add(heap, VIEW_BUF(&bytes), &kind, err);
        return r < 0 ? r : note(list, path, kind, err);
}

static int load_path(const char *path, int depth, struct endorsements *heap, json_t *list, struct err *err)
{
        struct strv names = {0};
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return err_errno(err, errno, "%s", path);
        if (S_ISREG(st.st_mode))
                return load_file(path, heap, list, err);
        if (!S_ISDIR(st.st_mode) || depth == 0)
                return 0;
        r = file_list(path, "", &names, err);
        for (size_t i = 0; r >= 0 && i < names.n; i++) {
                AUTO(mem_free_p) char *below = str_fmt("%s/%s", path, names.items[i]);

                r = below ? load_path(below, depth - 1, heap, list, err) : err_nomem(err);
        }
        strv_done(&names);
        return r < 0 ? r : 0;
}

int tee_load_endorsements(const char *path, struct endorsements *heap, json_t *list, struct err *err)
{
        return load_path(path, FOLDER_DEPTH_MAX, heap, list, err);
}

/* ---- the answer ---- */

static int answer_of(const struct tee_work *w)
{
        const char *word = tee_work_verdict(w);

        if (str_starts(word, tee_verdict_name(TEE_ACCEPT)))
                return ANSWER_DONE;
        if (str_equal(word, tee_verdict_name(TEE_REJECT)))
                return ANSWER_NO;
        return str_equal(word, tee_verdict_name(TEE_MALFORMED)) ? ANSWER_MISUSE : ANSWER_UNDECIDED;
}

/* Evidence of a processor, and not a part of it: results say something of a machine. */
static bool is_whole(const char *type)
{
        return str_equal(type, "snp") || str_equal(type, "tdx") || str_equal(type, "sgx");
}

json_t *tee_document(const struct tee_work *w, const struct tee_type *type, const json_t *endorsements)
{
        AUTO(json_free_p) json_t *doc = output_document(w->verify ? "tee-verification" : "tee-content");
        AUTO(json_free_p) json_t *result = tee_result_to_json(&w->result, tee_work_verdict(w));

        if (!doc || !result || json_set_str(doc, "type", type->name) < 0)
                return NULL;
        if (w->verify && (json_object_update(doc, result) < 0 ||
                          (w->dcap.ignore_dates ? json_set_bool(doc, "dates_ignored", true)
                                                : json_set_time(doc, "at", w->at_ms)) < 0 ||
                          json_object_set(doc, "endorsements", (json_t *)(uintptr_t)endorsements) < 0))
                return NULL;
        if (w->verify && is_whole(type->name) &&
            json_object_set_new(doc, "ear",
                                tee_ear_claims(&w->result, w->intel, type->name, w->at_ms, PACKAGE_STRING)) <
                    0)
                return NULL;
        if (!w->verify && !w->content && json_object_update(doc, result) < 0)
                return NULL;
        if ((w->status && json_object_set(doc, "status", w->status) < 0) ||
            (w->content && json_object_set(doc, "content", w->content) < 0))
                return NULL;
        return TAKE(doc);
}

static int bad_type(const char *name, struct err *err)
{
        AUTO(buf_free) struct buf known = {0};

        for (const struct tee_type *t = tee_types; t->name; t++)
                buf_fmt(&known, "%s%s", t == tee_types ? "" : ", ", t->name);
        buf_u8(&known, 0);
        return err_set(err, ERR_CONFIG, 0, "--type %s: choose one of %s", SHOW(name),
                       buf_ok(&known) ? (const char *)known.p : "those of avow(1)");
}

static int run_type(const struct session *s, struct tee_work *w, const char *name, const char *path,
                    const json_t *endorsements, struct err *err)
{
        const struct tee_type *type = tee_type_find(name);
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(json_free_p) json_t *doc = NULL;
        int r;

        if (!type)
                return bad_type(name, err);
        r = load_bytes(path, EVIDENCE_BYTES_MAX, &bytes, err);
        if (r < 0)
                return r;
        w->bytes = VIEW_BUF(&bytes);
        r = type->run(w, err);
        if (r < 0)
                return err_wrap(err, "%s", path);
        doc = tee_document(w, type, endorsements);
        r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);
        if (r == 0)
                r = tee_print(doc, type->title, err);
        if (r < 0)
                return r;
        if (!w->verify)
                return w->content ? ANSWER_DONE : ANSWER_MISUSE;
        return answer_of(w);
}

int evidence_tee_show(const struct session *s, const struct tee_options *o, const char *path, struct err *err)
{
        AUTO(tee_work_done)
        struct tee_work w = {.snp = &snp_policy_reference, .dcap = {.ignore_dates = true}};

        return run_type(s, &w, o->type, path, NULL, err);
}

/* What the options say, and the bytes that they name. */
struct given {
        struct endorsements *heap;
        struct tee_trust trust;
        struct bundle *bundle;
        struct tpm_public ak; /* the bundle's */
        struct tee_binding binding;
        struct digest ek;
        struct buf report_data, log, id_auth, manifest;
};

static void given_done(struct given *g)
{
        endorsements_free(g->heap);
        bundle_free(g->bundle);
        buf_free(&g->report_data);
        buf_free(&g->log);
        buf_free(&g->id_auth);
        buf_free(&g->manifest);
}

/* What `avow endorsements` keeps; without a home there is nothing. */
static int load_cache(struct endorsements *heap, struct err *err)
{
        AUTO(mem_free_p) char *folder = NULL;
        struct err unused = ERR_INIT;

        if (endorsements_folder(NULL, &folder, &unused) < 0)
                return 0;
        return endorse_cache_load(folder, heap, err);
}

static int fill_heap(const struct tee_options *o, struct endorsements **ret, json_t *listed, struct err *err)
{
        int r = endorsements_new(ret, err);

        if (r >= 0 && !o->endorsements.n)
                r = load_cache(*ret, err);
        for (size_t i = 0; r >= 0 && i < o->endorsements.n; i++)
                r = tee_load_endorsements(o->endorsements.v[i], *ret, listed, err);
        return r < 0 ? r : 0;
}

int evidence_tee_heap(const struct tee_options *o, struct endorsements **ret, struct err *err)
{
        AUTO(json_free_p) json_t *listed = json_array();

        return listed ? fill_heap(o, ret, listed, err) : err_nomem(err);
}

static int load_given(const struct tee_options *o, struct given *g, json_t *endorsements, struct err *err)
{
        int r = fill_heap(o, &g->heap, endorsements, err);

        if (o->ignore_dates && !str_starts(o->type, "tdx") && !str_starts(o->type, "sgx"))
                return err_set(err, ERR_CONFIG, 0, "--ignore-dates is for the types tdx, sgx and sgx-csr");
        if (r >= 0 && o->report_data &&
            (r = hex_decode_any(view_str(o->report_data), SNP_DATA_BYTES, &g->report_data, err)) < 0)
                return err_wrap(err, "--report-data");
        if (r >= 0 && o->report_data && g->report_data.len != SNP_DATA_BYTES && !str_equal(o->type, "tpm"))
                return err_set(err, ERR_CONFIG, 0, "--report-data: %zu bytes; report data has %d",
                               g->report_data.len, SNP_DATA_BYTES);
        if (r >= 0 && o->log)
                r = load_bytes(o->log, BOOTLOG_BYTES_MAX, &g->log, err);
        if (r >= 0 && o->id_auth)
                r = load_bytes(o->id_auth, BOOTLOG_BYTES_MAX, &g->id_auth, err);
        if (r >= 0 && o->manifest)
                r = load_bytes(o->manifest, SVSM_MANIFEST_BYTES_MAX, &g->manifest, err);
        return r < 0 ? r : 0;
}

/* What a policy's `tee:` says of this kind of evidence. */
static int take_policy(struct tee_work *w, const char *type, const struct option_list *paths,
                       struct policy **ret, struct err *err)
{
        const struct policy_tee *tee;
        enum tee_kind kind = TEE_SNP;
        int r;

        if (paths->n > 1)
                return err_set(err, ERR_CONFIG, 0, "with --type one --policy is possible");
        r = load_policy(paths->v[0], ret, NULL, err);
        if (r < 0)
                return r;
        tee = (*ret)->tee;
        if (!tee)
                return err_set(err, ERR_CONFIG, 0, "%s: the policy has no section 'tee'", paths->v[0]);
        while (kind < TEE_N_KINDS && !str_starts(type, tee_kind_name(kind)))
                kind++;
        if (kind == TEE_N_KINDS)
                return err_set(err, ERR_CONFIG, 0, "--type %s is not judged by a policy", SHOW(type));
        if (!(tee->kinds & 1u << kind))
                return err_set(err, ERR_CONFIG, 0, "%s: the policy does not take evidence of type %s",
                               paths->v[0], tee_kind_name(kind));
        w->snp = &tee->snp;
        w->dcap = kind == TEE_SGX ? tee->sgx : tee->tdx;
        return 0;
}

int evidence_tee_ek(const char *path, struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf pem = {0};
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        int r = load_bytes(path, TPM_PUBLIC_BYTES_MAX * 4, &pem, err);

        if (r < 0)
                return r;
        r = pubkey_from_pem(VIEW_BUF(&pem), &key, err);
        if (r >= 0)
                r = pubkey_spki_sha256(key, ret, err);
        return r < 0 ? err_wrap(err, "--ek %s", path) : 0;
}

/*
 * The host's own evidence names its key and the challenge, if it is authentic: a key in a bundle that the key
 * did not sign is anybody's.
 */
static int load_host(const char *path, const struct policy_tee *tee, struct given *g, struct err *err)
{
        AUTO(verdict_free_p) struct verdict *v = verdict_new();
        struct authenticated auth;
        struct digest qualifying;
        struct expectation x;
        struct evidence e;
        bool good;
        int r = v ? load_bundle(path, &g->bundle, err) : err_nomem(err);

        if (r >= 0)
                r = bundle_evidence(g->bundle, &g->ak, &qualifying, &e, &x, err);
        if (r >= 0)
                r = evidence_authenticate(&e, &x, v, &good, &auth, err);
        if (r < 0)
                return r;
        if (!good)
                return err_set(err, ERR_FORMAT, 0,
                               "%s: it is not authentic, and says nothing about a host: see 'avow evidence "
                               "verify %s'",
                               path, path);
        g->binding = (struct tee_binding){.challenge = VIEW_BUF(&g->bundle->challenge),
                                          .ak = &g->ak,
                                          .rooted = tee->binding == POLICY_TEE_ROOTED,
                                          .images = &tee->rooted_images};
        return 0;
}

int evidence_tee_verify(const struct session *s, const struct tee_options *o, const char *at,
                        const struct option_list *policies, const char *path, struct err *err)
{
        AUTO(json_free_p) json_t *endorsements = json_array();
        AUTO(given_done) struct given given = {.heap = NULL};
        AUTO(policy_unref_p) struct policy *policy = NULL;
        AUTO(tee_work_done)
        struct tee_work w = {.verify = true,
                             .at_ms = clock_now_ms(),
                             .snp = &policy_tee_default.snp,
                             .dcap = policy_tee_default.tdx};
        int r;

        if (!endorsements)
                return err_nomem(err);
        if (policies->n && (r = take_policy(&w, o->type, policies, &policy, err)) < 0)
                return r;
        if (at && clock_parse(view_str(at), &w.at_ms, err) < 0)
                return err_wrap(err, "--at");
        r = load_given(o, &given, endorsements, err);
        if (r < 0)
                return r;
        if (o->bundle &&
            (r = load_host(o->bundle, policy ? policy->tee : &policy_tee_default, &given, err)) < 0)
                return r;
        if (o->ek) {
                if (!o->bundle || !o->manifest)
                        return err_set(err, ERR_CONFIG, 0, "--ek is for --bundle and --manifest");
                r = evidence_tee_ek(o->ek, &given.ek, err);
                if (r < 0)
                        return r;
                given.binding.ek = &given.ek;
        }
        given.trust.heap = given.heap;
        w.trust = &given.trust;
        w.binding = o->bundle ? &given.binding : NULL;
        w.report_data = VIEW_BUF(&given.report_data);
        w.has_log = o->log != NULL;
        w.log = VIEW_BUF(&given.log);
        w.has_manifest = o->manifest != NULL;
        w.manifest = VIEW_BUF(&given.manifest);
        w.has_id_auth = o->id_auth != NULL;
        w.id_auth = VIEW_BUF(&given.id_auth);
        w.dcap.ignore_dates = o->ignore_dates;
        return run_type(s, &w, o->type, path, endorsements, err);
}
