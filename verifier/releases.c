/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which releases are signed. The TPM checks all of this again (the bracket holds PCRs, floor and our key, and
 * the owner signed it); what it cannot know is that an approval was withdrawn a minute ago and its floor is
 * still to be raised, or that the counter which it compares with is not the one that was enrolled. That is
 * decided here. What is signed names the host that earned it, so it opens nothing elsewhere.
 *
 * Spec: SR-1, SR-7; docs/protocol.md, "Releases".
 */
#include "verifier/releases.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "wire/approval.h"

int releases_refuse(struct wire_release_answer *ret, const char *type, const char *where, const char *detail,
                    struct err *err)
{
        wire_release_answer_done(ret); /* signatures too: all or nothing */
        ret->type = str_dup(type);
        ret->detail = str_dup(detail);
        ret->where = where ? str_dup(where) : NULL;
        return ret->type && ret->detail && (ret->where || !where) ? 0 : err_nomem(err);
}

/* ---- approvals ---- */

struct known {
        struct approval approval;
        bool withdrawn;
};
struct book {
        struct known *v;
        size_t n;
};

static void book_done(struct book *b)
{
        for (size_t i = 0; i < b->n; i++)
                approval_done(&b->v[i].approval);
        free(b->v);
        *b = (struct book){.n = 0};
}

/* Those that are for the host. What cannot be read any more is none: it was checked when it was stored. */
static int book_make(const struct release_approval *rows, size_t n, struct book *ret, struct err *err)
{
        ret->v = mem_zalloc(n, sizeof(*ret->v));
        if (!ret->v)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                struct known *k = &ret->v[ret->n];
                int r = approval_decode(view_str(rows[i].text), &k->approval, err);

                if (r == -ERR_NOMEM)
                        return r;
                if (r < 0) {
                        err_clear(err);
                        continue;
                }
                k->withdrawn = rows[i].withdrawn;
                ret->n++;
        }
        return 0;
}

static bool is_ours(const struct approval *a, const struct release_facts *f)
{
        return str_equal(a->scope.host, f->host) && str_equal(a->scope.tenant, f->tenant);
}

/* The approval that has BRACKET: one that stands, else one that was withdrawn, else NULL. */
static const struct known *look_up(const struct book *b, const struct release_facts *f, struct view bracket)
{
        const struct known *found = NULL;

        for (size_t i = 0; i < b->n; i++) {
                const struct known *k = &b->v[i];

                if (!is_ours(&k->approval, f) || !approval_find(&k->approval, bracket))
                        continue;
                if (!k->withdrawn)
                        return k;
                found = k;
        }
        return found;
}

/* ---- the decision ---- */

struct refusal {
        const char *type, *detail;
};

static const struct refusal *floor_refusal(const struct approval *a, const struct counters_record *c)
{
        static const struct refusal none = {
                "floor-not-certified",
                "The host's evidence certifies no floor counter: nobody could withdraw what is released."};
        static const struct refusal other = {"floor-not-certified",
                                             "The approval names another floor counter than the host's."};
        static const struct refusal above = {
                "floor-not-certified",
                "The host's floor counter is above the approval's version: it has ended, approve anew."};
        struct view name = tpm_name_view(&c->floor.name), wanted = tpm_name_view(&a->floor_name);

        if (!c->known)
                return &none;
        if (a->floor_index != c->floor.index || !equal_ct(name.p, name.len, wanted.p, wanted.len))
                return &other;
        return c->floor.value > a->version ? &above : NULL;
}

/* Why there is no release for this bracket, or NULL. */
static const struct refusal *refusal_of(const struct book *b, const struct release_facts *f,
                                        struct view bracket)
{
        static const struct refusal unknown = {
                "no-approval",
                "No approval of this host has this bracket: approve it ('avow secret approve')."};
        static const struct refusal withdrawn = {"withdrawn", "The approval was withdrawn."};
        static const struct refusal other = {
                "other-key",
                "The approval names another verifier's release key: approve anew with this one's."};
        const struct known *k = look_up(b, f, bracket);

        if (!k)
                return &unknown;
        if (k->withdrawn)
                return &withdrawn;
        if (!k->approval.release_key || !str_equal(k->approval.verifier, f->verifier_id) ||
            !pubkey_equal(k->approval.release_key, f->public))
                return &other;
        return floor_refusal(&k->approval, f->counters);
}

static int sign(const struct wire_release_item *item, const struct release_facts *f, const struct digest *ref,
                struct buf *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf message = {0};

        seal_release_message(VIEW_ARRAY(item->nonce), f->lease_s, digest_view(ref), &message);
        return buf_ok(&message) ? tpm_key_sign(f->key, VIEW_BUF(&message), ret, err) : err_nomem(err);
}

static int sign_all(const struct wire_release_request *m, const struct release_facts *f,
                    struct wire_release_answer *ret, struct err *err)
{
        struct digest ref;
        int r = seal_release_ref(f->verifier_id, f->host, &ref, err);

        ret->lease_s = f->lease_s;
        for (size_t i = 0; i < m->n && r >= 0; i++) {
                ret->n++;
                memcpy(ret->item[i].name, m->item[i].name, sizeof(ret->item[i].name));
                r = sign(&m->item[i], f, &ref, &ret->item[i].signature, err);
        }
        return r;
}

int releases_decide(const struct wire_release_request *m, const struct release_facts *facts,
                    const struct release_approval *approvals, size_t n, struct wire_release_answer *ret,
                    struct err *err)
{
        AUTO(book_done) struct book book = {.n = 0};
        int r;

        if (!facts->key)
                return releases_refuse(ret, "no-release-key", NULL, "This verifier has no release.key.", err);
        r = book_make(approvals, n, &book, err);
        for (size_t i = 0; i < m->n && r >= 0; i++) {
                const struct refusal *why = refusal_of(&book, facts, VIEW_ARRAY(m->item[i].approval));

                if (why)
                        return releases_refuse(ret, why->type, m->item[i].name, why->detail, err);
        }
        return r < 0 ? r : sign_all(m, facts, ret, err);
}
