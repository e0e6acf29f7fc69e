/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts about workloads. The order is that of the cost to us and of what a stranger must have: a
 * certificate that can be read, then one that descends from an adapter's roots, then a signature by its key,
 * then a digest that is allowed.
 *
 * Spec: SR-4 and SR-20 for what no verdict is; the holes that were found elsewhere: the chain was not
 * checked, the list's first entry alone counted, an empty list counted as success.
 */
#include "verifier/workload_judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "crypto/cert_ask.h"

/* ---- sets ---- */

static int fill(const struct workload_list *list, struct allow_builder *b, struct err *err)
{
        uint32_t label;
        int r = allow_label(b, "", ALLOW_NEVER, &label, err);

        for (size_t k = 0; r >= 0 && k < WORKLOAD_N_KINDS; k++) {
                enum digest_alg alg = workload_kind_alg((enum workload_kind)k);
                size_t size = digest_size(alg);

                for (size_t at = 0; r >= 0 && at < list->digests[k].len; at += size)
                        r = allow_add(b, alg, VIEW(list->digests[k].p + at, size), VIEW_NONE, label,
                                      (uint32_t)(at / size + 1), err);
        }
        return r;
}

int workload_set_index(const struct workload_set *set, const bool *stop,
                       struct ecdsa_index *ret[static WORKLOAD_N_KINDS], struct err *err)
{
        struct ecdsa_index *index[WORKLOAD_N_KINDS] = {NULL};

        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                if (ecdsa_index_new(workload_kind_alg((enum workload_kind)k), VIEW_BUF(&set->list.digests[k]),
                                    stop, &index[k], err) < 0) {
                        ecdsa_index_free(index[0]);
                        return -(int)err->kind;
                }
        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                ret[k] = index[k];
        return 0;
}

int workload_set_new(struct workload_list *list, const bool *stop, struct workload_set **ret, struct err *err)
{
        AUTO(workload_set_unref_p) struct workload_set *set = mem_zalloc(1, sizeof(*set));
        AUTO(allow_builder_free_p) struct allow_builder *b = NULL;
        int r;

        if (!set) {
                workload_list_done(list);
                return err_nomem(err);
        }
        set->refs = 1;
        set->list = *list;
        *list = (struct workload_list){.id = ""};
        r = allow_builder_new(&b, err);
        if (r >= 0)
                r = fill(&set->list, b, err);
        if (r >= 0)
                r = allow_freeze(b, &set->allow, err);
        set->ready = workload_list_count(&set->list) <= WORKLOAD_INDEX_AT_ONCE;
        if (r >= 0 && set->ready)
                r = workload_set_index(set, stop, set->index, err);
        if (r < 0)
                return r;
        *ret = TAKE(set);
        return 0;
}

struct workload_set *workload_set_ref(struct workload_set *set)
{
        set->refs++;
        return set;
}

void workload_set_unref(struct workload_set *set)
{
        if (!set || --set->refs > 0)
                return;
        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                ecdsa_index_free(set->index[k]);
        allow_unref(set->allow);
        workload_list_done(&set->list);
        free(set);
}

/* ---- certificates ---- */

static void PRINTF(3, 4) refuse(struct workload_verdict *v, const char *reason, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        v->reason = reason;
        (void)vsnprintf(v->detail, sizeof(v->detail), fmt, ap);
        va_end(ap);
}

/* A workload's certificate, those above it, and what was found of them. */
struct known {
        struct cert *leaf;
        struct cert_list above;
        struct ecdsa_key *key; /* NULL: on no curve that is taken */
        const struct adapter *adapter;
        int64_t checked_at_ms; /* that its chain leads to the adapter's roots */
        struct digest last;    /* what its key signed last, in the Trust Monitor's form; len 0: nothing yet */
};

struct workload_certs {
        struct map by_digest; /* of the DER of all: struct known */
};

static void known_free(void *p)
{
        struct known *c = p;

        if (!c)
                return;
        ecdsa_key_free(c->key);
        cert_free(c->leaf);
        cert_list_done(&c->above);
        free(c);
}

