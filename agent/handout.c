/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing secrets out. Somebody asks; the sealed object is loaded and its policy session started; the
 * approval is chosen whose PCR values are the TPM's own now; where the owner wants the verifier's word, the
 * session's nonce waits for it; then the TPM decides, and what it gave out is passed on and wiped in the same
 * turn. No secret is kept: who asks again costs another unsealing, and another look of the verifier.
 *
 * Nothing here decides whether a secret may be opened: every check before the TPM's is for a better message.
 * What is decided here is who waits, for how long, and that the log of copies is written first.
 *
 * Spec: SR-1, SR-5 (refusal comes first, and drops what is under way), SR-25.
 */
#include "agent/handout.h"

#include <stdio.h>
#include <string.h>

#include "agent/handout_chain.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define WAIT_MS    30000 /* for a secret, in all */
#define RELEASE_MS 20000 /* for the verifier, of these */
#define RETRY_MS   500   /* while the TPM is not there */

struct ask {
        struct ask *next;
        char name[SECRETS_NAME_BYTES], unit[SECRETS_UNIT_BYTES];
        uint32_t uid;
        int64_t until_ms;
        handout_fn *fn;
        void *ctx;
};

struct handout {
        struct secrets *secrets;
        struct ask *asks; /* in the order they came */
        size_t n_asks;
        /* the unsealing that waits for its release; NULL: none */
        struct handout_chain *chain;
        int64_t release_until_ms;
        uint32_t number;
        /* its release, until the next turn */
        struct buf signature;
        uint32_t lease_s;
};

const char *handout_result_name(enum handout_result result)
{
        static const char *const names[] = {
                [HANDOUT_OK] = "ok",           [HANDOUT_UNKNOWN] = "unknown",
                [HANDOUT_REFUSED] = "refused", [HANDOUT_UNAVAILABLE] = "unavailable",
                [HANDOUT_FAILED] = "failed",
        };

        return names[result];
}

int handout_new(struct secrets *secrets, struct handout **ret, struct err *err)
{
        struct handout *h = mem_zalloc(1, sizeof(*h));

        if (!h)
                return err_nomem(err);
        h->secrets = secrets;
        *ret = h;
        return 0;
}

static void end_chain(struct handout *h)
{
        handout_chain_free(TAKE(h->chain));
        buf_free(&h->signature);
        h->signature = (struct buf){0};
}

void handout_free(struct handout *h)
{
        if (!h)
                return;
        end_chain(h);
        while (h->asks) {
                struct ask *a = h->asks;

                h->asks = a->next;
                free(a);
        }
        free(h);
}

int handout_ask(struct handout *h, const char *name, const char *unit, uint32_t uid, int64_t mono_ms,
                handout_fn *fn, void *ctx, struct err *err)
{
        struct ask *a, **end = &h->asks;

        if (h->n_asks == HANDOUT_WAITING_MAX)
                return err_set(err, ERR_LIMIT, 0, "%d others wait for secrets", HANDOUT_WAITING_MAX);
        a = mem_zalloc(1, sizeof(*a));
        if (!a)
                return err_nomem(err);
        *a = (struct ask){.uid = uid, .until_ms = mono_ms + WAIT_MS, .fn = fn, .ctx = ctx};
        (void)snprintf(a->name, sizeof(a->name), "%s", name);
        (void)snprintf(a->unit, sizeof(a->unit), "%s", unit);
        while (*end)
                end = &(*end)->next;
        *end = a;
        h->n_asks++;
        return 0;
}

void handout_cancel(struct handout *h, void *ctx)
{
        struct ask **at = &h->asks;

        while (*at) {
                struct ask *a = *at;

                if (a->ctx != ctx) {
                        at = &a->next;
                        continue;
                }
                *at = a->next;
                h->n_asks--;
                free(a);
        }
}

/* Takes the first that waits for NAME (NULL: for anything) and whose time is over by BEFORE_MS out of the
 * list. */
