/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a proof prove the wipe?
 *
 * The host is hostile: it was just revoked. So every step starts from something that it cannot make: the
 * verifier's signature names host, counter and epoch; the AK's signatures are over a challenge that holds the
 * revocation's id and somebody else's nonce, under a label that the agent's TPM half uses for nothing else;
 * the counter's name is rebuilt, so a counter with an easier write policy is not the counter; the log must
 * replay to the quoted register before a record in it counts, and the record's digest is computed, not read.
 *
 * Two statements, because each alone leaves a gap: a policy session that was validated before the increment
 * still opens after it, and an extend alone is gone with the next boot. The same reset count in both says
 * that they are of one boot. Spec: SR-5.
 */
#include "evidence/wipe_proof.h"

#include "base/mem.h"
#include "base/str.h"
#include "evidence/ak_certificate.h"
#include "evidence/cel.h"
#include "evidence/counter_check.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

#define STATIC_PCRS 16 /* the ones above can be reset without a boot */

/* One judgement under way. */
struct judging {
        const struct wipe_proof *p;
        const struct wipe_expected *x;
        struct wipe_verdict *v;
        struct tpm_public ak;
        struct digest qualifying;
        struct counter_shown counter;
        struct tpm_attest quote;
};

static int no(struct judging *j, const char *why)
{
        j->v->why = why;
        return 0;
}

static int read_order(struct judging *j, struct err *err)
{
        struct revocation_order *o = &j->v->order;
        struct err why = ERR_INIT;
        bool good = false;
        int r = revocation_order_open(view_str(j->p->revocation), j->x->keys, j->x->n_keys, o, &good, &why);

        if (r == -ERR_NOMEM || r == -ERR_CRYPTO) {
                *err = why;
                return r;
        }
        if (r < 0)
                return no(j, "what the verifier signed is no revocation of a known form");
        if (!good)
                return no(j, "the revocation is not signed by the verifier's key");
        if (o->reaction != REACTION_DESTROY)
                return no(j, "it is of a revocation that destroys nothing");
        if (j->x->host && !str_equal(o->host, j->x->host))
                return no(j, "it is of another host");
        if (j->x->id && !str_equal(o->id, j->x->id))
                return no(j, "it is of another revocation");
        if (j->p->epoch_sealed != o->epoch)
                return no(j, "it names another epoch than the revocation");
        if (j->x->nonce.len && !equal_ct(j->x->nonce.p, j->x->nonce.len, j->p->nonce, sizeof(j->p->nonce)))
                return no(j, "it was not made for the registrar's nonce");
        return 1;
}

/* The AK: the enrolled one, or one that the registrar's certificate speaks of. */
static int read_ak(struct judging *j, struct err *err)
{
        struct err why = ERR_INIT;
        bool fits = false;
        int r;

        if (tpm2b_public_parse(VIEW_BUF(&j->p->ak), &j->ak, &why) < 0)
                return no(j, "its attestation key is malformed");
        if (tpm_public_ak_refusal(&j->ak))
                return no(j, "its attestation key is none: it could sign anything");
        if (j->x->ak)
                return view_equal(j->x->ak->raw, j->ak.raw) ? 1
                                                            : no(j, "it is signed by another key than the "
                                                                    "enrolled attestation key");
        if (!j->p->ak_certificate)
                return no(j, "it carries no certificate of its attestation key");
        r = ak_certificate_fits(j->p->ak_certificate, j->v->order.host, &j->ak, &fits, &j->v->why, err);
        if (r == 0 && !fits)
                return no(j, "the certificate of its attestation key is of another key or host");
        return r < 0 ? r : 1;
}

static int check_counter(struct judging *j, struct err *err)
{
        struct view name = tpm_name_view(&j->v->order.index_name), said = tpm_name_view(&j->p->index_name);
        int r;

        if (!view_equal(said, name) || (j->x->index_name.len && !view_equal(j->x->index_name, name)))
                return no(j, "it is of another counter than the one that was enrolled");
        r = counter_check(&j->ak, NULL, VIEW_BUF(&j->p->nv_message), VIEW_BUF(&j->p->nv_signature),
                          digest_view(&j->qualifying), name, &j->counter, &j->v->why, err);
        if (r < 0 || j->v->why)
                return r;
        if (j->counter.value <= j->v->order.epoch)
                return no(j, "the counter still has the epoch that secrets were sealed under");
        return 1;
}

