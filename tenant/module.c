/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow module show|verify|sign`: WebAssembly files and the claims in them, without any server. Who may sign
 * is said on the command line: a token names its own key, and so proves nothing alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/nkey.h"
#include "crypto/random.h"
#include "evidence/tee_json.h"
#include "evidence/wasm_claims.h"
#include "tenant/evidence_tee_work.h"
#include "tenant/output.h"

#define SECTIONS_SHOWN 1000
#define SEED_FILE_MAX  4096

static int load_module(const char *path, struct buf *bytes, struct wasm *ret, struct err *err)
{
        int r = file_read(path, WASM_BYTES_MAX, bytes, err);

        if (r >= 0)
                r = wasm_parse(VIEW_BUF(bytes), ret, err);
        return r < 0 ? err_wrap(err, "%s", SHOW(path)) : 0;
}

/* ---- what a module is ---- */

static const char *section_word(const struct wasm *w, uint8_t id)
{
        static const char *const core[] = {"custom", "type",   "import",     "function", "table",
                                           "memory", "global", "export",     "start",    "element",
                                           "code",   "data",   "data count", "tag"};
        static const char *const component[] = {
                "custom", "core module", "core instance", "core type", "component", "instance", "alias",
                "type",   "canon",       "start",         "import",    "export",    "value"};

        if (w->component)
                return id < ARRAY_LEN(component) ? component[id] : "?";
        return id < ARRAY_LEN(core) ? core[id] : "?";
}

static json_t *sections_json(const struct wasm *w)
{
        AUTO(json_free_p) json_t *list = json_array();
        struct wasm_section s;

        for (size_t pos = 0; json_array_size(list) < SECTIONS_SHOWN && wasm_next(w, &pos, &s);) {
                AUTO(buf_free) struct buf text = {0};

                buf_fmt(&text, "%s%s", section_word(w, s.id), s.id ? "" : " ");
                buf_escaped(&text, s.name);
                buf_fmt(&text, ", %zu bytes at %zu", s.content.len, s.at);
                if (!buf_ok(&text) ||
                    json_array_append_new(list, json_stringn((const char *)text.p, text.len)) < 0)
                        return NULL;
        }
        return list ? TAKE(list) : NULL;
}

static int set_digest(json_t *j, const char *name, enum digest_alg alg, struct view bytes, struct err *err)
{
        struct digest d;
        int r = digest_bytes(alg, bytes, &d, err);

        if (r < 0)
                return r;
        return json_set_hex(j, name, digest_view(&d)) < 0 ? err_nomem(err) : 0;
}

/* CLAIMS may be empty. */
static int content_json(const struct wasm *w, const struct wasm_claims *claims, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r;

        if (json_set_str(j, "kind", w->component ? "component" : "module") < 0 ||
            json_set_int(j, "bytes", (int64_t)w->bytes.len) < 0)
                return err_nomem(err);
        r = set_digest(j, "sha256", DIGEST_SHA256, w->bytes, err);
        if (r >= 0)
                r = set_digest(j, "sha384", DIGEST_SHA384, w->bytes, err);
        if (r < 0)
                return r;
        if ((claims->doc && json_object_set(j, "claims", claims->doc) < 0) ||
            json_object_set_new(j, "sections", sections_json(w)) < 0)
                return err_nomem(err);
        *ret = TAKE(j);
        return 0;
}

/* ---- show and verify ---- */

struct verify_values {
        struct option_list accounts, subjects;
        const char *revision, *at;
};

static const struct option_row verify_options[] = {
        {"account", "KEY", "an account that may sign, A… (needed; may be repeated)", OPTION_LIST,
         offsetof(struct verify_values, accounts)},
        {"subject", "KEY", "a module that is allowed, M… (may be repeated; else any of the accounts')",
         OPTION_LIST, offsetof(struct verify_values, subjects)},
        {"min-revision", "N", "refuse older revisions of the module", OPTION_TEXT,
         offsetof(struct verify_values, revision)},
        {"at", "TIME", "judge as at that time, not now", OPTION_TEXT, offsetof(struct verify_values, at)},
        {0},
};

static int check_keys(const struct option_list *list, enum nkey_kind kind, const char *option,
                      struct err *err)
{
        uint8_t key[ED25519_KEY_BYTES];

        for (size_t i = 0; i < list->n; i++)
                if (nkey_parse(view_str(list->v[i]), kind, key, err) < 0)
                        return err_wrap(err, "--%s", option);
        return 0;
}

static int read_trust(const struct verify_values *v, struct wasm_trust *ret, struct err *err)
{
        *ret = (struct wasm_trust){.accounts = v->accounts.v,
                                   .n_accounts = v->accounts.n,
                                   .subjects = v->subjects.v,
                                   .n_subjects = v->subjects.n,
                                   .revision_min = INT32_MIN,
                                   .now_ms = clock_now_ms()};
        if (!v->accounts.n)
                return err_set(err, ERR_CONFIG, 0,
                               "say who may sign: --account A… ('avow module show' prints who did)");
        if (check_keys(&v->accounts, NKEY_ACCOUNT, "account", err) < 0 ||
            check_keys(&v->subjects, NKEY_MODULE, "subject", err) < 0)
                return -(int)err->kind;
        if (v->revision &&
            str_parse_int(view_str(v->revision), INT32_MIN, INT32_MAX, &ret->revision_min, err) < 0)
                return err_wrap(err, "--min-revision");
        if (v->at && clock_parse(view_str(v->at), &ret->now_ms, err) < 0)
                return err_wrap(err, "--at");
        return 0;
}

static int answer(const struct session *s, const json_t *doc, struct err *err)
{
        int r = output_document_if_asked(s, doc, err);

        return r == 0 ? tee_print(doc, "WebAssembly", err) : r;
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const char *const words[] = {"unsigned", "accept", "reject"};
        static const int answers[] = {ANSWER_UNDECIDED, ANSWER_DONE, ANSWER_NO};
        AUTO(wasm_claims_done) struct wasm_claims claims = {0};
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(json_free_p)
        json_t *doc = output_document("module-verification"), *result = NULL, *content = NULL;
        struct tee_result checks;
        struct wasm_trust trust;
        enum wasm_signed got = WASM_REJECTED;
        struct wasm w;
        int r = read_trust(values, &trust, err);

        (void)n_args; /* the table says one */
        if (r >= 0)
                r = load_module(args[0], &bytes, &w, err);
        if (r >= 0)
                r = wasm_claims_check(&w, &trust, &claims, &checks, &got, err);
        if (r >= 0)
                r = content_json(&w, &claims, &content, err);
        if (r < 0)
                return r;
        result = tee_result_to_json(&checks, words[got]);
        if (!doc || !result || json_object_update(doc, result) < 0 ||
            json_set_time(doc, "at", trust.now_ms) < 0 || json_object_set(doc, "content", content) < 0)
                return err_nomem(err);
        r = answer(s, doc, err);
        return r < 0 ? r : answers[got];
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct wasm_trust nobody = {.n_accounts = 0};
        AUTO(wasm_claims_done) struct wasm_claims claims = {0};
        AUTO(buf_free) struct buf bytes = {0};
        AUTO(json_free_p) json_t *doc = output_document("module"), *content = NULL;
        struct tee_result checks;
        enum wasm_signed got;
        struct wasm w;
        int r = load_module(args[0], &bytes, &w, err);

        (void)values, (void)n_args;
        if (r >= 0)
                r = wasm_claims_check(&w, &nobody, &claims, &checks, &got, err); /* for what they say */
        if (r >= 0)
                r = content_json(&w, &claims, &content, err);
        if (r < 0)
                return r;
        if (!doc || json_object_set(doc, "content", content) < 0)
                return err_nomem(err);
        r = answer(s, doc, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- sign ---- */

struct sign_values {
        const char *key, *subject, *name, *version, *revision, *expires, *out;
        struct option_list caps, tags;
};

static const struct option_row sign_options[] = {
        {"key", "FILE", "the account's seed, SA… (needed)", OPTION_TEXT, offsetof(struct sign_values, key)},
        {"subject", "KEY", "the module's key, M… (needed)", OPTION_TEXT,
         offsetof(struct sign_values, subject)},
        {"out", "FILE", "where the signed module goes (needed)", OPTION_TEXT,
         offsetof(struct sign_values, out)},
        {"name", "TEXT", "its name", OPTION_TEXT, offsetof(struct sign_values, name)},
        {"module-version", "TEXT", "its version", OPTION_TEXT, offsetof(struct sign_values, version)},
        {"revision", "N", "its revision: count it up with each build", OPTION_TEXT,
         offsetof(struct sign_values, revision)},
        {"cap", "NAME", "a capability that it wants (may be repeated)", OPTION_LIST,
         offsetof(struct sign_values, caps)},
        {"tag", "TEXT", "a tag (may be repeated)", OPTION_LIST, offsetof(struct sign_values, tags)},
        {"expires", "TIME", "the claims hold before that time only", OPTION_TEXT,
         offsetof(struct sign_values, expires)},
        {0},
};

static int load_seed(const char *path, uint8_t ret[ED25519_KEY_BYTES], struct err *err)
{
        struct buf text = {0};
        int r = file_read(path, SEED_FILE_MAX, &text, err);
        struct view v = VIEW_BUF(&text);

        while (v.len && (v.p[v.len - 1] == '\n' || v.p[v.len - 1] == '\r'))
                v.len--;
        if (r >= 0)
                r = nkey_seed_parse(v, NKEY_ACCOUNT, ret, err);
        if (text.p)
                mem_wipe(text.p, text.cap);
        buf_free(&text);
        return r < 0 ? err_wrap(err, "--key %s", SHOW(path)) : 0;
}

static json_t *list_json(const struct option_list *list)
{
        AUTO(json_free_p) json_t *j = json_array();

        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(j, json_string(list->v[i])) < 0)
                        return NULL;
        return j ? TAKE(j) : NULL;
}

static json_t *claims_of(const struct sign_values *v, const char *issuer, const char *jti, int64_t revision,
                         int64_t expires_ms)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *wascap = json_object();

        if (json_object_set_new(j, "wascap", wascap) < 0)
                return NULL;
        if (json_set_str(j, "jti", jti) < 0 || json_set_int(j, "iat", clock_now_ms() / 1000) < 0 ||
            json_set_str(j, "iss", issuer) < 0 || json_set_str(j, "sub", v->subject) < 0 ||
            (v->expires && json_set_int(j, "exp", expires_ms / 1000) < 0) ||
            (v->name && json_set_str(wascap, "name", v->name) < 0) ||
            (v->version && json_set_str(wascap, "ver", v->version) < 0) ||
            (v->revision && json_set_int(wascap, "rev", revision) < 0) ||
            json_object_set_new(wascap, "caps", list_json(&v->caps)) < 0 ||
            json_object_set_new(wascap, "tags", list_json(&v->tags)) < 0 ||
            json_set_bool(wascap, "prov", false) < 0)
                return NULL;
        return TAKE(j);
}

static int sign(const struct sign_values *v, const char *path, const uint8_t seed[ED25519_KEY_BYTES],
                struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0}, out = {0};
        AUTO(json_free_p) json_t *claims = NULL;
        char issuer[NKEY_TEXT_LEN + 1], jti[33];
        uint8_t key[ED25519_KEY_BYTES], id[16];
        int64_t revision = 0, expires_ms = 0;
        struct wasm w;
        int r = load_module(path, &bytes, &w, err);

        if (r >= 0 && v->revision &&
            (r = str_parse_int(view_str(v->revision), 0, INT32_MAX, &revision, err)) < 0)
                return err_wrap(err, "--revision");
        if (r >= 0 && v->expires && (r = clock_parse(view_str(v->expires), &expires_ms, err)) < 0)
                return err_wrap(err, "--expires");
        if (r >= 0)
                r = ed25519_public(VIEW(seed, ED25519_KEY_BYTES), key, err);
        if (r >= 0)
                r = random_bytes(id, sizeof(id), err);
        if (r < 0)
                return r;
        nkey_print(NKEY_ACCOUNT, key, issuer);
        claims = claims_of(v, issuer, hex_write(jti, VIEW_ARRAY(id)), revision, expires_ms);
        r = claims ? wasm_claims_sign(&w, claims, seed, &out, err) : err_nomem(err);
        if (r >= 0)
                r = file_write(v->out, VIEW_BUF(&out), 0644, err);
        if (r >= 0)
                (void)fprintf(stderr, "%s is signed by %s.\n", SHOW(v->out), issuer);
        return r;
}

static int run_sign(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct sign_values *v = values;
        uint8_t seed[ED25519_KEY_BYTES], subject[ED25519_KEY_BYTES];
        int r;

        (void)s, (void)n_args;
        if (!v->key || !v->subject || !v->out)
                return err_set(err, ERR_CONFIG, 0,
                               "say with what to sign, for which module and into which file: --key "
                               "FILE --subject M… --out FILE");
        if (nkey_parse(view_str(v->subject), NKEY_MODULE, subject, err) < 0)
                return err_wrap(err, "--subject");
        r = load_seed(v->key, seed, err);
        if (r >= 0)
                r = sign(v, args[0], seed, err);
        mem_wipe(seed, sizeof(seed));
        return r < 0 ? r : ANSWER_DONE;
}

static const struct option_row no_options[] = {{0}};

const struct command module_commands[] = {
        {"module", "show", "FILE",
         "Shows a WebAssembly file: digests, sections, and the claims in it, unverified", no_options, 1, 1, 1,
         run_show},
        {"module", "verify", "FILE",
         "Checks the claims in a WebAssembly file: who signed it, and that it is that one", verify_options,
         sizeof(struct verify_values), 1, 1, run_verify},
        {"module", "sign", "FILE", "Puts claims, signed by an account, into a WebAssembly file", sign_options,
         sizeof(struct sign_values), 1, 1, run_sign},
        {0},
};