static struct ask *take_ask(struct handout *h, const char *name, int64_t before_ms)
{
        for (struct ask **at = &h->asks; *at; at = &(*at)->next) {
                struct ask *a = *at;

                if ((name && !str_equal(a->name, name)) || a->until_ms > before_ms)
                        continue;
                *at = a->next;
                h->n_asks--;
                return a;
        }
        return NULL;
}

static void answer(struct ask *a, const struct handout_answer *answer)
{
        a->fn(a->ctx, answer);
        free(a);
}

/* Everybody who waits for NAME (NULL: for anything) hears that there is nothing. */
static void answer_no(struct handout *h, const char *name, enum handout_result result, const char *text)
{
        const struct handout_answer no = {.result = result, .text = text};
        struct ask *a;

        while ((a = take_ask(h, name, INT64_MAX)))
                answer(a, &no);
}

/* One of those who wait for the secret gets it, unless the log of copies cannot be written. */
static void give(struct handout *h, struct ask *a, const struct secret *secret, uint32_t lease_s,
                 bool revocable)
{
        struct secrets_copy copy = {
                .uid = a->uid, .at_ms = clock_now_ms(), .lease_s = lease_s, .revocable = revocable};
        struct handout_answer yes = {.secret = VIEW(secret->p, secret->len), .lease_s = lease_s};
        struct err err = ERR_INIT;

        memcpy(copy.unit, a->unit, sizeof(copy.unit));
        memcpy(copy.secret, a->name, sizeof(copy.secret));
        if (secrets_note_copy(h->secrets, &copy, &err) < 0) {
                log_err(&err, "secret %s is not handed out", SHOW(a->name));
                answer(a, &(struct handout_answer){
                                  .result = HANDOUT_UNAVAILABLE,
                                  .text = "the log of copies cannot be written; see the agent's log"});
                return;
        }
        log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_SECRET", copy.secret}, {"AVOW_UNIT", copy.unit}),
                 "secret %s handed out to %s, user %u%s", copy.secret, copy.unit[0] ? copy.unit : "no unit",
                 copy.uid, lease_s ? "" : ", without a lease");
        answer(a, &yes);
}

/* The TPM decides. */
static void finish(struct handout *h)
{
        struct handout_chain *chain = TAKE(h->chain);
        char name[SECRETS_NAME_BYTES];
        struct secret secret = {0};
        struct err err = ERR_INIT;
        struct ask *a;
        int r;

        memcpy(name, handout_chain_name(chain), sizeof(name));
        r = handout_chain_finish(chain, VIEW_BUF(&h->signature), h->lease_s, &secret, &err);
        if (r >= 0 &&
            secrets_refused(h->secrets)) /* the TPM let it out before the wipe began: it stays here */
                answer_no(h, name, HANDOUT_REFUSED, secrets_refused(h->secrets));
        else if (r >= 0)
                while ((a = take_ask(h, name, INT64_MAX)))
                        give(h, a, &secret, handout_chain_local(chain) ? 0 : h->lease_s,
                             handout_chain_revocable(chain));
        secret_free(&secret);
        if (r < 0) {
                log_err(&err, "secret %s", SHOW(name));
                answer_no(h, name, HANDOUT_FAILED, err.text);
        }
        handout_chain_free(chain);
        end_chain(h);
}

/* Begins the first that waits. */
static void begin(struct handout *h, const struct handout_host *host, int64_t mono_ms)
{
        char name[SECRETS_NAME_BYTES];
        struct err err = ERR_INIT;
        int r;

        memcpy(name, h->asks->name, sizeof(name));
        if (!secrets_find(h->secrets, name)) {
                answer_no(h, name, HANDOUT_UNKNOWN, "this host holds no secret of that name");
                return;
        }
        h->lease_s = 0;
        r = handout_chain_begin(h->secrets, host, name, &h->chain, &err);
        if (r < 0) {
                log_err(&err, "secret %s", SHOW(name));
                answer_no(h, name, HANDOUT_FAILED, err.text);
                return;
        }
        h->number++;
        h->release_until_ms = mono_ms + RELEASE_MS;
        if (handout_chain_local(h->chain))
                finish(h);
}

