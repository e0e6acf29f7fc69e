/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endorsements on the verifier's disk. Whoever can write into the folder can keep hosts from passing and no
 * more: everything in it has to chain to a root. Roots are the vendors', compiled in, or those that the
 * configuration names in their place: these decide what a processor is, so they are never taken from the
 * folder.
 */
#include "verifier/endorsed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "crypto/pubkey.h"
#include "endorse/cache.h"
#include "verifier/verifier.h"

#define ROOTS_MAX  16
#define ARK_PREFIX "ARK-"
#define INTEL_ROOT "Intel SGX Root CA"
#define WARM_MAX   4          /* threads that judge quotes at a time; more go without */
#define LOOK_COST  (8u << 20) /* what a folder holds, about */

struct endorsed {
        atomic_uint users;
        struct endorsements *heap;
        struct snp_root snp[ROOTS_MAX];
        struct digest intel[ROOTS_MAX];
        struct tee_trust trust;
        char *dir;
        struct timespec changed; /* the folder, before it was read */
        struct warm {
                pthread_mutex_t lock; /* held by the thread that uses it */
                struct dcap_warm *of;
        } warm[WARM_MAX];
};

static struct timespec changed_at(const char *dir)
{
        struct stat st;

        return stat(dir, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* ---- roots ---- */

/* Whose root it is stands in its name; what it is trusted for, its key. */
static int add_root(struct endorsed *e, const struct conf *conf, const char *path, const struct cert *cert,
                    struct err *err)
{
        const char *cn = cert_cn(cert);
        const struct pubkey *key = cert_pubkey(cert);
        struct digest spki;
        int r;

        if (!key)
                return conf_err(conf, "endorsements.roots", err, "'%s': a key of a kind not known here",
                                path);
        r = pubkey_spki_sha256(key, &spki, err);
        if (r < 0)
                return r;
        if (e->trust.n_snp_roots == ROOTS_MAX || e->trust.n_intel_roots == ROOTS_MAX)
                return conf_err(conf, "endorsements.roots", err, "more than %d of a vendor", ROOTS_MAX);
        if (str_equal(cn, INTEL_ROOT)) {
                e->intel[e->trust.n_intel_roots++] = spki;
                return 0;
        }
        for (enum snp_line line = SNP_MILAN; line <= SNP_TURIN && str_starts(cn, ARK_PREFIX); line++)
                if (str_equal(cn + strlen(ARK_PREFIX), snp_line_name(line))) {
                        struct snp_root *root = &e->snp[e->trust.n_snp_roots++];

                        root->line = line;
                        memcpy(root->spki_sha256, spki.b, sizeof(root->spki_sha256));
                        return 0;
                }
        return conf_err(conf, "endorsements.roots", err,
                        "'%s': its name is %s, and has to be ARK-LINE (AMD's lines) or '" INTEL_ROOT "'",
                        path, SHOW(cn));
}

static int load_roots(struct endorsed *e, const struct conf *conf, struct err *err)
{
        const struct strv *paths = conf_list(conf, "endorsements.roots");
        int r = 0;

        for (size_t i = 0; r >= 0 && i < paths->n; i++) {
                struct cert_list certs = {.n = 0};

                r = cert_load(paths->items[i], &certs, err);
                for (size_t k = 0; r >= 0 && k < certs.n; k++)
                        r = add_root(e, conf, paths->items[i], certs.v[k], err);
                cert_list_done(&certs);
        }
        if (r >= 0 && paths->n)
                log_warning("endorsements.roots: processors are believed by roots that are not their "
                            "vendor's");
        return r;
}

/* ---- the folder ---- */

static struct endorsed *endorsed_new(const char *dir)
{
        struct endorsed *e = mem_zalloc(1, sizeof(*e));

        if (!e)
                return NULL;
        atomic_init(&e->users, 1);
        for (size_t i = 0; i < WARM_MAX; i++)
                (void)pthread_mutex_init(&e->warm[i].lock, NULL); /* cannot fail: no attributes */
        e->dir = str_dup(dir);
        e->trust = (struct tee_trust){.snp_roots = e->snp, .intel_roots = e->intel};
        if (!e->dir) {
                endorsed_free(e);
                return NULL;
        }
        return e;
}

static int read_folder(struct endorsed *e, struct err *err)
{
        int r = endorsements_new(&e->heap, err);

        e->changed = changed_at(e->dir);
        e->trust.heap = e->heap;
        if (r >= 0)
                r = endorse_cache_load(e->dir, e->heap, err);
        return r < 0 ? err_wrap(err, "endorsements.dir '%s'", e->dir) : 0;
}

int endorsed_load(const struct conf *conf, struct endorsed **ret, struct err *err)
{
        AUTO(endorsed_free_p) struct endorsed *e = endorsed_new(conf_str(conf, "endorsements.dir"));
        int r = e ? load_roots(e, conf, err) : err_nomem(err);

        if (r >= 0)
                r = read_folder(e, err);
        if (r < 0)
                return r;
        *ret = TAKE(e);
        return 0;
}

struct endorsed *endorsed_ref(struct endorsed *e)
{
        if (e)
                atomic_fetch_add(&e->users, 1);
        return e;
}

void endorsed_free(struct endorsed *e)
{
        if (!e || atomic_fetch_sub(&e->users, 1) != 1)
                return;
        endorsements_free(e->heap);
        for (size_t i = 0; i < WARM_MAX; i++) {
                dcap_warm_free(e->warm[i].of);
                (void)pthread_mutex_destroy(&e->warm[i].lock);
        }
        free(e->dir);
        free(e);
}

const struct tee_trust *endorsed_trust(const struct endorsed *e)
{
        return e ? &e->trust : NULL;
}

struct dcap_warm *endorsed_take_warm(struct endorsed *e, size_t *ret_slot)
{
        struct err unused = ERR_INIT; /* without memory it goes without */
        size_t i = 0;

        while (i < WARM_MAX && pthread_mutex_trylock(&e->warm[i].lock) != 0)
                i++;
        *ret_slot = i;
        if (i == WARM_MAX || (!e->warm[i].of && dcap_warm_new(&e->warm[i].of, &unused) < 0))
                return NULL;
        return e->warm[i].of;
}

void endorsed_give_warm(struct endorsed *e, size_t slot)
{
        if (slot < WARM_MAX)
                (void)pthread_mutex_unlock(&e->warm[slot].lock);
}

/* ---- when it changes ---- */

struct look {
        struct verifier *v;
        struct endorsed *fresh, *was;
        int n;
        struct err err;
};

static void run(void *ctx)
{
        struct look *l = ctx;

        l->n = read_folder(l->fresh, &l->err);
}

static void on_read(void *ctx, bool ran)
{
        struct look *l = ctx;
        struct verifier *v = l->v;

        v->endorsed_read = false;
        if (ran && l->n < 0)
                log_err(&l->err, "endorsements are those of before");
        if (ran && v->endorsed == l->was && l->n < 0) {
                v->endorsed->changed = l->fresh->changed; /* told once */
        } else if (ran && v->endorsed == l->was) {        /* no reload came in between */
                endorsed_free(v->endorsed);
                v->endorsed = TAKE(l->fresh);
                log_info("endorsements are read again: %s has changed", v->endorsed->dir);
        }
        endorsed_free(l->fresh);
        endorsed_free(l->was);
        free(l);
}

/* The same roots, and the folder as it is now. */
static struct endorsed *successor(const struct endorsed *was)
{
        struct endorsed *e = endorsed_new(was->dir);

        if (!e)
                return NULL;
        memcpy(e->snp, was->snp, sizeof(e->snp));
        memcpy(e->intel, was->intel, sizeof(e->intel));
        e->trust.n_snp_roots = was->trust.n_snp_roots;
        e->trust.n_intel_roots = was->trust.n_intel_roots;
        return e;
}

void endorsed_look(struct verifier *v)
{
        struct timespec is = changed_at(v->endorsed->dir);
        struct err err = ERR_INIT;
        struct look *l;

        if (v->endorsed_read ||
            (is.tv_sec == v->endorsed->changed.tv_sec && is.tv_nsec == v->endorsed->changed.tv_nsec))
                return;
        l = mem_zalloc(1, sizeof(*l));
        if (!l)
                return; /* again at the next look */
        l->v = v;
        l->was = endorsed_ref(v->endorsed);
        l->fresh = successor(v->endorsed);
        if (l->fresh && workers_do(v->workers, LOOK_COST, run, on_read, l, &err) == 0) {
                v->endorsed_read = true;
                return;
        }
        endorsed_free(l->fresh);
        endorsed_free(l->was);
        free(l);
}