int workload_certs_new(struct workload_certs **ret, struct err *err)
{
        struct workload_certs *certs = mem_zalloc(1, sizeof(*certs));

        if (!certs)
                return err_nomem(err);
        map_init(&certs->by_digest, known_free);
        *ret = certs;
        return 0;
}

void workload_certs_forget(struct workload_certs *certs)
{
        map_clear(&certs->by_digest);
}

void workload_certs_free(struct workload_certs *certs)
{
        if (!certs)
                return;
        map_done(&certs->by_digest);
        free(certs);
}

/* Return: 0; -kind; what cannot be read is a refusal. */
static int read_certs(const struct workload_question *q, struct known *c, struct workload_verdict *v,
                      struct err *err)
{
        int r;

        for (size_t i = 0; i < q->n_certs; i++) {
                struct cert *cert = NULL;

                r = cert_parse_der(q->certs[i], &cert, err);
                if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                        refuse(v, "certificate-malformed", "Certificate %zu: %s", i + 1, err->text);
                        err_clear(err);
                        return 0;
                }
                if (r < 0)
                        return r;
                if (i == 0)
                        c->leaf = cert;
                else if (cert_list_add(&c->above, cert, err) < 0)
                        return -(int)err->kind;
        }
        r = cert_pubkey(c->leaf) ? ecdsa_key_new(cert_pubkey(c->leaf), &c->key, err) : 0;
        if (r != -ERR_FORMAT)
                return r;
        err_clear(err); /* another kind of key: check_leaf() says so */
        return 0;
}

static bool has_use(const struct adapter *a, const struct cert *leaf)
{
        for (size_t i = 0; i < a->uses.n; i++)
                if (cert_has_use(leaf, a->uses.items[i]))
                        return true;
        return a->uses.n == 0;
}

/* What is asked of the certificate itself. */
static void check_leaf(const struct workload_question *q, const struct known *c, struct workload_verdict *v)
{
        const struct cert *leaf = c->leaf;
        const struct adapter *a = c->adapter;
        const char *why = a->ops->refuses(&a->rules, leaf);
        char limit[CLOCK_TEXT_BYTES];

        if (cert_is_ca(leaf))
                refuse(v, "certificate-of-a-ca", "The certificate is a CA's, no workload's.");
        else if (!c->key)
                refuse(v, "key-not-supported", "The certificate's key is neither on P-256 nor on P-384.");
        else if (!has_use(a, leaf))
                refuse(v, "use-not-named",
                       "The certificate's extended key usage names none of workloads.adapters.uses (%s%s).",
                       a->uses.items[0], a->uses.n > 1 ? ", …" : "");
        else if (!cert_may_sign(leaf))
                refuse(v, "use-not-named", "The certificate's key usage does not allow digital signatures.");
        else if (q->max_age_ms && q->now_ms - cert_not_before_ms(leaf) > q->max_age_ms)
                refuse(v, "certificate-too-old",
                       "The certificate was issued more than %s ago (workloads.max_age).",
                       clock_format_duration(q->max_age_ms, limit));
        else if (why)
                refuse(v, "refused-by-adapter", "%s", why);
}

/* Finds the adapter whose roots the chain leads to. Return: 0, with the verdict filled if there is none;
 * -kind. */
static int find_adapter(const struct workload_question *q, struct known *c, struct workload_verdict *v,
                        struct err *err)
{
        char reason[ADAPTER_REASON_BYTES] = "no adapter is set up for it";

        for (size_t i = 0; i < q->adapters->n && !c->adapter; i++) {
                const struct adapter *a = &q->adapters->v[i];
                bool good = false;

                if (q->technology && !a->ops->serves(q->technology))
                        continue;
                if (adapter_check_chain(a, c->leaf, &c->above, q->now_ms, &good, reason, err) < 0)
                        return -(int)err->kind;
                if (good) {
                        c->adapter = a;
                        c->checked_at_ms = q->now_ms;
                }
        }
        if (!c->adapter)
                refuse(v, "chain-not-trusted", "The certificate does not lead to a trusted root: %s.",
                       reason);
        return 0;
}

static int digest_of(const struct workload_question *q, struct digest *ret, struct err *err)
{
        return digest_parts(DIGEST_SHA256, q->certs, q->n_certs, ret, err);
}