static void end_late(struct handout *h, int64_t mono_ms)
{
        const struct handout_answer late = {.result = HANDOUT_UNAVAILABLE,
                                            .text = "the TPM or the verifier did not answer in time"};
        struct ask *a;

        while ((a = take_ask(h, NULL, mono_ms)))
                answer(a, &late);
        if (h->chain && mono_ms >= h->release_until_ms) {
                log_warning("secret %s: no release from the verifier in %d s",
                            SHOW(handout_chain_name(h->chain)), RELEASE_MS / 1000);
                answer_no(h, handout_chain_name(h->chain), HANDOUT_UNAVAILABLE,
                          "no release from the verifier in time");
                end_chain(h);
        }
}

/* Nobody waits for it any more. */
static bool forgotten(const struct handout *h)
{
        for (const struct ask *a = h->asks; a; a = a->next)
                if (str_equal(a->name, handout_chain_name(h->chain)))
                        return false;
        return true;
}

static int64_t due(const struct handout *h, int64_t mono_ms)
{
        int64_t at = INT64_MAX;

        for (const struct ask *a = h->asks; a; a = a->next)
                at = a->until_ms < at ? a->until_ms : at;
        if (h->chain && h->release_until_ms < at)
                at = h->release_until_ms;
        if (h->asks && !h->chain && mono_ms + RETRY_MS < at)
                at = mono_ms + RETRY_MS;
        if (at == INT64_MAX)
                return at;
        return at > mono_ms ? at - mono_ms : 0;
}

int64_t handout_turn(struct handout *h, const struct handout_host *host, int64_t mono_ms)
{
        if (secrets_refused(h->secrets))
                handout_refuse_all(h, secrets_refused(h->secrets));
        end_late(h, mono_ms);
        if (h->chain && forgotten(h))
                end_chain(h);
        if (h->chain && h->signature.len && host->tpm)
                finish(h);
        if (!h->chain && h->asks && host->tpm)
                begin(h, host, mono_ms);
        return h->asks && !h->chain && host->tpm ? 0 : due(h, mono_ms);
}

void handout_lose_tpm(struct handout *h)
{
        end_chain(h);
}

void handout_refuse_all(struct handout *h, const char *text)
{
        end_chain(h);
        answer_no(h, NULL, HANDOUT_REFUSED, text);
}

bool handout_wanted(const struct handout *h, struct handout_wanted *ret)
{
        if (!h->chain || handout_chain_local(h->chain) || h->signature.len)
                return false;
        *ret = (struct handout_wanted){.number = h->number,
                                       .name = handout_chain_name(h->chain),
                                       .nonce = handout_chain_nonce(h->chain),
                                       .bracket = *handout_chain_bracket(h->chain)};
        return true;
}

int handout_release(struct handout *h, uint32_t number, struct view signature, uint32_t lease_s,
                    struct err *err)
{
        if (!h->chain || number != h->number)
                return 0; /* too late: nobody waits for it any more */
        buf_reset(&h->signature);
        buf_put_view(&h->signature, signature);
        h->lease_s = lease_s;
        return buf_ok(&h->signature) ? 0 : err_nomem(err);
}

void handout_no_release(struct handout *h, uint32_t number, bool refused, const char *text)
{
        if (!h->chain || number != h->number)
                return;
        log_warning("secret %s: no release: %s", SHOW(handout_chain_name(h->chain)), text);
        answer_no(h, handout_chain_name(h->chain), refused ? HANDOUT_REFUSED : HANDOUT_UNAVAILABLE, text);
        end_chain(h);
}