static int check_quote(struct judging *j, struct err *err)
{
        const struct wipe_proof *p = j->p;
        struct pcr_selection selection = {p->pcrs.bank, p->pcrs.mask};
        struct digest pcr_digest;
        struct attest_expected want = {.type = ATTEST_QUOTE,
                                       .extra_data = digest_view(&j->qualifying),
                                       .select = &selection,
                                       .pcr_digest = &pcr_digest};
        struct err why = ERR_INIT;
        bool good = false, same = false;
        int r = tpm_signature_check(&j->ak, NULL, VIEW_BUF(&p->quote_signature), VIEW_BUF(&p->quote_message),
                                    &good, err);

        if (r < 0)
                return r;
        if (!good)
                return no(j, "the quote is not signed by the attestation key");
        if (tpm_attest_parse(VIEW_BUF(&p->quote_message), &j->quote, &why) < 0 ||
            j->quote.type != ATTEST_QUOTE)
                return no(j, "what was signed as a quote is none");
        if (!(p->pcrs.mask >> j->x->pcr & 1))
                return no(j, "the quote leaves out the measurement register");
        /* The TPM hashes the values with the scheme's hash, which an AK of ours fixes. */
        r = pcr_values_digest(&p->pcrs, p->pcrs.mask, (enum digest_alg)j->ak.scheme_hash, &pcr_digest, err);
        if (r == 0)
                r = tpm_attest_is(VIEW_BUF(&p->quote_message), &want, &same, err);
        if (r < 0)
                return r;
        if (!same)
                return no(j, "the quote is over other values, or for another purpose or challenge");
        if (j->quote.clock.reset_count != j->counter.clock.reset_count)
                return no(j, "counter and quote are not of the same boot");
        return 1;
}

/* Is the revocation's record among those that the quoted register covers? Return: 1, 0, < 0. */
static int find_record(struct judging *j, bool *ret_replays, struct err *err)
{
        AUTO(cel_log_free_p) struct cel_log *log = NULL;
        const struct revocation_order *o = &j->v->order;
        const struct digest *quoted = &j->p->pcrs.v[j->x->pcr];
        struct cel_start start = {.entry = 0};
        struct cel_replay replay;
        struct err why = ERR_INIT;
        struct digest record;
        int r = cel_parse(VIEW_BUF(&j->p->log), CEL_RECORDS_MAX, &log, &why);

        *ret_replays = false;
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return 0;
        digest_zero(j->p->pcrs.bank, &start.value);
        r = cel_replay(log, &start, j->x->pcr, quoted, &replay, err);
        if (r == 0)
                r = revocation_record_digest(j->p->pcrs.bank, o->verifier, o->id, &record, err);
        if (r < 0)
                return r;
        *ret_replays = replay.matched;
        for (size_t i = 0; i < replay.n_covered; i++) {
                const struct digest *d = cel_record_digest(&log->records[i], j->p->pcrs.bank);

                if (d && digest_equal(d, &record))
                        return 1;
        }
        return 0;
}

static int check_record(struct judging *j, struct err *err)
{
        const struct revocation_order *o = &j->v->order;
        bool replays = false;
        int r = find_record(j, &replays, err);

        if (r < 0)
                return r;
        j->v->recorded = r == 1;
        if (r == 1)
                return 1;
        if (o->reset_count != REVOCATION_NO_RESET && (int64_t)j->quote.clock.reset_count > o->reset_count)
                return 1; /* SR-5: or a later reset count */
        return no(j, replays ? "the register does not hold the revocation's record"
                             : "the log does not explain the quoted register, so it shows no record of the "
                               "revocation");
}

static int judge(struct judging *j, struct err *err)
{
        int r = read_order(j, err);

        if (r == 1)
                r = read_ak(j, err);
        if (r != 1)
                return r;
        r = qualify_revocation(j->v->order.verifier, j->v->order.host, j->v->order.id,
                               VIEW_ARRAY(j->p->nonce), &j->qualifying, err);
        if (r == 0)
                r = check_counter(j, err);
        if (r == 1)
                r = check_quote(j, err);
        if (r == 1)
                r = check_record(j, err);
        if (r != 1)
                return r;
        j->v->proven = true;
        j->v->why = NULL;
        j->v->epoch = j->counter.value;
        j->v->reset_count = j->quote.clock.reset_count;
        return 0;
}

int wipe_proof_judge(const struct wipe_proof *p, const struct wipe_expected *x, struct wipe_verdict *ret,
                     struct err *err)
{
        struct wipe_verdict v = {.proven = false};
        struct judging j = {.p = p, .x = x, .v = &v};
        int r;

        if (x->pcr >= STATIC_PCRS)
                return err_set(err, ERR_CONFIG, 0,
                               "PCR %u can be set back without a boot: nothing is proven by it", x->pcr);
        r = judge(&j, err);
        if (r < 0) {
                wipe_verdict_done(&v);
                return r;
        }
        *ret = v;
        return 0;
}

void wipe_verdict_done(struct wipe_verdict *v)
{
        revocation_order_done(&v->order);
}
