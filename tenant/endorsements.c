/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow endorsements`: what vendors of processors say of their chips and platforms, kept in a folder, fetched
 * where there is a network and carried to where there is none. `avow evidence verify --type` takes it from
 * there.
 */
#include "tenant/endorsements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "endorse/cache.h"
#include "endorse/fetch.h"
#include "evidence/azure_hcl.h"
#include "tenant/commands.h"
#include "tenant/load.h"
#include "tenant/output.h"

#define EVIDENCE_BYTES_MAX (1u << 20)
#define RENEW_MS           (3 * 24 * 3600 * INT64_C(1000))

int endorsements_folder(const char *given, char **ret, struct err *err)
{
        const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");

        if (given)
                *ret = str_dup(given);
        else if (cache && *cache)
                *ret = str_fmt("%s/avow/endorsements", cache);
        else if (home && *home)
                *ret = str_fmt("%s/.cache/avow/endorsements", home);
        else
                return err_set(err, ERR_CONFIG, 0, "there is no home folder: name one with --cache");
        return *ret ? 0 : err_nomem(err);
}

/* ---- fetch ---- */

struct fetch_values {
        const char *cache, *type, *product, *amd_url, *intel_url, *intel_root_url, *ca, *at, *timeout;
};

static const struct option_row fetch_options[] = {
        {"type", "TYPE", "what FILE is: snp, tdx, sgx; not said: a host's evidence bundle", OPTION_TEXT,
         offsetof(struct fetch_values, type)},
        {"cache", "DIR", "the folder to fill (~/.cache/avow/endorsements)", OPTION_TEXT,
         offsetof(struct fetch_values, cache)},
        {"product", "LINE", "Milan, Genoa or Turin, for an SNP report of version 2, which does not say it",
         OPTION_TEXT, offsetof(struct fetch_values, product)},
        {"amd-url", "URL", "instead of AMD's key server", OPTION_TEXT,
         offsetof(struct fetch_values, amd_url)},
        {"intel-url", "URL", "instead of Intel's provisioning service: a PCCS, say", OPTION_TEXT,
         offsetof(struct fetch_values, intel_url)},
        {"intel-root-url", "URL", "instead of Intel's server of the root's revocation list", OPTION_TEXT,
         offsetof(struct fetch_values, intel_root_url)},
        {"ca", "FILE", "who issued the servers' certificates (the system's list)", OPTION_TEXT,
         offsetof(struct fetch_values, ca)},
        {"at", "TIME", "what counts as expired (now)", OPTION_TEXT, offsetof(struct fetch_values, at)},
        {"timeout", "DURATION", "for everything together (60s)", OPTION_TEXT,
         offsetof(struct fetch_values, timeout)},
        {0},
};

static int line_of(const char *name, enum snp_line *ret, struct err *err)
{
        *ret = SNP_LINE_UNKNOWN;
        for (enum snp_line line = SNP_MILAN; name && line <= SNP_TURIN; line++)
                if (strcmp(snp_line_name(line), name) == 0)
                        *ret = line;
        if (name && !*ret)
                return err_set(err, ERR_CONFIG, 0, "--product %s: choose Milan, Genoa or Turin", SHOW(name));
        return 0;
}

static int wants_of(const struct fetch_values *v, const char *type, struct view bytes,
                    struct endorse_wants *ret, struct err *err)
{
        struct err unused = ERR_INIT;
        struct azure_hcl hcl;
        enum snp_line line;
        int r;

        if (type && (str_equal(type, "tdx") || str_equal(type, "sgx")))
                return endorse_want_quote(bytes, ret, err);
        if (!type || !str_equal(type, "snp"))
                return err_set(err, ERR_CONFIG, 0, "name what FILE is: --type snp, tdx or sgx");
        r = line_of(v->product, &line, err);
        if (r < 0)
                return r;
        if (azure_hcl_parse(bytes, &hcl, &unused) == 0)
                bytes = hcl.hardware;
        return endorse_want_snp(bytes, line, ret, err);
}

/* A file of the type that is named, or the evidence bundle of a host that showed some. */
static int wants_of_file(const struct fetch_values *v, const char *path, struct endorse_wants *ret,
                         struct err *err)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(buf_free) struct buf bytes = {0};
        struct tee_shown shown;
        int r = load_bytes(path, v->type ? EVIDENCE_BYTES_MAX : BUNDLE_BYTES_MAX, &bytes, err);

        if (r < 0)
                return r;
        if (v->type || !bytes.len || bytes.p[0] != '{')
                return wants_of(v, v->type, VIEW_BUF(&bytes), ret, err);
        r = bundle_decode(VIEW_BUF(&bytes), &b, err);
        if (r < 0)
                return r;
        if (!bundle_tee(b, &shown) || !shown.evidence.len)
                return err_set(err, ERR_FORMAT, 0, "the host showed no evidence of its processor");
        return wants_of(v, tee_kind_name(shown.kind), shown.evidence, ret, err);
}

static json_t *fetched_json(const struct endorse_wants *wants, const struct endorse_report *report)
{
        AUTO(json_free_p) json_t *doc = output_document("endorsements-fetched");
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < report->n; i++) {
                AUTO(json_free_p) json_t *j = json_object();

                if (!j || json_set_str(j, "name", wants->v[i].name) < 0 ||
                    json_set_str(j, "kind", endorsement_kind_name(wants->v[i].kind)) < 0 ||
                    json_set_str(j, "outcome", endorse_outcome_name(report->v[i].outcome)) < 0 ||
                    json_set_str(j, "why", report->v[i].text[0] ? report->v[i].text : NULL) < 0 ||
                    json_array_append(list, j) < 0)
                        return NULL;
        }
        if (!doc || json_object_set(doc, "pieces", list) < 0 || json_set_str(doc, "note", wants->note) < 0)
                return NULL;
        return TAKE(doc);
}

static int show_fetched(const struct session *s, const struct endorse_wants *wants,
                        const struct endorse_report *report, struct err *err)
{
        static const struct column columns[] = {
                {"NAME", "name"}, {"KIND", "kind"}, {"OUTCOME", "outcome"}, {"WHY", "why"}};
        AUTO(json_free_p) json_t *doc = fetched_json(wants, report);
        int r = doc ? output_list(s, doc, "pieces", columns, ARRAY_LEN(columns), err) : err_nomem(err);

        if (r >= 0 && wants->note && s->output == OUTPUT_TABLE)
                (void)printf("Note: %s.\n", wants->note);
        if (r < 0)
                return r;
        return report->complete ? ANSWER_DONE : ANSWER_UNDECIDED;
}

static int run_fetch(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct fetch_values *v = values;
        struct endorse_options o = {.urls = {v->amd_url, v->intel_url, v->intel_root_url},
                                    .ca_file = v->ca,
                                    .now_ms = clock_now_ms(),
                                    .renew_ms = RENEW_MS};
        AUTO(mem_free_p) char *folder = NULL;
        struct endorse_wants wants = {0};
        struct endorse_report report;
        int r = endorsements_folder(v->cache, &folder, err);

        (void)n_args;
        o.folder = folder;
        if (r >= 0 && v->at && (r = clock_parse(view_str(v->at), &o.now_ms, err)) < 0)
                return err_wrap(err, "--at");
        if (r >= 0 && v->timeout && (r = clock_parse_duration(view_str(v->timeout), &o.timeout_ms, err)) < 0)
                return err_wrap(err, "--timeout");
        if (r >= 0 && (r = wants_of_file(v, args[0], &wants, err)) < 0)
                return err_wrap(err, "%s", args[0]);
        if (r >= 0)
                r = endorse_fetch(&o, &wants, &report, err);
        return r < 0 ? r : show_fetched(s, &wants, &report, err);
}

/* ---- import, export, show ---- */

struct cache_values {
        const char *cache, *out;
};

static const struct option_row cache_options[] = {
        {"cache", "DIR", "the folder (~/.cache/avow/endorsements)", OPTION_TEXT,
         offsetof(struct cache_values, cache)},
        {0},
};

static const struct option_row export_options[] = {
        {"cache", "DIR", "the folder (~/.cache/avow/endorsements)", OPTION_TEXT,
         offsetof(struct cache_values, cache)},
        {"out", "FILE", "where to (standard output)", OPTION_TEXT, offsetof(struct cache_values, out)},
        {0},
};

/* A single endorsement keeps its file's name, if that can be one. */
static int import_piece(const char *folder, const char *path, struct view piece, struct err *err)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char own[8 + 2 * 16 + 1] = "import-";
        enum endorsement_kind kind;
        struct digest d;
        int64_t until_ms;
        int r = endorse_good_until(piece, &kind, &until_ms, err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, piece, &d, err);
        if (r < 0)
                return r;
        (void)hex_write(own + strlen(own), VIEW(d.b, 16));
        return endorse_cache_write(folder, endorse_valid_name(name) ? name : own, piece, err);
}

static bool is_bundle(struct view text)
{
        static const char mark[] = "avow.endorsements/";

        return text.len && text.p[0] == '{' && memmem(text.p, text.len, mark, sizeof(mark) - 1) != NULL;
}

static int run_import(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct cache_values *v = values;
        AUTO(mem_free_p) char *folder = NULL;
        size_t total = 0;
        int r = endorsements_folder(v->cache, &folder, err);

        (void)s;
        for (int i = 0; r >= 0 && i < n_args; i++) {
                AUTO(buf_free) struct buf bytes = {0};
                size_t n = 1;

                r = load_bytes(args[i], ENDORSE_BUNDLE_BYTES_MAX, &bytes, err);
                if (r >= 0)
                        r = is_bundle(VIEW_BUF(&bytes))
                                    ? endorse_bundle_read(folder, VIEW_BUF(&bytes), &n, err)
                                    : import_piece(folder, args[i], VIEW_BUF(&bytes), err);
                if (r < 0)
                        return err_wrap(err, "%s", args[i]);
                total += n;
        }
        if (r < 0)
                return r;
        (void)printf("%zu endorsement%s in %s.\n", total, total == 1 ? "" : "s", folder);
        return ANSWER_DONE;
}

static int run_export(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct cache_values *v = values;
        AUTO(mem_free_p) char *folder = NULL;
        AUTO(buf_free) struct buf text = {0};
        int r = endorsements_folder(v->cache, &folder, err);

        (void)s, (void)n_args, (void)args;
        if (r >= 0)
                r = endorse_bundle_write(folder, &text, err);
        if (r >= 0 && v->out)
                r = file_write(v->out, VIEW_BUF(&text), 0644, err);
        else if (r >= 0 && (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout)))
                r = err_set(err, ERR_IO, 0, "standard output cannot be written");
        return r < 0 ? r : ANSWER_DONE;
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {
                {"NAME", "name"}, {"KIND", "kind"}, {"BYTES", "bytes"}, {"GOOD UNTIL", "good_until"}};
        const struct cache_values *v = values;
        AUTO(json_free_p) json_t *doc = output_document("endorsements");
        AUTO(json_free_p) json_t *list = NULL;
        AUTO(mem_free_p) char *folder = NULL;
        int r = endorsements_folder(v->cache, &folder, err);

        (void)n_args, (void)args;
        if (r >= 0)
                r = endorse_cache_list(folder, &list, err);
        if (r >= 0 &&
            (!doc || json_set_str(doc, "folder", folder) < 0 || json_object_set(doc, "pieces", list) < 0))
                r = err_nomem(err);
        if (r >= 0)
                r = output_list(s, doc, "pieces", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command endorsements_commands[] = {
        {"endorsements", "fetch", "FILE", "Fetch what vouches for a processor's evidence from its vendor",
         fetch_options, sizeof(struct fetch_values), 1, 1, run_fetch},
        {"endorsements", "import", "FILE...", "Put endorsements or bundles of them into the cache",
         cache_options, sizeof(struct cache_values), 1, 1000, run_import},
        {"endorsements", "export", "", "Write all of the cache as one bundle", export_options,
         sizeof(struct cache_values), 0, 0, run_export},
        {"endorsements", "show", "", "Show what is in the cache, and until when it can be used",
         cache_options, sizeof(struct cache_values), 0, 0, run_show},
        {0},
};
