/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: making, freeing, and what appraisal needs of one. Encoding and decoding have files of their own.
 */
#include "evidence/bundle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "evidence/ak_certificate.h"
#include "evidence/qualify.h"

struct bundle *bundle_new(void)
{
        struct bundle *b = mem_zalloc(1, sizeof(*b));

        if (b)
                b->tolerance = CLOCK_TOLERANCE_DEFAULT;
        return b;
}

void bundle_free(struct bundle *b)
{
        if (!b)
                return;
        free(b->host);
        free(b->verifier_id);
        buf_free(&b->ak);
        free(b->ak_certificate);
        buf_free(&b->challenge);
        buf_free(&b->release_request);
        buf_free(&b->message);
        buf_free(&b->signature);
        buf_free(&b->time_message);
        buf_free(&b->time_signature);
        buf_free(&b->counter_key);
        buf_free(&b->epoch.message);
        buf_free(&b->epoch.signature);
        buf_free(&b->floor.message);
        buf_free(&b->floor.signature);
        buf_free(&b->cel);
        buf_free(&b->ima);
        buf_free(&b->uefi);
        buf_free(&b->tee);
        buf_free(&b->tee_table);
        buf_free(&b->tee_manifest);
        verdict_free(b->verdict);
        free(b->policy_name);
        free(b);
}

bool bundle_tee(const struct bundle *b, struct tee_shown *ret)
{
        *ret = (struct tee_shown){.kind = b->tee_kind,
                                  .evidence = VIEW_BUF(&b->tee),
                                  .table = VIEW_BUF(&b->tee_table),
                                  .manifest = VIEW_BUF(&b->tee_manifest)};
        return b->has_tee;
}

static struct counter_claim claim_of(const struct bundle_counter *c)
{
        return (struct counter_claim){c->index, VIEW_BUF(&c->message), VIEW_BUF(&c->signature)};
}

int bundle_evidence(const struct bundle *b, struct tpm_public *ret_ak, struct digest *ret_qualifying,
                    struct evidence *ret_e, struct expectation *ret_x, struct err *err)
{
        struct view qualifying = VIEW_BUF(&b->challenge);
        int r = tpm2b_public_parse(VIEW_BUF(&b->ak), ret_ak, err);

        if (r < 0)
                return err_wrap(err, "member 'ak'");
        if (b->peer == BUNDLE_PEER_AVOW) {
                r = b->release_request.len == 0
                            ? qualify_heartbeat(b->verifier_id, b->host, qualifying, ret_qualifying, err)
                            : (b->for_permit ? qualify_permit : qualify_release)(
                                      b->verifier_id, b->host, qualifying, VIEW_BUF(&b->release_request),
                                      ret_qualifying, err);
                if (r < 0)
                        return r;
                qualifying = digest_view(ret_qualifying);
        }
        *ret_e = (struct evidence){
                .ak = ret_ak,
                .message = VIEW_BUF(&b->message),
                .signature = VIEW_BUF(&b->signature),
                .pcrs = &b->pcrs,
                .time_message = VIEW_BUF(&b->time_message),
                .time_signature = VIEW_BUF(&b->time_signature),
                .counters = {VIEW_BUF(&b->counter_key), claim_of(&b->epoch), claim_of(&b->floor)},
        };
        *ret_x = (struct expectation){
                .qualifying = qualifying,
                .asked = b->asked,
                .want_time = b->peer == BUNDLE_PEER_AVOW,
                .want_counters = b->counter_key.len || b->counters_before.known,
                .counters = &b->counters_before,
                .immediate = b->immediate,
                .issued_at_ms = b->issued_at_ms,
                .received_at_ms = b->received_at_ms,
                .tolerance = b->tolerance,
                .previous = b->has_previous ? &b->previous : NULL,
        };
        return 0;
}

int bundle_certificate_fits(const struct bundle *b, const struct tpm_public *ak, bool *ret_fits,
                            const char **ret_why, struct err *err)
{
        *ret_fits = true;
        *ret_why = NULL;
        return b->ak_certificate ? ak_certificate_fits(b->ak_certificate, b->host, ak, ret_fits, ret_why, err)
                                 : 0;
}