/* Does what is known answer this question? */
static bool still_holds(const struct workload_question *q, const struct known *c)
{
        return q->now_ms >= c->checked_at_ms && q->now_ms - c->checked_at_ms <= WORKLOAD_CERTS_KNOWN_MS &&
               (!q->technology || c->adapter->ops->serves(q->technology));
}

static int read_anew(const struct workload_question *q, struct known **ret, struct workload_verdict *v,
                     struct err *err)
{
        struct known *c = mem_zalloc(1, sizeof(*c));
        int r = c ? read_certs(q, c, v, err) : err_nomem(err);

        if (r >= 0 && !v->reason)
                r = find_adapter(q, c, v, err);
        if (r < 0 || v->reason) {
                known_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

/*
 * The certificates, read and found good, but for what check_leaf() asks. *RET_OWN: the caller's to free, too.
 * Return: 0, with v->reason set if they are refused; -kind.
 */
static int find_certs(const struct workload_question *q, struct known **ret, struct known **ret_own,
                      struct workload_verdict *v, struct err *err)
{
        struct map *map = q->known ? &q->known->by_digest : NULL;
        struct digest d;
        int r = digest_of(q, &d, err);

        if (r < 0)
                return r;
        *ret = map ? map_get_bytes(map, digest_view(&d)) : NULL;
        if (*ret && still_holds(q, *ret))
                return 0;
        r = read_anew(q, ret_own, v, err);
        if (r < 0 || v->reason)
                return r;
        *ret = *ret_own;
        if (map && map_count(map) >= WORKLOAD_CERTS_MAX)
                map_clear(map);
        if (map && map_put_bytes(map, digest_view(&d), *ret) == 0)
                *ret_own = NULL;
        return 0;
}

/* Return: 0, with v->reason set if they are refused; -kind. */
static int check_certs(const struct workload_question *q, struct known **ret, struct known **ret_own,
                       struct workload_verdict *v, struct err *err)
{
        int r = find_certs(q, ret, ret_own, v, err);

        if (r < 0 || v->reason)
                return r;
        v->adapter = (*ret)->adapter->ops->name;
        v->until_ms = cert_not_after_ms((*ret)->leaf);
        check_leaf(q, *ret, v);
        if (!v->reason)
                v->key = *ecdsa_key_id((*ret)->key);
        return 0;
}

/* ---- lists ---- */

/* Is SET for workloads of this adapter? */
static bool is_for(const struct workload_question *q, const struct workload_set *set,
                   const struct workload_verdict *v)
{
        const struct adapter *a = adapters_find(q->adapters, set->list.technology);

        return a && str_equal(a->ops->name, v->adapter);
}

static void not_allowed(const struct workload_question *q, struct workload_verdict *v, const char *what)
{
        size_t n = 0;

        for (size_t i = 0; i < q->n_sets; i++)
                if (is_for(q, q->sets[i], v))
                        n++;
        if (n == 0)
                refuse(v, "no-list", "There is no allow-list for %s: upload one first.", v->adapter);
        else
                refuse(v, "not-allowed", "%s in %zu allow-list%s: add the module's digest if it is to run.",
                       what, n, n == 1 ? "" : "s");
}

/* The list where DIGEST stands, or NULL. */
static struct workload_set *find_set(const struct workload_question *q, const struct workload_verdict *v,
                                     const struct digest *digest)
{
        for (size_t i = 0; i < q->n_sets; i++)
                if (is_for(q, q->sets[i], v) &&
                    allow_find_digest(q->sets[i]->allow, digest->alg, digest_view(digest), q->now_ms, NULL) ==
                            ALLOW_ALLOWED)
                        return q->sets[i];
        return NULL;
}

/* A keep runs one module: most often its signature is over what it signed before. Return: 1 if it is, and is
 * allowed; 0; -kind. */
static int try_last(const struct workload_question *q, const struct known *c, struct workload_verdict *v,
                    struct err *err)
{
        bool good = false;
        int r = c->last.len ? pubkey_verify_digest(cert_pubkey(c->leaf), SIG_ECDSA, &c->last, q->signature,
                                                   &good, err)
                            : 0;

        if (r < 0 || !good)
                return r;
        v->set = find_set(q, v, &c->last);
        v->trusted = v->set != NULL;
        v->digest = c->last;
        return v->trusted;
}

/* Looks the signature up in the whole of every list. */
static int look_up(const struct workload_question *q, struct known *c, struct workload_verdict *v,
                   struct err *err)
{
        struct ecdsa_hint hint;
        int r = ecdsa_hint(c->key, q->signature, &hint, err);

        if (r == 0)
                refuse(v, "signature-bad",
                       "The signature is no ECDSA signature in DER by the certificate's key.");
        if (r <= 0)
                return r;
        for (size_t i = 0; i < q->n_sets; i++) {
                struct workload_set *set = q->sets[i];

                if (!is_for(q, set, v))
                        continue;
                v->undecided |= !set->ready;
                for (size_t k = 0; set->ready && k < WORKLOAD_N_KINDS; k++) {
                        r = ecdsa_index_find(set->index[k], c->key, q->signature, &hint, &v->digest, err);
                        if (r < 0)
                                return r;
                        if (r > 0) {
                                v->trusted = true;
                                v->set = set;
                                c->last = v->digest;
                                return 0;
                        }
                }
        }
        not_allowed(q, v, "The signature is over no digest");
        return 0;
}

static int find_signed(const struct workload_question *q, struct known *c, struct workload_verdict *v,
                       struct err *err)
{
        struct view r_number, s_number;
        int r = 0;

        if (ecdsa_numbers(q->signature, &r_number, &s_number))
                r = try_last(q, c, v, err);
        if (r == 0)
                r = look_up(q, c, v, err);
        if (v->trusted)
                v->undecided = false;
        return r < 0 ? r : 0;
}

int workload_judge_monitor(const struct workload_question *q, struct workload_verdict *ret, struct err *err)
{
        struct workload_verdict v = {.trusted = false};
        struct known *c = NULL, *own = NULL;
        int r = check_certs(q, &c, &own, &v, err);

        if (r >= 0 && !v.reason)
                r = find_signed(q, c, &v, err);
        known_free(own);
        if (r >= 0)
                *ret = v;
        return r;
}

static int check_signature(const struct workload_question *q, const struct pubkey *key, struct view message,
                           struct workload_verdict *v, struct err *err)
{
        enum digest_alg hash = pubkey_curve(key) == CURVE_P256 ? DIGEST_SHA256 : DIGEST_SHA384;
        struct view r_number, s_number;
        struct digest d;
        bool good = false;
        int r = digest_bytes(hash, message, &d, err);

        if (r >= 0 && ecdsa_numbers(q->signature, &r_number, &s_number))
                r = pubkey_verify_digest(key, SIG_ECDSA, &d, q->signature, &good, err);
        if (r >= 0 && !good)
                refuse(v, "signature-bad",
                       "The signature is not that of the certificate's key over this statement.");
        return r;
}

int workload_judge(const struct workload_question *q, struct view message, const struct digest *digest,
                   struct workload_verdict *ret, struct err *err)
{
        struct workload_verdict v = {.digest = *digest};
        struct known *c = NULL, *own = NULL;
        int r = check_certs(q, &c, &own, &v, err);

        if (r >= 0 && !v.reason)
                r = check_signature(q, cert_pubkey(c->leaf), message, &v, err);
        if (r >= 0 && !v.reason) {
                v.set = find_set(q, &v, digest);
                v.trusted = v.set != NULL;
        }
        if (r >= 0 && !v.reason && !v.trusted)
                not_allowed(q, &v, "The digest does not stand");
        known_free(own);
        if (r >= 0)
                *ret = v;
        return r;
}

int workload_use(const struct workload_verdict *v, struct view signature, struct digest *ret, struct err *err)
{
        static const char domain[] = "avow-workload-use-v1"; /* its NUL, too */
        struct view r, s;

        if (!ecdsa_numbers(signature, &r, &s))
                return err_set(err, ERR_FORMAT, 0, "no signature");
        return digest_parts(DIGEST_SHA256, (const struct view[]){VIEW_ARRAY(domain), digest_view(&v->key), r},
                            3, ret, err);
}
